//! Files that hold secrets: made once, for this user alone, and refused if others can read them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
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

/// Opens a file of a node to write behind its end, and makes it if there is none. Only a file of
/// its own by this one name: root may write for a node whose folder is somebody else's.
///
/// # Errors
/// What the system says.
pub(super) fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            give(&file, path)?;
            return Ok(file);
        }
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    let file = options.open(path)?;
    own(&file, path)?;
    Ok(file)
}

/// That an open file is the one by this name, and has no other.
fn own(file: &File, path: &Path) -> io::Result<()> {
    let (open, named) = (file.metadata()?, fs::symlink_metadata(path)?);
    let is_same = (open.dev(), open.ino()) == (named.dev(), named.ino());
    if is_same && named.is_file() && named.nlink() == 1 {
        return Ok(());
    }
    Err(io::Error::other("is a link; nothing is written through it"))
}

/// Overwrites all files below a folder with zeros, durably, and removes it with them. Links are
/// removed, and what they lead to is left alone.
///
/// # Errors
/// What the system says; what is left is tried again the next time.
pub(super) fn wipe(folder: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(folder)?.is_dir() {
        return fs::remove_file(folder);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let kind = fs::symlink_metadata(&path)?;
        if kind.is_dir() {
            wipe(&path)?;
        } else if kind.is_file() {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            own(&file, &path)?;
            io::copy(&mut io::repeat(0).take(kind.len()), &mut file)?;
            file.sync_all()?;
        }
    }
    fs::remove_dir_all(folder)
}

/// Whether this is root, and the folder is somebody else's: what is done in it then follows
/// whatever its owner puts there.
pub(super) fn is_roots_hand_in(folder: &Path) -> bool {
    let uid = |path: &Path| fs::metadata(path).map(|found| found.uid());
    uid(Path::new("/proc/self")).is_ok_and(|me| me == 0) && uid(folder).is_ok_and(|of| of != 0)
}

/// Gives what root made to the owner of its folder.
fn give(file: &File, path: &Path) -> io::Result<()> {
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
    fn nothing_is_written_through_a_link() {
        let folder = tempfile::tempdir().expect("folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("other"), "of others").expect("written");
        fs::create_dir(at("away")).expect("made");
        fs::write(at("away/kept"), "kept").expect("written");
        std::os::unix::fs::symlink(at("other"), at("audit.log")).expect("linked");
        assert!(open_to_append(&at("audit.log")).is_err(), "a link");
        fs::remove_file(at("audit.log")).expect("removed");
        fs::hard_link(at("other"), at("audit.log")).expect("linked");
        assert!(open_to_append(&at("audit.log")).is_err(), "another name");
        fs::remove_file(at("audit.log")).expect("removed");
        for line in ["one", "two"] {
            let file = open_to_append(&at("audit.log"));
            file.expect("its own")
                .write_all(line.as_bytes())
                .expect("written");
        }
        assert_eq!(fs::read(at("audit.log")).expect("read"), b"onetwo");

        fs::create_dir(at("drill")).expect("made");
        std::os::unix::fs::symlink(at("away"), at("drill/within")).expect("linked");
        fs::write(at("drill/copy"), "a text").expect("written");
        wipe(&at("drill")).expect("wiped");
        std::os::unix::fs::symlink(at("away"), at("drill")).expect("linked");
        wipe(&at("drill")).expect("the link is gone");
        assert!(!at("drill").exists());
        assert_eq!(fs::read(at("away/kept")).expect("read"), b"kept");
        assert_eq!(fs::read(at("other")).expect("read"), b"of others");
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
