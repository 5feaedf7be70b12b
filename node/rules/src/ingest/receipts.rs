//! Receipts: what readers say they hold of our logs.

use corridor_proto::checkpoint::Held;
use corridor_proto::{RcpId, Reason, Refusal, UnixMillis};

use crate::fact::Fact;
use crate::limits::{HELD_AHEAD_S_MAX, HELD_INTERVAL_S};
use crate::model::Model;
use crate::peer::{Call, may_call};
use crate::visibility::{Reader, may_read};

/// A receipt of a reader, present or former, for a log of ours.
pub(super) fn receipt(
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
    // Of lines that a restart made void nothing needs to be known.
    if held.checkpoint.incarnation < log.incarnation {
        return Ok(Vec::new());
    }
    if log.incarnation != held.checkpoint.incarnation
        || log.tree.root_at(held.checkpoint.size) != Some(held.checkpoint.root)
    {
        return Err(refuse(Reason::BadProof));
    }
    if held.time_s > now.0 / 1_000 + HELD_AHEAD_S_MAX {
        return Err(refuse(Reason::OutOfOrder));
    }
    // One that says nothing new is news of its time only, which the clock paces.
    let newer = model.held.get(&(log.id, *peer)).is_none_or(|old| {
        let order = |held: &Held| (held.checkpoint.size, held.time_s / HELD_INTERVAL_S);
        order(old) < order(&held)
    });
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
