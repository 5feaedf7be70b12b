//! A circle of a stranger's: lines and records of its own making, good or not.

use anyhow::{Context, Result};
use corridor_node::edge;
use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::line::{Act, Line};
use corridor_proto::record::{NewRecord, SignedRecord};
use corridor_proto::tree::{Tree, leaf_hash};
use corridor_proto::{LogId, LogSeed, RecordId, Salt, v1, wire};
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

use super::Stranger;

/// A log whose owner may sign whatever it likes.
pub struct Pages<'a> {
    /// Its identifier.
    pub id: LogId,
    owner: &'a Stranger,
    seed: LogSeed,
    lines: Vec<Vec<u8>>,
    tree: Tree,
    records: Vec<SignedRecord>,
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
        }
    }

    /// A record version of its own, in order.
    pub fn record(&self, title: &str) -> Result<SignedRecord> {
        let record = NewRecord {
            record: RecordId::new(edge::random()?),
            version: 1,
            kind: corridor_proto::kinds::Kind::Practice.code(),
            time: edge::now(),
            salt: Salt::new(edge::random()?),
            body: crate::nodes::practice(title),
        };
        Ok(record.sign(&self.charter, &self.signing)?.into_signed())
    }
}

impl Pages<'_> {
    /// Publishes what is given, whether or not it is in order, and gives its record.
    pub fn publish(&mut self, signed: SignedRecord) -> Result<RecordId> {
        let header = corridor_proto::record::Header::decode(&signed.header.bytes)?;
        let line = Line {
            time: edge::now(),
            random: edge::random()?,
            act: Act::Publish {
                version_hash: signed.header.version_hash(),
                record: header.record,
                version: header.version,
            },
        };
        let line = line.encode();
        self.tree.push(leaf_hash(&line));
        self.lines.push(line);
        self.records.push(signed);
        Ok(header.record)
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

    /// Its lines from an index on.
    pub fn package(&self, from: usize) -> Result<Carried> {
        let size = self.tree.size();
        let proof = self.tree.consistency(size, size).context("a proof")?;
        Ok(Carried::Package(v1::Package {
            log: self.id.as_bytes().to_vec(),
            from: u64::try_from(from)?,
            lines: self.lines.get(from..).context("lines")?.to_vec(),
            checkpoint: self.note()?,
            proof: wire::proof_message(&proof),
            readers: None,
            bodies: Vec::new(),
        }))
    }

    /// The records at these indexes, as `change` makes them.
    pub fn records(
        &self,
        indexes: &[usize],
        change: impl Fn(&mut v1::RecordItem),
    ) -> Result<Carried> {
        let items = indexes.iter().map(|index| {
            let record = self.records.get(*index).context("a record")?.clone();
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
