//! A file becomes drafts.
//!
//! Twice through the file: first each row is told what it is, then, if all is well or the good rows
//! are wanted, rows are saved in groups. What a row is depends on the records that were there when
//! the import began, and on the rows before it. **Invariant:** nothing is saved while a row of the
//! file has a problem, unless the caller takes the good rows.

use std::collections::HashMap;
use std::io::{Read, Seek};

use corridor_proto::kinds::{self, Kind};
use corridor_proto::{RcpId, RecordId, v1};
use corridor_rules::desk::{AsRead, DraftToSave, Wish};
use corridor_tables::record::{Applied, Remark, apply, reference_of, title_of};
use corridor_tables::table::Row;
use corridor_tables::titles::marks;
use corridor_tables::{Item, Options, Place, Problem, read};

use super::known::{self, Entry, Known};
use super::notes::{Begun, Ended, RowNote, Writing, hash, message};
use super::{TableError, Tables};
use crate::edge;
use crate::limits::{ROWS_SAVED, ROWS_SAVED_BYTES, ROWS_TOLD};

/// What is to be imported, and how.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What is read of the file.
    pub options: Options,
    /// What the file is called.
    pub file: String,
    /// For whom the token was made.
    pub by: String,
    /// Whether nothing is to be changed.
    pub validate_only: bool,
    /// Whether good rows are taken where others have problems.
    pub take_good_rows: bool,
    /// Whether rows are taken that may be duplicates.
    pub take_duplicates: bool,
}

/// Hears what becomes of the rows; says whether anybody still listens.
pub type Tell<'a> = dyn FnMut(v1::ImportRecordsResponse) -> bool + 'a;

/// Imports a file; blocks. Whoever stops listening before rows are saved ends it.
///
/// # Errors
/// [`TableError`]; what was saved before is noted.
pub fn import<F: Read + Seek>(
    tables: &Tables,
    file: &mut F,
    plan: &Plan,
    tell: &mut Tell<'_>,
) -> Result<v1::Import, TableError> {
    let known = Known::of(&tables.desk);
    let mut pass = Pass::new(tables, &known);
    let mut teller = Teller {
        tell,
        answer: v1::ImportRecordsResponse::default(),
    };
    let told = read(file, &plan.options, &mut |item| match item {
        Item::Problem(problem) => {
            pass.ended.problems = pass.ended.problems.saturating_add(1);
            teller.problem(problem)
        }
        Item::Row(row) => {
            let decided = pass.row(&row);
            teller.row(pass.outcome(&row, decided))
        }
    })?;
    if !teller.flush() {
        return Err(corridor_tables::ReadError::Stopped.into());
    }
    let ended = pass.ended;
    let begun = Begun {
        file: file_name(&plan.file),
        by: plan.by.clone(),
        format: told.format.to_string(),
        encoding: told.encoding.unwrap_or_default().to_owned(),
        time_ms: edge::now().0,
    };
    let state = |state: v1::ImportState| v1::Import {
        state: state.into(),
        ..message(&begun, &ended)
    };
    if plan.validate_only {
        return Ok(state(v1::ImportState::Checked));
    }
    if ended.problems > 0 && !plan.take_good_rows {
        return Ok(state(v1::ImportState::Refused));
    }
    let taken = ended.new_rows + ended.changed_rows;
    let doubtful = if plan.take_duplicates {
        ended.possible_duplicates
    } else {
        0
    };
    if taken + doubtful == 0 {
        return Ok(state(v1::ImportState::Complete));
    }
    save(tables, file, plan, &known, (begun, ended), teller.tell)
}

/// The last part of a path, as it is listed: one short line that acts on nothing.
fn file_name(path: &str) -> String {
    const CHARS: usize = 120;
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_unsafe =
        |c: &char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    name.chars().filter(|c| !is_unsafe(c)).take(CHARS).collect()
}

