//! How things are put into words and JSON.
//!
//! **Invariant:** one word per idea, the same as in the manual: partner, circle, share, withdraw.

use serde_json::Value;

use super::fail::Failure;
use super::find::circle_words;
use crate::body::message_json;
use crate::limits::SHORT_LETTERS;
use crate::shown::{safe_line, safe_lines};
use crate::v1;

/// The first letters of an identifier.
pub(super) fn short(id: &str) -> String {
    id.chars().take(SHORT_LETTERS).collect()
}

/// The identifier at the end of a resource name, shortened.
pub(super) fn short_name(name: &str) -> String {
    short(name.rsplit('/').next().unwrap_or_default())
}

/// Said of every record that its RCP did not publish.
pub(super) const DEMONSTRATION: &str =
    "Demonstration: written from public sources; its RCP did not publish it.";

/// A text in one of its languages, English if there is one, on one line.
pub(super) fn title(texts: &[v1::LanguageText]) -> String {
    let english = texts
        .iter()
        .find(|one| one.tag == "en" || one.tag.starts_with("en-"));
    english
        .or_else(|| texts.first())
        .map_or_else(|| "(no title)".to_owned(), |one| safe_line(&one.text))
}

/// A text in all its languages: one entry a line, further lines of it set in.
pub(super) fn in_languages(texts: &[v1::LanguageText]) -> Vec<String> {
    texts
        .iter()
        .map(|one| {
            let text = safe_lines(&one.text).replace('\n', "\n      ");
            format!("  {}: {text}", safe_line(&one.tag))
        })
        .collect()
}

/// `1 record`, `2 records`.
pub(super) fn count(number: impl Into<u64>, one: &str) -> String {
    let number = number.into();
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {one}s")
    }
}

/// The number of items with their noun.
pub(super) fn count_of<T>(items: &[T], one: &str) -> String {
    count(u64::try_from(items.len()).unwrap_or(u64::MAX), one)
}

/// How far we have got with a partner.
pub(super) const fn peer_state(state: v1::PeerState) -> &'static str {
    match state {
        v1::PeerState::Unspecified => "unknown",
        v1::PeerState::Invited => "invited",
        v1::PeerState::Pending => "not confirmed",
        v1::PeerState::Active => "active",
        v1::PeerState::Paused => "paused",
        v1::PeerState::Left => "left",
    }
}

/// What a record is to us.
pub(super) const fn record_state(state: v1::RecordState) -> &'static str {
    match state {
        v1::RecordState::Unspecified => "unknown",
        v1::RecordState::Current => "current",
        v1::RecordState::Withdrawn => "withdrawn",
        v1::RecordState::Internal => "internal",
        v1::RecordState::Awaited => "awaited",
        v1::RecordState::Quarantined => "kept out",
        v1::RecordState::Left => "not shared any more",
    }
}

/// What sort of circle.
pub(super) const fn circle_sort(sort: v1::CircleSort) -> &'static str {
    match sort {
        v1::CircleSort::Unspecified => "unknown",
        v1::CircleSort::Public => "anyone",
        v1::CircleSort::Open => "open",
        v1::CircleSort::Closed => "closed",
        v1::CircleSort::Private => "one partner",
    }
}

/// Why a record was withdrawn.
pub(super) const fn withdrawal_code(code: v1::WithdrawalCode) -> &'static str {
    match code {
        v1::WithdrawalCode::Unspecified => "a reason that this version does not know",
        v1::WithdrawalCode::Superseded => "a newer text replaces it",
        v1::WithdrawalCode::Error => "it was wrong",
        v1::WithdrawalCode::StateRequest => "a State asked for it",
        v1::WithdrawalCode::Expired => "it is out of date",
        v1::WithdrawalCode::PersonalData => "it held personal data",
        v1::WithdrawalCode::Other => "another reason",
    }
}

/// The circles in which a record stands, in words; `known` are the circles and partners that are
/// known, for those whose name only their owner has.
pub(super) fn standings(record: &v1::Record, known: &Known) -> String {
    let name = |standing: &v1::CircleStanding| match standing.circle_name.as_str() {
        "" => known.circle(&standing.circle),
        name => safe_line(name),
    };
    let names: Vec<_> = record.standings.iter().map(name).collect();
    if names.is_empty() {
        "no circle".to_owned()
    } else {
        names.join(", ")
    }
}

/// Circles and partners by which things are named; empty where the token may not ask for them.
#[derive(Default)]
pub(super) struct Known {
    pub(super) circles: Vec<v1::Circle>,
    pub(super) peers: Vec<v1::Peer>,
    pub(super) own: String,
}

