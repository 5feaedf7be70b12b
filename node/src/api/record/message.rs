//! Records as messages, and pages of them.

use corridor_proto::domain::{Domain, hash};
use corridor_proto::kinds::{self, Kind, Shown as Body};
use corridor_proto::line::WithdrawalReason;
use corridor_proto::record::SignedRecord;
use corridor_proto::{RcpId, RecordId, v1};
use corridor_rules::Reader;
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_store::View;
use prost::Message;
use tonic::Status;

use super::super::{names, status};
use super::draft;
use crate::desk::{self, Shown};
use crate::edge;

/// The kind's word.
pub fn kind_word(code: u16) -> String {
    Kind::from_code(code).map_or_else(|| format!("kind {code}"), |kind| kind.name().to_owned())
}

/// The signed bytes.
pub fn raw(signed: SignedRecord) -> v1::RawRecord {
    v1::RawRecord {
        signature: signed.header.signature.to_vec(),
        header: signed.header.bytes,
        salt: signed.salt.as_bytes().to_vec(),
        body: signed.body,
    }
}

/// The title of a body in each of its languages, as far as this version understands it.
pub fn title(kind: u16, body: &[u8]) -> Vec<v1::LanguageText> {
    match kinds::summarise(kind, body) {
        Body::Understood(summary) => summary.title,
        Body::NeedsNewerVersion | Body::Unreadable => Vec::new(),
    }
}

/// A record as a message; lists leave the bytes out.
pub fn record(view: &View<'_>, shown: &Shown, reader: &Reader, with_raw: bool) -> v1::Record {
    let header = shown.header();
    let kind = header.as_ref().map_or(0, |header| header.kind);
    let title = match (&shown.signed, &header) {
        (Some(signed), Some(header)) => title(header.kind, &signed.body),
        _ => Vec::new(),
    };
    let standings = shown
        .row
        .stands
        .iter()
        .filter(|stand| shown.row.lives(stand));
    v1::Record {
        name: names::record(&shown.key),
        kind: if kind == 0 {
            String::new()
        } else {
            kind_word(kind)
        },
        version: shown.current.as_ref().map_or(0, |stand| stand.version),
        state: state(shown).into(),
        time_ms: header.map_or(0, |header| header.time.0),
        title,
        standings: standings
            .map(|stand| v1::CircleStanding {
                circle: names::circle(&shown.key.rcp, &stand.log),
                circle_name: view
                    .logs
                    .get(&stand.log)
                    .map(circle_name)
                    .unwrap_or_default(),
                index: stand.index,
                version: stand.version,
            })
            .collect(),
        withdrawal: withdrawal(view, shown),
        raw: if with_raw {
            shown.signed.clone().map(raw)
        } else {
            None
        },
        revision: revision(view, reader),
        unconfirmed: shown.unconfirmed,
        released: released(view, shown, reader),
    }
}

/// Who cleared a record of ours, for the secretariat.
fn released(view: &View<'_>, shown: &Shown, reader: &Reader) -> Option<v1::DraftStep> {
    if !shown.own || *reader != Reader::Secretariat {
        return None;
    }
    let taken = view.drafts.released(&shown.key.record)?;
    // What was said to the draft is for those who may read drafts.
    Some(v1::DraftStep {
        note: String::new(),
        ..draft::step(taken)
    })
}

/// The store's revision, for the secretariat: it counts everything that this node does.
pub fn revision(view: &View<'_>, reader: &Reader) -> u64 {
    match reader {
        Reader::Secretariat => view.revision,
        Reader::Peer(_) | Reader::Anyone => 0,
    }
}

/// What a circle is called.
pub fn circle_name(log: &corridor_rules::Log) -> String {
    match log.sort {
        corridor_rules::Sort::Public => "public".to_owned(),
        _ => log.name.clone(),
    }
}

fn state(shown: &Shown) -> v1::RecordState {
    match (&shown.current, &shown.signed) {
        (Some(_), Some(_)) => v1::RecordState::Current,
        (Some(stand), None) => {
            let out = shown
                .row
                .quarantined
                .iter()
                .any(|(hash, _)| *hash == stand.version_hash);
            if out {
                v1::RecordState::Quarantined
            } else {
                v1::RecordState::Awaited
            }
        }
        (None, _) if shown.withdrawal.is_some() => v1::RecordState::Withdrawn,
        (None, _) if shown.own => v1::RecordState::Internal,
        (None, _) => v1::RecordState::Left,
    }
}

