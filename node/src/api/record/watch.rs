//! Following changes of records.
//!
//! What changed after a follower's cursor is sent again, as the caller may see it then; what it may
//! not see makes no message, not even an empty one. Records are looked at a few at a time, so that
//! nobody else waits. **Invariant:** the caller's token is asked for before every look and while a
//! slow caller is waited for, so that one that ended ends the stream.

use corridor_proto::v1;
use corridor_rules::row::{RecordKey, RecordRow};
use corridor_store::View;
use tonic::Status;

use super::super::status;
use super::message;
use super::stream::{Answers, Caller, LOOK, Looked};
use crate::desk;
use crate::edge;
use crate::limits::ROWS_AT_ONCE;

/// Changes as a stream.
pub type Changes = Answers<v1::WatchRecordsResponse>;

/// Follows changes after `cursor`; without one, begins with all records as they are now.
pub fn follow(
    (caller, changes): (Caller<v1::WatchRecordsResponse>, Changes),
    cursor: Option<u64>,
) -> Changes {
    tokio::spawn(async move {
        let mut woken = caller.api.desk.changes();
        let mut follower = Follower {
            caller,
            seen: cursor.unwrap_or(0),
            told: false,
        };
        loop {
            match follower.look().await {
                Ok(()) => {}
                Err(Some(error)) => {
                    return follower.caller.refuse(error).await;
                }
                Err(None) => return,
            }
            tokio::select! {
                Ok(()) = woken.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = follower.caller.is_gone() => return,
            }
        }
    });
    changes
}

struct Follower {
    caller: Caller<v1::WatchRecordsResponse>,
    /// The revision up to which the caller was told.
    seen: u64,
    /// Whether it was told a cursor.
    told: bool,
}

impl Follower {
    /// Tells what changed since the last look, and then a cursor if there was anything.
    async fn look(&mut self) -> Looked {
        let reader = self.caller.reader()?;
        let store = self.caller.api.desk.store().clone();
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
            let cursor = self
                .caller
                .api
                .cursors
                .seal(seen)
                .map_err(status::no_randomness)?;
            self.told = true;
            let message = v1::WatchRecordsResponse {
                record: None,
                cursor,
            };
            self.caller.send(message, &reader).await?;
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
        let reader = self.caller.reader()?;
        let store = self.caller.api.desk.store();
        let keys = store.read(which);
        let mut any = false;
        for key in &keys {
            let record = store.read(|view| {
                desk::comes_across(view, &reader, key, edge::now()).then_some(())?;
                let row = corridor_rules::Rows::row(view, key)?;
                (changed_at(view, key, &row) > since).then_some(())?;
                let shown = desk::show(view, key, &reader, edge::now(), false)?;
                Some(message::record(view, &shown, &reader, false))
            });
            if record.is_some() {
                any = true;
                let cursor = String::new();
                let message = v1::WatchRecordsResponse { record, cursor };
                self.caller.send(message, &reader).await?;
            }
        }
        self.caller.looked_at(keys.len()).await?;
        Ok((keys.last().copied(), any))
    }
}

/// The last revision at which a record, or what may be seen of its RCP, changed.
fn changed_at(view: &View<'_>, key: &RecordKey, row: &RecordRow) -> u64 {
    let peer = view.peers.get(&key.rcp).map_or(0, |peer| peer.revision);
    row.revision.max(peer)
}
