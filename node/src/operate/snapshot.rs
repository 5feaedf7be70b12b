//! How a running node stands: what the operator's commands, the metrics and the status file say.
//!
//! It is written to a file in the data folder every few seconds, for commands that have no access
//! token. **Invariant:** nothing of a record is in it, and no secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use corridor_proto::line::{Act, ReadLine, read_line};
use corridor_proto::{RcpId, RecordId, UnixMillis};
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_rules::{Model, Reader, Rows, Sort, may_read};
use corridor_store::View;
use serde::{Deserialize, Serialize};

use super::files::FileError;
use super::health::Condition;
use crate::status::{Seen, Statuses};

/// Name of the file in the data folder.
pub const FILE: &str = "status.json";
/// Lines of one log looked at for withdrawals that a partner has not confirmed: those of a partner
/// that was away long are counted up to here.
const LINES_LOOKED_AT: u64 = 4_096;
/// Letters of an RCP's identifier that tell two partners apart for people.
const SHORT_ID: usize = 8;

/// How a running node stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When this was so, in milliseconds, as all times here.
    pub at_ms: u64,
    /// Version of the software.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Whose node.
    pub rcp: String,
    /// The first name on its card.
    pub name: String,
    /// When it was started.
    pub started_ms: u64,
    /// Whether it ends and takes no new call.
    pub ends: bool,
    /// What it cannot do.
    pub condition: Condition,
    /// Its partners, by their names.
    pub peers: Vec<PeerSnapshot>,
    /// Record versions of partners that are kept out, once they were counted.
    pub quarantined: Option<u64>,
    /// Bytes of the journal.
    pub journal_bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Bytes that are free on the disk, where that can be told.
    pub free_bytes: Option<u64>,
    /// When the last backup was finished, if there was one.
    pub backup_ms: Option<u64>,
    /// When each key can no longer be used, as far as it ends.
    pub key_ends: Vec<(String, u64)>,
}

/// How a partner stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerSnapshot {
    /// Which.
    pub rcp: String,
    /// The name by which it is called here; no two partners have the same.
    pub label: String,
    /// The word for its state.
    pub state: String,
    /// How the exchange stands, in one sentence with cause and remedy.
    pub sentence: String,
    /// Whether a connection is up.
    pub connected: bool,
    /// When nothing was left to send or to fetch for the last time.
    pub last_success_ms: Option<u64>,
    /// Lines and texts still to come.
    pub behind: u64,
    /// Withdrawn records of ours that it has not confirmed to have erased.
    pub unacknowledged: u64,
    /// Until when the erasure of what it withdrew waits here, if it does.
    pub brake_until_ms: Option<u64>,
    /// Where it can be dialled.
    pub addresses: Vec<String>,
}

/// How the partners stand. `success`: when each was up to date for the last time since the start;
/// `open`: what [`unacknowledged`] gave.
pub fn peers(
    view: &View<'_>,
    statuses: &Statuses,
    success: &dyn Fn(&RcpId) -> Option<UnixMillis>,
    open: &BTreeMap<RcpId, u64>,
    now: UnixMillis,
) -> Vec<PeerSnapshot> {
    let peers = view.peers.iter().filter_map(|(rcp, peer)| {
        let (status, seen) = (statuses.of(rcp), Seen::of_peer(view, rcp, now)?);
        let met = Some(peer.met).filter(|met| met.0 > 0);
        Some(PeerSnapshot {
            rcp: rcp.to_string(),
            label: label(view, rcp),
            state: peer.state.word().to_owned(),
            sentence: status.sentence(&seen),
            connected: status.connected_since.is_some(),
            last_success_ms: success(rcp).or(met).map(|at| at.0),
            behind: seen.behind_by,
            unacknowledged: open.get(rcp).copied().unwrap_or_default(),
            brake_until_ms: seen.delayed.map(|until| until.0),
            addresses: addresses(view, rcp),
        })
    });
    let mut peers: Vec<_> = peers.collect();
    peers.sort_by(|one, other| one.label.cmp(&other.label));
    peers
}

/// Where a partner's card says that it can be dialled.
pub fn addresses(model: &Model, rcp: &RcpId) -> Vec<String> {
    let card = model.known.get(rcp).and_then(|known| known.card.as_ref());
    card.map(|card| card.card().addresses.clone())
        .unwrap_or_default()
}

/// What a partner is called here: by the name that was confirmed, if it is the only one that has
/// it, else by the beginning of its identifier as well. What it only claims is no name.
pub fn label(model: &Model, rcp: &RcpId) -> String {
    let name = |rcp| model.peers.get(rcp).map_or("", |peer| peer.name.as_str());
    let short: String = rcp.to_string().chars().take(SHORT_ID).collect();
    let own = name(rcp);
    let mut others = model.peers.keys().filter(|other| *other != rcp);
    let label = if own.is_empty() {
        short
    } else if others.any(|other| name(other) == own) {
        format!("{own} ({short})")
    } else {
        own.to_owned()
    };
    label.chars().map(harmless).collect()
}

