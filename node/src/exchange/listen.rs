//! The accept loop: bounded handshakes with a time-out, then streams for the gRPC server.
//!
//! **Invariant:** one failed accept or handshake never ends the loop.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::cut::{Cut, Cuttable};
use crate::limits::{HANDSHAKE_TIME, HANDSHAKES_MAX};

/// A connection after its handshake, with what its acceptor made of it.
pub struct Accepted<I> {
    stream: Cuttable<TlsStream<TcpStream>>,
    info: I,
    _place: OwnedSemaphorePermit,
}

impl<I: Clone + Send + Sync + 'static> Connected for Accepted<I> {
    type ConnectInfo = I;

    fn connect_info(&self) -> I {
        self.info.clone()
    }
}

impl<I: Unpin> AsyncRead for Accepted<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<I: Unpin> AsyncWrite for Accepted<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Accepts until `stop`; `describe` makes the connection's info, which may keep what cuts it, or
/// refuses it.
pub fn incoming<I: Send + 'static>(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    connections_max: usize,
    mut stop: watch::Receiver<bool>,
    describe: impl Fn(&TlsStream<TcpStream>, &Cut) -> Option<I> + Send + Sync + 'static,
) -> ReceiverStream<Result<Accepted<I>, io::Error>> {
    let (sender, receiver) = mpsc::channel(16);
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let places = Arc::new(Semaphore::new(connections_max));
    let describe = Arc::new(describe);
    tokio::spawn(async move {
        loop {
            let permits = async {
                let place = Arc::clone(&places).acquire_owned().await;
                let handshake = Arc::clone(&handshakes).acquire_owned().await;
                (place, handshake, listener.accept().await)
            };
            let accepted = tokio::select! {
                accepted = permits => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let (Ok(place), Ok(handshake), accepted) = accepted else {
                return;
            };
            let tcp = match accepted {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    // Descriptors may be used up: give others time to end.
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            let describe = Arc::clone(&describe);
            tokio::spawn(async move {
                let _handshake = handshake;
                let Some(stream) = shake(&acceptor, tcp).await else {
                    return;
                };
                let cut = Cut::default();
                let Some(info) = describe(&stream, &cut) else {
                    return;
                };
                let stream = Cuttable::new(stream, cut);
                // The server has ended: then the connection ends too.
                let _ = sender
                    .send(Ok(Accepted {
                        stream,
                        info,
                        _place: place,
                    }))
                    .await;
            });
        }
    });
    ReceiverStream::new(receiver)
}

async fn shake(acceptor: &TlsAcceptor, tcp: TcpStream) -> Option<TlsStream<TcpStream>> {
    // Without it small frames wait for each other; the connection works either way.
    let _ = tcp.set_nodelay(true);
    let shaken: Pin<Box<dyn Future<Output = _> + Send>> =
        Box::pin(tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(tcp)));
    match shaken.await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "handshake refused");
            None
        }
        Err(_) => None,
    }
}
