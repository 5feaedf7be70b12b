//! One log: its lines' tree, its head, and what its lines decide for the log itself.
//!
//! What a line means for a record is [`crate::row`]'s. **Invariant:** a log only grows, and nothing
//! in it depends on a clock.

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::checkpoint::{Checkpoint, SignedCheckpoint};
use corridor_proto::limits::CIRCLE_NAME_BYTES_MAX;
use corridor_proto::line::{Act, ReadLine, ReaderList, Withdrawal};
use corridor_proto::tree::Tree;
use corridor_proto::{Hash, LogId, LogSeed, RcpId, RecordId, UnixMillis};

use crate::fact::Place;
use crate::row::Named;

/// What sort of circle a log belongs to. A log never changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// Anyone: no list.
    Public,
    /// Readers know each other; relays and comparison of heads are allowed.
    Open,
    /// Readers do not know each other; direct from the owner only.
    Closed,
    /// For one peer alone, from pairing on.
    Private(RcpId),
}

/// A signed size and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// Key event of the key that signed it.
    pub key_seq: u32,
    /// The whole note.
    pub note: String,
}

impl Head {
    /// As it was signed.
    pub fn signed(&self) -> Option<SignedCheckpoint> {
        SignedCheckpoint::parse(self.note.as_bytes()).ok()
    }
}

/// Why a log publishes nothing further here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A critical line that this version does not understand, at this index.
    NotUnderstood(u64),
    /// Its owner signed two histories of it. It ends with a restart that a person accepts.
    Frozen {
        /// Whether one was accepted.
        accepted: bool,
    },
}

/// The readers that count now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readers {
    /// The list.
    pub list: ReaderList,
    /// Hash by which a line names it.
    pub hash: Hash,
    /// Where salt and list lie.
    pub place: Place,
}

/// A restart of a log: where it went on in a new incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Index of its line, which is the size of the prefix that it continues.
    pub index: u64,
    /// The incarnation that began.
    pub incarnation: u64,
}

/// Lines of a log of ours that a restart made void, as far as readers held them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Void {
    /// Their leaf hashes.
    pub leaves: BTreeSet<Hash>,
    /// What they published, by version hash: a person may publish it again.
    pub published: BTreeMap<Hash, (RecordId, u64)>,
    /// The records that they withdrew or let leave.
    pub taken: BTreeSet<RecordId>,
}

/// One log, ours or followed.
#[derive(Clone, Debug)]
pub struct Log {
    /// Its identifier.
    pub id: LogId,
    /// Whose.
    pub owner: RcpId,
    /// Seed of the identifier.
    pub seed: LogSeed,
    /// What sort of circle.
    pub sort: Sort,
    /// The circle's name: ours, or the one in the newest list.
    pub name: String,
    /// The lines' tree.
    pub tree: Tree,
    /// Which incarnation.
    pub incarnation: u64,
    /// The newest signed head known; may be ahead of the lines of a log that we follow.
    pub head: Option<Head>,
    /// The newest head whose root is our own root at its size: what may be held and shown.
    pub held_head: Option<Head>,
    /// Newest readers line: its index and the hash of the list.
    pub readers_line: Option<(u64, Hash)>,
    /// Its list, where it is known.
    pub readers: Option<Readers>,
    /// Readers that lost the log, each with the size at which it did.
    pub former: BTreeMap<RcpId, u64>,
    /// Paused readers that come back on the list when they are resumed, each with the end of its
    /// right.
    pub suspended: BTreeMap<RcpId, UnixMillis>,
    /// Index of the first withdrawal after the last receipt was due: a receipt is sent at once.
    pub last_withdrawal: Option<u64>,
    /// Why it publishes nothing further here.
    pub stop: Option<Stop>,
    /// Publish lines in force whose bodies are still to be fetched: index, and what each names.
    pub missing: BTreeMap<u64, Named>,
    /// Of a public log every record that a line of it ever named: whoever sees only what is public
    /// looks for nothing else.
    pub named: BTreeSet<RecordId>,
    /// Its restarts, in order.
    pub restarts: Vec<Restart>,
    /// What they made void, of a log of ours.
    pub void: Void,
    /// Leaf hashes of the withdrawals and leaves that a second history of it has.
    pub branch: BTreeSet<Hash>,
    /// Whether it came out of a backup and was not yet compared with its owner's: it is hidden.
    pub uncompared: bool,
    /// The highest incarnation of it that was shown: of ours by a reader, of a frozen one by
    /// anybody.
    pub shown: u64,
    /// How often it was taken again.
    pub rewinds: usize,
    /// Whether records may stand in it that its new branch has not published.
    pub has_void: bool,
    /// Whether its lines are taken again and have not yet reached the restart.
    pub retaken: bool,
}

/// Begins the name of a circle that this folder did not know when a reader gave it back.
const RECOVERED: &str = "recovered-";

/// Whether a name may be a circle's.
pub fn fits_circle(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let length = 1..=64.min(CIRCLE_NAME_BYTES_MAX);
    length.contains(&name.len()) && name.bytes().all(fits) && name != "private"
}

impl Log {
    /// The name of a circle of ours of which only a reader knew.
    pub fn recovered_name(id: &LogId) -> String {
        RECOVERED
            .chars()
            .chain(id.to_string().chars().take(6))
            .collect()
    }

    /// Whether its name is only made up: the one in its readers' list takes its place.
    pub fn is_recovered(&self) -> bool {
        self.name.starts_with(RECOVERED)
    }

