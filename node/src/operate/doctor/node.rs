//! The node: whether it runs, what it can do, how its partners stand, and its clock.

use std::path::Path;
use std::time::UNIX_EPOCH;

use corridor_proto::UnixMillis;
use corridor_rules::{Model, PeerState};
use corridor_store::{is_in_use, look};

use super::{Check, shown};
use crate::operate::snapshot::{self, PeerSnapshot, Snapshot};
use crate::status::{Seen, Status};

/// A running node writes its status down every five seconds; one that did not for so long hangs.
const STATUS_LATE_MS: u64 = 60_000;
/// Clocks that differ by less do no harm.
const SKEW_MS: u64 = 5 * 60_000;
const DAY_MS: u64 = 24 * 3_600_000;

/// How a node was found.
pub enum Found {
    /// It runs, and says this of itself; nothing if it does not.
    Running(Option<Box<Snapshot>>),
    /// It is stopped, and its store says this.
    Stopped(Box<Model>),
    /// There is none, or its store cannot be read: in words.
    Unreadable(String),
}

/// Finds out whether a node runs, and what is known of it.
pub fn find(data: &Path, now: UnixMillis) -> Found {
    match is_in_use(data) {
        Ok(true) => {
            let said = snapshot::read(data);
            let said = said.filter(|said| now.since(UnixMillis(said.at_ms)) < STATUS_LATE_MS);
            Found::Running(said.map(Box::new))
        }
        Ok(false) => match look(data) {
            Ok(model) => Found::Stopped(Box::new(model)),
            Err(error) => Found::Unreadable(error.to_string()),
        },
        Err(error) => Found::Unreadable(format!("its lock cannot be read: {error}")),
    }
}

