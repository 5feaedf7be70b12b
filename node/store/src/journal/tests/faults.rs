//! The fault table: a life of a journal, every thing that it does to files, and for each of them
//! what a crash or a failure there leaves. What was acknowledged is there, no group is half there,
//! what was erased is gone, nothing is taken for damage, and the journal goes on.
//!
//! The table is made from what the life did, so a new write is in it by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::tape::{Image, Tape};
use super::*;
use crate::journal::disk::Disk;

/// Two or three groups fill a segment.
const SMALL: u64 = 280;

/// What a life does next. Frames are named; every name has a text of its own.
#[derive(Clone, Debug)]
enum Step {
    /// Groups with one sync.
    Append(&'static [&'static [&'static str]]),
    Erase(&'static [&'static str]),
    /// A segment, and which frames of it are dead.
    Compact(u32, &'static [&'static str]),
    Reopen,
}

use Step::{Append, Compact, Erase, Reopen};

/// A life in which everything occurs that a journal does: groups, several with one sync, new
/// segments, erasures in this segment and in an earlier one, compactions with and without
/// something erased, and starts.
const LIFE: [Step; 15] = [
    Append(&[&["a", "b"]]),
    Append(&[&["c"], &["d", "e"], &["f"]]),
    Erase(&["b"]),
    Append(&[&["g"]]),
    Reopen,
    Erase(&["d", "g"]),
    Append(&[&["h", "i"], &["j"]]),
    Append(&[&["k"]]),
    Compact(0, &["c", "d"]),
    Erase(&["e"]),
    Reopen,
    Append(&[&["l"]]),
    Compact(0, &["a", "b"]),
    Compact(1, &[]),
    Append(&[&["m"], &["n"]]),
];

fn text(name: &str) -> String {
    format!("the text of {name}.")
}

/// What a journal holds: its groups, and the texts of those frames that are not erased.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct State {
    groups: Vec<Vec<String>>,
    texts: BTreeMap<String, String>,
}

impl State {
    /// What can be there while a step is done; the last of them is what is there after it.
    fn during(&self, step: &Step) -> Vec<Self> {
        let mut all = vec![self.clone()];
        let mut next = self.clone();
        match step {
            Append(groups) => {
                for group in *groups {
                    let names = group.iter().map(|name| (*name).to_owned());
                    next.groups.push(names.clone().collect());
                    let texts = names.map(|name| (name.clone(), text(&name)));
                    next.texts.extend(texts);
                    all.push(next.clone());
                }
                return all;
            }
            Erase(names) => next.texts.retain(|name, _| !names.contains(&name.as_str())),
            Compact(_, dead) => {
                next.texts.retain(|name, _| !dead.contains(&name.as_str()));
                for group in &mut next.groups {
                    group.retain(|name| !dead.contains(&name.as_str()));
                }
                next.groups.retain(|group| !group.is_empty());
            }
            Reopen => {}
        }
        all.push(next);
        all
    }
}

/// A journal that lives, and what it has acknowledged.
struct Life<'d> {
    dir: &'d Path,
    disk: Arc<dyn Disk>,
    journal: Option<Journal>,
    places: BTreeMap<String, Place>,
    state: State,
    /// Every name that was ever acknowledged.
    ever: BTreeSet<String>,
}

impl<'d> Life<'d> {
    fn new(dir: &'d Path, disk: Arc<dyn Disk>) -> Self {
        Life {
            dir,
            disk,
            journal: None,
            places: BTreeMap::new(),
            state: State::default(),
            ever: BTreeSet::new(),
        }
    }

