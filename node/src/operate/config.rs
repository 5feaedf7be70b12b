//! The configuration of a node: one documented file in its data folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::FileError;

/// Name of the file in the data folder.
pub const FILE: &str = "config.toml";

/// What can be configured. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where peers' nodes connect to.
    pub peer_listen: SocketAddr,
    /// Where secretariat and integrators connect to.
    pub api_listen: SocketAddr,
    /// Addresses on our card, as `host:port`; empty for a node that only dials out.
    #[serde(default)]
    pub advertise: Vec<String>,
    /// Whether nobody clears a text for release that they had a part in.
    #[serde(default)]
    pub four_eyes: bool,
    /// Names on our card, each with its language tag.
    #[serde(default)]
    pub names: Vec<Name>,
}

/// A name of the RCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// BCP 47 tag.
    pub tag: String,
    /// The name.
    pub name: String,
}

impl Config {
    /// Reads the configuration of the node in `data`.
    ///
    /// # Errors
    /// [`FileError::Io`] with the line and the key that do not fit.
    pub fn read(data: &Path) -> Result<Self, FileError> {
        let path = path(data);
        let text = std::fs::read_to_string(&path).map_err(|source| FileError::io(&path, source))?;
        Self::parse(&text)
            .map_err(|error| FileError::io(&path, std::io::Error::other(error.to_string())))
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    /// The line and the key that do not fit.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// [`FileError::Io`] for what TOML cannot say.
    pub fn text(&self, data: &Path) -> Result<String, FileError> {
        let body = toml::to_string(self).map_err(|error| {
            FileError::io(&path(data), std::io::Error::other(error.to_string()))
        })?;
        Ok(format!(
            "# Configuration of a Corridor node.\n\
             # peer_listen: where partners' nodes connect to.\n\
             # api_listen: where the secretariat's own tools connect to.\n\
             # advertise: the addresses that partners are told, as host:port.\n\
             # four_eyes: true if nobody clears for release what they wrote themselves.\n\
             # names: the name of the process in its languages.\n\n{body}"
        ))
    }
}

fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}
