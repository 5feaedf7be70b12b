//! The binary `corridor-node`: makes, runs and keeps one RCP's node.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod audit_command;
mod backup_command;
mod config_command;
mod drill_command;
mod init_command;
mod look_command;
mod token_command;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use corridor_node::demo;
use corridor_node::operate::config::LogFormat;
use corridor_node::operate::layers::Origin;
use corridor_node::operate::rotate;
use corridor_node::run::{Listeners, ensure_whole, start_with};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use config_command::Flags;

#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One RCP's node of the Corridor federation.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
    corridor-node demo\n  \
    corridor-node init --data /var/lib/corridor --recovery-out /media/stick/recovery.key \\\n      \
    --name en='Abu Dhabi Dialogue' --advertise node.example.org:7400\n  \
    corridor-node serve --data /var/lib/corridor"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a federation of nodes on loopback with real records.
    Demo {
        /// Only these RCPs, such as add,bali,prague.
        #[arg(long, value_delimiter = ',')]
        rcps: Vec<String>,
        /// End after convergence; the exit status says whether every node holds what it should.
        #[arg(long)]
        once: bool,
        /// Print one JSON object as the last line.
        #[arg(long)]
        json: bool,
    },
    /// Make a new node. Never overwrites anything.
    Init(init_command::Init),
    /// Run the node.
    Serve {
        /// Folder with the node's data.
        #[arg(long, env = "CORRIDOR_DATA")]
        data: PathBuf,
        #[command(flatten)]
        flags: Flags,
    },
    /// Show the configuration and where it comes from, or check it.
    #[command(subcommand)]
    Config(config_command::Command),
    /// Rehearse a loss, a rotation, a compromise or a hand-over with a copy of the node, which is
    /// overwritten in the end.
    Drill(drill_command::Drill),
    /// Say how the node does: whether it runs, its partners, its store.
    Status(look_command::Status),
    /// Say what is wrong with the node and the machine under it, and what to do, in words that can
    /// be forwarded as they are.
    #[command(after_help = look_command::DOCTOR_CODES)]
    Doctor(look_command::Doctor),
    /// Say whether the running node serves; for service managers and containers.
    #[command(after_help = look_command::HEALTH_CODES)]
    Health(look_command::Health),
    /// Check every signature, hash, root and erasure of a stopped node.
    VerifyStore {
        /// Folder with the node's data.
        #[arg(long, env = "CORRIDOR_DATA")]
        data: PathBuf,
    },
    /// Back the node up, and restore it.
    #[command(subcommand)]
    Backup(backup_command::Command),
    /// Replace the signing key of a stopped node.
    RotateKey {
        /// Folder with the node's data.
        #[arg(long, env = "CORRIDOR_DATA")]
        data: PathBuf,
        /// File with the present recovery key.
        #[arg(long)]
        recovery: PathBuf,
        /// Where to write the next recovery key.
        #[arg(long)]
        recovery_out: PathBuf,
        /// Declare the keys from this key event on compromised.
        #[arg(long)]
        compromised_since: Option<u32>,
    },
    /// Make, list and revoke access tokens.
    #[command(subcommand)]
    Token(token_command::Command),
    /// Who did what to this node, and whether that record of it is whole.
    #[command(subcommand)]
    Audit(audit_command::Command),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = match cli.command {
        Command::Demo { .. } => Some("error"),
        // Its configuration says it.
        Command::Serve { .. } => None,
        _ => Some("info"),
    };
    if let Some(level) = level {
        let filter = EnvFilter::try_from_env("CORRIDOR_LOG");
        log(
            filter.unwrap_or_else(|_| EnvFilter::new(level)),
            LogFormat::Text,
        );
    }
    match run(cli.command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("corridor-node: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes what happens to the standard error.
fn log(filter: EnvFilter, format: LogFormat) {
    let to_stderr = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => to_stderr.init(),
        LogFormat::Json => to_stderr.json().flatten_event(true).init(),
    }
}

async fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Demo { rcps, once, json } => {
            let options = demo::Options {
                rcps: rcps.into_iter().collect(),
                once,
                json,
            };
            let summary = demo::play(&options, told_to_end()).await?;
            Ok(summary.converged)
        }
        Command::Init(init) => init_command::run(init),
        Command::Serve { data, flags } => serve(data, flags).await,
        Command::Config(command) => config_command::run(command),
        Command::Drill(drill) => {
            tokio::task::spawn_blocking(move || drill_command::run(drill)).await?
        }
        Command::Status(status) => look_command::status(&status),
        Command::Doctor(doctor) => look_command::doctor(doctor).await,
        Command::Health(health) => look_command::health(health).await,
        Command::Backup(command) => {
            tokio::task::spawn_blocking(move || backup_command::run(command)).await?
        }
        Command::VerifyStore { data } => verify_store(data).await,
        Command::RotateKey {
            data,
            recovery,
            recovery_out,
            compromised_since,
        } => {
            let rotated = tokio::task::spawn_blocking(move || {
                let rotated = rotate::rotate(&data, &recovery, &recovery_out, compromised_since)?;
                audit_command::note(&data, "rotate-key", vec![format!("key event {rotated}")]);
                anyhow::Ok(rotated)
            });
            say_rotated(rotated.await??);
            Ok(true)
        }
        Command::Token(command) => token_command::run(command),
        Command::Audit(command) => audit_command::run(command),
    }
}

