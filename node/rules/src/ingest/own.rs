//! Lines of our own logs that a reader gives back: this folder was restored, or set back.
//!
//! What extends our lines is taken as ours. What does not is void: its withdrawals and leaves
//! count, and what it published a person may publish again (PROTOCOL.md, "Restarts and clones").

use corridor_proto::checkpoint::{Checkpoint, SignedCheckpoint, VerifiedCheckpoint};
use corridor_proto::line::ReaderList;
use corridor_proto::package::{Package, VerifiedPackage};
use corridor_proto::tree::Frontier;
use corridor_proto::{LogId, LogSeed, RcpId, Reason, Refusal, UnixMillis, v1, wire};

use super::lines::{check_restarts, named_bodies};
use crate::fact::{Fact, unblob};
use crate::limits::LOGS_PER_RCP_MAX;
use crate::log::{Log, Sort};
use crate::model::Model;
use crate::peer::{Call, may_call};
use crate::visibility::{Reader, may_read};

/// Lines that may extend a log of ours, while nothing is signed here.
pub(super) fn lines(
    model: &Model,
    peer: &RcpId,
    seed: &LogSeed,
    message: &v1::Package,
    now: UnixMillis,
) -> Result<Vec<Fact>, Refusal> {
    let refuse = |reason| Refusal::new("package", reason);
    if model.signing_stopped.is_none() || !may_call(model.peer_state(peer), Call::Send) {
        return Err(refuse(Reason::NotEntitled));
    }
    let id = LogId::derive(&model.me, seed);
    let known = model.logs.get(&id);
    let head = current_head(model, &id, message)?;
    if known.is_some_and(|log| head.checkpoint().incarnation < log.incarnation) {
        return Err(Refusal::new("checkpoint", Reason::WrongIncarnation));
    }
    let log = known.ok_or_else(|| refuse(Reason::WrongLog))?;
    let frontier = log.tree.frontier_at(message.from);
    let frontier = frontier.ok_or_else(|| refuse(Reason::OutOfOrder))?;
    let package = verify(message, &frontier, &head)?;
    // Several readers may give it back at once: what came already must be the same.
    let ours = log.size();
    let known = usize::try_from(ours - message.from).unwrap_or(usize::MAX);
    let mut fresh = differing(log, &package).map(|(at, _)| at);
    if fresh.next().is_some_and(|at| at < known) {
        return Err(refuse(Reason::BadProof));
    }
    let lines: Vec<Vec<u8>> = message.lines.iter().skip(known).cloned().collect();
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let mut facts = vec![Fact::Lines {
        log: id,
        from: ours,
        lines,
    }];
    if package.frontier().size() == head.checkpoint().size {
        facts.push(Fact::Head {
            log: id,
            note: head.note().to_owned(),
        });
    }
    let bodies = named_bodies(&model.me, &id, &package, &message.bodies)?;
    facts.extend(readers_since(log, &bodies, package.frontier().size(), now));
    facts.extend(bodies);
    Ok(facts)
}

/// What a newer list says of readers: those that it leaves out hold what they read before, and
/// those that it admits are former ones no more.
fn readers_since(log: &Log, bodies: &[Fact], size: u64, now: UnixMillis) -> Vec<Fact> {
    let newer = bodies.iter().find_map(|fact| match fact {
        Fact::List { blob, .. } => ReaderList::decode(unblob(blob)?.1).ok(),
        _ => None,
    });
    let Some(newer) = newer else {
        return Vec::new();
    };
    let stays = |rcp: &RcpId| newer.readers.iter().any(|(reader, _)| reader == rcp);
    let before = log.readers.iter().flat_map(|readers| &readers.list.readers);
    let dropped = before.filter(|(rcp, _)| !stays(rcp) && !log.former.contains_key(rcp));
    let dropped = dropped.map(|(rcp, _)| Fact::Former {
        log: log.id,
        rcp: *rcp,
        size,
    });
    let admitted = log.former.keys().filter(|rcp| newer.admits(rcp, now));
    let admitted = admitted.map(|rcp| Fact::Reader {
        log: log.id,
        rcp: *rcp,
    });
    dropped.chain(admitted).collect()
}

