//! The audit: who did what to this node, and what was refused, one line each, chained by hashes.
//!
//! A line is a hash, a space and a JSON object; the hash is that of the domain `audit` over the
//! hash of the line before (zeroes for the first) and the text of the object. It names records and
//! partners, and holds no text of them.
//! **Invariant:** a line is durable before [`Audit::note`] returns, and none is ever changed.
//! Whoever takes one out or alters one breaks the chain at that line; whoever can write the file
//! may also write all of it anew, and is found out by a hash that somebody noted earlier.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use corridor_proto::domain::{Domain, hash};
use corridor_proto::{Hash, UnixMillis};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::files::{FileError, open_to_append};
use crate::limits::AUDIT_LINE_BYTES_MAX;

/// Name of the file in the data folder.
pub const FILE: &str = "audit.log";
/// Bytes of the object of a line: less than what is read of one.
const TEXT_BYTES_MAX: usize = 60 * 1024;
/// Letters that are left of a text where a line would be too long.
const CUT_CHARS: usize = 200;

/// One act or refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// Who: the label of an access token, or how somebody reached this computer.
    pub who: String,
    /// The name of that token; empty for whoever had none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// What they asked for.
    pub act: String,
    /// Which records, circles and partners it was about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<String>,
    /// `OK`, or the reason of the refusal.
    pub outcome: String,
}

impl Entry {
    /// Something that was done at this computer, with its files.
    pub fn at_this_computer(act: &str, about: Vec<String>, now: UnixMillis) -> Self {
        use std::os::unix::fs::MetadataExt;
        let uid = std::fs::metadata("/proc/self").map(|me| me.uid());
        let who = uid.map_or_else(
            |_| "somebody at this computer".to_owned(),
            |uid| format!("user {uid} of this computer"),
        );
        Self {
            time: rfc3339(now),
            who,
            token: String::new(),
            act: act.to_owned(),
            about,
            outcome: "OK".to_owned(),
        }
    }
}

/// A time as the audit writes it.
pub fn rfc3339(now: UnixMillis) -> String {
    let seconds = i64::try_from(now.0 / 1_000).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds);
    let text = time.ok().and_then(|time| time.format(&Rfc3339).ok());
    text.unwrap_or_else(|| "later".to_owned())
}

/// What a look at the whole chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Lines that hold together, from the first on.
    pub lines: u64,
    /// The hash of the last of them: whoever wrote it down knows later that nothing was cut off.
    pub last: Hash,
    /// The first line that does not, and why.
    pub broken: Option<(u64, &'static str)>,
}

/// How far the file is known: its length and the hash of its last line.
#[derive(Clone, Copy, Debug)]
struct End {
    bytes: u64,
    hash: Hash,
}

/// The audit of a node.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    end: Mutex<Option<End>>,
}

impl Audit {
    /// The audit of the node in `data`.
    pub fn of(data: &Path) -> Self {
        Self {
            path: data.join(FILE),
            end: Mutex::new(None),
        }
    }

    /// Adds a line, behind what any process wrote.
    ///
    /// # Errors
    /// [`FileError`]: then nothing is noted.
    pub fn note(&self, entry: &Entry) -> Result<(), FileError> {
        let mut known = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let io = |source| FileError::io(&self.path, source);
        let mut file = open_to_append(&self.path).map_err(io)?;
        file.lock().map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        let end = match *known {
            Some(end) if end.bytes == bytes => end,
            _ => read_end(&mut file).map_err(io)?,
        };
        *known = None;
        if end.bytes < bytes {
            // A line that a power cut tore: nobody was told that it was written.
            file.set_len(end.bytes).map_err(io)?;
        }
        let text = fitting(entry).map_err(|error| io(error.into()))?;
        let hash = next(&end.hash, &text);
        let line = format!("{hash} {text}\n");
        file.write_all(line.as_bytes()).map_err(io)?;
        file.sync_data().map_err(io)?;
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let bytes = end.bytes.saturating_add(length);
        *known = Some(End { bytes, hash });
        Ok(())
    }

