//! What is done on stage, in the order of the script.

use std::collections::BTreeMap;

use corridor_proto::line::WithdrawalReason;
use corridor_proto::{LogId, RcpId, RecordId, UnixMillis, v1};
use corridor_rules::PeerState;
use corridor_rules::desk::Wish;
use prost::Message;

use super::check::{Findings, check};
use super::records::DemoRecord;
use super::report::{self, say};
use super::script::{Act, Circle, DRAFTING, Part, Script, revised};
use super::stage::{Actor, Stage};
use super::{DemoError, Summary};
use crate::desk::{Desk, DeskError};
use crate::edge;

impl Stage {
    /// Plays the whole script and says what came of it.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn play(&mut self, script: &Script) -> Result<Summary, DemoError> {
        say("Pairing them: invitation, acceptance, confirmation by RcpId on both sides.");
        self.pair().await?;
        say("Opening circles and admitting readers.");
        self.open_circles(script).await?;
        say(&format!(
            "Publishing {} records into their circles.",
            script.records.len()
        ));
        self.publish(script).await?;
        // Only what was received can be taken away again, so all of it must be there before.
        let (mut found, mut quiet) = self.settle(script, Act::First).await?;
        if quiet && found.is_clean() {
            let acts: Vec<&str> = script.parts.keys().filter_map(|part| part.act()).collect();
            say(&format!("Then: {}.", acts.join(", ")));
            self.change(script).await?;
            (found, quiet) = self.settle(script, Act::Last).await?;
        }
        let seconds = u32::try_from(edge::now().since(self.began)).unwrap_or(u32::MAX);
        Ok(Summary {
            nodes: self.actors.len(),
            records_published: self.records.len(),
            records_received: found.received,
            withdrawn: found.withdrawn,
            converged: quiet && found.is_clean(),
            leaks: found.leaks.len(),
            missing: found.missing.len(),
            seconds: f64::from(seconds) / 1_000.0,
        })
    }

    /// Waits until every node holds what is due at the end of an act and nothing is left to do, and
    /// says what was found and whether all was quiet.
    async fn settle(&self, script: &Script, act: Act) -> Result<(Findings, bool), DemoError> {
        let is_so = |stage: &Self| {
            stage.all_quiet() && check(stage, script, act).is_ok_and(|found| found.is_clean())
        };
        let waited = self.until("everybody holds what is due", is_so).await;
        let found = check(self, script, act)?;
        if let Err(error) = waited {
            say(&error.to_string());
            report::faults(&found);
            return Ok((found, self.all_quiet()));
        }
        Ok((found, true))
    }

    fn desk(&self, rcp: &str) -> Option<&Desk> {
        self.actors.get(rcp).map(|actor| &actor.node.desk)
    }

    async fn pair(&self) -> Result<(), DemoError> {
        let actors: Vec<&Actor> = self.actors.values().collect();
        for (index, host) in actors.iter().enumerate() {
            for guest in actors.iter().skip(index + 1) {
                let (invitation, _) = host.node.desk.invite().await?;
                guest.node.desk.accept(&invitation.encode()).await?;
            }
        }
        let others = actors.len().saturating_sub(1);
        let state = |actor: &Actor, state| {
            let count = |view: &corridor_store::View<'_>| {
                view.peers
                    .values()
                    .filter(|peer| peer.state == state)
                    .count()
            };
            actor.node.desk.store().read(count)
        };
        self.until("the nodes answer each other", |stage| {
            stage
                .actors
                .values()
                .all(|actor| state(actor, PeerState::Pending) == others)
        })
        .await?;
        for actor in &actors {
            for other in actors.iter().filter(|other| other.rcp != actor.rcp) {
                actor
                    .node
                    .desk
                    .confirm(other.rcp, &other.rcp.to_string())
                    .await?;
            }
        }
        Ok(())
    }

    async fn open_circles(&self, script: &Script) -> Result<(), DemoError> {
        for owner in self.actors.keys() {
            self.admit(script, owner, &Circle::Federation).await?;
        }
        for (owner, circle) in script.lists.keys() {
            if let (Circle::Drafting, Some(desk)) = (circle, self.desk(owner)) {
                desk.wish(Wish::OpenCircle {
                    name: DRAFTING.to_owned(),
                    open: true,
                    relay: false,
                })
                .await?;
            }
            self.admit(script, owner, circle).await?;
        }
        Ok(())
    }

    async fn admit(&self, script: &Script, owner: &str, circle: &Circle) -> Result<(), DemoError> {
        let Some(desk) = self.desk(owner) else {
            return Ok(());
        };
        let readers: BTreeMap<RcpId, UnixMillis> = script
            .readers(owner, circle)
            .iter()
            .filter_map(|reader| Some((self.actors.get(reader)?.rcp, UnixMillis(0))))
            .collect();
        if !readers.is_empty() {
            desk.add_readers(self.log(owner, circle)?, &readers).await?;
        }
        Ok(())
    }

    fn log(&self, owner: &str, circle: &Circle) -> Result<LogId, DeskError> {
        let mut logs = self.logs().into_iter();
        let found = logs.find(|(_, (of, sort))| of == owner && sort == circle);
        let missing = || DeskError::NotFound("circle", format!("{circle} of {owner}"));
        found.map(|(log, _)| log).ok_or_else(missing)
    }

    async fn publish(&mut self, script: &Script) -> Result<(), DemoError> {
        for (id, record) in &script.records {
            let circles: Result<Vec<LogId>, DeskError> = script
                .circles(record, Act::First)
                .iter()
                .map(|circle| self.log(&record.rcp, circle))
                .collect();
            let Some(desk) = self.desk(&record.rcp) else {
                continue;
            };
            let saved = desk
                .save_draft(None, record.kind, record.body.clone())
                .await?;
            let circles = circles?;
            if !circles.is_empty() {
                desk.publish(saved, Some(circles)).await?;
            }
            self.records.insert(id.clone(), saved);
        }
        Ok(())
    }

    /// Who plays a part: the owner, its desk, the record.
    fn cast<'a>(
        &'a self,
        script: &'a Script,
        part: Part,
    ) -> Option<(&'a DemoRecord, &'a Desk, RecordId)> {
        let record = script.playing(part)?;
        Some((
            record,
            self.desk(&record.rcp)?,
            *self.records.get(&record.id)?,
        ))
    }

    async fn change(&self, script: &Script) -> Result<(), DemoError> {
        if let Some((of, desk, record)) = self.cast(script, Part::Widened) {
            let circles = vec![self.log(&of.rcp, &Circle::Public)?];
            desk.share(record, circles).await?;
        }
        if let Some((of, desk, record)) = self.cast(script, Part::Revised) {
            let body = revised(of)?;
            desk.save_draft(Some(record), of.kind, body).await?;
            desk.publish(record, None).await?;
        }
        if let Some((of, desk, record)) = self.cast(script, Part::Narrowed) {
            let circles = vec![self.log(&of.rcp, &Circle::Public)?];
            desk.wish(Wish::Narrow { record, circles }).await?;
        }
        if let Some((_, desk, record)) = self.cast(script, Part::Withdrawn) {
            let text = "The arrangement ended; do not build on it.";
            let texts = vec![v1::LanguageText {
                tag: "en".into(),
                text: text.into(),
            }];
            let note = Some(v1::WithdrawalNote { texts }.encode_to_vec());
            desk.withdraw(record, None, WithdrawalReason::Expired, note, None)
                .await?;
        }
        Ok(())
    }
}
