//! What the demonstration prints, for a person.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;

use corridor_proto::RecordId;
use corridor_proto::tree::leaf_hash;
use corridor_rules::Rows;
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;

use super::script::{DRAFTED, JOURNEY, NARROWED, PRIVATE, REVISED, Script, WIDENED, WITHDRAWN};
use super::stage::{Actor, Stage};
use super::{DemoError, Summary};
use crate::desk;
use crate::edge;

/// Says one sentence.
pub fn say(sentence: &str) {
    println!("{sentence}");
}

/// The summary as one line of JSON.
pub fn json(summary: &Summary) {
    if let Ok(line) = serde_json::to_string(summary) {
        println!("{line}");
    }
}

/// Who holds what, from whom and why; and the journey of one record.
///
/// # Errors
/// [`DemoError::Store`] if a store cannot be read.
pub fn print(stage: &Stage, script: &Script, summary: &Summary) -> Result<(), DemoError> {
    println!();
    println!(
        "The records were written from public sources; the processes named did not publish them."
    );
    holdings(stage)?;
    reasons(stage, script);
    if let Some(lines) = journey(stage, script) {
        println!("\nThe journey of one record\n");
        lines.iter().for_each(|line| println!("  {line}"));
    }
    println!(
        "\n{} nodes, {} records published, {} copies held by others, {} withdrawn, {} held without \
         right, {} missing, {:.1} s.\n",
        summary.nodes,
        summary.records_published,
        summary.records_received,
        summary.withdrawn,
        summary.leaks,
        summary.missing,
        summary.seconds
    );
    Ok(())
}

/// A row a node: what it holds, by the circle that gives it.
fn holdings(stage: &Stage) -> Result<(), DemoError> {
    println!("\nWho holds what: own records, and those received by the circle that gives them\n");
    println!(
        "  {:<22} {:>4} {:>8} {:>7} {:>11} {:>10} {:>9} {:>8}",
        "", "own", "received", "public", "federation", "observers", "drafting", "private"
    );
    for actor in stage.actors.values() {
        let row = actor.node.desk.store().read(|view| {
            let mut count: BTreeMap<String, usize> = BTreeMap::new();
            for (key, row) in view.rows(None) {
                let held = |stand: &corridor_rules::row::Stand| {
                    row.lives(stand) && row.body(&stand.version_hash).is_some()
                };
                let Some(stand) = row.stands.iter().find(|stand| held(stand)) else {
                    continue;
                };
                let column = match view.logs.get(&stand.log) {
                    _ if key.rcp == view.me => "own",
                    Some(log) if log.sort == corridor_rules::Sort::Public => "public",
                    Some(log) if log.name.is_empty() => "private",
                    Some(log) if log.name.ends_with("drafting") => "drafting",
                    Some(log) => log.name.as_str(),
                    None => continue,
                };
                *count.entry(column.to_owned()).or_default() += 1;
            }
            Ok::<_, corridor_store::StoreError>(count)
        })?;
        let of = |column: &str| row.get(column).copied().unwrap_or(0);
        let received: usize = row
            .iter()
            .filter(|(c, _)| *c != "own")
            .map(|(_, n)| n)
            .sum();
        println!(
            "  {:<22} {:>4} {:>8} {:>7} {:>11} {:>10} {:>9} {:>8}",
            actor.acronym,
            of("own"),
            received,
            of("public"),
            of("federation"),
            of("observers"),
            of("drafting"),
            of("private")
        );
    }
    Ok(())
}

