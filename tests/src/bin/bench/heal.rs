//! A node that lost its line to twenty partners for a while, in which all of them went on working;
//! and what one partner that kept its line notices when they come back.

use std::time::Duration;

use anyhow::{Context, Result};
use corridor_node::run::Running;
use corridor_proto::LogId;
use serde_json::json;
use tokio::task::JoinSet;

use crate::Bench;
use crate::clock::{median, ms, now, quantile, until};
use crate::line::{Line, number, numbers};
use crate::load::publish;
use crate::site::{PATIENCE, Site};
use crate::stage::{LOOK, WIDE, admit, befriend, circle, holds, wait};
use crate::yardstick::{sync_ms, verifies};

/// Partners that lose their line.
const PARTNERS: usize = 20;
/// Records that each of them, and the node itself, publishes meanwhile.
const NEW: usize = 1_000;
/// Until everybody has everything.
const HEAL_S: f64 = 60.0;
/// Times the latency before.
const SLOWER: f64 = 2.0;
/// Records published to the partner that kept its line before the others come back.
const BEFORE: usize = 200;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(20);

/// A round.
struct Healed {
    seconds: f64,
    before: Vec<f64>,
    meanwhile: Vec<f64>,
}

/// The scenario.
pub async fn heal(bench: &Bench) -> Result<()> {
    let mut rounds = Vec::new();
    for index in 0..bench.rounds {
        eprintln!("  round {}", index + 1);
        rounds.push(round(bench).await?);
    }
    let all = |of: &dyn Fn(&Healed) -> f64| -> Vec<f64> { rounds.iter().map(of).collect() };
    let seconds = all(&|round| round.seconds);
    let verified = f64::from(u32::try_from(2 * PARTNERS * NEW)?);
    Line {
        scenario: "heal",
        figure: "until 20 partners and a node have 1,000 records from each other, each way",
        n: 2 * PARTNERS * NEW,
        value: median(&seconds),
        unit: "s",
        yardstick: ("to verify each of them once, s", verified / verifies()),
        target: format!("at most {HEAL_S} s"),
        pass: median(&seconds) <= HEAL_S,
        more: json!({
            "rounds": numbers(&seconds),
            "fdatasync_p50_ms": number(sync_ms(&bench.folder)?),
            "nodes": "all in one process, on the same cores",
        }),
    }
    .print();
    let before = all(&|round| median(&round.before));
    let meanwhile = all(&|round| median(&round.meanwhile));
    Line {
        scenario: "heal",
        figure: "latency to a partner that kept its line, p50",
        n: BEFORE,
        value: median(&meanwhile),
        unit: "ms",
        yardstick: ("the same before, ms", median(&before)),
        target: format!("at most {SLOWER} times the yardstick"),
        pass: median(&meanwhile) <= SLOWER * median(&before),
        more: json!({
            "rounds": numbers(&meanwhile),
            "published_meanwhile": all(&|round| count(round.meanwhile.len())),
            "p99_ms": number(median(&all(&|round| quantile(&round.meanwhile, 0.99)))),
            "p99_before_ms": number(median(&all(&|round| quantile(&round.before, 0.99)))),
        }),
    }
    .print();
    Ok(())
}

async fn round(bench: &Bench) -> Result<Healed> {
    let folder = tempfile::tempdir_in(&bench.folder)?;
    let (site, wire) = Site::behind_a_line(folder.path(), "node")?;
    let node = site.start().await?;
    // This one is dialled, so that its line is another.
    let (steady, _) = Site::behind_a_line(folder.path(), "steady")?;
    let steady = steady.start().await?;
    befriend(&steady, &node).await?;
    admit(&node, WIDE, &steady).await?;
    let mut partners = Vec::new();
    for index in 0..PARTNERS {
        let partner = Site::make(folder.path(), &format!("partner-{index}"), None)?;
        let partner = partner.start().await?;
        befriend(&node, &partner).await?;
        admit(&node, WIDE, &partner).await?;
        admit(&partner, WIDE, &node).await?;
        partners.push(partner);
    }
    let (ours, size) = circle(&node, WIDE)?;
    wait("all know the circle", || {
        partners.iter().all(|partner| holds(partner, &ours, size))
    })
    .await?;
    wire.cut();
    work(&node, &partners).await?;
    let mut before = Vec::new();
    let mut pace = tokio::time::interval(PAUSE);
    for _ in 0..BEFORE {
        pace.tick().await;
        before.push(latency(&node, &steady).await?);
    }
    let mut wanted = Vec::new();
    for partner in &partners {
        wanted.push(circle(partner, WIDE)?);
    }
    let (_, size) = circle(&node, WIDE)?;
    let begin = now();
    wire.mend();
    let has_healed = || {
        let to_us = wanted.iter().all(|(log, size)| holds(&node, log, *size));
        to_us && partners.iter().all(|partner| holds(partner, &ours, size))
    };
    let mut meanwhile = Vec::new();
    let healing = until("all have everything", LOOK, PATIENCE, || {
        std::future::ready(has_healed())
    });
    let told = async {
        loop {
            pace.tick().await;
            meanwhile.push(latency(&node, &steady).await?);
        }
    };
    let seconds = tokio::select! {
        healed = healing => healed.map(|()| begin.elapsed().as_secs_f64()),
        failed = told => failed,
    }?;
    for running in partners.into_iter().chain([steady, node]) {
        running.stop().await?;
    }
    Ok(Healed {
        seconds,
        before,
        meanwhile,
    })
}

fn count(times: usize) -> f64 {
    u32::try_from(times).map_or(f64::INFINITY, f64::from)
}

/// Everybody publishes while the line is cut.
async fn work(node: &Running, partners: &[Running]) -> Result<()> {
    let mut working = JoinSet::new();
    for running in partners.iter().chain([node]) {
        let (log, _): (LogId, _) = circle(running, WIDE)?;
        let store = running.desk.store().clone();
        working.spawn_blocking(move || publish(&store, log, NEW));
    }
    while let Some(done) = working.join_next().await {
        done??;
    }
    Ok(())
}

/// Milliseconds from publishing a record until the partner holds it.
async fn latency(node: &Running, steady: &Running) -> Result<f64> {
    let (log, size) = circle(node, WIDE)?;
    let mut changed = steady.desk.changes();
    let begin = now();
    let store = node.desk.store().clone();
    tokio::task::spawn_blocking(move || publish(&store, log, 1)).await??;
    let came = async {
        while !holds(steady, &log, size + 1) {
            changed.changed().await.context("it has ended")?;
        }
        Ok::<_, anyhow::Error>(ms(begin.elapsed()))
    };
    tokio::time::timeout(PATIENCE, came).await?
}
