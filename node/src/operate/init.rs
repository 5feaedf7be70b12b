//! Making a new node: keys, charter, card, store, configuration. Never overwrites anything.

use std::path::{Path, PathBuf};

use corridor_proto::card::{Card, SignedCard};
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::id::next_ordinal;
use corridor_proto::key::SecretKey;
use corridor_proto::limits::PROTOCOL_VERSION;
use corridor_proto::{RcpId, Refusal, UnixMillis};
use corridor_store::StoreError;

use super::access::{Access, Scope};
use super::config::{self, Config};
use super::files::{FileError, write_secret};
use super::keys::{KeyFolder, secret_text};
use crate::edge;

/// Why a node was not made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something composed breaks the protocol: a name or address that is too long.
    #[error(transparent)]
    Protocol(#[from] Refusal),
    /// The first facts.
    #[error(transparent)]
    Begin(#[from] corridor_rules::desk::DeskRefusal),
}

/// A node as it was made.
#[derive(Debug)]
pub struct Made {
    /// Its RCP.
    pub rcp: RcpId,
    /// Where the recovery key was written.
    pub recovery: PathBuf,
    /// Profile for the secretariat's own tools.
    pub profile: PathBuf,
}

/// Makes a node in `data`. The recovery key is written to `recovery`, which should lie elsewhere.
///
/// # Errors
/// [`InitError`]; what exists stays as it is.
pub fn init(data: &Path, recovery: &Path, config: &Config) -> Result<Made, InitError> {
    let io = |source| FileError::io(data, source);
    std::fs::create_dir_all(data).map_err(io)?;
    if recovery.exists() {
        return Err(FileError::Exists {
            path: recovery.to_owned(),
        }
        .into());
    }
    let folder = KeyFolder::of(data);
    folder.create()?;
    let signing = fresh_key().map_err(io)?;
    let recovery_key = fresh_key().map_err(io)?;
    let charter = Charter::verify(vec![SignedKeyEvent::inception(&signing, &recovery_key)])?;
    let rcp = charter.rcp();
    write_recovery(recovery, &rcp, &recovery_key)?;
    folder.write(&rcp, &signing)?;
    let keys = folder.read()?;
    let now = edge::now();
    let card = sign_card(data, &charter, config, &signing, 0, now)?;
    let mut failed = None;
    let mut random = |bytes: &mut [u8]| {
        if let Err(error) = getrandom::fill(bytes) {
            failed = Some(std::io::Error::other(error.to_string()));
        }
    };
    let facts = corridor_rules::desk::begin(&charter, &card, now, &mut random, &signing)?;
    if let Some(error) = failed {
        return Err(io(error).into());
    }
    write_secret(&data.join(config::FILE), config.text(data)?.as_bytes())?;
    let profile = write_profile(data, config, &keys.api.hash()?.to_string())?;
    corridor_store::create(data, &facts)?;
    Ok(Made {
        rcp,
        recovery: recovery.to_owned(),
        profile,
    })
}

/// A fresh key.
///
/// # Errors
/// What the system says about its randomness.
pub fn fresh_key() -> std::io::Result<SecretKey> {
    let seed = zeroize::Zeroizing::new(edge::random::<32>()?);
    Ok(SecretKey::from_seed(&seed))
}

/// Writes a recovery key with words on where to keep it.
///
/// # Errors
/// [`FileError`].
pub fn write_recovery(path: &Path, rcp: &RcpId, key: &SecretKey) -> Result<(), FileError> {
    let text = zeroize::Zeroizing::new(format!(
        "# Recovery key of the Corridor node {rcp}\n\
         #\n\
         # It replaces a lost or stolen signing key, and nothing else. Whoever has it can take\n\
         # over the name of this process. Keep two copies on paper or on memory sticks, in\n\
         # two safes, in two buildings; never on the machine of the node, never in its\n\
         # backups, never in e-mail.\n\
         # Then delete this file.\n{}",
        secret_text(key).as_str()
    ));
    write_secret(path, text.as_bytes())
}

/// Reads a recovery key file; lines that begin with `#` are for people.
///
/// # Errors
/// [`FileError`].
pub fn read_recovery(path: &Path) -> Result<SecretKey, FileError> {
    let content = || FileError::Content {
        path: path.to_owned(),
        what: "a recovery key",
    };
    let text = zeroize::Zeroizing::new(super::files::read_secret(path)?);
    let text = std::str::from_utf8(&text).map_err(|_| content())?;
    let line = text
        .lines()
        .find(|line| !line.starts_with('#') && !line.trim().is_empty());
    let seed = data_encoding::HEXLOWER
        .decode(line.ok_or_else(content)?.trim().as_bytes())
        .map_err(|_| content())?;
    let seed: [u8; 32] = seed.try_into().map_err(|_| content())?;
    Ok(SecretKey::from_seed(&seed))
}

/// A card that says what configuration and key files say.
///
/// # Errors
/// [`InitError`].
pub fn sign_card(
    data: &Path,
    charter: &Charter,
    config: &Config,
    signing: &SecretKey,
    last_serial: u64,
    now: UnixMillis,
) -> Result<SignedCard, InitError> {
    let folder = KeyFolder::of(data);
    let mut names: Vec<(String, String)> = config
        .names
        .iter()
        .map(|name| (name.tag.clone(), name.name.clone()))
        .collect();
    names.sort();
    let card = Card {
        rcp: charter.rcp(),
        key_seq: charter.current_seq(),
        serial: next_ordinal(last_serial, now)
            .ok_or(Refusal::new("card", corridor_proto::Reason::Malformed))?,
        tls_key: folder.read()?.peer.hash()?,
        bundle_key: folder.bundle_public()?,
        versions: vec![PROTOCOL_VERSION],
        names,
        addresses: config.advertise.clone(),
    };
    Ok(card.sign(signing)?)
}

/// The profile by which the secretariat's own tools find and know this node.
fn write_profile(data: &Path, config: &Config, server_key: &str) -> Result<PathBuf, FileError> {
    let token = Access::of(data).create(Scope::Desk, "made at init", UnixMillis(0))?;
    let path = data.join("client.toml");
    let address = config.api_listen;
    let text = format!(
        "# How the tools of this secretariat reach its node. Keep it to yourself: the token in it\n\
         # opens everything that the secretariat may see and do.\n\
         address = \"{address}\"\nserver_key = \"{server_key}\"\ntoken = \"{token}\"\n"
    );
    write_secret(&path, text.as_bytes())?;
    Ok(path)
}
