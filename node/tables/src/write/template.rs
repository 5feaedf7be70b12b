//! The template: an empty workbook to be filled in, with lists to choose from, hints and an
//! example.

use std::collections::BTreeMap;

use corridor_proto::kinds::{GCM_OBJECTIVES, Kind};
use rust_xlsxwriter::{
    DataValidation, DataValidationErrorStyle, Format, FormatAlign, Formula, Workbook, Worksheet,
    XlsxError,
};

use super::workbook::{FIRST_ROW, header_format, headers, new_sheet, write};
use super::{Sink, WriteError};
use crate::cell::Value;
use crate::columns::Shape;
use crate::limits::ROWS_MAX;
use crate::message::{descriptor, field, words};
use crate::record::Use;
use crate::words::{Language, label, word_of};
use crate::{states, themes};

/// An example of each kind, by the keys of its columns, with words of lists as keys.
const EXAMPLES: &str = include_str!("../../data/examples.json");
/// Characters of a hint beside a cell: what Excel allows.
const HINT_CHARS_MAX: usize = 255;
/// The same of its title.
const HINT_TITLE_CHARS_MAX: usize = 32;

/// Writes the template for these kinds in a language.
///
/// # Errors
/// [`WriteError`].
pub fn template(kinds: &[Kind], language: Language, out: &mut dyn Sink) -> Result<(), WriteError> {
    let mut book = Workbook::new();
    let (lists, ranges) = lists(kinds, language)?;
    for kind in kinds {
        book.push_worksheet(sheet(*kind, language, &ranges)?);
    }
    book.push_worksheet(lists);
    book.push_worksheet(read_me(language)?);
    book.push_worksheet(example(kinds, language)?);
    let bytes = book.save_to_buffer()?;
    out.write_all(&bytes)?;
    Ok(out.flush()?)
}

fn sheet(
    kind: Kind,
    language: Language,
    ranges: &BTreeMap<String, String>,
) -> Result<Worksheet, XlsxError> {
    let mut sheet = new_sheet(language, &format!("kind.{kind}"))?;
    let uses = Use::all(kind);
    headers(&mut sheet, language, &uses, 0)?;
    let last = ROWS_MAX + FIRST_ROW - 1;
    for (one, at) in uses.iter().zip(0_u16..) {
        let list = list_of(one.column.shape).and_then(|list| ranges.get(list));
        let title = language.say(&format!("column.{}", one.column.key));
        let title: String = title.chars().take(HINT_TITLE_CHARS_MAX).collect();
        let hint = language.hint(one.column);
        let hint: String = hint.chars().take(HINT_CHARS_MAX).collect();
        let rule = match list {
            Some(range) => DataValidation::new().allow_list_formula(Formula::new(range)),
            None => DataValidation::new().allow_any_value(),
        };
        // Several values, and words of other languages, are taken as well.
        let rule = rule
            .set_error_style(DataValidationErrorStyle::Information)
            .show_error_message(false)
            .set_input_title(title)?
            .set_input_message(hint)?;
        sheet.add_data_validation(FIRST_ROW, at, last, at, &rule)?;
        if matches!(one.column.shape, Shape::Text | Shape::Items(_)) {
            sheet.set_column_format(
                at,
                &Format::new().set_text_wrap().set_align(FormatAlign::Top),
            )?;
        } else if one.column.shape != Shape::Number {
            // As a text: "6, 3" is no number, and a month no day.
            sheet.set_column_format(at, &Format::new().set_num_format("@"))?;
        }
    }
    Ok(sheet)
}

/// The list that a column is chosen from.
const fn list_of(shape: Shape) -> Option<&'static str> {
    match shape {
        Shape::Word(list) | Shape::Words(list) => Some(list),
        Shape::Numbers => Some("objectives"),
        Shape::Principles => Some("Principle"),
        Shape::Flag => Some("flag"),
        Shape::Themes => Some("themes"),
        Shape::Country | Shape::Countries => Some("states"),
        _ => None,
    }
}

/// The entries of a list: what is chosen, and what it means.
fn entries(kinds: &[Kind], language: Language) -> BTreeMap<&'static str, Vec<(String, String)>> {
    let mut lists: BTreeMap<&'static str, Vec<(String, String)>> = BTreeMap::new();
    for kind in kinds {
        let Some(message) = descriptor(*kind) else {
            continue;
        };
        for one in Use::all(*kind) {
            let Some(list) = list_of(one.column.shape) else {
                continue;
            };
            let field = field(&message, one.column.path).map(|field| field.kind());
            if let Some(prost_reflect::Kind::Enum(of)) = field {
                let labels = words(&of)
                    .into_iter()
                    .map(|word| label(language, list, &word));
                lists
                    .entry(list)
                    .or_insert_with(|| labels.map(|one| (one, String::new())).collect());
            }
        }
    }
    let pairs = |of: Vec<(&str, &str)>| {
        of.into_iter()
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect()
    };
    let objective = |number: u32| {
        (
            number.to_string(),
            language.say(&format!("objective.{number}")),
        )
    };
    lists.insert("objectives", GCM_OBJECTIVES.map(objective).collect());
    let principles = corridor_proto::kinds::gcm_principles();
    let principle = |key: &str| (label(language, "Principle", key), String::new());
    lists.insert("Principle", principles.map(principle).collect());
    let flag = |key: &str| (language.say(key), String::new());
    lists.insert("flag", ["yes", "no"].map(flag).into());
    lists.insert("themes", pairs(themes::named(language)));
    lists.insert("states", pairs(states::named(language)));
    lists
}

