//! What a person meant by a name, an identifier or the beginning of one.
//!
//! **Invariant:** what could mean two things means none of them.

use std::collections::BTreeSet;

use corridor_proto::RcpId;

use super::fail::Failure;
use super::render::{short, title};
use crate::limits::PREFIX_LETTERS_MIN;
use crate::names::{RcpName, RecordName};
use crate::shown::safe_line;
use crate::v1;

/// Before the name of a partner: the circle of which it is the one reader.
pub(super) const PRIVATE: &str = "private/";

/// Whether the text may be the beginning of an identifier.
fn is_prefix(text: &str) -> bool {
    let letter = |byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
    text.len() >= PREFIX_LETTERS_MIN && text.bytes().all(letter)
}

fn same_name(one: &str, other: &str) -> bool {
    let plain = |text: &str| safe_line(text).trim().to_lowercase();
    !one.trim().is_empty() && plain(one) == plain(other)
}

/// The partner that is meant: by its name, its RcpId, or the first letters of that.
pub(super) fn peer<'a>(peers: &'a [v1::Peer], text: &str) -> Result<&'a v1::Peer, Failure> {
    let text = text.strip_prefix("rcps/").unwrap_or(text);
    let id = |peer: &'a v1::Peer| peer.name.strip_prefix("rcps/").unwrap_or(&peer.name);
    if let Some(exact) = peers.iter().find(|peer| id(peer) == text) {
        return Ok(exact);
    }
    let prefix = is_prefix(text);
    let meant: Vec<_> = peers
        .iter()
        .filter(|peer| {
            same_name(&peer.display_name, text) || (prefix && id(peer).starts_with(text))
        })
        .collect();
    match meant.as_slice() {
        [one] => Ok(one),
        [] => Err(Failure::NotFound(format!(
            "no partner is called \"{text}\"; see corridor peer list, and use the name or at \
             least {PREFIX_LETTERS_MIN} letters of the identifier"
        ))),
        several => Err(Failure::Usage(format!(
            "\"{text}\" may mean {}; use more letters of the identifier",
            listed(several.iter().map(|peer| format!(
                "{} ({})",
                peer.display_name,
                short(id(peer))
            )))
        ))),
    }
}

/// The RcpId of a partner.
pub(super) fn peer_id(peer: &v1::Peer) -> Result<RcpId, Failure> {
    let RcpName(rcp) = peer.name.parse()?;
    Ok(rcp)
}

/// The record that is meant: by its identifier or the first letters of that.
pub(super) fn record(known: &BTreeSet<RecordName>, text: &str) -> Result<RecordName, Failure> {
    check_prefix(text)?;
    let meant: Vec<_> = known
        .iter()
        .filter(|name| name.record.to_string().starts_with(text))
        .collect();
    match meant.as_slice() {
        [one] => Ok(**one),
        [] => Err(Failure::NotFound(format!(
            "no record begins with \"{text}\"; see corridor record list --all and corridor \
             record drafts"
        ))),
        several => Err(Failure::Usage(format!(
            "\"{text}\" may mean {}; use more letters or the whole name",
            listed(several.iter().map(ToString::to_string))
        ))),
    }
}

/// Refuses what cannot be the beginning of a record's identifier.
pub(super) fn check_prefix(text: &str) -> Result<(), Failure> {
    if is_prefix(text) {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "\"{text}\" names no record; use at least {PREFIX_LETTERS_MIN} letters of its identifier, \
         as corridor record list shows it"
    )))
}

/// The circle of ours that is meant, as the API wants it: by its name, its resource name or the
/// first letters of its identifier. A word that may be a circle's name and is in no list is left to
/// the node.
pub(super) fn circle(circles: &[v1::Circle], own: &RcpId, text: &str) -> Result<String, Failure> {
    let ours = format!("rcps/{own}/circles/");
    let own: Vec<_> = circles
        .iter()
        .filter(|circle| circle.name.starts_with(&ours))
        .collect();
    let exact = |circle: &&&v1::Circle| circle.display_name == text || circle.name == text;
    if let Some(exact) = own.iter().find(exact) {
        return Ok(exact.name.clone());
    }
    let begins = |circle: &&&v1::Circle| circle.name[ours.len()..].starts_with(text);
    let meant: Vec<_> = own.iter().filter(begins).collect();
    match meant.as_slice() {
        [one] if is_prefix(text) => Ok(one.name.clone()),
        [_, _, ..] if is_prefix(text) => Err(Failure::Usage(format!(
            "\"{text}\" may mean several circles; use more letters of the identifier"
        ))),
        _ if is_circle_name(text) => Ok(text.to_owned()),
        _ => Err(Failure::NotFound(format!(
            "none of your circles is called \"{text}\"; see corridor circle list"
        ))),
    }
}

