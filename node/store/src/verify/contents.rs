//! What lies in blobs: there and intact, or erased and gone.
//!
//! **Invariant:** an erasure is confirmed by the bytes on disk, never by the mark that says so.

use std::collections::HashSet;

use corridor_proto::card::Card;
use corridor_proto::domain::Domain;
use corridor_proto::record::Header;
use corridor_rules::Model;
use corridor_rules::fact::Fact;

use super::{RESTORE, Report, at};
use crate::codec;
use crate::journal::{FrameRef, JournalError, Place, Reader};

/// Bytes of the salt before every body.
const SALT_BYTES: usize = 32;

/// A frame that has, or had, a content.
struct Content {
    place: Place,
    kind: u8,
    meta: Vec<u8>,
    bytes: u32,
}

/// The contents of a journal, what the rules say is to be erased, and what was.
#[derive(Default)]
pub(super) struct Contents {
    found: Vec<Content>,
    due: HashSet<Place>,
    erased: HashSet<Place>,
    /// Due and without a byte: compaction leaves them so.
    dropped: HashSet<Place>,
}

impl Contents {
    /// Notes a frame if its kind has a content.
    pub fn found(&mut self, frame: &FrameRef<'_>) {
        if frame.blob_len == 0 {
            if codec::blob_intact(frame.kind, frame.meta, &[]) {
                return;
            }
            self.dropped.insert(frame.place);
        }
        self.found.push(Content {
            place: frame.place,
            kind: frame.kind,
            meta: frame.meta.to_vec(),
            bytes: frame.blob_len,
        });
    }

    /// The rules say that this content is to be erased.
    pub fn due(&mut self, place: Place) {
        self.due.insert(place);
    }

    /// The journal says that these contents were erased.
    pub fn erased(&mut self, places: &[Place]) {
        self.erased.extend(places);
    }

    pub fn is_due(&self, place: Place) -> bool {
        self.due.contains(&place)
    }

    /// What is due and not done.
    pub fn pending(&self) -> impl Iterator<Item = Place> {
        let done = |place: &Place| self.erased.contains(place) || self.dropped.contains(place);
        self.due.iter().copied().filter(move |place| !done(place))
    }

    /// Looks at every content, and verifies the cards that are there. `read` hears of the bytes
    /// looked at.
    pub fn look(
        self,
        model: &Model,
        reader: &Reader,
        is_damaged: bool,
        read: &mut dyn FnMut(u64),
        report: &mut Report,
    ) {
        let (mut bytes, mut unconfirmed) = (0_u64, 0_u64);
        for content in &self.found {
            bytes = bytes.saturating_add(u64::from(content.bytes));
            read(bytes);
            let (is_due, is_erased) = (
                self.due.contains(&content.place),
                self.erased.contains(&content.place),
            );
            match judge(content, is_due, is_erased, reader) {
                Ok(Verdict::Intact) => {
                    report.bodies += 1;
                    card(content, model, reader, report);
                }
                // Nothing is written to a damaged journal: these zeros were not made durable again.
                Ok(Verdict::Gone) if is_damaged => unconfirmed += 1,
                Ok(Verdict::Gone) => report.erasures += 1,
                Ok(Verdict::Wrong(what)) => report.find(name(content), what.says(is_damaged)),
                Err(error) => report.find(name(content), error.to_string()),
            }
        }
        if unconfirmed > 0 {
            let what = format!(
                "erasures that read as done and are not confirmed: {unconfirmed}, for nothing is \
                 written to a damaged journal, so none was made sure of"
            );
            report.note("journal", what);
        }
    }
}

enum Verdict {
    Intact,
    Gone,
    Wrong(Wrong),
}

enum Wrong {
    Missing,
    Damaged,
    NotErased,
    StillThere,
    NobodyAsked,
}