/// A peer showed a head of ours: a log that this folder does not know begins, an incarnation above
/// those known is noted, and a reader of which this folder does not know that it read is a former
/// one.
pub(super) fn shown(
    model: &Model,
    peer: &RcpId,
    seed: &LogSeed,
    claim: &Checkpoint,
    now: UnixMillis,
) -> Result<Vec<Fact>, Refusal> {
    let id = LogId::derive(&model.me, seed);
    let known = model.logs.get(&id);
    if known.is_none() && model.own_logs().count() >= LOGS_PER_RCP_MAX {
        return Err(Refusal::new("log", Reason::TooLong));
    }
    let mut facts = Vec::new();
    if known.is_none() {
        facts.push(Fact::Circle {
            owner: model.me,
            seed: *seed,
            sort: Sort::Closed,
            name: Log::recovered_name(&id),
        });
    }
    if claim.incarnation > known.map_or(0, |log| log.incarnation.max(log.shown)) {
        facts.push(Fact::Shown {
            log: id,
            incarnation: claim.incarnation,
        });
    }
    // Whether a list admits it is not known before the newest list is here.
    let is_known = |log: &Log| {
        let newest = log.readers.as_ref().map(|readers| readers.hash);
        log.sort != Sort::Open || newest == log.readers_line.map(|(_, hash)| hash)
    };
    let reads = |log: &Log| may_read(model, log, &Reader::Peer(*peer), now).is_ok();
    let is_new = |log: &Log| log.former.get(peer).is_none_or(|size| *size < claim.size);
    let read = known.is_none_or(|log| is_known(log) && !reads(log) && is_new(log));
    if read && claim.size > 0 {
        facts.push(Fact::Former {
            log: id,
            rcp: *peer,
            size: claim.size,
        });
    }
    Ok(facts)
}

/// Lines of a log of ours on another branch than ours. `frontier` is that branch's before them.
pub(super) fn void(
    model: &Model,
    peer: &RcpId,
    seed: &LogSeed,
    message: &v1::Package,
    frontier: &Frontier,
) -> Result<Vec<Fact>, Refusal> {
    if !may_call(model.peer_state(peer), Call::Send) {
        return Err(Refusal::new("package", Reason::NotEntitled));
    }
    let id = LogId::derive(&model.me, seed);
    let log = model.logs.get(&id);
    let log = log.ok_or_else(|| Refusal::new("package", Reason::WrongLog))?;
    let head = head(model, &id, message)?;
    let package = verify(message, frontier, &head)?;
    let lines: Vec<Vec<u8>> = differing(log, &package)
        .filter(|(at, _)| !log.void.leaves.contains(&package.leaves()[*at]))
        .map(|(_, line)| line.clone())
        .collect();
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let mut facts = vec![Fact::VoidLines { log: id, lines }];
    let bodies = named_bodies(&model.me, &id, &package, &message.bodies)?;
    let notes = bodies.into_iter();
    facts.extend(notes.filter(|fact| matches!(fact, Fact::Note { .. })));
    Ok(facts)
}

/// A package given back, verified as one of a peer's is.
///
/// # Errors
/// As [`Package::verify`].
pub(crate) fn verify(
    message: &v1::Package,
    frontier: &Frontier,
    head: &VerifiedCheckpoint,
) -> Result<VerifiedPackage, Refusal> {
    let package = Package {
        from: message.from,
        lines: message.lines.clone(),
        proof: wire::proof(&message.proof)?,
    }
    .verify(frontier, head.checkpoint())?;
    if message.bodies.len() > message.lines.len() {
        return Err(Refusal::new("package", Reason::TooLong));
    }
    check_restarts(0, frontier, &package)?;
    Ok(package)
}

/// The head of a package of ours, under a key of ours that is not declared compromised.
///
/// # Errors
/// As [`SignedCheckpoint::verify`]; `WrongLog`.
pub(crate) fn head(
    model: &Model,
    id: &LogId,
    message: &v1::Package,
) -> Result<VerifiedCheckpoint, Refusal> {
    let charter = model.charter(&model.me);
    let charter = charter.ok_or_else(|| Refusal::new("package", Reason::WrongRcp))?;
    let head = SignedCheckpoint::parse(&message.checkpoint)?.verify(charter)?;
    if head.checkpoint().log != *id || message.log.as_slice() != id.as_bytes().as_slice() {
        return Err(Refusal::new("package", Reason::WrongLog));
    }
    Ok(head)
}

/// The same, under the current key.
fn current_head(
    model: &Model,
    id: &LogId,
    message: &v1::Package,
) -> Result<VerifiedCheckpoint, Refusal> {
    let head = head(model, id, message)?;
    let current = model
        .charter(&model.me)
        .map(|charter| charter.current_seq());
    if Some(head.key_seq()) == current {
        Ok(head)
    } else {
        Err(Refusal::new("checkpoint", Reason::RetiredKey))
    }
}

/// The lines of a package that our log does not have at their index, each with its place in it.
pub(crate) fn differing<'a>(
    log: &'a Log,
    package: &'a VerifiedPackage,
) -> impl Iterator<Item = (usize, &'a Vec<u8>)> {
    let leaves = (package.from()..).zip(package.leaves());
    let lines = leaves.zip(package.lines()).enumerate();
    lines.filter_map(|(at, ((index, leaf), (line, _)))| {
        (log.tree.leaf(index) != Some(*leaf)).then_some((at, line))
    })
}

#[cfg(test)]
mod tests;
