//! Files that hold secrets: made once, for this user alone, and refused if others can read them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// What is wrong with a file of the node.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was to be changed in it must not be.
    #[error("{path}: {why}")]
    Refused {
        /// Which file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// Others can read it.
    #[error("{path} can be read by others (mode {mode:o}); run: chmod 600 {path}", mode = mode)]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It exists.
    #[error("{path} exists already; nothing was changed")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// Its content does not fit.
    #[error("{path} is not {what}; restore it from where you keep its copy")]
    Content {
        /// Which file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
    },
}

impl FileError {
    /// From what the system said about `path`.
    pub fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists {
                path: path.to_owned(),
            },
            _ => Self::Io {
                path: path.to_owned(),
                source,
            },
        }
    }
}

/// Writes a new file for this user alone, durably. What root writes belongs to the owner of its
/// folder: a node that does not run as root could not read it otherwise.
///
/// # Errors
/// [`FileError::Exists`], [`FileError::Io`].
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let io = |source| FileError::io(path, source);
    let mut options = OpenOptions::new();
    options.create_new(true).write(true).mode(0o600);
    let mut file = options.open(path).map_err(io)?;
    let written = give(&file, path)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_folder_of(path));
    if written.is_err() {
        // Half a secret would be in the way of the next attempt; that it stays is said by that.
        let _ = fs::remove_file(path);
    }
    written.map_err(io)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes durable which names are in the folder of `path`.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Gives what root made to the owner of its folder.
///
/// # Errors
/// What the system says.
pub(super) fn give(file: &File, path: &Path) -> io::Result<()> {
    let (made, folder) = (file.metadata()?, fs::metadata(folder_of(path))?);
    if made.uid() != 0 || folder.uid() == 0 {
        return Ok(());
    }
    fchown(file, Some(folder.uid()), Some(folder.gid()))
}

/// Removes a file, if it is there.
///
/// # Errors
/// [`FileError::Io`].
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(FileError::io(path, source)),
        _ => Ok(()),
    }
}

/// Gives a file another name in its folder, durably.
///
/// # Errors
/// [`FileError::Io`].
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to)
        .and_then(|()| sync_folder_of(to))
        .map_err(|source| FileError::io(from, source))
}

/// Makes a new folder for this user alone.
///
/// # Errors
/// [`FileError::Exists`], [`FileError::Io`].
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|source| FileError::io(path, source))
}

/// Writes a file for this user alone in place of an older one: whole or not at all.
///
/// # Errors
/// [`FileError::Io`].
pub fn replace_secret(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let fresh = path.with_extension("new");
    remove(&fresh)?;
    write_secret(&fresh, bytes)?;
    rename(&fresh, path)
}

/// Reads a file that only this user may read.
///
/// # Errors
/// [`FileError::Open`], [`FileError::Io`].
pub fn read_secret(path: &Path) -> Result<Vec<u8>, FileError> {
    let io = |source| FileError::io(path, source);
    let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(FileError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    fs::read(path).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the tests do not run as root there is nobody else to write for.
    #[test]
    fn what_root_writes_is_for_the_owner_of_the_folder() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("tokens.toml");
        write_secret(&path, b"of root").expect("write");
        let owner = |path: &Path| fs::metadata(path).expect("there").uid();
        if owner(&path) != 0 {
            return;
        }
        std::os::unix::fs::chown(folder.path(), Some(12_345), None).expect("root may");
        replace_secret(&path, b"of the node").expect("replaced");
        assert_eq!(owner(&path), 12_345);
        assert_eq!(read_secret(&path).expect("read"), b"of the node");
    }

    #[test]
    fn a_secret_is_written_once_and_refused_when_others_can_read_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("signing.key");
        write_secret(&path, b"secret").expect("write");
        assert!(matches!(
            write_secret(&path, b"other"),
            Err(FileError::Exists { .. })
        ));
        assert_eq!(read_secret(&path).expect("read"), b"secret");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
        let error = read_secret(&path).expect_err("refused").to_string();
        assert!(
            error.contains("mode 640") && error.contains("chmod 600"),
            "{error}"
        );
    }
}
