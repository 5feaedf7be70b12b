//! The simulation of `tests/tests/simulation.rs` with the rules alone, for `tests/mutants`: there
//! it stands behind crates that take longer to build.

#![allow(dead_code, clippy::expect_used, reason = "this is test code")]

extern crate self as corridor_tests;

#[path = "../../../tests/src/sim/mod.rs"]
pub mod sim;
#[path = "../../../tests/tests/simulation.rs"]
mod simulation;
