//! `corridor status`.
//!
//! **Invariant:** one sentence a partner, and it is the node's.

use serde_json::{Value, json};

use super::dates;
use super::fail::Failure;
use super::render::{count_of, list_json, peer_json, peer_state, short, short_name, title};
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
    let needs = session.client.needs().await?;
    let printed = session.print_json(|| {
        Ok(json!({
            "name": RcpName(node.rcp).to_string(),
            "displayNames": node.display_names,
            "version": node.version,
            "revision": node.revision.to_string(),
            "signingStopped": node.signing_stopped,
            "needs": list_json(&needs, need_json)?,
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
        screen.data(format!("Nothing is signed any more: {}", stopped(why)));
        screen.next(
            "corridor recover status; SECURITY.md, \"When a node stops signing\", tells more",
        );
    }
    if !needs.is_empty() {
        screen.data(format!("Needs you: {}", count_of(&needs, "thing")));
        for need in &needs {
            screen.data(format!("  {}", need_line(need)));
        }
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

/// Why a node signs nothing any more, and what to find out; the code is there to be looked up.
pub(super) fn stopped(code: &str) -> String {
    let (seen, ask) = match code {
        "ANOTHER_COPY_RAN" => (
            "a partner met a node with your key that this data folder does not know",
            "does a copy of the folder run elsewhere, was this one set back, or has somebody else \
             the key?",
        ),
        "PEER_HOLDS_A_HEAD_WE_LACK" => (
            "a partner holds lines of yours that this data folder does not have",
            "was this folder restored from a backup or a snapshot?",
        ),
        "RESTORED_FROM_A_BACKUP" => (
            "this data folder was made out of a backup, and lacks what came after it",
            "which partners can give back what they hold of yours?",
        ),
        "KEYS_PREDATE_A_ROTATION" => (
            "your keys were rotated later than this data folder knows",
            "who rotated the keys, and where is the folder of that node?",
        ),
        "CHARTER_FORKED" => (
            "there are two rotations of your keys with one number",
            "who used the recovery key a second time?",
        ),
        "JOURNAL_LOST_ITS_END" => (
            "the journal lacks writes that the index has seen",
            "which file of the folder was changed, restored or damaged?",
        ),
        other => return format!("{}; ask who keeps the node running", safe_line(other)),
    };
    format!("{seen} ({code}). Keep the data folder as it is, and find out: {ask}")
}

/// What waits on one line: since when, the sentence, and the record that it is about.
fn need_line(need: &v1::Need) -> String {
    let since = match need.since_ms {
        0 => String::new(),
        since => format!("{}  ", dates::day(since)),
    };
    let record = if need.about.contains("/records/") {
        format!("  {}", short_name(&need.about))
    } else {
        String::new()
    };
    format!("{since}{}{record}", safe_line(&need.sentence))
}

fn need_json(need: &v1::Need) -> Result<Value, Failure> {
    Ok(json!({
        "reason": need.reason,
        "sentence": need.sentence,
        "about": need.about,
        "sinceMs": need.since_ms.to_string(),
    }))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each code is of the table in SECURITY.md, and each of the table has words.
    #[test]
    fn why_nothing_is_signed_is_said_in_words() {
        let manual = include_str!("../../../SECURITY.md");
        let codes: Vec<&str> = manual
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        assert_eq!(codes.len(), 6, "{codes:?}");
        for code in codes {
            let words = stopped(code);
            assert!(words.contains("find out: "), "{code}: {words}");
        }
        assert!(stopped("NEW_CODE").contains("NEW_CODE; ask"));
    }
}
