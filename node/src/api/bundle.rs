//! Bundles for partners that this node cannot meet.

use std::fs::File;
use std::io::{self, Write};
use std::pin::Pin;

use corridor_proto::v1;
use tokio::sync::{OwnedMutexGuard, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::rpc::bundle_service_server::BundleService;
use super::{Api, audit, names, status};
use crate::bundles::{BundleError, Bundles, Order, Proved};
use crate::limits::{
    BUNDLE_BYTES_MAX, BUNDLE_PARTS_TOLD, TABLE_CHUNK_BYTES, TABLE_QUEUED, UPLOAD_PAUSE,
};
use crate::operate::access::Right;

/// Answers as they come.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What runs in a thread of its own.
async fn apart<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, BundleError> + Send + 'static,
) -> Result<T, Status> {
    match tokio::task::spawn_blocking(act).await {
        Ok(outcome) => outcome.map_err(status::bundle),
        Err(error) => {
            tracing::error!(%error, "bundle");
            let why = "something in it breaks its reader".to_owned();
            Err(status::bundle(BundleError::Damaged(why)))
        }
    }
}

/// Takes a file in, as it comes.
async fn received(
    bundles: &Bundles,
    mut chunks: impl Stream<Item = Result<Vec<u8>, Status>> + Unpin,
) -> Result<File, Status> {
    let mut file = bundles.file().map_err(status::bundle)?;
    let mut bytes: u64 = 0;
    loop {
        let next = tokio::time::timeout(UPLOAD_PAUSE, chunks.next()).await;
        let Some(chunk) = next.map_err(|_| status::bundle(BundleError::TooSlow))? else {
            break;
        };
        let chunk = chunk?;
        if chunk.is_empty() {
            return Err(status::bad_field(
                "chunk",
                "is empty; send a piece of the file",
            ));
        }
        bytes = bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if bytes > BUNDLE_BYTES_MAX {
            return Err(status::bundle(BundleError::TooLarge(BUNDLE_BYTES_MAX)));
        }
        file = apart(move || {
            let written = file.write_all(&chunk);
            written.map(|()| file).map_err(BundleError::Input)
        })
        .await?;
    }
    Ok(file)
}

/// A file that came, with what it proved.
async fn proved(
    bundles: &Bundles,
    chunks: impl Stream<Item = Result<Vec<u8>, Status>> + Unpin,
    takes_in: bool,
) -> Result<(File, Proved, OwnedMutexGuard<()>), Status> {
    let file = received(bundles, chunks).await?;
    // While a file comes, slowly, others may be read; whoever hangs up ends no reading.
    let alone = bundles.alone().map_err(status::bundle)?;
    let bundles = bundles.clone();
    let proved = apart(move || {
        let proved = bundles.prove(&file, takes_in)?;
        Ok((file, proved, alone))
    });
    let proved = proved.await?;
    audit::about(names::rcp(&proved.1.sender()));
    Ok(proved)
}

/// Hands a bundle over in pieces.
struct Pieces {
    sender: mpsc::Sender<Result<v1::MakeBundleResponse, Status>>,
    waiting: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= TABLE_CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.waiting);
        let answer = v1::MakeBundleResponse {
            chunk,
            bundle: None,
        };
        let sent = self.sender.blocking_send(Ok(answer));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[tonic::async_trait]
impl BundleService for Api {
    type MakeBundleStream = Answers<v1::MakeBundleResponse>;
    type ImportBundleStream = Answers<v1::ImportBundleResponse>;

    async fn make_bundle(
        &self,
        request: Request<v1::MakeBundleRequest>,
    ) -> Result<Response<Self::MakeBundleStream>, Status> {
        self.allow(request.metadata(), Right::Share)?;
        let request = request.into_inner();
        let order = Order {
            receiver: names::parse_rcp("name", &request.name)?,
            everything: request.everything,
            not_heard_from: request.not_heard_from,
        };
        let ready = self.bundles.ready(&order).map_err(status::bundle)?;
        let (sender, receiver) = mpsc::channel(TABLE_QUEUED);
        let bundles = self.bundles.clone();
        tokio::spawn(async move {
            let mut pieces = Pieces {
                sender: sender.clone(),
                waiting: Vec::new(),
            };
            let made = apart(move || {
                let bundle = bundles.make(ready, &mut pieces)?;
                pieces.flush().map_err(BundleError::Output)?;
                Ok(bundle)
            });
            let last = made.await.map(|bundle| v1::MakeBundleResponse {
                chunk: Vec::new(),
                bundle: Some(bundle),
            });
            // Nobody listens any more: then nobody is told.
            let _ = sender.send(last).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn inspect_bundle(
        &self,
        request: Request<Streaming<v1::InspectBundleRequest>>,
    ) -> Result<Response<v1::InspectBundleResponse>, Status> {
        self.allow(request.metadata(), Right::Read)?;
        let chunks = request.into_inner().map(|part| part.map(|part| part.chunk));
        let (file, proved, _alone) = proved(&self.bundles, chunks, false).await?;
        let told = self.bundles.tell(&file, &proved).map_err(status::bundle)?;
        Ok(Response::new(v1::InspectBundleResponse {
            bundle: Some(told),
        }))
    }

    async fn import_bundle(
        &self,
        request: Request<Streaming<v1::ImportBundleRequest>>,
    ) -> Result<Response<Self::ImportBundleStream>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let chunks = request.into_inner().map(|part| part.map(|part| part.chunk));
        // Before the answer begins: what is no bundle for us is refused, and the audit knows whose
        // it is.
        let (file, proved, alone) = proved(&self.bundles, chunks, true).await?;
        let (sender, receiver) = mpsc::channel(TABLE_QUEUED);
        let bundles = self.bundles.clone();
        tokio::spawn(async move {
            let progress = sender.clone();
            let taken = apart(move || {
                let _alone = alone;
                bundles.take(&file, proved, &mut |parts| {
                    if parts % BUNDLE_PARTS_TOLD == 0 {
                        let answer = v1::ImportBundleResponse {
                            parts,
                            bundle: None,
                        };
                        // Whoever hangs up, or is slow, ends nothing.
                        let _ = progress.try_send(Ok(answer));
                    }
                })
            });
            let last = taken.await.map(|bundle| v1::ImportBundleResponse {
                parts: bundle.parts,
                bundle: Some(bundle),
            });
            let _ = sender.send(last).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
