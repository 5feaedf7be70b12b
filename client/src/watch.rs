//! Follows the changes of records for as long as one likes, and verifies each.
//!
//! **Invariant:** no change is left out and none overtakes another; after a broken connection some
//! may come a second time.

use std::time::Duration;

use tonic::codec::Streaming;

use crate::calls::record_service as service;
use crate::check::CheckedRecord;
use crate::client::{Client, jitter};
use crate::error::ClientError;
use crate::in_order::InOrder;
use crate::limits::{PROOFS_AT_ONCE, WATCH_PAUSE_MAX};
use crate::v1;

/// One change.
#[derive(Clone, Debug)]
pub struct Change {
    /// The record as the caller may see it now, verified here or said not to be; `None` when the
    /// caller has caught up.
    pub record: Option<CheckedRecord>,
    /// Where to resume after this; set at the end of a batch only.
    pub cursor: Option<String>,
}

/// A stream of changes that opens itself again where it broke, from its last cursor on.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    cursor: Option<String>,
    stream: Option<Streaming<v1::WatchRecordsResponse>>,
    /// Whether the node ended the stream.
    ended: bool,
    /// Changes that came and are being verified.
    checks: InOrder<Result<Change, ClientError>>,
    failures: u32,
}

impl Client {
    /// Follows changes after `cursor`; without one, all records as they are now and then changes.
    pub fn watch(&self, cursor: Option<String>) -> Watch {
        Watch {
            client: self.clone(),
            cursor,
            stream: None,
            ended: false,
            checks: InOrder::new(),
            failures: 0,
        }
    }
}

impl Watch {
    /// Where a later watch can resume: the last cursor given.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Waits for the next change. While the node cannot be reached it goes on trying, with pauses
    /// of at most half a minute. Cancel safe: a change is either given or still to come.
    ///
    /// # Errors
    /// What will not mend by itself: [`ClientError::WrongKey`], a refusal by the node. A record
    /// that does not verify is no error: its [`crate::Check`] says why.
    pub async fn next(&mut self) -> Result<Change, ClientError> {
        loop {
            let outcome = self.checked().await;
            if let Ok(Some(change)) = outcome {
                self.failures = 0;
                if change.cursor.is_some() {
                    self.cursor.clone_from(&change.cursor);
                }
                return Ok(change);
            }
            // All since the last cursor given comes again.
            self.stream = None;
            self.checks = InOrder::new();
            let failed = match outcome {
                Err(error) if !error.is_transient() => return Err(error),
                Err(error) => error.fault().and_then(|fault| fault.retry_after),
                Ok(_) => None,
            };
            let asked = failed.unwrap_or(Duration::ZERO).min(WATCH_PAUSE_MAX);
            let pause = jitter(self.failures, WATCH_PAUSE_MAX).max(asked);
            self.failures = self.failures.saturating_add(1);
            tokio::time::sleep(pause).await;
        }
    }

    /// The next change that is verified, while more are being received; `None` when the node ended
    /// the stream.
    async fn checked(&mut self) -> Result<Option<Change>, ClientError> {
        if self.stream.is_none() {
            self.stream = Some(self.open().await?);
            self.ended = false;
        }
        while let Some(stream) = &mut self.stream {
            let may_take = !self.ended && self.checks.len() < PROOFS_AT_ONCE;
            tokio::select! {
                biased;
                Some(change) = self.checks.next() => return change.map(Some),
                message = stream.message(), if may_take => {
                    match message.map_err(|status| self.client.error(status))? {
                        Some(message) => self.take(message),
                        None => self.ended = true,
                    }
                }
                else => break,
            }
        }
        Ok(None)
    }

    async fn open(&self) -> Result<Streaming<v1::WatchRecordsResponse>, ClientError> {
        let message = v1::WatchRecordsRequest {
            cursor: self.cursor.clone().unwrap_or_default(),
        };
        let call = self.client.open(message, |channel, request| async move {
            service(channel).watch_records(request).await
        });
        call.await
    }

    fn take(&mut self, message: v1::WatchRecordsResponse) {
        let client = self.client.clone();
        self.checks.begin(async move {
            let record = match message.record {
                Some(record) => Some(client.check(record).await?),
                None => None,
            };
            let cursor = Some(message.cursor).filter(|cursor| !cursor.is_empty());
            Ok(Change { record, cursor })
        });
    }
}
