//! `corridor-node init`: with all that it needs in flags, or asking for what is missing.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use corridor_node::operate::config::{Config, NONE, Name, is_address};
use corridor_node::operate::init;
use corridor_proto::kinds;
use corridor_proto::v1::LanguageText;

use crate::audit_command::note;
use crate::config_command::Flags;

/// Where packages put a node.
const USUAL_DATA: &str = "/var/lib/corridor";

#[derive(clap::Args)]
pub struct Init {
    /// Folder for the node's data.
    #[arg(long, env = "CORRIDOR_DATA")]
    data: Option<PathBuf>,
    /// Where to write the recovery key: not on this machine, in the end.
    #[arg(long)]
    recovery_out: Option<PathBuf>,
    /// Ask for what is not said here; so it does in a terminal anyway if something needed is
    /// missing.
    #[arg(long)]
    ask: bool,
    #[command(flatten)]
    flags: Flags,
}

pub fn run(init: Init) -> Result<bool> {
    let mut config = init.flags.over(None)?.config;
    let is_whole = init.data.is_some() && init.recovery_out.is_some() && !config.names.is_empty();
    let asks = init.ask || (!is_whole && io::stdin().is_terminal());
    let (data, recovery) = match (init.data, init.recovery_out) {
        (data, recovery) if asks => {
            let mut talk = Talk {
                answers: io::stdin().lock(),
                screen: io::stdout(),
            };
            let answered = talk.begin(data, recovery, &mut config)?;
            let Some(places) = answered else {
                println!("Nothing was made.");
                return Ok(false);
            };
            places
        }
        (Some(data), Some(recovery)) => (data, recovery),
        _ => bail!(
            "say where the node's data is to lie (--data) and where to write the recovery key \
             (--recovery-out), or add --ask to be asked for everything"
        ),
    };
    let made = init::init(&data, &recovery, &config)?;
    note(&data, "init", vec![made.rcp.to_string()]);
    println!("Made the node {}.", made.rcp);
    println!("The recovery key is in {}.", made.recovery.display());
    println!("Keep two copies in two safes, off this machine, and delete that file.");
    println!("Next: corridor-node serve --data {}", data.display());
    println!("      corridor --profile {} status", made.profile.display());
    Ok(true)
}

/// Somebody who is asked.
struct Talk<R, W> {
    answers: R,
    screen: W,
}

impl<R: BufRead, W: Write> Talk<R, W> {
    /// Asks for what a new node needs; nothing if it is not to be made after all.
    fn begin(
        &mut self,
        data: Option<PathBuf>,
        recovery: Option<PathBuf>,
        config: &mut Config,
    ) -> Result<Option<(PathBuf, PathBuf)>> {
        self.say("A new node. Enter takes what stands in brackets; Ctrl-C makes nothing.")?;
        self.names(config)?;
        self.ways(config)?;
        let data = match data {
            Some(data) => data,
            None => self.ask("Folder for the node's data", USUAL_DATA, free)?,
        };
        let recovery = match recovery {
            Some(recovery) => recovery,
            None => self.recovery(&data)?,
        };
        self.say("")?;
        for name in &config.names {
            self.say(&format!("  {} ({})", name.name, name.tag))?;
        }
        let reached = config.advertise.join(", ");
        self.say(&match reached.as_str() {
            "" => "  reached by nobody: it dials its partners".to_owned(),
            reached => format!("  partners reach it at {reached}"),
        })?;
        self.say(&format!("  data in {}", data.display()))?;
        self.say(&format!("  recovery key in {}", recovery.display()))?;
        let is_meant = self.ask("Make this node, yes or no", "no", yes_or_no)?;
        Ok(is_meant.then_some((data, recovery)))
    }

    fn names(&mut self, config: &mut Config) -> Result<()> {
        let named = |tag: &str, name: &str| -> Result<Name, String> {
            let [tag, text] = [tag, name].map(|part| part.trim().to_owned());
            let name = LanguageText { tag, text };
            if let Err(wrong) = kinds::check_names(std::slice::from_ref(&name)) {
                let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
                return Err(wrong.join("; "));
            }
            let LanguageText { tag, text: name } = name;
            Ok(Name { tag, name })
        };
        if config.names.is_empty() {
            let question = "Name of your process in English, as its partners know it";
            let name = self.ask(question, "", |answer| named("en", answer))?;
            config.names.push(name);
        }
        loop {
            let question = "Its name in another language, such as fr=Processus de …, or Enter";
            let more = self.ask(question, "", |answer| match answer.split_once('=') {
                _ if answer.is_empty() => Ok(None),
                Some((tag, name)) => named(tag, name).map(Some),
                None => Err("write the language, =, and the name".to_owned()),
            })?;
            match more {
                Some(name) => config.names.push(name),
                None => return Ok(()),
            }
        }
    }

