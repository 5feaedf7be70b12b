//! A federation on loopback with real records: one node for each RCP that has some.
//!
//! [`script`] says who publishes what to whom, and from that alone who must hold what; [`stage`]
//! brings the nodes up and [`acts`] plays the script on them; [`check`] compares every store with
//! the script; [`report`] and [`journey`] tell of it. It stands on `run` and `desk` as any other
//! caller. **Invariant:** what must be held is computed from the script and never asked of a node.

pub mod acts;
pub mod check;
pub mod journey;
pub mod records;
pub mod report;
pub mod script;
pub mod stage;

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;

use serde::Serialize;

use script::Script;
use stage::Stage;

/// What the demonstration is asked to do.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these RCPs, by their short names; empty for all that have records.
    pub rcps: BTreeSet<String>,
    /// End after convergence.
    pub once: bool,
    /// Print one JSON object as the last line.
    pub json: bool,
}

/// Why the demonstration could not be held.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The records that it plays.
    #[error(transparent)]
    Data(#[from] records::DemoDataError),
    /// An RCP that has no records.
    #[error("{0:?} has no records in the demonstration; choose among: {1}")]
    NoRecords(String, String),
    /// A node could not be made or started.
    #[error(transparent)]
    Init(#[from] crate::operate::init::InitError),
    /// A node refused what the script asks.
    #[error(transparent)]
    Desk(#[from] crate::desk::DeskError),
    /// A node's store.
    #[error(transparent)]
    Store(#[from] corridor_store::StoreError),
    /// A file or socket.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It did not become quiet in time.
    #[error("the federation did not become quiet within {0} seconds: {1}")]
    NotQuiet(u64, String),
    /// It was ended before every node held what is due.
    #[error("ended before every node held what is due; nothing is left of it")]
    Ended,
}

/// What the demonstration came to.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Nodes.
    pub nodes: usize,
    /// Records published, each counted once.
    pub records_published: usize,
    /// Records of others held, over all nodes.
    pub records_received: usize,
    /// Records withdrawn.
    pub withdrawn: usize,
    /// Whether every node holds exactly what the script says.
    pub converged: bool,
    /// Records held by a node that is not entitled to them.
    pub leaks: usize,
    /// Records that an entitled node lacks.
    pub missing: usize,
    /// From the first key to the last receipt.
    pub seconds: f64,
}

/// Plays the demonstration. With `once` it ends by itself, otherwise when `end` resolves, which may
/// be at any time. However it ends, its nodes are stopped and its folder, with their keys, is gone.
///
/// # Errors
/// [`DemoError`].
pub async fn play(
    options: &Options,
    end: impl Future<Output = ()> + Send,
) -> Result<Summary, DemoError> {
    let script = Script::new(&options.rcps)?;
    let name = format!("corridor-demo-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    play_on(Stage::empty(), &folder, &script, options, end).await
}

async fn play_on(
    mut stage: Stage,
    folder: &Path,
    script: &Script,
    options: &Options,
    end: impl Future<Output = ()> + Send,
) -> Result<Summary, DemoError> {
    let mut end = pin!(end);
    let played = tokio::select! {
        // The end first: it must be listened for before there is anything to remove.
        biased;
        () = &mut end => Err(DemoError::Ended),
        played = perform(&mut stage, folder, script, options) => played,
    };
    if played.is_ok() && !options.once {
        report::invite(&stage);
        end.await;
        report::say("Ending the demonstration.");
    }
    let ended = stage.end().await;
    let summary = played?;
    ended?;
    Ok(summary)
}

async fn perform(
    stage: &mut Stage,
    folder: &Path,
    script: &Script,
    options: &Options,
) -> Result<Summary, DemoError> {
    stage.build(folder, script).await?;
    let summary = stage.play(script).await?;
    report::print(stage, script, &summary)?;
    if options.json {
        report::json(&summary);
    }
    Ok(summary)
}

#[cfg(test)]
mod tests;
