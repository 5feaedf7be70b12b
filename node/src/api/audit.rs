//! Notes in the audit what a caller did and what was refused.
//!
//! **Invariant:** an act is noted, durably, before its caller has the answer, and whether or not
//! the caller waits for it; reading is not noted, being refused is. What cannot be noted is logged.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use corridor_proto::UnixMillis;
use http::{HeaderMap, Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Layer, Service};

use crate::edge;
use crate::limits::REFUSALS_NOTED_A_MINUTE;
use crate::operate::access::{Access, Entry as Holder};
use crate::operate::audit::{Audit, Entry, rfc3339};

tokio::task_local! {
    /// What the call under way is about.
    static ABOUT: RefCell<Vec<String>>;
}

/// Letters of a call that are noted.
const CALL_CHARS: usize = 100;
/// The outcome of a call that was carried out.
const DONE: &str = "OK";
/// Noted of a call that changes nothing.
const ONLY_ASKS: &str = "changes nothing";
/// What no token stands for.
const NOBODY: &str = "";
/// Names of a call that are noted.
const ABOUT_MAX: usize = 256;
/// Calls that only read, and drafts, of which the journal knows who wrote them.
const READS: [&str; 11] = [
    "Get", "List", "Watch", "Prove", "Preview", "Explain", "BatchGet", "Search", "Read", "Export",
    "Inspect",
];
const WRITES: [&str; 2] = ["CreateDraft", "UpdateDraft"];

/// Says that the call under way is about this: a name of ours, never a caller's own words.
pub fn about(name: String) {
    // Outside a call nobody asks.
    let _ = ABOUT.try_with(|names| {
        let mut names = names.borrow_mut();
        if names.len() < ABOUT_MAX && !names.contains(&name) {
            names.push(name);
        }
    });
}

/// Says that the call under way only asks what would be, and changes nothing.
pub fn only_asks() {
    about(ONLY_ASKS.to_owned());
}

/// Puts [`Noting`] around a service.
#[derive(Clone, Debug)]
pub struct NotingLayer {
    audit: Arc<Audit>,
    access: Arc<Access>,
    refused: Arc<Mutex<Refused>>,
}

impl NotingLayer {
    /// Notes in an audit by whose tokens calls are made.
    pub fn new(audit: Arc<Audit>, access: Arc<Access>) -> Self {
        let refused = Arc::default();
        Self {
            audit,
            access,
            refused,
        }
    }

    /// Writes the line of a call that is over.
    fn note(&self, holder: Option<&Holder>, call: String, about: Vec<String>, outcome: String) {
        let now = edge::now();
        let token = holder.map_or(NOBODY, Holder::id).to_owned();
        let mut entry = Entry {
            time: rfc3339(now),
            who: holder.map_or_else(|| "nobody known".to_owned(), |one| one.label.clone()),
            token: token.clone(),
            act: call,
            about,
            outcome,
        };
        if entry.outcome != DONE {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(unsaid) = refused.passes(&token, now) else {
                return;
            };
            if unsaid > 0 {
                entry
                    .about
                    .push(format!("and {unsaid} refusals more in an earlier minute"));
            }
        }
        if let Err(error) = self.audit.note(&entry) {
            tracing::error!(%error, act = entry.act, "an act is not in the audit");
        }
    }
}

/// Refusals of each caller in one minute: whoever is refused without end fills no disk, and hides
/// nobody else's refusals.
#[derive(Debug, Default)]
struct Refused(HashMap<String, (u64, u64)>);

impl Refused {
    /// Whether one more of a caller is noted, and then of how many nothing was said before it.
    fn passes(&mut self, token: &str, now: UnixMillis) -> Option<u64> {
        let minute = now.0 / 60_000;
        let (at, count) = self.0.entry(token.to_owned()).or_insert((minute, 0));
        let mut unsaid = 0;
        if *at != minute {
            unsaid = count.saturating_sub(REFUSALS_NOTED_A_MINUTE);
            (*at, *count) = (minute, 0);
        }
        *count += 1;
        (*count <= REFUSALS_NOTED_A_MINUTE).then_some(unsaid)
    }
}

impl<S> Layer<S> for NotingLayer {
    type Service = Noting<S>;

    fn layer(&self, inner: S) -> Noting<S> {
        let layer = self.clone();
        Noting { layer, inner }
    }
}

/// A service whose calls are noted.
#[derive(Clone, Debug)]
pub struct Noting<S> {
    layer: NotingLayer,
    inner: S,
}

type Answer = Result<Response<Body>, Infallible>;

