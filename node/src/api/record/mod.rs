//! Records.

mod bulk;
pub mod cursor;
mod draft;
pub(super) mod message;
mod page;
mod read;
mod search;
mod stream;
mod watch;

use corridor_proto::kinds::{self, Kind};
use corridor_proto::line::WithdrawalReason;
use corridor_proto::wire::{Identity, proof_message};
use corridor_proto::{LogId, RecordId, v1};
use corridor_rules::Reader;
use corridor_rules::desk::ToSave;
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_store::View;
use prost::Message;
use tonic::{Request, Response, Status};

use super::audit::only_asks;
use super::budgets::Charge;
use super::rpc::record_service_server::RecordService;
use super::{Api, names, status};
use crate::desk::{self, Shown};
use crate::edge;
use crate::operate::access::Right;
use stream::Caller;
pub use stream::LOOK;

fn missing(name: &str) -> Status {
    status::not_found("record", name)
}

fn kind(word: &str) -> Result<Kind, Status> {
    word.parse()
        .map_err(|_| status::bad_field("kind", "is no kind of record known here"))
}

impl Api {
    /// A record as the caller may see it, with its bytes.
    fn record(&self, key: &RecordKey, reader: &Reader) -> Result<v1::Record, Status> {
        self.desk.store().read(|view| {
            let shown = desk::show(view, key, reader, edge::now(), true);
            let shown = shown.ok_or_else(|| missing(&names::record(key)))?;
            Ok(message::record(view, &shown, reader, true))
        })
    }

    /// The name of a record of ours.
    pub(super) fn own(&self, name: &str) -> Result<RecordId, Status> {
        let key = names::parse_record("name", name)?;
        let me = self.desk.store().read(|view| view.me);
        if key.rcp == me {
            Ok(key.record)
        } else {
            Err(missing(name))
        }
    }

    fn circles(&self, circles: &[String]) -> Result<Vec<LogId>, Status> {
        self.desk.store().read(|view| {
            circles
                .iter()
                .map(|name| names::find_circle(view, name))
                .collect()
        })
    }

    fn own_record(&self, record: RecordId) -> Result<Option<v1::Record>, Status> {
        let rcp = self.desk.store().read(|view| view.me);
        self.record(&RecordKey { rcp, record }, &Reader::Secretariat)
            .map(Some)
    }
}

fn proof(view: &View<'_>, shown: &Shown) -> Option<v1::ProveRecordResponse> {
    let stand = shown.current.as_ref()?;
    let signed = shown.signed.clone()?;
    let log = view.logs.get(&stand.log)?;
    let head = log.held_head.as_ref()?;
    let known = view.known.get(&shown.key.rcp)?;
    let identity = Identity {
        charter: known.charter.clone(),
        card: known.card.clone()?,
    };
    Some(v1::ProveRecordResponse {
        identity: Some(identity.message()),
        raw: Some(message::raw(signed)),
        seed: log.seed.as_bytes().to_vec(),
        index: stand.index,
        line: view
            .lines(&log.id, stand.index, stand.index + 1)
            .into_iter()
            .next()?,
        proof: proof_message(&log.tree.inclusion(stand.index, head.checkpoint.size)?),
        checkpoint: head.note.clone().into_bytes(),
    })
}

fn withdrawal_reason(code: v1::WithdrawalCode) -> Result<WithdrawalReason, Status> {
    Ok(match code {
        v1::WithdrawalCode::Superseded => WithdrawalReason::Superseded,
        v1::WithdrawalCode::Error => WithdrawalReason::Error,
        v1::WithdrawalCode::StateRequest => WithdrawalReason::StateRequest,
        v1::WithdrawalCode::Expired => WithdrawalReason::Expired,
        v1::WithdrawalCode::PersonalData => WithdrawalReason::PersonalData,
        v1::WithdrawalCode::Other => WithdrawalReason::Other,
        v1::WithdrawalCode::Unspecified => {
            return Err(status::bad_field(
                "code",
                "is missing; say why the record is withdrawn",
            ));
        }
    })
}