/// Goes through the file again and saves what is to be taken.
fn save<F: Read + Seek>(
    tables: &Tables,
    file: &mut F,
    plan: &Plan,
    known: &Known,
    (begun, mut ended): (Begun, Ended),
    tell: &mut Tell<'_>,
) -> Result<v1::Import, TableError> {
    let writing = tables.notes.begin(&begun)?;
    let id = writing.id.clone();
    let mut saver = Saver {
        tables,
        writing,
        group: Vec::new(),
        bytes: 0,
        saved: 0,
        failed: None,
        who: plan.by.clone(),
        tell,
    };
    let mut pass = Pass::new(tables, known);
    let read = read(file, &plan.options, &mut |item| {
        let Item::Row(row) = item else { return true };
        let decided = pass.row(&row);
        let is_taken = match decided.state {
            v1::RowState::New | v1::RowState::Changed => true,
            v1::RowState::PossibleDuplicate => plan.take_duplicates,
            _ => false,
        };
        !is_taken || saver.add(row.kind, decided)
    });
    saver.flush();
    ended.saved_rows = saver.saved;
    let why = saver.failed.take();
    let why = why.or_else(|| read.err().map(TableError::from));
    ended.stopped = why.as_ref().map(ToString::to_string).unwrap_or_default();
    saver.writing.end(&ended)?;
    let state = match why {
        None => v1::ImportState::Complete,
        Some(_) => v1::ImportState::Interrupted,
    };
    Ok(v1::Import {
        name: format!("imports/{id}"),
        state: state.into(),
        ..message(&begun, &ended)
    })
}

/// What a row is.
struct Decided {
    state: v1::RowState,
    reference: String,
    /// The record that it changes, is, or may be a duplicate of.
    entry: Option<Entry>,
    /// The row of the file of which it may be a duplicate.
    same_as: u32,
    applied: Applied,
    problems: Vec<Problem>,
}

/// One time through the file.
struct Pass<'a> {
    tables: &'a Tables,
    known: &'a Known,
    me: RcpId,
    ended: Ended,
    records: HashMap<RecordId, u32>,
    references: HashMap<(Kind, String), u32>,
    titles: HashMap<u64, (u32, String, Option<u32>)>,
}

impl<'a> Pass<'a> {
    fn new(tables: &'a Tables, known: &'a Known) -> Self {
        Self {
            tables,
            known,
            me: tables.desk.store().read(|view| view.me),
            ended: Ended::default(),
            records: HashMap::new(),
            references: HashMap::new(),
            titles: HashMap::new(),
        }
    }

    fn row(&mut self, row: &Row) -> Decided {
        let mut problems = Vec::new();
        let mut problem = |at: Option<usize>, what: String| {
            let place = row.place(at);
            problems.push(Problem { place, what });
        };
        let reference = reference(row);
        let at_reference = at_column(row, "our_ref");
        let entry = match row.record.as_deref().map(|name| self.named(name, row.kind)) {
            Some(Ok(entry)) => Some(entry),
            Some(Err(what)) => {
                problem(None, what);
                None
            }
            None if reference.is_empty() => None,
            None => self.known.by_reference(row.kind, &reference).cloned(),
        };
        // A row that names its record is known by that.
        let counts = row.record.is_none() && !reference.is_empty();
        let key = (row.kind, reference.clone());
        if let Some(before) = self.references.get(&key).filter(|_| counts) {
            problem(
                at_reference,
                format!("is the reference of row {before} too; keep one"),
            );
        } else if counts {
            self.references.insert(key, row.number);
        }
        if let Some(entry) = &entry
            && let Some(before) = self.records.insert(entry.record, row.number)
            && before != row.number
        {
            problem(
                None,
                format!("is of the same record as row {before}; keep one"),
            );
        }
        let base = entry.as_ref().map(|entry| &entry.was);
        let base = base.and_then(|was| {
            let store = self.tables.desk.store();
            store.read(|view| known::body(view, was))
        });
        let applied = apply(row.kind, &row.uses, &row.values, base.as_deref());
        for one in &applied.problems {
            problem(one.at, one.what.clone());
        }
        let mut decided = Decided {
            state: v1::RowState::Problem,
            reference,
            entry,
            same_as: 0,
            applied,
            problems,
        };
        if decided.problems.is_empty() {
            self.state(row, base.as_deref(), &mut decided);
        }
        decided
    }

