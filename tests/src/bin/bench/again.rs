//! Two nodes that held the same and meet again: with nothing new, with a little on both sides, and
//! with old records that a partner may read from now on.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use corridor_node::run::Running;
use corridor_proto::LogId;
use corridor_rules::desk::Wish;
use serde_json::json;

use crate::Bench;
use crate::clock::{median, ms, now, until};
use crate::line::{Line, number, numbers};
use crate::load::publish;
use crate::process::Process;
use crate::site::{PATIENCE, Site};
use crate::stage::{NARROW, Stage, WIDE, circle, clear, holds, wait};
use crate::yardstick::{sync_ms, verifies};

/// So long nothing comes when all has come.
const IDLE: Duration = Duration::from_millis(300);
/// Between two looks at the line.
const LOOK: Duration = Duration::from_millis(1);
/// New records on each side.
const NEW: usize = 100;
/// Limits: milliseconds with nothing new and with a little, bytes each way, bytes for a record.
const NOOP_MS: f64 = 20.0;
const NOOP_BYTES: f64 = 256.0;
const DELTA_MS: f64 = 60.0;
const WIDEN_BYTES: f64 = 128.0;

/// What a meeting with nothing new gives.
struct Meeting {
    ms: f64,
    up: f64,
    down: f64,
    turns: f64,
    read: f64,
    turn_bytes: Vec<u64>,
    said: f64,
}

/// The scenario with nothing new.
pub async fn noop(bench: &Bench) -> Result<()> {
    let stage = Stage::set(bench).await?;
    let mut rounds = Vec::new();
    for _ in 0..bench.rounds {
        rounds.push(meet(bench, &stage).await?);
    }
    let all = |of: &dyn Fn(&Meeting) -> f64| -> Vec<f64> { rounds.iter().map(of).collect() };
    let times = all(&|round| round.ms);
    let read = all(&|round| round.read);
    Line {
        scenario: "noop",
        figure: "from the first byte to the last",
        n: bench.n,
        value: median(&times),
        unit: "ms",
        yardstick: ("fdatasync p50, ms", sync_ms(&bench.folder)?),
        target: format!("at most {NOOP_MS} ms"),
        pass: median(&times) <= NOOP_MS,
        more: json!({
            "rounds": numbers(&times),
            "turns": number(median(&all(&|round| round.turns))),
            "bytes_read_from_files": numbers(&read),
        }),
    }
    .print();
    let bytes = all(&|round| round.said);
    Line {
        scenario: "noop",
        figure: "bytes of the frames of a session, the busier way",
        n: bench.n,
        value: median(&bytes),
        unit: "bytes",
        yardstick: (
            "bytes on the wire, the handshakes of TLS and HTTP/2 with them",
            median(&all(&|round| round.up.max(round.down))),
        ),
        target: format!("at most {NOOP_BYTES} each way"),
        pass: median(&bytes) <= NOOP_BYTES,
        more: json!({
            "rounds": numbers(&bytes),
            "wire_up": number(median(&all(&|round| round.up))),
            "wire_down": number(median(&all(&|round| round.down))),
            "turn_bytes": rounds.last().map(|round| round.turn_bytes.clone()),
            "counted": "by the nodes; the wire, and what each side said in turn, at a forwarder",
        }),
    }
    .print();
    Ok(())
}

async fn meet(bench: &Bench, stage: &Stage) -> Result<Meeting> {
    let (author, reader) = stage.held().await?;
    let author = stage.copy(&author, "author")?;
    let reader = stage.copy(&reader, "reader")?;
    let logs = [&author, &reader].map(|site| site.data.join("said.log"));
    let first = Process::serve_logged(&bench.node, &author.data, &logs[0])?;
    let _client = author.answered().await?;
    stage.wire.reset();
    let second = Process::serve_logged(&bench.node, &reader.data, &logs[1])?;
    let has_begun = || std::future::ready(stage.wire.seen().first.is_some());
    until("it dials", LOOK, PATIENCE, has_begun).await?;
    let before = (first.read_bytes()?, second.read_bytes()?);
    let client = reader.answered().await?;
    let end = now() + PATIENCE;
    let (read, seen) = loop {
        let is_idle = || std::future::ready(stage.wire.is_idle(IDLE));
        until("all has come", LOOK, PATIENCE, is_idle).await?;
        let read = first.read_bytes()? - before.0 + second.read_bytes()? - before.1;
        let seen = stage.wire.seen();
        let peers = client.peers().await?;
        if peers.first().is_some_and(|peer| peer.up_to_date) {
            break (read, seen);
        }
        ensure!(now() < end, "{peers:?}");
    };
    stage.wire.cut();
    let told = || std::future::ready(logs.iter().all(|log| frame_bytes(log).is_ok()));
    let told = until("both say that the session ended", LOOK, PATIENCE, told).await;
    stage.wire.mend();
    told?;
    second.terminate()?;
    first.terminate()?;
    let [down_said, up_said] = [frame_bytes(&logs[0])?, frame_bytes(&logs[1])?];
    clear(&[&author, &reader])?;
    #[allow(clippy::cast_precision_loss)]
    let (up, down) = (seen.up as f64, seen.down as f64);
    Ok(Meeting {
        ms: ms(seen.lasted().context("nothing came")?),
        up,
        down,
        turns: f64::from(seen.turns),
        read,
        turn_bytes: seen.turn_bytes,
        said: down_said.max(up_said),
    })
}

