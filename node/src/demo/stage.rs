//! The nodes of the demonstration: bringing them up, naming what they hold, ending them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use corridor_proto::{LogId, RcpId, RecordId, UnixMillis};
use corridor_rules::row::RecordKey;
use corridor_rules::{PeerState, Sort};
use corridor_store::StoreError;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::DemoError;
use super::report::say;
use super::script::{Circle, DRAFTING, Script};
use crate::edge;
use crate::operate::config::{Config, Name};
use crate::operate::init::{Made, init};
use crate::run::{Listeners, Running, start};

/// The federation must be quiet within this.
const PATIENCE_S: u64 = 30;

/// One node on stage.
pub struct Actor {
    /// Its RCP.
    pub rcp: RcpId,
    /// The RCP's short name for people.
    pub acronym: String,
    /// Its node.
    pub node: Running,
    /// Its folder.
    pub data: PathBuf,
    /// The profile for the client.
    pub profile: PathBuf,
    /// Where it listens for peers and for the client.
    pub addresses: [SocketAddr; 2],
}

/// All nodes, and which record is which.
pub struct Stage {
    /// By the RCP's short name.
    pub actors: BTreeMap<String, Actor>,
    /// By the record's short name.
    pub records: BTreeMap<String, RecordId>,
    /// When the first key was made.
    pub began: UnixMillis,
    /// Nothing that is waited for may take more seconds.
    pub patience_s: u64,
    folder: Option<PathBuf>,
}

impl Stage {
    /// A stage without nodes.
    pub fn empty() -> Self {
        Self {
            actors: BTreeMap::new(),
            records: BTreeMap::new(),
            began: edge::now(),
            patience_s: PATIENCE_S,
            folder: None,
        }
    }

    /// Makes a new folder, and in it a node for each RCP of the script, and starts them. Whether it
    /// comes to an end, fails or is cut short: [`Stage::end`] ends and removes what is there.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn build(&mut self, folder: &Path, script: &Script) -> Result<(), DemoError> {
        say(&format!(
            "Starting {} nodes on loopback, each with its own keys and store.",
            script.rcps.len()
        ));
        std::fs::create_dir(folder).map_err(|source| io(folder.display().to_string(), source))?;
        self.folder = Some(folder.to_owned());
        for (id, rcp) in &script.rcps {
            let data = folder.join(id);
            let listeners = Listeners {
                peers: bind().await?,
                api: bind().await?,
                metrics: None,
            };
            let local = |listener: &TcpListener| listener.local_addr().map_err(bind_error);
            let addresses = [local(&listeners.peers)?, local(&listeners.api)?];
            let config = Config {
                peer_listen: addresses[0],
                api_listen: addresses[1],
                advertise: vec![addresses[0].to_string()],
                four_eyes: false,
                names: rcp
                    .names
                    .iter()
                    .map(|name| Name {
                        tag: name.tag.clone(),
                        name: name.text.clone(),
                    })
                    .collect(),
                ..Config::default()
            };
            let recovery = folder.join(format!("{id}.recovery.key"));
            let made: Made = init(&data, &recovery, &config)?;
            let node = start(&data, listeners, &mut |_, _| {}).await?;
            let acronym = rcp.acronym.clone();
            let profile = made.profile;
            self.actors.insert(
                id.clone(),
                Actor {
                    rcp: made.rcp,
                    acronym,
                    node,
                    data,
                    profile,
                    addresses,
                },
            );
            // Making a node never waits for anything: whoever wants to end all is heard here.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Ends all nodes, together, and removes the folder with their keys.
    ///
    /// # Errors
    /// The first thing that did not end well; everything else ends all the same.
    pub async fn end(self) -> Result<(), DemoError> {
        let mut ending = JoinSet::new();
        for actor in self.actors.into_values() {
            ending.spawn(actor.node.stop());
        }
        let mut failed: Option<DemoError> = None;
        while let Some(ended) = ending.join_next().await {
            let ended = ended.unwrap_or_else(|error| Err(StoreError::Stopped(error.to_string())));
            failed = failed.or_else(|| ended.err().map(DemoError::from));
        }
        if let Some(folder) = self.folder {
            let removed = std::fs::remove_dir_all(&folder);
            let what = folder.display().to_string();
            failed = failed.or_else(|| removed.err().map(|source| io(what, source)));
        }
        failed.map_or(Ok(()), Err)
    }

    /// The owner of a record of the script, and by what its stores know it.
    pub fn owner(&self, script: &Script, id: &str) -> Option<(&Actor, RecordKey)> {
        let owner = self.actors.get(&script.records.get(id)?.rcp)?;
        let key = RecordKey {
            rcp: owner.rcp,
            record: *self.records.get(id)?,
        };
        Some((owner, key))
    }

    /// Every log that the script knows: its owner and its circle, as the owner named it.
    pub fn logs(&self) -> BTreeMap<LogId, (String, Circle)> {
        let short: BTreeMap<RcpId, &String> = self
            .actors
            .iter()
            .map(|(id, actor)| (actor.rcp, id))
            .collect();
        let mut logs = BTreeMap::new();
        for (owner, actor) in &self.actors {
            actor.node.desk.store().read(|view| {
                for log in view.own_logs() {
                    let circle = match (log.sort, log.name.as_str()) {
                        (Sort::Public, _) => Some(Circle::Public),
                        (Sort::Private(peer), _) => {
                            short.get(&peer).map(|id| Circle::Private((*id).clone()))
                        }
                        (_, "federation") => Some(Circle::Federation),
                        (_, "observers") => Some(Circle::Observers),
                        (_, DRAFTING) => Some(Circle::Drafting),
                        _ => None,
                    };
                    logs.extend(circle.map(|circle| (log.id, (owner.clone(), circle))));
                }
            });
        }
        logs
    }

    /// Whether every node is connected to all others and nothing is left to send or to fetch.
    pub fn all_quiet(&self) -> bool {
        self.actors.values().all(|actor| {
            self.actors
                .values()
                .filter(|other| other.rcp != actor.rcp)
                .all(|other| {
                    let status = actor.node.exchange.statuses.of(&other.rcp);
                    status.connected_since.is_some() && status.is_quiet
                })
        })
    }

    /// What keeps the federation from being quiet, as its nodes say it.
    fn unquiet(&self, what: &str) -> String {
        let mut said = vec![format!("waited until {what}")];
        for (id, actor) in &self.actors {
            for (other, peer) in self.actors.iter().filter(|(_, peer)| peer.rcp != actor.rcp) {
                let status = actor.node.exchange.statuses.of(&peer.rcp);
                if !status.is_quiet {
                    let sentence = status.sentence(&crate::status::Seen::of(PeerState::Active));
                    said.push(format!("{id} about {other}: {sentence}"));
                }
            }
        }
        said.join("\n  ")
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// [`DemoError::NotQuiet`] with what keeps it from being so.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<(), DemoError> {
        let began = edge::now();
        while !is_so(self) {
            if edge::now().since(began) > self.patience_s * 1_000 {
                return Err(DemoError::NotQuiet(self.patience_s, self.unquiet(what)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

async fn bind() -> Result<TcpListener, DemoError> {
    TcpListener::bind("127.0.0.1:0").await.map_err(bind_error)
}

fn bind_error(source: std::io::Error) -> DemoError {
    io("a port on loopback".to_owned(), source)
}

const fn io(what: String, source: std::io::Error) -> DemoError {
    DemoError::Io { what, source }
}
