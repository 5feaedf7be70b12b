//! Commands that read records.
//!
//! **Invariant:** "verified" is written only of what this program verified itself.

use corridor_proto::RcpId;
use corridor_proto::kinds::{Shown, Summary, summarise};
use corridor_proto::record::VerifiedRecord;
use serde_json::{Value, json};

use super::draft::{draft_json, draft_title, say_steps};
use super::told;
use super::{ListArgs, ShowArgs, WatchArgs, WhichArgs};
use crate::body;
use crate::calls::{ReadRecord, Wanted};
use crate::check::{Check, CheckedRecord, Unverified, kind_word};
use crate::cli::dates;
use crate::cli::fail::Failure;
use crate::cli::find::{peer_id, record_row};
use crate::cli::proof::{from, header_json, is_not_found};
use crate::cli::render::{
    DEMONSTRATION, count_of, in_languages, list_json, record_json, record_state, short, standings,
    title,
};
use crate::cli::session::{Session, Whose};
use crate::names::{RcpName, RecordName};
use crate::shown::safe_line;
use crate::v1;

pub(super) async fn list(session: &mut Session<'_>, args: ListArgs) -> Result<(), Failure> {
    let wanted = wanted(session, args.which, args.all).await?;
    let records = session.client.records_where(&wanted).await?;
    if !session.print_json(|| Ok(json!({ "records": list_json(&records, checked_json)? })))? {
        session
            .screen
            .table(&records.iter().map(row).collect::<Vec<_>>());
        session
            .screen
            .say(format!("{}.", count_of(&records, "record")));
    }
    all_proved(records.iter().filter(|record| is_unproved(record)).count())
}

/// The records that are meant.
pub(super) async fn wanted(
    session: &Session<'_>,
    which: WhichArgs,
    all: bool,
) -> Result<Wanted, Failure> {
    Ok(Wanted {
        rcp: rcp(session, which.rcp.as_deref()).await?,
        filter: which.filter,
        all,
    })
}

/// The RCP that is meant, if one is named.
pub(super) async fn rcp(
    session: &Session<'_>,
    text: Option<&str>,
) -> Result<Option<RcpId>, Failure> {
    Ok(match text {
        None => None,
        Some("own") => Some(session.own().await?),
        Some(text) => match text.strip_prefix("rcps/").unwrap_or(text).parse() {
            Ok(rcp) => Some(rcp),
            Err(_) => Some(peer_id(&session.peer(text).await?)?),
        },
    })
}

/// Whether the node should have proved it and did not.
pub(super) const fn is_unproved(record: &CheckedRecord) -> bool {
    matches!(
        record.check,
        Check::Unverified(Unverified::NoProof | Unverified::Refused(_))
    )
}

pub(super) fn all_proved(unproved: usize) -> Result<(), Failure> {
    match unproved {
        0 => Ok(()),
        number => Err(Failure::Unproved(number)),
    }
}

/// A record on one line: identifier, kind, state, RCP, title, and whether it was verified here.
pub(super) fn row(checked: &CheckedRecord) -> Vec<String> {
    let record = &checked.record;
    let rcp = record.name.split('/').nth(1).unwrap_or_default();
    let mut state = record_state(record.state()).to_owned();
    if record.unconfirmed {
        state.push_str(", unconfirmed");
    }
    let mut cells = record_row(record);
    cells.splice(2..2, [state, short(rcp)]);
    cells.push(check_words(&checked.check));
    cells
}

fn check_words(check: &Check) -> String {
    match check {
        Check::Verified(_) => "verified".to_owned(),
        Check::Unverified(why) => format!("not verified: {why}"),
    }
}

/// A record of a list as JSON, with what was verified of it.
pub(super) fn checked_json(checked: &CheckedRecord) -> Result<Value, Failure> {
    let mut value = record_json(&checked.record)?;
    let signed = checked.signed();
    value["verified"] = signed.map_or(Value::Null, |one| {
        header_json(&one.header, one.version_hash)
    });
    value["check"] = check_words(&checked.check).into();
    Ok(value)
}

