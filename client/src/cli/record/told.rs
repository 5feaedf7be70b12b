//! What is told of one record, in words: its text's own particulars, and its withdrawal.
//!
//! **Invariant:** nothing here decides what was verified; it puts into words what it is given.

use corridor_proto::kinds::Kind;
use corridor_proto::line::WHOLE_RECORD;
use serde_json::Value;

use crate::body;
use crate::cli::dates;
use crate::cli::render::withdrawal_code;
use crate::v1;

/// How far a withdrawal reaches, and why it was made. `shown` is the version in force, 0 for none.
pub(super) fn withdrawal(withdrawal: &v1::WithdrawalInfo, shown: u64) -> String {
    let what = match withdrawal.up_to {
        WHOLE_RECORD => "Withdrawn".to_owned(),
        up_to if up_to < shown => format!(
            "Earlier versions, up to the one of {}, were withdrawn",
            dates::minute(up_to)
        ),
        up_to => format!(
            "All versions up to the one of {} were withdrawn",
            dates::minute(up_to)
        ),
    };
    format!(
        "{what} on {}: {}.",
        dates::day(withdrawal.time_ms),
        withdrawal_code(withdrawal.code())
    )
}

/// What a body says of itself beside title and summary, as rows of a table; nothing for a body that
/// this version does not understand.
pub(super) fn particulars(kind: u16, bytes: &[u8]) -> Vec<Vec<String>> {
    let Ok(body) = body::to_json(kind, bytes) else {
        return Vec::new();
    };
    let envelope = &body["envelope"];
    let rows = [
        ("marking", marking(text(&envelope["marking"]))),
        ("standing", standing(text(&envelope["standing"]))),
        ("stage", word("PRACTICE_STAGE_", &body["stage"])),
        ("sort", word("INSTRUMENT_", &body["instrument"])),
        ("status", rcp_status(&body["status"])),
        ("countries", texts(&envelope["countries"])),
        ("members", texts(&body["memberStates"])),
        ("themes", list(&envelope["themes"], theme)),
        ("years", span(&body["startYear"], &body["endYear"])),
        (
            "period",
            span(&body["period"]["from"], &body["period"]["to"]),
        ),
        ("founded", span(&body["founded"], &body["ended"])),
        ("adopted", adopted(&body)),
        ("embargo until", text(&envelope["embargoUntil"]).to_owned()),
        ("review by", text(&envelope["reviewBy"]).to_owned()),
        ("implementers", list(&body["implementers"], name)),
        ("sources", list(&envelope["sources"], source)),
    ];
    let rows = rows.map(|(key, value)| (key.to_owned(), value));
    let kind = Kind::from_code(kind).filter(|kind| !has_words_of_its_own(*kind));
    let of_kind = kind.map_or_else(Vec::new, |kind| body::rows::of(kind, bytes));
    let rows = of_kind.into_iter().chain(rows);
    let rows = rows.filter(|(_, value)| !value.is_empty());
    rows.map(|(key, value)| vec![format!("  {key}"), value])
        .collect()
}

/// Whether the rows above say what matters of such a body.
const fn has_words_of_its_own(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Practice | Kind::Lesson | Kind::Recommendation | Kind::Guideline | Kind::Profile
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(values: &Value, one: impl Fn(&Value) -> String) -> String {
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn texts(values: &Value) -> String {
    list(values, |value| text(value).to_owned())
}

/// A value of an enum without what all of its values begin with; a number is one that this version
/// does not know.
fn word(prefix: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let text = text.strip_prefix(prefix).unwrap_or(text);
            text.to_lowercase().replace('_', " ")
        }
        _ => "not understood".to_owned(),
    }
}

/// Whether an RCP works; other kinds have a status of their own.
fn rcp_status(value: &Value) -> String {
    if text(value).starts_with("RCP_STATUS_") {
        word("RCP_STATUS_", value)
    } else {
        String::new()
    }
}

/// How it may be handled; as strict as can be where that is not understood.
fn marking(marking: &str) -> String {
    match v1::Marking::from_str_name(marking) {
        Some(v1::Marking::Clear) => "clear: no restriction on handling",
        Some(v1::Marking::FederationOnly) => "not beyond the RCPs of the federation",
        Some(v1::Marking::NamedOnly) => "not beyond the readers named for it",
        Some(v1::Marking::Restricted) => "restricted: ask the owner before any further use",
        Some(v1::Marking::Unspecified) | None => "not understood: ask the owner before any use",
    }
    .to_owned()
}