#[tonic::async_trait]
impl RecordService for Api {
    async fn create_draft(
        &self,
        request: Request<v1::CreateDraftRequest>,
    ) -> Result<Response<v1::CreateDraftResponse>, Status> {
        let caller = self.allow(request.metadata(), Right::Draft)?;
        let desk = self.desk_of(&caller);
        let request = request.into_inner();
        let text = ToSave {
            kind: kind(&request.kind)?.code(),
            record: draft::asked(&caller, &request.request_id)?,
            is_new: true,
            body: request.body,
            ..ToSave::default()
        };
        let record = self.create(&desk, text).await?;
        let draft = Some(self.draft(record)?);
        Ok(Response::new(v1::CreateDraftResponse { draft }))
    }

    async fn update_draft(
        &self,
        request: Request<v1::UpdateDraftRequest>,
    ) -> Result<Response<v1::UpdateDraftResponse>, Status> {
        let desk = self.desk_for(request.metadata(), Right::Draft)?;
        let request = request.into_inner();
        let record = self.own(&request.name)?;
        let text = ToSave {
            record: Some(record),
            kind: kind(&request.kind)?.code(),
            body: request.body,
            over: self.meant_if_named(record, &request.etag)?,
            ..ToSave::default()
        };
        let draft = Some(self.draft(desk.save(text).await.map_err(status::desk)?)?);
        Ok(Response::new(v1::UpdateDraftResponse { draft }))
    }

    async fn delete_draft(
        &self,
        request: Request<v1::DeleteDraftRequest>,
    ) -> Result<Response<v1::DeleteDraftResponse>, Status> {
        let desk = self.desk_for(request.metadata(), Right::Draft)?;
        let request = request.into_inner();
        let record = self.own(&request.name)?;
        let over = self.meant_if_named(record, &request.etag)?;
        let wish = corridor_rules::desk::Wish::DiscardDraft { record, over };
        desk.wish(wish).await.map_err(status::desk)?;
        self.forget(record)?;
        Ok(Response::new(v1::DeleteDraftResponse {}))
    }

    async fn get_draft(
        &self,
        request: Request<v1::GetDraftRequest>,
    ) -> Result<Response<v1::GetDraftResponse>, Status> {
        self.allow(request.metadata(), Right::Draft)?;
        let record = self.own(&request.into_inner().name)?;
        let draft = Some(self.draft(record)?);
        Ok(Response::new(v1::GetDraftResponse { draft }))
    }

    async fn list_drafts(
        &self,
        request: Request<v1::ListDraftsRequest>,
    ) -> Result<Response<v1::ListDraftsResponse>, Status> {
        self.allow(request.metadata(), Right::Draft)?;
        self.drafts(&request.into_inner()).map(Response::new)
    }

    async fn publish_record(
        &self,
        request: Request<v1::PublishRecordRequest>,
    ) -> Result<Response<v1::PublishRecordResponse>, Status> {
        let desk = self.desk_for(request.metadata(), Right::Share)?;
        let request = request.into_inner();
        let record = self.own(&request.name)?;
        let circles = self.circles(&request.circles)?;
        let circles = (!circles.is_empty()).then_some(circles);
        let over = self.meant_if_named(record, &request.etag)?;
        if request.validate_only {
            only_asks();
            desk.would_publish(record, circles, over)
                .map_err(status::desk)?;
            return Ok(Response::new(v1::PublishRecordResponse { record: None }));
        }
        desk.publish_over(record, circles, over)
            .await
            .map_err(status::desk)?;
        let record = self.own_record(record)?;
        Ok(Response::new(v1::PublishRecordResponse { record }))
    }

    async fn publish_records(
        &self,
        request: Request<v1::PublishRecordsRequest>,
    ) -> Result<Response<v1::PublishRecordsResponse>, Status> {
        let desk = self.desk_for(request.metadata(), Right::Share)?;
        let request = request.into_inner();
        let records = request.names.iter().map(|name| self.own(name));
        let records: Vec<RecordId> = records.collect::<Result<_, _>>()?;
        let circles = self.circles(&request.circles)?;
        let published = desk.publish_all(&records, &circles).await;
        let versions = published.map_err(status::desk)?;
        Ok(Response::new(v1::PublishRecordsResponse { versions }))
    }

