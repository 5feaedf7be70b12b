//! Circles, partners and keys of a simulation: who reads what, who is paired with whom.

use corridor_proto::wire::Identity;
use corridor_proto::{Token, UnixMillis};
use corridor_rules::PeerState;
use corridor_rules::desk::Wish;

use super::spec::{At, Kind};
use super::world::World;

/// A pairing under way.
pub struct Pairing {
    inviter: At,
    acceptor: At,
    token: Token,
    identity: Identity,
    stage: u8,
}

impl World {
    fn peer_of(&mut self, at: At, states: &[PeerState]) -> Option<At> {
        let peers: Vec<At> = (0..self.nodes.len())
            .filter(|peer| {
                self.spec
                    .state(at, *peer)
                    .is_some_and(|s| states.contains(&s))
            })
            .collect();
        self.rng.pick(&peers)
    }

    /// Opens a circle.
    pub fn open_circle(&mut self, at: At) {
        if self.circles_of(at).len() > 9 + self.nodes.len() {
            return;
        }
        let name = self.text();
        let open = self.rng.chance(50);
        let what = if open { "open circle" } else { "closed circle" };
        self.wish(
            at,
            what,
            Wish::OpenCircle {
                name,
                open,
                relay: open,
            },
        );
    }

    /// Changes who reads a circle.
    pub fn set_readers(&mut self, at: At) {
        let circles: Vec<usize> = self
            .circles_of(at)
            .into_iter()
            .filter(|c| matches!(self.spec.circles[*c].kind, Kind::Open | Kind::Closed))
            .collect();
        let Some(number) = self.rng.pick(&circles) else {
            return;
        };
        let mut readers = self.spec.circles[number].readers.clone();
        let mut fresh = None;
        let what = if self.rng.chance(65) {
            let Some(peer) = self.peer_of(at, &PeerState::ALL) else {
                return;
            };
            let ends = self.rng.chance(30);
            let until = if ends {
                self.now.0 + 1 + self.rng.draw() % 120_000
            } else {
                0
            };
            fresh = readers.insert(peer, until).is_none().then_some(peer);
            if ends { "reader until" } else { "reader added" }
        } else {
            let listed: Vec<At> = readers.keys().copied().collect();
            let Some(peer) = self.rng.pick(&listed) else {
                return;
            };
            readers.remove(&peer);
            "reader removed"
        };
        let log = self.spec.circles[number].id;
        let listed = readers
            .iter()
            .map(|(r, until)| (self.nodes[*r].rcp, UnixMillis(*until)));
        let wish = Wish::SetReaders {
            log,
            readers: listed.collect(),
        };
        if self.wish(at, what, wish).is_some() {
            let admitted = fresh.is_none_or(|p| self.spec.state(at, p) == Some(PeerState::Active));
            assert!(admitted, "a reader that is no active partner");
            self.spec.circles[number].readers = readers;
            self.settle(at);
        }
    }

    /// Changes the state of a peer.
    pub fn change_peer(&mut self, at: At) {
        use PeerState::{Active, Invited, Paused, Pending};
        let (from, odds): (&[PeerState], _) = match self.rng.below(10) {
            0..=4 => (&[Pending], "confirm"),
            5 | 6 => (&[Active], "pause"),
            7 | 8 => (&[Paused], "resume"),
            _ if self.rng.chance(50) => (&[Active, Paused, Pending, Invited], "leave"),
            _ => (&[Invited, Pending], "refuse"),
        };
        let Some(peer) = self.peer_of(at, from) else {
            return;
        };
        self.change_state(at, peer, odds);
    }

