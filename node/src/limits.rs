//! Limits of the node's edges, each with its reason.

use std::time::Duration;

use corridor_rules::budget::Rate;

/// A handshake takes a few round trips; whoever is slower comes again.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// Connections of peers at one time, those in their handshake too: forty peers twice over, and some
/// that knock.
pub const PEER_CONNECTIONS_MAX: usize = 256;
/// Connections of secretariats and integrators at one time.
pub const API_CONNECTIONS_MAX: usize = 256;
/// Descriptors that are no connection of a listener: journal, index, files, links that were
/// dialled.
pub const DESCRIPTORS_SPARE: usize = 96;
/// Streams at one time on a peer's connection: session, carry and a hello.
pub const PEER_STREAMS_MAX: u32 = 8;
/// Calls at one time on an integrator's connection.
pub const API_STREAMS_MAX: u32 = 64;
/// Introductions answered in a second, over all strangers.
pub const HELLOS_PER_SECOND: u32 = 64;
/// A connection that is no link by then is cut: an introduction takes less.
pub const LINK_TIME: Duration = Duration::from_secs(15);
/// Stream window of the exchange: above the credit granted, so that sending never waits for
/// reading.
pub const STREAM_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// Connection window of the exchange: both streams.
pub const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// Largest message between peers: a package or a batch of records, and what surrounds it.
pub const PEER_MESSAGE_BYTES: usize = 2 * 1024 * 1024;
/// Largest message of a secretariat: a body and what surrounds it.
pub const API_MESSAGE_BYTES: usize = 1024 * 1024;
/// Bytes of a peer's frames: all that a large RCP ever published at once, then four packages a
/// second.
pub const PEER_BYTES: Rate = Rate {
    burst: 2 * 1024 * 1024 * 1024,
    per_minute: 256 * 1024 * 1024,
};
/// Signatures of a peer's that are verified: more than those of all records whose bytes it may send
/// at once, about a minute of one core, then a thousand a second, which is a small part of it.
pub const PEER_VERIFICATIONS: Rate = Rate {
    burst: 2_000_000,
    per_minute: 60_000,
};
/// Bytes that a peer lets this node store: a disk that fills in hours is noticed, one that fills in
/// minutes is not.
pub const PEER_DISK: Rate = Rate {
    burst: 4 * 1024 * 1024 * 1024,
    per_minute: 64 * 1024 * 1024,
};
/// Refusals of what a peer sends, over all its connections: a few connections end by too many of
/// them, then it has to stay away.
pub const PEER_REFUSALS: Rate = Rate {
    burst: 256,
    per_minute: 1,
};
/// Frames waiting to be sent on one stream.
pub const FRAMES_QUEUED: usize = 16;
/// Frames of records of one connection that are being verified or wait to be stored: enough that
/// neither waits for the other, and a quarter of the credit.
pub const JUDGING_MAX: usize = 4;
/// Between two pings on an idle connection.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Without an answer to a ping for so long, a connection is dead.
pub const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(10);
/// A TCP connection or a call that does not stream takes no longer.
pub const CALL_TIME: Duration = Duration::from_secs(10);
/// First pause after a failed dial; doubled each time, with full jitter.
pub const REDIAL_FIRST_MS: u64 = 200;
/// Shortest pause after a failed dial: chance may say zero, and a node that is away is not to be
/// called in a circle.
pub const REDIAL_LEAST_MS: u64 = 20;
/// Longest pause after a failed dial.
pub const REDIAL_MAX_MS: u64 = 30_000;
/// The side that need not dial waits so long for the other, to spare a second connection.
pub const DIAL_COURTESY: Duration = Duration::from_secs(2);
/// Between two looks of a link at what time alone changes: rights that end, receipts that are due.
pub const TICK: Duration = Duration::from_secs(1);
/// A link that ends lets its last frames go out for so long before its connection is cut.
pub const LAST_WORDS: Duration = Duration::from_secs(2);
/// A link that lasted so long was no mistake: the next dial begins with the shortest pause.
pub const LINK_PROVES: Duration = Duration::from_secs(30);
/// Dials that may follow one another without a pause: an introduction, and the link.
pub const QUICK_DIALS: u32 = 2;
/// Between two looks at what falls due by time alone, such as the end of a delay of a day.
pub const DUE: Duration = Duration::from_secs(60);
/// Records on a page unless asked otherwise.
pub const PAGE_DEFAULT: usize = 100;
/// Records on a page at most.
pub const PAGE_MAX: usize = 1_000;
/// Bytes of a line of the audit.
pub const AUDIT_LINE_BYTES_MAX: u64 = 64 * 1024;
/// Refusals that are noted in the audit within a minute; of what is more, only how many.
pub const REFUSALS_NOTED_A_MINUTE: u64 = 60;
/// Bytes of the drafts of a page: what a client takes at once.
pub const DRAFTS_PAGE_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Characters of a request's identifier: a UUID with or without its hyphens.
pub const REQUEST_ID_CHARS: std::ops::RangeInclusive<usize> = 32..=36;

