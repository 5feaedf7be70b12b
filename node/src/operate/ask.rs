//! Asks the running node of this folder whether it serves, as any tool of gRPC would.
//!
//! **Invariant:** only a listener that has the key of this folder is believed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::keys::KeyFolder;
use crate::limits::CALL_TIME;

/// Whether a service of the node in `data` that listens at `place` is serving; without a name the
/// whole node.
///
/// # Errors
/// Why it cannot be asked, in words.
pub async fn health(data: &Path, place: SocketAddr, service: &str) -> Result<bool, String> {
    let asked = tokio::time::timeout(CALL_TIME, ask(data, place, service));
    asked
        .await
        .unwrap_or_else(|_| Err("no answer within ten seconds".to_owned()))
}

async fn ask(data: &Path, place: SocketAddr, service: &str) -> Result<bool, String> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(channel(data, place).await?)
        .check(request)
        .await;
    let answer = answer
        .map_err(|status| status.message().to_owned())?
        .into_inner();
    Ok(answer.status() == ServingStatus::Serving)
}

/// A connection to the own listener of the node in `data`, at `place`.
///
/// # Errors
/// Why there is none, in words.
pub async fn channel(data: &Path, place: SocketAddr) -> Result<Channel, String> {
    let own = KeyFolder::of(data).read_tls("api");
    let der = own
        .and_then(|own| own.der())
        .map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    roots.add(der.into()).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(place)
        .await
        .map_err(|error| error.to_string())?;
    let name = ServerName::try_from("localhost").map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector
        .connect(name, tcp)
        .await
        .map_err(|error| error.to_string())?;
    let mut once = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_: http::Uri| {
        let stream = once.take();
        async move { stream.ok_or_else(|| std::io::Error::other("the connection ended")) }
    });
    Endpoint::from_static("http://node.corridor.invalid")
        .connect_with_connector(connector)
        .await
        .map_err(|error| error.to_string())
}
