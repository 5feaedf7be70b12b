//! Bundles: files for partners that your node cannot meet, and theirs.
//!
//! **Invariant:** a file appears under its name only once it is whole, and an existing one is never
//! written over.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::dates;
use super::fail::Failure;
use super::render::{count, short};
use super::session::{SecretFile, Session};
use crate::ClientError;
use crate::body::message_json;
use crate::limits::TABLE_CHUNK_BYTES;
use crate::shown::safe_line;
use crate::v1;

pub(super) const EXAMPLES: &str = "Examples:
  corridor bundle export --to bali --out for-bali.corridor
  corridor bundle inspect from-bali.corridor
  corridor bundle import from-bali.corridor
  corridor bundle export --to bali --out receipts.corridor   what you hold of theirs, back to them";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Writes what a partner may read and has not confirmed to hold to a file for it alone
    #[command(before_help = "Examples:\n  \
        corridor bundle export --to bali --out for-bali.corridor\n  \
        corridor bundle export --to bali --out for-bali.corridor --everything\n  \
        corridor bundle export --to bali --out for-bali.corridor --not-heard-from")]
    Export(ExportArgs),
    /// Says what a bundle is and what taking it in would bring; changes nothing
    #[command(before_help = "Examples:\n  corridor bundle inspect from-bali.corridor")]
    Inspect(FileArgs),
    /// Takes a bundle of a partner in; one that was taken in before changes nothing
    #[command(before_help = "Examples:\n  corridor bundle import from-bali.corridor")]
    Import(FileArgs),
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// For whom: a partner that is confirmed and active here, by its name or identifier
    #[arg(long, value_name = "PARTNER")]
    to: String,
    /// The new file
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// All that it may read, whatever it confirmed: for a partner that lost what it held
    #[arg(long)]
    everything: bool,
    /// You know that this node is the newest there is, though the partner has not been heard from
    /// since it started: it was not brought back from a backup or a copy since your last bundle
    #[arg(long)]
    not_heard_from: bool,
}

#[derive(Debug, Args)]
pub(super) struct FileArgs {
    /// The bundle
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(session: &mut Session<'_>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Export(args) => export(session, args).await,
        Command::Inspect(args) => inspect(session, &args.file).await,
        Command::Import(args) => import(session, &args.file).await,
    }
}

async fn export(session: &mut Session<'_>, args: ExportArgs) -> Result<(), Failure> {
    let peer = session.peer(&args.to).await?;
    let mut file = SecretFile::create_for(&args.out)?;
    let order = v1::MakeBundleRequest {
        name: peer.name.clone(),
        everything: args.everything,
        not_heard_from: args.not_heard_from,
    };
    let mut making = session.client.make_bundle(order).await?;
    let mut made = None;
    while let Some(part) = making.next().await? {
        file.append(&part.chunk)?;
        made = part.bundle.or(made);
    }
    let lacks = "does not say what is in the bundle; make it again";
    let made = made.ok_or(ClientError::Answer(lacks))?;
    let path = file.keep_as(&args.out)?;
    let json = || Ok(json!({ "file": path, "bundle": bundle_json(&made)? }));
    if session.print_json(json)? {
        return Ok(());
    }
    session.screen.data(&path);
    let name = safe_line(&peer.display_name);
    session
        .screen
        .say(format!("For {name} alone: {}.", contents(&made)));
    say_circles(session, &made, false);
    if made.receipts > 0 {
        let receipts = count(made.receipts, "receipt");
        let line = format!("{receipts} tell {name} what you hold of it and have erased.");
        session.screen.say(line);
    }
    session.screen.next(format!(
        "send {path} to {name}, whose node alone can open it; there: corridor bundle import FILE"
    ));
    Ok(())
}

async fn inspect(session: &mut Session<'_>, path: &Path) -> Result<(), Failure> {
    let (pieces, failed) = pieces(path)?;
    let found = session.client.inspect_bundle(pieces).await;
    failed.check(path)?;
    let found = found?;
    if session.print_json(|| Ok(json!({ "bundle": bundle_json(&found)? })))? {
        return Ok(());
    }
    say_head(session, &found);
    say_circles(session, &found, true);
    if found.receipts > 0 {
        let receipts = count(found.receipts, "receipt");
        let line = format!("{receipts} for what its sender holds of yours");
        session.screen.data(line);
    }
    if found.evidence > 0 {
        let line = "It has proofs that somebody contradicted itself; once it is taken in, corridor \
                    peer evidence shows them.";
        session.screen.say(line);
    }
    session
        .screen
        .say("It is whole, and signed by its sender for you. Nothing was changed.");
    if !found.remark.is_empty() {
        session.screen.say(safe_line(&found.remark));
    }
    session
        .screen
        .next(format!("corridor bundle import {}", path.display()));
    Ok(())
}

