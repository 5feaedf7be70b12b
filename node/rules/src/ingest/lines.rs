//! Lines and heads of a peer's logs.

use std::collections::BTreeSet;

use corridor_proto::charter::Charter;
use corridor_proto::checkpoint::{Checkpoint, SignedCheckpoint, VerifiedCheckpoint};
use corridor_proto::limits::NOTE_BYTES_MAX;
use corridor_proto::line::{Act, Line, ReadLine, ReaderList, note_hash, readers_hash};
use corridor_proto::package::{Package, VerifiedPackage};
use corridor_proto::tree::{Frontier, leaf_hash, verify_inclusion};
use corridor_proto::{Hash, LogId, LogSeed, RcpId, Reason, Refusal, UnixMillis, v1, wire};

use super::{may_give, own};
use crate::brake;
use crate::fact::{Fact, blob};
use crate::limits::{LOGS_PER_RCP_MAX, RESTARTS_MAX};
use crate::log::{Head, Log, Sort};
use crate::model::{Model, Rows};

/// Lines of a log of the peer's, or of one that it passes on, proved to a head of its owner's.
pub(super) fn lines(
    model: &Model,
    rows: &dyn Rows,
    (peer, owner): (&RcpId, &RcpId),
    seed: &LogSeed,
    message: &v1::Package,
    now: UnixMillis,
) -> Result<Vec<Fact>, Refusal> {
    let refuse = |reason| Refusal::new("package", reason);
    let id = LogId::derive(owner, seed);
    if message.log.as_slice() != id.as_bytes().as_slice() {
        return Err(refuse(Reason::WrongLog));
    }
    if *owner == model.me || !may_give(model, peer, owner) {
        return Err(refuse(Reason::NotEntitled));
    }
    let charter = model.charter(owner);
    let charter = charter.ok_or_else(|| refuse(Reason::WrongRcp))?;
    let known = model.logs.get(&id);
    if known.is_none() {
        room_for_a_log(model, owner)?;
    }
    let head = target(model, known, message, charter, &id)?;
    let is_rewound = rewinds(known, message.from, head.checkpoint())?;
    if known.is_some_and(|log| waits_for_a_person(log, head.checkpoint(), is_rewound)) {
        return Ok(Vec::new());
    }
    let Some(package) = continued(known.filter(|_| !is_rewound), message, head.checkpoint())?
    else {
        return Ok(Vec::new());
    };
    let mut facts = Vec::new();
    if known.is_none() {
        facts.push(first_seen(owner, seed));
    }
    if is_rewound {
        facts.push(Fact::Rewound { log: id });
    }
    let list = newest_readers(model, known, &package, message, &head, now)?;
    if peer != owner && !relays(known, list.as_ref()) {
        return Err(refuse(Reason::NotEntitled));
    }
    let proved_at = list.as_ref().map(|proved| proved.index);
    facts.extend(list.and_then(|proved| proved.fresh));
    facts.extend(brake::count(rows, owner, &id, package.lines(), now));
    facts.push(Fact::Lines {
        log: id,
        from: package.from(),
        lines: package
            .lines()
            .iter()
            .map(|(line, _)| line.clone())
            .collect(),
    });
    if !message.checkpoint.is_empty() {
        facts.push(Fact::Head {
            log: id,
            note: head.note().to_owned(),
        });
    }
    if message.bodies.len() > message.lines.len() {
        return Err(refuse(Reason::TooLong));
    }
    let bodies = named_bodies(owner, &id, &package, &message.bodies)?;
    // Where a newer list was proved, the one that a line of the package names counts no more.
    let is_older =
        |fact: &Fact| matches!(fact, Fact::List { .. }) && proved_at > last_readers(&package);
    facts.extend(bodies.into_iter().filter(|fact| !is_older(fact)));
    Ok(facts)
}

/// Whether the newest list lets its readers pass the log on.
fn relays(known: Option<&Log>, proved: Option<&ProvedReaders>) -> bool {
    proved.map_or_else(|| known.is_some_and(Log::is_relayed), |proved| proved.relay)
}

/// Index of the last readers line of a package.
fn last_readers(package: &VerifiedPackage) -> Option<u64> {
    let lines = (package.from()..).zip(package.lines());
    let readers = lines.filter(|(_, (_, line))| {
        matches!(line, ReadLine::Line(line) if matches!(line.act, Act::Readers { .. }))
    });
    readers.map(|(index, _)| index).last()
}

fn room_for_a_log(model: &Model, owner: &RcpId) -> Result<(), Refusal> {
    let logs = model.logs.values();
    if logs.filter(|log| log.owner == *owner).count() >= LOGS_PER_RCP_MAX {
        return Err(Refusal::new("log", Reason::TooLong));
    }
    Ok(())
}

