//! Following changes of records.
//!
//! What changed after a follower's cursor is sent again, as the caller may see it then; what it may
//! not see makes no message, not even an empty one. Records are looked at a few at a time, so that
//! nobody else waits. **Invariant:** the caller's token is asked for before every look and while a
//! slow caller is waited for, so that one that ended ends the stream.

use std::pin::Pin;
use std::time::Duration;

use corridor_proto::v1;
use corridor_rules::Reader;
use corridor_rules::row::{RecordKey, RecordRow};
use corridor_store::View;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::super::{Api, status};
use super::message;
use crate::desk;
use crate::edge;

/// Changes as a stream.
pub type Changes = Pin<Box<dyn Stream<Item = Result<v1::WatchRecordsResponse, Status>> + Send>>;

/// Between two looks, when nothing is heard of a change: also bounds how long an ended token works.
const LOOK: Duration = Duration::from_secs(2);
/// Rows looked at while the store is held.
const ROWS_AT_ONCE: usize = 200;
/// Messages that wait for a slow caller.
const QUEUED: usize = 4;

/// Follows changes after `cursor`; without one, begins with all records as they are now.
pub fn follow(api: Api, metadata: MetadataMap, cursor: Option<u64>) -> Changes {
    let (sender, receiver) = mpsc::channel(QUEUED);
    tokio::spawn(async move {
        let mut woken = api.desk.changes();
        let mut follower = Follower {
            api,
            metadata,
            sender,
            seen: cursor.unwrap_or(0),
            told: false,
        };
        loop {
            match follower.look().await {
                Ok(()) => {}
                Err(Some(error)) => {
                    let _ = follower.sender.send(Err(error)).await;
                    return;
                }
                Err(None) => return,
            }
            tokio::select! {
                Ok(()) = woken.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = follower.sender.closed() => return,
            }
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

struct Follower {
    api: Api,
    metadata: MetadataMap,
    sender: mpsc::Sender<Result<v1::WatchRecordsResponse, Status>>,
    /// The revision up to which the caller was told.
    seen: u64,
    /// Whether it was told a cursor.
    told: bool,
}

/// `None`: the caller is gone.
type Looked = Result<(), Option<Status>>;

impl Follower {
    /// Tells what changed since the last look, and then a cursor if there was anything.
    async fn look(&mut self) -> Looked {
        let reader = self.api.reader(&self.metadata)?;
        let store = self.api.desk.store().clone();
        let present = store.read(|view| view.revision);
        // A cursor of a later state than this: the folder was set back, and all is new again.
        let since = if self.seen > present { 0 } else { self.seen };
        let (seen, changed) = store.read(|view| (view.revision, view.changed_since(since)));
        let mut told = false;
        if let Some(keys) = changed {
            for keys in keys.chunks(ROWS_AT_ONCE) {
                told |= self.tell(|_| keys.to_vec(), since).await?.1;
            }
        } else {
            let mut after = None;
            loop {
                let rows = |view: &View<'_>| -> Vec<RecordKey> {
                    let keys = desk::keys(view, &reader, after, edge::now());
                    keys.take(ROWS_AT_ONCE).collect()
                };
                let (last, any) = self.tell(rows, since).await?;
                told |= any;
                match last {
                    Some(last) => after = Some(last),
                    None => break,
                }
            }
        }
        self.seen = seen;
        if told || !self.told {
            let cursor = self.api.cursors.seal(seen).map_err(status::no_randomness)?;
            self.told = true;
            let message = v1::WatchRecordsResponse {
                record: None,
                cursor,
            };
            self.send(message, &reader).await?;
        }
        Ok(())
    }

    /// Tells of those among some records that changed after a revision and that the caller may see;
    /// gives the last record looked at, and whether any was told.
    async fn tell(
        &self,
        which: impl FnOnce(&View<'_>) -> Vec<RecordKey>,
        since: u64,
    ) -> Result<(Option<RecordKey>, bool), Option<Status>> {
        let reader = self.api.reader(&self.metadata)?;
        let (last, records) = self.api.desk.store().read(|view| {
            let keys = which(view);
            let shown = keys.iter().filter_map(|key| {
                desk::comes_across(view, &reader, key, edge::now()).then_some(())?;
                let row = corridor_rules::Rows::row(view, key)?;
                (changed_at(view, key, &row) > since).then_some(())?;
                let shown = desk::show(view, key, &reader, edge::now(), false)?;
                Some(message::record(view, &shown, &reader, false))
            });
            let shown: Vec<v1::Record> = shown.collect();
            (keys.last().copied(), shown)
        });
        let any = !records.is_empty();
        for record in records {
            let message = v1::WatchRecordsResponse {
                record: Some(record),
                cursor: String::new(),
            };
            self.send(message, &reader).await?;
        }
        Ok((last, any))
    }

    /// Waits until the caller takes a message, as long as its token is that of one who may see it.
    async fn send(&self, message: v1::WatchRecordsResponse, seen_by: &Reader) -> Looked {
        loop {
            let place = tokio::time::timeout(LOOK, self.sender.reserve()).await;
            if self.api.reader(&self.metadata)? != *seen_by {
                return Err(Some(status::roles_changed()));
            }
            match place {
                Ok(Ok(place)) => {
                    place.send(Ok(message));
                    return Ok(());
                }
                Ok(Err(_)) => return Err(None),
                Err(_) => {}
            }
        }
    }
}

/// The last revision at which a record, or what may be seen of its RCP, changed.
fn changed_at(view: &View<'_>, key: &RecordKey, row: &RecordRow) -> u64 {
    let peer = view.peers.get(&key.rcp).map_or(0, |peer| peer.revision);
    row.revision.max(peer)
}
