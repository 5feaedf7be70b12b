//! Real nodes for scenarios: real keys, journals, sockets and TLS, in a folder of their own.
//!
//! **Invariant:** no scenario reaches into a node but through its desk, its store's reading side,
//! its files and its sockets.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use corridor_client::{Client, Profile};
use corridor_node::desk::Desk;
use corridor_node::operate::access::{Access, Role};
use corridor_node::operate::config::{self, Config, Name, Reading};
use corridor_node::operate::files::write_secret;
use corridor_node::operate::init::init;
use corridor_node::run::{Listeners, Running, start};
use corridor_proto::kinds::Kind;
use corridor_proto::{LogId, RcpId, RecordId, UnixMillis, v1};
use corridor_rules::row::{RecordKey, RecordRow};
use corridor_rules::{PeerState, Rows};
use corridor_store::Store;
use prost::Message;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::wire::Wire;

/// The secret half of a key pair of age, for tests alone.
pub const SECRET_KEY: &str =
    "AGE-SECRET-KEY-1VPQ9SNY0PM8M2NDWHVH3F0UQ3QDFRCVSURM0WNPVAN6MV565Q5QQTCXY59";
/// Its public half.
pub const PUBLIC_KEY: &str = "age1dg0cw5dhz9jeh6yt68p8yrmdrgusgg5d2hzqtfckjhxqfxx3mpaqw95rx9";
/// Nothing that a scenario waits for may take longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One RCP's node and the folder that it lives in.
pub struct Office {
    /// Its folder, removed in the end.
    pub folder: TempDir,
    /// Its RCP.
    pub rcp: RcpId,
    config: Config,
    running: Option<Running>,
}

impl Office {
    /// Makes and starts a node; `reachable` says whether its card names an address.
    pub async fn open(name: &str, reachable: bool) -> Result<Self> {
        let listeners = listen(None).await?;
        let peers = listeners.peers.local_addr()?;
        Self::open_at(name, listeners, reachable.then_some(peers)).await
    }

    /// A node that partners reach over a line that can be cut, and the line.
    pub async fn open_behind_a_line(name: &str) -> Result<(Self, Wire)> {
        let (listeners, line) = (
            listen(None).await?,
            std::net::TcpListener::bind("127.0.0.1:0")?,
        );
        let wire = Wire::lay(line, listeners.peers.local_addr()?)?;
        let office = Self::open_at(name, listeners, Some(wire.address)).await?;
        Ok((office, wire))
    }

