//! The nodes that most scenarios begin with: one that holds many records, one that may read all of
//! them, and one that may read none yet. They are made once and copied for each round.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use corridor_node::run::Running;
use corridor_proto::{LogId, RcpId, UnixMillis};
use corridor_rules::PeerState;
use corridor_rules::desk::Wish;
use serde_json::{Value, json};

use crate::Bench;
use crate::clock::until;
use crate::load::{Loaded, fill};
use crate::site::{PATIENCE, Site};
use corridor_tests::wire::Wire;

/// The circle that the second node reads.
pub const WIDE: &str = "federation";
/// The circle that the third node reads.
pub const NARROW: &str = "bench-few";
/// Between two looks at a node that runs here.
pub const LOOK: Duration = Duration::from_millis(5);

/// Nodes that do not run, and the line between them.
pub struct Stage {
    folder: PathBuf,
    /// Holds records of its own.
    pub author: Site,
    /// May read them, and holds none.
    pub reader: Site,
    /// May read a circle in which there are none yet.
    pub other: Site,
    /// The line by which the others reach the author.
    pub wire: Wire,
    /// What the author published.
    pub loaded: Loaded,
}

impl Stage {
    /// With as many records as every scenario is told.
    pub async fn set(bench: &Bench) -> Result<Arc<Self>> {
        Self::with(bench, bench.n).await
    }

    /// With `n` records.
    pub async fn with(bench: &Bench, n: usize) -> Result<Arc<Self>> {
        let mut stages = bench.stages.lock().await;
        if let Some(stage) = stages.get(&n) {
            return Ok(Arc::clone(stage));
        }
        let stage = Arc::new(Self::make(bench, n).await?);
        stages.insert(n, Arc::clone(&stage));
        Ok(stage)
    }

