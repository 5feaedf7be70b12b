//! Drafts and the steps that people take with them.
//!
//! **Invariant:** where four eyes are wanted, nobody clears a text in which they had a part,
//! neither by a step of its own nor by publishing it.

use corridor_proto::{RecordId, Salt};

use super::publish::refuse_withdrawn;
use super::{Decision, Desk, DeskRefusal, ToPublish, ToSave, ToStep, unknown_record};
use crate::draft::{Draft, Hand, History, Step, Taken};
use crate::fact::{Fact, Place, blob};
use crate::limits::STEP_NOTE_BYTES_MAX;

const NOTE_TOO_LONG: DeskRefusal = DeskRefusal::TooMany {
    what: "characters in this note",
    remedy: "write at most a page, and the rest into the record",
};

const MADE_BEFORE: DeskRefusal = DeskRefusal::Nothing("the record was made before");

impl Desk<'_> {
    pub(super) fn save_draft(&mut self, text: ToSave) -> Decision {
        if let Some(record) = text.record {
            let row = self.row(record);
            let is_there = row.is_some() || self.model.drafts.contains_key(&record);
            match (is_there, text.is_new) {
                (true, true) => return Err(MADE_BEFORE),
                (false, false) => return Err(unknown_record(record)),
                _ => {}
            }
            refuse_withdrawn(record, row.as_ref())?;
            self.refuse_changed(record, text.over)?;
        }
        let record = text.record.unwrap_or_else(|| RecordId::new(self.bytes()));
        Ok(self.written(record, text.kind, &text.body, text.who))
    }

    /// A text that is saved, and by whom.
    pub(super) fn written(
        &mut self,
        record: RecordId,
        kind: u16,
        body: &[u8],
        who: String,
    ) -> Vec<Fact> {
        let mut facts = vec![self.draft(record, kind, body)];
        if !who.is_empty() {
            let taken = self.taken(Step::Written, who);
            facts.push(Fact::Step {
                record,
                taken,
                note: None,
            });
        }
        facts
    }

    pub(super) fn discard_draft(&self, record: RecordId, over: Option<Place>) -> Decision {
        self.open_draft(record)?;
        self.refuse_changed(record, over)?;
        Ok(vec![Fact::DraftGone { record }])
    }

    pub(super) fn step_draft(&mut self, step: ToStep) -> Decision {
        let ToStep { record, hand, .. } = step;
        let draft = self.open_draft(record)?;
        self.refuse_changed(record, Some(step.draft))?;
        if step.note.len() > STEP_NOTE_BYTES_MAX {
            return Err(NOTE_TOO_LONG);
        }
        let last = self.model.drafts.history(&record).and_then(History::last);
        match last.map(|last| last.step) {
            Some(last) if last == step.step => {
                return Err(DeskRefusal::Nothing(
                    "somebody took this step before; look at the draft again",
                ));
            }
            Some(Step::Cleared) if step.step == Step::Asked => {
                return Err(DeskRefusal::Nothing("the draft is cleared already"));
            }
            _ => {}
        }
        if step.step == Step::Cleared {
            self.refuse_own(record, &hand)?;
        }
        let kind = draft.kind;
        let text = step.body.map(|body| self.draft(record, kind, &body));
        let said = (!step.note.is_empty()).then(|| {
            let salt = Salt::new(self.bytes());
            blob(&salt, step.note.as_bytes())
        });
        let taken = self.taken(step.step, hand.who);
        let mut facts: Vec<Fact> = text.into_iter().collect();
        facts.push(Fact::Step {
            record,
            taken,
            note: said,
        });
        Ok(facts)
    }

    /// With which clearance a draft is published: the one it has, or the publisher's own.
    pub(super) fn clearance(&self, one: &ToPublish) -> Result<Option<Fact>, DeskRefusal> {
        let record = one.record;
        let Some(hand) = one.hand.as_ref().filter(|_| one.draft.is_some()) else {
            return Ok(None);
        };
        let history = self.model.drafts.history(&record);
        let taken = match history.and_then(History::last) {
            Some(last) if last.step == Step::Returned => {
                return Err(DeskRefusal::GivenBack(record));
            }
            Some(cleared) if cleared.step == Step::Cleared => Taken {
                step: Step::Released,
                note: None,
                ..cleared.clone()
            },
            _ => {
                self.refuse_own(record, hand)?;
                self.taken(Step::Released, hand.who.clone())
            }
        };
        Ok(Some(Fact::Step {
            record,
            taken,
            note: None,
        }))
    }

    fn open_draft(&self, record: RecordId) -> Result<&Draft, DeskRefusal> {
        let draft = self.model.drafts.get(&record);
        draft.ok_or_else(|| DeskRefusal::Unknown {
            what: "draft",
            id: record.to_string(),
        })
    }

    /// What was read must still be there.
    fn refuse_changed(&self, record: RecordId, read: Option<Place>) -> Result<(), DeskRefusal> {
        let draft = self.model.drafts.get(&record);
        if read.is_some() && read != draft.map(|draft| draft.place) {
            return Err(DeskRefusal::ChangedMeanwhile(record));
        }
        Ok(())
    }

    fn draft(&mut self, record: RecordId, kind: u16, body: &[u8]) -> Fact {
        Fact::Draft {
            record,
            kind,
            at: self.now,
            blob: blob(&Salt::new(self.bytes()), body),
        }
    }

    const fn taken(&self, step: Step, who: String) -> Taken {
        Taken {
            step,
            at: self.now,
            who,
            note: None,
        }
    }

    fn refuse_own(&self, record: RecordId, hand: &Hand) -> Result<(), DeskRefusal> {
        if !hand.four_eyes {
            return Ok(());
        }
        let history = self.model.drafts.history(&record);
        let writers = history.map(|history| &history.writers);
        match writers.filter(|writers| !writers.is_empty()) {
            None => Err(DeskRefusal::NoWriter(record)),
            Some(writers) if writers.contains(&hand.who) => {
                let who = hand.who.clone();
                Err(DeskRefusal::FourEyes { record, who })
            }
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
