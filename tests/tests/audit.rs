//! Who did what, and what was refused: the audit of a node that people use and strangers try.

use anyhow::{Result, ensure};
use corridor_client::{Client, Profile, RecordName, v1};
use corridor_node::operate::access::Role;
use corridor_node::operate::audit::{Audit, Entry};
use corridor_proto::kinds::Kind;
use corridor_tests::nodes::{Office, practice};
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
