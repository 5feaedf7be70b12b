//! What peers send, decided: what is taken in, and what is refused and why.
//!
//! The order in which things arrive, and how often, makes no difference to the state they lead to.
//! **Invariant:** a record is taken in only behind its line in a log of its owner that we were
//! given to read; a duplicate is no error.

use corridor_proto::charter::{Charter, Relation};
use corridor_proto::checkpoint::{Held, SignedCheckpoint, VerifiedCheckpoint};
use corridor_proto::limits::NOTE_BYTES_MAX;
use corridor_proto::line::{Act, ReadLine, ReaderList, note_hash, readers_hash};
use corridor_proto::package::{Package, VerifiedPackage};
use corridor_proto::record::{SignedRecord, VerifiedRecord};
use corridor_proto::tree::{leaf_hash, verify_inclusion};
use corridor_proto::wire::{self, Identity};
use corridor_proto::{
    Hash, LogId, LogSeed, RcpId, Reason, RecordId, Refusal, StartNumber, UnixMillis, v1,
};

use crate::fact::{Fact, blob};
use crate::limits::LOGS_PER_RCP_MAX;
use crate::log::{Log, Sort};
use crate::model::{Model, Rows};
use crate::peer::{Call, may_call};
use crate::row::RecordKey;
use crate::visibility::{Reader, may_read};

