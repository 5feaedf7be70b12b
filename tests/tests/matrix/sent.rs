//! What partners sent: every state that another RCP's record can have here.

use anyhow::{Context, Result};
use corridor_node::edge;
use corridor_proto::line::{ReaderList, WHOLE_RECORD};
use corridor_proto::{LogSeed, RecordId, UnixMillis};
use corridor_rules::Rows;
use corridor_rules::row::RecordKey;
use corridor_tests::nodes::until;
use corridor_tests::stranger::Stranger;
use corridor_tests::stranger::log::Pages;
use corridor_tests::stranger::wire::Wire;

use super::world::{Act, Circle, Phase, Record, Version, Who, World, body, mark, note};

/// What becomes of a record that a partner sends.
pub const STATES: [&str; 7] = [
    "published",
    "revised",
    "left",
    "withdrawn",
    "quarantined",
    "awaited",
    "left and withdrawn",
];

const SEEDS: [(Circle, u8); 3] = [
    (Circle::SentPublic, 0),
    (Circle::SentOpen, 1),
    (Circle::SentClosed, 2),
];

pub async fn send(world: &mut World) -> Result<()> {
    let mut made = Vec::new();
    let mut circles = Vec::new();
    let sender = &world.partners[&Who::Sender];
    let mut logs = Vec::new();
    for (circle, seed) in SEEDS {
        let seed = match seed {
            0 => LogSeed::ZERO,
            _ => LogSeed::new(edge::random()?),
        };
        let mut pages = sender.pages(seed);
        if circle == Circle::SentOpen {
            let name = mark()?;
            pages.read_by(&ReaderList {
                circle: name.clone(),
                readers: vec![(world.office.rcp, UnixMillis(0))],
                ..ReaderList::default()
            })?;
            world.names.insert(circle, name);
        }
        made.extend(fill(sender, Who::Sender, circle, &mut pages)?);
        circles.push((circle, (pages.id, seed)));
        logs.push(pages);
    }
    lead(world, sender, logs, &made).await?;
    let pending = &world.partners[&Who::Pending];
    let mut pages = pending.pages(LogSeed::ZERO);
    let apart = fill(pending, Who::Pending, Circle::ApartPublic, &mut pages)?;
    circles.push((Circle::ApartPublic, (pages.id, LogSeed::ZERO)));
    lead(world, pending, vec![pages], &apart).await?;
    world.circles.extend(circles);
    world.records.extend(made);
    world.records.extend(apart);
    Ok(())
}

/// One record in each state.
fn fill(of: &Stranger, who: Who, circle: Circle, pages: &mut Pages<'_>) -> Result<Vec<Record>> {
    let mut made = Vec::new();
    for state in STATES {
        let mut record = Record {
            id: RecordId::new(edge::random()?),
            of: Some(who),
            home: Some(circle),
            state,
            versions: Vec::new(),
            note: None,
            draft: None,
            story: Vec::new(),
            is_held: !["quarantined", "awaited"].contains(&state),
        };
        publish(of, pages, circle, &mut record)?;
        if state == "revised" {
            publish(of, pages, circle, &mut record)?;
        }
        if state.starts_with("left") {
            pages.leave(record.id)?;
            record.story.push((Phase::Late, Act::Leave(circle)));
        }
        if state.ends_with("withdrawn") {
            let mark = mark()?;
            pages.withdraw(record.id, WHOLE_RECORD, note(&mark))?;
            record.note = Some(mark);
            let act = Act::Withdraw { up_to: None };
            record.story.push((Phase::Late, act));
        }
        made.push(record);
    }
    Ok(made)
}

fn publish(of: &Stranger, pages: &mut Pages<'_>, on: Circle, record: &mut Record) -> Result<()> {
    let mark = mark()?;
    let version = record.versions.len();
    let number = u64::try_from(version)? + 1;
    let mut signed = of.version(record.id, number, body(&mark))?;
    if record.state == "quarantined" {
        signed.header.signature[0] ^= 1;
    }
    pages.publish(signed)?;
    record.versions.push(Version { number, mark });
    let act = Act::Publish {
        circle: on,
        version,
    };
    record.story.push((Phase::Early, act));
    Ok(())
}

/// Leads the node along logs until it has all that it can get of them.
async fn lead(world: &World, of: &Stranger, logs: Vec<Pages<'_>>, made: &[Record]) -> Result<()> {
    let office = &world.office;
    let mut wire = of.link(office).await?;
    for pages in &logs {
        wire.say(pages.head()?)?;
    }
    let has_all = || {
        office.desk().store().read(|view| {
            let here = |pages: &Pages<'_>| {
                let log = view.logs.get(&pages.id);
                log.is_some_and(|log| log.size() == pages.size())
            };
            let settled = |record: &Record| {
                let (rcp, id) = (of.rcp, record.id);
                let Some(row) = view.row(&RecordKey { rcp, record: id }) else {
                    return false;
                };
                let stand = row.current(|_| true);
                let held = stand.is_some_and(|stand| row.body(&stand.version_hash).is_some());
                match record.state {
                    "quarantined" => !row.quarantined.is_empty(),
                    "published" | "revised" => held,
                    _ => true,
                }
            };
            logs.iter().all(here) && made.iter().all(settled)
        })
    };
    tokio::select! {
        answered = answer(&mut wire, &logs, made) => answered,
        came = until("all that was sent is there", has_all) => came,
    }
}

/// Answers pulls and wants, but for what is to be awaited.
async fn answer(wire: &mut Wire, logs: &[Pages<'_>], made: &[Record]) -> Result<()> {
    let awaited: Vec<RecordId> = made
        .iter()
        .filter(|record| record.state == "awaited")
        .map(|record| record.id)
        .collect();
    loop {
        let frame = wire.take().await?.context("the node ended the link")?;
        for pages in logs {
            if let Some(from) = pages.pulled(&frame) {
                wire.send(pages.package(usize::try_from(from)?)?)?;
            }
            for index in pages.wanted(&frame).unwrap_or_default() {
                let index = usize::try_from(index)?;
                if !pages
                    .record_id(index)
                    .is_some_and(|id| awaited.contains(&id))
                {
                    wire.send(pages.records(&[index], |_| {})?)?;
                }
            }
        }
    }
}
