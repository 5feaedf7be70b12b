//! Drafts at the desk: read, saved, cleared and published.

use corridor_proto::domain::{Domain, hash};
use corridor_proto::kinds::{self, FieldViolation, Kind};
use corridor_proto::{LogId, RcpId, RecordId, v1};
use corridor_rules::Place;
use corridor_rules::desk::{
    self as rules, DeskRefusal, Link, TOO_MANY_AT_ONCE, ToPublish, ToSave, ToStep, Wish,
};
use corridor_rules::draft::{Hand, Step, Taken};
use corridor_rules::fact::Fact;
use corridor_rules::limits::{PUBLISH_BYTES_MAX, PUBLISH_MAX};
use corridor_rules::serve::Source;
use corridor_store::{Done, View};
use rayon::prelude::*;

use super::{Desk, DeskError};
use crate::edge;

/// Drafts that are read and checked side by side, of a call that publishes many.
const READY_AT_ONCE: usize = 64;

/// Characters of an etag.
const ETAG_CHARS: usize = 20;

/// A draft as it was read.
#[derive(Clone, Debug)]
pub struct ReadDraft {
    /// Kind of record.
    pub kind: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Where it lies.
    pub place: Place,
}

impl ReadDraft {
    /// The draft of a record.
    pub fn of(view: &View<'_>, record: RecordId) -> Option<Self> {
        let place = view.drafts.get(&record)?.place;
        let (kind, body) = draft(view, record)?;
        Some(Self { kind, body, place })
    }

    /// Names this text; another text has another one.
    pub fn etag(&self) -> String {
        let hash = hash(Domain::Draft, &[&self.kind.to_be_bytes(), &self.body]);
        let mut etag = hash.to_string();
        etag.truncate(ETAG_CHARS);
        etag
    }

    fn cleared(&self, clearance: v1::Clearance) -> Result<Vec<u8>, Vec<FieldViolation>> {
        let kind = Kind::from_code(self.kind).ok_or_else(|| unknown_kind(self.kind))?;
        kinds::with_clearance(kind, &self.body, clearance)
    }
}

/// A draft that may be published, as it was read.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The draft.
    pub read: ReadDraft,
    links: Vec<Link>,
}

/// The versions that were published, in order.
fn versions(done: &Done) -> Vec<u64> {
    let headers = done.facts.iter().filter_map(|fact| match fact {
        Fact::Record { header, .. } => corridor_proto::record::Header::decode(&header.bytes).ok(),
        _ => None,
    });
    headers.map(|header| header.version).collect()
}

impl Desk {
    /// Saves a draft and gives its record.
    ///
    /// # Errors
    /// [`DeskError::Store`]; a draft need not be complete.
    pub async fn save_draft(
        &self,
        record: Option<RecordId>,
        kind: Kind,
        body: Vec<u8>,
    ) -> Result<RecordId, DeskError> {
        self.save(ToSave {
            record,
            kind: kind.code(),
            body,
            ..ToSave::default()
        })
        .await
    }

