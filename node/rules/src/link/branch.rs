//! A second history of a log: walked along this connection until the line is found in which it
//! differs from ours.
//!
//! A head that does not fit proves nothing by itself: the answer may be damaged, or a relay may
//! lie. Two lines for one index, each under a head that the owner signed, do.

use corridor_proto::checkpoint::{SignedCheckpoint, VerifiedCheckpoint};
use corridor_proto::evidence::Evidence;
use corridor_proto::tree::Tree;
use corridor_proto::{LogId, LogSeed, RcpId, Reason, Refusal, v1, wire};
use prost::Message;

use super::{Context, Following, Link, Output, session};
use crate::evidence::{self, Against};
use crate::ingest::{Arrival, own};
use crate::limits::BRANCH_LINES_MAX;
use crate::log::{Head, Log};

/// How far a second history was walked.
#[derive(Clone, Debug, Default)]
pub(super) struct Branch {
    tree: Tree,
    /// The first line in which it differs from ours.
    differs: Option<u64>,
    /// Whether that was proved.
    proved: bool,
    /// Whether it turned out to be no other than ours.
    over: bool,
}

impl Branch {
    /// From where on lines are asked for, while it is walked.
    pub fn from(&self) -> Option<u64> {
        (!self.over).then(|| self.tree.size())
    }
}

impl Following {
    /// Whether a second history is being walked.
    pub(super) fn is_walked(&self) -> bool {
        self.branch
            .as_ref()
            .is_some_and(|branch| branch.from().is_some())
    }

    /// A restart of a frozen log is followed from the first line, once a person accepted it.
    pub(super) fn look_for_acceptance(&mut self, log: Option<&Log>) {
        let is_accepted = log.is_some_and(|log| {
            log.is_frozen() && log.follows_restarts() && self.announced.0 > log.incarnation
        });
        if is_accepted && !self.again {
            self.again = true;
            self.restarted = true;
            self.branch = None;
            self.pulled = false;
            self.news = true;
        }
    }
}

impl Link {
    /// Looks into a head that may contradict what is held, and says whether that is all there is to
    /// do with it.
    pub(super) fn looks_into(
        &mut self,
        log: Option<&Log>,
        (owner, seed): (RcpId, LogSeed),
        head: &VerifiedCheckpoint,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(log) = log else {
            return false;
        };
        let incarnation = head.checkpoint().incarnation;
        if log.is_frozen() && incarnation > log.incarnation {
            let id = log.id;
            self.learn(id, owner, seed);
            if let Some(following) = self.following.get_mut(&id) {
                following.announced = (incarnation, head.checkpoint().size);
                following.news = false;
            }
            let log = id;
            out.push(Output::Arrival(Arrival::Restarted { log, incarnation }));
            return true;
        }
        let shown = Head {
            checkpoint: *head.checkpoint(),
            key_seq: head.key_seq(),
            note: head.note().to_owned(),
        };
        let against = evidence::compare(log, &shown);
        if against == Against::Nothing {
            return false;
        }
        if let Against::Root(evidence) = against {
            out.push(Output::Arrival(Arrival::Evidence {
                peer: self.peer,
                evidence: Box::new(wire::evidence_message(&owner, &evidence)),
            }));
        }
        self.learn(log.id, owner, seed);
        if let Some(following) = self.following.get_mut(&log.id) {
            let claim = head.checkpoint();
            following.announced = (claim.incarnation, claim.size);
            following.pulled = false;
            following.walk();
        }
        true
    }

    /// Tells the peer of the evidence that it may hear of.
    pub(super) fn tell_evidence(&mut self, context: &Context<'_>, out: &mut Vec<Output>) {
        let (model, peer) = (context.model, self.peer);
        if !self.their_have || self.unsigning {
            return;
        }
        for kept in model.evidence.iter().skip(self.evidence_told) {
            self.evidence_told += 1;
            if evidence::may_hear(model, context.source, kept, &peer, context.now)
                && let Ok(evidence) = v1::Evidence::decode(kept.bytes.as_slice())
            {
                out.push(session(v1::session_frame::Frame::Evidence(evidence)));
            }
        }
    }

