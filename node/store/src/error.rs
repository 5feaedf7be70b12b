//! What can go wrong in the store, sorted by who can mend it.

use std::path::PathBuf;

use corridor_proto::Refusal;
use corridor_rules::desk::DeskRefusal;

use crate::journal::JournalError;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The caller's: the wish was refused, and nothing has changed.
    #[error(transparent)]
    Desk(#[from] DeskRefusal),
    /// The peer's: what came was refused, and nothing of it was kept.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The operator's: the folder has no store, or has one already.
    #[error("{path}: {what}")]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: &'static str,
    },
    /// The operator's: another process has the folder.
    #[error(
        "{path} is in use by another process; stop it first, for two would sign against each other"
    )]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
    /// The operator's: a newer version wrote the folder.
    #[error("{path} has format {found}, made by a newer version; install that version again")]
    NewerFormat {
        /// Which folder.
        path: PathBuf,
        /// Its format.
        found: String,
    },
    /// The operator's: a file operation failed.
    #[error("{path}: {source}; check the disk and the rights of this user")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The operator's: there is too little room on the disk. Nothing was kept.
    #[error(
        "{path}: only {free_mib} MiB are free on its disk, and {reserve_mib} stay free always; \
         nothing was kept; free space and try again"
    )]
    NoRoom {
        /// The folder.
        path: PathBuf,
        /// What is free.
        free_mib: u64,
        /// What must stay free.
        reserve_mib: u64,
    },
    /// The operator's: the journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The operator's: the index, even after it was thrown away.
    #[error("the index cannot be written ({0}); check the disk, then start again: it is rebuilt")]
    Index(String),
    /// The operator's: a frame that no version wrote.
    #[error("the journal holds a frame that cannot be read ({0}); run verify-store")]
    Frame(&'static str),
    /// Durability is unknown: nothing is written until the next start.
    #[error("the store stopped writing after an error ({0}); check the disk and start again")]
    Stopped(String),
}

impl StoreError {
    /// Whether the store can still be read, though nothing can be written to it now.
    pub const fn leaves_reading(&self) -> bool {
        matches!(
            self,
            Self::NoRoom { .. }
                | Self::Journal(JournalError::ReadOnly(_) | JournalError::DiskFull { .. })
        )
    }

    /// Whether nothing can be written any more in this process.
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Stopped(_)
                | Self::Index(_)
                | Self::Journal(JournalError::DurabilityUnknown { .. })
        )
    }
}
