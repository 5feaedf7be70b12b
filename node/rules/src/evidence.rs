//! Evidence: two signed things of one RCP that contradict each other, found, kept and passed on.
//!
//! PROTOCOL.md, "Evidence". Two roots or two lines freeze their log, two texts hide that version,
//! two key events freeze the RCP. **Invariant:** nothing is kept that does not prove itself by the
//! RCP's charter, and nobody hears of a log that it may not read.

use corridor_proto::charter::{Charter, Relation};
use corridor_proto::evidence::{Evidence, Proved};
use corridor_proto::record::SignedHeader;
use corridor_proto::wire::{self, Identity};
use corridor_proto::{LogId, RcpId, Reason, Refusal, UnixMillis, v1};
use prost::Message;

use crate::fact::Fact;
use crate::ingest::{CHARTER_FORKED, HEAD_LACKING, stop_signing};
use crate::limits::EVIDENCE_PER_RCP_MAX;
use crate::log::{Head, Log, Sort};
use crate::model::{Model, Rows};
use crate::peer::{Call, may_call};
use crate::row::{HeldVersion, RecordKey, RecordRow};
use crate::visibility::may_compare;

/// Evidence that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// About whom.
    pub rcp: RcpId,
    /// What it proves.
    pub proved: Proved,
    /// As it travels: an encoded `Evidence`.
    pub bytes: Vec<u8>,
}

impl Kept {
    /// Reads and judges encoded evidence.
    ///
    /// # Errors
    /// Whatever is malformed in it or does not prove it.
    pub fn read(bytes: &[u8], charter: &Charter) -> Result<Self, Refusal> {
        let malformed = Refusal::new("evidence", Reason::Malformed);
        let message = v1::Evidence::decode(bytes).map_err(|_| malformed)?;
        let rcp = RcpId::from_slice(&message.rcp)?;
        if rcp != charter.rcp() {
            return Err(Refusal::new("evidence", Reason::WrongRcp));
        }
        Ok(Self {
            rcp,
            proved: wire::evidence(message)?.verify(charter)?,
            bytes: bytes.to_vec(),
        })
    }

    /// A file that proves itself: the evidence and the charter that judges it.
    pub fn file(&self, charter: &Charter) -> Vec<u8> {
        let events = charter.events().iter();
        v1::EvidenceFile {
            evidence: v1::Evidence::decode(self.bytes.as_slice()).ok(),
            key_events: events.map(wire::key_event_message).collect(),
        }
        .encode_to_vec()
    }
}

/// What evidence that came, or that was found here, adds.
///
/// # Errors
/// Whatever does not prove itself. Evidence about an RCP that is not known here is passed over.
pub(crate) fn decide(
    model: &Model,
    peer: &RcpId,
    message: &v1::Evidence,
) -> Result<Vec<Fact>, Refusal> {
    if !may_call(model.peer_state(peer), Call::Send) {
        return Err(Refusal::new("evidence", Reason::NotEntitled));
    }
    let Some(charter) = model.charter(&RcpId::from_slice(&message.rcp)?) else {
        return Ok(Vec::new());
    };
    let rcp = charter.rcp();
    let bytes = message.encode_to_vec();
    let is_forked = |old: &&Kept| old.rcp == rcp && old.proved == Proved::Rcp;
    let mut known = model.evidence.iter();
    if known.any(|old| old.bytes == bytes || is_forked(&old)) {
        return Ok(Vec::new());
    }
    let kept = match Kept::read(&bytes, charter) {
        // What a third RCP is to us is nothing that a refusal should tell.
        Err(_) if rcp != *peer => return Ok(Vec::new()),
        kept => kept?,
    };
    let mut about = model.evidence.iter().filter(|old| old.rcp == rcp);
    let is_known = about.clone().any(|old| old.proved == kept.proved);
    // What stops a log that is here always counts.
    let stops = match kept.proved {
        Proved::Log { log, .. } => model.logs.contains_key(&log),
        Proved::Rcp => true,
        Proved::Version { .. } => false,
    };
    if is_known || !stops && about.nth(EVIDENCE_PER_RCP_MAX - 1).is_some() {
        return Ok(Vec::new());
    }
    let mut facts = vec![Fact::Evidence {
        rcp: kept.rcp,
        evidence: kept.bytes,
    }];
    if kept.rcp == model.me {
        let is_now = |log: LogId, incarnation| {
            let log = model.logs.get(&log);
            log.is_none_or(|log| incarnation >= log.incarnation)
        };
        match kept.proved {
            Proved::Log { log, incarnation } if is_now(log, incarnation) => {
                facts.extend(stop_signing(model, HEAD_LACKING));
            }
            Proved::Rcp => facts.extend(stop_signing(model, CHARTER_FORKED)),
            Proved::Log { .. } | Proved::Version { .. } => {}
        }
    }
    Ok(facts)
}

