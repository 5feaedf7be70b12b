//! From the cells of a row to the fields of a message.

use corridor_proto::{RcpId, RecordId};
use prost_reflect::{
    DynamicMessage, Kind as FieldKind, MessageDescriptor, ReflectMessage, Value as Field,
};

use super::{Remark, SOURCE, Use, canonical_tag, showing};
use crate::cell::{Value, Wrong, quoted};
use crate::columns::{Part, Shape};
use crate::items::{split_parts, split_texts, split_values};
use crate::message::{field, find, language_text, list, number_of, put, put_text, string};
use crate::states;
use crate::themes::{self, Theme};
use crate::words::{plain, word_of};

/// The languages of a row: that of the body before, and that from now on.
struct Languages {
    before: String,
    now: String,
}

/// Fills a message from a row; gives what cannot be read.
pub(super) fn fill(
    message: &mut DynamicMessage,
    uses: &[Use],
    row: &[Option<Value>],
) -> Vec<Remark> {
    let mut problems = Vec::new();
    let before = find(message, SOURCE).and_then(Field::as_str).unwrap_or("");
    let before = before.to_owned();
    let mut fill = |message: &mut DynamicMessage, at: usize, languages: &Languages| {
        let (Some(one), Some(value)) = (uses.get(at), row.get(at)) else {
            return;
        };
        if let Err(what) = cell(message, one, value.as_ref(), languages) {
            problems.push(Remark { at: Some(at), what });
        }
    };
    let language = uses.iter().position(|one| one.column.path == SOURCE);
    let now = before.clone();
    let mut languages = Languages { before, now };
    if let Some(at) = language {
        fill(message, at, &languages);
        languages.now = find(message, SOURCE)
            .and_then(Field::as_str)
            .unwrap_or("")
            .to_owned();
    }
    // What is written first is there when its translation comes.
    for is_translation in [false, true] {
        for (at, one) in uses.iter().enumerate() {
            if Some(at) != language && one.tag.is_some() == is_translation {
                fill(message, at, &languages);
            }
        }
    }
    if languages.now.is_empty() {
        let what = "is empty; say in which language the row is written, such as en".to_owned();
        problems.retain(|problem| problem.what != NO_LANGUAGE);
        let is_given = language
            .and_then(|at| row.get(at))
            .is_some_and(Option::is_some);
        if !is_given {
            problems.push(Remark { at: language, what });
        }
    }
    problems
}

/// Said of each text of a row without language, and then once of the row.
const NO_LANGUAGE: &str = "is in no language";

fn cell(
    message: &mut DynamicMessage,
    one: &Use,
    value: Option<&Value>,
    languages: &Languages,
) -> Result<(), Wrong> {
    let path = one.column.path;
    let filled = match value {
        None if one.column.is_translated() => None,
        None => {
            put(message, path, None);
            return Ok(());
        }
        value => value,
    };
    let field = match (one.column.shape, filled) {
        (Shape::Text, value) => text(message, one, value, languages)?,
        (Shape::Labels, value) => labels(message, one, value, languages)?,
        (Shape::Translation, value) => translation(message, one, value)?,
        (Shape::Items(parts), value) => match &one.tag {
            None => items(message, path, parts, value, languages)?,
            Some(tag) => translated(message, path, parts, value, tag)?,
        },
        (_, None) => return Ok(()),
        (shape, Some(value)) => single(message, path, shape, value, languages)?,
    };
    let is_empty = field.as_list().is_some_and(<[Field]>::is_empty);
    put(message, path, Some(field).filter(|_| !is_empty));
    Ok(())
}

