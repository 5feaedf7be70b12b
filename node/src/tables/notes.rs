//! The notes of the last imports: which drafts each made, and what was there before.
//!
//! A file of lines for each import, in a folder beside the journal. A row is noted and synced
//! before its draft is saved, so that no draft of an import is unknown to it; a line that was cut
//! off counts as not there. Former texts of drafts lie in a file of their own, where they can be
//! overwritten. **Invariant:** no text that was discarded or withdrawn stays in a note.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use corridor_proto::{RecordId, UnixMillis, v1};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::TableError;
use crate::limits::IMPORTS_KEPT;
use crate::operate::files::FileError;

/// How an import began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// What the file was called.
    pub file: String,
    /// For whom the token was made.
    pub by: String,
    /// What sort of file it is.
    pub format: String,
    /// The encoding of a CSV.
    pub encoding: String,
    /// When it began.
    pub time_ms: u64,
}

/// A draft that an import is about to save.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowNote {
    /// Which record.
    pub record: String,
    /// Hash of the body that is saved.
    pub hash: String,
    /// Whether the record is new.
    pub is_new: bool,
    /// Where the former draft lies, if there was one.
    pub former: Option<Former>,
}

/// A former draft in the file of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// Its kind.
    pub kind: u16,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
    /// Its hash.
    pub hash: String,
}

/// How an import ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Rows that are new.
    pub new_rows: u32,
    /// Rows that change something.
    pub changed_rows: u32,
    /// Rows that change nothing.
    pub unchanged_rows: u32,
    /// Rows that may be duplicates.
    pub possible_duplicates: u32,
    /// Rows with problems.
    pub problem_rows: u32,
    /// Problems of rows and of the table.
    pub problems: u32,
    /// Rows that were saved.
    pub saved_rows: u32,
    /// Why it ended early; empty if it did not.
    pub stopped: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Begun(Begun),
    Row(RowNote),
    Ended(Ended),
    Undone(u64),
}

/// An import as its notes tell of it.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// How it began.
    pub begun: Begun,
    /// Its rows, in their order; none where only their number was asked for.
    pub rows: Vec<RowNote>,
    /// How many rows it has.
    pub count: u32,
    /// How it ended; `None` if a crash cut it short.
    pub ended: Option<Ended>,
    /// Whether it was taken back.
    pub is_undone: bool,
}

/// The hash by which a body is known again.
pub fn hash(body: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(body))
}

/// The folder of the notes.
#[derive(Clone, Debug)]
pub struct Notes {
    folder: PathBuf,
}

impl Notes {
    /// Those of the node in `data`.
    pub fn of(data: &Path) -> Self {
        Self {
            folder: data.join("imports"),
        }
    }

