//! Going through the records that a reader sees, a few at a time.
//!
//! **Invariant:** what is gone through is what the desk shows; the store is held for a few rows.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::ControlFlow;

use corridor_proto::kinds::Kind;
use corridor_proto::{RcpId, RecordId};
use corridor_rules::Reader;
use corridor_rules::row::RecordKey;
use corridor_store::View;

use super::facts::{Facts, Words};
use super::fields::Field;
use super::filter::{Filter, Subject};
use super::known::{Known, Library};
use crate::desk::{self, Shown};
use crate::edge;
use crate::limits::BYTES_AT_ONCE;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// By whom.
    pub reader: Reader,
    /// Of which RCP; of all if none is said.
    pub parent: Option<RcpId>,
    /// Whether also what is not in force.
    pub show_all: bool,
    /// What it has to be.
    pub filter: Filter,
    /// Whether each is wanted with what it says.
    pub with_facts: bool,
}

/// A record that was asked for.
#[derive(Debug)]
pub struct Seen<'a> {
    /// As the reader may see it, without its signed bytes.
    pub shown: Shown,
    /// Its RCP in base32.
    pub rcp: &'a str,
    /// The word of its kind.
    pub kind: &'a str,
    /// What it says; nothing where no text is held.
    pub known: Option<Known>,
}

/// How far a few rows led.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slice {
    /// The last record looked at.
    pub last: Option<RecordKey>,
    /// How many were looked at.
    pub rows: usize,
    /// Whether there is nothing behind it.
    pub is_end: bool,
}

impl Ask {
    /// Where it begins.
    pub fn start(&self) -> Option<RecordKey> {
        let record = RecordId::ZERO;
        self.parent.map(|rcp| RecordKey { rcp, record })
    }

    /// Looks at most at so many rows behind `after`, or at fewer with long texts; shows what was
    /// asked for until `each` has enough.
    pub fn slice(
        &self,
        view: &View<'_>,
        library: &Library,
        after: Option<RecordKey>,
        rows_max: usize,
        each: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
    ) -> Slice {
        let now = edge::now();
        let mut slice = Slice {
            last: after,
            ..Slice::default()
        };
        let (mut rcp, read) = ((RcpId::new([0; 32]), String::new()), Cell::new(0));
        for (key, row) in desk::rows(view, &self.reader, after.or_else(|| self.start()), now) {
            match self.parent {
                Some(rcp) if key.rcp < rcp => continue,
                Some(rcp) if key.rcp > rcp => break,
                _ => {}
            }
            slice.rows += 1;
            slice.last = Some(key);
            let shown = desk::sight(view, (key, row), &self.reader, now, self.show_all);
            let shown = shown.filter(|shown| self.show_all || shown.current.is_some());
            if rcp.0 != key.rcp {
                rcp = (key.rcp, key.rcp.to_string());
            }
            let known = |shown: &Shown, with_words| {
                let held = shown.held.as_ref()?;
                library.known(view, &shown.key, held, with_words, &read)
            };
            let mut look = |shown| self.look(view, &known, (shown, &rcp.1), each).is_break();
            let is_enough = shown.is_some_and(&mut look);
            if is_enough || slice.rows == rows_max || read.get() >= BYTES_AT_ONCE {
                return slice;
            }
        }
        slice.is_end = true;
        slice
    }

    fn look(
        &self,
        view: &View<'_>,
        known: &dyn Fn(&Shown, bool) -> Option<Known>,
        (shown, rcp): (Shown, &str),
        each: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let kind = shown.held.as_ref().map_or(Cow::Borrowed(""), |held| {
            Kind::from_code(held.kind).map_or_else(
                || Cow::Owned(format!("kind {}", held.kind)),
                |kind| Cow::Borrowed(kind.name()),
            )
        });
        let asks_body = self.filter.asks(Field::is_of_body);
        let early = asks_body
            .then(|| known(&shown, self.filter.needs_words()))
            .flatten();
        if !self.is_let_through(view, (&shown, rcp, &kind), early.as_ref()) {
            return ControlFlow::Continue(());
        }
        let late = || self.with_facts.then(|| known(&shown, false)).flatten();
        let known = early.or_else(late);
        let kind = &kind;
        each(Seen {
            shown,
            rcp,
            kind,
            known,
        })
    }

    fn is_let_through(
        &self,
        view: &View<'_>,
        (shown, rcp, kind): (&Shown, &str, &str),
        known: Option<&Known>,
    ) -> bool {
        let filter = &self.filter;
        if filter.is_empty() {
            return true;
        }
        let name = format!("rcps/{rcp}/records/{}", shown.key.record);
        let circles = filter.asks(|field| field == Field::Circle);
        let circles = if circles {
            circles_of(view, shown)
        } else {
            Vec::new()
        };
        let state = shown.state().as_str_name().to_ascii_lowercase();
        let (no_facts, no_words) = (Facts::default(), Words::default());
        let words = known.and_then(|known| known.words.as_deref());
        filter.lets_through(&Subject {
            name: &name,
            rcp,
            kind,
            state: state.trim_start_matches("record_state_"),
            version: shown.current.as_ref().map_or(0, |stand| stand.version),
            time: shown.held.as_ref().map_or(0, |held| held.time.0),
            circles: &circles,
            facts: known.map_or(&no_facts, |known| &known.facts),
            words: words.unwrap_or(&no_words),
        })
    }
}

/// Our circles in which a record stands, by name; the public one has none in its log.
fn circles_of(view: &View<'_>, shown: &Shown) -> Vec<String> {
    let row = &shown.row;
    let stands = row.stands.iter().filter(|stand| row.lives(stand));
    let logs = stands.filter_map(|stand| view.logs.get(&stand.log));
    let own = logs.filter(|log| log.owner == view.me);
    own.map(|log| match log.sort {
        corridor_rules::Sort::Public => "public".to_owned(),
        _ => log.name.clone(),
    })
    .collect()
}
