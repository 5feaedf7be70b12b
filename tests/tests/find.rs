//! Finding records on a real node: lists by a filter, searches, several by name, all at once.

#![allow(clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use corridor_client::{Check, Client, FaultKind, RecordName, Wanted, read_proof_file};
use corridor_proto::kinds::Kind;
use corridor_proto::v1;
use corridor_tests::command::corridor;
use corridor_tests::nodes::{Office, practice, until};
use prost::Message;

fn wanted(filter: &str) -> Wanted {
    Wanted {
        filter: filter.to_owned(),
        ..Wanted::default()
    }
}

/// A practice with a title in a language, countries and objectives.
fn about(tag: &str, title: &str, countries: &[&str], objectives: &[u32]) -> Vec<u8> {
    let body = practice("x");
    let mut practice = v1::Practice::decode(body.as_slice()).expect("a practice");
    let text = |text: &str| v1::LanguageText {
        tag: tag.to_owned(),
        text: text.to_owned(),
    };
    practice.title = vec![text(title)];
    practice.summary = vec![text(&["word"; 45].join(" "))];
    practice.lessons.clear();
    let envelope = practice.envelope.get_or_insert_default();
    envelope.source_lang = tag.to_owned();
    envelope.countries = countries.iter().map(|code| (*code).to_owned()).collect();
    envelope.gcm_objectives = objectives.to_vec();
    practice.encode_to_vec()
}

async fn publish(office: &Office, body: Vec<u8>, circle: &str) -> Result<RecordName> {
    let desk = office.desk();
    let record = desk.save_draft(None, Kind::Practice, body).await?;
    let circles = vec![office.circle(circle)?];
    desk.publish(record, Some(circles)).await?;
    let rcp = office.rcp;
    Ok(RecordName { rcp, record })
}

/// The names of all pages of a list.
async fn names(client: &Client, wanted: &Wanted, size: i32) -> Result<Vec<String>> {
    let (mut names, mut next) = (Vec::new(), None);
    loop {
        let page = client
            .unverified_page(wanted, size, next.as_deref())
            .await?;
        names.extend(page.records.into_iter().map(|record| record.name));
        match page.next {
            None => return Ok(names),
            page => next = page,
        }
    }
}

/// Titles in whichever script, found by whoever may see them, and counted for nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn records_are_found_by_words_and_by_what_they_say() -> Result<()> {
    let office = Office::open("Almaty Process", true).await?;
    let russian = about("ru", "Смешанная миграция: опыт посёлков", &["KZ"], &[5]);
    let arabic = about("ar", "حوار أبوظبي حول الهجرة", &["AE", "PH"], &[6, 18]);
    let french = about("fr", "Réunion sur les départs volontaires", &["MA"], &[21]);
    publish(&office, russian, "public").await?;
    publish(&office, arabic, "federation").await?;
    publish(&office, french, "public").await?;
    let (desk, reader) = (office.client().await?, office.integrator().await?);
    let everything = Wanted::default();
    for (query, all, public) in [
        ("поселков МИГРАЦИЯ", 1, 1),
        ("ابو طبي", 0, 0),
        ("ابوظبي", 1, 0),
        ("الهِجرة", 1, 0),
        ("reunion DÉPART", 1, 1),
        ("word", 3, 2),
        ("", 3, 2),
    ] {
        for (client, expect) in [(&desk, all), (&reader, public)] {
            let found = client.search(query, &everything, "", 0, None).await?;
            assert_eq!(found.total, expect, "{query}");
            let sum = |facet: &v1::Facet| facet.counts.iter().map(|one| one.count).sum::<i32>();
            let kinds = found
                .facets
                .iter()
                .find(|facet| facet.field == "kind")
                .map_or(0, sum);
            assert_eq!(u32::try_from(kinds)?, expect, "{query}");
            for (record, matched) in &found.found {
                assert!(matches!(record.check, Check::Verified(_)), "{query}");
                assert_eq!(matched.is_some(), !query.is_empty(), "{query}");
            }
        }
    }
    for (filter, all, public) in [
        ("countries:PH OR countries:KZ", 2, 1),
        ("language = ar", 1, 0),
        ("gcm_objectives > 17 AND kind = practice", 2, 1),
        ("title:reunion OR text:ابوظبي", 2, 1),
        ("NOT countries:KZ", 2, 1),
    ] {
        assert_eq!(
            names(&desk, &wanted(filter), 1).await?.len(),
            all,
            "{filter}"
        );
        assert_eq!(
            names(&reader, &wanted(filter), 1).await?.len(),
            public,
            "{filter}"
        );
        let found = desk.search("", &wanted(filter), "", 0, None).await?;
        assert_eq!(usize::try_from(found.total)?, all, "{filter}");
    }
    assert_eq!(
        names(&desk, &wanted("circle = federation"), 9).await?.len(),
        1
    );
    let refused = reader
        .unverified_page(&wanted("circle = federation"), 0, None)
        .await;
    let refused = refused.expect_err("circles are the secretariat's");
    let fields = &refused.fault().context("a fault")?.fields;
    assert!(fields[0].description.contains("did you mean"), "{fields:?}");
    Ok(())
}

