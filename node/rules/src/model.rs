//! The state of a node: the fold of its facts.
//!
//! What grows with the number of records lies in rows ([`crate::row`]), which the store keeps in
//! its index; the rest is here. **Invariant:** [`Model::apply`] is the only way to change it, and
//! the same facts in the same order give the same model.

mod heard;
mod lines;

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::card::{SignedCard, VerifiedCard};
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::checkpoint::{Held, SignedCheckpoint};
use corridor_proto::id::Token;
use corridor_proto::line::ReaderList;
use corridor_proto::{Hash, LogId, RcpId, StartNumber, UnixMillis};

use crate::brake::Brake;
use crate::draft::{Draft, Drafts, Taken};
use crate::evidence::Kept;
use crate::fact::{Fact, Place, SignedStart, unblob};
use crate::ingest::{ANOTHER_COPY_RAN, CHARTER_FORKED, KEYS_PREDATE_A_ROTATION, RESTORED};
use crate::log::{Head, Log, Readers, Sort, Stop, fits_circle};
use crate::peer::{Peer, PeerState};
use crate::row::{Named, RecordKey, RecordRow};

/// Rows of records, to be read.
pub trait Rows {
    /// The row of a record, if any line or body of it is known.
    fn row(&self, key: &RecordKey) -> Option<RecordRow>;
}

/// Rows of records, to be written.
pub trait RowsMut: Rows {
    /// Keeps the row of a record.
    fn put(&mut self, key: &RecordKey, row: RecordRow);
    /// The records of an RCP that have a row, each once.
    fn keys(&self, rcp: &RcpId) -> Vec<RecordKey>;
    /// Drops the row of a record.
    fn remove(&mut self, key: &RecordKey);
    /// Drops all that is kept of where a log's lines lie.
    fn forget_lines(&mut self, log: &LogId);
}

/// Something that must happen outside the model because of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The blob there must be erased.
    Erase(Place),
}

/// What is known of an RCP's identity.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its charter.
    pub charter: Charter,
    /// Its newest card under the current key; a rotation voids it.
    pub card: Option<VerifiedCard>,
    /// Where the last card lies, void or not.
    pub card_place: Option<Place>,
}

/// A receipt to be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What it says.
    pub held: Held,
    /// As it was signed.
    pub note: String,
}

/// The state of a node.
#[derive(Clone, Debug)]
pub struct Model {
    /// Whose node this is.
    pub me: RcpId,
    /// Identities, ours among them.
    pub known: BTreeMap<RcpId, Known>,
    /// Peers.
    pub peers: BTreeMap<RcpId, Peer>,
    /// Logs, ours and followed.
    pub logs: BTreeMap<LogId, Log>,
    /// Notes of withdrawals that are still kept, by whose they are and their hash.
    pub notes: BTreeMap<(RcpId, Hash), Place>,
    /// Drafts.
    pub drafts: Drafts,
    /// The newest receipt of each reader for each log.
    pub held: BTreeMap<(LogId, RcpId), Held>,
    /// The newest receipts that are passed on, by log and holder: of readers for logs of others,
    /// and of owners, we among them, for their own.
    pub passing: BTreeMap<(LogId, RcpId), Receipt>,
    /// Evidence, in the order in which it was found.
    pub evidence: Vec<Kept>,
    /// Records that two texts of one version are known of.
    pub contested: BTreeSet<RecordKey>,
    /// Open invitations: hash of the token, and when each ends.
    pub invitations: BTreeMap<Hash, UnixMillis>,
    /// Tokens of invitations that we accepted and that are not yet answered.
    pub accepted: BTreeMap<RcpId, Token>,
    /// Start numbers of this folder, the present one last.
    pub starts: BTreeSet<StartNumber>,
    /// The present start number.
    pub start: StartNumber,
    /// Of which RCPs many withdrawals came lately.
    pub brakes: BTreeMap<RcpId, Brake>,
    /// Why nothing is signed any more, if so.
    pub signing_stopped: Option<String>,
    /// Whether another copy of this folder may run.
    pub another_copy: bool,
    /// Peers that may still give back a start number of the copy that is gone.
    pub awaited: BTreeSet<RcpId>,
    /// Groups of facts so far.
    pub revision: u64,
}

