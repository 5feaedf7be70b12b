//! What a backup has behind the store's: the audit. Its length as eight bytes, the file as it is,
//! and the SHA-256 of it.
//!
//! **Invariant:** nothing that is not whole is taken, and nothing may follow.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use corridor_store::BackupError;
use sha2::{Digest, Sha256};

use super::{Error, FileError};

/// Writes the audit as it is now; others may go on writing to it.
pub(super) fn put(path: &Path, out: &mut dyn Write) -> Result<(), Error> {
    let io = |source| FileError::io(path, source);
    let (file, bytes) = match File::open(path) {
        Ok(file) => {
            let bytes = file.metadata().map_err(io)?.len();
            (Some(file), bytes)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (None, 0),
        Err(source) => return Err(io(source).into()),
    };
    out.write_all(&bytes.to_be_bytes()).map_err(io)?;
    let mut out = Hashed::new(out);
    if let Some(file) = file {
        let copied = std::io::copy(&mut file.take(bytes), &mut out).map_err(io)?;
        if copied != bytes {
            return Err(io(std::io::ErrorKind::UnexpectedEof.into()).into());
        }
    }
    let (hash, out) = out.finish();
    Ok(out.write_all(&hash).map_err(io)?)
}

/// Reads the audit behind the end of a store's backup into `out`, and that nothing follows.
pub(super) fn take(clear: &mut dyn Read, path: &Path, out: &mut dyn Write) -> Result<(), Error> {
    let io = |source| FileError::io(path, source);
    let damaged = || BackupError::Damaged("its audit is not whole");
    let mut length = [0; 8];
    clear.read_exact(&mut length).map_err(|_| damaged())?;
    let length = u64::from_be_bytes(length);
    let mut out = Hashed::new(out);
    let copied = std::io::copy(&mut (&mut *clear).take(length), &mut out).map_err(io)?;
    let mut said = [0; 32];
    clear.read_exact(&mut said).map_err(|_| damaged())?;
    let (hash, _) = out.finish();
    if copied != length || said != hash {
        return Err(damaged().into());
    }
    if clear.read(&mut [0]).map_err(io)? > 0 {
        return Err(BackupError::Damaged("there is more behind its end").into());
    }
    Ok(())
}

/// Writes the audit of a backup to a new file.
pub(super) fn restore(audit: &Path, clear: &mut dyn Read, path: &Path) -> Result<(), Error> {
    let io = |source| FileError::io(audit, source);
    let mut options = OpenOptions::new();
    let file = options.create_new(true).write(true).mode(0o600).open(audit);
    let mut file = file.map_err(io)?;
    take(clear, path, &mut file)?;
    Ok(file.sync_all().map_err(io)?)
}

/// Hashes what is written.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Hashed<W> {
    fn new(inner: W) -> Self {
        let hash = Sha256::new();
        Self { inner, hash }
    }

    fn finish(self) -> ([u8; 32], W) {
        (self.hash.finalize().into(), self.inner)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut clear = bytes;
        take(&mut clear, Path::new("copy.age"), &mut out).ok()?;
        Some(out)
    }

    #[test]
    fn an_audit_comes_back_as_it_was_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.log");
        let mut none = Vec::new();
        put(&path, &mut none).expect("none is there");
        assert_eq!(taken(&none), Some(Vec::new()));
        std::fs::write(&path, b"one line\n").expect("written");
        let mut bytes = Vec::new();
        put(&path, &mut bytes).expect("put");
        assert_eq!(bytes.len(), 8 + 9 + 32, "the layout");
        assert_eq!(taken(&bytes), Some(b"one line\n".to_vec()));
        for end in 0..bytes.len() {
            assert_eq!(taken(&bytes[..end]), None, "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(taken(&changed), None, "changed at {at}");
        }
        assert_eq!(taken(&[&bytes[..], b"x"].concat()), None, "more behind it");
    }
}
