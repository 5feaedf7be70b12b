//! Calls about records.
//!
//! **Invariant:** a call whose name does not say "unverified" gives nothing as a record's content
//! that did not verify here, or says so; an answer about another record than the one asked for is
//! refused.

use corridor_proto::charter::Charter;
use corridor_proto::record::VerifiedRecord;
use corridor_proto::{RcpId, Reason, RecordId, Refusal};
use prost::Message;

use super::{Wanted, present};
use crate::check::CheckedRecord;
use crate::client::{Authorised, Client};
use crate::error::ClientError;
use crate::limits::ANSWER_BYTES_MAX;
use crate::names::{RcpName, RecordName};
use crate::proof::{VerifiedAnswer, signed_record, verify_proof_beside};
use crate::stub::record_service_client::RecordServiceClient;
use crate::v1;

pub(crate) fn service(channel: Authorised) -> RecordServiceClient<Authorised> {
    RecordServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

const NO_RECORD: &str = "names no record";

/// A record as the node tells of it.
#[derive(Clone, Debug)]
pub struct ReadRecord {
    /// What the node says.
    pub record: v1::Record,
    /// Header and body, where the answer has the signed bytes and the charter of their RCP was
    /// seen on this connection. That it stands in a circle is not verified by this:
    /// [`Client::verified_record`] does that.
    pub verified: Option<VerifiedRecord>,
}

/// One page of records as the node tells of them.
#[derive(Clone, Debug)]
pub struct RecordPage {
    /// The records, RCP by RCP, in an order that stays, without signed bytes.
    pub records: Vec<v1::Record>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

/// What is to be withdrawn, and why.
#[derive(Clone, Debug)]
pub struct WithdrawalRequest {
    /// Versions up to this one; `None` for the whole record.
    pub up_to: Option<u64>,
    /// Why.
    pub code: v1::WithdrawalCode,
    /// A note to readers, in its languages.
    pub note: Vec<v1::LanguageText>,
    /// The record of ours that replaces it.
    pub replacement: Option<RecordId>,
}

/// Publishing.
impl Client {
    /// Signs a draft and lets it stand in circles, by their names or resource names. No circles:
    /// every circle where the record stands.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn publish(
        &self,
        name: &RecordName,
        circles: &[String],
    ) -> Result<v1::Record, ClientError> {
        self.publish_meant(name, circles, "").await
    }

    /// The same, of the draft with this etag and no other; empty means any.
    ///
    /// # Errors
    /// [`ClientError`]; the reason `CHANGED_MEANWHILE` if another one is there.
    pub async fn publish_meant(
        &self,
        name: &RecordName,
        circles: &[String],
        etag: &str,
    ) -> Result<v1::Record, ClientError> {
        let message = v1::PublishRecordRequest {
            name: name.to_string(),
            circles: circles.to_vec(),
            validate_only: false,
            etag: etag.to_owned(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).publish_record(request).await
            })
            .await?;
        present(answer.record, NO_RECORD)
    }

    /// Signs several drafts, at most 256, and lets them stand in the same circles: all of them or
    /// none. Gives their versions, in the same order.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn publish_all(
        &self,
        names: &[RecordName],
        circles: &[String],
    ) -> Result<Vec<u64>, ClientError> {
        let message = v1::PublishRecordsRequest {
            names: names.iter().map(ToString::to_string).collect(),
            circles: circles.to_vec(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).publish_records(request).await
            })
            .await?;
        Ok(answer.versions)
    }

    /// Whether a draft could be published like this; changes nothing.
    ///
    /// # Errors
    /// [`ClientError`]; what the draft lacks is in the fields of its [`crate::Fault`].
    pub async fn check_publish(
        &self,
        name: &RecordName,
        circles: &[String],
    ) -> Result<(), ClientError> {
        let message = v1::PublishRecordRequest {
            name: name.to_string(),
            circles: circles.to_vec(),
            validate_only: true,
            ..Default::default()
        };
        self.read(message, |channel, request| async move {
            service(channel).publish_record(request).await
        })
        .await?;
        Ok(())
    }

    /// Lets the newest version of a record stand in more circles.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn share(
        &self,
        name: &RecordName,
        circles: &[String],
    ) -> Result<v1::Record, ClientError> {
        let message = v1::ShareRecordRequest {
            name: name.to_string(),
            circles: circles.to_vec(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).share_record(request).await
            })
            .await?;
        present(answer.record, NO_RECORD)
    }

    /// Lets a record leave circles.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn narrow(
        &self,
        name: &RecordName,
        circles: &[String],
    ) -> Result<v1::Record, ClientError> {
        let message = v1::NarrowRecordRequest {
            name: name.to_string(),
            circles: circles.to_vec(),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).narrow_record(request).await
            })
            .await?;
        present(answer.record, NO_RECORD)
    }

    /// Withdraws a record everywhere, for ever.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn withdraw(
        &self,
        name: &RecordName,
        what: WithdrawalRequest,
    ) -> Result<v1::Record, ClientError> {
        let replacement = what.replacement.map(|record| RecordName {
            rcp: name.rcp,
            record,
        });
        let message = v1::WithdrawRecordRequest {
            name: name.to_string(),
            up_to: what.up_to.unwrap_or(0),
            code: what.code.into(),
            note: what.note,
            replacement: replacement.map_or_else(String::new, |name| name.to_string()),
        };
        let answer = self
            .write(message, |channel, request| async move {
                service(channel).withdraw_record(request).await
            })
            .await?;
        present(answer.record, NO_RECORD)
    }
}

