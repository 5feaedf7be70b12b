//! The nodes of the demonstration, and the script played on them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use corridor_proto::line::WithdrawalReason;
use corridor_proto::{LogId, RcpId, RecordId, UnixMillis, v1};
use corridor_rules::PeerState;
use corridor_rules::desk::Wish;
use prost::Message;
use tokio::net::TcpListener;

use super::check::{self, Findings};
use super::report::say;
use super::script::{Circle, DRAFTING, NARROWED, OBSERVERS, REVISED, Script, WIDENED, WITHDRAWN};
use super::{DemoError, Summary};
use crate::desk::{Desk, DeskError};
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
    began: UnixMillis,
}

impl Stage {
    /// Makes and starts a node for each RCP of the script.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn build(folder: &Path, script: &Script) -> Result<Self, DemoError> {
        let began = edge::now();
        say(&format!(
            "Starting {} nodes on loopback, each with its own keys and store.",
            script.rcps.len()
        ));
        let mut actors = BTreeMap::new();
        for (id, rcp) in &script.rcps {
            let data = folder.join(id);
            let listeners = Listeners {
                peers: bind().await?,
                api: bind().await?,
            };
            let local = |listener: &TcpListener| listener.local_addr().map_err(bind_error);
            let addresses = [local(&listeners.peers)?, local(&listeners.api)?];
            let config = Config {
                peer_listen: addresses[0],
                api_listen: addresses[1],
                advertise: vec![addresses[0].to_string()],
                names: rcp
                    .names
                    .iter()
                    .map(|name| Name {
                        tag: name.tag.clone(),
                        name: name.text.clone(),
                    })
                    .collect(),
            };
            let recovery = folder.join(format!("{id}.recovery.key"));
            let made: Made = init(&data, &recovery, &config)?;
            let node = start(&data, listeners, &mut |_, _| {}).await?;
            let acronym = rcp.acronym.clone();
            let profile = made.profile;
            actors.insert(
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
        }
        Ok(Self {
            actors,
            records: BTreeMap::new(),
            began,
        })
    }

