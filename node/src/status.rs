//! How the exchange with each peer stands, in one sentence with cause and remedy.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use corridor_proto::{RcpId, Refusal, UnixMillis, v1};
use corridor_rules::PeerState;

/// What is known of the connection to a peer.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Since when a link runs.
    pub connected_since: Option<UnixMillis>,
    /// When the last one ended.
    pub last_seen: Option<UnixMillis>,
    /// Whether nothing is left to send or to fetch.
    pub is_quiet: bool,
    /// How it serves us.
    pub served_as: Option<v1::Serving>,
    /// Why the last dial failed, or the last link ended.
    pub trouble: Option<String>,
    /// The last thing of it that was refused.
    pub refused: Option<Refusal>,
}

/// The statuses of all peers.
#[derive(Debug, Default)]
pub struct Statuses(Mutex<HashMap<RcpId, Status>>);

impl Statuses {
    fn with<T>(&self, peer: RcpId, change: impl FnOnce(&mut Status) -> T) -> T {
        change(
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(peer)
                .or_default(),
        )
    }

    /// The status of a peer.
    pub fn of(&self, peer: &RcpId) -> Status {
        self.with(*peer, |status| status.clone())
    }

    pub(crate) fn connected(&self, peer: RcpId, now: UnixMillis) {
        self.with(peer, |status| {
            *status = Status {
                connected_since: Some(now),
                ..Status::default()
            };
        });
    }

    pub(crate) fn disconnected(&self, peer: RcpId, now: UnixMillis) {
        self.with(peer, |status| {
            status.connected_since = None;
            status.last_seen = Some(now);
            status.is_quiet = false;
        });
    }

    pub(crate) fn trouble(&self, peer: RcpId, what: String) {
        self.with(peer, |status| status.trouble = Some(what));
    }

    pub(crate) fn link(
        &self,
        peer: RcpId,
        is_quiet: bool,
        served_as: Option<v1::Serving>,
        refused: Option<Refusal>,
    ) {
        self.with(peer, |status| {
            status.is_quiet = is_quiet;
            status.served_as = served_as;
            status.refused = refused;
        });
    }
}

impl Status {
    /// The sentence for a secretariat. `behind_by`: lines and bodies still to come.
    pub fn sentence(&self, state: PeerState, behind_by: u64) -> String {
        let wait = match state {
            PeerState::Invited => Some("Waiting for its node to answer our acceptance"),
            PeerState::Pending => {
                Some("Only public records flow: compare the safety number by telephone and confirm")
            }
            PeerState::Paused => Some("Paused here: it gets withdrawals only, until you resume"),
            PeerState::Left => Some("Left: it gets withdrawals only"),
            PeerState::Active => None,
        };
        let link = self.link_sentence(behind_by);
        wait.map_or_else(|| link.clone(), |wait| format!("{wait}. {link}"))
    }

    fn link_sentence(&self, behind_by: u64) -> String {
        if self.connected_since.is_none() {
            let why = self
                .trouble
                .as_deref()
                .unwrap_or("no connection has been made yet");
            return format!("Not connected, because {why}; it is tried again by itself.");
        }
        if let Some(refused) = self.refused {
            return format!("Connected, but something it sent was refused: {refused}.");
        }
        match (self.served_as, behind_by) {
            (Some(v1::Serving::Pending), _) => {
                "Connected; it sends public records only, until its secretariat confirms our \
                 safety number."
                    .to_owned()
            }
            (Some(v1::Serving::Paused), _) => {
                "Connected; it has paused us and sends withdrawals only.".to_owned()
            }
            (Some(v1::Serving::Left), _) => {
                "Connected; it has ended the relation and sends withdrawals only.".to_owned()
            }
            (_, 0) if self.is_quiet => "Up to date.".to_owned(),
            (_, behind_by) => format!("Connected; {behind_by} entries still to come."),
        }
    }
}
