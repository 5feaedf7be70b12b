//! Backups: the facts of a store as one stream, whatever version of the journal they lay in.
//!
//! A magic with a format number; whose it is and when it was made; then each group: how many
//! frames, and of each its kind, meta and blob behind their lengths; at the end a zero, how many
//! groups there were, and SHA-256 over all before it. It is encrypted by whoever writes it.
//! **Invariant:** what was erased is not in it, and what is restored signs nothing until a person
//! has restarted it.

use std::io::{self, Read, Write};
use std::path::Path;

use corridor_proto::{RcpId, UnixMillis};
use corridor_rules::fact::Fact;
use sha2::{Digest, Sha256};

use crate::codec;
use crate::error::StoreError;
use crate::folder::Beginning;
use crate::journal::{
    BLOB_BYTES_MAX, FRAMES_PER_GROUP_MAX, JournalError, META_BYTES_MAX, NewFrame, WRITE_BYTES_MAX,
    walk,
};

/// Begins every backup; the last byte counts up with the format.
const MAGIC: &[u8; 16] = b"corridor-backup\x01";

/// So much is made durable at once while restoring.
const GROUPS_BYTES: usize = 1024 * 1024;

/// Why a backup was not made, or not read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The operator's: the store that is backed up, or the one that is made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operator's: the stream cannot be written or read.
    #[error("the backup cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// The operator's: it is no backup, or one of a newer version.
    #[error("this is no backup that this version can read; it was made by a newer one, or is none")]
    Format,
    /// The operator's: the journal begins with nothing that is whole.
    #[error("there is nothing whole to back up; run corridor-node verify-store")]
    Nothing,
    /// The operator's: bytes are missing or changed.
    #[error("the backup is damaged ({0}); take another one")]
    Damaged(&'static str),
}

impl From<JournalError> for BackupError {
    fn from(error: JournalError) -> Self {
        Self::Store(error.into())
    }
}

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Whose.
    pub rcp: RcpId,
    /// When it was made.
    pub made: UnixMillis,
    /// Groups of facts.
    pub groups: u64,
    /// Bytes, the encryption left out.
    pub bytes: u64,
}

/// Writes a backup of the store in `path`, whether or not a node runs over it.
///
/// # Errors
/// [`BackupError`].
pub fn back_up(path: &Path, now: UnixMillis, out: &mut dyn Write) -> Result<Contents, BackupError> {
    let mut out = Hashed::new(out);
    let (mut groups, mut rcp) = (0, RcpId::ZERO);
    walk(&path.join("journal"), &codec::blob_intact, &mut |frames| {
        if groups == 0 {
            rcp = owner(frames).ok_or(BackupError::Format)?;
            out.write_all(MAGIC)?;
            out.write_all(rcp.as_bytes())?;
            out.write_all(&now.0.to_be_bytes())?;
        }
        groups += 1;
        put_group(&mut out, frames).map_err(BackupError::from)
    })?;
    if groups == 0 {
        return Err(BackupError::Nothing);
    }
    out.write_all(&[0; 4])?;
    out.write_all(&u64::to_be_bytes(groups))?;
    let bytes = out.bytes;
    let hash = out.hash.clone().finalize();
    out.write_all(&hash)?;
    out.flush()?;
    Ok(Contents {
        rcp,
        made: now,
        groups,
        bytes,
    })
}

