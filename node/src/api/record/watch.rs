//! Following changes of records.
//!
//! The cursor is the store's revision: a record whose row changed after it is sent again, as the
//! caller may see it then. **Invariant:** the caller's token is asked for at every look, so that
//! one that ended ends the stream.

use std::pin::Pin;
use std::time::Duration;

use corridor_proto::v1;
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

/// Reads a cursor; an empty one is the beginning.
///
/// # Errors
/// `INVALID_ARGUMENT`.
pub fn read_cursor(cursor: &str) -> Result<u64, Status> {
    if cursor.is_empty() {
        return Ok(0);
    }
    let bad = || status::bad_field("cursor", "is not one of this node; begin again without it");
    cursor
        .strip_prefix("r")
        .and_then(|number| number.parse().ok())
        .ok_or_else(bad)
}

/// Follows changes after `cursor`.
pub fn follow(api: Api, metadata: MetadataMap, mut cursor: u64) -> Changes {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let mut woken = api.desk.changes();
        let mut first = true;
        loop {
            let looked = look(&api, &metadata, cursor, first);
            first = false;
            let (changes, seen) = match looked {
                Ok(looked) => looked,
                Err(error) => {
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            };
            for change in changes {
                if sender.send(Ok(change)).await.is_err() {
                    return;
                }
            }
            cursor = seen;
            tokio::select! {
                Ok(()) = woken.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = sender.closed() => return,
            }
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

fn look(
    api: &Api,
    metadata: &MetadataMap,
    cursor: u64,
    first: bool,
) -> Result<(Vec<v1::WatchRecordsResponse>, u64), Status> {
    let reader = api.reader(metadata)?;
    api.desk.store().read(|view| {
        let seen = view.revision;
        let mut changes = Vec::new();
        if seen > cursor || first {
            for (key, row) in view.rows(None) {
                if row.revision <= cursor {
                    continue;
                }
                if let Some(shown) = desk::show(view, &key, &reader, edge::now(), false) {
                    let record = Some(message::record(view, &shown, false));
                    changes.push(v1::WatchRecordsResponse {
                        record,
                        cursor: String::new(),
                    });
                }
            }
            let cursor = format!("r{seen}");
            changes.push(v1::WatchRecordsResponse {
                record: None,
                cursor,
            });
        }
        Ok((changes, seen))
    })
}