/// Whether a frozen log goes on with a restart that nobody accepted yet, or not from its first
/// line.
fn waits_for_a_person(log: &Log, head: &Checkpoint, is_rewound: bool) -> bool {
    let is_followed = is_rewound && log.follows_restarts();
    log.is_frozen() && head.incarnation > log.incarnation && !is_followed
}

/// Whether a package begins a log anew that was restarted on another branch.
fn rewinds(known: Option<&Log>, from: u64, head: &Checkpoint) -> Result<bool, Refusal> {
    // Once it has begun for this restart it goes on from where it is.
    let has_begun = |log: &Log| {
        let taken = log.head.as_ref().map(|head| head.checkpoint.incarnation);
        log.retaken && taken >= Some(head.incarnation)
    };
    let is_other = |log: &&Log| {
        head.incarnation > log.incarnation && from == 0 && log.size() > 0 && !has_begun(log)
    };
    let Some(log) = known.filter(is_other) else {
        return Ok(false);
    };
    if log.rewinds >= RESTARTS_MAX {
        return Err(Refusal::new("log", Reason::TooLong));
    }
    Ok(true)
}

/// The lines of a package, verified behind those of a log; `None` if they were taken before.
fn continued(
    known: Option<&Log>,
    message: &v1::Package,
    head: &Checkpoint,
) -> Result<Option<VerifiedPackage>, Refusal> {
    let frontier = known
        .and_then(|log| log.tree.frontier_at(log.size()))
        .unwrap_or_default();
    // What is held already is passed over: relays and the owner may give the same.
    let held = frontier.size().saturating_sub(message.from);
    let held = usize::try_from(held).unwrap_or(usize::MAX);
    if held > 0 && held >= message.lines.len() {
        return Ok(None);
    }
    let package = Package {
        from: message.from.max(frontier.size()),
        lines: message.lines.iter().skip(held).cloned().collect(),
        proof: wire::proof(&message.proof)?,
    }
    .verify(&frontier, head)?;
    check_restarts(
        known.map_or(0, |log| log.restarts.len()),
        &frontier,
        &package,
    )?;
    let is_reached = package.frontier().size() == head.size;
    if is_reached && head.incarnation != incarnation_after(known, &package) {
        return Err(Refusal::new("checkpoint", Reason::WrongIncarnation));
    }
    Ok(Some(package))
}

/// Lines of a second history of a log that forked: what they withdraw and let leave counts.
/// `frontier` is that history before them.
pub(super) fn branch(
    model: &Model,
    rows: &dyn Rows,
    (peer, owner): (&RcpId, &RcpId),
    id: &LogId,
    message: &v1::Package,
    frontier: &Frontier,
    now: UnixMillis,
) -> Result<Vec<Fact>, Refusal> {
    let refuse = |reason| Refusal::new("package", reason);
    if *owner == model.me || !may_give(model, peer, owner) {
        return Err(refuse(Reason::NotEntitled));
    }
    let charter = model.charter(owner);
    let charter = charter.ok_or_else(|| refuse(Reason::WrongRcp))?;
    let log = model.logs.get(id).filter(|log| log.owner == *owner);
    let log = log.ok_or_else(|| refuse(Reason::WrongLog))?;
    let head = SignedCheckpoint::parse(&message.checkpoint)?.verify(charter)?;
    if head.checkpoint().log != *id {
        return Err(refuse(Reason::WrongLog));
    }
    let package = own::verify(message, frontier, &head)?;
    let takes = |line: &ReadLine| {
        matches!(line, ReadLine::Line(line)
            if matches!(line.act, Act::Withdraw(_) | Act::Leave { .. }))
    };
    let lines = own::differing(log, &package).filter(|(at, _)| {
        takes(&package.lines()[*at].1) && !log.branch.contains(&package.leaves()[*at])
    });
    let lines: Vec<(Vec<u8>, ReadLine)> =
        lines.map(|(at, _)| package.lines()[at].clone()).collect();
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let counted = brake::count(rows, owner, id, &lines, now);
    let lines = lines.into_iter().map(|(line, _)| line).collect();
    let bodies = named_bodies(owner, id, &package, &message.bodies)?;
    let notes = bodies.into_iter();
    let notes = notes.filter(|fact| matches!(fact, Fact::Note { .. }));
    let taken = Fact::BranchLines { log: *id, lines };
    Ok(counted.into_iter().chain([taken]).chain(notes).collect())
}

