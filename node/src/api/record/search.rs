//! Searching: every record that the caller sees is looked at, and what was found is counted.
//!
//! **Invariant:** counts, order and marks are made of what the caller sees; the store is held for a
//! few records at a time, and few search at once.

use std::ops::ControlFlow;

use corridor_proto::{kinds, v1};
use corridor_rules::Reader;
use prost::Message;
use tonic::Status;

use super::super::{Api, status};
use super::{message, page, read};
use crate::desk;
use crate::edge;
use crate::library::search::{Found, Order, Place, Query};
use crate::limits::{
    FACET_VALUES_MAX, PAGE_BYTES_MAX, ROWS_AT_ONCE, SEARCH_PAGE_DEFAULT, SEARCH_PAGE_MAX,
    SEARCH_WAIT,
};

/// One page of what was found, and how many rows were looked at for it.
pub async fn search(
    api: &Api,
    reader: Reader,
    request: v1::SearchRecordsRequest,
) -> Result<(v1::SearchRecordsResponse, usize), Status> {
    let bad = |field| move |what: String| status::bad_field(field, &what);
    let query = Query::parse(&request.query).map_err(bad("query"))?;
    let order = Order::parse(&request.order_by).map_err(bad("order_by"))?;
    let size = page::size(request.page_size, SEARCH_PAGE_DEFAULT, SEARCH_PAGE_MAX)?;
    let mut ask = read::ask(reader, &request.parent, &request.filter, false)?;
    ask.filter = ask.filter.and_words(&query.words);
    let asked = [
        &request.parent,
        &request.query,
        &request.filter,
        &request.order_by,
    ];
    let question = page::question("SearchRecords", &reader, &asked.map(String::as_str));
    let token = ("page_token", request.page_token.as_str());
    let after = page::place(&api.cursors, token, &question, read_place)?;
    let mut found = Found::new(query, order, after, size);
    let turn = tokio::time::timeout(SEARCH_WAIT, api.searches.acquire()).await;
    let Ok(_turn) = turn else {
        let wait_ms = u64::try_from(SEARCH_WAIT.as_millis()).unwrap_or(u64::MAX);
        return Err(status::too_often(wait_ms));
    };
    let (mut last, mut rows) = (None, 0);
    loop {
        let slice = api.desk.store().read(|view| {
            ask.slice(view, &api.library, last, ROWS_AT_ONCE, &mut |seen| {
                found.add(&seen);
                ControlFlow::Continue(())
            })
        });
        rows += slice.rows;
        if slice.is_end {
            break;
        }
        last = slice.last;
        tokio::task::yield_now().await;
    }
    Ok((answer(api, &reader, &found, &question)?, rows))
}

fn answer(
    api: &Api,
    reader: &Reader,
    found: &Found,
    question: &[u8],
) -> Result<v1::SearchRecordsResponse, Status> {
    let (mut results, mut bytes, mut last) = (Vec::new(), 0, None);
    for place in found.page() {
        if bytes >= PAGE_BYTES_MAX {
            break;
        }
        // One that has gone since it was found is left out.
        let result = api.desk.store().read(|view| {
            let shown = desk::show(view, &place.2, reader, edge::now(), false)?;
            let signed = shown.signed.as_ref().zip(shown.held.as_ref());
            let contents = signed.and_then(|(one, held)| kinds::contents(held.kind, &one.body));
            Some(v1::SearchResult {
                matched: contents.and_then(|contents| found.query().matched(&contents)),
                record: Some(message::record(view, &shown, reader, false)),
            })
        });
        bytes += result.as_ref().map_or(0, Message::encoded_len);
        results.extend(result);
        last = Some(place);
    }
    let last = last.filter(|last| found.has_more(last));
    let next = last.map(|last| page::token(&api.cursors, question, &place_bytes(&last)));
    let count = |(value, count): (&str, i32)| v1::FacetCount {
        value: value.to_owned(),
        count,
    };
    let facets = found.facets(FACET_VALUES_MAX).into_iter();
    Ok(v1::SearchRecordsResponse {
        results,
        next_page_token: next.transpose()?.unwrap_or_default(),
        total_size: i32::try_from(found.total).unwrap_or(i32::MAX),
        facets: facets
            .map(|(field, counts)| v1::Facet {
                field: field.to_owned(),
                counts: counts.into_iter().map(count).collect(),
            })
            .collect(),
    })
}

fn place_bytes((rank, time, key): &Place) -> Vec<u8> {
    [
        &[*rank],
        time.to_be_bytes().as_slice(),
        &page::key_bytes(key),
    ]
    .concat()
}

fn read_place(bytes: &[u8]) -> Option<Place> {
    let (rank, rest) = bytes.split_first()?;
    let (time, key) = rest.split_first_chunk::<8>()?;
    Some((*rank, u64::from_be_bytes(*time), page::read_key(key)?))
}
