//! Bodies field by field, by the descriptors of `corridor.v1`.

use std::borrow::Cow;
use std::sync::LazyLock;

use corridor_proto::FILE_DESCRIPTOR_SET;
use corridor_proto::kinds::{self, Kind};
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind as FieldKind,
    MessageDescriptor, Value,
};

/// The descriptors; compiled in, so that they are there or the tests of this crate fail.
static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).ok());

/// The message of a kind.
pub(crate) fn descriptor(kind: Kind) -> Option<MessageDescriptor> {
    let name = kinds::message_name(kind);
    POOL.as_ref()?
        .get_message_by_name(&format!("corridor.v1.{name}"))
}

/// The field at a path.
pub(crate) fn field(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    match path.split_once('.') {
        None => message.get_field_by_name(path),
        Some((first, rest)) => match message.get_field_by_name(first)?.kind() {
            FieldKind::Message(inner) => field(&inner, rest),
            _ => None,
        },
    }
}

/// The value at a path, if it is set.
pub(crate) fn find<'a>(message: &'a DynamicMessage, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let value = match message.get_field_by_name(first)? {
        Cow::Borrowed(value) => value,
        Cow::Owned(_) => return None,
    };
    match rest {
        "" => Some(value),
        rest => find(value.as_message()?, rest),
    }
}

/// Sets the value at a path, or clears it; what holds nothing any more is no message.
pub(crate) fn put(message: &mut DynamicMessage, path: &str, value: Option<Value>) -> Option<()> {
    let Some((first, rest)) = path.split_once('.') else {
        match value {
            Some(value) => message.try_set_field_by_name(path, value).ok()?,
            None => message.clear_field_by_name(path),
        }
        return Some(());
    };
    if value.is_none() && !message.has_field_by_name(first) {
        return Some(());
    }
    let inner = message.get_field_by_name_mut(first)?.as_message_mut()?;
    put(inner, rest, value)?;
    if inner.fields().next().is_none() {
        message.clear_field_by_name(first);
    }
    Some(())
}

/// The list at a path; empty where there is none.
pub(crate) fn list<'a>(message: &'a DynamicMessage, path: &str) -> &'a [Value] {
    find(message, path).and_then(Value::as_list).unwrap_or(&[])
}

/// A string field of a message; empty where there is none.
pub(crate) fn string<'a>(message: &'a DynamicMessage, name: &str) -> &'a str {
    find(message, name).and_then(Value::as_str).unwrap_or("")
}

/// A text in one of its languages; empty where it has none.
pub(crate) fn text_in<'a>(texts: &'a [Value], tag: &str) -> &'a str {
    let found = texts
        .iter()
        .filter_map(Value::as_message)
        .find(|text| string(text, "tag") == tag);
    found.map_or("", |text| string(text, "text"))
}

/// Puts a text of one language in place of the one that is there; an empty one is none.
pub(crate) fn put_text(of: &MessageDescriptor, texts: &mut Vec<Value>, tag: &str, text: &str) {
    texts.retain(|one| one.as_message().is_none_or(|one| string(one, "tag") != tag));
    if !text.is_empty() {
        texts.push(language_text(of, tag, text));
    }
}

/// A text of one language, as a message.
pub(crate) fn language_text(of: &MessageDescriptor, tag: &str, text: &str) -> Value {
    let mut message = DynamicMessage::new(of.clone());
    for (name, value) in [("tag", tag), ("text", text)] {
        message.set_field_by_name(name, Value::String(value.to_owned()));
    }
    Value::Message(message)
}

/// The words of an enum by which tables call its values: their names in lower case, without what
/// all begin with; not that of zero.
pub(crate) fn words(of: &EnumDescriptor) -> Vec<String> {
    let values = of.values().filter(|value| value.number() != 0);
    values.map(|value| word(of, value.name())).collect()
}

fn word(of: &EnumDescriptor, name: &str) -> String {
    let zero = of.default_value();
    let prefix = zero.name().trim_end_matches("UNSPECIFIED");
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}

/// The number of a word.
pub(crate) fn number_of(of: &EnumDescriptor, of_word: &str) -> Option<i32> {
    let found = of.values().find(|value| word(of, value.name()) == of_word);
    found.map(|value| value.number())
}

/// The word of a number; `None` for one that this version does not know.
pub(crate) fn word_of(of: &EnumDescriptor, number: i32) -> Option<String> {
    let value = of.get_value(number).filter(|value| value.number() != 0)?;
    Some(word(of, value.name()))
}
