//! Reading all records in force at once, each with what proves it.
//!
//! What many records have in common is sent once: the charter and the card of their RCP, the head
//! of their log. **Invariant:** few batches wait for a slow caller, and each is of what the caller
//! may see when it is composed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use corridor_proto::wire::{Identity, proof_message};
use corridor_proto::{LogId, RcpId, v1};
use corridor_rules::Reader;
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_store::View;
use tonic::Status;

use super::super::{names, status};
use super::stream::{Answers, Caller, Looked};
use super::{message, page};
use crate::desk::Shown;
use crate::library::scan::Slice;
use crate::library::{Ask, Filter};
use crate::limits::{READ_AT_ONCE, READ_BYTES_AT_ONCE, ROWS_AT_ONCE};

/// Batches as a stream.
pub type Batches = Answers<v1::ReadRecordsResponse>;

/// How far a reader has come, and from which state of the store on changes are to be followed.
type Place = (Option<RecordKey>, u64);

/// Reads what comes after the cursor of a request.
///
/// # Errors
/// `INVALID_ARGUMENT` for a cursor of another question.
pub fn read(
    (caller, answers): (Caller<v1::ReadRecordsResponse>, Batches),
    reader: Reader,
    request: &v1::ReadRecordsRequest,
) -> Result<Batches, Status> {
    let ask = Ask {
        reader,
        parent: page::parent(&request.parent)?,
        show_all: false,
        filter: Filter::default(),
        with_facts: false,
    };
    let question = page::question("ReadRecords", &reader, &[&request.parent]);
    let cursor = ("cursor", request.cursor.as_str());
    let api = &caller.api;
    let place = page::place(&api.cursors, cursor, &question, read_place)?;
    let revision = || api.desk.store().read(|view| view.revision);
    let place = place.unwrap_or_else(|| (None, revision()));
    let mut bulk = Bulk {
        caller,
        ask,
        question,
        place,
        sent: Sent::default(),
    };
    tokio::spawn(async move {
        if let Err(Some(error)) = bulk.run().await {
            bulk.caller.refuse(error).await;
        }
    });
    Ok(answers)
}

struct Bulk {
    caller: Caller<v1::ReadRecordsResponse>,
    ask: Ask,
    question: Vec<u8>,
    place: Place,
    sent: Sent,
}

/// What the caller has already.
#[derive(Default)]
struct Sent {
    identities: BTreeSet<RcpId>,
    heads: BTreeMap<LogId, String>,
}

impl Bulk {
    async fn run(&mut self) -> Looked {
        loop {
            if self.caller.reader()? != self.ask.reader {
                return Err(Some(status::roles_changed()));
            }
            let (mut batch, slice) = self.batch();
            let is_end = slice.is_end;
            let cursors = &self.caller.api.cursors;
            let place = place_bytes(&self.place);
            batch.cursor = page::token(cursors, &self.question, &place)?;
            if is_end {
                let sealed = cursors.seal(self.place.1);
                batch.watch_cursor = sealed.map_err(status::no_randomness)?;
            }
            // Where nothing was found there is nothing to say, but at the end.
            if is_end || !batch.records.is_empty() {
                self.caller.send(batch, &self.ask.reader).await?;
            } else {
                tokio::task::yield_now().await;
            }
            self.caller.looked_at(slice.rows.max(1)).await?;
            if is_end {
                return Ok(());
            }
        }
    }

