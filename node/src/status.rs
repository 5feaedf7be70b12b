//! How the exchange with each peer stands, in one sentence with cause and remedy.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use corridor_proto::{RcpId, Refusal, UnixMillis, v1};
use corridor_rules::link::Link;
use corridor_rules::{Model, PeerState};
use time::OffsetDateTime;

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
    /// Until when it delays the erasure of what we withdrew, if it does.
    pub delays_ours: Option<UnixMillis>,
    /// What it is over its budget of, if it is.
    pub over_budget: Option<&'static str>,
    /// Whether it has shown, since this node started, what it holds of ours.
    pub has_shown: bool,
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
                last_seen: Some(now),
                has_shown: status.has_shown,
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

    pub(crate) fn over_budget(&self, peer: RcpId, what: Option<&'static str>) {
        self.with(peer, |status| status.over_budget = what);
    }

    pub(crate) fn shown(&self, peer: RcpId) {
        self.with(peer, |status| status.has_shown = true);
    }

    pub(crate) fn link(&self, peer: RcpId, link: &Link, is_quiet: bool) {
        self.with(peer, |status| {
            status.is_quiet = is_quiet;
            status.served_as = link.served_as();
            status.refused = link.last_refusal();
            status.delays_ours = link.delays_ours();
            status.has_shown |= link.has_shown();
        });
    }
}

/// What this node has of a peer.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Its state here.
    pub state: PeerState,
    /// Lines and bodies still to come.
    pub behind_by: u64,
    /// Until when the erasure of what it withdrew waits here, if it does.
    pub delayed: Option<UnixMillis>,
    /// Since when nothing was heard of its circles, if that is too long.
    pub silent: Option<UnixMillis>,
    /// Whether it is proved to have contradicted itself.
    pub contradicts: bool,
}

impl Seen {
    /// What is so of a peer now; `None` for a stranger.
    pub fn of_peer(model: &Model, rcp: &RcpId, now: UnixMillis) -> Option<Self> {
        let logs = model.logs.values().filter(|log| log.owner == *rcp);
        let behind = logs.map(|log| {
            let missing = u64::try_from(log.missing.len()).unwrap_or(u64::MAX);
            log.behind_by().saturating_add(missing)
        });
        Some(Self {
            state: model.peer_state(rcp)?,
            behind_by: behind.fold(0, u64::saturating_add),
            delayed: model.delayed_until(rcp),
            silent: model.silent_since(rcp, now),
            contradicts: model.evidence.iter().any(|kept| kept.rcp == *rcp),
        })
    }

    /// A peer in `state` of which all is here and nothing is wrong.
    pub const fn of(state: PeerState) -> Self {
        Self {
            state,
            behind_by: 0,
            delayed: None,
            silent: None,
            contradicts: false,
        }
    }
}

impl Status {
    /// The sentence for a secretariat.
    pub fn sentence(&self, seen: &Seen) -> String {
        let wait = match seen.state {
            PeerState::Invited => Some("Waiting for its node to answer our acceptance"),
            PeerState::Pending => {
                Some("Only public records flow: compare the safety number by telephone and confirm")
            }
            PeerState::Paused => Some("Paused here: it gets withdrawals only, until you resume it"),
            PeerState::Left => Some("Left: it gets withdrawals only"),
            PeerState::Active => None,
        };
        let link = self.link_sentence(seen.behind_by);
        let mut sentence = wait.map_or_else(|| link.clone(), |wait| format!("{wait}. {link}"));
        if seen.contradicts {
            sentence += " It signed things that contradict each other, as two copies of one node \
                         do: corridor peer evidence tells more.";
        }
        if let Some(since) = seen.silent {
            let since = shown(since);
            sentence += &format!(
                " No news of some of its circles since {since}: what it shared or withdrew since \
                 then may be missing here. Call it, and ask whether its node runs."
            );
        }
        if let Some(until) = seen.delayed {
            let until = shown(until);
            sentence += &format!(
                " More than 50 of its records were withdrawn within an hour: they are hidden here, \
                 and erased after {until}. Call it: if it did not mean that, its key may be stolen."
            );
        }
        if let Some(until) = self.delays_ours {
            let until = shown(until);
            sentence += &format!(
                " It hides what you withdrew and erases it after {until}, because it was much at \
                 once. If you did not withdraw it, call it at once: your key may be stolen."
            );
        }
        sentence
    }

    fn link_sentence(&self, behind_by: u64) -> String {
        if self.connected_since.is_none() {
            let why = self
                .trouble
                .as_deref()
                .unwrap_or("no connection has been made yet");
            let since = self.last_seen.map(|at| format!(" since {}", shown(at)));
            let since = since.unwrap_or_default();
            return format!("Not connected{since}, because {why}; it is tried again by itself.");
        }
        if let Some(what) = self.over_budget {
            return format!(
                "Connected, but it sends more than one partner may ({what}), so it is taken in \
                 more slowly; if that lasts, call it."
            );
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
            (_, 0) => "Connected; something is on its way.".to_owned(),
            (_, 1) => "Connected; 1 entry still to come.".to_owned(),
            (_, behind_by) => format!("Connected; {behind_by} entries still to come."),
        }
    }
}

/// A time for people, in UTC to the minute.
pub fn shown(at: UnixMillis) -> String {
    let seconds = i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_or_else(
        |_| "a time out of range".to_owned(),
        |at| {
            let (date, time) = (at.date(), at.time());
            format!("{date} {:02}:{:02} UTC", time.hour(), time.minute())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secretariat_reads_what_is_so_and_what_to_do() {
        let at = UnixMillis(1_800_000_000_000);
        let mut status = Status {
            last_seen: Some(at),
            trouble: Some("192.0.2.1:7400 does not answer".to_owned()),
            ..Status::default()
        };
        let away = status.sentence(&Seen::of(PeerState::Active));
        let since = "Not connected since 2027-01-15 08:00 UTC, because 192.0.2.1:7400 does not";
        assert!(away.starts_with(since), "{away}");
        status.connected_since = Some(at);
        let one = status.sentence(&Seen {
            behind_by: 1,
            ..Seen::of(PeerState::Active)
        });
        assert_eq!(one, "Connected; 1 entry still to come.");
        status.is_quiet = true;
        assert_eq!(status.sentence(&Seen::of(PeerState::Active)), "Up to date.");
        let delayed = status.sentence(&Seen {
            delayed: Some(at),
            ..Seen::of(PeerState::Active)
        });
        assert!(
            delayed.contains("erased after 2027-01-15 08:00 UTC"),
            "{delayed}"
        );
        status.delays_ours = Some(at);
        let ours = status.sentence(&Seen::of(PeerState::Paused));
        assert!(ours.contains("your key may be stolen"), "{ours}");
    }
}
