//! What peers send, decided: what is taken in, and what is refused and why.
//!
//! The order in which things arrive, and how often, makes no difference to the state they lead to.
//! **Invariant:** a record is taken in only behind its line in a log of its owner that we were
//! given to read; a duplicate is no error.

mod lines;
pub(crate) mod own;
mod receipts;
mod records;

use corridor_proto::charter::Relation;
use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::record::VerifiedRecord;
use corridor_proto::tree::Frontier;
use corridor_proto::wire::Identity;
use corridor_proto::{
    Hash, LogId, LogSeed, RcpId, Reason, RecordId, Refusal, StartNumber, UnixMillis, v1,
};

use crate::evidence;
use crate::fact::{Fact, SignedStart};
use crate::log::Log;
use crate::model::{Model, Rows};
use crate::peer::{Call, PeerState, may_call};
use crate::row::RecordKey;

pub use records::{Judged, Unverified, judge};

/// Something that came from a peer.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// Its charter and card.
    Identity(Box<Identity>),
    /// The number of its present start.
    Start {
        /// Whose.
        rcp: RcpId,
        /// The number, verified.
        start: SignedStart,
    },
    /// Lines of one of its logs, or of one that it passes on.
    Package {
        /// From whom.
        peer: RcpId,
        /// Whose log it is.
        owner: RcpId,
        /// Seed of the log's identifier.
        seed: LogSeed,
        /// The lines.
        package: Box<v1::Package>,
    },
    /// A verified head of a log of ours that a reader showed.
    Shown {
        /// By whom.
        peer: RcpId,
        /// Seed of the log's identifier.
        seed: LogSeed,
        /// What it says.
        claim: Checkpoint,
    },
    /// Lines of a log of ours, given back by a reader, that may extend it.
    OwnPackage {
        /// By whom.
        peer: RcpId,
        /// Seed of the log's identifier.
        seed: LogSeed,
        /// The lines.
        package: Box<v1::Package>,
    },
    /// Lines of a log of ours on another branch than ours.
    VoidPackage {
        /// By whom.
        peer: RcpId,
        /// Seed of the log's identifier.
        seed: LogSeed,
        /// The lines.
        package: Box<v1::Package>,
        /// That branch before them.
        frontier: Frontier,
    },
    /// A start number of a copy that is gone, given back by the first peer that saw it.
    StartKnown {
        /// By whom.
        rcp: RcpId,
        /// The number, verified.
        number: StartNumber,
    },
    /// Logs of a peer that this folder had from a backup are as the peer has them.
    Compared {
        /// Whose.
        peer: RcpId,
        /// Which.
        logs: Vec<LogId>,
    },
    /// A head that signs again what is held: its RCP's key was replaced.
    Head {
        /// From whom.
        peer: RcpId,
        /// Whose log it is.
        owner: RcpId,
        /// The checkpoint.
        note: Vec<u8>,
    },
    /// Records behind publish lines, signatures verified.
    Records {
        /// From whom.
        peer: RcpId,
        /// Of which log.
        log: LogId,
        /// Index of the publish line, and the record.
        records: Vec<(u64, VerifiedRecord)>,
    },
    /// A record that did not verify: it is kept out, and its log goes on.
    Bad {
        /// Whose.
        rcp: RcpId,
        /// Which.
        record: RecordId,
        /// Hash under which its line named it.
        version_hash: Hash,
        /// Why.
        reason: Reason,
    },
    /// Two signed things of one RCP that contradict each other.
    Evidence {
        /// From whom, or in whose session it was found.
        peer: RcpId,
        /// The evidence.
        evidence: Box<v1::Evidence>,
    },
    /// Lines of a second history of a log.
    BranchPackage {
        /// From whom.
        peer: RcpId,
        /// Whose log it is.
        owner: RcpId,
        /// Which log.
        log: LogId,
        /// The lines.
        package: Box<v1::Package>,
        /// That history before them.
        frontier: Frontier,
    },
    /// A frozen log was restarted by its owner.
    Restarted {
        /// Which log.
        log: LogId,
        /// The incarnation shown.
        incarnation: u64,
    },
    /// A session with the peer brought all that it has.
    Met {
        /// Which.
        peer: RcpId,
    },
    /// A receipt.
    Held {
        /// From whom.
        peer: RcpId,
        /// For whose log.
        owner: RcpId,
        /// The cosignature.
        note: Vec<u8>,
    },
    /// Something shown by a peer after which nothing may be signed here.
    StopSigning {
        /// Why: a stable code.
        reason: &'static str,
    },
}

