//! `corridor preview` and `corridor explain`: with a partner's eyes.
//!
//! **Invariant:** both show what the node answers and judge nothing themselves.

use clap::Args;
use serde_json::json;

use super::fail::Failure;
use super::find::{PRIVATE, peer_id, record_row};
use super::render::{Known, count_of, list_json, record_json, short_name, standings};
use super::session::{Session, Whose};
use crate::body::message_json;
use crate::shown::safe_line;
use crate::v1;

pub(super) const PREVIEW_EXAMPLES: &str = "Examples:
  corridor preview --as \"Bali Process\"
  corridor preview --as k3v7qa --circle federation     as if it read that circle too";

pub(super) const EXPLAIN_EXAMPLES: &str = "Examples:
  corridor explain k3v7qa \"Bali Process\"";

#[derive(Debug, Args)]
pub(super) struct PreviewArgs {
    /// The partner: its name, or at least six letters of its identifier
    #[arg(long = "as", value_name = "PEER")]
    peer: String,
    /// As if it were a reader of this circle of yours as well
    #[arg(long)]
    circle: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The record, yours: at least six letters of its identifier
    record: String,
    /// The partner: its name, or at least six letters of its identifier
    peer: String,
}

pub(super) async fn preview(session: &mut Session<'_>, args: PreviewArgs) -> Result<(), Failure> {
    let peer = session.peer(&args.peer).await?;
    let circle = match &args.circle {
        Some(circle) => Some(session.circle(circle).await?),
        None => None,
    };
    let seen = session
        .client
        .preview(peer_id(&peer)?, circle.as_deref())
        .await?;
    let printed = session.print_json(|| {
        Ok(json!({
            "peer": peer.name,
            "records": list_json(&seen.records, record_json)?,
            "newly": seen.newly,
            "oldestMs": seen.oldest_ms.to_string(),
        }))
    })?;
    if printed {
        return Ok(());
    }
    let known = session.known().await?;
    let row = |record: &v1::Record| {
        let mut cells = record_row(record);
        cells.insert(2, standings(record, &known));
        cells
    };
    session
        .screen
        .table(&seen.records.iter().map(row).collect::<Vec<_>>());
    session.screen.say(format!(
        "{} {} read {} of yours.",
        safe_line(&peer.display_name),
        if circle.is_some() { "would" } else { "may" },
        count_of(&seen.records, "record")
    ));
    Ok(())
}

pub(super) async fn explain(session: &mut Session<'_>, args: ExplainArgs) -> Result<(), Failure> {
    let name = session.record(&args.record, Whose::Ours).await?;
    let peer = session.peer(&args.peer).await?;
    let answer = session.client.explain(&name, peer_id(&peer)?).await?;
    if session.print_json(|| Ok(message_json("ExplainRecordResponse", &answer)?))? {
        return Ok(());
    }
    session.screen.data(safe_line(&answer.sentence));
    let known = session.known().await?;
    let standings = match answer.circles.iter().any(|one| one.circle.is_empty()) {
        true => session.client.record(&name).await?.record.standings,
        false => Vec::new(),
    };
    let row = |one: &v1::CircleReason| {
        let stands = if one.stands {
            "stands there"
        } else {
            "left it"
        };
        let reads = if one.may_read {
            "may read"
        } else {
            "may not read"
        };
        vec![
            format!("  {}", circle_name(one, &peer, &standings, &known)),
            stands.to_owned(),
            reads.to_owned(),
            receipt(one, &peer, &known).to_owned(),
            one.reason.clone(),
        ]
    };
    session
        .screen
        .table(&answer.circles.iter().map(row).collect::<Vec<_>>());
    for link in &answer.hidden_links {
        let words = format!(
            "  names {}, which the partner cannot find",
            short_name(link)
        );
        session.screen.data(words);
    }
    Ok(())
}

/// A circle's name; of a private one that of the partner who reads it, as far as the answer tells.
fn circle_name(
    one: &v1::CircleReason,
    peer: &v1::Peer,
    standings: &[v1::CircleStanding],
    known: &Known,
) -> String {
    if !one.circle.is_empty() {
        return one.circle.clone();
    }
    if one.may_read || one.held {
        return format!("{PRIVATE}{}", peer.display_name);
    }
    let mut private = standings
        .iter()
        .filter(|stand| stand.circle_name.is_empty());
    match (private.next(), private.next()) {
        (Some(stand), None) if one.stands => known.circle(&stand.circle),
        _ => "a private circle".to_owned(),
    }
}

/// What the partner said of it: whether it has what stands, whether it erased what left.
fn receipt(one: &v1::CircleReason, peer: &v1::Peer, known: &Known) -> &'static str {
    match (one.may_read, one.stands) {
        (false, _) => "-",
        (true, true) if one.held => "received",
        (true, true) => "no receipt yet (they come about once a minute)",
        (true, false) if holds_all(one, peer, known) => "confirmed",
        (true, false) => "asked to erase it; no receipt yet",
    }
}

/// Whether the partner said that it holds the whole log of the circle, the line too by which the
/// record left.
fn holds_all(one: &v1::CircleReason, peer: &v1::Peer, known: &Known) -> bool {
    let is_meant = |circle: &&v1::Circle| {
        let same = match one.circle.as_str() {
            "" => circle.sort() == v1::CircleSort::Private && circle.peer == peer.name,
            name => circle.display_name == name,
        };
        known.owns(circle) && same
    };
    let circle = known.circles.iter().find(is_meant);
    circle.is_some_and(|circle| {
        let reader = circle.readers.iter().find(|one| one.rcp == peer.name);
        reader.is_some_and(|reader| reader.held_size >= circle.size)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_of_what_stands_or_of_what_left() {
        let peer = v1::Peer {
            name: "rcps/bali".into(),
            display_name: "Bali Process".into(),
            ..v1::Peer::default()
        };
        let known = |held_size| Known {
            circles: vec![v1::Circle {
                name: "rcps/own/circles/a".into(),
                display_name: "donors".into(),
                size: 5,
                readers: vec![v1::CircleReader {
                    rcp: "rcps/bali".into(),
                    held_size,
                    ..v1::CircleReader::default()
                }],
                ..v1::Circle::default()
            }],
            own: "rcps/own".into(),
            ..Known::default()
        };
        let said = |may_read, stands, held, held_size| {
            let one = v1::CircleReason {
                circle: "donors".into(),
                may_read,
                stands,
                held,
                ..v1::CircleReason::default()
            };
            receipt(&one, &peer, &known(held_size))
        };
        assert_eq!(said(false, true, true, 5), "-");
        assert_eq!(said(true, true, true, 4), "received");
        assert!(said(true, true, false, 4).starts_with("no receipt yet"));
        assert!(said(true, false, true, 4).starts_with("asked to erase it"));
        assert_eq!(said(true, false, true, 5), "confirmed");
        let private = v1::CircleReason {
            may_read: true,
            ..v1::CircleReason::default()
        };
        let name = circle_name(&private, &peer, &[], &known(0));
        assert_eq!(name, "private/Bali Process");
    }
}
