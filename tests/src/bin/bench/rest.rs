//! A node that holds many records: how fast it starts, and what room it takes.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::Bench;
use crate::clock::{median, ms, now};
use crate::line::{Line, number, numbers};
use crate::load::{Loaded, fill_one_by_one};
use crate::site::Site;
use crate::stage::{Stage, clear};
use crate::yardstick::{sync_ms, verifies};

/// Until it serves.
const START: Duration = Duration::from_millis(300);
/// Part of one core's strict verifications at which an index is built.
const VERIFY_PART: f64 = 0.8;
/// Bytes on the disk for each signed byte.
const SPACE: f64 = 1.4;
/// The index's cache, and what else may be resident.
const MEMORY_MB: f64 = 64.0 * 1.048_576 + 100.0;

/// The scenario of a start with an index, and without.
pub async fn restart(bench: &Bench) -> Result<()> {
    let stage = Stage::set(bench).await?;
    let author = stage.copy(&stage.author, "author")?;
    let (mut starts, mut rebuilds, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        syncs.push(sync_ms(&bench.folder)?);
        starts.push(start_s(bench, &author).await?);
        author.lose_index()?;
        rebuilds.push(start_s(bench, &author).await?);
    }
    let start = median(&starts) * 1_000.0;
    Line {
        scenario: "restart",
        figure: "until it serves",
        n: bench.n,
        value: start,
        unit: "ms",
        yardstick: ("fdatasync p50, ms", median(&syncs)),
        target: format!("at most {} ms", START.as_millis()),
        pass: start <= ms(START),
        more: json!({ "rounds_s": numbers(&starts) }),
    }
    .print();
    #[allow(clippy::cast_precision_loss)]
    let rates: Vec<f64> = rebuilds.iter().map(|s| bench.n as f64 / s).collect();
    let verify = verifies();
    Line {
        scenario: "restart",
        figure: "rebuilding a lost index",
        n: bench.n,
        value: median(&rates),
        unit: "records/s",
        yardstick: ("strict verifications of one core in a second", verify),
        target: format!("at least {VERIFY_PART} of the yardstick"),
        pass: median(&rates) >= VERIFY_PART * verify,
        more: json!({ "rounds_s": numbers(&rebuilds) }),
    }
    .print();
    clear(&[&author])
}

/// Seconds from the start of the process to its first answer.
async fn start_s(bench: &Bench, site: &Site) -> Result<f64> {
    let begin = now();
    let (process, _client) = site.served(&bench.node).await?;
    let took = begin.elapsed().as_secs_f64();
    process.terminate()?;
    Ok(took)
}

/// The scenario of disk and memory.
#[allow(clippy::cast_precision_loss)]
pub async fn space(bench: &Bench) -> Result<()> {
    let stage = Stage::set(bench).await?;
    let (author, reader) = stage.held().await?;
    for (site, figures) in [
        (&author, ["disk of the author", "memory of the author"]),
        (&reader, ["disk of the reader", "memory of the reader"]),
    ] {
        let mb = 1_000_000.0;
        print_disk(figures[0], site, &stage.loaded)?;
        let (process, client) = site.served(&bench.node).await?;
        client.node().await?;
        let (now, peak) = process.memory()?;
        process.terminate()?;
        Line {
            scenario: "space",
            figure: figures[1],
            n: bench.n,
            value: now / mb,
            unit: "MB",
            yardstick: ("the index's cache and 100 MB", MEMORY_MB),
            target: "at most the yardstick".to_owned(),
            pass: now <= MEMORY_MB * mb,
            more: json!({ "peak_mb": number(peak / mb) }),
        }
        .print();
    }
    let folder = tempfile::tempdir_in(&bench.folder)?;
    let single = Site::make(folder.path(), "author", None)?;
    let loaded = fill_one_by_one(&single, "federation", bench.n)?;
    print_disk(
        "disk of an author that publishes one by one",
        &single,
        &loaded,
    )
}

#[allow(clippy::cast_precision_loss)]
fn print_disk(figure: &'static str, site: &Site, loaded: &Loaded) -> Result<()> {
    let (journal, index) = (site.bytes("journal")?, site.bytes("index")?);
    let (disk, records) = ((journal + index) as f64, loaded.signed_bytes as f64);
    let signed = records + loaded.head_bytes as f64;
    let mb = 1_000_000.0;
    Line {
        scenario: "space",
        figure,
        n: usize::try_from(loaded.records)?,
        value: disk / mb,
        unit: "MB",
        yardstick: ("signed bytes of records and heads, MB", signed / mb),
        target: format!("at most {SPACE} times the yardstick"),
        pass: disk <= SPACE * signed,
        more: json!({
            "journal_mb": number(journal as f64 / mb),
            "index_mb": number(index as f64 / mb),
            "times_the_records_alone": number(disk / records),
        }),
    }
    .print();
    Ok(())
}
