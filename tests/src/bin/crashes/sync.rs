//! The disk stops syncing, as a broken one does: by strace one `fdatasync` fails, alone or with all
//! that come after it. The first failure is final. Nothing is acknowledged after it, the node goes
//! on showing what it holds, and the next start has everything that was acknowledged.

use anyhow::{Context, Result, ensure};
use corridor_proto::kinds::Kind;
use corridor_tests::crash::audit::{Told, check, rejoin};
use corridor_tests::crash::load::{Promises, befriend, partner_works, work};
use corridor_tests::crash::victim::{Process, Victim};
use corridor_tests::nodes::{Office, PATIENCE, practice};
use corridor_tests::sim::rng::Rng;

use super::Args;

/// Syncs that a start needs at most.
const START_SYNCS: usize = 8;
/// The last sync that may be the first to fail.
const SYNCS_MAX: usize = 80;

pub async fn run(args: &Args) -> Result<serde_json::Value> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("victim");
    let victim = Victim::make(args.node.clone(), data, folder.path())?;
    let partner = Office::open("Partner", true).await?;
    befriend(&victim, &partner).await?;
    let mut rng = Rng::new(args.seed);
    let (promises, mut theirs) = (Promises::default(), Vec::new());
    for round in 1..=args.rounds {
        let first = START_SYNCS + rng.below(SYNCS_MAX - START_SYNCS);
        // This one alone, or it and all later ones.
        let more = if rng.chance(50) { "" } else { "+" };
        let child = start(&victim, &format!("{first}{more}"))?;
        let client = victim.client().await?;
        let mut work = work(&client, &promises, &mut rng);
        partner_works(&partner, &mut theirs, &mut rng).await?;
        let all_refused = async { while work.join_next().await.is_some() {} };
        let ended = tokio::time::timeout(PATIENCE, all_refused).await;
        ended.context("it goes on writing after a sync has failed")?;
        let refused = refuses_and_shows(child, &client).await;
        refused.with_context(|| victim.last_words())?;
        let told = Told::to(&partner, &victim);
        check(&victim, &promises, &told).with_context(|| format!("after failure {round}"))?;
    }
    let mut child = start(&victim, "1")?;
    let ended = child.wait()?;
    let said = victim.last_words();
    ensure!(!ended.success() && said.contains("cannot sync"), "{said}");
    let received = rejoin(&victim, &partner, &promises).await?;
    Ok(serde_json::json!({
        "failures": args.rounds + 1,
        "acknowledged": promises.summary(),
        "received": received,
        "violations": 0,
        "seed": args.seed,
    }))
}

/// Starts the node on a disk of which these syncs fail.
fn start(victim: &Victim, which: &str) -> Result<Process> {
    let inject = format!("inject=fdatasync:error=EIO:when={which}");
    let quiet = [
        "-D",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
    ];
    victim.start_under("strace", &[&quiet[..], &["-e", &inject, "--"]].concat())
}

async fn refuses_and_shows(mut child: Process, client: &corridor_client::Client) -> Result<()> {
    for _ in 0..2 {
        let refused = client.create_draft(Kind::Practice, practice("Too late"));
        let error = refused.await.err();
        let error = error.context("a draft was saved after a sync had failed")?;
        ensure!(error.reason() == "STORE", "{}: {error}", error.reason());
        client.drafts().await?;
        client.unverified_records(None, false).await?;
    }
    ensure!(child.is_running()?, "it has ended");
    child.kill()
}
