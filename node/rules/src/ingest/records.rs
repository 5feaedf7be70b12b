//! Records behind publish lines.

use corridor_proto::charter::Charter;
use corridor_proto::record::{SignedRecord, VerifiedRecord};
use corridor_proto::{Hash, LogId, RcpId, Reason, RecordId, Refusal};

use super::{Arrival, may_give};
use crate::fact::{Fact, blob};
use crate::log::Log;
use crate::model::{Model, Rows};
use crate::peer::{Call, may_call};
use crate::row::{Named, RecordKey, RecordRow};

/// Records that came, each behind its line.
#[derive(Clone, Debug)]
pub struct Unverified {
    /// From whom.
    pub peer: RcpId,
    /// Whose they are: its charter judges.
    pub owner: RcpId,
    /// Of which log.
    pub log: LogId,
    /// Index, what its line says, and the record.
    pub records: Vec<(u64, Named, Result<SignedRecord, Refusal>)>,
}

/// What is to become of records that came.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// To be taken in: the good ones together, each that is kept out by itself.
    pub arrivals: Vec<Arrival>,
    /// Not to be taken in; asked for again another time.
    pub refusals: Vec<Refusal>,
}

/// Judges records by the charter of their RCP; the costly part, done before the one writer.
///
/// The version hash covers header and signature: what is wrong with these is so for ever, and keeps
/// the version out. A record that is not the one its line names, or whose body is not the one its
/// header names, may have been damaged on its way: it is refused.
pub fn judge(charter: &Charter, unverified: Unverified) -> Judged {
    let (peer, owner, log) = (unverified.peer, unverified.owner, unverified.log);
    let mut judged = Judged::default();
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for (index, named, record) in unverified.records {
        let came = record.and_then(|record| {
            if record.header.version_hash() == named.version_hash {
                Ok(record)
            } else {
                Err(Refusal::new("record", Reason::WrongHash))
            }
        });
        let verdict = match came {
            Err(refusal) => Err((refusal, false)),
            Ok(record) => record.verify(charter).map_err(|refusal| {
                let is_authors = refusal != Refusal::new("record body", Reason::WrongHash);
                // By another's charter nothing is judged for ever.
                (refusal, is_authors && charter.rcp() == owner)
            }),
        };
        match verdict {
            Ok(record) => good.push((index, record)),
            Err((refusal, false)) => judged.refusals.push(refusal),
            Err((refusal, true)) => bad.push(Arrival::Bad {
                rcp: owner,
                record: named.record,
                version_hash: named.version_hash,
                reason: refusal.reason,
            }),
        }
    }
    if !good.is_empty() {
        let records = good;
        judged
            .arrivals
            .push(Arrival::Records { peer, log, records });
    }
    judged.arrivals.extend(bad);
    judged
}

/// Of verified records those that are still wanted behind their lines.
pub(super) fn records(
    model: &Model,
    rows: &dyn Rows,
    peer: &RcpId,
    id: &LogId,
    records: &[(u64, VerifiedRecord)],
) -> Result<Vec<Fact>, Refusal> {
    let refuse = |reason| Refusal::new("record", reason);
    let log = model.logs.get(id).filter(|log| {
        let owner = &log.owner;
        *owner == model.me && may_call(model.peer_state(peer), Call::Send)
            || may_give(model, peer, owner) && (peer == owner || log.is_relayed())
    });
    let log = log.ok_or_else(|| refuse(Reason::NotEntitled))?;
    let mut facts: Vec<Fact> = Vec::with_capacity(records.len());
    for (index, record) in records {
        let header = record.header();
        if header.rcp != log.owner {
            return Err(refuse(Reason::WrongRcp));
        }
        let row = rows.row(&RecordKey {
            rcp: header.rcp,
            record: header.record,
        });
        let hash = record.version_hash();
        let wanted = row.as_ref().is_some_and(|row| {
            let stand = row.stand(id).filter(|stand| stand.index == *index);
            stand.is_some_and(|stand| {
                stand.version == header.version && stand.version_hash == hash && row.wants(stand)
            })
        });
        if wanted || lacks_void(log, row.as_ref(), header.record, &hash) {
            let signed = record.signed();
            facts.push(Fact::Record {
                header: signed.header.clone(),
                blob: blob(&signed.salt, &signed.body),
            });
        }
    }
    Ok(facts)
}

/// Whether a void line of ours published this version, its body is not here, and nothing burnt it.
fn lacks_void(log: &Log, row: Option<&RecordRow>, record: RecordId, hash: &Hash) -> bool {
    let published = log.void.published.get(hash);
    published.is_some_and(|(of, version)| {
        let held = row.is_some_and(|row| row.body(hash).is_some() || *version <= row.burnt());
        *of == record && !held
    })
}

#[cfg(test)]
mod tests;
