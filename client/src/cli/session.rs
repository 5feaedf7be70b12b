//! One command's connection, what it knows already, and its questions.
//!
//! **Invariant:** what cannot be taken back happens only after a typed answer or `--yes`.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use corridor_proto::{RcpId, RecordId, UnixMillis};
use serde_json::Value;

use super::fail::Failure;
use super::render::Known;
use super::screen::Screen;
use super::{Global, find};
use crate::calls::NodeInfo;
use crate::client::Client;
use crate::error::{ClientError, Fault, FaultKind};
use crate::names::{RcpName, RecordName};
use crate::profile::Profile;
use crate::shown::safe_line;
use crate::v1;

/// One command's connection and screen.
pub(super) struct Session<'a> {
    pub(super) client: Client,
    pub(super) screen: &'a mut Screen,
    pub(super) json: bool,
    asks: bool,
}

/// Which records a command is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of our RCP, drafts too.
    Ours,
    /// All that we may see.
    Anybodys,
}

impl<'a> Session<'a> {
    /// Reads the profile and connects.
    pub(super) async fn open(global: &Global, screen: &'a mut Screen) -> Result<Self, Failure> {
        let profile = Profile::read(&profile_path(global)?)?;
        Ok(Self {
            client: Client::connect(&profile).await?,
            asks: screen.is_terminal() && !global.no_input,
            json: global.json,
            screen,
        })
    }

    /// Whose node this is.
    pub(super) async fn node(&self) -> Result<NodeInfo, Failure> {
        Ok(self.client.node().await?)
    }

    /// Our RCP.
    pub(super) async fn own(&self) -> Result<RcpId, Failure> {
        Ok(self.node().await?.rcp)
    }

    /// The partner that is meant.
    pub(super) async fn peer(&self, text: &str) -> Result<v1::Peer, Failure> {
        let peers = self.client.peers().await?;
        find::peer(&peers, text).cloned()
    }

    /// The circle of ours that is meant, as the API wants it.
    pub(super) async fn circle(&self, text: &str) -> Result<String, Failure> {
        if let Some(partner) = text.strip_prefix(find::PRIVATE) {
            let rcp = find::peer_id(&self.peer(partner).await?)?;
            return Ok(format!("{}{rcp}", find::PRIVATE));
        }
        let circles = self.client.circles().await?;
        find::circle(&circles, &self.own().await?, text)
    }

    /// The circles of ours that are meant.
    pub(super) async fn circles(&self, texts: &[String]) -> Result<Vec<String>, Failure> {
        let mut circles = Vec::with_capacity(texts.len());
        for text in texts {
            circles.push(self.circle(text).await?);
        }
        Ok(circles)
    }

    /// The record that is meant.
    pub(super) async fn record(&self, text: &str, whose: Whose) -> Result<RecordName, Failure> {
        if let Ok(name) = text.parse() {
            return Ok(name);
        }
        find::check_prefix(text)?;
        let own = self.own().await?;
        if whose == Whose::Ours
            && let Ok(record) = text.parse::<RecordId>()
        {
            return Ok(RecordName { rcp: own, record });
        }
        let rcp = (whose == Whose::Ours).then_some(own);
        let records = self.client.unverified_records(rcp, true).await?;
        let drafts = unless_refused(self.client.drafts().await)?;
        let records = records.iter().map(|record| record.name.as_str());
        let names = records.chain(drafts.iter().map(|draft| draft.name.as_str()));
        let known: Result<BTreeSet<RecordName>, _> = names.map(str::parse).collect();
        find::record(&known?, text)
    }

    /// Circles and partners, to name things by; a token that only reads may not ask for them.
    pub(super) async fn known(&self) -> Result<Known, Failure> {
        let own = RcpName(self.own().await?).to_string();
        Ok(Known {
            circles: unless_refused(self.client.circles().await)?,
            peers: unless_refused(self.client.peers().await)?,
            own,
        })
    }

    /// Prints JSON where that was asked for; says whether it did.
    pub(super) fn print_json(
        &mut self,
        json: impl FnOnce() -> Result<Value, Failure>,
    ) -> Result<bool, Failure> {
        if self.json {
            self.screen.json(&json()?);
        }
        Ok(self.json)
    }

