//! The power is cut in the midst of the work: the node stands still, and what its disk was not told
//! to sync is gone, in any order. The journal must not notice; its index, which is never synced,
//! may be lost, old or garbage each time.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use corridor_proto::RecordId;
use corridor_tests::crash::audit::{Told, check, rejoin};
use corridor_tests::crash::load::{Known, Promises, befriend, partner_works, work};
use corridor_tests::crash::mounts::Mount;
use corridor_tests::crash::victim::Victim;
use corridor_tests::nodes::Office;
use corridor_tests::sim::rng::Rng;

use super::Args;

/// The disk's size.
const DISK_MIB: u64 = 256;
/// The latest moment of a cut after the work began.
const CUT_MS_MAX: usize = 600;
/// Bytes that a disk writes at once.
const BLOCK: usize = 4096;
/// How the disk may be mounted: what the file system writes by itself, and in which order.
const OPTIONS: [&str; 3] = [
    "data=ordered,commit=1",
    "data=writeback,commit=1",
    "data=journal",
];

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
    let disk = Mount::ext4(folder.path(), DISK_MIB)?;
    disk.mount(OPTIONS[0])?;
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
    let (mut rebuilt, mut cut) = (0, 0);
    for round in 1..=args.rounds {
        let seen = scene.round().await;
        let (index, tail) = seen.with_context(|| format!("after power cut {round}"))?;
        rebuilt += u64::from(index);
        cut += u64::from(tail);
        if round % 5 == 0 {
            println!("{round} power cuts");
        }
    }
    let received = rejoin(&scene.victim, &scene.partner, &scene.promises).await?;
    let receipts = Told::to(&scene.partner, &scene.victim).receipts.len();
    let promises = &scene.promises;
    let withdrawn = promises.count(|one| one.withdrawn == Known::Surely);
    ensure!(
        withdrawn > 0 && received > 0 && receipts > 0,
        "the load was too small to prove anything"
    );
    ensure!(rebuilt > 0, "no cut reached the index");
    scene.disk.unmount().await?;
    Ok(serde_json::json!({
        "power_cuts": args.rounds,
        "acknowledged": promises.summary(),
        "received": received,
        "index_rebuilt": rebuilt,
        "torn_writes": cut,
        "violations": 0,
        "seed": args.seed,
    }))
}

impl Scene {
    /// Starts the node, lets it work, cuts the power, and looks. Gives whether the index had to be
    /// rebuilt, and whether a torn write was cut off.
    async fn round(&mut self) -> Result<(bool, bool)> {
        let child = self.victim.start()?;
        let client = self.victim.client().await?;
        let mut work = work(&client, &self.promises, &mut self.rng);
        partner_works(&self.partner, &mut self.theirs, &mut self.rng).await?;
        let moment = u64::try_from(self.rng.below(CUT_MS_MAX))?;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        // Power goes for the whole machine at once: what a sync says after this, nobody hears.
        child.freeze()?;
        self.disk.cut_power()?;
        child.kill()?;
        work.shutdown().await;
        let told = Told::to(&self.partner, &self.victim);
        self.disk.unmount().await?;
        let options = self.rng.pick(&OPTIONS).unwrap_or_default();
        self.disk.mount(options)?;
        if self.rng.chance(25) {
            spoil(&self.victim.data.join("index"), &mut self.rng)?;
        }
        let opening = check(&self.victim, &self.promises, &told)?;
        Ok((opening.index_rebuilt.is_some(), opening.cut.is_some()))
    }
}

/// What else a power cut can do to files that nobody synced: one is gone, cut, zeros, has a
/// hole, or is what was in its blocks before.
fn spoil(index: &Path, rng: &mut Rng) -> Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(index).into_iter().flatten() {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let Some(file) = rng.pick(&files) else {
        return Ok(());
    };
    let mut bytes = fs::read(&file)?;
    let from = rng.below(bytes.len());
    match rng.below(5) {
        0 => return Ok(fs::remove_file(&file)?),
        1 => bytes.truncate(from),
        2 => bytes[from..].fill(0),
        3 => {
            let hole = from - from % BLOCK..bytes.len().min(from - from % BLOCK + BLOCK);
            bytes[hole].fill(0);
        }
        _ => rng.fill(&mut bytes[from..]),
    }
    Ok(fs::write(&file, bytes)?)
}
