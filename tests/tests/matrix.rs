//! The leak matrix: circles of every sort, read in every way, by everybody, in every state of a
//! record; each answer beside what a specification of its own says, each byte of it searched for
//! what its reader may not see, and what is forbidden beside what does not exist.

#![allow(clippy::expect_used)]

#[path = "matrix/api.rs"]
mod api;
#[path = "matrix/finding.rs"]
mod finding;
#[path = "matrix/links.rs"]
mod links;
#[path = "matrix/needles.rs"]
mod needles;
#[path = "matrix/sent.rs"]
mod sent;
#[path = "matrix/spec.rs"]
mod spec;
#[path = "matrix/story.rs"]
mod story;
#[path = "matrix/world.rs"]
mod world;

use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use corridor_node::operate::access::{Access, Role};
use corridor_proto::{UnixMillis, v1};
use corridor_tests::nodes::Office;
use corridor_tests::raw::Caller;
use needles::Needles;
use prost::Message;
use spec::Reader;
use tonic::Code;
use world::World;

/// How many answers are compared at least: whoever takes a row or a column out has to say so here.
const CELLS_MIN: usize = 142_679;

/// What was looked at so far.
struct Matrix<'a> {
    world: &'a World,
    needles: Needles<'a>,
    cells: usize,
    swept: usize,
    wrong: Vec<String>,
}

impl Matrix<'_> {
    /// One cell: what is beside what must be.
    fn is<T: PartialEq + Debug>(&mut self, found: &T, expect: &T, what: &dyn Fn() -> String) {
        self.cells += 1;
        if found != expect {
            let what = what();
            self.wrong
                .push(format!("{what}: {found:?} is not {expect:?}"));
        }
    }

    /// Searches an answer to a question for what its reader may not see.
    fn sweep(&mut self, of: Reader, bytes: &[u8], asked: &[&str], what: &dyn Fn() -> String) {
        // The last part of a name is what may stand in the answer.
        let ids = asked.iter().flat_map(|name| name.split('/'));
        let asked: Vec<&[u8]> = ids.map(str::as_bytes).collect();
        self.sweep_bytes(of, bytes, &asked, what);
    }

    fn sweep_bytes(
        &mut self,
        reader: Reader,
        bytes: &[u8],
        asked: &[&[u8]],
        what: &dyn Fn() -> String,
    ) {
        self.swept += 1;
        let leaks = self.needles.leaks(reader, bytes, asked);
        if !leaks.is_empty() {
            self.wrong.push(format!("{}: holds {leaks:?}", what()));
        }
    }
}

/// All that is logged.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a list and a follower's first look cost tells nothing of what their reader may not see.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_costs_nothing() -> Result<()> {
    let office = Office::open("Rabat Process", true).await?;
    let (public, federation) = (office.circle("public")?, office.circle("federation")?);
    for title in ["One", "Two", "Three"] {
        office.publish(title, &[public]).await?;
    }
    let token = Access::of(&office.data()).create(&[Role::Public], "reader", UnixMillis(0))?;
    let mut caller = Caller::of(&office, Some(token)).await?;
    let mut costs = Vec::new();
    for hidden in -1..5 {
        let store = office.desk().store();
        let before = store.reads();
        for method in [
            "ListRecords",
            "SearchRecords",
            "ReadRecords",
            "WatchRecords",
        ] {
            let is_last = |message: &[u8]| {
                let read = v1::WatchRecordsResponse::decode(message);
                method != "WatchRecords" || read.is_ok_and(|it| !it.cursor.is_empty())
            };
            let request = v1::WatchRecordsRequest::default();
            let method = format!("RecordService/{method}");
            let answer = caller.follow(&method, &request, is_last).await?;
            assert_eq!(answer.code, Code::Ok, "{}", answer.message);
        }
        let after = store.reads();
        // What the first of them read is kept.
        if hidden >= 0 {
            costs.push((after.rows - before.rows, after.frames - before.frames));
        }
        office
            .publish(&format!("Hidden {hidden}"), &[federation])
            .await?;
    }
    assert!(costs[0].0 > 0, "nothing was counted");
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::print_stdout, reason = "for whoever runs it with --no-capture")]
async fn everybody_sees_what_the_pages_say_and_nothing_else() -> Result<()> {
    let logged = Logged::default();
    let writer = logged.clone();
    tracing_subscriber::fmt()
        .with_env_filter("corridor_node=trace,corridor_store=trace,corridor_rules=trace")
        .with_writer(move || writer.clone())
        .init();
    let world = World::make().await?;
    let sent = (world::Circle::SENT.len() + 1) * sent::STATES.len();
    assert_eq!(world.records.len(), story::count() + sent);
    let mut matrix = Matrix {
        world: &world,
        needles: Needles::of(&world),
        cells: 0,
        swept: 0,
        wrong: Vec::new(),
    };
    api::look(&mut matrix).await?;
    finding::look(&mut matrix).await?;
    let by_api = matrix.cells;
    links::look(&mut matrix).await?;
    let (cells, swept, needles) = (matrix.cells, matrix.swept, matrix.needles.count());
    println!("{cells} cells ({by_api} by the API), {swept} answers searched, {needles} needles");
    let logged = logged.0.lock().unwrap_or_else(PoisonError::into_inner);
    let in_logs = matrix.needles.texts(&logged);
    let first: Vec<_> = matrix.wrong.iter().take(60).collect();
    assert!(
        first.is_empty(),
        "{} of {cells} are wrong: {first:#?}",
        matrix.wrong.len()
    );
    assert_eq!(
        in_logs,
        Vec::<String>::new(),
        "in {} bytes of logs",
        logged.len()
    );
    assert!(cells >= CELLS_MIN, "the matrix lost cells: {cells}");
    Ok(())
}
