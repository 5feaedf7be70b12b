//! Workbooks of Excel, by calamine, cell by cell.

use calamine::{DataRef, ExcelDateTime, Reader, SheetVisible, Xlsx, XlsxError};

use super::{File, Piece, Raw, ReadError, Visit};
use crate::cell::Value;
use crate::limits::{CELL_CHARS_MAX, COLUMNS_MAX, MERGED_MAX};

type Workbook<'a> = Xlsx<std::io::BufReader<&'a mut dyn File>>;

fn open(file: &mut dyn File) -> Result<Workbook<'_>, ReadError> {
    let file = std::io::BufReader::new(file);
    Xlsx::new(file).map_err(|why| match why {
        XlsxError::Password => ReadError::Password,
        why => ReadError::damaged("the workbook", why),
    })
}

pub(super) fn sheets(file: &mut dyn File) -> Result<Vec<String>, ReadError> {
    let workbook = open(file)?;
    let sheets = workbook.sheets_metadata().iter();
    let visible = sheets.filter(|sheet| sheet.visible == SheetVisible::Visible);
    Ok(visible.map(|sheet| sheet.name.clone()).collect())
}

pub(super) fn rows(
    file: &mut dyn File,
    sheets: &[String],
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    let mut workbook = open(file)?;
    for name in sheets {
        visit(Piece::Sheet(name))?;
        let damaged = |why| ReadError::damaged(format!("the sheet {name}"), why);
        let merged = workbook.merge_cells_by_sheet_name(name).map_err(damaged)?;
        for area in merged.iter().take(MERGED_MAX) {
            visit(Piece::Merged(area.start.0.saturating_add(1), area.start.1))?;
        }
        let mut cells = workbook.worksheet_cells_reader(name).map_err(damaged)?;
        let mut row = Raw::default();
        while let Some(cell) = cells.next_cell().map_err(damaged)? {
            let (at, column) = cell.get_position();
            let number = at.saturating_add(1);
            let Some(value) = value(cell.get_value()) else {
                continue;
            };
            if number != row.number {
                if number < row.number {
                    return Err(damaged(XlsxError::Unexpected("its rows are out of order")));
                }
                hand_over(std::mem::take(&mut row), visit)?;
                row.number = number;
            }
            if column >= COLUMNS_MAX {
                return Err(super::too_many_columns());
            }
            if row.cells.last().is_some_and(|(last, _)| *last >= column) {
                return Err(damaged(XlsxError::Unexpected("its cells are out of order")));
            }
            row.cells.push((column, value));
        }
        hand_over(row, visit)?;
    }
    Ok(())
}

fn hand_over(row: Raw, visit: &mut Visit<'_>) -> Result<(), ReadError> {
    if row.cells.is_empty() {
        return Ok(());
    }
    visit(Piece::Row(row))
}

fn value(data: &DataRef<'_>) -> Option<Value> {
    Some(match data {
        DataRef::Empty => return None,
        DataRef::String(text) if text.trim().is_empty() => return None,
        DataRef::SharedString(text) if text.trim().is_empty() => return None,
        DataRef::String(text) => whole(text),
        DataRef::SharedString(text) => whole(text),
        DataRef::Int(number) => Value::Text(number.to_string()),
        DataRef::Float(number) => Value::Number(*number),
        DataRef::Bool(flag) => Value::Flag(*flag),
        DataRef::DateTime(time) => day(*time),
        DataRef::DateTimeIso(text) => super::day_of(text),
        DataRef::DurationIso(_) => Value::Wrong("is a duration; write it as a text"),
        DataRef::Error(_) => Value::Wrong("holds the error of a formula; write the value itself"),
    })
}

/// The text of a cell. What is longer is refused as a cell, and cells may share one text: to hold
/// it for each of them serves nobody.
fn whole(text: &str) -> Value {
    if text.len() > 8 * CELL_CHARS_MAX {
        return Value::Wrong(super::TOO_LONG);
    }
    Value::Text(text.to_owned())
}

/// A day; a time of day that has none is the text of that time.
fn day(time: ExcelDateTime) -> Value {
    let number = time.as_f64();
    let (year, month, day, hour, minute, _, _) = time.to_ymd_hms_milli();
    if time.is_duration() || (0.0..1.0).contains(&number) {
        return Value::Text(format!("{hour:02}:{minute:02}"));
    }
    Value::Day(format!("{year:04}-{month:02}-{day:02}"))
}
