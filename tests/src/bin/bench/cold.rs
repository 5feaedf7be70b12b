//! All records to an empty node: from their owner, through a third node, over a long line, and more
//! and more of them.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::Bench;
use crate::clock::median;
use crate::line::{Line, number, numbers};
use crate::passed::Passed;
use crate::publish::publish_cpu;
use crate::site::Site;
use crate::stage::Stage;
use crate::trip::{Round, Trip, all};
use crate::yardstick::{sync_ms, write_rate};
use corridor_tests::wire::Shape;

/// Part of one core's strict verifications.
const VERIFY_PART: f64 = 0.8;
/// Seconds of processor time for 100,000 records, both nodes together.
const CPU_S: f64 = 8.0;
/// Bytes on the wire for a record beyond its own.
const WIRE_BYTES: f64 = 128.0;
/// A line over land: half of a round trip, bytes in a second, and the part of them that is used.
const DELAY: Duration = Duration::from_millis(32);
const LINE_BYTES_PER_S: f64 = 12_500_000.0;
const LINE_PART: f64 = 0.8;
/// Of so many records held, a tenth, all and ten times as many are measured.
const GROWS: usize = 10;
/// The smallest part of the best rate.
const FLAT_PART: f64 = 0.8;
const MB: f64 = 1_000_000.0;
const STRICT: &str = "strict verifications of one core in a second";

/// The scenario of two nodes.
pub async fn cold(bench: &Bench) -> Result<()> {
    let stage = Stage::set(bench).await?;
    let trip = from_owner(&stage);
    let rounds = trip.rounds(bench).await?;
    print_rate("cold", bench, &trip, &rounds, |round| round.rate)?;
    print_cpu("cold", bench.n, &rounds);
    print_wire("cold", &trip, &rounds);
    crate::postgres::copy(bench, trip.loaded).await
}

fn from_owner(stage: &Stage) -> Trip<'_> {
    Trip {
        giver: &stage.author,
        taker: &stage.reader,
        wire: &stage.wire,
        loaded: stage.loaded,
        owner: stage.author.rcp,
    }
}

/// The scenario of one that holds the records of another, and a third that may read them.
pub async fn relay(bench: &Bench) -> Result<()> {
    let passed = Passed::set(bench).await?;
    let trip = passed.trip();
    let rounds = trip.rounds(bench).await?;
    // Whose turn it is to be asked takes its time, once: that is told beside the rate.
    print_rate("relay", bench, &trip, &rounds, |round| round.flow_rate)?;
    print_cpu("relay", bench.n, &rounds);
    print_wire("relay", &trip, &rounds);
    Ok(())
}

/// The scenario of a long line.
pub async fn rtt(bench: &Bench) -> Result<()> {
    let stage = Stage::set(bench).await?;
    let trip = from_owner(&stage);
    trip.wire.shape(Some(Shape {
        delay: DELAY,
        bytes_per_s: LINE_BYTES_PER_S,
    }));
    let rounds = trip.rounds(bench).await;
    trip.wire.shape(None);
    let rounds = rounds?;
    let rates = all(&rounds, |round| round.wire_bytes_per_s);
    let rate = median(&rates);
    Line {
        scenario: "rtt",
        figure: "bytes on a line of 64 ms and 100 Mbit/s",
        n: bench.n,
        value: rate / MB,
        unit: "MB/s",
        yardstick: ("what the line takes, MB/s", LINE_BYTES_PER_S / MB),
        target: format!("at least {LINE_PART} of the yardstick"),
        pass: rate >= LINE_PART * LINE_BYTES_PER_S,
        more: json!({
            "rounds": numbers(&rates),
            "records_per_s": number(median(&all(&rounds, |round| round.rate))),
        }),
    }
    .print();
    Ok(())
}

