//! Records of about 2 KB, and putting very many of them into a store.

use std::path::Path;
use std::sync::mpsc;

use anyhow::{Context, Result};
use corridor_node::edge;
use corridor_node::operate::files::FileError;
use corridor_proto::kinds::Kind;
use corridor_proto::{LogId, RecordId, v1};
use corridor_rules::desk::{ToPublish, Wish};
use corridor_rules::fact::Fact;
use corridor_store::{Item, Store};
use corridor_tests::nodes::practice;
use prost::Message;

use crate::site::Site;

/// Bytes of a body, so that with header, signature and salt a record has about 2 KB.
const BODY_BYTES: usize = 1_790;
/// Items that wait for the writer while many are put in one by one.
const AHEAD: usize = 256;
/// Records that one call publishes.
pub const A_CALL: usize = 256;
/// Where folders lie in memory, if there is such a place.
const MEMORY: &str = "/dev/shm";

/// Makes bodies that may be published, each another.
pub struct Bodies {
    practice: v1::Practice,
    count: u64,
}

impl Bodies {
    /// From a practice of the demonstration.
    pub fn new() -> Result<Self> {
        let practice = v1::Practice::decode(practice("Bench").as_slice())?;
        Ok(Self { practice, count: 0 })
    }

    /// The next one.
    pub fn next(&mut self) -> Result<Vec<u8>> {
        self.count += 1;
        let title = format!("Practice {:012}", self.count);
        let text = |text: String| v1::LanguageText {
            tag: "en".into(),
            text,
        };
        self.practice.title = vec![text(title)];
        self.practice.approach = vec![text("A".into())];
        let rest = BODY_BYTES.saturating_sub(self.practice.encoded_len() + 2);
        let mut random = vec![0; rest.div_ceil(2).max(1)];
        edge::fill(&mut random)?;
        let mut padding: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        padding.truncate(rest.max(1));
        self.practice.approach = vec![text(padding)];
        Ok(self.practice.encode_to_vec())
    }

    /// The next one, as a new record of a circle.
    fn next_in(&mut self, circle: LogId) -> Result<ToPublish> {
        let record = edge::random().map_err(|error| FileError::io(Path::new("random"), error))?;
        Ok(ToPublish {
            record: RecordId::new(record),
            kind: Kind::Practice.code(),
            body: self.next()?,
            links: Vec::new(),
            circles: Some(vec![circle]),
            draft: None,
            hand: None,
        })
    }
}

/// What was put in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loaded {
    /// Records.
    pub records: u64,
    /// Their headers, signatures, salts and bodies.
    pub signed_bytes: u64,
    /// The heads that were signed with them, each as its note.
    pub head_bytes: u64,
}

/// Publishes `n` records into a circle of a store that is open, one by one.
pub fn publish(store: &Store, circle: LogId, n: usize) -> Result<Loaded> {
    let mut bodies = Bodies::new()?;
    let mut loaded = Loaded::default();
    let (sender, receiver) = mpsc::channel();
    let mut waiting = 0;
    for index in 0..n {
        let wish = Wish::Publish(bodies.next_in(circle)?);
        let sender = sender.clone();
        store.append(Item::Wish(wish), edge::now(), move |outcome| {
            // Whoever loads waits for each.
            let _ = sender.send(outcome);
        });
        waiting += 1;
        while waiting > if index + 1 == n { 0 } else { AHEAD } {
            let done = receiver.recv()??;
            loaded.note(&done.facts);
            waiting -= 1;
        }
    }
    Ok(loaded)
}

/// Publishes `n` records into a circle of a store that is open, many at a time.
fn publish_many(store: &Store, circle: LogId, n: usize) -> Result<Loaded> {
    let mut bodies = Bodies::new()?;
    let mut loaded = Loaded::default();
    for at in (0..n).step_by(A_CALL) {
        let many = (at..n.min(at + A_CALL)).map(|_| bodies.next_in(circle));
        let wish = Wish::PublishAll(many.collect::<Result<_>>()?);
        let done = store.append_blocking(Item::Wish(wish), edge::now())?;
        loaded.note(&done.facts);
    }
    Ok(loaded)
}

impl Loaded {
    fn note(&mut self, facts: &[Fact]) {
        for fact in facts {
            match fact {
                Fact::Record { header, blob } => {
                    let bytes = header.bytes.len() + header.signature.len() + blob.len();
                    self.records += 1;
                    self.signed_bytes += u64::try_from(bytes).unwrap_or(0);
                }
                Fact::Head { note, .. } => {
                    self.head_bytes += u64::try_from(note.len()).unwrap_or(0);
                }
                _ => {}
            }
        }
    }

    /// Bytes of one record: header, signature, salt and body.
    #[allow(clippy::cast_precision_loss)]
    pub fn record_bytes(&self) -> f64 {
        self.signed_bytes as f64 / self.records as f64
    }
}

/// Publishes `n` records into a circle of a node that does not run, many at a time. In memory,
/// where there is room: how long each sync takes is not what is measured here.
pub fn fill(site: &Site, circle: &str, n: usize) -> Result<Loaded> {
    fill_by(publish_many, site, circle, n)
}

/// The same, one by one.
pub fn fill_one_by_one(site: &Site, circle: &str, n: usize) -> Result<Loaded> {
    fill_by(publish, site, circle, n)
}

fn fill_by(
    publish: fn(&Store, LogId, usize) -> Result<Loaded>,
    site: &Site,
    circle: &str,
    n: usize,
) -> Result<Loaded> {
    let memory = tempfile::tempdir_in(MEMORY).ok();
    let at = match &memory {
        Some(folder) => site.copy(&folder.path().join("node"))?,
        None => site.clone(),
    };
    let store = at.store()?;
    let circle = store.read(|view| view.circle(circle).map(|log| log.id));
    let loaded = publish(&store, circle.context("the circle")?, n)?;
    store.close()?;
    drop(store);
    if memory.is_some() {
        at.copy(&site.data)?;
    }
    Ok(loaded)
}
