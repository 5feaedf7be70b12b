//! A disk that notes what is done to it, and what a crash could have made of any moment.
//!
//! What was synced is there. Of everything else each write, each change of a length and each change
//! of a name is lost, kept or torn by itself, in whatever order they came: a system that promises
//! less than that does not exist.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

use super::*;
use crate::journal::disk::{Disk, System};

/// Crashes of one moment that are looked at; where there are more, so many of them.
const CRASHES_MAX: usize = 64;

/// A file, whatever its names are.
type Id = usize;

/// One thing that was done.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Write(Id, usize, Vec<u8>),
    SetLen(Id, usize),
    Sync(Id),
    /// A sync that failed: what came before it is never synced any more.
    Forget(Id),
    /// A new file, under its name.
    Create(Id, String),
    Rename(String, String),
    Link(String, String),
    Remove(String),
    SyncDir,
}

/// Files and names.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(super) struct Image {
    names: BTreeMap<String, Id>,
    files: BTreeMap<Id, Vec<u8>>,
}

/// How much of one thing that was not synced arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Arrived {
    Not,
    Whole,
    FirstHalf,
    SecondHalf,
    /// Its length alone.
    Length,
    /// All but this part of [`PARTS`].
    But(usize),
}

/// The parts of a write of which one can be missing: so small that a text can be hit alone.
const PARTS: usize = 16;

impl Op {
    /// What a crash can make of it.
    fn fates(&self) -> Vec<Arrived> {
        let mut fates = vec![Arrived::Not, Arrived::Whole];
        if matches!(self, Self::Write(..)) {
            fates.extend([Arrived::FirstHalf, Arrived::SecondHalf, Arrived::Length]);
            fates.extend((0..PARTS).map(Arrived::But));
        }
        fates
    }

    fn is_synced_by(&self, sync: &Self) -> bool {
        match (self, sync) {
            (Self::Write(of, ..) | Self::SetLen(of, _), Self::Sync(synced)) => of == synced,
            (Self::Write(..) | Self::SetLen(..), _) => false,
            (_, sync) => matches!(sync, Self::SyncDir),
        }
    }
}

impl Image {
    /// The files of a folder.
    pub fn of(dir: &Path) -> (Self, HashMap<u64, Id>) {
        let (mut image, mut inodes) = (Self::default(), HashMap::new());
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let count = inodes.len();
            let id = *inodes
                .entry(entry.metadata().unwrap().ino())
                .or_insert(count);
            let name = entry.file_name().into_string().unwrap();
            image.names.insert(name, id);
            image.files.insert(id, fs::read(entry.path()).unwrap());
        }
        (image, inodes)
    }

    /// Puts it into an empty folder.
    pub fn lay_out(&self, dir: &Path) {
        let mut first = HashMap::new();
        for (name, id) in &self.names {
            let path = dir.join(name);
            match first.get(id) {
                Some(other) => fs::hard_link(other, &path).unwrap(),
                None => fs::write(&path, &self.files[id]).unwrap(),
            }
            first.entry(*id).or_insert(path);
        }
    }

    /// Whether any file has this in it.
    pub fn holds(&self, text: &str) -> bool {
        let mut files = self.names.values().filter_map(|id| self.files.get(id));
        files.any(|bytes| contains(bytes, text))
    }

    fn apply(&mut self, op: &Op, arrived: Arrived) {
        if arrived == Arrived::Not {
            return;
        }
        match op {
            Op::Write(id, offset, bytes) => {
                let file = self.files.entry(*id).or_default();
                let (all, half) = (bytes.len(), bytes.len() / 2);
                let parts = match arrived {
                    Arrived::FirstHalf => [0..half, 0..0],
                    Arrived::SecondHalf => [0..0, half..all],
                    Arrived::Length => [0..0, all..all],
                    Arrived::But(part) => [0..part * all / PARTS, (part + 1) * all / PARTS..all],
                    Arrived::Not | Arrived::Whole => [0..0, 0..all],
                };
                let end = offset + parts.iter().map(|part| part.end).max().unwrap_or(0);
                file.resize(file.len().max(end), 0);
                for part in parts {
                    let at = offset + part.start..offset + part.end;
                    file[at].copy_from_slice(&bytes[part]);
                }
            }
            Op::SetLen(id, length) => self.files.entry(*id).or_default().resize(*length, 0),
            Op::Create(id, name) => {
                self.names.insert(name.clone(), *id);
                self.files.entry(*id).or_default();
            }
            Op::Rename(from, to) | Op::Link(from, to) => {
                if let Some(id) = self.names.get(from).copied() {
                    self.names.insert(to.clone(), id);
                }
                if matches!(op, Op::Rename(..)) {
                    self.names.remove(from);
                }
            }
            Op::Remove(name) => {
                self.names.remove(name);
            }
            Op::Sync(_) | Op::Forget(_) | Op::SyncDir => {}
        }
    }

    /// A file whose last name this takes away while its bytes can still be on the disk.
    fn loses<'a>(&self, op: &'a Op) -> Option<&'a str> {
        let (Op::Remove(name) | Op::Rename(_, name)) = op else {
            return None;
        };
        let id = self.names.get(name)?;
        let has_another = self
            .names
            .iter()
            .any(|(other, of)| of == id && other != name);
        let is_zeros = self.files.get(id)?.iter().all(|byte| *byte == 0);
        (!has_another && !is_zeros).then_some(name)
    }
}

