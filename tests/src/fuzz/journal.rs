//! Opening a journal whose segments hold anything.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use corridor_store::journal::{self, Journal, JournalError, NewFrame, Options};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::Input;

/// Bytes of a segment's header, and of a frame besides meta and blob (`journal/layout.rs`).
const HEADER: usize = 38;
const FRAME: usize = 13;
const COMMIT: u8 = 1;
const COMMIT_META: usize = 48;
/// Frames of the journal behind the seeds, so that these stay short.
const SEED_FRAMES: usize = 15;

/// SHA-256, with which an input is mended.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A folder in memory where the machine has such.
fn folder() -> &'static Path {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
        let memory = Path::new("/dev/shm");
        let made = tempfile::Builder::new()
            .prefix("corridor-fuzz")
            .tempdir_in(memory);
        made.or_else(|_| tempfile::tempdir()).expect("a folder")
    });
    FOLDER.path()
}

/// Segments: flags and bytes of each. With an odd flag its checks are mended, so that what they
/// protect is read. What opens takes one group more, and opens again as it was.
pub fn segments(bytes: &[u8]) {
    let dir = folder().join(format!("{:?}", std::thread::current().id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a folder");
    let mut input = Input::new(bytes);
    let mut segments = Vec::new();
    while !input.is_empty() && segments.len() < 4 {
        let flags = input.byte();
        let mut segment = input.counted().to_vec();
        if flags & 1 == 1 {
            mend(&mut segment);
        }
        let path = dir.join(format!("{:08}.seg", segments.len()));
        fs::write(&path, &segment).expect("written");
        segments.push((path, segment));
    }
    let walked = walk(&dir);
    match open(&dir) {
        Ok((journal, groups)) if journal.is_read_only().is_some() => {
            drop(journal);
            for (path, before) in &segments {
                let after = fs::read(path).expect("a segment");
                assert!(after == *before, "a damaged journal is not written to");
            }
            assert_eq!(open(&dir).ok().map(|(_, again)| again), Some(groups));
        }
        Ok((mut journal, groups)) => {
            if let Ok(walked) = walked {
                let shown: usize = groups.iter().map(Vec::len).sum();
                let seen: usize = walked.iter().map(Vec::len).sum();
                assert_eq!(seen, shown, "a backup has what a replay shows");
            }
            append(&mut journal);
            drop(journal);
            let (again, more) = open(&dir).expect("it opens again");
            assert!(again.is_read_only().is_none(), "what was cut is no damage");
            assert_eq!(more.len(), groups.len() + 1, "nothing is lost or added");
            assert_eq!(more[..groups.len()], groups, "every group is as it was");
        }
        Err(_) => {}
    }
    fs::remove_dir_all(&dir).expect("removed");
}

type Groups = Vec<Vec<(u8, Vec<u8>)>>;

fn intact(_: u8, meta: &[u8], blob: &[u8]) -> bool {
    blob.is_empty() || meta.first() == blob.first()
}

fn open(dir: &Path) -> Result<(Journal, Groups), JournalError> {
    let mut groups = Vec::new();
    let options = Options::new(&intact);
    let (journal, recovery) = Journal::open(dir, &options, &mut |group| {
        // The journal's own groups are none of the caller's.
        if !group.frames.is_empty() {
            let frames = group.frames.iter();
            groups.push(frames.map(|f| (f.kind, f.meta.to_vec())).collect());
        }
    })?;
    assert_eq!(
        journal.is_read_only().is_some(),
        !recovery.damages.is_empty()
    );
    Ok((journal, groups))
}

fn walk(dir: &Path) -> Result<Groups, JournalError> {
    let mut groups = Vec::new();
    let mut visit = |frames: &[NewFrame<'_>]| {
        let frames = frames.iter();
        groups.push(frames.map(|f| (f.kind, f.meta.to_vec())).collect());
        Ok::<(), JournalError>(())
    };
    journal::walk(dir, &intact, &mut visit)?;
    Ok(groups)
}

fn append(journal: &mut Journal) {
    let frame = NewFrame {
        kind: 16,
        meta: b"meta"[..].into(),
        blob: b"m"[..].into(),
    };
    let places = journal.append(&[frame]).expect("it takes a group");
    let read = journal.reader().read(places[0]).expect("it gives it back");
    assert_eq!(
        (read.meta.as_slice(), read.blob.as_slice()),
        (&b"meta"[..], &b"m"[..])
    );
}

/// Puts right every check that a segment holds, frame after frame as their lengths say.
pub fn mend(segment: &mut [u8]) {
    let Some((header, frames)) = segment.split_at_mut_checked(HEADER) else {
        return;
    };
    let crc = crc32fast::hash(&header[..HEADER - 4]);
    header[HEADER - 4..].copy_from_slice(&crc.to_be_bytes());
    let mut chain = sha256(header);
    let mut group = Vec::new();
    let mut rest = frames;
    while let Some((head, whole)) = sizes(rest) {
        let (frame, behind) = rest.split_at_mut(whole);
        rest = behind;
        let is_commit = frame[8] == COMMIT && head == FRAME + COMMIT_META;
        if is_commit {
            let digest = Sha256::new().chain_update(chain).chain_update(&group);
            chain = digest.finalize().into();
            frame[FRAME + 16..head].copy_from_slice(&chain);
            group.clear();
        }
        let mut hasher = crc32fast::Hasher::new_with_initial(crc);
        hasher.update(&frame[..4]);
        hasher.update(&frame[8..head]);
        frame[4..8].copy_from_slice(&hasher.finalize().to_be_bytes());
        if !is_commit {
            group.extend_from_slice(&frame[..head]);
        }
    }
}

/// Bytes of a frame before its blob, and with it.
fn sizes(bytes: &[u8]) -> Option<(usize, usize)> {
    let number = |at: usize| {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(four)).ok()
    };
    let (length, meta) = (number(0)?, number(9)?);
    let (head, whole) = (FRAME.checked_add(meta)?, length.checked_add(8)?);
    (head <= whole && whole <= bytes.len()).then_some((head, whole))
}

/// Seeds made of frames: segments of a journal, a backup of it, and a segment cut off.
pub fn seeds(frames: &[NewFrame<'_>], add: &mut dyn FnMut(&'static str, Vec<u8>)) {
    let dir = folder().join("seeds");
    let _ = fs::remove_dir_all(&dir);
    let journal = dir.join("journal");
    let frames = &frames[..frames.len().min(SEED_FRAMES)];
    Journal::create(&journal, [7; 16]).expect("a journal");
    let options = Options {
        segment_bytes: 1_500,
        blob_intact: &|_, _, _| true,
    };
    let (mut open, _) = Journal::open(&journal, &options, &mut |_| {}).expect("it opens");
    let mut places = Vec::new();
    for group in frames.chunks(3) {
        places = open.append(group).expect("a group");
    }
    open.erase(&places).expect("erased");
    drop(open);
    let mut all = Vec::new();
    for segment in 0..3 {
        let path = journal.join(format!("{segment:08}.seg"));
        let Ok(bytes) = fs::read(path) else { break };
        let length = u16::try_from(bytes.len()).expect("short");
        for (flags, kept) in [(0, length), (1, length), (1, length / 2)] {
            let kept_bytes = &bytes[..usize::from(kept)];
            add(
                "journal",
                [&[flags][..], &kept.to_be_bytes(), kept_bytes].concat(),
            );
        }
        all.extend([&[1][..], &length.to_be_bytes(), &bytes].concat());
    }
    add("journal", all);
    let mut backup = vec![1];
    let now = corridor_proto::UnixMillis(1_800_000_000_000);
    corridor_store::back_up(&dir, now, &mut backup).expect("a backup");
    add("backup", backup);
    fs::remove_dir_all(&dir).expect("removed");
}
