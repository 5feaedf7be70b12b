//! Bodies as proto3 JSON, from the descriptors of `corridor.v1`.
//!
//! **Invariant:** what is given out as a body is in the form that the kinds ask for; a field that
//! nobody knows is an error, never dropped.

mod names;
pub(crate) mod rows;

use std::sync::LazyLock;

use corridor_proto::FILE_DESCRIPTOR_SET;
use corridor_proto::kinds::{self, FieldViolation, Kind};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use thiserror::Error;

/// Why a body has no JSON, or a JSON is no body.
#[derive(Debug, Error)]
pub enum BodyError {
    /// This version does not know what a record of that kind holds.
    #[error("a record of the kind {kind} needs a newer version of this program")]
    Kind {
        /// The kind's name or number.
        kind: String,
    },
    /// The text is not the JSON of such a body.
    #[error("the text is not the JSON of a {kind}: {source}; compare it with the template")]
    Json {
        /// Which kind it should be.
        kind: Kind,
        /// Where, and what is wrong.
        source: serde_json::Error,
    },
    /// The bytes are no message of the kind.
    #[error("the body cannot be read as a record of its kind")]
    Bytes,
    /// Rules that the body breaks before it can be saved at all.
    #[error("the body breaks rules of its kind")]
    Violations(Vec<FieldViolation>),
}

/// The package of all messages.
const PACKAGE: &str = "corridor.v1";

/// The descriptors; compiled in, so that they are there or the tests of this file fail.
static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).ok());

/// The message of a kind in the descriptors.
fn descriptor(name: &str) -> Result<MessageDescriptor, BodyError> {
    POOL.as_ref()
        .and_then(|pool| pool.get_message_by_name(&format!("{PACKAGE}.{name}")))
        .ok_or(BodyError::Bytes)
}

/// An example of a body as JSON. It passes all checks but one: the texts that begin with
/// [`kinds::EXAMPLE_BEGINS`] have to be written anew.
pub const fn template(kind: Kind) -> &'static str {
    match kind {
        Kind::Practice => include_str!("templates/practice.json"),
        Kind::Lesson => include_str!("templates/lesson.json"),
        Kind::Recommendation => include_str!("templates/recommendation.json"),
        Kind::Guideline => include_str!("templates/guideline.json"),
        Kind::Profile => include_str!("templates/profile.json"),
        Kind::Term => include_str!("templates/term.json"),
        Kind::Mapping => include_str!("templates/mapping.json"),
        Kind::Meeting => include_str!("templates/meeting.json"),
        Kind::Invitation => include_str!("templates/invitation.json"),
        Kind::Presentation => include_str!("templates/presentation.json"),
        Kind::ObserverGrant => include_str!("templates/observer_grant.json"),
        Kind::Contribution => include_str!("templates/contribution.json"),
        Kind::Endorsement => include_str!("templates/endorsement.json"),
        Kind::Review => include_str!("templates/review.json"),
        Kind::Contact => include_str!("templates/contact.json"),
        Kind::Act => include_str!("templates/act.json"),
    }
}

/// Reads a body from proto3 JSON and writes it in the form that [`kinds::canonical`] asks for. What
/// is still needed before it can be published is another question: [`kinds::check`].
///
/// Records may be given by their names, such as `"rcps/…/records/…"`, and RCPs, circles and version
/// hashes as they are written everywhere else, instead of as bytes in base64.
///
/// # Errors
/// [`BodyError`].
pub fn from_json(kind: Kind, json: &[u8]) -> Result<Vec<u8>, BodyError> {
    let wrong = |source| BodyError::Json { kind, source };
    let descriptor = descriptor(kinds::message_name(kind))?;
    let mut value = serde_json::from_slice(json).map_err(wrong)?;
    let message = if names::write_out(&descriptor, &mut value).map_err(wrong)? {
        DynamicMessage::deserialize(descriptor, value).map_err(wrong)?
    } else {
        // From the text itself it is known in which line something is wrong.
        let mut reader = serde_json::Deserializer::from_slice(json);
        let message = DynamicMessage::deserialize(descriptor, &mut reader).map_err(wrong)?;
        reader.end().map_err(wrong)?;
        message
    };
    kinds::canonical(kind, &message.encode_to_vec()).map_err(BodyError::Violations)
}

/// A body as proto3 JSON. Takes the kind's number and the bytes as they were signed.
///
/// # Errors
/// [`BodyError::Kind`] and [`BodyError::Bytes`].
pub fn to_json(kind_code: u16, body: &[u8]) -> Result<serde_json::Value, BodyError> {
    let kind = Kind::from_code(kind_code).ok_or_else(|| BodyError::Kind {
        kind: kind_code.to_string(),
    })?;
    json_of(kinds::message_name(kind), body, &SerializeOptions::new())
}

/// Any message of the API as proto3 JSON, with the fields that are false, empty or zero: a program
/// need not know what is left out. `name` is that of its type, without package.
pub(crate) fn message_json(
    name: &str,
    message: &impl Message,
) -> Result<serde_json::Value, BodyError> {
    let all = SerializeOptions::new().skip_default_fields(false);
    json_of(name, &message.encode_to_vec(), &all)
}

