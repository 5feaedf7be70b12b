//! The one writer and the one door.
//!
//! An item is decided against the state, appended as one group with one sync, and taken into the
//! state; only then is its sender answered. What it erases is erased next, and again before each
//! later item if the disk had no room; until then no receipt says that it is gone.
//!
//! **Invariant:** no other code appends to the journal of a running node.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use corridor_proto::UnixMillis;
use corridor_proto::key::SecretKey;
use corridor_rules::brake;
use corridor_rules::desk::{Desk, Wish};
use corridor_rules::fact::Fact;
use corridor_rules::ingest::{self, Arrival};
use corridor_rules::{Effect, Model};

use crate::codec;
use crate::compaction::{self, Round};
use crate::error::StoreError;
use crate::folder::{Folder, ensure_room};
use crate::index::{Batch, Index, Overlay};
use crate::journal::{Damage, Journal, JournalError, NewFrame, Place, Reader};
use crate::recent::{Changed, Recent};
use crate::row_codec::{place_in, place_out};
use crate::view::{Reads, View, Work};

/// The RCP's signing key, as the writer is handed it.
#[derive(Debug)]
pub struct Signer(RwLock<Arc<SecretKey>>);

impl Signer {
    /// Signs with this key.
    pub fn new(key: SecretKey) -> Self {
        Self(RwLock::new(Arc::new(key)))
    }

    /// The present key.
    pub fn key(&self) -> Arc<SecretKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, key: Arc<SecretKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = key;
    }
}

/// What is put before the writer.
#[derive(Debug)]
pub enum Item {
    /// A wish of the desk.
    Wish(Wish),
    /// A rotation of the signing key: the wish, and the key that signs from then on.
    Rotation(Wish, Arc<SecretKey>),
    /// An arrival from a peer.
    Arrival(Arrival),
    /// Whatever falls due by time alone; then a segment of which little is live is compacted.
    Due,
}

/// What an item led to.
#[derive(Debug)]
pub struct Done {
    /// The facts, now durable; none for a duplicate.
    pub facts: Vec<Fact>,
    /// The group of facts that they are.
    pub revision: u64,
}

type Answer = Box<dyn FnOnce(Result<Done, StoreError>) + Send>;
type Hook = Box<dyn Fn(u64) + Send + Sync>;
type SyncHook = Box<dyn Fn(Duration) + Send + Sync>;

enum Message {
    Item(Box<Item>, UnixMillis, Answer),
    Stop,
}

/// An open store; clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    inbox: Sender<Message>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

struct Shared {
    model: RwLock<Model>,
    index: Index,
    reader: Reader,
    signer: Arc<Signer>,
    /// Whether something is still to be erased; set with the state that demands it.
    erasing: AtomicBool,
    recent: RwLock<Recent>,
    work: Arc<Work>,
    hooks: RwLock<Vec<Hook>>,
    /// Hears how long each group took to become durable.
    on_sync: RwLock<Option<SyncHook>>,
    /// Why the writer writes nothing more, if so.
    stopped: RwLock<Option<String>>,
    damage: Option<Damage>,
    journal: PathBuf,
}

