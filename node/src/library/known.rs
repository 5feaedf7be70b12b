//! What was read of records and is kept in memory.
//!
//! At 100,000 records of 2 KB reading and taking apart a body costs some ten times what a look at
//! memory does, and a search looks at all of them. **Invariant:** what is kept has a bound, and is
//! forgotten when its record changes.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corridor_proto::Hash;
use corridor_rules::row::{HeldVersion, RecordKey};
use corridor_rules::serve::Source;
use corridor_store::{Store, View};
use tokio::sync::watch;

use super::facts::{self, Facts, Words};
use crate::limits::{FACTS_BYTES_MAX, WORDS_BYTES_MAX};

/// What one version says; its words only where they were asked for or there was room.
#[derive(Clone, Debug)]
pub struct Known {
    /// What it says of itself.
    pub facts: Arc<Facts>,
    /// Its texts.
    pub words: Option<Arc<Words>>,
}

impl Known {
    fn words_bytes(&self) -> usize {
        let words = self.words.as_ref();
        words.map_or(0, |words| words.all.len() + words.summary.len() + 64)
    }
}

/// What is kept.
#[derive(Debug, Default)]
struct Kept {
    /// By record and version: who sees another version than the next one does not drive it out.
    known: BTreeMap<(RecordKey, Hash), Known>,
    facts_bytes: usize,
    words_bytes: usize,
}

impl Kept {
    fn forget(&mut self, key: &RecordKey) {
        let versions = (*key, Hash::ZERO)..=(*key, Hash::new([u8::MAX; 32]));
        for (_, known) in self.known.extract_if(versions, |_, _| true) {
            self.facts_bytes -= known.facts.bytes();
            self.words_bytes -= known.words_bytes();
        }
    }

    fn keep(&mut self, key: RecordKey, version: Hash, mut known: Known) {
        if let Some(old) = self.known.remove(&(key, version)) {
            self.facts_bytes -= old.facts.bytes();
            self.words_bytes -= old.words_bytes();
        }
        if self.facts_bytes + known.facts.bytes() > FACTS_BYTES_MAX {
            return;
        }
        if self.words_bytes + known.words_bytes() > WORDS_BYTES_MAX {
            known.words = None;
        }
        self.facts_bytes += known.facts.bytes();
        self.words_bytes += known.words_bytes();
        self.known.insert((key, version), known);
    }
}

/// What the records say.
#[derive(Debug, Default)]
pub struct Library(Mutex<Kept>);

impl Library {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the version of a record says, from memory or from the journal; `None` if its bytes
    /// cannot be read. Asked for while the store is held, so that what is kept is of the present.
    /// Adds to `read` how many bytes of a body had to be read for it.
    pub fn known(
        &self,
        view: &View<'_>,
        key: &RecordKey,
        held: &HeldVersion,
        with_words: bool,
        read: &Cell<usize>,
    ) -> Option<Known> {
        if let Some(known) = self.kept().known.get(&(*key, held.version_hash))
            && (known.words.is_some() || !with_words)
        {
            return Some(known.clone());
        }
        let body = view.record(held.place)?.body;
        read.set(read.get().saturating_add(body.len()));
        let (facts, words) = facts::read(held.kind, &body);
        let known = Known {
            facts: Arc::new(facts),
            words: Some(Arc::new(words)),
        };
        self.kept().keep(*key, held.version_hash, known.clone());
        Some(known)
    }

    /// Forgets what changed after a revision; gives the present one.
    fn forget_changed(&self, store: &Store, seen: u64) -> u64 {
        store.read(|view| {
            let mut kept = self.kept();
            match view.changed_since(seen) {
                Some(keys) => keys.iter().for_each(|key| kept.forget(key)),
                None => *kept = Kept::default(),
            }
            view.revision
        })
    }

    /// Forgets whatever changes, until `stop`.
    pub async fn follow(
        self: Arc<Self>,
        store: Store,
        mut changed: watch::Receiver<u64>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut seen = store.read(|view| view.revision);
        loop {
            tokio::select! {
                Ok(()) = changed.changed() => seen = self.forget_changed(&store, seen),
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// How many records are kept, and how many bytes that is, for tests and measures.
    pub fn size(&self) -> (usize, usize) {
        let kept = self.kept();
        (kept.known.len(), kept.facts_bytes + kept.words_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_proto::{RcpId, RecordId};

    fn key(byte: u8) -> RecordKey {
        RecordKey {
            rcp: RcpId::new([1; 32]),
            record: RecordId::new([byte; 16]),
        }
    }

    fn known(title: usize, words: usize) -> Known {
        let facts = Facts {
            our_ref: "x".repeat(title),
            ..Facts::default()
        };
        let words = Words {
            all: "x".repeat(words),
            summary: String::new(),
        };
        Known {
            facts: Arc::new(facts),
            words: Some(Arc::new(words)),
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_counted() {
        let mut kept = Kept::default();
        kept.keep(key(1), Hash::new([1; 32]), known(10, 10));
        kept.keep(key(1), Hash::new([2; 32]), known(20, 20));
        kept.keep(key(2), Hash::new([2; 32]), known(20, WORDS_BYTES_MAX));
        kept.keep(key(3), Hash::new([2; 32]), known(FACTS_BYTES_MAX, 1));
        let at = |byte, version| (key(byte), Hash::new([version; 32]));
        assert!(kept.known[&at(1, 1)].words.is_some(), "each has its own");
        assert!(kept.known[&at(1, 2)].words.is_some());
        assert!(kept.known[&at(2, 2)].words.is_none(), "no room for words");
        assert!(!kept.known.contains_key(&at(3, 2)), "no room at all");
        for byte in 1..4 {
            kept.forget(&key(byte));
        }
        assert_eq!((kept.facts_bytes, kept.words_bytes), (0, 0));
        assert!(kept.known.is_empty());
    }
}
