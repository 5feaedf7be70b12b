//! `corridor circle`: who reads what.
//!
//! **Invariant:** nobody becomes a reader before what that gives it was shown.

use clap::{Args, Subcommand};
use serde_json::json;

use super::dates;
use super::fail::Failure;
use super::find::{circle_words, peer_id};
use super::render::{circle_json, circle_sort, count, count_of, list_json, short_name};
use super::session::Session;
use crate::shown::safe_line;
use crate::v1;

pub(super) const EXAMPLES: &str = "Examples:
  corridor circle list                             your circles and those that you follow
  corridor circle open imrf-2026-drafting          a new circle, in which nobody reads yet
  corridor circle add imrf-2026-drafting \"Bali Process\" --until 2026-12-31";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists your circles and those that you follow
    #[command(before_help = "Examples:\n  corridor circle list\n  corridor circle list --json")]
    List,
    /// Opens a circle, in which nobody reads yet
    #[command(before_help = "Examples:\n  \
        corridor circle open imrf-2026-drafting --relay\n  \
        corridor circle open donors --closed")]
    Open(OpenArgs),
    /// Adds a reader, after showing what it will receive
    #[command(before_help = "Examples:\n  \
        corridor circle add federation \"Bali Process\"\n  \
        corridor circle add donors k3v7qa --until 2026-12-31 --yes")]
    Add(AddArgs),
    /// Removes a reader; it keeps what it holds, and learns of withdrawals
    #[command(before_help = "Examples:\n  corridor circle remove federation \"Bali Process\"")]
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
pub(super) struct OpenArgs {
    /// Its name: lower-case letters, digits and hyphens
    name: String,
    /// Readers do not learn of each other
    #[arg(long, conflicts_with = "relay")]
    closed: bool,
    /// Readers may pass it on to each other
    #[arg(long)]
    relay: bool,
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// The circle, by its name
    circle: String,
    /// The partner: its name, or at least six letters of its identifier
    peer: String,
    /// The last day of its right, such as 2026-12-31
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// The circle, by its name
    circle: String,
    /// The partner: its name, or at least six letters of its identifier
    peer: String,
}

pub(super) async fn run(session: &mut Session<'_>, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => list(session).await,
        Command::Open(args) => open(session, args).await,
        Command::Add(args) => add(session, args).await,
        Command::Remove(args) => remove(session, args).await,
    }
}

async fn list(session: &mut Session<'_>) -> Result<(), Failure> {
    let mut circles = session.client.circles().await?;
    circles.sort_by(|one, other| one.display_name.cmp(&other.display_name));
    if session.print_json(|| Ok(json!({ "circles": list_json(&circles, circle_json)? })))? {
        return Ok(());
    }
    let own = format!("rcps/{}/", session.own().await?);
    let peers = session.client.peers().await?;
    let row = |circle: &v1::Circle| {
        vec![
            format!("  {}", circle_words(circle, &peers)),
            short_name(&circle.name),
            circle_sort(circle.sort()).to_owned(),
            readers(circle, &peers),
            behind(circle),
        ]
    };
    let (ours, theirs): (Vec<_>, Vec<_>) = circles
        .iter()
        .partition(|circle| circle.name.starts_with(&own));
    session.screen.data("Your circles:");
    session
        .screen
        .table(&ours.into_iter().map(row).collect::<Vec<_>>());
    if !theirs.is_empty() {
        session.screen.data("Circles that you follow:");
        let row = |circle| {
            let mut cells = row(circle);
            cells.insert(1, owner(circle, &peers));
            cells
        };
        session
            .screen
            .table(&theirs.into_iter().map(row).collect::<Vec<_>>());
    }
    Ok(())
}

fn owner(circle: &v1::Circle, peers: &[v1::Peer]) -> String {
    let owner = circle.name.split("/circles/").next().unwrap_or_default();
    let peer = peers.iter().find(|peer| peer.name == owner);
    peer.map_or_else(|| short_name(owner), |peer| peer.display_name.clone())
}

fn readers(circle: &v1::Circle, peers: &[v1::Peer]) -> String {
    if circle.sort() == v1::CircleSort::Public {
        return "anyone reads".to_owned();
    }
    let reader = |reader: &v1::CircleReader| {
        let peer = peers.iter().find(|peer| peer.name == reader.rcp);
        let name = peer.map_or_else(|| short_name(&reader.rcp), |peer| peer.display_name.clone());
        match reader.until_ms {
            0 => name,
            // The right ends with the day before this moment.
            until => format!("{name} until {}", dates::day(until - 1)),
        }
    };
    match circle.readers.as_slice() {
        [] => "no readers".to_owned(),
        all => all.iter().map(reader).collect::<Vec<_>>().join(", "),
    }
}

fn behind(circle: &v1::Circle) -> String {
    match circle.behind_by.max(circle.bodies_missing) {
        0 => String::new(),
        missing => format!("{} still to come", count(missing, "record")),
    }
}

