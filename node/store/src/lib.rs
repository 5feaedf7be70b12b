//! The store of a node: the journal, which is the truth, and its index, which is thrown away and
//! rebuilt when it does not fit.
//!
//! Everything enters through one door, [`Store::append`]: one writer thread takes wishes of the
//! desk and arrivals from peers from one inbox, asks `corridor-rules` for the verdict, appends the
//! facts to the journal as one group, and takes them into the state; then it answers. Reading goes
//! on beside it through [`Store::read`].
//!
//! It imports `corridor-rules` and `corridor-proto`, and is the only room that knows sled.
//! **Invariant:** a lost or damaged index costs time, never data; nothing is acknowledged before it
//! is durable, and nothing erased is acknowledged before its bytes are gone, but the draft of what
//! was published.

mod backup;
pub mod bytes;
mod codec;
mod compaction;
mod error;
mod folder;
mod index;
pub mod journal;
mod look;
mod open;
mod recent;
mod row_codec;
mod verify;
mod view;
mod writer;

pub use backup::{BackupError, Contents, back_up, read_backup, restore};
pub use error::StoreError;
pub use folder::{create, free_bytes};
pub use look::{is_in_use, look};
pub use open::{Opening, open};
pub use verify::{Finding, Report, verify_store};
pub use view::{Reads, View};
pub use writer::{Done, Item, Signer, Store};
