//! The connection to a node: TLS 1.3 to the one key that the profile names.
//!
//! Certificates of nodes are signed by themselves; what counts is the hash of the public key, and
//! that whoever answers can sign with it. **Invariant:** no resumption, no early data, no signature
//! that was not verified, no other version than 1.3.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use corridor_proto::Hash;
use corridor_proto::card::tls_key_hash;
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Uri;

use crate::limits::CONNECT_TIME;

/// Why there is no connection.
#[derive(Debug, Error)]
pub(crate) enum DialError {
    #[error("nothing answers there")]
    Tcp(#[source] io::Error),
    #[error("no answer within {} seconds", CONNECT_TIME.as_secs())]
    TimedOut,
    #[error("its key is not the one that the profile names")]
    WrongKey,
    #[error("no secure connection could be made")]
    Tls(#[source] io::Error),
    #[error("TLS cannot be set up on this machine")]
    Setup(#[source] rustls::Error),
}

/// Accepts the one pinned key, and only from somebody who can sign with it.
#[derive(Debug)]
struct PinnedKey {
    pin: Hash,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let (rest, parsed) = x509_parser::parse_x509_certificate(certificate)
            .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if !rest.is_empty() {
            return Err(rustls::Error::InvalidCertificate(
                CertificateError::BadEncoding,
            ));
        }
        if tls_key_hash(parsed.public_key().raw) != self.pin {
            return Err(rustls::Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Connects to one address with one key, over and over.
#[derive(Clone)]
pub(crate) struct Dialler {
    address: Arc<str>,
    tls: TlsConnector,
}

impl Dialler {
    /// For the node at `address` with the key `pin`.
    pub(crate) fn new(address: &str, pin: Hash) -> Result<Self, DialError> {
        let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = PinnedKey {
            pin,
            algorithms: provider.signature_verification_algorithms,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(DialError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            address: address.into(),
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    async fn dial(self) -> Result<TokioIo<TlsStream<TcpStream>>, DialError> {
        let connect = async {
            let tcp = TcpStream::connect(&*self.address)
                .await
                .map_err(DialError::Tcp)?;
            tcp.set_nodelay(true).map_err(DialError::Tcp)?;
            // The name is never sent and never compared: the key is.
            let name = ServerName::try_from("corridor.invalid")
                .map_err(|_| DialError::Setup(rustls::Error::General("name".into())))?;
            self.tls.connect(name, tcp).await.map_err(tls_error)
        };
        tokio::time::timeout(CONNECT_TIME, connect)
            .await
            .map_err(|_| DialError::TimedOut)?
            .map(TokioIo::new)
    }
}

/// A certificate of another key, or of the right key in the hands of somebody who cannot sign with
/// it, is the same to us.
fn tls_error(error: io::Error) -> DialError {
    let found = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match found {
        Some(rustls::Error::InvalidCertificate(_)) => DialError::WrongKey,
        _ => DialError::Tls(error),
    }
}

impl tower::Service<Uri> for Dialler {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().dial())
    }
}
