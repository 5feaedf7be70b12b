//! Takes an import back: what it made is discarded, what it changed is again as it was.
//!
//! **Invariant:** all of it or nothing: a draft that somebody changed or shared since keeps all of
//! them, and is named.

use corridor_proto::RecordId;
use corridor_rules::desk::{AsRead, DraftToSave, Wish};
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_rules::{Place, Rows};
use corridor_store::View;

use super::notes::{Former, RowNote, hash};
use super::{TableError, Tables};
use crate::desk;
use crate::edge;
use crate::limits::{ROWS_SAVED, ROWS_SAVED_BYTES};

/// What was taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Drafts that were discarded.
    pub discarded: u32,
    /// Drafts that are again as they were.
    pub restored: u32,
}

/// What is to be done with a draft.
enum Step {
    /// Nothing: it was never saved, or is gone already.
    None,
    Discard(Place),
    Restore(AsRead, Former),
    /// It is not as the import made it.
    Changed,
}

/// Takes an import back, for somebody; blocks.
///
/// # Errors
/// [`TableError::ChangedSince`], [`TableError::NotFound`]; nothing was changed then.
pub fn undo(tables: &Tables, id: &str, who: &str) -> Result<Undone, TableError> {
    let noted = tables.notes.read(id, true)?;
    if noted.is_undone {
        return Ok(Undone::default());
    }
    let mut steps = Vec::new();
    let (mut changed, mut first) = (0, None);
    for some in noted.rows.chunks(ROWS_SAVED) {
        let found = tables.desk.store().read(|view| {
            let step = |row: &RowNote| {
                let record: RecordId = row.record.parse().ok()?;
                Some((record, step(view, record, row)))
            };
            some.iter().filter_map(step).collect::<Vec<_>>()
        });
        for (record, step) in found {
            if matches!(step, Step::Changed) {
                changed += 1;
                first.get_or_insert(record);
            }
            steps.push((record, step));
        }
    }
    if let Some(record) = first {
        return Err(TableError::ChangedSince {
            count: changed,
            record: record.to_string(),
        });
    }
    let mut undone = Undone::default();
    let mut group = Group::default();
    for (record, step) in steps {
        match step {
            Step::None | Step::Changed => {}
            Step::Discard(place) => {
                group.discard.push((record, place));
                undone.discarded += 1;
            }
            Step::Restore(was, former) => {
                // A text that was to be erased since is gone, and its draft goes with it.
                let Some(body) = tables.notes.former(id, &former)? else {
                    group.discard.extend(was.draft.map(|place| (record, place)));
                    undone.discarded += 1;
                    continue;
                };
                group.bytes += body.len();
                group.save.push(DraftToSave {
                    record,
                    kind: former.kind,
                    body,
                    was: Some(was),
                    who: who.to_owned(),
                });
                undone.restored += 1;
            }
        }
        if group.is_full() {
            group.carry_out(tables)?;
        }
    }
    group.carry_out(tables)?;
    // A crash before this line lets the import be taken back again, which finds nothing to do.
    tables.notes.undone(id, edge::now())?;
    Ok(undone)
}

fn step(view: &View<'_>, record: RecordId, row: &RowNote) -> Step {
    let key = RecordKey {
        rcp: view.me,
        record,
    };
    let published = view.row(&key);
    let newest = published.as_ref().and_then(|row| row.newest());
    let newest = newest.map(|held| held.place);
    let draft = view.drafts.get(&record).map(|draft| draft.place);
    let body = desk::draft(view, record).map(|(_, body)| hash(&body));
    let (Some(place), Some(body)) = (draft, body) else {
        let is_shared = published.is_some_and(|published| {
            let mut bodies = published.versions.iter().filter_map(|held| {
                let body = view.record(held.place)?.body;
                Some(hash(&body))
            });
            row.is_new || bodies.any(|body| body == row.hash)
        });
        return if is_shared || row.former.is_some() {
            Step::Changed
        } else {
            Step::None
        };
    };
    let was = AsRead {
        draft: Some(place),
        newest,
    };
    match &row.former {
        _ if row.is_new && newest.is_some() => Step::Changed,
        Some(former) if body == former.hash => Step::None,
        _ if body != row.hash => Step::Changed,
        Some(former) => Step::Restore(was, former.clone()),
        None => Step::Discard(place),
    }
}

/// Drafts that are changed together.
#[derive(Default)]
struct Group {
    save: Vec<DraftToSave>,
    discard: Vec<(RecordId, Place)>,
    bytes: usize,
}

impl Group {
    fn is_full(&self) -> bool {
        self.save.len() + self.discard.len() >= ROWS_SAVED || self.bytes >= ROWS_SAVED_BYTES
    }

    fn carry_out(&mut self, tables: &Tables) -> Result<(), TableError> {
        let group = std::mem::take(self);
        if group.save.is_empty() && group.discard.is_empty() {
            return Ok(());
        }
        let (save, discard) = (group.save, group.discard);
        tables
            .desk
            .wish_blocking(Wish::ChangeDrafts { save, discard })?;
        Ok(())
    }
}
