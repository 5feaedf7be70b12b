//! `corridor-node audit`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Subcommand;
use corridor_node::edge;
use corridor_node::operate::audit::{Audit, Chain, Entry};
use corridor_proto::Hash;

#[derive(Subcommand)]
pub enum Command {
    /// Print who did what to this node, and what was refused, the oldest first.
    Show {
        /// Folder with the node's data.
        #[arg(long)]
        data: PathBuf,
        /// The lines as they are kept.
        #[arg(long)]
        json: bool,
    },
    /// Check that nothing was changed and nothing taken out.
    Verify {
        /// Folder with the node's data.
        #[arg(long)]
        data: PathBuf,
        /// A hash that an earlier check printed: whether its line is still there.
        #[arg(long)]
        since: Option<Hash>,
    },
}

/// Carries out a command; whether all holds together.
pub fn run(command: Command) -> anyhow::Result<bool> {
    let chain = match command {
        Command::Show { data, json } => Audit::of(&data).read(|_, _, entry| {
            if json {
                println!("{}", serde_json::to_string(&entry).unwrap_or_default());
            } else {
                println!("{}", visible(&line(&entry)));
            }
        })?,
        Command::Verify { data, since } => {
            let mut is_there = since.is_none();
            let chain = Audit::of(&data).read(|_, hash, _| is_there |= since == Some(hash))?;
            if chain.broken.is_none() && !is_there {
                bail!(
                    "the line with that hash is not in the audit: its end was cut off and written \
                     anew, or the hash is another node's; compare with your last backup"
                );
            }
            println!("{} lines, the last {}", chain.lines, chain.last);
            chain
        }
    };
    Ok(holds(&chain))
}

/// Notes what was done at this computer. It is done: what cannot be noted is said, and no more.
pub fn note(data: &Path, act: &str, about: Vec<String>) {
    let entry = Entry::at_this_computer(act, about, edge::now());
    if let Err(error) = Audit::of(data).note(&entry) {
        eprintln!(
            "The audit does not say so: {error}. Keep {} as it is, and see whether the disk is \
             full; corridor-node audit verify says more.",
            data.join("audit.log").display()
        );
    }
}

fn holds(chain: &Chain) -> bool {
    if let Some((number, why)) = chain.broken {
        eprintln!(
            "The audit is broken at line {number}: {why}. Keep the file as it is, and compare it \
             with your last copy."
        );
    }
    chain.broken.is_none()
}

/// Without what would move a cursor, begin a line or turn the direction of writing.
fn visible(text: &str) -> String {
    let is_hidden = |one: char| {
        let turns = matches!(one, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
        one.is_control() || turns || matches!(one, '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|one| if is_hidden(one) { '\u{fffd}' } else { one })
        .collect()
}

fn line(entry: &Entry) -> String {
    let who = match entry.token.as_str() {
        "" => entry.who.clone(),
        token => format!("{} ({token})", entry.who),
    };
    let about = match entry.about.as_slice() {
        [] => String::new(),
        names => format!("  {}", names.join(" ")),
    };
    format!(
        "{}  {who}  {}  {}{about}",
        entry.time, entry.act, entry.outcome
    )
}
