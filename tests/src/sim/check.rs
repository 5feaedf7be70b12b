//! What is asserted of a world: at any moment, and when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::checkpoint::SignedCheckpoint;
use corridor_proto::line::{Act, ReadLine, read_line};
use corridor_proto::{Hash, LogId, RcpId, RecordId, UnixMillis, v1};
use corridor_rules::serve::Source;
use corridor_rules::{PeerState, RecordKey};

use super::network::Frame;
use super::node::Node;
use super::same::{root, same_model};
use super::spec::{At, Kind, Stand};
use super::watch::Secret;
use super::world::World;

/// What a node's stored lines of one owner say, folded anew.
#[derive(Default)]
struct Told {
    stands: BTreeMap<(RecordId, LogId), (Stand, Hash)>,
    burnt: BTreeMap<RecordId, u64>,
}

fn told(node: &Node, owner: &RcpId) -> Told {
    let mut told = Told::default();
    for log in node.model.logs.values().filter(|log| log.owner == *owner) {
        for line in node.store.lines.get(&log.id).into_iter().flatten() {
            let Ok(ReadLine::Line(line)) = read_line(line) else {
                panic!("a line of this version is understood");
            };
            match line.act {
                Act::Publish {
                    version_hash,
                    record,
                    version,
                } => {
                    let fresh = (
                        Stand {
                            version,
                            left: false,
                        },
                        version_hash,
                    );
                    let at = told.stands.entry((record, log.id)).or_insert(fresh);
                    if version > at.0.version || version == at.0.version && at.0.left {
                        *at = fresh;
                    }
                }
                Act::Leave { record } => {
                    if let Some(at) = told.stands.get_mut(&(record, log.id)) {
                        at.0.left = true;
                    }
                }
                Act::Withdraw(withdrawal) => {
                    let burnt = told.burnt.entry(withdrawal.record).or_default();
                    *burnt = withdrawal.up_to.max(*burnt);
                }
                Act::Readers { .. } | Act::Restart { .. } => {}
            }
        }
    }
    told
}

impl World {
    /// I9: what a node folded as it went equals the fold of its durable groups.
    pub fn check_rebuilt(&mut self, at: At) {
        let node = &self.nodes[at];
        for log in node.model.logs.values() {
            if let Some(head) = &log.held_head {
                let own = log.tree.root_at(head.checkpoint.size);
                assert_eq!(
                    own,
                    Some(head.checkpoint.root),
                    "I3: a head that {at} does not hold"
                );
            }
        }
        let again = node.folded_again();
        same_model(&node.model, &again.model);
        self.check_wanting(at);
        assert_eq!(node.store.rows, again.store.rows, "I9: rows of {at}");
        assert_eq!(node.store.lines, again.store.lines, "I9: lines of {at}");
        assert!(node.store.blobs == again.store.blobs, "I9: blobs of {at}");
        self.tell("rebuilt", format_args!("{at}"));
    }

    /// A node knows of every text that is still to be fetched.
    pub fn check_wanting(&self, at: At) {
        let node = &self.nodes[at];
        let rows = node.store.rows.iter().filter(|(_, row)| row.wants_any());
        let wanting: BTreeSet<RecordKey> = rows.map(|(key, _)| *key).collect();
        assert_eq!(node.model.wanting(), wanting, "{at} forgot a text");
    }

    /// Nothing of a refused peer is left.
    pub fn check_forgotten(&self, at: At, peer: At) {
        for stored in self.nodes[at].store.blobs.values() {
            for secret in self.watch.found(&stored.blob) {
                let of = match secret {
                    Secret::Body(record, _) | Secret::Note(record) => {
                        self.spec.records[record].owner
                    }
                    Secret::Name(circle) => self.spec.circles[circle].owner,
                    _ => continue,
                };
                assert_ne!(of, peer, "{at} refused {peer} and still keeps {secret:?}");
            }
        }
    }

