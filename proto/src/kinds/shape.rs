//! Whether bytes are a message of `corridor.v1` and nothing more.
//!
//! It imports the compiled descriptors. **Invariant:** no unknown field passes. Protobuf decoders
//! skip what they do not know and keep the last of what is given twice, so a body could carry a
//! link, a text or a State's name that no check of this version has seen.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::LazyLock;

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

use super::{FieldViolation, Outcome};
use crate::FILE_DESCRIPTOR_SET;
use crate::limits::NESTING_MAX;

/// The part of google/protobuf/descriptor.proto that is needed here.
#[derive(Clone, PartialEq, Message)]
struct FileSet {
    #[prost(message, repeated, tag = "1")]
    files: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(message, repeated, tag = "4")]
    messages: Vec<MessageType>,
}

#[derive(Clone, PartialEq, Message)]
struct MessageType {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Field {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(uint32, tag = "3")]
    pub number: u32,
    #[prost(int32, tag = "4")]
    label: i32,
    #[prost(int32, tag = "5")]
    kind: i32,
    #[prost(string, tag = "6")]
    type_name: String,
}

impl Field {
    /// `LABEL_REPEATED` of descriptor.proto.
    const REPEATED: i32 = 3;
    /// `TYPE_MESSAGE` of descriptor.proto.
    const MESSAGE: i32 = 11;
    /// `TYPE_STRING` of descriptor.proto.
    const STRING: i32 = 9;

    pub(super) const fn is_string(&self) -> bool {
        self.kind == Self::STRING
    }

    pub(super) fn message(&self) -> Option<&str> {
        let local = self.type_name.strip_prefix(".corridor.v1.")?;
        (self.kind == Self::MESSAGE).then_some(local)
    }
}

/// The messages of the package by name. Read once, never changed. Empty if the descriptors did not
/// decode, which refuses everything; a test holds that they do.
pub(super) static MESSAGES: LazyLock<BTreeMap<String, Vec<Field>>> = LazyLock::new(|| {
    let set = FileSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
    let messages = set.files.into_iter().flat_map(|file| file.messages);
    messages
        .map(|message| (message.name, message.fields))
        .collect()
});

/// Whether `body` is well formed, known in every field, single where it must be, and nested no
/// deeper than `NESTING_MAX`.
pub(super) fn check(message: &str, body: &[u8]) -> Outcome<()> {
    let mut violations = Vec::new();
    walk(message, body, &At::Body, 1, &mut violations);
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations)
    }
}

/// Where in a body something is. It is spelt out for what is wrong alone.
enum At<'a> {
    Body,
    Field {
        within: &'a At<'a>,
        name: &'a str,
        /// Which of several.
        index: Option<usize>,
    },
}

impl Display for At<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self::Field {
            within,
            name,
            index,
        } = self
        else {
            return Ok(());
        };
        if let Self::Field { .. } = within {
            write!(f, "{within}.")?;
        }
        f.write_str(name)?;
        index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}

fn walk(
    message: &str,
    mut bytes: &[u8],
    within: &At<'_>,
    depth: usize,
    violations: &mut Vec<FieldViolation>,
) {
    let fields = MESSAGES.get(message).map_or(&[][..], Vec::as_slice);
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    while !bytes.is_empty() && violations.len() < super::checks::VIOLATIONS_MAX {
        let Some((number, payload)) = take(&mut bytes) else {
            return violations.push(FieldViolation::malformed(within.to_string()));
        };
        let Some(field) = fields.iter().find(|field| field.number == number) else {
            let at = At::Field {
                within,
                name: &format!("#{number}"),
                index: None,
            };
            violations.push(FieldViolation::new(
                at.to_string(),
                "is not known to this version",
                "leave it out, or update this node",
            ));
            continue;
        };
        let before = seen.entry(number).or_default();
        let is_repeated = field.label == Field::REPEATED;
        let at = At::Field {
            within,
            name: &field.name,
            index: is_repeated.then_some(*before),
        };
        if !is_repeated && *before > 0 {
            violations.push(FieldViolation::new(
                at.to_string(),
                "is given twice",
                "give it once",
            ));
        }
        *before += 1;
        match (field.message(), payload) {
            (Some(_), Some(_)) if depth == NESTING_MAX => violations.push(FieldViolation::new(
                at.to_string(),
                format!("is nested deeper than {NESTING_MAX}"),
                "flatten it",
            )),
            (Some(inner), Some(payload)) => walk(inner, payload, &at, depth + 1, violations),
            (Some(_), None) => violations.push(FieldViolation::malformed(at.to_string())),
            (None, _) => {}
        }
    }
}

/// Takes one field off the front: its number, and its bytes if it is length-delimited. `None` if
/// the bytes are no field, or a group, which proto3 does not have.
pub(super) fn take<'a>(bytes: &mut &'a [u8]) -> Option<(u32, Option<&'a [u8]>)> {
    let (number, wire_type) = decode_key(bytes).ok()?;
    let length = match wire_type {
        WireType::Varint => {
            decode_varint(bytes).ok()?;
            return Some((number, None));
        }
        WireType::LengthDelimited => usize::try_from(decode_varint(bytes).ok()?).ok()?,
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::StartGroup | WireType::EndGroup => return None,
    };
    let (payload, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some((
        number,
        (wire_type == WireType::LengthDelimited).then_some(payload),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    fn check_fields(body: &[u8], expect: &[&str]) {
        let violations = check("Practice", body).err().unwrap_or_default();
        let found: Vec<_> = violations.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expect.len(), "{found:?}");
        for (found, expect) in found.iter().zip(expect) {
            assert!(found.starts_with(expect), "{found} / {expect}");
        }
    }

    #[test]
    fn descriptors_have_the_messages() {
        for name in ["Practice", "Lesson", "Recommendation", "Profile"] {
            assert_eq!(MESSAGES[name][0].message(), Some("Envelope"), "{name}");
        }
    }

    #[test]
    fn what_the_contract_does_not_have_is_refused() {
        let practice = v1::Practice {
            start_year: 2014,
            ..Default::default()
        };
        let body = practice.encode_to_vec();
        check_fields(&body, &[]);
        check_fields(
            &[&body[..], &body[..]].concat(),
            &["start_year is given twice"],
        );
        // Field 1, envelope, with an unknown field 1000 inside.
        check_fields(&[0x0a, 3, 0xc0, 0x3e, 1], &["envelope.#1000 is not known"]);
        check_fields(
            &[0xc0, 0x3e, 1, 0xc0, 0x3e, 1],
            &["#1000 is not", "#1000 is not"],
        );
        check_fields(&[0x08, 1], &["envelope is not a well-formed"]);
        check_fields(&[0x0a, 200], &["the body is not a well-formed"]);
        check_fields(&[0x0b, 0x0c], &["the body is not a well-formed"]);
        check_fields(&[0x12, 2, 0x0a, 9], &["title[0] is not a well-formed"]);
    }
}
