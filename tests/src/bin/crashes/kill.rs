//! SIGKILL in the midst of the work. The system lives on, and with it what was written but not
//! synced: this is about the process alone.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use corridor_proto::RecordId;
use corridor_tests::crash::audit::{Told, check, rejoin};
use corridor_tests::crash::load::{Known, Promises, befriend, partner_works, work};
use corridor_tests::crash::victim::Victim;
use corridor_tests::nodes::Office;
use corridor_tests::sim::rng::Rng;

use super::Args;

/// The latest moment of a kill after the work began.
const KILL_MS_MAX: usize = 250;
/// At most so many times the rounds asked for, until the load was large enough to prove something.
const PATIENT: u64 = 10;

pub async fn run(args: &Args) -> Result<serde_json::Value> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("victim");
    let victim = Victim::make(args.node.clone(), data, folder.path())?;
    let partner = Office::open("Partner", true).await?;
    befriend(&victim, &partner).await?;
    let mut rng = Rng::new(args.seed);
    let (promises, mut theirs) = (Promises::default(), Vec::new());
    let withdrawn = || promises.count(|one| one.withdrawn == Known::Surely);
    let proves = |theirs: &[RecordId]| withdrawn() > 0 && !theirs.is_empty();
    let mut kills = 0;
    // A slow machine does little before a kill: it gets more of them, until something is proved.
    while kills < args.rounds || (!proves(&theirs) && kills < args.rounds * PATIENT) {
        kills += 1;
        kill_once(&victim, &partner, &promises, &mut theirs, &mut rng).await?;
        let told = Told::to(&partner, &victim);
        check(&victim, &promises, &told).with_context(|| format!("after kill {kills}"))?;
        if kills % 10 == 0 {
            println!("{kills} kills");
        }
    }
    let received = rejoin(&victim, &partner, &promises).await?;
    ensure!(
        withdrawn() > 0 && received > 0,
        "the load was too small to prove anything"
    );
    Ok(serde_json::json!({
        "kills": kills,
        "acknowledged": promises.summary(),
        "received": received,
        "violations": 0,
        "seed": args.seed,
    }))
}

/// Starts the node, lets it work, and kills it.
async fn kill_once(
    victim: &Victim,
    partner: &Office,
    promises: &Promises,
    theirs: &mut Vec<RecordId>,
    rng: &mut Rng,
) -> Result<()> {
    let child = victim.start()?;
    let client = victim.client().await?;
    let mut work = work(&client, promises, rng);
    partner_works(partner, theirs, rng).await?;
    let moment = u64::try_from(rng.below(KILL_MS_MAX))?;
    tokio::time::sleep(Duration::from_millis(moment)).await;
    child.kill()?;
    work.shutdown().await;
    Ok(())
}