async fn import(session: &mut Session<'_>, path: &Path) -> Result<(), Failure> {
    let (pieces, failed) = pieces(path)?;
    let importing = session.client.import_bundle(pieces).await;
    failed.check(path)?;
    let mut importing = importing?;
    let mut ended = None;
    while let Some(answer) = importing.next().await? {
        if answer.bundle.is_none() {
            let parts = count(answer.parts, "part");
            session.screen.say(format!("{parts} taken in"));
        }
        ended = answer.bundle.or(ended);
    }
    let lacks = "does not say what came of the bundle; bring it again";
    let taken = ended.ok_or(ClientError::Answer(lacks))?;
    if session.json {
        let bundle = bundle_json(&taken)?;
        session.screen.json(&json!({ "bundle": bundle }));
    } else {
        say_head(session, &taken);
        say_circles(session, &taken, true);
        say_taken(session, &taken);
    }
    if taken.refused.is_empty() {
        return Ok(());
    }
    let what = taken.refused.iter().map(|words| safe_line(words));
    let what: Vec<String> = what.collect();
    Err(Failure::Partial(format!(
        "some of it was refused: {}; call its sender, and ask for a bundle with everything",
        what.join("; ")
    )))
}

fn say_taken(session: &mut Session<'_>, taken: &v1::Bundle) {
    let new_lines: u64 = taken.circles.iter().map(|circle| circle.new_lines).sum();
    let is_news = new_lines > 0 || taken.circles.iter().any(|circle| circle.new_texts > 0);
    let name = safe_line(&taken.sender_name);
    if is_news {
        session.screen.say(format!("Taken in: {}.", news(taken)));
    } else {
        session.screen.say("All of it was here already.");
    }
    if taken.receipts > 0 {
        let receipts = count(taken.receipts, "receipt");
        let line = format!("{receipts} of {name} for what it holds of yours.");
        session.screen.say(line);
    }
    if taken.texts_missing > 0 {
        let texts = count(taken.texts_missing, "text");
        session.screen.say(format!(
            "{texts} of {name} are missing still: ask it for a bundle with --everything."
        ));
    }
    let to = short(taken.sender.strip_prefix("rcps/").unwrap_or_default());
    session.screen.next(format!(
        "corridor bundle export --to {to} --out FILE tells {name} what you hold"
    ));
}

fn say_head(session: &mut Session<'_>, bundle: &v1::Bundle) {
    let (sender, receiver) = (
        safe_line(&bundle.sender_name),
        safe_line(&bundle.receiver_name),
    );
    let made = dates::minute(bundle.made_ms);
    let id = short(&bundle.id);
    session.screen.data(format!(
        "Bundle {id} from {sender} for {receiver}, made {made}, {}",
        count(bundle.bytes, "byte")
    ));
}

/// A line for each circle; `came` says that it was made by a partner.
fn say_circles(session: &mut Session<'_>, bundle: &v1::Bundle, came: bool) {
    let row = |circle: &v1::BundledCircle| {
        let name = match circle.name.as_str() {
            "" => format!("a circle ({})", short(&circle.log)),
            name => name.to_owned(),
        };
        let of = |new: u64, all: u64, what: &str| {
            if came {
                format!("{new} of {} new", count(all, what))
            } else {
                count(all, what)
            }
        };
        vec![
            name,
            of(circle.new_lines, circle.lines, "line"),
            of(circle.new_texts, circle.texts, "text"),
            count(circle.withdrawals, "withdrawal"),
            circle.problem.clone(),
        ]
    };
    let rows: Vec<_> = bundle.circles.iter().map(row).collect();
    session.screen.table(&rows);
}

fn contents(bundle: &v1::Bundle) -> String {
    let sum = |of: fn(&v1::BundledCircle) -> u64| bundle.circles.iter().map(of).sum::<u64>();
    let circles = u64::try_from(bundle.circles.len()).unwrap_or(u64::MAX);
    format!(
        "{}, {}, {}, {}",
        count(circles, "circle"),
        count(sum(|circle| circle.texts), "text"),
        count(sum(|circle| circle.withdrawals), "withdrawal"),
        count(bundle.bytes, "byte")
    )
}

fn news(bundle: &v1::Bundle) -> String {
    let sum = |of: fn(&v1::BundledCircle) -> u64| bundle.circles.iter().map(of).sum::<u64>();
    format!(
        "{}, {}",
        count(sum(|circle| circle.new_texts), "text"),
        count(sum(|circle| circle.withdrawals), "withdrawal")
    )
}

fn bundle_json(bundle: &v1::Bundle) -> Result<Value, Failure> {
    Ok(message_json("Bundle", bundle)?)
}

/// What became of reading a file.
#[derive(Clone, Default)]
struct Failed(Arc<Mutex<Option<std::io::Error>>>);

impl Failed {
    fn check(&self, path: &Path) -> Result<(), Failure> {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failed.take().map_or(Ok(()), |source| {
            let path = path.to_owned();
            Err(Failure::File { path, source })
        })
    }
}

/// A file in pieces, as they are asked for.
fn pieces(
    path: &Path,
) -> Result<
    (
        impl tokio_stream::Stream<Item = Vec<u8>> + Send + 'static,
        Failed,
    ),
    Failure,
> {
    let opened = File::open(path);
    let mut file = opened.map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })?;
    let failed = Failed::default();
    let told = failed.clone();
    let pieces = std::iter::from_fn(move || {
        let mut piece = Vec::new();
        let most = u64::try_from(TABLE_CHUNK_BYTES).unwrap_or(u64::MAX);
        match file.by_ref().take(most).read_to_end(&mut piece) {
            Ok(0) => None,
            Ok(_) => Some(piece),
            Err(error) => {
                *told.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        }
    });
    Ok((tokio_stream::iter(pieces), failed))
}
