//! Limits of a client, each with its reason.
//!
//! **Invariant:** no other file of this crate names one of these numbers.

use std::time::Duration;

/// A TCP connection and a TLS handshake take a few round trips; beyond this the node is not there.
pub const CONNECT_TIME: Duration = Duration::from_secs(5);
/// A call takes no longer unless asked otherwise: a person is waiting.
pub const CALL_TIME: Duration = Duration::from_secs(30);
/// Between two pings on an idle connection.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Without an answer to a ping for so long, a connection is dead.
pub const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(10);
/// Largest answer: a page of a thousand records without bodies, several times over.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Retries of a read that the node could not serve; more would only add load.
pub const RETRIES_MAX: u32 = 3;
/// First bound of the pause before a retry; doubled each time, with full jitter.
pub const RETRY_FIRST: Duration = Duration::from_millis(200);
/// Largest bound of the pause before a retry, and longest pause that a node may ask for.
pub const RETRY_MAX: Duration = Duration::from_secs(5);
/// Largest bound of the pause before a stream of changes is opened again.
pub const WATCH_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Records asked for in one page: the most that a node gives.
pub const PAGE_SIZE: i32 = 1_000;
/// Pages read before a listing is given up as endless: ten million records.
pub const PAGES_MAX: usize = 10_000;
/// Records asked for by name at once: the most that a node takes.
pub const BATCH_MAX: usize = 100;
/// Proofs fetched at once for a list or a stream of changes: hides the way there and back, stays
/// far below the calls that a node serves on one connection.
pub const PROOFS_AT_ONCE: u64 = 8;
/// Bytes of a profile: three short values.
pub const PROFILE_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of an access token; a node makes them of 52 letters.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a body as JSON: a body of 256 KiB with every character escaped.
pub const JSON_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of an invitation as a file or a link: two MiB in base64, with white space.
pub const LINK_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Charters kept to compare with: more than there are RCPs.
pub const CHARTERS_MAX: usize = 1_024;
/// Letters of an identifier that stand for it where they are unambiguous.
pub const PREFIX_LETTERS_MIN: usize = 6;
/// Letters of an identifier on a screen.
pub const SHORT_LETTERS: usize = 10;
/// Bytes of a table that is imported: the most that a node takes.
pub const TABLE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of it in one message: a node takes four times as much.
pub const TABLE_CHUNK_BYTES: usize = 256 * 1024;
/// A bundle that is brought is read to its end before the answer begins: two GiB over a slow line.
pub const BUNDLE_TIME: Duration = Duration::from_secs(6 * 3_600);
/// Bytes of a file that proves a record: as much as a message of a node may have.
pub const PROOF_FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;