impl<S> Service<Request<Body>> for Noting<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send,
    S: 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let layer = self.layer.clone();
        let Some(call) = call_of(request.uri().path()) else {
            return Box::pin(async move { inner.call(request).await });
        };
        // Who calls is known before what they do may end their token.
        let token = bearer(request.headers());
        let holder = token.and_then(|token| layer.access.holder(token, edge::now()));
        let is_act = is_noted(&call, DONE);
        let noted = ABOUT.scope(RefCell::default(), async move {
            let answer = inner.call(request).await?;
            let outcome = outcome(answer.headers());
            if is_noted(&call, &outcome) {
                let about = ABOUT.with(RefCell::take);
                let write = move || layer.note(holder.as_ref(), call, about, outcome);
                // It panics for nobody, and whoever waits for the answer waits for the line.
                let _ = tokio::task::spawn_blocking(write).await;
            }
            Ok(answer)
        });
        if !is_act {
            return Box::pin(noted);
        }
        // In a task of its own: whoever hangs up ends neither the act nor its line.
        let done = tokio::spawn(noted);
        Box::pin(async move {
            done.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a call ended before its answer");
                Ok(Status::internal("this call ended before its answer").into_http())
            })
        })
    }
}

/// The bearer token of a call.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("authorization")?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}

/// `RecordService/PublishRecord` of a path; `None` for what is no call of ours.
fn call_of(path: &str) -> Option<String> {
    let call = path.strip_prefix("/corridor.v1.")?;
    Some(call.chars().take(CALL_CHARS).collect())
}

/// `OK`, or why the call was refused.
fn outcome(headers: &HeaderMap) -> String {
    let Some(status) = Status::from_header_map(headers) else {
        return DONE.to_owned();
    };
    if status.code() == Code::Ok {
        return DONE.to_owned();
    }
    let info = status.get_details_error_info();
    info.map_or_else(|| format!("{:?}", status.code()), |info| info.reason)
}

fn is_noted(call: &str, outcome: &str) -> bool {
    let method = call.split('/').next_back().unwrap_or_default();
    let is_act = !READS.iter().any(|verb| method.starts_with(verb)) && !WRITES.contains(&method);
    // Whether the node serves, and what it can be asked, is on no record.
    let is_act = is_act && !call.starts_with("/grpc.");
    let is_refused = ["ROLE_LACKING", "NO_VALID_TOKEN"].contains(&outcome);
    is_act || is_refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_and_refusals_are_noted_and_reading_is_not() {
        for (call, outcome, is_so) in [
            ("RecordService/PublishRecord", "OK", true),
            ("RecordService/PublishRecord", "FOUR_EYES", true),
            ("ClearanceService/ClearDraft", "OK", true),
            ("RecordService/DeleteDraft", "OK", true),
            ("RecordService/UpdateDraft", "OK", false),
            ("RecordService/GetRecord", "OK", false),
            ("RecordService/GetRecord", "NOT_FOUND", false),
            ("RecordService/ListDrafts", "ROLE_LACKING", true),
            ("RecordService/UpdateDraft", "ROLE_LACKING", true),
            ("NodeService/GetNode", "NO_VALID_TOKEN", true),
            ("A call that a newer version knows", "OK", true),
            ("/grpc.health.v1.Health/Check", "OK", false),
            ("/grpc.health.v1.Health/Check", "NotFound", false),
            (
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                "OK",
                false,
            ),
        ] {
            assert_eq!(is_noted(call, outcome), is_so, "{call} {outcome}");
        }
    }

    #[test]
    fn whoever_is_refused_without_end_fills_no_disk_and_hides_nobody() {
        let mut refused = Refused::default();
        let now = UnixMillis(600_000);
        let noted = (0..1_000).filter_map(|_| refused.passes(NOBODY, now));
        assert_eq!(noted.collect::<Vec<_>>(), vec![0; 60]);
        assert_eq!(refused.passes("somebody", now), Some(0));
        assert_eq!(refused.passes(NOBODY, UnixMillis(700_000)), Some(940));
        assert_eq!(refused.passes(NOBODY, UnixMillis(700_000)), Some(0));
    }

    /// Whoever declares a call decides whether it is an act.
    #[test]
    fn of_every_declared_call_it_is_known_whether_it_is_noted() {
        const ACTS: [&str; 23] = [
            "Accept", "Add", "Clear", "Confirm", "Create", "Delete", "Disown", "Import", "Leave",
            "Make", "Narrow", "Pause", "Publish", "Refuse", "Remove", "Request", "Restart",
            "Resume", "Return", "Share", "Show", "Undo", "Withdraw",
        ];
        let methods = crate::operate::health::methods();
        let ours = methods
            .iter()
            .filter_map(|name| call_of(&format!("/{name}")));
        let mut count = 0;
        for call in ours.filter(|call| !call.starts_with("ExchangeService/")) {
            let method = call.split('/').next_back().unwrap_or_default();
            let is_act = ACTS.iter().any(|verb| method.starts_with(verb));
            let is_noted = is_noted(&call, DONE) || WRITES.contains(&method);
            assert_eq!(is_noted, is_act || WRITES.contains(&method), "{call}");
            count += 1;
        }
        assert!(count > 40, "{count}");
    }

    #[test]
    fn only_calls_of_ours_are_noted() {
        let call = call_of("/corridor.v1.RecordService/PublishRecord");
        assert_eq!(call.as_deref(), Some("RecordService/PublishRecord"));
        assert_eq!(call_of("/grpc.health.v1.Health/Check"), None);
        let long = format!("/corridor.v1.{}", "x".repeat(1_000_000));
        assert_eq!(call_of(&long).map(|call| call.len()), Some(CALL_CHARS));
    }
}
