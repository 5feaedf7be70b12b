//! A file as rows of records: which sheets are read, and what their columns are.
//!
//! **Invariant:** no column is dropped in silence: one that is not known is a problem, unless
//! whoever reads says that it may be left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read as IoRead, Seek};
use std::sync::{Arc, LazyLock};

use corridor_proto::kinds::Kind;

use crate::cell::{Value, quoted};
use crate::columns::{KINDS, Shape, column, columns};
use crate::place::{Place, Problem, column_letters};
use crate::read::{self, Format, Piece, Raw, ReadError};
use crate::record::{Use, canonical_tag};
use crate::words::{Language, fold};

/// What is read of a file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Records of this kind alone; the kind of a sheet that is not named after one.
    pub kind: Option<Kind>,
    /// This sheet alone.
    pub sheet: Option<String>,
    /// Columns that may be left out, by their headers.
    pub leave_out: Vec<String>,
}

/// What was found out about a file that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What sort of file it is.
    pub format: Format,
    /// The encoding of a CSV, as it was guessed.
    pub encoding: Option<&'static str>,
    /// The sheets that were read.
    pub sheets: Vec<String>,
}

/// A row, or something that is wrong with the table itself.
#[derive(Clone, Debug)]
pub enum Item {
    /// Something wrong that belongs to no row.
    Problem(Problem),
    /// A row.
    Row(Row),
}

/// A row of a table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The kind of its record.
    pub kind: Kind,
    /// Its number in the file, from 1.
    pub number: u32,
    /// The columns that it has.
    pub uses: Arc<Vec<Use>>,
    /// A value or none for each of them.
    pub values: Vec<Option<Value>>,
    /// The record that it is an export of, as it is written there.
    pub record: Option<String>,
    sheet: Arc<str>,
    /// Letters of the columns, or names where the file has names.
    labels: Arc<Vec<String>>,
    is_named: bool,
}

impl Row {
    /// Where a cell of it is; `None` for the whole row.
    pub fn place(&self, at: Option<usize>) -> Place {
        let label = at.and_then(|at| self.labels.get(at));
        let number = self.number;
        let cell = match (self.is_named, label) {
            (true, None) => format!("item {number}"),
            (true, Some(name)) => format!("item {number}, {name}"),
            (false, None) => format!("row {number}"),
            (false, Some(letters)) => format!("{letters}{number}"),
        };
        Place {
            sheet: self.sheet.to_string(),
            cell,
        }
    }
}

/// Reads a file row by row. `visit` says whether it wants more.
///
/// # Errors
/// [`ReadError`]; what was handed over before is no whole table then.
pub fn read<F: IoRead + Seek>(
    file: &mut F,
    options: &Options,
    visit: &mut dyn FnMut(Item) -> bool,
) -> Result<Read, ReadError> {
    let found = read::look(file)?;
    let names = read::sheets(file, found)?;
    let chosen = choose(&names, options)?;
    let mut table = Table {
        left_out: options.leave_out.iter().map(|one| fold(one)).collect(),
        visit,
        chosen: &chosen,
        sheet: "".into(),
        kind: options.kind.unwrap_or(Kind::Practice),
        state: State::Empty,
    };
    let sheets: Vec<String> = chosen.keys().cloned().collect();
    read::rows(file, found, &sheets, &mut |piece| table.piece(piece))?;
    table.end_sheet()?;
    Ok(Read {
        format: found.format,
        encoding: found.encoding,
        sheets,
    })
}

/// The kind that a sheet is named after, in any of the languages.
fn kind_of(sheet: &str) -> Option<Kind> {
    let name = fold(sheet);
    KINDS.into_iter().find(|kind| {
        let named = |language: Language| language.find(&format!("kind.{kind}"));
        let mut names = Language::ALL.into_iter().filter_map(named);
        fold(kind.name()) == name || names.any(|one| fold(one) == name)
    })
}

