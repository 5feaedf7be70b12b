//! What the RCP itself does, decided: drafts, publishing, circles, pairing.
//!
//! Each wish becomes facts or a refusal that says what to do. Lines and the new head of a log are
//! made in the same group: so the head that leaves the house is durable before it leaves.
//! **Invariant:** a record goes into a circle only by a wish that names the circle, or as a
//! revision into the circles where it stands.

mod circle;
mod drafting;
mod drafts;
mod pairing;
mod publish;
mod refusal;
mod restart;
mod wish;

use corridor_proto::card::SignedCard;
use corridor_proto::charter::{Charter, SignedKeyEvent};
use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::key::SecretKey;
use corridor_proto::line::{Act, Line, WHOLE_RECORD};
use corridor_proto::tree::leaf_hash;
use corridor_proto::{LogId, LogSeed, RcpId, Reason, RecordId, Refusal, StartNumber, UnixMillis};

use crate::fact::Fact;
use crate::limits::STARTS_MAX;
use crate::log::{Log, Sort};
use crate::model::{Model, Rows};
use crate::peer::PeerState;
use crate::row::{RecordKey, RecordRow};

pub use drafts::{AsRead, DraftToSave};
pub use publish::{TOO_MANY_AT_ONCE, link_fits};
pub use refusal::DeskRefusal;
pub use wish::{ToPublish, ToSave, ToStep, Wish};

/// Where a link points.
pub type Link = RecordKey;

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
        let harmless = signs_nothing(&wish);
        if let (Some(reason), false) = (&self.model.signing_stopped, harmless) {
            return Err(DeskRefusal::SigningStopped(reason.clone()));
        }
        match wish {
            Wish::SaveDraft(text) => self.save_draft(text),
            Wish::Step(step) => self.step_draft(step),
            Wish::DiscardDraft { record, over } => self.discard_draft(record, over),
            Wish::ChangeDrafts { save, discard } => self.change_drafts(save, &discard),
            Wish::Publish(one) => self.publish(one),
            Wish::PublishAll(all) => self.publish_all(all),
            Wish::Share {
                record,
                version,
                links,
                circles,
            } => self.share(record, version, &links, &circles),
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
            Wish::OtherCopyGone => self.other_copy_gone(),
            Wish::ShowUncompared => self.show_uncompared(),
            Wish::Restart => self.restart(),
            Wish::AcceptRestart { rcp } => self.accept_restart(rcp),
            Wish::RenewCard { card } => Ok(vec![Fact::Card {
                rcp: self.model.me,
                card,
            }]),
            Wish::Rotate { event, card } => self.rotate(event, card),
            Wish::Start { number } => self.start(number),
        }
    }

    fn start(&self, number: StartNumber) -> Decision {
        if self.model.starts.len() >= STARTS_MAX {
            return Err(DeskRefusal::TooMany {
                what: "starts of this node",
                remedy: "find out what starts it again and again, and tell its maintainers",
            });
        }
        Ok(vec![Fact::Start { number }])
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
        self.append_in(log, log.incarnation, lines)
    }

    fn append_in(
        &self,
        log: &Log,
        incarnation: u64,
        lines: Vec<Vec<u8>>,
    ) -> Result<[Fact; 2], DeskRefusal> {
        let mut frontier = log.tree.frontier_at(log.size()).unwrap_or_default();
        for line in &lines {
            frontier.push(leaf_hash(line))?;
        }
        let head = Checkpoint {
            log: log.id,
            incarnation,
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

    /// On rotation the present size of each log is signed again by the new key.
    fn rotate(&self, event: SignedKeyEvent, card: SignedCard) -> Decision {
        let rcp = self.model.me;
        let mut charter = match self.model.charter(&rcp) {
            Some(charter) => charter.clone(),
            None => return Err(Refusal::new("charter", Reason::WrongRcp).into()),
        };
        charter.push(event.clone())?;
        let current = charter.key("charter", charter.current_seq())?;
        if current.to_bytes() != self.key.public_bytes() {
            return Err(Refusal::new("signing key", Reason::RetiredKey).into());
        }
        card.clone().verify(&charter)?;
        let mut facts = vec![Fact::KeyEvent { rcp, event }, Fact::Card { rcp, card }];
        for log in self.model.own_logs().filter(|log| log.size() > 0) {
            let [_, head] = self.append(log, Vec::new())?;
            facts.push(head);
        }
        Ok(facts)
    }
}

/// Whether a wish may be carried out while nothing is signed.
const fn signs_nothing(wish: &Wish) -> bool {
    matches!(
        wish,
        Wish::Start { .. }
            | Wish::SaveDraft(_)
            | Wish::Step(_)
            | Wish::DiscardDraft { .. }
            | Wish::ChangeDrafts { .. }
            | Wish::Pause { .. }
            | Wish::Refuse { .. }
            | Wish::SetReaders { .. }
            | Wish::OtherCopyGone
            | Wish::ShowUncompared
            | Wish::AcceptRestart { .. }
            | Wish::Restart
    )
}

fn unknown_record(record: RecordId) -> DeskRefusal {
    DeskRefusal::Unknown {
        what: "record",
        id: record.to_string(),
    }
}

#[cfg(test)]
mod tests;