    /// Lines of a second history.
    pub(super) fn package_of_branch(
        &mut self,
        id: LogId,
        package: v1::Package,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let unasked = Refusal::new("package", Reason::NotEntitled);
        let following = self.following.get_mut(&id).ok_or(unasked)?;
        let log = context.model.logs.get(&id).ok_or(unasked)?;
        let branch = following.branch.as_mut().ok_or(unasked)?;
        let frontier = branch.tree.frontier_at(branch.tree.size());
        let frontier = frontier.unwrap_or_default();
        if package.from != frontier.size() {
            return Ok(());
        }
        let verified = head(context, log, &package)
            .and_then(|head| Ok((own::verify(&package, &frontier, &head)?, head)));
        let is_over = |head: &VerifiedCheckpoint| {
            head.checkpoint().incarnation != log.incarnation || frontier.size() >= BRANCH_LINES_MAX
        };
        let (verified, head) = match verified {
            Ok((_, head)) if is_over(&head) => {
                branch.over = true;
                following.pulled = false;
                return Ok(());
            }
            Ok(verified) => verified,
            Err(refusal) => {
                branch.over = true;
                following.pulled = false;
                return Err(refusal);
            }
        };
        for (index, leaf) in (verified.from()..).zip(verified.leaves()) {
            if log.tree.leaf(index).is_some_and(|ours| ours != *leaf) {
                branch.differs.get_or_insert(index);
            }
            branch.tree.push(*leaf);
        }
        let is_reached = branch.tree.size() == head.checkpoint().size;
        if let Some(index) = branch.differs {
            if is_reached
                && !branch.proved
                && let Some(evidence) = two_lines(log, index, &branch.tree, &head)
            {
                branch.proved = true;
                out.push(Output::Arrival(Arrival::Evidence {
                    peer: self.peer,
                    evidence: Box::new(wire::evidence_message(&log.owner, &evidence)),
                }));
            }
            out.push(Output::Arrival(Arrival::BranchPackage {
                peer: self.peer,
                owner: log.owner,
                log: id,
                package: Box::new(package),
                frontier,
            }));
        } else if is_reached {
            // It was ours after all: what did not fit was damaged on its way.
            branch.over = true;
            following.pulled = false;
            following.news |= head.checkpoint().size > log.size();
        }
        Ok(())
    }
}

/// The head of a package, under any key of the owner's that is not declared compromised.
fn head(
    context: &Context<'_>,
    log: &Log,
    package: &v1::Package,
) -> Result<VerifiedCheckpoint, Refusal> {
    let charter = context.model.charter(&log.owner);
    let charter = charter.ok_or(Refusal::new("package", Reason::WrongRcp))?;
    let head = SignedCheckpoint::parse(&package.checkpoint)?.verify(charter)?;
    if head.checkpoint().log != log.id {
        return Err(Refusal::new("checkpoint", Reason::WrongLog));
    }
    Ok(head)
}

/// Our line and the other one, each proved to its head.
fn two_lines(log: &Log, index: u64, tree: &Tree, head: &VerifiedCheckpoint) -> Option<Evidence> {
    let ours = log.held_head.as_ref()?;
    let side = |note: &str, tree: &Tree, size| {
        let signed = SignedCheckpoint::parse(note.as_bytes()).ok()?;
        Some((signed, tree.leaf(index)?, tree.inclusion(index, size)?))
    };
    Some(Evidence::TwoLines {
        index,
        sides: [
            side(&ours.note, &log.tree, ours.checkpoint.size)?,
            side(head.note(), tree, head.checkpoint().size)?,
        ],
    })
}

#[cfg(test)]
mod tests;
