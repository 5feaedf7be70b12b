//! Everything that can be found in bytes, and who may find it: one pass over an answer finds all.

use std::collections::{BTreeSet, HashMap};

use super::spec::{Part, Reader, hears_name, hears_of, hears_of_circle, may_find};
use super::world::{Circle, Who, World};

/// How many bytes of each needle are looked for.
const LENGTH: usize = 16;

/// What a needle is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Record(usize, Part),
    Partner(Who),
    Circle(Circle),
    Name(Circle),
}

pub struct Needles<'a> {
    world: &'a World,
    all: HashMap<[u8; LENGTH], Of>,
    /// The two bytes with which any begins: most of what is searched is left behind here.
    begins: Vec<bool>,
}

fn begin(bytes: &[u8; LENGTH]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

impl<'a> Needles<'a> {
    pub fn of(world: &'a World) -> Self {
        let mut needles = Self {
            world,
            all: HashMap::new(),
            begins: vec![false; 1 << 16],
        };
        for (at, record) in world.records.iter().enumerate() {
            let mut part = |bytes: &[u8], part| needles.add(bytes, Of::Record(at, part));
            part(record.id.as_bytes(), Part::Id);
            part(record.id.to_string().as_bytes(), Part::Id);
            for (version, made) in record.versions.iter().enumerate() {
                part(made.mark.as_bytes(), Part::Text(version));
            }
            if let Some(mark) = &record.note {
                part(mark.as_bytes(), Part::Note);
            }
            if let Some(mark) = &record.draft {
                part(mark.as_bytes(), Part::Draft);
            }
        }
        for (who, partner) in &world.partners {
            needles.add(partner.rcp.as_bytes(), Of::Partner(*who));
            needles.add(partner.rcp.to_string().as_bytes(), Of::Partner(*who));
        }
        for (circle, (log, seed)) in &world.circles {
            needles.add(log.as_bytes(), Of::Circle(*circle));
            needles.add(log.to_string().as_bytes(), Of::Circle(*circle));
            if !seed.is_zero() {
                needles.add(seed.as_bytes(), Of::Circle(*circle));
            }
        }
        for (circle, name) in &world.names {
            needles.add(name.as_bytes(), Of::Name(*circle));
        }
        needles
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    fn add(&mut self, bytes: &[u8], of: Of) {
        let (first, _) = bytes.split_first_chunk().expect("long enough");
        self.begins[begin(first)] = true;
        let old = self.all.insert(*first, of);
        assert!(old.is_none(), "{of:?} begins as {old:?}");
    }

    fn at(&self, window: &[u8]) -> Option<Of> {
        let first: &[u8; LENGTH] = window.try_into().ok()?;
        self.begins[begin(first)].then(|| self.all.get(first).copied())?
    }

    fn may_find(&self, reader: Reader, of: Of) -> bool {
        match of {
            Of::Record(at, part) => may_find(reader, &self.world.records[at], part),
            Of::Partner(who) => hears_of(reader, who),
            Of::Circle(circle) => hears_of_circle(reader, circle),
            Of::Name(circle) => hears_name(reader, circle),
        }
    }

    /// What an answer to a question holds that its reader may not see. What the question had in it
    /// itself may stand in the answer.
    pub fn leaks(&self, reader: Reader, answer: &[u8], asked: &[&[u8]]) -> Vec<String> {
        let asked: BTreeSet<&[u8]> = asked.iter().filter_map(|part| part.get(..LENGTH)).collect();
        let found = answer.windows(LENGTH).filter_map(|window| {
            let of = self.at(window)?;
            (!asked.contains(window) && !self.may_find(reader, of)).then_some(of)
        });
        let told = found.map(|of| match of {
            Of::Record(at, part) => {
                let record = &self.world.records[at];
                format!("{part:?} of {:?} {:?}", record.home, record.state)
            }
            of => format!("{of:?}"),
        });
        told.collect()
    }

    /// Texts, notes, drafts and names that stand in what nobody is to see.
    pub fn texts(&self, bytes: &[u8]) -> Vec<String> {
        let found = bytes
            .windows(LENGTH)
            .filter_map(|window| match self.at(window)? {
                Of::Record(_, Part::Id) | Of::Partner(_) | Of::Circle(_) => None,
                of => Some(format!("{of:?}")),
            });
        found.collect()
    }
}
