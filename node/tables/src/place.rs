//! Where in a file something is wrong, in the words of the program that shows the file.

use std::fmt;

/// A cell, a row or a sheet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The sheet; empty where the file has none.
    pub sheet: String,
    /// `C14`; `14` for a whole row; `item 4, title` in JSON; empty for the sheet.
    pub cell: String,
}

/// Something in a file that keeps a row from being taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong, as a predicate, and what to do.
    pub what: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.sheet.as_str(), self.cell.as_str()) {
            ("", cell) => f.write_str(cell),
            (sheet, "") => f.write_str(sheet),
            (sheet, cell) => write!(f, "{sheet} {cell}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// The letters of a column, counted from 0: `A`, `Z`, `AA`.
pub fn column_letters(column: u32) -> String {
    let mut letters = Vec::new();
    let mut left = column;
    loop {
        let letter = u8::try_from(left % 26).unwrap_or_default();
        letters.push(char::from(b'A' + letter));
        if left < 26 {
            break;
        }
        left = left / 26 - 1;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_letters_that_a_spreadsheet_shows() {
        let cases = [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")];
        for (column, letters) in cases {
            assert_eq!(column_letters(column), letters);
        }
    }
}
