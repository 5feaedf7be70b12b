//! Opening a journal: scan every segment, cut a torn tail, hand the groups out, repeat the
//! erasures. Imports the other files of the journal.
//!
//! **Invariant:** a damaged journal is not written to, not by one byte: no tail is cut, no erasure
//! repeated. And no group is handed out before its bytes are known to be durable.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, RwLock};

use memmap2::MmapMut;

use super::disk::{Disk, segment_path};
use super::erase::Overwrite;
use super::error::{Damage, Fault, JournalError};
use super::layout::{
    HEADER_BYTES, Header, KIND_CUT, KIND_DROPPED, KIND_ERASE, Place, cut_meta, dropped_groups,
    erased_places, file_length,
};
use super::limits::{CALLER_KIND_MIN, SEGMENT_BYTES, SEGMENT_FILE_BYTES_MAX};
use super::scan::{self, Scan, Tail, judge_tail};
use super::survey::{Found, io_error, survey};
use super::table::{Segment, Shared, Table, read_lock, write_lock};
use super::{
    Cut, FrameRef, Group, Journal, NewFrame, Options, Position, Progress, Recovery, WriteEnd,
};

/// Opens the journal in `dir`; see [`Journal::open`].
pub(super) fn open(
    dir: &Path,
    options: &Options<'_>,
    disk: Arc<dyn Disk>,
    visit: &mut dyn FnMut(&Group<'_>),
) -> Result<(Journal, Recovery), JournalError> {
    let found = survey(&*disk, dir)?;
    let mut replay = Replay::new(dir, options, disk, &found)?;
    // Not of the heap, which would keep it.
    let room = found.iter().map(|found| found.bytes);
    let room = room.filter(|bytes| *bytes <= SEGMENT_FILE_BYTES_MAX).max();
    let room = usize::try_from(room.unwrap_or_default().max(1)).unwrap_or(usize::MAX);
    let mut room = MmapMut::map_anon(room)
        .map_err(|source| io_error(dir, 0, "find memory for a segment", source))?;
    let mut expected = 0;
    let count = found.len();
    for (index, segment) in found.into_iter().enumerate() {
        if segment.number != expected {
            replay.damaged(expected, 0, Fault::MissingSegment);
        }
        expected = segment.number.saturating_add(1);
        replay.segment(segment, index + 1 == count, &mut room, visit)?;
    }
    replay.finish()
}

/// An erasure to repeat.
struct Erasure {
    place: Place,
    /// True if its overwriting may have failed or not have happened: it belongs to the last write.
    unsure: bool,
}

/// The state of a replay between segments.
struct Replay<'o> {
    dir: &'o Path,
    options: &'o Options<'o>,
    disk: Arc<dyn Disk>,
    segments: BTreeMap<u32, Segment>,
    erasures: Vec<Erasure>,
    report: Recovery,
    position: Position,
    progress: Progress,
    tail: WriteEnd,
}

impl<'o> Replay<'o> {
    fn new(
        dir: &'o Path,
        options: &'o Options<'o>,
        disk: Arc<dyn Disk>,
        found: &[Found],
    ) -> Result<Self, JournalError> {
        let headers = || found.iter().filter_map(|found| found.header.ok());
        let Some(first) = headers().next() else {
            let (segment, file) = (found[0].number, segment_path(dir, found[0].number));
            let fault = Fault::Header;
            return Err(JournalError::Damaged(Damage {
                file,
                segment,
                offset: 0,
                fault,
            }));
        };
        let tail = WriteEnd::empty(first);
        let compactions = headers().map(|header| u64::from(header.generation)).sum();
        let bytes_total = found.iter().map(|found| found.bytes).sum();
        Ok(Replay {
            dir,
            options,
            disk,
            segments: BTreeMap::new(),
            erasures: Vec::new(),
            report: Recovery::default(),
            position: tail.position(compactions),
            progress: Progress {
                bytes_done: 0,
                bytes_total,
            },
            tail,
        })
    }

    fn damaged(&mut self, segment: u32, offset: usize, fault: Fault) {
        let file = segment_path(self.dir, segment);
        let offset = file_length(offset);
        self.report.damages.push(Damage {
            file,
            segment,
            offset,
            fault,
        });
    }

    fn is_damaged(&self) -> bool {
        !self.report.damages.is_empty()
    }

