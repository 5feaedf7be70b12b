//! Receipts: what readers say they hold of our logs.

use corridor_proto::checkpoint::Held;
use corridor_proto::{RcpId, Reason, Refusal, UnixMillis};

use crate::fact::Fact;
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
