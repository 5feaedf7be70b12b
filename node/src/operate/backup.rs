//! Backups of a node: what its store holds and its audit, and apart from them its keys and
//! configuration.
//!
//! Inside the encryption the store's backup comes first; behind its end stand the length of the
//! audit as eight bytes, the audit as it is, and the SHA-256 of it.
//! **Invariant:** nothing is written in the clear, nothing that exists is overwritten, and the keys
//! are in no file together with what they sign.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use age::secrecy::SecretString;
use age::{Decryptor, Encryptor, Identity, Recipient, scrypt, x25519};
use corridor_proto::UnixMillis;
use corridor_store::{BackupError, Contents, Signer, StoreError, back_up, read_backup, restore};
use zeroize::Zeroizing;

use super::audit::FILE as AUDIT;
use super::config::Config;
use super::files::{
    FileError, create_folder, read_secret, rename, replace_secret, wipe, write_secret,
};
use super::init::write_profile;
use super::keys::KeyFolder;
use crate::edge;

mod rest;

/// Shortest passphrase that is taken.
const PASSPHRASE_CHARS_MIN: usize = 16;
/// What trying a passphrase costs, as the binary logarithm of scrypt's N: as much as in the tool
/// age, half a second and 256 MiB of memory. It is not measured: a machine that is slower, or busy,
/// would refuse to open what a fast one wrote.
const PASSPHRASE_WORK_LOG2: u8 = 18;
/// The most that is spent on opening: 4 GiB of memory. Files of before have what was measured.
const PASSPHRASE_WORK_LOG2_MAX: u8 = 22;
/// Keys and configuration are small.
const KEYS_BYTES_MAX: u64 = 1024 * 1024;
/// Says in a folder that a restore is under way: it may begin again.
pub const UNDER_WAY: &str = "restore-under-way";
/// Says when the last backup was made.
const LAST: &str = "last-backup";
/// The configuration, beside the folder of the keys.
const CONFIG: &str = "config.toml";

/// Why a backup was not made, checked or restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The backup or the store.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The store, opened again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The passphrase is too easily guessed.
    #[error(
        "the passphrase in {} has fewer than {PASSPHRASE_CHARS_MIN} characters; take six random \
         words or more", .0.display()
    )]
    Passphrase(PathBuf),
    /// What locks or opens it cannot be read.
    #[error("{} holds no {what}", path.display())]
    Lock {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// It does not open.
    #[error("{} does not open with this passphrase or key: {why}", path.display())]
    Closed {
        /// Which file.
        path: PathBuf,
        /// What was said.
        why: String,
    },
    /// It cannot be encrypted to this recipient.
    #[error("it cannot be encrypted: {0}")]
    Encrypt(String),
    /// The folder has something in it.
    #[error(
        "{} is not empty; restore into an empty folder, and keep this one as it is", .0.display()
    )]
    NotEmpty(PathBuf),
    /// The key in the folder may not be the one that signs.
    #[error(
        "a rotation of {} did not come to its end; run corridor-node serve, which finishes it",
        .0.display()
    )]
    HalfRotated(PathBuf),
    /// The keys are not those of this backup.
    #[error(
        "these keys are not those that sign for {0} in this backup: a rotation lies between them; \
         take a backup and keys that were both saved before it, or both after it"
    )]
    OtherKeys(String),
}

/// What a backup is locked with, or opened.
pub enum Lock {
    /// A passphrase.
    Passphrase(SecretString),
    /// A key that the node need not have: `age1…`.
    Recipient(x25519::Recipient),
    /// Its secret half.
    Identity(x25519::Identity),
}