    /// The folder, made if it is not there.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn folder(&self) -> Result<&Path, FileError> {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder);
        made.map_err(|source| FileError::io(&self.folder, source))?;
        Ok(&self.folder)
    }

    fn path(&self, id: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{id}.{extension}"))
    }

    /// The identifiers of the imports, the newest first.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn ids(&self) -> Result<Vec<String>, FileError> {
        let entries = fs::read_dir(self.folder()?);
        let entries = entries.map_err(|source| FileError::io(&self.folder, source))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let ids = names.filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned));
        let mut ids: Vec<String> = ids.collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    /// Begins the notes of an import; the oldest beyond those that are kept go.
    ///
    /// # Errors
    /// [`TableError::File`].
    pub fn begin(&self, begun: &Begun) -> Result<Writing, TableError> {
        let folder = self.folder()?;
        let random = crate::edge::random::<4>().map_err(|source| FileError::io(folder, source))?;
        let random = data_encoding::HEXLOWER.encode(&random);
        let id = format!("{:013}-{random}", begun.time_ms);
        let open = |path: PathBuf| {
            let mut options = OpenOptions::new();
            options.create_new(true).write(true).mode(0o600);
            let file = options.open(&path);
            file.map_err(|source| FileError::io(&path, source))
        };
        let mut writing = Writing {
            path: self.path(&id, "jsonl"),
            lines: open(self.path(&id, "jsonl"))?,
            formers: open(self.path(&id, "was"))?,
            offset: 0,
            id,
        };
        writing.line(&Line::Begun(begun.clone()))?;
        writing.sync()?;
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| FileError::io(folder, source))?;
        for old in self.ids()?.into_iter().skip(IMPORTS_KEPT) {
            self.wipe(&old)?;
            crate::operate::files::remove(&self.path(&old, "jsonl"))?;
        }
        Ok(writing)
    }

    /// An import by its identifier.
    ///
    /// # Errors
    /// [`TableError::NotFound`], [`TableError::File`].
    pub fn read(&self, id: &str, with_rows: bool) -> Result<Noted, TableError> {
        let missing = || TableError::NotFound("import", id.to_owned());
        if !self.ids()?.iter().any(|known| known == id) {
            return Err(missing());
        }
        let path = self.path(id, "jsonl");
        let file = File::open(&path).map_err(|source| FileError::io(&path, source))?;
        let mut noted = Noted::default();
        for line in BufReader::new(file).lines() {
            // A crash may have cut a line off: what it was to say was not done.
            let line = line.ok().and_then(|line| serde_json::from_str(&line).ok());
            match line {
                Some(Line::Begun(begun)) => noted.begun = begun,
                Some(Line::Row(row)) => {
                    noted.count = noted.count.saturating_add(1);
                    noted.rows.extend(with_rows.then_some(row));
                }
                Some(Line::Ended(ended)) => noted.ended = Some(ended),
                Some(Line::Undone(_)) => noted.is_undone = true,
                None => {}
            }
        }
        Ok(noted)
    }

    /// A former draft of an import; `None` if it was overwritten.
    ///
    /// # Errors
    /// [`TableError::File`].
    pub fn former(&self, id: &str, former: &Former) -> Result<Option<Vec<u8>>, TableError> {
        let path = self.path(id, "was");
        let read = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(former.offset))?;
            let mut body = Vec::new();
            file.take(former.length).read_to_end(&mut body)?;
            Ok(body)
        };
        let body = read().map_err(|source| FileError::io(&path, source))?;
        Ok(Some(body).filter(|body| hash(body) == former.hash))
    }

    /// Notes that an import was taken back; what was there before it is there again.
    ///
    /// # Errors
    /// [`TableError::File`].
    pub fn undone(&self, id: &str, now: UnixMillis) -> Result<(), TableError> {
        let path = self.path(id, "jsonl");
        let io = |source| FileError::io(&path, source);
        let lines = OpenOptions::new().append(true).open(&path).map_err(io)?;
        let mut lines = lines;
        // Behind a line that was cut off nothing would be read.
        lines.write_all(b"\n").map_err(io)?;
        put(&mut lines, &Line::Undone(now.0)).map_err(io)?;
        lines.sync_all().map_err(io)?;
        Ok(self.wipe(id)?)
    }

    /// Overwrites the former drafts of an import.
    fn wipe(&self, id: &str) -> Result<(), FileError> {
        let path = self.path(id, "was");
        let io = |source| FileError::io(&path, source);
        let length = match fs::metadata(&path) {
            Ok(found) => found.len(),
            Err(_) => return Ok(()),
        };
        let mut file = OpenOptions::new().write(true).open(&path).map_err(io)?;
        zero(&mut file, 0, length).map_err(io)?;
        crate::operate::files::remove(&path)
    }

    /// Overwrites the former drafts of a record, in whichever imports: its text is to be erased.
    ///
    /// # Errors
    /// [`TableError::File`].
    pub fn forget(&self, record: RecordId) -> Result<(), TableError> {
        if !self.folder.exists() {
            return Ok(());
        }
        let name = record.to_string();
        for id in self.ids()? {
            let path = self.path(&id, "was");
            if fs::metadata(&path).is_ok_and(|found| found.len() > 0) {
                let io = |source| FileError::io(&path, source);
                let rows = self.read(&id, true)?.rows;
                let former = rows.iter().filter(|row| row.record == name);
                for former in former.filter_map(|row| row.former.as_ref()) {
                    let mut file = OpenOptions::new().write(true).open(&path).map_err(io)?;
                    zero(&mut file, former.offset, former.length).map_err(io)?;
                }
            }
        }
        Ok(())
    }

    /// An import as it is listed.
    pub fn message(id: &str, noted: &Noted) -> v1::Import {
        let ended = noted.ended.clone().unwrap_or_default();
        let state = match &noted.ended {
            _ if noted.is_undone => v1::ImportState::Undone,
            Some(ended) if ended.stopped.is_empty() => v1::ImportState::Complete,
            _ => v1::ImportState::Interrupted,
        };
        v1::Import {
            name: format!("imports/{id}"),
            state: state.into(),
            saved_rows: match &noted.ended {
                Some(ended) => ended.saved_rows,
                None => noted.count,
            },
            ..message(&noted.begun, &ended)
        }
    }
}

