//! The one function that answers "may this reader read this circle now".
//!
//! Sync, preview, search, API, counts and error texts all ask [`may_read`]; only who is told of
//! evidence is decided by the list alone, by [`may_compare`]. **Invariant:** nothing else decides,
//! and an empty or unknown audience is nobody.

use corridor_proto::{LogId, RcpId, UnixMillis};

use crate::log::{Log, Sort};
use crate::model::Model;
use crate::peer::{Call, PeerState, may_call};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The RCP's own secretariat, at its own node.
    Secretariat,
    /// Another RCP's node.
    Peer(RcpId),
    /// Anybody, or a token that names no circle.
    Anyone,
}

/// Why a circle may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// It is our own circle, and we ask ourselves.
    Own,
    /// It was shared with us.
    Received,
    /// It is public.
    Public,
    /// The reader is in the circle's list.
    Listed,
    /// It is the reader's private circle.
    Private,
    /// It is the reader's own log.
    ItsOwn,
    /// It is in the owner's list, and the owner lets readers pass the circle on.
    Relayed,
}

/// Why a circle may not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The reader is no peer, or not yet.
    NoPeer,
    /// The reader's safety number is not confirmed here: only `public` flows.
    Unconfirmed,
    /// The peer is paused: only withdrawals flow.
    Paused,
    /// The peer was left: only withdrawals flow.
    Left,
    /// The reader is not in the circle's list, or its right has ended.
    NotListed,
    /// The circle is another RCP's, and not ours to pass on.
    NotOurs,
    /// The circle's owner is not confirmed here, or not known.
    UnconfirmedOwner,
    /// The circle came out of a backup, and was not yet compared with its owner's.
    NotCompared,
}

impl Denial {
    /// The sentence for a secretariat.
    pub const fn says(self) -> &'static str {
        match self {
            Self::NoPeer => "is not a partner yet",
            Self::Unconfirmed => "waits for its safety number to be confirmed here",
            Self::Paused => "is paused here, so only withdrawals reach it",
            Self::Left => "was left, so only withdrawals reach it",
            Self::NotListed => "is not among the readers of this circle",
            Self::NotOurs => "cannot get another RCP's circle from here",
            Self::NotCompared => "must wait until this circle was compared with its owner's",
            Self::UnconfirmedOwner => "would need the owner's safety number confirmed here",
        }
    }
}

impl Grant {
    /// The sentence for a secretariat.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Own => "this is its own node",
            Self::Received => "it was shared with this node",
            Self::Public => "the circle is public",
            Self::Listed => "it is among the readers of this circle",
            Self::Private => "the circle is its private circle",
            Self::ItsOwn => "the log is its own",
            Self::Relayed => "it is among the readers of this circle, who may pass it on",
        }
    }
}

/// May `reader` read `log` now?
///
/// # Errors
/// The reason why not.
pub fn may_read(
    model: &Model,
    log: &Log,
    reader: &Reader,
    now: UnixMillis,
) -> Result<Grant, Denial> {
    match reader {
        Reader::Secretariat if log.owner == model.me => Ok(Grant::Own),
        Reader::Secretariat => owner_confirmed(model, log).map(|()| Grant::Received),
        Reader::Anyone if log.sort != Sort::Public => Err(Denial::NotListed),
        Reader::Anyone if log.owner == model.me => Ok(Grant::Public),
        Reader::Anyone => owner_confirmed(model, log).map(|()| Grant::Public),
        Reader::Peer(peer) if log.owner == *peer => match model.peer_state(peer) {
            Some(PeerState::Active | PeerState::Paused) => Ok(Grant::ItsOwn),
            _ => Err(Denial::NoPeer),
        },
        Reader::Peer(peer) if log.owner != model.me => may_relay_to(model, log, peer, now),
        Reader::Peer(peer) => may_peer_read(model, log, peer, now),
    }
}

/// May `peer` have another RCP's log from here? Only one whose owner lets its readers pass it on,
/// and only while the newest list, which is here, admits it.
fn may_relay_to(model: &Model, log: &Log, peer: &RcpId, now: UnixMillis) -> Result<Grant, Denial> {
    if !log.is_relayed() || log.retaken {
        return Err(Denial::NotOurs);
    }
    owner_confirmed(model, log)?;
    if !may_call(model.peer_state(&log.owner), Call::Send) {
        return Err(Denial::UnconfirmedOwner);
    }
    may_peer_read(model, log, peer, now).map(|_| Grant::Relayed)
}

fn may_peer_read(model: &Model, log: &Log, peer: &RcpId, now: UnixMillis) -> Result<Grant, Denial> {
    let state = model.peer_state(peer);
    let (call, grant) = match log.sort {
        Sort::Public => (Call::ReadPublic, Grant::Public),
        Sort::Private(reader) if reader == *peer => (Call::ReadPrivate, Grant::Private),
        Sort::Private(_) => return Err(Denial::NotListed),
        Sort::Open | Sort::Closed => (Call::ReadListed, Grant::Listed),
    };
    if !may_call(state, call) {
        return Err(match state {
            None | Some(PeerState::Invited) => Denial::NoPeer,
            Some(PeerState::Pending | PeerState::Active) => Denial::Unconfirmed,
            Some(PeerState::Paused) => Denial::Paused,
            Some(PeerState::Left) => Denial::Left,
        });
    }
    let listed = match log.sort {
        // A list that a newer line replaced counts no more, though the newer one is not here.
        Sort::Open | Sort::Closed => log.readers.as_ref().is_some_and(|readers| {
            let newest = log
                .readers_line
                .is_none_or(|(_, hash)| hash == readers.hash);
            newest && readers.list.admits(peer, now)
        }),
        Sort::Public | Sort::Private(_) => true,
    };
    if listed {
        Ok(grant)
    } else {
        Err(Denial::NotListed)
    }
}

/// May heads of another RCP's log be compared with `peer`? It is an open one, and both sides know
/// by its list that the other reads it.
pub fn may_compare(model: &Model, log: &Log, peer: &RcpId, now: UnixMillis) -> bool {
    log.sort == Sort::Open
        && log.owner != model.me
        && owner_confirmed(model, log).is_ok()
        && may_peer_read(model, log, peer, now).is_ok()
}

fn owner_confirmed(model: &Model, log: &Log) -> Result<(), Denial> {
    if log.uncompared {
        Err(Denial::NotCompared)
    } else if model.is_confirmed(&log.owner) {
        Ok(())
    } else {
        Err(Denial::UnconfirmedOwner)
    }
}

/// The logs that `reader` may read now.
pub fn readable<'a>(
    model: &'a Model,
    reader: &'a Reader,
    now: UnixMillis,
) -> impl Iterator<Item = &'a Log> {
    model
        .logs
        .values()
        .filter(move |log| may_read(model, log, reader, now).is_ok())
}

/// Whether the log `id` exists and `reader` may read it now; the two cannot be told apart.
pub fn reads(model: &Model, id: &LogId, reader: &Reader, now: UnixMillis) -> bool {
    model
        .logs
        .get(id)
        .is_some_and(|log| may_read(model, log, reader, now).is_ok())
}

#[cfg(test)]
mod tests;
