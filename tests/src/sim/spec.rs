//! What must be true, written from the specification with plain sets: who may read what now, who
//! may once have held what, and which version each reader should see.
//!
//! It knows nothing of `visibility`, `row` or `log`; it is told what was decided and made durable.

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::{Hash, LogId, RecordId};
use corridor_rules::PeerState;

/// A node by number.
pub type At = usize;

/// What sort of circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anyone.
    Public,
    /// Listed readers, who know each other.
    Open,
    /// Listed readers.
    Closed,
    /// One reader.
    Private(At),
}

/// Where a record stands in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Highest version that stood there.
    pub version: u64,
    /// Whether it left.
    pub left: bool,
}

/// A circle.
#[derive(Clone, Debug)]
pub struct Circle {
    /// Whose.
    pub owner: At,
    /// Its log.
    pub id: LogId,
    /// What sort.
    pub kind: Kind,
    /// Readers, each with the end of its right; zero for none.
    pub readers: BTreeMap<At, u64>,
    /// Readers that come back once they are resumed.
    pub suspended: BTreeMap<At, u64>,
    /// The lists of an open circle: the index of the line that names each, and the list.
    pub lists: Vec<(u64, BTreeMap<At, u64>)>,
    /// Where records stand or stood, by number of the record.
    pub stands: BTreeMap<usize, Stand>,
    /// Record versions that ever stood.
    pub versions: BTreeSet<(usize, u64)>,
    /// Who was ever entitled.
    pub once: BTreeSet<At>,
}

/// A record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Whose.
    pub owner: At,
    /// Which.
    pub id: RecordId,
    /// Its published versions: hash, and the unique text in the body.
    pub versions: BTreeMap<u64, (Hash, String)>,
    /// Versions up to this one are withdrawn.
    pub burnt: u64,
}

/// The whole of what must be true.
#[derive(Default)]
pub struct Spec {
    /// State of a peer at a node.
    pub states: BTreeMap<(At, At), PeerState>,
    /// All circles.
    pub circles: Vec<Circle>,
    /// All records.
    pub records: Vec<Record>,
    /// Records that a node may once have held.
    pub seen: BTreeMap<At, BTreeSet<usize>>,
}

impl Spec {
    /// State of `peer` at `node`.
    pub fn state(&self, node: At, peer: At) -> Option<PeerState> {
        self.states.get(&(node, peer)).copied()
    }

    /// Whether `reader` may read `circle` now. PROTOCOL.md, "Peer states".
    pub fn entitled(&self, circle: &Circle, reader: At, now: u64) -> bool {
        use PeerState::{Active, Left, Paused, Pending};
        let state = self.state(circle.owner, reader);
        match circle.kind {
            Kind::Public => matches!(state, Some(Pending | Active)),
            Kind::Private(one) => one == reader && matches!(state, Some(Active | Paused | Left)),
            Kind::Open | Kind::Closed => {
                state == Some(Active)
                    && circle
                        .readers
                        .get(&reader)
                        .is_some_and(|until| *until == 0 || now < *until)
            }
        }
    }

    /// Whether `from`, which has so many lines of an open circle, may pass it on to `to`. All open
    /// circles of a simulation let their readers do so.
    pub fn relays(&self, circle: &Circle, size: u64, from: At, to: At, now: u64) -> bool {
        use PeerState::{Active, Paused};
        let list = circle.lists.iter().rev().find(|(index, _)| *index < size);
        let list = list.map(|(_, list)| list);
        let until = list.and_then(|list| list.get(&to));
        circle.kind == Kind::Open
            && ![from, to].contains(&circle.owner)
            && until.is_some_and(|until| *until == 0 || now < *until)
            && self.state(from, to) == Some(Active)
            && matches!(self.state(from, circle.owner), Some(Active | Paused))
    }