/// Code: a peer saw a start of this node that this folder does not know.
pub const ANOTHER_COPY_RAN: &str = "ANOTHER_COPY_RAN";
/// Code: a peer holds a head of ours that we lack.
pub const HEAD_LACKING: &str = "PEER_HOLDS_A_HEAD_WE_LACK";
/// Code: a charter of ours is longer than the one here.
pub const KEYS_PREDATE_A_ROTATION: &str = "KEYS_PREDATE_A_ROTATION";
/// Code: writes that were acknowledged are gone from the journal.
pub const JOURNAL_LOST_ITS_END: &str = "JOURNAL_LOST_ITS_END";
/// Code: this folder was made out of a backup.
pub const RESTORED: &str = "RESTORED_FROM_A_BACKUP";
/// Code: there are two charters of ours, both signed by our keys.
pub const CHARTER_FORKED: &str = "CHARTER_FORKED";

/// Decides what an arrival adds. An empty list is a duplicate.
///
/// # Errors
/// Why it is refused; nothing of it is kept then.
pub fn decide(
    model: &Model,
    rows: &dyn Rows,
    arrival: &Arrival,
    now: UnixMillis,
) -> Result<Vec<Fact>, Refusal> {
    match arrival {
        Arrival::Identity(found) => {
            let forked = evidence::of_identity(model, found);
            let forked = forked.map(|fork| evidence::decide(model, &found.charter.rcp(), &fork));
            match forked {
                Some(Ok(facts)) if !facts.is_empty() => Ok(facts),
                _ => identity(model, found),
            }
        }
        Arrival::Evidence { peer, evidence } => evidence::decide(model, peer, evidence),
        Arrival::BranchPackage {
            peer,
            owner,
            log,
            package,
            frontier,
        } => lines::branch(model, rows, (peer, owner), log, package, frontier, now),
        Arrival::Package {
            peer,
            owner,
            seed,
            package,
        } => lines::lines(model, rows, (peer, owner), seed, package, now),
        Arrival::Shown { peer, seed, claim } => own::shown(model, peer, seed, claim, now),
        Arrival::OwnPackage {
            peer,
            seed,
            package,
        } => own::lines(model, peer, seed, package, now),
        Arrival::VoidPackage {
            peer,
            seed,
            package,
            frontier,
        } => own::void(model, peer, seed, package, frontier),
        Arrival::Head { peer, owner, note } => lines::head_again(model, peer, owner, note),
        Arrival::Records { peer, log, records } => {
            records::records(model, rows, peer, log, records)
        }
        Arrival::Held { peer, owner, note } => receipts::receipt(model, peer, owner, note, now),
        Arrival::Restarted { .. }
        | Arrival::Start { .. }
        | Arrival::StartKnown { .. }
        | Arrival::Compared { .. }
        | Arrival::Met { .. }
        | Arrival::Bad { .. }
        | Arrival::StopSigning { .. } => Ok(noted(model, rows, arrival, now)),
    }
}

