//! The accept loop: bounded places, handshakes with a time-out, then streams for the gRPC server.
//!
//! **Invariant:** one failed accept or handshake never ends the loop.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::cut::{Cut, Cuttable};
use super::places::{Keeper, Place, Places};
use crate::limits::HANDSHAKE_TIME;

/// A connection after its handshake, with what its acceptor made of it.
pub struct Accepted<I> {
    stream: Cuttable<TlsStream<TcpStream>>,
    info: I,
    _place: Place,
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

/// Accepts until `stop`; `describe` makes the connection's info, which may keep what cuts it and
/// what keeps its place, or refuses it.
pub fn incoming<I: Send + 'static>(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    connections_max: usize,
    mut stop: watch::Receiver<bool>,
    describe: impl Fn(&TlsStream<TcpStream>, &Cut, Keeper) -> Option<I> + Send + Sync + 'static,
) -> ReceiverStream<Result<Accepted<I>, io::Error>> {
    let (sender, receiver) = mpsc::channel(16);
    let places = Places::new(connections_max);
    let describe = Arc::new(describe);
    tokio::spawn(async move {
        let mut is_failing = false;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let tcp = match accepted {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    // Descriptors may be used up: give others time to end. It is said once.
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(%error, "accept failed");
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            };
            is_failing = false;
            let cut = Cut::default();
            let place = tokio::select! {
                place = places.take(&cut) => place,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            let describe = Arc::clone(&describe);
            tokio::spawn(async move {
                let shaken = tokio::select! {
                    shaken = shake(&acceptor, tcp) => shaken,
                    () = place.must_go() => return,
                };
                let Some(stream) = shaken else { return };
                let Some(info) = describe(&stream, &cut, place.keeper()) else {
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
