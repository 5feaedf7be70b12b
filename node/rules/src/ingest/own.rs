//! Lines of our own logs that a reader gives back: this folder was restored, or set back.
//!
//! What extends our lines is taken as ours. What does not is void: its withdrawals and leaves
//! count, and what it published a person may publish again (PROTOCOL.md, "Restarts and clones").

use corridor_proto::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use corridor_proto::line::{Act, ReadLine, ReaderList, read_line, readers_hash};
use corridor_proto::package::{Package, VerifiedPackage};
use corridor_proto::tree::Frontier;
use corridor_proto::{LogId, LogSeed, RcpId, Reason, Refusal, v1, wire};

use super::lines::{check_restarts, named_bodies};
use crate::fact::Fact;
use crate::limits::LOGS_PER_RCP_MAX;
use crate::log::{Log, Sort};
use crate::model::Model;
use crate::peer::{Call, may_call};

/// Lines that may extend a log of ours, while nothing is signed here.
pub(super) fn lines(
    model: &Model,
    peer: &RcpId,
    seed: &LogSeed,
    message: &v1::Package,
) -> Result<Vec<Fact>, Refusal> {
    let refuse = |reason| Refusal::new("package", reason);
    if model.signing_stopped.is_none() || !may_call(model.peer_state(peer), Call::Send) {
        return Err(refuse(Reason::NotEntitled));
    }
    let id = LogId::derive(&model.me, seed);
    let known = model.logs.get(&id);
    if known.is_none() && model.own_logs().count() >= LOGS_PER_RCP_MAX {
        return Err(Refusal::new("log", Reason::TooLong));
    }
    let head = head(model, &id, message)?;
    if known.is_some_and(|log| head.checkpoint().incarnation < log.incarnation) {
        return Err(Refusal::new("checkpoint", Reason::WrongIncarnation));
    }
    let frontier = known
        .and_then(|log| log.tree.frontier_at(log.size()))
        .unwrap_or_default();
    if message.from < frontier.size() {
        return Ok(Vec::new());
    }
    let package = verify(message, &frontier, &head)?;
    let mut facts = Vec::new();
    if known.is_none() {
        facts.push(Fact::Circle {
            owner: model.me,
            seed: *seed,
            sort: Sort::Closed,
            name: recovered_name(model, &id, message),
        });
    }
    facts.push(Fact::Lines {
        log: id,
        from: message.from,
        lines: message.lines.clone(),
    });
    if package.frontier().size() == head.checkpoint().size {
        facts.push(Fact::Head {
            log: id,
            note: head.note().to_owned(),
        });
    }
    facts.extend(named_bodies(&model.me, &id, &package, &message.bodies)?);
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
    check_restarts(0, frontier, &package)?;
    Ok(package)
}

/// The head of a package of ours: signed by our current key.
///
/// # Errors
/// As [`SignedCheckpoint::verify_head`]; `WrongLog`.
pub(crate) fn head(
    model: &Model,
    id: &LogId,
    message: &v1::Package,
) -> Result<VerifiedCheckpoint, Refusal> {
    let charter = model.charter(&model.me);
    let charter = charter.ok_or_else(|| Refusal::new("package", Reason::WrongRcp))?;
    let head = SignedCheckpoint::parse(&message.checkpoint)?.verify_head(charter)?;
    if head.checkpoint().log != *id || message.log.as_slice() != id.as_bytes().as_slice() {
        return Err(Refusal::new("package", Reason::WrongLog));
    }
    Ok(head)
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

/// The name of a circle that this folder did not know: its readers' list has it, or nobody has.
fn recovered_name(model: &Model, id: &LogId, message: &v1::Package) -> String {
    let list = message.readers.as_ref().and_then(|readers| {
        let (salt, bytes) = wire::salted(readers.list.as_ref()?).ok()?;
        let line = read_line(&readers.line).ok()?;
        let list = readers_hash(&salt, bytes);
        let named = matches!(line, ReadLine::Line(line) if line.act == Act::Readers { list });
        ReaderList::decode(bytes).ok().filter(|_| named)
    });
    let name = list.map(|list| list.circle);
    let short: String = id.to_string().chars().take(6).collect();
    name.filter(|name| model.circle(name).is_none())
        .unwrap_or_else(|| format!("recovered-{short}"))
}
