//! Answers that come one after the other, as fast as their caller takes them.
//!
//! **Invariant:** while a slow caller is waited for its token is asked for again, and few answers
//! wait for it.

use std::pin::Pin;
use std::time::Duration;

use corridor_rules::Reader;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use super::super::budgets::Charge;
use super::super::{Api, status};

/// Answers as a stream.
pub type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// `None`: the caller is gone.
pub type Looked = Result<(), Option<Status>>;

/// Between two looks when nothing is heard: also bounds how long an ended token works.
pub const LOOK: Duration = Duration::from_secs(2);
/// Answers that wait for a slow caller.
const QUEUED: usize = 4;

/// Who is answered.
pub struct Caller<T> {
    /// What all services share.
    pub api: Api,
    charge: Option<Charge>,
    metadata: MetadataMap,
    sender: mpsc::Sender<Result<T, Status>>,
}

impl<T: Send + 'static> Caller<T> {
    /// Whoever made a call, and the stream of its answers.
    pub fn of<R>(api: Api, request: &Request<R>) -> (Self, Answers<T>) {
        let (sender, receiver) = mpsc::channel(QUEUED);
        let caller = Self {
            api,
            charge: Charge::of_call(request),
            metadata: request.metadata().clone(),
            sender,
        };
        (caller, Box::pin(ReceiverStream::new(receiver)))
    }

    /// As whom the caller reads, now.
    pub fn reader(&self) -> Result<Reader, Status> {
        self.api.reader(&self.metadata)
    }

    /// Waits until the caller takes an answer, as long as its token is that of one who may see it.
    pub async fn send(&self, answer: T, seen_by: &Reader) -> Looked {
        loop {
            let place = timeout(LOOK, self.sender.reserve()).await;
            if self.reader()? != *seen_by {
                return Err(Some(status::roles_changed()));
            }
            match place {
                Ok(Ok(place)) => {
                    place.send(Ok(answer));
                    return Ok(());
                }
                Ok(Err(_)) => return Err(None),
                Err(_) => {}
            }
        }
    }

    /// Takes from the caller's budget what looking at records costs. One that asks for more than
    /// its budget has gets the rest as that fills again: so long this waits.
    pub async fn looked_at(&self, rows: usize) -> Looked {
        let Some(charge) = &self.charge else {
            return Ok(());
        };
        charge.looked_at(rows);
        let wait = Duration::from_millis(charge.take(0));
        if !wait.is_zero() && timeout(wait, self.is_gone()).await.is_ok() {
            return Err(None);
        }
        Ok(())
    }

    /// Ends with an error; nobody need be there to hear it.
    pub async fn refuse(&self, error: Status) {
        let _ = self.sender.send(Err(error)).await;
    }

    /// Until the caller is gone.
    pub async fn is_gone(&self) {
        self.sender.closed().await;
    }
}
