//! Lists of records, and records by their names.

use std::ops::ControlFlow;

use corridor_proto::v1;
use corridor_rules::Reader;
use prost::Message;
use tonic::Status;

use super::super::{Api, names, status};
use super::{message, page};
use crate::desk;
use crate::edge;
use crate::library::{Ask, Filter};
use crate::limits::{
    BATCH_MAX, PAGE_BYTES_MAX, PAGE_DEFAULT, PAGE_MAX, PAGE_ROWS_MAX, ROWS_AT_ONCE,
};

/// What is asked of all records that a reader sees.
///
/// # Errors
/// `INVALID_ARGUMENT` about the field that cannot be asked.
pub fn ask(reader: Reader, parent: &str, filter: &str, show_all: bool) -> Result<Ask, Status> {
    let filter = Filter::parse(filter, &reader);
    Ok(Ask {
        reader,
        parent: page::parent(parent)?,
        show_all,
        filter: filter.map_err(|what| status::bad_field("filter", &what))?,
        with_facts: true,
    })
}

/// One page, and how many rows were looked at for it. It ends early where few are let through, so
/// that no call looks at everything.
pub async fn list(
    api: &Api,
    reader: Reader,
    request: v1::ListRecordsRequest,
) -> Result<(v1::ListRecordsResponse, usize), Status> {
    let ask = ask(reader, &request.parent, &request.filter, request.show_all)?;
    let size = page::size(request.page_size, PAGE_DEFAULT, PAGE_MAX)?;
    let with_raw = request.view() == v1::RecordView::Full;
    let asked = [
        request.parent.as_str(),
        &request.filter,
        if request.show_all { "all" } else { "" },
        if with_raw { "full" } else { "" },
    ];
    let question = page::question("ListRecords", &reader, &asked);
    let token = ("page_token", request.page_token.as_str());
    let mut last = page::place(&api.cursors, token, &question, page::read_key)?;
    let (mut records, mut bytes, mut rows) = (Vec::new(), 0, 0);
    let is_end = loop {
        let slice = api.desk.store().read(|view| {
            let most = ROWS_AT_ONCE.min(PAGE_ROWS_MAX - rows);
            ask.slice(view, &api.library, last, most, &mut |mut seen| {
                if with_raw {
                    seen.shown.read(view);
                }
                let title = seen.known.map(|known| known.facts.title.clone());
                let record = v1::Record {
                    raw: seen.shown.signed.take().map(message::raw),
                    ..message::titled(view, &seen.shown, &reader, title.unwrap_or_default())
                };
                bytes += record.encoded_len();
                records.push(record);
                if records.len() == size || bytes >= PAGE_BYTES_MAX {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
        });
        (last, rows) = (slice.last, rows + slice.rows);
        let is_full = records.len() == size || bytes >= PAGE_BYTES_MAX;
        if slice.is_end || is_full || rows >= PAGE_ROWS_MAX {
            break slice.is_end;
        }
        tokio::task::yield_now().await;
    };
    let place = last.filter(|_| !is_end).map(|key| page::key_bytes(&key));
    let next = place.map(|place| page::token(&api.cursors, &question, &place));
    let page = v1::ListRecordsResponse {
        records,
        next_page_token: next.transpose()?.unwrap_or_default(),
    };
    Ok((page, rows))
}

/// Several records by name: all of them or none.
///
/// # Errors
/// `INVALID_ARGUMENT` for a name that is none, and for too many; `NOT_FOUND` if one is not there
/// for the reader, in the same words whichever it is; `OUT_OF_RANGE` where they are too large
/// together.
pub fn batch(
    api: &Api,
    reader: &Reader,
    request: &v1::BatchGetRecordsRequest,
) -> Result<Vec<v1::Record>, Status> {
    let parent = page::parent(&request.parent)?;
    if request.names.is_empty() || request.names.len() > BATCH_MAX {
        let what = format!("has to have 1 to {BATCH_MAX} names; ask several times");
        return Err(status::bad_field("names", &what));
    }
    let mut keys = Vec::new();
    for (at, name) in request.names.iter().enumerate() {
        let field = format!("names[{at}]");
        let key = names::parse_record(&field, name)?;
        if parent.is_some_and(|parent| key.rcp != parent) {
            return Err(status::bad_field(&field, "is not a record of the parent"));
        }
        keys.push(key);
    }
    let with_raw = request.view() != v1::RecordView::Basic;
    let (mut records, mut bytes) = (Vec::new(), 0);
    api.desk.store().read(|view| {
        for key in keys {
            let shown = desk::show(view, &key, reader, edge::now(), true);
            let shown = shown.ok_or_else(status::not_all_found)?;
            let record = message::record(view, &shown, reader, with_raw);
            bytes += record.encoded_len();
            if bytes > PAGE_BYTES_MAX {
                return Err(status::answer_too_large());
            }
            records.push(record);
        }
        Ok(records)
    })
}
