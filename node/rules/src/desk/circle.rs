//! Circles: opening them, and saying who reads them.

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::limits::READERS_MAX;
use corridor_proto::line::{Act, ReaderList, readers_hash};
use corridor_proto::{LogId, LogSeed, RcpId, Salt, UnixMillis};

use super::{Decision, Desk, DeskRefusal, circle};
use crate::fact::{Fact, blob};
use crate::log::{Log, Sort, fits_circle};
use crate::peer::PeerState;
use crate::visibility::{Reader, may_read};

impl Desk<'_> {
    pub(super) fn open_circle(&mut self, name: &str, open: bool, relay: bool) -> Decision {
        if !fits_circle(name) {
            return Err(DeskRefusal::Name(name.to_owned()));
        }
        if self.model.circle(name).is_some() {
            return Err(DeskRefusal::Exists(name.to_owned()));
        }
        let seed = LogSeed::new(self.bytes());
        let sort = if open { Sort::Open } else { Sort::Closed };
        let log = Log::new(self.model.me, seed, sort, name.to_owned());
        let list = ReaderList {
            relay: open && relay,
            circle: name.to_owned(),
            ..ReaderList::default()
        };
        let mut facts = vec![circle(self.model.me, seed, sort, name)];
        facts.extend(self.list(&log, &list)?);
        Ok(facts)
    }

    /// A new reader list of a log, and for an open one the line that names it.
    fn list(&mut self, log: &Log, list: &ReaderList) -> Decision {
        let bytes = list.encode()?;
        let salt = Salt::new(self.bytes());
        let hash = readers_hash(&salt, &bytes);
        let mut facts = vec![Fact::List {
            log: log.id,
            hash,
            blob: blob(&salt, &bytes),
        }];
        if log.sort == Sort::Open {
            let line = self.line(Act::Readers { list: hash });
            facts.extend(self.append(log, vec![line])?);
        }
        Ok(facts)
    }

    pub(super) fn set_readers(
        &mut self,
        id: LogId,
        readers: BTreeMap<RcpId, UnixMillis>,
    ) -> Decision {
        let log = self.own_log(&id)?.clone();
        if !matches!(log.sort, Sort::Open | Sort::Closed) {
            return Err(DeskRefusal::NoList(log.name));
        }
        // A closed list is in no line: while nothing is signed it can be mended.
        if let (Some(reason), Sort::Open) = (&self.model.signing_stopped, log.sort) {
            return Err(DeskRefusal::SigningStopped(reason.clone()));
        }
        // One that only a reader knew of came back without its list.
        let old = log.readers.as_ref().map_or_else(
            || ReaderList {
                circle: log.name.clone(),
                ..ReaderList::default()
            },
            |readers| readers.list.clone(),
        );
        if readers.len() > READERS_MAX {
            return Err(DeskRefusal::TooMany {
                what: "readers",
                remedy: "take some out with `corridor circle remove`",
            });
        }
        let before: BTreeMap<_, _> = old.readers.iter().copied().collect();
        if before == readers {
            return Err(DeskRefusal::Nothing("these are the readers already"));
        }
        for rcp in readers.keys().filter(|rcp| !before.contains_key(rcp)) {
            if self.model.peer_state(rcp) != Some(PeerState::Active) {
                return Err(DeskRefusal::NotActive(*rcp));
            }
        }
        let mut facts: Vec<Fact> = before
            .keys()
            .filter(|rcp| !readers.contains_key(rcp) && !log.former.contains_key(rcp))
            .map(|rcp| Fact::Former {
                log: id,
                rcp: *rcp,
                size: log.size(),
            })
            .collect();
        // Whoever is admitted anew may hold everything again.
        let anew = readers.iter().filter(|(rcp, until)| {
            log.former.contains_key(rcp)
                && before.get(rcp) != Some(until)
                && self.model.peer_state(rcp) == Some(PeerState::Active)
        });
        facts.extend(anew.map(|(rcp, _)| Fact::Reader { log: id, rcp: *rcp }));
        let list = ReaderList {
            readers: readers.into_iter().collect(),
            ..old
        };
        facts.extend(self.list(&log, &list)?);
        Ok(facts)
    }

    /// Takes an RCP off the lists of all circles.
    pub(super) fn unlist(&mut self, rcp: RcpId) -> Decision {
        let (model, now) = (self.model, self.now);
        let mut facts = Vec::new();
        for log in model.own_logs() {
            let Some(readers) = &log.readers else {
                continue;
            };
            let mut list = readers.list.clone();
            list.readers.retain(|(reader, _)| *reader != rcp);
            if list == readers.list {
                continue;
            }
            // Its right may have ended before: what it holds it holds all the same.
            let is_over = may_read(model, log, &Reader::Peer(rcp), now).is_err();
            if is_over && !log.former.contains_key(&rcp) {
                let (log, size) = (log.id, log.size());
                facts.push(Fact::Former { log, rcp, size });
            }
            facts.extend(self.list(log, &list)?);
        }
        Ok(facts)
    }

    /// Takes paused RCPs off the lists of the circles that readers pass on: they would go on. All
    /// at once: a group appends to each log once.
    pub(super) fn suspend(&mut self, paused: &BTreeSet<RcpId>) -> Decision {
        let model = self.model;
        let mut facts = Vec::new();
        for log in model.own_logs().filter(|log| log.is_relayed()) {
            let Some(readers) = &log.readers else {
                continue;
            };
            let mut list = readers.list.clone();
            let taken = list
                .readers
                .extract_if(.., |(reader, _)| paused.contains(reader));
            let taken: Vec<_> = taken.collect();
            for (rcp, until) in taken {
                let (id, size) = (log.id, log.size());
                facts.push(Fact::Suspended {
                    log: id,
                    rcp,
                    until,
                });
                // Its right may have ended before: what it holds it holds all the same.
                if !log.former.contains_key(&rcp) {
                    facts.push(Fact::Former { log: id, rcp, size });
                }
            }
            if list != readers.list {
                facts.extend(self.list(log, &list)?);
            }
        }
        Ok(facts)
    }

    /// Puts a resumed RCP back on these lists.
    pub(super) fn unsuspend(&mut self, rcp: RcpId) -> Decision {
        let model = self.model;
        let mut facts = Vec::new();
        for log in model.own_logs() {
            let (Some(until), Some(readers)) = (log.suspended.get(&rcp), &log.readers) else {
                continue;
            };
            let mut list = readers.list.clone();
            list.readers.push((rcp, *until));
            list.readers.sort_unstable();
            if list.admits(&rcp, self.now) {
                facts.push(Fact::Reader { log: log.id, rcp });
            }
            facts.extend(self.list(log, &list)?);
        }
        Ok(facts)
    }

    /// Listed readers whose right ended before this log grows: they hold nothing of what comes.
    pub(super) fn lapsed(&self, log: &Log) -> Vec<Fact> {
        let listed = log.readers.iter().flat_map(|readers| &readers.list.readers);
        listed
            .filter(|(rcp, _)| !log.former.contains_key(rcp))
            .filter(|(rcp, _)| may_read(self.model, log, &Reader::Peer(*rcp), self.now).is_err())
            .map(|(rcp, _)| Fact::Former {
                log: log.id,
                rcp: *rcp,
                size: log.size(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
