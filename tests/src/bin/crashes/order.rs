//! Every answer comes after its sync: the node runs under strace, which writes down what it asks of
//! the system and in which order. SIGKILL cannot see a sync that is missing, since the system lives
//! on; this can.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use corridor_client::{Client, RecordName, WithdrawalRequest, v1};
use corridor_proto::kinds::Kind;
use corridor_tests::crash::victim::Victim;
use corridor_tests::nodes::{practice, until};
use corridor_tests::sim::rng::Rng;

use super::Args;

/// What strace writes down: writing and syncing files, and everything that can send an answer.
const CALLS: &str = "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fdatasync,fsync";

pub async fn run(args: &Args) -> Result<serde_json::Value> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("victim");
    let victim = Victim::make(args.node.clone(), data, folder.path())?;
    let file = folder.path().join("trace");
    let trace = file.to_str().context("a path that is no text")?;
    let options = ["-D", "-f", "-yy", "-ttt", "-e", CALLS, "-o", trace, "--"];
    let child = victim.start_under("strace", &options)?;
    let client = victim.client().await?;
    let (mut calls, mut rng) = (Vec::new(), Rng::new(args.seed));
    for number in 0..args.rounds {
        let lived = live(&client, number, &mut calls, &mut rng).await;
        lived.with_context(|| victim.last_words())?;
    }
    child.terminate()?;
    let is_whole = || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        text.lines().last().is_some_and(|line| line.contains("+++"))
    };
    until("strace has written everything down", is_whole).await?;
    let text = std::fs::read_to_string(&file)?;
    let events = events(&text)?;
    for call in &calls {
        call.answered_after_its_sync(&events)?;
    }
    let syncs = events.iter().filter(|event| event.does == Does::Sync);
    Ok(serde_json::json!({
        "records": args.rounds,
        "answers": calls.len(),
        "syncs": syncs.count(),
        "violations": 0,
        "seed": args.seed,
    }))
}

/// The clock by which strace goes.
#[allow(clippy::disallowed_methods, reason = "strace writes this clock down")]
fn now() -> Result<Duration> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?)
}

/// A call of the API that changed something.
struct Call {
    what: &'static str,
    sent: Duration,
    answered: Duration,
}

/// One call after the other, so that what is written meanwhile belongs to it.
async fn timed<T>(
    calls: &mut Vec<Call>,
    what: &'static str,
    call: impl Future<Output = Result<T, corridor_client::ClientError>>,
) -> Result<T> {
    let sent = now()?;
    let done = call.await.context(what)?;
    let answered = now()?;
    calls.push(Call {
        what,
        sent,
        answered,
    });
    Ok(done)
}

/// The life of one record.
async fn live(client: &Client, number: u64, calls: &mut Vec<Call>, rng: &mut Rng) -> Result<()> {
    let body = practice(&format!("Record {number}"));
    let draft = client.create_draft(Kind::Practice, body.clone());
    let draft = timed(calls, "a draft", draft).await?;
    let name: RecordName = draft.name.parse()?;
    let circles = ["public".to_owned()];
    timed(calls, "publishing", client.publish(&name, &circles)).await?;
    if rng.chance(50) {
        let draft = client.update_draft(&name, Kind::Practice, body, "");
        timed(calls, "a draft", draft).await?;
        timed(calls, "revising", client.publish(&name, &[])).await?;
    }
    if rng.chance(50) {
        let request = WithdrawalRequest {
            up_to: None,
            code: v1::WithdrawalCode::Error,
            note: Vec::new(),
            replacement: None,
        };
        timed(calls, "withdrawing", client.withdraw(&name, request)).await?;
    }
    Ok(())
}

/// What a call of the system does, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Does {
    /// Writes to a segment of the journal.
    Write,
    /// Syncs one.
    Sync,
    /// Sends something to the client.
    Send,
}

/// A call of the system.
struct Event {
    does: Does,
    at: Duration,
    /// Lines of the trace, which are in order: where it began and where it came back.
    began: usize,
    ended: usize,
    /// What it gave back: of a write, how many bytes.
    result: u64,
}

/// What a line of the trace that begins a call is about.
fn does(call: &str) -> Option<Does> {
    let (name, rest) = call.split_once('(')?;
    let target = rest.split(['>', ',']).next()?;
    let is_journal = target.ends_with(".seg") || target.ends_with(".tmp");
    match name {
        "fdatasync" | "fsync" => is_journal.then_some(Does::Sync),
        _ if is_journal => Some(Does::Write),
        _ => target.contains("<TCP").then_some(Does::Send),
    }
}

/// The events of a trace. Of a call that others interrupt there are two lines.
fn events(trace: &str) -> Result<Vec<Event>> {
    let (mut events, mut open) = (Vec::new(), HashMap::new());
    for (number, line) in trace.lines().enumerate() {
        // The number of a thread is followed by as many spaces as make a column.
        let rest = line
            .split_once(' ')
            .map(|(thread, rest)| (thread, rest.trim_start()));
        let Some((thread, (at, call))) =
            rest.and_then(|(thread, rest)| Some((thread, rest.split_once(' ')?)))
        else {
            continue;
        };
        let event = if call.starts_with("<...") {
            open.remove(thread)
        } else {
            does(call).map(|does| (does, at, number))
        };
        let Some((does, at, began)) = event else {
            continue;
        };
        if call.ends_with("<unfinished ...>") {
            open.insert(thread, (does, at, began));
            continue;
        }
        let result = call.rsplit(" = ").next().unwrap_or_default();
        if result.starts_with('-') {
            // Nobody hears what is said to a connection that is gone.
            ensure!(does == Does::Send, "line {number}: {line}");
            continue;
        }
        let (at, ended) = (Duration::from_secs_f64(at.parse()?), number);
        events.push(Event {
            does,
            at,
            began,
            ended,
            result: result.parse().unwrap_or(0),
        });
    }
    Ok(events)
}

impl Call {
    /// The answer, which is the last thing that was sent before it arrived, was sent when all that
    /// the call wrote to the journal was synced. What was published waits for its group alone, the
    /// largest write: the text of the draft, which stands in it, is erased behind the answer.
    fn answered_after_its_sync(&self, events: &[Event]) -> Result<()> {
        let here = |event: &&Event| self.sent <= event.at && event.at <= self.answered;
        let all = |does: Does| events.iter().filter(move |event| event.does == does);
        let what = self.what;
        let answer = all(Does::Send).filter(here).max_by_key(|event| event.began);
        let answer = answer.with_context(|| format!("nothing answered {what}"))?;
        let mut writes: Vec<&Event> = all(Does::Write).filter(here).collect();
        ensure!(!writes.is_empty(), "nothing was written for {what}");
        if ["publishing", "revising"].contains(&what) {
            writes.sort_by_key(|write| write.result);
            writes.drain(..writes.len() - 1);
        }
        for write in writes {
            let is_synced =
                all(Does::Sync).any(|sync| sync.began > write.ended && sync.ended < answer.began);
            ensure!(
                is_synced,
                "line {} of the trace answers {what}, line {} was not synced",
                answer.began,
                write.began
            );
        }
        Ok(())
    }
}
