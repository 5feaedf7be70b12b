//! Links between records of a simulation: the desk must refuse those to a narrower record.

use corridor_proto::LogId;
use corridor_rules::desk::DeskRefusal;
use corridor_rules::{Fact, RecordKey};

use super::spec::{At, Kind};
use super::world::World;

impl World {
    pub(super) fn some_links(&mut self) -> Vec<RecordKey> {
        if self.rng.chance(75) || self.spec.records.is_empty() {
            return Vec::new();
        }
        let record = &self.spec.records[self.rng.below(self.spec.records.len())];
        let (rcp, record) = (self.nodes[record.owner].rcp, record.id);
        vec![RecordKey { rcp, record }]
    }

    /// Links point from the narrower record to the wider one only.
    pub(super) fn judge_links(
        &mut self,
        at: At,
        links: &[RecordKey],
        circles: &[LogId],
        verdict: &Result<Option<Vec<Fact>>, DeskRefusal>,
    ) {
        for link in links {
            let owner = self.number(&link.rcp);
            let record = self.spec.record(owner, &link.record).expect("a record");
            let mut circles = self.spec.circles.iter().filter(|c| circles.contains(&c.id));
            if owner != at {
                let fits = circles.all(|circle| {
                    let was_public = self.spec.circles.iter().any(|c| {
                        c.owner == owner && c.kind == Kind::Public && c.stands.contains_key(&record)
                    });
                    was_public || circle.kind == Kind::Private(owner)
                });
                assert!(
                    fits || !matches!(verdict, Ok(Some(_))),
                    "a link to a narrower record"
                );
                continue;
            }
            let public = self.spec.is_public(record);
            let fits = circles.all(|circle| public || self.spec.stands(circle, record));
            match verdict {
                Ok(Some(_)) => {
                    assert!(fits, "a link to a narrower record");
                    self.tell("link", format_args!("{at}"));
                }
                Err(DeskRefusal::Link { .. }) => {
                    assert!(!fits, "a good link was refused");
                    self.tell("link refused", format_args!("{at}"));
                }
                _ => {}
            }
        }
    }
}
