//! Goes on for as long as asked: simulated worlds with faults, one after the other, and a real node
//! that is killed again and again beside them.
//!
//! `soak --node PATH [--minutes N] [--seed N]`. Every world comes to rest and is checked whole:
//! nothing lost, nothing leaked in any byte of any frame or store, the same everywhere. Progress
//! goes to stderr; the last line is one JSON object. **Invariant:** a run in which no fault
//! happened has failed, and so has one with a violation; its seed replays it.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, reason = "it goes on until a time")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use corridor_tests::sim::run::{BYTES_CHECKED, SIMULATED_MS, grown, plan_of, run};
use serde_json::{Value, json};

/// What an enemy or an accident does, as the simulation counts it.
const FAULTS: [&str; 12] = [
    "copy stopped",
    "crash",
    "crash after the desk",
    "crash before durable",
    "crash before outputs leave",
    "cut",
    "decision lost in a crash",
    "equivocation",
    "partition",
    "repeat",
    "set back",
    "swap",
];
/// One world of so many is large.
const LARGE_EVERY: u64 = 25;
/// Kills between two looks at the clock.
const KILLS: u64 = 5;
const PROGRESS: Duration = Duration::from_secs(20);

struct Args {
    node: PathBuf,
    minutes: u64,
    seed: u64,
}

fn args() -> Result<Args> {
    let mut args = Args {
        node: PathBuf::new(),
        minutes: 1,
        seed: 1_000,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next();
        let value = value.with_context(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--node" => args.node = value.into(),
            "--minutes" => args.minutes = value.parse()?,
            "--seed" => args.seed = value.parse()?,
            _ => bail!("{word} is unknown; there are --node, --minutes and --seed"),
        }
    }
    ensure!(args.node.is_file(), "--node: the binary corridor-node");
    Ok(args)
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    counts: Mutex<BTreeMap<&'static str, u64>>,
    worlds: AtomicU64,
    kills: AtomicU64,
    failed: Mutex<Vec<u64>>,
}

impl Seen {
    fn count(&self, what: &str) -> u64 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(what).copied().unwrap_or(0)
    }

    fn fail(&self, seed: u64) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.push(seed);
    }

    fn failed(&self) -> Vec<u64> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.clone()
    }

    fn world(&self, seed: u64) {
        let is_large = seed.is_multiple_of(LARGE_EVERY);
        let plan = if is_large { grown(seed) } else { plan_of(seed) };
        match catch_unwind(AssertUnwindSafe(|| run(plan))) {
            Ok(counts) => {
                let mut sum = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
                for (what, times) in counts {
                    *sum.entry(what).or_default() += times;
                }
            }
            Err(_) => self.fail(seed),
        }
        self.worlds.fetch_add(1, Ordering::Relaxed);
    }
}

/// Kills a real node a few times, and looks whether it kept what it promised.
fn kill(args: &Args, seed: u64) -> Result<u64> {
    let crashes = std::env::current_exe()?.with_file_name("crashes");
    let mut command = Command::new(crashes);
    command.arg("kill").arg("--node").arg(&args.node);
    command.args(["--rounds", &KILLS.to_string(), "--seed", &seed.to_string()]);
    let done = command.output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "seed {seed}: {said}");
    let said = String::from_utf8_lossy(&done.stdout);
    let last: Value = serde_json::from_str(said.lines().last().unwrap_or_default())?;
    last["kills"].as_u64().context("no number of kills")
}

fn soak(args: &Args) -> Value {
    let seen = Seen::default();
    let end = Instant::now() + Duration::from_secs(args.minutes.saturating_mul(60));
    let next = AtomicU64::new(args.seed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < end {
                seen.world(next.fetch_add(1, Ordering::Relaxed));
            }
        });
        scope.spawn(|| {
            let mut seed = args.seed;
            while Instant::now() < end {
                seed += 1;
                match kill(args, seed) {
                    Ok(kills) => {
                        seen.kills.fetch_add(kills, Ordering::Relaxed);
                    }
                    Err(error) => {
                        eprintln!("a kill: {error:#}");
                        seen.fail(seed);
                    }
                }
            }
        });
        let mut told = Instant::now();
        while Instant::now() < end {
            std::thread::park_timeout(Duration::from_millis(200));
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                let left = end.saturating_duration_since(told).as_secs();
                let (worlds, kills) = (&seen.worlds, &seen.kills);
                let (worlds, kills) = (
                    worlds.load(Ordering::Relaxed),
                    kills.load(Ordering::Relaxed),
                );
                let failed = seen.failed().len();
                eprintln!("{worlds} worlds, {kills} kills, {failed} violations, {left} s to go");
            }
        }
    });
    let faults = FAULTS.map(|what| (what, seen.count(what)));
    let faults: BTreeMap<_, _> = faults.into_iter().collect();
    let failed = seen.failed();
    #[allow(clippy::cast_precision_loss)]
    let hours = seen.count(SIMULATED_MS) as f64 / 3_600_000.0;
    json!({
        "simulated_hours": (hours * 100.0).round() / 100.0,
        "faults": faults,
        "kills": seen.kills.load(Ordering::Relaxed),
        "bytes_checked": seen.count(BYTES_CHECKED),
        "violations": failed.len(),
        "seeds": {
            "first": args.seed,
            "worlds": seen.worlds.load(Ordering::Relaxed),
            "failed": failed,
        },
    })
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(error) => {
            eprintln!("soak: {error:#}");
            return ExitCode::from(2);
        }
    };
    let summary = soak(&args);
    println!("{summary}");
    let faults = summary["faults"].as_object();
    let happened = faults.is_some_and(|faults| faults.values().any(|n| n.as_u64() > Some(0)));
    if summary["violations"] == 0 && happened && summary["kills"].as_u64() > Some(0) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
