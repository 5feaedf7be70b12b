//! Notes in the audit what a caller did and what was refused.
//!
//! **Invariant:** an act is noted, durably, before its caller has the answer; reading is not noted,
//! being refused is.

use std::cell::RefCell;
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

/// The outcome of a call that was carried out.
const DONE: &str = "OK";
/// Names of a call that are noted.
const ABOUT_MAX: usize = 256;
/// Calls that only read, and drafts, of which the journal knows who wrote them.
const READS: [&str; 6] = ["Get", "List", "Watch", "Prove", "Preview", "Explain"];
const WRITES: [&str; 2] = ["CreateDraft", "UpdateDraft"];

/// Says that the call under way is about this.
pub fn about(name: &str) {
    // Outside a call nobody asks.
    let _ = ABOUT.try_with(|names| {
        let mut names = names.borrow_mut();
        if names.len() < ABOUT_MAX && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    });
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
    fn note(&self, call: String, token: Option<String>, about: Vec<String>, outcome: String) {
        let now = edge::now();
        let mut about = about;
        if outcome != DONE {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            match refused.passes(now) {
                None => return,
                Some(0) => {}
                Some(more) => about.push(format!("and {more} more in an earlier minute")),
            }
        }
        let holder = token.and_then(|token| self.access.holder(&token, now));
        let known = |holder: Holder| (holder.label.clone(), holder.id().to_owned());
        let nobody = || ("nobody known".to_owned(), String::new());
        let (who, token) = holder.map_or_else(nobody, known);
        let entry = Entry {
            time: rfc3339(now),
            who,
            token,
            act: call,
            about,
            outcome,
        };
        if let Err(error) = self.audit.note(&entry) {
            tracing::error!(%error, act = entry.act, "an act is not in the audit");
        }
    }
}

/// Refusals of one minute: whoever is refused without end fills no disk.
#[derive(Debug, Default)]
struct Refused {
    minute: u64,
    count: u64,
}

impl Refused {
    /// Whether one more is noted, and then of how many nothing was said before it.
    fn passes(&mut self, now: UnixMillis) -> Option<u64> {
        let minute = now.0 / 60_000;
        let mut unsaid = 0;
        if minute != self.minute {
            unsaid = self.count.saturating_sub(REFUSALS_NOTED_A_MINUTE);
            *self = Self { minute, count: 0 };
        }
        self.count += 1;
        (self.count <= REFUSALS_NOTED_A_MINUTE).then_some(unsaid)
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
        Box::pin(ABOUT.scope(RefCell::default(), async move {
            let call = call_of(request.uri().path());
            let token = bearer(request.headers()).map(str::to_owned);
            let answer = inner.call(request).await?;
            let outcome = outcome(answer.headers());
            if is_noted(&call, &outcome) {
                let about = ABOUT.with(RefCell::take);
                let write = move || layer.note(call, token, about, outcome);
                // It panics for nobody, and whoever waits for the answer waits for the line.
                let _ = tokio::task::spawn_blocking(write).await;
            }
            Ok(answer)
        }))
    }
}

/// The bearer token of a call.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("authorization")?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}

/// `RecordService/PublishRecord` of a path.
fn call_of(path: &str) -> String {
    let call = path.strip_prefix("/corridor.v1.").unwrap_or(path);
    call.chars().take(100).collect()
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
    fn whoever_is_refused_without_end_fills_no_disk() {
        let mut refused = Refused::default();
        let now = UnixMillis(600_000);
        let noted = (0..1_000).filter_map(|_| refused.passes(now));
        assert_eq!(noted.collect::<Vec<_>>(), vec![0; 60]);
        assert_eq!(refused.passes(UnixMillis(700_000)), Some(940));
        assert_eq!(refused.passes(UnixMillis(700_000)), Some(0));
    }
}