    /// Opens the journal anew and says what is in it.
    fn open(&mut self) -> Result<(State, Recovery), JournalError> {
        self.journal = None;
        let options = Options {
            segment_bytes: SMALL,
            blob_intact: &intact,
        };
        let (mut state, mut places) = (State::default(), BTreeMap::new());
        let mut visit = |group: &Group<'_>| {
            let names = group.frames.iter().map(|frame| name(frame.meta));
            places.extend(names.clone().zip(group.frames.iter().map(|one| one.place)));
            if !group.frames.is_empty() {
                state.groups.push(names.collect());
            }
        };
        let disk = Arc::clone(&self.disk);
        let (journal, recovery) = recovery::open(self.dir, &options, disk, &mut visit)?;
        for (name, place) in &places {
            let blob = journal.reader().read(*place)?.blob;
            if !blob.is_empty() {
                let text = String::from_utf8(blob).unwrap();
                state.texts.insert(name.clone(), text);
            }
        }
        (self.journal, self.places) = (Some(journal), places);
        Ok((state, recovery))
    }

    /// Whose text was here and is here no more.
    fn gone(&self) -> Vec<String> {
        let gone = self.ever.iter();
        gone.filter(|name| !self.state.texts.contains_key(*name))
            .cloned()
            .collect()
    }

    fn act(&mut self, step: &Step) -> Result<(), JournalError> {
        let Some(journal) = self.journal.as_mut().filter(|_| !matches!(step, Reopen)) else {
            let (found, recovery) = self.open()?;
            assert_eq!(found, self.state);
            assert!(recovery.damages.is_empty() && recovery.cut.is_none());
            return Ok(());
        };
        match step {
            Append(groups) => {
                let named = |name: &&str| frame(name, &text(name));
                let frames = |group: &&[&str]| group.iter().map(named).collect::<Vec<_>>();
                let frames: Vec<_> = groups.iter().map(frames).collect();
                let places = journal.append_all(&frames)?;
                let names = groups
                    .iter()
                    .copied()
                    .flatten()
                    .map(|name| (*name).to_owned());
                self.places.extend(names.zip(places.into_iter().flatten()));
            }
            Erase(names) => {
                let places: Vec<Place> = names.iter().map(|name| self.places[*name]).collect();
                journal.erase(&places)?;
            }
            Compact(segment, dead) => {
                let live = &mut |frame: &FrameRef<'_>| !dead.contains(&name(frame.meta).as_str());
                let rewritten = journal.rewrite(*segment, &intact, live)?;
                let moved: BTreeMap<_, _> = rewritten
                    .moved
                    .iter()
                    .map(|one| (one.from, one.to))
                    .collect();
                let switched = rewritten.prepare()?.switch()?;
                for place in self.places.values_mut() {
                    *place = moved.get(place).copied().unwrap_or(*place);
                }
                self.places.retain(|name, _| !dead.contains(&name.as_str()));
                switched.clear()?;
            }
            Reopen => {}
        }
        self.state = self.state.during(step).pop().unwrap();
        self.ever.extend(self.state.texts.keys().cloned());
        Ok(())
    }
}

/// A folder for one look; in memory where that is known, since nothing has to last.
fn laid_out(image: &Image) -> tempfile::TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    let dir = memory.or_else(|_| tempfile::tempdir()).unwrap();
    image.lay_out(dir.path());
    dir
}

/// Opens what a crash left: it is one of what may be there, nothing of what is gone is left in any
/// file, and the journal goes on. Gives what was done to open it.
fn opens(image: &Image, may_be: &[State], words: &str) -> Arc<Tape> {
    let dir = laid_out(image);
    let tape = Arc::new(Tape::of(dir.path()));
    let mut life = Life::new(dir.path(), Arc::<Tape>::clone(&tape));
    let (state, recovery) = life
        .open()
        .unwrap_or_else(|error| panic!("{words} {error}"));
    assert!(
        recovery.damages.is_empty(),
        "{words} {:?}",
        recovery.damages
    );
    assert!(
        may_be.contains(&state),
        "{words} {state:?} is none of {may_be:?}"
    );
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let every = ('a'..='z').map(|name| name.to_string());
        for gone in every.filter(|name| !state.texts.contains_key(name)) {
            assert!(
                !contains(&bytes, &text(&gone)),
                "{words} {gone} is in {path:?}"
            );
        }
    }
    life.state = state;
    life.act(&Append(&[&["z"]])).unwrap();
    life.act(&Reopen).unwrap();
    tape
}

/// A step of a life that was noted.
struct Noted {
    /// How many things were done when it was acknowledged.
    end: usize,
    /// What can be there before.
    during: Vec<State>,
    /// What was there once and was gone when it began.
    gone: Vec<String>,
}

