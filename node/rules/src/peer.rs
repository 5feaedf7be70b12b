//! Peers: other RCPs' nodes, and what each state lets them do.
//!
//! **Invariant:** a call that the table does not allow is refused before anything is looked up.

use corridor_proto::UnixMillis;

use crate::fact::SignedStart;

/// How far we have got with another RCP. A stranger has no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerState {
    /// We accepted its invitation and wait for its node.
    Invited,
    /// Both accepted; a person here has not yet confirmed the safety number.
    Pending,
    /// Confirmed here.
    Active,
    /// We paused it: it gets withdrawals only.
    Paused,
    /// We ended it: it gets withdrawals only.
    Left,
}

impl PeerState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Invited,
        Self::Pending,
        Self::Active,
        Self::Paused,
        Self::Left,
    ];

    /// The word for people and for JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Left => "left",
        }
    }
}

/// What a node may ask of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// Introduce itself.
    Hello,
    /// Open the session and carry streams.
    Exchange,
    /// Read our public log.
    ReadPublic,
    /// Read a circle that lists it.
    ReadListed,
    /// Read its private circle.
    ReadPrivate,
    /// Send us its lines and records.
    Send,
    /// Send us receipts.
    SendHeld,
}

impl Call {
    /// All calls.
    pub const ALL: [Self; 7] = [
        Self::Hello,
        Self::Exchange,
        Self::ReadPublic,
        Self::ReadListed,
        Self::ReadPrivate,
        Self::Send,
        Self::SendHeld,
    ];
}

/// Whether a peer in `state` (`None` for a stranger) may make `call`.
///
/// PROTOCOL.md, "Peer states". A paused peer may still send: we go on pulling from it.
pub const fn may_call(state: Option<PeerState>, call: Call) -> bool {
    match (state, call) {
        (_, Call::Hello) | (Some(PeerState::Active), _) => true,
        (None | Some(PeerState::Invited), _) => false,
        (Some(PeerState::Pending), call) => {
            matches!(call, Call::Exchange | Call::ReadPublic | Call::Send)
        }
        (Some(PeerState::Paused), call) => {
            matches!(
                call,
                Call::Exchange | Call::ReadPrivate | Call::Send | Call::SendHeld
            )
        }
        (Some(PeerState::Left), call) => {
            matches!(call, Call::Exchange | Call::ReadPrivate | Call::SendHeld)
        }
    }
}

/// Another RCP's node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// How far we have got.
    pub state: PeerState,
    /// Since when.
    pub since: UnixMillis,
    /// The last start number seen of it.
    pub start: SignedStart,
    /// When a session with it last brought all that it has, to a quarter of a day; zero for never.
    pub met: UnixMillis,
    /// The name under which a person confirmed it here; empty before.
    pub name: String,
    /// The last group of facts that changed its state: what is seen of it may have changed with it.
    pub revision: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table: a row a state, in the order of [`Call::ALL`].
    #[test]
    fn every_state_allows_exactly_these_calls() {
        let table = [
            (None, [true, false, false, false, false, false, false]),
            (
                Some(PeerState::Invited),
                [true, false, false, false, false, false, false],
            ),
            (
                Some(PeerState::Pending),
                [true, true, true, false, false, true, false],
            ),
            (
                Some(PeerState::Active),
                [true, true, true, true, true, true, true],
            ),
            (
                Some(PeerState::Paused),
                [true, true, false, false, true, true, true],
            ),
            (
                Some(PeerState::Left),
                [true, true, false, false, true, false, true],
            ),
        ];
        assert_eq!(table.len(), PeerState::ALL.len() + 1);
        for (state, row) in table {
            for (call, expect) in Call::ALL.into_iter().zip(row) {
                assert_eq!(may_call(state, call), expect, "{state:?} {call:?}");
            }
        }
    }
}
