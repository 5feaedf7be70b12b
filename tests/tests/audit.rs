//! Who did what, and what was refused: the audit of a node that people use and strangers try.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use corridor_client::{Client, Profile, RecordName, v1};
use corridor_node::operate::access::Role;
use corridor_node::operate::audit::{Audit, Entry};
use corridor_proto::kinds::Kind;
use corridor_tests::nodes::{Office, practice, until};
use corridor_tests::raw::Caller;

/// All lines, which hold together.
fn lines(office: &Office) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let chain = Audit::of(&office.data()).read(|_, _, entry| entries.push(entry))?;
    ensure!(chain.broken.is_none(), "{chain:?}");
    Ok(entries)
}

/// Of acts it says who, what, about what and how it ended, before the answer is there; of refusals
/// as well; of reading and writing drafts nothing.
#[tokio::test(flavor = "multi_thread")]
async fn acts_and_refusals_are_in_the_audit_and_no_text_is() -> Result<()> {
    let office = Office::open("Budapest Process", true).await?;
    let profile = office.profile_of("Head Noura", &[Role::Clearer])?;
    let head = Client::connect(&Profile::read(&profile)?).await?;
    let body = practice("A text that no audit has");
    let draft = head.create_draft(Kind::Practice, body).await?;
    let name: RecordName = draft.name.parse()?;
    head.clear_draft(&draft, "by telephone", None).await?;
    head.publish(&name, &["public".to_owned()]).await?;
    let again = head.publish(&name, &["public".to_owned()]).await;
    ensure!(again.is_err(), "there is no draft any more");
    head.drafts().await?;
    let mut stranger = Caller::of(&office, Some("guessed".to_owned())).await?;
    let nothing = v1::GetNodeRequest::default();
    stranger.call("NodeService/GetNode", &nothing).await?;
    let entries = lines(&office)?;
    let told: Vec<_> = entries
        .iter()
        .map(|one| (one.who.as_str(), one.act.as_str(), one.outcome.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("Head Noura", "ClearanceService/ClearDraft", "OK"),
            ("Head Noura", "RecordService/PublishRecord", "OK"),
            ("Head Noura", "RecordService/PublishRecord", "NOT_FOUND"),
            ("nobody known", "NodeService/GetNode", "NO_VALID_TOKEN"),
        ]
    );
    assert_eq!(entries[1].about, [draft.name.as_str(), "public"]);
    let bytes = std::fs::read(office.data().join("audit.log"))?;
    for text in ["A text that no audit has", "by telephone", "guessed"] {
        let has = bytes.windows(text.len()).any(|at| at == text.as_bytes());
        assert!(!has, "{text}");
    }
    Ok(())
}

/// Whoever hangs up before the answer ends neither the act nor its line.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_for_a_caller_who_hung_up_is_in_the_audit() -> Result<()> {
    let office = Office::open("Rabat Process", true).await?;
    let profile = office.profile_of("Hasty", &[Role::Clearer])?;
    let client = Client::connect(&Profile::read(&profile)?).await?;
    let circles = ["public".to_owned()];
    let mut names: Vec<RecordName> = Vec::new();
    for n in 0..24 {
        let draft = client
            .create_draft(Kind::Practice, practice(&format!("Text {n}")))
            .await?;
        names.push(draft.name.parse()?);
    }
    for (n, name) in names.iter().enumerate() {
        let patience = Duration::from_micros(100 * u64::try_from(n)?);
        let waited = tokio::time::timeout(patience, client.publish(name, &circles)).await;
        drop(waited);
    }
    let noted = |name: &RecordName| {
        lines(&office).is_ok_and(|lines| {
            let name = name.to_string();
            let is_it = |line: &Entry| line.outcome == "OK" && line.about.contains(&name);
            lines.iter().any(is_it)
        })
    };
    // One waits as long as it takes: so one at least was carried out.
    let last = client.create_draft(Kind::Practice, practice("The last"));
    names.push(last.await?.name.parse()?);
    client.publish(&names[24], &circles).await?;
    let held = |name: &&RecordName| office.holds(&office, name.record);
    let all_ok = || {
        let lines = lines(&office).unwrap_or_default();
        lines.iter().filter(|line| line.outcome == "OK").count()
    };
    until("each act has its line, and each line its act", || {
        let published = names.iter().filter(held);
        published.clone().all(noted) && published.count() == all_ok()
    })
    .await
}

/// Names that are none are not noted, however long: the audit stays whole and readable.
#[tokio::test(flavor = "multi_thread")]
async fn a_callers_own_words_are_not_in_the_audit() -> Result<()> {
    let office = Office::open("Lima Group", true).await?;
    let profile = office.profile_of("Verbose", &[Role::Editor])?;
    let token = std::fs::read_to_string(profile)?;
    let token = token
        .lines()
        .find_map(|line| line.strip_prefix("token = \""));
    let token = token.context("a token")?.trim_end_matches('"').to_owned();
    let mut caller = Caller::of(&office, Some(token)).await?;
    for name in [
        "x".repeat(900_000),
        "rcps/\n2026 Noura PublishRecord OK".to_owned(),
    ] {
        let etag = String::new();
        let asked = v1::DeleteDraftRequest { name, etag };
        caller.call("RecordService/DeleteDraft", &asked).await?;
    }
    let entries = lines(&office)?;
    assert_eq!(entries.len(), 2);
    assert!(
        entries.iter().all(|entry| entry.about.is_empty()),
        "{entries:?}"
    );
    Ok(())
}
