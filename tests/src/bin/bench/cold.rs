//! All records to an empty node.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::Bench;
use crate::clock::{median, until};
use crate::line::{Line, number, numbers};
use crate::site::PATIENCE;
use crate::stage::{Stage, clear};
use crate::yardstick::{sync_ms, verifies, write_rate};

/// So long nothing comes when all has come.
const IDLE: Duration = Duration::from_millis(300);
/// Between two looks at the line.
const LOOK: Duration = Duration::from_millis(50);
/// Part of one core's strict verifications.
const VERIFY_PART: f64 = 0.8;
/// Seconds of processor time for 100,000 records, both nodes together.
const CPU_S: f64 = 8.0;
/// Bytes on the wire for a record beyond its own.
const WIRE_BYTES: f64 = 128.0;

/// What one round gives.
struct Round {
    rate: f64,
    verifies: f64,
    cpu: (f64, f64),
    wire_bytes: f64,
    memory: (f64, f64),
}

/// The scenario.
pub async fn cold(bench: &Bench) -> Result<()> {
    let stage = Stage::set(bench).await?;
    let mut rounds = Vec::new();
    for index in 0..bench.rounds {
        eprintln!("  round {}", index + 1);
        rounds.push(round(bench, &stage).await?);
    }
    let all = |of: &dyn Fn(&Round) -> f64| -> Vec<f64> { rounds.iter().map(of).collect() };
    let n = bench.n;
    #[allow(clippy::cast_precision_loss)]
    let share = n as f64 / 100_000.0;
    let rates = all(&|round| round.rate);
    let (rate, verify) = (median(&rates), median(&all(&|round| round.verifies)));
    let mb = 1_000_000.0;
    Line {
        scenario: "cold",
        figure: "rate",
        n,
        value: rate,
        unit: "records/s",
        yardstick: ("strict verifications of one core in a second", verify),
        target: format!("at least {VERIFY_PART} of the yardstick"),
        pass: rate >= VERIFY_PART * verify,
        more: json!({
            "rounds": numbers(&rates),
            "record_bytes": number(stage.loaded.record_bytes()),
            "fdatasync_p50_ms": number(sync_ms(&bench.folder)?),
            "write_mb_per_s": number(write_rate(&bench.folder)? / mb),
            "author_peak_mb": number(median(&all(&|round| round.memory.0)) / mb),
            "reader_peak_mb": number(median(&all(&|round| round.memory.1)) / mb),
        }),
    }
    .print();
    let cpu = all(&|round| round.cpu.0 + round.cpu.1);
    let limit = CPU_S * share;
    Line {
        scenario: "cold",
        figure: "processor time of both nodes",
        n,
        value: median(&cpu),
        unit: "s",
        yardstick: ("to verify every record once, s", 100_000.0 * share / verify),
        target: format!("at most {CPU_S} s for 100,000 records"),
        pass: median(&cpu) <= limit,
        more: json!({
            "rounds": numbers(&cpu),
            "author_s": number(median(&all(&|round| round.cpu.0))),
            "reader_s": number(median(&all(&|round| round.cpu.1))),
        }),
    }
    .print();
    let wire = all(&|round| round.wire_bytes);
    Line {
        scenario: "cold",
        figure: "bytes on the wire for a record, both ways, beyond its own",
        n,
        value: median(&wire),
        unit: "bytes",
        yardstick: ("bytes of a record", stage.loaded.record_bytes()),
        target: format!("at most {WIRE_BYTES}"),
        pass: median(&wire) <= WIRE_BYTES,
        more: json!({
            "rounds": numbers(&wire),
            "counted": "TCP payload at a forwarder, handshake and TLS records with it",
        }),
    }
    .print();
    Ok(())
}

async fn round(bench: &Bench, stage: &Stage) -> Result<Round> {
    let author = stage.copy(&stage.author, "author")?;
    let reader = stage.copy(&stage.reader, "reader")?;
    let verifies = verifies();
    let (sends, _client) = author.served(&bench.node).await?;
    stage.wire.reset();
    let before = sends.cpu_s()?;
    let takes = reader.serve(&bench.node)?;
    let least = stage.loaded.signed_bytes;
    until("everything has come", LOOK, PATIENCE, || {
        let wire = &stage.wire;
        std::future::ready(wire.seen().bytes() > least && wire.is_idle(IDLE))
    })
    .await?;
    let cpu = (sends.cpu_s()? - before, takes.cpu_s()?);
    let memory = (sends.memory()?.1, takes.memory()?.1);
    let seen = stage.wire.seen();
    let (_, begin) = seen.first.context("no connection")?;
    // Nothing but what came is written by a node to which nobody talks.
    let took = reader.written()?.duration_since(begin)?;
    let peers = reader.answered().await?.peers().await?;
    let held = peers.first().context("no partner")?;
    ensure!(
        held.up_to_date && held.records_held == stage.loaded.records,
        "it holds {} records: {}",
        held.records_held,
        held.sentence
    );
    takes.terminate()?;
    sends.terminate()?;
    clear(&[&author, &reader])?;
    #[allow(clippy::cast_precision_loss)]
    let (records, beyond) = (
        stage.loaded.records as f64,
        seen.bytes() as f64 - stage.loaded.signed_bytes as f64,
    );
    Ok(Round {
        rate: records / took.as_secs_f64(),
        verifies,
        cpu,
        wire_bytes: beyond / records,
        memory,
    })
}