    /// How partners are reached, and it by them.
    fn ways(&mut self, config: &mut Config) -> Result<()> {
        let address = |answer: &str| match answer {
            "" => Ok(None),
            address if is_address(address) => Ok(Some(address.to_owned())),
            other => Err(format!("{other:?} is no address; write host:port")),
        };
        if config.advertise.is_empty() {
            let question = "Address at which partners reach this machine, such as \
                            node.example.org:7400, or Enter if it only dials out";
            config.advertise.extend(self.ask(question, "", address)?);
        }
        if config.proxy == NONE {
            let question = "HTTP proxy on the way to partners, as host:port, or Enter";
            if let Some(proxy) = self.ask(question, "", address)? {
                config.proxy = proxy;
            }
        }
        if !config.four_eyes {
            let question = "Is a second person to clear each text before it is published, \
                            yes or no";
            config.four_eyes = self.ask(question, "no", yes_or_no)?;
        }
        Ok(())
    }

    fn recovery(&mut self, data: &Path) -> Result<PathBuf> {
        let question = "File for the recovery key, on a memory stick that goes into a safe";
        self.ask(question, "", |answer| {
            let path = free(answer)?;
            init::apart(&path, data).map_err(|error| error.to_string())?;
            if path.exists() {
                return Err(format!("{} is there already", path.display()));
            }
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            match folder {
                Some(folder) if !folder.is_dir() => {
                    Err(format!("there is no folder {}", folder.display()))
                }
                _ => Ok(path),
            }
        })
    }

    fn say(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.screen, "{line}")?)
    }

    /// Asks until the answer will do.
    fn ask<T>(
        &mut self,
        question: &str,
        usual: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T> {
        loop {
            match usual {
                "" => write!(self.screen, "{question}: ")?,
                usual => write!(self.screen, "{question} [{usual}]: ")?,
            }
            self.screen.flush()?;
            let mut line = String::new();
            if self.answers.read_line(&mut line)? == 0 {
                bail!("there was no answer, and nothing was made");
            }
            let answer = Some(line.trim()).filter(|answer| !answer.is_empty());
            match read(answer.unwrap_or(usual)) {
                Ok(read) => return Ok(read),
                Err(why) => self.say(&format!("  {why}."))?,
            }
        }
    }
}

fn free(answer: &str) -> Result<PathBuf, String> {
    if answer.is_empty() {
        return Err("name a path".to_owned());
    }
    Ok(PathBuf::from(answer))
}

fn yes_or_no(answer: &str) -> Result<bool, String> {
    match answer.to_lowercase().as_str() {
        "yes" | "y" => Ok(true),
        "no" | "n" => Ok(false),
        _ => Err("write yes or no".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(answers: &str, config: &mut Config) -> (Result<Option<(PathBuf, PathBuf)>>, String) {
        let mut screen = Vec::new();
        let mut talk = Talk {
            answers: answers.as_bytes(),
            screen: &mut screen,
        };
        let places = talk.begin(None, None, config);
        (places, String::from_utf8_lossy(&screen).into_owned())
    }

    #[test]
    fn what_is_answered_is_what_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, key) = (folder.path().join("data"), folder.path().join("r.key"));
        let (data_text, key_text) = (data.display(), key.display());
        let answers = format!(
            "\nRabat Process\nProcessus\nfr=Processus de Rabat\n\nnowhere\n10.0.0.1:7400\n\nyes\n\
             {data_text}\n\n{data_text}/r.key\n/nowhere/r.key\n{key_text}\nyes\n"
        );
        let mut config = Config::default();
        let (places, said) = talk(&answers, &mut config);
        assert_eq!(places.expect("answered"), Some((data, key)), "{said}");
        let names: Vec<_> = config.names.iter().map(|name| name.name.as_str()).collect();
        assert_eq!(names, ["Rabat Process", "Processus de Rabat"]);
        assert_eq!(config.advertise, ["10.0.0.1:7400"]);
        assert!(config.four_eyes && config.proxy == NONE);
        for why in [
            "write the language, =, and the name",
            "\"nowhere\" is no address",
            "lies in the data folder",
            "there is no folder /nowhere",
        ] {
            assert!(said.contains(why), "{why}: {said}");
        }
    }

    #[test]
    fn whoever_does_not_say_yes_makes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("r.key");
        let answers = format!("Rabat Process\n\n\n\n\n\n{}\n\n", key.display());
        let (places, _) = talk(&answers, &mut Config::default());
        assert_eq!(places.expect("answered"), None);
        let (places, _) = talk("Rabat Process\n", &mut Config::default());
        assert!(places.is_err(), "the answers ended");
    }
}