/// A message of the package, to be looked at field by field.
fn read(name: &str, bytes: &[u8]) -> Result<DynamicMessage, BodyError> {
    DynamicMessage::decode(descriptor(name)?, bytes).map_err(|_| BodyError::Bytes)
}

fn json_of(
    name: &str,
    bytes: &[u8],
    options: &SerializeOptions,
) -> Result<serde_json::Value, BodyError> {
    let message = read(name, bytes)?;
    message
        .serialize_with_options(serde_json::value::Serializer, options)
        .map_err(|_| BodyError::Bytes)
}

#[cfg(test)]
mod tests {
    use corridor_proto::{RcpId, RecordId, v1};

    use super::*;

    /// All templates, with names where an author has to put them.
    fn authored() -> impl Iterator<Item = (Kind, String)> {
        let name = |word: &str, length: usize| (word.to_owned(), "ea".repeat(length / 2));
        let names = [name("RCP", 52), name("RECORD", 26), name("HASH", 52)];
        Kind::ALL.iter().map(move |kind| {
            let json = names
                .iter()
                .fold(template(*kind).to_owned(), |json, (word, id)| {
                    json.replace(&format!("REPLACE-{word}"), id)
                });
            (*kind, json)
        })
    }

    #[test]
    fn every_template_passes_all_checks_once_its_texts_are_replaced() {
        for (kind, json) in authored() {
            let untouched = from_json(kind, json.as_bytes()).expect("a body");
            let refused = kinds::check(kind, &untouched).err().unwrap_or_default();
            assert!(
                refused
                    .iter()
                    .all(|one| one.what == "is still the example's text"),
                "{kind}: {refused:?}"
            );
            let begins = format!("{} ", kinds::EXAMPLE_BEGINS);
            assert_eq!(refused.len(), json.matches(&begins).count(), "{kind}");
            let json = json.replace(&begins, "");
            let body = from_json(kind, json.as_bytes()).expect("a body");
            kinds::check(kind, &body).expect("nothing is missing");
            let again = to_json(kind.code(), &body).expect("json").to_string();
            assert_eq!(
                from_json(kind, again.as_bytes()).expect("again"),
                body,
                "{kind}"
            );
        }
    }

    #[test]
    fn templates_are_in_canonical_order() {
        for (kind, json) in authored() {
            let mut value: serde_json::Value = serde_json::from_str(&json).expect("json");
            let descriptor = descriptor(kinds::message_name(kind)).expect("a message");
            names::write_out(&descriptor, &mut value).expect("names");
            let body = from_json(kind, json.as_bytes()).expect("a body");
            assert_eq!(to_json(kind.code(), &body).expect("json"), value, "{kind}");
        }
    }

    #[test]
    fn a_wrong_field_is_named_with_its_place() {
        let error = from_json(Kind::Practice, b"{\n  \"titel\": []\n}").expect_err("unknown");
        let text = error.to_string();
        assert!(text.contains("titel") && text.contains("line 2"), "{text}");
        assert!(
            from_json(Kind::Practice, b"{} {}").is_err(),
            "more after the end"
        );
        assert!(from_json(Kind::Practice, b"").is_err());
    }

    #[test]
    fn what_this_version_does_not_know_is_said_so() {
        assert!(matches!(to_json(99, b""), Err(BodyError::Kind { .. })));
        assert!(matches!(
            to_json(Kind::Practice.code(), b"\xff"),
            Err(BodyError::Bytes)
        ));
    }

    #[test]
    fn records_and_rcps_are_given_by_name_or_by_bytes() {
        let (rcp, record) = (RcpId::new([7; 32]), RecordId::new([9; 16]));
        let link = v1::Link {
            rcp: rcp.as_bytes().to_vec(),
            record: record.as_bytes().to_vec(),
        };
        let expect = v1::MeetingInvitation {
            meeting: Some(link.clone()),
            to: rcp.as_bytes().to_vec(),
            ..Default::default()
        };
        for json in [
            format!(r#"{{"meeting":"rcps/{rcp}/records/{record}","to":"rcps/{rcp}"}}"#),
            format!(r#"{{"meeting":"rcps/{rcp}/records/{record}","to":"{rcp}"}}"#),
            to_json(Kind::Invitation.code(), &expect.encode_to_vec())
                .expect("json")
                .to_string(),
        ] {
            let body = from_json(Kind::Invitation, json.as_bytes()).expect("a body");
            assert_eq!(body, expect.encode_to_vec(), "{json}");
        }
        let json = format!(
            r#"{{"about":{{"record":"rcps/{rcp}/records/{record}","versionHash":"{rcp}"}}}}"#
        );
        let body = from_json(Kind::Act, json.as_bytes()).expect("a body");
        let act = v1::Act::decode(body.as_slice()).expect("an act");
        let about = act.about.expect("what it is about");
        assert_eq!(
            (about.record, about.version_hash),
            (Some(link), vec![7; 32])
        );
        let error = from_json(Kind::Invitation, br#"{"meeting":"rcps/x"}"#).expect_err("no name");
        assert!(
            error.to_string().contains("meeting: \"rcps/x\" is no name"),
            "{error}"
        );
    }

    #[test]
    fn a_draft_may_lack_things() {
        let body = from_json(Kind::Lesson, b"{}").expect("empty draft");
        assert!(
            !kinds::check(Kind::Lesson, &body)
                .expect_err("needs")
                .is_empty()
        );
    }
}
