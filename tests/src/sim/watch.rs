//! The observer of every frame: nothing leaves for a node that is not entitled to it.
//!
//! Whatever may give something away is registered with the first eight bytes of its wire form:
//! identifiers of logs and records, hashes of versions, unique texts of bodies, notes, drafts and
//! circle names. Every byte of every frame is compared with all of them.

use std::collections::{BTreeMap, HashMap};

use super::spec::{At, Kind, Spec};

/// What a sequence of bytes gives away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secret {
    /// That a circle exists.
    Log(usize),
    /// The name of a circle.
    Name(usize),
    /// That a record exists.
    Record(usize),
    /// That a version exists.
    Version(usize, u64),
    /// A version's text.
    Body(usize, u64),
    /// A draft's text: its author's, until it is published under another entry.
    Draft(At),
    /// What was discarded: nobody's.
    Erased,
    /// The note of a withdrawal.
    Note(usize),
    /// An RCP: who shares with whom.
    Rcp(At),
}

/// A frame on its way.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Who sends.
    pub from: At,
    /// Who receives.
    pub to: At,
    /// The log that the frame is about, if it is one the sender owns.
    pub log: Option<usize>,
    /// Circles of third nodes that the sender may pass on to the receiver.
    pub given: Vec<usize>,
    /// Those that the receiver may pass on to the sender.
    pub taken: Vec<usize>,
    /// Whether the frame only names a log: that it is not to be had, or to have it back.
    pub gone: bool,
}

/// All secrets.
pub struct Watch {
    firsts: Vec<bool>,
    secrets: HashMap<[u8; 8], Secret>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            firsts: vec![false; 1 << 16],
            secrets: HashMap::new(),
        }
    }
}

const fn first(a: u8, b: u8) -> usize {
    ((a as usize) << 8) | b as usize
}

impl Watch {
    /// Registers a secret; a later entry for the same bytes replaces the earlier one.
    pub fn add(&mut self, bytes: &[u8], secret: Secret) {
        let key: [u8; 8] = bytes[..8].try_into().expect("8 bytes");
        self.firsts[first(key[0], key[1])] = true;
        self.secrets.insert(key, secret);
    }

    /// The secrets in a frame's bytes that its receiver has no right to.
    pub fn leaks(&self, spec: &Spec, leg: &Leg, bytes: &[u8], now: u64) -> Vec<Secret> {
        self.found(bytes)
            .filter(|secret| !allowed(spec, leg, *secret, now))
            .collect()
    }

    /// The secrets in some bytes.
    pub fn found(&self, bytes: &[u8]) -> impl Iterator<Item = Secret> {
        bytes
            .windows(8)
            .filter(|window| self.firsts[first(window[0], window[1])])
            .filter_map(|window| self.secrets.get(window).copied())
    }
}

fn allowed(spec: &Spec, leg: &Leg, secret: Secret, now: u64) -> bool {
    let (from, to) = (leg.from, leg.to);
    // An owner is told nothing new by what a reader gives back to it.
    if leg.log.is_some_and(|at| spec.circles[at].owner == to) {
        return true;
    }
    if is_relayed(spec, leg, secret) {
        return true;
    }
    let mut readable = spec.readable(from, to, now);
    let in_private = |record: &usize| {
        let private = leg.log.map(|at| &spec.circles[at]);
        private.is_some_and(|c| c.kind == Kind::Private(to) && spec.entitled(c, to, now))
            && spec.seen.get(&to).is_some_and(|seen| seen.contains(record))
    };
    match secret {
        Secret::Log(at) => {
            let circle = &spec.circles[at];
            circle.owner == to
                || circle.owner == from
                    && (spec.entitled(circle, to, now) || leg.gone && circle.once.contains(&to))
        }
        Secret::Name(at) => {
            let circle = &spec.circles[at];
            circle.owner == from && circle.kind == Kind::Open && spec.entitled(circle, to, now)
        }
        Secret::Record(record) => {
            let stood = |kind: Option<Kind>| {
                spec.circles.iter().any(|circle| {
                    circle.owner == from
                        && circle.stands.contains_key(&record)
                        && kind.map_or_else(
                            || spec.entitled(circle, to, now),
                            |kind| circle.kind == kind,
                        )
                })
            };
            stood(None) || stood(Some(Kind::Public)) || in_private(&record)
        }
        Secret::Version(record, version) => {
            readable.any(|circle| circle.versions.contains(&(record, version)))
        }
        Secret::Body(record, version) => readable.any(|circle| spec.gives(circle, record, version)),
        Secret::Draft(_) | Secret::Erased => false,
        Secret::Note(record) => {
            readable.any(|circle| circle.stands.contains_key(&record)) || in_private(&record)
        }
        Secret::Rcp(rcp) => {
            rcp == from
                || rcp == to
                || readable
                    .any(|circle| circle.kind == Kind::Open && circle.readers.contains_key(&rcp))
        }
    }
}

/// Whether a circle that travels through third nodes lets the secret along this leg.
fn is_relayed(spec: &Spec, leg: &Leg, secret: Secret) -> bool {
    let mut given = leg.given.iter().map(|at| &spec.circles[*at]);
    match secret {
        Secret::Log(at) => {
            // Readers of one list know that of each other.
            let mut lists = spec.circles[at].lists.iter();
            let both = |list: &BTreeMap<At, u64>| {
                list.contains_key(&leg.from) && list.contains_key(&leg.to)
            };
            leg.given.contains(&at) || leg.taken.contains(&at) || lists.any(|(_, list)| both(list))
        }
        Secret::Name(at) => leg.given.contains(&at),
        Secret::Record(record) | Secret::Note(record) => {
            // What replaces a withdrawn one may be any that is public.
            let is_public = |owner: At| {
                let mut circles = spec.circles.iter();
                circles.any(|circle| {
                    circle.owner == owner
                        && circle.kind == Kind::Public
                        && circle.stands.contains_key(&record)
                })
            };
            given.any(|circle| circle.stands.contains_key(&record) || is_public(circle.owner))
        }
        Secret::Version(record, version) | Secret::Body(record, version) => {
            given.any(|circle| circle.versions.contains(&(record, version)))
        }
        Secret::Rcp(rcp) => {
            let taken = leg.taken.iter().map(|at| &spec.circles[*at]);
            // An owner knows its readers.
            let own = spec.circles.iter().filter(|circle| circle.owner == leg.to);
            given.chain(taken).chain(own).any(|circle| {
                let listed = circle.lists.iter().any(|(_, list)| list.contains_key(&rcp));
                circle.owner == rcp || listed
            })
        }
        Secret::Draft(_) | Secret::Erased => false,
    }
}
