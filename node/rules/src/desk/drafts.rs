//! Many drafts at once, as a table brings them.
//!
//! **Invariant:** a draft is not changed that is not as whoever changes it read it.

use std::collections::BTreeSet;

use corridor_proto::RecordId;

use super::publish::refuse_withdrawn;
use super::{Decision, Desk, DeskRefusal, unknown_record};
use crate::fact::{Fact, Place};
use crate::limits::{DRAFTS_BYTES_MAX, DRAFTS_MAX};

/// More than one group takes.
const TOO_MANY_AT_ONCE: DeskRefusal = DeskRefusal::TooMany {
    what: "drafts to be changed at once",
    remedy: "change fewer of them at a time",
};

/// What was read of a record before its draft is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsRead {
    /// Where its draft lay; `None` if it had none.
    pub draft: Option<Place>,
    /// Where its newest version lay; `None` if it had none.
    pub newest: Option<Place>,
}

/// A draft that is to be saved.
#[derive(Clone, Debug)]
pub struct DraftToSave {
    /// Which record: an identifier of its own for a new one.
    pub record: RecordId,
    /// Its kind.
    pub kind: u16,
    /// Its body.
    pub body: Vec<u8>,
    /// The record as it was read; `None` for a new one.
    pub was: Option<AsRead>,
    /// Who wrote it; empty where nobody is named.
    pub who: String,
}

impl Desk<'_> {
    /// Saves and discards drafts: all of them or none.
    pub(super) fn change_drafts(
        &mut self,
        save: Vec<DraftToSave>,
        discard: &[(RecordId, Place)],
    ) -> Decision {
        let bytes: usize = save.iter().map(|one| one.body.len()).sum();
        if save.len() + discard.len() > DRAFTS_MAX || bytes > DRAFTS_BYTES_MAX {
            return Err(TOO_MANY_AT_ONCE);
        }
        let saved = save.iter().map(|one| one.record);
        let records: BTreeSet<RecordId> = saved.chain(discard.iter().map(|one| one.0)).collect();
        if records.len() != save.len() + discard.len() {
            return Err(DeskRefusal::Nothing("a record is named twice"));
        }
        let mut facts = Vec::new();
        for one in save {
            self.check_as_read(one.record, one.was)?;
            facts.extend(self.written(one.record, one.kind, &one.body, one.who));
        }
        for (record, place) in discard {
            let draft = self.model.drafts.get(record).map(|draft| draft.place);
            if draft != Some(*place) {
                return Err(DeskRefusal::ChangedMeanwhile(*record));
            }
            facts.push(Fact::DraftGone { record: *record });
        }
        Ok(facts)
    }

    fn check_as_read(&self, record: RecordId, was: Option<AsRead>) -> Result<(), DeskRefusal> {
        let row = self.row(record);
        let draft = self.model.drafts.get(&record).map(|draft| draft.place);
        let Some(was) = was else {
            let is_free = row.is_none() && draft.is_none() && !record.is_zero();
            return if is_free {
                Ok(())
            } else {
                Err(DeskRefusal::ChangedMeanwhile(record))
            };
        };
        if row.is_none() && draft.is_none() {
            return Err(unknown_record(record));
        }
        refuse_withdrawn(record, row.as_ref())?;
        let newest = row
            .as_ref()
            .and_then(|row| row.newest())
            .map(|held| held.place);
        if (draft, newest) != (was.draft, was.newest) {
            return Err(DeskRefusal::ChangedMeanwhile(record));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
