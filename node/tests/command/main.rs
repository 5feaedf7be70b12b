//! Stories of the person who keeps a node, with the binary itself.

#![allow(clippy::expect_used)]

mod config;
mod doctor;
mod office;
mod serve;
