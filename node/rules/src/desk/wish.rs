//! What an RCP can wish.

use std::collections::BTreeMap;

use corridor_proto::card::SignedCard;
use corridor_proto::charter::SignedKeyEvent;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::wire::Identity;
use corridor_proto::{LogId, RcpId, RecordId, StartNumber, Token, UnixMillis};

use super::{DraftToSave, Link};
use crate::draft::{Hand, Step};
use crate::fact::Place;

/// A draft that is to be published.
#[derive(Clone, Debug)]
pub struct ToPublish {
    /// Which record.
    pub record: RecordId,
    /// Kind of the draft, as it was read.
    pub kind: u16,
    /// The draft's body, as it was read.
    pub body: Vec<u8>,
    /// The records that the body names.
    pub links: Vec<Link>,
    /// Into which circles; `None` for wherever the record stands.
    pub circles: Option<Vec<LogId>>,
    /// Where the draft lay when it was read; `None` if there was none.
    pub draft: Option<Place>,
    /// For whom it is published; `None` where nobody is named, as in a demonstration.
    pub hand: Option<Hand>,
}

/// A text that is to be saved.
#[derive(Clone, Debug, Default)]
pub struct ToSave {
    /// Of which record; `None` makes a new one.
    pub record: Option<RecordId>,
    /// Kind of record.
    pub kind: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Where the draft lay that it replaces, if it may replace no other.
    pub over: Option<Place>,
    /// Whether the record is made, under this identifier, unless it is there.
    pub is_new: bool,
    /// Who wrote it; empty where nobody is named.
    pub who: String,
}

/// A step that is to be taken with a draft.
#[derive(Clone, Debug)]
pub struct ToStep {
    /// Of which record.
    pub record: RecordId,
    /// Where the draft lay when it was read.
    pub draft: Place,
    /// Asked, cleared or returned.
    pub step: Step,
    /// Who takes it.
    pub hand: Hand,
    /// What they say to it.
    pub note: String,
    /// The text with the clearance in it that its readers are to see.
    pub body: Option<Vec<u8>>,
}

/// What the RCP wishes to do.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Save a draft: of a new record, or of a new version of one of ours.
    SaveDraft(ToSave),
    /// Ask that a draft be cleared, clear it, or give it back.
    Step(ToStep),
    /// Discard a draft.
    DiscardDraft {
        /// Which.
        record: RecordId,
        /// Where the draft lay that is meant, if no other is.
        over: Option<Place>,
    },
    /// Save and discard many drafts: all of them or none.
    ChangeDrafts {
        /// Drafts to be saved.
        save: Vec<DraftToSave>,
        /// Drafts to be discarded, and where each lay when it was read.
        discard: Vec<(RecordId, Place)>,
    },
    /// Sign a draft and let it stand in circles.
    Publish(ToPublish),
    /// Sign several drafts and let them stand in circles: all of them or none.
    PublishAll(Vec<ToPublish>),
    /// Let the newest version stand in more circles.
    Share {
        /// Which.
        record: RecordId,
        /// The newest version, as it was read.
        version: u64,
        /// The records that its body names.
        links: Vec<Link>,
        /// In which circles.
        circles: Vec<LogId>,
    },
    /// Let a record leave circles.
    Narrow {
        /// Which.
        record: RecordId,
        /// Which circles.
        circles: Vec<LogId>,
    },
    /// Withdraw a record everywhere.
    Withdraw {
        /// Which.
        record: RecordId,
        /// Up to which version; `None` for the whole record.
        up_to: Option<u64>,
        /// Why.
        reason: WithdrawalReason,
        /// Encoded note to readers.
        note: Option<Vec<u8>>,
        /// The record that replaces it.
        replacement: Option<RecordId>,
    },
    /// Open a circle.
    OpenCircle {
        /// Its name.
        name: String,
        /// Whether readers know each other.
        open: bool,
        /// Whether readers may pass it on.
        relay: bool,
    },
    /// Say who reads a circle from now on.
    SetReaders {
        /// Which circle.
        log: LogId,
        /// All readers, each with the end of its right, zero for none.
        readers: BTreeMap<RcpId, UnixMillis>,
    },
    /// Make an invitation.
    Invite {
        /// Its secret.
        token: Token,
    },
    /// Accept the invitation of another RCP.
    Accept {
        /// Who invites.
        identity: Box<Identity>,
        /// The token, to be shown to its node.
        token: Token,
    },
    /// Take in an acceptance: a known invitation's token came back.
    Redeem {
        /// Who accepts.
        identity: Box<Identity>,
        /// The token.
        token: Token,
    },
    /// An invited peer's node answered.
    Answered {
        /// Which.
        rcp: RcpId,
    },
    /// A person confirmed the peer's safety number or RcpId.
    Confirm {
        /// Which.
        rcp: RcpId,
    },
    /// The safety numbers differ, or the peer is not who it should be.
    Refuse {
        /// Which.
        rcp: RcpId,
    },
    /// Send a peer withdrawals only, for now.
    Pause {
        /// Which.
        rcp: RcpId,
    },
    /// End a pause.
    Resume {
        /// Which.
        rcp: RcpId,
    },
    /// Say that no other copy of this folder runs any more.
    OtherCopyGone,
    /// Show what a backup had of other RCPs, though it was not compared with theirs.
    ShowUncompared,
    /// Sign again: each log of ours goes on in a new incarnation.
    Restart,
    /// Let the frozen circles of a peer go on with its restart.
    AcceptRestart {
        /// Whose.
        rcp: RcpId,
    },
    /// End the relation with a peer.
    Leave {
        /// Which.
        rcp: RcpId,
    },
    /// A new card of ours.
    RenewCard {
        /// The card.
        card: SignedCard,
    },
    /// Our signing key was replaced.
    Rotate {
        /// The key event.
        event: SignedKeyEvent,
        /// The card under the new key.
        card: SignedCard,
    },
    /// The node starts.
    Start {
        /// Its random number.
        number: StartNumber,
    },
}
