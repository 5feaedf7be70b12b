//! What the RCP does itself, for whoever asks on its behalf: the API, the demonstration, tests.
//!
//! Reads what a wish needs (a draft's text, its links), puts the wish before the store's writer,
//! and answers questions about who may see what. It imports the store, the rules and the protocol.
//! **Invariant:** preview and explanation ask the same function that the exchange asks.

mod drafts;
mod look;
mod needs;

use std::collections::BTreeMap;

use corridor_proto::kinds::FieldViolation;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::wire::Invitation;
use corridor_proto::{LogId, RcpId, RecordId, Token, UnixMillis};
use corridor_rules::desk::{DeskRefusal, Wish};
use corridor_rules::draft::Hand;
use corridor_rules::fact::Fact;
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_rules::{PeerState, Rows};
use corridor_store::{Done, Item, Store, StoreError};
use tokio::sync::{oneshot, watch};

use crate::edge;
pub use drafts::{ReadDraft, Ready, draft, links, said};
pub use look::{
    CircleWhy, Explanation, Preview, Shown, comes_across, explain, keys, preview, rows, show, sight,
};
pub use needs::{About, For, Need, needs};

/// Why the desk did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The wish was refused, or the store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Fields of a body are wrong or missing.
    #[error("the record is not ready: {}", list(.0))]
    Fields(Vec<FieldViolation>),
    /// There is no such thing for the caller.
    #[error("there is no {0} {1} here; list them to see their identifiers")]
    NotFound(&'static str, String),
    /// What was compared is not the peer's.
    #[error("the number is not the one shown for this partner; stop, and call again")]
    NotTheSame,
    /// The system gave no randomness.
    #[error("the system gives no random bytes ({0}); nothing was done")]
    NoRandomness(std::io::Error),
    /// A file that was handed in is no invitation.
    #[error("{0}")]
    Invitation(corridor_proto::Refusal),
}

