//! Reads all records in force with what proves them, and verifies each.
//!
//! **Invariant:** a record is given only after it verified; after a broken connection the reading
//! goes on behind the last batch given.

use std::collections::BTreeMap;
use std::time::Duration;

use corridor_proto::RcpId;
use corridor_proto::wire::Identity as Papers;
use prost::Message;
use tonic::codec::Streaming;

use crate::calls::record_service as service;
use crate::client::{Client, jitter};
use crate::error::ClientError;
use crate::limits::{RETRIES_MAX, RETRY_MAX};
use crate::names::{RcpName, RecordName};
use crate::proof::VerifiedAnswer;
use crate::v1;

/// Some records.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Each verified here, with the bytes of a file that proves it: [`crate::read_proof_file`].
    pub records: Vec<(VerifiedAnswer, Vec<u8>)>,
    /// Where to go on after this batch: [`Client::read_all`].
    pub cursor: String,
    /// Set in the last batch alone: [`Client::watch`] from it on tells of all that changed since.
    pub watch_cursor: Option<String>,
}

/// A reading of all records, batch by batch.
#[derive(Debug)]
pub struct ReadAll {
    client: Client,
    rcp: Option<RcpId>,
    cursor: String,
    stream: Option<Streaming<v1::ReadRecordsResponse>>,
    identities: BTreeMap<RcpId, v1::Identity>,
    heads: BTreeMap<String, v1::LogHead>,
    is_over: bool,
    failures: u32,
}

impl Client {
    /// Reads all records in force of `rcp`, or of all, behind `cursor`; without one, from the
    /// beginning. That none is left out is the node's word.
    pub fn read_all(&self, rcp: Option<RcpId>, cursor: Option<String>) -> ReadAll {
        ReadAll {
            client: self.clone(),
            rcp,
            cursor: cursor.unwrap_or_default(),
            stream: None,
            identities: BTreeMap::new(),
            heads: BTreeMap::new(),
            is_over: false,
            failures: 0,
        }
    }
}

impl ReadAll {
    /// The next batch; `None` behind the last one.
    ///
    /// # Errors
    /// [`ClientError::Unverified`] for the first record that does not verify; a refusal by the
    /// node; [`ClientError::Unreachable`] after a few tries to go on.
    pub async fn next(&mut self) -> Result<Option<Batch>, ClientError> {
        while !self.is_over {
            match self.received().await {
                Ok(Some(message)) => {
                    self.failures = 0;
                    return self.take(message).map(Some);
                }
                Ok(None) => self.again(None).await?,
                Err(error) if error.is_transient() => self.again(Some(error)).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Waits before the stream is opened anew.
    async fn again(&mut self, why: Option<ClientError>) -> Result<(), ClientError> {
        self.stream = None;
        if self.failures >= RETRIES_MAX {
            let ended = ClientError::Answer("ended before its last batch");
            return Err(why.unwrap_or(ended));
        }
        let asked = why.and_then(|error| error.fault()?.retry_after);
        let asked = asked.unwrap_or(Duration::ZERO).min(RETRY_MAX);
        tokio::time::sleep(jitter(self.failures, RETRY_MAX).max(asked)).await;
        self.failures += 1;
        Ok(())
    }

    async fn received(&mut self) -> Result<Option<v1::ReadRecordsResponse>, ClientError> {
        if self.stream.is_none() {
            self.stream = Some(self.open().await?);
            self.identities.clear();
            self.heads.clear();
        }
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        let message = stream.message().await;
        message.map_err(|status| self.client.error(status))
    }

    async fn open(&self) -> Result<Streaming<v1::ReadRecordsResponse>, ClientError> {
        let all = || "rcps/-".to_owned();
        let message = v1::ReadRecordsRequest {
            parent: self.rcp.map_or_else(all, |rcp| RcpName(rcp).to_string()),
            cursor: self.cursor.clone(),
        };
        let call = self.client.open(message, |channel, request| async move {
            service(channel).read_records(request).await
        });
        call.await
    }

    fn take(&mut self, message: v1::ReadRecordsResponse) -> Result<Batch, ClientError> {
        for identity in message.identities {
            if let Some(rcp) = Papers::claimed(&identity) {
                self.identities.insert(rcp, identity);
            }
        }
        for head in message.heads {
            self.heads.insert(head.circle.clone(), head);
        }
        let records = message.records.into_iter();
        let records: Result<Vec<_>, _> = records.map(|record| self.verified(record)).collect();
        // One that does not verify is not read past.
        let records = records?;
        self.cursor.clone_from(&message.cursor);
        let watch_cursor = Some(message.watch_cursor).filter(|cursor| !cursor.is_empty());
        self.is_over = watch_cursor.is_some();
        Ok(Batch {
            records,
            cursor: message.cursor,
            watch_cursor,
        })
    }

    fn verified(&self, record: v1::ProvedRecord) -> Result<(VerifiedAnswer, Vec<u8>), ClientError> {
        let name: RecordName = record.name.parse()?;
        if self.rcp.is_some_and(|rcp| rcp != name.rcp) {
            return Err(ClientError::Answer("is about another RCP"));
        }
        let head = self.heads.get(&record.circle);
        let head = head.ok_or(ClientError::Answer("lacks the head of a log"))?;
        let proof = v1::ProveRecordResponse {
            identity: self.identities.get(&name.rcp).cloned(),
            raw: record.raw,
            seed: head.seed.clone(),
            index: record.index,
            line: record.line,
            proof: record.proof,
            checkpoint: head.checkpoint.clone(),
        };
        let file = proof.encode_to_vec();
        Ok((self.client.verify(&name, proof)?, file))
    }
}