    /// The next records, and how far they lead.
    fn batch(&mut self) -> (v1::ReadRecordsResponse, Slice) {
        let Self { ask, sent, .. } = self;
        let api = &self.caller.api;
        let (batch, slice) = api.desk.store().read(|view| {
            let (mut found, mut bytes) = (Vec::new(), 0);
            let (library, after) = (&api.library, self.place.0);
            let slice = ask.slice(view, library, after, ROWS_AT_ONCE, &mut |mut seen| {
                seen.shown.read(view);
                let signed = seen.shown.signed.as_ref();
                bytes += signed.map_or(0, |signed| signed.body.len());
                found.push(seen.shown);
                match found.len() == READ_AT_ONCE || bytes >= READ_BYTES_AT_ONCE {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            });
            (sent.proved(view, found), slice)
        });
        self.place.0 = slice.last;
        (batch, slice)
    }
}

impl Sent {
    /// The records with what proves them, as far as the caller does not have it.
    fn proved(&mut self, view: &View<'_>, found: Vec<Shown>) -> v1::ReadRecordsResponse {
        let mut lines = lines(view, &found);
        let mut batch = v1::ReadRecordsResponse::default();
        for shown in found {
            let line = shown.current.as_ref().map(|stand| (stand.log, stand.index));
            let line = line.and_then(|line| lines.remove(&line));
            let proved = line.and_then(|line| self.prove(view, shown, line, &mut batch));
            batch.records.extend(proved);
        }
        batch
    }

    fn prove(
        &mut self,
        view: &View<'_>,
        shown: Shown,
        line: Vec<u8>,
        batch: &mut v1::ReadRecordsResponse,
    ) -> Option<v1::ProvedRecord> {
        let (rcp, stand) = (shown.key.rcp, shown.current?);
        let raw = Some(message::raw(shown.signed?));
        let log = view.logs.get(&stand.log)?;
        let head = log.held_head.as_ref()?;
        let proof = log.tree.inclusion(stand.index, head.checkpoint.size)?;
        let known = view.known.get(&rcp)?;
        let card = known.card.clone()?;
        let circle = names::circle(&log.owner, &log.id);
        if self.identities.insert(rcp) {
            let charter = known.charter.clone();
            batch.identities.push(Identity { charter, card }.message());
        }
        if self.heads.get(&log.id) != Some(&head.note) {
            self.heads.insert(log.id, head.note.clone());
            batch.heads.push(v1::LogHead {
                circle: circle.clone(),
                seed: log.seed.as_bytes().to_vec(),
                checkpoint: head.note.clone().into_bytes(),
            });
        }
        Some(v1::ProvedRecord {
            name: names::record(&shown.key),
            raw,
            circle,
            index: stand.index,
            line,
            proof: proof_message(&proof),
        })
    }
}

/// The publish lines of records: many that lie together are read at once.
fn lines(view: &View<'_>, found: &[Shown]) -> BTreeMap<(LogId, u64), Vec<u8>> {
    let mut wanted: BTreeMap<LogId, BTreeSet<u64>> = BTreeMap::new();
    for stand in found.iter().filter_map(|shown| shown.current.as_ref()) {
        wanted.entry(stand.log).or_default().insert(stand.index);
    }
    let mut lines = BTreeMap::new();
    for (log, indexes) in wanted {
        let span = indexes.first().zip(indexes.last());
        let (first, end) = span.map_or((0, 0), |(first, last)| (*first, last + 1));
        let count = u64::try_from(indexes.len()).unwrap_or(u64::MAX);
        if end - first <= count.saturating_mul(2) {
            let all = (first..).zip(view.lines(&log, first, end));
            lines.extend(all.map(|(index, line)| ((log, index), line)));
        } else {
            for index in indexes {
                let line = view.lines(&log, index, index + 1).into_iter().next();
                lines.extend(line.map(|line| ((log, index), line)));
            }
        }
    }
    lines
}

fn place_bytes((key, revision): &Place) -> Vec<u8> {
    let mut bytes = revision.to_be_bytes().to_vec();
    bytes.extend(key.iter().flat_map(page::key_bytes));
    bytes
}

fn read_place(bytes: &[u8]) -> Option<Place> {
    let (revision, key) = bytes.split_first_chunk::<8>()?;
    let key = match key {
        [] => None,
        key => Some(page::read_key(key)?),
    };
    Some((key, u64::from_be_bytes(*revision)))
}
