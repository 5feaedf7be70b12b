//! A simulation of many nodes made of the pure core alone: facts, model, rows, decisions and links
//! over stores in memory, with seeded faults and an observer who knows what must be true.
//!
//! It imports `corridor-proto` and `corridor-rules`. **Invariant:** no clock, no thread and no
//! randomness but the seed: a seed replays its run.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "this is test code"
)]

pub mod check;
pub mod driver;
pub mod epilogue;
pub mod feed;
pub mod links;
pub mod meeting;
pub mod network;
pub mod node;
pub mod partners;
pub mod rng;
pub mod run;
pub mod same;
pub mod spec;
pub mod store;
pub mod watch;
pub mod work;
pub mod world;

pub use run::{EXPECTED, run};
pub use world::{Counts, Plan, World};
