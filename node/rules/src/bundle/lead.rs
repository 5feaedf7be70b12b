//! Lines of a bundle, led to a head that is here and not yet reached.
//!
//! Whoever began to take a log in, along a connection or from another bundle, holds a head whose
//! lines are not all here, and takes none but these. Over a connection they are asked for; a file
//! is proved to its own head. Its lines, and those that are here, make the tree in which both heads
//! are found, or they are not one history.

use corridor_proto::checkpoint::Checkpoint;
use corridor_proto::limits::ORDINAL_MAX;
use corridor_proto::tree::{Tree, leaf_hash};
use corridor_proto::{LogId, RcpId, v1, wire};

use super::write::count;
use crate::log::Log;
use crate::model::Model;

/// The lines of a log up to its head that is not yet reached.
#[derive(Clone, Debug)]
pub struct Lead {
    head: Checkpoint,
    tree: Tree,
}

impl Lead {
    /// For a log of `owner` of which a head is here that is not reached; else `None`.
    pub fn of(model: &Model, owner: &RcpId, id: &LogId) -> Option<Self> {
        let log = model.logs.get(id).filter(|log| log.owner == *owner)?;
        let head = log.pending(model)?.checkpoint;
        let tree = log.tree.clone();
        Some(Self { head, tree })
    }

    /// Takes the lines of a package in; those that do not follow are passed over.
    pub fn note(&mut self, package: &v1::Package) {
        if package.from > ORDINAL_MAX {
            return; // no log is so long: it is refused
        }
        for (index, line) in (package.from..).zip(&package.lines) {
            if index == self.tree.size() && index < self.head.size {
                self.tree.push(leaf_hash(line));
            }
        }
    }

    /// Whether the lines of the file lead to the head that is here.
    fn leads(&self) -> bool {
        self.tree.root_at(self.head.size) == Some(self.head.root)
    }

    /// The same lines, proved to the head that is here, while that is not reached; what lies
    /// beyond it stays for the package itself, which follows.
    pub fn lead(&self, log: Option<&Log>, package: &v1::Package) -> Option<v1::Package> {
        let size = log?.size();
        if !self.leads() || size >= self.head.size || package.from > size {
            return None;
        }
        let end = package.from.checked_add(count(package.lines.len()))?;
        let reached = end.min(self.head.size);
        let lines = usize::try_from(reached.checked_sub(package.from)?).ok()?;
        Some(v1::Package {
            lines: package.lines.iter().take(lines).cloned().collect(),
            checkpoint: Vec::new(),
            proof: wire::proof_message(&self.tree.consistency(reached, self.head.size)?),
            // At most as many bodies as lines; those beyond come with the package itself.
            bodies: package.bodies.iter().take(lines).cloned().collect(),
            readers: None,
            ..package.clone()
        })
    }
}