impl Store {
    pub(crate) fn start(
        folder: Folder,
        journal: Journal,
        index: Index,
        model: Model,
        signer: Arc<Signer>,
        pending: BTreeSet<Place>,
    ) -> Self {
        let recent = RwLock::new(Recent::new(model.revision));
        let shared = Arc::new(Shared {
            model: RwLock::new(model),
            index,
            reader: journal.reader(),
            signer,
            erasing: AtomicBool::new(!pending.is_empty()),
            recent,
            work: Arc::default(),
            hooks: RwLock::new(Vec::new()),
            on_sync: RwLock::new(None),
            stopped: RwLock::new(None),
            damage: journal.is_read_only().cloned(),
            journal: folder.journal.clone(),
        });
        let (inbox, items) = mpsc::channel();
        let writer = Writer {
            folder,
            journal,
            shared: Arc::clone(&shared),
            pending,
            round: Round::default(),
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&items))
            .ok();
        Self {
            shared,
            inbox,
            writer: Arc::new(Mutex::new(thread)),
        }
    }

    /// Puts an item before the writer; `answer` hears of the outcome, once it is durable.
    pub fn append(
        &self,
        item: Item,
        now: UnixMillis,
        answer: impl FnOnce(Result<Done, StoreError>) + Send + 'static,
    ) {
        let message = Message::Item(Box::new(item), now, Box::new(answer));
        if let Err(mpsc::SendError(Message::Item(_, _, answer))) = self.inbox.send(message) {
            answer(Err(StoreError::Stopped("the writer has ended".to_owned())));
        }
    }

    /// As [`Store::append`], waiting for the outcome. Not for asynchronous threads.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn append_blocking(&self, item: Item, now: UnixMillis) -> Result<Done, StoreError> {
        let (sender, receiver) = mpsc::channel();
        self.append(item, now, move |outcome| {
            // Nobody waits any more: then nobody is told.
            let _ = sender.send(outcome);
        });
        let ended = |_| StoreError::Stopped("the writer has ended".to_owned());
        receiver.recv().map_err(ended)?
    }

    /// Looks at the state and the bytes behind it; nothing is taken in meanwhile, so be quick.
    pub fn read<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T {
        let model = self
            .shared
            .model
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let (index, reader) = (&self.shared.index, &self.shared.reader);
        look(&View {
            model: &model,
            index,
            reader,
            all_erased: !self.shared.erasing.load(Ordering::SeqCst),
            recent: &self.shared.recent,
            work: &self.shared.work,
        })
    }

    /// Writes nothing more in this process, for a reason that whoever asks is told.
    pub fn stop_writing(&self, why: &str) {
        let stopped = self.shared.stopped.write();
        let mut stopped = stopped.unwrap_or_else(PoisonError::into_inner);
        stopped.get_or_insert_with(|| why.to_owned());
    }

    /// What was looked up since the store was opened.
    pub fn reads(&self) -> Reads {
        self.shared.work.reads()
    }

    /// The present signing key.
    pub fn key(&self) -> Arc<SecretKey> {
        self.shared.signer.key()
    }

    /// Calls `hook` with the revision after each change.
    pub fn on_change(&self, hook: impl Fn(u64) + Send + Sync + 'static) {
        self.shared
            .hooks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::new(hook));
    }

    /// Calls `hook` with how long each group of facts took to become durable.
    pub fn on_sync(&self, hook: impl Fn(Duration) + Send + Sync + 'static) {
        let place = self.shared.on_sync.write();
        *place.unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    /// Why nothing can be written now, if so: an error that ended the writer, damage, a full disk.
    pub fn obstacle(&self) -> Option<StoreError> {
        let shared = &self.shared;
        let damage = || Some(JournalError::ReadOnly(shared.damage.clone()?).into());
        let stopped = shared.stopped().map(StoreError::Stopped);
        stopped
            .or_else(damage)
            .or_else(|| ensure_room(&shared.journal).err())
    }

    /// Ends the writer after what was put before it, and writes the index out.
    ///
    /// # Errors
    /// [`StoreError::Index`]; then the index is rebuilt at the next start.
    pub fn close(&self) -> Result<(), StoreError> {
        let _ = self.inbox.send(Message::Stop);
        let thread = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        let wanting = self.read(|view| view.wanting());
        self.shared.index.flush(&wanting)
    }
}

