//! The way of a draft from whoever writes it to whoever clears it.

use corridor_proto::v1;
use corridor_rules::draft::Step;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::rpc::clearance_service_server::ClearanceService;
use super::{Api, status};
use crate::operate::access::Right;

impl Api {
    /// Takes a step with the draft of a name, if it is still the one that is meant.
    async fn step(
        &self,
        right: (&MetadataMap, Right),
        (name, etag): (&str, &str),
        step: Step,
        note: String,
        clearance: Option<v1::Clearance>,
    ) -> Result<Option<v1::Draft>, Status> {
        let desk = self.desk_for(right.0, right.1)?;
        let record = self.own(name)?;
        let read = self.meant(record, etag)?;
        desk.step(record, read, step, note, clearance)
            .await
            .map_err(status::desk)?;
        self.draft(record).map(Some)
    }
}

#[tonic::async_trait]
impl ClearanceService for Api {
    async fn request_clearance(
        &self,
        request: Request<v1::RequestClearanceRequest>,
    ) -> Result<Response<v1::RequestClearanceResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let draft = (asked.name.as_str(), asked.etag.as_str());
        let right = (&metadata, Right::Draft);
        let draft = self
            .step(right, draft, Step::Asked, asked.note, None)
            .await?;
        Ok(Response::new(v1::RequestClearanceResponse { draft }))
    }

    async fn clear_draft(
        &self,
        request: Request<v1::ClearDraftRequest>,
    ) -> Result<Response<v1::ClearDraftResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let draft = (asked.name.as_str(), asked.etag.as_str());
        let right = (&metadata, Right::Share);
        let draft = self
            .step(right, draft, Step::Cleared, asked.note, asked.clearance)
            .await?;
        Ok(Response::new(v1::ClearDraftResponse { draft }))
    }

    async fn return_draft(
        &self,
        request: Request<v1::ReturnDraftRequest>,
    ) -> Result<Response<v1::ReturnDraftResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let desk = self.desk_for(&metadata, Right::Share)?;
        drop(desk);
        if asked.note.trim().is_empty() {
            let what = "is missing; say what is to be changed";
            return Err(status::bad_field("note", what));
        }
        let draft = (asked.name.as_str(), asked.etag.as_str());
        let right = (&metadata, Right::Share);
        let draft = self
            .step(right, draft, Step::Returned, asked.note, None)
            .await?;
        Ok(Response::new(v1::ReturnDraftResponse { draft }))
    }
}
