//! What the RCP itself does, decided: drafts, publishing, circles, pairing.
//!
//! Each wish becomes facts or a refusal that says what to do. Lines and the new head of a log are
//! made in the same group: so the head that leaves the house is durable before it leaves.
//! **Invariant:** a record goes into a circle only by a wish that names the circle, or as a revision
//! into the circles where it stands.

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::card::SignedCard;
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::id::next_ordinal;
use corridor_proto::key::SecretKey;
use corridor_proto::limits::{CIRCLE_NAME_BYTES_MAX, NOTE_BYTES_MAX, READERS_MAX};
use corridor_proto::line::{
    Act, Line, ReaderList, WHOLE_RECORD, Withdrawal, WithdrawalReason, note_hash, readers_hash,
};
use corridor_proto::record::NewRecord;
use corridor_proto::tree::leaf_hash;
use corridor_proto::wire::Identity;
use corridor_proto::{
    Hash, LogId, LogSeed, RcpId, RecordId, Refusal, Salt, StartNumber, Token, UnixMillis,
};

use crate::fact::{Fact, blob};
use crate::limits::{INVITATION_MS, INVITATIONS_MAX, STARTS_MAX};
use crate::log::{Log, Sort};
use crate::model::{Model, Rows, token_hash};
use crate::peer::PeerState;
use crate::row::{RecordKey, RecordRow};
use crate::visibility::{Reader, may_read};

/// Where a link points.
pub type Link = RecordKey;

/// What the RCP wishes to do.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Save a draft: of a new record, or of a new version of one of ours.
    SaveDraft {
        /// Which record; `None` makes a new one.
        record: Option<RecordId>,
        /// Kind of record.
        kind: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// Discard a draft.
    DiscardDraft {
        /// Which.
        record: RecordId,
    },
    /// Sign a draft and let it stand in circles.
    Publish {
        /// Which.
        record: RecordId,
        /// Kind of the draft, as it was read.
        kind: u16,
        /// The draft's body, as it was read.
        body: Vec<u8>,
        /// The records that the body names.
        links: Vec<Link>,
        /// Into which circles; `None` for wherever the record stands.
        circles: Option<Vec<LogId>>,
    },
    /// Let the newest version stand in more circles.
    Share {
        /// Which.
        record: RecordId,
        /// The records that its body names.
        links: Vec<Link>,
        /// In which circles.
        circles: Vec<LogId>,
    },
    /// Let a record leave circles.
    Narrow {
        /// Which.
        record: RecordId,
        /// Which circles.
        circles: Vec<LogId>,
    },
    /// Withdraw a record everywhere.
    Withdraw {
        /// Which.
        record: RecordId,
        /// Up to which version; `None` for the whole record.
        up_to: Option<u64>,
        /// Why.
        reason: WithdrawalReason,
        /// Encoded note to readers.
        note: Option<Vec<u8>>,
        /// The record that replaces it.
        replacement: Option<RecordId>,
    },
    /// Open a circle.
    OpenCircle {
        /// Its name.
        name: String,
        /// Whether readers know each other.
        open: bool,
        /// Whether readers may pass it on.
        relay: bool,
    },
    /// Say who reads a circle from now on.
    SetReaders {
        /// Which circle.
        log: LogId,
        /// All readers, each with the end of its right, zero for none.
        readers: BTreeMap<RcpId, UnixMillis>,
    },
    /// Make an invitation.
    Invite {
        /// Its secret.
        token: Token,
    },
    /// Accept the invitation of another RCP.
    Accept {
        /// Who invites.
        identity: Box<Identity>,
        /// The token, to be shown to its node.
        token: Token,
    },
    /// Take in an acceptance: a known invitation's token came back.
    Redeem {
        /// Who accepts.
        identity: Box<Identity>,
        /// The token.
        token: Token,
    },
    /// An invited peer's node answered.
    Answered {
        /// Which.
        rcp: RcpId,
    },
    /// A person confirmed the peer's safety number or RcpId.
    Confirm {
        /// Which.
        rcp: RcpId,
    },
    /// The safety numbers differ, or the peer is not who it should be.
    Refuse {
        /// Which.
        rcp: RcpId,
    },
    /// Send a peer withdrawals only, for now.
    Pause {
        /// Which.
        rcp: RcpId,
    },
    /// End a pause.
    Resume {
        /// Which.
        rcp: RcpId,
    },
    /// End the relation with a peer.
    Leave {
        /// Which.
        rcp: RcpId,
    },
    /// A new card of ours.
    RenewCard {
        /// The card.
        card: SignedCard,
    },
    /// Our signing key was replaced.
    Rotate {
        /// The key event.
        event: SignedKeyEvent,
        /// The card under the new key.
        card: SignedCard,
    },
    /// The node starts.
    Start {
        /// Its random number.
        number: StartNumber,
    },
}

