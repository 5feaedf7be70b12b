//! The index against the fold, at the point of the journal at which the index stands.
//!
//! **Invariant:** an index that a crash left behind the journal is compared as it was then, and is
//! no damage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use corridor_proto::LogId;
use corridor_rules::row::{RecordKey, RecordRow};

use super::contents::Contents;
use super::{Report, at};
use crate::index::{Entry, Index};
use crate::journal::{Group, Place, Position};

const INDEX: &str = "index";

/// The index, and what a fold made anew would put into it besides rows.
pub(super) struct Comparison {
    found: Result<Option<Index>, String>,
    seen: Option<Position>,
    /// Where the lines of each log lie by index of the first, and whether the log is still here.
    lines: BTreeMap<(LogId, u64), (Place, bool)>,
    differences: Option<Differences>,
    behind: u64,
    groups: u64,
}

impl Comparison {
    /// Opens the index that is there.
    pub fn open(path: &Path) -> Self {
        let (found, seen) = match Index::existing(path) {
            Ok(Some((index, seen))) => (Ok(Some(index)), seen),
            Ok(None) => (Ok(None), None),
            Err(why) => (Err(why), None),
        };
        Self {
            found,
            seen,
            lines: BTreeMap::new(),
            differences: None,
            behind: 0,
            groups: 0,
        }
    }

    /// Lines of a log from `from` on lie at `place`.
    pub fn lines(&mut self, log: &LogId, from: u64, place: Place) {
        self.lines.insert((*log, from), (place, true));
    }

    /// A log is no longer here; where its lines lay may be remembered or not.
    pub fn forget(&mut self, log: &LogId) {
        let places = self.lines.range_mut((*log, 0)..=(*log, u64::MAX));
        places.for_each(|(_, (_, is_here))| *is_here = false);
    }

    /// Behind each group: is this what the index has seen?
    pub fn group(
        &mut self,
        group: &Group<'_>,
        rows: &BTreeMap<RecordKey, RecordRow>,
        contents: &Contents,
    ) {
        let is_empty = group.frames.is_empty() && group.erased.is_empty();
        self.groups += u64::from(!group.frames.is_empty());
        self.behind += u64::from(!is_empty);
        if self.seen.as_ref() != Some(&group.position) {
            return;
        }
        self.behind = 0;
        if let Ok(Some(index)) = &self.found {
            self.differences = Some(Differences::of(index, rows, &self.lines, contents));
        }
    }

    /// Says what was found.
    pub fn finish(self, is_damaged: bool, report: &mut Report) {
        if is_damaged {
            let what = "not compared, for the journal is damaged";
            return report.note(INDEX, what);
        }
        match (self.found, self.differences) {
            (Err(why), _) => {
                let what = format!("it cannot be opened ({why}); the next start rebuilds it");
                report.find(INDEX, what);
            }
            (Ok(None), _) if self.groups <= 1 => {
                report.note(INDEX, "there is none yet; the first start makes it");
            }
            (Ok(None), _) => report.find(INDEX, "it is missing; the next start rebuilds it"),
            (Ok(Some(index)), None) if is_empty(&index) => report.note(
                INDEX,
                "it is empty, as a crash soon after it was made leaves it; the next start \
                 rebuilds it",
            ),
            (Ok(Some(_)), None) => report.find(
                INDEX,
                "it is not the index of this journal as it is now; the next start rebuilds it",
            ),
            (Ok(Some(_)), Some(differences)) => {
                differences.report(report);
                if self.behind > 0 {
                    let what = format!(
                        "groups of the journal that it has not seen: {}, as a crash leaves it; \
                         the next start takes them in",
                        self.behind
                    );
                    report.note(INDEX, what);
                }
            }
        }
    }
}

/// Whether it holds nothing, not even how much of the journal it has seen.
fn is_empty(index: &Index) -> bool {
    let mut is_empty = index.position().is_none();
    let read = index.each(&mut |_| is_empty = false);
    is_empty && read.is_ok()
}

