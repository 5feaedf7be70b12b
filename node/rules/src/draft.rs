//! Drafts: what lies in no log, who wrote it, and who cleared it for release.
//!
//! The steps that people take with a draft stay in this node. **Invariant:** a clearance is of one
//! text; whoever saves another text ends it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use corridor_proto::{RecordId, UnixMillis};

use crate::fact::Place;

/// Steps of a draft that are kept in sight.
const STEPS_MAX: usize = 16;

/// What somebody did with a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Saved its text.
    Written,
    /// Asked that it be cleared.
    Asked,
    /// Cleared it for release.
    Cleared,
    /// Gave it back to be changed.
    Returned,
    /// It was published with this clearance.
    Released,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Written,
        Self::Asked,
        Self::Cleared,
        Self::Returned,
        Self::Released,
    ];

    /// Its number in the journal.
    pub const fn code(self) -> u8 {
        match self {
            Self::Written => 1,
            Self::Asked => 2,
            Self::Cleared => 3,
            Self::Returned => 4,
            Self::Released => 5,
        }
    }
}

/// A step as it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub step: Step,
    /// When.
    pub at: UnixMillis,
    /// By whom: the label of an access token; empty where nobody was named.
    pub who: String,
    /// Where what they said to it lies. It goes when the draft goes.
    pub note: Option<Place>,
}

/// For whom something is done with drafts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hand {
    /// The label of an access token.
    pub who: String,
    /// Whether nobody clears a text of their own.
    pub four_eyes: bool,
}

/// A draft, which lies in no log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Kind of record.
    pub kind: u16,
    /// When it was saved.
    pub at: UnixMillis,
    /// Where salt and body lie.
    pub place: Place,
}

/// What was done with a draft since its record was last published. A compacted journal has the
/// newest text alone and all steps: so none of this depends on earlier texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Who had a part in the text.
    pub writers: BTreeSet<String>,
    /// The newest sixteen steps, the newest last.
    pub steps: Vec<Taken>,
    /// Whether the text was saved after the last of them.
    pub is_changed: bool,
}

impl History {
    /// What was done last with the present text.
    pub fn last(&self) -> Option<&Taken> {
        self.steps.last().filter(|_| !self.is_changed)
    }

    /// The clearance of the present text.
    pub fn clearance(&self) -> Option<&Taken> {
        self.last().filter(|last| last.step == Step::Cleared)
    }

    /// Takes in a step; gives where the notes of those lie that are out of sight now.
    fn push(&mut self, taken: Taken) -> Vec<Place> {
        self.is_changed = false;
        if taken.step == Step::Written {
            self.writers.insert(taken.who.clone());
            // Who saves again and again writes once.
            let is_same = |last: &Taken| last.step == Step::Written && last.who == taken.who;
            if self.steps.last().is_some_and(is_same) {
                self.steps.pop();
            }
        }
        self.steps.push(taken);
        let surplus = self.steps.len().saturating_sub(STEPS_MAX);
        let old = self.steps.drain(..surplus);
        old.filter_map(|taken| taken.note).collect()
    }
}

/// All drafts, and with which clearance records were published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drafts {
    open: BTreeMap<RecordId, Draft>,
    histories: BTreeMap<RecordId, History>,
    released: BTreeMap<RecordId, Taken>,
}

impl Drafts {
    /// None.
    pub const fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            histories: BTreeMap::new(),
            released: BTreeMap::new(),
        }
    }

    /// The draft of a record.
    pub fn get(&self, record: &RecordId) -> Option<&Draft> {
        self.open.get(record)
    }

    /// Whether there is one.
    pub fn contains_key(&self, record: &RecordId) -> bool {
        self.open.contains_key(record)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&RecordId, &Draft)> {
        self.open.iter()
    }

    /// The records of those that come after one, or all, in an order that stays.
    pub fn after(&self, record: Option<RecordId>) -> impl Iterator<Item = &RecordId> {
        let from = record.map_or(Bound::Unbounded, Bound::Excluded);
        let after = self.open.range((from, Bound::Unbounded));
        after.map(|(record, _)| record)
    }

    /// Their records.
    pub fn keys(&self) -> impl Iterator<Item = &RecordId> {
        self.open.keys()
    }

    /// All of them.
    pub fn values(&self) -> impl Iterator<Item = &Draft> {
        self.open.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// With which clearance a record's newest version was published, if somebody was named.
    pub fn released(&self, record: &RecordId) -> Option<&Taken> {
        self.released.get(record)
    }

    /// What was done with the draft of a record; `None` if nobody was named.
    pub fn history(&self, record: &RecordId) -> Option<&History> {
        self.histories.get(record)
    }

    /// Takes in that a text was saved; gives the place of the one before.
    pub(crate) fn saved(&mut self, record: RecordId, draft: Draft) -> Option<Place> {
        if let Some(history) = self.histories.get_mut(&record) {
            history.is_changed = true;
        }
        self.open.insert(record, draft).map(|old| old.place)
    }

    /// Takes in a step; gives the places of notes that nobody sees any more.
    pub(crate) fn step(&mut self, record: RecordId, taken: Taken) -> Vec<Place> {
        if taken.step == Step::Released {
            self.released.insert(record, taken);
            return Vec::new();
        }
        self.histories.entry(record).or_default().push(taken)
    }

    /// Takes in that a draft is gone; gives the places of its text and of what was said to it.
    pub(crate) fn gone(&mut self, record: &RecordId) -> Vec<Place> {
        let steps = self.histories.remove(record).unwrap_or_default().steps;
        let notes = steps.into_iter().filter_map(|taken| taken.note);
        let text = self.open.remove(record).map(|old| old.place);
        text.into_iter().chain(notes).collect()
    }

    /// The places of all texts and notes, to be moved.
    pub(crate) fn places_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        let texts = self.open.values_mut().map(|draft| &mut draft.place);
        let steps = self.histories.values_mut().flat_map(|one| &mut one.steps);
        texts.chain(steps.filter_map(|taken| taken.note.as_mut()))
    }
}

#[cfg(test)]
mod tests;