impl Found {
    /// How the partners stand, as far as that is known.
    pub fn peers(&self, now: UnixMillis) -> Vec<PeerSnapshot> {
        match self {
            Self::Running(Some(said)) => said.peers.clone(),
            Self::Stopped(model) => {
                let rcps = model.peers.keys();
                rcps.filter_map(|rcp| stopped_peer(model, rcp, now))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

fn stopped_peer(
    model: &Model,
    rcp: &corridor_proto::RcpId,
    now: UnixMillis,
) -> Option<PeerSnapshot> {
    let peer = model.peers.get(rcp)?;
    let met = Some(peer.met).filter(|met| met.0 > 0);
    let status = Status {
        last_seen: met,
        trouble: Some("this node is stopped".to_owned()),
        ..Status::default()
    };
    let seen = Seen::of_peer(model, rcp, now)?;
    Some(PeerSnapshot {
        rcp: rcp.to_string(),
        label: snapshot::label(model, rcp),
        state: peer.state.word().to_owned(),
        sentence: status.sentence(&seen),
        connected: false,
        last_success_ms: met.map(|at| at.0),
        behind: 0,
        unacknowledged: 0,
        brake_until_ms: seen.delayed.map(|until| until.0),
        addresses: snapshot::addresses(model, rcp),
    })
}

/// Whether it runs and does all that a node does; and each partner.
pub fn checks(found: &Found, now: UnixMillis) -> Vec<Check> {
    let mut checks = match found {
        Found::Running(Some(said)) => running(said),
        Found::Running(None) => vec![Check::broken(
            "node",
            "A process has the data folder open and has said nothing of itself for a minute.",
            "Look at its log; if it hangs, stop it and start it again.",
        )],
        Found::Stopped(model) => {
            let start = "Start it: corridor-node serve, or by the service manager.";
            let mut checks = vec![
                Check::look("node", "It is stopped.", start),
                Check::fine(
                    "store",
                    "Its journal can be read from its beginning to its end.",
                ),
            ];
            checks.extend(model.signing_stopped.as_deref().map(signs_nothing));
            checks
        }
        Found::Unreadable(why) => vec![Check::broken(
            "store",
            why.clone(),
            "If this is the right folder, run corridor-node verify-store, which names what is \
             damaged; else name the right one.",
        )],
    };
    checks.extend(found.peers(now).iter().map(|peer| partner(peer, found)));
    checks
}

fn running(said: &Snapshot) -> Vec<Check> {
    let since = shown(said.started_ms);
    let evidence = format!("It runs since {since} (process {}).", said.pid);
    let mut checks = vec![Check::fine("node", evidence)];
    match &said.condition.no_writing {
        Some(why) => checks.push(Check::broken(
            "store",
            format!("Nothing can be written: {why}."),
            "Free space on the disk, or mend what is damaged, then start the node again.",
        )),
        None => checks.push(Check::fine("store", "It is open and can be written to.")),
    }
    checks.extend(said.condition.no_signing.as_deref().map(signs_nothing));
    if let Some(why) = &said.condition.no_exchange {
        checks.push(Check::broken(
            "exchange",
            format!("Nothing is exchanged with partners: {why}."),
            "Mend what the other lines say, then start the node again.",
        ));
    }
    checks
}

fn signs_nothing(code: &str) -> Check {
    let what = "Read \"When a node stops signing\" in SECURITY.md before anything else is done.";
    Check::broken("signing", format!("It signs nothing: {code}."), what)
}

fn partner(peer: &PeerSnapshot, found: &Found) -> Check {
    let open = match peer.unacknowledged {
        0 => String::new(),
        1 => " It has not confirmed one withdrawal.".to_owned(),
        n => format!(" It has not confirmed {n} withdrawals."),
    };
    let evidence = format!("{} ({}): {}{open}", peer.label, peer.state, peer.sentence);
    let is_state = |state: PeerState| peer.state == state.word();
    let is_ended = is_state(PeerState::Paused) || is_state(PeerState::Left);
    let is_quiet = matches!(found, Found::Running(_)) && peer.connected && open.is_empty();
    if is_state(PeerState::Pending) {
        let remedy =
            "The two offices compare the safety number by telephone: corridor peer safety.";
        Check::look("partner", evidence, remedy)
    } else if peer.brake_until_ms.is_some() {
        Check::look("partner", evidence, "Telephone the partner now.")
    } else if is_quiet || is_ended || matches!(found, Found::Stopped(_)) {
        Check::fine("partner", evidence)
    } else {
        let remedy = "Wait an hour; if it stays so, telephone the partner's office.";
        Check::look("partner", evidence, remedy)
    }
}

/// The clock, against what was written before and what partners signed: no server is asked.
pub fn clock(data: &Path, found: &Found, now: UnixMillis) -> Check {
    let remedy = "Ask IT to set the clock of this machine by a time service (NTP).";
    if let Some((file, at)) = newest(data).filter(|(_, at)| *at > now.plus(SKEW_MS).0) {
        let (at, now) = (shown(at), shown(now.0));
        let what = format!("The clock says {now}, but {file} was written at {at}: it went back.");
        return Check::broken("clock", what, remedy);
    }
    let met = found.peers(now);
    let met = met
        .iter()
        .filter_map(|peer| Some((peer.last_success_ms?, &peer.label)));
    if let Some((at, label)) = met.max().filter(|(at, _)| *at > now.plus(SKEW_MS).0) {
        let (at, now) = (shown(at), shown(now.0));
        let what = format!("The clock says {now}, but {label} was met at {at}: it went back.");
        return Check::broken("clock", what, remedy);
    }
    let synced = Path::new("/run/systemd/timesync/synchronized").exists();
    let by = if synced {
        ", and a time service keeps it"
    } else {
        ""
    };
    let now = shown(now.0);
    Check::fine(
        "clock",
        format!("It says {now}{by}; nothing here is of a later time."),
    )
}

/// The newest of the files that a node writes, and when.
fn newest(data: &Path) -> Option<(String, u64)> {
    let journal = std::fs::read_dir(data.join("journal"))
        .into_iter()
        .flatten();
    let written = journal.flatten().map(|entry| entry.path());
    let all = written.chain([snapshot::path(data)]);
    let times = all.filter_map(|path| {
        let at = path
            .metadata()
            .ok()?
            .modified()
            .ok()?
            .duration_since(UNIX_EPOCH)
            .ok()?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((u64::try_from(at.as_millis()).ok()?, name))
    });
    times.max().map(|(at, name)| (name, at))
}

/// Days from now until a time; nothing if it is over.
pub fn days_until(end_ms: u64, now: UnixMillis) -> Option<u64> {
    end_ms.checked_sub(now.0).map(|left| left / DAY_MS)
}