/// Entries of one sort that are wrong: how many, and the first.
#[derive(Default)]
struct Wrong {
    count: u64,
    first: String,
}

impl Wrong {
    fn add(&mut self, which: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = which();
        }
        self.count += 1;
    }

    fn report(&self, what: &str, report: &mut Report) {
        let Self { count, first } = self;
        if *count > 0 {
            let what = format!(
                "{what}: {count}, such as {first}; delete the folder index before the next start, \
                 which rebuilds it"
            );
            report.find(INDEX, what);
        }
    }
}

/// How the index differs from the fold.
#[derive(Default)]
struct Differences {
    entries: u64,
    unreadable: Wrong,
    /// Records whose body the next start would not ask for.
    unwanted: Wrong,
    rows: Wrong,
    lines: Wrong,
    /// Erasures that the next start would leave out.
    undone: Wrong,
    /// Erasures that the next start would do and nobody asked for.
    unasked: Wrong,
}

impl Differences {
    fn of(
        index: &Index,
        rows: &BTreeMap<RecordKey, RecordRow>,
        lines: &BTreeMap<(LogId, u64), (Place, bool)>,
        contents: &Contents,
    ) -> Self {
        let mut found = Self::default();
        let mut rows_left: BTreeSet<&RecordKey> = rows.keys().collect();
        let here = lines.iter().filter(|(_, (_, is_here))| *is_here);
        let mut lines_left: BTreeSet<(LogId, u64)> = here.map(|(key, _)| *key).collect();
        let mut pending: BTreeSet<Place> = contents.pending().collect();
        let read = index.each(&mut |entry| {
            found.entries += 1;
            match entry {
                Err(what) => found.unreadable.add(|| what.to_owned()),
                Ok(Entry::Row(key, row)) => {
                    rows_left.remove(&key);
                    if rows.get(&key) != Some(&*row) {
                        found.rows.add(|| record(&key));
                    }
                }
                Ok(Entry::Lines(log, from, place)) => {
                    lines_left.remove(&(log, from));
                    if lines.get(&(log, from)).is_none_or(|fold| fold.0 != place) {
                        found.lines.add(|| line(&log, from));
                    }
                }
                Ok(Entry::Erase(place)) => {
                    pending.remove(&place);
                    if !contents.is_due(place) {
                        found.unasked.add(|| at(place));
                    }
                }
            }
        });
        if let Err(why) = read {
            found.unreadable.add(|| why);
        }
        match index.listed() {
            Err(why) => found.unreadable.add(|| why),
            Ok(None) => {}
            Ok(Some(listed)) => {
                let listed: BTreeSet<RecordKey> = listed.into_iter().collect();
                let wanting = rows.iter().filter(|(_, row)| row.wants_any());
                for (key, _) in wanting.filter(|(key, _)| !listed.contains(key)) {
                    found.unwanted.add(|| record(key));
                }
            }
        }
        for key in rows_left {
            found.rows.add(|| record(key));
        }
        for (log, from) in lines_left {
            found.lines.add(|| line(&log, from));
        }
        for place in pending {
            found.undone.add(|| at(place));
        }
        found
    }

    fn report(self, report: &mut Report) {
        report.entries = self.entries;
        self.unreadable
            .report("entries that cannot be read", report);
        self.unwanted
            .report("texts to be fetched that it does not know of", report);
        self.rows
            .report("rows that are not what the journal says", report);
        self.lines
            .report("lines that do not lie where it says", report);
        self.undone
            .report("erasures to be done that it does not know of", report);
        self.unasked
            .report("erasures to be done that nobody asked for", report);
    }
}

fn record(key: &RecordKey) -> String {
    format!("that of record {}/{}", key.rcp, key.record)
}

fn line(log: &LogId, from: u64) -> String {
    format!("line {from} of log {log}")
}