    /// Carries out one change of a peer's state.
    pub fn change_state(&mut self, at: At, peer: At, what: &'static str) {
        let rcp = self.nodes[peer].rcp;
        let (wish, to) = match what {
            "confirm" => (Wish::Confirm { rcp }, Some(PeerState::Active)),
            "pause" => (Wish::Pause { rcp }, Some(PeerState::Paused)),
            "resume" => (Wish::Resume { rcp }, Some(PeerState::Active)),
            "leave" => (Wish::Leave { rcp }, Some(PeerState::Left)),
            _ => (Wish::Refuse { rcp }, None),
        };
        if self.wish(at, what, wish).is_none() {
            return;
        }
        if to == Some(PeerState::Left) {
            let own = self.spec.circles.iter_mut().filter(|c| c.owner == at);
            own.for_each(|circle| {
                circle.readers.remove(&peer);
            });
        }
        // Readers of open circles would go on passing them on.
        let open = self.spec.circles.iter_mut();
        for circle in open.filter(|c| c.owner == at && c.kind == Kind::Open) {
            match to {
                Some(PeerState::Paused) => {
                    let taken = circle.readers.remove(&peer);
                    circle.suspended.extend(taken.map(|until| (peer, until)));
                }
                Some(PeerState::Active) => {
                    let back = circle.suspended.remove(&peer);
                    circle.readers.extend(back.map(|until| (peer, until)));
                }
                _ => {
                    circle.suspended.remove(&peer);
                }
            }
        }
        match to {
            Some(state) => self.spec.states.insert((at, peer), state),
            None => self.spec.states.remove(&(at, peer)),
        };
        if to.is_none() {
            self.check_forgotten(at, peer);
        }
        self.settle(at);
    }

    /// Begins a pairing: an invitation and who will accept it.
    pub fn invite(&mut self, inviter: At, acceptor: At) {
        if inviter == acceptor {
            return;
        }
        let mut token = [0; 32];
        self.rng.fill(&mut token);
        let token = Token::new(token);
        if self
            .wish(inviter, "invite", Wish::Invite { token })
            .is_some()
        {
            let identity = self.nodes[inviter].identity();
            self.pairings.push(Pairing {
                inviter,
                acceptor,
                token,
                identity,
                stage: 0,
            });
        }
    }

    /// Takes one pairing a step further.
    pub fn pair(&mut self) {
        if self.pairings.is_empty() {
            return;
        }
        let at = self.rng.below(self.pairings.len());
        let mut pairing = self.pairings.swap_remove(at);
        let (inviter, acceptor) = (pairing.inviter, pairing.acceptor);
        let (node, peer, what, wish) = match pairing.stage {
            0 => {
                let identity = Box::new(pairing.identity.clone());
                let token = pairing.token;
                (
                    acceptor,
                    inviter,
                    "accept",
                    Wish::Accept { identity, token },
                )
            }
            1 => {
                let identity = Box::new(self.nodes[acceptor].identity());
                let token = pairing.token;
                (
                    inviter,
                    acceptor,
                    "redeem",
                    Wish::Redeem { identity, token },
                )
            }
            _ => {
                let rcp = self.nodes[inviter].rcp;
                (acceptor, inviter, "answered", Wish::Answered { rcp })
            }
        };
        let verdict = self.try_wish(node, what, wish);
        let to = match (pairing.stage, self.spec.state(node, peer)) {
            (0, _) => PeerState::Invited,
            (1, Some(same @ (PeerState::Active | PeerState::Paused))) => same,
            _ => PeerState::Pending,
        };
        match verdict {
            Ok(Some(_)) => {
                self.spec.states.insert((node, peer), to);
                self.settle(node);
                pairing.stage += 1;
                if pairing.stage < 3 {
                    self.pairings.push(pairing);
                }
            }
            Ok(None) => self.pairings.push(pairing),
            Err(refusal) => {
                self.tell(
                    "pairing ended",
                    format_args!("{node} {what} {peer}: {refusal}"),
                );
            }
        }
    }

    /// Replaces a node's signing key with the recovery key.
    pub fn rotate(&mut self, at: At) {
        let (event, card) = self.nodes[at].rotation(self.now);
        self.wish(at, "rotate", Wish::Rotate { event, card });
    }

    /// Gives a node a new card.
    pub fn renew_card(&mut self, at: At) {
        let card = self.nodes[at].renewed_card(self.now);
        self.wish(at, "renew card", Wish::RenewCard { card });
    }
}
