//! `corridor circle`: who reads what.
//!
//! **Invariant:** nobody becomes a reader before what that gives it was shown.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use corridor_proto::UnixMillis;
use serde_json::json;

use super::dates;
use super::fail::Failure;
use super::find::{PRIVATE, circle_words, peer_id};
use super::render::{circle_json, circle_sort, count, count_of, list_json, short_name, title};
use super::session::{Session, clock_now};
use crate::names::RcpName;
use crate::shown::safe_line;
use crate::v1;

pub(super) const EXAMPLES: &str = "Examples:
  corridor circle list                             your circles and those that you follow
  corridor circle open imrf-2026-drafting          a new circle, in which nobody reads yet
  corridor circle add imrf-2026-drafting \"Bali Process\" --until 2026-12-31";

/// Titles shown before somebody becomes a reader: they fit a screen.
const TITLES_MAX: usize = 12;

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
    let us = RcpName(session.own().await?).to_string();
    let own = format!("{us}/");
    let peers = session.client.peers().await?;
    let now = clock_now();
    let row = |circle: &v1::Circle| {
        vec![
            format!("  {}", circle_words(circle, &peers)),
            short_name(&circle.name),
            circle_sort(circle.sort()).to_owned(),
            readers(circle, &peers, &us),
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
            let owner = owner(circle, &peers);
            if circle.sort() == v1::CircleSort::Private {
                cells[0] = format!("  private with {owner}");
            }
            if is_over(circle, &us, now) {
                "no longer yours to read".clone_into(&mut cells[3]);
            }
            cells.insert(1, owner);
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

/// Whether the list of readers says that a circle of another is not ours to read any more. Where
/// no list is told nothing is known.
fn is_over(circle: &v1::Circle, us: &str, now: UnixMillis) -> bool {
    let reader = circle.readers.iter().find(|reader| reader.rcp == us);
    match reader {
        Some(reader) => reader.until_ms != 0 && reader.until_ms <= now.0,
        None => !circle.readers.is_empty(),
    }
}

/// The readers of a circle; of another's closed one they are not told.
fn readers(circle: &v1::Circle, peers: &[v1::Peer], us: &str) -> String {
    if circle.sort() == v1::CircleSort::Public {
        return "anyone reads".to_owned();
    }
    let reader = |reader: &v1::CircleReader| {
        let peer = peers.iter().find(|peer| peer.name == reader.rcp);
        let name = match peer {
            _ if reader.rcp == us => "you".to_owned(),
            Some(peer) => peer.display_name.clone(),
            None => short_name(&reader.rcp),
        };
        match reader.until_ms {
            0 => name,
            // The right ends with the day before this moment.
            until => format!("{name} until {}", dates::day(until - 1)),
        }
    };
    match circle.readers.as_slice() {
        [] if !circle.name.starts_with(us) => "readers not told".to_owned(),
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
    let until = args.until.as_deref().map(end_of_right).transpose()?;
    let peer = session.peer(&args.peer).await?;
    let circle = session.circle(&args.circle).await?;
    let rcp = peer_id(&peer)?;
    let circles = session.client.circles().await?;
    let found = circles.iter().find(|one| one.name == circle);
    has_list(&args.circle, found)?;
    let reader = found
        .into_iter()
        .flat_map(|circle| &circle.readers)
        .find(|reader| reader.rcp == peer.name);
    match reader {
        Some(reader) => say_reads(session, &peer, reader, &args),
        None => say_gains(session, &peer, &circle, &args.circle).await?,
    }
    let name = safe_line(&peer.display_name);
    if peer.state() != v1::PeerState::Active {
        session.screen.say(format!(
            "{name} is {}: it receives this circle only while it is confirmed and active.",
            super::render::peer_state(peer.state())
        ));
    }
    let question = match reader {
        Some(_) => format!("Change the end of {name} in {}?", args.circle),
        None => format!("Add {name} to {}?", args.circle),
    };
    session.agree(&question, args.yes).await?;
    let changed = session.client.add_readers(&circle, &[(rcp, until)]).await?;
    if session.print_json(|| Ok(json!({ "circle": circle_json(&changed)? })))? {
        return Ok(());
    }
    session.screen.say(format!(
        "{name} reads {} now{}.",
        args.circle,
        end_words(&args)
    ));
    session
        .screen
        .next(format!("corridor preview --as {}", short_name(&peer.name)));
    Ok(())
}

/// When a right ends whose last day is given.
fn end_of_right(day: &str) -> Result<UnixMillis, Failure> {
    match dates::end_of_day(day) {
        None => Err(Failure::Usage(format!(
            "\"{day}\" is no day; write it like 2026-12-31"
        ))),
        Some(end) if end <= clock_now() => Err(Failure::Usage(format!(
            "{day} is over, so the right would have ended before it began; give a later day, or \
             use corridor circle remove"
        ))),
        Some(end) => Ok(end),
    }
}

fn end_words(args: &AddArgs) -> String {
    let until = |day| format!(" until the end of {day} (UTC)");
    args.until.as_ref().map_or_else(String::new, until)
}

/// Refuses a circle that has no list of readers.
fn has_list(text: &str, circle: Option<&v1::Circle>) -> Result<(), Failure> {
    let why = match circle.map(v1::Circle::sort) {
        Some(v1::CircleSort::Public) => "anyone reads it",
        Some(v1::CircleSort::Private) => "it is for its one partner alone",
        None if text.starts_with(PRIVATE) => "it is for its one partner alone",
        _ => return Ok(()),
    };
    Err(Failure::Usage(format!(
        "nobody can be added to {text}: {why}; open a circle of its own with corridor circle open"
    )))
}

/// What changes for a partner that is a reader already.
fn say_reads(
    session: &mut Session<'_>,
    peer: &v1::Peer,
    reader: &v1::CircleReader,
    args: &AddArgs,
) {
    let before = match reader.until_ms {
        0 => "without an end".to_owned(),
        until => format!("until the end of {} (UTC)", dates::day(until - 1)),
    };
    let after = match end_words(args).as_str() {
        "" => " without an end".to_owned(),
        end => end.to_owned(),
    };
    session.screen.say(format!(
        "{} is a reader of {} already, {before}; from now on{after}.",
        safe_line(&peer.display_name),
        args.circle
    ));
}

/// Shows what a partner would newly receive as a reader.
async fn say_gains(
    session: &mut Session<'_>,
    peer: &v1::Peer,
    circle: &str,
    circle_text: &str,
) -> Result<(), Failure> {
    let rcp = peer_id(peer)?;
    let preview = session.client.preview(rcp, Some(circle)).await?;
    let today = session.client.preview(rcp, None).await?;
    let name = safe_line(&peer.display_name);
    session
        .screen
        .say(preview_words(&name, circle_text, &preview));
    for line in newly(&preview.records, &today.records) {
        session.screen.say(line);
    }
    Ok(())
}

/// The titles of what is in the one list and not in the other, oldest first.
fn newly(records: &[v1::Record], today: &[v1::Record]) -> Vec<String> {
    let today: BTreeSet<&str> = today.iter().map(|record| record.name.as_str()).collect();
    let mut new: Vec<&v1::Record> = records
        .iter()
        .filter(|record| !today.contains(record.name.as_str()))
        .collect();
    new.sort_by_key(|record| record.time_ms);
    let mut lines: Vec<String> = new
        .iter()
        .take(TITLES_MAX)
        .map(|record| format!("  {}  {}", dates::day(record.time_ms), title(&record.title)))
        .collect();
    if new.len() > TITLES_MAX {
        lines.push(format!("  and {} more", new.len() - TITLES_MAX));
    }
    lines
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
    fn what_is_new_is_named_oldest_first() {
        let record = |time_ms: u64| v1::Record {
            name: format!("rcps/own/records/{time_ms}"),
            time_ms,
            ..v1::Record::default()
        };
        let records: Vec<_> = (1..=15).rev().map(record).collect();
        let lines = newly(&records, &[record(1)]);
        assert_eq!(lines.len(), TITLES_MAX + 1);
        assert_eq!(lines[0], "  1970-01-01  (no title)");
        assert_eq!(lines[TITLES_MAX], "  and 2 more");
        assert!(newly(&records, &records).is_empty());
    }

    #[test]
    fn a_day_that_is_over_is_no_end() {
        assert!(end_of_right("9999-12-30").is_ok());
        for (day, says) in [("2020-01-01", "is over"), ("tomorrow", "is no day")] {
            let error = end_of_right(day).expect_err(day);
            assert!(error.exit_code() == 2 && error.to_string().contains(says));
        }
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
        assert_eq!(
            readers(&circle, &[peer], "rcps/us"),
            "Bali Process until 2026-12-31"
        );
        assert_eq!(readers(&circle, &[], "rcps/abc"), "you until 2026-12-31");
        let end = dates::end_of_day("2026-12-31").expect("day");
        let before = UnixMillis(end.0 - 1);
        assert!(is_over(&circle, "rcps/abc", end) && !is_over(&circle, "rcps/abc", before));
        assert!(is_over(&circle, "rcps/us", before), "not in the list");
        let empty = v1::Circle {
            name: "rcps/us/circles/a".into(),
            ..v1::Circle::default()
        };
        assert_eq!(readers(&empty, &[], "rcps/us"), "no readers");
        assert_eq!(readers(&empty, &[], "rcps/abc"), "readers not told");
        assert!(!is_over(&empty, "rcps/abc", end), "nothing is known");
    }
}
