//! The command line tool `corridor`.

use std::process::ExitCode;

use anyhow::Context;
use corridor_client::cli::{self, Screen};

fn main() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the program cannot be started on this machine")?;
    let code = runtime.block_on(cli::run(std::env::args_os(), Screen::system()));
    // A question that nobody answered may still wait for a line: it must not hold up the end.
    runtime.shutdown_background();
    Ok(ExitCode::from(code))
}
