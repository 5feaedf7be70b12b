//! `corridor-node drill`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use corridor_node::operate::backup::Lock;
use corridor_node::operate::drill::{Ceremony, Saved, rehearse};

use crate::audit_command::note;

#[derive(Args)]
pub struct Drill {
    /// What is rehearsed.
    ceremony: Which,
    /// Folder with the node's data; the node may be running.
    #[arg(long, env = "CORRIDOR_DATA")]
    data: PathBuf,
    /// The present recovery key, which is only tried; a loss needs none.
    #[arg(long)]
    recovery: Option<PathBuf>,
    /// The backup that is to be tried; else one of this moment.
    #[arg(long, requires_all = ["keys", "identity_file"])]
    from: Option<PathBuf>,
    /// The saved keys that are to be tried with it.
    #[arg(long, requires = "from")]
    keys: Option<PathBuf>,
    /// File with the secret key of age that opens both.
    #[arg(long, requires = "from")]
    identity_file: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// The machine is lost: backup and saved keys bring the node back.
    Loss,
    /// The recovery key replaces the signing key.
    Rotation,
    /// The same, and the old key is declared to be in somebody else's hands.
    Compromise,
    /// Another office restores the node and replaces its key.
    HandOver,
}

pub fn run(drill: Drill) -> anyhow::Result<bool> {
    let (ceremony, word) = match drill.ceremony {
        Which::Loss => (Ceremony::Loss, "loss"),
        Which::Rotation => (Ceremony::Rotation, "rotation"),
        Which::Compromise => (Ceremony::Compromise, "compromise"),
        Which::HandOver => (Ceremony::HandOver, "hand-over"),
    };
    let saved = match (drill.from, drill.keys, drill.identity_file) {
        (Some(backup), Some(keys), Some(identity)) => Some(Saved {
            backup,
            keys,
            lock: Lock::identity(&identity)?,
        }),
        _ => None,
    };
    let recovery = drill.recovery.as_deref();
    rehearse(&drill.data, ceremony, saved, recovery, &mut |done| {
        println!("{done}");
    })?;
    note(&drill.data, &format!("drill {word}"), Vec::new());
    println!("The drill succeeded; the node is as it was.");
    Ok(true)
}