/// The sheets that are read, each with its kind.
fn choose(names: &[String], options: &Options) -> Result<BTreeMap<String, Kind>, ReadError> {
    let listed = || {
        let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        names.join(", ")
    };
    let other = options.kind.unwrap_or(Kind::Practice);
    if let Some(sheet) = &options.sheet {
        let same = |name: &&String| *name == sheet || fold(name) == fold(sheet);
        let found = names.iter().find(same).ok_or_else(|| {
            let sheet = quoted(sheet);
            ReadError::Sheet(format!(
                "there is no sheet {sheet}; there are: {}",
                listed()
            ))
        })?;
        let kind = options.kind.or_else(|| kind_of(found)).unwrap_or(other);
        return Ok([(found.clone(), kind)].into());
    }
    let known = names.iter().filter_map(|name| {
        let kind = kind_of(name)?;
        let is_wanted = options.kind.is_none_or(|wanted| wanted == kind);
        is_wanted.then(|| (name.clone(), kind))
    });
    let known: BTreeMap<_, _> = known.collect();
    match names {
        _ if !known.is_empty() => Ok(known),
        [only] => Ok([(only.clone(), other)].into()),
        _ => Err(ReadError::Sheet(format!(
            "no sheet is named after a kind of record; say which of them is meant: {}",
            listed()
        ))),
    }
}

/// What a header means.
enum Head {
    Column(Use),
    /// The name of the record that the row is an export of.
    Record,
    /// Told by an export, and not taken back.
    Told,
    Unknown(String),
}

fn head(kind: Kind, header: &str) -> Head {
    /// The columns of each kind by their folded headers and keys.
    static HEADERS: LazyLock<HashMap<(Kind, String), &'static str>> = LazyLock::new(|| {
        let mut headers = HashMap::new();
        for kind in KINDS {
            let keys = columns(kind).iter().map(|column| column.key);
            for key in keys.chain(["record", "version"]) {
                let named = |language: Language| language.find(&format!("column.{key}"));
                let names = Language::ALL.into_iter().filter_map(named).chain([key]);
                headers.extend(names.map(|name| ((kind, fold(name)), key)));
            }
        }
        headers
    });
    let header = header.trim();
    let (name, tag) = match header.rsplit_once('@') {
        Some((name, tag)) => (name, Some(tag)),
        None => match header
            .strip_suffix(']')
            .and_then(|rest| rest.rsplit_once('['))
        {
            Some((name, tag)) => (name.trim(), Some(tag)),
            None => (header, None),
        },
    };
    let by_header = || HEADERS.get(&(kind, fold(name))).copied();
    let key = column(kind, name)
        .map(|column| column.key)
        .or_else(by_header);
    let also = || column(kind, &fold(name).replace(' ', "_")).map(|column| column.key);
    match key.or_else(also) {
        Some("record") => Head::Record,
        Some("version") => Head::Told,
        Some(key) => used(kind, key, tag),
        None => Head::Unknown(
            "is no column known here; rename it, take it out, or say that it may be left out"
                .to_owned(),
        ),
    }
}

fn used(kind: Kind, key: &str, tag: Option<&str>) -> Head {
    let Some(column) = column(kind, key) else {
        return Head::Told;
    };
    let Some(tag) = tag else {
        if column.shape == Shape::Translation {
            let what = "names no language; write it behind an @, such as translation@fr";
            return Head::Unknown(what.to_owned());
        }
        return Head::Column(Use { column, tag: None });
    };
    match canonical_tag(tag) {
        Some(tag) if column.is_translated() => Head::Column(Use {
            column,
            tag: Some(tag),
        }),
        Some(_) => Head::Unknown("has no translations; take the language out".to_owned()),
        None => Head::Unknown(format!("\"{}\" is no language tag", quoted(tag))),
    }
}

/// The columns of a sheet.
#[derive(Debug)]
struct Heads {
    uses: Arc<Vec<Use>>,
    labels: Arc<Vec<String>>,
    /// Of each column of the sheet: which of `uses` it is.
    places: BTreeMap<u32, usize>,
    record: Option<u32>,
    /// Columns that are known and not taken, or may be left out.
    skipped: BTreeSet<u32>,
}

enum State {
    Empty,
    First(Raw),
    Body(Heads),
}

