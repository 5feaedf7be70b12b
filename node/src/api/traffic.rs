//! Every call of the listener from its beginning to its end: what is counted of it, and how it ends
//! when the node does.
//!
//! A node that ends takes no new call; one that would never end by itself is ended at once, any
//! other when its time is over, and both say that it was the node. **Invariant:** nothing is
//! counted by a name that a caller can choose.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Layer, Service};

use super::status;
use crate::operate::health::methods;
use crate::operate::metrics::Meters;

/// Messages that a stream which is ended may still bring: what was said last, such as that the node
/// no longer serves.
const LAST_MESSAGES: u8 = 4;
/// How calls that nobody declares are counted.
const OTHER: &str = "other";

/// When calls end because the node does.
#[derive(Clone, Debug)]
pub struct Ends {
    /// No new call is taken, and no stream goes on for ever.
    pub soon: watch::Receiver<bool>,
    /// No call goes on.
    pub now: watch::Receiver<bool>,
}

/// Watches over the calls of a listener.
#[derive(Clone)]
pub struct Traffic {
    meters: Arc<Meters>,
    methods: Arc<BTreeSet<String>>,
    ends: Ends,
}

impl Traffic {
    /// Counts in these figures, and ends calls when they are to end.
    pub fn new(meters: Arc<Meters>, ends: Ends) -> Self {
        Self {
            meters,
            methods: Arc::new(methods()),
            ends,
        }
    }

    /// Until when a call may go on.
    fn end_of(&self, method: &str) -> End {
        let name = method.rsplit('/').next().unwrap_or_default();
        let is_endless = name.starts_with("Watch") || name == "ServerReflectionInfo";
        let mut end = if is_endless {
            self.ends.soon.clone()
        } else {
            self.ends.now.clone()
        };
        Box::pin(async move {
            // The sender is gone only when the node is: then it is time as well.
            let _ = end.wait_for(|ends| *ends).await;
        })
    }
}

type End = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<S> Layer<S> for Traffic {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        let traffic = self.clone();
        Watched { inner, traffic }
    }
}

/// The services behind a [`Traffic`].
#[derive(Clone)]
pub struct Watched<S> {
    inner: S,
    traffic: Traffic,
}

impl<S> Service<Request<Body>> for Watched<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Answer>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.uri().path().trim_start_matches('/');
        let mut end = self.traffic.end_of(method);
        let known = self.traffic.methods.get(method);
        let mut call = Call {
            meters: Arc::clone(&self.traffic.meters),
            method: known.map_or_else(|| OTHER.to_owned(), Clone::clone),
            began: Instant::now(),
            is_over: false,
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = tokio::select! {
                biased;
                answer = answer => answer?,
                () = &mut end => status::node_ends().into_http(),
            };
            let (head, body) = answer.into_parts();
            // An answer that is nothing but an error says so at once.
            if let Some(status) = Status::from_header_map(&head.headers) {
                call.over(&status);
            }
            let answer = Answer {
                body,
                call,
                end: Some(end),
                left: LAST_MESSAGES,
            };
            Ok(Response::from_parts(head, answer))
        })
    }
}

/// A call that is counted once, when it is over.
struct Call {
    meters: Arc<Meters>,
    method: String,
    began: Instant,
    is_over: bool,
}

impl Call {
    fn over(&mut self, status: &Status) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let (code, took) = (status.code(), self.began.elapsed());
        self.meters
            .call(&self.method, status::code_word(code), took);
        let reason = status.get_details_error_info().map(|info| info.reason);
        if let Some(reason) = reason {
            let denied = matches!(code, Code::Unauthenticated | Code::PermissionDenied);
            self.meters.refused_call(&reason, denied);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.over(&Status::cancelled("the caller went away"));
    }
}

/// The body of an answer.
pub struct Answer {
    body: Body,
    call: Call,
    /// Until when it may go on; nothing once that is over.
    end: Option<End>,
    left: u8,
}

impl Answer {
    /// The last frame: that the node ends.
    fn cut(&mut self) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.call.is_over {
            return Poll::Ready(None);
        }
        let (status, mut trailers) = (status::node_ends(), HeaderMap::new());
        self.call.over(&status);
        Poll::Ready(Some(match status.add_header(&mut trailers) {
            Ok(()) => Ok(Frame::trailers(trailers)),
            Err(status) => Err(status),
        }))
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(end) = &mut self.end
            && end.as_mut().poll(context).is_ready()
        {
            self.end = None;
        }
        let ends = self.end.is_none();
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending if ends => self.cut(),
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    let status = Status::from_header_map(trailers);
                    self.call.over(&status.unwrap_or_else(|| Status::ok("")));
                } else if ends {
                    match self.left.checked_sub(1) {
                        Some(left) => self.left = left,
                        None => return self.cut(),
                    }
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(status))) => {
                self.call.over(&status);
                Poll::Ready(Some(Err(status)))
            }
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