impl Model {
    /// A node of `me` that knows nothing yet.
    pub const fn new(me: RcpId) -> Self {
        Self {
            me,
            known: BTreeMap::new(),
            peers: BTreeMap::new(),
            logs: BTreeMap::new(),
            notes: BTreeMap::new(),
            drafts: Drafts::new(),
            held: BTreeMap::new(),
            passing: BTreeMap::new(),
            evidence: Vec::new(),
            contested: BTreeSet::new(),
            invitations: BTreeMap::new(),
            accepted: BTreeMap::new(),
            starts: BTreeSet::new(),
            start: StartNumber::ZERO,
            brakes: BTreeMap::new(),
            signing_stopped: None,
            another_copy: false,
            awaited: BTreeSet::new(),
            revision: 0,
        }
    }

    /// Whether sessions are opened: not while another copy may run, nor under keys that others
    /// have replaced.
    pub fn may_exchange(&self) -> bool {
        let keys = [KEYS_PREDATE_A_ROTATION, CHARTER_FORKED];
        let stopped = self.signing_stopped.as_deref();
        !self.another_copy && !stopped.is_some_and(|reason| keys.contains(&reason))
    }

    /// The state of a peer; `None` for a stranger.
    pub fn peer_state(&self, rcp: &RcpId) -> Option<PeerState> {
        self.peers.get(rcp).map(|peer| peer.state)
    }

    /// Whether a person here confirmed that an RCP is who it says.
    pub fn is_confirmed(&self, rcp: &RcpId) -> bool {
        matches!(
            self.peer_state(rcp),
            Some(PeerState::Active | PeerState::Paused | PeerState::Left)
        )
    }

    /// Until when the erasure of what an RCP withdrew waits, if it does.
    pub fn delayed_until(&self, rcp: &RcpId) -> Option<UnixMillis> {
        self.brakes.get(rcp).and_then(Brake::until)
    }

    /// The charter of an RCP, if it is known.
    pub fn charter(&self, rcp: &RcpId) -> Option<&Charter> {
        self.known.get(rcp).map(|known| &known.charter)
    }

    /// Our logs.
    pub fn own_logs(&self) -> impl Iterator<Item = &Log> {
        self.logs.values().filter(|log| log.owner == self.me)
    }

    /// Our private circle for a peer.
    pub fn private_log(&self, peer: &RcpId) -> Option<&Log> {
        self.own_logs().find(|log| log.sort == Sort::Private(*peer))
    }

    /// Our circle of that name.
    pub fn circle(&self, name: &str) -> Option<&Log> {
        self.own_logs().find(|log| log.name == name)
    }

    /// Whether an invitation with this token is open.
    pub fn invitation(&self, token: &Token, now: UnixMillis) -> Option<Hash> {
        let hash = token_hash(token);
        self.invitations
            .get(&hash)
            .filter(|expires| now < **expires)
            .map(|_| hash)
    }

