//! Commands that find records by words, and that read all of them.
//!
//! **Invariant:** "verified" is written only of what this program verified itself.

use serde_json::{Value, json};

use super::read::{all_proved, checked_json, is_unproved, rcp, row, wanted};
use super::{ReadAllArgs, SearchArgs};
use crate::body;
use crate::calls::FoundPage;
use crate::cli::fail::Failure;
use crate::cli::proof::{save, told_json};
use crate::cli::render::count;
use crate::cli::session::Session;
use crate::proof::VerifiedAnswer;
use crate::shown::safe_line;

pub(super) async fn search(session: &mut Session<'_>, args: SearchArgs) -> Result<(), Failure> {
    let wanted = wanted(session, args.which, false).await?;
    let words = args.words.join(" ");
    let order = if args.newest { "publish_time desc" } else { "" };
    let client = &session.client;
    let page = client.search(&words, &wanted, order, 0, args.page.as_deref());
    let page = page.await?;
    if !session.print_json(|| page_json(&page))? {
        for (record, matched) in &page.found {
            session.screen.table(&[row(record)]);
            if let Some(matched) = matched {
                session
                    .screen
                    .data(format!("    {}", safe_line(&matched.text)));
            }
        }
        let total = count(page.total, "record");
        session.screen.say(format!("{total} found."));
        if let Some(next) = &page.next {
            session
                .screen
                .next(format!("the same with --page {}", safe_line(next)));
        }
    }
    all_proved(
        page.found
            .iter()
            .filter(|(one, _)| is_unproved(one))
            .count(),
    )
}

fn page_json(page: &FoundPage) -> Result<Value, Failure> {
    let mut records = Vec::new();
    for (record, matched) in &page.found {
        let mut value = checked_json(record)?;
        let text = |one: &crate::v1::LanguageText| json!({ "tag": one.tag, "text": one.text });
        value["matched"] = matched.as_ref().map_or(Value::Null, text);
        records.push(value);
    }
    let facets = page.facets.iter().map(|facet| {
        let counts = facet.counts.iter();
        let counts = counts.map(|one| json!({ "value": one.value, "count": one.count }));
        json!({ "field": facet.field, "counts": counts.collect::<Vec<_>>() })
    });
    Ok(json!({
        "records": records,
        "total": page.total,
        "facets": facets.collect::<Vec<_>>(),
        "next": page.next,
    }))
}

pub(super) async fn read_all(session: &mut Session<'_>, args: ReadAllArgs) -> Result<(), Failure> {
    if args.folder.is_none() && !session.json {
        let text = "say into which folder, or --json for one line a record";
        return Err(Failure::Usage(text.to_owned()));
    }
    let rcp = rcp(session, args.rcp.as_deref()).await?;
    let mut reading = session.client.read_all(rcp, args.cursor);
    let mut number: u64 = 0;
    while let Some(batch) = reading.next().await? {
        for (answer, file) in &batch.records {
            number += 1;
            let saved = args
                .folder
                .as_ref()
                .map(|folder| save(folder, answer, file));
            let saved = saved.transpose()?;
            if session.json {
                session.screen.json(&record_json(answer, saved));
            }
        }
        if session.json {
            let watch = &batch.watch_cursor;
            session
                .screen
                .json(&json!({ "cursor": batch.cursor, "watchCursor": watch }));
        }
        if session.screen.is_closed() {
            return Ok(());
        }
    }
    if let (Some(folder), false) = (&args.folder, session.json) {
        let folder = folder.display();
        let number = count(number, "record");
        session
            .screen
            .say(format!("{number}, each verified here, saved in {folder}."));
    }
    Ok(())
}

fn record_json(answer: &VerifiedAnswer, saved: Option<String>) -> Value {
    json!({
        "verified": told_json(answer),
        // Nothing where it needs a newer version of this program.
        "body": body::to_json(answer.header().kind, answer.body()).ok(),
        "file": saved,
    })
}