/// The scenario of a tenth, of all, and of ten times as many records.
pub async fn growth(bench: &Bench) -> Result<()> {
    let (mut takes, mut makes) = (Vec::new(), Vec::new());
    let counts = [bench.n / GROWS, bench.n, bench.n * GROWS];
    ensure!(counts[0] >= 100, "--n: 1,000 at least for growth");
    for n in counts {
        let stage = Stage::with(bench, n).await?;
        let rounds = from_owner(&stage).rounds(bench).await?;
        #[allow(clippy::cast_precision_loss)]
        let records = n as f64;
        takes.push(records / median(&all(&rounds, |round| round.cpu.0 + round.cpu.1)));
        let author: Site = stage.copy(&stage.author, "author")?;
        makes.push(publish_cpu(bench, &author).await?);
        crate::stage::clear(&[&author])?;
    }
    let figures = [
        ("records copied for a second of processor time", takes),
        ("records published for a second of processor time", makes),
    ];
    for (figure, rates) in figures {
        let best = rates.iter().copied().fold(f64::MIN, f64::max);
        let least = rates.iter().copied().fold(f64::MAX, f64::min);
        Line {
            scenario: "growth",
            figure,
            n: counts[2],
            value: least,
            unit: "records/CPU s",
            yardstick: ("the best of the three", best),
            target: format!("at least {FLAT_PART} of the yardstick"),
            pass: least >= FLAT_PART * best,
            more: json!({ "held": counts, "rates": numbers(&rates) }),
        }
        .print();
    }
    Ok(())
}

fn print_rate(
    scenario: &'static str,
    bench: &Bench,
    trip: &Trip<'_>,
    rounds: &[Round],
    of: impl Fn(&Round) -> f64,
) -> Result<()> {
    let rates = all(rounds, of);
    let (rate, verify) = (median(&rates), median(&all(rounds, |round| round.verifies)));
    Line {
        scenario,
        figure: "rate",
        n: bench.n,
        value: rate,
        unit: "records/s",
        yardstick: (STRICT, verify),
        target: format!("at least {VERIFY_PART} of the yardstick"),
        pass: rate >= VERIFY_PART * verify,
        more: json!({
            "rounds": numbers(&rates),
            "wait_s": number(median(&all(rounds, |round| round.wait_s))),
            "record_bytes": number(trip.loaded.record_bytes()),
            "fdatasync_p50_ms": number(sync_ms(&bench.folder)?),
            "write_mb_per_s": number(write_rate(&bench.folder)? / MB),
            "giver_peak_mb": number(median(&all(rounds, |round| round.memory.0)) / MB),
            "taker_peak_mb": number(median(&all(rounds, |round| round.memory.1)) / MB),
        }),
    }
    .print();
    Ok(())
}

fn print_cpu(scenario: &'static str, n: usize, rounds: &[Round]) {
    #[allow(clippy::cast_precision_loss)]
    let records = n as f64;
    let cpu = all(rounds, |round| round.cpu.0 + round.cpu.1);
    let verify = median(&all(rounds, |round| round.verifies));
    Line {
        scenario,
        figure: "processor time of both nodes",
        n,
        value: median(&cpu),
        unit: "s",
        yardstick: ("to verify every record once, s", records / verify),
        target: format!("at most {CPU_S} s for 100,000 records"),
        pass: median(&cpu) <= CPU_S * records / 100_000.0,
        more: json!({
            "rounds": numbers(&cpu),
            "giver_s": number(median(&all(rounds, |round| round.cpu.0))),
            "taker_s": number(median(&all(rounds, |round| round.cpu.1))),
        }),
    }
    .print();
}

fn print_wire(scenario: &'static str, trip: &Trip<'_>, rounds: &[Round]) {
    let wire = all(rounds, |round| round.wire_bytes);
    Line {
        scenario,
        figure: "bytes on the wire for a record, both ways, beyond its own",
        n: usize::try_from(trip.loaded.records).unwrap_or(usize::MAX),
        value: median(&wire),
        unit: "bytes",
        yardstick: ("bytes of a record", trip.loaded.record_bytes()),
        target: format!("at most {WIRE_BYTES}"),
        pass: median(&wire) <= WIRE_BYTES,
        more: json!({
            "rounds": numbers(&wire),
            "counted": "TCP payload at a forwarder, handshake and TLS records with it",
        }),
    }
    .print();
}