/// What was done so far, from what was there in the beginning.
#[derive(Default)]
struct Notes {
    start: Image,
    ops: Vec<Op>,
    inodes: HashMap<u64, Id>,
    ids: Id,
}

/// The disk of a folder, noting. It syncs nothing, so it is fast.
#[derive(Default)]
pub(super) struct Tape(Mutex<Notes>);

fn named(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

impl Tape {
    /// Notes what is done to a folder from now on.
    pub fn of(dir: &Path) -> Self {
        let (start, inodes) = Image::of(dir);
        let ids = inodes.len();
        Self(Mutex::new(Notes {
            start,
            ops: Vec::new(),
            inodes,
            ids,
        }))
    }

    fn note(&self, op: Op) {
        self.0.lock().unwrap().ops.push(op);
    }

    fn id(&self, file: &File) -> Id {
        let inode = file.metadata().unwrap().ino();
        self.0.lock().unwrap().inodes[&inode]
    }

    /// How much was done.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap().ops.len()
    }

    /// A sync of this file failed.
    pub fn forget(&self, file: &File) {
        self.note(Op::Forget(self.id(file)));
    }

    /// What a crash after so many things can leave, each with the words for it.
    pub fn crashes(&self, after: usize) -> Vec<(String, Image)> {
        let notes = self.0.lock().unwrap();
        let ops = &notes.ops[..after];
        let unsure = notes.unsure(ops);
        let all: usize = unsure.iter().map(|at| ops[*at].fates().len()).product();
        let looks = all.min(CRASHES_MAX);
        let mut found: Vec<(String, Image)> = Vec::new();
        for look in 0..looks {
            let (mut choice, mut image) = (look * all / looks, notes.start.clone());
            let mut words = format!("after {after} of {}:", notes.ops.len());
            for (at, op) in ops.iter().enumerate() {
                if unsure.contains(&at) {
                    let fates = op.fates();
                    let arrived = fates[choice % fates.len()];
                    choice /= fates.len();
                    words += &format!(" {arrived:?} {}", op.words());
                    image.apply(op, arrived);
                } else {
                    image.apply(op, Arrived::Whole);
                }
            }
            if !found.iter().any(|(_, known)| *known == image) {
                found.push((words, image));
            }
        }
        found
    }
}

impl Notes {
    /// The numbers of those things that were not synced.
    fn unsure(&self, ops: &[Op]) -> Vec<usize> {
        let mut durable = self.start.clone();
        let (mut unsure, mut never) = (Vec::new(), Vec::new());
        for (at, op) in ops.iter().enumerate() {
            match op {
                Op::Sync(_) | Op::SyncDir => {
                    for sure in unsure.extract_if(.., |at: &mut usize| ops[*at].is_synced_by(op)) {
                        durable.apply(&ops[sure], Arrived::Whole);
                    }
                }
                Op::Forget(id) => {
                    let sync = Op::Sync(*id);
                    never.extend(unsure.extract_if(.., |at| ops[*at].is_synced_by(&sync)));
                }
                op => {
                    let lost = durable.loses(op);
                    assert_eq!(lost, None, "its bytes are left on the disk: {op:?}");
                    unsure.push(at);
                }
            }
        }
        unsure.extend(never);
        unsure
    }
}

impl Op {
    fn words(&self) -> String {
        match self {
            Self::Write(id, offset, bytes) => {
                format!("{} bytes at {offset} of file {id};", bytes.len())
            }
            other => format!("{other:?};"),
        }
    }
}

impl Disk for Tape {
    fn create(&self, path: &Path) -> io::Result<File> {
        let was_there = path.exists();
        let file = System.create(path)?;
        let mut notes = self.0.lock().unwrap();
        if was_there {
            let id = notes.inodes[&file.metadata()?.ino()];
            notes.ops.push(Op::SetLen(id, 0));
        } else {
            let id = notes.ids;
            notes.ids += 1;
            // The system gives the number of a file that is gone to the next.
            notes.inodes.insert(file.metadata()?.ino(), id);
            notes.ops.push(Op::Create(id, named(path)));
        }
        Ok(file)
    }

    fn write_all_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        System.write_all_at(file, bytes, offset)?;
        let offset = usize::try_from(offset).unwrap();
        self.note(Op::Write(self.id(file), offset, bytes.to_vec()));
        Ok(())
    }

    fn set_len(&self, file: &File, length: u64) -> io::Result<()> {
        System.set_len(file, length)?;
        self.note(Op::SetLen(self.id(file), usize::try_from(length).unwrap()));
        Ok(())
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.note(Op::Sync(self.id(file)));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        System.rename(from, to)?;
        self.note(Op::Rename(named(from), named(to)));
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        System.link(from, to)?;
        self.note(Op::Link(named(from), named(to)));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        System.remove(path)?;
        self.note(Op::Remove(named(path)));
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.note(Op::SyncDir);
        Ok(())
    }
}
