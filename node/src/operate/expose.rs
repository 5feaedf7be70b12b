//! Serves the figures over HTTP, on a listener that is off unless it is configured.
//!
//! **Invariant:** at most so many connections at one time, none for longer than a scrape takes, and
//! one path with one answer. On an address of this machine alone a page in a browser cannot get at
//! them under another name.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::metrics::Meters;
use crate::limits::{CALL_TIME, METRICS_CONNECTIONS_MAX};

/// Where the figures are.
const PATH: &str = "/metrics";
/// The text of OpenMetrics, which Prometheus asks for.
const FORM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, meters: Arc<Meters>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(METRICS_CONNECTIONS_MAX));
    let here = listener
        .local_addr()
        .map(|address| address.ip().is_loopback());
    let here = here.unwrap_or(true);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Ok((stream, _)) = accepted else {
            // Descriptors may be used up: give others time to end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let meters = Arc::clone(&meters);
        tokio::spawn(async move {
            let _place = place;
            let answer = service_fn(move |request| {
                let answer = answer(&request, &meters, here);
                async move { Ok::<_, Infallible>(answer) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answer);
            // Whoever is cut off, or goes away, comes again.
            let _ = tokio::time::timeout(CALL_TIME, served).await;
        });
    }
}

fn answer(request: &Request<Incoming>, meters: &Meters, here: bool) -> Response<Full<Bytes>> {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    if here && !is_this_machine(host) {
        return plain(
            StatusCode::FORBIDDEN,
            "ask for it by the address of this machine",
        );
    }
    if request.uri().path() != PATH || request.method() != Method::GET {
        return plain(StatusCode::NOT_FOUND, "GET /metrics is all there is here");
    }
    match meters.text() {
        Ok(text) => {
            let mut answer = Response::new(Full::from(text));
            let form = header::HeaderValue::from_static(FORM);
            answer.headers_mut().insert(header::CONTENT_TYPE, form);
            answer
        }
        Err(_) => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the figures cannot be written",
        ),
    }
}

fn plain(code: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = code;
    answer
}

/// Whether the name by which a caller asks is an address, or the name that every machine has for
/// itself: a name of somebody else may lead here as well.
fn is_this_machine(host: &str) -> bool {
    let is_address = host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    is_address || name == "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_or_the_own_name_is_this_machine() {
        for host in [
            "127.0.0.1:7402",
            "[::1]:7402",
            "localhost",
            "localhost:7402",
            "127.0.0.1",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example:7402",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
