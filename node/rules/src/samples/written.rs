//! A log as its owner writes it, line by line, for tests of what comes from a peer.

use corridor_proto::checkpoint::{Checkpoint, Held};
use corridor_proto::line::{
    Act, Line, ReaderList, Withdrawal, WithdrawalReason, note_hash, readers_hash,
};
use corridor_proto::record::{NewRecord, VerifiedRecord};
use corridor_proto::tree::{Tree, leaf_hash};
use corridor_proto::{Hash, LogId, LogSeed, RcpId, RecordId, Salt, UnixMillis, v1, wire};

use super::{NOW, charter, key, node::record, rcp};
use crate::ingest::Arrival;

/// A log: all of its lines, and the head that its owner would sign.
#[derive(Clone)]
pub(crate) struct Written {
    pub owner: u8,
    pub seed: LogSeed,
    pub id: LogId,
    pub tree: Tree,
    pub lines: Vec<Vec<u8>>,
    pub incarnation: u64,
    /// Tells the lines of two histories apart.
    pub hand: u8,
}

/// The list of these readers, and how it travels.
pub(crate) fn list(relay: bool, readers: &[RcpId]) -> (Hash, v1::SaltedBody) {
    let mut readers: Vec<_> = readers.iter().map(|rcp| (*rcp, UnixMillis(0))).collect();
    readers.sort();
    let list = ReaderList {
        relay,
        readers,
        ..ReaderList::default()
    };
    let salt = Salt::new([3; 32]);
    let body = list.encode().expect("a list");
    (readers_hash(&salt, &body), salted(body))
}

pub(crate) fn salted(body: Vec<u8>) -> v1::SaltedBody {
    let salt = vec![3; 32];
    v1::SaltedBody { salt, body }
}

/// The hash by which a line names a note.
pub(crate) fn noted(note: &[u8]) -> Hash {
    note_hash(&Salt::new([3; 32]), note)
}

pub(crate) fn withdrawal(byte: u8, up_to: u64) -> Withdrawal {
    Withdrawal {
        record: record(byte),
        up_to,
        reason: WithdrawalReason::Error,
        note: Hash::ZERO,
        replacement: RecordId::ZERO,
    }
}

/// A version of a record of an RCP, with this text.
pub(crate) fn version(owner: u8, byte: u8, version: u64, text: &str) -> VerifiedRecord {
    let new = NewRecord {
        record: record(byte),
        version,
        kind: 1,
        time: NOW,
        salt: Salt::new([4; 32]),
        body: text.as_bytes().to_vec(),
    };
    new.sign(&charter(owner), &key(owner)).expect("signed")
}

impl Written {
    pub fn new(owner: u8, seed: u8) -> Self {
        let seed = LogSeed::new([seed; 16]);
        Self {
            owner,
            seed,
            id: LogId::derive(&rcp(owner), &seed),
            tree: Tree::new(),
            lines: Vec::new(),
            incarnation: 0,
            hand: 1,
        }
    }

    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Adds a line of any bytes; gives its index.
    pub fn raw(&mut self, line: Vec<u8>) -> u64 {
        self.tree.push(leaf_hash(&line));
        self.lines.push(line);
        self.size() - 1
    }

    pub fn push(&mut self, act: Act) -> u64 {
        let mut random = [self.hand; 16];
        random[..8].copy_from_slice(&self.size().to_be_bytes());
        let time = NOW;
        self.raw(Line { time, random, act }.encode())
    }

    pub fn leave(&mut self, byte: u8) -> u64 {
        let record = record(byte);
        self.push(Act::Leave { record })
    }

    pub fn withdraw(&mut self, byte: u8, up_to: u64) -> u64 {
        self.push(Act::Withdraw(withdrawal(byte, up_to)))
    }

    pub fn publish(&mut self, found: &VerifiedRecord) -> u64 {
        self.push(Act::Publish {
            version_hash: found.version_hash(),
            record: found.header().record,
            version: found.header().version,
        })
    }