    /// I4: one root for each size of a log.
    pub fn see_roots(&mut self, frame: &Frame) {
        let note = match frame {
            Frame::Session(frame) => match &frame.frame {
                Some(v1::session_frame::Frame::Checkpoint(frame)) => &frame.checkpoint,
                _ => return,
            },
            Frame::Carry(frame) => match &frame.frame {
                Some(v1::carry_frame::Frame::Package(package)) => &package.checkpoint,
                _ => return,
            },
        };
        if note.is_empty() {
            return;
        }
        let signed = SignedCheckpoint::parse(note).expect("a checkpoint");
        let said = *signed.claim();
        let key = (said.log, said.incarnation, said.size);
        let first = *self.roots.entry(key).or_insert(said.root);
        assert!(
            first == said.root || self.forked == Some(said.log),
            "I4: two roots for one size"
        );
    }

    /// All that must be true when everything has come to rest.
    pub fn check_rest(&mut self) {
        let nodes = self.nodes.len();
        for at in 0..nodes {
            self.check_stored(at);
            self.check_verified(at);
        }
        for owner in 0..nodes {
            for reader in (0..nodes).filter(|reader| *reader != owner) {
                self.check_pair(owner, reader);
            }
        }
        self.check_relayed();
        self.tell("checked at rest", format_args!(""));
    }

    /// Whether `reader` takes what `owner` sends.
    fn takes(&self, owner: At, reader: At) -> bool {
        use PeerState::{Active, Paused, Pending};
        let pair = (owner.min(reader), owner.max(reader));
        self.connections.contains_key(&pair)
            && matches!(
                self.spec.state(reader, owner),
                Some(Pending | Active | Paused)
            )
    }

    fn check_pair(&self, owner: At, reader: At) {
        let (rcp, node) = (self.nodes[owner].rcp, &self.nodes[reader]);
        for log in node.model.logs.values().filter(|log| log.owner == rcp) {
            let circle = &self.spec.circles[self.spec.circle(&log.id).expect("circle")];
            assert!(
                circle.once.contains(&reader),
                "I2: {reader} holds a log of {owner}"
            );
        }
        if !self.takes(owner, reader) {
            return;
        }
        self.check_logs(owner, reader);
        let told = told(node, &rcp);
        for record in 0..self.spec.records.len() {
            if self.spec.records[record].owner == owner {
                self.check_shown(record, reader, &told);
            }
        }
    }

    /// I6: equal logs; a head of the current key; a receipt for it.
    fn check_logs(&self, owner: At, reader: At) {
        let (ours, theirs) = (&self.nodes[owner], &self.nodes[reader]);
        for circle in self.spec.readable(owner, reader, self.now.0) {
            let log = &ours.model.logs[&circle.id];
            if log.size() == 0 {
                continue;
            }
            let what = format!("{:?} of {owner} at {reader}", circle.kind);
            let copy = theirs.model.logs.get(&circle.id);
            let copy = copy.unwrap_or_else(|| panic!("I6: no copy of {what}"));
            assert_eq!(root(log), root(copy), "I6: {what}");
            let head = copy.held_head.as_ref().expect("a head");
            assert_eq!(head.checkpoint.size, copy.size(), "I6: head of {what}");
            if circle.kind == Kind::Open {
                let list = copy.readers.as_ref().map(|readers| &readers.list.readers);
                let meant = circle.readers.iter();
                let meant = meant.map(|(at, until)| (self.nodes[*at].rcp, UnixMillis(*until)));
                let mut meant: Vec<_> = meant.collect();
                meant.sort();
                assert_eq!(list, Some(&meant), "readers of {what}");
            }
            let seq = ours
                .model
                .charter(&ours.rcp)
                .expect("charter")
                .current_seq();
            assert_eq!(head.key_seq, seq, "I3: {what} lies under a retired key");
            let takes_held = self.spec.state(owner, reader) != Some(PeerState::Pending)
                && self.spec.state(reader, owner) != Some(PeerState::Pending);
            if takes_held {
                let held = ours.model.held.get(&(log.id, theirs.rcp));
                let size = held.map(|held| held.checkpoint.size);
                assert_eq!(size, Some(log.size()), "receipt for {what}");
            }
        }
    }

