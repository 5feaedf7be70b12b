//! Records as tables: from a workbook, CSV or JSON to bodies, and back.
//!
//! One list of columns a kind ([`columns`]) serves the template, what is taken in and what is given
//! out. It imports the protocol, and crates that read and write the formats. **Invariant:** no
//! disk, no clock and no store: whoever calls brings an open file and takes rows one by one, so
//! that memory grows with a row, not with the table; no bytes of a file make anything here panic.

#![warn(missing_docs)]

pub mod columns;
pub mod limits;
pub mod read;
pub mod record;
pub mod table;
pub mod titles;
pub mod words;
pub mod write;

mod cell;
mod items;
mod message;
mod place;
mod states;
mod themes;

pub use cell::Value;
pub use columns::KINDS;
pub use place::{Place, Problem, column_letters};
pub use read::{Format, ReadError};
pub use table::{Item, Options, Read, read};
pub use words::Language;
