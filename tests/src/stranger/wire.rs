//! A link that a stranger leads frame by frame, and all bytes that came over its connection.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use corridor_node::exchange::rpc::exchange_service_client::ExchangeServiceClient;
use corridor_node::limits::PEER_MESSAGE_BYTES;
use corridor_proto::v1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

use crate::nodes::PATIENCE;

/// gRPC over a connection, of which the node may fill so many bytes ahead of the reader, and what
/// comes over it.
pub async fn channel(stream: TlsStream<TcpStream>, window_bytes: u32) -> Result<(Channel, Seen)> {
    let seen = Seen::default();
    let mut once = Some(TokioIo::new(Tapped(stream, seen.clone())));
    let connector = tower::service_fn(move |_: http::Uri| {
        let stream = once.take();
        async move { stream.ok_or_else(|| io::Error::other("the connection ended")) }
    });
    let channel = Endpoint::from_static("http://peer.corridor.invalid")
        .initial_stream_window_size(window_bytes)
        .initial_connection_window_size(2 * window_bytes)
        .connect_with_connector(connector)
        .await?;
    Ok((channel, seen))
}

/// A connection whose handshake is done on the stranger's side.
pub struct Line {
    /// Calls over it.
    pub client: ExchangeServiceClient<Channel>,
    /// What came over it.
    pub seen: Seen,
}

impl Line {
    /// gRPC over a connection, of which the node may fill so many bytes ahead of the reader.
    pub(super) async fn over(stream: TlsStream<TcpStream>, window_bytes: u32) -> Result<Self> {
        let (channel, seen) = channel(stream, window_bytes).await?;
        let client = ExchangeServiceClient::new(channel)
            .max_decoding_message_size(PEER_MESSAGE_BYTES)
            .max_encoding_message_size(PEER_MESSAGE_BYTES);
        Ok(Self { client, seen })
    }

    /// How the node answers a call of `Session` and one of `Carry`.
    pub async fn knock(&mut self) -> [Result<(), tonic::Code>; 2] {
        let session = self.client.session(tokio_stream::pending());
        let session = session.await.map(|_| ()).map_err(|status| status.code());
        let carry = self.client.carry(tokio_stream::pending());
        let carry = carry.await.map(|_| ()).map_err(|status| status.code());
        [session, carry]
    }

    /// Opens both streams.
    pub async fn open(mut self) -> Result<Wire> {
        let (session_out, session) = mpsc::unbounded_channel();
        let (carry_out, carry) = mpsc::unbounded_channel();
        let session = self.client.session(UnboundedReceiverStream::new(session));
        let session_in = session.await?.into_inner();
        let carry = self.client.carry(UnboundedReceiverStream::new(carry));
        let carry_in = carry.await?.into_inner();
        Ok(Wire {
            session_out,
            session_in,
            carry_out,
            carry_in,
            seen: self.seen,
        })
    }
}

/// Both streams to a node.
pub struct Wire {
    session_out: mpsc::UnboundedSender<v1::SessionRequest>,
    session_in: Streaming<v1::SessionResponse>,
    carry_out: mpsc::UnboundedSender<v1::CarryRequest>,
    carry_in: Streaming<v1::CarryResponse>,
    /// What came over the connection.
    pub seen: Seen,
}

impl Wire {
    /// Sends a frame on `Session`.
    pub fn say(&self, frame: Said) -> Result<()> {
        let frame = v1::SessionFrame {
            frame: Some(frame),
            padding: Vec::new(),
        };
        let frame = Some(corridor_proto::wire::pad(frame));
        Ok(self.session_out.send(v1::SessionRequest { frame })?)
    }

    /// Sends a frame on `Carry`.
    pub fn send(&self, frame: Carried) -> Result<()> {
        let frame = Some(v1::CarryFrame { frame: Some(frame) });
        Ok(self.carry_out.send(v1::CarryRequest { frame })?)
    }

    /// The next frame on `Session`; `None` when the node has ended the stream.
    pub async fn hear(&mut self) -> Result<Option<Said>> {
        let next = tokio::time::timeout(PATIENCE, self.session_in.next());
        Ok(match next.await.context("nothing is said")? {
            Some(Ok(message)) => message.frame.and_then(|frame| frame.frame),
            Some(Err(_)) | None => None,
        })
    }

    /// The next frame on `Carry`; `None` when the node has ended the stream.
    pub async fn take(&mut self) -> Result<Option<Carried>> {
        let next = tokio::time::timeout(PATIENCE, self.carry_in.next());
        Ok(match next.await.context("nothing is carried")? {
            Some(Ok(message)) => message.frame.and_then(|frame| frame.frame),
            Some(Err(_)) | None => None,
        })
    }

