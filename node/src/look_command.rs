//! `corridor-node status`, `doctor` and `health`: they only look.

use std::path::PathBuf;

use clap::Args;
use corridor_node::edge;
use corridor_node::operate::ask;
use corridor_node::operate::doctor::{
    Check, Found, Verdict, examine, find, from_here, shown, size,
};
use corridor_node::operate::snapshot::{PeerSnapshot, Snapshot, bytes_in};
use corridor_node::operate::{backup, health::Condition};
use serde_json::json;

use super::config_command::Flags;

/// What `doctor`'s exit code says.
pub const DOCTOR_CODES: &str = "\
The exit code is 1 if something is broken, else 0. Nothing is changed; the node may be running or \
stopped.";
/// What `health`'s exit code says.
pub const HEALTH_CODES: &str = "\
The exit code is 0 if it serves, else 1. Services are those of the node's .proto files, and \
corridor.writes and corridor.signs.";

/// Words that name a proxy in an environment.
const PROXIES: [&str; 3] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];

#[derive(Args)]
pub struct Status {
    /// Folder with the node's data.
    #[arg(long, env = "CORRIDOR_DATA")]
    data: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct Doctor {
    /// Folder with the node's data.
    #[arg(long, env = "CORRIDOR_DATA")]
    data: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Args)]
pub struct Health {
    /// Folder with the node's data.
    #[arg(long, env = "CORRIDOR_DATA")]
    data: PathBuf,
    /// Of which service; of the whole node without it.
    #[arg(long, default_value = "")]
    service: String,
    #[command(flatten)]
    flags: Flags,
}

/// Says whether the running node serves.
pub async fn health(health: Health) -> anyhow::Result<bool> {
    let config = health.flags.over_file(&health.data)?.config;
    let place = from_here(config.api_listen);
    match ask::health(&health.data, place, &health.service).await {
        Ok(serves) => {
            println!("{}", if serves { "SERVING" } else { "NOT_SERVING" });
            Ok(serves)
        }
        Err(why) => anyhow::bail!("the node at {place} cannot be asked: {why}"),
    }
}

/// Looks at everything.
pub async fn doctor(doctor: Doctor) -> anyhow::Result<bool> {
    let config = doctor.flags.over_file(&doctor.data);
    let config = config.map_err(|error| format!("{error:#}"));
    let environment = std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        let is_one = PROXIES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy));
        is_one.then_some((name, value))
    });
    let proxy: Vec<_> = environment.collect();
    let now = edge::now();
    let checks = examine(&doctor.data, config, &proxy, now).await;
    let count = |verdict| {
        checks
            .iter()
            .filter(|check| check.verdict == verdict)
            .count()
    };
    let (look, broken) = (count(Verdict::Look), count(Verdict::Broken));
    if doctor.json {
        let all = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "at_ms": now.0,
            "data": doctor.data,
            "look": look,
            "broken": broken,
            "checks": checks,
        });
        println!("{all}");
    } else {
        println!(
            "Corridor node {} in {}, looked at on {}.\n",
            env!("CARGO_PKG_VERSION"),
            doctor.data.display(),
            shown(now.0)
        );
        checks.iter().for_each(say);
        println!("\n{}", sum(look, broken));
    }
    Ok(broken == 0)
}

fn say(check: &Check) {
    println!(
        "{:<7} {:<14} {}",
        check.verdict.word(),
        check.check,
        check.evidence
    );
    if !check.remedy.is_empty() {
        println!("{:22} {}", "", check.remedy);
    }
}

fn sum(look: usize, broken: usize) -> String {
    let things = |n: usize| match n {
        1 => "1 thing".to_owned(),
        n => format!("{n} things"),
    };
    match (look, broken) {
        (0, 0) => "All of it is fine.".to_owned(),
        (look, 0) => format!("Nothing is broken; look at {}.", things(look)),
        (0, broken) => format!("Broken: {}.", things(broken)),
        (look, broken) => format!("Broken: {}; look at {} more.", things(broken), things(look)),
    }
}

/// Says how the node does, on one screen.
pub fn status(status: &Status) -> anyhow::Result<bool> {
    let now = edge::now();
    let found = find(&status.data, now);
    let peers = found.peers(now);
    let (is_running, said) = match &found {
        Found::Running(said) => (true, said.as_deref()),
        Found::Stopped(_) => (false, None),
        Found::Unreadable(why) => anyhow::bail!("the node cannot be looked at: {why}"),
    };
    let is_whole = said.is_some_and(|said| said.condition.is_whole() && !said.ends);
    if status.json {
        let all = json!({ "running": is_running, "node": said, "peers": peers });
        println!("{all}");
        return Ok(is_whole);
    }
    match (&found, said) {
        (_, Some(said)) => say_running(said),
        (Found::Stopped(model), _) => {
            println!("The node {} is stopped.", model.me);
            let why = model.signing_stopped.as_deref();
            why.iter()
                .for_each(|code| println!("It signs nothing: {code}."));
        }
        _ => println!("A process has the folder open and says nothing of itself; see its log."),
    }
    say_peers(&peers);
    say_store(status, said);
    if !is_running {
        println!("Next: corridor-node serve --data {}", status.data.display());
    } else if !is_whole {
        println!(
            "Next: corridor-node doctor --data {}",
            status.data.display()
        );
    }
    Ok(is_whole)
}

fn say_running(said: &Snapshot) {
    println!("{} ({})", said.name, said.rcp);
    let since = shown(said.started_ms);
    println!(
        "Runs version {} since {since}, process {}.",
        said.version, said.pid
    );
    if said.ends {
        println!("It ends, and takes no new call.");
    }
    let Condition {
        no_writing,
        no_signing,
        no_exchange,
    } = &said.condition;
    let whys = [
        ("Nothing can be written", no_writing),
        ("Nothing is signed", no_signing),
        ("Nothing is exchanged with partners", no_exchange),
    ];
    for (what, why) in whys {
        why.iter().for_each(|why| println!("{what}: {why}."));
    }
    if said.condition.is_whole() {
        println!("It writes, signs and talks with partners.");
    }
}

fn say_peers(peers: &[PeerSnapshot]) {
    if peers.is_empty() {
        println!("\nNo partners yet.");
        return;
    }
    println!("\nPartners:");
    let width = peers
        .iter()
        .map(|peer| peer.label.chars().count())
        .max()
        .unwrap_or(0);
    for peer in peers {
        println!(
            "  {:width$}  {:<8}  {}",
            peer.label, peer.state, peer.sentence
        );
        if peer.unacknowledged > 0 {
            println!(
                "  {:width$}  {:<8}  Withdrawals not confirmed: {}.",
                "", "", peer.unacknowledged
            );
        }
    }
}

fn say_store(status: &Status, said: Option<&Snapshot>) {
    let folder = |name| bytes_in(&status.data.join(name));
    let free = corridor_store::free_bytes(&status.data);
    let free = free.map_or_else(|| "an unknown room".to_owned(), size);
    let (journal, index) = (size(folder("journal")), size(folder("index")));
    println!("\nStore: journal {journal}, index {index}, {free} free.");
    let kept_out = said
        .and_then(|said| said.quarantined)
        .filter(|count| *count > 0);
    kept_out
        .iter()
        .for_each(|count| println!("Kept out: {count} texts of partners."));
    match backup::last(&status.data) {
        Some(last) => println!("Last backup: {}.", shown(last.0)),
        None => println!("No backup was ever made."),
    }
}
