//! What is tested over several crates at once, and the simulation that the tests share.
//!
//! **Invariant:** no mock: scenarios run real nodes, the simulation runs the real rules.
#![allow(clippy::expect_used)]

// What a fuzz target needs nothing of is not built for it.
#[cfg(not(fuzzing))]
pub mod command;
#[cfg(not(fuzzing))]
pub mod crash;
pub mod fuzz;
#[cfg(not(fuzzing))]
pub mod nodes;
pub mod raw;
pub mod sim;
#[cfg(not(fuzzing))]
pub mod stranger;
#[cfg(not(fuzzing))]
pub mod wire;
