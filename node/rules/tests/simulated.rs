//! A few simulated worlds with the rules alone, for `tests/mutants`: the whole simulation is in
//! `tests/tests/simulation.rs`, behind crates that take longer to build.

#![allow(dead_code, clippy::expect_used, reason = "this is test code")]

#[path = "../../../tests/src/sim/mod.rs"]
mod sim;

/// Worlds; of these few nothing says that each fault happens.
const SEEDS: u64 = 2;

#[test]
fn a_few_small_worlds_come_to_rest_as_specified() {
    for seed in 0..SEEDS {
        sim::run(sim::run::plan_of(seed));
    }
}
