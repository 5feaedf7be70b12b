//! Facts: what a node has made durable, in order. Everything else is a fold over them.
//!
//! **Invariant:** a fact is written only by a decision of this crate and never changed; what may be
//! erased lies in a blob beside it.

use corridor_proto::card::SignedCard;
use corridor_proto::charter::SignedKeyEvent;
use corridor_proto::key::{NO_SIGNATURE, Signature};
use corridor_proto::record::SignedHeader;
use corridor_proto::{Hash, LogId, LogSeed, RcpId, RecordId, Salt, StartNumber, Token, UnixMillis};

use crate::draft::Taken;
use crate::log::Sort;
use crate::peer::PeerState;

/// Where a fact's blob lies: the store alone knows what the numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Part of the journal.
    pub segment: u32,
    /// How often that part was rewritten.
    pub generation: u32,
    /// Offset in it.
    pub offset: u64,
}

/// A start number with its node's signature, to be given back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedStart {
    /// The number.
    pub number: StartNumber,
    /// By its RCP's signing key.
    pub signature: Signature,
}

impl SignedStart {
    /// None was seen.
    pub const NONE: Self = Self {
        number: StartNumber::ZERO,
        signature: NO_SIGNATURE,
    };
}

/// Erasable bytes that belong to a fact: salt and content. Empty when a fold needs no content.
pub type Blob = Vec<u8>;

