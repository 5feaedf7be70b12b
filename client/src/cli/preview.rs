//! `corridor preview` and `corridor explain`: with a partner's eyes.
//!
//! **Invariant:** both show what the node answers and judge nothing themselves.

use clap::Args;
use serde_json::json;

use super::fail::Failure;
use super::find::{peer_id, record_row};
use super::render::{count_of, list_json, record_json, short_name, standings};
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
            format!("  {}", safe_line(&one.circle)),
            stands.to_owned(),
            reads.to_owned(),
            receipt(one).to_owned(),
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

/// What the partner said of it: whether it has what stands, whether it erased what left.
const fn receipt(one: &v1::CircleReason) -> &'static str {
    match (one.may_read, one.stands, one.held) {
        (false, _, _) => "-",
        (true, _, true) => "confirmed",
        (true, true, false) => "no receipt yet (they come about once a minute)",
        (true, false, false) => "asked to erase it; no receipt yet",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_of_what_stands_or_of_what_left() {
        let said = |may_read, stands, held| {
            receipt(&v1::CircleReason {
                may_read,
                stands,
                held,
                ..v1::CircleReason::default()
            })
        };
        assert_eq!(said(false, true, true), "-");
        assert_eq!(said(true, true, true), "confirmed");
        assert!(said(true, true, false).starts_with("no receipt yet"));
        assert!(said(true, false, false).starts_with("asked to erase it"));
        assert_eq!(said(true, false, true), "confirmed");
    }
}