fn say_rotated(seq: u32) {
    println!("The signing key is now that of key event {seq}.");
    println!("Keep the new recovery key as you kept the old one, and destroy the old one.");
    println!("Backups and saved keys of before cannot be used any more: make both anew now.");
}

/// Ctrl-C, or what a service manager sends. If neither can be heard this ends at once, which is
/// safe.
async fn told_to_end() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => None,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}

async fn bind(address: SocketAddr, origin: &Origin) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen at {address} ({origin}): is this node running already, or does another \
             program have that port?"
        )
    })
}

async fn serve(data: PathBuf, flags: Flags) -> anyhow::Result<bool> {
    ensure_whole(&data)?;
    let found = flags.over_file(&data)?;
    let config = found.config;
    log(EnvFilter::try_new(&config.log)?, config.log_format);
    let from = |key| found.origins.get(key).unwrap_or(&Origin::Default);
    let listeners = Listeners {
        peers: bind(config.peer_listen, from("peer_listen")).await?,
        api: bind(config.api_listen, from("api_listen")).await?,
        metrics: match config.metrics {
            Some(place) => Some(bind(place, from("metrics")).await?),
            None => None,
        },
    };
    let mut last = 0;
    let node = start_with(&data, &config, listeners, &mut |done, all| {
        let tenth = done.saturating_mul(10) / all.max(1);
        if tenth > last && all > 64 * 1024 * 1024 {
            last = tenth;
            tracing::info!(percent = tenth * 10, "reading the journal");
        }
    })
    .await?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let four_eyes = format!("four_eyes {}", config.four_eyes);
    audit_command::note(&data, "serve", vec![version, four_eyes]);
    if let Some(why) = &node.opening.index_rebuilt {
        tracing::warn!(why, "the index was rebuilt from the journal");
    }
    if let Some(cut) = &node.opening.cut {
        tracing::warn!(
            bytes = cut.bytes,
            "a torn write was cut off; it was never acknowledged"
        );
    }
    for damage in &node.opening.damage {
        tracing::error!(
            damage,
            "the journal is damaged; run corridor-node verify-store"
        );
    }
    let (peers, api) = (config.peer_listen, config.api_listen);
    let key_event = node.desk.store().read(|view| {
        let charter = view.charter(&view.me)?;
        Some(charter.current_seq())
    });
    tracing::info!(rcp = %node.me, key_event, %peers, %api, "serving");
    told_to_end().await;
    let patience = Duration::from_secs(config.drain_seconds);
    tracing::info!(seconds = config.drain_seconds, "ending");
    tokio::select! {
        ended = node.drain(patience) => ended?,
        () = told_to_end() => {
            // What was acknowledged is durable; the index finds its way at the next start.
            tracing::warn!("told to end a second time: it ends at once");
            std::process::exit(1);
        }
    }
    Ok(true)
}

async fn verify_store(data: PathBuf) -> anyhow::Result<bool> {
    let checked = tokio::task::spawn_blocking(move || {
        let mut last = 0;
        corridor_store::verify_store(&data, &mut |done, all| {
            let tenth = done.saturating_mul(10) / all.max(1);
            if tenth > last {
                last = tenth;
                eprintln!("{} % checked", tenth * 10);
            }
        })
    });
    let report = checked.await??;
    println!(
        "Checked {} groups, {} signatures, {} lines, {} signed roots, {} texts, {} erasures and \
         {} index entries.",
        report.groups,
        report.signatures,
        report.lines,
        report.roots,
        report.bodies,
        report.erasures,
        report.entries
    );
    for note in &report.notes {
        println!("Note: {}: {}", note.place, note.what);
    }
    for finding in &report.findings {
        println!("Wrong: {}: {}", finding.place, finding.what);
    }
    match report.findings.len() {
        0 => println!("All of it is as it should be."),
        1 => println!("One thing is wrong; its line says what to do."),
        wrong => println!("{wrong} things are wrong; each line says what to do."),
    }
    Ok(report.findings.is_empty())
}
