//! Files: keys, tokens, certificates, room on the disk, backups, and how many files may be open.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use corridor_proto::UnixMillis;

use super::node::{Found, days_until};
use super::{Check, shown, size};
use crate::operate::access::{Access, Right};
use crate::operate::files::FileError;
use crate::operate::keys::KeyFolder;
use crate::operate::{backup, descriptors, snapshot};

/// Days before the end of something at which to do something about it.
const DAYS_AHEAD: u64 = 30;
/// A backup is made each night; this leaves room for one that is late.
const BACKUP_OLD_MS: u64 = 36 * 3_600_000;
/// After so long a loss would be felt.
const BACKUP_LOST_MS: u64 = 14 * 24 * 3_600_000;
/// With less a node refuses to write (`DISK_FULL`).
const FREE_NEEDED: u64 = 64 << 20;
/// With less somebody should see to it.
const FREE_WANTED: u64 = 1 << 30;
/// With fewer a node takes fewer connections.
const FILES_WANTED: usize = 736;

pub fn checks(data: &Path, found: &Found, now: UnixMillis) -> Vec<Check> {
    if let Err(error) = std::fs::read_dir(data.join("keys"))
        && error.kind() == std::io::ErrorKind::PermissionDenied
    {
        return vec![Check::broken(
            "files",
            format!("This user may not look into {}.", data.display()),
            "Run this as the user of the node, with sudo -u in front of it.",
        )];
    }
    let mut checks = keys(data);
    checks.push(tokens(data, now));
    checks.extend(certificates(data, now));
    checks.push(disk(data));
    checks.push(backups(data, now));
    checks.extend(open_files(found));
    checks
}

fn keys(data: &Path) -> Vec<Check> {
    let folder = data.join("keys");
    let mut wrong = Vec::new();
    let owner = |path: &Path| {
        path.metadata()
            .map(|meta: Metadata| (meta.uid(), meta.mode()))
    };
    let names = KeyFolder::NAMES.iter().copied().chain(["tokens.toml", ""]);
    for name in names {
        let path = folder.join(name);
        match owner(&path) {
            Err(error) => {
                let what = format!("{}: {error}.", path.display());
                let remedy = "Take it from where its copy is kept (corridor-node backup keys).";
                wrong.push(Check::broken("keys", what, remedy));
            }
            Ok((_, mode)) if mode & 0o077 != 0 => {
                let what = format!(
                    "Others can read {} (mode {:o}).",
                    path.display(),
                    mode & 0o777
                );
                let right = if path.is_dir() { 700 } else { 600 };
                let remedy = format!("Run: chmod {right} {}", path.display());
                wrong.push(Check::broken("keys", what, remedy));
            }
            Ok((uid, _)) if owner(data).is_ok_and(|(of, _)| of != uid) => {
                let what = format!("{} belongs to another user than its node.", path.display());
                let (of, path) = (data.display(), path.display());
                let remedy = format!("Run: chown --reference={of} {path}");
                wrong.push(Check::broken("keys", what, remedy));
            }
            Ok(_) => {}
        }
    }
    if !wrong.is_empty() {
        return wrong;
    }
    let keys = KeyFolder::of(data);
    if keys.has_next_signing() {
        return vec![Check::look(
            "keys",
            "A rotation of the signing key did not come to its end.",
            "Start the node, which finishes it.",
        )];
    }
    vec![match keys.read() {
        Ok(_) => Check::fine("keys", "All are there, whole, and for this user alone."),
        Err(FileError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Check::look(
                "keys",
                "All are there and for their user alone; this user cannot read them.",
                "Run this as the user of the node to have their content looked at as well.",
            )
        }
        Err(error) => Check::broken(
            "keys",
            error.to_string(),
            "Take it from where its copy is kept (corridor-node backup keys).",
        ),
    }]
}

