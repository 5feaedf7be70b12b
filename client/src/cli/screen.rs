//! What the person or program at the other end sees, types and is asked.
//!
//! **Invariant:** the only file that writes to standard output or error; every line passes through
//! [`crate::shown`] on its way.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::fail::Failure;
use crate::shown::{safe_json, safe_line, safe_lines};

type Input = Arc<Mutex<dyn BufRead + Send>>;

/// Standard output, error and input, or what stands for them in a test.
pub struct Screen {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    input: Input,
    terminal: bool,
    failed: Option<io::Error>,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Screen")
    }
}

impl Screen {
    /// That of this process.
    pub fn system() -> Self {
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        let input = BufReader::new(io::stdin());
        Self::new(io::stdout(), io::stderr(), input, terminal)
    }

    /// Any other. `terminal`: whether somebody is there to answer questions.
    pub fn new(
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
        input: impl BufRead + Send + 'static,
        terminal: bool,
    ) -> Self {
        Self {
            out: Box::new(out),
            err: Box::new(err),
            input: Arc::new(Mutex::new(input)),
            terminal,
            failed: None,
        }
    }

    /// Whether somebody is there to answer questions.
    pub(super) const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// A line of data.
    pub(super) fn data(&mut self, line: impl AsRef<str>) {
        let text = format!("{}\n", safe_lines(line.as_ref()));
        self.put(&text);
    }

    /// Rows of data with their columns below each other; each row is one line, whatever is in it.
    pub(super) fn table(&mut self, rows: &[Vec<String>]) {
        let safe = |row: &Vec<String>| row.iter().map(|cell| safe_line(cell)).collect();
        let rows: Vec<Vec<String>> = rows.iter().map(safe).collect();
        for line in aligned(&rows) {
            self.data(line);
        }
    }

    /// One JSON object on one line.
    pub(super) fn json(&mut self, value: &serde_json::Value) {
        self.put(&format!("{}\n", safe_json(&value.to_string())));
    }

    fn put(&mut self, text: &str) {
        let written = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }

    /// A line to the person, beside the data. That it cannot be written matters to nobody.
    pub(super) fn say(&mut self, line: impl AsRef<str>) {
        let _ = writeln!(self.err, "{}", safe_lines(line.as_ref()));
    }

    /// Names the command that usually follows.
    pub(super) fn next(&mut self, command: impl AsRef<str>) {
        self.say(format!("Next: {}", command.as_ref()));
    }

    /// A failure as JSON, beside the data.
    pub(super) fn say_json(&mut self, value: &serde_json::Value) {
        let _ = writeln!(self.err, "{}", safe_json(&value.to_string()));
    }

    /// Whether all data could be written.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        match self.failed.take() {
            None => Ok(()),
            // Whoever read, such as `head`, has enough.
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Some(source) => Err(Failure::Output(source)),
        }
    }

    /// Whether nobody reads the data any more.
    pub(super) const fn is_closed(&self) -> bool {
        self.failed.is_some()
    }

    /// Help and version are data, also where nothing else was asked for; misuse is talk, as JSON
    /// where that was asked for.
    pub(super) fn usage(&mut self, error: &clap::Error, json: bool) -> u8 {
        let text = error.render().to_string();
        let help = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        if error.use_stderr() && !help {
            let failure = Failure::Usage(text.trim_end().to_owned());
            if json {
                failure.report(self, json);
            } else {
                self.say(text.trim_end());
            }
            failure.exit_code()
        } else {
            self.data(text.trim_end());
            0
        }
    }

    /// Asks a question and waits for the line that answers it, without white space around it.
    pub(super) async fn ask(&mut self, question: &str) -> Result<String, Failure> {
        let _ = write!(self.err, "{} ", safe_lines(question));
        let _ = self.err.flush();
        let line = self
            .blocking(|input| {
                let mut line = String::new();
                input.take(ANSWER_BYTES_MAX).read_line(&mut line)?;
                Ok(line)
            })
            .await?;
        Ok(line.trim().to_owned())
    }

    /// All of standard input, at most `bytes_max`.
    pub(super) async fn read_input(&mut self, bytes_max: u64) -> Result<Vec<u8>, Failure> {
        self.blocking(move |input| {
            let mut bytes = Vec::new();
            input
                .take(bytes_max.saturating_add(1))
                .read_to_end(&mut bytes)?;
            Ok(bytes)
        })
        .await
    }

    /// Off the thread of the runtime, so that an interrupt is noticed meanwhile.
    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut dyn BufRead) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let input = Arc::clone(&self.input);
        let reading = tokio::task::spawn_blocking(move || {
            read(&mut *input.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match reading.await {
            Ok(result) => result.map_err(Failure::Input),
            Err(_) => Err(Failure::Interrupted),
        }
    }
}

/// Bytes of an answer to a question; forty digits or a name are far below.
const ANSWER_BYTES_MAX: u64 = 4 * 1024;

fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What was written to a screen.
    #[derive(Clone, Default)]
    pub(crate) struct Seen {
        out: Sink,
        err: Sink,
    }

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("sink").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seen {
        pub(crate) fn texts(&self) -> (String, String) {
            let text = |sink: &Sink| {
                String::from_utf8(sink.0.lock().expect("sink").clone()).expect("text")
            };
            (text(&self.out), text(&self.err))
        }
    }

    pub(crate) fn screen(input: &'static str, terminal: bool) -> (Screen, Seen) {
        let seen = Seen::default();
        let screen = Screen::new(
            seen.out.clone(),
            seen.err.clone(),
            io::Cursor::new(input),
            terminal,
        );
        (screen, seen)
    }

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["a", "bbb", "c"], ["aaa", "b", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&rows), ["a    bbb  c", "aaa  b"]);
    }

    #[tokio::test]
    async fn no_line_acts_on_the_terminal() {
        let (mut screen, seen) = screen("answer\u{1b}\nmore\n", true);
        screen.data("title \u{1b}[2J\u{202e}");
        screen.say("note \u{9b}m");
        screen.json(&serde_json::json!({ "title": "\u{202e}\u{9b}" }));
        screen.json(&serde_json::json!({ "title": "\u{9d}" }));
        assert_eq!(
            screen.ask("what \u{7}?").await.expect("line"),
            "answer\u{1b}"
        );
        assert_eq!(screen.read_input(100).await.expect("rest"), b"more\n");
        let (data, talk) = seen.texts();
        for text in [data, talk] {
            assert!(
                !text.replace('\n', "").contains(crate::shown::is_unsafe),
                "{text:?}"
            );
        }
        assert!(screen.finish().is_ok());
    }
}
