//! The keys of a node: signing, transport, bundles; and the recovery key, which is kept elsewhere.

use std::path::{Path, PathBuf};

use corridor_proto::card::tls_key_hash;
use corridor_proto::key::SecretKey;
use corridor_proto::{Hash, RcpId};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

use super::files::{
    FileError, create_folder, read_secret, remove, rename, replace_secret, write_secret,
};
use crate::edge;

/// What the names of a transport key's files end in.
const CERTIFICATE: &str = "cert.pem";
const KEY: &str = "key.pem";

/// A private transport key with its certificate.
pub struct TlsKey {
    /// The certificate, PEM.
    pub certificate: String,
    /// The private key, PEM.
    pub key: Zeroizing<String>,
    /// Where the two lie, without what their names end in.
    files: PathBuf,
}

/// All keys that a running node needs.
pub struct Keys {
    /// Signs records, heads, cards and receipts.
    pub signing: SecretKey,
    /// Transport key towards peers.
    pub peer: TlsKey,
    /// Transport key towards secretariats and integrators.
    pub api: TlsKey,
}

/// Where the keys lie.
#[derive(Clone, Debug)]
pub struct KeyFolder(PathBuf);

impl KeyFolder {
    /// The keys of the node in `data`.
    pub fn of(data: &Path) -> Self {
        Self(data.join("keys"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the folder for this user alone.
    ///
    /// # Errors
    /// [`FileError::Exists`], [`FileError::Io`].
    pub fn create(&self) -> Result<(), FileError> {
        create_folder(&self.0)
    }

    /// Writes fresh keys.
    ///
    /// # Errors
    /// [`FileError`]; nothing is overwritten.
    pub fn write(&self, rcp: &RcpId, signing: &SecretKey) -> Result<(), FileError> {
        write_secret(&self.file("signing.key"), secret_text(signing).as_bytes())?;
        let peer = make_tls_key(&self.file("peer"), vec![peer_name(rcp)])?;
        write_tls(&peer)?;
        let names = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        write_tls(&make_tls_key(&self.file("api"), names)?)?;
        let bundle = edge::random::<32>().map_err(|source| FileError::io(&self.0, source))?;
        let text = Zeroizing::new(data_encoding::HEXLOWER.encode(&bundle));
        write_secret(&self.file("bundle.key"), text.as_bytes())
    }

    /// The files of the keys.
    pub const NAMES: [&str; 6] = [
        "signing.key",
        "bundle.key",
        "peer.cert.pem",
        "peer.key.pem",
        "api.cert.pem",
        "api.key.pem",
    ];

    /// What the files hold, by their names.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn texts(&self) -> Result<Vec<(&'static str, Zeroizing<String>)>, FileError> {
        let text = |name| {
            let path = self.file(name);
            let text = String::from_utf8(read_secret(&path)?);
            let what = "a key of this node";
            let text = text.map_err(|_| FileError::Content { path, what })?;
            Ok((name, Zeroizing::new(text)))
        };
        Self::NAMES.into_iter().map(text).collect()
    }

    /// Reads all keys.
    ///
    /// # Errors
    /// [`FileError::Open`] if others can read one of them, [`FileError::Content`],
    /// [`FileError::Io`].
    pub fn read(&self) -> Result<Keys, FileError> {
        // Read at every start, so that a file that others can read is never used.
        self.bundle_public()?;
        Ok(Keys {
            signing: read_key(&self.file("signing.key"))?,
            peer: self.read_tls("peer")?,
            api: self.read_tls("api")?,
        })
    }

    /// Reads the transport key of that name: `peer` or `api`.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read_tls(&self, name: &str) -> Result<TlsKey, FileError> {
        let text = |path: PathBuf| {
            let bytes = read_secret(&path)?;
            String::from_utf8(bytes).map_err(|_| FileError::Content {
                path,
                what: "a PEM file of this node",
            })
        };
        let files = self.file(name);
        Ok(TlsKey {
            certificate: text(files.with_extension(CERTIFICATE))?,
            key: Zeroizing::new(text(files.with_extension(KEY))?),
            files,
        })
    }

    /// The public key to which bundles for this node are encrypted.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn bundle_public(&self) -> Result<[u8; 32], FileError> {
        let path = self.file("bundle.key");
        let secret = x25519_dalek::StaticSecret::from(*read_seed(&path)?);
        Ok(x25519_dalek::PublicKey::from(&secret).to_bytes())
    }