    async fn share_record(
        &self,
        request: Request<v1::ShareRecordRequest>,
    ) -> Result<Response<v1::ShareRecordResponse>, Status> {
        self.allow(request.metadata(), Right::Share)?;
        let request = request.into_inner();
        let record = self.own(&request.name)?;
        let circles = self.circles(&request.circles)?;
        self.desk
            .share(record, circles)
            .await
            .map_err(status::desk)?;
        Ok(Response::new(v1::ShareRecordResponse {
            record: self.own_record(record)?,
        }))
    }

    async fn narrow_record(
        &self,
        request: Request<v1::NarrowRecordRequest>,
    ) -> Result<Response<v1::NarrowRecordResponse>, Status> {
        self.allow(request.metadata(), Right::Share)?;
        let request = request.into_inner();
        let record = self.own(&request.name)?;
        let circles = self.circles(&request.circles)?;
        let wish = corridor_rules::desk::Wish::Narrow { record, circles };
        self.desk.wish(wish).await.map_err(status::desk)?;
        Ok(Response::new(v1::NarrowRecordResponse {
            record: self.own_record(record)?,
        }))
    }

    async fn withdraw_record(
        &self,
        request: Request<v1::WithdrawRecordRequest>,
    ) -> Result<Response<v1::WithdrawRecordResponse>, Status> {
        self.allow(request.metadata(), Right::Share)?;
        let request = request.into_inner();
        let record = self.own(&request.name)?;
        let reason = withdrawal_reason(request.code())?;
        let replacement = match request.replacement.as_str() {
            "" => None,
            name => Some(self.own(name)?),
        };
        kinds::check_note(&request.note)
            .map_err(|found| status::fields(&found, "the note cannot be signed like this"))?;
        let up_to = (request.up_to != 0).then_some(request.up_to);
        let note = (!request.note.is_empty()).then(|| {
            v1::WithdrawalNote {
                texts: request.note.clone(),
            }
            .encode_to_vec()
        });
        let withdrawn = self
            .desk
            .withdraw(record, up_to, reason, note, replacement)
            .await;
        withdrawn.map_err(status::desk)?;
        self.forget(record)?;
        Ok(Response::new(v1::WithdrawRecordResponse {
            record: self.own_record(record)?,
        }))
    }

    async fn get_record(
        &self,
        request: Request<v1::GetRecordRequest>,
    ) -> Result<Response<v1::GetRecordResponse>, Status> {
        let reader = self.reader(request.metadata())?;
        let key = names::parse_record("name", &request.into_inner().name)?;
        let record = Some(self.record(&key, &reader)?);
        Ok(Response::new(v1::GetRecordResponse { record }))
    }

    async fn list_records(
        &self,
        request: Request<v1::ListRecordsRequest>,
    ) -> Result<Response<v1::ListRecordsResponse>, Status> {
        let reader = self.reader(request.metadata())?;
        let charge = Charge::of_call(&request);
        let (page, rows) = read::list(self, reader, request.into_inner()).await?;
        charge.iter().for_each(|charge| charge.looked_at(rows));
        Ok(Response::new(page))
    }

    async fn batch_get_records(
        &self,
        request: Request<v1::BatchGetRecordsRequest>,
    ) -> Result<Response<v1::BatchGetRecordsResponse>, Status> {
        let reader = self.reader(request.metadata())?;
        let records = read::batch(self, &reader, &request.into_inner())?;
        Ok(Response::new(v1::BatchGetRecordsResponse { records }))
    }

    async fn search_records(
        &self,
        request: Request<v1::SearchRecordsRequest>,
    ) -> Result<Response<v1::SearchRecordsResponse>, Status> {
        let reader = self.reader(request.metadata())?;
        let charge = Charge::of_call(&request);
        let (found, rows) = search::search(self, reader, request.into_inner()).await?;
        charge.iter().for_each(|charge| charge.looked_at(rows));
        Ok(Response::new(found))
    }

