//! `corridor status`.
//!
//! **Invariant:** one sentence a partner, and it is the node's.

use serde_json::json;

use super::fail::Failure;
use super::render::{count_of, list_json, peer_json, peer_state, short, title};
use super::session::Session;
use crate::names::RcpName;
use crate::shown::safe_line;
use crate::v1;

pub(super) const EXAMPLES: &str = "Examples:
  corridor status
  corridor status --json";

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let node = session.node().await?;
    let peers = session.client.peers().await?;
    let printed = session.print_json(|| {
        Ok(json!({
            "name": RcpName(node.rcp).to_string(),
            "displayNames": node.display_names,
            "version": node.version,
            "revision": node.revision.to_string(),
            "signingStopped": node.signing_stopped,
            "peers": list_json(&peers, peer_json)?,
        }))
    })?;
    if printed {
        return Ok(());
    }
    let screen = &mut *session.screen;
    let names: Vec<_> = node
        .identity
        .card
        .card()
        .names
        .iter()
        .map(card_name)
        .collect();
    screen.table(&[vec![
        title(&names),
        short(&node.rcp.to_string()),
        format!("version {}", node.version),
        format!("revision {}", node.revision),
    ]]);
    if let Some(why) = &node.signing_stopped {
        screen.data(format!("Nothing is signed any more: {}", safe_line(why)));
    }
    if peers.is_empty() {
        screen.data("No partners yet.");
        screen.next("corridor peer invite");
        return Ok(());
    }
    screen.data(format!("{}:", count_of(&peers, "partner")));
    screen.table(&peers.iter().map(row).collect::<Vec<_>>());
    let waiting = peers
        .iter()
        .find(|peer| peer.state() == v1::PeerState::Pending);
    if let Some(peer) = waiting {
        let id = super::render::short_name(&peer.name);
        screen.next(format!(
            "corridor peer number {id}, and compare it by telephone"
        ));
    }
    Ok(())
}

/// A partner on one line.
pub(super) fn row(peer: &v1::Peer) -> Vec<String> {
    vec![
        format!("  {}", peer.display_name),
        super::render::short_name(&peer.name),
        peer_state(peer.state()).to_owned(),
        peer.sentence.clone(),
    ]
}

pub(super) fn card_name((tag, text): &(String, String)) -> v1::LanguageText {
    v1::LanguageText {
        tag: tag.clone(),
        text: text.clone(),
    }
}