/// Lives a life and notes it, with a last step in which nothing is done.
fn noted(dir: &Path, tape: &Arc<Tape>) -> Vec<Noted> {
    let mut life = Life::new(dir, Arc::<Tape>::clone(tape));
    let mut all = Vec::new();
    for step in [Reopen].iter().chain(&LIFE) {
        let during = life.state.during(step);
        let gone = life.gone();
        life.act(step).unwrap();
        let end = tape.len();
        all.push(Noted { end, during, gone });
    }
    all.push(Noted {
        end: usize::MAX,
        gone: life.gone(),
        during: vec![life.state],
    });
    all
}

#[test]
#[allow(clippy::print_stdout, reason = "for whoever runs it with --no-capture")]
fn a_crash_anywhere_in_a_life_loses_nothing() {
    let (start, _) = Image::of(Folder::new().path());
    let folder = laid_out(&start);
    let tape = Arc::new(Tape::of(folder.path()));
    let life = noted(folder.path(), &tape);
    let (mut looks, mut second) = (0, 0);
    for after in 0..=tape.len() {
        let step = life.iter().find(|step| after < step.end).unwrap();
        for (words, image) in tape.crashes(after) {
            for gone in &step.gone {
                assert!(!image.holds(&text(gone)), "{words} {gone} is on the disk");
            }
            let opening = opens(&image, &step.during, &words);
            looks += 1;
            // And a crash while that is mended.
            if looks % 8 == 0 {
                for again in 0..opening.len() {
                    for (more, image) in opening.crashes(again) {
                        let with_z = with_one_more(&step.during);
                        opens(&image, &with_z, &format!("{words} then {more}"));
                        second += 1;
                    }
                }
            }
        }
    }
    let done = tape.len();
    println!("{done} things done, {looks} crashes, {second} second ones");
    assert!(done > 80 && looks > 300 && second > 1_000);
}

/// The same, and each with the group that [`opens`] adds.
fn with_one_more(states: &[State]) -> Vec<State> {
    let more = states
        .iter()
        .flat_map(|state| state.during(&Append(&[&["z"]])));
    more.collect()
}

/// How a thing fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    /// It was not done.
    Not,
    /// It was done all the same.
    Done,
    /// A write came to its half.
    Half,
}

/// A disk on which the thing of one number fails, once.
struct Faulty {
    tape: Arc<Tape>,
    at: usize,
    done: AtomicUsize,
    kind: io::ErrorKind,
    failure: Failure,
}

impl Faulty {
    fn act<T>(
        &self,
        half: impl FnOnce() -> io::Result<T>,
        whole: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        if self.done.fetch_add(1, Ordering::SeqCst) != self.at {
            return whole();
        }
        match self.failure {
            Failure::Not => {}
            Failure::Done => drop(whole()?),
            Failure::Half => drop(half()?),
        }
        Err(self.kind.into())
    }