fn tokens(data: &Path, now: UnixMillis) -> Check {
    let tokens = match Access::of(data).list() {
        Ok(tokens) => tokens,
        Err(error) => {
            let remedy = "Without it nobody can use this node: mend the file, or make new tokens.";
            return Check::broken("tokens", error.to_string(), remedy);
        }
    };
    let keeps = |right| {
        tokens
            .iter()
            .filter(|one| one.has(right) && !one.is_over(now))
            .count()
    };
    let over = tokens.iter().filter(|one| one.is_over(now)).count();
    let soon = tokens.iter().filter(|one| {
        let left = days_until(one.expires_ms, now);
        one.expires_ms != 0 && left.is_some_and(|left| left < DAYS_AHEAD)
    });
    let soon: Vec<&str> = soon.map(|one| one.label.as_str()).collect();
    let made = "corridor-node token create";
    match (keeps(Right::Administer), over, soon.as_slice()) {
        (0, ..) => Check::broken(
            "tokens",
            "No token is that of an administrator.",
            format!("Make one: {made} --role administrator."),
        ),
        (1, ..) => Check::look(
            "tokens",
            "There is one administrator only.",
            format!("Make a second one, for whoever stands in: {made} --role administrator."),
        ),
        (_, 1.., _) => Check::look(
            "tokens",
            format!("{over} of {} have ended.", tokens.len()),
            "Revoke those: corridor-node token list, corridor-node token revoke.",
        ),
        (_, 0, [_, ..]) => Check::look(
            "tokens",
            format!("These end within {DAYS_AHEAD} days: {}.", soon.join(", ")),
            format!("Make new ones for who needs them: {made}."),
        ),
        (n, ..) => Check::fine(
            "tokens",
            format!("{} open, {n} administrators.", tokens.len()),
        ),
    }
}

fn certificates(data: &Path, now: UnixMillis) -> Vec<Check> {
    // What cannot be read was told above.
    let keys = KeyFolder::of(data).read().ok();
    let ends = keys.map(|keys| [keys.peer.ends(), keys.api.ends()]);
    let ends = ends.into_iter().flatten().flatten();
    let checks = ends.map(|(name, end)| {
        let (name, at) = (format!("The certificate {name}"), shown(end));
        let remedy = "Ask whoever maintains Corridor how to replace it.";
        match days_until(end, now) {
            None => Check::broken("tls", format!("{name} ended at {at}."), remedy),
            Some(left) if left < DAYS_AHEAD => {
                Check::look("tls", format!("{name} ends in {left} days."), remedy)
            }
            Some(left) => Check::fine("tls", format!("{name} is good for {left} days.")),
        }
    });
    checks.collect()
}

fn disk(data: &Path) -> Check {
    let Some(free) = corridor_store::free_bytes(data) else {
        let remedy = "Ask IT how much room is left on it.";
        return Check::look(
            "disk",
            "How much is free on the disk cannot be told.",
            remedy,
        );
    };
    let taken = snapshot::bytes_in(data);
    let evidence = format!("{} are free; the node takes {}.", size(free), size(taken));
    let remedy = "Ask IT for more room on the disk of the data folder.";
    if free < FREE_NEEDED {
        let evidence = format!("{evidence} With less than {} it stops.", size(FREE_NEEDED));
        Check::broken("disk", evidence, remedy)
    } else if free < FREE_WANTED.max(taken / 2) {
        Check::look("disk", evidence, remedy)
    } else {
        Check::fine("disk", evidence)
    }
}

fn backups(data: &Path, now: UnixMillis) -> Check {
    let make = "Make one now, and each night: corridor-node backup create.";
    let Some(last) = backup::last(data) else {
        return Check::look("backup", "No backup of this folder was ever made.", make);
    };
    let (age, at) = (now.since(last), shown(last.0));
    let evidence = format!("The last one was made at {at}.");
    if age >= BACKUP_LOST_MS {
        Check::broken("backup", evidence, make)
    } else if age >= BACKUP_OLD_MS {
        Check::look("backup", evidence, make)
    } else {
        Check::fine("backup", evidence)
    }
}

/// How many files the running node may open.
fn open_files(found: &Found) -> Option<Check> {
    let Found::Running(Some(said)) = found else {
        return None;
    };
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", said.pid)).ok()?;
    let files = descriptors::open_files(&limits)?;
    let evidence = format!("The node may open {files} files.");
    Some(if files < FILES_WANTED {
        let remedy = "Let it open 1,024 (LimitNOFILE=1024): with fewer it takes fewer connections.";
        Check::look("files", evidence, remedy)
    } else {
        Check::fine("files", evidence)
    })
}
