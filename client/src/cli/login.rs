//! `corridor login`.
//!
//! **Invariant:** a profile is kept only after the node that it names answered with its key, and
//! never over another one without being told so.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use super::Global;
use super::fail::Failure;
use super::render::title;
use super::screen::Screen;
use super::session::{profile_path, read_file};
use super::status::card_name;
use crate::client::Client;
use crate::limits::PROFILE_BYTES_MAX;
use crate::names::RcpName;
use crate::profile::Profile;

pub(super) const EXAMPLES: &str = "Examples:
  corridor login access.toml
  corridor login - < access.toml
  corridor login access.toml --replace";

#[derive(Debug, Args)]
pub(super) struct LoginArgs {
    /// The file that you were given: your node's address, its key and your token; - for standard
    /// input
    #[arg(value_name = "FILE|-")]
    file: String,
    /// Take the place of the profile that is there
    #[arg(long)]
    replace: bool,
}

pub(super) async fn run(
    args: LoginArgs,
    global: &Global,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let bytes = if args.file == "-" {
        screen.read_input(PROFILE_BYTES_MAX).await?
    } else {
        read_file(Path::new(&args.file), PROFILE_BYTES_MAX)?
    };
    let text = Zeroizing::new(String::from_utf8(bytes).unwrap_or_default());
    let profile = Profile::parse(Path::new(&args.file), &text)?;
    let path = profile_path(global)?;
    if path.exists() && !args.replace {
        return Err(Failure::Usage(format!(
            "there is a profile at {} already; nothing was changed; --replace takes its place, \
             --profile FILE names another one",
            path.display()
        )));
    }
    let node = Client::connect(&profile).await?.node().await?;
    keep(&path, text.as_bytes())?;
    let name = RcpName(node.rcp).to_string();
    if global.json {
        screen.json(&json!({ "profile": path.display().to_string(), "name": name }));
        return Ok(());
    }
    let names: Vec<_> = node
        .identity
        .card
        .card()
        .names
        .iter()
        .map(card_name)
        .collect();
    screen.data(format!("You are at the node of {}.", title(&names)));
    screen.say(format!("Your access is kept in {}.", path.display()));
    if args.file != "-" {
        let file = &args.file;
        screen.say(format!(
            "Delete {file} now: whoever has it may do what you may."
        ));
    }
    screen.next("corridor status");
    Ok(())
}

/// Writes the file anew, for its owner alone; a crash leaves the old one.
fn keep(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let new = path.with_extension("new");
    let failed = |path: PathBuf| move |source| Failure::File { path, source };
    if let Some(folder) = path.parent() {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed(folder.to_owned()))?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new).map_err(failed(new.clone()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let owner = std::fs::Permissions::from_mode(0o600);
        file.set_permissions(owner).map_err(failed(new.clone()))?;
    }
    file.write_all(text).map_err(failed(new.clone()))?;
    file.sync_all().map_err(failed(new.clone()))?;
    std::fs::rename(&new, path).map_err(failed(path.to_owned()))
}