pub(super) async fn show(session: &mut Session<'_>, args: ShowArgs) -> Result<(), Failure> {
    let name = session.record(&args.record.record, Whose::Anybodys).await?;
    if args.draft {
        let draft = session.client.draft(&name).await?;
        return show_draft(session, &name, &draft);
    }
    // The charter of our own RCP, so that records in no circle can be verified as well.
    let own = session.own().await?;
    let read = match session.client.record(&name).await {
        Err(error) if name.rcp == own && is_not_found(&error) => {
            return match session.client.draft(&name).await {
                Ok(draft) => show_draft(session, &name, &draft),
                Err(_) => Err(error.into()),
            };
        }
        read => read?,
    };
    if read.record.state() == v1::RecordState::Current {
        let answer = session.client.verified_record(&name).await?;
        let words = "verified: signature, line, checkpoint, charter";
        shown(session, &read, Some(answer.record()), from(&answer), words).await?;
        return tell_of_draft(session, &name, own).await;
    }
    let words = match &read.verified {
        Some(_) => "verified: signature, charter; it stands in no circle",
        None => &without_text(read.record.state()),
    };
    let from = session.known().await?.rcp(&RcpName(name.rcp).to_string());
    shown(session, &read, read.verified.as_ref(), from, words).await
}

fn without_text(state: v1::RecordState) -> String {
    match state {
        v1::RecordState::Withdrawn => "withdrawn; no text is left to verify".to_owned(),
        state => format!("not verified: {}", Unverified::NothingInForce(state)),
    }
}

/// Says that there is a text which is not yet published, to whoever may see it.
async fn tell_of_draft(
    session: &mut Session<'_>,
    name: &RecordName,
    own: RcpId,
) -> Result<(), Failure> {
    if name.rcp == own && !session.json && session.client.draft(name).await.is_ok() {
        let id = short(&name.record.to_string());
        session.screen.say("There is a draft of a new version.");
        session
            .screen
            .next(format!("corridor record show {id} --draft"));
    }
    Ok(())
}

/// A record that was never published is a draft, or nothing.
fn show_draft(
    session: &mut Session<'_>,
    name: &RecordName,
    draft: &v1::Draft,
) -> Result<(), Failure> {
    let kind = super::kind(&draft.kind)?;
    let printed = session.print_json(|| {
        Ok(json!({
            "draft": draft_json(draft)?,
            "body": body::to_json(kind.code(), &draft.body)?,
        }))
    })?;
    if printed {
        return Ok(());
    }
    session.screen.data(draft_title(draft));
    if let Shown::Understood(summary) = summarise(kind.code(), &draft.body) {
        say_summary(session.screen, &summary);
    }
    session
        .screen
        .data("draft: signed by nobody, seen by nobody else");
    say_steps(session, &draft.steps);
    session
        .screen
        .data(format!("etag: {}", safe_line(&draft.etag)));
    let id = short(&name.record.to_string());
    session
        .screen
        .next(format!("corridor record publish {id} --circle CIRCLE"));
    Ok(())
}

/// Whom a verified record is from: the name on its RCP's card, and the identifier.
async fn shown(
    session: &mut Session<'_>,
    read: &ReadRecord,
    verified: Option<&VerifiedRecord>,
    from: String,
    words: &str,
) -> Result<(), Failure> {
    let record = &read.record;
    let body = verified.map(|one| (one.header().kind, one.signed().body.as_slice()));
    let printed = session.print_json(|| {
        Ok(json!({
            "record": record_json(record)?,
            "body": body.and_then(|(kind, body)| body::to_json(kind, body).ok()),
            "verified": verified.map(|one| header_json(one.header(), one.version_hash())),
            "check": words,
        }))
    })?;
    if printed {
        return Ok(());
    }
    let summary = body.map(|(kind, body)| summarise(kind, body));
    let circles = standings(record, &session.known().await?);
    let screen = &mut *session.screen;
    match &summary {
        Some(Shown::Understood(summary)) => say_titles(screen, &summary.title),
        None if record.title.is_empty() && record.state() == v1::RecordState::Withdrawn => {
            screen.data("A record that was withdrawn");
        }
        _ => say_titles(screen, &record.title),
    }
    let mut facts = facts(record, verified, &from, circles);
    facts.extend(
        body.into_iter()
            .flat_map(|(kind, body)| told::particulars(kind, body)),
    );
    screen.table(&facts);
    match &summary {
        Some(Shown::Understood(summary)) => say_summary(screen, summary),
        Some(Shown::NeedsNewerVersion) => {
            screen.data("Its text needs a newer version of this program.")
        }
        Some(Shown::Unreadable) => screen.data("Its text cannot be read as a record of its kind."),
        None => {}
    }
    say_withdrawal(screen, record, verified);
    screen.data(words);
    Ok(())
}

