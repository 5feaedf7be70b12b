//! Commands that change records.
//!
//! **Invariant:** a body is in the form that its kind asks for before it is sent.

use std::collections::BTreeSet;

use corridor_proto::kinds::{self, Kind, Tidy};
use corridor_proto::line::WHOLE_RECORD;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{CirclesArgs, DiscardArgs, DraftArgs, EditArgs, PublishArgs, WithdrawArgs, kind};
use crate::body;
use crate::calls::WithdrawalRequest;
use crate::cli::dates;
use crate::cli::fail::{Failure, field_and_words};
use crate::cli::render::{count_of, record_json, short, short_name, standings, title};
use crate::cli::session::{Session, Whose};
use crate::limits::JSON_BYTES_MAX;
use crate::names::RecordName;
use crate::shown::safe_line;
use crate::v1;

/// What a draft still needs: field, then what and the remedy.
type Needed = Vec<(String, String)>;

pub(super) async fn draft(session: &mut Session<'_>, args: DraftArgs) -> Result<(), Failure> {
    let kind = kind(&args.kind)?;
    let json = read_json(session, &args.file).await?;
    let body = body::from_json(kind, &json)?;
    let draft = session.client.create_draft(kind, body.clone()).await?;
    saved(session, &draft, kind, &body, " --circle CIRCLE")
}

/// A file of JSON; whether it is a record's is another question.
async fn read_json(session: &mut Session<'_>, file: &str) -> Result<Vec<u8>, Failure> {
    let json = session.read_file(file, JSON_BYTES_MAX).await?;
    match serde_json::from_slice::<IgnoredAny>(&json) {
        Ok(_) => Ok(json),
        Err(source) => Err(Failure::NotJson {
            path: file.into(),
            source,
        }),
    }
}

pub(super) async fn edit(session: &mut Session<'_>, args: EditArgs) -> Result<(), Failure> {
    let json = read_json(session, &args.file).await?;
    let name = session.record(&args.record.record, Whose::Ours).await?;
    let given = args.kind.as_deref().map(kind).transpose()?;
    let kind = match (kind_of(session, &name).await?, given) {
        (Some(known), Some(given)) if known != given => {
            return Err(Failure::Usage(format!(
                "the record is a {known}, and stays one; leave --kind out"
            )));
        }
        (Some(kind), _) | (None, Some(kind)) => kind,
        (None, None) => {
            let text = "the node holds no text of the record any more, so its kind is not known \
                        here; repeat the command with --kind KIND";
            return Err(Failure::Usage(text.to_owned()));
        }
    };
    let body = body::from_json(kind, &json)?;
    let draft = session
        .client
        .update_draft(&name, kind, body.clone())
        .await?;
    let stands = match session.client.record(&name).await {
        Ok(read) => !read.record.standings.is_empty(),
        Err(_) => false,
    };
    let circles = if stands { "" } else { " --circle CIRCLE" };
    saved(session, &draft, kind, &body, circles)
}

/// The kind of a draft or of a published record; `None` where no text of it is left.
async fn kind_of(session: &Session<'_>, name: &RecordName) -> Result<Option<Kind>, Failure> {
    let drafts = session.client.drafts().await?;
    if let Some(draft) = drafts.iter().find(|draft| draft.name == name.to_string()) {
        return kind(&draft.kind).map(Some);
    }
    let record = session.client.record(name).await?.record;
    let withdrawn = record.withdrawal.as_ref().map_or(0, |one| one.up_to);
    match record.kind.as_str() {
        _ if withdrawn == WHOLE_RECORD => Err(Failure::Withdrawn),
        "" => Ok(None),
        word => kind(word).map(Some),
    }
}

fn saved(
    session: &mut Session<'_>,
    draft: &v1::Draft,
    kind: Kind,
    body: &[u8],
    circles: &str,
) -> Result<(), Failure> {
    let needed = needed(draft, kind, body);
    if session.print_json(|| Ok(json!({ "draft": draft_json(draft, &needed) })))? {
        return Ok(());
    }
    let id = short_name(&draft.name);
    session.screen.data(safe_line(&draft.name));
    session
        .screen
        .say("The draft is saved. Nobody else sees it.");
    if needed.is_empty() {
        session
            .screen
            .next(format!("corridor record publish {id}{circles}"));
        return Ok(());
    }
    session
        .screen
        .say("Before it can be published it still needs this:");
    say_needed(session, &needed);
    session
        .screen
        .next(format!("corridor record edit {id} FILE"));
    Ok(())
}

