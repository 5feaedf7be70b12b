//! A listener that shows any papers and notes what a node says to it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use anyhow::Result;
use corridor_node::exchange::rpc::exchange_service_server::{
    ExchangeService, ExchangeServiceServer,
};
use corridor_proto::v1;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Empty;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

use super::papers::Papers;

/// What was said to a host.
#[derive(Clone, Debug, Default)]
pub struct Heard(Arc<Mutex<Calls>>);

/// Calls, in their order.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// Connections whose handshake the host could finish.
    pub connections: usize,
    /// Introductions.
    pub hellos: Vec<v1::HelloRequest>,
    /// Streams.
    pub streams: usize,
}

impl Heard {
    fn note(&self, note: impl FnOnce(&mut Calls)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All of it.
    pub fn calls(&self) -> Calls {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.clone()
    }
}

/// Listens with these papers, and introduces itself with `identity`.
pub fn host(listener: TcpListener, papers: &Papers, identity: v1::Identity) -> Result<Heard> {
    let acceptor = TlsAcceptor::from(Arc::new(papers.server()?));
    let heard = Heard::default();
    let service = Host {
        heard: heard.clone(),
        identity,
    };
    let counted = heard.clone();
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(tcp).await {
                counted.note(|calls| calls.connections += 1);
                let _ = sender.send(Ok::<_, io::Error>(Accepted(stream))).await;
            }
        }
    });
    tokio::spawn(async move {
        tonic::transport::Server::builder()
            .add_service(ExchangeServiceServer::new(service))
            .serve_with_incoming(ReceiverStream::new(receiver))
            .await
    });
    Ok(heard)
}

struct Host {
    heard: Heard,
    identity: v1::Identity,
}

#[tonic::async_trait]
impl ExchangeService for Host {
    type SessionStream = Empty<Result<v1::SessionResponse, Status>>;
    type CarryStream = Empty<Result<v1::CarryResponse, Status>>;

    async fn hello(
        &self,
        request: Request<v1::HelloRequest>,
    ) -> Result<Response<v1::HelloResponse>, Status> {
        self.heard
            .note(|calls| calls.hellos.push(request.into_inner()));
        Ok(Response::new(v1::HelloResponse {
            identity: Some(self.identity.clone()),
            accepted: true,
        }))
    }

    async fn session(
        &self,
        _: Request<Streaming<v1::SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        self.heard.note(|calls| calls.streams += 1);
        Ok(Response::new(tokio_stream::empty()))
    }

    async fn carry(
        &self,
        _: Request<Streaming<v1::CarryRequest>>,
    ) -> Result<Response<Self::CarryStream>, Status> {
        self.heard.note(|calls| calls.streams += 1);
        Ok(Response::new(tokio_stream::empty()))
    }
}

struct Accepted(TlsStream<TcpStream>);

impl Connected for Accepted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
