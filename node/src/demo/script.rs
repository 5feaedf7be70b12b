//! Who publishes what to whom, and so who must hold what.
//!
//! The audiences come from the data; the overrides of [`PARTS`] put every kind of circle to work,
//! and whatever is shared wider, shared narrower or withdrawn changes what somebody may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use corridor_proto::kinds::Kind;
use corridor_proto::v1;
use prost::Message;

use super::DemoError;
use super::records::{
    DemoDataError, DemoRcp, DemoRecord, demonstration_rcps, demonstration_records,
};

/// A circle, by what it is to its owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Circle {
    /// Anyone.
    Public,
    /// All partners: every other RCP of the demonstration.
    Federation,
    /// RCPs with observer status.
    Observers,
    /// The drafting circle.
    Drafting,
    /// The private circle of one partner.
    Private(String),
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Federation => f.write_str("federation"),
            Self::Observers => f.write_str("observers"),
            Self::Drafting => f.write_str(DRAFTING),
            Self::Private(peer) => write!(f, "private to {peer}"),
        }
    }
}

/// A part that one record plays, out of the ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// It goes into the drafting circle instead.
    Drafted,
    /// It goes to one partner alone.
    Private,
    /// It goes to the observers first and is shared with everybody later.
    Widened,
    /// It is revised.
    Revised,
    /// It goes to everybody and the observers first; then all but the observers lose it.
    Narrowed,
    /// It is withdrawn.
    Withdrawn,
}

impl Part {
    /// A few words for a person.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Drafted => "in a drafting circle",
            Self::Private => "for one partner",
            Self::Widened => "shared wider later",
            Self::Revised => "revised",
            Self::Narrowed => "shared narrower",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// What is done to it in the last act, for a person.
    pub const fn act(self) -> Option<&'static str> {
        match self {
            Self::Drafted | Self::Private => None,
            Self::Widened => Some("one is shared wider"),
            Self::Revised => Some("one is revised"),
            Self::Narrowed => Some("one is shared narrower"),
            Self::Withdrawn => Some("one is withdrawn"),
        }
    }
}

/// The overrides: each part, the record that plays it, and who reads the narrow circle that it goes
/// to. Where that RCP does not take part, another one's public record plays; where none of those
/// readers does, the first other RCP reads.
pub const PARTS: [(Part, &str, &[&str]); 6] = [
    (Part::Drafted, "rabat-marrakesh", &["budapest", "khartoum"]),
    (Part::Private, "rcm-observer-rules", &["sacm"]),
    (Part::Widened, "igad-rmcc", &["khartoum", "midcom"]),
    (Part::Revised, "prague-observatory", &[]),
    (Part::Narrowed, "bali-aaa", &["budapest", "prague"]),
    (Part::Withdrawn, "midcom-data-exchange", &[]),
];

/// Who observes the RCPs whose records are for observers: owner, observers.
const OBSERVERS: [(&str, &[&str]); 2] =
    [("budapest", &["bali", "prague"]), ("cmc", &["rcm", "sacm"])];

/// The name of the drafting circle.
pub const DRAFTING: &str = "imrf-2026-drafting";

/// The demonstration's records, RCPs and audiences.
#[derive(Debug)]
pub struct Script {
    /// The RCPs, by short name.
    pub rcps: BTreeMap<String, DemoRcp>,
    /// The records, by short name.
    pub records: BTreeMap<String, DemoRecord>,
    /// Which record plays which part.
    pub parts: BTreeMap<Part, String>,
    /// Who is in the reader list of a circle other than `federation`, by owner and circle.
    pub lists: BTreeMap<(String, Circle), BTreeSet<String>>,
    /// For whom the record is that plays [`Part::Private`].
    pub partner: Option<String>,
}

/// How far the script was played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// All is published.
    First,
    /// Shared wider and narrower, revised, withdrawn.
    Last,
}

