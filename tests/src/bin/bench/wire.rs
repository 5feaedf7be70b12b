//! The line between two nodes: a plain forwarder that counts the bytes each way.
//!
//! The node that is dialled names the forwarder's address on its card. What it costs, two copies of
//! each byte, is in every figure that was measured over it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use crate::clock;

/// Bytes forwarded with one call.
const BUFFER_BYTES: usize = 256 * 1024;

/// What went over the line since it was last looked at afresh.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// When the first connection came.
    pub first: Option<(Instant, SystemTime)>,
    /// When the last byte came.
    pub last: Option<Instant>,
    /// Bytes from the side that dialled.
    pub up: u64,
    /// Bytes to the side that dialled.
    pub down: u64,
    /// How often the other side spoke: two turns are a round trip.
    pub turns: u32,
    was_up: bool,
}

impl Seen {
    /// Bytes both ways.
    pub fn bytes(&self) -> u64 {
        self.up + self.down
    }

    /// From the first connection to the last byte.
    pub fn lasted(&self) -> Option<Duration> {
        Some(self.last?.duration_since(self.first?.0))
    }
}

/// A forwarder; it lives as long as this process.
#[derive(Clone)]
pub struct Wire {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Wire {
    /// Listens on a port of its own, and forwards to wherever `to` is.
    pub fn lay(listener: TcpListener, to: SocketAddr) -> Result<Self> {
        let wire = Self {
            address: listener.local_addr()?,
            seen: Arc::default(),
        };
        let here = wire.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Nobody there: the connection is dropped, and made again by the one that dialled.
                let _ = here.connect(stream, to);
            }
        });
        Ok(wire)
    }

    fn connect(&self, from: TcpStream, to: SocketAddr) -> std::io::Result<()> {
        let onward = TcpStream::connect(to)?;
        from.set_nodelay(true)?;
        onward.set_nodelay(true)?;
        self.note(|seen| {
            seen.first
                .get_or_insert_with(|| (clock::now(), clock::time()));
        });
        let ways = [
            (from.try_clone()?, onward.try_clone()?, true),
            (onward, from, false),
        ];
        for (from, to, is_up) in ways {
            let wire = self.clone();
            std::thread::spawn(move || wire.forward(from, to, is_up));
        }
        Ok(())
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream, is_up: bool) {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 || to.write_all(&buffer[..count]).is_err() {
                break;
            }
            let bytes = u64::try_from(count).unwrap_or(u64::MAX);
            self.note(|seen| {
                if seen.last.is_none() || seen.was_up != is_up {
                    seen.turns += 1;
                }
                seen.last = Some(clock::now());
                seen.was_up = is_up;
                if is_up {
                    seen.up += bytes;
                } else {
                    seen.down += bytes;
                }
            });
        }
        // The other side may be gone already.
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to count anew.
    pub fn reset(&self) {
        self.note(|seen| *seen = Seen::default());
    }

    /// Whether something came, and nothing more for a while.
    pub fn is_idle(&self, pause: Duration) -> bool {
        self.seen().last.is_some_and(|last| last.elapsed() > pause)
    }
}
