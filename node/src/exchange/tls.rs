//! TLS between nodes: version 1.3, both sides with a self-signed certificate that names the RcpId.
//!
//! A verifier here proves possession of the certificate's key and reads the name; whether that key
//! is the one pinned by the newest card is decided after the handshake, so that a refusal can be
//! read by the other side. No session is ever resumed. **Invariant:** the handshake signature is
//! verified, on both sides, for every connection.

use std::sync::Arc;

use corridor_proto::{Hash, RcpId};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    ServerConfig, SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::prelude::{FromDer, GeneralName};

use crate::operate::files::FileError;
use crate::operate::keys::{TlsKey, certificate_key_hash};

/// Letters of an issuer's name that are told.
const ISSUER_CHARS: usize = 80;

/// What a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCert {
    /// The RcpId in its only name.
    pub rcp: RcpId,
    /// Hash of its public key.
    pub key: Hash,
}

impl PeerCert {
    /// Reads a certificate whose only name is `<RcpId>.corridor.invalid`.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok()??;
        let [GeneralName::DNSName(name)] = names.value.general_names.as_slice() else {
            return None;
        };
        let rcp = name.strip_suffix(".corridor.invalid")?.parse().ok()?;
        Some(Self {
            rcp,
            key: certificate_key_hash(der)?,
        })
    }
}

/// Both roles of a node in TLS with its peers.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Tls {
    /// From the transport key towards peers.
    ///
    /// # Errors
    /// [`FileError::Content`] if key and certificate cannot be used.
    pub fn new(key: &TlsKey) -> Result<Self, FileError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Possession(Arc::clone(&provider)));
        let (chain, private) = identity(key)?;
        let unusable = |_| key.unusable();
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(Arc::clone(&verifier) as Arc<dyn ClientCertVerifier>)
            .with_single_cert(chain.clone(), private.clone_key())
            .map_err(unusable)?;
        forbid_resumption(&mut server);
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_auth_cert(chain, private)
            .map_err(unusable)?;
        client.resumption = rustls::client::Resumption::disabled();
        client.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
        })
    }

    /// Accepts connections.
    pub const fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Makes connections.
    pub const fn connector(&self) -> &TlsConnector {
        &self.connector
    }
}

/// The listener's side for secretariats and integrators: no client certificate.
///
/// # Errors
/// [`FileError::Content`] if key and certificate cannot be used.
pub fn api_acceptor(key: &TlsKey) -> Result<TlsAcceptor, FileError> {
    let (chain, private) = identity(key)?;
    let unusable = |_| key.unusable();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(unusable)?;
    forbid_resumption(&mut server);
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn forbid_resumption(server: &mut ServerConfig) {
    server.send_tls13_tickets = 0;
    server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    server.alpn_protocols = vec![b"h2".to_vec()];
}

fn identity(
    key: &TlsKey,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), FileError> {
    let private = PrivateKeyDer::from_pem_slice(key.key.as_bytes()).map_err(|_| key.unusable())?;
    Ok((vec![CertificateDer::from(key.der()?)], private))
}

/// Any well-formed certificate of a node, if the other side has its key.
#[derive(Debug)]
struct Possession(Arc<CryptoProvider>);

impl Possession {
    fn named(certificate: &CertificateDer<'_>) -> Result<PeerCert, Error> {
        PeerCert::read(certificate).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
    }

    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn only_tls13() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::PeerIncompatible(
        rustls::PeerIncompatible::Tls13RequiredForQuic,
    ))
}

/// Whoever answers is not the partner: another node, or, with an issuer, no node at all.
#[derive(Debug)]
pub struct Stranger {
    /// Who issued its certificate, if that is none of a node.
    pub issuer: Option<String>,
}

impl Stranger {
    /// Out of what ended a handshake.
    pub fn of(error: &Error) -> Option<&Self> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
                other.downcast_ref()
            }
            _ => None,
        }
    }

    fn error(issuer: Option<String>) -> Error {
        let stranger = Arc::new(Self { issuer });
        Error::InvalidCertificate(CertificateError::Other(OtherError(stranger)))
    }
}

impl std::fmt::Display for Stranger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the certificate of somebody else")
    }
}

impl std::error::Error for Stranger {}

fn is_self_issued(der: &[u8]) -> bool {
    let read = x509_parser::certificate::X509Certificate::from_der(der);
    read.is_ok_and(|(_, certificate)| certificate.issuer() == certificate.subject())
}

/// The name of an issuer, cut short; what is no certificate has none.
fn issuer(der: &[u8]) -> String {
    let read = x509_parser::certificate::X509Certificate::from_der(der);
    let name = read.map_or_else(
        |_| "an unknown issuer".to_owned(),
        |(_, certificate)| certificate.issuer().to_string(),
    );
    let visible = name.chars().filter(|one| !one.is_control());
    visible.take(ISSUER_CHARS).collect()
}

impl ServerCertVerifier for Possession {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(cert) = PeerCert::read(certificate) else {
            return Err(Stranger::error(Some(issuer(certificate))));
        };
        // One that copies the name is issued by whoever opens the line; a node's issues itself.
        if !is_self_issued(certificate) {
            return Err(Stranger::error(Some(issuer(certificate))));
        }
        if server_name.to_str() != crate::operate::keys::peer_name(&cert.rcp) {
            return Err(Stranger::error(None));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        only_tls13()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Possession {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::named(certificate).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        only_tls13()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
