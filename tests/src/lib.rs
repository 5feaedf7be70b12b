//! What is tested over several crates at once, and the simulation that the tests share.

pub mod nodes;
pub mod sim;
