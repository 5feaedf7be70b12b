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
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::prelude::{FromDer, GeneralName};

use crate::operate::files::FileError;
use crate::operate::keys::{TlsKey, certificate_key_hash};

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
        PeerCert::read(certificate).ok_or(Error::InvalidCertificate(
            rustls::CertificateError::BadEncoding,
        ))
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

impl ServerCertVerifier for Possession {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = crate::operate::keys::peer_name(&Self::named(certificate)?.rcp);
        if server_name.to_str() != found {
            return Err(Error::InvalidCertificate(
                rustls::CertificateError::NotValidForName,
            ));
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
