//! Calls about drafts: writing them, and their way to whoever clears them.

use corridor_proto::kinds::Kind;

use super::present;
use super::record::service;
use crate::client::{Authorised, Client};
use crate::error::ClientError;
use crate::limits::{ANSWER_BYTES_MAX, PAGES_MAX};
use crate::names::RecordName;
use crate::stub::clearance_service_client::ClearanceServiceClient;
use crate::v1;

const NO_DRAFT: &str = "names no draft";

fn clearance(channel: Authorised) -> ClearanceServiceClient<Authorised> {
    ClearanceServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

/// Drafts.
impl Client {
    /// Saves a new draft: an encoded message of the kind, best in the form that
    /// [`crate::body::from_json`] or [`corridor_proto::kinds::canonical`] gives.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_draft(&self, kind: Kind, body: Vec<u8>) -> Result<v1::Draft, ClientError> {
        let message = v1::CreateDraftRequest {
            kind: kind.name().to_owned(),
            body,
            ..Default::default()
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).create_draft(request).await
            })
            .await?;
        present(answer.draft, NO_DRAFT)
    }

    /// Replaces a draft, or begins a new version of a published record of ours. With the etag of
    /// the draft as it was read, nothing that somebody else saved since is lost; empty replaces
    /// any.
    ///
    /// # Errors
    /// [`ClientError`]; the reason `CHANGED_MEANWHILE` if another one is there.
    pub async fn update_draft(
        &self,
        name: &RecordName,
        kind: Kind,
        body: Vec<u8>,
        etag: &str,
    ) -> Result<v1::Draft, ClientError> {
        let message = v1::UpdateDraftRequest {
            name: name.to_string(),
            kind: kind.name().to_owned(),
            body,
            etag: etag.to_owned(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).update_draft(request).await
            })
            .await?;
        present(answer.draft, NO_DRAFT)
    }

    /// Discards a draft; its text is erased.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete_draft(&self, name: &RecordName) -> Result<(), ClientError> {
        let message = v1::DeleteDraftRequest {
            name: name.to_string(),
            ..Default::default()
        };
        self.write(message, |channel, request| async move {
            service(channel).delete_draft(request).await
        })
        .await?;
        Ok(())
    }

    /// A draft of ours.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn draft(&self, name: &RecordName) -> Result<v1::Draft, ClientError> {
        let message = v1::GetDraftRequest {
            name: name.to_string(),
        };
        let answer = self
            .read(message, |channel, request| async move {
                service(channel).get_draft(request).await
            })
            .await?;
        present(answer.draft, NO_DRAFT)
    }

    /// All drafts of this node.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn drafts(&self) -> Result<Vec<v1::Draft>, ClientError> {
        self.drafts_in(v1::DraftState::Unspecified).await
    }

    /// The drafts of which this was done last.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn drafts_in(&self, state: v1::DraftState) -> Result<Vec<v1::Draft>, ClientError> {
        let (mut drafts, mut page_token) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let message = v1::ListDraftsRequest {
                page_size: 0,
                page_token,
                state: state.into(),
            };
            let answer = self
                .read(message, |channel, request| async move {
                    service(channel).list_drafts(request).await
                })
                .await?;
            drafts.extend(answer.drafts);
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                return Ok(drafts);
            }
        }
        Err(ClientError::Answer("has no last page"))
    }

    /// Asks that a draft be cleared; `draft` is it as it was read.
    ///
    /// # Errors
    /// [`ClientError`]; what the draft lacks is in the fields of its [`crate::Fault`].
    pub async fn request_clearance(
        &self,
        draft: &v1::Draft,
        note: &str,
    ) -> Result<v1::Draft, ClientError> {
        let message = v1::RequestClearanceRequest {
            name: draft.name.clone(),
            etag: draft.etag.clone(),
            note: note.to_owned(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                clearance(channel).request_clearance(request).await
            })
            .await?;
        present(answer.draft, NO_DRAFT)
    }

    /// Clears a draft for release, in the text that was read; `told` is what readers are told of
    /// it.
    ///
    /// # Errors
    /// [`ClientError`]; the reason `FOUR_EYES` for a text of one's own, where that is not wanted.
    pub async fn clear_draft(
        &self,
        draft: &v1::Draft,
        note: &str,
        told: Option<v1::Clearance>,
    ) -> Result<v1::Draft, ClientError> {
        let message = v1::ClearDraftRequest {
            name: draft.name.clone(),
            etag: draft.etag.clone(),
            note: note.to_owned(),
            clearance: told,
        };
        let answer = self
            .write(message, |channel, request| async move {
                clearance(channel).clear_draft(request).await
            })
            .await?;
        present(answer.draft, NO_DRAFT)
    }

    /// Gives a draft back; `note` says what is to be changed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn return_draft(
        &self,
        draft: &v1::Draft,
        note: &str,
    ) -> Result<v1::Draft, ClientError> {
        let message = v1::ReturnDraftRequest {
            name: draft.name.clone(),
            etag: draft.etag.clone(),
            note: note.to_owned(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                clearance(channel).return_draft(request).await
            })
            .await?;
        present(answer.draft, NO_DRAFT)
    }
}