/// What the script entitles the RCPs to, of each other's.
#[derive(Debug, Default)]
pub struct Rights {
    /// Reader and record, for each text due: how many times it was published.
    pub texts: BTreeMap<(String, String), usize>,
    /// Reader and record: who may know that it is or was there.
    pub traces: BTreeSet<(String, String)>,
    /// Reader, owner and circle: whose log may be held.
    pub logs: BTreeSet<(String, String, Circle)>,
}

impl Script {
    /// The script for these RCPs, or for all that have records.
    ///
    /// # Errors
    /// [`DemoError::Data`], [`DemoError::NoRecords`].
    pub fn new(only: &BTreeSet<String>) -> Result<Self, DemoError> {
        let mut records: BTreeMap<String, DemoRecord> = demonstration_records()?
            .into_iter()
            .map(|record| (record.id.clone(), record))
            .collect();
        let all: BTreeSet<String> = records.values().map(|record| record.rcp.clone()).collect();
        if let Some(unknown) = only.difference(&all).next() {
            let choice = all.iter().cloned().collect::<Vec<_>>().join(", ");
            return Err(DemoError::NoRecords(unknown.clone(), choice));
        }
        let chosen = if only.is_empty() { &all } else { only };
        records.retain(|_, record| chosen.contains(&record.rcp));
        let rcps = demonstration_rcps()?
            .into_iter()
            .filter(|rcp| chosen.contains(&rcp.id))
            .map(|rcp| (rcp.id.clone(), rcp))
            .collect();
        let mut script = Self {
            rcps,
            records,
            parts: BTreeMap::new(),
            lists: BTreeMap::new(),
            partner: None,
        };
        script.cast();
        script.list();
        Ok(script)
    }

    /// Finds a record for each part.
    fn cast(&mut self) {
        if self.rcps.len() < 2 {
            return; // nobody is there to notice
        }
        for (part, record, _) in PARTS {
            if self.records.contains_key(record) {
                self.parts.insert(part, record.to_owned());
            }
        }
        for (part, ..) in PARTS {
            let plays = |id: &String| self.parts.values().any(|record| record == id);
            let is_free = |record: &&DemoRecord| {
                let is_fit = part != Part::Revised || record.kind == Kind::Practice;
                record.audience == "public" && is_fit && !plays(&record.id)
            };
            // The parts are spread over the RCPs.
            let burden = |record: &&DemoRecord| {
                let theirs = self.records.values().filter(|r| r.rcp == record.rcp);
                theirs.filter(|r| plays(&r.id)).count()
            };
            let found = self.records.values().filter(is_free).min_by_key(burden);
            if let Some(id) = found.map(|record| record.id.clone()) {
                self.parts.entry(part).or_insert(id);
            }
        }
    }

    /// Fills the reader lists.
    fn list(&mut self) {
        for (owner, observers) in OBSERVERS {
            if self.rcps.contains_key(owner) {
                let place = (owner.to_owned(), Circle::Observers);
                self.lists.insert(place, self.choose(owner, observers));
            }
        }
        for (part, _, names) in PARTS {
            let Some(owner) = self.playing(part).map(|record| record.rcp.clone()) else {
                continue;
            };
            let readers = self.choose(&owner, names);
            match part {
                Part::Drafted => {
                    self.lists.insert((owner, Circle::Drafting), readers);
                }
                Part::Private => self.partner = readers.into_iter().next(),
                Part::Widened | Part::Narrowed => {
                    let others = self.rcps.len() - 1;
                    let list = self.lists.entry((owner, Circle::Observers));
                    let list = list.or_insert(readers);
                    // One at least must gain or lose the record.
                    while list.len() >= others {
                        list.pop_last();
                    }
                }
                Part::Revised | Part::Withdrawn => {}
            }
        }
    }

