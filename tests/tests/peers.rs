//! Stories of a node and a partner that means it no good, over real connections.

#[path = "peers/records.rs"]
mod records;
