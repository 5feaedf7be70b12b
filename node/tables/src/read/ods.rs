//! Workbooks of LibreOffice, row by row.
//!
//! Not by calamine: its reader holds all cells of all sheets, makes as many copies of a cell as the
//! file says, and never ends on a file that is cut off within a table.

use std::io::{BufRead, BufReader};

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use zip::ZipArchive;

use super::{File, Piece, Raw, ReadError, TOO_MANY_ROWS, Visit, too_many_columns};
use crate::cell::Value;
use crate::limits::{CELL_CHARS_MAX, COLUMNS_MAX, ROWS_MAX};

const TABLE: &str = "table:table";
const ROW: &str = "table:table-row";
const CELL: &str = "table:table-cell";
const COVERED: &str = "table:covered-table-cell";

fn damaged(why: impl std::fmt::Display) -> ReadError {
    ReadError::damaged("its content", why)
}

/// Calls `act` with a reader of the content.
fn content<T>(
    file: &mut dyn File,
    act: impl FnOnce(&mut Content<&mut dyn BufRead>) -> Result<T, ReadError>,
) -> Result<T, ReadError> {
    let mut zip = ZipArchive::new(file).map_err(damaged)?;
    if zip.by_name("META-INF/manifest.xml").is_ok_and(is_encrypted) {
        return Err(ReadError::Password);
    }
    let part = zip.by_name("content.xml").map_err(damaged)?;
    let mut part = BufReader::new(part);
    let mut xml = Reader::from_reader(&mut part as &mut dyn BufRead);
    xml.config_mut().expand_empty_elements = true;
    act(&mut Content {
        xml,
        buffer: Vec::new(),
    })
}

/// Whether the list of parts says that one of them is encrypted.
fn is_encrypted(manifest: impl std::io::Read) -> bool {
    let mut xml = Reader::from_reader(BufReader::new(manifest));
    xml.config_mut().expand_empty_elements = true;
    let mut buffer = Vec::new();
    loop {
        match xml.read_event_into(&mut buffer) {
            Ok(Event::Start(start)) if start.name().as_ref() == "manifest:encryption-data" => {
                return true;
            }
            Ok(Event::Eof) | Err(_) => return false,
            Ok(_) => buffer.clear(),
        }
    }
}

pub(super) fn sheets(file: &mut dyn File) -> Result<Vec<String>, ReadError> {
    content(file, |content| {
        let mut names = Vec::new();
        while let Some(name) = content.next_table()? {
            names.push(name);
        }
        Ok(names)
    })
}

pub(super) fn rows(
    file: &mut dyn File,
    sheets: &[String],
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    content(file, |content| {
        while let Some(name) = content.next_table()? {
            if sheets.contains(&name) {
                visit(Piece::Sheet(&name))?;
                content.table(visit)?;
            }
        }
        Ok(())
    })
}

/// The content of a workbook, while it is read.
struct Content<R> {
    xml: Reader<R>,
    buffer: Vec<u8>,
}

/// What is read next, as far as tables are concerned.
enum Token {
    Start(String, Marks),
    End(String),
    Text(String),
    Other,
}

/// What the elements of a table say of themselves.
#[derive(Default)]
struct Marks {
    name: Option<String>,
    repeated: Option<u32>,
    spans: bool,
    value: Option<Value>,
    is_text: bool,
    spaces: u32,
}

impl<R: BufRead> Content<R> {
    /// The next token; an end of the file within something is damage.
    fn token(&mut self) -> Result<Option<Token>, ReadError> {
        self.buffer.clear();
        let event = self
            .xml
            .read_event_into(&mut self.buffer)
            .map_err(damaged)?;
        Ok(Some(match event {
            Event::Start(start) => {
                let name = start.name().as_ref().to_owned();
                let marks = marks(&start)?;
                Token::Start(name, marks)
            }
            Event::End(end) => Token::End(end.name().as_ref().to_owned()),
            Event::Text(text) => Token::Text(text.xml10_content().into_owned()),
            Event::GeneralRef(entity) => Token::Text(resolved(&entity)?),
            Event::Eof => return Ok(None),
            _ => Token::Other,
        }))
    }

    fn inside(&mut self) -> Result<Token, ReadError> {
        let cut = || damaged("it is cut off within a table");
        self.token()?.ok_or_else(cut)
    }

    /// The name of the next table.
    fn next_table(&mut self) -> Result<Option<String>, ReadError> {
        while let Some(token) = self.token()? {
            if let Token::Start(name, marks) = token
                && name == TABLE
            {
                return Ok(Some(marks.name.unwrap_or_default()));
            }
        }
        Ok(None)
    }

    fn table(&mut self, visit: &mut Visit<'_>) -> Result<(), ReadError> {
        let mut number: u32 = 1;
        loop {
            match self.inside()? {
                Token::Start(name, marks) if name == ROW => {
                    let repeated = marks.repeated.unwrap_or(1).max(1);
                    let cells = self.row(number, visit)?;
                    if !cells.is_empty() {
                        if repeated > ROWS_MAX {
                            return Err(TOO_MANY_ROWS);
                        }
                        for more in 0..repeated {
                            let number = number.saturating_add(more);
                            let cells = cells.clone();
                            visit(Piece::Row(Raw { number, cells }))?;
                        }
                    }
                    number = number.saturating_add(repeated);
                }
                Token::End(name) if name == TABLE => return Ok(()),
                _ => {}
            }
        }
    }

