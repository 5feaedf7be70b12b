//! What a reader may see becomes a file.
//!
//! Twice through the records: first for the columns that they need, then to write them.
//! **Invariant:** what a reader may see is asked anew for every record that is written, of the
//! function that the rest of the API asks; drafts are given only to whoever asked for them and may
//! read them.

use std::collections::BTreeSet;

use corridor_proto::RcpId;
use corridor_proto::kinds::Kind;
use corridor_rules::Reader;
use corridor_rules::row::RecordKey;
use corridor_store::View;
use corridor_tables::write::{
    CsvWriter, JsonWriter, Record, Sink, WorkbookWriter, WriteError, Writer, uses,
};
use corridor_tables::{KINDS, Language, record};

use super::TableError;
use crate::desk::{self, Desk};
use crate::edge;

/// Records that are looked at while the store is held.
const LOOKS_AT_ONCE: usize = 128;

/// What is exported, and how.
#[derive(Clone, Debug)]
pub struct Selection {
    /// These records; none for all.
    pub names: Vec<RecordKey>,
    /// Those of this RCP alone.
    pub parent: Option<RcpId>,
    /// Those of these kinds alone; none for all.
    pub kinds: Vec<Kind>,
    /// As whom the caller reads.
    pub reader: Reader,
    /// Whether drafts are wanted by somebody who may read them.
    pub drafts: bool,
    /// What sort of file.
    pub format: corridor_proto::v1::TableFormat,
    /// The language of a workbook.
    pub language: Language,
}

/// The records of one kind, and the columns in languages that they need.
type Chosen = (Kind, Vec<RecordKey>, BTreeSet<(&'static str, String)>);

/// A record as it was found.
struct Found {
    kind: u16,
    version: Option<u64>,
    body: Vec<u8>,
}

/// Writes the records; gives how many were written, and how many have no table. Blocks.
///
/// # Errors
/// [`TableError::NotFound`] for a name that is none for the reader, [`TableError::SeveralKinds`],
/// [`TableError::Write`].
pub fn export(
    desk: &Desk,
    selection: &Selection,
    out: &mut dyn Sink,
) -> Result<(u32, u32), TableError> {
    let mut chosen: Vec<Chosen> = KINDS.map(|kind| (kind, Vec::new(), BTreeSet::new())).into();
    let mut left_out: u32 = 0;
    let keys = keys(desk, selection)?;
    for some in keys.chunks(LOOKS_AT_ONCE) {
        let found = look(desk, selection, some);
        for (key, found) in some.iter().zip(found) {
            let Some(found) = found else { continue };
            let kind = Kind::from_code(found.kind);
            if !selection.kinds.is_empty() && kind.is_none_or(|one| !selection.kinds.contains(&one))
            {
                continue;
            }
            match chosen.iter_mut().find(|(one, ..)| Some(*one) == kind) {
                Some((kind, keys, tags)) => {
                    keys.push(*key);
                    tags.extend(record::tags(*kind, &found.body).unwrap_or_default());
                }
                None => left_out = left_out.saturating_add(1),
            }
        }
    }
    chosen.retain(|(_, keys, _)| !keys.is_empty());
    let written = match selection.format {
        corridor_proto::v1::TableFormat::Xlsx => {
            let mut writer = WorkbookWriter::new(out, selection.language);
            write(desk, selection, &chosen, &mut writer)?
        }
        corridor_proto::v1::TableFormat::Csv => {
            if chosen.len() > 1 {
                let kinds: Vec<&str> = chosen.iter().map(|(kind, ..)| kind.name()).collect();
                return Err(TableError::SeveralKinds(kinds.join(", ")));
            }
            write(desk, selection, &chosen, &mut CsvWriter::new(out)?)?
        }
        _ => write(desk, selection, &chosen, &mut JsonWriter::new(out)?)?,
    };
    Ok((written, left_out))
}

fn write(
    desk: &Desk,
    selection: &Selection,
    chosen: &[Chosen],
    writer: &mut dyn Writer,
) -> Result<u32, TableError> {
    let mut written: u32 = 0;
    for (kind, keys, tags) in chosen {
        writer.kind(*kind, uses(*kind, tags))?;
        for some in keys.chunks(LOOKS_AT_ONCE) {
            for (key, found) in some.iter().zip(look(desk, selection, some)) {
                let Some(found) = found else { continue };
                let name = format!("rcps/{}/records/{}", key.rcp, key.record);
                let record = Record {
                    name: &name,
                    version: found.version,
                    body: &found.body,
                };
                match writer.record(record) {
                    // What another version of this program wrote is no fault of the export's.
                    Err(WriteError::Unreadable(name)) => {
                        tracing::warn!(name, "not exported: its text cannot be read");
                    }
                    done => {
                        done?;
                        written = written.saturating_add(1);
                    }
                }
            }
        }
    }
    writer.finish()?;
    Ok(written)
}

/// The records that are asked for.
fn keys(desk: &Desk, selection: &Selection) -> Result<Vec<RecordKey>, TableError> {
    if !selection.names.is_empty() {
        let names: BTreeSet<RecordKey> = selection.names.iter().copied().collect();
        let names: Vec<RecordKey> = names.into_iter().collect();
        for some in names.chunks(LOOKS_AT_ONCE) {
            let found = look(desk, selection, some);
            let missing = some.iter().zip(found).find(|(_, found)| found.is_none());
            if let Some((key, _)) = missing {
                let name = format!("rcps/{}/records/{}", key.rcp, key.record);
                return Err(TableError::NotFound("record", name));
            }
        }
        return Ok(names);
    }
    let now = edge::now();
    let is_wanted = |key: &RecordKey| selection.parent.is_none_or(|rcp| rcp == key.rcp);
    let mut keys: BTreeSet<RecordKey> = desk.store().read(|view| {
        let keys = desk::keys(view, &selection.reader, None, now);
        keys.filter(is_wanted).collect()
    });
    if selection.drafts {
        let drafts = desk.store().read(|view| {
            let rcp = view.me;
            let drafts = view.drafts.keys();
            drafts
                .map(|record| RecordKey {
                    rcp,
                    record: *record,
                })
                .collect::<Vec<_>>()
        });
        keys.extend(drafts.into_iter().filter(is_wanted));
    }
    Ok(keys.into_iter().collect())
}

fn look(desk: &Desk, selection: &Selection, keys: &[RecordKey]) -> Vec<Option<Found>> {
    desk.store()
        .read(|view| keys.iter().map(|key| find(view, selection, key)).collect())
}

fn find(view: &View<'_>, selection: &Selection, key: &RecordKey) -> Option<Found> {
    if selection.drafts
        && key.rcp == view.me
        && let Some((kind, body)) = desk::draft(view, key.record)
    {
        return Some(Found {
            kind,
            version: None,
            body,
        });
    }
    // One record that is asked for by its name may be of an RCP that is not confirmed yet.
    let unconfirmed = !selection.names.is_empty();
    let shown = desk::show(view, key, &selection.reader, edge::now(), unconfirmed)?;
    let version = shown.current.as_ref()?.version;
    let kind = shown.held.as_ref()?.kind;
    Some(Found {
        kind,
        version: Some(version),
        body: shown.signed?.body,
    })
}
