//! `corridor recover`: a node that stopped signing, because its folder may be older than what was
//! signed in its name, comes back.

use clap::{Args, Subcommand};
use serde_json::json;

use super::fail::Failure;
use super::render::{count, count_of, list_json, short_name, title};
use super::session::Session;
use super::status;
use crate::body::message_json;
use crate::v1;

pub(super) const EXAMPLES: &str = "Examples:
  corridor recover status            what was collected from whom, and what to do next
  corridor recover copy-is-gone      after you made sure that no other copy runs
  corridor recover sign              go on with what is here by now
  corridor recover show              show what a backup had of partners that stay silent
  corridor recover void              what went missing: share again what should stand";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Says why nothing is signed, which partners gave back what they hold, and what to do
    #[command(before_help = "Examples:\n  corridor recover status")]
    Status,
    /// Says that no other copy of this node runs any more
    #[command(before_help = "Examples:\n  corridor recover copy-is-gone\n  \
        corridor recover copy-is-gone --yes")]
    CopyIsGone(YesArgs),
    /// Signs again: every circle goes on behind what is here by now
    #[command(before_help = "Examples:\n  corridor recover sign\n  corridor recover sign --yes")]
    Sign(YesArgs),
    /// Shows what a backup had of partners, though they did not say that it is still theirs
    #[command(before_help = "Examples:\n  corridor recover show\n  corridor recover show --yes")]
    Show(YesArgs),
    /// Lists what partners held and no circle has any more
    #[command(before_help = "Examples:\n  corridor recover void")]
    Void,
}

#[derive(Debug, Args)]
pub(super) struct YesArgs {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(session: &mut Session<'_>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Status => say_status(session).await,
        Command::CopyIsGone(args) => copy_is_gone(session, &args).await,
        Command::Sign(args) => sign(session, &args).await,
        Command::Show(args) => show(session, &args).await,
        Command::Void => void(session).await,
    }
}

async fn say_status(session: &mut Session<'_>) -> Result<(), Failure> {
    let node = session.node().await?;
    let mut peers = session.client.peers().await?;
    let gives = [v1::PeerState::Active, v1::PeerState::Paused];
    peers.retain(|peer| gives.contains(&peer.state()));
    let given = |peer: &v1::Peer| peer.connected && peer.up_to_date;
    let printed = session.print_json(|| {
        let names = |wanted: bool| {
            let peers = peers.iter().filter(|peer| given(peer) == wanted);
            peers.map(|peer| peer.name.clone()).collect::<Vec<_>>()
        };
        Ok(json!({
            "signingStopped": node.signing_stopped,
            "anotherCopy": node.another_copy,
            "collectedFrom": names(true),
            "notYetFrom": names(false),
        }))
    })?;
    if printed {
        return Ok(());
    }
    let screen = &mut *session.screen;
    let Some(why) = &node.signing_stopped else {
        screen.data("This node signs. There is nothing to recover.");
        screen.next("corridor recover void");
        return Ok(());
    };
    screen.data(format!("Nothing is signed: {}", status::stopped(why)));
    let rows = peers.iter().map(|peer| {
        let state = if given(peer) {
            "has given back all that it holds of yours"
        } else {
            "has not given back what it holds of yours"
        };
        vec![
            format!("  {}", peer.display_name),
            short_name(&peer.name),
            state.to_owned(),
        ]
    });
    screen.table(&rows.collect::<Vec<_>>());
    screen.next(match why.as_str() {
        "KEYS_PREDATE_A_ROTATION" | "CHARTER_FORKED" => {
            "SECURITY.md, \"When a node stops signing\": this cannot be mended from this folder"
        }
        _ if node.another_copy => {
            "corridor recover copy-is-gone, once you made sure of it; until then nobody is met"
        }
        _ => "corridor recover sign, once all that you can reach have given back",
    });
    Ok(())
}

