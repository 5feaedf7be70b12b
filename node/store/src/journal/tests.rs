//! Tests of the journal against real folders. What they share is here.

mod bytes;
mod compaction;
mod damage;
mod erasure;
mod faults;
mod model;
mod power;
mod tape;
mod writing;

use std::fs;
use std::path::{Path, PathBuf};

use super::disk::segment_path;
use super::*;

const ID: [u8; 16] = *b"a journal's name";

/// A frame of kind 20 whose meta ends with the CRC of its blob, which [`intact`] checks.
fn frame(name: &str, blob: &str) -> NewFrame<'static> {
    let meta = [
        name.as_bytes(),
        &crc32fast::hash(blob.as_bytes()).to_be_bytes(),
    ]
    .concat();
    NewFrame {
        kind: 20,
        meta: meta.into(),
        blob: blob.as_bytes().to_vec().into(),
    }
}

fn intact(_kind: u8, meta: &[u8], blob: &[u8]) -> bool {
    meta.ends_with(&crc32fast::hash(blob).to_be_bytes())
}

/// The name that [`frame`] put into a meta.
fn name(meta: &[u8]) -> String {
    String::from_utf8(meta[..meta.len().saturating_sub(4)].to_vec()).unwrap()
}

impl Journal {
    /// All steps of a compaction.
    pub(crate) fn compact(
        &mut self,
        segment: u32,
        live: &mut dyn FnMut(&FrameRef<'_>) -> bool,
    ) -> Result<Vec<Moved>, JournalError> {
        let rewritten = self.rewrite(segment, &|_, _, _| true, live)?;
        let moved = rewritten.moved.clone();
        rewritten.prepare()?.switch()?.clear()?;
        Ok(moved)
    }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Journal::create(dir.path(), ID).unwrap();
        Folder(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn segment(&self, number: u32) -> PathBuf {
        segment_path(self.path(), number)
    }

    fn bytes(&self, number: u32) -> Vec<u8> {
        fs::read(self.segment(number)).unwrap()
    }

    fn write(&self, number: u32, bytes: &[u8]) {
        fs::write(self.segment(number), bytes).unwrap();
    }

    fn open(&self) -> Opened {
        self.open_sized(SEGMENT_BYTES)
    }

    fn open_sized(&self, segment_bytes: u64) -> Opened {
        self.try_open(segment_bytes).unwrap()
    }

    fn try_open(&self, segment_bytes: u64) -> Result<Opened, JournalError> {
        let options = Options {
            segment_bytes,
            blob_intact: &intact,
        };
        let (mut groups, mut places, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        let mut count = 0;
        let (journal, recovery) = Journal::open(self.path(), &options, &mut |group| {
            positions.push(group.position);
            count += group.dropped;
            assert!(group.progress.bytes_done <= group.progress.bytes_total);
            if !group.frames.is_empty() {
                count += 1;
                groups.push(group.frames.iter().map(|frame| name(frame.meta)).collect());
                places.extend(group.frames.iter().map(|frame| frame.place));
            }
        })?;
        Ok(Opened {
            journal,
            recovery,
            groups,
            places,
            positions,
            count,
        })
    }
}

/// A journal with what its opening showed.
struct Opened {
    journal: Journal,
    recovery: Recovery,
    /// The names of the frames of each group.
    groups: Vec<Vec<String>>,
    places: Vec<Place>,
    positions: Vec<Position>,
    /// The groups, those that compaction dropped among them.
    count: u64,
}

impl Opened {
    fn names(&self) -> Vec<&str> {
        self.groups.iter().flatten().map(String::as_str).collect()
    }

    fn blob(&self, place: Place) -> String {
        String::from_utf8(self.journal.reader().read(place).unwrap().blob).unwrap()
    }

    fn is_clean(&self) -> bool {
        self.recovery.cut.is_none() && self.recovery.damages.is_empty()
    }
}

fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}
