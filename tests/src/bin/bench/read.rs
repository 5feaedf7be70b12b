//! Reading: pages of lists, searches, everything at once, and calls that only ask who calls.

use std::time::Instant;

use anyhow::{Context, Result};
use corridor_client::{Client, Wanted};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Bench;
use crate::clock::{median, ms, now, quantile};
use crate::line::{Line, number, numbers};
use crate::site::Site;
use crate::stage::{Stage, clear};

/// Pages that are timed.
const PAGES: usize = 300;
/// Records on a page.
const PAGE: i32 = 100;
/// What a person does not notice, in milliseconds.
const PAGE_P99_MS: f64 = 50.0;
/// Searches that are timed.
const SEARCHES: usize = 20;
/// What a person waits for without doubt, in milliseconds.
const SEARCH_P50_MS: f64 = 1_000.0;
/// Calls at one time, and all of them.
const CALLERS: usize = 8;
const CALLS: usize = 20_000;
/// Bytes of one write on loopback.
const PIECE: usize = 256 * 1024;

async fn up(bench: &Bench, name: &str) -> Result<(Site, crate::process::Process, Client)> {
    let stage = Stage::set(bench).await?;
    let site = stage.copy(&stage.author, name)?;
    let (process, client) = site.served(&bench.node).await?;
    Ok((site, process, client))
}

/// A page of a list, one of a filtered list, and a search.
pub async fn list(bench: &Bench) -> Result<()> {
    let (site, process, client) = up(bench, "list").await?;
    let everything = Wanted::default();
    let begin = now();
    let first = client.search("", &everything, "", 1, None).await?;
    let cold = ms(begin.elapsed());
    let (mut times, mut next) = (Vec::new(), None);
    for _ in 0..PAGES {
        let begin = now();
        let page = client
            .unverified_page(&everything, PAGE, next.as_deref())
            .await?;
        times.push(ms(begin.elapsed()));
        next = page.next;
    }
    let p99 = quantile(&times, 0.99);
    Line {
        scenario: "list",
        figure: "page of 100, p99",
        n: bench.n,
        value: p99,
        unit: "ms",
        yardstick: ("what a person does not notice, ms", PAGE_P99_MS),
        target: format!("at most {PAGE_P99_MS} ms"),
        pass: p99 <= PAGE_P99_MS,
        more: json!({ "p50": number(median(&times)), "pages": PAGES }),
    }
    .print();
    let calls = filtered(&client).await?;
    let mut searches = Vec::new();
    for _ in 0..SEARCHES {
        let begin = now();
        let nothing = client.search("practice zzzz", &everything, "", 20, None);
        nothing.await?;
        searches.push(ms(begin.elapsed()));
    }
    let p50 = median(&searches);
    Line {
        scenario: "list",
        figure: "search by words, p50",
        n: bench.n,
        value: p50,
        unit: "ms",
        yardstick: ("what a person waits for, ms", SEARCH_P50_MS),
        target: format!("at most {SEARCH_P50_MS} ms"),
        pass: p50 <= SEARCH_P50_MS,
        more: json!({
            "found_by_no_word": first.total,
            "first_search_after_start_ms": number(cold),
            "filter_that_finds_nothing_calls": calls.len(),
            "filter_that_finds_nothing_p99_ms": number(quantile(&calls, 0.99)),
            "resident_mb": number(process.memory()?.0 / 1e6),
        }),
    }
    .print();
    process.terminate()?;
    clear(&[&site])
}

/// What each call of a list takes whose filter lets nothing through.
async fn filtered(client: &Client) -> Result<Vec<f64>> {
    let filter = "gcm_objectives:23 AND countries:ZW AND title:nothing";
    let wanted = Wanted {
        filter: filter.to_owned(),
        ..Wanted::default()
    };
    let (mut calls, mut next) = (Vec::new(), None);
    loop {
        let begin = now();
        let page = client.unverified_page(&wanted, PAGE, next.as_deref());
        next = page.await?.next;
        calls.push(ms(begin.elapsed()));
        if next.is_none() {
            return Ok(calls);
        }
    }
}

/// Everything to one client that verifies it, beside as many bytes over loopback alone.
pub async fn bulkread(bench: &Bench) -> Result<()> {
    let (site, process, client) = up(bench, "bulkread").await?;
    let (mut rates, mut limits, mut served) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let (mut records, mut bytes) = (0_usize, 0_usize);
        let cpu = process.cpu_s()?;
        let begin = now();
        let mut reading = client.read_all(None, None);
        while let Some(batch) = reading.next().await? {
            records += batch.records.len();
            bytes += batch
                .records
                .iter()
                .map(|(_, file)| file.len())
                .sum::<usize>();
        }
        let took = begin.elapsed().as_secs_f64();
        anyhow::ensure!(records >= bench.n, "{records} came");
        let count = f64::from(u32::try_from(records)?);
        rates.push(count / took);
        served.push(count / (process.cpu_s()? - cpu));
        limits.push(count / loopback(bytes).await?);
    }
    let (rate, limit) = (median(&rates), median(&limits));
    Line {
        scenario: "bulkread",
        figure: "to one client that verifies",
        n: bench.n,
        value: rate,
        unit: "records/s",
        yardstick: ("as many bytes over loopback, records/s", limit),
        target: "at least 3000".to_owned(),
        pass: rate >= 3_000.0,
        more: json!({
            "rounds": numbers(&rates),
            "for_a_second_of_the_nodes_processor_time": number(median(&served)),
        }),
    }
    .print();
    process.terminate()?;
    clear(&[&site])
}

/// Seconds that so many bytes take from one socket to another.
async fn loopback(bytes: usize) -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let begin: Instant = now();
    let send = async {
        let mut socket = TcpStream::connect(address).await?;
        let piece = vec![7; PIECE];
        let mut left = bytes;
        while left > 0 {
            let some = left.min(PIECE);
            socket.write_all(&piece[..some]).await?;
            left -= some;
        }
        socket.shutdown().await
    };
    let receive = async {
        let (mut socket, _) = listener.accept().await?;
        let mut piece = vec![0; PIECE];
        while socket.read(&mut piece).await? > 0 {}
        Ok(())
    };
    tokio::try_join!(send, receive)?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Calls that look nothing up but who calls.
pub async fn tokens(bench: &Bench) -> Result<()> {
    let stage = Stage::with(bench, 100).await?;
    let site = stage.copy(&stage.author, "tokens")?;
    let (process, client) = site.served(&bench.node).await?;
    let begin = now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let client = client.clone();
        callers.spawn(async move {
            for _ in 0..CALLS / CALLERS {
                client.node().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.context("a caller")??;
    }
    let rate = f64::from(u32::try_from(CALLS)?) / begin.elapsed().as_secs_f64();
    Line {
        scenario: "tokens",
        figure: "authorised calls",
        n: CALLS,
        value: rate,
        unit: "calls/s",
        yardstick: ("calls that a budget gives, calls/s", 1_000.0),
        target: "at least 2000".to_owned(),
        pass: rate >= 2_000.0,
        more: json!({ "callers": CALLERS, "connections": 1 }),
    }
    .print();
    process.terminate()?;
    clear(&[&site])
}
