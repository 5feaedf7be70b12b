//! Pairing and its end: invitations, acceptance, confirmation, pause, leaving.

use corridor_proto::wire::Identity;
use corridor_proto::{LogSeed, RcpId, Token};

use super::{Decision, Desk, DeskRefusal, circle};
use crate::fact::Fact;
use crate::limits::{INVITATION_MS, INVITATIONS_MAX};
use crate::log::{Log, Sort};
use crate::model::token_hash;
use crate::peer::PeerState;
use crate::visibility::{Reader, may_read};

impl Desk<'_> {
    pub(super) fn invite(&self, token: &Token) -> Decision {
        let open = self
            .model
            .invitations
            .values()
            .filter(|expires| self.now < **expires)
            .count();
        if open >= INVITATIONS_MAX {
            return Err(DeskRefusal::TooMany {
                what: "open invitations",
                remedy: "each ends seven days after it was made; wait until some have",
            });
        }
        let expires = self.now.plus(INVITATION_MS);
        Ok(vec![Fact::Invitation {
            token: token_hash(token),
            expires,
        }])
    }

    pub(super) fn accept(&self, identity: &Identity, token: Token) -> Decision {
        let rcp = identity.charter.rcp();
        if rcp == self.model.me {
            return Err(DeskRefusal::Ourselves("invitation"));
        }
        let state = self.model.peer_state(&rcp);
        if let Some(state) = state.filter(|s| !matches!(s, PeerState::Left | PeerState::Invited)) {
            let remedy = "nothing more to accept";
            return Err(DeskRefusal::State {
                rcp,
                state: state.word(),
                remedy,
            });
        }
        let mut facts = crate::ingest::identity(self.model, identity)?;
        facts.push(Fact::Peer {
            rcp,
            state: PeerState::Invited,
            at: self.now,
        });
        facts.push(Fact::Accepted { rcp, token });
        Ok(facts)
    }

    pub(super) fn redeem(&mut self, identity: &Identity, token: &Token) -> Decision {
        let rcp = identity.charter.rcp();
        if rcp == self.model.me {
            return Err(DeskRefusal::Ourselves("invitation"));
        }
        let hash = self
            .model
            .invitation(token, self.now)
            .ok_or(DeskRefusal::Invitation)?;
        let mut facts = crate::ingest::identity(self.model, identity)?;
        facts.push(Fact::Redeemed { token: hash });
        if !matches!(
            self.model.peer_state(&rcp),
            Some(PeerState::Pending | PeerState::Active | PeerState::Paused)
        ) {
            facts.extend(self.become_pending(rcp));
            // Shown to its node if ours is the one that has to dial.
            facts.push(Fact::Accepted { rcp, token: *token });
        }
        Ok(facts)
    }

    pub(super) fn answered(&mut self, rcp: RcpId) -> Decision {
        self.expect_state(rcp, PeerState::Invited, "nothing more to answer")?;
        Ok(self.become_pending(rcp))
    }

    /// Both accepted: the peer is pending, and has its private circle from now on.
    fn become_pending(&mut self, rcp: RcpId) -> Vec<Fact> {
        let mut facts = Vec::new();
        if self.model.private_log(&rcp).is_none() {
            let seed = LogSeed::new(self.bytes());
            facts.push(circle(self.model.me, seed, Sort::Private(rcp), ""));
        }
        facts.push(Fact::Peer {
            rcp,
            state: PeerState::Pending,
            at: self.now,
        });
        facts
    }

    fn expect_state(
        &self,
        rcp: RcpId,
        expect: PeerState,
        remedy: &'static str,
    ) -> Result<(), DeskRefusal> {
        match self.model.peer_state(&rcp) {
            Some(state) if state == expect => Ok(()),
            Some(state) => Err(DeskRefusal::State {
                rcp,
                state: state.word(),
                remedy,
            }),
            None => Err(DeskRefusal::Unknown {
                what: "partner",
                id: rcp.to_string(),
            }),
        }
    }

    pub(super) fn step(&mut self, rcp: RcpId, from: PeerState, to: PeerState) -> Decision {
        let remedy = match to {
            PeerState::Active if from == PeerState::Pending => {
                "only a pending one can be confirmed"
            }
            PeerState::Active => "only a paused one can be resumed",
            _ => "only an active one can be paused",
        };
        self.expect_state(rcp, from, remedy)?;
        let mut facts = if to == PeerState::Paused {
            self.formers(rcp)
        } else {
            self.readers_again(rcp)
        };
        match to {
            // While nothing is signed its lists stay as they are; then it is taken off.
            PeerState::Paused if self.model.signing_stopped.is_some() => {}
            PeerState::Paused => facts.extend(self.suspend(&[rcp].into())?),
            _ => facts.extend(self.unsuspend(rcp)?),
        }
        if from == PeerState::Pending {
            let known = self.model.known.get(&rcp);
            let card = known.and_then(|known| known.card.as_ref());
            let name = card.map_or("", |card| card.card().name()).to_owned();
            facts.push(Fact::Named { rcp, name });
        }
        facts.push(Fact::Peer {
            rcp,
            state: to,
            at: self.now,
        });
        Ok(facts)
    }

    /// Only before it was confirmed: later, leaving is the way.
    pub(super) fn refuse(&self, rcp: RcpId) -> Decision {
        match self.model.peer_state(&rcp) {
            Some(PeerState::Invited | PeerState::Pending) => {
                let mut facts = self.formers(rcp);
                facts.push(Fact::Forget { rcp });
                Ok(facts)
            }
            Some(state) => {
                let remedy = "it was confirmed; leave it instead";
                Err(DeskRefusal::State {
                    rcp,
                    state: state.word(),
                    remedy,
                })
            }
            None => Err(DeskRefusal::Unknown {
                what: "partner",
                id: rcp.to_string(),
            }),
        }
    }

    /// It reads no circle any more, also if it is paired again: admitting it is an act of its own.
    pub(super) fn leave(&mut self, rcp: RcpId) -> Decision {
        match self.model.peer_state(&rcp) {
            None => Err(DeskRefusal::Unknown {
                what: "partner",
                id: rcp.to_string(),
            }),
            Some(PeerState::Left) => Err(DeskRefusal::Nothing("the partner was left before")),
            Some(_) => {
                let mut facts = self.formers(rcp);
                facts.extend(self.unlist(rcp)?);
                facts.push(Fact::Peer {
                    rcp,
                    state: PeerState::Left,
                    at: self.now,
                });
                Ok(facts)
            }
        }
    }

    /// The logs that a former reader reads again once it is active.
    fn readers_again(&self, rcp: RcpId) -> Vec<Fact> {
        let admits = |log: &&Log| match &log.readers {
            _ if !log.former.contains_key(&rcp) => false,
            Some(readers) => readers.list.admits(&rcp, self.now),
            None => log.sort == Sort::Public,
        };
        self.model
            .own_logs()
            .filter(admits)
            .map(|log| Fact::Reader { log: log.id, rcp })
            .collect()
    }

    /// The logs that a peer can read now and is about to lose.
    fn formers(&self, rcp: RcpId) -> Vec<Fact> {
        let reader = Reader::Peer(rcp);
        self.model
            .own_logs()
            .filter(|log| !matches!(log.sort, Sort::Private(_)) && log.size() > 0)
            .filter(|log| may_read(self.model, log, &reader, self.now).is_ok())
            .map(|log| Fact::Former {
                log: log.id,
                rcp,
                size: log.size(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