    /// Goes on after `--yes` or a "yes" to the question.
    pub(super) async fn agree(&mut self, question: &str, yes: bool) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        self.must_ask()?;
        let answer = self
            .screen
            .ask(&format!("{question} Type yes or no:"))
            .await?;
        if answer.eq_ignore_ascii_case("yes") {
            Ok(())
        } else {
            Err(Failure::Declined)
        }
    }

    /// Goes on after `--yes` or after these words were typed.
    pub(super) async fn agree_typed(
        &mut self,
        warning: &str,
        words: &str,
        yes: bool,
    ) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        self.must_ask()?;
        let words = safe_line(words);
        let question = format!("{warning}\nType \"{words}\" to go on:");
        let answer = self.screen.ask(&question).await?;
        if !answer.is_empty() && answer.to_lowercase() == words.trim().to_lowercase() {
            Ok(())
        } else {
            Err(Failure::Declined)
        }
    }

    fn must_ask(&self) -> Result<(), Failure> {
        if self.asks {
            return Ok(());
        }
        let text = "this needs an answer and nobody can be asked; nothing was changed; repeat the \
                    command with --yes";
        Err(Failure::Usage(text.to_owned()))
    }

    /// Asks for something that no option may hold.
    pub(super) async fn ask(&mut self, question: &str, instead: &str) -> Result<String, Failure> {
        if !self.asks {
            return Err(Failure::Usage(format!(
                "this needs an answer and nobody can be asked; nothing was changed; use {instead}"
            )));
        }
        self.screen.ask(question).await
    }

    /// The content of a file, or of standard input for `-`.
    pub(super) async fn read_file(
        &mut self,
        path: &str,
        bytes_max: u64,
    ) -> Result<Vec<u8>, Failure> {
        let bytes = if path == "-" {
            self.screen.read_input(bytes_max).await?
        } else {
            read_file(Path::new(path), bytes_max)?
        };
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
            return Err(Failure::TooLarge {
                path: path.into(),
                bytes_max,
            });
        }
        Ok(bytes)
    }
}

/// Where the profile is or goes.
pub(super) fn profile_path(global: &Global) -> Result<PathBuf, Failure> {
    if let Some(path) = &global.profile {
        return Ok(path.clone());
    }
    let folder = |name| std::env::var_os(name).map(Into::into);
    let path = Profile::default_path(folder("XDG_CONFIG_HOME"), folder("HOME"))?;
    Ok(path)
}

/// The time now, by the clock of this computer.
pub(super) fn clock_now() -> UnixMillis {
    // The command line is an edge: what it decides by the time is whether a day is over.
    #[allow(clippy::disallowed_methods)]
    let now = std::time::SystemTime::now();
    let since = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Nothing for a token that may not ask: it needs it for better words only.
fn unless_refused<T>(answer: Result<Vec<T>, ClientError>) -> Result<Vec<T>, Failure> {
    match answer {
        Err(error) if error.fault().map(Fault::kind) == Some(FaultKind::Refused) => Ok(Vec::new()),
        answer => Ok(answer?),
    }
}

pub(super) fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let file_error = |source| Failure::File {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(file_error)?;
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(file_error)?;
    Ok(bytes)
}

/// A new file for a secret, for this user alone; never over another. It is there before the act
/// that gives the secret, so that the secret is not made in vain, and gone again without it.
pub(super) struct SecretFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl SecretFile {
    /// Makes the file, still empty.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file,
                written: false,
            }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::Usage(format!(
                "{} is there already; nothing was changed; name a new file",
                path.display()
            ))),
            Err(source) => Err(Failure::File {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Makes a file that is to become `path` once it is whole.
    pub(super) fn create_for(path: &Path) -> Result<Self, Failure> {
        if path.exists() {
            return Err(Failure::Usage(format!(
                "{} is there already; nothing was changed; name a new file",
                path.display()
            )));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        Self::create(Path::new(&part))
    }

    /// Writes the next bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|source| Failure::File {
            path: self.path.clone(),
            source,
        })
    }

    /// Gives the file, which is whole, its name; gives that in words.
    pub(super) fn keep_as(mut self, path: &Path) -> Result<String, Failure> {
        let kept = self
            .file
            .sync_all()
            .and_then(|()| std::fs::rename(&self.path, path));
        self.written = kept.is_ok();
        let path = path.to_owned();
        match kept {
            Ok(()) => Ok(path.display().to_string()),
            Err(source) => Err(Failure::File { path, source }),
        }
    }

    /// Writes the secret, and gives the file's path in words.
    pub(super) fn write(mut self, bytes: &[u8]) -> Result<String, Failure> {
        let written = self
            .file
            .write_all(bytes)
            .and_then(|()| self.file.sync_all());
        self.written = written.is_ok();
        let path = self.path.clone();
        match written {
            Ok(()) => Ok(path.display().to_string()),
            Err(source) => Err(Failure::File { path, source }),
        }
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.written {
            // An empty file left behind holds nothing that matters.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_is_for_its_owner_and_replaces_none() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("invitation.corridor");
        drop(SecretFile::create(&path).expect("made"));
        assert!(!path.exists(), "nothing was written");
        let file = SecretFile::create(&path).expect("made again");
        file.write(b"one").expect("written");
        let mode = std::fs::metadata(&path).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(SecretFile::create(&path), Err(Failure::Usage(_))));
        assert_eq!(read_file(&path, 100).expect("read"), b"one");
    }
}
