//! The world that the matrix looks at: one node, partners in every state, circles of every sort,
//! and records in every state; each text, note, name and identifier is found again wherever it is.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use corridor_node::edge;
use corridor_node::operate::access::{Access, Role};
use corridor_node::operate::config::Reading;
use corridor_node::operate::snapshot::{self, Snapshot};
use corridor_proto::kinds::Kind;
use corridor_proto::{LogId, LogSeed, RcpId, RecordId, UnixMillis, v1};
use corridor_rules::desk::Wish;
use corridor_tests::nodes::{Office, practice, until};
use corridor_tests::stranger::Stranger;
use prost::Message;

use super::sent;
use super::story;

/// A partner, by what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Never seen.
    Unknown,
    /// Its safety number differed.
    Refused,
    /// Accepted here; its node has not answered.
    Invited,
    /// Accepted on both sides, not confirmed here; it has public records of its own.
    Pending,
    /// Active, in no list.
    Bare,
    /// Active, in lists.
    Listed,
    /// Active, in lists, its right ended by itself.
    Lapsed,
    /// Active, and taken off the lists.
    Former,
    /// Paused when it was in lists.
    Paused,
    /// Left when it was in lists.
    Left,
    /// Active, in other lists, and it sent circles of its own.
    Sender,
}

impl Who {
    pub const ALL: [Self; 11] = [
        Self::Unknown,
        Self::Refused,
        Self::Invited,
        Self::Pending,
        Self::Bare,
        Self::Listed,
        Self::Lapsed,
        Self::Former,
        Self::Paused,
        Self::Left,
        Self::Sender,
    ];

    /// Those that were confirmed.
    pub const CONFIRMED: [Self; 7] = [
        Self::Bare,
        Self::Listed,
        Self::Lapsed,
        Self::Former,
        Self::Paused,
        Self::Left,
        Self::Sender,
    ];
}

/// A circle of the node's, or of a partner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Circle {
    /// Everybody's.
    Public,
    /// An open list: Listed and Sender.
    Federation,
    /// An open list: Sender alone.
    Observers,
    /// An open list in which many stood: Listed is left.
    Open,
    /// A closed list in which the same stood.
    Closed,
    /// One partner's.
    Private(Who),
    /// Sender's public one.
    SentPublic,
    /// Sender's, with an open list.
    SentOpen,
    /// Sender's, whose list the node does not know.
    SentClosed,
    /// Pending's public one.
    ApartPublic,
}

impl Circle {
    /// Those of the node into which something is published.
    pub fn own() -> Vec<Self> {
        let five = [
            Self::Public,
            Self::Federation,
            Self::Observers,
            Self::Open,
            Self::Closed,
        ];
        let private = Who::CONFIRMED.map(Self::Private);
        five.into_iter().chain(private).collect()
    }

    pub const SENT: [Self; 3] = [Self::SentPublic, Self::SentOpen, Self::SentClosed];

    /// All of them.
    pub fn all() -> Vec<Self> {
        let mut all = Self::own();
        all.push(Self::Private(Who::Pending));
        all.extend(Self::SENT);
        all.push(Self::ApartPublic);
        all
    }
}

/// Before or after rights ended and states changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Early,
    Late,
}

/// What was done with a record, in order; versions count from 0.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Publish { circle: Circle, version: usize },
    Leave(Circle),
    Withdraw { up_to: Option<usize> },
}

/// A version of a record.
#[derive(Clone, Debug)]
pub struct Version {
    pub number: u64,
    pub mark: String,
}

/// A record and its story.
#[derive(Clone, Debug)]
pub struct Record {
    pub id: RecordId,
    /// Its RCP: `None` for the node's own.
    pub of: Option<Who>,
    pub home: Option<Circle>,
    pub state: &'static str,
    pub versions: Vec<Version>,
    pub note: Option<String>,
    pub draft: Option<String>,
    pub story: Vec<(Phase, Act)>,
    /// Whether its text came, and was what its line names.
    pub is_held: bool,
}

/// A mark of sixteen bytes, found wherever it stands.
pub fn mark() -> Result<String> {
    let bytes: [u8; 7] = edge::random()?;
    Ok(bytes
        .iter()
        .fold("mk".to_owned(), |mark, byte| mark + &format!("{byte:02x}")))
}

/// A practice that has a mark in its title and in its summary.
pub fn body(mark: &str) -> Vec<u8> {
    let body = practice(&format!("Title {mark}"));
    let mut practice = v1::Practice::decode(body.as_slice()).expect("a practice");
    for text in &mut practice.summary {
        text.text += &format!(" {mark}");
    }
    practice.encode_to_vec()
}

/// A note to readers.
pub fn note(mark: &str) -> Vec<u8> {
    v1::WithdrawalNote {
        texts: vec![v1::LanguageText {
            tag: "en".into(),
            text: format!("Note {mark}"),
        }],
    }
    .encode_to_vec()
}