impl Wrong {
    fn says(&self, is_damaged: bool) -> String {
        let (what, remedy) = match self {
            Self::Missing => ("its content is missing", RESTORE),
            Self::Damaged => ("its content is damaged", RESTORE),
            Self::NobodyAsked => ("it was erased and should not have been", RESTORE),
            Self::NotErased if is_damaged => ("it should be erased and is not", RESTORE),
            Self::NotErased => (
                "it should be erased and is not",
                "start the node, which does it",
            ),
            Self::StillThere if is_damaged => (
                "it was erased and its bytes are there; nothing was overwritten, since the journal \
                 is damaged",
                RESTORE,
            ),
            Self::StillThere => (
                "it was erased and its bytes are there, though they were overwritten just now",
                "replace the disk, which does not keep what is written",
            ),
        };
        format!("{what}; {remedy}")
    }
}

fn judge(
    content: &Content,
    is_due: bool,
    is_erased: bool,
    reader: &Reader,
) -> Result<Verdict, JournalError> {
    let verdict = match (content.bytes, is_erased) {
        (0, _) if is_due => Verdict::Gone,
        (0, _) => Verdict::Wrong(Wrong::Missing),
        (_, true) if !reader.is_overwritten(content.place)? => Verdict::Wrong(Wrong::StillThere),
        (_, true) if !is_due => Verdict::Wrong(Wrong::NobodyAsked),
        (_, true) => Verdict::Gone,
        (_, false) if is_due => Verdict::Wrong(Wrong::NotErased),
        (_, false) if is_intact(content, &reader.read(content.place)?.blob) => Verdict::Intact,
        (_, false) => Verdict::Wrong(Wrong::Damaged),
    };
    Ok(verdict)
}

/// Verifies a card by the key that it names; one that a rotation voided was signed all the same.
fn card(content: &Content, model: &Model, reader: &Reader, report: &mut Report) {
    let Ok(Fact::Card { rcp, .. }) = codec::fact(content.kind, &content.meta) else {
        return;
    };
    report.signatures += 1;
    let verify = || {
        let stored = reader.read(content.place).ok()?;
        let signed = codec::card_of(&stored.blob)?;
        let card = Card::decode(&signed.bytes).ok()?;
        let key = model.charter(&rcp)?.key("card", card.key_seq).ok()?;
        let verdict = key.verify("card", Domain::Card, &signed.bytes, &signed.signature);
        (card.rcp == rcp && verdict.is_ok()).then_some(())
    };
    if verify().is_none() {
        let what = format!("the card of {rcp} has a signature that does not verify; {RESTORE}");
        report.find(name(content), what);
    }
}

fn is_intact(content: &Content, blob: &[u8]) -> bool {
    let fits = match codec::fact(content.kind, &content.meta) {
        Ok(Fact::Record { header, .. }) => Header::decode(&header.bytes).is_ok_and(|header| {
            let body = blob.len().checked_sub(SALT_BYTES);
            body.and_then(|body| u32::try_from(body).ok()) == Some(header.body_len)
        }),
        _ => true,
    };
    fits && codec::blob_intact(content.kind, &content.meta, blob)
}

/// What a person knows the content by, and where it is.
fn name(content: &Content) -> String {
    let what = match codec::fact(content.kind, &content.meta) {
        Ok(Fact::Record { header, .. }) => Header::decode(&header.bytes).ok().map(|header| {
            let (rcp, record, version) = (header.rcp, header.record, header.version);
            format!("record {rcp}/{record} version {version}")
        }),
        Ok(Fact::Draft { record, .. }) => Some(format!("draft {record}")),
        Ok(Fact::List { log, .. }) => Some(format!("reader list of log {log}")),
        Ok(Fact::Card { rcp, .. }) => Some(format!("card of {rcp}")),
        Ok(Fact::Note { rcp, .. }) => Some(format!("note of a withdrawal of {rcp}")),
        _ => None,
    };
    let at = at(content.place);
    what.map_or_else(|| at.clone(), |what| format!("{what} ({at})"))
}