    fn one<T>(&self, whole: impl Fn() -> io::Result<T>) -> io::Result<T> {
        self.act(&whole, &whole)
    }
}

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<fs::File> {
        self.one(|| self.tape.create(path))
    }

    fn write_all_at(&self, file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let half = || {
            self.tape
                .write_all_at(file, &bytes[..bytes.len() / 2], offset)
        };
        self.act(half, || self.tape.write_all_at(file, bytes, offset))
    }

    fn set_len(&self, file: &fs::File, length: u64) -> io::Result<()> {
        self.one(|| self.tape.set_len(file, length))
    }

    /// After a sync that failed the system takes for written what is not.
    fn sync_data(&self, file: &fs::File) -> io::Result<()> {
        let half = || {
            self.tape.forget(file);
            Ok(())
        };
        self.act(half, || self.tape.sync_data(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.one(|| self.tape.rename(from, to))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.one(|| self.tape.link(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.one(|| self.tape.remove(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.one(|| self.tape.sync_dir(dir))
    }
}

/// After a final failure nothing is written, and everything is read.
fn only_reads(life: &mut Life<'_>, words: &str) {
    let (places, state) = (life.places.clone(), life.state.clone());
    let journal = life.journal.as_mut().unwrap();
    let end = journal.position();
    let refused = |result: Result<(), JournalError>| {
        let is_final = matches!(result, Err(JournalError::DurabilityUnknown { .. }));
        assert!(is_final, "{words} {result:?}");
    };
    refused(journal.append(&[frame("y", "")]).map(drop));
    refused(journal.rewrite(0, &intact, &mut |_| true).map(drop));
    refused(journal.erase(&[]));
    assert_eq!(journal.position(), end, "{words}");
    for (name, place) in places {
        let blob = journal.reader().read(place).unwrap().blob;
        // What was being erased may be gone already, and is never half there.
        let is_whole = blob == text(&name).as_bytes();
        let is_known = state.texts.contains_key(&name);
        assert!(is_whole && is_known || blob.is_empty(), "{words} {name}");
    }
}

/// A life in which one thing fails. Gives whether there was such a thing, and how many crashes were
/// looked at.
fn fails(start: &Image, at: usize, kind: io::ErrorKind, failure: Failure) -> (bool, usize) {
    let folder = laid_out(start);
    let tape = Arc::new(Tape::of(folder.path()));
    let faulty = Arc::new(Faulty {
        tape: Arc::clone(&tape),
        at,
        done: AtomicUsize::new(0),
        kind,
        failure,
    });
    let mut life = Life::new(folder.path(), Arc::<Faulty>::clone(&faulty));
    let mut left = vec![State::default()];
    for step in [Reopen].iter().chain(&LIFE) {
        let words = format!("{kind:?} at {at}, {failure:?}, in {step:?}:");
        let during = life.state.during(step);
        left = vec![during[during.len() - 1].clone()];
        match life.act(step) {
            Ok(()) => {}
            Err(JournalError::DurabilityUnknown { .. }) if !matches!(step, Reopen) => {
                only_reads(&mut life, &words);
                left = during;
                break;
            }
            // Nothing was changed: the same works now, or, if a second name is there all the
            // same, after the next start.
            Err(JournalError::DiskFull { .. } | JournalError::Io { .. }) => match life.act(step) {
                Err(JournalError::Io { .. }) if matches!(step, Compact(..)) => left.clear(),
                again => again.unwrap_or_else(|error| panic!("{words} {error}")),
            },
            Err(JournalError::DurabilityUnknown { .. }) => life.act(step).unwrap(),
            Err(error) => panic!("{words} {error}"),
        }
    }
    if left.is_empty() {
        left.push(life.state.clone());
    }
    let words = format!("{kind:?} at {at}, {failure:?};");
    let mut crashes = tape.crashes(tape.len());
    for (crash, image) in &crashes {
        opens(image, &left, &format!("{words} {crash}"));
    }
    let has_failed = faulty.done.load(Ordering::SeqCst) > at;
    // Or no crash: the next start finds what the system still shows, and what it acknowledges
    // lasts.
    life.disk = Arc::<Tape>::clone(&tape);
    let (found, recovery) = life.open().unwrap();
    assert!(
        recovery.damages.is_empty() && left.contains(&found),
        "{words} {found:?}"
    );
    life.state = found;
    life.act(&Append(&[&["x"]])).unwrap();
    let after = tape.crashes(tape.len());
    for (crash, image) in &after {
        opens(
            image,
            std::slice::from_ref(&life.state),
            &format!("{words} a start, {crash}"),
        );
    }
    crashes.extend(after);
    (has_failed, crashes.len())
}

#[test]
#[allow(clippy::print_stdout, reason = "for whoever runs it with --no-capture")]
fn a_failure_anywhere_in_a_life_is_said_and_loses_nothing() {
    let (start, _) = Image::of(Folder::new().path());
    let (mut failures, mut crashes) = (0, 0);
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        for failure in [Failure::Not, Failure::Done, Failure::Half] {
            for at in 0.. {
                let (has_failed, looks) = fails(&start, at, kind, failure);
                crashes += looks;
                if !has_failed {
                    break;
                }
                failures += 1;
            }
        }
    }
    println!("{failures} failures, {crashes} crashes after them");
    assert!(failures > 480, "{failures}");
}
