//! Errors, sorted by whose turn it is: the profile's owner, the network, the node, the caller, or
//! nobody, because what came cannot be believed.
//!
//! **Invariant:** reason codes of the node pass unchanged, and nothing that failed to verify passes
//! at all.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::time::Duration;

use corridor_proto::Refusal;
use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::names::NameError;
use crate::profile::ProfileError;
use crate::tls::DialError;

/// Why a call gave no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The profile is at fault: mend it.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A name is none: the caller's fault.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Somebody else answers at the node's address, or its key was replaced.
    #[error(
        "the node at {address} has another key than the profile names; nothing was sent; ask who \
         keeps the node running whether its key was replaced"
    )]
    WrongKey {
        /// Where.
        address: String,
    },
    /// The network's fault, or the node is not running.
    #[error(
        "no connection to the node at {address}: {}; check that it runs and try again",
        deepest(cause.as_ref())
    )]
    Unreachable {
        /// Where.
        address: String,
        /// What happened.
        #[source]
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// No answer in time. Whether a change was made is not known.
    #[error("no answer within {seconds} seconds; look whether it happened before trying again")]
    TimedOut {
        /// How long was waited.
        seconds: u64,
    },
    /// The node refused the call.
    #[error(transparent)]
    Fault(Box<Fault>),
    /// What came does not verify: not to be used.
    #[error("not verified: {0}")]
    Unverified(#[from] Refusal),
    /// The answer lacks what the contract of the API promises.
    #[error("the answer of the node {0}; upgrade whichever of the two is older")]
    Answer(&'static str),
}

/// Whose turn it is after the node refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It does not exist, or the token may not see it; the two look alike.
    NotFound,
    /// The token does not open this.
    Refused,
    /// The state of things does not allow it now.
    Conflict,
    /// The request is wrong.
    Invalid,
    /// The node cannot serve it now.
    Unavailable,
    /// The node's own fault.
    Node,
}

/// What a node said when it refused a call.
#[derive(Clone, Debug, Error)]
#[error("{message}")]
pub struct Fault {
    /// The status code.
    pub code: Code,
    /// For people; it may change from version to version.
    pub message: String,
    /// For programs: a stable code in upper snake case, such as "NOT_FOUND".
    pub reason: Option<String>,
    /// Who defines the reason.
    pub domain: Option<String>,
    /// The values in the message.
    pub metadata: BTreeMap<String, String>,
    /// What is wrong with which field of the request.
    pub fields: Vec<FieldFault>,
    /// When to try again, if the node said so.
    pub retry_after: Option<Duration>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFault {
    /// Which field, such as `title[1].text`.
    pub field: String,
    /// What is wrong with it, and what to do.
    pub description: String,
}

impl Fault {
    fn read(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let fields = details
            .bad_request()
            .map_or(&[][..], |bad| &bad.field_violations);
        Self {
            code: status.code(),
            message: match status.message() {
                "" => status.code().description().to_owned(),
                message => message.to_owned(),
            },
            reason: info.map(|info| info.reason.clone()),
            domain: info.map(|info| info.domain.clone()),
            metadata: info
                .map(|info| info.metadata.clone().into_iter().collect())
                .unwrap_or_default(),
            fields: fields
                .iter()
                .map(|one| FieldFault {
                    field: one.field.clone(),
                    description: one.description.clone(),
                })
                .collect(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
        }
    }

    /// Whose turn it is.
    pub const fn kind(&self) -> FaultKind {
        match self.code {
            Code::NotFound => FaultKind::NotFound,
            Code::PermissionDenied | Code::Unauthenticated => FaultKind::Refused,
            Code::Aborted | Code::AlreadyExists | Code::FailedPrecondition => FaultKind::Conflict,
            Code::InvalidArgument | Code::OutOfRange => FaultKind::Invalid,
            Code::Unavailable | Code::ResourceExhausted => FaultKind::Unavailable,
            _ => FaultKind::Node,
        }
    }
}

impl ClientError {
    /// From the status of a call to the node at `address` that was given `time`.
    pub(crate) fn from_status(address: &str, time: Duration, status: Status) -> Self {
        match find::<DialError>(&status) {
            Some(DialError::WrongKey) => Self::WrongKey {
                address: address.to_owned(),
            },
            Some(_) => Self::Unreachable {
                address: address.to_owned(),
                cause: Box::new(status),
            },
            None if find::<tonic::TimeoutExpired>(&status).is_some()
                || status.code() == Code::DeadlineExceeded =>
            {
                Self::TimedOut {
                    seconds: time.as_secs(),
                }
            }
            // The connection broke under the call: the node itself sends no source with a status.
            None if status.source().is_some() => Self::Unreachable {
                address: address.to_owned(),
                cause: Box::new(status),
            },
            None => Self::Fault(Box::new(Fault::read(&status))),
        }
    }

    /// From a connection that was not made.
    pub(crate) fn from_dial(address: &str, error: impl StdError + Send + Sync + 'static) -> Self {
        let address = address.to_owned();
        match find::<DialError>(&error) {
            Some(DialError::WrongKey) => Self::WrongKey { address },
            _ => Self::Unreachable {
                address,
                cause: Box::new(error),
            },
        }
    }

    /// What the node said, if it refused the call.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    /// A stable code: the node's reason, or one of this library's own.
    pub fn reason(&self) -> &str {
        match self {
            Self::Profile(_) => "PROFILE",
            Self::Name(_) => "NAME",
            Self::WrongKey { .. } => "WRONG_KEY",
            Self::Unreachable { .. } => "UNREACHABLE",
            Self::TimedOut { .. } => "TIMED_OUT",
            Self::Fault(fault) => fault.reason.as_deref().unwrap_or("UNKNOWN"),
            Self::Unverified(refusal) => refusal.reason.code(),
            Self::Answer(_) => "BAD_ANSWER",
        }
    }

    /// Whether the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Fault(fault) => fault.kind() == FaultKind::Unavailable,
            _ => false,
        }
    }
}

/// The first error of type `T` in a chain of causes.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The words of the cause that a person can do something about: of a dial the dial's own, else of
/// the last cause.
fn deepest(error: &(dyn StdError + Send + Sync + 'static)) -> String {
    if let Some(dial) = find::<DialError>(error) {
        return dial.to_string();
    }
    let mut last: &dyn StdError = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    fn read(status: Status) -> ClientError {
        ClientError::from_status("h:1", Duration::from_secs(30), status)
    }

    #[test]
    fn details_of_a_status_are_kept() {
        let mut details = ErrorDetails::new();
        details
            .set_error_info(
                "RECORD_NOT_FOUND",
                "corridor",
                [("record".to_owned(), "abc".to_owned())],
            )
            .add_bad_request_violation("title[0].text", "is missing; write one")
            .set_retry_info(Some(Duration::from_secs(2)));
        let error = read(Status::with_error_details(
            Code::NotFound,
            "no such record",
            details,
        ));
        assert_eq!(error.reason(), "RECORD_NOT_FOUND");
        let fault = error.fault().expect("fault");
        assert_eq!(fault.kind(), FaultKind::NotFound);
        assert_eq!(fault.domain.as_deref(), Some("corridor"));
        assert_eq!(fault.metadata["record"], "abc");
        assert_eq!(fault.fields[0].field, "title[0].text");
        assert_eq!(fault.retry_after, Some(Duration::from_secs(2)));
    }

    #[test]
    fn details_that_are_no_details_do_no_harm() {
        let status = Status::with_details(Code::Aborted, "", b"\xff\xff".to_vec().into());
        let error = read(status);
        let fault = error.fault().expect("fault");
        assert_eq!(fault.kind(), FaultKind::Conflict);
        assert!(!fault.message.is_empty() && fault.reason.is_none());
    }

    #[test]
    fn each_code_has_its_fault() {
        let cases = [
            (Code::PermissionDenied, FaultKind::Refused),
            (Code::Unauthenticated, FaultKind::Refused),
            (Code::FailedPrecondition, FaultKind::Conflict),
            (Code::InvalidArgument, FaultKind::Invalid),
            (Code::Unavailable, FaultKind::Unavailable),
            (Code::Internal, FaultKind::Node),
        ];
        for (code, expect) in cases {
            let error = read(Status::new(code, "words"));
            assert_eq!(error.fault().map(Fault::kind), Some(expect), "{code:?}");
            assert_eq!(error.is_transient(), code == Code::Unavailable);
        }
        assert!(matches!(
            read(Status::deadline_exceeded("late")),
            ClientError::TimedOut { seconds: 30 }
        ));
    }
}
