//! `corridor peer evidence`: a partner that contradicted itself.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use corridor_proto::tree::leaf_hash;
use serde_json::json;

use super::fail::Failure;
use super::find::peer_id;
use super::peer::{EndArgs, EvidenceArgs};
use super::render::{count, short_name};
use super::session::Session;
use crate::shown::safe_line;
use crate::v1;

pub(super) async fn show(session: &mut Session<'_>, args: EvidenceArgs) -> Result<(), Failure> {
    let rcp = match &args.peer {
        Some(peer) => Some(peer_id(&session.peer(peer).await?)?),
        None => None,
    };
    let peers = session.client.peers().await?;
    let found = session.client.evidence(rcp).await?;
    let mut files = Vec::new();
    for one in &found {
        let file = args.save.as_deref().map(|folder| save(folder, one));
        files.push(file.transpose()?);
    }
    let printed = session.print_json(|| {
        let found = found.iter().zip(&files).map(|(one, file)| {
            json!({
                "name": one.name,
                "sentence": one.sentence,
                "restarted": one.restarted,
                "file": file,
            })
        });
        Ok(json!({ "evidence": found.collect::<Vec<_>>() }))
    })?;
    if printed {
        return Ok(());
    }
    if found.is_empty() {
        session
            .screen
            .say("No partner is known to have contradicted itself.");
        return Ok(());
    }
    for (one, file) in found.iter().zip(&files) {
        let (rcp, _) = one.name.split_once("/evidence/").unwrap_or_default();
        let peer = peers.iter().find(|peer| peer.name == rcp);
        let name = peer.map_or_else(|| short_name(rcp), |peer| safe_line(&peer.display_name));
        session.screen.data(format!("{name}: {}", one.sentence));
        if let Some(file) = file {
            session.screen.say(format!("  saved in {file}"));
        }
    }
    if files.iter().any(Option::is_some) {
        session
            .screen
            .say("Anybody can judge these files without a node: hand them to the other readers.");
    }
    if let Some(one) = found.iter().find(|one| one.restarted) {
        let (rcp, _) = one.name.split_once("/evidence/").unwrap_or_default();
        let id = short_name(rcp);
        session
            .screen
            .next(format!("corridor peer accept-restart {id}"));
    }
    Ok(())
}

/// Writes a piece of evidence to a file of its own, unless it is there, and gives its path.
fn save(folder: &Path, one: &v1::FoundEvidence) -> Result<String, Failure> {
    let (rcp, _) = one.name.split_once("/evidence/").unwrap_or_default();
    let hash = leaf_hash(&one.file).to_string();
    let short = hash.get(..12).unwrap_or(&hash);
    let path = folder.join(format!("evidence-{}-{short}.bin", short_name(rcp)));
    let failed = |source| Failure::File {
        path: path.clone(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    if !std::fs::read(&path).is_ok_and(|bytes| bytes == one.file) {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed)?;
        file.write_all(&one.file).map_err(failed)?;
    }
    Ok(path.display().to_string())
}

pub(super) async fn accept_restart(
    session: &mut Session<'_>,
    args: EndArgs,
) -> Result<(), Failure> {
    let peer = session.peer(&args.peer.peer).await?;
    let name = safe_line(&peer.display_name);
    session
        .agree(
            &format!(
                "{name} signed two histories of a circle. What either withdrew is gone; what it \
                 has not published again goes from your node once the circle goes on. Go on only \
                 if you asked by telephone what happened. Let its circles go on?"
            ),
            args.yes,
        )
        .await?;
    let circles = session.client.accept_restart(peer_id(&peer)?).await?;
    if session.print_json(|| Ok(json!({ "circles": circles })))? {
        return Ok(());
    }
    let circles = count(circles, "circle");
    session
        .screen
        .say(format!("{circles} of {name} will go on."));
    session.screen.next("corridor peer list");
    Ok(())
}
