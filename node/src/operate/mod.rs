//! Keeping a node: its configuration, its keys, its beginning, and how it does.
//!
//! **Invariant:** no secret is ever logged or printed, and nothing that exists is overwritten.

pub mod access;
pub mod ask;
pub mod audit;
pub mod backup;
pub mod config;
pub mod descriptors;
pub mod doctor;
pub mod drill;
pub mod expose;
pub mod files;
pub mod health;
pub mod init;
pub mod keys;
pub mod layers;
pub mod metrics;
pub mod pulse;
pub mod rotate;
pub mod snapshot;