fn say_titles(screen: &mut crate::cli::Screen, texts: &[v1::LanguageText]) {
    if texts.is_empty() {
        screen.data(title(texts));
    }
    for text in texts {
        screen.data(format!(
            "{} ({})",
            safe_line(&text.text),
            safe_line(&text.tag)
        ));
    }
}

/// What is said of every record. Of a verified one nothing here but state and circles is the
/// node's word.
fn facts(
    record: &v1::Record,
    verified: Option<&VerifiedRecord>,
    from: &str,
    circles: String,
) -> Vec<Vec<String>> {
    let fact = |key: &str, value: String| vec![format!("  {key}"), value];
    let header = verified.map(VerifiedRecord::header);
    let kind = header.map_or_else(|| record.kind.clone(), |header| kind_word(header.kind));
    let version = header.map_or(record.version, |header| header.version);
    let time_ms = header.map_or(record.time_ms, |header| header.time.0);
    let mut facts = vec![
        fact("from", from.to_owned()),
        fact("record", record.name.clone()),
        fact("state", record_state(record.state()).to_owned()),
    ];
    if !kind.is_empty() {
        facts.insert(0, fact("kind", kind));
    }
    if version != 0 {
        facts.push(fact(
            "version",
            format!("{version}, signed {}", dates::day(time_ms)),
        ));
    }
    if record.state() != v1::RecordState::Withdrawn {
        facts.push(fact("circles", circles));
    }
    if record.unconfirmed {
        let text = "its RCP is not confirmed here; compare the safety number before you use it";
        facts.push(fact("caution", text.to_owned()));
    }
    facts
}

fn say_summary(screen: &mut crate::cli::Screen, summary: &Summary) {
    if summary.demonstration {
        screen.data(DEMONSTRATION);
    }
    for line in in_languages(&summary.summary) {
        screen.data(line);
    }
}

fn say_withdrawal(
    screen: &mut crate::cli::Screen,
    record: &v1::Record,
    verified: Option<&VerifiedRecord>,
) {
    let Some(withdrawal) = &record.withdrawal else {
        return;
    };
    let shown = verified.map_or(record.version, |one| one.header().version);
    screen.data(told::withdrawal(withdrawal, shown));
    for line in in_languages(&withdrawal.note) {
        screen.data(line);
    }
    if !withdrawal.replacement.is_empty() {
        screen.data(format!(
            "Replaced by {}",
            safe_line(&withdrawal.replacement)
        ));
    }
}

/// The day on which a record was signed or withdrawn.
fn changed_on(record: &v1::Record) -> String {
    let withdrawn = record.withdrawal.as_ref().map(|one| one.time_ms);
    match withdrawn.unwrap_or(record.time_ms) {
        0 => "-".to_owned(),
        time_ms => dates::day(time_ms),
    }
}

pub(super) async fn watch(session: &mut Session<'_>, args: WatchArgs) -> Result<(), Failure> {
    let mut watch = session.client.watch(args.cursor);
    let mut unproved = 0;
    loop {
        let change = watch.next().await?;
        if let Some(checked) = &change.record {
            unproved += usize::from(is_unproved(checked));
            if session.json {
                let value = json!({ "record": checked_json(checked)?, "cursor": change.cursor });
                session.screen.json(&value);
            } else {
                let mut cells = vec![changed_on(&checked.record)];
                cells.extend(row(checked));
                session.screen.table(&[cells]);
            }
        } else if session.json {
            session
                .screen
                .json(&json!({ "caughtUp": true, "cursor": change.cursor }));
        } else {
            session.screen.say("All that is there now was shown.");
        }
        if session.screen.is_closed() {
            return Ok(());
        }
        if change.record.is_none() && args.until_now {
            if let (false, Some(cursor)) = (session.json, watch.cursor()) {
                session
                    .screen
                    .next(format!("corridor record watch --cursor {cursor}"));
            }
            return all_proved(unproved);
        }
    }
}
