//! `corridor-node backup`.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use corridor_node::operate::backup::{self, Lock};
use corridor_store::Contents;

use crate::audit_command::note;

#[derive(Subcommand)]
pub enum Command {
    /// Write everything but the keys into one encrypted file; the node may be running.
    Create {
        /// Folder with the node's data.
        #[arg(long, env = "CORRIDOR_DATA")]
        data: PathBuf,
        /// The new file.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Write the keys and the configuration into one encrypted file, to be kept apart from backups;
    /// again after each rotation.
    Keys {
        /// Folder with the node's data.
        #[arg(long, env = "CORRIDOR_DATA")]
        data: PathBuf,
        /// The new file.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Read a backup from its first byte to its last and say whether it is whole.
    Verify {
        /// The backup.
        #[arg(long)]
        from: PathBuf,
        #[command(flatten)]
        open: OpenArgs,
    },
    /// Make the node's folder anew out of a backup and its keys.
    Restore {
        /// An empty folder, or one that does not exist.
        #[arg(long, env = "CORRIDOR_DATA")]
        data: PathBuf,
        /// The backup.
        #[arg(long)]
        from: PathBuf,
        /// The file that `backup keys` wrote.
        #[arg(long)]
        keys: PathBuf,
        /// No other copy of this node runs any more, and none will be started.
        #[arg(long)]
        other_copy_is_gone: bool,
        #[command(flatten)]
        open: OpenArgs,
    },
}

/// What a file is locked with.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct LockArgs {
    /// File with a passphrase of at least 16 characters on its first line.
    #[arg(long)]
    passphrase_file: Option<PathBuf>,
    /// Public key of age, such as age1…; whoever has its secret half can open the file.
    #[arg(long)]
    recipient: Option<String>,
}

/// What a file is opened with.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct OpenArgs {
    /// File with the passphrase on its first line.
    #[arg(long)]
    passphrase_file: Option<PathBuf>,
    /// File with a secret key of age on its first line.
    #[arg(long)]
    identity_file: Option<PathBuf>,
}

impl LockArgs {
    fn lock(&self) -> anyhow::Result<Lock> {
        match (&self.passphrase_file, &self.recipient) {
            (Some(path), _) => Ok(Lock::passphrase(path)?),
            (_, Some(key)) => Ok(Lock::recipient(key)?),
            _ => bail!("name --passphrase-file or --recipient"),
        }
    }
}

impl OpenArgs {
    fn lock(&self) -> anyhow::Result<Lock> {
        match (&self.passphrase_file, &self.identity_file) {
            (Some(path), _) => Ok(Lock::passphrase(path)?),
            (_, Some(path)) => Ok(Lock::identity(path)?),
            _ => bail!("name --passphrase-file or --identity-file"),
        }
    }
}

pub fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Create { data, out, lock } => {
            let contents = backup::create(&data, &out, &lock.lock()?)?;
            note(&data, "backup create", vec![out.display().to_string()]);
            say("Backed up", &contents);
            println!("It has no keys: corridor-node backup keys writes those, to be kept apart.");
            println!(
                "What was withdrawn since it began is still in {}.",
                out.display()
            );
        }
        Command::Keys { data, out, lock } => {
            backup::create_keys(&data, &out, &lock.lock()?)?;
            note(&data, "backup keys", vec![out.display().to_string()]);
            println!("The keys and the configuration are in {}.", out.display());
            println!("Keep it apart from the backups; write it again after each rotation.");
        }
        Command::Verify { from, open } => {
            let contents = backup::verify(&from, &open.lock()?, &mut |groups| {
                if groups.is_multiple_of(100_000) {
                    eprintln!("{groups} groups read");
                }
            })?;
            say("Whole:", &contents);
        }
        Command::Restore {
            data,
            from,
            keys,
            other_copy_is_gone,
            open,
        } => {
            if !other_copy_is_gone {
                bail!(
                    "if another copy of this node still runs, two nodes will speak in your name; \
                     end it for good, then repeat this with --other-copy-is-gone"
                );
            }
            let contents = backup::restore_node(&data, &from, &keys, &open.lock()?)?;
            note(&data, "backup restore", vec![from.display().to_string()]);
            say("Restored", &contents);
            println!(
                "It signs nothing yet. Next: corridor-node serve --data {}",
                data.display()
            );
            let profile = data.join("client.toml");
            let profile = profile.display();
            println!("then, for its secretariat: corridor --profile {profile} recover status");
            println!(
                "Other access tokens are not in a backup; corridor-node token create makes new \
                 ones."
            );
        }
    }
    Ok(true)
}

fn say(done: &str, contents: &Contents) {
    let (rcp, groups, bytes) = (contents.rcp, contents.groups, contents.bytes);
    println!("{done} {rcp}: {groups} groups of facts, {bytes} bytes.");
}