async fn copy_is_gone(session: &mut Session<'_>, args: &YesArgs) -> Result<(), Failure> {
    session
        .agree(
            "If another copy of this node still runs, two nodes will speak in your name, and your \
             partners will see them contradict each other. Is it gone for good?",
            args.yes,
        )
        .await?;
    session.client.disown_copy().await?;
    if session.print_json(|| Ok(json!({ "disowned": true })))? {
        return Ok(());
    }
    session
        .screen
        .say("Noted. Your partners now give back what they hold of yours.");
    session.screen.next("corridor recover status");
    Ok(())
}

async fn sign(session: &mut Session<'_>, args: &YesArgs) -> Result<(), Failure> {
    if !args.yes && !session.json {
        say_who_reads(session).await?;
    }
    session
        .agree(
            "What partners hold that have not given it back will stand in your circles no more: \
             you will find it listed, and can share it again. Who reads what is as it was when \
             this folder was saved: whoever was removed, paused or left since reads again. Sign \
             from now on?",
            args.yes,
        )
        .await?;
    let restarted = session.client.restart_logs().await?;
    if session.print_json(|| Ok(json!({ "restarted": restarted })))? {
        return Ok(());
    }
    session.screen.say(format!(
        "This node signs again; {} went on.",
        count(restarted, "circle")
    ));
    session.screen.next("corridor recover void");
    Ok(())
}

/// Lists and states of partners went back with the folder: a person looks at them before anything
/// leaves again.
async fn say_who_reads(session: &mut Session<'_>) -> Result<(), Failure> {
    let circles = session.client.circles().await?;
    let peers = session.client.peers().await?;
    let screen = &mut *session.screen;
    screen.say("Partners and circles, as this folder has them:");
    screen.table(&peers.iter().map(status::row).collect::<Vec<_>>());
    let rows = circles.iter().map(|circle| {
        let readers = circle.readers.iter().map(|reader| {
            let peer = peers.iter().find(|peer| peer.name == reader.rcp);
            peer.map_or_else(|| short_name(&reader.rcp), |peer| peer.display_name.clone())
        });
        let readers: Vec<String> = readers.collect();
        vec![format!("  {}", circle.display_name), readers.join(", ")]
    });
    screen.table(&rows.collect::<Vec<_>>());
    screen.next("corridor circle remove, corridor peer pause: first, where this is out of date");
    Ok(())
}

async fn show(session: &mut Session<'_>, args: &YesArgs) -> Result<(), Failure> {
    session
        .agree(
            "What partners withdrew after the backup was made may be among it, and will be shown \
             as if it stood. Show it?",
            args.yes,
        )
        .await?;
    let circles = session.client.show_uncompared().await?;
    if session.print_json(|| Ok(json!({ "circles": circles })))? {
        return Ok(());
    }
    let circles = count(circles, "circle");
    session
        .screen
        .say(format!("{circles} shown as the backup had them."));
    Ok(())
}

async fn void(session: &mut Session<'_>) -> Result<(), Failure> {
    let versions = session.client.void_versions().await?;
    if session.print_json(|| Ok(json!({ "versions": list_json(&versions, version_json)? })))? {
        return Ok(());
    }
    let screen = &mut *session.screen;
    if versions.is_empty() {
        screen.say(
            "Nothing is missing of what your partners have given back so far; those that you have \
             not met since may hold more.",
        );
        return Ok(());
    }
    screen.data(format!(
        "{} stood in circles and stand there no more:",
        count_of(&versions, "record version")
    ));
    let rows = versions.iter().map(|one| {
        let text = if one.held {
            format!("{}, {}", one.kind, title(&one.title))
        } else {
            "its text was not given back".to_owned()
        };
        let id = short_name(&one.name);
        vec![format!("  {id}"), text, one.circles.join(", ")]
    });
    screen.table(&rows.collect::<Vec<_>>());
    if let Some(one) = versions.iter().find(|one| one.held) {
        let (id, circle) = (short_name(&one.name), one.circles.first());
        let circle = circle.map_or("CIRCLE", String::as_str);
        screen.next(format!("corridor record share {id} --circle {circle}"));
    }
    Ok(())
}

fn version_json(one: &v1::VoidVersion) -> Result<serde_json::Value, Failure> {
    Ok(message_json("VoidVersion", one)?)
}
