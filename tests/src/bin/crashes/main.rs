//! Lets a real node crash again and again while it works, and looks whether it kept what it
//! promised.
//!
//! `crashes kill|power|full|sync|order|flood --node PATH [--rounds N] [--seed N]`: a node of its
//! own process publishes, revises, withdraws and drafts through its API and exchanges with a
//! partner, until at a random moment SIGKILL comes, the power is cut, the disk is full or fails to
//! sync. After each time everything acknowledged must be there, and the whole store is checked.
//! `order` looks at the calls of the system instead; `flood` has it flooded while it may open few
//! files. The last line is one JSON object.
//!
//! **Invariant:** the node is a process of the binary under test, never a mock.
#![allow(clippy::print_stdout)]

mod flood;
mod full;
mod kill;
mod order;
mod power;
mod sync;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

/// What was asked on the command line.
struct Args {
    node: PathBuf,
    rounds: u64,
    seed: u64,
}

fn args(words: &mut dyn Iterator<Item = String>) -> Result<Args> {
    let mut args = Args {
        node: PathBuf::new(),
        rounds: 100,
        seed: 1,
    };
    while let Some(word) = words.next() {
        let value = words
            .next()
            .with_context(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--node" => args.node = value.into(),
            "--rounds" => args.rounds = value.parse()?,
            "--seed" => args.seed = value.parse()?,
            _ => bail!("{word} is unknown; there are --node, --rounds and --seed"),
        }
    }
    ensure!(args.node.is_file(), "--node: the binary corridor-node");
    Ok(args)
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let how = words.next().unwrap_or_default();
    let args = args(&mut words)?;
    let summary = match how.as_str() {
        "kill" => kill::run(&args).await?,
        "power" => power::run(&args).await?,
        "flood" => flood::run(&args).await?,
        "full" => full::run(&args).await?,
        "order" => order::run(&args).await?,
        "sync" => sync::run(&args).await?,
        _ => bail!("{how:?} is unknown; there are kill, power, full, order, sync and flood"),
    };
    println!("{summary}");
    Ok(())
}
