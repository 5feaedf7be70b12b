//! A workbook: a sheet for each kind, headers in a language above a hidden row of keys.

use corridor_proto::kinds::Kind;
use rust_xlsxwriter::{
    Color, Format, FormatAlign, FormatBorder, Note, Workbook, Worksheet, XlsxError,
};

use super::{Record, Sink, WriteError, Writer};
use crate::cell::Value;
use crate::columns::{Need, Shape};
use crate::record::{Use, Wording, flat, values};
use crate::words::Language;

/// Rows before the first record: headers and keys.
pub(super) const FIRST_ROW: u32 = 2;
/// Width of a column of texts, in characters.
const WIDE: f64 = 40.0;
/// Width of any other column.
const NARROW: f64 = 18.0;

/// Writes a workbook.
pub struct WorkbookWriter<'a> {
    out: &'a mut dyn Sink,
    book: Workbook,
    language: Language,
    sheet: Option<Worksheet>,
    kind: Kind,
    uses: Vec<Use>,
    row: u32,
}

impl<'a> WorkbookWriter<'a> {
    /// Begins a workbook in a language.
    pub fn new(out: &'a mut dyn Sink, language: Language) -> Self {
        Self {
            out,
            book: Workbook::new(),
            language,
            sheet: None,
            kind: Kind::Practice,
            uses: Vec::new(),
            row: FIRST_ROW,
        }
    }

    fn keep_sheet(&mut self) {
        if let Some(sheet) = self.sheet.take() {
            self.book.push_worksheet(sheet);
        }
    }
}

impl Writer for WorkbookWriter<'_> {
    fn kind(&mut self, kind: Kind, uses: Vec<Use>) -> Result<(), WriteError> {
        self.keep_sheet();
        let mut sheet = new_sheet(self.language, &format!("kind.{kind}"))?;
        let told = ["record", "version"].iter().zip(0_u16..);
        for (key, at) in told {
            let header = self.language.say(&format!("column.{key}"));
            sheet.write_string_with_format(0, at, header, &header_format(self.language))?;
            sheet.write_string(1, at, *key)?;
            sheet.set_column_width(at, NARROW)?;
        }
        headers(&mut sheet, self.language, &uses, 2)?;
        self.sheet = Some(sheet);
        (self.kind, self.uses, self.row) = (kind, uses, FIRST_ROW);
        Ok(())
    }

    fn record(&mut self, record: Record<'_>) -> Result<(), WriteError> {
        let unreadable = || WriteError::Unreadable(record.name.to_owned());
        let wording = Wording::In(self.language);
        let values = values(self.kind, &self.uses, record.body, wording);
        let values = values.ok_or_else(unreadable)?;
        let sheet = self.sheet.as_mut().ok_or_else(unreadable)?;
        let row = self.row;
        self.row = row.saturating_add(1);
        sheet.write_string(row, 0, record.name)?;
        if let Some(version) = record.version {
            sheet.write_string(row, 1, version.to_string())?;
        }
        for ((one, value), at) in self.uses.iter().zip(values).zip(2_u16..) {
            if let Some(value) = value {
                write(sheet, row, at, flat(one.column.shape, value))?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), WriteError> {
        self.keep_sheet();
        if self.book.worksheets().is_empty() {
            // A workbook has a sheet, also where nothing is to be seen.
            self.book
                .push_worksheet(new_sheet(self.language, "kind.practice")?);
        }
        let bytes = self.book.save_to_buffer()?;
        self.out.write_all(&bytes)?;
        Ok(self.out.flush()?)
    }
}

/// A sheet in a language, under a name of the files.
pub(super) fn new_sheet(language: Language, name: &str) -> Result<Worksheet, XlsxError> {
    let mut sheet = Worksheet::new();
    sheet.set_name(language.say(name))?;
    sheet.set_right_to_left(language == Language::Arabic);
    Ok(sheet)
}

pub(super) fn header_format(language: Language) -> Format {
    let align = match language {
        Language::Arabic => FormatAlign::Right,
        _ => FormatAlign::Left,
    };
    Format::new()
        .set_bold()
        .set_text_wrap()
        .set_align(align)
        .set_align(FormatAlign::Top)
        .set_border_bottom(FormatBorder::Thin)
        .set_background_color(Color::RGB(0x00E8_EEF4))
}

/// Headers, notes and the hidden row of keys, from a column on.
pub(super) fn headers(
    sheet: &mut Worksheet,
    language: Language,
    uses: &[Use],
    from: u16,
) -> Result<(), XlsxError> {
    let format = header_format(language);
    for (one, at) in uses.iter().zip(from..) {
        let mut header = language.say(&format!("column.{}", one.column.key));
        match (&one.tag, one.column.need) {
            (Some(tag), _) => header = format!("{header} [{tag}]"),
            (None, Need::Draft) => header += " °",
            (None, Need::Share) => header += " *",
            (None, Need::Never) => {}
        }
        sheet.write_string_with_format(0, at, header, &format)?;
        sheet.write_string(1, at, one.key())?;
        let hint = language.hint(one.column);
        sheet.insert_note(0, at, &Note::new(hint).add_author_prefix(false))?;
        let is_wide = matches!(one.column.shape, Shape::Text | Shape::Items(_));
        let width = if is_wide { WIDE } else { NARROW };
        sheet.set_column_width(at, width)?;
    }
    sheet.set_row_hidden(1)?;
    sheet.set_freeze_panes(FIRST_ROW, 0)?;
    Ok(())
}

/// A value in a cell: a text is a text, whatever it begins with.
pub(super) fn write(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    value: Value,
) -> Result<(), XlsxError> {
    match value {
        Value::Number(number) => sheet.write_number(row, column, number)?,
        Value::Flag(flag) => sheet.write_boolean(row, column, flag)?,
        Value::Text(text) | Value::Day(text) => sheet.write_string(row, column, text)?,
        Value::List(_) | Value::Wrong(_) => sheet,
    };
    Ok(())
}
