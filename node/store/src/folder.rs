//! The data folder: its format, its lock, its parts.
//!
//! **Invariant:** one process at a time; a folder of a newer format is not touched.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use corridor_rules::fact::Fact;

use crate::codec;
use crate::error::StoreError;
use crate::journal::{Journal, NewFrame, Options};

/// First line of the format file.
const FORMAT: &str = "corridor-data 1\n";
const FORMAT_FILE: &str = "format";
pub(crate) const LOCK_FILE: &str = "lock";

/// Room that stays free on the disk: for what must be written even then, erasures and the end of a
/// segment; for one segment that is compacted, which gives room back; and for the index, since sled
/// must never find the disk full.
const RESERVE_BYTES: u64 = 64 << 20;

/// Where the parts of a data folder lie.
#[derive(Debug)]
pub(crate) struct Folder {
    pub journal: PathBuf,
    pub index: PathBuf,
    _lock: File,
}

impl Folder {
    /// Locks an existing folder and checks its format.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let format = path.join(FORMAT_FILE);
        let found = match fs::read_to_string(&format) {
            Ok(found) => found,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Folder {
                    path: path.to_owned(),
                    what: "there is no Corridor store here; run corridor-node init",
                });
            }
            Err(source) => {
                return Err(StoreError::Io {
                    path: format,
                    source,
                });
            }
        };
        if found != FORMAT {
            return Err(StoreError::NewerFormat {
                path: path.to_owned(),
                found: found.trim().to_owned(),
            });
        }
        Ok(Self {
            journal: path.join("journal"),
            index: path.join("index"),
            _lock: lock(path)?,
        })
    }
}

impl Folder {
    /// As [`ensure_room`].
    ///
    /// # Errors
    /// [`StoreError::NoRoom`]; nothing was tried.
    pub fn ensure_room(&self) -> Result<(), StoreError> {
        ensure_room(&self.journal)
    }

    fn lost_end(&self) -> PathBuf {
        self.journal.with_extension("lost-end")
    }

    /// Notes for good that the journal has lost acknowledged writes.
    pub fn note_lost_end(&self) -> Result<(), StoreError> {
        let path = self.lost_end();
        let written = match write_durably(&path, b"") {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            written => written,
        };
        let synced = written.and_then(|()| path.parent().map_or(Ok(()), sync_folder));
        synced.map_err(|source| StoreError::Io { path, source })
    }

    /// Each log goes on in a new incarnation: what the journal lost no longer matters.
    pub fn clear_lost_end(&self) -> Result<(), StoreError> {
        let path = self.lost_end();
        let removed = match std::fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            removed => removed,
        };
        let synced = removed.and_then(|()| path.parent().map_or(Ok(()), sync_folder));
        synced.map_err(|source| StoreError::Io { path, source })
    }

    /// Whether the journal was ever found to have lost acknowledged writes.
    pub fn has_lost_its_end(&self) -> bool {
        self.lost_end().exists()
    }
}

/// Bytes that are free on the disk of a folder; `None` where nobody can say.
pub fn free_bytes(path: &Path) -> Option<u64> {
    fs2::available_space(path).ok()
}

/// Whether there is room on the disk of a journal for more than what must be written.
///
/// # Errors
/// [`StoreError::NoRoom`]; nothing was tried.
pub(crate) fn ensure_room(journal: &Path) -> Result<(), StoreError> {
    match fs2::available_space(journal) {
        Ok(free) if free < RESERVE_BYTES => Err(StoreError::NoRoom {
            path: journal.to_owned(),
            free_mib: free >> 20,
            reserve_mib: RESERVE_BYTES >> 20,
        }),
        // Where nobody can say, the write itself finds out.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let lock = path.join(LOCK_FILE);
    let io = |source| StoreError::Io {
        path: lock.clone(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Makes a store in a folder that has none, with the facts by which a node begins.
/// If it does not reach its end, it may be run again.
///
/// # Errors
/// [`StoreError::Folder`] if there is a store already, [`StoreError::Io`], [`StoreError::Journal`].
pub fn create(path: &Path, begin: &[Fact]) -> Result<(), StoreError> {
    let frames: Result<Vec<NewFrame<'_>>, StoreError> = begin.iter().map(codec::frame).collect();
    let mut beginning = Beginning::make(path)?;
    beginning.append_all(&[frames?])?;
    beginning.finish()
}

/// A store that is being made. The format file is written last: a folder without it has no store,
/// and making it may begin again.
pub(crate) struct Beginning {
    path: PathBuf,
    journal: Journal,
    _lock: File,
}

impl Beginning {
    /// Begins in a folder that has no store.
    pub fn make(path: &Path) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(io)?;
        if path.join(FORMAT_FILE).exists() {
            return Err(StoreError::Folder {
                path: path.to_owned(),
                what: "there is a store here already; nothing was changed",
            });
        }
        let lock = lock(path)?;
        let journal = path.join("journal");
        if journal.exists() {
            // Left by an attempt that did not reach its end: nothing of it was ever used.
            fs::remove_dir_all(&journal).map_err(io)?;
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| io(std::io::Error::other(error.to_string())))?;
        Journal::create(&journal, id)?;
        let options = Options::new(&|_, _, _| true);
        let (open, _) = Journal::open(&journal, &options, &mut |_| {})?;
        Ok(Self {
            path: path.to_owned(),
            journal: open,
            _lock: lock,
        })
    }

    /// More groups, durable together.
    pub fn append_all(&mut self, groups: &[Vec<NewFrame<'_>>]) -> Result<(), StoreError> {
        self.journal.append_all(groups)?;
        Ok(())
    }

    /// From now on it is a store.
    pub fn finish(self) -> Result<(), StoreError> {
        let io = |source| StoreError::Io {
            path: self.path.clone(),
            source,
        };
        write_durably(&self.path.join(FORMAT_FILE), FORMAT.as_bytes()).map_err(io)?;
        sync_folder(&self.path).map_err(io)
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