/// Why a wish was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeskRefusal {
    /// No such record, draft, circle or peer of ours.
    #[error("there is no {what} {id} here; list them to see their identifiers")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its identifier.
        id: String,
    },
    /// The record was withdrawn whole.
    #[error("record {0} was withdrawn for good; publish a new record that replaces it")]
    Withdrawn(RecordId),
    /// No circle was named and the record stands in none.
    #[error("record {0} stands in no circle; name the circles that are to receive it")]
    NoCircle(RecordId),
    /// A body names a record that the circle's readers could not find.
    #[error(
        "the record names {}/{}, which the readers of circle {circle:?} cannot see; share that \
         record with the circle first, or take the link out", link.rcp, link.record
    )]
    Link {
        /// What it names.
        link: Link,
        /// The circle.
        circle: String,
    },
    /// The circle takes withdrawals only.
    #[error("{0} gets withdrawals only; resume the partner first")]
    OnlyWithdrawals(RcpId),
    /// The record already stands there in this version, or does not stand there.
    #[error("nothing changes: {0}")]
    Nothing(&'static str),
    /// A name that cannot be a circle's.
    #[error("circle names have 1 to 64 lower-case letters, digits and hyphens; {0:?} does not fit")]
    Name(String),
    /// The circle exists.
    #[error("there is a circle {0:?} already; choose another name")]
    Exists(String),
    /// The circle has no reader list.
    #[error("circle {0:?} has no reader list; only named circles do")]
    NoList(String),
    /// A reader is not an active peer.
    #[error("{0} is not an active partner; pair and confirm it first")]
    NotActive(RcpId),
    /// Too many of something.
    #[error("there are too many {0}; remove some first")]
    TooMany(&'static str),
    /// The peer's state does not allow it.
    #[error("partner {rcp} is {state}; {remedy}")]
    State {
        /// Which peer.
        rcp: RcpId,
        /// Its state.
        state: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The invitation is unknown, used or over.
    #[error("the invitation is unknown, already used or older than seven days; ask for a new one")]
    Invitation,
    /// It is our own.
    #[error("this is our own {0}; nothing to do")]
    Ourselves(&'static str),
    /// Nothing is signed any more.
    #[error("this node signs nothing more ({0}); run corridor-node doctor and act on what it says")]
    SigningStopped(String),
    /// What was composed breaks a rule of the protocol.
    #[error(transparent)]
    Protocol(#[from] Refusal),
}

/// What a decision may use.
pub struct Desk<'a> {
    /// The state.
    pub model: &'a Model,
    /// The rows.
    pub rows: &'a dyn Rows,
    /// The time.
    pub now: UnixMillis,
    /// Fills bytes with randomness.
    pub random: &'a mut dyn FnMut(&mut [u8]),
    /// Our signing key.
    pub key: &'a SecretKey,
}

type Decision = Result<Vec<Fact>, DeskRefusal>;

/// The facts by which a new node begins: charter, card, and its three standing circles.
///
/// # Errors
/// What is wrong with charter or card.
pub fn begin(
    charter: &Charter,
    card: &SignedCard,
    now: UnixMillis,
    random: &mut dyn FnMut(&mut [u8]),
    key: &SecretKey,
) -> Decision {
    let me = charter.rcp();
    let mut model = Model::new(me);
    let mut facts: Vec<Fact> = charter
        .events()
        .iter()
        .map(|event| Fact::KeyEvent {
            rcp: me,
            event: event.clone(),
        })
        .collect();
    facts.push(Fact::Card {
        rcp: me,
        card: card.clone(),
    });
    facts.push(circle(me, LogSeed::ZERO, Sort::Public, "public"));
    for fact in &facts {
        model.apply(None, fact, crate::fact::Place::default());
    }
    let none = NoRows;
    for name in ["federation", "observers"] {
        let mut desk = Desk {
            model: &model,
            rows: &none,
            now,
            random,
            key,
        };
        facts.extend(desk.open_circle(name, true, true)?);
    }
    Ok(facts)
}

struct NoRows;

impl Rows for NoRows {
    fn row(&self, _: &RecordKey) -> Option<RecordRow> {
        None
    }
}

fn circle(owner: RcpId, seed: LogSeed, sort: Sort, name: &str) -> Fact {
    Fact::Circle {
        owner,
        seed,
        sort,
        name: name.to_owned(),
    }
}

impl Desk<'_> {
    /// Decides a wish.
    ///
    /// # Errors
    /// A [`DeskRefusal`]; nothing has changed then.
    pub fn decide(&mut self, wish: Wish) -> Decision {
        let harmless = matches!(wish, Wish::Start { .. } | Wish::SaveDraft { .. });
        if let (Some(reason), false) = (&self.model.signing_stopped, harmless) {
            return Err(DeskRefusal::SigningStopped(reason.clone()));
        }
        match wish {
            Wish::SaveDraft { record, kind, body } => self.save_draft(record, kind, &body),
            Wish::DiscardDraft { record } => self.discard_draft(record),
            Wish::Publish {
                record,
                kind,
                body,
                links,
                circles,
            } => self.publish(record, kind, body, &links, circles),
            Wish::Share {
                record,
                links,
                circles,
            } => self.share(record, &links, &circles),
            Wish::Narrow { record, circles } => self.narrow(record, &circles),
            Wish::Withdraw {
                record,
                up_to,
                reason,
                note,
                replacement,
            } => {
                let up_to = up_to.unwrap_or(WHOLE_RECORD);
                self.withdraw(record, up_to, reason, note, replacement)
            }
            Wish::OpenCircle { name, open, relay } => self.open_circle(&name, open, relay),
            Wish::SetReaders { log, readers } => self.set_readers(log, readers),
            Wish::Invite { token } => self.invite(&token),
            Wish::Accept { identity, token } => self.accept(&identity, token),
            Wish::Redeem { identity, token } => self.redeem(&identity, &token),
            Wish::Answered { rcp } => self.answered(rcp),
            Wish::Confirm { rcp } => self.step(rcp, PeerState::Pending, PeerState::Active),
            Wish::Refuse { rcp } => self.refuse(rcp),
            Wish::Pause { rcp } => self.step(rcp, PeerState::Active, PeerState::Paused),
            Wish::Resume { rcp } => self.step(rcp, PeerState::Paused, PeerState::Active),
            Wish::Leave { rcp } => self.leave(rcp),
            Wish::RenewCard { card } => Ok(vec![Fact::Card {
                rcp: self.model.me,
                card,
            }]),
            Wish::Rotate { event, card } => self.rotate(event, card),
            Wish::Start { number } => {
                if self.model.starts.len() >= STARTS_MAX {
                    return Err(DeskRefusal::TooMany("starts of this node"));
                }
                Ok(vec![Fact::Start { number }])
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.random)(&mut bytes);
        bytes
    }

    fn line(&mut self, act: Act) -> Vec<u8> {
        Line {
            time: self.now,
            random: self.bytes(),
            act,
        }
        .encode()
    }

    fn row(&self, record: RecordId) -> Option<RecordRow> {
        self.rows.row(&RecordKey {
            rcp: self.model.me,
            record,
        })
    }

    fn own_log(&self, id: &LogId) -> Result<&Log, DeskRefusal> {
        self.model
            .logs
            .get(id)
            .filter(|log| log.owner == self.model.me)
            .ok_or_else(|| DeskRefusal::Unknown {
                what: "circle",
                id: id.to_string(),
            })
    }

    /// Lines appended to a log of ours, and its new head.
    fn append(&self, log: &Log, lines: Vec<Vec<u8>>) -> Result<[Fact; 2], DeskRefusal> {
        let mut frontier = log.tree.frontier_at(log.size()).unwrap_or_default();
        for line in &lines {
            frontier.push(leaf_hash(line))?;
        }
        let head = Checkpoint {
            log: log.id,
            incarnation: log.incarnation,
            size: frontier.size(),
            root: frontier.root(),
        };
        let note = head.sign(self.key).note().to_owned();
        let appended = Fact::Lines {
            log: log.id,
            from: log.size(),
            lines,
        };
        Ok([appended, Fact::Head { log: log.id, note }])
    }

    fn save_draft(&mut self, record: Option<RecordId>, kind: u16, body: &[u8]) -> Decision {
        if let Some(record) = record {
            let row = self.row(record);
            if row.is_none() && !self.model.drafts.contains_key(&record) {
                return Err(unknown_record(record));
            }
            refuse_withdrawn(record, row.as_ref())?;
        }
        let record = record.unwrap_or_else(|| RecordId::new(self.bytes()));
        let blob = blob(&Salt::new(self.bytes()), body);
        Ok(vec![Fact::Draft {
            record,
            kind,
            at: self.now,
            blob,
        }])
    }

    fn discard_draft(&self, record: RecordId) -> Decision {
        if !self.model.drafts.contains_key(&record) {
            return Err(DeskRefusal::Unknown {
                what: "draft",
                id: record.to_string(),
            });
        }
        Ok(vec![Fact::DraftGone { record }])
    }

    fn publish(
        &mut self,
        record: RecordId,
        kind: u16,
        body: Vec<u8>,
        links: &[Link],
        circles: Option<Vec<LogId>>,
    ) -> Decision {
        let row = self.row(record).unwrap_or_default();
        refuse_withdrawn(record, Some(&row))?;
        let circles = circles.unwrap_or_else(|| {
            row.stands
                .iter()
                .filter(|stand| row.lives(stand))
                .map(|stand| stand.log)
                .collect()
        });
        let circles: BTreeSet<LogId> = circles.into_iter().collect();
        if circles.is_empty() {
            return Err(DeskRefusal::NoCircle(record));
        }
        for circle in &circles {
            self.check_circle(circle, links)?;
        }
        let last = row.last_version().max(row.burnt());
        let version = next_ordinal(last, self.now).ok_or(DeskRefusal::TooMany("versions"))?;
        let new = NewRecord {
            record,
            version,
            kind,
            time: self.now,
            salt: Salt::new(self.bytes()),
            body,
        };
        let me = self.model.me;
        let charter = self
            .model
            .charter(&me)
            .ok_or_else(|| unknown_record(record))?;
        let verified = new.sign(charter, self.key)?;
        let version_hash = verified.version_hash();
        let signed = verified.into_signed();
        let mut facts = vec![Fact::Record {
            blob: blob(&signed.salt, &signed.body),
            header: signed.header,
        }];
        for circle in circles {
            let line = self.line(Act::Publish {
                version_hash,
                record,
                version,
            });
            facts.extend(self.append(self.own_log(&circle)?, vec![line])?);
        }
        if self.model.drafts.contains_key(&record) {
            facts.push(Fact::DraftGone { record });
        }
        Ok(facts)
    }

    fn share(&mut self, record: RecordId, links: &[Link], circles: &[LogId]) -> Decision {
        let row = self.row(record).ok_or_else(|| unknown_record(record))?;
        refuse_withdrawn(record, Some(&row))?;
        let burnt = row.burnt();
        let newest = row
            .versions
            .iter()
            .filter(|held| !held.erased && held.version > burnt)
            .max_by_key(|held| held.version)
            .ok_or_else(|| unknown_record(record))?;
        let (version, version_hash) = (newest.version, newest.version_hash);
        let mut facts = Vec::new();
        for circle in circles.iter().collect::<BTreeSet<_>>() {
            self.check_circle(circle, links)?;
            if row
                .living(circle)
                .is_some_and(|stand| stand.version == version)
            {
                continue;
            }
            let line = self.line(Act::Publish {
                version_hash,
                record,
                version,
            });
            facts.extend(self.append(self.own_log(circle)?, vec![line])?);
        }
        if facts.is_empty() {
            return Err(DeskRefusal::Nothing(
                "the record already stands in these circles",
            ));
        }
        Ok(facts)
    }

    /// Whether a record with these links may be published into a circle.
    fn check_circle(&self, id: &LogId, links: &[Link]) -> Result<(), DeskRefusal> {
        let log = self.own_log(id)?;
        if let Sort::Private(peer) = log.sort {
            if self.model.peer_state(&peer) != Some(PeerState::Active) {
                return Err(DeskRefusal::OnlyWithdrawals(peer));
            }
        }
        for link in links {
            if !link_fits(self.model, self.rows, log, link) {
                return Err(DeskRefusal::Link {
                    link: *link,
                    circle: log.name.clone(),
                });
            }
        }
        Ok(())
    }

    fn narrow(&mut self, record: RecordId, circles: &[LogId]) -> Decision {
        let row = self.row(record).ok_or_else(|| unknown_record(record))?;
        let mut facts = Vec::new();
        for circle in circles.iter().collect::<BTreeSet<_>>() {
            if row.living(circle).is_none() {
                continue;
            }
            let line = self.line(Act::Leave { record });
            facts.extend(self.append(self.own_log(circle)?, vec![line])?);
        }
        if facts.is_empty() {
            return Err(DeskRefusal::Nothing(
                "the record stands in none of these circles",
            ));
        }
        Ok(facts)
    }

    fn withdraw(
        &mut self,
        record: RecordId,
        up_to: u64,
        reason: WithdrawalReason,
        note: Option<Vec<u8>>,
        replacement: Option<RecordId>,
    ) -> Decision {
        let row = self.row(record).ok_or_else(|| unknown_record(record))?;
        if up_to <= row.burnt() {
            return Err(DeskRefusal::Nothing("these versions were withdrawn before"));
        }
        let mut facts = Vec::new();
        let note = match note {
            Some(note) if note.len() > NOTE_BYTES_MAX => {
                return Err(Refusal::new("note", corridor_proto::Reason::TooLong).into());
            }
            Some(note) => {
                let salt = Salt::new(self.bytes());
                let hash = note_hash(&salt, &note);
                facts.push(Fact::Note {
                    hash,
                    blob: blob(&salt, &note),
                });
                hash
            }
            None => Hash::ZERO,
        };
        for id in withdrawal_logs(self.model, &row, self.now) {
            let log = self.own_log(&id)?;
            let replacement = replacement
                .filter(|record| {
                    let link = Link {
                        rcp: self.model.me,
                        record: *record,
                    };
                    link_fits(self.model, self.rows, log, &link)
                })
                .unwrap_or(RecordId::ZERO);
            let line = self.line(Act::Withdraw(Withdrawal {
                record,
                up_to,
                reason,
                note,
                replacement,
            }));
            facts.extend(self.append(self.own_log(&id)?, vec![line])?);
        }
        if up_to == WHOLE_RECORD && self.model.drafts.contains_key(&record) {
            facts.push(Fact::DraftGone { record });
        }
        Ok(facts)
    }

    fn open_circle(&mut self, name: &str, open: bool, relay: bool) -> Decision {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 64.min(CIRCLE_NAME_BYTES_MAX) || !name.bytes().all(fits)
        {
            return Err(DeskRefusal::Name(name.to_owned()));
        }
        if self.model.circle(name).is_some() {
            return Err(DeskRefusal::Exists(name.to_owned()));
        }
        let seed = LogSeed::new(self.bytes());
        let sort = if open { Sort::Open } else { Sort::Closed };
        let log = Log::new(self.model.me, seed, sort, name.to_owned());
        let list = ReaderList {
            relay: open && relay,
            circle: name.to_owned(),
            ..ReaderList::default()
        };
        let mut facts = vec![circle(self.model.me, seed, sort, name)];
        facts.extend(self.list(&log, &list)?);
        Ok(facts)
    }

    /// A new reader list of a log, and for an open one the line that names it.
    fn list(&mut self, log: &Log, list: &ReaderList) -> Decision {
        let bytes = list.encode()?;
        let salt = Salt::new(self.bytes());
        let hash = readers_hash(&salt, &bytes);
        let mut facts = vec![Fact::List {
            log: log.id,
            hash,
            blob: blob(&salt, &bytes),
        }];
        if log.sort == Sort::Open {
            let line = self.line(Act::Readers { list: hash });
            facts.extend(self.append(log, vec![line])?);
        }
        Ok(facts)
    }

    fn set_readers(&mut self, id: LogId, readers: BTreeMap<RcpId, UnixMillis>) -> Decision {
        let log = self.own_log(&id)?.clone();
        let Some(old) = log
            .readers
            .as_ref()
            .filter(|_| matches!(log.sort, Sort::Open | Sort::Closed))
        else {
            return Err(DeskRefusal::NoList(log.name));
        };
        if readers.len() > READERS_MAX {
            return Err(DeskRefusal::TooMany("readers"));
        }
        let before: BTreeMap<_, _> = old.list.readers.iter().copied().collect();
        if before == readers {
            return Err(DeskRefusal::Nothing("these are the readers already"));
        }
        for rcp in readers.keys().filter(|rcp| !before.contains_key(rcp)) {
            if self.model.peer_state(rcp) != Some(PeerState::Active) {
                return Err(DeskRefusal::NotActive(*rcp));
            }
        }
        let mut facts: Vec<Fact> = before
            .keys()
            .filter(|rcp| !readers.contains_key(rcp))
            .map(|rcp| Fact::Former {
                log: id,
                rcp: *rcp,
                size: log.size(),
            })
            .collect();
        let list = ReaderList {
            readers: readers.into_iter().collect(),
            ..old.list.clone()
        };
        facts.extend(self.list(&log, &list)?);
        Ok(facts)
    }

    fn invite(&self, token: &Token) -> Decision {
        let open = self
            .model
            .invitations
            .values()
            .filter(|expires| self.now < **expires)
            .count();
        if open >= INVITATIONS_MAX {
            return Err(DeskRefusal::TooMany("open invitations"));
        }
        let expires = self.now.plus(INVITATION_MS);
        Ok(vec![Fact::Invitation {
            token: token_hash(token),
            expires,
        }])
    }

    fn accept(&self, identity: &Identity, token: Token) -> Decision {
        let rcp = identity.charter.rcp();
        if rcp == self.model.me {
            return Err(DeskRefusal::Ourselves("invitation"));
        }
        let state = self.model.peer_state(&rcp);
        if let Some(state) = state.filter(|s| !matches!(s, PeerState::Left | PeerState::Invited)) {
            let remedy = "nothing more to accept";
            return Err(DeskRefusal::State {
                rcp,
                state: state.word(),
                remedy,
            });
        }
        let mut facts = crate::ingest::identity(self.model, identity)?;
        facts.push(Fact::Peer {
            rcp,
            state: PeerState::Invited,
            at: self.now,
        });
        facts.push(Fact::Accepted { rcp, token });
        Ok(facts)
    }

    fn redeem(&mut self, identity: &Identity, token: &Token) -> Decision {
        let rcp = identity.charter.rcp();
        if rcp == self.model.me {
            return Err(DeskRefusal::Ourselves("invitation"));
        }
        let hash = self
            .model
            .invitation(token, self.now)
            .ok_or(DeskRefusal::Invitation)?;
        let mut facts = crate::ingest::identity(self.model, identity)?;
        facts.push(Fact::Redeemed { token: hash });
        if !matches!(
            self.model.peer_state(&rcp),
            Some(PeerState::Pending | PeerState::Active | PeerState::Paused)
        ) {
            facts.extend(self.become_pending(rcp));
        }
        Ok(facts)
    }

    fn answered(&mut self, rcp: RcpId) -> Decision {
        self.expect_state(rcp, PeerState::Invited, "nothing more to answer")?;
        Ok(self.become_pending(rcp))
    }

    /// Both accepted: the peer is pending, and has its private circle from now on.
    fn become_pending(&mut self, rcp: RcpId) -> Vec<Fact> {
        let mut facts = Vec::new();
        if self.model.private_log(&rcp).is_none() {
            let seed = LogSeed::new(self.bytes());
            facts.push(circle(self.model.me, seed, Sort::Private(rcp), ""));
        }
        facts.push(Fact::Peer {
            rcp,
            state: PeerState::Pending,
            at: self.now,
        });
        facts
    }

    fn expect_state(
        &self,
        rcp: RcpId,
        expect: PeerState,
        remedy: &'static str,
    ) -> Result<(), DeskRefusal> {
        match self.model.peer_state(&rcp) {
            Some(state) if state == expect => Ok(()),
            Some(state) => Err(DeskRefusal::State {
                rcp,
                state: state.word(),
                remedy,
            }),
            None => Err(DeskRefusal::Unknown {
                what: "partner",
                id: rcp.to_string(),
            }),
        }
    }

    fn step(&self, rcp: RcpId, from: PeerState, to: PeerState) -> Decision {
        let remedy = match to {
            PeerState::Active if from == PeerState::Pending => {
                "only a pending one can be confirmed"
            }
            PeerState::Active => "only a paused one can be resumed",
            _ => "only an active one can be paused",
        };
        self.expect_state(rcp, from, remedy)?;
        let mut facts = if to == PeerState::Paused {
            self.formers(rcp)
        } else {
            Vec::new()
        };
        facts.push(Fact::Peer {
            rcp,
            state: to,
            at: self.now,
        });
        Ok(facts)
    }

    /// Only before it was confirmed: later, leaving is the way.
    fn refuse(&self, rcp: RcpId) -> Decision {
        match self.model.peer_state(&rcp) {
            Some(PeerState::Invited | PeerState::Pending) => Ok(vec![Fact::Forget { rcp }]),
            Some(state) => {
                let remedy = "it was confirmed; leave it instead";
                Err(DeskRefusal::State {
                    rcp,
                    state: state.word(),
                    remedy,
                })
            }
            None => Err(DeskRefusal::Unknown {
                what: "partner",
                id: rcp.to_string(),
            }),
        }
    }

    fn leave(&self, rcp: RcpId) -> Decision {
        match self.model.peer_state(&rcp) {
            None => Err(DeskRefusal::Unknown {
                what: "partner",
                id: rcp.to_string(),
            }),
            Some(PeerState::Left) => Err(DeskRefusal::Nothing("the partner was left before")),
            Some(_) => {
                let mut facts = self.formers(rcp);
                facts.push(Fact::Peer {
                    rcp,
                    state: PeerState::Left,
                    at: self.now,
                });
                Ok(facts)
            }
        }
    }

    /// The logs that a peer can read now and is about to lose.
    fn formers(&self, rcp: RcpId) -> Vec<Fact> {
        let reader = Reader::Peer(rcp);
        self.model
            .own_logs()
            .filter(|log| !matches!(log.sort, Sort::Private(_)) && log.size() > 0)
            .filter(|log| may_read(self.model, log, &reader, self.now).is_ok())
            .map(|log| Fact::Former {
                log: log.id,
                rcp,
                size: log.size(),
            })
            .collect()
    }

    /// On rotation the present size of each log is signed again by the new key.
    fn rotate(&self, event: SignedKeyEvent, card: SignedCard) -> Decision {
        let rcp = self.model.me;
        let mut facts = vec![Fact::KeyEvent { rcp, event }, Fact::Card { rcp, card }];
        for log in self.model.own_logs().filter(|log| log.size() > 0) {
            let [_, head] = self.append(log, Vec::new())?;
            facts.push(head);
        }
        Ok(facts)
    }
}

fn unknown_record(record: RecordId) -> DeskRefusal {
    DeskRefusal::Unknown {
        what: "record",
        id: record.to_string(),
    }
}

fn refuse_withdrawn(record: RecordId, row: Option<&RecordRow>) -> Result<(), DeskRefusal> {
    if row.is_some_and(|row| row.burnt() >= WHOLE_RECORD) {
        return Err(DeskRefusal::Withdrawn(record));
    }
    Ok(())
}

/// Whether the readers of a circle of ours can find the record that a link names.
///
/// Links point from the narrower record to the wider one only (PROTOCOL.md, "Links").
pub fn link_fits(model: &Model, rows: &dyn Rows, circle: &Log, link: &Link) -> bool {
    let Some(row) = rows.row(link) else {
        return false;
    };
    let is_public = |id: &LogId| {
        model
            .logs
            .get(id)
            .is_some_and(|log| log.owner == link.rcp && log.sort == Sort::Public)
    };
    if row
        .stands
        .iter()
        .any(|stand| row.lives(stand) && is_public(&stand.log))
    {
        return true;
    }
    if link.rcp == model.me {
        return row.living(&circle.id).is_some();
    }
    let answers = circle
        .readers
        .as_ref()
        .and_then(|readers| readers.list.answers);
    circle.sort == Sort::Private(link.rcp)
        || answers.is_some_and(|(log, _)| row.living(&log).is_some())
}

/// The logs that must carry a withdrawal: every one in which the record ever stood, and the private
/// circle of each reader that lost one of them after the record stood there.
fn withdrawal_logs(model: &Model, row: &RecordRow, now: UnixMillis) -> BTreeSet<LogId> {
    let mut logs = BTreeSet::new();
    for stand in &row.stands {
        let Some(log) = model
            .logs
            .get(&stand.log)
            .filter(|log| log.owner == model.me)
        else {
            continue;
        };
        logs.insert(log.id);
        let lost = log.former.iter().filter(|(_, size)| stand.first < **size);
        let ended = log
            .readers
            .iter()
            .flat_map(|readers| readers.list.readers.iter().map(|(rcp, _)| rcp));
        for rcp in lost.map(|(rcp, _)| rcp).chain(ended) {
            if may_read(model, log, &Reader::Peer(*rcp), now).is_err() {
                logs.extend(model.private_log(rcp).map(|log| log.id));
            }
        }
    }
    logs
}
