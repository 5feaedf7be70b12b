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
        vec![
            format!("  {}", one.circle),
            if one.stands {
                "stands there"
            } else {
                "left it"
            }
            .to_owned(),
            if one.may_read {
                "may read"
            } else {
                "may not read"
            }
            .to_owned(),
            if one.held {
                "received"
            } else {
                "not yet received"
            }
            .to_owned(),
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