/// What a link verified already is only noted.
fn noted(model: &Model, rows: &dyn Rows, arrival: &Arrival, now: UnixMillis) -> Vec<Fact> {
    match arrival {
        Arrival::Restarted { log, incarnation } => {
            let is_new = |log: &&Log| log.is_frozen() && log.shown < *incarnation;
            let found = model.logs.get(log).filter(is_new);
            let shown = found.map(|log| Fact::Shown {
                log: log.id,
                incarnation: *incarnation,
            });
            shown.into_iter().collect()
        }
        Arrival::Start { rcp, start } => match model.peers.get(rcp) {
            Some(peer) if peer.start.number != start.number => vec![Fact::PeerStart {
                rcp: *rcp,
                start: *start,
            }],
            _ => Vec::new(),
        },
        Arrival::StartKnown { rcp, number } => {
            if model.awaited.contains(rcp) {
                vec![Fact::StartKnown {
                    rcp: *rcp,
                    number: *number,
                }]
            } else {
                Vec::new()
            }
        }
        Arrival::Compared { peer, logs } => {
            let logs = logs.iter().filter_map(|id| model.logs.get(id));
            let logs = logs.filter(|log| log.owner == *peer && log.uncompared);
            logs.map(|log| Fact::Compared { log: log.id }).collect()
        }
        Arrival::Met { peer } => vec![Fact::Met {
            rcp: *peer,
            at: now,
        }],
        Arrival::Bad {
            rcp,
            record,
            version_hash,
            reason,
        } => {
            let (rcp, record) = (*rcp, *record);
            let row = rows.row(&RecordKey { rcp, record }).unwrap_or_default();
            let mut stands = row.stands.iter();
            let mut noted = row.quarantined.iter();
            let is_new = stands.any(|stand| stand.version_hash == *version_hash)
                && !noted.any(|(hash, _)| hash == version_hash);
            let kept_out = is_new.then(|| Fact::Quarantine {
                rcp,
                record,
                version_hash: *version_hash,
                reason: reason.code().to_owned(),
            });
            kept_out.into_iter().collect()
        }
        Arrival::StopSigning { reason } => stop_signing(model, reason),
        _ => Vec::new(),
    }
}

/// Whether `peer` may give us lines and records of logs of `owner`: of its own, or, once both are
/// confirmed here, of one that its readers pass on.
pub(crate) fn may_give(model: &Model, peer: &RcpId, owner: &RcpId) -> bool {
    let state = model.peer_state(peer);
    let may_send = |rcp| may_call(model.peer_state(rcp), Call::Send);
    if peer == owner {
        return may_send(owner);
    }
    *owner != model.me
        && state == Some(PeerState::Active)
        && may_send(owner)
        && model.is_confirmed(owner)
}

pub(crate) fn stop_signing(model: &Model, reason: &str) -> Vec<Fact> {
    let stopped = Fact::SigningStopped {
        reason: reason.to_owned(),
    };
    // Whatever else stopped it: another copy is to be looked for first.
    let another = reason == ANOTHER_COPY_RAN && !model.another_copy;
    if model.signing_stopped.is_none() || another {
        vec![stopped]
    } else {
        Vec::new()
    }
}

/// What charter and card of an RCP add to what is known of it. They may come from anybody.
///
/// # Errors
/// `BrokenChain` if the charter forks from the one known: it is not taken over.
pub fn identity(model: &Model, found: &Identity) -> Result<Vec<Fact>, Refusal> {
    let rcp = found.charter.rcp();
    let known = model.known.get(&rcp);
    let mut facts = Vec::new();
    let held = match known.map(|known| known.charter.compare(&found.charter)) {
        None => 0,
        Some(Relation::Same) => found.charter.events().len(),
        Some(Relation::Longer) if rcp == model.me => {
            return Ok(stop_signing(model, KEYS_PREDATE_A_ROTATION));
        }
        Some(Relation::Longer) => known.map_or(0, |known| known.charter.events().len()),
        Some(Relation::Shorter) => return Ok(Vec::new()),
        Some(Relation::Fork { .. }) if rcp == model.me => {
            return Ok(stop_signing(model, CHARTER_FORKED));
        }
        Some(Relation::Fork { .. } | Relation::OtherRcp) => {
            return Err(Refusal::new("charter", Reason::BrokenChain));
        }
    };
    for event in found.charter.events().iter().skip(held) {
        facts.push(Fact::KeyEvent {
            rcp,
            event: event.clone(),
        });
    }
    let newer = known
        .and_then(|known| known.card.as_ref())
        .is_none_or(|card| !facts.is_empty() || found.card.is_newer_than(card));
    if newer && rcp != model.me {
        facts.push(Fact::Card {
            rcp,
            card: found.card.signed().clone(),
        });
    }
    Ok(facts)
}

#[cfg(test)]
mod tests;