/// Reading.
impl Client {
    /// One record.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Unverified`] for signed bytes that do not verify under the
    /// charter seen of their RCP.
    pub async fn record(&self, name: &RecordName) -> Result<ReadRecord, ClientError> {
        let message = v1::GetRecordRequest {
            name: name.to_string(),
        };
        let answer = self
            .read(message, |channel, request| async move {
                service(channel).get_record(request).await
            })
            .await?;
        let record = present(answer.record, NO_RECORD)?;
        if record.name != name.to_string() {
            return Err(ClientError::Answer("is about another record"));
        }
        let verified = self.verify_raw(&record)?;
        Ok(ReadRecord { record, verified })
    }

    /// All records of `rcp`, or of all, each verified here from a proof of its own; `all` lists
    /// withdrawn records and those in no circle as well. That the list is complete is the node's
    /// word.
    ///
    /// # Errors
    /// As [`Client::records_where`].
    pub async fn records(
        &self,
        rcp: Option<RcpId>,
        all: bool,
    ) -> Result<Vec<CheckedRecord>, ClientError> {
        self.records_where(&everything(rcp, all)).await
    }

    /// The same as the node tells of them: enough to know their names, not to use what they say.
    ///
    /// # Errors
    /// As [`Client::unverified_where`].
    pub async fn unverified_records(
        &self,
        rcp: Option<RcpId>,
        all: bool,
    ) -> Result<Vec<v1::Record>, ClientError> {
        self.unverified_where(&everything(rcp, all)).await
    }

    /// A record with all that proves it, verified here from the charter of its RCP alone.
    ///
    /// # Errors
    /// [`ClientError::Unverified`] for the first thing that does not verify, or for a charter that
    /// ends before one that was seen on this connection, or contradicts it.
    pub async fn verified_record(&self, name: &RecordName) -> Result<VerifiedAnswer, ClientError> {
        self.verify(name, self.prove(name).await?)
    }

    /// The same, and a file that proves it to whoever has no node: [`crate::read_proof_file`].
    ///
    /// # Errors
    /// As [`Client::verified_record`].
    pub async fn proof_file(
        &self,
        name: &RecordName,
    ) -> Result<(VerifiedAnswer, Vec<u8>), ClientError> {
        let proof = self.prove(name).await?;
        let file = proof.encode_to_vec();
        Ok((self.verify(name, proof)?, file))
    }

    async fn prove(&self, name: &RecordName) -> Result<v1::ProveRecordResponse, ClientError> {
        let message = v1::ProveRecordRequest {
            name: name.to_string(),
        };
        self.read(message, |channel, request| async move {
            service(channel).prove_record(request).await
        })
        .await
    }

    pub(crate) fn verify(
        &self,
        name: &RecordName,
        proof: v1::ProveRecordResponse,
    ) -> Result<VerifiedAnswer, ClientError> {
        let known = self.charters().of(&name.rcp).cloned();
        let answer = verify_proof_beside(name, proof, known.as_ref())?;
        self.charters().learn(&answer.identity().charter)?;
        Ok(answer)
    }

    /// The records of this node that a partner may read now; with a circle of ours, what it could
    /// read if it became a reader of that.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn preview(
        &self,
        peer: RcpId,
        circle: Option<&str>,
    ) -> Result<v1::PreviewPeerResponse, ClientError> {
        let message = v1::PreviewPeerRequest {
            peer: RcpName(peer).to_string(),
            circle: circle.unwrap_or_default().to_owned(),
        };
        self.read(message, |channel, request| async move {
            service(channel).preview_peer(request).await
        })
        .await
    }

    /// Why a partner may or may not read a record of ours, circle by circle.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn explain(
        &self,
        name: &RecordName,
        peer: RcpId,
    ) -> Result<v1::ExplainRecordResponse, ClientError> {
        let message = v1::ExplainRecordRequest {
            name: name.to_string(),
            peer: RcpName(peer).to_string(),
        };
        self.read(message, |channel, request| async move {
            service(channel).explain_record(request).await
        })
        .await
    }

    /// Verifies the signed bytes of an answer where they and the charter are there.
    pub(crate) fn verify_raw(
        &self,
        record: &v1::Record,
    ) -> Result<Option<VerifiedRecord>, ClientError> {
        let name: RecordName = record.name.parse()?;
        let charters = self.charters();
        let known = charters.of(&name.rcp).zip(record.raw.as_ref());
        let Some((charter, raw)) = known else {
            return Ok(None);
        };
        Ok(Some(verify_bytes(&name, record.version, raw, charter)?))
    }
}

const fn everything(rcp: Option<RcpId>, all: bool) -> Wanted {
    Wanted {
        rcp,
        filter: String::new(),
        all,
    }
}

/// Verifies signed bytes that an answer gives as version `version` of a record.
fn verify_bytes(
    name: &RecordName,
    version: u64,
    raw: &v1::RawRecord,
    charter: &Charter,
) -> Result<VerifiedRecord, Refusal> {
    let verified = signed_record(raw.clone())?.verify(charter)?;
    let header = verified.header();
    if header.record != name.record || (version != 0 && header.version != version) {
        return Err(Refusal::new("record identifier", Reason::WrongHash));
    }
    Ok(verified)
}