/// Whose a store is: its first fact is its own first key event.
fn owner(frames: &[NewFrame<'_>]) -> Option<RcpId> {
    let first = frames.first()?;
    match codec::fact(first.kind, &first.meta) {
        Ok(Fact::KeyEvent { rcp, .. }) => Some(rcp),
        _ => None,
    }
}

fn put_group(out: &mut dyn Write, frames: &[NewFrame<'_>]) -> io::Result<()> {
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    out.write_all(&count(frames.len()))?;
    for frame in frames {
        out.write_all(&[frame.kind])?;
        for part in [&frame.meta, &frame.blob] {
            out.write_all(&count(part.len()))?;
            out.write_all(part)?;
        }
    }
    Ok(())
}

/// Reads a backup to its end, and hands every group to `visit`. Nothing that was handed over counts
/// before this returns. What stands behind its end is not read.
///
/// # Errors
/// [`BackupError`].
pub fn read_backup(
    input: &mut dyn Read,
    visit: &mut dyn FnMut(Vec<NewFrame<'static>>) -> Result<(), BackupError>,
) -> Result<Contents, BackupError> {
    let mut input = Hashed::new(input);
    if &input.array::<16>()? != MAGIC {
        return Err(BackupError::Format);
    }
    let rcp = RcpId::new(input.array()?);
    let made = UnixMillis(u64::from_be_bytes(input.array()?));
    let mut groups = 0;
    loop {
        let count = u32::from_be_bytes(input.array()?);
        if count == 0 {
            break;
        }
        if count > FRAMES_PER_GROUP_MAX {
            return Err(BackupError::Damaged("a group is too long"));
        }
        let frames = read_group(&mut input, count)?;
        if groups == 0 && owner(&frames) != Some(rcp) {
            return Err(BackupError::Damaged("it begins with another node"));
        }
        groups += 1;
        visit(frames)?;
    }
    if u64::from_be_bytes(input.array()?) != groups {
        return Err(BackupError::Damaged("groups are missing"));
    }
    let (bytes, hash) = (input.bytes, input.hash.clone().finalize());
    if input.array::<32>()? != *hash {
        return Err(BackupError::Damaged("its hash does not fit"));
    }
    Ok(Contents {
        rcp,
        made,
        groups,
        bytes,
    })
}

fn read_group(
    input: &mut Hashed<&mut dyn Read>,
    count: u32,
) -> Result<Vec<NewFrame<'static>>, BackupError> {
    let mut frames = Vec::new();
    let mut size = 0_u64;
    for _ in 0..count {
        let [kind] = input.array()?;
        let mut part = |limit: u32| {
            let length = u32::from_be_bytes(input.array()?);
            size += u64::from(length);
            if length > limit || size > WRITE_BYTES_MAX {
                return Err(BackupError::Damaged("a frame is too long"));
            }
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            input.fill(&mut bytes)?;
            Ok(bytes)
        };
        let (meta, blob) = (part(META_BYTES_MAX)?, part(BLOB_BYTES_MAX)?);
        let known = codec::fact(kind, &meta);
        known.map_err(|_| BackupError::Format)?;
        if !blob.is_empty() && !codec::blob_intact(kind, &meta, &blob) {
            return Err(BackupError::Damaged(
                "a text is not the one that was signed",
            ));
        }
        frames.push(NewFrame {
            kind,
            meta: meta.into(),
            blob: blob.into(),
        });
    }
    Ok(frames)
}

/// Makes a store in an empty folder out of a backup. The node that it belongs to signs nothing
/// until a person restarted it, and hides what it received until that was compared. What stands
/// behind the end of the backup is not read.
///
/// # Errors
/// [`BackupError`]; the folder has no store then.
pub fn restore(
    input: &mut dyn Read,
    path: &Path,
    now: UnixMillis,
) -> Result<Contents, BackupError> {
    let mut store = Beginning::make(path)?;
    let mut groups = Vec::new();
    let mut bytes = 0;
    let contents = read_backup(input, &mut |frames| {
        bytes += frames
            .iter()
            .map(|f| f.meta.len() + f.blob.len())
            .sum::<usize>();
        groups.push(frames);
        if bytes >= GROUPS_BYTES {
            bytes = 0;
            store.append_all(&std::mem::take(&mut groups))?;
        }
        Ok(())
    })?;
    let facts = [Fact::Restored { at: now }, Fact::OtherCopyGone { at: now }];
    let frames: Result<Vec<NewFrame<'_>>, StoreError> = facts.iter().map(codec::frame).collect();
    groups.push(frames?);
    store.append_all(&groups)?;
    store.finish()?;
    Ok(contents)
}

/// Counts and hashes what passes through.
struct Hashed<T> {
    inner: T,
    hash: Sha256,
    bytes: u64,
}

impl<T> Hashed<T> {
    fn new(inner: T) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(0);
    }
}

impl Hashed<&mut dyn Read> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        match self.inner.read_exact(bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(BackupError::Damaged("it ends too early"))
            }
            read => {
                read?;
                self.note(bytes);
                Ok(())
            }
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}

impl Write for Hashed<&mut dyn Write> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.note(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
