//! What the secretariats of a simulation do with records: each wish goes to the desk of a node, and
//! what became durable goes to the specification.

use std::collections::BTreeMap;

use corridor_proto::line::{Act, ReadLine, ReaderList, WithdrawalReason, read_line};
use corridor_proto::record::Header;
use corridor_proto::{LogId, RecordId};
use corridor_rules::desk::{DeskRefusal, ToPublish, ToSave, Wish};
use corridor_rules::fact::unblob;
use corridor_rules::serve::Source;
use corridor_rules::{Fact, Sort};

use super::spec::{At, Kind, Record};
use super::watch::Secret;
use super::world::World;

/// Kind of the records of a simulation; their bodies are never decoded.
const KIND: u16 = 1;
/// Bytes of a large body: twenty of them are more than a connection's credit.
const LARGE_BYTES: usize = 250_000;

impl World {
    /// Decides a wish and makes it durable, unless the node crashes in between. `None` then, and
    /// for a refusal.
    pub(super) fn wish(&mut self, at: At, what: &'static str, wish: Wish) -> Option<Vec<Fact>> {
        match self.try_wish(at, what, wish) {
            Ok(facts) => facts,
            Err(refusal) => {
                self.tell(
                    "refused by the desk",
                    format_args!("{at} {what}: {refusal}"),
                );
                None
            }
        }
    }

    pub(super) fn try_wish(
        &mut self,
        at: At,
        what: &'static str,
        wish: Wish,
    ) -> Result<Option<Vec<Fact>>, DeskRefusal> {
        let facts = self.nodes[at].decide(wish, self.now, &mut self.rng)?;
        if self.rng.below(150) == 0 && !self.calm {
            self.tell("decision lost in a crash", format_args!("{at} {what}"));
            self.crash(at);
            return Ok(None);
        }
        self.nodes[at].append(facts.clone());
        self.touch(at);
        self.tell(what, format_args!("{at}"));
        self.learn_facts(at, &facts);
        if self.rng.below(150) == 0 && !self.calm {
            self.tell("crash after the desk", format_args!("{at}"));
            self.crash_soon(at);
        }
        Ok(Some(facts))
    }

    /// Registers the circles with which all nodes begin, and the nodes.
    pub fn learn_nodes(&mut self) {
        for at in 0..self.nodes.len() {
            let rcp = self.nodes[at].rcp;
            self.watch.add(rcp.as_bytes(), Secret::Rcp(at));
            let facts = self.nodes[at].journal[0].clone();
            self.learn_facts(at, &facts);
        }
    }

    /// The number of an RCP.
    pub fn number(&self, rcp: &corridor_proto::RcpId) -> At {
        let found = self.nodes.iter().position(|node| node.rcp == *rcp);
        found.expect("a node of this world")
    }

    /// Tells the specification which circles facts open.
    pub fn learn_facts(&mut self, at: At, facts: &[Fact]) {
        for fact in facts {
            let Fact::Circle {
                owner,
                seed,
                sort,
                name,
            } = fact
            else {
                continue;
            };
            assert_eq!(*owner, self.nodes[at].rcp);
            let kind = match sort {
                Sort::Public => Kind::Public,
                Sort::Open => Kind::Open,
                Sort::Closed => Kind::Closed,
                Sort::Private(rcp) => Kind::Private(self.number(rcp)),
            };
            let id = LogId::derive(owner, seed);
            let number = self.spec.circles.len();
            self.spec.open(at, id, kind);
            self.watch.add(id.as_bytes(), Secret::Log(number));
            self.watch
                .add(id.to_string().as_bytes(), Secret::Log(number));
            if !seed.is_zero() {
                self.watch.add(seed.as_bytes(), Secret::Log(number));
            }
            if name.len() == 16 {
                self.watch.add(name.as_bytes(), Secret::Name(number));
            }
        }
        self.learn_lists(facts);
        self.settle(at);
    }

    /// Tells the specification which lists the lines of open circles name.
    fn learn_lists(&mut self, facts: &[Fact]) {
        for fact in facts {
            let Fact::Lines { log, from, lines } = fact else {
                continue;
            };
            let Some(circle) = self.spec.circle(log) else {
                continue;
            };
            for (index, line) in (*from..).zip(lines) {
                let Ok(ReadLine::Line(line)) = read_line(line) else {
                    panic!("a line of this version is understood");
                };
                let Act::Readers { list: named } = line.act else {
                    continue;
                };
                let list = facts.iter().find_map(|fact| match fact {
                    Fact::List { hash, blob, .. } if *hash == named => unblob(blob),
                    _ => None,
                });
                let (_, list) = list.expect("a line's list comes with it");
                let list = ReaderList::decode(list).expect("list");
                let readers = list.readers.iter();
                let readers = readers.map(|(rcp, until)| (self.number(rcp), until.0));
                let readers = readers.collect();
                self.spec.circles[circle].lists.push((index, readers));
            }
        }
    }

    pub(super) fn settle(&mut self, at: At) {
        self.spec.settle(at, self.nodes.len(), self.now.0);
    }

