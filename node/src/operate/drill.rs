//! Drills: what a secretariat does after a loss, a theft or a move, done to a copy of its node.
//!
//! The copy lies in a folder within the data folder, where what protects the one protects the
//! other, and is overwritten in the end; one that a crash left is overwritten by the next drill and
//! by the next start of the node. **Invariant:** the node itself is only read, the copy never
//! speaks to anybody, and no rotation that could be carried out lies on a disk.

use std::path::{Path, PathBuf};

use corridor_proto::charter::Charter;
use corridor_store::{Report, StoreError, free_bytes, look, verify_store};

use super::backup::{self, Lock};
use super::files::{FileError, create_folder, is_roots_hand_in, wipe};
use super::init::{InitError, fresh_key};
use super::rotate::rotation;
use super::snapshot::bytes_in;

/// Name of the folder in the data folder.
const FOLDER: &str = "drill";
/// A backup, what is restored from it, and its index.
const COPIES: u64 = 3;

/// What is rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceremony {
    /// The folder is lost, and made anew out of a backup and the saved keys.
    Loss,
    /// The signing key is replaced with the recovery key.
    Rotation,
    /// The signing key is replaced, and declared to be in somebody else's hands.
    Compromise,
    /// The office moves: another one restores the node and replaces its signing key.
    HandOver,
}

impl Ceremony {
    const fn rotates(self) -> bool {
        !matches!(self, Self::Loss)
    }
}

/// What lies in the safe: a backup, the keys that were saved apart from it, and what opens both.
pub struct Saved {
    /// The backup.
    pub backup: PathBuf,
    /// The saved keys.
    pub keys: PathBuf,
    /// What opens them.
    pub lock: Lock,
}

/// Why a drill did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// A backup that cannot be made or restored.
    #[error(transparent)]
    Backup(#[from] backup::Error),
    /// A rotation that does not succeed.
    #[error(transparent)]
    Rotation(#[from] InitError),
    /// The copy's store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The copy is not sound.
    #[error("the copy is not as it should be: {0}; run corridor-node verify-store on the node")]
    Unsound(String),
    /// The copy would take room that the node needs.
    #[error("a copy needs {needed} bytes free on the disk, and there are {free}; make room first")]
    NoRoom {
        /// How many it takes.
        needed: u64,
        /// How many there are.
        free: u64,
    },
    /// A rotation needs the key from the safe.
    #[error("name the file with the recovery key (--recovery): this drill tries it")]
    NoRecovery,
    /// The folder is another user's.
    #[error("{} is another user's; run this as that user, with sudo -u", .0.display())]
    AnothersFolder(PathBuf),
    /// What was saved is another node's.
    #[error("this backup and these keys are of {0}, not of this node")]
    Another(String),
}

/// Rehearses a ceremony for the node in `data`, running or not. `saved`: what is to be restored;
/// else a backup of this moment. `recovery`: the present recovery key, which is only read. `tell`
/// hears what was done, step by step.
///
/// # Errors
/// [`DrillError`]: then the ceremony would have failed as well.
pub fn rehearse(
    data: &Path,
    ceremony: Ceremony,
    saved: Option<Saved>,
    recovery: Option<&Path>,
    tell: &mut dyn FnMut(&str),
) -> Result<(), DrillError> {
    let recovery = match (ceremony.rotates(), recovery) {
        (true, None) => return Err(DrillError::NoRecovery),
        (true, recovery) => recovery,
        (false, _) => None,
    };
    if is_roots_hand_in(data) {
        return Err(DrillError::AnothersFolder(data.to_owned()));
    }
    clean(data)?;
    let needed = bytes_in(&data.join("journal")).saturating_mul(COPIES);
    match free_bytes(data) {
        Some(free) if free < needed => return Err(DrillError::NoRoom { needed, free }),
        _ => {}
    }
    let folder = data.join(FOLDER);
    create_folder(&folder)?;
    let done = play(data, &folder, (ceremony, saved, recovery), tell);
    clean(data)?;
    done?;
    tell("The copy was overwritten.");
    Ok(())
}

fn play(
    data: &Path,
    folder: &Path,
    (ceremony, saved, recovery): (Ceremony, Option<Saved>, Option<&Path>),
    tell: &mut dyn FnMut(&str),
) -> Result<(), DrillError> {
    let saved = match saved {
        Some(saved) => saved,
        None => save(data, folder, tell)?,
    };
    let copy = folder.join("node");
    let contents = backup::restore_node(&copy, &saved.backup, &saved.keys, &saved.lock)?;
    let (me, model) = (look(data)?.me, look(&copy)?);
    if model.me != me {
        return Err(DrillError::Another(model.me.to_string()));
    }
    tell(&format!(
        "Restored {} groups of facts; it signs nothing until somebody says so.",
        contents.groups
    ));
    sound(&copy, tell)?;
    let Some(recovery) = recovery else {
        return Ok(());
    };
    let charter = model.known.get(&me).map(|known| &known.charter);
    let seq = try_recovery(charter, recovery, ceremony == Ceremony::Compromise)?;
    tell(&format!(
        "The recovery key is the present one: with it the node would go on under key event {seq}."
    ));
    Ok(())
}

/// Makes the rotation in memory: on a disk it would be somebody's chance to make it before us.
fn try_recovery(
    charter: Option<&Charter>,
    recovery: &Path,
    is_compromised: bool,
) -> Result<u32, DrillError> {
    let charter = charter.ok_or_else(|| DrillError::Unsound("it has no charter".to_owned()))?;
    let io = |source| FileError::io(recovery, source);
    let (signing, next) = (fresh_key().map_err(io)?, fresh_key().map_err(io)?);
    let since = is_compromised.then_some(charter.current_seq());
    let rotated = rotation(charter, recovery, &signing, &next, since)?;
    Ok(rotated.1.current_seq())
}

/// A backup and the keys of this moment, locked with a key that nobody keeps.
fn save(data: &Path, folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<Saved, DrillError> {
    let lock = Lock::fresh();
    let (backup, keys) = (folder.join("copy.age"), folder.join("keys.age"));
    let contents = backup::write(data, &backup, &lock)?;
    backup::create_keys(data, &keys, &lock)?;
    tell(&format!("Backed up {} bytes and the keys.", contents.bytes));
    Ok(Saved { backup, keys, lock })
}

fn sound(copy: &Path, tell: &mut dyn FnMut(&str)) -> Result<(), DrillError> {
    let report: Report = verify_store(copy, &mut |_, _| {})?;
    if let Some(first) = report.findings.first() {
        let found = format!("{}: {}", first.place, first.what);
        return Err(DrillError::Unsound(found));
    }
    tell(&format!(
        "Checked {} signatures and {} texts of it: all are as they should be.",
        report.signatures, report.bodies
    ));
    Ok(())
}

/// Overwrites and removes what a drill left.
///
/// # Errors
/// [`FileError`].
pub fn clean(data: &Path) -> Result<(), FileError> {
    let folder = data.join(FOLDER);
    match wipe(&folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(FileError::io(&folder, source))
        }
        _ => Ok(()),
    }
}