/// Bytes of the records of a page, but for the last of them: below what a client takes unless told
/// otherwise, which is 4 MiB.
pub const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of bodies taken apart while the store is held, but for those of the last.
pub const BYTES_AT_ONCE: usize = 256 * 1024;
/// Rows looked at while the store is held: its writer waits for them.
pub const ROWS_AT_ONCE: usize = 200;
/// Rows looked at for a page; then it ends, however short it is.
pub const PAGE_ROWS_MAX: usize = 5_000;
/// Records asked for by name at once.
pub const BATCH_MAX: usize = 100;
/// Bytes of a filter.
pub const FILTER_BYTES_MAX: usize = 2_048;
/// Brackets in one another in a filter.
pub const FILTER_DEPTH_MAX: usize = 16;
/// Terms of a filter; each is asked of each record.
pub const FILTER_TERMS_MAX: usize = 64;
/// Bytes of the words of a search.
pub const QUERY_BYTES_MAX: usize = 256;
/// Words of a search.
pub const QUERY_WORDS_MAX: usize = 16;
/// Records on a page of a search unless asked otherwise, and at most.
pub const SEARCH_PAGE_DEFAULT: usize = 20;
/// The same, at most.
pub const SEARCH_PAGE_MAX: usize = 100;
/// Different values counted of one field; of what comes behind so many only those are counted.
pub const FACET_DISTINCT_MAX: usize = 20_000;
/// Bytes of a value that is counted: of a longer one a partner could send what fills an answer.
pub const FACET_BYTES_MAX: usize = 256;
/// How long a search waits for its turn.
pub const SEARCH_WAIT: Duration = Duration::from_secs(3);
/// Values told of one field of what a search found.
pub const FACET_VALUES_MAX: usize = 100;
/// Characters shown of the text in which a search found something.
pub const MATCHED_CHARS: usize = 240;
/// Searches at one time; others wait. Each looks at every record, on one core.
pub const SEARCHES_AT_ONCE: usize = 2;
/// Records of one answer of a bulk read.
pub const READ_AT_ONCE: usize = 64;
/// Bytes of bodies of one answer of a bulk read, but for the last of them.
pub const READ_BYTES_AT_ONCE: usize = 256 * 1024;
/// Records looked at that cost as much as a call.
pub const ROWS_PER_UNIT: u64 = 200;
/// Calls that the holder of a token has under way at most; all who show none together have twice as
/// many, and each of them an eighth.
pub const CALLS_AT_ONCE_MAX: usize = 32;
/// Callers whose budgets are remembered at one time.
pub const CALLERS_MAX: usize = 10_000;
/// Memory for what records say of themselves: some 40,000 of them; others are read from the journal
/// again.
pub const FACTS_BYTES_MAX: usize = 40 * 1024 * 1024;
/// Memory for their texts: some 12,000 of them.
pub const WORDS_BYTES_MAX: usize = 24 * 1024 * 1024;
/// Access tokens of one node.
pub const ACCESS_TOKENS_MAX: usize = 1_000;
/// Connections to the figures at one time: one reader, and one that does not let go.
pub const METRICS_CONNECTIONS_MAX: usize = 8;
/// Between two looks at the running node: whoever watches its health hears so soon.
pub const BEAT: Duration = Duration::from_secs(1);
/// Looks for each time that all of it is written down.
pub const BEATS_A_SNAPSHOT: u64 = 5;
/// Times that it is written down for each time that every row is looked at.
pub const SNAPSHOTS_A_COUNT: u64 = 60;
/// Seconds that calls under way may be given when a node ends: a service manager kills what takes
/// much longer.
pub const DRAIN_SECONDS_MAX: u64 = 600;
/// Bytes of the head of what a proxy answers.
pub const PROXY_ANSWER_BYTES_MAX: usize = 8 * 1024;
/// Imports of tables that can be listed and taken back.
pub const IMPORTS_KEPT: usize = 20;
/// Bytes of an import's file that come in one message.
pub const TABLE_CHUNK_BYTES: usize = 256 * 1024;
/// Rows of an import that are told in one message.
pub const ROWS_TOLD: usize = 64;
/// Rows of an import that are saved in one group, and bytes of their bodies.
pub const ROWS_SAVED: usize = 512;
/// See [`ROWS_SAVED`].
pub const ROWS_SAVED_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a bundle that is brought here: all records of a large RCP several times over.
pub const BUNDLE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Between two pieces of a file that is brought: whoever is slower lets others go first.
pub const UPLOAD_PAUSE: Duration = Duration::from_secs(60);
/// Parts of a bundle between two words on how far it is taken in: some 16 MiB.
pub const BUNDLE_PARTS_TOLD: u64 = 64;
/// Messages of an import or an export that wait for a slow caller.
pub const TABLE_QUEUED: usize = 8;
