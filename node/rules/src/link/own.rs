//! Our own logs, given back by a reader: this folder was restored or set back, or was restarted
//! without what that reader holds.
//!
//! Lines that extend ours are taken as ours. A branch that differs is walked from its first line,
//! and what it published is asked for, before the reader is told of our restart: behind that it
//! forgets the branch.

use std::collections::BTreeMap;

use corridor_proto::line::{Act, ReadLine};
use corridor_proto::tree::Frontier;
use corridor_proto::{LogId, LogSeed, RcpId, Reason, Refusal, v1};

use super::{Context, Following, Link, Output};
use crate::ingest::{Arrival, own};
use crate::limits::LOGS_PER_RCP_MAX;
use crate::log::Log;
use crate::peer::{Call, may_call};
use crate::row::{Named, RecordKey};

/// A log of ours that a reader gives back.
#[derive(Clone, Debug, Default)]
pub(super) struct Back {
    /// Lines that it says it holds; zero once no more is expected.
    size: u64,
    /// How far its branch was walked, once it proved to be another than ours.
    branch: Option<Frontier>,
    /// What the branch published and is still to be asked for.
    pub wanted: BTreeMap<u64, Named>,
}

impl Back {
    /// From where on lines are asked for.
    pub fn from(&self, log: Option<&Log>) -> u64 {
        let ours = log.map_or(0, Log::size).min(self.size);
        self.branch.as_ref().map_or(ours, Frontier::size)
    }

    /// What came does not continue our lines: it is walked from its first. Whether that is news.
    pub fn branches_off(&mut self) -> bool {
        let is_news = self.branch.is_none();
        self.branch.get_or_insert_default();
        is_news
    }

    /// Nothing more is expected.
    pub fn end(&mut self) {
        self.size = 0;
        self.wanted.clear();
    }
}

impl Link {
    /// The peer holds so many lines of a log of ours, on our branch or on another one, or texts
    /// that we lack.
    pub(super) fn take_back(
        &mut self,
        (me, id, seed): (RcpId, LogId, LogSeed),
        size: u64,
        is_branch: bool,
    ) {
        if self.following.len() >= LOGS_PER_RCP_MAX || !may_call(self.state, Call::Send) {
            return;
        }
        let back = Back {
            size,
            branch: is_branch.then(Frontier::default),
            wanted: BTreeMap::new(),
        };
        let following = Following {
            back: Some(back),
            ..Following::of(me, seed)
        };
        self.following.insert(id, following);
    }

    /// Whether the peer is still giving a log of ours back.
    pub(super) fn is_coming_back(&self, id: &LogId, log: Option<&Log>) -> bool {
        self.following.get(id).is_some_and(|following| {
            following.back.as_ref().is_some_and(|back| {
                back.from(log) < back.size
                    || !back.wanted.is_empty()
                    || !following.in_flight.is_empty()
            })
        })
    }

    /// Lines of a log of ours.
    pub(super) fn package_of_ours(
        &mut self,
        id: LogId,
        package: v1::Package,
        context: &Context<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Refusal> {
        let unasked = Refusal::new("package", Reason::NotEntitled);
        let following = self.following.get_mut(&id).ok_or(unasked)?;
        let (peer, seed) = (self.peer, following.seed);
        let back = following.back.as_mut().ok_or(unasked)?;
        if back.from(context.model.logs.get(&id)) >= back.size {
            // It has given all back, and may follow our restart by now.
            return Ok(());
        }
        let package = Box::new(package);
        let Some(frontier) = &mut back.branch else {
            self.arriving = Some(id);
            out.push(Output::Arrival(Arrival::OwnPackage {
                peer,
                seed,
                package,
            }));
            return Ok(());
        };
        let log = context.model.logs.get(&id).ok_or(unasked)?;
        let verified = own::head(context.model, &id, &package)
            .and_then(|head| own::verify(&package, frontier, &head))
            .inspect_err(|_| following.pulled = false);
        let verified = match verified {
            Ok(verified) => verified,
            Err(refusal) => {
                back.end();
                return Err(refusal);
            }
        };
        for (at, _) in own::differing(log, &verified) {
            let Some((_, ReadLine::Line(line))) = verified.lines().get(at) else {
                continue;
            };
            let Act::Publish {
                version_hash,
                record,
                version,
            } = line.act
            else {
                continue;
            };
            let rcp = context.model.me;
            let row = context.source.row(&RecordKey { rcp, record });
            let row = row.unwrap_or_default();
            if row.body(&version_hash).is_none() && version > row.burnt() {
                let index = verified.from() + u64::try_from(at).unwrap_or(0);
                let named = Named {
                    record,
                    version_hash,
                };
                back.wanted.insert(index, named);
            }
        }
        let before = std::mem::replace(frontier, verified.frontier().clone());
        out.push(Output::Arrival(Arrival::VoidPackage {
            peer,
            seed,
            package,
            frontier: before,
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