    /// Publishes a version with this text; gives it.
    pub fn text(&mut self, byte: u8, number: u64, text: &str) -> VerifiedRecord {
        let found = version(self.owner, byte, number, text);
        self.publish(&found);
        found
    }

    /// Names a list of these readers; gives how it travels.
    pub fn list(&mut self, relay: bool, readers: &[RcpId]) -> v1::SaltedBody {
        let (list, body) = list(relay, readers);
        self.push(Act::Readers { list });
        body
    }

    /// Goes on in this incarnation, behind what is there.
    pub fn restart(&mut self, incarnation: u64) -> u64 {
        let size = self.size();
        let root = self.tree.root_at(size).expect("a root");
        self.incarnation = incarnation;
        self.push(Act::Restart {
            incarnation,
            size,
            root,
        })
    }

    /// Another history of it, from this size on.
    pub fn fork(&self, size: usize) -> Self {
        let mut other = Self::new(self.owner, 0);
        (other.seed, other.id) = (self.seed, self.id);
        (other.incarnation, other.hand) = (self.incarnation, self.hand + 1);
        for line in &self.lines[..size] {
            other.raw(line.clone());
        }
        other
    }

    pub fn checkpoint(&self, size: u64) -> Checkpoint {
        Checkpoint {
            log: self.id,
            incarnation: self.incarnation,
            size,
            root: self.tree.root_at(size).expect("a root"),
        }
    }

    /// The head at this size, as a note.
    pub fn head(&self, size: u64) -> Vec<u8> {
        let signed = self.checkpoint(size).sign(&key(self.owner));
        signed.note().as_bytes().to_vec()
    }

    /// Some of its lines, proved to the head at this size.
    pub fn part(&self, from: u64, to: u64, size: u64) -> v1::Package {
        let at = |index: u64| usize::try_from(index).expect("few");
        let proof = self.tree.consistency(to, size).expect("a proof");
        v1::Package {
            log: self.id.as_bytes().to_vec(),
            from,
            lines: self.lines[at(from)..at(to)].to_vec(),
            checkpoint: self.head(size),
            proof: wire::proof_message(&proof),
            readers: None,
            bodies: Vec::new(),
        }
    }

    /// All of its lines from there on.
    pub fn package(&self, from: u64) -> v1::Package {
        self.part(from, self.size(), self.size())
    }

    /// That its list is the one that this line names.
    pub fn readers(&self, index: u64, size: u64, list: v1::SaltedBody) -> v1::ReadersProof {
        let proof = self.tree.inclusion(index, size).expect("a proof");
        v1::ReadersProof {
            index,
            line: self.lines[usize::try_from(index).expect("few")].clone(),
            proof: wire::proof_message(&proof),
            list: Some(list),
        }
    }

    /// A package of it from this peer.
    pub fn arrival(&self, peer: u8, package: v1::Package) -> Arrival {
        Arrival::Package {
            peer: rcp(peer),
            owner: rcp(self.owner),
            seed: self.seed,
            package: Box::new(package),
        }
    }

    /// What a holder says it holds of it at this time.
    pub fn held(&self, holder: u8, size: u64, time_s: u64) -> Vec<u8> {
        let held = Held {
            checkpoint: self.checkpoint(size),
            holder: rcp(holder),
            time_s,
        };
        held.sign(&key(holder)).into_bytes()
    }

    /// That this is its newest head, as the owner or a relay says.
    pub fn announced(&self, size: u64) -> v1::session_frame::Frame {
        v1::session_frame::Frame::Checkpoint(v1::CheckpointFrame {
            owner: rcp(self.owner).as_bytes().to_vec(),
            seed: self.seed.as_bytes().to_vec(),
            checkpoint: self.head(size),
        })
    }

    /// Records behind lines of it, as they travel.
    pub fn records(&self, found: &[(u64, &VerifiedRecord)]) -> v1::carry_frame::Frame {
        let records = found
            .iter()
            .map(|(index, found)| wire::record_message(*index, found.signed().clone()));
        v1::carry_frame::Frame::Records(v1::Records {
            log: self.id.as_bytes().to_vec(),
            records: records.collect(),
        })
    }
}
