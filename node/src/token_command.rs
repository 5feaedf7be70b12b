//! `corridor-node token`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Subcommand;
use corridor_node::edge;
use corridor_node::operate::access::{Access, Role};
use corridor_node::operate::config::{Config, is_address};
use corridor_node::operate::files::write_secret;
use corridor_node::operate::init::profile_text;
use corridor_node::operate::keys::KeyFolder;
use time::OffsetDateTime;

use crate::audit_command::note;

const DAY_MS: u64 = 86_400_000;

#[derive(Subcommand)]
pub enum Command {
    /// Make an access token; it is shown once.
    Create {
        /// Folder with the node's data.
        #[arg(long, env = "CORRIDOR_DATA")]
        data: PathBuf,
        /// What its holder is; may be given more than once.
        #[arg(long = "role", required = true)]
        roles: Vec<Role>,
        /// For whom, in your own words.
        #[arg(long)]
        label: String,
        /// Where to write it with all that its holder needs, for corridor login, instead of
        /// showing it.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Where its holder reaches this node, as host:port, if not where the node listens.
        #[arg(long, requires = "out")]
        address: Option<String>,
        /// After how many days it ends.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=3_650))]
        days: u64,
    },
    /// List the tokens: for whom each was made, what its holder is, and when it ends.
    List {
        /// Folder with the node's data.
        #[arg(long, env = "CORRIDOR_DATA")]
        data: PathBuf,
    },
    /// End a token at once.
    Revoke {
        /// Folder with the node's data.
        #[arg(long, env = "CORRIDOR_DATA")]
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
            out,
            address,
            days,
        } => {
            let expires = edge::now().plus(days.saturating_mul(DAY_MS));
            let place = out.map(|out| place(&data, out, address)).transpose()?;
            let token = Access::of(&data).create(&roles, &label, expires)?;
            let words = roles.iter().map(|role| role.word().to_owned());
            note(&data, "token create", words.chain([label]).collect());
            match place {
                Some(place) => {
                    let text = profile_text(&place.address, &place.server_key, &token);
                    write_secret(&place.out, text.as_bytes())?;
                    println!("It is in {}, good for {days} days.", place.out.display());
                    println!("Whoever gets that file runs: corridor login FILE");
                }
                None => {
                    println!("{token}");
                    eprintln!("It is shown this once, and good for {days} days.");
                    eprintln!(
                        "It goes into a profile as in {}, with this node's address and key; \
                         --out FILE writes one.",
                        data.join("client.toml").display()
                    );
                }
            }
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
                note(&data, "token revoke", vec![id, entry.label]);
            }
            None => bail!("there is no token {id}; corridor-node token list shows them"),
        },
    }
    Ok(true)
}

/// Where a profile goes, and what it says of this node.
struct Place {
    out: PathBuf,
    address: String,
    server_key: String,
}

/// What can be wrong with it is found before a token is made.
fn place(data: &Path, out: PathBuf, address: Option<String>) -> anyhow::Result<Place> {
    if out.exists() {
        bail!("{} is there already; name a new file", out.display());
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        bail!("there is no folder for {}; make it first", out.display());
    }
    let keys = KeyFolder::of(data).read()?;
    let listens = || Config::read(data).map(|config| config.api_listen.to_string());
    let address = address.map_or_else(listens, Ok)?;
    if !is_address(&address) {
        bail!("{address} is no address; write it as host:port");
    }
    let server_key = keys.api.hash()?.to_string();
    Ok(Place {
        out,
        address,
        server_key,
    })
}

fn day(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds);
    time.map_or_else(|_| "later".to_owned(), |time| time.date().to_string())
}