    /// I6 for what travels through third nodes: whoever is reached by readers that pass a circle on
    /// has its log, and what stands in it.
    fn check_relayed(&mut self) {
        let mut through = 0;
        for number in 0..self.spec.circles.len() {
            let circle = &self.spec.circles[number];
            let log = &self.nodes[circle.owner].model.logs[&circle.id];
            if circle.kind != Kind::Open || log.size() == 0 {
                continue;
            }
            for reader in self.reached(number) {
                let what = format!("circle {number} of {} at {reader}", circle.owner);
                let node = &self.nodes[reader];
                let copy = node.model.logs.get(&circle.id);
                let copy = copy.unwrap_or_else(|| panic!("I6: no copy of {what}"));
                assert_eq!(root(log), root(copy), "I6: {what}");
                for record in circle.stands.keys() {
                    if self.spec.stands(circle, *record) {
                        let version = circle.stands[record].version;
                        let body = self.has_body(node, circle.owner, *record, version);
                        assert!(body, "body of {record} in {what}");
                    }
                }
                // A third node passes on receipts of those whom it knows.
                let is_linked = |a: At, b: At| self.connections.contains_key(&(a.min(b), a.max(b)));
                let one_hop = (0..self.nodes.len()).any(|via| {
                    is_linked(via, reader)
                        && is_linked(via, circle.owner)
                        && self.spec.entitled(circle, via, self.now.0)
                        && self.relayed(via, reader).contains(&number)
                        && self.spec.state(reader, via) == Some(PeerState::Active)
                });
                if one_hop {
                    let held = &self.nodes[circle.owner].model.held;
                    let held = held.get(&(circle.id, node.rcp));
                    let size = held.map(|held| held.checkpoint.size);
                    assert_eq!(size, Some(log.size()), "receipt for {what}");
                }
                through += 1;
            }
        }
        if through > 0 {
            self.tell("relayed", format_args!("{through}"));
        }
    }

    /// The readers that a circle reaches through others alone.
    fn reached(&self, number: usize) -> BTreeSet<At> {
        let circle = &self.spec.circles[number];
        let linked = |a: At, b: At| self.connections.contains_key(&(a.min(b), a.max(b)));
        let takes = |from: At, to: At| {
            use PeerState::{Active, Paused};
            let peer = self.spec.state(to, from);
            let owner = self.spec.state(to, circle.owner);
            linked(from, to)
                && matches!(owner, Some(Active | Paused))
                && (peer == Some(Active) || from == circle.owner && peer == Some(Paused))
        };
        let readers = 0..self.nodes.len();
        let direct = readers.filter(|reader| {
            *reader != circle.owner
                && self.spec.entitled(circle, *reader, self.now.0)
                && takes(circle.owner, *reader)
        });
        let direct: BTreeSet<At> = direct.collect();
        let mut reached = direct.clone();
        loop {
            let more = (0..self.nodes.len()).filter(|to| {
                !reached.contains(to)
                    && reached.iter().any(|from| {
                        let gives = self.relayed(*from, *to).contains(&number);
                        gives && takes(*from, *to)
                    })
            });
            let more: Vec<At> = more.collect();
            if more.is_empty() {
                return &reached - &direct;
            }
            reached.extend(more);
        }
    }

    fn check_shown(&self, record: usize, reader: At, told: &Told) {
        let of = &self.spec.records[record];
        let node = &self.nodes[reader];
        let burnt = told.burnt.get(&of.id).copied().unwrap_or(0);
        let what = format!("record {record} of {} at {reader}", of.owner);
        let mut shown = None;
        for circle in self.spec.readable(of.owner, reader, self.now.0) {
            let Some((stand, hash)) = told.stands.get(&(of.id, circle.id)) else {
                continue;
            };
            if !stand.left && stand.version > burnt && Some(stand.version) > shown {
                assert_eq!(of.versions[&stand.version].0, *hash, "I4: {what}");
                assert!(
                    self.has_body(node, of.owner, record, stand.version),
                    "body of {what}"
                );
                shown = Some(stand.version);
            }
        }
        assert_eq!(
            shown,
            self.spec.expected(record, reader, self.now.0),
            "shown: {what}"
        );
    }