    /// Reads all lines that hold together, each with its number and its hash, and says where the
    /// chain breaks.
    ///
    /// # Errors
    /// [`FileError`] if the file cannot be read; a node without one has no lines.
    pub fn read(&self, mut line: impl FnMut(u64, Hash, Entry)) -> Result<Chain, FileError> {
        let mut chain = Chain {
            lines: 0,
            last: Hash::ZERO,
            broken: None,
        };
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(chain),
            Err(source) => return Err(FileError::io(&self.path, source)),
        };
        let mut reader = BufReader::new(file);
        loop {
            let mut bytes = Vec::new();
            let limited = (&mut reader).take(AUDIT_LINE_BYTES_MAX);
            let read = { limited }.read_until(b'\n', &mut bytes);
            let read = read.map_err(|source| FileError::io(&self.path, source))?;
            if read == 0 {
                return Ok(chain);
            }
            let number = chain.lines + 1;
            match parse(&chain.last, &bytes) {
                Ok((hash, entry)) => {
                    (chain.lines, chain.last) = (number, hash);
                    line(number, hash, entry);
                }
                Err(why) => {
                    chain.broken = Some((number, why));
                    return Ok(chain);
                }
            }
        }
    }
}

fn next(before: &Hash, text: &str) -> Hash {
    hash(Domain::Audit, &[before.as_bytes(), text.as_bytes()])
}

/// The text of an entry, without names that would make the line too long to be read.
fn fitting(entry: &Entry) -> serde_json::Result<String> {
    let text = serde_json::to_string(entry)?;
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(text);
    }
    let cut = |text: &str| text.chars().take(CUT_CHARS).collect();
    serde_json::to_string(&Entry {
        time: entry.time.clone(),
        who: cut(&entry.who),
        token: cut(&entry.token),
        act: cut(&entry.act),
        about: vec![format!("{} names, too long for a line", entry.about.len())],
        outcome: cut(&entry.outcome),
    })
}

/// A line behind one with that hash.
fn parse(before: &Hash, line: &[u8]) -> Result<(Hash, Entry), &'static str> {
    let line = line.strip_suffix(b"\n").ok_or("it is not whole")?;
    let line = std::str::from_utf8(line).map_err(|_| "it is no text")?;
    let (said, text) = line.split_once(' ').ok_or("it has no hash")?;
    let hash = next(before, text);
    if said != hash.to_string() {
        return Err("it was changed, or a line before it was taken out");
    }
    let entry = serde_json::from_str(text).map_err(|_| "a newer version wrote it")?;
    Ok((hash, entry))
}

/// The end of the last whole line and its hash.
fn read_end(file: &mut File) -> std::io::Result<End> {
    let bytes = file.seek(SeekFrom::End(0))?;
    let from = bytes.saturating_sub(2 * AUDIT_LINE_BYTES_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let Some(last) = tail.iter().rposition(|byte| *byte == b'\n') else {
        let (bytes, hash) = (0, Hash::ZERO);
        return match from {
            0 => Ok(End { bytes, hash }),
            _ => Err(std::io::Error::other("no line of the audit ends here")),
        };
    };
    let whole = tail.get(..last).unwrap_or_default();
    let begin = whole.iter().rposition(|byte| *byte == b'\n');
    let line = whole
        .get(begin.map_or(0, |at| at + 1)..)
        .unwrap_or_default();
    let said = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let hash = std::str::from_utf8(said)
        .ok()
        .and_then(|said| said.parse().ok());
    let hash = hash.ok_or_else(|| std::io::Error::other("the last line has no hash"))?;
    let kept = u64::try_from(last + 1).unwrap_or(u64::MAX);
    Ok(End {
        bytes: from.saturating_add(kept),
        hash,
    })
}

#[cfg(test)]
mod tests;