/// Page by page is the same as all at once; of what was there nothing is missing and nothing told
/// twice while others publish.
#[tokio::test(flavor = "multi_thread")]
async fn pages_lose_nothing_while_records_are_published() -> Result<()> {
    let office = Office::open("Colombo Process", true).await?;
    let public = office.circle("public")?;
    let mut before = BTreeSet::new();
    for number in 0..40 {
        let record = office
            .publish(&format!("Before {number}"), &[public])
            .await?;
        let rcp = office.rcp;
        before.insert(RecordName { rcp, record }.to_string());
    }
    for client in [office.client().await?, office.integrator().await?] {
        let whole = names(&client, &Wanted::default(), 1_000).await?;
        for size in [1, 3, 7, 39, 40, 41] {
            assert_eq!(
                names(&client, &Wanted::default(), size).await?,
                whole,
                "{size}"
            );
        }
        let busy = async {
            for number in 0..30 {
                office
                    .publish(&format!("Meanwhile {number}"), &[public])
                    .await?;
                let some = before.iter().nth(number).context("one")?;
                let some: RecordName = some.parse()?;
                office
                    .revise(some.record, &format!("Again {number}"))
                    .await?;
            }
            anyhow::Ok(())
        };
        let wanted = wanted("kind = practice");
        let (found, busy) = tokio::join!(names(&client, &wanted, 2), busy);
        busy?;
        let found = found?;
        let once: BTreeSet<String> = found.iter().cloned().collect();
        assert_eq!(once.len(), found.len(), "nothing is told twice");
        assert!(once.is_superset(&before), "nothing is missing");
    }
    Ok(())
}

/// Orders of searches, page by page.
#[tokio::test(flavor = "multi_thread")]
async fn searches_have_an_order_and_pages() -> Result<()> {
    let office = Office::open("Nairobi Process", true).await?;
    let titles = ["Zebras", "A way for zebras", "Zebras abroad", "Other"];
    for title in titles {
        publish(&office, about("en", title, &["KE"], &[6]), "public").await?;
    }
    let client = office.integrator().await?;
    let all = async |query: &str, order: &str| {
        let (mut titles, mut next) = (Vec::new(), None);
        loop {
            let wanted = Wanted::default();
            let page = client
                .search(query, &wanted, order, 1, next.as_deref())
                .await?;
            let records = page.found.into_iter().map(|(checked, _)| checked.record);
            titles.extend(records.map(|record| record.title[0].text.clone()));
            match page.next {
                None => return anyhow::Ok(titles),
                page => next = page,
            }
        }
    };
    assert_eq!(
        all("zebras", "").await?,
        ["Zebras", "Zebras abroad", "A way for zebras"]
    );
    let mut newest = titles.to_vec();
    newest.reverse();
    assert_eq!(all("", "publish_time desc").await?, newest);
    assert_eq!(all("", "publish_time").await?, titles);
    for (query, order) in [("zebras", "title"), (&*"a".repeat(300), "")] {
        let refused = client
            .search(query, &Wanted::default(), order, 1, None)
            .await;
        let kind = refused
            .expect_err("refused")
            .fault()
            .context("a fault")?
            .kind();
        assert_eq!(kind, FaultKind::Invalid);
    }
    Ok(())
}

