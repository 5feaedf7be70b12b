//! Commands that publish records, share them wider and narrower, and withdraw them.

use std::collections::BTreeSet;

use corridor_proto::kinds::Tidy;
use serde_json::json;

use super::{CirclesArgs, PublishArgs, WithdrawArgs};
use crate::calls::WithdrawalRequest;
use crate::cli::dates;
use crate::cli::fail::Failure;
use crate::cli::render::{record_json, short, standings};
use crate::cli::session::{Session, Whose};
use crate::names::RecordName;
use crate::v1;

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
    let client = &session.client;
    let record = client.publish_meant(&name, &circles, &args.etag).await?;
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
}