    /// Makes it, or takes what an earlier run made as it is.
    async fn make(bench: &Bench, n: usize) -> Result<Self> {
        let folder = bench.folder.join(format!("made-{n}"));
        if let Some(stage) = Self::read(&folder)? {
            return Ok(stage);
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        eprintln!("  making nodes with {n} records");
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let author = Site::make(&folder, "author", Some(address))?;
        let reader = Site::make(&folder, "reader", None)?;
        let other = Site::make(&folder, "other", None)?;
        let wire = Wire::lay(listener, author.config()?.peer_listen)?;
        pair_all(&author, &reader, &other).await?;
        let loaded = fill(&author, WIDE, n)?;
        let stage = Self {
            folder,
            author,
            reader,
            other,
            wire,
            loaded,
        };
        stage.write()?;
        Ok(stage)
    }

    fn write(&self) -> Result<()> {
        let said = json!({
            "wire": self.wire.address.to_string(),
            "records": self.loaded.records,
            "signed_bytes": self.loaded.signed_bytes,
            "head_bytes": self.loaded.head_bytes,
            "author": self.author.rcp.to_string(),
            "reader": self.reader.rcp.to_string(),
            "other": self.other.rcp.to_string(),
        });
        Ok(std::fs::write(
            self.folder.join("stage.json"),
            said.to_string(),
        )?)
    }

    fn read(folder: &Path) -> Result<Option<Self>> {
        let Ok(said) = std::fs::read(folder.join("stage.json")) else {
            return Ok(None);
        };
        let said: Value = serde_json::from_slice(&said)?;
        let text = |key: &str| said[key].as_str().with_context(|| format!("no {key}"));
        let number = |key: &str| said[key].as_u64().with_context(|| format!("no {key}"));
        let site = |name: &str| -> Result<Site> {
            let rcp: RcpId = text(name)?.parse()?;
            Ok(Site {
                data: folder.join(name),
                rcp,
            })
        };
        let author = site("author")?;
        let address: std::net::SocketAddr = text("wire")?.parse()?;
        let listener = TcpListener::bind(address).context("the port of the line is taken")?;
        Ok(Some(Self {
            folder: folder.to_owned(),
            wire: Wire::lay(listener, author.config()?.peer_listen)?,
            author,
            reader: site("reader")?,
            other: site("other")?,
            loaded: Loaded {
                records: number("records")?,
                signed_bytes: number("signed_bytes")?,
                head_bytes: number("head_bytes")?,
            },
        }))
    }

    /// A fresh copy of a node, for one round.
    pub fn copy(&self, site: &Site, name: &str) -> Result<Site> {
        site.copy(&self.folder.join("rounds").join(name))
    }

    /// Author and reader after the reader got everything.
    pub async fn held(&self) -> Result<(Site, Site)> {
        let at = |site: &Site, name: &str| Site {
            data: self.folder.join(name),
            rcp: site.rcp,
        };
        let both = (
            at(&self.author, "author-held"),
            at(&self.reader, "reader-held"),
        );
        let mark = self.folder.join("held");
        if mark.exists() {
            return Ok(both);
        }
        eprintln!("  letting the reader catch up");
        let author = self.author.copy(&both.0.data)?;
        let reader = self.reader.copy(&both.1.data)?;
        let (author, reader) = (author.start().await?, reader.start().await?);
        let (log, size) = circle(&author, WIDE)?;
        wait("the reader holds everything", || holds(&reader, &log, size)).await?;
        reader.stop().await?;
        author.stop().await?;
        std::fs::write(mark, "")?;
        Ok(both)
    }
}

/// Removes what a round left.
pub fn clear(sites: &[&Site]) -> Result<()> {
    for site in sites {
        std::fs::remove_dir_all(&site.data)?;
    }
    Ok(())
}

async fn pair_all(author: &Site, reader: &Site, other: &Site) -> Result<()> {
    let (author, reader, other) = (
        author.start().await?,
        reader.start().await?,
        other.start().await?,
    );
    befriend(&author, &reader).await?;
    befriend(&author, &other).await?;
    let few = Wish::OpenCircle {
        name: NARROW.to_owned(),
        open: false,
        relay: false,
    };
    author.desk.wish(few).await?;
    admit(&author, WIDE, &reader).await?;
    admit(&author, NARROW, &other).await?;
    admit(&reader, WIDE, &author).await?;
    let (wide, size) = circle(&author, WIDE)?;
    wait("the circle is known", || holds(&reader, &wide, size)).await?;
    for node in [reader, other, author] {
        node.stop().await?;
    }
    Ok(())
}

/// Lets a partner read a circle.
pub async fn admit(node: &Running, circle_name: &str, partner: &Running) -> Result<()> {
    let (log, _) = circle(node, circle_name)?;
    let readers = [(partner.me, UnixMillis(0))].into();
    Ok(node.desk.add_readers(log, &readers).await?)
}

/// Pairs two nodes that run, and confirms both; the second dials.
pub async fn befriend(first: &Running, second: &Running) -> Result<()> {
    let (invitation, _) = first.desk.invite().await?;
    second.desk.accept(&invitation.encode()).await?;
    let state = |of: &Running, with: RcpId| {
        let state = of.desk.store().read(|view| view.peer_state(&with));
        state == Some(PeerState::Pending)
    };
    wait("both have accepted", || {
        state(first, second.me) && state(second, first.me)
    })
    .await?;
    first
        .desk
        .confirm(second.me, &second.me.to_string())
        .await?;
    second.desk.confirm(first.me, &first.me.to_string()).await?;
    Ok(())
}

/// A circle of a node's own: its log, and how long it is.
pub fn circle(node: &Running, name: &str) -> Result<(LogId, u64)> {
    let found = node
        .desk
        .store()
        .read(|view| view.circle(name).map(|log| (log.id, log.size())));
    found.with_context(|| format!("no circle {name}"))
}

/// Whether a node holds a log up to a size, with all texts.
pub fn holds(node: &Running, log: &LogId, size: u64) -> bool {
    node.desk.store().read(|view| {
        let log = view.logs.get(log);
        log.is_some_and(|log| log.size() >= size && log.missing.is_empty())
    })
}

/// Waits for something in nodes that run here.
pub async fn wait(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    until(what, LOOK, PATIENCE, || std::future::ready(is_so())).await
}
