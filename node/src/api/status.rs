//! Errors as google.rpc.Status: a code, a reason, and what to do next.
//!
//! **Invariant:** the only mapping from errors to `tonic::Status`; internal text is logged here and
//! not sent.

use std::collections::HashMap;
use std::time::Duration;

use corridor_proto::evidence::Proved;
use corridor_proto::kinds;
use corridor_rules::Log;
use corridor_rules::desk::DeskRefusal;
use corridor_store::StoreError;
use corridor_store::journal::JournalError;
use corridor_tables::ReadError;
use corridor_tables::write::WriteError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::bundles::BundleError;
use crate::desk::DeskError;
use crate::operate::access::{Right, Role};
use crate::tables::TableError;

/// When to call a node again that is being stopped: most are started again at once.
const RETRY: Duration = Duration::from_secs(5);
/// Domain of all reasons.
const DOMAIN: &str = "corridor.invalid";

fn with_reason(code: Code, reason: &str, message: String) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, message, details)
}

/// No token, or none that opens anything.
pub fn unauthenticated() -> Status {
    let message = "the call carries no valid access token; ask this node's secretariat for one";
    with_reason(Code::Unauthenticated, "NO_VALID_TOKEN", message.to_owned())
}

/// A token whose roles are not for this call.
pub fn role_lacking(roles: &[Role], right: Right) -> Status {
    let words = |roles: &[Role], or: &str| {
        let words: Vec<&str> = roles.iter().map(|role| role.word()).collect();
        words.join(or)
    };
    let (has, needs) = (words(roles, " and "), words(right.roles(), " or "));
    let message = format!(
        "this is for the role {needs}, and this token has {has}; ask whoever keeps this node"
    );
    with_reason(Code::PermissionDenied, "ROLE_LACKING", message)
}

/// The roles of a token changed while its holder followed.
pub fn roles_changed() -> Status {
    let message = "the roles of this token changed; follow again from the last cursor";
    with_reason(Code::Aborted, "ROLES_CHANGED", message.to_owned())
}

/// The node ends, and with it the call.
pub fn node_ends() -> Status {
    let message = "this node is being stopped; call again when it runs, and follow again from the \
                   last cursor";
    let mut details = ErrorDetails::with_error_info("NODE_ENDS", DOMAIN, HashMap::new());
    details.set_retry_info(Some(RETRY));
    Status::with_error_details(Code::Unavailable, message, details)
}

