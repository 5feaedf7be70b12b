//! Records as messages.

use corridor_proto::kinds::{self, Kind, Shown as Body};
use corridor_proto::line::WithdrawalReason;
use corridor_proto::record::SignedRecord;
use corridor_proto::v1;
use corridor_rules::Reader;
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_store::View;
use prost::Message;

use super::super::names;
use super::draft;
use crate::desk::Shown;

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

/// A record as a message, with its title as it was read from its signed bytes.
pub fn record(view: &View<'_>, shown: &Shown, reader: &Reader, with_raw: bool) -> v1::Record {
    let kind = shown.held.as_ref().map_or(0, |held| held.kind);
    let title = shown.signed.as_ref();
    let title = title.map(|signed| self::title(kind, &signed.body));
    let raw = shown.signed.clone().filter(|_| with_raw);
    v1::Record {
        raw: raw.map(self::raw),
        ..titled(view, shown, reader, title.unwrap_or_default())
    }
}

/// A record as a message, without its signed bytes.
pub fn titled(
    view: &View<'_>,
    shown: &Shown,
    reader: &Reader,
    title: Vec<v1::LanguageText>,
) -> v1::Record {
    let (held, row) = (shown.held.as_ref(), &shown.row);
    let standings = row.stands.iter().filter(|stand| row.lives(stand));
    v1::Record {
        name: names::record(&shown.key),
        kind: held.map(|held| kind_word(held.kind)).unwrap_or_default(),
        version: shown.current.as_ref().map_or(0, |stand| stand.version),
        state: shown.state().into(),
        time_ms: held.map_or(0, |held| held.time.0),
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
        raw: None,
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
    Some(draft::step(view, taken))
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
