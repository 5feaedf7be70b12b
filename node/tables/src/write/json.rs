//! JSON: an object with an array of objects for each kind of record.

use corridor_proto::kinds::Kind;
use serde_json::{Map, Value as Json, json};

use super::{Record, Sink, WriteError, Writer};
use crate::cell::Value;
use crate::record::{Use, Wording, values};

/// Writes JSON.
pub struct JsonWriter<'a> {
    out: &'a mut dyn Sink,
    kind: Option<Kind>,
    uses: Vec<Use>,
    is_first: bool,
}

impl<'a> JsonWriter<'a> {
    /// Begins a file.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn new(out: &'a mut dyn Sink) -> Result<Self, WriteError> {
        out.write_all(b"{")?;
        Ok(Self {
            out,
            kind: None,
            uses: Vec::new(),
            is_first: true,
        })
    }
}

impl Writer for JsonWriter<'_> {
    fn kind(&mut self, kind: Kind, uses: Vec<Use>) -> Result<(), WriteError> {
        let before = if self.kind.is_some() { "\n],\n" } else { "\n" };
        write!(self.out, "{before}\"{kind}\": [")?;
        (self.kind, self.uses, self.is_first) = (Some(kind), uses, true);
        Ok(())
    }

    fn record(&mut self, record: Record<'_>) -> Result<(), WriteError> {
        let unreadable = || WriteError::Unreadable(record.name.to_owned());
        let kind = self.kind.ok_or_else(unreadable)?;
        let values = values(kind, &self.uses, record.body, Wording::Keys);
        let values = values.ok_or_else(unreadable)?;
        let mut object = Map::new();
        object.insert("record".to_owned(), json!(record.name));
        if let Some(version) = record.version {
            object.insert("version".to_owned(), json!(version.to_string()));
        }
        for (one, value) in self.uses.iter().zip(values) {
            if let Some(value) = value {
                object.insert(one.key().into_owned(), json_of(&value));
            }
        }
        let before = if self.is_first { "\n" } else { ",\n" };
        self.is_first = false;
        self.out.write_all(before.as_bytes())?;
        serde_json::to_writer(&mut self.out, &object)?;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), WriteError> {
        let end = if self.kind.is_some() { "\n]}\n" } else { "}\n" };
        self.out.write_all(end.as_bytes())?;
        Ok(self.out.flush()?)
    }
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Number(number) if number.fract() == 0.0 => match value.number() {
            Ok(number) => json!(number),
            Err(_) => json!(number),
        },
        Value::Number(number) => json!(number),
        Value::Flag(flag) => json!(flag),
        Value::List(values) => values.iter().map(json_of).collect(),
        Value::Text(text) | Value::Day(text) => json!(text),
        Value::Wrong(_) => Json::Null,
    }
}
