//! The line between two nodes: a plain forwarder that counts the bytes each way, and that can be
//! as long and as narrow as a line over land, or cut.
//!
//! The node that is dialled names the forwarder's address on its card. What it costs, two copies of
//! each byte, is in every figure that was measured over it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

/// Bytes forwarded with one call.
const BUFFER_BYTES: usize = 256 * 1024;
/// Bytes forwarded with one call over a line that has a rate.
const SHAPED_BYTES: usize = 16 * 1024;
/// More than all handshakes together.
const FLOW_BYTES: u64 = 100_000;
/// Of so many turns the bytes are told.
const TURNS: usize = 16;

/// What went over the line since it was last looked at afresh.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// When the first connection came.
    pub first: Option<(Instant, SystemTime)>,
    /// When more had come than handshakes are.
    pub flowed: Option<SystemTime>,
    /// When the last byte came.
    pub last: Option<Instant>,
    /// Bytes from the side that dialled.
    pub up: u64,
    /// Bytes to the side that dialled.
    pub down: u64,
    /// How often the other side spoke: two turns are a round trip.
    pub turns: u32,
    /// Bytes of the first turns; the side that dialled has the first.
    pub turn_bytes: Vec<u64>,
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

/// How long and how narrow a line is.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// From one end to the other: half of a round trip.
    pub delay: Duration,
    /// Bytes in a second, each way.
    pub bytes_per_s: f64,
}

/// A forwarder; it lives as long as this process.
#[derive(Clone)]
pub struct Wire {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    shape: Arc<Mutex<Option<Shape>>>,
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    /// Listens on a port of its own, and forwards to wherever `to` is.
    pub fn lay(listener: TcpListener, to: SocketAddr) -> Result<Self> {
        let wire = Self {
            address: listener.local_addr()?,
            seen: Arc::default(),
            shape: Arc::default(),
            is_cut: Arc::default(),
            open: Arc::default(),
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
        if self.is_cut.load(Ordering::SeqCst) {
            return Ok(());
        }
        let onward = TcpStream::connect(to)?;
        from.set_nodelay(true)?;
        onward.set_nodelay(true)?;
        self.note(|seen| {
            seen.first.get_or_insert_with(|| (now(), time()));
        });
        let shape = *held(&self.shape);
        held(&self.open).extend([from.try_clone()?, onward.try_clone()?]);
        let ways = [
            (from.try_clone()?, onward.try_clone()?, true),
            (onward, from, false),
        ];
        for (from, to, is_up) in ways {
            let wire = self.clone();
            std::thread::spawn(move || match shape {
                Some(shape) => wire.forward_shaped(from, to, is_up, shape),
                None => wire.forward(from, to, is_up),
            });
        }
        Ok(())
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream, is_up: bool) {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 || to.write_all(&buffer[..count]).is_err() {
                break;
            }
            self.count(count, is_up);
        }
        // The other side may be gone already.
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }

    /// A byte leaves the line's beginning when those before it have, and arrives a delay later.
    fn forward_shaped(&self, mut from: TcpStream, to: TcpStream, is_up: bool, shape: Shape) {
        // What is under way fills the line, and no more is taken from who sends.
        let under_way = shape.bytes_per_s * shape.delay.as_secs_f64() * 2.0;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let pieces = (under_way as usize).div_ceil(SHAPED_BYTES).max(2);
        let (sender, receiver) = mpsc::sync_channel(pieces);
        let wire = self.clone();
        let far = std::thread::spawn(move || wire.arrive(&receiver, to, is_up));
        let mut free = now();
        let mut buffer = vec![0; SHAPED_BYTES];
        while let Ok(count) = from.read(&mut buffer) {
            #[allow(clippy::cast_precision_loss)]
            let takes = Duration::from_secs_f64(count as f64 / shape.bytes_per_s);
            free = free.max(now()) + takes;
            let piece = buffer[..count].to_vec();
            if count == 0 || sender.send((free + shape.delay, piece)).is_err() {
                break;
            }
        }
        drop(sender);
        // It ends when nothing is under way any more.
        let _ = far.join();
        let _ = from.shutdown(Shutdown::Both);
    }

    fn arrive(&self, under_way: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream, is_up: bool) {
        for (due, piece) in under_way {
            std::thread::sleep(due.saturating_duration_since(now()));
            if to.write_all(&piece).is_err() {
                break;
            }
            self.count(piece.len(), is_up);
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn count(&self, count: usize, is_up: bool) {
        let bytes = u64::try_from(count).unwrap_or(u64::MAX);
        self.note(|seen| {
            if seen.last.is_none() || seen.was_up != is_up {
                seen.turns += 1;
                if seen.turn_bytes.len() < TURNS {
                    seen.turn_bytes.push(0);
                }
            }
            if usize::try_from(seen.turns).is_ok_and(|turn| turn == seen.turn_bytes.len())
                && let Some(turn) = seen.turn_bytes.last_mut()
            {
                *turn += bytes;
            }
            seen.last = Some(now());
            seen.was_up = is_up;
            if is_up {
                seen.up += bytes;
            } else {
                seen.down += bytes;
            }
            if seen.bytes() > FLOW_BYTES {
                seen.flowed.get_or_insert_with(time);
            }
        });
    }

    /// Connections that are made from now on are as long and as narrow as this.
    pub fn shape(&self, shape: Option<Shape>) {
        *held(&self.shape) = shape;
    }

    /// Ends all connections, and lets none through until it is mended.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for stream in held(&self.open).drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut held(&self.seen));
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        held(&self.seen).clone()
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

/// The present moment: what goes over a line takes its time, and that is measured.
#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}

/// The present time, to be compared with the times of files.
#[allow(clippy::disallowed_methods)]
fn time() -> SystemTime {
    SystemTime::now()
}

fn held<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