/// A token goes with its question and with nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_is_for_its_question_alone() -> Result<()> {
    let office = Office::open("Rabat Process", true).await?;
    let public = office.circle("public")?;
    for title in ["One", "Two", "Three"] {
        office.publish(title, &[public]).await?;
    }
    let client = office.client().await?;
    let first = client
        .unverified_page(&wanted("kind = practice"), 1, None)
        .await?;
    let token = first.next.context("more")?;
    let again = client
        .unverified_page(&wanted("kind = practice"), 2, Some(&token))
        .await?;
    assert_eq!(again.records.len(), 2, "another size is no other question");
    let own = Wanted {
        rcp: Some(office.rcp),
        ..wanted("kind = practice")
    };
    let all = Wanted {
        all: true,
        ..wanted("kind = practice")
    };
    for other in [wanted("kind=practice"), wanted(""), own, all] {
        let refused = client.unverified_page(&other, 1, Some(&token)).await;
        let refused = refused.expect_err("another question");
        let fault = refused.fault().context("a fault")?;
        assert_eq!(fault.fields[0].field, "page_token");
    }
    let reader = office.integrator().await?;
    let refused = reader
        .unverified_page(&wanted("kind = practice"), 1, Some(&token))
        .await;
    assert!(refused.is_err(), "another reader");
    let refused = client
        .search("", &wanted("kind = practice"), "", 1, Some(&token))
        .await;
    assert!(refused.is_err(), "another call");
    Ok(())
}

/// Several by name: all or none.
#[tokio::test(flavor = "multi_thread")]
async fn several_records_come_together_or_not_at_all() -> Result<()> {
    let office = Office::open("Prague Process", true).await?;
    let seen = publish(&office, practice("Seen"), "public").await?;
    let hidden = publish(&office, practice("Hidden"), "federation").await?;
    let (desk, reader) = (office.client().await?, office.integrator().await?);
    let got = desk.records_named(&[hidden, seen, hidden]).await?;
    let titles: Vec<&str> = got
        .iter()
        .map(|one| one.record.title[0].text.as_str())
        .collect();
    assert_eq!(titles, ["Hidden", "Seen", "Hidden"]);
    let absent = RecordName {
        record: corridor_proto::RecordId::new([9; 16]),
        ..seen
    };
    let mut told = BTreeSet::new();
    for name in [hidden, absent] {
        let refused = reader
            .records_named(&[seen, name])
            .await
            .expect_err("not there");
        let fault = refused.fault().context("a fault")?;
        assert_eq!(fault.kind(), FaultKind::NotFound);
        assert!(!fault.message.contains(&name.record.to_string()));
        told.insert(fault.message.clone());
    }
    assert_eq!(told.len(), 1, "forbidden and absent are the same");
    assert_eq!(reader.records_named(&[seen]).await?.len(), 1);
    Ok(())
}

