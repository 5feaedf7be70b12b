//! Looks at the running node every second, and tells what it sees: to those who watch its health,
//! to the figures, and to the status file.
//!
//! **Invariant:** it only looks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use corridor_proto::{RcpId, UnixMillis};
use corridor_rules::RecordKey;
use corridor_store::Store;
use tokio::sync::{oneshot, watch};

use super::health::{Condition, Teller};
use super::metrics::Meters;
use super::{backup, snapshot};
use crate::edge;
use crate::limits::{BEAT, BEATS_A_SNAPSHOT, SNAPSHOTS_A_COUNT};
use crate::operate::snapshot::Snapshot;
use crate::status::{Seen, Statuses};

/// Rows looked at while the store is held.
const ROWS_AT_ONCE: usize = 1_000;

/// What is looked at.
#[derive(Clone)]
pub struct Pulse {
    /// The data folder.
    pub data: PathBuf,
    /// Its store.
    pub store: Store,
    /// How the exchange with each peer stands.
    pub statuses: Arc<Statuses>,
    /// The figures.
    pub meters: Arc<Meters>,
    /// Whether the store could not be written to when the node started.
    pub reads_only: bool,
    /// When the node started.
    pub started: UnixMillis,
    /// When each key can no longer be used, as far as it ends.
    pub key_ends: Vec<(String, u64)>,
}

/// What is known from one look to the next.
#[derive(Default)]
struct Memory {
    beats: u64,
    /// When each peer was up to date for the last time.
    success: BTreeMap<RcpId, UnixMillis>,
    quarantined: Option<u64>,
    /// The state of the store in which they were counted.
    counted_at: u64,
    /// Withdrawals that partners have not confirmed, and the state of the store in which they were
    /// looked for.
    open: Option<(u64, BTreeMap<RcpId, u64>)>,
    /// Whether the status file could not be written, and that was said.
    is_failing: bool,
}

/// Looks until the node ends; `told` hears once everybody was told that it does.
pub async fn run(
    pulse: Pulse,
    mut teller: Teller,
    mut ends: watch::Receiver<bool>,
    told: oneshot::Sender<()>,
) {
    let mut tick = tokio::time::interval(BEAT);
    let mut memory = Memory::default();
    loop {
        let is_over = tokio::select! {
            _ = tick.tick() => false,
            _ = ends.wait_for(|ends| *ends) => true,
        };
        teller.tell(&pulse.condition(), is_over).await;
        let look = pulse.clone();
        let looked = tokio::task::spawn_blocking(move || {
            look.beat(&mut memory, is_over);
            memory
        });
        match looked.await {
            Ok(seen) => memory = seen,
            Err(error) => {
                tracing::error!(%error, "the node's state cannot be looked at");
                return;
            }
        }
        if is_over {
            // Whoever ends the node in a hurry does not wait for it.
            let _ = told.send(());
            return;
        }
    }
}

impl Pulse {
    /// What the node cannot do now.
    pub fn condition(&self) -> Condition {
        Condition::of(&self.store, self.reads_only)
    }

    fn beat(&self, memory: &mut Memory, ends: bool) {
        self.note_success(memory);
        let is_due = memory.beats.is_multiple_of(BEATS_A_SNAPSHOT);
        memory.beats += 1;
        if !is_due && !ends {
            return;
        }
        let snapshots = memory.beats / BEATS_A_SNAPSHOT;
        if snapshots.is_multiple_of(SNAPSHOTS_A_COUNT) && !ends {
            self.count_quarantined(memory);
        }
        let snapshot = self.snapshot(memory, ends);
        match snapshot::write(&self.data, &snapshot) {
            Ok(()) => memory.is_failing = false,
            Err(error) if !memory.is_failing => {
                memory.is_failing = true;
                tracing::warn!(%error, "the status file cannot be written");
            }
            Err(_) => {}
        }
        self.meters.now(snapshot);
    }

    /// Notes of which partners all is here, and they of us.
    fn note_success(&self, memory: &mut Memory) {
        let now = edge::now();
        self.store.read(|view| {
            for rcp in view.peers.keys() {
                let status = self.statuses.of(rcp);
                let seen = Seen::of_peer(view, rcp, now);
                let is_all_here = seen.is_some_and(|seen| seen.behind_by == 0);
                if status.connected_since.is_some() && status.is_quiet && is_all_here {
                    memory.success.insert(*rcp, now);
                }
            }
            memory.success.retain(|rcp, _| view.peers.contains_key(rcp));
        });
    }

    /// Counts what is kept out, if anything changed since it was counted.
    fn count_quarantined(&self, memory: &mut Memory) {
        let revision = self.store.read(|view| view.revision);
        if memory.quarantined.is_some() && memory.counted_at == revision {
            return;
        }
        let (mut count, mut after) = (0_u64, None::<RecordKey>);
        loop {
            let (some, last) = self.store.read(|view| {
                let (mut some, mut last) = (0_usize, None);
                for (key, row) in view.rows(after.as_ref()).take(ROWS_AT_ONCE) {
                    some += row.quarantined.len();
                    last = Some(key);
                }
                (some, last)
            });
            count = count.saturating_add(u64::try_from(some).unwrap_or(u64::MAX));
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        (memory.quarantined, memory.counted_at) = (Some(count), revision);
    }

    fn snapshot(&self, memory: &mut Memory, ends: bool) -> Snapshot {
        let now = edge::now();
        let success = |rcp: &RcpId| memory.success.get(rcp).copied();
        let (rcp, name, peers) = self.store.read(|view| {
            let open = memory.open.take().filter(|(at, _)| *at == view.revision);
            let (_, open) = memory.open.insert(
                open.unwrap_or_else(|| (view.revision, snapshot::unacknowledged(view, now))),
            );
            let card = view
                .known
                .get(&view.me)
                .and_then(|known| known.card.as_ref());
            let name = card.map_or("", |card| card.card().name()).to_owned();
            let peers = snapshot::peers(view, &self.statuses, &success, open, now);
            (view.me.to_string(), name, peers)
        });
        Snapshot {
            at_ms: now.0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            rcp,
            name,
            started_ms: self.started.0,
            ends,
            condition: self.condition(),
            peers,
            quarantined: memory.quarantined,
            journal_bytes: snapshot::bytes_in(&self.data.join("journal")),
            index_bytes: snapshot::bytes_in(&self.data.join("index")),
            free_bytes: corridor_store::free_bytes(&self.data),
            backup_ms: backup::last(&self.data).map(|at| at.0),
            key_ends: self.key_ends.clone(),
        }
    }
}
