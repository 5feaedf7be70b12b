//! Connections between pairs of nodes: two streams in each direction, each in order.

use std::collections::{HashSet, VecDeque};

use corridor_proto::{LogId, v1};
use corridor_rules::link::Link;
use prost::Message;

/// A frame of either stream.
#[derive(Clone, Debug)]
pub enum Frame {
    /// Of `Session`.
    Session(v1::SessionFrame),
    /// Of `Carry`.
    Carry(v1::CarryFrame),
}

/// One of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Who we are and what we have.
    Session,
    /// Lines and records.
    Carry,
}

impl Frame {
    /// The encoded frame.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Session(frame) => frame.encode_to_vec(),
            Self::Carry(frame) => frame.encode_to_vec(),
        }
    }

    /// A word or two for the story.
    pub fn word(&self) -> String {
        use v1::carry_frame::Frame as C;
        use v1::session_frame::Frame as S;
        match self {
            Self::Session(frame) => match &frame.frame {
                Some(S::Hello(_)) => "hello".into(),
                Some(S::Identity(_)) => "identity".into(),
                Some(S::Have(have)) => format!("have {}", have.logs.len()),
                Some(S::Checkpoint(frame)) => {
                    let note = String::from_utf8_lossy(&frame.checkpoint);
                    let mut lines = note.lines();
                    let origin = lines.next().unwrap_or_default();
                    let log = origin.get(17..21).unwrap_or_default();
                    format!("checkpoint {log} {}", lines.next().unwrap_or_default())
                }
                Some(S::Held(_)) => "held".into(),
                Some(S::Evidence(_)) => "evidence".into(),
                Some(S::State(state)) => format!("state {}", state.serving),
                Some(S::Ended(ended)) => format!("ended {}", ended.reason),
                None => "nothing".into(),
            },
            Self::Carry(frame) => match &frame.frame {
                Some(C::Pull(pull)) => {
                    format!("pull {} {} to {}", short(&pull.log), pull.from, pull.target)
                }
                Some(C::Package(p)) => {
                    format!("package {} {}+{}", short(&p.log), p.from, p.lines.len())
                }
                Some(C::Want(want)) => {
                    format!("want {} {:?}", short(&want.log), ranges(&want.ranges))
                }
                Some(C::Records(records)) => {
                    format!("records {} {}", short(&records.log), records.records.len())
                }
                Some(C::AttachmentChunk(_)) => "chunk".into(),
                Some(C::Gone(gone)) => {
                    format!("gone {} {:?}", short(&gone.log), ranges(&gone.ranges))
                }
                Some(C::Credit(credit)) => format!("credit {}", credit.bytes),
                None => "nothing".into(),
            },
        }
    }

    /// Whether it carries records.
    pub const fn brings_records(&self) -> bool {
        use v1::carry_frame::Frame as C;
        matches!(
            self,
            Self::Carry(v1::CarryFrame {
                frame: Some(C::Records(_))
            })
        )
    }

    /// The records that it carries: log and index.
    pub fn records(&self) -> Vec<(Vec<u8>, u64)> {
        use v1::carry_frame::Frame as C;
        let Self::Carry(v1::CarryFrame {
            frame: Some(C::Records(records)),
        }) = self
        else {
            return Vec::new();
        };
        let indexes = records.records.iter().map(|item| item.index);
        indexes.map(|index| (records.log.clone(), index)).collect()
    }

    /// Bytes that the receiver's credit paces; zero for other frames.
    pub fn paced(&self) -> usize {
        use v1::carry_frame::Frame as C;
        match self {
            Self::Carry(frame) => match &frame.frame {
                Some(C::Package(_) | C::Records(_)) => frame.encoded_len(),
                _ => 0,
            },
            Self::Session(_) => 0,
        }
    }
}

fn short(log: &[u8]) -> String {
    let id = LogId::from_slice(log).map(|id| id.to_string());
    id.map_or_else(|_| "?".into(), |mut id| id.drain(..4).collect())
}

fn ranges(ranges: &[v1::IndexRange]) -> Vec<(u64, u64)> {
    ranges.iter().take(4).map(|r| (r.from, r.to)).collect()
}

/// One side of a connection.
pub struct End {
    /// Which node.
    pub node: usize,
    /// Its link.
    pub link: Link,
    /// Frames on their way to it.
    pub session: VecDeque<v1::SessionFrame>,
    /// Frames on their way to it.
    pub carry: VecDeque<v1::CarryFrame>,
    /// Whether it closed.
    pub closed: bool,
    /// Whether the node changed since it last looked.
    pub dirty: bool,
    /// Frames that it was fed, to be replayed by an attacker.
    pub past: VecDeque<Frame>,
    /// The records that its peer sent it over this connection: log and index.
    pub sent: HashSet<(Vec<u8>, u64)>,
}

impl End {
    fn new(node: usize, link: Link) -> Self {
        Self {
            node,
            link,
            session: VecDeque::new(),
            carry: VecDeque::new(),
            closed: false,
            dirty: false,
            past: VecDeque::new(),
            sent: HashSet::new(),
        }
    }

    /// Streams with a frame on its way; the two are not ordered with each other.
    pub fn waiting(&self) -> Vec<Stream> {
        let mut streams = Vec::new();
        if !self.session.is_empty() {
            streams.push(Stream::Session);
        }
        if !self.carry.is_empty() {
            streams.push(Stream::Carry);
        }
        streams
    }

    /// Takes the next frame of a stream.
    pub fn take(&mut self, stream: Stream) -> Option<Frame> {
        match stream {
            Stream::Session => self.session.pop_front().map(Frame::Session),
            Stream::Carry => self.carry.pop_front().map(Frame::Carry),
        }
    }

    /// Puts a frame behind those on their way.
    pub fn put(&mut self, frame: Frame) {
        match frame {
            Frame::Session(frame) => self.session.push_back(frame),
            Frame::Carry(frame) => self.carry.push_back(frame),
        }
    }

    /// Puts a frame before those on their way.
    pub fn put_first(&mut self, frame: Frame) {
        match frame {
            Frame::Session(frame) => self.session.push_front(frame),
            Frame::Carry(frame) => self.carry.push_front(frame),
        }
    }
}

/// A connection between two nodes.
pub struct Connection {
    /// Both sides.
    pub ends: [End; 2],
    /// Whether somebody tampered with it.
    pub hostile: bool,
}

impl Connection {
    /// A connection just opened.
    pub fn new(ends: [(usize, Link); 2]) -> Self {
        Self {
            ends: ends.map(|(node, link)| End::new(node, link)),
            hostile: false,
        }
    }
}