    /// The first frame on `Session` that is wanted; those before it are dropped.
    pub async fn hear_until<T>(&mut self, wanted: impl Fn(Said) -> Option<T>) -> Result<T> {
        while let Some(frame) = self.hear().await? {
            if let Some(found) = wanted(frame) {
                return Ok(found);
            }
        }
        bail!("the session ended")
    }

    /// The first frame on `Carry` that is wanted; those before it are dropped.
    pub async fn take_until<T>(
        &mut self,
        mut wanted: impl FnMut(Carried) -> Option<T>,
    ) -> Result<T> {
        while let Some(frame) = self.take().await? {
            if let Some(found) = wanted(frame) {
                return Ok(found);
            }
        }
        bail!("the carry stream ended")
    }

    /// Why the node ended the session; the stream is read to its end.
    pub async fn end(&mut self) -> Result<Option<String>> {
        let mut reason = None;
        while let Some(frame) = self.hear().await? {
            if let Said::Ended(ended) = frame {
                reason = Some(ended.reason);
            }
        }
        Ok(reason)
    }

    /// Says hello and hears the node's.
    pub async fn greet(&mut self, hello: v1::SessionHello) -> Result<v1::SessionHello> {
        self.say(Said::Hello(hello))?;
        match self.hear().await? {
            Some(Said::Hello(hello)) => Ok(hello),
            other => bail!("the first frame is no hello: {other:?}"),
        }
    }

    /// Says that nothing of the node's is held: from then on it tells its heads.
    pub fn show_nothing(&self) -> Result<()> {
        self.say(Said::Have(v1::Have {
            logs: Vec::new(),
            last: true,
        }))
    }

    /// Follows a log of the node's from its begin, with credit for all of it.
    pub fn follow(&self, log: &corridor_proto::LogId, credit_bytes: u64) -> Result<()> {
        self.send(Carried::Credit(v1::Credit {
            bytes: credit_bytes,
        }))?;
        self.send(Carried::Pull(v1::Pull {
            log: log.as_bytes().to_vec(),
            from: 0,
            target: 0,
        }))
    }

    /// Pulls a log and says whether lines of it came: `gone` is the other answer.
    pub async fn is_served(&mut self, log: &corridor_proto::LogId) -> Result<bool> {
        self.follow(log, 1 << 20)?;
        let asked = log.as_bytes().as_slice();
        self.take_until(|frame| match frame {
            Carried::Package(package) if package.log == asked => Some(true),
            Carried::Gone(gone) if gone.log == asked => Some(false),
            _ => None,
        })
        .await
    }
}

/// All bytes that came over a connection, and when.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<Bytes>>);

#[derive(Debug, Default)]
struct Bytes {
    all: Vec<u8>,
    /// How many there were, and when.
    at: Vec<(usize, Instant)>,
    ended: Option<Instant>,
}

impl Seen {
    fn with<T>(&self, look: impl FnOnce(&mut Bytes) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn came(&self, bytes: &[u8]) {
        self.with(|seen| {
            seen.all.extend_from_slice(bytes);
            seen.at.push((seen.all.len(), Instant::now()));
        });
    }

    /// All of it so far.
    pub fn all(&self) -> Vec<u8> {
        self.with(|seen| seen.all.clone())
    }

    /// How often a byte string came, and when last.
    pub fn count(&self, needle: &[u8]) -> (usize, Option<Instant>) {
        self.with(|seen| {
            let windows = seen.all.windows(needle.len()).enumerate();
            let found: Vec<usize> = windows
                .filter(|(_, window)| *window == needle)
                .map(|(at, _)| at + needle.len())
                .collect();
            let last = found.last().and_then(|last| {
                let mut marks = seen.at.iter();
                marks.find(|(size, _)| size >= last).map(|(_, at)| *at)
            });
            (found.len(), last)
        })
    }

    /// When the node ended the connection.
    pub fn ended(&self) -> Option<Instant> {
        self.with(|seen| seen.ended)
    }

    /// Waits until the node has ended the connection, so long after `from`.
    pub async fn ends_within(&self, from: Instant, time: Duration) -> Result<Duration> {
        crate::nodes::until("the node ends the connection", || self.ended().is_some()).await?;
        let lasted = self.ended().map_or(time * 2, |ended| ended - from);
        ensure!(lasted <= time, "it ended only after {lasted:?}");
        Ok(lasted)
    }
}

/// A connection that notes what it reads.
struct Tapped<S>(S, Seen);

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        poller: &mut Poller<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.0).poll_read(poller, buffer);
        if let Poll::Ready(read) = &read {
            match (read, buffer.filled().get(before..)) {
                (Ok(()), Some(bytes)) if !bytes.is_empty() => self.1.came(bytes),
                _ => self.1.with(|seen| seen.ended = Some(Instant::now())),
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tapped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        poller: &mut Poller<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(poller, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(poller)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(poller)
    }
}
