//! The pure decisions of a node: who may read what, what a line means, what a peer may send.
//!
//! A node is a fold over facts ([`fact::Fact`]): a decision ([`desk`] for what the RCP does itself,
//! [`ingest`] for what peers send) turns a wish into facts or a refusal; the store makes the facts
//! durable; [`model::Model`] and [`row::RecordRow`] are what they add up to. [`link::Link`] is one
//! side of a connection to a peer. The same code runs in a node and, many times over, in a
//! simulation.
//!
//! It imports only `corridor-proto`. **Invariant:** no clock, socket, disk or source of randomness;
//! time, random bytes, keys and stored bytes come in as parameters.

pub mod brake;
pub mod budget;
pub mod bundle;
pub mod desk;
pub mod draft;
pub mod evidence;
pub mod fact;
pub mod ingest;
pub mod limits;
pub mod link;
pub mod log;
pub mod model;
pub mod peer;
pub mod row;
#[cfg(test)]
mod samples;
pub mod serve;
pub mod visibility;

pub use fact::{Fact, Place};
pub use log::{Log, Sort};
pub use model::{Effect, Model, Rows, RowsMut};
pub use peer::{Peer, PeerState};
pub use row::{RecordKey, RecordRow};
pub use visibility::{Reader, may_read};