/// What the message of an import says of how it began and ended.
pub fn message(begun: &Begun, ended: &Ended) -> v1::Import {
    v1::Import {
        name: String::new(),
        file_name: begun.file.clone(),
        time_ms: begun.time_ms,
        by: begun.by.clone(),
        format: begun.format.clone(),
        encoding: begun.encoding.clone(),
        state: v1::ImportState::Unspecified.into(),
        new_rows: ended.new_rows,
        changed_rows: ended.changed_rows,
        unchanged_rows: ended.unchanged_rows,
        possible_duplicates: ended.possible_duplicates,
        problem_rows: ended.problem_rows,
        problems: ended.problems,
        saved_rows: ended.saved_rows,
        stopped: ended.stopped.clone(),
    }
}

fn zero(file: &mut File, offset: u64, length: u64) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    std::io::copy(&mut std::io::repeat(0).take(length), file)?;
    file.sync_all()
}

fn put(lines: &mut File, line: &Line) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    lines.write_all(&text)
}

/// The notes of an import under way.
#[derive(Debug)]
pub struct Writing {
    /// Its identifier.
    pub id: String,
    path: PathBuf,
    lines: File,
    formers: File,
    offset: u64,
}

/// The kind and the text of the draft that was there.
pub type FormerDraft = (u16, Vec<u8>);

impl Writing {
    fn line(&mut self, line: &Line) -> Result<(), TableError> {
        let put = put(&mut self.lines, line);
        Ok(put.map_err(|source| FileError::io(&self.path, source))?)
    }

    /// Notes rows that are about to be saved, each with its former draft, durably.
    ///
    /// # Errors
    /// [`TableError::File`]: then they must not be saved.
    pub fn rows(&mut self, rows: Vec<(RowNote, Option<FormerDraft>)>) -> Result<(), TableError> {
        for (mut row, former) in rows {
            if let Some((kind, body)) = former {
                let written = self.formers.write_all(&body);
                written.map_err(|source| FileError::io(&self.path, source))?;
                let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
                row.former = Some(Former {
                    kind,
                    offset: self.offset,
                    length,
                    hash: hash(&body),
                });
                self.offset = self.offset.saturating_add(length);
            }
            self.line(&Line::Row(row))?;
        }
        self.sync()
    }

    fn sync(&mut self) -> Result<(), TableError> {
        let synced = self
            .formers
            .sync_data()
            .and_then(|()| self.lines.sync_data());
        Ok(synced.map_err(|source| FileError::io(&self.path, source))?)
    }

    /// Notes how it ended, durably.
    ///
    /// # Errors
    /// [`TableError::File`]: then it reads as cut short.
    pub fn end(mut self, ended: &Ended) -> Result<(), TableError> {
        self.line(&Line::Ended(ended.clone()))?;
        self.sync()
    }
}
