//! Stories of a secretariat and of an integrator at the node's own listener.

use anyhow::Result;
use corridor_client::{Check, RecordName, Unverified};
use corridor_tests::command::corridor;
use corridor_tests::nodes::{Office, practice, until};

fn withdrawal(code: corridor_client::v1::WithdrawalCode) -> corridor_client::WithdrawalRequest {
    corridor_client::WithdrawalRequest {
        up_to: None,
        code,
        note: Vec::new(),
        replacement: None,
    }
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
    let desk = owner.client().await?;
    let kind = corridor_proto::kinds::Kind::Practice;
    let draft = desk.create_draft(kind, practice("Through the API")).await?;
    assert!(draft.problems.is_empty(), "{:?}", draft.problems);
    let record: RecordName = draft.name.parse()?;
    desk.publish(&record, &["federation".to_owned()]).await?;
    let there = reader.client().await?;
    let id = draft.name.rsplit('/').next().expect("a record").parse()?;
    until("it arrives", || reader.holds(&owner, id)).await?;
    let answer = there.verified_record(&record).await?;
    assert_eq!(answer.header().rcp, owner.rcp);
    let listed = there.records(None, false).await?;
    let found = listed.iter().find(|found| found.record.name == draft.name);
    let signed = found.and_then(|found| found.signed());
    assert_eq!(signed.map(|signed| &signed.header), Some(answer.header()));
    let mut watch = there.watch(None);
    let change = watch.next().await?.record;
    assert!(change.is_some_and(|change| matches!(change.check, Check::Verified(_))));
    assert!(watch.next().await?.record.is_none(), "there was one record");
    let code = corridor_client::v1::WithdrawalCode::Error;
    desk.withdraw(&record, withdrawal(code)).await?;
    let change = watch.next().await?.record;
    let check = change.map(|change| change.check);
    assert!(matches!(
        check,
        Some(Check::Unverified(Unverified::NothingInForce(_)))
    ));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secretariat_sees_what_its_partner_may_read_and_why() -> Result<()> {
    let owner = Office::open("Abu Dhabi Dialogue", true).await?;
    let reader = Office::open("Bali Process", true).await?;
    owner.befriend(&reader).await?;
    owner.admit("federation", &[&reader]).await?;
    let record = owner
        .publish("Shown", &[owner.circle("federation")?])
        .await?;
    let desk = owner.client().await?;
    let record = name(&owner, record)?;
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
    let reader = office.integrator().await?;
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
    let listed = reader.unverified_records(None, true).await?;
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
    let desk = office.client().await?;
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
async fn many_drafts_are_published_together_or_not_at_all() -> Result<()> {
    let office = Office::open("Prague Process", true).await?;
    let desk = office.client().await?;
    let kind = corridor_proto::kinds::Kind::Practice;
    let mut names = Vec::new();
    for number in 0..40 {
        let draft = desk
            .create_draft(kind, practice(&format!("No. {number}")))
            .await?;
        names.push(draft.name.parse()?);
    }
    let empty = desk.create_draft(kind, Vec::new()).await?;
    let public = ["public".to_owned()];
    let with_empty = [names.clone(), vec![empty.name.parse()?]].concat();
    assert!(desk.publish_all(&with_empty, &public).await.is_err());
    let twice = [names.clone(), names.clone()].concat();
    assert!(desk.publish_all(&twice, &public).await.is_err());
    let elsewhere = desk.publish_all(&names, &["nowhere".to_owned()]).await;
    assert!(elsewhere.is_err());
    assert!(desk.records(None, false).await?.is_empty(), "none was");
    assert_eq!(desk.drafts().await?.len(), 41, "and none is lost");
    let log = office.circle("public")?;
    let versions = desk.publish_all(&names, &public).await?;
    assert_eq!(versions.len(), 40);
    let (lines, head) = office.desk().store().read(|view| {
        let log = &view.logs[&log];
        (
            log.size(),
            log.held_head.as_ref().map(|head| head.checkpoint.size),
        )
    });
    assert_eq!((lines, head), (40, Some(40)), "under one head");
    let records = desk.records(None, false).await?;
    for (name, version) in names.iter().zip(versions) {
        let name: &corridor_client::RecordName = name;
        let found = records
            .iter()
            .find(|one| one.record.name == name.to_string());
        assert_eq!(found.map(|one| one.record.version), Some(version));
    }
    assert_eq!(desk.drafts().await?.len(), 1);
    let too_many = vec![names[0]; 257];
    let refused = desk.publish_all(&too_many, &public).await;
    assert!(refused.is_err(), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_only_reads_does_nothing_else() -> Result<()> {
    let office = Office::open("Prague Process", true).await?;
    let reader = office.integrator().await?;
    let kind = corridor_proto::kinds::Kind::Practice;
    let refused = reader.create_draft(kind, practice("No")).await;
    let reason = refused.err().map(|error| error.reason().to_owned());
    assert_eq!(reason.as_deref(), Some("ROLE_LACKING"));
    assert!(reader.peers().await.is_err() && reader.circles().await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_handed_over_as_the_link_that_was_printed() -> Result<()> {
    let inviting = Office::open("Abu Dhabi Dialogue", true).await?;
    let invited = Office::open("Bali Process", true).await?;
    let profile = inviting.profile();
    let (code, said) = corridor(&format!(
        "corridor --profile {} peer invite",
        profile.display()
    ))
    .await;
    assert_eq!(code, 0, "{said}");
    let link = said.lines().next().unwrap_or_default();
    let profile = invited.profile();
    let accept = format!("corridor --profile {} peer accept", profile.display());
    for lost in 1..6 {
        let (code, said) = corridor(&format!("{accept} {}", &link[..link.len() - lost])).await;
        assert!(code == 2 && said.contains("copy it again"), "{said}");
    }
    let (code, said) = corridor(&format!("{accept} {link}")).await;
    assert!(code == 0 && said.contains("Abu Dhabi Dialogue"), "{said}");
    until("both sides have accepted", || {
        inviting.state(&invited).is_some() && invited.state(&inviting).is_some()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_to_readers_is_checked_before_it_is_signed() -> Result<()> {
    let office = Office::open("Rabat Process", true).await?;
    let record = office.publish("Here", &[office.circle("public")?]).await?;
    let desk = office.client().await?;
    let record = name(&office, record)?;
    let note = |texts: &[(&str, &str)]| {
        let one = |(tag, text): &(&str, &str)| corridor_client::v1::LanguageText {
            tag: (*tag).to_owned(),
            text: (*text).to_owned(),
        };
        let mut request = withdrawal(corridor_client::v1::WithdrawalCode::Error);
        request.note = texts.iter().map(one).collect();
        request
    };
    let long = "x".repeat(17_000);
    for (texts, field) in [
        (&[("EN", "Wrong.")][..], "note[0].tag"),
        (&[("en", "re\u{301}union")], "note[0].text"),
        (&[("en", "a\u{202E}b")], "note[0].text"),
        (&[("fr", "Faux."), ("en", "Wrong.")], "note[1]"),
        (&[("en", "One."), ("en", "Two.")], "note[1]"),
        (&[("en", &long)], "note"),
    ] {
        let refused = desk.withdraw(&record, note(texts)).await.err();
        let fault = refused.as_ref().and_then(|error| error.fault());
        let faults = fault
            .map(|fault| fault.fields.as_slice())
            .unwrap_or_default();
        assert_eq!(faults.len(), 1, "{refused:?}");
        assert_eq!(faults[0].field, field);
        assert!(faults[0].description.contains("; "), "{faults:?}");
    }
    let listed = desk.records(None, false).await?;
    assert!(listed[0].signed().is_some(), "it stands as before");
    let withdrawn = desk
        .withdraw(&record, note(&[("ar", "خطأ"), ("en", "Wrong.")]))
        .await?;
    assert_eq!(withdrawn.withdrawal.map(|one| one.note.len()), Some(2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_withdrawn_of_a_record_is_told_from_what_was_not() -> Result<()> {
    let office = Office::open("Puebla Process", true).await?;
    let record = office.publish("First", &[office.circle("public")?]).await?;
    let desk = office.client().await?;
    let full = name(&office, record)?;
    let first = desk.record(&full).await?.record.version;
    let second = office.revise(record, "Second").await?;
    let profile = office.profile();
    let run = async |words: String| {
        let line = format!("corridor --profile {} record {words}", profile.display());
        corridor(&line).await
    };
    let later = second + 1;
    let why = "--reason personal-data --yes";
    let (code, said) = run(format!("withdraw {record} --up-to {later} {why}")).await;
    assert!(code == 2 && said.contains(&second.to_string()), "{said}");
    let (code, said) = run(format!("withdraw {record} --up-to {first} {why}")).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("versions up to") && !said.contains("the text"),
        "{said}"
    );
    let (_, said) = run(format!("show {record}")).await;
    assert!(
        said.contains("Earlier versions, up to the one of "),
        "{said}"
    );
    assert!(
        said.contains("marking") && said.contains("sources"),
        "{said}"
    );
    let file = office.data().join("body.json");
    let body = corridor_client::body::to_json(1, &practice("Third"))?;
    std::fs::write(&file, body.to_string())?;
    let edit = format!("edit {record} {}", file.display());
    let (code, said) = run(format!("withdraw {record} --up-to {second} {why}")).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(edit.clone()).await;
    assert!(code == 2 && said.contains("--kind KIND"), "{said}");
    let (code, said) = run(format!("{edit} --kind practice")).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(format!("withdraw {record} {why}")).await;
    assert!(code == 0 && said.contains("the whole record"), "{said}");
    let (code, said) = run(format!("{edit} --kind practice")).await;
    assert!(code == 5 && said.contains("withdrawn for good"), "{said}");
    let (_, said) = run(format!("show {record}")).await;
    assert!(said.contains("no text is left to verify"), "{said}");
    assert!(!said.contains("not verified"), "{said}");
    std::fs::write(&file, "{ no json")?;
    let (code, said) = run(format!("draft practice {}", file.display())).await;
    assert!(
        code == 7 && said.contains("body.json is not JSON"),
        "{said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_becomes_a_reader_and_why_is_said_before_it_is_done() -> Result<()> {
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    let partner = Office::open("Bali Process", true).await?;
    office.befriend(&partner).await?;
    let circles = [office.circle("federation")?, office.private(&partner)?];
    let record = office.publish("Private and not", &circles).await?;
    office.publish("Soon read", &circles[..1]).await?;
    let profile = office.profile();
    let run = async |words: &str| {
        let line = format!("corridor --profile {} {words}", profile.display());
        corridor(&line).await
    };
    let bali = "\"Bali Process\"";
    for circle in ["public", "\"private/Bali Process\""] {
        let (code, said) = run(&format!("circle add {circle} {bali} --yes")).await;
        assert!(code == 2 && said.contains("nobody can be added"), "{said}");
        assert!(!said.contains("will be able"), "{said}");
    }
    let (code, said) = run(&format!("circle add federation {bali} --until 2020-01-01")).await;
    assert!(code == 2 && said.contains("is over"), "{said}");
    let (code, said) = run(&format!("circle add federation {bali} --yes")).await;
    assert!(code == 0 && said.contains("  Soon read"), "{said}");
    assert!(
        !said.contains("Private and not"),
        "it was read before: {said}"
    );
    let (code, said) = run(&format!(
        "circle add federation {bali} --until 9999-12-30 --yes"
    ))
    .await;
    assert!(
        code == 0 && said.contains("already, without an end"),
        "{said}"
    );
    let (_, said) = run(&format!("explain {record} {bali}")).await;
    assert!(said.contains("private/Bali Process"), "{said}");
    assert!(!said.contains("not yet received"), "{said}");
    until("the list of readers arrives", || {
        partner.desk().store().read(|view| {
            let lists = view.logs.values().flat_map(|log| &log.readers);
            lists
                .flat_map(|readers| &readers.list.readers)
                .any(|(rcp, end)| *rcp == partner.rcp && end.0 != 0)
        })
    })
    .await?;
    let profile = partner.profile();
    let (_, said) = corridor(&format!(
        "corridor --profile {} circle list",
        profile.display()
    ))
    .await;
    assert!(said.contains("you until 9999-12-30"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_noticed_before_the_act() -> Result<()> {
    let office = Office::open("Almaty Process", true).await?;
    let profile = office.profile();
    let profile = profile.display();
    let taken = office.data().join("taken.corridor");
    std::fs::write(&taken, "mine")?;
    let taken = taken.display();
    let (code, said) = corridor(&format!(
        "corridor --profile {profile} peer invite --out {taken}"
    ))
    .await;
    assert!(code == 2 && said.contains("nothing was changed"), "{said}");
    assert_eq!(std::fs::read_to_string(taken.to_string())?, "mine");
    let (code, said) = corridor(&format!("corridor --profile {profile} peer accept neither")).await;
    assert!(code == 2 && said.contains("it is no link"), "{said}");
    Ok(())
}

/// Every example that the help of a command prints, of the command and of those under it.
async fn examples(words: &str, found: &mut Vec<String>) {
    let (code, help) = corridor(&format!("corridor {words} --help")).await;
    assert_eq!(code, 0, "{words}");
    let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
    let command = |line: &&str| line.starts_with("corridor");
    found.extend(lines.take_while(command).map(str::to_owned));
    let under = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in under.take_while(|line| !line.is_empty()) {
        let is_command = line.starts_with("  ") && !line.starts_with("   ");
        if let (true, Some(word)) = (is_command, line.split_whitespace().next()) {
            Box::pin(examples(&format!("{words} {word}"), found)).await;
        }
    }
}

/// The examples that change nothing, as they are printed but for the identifiers.
#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_command_line_do_what_they_say() -> Result<()> {
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    let partner = Office::open("Bali Process", true).await?;
    office.befriend(&partner).await?;
    let record = office
        .publish("Shown", &[office.circle("public")?])
        .await?
        .to_string();
    let partner = partner.rcp.to_string();
    let reads = [
        "status",
        "peer list",
        "peer number",
        "circle list",
        "record template",
        "record drafts",
        "record list",
        "record show",
        "record verify",
        "record watch",
        "preview",
        "explain",
    ];
    let mut watch = office.client().await?.watch(None);
    let cursor = loop {
        if let Some(cursor) = watch.next().await?.cursor {
            break cursor;
        }
    };
    let saved = tempfile::tempdir()?;
    let workbook = saved.path().join("practices.xlsx");
    let mut printed = Vec::new();
    examples("", &mut printed).await;
    let mut ran = std::collections::BTreeSet::new();
    for example in printed {
        let line = example.split("   ").next().unwrap_or_default();
        let line = line.split(['<', '>']).next().unwrap_or_default();
        let words = line.trim_start_matches("corridor ");
        let Some(command) = reads.iter().find(|command| words.starts_with(**command)) else {
            continue;
        };
        ran.insert(*command);
        let id = match *command {
            "peer number" | "preview" => &partner,
            _ => &record,
        };
        let words = words
            .replace("k3v7qa", &id[..10])
            .replace("CURSOR", &cursor)
            .replace("proofs", &saved.path().display().to_string())
            .replace("practices.xlsx", &workbook.display().to_string());
        // A watch goes on for ever.
        let endless = *command == "record watch" && !words.contains("--until-now");
        let end = if endless { " --until-now" } else { "" };
        let profile = office.profile();
        let profile = profile.display();
        let (code, said) = corridor(&format!("corridor --profile {profile} {words}{end}")).await;
        assert_eq!(code, 0, "{example}: {said}");
        assert!(!said.contains("not verified"), "{example}: {said}");
    }
    assert_eq!(ran.len(), reads.len(), "only {ran:?} have examples");
    Ok(())
}