impl Known {
    /// What an RCP is called, with its identifier.
    pub(super) fn rcp(&self, name: &str) -> String {
        let short = short_name(name);
        match self.peers.iter().find(|peer| peer.name == name) {
            Some(peer) => format!("{} ({short})", safe_line(&peer.display_name)),
            None if name == self.own => format!("your RCP ({short})"),
            None => short,
        }
    }

    /// What a circle is called.
    pub(super) fn circle(&self, name: &str) -> String {
        let found = self.circles.iter().find(|circle| circle.name == name);
        match found {
            Some(circle) if circle.sort() == v1::CircleSort::Private && !self.owns(circle) => {
                "your RCP alone".to_owned()
            }
            Some(circle) => safe_line(&circle_words(circle, &self.peers)),
            None => short_name(name),
        }
    }

    /// Whether a circle is ours.
    pub(super) fn owns(&self, circle: &v1::Circle) -> bool {
        circle.name.split("/circles/").next() == Some(&self.own)
    }
}

/// A record as JSON, without the signed bytes.
pub(super) fn record_json(record: &v1::Record) -> Result<Value, Failure> {
    let record = v1::Record {
        raw: None,
        ..record.clone()
    };
    Ok(message_json("Record", &record)?)
}

/// Several messages as JSON.
pub(super) fn list_json<M>(
    items: &[M],
    json: impl Fn(&M) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    items
        .iter()
        .map(json)
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
}

/// A partner as JSON.
pub(super) fn peer_json(peer: &v1::Peer) -> Result<Value, Failure> {
    Ok(message_json("Peer", peer)?)
}

/// A circle as JSON.
pub(super) fn circle_json(circle: &v1::Circle) -> Result<Value, Failure> {
    Ok(message_json("Circle", circle)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tag: &str, text: &str) -> v1::LanguageText {
        v1::LanguageText {
            tag: tag.into(),
            text: text.into(),
        }
    }

    #[test]
    fn a_title_is_one_line_and_english_if_it_can_be() {
        assert_eq!(title(&[]), "(no title)");
        assert_eq!(
            title(&[text("ar", "حوار"), text("en", "a\nb")]),
            "a\u{FFFD}b"
        );
        assert_eq!(title(&[text("ar", "حوار")]), "حوار");
        let lines = in_languages(&[text("en", "a\nverified: all\u{1b}")]);
        assert_eq!(lines, ["  en: a\n      verified: all\u{FFFD}"]);
    }

    #[test]
    fn a_record_is_shown_as_json_without_its_signed_bytes() {
        let record = v1::Record {
            name: "rcps/a/records/b".into(),
            state: v1::RecordState::Current.into(),
            version: 7,
            raw: Some(v1::RawRecord::default()),
            ..v1::Record::default()
        };
        let json = record_json(&record).expect("json");
        assert_eq!(
            json,
            serde_json::json!({
                "name": "rcps/a/records/b",
                "kind": "",
                "version": "7",
                "state": "RECORD_STATE_CURRENT",
                "timeMs": "0",
                "title": [],
                "standings": [],
                "revision": "0",
                "unconfirmed": false,
            })
        );
    }

    #[test]
    fn circles_without_a_name_are_named_by_their_reader() {
        let circle = |name: &str, peer: &str| v1::Circle {
            name: name.into(),
            peer: peer.into(),
            sort: v1::CircleSort::Private.into(),
            ..v1::Circle::default()
        };
        let known = Known {
            circles: vec![
                circle("rcps/own/circles/a", "rcps/bali"),
                circle("rcps/bali/circles/b", "rcps/own"),
            ],
            peers: vec![v1::Peer {
                name: "rcps/bali".into(),
                display_name: "Bali Process".into(),
                ..v1::Peer::default()
            }],
            own: "rcps/own".into(),
        };
        let standing = |circle: &str, name: &str| v1::CircleStanding {
            circle: circle.into(),
            circle_name: name.into(),
            ..v1::CircleStanding::default()
        };
        let record = v1::Record {
            standings: vec![
                standing("rcps/own/circles/a", ""),
                standing("rcps/bali/circles/b", ""),
                standing("rcps/bali/circles/abcdefghijkl", ""),
                standing("rcps/bali/circles/c", "public"),
            ],
            ..v1::Record::default()
        };
        assert_eq!(
            standings(&record, &known),
            "private/Bali Process, your RCP alone, abcdefghij, public"
        );
        assert_eq!(known.rcp("rcps/bali"), "Bali Process (bali)");
        assert_eq!(known.rcp("rcps/own"), "your RCP (own)");
    }

    #[test]
    fn numbers_agree_with_their_nouns() {
        assert_eq!(count(1_u32, "record"), "1 record");
        assert_eq!(count(0_u32, "record"), "0 records");
    }
}
