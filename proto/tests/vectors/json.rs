//! JSON in one fixed form: keys in the order given, two spaces, a final newline.

use std::collections::BTreeSet;

use corridor_proto::Refusal;
use data_encoding::HEXLOWER;

/// A JSON value whose objects keep their order.
#[derive(Clone, Debug)]
pub enum Json {
    Text(String),
    Number(u64),
    Bool(bool),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

/// An object.
pub fn object<const N: usize>(fields: [(&'static str, Json); N]) -> Json {
    Json::Object(fields.into())
}

/// Bytes in lower hex.
pub fn hex(bytes: impl AsRef<[u8]>) -> Json {
    Json::Text(HEXLOWER.encode(bytes.as_ref()))
}

/// Text.
pub fn text(text: impl Into<String>) -> Json {
    Json::Text(text.into())
}

/// A number that always fits 53 bits.
pub fn number(value: impl TryInto<u64, Error: std::fmt::Debug>) -> Json {
    Json::Number(value.try_into().expect("number"))
}

/// A u64 field, as decimal text: many languages lose digits of a JSON number.
pub fn ordinal(value: u64) -> Json {
    Json::Text(value.to_string())
}

/// A list.
pub fn list(items: impl IntoIterator<Item = Json>) -> Json {
    Json::List(items.into_iter().collect())
}

/// The same byte many times, for what is too long to be written out.
pub fn repeat(byte: u8, count: usize) -> Json {
    object([("repeat", hex([byte])), ("count", number(count))])
}

/// A case that must be refused, with the reason that was given.
///
/// Panics if it was not refused.
pub fn refused<T, const N: usize>(
    name: &str,
    fields: [(&'static str, Json); N],
    verdict: Result<T, Refusal>,
) -> Json {
    let Err(refusal) = verdict else {
        panic!("{name} was not refused");
    };
    let mut object = vec![("name", text(name))];
    object.extend(fields);
    object.push(("refused", text(refusal.reason.code())));
    Json::Object(object)
}

/// A layout, field by field: name, offset, length and bytes. All bytes must be named.
pub fn fields(bytes: &[u8], names: &[(&str, usize)]) -> Json {
    let mut offset = 0;
    let list = list(names.iter().map(|(name, length)| {
        let field = object([
            ("field", text(*name)),
            ("offset", number(offset)),
            ("length", number(*length)),
            ("bytes", hex(&bytes[offset..offset + length])),
        ]);
        offset += length;
        field
    }));
    assert_eq!(offset, bytes.len(), "every byte belongs to a field");
    list
}

impl Json {
    /// The whole file.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out.push('\n');
        out
    }

    /// Adds all values under the key `refused`.
    pub fn refusals(&self, into: &mut BTreeSet<String>) {
        match self {
            Self::List(items) => items.iter().for_each(|item| item.refusals(into)),
            Self::Object(fields) => {
                for (key, value) in fields {
                    match value {
                        Self::Text(code) if *key == "refused" => {
                            into.insert(code.clone());
                        }
                        value => value.refusals(into),
                    }
                }
            }
            Self::Text(_) | Self::Number(_) | Self::Bool(_) => {}
        }
    }

    fn write(&self, out: &mut String, depth: usize) {
        match self {
            Self::Text(text) => out.push_str(&serde_json::to_string(text).expect("text")),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::List(items) => {
                let items = items.iter().map(|item| (None, item));
                write_all(out, depth, ('[', ']'), items);
            }
            Self::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| (Some(*key), value));
                write_all(out, depth, ('{', '}'), fields);
            }
        }
    }
}

fn write_all<'a>(
    out: &mut String,
    depth: usize,
    brackets: (char, char),
    items: impl ExactSizeIterator<Item = (Option<&'static str>, &'a Json)>,
) {
    out.push(brackets.0);
    let count = items.len();
    for (at, (key, value)) in items.enumerate() {
        out.push('\n');
        out.push_str(&"  ".repeat(depth + 1));
        if let Some(key) = key {
            out.push_str(&format!("\"{key}\": "));
        }
        value.write(out, depth + 1);
        if at + 1 < count {
            out.push(',');
        }
    }
    if count > 0 {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
    out.push(brackets.1);
}
