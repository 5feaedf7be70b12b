//! The look at a node's folder after a crash: what was acknowledged is there, what was withdrawn is
//! not, and nothing that anybody else was told is missing.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use corridor_node::operate::keys::KeyFolder;
use corridor_proto::line::WHOLE_RECORD;
use corridor_proto::{LogId, RecordId};
use corridor_rules::Rows;
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_store::{Opening, Signer, Store, View, verify_store};

use super::load::{Known, Promise, Promises, TITLE, TITLE_BYTES};
use super::victim::Victim;
use crate::nodes::{Office, PATIENCE, until};

/// What a partner holds of a node: how far it has the node's logs, and of which of its own logs the
/// node said that it holds them.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Sizes of the node's logs at the partner.
    pub logs: BTreeMap<LogId, u64>,
    /// Sizes of the partner's logs in the node's receipts.
    pub receipts: BTreeMap<LogId, u64>,
}

impl Told {
    /// What this partner was told.
    pub fn to(partner: &Office, victim: &Victim) -> Self {
        partner.desk().store().read(|view| {
            let theirs = view.logs.values().filter(|log| log.owner == victim.rcp);
            let held = view.held.iter();
            let held = held.filter(|((_, holder), _)| *holder == victim.rcp);
            Self {
                logs: theirs.map(|log| (log.id, log.tree.size())).collect(),
                receipts: held
                    .map(|((log, _), held)| (*log, held.checkpoint.size))
                    .collect(),
            }
        })
    }

    /// The node still knows all of it.
    fn holds(&self, view: &View<'_>) -> Result<()> {
        for (log, size) in self.logs.iter().chain(&self.receipts) {
            let here = view.logs.get(log).map_or(0, |log| log.tree.size());
            ensure!(
                here >= *size,
                "a partner was told of {size} lines of {log}, and there are {here}"
            );
        }
        Ok(())
    }
}

/// Opens the store of a node that does not run.
pub fn open(victim: &Victim) -> Result<(Store, Opening)> {
    let keys = KeyFolder::of(&victim.data).read()?;
    let signer = Arc::new(Signer::new(keys.signing));
    Ok(corridor_store::open(&victim.data, signer, &mut |_, _| {})?)
}

/// Everything acknowledged is there, nothing withdrawn is, and the store has no findings.
pub fn check(victim: &Victim, promises: &Promises, told: &Told) -> Result<Opening> {
    let (store, opening) = open(victim)?;
    ensure!(opening.damage.is_empty(), "{:?}", opening.damage);
    ensure!(!opening.lost_its_end, "acknowledged writes are lost");
    let mut gone = Vec::new();
    for (record, promise) in promises.all() {
        if !store.read(|view| is_kept(view, victim, record, &promise))? {
            gone.extend(promise.titles);
        }
    }
    store.read(|view| {
        told.holds(view)?;
        let stopped = &view.signing_stopped;
        ensure!(stopped.is_none(), "it signs nothing more: {stopped:?}");
        Ok(())
    })?;
    store.close()?;
    drop(store);
    let report = verify_store(&victim.data, &mut |_, _| {})?;
    ensure!(report.findings.is_empty(), "{:#?}", report.findings);
    let there = titles(&victim.data.join("journal"))?;
    for title in gone {
        let is_there = there.contains(title.as_bytes());
        ensure!(!is_there, "{title} was withdrawn and is still on the disk");
    }
    victim.never_panicked()?;
    Ok(opening)
}

/// Whether a record is still shown; an error if it is not as it was promised.
fn is_kept(view: &View<'_>, victim: &Victim, record: RecordId, promise: &Promise) -> Result<bool> {
    let title = promise.titles.first().map_or("", String::as_str);
    let rcp = victim.rcp;
    let row = view.row(&RecordKey { rcp, record }).unwrap_or_default();
    let text = row.newest().and_then(|held| view.record(held.place));
    let is_draft = view.drafts.contains_key(&record);
    let burnt = row.burnt() == WHOLE_RECORD;
    if promise.withdrawn == Known::Surely {
        ensure!(burnt, "{title} was withdrawn and is not");
    }
    if burnt {
        ensure!(
            promise.withdrawn != Known::Not,
            "{title} is withdrawn and nobody did that"
        );
        return Ok(false);
    }
    let current = row.current(|_| true);
    match promise.published {
        Known::Surely => ensure!(current.is_some(), "{title} was published"),
        Known::Perhaps => ensure!(current.is_some() || is_draft, "{title} is gone"),
        Known::Not => ensure!(is_draft, "the draft {title} is gone"),
    }
    if current.is_some() {
        let text = text.with_context(|| format!("the text of {title} is gone"))?;
        let has = |title: &String| {
            let mut parts = text.body.windows(title.len());
            parts.any(|part| part == title.as_bytes())
        };
        // The version that was acknowledged last, or one that perhaps came after it.
        let sure = promise.published_titles();
        ensure!(sure.iter().any(has), "the text of {title} is an older one");
    }
    Ok(true)
}

/// All titles that occur anywhere in the files of a folder.
fn titles(folder: &Path) -> Result<HashSet<Vec<u8>>> {
    let mut found = HashSet::new();
    for entry in std::fs::read_dir(folder)? {
        let bytes = std::fs::read(entry?.path())?;
        let mut rest = bytes.as_slice();
        while let Some(at) = rest.iter().position(|byte| *byte == TITLE[0]) {
            rest = &rest[at..];
            if rest.starts_with(TITLE) {
                found.extend(rest.get(..TITLE_BYTES).map(<[u8]>::to_vec));
            }
            rest = &rest[1..];
        }
    }
    Ok(found)
}

/// In the end both sides hold what they should, and the partner's store is sound as well. Gives how
/// many records the node received.
pub async fn rejoin(victim: &Victim, partner: &Office, promises: &Promises) -> Result<usize> {
    let child = victim.start()?;
    let client = victim.client().await?;
    let promised = promises.all();
    let is_living = |one: &Promise| one.published == Known::Surely && one.withdrawn == Known::Not;
    let living = promised.iter().filter(|(_, one)| is_living(one));
    let living: Vec<RecordId> = living.map(|(record, _)| *record).collect();
    let holds = |record: &RecordId| {
        let key = RecordKey {
            rcp: victim.rcp,
            record: *record,
        };
        let row = partner.desk().store().read(|view| view.row(&key));
        row.is_some_and(|row| {
            let current = row.current(|_| true);
            current.is_some_and(|stand| row.body(&stand.version_hash).is_some())
        })
    };
    until("the partner holds all that lives", || {
        living.iter().all(holds)
    })
    .await?;
    let own = partner.desk().store().read(|view| {
        let rows = view.rows(None).filter(|(key, _)| key.rcp == view.me);
        rows.filter(|(_, row)| row.burnt() != WHOLE_RECORD).count()
    });
    let caught_up = tokio::time::timeout(PATIENCE, async {
        loop {
            let listed = client.unverified_records(Some(partner.rcp), false).await;
            if listed.is_ok_and(|listed| listed.len() == own) {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    caught_up.await.context("the node does not catch up")?;
    child.terminate()?;
    // Ended in order, it leaves nothing for the next start to mend.
    let report = verify_store(&victim.data, &mut |_, _| {})?;
    let behind = report.notes.iter().find(|note| note.place == "index");
    ensure!(behind.is_none(), "{behind:?}");
    check(victim, promises, &Told::to(partner, victim))?;
    Ok(own)
}
