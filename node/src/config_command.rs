//! `corridor-node config`, and the flags of every command that a configuration goes into.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, Subcommand};
use corridor_node::operate::config::{self, KEYS};
use corridor_node::operate::layers::{Effective, Given, effective};
use serde_json::{Map, Value, json};

#[derive(Subcommand)]
pub enum Command {
    /// Show the configuration that counts: flags before the environment, that before the file.
    Show {
        /// Folder with the node's data.
        #[arg(long, env = "CORRIDOR_DATA")]
        data: PathBuf,
        /// Say of every value where it comes from.
        #[arg(long)]
        origin: bool,
        /// Print one JSON object, with where each value comes from.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        flags: Flags,
    },
    /// Say what is wrong with the configuration, without starting anything.
    Check {
        /// Folder with the node's data.
        #[arg(long, env = "CORRIDOR_DATA")]
        data: PathBuf,
        #[command(flatten)]
        flags: Flags,
    },
}

/// A flag for every key, as it was given.
#[derive(Clone, Debug, Default)]
pub struct Flags(Vec<(&'static str, Vec<String>)>);

impl Args for Flags {
    fn augment_args(mut command: clap::Command) -> clap::Command {
        for key in &KEYS {
            let arg = Arg::new(key.name)
                .long(key.flag)
                .value_name("VALUE")
                .action(ArgAction::Append)
                .help(format!("{} [{}]", key.words, key.variable));
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = KEYS.iter().filter_map(|key| {
            let texts = matches.get_many::<String>(key.name)?;
            Some((key.name, texts.cloned().collect()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Flags {
    /// The configuration that counts; `file` is the text of the file, if there is one.
    pub fn over(self, file: Option<String>) -> anyhow::Result<Effective> {
        let environment = std::env::vars_os().filter_map(|(name, text)| {
            Some((
                name.into_string().ok()?,
                text.to_string_lossy().into_owned(),
            ))
        });
        let given = Given {
            flags: self.0,
            environment: environment.collect(),
            file,
        };
        effective(&given).context("the configuration cannot be used")
    }

    /// As [`Flags::over`] over the file of the node in `data`.
    pub fn over_file(self, data: &Path) -> anyhow::Result<Effective> {
        let path = config::path(data);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "{} cannot be read; corridor-node init writes it",
                path.display()
            )
        })?;
        self.over(Some(text))
    }
}

/// Carries out a command.
pub fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Show {
            data,
            origin,
            json,
            flags,
        } => show(&flags.over_file(&data)?, origin, json)?,
        Command::Check { data, flags } => {
            let found = flags.over_file(&data)?;
            println!(
                "The configuration of {} is as it should be.",
                data.display()
            );
            for variable in found.unread {
                println!("Nothing here reads the variable {variable}.");
            }
        }
    }
    Ok(true)
}

fn show(found: &Effective, origin: bool, json: bool) -> anyhow::Result<()> {
    let values = found.config.values()?;
    let all = KEYS.iter().filter_map(|key| {
        let (value, origin) = (values.get(key.name)?, found.origins.get(key.name)?);
        Some((key.name, value, origin))
    });
    if json {
        let all = all.map(|(name, value, origin)| {
            let value = serde_json::to_value(value)?;
            let (word, place) = (origin.word(), origin.to_string());
            let one = json!({ "value": value, "origin": word, "place": place });
            Ok((name.to_owned(), one))
        });
        let all: Map<String, Value> = all.collect::<Result<_, serde_json::Error>>()?;
        println!("{}", Value::Object(all));
        return Ok(());
    }
    for (name, value, from) in all {
        if origin {
            println!("{name} = {value}  # {from}");
        } else {
            println!("{name} = {value}");
        }
    }
    Ok(())
}
