//! Making a new node: keys, charter, card, store, configuration. Never overwrites anything.

use std::path::{Path, PathBuf};

use corridor_proto::card::{Card, SignedCard};
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::id::next_ordinal;
use corridor_proto::key::SecretKey;
use corridor_proto::kinds::{self, FieldViolation};
use corridor_proto::limits::PROTOCOL_VERSION;
use corridor_proto::{RcpId, Refusal, UnixMillis};
use corridor_store::StoreError;

use super::access::{Access, Role};
use super::config::{self, Config, is_address};
use super::files::{FileError, create_folder, write_secret};
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
    /// Names that may not be signed.
    #[error(
        "the names of this process (--name, names in config.toml) cannot be signed: {}", list(.0)
    )]
    Names(Vec<FieldViolation>),
    /// A card without a name tells nobody whose it is.
    #[error(
        "name the process as its partners know it: --name en='…', once for each language (names in \
         config.toml)"
    )]
    NoName,
    /// Nobody can dial this.
    #[error(
        "{0:?} is no address; write host:port, such as node.example.org:7400 (advertise in \
         config.toml)"
    )]
    Address(String),
    /// Something composed breaks the protocol: an address that is too long.
    #[error(transparent)]
    Protocol(#[from] Refusal),
    /// The first facts, or a rotation that is not allowed now.
    #[error(transparent)]
    Refused(#[from] corridor_rules::desk::DeskRefusal),
    /// The recovery key would lie with what it is to recover.
    #[error(
        "{} lies in the data folder {}, where a thief or a broken disk would take the recovery key \
         too; name a place outside it, such as a memory stick", recovery.display(), data.display()
    )]
    NotApart {
        /// Where it was to be written.
        recovery: PathBuf,
        /// The data folder.
        data: PathBuf,
    },
    /// The key in the folder is not the one that signs: a rotation did not come to its end.
    #[error(
        "a rotation of {} did not come to its end; run corridor-node serve, which finishes it, \
         and stop it again first", .0.display()
    )]
    HalfRotated(PathBuf),
    /// A restore did not come to its end.
    #[error(
        "a restore into {} did not come to its end; run corridor-node backup restore again, which \
         begins anew", .0.display()
    )]
    HalfRestored(PathBuf),
    /// Whether a rotation happened is for the next start to find out.
    #[error(
        "it is not known whether the signing key was replaced ({why}); keep both recovery keys, \
         {} too, and run corridor-node serve: if it says that it signs with key event {seq}, the \
         new recovery key counts, else the old one", next_recovery.display()
    )]
    RotationUnknown {
        /// The key event of the rotation.
        seq: u32,
        /// Where the next recovery key was written.
        next_recovery: PathBuf,
        /// What happened.
        #[source]
        why: Box<InitError>,
    },
}

/// The secretariat's own profile, in the data folder.
const PROFILE: &str = "client.toml";

fn list(violations: &[FieldViolation]) -> String {
    violations
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
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

/// Makes a node in `data`. The recovery key is written to `recovery`, which lies elsewhere.
///
/// # Errors
/// [`InitError`]; what exists stays as it is.
pub fn init(data: &Path, recovery: &Path, config: &Config) -> Result<Made, InitError> {
    let io = |source| FileError::io(data, source);
    if config.names.is_empty() {
        return Err(InitError::NoName);
    }
    names(config)?;
    if let Some(bad) = config.advertise.iter().find(|address| !is_address(address)) {
        return Err(InitError::Address(bad.clone()));
    }
    apart(recovery, data)?;
    let (settings, profile) = (data.join(config::FILE), data.join(PROFILE));
    for path in [recovery, &settings, &profile, &data.join("journal")] {
        if path.exists() && !is_left_over(data, path) {
            let path = path.to_owned();
            return Err(FileError::Exists { path }.into());
        }
    }
    if let Some(parent) = data.parent() {
        std::fs::create_dir_all(parent).map_err(io)?;
    }
    match create_folder(data) {
        Ok(()) | Err(FileError::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let folder = KeyFolder::of(data);
    folder.create()?;
    let made = make(data, recovery, config, &folder);
    if made.is_err() {
        // All of this was made just now, and never was a node: the next attempt begins afresh.
        let _ = std::fs::remove_dir_all(data.join("keys"));
        for path in [&data.join(config::FILE), &data.join(PROFILE), recovery] {
            let _ = std::fs::remove_file(path);
        }
    }
    made
}

/// Whether a journal was left by an attempt that did not reach its end.
fn is_left_over(data: &Path, path: &Path) -> bool {
    path.ends_with("journal") && !data.join("format").exists() && !data.join("keys").exists()
}

fn make(
    data: &Path,
    recovery: &Path,
    config: &Config,
    folder: &KeyFolder,
) -> Result<Made, InitError> {
    let io = |source| FileError::io(data, source);
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
        if let Err(error) = edge::fill(bytes) {
            failed = Some(error);
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

/// Refuses to write the recovery key into the data folder, by whatever way it is named.
///
/// # Errors
/// [`InitError::NotApart`], [`InitError::File`].
pub fn apart(recovery: &Path, data: &Path) -> Result<(), InitError> {
    if real(recovery)?.starts_with(real(data)?) {
        return Err(InitError::NotApart {
            recovery: recovery.to_owned(),
            data: data.to_owned(),
        });
    }
    Ok(())
}

/// Where a path leads, whether or not its last parts exist yet.
fn real(path: &Path) -> Result<PathBuf, FileError> {
    let io = |source| FileError::io(path, source);
    let whole = std::path::absolute(path).map_err(io)?;
    for there in whole.ancestors() {
        match std::fs::canonicalize(there) {
            Ok(found) => {
                let rest = whole.strip_prefix(there).ok();
                return Ok(rest.map_or_else(|| found.clone(), |rest| found.join(rest)));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(io(source)),
        }
    }
    Ok(whole)
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
    let names = names(config)?;
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

/// The names for the card, ascending by their tags.
fn names(config: &Config) -> Result<Vec<(String, String)>, InitError> {
    let names = config.language_texts();
    kinds::check_names(&names).map_err(InitError::Names)?;
    Ok(names
        .into_iter()
        .map(|name| (name.tag, name.text))
        .collect())
}

/// The profile by which the secretariat's own tools find and know this node.
pub(super) fn write_profile(
    data: &Path,
    config: &Config,
    server_key: &str,
) -> Result<PathBuf, FileError> {
    let token = Access::of(data).create(&Role::SECRETARIAT, "made at init", UnixMillis(0))?;
    let path = data.join(PROFILE);
    let text = profile_text(&config.api_listen.to_string(), server_key, &token);
    write_secret(&path, text.as_bytes())?;
    Ok(path)
}

/// A profile: where a node listens for its own people, its key there, and an access token.
pub fn profile_text(address: &str, server_key: &str, token: &str) -> String {
    format!(
        "# How the tools of this secretariat reach its node. Keep it to yourself: whoever has the\n\
         # token in it may see and do what you may.\n\
         address = \"{address}\"\nserver_key = \"{server_key}\"\ntoken = \"{token}\"\n"
    )
}