    /// Takes one fact in. `place` is where its blob lies; `rows` is `None` when the rows already
    /// have it. Gives what must happen outside.
    pub fn apply(
        &mut self,
        mut rows: Option<&mut dyn RowsMut>,
        fact: &Fact,
        place: Place,
    ) -> Vec<Effect> {
        match fact {
            Fact::KeyEvent { rcp, event } => self.key_event(rcp, event),
            Fact::Card { rcp, card } => return self.card(rcp, card, place),
            Fact::Named { rcp, name } => {
                if let Some(peer) = self.peers.get_mut(rcp) {
                    peer.name.clone_from(name);
                }
            }
            Fact::Peer { rcp, state, at } => self.peer(rcp, *state, *at),
            Fact::PeerStart { rcp, start } => {
                if let Some(peer) = self.peers.get_mut(rcp) {
                    peer.start = *start;
                }
            }
            Fact::Forget { rcp } => return self.forget(rows, rcp),
            Fact::Withdrawals { rcp, at, count } => {
                self.brakes.entry(*rcp).or_default().note(*at, *count);
            }
            Fact::EraseNow { rcp } => {
                if let Some(brake) = self.brakes.get_mut(rcp) {
                    brake.release();
                }
                let Some(rows) = rows else {
                    return Vec::new();
                };
                let mut keys = rows.keys(rcp);
                // Only those of which something goes change.
                keys.retain(|key| {
                    let row = rows.row(key);
                    row.is_some_and(|mut row| !row.erase(false, false).is_empty())
                });
                let keys = keys.iter();
                return keys
                    .flat_map(|key| self.change(rows, key, |_| ()))
                    .collect();
            }
            Fact::Circle {
                owner,
                seed,
                sort,
                name,
            } => {
                let mut log = Log::new(*owner, *seed, *sort, name.clone());
                if self.is_forked(owner) {
                    log.stop = Some(Stop::Frozen { accepted: false });
                }
                self.logs.entry(log.id).or_insert(log);
            }
            Fact::Lines { log, from, lines } => return self.lines(rows, log, *from, lines),
            Fact::Head { log, note } => {
                self.head(log, note);
                self.freeze_if_proved(log);
                return self.drop_void(rows, log);
            }
            Fact::List { log, hash, blob } => return self.list(log, hash, blob, place),
            Fact::Note { rcp, hash, .. } => {
                // The same note comes with each log that carries the withdrawal: one is kept.
                let old = self.notes.insert((*rcp, *hash), place);
                return old.map(Effect::Erase).into_iter().collect();
            }
            Fact::Former { log, rcp, size } => {
                if let Some(log) = self.logs.get_mut(log) {
                    log.former.insert(*rcp, *size);
                }
            }
            Fact::Reader { log, rcp } => {
                if let Some(log) = self.logs.get_mut(log) {
                    log.former.remove(rcp);
                }
            }
            Fact::Record { header, .. } => {
                if let Some(rows) = rows.as_mut() {
                    return self.record(*rows, header, place);
                }
            }
            Fact::Quarantine {
                rcp,
                record,
                version_hash,
                reason,
            } => {
                if let Some(rows) = rows.as_mut() {
                    let key = RecordKey {
                        rcp: *rcp,
                        record: *record,
                    };
                    return self.change(*rows, &key, |row| {
                        row.quarantine(*version_hash, reason.clone());
                    });
                }
            }
            Fact::Draft {
                record, kind, at, ..
            } => {
                let (kind, at) = (*kind, *at);
                let old = self.drafts.saved(*record, Draft { kind, at, place });
                return old.map(Effect::Erase).into_iter().collect();
            }
            Fact::DraftGone { record } => {
                let old = self.drafts.gone(record).into_iter();
                return old.map(Effect::Erase).collect();
            }
            Fact::Step {
                record,
                taken,
                note,
            } => {
                let note = note.as_ref().map(|_| place);
                let taken = Taken {
                    note,
                    ..taken.clone()
                };
                let old = self.drafts.step(*record, taken).into_iter();
                return old.map(Effect::Erase).collect();
            }
            Fact::Held { holder, note } => self.receipt(holder, note),
            Fact::Met { rcp, at } => {
                if let Some(peer) = self.peers.get_mut(rcp) {
                    peer.met = *at;
                }
            }
            Fact::Suspended { log, rcp, until } => {
                if let Some(log) = self.logs.get_mut(log) {
                    log.suspended.insert(*rcp, *until);
                }
            }
            Fact::Start { number } => {
                self.starts.insert(*number);
                self.start = *number;
            }
            Fact::Invitation { token, expires } => {
                self.invitations.insert(*token, *expires);
            }
            Fact::Redeemed { token } => {
                self.invitations.remove(token);
            }
            Fact::Accepted { rcp, token } => {
                self.accepted.insert(*rcp, *token);
            }
            Fact::SigningStopped { reason } => {
                self.another_copy |= reason == ANOTHER_COPY_RAN;
                self.signing_stopped.get_or_insert_with(|| reason.clone());
            }
            Fact::OtherCopyGone { .. } => {
                self.another_copy = false;
                self.awaited = self.peers.keys().copied().collect();
            }
            Fact::StartKnown { rcp, number } => {
                self.awaited.remove(rcp);
                self.starts.insert(*number);
            }
            Fact::SigningResumed { .. } => self.signing_stopped = None,
            Fact::Restored { .. } => {
                let received = self.logs.values_mut().filter(|log| log.owner != self.me);
                received.for_each(|log| log.uncompared = true);
                self.signing_stopped
                    .get_or_insert_with(|| RESTORED.to_owned());
            }
            Fact::Shown { log, incarnation } => {
                if let Some(log) = self.logs.get_mut(log) {
                    log.shown = log.shown.max(*incarnation);
                }
            }
            Fact::Compared { log } => {
                if let Some(log) = self.logs.get_mut(log) {
                    log.uncompared = false;
                }
            }
            Fact::Evidence { rcp, evidence } => return self.contradicted(rows, rcp, evidence),
            Fact::BranchLines { log, lines } => return self.branch_lines(rows, log, lines),
            Fact::RestartAccepted { log } => {
                if let Some(log) = self.logs.get_mut(log).filter(|log| log.is_frozen()) {
                    log.stop = Some(Stop::Frozen { accepted: true });
                }
            }
            Fact::Rewound { log } => return self.rewind(rows, log),
            Fact::VoidLines { log, lines } => return self.void_lines(rows, log, lines),
        }
        Vec::new()
    }

