//! Records by the table: files become drafts, and what a reader may see becomes files.
//!
//! It imports the desk and the files of `operate`. **Invariant:** a file becomes drafts and nothing
//! else; each is saved through the desk, and noted before, so that an import that a crash cut short
//! says so and can be taken back.

mod export;
mod import;
mod known;
mod notes;
mod undo;

use std::path::Path;
use std::sync::Arc;

use corridor_tables::ReadError;
use corridor_tables::write::WriteError;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::desk::{Desk, DeskError};
use crate::operate::files::FileError;
pub use export::{Selection, export};
pub use import::{Plan, import};
pub use notes::Notes;
pub use undo::{Undone, undo};

/// Why a table was not taken, given or taken back.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file cannot be written for the caller.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The desk refused, or the store failed.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The notes of imports could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no such import or record for the caller.
    #[error("there is no {0} {1} here")]
    NotFound(&'static str, String),
    /// An import, or the undoing of one, is under way.
    #[error("another import is under way; wait until it has ended")]
    Busy,
    /// Nothing more of the file comes.
    #[error("the file stopped coming; bring it again")]
    TooSlow,
    /// What an import made is not as it made it.
    #[error(
        "{count} of the drafts of this import were changed or shared since, such as {record}; \
         nothing was taken back; discard or withdraw what should go one by one"
    )]
    ChangedSince {
        /// How many.
        count: usize,
        /// The first of them.
        record: String,
    },
    /// A CSV was asked for of several kinds.
    #[error(
        "a CSV has records of one kind, and these are of {0}; name one, or ask for xlsx or json"
    )]
    SeveralKinds(String),
}

/// The tables of a node.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The desk by which drafts are saved.
    pub desk: Desk,
    /// The notes of the last imports.
    pub notes: Notes,
    busy: Arc<Mutex<()>>,
    uploads: Arc<Semaphore>,
}

/// Files that come at one time.
const UPLOADS_MAX: usize = 2;

impl Tables {
    /// Those of the node in `data`.
    pub fn of(data: &Path, desk: Desk) -> Self {
        Self {
            desk,
            notes: Notes::of(data),
            busy: Arc::default(),
            uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
        }
    }

    /// The right to bring a file: few at a time have it.
    ///
    /// # Errors
    /// [`TableError::Busy`].
    pub fn upload(&self) -> Result<OwnedSemaphorePermit, TableError> {
        let permit = Arc::clone(&self.uploads).try_acquire_owned();
        permit.map_err(|_| TableError::Busy)
    }

    /// The right to change imports: one at a time has it.
    ///
    /// # Errors
    /// [`TableError::Busy`].
    pub fn alone(&self) -> Result<OwnedMutexGuard<()>, TableError> {
        let alone = Arc::clone(&self.busy).try_lock_owned();
        alone.map_err(|_| TableError::Busy)
    }
}