async fn open(session: &mut Session<'_>, args: OpenArgs) -> Result<(), Failure> {
    let sort = if args.closed {
        v1::CircleSort::Closed
    } else {
        v1::CircleSort::Open
    };
    let circle = session
        .client
        .create_circle(&args.name, sort, args.relay)
        .await?;
    if session.print_json(|| Ok(json!({ "circle": circle_json(&circle)? })))? {
        return Ok(());
    }
    session.screen.say(format!(
        "The circle {} is open. Nobody reads it yet.",
        args.name
    ));
    session
        .screen
        .next(format!("corridor circle add {} PARTNER", args.name));
    Ok(())
}

async fn add(session: &mut Session<'_>, args: AddArgs) -> Result<(), Failure> {
    let until = match &args.until {
        Some(text) => Some(dates::end_of_day(text).ok_or_else(|| {
            Failure::Usage(format!("\"{text}\" is no day; write it like 2026-12-31"))
        })?),
        None => None,
    };
    let peer = session.peer(&args.peer).await?;
    let circle = session.circle(&args.circle).await?;
    let rcp = peer_id(&peer)?;
    let preview = session.client.preview(rcp, Some(&circle)).await?;
    let name = safe_line(&peer.display_name);
    session
        .screen
        .say(preview_words(&name, &args.circle, &preview));
    if peer.state() != v1::PeerState::Active {
        session.screen.say(format!(
            "{name} is {}: it receives this circle only while it is confirmed and active.",
            super::render::peer_state(peer.state())
        ));
    }
    let question = format!("Add {name} to {}?", args.circle);
    session.agree(&question, args.yes).await?;
    let changed = session.client.add_readers(&circle, &[(rcp, until)]).await?;
    if session.print_json(|| Ok(json!({ "circle": circle_json(&changed)? })))? {
        return Ok(());
    }
    let end = args
        .until
        .map_or_else(String::new, |day| format!(" until the end of {day} (UTC)"));
    session
        .screen
        .say(format!("{name} reads {} now{end}.", args.circle));
    session
        .screen
        .next(format!("corridor preview --as {}", short_name(&peer.name)));
    Ok(())
}

/// What a partner would receive as a reader of a circle.
fn preview_words(name: &str, circle: &str, preview: &v1::PreviewPeerResponse) -> String {
    if preview.records.is_empty() {
        return format!(
            "{name} will receive no records now, and all that is shared with {circle} later."
        );
    }
    let oldest = match preview.oldest_ms {
        0 => String::new(),
        oldest => format!(", the oldest of {}", dates::year(oldest)),
    };
    format!(
        "As a reader of {circle}, {name} will be able to read {} of yours{oldest}; {} only because \
         of {circle}.",
        count_of(&preview.records, "record"),
        preview.newly
    )
}

async fn remove(session: &mut Session<'_>, args: RemoveArgs) -> Result<(), Failure> {
    let peer = session.peer(&args.peer).await?;
    let circle = session.circle(&args.circle).await?;
    let changed = session
        .client
        .remove_readers(&circle, &[peer_id(&peer)?])
        .await?;
    if session.print_json(|| Ok(json!({ "circle": circle_json(&changed)? })))? {
        return Ok(());
    }
    session.screen.say(format!(
        "{} receives nothing new from {}. It keeps what it holds, and learns of withdrawals.",
        safe_line(&peer.display_name),
        args.circle
    ));
    session
        .screen
        .next(format!("corridor preview --as {}", short_name(&peer.name)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_says_how_many_and_how_old() {
        let preview = v1::PreviewPeerResponse {
            records: vec![v1::Record::default(); 212],
            newly: 200,
            oldest_ms: 1_400_000_000_000,
        };
        assert_eq!(
            preview_words("Prague Process", "federation", &preview),
            "As a reader of federation, Prague Process will be able to read 212 records of yours, \
             the oldest of 2014; 200 only because of federation."
        );
        let nothing = preview_words("Prague", "donors", &v1::PreviewPeerResponse::default());
        assert!(nothing.contains("no records now"));
    }

    #[test]
    fn readers_are_named_with_the_last_day_of_their_right() {
        let circle = v1::Circle {
            readers: vec![v1::CircleReader {
                rcp: "rcps/abc".into(),
                until_ms: dates::end_of_day("2026-12-31").expect("day").0,
                held_size: 0,
            }],
            sort: v1::CircleSort::Open.into(),
            ..v1::Circle::default()
        };
        let peer = v1::Peer {
            name: "rcps/abc".into(),
            display_name: "Bali Process".into(),
            ..v1::Peer::default()
        };
        assert_eq!(readers(&circle, &[peer]), "Bali Process until 2026-12-31");
        assert_eq!(readers(&v1::Circle::default(), &[]), "no readers");
    }
}
