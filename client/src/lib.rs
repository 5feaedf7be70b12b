//! Talks to a Corridor node, and believes nothing that it can verify itself.
//!
//! [`Client`] has one method for each call of the API. A list or a change carries no signed bytes:
//! [`Client::records`] and [`Client::watch`] fetch a proof of each record and verify it, and what
//! is only the node's word has "unverified" in its name. [`proof`] verifies an answer from the
//! charter of its RCP alone, whoever gave it. [`body`] turns bodies into proto3 JSON and back.
//! [`cli`] is the command line `corridor`, and nothing here uses it.
//!
//! It imports `corridor-proto`, nothing else of the workspace. **Invariant:** no connection without
//! the pinned key, and no [`VerifiedAnswer`] but from [`proof::verify_proof`].
//!
//! # The five commonest tasks
//!
//! `client/GUIDE.md` says how to come by a node to try them on, and a profile for it.
//!
//! ## Connect
//!
//! The profile names the node, its key, and the token that opens it.
//!
#![cfg_attr(not(with_node), doc = "```no_run")]
#![cfg_attr(with_node, doc = "```")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use corridor_client::{Client, Profile};
//!
//! let path = std::env::var("CORRIDOR_PROFILE")?;
//! let client = Client::connect(&Profile::read(path.as_ref())?).await?;
//! # assert!(!client.records(None, false).await?.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! ## List
//!
//! Each record is verified here, or it says why it is not.
//!
#![cfg_attr(not(with_node), doc = "```no_run")]
#![cfg_attr(with_node, doc = "```")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let profile = std::env::var("CORRIDOR_PROFILE")?;
//! # let profile = corridor_client::Profile::read(profile.as_ref())?;
//! # let client = corridor_client::Client::connect(&profile).await?;
//! use corridor_client::Check;
//!
//! for found in client.records(None, false).await? {
//!     match &found.check {
//!         Check::Verified(signed) => println!("{} {}", found.record.name, signed.header.version),
//!         Check::Unverified(why) => println!("{} is not verified: {why}", found.record.name),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! ## Follow changes
//!
//! A cursor that was kept goes on where one left off. Without the `break` this follows for ever.
//!
#![cfg_attr(not(with_node), doc = "```no_run")]
#![cfg_attr(with_node, doc = "```")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(std::env::var("CORRIDOR_FOLDER")?)?;
//! # let profile = std::env::var("CORRIDOR_PROFILE")?;
//! # let profile = corridor_client::Profile::read(profile.as_ref())?;
//! # let client = corridor_client::Client::connect(&profile).await?;
//! let kept = std::fs::read_to_string("cursor").ok();
//! let mut watch = client.watch(kept);
//! loop {
//!     let change = watch.next().await?;
//!     if let Some(found) = change.record {
//!         println!("{} changed", found.record.name);
//!     }
//!     if let Some(cursor) = change.cursor {
//!         std::fs::write("cursor", cursor)?;
//!         break; // caught up
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! ## Write and publish
//!
//! Only a secretariat can. `corridor record template` prints a body to write one's own from.
//!
#![cfg_attr(not(with_node), doc = "```no_run")]
#![cfg_attr(with_node, doc = "```")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(std::env::var("CORRIDOR_FOLDER")?)?;
//! # let profile = std::env::var("CORRIDOR_PROFILE")?;
//! # let profile = corridor_client::Profile::read(profile.as_ref())?;
//! # let client = corridor_client::Client::connect(&profile).await?;
//! use corridor_client::{Kind, RecordName, body};
//!
//! let body = body::from_json(Kind::Practice, &std::fs::read("practice.json")?)?;
//! let draft = client.create_draft(Kind::Practice, body).await?;
//! let name: RecordName = draft.name.parse()?;
//! client.publish(&name, &["public".to_owned()]).await?;
//! println!("{}", client.verified_record(&name).await?.header().version);
//! # Ok(())
//! # }
//! ```
//!
//! ## Prove
//!
//! The file proves the record to whoever has no node, and only that: not that it was not
//! withdrawn since.
//!
#![cfg_attr(not(with_node), doc = "```no_run")]
#![cfg_attr(with_node, doc = "```")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(std::env::var("CORRIDOR_FOLDER")?)?;
//! # let profile = std::env::var("CORRIDOR_PROFILE")?;
//! # let profile = corridor_client::Profile::read(profile.as_ref())?;
//! # let client = corridor_client::Client::connect(&profile).await?;
//! # let first = client.unverified_records(None, false).await?.remove(0);
//! # let name = first.name.parse()?;
//! let (record, file) = client.proof_file(&name).await?;
//! std::fs::write("record.bin", file)?;
//!
//! let proved = corridor_client::read_proof_file(&std::fs::read("record.bin")?)?;
//! assert_eq!(proved.header(), record.header());
//! # std::fs::remove_file("record.bin")?;
//! # Ok(())
//! # }
//! ```

#![deny(missing_docs)]

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
mod read_all;
pub mod shown;
mod tls;
mod watch;

pub use calls::{
    Exporting, FoundPage, Importing, ImportingBundle, MakingBundle, NodeInfo, ReadRecord,
    RecordPage, Wanted, WithdrawalRequest,
};
pub use check::{Check, CheckedRecord, Signed, Unverified};
pub use client::Client;
pub use corridor_proto::kinds::Kind;
pub use corridor_proto::v1;
pub use error::{ClientError, Fault, FaultKind, FieldFault};
pub use names::{NameError, RcpName, RecordName};
pub use profile::{Profile, ProfileError, Secret};
pub use proof::{VerifiedAnswer, read_proof_file};
pub use read_all::{Batch, ReadAll};
pub use watch::{Change, Watch};

/// The generated calls, on which [`Client`] stands.
pub(crate) mod stub {
    #![allow(missing_docs, clippy::all, rust_2018_idioms)]
    include!(concat!(env!("OUT_DIR"), "/corridor.v1.rs"));
}
