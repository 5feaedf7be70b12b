//! Stories of a secretariat and of an integrator at the node's own listener.

use anyhow::Result;
use corridor_client::{Client, Profile, RecordName};
use corridor_node::operate::access::{Access, Scope};
use corridor_proto::UnixMillis;
use corridor_tests::nodes::{Office, practice, until};

async fn client(office: &Office) -> Result<Client> {
    Ok(Client::connect(&Profile::read(&office.profile())?).await?)
}

/// A client that may read what is public, and nothing else.
async fn integrator(office: &Office) -> Result<Client> {
    let token = Access::of(&office.data()).create(Scope::Public, "an integrator", UnixMillis(0))?;
    let profile = std::fs::read_to_string(office.profile())?;
    let own = profile.lines().filter(|line| !line.starts_with("token"));
    let text = own
        .chain([format!("token = \"{token}\"").as_str()])
        .collect::<Vec<_>>()
        .join("\n");
    let path = office.data().join("integrator.toml");
    corridor_node::operate::files::write_secret(&path, text.as_bytes())?;
    Ok(Client::connect(&Profile::read(&path)?).await?)
}

fn name(office: &Office, record: corridor_proto::RecordId) -> Result<RecordName> {
    Ok(format!("rcps/{}/records/{record}", office.rcp).parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secretariat_publishes_and_its_partner_verifies_for_itself() -> Result<()> {
    let owner = Office::open("Abu Dhabi Dialogue", true).await?;
    let reader = Office::open("Bali Process", true).await?;
    owner.befriend(&reader).await?;
    owner.admit("federation", &[&reader]).await?;
    let desk = client(&owner).await?;
    let kind = corridor_proto::kinds::Kind::Practice;
    let draft = desk.create_draft(kind, practice("Through the API")).await?;
    assert!(draft.problems.is_empty(), "{:?}", draft.problems);
    let record: RecordName = draft.name.parse()?;
    desk.publish(&record, &["federation".to_owned()]).await?;
    let there = client(&reader).await?;
    let id = draft.name.rsplit('/').next().expect("a record").parse()?;
    until("it arrives", || reader.holds(&owner, id)).await?;
    let answer = there.verified_record(&record).await?;
    assert_eq!(answer.header().rcp, owner.rcp);
    let listed = there.records(None, false).await?;
    assert!(listed.iter().any(|found| found.name == draft.name));
    let why = desk.explain(&record, reader.rcp).await?;
    assert!(
        why.may_read && why.sentence.contains("federation"),
        "{}",
        why.sentence
    );
    let preview = desk.preview(reader.rcp, None).await?;
    assert_eq!(preview.records.len(), 1);
    Ok(())
}

/// What may not be seen and what does not exist get the same answer, word for word.
#[tokio::test(flavor = "multi_thread")]
async fn forbidden_and_absent_cannot_be_told_apart() -> Result<()> {
    let office = Office::open("Rabat Process", true).await?;
    let hidden = office
        .publish("Canary-hidden", &[office.circle("federation")?])
        .await?;
    let open = office.publish("Open", &[office.circle("public")?]).await?;
    let reader = integrator(&office).await?;
    assert!(reader.record(&name(&office, open)?).await.is_ok());
    let absent = corridor_proto::RecordId::new([7; 16]);
    let mut answers = Vec::new();
    for record in [hidden, absent] {
        let name = name(&office, record)?;
        let read = reader
            .record(&name)
            .await
            .err()
            .map(|error| error.to_string());
        let proved = reader
            .verified_record(&name)
            .await
            .err()
            .map(|error| error.to_string());
        let same = |text: Option<String>| text.map(|text| text.replace(&record.to_string(), "X"));
        answers.push((same(read), same(proved)));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].0.is_some() && answers[0].1.is_some());
    let listed = reader.records(None, true).await?;
    assert_eq!(
        listed.len(),
        1,
        "no trace of the hidden one, not even with everything shown"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_says_what_publishing_would_say_and_changes_nothing() -> Result<()> {
    let office = Office::open("Quito Process", true).await?;
    let desk = client(&office).await?;
    let kind = corridor_proto::kinds::Kind::Practice;
    let draft = desk.create_draft(kind, practice("Rehearsed")).await?;
    let record: RecordName = draft.name.parse()?;
    let nowhere = desk.check_publish(&record, &[]).await;
    assert_eq!(
        nowhere
            .err()
            .map(|error| error.reason().to_owned())
            .as_deref(),
        Some("NO_CIRCLE")
    );
    desk.check_publish(&record, &["public".to_owned()]).await?;
    assert!(desk.records(None, false).await?.is_empty());
    assert_eq!(desk.drafts().await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_only_reads_does_nothing_else() -> Result<()> {
    let office = Office::open("Prague Process", true).await?;
    let reader = integrator(&office).await?;
    let kind = corridor_proto::kinds::Kind::Practice;
    let refused = reader.create_draft(kind, practice("No")).await;
    let reason = refused.err().map(|error| error.reason().to_owned());
    assert_eq!(reason.as_deref(), Some("TOKEN_SCOPE"));
    assert!(reader.peers().await.is_err() && reader.circles().await.is_err());
    Ok(())
}
