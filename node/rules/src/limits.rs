//! Limits of behaviour, each with its reason. What is signed or sent has its limits in the
//! protocol.

/// Credit with which a connection begins, on both sides: four packages in flight.
pub const CREDIT_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes of frames composed in one step, so that one peer never holds a thread for long.
pub const STEP_BYTES: usize = 512 * 1024;
/// Records looked up in one step: also those that are gone, which make few bytes.
pub const STEP_LOOKS: usize = 512;
/// Bytes of records in one frame: large enough to spare overhead, small enough to share the line.
pub const RECORDS_FRAME_BYTES: usize = 256 * 1024;
/// Records wanted and not yet answered, over all logs of a connection.
pub const WANTS_IN_FLIGHT: usize = 2_048;
/// Ranges that a peer may have asked for and not yet received.
pub const WANTED_RANGES_MAX: usize = 65_536;
/// A receipt that follows no withdrawal is sent at most so often for a log.
pub const HELD_INTERVAL_MS: u64 = 60_000;
/// The same in the seconds of a receipt: two within it say the same of one size.
pub const HELD_INTERVAL_S: u64 = HELD_INTERVAL_MS / 1_000;
/// The first receipt of a connection waits so long for a head that both sides had when they met:
/// its owner most likely has it from an earlier connection, and a meeting without news stays short.
pub const HELD_LATER_MS: u64 = 5_000;
/// How far the clock of a reader may be ahead of ours: what a day of drift and a zone add up to.
pub const HELD_AHEAD_S_MAX: u64 = 2 * 24 * 3_600;
/// Charters and cards that a peer shows on one connection: it renews its own once in a while, and
/// passes on those of the partners that the two have in common.
pub const IDENTITIES_PER_LINK_MAX: u32 = 256;
/// Heads of third RCPs' logs, of one connection, that wait until their owner is confirmed here.
pub const UNHEARD_MAX: usize = 256;
/// Receipts, of one connection, that wait until as much of their log has come.
pub const EARLY_RECEIPTS_MAX: usize = 256;
/// Proved contradictions of one RCP that are kept: more prove nothing more.
pub const EVIDENCE_PER_RCP_MAX: usize = 256;
/// Lines of a second history of a log that are walked to find where it differs.
pub const BRANCH_LINES_MAX: u64 = 1_000_000;
/// News of a peer are noted, and an owner says of its own heads that they are its newest, so often.
pub const NEWS_INTERVAL_MS: u64 = 6 * 3_600 * 1_000;
/// A log of which nothing was heard for so long may be held back: its readers are told.
pub const NEWS_ALARM_MS: u64 = 24 * 3_600 * 1_000;
/// Heads of other RCPs' logs are told at most so often on one connection: their owners tell them at
/// once, to everybody that they reach.
pub const RELAY_PAUSE_MS: u64 = 5_000;
/// A relay is asked when nothing of a log came for so long from those whose turn is before it.
pub const RELAY_TURN_MS: u64 = 2_000;
/// A side that has not said hello by then is none of ours.
pub const HELLO_MS_MAX: u64 = 10_000;
/// Logs that one RCP may open at another: every circle it could have.
pub const LOGS_PER_RCP_MAX: usize = 4_096;
/// Frames refused on one connection before it is closed: a broken peer is not worth more.
pub const REFUSALS_PER_LINK_MAX: u32 = 64;
/// Withdrawals of one RCP in an hour that are carried out at once: more than a secretariat makes on
/// purpose in a day.
pub const WITHDRAWALS_PER_HOUR_MAX: u64 = 50;
/// What is more is erased so much later: time to ask by telephone whether it was meant.
pub const ERASE_DELAY_MS: u64 = 24 * 3_600 * 1_000;
/// Versions of one record that are told apart, and whose texts are kept: a revision a day for ten
/// years. Of another RCP's record the oldest go, of our own no more are published.
pub const VERSIONS_PER_RECORD_MAX: usize = 4_096;
/// Drafts published in one call, and bytes of their bodies: one group of the journal, and a moment
/// of its one writer.
pub const PUBLISH_MAX: usize = 256;
/// See [`PUBLISH_MAX`].
pub const PUBLISH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of what somebody says to a step of a draft.
pub const STEP_NOTE_BYTES_MAX: usize = 4_096;
/// Drafts changed at once, and bytes of their bodies: as much as one call publishes, four times
/// over, since nothing is signed.
pub const DRAFTS_MAX: usize = 1_024;
/// See [`DRAFTS_MAX`].
pub const DRAFTS_BYTES_MAX: usize = PUBLISH_BYTES_MAX;
/// An invitation is good for seven days.
pub const INVITATION_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// Invitations open at one time: more than there are RCPs.
pub const INVITATIONS_MAX: usize = 256;
/// Former start numbers of this folder that are kept: a start an hour for ten years.
pub const STARTS_MAX: usize = 100_000;
/// Restart lines in one log: a restart a month for eighty years.
pub const RESTARTS_MAX: usize = 1_000;
/// Carry frames that may overtake the hello: credits, pulls and wants of one step.
pub const EARLY_FRAMES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out, as PROTOCOL.md has those that a partner notices.
    #[test]
    fn limits_are_these() {
        let bytes: [u64; 4] = [
            CREDIT_BYTES,
            STEP_BYTES.try_into().unwrap_or(0),
            RECORDS_FRAME_BYTES.try_into().unwrap_or(0),
            PUBLISH_BYTES_MAX.try_into().unwrap_or(0),
        ];
        assert_eq!(bytes, [4_194_304, 524_288, 262_144, 16_777_216]);
        let times = [
            HELD_INTERVAL_S,
            HELD_AHEAD_S_MAX,
            NEWS_INTERVAL_MS / 1_000,
            NEWS_ALARM_MS / 1_000,
            ERASE_DELAY_MS / 1_000,
            INVITATION_MS / 1_000,
        ];
        assert_eq!(times, [60, 172_800, 21_600, 86_400, 86_400, 604_800]);
    }
}