    /// Whatever came from an RCP goes.
    fn forget(&mut self, rows: Option<&mut dyn RowsMut>, rcp: &RcpId) -> Vec<Effect> {
        self.peers.remove(rcp);
        self.accepted.remove(rcp);
        self.brakes.remove(rcp);
        self.held.retain(|(_, holder), _| holder != rcp);
        self.forget_passing(rcp);
        self.evidence.retain(|kept| kept.rcp != *rcp);
        self.contested.retain(|key| key.rcp != *rcp);
        let known = self.known.remove(rcp);
        let mut places: Vec<Place> = known
            .and_then(|known| known.card_place)
            .into_iter()
            .collect();
        let notes = self.notes.extract_if(.., |(of, _), _| of == rcp);
        places.extend(notes.map(|(_, place)| place));
        let logs: Vec<Log> = self
            .logs
            .extract_if(.., |_, log| log.owner == *rcp)
            .map(|(_, log)| log)
            .collect();
        places.extend(
            logs.iter()
                .filter_map(|log| Some(log.readers.as_ref()?.place)),
        );
        if let Some(rows) = rows {
            for key in rows.keys(rcp) {
                let versions = rows.row(&key).unwrap_or_default().versions.into_iter();
                places.extend(versions.filter(|held| !held.erased).map(|held| held.place));
                rows.remove(&key);
            }
            logs.iter().for_each(|log| rows.forget_lines(&log.id));
        }
        places.into_iter().map(Effect::Erase).collect()
    }

    fn key_event(&mut self, rcp: &RcpId, event: &SignedKeyEvent) {
        match self.known.get_mut(rcp) {
            None => {
                if let Ok(charter) = Charter::verify(vec![event.clone()]) {
                    self.known.insert(
                        *rcp,
                        Known {
                            charter,
                            card: None,
                            card_place: None,
                        },
                    );
                }
            }
            Some(known) => {
                if known.charter.push(event.clone()).is_ok() {
                    known.card = None;
                }
            }
        }
    }

    fn card(&mut self, rcp: &RcpId, card: &SignedCard, place: Place) -> Vec<Effect> {
        let Some(known) = self.known.get_mut(rcp) else {
            return vec![Effect::Erase(place)];
        };
        if let Ok(card) = card.clone().verify(&known.charter)
            && known
                .card
                .as_ref()
                .is_none_or(|old| card.is_newer_than(old))
        {
            known.card = Some(card);
        }
        let old = known.card_place.replace(place);
        old.map(Effect::Erase).into_iter().collect()
    }

