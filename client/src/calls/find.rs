//! Finding records: lists by a filter, searches, several by name.
//!
//! **Invariant:** counts and the order of what was found are the node's word; what a record says is
//! verified, or said not to be.

use corridor_proto::RcpId;

use super::record::service;
use super::{ReadRecord, RecordPage, present};
use crate::check::CheckedRecord;
use crate::client::Client;
use crate::error::ClientError;
use crate::in_order::InOrder;
use crate::limits::{BATCH_MAX, PAGE_SIZE, PAGES_MAX, PROOFS_AT_ONCE};
use crate::names::{RcpName, RecordName};
use crate::v1;

/// Which records are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those of one RCP; `None` for all.
    pub rcp: Option<RcpId>,
    /// In the language of AIP-160, such as `kind = practice AND countries:PH`; empty for all.
    pub filter: String,
    /// Withdrawn ones and those in no circle as well; not for searches.
    pub all: bool,
}

/// One page of what a search found.
#[derive(Clone, Debug)]
pub struct FoundPage {
    /// The best first: each verified here, with the text in which it was found, as the node gives
    /// it.
    pub found: Vec<(CheckedRecord, Option<v1::LanguageText>)>,
    /// How many were found, on all pages.
    pub total: u32,
    /// How many of them say what, field by field.
    pub facets: Vec<v1::Facet>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

impl Wanted {
    fn parent(&self) -> String {
        let all = || "rcps/-".to_owned();
        self.rcp.map_or_else(all, |rcp| RcpName(rcp).to_string())
    }

    /// That an answer is about no other RCP.
    fn check<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), ClientError> {
        for name in names {
            if let (Some(rcp), Ok(name)) = (self.rcp, name.parse::<RecordName>())
                && name.rcp != rcp
            {
                return Err(ClientError::Answer("lists a record of another RCP"));
            }
        }
        Ok(())
    }
}

impl Client {
    /// All records that are wanted, each verified here from a proof of its own. That the list is
    /// complete is the node's word.
    ///
    /// # Errors
    /// [`ClientError`] if the node cannot be asked. A record that does not verify is no error: its
    /// [`crate::Check`] says why.
    pub async fn records_where(&self, wanted: &Wanted) -> Result<Vec<CheckedRecord>, ClientError> {
        let records = self.unverified_where(wanted).await?;
        self.check_all(records).await
    }

    /// Verifies records in their order.
    async fn check_all(&self, records: Vec<v1::Record>) -> Result<Vec<CheckedRecord>, ClientError> {
        let mut checked = Vec::new();
        let mut checks = InOrder::new();
        for record in records {
            checks.begin(self.clone().check(record));
            if checks.len() >= PROOFS_AT_ONCE
                && let Some(one) = checks.next().await
            {
                checked.push(one?);
            }
        }
        while let Some(one) = checks.next().await {
            checked.push(one?);
        }
        Ok(checked)
    }

    /// One page of the records that are wanted, as the node tells of them: a list carries no signed
    /// bytes, so nothing of it is verified. `page_size` zero leaves it to the node; `page` is
    /// `next` of the page before. A page may be short, or empty, and not the last.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unverified_page(
        &self,
        wanted: &Wanted,
        page_size: i32,
        page: Option<&str>,
    ) -> Result<RecordPage, ClientError> {
        let message = v1::ListRecordsRequest {
            parent: wanted.parent(),
            page_size,
            page_token: page.unwrap_or_default().to_owned(),
            show_all: wanted.all,
            filter: wanted.filter.clone(),
            view: v1::RecordView::Basic.into(),
        };
        let answer = self
            .read(message, |channel, request| async move {
                service(channel).list_records(request).await
            })
            .await?;
        wanted.check(answer.records.iter().map(|record| record.name.as_str()))?;
        Ok(RecordPage {
            records: answer.records,
            next: Some(answer.next_page_token).filter(|token| !token.is_empty()),
        })
    }

    /// All records that are wanted, page after page, as the node tells of them: enough to know
    /// their names, not to use what they say.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Answer`] for a listing without end.
    pub async fn unverified_where(&self, wanted: &Wanted) -> Result<Vec<v1::Record>, ClientError> {
        let mut records = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .unverified_page(wanted, PAGE_SIZE, next.as_deref())
                .await?;
            records.extend(page.records);
            match page.next {
                None => return Ok(records),
                token if token == next => break,
                token => next = token,
            }
        }
        Err(ClientError::Answer("is a list without end"))
    }

    /// One page of the records in which every word of `query` occurs, in whichever language and as
    /// a part of whichever word. `order_by` is empty, "publish_time desc" or "publish_time"; `page`
    /// is `next` of the page before.
    ///
    /// # Errors
    /// As [`Client::records_where`].
    pub async fn search(
        &self,
        query: &str,
        wanted: &Wanted,
        order_by: &str,
        page_size: i32,
        page: Option<&str>,
    ) -> Result<FoundPage, ClientError> {
        let message = v1::SearchRecordsRequest {
            parent: wanted.parent(),
            query: query.to_owned(),
            filter: wanted.filter.clone(),
            order_by: order_by.to_owned(),
            page_size,
            page_token: page.unwrap_or_default().to_owned(),
        };
        let answer = self
            .read(message, |channel, request| async move {
                service(channel).search_records(request).await
            })
            .await?;
        let (mut records, mut matched) = (Vec::new(), Vec::new());
        for one in answer.results {
            records.push(present(one.record, "finds no record")?);
            matched.push(one.matched);
        }
        wanted.check(records.iter().map(|record| record.name.as_str()))?;
        let checked = self.check_all(records).await?;
        Ok(FoundPage {
            found: checked.into_iter().zip(matched).collect(),
            total: u32::try_from(answer.total_size).unwrap_or(0),
            facets: answer.facets,
            next: Some(answer.next_page_token).filter(|token| !token.is_empty()),
        })
    }

    /// Several records, in the order of their names: all of them, or an error if one is not there.
    ///
    /// # Errors
    /// As [`Client::record`].
    pub async fn records_named(
        &self,
        names: &[RecordName],
    ) -> Result<Vec<ReadRecord>, ClientError> {
        let mut read = Vec::new();
        for names in names.chunks(BATCH_MAX) {
            let message = v1::BatchGetRecordsRequest {
                parent: String::new(),
                names: names.iter().map(ToString::to_string).collect(),
                view: v1::RecordView::Full.into(),
            };
            let answer = self
                .read(message, |channel, request| async move {
                    service(channel).batch_get_records(request).await
                })
                .await?;
            let got = answer.records.iter().map(|record| record.name.as_str());
            if !got.eq(names.iter().map(ToString::to_string)) {
                return Err(ClientError::Answer("is about other records"));
            }
            for record in answer.records {
                let verified = self.verify_raw(&record)?;
                read.push(ReadRecord { record, verified });
            }
        }
        Ok(read)
    }
}
