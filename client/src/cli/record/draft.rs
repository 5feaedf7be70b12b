//! Commands that write drafts, and take them to whoever clears them.
//!
//! **Invariant:** a body is in the form that its kind asks for before it is sent.

use std::collections::BTreeSet;

use corridor_proto::kinds::{self, Kind};
use corridor_proto::line::WHOLE_RECORD;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{ClearArgs, DiscardArgs, DraftArgs, DraftsArgs, EditArgs, NotedArgs, RecordArg, kind};
use crate::body;
use crate::cli::dates;
use crate::cli::fail::{Failure, field_and_words};
use crate::cli::proof::is_not_found;
use crate::cli::render::{count_of, list_json, short_name, title};
use crate::cli::session::{Session, Whose, clock_now};
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
        .update_draft(&name, kind, body.clone(), &args.etag)
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
    match session.client.draft(name).await {
        Ok(draft) => return kind(&draft.kind).map(Some),
        Err(error) if is_not_found(&error) => {}
        Err(error) => return Err(error.into()),
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
    if session.print_json(|| Ok(json!({ "draft": json_with(draft, &needed)? })))? {
        return Ok(());
    }
    let id = short_name(&draft.name);
    session.screen.data(safe_line(&draft.name));
    session
        .screen
        .say("The draft is saved. Nobody else sees it.");
    if needed.is_empty() {
        session.screen.next(format!(
            "corridor record ask {id}, or, if you may: corridor record publish {id}{circles}"
        ));
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

fn json_with(draft: &v1::Draft, needed: &Needed) -> Result<Value, Failure> {
    let needed: Vec<_> = needed
        .iter()
        .map(|(field, words)| json!({ "field": field, "description": words }))
        .collect();
    Ok(json!({
        "name": draft.name,
        "kind": draft.kind,
        "timeMs": draft.time_ms.to_string(),
        "needed": needed,
        "state": draft.state().as_str_name(),
        "steps": list_json(&draft.steps, step_json)?,
        "etag": draft.etag,
    }))
}

/// A draft as JSON, without its text.
pub(super) fn draft_json(draft: &v1::Draft) -> Result<Value, Failure> {
    let needed = match kind(&draft.kind) {
        Ok(kind) => needed(draft, kind, &draft.body),
        Err(_) => Needed::new(),
    };
    json_with(draft, &needed)
}

pub(super) async fn drafts(session: &mut Session<'_>, args: DraftsArgs) -> Result<(), Failure> {
    let state = if args.asked {
        v1::DraftState::Asked
    } else {
        v1::DraftState::Unspecified
    };
    let drafts = session.client.drafts_in(state).await?;
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
            let mut value = json_with(draft, needed)?;
            value["body"] = body_json(draft);
            Ok(value)
        };
        let all: Result<Vec<_>, Failure> = all.iter().map(one).collect();
        Ok(json!({ "drafts": all? }))
    })?;
    if printed {
        return Ok(());
    }
    if drafts.is_empty() && args.asked {
        session.screen.say("No draft waits for you.");
    } else if drafts.is_empty() {
        session.screen.say("No drafts.");
        session.screen.next("corridor record template practice");
    }
    let row = |(draft, needed): &(&v1::Draft, Needed)| {
        let needs = match needed.as_slice() {
            [] => standing(draft),
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

/// How far a draft is that needs nothing more, and by whom.
fn standing(draft: &v1::Draft) -> String {
    let last = draft.steps.last().map(|last| safe_line(&last.who));
    let who = last.unwrap_or_default();
    match draft.state() {
        v1::DraftState::Asked => format!("to be cleared, {who} asks"),
        v1::DraftState::Cleared => format!("cleared by {who}"),
        v1::DraftState::Returned => format!("given back by {who}"),
        _ => "ready".to_owned(),
    }
}

fn step_json(step: &v1::DraftStep) -> Result<Value, Failure> {
    Ok(json!({
        "step": step.step().as_str_name(),
        "who": step.who,
        "note": step.note,
        "timeMs": step.time_ms.to_string(),
    }))
}

/// One line for each step of a draft.
pub(super) fn say_steps(session: &mut Session<'_>, steps: &[v1::DraftStep]) {
    for step in steps {
        let what = match step.step() {
            v1::DraftState::Written => "written",
            v1::DraftState::Asked => "sent to be cleared",
            v1::DraftState::Cleared | v1::DraftState::Released => "cleared",
            v1::DraftState::Returned => "given back",
            v1::DraftState::Unspecified => "changed",
        };
        let (when, who) = (dates::minute(step.time_ms), safe_line(&step.who));
        let mut line = format!("  {when} {what} by {who}");
        if !step.note.is_empty() {
            line.push_str(": ");
            line.push_str(&safe_line(&step.note));
        }
        session.screen.data(line);
    }
}

pub(super) async fn ask(session: &mut Session<'_>, args: NotedArgs) -> Result<(), Failure> {
    let draft = meant(session, &args.record).await?;
    let draft = session.client.request_clearance(&draft, &args.note).await?;
    stepped(
        session,
        &draft,
        "Whoever clears finds it among the drafts that wait. Nothing was published.",
        "corridor record drafts --asked, for whoever clears",
    )
}

pub(super) async fn clear(session: &mut Session<'_>, args: ClearArgs) -> Result<(), Failure> {
    let mut draft = meant(session, &args.record).await?;
    let by = draft.steps.last().map(|last| safe_line(&last.who));
    let question = format!(
        "{}, last changed by {} on {}, is cleared in exactly this text. corridor record show {} \
         --draft shows it.",
        draft_title(&draft),
        by.unwrap_or_default(),
        dates::minute(draft.time_ms),
        short_name(&draft.name),
    );
    session
        .agree(&question, args.yes || args.etag.is_some())
        .await?;
    draft.etag = args.etag.unwrap_or(draft.etag);
    let told = args.role.map(|role| v1::Clearance {
        by_role: role.code().into(),
        date: args.date.unwrap_or_else(|| dates::day(clock_now().0)),
        reference: args.reference.unwrap_or_default(),
        on_behalf_of: args.on_behalf_of.unwrap_or_default(),
    });
    let draft = session.client.clear_draft(&draft, &args.note, told).await?;
    let id = short_name(&draft.name);
    stepped(
        session,
        &draft,
        "Cleared for release, in exactly this text. Nothing was published.",
        &format!("corridor record publish {id} --circle CIRCLE"),
    )
}

pub(super) async fn give_back(session: &mut Session<'_>, args: NotedArgs) -> Result<(), Failure> {
    let draft = meant(session, &args.record).await?;
    let draft = session.client.return_draft(&draft, &args.note).await?;
    let id = short_name(&draft.name);
    stepped(
        session,
        &draft,
        "Given back. Whoever wrote it finds your note with the draft.",
        &format!("corridor record edit {id} FILE, for whoever writes"),
    )
}

/// The draft as it is now: what is done with it is done with this text.
async fn meant(session: &mut Session<'_>, record: &RecordArg) -> Result<v1::Draft, Failure> {
    let name = session.record(&record.record, Whose::Ours).await?;
    Ok(session.client.draft(&name).await?)
}

fn stepped(
    session: &mut Session<'_>,
    draft: &v1::Draft,
    said: &str,
    next: &str,
) -> Result<(), Failure> {
    if session.print_json(|| Ok(json!({ "draft": draft_json(draft)? })))? {
        return Ok(());
    }
    session.screen.data(safe_line(&draft.name));
    session.screen.say(said);
    session.screen.next(next);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