    /// The key that opens them.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn bundle_secret(&self) -> Result<Zeroizing<[u8; 32]>, FileError> {
        read_seed(&self.file("bundle.key"))
    }

    /// Whether a rotation is under way.
    pub fn has_next_signing(&self) -> bool {
        self.file("signing.next.key").exists()
    }

    /// Writes the signing key of a rotation that is about to happen.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn prepare_signing(&self, key: &SecretKey) -> Result<(), FileError> {
        replace_secret(&self.file("signing.next.key"), secret_text(key).as_bytes())
    }

    /// The signing key of a rotation that happened, or was about to.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn next_signing(&self) -> Result<SecretKey, FileError> {
        read_key(&self.file("signing.next.key"))
    }

    /// Puts it in the place of the old one.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn adopt_signing(&self) -> Result<(), FileError> {
        rename(&self.file("signing.next.key"), &self.file("signing.key"))
    }

    /// Forgets the signing key of a rotation that did not happen.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn forget_next_signing(&self) -> Result<(), FileError> {
        remove(&self.file("signing.next.key"))
    }
}

/// The only name in a peer's certificate.
pub fn peer_name(rcp: &RcpId) -> String {
    format!("{rcp}.corridor.invalid")
}

/// A secret key as it is written to its file: 64 hexadecimal digits.
pub fn secret_text(key: &SecretKey) -> Zeroizing<String> {
    let seed = Zeroizing::new(key.seed());
    Zeroizing::new(data_encoding::HEXLOWER.encode(seed.as_slice()) + "\n")
}

/// Reads a key file.
///
/// # Errors
/// [`FileError`].
pub fn read_key(path: &Path) -> Result<SecretKey, FileError> {
    Ok(SecretKey::from_seed(&*read_seed(path)?))
}

fn read_seed(path: &Path) -> Result<Zeroizing<[u8; 32]>, FileError> {
    let content = || FileError::Content {
        path: path.to_owned(),
        what: "a key file",
    };
    let text = Zeroizing::new(read_secret(path)?);
    let bytes = Zeroizing::new(
        data_encoding::HEXLOWER
            .decode(text.trim_ascii())
            .map_err(|_| content())?,
    );
    Ok(Zeroizing::new(
        bytes.as_slice().try_into().map_err(|_| content())?,
    ))
}

fn write_tls(key: &TlsKey) -> Result<(), FileError> {
    let certificate = key.files.with_extension(CERTIFICATE);
    write_secret(&certificate, key.certificate.as_bytes())?;
    write_secret(&key.files.with_extension(KEY), key.key.as_bytes())
}

fn make_tls_key(files: &Path, names: Vec<String>) -> Result<TlsKey, FileError> {
    let failed =
        |error: rcgen::Error| FileError::io(files, std::io::Error::other(error.to_string()));
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(TlsKey {
        certificate: certificate.pem(),
        key: Zeroizing::new(key.serialize_pem()),
        files: files.to_owned(),
    })
}

/// Hash of a certificate's public key, by which cards and profiles pin it.
///
/// `der`: the certificate. `None` if it is no certificate.
pub fn certificate_key_hash(der: &[u8]) -> Option<Hash> {
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(der).ok()?;
    Some(tls_key_hash(certificate.tbs_certificate.subject_pki.raw))
}

impl TlsKey {
    /// The certificate, DER.
    ///
    /// # Errors
    /// [`FileError::Content`].
    pub fn der(&self) -> Result<Vec<u8>, FileError> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(self.certificate.as_bytes())
            .map_err(|_| self.no_certificate())?;
        Ok(pem.contents)
    }

    /// Hash of its public key.
    ///
    /// # Errors
    /// [`FileError::Content`].
    pub fn hash(&self) -> Result<Hash, FileError> {
        certificate_key_hash(&self.der()?).ok_or_else(|| self.no_certificate())
    }

    /// The name of its files, and when its certificate ends, in milliseconds, if it can be read.
    pub fn ends(&self) -> Option<(String, u64)> {
        let der = self.der().ok()?;
        let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(&der).ok()?;
        let seconds = certificate.validity().not_after.timestamp();
        let name = self.files.file_name()?.to_string_lossy().into_owned();
        Some((name, u64::try_from(seconds).ok()?.saturating_mul(1_000)))
    }

    fn no_certificate(&self) -> FileError {
        FileError::Content {
            path: self.files.with_extension(CERTIFICATE),
            what: "a certificate",
        }
    }

    /// What is said of a private key that cannot be used, or not with its certificate.
    pub fn unusable(&self) -> FileError {
        FileError::Content {
            path: self.files.with_extension(KEY),
            what: "the private key of the certificate beside it, or that one is damaged",
        }
    }
}