/// Everything with its proofs: in several calls as in one, and what changes later is followed.
#[tokio::test(flavor = "multi_thread")]
async fn everything_is_read_at_once_and_followed_from_there() -> Result<()> {
    let (office, other) = (
        Office::open("ARCP", true).await?,
        Office::open("ADD", true).await?,
    );
    office.befriend(&other).await?;
    let mut published = BTreeMap::new();
    for number in 0..150 {
        let title = format!("Title {number}");
        let name = publish(&office, practice(&title), "public").await?;
        published.insert(name.to_string(), title);
    }
    let theirs = publish(&other, practice("Theirs"), "public").await?;
    published.insert(theirs.to_string(), "Theirs".to_owned());
    publish(&office, practice("Hidden"), "federation").await?;
    until("the partner's record came", || {
        office.holds(&other, theirs.record)
    })
    .await?;
    let client = office.integrator().await?;
    let (mut found, mut cursor, mut watch) = (BTreeMap::new(), None, None);
    while watch.is_none() {
        // A new call for each batch, as if each had broken.
        let mut reading = client.read_all(None, cursor.take());
        let batch = reading.next().await?.context("a batch")?;
        assert!(batch.records.len() <= 64);
        for (answer, file) in batch.records {
            read_proof_file(&file)?;
            let (rcp, record) = (answer.header().rcp, answer.header().record);
            let body = v1::Practice::decode(answer.body())?;
            let name = RecordName { rcp, record }.to_string();
            assert!(found.insert(name, body.title[0].text.clone()).is_none());
        }
        (cursor, watch) = (Some(batch.cursor), batch.watch_cursor);
    }
    assert_eq!(found, published);
    let mut whole = client.read_all(Some(office.rcp), None);
    let mut count = 0;
    while let Some(batch) = whole.next().await? {
        count += batch.records.len();
    }
    assert_eq!(count, 150);
    let later = publish(&office, practice("Later"), "public").await?;
    let change = client.watch(watch).next().await?;
    let record = change.record.context("a change")?.record;
    assert_eq!(record.name, later.to_string());
    let strange = client.read_all(Some(office.rcp), cursor).next().await;
    assert!(strange.is_err(), "a cursor of another question");
    Ok(())
}

/// What was kept in memory is gone with what it was of.
#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_found_as_it_is_now() -> Result<()> {
    let office = Office::open("Quito Process", true).await?;
    let name = publish(&office, practice("Former words"), "public").await?;
    let client = office.client().await?;
    let found = async |query: &str| {
        let page = client
            .search(query, &Wanted::default(), "", 0, None)
            .await?;
        anyhow::Ok(page.total)
    };
    assert_eq!((found("former").await?, found("latter").await?), (1, 0));
    office.revise(name.record, "Latter words").await?;
    assert_eq!((found("former").await?, found("latter").await?), (0, 1));
    let desk = office.desk();
    let reason = corridor_proto::line::WithdrawalReason::Error;
    desk.withdraw(name.record, None, reason, None, None).await?;
    assert_eq!((found("former").await?, found("latter").await?), (0, 0));
    Ok(())
}

/// The command line does the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_finds_and_reads_all() -> Result<()> {
    let office = Office::open("Khartoum Process", true).await?;
    for (title, countries) in [("Safe ways home", ["SD"]), ("Ways to work", ["ET"])] {
        publish(&office, about("en", title, &countries, &[21]), "public").await?;
    }
    let profile = office.profile();
    let run = async |line: &str| {
        let profile = profile.display();
        let (code, said) = corridor(&format!("corridor --profile {profile} {line}")).await;
        anyhow::ensure!(code == 0, "{line}: {code} {said}");
        Ok(said)
    };
    let listed = run("record list --filter countries:SD").await?;
    assert!(
        listed.contains("Safe ways home") && !listed.contains("Ways to work"),
        "{listed}"
    );
    let found = run("record search WAYS --newest").await?;
    assert!(found.contains("2 records found."), "{found}");
    let json = run("record search home --json").await?;
    let json: serde_json::Value = serde_json::from_str(json.trim())?;
    assert_eq!(json["total"], 1);
    let folder = office.folder.path().join("proofs");
    let path = folder.display().to_string();
    let read = run(&format!("record read-all {path}")).await?;
    assert!(read.contains("2 records, each verified here"), "{read}");
    assert_eq!(std::fs::read_dir(&folder)?.count(), 2);
    for entry in std::fs::read_dir(&folder)? {
        let file = entry?.path().display().to_string();
        let told = run(&format!("verify {file}")).await?;
        assert!(
            told.contains("verified: signature, line, checkpoint, charter"),
            "{told}"
        );
    }
    Ok(())
}
