//! What is written for integrators beside what the node does: reasons, fields of filters, limits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use corridor_node::api::reasons;
use corridor_node::library::fields::FIELDS;
use corridor_node::limits;
use corridor_node::operate::access::{Access, Role};
use corridor_node::operate::config::Reading;
use corridor_proto::{Reason, UnixMillis, v1};
use corridor_tests::nodes::Office;
use corridor_tests::raw::{Answer, Caller};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

fn page() -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/API.md");
    Ok(std::fs::read_to_string(path)?)
}

/// The rows of a table under a heading, cell by cell.
fn table(heading: &str) -> Result<Vec<Vec<String>>> {
    let page = page()?;
    let (_, rest) = page
        .split_once(&format!("\n## {heading}\n"))
        .context("a heading")?;
    let rest = rest.split("\n## ").next().unwrap_or_default();
    let rows = rest.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |line: &str| {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    Ok(rows.map(cells).collect())
}

/// The names of gRPC's codes.
const CODES: [&str; 16] = [
    "ABORTED",
    "ALREADY_EXISTS",
    "CANCELLED",
    "DATA_LOSS",
    "DEADLINE_EXCEEDED",
    "FAILED_PRECONDITION",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "OUT_OF_RANGE",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "UNIMPLEMENTED",
    "UNKNOWN",
];

fn code_word(code: &str) -> String {
    code.trim_matches('`').to_owned()
}

#[test]
fn every_reason_that_the_node_gives_is_written_and_translated() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/src/api/status.rs");
    let source = std::fs::read_to_string(path)?;
    let is_reason = |word: &&str| {
        let mut letters = word.bytes();
        let is_code = CODES.contains(word) && *word != "NOT_FOUND";
        !is_code && word.len() > 3 && letters.all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    let words = source.split('"').skip(1).step_by(2);
    let given: BTreeSet<&str> = words.filter(is_reason).collect();
    assert!(given.len() > 20, "the source is read: {given:?}");
    let translated: BTreeMap<&str, &str> = reasons::all().collect();
    let rows = table("Reasons")?;
    let written: BTreeMap<String, String> = rows
        .iter()
        .map(|row| (code_word(&row[0]), row[1].clone()))
        .collect();
    let protocol: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    for reason in given.difference(&protocol) {
        let code = translated
            .get(reason)
            .with_context(|| format!("{reason}: no text"))?;
        assert_eq!(
            written.get(*reason).map(String::as_str),
            Some(*code),
            "{reason}"
        );
    }
    let known = translated.keys().filter(|reason| **reason != "PROTOCOL");
    let known: BTreeSet<&str> = known.copied().collect();
    assert_eq!(known, given, "a text for a reason that nobody gives");
    Ok(())
}

#[test]
fn every_field_of_filters_is_written() -> Result<()> {
    let rows = table("Filters")?;
    let written: Vec<String> = rows.iter().map(|row| code_word(&row[0])).collect();
    assert_eq!(written, FIELDS.map(|(name, ..)| name.to_owned()));
    for row in rows {
        let example = row[2].split('`').nth(1).context("an example")?;
        let parsed =
            corridor_node::library::Filter::parse(example, &corridor_rules::Reader::Secretariat);
        assert!(parsed.is_ok(), "{example}: {parsed:?}");
    }
    Ok(())
}

#[test]
fn limits_are_as_written() -> Result<()> {
    let told = table("Limits")?
        .iter()
        .map(|row| row[1].clone())
        .collect::<Vec<_>>()
        .join("\n");
    let reading = Reading::default();
    for limit in [
        limits::PAGE_DEFAULT,
        limits::PAGE_MAX,
        limits::PAGE_ROWS_MAX,
        limits::SEARCH_PAGE_DEFAULT,
        limits::SEARCH_PAGE_MAX,
        limits::SEARCHES_AT_ONCE,
        limits::BATCH_MAX,
        limits::READ_AT_ONCE,
        limits::READ_BYTES_AT_ONCE / 1024,
        limits::FILTER_BYTES_MAX,
        limits::FILTER_DEPTH_MAX,
        limits::FILTER_TERMS_MAX,
        limits::QUERY_BYTES_MAX,
        limits::QUERY_WORDS_MAX,
        limits::FACET_VALUES_MAX,
        usize::try_from(reading.calls_per_minute)?,
        usize::try_from(reading.anonymous_calls_per_minute)?,
    ] {
        let number = limit.to_string();
        let mut words = told.split(|c: char| !c.is_ascii_digit());
        assert!(words.any(|word| word == number), "{number} in {told}");
    }
    Ok(())
}

fn details(answer: &Answer) -> ErrorDetails {
    let details = answer.details.clone().into();
    Status::with_details(answer.code, "", details).get_error_details()
}

/// A refusal has its reason, the field that is wrong, and a sentence in the caller's language,
/// whether it comes at once or at the end of a stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_in_the_language_of_the_caller() -> Result<()> {
    let office = Office::open("Rabat Process", true).await?;
    let token = Access::of(&office.data()).create(&[Role::Reader], "one", UnixMillis(0))?;
    for (accepted, language) in [
        (None, "en"),
        (Some("fr-MA,en;q=0.1"), "fr"),
        (Some("ar"), "ar"),
    ] {
        let mut caller = Caller::of(&office, Some(token.clone())).await?;
        caller.accept_language(accepted);
        let request = v1::ListRecordsRequest {
            page_size: -1,
            ..v1::ListRecordsRequest::default()
        };
        let answer = caller.call("RecordService/ListRecords", &request).await?;
        let details = details(&answer);
        let told = details.localized_message().context("a sentence")?;
        assert_eq!(told.locale, language);
        assert_eq!(
            Some(told.message.as_str()),
            reasons::text("INVALID_FIELDS", language)
        );
        let field = &details.bad_request().context("fields")?.field_violations[0];
        assert_eq!(field.field, "page_size");
        assert_eq!(
            details.error_info().context("a reason")?.reason,
            "INVALID_FIELDS"
        );
    }
    Ok(())
}