/// All of it.
pub struct World {
    pub office: Office,
    pub partners: BTreeMap<Who, Stranger>,
    pub circles: BTreeMap<Circle, (LogId, LogSeed)>,
    /// Names of circles that are marks.
    pub names: BTreeMap<Circle, String>,
    pub records: Vec<Record>,
    pub phase: Phase,
    /// Tokens by their scope and whether they have ended.
    pub tokens: BTreeMap<(bool, bool), String>,
}

impl World {
    pub async fn make() -> Result<Self> {
        let mut office = Office::open("Abu Dhabi Dialogue", true).await?;
        // More is asked than anybody's budget has.
        let reading = Reading {
            calls_per_minute: u64::from(u32::MAX),
            anonymous_calls_per_minute: u64::from(u32::MAX),
            ..Reading::default()
        };
        office.read_by(reading).await?;
        let mut partners = BTreeMap::new();
        for who in Who::ALL {
            partners.insert(who, Stranger::new()?);
        }
        let mut world = Self {
            office,
            partners,
            circles: BTreeMap::new(),
            names: BTreeMap::new(),
            records: Vec::new(),
            phase: Phase::Early,
            tokens: BTreeMap::new(),
        };
        world.pair().await?;
        world.open_circles().await?;
        story::early(&mut world).await?;
        world.end_rights().await?;
        world.phase = Phase::Late;
        story::late(&mut world).await?;
        sent::send(&mut world).await?;
        world.hand_out_tokens()?;
        world.until_looked_at().await?;
        Ok(world)
    }

    /// Until the node has looked at all of it once by itself: then it reads nothing unasked.
    async fn until_looked_at(&self) -> Result<()> {
        let (made, path) = (edge::now(), self.office.data().join(snapshot::FILE));
        until("the node has looked at it", || {
            let seen = std::fs::read(&path).ok();
            let seen = seen.and_then(|json| serde_json::from_slice::<Snapshot>(&json).ok());
            seen.is_some_and(|seen| seen.at_ms > made.0)
        })
        .await
    }

    pub fn rcp(&self, who: Who) -> RcpId {
        self.partners[&who].rcp
    }

    pub fn log(&self, circle: Circle) -> LogId {
        self.circles[&circle].0
    }

    /// The RCP of a record.
    pub fn owner(&self, record: &Record) -> RcpId {
        record.of.map_or(self.office.rcp, |who| self.rcp(who))
    }

    /// The resource name of a record.
    pub fn name(&self, record: &Record) -> String {
        format!("rcps/{}/records/{}", self.owner(record), record.id)
    }

    async fn pair(&self) -> Result<()> {
        let office = &self.office;
        for who in Who::CONFIRMED {
            self.partners[&who].befriend(office).await?;
        }
        self.partners[&Who::Pending].pair(office).await?;
        let invited = self.partners[&Who::Invited].invitation()?;
        office.desk().accept(&invited.encode()).await?;
        let refused = &self.partners[&Who::Refused];
        refused.pair(office).await?;
        let rcp = refused.rcp;
        office.desk().wish(Wish::Refuse { rcp }).await?;
        Ok(())
    }

    async fn admit(&self, circle: Circle, readers: &[Who], until: UnixMillis) -> Result<()> {
        let readers = readers.iter().map(|who| (self.rcp(*who), until));
        let readers: BTreeMap<_, _> = readers.collect();
        let desk = self.office.desk();
        Ok(desk.add_readers(self.log(circle), &readers).await?)
    }

    async fn open_circles(&mut self) -> Result<()> {
        for (circle, open) in [(Circle::Open, true), (Circle::Closed, false)] {
            let name = mark()?;
            let wish = Wish::OpenCircle {
                name: name.clone(),
                open,
                relay: open,
            };
            self.office.desk().wish(wish).await?;
            self.names.insert(circle, name);
        }
        let privates = Who::CONFIRMED.into_iter().chain([Who::Pending]);
        let found = self.office.desk().store().read(|view| {
            let named = |name: &str| view.circle(name).map(|log| (log.id, log.seed));
            let mut found = vec![
                (Circle::Public, named("public")),
                (Circle::Federation, named("federation")),
                (Circle::Observers, named("observers")),
                (Circle::Open, named(&self.names[&Circle::Open])),
                (Circle::Closed, named(&self.names[&Circle::Closed])),
            ];
            found.extend(privates.map(|who| {
                let log = view.private_log(&self.rcp(who));
                (Circle::Private(who), log.map(|log| (log.id, log.seed)))
            }));
            found
        });
        for (circle, log) in found {
            let log = log.with_context(|| format!("{circle:?}"))?;
            self.circles.insert(circle, log);
        }
        let never = UnixMillis(0);
        let many = [
            Who::Listed,
            Who::Lapsed,
            Who::Former,
            Who::Paused,
            Who::Left,
        ];
        self.admit(Circle::Open, &many, never).await?;
        self.admit(Circle::Closed, &many, never).await?;
        let two = [Who::Listed, Who::Sender];
        self.admit(Circle::Federation, &two, never).await?;
        self.admit(Circle::Observers, &[Who::Sender], never).await
    }

