//! Follows the changes of records for as long as one likes.
//!
//! **Invariant:** no change is left out; after a broken connection some may come a second time.

use std::time::Duration;

use tonic::codec::Streaming;

use crate::calls::record_service as service;
use crate::client::{Client, jitter};
use crate::error::ClientError;
use crate::limits::WATCH_PAUSE_MAX;
use crate::v1;

/// One change.
#[derive(Clone, Debug)]
pub struct Change {
    /// The record as the caller may see it now; `None` when the caller has caught up.
    pub record: Option<v1::Record>,
    /// Where to resume after this; set at the end of a batch only.
    pub cursor: Option<String>,
}

/// A stream of changes that opens itself again where it broke, from its last cursor on.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    cursor: Option<String>,
    stream: Option<Streaming<v1::WatchRecordsResponse>>,
    failures: u32,
}

impl Client {
    /// Follows changes after `cursor`; without one, all records as they are now and then changes.
    pub fn watch(&self, cursor: Option<String>) -> Watch {
        Watch {
            client: self.clone(),
            cursor,
            stream: None,
            failures: 0,
        }
    }
}

impl Watch {
    /// Where a later watch can resume: the last cursor seen.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Waits for the next change. While the node cannot be reached it goes on trying, with pauses
    /// of at most half a minute. Cancel safe: a change is either given or still to come.
    ///
    /// # Errors
    /// What will not mend by itself: [`ClientError::WrongKey`], a refusal by the node, an answer
    /// that does not verify.
    pub async fn next(&mut self) -> Result<Change, ClientError> {
        loop {
            let failed = match self.receive().await {
                Ok(Some(change)) => return self.take(change),
                Ok(None) => None,
                Err(error) if error.is_transient() => error.fault().and_then(|f| f.retry_after),
                Err(error) => return Err(error),
            };
            self.stream = None;
            let asked = failed.unwrap_or(Duration::ZERO).min(WATCH_PAUSE_MAX);
            let pause = jitter(self.failures, WATCH_PAUSE_MAX).max(asked);
            self.failures = self.failures.saturating_add(1);
            tokio::time::sleep(pause).await;
        }
    }

    /// The next message; `None` when the node ended the stream.
    async fn receive(&mut self) -> Result<Option<v1::WatchRecordsResponse>, ClientError> {
        if self.stream.is_none() {
            let message = v1::WatchRecordsRequest {
                cursor: self.cursor.clone().unwrap_or_default(),
            };
            let call = self.client.open(message, |channel, request| async move {
                service(channel).watch_records(request).await
            });
            self.stream = Some(call.await?);
        }
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        match stream.message().await {
            Ok(message) => Ok(message),
            Err(status) => {
                self.stream = None;
                Err(self.client.error(status))
            }
        }
    }

    fn take(&mut self, message: v1::WatchRecordsResponse) -> Result<Change, ClientError> {
        self.failures = 0;
        if let Some(record) = &message.record {
            self.client.verify_raw(record)?;
        }
        let cursor = Some(message.cursor).filter(|cursor| !cursor.is_empty());
        if cursor.is_some() {
            self.cursor.clone_from(&cursor);
        }
        Ok(Change {
            record: message.record,
            cursor,
        })
    }
}