/// The sheet of lists, and the range of each on it.
fn lists(
    kinds: &[Kind],
    language: Language,
) -> Result<(Worksheet, BTreeMap<String, String>), XlsxError> {
    let mut sheet = new_sheet(language, "sheet.lists")?;
    let name = language.say("sheet.lists").replace('\'', "''");
    let mut ranges = BTreeMap::new();
    let mut at: u16 = 0;
    for (list, entries) in entries(kinds, language) {
        let header = language.say(&format!("list.{list}"));
        sheet.write_string_with_format(0, at, header, &header_format(language))?;
        sheet.set_column_width(at, 22.0)?;
        for ((value, meaning), row) in entries.iter().zip(1_u32..) {
            // A number stays one, so that what is chosen is what is listed.
            match value.parse::<u32>() {
                Ok(number) => sheet.write_number(row, at, number)?,
                Err(_) => sheet.write_string(row, at, value)?,
            };
            sheet.write_string(row, at + 1, meaning)?;
        }
        let letters = crate::place::column_letters(u32::from(at));
        let last = entries.len() + 1;
        ranges.insert(
            list.to_owned(),
            format!("='{name}'!${letters}$2:${letters}${last}"),
        );
        let has_meanings = entries.iter().any(|(_, meaning)| !meaning.is_empty());
        if has_meanings {
            sheet.set_column_width(at + 1, 42.0)?;
        }
        at += if has_meanings { 2 } else { 1 };
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok((sheet, ranges))
}

/// What there is to know, the language of the workbook first.
fn read_me(language: Language) -> Result<Worksheet, XlsxError> {
    let mut sheet = new_sheet(language, "sheet.readme")?;
    sheet.set_column_width(0, 110.0)?;
    let others = Language::ALL.into_iter().filter(|one| *one != language);
    let mut row = 0;
    for one in [language].into_iter().chain(others) {
        let (align, direction) = match one {
            Language::Arabic => (FormatAlign::Right, 2),
            _ => (FormatAlign::Left, 1),
        };
        let format = Format::new()
            .set_text_wrap()
            .set_align(FormatAlign::Top)
            .set_align(align)
            .set_reading_direction(direction);
        let lines = (1..).map_while(|line| one.find(&format!("readme.{line}")));
        for (line, index) in lines.zip(0..) {
            let format = if index == 0 {
                format.clone().set_bold()
            } else {
                format.clone()
            };
            sheet.write_string_with_format(row, 0, line, &format)?;
            row += 1;
        }
        row += 1;
    }
    Ok(sheet)
}

/// A table of an example for each kind: columns as rows, since it is for reading.
fn example(kinds: &[Kind], language: Language) -> Result<Worksheet, XlsxError> {
    let mut sheet = new_sheet(language, "sheet.example")?;
    sheet.set_column_width(0, 30.0)?;
    sheet.set_column_width(1, 90.0)?;
    let wrap = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    sheet.set_column_format(1, &wrap)?;
    let mut row = 0;
    for kind in kinds {
        let title = language.say(&format!("kind.{kind}"));
        sheet.write_string_with_format(row, 0, title, &header_format(language))?;
        row += 1;
        for (one, text) in example_of(*kind) {
            let header = language.say(&format!("column.{}", one.column.key));
            sheet.write_string(row, 0, header)?;
            write(
                &mut sheet,
                row,
                1,
                Value::Text(worded(&one, &text, language)),
            )?;
            row += 1;
        }
        row += 1;
    }
    Ok(sheet)
}

/// An example with its words in a language.
fn worded(one: &Use, text: &str, language: Language) -> String {
    match list_of(one.column.shape) {
        Some("flag") => language.say(text),
        Some(list) => {
            let words = text.split("; ");
            let words = words.map(|word| match word_of(list, word) {
                Some(key) => label(language, list, key),
                None => word.to_owned(),
            });
            words.collect::<Vec<_>>().join("; ")
        }
        None => text.to_owned(),
    }
}

/// The example of a kind: its columns and what stands in them.
fn example_of(kind: Kind) -> Vec<(Use, String)> {
    let examples: serde_json::Value = serde_json::from_str(EXAMPLES).unwrap_or_default();
    let text = |one: &Use| {
        Some(
            examples
                .get(kind.name())?
                .get(0)?
                .get(one.column.key)?
                .as_str()?
                .to_owned(),
        )
    };
    let uses = Use::all(kind).into_iter();
    uses.filter_map(|one| text(&one).map(|text| (one, text)))
        .collect()
}
