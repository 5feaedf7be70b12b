//! HTTP/2 by hand, for what no library would send.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use corridor_proto::RcpId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::Stranger;
use crate::nodes::Office;

/// How a frame is called (RFC 9113, section 6).
pub const DATA: u8 = 0;
/// The head of a message.
pub const HEADERS: u8 = 1;
/// The end of a stream, whatever was under way.
pub const RST_STREAM: u8 = 3;
/// What a side wants of the other.
pub const SETTINGS: u8 = 4;
/// Asks for an answer.
pub const PING: u8 = 6;
/// The end of a connection.
pub const GOAWAY: u8 = 7;
/// The rest of a head.
pub const CONTINUATION: u8 = 9;

/// The last frame of a message.
pub const END_STREAM: u8 = 1;
/// The last frame of a head.
pub const END_HEADERS: u8 = 4;

/// A flood that is taken for so long without an answer is one that the node lets wait.
const WRITING: Duration = Duration::from_secs(3);

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A header that is compressed with nothing; names and values are short.
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).unwrap_or(0));
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// The head of a call.
pub fn head(method: &str) -> Vec<u8> {
    let path = format!("/corridor.v1.ExchangeService/{method}");
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", &path),
        (":authority", "peer.corridor.invalid"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    headers
        .iter()
        .flat_map(|(name, value)| literal(name, value))
        .collect()
}

/// A connection after its preface and settings.
pub struct Raw {
    stream: TlsStream<TcpStream>,
    /// Frames that came: their kind, and their payload.
    pub came: Vec<(u8, Vec<u8>)>,
    rest: Vec<u8>,
    ended: bool,
}

impl Raw {
    /// Dials a node with a stranger's papers.
    pub async fn dial(stranger: &Stranger, office: &Office) -> Result<Self> {
        Self::dial_at(stranger, office.address(), &office.rcp).await
    }

    /// The same, by its address.
    pub async fn dial_at(stranger: &Stranger, address: SocketAddr, rcp: &RcpId) -> Result<Self> {
        let stream = stranger.papers.dial_raw(address, rcp).await?;
        let mut raw = Self {
            stream,
            came: Vec::new(),
            rest: Vec::new(),
            ended: false,
        };
        raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        raw.write(&frame(SETTINGS, 0, 0, &[])).await?;
        Ok(raw)
    }

    /// Writes bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// Writes as much of a flood as the node takes, without reading what it answers: how much that
    /// was, and whether the node ended the connection.
    pub async fn flood(&mut self, piece: &[u8], times: usize) -> (usize, bool) {
        let mut taken = 0;
        for _ in 0..times {
            match tokio::time::timeout(WRITING, self.write(piece)).await {
                Ok(Ok(())) => taken += 1,
                Ok(Err(_)) => return (taken, true),
                Err(_) => return (taken, false),
            }
        }
        (taken, false)
    }

    /// Reads frames until one is wanted; `false` if the node ends the connection before.
    pub async fn read_until(&mut self, wanted: impl Fn(u8, &[u8]) -> bool) -> Result<bool> {
        loop {
            while let Some((kind, payload)) = self.next_frame() {
                let is_wanted = wanted(kind, &payload);
                self.came.push((kind, payload));
                if is_wanted {
                    return Ok(true);
                }
            }
            let mut bytes = [0; 16_384];
            let read = tokio::time::timeout(crate::nodes::PATIENCE, self.stream.read(&mut bytes));
            match read.await.context("the node says nothing")? {
                Ok(0) | Err(_) => {
                    self.ended = true;
                    return Ok(false);
                }
                Ok(count) => self.rest.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// Whether the node ended the connection.
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    fn next_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let [a, b, c, kind, ..] = *self.rest.first_chunk::<9>()?;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
        let end = 9 + length;
        let payload = self.rest.get(9..end)?.to_vec();
        self.rest.drain(..end);
        Some((kind, payload))
    }
}
