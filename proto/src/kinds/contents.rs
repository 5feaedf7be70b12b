//! All of a body by which it can be found, whoever wrote it.
//!
//! It imports the messages and their descriptors. **Invariant:** no bytes make it refuse or panic,
//! and no text field escapes it: what is no text is listed here by name.

use prost::Message;

use super::shape::{Field, MESSAGES, take};
use super::{Kind, Shown, message_name, summarise};
use crate::limits::NESTING_MAX;
use crate::v1::{Envelope, LanguageText};

use super::shown::Summary;

/// What can be found by in a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// What lists and screens show.
    pub summary: Summary,
    /// What all kinds have in common, as the author wrote it.
    pub envelope: Envelope,
    /// Every text of the body, title and summary too, in the order of its fields; texts that say no
    /// language have an empty tag.
    pub texts: Vec<LanguageText>,
}

/// Reads a body for whoever looks for it; `None` where this version does not understand it.
///
/// Takes the kind's number and the body as they were signed, whoever signed them.
pub fn contents(kind_code: u16, body: &[u8]) -> Option<Contents> {
    let Shown::Understood(summary) = summarise(kind_code, body) else {
        return None;
    };
    let mut found = Found::default();
    found.walk(message_name(Kind::from_code(kind_code)?), body, 1);
    Some(Contents {
        summary: *summary,
        envelope: found.envelope,
        texts: found.texts,
    })
}

/// Fields of strings that are no texts: codes, tags, dates and times.
const CODES: [&str; 50] = [
    "Act.taken_up_on",
    "Act.until",
    "Attachment.mime",
    "Chair.country",
    "Chair.from",
    "Chair.to",
    "Clearance.date",
    "Contact.languages",
    "Contact.valid_to",
    "Contribution.deadline",
    "Contribution.endorse_by",
    "Contribution.internal_deadline",
    "Corridor.from",
    "Corridor.to",
    "Endorsement.signed_on",
    "Endorsement.states_dissociating",
    "Envelope.countries",
    "Envelope.embargo_until",
    "Envelope.gcm_principles",
    "Envelope.languages",
    "Envelope.review_by",
    "Envelope.source_lang",
    "GrantApplication.date",
    "LanguageText.tag",
    "Meeting.chairs",
    "Meeting.end_time",
    "Meeting.ends_on",
    "Meeting.host_country",
    "Meeting.languages",
    "Meeting.register_by",
    "Meeting.start_time",
    "Meeting.starts_on",
    "Meeting.time_zone",
    "MeetingInvitation.language",
    "MeetingInvitation.reply_by",
    "ObserverGrant.decided_on",
    "ObserverGrant.review_on",
    "ObserverGrant.valid_from",
    "ObserverGrant.valid_to",
    "Period.from",
    "Period.to",
    "Presentation.given_on",
    "Profile.member_states",
    "Profile.observer_states",
    "Recommendation.adopted_on",
    "Secretariat.languages",
    "SharingDefaults.audience",
    "Source.date",
    "Term.avoid_in",
    "Translation.tag",
];

/// What a walk through a body came across.
#[derive(Default)]
struct Found {
    envelope: Envelope,
    texts: Vec<LanguageText>,
}

impl Found {
    fn walk(&mut self, message: &str, mut bytes: &[u8], depth: usize) {
        let fields = MESSAGES.get(message).map_or(&[][..], Vec::as_slice);
        while let Some((number, payload)) = take(&mut bytes) {
            let field = fields.iter().find(|field| field.number == number);
            let (Some(field), Some(payload)) = (field, payload) else {
                continue;
            };
            match field.message() {
                Some("LanguageText") => {
                    self.texts.extend(LanguageText::decode(payload).ok());
                }
                Some(inner) if depth < NESTING_MAX => {
                    if depth == 1 && inner == "Envelope" {
                        self.envelope = Envelope::decode(payload).unwrap_or_default();
                    }
                    self.walk(inner, payload, depth + 1);
                }
                Some(_) => {}
                None if is_text(message, field) => {
                    let text = std::str::from_utf8(payload).unwrap_or_default();
                    self.texts.push(LanguageText {
                        tag: String::new(),
                        text: text.to_owned(),
                    });
                }
                None => {}
            }
        }
    }
}

fn is_text(message: &str, field: &Field) -> bool {
    field.is_string()
        && CODES
            .binary_search(&&*format!("{message}.{}", field.name))
            .is_err()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::samples::{practice, texts};
    use super::*;

    #[test]
    fn every_code_is_a_field_and_in_order() {
        assert!(CODES.is_sorted());
        for code in CODES {
            let (message, name) = code.split_once('.').expect("a field");
            let field = MESSAGES[message].iter().find(|field| field.name == name);
            assert!(field.is_some_and(Field::is_string), "{code}");
        }
    }

    /// A field that is new is decided upon here.
    #[test]
    fn these_strings_are_texts() {
        let (mut seen, mut new) = (BTreeSet::new(), BTreeSet::new());
        let mut next: Vec<&str> = Kind::ALL.iter().map(|kind| message_name(*kind)).collect();
        while let Some(message) = next.pop() {
            if !seen.insert(message) {
                continue;
            }
            for field in &MESSAGES[message] {
                next.extend(field.message());
                if is_text(message, field) {
                    new.insert(format!("{message}.{}", field.name));
                }
            }
        }
        let texts: Vec<_> = new.iter().map(String::as_str).collect();
        assert_eq!(texts, TEXTS);
    }

    const TEXTS: [&str; 35] = [
        "Act.field",
        "Attachment.name",
        "Chair.organisation",
        "Clearance.on_behalf_of",
        "Clearance.reference",
        "Concept.concept",
        "Contact.email",
        "Contact.organisation",
        "Contact.person_name",
        "Contact.phone",
        "Contribution.edition",
        "Contribution.forum",
        "Envelope.licence",
        "Envelope.our_ref",
        "LanguageText.text",
        "Meeting.host",
        "Meeting.place",
        "MeetingInvitation.travel_paid_by",
        "ObserverGrant.decided_by",
        "Organisation.name",
        "PracticeResult.source",
        "PracticeResult.value",
        "Predecessor.name",
        "Profile.acronym",
        "Profile.also_known_as",
        "Profile.member_organisations",
        "Profile.observer_organisations",
        "Profile.website",
        "Recommendation.adopted_by",
        "Secretariat.city",
        "Secretariat.host",
        "Source.title",
        "Source.url",
        "Term.concept_id",
        "Theme.concept",
    ];

    #[test]
    fn all_texts_are_found() {
        let mut body = practice();
        body.what_did_not_work = texts(&[("ar", "\u{647}"), ("en", "haste")]);
        let found = contents(1, &body.encode_to_vec()).expect("a practice");
        assert_eq!(Some(&found.envelope), body.envelope.as_ref());
        let words: Vec<_> = found.texts.iter().map(|one| one.text.as_str()).collect();
        for word in [
            "One orientation path for workers",
            "haste",
            "Abu Dhabi Dialogue",
        ] {
            assert!(words.contains(&word), "{word} in {words:?}");
        }
        for code in ["AE", "en"] {
            assert!(!words.contains(&code), "{code} is no text");
        }
    }

    #[test]
    fn what_is_not_understood_has_no_contents() {
        assert_eq!(contents(999, b""), None);
        assert_eq!(contents(1, &[0x0a, 200]), None);
    }
}
