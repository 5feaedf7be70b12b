//! Measures real nodes on loopback against what the machine can do, one JSON object a line.
//!
//! Nodes are processes of `corridor-node serve` where processor time, memory or a restart counts,
//! and run in this process where they need not. Journal, index and TLS are the real ones; folders
//! lie on a disk. **Invariant:** each figure stands beside what was measured in the same run, and
//! what could not be measured is said and does not pass.
#![allow(clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

mod again;
mod clock;
mod cold;
mod flood;
mod heal;
mod import;
mod line;
mod live;
mod load;
mod passed;
mod postgres;
mod process;
mod publish;
mod read;
mod rest;
mod site;
mod stage;
mod trip;
mod yardstick;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::Mutex;

use stage::Stage;

/// The scenarios, in the order in which all of them run.
const SCENARIOS: [&str; 18] = [
    "publish", "cold", "noop", "delta", "widen", "live", "fanout", "heal", "rtt", "relay", "flood",
    "restart", "space", "growth", "list", "bulkread", "tokens", "import",
];

/// What every scenario is told.
pub struct Bench {
    /// The binary `corridor-node`.
    node: PathBuf,
    /// Where folders of nodes are made; on a disk.
    folder: PathBuf,
    /// Records held.
    n: usize,
    /// How often each figure is measured; the median counts.
    rounds: usize,
    /// Nodes that were made, by how many records they hold.
    stages: Mutex<BTreeMap<usize, Arc<Stage>>>,
}

struct Args {
    bench: Bench,
    scenarios: Vec<String>,
    /// Removes the folder in the end.
    _made: Option<tempfile::TempDir>,
}

fn args() -> Result<Args> {
    let here = std::env::current_exe()?;
    let beside = here.parent().context("the folder of this binary")?;
    let (mut node, mut folder) = (beside.join("corridor-node"), None);
    let (mut n, mut rounds) = (100_000, 3);
    let mut scenarios = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if !word.starts_with("--") {
            ensure!(
                SCENARIOS.contains(&word.as_str()),
                "no scenario {word}; there are: {}",
                SCENARIOS.join(", ")
            );
            scenarios.push(word);
            continue;
        }
        let value = words
            .next()
            .with_context(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--node" => node = value.into(),
            "--folder" => folder = Some(PathBuf::from(value)),
            "--n" => n = value.parse()?,
            "--rounds" => rounds = value.parse()?,
            _ => bail!("{word} is unknown; there are --n, --rounds, --node and --folder"),
        }
    }
    ensure!(node.is_file(), "--node: the binary corridor-node");
    ensure!(n >= 100 && rounds > 0, "--n: 100 at least; --rounds: 1");
    if scenarios.is_empty() {
        scenarios = SCENARIOS.map(str::to_owned).to_vec();
    }
    // Beside the binary: what the system calls temporary may be memory.
    let (folder, made) = match folder {
        Some(folder) => (folder, None),
        None => {
            let made = tempfile::tempdir_in(beside)?;
            (made.path().to_owned(), Some(made))
        }
    };
    std::fs::create_dir_all(&folder)?;
    Ok(Args {
        bench: Bench {
            node,
            folder: folder.canonicalize()?,
            n,
            rounds,
            stages: Mutex::default(),
        },
        scenarios,
        _made: made,
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::from(2);
        }
    };
    let bench = &args.bench;
    let mut code = ExitCode::SUCCESS;
    for scenario in &args.scenarios {
        eprintln!("{scenario}");
        let ran = match scenario.as_str() {
            "publish" => publish::publish(bench).await,
            "cold" => cold::cold(bench).await,
            "noop" => again::noop(bench).await,
            "delta" => again::delta(bench).await,
            "widen" => again::widen(bench).await,
            "live" => live::live(bench).await,
            "fanout" => live::fanout(bench).await,
            "heal" => heal::heal(bench).await,
            "rtt" => cold::rtt(bench).await,
            "relay" => cold::relay(bench).await,
            "growth" => cold::growth(bench).await,
            "flood" => flood::flood(bench).await,
            "restart" => rest::restart(bench).await,
            "list" => read::list(bench).await,
            "bulkread" => read::bulkread(bench).await,
            "tokens" => read::tokens(bench).await,
            "import" => import::import(bench).await,
            _ => rest::space(bench).await,
        };
        if let Err(error) = ran {
            eprintln!("{scenario} could not be run: {error:#}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