    /// Saves a text for whoever is at the desk, and gives its record.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn save(&self, text: ToSave) -> Result<RecordId, DeskError> {
        let who = self.hand.as_ref().map(|hand| hand.who.clone());
        let who = who.unwrap_or_default();
        let wish = Wish::SaveDraft(ToSave { who, ..text });
        let done = self.wish(wish).await?;
        let saved = done.facts.iter().find_map(|fact| match fact {
            Fact::Draft { record, .. } => Some(*record),
            _ => None,
        });
        saved.ok_or_else(|| DeskError::NotFound("draft", String::new()))
    }

    /// Takes a step with a draft, for whoever is at the desk; `clearance` is what readers are told
    /// of one that is cleared. All but giving back needs a text that may be published.
    ///
    /// # Errors
    /// [`DeskError::NotFound`], [`DeskError::Fields`], [`DeskError::Store`].
    pub async fn step(
        &self,
        record: RecordId,
        read: ReadDraft,
        step: Step,
        note: String,
        clearance: Option<v1::Clearance>,
    ) -> Result<(), DeskError> {
        let body = clearance.map(|clearance| read.cleared(clearance));
        let body = body.transpose().map_err(DeskError::Fields)?;
        if step != Step::Returned {
            let text = body.as_ref().unwrap_or(&read.body);
            links(read.kind, text).map_err(DeskError::Fields)?;
        }
        let nobody = || Hand {
            who: String::new(),
            four_eyes: false,
        };
        self.wish(Wish::Step(ToStep {
            record,
            draft: read.place,
            step,
            hand: self.hand.clone().unwrap_or_else(nobody),
            note,
            body,
        }))
        .await
        .map(|_| ())
    }

    /// Signs a draft and lets it stand in circles; `None` means wherever the record stands.
    ///
    /// # Errors
    /// [`DeskError::NotFound`], [`DeskError::Fields`], [`DeskError::Store`].
    pub async fn publish(
        &self,
        record: RecordId,
        circles: Option<Vec<LogId>>,
    ) -> Result<u64, DeskError> {
        self.publish_over(record, circles, None).await
    }

    /// The same, of a draft that lies there, if no other is meant.
    ///
    /// # Errors
    /// As [`Desk::publish`].
    pub async fn publish_over(
        &self,
        record: RecordId,
        circles: Option<Vec<LogId>>,
        over: Option<Place>,
    ) -> Result<u64, DeskError> {
        let wish = self.one(record, circles, over)?;
        let versions = versions(&self.wish(wish).await?);
        Ok(versions.first().copied().unwrap_or(0))
    }

    /// Signs several drafts and lets them stand in the same circles: all of them or none. Gives the
    /// versions, in the same order.
    ///
    /// # Errors
    /// As [`Desk::publish`], for the first that is refused.
    pub async fn publish_all(
        &self,
        records: &[RecordId],
        circles: &[LogId],
    ) -> Result<Vec<u64>, DeskError> {
        // The rules refuse more than that; it is not even read.
        if records.len() > PUBLISH_MAX {
            return Err(TOO_MANY_AT_ONCE.into());
        }
        let (mut all, mut bytes) = (Vec::new(), 0);
        for some in records.chunks(READY_AT_ONCE) {
            let ready = some.par_iter().map(|record| self.ready(*record));
            for (record, one) in some.iter().zip(ready.collect::<Vec<_>>()) {
                let one = one?;
                bytes += one.read.body.len();
                all.push(self.to_publish(one, *record, Some(circles.to_vec())));
            }
            if bytes > PUBLISH_BYTES_MAX {
                return Err(TOO_MANY_AT_ONCE.into());
            }
        }
        Ok(versions(&self.wish(Wish::PublishAll(all)).await?))
    }

    /// The wish to publish a draft.
    fn one(
        &self,
        record: RecordId,
        circles: Option<Vec<LogId>>,
        over: Option<Place>,
    ) -> Result<Wish, DeskError> {
        let ready = self.ready(record)?;
        if over.is_some_and(|over| over != ready.read.place) {
            return Err(DeskRefusal::ChangedMeanwhile(record).into());
        }
        Ok(Wish::Publish(self.to_publish(ready, record, circles)))
    }

    /// A draft that is ready to be published.
    ///
    /// # Errors
    /// [`DeskError::NotFound`], [`DeskError::Fields`].
    pub fn ready(&self, record: RecordId) -> Result<Ready, DeskError> {
        let missing = || DeskError::NotFound("draft", record.to_string());
        let read = self.store.read(|view| ReadDraft::of(view, record));
        let read = read.ok_or_else(missing)?;
        let links = links(read.kind, &read.body).map_err(DeskError::Fields)?;
        Ok(Ready { read, links })
    }

    /// What is to be published into circles; `None` for wherever the record stands.
    fn to_publish(&self, ready: Ready, record: RecordId, circles: Option<Vec<LogId>>) -> ToPublish {
        ToPublish {
            record,
            kind: ready.read.kind,
            body: ready.read.body,
            links: ready.links,
            circles,
            draft: Some(ready.read.place),
            hand: self.hand.clone(),
        }
    }

    /// Whether [`Desk::publish_over`] would be carried out now; nothing is changed.
    ///
    /// # Errors
    /// As [`Desk::publish`].
    pub fn would_publish(
        &self,
        record: RecordId,
        circles: Option<Vec<LogId>>,
        over: Option<Place>,
    ) -> Result<(), DeskError> {
        let wish = self.one(record, circles, over)?;
        let key = self.store.key();
        self.store.read(|view| {
            // What is decided here is thrown away, so its random bytes may be any.
            let mut random = |bytes: &mut [u8]| bytes.fill(1);
            let (now, key) = (edge::now(), &*key);
            rules::Desk {
                model: view,
                rows: view,
                now,
                random: &mut random,
                key,
            }
            .decide(wish)
        })?;
        Ok(())
    }
}

/// A draft's kind and body.
pub fn draft(view: &View<'_>, record: RecordId) -> Option<(u16, Vec<u8>)> {
    let draft = view.drafts.get(&record)?;
    Some((draft.kind, view.salted(draft.place)?.1))
}

/// What somebody said to a step; empty if nothing.
pub fn said(view: &View<'_>, taken: &Taken) -> String {
    let note = taken.note.and_then(|place| view.salted(place));
    String::from_utf8(note.map(|(_, note)| note).unwrap_or_default()).unwrap_or_default()
}

/// The records that a body names, if it may be authored.
///
/// # Errors
/// What is wrong with its fields.
pub fn links(kind: u16, body: &[u8]) -> Result<Vec<Link>, Vec<FieldViolation>> {
    let kind = Kind::from_code(kind).ok_or_else(|| unknown_kind(kind))?;
    let authored = kinds::check(kind, body)?;
    let key = |link: kinds::Link| Link {
        rcp: RcpId::new(link.rcp),
        record: RecordId::new(link.record),
    };
    Ok(authored.links.into_iter().map(key).collect())
}

fn unknown_kind(kind: u16) -> Vec<FieldViolation> {
    vec![FieldViolation {
        field: "kind".to_owned(),
        what: format!("kind {kind} is not known to this version"),
        remedy: "upgrade this node to write records of that kind".to_owned(),
    }]
}
