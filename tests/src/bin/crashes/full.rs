//! The disk fills up under the node: what it cannot keep it refuses with words that say what to do,
//! it goes on showing what it holds, and nothing that it acknowledged is lost, whether it goes on,
//! starts again while the disk is full, or ends and starts once there is room.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use corridor_client::{Client, ClientError};
use corridor_proto::RecordId;
use corridor_proto::kinds::Kind;
use corridor_tests::crash::audit::{Told, check, rejoin};
use corridor_tests::crash::load::{Promises, befriend, one, partner_works, work};
use corridor_tests::crash::mounts::Mount;
use corridor_tests::crash::victim::Victim;
use corridor_tests::nodes::{Office, PATIENCE, practice};
use corridor_tests::sim::rng::Rng;

use super::Args;

/// The disk's size.
const DISK_OPTIONS: &str = "size=160m";
/// The most that somebody else leaves free on it: less than a node keeps free for itself.
const LEFT_BYTES_MAX: usize = 60 << 20;
/// What somebody else writes at once.
const PART_BYTES: usize = 1 << 16;

/// What a run is about.
struct Scene {
    disk: Mount,
    victim: Victim,
    partner: Office,
    promises: Promises,
    theirs: Vec<RecordId>,
    rng: Rng,
}

pub async fn run(args: &Args) -> Result<serde_json::Value> {
    let folder = tempfile::tempdir()?;
    let disk = Mount::memory(folder.path())?;
    disk.mount(DISK_OPTIONS)?;
    let data = disk.at.join("victim");
    let mut scene = Scene {
        victim: Victim::make(args.node.clone(), data, folder.path())?,
        disk,
        partner: Office::open("Partner", true).await?,
        promises: Promises::default(),
        theirs: Vec::new(),
        rng: Rng::new(args.seed),
    };
    befriend(&scene.victim, &scene.partner).await?;
    for round in 1..=args.rounds {
        let seen = scene.round(round).await;
        seen.with_context(|| format!("with the disk full for the {round}. time"))?;
    }
    let received = rejoin(&scene.victim, &scene.partner, &scene.promises).await?;
    ensure!(
        scene.promises.count(|one| one.drafted) > 0 && received > 0,
        "the load was too small to prove anything"
    );
    scene.disk.unmount().await?;
    Ok(serde_json::json!({
        "full_disks": args.rounds,
        "acknowledged": scene.promises.summary(),
        "received": received,
        "violations": 0,
        "seed": args.seed,
    }))
}

impl Scene {
    async fn round(&mut self, round: u64) -> Result<()> {
        let mut child = self.victim.start()?;
        let mut client = self.victim.client().await?;
        let mut work = work(&client, &self.promises, &mut self.rng);
        partner_works(&self.partner, &mut self.theirs, &mut self.rng).await?;
        // Every third time to the last byte.
        let left = if round.is_multiple_of(3) {
            0
        } else {
            self.rng.below(LEFT_BYTES_MAX)
        };
        let ballast = self.fill(left)?;
        let all_refused = async { while work.join_next().await.is_some() {} };
        let ended = tokio::time::timeout(PATIENCE, all_refused).await;
        ended.context("it goes on writing on a full disk")?;
        shows_and_refuses(&client).await?;
        let is_restarted = self.rng.chance(50);
        if is_restarted {
            child.kill()?;
            child = self.victim.start()?;
            client = self.victim.client().await?;
            shows_and_refuses(&client).await?;
        }
        std::fs::remove_file(ballast)?;
        if !is_restarted {
            // It goes on by itself.
            let done = one(&client, &self.promises, &mut self.rng).await;
            done.with_context(|| self.victim.last_words())?;
        }
        child.kill()?;
        let told = Told::to(&self.partner, &self.victim);
        check(&self.victim, &self.promises, &told).map(|_| ())
    }
}

impl Scene {
    /// Fills the disk but for so many bytes, while the node works, as somebody else would.
    fn fill(&mut self, left: usize) -> Result<PathBuf> {
        let path = self.disk.at.join("ballast");
        let mut file = File::create(&path)?;
        let part = vec![1; PART_BYTES];
        while file.write_all(&part).is_ok() {}
        let length = file.metadata()?.len();
        file.set_len(length.saturating_sub(u64::try_from(left)?))?;
        Ok(path)
    }
}

/// A node whose disk is full answers, and refuses to write with words that say what to do.
async fn shows_and_refuses(client: &Client) -> Result<()> {
    client.node().await?;
    client.drafts().await?;
    client.unverified_records(None, false).await?;
    let refused = client
        .create_draft(Kind::Practice, practice("Too much"))
        .await;
    let error: ClientError = refused.err().context("a draft was saved on a full disk")?;
    ensure!(error.reason() == "DISK_FULL", "{}: {error}", error.reason());
    ensure!(error.to_string().contains("freed space"), "{error}");
    Ok(())
}
