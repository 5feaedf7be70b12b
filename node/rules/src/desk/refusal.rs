//! Why a wish is not carried out, each with what to do next.

use corridor_proto::{RcpId, RecordId, Refusal};

use super::Link;

/// Why a wish was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeskRefusal {
    /// No such record, draft, circle or peer of ours.
    #[error("there is no {what} {id} here; list them to see their identifiers")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its identifier.
        id: String,
    },
    /// The record was withdrawn whole.
    #[error("record {0} was withdrawn for good; publish a new record that replaces it")]
    Withdrawn(RecordId),
    /// There is no version to withdraw up to there.
    #[error("there is no version up to {up_to}; the versions of this record are {versions}")]
    NoSuchVersion {
        /// Up to which it was to be withdrawn.
        up_to: u64,
        /// Those that there are.
        versions: String,
    },
    /// What was read for the wish is no longer what is there.
    #[error(
        "record {0} was changed by somebody else meanwhile; look at it again, then repeat this"
    )]
    ChangedMeanwhile(RecordId),
    /// Whoever wrote a text may not be the one who clears it.
    #[error(
        "record {record} was written by {who}, and here nobody clears a text of their own; ask \
         somebody else who may clear"
    )]
    FourEyes {
        /// Which.
        record: RecordId,
        /// Who wrote it and would clear it.
        who: String,
    },
    /// Nobody knows who wrote a text, so nobody can be another one.
    #[error(
        "it is not known who wrote record {0}, and here nobody clears a text of their own; save it \
         again, then ask somebody else who may clear"
    )]
    NoWriter(RecordId),
    /// A text that was given back is not published as it is.
    #[error("record {0} was given back to be changed; change it, or have it cleared first")]
    GivenBack(RecordId),
    /// No circle was named and the record stands in none.
    #[error("record {0} stands in no circle; name the circles that are to receive it")]
    NoCircle(RecordId),
    /// A body names a record that the circle's readers could not find.
    #[error(
        "the record names {}/{}, which the readers of circle {circle:?} cannot see; share that \
         record with the circle first, or take the link out", link.rcp, link.record
    )]
    Link {
        /// What it names.
        link: Link,
        /// The circle.
        circle: String,
    },
    /// The circle takes withdrawals only.
    #[error("{0} gets withdrawals only; resume the partner first")]
    OnlyWithdrawals(RcpId),
    /// The record already stands there in this version, or does not stand there.
    #[error("nothing changes: {0}")]
    Nothing(&'static str),
    /// A name that cannot be a circle's.
    #[error(
        "circle names have 1 to 64 lower-case letters, digits and hyphens, and none is called \
         private, as the circles of single partners are; {0:?} does not fit"
    )]
    Name(String),
    /// The circle exists.
    #[error("there is a circle {0:?} already; choose another name")]
    Exists(String),
    /// The circle has no reader list.
    #[error("circle {0:?} has no reader list; only named circles do")]
    NoList(String),
    /// A reader is not an active peer.
    #[error("{0} is not an active partner; confirm it, or resume it if it is paused")]
    NotActive(RcpId),
    /// Too many of something.
    #[error("there are too many {what}; {remedy}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The peer's state does not allow it.
    #[error("partner {rcp} is {state}; {remedy}")]
    State {
        /// Which peer.
        rcp: RcpId,
        /// Its state.
        state: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The invitation is unknown, used or over.
    #[error("the invitation is unknown, already used or older than seven days; ask for a new one")]
    Invitation,
    /// It is our own.
    #[error("this is our own {0}; nothing to do")]
    Ourselves(&'static str),
    /// Nothing is signed any more.
    #[error(
        "this node signs nothing more ({0}), for what it would sign could contradict what was \
         signed before; keep the data folder as it is and see SECURITY.md, \"When a node stops \
         signing\""
    )]
    SigningStopped(String),
    /// Signing was stopped for something that a restart does not mend.
    #[error("{remedy}")]
    NoRestart {
        /// What to do.
        remedy: &'static str,
    },
    /// One of several is refused, and so none is carried out.
    #[error("record {record}: {why}; nothing was published")]
    OneOf {
        /// Which.
        record: RecordId,
        /// Why.
        why: Box<DeskRefusal>,
    },
    /// What was composed breaks a rule of the protocol.
    #[error(transparent)]
    Protocol(#[from] Refusal),
}
