//! Opening a store: the journal is folded, and the index is checked against it.
//!
//! **Invariant:** the index is used only if the journal has exactly the position that it says it
//! has seen, and only if its entries are those of this version; otherwise it is thrown away and
//! rebuilt in a fold. Where no clean end left a list of what is wanted, every row is read as well.

mod heads;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};

use corridor_proto::{LogId, RcpId};
use corridor_rules::fact::Fact;
use corridor_rules::row::RecordKey;
use corridor_rules::{Effect, Model, Rows};

use crate::codec;
use crate::error::StoreError;
use crate::folder::Folder;
use crate::index::{Batch, Index, OTHER_VERSION, Opened, Overlay, Unusable};
use crate::journal::{Cut, Group, Journal, Options, Place, Position, Recovery};
use crate::row_codec::{place_in, place_out};
use crate::writer::{Signer, Store};
use heads::Heads;

/// Changes of the index that are applied at once while it is rebuilt.
const REBUILD_BATCH: usize = 4_096;
/// Groups that are handed over at once when the journal is read, and how often before they are
/// taken in.
const BATCH_GROUPS: usize = 64;
const BATCHES_AHEAD: usize = 4;

const UNREADABLE: &str = "its rows could not be read";

/// What opening a store found, for the log and for a person.
#[derive(Debug, Default)]
pub struct Opening {
    /// Groups of facts.
    pub groups: u64,
    /// Why the index was rebuilt, if it was.
    pub index_rebuilt: Option<String>,
    /// A torn write at the end that was cut off; it was never acknowledged.
    pub cut: Option<Cut>,
    /// Damage that was found: the store can only be read until it is mended.
    pub damage: Vec<String>,
    /// Whether the index had seen writes that the journal no longer has: they were acknowledged,
    /// and are lost.
    pub lost_its_end: bool,
}

/// Opens a store, one process at a time. `progress` hears of bytes done and bytes in all.
///
/// # Errors
/// [`StoreError::Folder`], [`StoreError::InUse`], [`StoreError::NewerFormat`], [`StoreError::Io`],
/// [`StoreError::Journal`], [`StoreError::Index`], [`StoreError::Frame`].
pub fn open(
    path: &Path,
    signer: Arc<Signer>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Store, Opening), StoreError> {
    open_sized(path, signer, &Options::new(&codec::blob_intact), progress)
}

/// As [`open`], with segments of another size.
pub(crate) fn open_sized(
    path: &Path,
    signer: Arc<Signer>,
    options: &Options<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Store, Opening), StoreError> {
    let folder = Folder::open(path)?;
    let open = || Index::open(&folder.index);
    let mut attempt = Attempt::make(&folder, open, options, progress)?;
    let (seen, mut rebuilt) = (attempt.seen, attempt.rebuilt.take());
    // A cut is made once: what the first look found is what is told.
    let first = attempt.recovery.clone();
    if seen.is_some_and(|seen| attempt.is_behind(&seen)) {
        // Durable before the proof is thrown away with the index.
        folder.note_lost_end()?;
    }
    let lost_its_end = folder.has_lost_its_end();
    if seen.is_none() && rebuilt.is_none() && first.groups > 1 {
        rebuilt = Some("it was missing or empty".to_owned());
    }
    if let Some(why) = attempt.misfit.take() {
        rebuilt = Some(why);
        drop(attempt);
        let fresh = || Ok((Index::renew(&folder.index)?, None, None));
        attempt = Attempt::make(&folder, fresh, options, progress)?;
        if let Some(why) = attempt.misfit {
            return Err(StoreError::Index(why));
        }
    }
    let opening = Opening {
        groups: first.groups,
        index_rebuilt: rebuilt,
        cut: first.cut,
        damage: first.damages.iter().map(ToString::to_string).collect(),
        lost_its_end,
    };
    let Attempt {
        index,
        model,
        journal,
        pending,
        ..
    } = attempt;
    index.set_up();
    let store = Store::start(folder, journal, index, model, signer, pending);
    Ok((store, opening))
}

/// One fold of the journal over an index.
struct Attempt {
    index: Index,
    /// How much of the journal the index had seen.
    seen: Option<Position>,
    /// Why the index before it was thrown away when it was opened, if it was.
    rebuilt: Option<String>,
    model: Model,
    journal: Journal,
    recovery: Recovery,
    pending: BTreeSet<Place>,
    /// Why the index is not to be used, if so.
    misfit: Option<String>,
}

