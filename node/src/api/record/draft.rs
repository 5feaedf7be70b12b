//! Drafts as messages, one by one and in pages.

use corridor_proto::domain::{Domain, hash};
use corridor_proto::{RecordId, v1};
use corridor_rules::desk::{DeskRefusal, ToSave};
use corridor_rules::draft::{Step, Taken};
use corridor_rules::row::RecordKey;
use corridor_rules::{Place, Reader};
use corridor_store::{StoreError, View};
use prost::Message;
use tonic::Status;

use super::super::{Api, names, status};
use super::{message, missing, page};
use crate::desk::{self, Desk, DeskError, ReadDraft};
use crate::limits::{DRAFTS_PAGE_BYTES_MAX, PAGE_DEFAULT, PAGE_MAX, REQUEST_ID_CHARS};
use crate::operate::access::Entry;

/// What was done last.
const fn state(step: Step) -> v1::DraftState {
    match step {
        Step::Written => v1::DraftState::Written,
        Step::Asked => v1::DraftState::Asked,
        Step::Cleared => v1::DraftState::Cleared,
        Step::Returned => v1::DraftState::Returned,
        Step::Released => v1::DraftState::Released,
    }
}

/// A step as a message.
pub fn step(view: &View<'_>, taken: &Taken) -> v1::DraftStep {
    v1::DraftStep {
        step: state(taken.step).into(),
        who: taken.who.clone(),
        note: desk::said(view, taken),
        time_ms: taken.at.0,
    }
}

fn state_of(view: &View<'_>, record: &RecordId) -> v1::DraftState {
    let history = view.drafts.history(record);
    let last = history.and_then(|history| history.last());
    last.map_or(v1::DraftState::Written, |last| state(last.step))
}

fn draft(view: &View<'_>, record: RecordId) -> Option<v1::Draft> {
    let read = ReadDraft::of(view, record)?;
    let problems = desk::links(read.kind, &read.body).err();
    let history = view.drafts.history(&record);
    Some(v1::Draft {
        name: names::record(&RecordKey {
            rcp: view.me,
            record,
        }),
        kind: message::kind_word(read.kind),
        time_ms: view.drafts.get(&record)?.at.0,
        problems: problems
            .into_iter()
            .flatten()
            .map(|p| v1::Problem {
                field: p.field,
                description: format!("{}; {}", p.what, p.remedy),
            })
            .collect(),
        state: state_of(view, &record).into(),
        steps: history
            .map(|history| {
                let steps = history.steps.iter();
                steps.map(|taken| step(view, taken)).collect()
            })
            .unwrap_or_default(),
        etag: read.etag(),
        body: read.body,
    })
}

/// The record that a request makes, the same however often it is repeated.
///
/// # Errors
/// `INVALID_ARGUMENT` for what is no identifier.
pub fn asked(caller: &Entry, request_id: &str) -> Result<Option<RecordId>, Status> {
    if request_id.is_empty() {
        return Ok(None);
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !REQUEST_ID_CHARS.contains(&request_id.len()) || !request_id.bytes().all(fits) {
        return Err(status::bad_field(
            "request_id",
            "is no UUID; leave it out or send one",
        ));
    }
    let parts = [caller.id().as_bytes(), &[0], request_id.as_bytes()];
    let hash = hash(Domain::DraftRequest, &parts);
    let record = hash.as_bytes().first_chunk();
    Ok(record.map(|bytes| RecordId::new(*bytes)))
}

impl Api {
    /// A draft of ours.
    pub(in crate::api) fn draft(&self, record: RecordId) -> Result<v1::Draft, Status> {
        let store = self.desk.store();
        store.read(|view| {
            let rcp = view.me;
            let key = RecordKey { rcp, record };
            draft(view, record).ok_or_else(|| missing(&names::record(&key)))
        })
    }

    /// A page of drafts.
    pub(super) fn drafts(
        &self,
        asked: &v1::ListDraftsRequest,
    ) -> Result<v1::ListDraftsResponse, Status> {
        let size = page::size(asked.page_size, PAGE_DEFAULT, PAGE_MAX)?;
        let wanted = asked.state();
        let reader = Reader::Secretariat;
        let question = page::question("ListDrafts", &reader, &[wanted.as_str_name()]);
        let token = ("page_token", asked.page_token.as_str());
        let after = page::place(&self.cursors, token, &question, page::read_key)?;
        let (drafts, last) = self.desk.store().read(|view| {
            let (mut drafts, mut bytes, mut last) = (Vec::new(), 0, None);
            for record in view.drafts.after(after.map(|key| key.record)) {
                if wanted != v1::DraftState::Unspecified && state_of(view, record) != wanted {
                    continue;
                }
                let Some(draft) = draft(view, *record) else {
                    continue;
                };
                bytes += draft.encoded_len();
                if drafts.len() == size || (bytes > DRAFTS_PAGE_BYTES_MAX && !drafts.is_empty()) {
                    return (drafts, last);
                }
                let rcp = view.me;
                let record = *record;
                last = Some(RecordKey { rcp, record });
                drafts.push(draft);
            }
            (drafts, None)
        });
        let place = last.map(|last| page::key_bytes(&last));
        let next = place.map(|place| page::token(&self.cursors, &question, &place));
        Ok(v1::ListDraftsResponse {
            drafts,
            next_page_token: next.transpose()?.unwrap_or_default(),
        })
    }

    /// Saves a new draft. A request that is repeated finds the one that it made, or that it is no
    /// draft any more.
    pub(super) async fn create(&self, desk: &Desk, text: ToSave) -> Result<RecordId, Status> {
        let asked = text.record;
        match (desk.save(text).await, asked) {
            (Err(DeskError::Store(StoreError::Desk(DeskRefusal::Nothing(_)))), Some(record)) => {
                Ok(record)
            }
            (saved, _) => saved.map_err(status::desk),
        }
    }

    /// The draft of a record, which must be the one of the etag if there is an etag.
    ///
    /// # Errors
    /// `NOT_FOUND`; `ABORTED` if it is another one.
    pub(in crate::api) fn meant(&self, record: RecordId, etag: &str) -> Result<ReadDraft, Status> {
        let store = self.desk.store();
        let read = store.read(|view| {
            let rcp = view.me;
            let key = RecordKey { rcp, record };
            ReadDraft::of(view, record).ok_or_else(|| missing(&names::record(&key)))
        })?;
        if !etag.is_empty() && etag != read.etag() {
            return Err(status::desk(DeskRefusal::ChangedMeanwhile(record).into()));
        }
        Ok(read)
    }

    /// Where the draft lies that an etag names; nothing without one.
    ///
    /// # Errors
    /// Those of [`Api::meant`].
    pub(super) fn meant_if_named(
        &self,
        record: RecordId,
        etag: &str,
    ) -> Result<Option<Place>, Status> {
        if etag.is_empty() {
            return Ok(None);
        }
        self.meant(record, etag).map(|read| Some(read.place))
    }
}