    /// Those of `names` that take part, else the first RCP that does.
    fn choose(&self, owner: &str, names: &[&str]) -> BTreeSet<String> {
        let others: BTreeSet<String> = self.others(owner).collect();
        let named = others.iter().filter(|id| names.contains(&id.as_str()));
        let named: BTreeSet<String> = named.cloned().collect();
        if named.is_empty() {
            return others.into_iter().take(1).collect();
        }
        named
    }

    fn others(&self, owner: &str) -> impl Iterator<Item = String> {
        self.rcps.keys().filter(move |id| *id != owner).cloned()
    }

    /// The record that plays a part.
    pub fn playing(&self, part: Part) -> Option<&DemoRecord> {
        self.records.get(self.parts.get(&part)?)
    }

    fn part(&self, record: &DemoRecord) -> Option<Part> {
        let mut parts = self.parts.iter();
        parts
            .find(|(_, id)| **id == record.id)
            .map(|(part, _)| *part)
    }

    /// The circles in which a record stands at the end of an act.
    pub fn circles(&self, record: &DemoRecord, act: Act) -> BTreeSet<Circle> {
        match (self.part(record), act) {
            (Some(Part::Drafted), _) => [Circle::Drafting].into(),
            (Some(Part::Private), _) => self.partner.iter().cloned().map(Circle::Private).collect(),
            (Some(Part::Widened), Act::First) | (Some(Part::Narrowed), Act::Last) => {
                [Circle::Observers].into()
            }
            (Some(Part::Widened), Act::Last) | (Some(Part::Narrowed), Act::First) => {
                [Circle::Observers, Circle::Public].into()
            }
            (Some(Part::Withdrawn), Act::Last) => BTreeSet::new(),
            _ => match record.audience.as_str() {
                "public" => [Circle::Public].into(),
                "federation" => [Circle::Federation].into(),
                "observers" => [Circle::Observers].into(),
                // An unknown audience is nobody.
                _ => BTreeSet::new(),
            },
        }
    }

    /// The readers of a circle of `owner`, among the RCPs that take part.
    pub fn readers(&self, owner: &str, circle: &Circle) -> BTreeSet<String> {
        match circle {
            Circle::Public | Circle::Federation => self.others(owner).collect(),
            Circle::Observers | Circle::Drafting => {
                let place = (owner.to_owned(), circle.clone());
                self.lists.get(&place).cloned().unwrap_or_default()
            }
            Circle::Private(peer) => self.others(owner).filter(|id| id == peer).collect(),
        }
    }

    /// What every RCP is entitled to at the end of an act.
    pub fn rights(&self, act: Act) -> Rights {
        let mut rights = Rights::default();
        for (id, record) in &self.records {
            let publications = match (self.part(record), act) {
                (Some(Part::Revised), Act::Last) => 2,
                _ => 1,
            };
            for circle in self.circles(record, act) {
                for reader in self.readers(&record.rcp, &circle) {
                    rights.traces.insert((reader.clone(), id.clone()));
                    rights.texts.insert((reader, id.clone()), publications);
                }
            }
            // Whoever lost a record learnt of it before.
            for circle in self.circles(record, Act::First) {
                let readers = self.readers(&record.rcp, &circle).into_iter();
                rights
                    .traces
                    .extend(readers.map(|reader| (reader, id.clone())));
            }
        }
        for owner in self.rcps.keys() {
            let listed = [Circle::Observers, Circle::Drafting];
            let circles = [Circle::Public, Circle::Federation].into_iter();
            let circles = circles
                .chain(listed)
                .chain(self.others(owner).map(Circle::Private));
            for circle in circles {
                for reader in self.readers(owner, &circle) {
                    rights.logs.insert((reader, owner.clone(), circle.clone()));
                }
            }
        }
        rights
    }
}