/// Why some may read a record and others may not, as the owner's node explains it.
fn reasons(stage: &Stage, script: &Script) {
    println!(
        "\nWhy, as the owner's node explains it: a partner that may read it, and one that may not\n"
    );
    for (id, what) in [
        (DRAFTED, "in a drafting circle"),
        (PRIVATE.0, "for one partner"),
        (WIDENED, "shared wider later"),
        (REVISED, "revised"),
        (NARROWED, "shared narrower"),
        (WITHDRAWN, "withdrawn"),
    ] {
        let Some((owner, key)) = owner(stage, script, id) else {
            continue;
        };
        println!("  {id} ({}, {what})", owner.acronym);
        let mut told = [false; 2];
        for other in stage.actors.values().filter(|other| other.rcp != owner.rcp) {
            let why = owner
                .node
                .desk
                .store()
                .read(|view| desk::explain(view, &key, other.rcp, edge::now()));
            let Some(why) = why else { continue };
            let slot = &mut told[usize::from(why.version.is_some())];
            if !std::mem::replace(slot, true) {
                println!("    {:<20} {}", other.acronym, why.sentence);
            }
        }
    }
}

fn owner<'a>(stage: &'a Stage, script: &Script, id: &str) -> Option<(&'a Actor, RecordKey)> {
    let owner = stage.actors.get(&script.records.get(id)?.rcp)?;
    let record: RecordId = *stage.records.get(id)?;
    Some((
        owner,
        RecordKey {
            rcp: owner.rcp,
            record,
        },
    ))
}

/// The journey of the revised record to one reader, with its proof as the reader holds it.
fn journey(stage: &Stage, script: &Script) -> Option<Vec<String>> {
    let id = if stage.records.contains_key(REVISED) {
        REVISED
    } else {
        stage.records.keys().next()?
    };
    let (author, key) = owner(stage, script, id)?;
    let reader = stage
        .actors
        .get(JOURNEY)
        .filter(|actor| actor.rcp != author.rcp)
        .or_else(|| stage.actors.values().find(|actor| actor.rcp != author.rcp))?;
    reader.node.desk.store().read(|view| {
        let row = view.row(&key)?;
        let stand = row.current(|_| true)?;
        let log = view.logs.get(&stand.log)?;
        let head = log.held_head.as_ref()?;
        let line = view
            .lines(&log.id, stand.index, stand.index + 1)
            .into_iter()
            .next()?;
        let size = head.checkpoint.size;
        let path = log.tree.inclusion(stand.index, size)?;
        let body = view.record(row.body(&stand.version_hash)?.place)?;
        let charter = view.charter(&key.rcp)?;
        let short = |text: String| text.chars().take(16).collect::<String>();
        Some(vec![
            format!(
                "{id}, version {}, from {} to {}",
                stand.version, author.acronym, reader.acronym
            ),
            format!(
                "author      {} (charter: {} key event)",
                key.rcp,
                charter.events().len()
            ),
            format!("record      {}", key.record),
            format!(
                "signed      {} bytes of header, body of {} bytes behind its salted hash",
                body.header.bytes.len(),
                body.body.len()
            ),
            format!("version     {}…", short(stand.version_hash.to_string())),
            format!(
                "line        {} of log {}…, leaf {}…",
                stand.index,
                short(log.id.to_string()),
                short(leaf_hash(&line).to_string())
            ),
            format!(
                "in the tree {} hashes up to the root at size {size}",
                path.len()
            ),
            format!("root        {}…", short(head.checkpoint.root.to_string())),
            format!(
                "checkpoint  signed by key event {} of the author",
                head.key_seq
            ),
            "receipt     the reader cosigned that checkpoint: it holds these lines and has carried"
                .to_owned(),
            "            out every withdrawal in them".to_owned(),
        ])
    })
}

/// How to look for oneself, while the federation runs.
pub fn invite(stage: &Stage) {
    println!("The federation runs on. Nodes, for peers and for the client:\n");
    for (id, actor) in &stage.actors {
        let [peers, api] = actor.addresses;
        println!("  {id:<10} {peers:<22} {api:<22} {}", actor.rcp);
    }
    if let Some(actor) = stage.actors.values().next() {
        println!("\nLook for yourself, from another terminal:\n");
        println!(
            "  cargo run --release -q -p corridor-client -- --profile {} status\n",
            actor.profile.display()
        );
    }
    println!("Ctrl-C ends it and removes everything.");
}
