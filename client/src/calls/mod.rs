//! The calls of the API, one file a service.
//!
//! **Invariant:** an answer that lacks what its contract promises is an error, never a default.

mod bundle;
mod circle;
mod draft;
mod find;
mod node;
mod peer;
mod record;
mod table;

pub use bundle::{ImportingBundle, MakingBundle};
pub use find::{FoundPage, Wanted};
pub use node::NodeInfo;
pub(crate) use record::service as record_service;
pub use record::{ReadRecord, RecordPage, WithdrawalRequest};
pub use table::{Exporting, Importing};

use crate::error::ClientError;

/// What the answer must have.
pub(crate) fn present<T>(part: Option<T>, lacks: &'static str) -> Result<T, ClientError> {
    part.ok_or(ClientError::Answer(lacks))
}
