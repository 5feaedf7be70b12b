//! The profile: which node, its key, and the token that opens it.
//!
//! **Invariant:** a profile that others can read is refused, and its token is never shown.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use corridor_proto::Hash;
use serde::Deserialize;
use thiserror::Error;
use tonic::metadata::{Ascii, MetadataValue};
use zeroize::Zeroizing;

use crate::limits::{PROFILE_BYTES_MAX, TOKEN_BYTES_MAX};

/// What is wrong with a profile, and what to do.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// There is none.
    #[error(
        "there is no profile at {path}; ask who keeps the node running for one, and save it there"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The system did not let it be read.
    #[error("the profile {path} cannot be read")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read it, and with it the token.
    #[error(
        "the profile {path} can be read by others (mode {mode:o}); run: chmod 600 {path}; if it \
         lay open for long, ask for a new token"
    )]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not TOML with the three keys.
    #[error(
        "the profile {path} does not have its form: address, server_key and token, each a text in \
         quotation marks"
    )]
    Form {
        /// Which file.
        path: PathBuf,
    },
    /// A value that cannot be.
    #[error("{key} of the profile {what}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What is wrong with it, and what to do.
        what: &'static str,
    },
    /// Neither a file was named nor is there a place to look.
    #[error("no profile was named; use --profile FILE or set CORRIDOR_PROFILE")]
    NoPlace,
}

/// An access token; never shown, and it leaves memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// From its text.
    ///
    /// # Errors
    /// [`ProfileError::Value`] unless it is 1 to 4,096 printable ASCII characters without spaces.
    pub fn new(text: String) -> Result<Self, ProfileError> {
        let text = Zeroizing::new(text);
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > TOKEN_BYTES_MAX || !printable {
            return Err(ProfileError::Value {
                key: "token",
                what: "is no access token; copy it again, whole and without spaces",
            });
        }
        Ok(Self(text))
    }

    /// The value of the `authorization` header.
    pub(crate) fn bearer(&self) -> Option<MetadataValue<Ascii>> {
        let text = Zeroizing::new(format!("Bearer {}", self.0.as_str()));
        let mut value = MetadataValue::try_from(text.as_str()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

/// Which node, its key, and the token that opens it.
#[derive(Clone, Debug)]
pub struct Profile {
    /// `host:port` of the listener for secretariats and integrators.
    pub address: String,
    /// [`corridor_proto::card::tls_key_hash`] of that listener's public key.
    pub server_key: Hash,
    /// The access token.
    pub token: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    address: String,
    server_key: String,
    token: String,
}

impl Profile {
    /// A profile from its three values; `server_key` in base32.
    ///
    /// # Errors
    /// [`ProfileError::Value`].
    pub fn new(address: &str, server_key: &str, token: String) -> Result<Self, ProfileError> {
        let value = |key, what| ProfileError::Value { key, what };
        let port = address.rsplit_once(':').map(|(host, port)| {
            let host = !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
            host && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
        if port != Some(true) {
            return Err(value("address", "is no address; write it as host:port"));
        }
        Ok(Self {
            address: address.to_owned(),
            server_key: server_key.parse().map_err(|_| {
                value(
                    "server_key",
                    "is no key of a server; copy its 52 letters again",
                )
            })?,
            token: Secret::new(token)?,
        })
    }

    /// Reads a profile from a TOML file with the keys `address`, `server_key` and `token`.
    ///
    /// # Errors
    /// [`ProfileError`]; a file that anybody but its owner can read or write is refused.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => ProfileError::Missing {
                path: path.to_owned(),
            },
            _ => ProfileError::Io {
                path: path.to_owned(),
                source,
            },
        };
        let file = File::open(path).map_err(io)?;
        refuse_open(path, &file.metadata().map_err(io)?)?;
        let mut text = Zeroizing::new(String::new());
        file.take(PROFILE_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(io)?;
        Self::parse(path, &text)
    }

    /// Reads the text of a profile; `path` is where it came from.
    ///
    /// # Errors
    /// [`ProfileError::Form`], [`ProfileError::Value`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ProfileError> {
        // The parser's own message would quote the line, and the line may be the token's.
        let fields: Fields = toml::from_str(text).map_err(|_| ProfileError::Form {
            path: path.to_owned(),
        })?;
        Self::new(&fields.address, &fields.server_key, fields.token)
    }

    /// Where a profile lies unless another is named: `corridor/client.toml` in the user's folder
    /// for configuration, from the values of `XDG_CONFIG_HOME` and `HOME`.
    ///
    /// # Errors
    /// [`ProfileError::NoPlace`] if both are absent or empty.
    pub fn default_path(
        config_home: Option<PathBuf>,
        home: Option<PathBuf>,
    ) -> Result<PathBuf, ProfileError> {
        let is_set = |path: &PathBuf| path.is_absolute();
        config_home
            .filter(is_set)
            .or_else(|| Some(home.filter(is_set)?.join(".config")))
            .map(|folder| folder.join("corridor").join("client.toml"))
            .ok_or(ProfileError::NoPlace)
    }
}

#[cfg(unix)]
fn refuse_open(path: &Path, metadata: &std::fs::Metadata) -> Result<(), ProfileError> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(ProfileError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_open(_: &Path, _: &std::fs::Metadata) -> Result<(), ProfileError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("client.toml");
        std::fs::write(&path, content).expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
        (folder, path)
    }

    fn content() -> String {
        let key = Hash::new([7; 32]);
        format!("address = \"127.0.0.1:7500\"\nserver_key = \"{key}\"\ntoken = \"sesame\"\n")
    }

    #[test]
    fn a_profile_of_its_owner_alone_is_read() {
        let (_folder, path) = file(&content(), 0o600);
        let profile = Profile::read(&path).expect("profile");
        assert_eq!(profile.address, "127.0.0.1:7500");
        assert_eq!(profile.server_key, Hash::new([7; 32]));
        assert!(!format!("{profile:?}").contains("sesame"));
        let (_folder, path) = file(&content(), 0o400);
        assert!(Profile::read(&path).is_ok());
    }

    #[test]
    fn a_profile_that_others_can_read_is_refused_with_what_to_do() {
        for mode in [0o644, 0o640, 0o660, 0o604] {
            let (_folder, path) = file(&content(), mode);
            let error = Profile::read(&path).expect_err("open");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_token() {
        let spoilt = [
            (content().replace("token", "tokn"), "does not have its form"),
            (content().replace("sesame", ""), "token of the profile"),
            (content().replace(":7500", ""), "write it as host:port"),
            (content().replace(":7500", ":0"), "write it as host:port"),
            (
                content().replace("server_key = \"", "server_key = \"A"),
                "52 letters",
            ),
            (
                content().replace("sesame\"", "sesame"),
                "does not have its form",
            ),
        ];
        for (text, expect) in spoilt {
            let (_folder, path) = file(&text, 0o600);
            let error = Profile::read(&path).expect_err("spoilt").to_string();
            assert!(error.contains(expect), "{error}");
            assert!(!error.contains("sesame"), "{error}");
        }
    }

    #[test]
    fn the_default_place_is_in_the_users_configuration() {
        let path = |config: &str, home: &str| {
            Profile::default_path(Some(config.into()), Some(home.into())).ok()
        };
        assert_eq!(path("/c", "/h"), Some("/c/corridor/client.toml".into()));
        assert_eq!(
            path("", "/h"),
            Some("/h/.config/corridor/client.toml".into())
        );
        assert_eq!(path("", ""), None);
    }
}