/// The body of a practice once it was revised: it says until when it is presumed correct.
///
/// # Errors
/// [`DemoDataError::Body`] if the body is no practice.
pub fn revised(record: &DemoRecord) -> Result<Vec<u8>, DemoDataError> {
    let mut practice =
        v1::Practice::decode(record.body.as_slice()).map_err(|source| DemoDataError::Body {
            id: record.id.clone(),
            source,
        })?;
    let envelope = practice.envelope.get_or_insert_default();
    envelope.review_by = "2027-06-30".to_owned();
    Ok(practice.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(only: &[&str]) -> Script {
        let only = only.iter().map(|id| (*id).to_owned()).collect();
        Script::new(&only).expect("script")
    }

    fn holders(script: &Script, part: Part, act: Act) -> usize {
        let id = &script.parts[&part];
        let rights = script.rights(act);
        rights.texts.keys().filter(|(_, of)| of == id).count()
    }

    #[test]
    fn the_whole_script_plays_sixty_records_of_21_rcps_in_every_kind_of_circle() {
        let script = script(&[]);
        assert_eq!((script.rcps.len(), script.records.len()), (21, 60));
        for (part, record, _) in PARTS {
            assert_eq!(script.parts[&part], record);
        }
        let circles: BTreeSet<Circle> = script
            .records
            .values()
            .flat_map(|record| script.circles(record, Act::First))
            .collect();
        assert_eq!(circles.len(), 5);
        let count = |act| PARTS.map(|(part, ..)| holders(&script, part, act));
        // Drafted, private, widened, revised, narrowed, withdrawn.
        assert_eq!(count(Act::First), [2, 1, 2, 20, 20, 20]);
        assert_eq!(count(Act::Last), [2, 1, 20, 20, 2, 0]);
        let rights = script.rights(Act::Last);
        let exchange = |(_, id): &&(String, String)| id == "budapest-bali-exchange";
        assert_eq!(rights.texts.keys().filter(exchange).count(), 2);
        // Public, federation and private of each other one, two lists of two, and those of parts.
        assert_eq!(rights.logs.len(), 21 * 20 * 3 + 2 * 2 + 3 * 2);
    }

    #[test]
    fn whichever_rcps_play_some_gain_and_some_lose_a_record() {
        let all: Vec<String> = script(&[]).rcps.into_keys().collect();
        for pair in all.chunks_exact(2) {
            let [a, b] = [pair[0].as_str(), pair[1].as_str()];
            for script in [script(&[a, b]), script(&[a, b, "rabat"])] {
                let count = |part, act| holders(&script, part, act);
                let played = |part: &Part| script.parts.contains_key(part);
                if played(&Part::Widened) {
                    let (first, last) = (Act::First, Act::Last);
                    assert!(count(Part::Widened, first) < count(Part::Widened, last));
                }
                for part in [Part::Narrowed, Part::Withdrawn].into_iter().filter(played) {
                    assert!(count(part, Act::First) > count(part, Act::Last));
                }
                let ids: BTreeSet<&String> = script.parts.values().collect();
                assert_eq!(ids.len(), script.parts.len(), "a part each: {a}, {b}");
            }
        }
        assert_eq!(script(&["add", "bali"]).parts.len(), PARTS.len());
        assert_eq!(script(&["add", "bali", "prague"]).parts.len(), PARTS.len());
        assert!(script(&["igc"]).parts.is_empty());
    }

    #[test]
    fn an_rcp_without_records_is_named() {
        let error = Script::new(&["gfmd".to_owned()].into())
            .expect_err("refused")
            .to_string();
        assert!(
            error.contains("gfmd") && error.contains("almaty"),
            "{error}"
        );
    }

    #[test]
    fn a_body_that_cannot_be_read_says_so() {
        let script = script(&["prague", "bali"]);
        let mut record = script.playing(Part::Revised).expect("practice").clone();
        record.body.truncate(10);
        let error = revised(&record).expect_err("no practice").to_string();
        assert!(error.contains(&record.id) && error.contains("unchanged release"));
        assert!(!error.contains("has no records"), "{error}");
    }
}
