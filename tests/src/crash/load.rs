//! The work of a node that will crash, and what it acknowledged before.
//!
//! Everything a node does comes at once: drafts, publishing, revising, withdrawing through its API,
//! and a partner's records, revisions and withdrawals over the wire.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use corridor_client::{Client, RecordName, WithdrawalRequest, v1};
use corridor_proto::kinds::Kind;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::{LogId, RecordId};
use tokio::task::JoinSet;

use super::victim::Victim;
use crate::nodes::{Office, PATIENCE, practice, until};
use crate::sim::rng::Rng;

/// How every title begins, and how long it is.
pub const TITLE: &[u8] = b"Canary-";
/// Bytes of a title.
pub const TITLE_BYTES: usize = TITLE.len() + 16;
/// Tasks that work at one time.
const WORKERS: u64 = 3;

/// What became of a record as far as anybody was told.
#[derive(Clone, Debug, Default)]
pub struct Promise {
    /// The titles that it had, the last of them perhaps.
    pub titles: Vec<String>,
    /// The text was drafted, and the answer came.
    pub drafted: bool,
    /// It was published, and the answer came; or nobody knows.
    pub published: Known,
    /// How many versions were published for sure.
    pub versions: usize,
    /// It was withdrawn, and the answer came; or nobody knows.
    pub withdrawn: Known,
}

impl Promise {
    /// The titles that the version in force may have.
    pub fn published_titles(&self) -> &[String] {
        let older = self.versions.saturating_sub(1);
        self.titles.get(older..).unwrap_or_default()
    }
}

/// How much is known of an act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// It was not tried.
    #[default]
    Not,
    /// It was tried, and no answer came.
    Perhaps,
    /// It was acknowledged.
    Surely,
}

/// All that was promised.
#[derive(Clone, Debug, Default)]
pub struct Promises(Arc<Mutex<BTreeMap<RecordId, Promise>>>);

impl Promises {
    fn note(&self, record: RecordId, change: impl FnOnce(&mut Promise)) {
        let mut promises = self.0.lock().expect("no panic");
        change(promises.entry(record).or_default());
    }

    /// All of them as they are now.
    pub fn all(&self) -> BTreeMap<RecordId, Promise> {
        self.0.lock().expect("no panic").clone()
    }

    /// How many are so.
    pub fn count(&self, is_so: impl Fn(&Promise) -> bool) -> usize {
        self.all().values().filter(|one| is_so(one)).count()
    }

    /// What was acknowledged, in numbers.
    pub fn summary(&self) -> serde_json::Value {
        serde_json::json!({
            "drafted": self.count(|one| one.drafted),
            "published": self.count(|one| one.published == Known::Surely),
            "revised": self.count(|one| one.versions > 1),
            "withdrawn": self.count(|one| one.withdrawn == Known::Surely),
            "unknown":
                self.count(|one| [one.published, one.withdrawn].contains(&Known::Perhaps)),
        })
    }
}

/// Pairs the node with a partner, each a reader of the other's circle `federation`.
pub async fn befriend(victim: &Victim, partner: &Office) -> Result<()> {
    let child = victim.start()?;
    let client = victim.client().await?;
    let (invitation, _) = partner.desk().invite().await?;
    client.accept_invitation(invitation.encode()).await?;
    let me = victim.rcp;
    until("both have accepted", || {
        let state = partner.desk().store().read(|view| view.peer_state(&me));
        state == Some(corridor_rules::PeerState::Pending)
    })
    .await?;
    partner.desk().confirm(me, &me.to_string()).await?;
    let answered = tokio::time::timeout(PATIENCE, async {
        while client
            .confirm_peer(partner.rcp, &partner.rcp.to_string())
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    });
    answered.await.context("the partner cannot be confirmed")?;
    client
        .add_readers("federation", &[(partner.rcp, None)])
        .await?;
    let federation = partner.circle("federation")?;
    let readers = [(me, corridor_proto::UnixMillis(0))].into();
    partner.desk().add_readers(federation, &readers).await?;
    child.kill()
}

/// Lets the node work, in tasks that end when it is gone.
pub fn work(client: &Client, promises: &Promises, rng: &mut Rng) -> JoinSet<()> {
    let mut work = JoinSet::new();
    for _ in 0..WORKERS {
        let (client, promises) = (client.clone(), promises.clone());
        let mut rng = Rng::new(rng.draw());
        work.spawn(async move { while one(&client, &promises, &mut rng).await.is_some() {} });
    }
    work
}

fn title(rng: &mut Rng) -> String {
    let begin = std::str::from_utf8(TITLE).expect("text");
    format!("{begin}{:016x}", rng.draw())
}

/// The life of one record; `None` as soon as the node does not answer.
pub async fn one(client: &Client, promises: &Promises, rng: &mut Rng) -> Option<()> {
    let first = title(rng);
    let draft = client.create_draft(Kind::Practice, practice(&first)).await;
    let name: RecordName = draft.ok()?.name.parse().ok()?;
    promises.note(name.record, |one| {
        one.titles.push(first);
        one.drafted = true;
    });
    if rng.chance(20) {
        return Some(());
    }
    promises.note(name.record, |one| one.published = Known::Perhaps);
    let circle = if rng.chance(50) {
        "public"
    } else {
        "federation"
    };
    client.publish(&name, &[circle.to_owned()]).await.ok()?;
    promises.note(name.record, |one| {
        one.published = Known::Surely;
        one.versions = 1;
    });
    if rng.chance(40) {
        let next = title(rng);
        promises.note(name.record, |one| one.titles.push(next.clone()));
        let revised = client.update_draft(&name, Kind::Practice, practice(&next), "");
        revised.await.ok()?;
        client.publish(&name, &[]).await.ok()?;
        promises.note(name.record, |one| one.versions = 2);
    }
    if rng.chance(60) {
        return Some(());
    }
    promises.note(name.record, |one| one.withdrawn = Known::Perhaps);
    let withdrawal = WithdrawalRequest {
        up_to: None,
        code: v1::WithdrawalCode::Error,
        note: Vec::new(),
        replacement: None,
    };
    client.withdraw(&name, withdrawal).await.ok()?;
    promises.note(name.record, |one| one.withdrawn = Known::Surely);
    Some(())
}

/// The partner's part of a round: a record, now and then a revision, and a withdrawal, for which a
/// receipt comes at once.
pub async fn partner_works(
    partner: &Office,
    theirs: &mut Vec<RecordId>,
    rng: &mut Rng,
) -> Result<()> {
    let federation: LogId = partner.circle("federation")?;
    if rng.chance(50)
        && let Some(record) = rng.pick(theirs)
    {
        partner.revise(record, "From the partner, revised").await?;
    }
    theirs.push(partner.publish("From the partner", &[federation]).await?);
    if rng.chance(30) {
        let gone = theirs.swap_remove(rng.below(theirs.len()));
        let desk = partner.desk();
        desk.withdraw(gone, None, WithdrawalReason::Error, None, None)
            .await?;
    }
    Ok(())
}