    /// Plays the whole script and says what came of it.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn play(&mut self, script: &Script) -> Result<Summary, DemoError> {
        say("Pairing them: invitation, acceptance, confirmation by RcpId on both sides.");
        self.pair().await?;
        say("Opening circles and admitting readers.");
        self.open_circles(script).await?;
        say(&format!(
            "Publishing {} records into their circles.",
            script.records.len()
        ));
        self.publish(script).await?;
        self.until("the first copies arrive", |stage| stage.all_quiet())
            .await?;
        say("Sharing one wider, revising one, sharing one narrower, withdrawing one.");
        self.change(script).await?;
        let waited = self.until("everybody holds what is due", |stage| {
            stage.all_quiet() && check::check(stage, script).is_ok_and(|found| found.is_clean())
        });
        let converged = waited.await;
        let found: Findings = check::check(self, script)?;
        if let Err(error) = converged {
            say(&error.to_string());
        }
        let seconds = u32::try_from(edge::now().since(self.began)).unwrap_or(u32::MAX);
        Ok(Summary {
            nodes: self.actors.len(),
            records_published: self.records.len(),
            records_received: found.received,
            withdrawn: found.withdrawn,
            converged: found.is_clean(),
            leaks: found.leaks.len(),
            missing: found.missing.len(),
            seconds: f64::from(seconds) / 1_000.0,
        })
    }

    /// Ends all nodes.
    ///
    /// # Errors
    /// [`DemoError::Store`].
    pub async fn end(self) -> Result<(), DemoError> {
        for actor in self.actors.into_values() {
            actor.node.stop().await?;
        }
        Ok(())
    }

    fn desk(&self, rcp: &str) -> Option<&Desk> {
        self.actors.get(rcp).map(|actor| &actor.node.desk)
    }

    async fn pair(&self) -> Result<(), DemoError> {
        let actors: Vec<&Actor> = self.actors.values().collect();
        for (index, host) in actors.iter().enumerate() {
            for guest in actors.iter().skip(index + 1) {
                let (invitation, _) = host.node.desk.invite().await?;
                guest.node.desk.accept(&invitation.encode()).await?;
            }
        }
        let others = actors.len().saturating_sub(1);
        let state = |actor: &Actor, state| {
            let count = |view: &corridor_store::View<'_>| {
                view.peers
                    .values()
                    .filter(|peer| peer.state == state)
                    .count()
            };
            actor.node.desk.store().read(count)
        };
        self.until("the nodes answer each other", |stage| {
            stage
                .actors
                .values()
                .all(|actor| state(actor, PeerState::Pending) == others)
        })
        .await?;
        for actor in &actors {
            for other in actors.iter().filter(|other| other.rcp != actor.rcp) {
                actor
                    .node
                    .desk
                    .confirm(other.rcp, &other.rcp.to_string())
                    .await?;
            }
        }
        Ok(())
    }

    async fn open_circles(&self, script: &Script) -> Result<(), DemoError> {
        for owner in self.actors.keys() {
            self.admit(script, owner, &Circle::Federation).await?;
        }
        for (owner, _) in OBSERVERS {
            self.admit(script, owner, &Circle::Observers).await?;
        }
        if let Some(desk) = self.desk(DRAFTING.0) {
            let name = DRAFTING.1.to_owned();
            desk.wish(Wish::OpenCircle {
                name,
                open: true,
                relay: false,
            })
            .await?;
            self.admit(script, DRAFTING.0, &Circle::Drafting).await?;
        }
        Ok(())
    }

    async fn admit(&self, script: &Script, owner: &str, circle: &Circle) -> Result<(), DemoError> {
        let Some(desk) = self.desk(owner) else {
            return Ok(());
        };
        let readers: BTreeMap<RcpId, UnixMillis> = script
            .readers(owner, circle)
            .iter()
            .filter_map(|reader| Some((self.actors.get(reader)?.rcp, UnixMillis(0))))
            .collect();
        if !readers.is_empty() {
            desk.add_readers(self.log(owner, circle)?, &readers).await?;
        }
        Ok(())
    }

    fn log(&self, owner: &str, circle: &Circle) -> Result<LogId, DeskError> {
        let missing = || DeskError::NotFound("circle", format!("{circle:?} of {owner}"));
        let desk = self.desk(owner).ok_or_else(missing)?;
        let found = desk.store().read(|view| {
            let log = match circle {
                Circle::Public => view.circle("public"),
                Circle::Federation => view.circle("federation"),
                Circle::Observers => view.circle("observers"),
                Circle::Drafting => view.circle(DRAFTING.1),
                Circle::Private(peer) => view.private_log(&self.actors.get(peer)?.rcp),
            };
            log.map(|log| log.id)
        });
        found.ok_or_else(missing)
    }

    async fn publish(&mut self, script: &Script) -> Result<(), DemoError> {
        for (id, record) in &script.records {
            let circles: Result<Vec<LogId>, DeskError> = script
                .first_circles(record)
                .iter()
                .filter(|circle| match circle {
                    Circle::Private(peer) => self.actors.contains_key(peer),
                    _ => true,
                })
                .map(|circle| self.log(&record.rcp, circle))
                .collect();
            let Some(desk) = self.desk(&record.rcp) else {
                continue;
            };
            let saved = desk
                .save_draft(None, record.kind, record.body.clone())
                .await?;
            let circles = circles?;
            if !circles.is_empty() {
                desk.publish(saved, Some(circles)).await?;
            }
            self.records.insert(id.clone(), saved);
        }
        Ok(())
    }

    fn cast<'a>(&'a self, script: &'a Script, id: &str) -> Option<(&'a str, &'a Desk, RecordId)> {
        let rcp = script.records.get(id)?.rcp.as_str();
        Some((rcp, self.desk(rcp)?, *self.records.get(id)?))
    }

    async fn change(&self, script: &Script) -> Result<(), DemoError> {
        if let Some((rcp, desk, record)) = self.cast(script, WIDENED) {
            desk.share(record, vec![self.log(rcp, &Circle::Public)?])
                .await?;
        }
        if let Some((_, desk, record)) = self.cast(script, REVISED)
            && let Some(original) = script.records.get(REVISED)
        {
            let body = super::script::revised(original)?;
            desk.save_draft(Some(record), original.kind, body).await?;
            desk.publish(record, None).await?;
        }
        if let Some((rcp, desk, record)) = self.cast(script, NARROWED) {
            let circles = vec![self.log(rcp, &Circle::Public)?];
            desk.wish(Wish::Narrow { record, circles }).await?;
        }
        if let Some((_, desk, record)) = self.cast(script, WITHDRAWN) {
            let text = "The arrangement ended; do not build on it.";
            let texts = vec![v1::LanguageText {
                tag: "en".into(),
                text: text.into(),
            }];
            let note = Some(v1::WithdrawalNote { texts }.encode_to_vec());
            desk.withdraw(record, None, WithdrawalReason::Expired, note, None)
                .await?;
        }
        Ok(())
    }

    /// Whether every node is connected to all others and nothing is left to send or to fetch.
    fn all_quiet(&self) -> bool {
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
                    let sentence = status.sentence(PeerState::Active, 0);
                    said.push(format!("{id} about {other}: {sentence}"));
                }
            }
        }
        said.join("\n  ")
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<(), DemoError> {
        let began = edge::now();
        while !is_so(self) {
            if edge::now().since(began) > PATIENCE_S * 1_000 {
                return Err(DemoError::NotQuiet(PATIENCE_S, self.unquiet(what)));
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
    DemoError::Io {
        what: "a port on loopback".to_owned(),
        source,
    }
}
