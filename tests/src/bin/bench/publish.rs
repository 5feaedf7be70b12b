//! Publishing through the API, one by one and many in a call.

use anyhow::Result;
use corridor_client::{Client, RecordName};
use corridor_proto::kinds::Kind;
use serde_json::json;

use crate::Bench;
use crate::clock::{median, ms, now, quantile};
use crate::line::{Line, number, numbers};
use crate::load::{A_CALL, Bodies};
use crate::site::Site;
use crate::yardstick::{signs, sync_ms};

/// Such calls in a round, one after the other.
const CALLS: usize = 20;
/// Records published one by one in a round.
const ONE_BY_ONE: usize = 500;
/// Times the median of a synced write, and milliseconds: the larger counts.
const SYNCS: f64 = 3.0;
const LEAST_MS: f64 = 1.5;
/// Part of one core's signatures.
const SIGN_PART: f64 = 0.35;
const CIRCLE: &str = "federation";

/// The scenario.
pub async fn publish(bench: &Bench) -> Result<()> {
    let (mut p50, mut p99, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut rates, mut signed) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let folder = tempfile::tempdir_in(&bench.folder)?;
        let site = Site::make(folder.path(), "author", None)?;
        let (process, client) = site.served(&bench.node).await?;
        syncs.push(sync_ms(&bench.folder)?);
        signed.push(signs());
        let times = one_by_one(&client).await?;
        p50.push(median(&times));
        p99.push(quantile(&times, 0.99));
        rates.push(a_call(&client).await?);
        process.terminate()?;
    }
    let (value, sync) = (median(&p50), median(&syncs));
    let limit = LEAST_MS.max(SYNCS * sync);
    Line {
        scenario: "publish",
        figure: "one by one, p50",
        n: ONE_BY_ONE,
        value,
        unit: "ms",
        yardstick: ("fdatasync p50, ms", sync),
        target: format!("at most the larger of {SYNCS} x the yardstick and {LEAST_MS} ms"),
        pass: value <= limit,
        more: json!({ "rounds": numbers(&p50), "p99_ms": number(median(&p99)) }),
    }
    .print();
    let (rate, sign) = (median(&rates), median(&signed));
    Line {
        scenario: "publish",
        figure: "256 a call",
        n: CALLS * A_CALL,
        value: rate,
        unit: "records/s",
        yardstick: ("signatures of one core in a second", sign),
        target: format!("at least {SIGN_PART} of the yardstick"),
        pass: rate >= SIGN_PART * sign,
        more: json!({ "rounds": numbers(&rates) }),
    }
    .print();
    Ok(())
}

async fn drafts(client: &Client, n: usize) -> Result<Vec<RecordName>> {
    let mut bodies = Bodies::new()?;
    let mut names = Vec::with_capacity(n);
    for _ in 0..n {
        let draft = client.create_draft(Kind::Practice, bodies.next()?).await?;
        names.push(draft.name.parse()?);
    }
    Ok(names)
}

async fn one_by_one(client: &Client) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for name in drafts(client, ONE_BY_ONE).await? {
        let begin = now();
        client.publish(&name, &[CIRCLE.to_owned()]).await?;
        times.push(ms(begin.elapsed()));
    }
    Ok(times)
}

/// Records in a second of calls that publish many; the median call.
async fn a_call(client: &Client) -> Result<f64> {
    let names = drafts(client, CALLS * A_CALL).await?;
    let mut times = Vec::new();
    for names in names.chunks(A_CALL) {
        let begin = now();
        client.publish_all(names, &[CIRCLE.to_owned()]).await?;
        times.push(begin.elapsed().as_secs_f64());
    }
    let records = f64::from(u32::try_from(A_CALL)?);
    Ok(records / median(&times))
}

/// Records published for a second of the node's processor time, many a call, by a node that holds
/// many already.
pub async fn publish_cpu(bench: &Bench, site: &Site) -> Result<f64> {
    let (process, client) = site.served(&bench.node).await?;
    let names = drafts(&client, CALLS * A_CALL).await?;
    let before = process.cpu_s()?;
    for names in names.chunks(A_CALL) {
        client.publish_all(names, &[CIRCLE.to_owned()]).await?;
    }
    let cpu = process.cpu_s()? - before;
    process.terminate()?;
    Ok(f64::from(u32::try_from(CALLS * A_CALL)?) / cpu)
}