/// A field that is in no language.
fn single(
    message: &DynamicMessage,
    path: &str,
    shape: Shape,
    value: &Value,
    languages: &Languages,
) -> Result<Field, Wrong> {
    let string = |text: &str| Field::String(text.trim().to_owned());
    let strings = |texts: Vec<String>| Field::List(texts.iter().map(|one| string(one)).collect());
    Ok(match shape {
        Shape::Line => string(&value.text()?),
        Shape::Lines => strings(value.texts(whole)?),
        Shape::Tag => {
            let text = value.text()?;
            string(&canonical_tag(&text).ok_or_else(|| {
                let text = quoted(&text);
                format!("\"{text}\" is no language tag; use one such as en, fr or zh-Hant")
            })?)
        }
        Shape::Tags => strings(value.texts(by_comma)?.iter().map(|one| tag(one)).collect()),
        Shape::Word(of) => Field::EnumNumber(word(message, path, of, &value.text()?)?),
        Shape::Words(of) => {
            let words = value.texts(whole)?;
            let numbers = words.iter().map(|one| word(message, path, of, one));
            Field::List(
                numbers
                    .map(|one| one.map(Field::EnumNumber))
                    .collect::<Result<_, _>>()?,
            )
        }
        Shape::Number => Field::U32(value.number()?),
        Shape::Numbers => numbers(value)?,
        Shape::Flag => Field::Bool(value.flag()?),
        Shape::Date => string(&plain(&value.text()?)),
        Shape::Country => Field::String(country(&value.text()?)?),
        Shape::Countries => strings(countries(value)?),
        Shape::Principles => strings(principles(value)?),
        Shape::Themes => themes(message, path, value, languages)?,
        Shape::Link => link(message, path, &value.text()?)?,
        Shape::Links => {
            let names = value.texts(by_comma)?;
            let links = names.iter().map(|name| link(message, path, name));
            Field::List(links.collect::<Result<_, _>>()?)
        }
        Shape::Processes => {
            let names = value.texts(by_comma)?;
            let ids = names.iter().map(|name| process(name));
            Field::List(ids.collect::<Result<_, _>>()?)
        }
        Shape::Text | Shape::Labels | Shape::Items(_) | Shape::Translation => {
            return Err("has no place".to_owned());
        }
    })
}

/// Short values that may have commas in them.
fn whole(cell: &str) -> Vec<String> {
    split_values(cell).into_iter().map(str::to_owned).collect()
}

/// Short values in which no comma occurs, so that one divides them too.
fn by_comma(cell: &str) -> Vec<String> {
    let values = split_values(cell).into_iter();
    let values = values.flat_map(|value| value.split([',', '\u{60C}']));
    values
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
        .collect()
}

fn tag(text: &str) -> String {
    canonical_tag(text).unwrap_or_else(|| text.trim().to_owned())
}

fn numbers(value: &Value) -> Result<Field, Wrong> {
    let texts = value.texts(by_comma)?;
    if let [only] = texts.as_slice()
        && matches!(only.to_lowercase().as_str(), "n/a" | "-")
    {
        return Ok(Field::List(Vec::new()));
    }
    let numbers = texts.into_iter().map(|one| Value::Text(one).number());
    Ok(Field::List(
        numbers
            .map(|one| one.map(Field::U32))
            .collect::<Result<_, _>>()?,
    ))
}

fn word(message: &DynamicMessage, path: &str, of: &str, text: &str) -> Result<i32, Wrong> {
    let descriptor = field(&message.descriptor(), path).map(|field| field.kind());
    let number = match descriptor {
        Some(FieldKind::Enum(values)) => {
            word_of(of, text).and_then(|word| number_of(&values, word))
        }
        _ => None,
    };
    number.ok_or_else(|| no_word(text))
}

fn no_word(text: &str) -> Wrong {
    format!(
        "\"{}\" is not in the list; choose one of its words",
        quoted(text)
    )
}

fn country(text: &str) -> Result<String, Wrong> {
    let code = states::code_of(text);
    code.map(str::to_owned).ok_or_else(|| {
        let text = quoted(text);
        format!("\"{text}\" is no country or territory known here; use its code, such as AE")
    })
}

fn countries(value: &Value) -> Result<Vec<String>, Wrong> {
    let mut codes = Vec::new();
    for one in value.texts(whole)? {
        match country(&one) {
            Ok(code) => codes.push(code),
            // A name may have a comma in it, and several names may be divided by commas.
            Err(wrong) if !one.contains([',', '\u{60C}']) => return Err(wrong),
            Err(_) => {
                for part in by_comma(&one) {
                    codes.push(country(&part)?);
                }
            }
        }
    }
    Ok(codes)
}

fn principles(value: &Value) -> Result<Vec<String>, Wrong> {
    let keys = value.texts(whole)?.into_iter().map(|one| {
        let key = word_of("Principle", &one);
        key.map(str::to_owned).ok_or_else(|| no_word(&one))
    });
    keys.collect()
}

