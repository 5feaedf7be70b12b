//! Why a command failed: its exit code, and what is said.
//!
//! **Invariant:** every failure says what to do next, and one that changed nothing says that.

use std::io;
use std::path::PathBuf;

use corridor_proto::kinds::{FieldViolation, UnknownKind};
use serde_json::{Value, json};
use thiserror::Error;

use super::screen::Screen;
use crate::body::BodyError;
use crate::error::{ClientError, FaultKind};
use crate::names::NameError;
use crate::profile::ProfileError;

/// Why a command failed.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Asked for in a way that cannot be.
    #[error("{0}")]
    Usage(String),
    /// A name or an identifier that nothing has.
    #[error("{0}")]
    NotFound(String),
    /// The record is there, and no proof of it can be.
    #[error("there is no text to verify: the record is {0}; corridor record show says more")]
    NoText(&'static str),
    /// Records of a list that the node did not prove.
    #[error(
        "{0} of these should verify and did not; list again, and do not use them if that stays so"
    )]
    Unproved(usize),
    /// A file that should prove a record and does not.
    #[error("{path}: {refusal}; ask for the file anew, and do not use it")]
    Proof {
        path: PathBuf,
        refusal: corridor_proto::Refusal,
    },
    /// Files that should prove records and do not.
    #[error("{0} of the files did not verify; ask for them anew, and do not use them")]
    UnprovedFiles(usize),
    /// A table with problems.
    #[error("the file has {0}, and nothing was imported; mend it, and bring it again")]
    Problems(String),
    /// Some of it was done.
    #[error("{0}")]
    Partial(String),
    /// A question was answered with no.
    #[error("nothing was changed")]
    Declined,
    #[error(transparent)]
    Kind(#[from] UnknownKind),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is not JSON: {source}; mend it there, or begin again from the template")]
    NotJson {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// A record that was withdrawn as a whole gets no new version.
    #[error(
        "the record is withdrawn for good and gets no new version; a new record may replace it: \
         corridor record draft KIND FILE"
    )]
    Withdrawn,
    #[error("{path} is too large; the most are {bytes_max} bytes")]
    TooLarge { path: PathBuf, bytes_max: u64 },
    #[error("the answer could not be read: {0}")]
    Input(#[source] io::Error),
    #[error("the output could not be written: {0}; some of it is missing")]
    Output(#[source] io::Error),
    #[error("interrupted; look with corridor status whether something was changed")]
    Interrupted,
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        Self::Client(error.into())
    }
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        Self::Client(error.into())
    }
}