impl Lock {
    /// The passphrase on the first line of a file that only this user can read.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Passphrase`], [`Error::Lock`].
    pub fn passphrase(path: &Path) -> Result<Self, Error> {
        let text = first_line(path, "text")?;
        if text.chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(Error::Passphrase(path.to_owned()));
        }
        Ok(Self::Passphrase(SecretString::from(text.as_str())))
    }

    /// The secret key on the first line of a file that only this user can read.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Lock`].
    pub fn identity(path: &Path) -> Result<Self, Error> {
        let what = "secret key of age on its first line";
        let key = x25519::Identity::from_str(&first_line(path, what)?);
        let path = path.to_owned();
        key.map(Self::Identity)
            .map_err(|_| Error::Lock { path, what })
    }

    /// A key that is forgotten with this.
    pub(super) fn fresh() -> Self {
        Self::Identity(x25519::Identity::generate())
    }

    /// A public key, `age1…`.
    ///
    /// # Errors
    /// [`Error::Encrypt`].
    pub fn recipient(text: &str) -> Result<Self, Error> {
        let key = x25519::Recipient::from_str(text);
        key.map(Self::Recipient)
            .map_err(|why| Error::Encrypt(why.to_owned()))
    }

    fn encryptor(&self) -> Result<Encryptor, Error> {
        let (public, mut by_passphrase);
        let recipient: &dyn Recipient = match self {
            Self::Passphrase(passphrase) => {
                by_passphrase = scrypt::Recipient::new(passphrase.clone());
                by_passphrase.set_work_factor(PASSPHRASE_WORK_LOG2);
                &by_passphrase
            }
            Self::Recipient(recipient) => recipient,
            Self::Identity(identity) => {
                public = identity.to_public();
                &public
            }
        };
        Encryptor::with_recipients(std::iter::once(recipient))
            .map_err(|why| Error::Encrypt(why.to_string()))
    }

    /// The clear text of an encrypted file.
    fn open(&self, path: &Path) -> Result<impl Read + use<>, Error> {
        let file = File::open(path).map_err(|source| FileError::io(path, source))?;
        let closed = |why: String| Error::Closed {
            path: path.to_owned(),
            why,
        };
        let mut by_passphrase;
        let key: &dyn Identity = match self {
            Self::Passphrase(passphrase) => {
                by_passphrase = scrypt::Identity::new(passphrase.clone());
                by_passphrase.set_max_work_factor(PASSPHRASE_WORK_LOG2_MAX);
                &by_passphrase
            }
            Self::Identity(identity) => identity,
            Self::Recipient(_) => return Err(closed("a public key opens nothing".to_owned())),
        };
        let decryptor = Decryptor::new_buffered(BufReader::new(file));
        decryptor
            .and_then(|decryptor| decryptor.decrypt(std::iter::once(key)))
            .map_err(|why| closed(why.to_string()))
    }
}

fn first_line(path: &Path, what: &'static str) -> Result<Zeroizing<String>, Error> {
    let bytes = Zeroizing::new(read_secret(path)?);
    let text = std::str::from_utf8(&bytes).ok().unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    // What the tools of age write begins with remarks.
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    line.map(|line| Zeroizing::new(line.to_owned()))
        .ok_or_else(|| Error::Lock {
            path: path.to_owned(),
            what,
        })
}

/// Writes an encrypted file that appears under its name only once it is whole.
fn write_locked<T>(
    path: &Path,
    lock: &Lock,
    write: impl FnOnce(&mut dyn Write) -> Result<T, Error>,
) -> Result<T, Error> {
    let io = |source| FileError::io(path, source);
    if path.exists() {
        return Err(FileError::Exists {
            path: path.to_owned(),
        }
        .into());
    }
    let encryptor = lock.encryptor()?;
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut options = OpenOptions::new();
    options.create_new(true).write(true).mode(0o600);
    let file = options.open(&part);
    let file = file.map_err(|source| FileError::io(&part, source))?;
    let written = (|| {
        let mut encrypted = encryptor.wrap_output(BufWriter::new(file)).map_err(io)?;
        let done = write(&mut encrypted)?;
        let file = encrypted.finish().map_err(io)?;
        let file = file.into_inner().map_err(|error| io(error.into_error()))?;
        file.sync_all().map_err(io)?;
        rename(&part, path)?;
        Ok(done)
    })();
    if written.is_err() {
        // It would be in the way of the next attempt; that it stays is said by that.
        let _ = fs::remove_file(&part);
    }
    written
}

/// Writes a backup of the node's store, running or not: everything but its keys.
///
/// # Errors
/// [`Error`].
pub fn create(data: &Path, out: &Path, lock: &Lock) -> Result<Contents, Error> {
    let contents = write(data, out, lock)?;
    // The backup is whole whether or not it can be noted that there is one.
    if let Err(error) = replace_secret(&data.join(LAST), contents.made.0.to_string().as_bytes()) {
        tracing::warn!(%error, "it is not noted that a backup was made");
    }
    Ok(contents)
}

/// The same, without noting that there is a backup.
///
/// # Errors
/// [`Error`].
pub(super) fn write(data: &Path, out: &Path, lock: &Lock) -> Result<Contents, Error> {
    write_locked(out, lock, |encrypted| {
        let contents = back_up(data, edge::now(), encrypted)?;
        rest::put(&data.join(AUDIT), encrypted)?;
        Ok(contents)
    })
}

/// When the last backup of the node in `data` was made, as far as it was noted there.
pub fn last(data: &Path) -> Option<UnixMillis> {
    let text = fs::read_to_string(data.join(LAST)).ok()?;
    text.trim().parse().ok().map(UnixMillis)
}