    /// What a row without problems is.
    fn state(&mut self, row: &Row, base: Option<&[u8]>, decided: &mut Decided) {
        if decided.entry.is_some() {
            let base = base.map(|body| kinds::canonical(row.kind, body));
            let is_same =
                base.is_some_and(|base| base.is_ok_and(|one| one == decided.applied.body));
            decided.state = match is_same {
                true => v1::RowState::Unchanged,
                false => v1::RowState::Changed,
            };
            return;
        }
        let (title, year) = title_of(row.kind, &decided.applied.body).unwrap_or_default();
        let marks = marks(row.kind, &title);
        // Two references are two records, whatever they are called; and so are two years.
        let may_be = |reference: &str, other: Option<u32>| {
            (reference.is_empty() || decided.reference.is_empty())
                && (year == other || year.is_none() || other.is_none())
        };
        let near = self.known.near(&marks);
        let near = near
            .filter(|entry| may_be(&entry.reference, entry.year))
            .cloned();
        let before = marks.iter().find_map(|mark| self.titles.get(mark));
        let before = before.filter(|(_, reference, year)| may_be(reference, *year));
        decided.same_as = before.map_or(0, |(number, ..)| *number);
        decided.state = match near.is_some() || decided.same_as > 0 {
            true => v1::RowState::PossibleDuplicate,
            false => v1::RowState::New,
        };
        decided.entry = near;
        for mark in marks {
            let seen = (row.number, decided.reference.clone(), year);
            self.titles.entry(mark).or_insert(seen);
        }
    }

    /// The record that a row says it is an export of.
    fn named(&self, name: &str, kind: Kind) -> Result<Entry, String> {
        let ids = || {
            let (rcp, record) = name.trim().strip_prefix("rcps/")?.split_once("/records/")?;
            Some((rcp.parse::<RcpId>().ok()?, record.parse::<RecordId>().ok()?))
        };
        let (rcp, record) = ids().ok_or("names no record; empty the cell to make a new one")?;
        if rcp != self.me {
            return Err(
                "is a record of another process, which alone can change it; take the row \
                        out"
                .to_owned(),
            );
        }
        let entry = self
            .known
            .by_record(&record)
            .filter(|entry| entry.kind == kind);
        entry.cloned().ok_or_else(|| {
            "names a record that is not here; empty the cell to make a new one".to_owned()
        })
    }

    /// Counts a row, and tells of it.
    fn outcome(&mut self, row: &Row, decided: Decided) -> v1::RowOutcome {
        let ended = &mut self.ended;
        let count = match decided.state {
            v1::RowState::New => &mut ended.new_rows,
            v1::RowState::Changed => &mut ended.changed_rows,
            v1::RowState::Unchanged => &mut ended.unchanged_rows,
            v1::RowState::PossibleDuplicate => &mut ended.possible_duplicates,
            _ => &mut ended.problem_rows,
        };
        *count = count.saturating_add(1);
        let problems = u32::try_from(decided.problems.len()).unwrap_or(u32::MAX);
        ended.problems = ended.problems.saturating_add(problems);
        let need = |one: &Remark| Problem {
            place: row.place(one.at),
            what: one.what.clone(),
        };
        let record = decided
            .entry
            .map(|entry| format!("rcps/{}/records/{}", self.me, entry.record));
        v1::RowOutcome {
            sheet: row.place(None).sheet,
            number: row.number,
            state: decided.state.into(),
            our_ref: decided.reference,
            record: record.unwrap_or_default(),
            same_as: decided.same_as,
            problems: decided.problems.into_iter().map(told).collect(),
            needs: decided.applied.needs.iter().map(need).map(told).collect(),
        }
    }
}

fn at_column(row: &Row, key: &str) -> Option<usize> {
    row.uses.iter().position(|one| one.column.key == key)
}

/// The office's own reference as the record of a row will have it.
fn reference(row: &Row) -> String {
    let Some(at) = at_column(row, "our_ref") else {
        return String::new();
    };
    let (uses, values) = (row.uses.get(at..=at), row.values.get(at..=at));
    let applied = apply(
        row.kind,
        uses.unwrap_or_default(),
        values.unwrap_or_default(),
        None,
    );
    reference_of(row.kind, &applied.body).unwrap_or_default()
}