    /// Rights end, and states change.
    async fn end_rights(&self) -> Result<()> {
        let desk = self.office.desk();
        for circle in [Circle::Open, Circle::Closed] {
            self.admit(circle, &[Who::Lapsed], edge::now()).await?;
            let former = self.rcp(Who::Former);
            desk.remove_readers(self.log(circle), &[former]).await?;
        }
        let rcp = self.rcp(Who::Paused);
        desk.wish(Wish::Pause { rcp }).await?;
        let rcp = self.rcp(Who::Left);
        desk.wish(Wish::Leave { rcp }).await?;
        let now = edge::now();
        until("the clock goes on", || edge::now() > now).await
    }

    fn hand_out_tokens(&mut self) -> Result<()> {
        let access = Access::of(&self.office.data());
        for (is_desk, role) in [(true, Role::Reader), (false, Role::Public)] {
            for (is_over, end) in [(false, 0), (true, 1)] {
                let token = access.create(&[role], "matrix", UnixMillis(end))?;
                self.tokens.insert((is_desk, is_over), token);
            }
        }
        Ok(())
    }
}

/// What the secretariat does with a record of its own.
impl World {
    /// A new version into circles: of a new record, or of one that is there already.
    pub async fn publish(&mut self, at: Option<usize>, circles: &[Circle]) -> Result<usize> {
        let mark = mark()?;
        let desk = self.office.desk().clone();
        let known = at.map(|at| self.records[at].id);
        let saved = desk.save_draft(known, Kind::Practice, body(&mark)).await?;
        let logs = circles.iter().map(|circle| self.log(*circle)).collect();
        let number = desk.publish(saved, Some(logs)).await?;
        let at = at.unwrap_or_else(|| {
            self.records.push(Record {
                id: saved,
                of: None,
                home: None,
                state: "",
                versions: Vec::new(),
                note: None,
                draft: None,
                story: Vec::new(),
                is_held: true,
            });
            self.records.len() - 1
        });
        let phase = self.phase;
        let record = &mut self.records[at];
        record.versions.push(Version { number, mark });
        let version = record.versions.len() - 1;
        let acts = circles.iter().map(|circle| Act::Publish {
            circle: *circle,
            version,
        });
        record.story.extend(acts.map(|act| (phase, act)));
        Ok(at)
    }

    pub async fn share(&mut self, at: usize, circle: Circle) -> Result<()> {
        let log = self.log(circle);
        let record = &mut self.records[at];
        self.office.desk().share(record.id, vec![log]).await?;
        let version = record.versions.len() - 1;
        let act = Act::Publish { circle, version };
        record.story.push((self.phase, act));
        Ok(())
    }

    pub async fn leave(&mut self, at: usize, circle: Circle) -> Result<()> {
        let circles = vec![self.log(circle)];
        let record = &mut self.records[at];
        let record_id = record.id;
        let wish = Wish::Narrow {
            record: record_id,
            circles,
        };
        self.office.desk().wish(wish).await?;
        record.story.push((self.phase, Act::Leave(circle)));
        Ok(())
    }

    pub async fn withdraw(&mut self, at: usize, up_to: Option<usize>) -> Result<()> {
        let mark = mark()?;
        let record = &mut self.records[at];
        let number = up_to.map(|version| record.versions[version].number);
        let reason = corridor_proto::line::WithdrawalReason::Error;
        let desk = self.office.desk();
        desk.withdraw(record.id, number, reason, Some(note(&mark)), None)
            .await?;
        record.note = Some(mark);
        record.story.push((self.phase, Act::Withdraw { up_to }));
        Ok(())
    }

    /// A draft: of a new record, or of the next version of one.
    pub async fn draft(&mut self, at: Option<usize>) -> Result<usize> {
        let mark = mark()?;
        let known = at.map(|at| self.records[at].id);
        let desk = self.office.desk();
        let saved = desk.save_draft(known, Kind::Practice, body(&mark)).await?;
        let at = at.unwrap_or_else(|| {
            self.records.push(Record {
                id: saved,
                of: None,
                home: None,
                state: "draft",
                versions: Vec::new(),
                note: None,
                draft: None,
                story: Vec::new(),
                is_held: true,
            });
            self.records.len() - 1
        });
        self.records[at].draft = Some(mark);
        Ok(at)
    }
}