/// Writes the node's keys and configuration, to be kept apart from its backups.
///
/// # Errors
/// [`Error`].
pub fn create_keys(data: &Path, out: &Path, lock: &Lock) -> Result<(), Error> {
    let folder = KeyFolder::of(data);
    if folder.has_next_signing() {
        return Err(Error::HalfRotated(data.to_owned()));
    }
    let mut files = BTreeMap::new();
    let config = data.join(CONFIG);
    let text = fs::read_to_string(&config).map_err(|source| FileError::io(&config, source))?;
    files.insert(CONFIG.to_owned(), Zeroizing::new(text));
    for (name, text) in folder.texts()? {
        files.insert(format!("keys/{name}"), text);
    }
    let map: BTreeMap<&str, &str> = files
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    let json = Zeroizing::new(serde_json::to_vec(&map).unwrap_or_default());
    write_locked(out, lock, |encrypted| {
        let written = encrypted.write_all(&json);
        Ok(written.map_err(|source| FileError::io(out, source))?)
    })
}

/// Reads a backup from its first byte to its last. `progress` hears how many groups were read.
///
/// # Errors
/// [`Error`]; what is damaged is named.
pub fn verify(path: &Path, lock: &Lock, progress: &mut dyn FnMut(u64)) -> Result<Contents, Error> {
    let mut groups = 0;
    let mut clear = lock.open(path)?;
    let contents = read_backup(&mut clear, &mut |_| {
        groups += 1;
        progress(groups);
        Ok(())
    })?;
    rest::take(&mut clear, path, &mut std::io::sink())?;
    Ok(contents)
}

/// Makes a node's folder anew out of a backup and its keys, with a fresh token for its secretariat.
/// The node signs nothing until its secretariat lets it.
///
/// # Errors
/// [`Error`]; the folder is no node's then, and may be restored into again.
pub fn restore_node(
    data: &Path,
    backup: &Path,
    keys: &Path,
    lock: &Lock,
) -> Result<Contents, Error> {
    begin(data)?;
    for (name, text) in read_keys(keys, lock)? {
        write_secret(&data.join(&name), text.as_bytes())?;
    }
    let mut clear = lock.open(backup)?;
    let contents = restore(&mut clear, data, edge::now())?;
    rest::restore(&data.join(AUDIT), &mut clear, backup)?;
    let signing = KeyFolder::of(data).read()?.signing;
    let public = signing.public_bytes();
    let (store, _) = corridor_store::open(data, Arc::new(Signer::new(signing)), &mut |_, _| {})?;
    let signs = store.read(|view| {
        let charter = view.charter(&view.me)?;
        Some(
            charter
                .key("charter", charter.current_seq())
                .ok()?
                .to_bytes(),
        )
    });
    store.close()?;
    if signs != Some(public) {
        // Nothing here is wanted as it is: the next attempt begins with an empty folder.
        wipe(data).map_err(|source| FileError::io(data, source))?;
        return Err(Error::OtherKeys(contents.rcp.to_string()));
    }
    let api = KeyFolder::of(data).read()?.api.hash()?.to_string();
    write_profile(data, &Config::read(data)?, &api)?;
    super::files::remove(&data.join(UNDER_WAY))?;
    Ok(contents)
}

/// An empty folder, or one in which a restore did not come to its end.
fn begin(data: &Path) -> Result<(), Error> {
    let io = |source| FileError::io(data, source);
    match create_folder(data) {
        Ok(()) => {}
        Err(FileError::Exists { .. }) => {
            if data.join(UNDER_WAY).exists() {
                fs::remove_dir_all(data).map_err(io)?;
                create_folder(data)?;
            } else if fs::read_dir(data).map_err(io)?.next().is_some() {
                return Err(Error::NotEmpty(data.to_owned()));
            }
        }
        Err(error) => return Err(error.into()),
    }
    write_secret(&data.join(UNDER_WAY), b"")?;
    Ok(KeyFolder::of(data).create()?)
}

fn read_keys(path: &Path, lock: &Lock) -> Result<BTreeMap<String, Zeroizing<String>>, Error> {
    let mut json = Zeroizing::new(Vec::new());
    let mut clear = lock.open(path)?.take(KEYS_BYTES_MAX);
    clear
        .read_to_end(&mut json)
        .map_err(|source| FileError::io(path, source))?;
    let files: Option<BTreeMap<String, String>> = serde_json::from_slice(&json).ok();
    // Only names that a node has: nothing is written outside its folder.
    let is_ours = |name: &str| {
        let key = name.strip_prefix("keys/");
        name == CONFIG || key.is_some_and(|key| KeyFolder::NAMES.contains(&key))
    };
    let files = files.filter(|files| files.keys().all(|name| is_ours(name)));
    let files = files.ok_or_else(|| FileError::Content {
        path: path.to_owned(),
        what: "the keys of a node",
    })?;
    Ok(files
        .into_iter()
        .map(|(name, text)| (name, Zeroizing::new(text)))
        .collect())
}
