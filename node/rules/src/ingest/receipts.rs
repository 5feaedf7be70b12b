//! Receipts: what readers say they hold of our logs, and what is passed on of others' logs.

use corridor_proto::checkpoint::Held;
use corridor_proto::{RcpId, Reason, Refusal, UnixMillis};

use crate::fact::Fact;
use crate::limits::{HELD_AHEAD_S_MAX, HELD_INTERVAL_S};
use crate::log::Log;
use crate::model::Model;
use crate::peer::{Call, may_call};
use crate::visibility::{Reader, may_read};

const WHAT: &str = "held cosignature";

/// A receipt for a log of `owner`, by the peer itself or passed on by it.
pub(super) fn receipt(
    model: &Model,
    peer: &RcpId,
    owner: &RcpId,
    note: &[u8],
    now: UnixMillis,
) -> Result<Vec<Fact>, Refusal> {
    let refuse = |reason| Refusal::new(WHAT, reason);
    if !may_call(model.peer_state(peer), Call::SendHeld) {
        return Err(refuse(Reason::NotEntitled));
    }
    let (holder, _) = Held::claimed(note)?;
    let is_passed_on = holder != *peer;
    let Some(charter) = model.charter(&holder) else {
        // The peer may know readers that we do not.
        return Ok(Vec::new());
    };
    let held = match Held::verify(note, charter) {
        // What a third RCP is to us is nothing that a refusal should tell.
        Err(_) if is_passed_on => return Ok(Vec::new()),
        held => held?,
    };
    let is_ours = *owner == model.me;
    // It may have more of another RCP's logs than we, and of ours than a folder that was set back.
    let is_known = is_ours && model.signing_stopped.is_none();
    let log = model.logs.get(&held.checkpoint.log);
    let Some(log) = log.filter(|log| log.owner == *owner) else {
        return known_only(is_known, || refuse(Reason::NotEntitled));
    };
    let may_pass = log.is_relayed() && (peer == owner || log.lists(peer));
    let holds = if is_ours {
        may_hold(model, log, &holder, now) && (!is_passed_on || may_pass)
    } else {
        may_pass && (holder == *owner || log.lists(&holder)) && holder != model.me
    };
    if !holds {
        return known_only(is_known, || refuse(Reason::NotEntitled));
    }
    // Of lines that a restart made void nothing needs to be known.
    if held.checkpoint.incarnation < log.incarnation {
        return Ok(Vec::new());
    }
    if log.incarnation != held.checkpoint.incarnation
        || log.tree.root_at(held.checkpoint.size) != Some(held.checkpoint.root)
    {
        return known_only(is_known, || refuse(Reason::BadProof));
    }
    if held.time_s > now.0 / 1_000 + HELD_AHEAD_S_MAX {
        return Err(refuse(Reason::OutOfOrder));
    }
    let key = (log.id, holder);
    let before = if is_ours {
        model.held.get(&key)
    } else {
        model.passing.get(&key).map(|receipt| &receipt.held)
    };
    // One that says nothing new is news of its time only, which the clock paces.
    let order = |held: &Held| {
        let held_to = (held.checkpoint.incarnation, held.checkpoint.size);
        (held_to, held.time_s / HELD_INTERVAL_S)
    };
    if before.is_some_and(|before| order(before) >= order(&held)) {
        return Ok(Vec::new());
    }
    let note = String::from_utf8(note.to_vec()).map_err(|_| refuse(Reason::Malformed))?;
    Ok(vec![Fact::Held { holder, note }])
}

/// Nothing new, or a refusal where we ought to know.
fn known_only(is_known: bool, refusal: impl Fn() -> Refusal) -> Result<Vec<Fact>, Refusal> {
    if is_known {
        Err(refusal())
    } else {
        Ok(Vec::new())
    }
}

/// Whoever read a log of ours may hold it, though its right has ended.
fn may_hold(model: &Model, log: &Log, holder: &RcpId, now: UnixMillis) -> bool {
    let entitled = may_read(model, log, &Reader::Peer(*holder), now).is_ok();
    may_call(model.peer_state(holder), Call::SendHeld)
        && (entitled || log.lists(holder) || log.former.contains_key(holder))
}

#[cfg(test)]
mod tests;
