//! Bodies as proto3 JSON, from the descriptors of `corridor.v1`.
//!
//! **Invariant:** what is given out as a body is in the form that the kinds ask for; a field that
//! nobody knows is an error, never dropped.

use std::sync::LazyLock;

use corridor_proto::FILE_DESCRIPTOR_SET;
use corridor_proto::kinds::{self, FieldViolation, Kind};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
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

/// The descriptors; compiled in, so that they are there or the tests of this file fail.
static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).ok());

/// The message of a kind; `None` for one that this version does not author.
const fn message_name(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Practice => Some("corridor.v1.Practice"),
        Kind::Lesson => Some("corridor.v1.Lesson"),
        Kind::Recommendation | Kind::Guideline => Some("corridor.v1.Recommendation"),
        Kind::Profile => Some("corridor.v1.Profile"),
        _ => None,
    }
}

/// An example of a body as proto3 JSON. It passes all checks but one: the texts that begin with
/// [`kinds::EXAMPLE_BEGINS`] have to be written anew. `None` for a kind that this version does not
/// author.
pub const fn template(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Practice => Some(include_str!("templates/practice.json")),
        Kind::Lesson => Some(include_str!("templates/lesson.json")),
        Kind::Recommendation => Some(include_str!("templates/recommendation.json")),
        Kind::Guideline => Some(include_str!("templates/guideline.json")),
        Kind::Profile => Some(include_str!("templates/profile.json")),
        _ => None,
    }
}

/// Reads a body from proto3 JSON and writes it in the form that [`kinds::canonical`] asks for. What
/// is still needed before it can be published is another question: [`kinds::check`].
///
/// # Errors
/// [`BodyError`].
pub fn from_json(kind: Kind, json: &[u8]) -> Result<Vec<u8>, BodyError> {
    let name = message_name(kind).ok_or_else(|| BodyError::Kind {
        kind: kind.name().to_owned(),
    })?;
    let descriptor = POOL
        .as_ref()
        .and_then(|pool| pool.get_message_by_name(name))
        .ok_or(BodyError::Bytes)?;
    let wrong = |source| BodyError::Json { kind, source };
    let mut reader = serde_json::Deserializer::from_slice(json);
    let message = DynamicMessage::deserialize(descriptor, &mut reader).map_err(wrong)?;
    reader.end().map_err(wrong)?;
    kinds::canonical(kind, &message.encode_to_vec()).map_err(BodyError::Violations)
}

/// A body as proto3 JSON. Takes the kind's number and the bytes as they were signed.
///
/// # Errors
/// [`BodyError::Kind`] and [`BodyError::Bytes`].
pub fn to_json(kind_code: u16, body: &[u8]) -> Result<serde_json::Value, BodyError> {
    let name = Kind::from_code(kind_code).and_then(message_name);
    let name = name.ok_or_else(|| BodyError::Kind {
        kind: Kind::from_code(kind_code)
            .map_or_else(|| kind_code.to_string(), |kind| kind.name().to_owned()),
    })?;
    json_of(name, body, &SerializeOptions::new())
}

/// Any message of the API as proto3 JSON, with the fields that are false, empty or zero: a program
/// need not know what is left out. `name` is that of its type, without package.
pub(crate) fn message_json(
    name: &str,
    message: &impl Message,
) -> Result<serde_json::Value, BodyError> {
    let all = SerializeOptions::new().skip_default_fields(false);
    json_of(
        &format!("corridor.v1.{name}"),
        &message.encode_to_vec(),
        &all,
    )
}

fn json_of(
    name: &str,
    bytes: &[u8],
    options: &SerializeOptions,
) -> Result<serde_json::Value, BodyError> {
    let descriptor = POOL
        .as_ref()
        .and_then(|pool| pool.get_message_by_name(name))
        .ok_or(BodyError::Bytes)?;
    let message = DynamicMessage::decode(descriptor, bytes).map_err(|_| BodyError::Bytes)?;
    message
        .serialize_with_options(serde_json::value::Serializer, options)
        .map_err(|_| BodyError::Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authored() -> impl Iterator<Item = (Kind, &'static str)> {
        Kind::ALL
            .iter()
            .filter_map(|kind| Some((*kind, template(*kind)?)))
    }

    #[test]
    fn every_template_passes_all_checks_once_its_texts_are_replaced() {
        assert_eq!(authored().count(), 5);
        for (kind, json) in authored() {
            let untouched = from_json(kind, json.as_bytes()).expect("a body");
            let refused = kinds::check(kind, &untouched).expect_err("the example's texts");
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
            let value: serde_json::Value = serde_json::from_str(json).expect("json");
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
        for result in [to_json(99, b""), to_json(Kind::Meeting.code(), b"")] {
            assert!(matches!(result, Err(BodyError::Kind { .. })));
        }
        assert!(matches!(
            to_json(Kind::Practice.code(), b"\xff"),
            Err(BodyError::Bytes)
        ));
        assert!(matches!(
            from_json(Kind::Meeting, b"{}"),
            Err(BodyError::Kind { .. })
        ));
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
