//! One RCP's node.
//!
//! [`run::start`] brings a node up from a data folder and two listeners: one for peers
//! ([`exchange`]), one for secretariats and integrators ([`api`]). Both stand on the store; what
//! the RCP does itself goes through [`desk`], what records say through [`library`]; files for peers
//! that cannot be met are [`bundles`]. [`operate`] keeps configuration and keys, [`demo`] runs a
//! federation of nodes on loopback.
//!
//! **Invariant:** `exchange` and `api` never import each other, and neither writes to the store but
//! through its one door.

pub mod api;
pub mod bundles;
pub mod demo;
pub mod desk;
pub mod edge;
pub mod exchange;
pub mod library;
pub mod limits;
pub mod operate;
pub mod run;
pub mod status;
pub mod tables;