/// One durable fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// An RCP's charter has one more event.
    KeyEvent {
        /// Whose.
        rcp: RcpId,
        /// The event.
        event: SignedKeyEvent,
    },
    /// An RCP's newest card; it goes when a newer one comes.
    Card {
        /// Whose.
        rcp: RcpId,
        /// The card.
        card: SignedCard,
    },
    /// A person here confirmed an RCP, under this name.
    Named {
        /// Which.
        rcp: RcpId,
        /// The name.
        name: String,
    },
    /// A peer changed its state here.
    Peer {
        /// Which.
        rcp: RcpId,
        /// To what.
        state: PeerState,
        /// When.
        at: UnixMillis,
    },
    /// A log was opened here, or first seen from its owner.
    Circle {
        /// Whose log.
        owner: RcpId,
        /// Seed of its identifier.
        seed: LogSeed,
        /// What sort of circle.
        sort: Sort,
        /// The circle's name where it is ours; empty otherwise.
        name: String,
    },
    /// Lines were appended to a log.
    Lines {
        /// Which log.
        log: LogId,
        /// Index of the first.
        from: u64,
        /// The lines.
        lines: Vec<Vec<u8>>,
    },
    /// A head of a log: ours, before it leaves the house, or the owner's, which we follow.
    Head {
        /// Which log.
        log: LogId,
        /// The checkpoint, a signed note.
        note: String,
    },
    /// The readers of a log of ours, or the newest list of one we follow.
    List {
        /// Which log.
        log: LogId,
        /// Hash by which a line names it.
        hash: Hash,
        /// Salt and list.
        blob: Blob,
    },
    /// The note of a withdrawal.
    Note {
        /// Whose.
        rcp: RcpId,
        /// Hash by which a line names it.
        hash: Hash,
        /// Salt and note.
        blob: Blob,
    },
    /// A reader lost a log of ours at this size.
    Former {
        /// Which log.
        log: LogId,
        /// Who.
        rcp: RcpId,
        /// Lines that it may hold.
        size: u64,
    },
    /// A former reader reads a log of ours again, and with it all that it missed.
    Reader {
        /// Which log.
        log: LogId,
        /// Who.
        rcp: RcpId,
    },
    /// A record version, ours or received.
    Record {
        /// Its signed header.
        header: SignedHeader,
        /// Salt and body.
        blob: Blob,
    },
    /// A record version that came and is kept out.
    Quarantine {
        /// Whose.
        rcp: RcpId,
        /// Which record.
        record: RecordId,
        /// Hash under which a line named it.
        version_hash: Hash,
        /// Reason code.
        reason: String,
    },
    /// A draft was saved.
    Draft {
        /// Which record it is to become, or a version of.
        record: RecordId,
        /// Kind of record.
        kind: u16,
        /// When.
        at: UnixMillis,
        /// Salt and body.
        blob: Blob,
    },
    /// A draft was discarded or published.
    DraftGone {
        /// Which.
        record: RecordId,
    },
    /// Somebody here took a step with a draft.
    Step {
        /// Of which record.
        record: RecordId,
        /// The step, without the place of its note.
        taken: Taken,
        /// Salt and note, if anything was said to it.
        note: Option<Blob>,
    },
    /// A receipt of a reader for a log of ours, or one that is to be passed on.
    Held {
        /// Who holds.
        holder: RcpId,
        /// The cosignature.
        note: String,
    },
    /// A session with a peer brought all that it has.
    Met {
        /// Which peer.
        rcp: RcpId,
        /// When.
        at: UnixMillis,
    },
    /// A paused reader was taken off the list of a log that readers pass on; it comes back on it
    /// when it is resumed.
    Suspended {
        /// Which log.
        log: LogId,
        /// Who.
        rcp: RcpId,
        /// When its right ends; zero for never.
        until: UnixMillis,
    },
    /// This start of the node.
    Start {
        /// Its random number.
        number: StartNumber,
    },
    /// The safety numbers differ: whatever came from that RCP goes, and it is a stranger again.
    Forget {
        /// Which.
        rcp: RcpId,
    },
    /// A start number seen of a peer.
    PeerStart {
        /// Of whom.
        rcp: RcpId,
        /// The number, as the peer signed it.
        start: SignedStart,
    },
    /// An invitation was made.
    Invitation {
        /// Hash of its token.
        token: Hash,
        /// When it ends.
        expires: UnixMillis,
    },
    /// An invitation was redeemed.
    Redeemed {
        /// Hash of its token.
        token: Hash,
    },
    /// We accepted an invitation: its token is shown to the peer until it answers.
    Accepted {
        /// Who invited us.
        rcp: RcpId,
        /// The token.
        token: Token,
    },
    /// So many withdrawals of an RCP hid something held here.
    Withdrawals {
        /// Whose.
        rcp: RcpId,
        /// When they came.
        at: UnixMillis,
        /// How many records.
        count: u32,
    },
    /// What an RCP withdrew while there was too much of it is erased now.
    EraseNow {
        /// Whose.
        rcp: RcpId,
    },
    /// This node signs nothing more until a person has acted.
    SigningStopped {
        /// Why: a stable code.
        reason: String,
    },
    /// A person says that no other copy of this folder runs any more.
    OtherCopyGone {
        /// When.
        at: UnixMillis,
    },
    /// The first start number that a peer gave back after that.
    StartKnown {
        /// Who gave it back.
        rcp: RcpId,
        /// The number.
        number: StartNumber,
    },
    /// Each log of ours was restarted: this node signs again.
    SigningResumed {
        /// When.
        at: UnixMillis,
    },
    /// This folder was made out of a backup: what was signed and received since is not in it.
    Restored {
        /// When.
        at: UnixMillis,
    },
    /// A reader showed a head of a log of ours of an incarnation above those known here.
    Shown {
        /// Which log.
        log: LogId,
        /// The incarnation.
        incarnation: u64,
    },
    /// A log that was restored is as its owner has it, or a person takes it as it is.
    Compared {
        /// Which.
        log: LogId,
    },
    /// The owner restarted a log on another branch than the one held: it is taken again from its
    /// first line. What the old branch withdrew and let leave stays so.
    Rewound {
        /// Which log.
        log: LogId,
    },
    /// Two signed things of an RCP that contradict each other.
    Evidence {
        /// About whom.
        rcp: RcpId,
        /// An encoded `Evidence`.
        evidence: Vec<u8>,
    },
    /// Lines of a second history of a log, which withdraw or let leave.
    BranchLines {
        /// Which log.
        log: LogId,
        /// The lines.
        lines: Vec<Vec<u8>>,
    },
    /// A person accepts that a frozen log goes on with its restart.
    RestartAccepted {
        /// Which log.
        log: LogId,
    },
    /// Lines of ours that are void: a reader held them, and this folder had lost them when their
    /// log was restarted. What they withdraw and let leave counts.
    VoidLines {
        /// Which log.
        log: LogId,
        /// The lines.
        lines: Vec<Vec<u8>>,
    },
}

/// Salt and content as a blob.
pub fn blob(salt: &Salt, content: &[u8]) -> Blob {
    [salt.as_bytes(), content].concat()
}

/// Salt and content of a blob; `None` once erased.
pub fn unblob(blob: &[u8]) -> Option<(Salt, &[u8])> {
    let (salt, content) = blob.split_first_chunk::<32>()?;
    (*salt != [0; 32]).then_some((Salt::new(*salt), content))
}