fn themes(
    message: &DynamicMessage,
    path: &str,
    value: &Value,
    languages: &Languages,
) -> Result<Field, Wrong> {
    let of = item(message, path)?;
    let label = of.get_field_by_name("label").map(|field| field.kind());
    let Some(FieldKind::Message(label)) = label else {
        return Err("has no place".to_owned());
    };
    let mut themes = Vec::new();
    for text in value.texts(whole)? {
        let mut theme = DynamicMessage::new(of.clone());
        match themes::read(&text) {
            Theme::Concept(id) => {
                theme.set_field_by_name("concept", Field::String(id.to_owned()));
            }
            Theme::Label(of, text) => {
                let of = of.map_or_else(|| languages.now.clone(), tag);
                if of.is_empty() {
                    return Err(NO_LANGUAGE.to_owned());
                }
                theme.set_field_by_name("label", language_text(&label, &of, text));
            }
        }
        themes.push(Field::Message(theme));
    }
    Ok(Field::List(themes))
}

/// The message of the items of a list, or of a field that is one.
fn item(message: &DynamicMessage, path: &str) -> Result<MessageDescriptor, Wrong> {
    match field(&message.descriptor(), path).map(|field| field.kind()) {
        Some(FieldKind::Message(item)) => Ok(item),
        _ => Err("has no place".to_owned()),
    }
}

fn link(message: &DynamicMessage, path: &str, name: &str) -> Result<Field, Wrong> {
    let ids = || {
        let (rcp, record) = name.trim().strip_prefix("rcps/")?.split_once("/records/")?;
        let rcp: RcpId = rcp.parse().ok()?;
        let record: RecordId = record.parse().ok()?;
        Some((rcp.as_bytes().to_vec(), record.as_bytes().to_vec()))
    };
    let (rcp, record) = ids().ok_or_else(|| {
        let name = quoted(name);
        format!("\"{name}\" is no name of a record; copy one such as rcps/…/records/… from a list")
    })?;
    let mut link = DynamicMessage::new(item(message, path)?);
    for (field, id) in [("rcp", rcp), ("record", record)] {
        link.set_field_by_name(field, Field::Bytes(id.into()));
    }
    Ok(Field::Message(link))
}

fn process(name: &str) -> Result<Field, Wrong> {
    let text = name.trim();
    let id = text.strip_prefix("rcps/").unwrap_or(text).parse::<RcpId>();
    let bytes = id.map(|id| Field::Bytes(id.as_bytes().to_vec().into()));
    bytes.map_err(|_| {
        let name = quoted(name);
        format!("\"{name}\" is no identifier of a process; copy one such as rcps/… from a list")
    })
}

/// In which language a column's texts are.
fn language<'a>(one: &'a Use, languages: &'a Languages) -> &'a str {
    one.tag.as_deref().unwrap_or(&languages.now)
}

fn text(
    message: &DynamicMessage,
    one: &Use,
    value: Option<&Value>,
    languages: &Languages,
) -> Result<Field, Wrong> {
    let of = item(message, one.column.path)?;
    let mut texts = list(message, one.column.path).to_vec();
    if one.tag.is_none() {
        put_text(&of, &mut texts, &languages.before, "");
    }
    let text = value.map(Value::text).transpose()?.unwrap_or_default();
    let tag = language(one, languages);
    if tag.is_empty() && !text.is_empty() {
        return Err(NO_LANGUAGE.to_owned());
    }
    put_text(&of, &mut texts, tag, &text);
    Ok(Field::List(texts))
}

fn labels(
    message: &DynamicMessage,
    one: &Use,
    value: Option<&Value>,
    languages: &Languages,
) -> Result<Field, Wrong> {
    let of = item(message, one.column.path)?;
    let mut labels = list(message, one.column.path).to_vec();
    let tag = language(one, languages);
    let before = if one.tag.is_none() {
        languages.before.as_str()
    } else {
        tag
    };
    labels.retain(|label| {
        let of = label.as_message().map_or("", |label| string(label, "tag"));
        of != tag && of != before
    });
    let texts = value.map(|value| value.texts(whole)).transpose()?;
    for text in texts.unwrap_or_default() {
        if tag.is_empty() {
            return Err(NO_LANGUAGE.to_owned());
        }
        labels.push(language_text(&of, tag, &text));
    }
    Ok(Field::List(labels))
}

fn translation(message: &DynamicMessage, one: &Use, value: Option<&Value>) -> Result<Field, Wrong> {
    let of = item(message, one.column.path)?;
    let tag = one.tag.as_deref().unwrap_or_default();
    let mut all = list(message, one.column.path).to_vec();
    all.retain(|one| one.as_message().is_none_or(|one| string(one, "tag") != tag));
    if let Some(value) = value {
        let mut fresh = DynamicMessage::new(of);
        let origin = word(&fresh, "origin", "TranslationOrigin", &value.text()?)?;
        fresh.set_field_by_name("tag", Field::String(tag.to_owned()));
        fresh.set_field_by_name("origin", Field::EnumNumber(origin));
        all.push(Field::Message(fresh));
    }
    Ok(Field::List(all))
}

