//! From publishing to reading while somebody floods the author, beside the same without.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use corridor_client::{Client, RecordName, Watch};
use corridor_node::operate::config::Config;
use corridor_proto::RcpId;
use corridor_proto::kinds::Kind;
use corridor_tests::stranger::Stranger;
use corridor_tests::stranger::frames::{END_HEADERS, HEADERS, RST_STREAM, Raw, frame, head};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Bench;
use crate::clock::{median, ms, now, quantile};
use crate::line::{Line, numbers};
use crate::load::Bodies;
use crate::site::PATIENCE;
use crate::stage::{Stage, WIDE, clear};

/// Records held before, and records published in each half of a round.
const HELD: usize = 100;
const EACH: usize = 100;
/// How much longer it may take.
const TIMES_MAX: f64 = 2.0;
/// Who floods: each of these dials, cancels calls until it is put out, and dials again, and opens
/// connections that say nothing.
const FLOODERS: usize = 2;
const SILENT: usize = 300;

pub async fn flood(bench: &Bench) -> Result<()> {
    let stage = Stage::with(bench, HELD).await?;
    let (mut quiet, mut flooded, mut ratios, mut floods) = (vec![], vec![], vec![], 0);
    for _ in 0..bench.rounds {
        let author = stage.copy(&stage.author, "author")?;
        let reader = stage.copy(&stage.reader, "reader")?;
        let (first, here) = author.served(&bench.node).await?;
        let (second, there) = reader.served(&bench.node).await?;
        let mut watch = there.watch(None);
        for _ in 0..HELD {
            while next(&mut watch).await?.is_none() {}
        }
        let before = publish_and_read(&here, &mut watch).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut flooders = JoinSet::new();
        for _ in 0..FLOODERS {
            let config = Config::read(&author.data)?;
            flooders.spawn(floods_until(Arc::clone(&stop), config, author.rcp));
        }
        let during = publish_and_read(&here, &mut watch).await?;
        stop.store(true, Ordering::Relaxed);
        while let Some(count) = flooders.join_next().await {
            floods += count??;
        }
        ratios.push(median(&during) / median(&before));
        quiet.push(median(&before));
        flooded.push(median(&during));
        second.terminate()?;
        first.terminate()?;
        clear(&[&author, &reader])?;
        println_p99(&before, &during);
    }
    let value = median(&ratios);
    Line {
        scenario: "flood",
        figure: "p50 under a flood",
        n: EACH,
        value: median(&flooded),
        unit: "ms",
        yardstick: ("the same in quiet, ms", median(&quiet)),
        target: format!("at most {TIMES_MAX} x the yardstick"),
        pass: value <= TIMES_MAX,
        more: json!({
            "rounds": numbers(&flooded),
            "quiet_rounds": numbers(&quiet),
            "connections_that_flooded": floods,
            "silent_connections": FLOODERS * SILENT,
        }),
    }
    .print();
    Ok(())
}

/// The rarest tenth, for whoever looks on.
#[allow(clippy::print_stderr)]
fn println_p99(before: &[f64], during: &[f64]) {
    let (quiet, flooded) = (quantile(before, 0.9), quantile(during, 0.9));
    eprintln!("p90 {quiet:.1} ms, {flooded:.1} ms under the flood");
}

/// Floods a node's listener for peers; how many connections that took.
async fn floods_until(stop: Arc<AtomicBool>, config: Config, rcp: RcpId) -> Result<usize> {
    let stranger = Stranger::new()?;
    let cancel = [0, 0, 0, 8];
    let calls: Vec<u8> = (0..2_000_u32)
        .flat_map(|call| {
            let call = 2 * call + 1;
            let opened = frame(HEADERS, END_HEADERS, call, &head("Hello"));
            [opened, frame(RST_STREAM, 0, call, &cancel)].concat()
        })
        .collect();
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(TcpStream::connect(config.peer_listen).await?);
    }
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        if let Ok(mut raw) = Raw::dial_at(&stranger, config.peer_listen, &rcp).await {
            raw.flood(&calls, 10).await;
        }
        count += 1;
    }
    Ok(count)
}

/// The record of the next change, unless the change is that all were told.
async fn next(watch: &mut Watch) -> Result<Option<String>> {
    let change = tokio::time::timeout(PATIENCE, watch.next()).await??;
    Ok(change.record.map(|record| record.record.name))
}

async fn publish_and_read(here: &Client, watch: &mut Watch) -> Result<Vec<f64>> {
    let mut bodies = Bodies::new()?;
    let mut times = Vec::new();
    for _ in 0..EACH {
        let draft = here.create_draft(Kind::Practice, bodies.next()?).await?;
        let name: RecordName = draft.name.parse()?;
        let begin = now();
        here.publish(&name, &[WIDE.to_owned()]).await?;
        while next(watch).await? != Some(draft.name.clone()) {}
        times.push(ms(now().duration_since(begin)));
    }
    Ok(times)
}