fn list(violations: &[FieldViolation]) -> String {
    violations
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

impl From<DeskRefusal> for DeskError {
    fn from(refusal: DeskRefusal) -> Self {
        Self::Store(StoreError::Desk(refusal))
    }
}

/// The desk of a node.
#[derive(Clone, Debug)]
pub struct Desk {
    store: Store,
    changed: watch::Receiver<u64>,
    hand: Option<Hand>,
}

impl Desk {
    /// The desk over a store; `changed` follows its revision.
    pub const fn new(store: Store, changed: watch::Receiver<u64>) -> Self {
        Self {
            store,
            changed,
            hand: None,
        }
    }

    /// The same desk, for somebody: who wrote and who cleared a draft is noted.
    #[must_use]
    pub fn by(&self, hand: Hand) -> Self {
        Self {
            hand: Some(hand),
            ..self.clone()
        }
    }

    /// Follows changes of the store.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// The store, for looking.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Puts a wish before the writer.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn wish(&self, wish: Wish) -> Result<Done, DeskError> {
        let (sender, receiver) = oneshot::channel();
        self.store
            .append(Item::Wish(wish), edge::now(), move |outcome| {
                // Nobody waits any more: then nobody is told.
                let _ = sender.send(outcome);
            });
        let ended = |_| StoreError::Stopped("the writer has ended".to_owned());
        Ok(receiver.await.map_err(ended)??)
    }

    /// As [`Desk::wish`]; not for asynchronous threads.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub fn wish_blocking(&self, wish: Wish) -> Result<Done, DeskError> {
        let item = Item::Wish(wish);
        Ok(self.store.append_blocking(item, edge::now())?)
    }

    /// Lets the newest version of a record stand in more circles.
    ///
    /// # Errors
    /// [`DeskError::NotFound`], [`DeskError::Fields`], [`DeskError::Store`].
    pub async fn share(&self, record: RecordId, circles: Vec<LogId>) -> Result<(), DeskError> {
        let missing = || DeskError::NotFound("record", record.to_string());
        let newest = self.store.read(|view| {
            let row = view.row(&RecordKey {
                rcp: view.me,
                record,
            })?;
            let held = row.newest()?;
            Some((held.version, held.kind, view.record(held.place)?.body))
        });
        let (version, kind, body) = newest.ok_or_else(missing)?;
        let links = links(kind, &body).map_err(DeskError::Fields)?;
        self.wish(Wish::Share {
            record,
            version,
            links,
            circles,
        })
        .await
        .map(|_| ())
    }

    /// Withdraws a record.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn withdraw(
        &self,
        record: RecordId,
        up_to: Option<u64>,
        reason: WithdrawalReason,
        note: Option<Vec<u8>>,
        replacement: Option<RecordId>,
    ) -> Result<(), DeskError> {
        let wish = Wish::Withdraw {
            record,
            up_to,
            reason,
            note,
            replacement,
        };
        self.wish(wish).await.map(|_| ())
    }

    /// Adds readers to a circle, or changes the end of their right.
    ///
    /// # Errors
    /// [`DeskError::NotFound`], [`DeskError::Store`].
    pub async fn add_readers(
        &self,
        log: LogId,
        add: &BTreeMap<RcpId, UnixMillis>,
    ) -> Result<(), DeskError> {
        let mut readers = self.readers(log)?;
        readers.extend(add);
        self.wish(Wish::SetReaders { log, readers })
            .await
            .map(|_| ())
    }

    /// Removes readers from a circle.
    ///
    /// # Errors
    /// [`DeskError::NotFound`], [`DeskError::Store`].
    pub async fn remove_readers(&self, log: LogId, remove: &[RcpId]) -> Result<(), DeskError> {
        let paused = self.store.read(|view| {
            let suspended = view.logs.get(&log).map(|log| &log.suspended);
            let is_paused = |rcp: &&RcpId| suspended.is_some_and(|of| of.contains_key(rcp));
            remove.iter().find(is_paused).copied()
        });
        if let Some(rcp) = paused {
            let state = PeerState::Paused.word();
            let remedy = "it is off this circle until you resume it, and back on it then; leave \
                          it, or resume it and remove it at once";
            return Err(DeskRefusal::State { rcp, state, remedy }.into());
        }
        let mut readers = self.readers(log)?;
        readers.retain(|rcp, _| !remove.contains(rcp));
        self.wish(Wish::SetReaders { log, readers })
            .await
            .map(|_| ())
    }

    fn readers(&self, id: LogId) -> Result<BTreeMap<RcpId, UnixMillis>, DeskError> {
        let found = self.store.read(|view| {
            let log = view.logs.get(&id).filter(|log| log.owner == view.me)?;
            Some(
                log.readers
                    .as_ref()
                    .map(|r| r.list.readers.iter().copied().collect()),
            )
        });
        let found = found.ok_or_else(|| DeskError::NotFound("circle", id.to_string()))?;
        Ok(found.unwrap_or_default())
    }

    /// Makes an invitation: the file's content, and when it ends.
    ///
    /// # Errors
    /// [`DeskError::NoRandomness`], [`DeskError::Store`].
    pub async fn invite(&self) -> Result<(Invitation, UnixMillis), DeskError> {
        let token = Token::new(edge::random().map_err(DeskError::NoRandomness)?);
        let identity = self.identity()?;
        let done = self.wish(Wish::Invite { token }).await?;
        let expires = done.facts.iter().find_map(|fact| match fact {
            Fact::Invitation { expires, .. } => Some(*expires),
            _ => None,
        });
        Ok((Invitation { identity, token }, expires.unwrap_or_default()))
    }

    /// Accepts another RCP's invitation, or takes in the acceptance of ours. Gives the RCP, and for
    /// an invitation an acceptance to hand back.
    ///
    /// # Errors
    /// [`DeskError::Invitation`], [`DeskError::Store`].
    pub async fn accept(&self, file: &[u8]) -> Result<(RcpId, Option<Invitation>), DeskError> {
        let invitation = Invitation::decode(file).map_err(DeskError::Invitation)?;
        let rcp = invitation.identity.charter.rcp();
        let token = invitation.token;
        let ours = self
            .store
            .read(|view| view.invitation(&token, edge::now()).is_some());
        let identity = Box::new(invitation.identity);
        if ours {
            self.wish(Wish::Redeem { identity, token }).await?;
            return Ok((rcp, None));
        }
        self.wish(Wish::Accept { identity, token }).await?;
        Ok((
            rcp,
            Some(Invitation {
                identity: self.identity()?,
                token,
            }),
        ))
    }

    fn identity(&self) -> Result<corridor_proto::wire::Identity, DeskError> {
        let found = self.store.read(|view| {
            let known = view.known.get(&view.me)?;
            Some(corridor_proto::wire::Identity {
                charter: known.charter.clone(),
                card: known.card.clone()?,
            })
        });
        found.ok_or_else(|| DeskError::NotFound("card", "of this node".to_owned()))
    }

    /// Confirms a partner after a person compared its safety number, or its RcpId.
    ///
    /// # Errors
    /// [`DeskError::NotTheSame`], [`DeskError::Store`].
    pub async fn confirm(&self, rcp: RcpId, compared: &str) -> Result<(), DeskError> {
        let compared = compared.trim();
        let same = if compared.parse() == Ok(rcp) {
            true
        } else {
            let digits = |text: &str| {
                text.chars()
                    .filter(char::is_ascii_digit)
                    .collect::<String>()
            };
            let number = self.safety_number(rcp).await;
            !number.is_empty() && digits(compared) == digits(&number)
        };
        if !same {
            return Err(DeskError::NotTheSame);
        }
        self.wish(Wish::Confirm { rcp }).await.map(|_| ())
    }

    /// The safety number shared with a partner.
    pub async fn safety_number(&self, rcp: RcpId) -> String {
        let me = self.store.read(|view| view.me);
        let computed =
            tokio::task::spawn_blocking(move || corridor_proto::safety::safety_number(&me, &rcp));
        computed.await.unwrap_or_default()
    }
}