    fn has_body(&self, node: &Node, owner: At, record: usize, version: u64) -> bool {
        let of = &self.spec.records[record];
        let (hash, text) = &of.versions[&version];
        let (rcp, record) = (self.nodes[owner].rcp, of.id);
        let row = node
            .store
            .rows
            .get(&corridor_rules::RecordKey { rcp, record });
        row.and_then(|row| row.body(hash))
            .and_then(|held| node.store.record(held.place))
            .is_some_and(|signed| signed.body.starts_with(text.as_bytes()))
    }

    /// I2 on the store, and that what must be erased is erased.
    fn check_stored(&self, at: At) {
        let blobs = self.nodes[at].store.blobs.values();
        let found: BTreeSet<Secret> = blobs.flat_map(|b| self.watch.found(&b.blob)).collect();
        let seen = self.spec.seen.get(&at).cloned().unwrap_or_default();
        for secret in found {
            match secret {
                Secret::Body(record, version) => {
                    let of = &self.spec.records[record];
                    if of.owner == at {
                        assert!(version > of.burnt, "{at} keeps withdrawn {secret:?}");
                        continue;
                    }
                    assert!(seen.contains(&record), "I2: {at} holds {secret:?}");
                    if self.takes(of.owner, at) {
                        let told = self.spec.is_told(record, at, self.now.0);
                        assert!(
                            version > of.burnt || !told,
                            "{at} keeps withdrawn {secret:?} of {}",
                            of.owner
                        );
                        assert!(
                            !self.must_have_left(record, version, at),
                            "{at} keeps {secret:?} of {}",
                            of.owner
                        );
                    }
                }
                Secret::Note(record) => {
                    let own = self.spec.records[record].owner == at;
                    assert!(own || seen.contains(&record), "I2: {at} holds {secret:?}");
                }
                Secret::Name(circle) => {
                    let circle = &self.spec.circles[circle];
                    assert!(
                        circle.owner == at || circle.once.contains(&at),
                        "I2: {at} {secret:?}"
                    );
                }
                Secret::Draft(author) => assert_eq!(author, at, "I2: a draft"),
                Secret::Erased => panic!("{at} keeps what was discarded"),
                _ => {}
            }
        }
    }

    /// Whether `reader`, who reads every circle in which a record ever stood for it, has seen it
    /// leave one while none of them gives that version.
    fn must_have_left(&self, record: usize, version: u64, reader: At) -> bool {
        let stood: Vec<_> = self
            .spec
            .circles
            .iter()
            .filter(|c| c.once.contains(&reader) && c.stands.contains_key(&record))
            .collect();
        stood
            .iter()
            .all(|c| self.spec.entitled(c, reader, self.now.0))
            && stood.iter().any(|c| c.stands[&record].left)
            && !stood.iter().any(|c| self.spec.gives(c, record, version))
    }

    /// I3 and I4: each record held verifies, lies under a head, and is the only one of its version.
    fn check_verified(&self, at: At) {
        let node = &self.nodes[at];
        for (key, row) in &node.store.rows {
            assert!(
                row.conflicts.is_empty() && row.quarantined.is_empty(),
                "I4: {row:?}"
            );
            let charter = node.model.charter(&key.rcp).expect("charter of a record");
            for held in row.versions.iter().filter(|held| !held.erased) {
                let signed = node
                    .store
                    .record(held.place)
                    .expect("a body that is not erased");
                let verified = signed.verify(charter).expect("I3: it verifies");
                assert_eq!(verified.version_hash(), held.version_hash, "I3");
                let lies = node
                    .model
                    .logs
                    .values()
                    .filter(|log| log.owner == key.rcp)
                    .any(|log| {
                        let size = log
                            .held_head
                            .as_ref()
                            .map_or(0, |head| head.checkpoint.size);
                        let lines = node.store.lines.get(&log.id).into_iter().flatten();
                        (0..size)
                            .zip(lines)
                            .any(|(_, line)| names(line, &held.version_hash))
                    });
                assert!(lies, "I3: {at} holds a record without its line");
            }
        }
    }
}

fn names(line: &[u8], hash: &Hash) -> bool {
    line.windows(32).any(|part| part == hash.as_bytes())
}