/// Something that came from a peer.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// Its charter and card.
    Identity(Box<Identity>),
    /// The number of its present start.
    Start {
        /// Whose.
        rcp: RcpId,
        /// The number.
        number: StartNumber,
    },
    /// Lines of one of its logs.
    Package {
        /// From whom.
        peer: RcpId,
        /// Seed of the log's identifier.
        seed: LogSeed,
        /// The lines.
        package: Box<v1::Package>,
    },
    /// A head that signs again what is held: its RCP's key was replaced.
    Head {
        /// From whom.
        peer: RcpId,
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
    /// A receipt.
    Held {
        /// From whom.
        peer: RcpId,
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
        Arrival::Identity(found) => identity(model, found),
        Arrival::Start { rcp, number } => Ok(match model.peers.get(rcp) {
            Some(peer) if peer.start != *number => {
                vec![Fact::PeerStart {
                    rcp: *rcp,
                    number: *number,
                }]
            }
            _ => Vec::new(),
        }),
        Arrival::Package {
            peer,
            seed,
            package,
        } => lines(model, peer, seed, package, now),
        Arrival::Head { peer, note } => head_again(model, peer, note),
        Arrival::Records { peer, log, records } => records_of(model, rows, peer, log, records),
        Arrival::Bad {
            rcp,
            record,
            version_hash,
            reason,
        } => Ok(vec![Fact::Quarantine {
            rcp: *rcp,
            record: *record,
            version_hash: *version_hash,
            reason: reason.code().to_owned(),
        }]),
        Arrival::Held { peer, note } => receipt(model, peer, note, now),
        Arrival::StopSigning { reason } if model.signing_stopped.is_none() => {
            Ok(vec![Fact::SigningStopped {
                reason: (*reason).to_owned(),
            }])
        }
        Arrival::StopSigning { .. } => Ok(Vec::new()),
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
            return Ok(vec![Fact::SigningStopped {
                reason: KEYS_PREDATE_A_ROTATION.to_owned(),
            }]);
        }
        Some(Relation::Longer) => known.map_or(0, |known| known.charter.events().len()),
        Some(Relation::Shorter) => return Ok(Vec::new()),
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

fn lines(
    model: &Model,
    peer: &RcpId,
    seed: &LogSeed,
    message: &v1::Package,
    now: UnixMillis,
) -> Result<Vec<Fact>, Refusal> {
    let refuse = |reason| Refusal::new("package", reason);
    let id = LogId::derive(peer, seed);
    if message.log.as_slice() != id.as_bytes().as_slice() {
        return Err(refuse(Reason::WrongLog));
    }
    if *peer == model.me || !may_call(model.peer_state(peer), Call::Send) {
        return Err(refuse(Reason::NotEntitled));
    }
    let charter = model
        .charter(peer)
        .ok_or_else(|| refuse(Reason::WrongRcp))?;
    let known = model.logs.get(&id);
    let opened = model.logs.values().filter(|log| log.owner == *peer).count();
    if known.is_none() && opened >= LOGS_PER_RCP_MAX {
        return Err(Refusal::new("log", Reason::TooLong));
    }
    let head = target(model, known, message, charter, &id)?;
    let frontier = known
        .and_then(|log| log.tree.frontier_at(log.size()))
        .unwrap_or_default();
    if message.from < frontier.size() {
        return Ok(Vec::new());
    }
    let package = Package {
        from: message.from,
        lines: message.lines.clone(),
        proof: wire::proof(&message.proof)?,
    }
    .verify(&frontier, head.checkpoint())?;
    let mut facts = Vec::new();
    if known.is_none() {
        facts.push(first_seen(peer, seed));
    }
    if let Some(list) = first_readers(model, known, &package, message, &head, now)? {
        facts.push(Fact::List {
            log: id,
            hash: list.0,
            blob: list.1,
        });
    }
    facts.push(Fact::Lines {
        log: id,
        from: message.from,
        lines: message.lines.clone(),
    });
    if !message.checkpoint.is_empty() {
        facts.push(Fact::Head {
            log: id,
            note: head.note().to_owned(),
        });
    }
    facts.extend(named_bodies(peer, &id, &package, &message.bodies)?);
    Ok(facts)
}

fn head_again(model: &Model, peer: &RcpId, note: &[u8]) -> Result<Vec<Fact>, Refusal> {
    let refuse = |reason| Refusal::new("checkpoint", reason);
    let charter = model
        .charter(peer)
        .ok_or_else(|| refuse(Reason::WrongRcp))?;
    let head = SignedCheckpoint::parse(note)?.verify_head(charter)?;
    let claim = head.checkpoint();
    let log = model.logs.get(&claim.log).filter(|log| log.owner == *peer);
    let log = log.ok_or_else(|| refuse(Reason::WrongLog))?;
    if claim.incarnation != log.incarnation || log.tree.root_at(claim.size) != Some(claim.root) {
        return Err(refuse(Reason::BadProof));
    }
    let known = log
        .head
        .as_ref()
        .map(|head| (head.checkpoint.size, head.key_seq));
    if claim.size != log.size() || known == Some((claim.size, head.key_seq())) {
        return Ok(Vec::new());
    }
    Ok(vec![Fact::Head {
        log: claim.log,
        note: head.note().to_owned(),
    }])
}

/// A log of a peer's that is new here: whether it is open, its first line says.
fn first_seen(owner: &RcpId, seed: &LogSeed) -> Fact {
    let sort = if seed.is_zero() {
        Sort::Public
    } else {
        Sort::Closed
    };
    Fact::Circle {
        owner: *owner,
        seed: *seed,
        sort,
        name: String::new(),
    }
}

/// The head that a package is proved to. One that is not yet reached is never replaced.
fn target(
    model: &Model,
    known: Option<&Log>,
    message: &v1::Package,
    charter: &Charter,
    id: &LogId,
) -> Result<VerifiedCheckpoint, Refusal> {
    let refuse = |reason| Refusal::new("checkpoint", reason);
    let pending = known.and_then(|log| log.pending(model));
    let note = match pending {
        Some(head) if message.checkpoint.is_empty() => head.note.as_bytes(),
        _ => message.checkpoint.as_slice(),
    };
    let head = SignedCheckpoint::parse(note)?.verify_head(charter)?;
    let checkpoint = head.checkpoint();
    if checkpoint.log != *id {
        return Err(refuse(Reason::WrongLog));
    }
    if known.is_some_and(|log| checkpoint.incarnation < log.incarnation) {
        return Err(refuse(Reason::WrongIncarnation));
    }
    if pending.is_some_and(|head| head.checkpoint != *checkpoint) {
        return Err(refuse(Reason::OutOfOrder));
    }
    Ok(head)
}

/// Before a single line of an open-list log is taken: are we in its newest list?
fn first_readers(
    model: &Model,
    known: Option<&Log>,
    package: &VerifiedPackage,
    message: &v1::Package,
    head: &VerifiedCheckpoint,
    now: UnixMillis,
) -> Result<Option<(Hash, Vec<u8>)>, Refusal> {
    let opens = package.from() == 0
        && matches!(package.lines().first(), Some((_, ReadLine::Line(line)))
            if matches!(line.act, Act::Readers { .. }));
    if known.is_some() || !opens {
        return Ok(None);
    }
    let refuse = |reason| Refusal::new("reader list", reason);
    let proof = message
        .readers
        .as_ref()
        .ok_or_else(|| refuse(Reason::Truncated))?;
    let head = head.checkpoint();
    let leaf = leaf_hash(&proof.line);
    verify_inclusion(
        &leaf,
        proof.index,
        head.size,
        &head.root,
        &wire::proof(&proof.proof)?,
    )?;
    let Ok(ReadLine::Line(line)) = corridor_proto::line::read_line(&proof.line) else {
        return Err(refuse(Reason::Malformed));
    };
    let Act::Readers { list: hash } = line.act else {
        return Err(refuse(Reason::Malformed));
    };
    let (salt, bytes) = wire::salted(
        proof
            .list
            .as_ref()
            .ok_or_else(|| refuse(Reason::Truncated))?,
    )?;
    if readers_hash(&salt, bytes) != hash {
        return Err(refuse(Reason::WrongHash));
    }
    if !ReaderList::decode(bytes)?.admits(&model.me, now) {
        return Err(refuse(Reason::NotEntitled));
    }
    Ok(Some((hash, blob(&salt, bytes))))
}

/// Lists and notes that the lines of a package name; what nothing names is left out.
fn named_bodies(
    rcp: &RcpId,
    id: &LogId,
    package: &VerifiedPackage,
    bodies: &[v1::SaltedBody],
) -> Result<Vec<Fact>, Refusal> {
    let mut list = Hash::ZERO;
    let mut notes = Vec::new();
    for (_, line) in package.lines() {
        match line {
            ReadLine::Line(line) => match line.act {
                Act::Readers { list: hash } => list = hash,
                Act::Withdraw(withdrawal) => notes.push(withdrawal.note),
                _ => {}
            },
            ReadLine::NotUnderstood { .. } => {}
        }
    }
    let mut facts = Vec::new();
    for message in bodies {
        let (salt, bytes) = wire::salted(message)?;
        let as_note = note_hash(&salt, bytes);
        if bytes.len() > NOTE_BYTES_MAX && notes.contains(&as_note) {
            return Err(Refusal::new("note", Reason::TooLong));
        }
        if readers_hash(&salt, bytes) == list && ReaderList::decode(bytes).is_ok() {
            facts.push(Fact::List {
                log: *id,
                hash: list,
                blob: blob(&salt, bytes),
            });
        } else if notes.contains(&as_note) {
            facts.push(Fact::Note {
                rcp: *rcp,
                hash: as_note,
                blob: blob(&salt, bytes),
            });
        }
    }
    Ok(facts)
}

/// Verifies the signatures of records that came; the costly part, done before the one writer.
pub fn verify_records(
    charter: &Charter,
    records: Vec<(u64, Result<SignedRecord, Refusal>)>,
) -> Vec<(u64, Result<VerifiedRecord, Refusal>)> {
    records
        .into_iter()
        .map(|(index, record)| (index, record.and_then(|record| record.verify(charter))))
        .collect()
}

fn records_of(
    model: &Model,
    rows: &dyn Rows,
    peer: &RcpId,
    id: &LogId,
    records: &[(u64, VerifiedRecord)],
) -> Result<Vec<Fact>, Refusal> {
    let refuse = |reason| Refusal::new("record", reason);
    if !may_call(model.peer_state(peer), Call::Send) {
        return Err(refuse(Reason::NotEntitled));
    }
    let log = model.logs.get(id).filter(|log| log.owner == *peer);
    let log = log.ok_or_else(|| refuse(Reason::NotEntitled))?;
    let mut facts: Vec<Fact> = Vec::with_capacity(records.len());
    for (index, record) in records {
        let header = record.header();
        if header.rcp != log.owner {
            return Err(refuse(Reason::WrongRcp));
        }
        let row = rows.row(&RecordKey {
            rcp: header.rcp,
            record: header.record,
        });
        let wanted = row.as_ref().and_then(|row| {
            let stand = row.stand(id).filter(|stand| stand.index == *index)?;
            (stand.version == header.version
                && stand.version_hash == record.version_hash()
                && row.wants(stand))
            .then_some(())
        });
        if wanted.is_some() {
            let signed = record.signed();
            facts.push(Fact::Record {
                header: signed.header.clone(),
                blob: blob(&signed.salt, &signed.body),
            });
        }
    }
    Ok(facts)
}

fn receipt(
    model: &Model,
    peer: &RcpId,
    note: &[u8],
    now: UnixMillis,
) -> Result<Vec<Fact>, Refusal> {
    let refuse = |reason| Refusal::new("held cosignature", reason);
    if !may_call(model.peer_state(peer), Call::SendHeld) {
        return Err(refuse(Reason::NotEntitled));
    }
    let charter = model
        .charter(peer)
        .ok_or_else(|| refuse(Reason::WrongRcp))?;
    let held = Held::verify(note, charter)?;
    let log = model
        .logs
        .get(&held.checkpoint.log)
        .filter(|log| log.owner == model.me);
    let log = log.ok_or_else(|| refuse(Reason::NotEntitled))?;
    // Whoever read the log may hold it, though its right has ended.
    let listed = log.readers.as_ref().is_some_and(|readers| {
        let mut list = readers.list.readers.iter();
        list.any(|(reader, _)| reader == peer)
    });
    let entitled = may_read(model, log, &Reader::Peer(*peer), now).is_ok();
    if !entitled && !listed && !log.former.contains_key(peer) {
        return Err(refuse(Reason::NotEntitled));
    }
    if log.incarnation != held.checkpoint.incarnation
        || log.tree.root_at(held.checkpoint.size) != Some(held.checkpoint.root)
    {
        return Err(refuse(Reason::BadProof));
    }
    let newer = model
        .held
        .get(&(log.id, *peer))
        .is_none_or(|old| (old.checkpoint.size, old.time_s) < (held.checkpoint.size, held.time_s));
    let note = String::from_utf8(note.to_vec()).map_err(|_| refuse(Reason::Malformed))?;
    Ok(if newer {
        vec![Fact::Held {
            holder: *peer,
            note,
        }]
    } else {
        Vec::new()
    })
}
