//! Talks to a Corridor node, and believes nothing that it can verify itself.
//!
//! ```no_run
//! # async fn example() -> Result<(), corridor_client::ClientError> {
//! use corridor_client::{Check, Client, Profile};
//!
//! let profile = Profile::read(std::path::Path::new("client.toml"))?;
//! let client = Client::connect(&profile).await?;
//! for found in client.records(None, false).await? {
//!     match &found.check {
//!         Check::Verified(signed) => println!("version {}", signed.header.version),
//!         Check::Unverified(why) => println!("{} is not verified: {why}", found.record.name),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Client`] has one method for each call of the API. A list or a change carries no signed bytes:
//! [`Client::records`] and [`Client::watch`] fetch a proof of each record and verify it, and what
//! is only the node's word has "unverified" in its name. [`proof`] verifies an answer from the
//! charter of its RCP alone, whoever gave it. [`body`] turns bodies into proto3 JSON and back.
//! [`cli`] is the command line `corridor`, and nothing here uses it.
//!
//! It imports `corridor-proto`, nothing else of the workspace. **Invariant:** no connection without
//! the pinned key, and no [`VerifiedAnswer`] but from [`proof::verify_proof`].

#![warn(missing_docs)]

pub mod body;
mod calls;
mod charters;
mod check;
pub mod cli;
mod client;
mod error;
mod in_order;
pub mod limits;
mod names;
mod profile;
pub mod proof;
pub mod shown;
mod tls;
mod watch;

pub use calls::{NodeInfo, ReadRecord, RecordPage, WithdrawalRequest};
pub use check::{Check, CheckedRecord, Signed, Unverified};
pub use client::Client;
pub use corridor_proto::v1;
pub use error::{ClientError, Fault, FaultKind, FieldFault};
pub use names::{NameError, RcpName, RecordName};
pub use profile::{Profile, ProfileError, Secret};
pub use proof::{VerifiedAnswer, read_proof_file};
pub use watch::{Change, Watch};

/// The generated calls, on which [`Client`] stands.
pub(crate) mod stub {
    #![allow(missing_docs, clippy::all, rust_2018_idioms)]
    include!(concat!(env!("OUT_DIR"), "/corridor.v1.rs"));
}