    /// Whether a void line of it published the record.
    pub fn published_void(&self, record: &RecordId) -> bool {
        self.void.published.values().any(|(of, _)| of == record)
    }

    /// An empty log.
    pub fn new(owner: RcpId, seed: LogSeed, sort: Sort, name: String) -> Self {
        Self {
            id: LogId::derive(&owner, &seed),
            owner,
            seed,
            sort,
            name,
            tree: Tree::new(),
            incarnation: 0,
            head: None,
            held_head: None,
            readers_line: None,
            readers: None,
            former: BTreeMap::new(),
            suspended: BTreeMap::new(),
            last_withdrawal: None,
            stop: None,
            missing: BTreeMap::new(),
            named: BTreeSet::new(),
            restarts: Vec::new(),
            void: Void::default(),
            branch: BTreeSet::new(),
            uncompared: false,
            shown: 0,
            rewinds: 0,
            has_void: false,
            retaken: false,
        }
    }

    /// Whether its owner signed two histories of it.
    pub const fn is_frozen(&self) -> bool {
        matches!(self.stop, Some(Stop::Frozen { .. }))
    }

    /// Whether a restart of it may be followed: of a frozen one only if a person accepted it.
    pub const fn follows_restarts(&self) -> bool {
        !matches!(self.stop, Some(Stop::Frozen { accepted: false }))
    }

    /// Whether it is frozen, was begun anew by its owner, and a person has to accept that.
    pub const fn awaits_acceptance(&self) -> bool {
        !self.follows_restarts() && self.shown > self.incarnation
    }

    /// Forgets its lines: they are taken again from the first. What stopped it goes on doing so,
    /// unless a person accepted the restart.
    pub(crate) fn rewind(&mut self) {
        if self.is_frozen() && self.follows_restarts() {
            self.stop = None;
        }
        self.tree = Tree::new();
        self.head = None;
        self.held_head = None;
        self.readers_line = None;
        self.last_withdrawal = None;
        self.missing.clear();
        self.restarts.clear();
        self.retaken = true;
        self.has_void = true;
        self.rewinds += 1;
    }

    /// Whether its readers may pass it on to each other.
    pub fn is_relayed(&self) -> bool {
        let listed = self.readers.as_ref();
        self.sort == Sort::Open && listed.is_some_and(|readers| readers.list.relay)
    }

    /// Whether the newest list, which is here, has `rcp` at all.
    pub fn lists(&self, rcp: &RcpId) -> bool {
        let listed = self
            .readers
            .iter()
            .flat_map(|readers| &readers.list.readers);
        listed.into_iter().any(|(reader, _)| reader == rcp)
    }

    /// Lines held.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Whether the lines end short of the newest head known.
    pub fn is_behind(&self) -> bool {
        self.head
            .as_ref()
            .is_some_and(|head| head.checkpoint.size > self.size())
    }

    /// Lines still to come before the newest head known is reached.
    pub fn behind_by(&self) -> u64 {
        self.head
            .as_ref()
            .map_or(0, |head| head.checkpoint.size.saturating_sub(self.size()))
    }

    /// How many lines the newest head here covers that they reached.
    pub fn held_size(&self) -> u64 {
        let head = self.held_head.as_ref();
        head.map_or(0, |head| head.checkpoint.size)
    }

    /// The head that the lines were proved to and have not yet reached. Once its key is retired it
    /// counts no longer.
    pub fn pending(&self, model: &crate::model::Model) -> Option<&Head> {
        let current = model
            .charter(&self.owner)
            .map(|charter| charter.current_seq());
        self.head
            .as_ref()
            .filter(|head| head.checkpoint.size > self.size() && Some(head.key_seq) == current)
    }

    /// What a line decides for the log itself.
    pub(crate) fn note_line(&mut self, index: u64, line: &ReadLine) {
        match line {
            ReadLine::NotUnderstood { critical: true } => {
                self.stop.get_or_insert(Stop::NotUnderstood(index));
            }
            ReadLine::NotUnderstood { critical: false } => {}
            ReadLine::Line(line) => match line.act {
                Act::Readers { list } => {
                    if index == 0 && self.sort == Sort::Closed {
                        self.sort = Sort::Open;
                    }
                    self.readers_line = Some((index, list));
                }
                Act::Restart { incarnation, .. } => {
                    self.retaken &= incarnation <= self.incarnation;
                    self.incarnation = self.incarnation.max(incarnation);
                    self.restarts.push(Restart { index, incarnation });
                }
                Act::Withdraw(Withdrawal { record, .. }) => {
                    self.last_withdrawal = Some(index);
                    self.note_named(record);
                }
                Act::Publish { record, .. } | Act::Leave { record } => self.note_named(record),
            },
        }
    }

    fn note_named(&mut self, record: RecordId) {
        if self.sort == Sort::Public {
            self.named.insert(record);
        }
    }

    /// A head counts as held once our own root at its size is its root, in the incarnation that the
    /// lines give.
    pub(crate) fn settle_head(&mut self) {
        let Some(head) = &self.head else { return };
        if self.held_head.as_ref() == Some(head) {
            return;
        }
        if head.checkpoint.incarnation == self.incarnation
            && self.tree.root_at(head.checkpoint.size) == Some(head.checkpoint.root)
        {
            self.held_head = Some(head.clone());
        }
    }
}

#[cfg(test)]
mod tests;
