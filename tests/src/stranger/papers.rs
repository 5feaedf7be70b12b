//! What a stranger shows in TLS: any certificate with any key, over any version.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use corridor_node::operate::keys::{certificate_key_hash, peer_name};
use corridor_proto::{Hash, RcpId};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::wire::Line;
use crate::nodes::Office;

/// A certificate and a key, which need not belong together, and the version to speak.
#[derive(Clone, Debug)]
pub struct Papers {
    certified: Arc<CertifiedKey>,
    version: &'static SupportedProtocolVersion,
}

impl Papers {
    /// Fresh ones that name an RCP, whoever that is.
    pub fn of(rcp: &RcpId) -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = CertificateParams::new(vec![peer_name(rcp)])?.self_signed(&key)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signer = rustls::crypto::ring::sign::any_supported_type(&der)?;
        let chain = vec![certificate.der().clone()];
        Ok(Self {
            certified: Arc::new(CertifiedKey::new(chain, signer)),
            version: &rustls::version::TLS13,
        })
    }

    /// These, over TLS 1.2.
    pub fn over_tls12(&self) -> Self {
        Self {
            version: &rustls::version::TLS12,
            ..self.clone()
        }
    }

    /// A certificate that somebody else showed, with the key of these.
    pub fn under(&self, certificate: Vec<u8>) -> Self {
        let chain = vec![CertificateDer::from(certificate)];
        let certified = CertifiedKey::new(chain, Arc::clone(&self.certified.key));
        Self {
            certified: Arc::new(certified),
            ..self.clone()
        }
    }

    /// The certificate.
    pub fn certificate(&self) -> Vec<u8> {
        let certificate = self.certified.cert.first();
        certificate.map(|der| der.to_vec()).unwrap_or_default()
    }

    /// Hash of the public key in the certificate.
    pub fn key_hash(&self) -> Hash {
        certificate_key_hash(&self.certificate()).unwrap_or_default()
    }

    /// Dials a node with these. That the handshake was done on this side does not say that the node
    /// took it: it may still refuse the certificate.
    pub async fn dial(&self, office: &Office) -> Result<Line> {
        self.dial_with_window(office, 1 << 20).await
    }

    /// As [`Self::dial`], with so many bytes that the node may send ahead on a stream.
    pub async fn dial_with_window(&self, office: &Office, bytes: u32) -> Result<Line> {
        let stream = self.dial_raw(office.address(), &office.rcp).await?;
        Line::over(stream, bytes).await
    }

    /// As [`Self::dial`], without a word of HTTP/2.
    pub async fn dial_raw(&self, address: SocketAddr, rcp: &RcpId) -> Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[self.version])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_client_cert_resolver(Arc::new(Only(Arc::clone(&self.certified))));
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(peer_name(rcp))?;
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, tcp);
        let stream = tokio::time::timeout(Duration::from_secs(5), shaken)
            .await
            .context("the handshake did not end")??;
        Ok(stream)
    }

    /// The side that is dialled.
    pub fn server(&self) -> Result<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[self.version])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Only(Arc::clone(&self.certified))));
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

/// Dials the listener of a node's own clients, whoever answers, and shows no certificate.
pub async fn dial_api(office: &Office) -> Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(office.api_address()).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from("localhost")?;
    Ok(TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await?)
}

/// Shows one certificate, whether or not the key fits.
#[derive(Debug)]
struct Only(Arc<CertifiedKey>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl ResolvesClientCert for Only {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Believes whoever answers: what is tested is the node's side.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
