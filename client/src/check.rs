//! Verifies the records of lists and changes one by one: a list carries none of the bytes that
//! were signed, so each record in force is proved by a call of its own.
//!
//! **Invariant:** what is verified of a record replaces what the node said of it, and what should
//! have verified and did not is not passed on.

use thiserror::Error;

use corridor_proto::Refusal;
use corridor_proto::kinds::{Kind, Shown};
use corridor_proto::record::VerifiedRecord;

use crate::client::Client;
use crate::error::{ClientError, Fault, FaultKind};
use crate::names::RecordName;
use crate::proof::VerifiedAnswer;
use crate::v1;

/// A record of a list or a change, and whether it was verified here.
#[derive(Clone, Debug)]
pub struct CheckedRecord {
    /// What is known of it. Of a verified record name, kind, version, time and title are what its
    /// RCP signed; all else is the node's word.
    pub record: v1::Record,
    /// Whether it was verified here, and why not.
    pub check: Check,
}

/// Whether a record was verified here.
#[derive(Clone, Debug)]
pub enum Check {
    /// Signature, line, checkpoint and charter verify, as of [`Client::verified_record`].
    Verified(Box<Signed>),
    /// Not verified.
    Unverified(Unverified),
}

/// What was signed of a verified record, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The header.
    pub header: corridor_proto::record::Header,
    /// The hash by which lines name the version.
    pub version_hash: corridor_proto::Hash,
}

/// Why a record was not verified.
#[derive(Clone, Debug, Error)]
pub enum Unverified {
    /// The node says that no version is in force with a text here, so there is nothing to verify;
    /// that, and all else about the record, is the node's word.
    #[error("{}", without_proof(*.0))]
    NothingInForce(v1::RecordState),
    /// The node names it and does not prove it; of the record only the name is passed on. It may
    /// have been withdrawn since the list was made.
    #[error("the node gives no proof of it; list again, and do not use it if that stays so")]
    NoProof,
    /// What the node gave as proof does not verify; of the record only the name is passed on.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

const fn without_proof(state: v1::RecordState) -> &'static str {
    match state {
        v1::RecordState::Withdrawn => "it was withdrawn",
        v1::RecordState::Internal => "it stands in no circle",
        v1::RecordState::Awaited => "its text is still to come",
        v1::RecordState::Quarantined => "the node kept its text out, which did not verify there",
        v1::RecordState::Left => "it is not shared with this node any more",
        v1::RecordState::Current | v1::RecordState::Unspecified => {
            "the node does not say how it stands"
        }
    }
}

impl CheckedRecord {
    /// What was signed, if that was verified.
    pub fn signed(&self) -> Option<&Signed> {
        match &self.check {
            Check::Verified(signed) => Some(signed),
            Check::Unverified(_) => None,
        }
    }

    fn verified(mut record: v1::Record, answer: &VerifiedAnswer) -> Self {
        let header = answer.header();
        record.kind = kind_word(header.kind);
        record.version = header.version;
        record.time_ms = header.time.0;
        record.title = match answer.shown() {
            Shown::Understood(summary) => summary.title,
            Shown::NeedsNewerVersion | Shown::Unreadable => Vec::new(),
        };
        Self {
            record,
            check: Check::Verified(Box::new(Signed::of(answer.record()))),
        }
    }

    /// Without what was not proved.
    fn bare(record: v1::Record, why: Unverified) -> Self {
        let record = v1::Record {
            name: record.name,
            state: record.state,
            ..v1::Record::default()
        };
        Self {
            record,
            check: Check::Unverified(why),
        }
    }
}

impl Signed {
    fn of(record: &VerifiedRecord) -> Self {
        Self {
            header: record.header().clone(),
            version_hash: record.version_hash(),
        }
    }
}

/// The kind's word, as the API has it.
pub(crate) fn kind_word(code: u16) -> String {
    Kind::from_code(code).map_or_else(|| format!("kind {code}"), |kind| kind.name().to_owned())
}

impl Client {
    /// Verifies what the node says of a record, with a proof from the same node.
    ///
    /// # Errors
    /// [`ClientError`] if the question could not be put; that it does not verify is no error.
    pub(crate) async fn check(self, mut record: v1::Record) -> Result<CheckedRecord, ClientError> {
        let name: RecordName = record
            .name
            .parse()
            .map_err(|_| ClientError::Answer(NO_NAME))?;
        let state = record.state();
        if state != v1::RecordState::Current {
            if state != v1::RecordState::Internal {
                // Of a text that is not there no title can be left.
                record.title.clear();
            }
            let check = Check::Unverified(Unverified::NothingInForce(state));
            return Ok(CheckedRecord { record, check });
        }
        match self.verified_record(&name).await {
            Ok(answer) => Ok(CheckedRecord::verified(record, &answer)),
            Err(ClientError::Unverified(refusal)) => {
                Ok(CheckedRecord::bare(record, refusal.into()))
            }
            Err(error) if error.fault().map(Fault::kind) == Some(FaultKind::NotFound) => {
                Ok(CheckedRecord::bare(record, Unverified::NoProof))
            }
            Err(error) => Err(error),
        }
    }
}

const NO_NAME: &str = "lists something without the name of a record";