fn standing(standing: &str) -> String {
    match v1::Standing::from_str_name(standing) {
        Some(v1::Standing::NationalSubmission) => "one State said so",
        Some(v1::Standing::SecretariatNote) => "the secretariat wrote it down",
        Some(v1::Standing::ChairSummary) => "the chair summed up",
        Some(v1::Standing::Consensus) => "the members agreed",
        Some(v1::Standing::MinisterialOutcome) => "ministers adopted it",
        Some(v1::Standing::Unspecified) | None => "not understood",
    }
    .to_owned()
}

/// A year or a date as the JSON has it; empty for none.
fn date(value: &Value) -> String {
    match value {
        Value::Number(year) => year.to_string(),
        value => text(value).to_owned(),
    }
}

fn span(from: &Value, to: &Value) -> String {
    match (date(from), date(to)) {
        (from, _) if from.is_empty() => from,
        (from, to) if to.is_empty() => format!("from {from}"),
        (from, to) => format!("{from} to {to}"),
    }
}

fn adopted(body: &Value) -> String {
    let parts = [("on ", "adoptedOn"), ("by ", "adoptedBy")];
    let parts = parts.map(|(before, key)| (before, text(&body[key])));
    let said = parts.iter().filter(|(_, value)| !value.is_empty());
    said.map(|(before, value)| format!("{before}{value}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn name(organisation: &Value) -> String {
    text(&organisation["name"]).to_owned()
}

fn theme(theme: &Value) -> String {
    match text(&theme["concept"]) {
        "" => text(&theme["label"]["text"]).to_owned(),
        concept => concept.replace('-', " "),
    }
}

fn source(source: &Value) -> String {
    let date = match text(&source["date"]) {
        "" => String::new(),
        date => format!(" of {date}"),
    };
    match (text(&source["title"]), text(&source["url"])) {
        ("", url) => format!("{url}{date}"),
        (title, url) => format!("{title}{date} ({url})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_withdrawal_says_how_far_it_reaches() {
        let reach = |up_to, shown| {
            let info = v1::WithdrawalInfo {
                up_to,
                code: v1::WithdrawalCode::PersonalData.into(),
                time_ms: 1_795_478_400_000,
                ..v1::WithdrawalInfo::default()
            };
            withdrawal(&info, shown)
        };
        let end = "on 2026-11-24: it held personal data.";
        assert_eq!(reach(WHOLE_RECORD, 0), format!("Withdrawn {end}"));
        let version = 1_735_603_200_000;
        let earlier = "Earlier versions, up to the one of 2024-12-31 00:00 UTC, were withdrawn";
        assert_eq!(reach(version, version + 1), format!("{earlier} {end}"));
        assert!(reach(version, 0).starts_with("All versions up to the one of 2024-12-31"));
    }

    #[test]
    fn every_kind_tells_its_particulars() {
        let cases = [
            (Kind::Practice, "themes: pre departure orientation"),
            (Kind::Practice, "years: from 2014"),
            (Kind::Lesson, "marking: clear: no restriction on handling"),
            (Kind::Recommendation, "adopted: on 2024-05-14 by"),
            (Kind::Guideline, "sort: guideline"),
            (Kind::Profile, "members: AE, PH"),
            (Kind::Term, "status: in use"),
            (Kind::Term, "definition: REPLACE: People"),
            (Kind::Mapping, "to: smuggling-of-migrants"),
            (Kind::Meeting, "starts on: 2027-05-12"),
            (Kind::Meeting, "openness: members and observers"),
            (
                Kind::ObserverGrant,
                "rights: attend, speak when given floor",
            ),
            (Kind::Contribution, "paragraphs 2: 2 REPLACE: What it asks"),
            (Kind::Review, "cleared by: chair"),
            (Kind::Contact, "role: desk"),
        ];
        for (kind, expect) in cases {
            let id = "ea".repeat(26);
            let json = body::template(kind).replace("REPLACE-RCP", &id);
            let json = json.replace("REPLACE-RECORD", &id[..26]);
            let bytes = body::from_json(kind, json.as_bytes()).expect("a body");
            let rows = particulars(kind.code(), &bytes);
            let rows: Vec<_> = rows.iter().map(|row| row.join(": ")).collect();
            let text = rows.join("\n");
            assert!(text.contains(expect), "{kind}: {text}");
            assert!(text.contains("standing: "), "{kind}: {text}");
        }
    }
}