/// Evidence that an identity makes together with what is known: two charters of one RCP that fork.
pub(crate) fn of_identity(model: &Model, found: &Identity) -> Option<v1::Evidence> {
    let rcp = found.charter.rcp();
    let known = model.charter(&rcp).filter(|_| rcp != model.me)?;
    let Relation::Fork { seq } = known.compare(&found.charter) else {
        return None;
    };
    let at = usize::try_from(seq).ok()?;
    let sides = [known, &found.charter].map(|charter| charter.events().get(at).cloned());
    let [Some(one), Some(other)] = sides else {
        return None;
    };
    let evidence = Evidence::TwoKeyEvents([one, other]);
    Some(wire::evidence_message(&rcp, &evidence))
}

/// What a head says against what is held of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Against {
    /// Nothing.
    Nothing,
    /// Another root for a size of which a signed root is here.
    Root(Box<Evidence>),
    /// Another root than our lines give: which line differs has to be found.
    Lines,
}

/// Compares a verified head with a log of its incarnation.
pub(crate) fn compare(log: &Log, head: &Head) -> Against {
    let claim = head.checkpoint;
    if claim.incarnation != log.incarnation {
        return Against::Nothing;
    }
    let known = log.held_head.iter().chain(&log.head);
    for known in known.filter(|known| known.checkpoint.incarnation == claim.incarnation) {
        if known.checkpoint.size == claim.size
            && known.checkpoint.root != claim.root
            && let (Some(one), Some(other)) = (known.signed(), head.signed())
        {
            return Against::Root(Box::new(Evidence::TwoRoots([one, other])));
        }
    }
    match log.tree.root_at(claim.size) {
        Some(root) if root != claim.root => Against::Lines,
        _ => Against::Nothing,
    }
}

/// Evidence that a record which came makes with one that is held: two texts under one version.
pub(crate) fn of_record(
    rcp: &RcpId,
    row: &RecordRow,
    came: (&SignedHeader, u64),
    header: impl Fn(&HeldVersion) -> Option<SignedHeader>,
) -> Option<v1::Evidence> {
    let (signed, version) = came;
    let hash = signed.version_hash();
    let mut held = row.versions.iter();
    let other = held.find(|held| held.version == version && held.version_hash != hash)?;
    let evidence = Evidence::TwoVersions([header(other)?, signed.clone()]);
    Some(wire::evidence_message(rcp, &evidence))
}

/// Whether a peer may hear of evidence: it is its own, or it may read every log that it quotes, and
/// knows by a list that we read the RCP's circles.
pub fn may_hear(
    model: &Model,
    rows: &dyn Rows,
    kept: &Kept,
    peer: &RcpId,
    now: UnixMillis,
) -> bool {
    if kept.rcp == *peer {
        return may_call(model.peer_state(peer), Call::ReadListed);
    }
    let compares = |log: &Log| may_compare(model, log, peer, now);
    let mut theirs = model.logs.values().filter(|log| log.owner == kept.rcp);
    let knows = theirs.any(compares);
    let quoted = |id: &LogId| {
        let log = model.logs.get(id);
        log.is_some_and(|log| log.sort == Sort::Public || compares(log))
    };
    knows
        && match kept.proved {
            Proved::Log { log, .. } => quoted(&log),
            Proved::Version { record, .. } => {
                let rcp = kept.rcp;
                let row = rows.row(&RecordKey { rcp, record });
                row.is_some_and(|row| {
                    let mut stands = row.stands.iter();
                    !row.stands.is_empty() && stands.all(|stand| quoted(&stand.log))
                })
            }
            Proved::Rcp => true,
        }
}

#[cfg(test)]
mod tests;