    /// Sixteen letters that occur nowhere else.
    pub(super) fn text(&mut self) -> String {
        (0..16)
            .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[self.rng.below(36)]))
            .collect()
    }

    fn body(&mut self) -> (Vec<u8>, String) {
        let text = self.text();
        let mut body = text.clone().into_bytes();
        if self.plan.large && self.rng.chance(60) {
            body.resize(LARGE_BYTES, 0);
        }
        (body, text)
    }

    /// The records of a node, by number.
    fn records_of(&self, at: At) -> Vec<usize> {
        let own = |record: &usize| self.spec.records[*record].owner == at;
        (0..self.spec.records.len()).filter(own).collect()
    }

    pub(super) fn circles_of(&self, at: At) -> Vec<usize> {
        let own = |circle: &usize| self.spec.circles[*circle].owner == at;
        (0..self.spec.circles.len()).filter(own).collect()
    }

    fn some_circles(&mut self, at: At) -> Vec<LogId> {
        let circles = self.circles_of(at);
        let count = 1 + self.rng.below(3);
        let picked = (0..count).filter_map(|_| self.rng.pick(&circles));
        let mut ids: Vec<LogId> = picked.map(|circle| self.spec.circles[circle].id).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Saves a draft, of a new record or of a new version.
    pub fn save_draft(&mut self, at: At) {
        let (body, text) = self.body();
        self.watch.add(text.as_bytes(), Secret::Draft(at));
        let records = self.records_of(at);
        let record = self.rng.pick(&records).filter(|_| self.rng.chance(30));
        let record = record.map(|record| self.spec.records[record].id);
        let old = record.and_then(|record| self.draft_text(at, &record));
        let kind = KIND;
        let saved = self.wish(
            at,
            "draft",
            Wish::SaveDraft(ToSave {
                record,
                kind,
                body,
                ..ToSave::default()
            }),
        );
        if let (Some(old), true) = (old, saved.is_some()) {
            self.watch.add(&old, Secret::Erased);
        }
    }

    fn draft_text(&self, at: At, record: &RecordId) -> Option<Vec<u8>> {
        let draft = self.nodes[at].model.drafts.get(record)?;
        let (_, body) = self.nodes[at]
            .store
            .salted(draft.place)
            .expect("a draft is kept");
        Some(body)
    }

    /// Discards a draft.
    pub fn discard_draft(&mut self, at: At) {
        let Some((record, body)) = self.some_draft(at) else {
            return;
        };
        let discarded = self.wish(at, "discard", Wish::DiscardDraft { record, over: None });
        if discarded.is_some() {
            self.watch.add(&body, Secret::Erased);
        }
    }

    fn some_draft(&mut self, at: At) -> Option<(RecordId, Vec<u8>)> {
        let drafts: Vec<_> = self.nodes[at].model.drafts.keys().copied().collect();
        let record = self.rng.pick(&drafts)?;
        Some((record, self.draft_text(at, &record)?))
    }

    /// Publishes a draft.
    pub fn publish_draft(&mut self, at: At) {
        let circles = self.some_circles(at);
        self.publish_draft_in(at, circles);
    }

    /// Publishes a draft into these circles.
    pub fn publish_draft_in(&mut self, at: At, circles: Vec<LogId>) {
        if let Some((record, body)) = self.some_draft(at) {
            self.publish(at, "publish", record, body, Some(circles));
        }
    }

    /// Publishes a new version of a record: wherever it stands, or in some circles.
    pub fn revise(&mut self, at: At) {
        let records = self.records_of(at);
        let Some(record) = self.rng.pick(&records) else {
            return;
        };
        let (body, text) = self.body();
        self.watch.add(text.as_bytes(), Secret::Draft(at));
        let everywhere = self.rng.chance(50);
        let what = if everywhere {
            "revise"
        } else {
            "revise in fewer circles"
        };
        let circles = (!everywhere).then(|| self.some_circles(at));
        let id = self.spec.records[record].id;
        self.publish(at, what, id, body, circles);
    }

    fn publish(
        &mut self,
        at: At,
        what: &'static str,
        record: RecordId,
        body: Vec<u8>,
        circles: Option<Vec<LogId>>,
    ) {
        let links = self.some_links();
        let text = body[..16].to_vec();
        let circles_meant = circles
            .clone()
            .unwrap_or_else(|| self.standing(at, &record));
        let wish = Wish::Publish(ToPublish {
            record,
            kind: KIND,
            body,
            links: links.clone(),
            circles,
            draft: self.nodes[at].model.drafts.get(&record).map(|d| d.place),
            hand: None,
        });
        let draft = self.draft_text(at, &record);
        let verdict = self.try_wish(at, what, wish);
        self.judge_links(at, &links, &circles_meant, &verdict);
        let dead = self.spec.record(at, &record);
        let dead = dead.is_some_and(|r| self.spec.records[r].burnt >= u64::MAX >> 1);
        match verdict {
            Ok(Some(facts)) => {
                assert!(!dead, "I5: a withdrawn record was published again");
                if let Some(draft) = draft {
                    self.watch.add(&draft, Secret::Erased);
                }
                self.published(at, record, &text, &circles_meant, &facts);
            }
            Ok(None) => {}
            Err(refusal) => {
                assert_eq!(
                    dead,
                    matches!(refusal, DeskRefusal::Withdrawn(_)),
                    "{refusal}"
                );
                self.tell(
                    "refused by the desk",
                    format_args!("{at} {what}: {refusal}"),
                );
            }
        }
    }

    fn standing(&self, at: At, record: &RecordId) -> Vec<LogId> {
        let Some(record) = self.spec.record(at, record) else {
            return Vec::new();
        };
        let circles = self.spec.circles.iter();
        let standing = circles.filter(|c| c.owner == at && self.spec.stands(c, record));
        standing.map(|circle| circle.id).collect()
    }

    fn published(&mut self, at: At, id: RecordId, text: &[u8], circles: &[LogId], facts: &[Fact]) {
        let header = facts.iter().find_map(|fact| match fact {
            Fact::Record { header, .. } => Some(header),
            _ => None,
        });
        let signed = header.expect("a published record");
        let header = Header::decode(&signed.bytes).expect("header");
        assert_eq!(header.record, id);
        let record = self.spec.record(at, &id).unwrap_or_else(|| {
            self.spec.records.push(Record {
                owner: at,
                id,
                versions: BTreeMap::new(),
                burnt: 0,
            });
            self.spec.records.len() - 1
        });
        let of = &mut self.spec.records[record];
        let last = of
            .versions
            .last_key_value()
            .map_or(0, |(version, _)| *version);
        assert!(header.version > last.max(of.burnt), "I5: versions grow");
        let hash = signed.version_hash();
        let said = String::from_utf8(text.to_vec()).expect("text");
        of.versions.insert(header.version, (hash, said));
        self.watch.add(text, Secret::Body(record, header.version));
        self.watch
            .add(hash.as_bytes(), Secret::Version(record, header.version));
        self.watch.add(id.as_bytes(), Secret::Record(record));
        self.spec.publish(record, header.version, circles);
        self.settle(at);
    }

    /// Shares the newest version of a record with more circles.
    pub fn share(&mut self, at: At) {
        let records = self.records_of(at);
        let Some(record) = self.rng.pick(&records) else {
            return;
        };
        let links = self.some_links();
        let circles = self.some_circles(at);
        let newest = self.spec.records[record].versions.last_key_value();
        let wish = Wish::Share {
            record: self.spec.records[record].id,
            version: *newest.expect("a version").0,
            links: links.clone(),
            circles: circles.clone(),
        };
        let verdict = self.try_wish(at, "share", wish);
        self.judge_links(at, &links, &circles, &verdict);
        if let Ok(Some(_)) = verdict {
            let of = &self.spec.records[record];
            let version = *of.versions.last_key_value().expect("a version").0;
            assert!(version > of.burnt, "a withdrawn version was shared");
            self.spec.publish(record, version, &circles);
            self.settle(at);
        }
    }

    /// Takes a record out of circles.
    pub fn narrow(&mut self, at: At) {
        let records = self.records_of(at);
        let Some(record) = self.rng.pick(&records) else {
            return;
        };
        let id = self.spec.records[record].id;
        let mut circles = self.standing(at, &id);
        circles.truncate(1 + self.rng.below(2));
        let wish = Wish::Narrow {
            record: id,
            circles: circles.clone(),
        };
        if self.wish(at, "narrow", wish).is_some() {
            self.spec.leave(record, &circles);
        }
    }

    /// Withdraws a record, whole or up to one of its versions.
    pub fn withdraw(&mut self, at: At) {
        let records = self.records_of(at);
        let Some(record) = self.rng.pick(&records) else {
            return;
        };
        let replacement = self.rng.pick(&records).filter(|_| self.rng.chance(40));
        let replacement = replacement.map(|other| self.spec.records[other].id);
        let versions: Vec<u64> = self.spec.records[record].versions.keys().copied().collect();
        let up_to = self.rng.pick(&versions).filter(|_| self.rng.chance(50));
        let note = self.rng.chance(50).then(|| self.text().into_bytes());
        if let Some(note) = &note {
            self.watch.add(note, Secret::Note(record));
        }
        let what = match (up_to, &note) {
            (None, None) => "withdraw",
            (None, Some(_)) => "withdraw with a note",
            (Some(_), _) => "withdraw older versions",
        };
        let id = self.spec.records[record].id;
        let draft = self.draft_text(at, &id).filter(|_| up_to.is_none());
        let wish = Wish::Withdraw {
            record: id,
            up_to,
            reason: WithdrawalReason::Error,
            note,
            replacement,
        };
        if self.wish(at, what, wish).is_some() {
            if let Some(draft) = draft {
                self.watch.add(&draft, Secret::Erased);
            }
            let burnt = &mut self.spec.records[record].burnt;
            *burnt = up_to.unwrap_or(u64::MAX >> 1).max(*burnt);
        }
    }
}