fn told(problem: Problem) -> v1::TableProblem {
    let Place { sheet, cell } = problem.place;
    v1::TableProblem {
        sheet,
        cell,
        description: problem.what,
    }
}

/// Tells what becomes of rows, some at a time.
struct Teller<'a, 'b> {
    tell: &'a mut Tell<'b>,
    answer: v1::ImportRecordsResponse,
}

impl Teller<'_, '_> {
    fn problem(&mut self, problem: Problem) -> bool {
        self.answer.problems.push(told(problem));
        self.full()
    }

    fn row(&mut self, row: v1::RowOutcome) -> bool {
        self.answer.rows.push(row);
        self.full()
    }

    fn full(&mut self) -> bool {
        let waiting = self.answer.rows.len() + self.answer.problems.len();
        waiting < ROWS_TOLD || self.flush()
    }

    fn flush(&mut self) -> bool {
        let answer = std::mem::take(&mut self.answer);
        (answer.rows.is_empty() && answer.problems.is_empty()) || (self.tell)(answer)
    }
}

/// A draft that waits for its group.
struct Waiting {
    note: RowNote,
    draft: DraftToSave,
    /// Whether there was a draft before.
    had_draft: bool,
}

/// Saves rows in groups, each noted before.
struct Saver<'a, 'b> {
    tables: &'a Tables,
    writing: Writing,
    group: Vec<Waiting>,
    bytes: usize,
    saved: u32,
    failed: Option<TableError>,
    /// Who wrote what is saved.
    who: String,
    tell: &'a mut Tell<'b>,
}

impl Saver<'_, '_> {
    fn add(&mut self, kind: Kind, decided: Decided) -> bool {
        // Of a possible duplicate the row makes a record of its own.
        let entry = decided
            .entry
            .filter(|_| decided.state == v1::RowState::Changed);
        let was: Option<AsRead> = entry.as_ref().map(|entry| entry.was);
        let record = match (entry, edge::random()) {
            (Some(entry), _) => entry.record,
            (None, Ok(random)) => RecordId::new(random),
            (None, Err(source)) => {
                self.failed = Some(crate::desk::DeskError::NoRandomness(source).into());
                return false;
            }
        };
        let body = decided.applied.body;
        self.bytes += body.len();
        self.group.push(Waiting {
            note: RowNote {
                record: record.to_string(),
                hash: hash(&body),
                is_new: was.is_none(),
                former: None,
            },
            had_draft: was.is_some_and(|was| was.draft.is_some()),
            draft: DraftToSave {
                record,
                kind: kind.code(),
                body,
                was,
                who: self.who.clone(),
            },
        });
        let is_full = self.group.len() >= ROWS_SAVED || self.bytes >= ROWS_SAVED_BYTES;
        !is_full || self.flush()
    }

    /// Saves the group; says whether to go on.
    fn flush(&mut self) -> bool {
        self.bytes = 0;
        let group = std::mem::take(&mut self.group);
        if group.is_empty() || self.failed.is_some() {
            return self.failed.is_none();
        }
        let rows = u32::try_from(group.len()).unwrap_or(u32::MAX);
        match self.save(group) {
            Ok(()) => {
                self.saved = self.saved.saturating_add(rows);
                // Whether anybody listens no longer matters: what is begun is ended.
                (self.tell)(v1::ImportRecordsResponse {
                    saved: self.saved,
                    ..Default::default()
                });
                true
            }
            Err(why) => {
                self.failed = Some(why);
                false
            }
        }
    }

    fn save(&mut self, group: Vec<Waiting>) -> Result<(), TableError> {
        let desk = &self.tables.desk;
        let (mut notes, mut save) = (Vec::new(), Vec::new());
        for one in group {
            let former = || {
                let body = known::draft_body(desk, one.draft.record)?;
                Some((one.draft.kind, body))
            };
            notes.push((one.note, one.had_draft.then(former).flatten()));
            save.push(one.draft);
        }
        // A crash between the two leaves notes of drafts that were not saved, which say so.
        self.writing.rows(notes)?;
        let discard = Vec::new();
        desk.wish_blocking(Wish::ChangeDrafts { save, discard })?;
        Ok(())
    }
}
