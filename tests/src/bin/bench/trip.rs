//! All records of an owner from one node to another that has none.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use corridor_proto::RcpId;

use crate::Bench;
use crate::clock::{now, until};
use crate::load::Loaded;
use crate::site::{PATIENCE, Site};
use crate::stage::clear;
use crate::yardstick::verifies;
use corridor_tests::wire::Wire;

/// So long nothing comes when all has come.
const IDLE: Duration = Duration::from_millis(300);
/// Until one that does not hold everything is asked again.
const PAUSE: Duration = Duration::from_secs(10);
/// Between two looks at the line.
const LOOK: Duration = Duration::from_millis(50);

/// Who has the records, and who gets them over which line.
pub struct Trip<'a> {
    /// Holds the records.
    pub giver: &'a Site,
    /// Holds none.
    pub taker: &'a Site,
    /// The taker dials the giver over it.
    pub wire: &'a Wire,
    /// What is to be brought.
    pub loaded: Loaded,
    /// Whose records they are.
    pub owner: RcpId,
}

/// What one round gives.
pub struct Round {
    /// Records in a second, from the first connection on.
    pub rate: f64,
    /// Records in a second from the first 100 kB on.
    pub flow_rate: f64,
    /// Seconds from the first connection to the first 100 kB.
    pub wait_s: f64,
    /// Bytes on the wire in a second, from the first connection on; the busier way.
    pub wire_bytes_per_s: f64,
    /// Strict verifications of one core in a second.
    pub verifies: f64,
    /// Processor time of giver and taker, in seconds.
    pub cpu: (f64, f64),
    /// Bytes on the wire for a record, beyond its own.
    pub wire_bytes: f64,
    /// Peak memory of giver and taker.
    pub memory: (f64, f64),
}

impl Trip<'_> {
    /// Every round; progress goes to stderr.
    pub async fn rounds(&self, bench: &Bench) -> Result<Vec<Round>> {
        let mut rounds = Vec::new();
        for index in 0..bench.rounds {
            eprintln!("  round {}", index + 1);
            rounds.push(self.round(bench).await?);
        }
        Ok(rounds)
    }

    async fn round(&self, bench: &Bench) -> Result<Round> {
        let apart = self.giver.data.parent().context("the folder of a node")?;
        let giver = self.giver.copy(&apart.join("rounds/giver"))?;
        let taker = self.taker.copy(&apart.join("rounds/taker"))?;
        let verifies = verifies();
        let (sends, _client) = giver.served(&bench.node).await?;
        self.wire.reset();
        let before = sends.cpu_s()?;
        let takes = taker.serve(&bench.node)?;
        let end = self.all_came(&taker).await?;
        let cpu = (sends.cpu_s()? - before, takes.cpu_s()?);
        let memory = (sends.memory()?.1, takes.memory()?.1);
        let seen = self.wire.seen();
        let (_, begin) = seen.first.context("no connection")?;
        let flowed = seen.flowed.context("nothing came")?;
        takes.terminate()?;
        sends.terminate()?;
        clear(&[&giver, &taker])?;
        let s = |from: SystemTime, to: SystemTime| -> Result<f64> {
            Ok(to.duration_since(from)?.as_secs_f64())
        };
        #[allow(clippy::cast_precision_loss)]
        let (records, bytes, signed, way) = (
            self.loaded.records as f64,
            seen.bytes() as f64,
            self.loaded.signed_bytes as f64,
            seen.up.max(seen.down) as f64,
        );
        Ok(Round {
            rate: records / s(begin, end)?,
            flow_rate: records / s(flowed, end)?,
            wait_s: s(begin, flowed)?,
            wire_bytes_per_s: way / seen.lasted().context("nothing came")?.as_secs_f64(),
            verifies,
            cpu,
            wire_bytes: (bytes - signed) / records,
            memory,
        })
    }

    /// Waits until the taker holds everything, and gives when the last of it was written. One that
    /// takes more in than a partner may send at once makes pauses.
    async fn all_came(&self, taker: &Site) -> Result<SystemTime> {
        let least = self.loaded.signed_bytes;
        let limit = now() + PATIENCE;
        loop {
            until("everything has come", LOOK, PATIENCE, || {
                let wire = self.wire;
                std::future::ready(wire.seen().bytes() > least && wire.is_idle(IDLE))
            })
            .await?;
            // Nothing but what came is written by a node to which nobody talks.
            let end = taker.written()?;
            let peers = taker.answered().await?.peers().await?;
            let theirs = peers
                .iter()
                .find(|peer| peer.name == format!("rcps/{}", self.owner));
            let theirs = theirs.context("no partner")?;
            if theirs.records_held == self.loaded.records {
                return Ok(end);
            }
            let (held, why) = (theirs.records_held, &theirs.sentence);
            eprintln!("    it holds {held} records: {why}");
            ensure!(now() < limit, "not everything came");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// One figure of all rounds.
pub fn all(rounds: &[Round], of: impl Fn(&Round) -> f64) -> Vec<f64> {
    rounds.iter().map(of).collect()
}