/// The name of a code, as gRPC spells it.
pub const fn code_word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// More calls than the caller's budget has.
pub fn too_often(wait_ms: u64) -> Status {
    let mut details = ErrorDetails::with_retry_info(Some(Duration::from_millis(wait_ms)));
    details.set_error_info("TOO_OFTEN", DOMAIN, HashMap::new());
    let message = "you ask more often than this node answers; wait as long as it says, and try \
                   again";
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// Nothing there for the caller.
pub fn not_found(what: &str, name: &str) -> Status {
    let message = format!("there is no {what} {name:?} for you here; list them to see their names");
    with_reason(Code::NotFound, "NOT_FOUND", message)
}

/// One of several is not there for the caller; which one is not said.
pub fn not_all_found() -> Status {
    let message = "not all of these records are there for you here; read them one by one";
    with_reason(Code::NotFound, "NOT_FOUND", message.to_owned())
}

/// More than fits into one answer.
pub fn answer_too_large() -> Status {
    let message = "these records are too large for one answer; ask for fewer, or without the bytes";
    with_reason(Code::OutOfRange, "ANSWER_TOO_LARGE", message.to_owned())
}

/// One bad field.
pub fn bad_field(field: &str, what: &str) -> Status {
    bad_fields(
        vec![FieldViolation::new(field, what)],
        format!("{field} {what}"),
    )
}

fn bad_fields(violations: Vec<FieldViolation>, message: String) -> Status {
    let mut details = ErrorDetails::with_bad_request(violations);
    details.set_error_info("INVALID_FIELDS", DOMAIN, HashMap::new());
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// What is wrong with the fields of something that was to be signed.
pub fn fields(violations: &[kinds::FieldViolation], message: &str) -> Status {
    let fields = violations
        .iter()
        .map(|v| FieldViolation::new(v.field.clone(), format!("{}; {}", v.what, v.remedy)))
        .collect();
    bad_fields(fields, message.to_owned())
}

/// An error of the desk.
pub fn desk(error: DeskError) -> Status {
    match error {
        DeskError::Store(error) => store(error),
        DeskError::Fields(violations) => {
            fields(&violations, "the record is not ready to be published")
        }
        DeskError::NotFound(what, id) => not_found(what, &id),
        DeskError::NotTheSame => {
            with_reason(Code::InvalidArgument, "NOT_THE_SAME", error.to_string())
        }
        DeskError::NoRandomness(_) => {
            with_reason(Code::Internal, "NO_RANDOMNESS", error.to_string())
        }
        DeskError::Invitation(refusal) => with_reason(
            Code::InvalidArgument,
            refusal.reason.code(),
            refusal.to_string(),
        ),
    }
}

/// The system gives no random bytes.
pub fn no_randomness(error: std::io::Error) -> Status {
    desk(DeskError::NoRandomness(error))
}

/// Code and reason of a refusal.
fn of_refusal(refusal: &DeskRefusal) -> (Code, &'static str) {
    match refusal {
        DeskRefusal::OneOf { why, .. } => of_refusal(why),
        DeskRefusal::Unknown { .. } => (Code::NotFound, "NOT_FOUND"),
        DeskRefusal::Withdrawn(_) => (Code::FailedPrecondition, "WITHDRAWN"),
        DeskRefusal::ChangedMeanwhile(_) => (Code::Aborted, "CHANGED_MEANWHILE"),
        DeskRefusal::NoWriter(_) => (Code::FailedPrecondition, "NO_WRITER"),
        DeskRefusal::GivenBack(_) => (Code::FailedPrecondition, "GIVEN_BACK"),
        DeskRefusal::FourEyes { .. } => (Code::FailedPrecondition, "FOUR_EYES"),
        DeskRefusal::NoSuchVersion { .. } => (Code::InvalidArgument, "NO_SUCH_VERSION"),
        DeskRefusal::NoCircle(_) => (Code::FailedPrecondition, "NO_CIRCLE"),
        DeskRefusal::Link { .. } => (Code::FailedPrecondition, "LINK_TOO_NARROW"),
        DeskRefusal::OnlyWithdrawals(_) => (Code::FailedPrecondition, "ONLY_WITHDRAWALS"),
        DeskRefusal::Nothing(_) => (Code::FailedPrecondition, "NOTHING_CHANGES"),
        DeskRefusal::Name(_) => (Code::InvalidArgument, "CIRCLE_NAME"),
        DeskRefusal::Exists(_) => (Code::AlreadyExists, "EXISTS"),
        DeskRefusal::NoList(_) => (Code::FailedPrecondition, "NO_READER_LIST"),
        DeskRefusal::NotActive(_) => (Code::FailedPrecondition, "NOT_ACTIVE"),
        DeskRefusal::TooMany { .. } => (Code::ResourceExhausted, "TOO_MANY"),
        DeskRefusal::State { .. } => (Code::FailedPrecondition, "PARTNER_STATE"),
        DeskRefusal::Invitation => (Code::FailedPrecondition, "INVITATION"),
        DeskRefusal::Ourselves(_) => (Code::InvalidArgument, "OURSELVES"),
        DeskRefusal::SigningStopped(_) => (Code::FailedPrecondition, "SIGNING_STOPPED"),
        DeskRefusal::NoRestart { .. } => (Code::FailedPrecondition, "NO_RESTART"),
        DeskRefusal::Protocol(refusal) => (Code::InvalidArgument, refusal.reason.code()),
    }
}

/// An error of a table.
pub fn table(error: TableError) -> Status {
    let (code, reason) = match error {
        TableError::Desk(error) => return desk(error),
        TableError::NotFound(what, name) => return not_found(what, &name),
        TableError::Busy => (Code::Aborted, "IMPORT_UNDER_WAY"),
        TableError::ChangedSince { .. } => (Code::FailedPrecondition, "CHANGED_SINCE"),
        TableError::SeveralKinds(_) => (Code::InvalidArgument, "SEVERAL_KINDS"),
        TableError::Write(WriteError::Workbook(_)) => (Code::InvalidArgument, "NO_WORKBOOK"),
        TableError::Read(ReadError::Io(_)) | TableError::Write(_) | TableError::File(_) => {
            tracing::error!(%error, "table");
            let message = "this node cannot read or write the file now; its operator finds the \
                           cause in its log";
            return with_reason(Code::Internal, "FILE", message.to_owned());
        }
        TableError::TooSlow | TableError::Read(_) => (Code::InvalidArgument, "NO_TABLE"),
    };
    with_reason(code, reason, error.to_string())
}

/// An error of a bundle.
pub fn bundle(error: BundleError) -> Status {
    let (code, reason) = match error {
        BundleError::Store(error) => return store(error),
        BundleError::NodeEnds => return node_ends(),
        BundleError::NoPartner(rcp) => return not_found("partner", &super::names::rcp(&rcp)),
        BundleError::NoRandomness(error) => return no_randomness(error),
        BundleError::NotActive(_) => (Code::FailedPrecondition, "NOT_ACTIVE"),
        BundleError::NoCard(_) => (Code::FailedPrecondition, "NO_CARD"),
        BundleError::NotHeardFrom(_) => (Code::FailedPrecondition, "NOT_HEARD_FROM"),
        BundleError::SigningStopped => (Code::FailedPrecondition, "SIGNING_STOPPED"),
        BundleError::RightLost(_) => (Code::Aborted, "CHANGED_MEANWHILE"),
        BundleError::ForAnother(_) => (Code::InvalidArgument, "BUNDLE_FOR_ANOTHER"),
        BundleError::Damaged(_) => (Code::InvalidArgument, "BUNDLE_DAMAGED"),
        BundleError::FromStranger(_) => (Code::FailedPrecondition, "BUNDLE_FROM_STRANGER"),
        BundleError::Refused(refusal) => (Code::InvalidArgument, refusal.reason.code()),
        BundleError::TooMuchRefused(_) => (Code::FailedPrecondition, "TOO_MUCH_REFUSED"),
        BundleError::TooSlow => (Code::InvalidArgument, "BUNDLE_DAMAGED"),
        BundleError::Busy => (Code::Aborted, "BUNDLE_UNDER_WAY"),
        BundleError::TooLarge(_) => (Code::InvalidArgument, "BUNDLE_TOO_LARGE"),
        BundleError::File(_) | BundleError::Input(_) | BundleError::Output(_) => {
            tracing::error!(%error, "bundle");
            let message = "this node cannot read or write the file now; its operator finds the \
                           cause in its log";
            return with_reason(Code::Internal, "FILE", message.to_owned());
        }
    };
    with_reason(code, reason, error.to_string())
}

/// An error of the store.
pub fn store(error: StoreError) -> Status {
    let (code, reason) = match &error {
        StoreError::Desk(refusal) => of_refusal(refusal),
        StoreError::Refused(refusal) => (Code::InvalidArgument, refusal.reason.code()),
        StoreError::NoRoom { .. } | StoreError::Journal(JournalError::DiskFull { .. }) => {
            tracing::error!(%error, "store");
            let message = "the disk of this node is full and nothing was kept; when its operator \
                           has freed space, try again";
            return with_reason(Code::ResourceExhausted, "DISK_FULL", message.to_owned());
        }
        error => {
            tracing::error!(%error, "store");
            let message = "this node cannot write now; its operator finds the cause in its log";
            return with_reason(Code::Unavailable, "STORE", message.to_owned());
        }
    };
    with_reason(code, reason, error.to_string())
}

/// What evidence proves, in one sentence with what follows from it and what to do. `log` is the one
/// that it quotes, if that is here; `is_ours` whether it is about this node's own RCP.
pub fn proved(proved: &Proved, log: Option<&Log>, is_ours: bool) -> String {
    let name = log
        .map(|log| log.name.as_str())
        .filter(|name| !name.is_empty());
    let circle = name.map_or_else(
        || "a circle".to_owned(),
        |name| format!("the circle {name}"),
    );
    match proved {
        Proved::Log { .. } if is_ours => format!(
            "Your own node signed two histories of {circle}: another copy of it ran, or somebody \
             else has its key. corridor recover status tells what to do."
        ),
        Proved::Log { .. } => forked(&circle, log),
        Proved::Version { .. } => "It signed two different texts as one version of a record. \
             Neither is shown, until it publishes a later version or withdraws the record."
            .to_owned(),
        Proved::Rcp => "Its recovery key was used twice: there are two successions of its keys. \
             Nothing further is taken from it but what it withdraws; it can go on only under a new \
             identifier, which you confirm by a new safety number."
            .to_owned(),
    }
}

fn forked(circle: &str, log: Option<&Log>) -> String {
    let what = format!("It signed two histories of {circle}");
    match log {
        Some(log) if log.awaits_acceptance() => format!(
            "{what}, and has begun it anew since. Ask by telephone what happened; then corridor \
             peer accept-restart lets the circle go on."
        ),
        Some(log) if log.is_frozen() && log.follows_restarts() => {
            format!("{what}. You let the circle go on; its lines come with the next connection.")
        }
        Some(log) if !log.is_frozen() => {
            format!("{what}. It has begun the circle anew since, and it goes on.")
        }
        _ => format!(
            "{what}. Nothing new of that circle is shown, though withdrawals in it count; its \
             other circles go on. Call it: two copies of its node may run, or its key was stolen. \
             Once it has begun the circle anew, corridor peer accept-restart lets it go on."
        ),
    }
}
