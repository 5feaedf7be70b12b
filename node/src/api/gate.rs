//! What every call passes on its way in and out: the budget of its caller, and the words of a
//! refusal in the caller's language.
//!
//! **Invariant:** a call over its budget is refused before anything is looked up, and of whoever
//! calls the gate knows token or address alone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Layer, Service};

use super::budgets::{Budgets, Charge};
use super::reasons;
use super::status;

/// Puts the gate before the services.
#[derive(Clone, Debug)]
pub struct GateLayer(pub Arc<Budgets>);

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        let budgets = Arc::clone(&self.0);
        Gate { inner, budgets }
    }
}

/// A service behind the gate.
#[derive(Clone, Debug)]
pub struct Gate<S> {
    inner: S,
    budgets: Arc<Budgets>,
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

/// How long a caller waits that has too many calls under way.
const AT_ONCE_WAIT_MS: u64 = 1_000;
/// The call by which somebody asks whether the node serves.
const HEALTH: &str = "/grpc.health.v1.Health/Check";

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let accepted = request.headers().get(http::header::ACCEPT_LANGUAGE);
        let accepted = accepted.and_then(|value| value.to_str().ok());
        let language = reasons::language(accepted.unwrap_or_default());
        if request.uri().path() == HEALTH {
            // Whatever looks after the node asks, and is not kept away by those who ask too much.
            return Box::pin(self.inner.call(request));
        }
        let charge = Charge::of(&self.budgets, &request);
        let under_way = charge.begin();
        let wait_ms = match under_way {
            Some(_) => charge.take(1),
            None => AT_ONCE_WAIT_MS,
        };
        if wait_ms > 0 {
            let mut answer = status::too_often(wait_ms).into_http();
            localise(answer.headers_mut(), language);
            return Box::pin(std::future::ready(Ok(answer)));
        }
        request.extensions_mut().insert(charge);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let (mut parts, body) = answer.await?.into_parts();
            localise(&mut parts.headers, language);
            let body = body.map_frame(move |frame| {
                // It is under way until its answer is taken.
                let _ = &under_way;
                match frame.into_trailers() {
                    Ok(mut trailers) => {
                        localise(&mut trailers, language);
                        http_body::Frame::trailers(trailers)
                    }
                    Err(frame) => frame,
                }
            });
            Ok(Response::from_parts(parts, Body::new(body)))
        })
    }
}

/// Adds to a refusal what its caller is told in a language.
fn localise(headers: &mut HeaderMap, language: &'static str) {
    let Some(refused) = Status::from_header_map(headers) else {
        return;
    };
    let mut details = refused.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    let text = reason.and_then(|reason| reasons::text(&reason, language));
    let (Some(text), false) = (text, refused.code() == Code::Ok) else {
        return;
    };
    details.set_localized_message(language, text);
    let told = Status::with_error_details_and_metadata(
        refused.code(),
        refused.message(),
        details,
        MetadataMap::new(),
    );
    for header in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        headers.remove(header);
    }
    // It is made of what was in headers before.
    let _ = told.add_header(headers);
}
