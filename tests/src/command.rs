//! The command line as a secretariat gives it, in this process.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use corridor_client::cli::{self, Screen};

/// Runs a command line and gives its exit code and what it wrote, data and talk together.
pub async fn corridor(line: &str) -> (u8, String) {
    let seen = Seen::default();
    let screen = Screen::new(seen.clone(), seen.clone(), std::io::empty(), false);
    let parts = line.split('"').enumerate();
    let words = parts.flat_map(|(index, part)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    let code = cli::run(words.collect::<Vec<_>>(), screen).await;
    let bytes = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
    (code, String::from_utf8_lossy(&bytes).into_owned())
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u8>>>);

impl Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
