//! What the demonstration prints, for a person.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;

use corridor_store::StoreError;

use super::check::Findings;
use super::journey;
use super::script::{Circle, PARTS, Script};
use super::stage::Stage;
use super::{DemoError, Summary};
use crate::desk;
use crate::edge;

/// Leaks and gaps that are named one by one.
const FAULTS_SHOWN_MAX: usize = 20;

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

/// Names what a comparison found wrong.
pub fn faults(found: &Findings) {
    let leaks = found
        .leaks
        .iter()
        .map(|place| (place, "has without a right"));
    let missing = found.missing.iter().map(|place| (place, "lacks"));
    for ((reader, what), how) in leaks.chain(missing).take(FAULTS_SHOWN_MAX) {
        println!("  {reader} {how}: {what}");
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
    let holdings = holdings(stage)?;
    by_circle(stage, &holdings);
    by_owner(stage, &holdings);
    reasons(stage, script);
    if let Some(lines) = journey::follow(stage, script) {
        println!("\nThe journey of one record, verified once more from what the reader holds\n");
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

/// By reader, and owner and column of the table by circle: how many texts are held.
type Holdings = BTreeMap<String, BTreeMap<(String, &'static str), usize>>;

const COLUMNS: [&str; 5] = ["public", "federation", "observers", "drafting", "private"];

const fn column(circle: &Circle) -> &'static str {
    match circle {
        Circle::Public => COLUMNS[0],
        Circle::Federation => COLUMNS[1],
        Circle::Observers => COLUMNS[2],
        Circle::Drafting => COLUMNS[3],
        Circle::Private(_) => COLUMNS[4],
    }
}

fn holdings(stage: &Stage) -> Result<Holdings, StoreError> {
    let logs = stage.logs();
    let mut holdings = Holdings::new();
    for (reader, actor) in &stage.actors {
        let held = actor.node.desk.store().read(|view| {
            let mut held = BTreeMap::new();
            for (_, row) in view.rows(None) {
                let stands = row.stands.iter().filter(|stand| row.lives(stand));
                let stands = stands.filter(|stand| row.body(&stand.version_hash).is_some());
                let given = stands.filter_map(|stand| logs.get(&stand.log));
                // Of two circles that give it the wider counts.
                if let Some((owner, circle)) = given.min_by_key(|(_, circle)| circle) {
                    *held.entry((owner.clone(), column(circle))).or_default() += 1;
                }
            }
            Ok::<_, StoreError>(held)
        })?;
        holdings.insert(reader.clone(), held);
    }
    Ok(holdings)
}

/// A row a node: what it holds, by the circle that gives it.
fn by_circle(stage: &Stage, holdings: &Holdings) {
    println!("\nWho holds what, and why: own records, and others' by the circle that gives them\n");
    let heads = COLUMNS.map(|column| format!("{column:>11}")).concat();
    println!("  {:<25} {:>4} {:>9}{heads}", "", "own", "received");
    for (number, (id, held)) in (1..).zip(holdings) {
        let acronym = stage.actors.get(id).map_or("", |actor| &actor.acronym);
        let own = held.iter().filter(|((of, _), _)| of == id);
        let own: usize = own.map(|(_, count)| count).sum();
        let by = COLUMNS.map(|column| {
            let given = held
                .iter()
                .filter(|((of, by), _)| of != id && *by == column);
            given.map(|(_, count)| count).sum::<usize>()
        });
        let received: usize = by.iter().sum();
        let by = by.map(|count| format!("{count:>11}")).concat();
        println!("  {number:>2} {acronym:<22} {own:>4} {received:>9}{by}");
    }
}

/// A row a node: what it holds, by the owner; the columns are numbered as the rows.
fn by_owner(stage: &Stage, holdings: &Holdings) {
    println!("\nFrom whom: a row a node, a column an owner; a node's own records in brackets\n");
    let head: String = (1..=stage.actors.len())
        .map(|number| format!("{number:>4}"))
        .collect();
    println!("  {:<11} {head}", "");
    for (number, (reader, held)) in (1..).zip(holdings) {
        let mut row = String::new();
        for owner in stage.actors.keys() {
            let from = held.iter().filter(|((of, _), _)| of == owner);
            let cell = match from.map(|(_, count)| count).sum::<usize>() {
                0 => "·".to_owned(),
                count if owner == reader => format!("[{count}]"),
                count => count.to_string(),
            };
            row.push_str(&format!("{cell:>4}"));
        }
        println!("  {number:>2} {reader:<8} {row}");
    }
}

/// Why some may read a record and others may not, as the owner's node explains it.
fn reasons(stage: &Stage, script: &Script) {
    println!(
        "\nWhy, as the owner's node explains it: a partner that may read it, and one that may not\n"
    );
    for (part, ..) in PARTS {
        let id = script.parts.get(&part).map_or("", String::as_str);
        let Some((owner, key)) = stage.owner(script, id) else {
            continue;
        };
        println!("  {id} ({}, {})", owner.acronym, part.says());
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
