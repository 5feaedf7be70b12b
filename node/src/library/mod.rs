//! Finding records: what they say, as filters and searches ask for it.
//!
//! Which records there are for a reader, and which version of each, is asked of the desk, record by
//! record and at every call; only then is looked at what that version says. What a version says
//! never changes, so it is kept in memory once it was read, as far as there is room, and forgotten
//! as soon as its record changes. A journal of it was refused: it would hold titles and words of
//! records outside the journal's erasure. **Invariant:** nothing in here is asked who may see what,
//! and no text outlives its record's next change.

pub mod facts;
pub mod fields;
pub mod filter;
pub mod fold;
pub mod known;
pub mod scan;
pub mod search;
mod when;

pub use facts::Facts;
pub use filter::Filter;
pub use known::Library;
pub use scan::{Ask, Seen};