/// Of a name that a partner gave itself, what neither ends a label nor moves a cursor.
fn harmless(one: char) -> char {
    match one {
        '"' => '\'',
        '\\' => '/',
        '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        one if one.is_control() => '\u{fffd}',
        one => one,
    }
}

/// How many records of ours were withdrawn in a circle that a partner reads, and their withdrawal
/// confirmed by it in none. Reads what stands in logs behind what each partner has.
pub fn unacknowledged(view: &View<'_>, now: UnixMillis) -> BTreeMap<RcpId, u64> {
    let peers = view.peers.keys();
    peers
        .map(|rcp| (*rcp, unacknowledged_by(view, *rcp, now)))
        .collect()
}

fn unacknowledged_by(view: &View<'_>, peer: RcpId, now: UnixMillis) -> u64 {
    let reader = Reader::Peer(peer);
    let held = |log| {
        view.held
            .get(&(log, peer))
            .map_or(0, |held| held.checkpoint.size)
    };
    let mut records: BTreeSet<RecordId> = BTreeSet::new();
    for log in view.own_logs() {
        let is_its = log.sort == Sort::Private(peer) || may_read(view, log, &reader, now).is_ok();
        let (from, size) = (held(log.id), log.size());
        let is_any = log.last_withdrawal.is_some_and(|last| last >= from);
        if !is_its || !is_any {
            continue;
        }
        let to = size.min(from.saturating_add(LINES_LOOKED_AT));
        records.extend(view.lines(&log.id, from, to).iter().filter_map(|line| {
            match read_line(line) {
                Ok(ReadLine::Line(line)) => match line.act {
                    Act::Withdraw(withdrawal) => Some(withdrawal.record),
                    _ => None,
                },
                _ => None,
            }
        }));
    }
    let is_open = |record: &&RecordId| {
        let (rcp, record) = (view.me, **record);
        let row = view.row(&RecordKey { rcp, record }).unwrap_or_default();
        let mut gone = row.stands.iter().filter(|stand| !row.lives(stand));
        !gone.any(|stand| held(stand.log) > row.decided(stand))
    };
    let open = records.iter().filter(is_open).count();
    u64::try_from(open).unwrap_or(u64::MAX)
}

/// Writes the file. It is not synced: after a crash it says nothing that counts.
///
/// # Errors
/// [`FileError::Io`].
pub fn write(data: &Path, snapshot: &Snapshot) -> Result<(), FileError> {
    let path = path(data);
    let io = |source| FileError::io(&path, source);
    let fresh = path.with_extension("json.new");
    let json = serde_json::to_vec(snapshot).map_err(|error| io(error.into()))?;
    let mut options = fs::OpenOptions::new();
    let file = options
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh);
    let written = file.and_then(|mut file| file.write_all(&json));
    written.and_then(|()| fs::rename(&fresh, &path)).map_err(io)
}

/// Reads the file; `None` without one that this version understands.
pub fn read(data: &Path) -> Option<Snapshot> {
    serde_json::from_slice(&fs::read(path(data)).ok()?).ok()
}

/// Where the file lies.
pub fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

/// Bytes of all files in a folder and those below it.
pub fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_in(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

#[cfg(test)]
mod tests {
    use corridor_rules::fact::SignedStart;
    use corridor_rules::{Peer, PeerState};

    use super::*;

    #[test]
    fn a_partner_is_called_by_a_name_that_no_other_has() {
        let mut model = Model::new(RcpId::new([9; 32]));
        let rcps = [1, 2, 3, 4].map(|byte| RcpId::new([byte; 32]));
        for (rcp, name) in rcps
            .iter()
            .zip(["Bali Process", "Prague", "Bali Process", ""])
        {
            let peer = Peer {
                state: PeerState::Active,
                since: UnixMillis(1),
                start: SignedStart::NONE,
                met: UnixMillis(0),
                name: name.to_owned(),
                revision: 1,
            };
            model.peers.insert(*rcp, peer);
        }
        let labels = rcps.map(|rcp| label(&model, &rcp));
        let short = |rcp: &RcpId| rcp.to_string()[..SHORT_ID].to_owned();
        assert_eq!(labels[0], format!("Bali Process ({})", short(&rcps[0])));
        assert_eq!(labels[1], "Prague");
        assert_eq!(labels[2], format!("Bali Process ({})", short(&rcps[2])));
        assert_eq!(labels[3], short(&rcps[3]));
    }
}
