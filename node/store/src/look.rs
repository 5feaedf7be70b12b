//! A look at a store that nobody has open, or somebody else has: it takes no lock and changes
//! nothing.

use std::fs::{File, TryLockError};
use std::path::Path;

use corridor_proto::RcpId;
use corridor_rules::{Fact, Model, Place};

use crate::codec;
use crate::error::StoreError;
use crate::folder::LOCK_FILE;
use crate::journal::walk;

/// What a store says of its node and its partners; nothing of circles and records.
///
/// All of the journal is read, and what is damaged in it is named.
///
/// # Errors
/// [`StoreError::Journal`], [`StoreError::Frame`]; [`StoreError::Folder`] if nothing is whole.
pub fn look(path: &Path) -> Result<Model, StoreError> {
    let mut model = Model::new(RcpId::ZERO);
    walk::<StoreError>(&path.join("journal"), &codec::blob_intact, &mut |frames| {
        for frame in frames {
            let fact = codec::fact(frame.kind, &frame.meta)?;
            if !is_of_partners(&fact) {
                continue;
            }
            if let (Fact::KeyEvent { rcp, .. }, true) = (&fact, model.me.is_zero()) {
                // The first fact of every node is its own first key event.
                model.me = *rcp;
            }
            let fact = codec::with_blob(fact, frame.blob.to_vec());
            model.apply(None, &fact, Place::default());
        }
        Ok(())
    })?;
    if model.me.is_zero() {
        return Err(StoreError::Folder {
            path: path.to_owned(),
            what: "its journal begins with nothing that is whole; run corridor-node verify-store",
        });
    }
    Ok(model)
}

const fn is_of_partners(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::KeyEvent { .. }
            | Fact::Card { .. }
            | Fact::Named { .. }
            | Fact::Peer { .. }
            | Fact::Met { .. }
            | Fact::Forget { .. }
            | Fact::Withdrawals { .. }
            | Fact::EraseNow { .. }
            | Fact::SigningStopped { .. }
            | Fact::SigningResumed { .. }
            | Fact::OtherCopyGone { .. }
            | Fact::Restored { .. }
    )
}

/// Whether a process has the store in this folder open.
///
/// # Errors
/// What the system says about the lock.
pub fn is_in_use(path: &Path) -> std::io::Result<bool> {
    let lock = match File::open(path.join(LOCK_FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        lock => lock?,
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