/// Items as they were first written. What an item has in other languages stays with it, wherever in
/// the list it stands now.
fn items(
    message: &DynamicMessage,
    path: &str,
    parts: &'static [Part],
    value: Option<&Value>,
    languages: &Languages,
) -> Result<Field, Wrong> {
    let of = item(message, path)?;
    let old: Vec<&DynamicMessage> = list(message, path)
        .iter()
        .filter_map(Field::as_message)
        .collect();
    let texts = value.map(|value| value.texts(split_texts)).transpose()?;
    let texts = texts.unwrap_or_default();
    let told: Vec<String> = old
        .iter()
        .map(|item| showing::item_text(item, parts, &languages.before))
        .collect();
    let mut items = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let same = told.iter().position(|one| one == text);
        let same = same.or_else(|| (old.len() == texts.len()).then_some(index));
        let from = same.and_then(|at| old.get(at));
        let mut fresh = from.map_or_else(|| DynamicMessage::new(of.clone()), |one| (*one).clone());
        let written = split_parts(text, parts.len()).ok_or_else(|| {
            let most = parts.len();
            format!(
                "has more than {most} parts in item {}; put \\ before a | that belongs to a text",
                index + 1
            )
        })?;
        for (part, text) in parts
            .iter()
            .zip(written.iter().map(String::as_str).chain([""; 4]))
        {
            if part.shape == Shape::Text {
                language_part(&mut fresh, part.field, &languages.before, "")?;
                if languages.now.is_empty() && !text.is_empty() {
                    return Err(NO_LANGUAGE.to_owned());
                }
                language_part(&mut fresh, part.field, &languages.now, text)?;
            } else {
                plain_part(&mut fresh, part, text)?;
            }
        }
        items.push(Field::Message(fresh));
    }
    Ok(Field::List(items))
}

fn language_part(
    item_message: &mut DynamicMessage,
    name: &str,
    tag: &str,
    text: &str,
) -> Result<(), Wrong> {
    let of = item(item_message, name)?;
    let mut texts = list(item_message, name).to_vec();
    put_text(&of, &mut texts, tag, text);
    put(item_message, name, Some(Field::List(texts)));
    Ok(())
}

fn plain_part(item: &mut DynamicMessage, part: &Part, text: &str) -> Result<(), Wrong> {
    let value = match part.shape {
        _ if text.is_empty() => None,
        Shape::Number => Some(Field::U32(Value::Text(text.to_owned()).number()?)),
        Shape::Word(of) => Some(Field::EnumNumber(word(item, part.field, of, text)?)),
        _ => Some(Field::String(text.to_owned())),
    };
    put(item, part.field, value);
    Ok(())
}

/// The texts of items in another language than that in which they were first written.
fn translated(
    message: &DynamicMessage,
    path: &str,
    parts: &'static [Part],
    value: Option<&Value>,
    tag: &str,
) -> Result<Field, Wrong> {
    let mut items = list(message, path).to_vec();
    let texts = value.map(|value| value.texts(split_texts)).transpose()?;
    let texts = texts.unwrap_or_default();
    if texts.len() > items.len() || (!texts.is_empty() && texts.len() < items.len()) {
        return Err(format!(
            "has {} items where the original has {}; give as many, in the same order",
            texts.len(),
            items.len()
        ));
    }
    let parts: Vec<&Part> = parts
        .iter()
        .filter(|part| part.shape == Shape::Text)
        .collect();
    let texts = texts
        .iter()
        .map(String::as_str)
        .chain(std::iter::repeat(""));
    for (index, (one, text)) in items.iter_mut().zip(texts).enumerate() {
        let Some(one) = one.as_message_mut() else {
            continue;
        };
        let written = split_parts(text, parts.len()).ok_or_else(|| {
            let most = parts.len();
            format!("has more than {most} texts in item {}", index + 1)
        })?;
        let written = written
            .iter()
            .map(String::as_str)
            .chain(std::iter::repeat(""));
        for (part, text) in parts.iter().zip(written) {
            language_part(one, part.field, tag, text)?;
        }
    }
    Ok(Field::List(items))
}
