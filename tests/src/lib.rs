//! What is tested over several crates at once, and the simulation that the tests share.
#![allow(clippy::expect_used)]

pub mod nodes;
pub mod sim;