impl Shared {
    fn stopped(&self) -> Option<String> {
        let stopped = self.stopped.read();
        stopped.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Writer {
    /// Its lock is kept while the writer lives.
    folder: Folder,
    journal: Journal,
    shared: Arc<Shared>,
    /// What is still to be erased.
    pending: BTreeSet<Place>,
    round: Round,
}

impl Writer {
    fn run(mut self, items: &Receiver<Message>) {
        self.erase();
        while let Ok(Message::Item(item, now, answer)) = items.recv() {
            let is_due = matches!(*item, Item::Due);
            let outcome = self.item(*item, now);
            match &outcome {
                Ok(_) if is_due => self.compact(),
                Ok(_) => {}
                Err(error) => self.stop_if_final(error),
            }
            let late = outcome.as_ref().ok();
            let late = late.filter(|done| publishes_drafts(&done.facts));
            let late = late.map(|done| done.revision);
            answer(outcome);
            if let Some(revision) = late {
                self.erase();
                self.tell_hooks(revision);
            }
            if is_due {
                self.shared.index.write_out();
            } else {
                self.shared.index.settle();
            }
        }
    }

    fn tell_hooks(&self, revision: u64) {
        let hooks = self.shared.hooks.read();
        for hook in hooks.unwrap_or_else(PoisonError::into_inner).iter() {
            hook(revision);
        }
    }

    fn stop_if_final(&mut self, error: &StoreError) {
        let stopped = self.shared.stopped.write();
        let mut stopped = stopped.unwrap_or_else(PoisonError::into_inner);
        if error.is_final() && stopped.is_none() {
            tracing::error!(%error, "store stopped writing");
            *stopped = Some(error.to_string());
        }
    }

    fn item(&mut self, item: Item, now: UnixMillis) -> Result<Done, StoreError> {
        if let Some(why) = self.shared.stopped() {
            return Err(StoreError::Stopped(why));
        }
        if !self.pending.is_empty() {
            self.erase();
        }
        let (facts, new_key) = self.decide(item, now)?;
        let revision = {
            let model = self
                .shared
                .model
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            model.revision
        };
        if facts.is_empty() {
            return Ok(Done { facts, revision });
        }
        self.folder.ensure_room()?;
        let frames: Result<Vec<NewFrame<'_>>, StoreError> =
            facts.iter().map(codec::frame).collect();
        // A crash before this line loses the item, which nobody was told of; after it, the next
        // start takes it in.
        let places = self.append(&frames?)?;
        let revision = self.take_in(&facts, &places);
        tell(&facts);
        if let Some(key) = new_key {
            self.shared.signer.replace(key);
        }
        // A crash before this line stops signing once more, and a person restarts once more.
        if facts
            .iter()
            .any(|fact| matches!(fact, Fact::SigningResumed { .. }))
        {
            self.folder.clear_lost_end()?;
        }
        if !publishes_drafts(&facts) {
            self.erase();
        }
        self.tell_hooks(revision);
        Ok(Done { facts, revision })
    }

    /// Appends a group, and tells how long that took.
    fn append(&mut self, frames: &[NewFrame<'_>]) -> Result<Vec<Place>, StoreError> {
        #[allow(
            clippy::disallowed_methods,
            reason = "for a figure, and for no decision"
        )]
        let began = Instant::now();
        let places = self.journal.append(frames)?;
        let hook = self.shared.on_sync.read();
        if let Some(hook) = hook.unwrap_or_else(PoisonError::into_inner).as_ref() {
            hook(began.elapsed());
        }
        Ok(places)
    }

    fn decide(
        &self,
        item: Item,
        now: UnixMillis,
    ) -> Result<(Vec<Fact>, Option<Arc<SecretKey>>), StoreError> {
        let model = self
            .shared
            .model
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let rows = &self.shared.index;
        let mut failed = None;
        let mut random = |bytes: &mut [u8]| {
            if let Err(error) = getrandom::fill(bytes) {
                failed = Some(error.to_string());
            }
        };
        let (wish, new_key) = match item {
            Item::Arrival(arrival) => {
                return Ok((ingest::decide(&model, rows, &arrival, now)?, None));
            }
            Item::Due => (None, None),
            Item::Wish(wish) => (Some(wish), None),
            Item::Rotation(wish, key) => (Some(wish), Some(key)),
        };
        let present = self.shared.signer.key();
        let key = new_key.as_ref().unwrap_or(&present);
        let mut desk = Desk {
            model: &model,
            rows,
            now,
            random: &mut random,
            key,
        };
        let facts = match wish {
            Some(wish) => desk.decide(wish)?,
            None => {
                let repeated = desk.repeat().unwrap_or_else(|error| {
                    tracing::error!(%error, "what void lines withdrew is not said again");
                    Vec::new()
                });
                [brake::due(&model, now), repeated].concat()
            }
        };
        match failed {
            Some(why) => Err(StoreError::Stopped(format!(
                "no randomness from the system: {why}"
            ))),
            None => Ok((facts, new_key)),
        }
    }

    /// The facts are durable; now they count. A crash in here costs a piece of the index.
    fn take_in(&mut self, facts: &[Fact], places: &[Place]) -> u64 {
        let mut batch = Batch::default();
        let mut model = self
            .shared
            .model
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        model.revision += 1;
        for (fact, place) in facts.iter().zip(places) {
            if let Fact::Lines { log, from, .. } = fact {
                batch.lines(log, *from, *place);
            }
            let mut rows = Overlay {
                index: &self.shared.index,
                batch: &mut batch,
            };
            for Effect::Erase(old) in model.apply(Some(&mut rows), fact, place_out(*place)) {
                batch.erase(place_in(old));
                self.pending.insert(place_in(old));
            }
        }
        let mut recent = self
            .shared
            .recent
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let peers = facts.iter().filter_map(|fact| match fact {
            Fact::Peer { rcp, .. } => Some(Changed::Rcp(*rcp)),
            _ => None,
        });
        for changed in batch.records().map(Changed::Record).chain(peers) {
            recent.note(model.revision, changed);
        }
        drop(recent);
        self.shared.index.apply(batch, &self.journal.position());
        let erasing = !self.pending.is_empty();
        self.shared.erasing.store(erasing, Ordering::SeqCst);
        model.revision
    }

    /// Erases what is to be erased; what cannot be erased now is tried again before the next item.
    fn erase(&mut self) {
        let all: Vec<Place> = self.pending.iter().copied().collect();
        let mut erased = all.clone();
        if self.journal.erase(&all).is_err() {
            // One place that cannot be read must not keep the others.
            erased.retain(|place| match self.journal.erase(&[*place]) {
                Ok(()) => true,
                Err(error) => {
                    tracing::error!(%error, "a text that was withdrawn is still on the disk");
                    false
                }
            });
        }
        if erased.is_empty() {
            return;
        }
        let mut batch = Batch::default();
        for place in erased {
            self.pending.remove(&place);
            batch.erased(place);
        }
        self.shared.index.apply(batch, &self.journal.position());
        let erasing = !self.pending.is_empty();
        self.shared.erasing.store(erasing, Ordering::SeqCst);
    }

    /// Looks at one segment that is full, and rewrites it if less than half of it is live.
    fn compact(&mut self) {
        let index = &self.shared.index;
        let is_idle = self.pending.is_empty() && self.journal.is_read_only().is_none();
        let Some(seen) = index.position().filter(|_| is_idle) else {
            return;
        };
        // What the index has seen ends in a segment that stays as it is.
        let usage = self.journal.usage();
        let Some(segment) = self.round.next(&usage, seen.place.segment) else {
            return;
        };
        let model = &self.shared.model;
        match compaction::compact(&mut self.journal, segment, model, index, seen) {
            Ok(true) => tracing::info!(segment, "segment compacted"),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(segment, %error, "segment not compacted");
                self.round.failed(segment);
                self.stop_if_final(&error);
            }
        }
    }
}

