//! Who publishes what to whom, and so who must hold what.
//!
//! The audiences come from the data; the overrides below put every kind of circle to work.

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::v1;
use prost::Message;

use super::DemoError;
use super::records::{DemoRcp, DemoRecord, demonstration_rcps, demonstration_records};

/// A circle, by what it is to its owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Circle {
    /// Anyone.
    Public,
    /// All partners: every other RCP of the demonstration.
    Federation,
    /// RCPs with observer status, as [`OBSERVERS`] says.
    Observers,
    /// The drafting circle of [`DRAFTING`].
    Drafting,
    /// The private circle of one partner.
    Private(String),
}

/// Who observes whom: owner, observers.
pub const OBSERVERS: [(&str, &[&str]); 2] =
    [("budapest", &["bali", "prague"]), ("cmc", &["rcm", "sacm"])];

/// A drafting circle: owner, name, readers.
pub const DRAFTING: (&str, &str, &[&str]) =
    ("rabat", "imrf-2026-drafting", &["khartoum", "budapest"]);

/// A record that goes into the drafting circle instead.
pub const DRAFTED: &str = "rabat-marrakesh";
/// A record that goes to one partner alone: the record, the partner.
pub const PRIVATE: (&str, &str) = ("rcm-observer-rules", "sacm");
/// A record that goes to the federation first and is shared with everybody later.
pub const WIDENED: &str = "igad-rmcc";
/// A record that is revised.
pub const REVISED: &str = "prague-observatory";
/// A record that stands in `public` and `federation` first and then leaves `public`.
pub const NARROWED: &str = "bali-aaa";
/// A record that is withdrawn.
pub const WITHDRAWN: &str = "midcom-data-exchange";
/// The reader whose copy of [`REVISED`] is followed on its journey.
pub const JOURNEY: &str = "almaty";

/// The demonstration's records, RCPs and audiences.
#[derive(Debug)]
pub struct Script {
    /// The RCPs, by short name.
    pub rcps: BTreeMap<String, DemoRcp>,
    /// The records, by short name.
    pub records: BTreeMap<String, DemoRecord>,
}

/// What one RCP must hold of another's record in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// How many times the record was published.
    pub publications: usize,
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
        Ok(Self { rcps, records })
    }

    /// The circles into which a record is published first.
    pub fn first_circles(&self, record: &DemoRecord) -> BTreeSet<Circle> {
        match record.id.as_str() {
            DRAFTED => [Circle::Drafting].into(),
            id if id == PRIVATE.0 => [Circle::Private(PRIVATE.1.to_owned())].into(),
            WIDENED => [Circle::Federation].into(),
            NARROWED => [Circle::Public, Circle::Federation].into(),
            _ => match record.audience.as_str() {
                "public" => [Circle::Public].into(),
                "federation" => [Circle::Federation].into(),
                "observers" => [Circle::Observers].into(),
                // An unknown audience is nobody.
                _ => BTreeSet::new(),
            },
        }
    }

    /// The circles in which a record stands in the end.
    pub fn last_circles(&self, record: &DemoRecord) -> BTreeSet<Circle> {
        let mut circles = self.first_circles(record);
        match record.id.as_str() {
            WIDENED => {
                circles.insert(Circle::Public);
            }
            NARROWED => {
                circles.remove(&Circle::Public);
            }
            WITHDRAWN => circles.clear(),
            _ => {}
        }
        circles
    }

    /// The readers of a circle of `owner`, among the RCPs that take part.
    pub fn readers(&self, owner: &str, circle: &Circle) -> BTreeSet<String> {
        let listed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let readers: BTreeSet<String> = match circle {
            Circle::Public | Circle::Federation => self.rcps.keys().cloned().collect(),
            Circle::Observers => OBSERVERS
                .iter()
                .find(|(name, _)| *name == owner)
                .map(|(_, observers)| listed(observers))
                .unwrap_or_default(),
            Circle::Drafting if owner == DRAFTING.0 => listed(DRAFTING.2),
            Circle::Drafting => BTreeSet::new(),
            Circle::Private(peer) => [peer.clone()].into(),
        };
        let takes_part = |name: &String| name != owner && self.rcps.contains_key(name);
        readers.into_iter().filter(takes_part).collect()
    }

    /// What every RCP must hold of the others in the end: reader, record.
    pub fn due(&self) -> BTreeMap<(String, String), Due> {
        let mut due = BTreeMap::new();
        for (id, record) in &self.records {
            let publications = if id == REVISED { 2 } else { 1 };
            for circle in self.last_circles(record) {
                for reader in self.readers(&record.rcp, &circle) {
                    due.insert((reader, id.clone()), Due { publications });
                }
            }
        }
        due
    }
}

/// The body of a practice once it was revised: it says until when it is presumed correct.
///
/// # Errors
/// [`DemoError::Data`] if the body is no practice.
pub fn revised(record: &DemoRecord) -> Result<Vec<u8>, DemoError> {
    let mut practice = v1::Practice::decode(record.body.as_slice())
        .map_err(|error| DemoError::NoRecords(record.id.clone(), error.to_string()))?;
    let envelope = practice.envelope.get_or_insert_default();
    envelope.review_by = "2027-06-30".to_owned();
    Ok(practice.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_script_plays_sixty_records_of_21_rcps_in_every_kind_of_circle() {
        let script = Script::new(&BTreeSet::new()).expect("script");
        assert_eq!((script.rcps.len(), script.records.len()), (21, 60));
        let circles: BTreeSet<Circle> = script
            .records
            .values()
            .flat_map(|record| script.first_circles(record))
            .collect();
        assert_eq!(circles.len(), 5);
        let due = script.due();
        let holders = |id: &str| due.keys().filter(|(_, record)| record == id).count();
        assert_eq!(holders("add-ciop"), 20);
        assert_eq!(holders(DRAFTED), 2);
        assert_eq!(holders(PRIVATE.0), 1);
        assert_eq!(holders(WITHDRAWN), 0);
        assert_eq!(holders(NARROWED), 20);
        assert_eq!(holders("budapest-bali-exchange"), 2);
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
}