impl Failure {
    /// The exit code; the head of this folder says what each means.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Client(error) => client_code(error),
            Self::Body(_) => 7,
            Self::Usage(_) | Self::Kind(_) => 2,
            Self::NotFound(_) => 3,
            Self::NoText(_) | Self::Withdrawn => 5,
            Self::Declined | Self::File { .. } | Self::Input(_) | Self::Output(_) => 1,
            Self::TooLarge { .. }
            | Self::NotJson { .. }
            | Self::Unproved(_)
            | Self::UnprovedFiles(_)
            | Self::Proof { .. } => 7,
            Self::Problems(_) => 7,
            Self::Partial(_) => 8,
            Self::Interrupted => 130,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Client(error) => error.reason(),
            Self::Body(_) | Self::TooLarge { .. } | Self::NotJson { .. } => "INVALID_BODY",
            Self::Withdrawn => "WITHDRAWN",
            Self::Usage(_) | Self::Kind(_) => "USAGE",
            Self::NotFound(_) => "NOT_FOUND",
            Self::NoText(_) => "NO_TEXT",
            Self::Unproved(_) | Self::UnprovedFiles(_) => "UNPROVED",
            Self::Proof { refusal, .. } => refusal.reason.code(),
            Self::Problems(_) => "PROBLEMS",
            Self::Partial(_) => "PARTIAL",
            Self::Declined => "DECLINED",
            Self::File { .. } | Self::Input(_) | Self::Output(_) => "FILE",
            Self::Interrupted => "INTERRUPTED",
        }
    }

    /// Field by field what is wrong, where that is known.
    fn fields(&self) -> Vec<(String, String)> {
        match self {
            Self::Client(ClientError::Fault(fault)) => fault
                .fields
                .iter()
                .map(|one| (one.field.clone(), one.description.clone()))
                .collect(),
            Self::Body(BodyError::Violations(violations)) => {
                violations.iter().map(field_and_words).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Says it, on standard error.
    pub(super) fn report(&self, screen: &mut Screen, json: bool) {
        let fields = self.fields();
        if json {
            let fields: Vec<Value> = fields
                .iter()
                .map(|(field, words)| json!({ "field": field, "description": words }))
                .collect();
            screen.say_json(&json!({ "error": {
                "reason": self.reason(),
                "message": self.to_string(),
                "exitCode": self.exit_code(),
                "fields": fields,
            }}));
            return;
        }
        if matches!(self, Self::Interrupted) {
            // The cursor stands behind "^C", or behind a question.
            screen.say("");
        }
        screen.say(format!("corridor: {self}"));
        for (field, words) in fields {
            screen.say(format!("  {field}: {words}"));
        }
    }
}

/// A violation as it is listed: the field, then what and the remedy.
pub(super) fn field_and_words(violation: &FieldViolation) -> (String, String) {
    let field = match violation.field.as_str() {
        "" => "the body",
        field => field,
    };
    let words = format!("{}; {}", violation.what, violation.remedy);
    (field.to_owned(), words)
}

fn client_code(error: &ClientError) -> u8 {
    match error {
        ClientError::Profile(_) | ClientError::Name(_) => 2,
        ClientError::WrongKey { .. } | ClientError::Unverified(_) | ClientError::Answer(_) => 7,
        ClientError::Unreachable { .. } | ClientError::TimedOut { .. } => 6,
        ClientError::Fault(fault) => match fault.kind() {
            FaultKind::NotFound => 3,
            FaultKind::Refused => 4,
            FaultKind::Conflict => 5,
            FaultKind::Unavailable => 6,
            FaultKind::Invalid => 7,
            FaultKind::Node => 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_proto::{Reason, Refusal};
    use std::time::Duration;
    use tonic::{Code, Status};

    fn status(code: Code) -> Failure {
        let status = Status::new(code, "words");
        ClientError::from_status("h:1", Duration::from_secs(1), status).into()
    }

    #[test]
    fn exit_codes_are_as_documented() {
        let cases = [
            (status(Code::Internal), 1),
            (Failure::Declined, 1),
            (Failure::Usage(String::new()), 2),
            (ProfileError::NoPlace.into(), 2),
            (status(Code::NotFound), 3),
            (status(Code::PermissionDenied), 4),
            (status(Code::Unauthenticated), 4),
            (status(Code::FailedPrecondition), 5),
            (status(Code::Aborted), 5),
            (status(Code::Unavailable), 6),
            (status(Code::DeadlineExceeded), 6),
            (status(Code::InvalidArgument), 7),
            (
                ClientError::from(Refusal::new("line", Reason::BadProof)).into(),
                7,
            ),
            (Failure::Unproved(1), 7),
            (Failure::Interrupted, 130),
        ];
        for (failure, code) in cases {
            assert_eq!(failure.exit_code(), code, "{failure:?}");
        }
    }

    #[test]
    fn a_failure_is_said_field_by_field() {
        let body = crate::body::from_json(corridor_proto::kinds::Kind::Practice, b"{}");
        let violations = corridor_proto::kinds::check(
            corridor_proto::kinds::Kind::Practice,
            &body.expect("body"),
        );
        let failure = Failure::Body(BodyError::Violations(violations.expect_err("empty")));
        let (mut screen, seen) = super::super::screen::tests::screen("", false);
        failure.report(&mut screen, false);
        failure.report(&mut screen, true);
        let (data, talk) = seen.texts();
        assert!(data.is_empty());
        assert!(talk.contains("  title: is missing; "), "{talk}");
        assert!(talk.contains("\"reason\":\"INVALID_BODY\""), "{talk}");
    }
}
