//! What goes over the wire between Corridor nodes, and how it is verified.
//!
//! This crate fixes every layout that is signed, hashed or sent. `PROTOCOL.md` beside it says the
//! same in words, and `vectors/` in examples that need none of this code.
//!
//! It imports nothing of the workspace. **Invariant:** no socket, no disk, no clock, no source of
//! randomness and no asynchronous runtime; whoever calls brings the time and the random bytes.

#![warn(missing_docs)]

pub mod attachment;
pub mod bundle;
pub mod card;
pub mod charter;
pub mod checkpoint;
pub mod domain;
pub mod evidence;
pub mod have;
pub mod id;
pub mod key;
pub mod kinds;
pub mod layout;
pub mod limits;
pub mod line;
pub mod package;
pub mod record;
pub mod refusal;
pub mod safety;
pub mod start;
pub mod tree;
pub mod wire;

pub use id::{
    BundleId, Hash, LogId, LogSeed, RcpId, RecordId, Salt, StartNumber, Token, UnixMillis,
};
pub use refusal::{Reason, Refusal};

/// Messages of the package `corridor.v1`, generated from the `.proto` files.
pub mod v1 {
    #![allow(missing_docs, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/corridor.v1.rs"));
}

/// The compiled descriptors of the package `corridor.v1`, for reflection and JSON.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/corridor.v1.bin"));
