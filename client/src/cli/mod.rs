//! The command line `corridor`: what a secretariat does with its node, in its words.
//!
//! Data goes to standard output, talk to standard error. With `--json` the last line of a success
//! on standard output, or of a failure on standard error, is one JSON object. Exit codes: 0 done,
//! 1 failed, 2 wrong use, 3 not found, 4 refused, 5 conflict, 6 unreachable or too late, 7 invalid
//! data or signature, 8 done in part, 130 interrupted.
//!
//! It imports the library, and the library does not import it. **Invariant:** no secret is taken
//! from a flag, and no character of others reaches a terminal before [`crate::shown`] made it safe.

mod bundle;
mod circle;
mod dates;
mod evidence;
mod fail;
mod find;
mod login;
mod peer;
mod preview;
mod proof;
mod record;
mod recover;
mod render;
mod screen;
mod session;
mod status;
mod table;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use dates::end_of_day;
pub use screen::Screen;

use fail::Failure;
use session::Session;

const EXAMPLES: &str = "Examples:
  corridor status                                  how your node and its partners are
  corridor record template practice > new.json     an example to write your own from
  corridor record draft practice new.json          save it; nobody else sees it
  corridor record publish k3v7qa --circle public   sign it and share it
  corridor peer list                               who you exchange with";

/// Works with the records, circles and partners of your node.
#[derive(Debug, Parser)]
#[command(name = "corridor", version, before_help = EXAMPLES, disable_help_subcommand = true)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// Which node, its key and your token [default: corridor/client.toml in your configuration]
    #[arg(long, global = true, value_name = "FILE", env = "CORRIDOR_PROFILE")]
    profile: Option<PathBuf>,
    /// Print one JSON object on the last line instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Never ask a question; what needs an answer fails and says which option gives it
    #[arg(long, global = true)]
    no_input: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keeps the access to your node that you were given
    #[command(before_help = login::EXAMPLES)]
    Login(login::LoginArgs),
    /// Says how your node and each partner are
    #[command(before_help = status::EXAMPLES)]
    Status,
    /// Partners: invite, confirm, pause, leave
    #[command(subcommand, before_help = peer::EXAMPLES)]
    Peer(peer::Command),
    /// Circles: who reads what
    #[command(subcommand, before_help = circle::EXAMPLES)]
    Circle(circle::Command),
    /// Bundles: files for partners that your node cannot meet, and theirs
    #[command(subcommand, before_help = bundle::EXAMPLES)]
    Bundle(bundle::Command),
    /// Records: write, publish, share, withdraw, read
    #[command(subcommand, before_help = record::EXAMPLES)]
    Record(record::Command),
    /// Brings a node back that stopped signing
    #[command(subcommand, before_help = recover::EXAMPLES)]
    Recover(recover::Command),
    /// Shows your records as a partner may read them now
    #[command(before_help = preview::PREVIEW_EXAMPLES)]
    Preview(preview::PreviewArgs),
    /// Verifies files that prove records, without a node
    #[command(before_help = proof::EXAMPLES)]
    Verify(proof::FilesArgs),
    /// Says why a partner may or may not read a record
    #[command(before_help = preview::EXPLAIN_EXAMPLES)]
    Explain(preview::ExplainArgs),
}

/// Runs one command and gives its exit code. `args` begin with the program's name.
pub async fn run<I, T>(args: I, mut screen: Screen) -> u8
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let json = args.iter().any(|word| word == "--json");
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return screen.usage(&error, json),
    };
    let json = cli.global.json;
    let result = tokio::select! {
        result = command(cli, &mut screen) => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    };
    match result.and_then(|()| screen.finish()) {
        Ok(()) => 0,
        Err(failure) => {
            failure.report(&mut screen, json);
            failure.exit_code()
        }
    }
}

