//! A circle of a stranger's: lines and records of its own making, good or not.

use anyhow::{Context, Result};
use corridor_node::edge;
use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::limits::PACKAGE_LINES_MAX;
use corridor_proto::line::{
    Act, Line, ReaderList, Withdrawal, WithdrawalReason, note_hash, readers_hash,
};
use corridor_proto::record::{NewRecord, SignedRecord};
use corridor_proto::tree::{Tree, leaf_hash};
use corridor_proto::{LogId, LogSeed, RecordId, Salt, v1, wire};
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

use super::{Stranger, Wire};

/// A log whose owner may sign whatever it likes.
pub struct Pages<'a> {
    /// Its identifier.
    pub id: LogId,
    owner: &'a Stranger,
    seed: LogSeed,
    lines: Vec<Vec<u8>>,
    tree: Tree,
    /// What each line publishes.
    records: Vec<Option<SignedRecord>>,
    /// The lists and notes that lines name.
    bodies: Vec<v1::SaltedBody>,
    /// Where the newest list is named, and which it is.
    readers: Option<(u64, v1::SaltedBody)>,
}

impl Stranger {
    /// An empty circle of its own: zeros for `public`.
    pub fn pages(&self, seed: LogSeed) -> Pages<'_> {
        Pages {
            id: LogId::derive(&self.rcp, &seed),
            owner: self,
            seed,
            lines: Vec::new(),
            tree: Tree::new(),
            records: Vec::new(),
            bodies: Vec::new(),
            readers: None,
        }
    }

    /// A record version of its own, in order.
    pub fn record(&self, title: &str) -> Result<SignedRecord> {
        let record = RecordId::new(edge::random()?);
        self.version(record, 1, crate::nodes::practice(title))
    }

    /// A version of a record of its own, with this body.
    pub fn version(&self, record: RecordId, version: u64, body: Vec<u8>) -> Result<SignedRecord> {
        let record = NewRecord {
            record,
            version,
            kind: corridor_proto::kinds::Kind::Practice.code(),
            time: edge::now(),
            salt: Salt::new(edge::random()?),
            body,
        };
        Ok(record.sign(&self.charter, &self.signing)?.into_signed())
    }
}

fn salted(salt: &Salt, body: Vec<u8>) -> v1::SaltedBody {
    v1::SaltedBody {
        salt: salt.as_bytes().to_vec(),
        body,
    }
}