    type ReadRecordsStream = bulk::Batches;

    async fn read_records(
        &self,
        request: Request<v1::ReadRecordsRequest>,
    ) -> Result<Response<Self::ReadRecordsStream>, Status> {
        let reader = self.reader(request.metadata())?;
        let caller = Caller::of(self.clone(), &request);
        let batches = bulk::read(caller, reader, request.get_ref())?;
        Ok(Response::new(batches))
    }

    type WatchRecordsStream = watch::Changes;

    async fn watch_records(
        &self,
        request: Request<v1::WatchRecordsRequest>,
    ) -> Result<Response<Self::WatchRecordsStream>, Status> {
        self.reader(request.metadata())?;
        let cursor = match request.get_ref().cursor.as_str() {
            "" => None,
            cursor => Some(self.cursors.open(cursor).ok_or_else(|| {
                status::bad_field("cursor", "is not one of this node; begin again without it")
            })?),
        };
        let caller = Caller::of(self.clone(), &request);
        Ok(Response::new(watch::follow(caller, cursor)))
    }

    async fn prove_record(
        &self,
        request: Request<v1::ProveRecordRequest>,
    ) -> Result<Response<v1::ProveRecordResponse>, Status> {
        let reader = self.reader(request.metadata())?;
        let name = request.into_inner().name;
        let key = names::parse_record("name", &name)?;
        let found = self
            .desk
            .store()
            .read(|view| proof(view, &desk::show(view, &key, &reader, edge::now(), true)?));
        found.map(Response::new).ok_or_else(|| missing(&name))
    }

    async fn preview_peer(
        &self,
        request: Request<v1::PreviewPeerRequest>,
    ) -> Result<Response<v1::PreviewPeerResponse>, Status> {
        self.allow(request.metadata(), Right::Read)?;
        let request = request.into_inner();
        let peer = names::parse_rcp("peer", &request.peer)?;
        self.desk.store().read(|view| {
            let circle = match request.circle.as_str() {
                "" => None,
                name => Some(names::find_circle(view, name)?),
            };
            let preview = desk::preview(view, peer, circle, edge::now()).map_err(status::store)?;
            let times = preview
                .records
                .iter()
                .filter_map(|shown| Some(shown.held.as_ref()?.time.0));
            Ok(Response::new(v1::PreviewPeerResponse {
                oldest_ms: times.min().unwrap_or(0),
                newly: u32::try_from(preview.newly).unwrap_or(u32::MAX),
                records: preview
                    .records
                    .iter()
                    .map(|shown| message::record(view, shown, &Reader::Secretariat, false))
                    .collect(),
            }))
        })
    }

    async fn explain_record(
        &self,
        request: Request<v1::ExplainRecordRequest>,
    ) -> Result<Response<v1::ExplainRecordResponse>, Status> {
        self.allow(request.metadata(), Right::Read)?;
        let request = request.into_inner();
        let key = names::parse_record("name", &request.name)?;
        let peer = names::parse_rcp("peer", &request.peer)?;
        let found = self
            .desk
            .store()
            .read(|view| desk::explain(view, &key, peer, edge::now()));
        let found = found.ok_or_else(|| missing(&request.name))?;
        let reason = |circle: &desk::CircleWhy| match circle.verdict {
            Ok(grant) => grant.says(),
            Err(denial) => denial.says(),
        };
        Ok(Response::new(v1::ExplainRecordResponse {
            may_read: found.version.is_some(),
            version: found.version.unwrap_or(0),
            sentence: found.sentence,
            hidden_links: found.hidden_links.iter().map(names::record).collect(),
            circles: found
                .circles
                .iter()
                .map(|circle| v1::CircleReason {
                    circle: circle.name.clone(),
                    stands: circle.stands,
                    may_read: circle.verdict.is_ok(),
                    reason: reason(circle).to_owned(),
                    held: circle.held,
                })
                .collect(),
        }))
    }
}