async fn command(cli: Cli, screen: &mut Screen) -> Result<(), Failure> {
    if let Command::Record(record::Command::Template(args)) = &cli.command
        && args.workbook.xlsx.is_none()
    {
        return record::template(args, screen, cli.global.json);
    }
    if let Command::Verify(args) = &cli.command {
        return proof::files(args, screen, cli.global.json);
    }
    let command = match cli.command {
        Command::Login(args) => return login::run(args, &cli.global, screen).await,
        command => command,
    };
    let mut session = Session::open(&cli.global, screen).await?;
    match command {
        Command::Login(args) => login::run(args, &cli.global, session.screen).await,
        Command::Verify(args) => proof::files(&args, session.screen, session.json),
        Command::Status => status::run(&mut session).await,
        Command::Peer(command) => peer::run(&mut session, command).await,
        Command::Circle(command) => circle::run(&mut session, command).await,
        Command::Bundle(command) => bundle::run(&mut session, command).await,
        Command::Record(command) => record::run(&mut session, command).await,
        Command::Recover(command) => recover::run(&mut session, command).await,
        Command::Preview(args) => preview::preview(&mut session, args).await,
        Command::Explain(args) => preview::explain(&mut session, args).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Every command under this one, with the words that call it.
    fn all(command: &clap::Command, words: &str, found: &mut Vec<(String, clap::Command)>) {
        found.push((words.to_owned(), command.clone()));
        for one in command.get_subcommands() {
            all(one, &format!("{words} {}", one.get_name()), found);
        }
    }

    fn commands() -> Vec<(String, clap::Command)> {
        let mut root = Cli::command();
        root.build();
        let mut found = Vec::new();
        all(&root, "corridor", &mut found);
        found
    }

    #[test]
    fn the_commands_are_these() {
        let words: Vec<_> = commands().into_iter().map(|(words, _)| words).collect();
        let expect = "corridor, corridor login, corridor status, corridor peer, \
            corridor peer invite, \
            corridor peer accept, corridor peer list, corridor peer number, \
            corridor peer confirm, corridor peer refuse, corridor peer pause, \
            corridor peer resume, corridor peer evidence, corridor peer accept-restart, \
            corridor peer leave, corridor circle, corridor circle list, corridor circle open, \
            corridor circle add, corridor circle remove, corridor bundle, \
            corridor bundle export, corridor bundle inspect, corridor bundle import, \
            corridor record, \
            corridor record template, corridor record draft, corridor record edit, \
            corridor record drafts, corridor record ask, corridor record clear, \
            corridor record return, corridor record discard, corridor record publish, \
            corridor record share, corridor record narrow, corridor record withdraw, \
            corridor record list, corridor record search, corridor record read-all, \
            corridor record show, corridor record verify, corridor record watch, \
            corridor record import, corridor record imports, corridor record undo-import, \
            corridor record export, corridor recover, corridor recover status, \
            corridor recover copy-is-gone, corridor recover sign, corridor recover show, \
            corridor recover void, corridor preview, corridor verify, corridor explain";
        assert_eq!(words.join(", "), expect);
    }

    #[test]
    fn every_help_begins_with_an_example_that_parses() {
        for (words, mut command) in commands() {
            let help = command.render_long_help().to_string();
            assert!(
                help.starts_with("Examples:\n  corridor "),
                "{words}: {help}"
            );
            assert!(
                help.contains(&format!("\n  {words}")),
                "{words} is in its own example"
            );
            let examples = help
                .lines()
                .skip(1)
                .take_while(|line| line.starts_with("  corridor"));
            for example in examples {
                assert!(example.chars().count() <= 100, "{example}");
                let parsed = Cli::try_parse_from(words_of(example));
                assert!(parsed.is_ok(), "{example}: {parsed:?}");
            }
        }
    }

    /// The words of an example: without the remark after it or what the shell does with it.
    fn words_of(example: &str) -> Vec<String> {
        let line = example.trim().split("   ").next().unwrap_or_default();
        let line = line.split(['<', '>']).next().unwrap_or_default();
        let parts = line.split('"').enumerate();
        let words = parts.flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        });
        words.collect()
    }

    #[test]
    fn no_flag_takes_a_secret() {
        for (words, command) in commands() {
            for argument in command.get_arguments() {
                let name = argument.get_long().unwrap_or_default();
                let secret = ["token", "password", "secret", "key"]
                    .iter()
                    .any(|w| name.contains(w));
                assert!(!secret, "{words} --{name}");
            }
        }
    }

    #[tokio::test]
    async fn help_is_data_and_misuse_is_talk() {
        let cases: [(&[&str], u8, &str, &str); 6] = [
            (&["corridor"], 0, "Examples:", ""),
            (&["corridor", "record"], 0, "Examples:", ""),
            (&["corridor", "--help"], 0, "Examples:", ""),
            (&["corridor", "--version"], 0, "corridor ", ""),
            (&["corridor", "recrod"], 2, "", "'record'"),
            (&["corridor", "record", "publish"], 2, "", "Usage"),
        ];
        for (args, code, out, err) in cases {
            let (screen, seen) = screen::tests::screen("", false);
            assert_eq!(run(args, screen).await, code, "{args:?}");
            let (data, talk) = seen.texts();
            assert!(
                data.contains(out) && talk.contains(err),
                "{args:?}: {data} {talk}"
            );
            assert_eq!(
                (data.is_empty(), talk.is_empty()),
                (out.is_empty(), err.is_empty())
            );
        }
    }

    #[tokio::test]
    async fn a_missing_profile_is_said_with_what_to_do() {
        for json in [false, true] {
            let (screen, seen) = screen::tests::screen("", false);
            let mut args = vec!["corridor", "--profile", "/nowhere/client.toml", "status"];
            if json {
                args.push("--json");
            }
            assert_eq!(run(args, screen).await, 2);
            let (data, talk) = seen.texts();
            assert!(
                data.is_empty() && talk.contains("there is no profile at"),
                "{talk}"
            );
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&talk).is_ok(),
                json
            );
        }
    }

    #[tokio::test]
    async fn with_json_the_last_line_is_one_object_whatever_happened() {
        let cases: [(&[&str], u8); 3] = [
            (&["corridor", "--json", "record", "template", "lesson"], 0),
            (&["corridor", "record", "template", "lessen", "--json"], 2),
            (&["corridor", "record", "publish", "--json"], 2),
        ];
        for (args, code) in cases {
            let (screen, seen) = screen::tests::screen("", false);
            assert_eq!(run(args, screen).await, code, "{args:?}");
            let (data, talk) = seen.texts();
            let last = if code == 0 { &data } else { &talk };
            let value: serde_json::Value =
                serde_json::from_str(last.lines().last().unwrap_or_default()).expect("json");
            assert_eq!(value["error"]["exitCode"].is_null(), code == 0, "{args:?}");
        }
    }

    #[tokio::test]
    async fn a_template_needs_no_node() {
        let (screen, seen) = screen::tests::screen("", false);
        let args = ["corridor", "record", "template", "practice"];
        assert_eq!(run(args, screen).await, 0);
        let (data, _) = seen.texts();
        assert!(serde_json::from_str::<serde_json::Value>(&data).is_ok());
    }
}