    async fn open_at(
        name: &str,
        listeners: Listeners,
        advertise: Option<std::net::SocketAddr>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = Config {
            peer_listen: listeners.peers.local_addr()?,
            api_listen: listeners.api.local_addr()?,
            advertise: advertise.iter().map(ToString::to_string).collect(),
            four_eyes: false,
            names: vec![Name {
                tag: "en".into(),
                name: name.into(),
            }],
            ..Config::default()
        };
        let data = folder.path().join("data");
        let made = init(&data, &folder.path().join("recovery.key"), &config)?;
        let mut office = Self {
            folder,
            rcp: made.rcp,
            config,
            running: None,
        };
        office.running = Some(start(&data, listeners, &mut |_, _| {}).await?);
        Ok(office)
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The profile by which the client reaches the node.
    pub fn profile(&self) -> PathBuf {
        self.data().join("client.toml")
    }

    /// Where it listens for peers.
    pub const fn address(&self) -> std::net::SocketAddr {
        self.config.peer_listen
    }

    /// Where it listens for its own clients.
    pub const fn api_address(&self) -> std::net::SocketAddr {
        self.config.api_listen
    }

    /// The running node.
    pub fn node(&self) -> &Running {
        self.running.as_ref().expect("the node runs")
    }

    /// Its desk.
    pub fn desk(&self) -> &Desk {
        &self.node().desk
    }

    /// Stops the node.
    pub async fn close(&mut self) -> Result<()> {
        if let Some(running) = self.running.take() {
            running.stop().await?;
        }
        Ok(())
    }

    /// Starts the node again, at the same addresses.
    pub async fn reopen(&mut self) -> Result<()> {
        let listeners = listen(Some(&self.config)).await?;
        self.running = Some(start(&self.data(), listeners, &mut |_, _| {}).await?);
        Ok(())
    }

    /// Starts the node again, with other rules for reading.
    pub async fn read_by(&mut self, reading: Reading) -> Result<()> {
        self.close().await?;
        self.config.anonymous = reading.anonymous;
        self.config.calls_per_minute = reading.calls_per_minute;
        self.config.anonymous_calls_per_minute = reading.anonymous_calls_per_minute;
        let data = self.data();
        let text = self.config.text(&data)?;
        std::fs::write(data.join(config::FILE), text)?;
        self.reopen().await
    }

    /// A client of its secretariat.
    pub async fn client(&self) -> Result<Client> {
        Ok(Client::connect(&Profile::read(&self.profile())?).await?)
    }

    /// A client that may read what is public, and nothing else.
    pub async fn integrator(&self) -> Result<Client> {
        let profile = self.profile_of("an integrator", &[Role::Public])?;
        Ok(Client::connect(&Profile::read(&profile)?).await?)
    }

    /// The profile of somebody with these roles.
    pub fn profile_of(&self, who: &str, roles: &[Role]) -> Result<PathBuf> {
        let token = Access::of(&self.data()).create(roles, who, UnixMillis(0))?;
        let profile = std::fs::read_to_string(self.profile())?;
        let own = profile.lines().filter(|line| !line.starts_with("token"));
        let line = format!("token = \"{token}\"");
        let text: Vec<&str> = own.chain([line.as_str()]).collect();
        let path = tempfile::tempdir_in(self.folder.path())?
            .keep()
            .join("client.toml");
        write_secret(&path, text.join("\n").as_bytes())?;
        Ok(path)
    }

    /// Starts it again with the rule that nobody clears what they wrote.
    pub async fn want_four_eyes(&mut self) -> Result<()> {
        self.configure(|config| config.four_eyes = true).await
    }

    /// Starts it again with another configuration.
    pub async fn configure(&mut self, change: impl FnOnce(&mut Config)) -> Result<()> {
        self.close().await?;
        change(&mut self.config);
        let data = self.data();
        std::fs::write(data.join("config.toml"), self.config.text(&data)?)?;
        self.reopen().await
    }

    /// A circle of ours by name.
    pub fn circle(&self, name: &str) -> Result<LogId> {
        let found = self
            .desk()
            .store()
            .read(|view| view.circle(name).map(|log| log.id));
        found.with_context(|| format!("no circle {name}"))
    }

    /// Our private circle for a partner.
    pub fn private(&self, peer: &Self) -> Result<LogId> {
        let found = self
            .desk()
            .store()
            .read(|view| view.private_log(&peer.rcp).map(|log| log.id));
        found.context("no private circle")
    }

    /// Admits partners to a circle, without an end.
    pub async fn admit(&self, circle: &str, readers: &[&Self]) -> Result<()> {
        let readers: BTreeMap<_, _> = readers
            .iter()
            .map(|reader| (reader.rcp, UnixMillis(0)))
            .collect();
        Ok(self
            .desk()
            .add_readers(self.circle(circle)?, &readers)
            .await?)
    }

    /// Publishes a practice of that title into circles.
    pub async fn publish(&self, title: &str, circles: &[LogId]) -> Result<RecordId> {
        let saved = self
            .desk()
            .save_draft(None, Kind::Practice, practice(title))
            .await?;
        self.desk().publish(saved, Some(circles.to_vec())).await?;
        Ok(saved)
    }

    /// Revises a practice wherever it stands, and gives the new version.
    pub async fn revise(&self, record: RecordId, title: &str) -> Result<u64> {
        let body = practice(title);
        self.desk()
            .save_draft(Some(record), Kind::Practice, body)
            .await?;
        Ok(self.desk().publish(record, None).await?)
    }

    /// The version in force here of a partner's record, if its text is held.
    pub fn version(&self, of: &Self, record: RecordId) -> Option<u64> {
        let row = self.row(of, record)?;
        let stand = row.current(|_| true)?;
        row.body(&stand.version_hash).map(|held| held.version)
    }

    /// What this node knows of a partner's record.
    pub fn row(&self, of: &Self, record: RecordId) -> Option<RecordRow> {
        self.desk().store().read(|view| {
            view.row(&RecordKey {
                rcp: of.rcp,
                record,
            })
        })
    }

    /// Whether this node holds the text of a version in force of a partner's record.
    pub fn holds(&self, of: &Self, record: RecordId) -> bool {
        self.row(of, record).is_some_and(|row| {
            row.current(|_| true)
                .is_some_and(|stand| row.body(&stand.version_hash).is_some())
        })
    }

    /// The state of a partner here.
    pub fn state(&self, of: &Self) -> Option<PeerState> {
        self.desk().store().read(|view| view.peer_state(&of.rcp))
    }

    /// Whether a byte string occurs in any file of the data folder.
    pub fn has_bytes(&self, needle: &[u8]) -> Result<bool> {
        search(&self.data(), needle)
    }

    /// Invites another and confirms on both sides.
    pub async fn befriend(&self, other: &Self) -> Result<()> {
        self.pair(other).await?;
        self.desk()
            .confirm(other.rcp, &other.rcp.to_string())
            .await?;
        other
            .desk()
            .confirm(self.rcp, &self.rcp.to_string())
            .await?;
        Ok(())
    }

    /// Invites another, and waits until both sides have accepted.
    pub async fn pair(&self, other: &Self) -> Result<()> {
        let (invitation, _) = self.desk().invite().await?;
        other.desk().accept(&invitation.encode()).await?;
        until("both sides have accepted", || {
            self.state(other) == Some(PeerState::Pending)
                && other.state(self) == Some(PeerState::Pending)
        })
        .await
    }
}

async fn listen(at: Option<&Config>) -> Result<Listeners> {
    let bind = async |address: Option<std::net::SocketAddr>| match address {
        None => TcpListener::bind("127.0.0.1:0").await,
        Some(address) => bind_again(address).await,
    };
    Ok(Listeners {
        peers: bind(at.map(|config| config.peer_listen)).await?,
        api: bind(at.map(|config| config.api_listen)).await?,
        metrics: match at.and_then(|config| config.metrics) {
            Some(place) => Some(bind(Some(place)).await?),
            None => None,
        },
    })
}

/// Binds an address that was ours: meanwhile somebody's connection may have got the port.
async fn bind_again(address: std::net::SocketAddr) -> std::io::Result<TcpListener> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match TcpListener::bind(address).await {
            Err(error)
                if error.kind() == std::io::ErrorKind::AddrInUse
                    && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            bound => return bound,
        }
    }
}