fn say_needed(session: &mut Session<'_>, needed: &Needed) {
    for (field, words) in needed {
        session
            .screen
            .say(format!("  {}: {}", safe_line(field), safe_line(words)));
    }
}

/// What our own rules say, and what the node says about other fields.
fn needed(draft: &v1::Draft, kind: Kind, body: &[u8]) -> Needed {
    let own = kinds::check(kind, body).err().unwrap_or_default();
    let mut needed: Needed = own.iter().map(field_and_words).collect();
    let known: BTreeSet<String> = own.into_iter().map(|one| one.field).collect();
    let others = draft
        .problems
        .iter()
        .filter(|one| !known.contains(&one.field));
    needed.extend(others.map(|one| (one.field.clone(), one.description.clone())));
    needed
}

fn draft_json(draft: &v1::Draft, needed: &Needed) -> Value {
    let needed: Vec<_> = needed
        .iter()
        .map(|(field, words)| json!({ "field": field, "description": words }))
        .collect();
    json!({
        "name": draft.name,
        "kind": draft.kind,
        "timeMs": draft.time_ms.to_string(),
        "needed": needed,
    })
}

pub(super) async fn drafts(session: &mut Session<'_>) -> Result<(), Failure> {
    let drafts = session.client.drafts().await?;
    let with_needed = |draft: &v1::Draft| match kind(&draft.kind) {
        Ok(kind) => needed(draft, kind, &draft.body),
        Err(_) => Needed::new(),
    };
    let all: Vec<_> = drafts
        .iter()
        .map(|draft| (draft, with_needed(draft)))
        .collect();
    let printed = session.print_json(|| {
        let one = |(draft, needed): &(&v1::Draft, Needed)| {
            let mut value = draft_json(draft, needed);
            value["body"] = body_json(draft);
            value
        };
        Ok(json!({ "drafts": all.iter().map(one).collect::<Vec<_>>() }))
    })?;
    if printed {
        return Ok(());
    }
    if drafts.is_empty() {
        session.screen.say("No drafts.");
        session.screen.next("corridor record template practice");
    }
    let row = |(draft, needed): &(&v1::Draft, Needed)| {
        let needs = match needed.as_slice() {
            [] => "ready".to_owned(),
            all => format!("needs {}", count_of(all, "thing")),
        };
        vec![
            short_name(&draft.name),
            draft.kind.clone(),
            needs,
            draft_title(draft),
        ]
    };
    session
        .screen
        .table(&all.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

fn body_json(draft: &v1::Draft) -> Value {
    kind(&draft.kind)
        .ok()
        .and_then(|kind| body::to_json(kind.code(), &draft.body).ok())
        .unwrap_or(Value::Null)
}

/// What a draft is called.
pub(super) fn draft_title(draft: &v1::Draft) -> String {
    let shown = kind(&draft.kind).map(|kind| kinds::summarise(kind.code(), &draft.body));
    match shown {
        Ok(kinds::Shown::Understood(summary)) => title(&summary.title),
        _ => title(&[]),
    }
}

pub(super) async fn discard(session: &mut Session<'_>, args: DiscardArgs) -> Result<(), Failure> {
    let name = session.record(&args.record.record, Whose::Ours).await?;
    session
        .agree("The draft and its text will be erased.", args.yes)
        .await?;
    session.client.delete_draft(&name).await?;
    if session.print_json(|| Ok(json!({ "discarded": name.to_string() })))? {
        return Ok(());
    }
    session.screen.say("The draft is erased.");
    session.screen.next("corridor record drafts");
    Ok(())
}

pub(super) async fn publish(session: &mut Session<'_>, args: PublishArgs) -> Result<(), Failure> {
    let name = session.record(&args.record, Whose::Ours).await?;
    let circles = session.circles(&args.circles).await?;
    let id = short(&name.record.to_string());
    if args.dry_run {
        session.client.check_publish(&name, &circles).await?;
        let dry_run = || Ok(json!({ "dryRun": true, "name": name.to_string() }));
        if session.print_json(dry_run)? {
            return Ok(());
        }
        session
            .screen
            .say("It can be published like this. Nothing was changed.");
        let circles: String = args
            .circles
            .iter()
            .map(|one| format!(" --circle {one}"))
            .collect();
        session
            .screen
            .next(format!("corridor record publish {id}{circles}"));
        return Ok(());
    }
    let record = session.client.publish(&name, &circles).await?;
    if session.print_json(|| Ok(json!({ "record": record_json(&record)? })))? {
        return Ok(());
    }
    session.screen.data(name.to_string());
    let known = session.known().await?;
    session.screen.say(format!(
        "Published as version {}, in {}.",
        record.version,
        standings(&record, &known)
    ));
    session.screen.next(format!("corridor record show {id}"));
    Ok(())
}

pub(super) async fn share(session: &mut Session<'_>, args: CirclesArgs) -> Result<(), Failure> {
    let name = session.record(&args.record.record, Whose::Ours).await?;
    let circles = session.circles(&args.circles).await?;
    let record = session.client.share(&name, &circles).await?;
    if session.print_json(|| Ok(json!({ "record": record_json(&record)? })))? {
        return Ok(());
    }
    let id = short(&name.record.to_string());
    let known = session.known().await?;
    session.screen.say(format!(
        "Shared. The record stands in {}.",
        standings(&record, &known)
    ));
    session
        .screen
        .next(format!("corridor explain {id} PARTNER"));
    Ok(())
}

pub(super) async fn narrow(session: &mut Session<'_>, args: CirclesArgs) -> Result<(), Failure> {
    let name = session.record(&args.record.record, Whose::Ours).await?;
    let circles = session.circles(&args.circles).await?;
    let record = session.client.narrow(&name, &circles).await?;
    if session.print_json(|| Ok(json!({ "record": record_json(&record)? })))? {
        return Ok(());
    }
    let id = short(&name.record.to_string());
    let known = session.known().await?;
    session.screen.say(format!(
        "The record stands in {} now. Readers of the others erase it when they next connect.",
        standings(&record, &known)
    ));
    session.screen.next(format!(
        "corridor explain {id} PARTNER, to see who has done so"
    ));
    Ok(())
}

pub(super) async fn withdraw(session: &mut Session<'_>, args: WithdrawArgs) -> Result<(), Failure> {
    let note = notes(&args.notes)?;
    let name = session.record(&args.record.record, Whose::Ours).await?;
    let replacement = match &args.replacement {
        Some(text) => Some(replacement(
            &name,
            session.record(text, Whose::Ours).await?,
        )?),
        None => None,
    };
    let before = session.client.record(&name).await?.record;
    if let Some(up_to) = args.up_to {
        check_version(&before, up_to)?;
    }
    let question = match args.up_to {
        Some(version) => format!(
            "Versions up to {} are withdrawn everywhere and for ever: whoever holds one of them \
             erases it. This cannot be undone.",
            version_words(version)
        ),
        None => "The whole record is withdrawn everywhere and for ever: every reader erases the \
                 text. This cannot be undone."
            .to_owned(),
    };
    session.agree(&question, args.yes).await?;
    let request = WithdrawalRequest {
        up_to: args.up_to,
        code: args.reason.code(),
        note,
        replacement: replacement.map(|name| name.record),
    };
    let record = session.client.withdraw(&name, request).await?;
    if session.print_json(|| Ok(json!({ "record": record_json(&record)? })))? {
        return Ok(());
    }
    let id = short(&name.record.to_string());
    session.screen.say(match args.up_to {
        Some(version) => format!(
            "Withdrawn: versions up to {}. Partners that hold one of them erase it when they next \
             connect.",
            version_words(version)
        ),
        None => "Withdrawn: the whole record. Partners erase the text when they next connect."
            .to_owned(),
    });
    session.screen.next(format!(
        "corridor explain {id} PARTNER, to see who has done so"
    ));
    Ok(())
}

/// Refuses a version that is newer than any that the node tells of: it would burn versions that are
/// not yet written.
fn check_version(record: &v1::Record, up_to: u64) -> Result<(), Failure> {
    let stand = record.standings.iter().map(|stand| stand.version);
    let known: BTreeSet<u64> = stand
        .chain([record.version])
        .filter(|version| *version != 0)
        .collect();
    if known.last().is_none_or(|newest| up_to <= *newest) {
        return Ok(());
    }
    let known: Vec<String> = known.into_iter().map(version_words).collect();
    Err(Failure::Usage(format!(
        "there is no version {up_to}; in force is {}; nothing was changed",
        known.join(" and ")
    )))
}

/// A version by its number, and by its time, which is nearly the same.
fn version_words(version: u64) -> String {
    format!("{version} ({})", dates::minute(version))
}

fn replacement(name: &RecordName, replacement: RecordName) -> Result<RecordName, Failure> {
    if replacement.rcp != name.rcp || replacement == *name {
        let text = "only another record of yours can replace it; nothing was changed";
        return Err(Failure::Usage(text.to_owned()));
    }
    Ok(replacement)
}

/// `en=TEXT`, or TEXT alone for English; ascending by tag.
fn notes(given: &[String]) -> Result<Vec<v1::LanguageText>, Failure> {
    let mut notes: Vec<v1::LanguageText> = Vec::new();
    for text in given {
        let (tag, text) = match text.split_once('=') {
            Some((tag, text)) if is_tag(tag) => (tag, text),
            _ => ("en", text.as_str()),
        };
        if notes.iter().any(|note| note.tag == tag) {
            return Err(Failure::Usage(format!(
                "there are two notes in the language {tag}; write --note TAG=TEXT for others"
            )));
        }
        notes.push(v1::LanguageText {
            tag: tag.to_owned(),
            text: text.to_owned(),
        });
    }
    notes.tidy();
    Ok(notes)
}

/// Whether the text looks like a language tag such as `en` or `zh-Hant`.
fn is_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_have_a_language_each() {
        let read = |given: &[&str]| {
            let given: Vec<_> = given.iter().map(|one| (*one).to_owned()).collect();
            notes(&given).map(|notes| {
                let one = |note: v1::LanguageText| format!("{}|{}", note.tag, note.text);
                notes.into_iter().map(one).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(read(&["Wrong."]).ok().as_deref(), Some("en|Wrong."));
        assert_eq!(
            read(&["fr=Faux.", "ar=خطأ"]).ok().as_deref(),
            Some("ar|خطأ fr|Faux.")
        );
        assert_eq!(read(&["zh-Hant=x=y"]).ok().as_deref(), Some("zh-Hant|x=y"));
        assert_eq!(read(&["2+2=4"]).ok().as_deref(), Some("en|2+2=4"));
        assert_eq!(read(&["one", "two"]).expect_err("two").exit_code(), 2);
    }

    #[test]
    fn a_version_that_is_not_yet_written_is_not_withdrawn() {
        let stand = |version| v1::CircleStanding {
            version,
            ..v1::CircleStanding::default()
        };
        let record = v1::Record {
            version: 1_700,
            standings: vec![stand(1_600), stand(1_700)],
            ..v1::Record::default()
        };
        for up_to in [1_500, 1_600, 1_700] {
            assert!(check_version(&record, up_to).is_ok(), "{up_to}");
        }
        let error = check_version(&record, 1_701).expect_err("later");
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains("1600 (") && text.contains("1700 ("), "{text}");
        assert!(check_version(&v1::Record::default(), 1).is_ok());
    }

    #[test]
    fn what_a_draft_needs_is_said_once_a_field() {
        let problem = |field: &str| v1::Problem {
            field: field.into(),
            description: "as the node says".into(),
        };
        let draft = v1::Draft {
            problems: vec![problem("title"), problem("contact")],
            ..v1::Draft::default()
        };
        let needed = needed(&draft, Kind::Practice, &[]);
        let of = |field: &str| needed.iter().filter(|(one, _)| one == field).count();
        assert_eq!((of("title"), of("contact"), of("summary")), (1, 1, 1));
        assert!(
            needed
                .iter()
                .any(|(f, words)| f == "title" && words.contains("is missing; "))
        );
    }
}