struct Table<'a> {
    /// Columns that may be left out, folded.
    left_out: BTreeSet<String>,
    visit: &'a mut dyn FnMut(Item) -> bool,
    chosen: &'a BTreeMap<String, Kind>,
    sheet: Arc<str>,
    kind: Kind,
    state: State,
}

impl Table<'_> {
    fn hand_over(&mut self, item: Item) -> Result<(), ReadError> {
        if (self.visit)(item) {
            Ok(())
        } else {
            Err(ReadError::Stopped)
        }
    }

    fn problem(&mut self, cell: String, what: String) -> Result<(), ReadError> {
        let sheet = self.sheet.to_string();
        let place = Place { sheet, cell };
        self.hand_over(Item::Problem(Problem { place, what }))
    }

    fn piece(&mut self, piece: Piece<'_>) -> Result<(), ReadError> {
        match piece {
            Piece::Sheet(name) => {
                self.end_sheet()?;
                self.sheet = name.into();
                self.kind = self.chosen.get(name).copied().unwrap_or(self.kind);
                Ok(())
            }
            Piece::Merged(row, column) => {
                let what = "is merged with other cells; split it, and fill in each of them";
                self.problem(format!("{}{row}", column_letters(column)), what.to_owned())
            }
            Piece::Row(raw) => self.row(raw),
            Piece::Named(number, cells) => self.named(number, cells),
        }
    }

    fn end_sheet(&mut self) -> Result<(), ReadError> {
        if let State::First(first) = std::mem::replace(&mut self.state, State::Empty) {
            self.heads(&first, None)?;
        }
        Ok(())
    }

    fn row(&mut self, raw: Raw) -> Result<(), ReadError> {
        match std::mem::replace(&mut self.state, State::Empty) {
            State::Empty => {
                self.state = State::First(raw);
                Ok(())
            }
            State::First(first) if !self.has_keys(&first) && self.has_keys(&raw) => {
                let heads = self.heads(&first, Some(&raw))?;
                self.state = State::Body(heads);
                Ok(())
            }
            State::First(first) => {
                let heads = self.heads(&first, None)?;
                self.state = State::Body(heads);
                self.row(raw)
            }
            State::Body(heads) => {
                let done = self.body(&heads, raw);
                self.state = State::Body(heads);
                done
            }
        }
    }

    /// Whether a row is that of the keys: most of its cells are.
    fn has_keys(&self, raw: &Raw) -> bool {
        let is_key = |value: &Value| match value {
            Value::Text(text) => {
                let key = text.split('@').next().unwrap_or_default();
                columns(self.kind).iter().any(|column| column.key == key)
            }
            _ => false,
        };
        let keys = raw.cells.iter().filter(|(_, value)| is_key(value)).count();
        keys > 0 && 2 * keys >= raw.cells.len()
    }

    fn heads(&mut self, headers: &Raw, keys: Option<&Raw>) -> Result<Heads, ReadError> {
        let mut heads = Heads {
            uses: Arc::default(),
            labels: Arc::default(),
            places: BTreeMap::new(),
            record: None,
            skipped: BTreeSet::new(),
        };
        let (mut uses, mut labels) = (Vec::new(), Vec::new());
        // A key counts where there is one: its header may be in any words.
        let mut texts: BTreeMap<u32, (u32, &Value)> = BTreeMap::new();
        for row in [Some(headers), keys].into_iter().flatten() {
            texts.extend(
                row.cells
                    .iter()
                    .map(|(at, value)| (*at, (row.number, value))),
            );
        }
        for (at, (number, value)) in texts {
            let cell = format!("{}{number}", column_letters(at));
            let header = value.text().unwrap_or_default();
            let mut head = head(self.kind, &header);
            if let Head::Column(one) = &head
                && uses.contains(one)
            {
                head = Head::Unknown("is the same column as one before it; keep one".to_owned());
            }
            match head {
                Head::Column(one) => {
                    heads.places.insert(at, uses.len());
                    labels.push(column_letters(at));
                    uses.push(one);
                }
                Head::Record => heads.record = Some(at),
                Head::Told => drop(heads.skipped.insert(at)),
                Head::Unknown(what) => {
                    heads.skipped.insert(at);
                    if !self.may_be_left_out(&header) {
                        self.problem(cell, format!("\"{}\" {what}", quoted(&header)))?;
                    }
                }
            }
        }
        heads.uses = Arc::new(uses);
        heads.labels = Arc::new(labels);
        Ok(heads)
    }

    fn may_be_left_out(&self, header: &str) -> bool {
        self.left_out.contains(&fold(header))
    }

    fn body(&mut self, heads: &Heads, raw: Raw) -> Result<(), ReadError> {
        let mut values = vec![None; heads.uses.len()];
        let mut record = None;
        for (at, value) in raw.cells {
            if heads.record == Some(at) {
                record = value.text().ok();
            } else if let Some(place) = heads.places.get(&at) {
                if let Some(slot) = values.get_mut(*place) {
                    *slot = Some(value);
                }
            } else if !heads.skipped.contains(&at) {
                let cell = format!("{}{}", column_letters(at), raw.number);
                let what = "stands in a column that has no header; give it one, or empty it";
                self.problem(cell, what.to_owned())?;
            }
        }
        if record.is_none() && values.iter().all(Option::is_none) {
            return Ok(());
        }
        self.hand_over(Item::Row(Row {
            kind: self.kind,
            number: raw.number,
            uses: Arc::clone(&heads.uses),
            values,
            record,
            sheet: Arc::clone(&self.sheet),
            labels: Arc::clone(&heads.labels),
            is_named: false,
        }))
    }

    fn named(&mut self, number: u32, cells: Vec<(String, Value)>) -> Result<(), ReadError> {
        let (mut uses, mut labels, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut record = None;
        for (name, value) in cells {
            let mut head = head(self.kind, &name);
            if let Head::Column(one) = &head
                && uses.contains(one)
            {
                head = Head::Unknown("is given twice; give it once".to_owned());
            }
            match head {
                Head::Column(one) => {
                    uses.push(one);
                    labels.push(name);
                    values.push(Some(value));
                }
                Head::Record => record = value.text().ok(),
                Head::Told => {}
                Head::Unknown(_) if self.may_be_left_out(&name) => {}
                Head::Unknown(what) => {
                    let name = quoted(&name);
                    self.problem(format!("item {number}, {name}"), what)?;
                }
            }
        }
        if uses.is_empty() && record.is_none() {
            return Ok(());
        }
        self.hand_over(Item::Row(Row {
            kind: self.kind,
            number,
            uses: Arc::new(uses),
            values,
            record,
            sheet: Arc::clone(&self.sheet),
            labels: Arc::new(labels),
            is_named: true,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_of_a_kind_names_two_columns() {
        for kind in KINDS {
            let mut seen: BTreeMap<String, &str> = BTreeMap::new();
            for column in columns(kind) {
                for language in Language::ALL {
                    let header = language.say(&format!("column.{}", column.key));
                    let before = seen.insert(fold(&header), column.key);
                    let other = before.filter(|key| *key != column.key);
                    assert_eq!(other, None, "{kind} {language} {header}");
                }
            }
        }
    }

    #[test]
    fn headers_are_known_in_every_language_with_and_without_a_key() {
        let key = |header: &str| match head(Kind::Practice, header) {
            Head::Column(one) => one.key().into_owned(),
            Head::Record => "record".to_owned(),
            Head::Told => "told".to_owned(),
            Head::Unknown(what) => what,
        };
        let title: Vec<String> = Language::ALL
            .iter()
            .map(|language| key(&format!("{} °", language.say("column.title"))))
            .collect();
        assert_eq!(title, ["title"; 5]);
        assert_eq!(key("date_start"), "start_year");
        assert_eq!(key("Date start"), "start_year");
        assert_eq!(key("title@FR"), "title@fr");
        assert_eq!(key("Titre [pt-br]"), "title@pt-BR");
        assert_eq!(key("translation@fr"), "translation@fr");
        assert!(key("translation").contains("no language"));
        assert!(key("states@fr").contains("no translations"));
        assert!(key("title@no tag").contains("no language tag"));
        assert!(key("Budget line").contains("no column"));
        assert_eq!(
            (key("record"), key("version")),
            ("record".into(), "told".into())
        );
    }
}