    fn peer(&mut self, rcp: &RcpId, state: PeerState, at: UnixMillis) {
        let old = self.peers.get(rcp);
        let peer = Peer {
            state,
            since: at,
            start: old.map_or(SignedStart::NONE, |peer| peer.start),
            met: old.map_or(UnixMillis(0), |peer| peer.met),
            name: old.map(|peer| peer.name.clone()).unwrap_or_default(),
            revision: self.revision,
        };
        self.peers.insert(*rcp, peer);
        if matches!(state, PeerState::Active | PeerState::Left) {
            let logs = self.logs.values_mut();
            logs.for_each(|log| {
                log.suspended.remove(rcp);
            });
        }
    }

    fn head(&mut self, log: &LogId, note: &str) {
        let Some(log) = self.logs.get_mut(log) else {
            return;
        };
        let Some(known) = self.known.get(&log.owner) else {
            return;
        };
        let verified =
            SignedCheckpoint::parse(note.as_bytes()).and_then(|note| note.verify(&known.charter));
        if let Ok(verified) = verified {
            log.head = Some(Head {
                checkpoint: *verified.checkpoint(),
                key_seq: verified.key_seq(),
                note: verified.note().to_owned(),
            });
            log.settle_head();
        }
    }

    fn list(&mut self, id: &LogId, hash: &Hash, blob: &[u8], place: Place) -> Vec<Effect> {
        let Some(list) = unblob(blob).and_then(|(_, list)| ReaderList::decode(list).ok()) else {
            return Vec::new();
        };
        let is_free = self.circle(&list.circle).is_none();
        let Some(log) = self.logs.get_mut(id) else {
            return Vec::new();
        };
        if log.owner != self.me || log.is_recovered() && fits_circle(&list.circle) && is_free {
            log.name.clone_from(&list.circle);
        }
        let old = log.readers.replace(Readers {
            list,
            hash: *hash,
            place,
        });
        old.map(|old| Effect::Erase(old.place))
            .into_iter()
            .collect()
    }

    /// All places in it, for the store to replace those of what it moved.
    pub fn places_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        let cards = self.known.values_mut();
        let cards = cards.filter_map(|known| known.card_place.as_mut());
        let lists = self.logs.values_mut();
        let lists = lists.filter_map(|log| Some(&mut log.readers.as_mut()?.place));
        let drafts = self.drafts.places_mut();
        let notes = self.notes.values_mut();
        cards.chain(lists).chain(drafts).chain(notes)
    }

    /// The records of which a body is still to be fetched, or a version is contradicted: those for
    /// which [`Model::note_missing`] has something to note.
    pub fn wanting(&self) -> BTreeSet<RecordKey> {
        let missing = self.logs.values().flat_map(|log| {
            let key = |named: &Named| RecordKey {
                rcp: log.owner,
                record: named.record,
            };
            log.missing.values().map(key)
        });
        missing.chain(self.contested.iter().copied()).collect()
    }

    /// Notes which bodies of a row are still to be fetched.
    pub fn note_missing(&mut self, key: RecordKey, row: &RecordRow) {
        let record = key.record;
        if row.conflicts.is_empty() {
            self.contested.remove(&key);
        } else {
            self.contested.insert(key);
        }
        for stand in row.stands.iter().filter(|stand| row.wants(stand)) {
            if let Some(log) = self.logs.get_mut(&stand.log) {
                let version_hash = stand.version_hash;
                let named = Named {
                    record,
                    version_hash,
                };
                log.missing.insert(stand.index, named);
            }
        }
    }
}

/// Hash under which an invitation's token is kept.
pub fn token_hash(token: &Token) -> Hash {
    corridor_proto::domain::hash(
        corridor_proto::domain::Domain::InvitationToken,
        &[token.as_bytes()],
    )
}

#[cfg(test)]
mod tests;
