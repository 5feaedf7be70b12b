//! Every limit of what is signed, stored or sent, with its reason.
//!
//! **Invariant:** a limit is checked before anything is allocated for what it bounds; no other file
//! names one of these numbers.

/// The only suite: SHA-256, strict Ed25519, the layouts of this crate. A new suite is a new byte.
pub const FORMAT: u8 = 1;
/// The only protocol version so far; the highest common one wins.
pub const PROTOCOL_VERSION: u16 = 1;
/// Bytes of a header; format 1 uses 109.
pub const HEADER_BYTES_MAX: usize = 512;
/// Bytes of a line: a log stays a few hundred bytes an entry, so that lines come before records.
pub const LINE_BYTES_MAX: usize = 256;
/// Bytes of a key event; format 1 uses 137.
pub const KEY_EVENT_BYTES_MAX: usize = 1024;
/// Key events in a charter: a rotation a week for twenty years.
pub const KEY_EVENTS_MAX: usize = 1_000;
/// Bytes of a card: names in many languages and a few addresses.
pub const CARD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a body without its salt; larger things are attachments.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the note of a withdrawal.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;
/// Readers in the list of one circle: more than there are RCPs.
pub const READERS_MAX: usize = 1_024;
/// Bytes of a circle's name.
pub const CIRCLE_NAME_BYTES_MAX: usize = 256;
/// Bytes of a reader list: its readers, its name and its fixed fields.
pub const READER_LIST_BYTES_MAX: usize = 64 * 1024;
/// Lines in a package.
pub const PACKAGE_LINES_MAX: usize = 256;
/// Bytes of a package or of any other frame's content.
pub const PACKAGE_BYTES_MAX: usize = 1024 * 1024;
/// Hashes in a proof: two for each level of a tree of 2^63 lines.
pub const PROOF_HASHES_MAX: usize = 126;
/// Bytes of a checkpoint or cosignature in its text form.
pub const NOTE_TEXT_BYTES_MAX: usize = 1024;
/// Bytes of an attachment.
pub const ATTACHMENT_BYTES_MAX: u64 = 25 * 1024 * 1024;
/// Bytes of one chunk of an attachment: one leaf of its tree.
pub const ATTACHMENT_CHUNK_BYTES: usize = 64 * 1024;
/// Messages inside messages in a body.
pub const NESTING_MAX: usize = 16;
/// Languages in one text.
pub const LANGUAGES_MAX: usize = 32;
/// Sizes, versions and serials lie below 2^63, so that every language can hold them.
pub const ORDINAL_MAX: u64 = (1 << 63) - 1;
/// Session frames are padded to a multiple of this, so that their length tells little.
pub const SESSION_PAD_BYTES: usize = 256;
/// Logs named in one session frame: every circle of both sides, many times over.
pub const SESSION_LOGS_MAX: usize = 4_096;
/// Ranges in one `want`.
pub const WANT_RANGES_MAX: usize = 1_024;
/// Rounds of SHA-256 behind a safety number: a chosen key costs an attacker that much each try.
pub const SAFETY_ROUNDS: u32 = 1 << 20;
/// Bytes of an invitation: a charter, a card and a token.
pub const INVITATION_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of one part of a bundle: a frame, and what surrounds it.
pub const BUNDLE_PART_BYTES_MAX: usize = 2 * 1024 * 1024;