impl Attempt {
    /// The journal is read and decoded by this thread, while another opens the index and takes in
    /// what was decoded, and a third reads the rows if it must.
    fn make(
        folder: &Folder,
        open: impl FnOnce() -> Result<Opened, StoreError> + Send,
        options: &Options<'_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, StoreError> {
        let (sender, decoded) = mpsc::sync_channel(BATCHES_AHEAD);
        let (read, folded) = std::thread::scope(|scope| {
            let folding = scope.spawn(move || -> Result<Folded, StoreError> {
                let (index, seen, rebuilt) = open()?;
                let rows = index.clone();
                let wanting = scope.spawn(move || usable(|| wanting(&rows)).and_then(|all| all));
                let mut fold = Fold::new(index, seen);
                let ran = usable(|| decoded.iter().flatten().for_each(|group| fold.group(group)));
                let wanting = wanting.join();
                let wanting = wanting.unwrap_or_else(|_| Err(UNREADABLE.to_owned()));
                Ok(Folded {
                    rebuilt,
                    fold,
                    wanting: ran.and(wanting),
                })
            });
            let read = read(folder, options, progress, sender);
            (read, folding.join())
        });
        let Folded {
            rebuilt,
            fold,
            wanting,
        } = folded.unwrap_or_else(|why| resume_unwind(why))?;
        let (journal, recovery) = read?;
        let mut attempt = Self {
            index: fold.index.clone(),
            seen: fold.seen,
            rebuilt,
            model: Model::new(RcpId::ZERO),
            journal,
            recovery,
            pending: BTreeSet::new(),
            misfit: None,
        };
        if wanting.is_ok() && !fold.fits() {
            // Another journal's, ahead of this one, or of a time before a compaction.
            let why = "it was not the index of this journal as it is now";
            attempt.misfit = Some(why.to_owned());
            return Ok(attempt);
        }
        let damaged = !attempt.recovery.damages.is_empty();
        let finish = |wanting| usable(|| fold.finish(&attempt.journal, damaged, wanting));
        match wanting.and_then(finish) {
            Ok(finished) => (attempt.model, attempt.pending) = finished?,
            Err(why) => attempt.misfit = Some(why),
        }
        Ok(attempt)
    }

    /// Whether an index that says this has seen more than the journal has. It is written only after
    /// the journal was synced.
    fn is_behind(&self, seen: &Position) -> bool {
        let here = self.journal.position();
        let same = seen.journal_id == here.journal_id && seen.compactions == here.compactions;
        same && seen.place > here.place
    }
}

/// What a look at the index gives, or why it cannot be used.
fn usable<T>(look: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(look)).map_err(|why| match why.downcast::<Unusable>() {
        Ok(why) => why.0,
        Err(_) => "sled stopped while it was read".to_owned(),
    })
}

/// The records of which a body is still to be fetched, or a version is contradicted; behind a crash
/// every row is read.
fn wanting(index: &Index) -> Result<Vec<RecordKey>, String> {
    if !index.is_readable() {
        return Err(OTHER_VERSION.to_owned());
    }
    if let Some(listed) = index.wanting() {
        return Ok(listed);
    }
    let rows = index.rows(None).filter(|(_, row)| row.wants_any());
    Ok(rows.map(|(key, _)| key).collect())
}

/// Reads the journal, and hands over what its groups say.
fn read(
    folder: &Folder,
    options: &Options<'_>,
    progress: &mut dyn FnMut(u64, u64),
    sender: SyncSender<Vec<Decoded>>,
) -> Result<(Journal, Recovery), StoreError> {
    let (mut batch, mut error) = (Vec::new(), None);
    // Where nobody takes them in any more the index is at fault, and the journal is opened still.
    let hand_over = |batch: &mut Vec<Decoded>| {
        let _ = sender.send(std::mem::take(batch));
    };
    let opened = Journal::open(&folder.journal, options, &mut |group| {
        progress(group.progress.bytes_done, group.progress.bytes_total);
        match Decoded::of(group) {
            _ if error.is_some() => {}
            Ok(group) => batch.push(group),
            Err(why) => error = Some(why),
        }
        if batch.len() >= BATCH_GROUPS {
            hand_over(&mut batch);
        }
    })?;
    hand_over(&mut batch);
    error.map_or(Ok(opened), Err)
}

/// A group as it is taken in.
struct Decoded {
    facts: Vec<(Fact, Place)>,
    erased: Vec<Place>,
    dropped: u64,
    position: Position,
}

impl Decoded {
    fn of(group: &Group<'_>) -> Result<Self, StoreError> {
        let facts = group.frames.iter().map(|frame| {
            let fact = codec::fact(frame.kind, frame.meta)?;
            Ok((fact, frame.place))
        });
        Ok(Self {
            facts: facts.collect::<Result<_, StoreError>>()?,
            erased: group.erased.to_vec(),
            dropped: group.dropped,
            position: group.position,
        })
    }
}

/// What came of a fold.
struct Folded {
    rebuilt: Option<String>,
    fold: Fold,
    /// The records that want a body, or why the index cannot be used.
    wanting: Result<Vec<RecordKey>, String>,
}

/// What lies in a blob and is needed in memory: the last of each counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Content {
    Card(RcpId),
    List(LogId),
}

impl Content {
    const fn of(fact: &Fact) -> Option<Self> {
        match fact {
            Fact::Card { rcp, .. } => Some(Self::Card(*rcp)),
            Fact::List { log, .. } => Some(Self::List(*log)),
            _ => None,
        }
    }
}

