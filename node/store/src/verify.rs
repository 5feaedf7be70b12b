//! `verify-store`: everything in the folder checked again, from the journal's first byte.
//!
//! Signatures by the charters, lines by the roots that were signed, bodies by their salted hashes,
//! erasures by looking for the bytes, and the index against a fold made anew. **Invariant:**
//! nothing is changed but what opening a journal mends by itself.

use std::collections::HashMap;
use std::path::Path;

use corridor_proto::charter::Charter;
use corridor_proto::checkpoint::{Held, SignedCheckpoint};
use corridor_proto::record::Header;
use corridor_proto::{LogId, RcpId};
use corridor_rules::fact::Fact;
use corridor_rules::row::{RecordKey, RecordRow};
use corridor_rules::{Model, Rows, RowsMut};

use crate::codec;
use crate::error::StoreError;
use crate::folder::Folder;
use crate::index::Index;
use crate::journal::{Group, Journal, Options, Place, Reader};
use crate::row_codec::{place_in, place_out};

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: a file and offset, a record, a log.
    pub place: String,
    /// What is wrong, and what to do.
    pub what: String,
}

/// What was checked, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Groups of facts.
    pub groups: u64,
    /// Signatures verified.
    pub signatures: u64,
    /// Lines hashed into their trees.
    pub lines: u64,
    /// Bodies compared with their hashes.
    pub bodies: u64,
    /// Erasures confirmed.
    pub erasures: u64,
    /// Rows of the index compared with a fold made anew.
    pub rows: u64,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

/// Checks the store of a stopped node. `progress` hears of bytes done and bytes in all.
///
/// # Errors
/// [`StoreError`] if the folder cannot be opened at all; damage inside is a finding.
pub fn verify_store(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, StoreError> {
    let folder = Folder::open(path)?;
    let mut audit = Audit::default();
    let options = Options::new(&codec::blob_intact);
    let (journal, recovery) = Journal::open(&folder.journal, &options, &mut |group| {
        progress(group.progress.bytes_done, group.progress.bytes_total);
        audit.group(group);
    })?;
    for damage in &recovery.damages {
        audit.find(
            damage.file.display().to_string(),
            format!("{damage}; restore a backup"),
        );
    }
    audit.blobs(&journal.reader());
    audit.records();
    audit.logs();
    audit.index(&folder, &journal)?;
    Ok(audit.report)
}

#[derive(Default)]
struct MemoryRows(HashMap<RecordKey, RecordRow>);

impl Rows for MemoryRows {
    fn row(&self, key: &RecordKey) -> Option<RecordRow> {
        self.0.get(key).cloned()
    }
}

impl RowsMut for MemoryRows {
    fn put(&mut self, key: &RecordKey, row: RecordRow) {
        self.0.insert(*key, row);
    }

    fn keys(&self, rcp: &RcpId) -> Vec<RecordKey> {
        let of = self.0.keys().filter(|key| key.rcp == *rcp);
        of.copied().collect()
    }

    fn remove(&mut self, key: &RecordKey) {
        self.0.remove(key);
    }

    fn forget_lines(&mut self, _: &LogId) {}
}

struct Audit {
    model: Model,
    rows: MemoryRows,
    blobs: Vec<(Place, u8, Vec<u8>)>,
    erased: HashMap<Place, ()>,
    report: Report,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            model: Model::new(RcpId::ZERO),
            rows: MemoryRows::default(),
            blobs: Vec::new(),
            erased: HashMap::new(),
            report: Report::default(),
        }
    }
}

impl Audit {
    fn find(&mut self, place: String, what: String) {
        self.report.findings.push(Finding { place, what });
    }

    fn group(&mut self, group: &Group<'_>) {
        for place in group.erased {
            self.erased.insert(*place, ());
        }
        if group.frames.is_empty() {
            return;
        }
        self.report.groups += 1;
        self.model.revision += 1;
        for frame in group.frames {
            let at = || {
                format!(
                    "segment {} offset {}",
                    frame.place.segment, frame.place.offset
                )
            };
            match codec::fact(frame.kind, frame.meta) {
                Err(refusal) => self.find(at(), refusal.to_string()),
                Ok(fact) => {
                    if let Err(what) = self.fact(&fact) {
                        self.find(at(), what);
                    }
                    if let (Fact::KeyEvent { rcp, .. }, true) = (&fact, self.model.me.is_zero()) {
                        self.model.me = *rcp;
                    }
                    self.model
                        .apply(Some(&mut self.rows), &fact, place_out(frame.place));
                    if frame.blob_len > 0 {
                        self.blobs
                            .push((frame.place, frame.kind, frame.meta.to_vec()));
                    }
                }
            }
        }
    }

