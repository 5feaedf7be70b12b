//! What is tested over several crates at once, and the simulation that the tests share.
//!
//! **Invariant:** no mock: scenarios run real nodes, the simulation runs the real rules.
#![allow(clippy::expect_used)]

pub mod command;
pub mod crash;
pub mod fuzz;
pub mod nodes;
pub mod sim;
pub mod stranger;