/// Waits until something is so.
pub async fn until(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    let looked = tokio::time::timeout(PATIENCE, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    if looked.await.is_err() {
        bail!("waited in vain until {what}");
    }
    Ok(())
}

/// Waits until a store looks nothing up for a while.
pub async fn until_idle(store: &Store) -> Result<()> {
    let (last, quiet) = (Cell::new(store.reads()), Cell::new(0));
    until("nothing is looked up", || {
        let now = store.reads();
        quiet.set(if last.replace(now) == now {
            quiet.get() + 1
        } else {
            0
        });
        quiet.get() > 5
    })
    .await
}

/// The body of a practice that may be published.
pub fn practice(title: &str) -> Vec<u8> {
    let text = |text: String| {
        vec![v1::LanguageText {
            tag: "en".into(),
            text,
        }]
    };
    let record = corridor_node::demo::records::demonstration_records().expect("the data");
    let record = record
        .iter()
        .find(|record| record.kind == Kind::Practice)
        .expect("a practice");
    let mut practice = v1::Practice::decode(record.body.as_slice()).expect("a practice");
    let english = |texts: &[v1::LanguageText]| {
        let found = texts.iter().find(|text| text.tag == "en");
        found.map(|text| text.text.clone()).unwrap_or_default()
    };
    practice.summary = text(english(&practice.summary));
    practice.title = text(title.to_owned());
    let envelope = practice.envelope.get_or_insert_default();
    envelope.source_lang = "en".into();
    envelope.translations.clear();
    practice.encode_to_vec()
}

fn search(folder: &Path, needle: &[u8]) -> Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if search(&path, needle)? {
                return Ok(true);
            }
        } else if std::fs::read(&path)?
            .windows(needle.len())
            .any(|window| window == needle)
        {
            return Ok(true);
        }
    }
    Ok(false)
}