    /// Checks a fact against the state before it.
    fn fact(&mut self, fact: &Fact) -> Result<(), String> {
        let said = |refusal: corridor_proto::Refusal| refusal.to_string();
        match fact {
            Fact::KeyEvent { rcp, event } => {
                self.report.signatures += 1;
                match self.model.charter(rcp) {
                    None => Charter::verify(vec![event.clone()])
                        .map(|_| ())
                        .map_err(said),
                    Some(charter) => charter.clone().push(event.clone()).map_err(said),
                }
            }
            Fact::Lines { log, from, lines } => {
                self.report.lines += u64::try_from(lines.len()).unwrap_or(0);
                let size = self.model.logs.get(log).map(corridor_rules::Log::size);
                if size == Some(*from) {
                    return Ok(());
                }
                Err(format!(
                    "lines from {from} on where the log has {size:?}; restore a backup"
                ))
            }
            Fact::Head { log, note } => {
                self.report.signatures += 1;
                let owner = self.model.logs.get(log).map(|log| log.owner);
                let owner = owner.ok_or_else(|| "a head of an unknown log".to_owned())?;
                let head = SignedCheckpoint::parse(note.as_bytes()).map_err(said)?;
                head.verify(self.charter(&owner)?).map(|_| ()).map_err(said)
            }
            Fact::Record { header, .. } => {
                self.report.signatures += 1;
                let rcp = Header::decode(&header.bytes).map_err(said)?.rcp;
                header.verify(self.charter(&rcp)?).map(|_| ()).map_err(said)
            }
            Fact::Held { holder, note } => {
                self.report.signatures += 1;
                Held::verify(note.as_bytes(), self.charter(holder)?)
                    .map(|_| ())
                    .map_err(said)
            }
            _ => Ok(()),
        }
    }

    fn charter(&self, rcp: &RcpId) -> Result<&Charter, String> {
        self.model
            .charter(rcp)
            .ok_or_else(|| format!("signed by {rcp}, whose charter is missing"))
    }

    /// Every blob is what its meta names, or was erased.
    fn blobs(&mut self, reader: &Reader) {
        for (place, kind, meta) in std::mem::take(&mut self.blobs) {
            let at = format!("segment {} offset {}", place.segment, place.offset);
            let erased = self.erased.contains_key(&place);
            match reader.read(place) {
                Ok(frame) if frame.blob.is_empty() && erased => self.report.erasures += 1,
                Ok(frame) if erased || !codec::blob_intact(kind, &meta, &frame.blob) => {
                    let what = "its content is damaged; fetch it again or restore a backup";
                    self.find(at, what.to_owned());
                }
                Ok(_) => self.report.bodies += 1,
                Err(error) => self.find(at, error.to_string()),
            }
        }
    }

    /// Every record lies behind a line, and nothing that should be erased is still there.
    fn records(&mut self) {
        let mut found = Vec::new();
        for (key, row) in &self.rows.0 {
            let place = format!("record {}/{}", key.rcp, key.record);
            for held in &row.versions {
                let named = row.stands.iter().any(|stand| stand.version >= held.version);
                if !named && key.rcp != self.model.me {
                    found.push((place.clone(), "no line of a log names it".to_owned()));
                }
                if held.erased && !self.erased.contains_key(&place_in(held.place)) {
                    let what = "it should be erased and is not; start the node, which does it";
                    found.push((place.clone(), what.to_owned()));
                }
            }
        }
        found
            .into_iter()
            .for_each(|(place, what)| self.find(place, what));
    }

    /// Every head that the lines reach has the lines' root.
    fn logs(&mut self) {
        let mut found: Vec<LogId> = Vec::new();
        for log in self.model.logs.values() {
            let Some(head) = &log.head else { continue };
            let root = log.tree.root_at(head.checkpoint.size);
            if root.is_some_and(|root| root != head.checkpoint.root) {
                found.push(log.id);
            }
        }
        for log in found {
            let what = "its signed root is not that of its lines; restore a backup";
            self.find(format!("log {log}"), what.to_owned());
        }
    }

    /// The index says what a fold made anew says.
    fn index(&mut self, folder: &Folder, journal: &Journal) -> Result<(), StoreError> {
        let (index, unreadable) = Index::open(&folder.index)?;
        if index.position() != Some(journal.position()) {
            let why = unreadable.unwrap_or_else(|| "it is behind or missing".to_owned());
            let what = format!("{why}; the next start rebuilds it");
            self.find("index".to_owned(), what);
            return Ok(());
        }
        let mut stored: HashMap<RecordKey, RecordRow> = HashMap::new();
        for (key, row) in index.rows(None) {
            stored.insert(key, row);
        }
        self.report.rows = u64::try_from(stored.len()).unwrap_or(0);
        if stored != self.rows.0 {
            let what = "it differs from the journal; delete the folder index, it is rebuilt";
            self.find("index".to_owned(), what.to_owned());
        }
        Ok(())
    }
}
