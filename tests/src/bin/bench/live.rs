//! From publishing on one node to reading on others, while all are connected.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use corridor_client::{Client, RecordName, Watch};
use corridor_proto::RecordId;
use corridor_proto::kinds::Kind;
use corridor_tests::nodes::Office;
use serde_json::json;
use tokio::task::JoinSet;

use crate::Bench;
use crate::clock::{median, ms, now, quantile};
use crate::line::{Line, number, numbers};
use crate::load::Bodies;
use crate::site::PATIENCE;
use crate::stage::{Stage, WIDE, clear};
use crate::yardstick::sync_ms;

/// Records held before.
const HELD: usize = 100;
/// Records published in a round.
const LIVE: usize = 300;
/// Times the median of a synced write, and milliseconds: the larger counts.
const SYNCS: f64 = 5.0;
const LEAST_MS: f64 = 3.0;
const P99_MS: f64 = 20.0;
/// Partners of one node, and records published to all of them.
const PARTNERS: usize = 39;
const FANOUT: usize = 30;
const FANOUT_P99_MS: f64 = 2_000.0;

/// The scenario of two nodes.
pub async fn live(bench: &Bench) -> Result<()> {
    let stage = Stage::with(bench, HELD).await?;
    let (mut p50, mut p99, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        syncs.push(sync_ms(&bench.folder)?);
        let author = stage.copy(&stage.author, "author")?;
        let reader = stage.copy(&stage.reader, "reader")?;
        let (first, here) = author.served(&bench.node).await?;
        let (second, there) = reader.served(&bench.node).await?;
        let mut watch = there.watch(None);
        for _ in 0..HELD {
            while next(&mut watch).await?.is_none() {}
        }
        let times = publish_and_read(&here, &mut watch).await?;
        p50.push(median(&times));
        p99.push(quantile(&times, 0.99));
        second.terminate()?;
        first.terminate()?;
        clear(&[&author, &reader])?;
    }
    let (value, sync) = (median(&p50), median(&syncs));
    Line {
        scenario: "live",
        figure: "p50",
        n: LIVE,
        value,
        unit: "ms",
        yardstick: ("fdatasync p50, ms", sync),
        target: format!("at most the larger of {SYNCS} x the yardstick and {LEAST_MS} ms"),
        pass: value <= LEAST_MS.max(SYNCS * sync),
        more: json!({
            "rounds": numbers(&p50),
            "measured": "from the call to one API to the verified answer of the other",
        }),
    }
    .print();
    Line {
        scenario: "live",
        figure: "p99",
        n: LIVE,
        value: median(&p99),
        unit: "ms",
        yardstick: ("fdatasync p50, ms", sync),
        target: format!("at most {P99_MS} ms"),
        pass: median(&p99) <= P99_MS,
        more: json!({ "rounds": numbers(&p99) }),
    }
    .print();
    Ok(())
}

/// The record of the next change, unless the change is that all were told.
async fn next(watch: &mut Watch) -> Result<Option<String>> {
    let change = tokio::time::timeout(PATIENCE, watch.next()).await??;
    Ok(change.record.map(|record| record.record.name))
}

async fn publish_and_read(here: &Client, watch: &mut Watch) -> Result<Vec<f64>> {
    let mut bodies = Bodies::new()?;
    let mut times = Vec::new();
    for _ in 0..LIVE {
        let draft = here.create_draft(Kind::Practice, bodies.next()?).await?;
        let name: RecordName = draft.name.parse()?;
        let begin = now();
        let publish = async { Ok(here.publish(&name, &[WIDE.to_owned()]).await?) };
        let read = async {
            while next(watch).await? != Some(draft.name.clone()) {}
            Ok::<_, anyhow::Error>(now())
        };
        let (_, end) = tokio::try_join!(publish, read)?;
        times.push(ms(end.duration_since(begin)));
    }
    Ok(times)
}

/// The scenario of many partners, all in this process.
pub async fn fanout(bench: &Bench) -> Result<()> {
    let author = Arc::new(Office::open("Author", true).await?);
    let mut partners = Vec::new();
    for index in 0..PARTNERS {
        let partner = Office::open(&format!("Partner {index}"), false).await?;
        author.befriend(&partner).await?;
        partners.push(Arc::new(partner));
    }
    let readers: Vec<&Office> = partners.iter().map(AsRef::as_ref).collect();
    author.admit(WIDE, &readers).await?;
    let circle = author.circle(WIDE)?;
    let mut bodies = Bodies::new()?;
    let (mut times, mut last) = (Vec::new(), Vec::new());
    for _ in 0..FANOUT {
        let body = bodies.next()?;
        let record = author.desk().save_draft(None, Kind::Practice, body).await?;
        let mut waiting = JoinSet::new();
        for partner in &partners {
            let (partner, author) = (Arc::clone(partner), Arc::clone(&author));
            waiting.spawn(async move { holds(&partner, &author, record).await });
        }
        let begin = now();
        author.desk().publish(record, Some(vec![circle])).await?;
        let mut longest: f64 = 0.0;
        while let Some(end) = waiting.join_next().await {
            let took = ms(end??.duration_since(begin));
            longest = longest.max(took);
            times.push(took);
        }
        last.push(longest);
    }
    let p99 = quantile(&times, 0.99);
    Line {
        scenario: "fanout",
        figure: "p99 over 39 partners",
        n: FANOUT,
        value: p99,
        unit: "ms",
        yardstick: ("fdatasync p50, ms", sync_ms(&bench.folder)?),
        target: format!("at most {FANOUT_P99_MS} ms"),
        pass: p99 <= FANOUT_P99_MS,
        more: json!({
            "p50_ms": number(median(&times)),
            "last_partner_p50_ms": number(median(&last)),
        }),
    }
    .print();
    Ok(())
}

/// The moment at which a partner holds a record's text.
async fn holds(partner: &Office, author: &Office, record: RecordId) -> Result<Instant> {
    let mut changed = partner.desk().changes();
    let came = async {
        while !partner.holds(author, record) {
            changed.changed().await.context("it has ended")?;
        }
        Ok(now())
    };
    tokio::time::timeout(PATIENCE, came).await?
}