    fn row(&mut self, row: u32, visit: &mut Visit<'_>) -> Result<Vec<(u32, Value)>, ReadError> {
        let mut cells = Vec::new();
        let mut column: u32 = 0;
        loop {
            match self.inside()? {
                Token::Start(name, marks) if name == CELL || name == COVERED => {
                    let repeated = marks.repeated.unwrap_or(1).max(1);
                    if marks.spans && name == CELL {
                        visit(Piece::Merged(row, column))?;
                    }
                    if let Some(value) = self.cell(&name, marks)? {
                        let end = column.saturating_add(repeated);
                        if end > COLUMNS_MAX {
                            return Err(too_many_columns());
                        }
                        cells.extend((column..end).map(|at| (at, value.clone())));
                    }
                    column = column.saturating_add(repeated);
                }
                Token::End(name) if name == ROW => return Ok(cells),
                _ => {}
            }
        }
    }

    /// The value of a cell, up to its end; notes beside it are not part of it.
    fn cell(&mut self, name: &str, marks: Marks) -> Result<Option<Value>, ReadError> {
        let mut text = String::new();
        let (mut paragraphs, mut beside) = (0_u32, 0_u32);
        loop {
            match self.inside()? {
                Token::Start(inner, _) if inner == "office:annotation" => beside += 1,
                Token::End(inner) if inner == "office:annotation" => {
                    beside = beside.saturating_sub(1);
                }
                Token::End(inner) if inner == name => break,
                _ if beside > 0 => {}
                Token::Start(inner, marks) => match inner.as_str() {
                    "text:p" => {
                        text.push_str(if paragraphs > 0 { "\n" } else { "" });
                        paragraphs += 1;
                    }
                    "text:s" => {
                        let most = u32::try_from(CELL_CHARS_MAX).unwrap_or(u32::MAX);
                        let spaces = usize::try_from(marks.spaces.min(most)).unwrap_or_default();
                        text.push_str(&" ".repeat(spaces));
                    }
                    "text:tab" => text.push('\t'),
                    "text:line-break" => text.push('\n'),
                    _ => {}
                },
                // The white space between the elements of a cell is not part of it.
                Token::Text(part) if paragraphs > 0 => text.push_str(&part),
                _ => {}
            }
            // What is longer is refused as a cell; to hold much more of it serves nobody.
            if text.len() > 8 * CELL_CHARS_MAX {
                return Ok(Some(Value::Wrong(super::TOO_LONG)));
            }
        }
        let is_empty = text.trim().is_empty();
        Ok(match marks.value {
            Some(value) => Some(value),
            None if is_empty => None,
            None if marks.is_text => Some(Value::Text(text)),
            None => Some(Value::Wrong(
                "holds the error of a formula; write the value itself",
            )),
        })
    }
}

fn resolved(entity: &BytesRef<'_>) -> Result<String, ReadError> {
    let name: &str = entity.as_ref();
    if let Some(text) = quick_xml::escape::resolve_xml_entity(name) {
        return Ok(text.to_owned());
    }
    let found = entity.resolve_char_ref().map_err(damaged)?;
    found
        .map(String::from)
        .ok_or_else(|| damaged("it names an entity that is not known"))
}

fn marks(start: &BytesStart<'_>) -> Result<Marks, ReadError> {
    let mut marks = Marks {
        spaces: 1,
        ..Marks::default()
    };
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(damaged)?;
        let value = || {
            let version = quick_xml::XmlVersion::Implicit1_0;
            attribute.normalized_value(version).map_err(damaged)
        };
        let number = || Ok::<_, ReadError>(value()?.parse::<u32>().ok());
        match attribute.key.as_ref() {
            "table:name" => marks.name = Some(value()?.into_owned()),
            "table:number-rows-repeated" | "table:number-columns-repeated" => {
                marks.repeated = Some(number()?.unwrap_or(u32::MAX));
            }
            "table:number-columns-spanned" | "table:number-rows-spanned" => {
                marks.spans |= number()? != Some(1);
            }
            "text:c" => marks.spaces = number()?.unwrap_or(u32::MAX),
            "office:value" => {
                let number = value()?.parse().map(Value::Number);
                marks.value = Some(number.unwrap_or(Value::Wrong("is no number")));
            }
            "office:boolean-value" => {
                marks.value = Some(Value::Flag(value()?.eq_ignore_ascii_case("true")));
            }
            "office:date-value" => marks.value = Some(super::day_of(&value()?)),
            "office:time-value" => marks.value = Some(time_of(&value()?)),
            "office:value-type" => marks.is_text = value()? == "string",
            _ => {}
        }
    }
    Ok(marks)
}

/// A time of day as ODF has it: `PT09H30M00S`.
fn time_of(text: &str) -> Value {
    let parts = || {
        let (hour, rest) = text.strip_prefix("PT")?.split_once('H')?;
        let (minute, _) = rest.split_once('M')?;
        let number = |digits: &str| digits.parse::<u8>().ok().filter(|number| *number < 60);
        Some((number(hour)?, number(minute)?))
    };
    match parts() {
        Some((hour, minute)) => Value::Text(format!("{hour:02}:{minute:02}")),
        None => Value::Wrong("is a duration; write it as a text"),
    }
}