/// Whether what goes is drafts alone whose text stands in what was published with it: that may be
/// erased behind the answer.
fn publishes_drafts(facts: &[Fact]) -> bool {
    let mut publishes = false;
    let only_so = facts.iter().all(|fact| match fact {
        Fact::Record { .. } => {
            publishes = true;
            true
        }
        Fact::Lines { .. } | Fact::Head { .. } | Fact::DraftGone { .. } | Fact::Step { .. } => true,
        _ => false,
    });
    only_so
        && publishes
        && facts
            .iter()
            .any(|fact| matches!(fact, Fact::DraftGone { .. }))
}

/// One event for each thing that matters; of records and lines only how many.
fn tell(facts: &[Fact]) {
    let (mut records, mut lines) = (0_u64, 0);
    for fact in facts {
        match fact {
            Fact::Record { .. } => records += 1,
            Fact::Lines { lines: some, .. } => lines += some.len(),
            Fact::Peer { rcp, state, .. } => {
                tracing::info!(%rcp, state = state.word(), "partner changed");
            }
            Fact::Card { rcp, .. } => tracing::info!(%rcp, "card taken in"),
            Fact::KeyEvent { rcp, .. } => tracing::info!(%rcp, "key event taken in"),
            Fact::SigningStopped { reason } => {
                tracing::error!(reason, "this node signs nothing more; see SECURITY.md");
            }
            Fact::SigningResumed { .. } => tracing::warn!("each log restarted; this node signs"),
            Fact::Rewound { log } => {
                tracing::warn!(%log, "restarted by its owner on another branch");
            }
            Fact::VoidLines { log, lines } => {
                let lines = lines.len();
                tracing::warn!(%log, lines, "a reader holds lines of ours that are void now");
            }
            _ => {}
        }
    }
    if records > 0 || lines > 0 {
        tracing::info!(records, lines, "taken in");
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
