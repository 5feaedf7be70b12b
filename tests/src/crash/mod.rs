//! A real node that is made to crash: how it runs, what it works at, and what must be there
//! afterwards.
//!
//! [`victim`] is the process, [`load`] its work and what it acknowledged, [`audit`] the look
//! afterwards, [`mounts`] file systems that can lose their power or be full.
//!
//! **Invariant:** the node is a process of the binary under test, and what it acknowledged is known
//! from its answers alone.

pub mod audit;
pub mod load;
pub mod mounts;
pub mod victim;
