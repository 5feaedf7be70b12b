//! User stories of secretariats, each until what makes it done has been seen. The second one, of
//! the head of a secretariat who releases a record, is among those of clearance.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use corridor_client::{CheckedRecord, RecordName, body, read_proof_file, v1};
use corridor_node::demo::records::demonstration_records;
use corridor_proto::RecordId;
use corridor_proto::kinds::Kind;
use corridor_proto::line::WithdrawalReason;
use corridor_tests::command::corridor;
use corridor_tests::nodes::{Office, PATIENCE, practice, until};
use corridor_tests::wire::Shape;
use prost::Message;

/// What a secretariat says at its own command line.
async fn says(office: &Office, command: &str) -> Result<String> {
    let profile = office.profile();
    let profile = profile.to_str().context("a path")?;
    let line = format!("corridor --profile \"{profile}\" --no-input {command}");
    let (code, text) = corridor(&line).await;
    ensure!(code == 0, "{command}: {text}");
    Ok(text)
}

/// A practice in one language and with eight fields, without any partner or line: it is kept,
/// ready, and nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn story_1_an_officer_writes_a_snapshot() -> Result<()> {
    let mut office = Office::open("Abu Dhabi Dialogue", false).await?;
    let json = serde_json::json!({
        "envelope": {
            "authorRole": "AUTHOR_ROLE_SECRETARIAT",
            "standing": "STANDING_SECRETARIAT_NOTE",
            "sourceLang": "en",
            "gcmObjectives": [6],
            "marking": "MARKING_CLEAR",
        },
        "title": [{ "tag": "en", "text": "One orientation path for workers" }],
        "summary": [{ "tag": "en", "text": vec!["word"; 45].join(" ") }],
        "depth": "PRACTICE_DEPTH_SNAPSHOT",
        "stage": "PRACTICE_STAGE_RUNNING",
        "startYear": 2014,
        "implementers": [{ "name": "Ministry of Labour" }],
    });
    let file = office.folder.path().join("new.json");
    std::fs::write(&file, json.to_string())?;
    let text = says(
        &office,
        &format!("record draft practice \"{}\"", file.display()),
    )
    .await?;
    assert!(text.contains("Nobody else sees it."), "{text}");
    office.close().await?;
    office.reopen().await?;
    let drafts = says(&office, "record drafts").await?;
    assert!(
        drafts.contains("ready") && drafts.contains("One orientation path"),
        "{drafts}"
    );
    let client = office.client().await?;
    let drafts = client.drafts().await?;
    assert_eq!(drafts[0].problems, [], "nothing is needed any more");
    assert_eq!(
        office.integrator().await?.records(None, true).await?.len(),
        0
    );
    Ok(())
}

/// A line of 1 Mbyte a second and a round trip of 100 ms that is cut again and again: a thousand
/// real records come over it with less than 5 MB in all, for nothing is sent twice that arrived.
#[tokio::test(flavor = "multi_thread")]
async fn story_11_a_small_secretariat_on_a_poor_line() -> Result<()> {
    let (office, line) = Office::open_behind_a_line("Abu Dhabi Dialogue").await?;
    let partner = Office::open("Colombo Process", false).await?;
    office.befriend(&partner).await?;
    let records = a_thousand(&office).await?;
    line.shape(Some(Shape {
        delay: Duration::from_millis(50),
        bytes_per_s: 1_000_000.0,
    }));
    line.cut();
    line.reset();
    line.mend();
    office.admit("federation", &[&partner]).await?;
    for part in 1..4 {
        let enough = |bytes| bytes > part * 500_000;
        until("a part has come", || enough(line.seen().bytes())).await?;
        line.cut();
        line.mend();
    }
    let all = || records.iter().all(|record| partner.holds(&office, *record));
    let mut tries = 0;
    while !all() {
        tokio::time::timeout(PATIENCE, until("all has come", all)).await??;
        tries += 1;
        ensure!(tries < 4, "it does not come");
    }
    let bytes = line.seen().bytes();
    assert!(bytes < 5_000_000, "{bytes} bytes for a thousand records");
    Ok(())
}

/// The demonstration's practices, in turn, a thousand times.
async fn a_thousand(office: &Office) -> Result<Vec<RecordId>> {
    let records = demonstration_records()?;
    let practices = records
        .iter()
        .filter(|record| record.kind == Kind::Practice);
    let bodies: Vec<&[u8]> = practices.map(|record| record.body.as_slice()).collect();
    let (desk, circle) = (office.desk(), office.circle("federation")?);
    let mut all = Vec::new();
    for body in bodies.into_iter().cycle().take(1_000) {
        all.push(desk.save_draft(None, Kind::Practice, body.to_vec()).await?);
    }
    for some in all.chunks(250) {
        desk.publish_all(some, &[circle]).await?;
    }
    Ok(all)
}