fn withdrawal(view: &View<'_>, shown: &Shown) -> Option<v1::WithdrawalInfo> {
    let withdrawn = shown.withdrawal.as_ref()?;
    let said = &withdrawn.withdrawal;
    let note = view
        .notes
        .get(&(shown.key.rcp, said.note))
        .and_then(|place| view.salted(*place))
        .and_then(|(_, note)| v1::WithdrawalNote::decode(note.as_slice()).ok());
    let replacement = RecordKey {
        rcp: shown.key.rcp,
        record: said.replacement,
    };
    Some(v1::WithdrawalInfo {
        up_to: said.up_to,
        code: code(said.reason).into(),
        note: note.map(|note| note.texts).unwrap_or_default(),
        replacement: if said.replacement.is_zero() {
            String::new()
        } else {
            names::record(&replacement)
        },
        time_ms: withdrawn.time.0,
    })
}

const fn code(reason: WithdrawalReason) -> v1::WithdrawalCode {
    match reason {
        WithdrawalReason::Superseded => v1::WithdrawalCode::Superseded,
        WithdrawalReason::Error => v1::WithdrawalCode::Error,
        WithdrawalReason::StateRequest => v1::WithdrawalCode::StateRequest,
        WithdrawalReason::Expired => v1::WithdrawalCode::Expired,
        WithdrawalReason::PersonalData => v1::WithdrawalCode::PersonalData,
        WithdrawalReason::Other => v1::WithdrawalCode::Other,
        WithdrawalReason::Unknown(_) => v1::WithdrawalCode::Unspecified,
    }
}

/// A page of records in an order that stays, and the last key if there may be more.
pub fn page(
    view: &View<'_>,
    reader: &Reader,
    parent: Option<RcpId>,
    after: Option<&RecordKey>,
    size: usize,
    show_all: bool,
) -> Result<(Vec<v1::Record>, Option<RecordKey>), Status> {
    let mut records = Vec::new();
    let start = match (after, parent) {
        (Some(after), _) => Some(*after),
        (None, Some(rcp)) => Some(RecordKey {
            rcp,
            record: RecordId::ZERO,
        }),
        (None, None) => None,
    };
    for key in desk::keys(view, reader, start, edge::now()) {
        match parent {
            Some(rcp) if key.rcp < rcp => continue,
            Some(rcp) if key.rcp > rcp => break,
            _ => {}
        }
        let Some(shown) = desk::show(view, &key, reader, edge::now(), show_all) else {
            continue;
        };
        if shown.current.is_none() && !show_all {
            continue;
        }
        records.push(record(view, &shown, reader, false));
        if records.len() == size {
            return Ok((records, Some(key)));
        }
    }
    Ok((records, None))
}

/// A page token: the last key, bound to the question; it grants nothing.
pub fn page_token(last: &RecordKey, parent: &str) -> String {
    let bytes = [
        last.rcp.as_bytes().as_slice(),
        last.record.as_bytes(),
        &question(parent),
    ]
    .concat();
    data_encoding::BASE64URL_NOPAD.encode(&bytes)
}

/// Reads a page token.
///
/// # Errors
/// `INVALID_ARGUMENT` for one of another question.
pub fn read_page_token(token: &str, parent: &str) -> Result<Option<RecordKey>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let read = || {
        let bytes = data_encoding::BASE64URL_NOPAD
            .decode(token.as_bytes())
            .ok()?;
        let (rcp, rest) = bytes.split_at_checked(32)?;
        let (record, asked) = rest.split_at_checked(16)?;
        (asked == question(parent)).then_some(())?;
        Some(RecordKey {
            rcp: RcpId::from_slice(rcp).ok()?,
            record: RecordId::from_slice(record).ok()?,
        })
    };
    let bad = || {
        status::bad_field(
            "page_token",
            "is not one of this list; begin again without it",
        )
    };
    read().map(Some).ok_or_else(bad)
}

fn question(parent: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = *hash(Domain::PageToken, &[parent.as_bytes()]).as_bytes();
    [a, b, c, d]
}