/// Over its budget a call is refused, and told how long to wait; others are served.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_too_often_is_told_to_wait() -> Result<()> {
    let reading = Reading {
        anonymous: true,
        calls_per_minute: 20,
        anonymous_calls_per_minute: 3,
    };
    let mut office = Office::open("Budapest Process", true).await?;
    office.read_by(reading).await?;
    let access = Access::of(&office.data());
    let token = |label| access.create(&[Role::Public], label, UnixMillis(0));
    let (one, other) = (Some(token("one")?), Some(token("other")?));
    let request = v1::GetRecordRequest {
        name: format!(
            "rcps/{}/records/{}",
            office.rcp,
            corridor_proto::RecordId::ZERO
        ),
    };
    for (token, most) in [(one, 60), (None, 12)] {
        let mut caller = Caller::of(&office, token).await?;
        let mut answers = Vec::new();
        for _ in 0..most {
            answers.push(caller.call("RecordService/GetRecord", &request).await?);
        }
        assert_eq!(answers[0].code, Code::NotFound, "{}", answers[0].message);
        let last = answers.last().context("answers")?;
        assert_eq!(last.code, Code::ResourceExhausted);
        let details = details(last);
        assert_eq!(
            details.error_info().context("a reason")?.reason,
            "TOO_OFTEN"
        );
        let delay = details.retry_info().and_then(|info| info.retry_delay);
        assert!(delay.is_some_and(|delay| !delay.is_zero() && delay.as_secs() <= 30));
    }
    let mut caller = Caller::of(&office, other).await?;
    let answer = caller.call("RecordService/GetRecord", &request).await?;
    assert_eq!(
        answer.code,
        Code::NotFound,
        "another token has its own budget"
    );
    Ok(())
}

/// Without a token what is public is read where that is configured, and nothing else ever.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_shows_no_token_reads_what_is_public_if_that_is_configured() -> Result<()> {
    let mut office = Office::open("Bali Process", true).await?;
    let (public, federation) = (office.circle("public")?, office.circle("federation")?);
    office.publish("For everybody", &[public]).await?;
    office.publish("For some", &[federation]).await?;
    let nothing = v1::SearchRecordsRequest::default();
    let mut caller = Caller::of(&office, None).await?;
    let answer = caller.call("RecordService/SearchRecords", &nothing).await?;
    assert_eq!(answer.code, Code::Unauthenticated);
    let reading = Reading {
        anonymous: true,
        ..Reading::default()
    };
    office.read_by(reading).await?;
    let mut caller = Caller::of(&office, None).await?;
    let answer = caller.call("RecordService/SearchRecords", &nothing).await?;
    let found: v1::SearchRecordsResponse = answer.read()?;
    assert_eq!(found.total_size, 1);
    for call in ["RecordService/CreateDraft", "PeerService/ListPeers"] {
        let answer = caller.call(call, &nothing).await?;
        assert_eq!(answer.code, Code::Unauthenticated, "{call}");
    }
    let mut caller = Caller::of(&office, Some("guessed".to_owned())).await?;
    let answer = caller.call("RecordService/SearchRecords", &nothing).await?;
    assert_eq!(
        answer.code,
        Code::Unauthenticated,
        "a bad token is no token"
    );
    Ok(())
}
