//! `corridor-node token`.

use std::path::PathBuf;

use anyhow::bail;
use clap::Subcommand;
use corridor_node::edge;
use corridor_node::operate::access::{Access, Role};
use time::OffsetDateTime;

use crate::audit_command::note;

const DAY_MS: u64 = 86_400_000;

#[derive(Subcommand)]
pub enum Command {
    /// Make an access token; it is shown once.
    Create {
        /// Folder with the node's data.
        #[arg(long)]
        data: PathBuf,
        /// What its holder is; may be given more than once.
        #[arg(long = "role", required = true)]
        roles: Vec<Role>,
        /// For whom, in your own words.
        #[arg(long)]
        label: String,
        /// After how many days it ends.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=3_650))]
        days: u64,
    },
    /// List the tokens: for whom each was made, what its holder is, and when it ends.
    List {
        /// Folder with the node's data.
        #[arg(long)]
        data: PathBuf,
    },
    /// End a token at once.
    Revoke {
        /// Folder with the node's data.
        #[arg(long)]
        data: PathBuf,
        /// Which, as `token list` names it.
        id: String,
    },
}

/// Carries out a command.
pub fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Create {
            data,
            roles,
            label,
            days,
        } => {
            let expires = edge::now().plus(days.saturating_mul(DAY_MS));
            println!("{}", Access::of(&data).create(&roles, &label, expires)?);
            let words = roles.iter().map(|role| role.word().to_owned());
            note(&data, "token create", words.chain([label]).collect())?;
            eprintln!("It is shown this once, and good for {days} days.");
            eprintln!(
                "It goes into a profile as in {}, with this node's address and key.",
                data.join("client.toml").display()
            );
        }
        Command::List { data } => {
            for entry in Access::of(&data).list()? {
                let roles: Vec<&str> = entry.roles.iter().map(|role| role.word()).collect();
                let end = match (entry.expires_ms, entry.is_over(edge::now())) {
                    (0, _) => "does not end".to_owned(),
                    (end, false) => format!("until {}", day(end)),
                    (end, true) => format!("ended {}", day(end)),
                };
                println!(
                    "{}  {}  {}  {end}",
                    entry.id(),
                    entry.label,
                    roles.join(", ")
                );
            }
        }
        Command::Revoke { data, id } => match Access::of(&data).revoke(&id, edge::now())? {
            Some(entry) => {
                println!("The token {id} ({}) opens nothing any more.", entry.label);
                note(&data, "token revoke", vec![id, entry.label])?;
            }
            None => bail!("there is no token {id}; corridor-node token list shows them"),
        },
    }
    Ok(true)
}

fn day(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds);
    time.map_or_else(|_| "later".to_owned(), |time| time.date().to_string())
}
