//! Every byte that reaches the disk goes through this file. Imports layout only.
//!
//! **Invariant:** no function here returns success before the bytes are synced, and none tries
//! a failed sync again: after one, the system may call pages clean that never reached the disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::layout::{FRAME_OVERHEAD, file_length};

/// Zeros written at once over a file that is destroyed.
const ZEROS_BYTES: usize = 1 << 20;

/// Everything that the journal does to files; a test can put a disk in its place that notes what
/// was done, fails, or forgets.
pub(super) trait Disk: Send + Sync {
    /// Makes a file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        // Owner only: segments hold what circles have entrusted to this node.
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600);
        options.open(path)
    }

    fn write_all_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn set_len(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    /// Bytes and length reach the disk; times need not.
    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Gives a file a second name.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    /// Takes a name away.
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Makes names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

/// The disk that the system shows.
pub(super) struct System;

impl Disk for System {}

/// Why a write did not become durable.
#[derive(Debug)]
pub(super) enum WriteFault {
    /// The disk is full, and nothing of the write remains.
    Full,
    /// What is on disk is unknown.
    Unknown(io::Error),
}

/// Appends bytes at `end`, the end of the file, and syncs them.
pub(super) fn append_durably(
    disk: &dyn Disk,
    file: &File,
    end: u64,
    bytes: &[u8],
) -> Result<(), WriteFault> {
    if let Err(error) = disk.write_all_at(file, bytes, end) {
        // Part of the write may be in the file: a crash here leaves a torn tail, which recovery
        // cuts as we do now.
        let undo = || disk.set_len(file, end).and_then(|()| disk.sync_data(file));
        let undone = is_full(&error) && undo().is_ok();
        return Err(if undone {
            WriteFault::Full
        } else {
            WriteFault::Unknown(error)
        });
    }
    disk.sync_data(file).map_err(WriteFault::Unknown)
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Puts a whole segment in its place and returns it open. A crash before the rename leaves what was
/// there before and a `.tmp` that the next start destroys.
pub(super) fn place_segment(
    disk: &dyn Disk,
    dir: &Path,
    segment: u32,
    bytes: &[u8],
) -> Result<File, WriteFault> {
    let file = write_beside(disk, dir, segment, bytes)?;
    put_in_place(disk, dir, segment).map_err(|error| undone(disk, dir, segment, error))?;
    disk.sync_dir(dir).map_err(WriteFault::Unknown)?;
    Ok(file)
}

/// Writes a whole segment as a `.tmp` beside its place and returns it open.
pub(super) fn write_beside(
    disk: &dyn Disk,
    dir: &Path,
    segment: u32,
    bytes: &[u8],
) -> Result<File, WriteFault> {
    let path = beside(dir, segment, "tmp");
    write_whole(disk, &path, bytes).map_err(|error| undone(disk, dir, segment, error))
}

/// Renames the `.tmp` of a segment over what is in its place; the caller syncs the folder.
pub(super) fn put_in_place(disk: &dyn Disk, dir: &Path, segment: u32) -> io::Result<()> {
    disk.rename(&beside(dir, segment, "tmp"), &segment_path(dir, segment))
}

fn undone(disk: &dyn Disk, dir: &Path, segment: u32, error: io::Error) -> WriteFault {
    if is_full(&error) && destroy(disk, &beside(dir, segment, "tmp")).is_ok() {
        WriteFault::Full
    } else {
        WriteFault::Unknown(error)
    }
}

/// Overwrites a file with zeros before its name goes, since the system only frees its blocks.
pub(super) fn destroy(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let (zeros, bytes) = (vec![0; ZEROS_BYTES], file.metadata()?.len());
    let mut at = 0;
    while at < bytes {
        let rest = usize::try_from(bytes - at).unwrap_or(ZEROS_BYTES);
        let part = &zeros[..rest.min(ZEROS_BYTES)];
        disk.write_all_at(&file, part, at)?;
        at += file_length(part.len());
    }
    disk.sync_data(&file)?;
    disk.remove(path)
}

fn write_whole(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<File> {
    let file = disk.create(path)?;
    disk.write_all_at(&file, bytes, 0)?;
    disk.sync_data(&file)?;
    Ok(file)
}

/// The file of a segment.
pub(super) fn segment_path(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:08}.seg"))
}

/// A file that a compaction keeps beside a segment: the new one as `tmp`, the old one as `old`.
pub(super) fn beside(dir: &Path, segment: u32, extension: &str) -> PathBuf {
    segment_path(dir, segment).with_extension(extension)
}

/// The number that the name of a segment file (or of a left-over, with another extension) stands
/// for.
pub(super) fn segment_number(name: &str, extension: &str) -> Option<u32> {
    let digits = name.strip_suffix(extension)?.strip_suffix('.')?;
    let number = digits.parse().ok()?;
    (format!("{number:08}") == digits).then_some(number)
}

/// The first bytes of the frame at `offset`, if the file has so many before `end`.
pub(super) fn read_frame_start(
    file: &File,
    offset: u64,
    end: u64,
) -> io::Result<Option<[u8; FRAME_OVERHEAD]>> {
    let mut start = [0; FRAME_OVERHEAD];
    match offset.checked_add(file_length(FRAME_OVERHEAD)) {
        Some(past) if past <= end => file.read_exact_at(&mut start, offset).map(|()| Some(start)),
        _ => Ok(None),
    }
}
