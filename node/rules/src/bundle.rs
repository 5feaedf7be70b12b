//! Bundles: what two nodes that cannot meet exchange as files.
//!
//! A bundle is what one side of a link says to a peer of paper: [`Writing`] feeds a link what the
//! peer would have said, of which its receipts are all that is known, and keeps what the link
//! answers. The receiver feeds it to a link of its own ([`crate::link::Link::on_paper`]); [`Look`]
//! says beforehand what that would bring. **Invariant:** what may leave, and what is taken, is
//! decided by the link and by ingest alone, as for a connection.

mod lead;
mod look;
mod write;

pub use lead::Lead;
pub use look::{Circle, Look};
pub use write::{Lost, Writing, Written};

#[cfg(test)]
mod tests;