/// A head that signs again what is held.
pub(super) fn head_again(
    model: &Model,
    peer: &RcpId,
    owner: &RcpId,
    note: &[u8],
) -> Result<Vec<Fact>, Refusal> {
    let refuse = |reason| Refusal::new("checkpoint", reason);
    if !may_give(model, peer, owner) {
        return Err(refuse(Reason::NotEntitled));
    }
    let charter = model
        .charter(owner)
        .ok_or_else(|| refuse(Reason::WrongRcp))?;
    let head = SignedCheckpoint::parse(note)?.verify_head(charter)?;
    let claim = head.checkpoint();
    let log = model.logs.get(&claim.log).filter(|log| log.owner == *owner);
    let log = log.ok_or_else(|| refuse(Reason::WrongLog))?;
    if log.pending(model).is_some() {
        return Err(refuse(Reason::OutOfOrder));
    }
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

/// The incarnation of a log behind a package: only a restart line opens a new one.
fn incarnation_after(known: Option<&Log>, package: &VerifiedPackage) -> u64 {
    let restarts = package.lines().iter().map(|(_, line)| match line {
        ReadLine::Line(line) => match line.act {
            Act::Restart { incarnation, .. } => incarnation,
            _ => 0,
        },
        ReadLine::NotUnderstood { .. } => 0,
    });
    restarts.fold(known.map_or(0, |log| log.incarnation), u64::max)
}

/// A restart line names the prefix that it follows, and there are not too many; `before` is how
/// many the lines held have.
pub(super) fn check_restarts(
    before: usize,
    held: &Frontier,
    package: &VerifiedPackage,
) -> Result<(), Refusal> {
    let mut frontier = held.clone();
    let mut restarts = before;
    for ((_, line), leaf) in package.lines().iter().zip(package.leaves()) {
        if let ReadLine::Line(Line {
            act: Act::Restart { size, root, .. },
            ..
        }) = line
        {
            restarts += 1;
            if restarts > RESTARTS_MAX {
                return Err(Refusal::new("restart line", Reason::TooLong));
            }
            if (*size, *root) != (frontier.size(), frontier.root()) {
                return Err(Refusal::new("restart line", Reason::BadProof));
            }
        }
        frontier.push(*leaf)?;
    }
    Ok(())
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
    // What was pending may never come once the log was restarted.
    let stays = |head: &&Head| checkpoint.incarnation <= head.checkpoint.incarnation;
    if pending
        .filter(stays)
        .is_some_and(|head| head.checkpoint != *checkpoint)
    {
        return Err(refuse(Reason::OutOfOrder));
    }
    Ok(head)
}

/// The newest list of an open log, proved.
struct ProvedReaders {
    /// Index of the line that names it.
    index: u64,
    /// Whether its readers may pass the log on.
    relay: bool,
    /// The list, if it is not here yet.
    fresh: Option<Fact>,
}

/// Before a single line of an open-list log is taken, and whenever it is pulled again: are we in
/// its newest list?
fn newest_readers(
    model: &Model,
    known: Option<&Log>,
    package: &VerifiedPackage,
    message: &v1::Package,
    head: &VerifiedCheckpoint,
    now: UnixMillis,
) -> Result<Option<ProvedReaders>, Refusal> {
    let opens = package.from() == 0
        && matches!(package.lines().first(), Some((_, ReadLine::Line(line)))
            if matches!(line.act, Act::Readers { .. }));
    let refuse = |reason| Refusal::new("reader list", reason);
    let is_open = known.map_or(opens, |log| log.sort == Sort::Open);
    let proof = match &message.readers {
        Some(_) if !is_open => return Err(refuse(Reason::Malformed)),
        None if known.is_none() && opens => return Err(refuse(Reason::Truncated)),
        None => return Ok(None),
        Some(proof) => proof,
    };
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
    let list = ReaderList::decode(bytes)?;
    if !list.admits(&model.me, now) {
        return Err(refuse(Reason::NotEntitled));
    }
    let held = known.and_then(|log| log.readers.as_ref());
    let newer = known.and_then(|log| log.readers_line);
    // One that a later line replaced, which is here, counts no more.
    let is_held = held.is_some_and(|readers| readers.hash == hash)
        || newer.is_some_and(|(index, _)| proof.index < index);
    Ok(Some(ProvedReaders {
        index: proof.index,
        relay: list.relay,
        fresh: (!is_held).then(|| Fact::List {
            log: head.log,
            hash,
            blob: blob(&salt, bytes),
        }),
    }))
}

/// Lists and notes that the lines of a package name; what nothing names is left out.
pub(super) fn named_bodies(
    rcp: &RcpId,
    id: &LogId,
    package: &VerifiedPackage,
    bodies: &[v1::SaltedBody],
) -> Result<Vec<Fact>, Refusal> {
    let mut list = Hash::ZERO;
    let mut notes = BTreeSet::new();
    for (_, line) in package.lines() {
        match line {
            ReadLine::Line(line) => match line.act {
                Act::Readers { list: hash } => list = hash,
                Act::Withdraw(withdrawal) => {
                    notes.insert(withdrawal.note);
                }
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
            list = Hash::ZERO;
        } else if notes.remove(&as_note) {
            facts.push(Fact::Note {
                rcp: *rcp,
                hash: as_note,
                blob: blob(&salt, bytes),
            });
        }
    }
    Ok(facts)
}

#[cfg(test)]
mod branches;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod tests;