fn is_circle_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(letter)
}

/// A circle as a person calls it.
pub(super) fn circle_words(circle: &v1::Circle, peers: &[v1::Peer]) -> String {
    if !circle.display_name.is_empty() {
        return circle.display_name.clone();
    }
    let reader = peers.iter().find(|peer| peer.name == circle.peer);
    match reader {
        Some(peer) => format!("{PRIVATE}{}", peer.display_name),
        None => short(circle.name.rsplit('/').next().unwrap_or_default()),
    }
}

fn listed(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(" or ")
}

/// A record on one line: identifier, kind, title.
pub(super) fn record_row(record: &v1::Record) -> Vec<String> {
    let id = record.name.rsplit('/').next().unwrap_or_default();
    vec![short(id), record.kind.clone(), title(&record.title)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_proto::RecordId;

    fn partner(byte: u8, name: &str) -> v1::Peer {
        v1::Peer {
            name: RcpName(RcpId::new([byte; 32])).to_string(),
            display_name: name.into(),
            ..v1::Peer::default()
        }
    }

    #[test]
    fn a_partner_is_found_by_name_identifier_and_prefix() {
        let peers = [partner(1, "Bali Process"), partner(200, "Prague Process")];
        let id = RcpId::new([200; 32]).to_string();
        let name = peers[1].name.clone();
        for text in ["prague process", " Prague Process ", &id, &id[..6], &name] {
            assert_eq!(peer(&peers, text).expect(text).name, name, "{text}");
        }
        for text in ["", "Prague", &id[..5], "zzzzzz"] {
            assert_eq!(peer(&peers, text).expect_err(text).exit_code(), 3, "{text}");
        }
    }

    #[test]
    fn two_partners_of_one_name_are_told_apart_by_identifier_only() {
        let peers = [
            partner(1, "Bali Process"),
            partner(2, "Bali  Process\u{202e}"),
            partner(3, "bali process"),
        ];
        let error = peer(&peers, "Bali Process").expect_err("two");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("Bali Process ("), "{error}");
        assert!(peer(&peers, &RcpId::new([3; 32]).to_string()).is_ok());
    }

    #[test]
    fn a_name_that_looks_like_anothers_identifier_is_ambiguous() {
        let id = RcpId::new([1; 32]).to_string();
        let peers = [partner(1, "Bali Process"), partner(2, &id[..6])];
        assert_eq!(peer(&peers, &id[..6]).expect_err("two").exit_code(), 2);
    }

    #[test]
    fn a_record_is_found_by_prefix_if_that_is_one() {
        let name = |rcp: u8, record: u8| RecordName {
            rcp: RcpId::new([rcp; 32]),
            record: RecordId::new([record; 16]),
        };
        let known = BTreeSet::from([name(1, 1), name(1, 200), name(2, 200)]);
        let id = |byte: u8| RecordId::new([byte; 16]).to_string();
        assert_eq!(record(&known, &id(1)[..6]).expect("one"), name(1, 1));
        assert_eq!(
            record(&known, &id(200)[..6]).expect_err("two").exit_code(),
            2
        );
        assert_eq!(record(&known, "aaaaaaa").expect_err("none").exit_code(), 3);
        assert_eq!(
            record(&known, &id(1)[..5]).expect_err("short").exit_code(),
            2
        );
    }

    #[test]
    fn a_circle_is_ours_or_left_to_the_node() {
        let (own, other) = (RcpId::new([1; 32]), RcpId::new([2; 32]));
        let circle_of = |rcp: &RcpId, log: &str, name: &str| v1::Circle {
            name: format!("rcps/{rcp}/circles/{log}"),
            display_name: name.into(),
            ..v1::Circle::default()
        };
        let circles = [
            circle_of(&other, "abcdefgh", "drafting"),
            circle_of(&own, "bcdefghi", "drafting"),
            circle_of(&own, "bcdefgzz", ""),
        ];
        let found = |text: &str| circle(&circles, &own, text);
        assert_eq!(found("drafting").ok(), Some(circles[1].name.clone()));
        assert_eq!(found("bcdefgh").ok(), Some(circles[1].name.clone()));
        assert_eq!(found(&circles[2].name).ok(), Some(circles[2].name.clone()));
        assert_eq!(found("bcdefg").expect_err("two").exit_code(), 2);
        assert_eq!(found("federation").ok(), Some("federation".into()));
        assert_eq!(found("No Circle").expect_err("none").exit_code(), 3);
        assert_eq!(
            found(&circles[0].name).expect_err("not ours").exit_code(),
            3
        );
    }
}