/// Two existing nodes each check the keys of a new one: before that its profile is seen and nothing
/// flows; and a process that is gone names its successor.
#[tokio::test(flavor = "multi_thread")]
async fn story_12_a_new_node_joins() -> Result<()> {
    let new = Office::open("Prague Process", true).await?;
    let old = [
        Office::open("Budapest Process", true).await?,
        Office::open("Söderköping Process", true).await?,
    ];
    for other in &old {
        other.publish("Public", &[other.circle("public")?]).await?;
        let all = other
            .publish("For partners", &[other.circle("federation")?])
            .await?;
        new.pair(other).await?;
        let refused = other.admit("federation", &[&new]).await;
        assert!(refused.is_err(), "nobody is admitted before trust is set");
        let seen = says(&new, "peer list").await?;
        let name = other.client().await?.node().await?.display_names.remove(0);
        assert!(seen.contains(&name), "its profile is visible: {seen}");
        let told = new.client().await?.records(Some(other.rcp), false).await?;
        let is_apart = |found: &CheckedRecord| found.record.unconfirmed;
        assert!(told.iter().all(is_apart), "what is public is shown apart");
        let number = new.desk().safety_number(other.rcp).await;
        assert_eq!(
            number,
            other.desk().safety_number(new.rcp).await,
            "one number to read"
        );
        new.desk().confirm(other.rcp, &number).await?;
        other.desk().confirm(new.rcp, &number).await?;
        other.admit("federation", &[&new]).await?;
        until("it has what partners have", || new.holds(other, all)).await?;
    }
    succeed(&new, &old).await
}

/// The new process says in its profile whom it follows; whoever reads it finds that RCP.
async fn succeed(new: &Office, [partner, retired]: &[Office; 2]) -> Result<()> {
    let json = body::template(Kind::Profile).replace("REPLACE: ", "");
    let mut profile: serde_json::Value = serde_json::from_str(&json)?;
    profile["successorOf"] = serde_json::json!([{
        "name": "Söderköping Process",
        "rcp": format!("rcps/{}", retired.rcp),
    }]);
    let file = new.folder.path().join("profile.json");
    std::fs::write(&file, profile.to_string())?;
    says(new, &format!("record draft profile \"{}\"", file.display())).await?;
    let client = new.client().await?;
    let name: RecordName = client.drafts().await?[0].name.parse()?;
    client.publish(&name, &["public".to_owned()]).await?;
    until("the profile arrives", || partner.holds(new, name.record)).await?;
    let read = partner.client().await?.verified_record(&name).await?;
    let profile = v1::Profile::decode(read.record().signed().body.as_slice())?;
    assert_eq!(profile.successor_of[0].rcp, retired.rcp.as_bytes());
    let shown = says(partner, &format!("record show {name}")).await?;
    assert!(shown.contains("verified"), "{shown}");
    Ok(())
}

/// Anybody with the file verifies what a record says, its place and its history, without a node;
/// one byte that is changed, and it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn story_13_an_auditor_checks_a_record() -> Result<()> {
    let office = Office::open("Rabat Process", true).await?;
    let partner = Office::open("Khartoum Process", true).await?;
    office.befriend(&partner).await?;
    office.admit("federation", &[&partner]).await?;
    let record = office
        .publish("As it was", &[office.circle("federation")?])
        .await?;
    let version = office.revise(record, "As it is").await?;
    until("it arrives", || {
        partner.version(&office, record) == Some(version)
    })
    .await?;
    let proofs = partner.folder.path().join("proofs");
    let name = format!("rcps/{}/records/{record}", office.rcp);
    says(
        &partner,
        &format!("record verify {name} --save \"{}\"", proofs.display()),
    )
    .await?;
    let path = std::fs::read_dir(&proofs)?
        .next()
        .context("a file")??
        .path();
    let verified = read_proof_file(&std::fs::read(&path)?)?;
    assert_eq!(verified.record().header().version, version);
    let said = audited(&path).await?;
    assert!(said.contains("As it is"), "{said}");
    let mut bytes = std::fs::read(&path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes)?;
    assert!(audited(&path).await.is_err(), "it was altered");
    Ok(())
}

async fn audited(path: &Path) -> Result<String> {
    let (code, text) = corridor(&format!("corridor verify \"{}\"", path.display())).await;
    ensure!(code == 0, "{text}");
    Ok(text)
}

/// After a complaint the owner withdraws a record: partners put the withdrawal in the place of the
/// text at their next session, and a copy that comes late is refused.
#[tokio::test(flavor = "multi_thread")]
async fn story_15_a_record_is_withdrawn() -> Result<()> {
    let office = Office::open("Bali Process", true).await?;
    let mut away = Office::open("Almaty Process", true).await?;
    let here = Office::open("Colombo Process", true).await?;
    office.befriend(&away).await?;
    office.befriend(&here).await?;
    office.admit("federation", &[&away, &here]).await?;
    let circles = [office.circle("federation")?];
    let record = office
        .publish("A complaint is made of it", &circles)
        .await?;
    until("both hold it", || {
        away.holds(&office, record) && here.holds(&office, record)
    })
    .await?;
    away.close().await?;
    let reason = WithdrawalReason::StateRequest;
    office
        .desk()
        .withdraw(record, None, reason, None, None)
        .await?;
    until("it is gone where a line is", || {
        !here.holds(&office, record)
    })
    .await?;
    away.reopen().await?;
    until("and where none was", || !away.holds(&office, record)).await?;
    let name = RecordName {
        rcp: office.rcp,
        record,
    };
    for partner in [&here, &away] {
        let told = partner.client().await?.record(&name).await?.record;
        assert_eq!(told.state(), v1::RecordState::Withdrawn);
        let withdrawal = told.withdrawal.context("who looks is told")?;
        assert_eq!(withdrawal.code(), v1::WithdrawalCode::StateRequest);
        let erased = || {
            partner
                .has_bytes(b"A complaint is made of it")
                .is_ok_and(|has| !has)
        };
        until("its bytes are gone", erased).await?;
    }
    let again = office
        .desk()
        .save_draft(Some(record), Kind::Practice, practice("Again"))
        .await;
    assert!(again.is_err(), "it has no new version");
    Ok(())
}
