//! Identifiers in the JSON of a body as people see them everywhere else.
//!
//! **Invariant:** a string is read in one way only: the forms here are no base64 of the bytes that
//! their fields hold.

use corridor_proto::RcpId;
use data_encoding::BASE64;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde::de::Error as _;
use serde_json::{Error, Map, Value};

use crate::names::{RcpName, RecordName};

/// How strings begin that are meant as names, and no bytes in base64.
const NAMES_BEGIN: [&str; 2] = ["rcps/", "REPLACE"];
/// The message of a link.
const LINK: &str = "corridor.v1.Link";

/// Writes out what is given by name, as the message has it; gives whether anything was.
///
/// # Errors
/// A string where a record is named that is no name of one.
pub(super) fn write_out(message: &MessageDescriptor, value: &mut Value) -> Result<bool, Error> {
    let Value::Object(fields) = value else {
        return Ok(false);
    };
    let mut found = false;
    for (key, value) in fields {
        let by_name = || message.get_field_by_name(key);
        let Some(field) = message.get_field_by_json_name(key).or_else(by_name) else {
            continue;
        };
        let values = match value {
            Value::Array(values) => values.as_mut_slice(),
            value => std::slice::from_mut(value),
        };
        for value in values {
            found |= one(&field, value)?;
        }
    }
    Ok(found)
}

fn one(field: &FieldDescriptor, value: &mut Value) -> Result<bool, Error> {
    match (field.kind(), &*value) {
        (Kind::Message(message), Value::String(name)) if message.full_name() == LINK => {
            *value = link(field, name)?;
            Ok(true)
        }
        (Kind::Message(message), _) => write_out(&message, value),
        (Kind::Bytes, Value::String(name)) => {
            let rcp = name.parse().map(|RcpName(rcp)| rcp);
            // All identifiers of 32 bytes are written alike.
            let id = rcp.or_else(|_| name.parse::<RcpId>()).ok();
            if id.is_none() && NAMES_BEGIN.iter().any(|begin| name.starts_with(begin)) {
                let what = "is no identifier; copy one such as rcps/… from where it is shown";
                return Err(wrong(field, name, what));
            }
            let Some(id) = id else { return Ok(false) };
            *value = Value::String(BASE64.encode(id.as_bytes()));
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn wrong(field: &FieldDescriptor, name: &str, what: &str) -> Error {
    Error::custom(format!("{}: \"{name}\" {what}", field.json_name()))
}

fn link(field: &FieldDescriptor, name: &str) -> Result<Value, Error> {
    let what = "is no name of a record; copy one such as rcps/…/records/… from a list";
    let record: RecordName = name.parse().map_err(|_| wrong(field, name, what))?;
    let base64 = |bytes: &[u8]| Value::String(BASE64.encode(bytes));
    Ok(Value::Object(Map::from_iter([
        ("rcp".to_owned(), base64(record.rcp.as_bytes())),
        ("record".to_owned(), base64(record.record.as_bytes())),
    ])))
}
