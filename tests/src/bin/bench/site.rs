//! A node's folder, which is copied, started here or as a process, and stopped again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use corridor_client::{Client, Profile};
use corridor_node::operate::config::{Config, Name};
use corridor_node::operate::init::init;
use corridor_node::operate::keys::KeyFolder;
use corridor_node::run::{Listeners, Running, start};
use corridor_proto::RcpId;
use corridor_store::{Signer, Store};
use corridor_tests::wire::Wire;
use tokio::net::TcpListener;

use crate::clock;
use crate::process::Process;

/// Nothing that one waits for may take longer: of a million records half come no faster than a
/// partner's budget of signatures lets them.
pub const PATIENCE: Duration = Duration::from_secs(1_800);
/// Between two tries to reach a node that starts.
const KNOCK: Duration = Duration::from_millis(2);

/// A node's folder.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its data.
    pub data: PathBuf,
    /// Its RCP.
    pub rcp: RcpId,
}

impl Site {
    /// Makes a node in `folder` that is told to partners at `advertise`.
    pub fn make(folder: &Path, name: &str, advertise: Option<SocketAddr>) -> Result<Self> {
        let config = Config {
            peer_listen: free()?,
            api_listen: free()?,
            advertise: advertise.iter().map(ToString::to_string).collect(),
            four_eyes: false,
            names: vec![Name {
                tag: "en".into(),
                name: name.into(),
            }],
            ..Config::default()
        };
        let data = folder.join(name);
        let made = init(&data, &folder.join(format!("{name}.recovery")), &config)?;
        Ok(Self {
            data,
            rcp: made.rcp,
        })
    }

    /// A node in `folder` that partners reach over a line of its own, and the line.
    pub fn behind_a_line(folder: &Path, name: &str) -> Result<(Self, Wire)> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let site = Self::make(folder, name, Some(listener.local_addr()?))?;
        let wire = Wire::lay(listener, site.config()?.peer_listen)?;
        Ok((site, wire))
    }

    /// Its configuration.
    pub fn config(&self) -> Result<Config> {
        Ok(Config::read(&self.data)?)
    }

    /// The same node in another folder. Its bytes are on the disk before this returns, so that
    /// nothing of them is written later, beside what is measured.
    pub fn copy(&self, data: &Path) -> Result<Self> {
        if data.exists() {
            std::fs::remove_dir_all(data)?;
        }
        copy(&self.data, data)?;
        Ok(Self {
            data: data.to_owned(),
            rcp: self.rcp,
        })
    }

    /// Runs it in this process.
    pub async fn start(&self) -> Result<Running> {
        let config = self.config()?;
        let listeners = Listeners {
            peers: TcpListener::bind(config.peer_listen).await?,
            api: TcpListener::bind(config.api_listen).await?,
            metrics: None,
        };
        Ok(start(&self.data, listeners, &mut |_, _| {}).await?)
    }

    /// Runs it as a process, without waiting until it serves.
    pub fn serve(&self, binary: &Path) -> Result<Process> {
        Process::serve(binary, &self.data)
    }

    /// Runs it as a process, and gives it once it answers.
    pub async fn served(&self, binary: &Path) -> Result<(Process, Client)> {
        let process = self.serve(binary)?;
        let client = self.answered().await?;
        Ok((process, client))
    }

    /// A client, as soon as the node answers a call.
    pub async fn answered(&self) -> Result<Client> {
        let profile = Profile::read(&self.data.join("client.toml"))?;
        let api = self.config()?.api_listen;
        let end = clock::now() + PATIENCE;
        loop {
            // Only a port that is open is asked: the client has pauses of its own.
            if std::net::TcpStream::connect(api).is_ok()
                && let Ok(client) = Client::connect(&profile).await
                && client.node().await.is_ok()
            {
                return Ok(client);
            }
            anyhow::ensure!(clock::now() < end, "the node does not answer");
            tokio::time::sleep(KNOCK).await;
        }
    }

    /// Its store, while the node does not run.
    pub fn store(&self) -> Result<Store> {
        let keys = KeyFolder::of(&self.data).read()?;
        let signer = Arc::new(Signer::new(keys.signing));
        Ok(corridor_store::open(&self.data, signer, &mut |_, _| {})?.0)
    }

    /// When its journal was last written.
    pub fn written(&self) -> Result<SystemTime> {
        let mut last = SystemTime::UNIX_EPOCH;
        for entry in std::fs::read_dir(self.data.join("journal"))? {
            last = last.max(entry?.metadata()?.modified()?);
        }
        Ok(last)
    }

    /// Bytes of a part of its data, such as `journal`.
    pub fn bytes(&self, part: &str) -> Result<u64> {
        bytes(&self.data.join(part)).with_context(|| format!("the size of {part}"))
    }

    /// Throws its index away.
    pub fn lose_index(&self) -> Result<()> {
        Ok(std::fs::remove_dir_all(self.data.join("index"))?)
    }
}

/// A port of loopback that is free now.
pub fn free() -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, from.metadata()?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else {
            std::fs::copy(&from, &to)?;
            std::fs::File::open(&to)?.sync_all()?;
        }
    }
    Ok(())
}

fn bytes(path: &Path) -> Result<u64> {
    let found = path.metadata()?;
    if !found.is_dir() {
        return Ok(found.len());
    }
    let mut sum = 0;
    for entry in std::fs::read_dir(path)? {
        sum += bytes(&entry?.path())?;
    }
    Ok(sum)
}