    /// Scans one segment, settles its end, and hands its groups out.
    fn segment(
        &mut self,
        found: Found,
        is_last: bool,
        room: &mut [u8],
        visit: &mut dyn FnMut(&Group<'_>),
    ) -> Result<(), JournalError> {
        let bytes_done = self.progress.bytes_done + found.bytes;
        let oversized = found.bytes > SEGMENT_FILE_BYTES_MAX;
        let readable = if oversized {
            Err(Fault::Oversized)
        } else {
            found.header
        };
        let header = match readable {
            Ok(header) => header,
            Err(fault) => {
                self.damaged(found.number, 0, fault);
                self.progress.bytes_done = bytes_done;
                return Ok(());
            }
        };
        let buffer = self.read_all(&found, room)?;
        let scan = Scan::of(buffer, &header);
        let unsure = if is_last { scan::last_write(&scan) } else { 0 };
        let sure = scan.groups.len() - unsure;
        let keep = self.settle(&found, buffer, &header, &scan, is_last)?;
        self.tail = WriteEnd::empty(header);
        for (index, group) in scan.groups[..keep].iter().enumerate() {
            self.progress.bytes_done = bytes_done - found.bytes + file_length(group.end);
            self.deliver(group, &header, index >= sure, visit);
        }
        self.tail.sealed = scan.is_sealed() && keep == scan.groups.len();
        self.position = self.tail.position(self.position.compactions);
        self.keep_open(found, header);
        self.progress.bytes_done = bytes_done;
        Ok(())
    }

    fn read_all<'a>(&self, found: &Found, room: &'a mut [u8]) -> Result<&'a [u8], JournalError> {
        let path = segment_path(self.dir, found.number);
        let failed = |source| io_error(&path, 0, "read the segment", source);
        let whole = usize::try_from(found.bytes).ok();
        let bytes = whole.and_then(|whole| room.get_mut(..whole));
        let bytes = bytes.ok_or_else(|| failed(std::io::ErrorKind::FileTooLarge.into()))?;
        found.file.read_exact_at(bytes, 0).map_err(failed)?;
        Ok(bytes)
    }

    /// Notes damage, cuts a torn tail, and returns how many groups of the scan are to be kept.
    fn settle(
        &mut self,
        found: &Found,
        bytes: &[u8],
        header: &Header,
        scan: &Scan<'_>,
        is_last: bool,
    ) -> Result<usize, JournalError> {
        if !is_last {
            if let Some((offset, fault)) = scan.fault {
                self.damaged(found.number, offset, fault);
            } else if !scan.is_sealed() {
                self.damaged(found.number, scan.end(), Fault::Unsealed);
            }
            return Ok(scan.groups.len());
        }
        let keep = match judge_tail(bytes, header, scan, self.options.blob_intact) {
            Tail::Whole => scan.groups.len(),
            Tail::Torn { keep } => keep,
            Tail::Damaged { offset, fault } => {
                self.damaged(found.number, offset, fault);
                return Ok(scan.groups.len());
            }
        };
        if !self.is_damaged() {
            self.make_durable(found, bytes, scan, keep)?;
        }
        Ok(keep)
    }

    /// Cuts what is not kept and makes the last write durable before anybody acts on it: the
    /// process may have died between write and sync, or its sync may have failed, after which the
    /// system calls pages clean that are not on disk. So the bytes are written again. Likewise the
    /// folder, which may not hold the segment's name for good yet, is synced.
    fn make_durable(
        &mut self,
        found: &Found,
        bytes: &[u8],
        scan: &Scan<'_>,
        keep: usize,
    ) -> Result<(), JournalError> {
        let kept = &scan.groups[..keep];
        let end = kept.last().map_or(HEADER_BYTES, |group| group.end);
        let start = kept
            .last()
            .and_then(|last| usize::try_from(last.commit.write_start).ok())
            .unwrap_or(end);
        let path = segment_path(self.dir, found.number);
        let offset = file_length(end);
        if end < bytes.len() {
            let shorten = self.disk.set_len(&found.file, offset);
            shorten.map_err(|source| io_error(&path, offset, "cut the torn tail", source))?;
            let bytes = file_length(bytes.len() - end);
            self.report.cut = Some(Cut {
                segment: found.number,
                offset,
                bytes,
            });
        }
        let again = bytes.get(start..end).unwrap_or_default();
        self.disk
            .write_all_at(&found.file, again, file_length(start))
            .and_then(|()| self.disk.sync_data(&found.file))
            .and_then(|()| self.disk.sync_dir(self.dir))
            .map_err(|source| io_error(&path, offset, "sync the last write", source))
    }

    /// Hands one group to the caller.
    fn deliver(
        &mut self,
        group: &scan::Group<'_>,
        header: &Header,
        unsure: bool,
        visit: &mut dyn FnMut(&Group<'_>),
    ) {
        let (mut frames, mut erased) = (Vec::with_capacity(group.frames.len()), Vec::new());
        let mut dropped = 0;
        for (offset, frame) in &group.frames {
            let place = header.place(file_length(*offset));
            match frame.kind {
                KIND_ERASE => match erased_places(frame.meta) {
                    Ok(places) => erased.extend(places),
                    Err(fault) => self.damaged(header.segment, *offset, fault),
                },
                KIND_DROPPED => match dropped_groups(frame.meta) {
                    Ok(groups) => dropped = groups.saturating_add(dropped),
                    Err(fault) => self.damaged(header.segment, *offset, fault),
                },
                own if own < CALLER_KIND_MIN => {}
                _ => frames.push(FrameRef::of(place, frame)),
            }
        }
        self.erasures.extend(erased.iter().map(|place| Erasure {
            place: *place,
            unsure,
        }));
        self.tail.end = file_length(group.end);
        self.tail.chain = group.commit.chain;
        self.position = self.tail.position(self.position.compactions);
        self.report.groups += 1;
        self.report.groups_past_damage += u64::from(self.is_damaged());
        let (position, progress) = (self.position, self.progress);
        visit(&Group {
            frames: &frames,
            erased: &erased,
            dropped,
            position,
            progress,
        });
    }

    /// Keeps a scanned segment for readers.
    fn keep_open(&mut self, found: Found, header: Header) {
        // In a damaged journal whole frames behind the damage stay readable: their CRC is checked.
        let end = if self.is_damaged() {
            found.bytes
        } else {
            self.tail.end
        };
        let segment = Segment {
            file: Arc::new(found.file),
            header,
            end,
            erased: HashMap::new(),
        };
        self.segments.insert(found.number, segment);
    }

    /// Makes the journal and repeats the erasures in it.
    fn finish(mut self) -> Result<(Journal, Recovery), JournalError> {
        let tail = self.segments.get(&self.tail.header.segment);
        let tail_file = match (tail, self.report.damages.first()) {
            (Some(tail), _) => Arc::clone(&tail.file),
            (None, Some(damage)) => return Err(JournalError::Damaged(damage.clone())),
            (None, None) => {
                return Err(JournalError::NoJournal {
                    dir: self.dir.into(),
                });
            }
        };
        let segments = std::mem::take(&mut self.segments);
        let table = Arc::new(RwLock::new(Table {
            dir: self.dir.into(),
            segments,
        }));
        let repeat = self.mark_erased(&table)?;
        let mut journal = Journal {
            segment_bytes: self.options.segment_bytes.min(SEGMENT_BYTES),
            table,
            tail: self.tail,
            tail_file,
            disk: Arc::clone(&self.disk),
            compactions: self.position.compactions,
            damage: self.report.damages.first().cloned(),
            failure: None,
        };
        if !self.is_damaged() {
            self.report.erasures_repeated = journal.overwrite_again(&repeat)?;
            note_cut(&mut journal, self.report.cut)?;
        }
        Ok((journal, self.report))
    }

    /// Marks what is erased, so that no reader hands it out, and lists what is to be overwritten.
    fn mark_erased(&mut self, table: &Shared) -> Result<Vec<Overwrite>, JournalError> {
        // In a damaged journal it is no news that a frame is missing.
        let was_damaged = self.is_damaged();
        let mut overwrites = Vec::new();
        for Erasure { place, unsure } in std::mem::take(&mut self.erasures) {
            let located = read_lock(table).locate(place);
            match located.and_then(|located| Ok((located.read()?, located))) {
                Ok((frame, located)) => {
                    let blob_bytes = file_length(frame.blob.len());
                    write_lock(table).mark_erased(place, blob_bytes);
                    let is_zero = !unsure && frame.blob.iter().all(|byte| *byte == 0);
                    overwrites.push(Overwrite {
                        located,
                        blob_bytes,
                        is_zero,
                    });
                }
                // Compaction has dropped the blobs that were erased in an earlier generation.
                Err(JournalError::Moved { asked, present, .. }) if asked < present => {}
                Err(error @ JournalError::Io { .. }) => return Err(error),
                Err(_) if was_damaged => {}
                Err(_) => {
                    let offset = usize::try_from(place.offset).unwrap_or(usize::MAX);
                    self.damaged(place.segment, offset, Fault::ErasedNothing);
                }
            }
        }
        Ok(overwrites)
    }
}

/// Notes a cut in the journal itself. It is history, and it makes the write before the cut one that
/// is followed by another, so that the next start does not doubt it again.
fn note_cut(journal: &mut Journal, cut: Option<Cut>) -> Result<(), JournalError> {
    let Some(cut) = cut else { return Ok(()) };
    let meta = cut_meta(cut.offset, cut.bytes).into();
    let note = NewFrame {
        kind: KIND_CUT,
        meta,
        blob: [].as_slice().into(),
    };
    match journal.write(&[&[note]]) {
        // A full disk is no reason not to open; the note is not needed for what follows.
        Ok(_) | Err(JournalError::DiskFull { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
