//! Bundles: what two nodes that cannot meet exchange as files.
//!
//! [`make`] writes what a link says to a partner of paper, [`open`] reads a file to its end before
//! anything of it counts, [`take`] feeds it to a link, and through the same door as a connection.
//! It imports the exchange, whose door that is. **Invariant:** nothing of a bundle lies on a disk
//! in the clear, and nothing is made for, or taken from, anybody but a partner.

mod make;
mod open;
pub mod seal;
mod take;
mod told;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use corridor_proto::bundle::ReadError;
use corridor_proto::{RcpId, Refusal};
use corridor_store::StoreError;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::exchange::Exchange;
use crate::operate::files::FileError;
use crate::operate::keys::KeyFolder;
pub use make::{Order, Ready};
pub use open::Proved;
use seal::SealError;

/// Why a bundle was not made, looked into or taken in.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is no such partner.
    #[error("there is no partner {0} here; list them to see their names")]
    NoPartner(RcpId),
    /// The partner is not active here.
    #[error("{0} is not confirmed and active here; a bundle is made for active partners alone")]
    NotActive(String),
    /// No card of its present key is here.
    #[error("the newest card of {0} is not here; ask it for its invitation file or for a bundle")]
    NoCard(String),
    /// It has not shown what it holds since this node started.
    #[error(
        "{0} has not shown what it holds since this node started, so nobody knows whether it holds \
         newer lines of yours than this node; take in a bundle of it made after your last one, or \
         say that this node is the newest there is: --not-heard-from"
    )]
    NotHeardFrom(String),
    /// Nothing is signed here.
    #[error(
        "this node signs nothing at the moment; corridor recover status says why, and what to do"
    )]
    SigningStopped,
    /// What the partner may read became less while the bundle was made.
    #[error("what {0} may read changed while the bundle was made; make it again")]
    RightLost(String),
    /// It opens with another key than ours.
    #[error("this bundle is for {0}, and this node cannot take it in; give it to that node")]
    ForAnother(String),
    /// It is no bundle, or not as it was made.
    #[error(
        "this is no bundle, or it was damaged on its way ({0}); ask its sender for the file anew"
    )]
    Damaged(String),
    /// It is from nobody with whom this node is paired.
    #[error("this bundle is from {0}, with whom this node is not paired; pair first")]
    FromStranger(String),
    /// Something that the whole of it stands on is refused.
    #[error("this bundle is not taken in: {0}")]
    Refused(#[from] Refusal),
    /// Too much of its sender was refused.
    #[error("too much of what {0} sent was refused; call it, and try again later")]
    TooMuchRefused(String),
    /// Another one is being taken in.
    #[error("another bundle is being taken in; wait until that has ended")]
    Busy,
    /// Nothing more of it comes.
    #[error("the bundle stopped coming; bring it again")]
    TooSlow,
    /// It is larger than a bundle may be.
    #[error("this bundle is larger than {0} bytes; ask its sender for smaller ones, more often")]
    TooLarge(u64),
    /// The node is being stopped.
    #[error("this node is being stopped; bring the same bundle again when it runs")]
    NodeEnds,
    /// A file of this node.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes ({0}); nothing was done")]
    NoRandomness(io::Error),
    /// There is no room for a bundle that comes.
    #[error("the bundle could not be received: {0}")]
    Input(io::Error),
    /// Whoever asked for it hung up, or a file could not be written for them.
    #[error("the bundle could not be handed over: {0}")]
    Output(io::Error),
}

impl From<SealError> for BundleError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::File(error) => Self::File(error),
            SealError::Key => Self::Damaged("it cannot be encrypted".to_owned()),
        }
    }
}

/// What a part is refused for, or why it cannot be read; `behind` is how many were read before.
fn read_error(error: ReadError, behind: u64) -> BundleError {
    match error {
        ReadError::Refused(refusal) => {
            BundleError::Damaged(format!("behind part {behind}: {refusal}"))
        }
        // Its check of every 64 KiB failed, or the disk did.
        ReadError::Io(error) => BundleError::Damaged(format!("behind part {behind}: {error}")),
    }
}

/// The bundles of a node.
#[derive(Clone)]
pub struct Bundles {
    exchange: Arc<Exchange>,
    keys: KeyFolder,
    data: PathBuf,
    busy: Arc<Mutex<()>>,
}

impl Bundles {
    /// Those of the node in `data`.
    pub fn of(data: &Path, exchange: Arc<Exchange>) -> Self {
        Self {
            exchange,
            keys: KeyFolder::of(data),
            data: data.to_owned(),
            busy: Arc::default(),
        }
    }

    /// The right to take a bundle in or to look into one: one at a time has it.
    ///
    /// # Errors
    /// [`BundleError::Busy`].
    pub fn alone(&self) -> Result<OwnedMutexGuard<()>, BundleError> {
        let alone = Arc::clone(&self.busy).try_lock_owned();
        alone.map_err(|_| BundleError::Busy)
    }

    /// A file for a bundle that comes, without a name: nothing of it stays behind.
    ///
    /// # Errors
    /// [`BundleError::File`].
    pub fn file(&self) -> Result<File, BundleError> {
        let file = tempfile::tempfile_in(&self.data);
        Ok(file.map_err(|source| FileError::io(&self.data, source))?)
    }

    /// An RCP as it is called here, or its identifier.
    fn called(&self, rcp: &RcpId) -> String {
        self.exchange.store.read(|view| told::called(view, rcp))
    }
}