/// Bytes of the frames that a node said to its one partner, by its log.
fn frame_bytes(log: &Path) -> Result<f64> {
    let log = std::fs::read_to_string(log)?;
    let said = log.lines().find(|line| line.contains("peer down"));
    let said = said.and_then(|line| line.split("frame_bytes=").nth(1));
    let digits = said.and_then(|said| said.split(' ').next());
    Ok(digits
        .with_context(|| format!("no end of a session: {log}"))?
        .parse()?)
}

/// The scenario with a little that is new on both sides.
pub async fn delta(bench: &Bench) -> Result<()> {
    let stage = Stage::set(bench).await?;
    let (author, reader) = stage.held().await?;
    let author = stage.copy(&author, "author-news")?;
    let reader = stage.copy(&reader, "reader-news")?;
    let ours = add(&author)?;
    let theirs = add(&reader)?;
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let first = stage.copy(&author, "author")?;
        let second = stage.copy(&reader, "reader")?;
        let here = first.start().await?;
        stage.wire.reset();
        let there = second.start().await?;
        let (one, other) = tokio::try_join!(full(&there, ours), full(&here, theirs))?;
        let seen = stage.wire.seen();
        let (begin, _) = seen.first.context("no connection")?;
        times.push(ms(one.max(other).duration_since(begin)));
        #[allow(clippy::cast_precision_loss)]
        bytes.push(seen.bytes() as f64 / 1_000.0);
        there.stop().await?;
        here.stop().await?;
        clear(&[&first, &second])?;
    }
    clear(&[&author, &reader])?;
    let records = f64::from(u32::try_from(2 * NEW)?);
    Line {
        scenario: "delta",
        figure: "100 new each way",
        n: bench.n,
        value: median(&times),
        unit: "ms",
        yardstick: (
            "to verify each of them once, ms",
            records / verifies() * 1_000.0,
        ),
        target: format!("at most {DELTA_MS} ms"),
        pass: median(&times) <= DELTA_MS,
        more: json!({
            "rounds": numbers(&times),
            "kb_both_ways": number(median(&bytes)),
            "fdatasync_p50_ms": number(sync_ms(&bench.folder)?),
        }),
    }
    .print();
    Ok(())
}

/// Publishes some more in a node that does not run; gives its circle, and how long it is then.
fn add(site: &Site) -> Result<(LogId, u64)> {
    let store = site.store()?;
    let of = |name| store.read(|view| view.circle(name).map(|log| (log.id, log.size())));
    let (log, _) = of(WIDE).context("the circle")?;
    publish(&store, log, NEW)?;
    let (_, size) = of(WIDE).context("the circle")?;
    store.close()?;
    Ok((log, size))
}

/// The moment at which a node holds a log.
async fn full(node: &Running, (log, size): (LogId, u64)) -> Result<Instant> {
    let mut changed = node.desk.changes();
    let came = async {
        while !holds(node, &log, size) {
            changed.changed().await?;
        }
        Ok(now())
    };
    tokio::time::timeout(PATIENCE, came).await?
}

/// The scenario of old records for one more partner.
pub async fn widen(bench: &Bench) -> Result<()> {
    let stage = Stage::set(bench).await?;
    let few = (bench.n / 100).min(1_000);
    let author = stage.copy(&stage.author, "author-wider")?;
    share(&author, bench.n / few, few)?;
    let (mut times, mut beyond) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let first = stage.copy(&author, "author")?;
        let second = stage.copy(&stage.other, "other")?;
        let here = first.start().await?;
        let narrow = circle(&here, NARROW)?;
        stage.wire.reset();
        let there = second.start().await?;
        let end = full(&there, narrow).await?;
        wait("nothing more comes", || stage.wire.is_idle(IDLE)).await?;
        let seen = stage.wire.seen();
        let (begin, _) = seen.first.context("no connection")?;
        times.push(ms(end.duration_since(begin)));
        #[allow(clippy::cast_precision_loss)]
        let each = seen.bytes() as f64 / few as f64;
        beyond.push(each - stage.loaded.record_bytes());
        there.stop().await?;
        here.stop().await?;
        clear(&[&first, &second])?;
    }
    clear(&[&author])?;
    Line {
        scenario: "widen",
        figure: "bytes on the wire for a record, both ways, beyond its own",
        n: few,
        value: median(&beyond),
        unit: "bytes",
        yardstick: ("bytes of a record", stage.loaded.record_bytes()),
        target: format!("at most {WIDEN_BYTES}"),
        pass: median(&beyond) <= WIDEN_BYTES,
        more: json!({
            "rounds": numbers(&beyond),
            "ms": number(median(&times)),
            "held": bench.n,
            "counted": "TCP payload at a forwarder, handshake and TLS records with it",
        }),
    }
    .print();
    Ok(())
}

/// Shares every so many-th record of a node that does not run with one more circle.
fn share(site: &Site, every: usize, few: usize) -> Result<()> {
    let store = site.store()?;
    let (circle, records) = store.read(|view| {
        let records = view.rows(None).step_by(every).take(few);
        let newest = records.filter_map(|(key, row)| Some((key.record, row.newest()?.version)));
        let records: Vec<_> = newest.collect();
        (view.circle(NARROW).map(|log| log.id), records)
    });
    let circle = circle.context("the circle")?;
    for (record, version) in records {
        let wish = Wish::Share {
            record,
            version,
            links: Vec::new(),
            circles: vec![circle],
        };
        store.append_blocking(corridor_store::Item::Wish(wish), corridor_node::edge::now())?;
    }
    Ok(store.close()?)
}