/// One run over the journal.
struct Fold {
    model: Model,
    index: Index,
    batch: Batch,
    seen: Option<Position>,
    met: bool,
    position: Option<Position>,
    contents: BTreeMap<Content, (Fact, Place)>,
    heads: Heads,
}

impl Fold {
    fn new(index: Index, seen: Option<Position>) -> Self {
        Self {
            model: Model::new(RcpId::ZERO),
            index,
            batch: Batch::default(),
            seen,
            met: false,
            position: None,
            contents: BTreeMap::new(),
            heads: Heads::default(),
        }
    }

    /// Whether the index was built here, or has exactly a state that the journal went through.
    const fn fits(&self) -> bool {
        self.seen.is_none() || self.met
    }

    fn group(&mut self, group: Decoded) {
        let indexed = self
            .seen
            .as_ref()
            .is_some_and(|seen| group.position.place <= seen.place);
        self.met |= self.seen.as_ref() == Some(&group.position);
        for place in group.erased {
            self.batch.erased(place);
        }
        // Groups that compaction left out count on: a revision never goes back.
        self.model.revision += group.dropped + u64::from(!group.facts.is_empty());
        for (fact, place) in group.facts {
            self.fact(fact, place, indexed);
        }
        self.position = Some(group.position);
        if self.batch.len() >= REBUILD_BATCH && !indexed {
            let batch = std::mem::take(&mut self.batch);
            // Over rows that do not fit nothing is written: they are thrown away.
            if self.fits() {
                self.index.apply(batch, &group.position);
                self.index.settle();
            }
        }
    }

    fn fact(&mut self, fact: Fact, at: Place, indexed: bool) {
        if let Some(content) = Content::of(&fact) {
            let old = self.contents.insert(content, (fact, at));
            if let Some((_, old)) = old.filter(|_| !indexed) {
                self.batch.erase(old);
            }
            return;
        }
        // A head may end the retaking of a log, which changes rows: that one is taken in at once.
        let settles = |log| self.model.logs.get(log).is_some_and(|log| log.has_void);
        let fact = match fact {
            Fact::Head { log, note } if !settles(&log) => {
                return self.heads.note(&self.model, log, note);
            }
            fact => fact,
        };
        if Heads::go_before(&fact) {
            self.heads.take_in(&mut self.model);
        }
        if let Fact::Forget { rcp } = &fact {
            self.forget(rcp, indexed);
        }
        if let (Fact::KeyEvent { rcp, .. }, true) = (&fact, self.model.me.is_zero()) {
            // The first fact of every node is its own first key event.
            self.model.me = *rcp;
        }
        let place = place_out(at);
        let effects = if indexed {
            self.model.apply(None, &fact, place)
        } else {
            if let Fact::Lines { log, from, .. } = &fact {
                self.batch.lines(log, *from, at);
            }
            let mut rows = Overlay {
                index: &self.index,
                batch: &mut self.batch,
            };
            self.model.apply(Some(&mut rows), &fact, place)
        };
        if !indexed {
            for Effect::Erase(place) in effects {
                self.batch.erase(place_in(place));
            }
        }
    }

    /// The contents of an RCP that is forgotten are not folded, so they go here.
    fn forget(&mut self, rcp: &RcpId, indexed: bool) {
        let logs = &self.model.logs;
        let theirs = |content: &Content| match content {
            Content::Card(of) => of == rcp,
            Content::List(log) => logs.get(log).is_some_and(|log| log.owner == *rcp),
        };
        for (_, (_, place)) in self.contents.extract_if(.., |content, _| theirs(content)) {
            if !indexed {
                self.batch.erase(place);
            }
        }
    }

    /// What the fold could not do while the journal was being opened: cards and reader lists, the
    /// bodies still to be fetched; and the erasures that a crash cut short.
    fn finish(
        mut self,
        journal: &Journal,
        damaged: bool,
        wanting: Vec<RecordKey>,
    ) -> Result<(Model, BTreeSet<Place>), StoreError> {
        self.heads.take_in(&mut self.model);
        let reader = journal.reader();
        for (fact, place) in std::mem::take(&mut self.contents).into_values() {
            let fact = codec::with_blob(fact, reader.read(place)?.blob);
            self.model.apply(None, &fact, place_out(place));
        }
        if let Some(position) = self.position {
            // What is built over a damaged journal fits no other one, nor this one once mended.
            let position = Position {
                journal_id: if damaged {
                    [0; 16]
                } else {
                    position.journal_id
                },
                ..position
            };
            self.index.apply(std::mem::take(&mut self.batch), &position);
        }
        for key in wanting {
            // The fold may have changed it since; what it changed the model knows.
            let row = self.index.row(&key).unwrap_or_default();
            self.model.note_missing(key, &row);
        }
        let pending = self.index.pending_erasures().into_iter().collect();
        Ok((self.model, pending))
    }
}

#[cfg(test)]
mod tests;