    /// Circles of `owner` that `reader` may read now.
    pub fn readable(&self, owner: At, reader: At, now: u64) -> impl Iterator<Item = &Circle> {
        self.circles
            .iter()
            .filter(move |circle| circle.owner == owner && self.entitled(circle, reader, now))
    }

    /// The version of a record that `reader` should see now.
    pub fn expected(&self, record: usize, reader: At, now: u64) -> Option<u64> {
        let of = &self.records[record];
        self.readable(of.owner, reader, now)
            .filter_map(|circle| circle.stands.get(&record))
            .filter(|stand| !stand.left && stand.version > of.burnt)
            .map(|stand| stand.version)
            .max()
    }

    /// Whether a version is to be had in a circle: it is the newest there, and neither left it nor
    /// was withdrawn.
    pub fn gives(&self, circle: &Circle, record: usize, version: u64) -> bool {
        version > self.records[record].burnt
            && circle
                .stands
                .get(&record)
                .is_some_and(|stand| stand.version == version && !stand.left)
    }

    /// Whether a record is in force in a circle.
    pub fn stands(&self, circle: &Circle, record: usize) -> bool {
        circle
            .stands
            .get(&record)
            .is_some_and(|stand| self.gives(circle, record, stand.version))
    }

    /// Whether a record is in force in its owner's public circle.
    pub fn is_public(&self, record: usize) -> bool {
        self.circles.iter().any(|circle| {
            circle.kind == Kind::Public
                && circle.owner == self.records[record].owner
                && self.stands(circle, record)
        })
    }

    /// Whether a withdrawal of a record must reach `reader` now, as far as its owner serves it.
    pub fn is_told(&self, record: usize, reader: At, now: u64) -> bool {
        let owner = self.records[record].owner;
        self.readable(owner, reader, now).any(|circle| {
            circle.stands.contains_key(&record) || circle.kind == Kind::Private(reader)
        })
    }

    /// Number of a circle by its log.
    pub fn circle(&self, id: &LogId) -> Option<usize> {
        self.circles.iter().position(|circle| circle.id == *id)
    }

    /// Number of a record.
    pub fn record(&self, owner: At, id: &RecordId) -> Option<usize> {
        self.records
            .iter()
            .position(|record| record.owner == owner && record.id == *id)
    }

    /// Adds a circle.
    pub fn open(&mut self, owner: At, id: LogId, kind: Kind) {
        self.circles.push(Circle {
            owner,
            id,
            kind,
            readers: BTreeMap::new(),
            suspended: BTreeMap::new(),
            lists: Vec::new(),
            stands: BTreeMap::new(),
            versions: BTreeSet::new(),
            once: BTreeSet::new(),
        });
    }

    /// A version stands in circles from now on.
    pub fn publish(&mut self, record: usize, version: u64, circles: &[LogId]) {
        for circle in &mut self.circles {
            if circles.contains(&circle.id) {
                let left = false;
                circle.stands.insert(record, Stand { version, left });
                circle.versions.insert((record, version));
            }
        }
    }

    /// A record leaves circles.
    pub fn leave(&mut self, record: usize, circles: &[LogId]) {
        for circle in &mut self.circles {
            if let Some(stand) = circle.stands.get_mut(&record) {
                stand.left |= circles.contains(&circle.id);
            }
        }
    }

    /// Notes who may hold what from now on. Called after each change; time alone only ends rights.
    pub fn settle(&mut self, owner: At, nodes: usize, now: u64) {
        for reader in (0..nodes).filter(|reader| *reader != owner) {
            let readable: Vec<usize> = (0..self.circles.len())
                .filter(|at| self.circles[*at].owner == owner)
                .filter(|at| self.entitled(&self.circles[*at], reader, now))
                .collect();
            for at in readable {
                let circle = &mut self.circles[at];
                circle.once.insert(reader);
                let seen = self.seen.entry(reader).or_default();
                seen.extend(circle.stands.keys());
            }
        }
    }
}
