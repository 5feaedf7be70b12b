//! Finding records: filters, searches with their counts, several by name, all at once.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use corridor_node::edge;
use corridor_proto::{RecordId, v1};
use corridor_tests::raw::Caller;
use prost::Message;
use tonic::Code;

use super::Matrix;
use super::api::{callers, compare, pages};
use super::spec::{Reader, Shown, listed_sight, sight};
use super::world::Record;

pub async fn look(matrix: &mut Matrix<'_>) -> Result<()> {
    for (name, token, reader) in callers(matrix) {
        let mut caller = Caller::of(&matrix.world.office, token).await?;
        filters(matrix, name, &mut caller, reader).await?;
        searches(matrix, name, &mut caller, reader).await?;
        words(matrix, name, &mut caller, reader).await?;
        several(matrix, name, &mut caller, reader).await?;
        all_at_once(matrix, name, &mut caller, reader).await?;
    }
    Ok(())
}

/// Which records have a text that a reader finds by words.
fn text(reader: Reader, record: &Record) -> Option<usize> {
    let listed = listed_sight(reader, record, false)?;
    listed.text.filter(|_| listed.state == Shown::Current)
}

/// Lists that a filter narrows, page by page and full.
async fn filters(
    matrix: &mut Matrix<'_>,
    name: &str,
    caller: &mut Caller,
    reader: Reader,
) -> Result<()> {
    let world = matrix.world;
    let office = world.office.rcp;
    let by_state = |state: Shown| {
        move |record: &Record| {
            let listed = listed_sight(reader, record, true);
            listed.is_some_and(|sight| sight.state == state)
        }
    };
    let is_titled = move |record: &Record| text(reader, record).is_some();
    let is_own = |record: &Record| record.of.is_none();
    type Wanted<'a> = Box<dyn Fn(&Record) -> bool + 'a>;
    let filters: [(String, bool, Wanted<'_>); 6] = [
        (
            "state = withdrawn".into(),
            true,
            Box::new(by_state(Shown::Withdrawn)),
        ),
        ("state = left".into(), true, Box::new(by_state(Shown::Left))),
        (
            "-state = current".into(),
            true,
            Box::new(move |one| !by_state(Shown::Current)(one)),
        ),
        ("title:\"title mk\"".into(), false, Box::new(is_titled)),
        (format!("rcp = {office}"), false, Box::new(is_own)),
        (
            format!("NOT rcp = {office} AND kind:*"),
            false,
            Box::new(move |one| !is_own(one) && is_titled(one)),
        ),
    ];
    for (filter, show_all, wanted) in filters {
        for view in [v1::RecordView::Basic, v1::RecordView::Full] {
            let what = || format!("list {filter:?} {view:?} by {name}");
            let request = v1::ListRecordsRequest {
                page_size: 9,
                show_all,
                filter: filter.clone(),
                view: view.into(),
                ..v1::ListRecordsRequest::default()
            };
            let asked = office.to_string();
            let found = pages(matrix, caller, reader, request, &asked, &what).await?;
            compare(matrix, found, &what, |record| {
                let listed = listed_sight(reader, record, show_all);
                listed.filter(|_| wanted(record))
            });
        }
    }
    Ok(())
}

/// Everything that a search finds, and what it counts of it.
async fn searches(
    matrix: &mut Matrix<'_>,
    name: &str,
    caller: &mut Caller,
    reader: Reader,
) -> Result<()> {
    let world = matrix.world;
    for order_by in ["", "publish_time desc", "publish_time"] {
        let what = || format!("search in order {order_by:?} by {name}");
        let mut request = v1::SearchRecordsRequest {
            order_by: order_by.to_owned(),
            page_size: 40,
            ..v1::SearchRecordsRequest::default()
        };
        let mut found = BTreeMap::new();
        let seen = |record: &&Record| listed_sight(reader, record, false).is_some();
        let count = world.records.iter().filter(seen).count();
        let own = world
            .records
            .iter()
            .filter(seen)
            .filter(|record| record.of.is_none());
        let own = i32::try_from(own.count())?;
        loop {
            let answer = caller.call("RecordService/SearchRecords", &request).await?;
            matrix.sweep(reader, &answer.bytes(), &[], &what);
            if reader == Reader::Nobody {
                matrix.is(&answer.code, &Code::Unauthenticated, &what);
                break;
            }
            let page: v1::SearchRecordsResponse = answer.read()?;
            matrix.is(&page.total_size, &i32::try_from(count)?, &what);
            let rcps = page.facets.iter().find(|facet| facet.field == "rcp");
            let rcps = rcps.map_or(&[][..], |facet| &facet.counts);
            let of_us = rcps
                .iter()
                .find(|one| one.value == world.office.rcp.to_string());
            matrix.is(&of_us.map_or(0, |one| one.count), &own, &what);
            let all: i32 = rcps.iter().map(|one| one.count).sum();
            matrix.is(&all, &page.total_size, &what);
            let records = page.results.into_iter().filter_map(|one| one.record);
            found.extend(records.map(|one| (one.name.clone(), one)));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        compare(matrix, found, &what, |record| {
            listed_sight(reader, record, false)
        });
    }
    Ok(())
}

/// Each text looked for by its own mark; what may not be seen is not counted either.
async fn words(
    matrix: &mut Matrix<'_>,
    name: &str,
    caller: &mut Caller,
    reader: Reader,
) -> Result<()> {
    let world = matrix.world;
    for record in world.records.iter().step_by(5) {
        let found = text(reader, record);
        let drafts = record.draft.iter().map(|mark| (None, mark));
        let versions = record.versions.iter().enumerate();
        let versions = versions.map(|(at, version)| (Some(at), &version.mark));
        for (version, mark) in versions.chain(drafts) {
            let what = || format!("search of {version:?} of {} by {name}", record.state);
            let request = v1::SearchRecordsRequest {
                query: mark.to_uppercase(),
                ..v1::SearchRecordsRequest::default()
            };
            let answer = caller.call("RecordService/SearchRecords", &request).await?;
            let is_found = version.is_some() && version == found;
            if !is_found {
                matrix.sweep(reader, &answer.bytes(), &[], &what);
            }
            if reader == Reader::Nobody {
                matrix.is(&answer.code, &Code::Unauthenticated, &what);
                continue;
            }
            let page: v1::SearchRecordsResponse = answer.read()?;
            matrix.is(&page.total_size, &i32::from(is_found), &what);
            matrix.is(&page.facets.is_empty(), &!is_found, &what);
            let matched = page.results.first().and_then(|one| one.matched.as_ref());
            let is_marked = matched.is_some_and(|matched| matched.text.contains(mark));
            matrix.is(&is_marked, &is_found, &what);
        }
    }
    Ok(())
}

/// A record beside one that everybody sees: both or neither, and nothing says which.
async fn several(
    matrix: &mut Matrix<'_>,
    name: &str,
    caller: &mut Caller,
    reader: Reader,
) -> Result<()> {
    let world = matrix.world;
    let seen = world
        .records
        .iter()
        .find(|record| sight(Reader::Anyone, record).is_some());
    let seen = world.name(seen.context("a public record")?);
    for record in world.records.iter().step_by(3) {
        let id = RecordId::new(edge::random()?);
        let absent = format!("rcps/{}/records/{id}", world.owner(record));
        let mut answers = Vec::new();
        for asked in [world.name(record), absent] {
            let request = v1::BatchGetRecordsRequest {
                names: vec![seen.clone(), asked.clone()],
                ..v1::BatchGetRecordsRequest::default()
            };
            let before = world.office.desk().store().reads();
            let answer = caller
                .call("RecordService/BatchGetRecords", &request)
                .await?;
            let after = world.office.desk().store().reads();
            let cost = (after.rows - before.rows, after.frames - before.frames);
            let what = || format!("several by {name}: {:?} {}", record.home, record.state);
            matrix.sweep(reader, &answer.bytes(), &[&seen, &asked], &what);
            answers.push((answer, cost));
        }
        let what = || format!("several by {name}: {:?} {}", record.home, record.state);
        if reader != Reader::Nobody && sight(reader, record).is_some() {
            let got: v1::BatchGetRecordsResponse = answers[0].0.read()?;
            let names: Vec<_> = got.records.into_iter().map(|one| one.name).collect();
            matrix.is(&names, &vec![seen.clone(), world.name(record)], &what);
        } else {
            matrix.is(&answers[0], &answers[1], &what);
        }
    }
    Ok(())
}

/// Everything with what proves it.
async fn all_at_once(
    matrix: &mut Matrix<'_>,
    name: &str,
    caller: &mut Caller,
    reader: Reader,
) -> Result<()> {
    let world = matrix.world;
    let what = || format!("read at once by {name}");
    let request = v1::ReadRecordsRequest::default();
    let answer = caller
        .follow("RecordService/ReadRecords", &request, |_| false)
        .await?;
    matrix.sweep(reader, &answer.bytes(), &[], &what);
    let mut found = BTreeMap::new();
    for message in &answer.messages {
        let batch = v1::ReadRecordsResponse::decode(message.as_slice())?;
        let records = batch.records.into_iter();
        found.extend(records.map(|one| (one.name, one.raw.unwrap_or_default().body)));
    }
    let code = match reader {
        Reader::Nobody => Code::Unauthenticated,
        _ => Code::Ok,
    };
    matrix.is(&answer.code, &code, &what);
    for record in &world.records {
        let expect = text(reader, record).map(|version| &record.versions[version].mark);
        let body = found.remove(&world.name(record));
        let is_it = body.as_ref().zip(expect).is_none_or(|(body, mark)| {
            let mut windows = body.windows(mark.len());
            windows.any(|window| window == mark.as_bytes())
        });
        matrix.is(&(body.is_some(), is_it), &(expect.is_some(), true), &what);
    }
    matrix.is(&found.len(), &0, &what);
    Ok(())
}
