//! Fifty thousand rows of a table become drafts: how fast, and in how much memory.

use anyhow::{Context, Result};
use corridor_client::v1;
use corridor_node::demo::records::demonstration_records;
use corridor_proto::kinds::Kind;
use corridor_tables::Language;
use corridor_tables::write::{CsvWriter, Record, WorkbookWriter, Writer, uses};
use prost::Message;
use serde_json::json;

use crate::Bench;
use crate::clock::now;
use crate::line::{Line, number};
use crate::site::Site;
use crate::yardstick::sync_ms;

/// Rows that a file may have.
const ROWS: usize = 50_000;
/// Rows a second that an office would not call slow.
const ROWS_PER_S: f64 = 1_000.0;
/// Bytes of memory that a node may take for it.
const MEMORY_MAX: f64 = 768.0 * 1024.0 * 1024.0;

/// The scenario.
pub async fn import(bench: &Bench) -> Result<()> {
    let rows = ROWS.min(bench.n.max(1));
    for (form, file) in [("csv", csv(rows)?), ("xlsx", workbook(rows)?)] {
        let folder = tempfile::tempdir_in(&bench.folder)?;
        let site = Site::make(folder.path(), "office", None)?;
        let (process, client) = site.served(&bench.node).await?;
        let (before, _) = process.memory()?;
        let sync = sync_ms(&bench.folder)?;
        let bytes = file.len();
        let mut times = Vec::new();
        for what in ["import", "again"] {
            let begin = now();
            let header = v1::ImportHeader {
                file_name: format!("rows.{form}"),
                kind: Kind::Practice.name().to_owned(),
                ..Default::default()
            };
            let mut importing = client.import(header, file.clone()).await?;
            let mut ended = None;
            while let Some(answer) = importing.next().await? {
                ended = answer.import.or(ended);
            }
            let ended = ended.context("an end")?;
            let all = u32::try_from(rows)?;
            let expect = if what == "import" {
                ended.saved_rows
            } else {
                ended.unchanged_rows
            };
            anyhow::ensure!(expect == all, "{what}: {ended:?}");
            times.push(f64::from(all) / begin.elapsed().as_secs_f64());
        }
        let (_, peak) = process.memory()?;
        process.terminate()?;
        let (rate, again) = (times[0], times[1]);
        Line {
            scenario: "import",
            figure: form,
            n: rows,
            value: rate,
            unit: "rows/s",
            yardstick: ("fdatasync p50, ms", sync),
            target: format!("at least {ROWS_PER_S} rows/s within {MEMORY_MAX} bytes"),
            pass: rate >= ROWS_PER_S && peak <= MEMORY_MAX,
            more: json!({
                "again_rows_per_s": number(again),
                "file_bytes": bytes,
                "resident_before": number(before),
                "resident_peak": number(peak),
            }),
        }
        .print();
    }
    Ok(())
}

/// Bodies of practices with references and titles of their own.
fn bodies(rows: usize) -> Result<impl Iterator<Item = Vec<u8>>> {
    let all = demonstration_records()?;
    let practices = all.iter().filter(|record| record.kind == Kind::Practice);
    let practices: Vec<v1::Practice> = practices
        .map(|record| v1::Practice::decode(record.body.as_slice()))
        .collect::<Result<_, _>>()?;
    let count = practices.len();
    Ok((0..rows).map(move |row| {
        let mut practice = practices[row % count].clone();
        let envelope = practice.envelope.get_or_insert_default();
        envelope.our_ref = format!("ROW-{row}");
        // One language, as most rows of an office are.
        envelope.translations.clear();
        let tag = envelope.source_lang.clone();
        practice.title.retain(|text| text.tag == tag);
        practice.summary.retain(|text| text.tag == tag);
        practice.encode_to_vec()
    }))
}

fn write(rows: usize, writer: &mut dyn Writer) -> Result<()> {
    let tags = bodies(rows.min(100))?;
    let tags = tags.filter_map(|body| corridor_tables::record::tags(Kind::Practice, &body));
    writer.kind(
        Kind::Practice,
        uses(Kind::Practice, &tags.flatten().collect()),
    )?;
    for body in bodies(rows)? {
        let (name, version) = ("", None);
        let body = body.as_slice();
        writer.record(Record {
            name,
            version,
            body,
        })?;
    }
    Ok(writer.finish()?)
}

fn csv(rows: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write(rows, &mut CsvWriter::new(&mut bytes)?)?;
    Ok(bytes)
}

fn workbook(rows: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write(
        rows,
        &mut WorkbookWriter::new(&mut bytes, Language::English),
    )?;
    Ok(bytes)
}
