//! Every byte that reaches the disk goes through this file. Imports layout only.
//!
//! **Invariant:** no function here returns success before the bytes are synced, and none tries
//! a failed sync again: after one, the system may call pages clean that never reached the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::layout::{FRAME_OVERHEAD, file_length};

/// What the journal asks of the file that it appends to; a test can put one that fails in its
/// place.
pub(super) trait Disk: Send + Sync {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Bytes and length reach the disk; times need not.
    fn sync_data(&self) -> io::Result<()>;
}

impl Disk for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        File::set_len(self, length)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }
}

/// Why a write did not become durable.
#[derive(Debug)]
pub(super) enum WriteFault {
    /// The disk is full, and nothing of the write remains.
    Full,
    /// What is on disk is unknown.
    Unknown(io::Error),
}

/// Appends bytes at `end`, the end of the file, and syncs them.
pub(super) fn append_durably(disk: &dyn Disk, end: u64, bytes: &[u8]) -> Result<(), WriteFault> {
    if let Err(error) = disk.write_all_at(bytes, end) {
        // Part of the write may be in the file: a crash here leaves a torn tail, which recovery
        // cuts as we do now.
        let undone = is_full(&error) && disk.set_len(end).and_then(|()| disk.sync_data()).is_ok();
        return Err(if undone {
            WriteFault::Full
        } else {
            WriteFault::Unknown(error)
        });
    }
    disk.sync_data().map_err(WriteFault::Unknown)
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Puts a whole segment in its place and returns it open. A crash before the rename leaves what was
/// there before and a `.tmp` that the next start destroys.
pub(super) fn place_segment(dir: &Path, segment: u32, bytes: &[u8]) -> Result<File, WriteFault> {
    let file = write_beside(dir, segment, bytes)?;
    put_in_place(dir, segment).map_err(|error| undone(dir, segment, error))?;
    sync_dir(dir).map_err(WriteFault::Unknown)?;
    Ok(file)
}

/// Writes a whole segment as a `.tmp` beside its place and returns it open.
pub(super) fn write_beside(dir: &Path, segment: u32, bytes: &[u8]) -> Result<File, WriteFault> {
    let path = beside(dir, segment, "tmp");
    write_whole(&path, bytes).map_err(|error| undone(dir, segment, error))
}

/// Renames the `.tmp` of a segment over what is in its place; the caller syncs the folder.
pub(super) fn put_in_place(dir: &Path, segment: u32) -> io::Result<()> {
    fs::rename(beside(dir, segment, "tmp"), segment_path(dir, segment))
}

fn undone(dir: &Path, segment: u32, error: io::Error) -> WriteFault {
    if is_full(&error) && destroy(&beside(dir, segment, "tmp")).is_ok() {
        WriteFault::Full
    } else {
        WriteFault::Unknown(error)
    }
}

/// Overwrites a file with zeros before its name goes, since the system only frees its blocks.
pub(super) fn destroy(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let bytes = file.metadata()?.len();
    io::copy(&mut io::repeat(0).take(bytes), &mut file)?;
    file.sync_all()?;
    fs::remove_file(path)
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // Owner only: segments hold what circles have entrusted to this node.
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600);
    let file = options.open(path)?;
    FileExt::write_all_at(&file, bytes, 0)?;
    file.sync_all()?;
    Ok(file)
}

/// Makes names in a folder durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
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