impl Pages<'_> {
    /// Publishes what is given, whether or not it is in order, and gives its record.
    pub fn publish(&mut self, signed: SignedRecord) -> Result<RecordId> {
        let header = corridor_proto::record::Header::decode(&signed.header.bytes)?;
        let act = Act::Publish {
            version_hash: signed.header.version_hash(),
            record: header.record,
            version: header.version,
        };
        self.append(act, Some(signed))?;
        Ok(header.record)
    }

    /// Lets a record leave.
    pub fn leave(&mut self, record: RecordId) -> Result<()> {
        self.append(Act::Leave { record }, None)
    }

    /// Withdraws versions of a record up to one, with a note.
    pub fn withdraw(&mut self, record: RecordId, up_to: u64, note: Vec<u8>) -> Result<()> {
        let salt = Salt::new(edge::random()?);
        let act = Act::Withdraw(Withdrawal {
            record,
            up_to,
            reason: WithdrawalReason::Error,
            note: note_hash(&salt, &note),
            replacement: RecordId::ZERO,
        });
        self.bodies.push(salted(&salt, note));
        self.append(act, None)
    }

    /// Says who reads it: as its first line that makes it an open one.
    pub fn read_by(&mut self, list: &ReaderList) -> Result<()> {
        let (salt, list) = (Salt::new(edge::random()?), list.encode()?);
        let act = Act::Readers {
            list: readers_hash(&salt, &list),
        };
        let body = salted(&salt, list);
        self.readers = Some((self.tree.size(), body.clone()));
        self.bodies.push(body);
        self.append(act, None)
    }

    fn append(&mut self, act: Act, record: Option<SignedRecord>) -> Result<()> {
        let line = Line {
            time: edge::now(),
            random: edge::random()?,
            act,
        };
        let line = line.encode();
        self.tree.push(leaf_hash(&line));
        self.lines.push(line);
        self.records.push(record);
        Ok(())
    }

    /// Which record a line publishes.
    pub fn record_id(&self, index: usize) -> Option<RecordId> {
        let signed = self.records.get(index)?.as_ref()?;
        let header = corridor_proto::record::Header::decode(&signed.header.bytes).ok()?;
        Some(header.record)
    }

    /// How many lines there are.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    fn note(&self) -> Result<Vec<u8>> {
        let size = self.tree.size();
        let checkpoint = Checkpoint {
            log: self.id,
            incarnation: 0,
            size,
            root: self.tree.root_at(size).context("a root")?,
        };
        let signed = checkpoint.sign(&self.owner.signing);
        Ok(signed.note().as_bytes().to_vec())
    }

    /// Its head.
    pub fn head(&self) -> Result<Said> {
        Ok(Said::Checkpoint(v1::CheckpointFrame {
            owner: self.owner.rcp.as_bytes().to_vec(),
            seed: self.seed.as_bytes().to_vec(),
            checkpoint: self.note()?,
        }))
    }

    /// Its lines from an index on, as many as fit into a package.
    pub fn package(&self, from: usize) -> Result<Carried> {
        let size = self.tree.size();
        let end = self.lines.len().min(from + PACKAGE_LINES_MAX);
        let reached = u64::try_from(end)?;
        let proof = self.tree.consistency(reached, size).context("a proof")?;
        Ok(Carried::Package(v1::Package {
            log: self.id.as_bytes().to_vec(),
            from: u64::try_from(from)?,
            lines: self.lines.get(from..end).context("lines")?.to_vec(),
            checkpoint: self.note()?,
            proof: wire::proof_message(&proof),
            readers: self.readers.as_ref().map(|(index, list)| {
                let proof = self.tree.inclusion(*index, size).unwrap_or_default();
                let at = usize::try_from(*index).unwrap_or_default();
                v1::ReadersProof {
                    index: *index,
                    line: self.lines.get(at).cloned().unwrap_or_default(),
                    proof: wire::proof_message(&proof),
                    list: Some(list.clone()),
                }
            }),
            bodies: self.bodies.clone(),
        }))
    }

    /// Hands over the whole log, of which the node has nothing: each line is one record, and so
    /// many of them go in one frame.
    pub async fn deliver(&self, wire: &mut Wire, at_once: usize) -> Result<()> {
        wire.say(self.head()?)?;
        let mut from = wire.take_until(|frame| self.pulled(&frame)).await?;
        while from < self.size() {
            wire.send(self.package(usize::try_from(from)?)?)?;
            from += 256;
        }
        let mut wanted = Vec::new();
        while wanted.len() < self.lines.len() {
            wanted.extend(wire.take_until(|frame| self.wanted(&frame)).await?);
        }
        for indexes in wanted.chunks(at_once) {
            let indexes = indexes.iter().map(|at| usize::try_from(*at));
            let indexes: Vec<usize> = indexes.collect::<Result<_, _>>()?;
            wire.send(self.records(&indexes, |_| {})?)?;
        }
        Ok(())
    }

    /// The records at these indexes, as `change` makes them.
    pub fn records(
        &self,
        indexes: &[usize],
        change: impl Fn(&mut v1::RecordItem),
    ) -> Result<Carried> {
        let items = indexes.iter().map(|index| {
            let record = self.records.get(*index).cloned().flatten();
            let record = record.context("a record")?;
            let mut item = wire::record_message(u64::try_from(*index)?, record);
            change(&mut item);
            Ok(item)
        });
        Ok(Carried::Records(v1::Records {
            log: self.id.as_bytes().to_vec(),
            records: items.collect::<Result<_>>()?,
        }))
    }

    /// The indexes that a want for this log asks for; `None` for any other frame.
    pub fn wanted(&self, frame: &Carried) -> Option<Vec<u64>> {
        match frame {
            Carried::Want(want) if want.log == self.id.as_bytes().as_slice() => {
                let ranges = want.ranges.iter();
                let mut asked: Vec<u64> = ranges.flat_map(|range| range.from..range.to).collect();
                asked.sort_unstable();
                Some(asked)
            }
            _ => None,
        }
    }

    /// The size from which a pull of this log asks on; `None` for any other frame.
    pub fn pulled(&self, frame: &Carried) -> Option<u64> {
        match frame {
            Carried::Pull(pull) if pull.log == self.id.as_bytes().as_slice() => Some(pull.from),
            _ => None,
        }
    }
}
