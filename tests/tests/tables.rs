//! Records by the table, as an office works with them: template, dry run, import, undo, export.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use corridor_client::v1;
use corridor_node::demo::records::demonstration_records;
use corridor_node::operate::access::{Access, Role};
use corridor_proto::UnixMillis;
use corridor_proto::kinds::{self, Kind};
use corridor_tables::write::{Record, WorkbookWriter, Writer, uses};
use corridor_tables::{Item, Language, Options, record};
use corridor_tests::command::corridor;
use corridor_tests::nodes::Office;
use corridor_tests::raw::Caller;
use prost::Message;
use tonic::Code;

/// The practices of the demonstration, each with a reference of the office.
fn practices() -> Result<Vec<v1::Practice>> {
    let all = demonstration_records()?;
    let practices = all.iter().filter(|record| record.kind == Kind::Practice);
    let mut found = Vec::new();
    for (number, record) in practices.enumerate() {
        let mut practice = v1::Practice::decode(record.body.as_slice())?;
        practice.envelope.get_or_insert_default().our_ref = format!("REF-{number:03}");
        found.push(practice);
    }
    Ok(found)
}

/// A workbook as an office fills it in, in French.
fn workbook(path: &Path, practices: &[v1::Practice]) -> Result<()> {
    let mut bytes = Vec::new();
    let bodies: Vec<Vec<u8>> = practices.iter().map(Message::encode_to_vec).collect();
    let tags = bodies
        .iter()
        .filter_map(|body| record::tags(Kind::Practice, body));
    let uses = uses(Kind::Practice, &tags.flatten().collect());
    let mut writer = WorkbookWriter::new(&mut bytes, Language::French);
    writer.kind(Kind::Practice, uses)?;
    for body in &bodies {
        let (name, version) = ("", None);
        writer.record(Record {
            name,
            version,
            body,
        })?;
    }
    writer.finish()?;
    Ok(std::fs::write(path, bytes)?)
}

/// An office and its command line.
struct Desk {
    office: Office,
}

impl Desk {
    async fn open() -> Result<Self> {
        let office = Office::open("Budapest Process", true).await?;
        Ok(Self { office })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.office.folder.path().join(name)
    }

    async fn run(&self, line: &str) -> (u8, String) {
        let profile = self.office.profile();
        corridor(&format!("corridor --profile {} {line}", profile.display())).await
    }

    async fn done(&self, line: &str) -> Result<String> {
        let (code, said) = self.run(line).await;
        anyhow::ensure!(code == 0, "{line}: {code}: {said}");
        Ok(said)
    }

    /// The drafts by the office's references.
    async fn drafts(&self) -> Result<BTreeMap<String, (String, v1::Practice)>> {
        let drafts = self.office.client().await?.drafts().await?;
        let mut found = BTreeMap::new();
        for draft in drafts {
            let practice = v1::Practice::decode(draft.body.as_slice())?;
            let reference = practice.envelope.clone().unwrap_or_default().our_ref;
            found.insert(reference, (draft.name, practice));
        }
        Ok(found)
    }

    async fn last_import(&self) -> Result<v1::Import> {
        let imports = self.office.client().await?.imports().await?;
        imports.into_iter().next().context("an import")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_brings_its_practices_again_and_again() -> Result<()> {
    let desk = Desk::open().await?;
    let file = desk.path("practices.xlsx");
    let shown = file.display();
    let mut practices = practices()?;
    let count = practices.len();
    workbook(&file, &practices)?;

    let said = desk
        .done(&format!("record import {shown} --dry-run"))
        .await?;
    assert!(said.contains(&format!("{count} new, 0 changed")), "{said}");
    assert!(said.contains("Nothing was changed."), "{said}");
    assert!(desk.drafts().await?.is_empty());
    assert!(desk.office.client().await?.imports().await?.is_empty());

    let said = desk.done(&format!("record import {shown}")).await?;
    assert!(
        said.contains(&format!("{count} drafts saved as import ")),
        "{said}"
    );
    let drafts = desk.drafts().await?;
    assert_eq!(drafts.len(), count);
    for practice in &practices {
        let reference = practice.envelope.clone().unwrap_or_default().our_ref;
        let body = kinds::canonical(Kind::Practice, &practice.encode_to_vec());
        let body = body.map_err(|found| anyhow::anyhow!("{found:?}"))?;
        assert_eq!(drafts[&reference].1.encode_to_vec(), body, "{reference}");
    }
    let first = desk.last_import().await?;
    assert_eq!(first.file_name, "practices.xlsx");

    let said = desk.done(&format!("record import {shown}")).await?;
    assert!(
        said.contains(&format!("0 new, 0 changed, {count} unchanged")),
        "{said}"
    );
    assert_eq!(
        desk.last_import().await?.name,
        first.name,
        "nothing is noted"
    );

    let before = practices[1].start_year;
    practices[1].start_year = before + 1;
    workbook(&file, &practices)?;
    let said = desk.done(&format!("record import {shown}")).await?;
    assert!(said.contains("0 new, 1 changed"), "{said}");
    assert_eq!(desk.drafts().await?["REF-001"].1.start_year, before + 1);

    takes_both_back(&desk, &first.name, count, before).await
}

/// What the second import changed is as before, then what the first one made is gone.
async fn takes_both_back(desk: &Desk, first: &str, count: usize, before: u32) -> Result<()> {
    let second = desk.last_import().await?.name;
    let (code, said) = desk.run(&format!("record undo-import {first} --yes")).await;
    assert_eq!(code, 5, "{said}");
    assert!(
        said.contains("1 of the drafts of this import were changed"),
        "{said}"
    );
    assert_eq!(desk.drafts().await?.len(), count, "nothing was taken back");
    let said = desk
        .done(&format!("record undo-import {second} --yes"))
        .await?;
    assert!(
        said.contains("0 drafts discarded, 1 draft as before"),
        "{said}"
    );
    assert_eq!(desk.drafts().await?["REF-001"].1.start_year, before);
    let said = desk
        .done(&format!("record undo-import {first} --yes"))
        .await?;
    assert!(
        said.contains(&format!("{count} drafts discarded")),
        "{said}"
    );
    assert!(desk.drafts().await?.is_empty());
    let said = desk.done("record imports").await?;
    assert_eq!(said.matches("taken back").count(), 2, "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_published_record_begins_a_new_version() -> Result<()> {
    let desk = Desk::open().await?;
    let file = desk.path("practices.xlsx");
    let shown = file.display();
    let mut practices = practices()?;
    practices.truncate(2);
    workbook(&file, &practices)?;
    desk.done(&format!("record import {shown}")).await?;
    let first = desk.last_import().await?.name;
    let (name, _) = desk.drafts().await?["REF-000"].clone();
    desk.done(&format!("record publish {name} --circle public"))
        .await?;

    practices[0].start_year += 1;
    workbook(&file, &practices)?;
    let said = desk.done(&format!("record import {shown}")).await?;
    assert!(said.contains("0 new, 1 changed, 1 unchanged"), "{said}");
    assert_eq!(
        desk.drafts().await?["REF-000"].0,
        name,
        "of the same record"
    );
    let second = desk.last_import().await?.name;
    let (code, said) = desk.run(&format!("record undo-import {first} --yes")).await;
    assert_eq!(code, 5, "one of them is shared: {said}");
    desk.done(&format!("record undo-import {second} --yes"))
        .await?;
    let drafts = desk.drafts().await?;
    assert_eq!(drafts.keys().collect::<Vec<_>>(), ["REF-001"]);

    desk.done(&format!("record import {shown}")).await?;
    let third = desk.last_import().await?.name;
    desk.done(&format!("record publish {name}")).await?;
    let (code, said) = desk.run(&format!("record undo-import {third} --yes")).await;
    assert_eq!(code, 5, "its version is shared: {said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_problems_makes_nothing_unless_the_good_rows_are_wanted() -> Result<()> {
    let desk = Desk::open().await?;
    let summary = "word ".repeat(50);
    let good = |reference: &str, title: &str| {
        format!("\"{reference}\",\"{title}\",\"en\",\"{summary}\",\"6\",\"AE\"\n")
    };
    let head = "our_ref,title,language,summary,gcm_objectives,states\n";
    let bad = good("C", "Third and quite another thing").replace("AE", "Atlantis");
    let file = desk.path("mixed.csv");
    let shown = file.display();
    let twice = good("A", "Fourth thing with its reference given twice");
    let rows = [good("A", "First"), good("", "Second"), bad, twice].concat();
    std::fs::write(&file, format!("{head}{rows}"))?;
    let (code, said) = desk.run(&format!("record import {shown}")).await;
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("F4: \"Atlantis\" is no country"), "{said}");
    assert!(said.contains("A5: is the reference of row 2 too"), "{said}");
    assert!(desk.drafts().await?.is_empty());
    let (code, said) = desk
        .run(&format!("record import {shown} --take-good-rows --json"))
        .await;
    assert_eq!(code, 8, "{said}");
    let told: serde_json::Value = serde_json::from_str(said.lines().next().unwrap_or_default())?;
    assert_eq!(told["import"]["savedRows"], 2, "{said}");
    assert_eq!(told["rows"][2]["state"], "ROW_STATE_PROBLEM", "{said}");
    assert_eq!(desk.drafts().await?.len(), 2);

    // Without a reference the same row is perhaps there already, and is not taken twice.
    std::fs::write(&file, format!("{head}{}", good("", "SECOND")))?;
    let said = desk.done(&format!("record import {shown}")).await?;
    assert!(said.contains("1 perhaps there already"), "{said}");
    assert_eq!(desk.drafts().await?.len(), 2);
    let said = desk
        .done(&format!("record import {shown} --take-duplicates"))
        .await?;
    assert!(said.contains("1 draft saved"), "{said}");
    let (code, said) = desk.run(&format!("record import {shown} --sheet X")).await;
    assert_eq!(code, 7, "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_is_what_the_caller_may_see() -> Result<()> {
    let desk = Desk::open().await?;
    let public = desk.office.circle("public")?;
    let federation = desk.office.circle("federation")?;
    let title = "=HYPERLINK(\"http://x\",\"click\")";
    let open = desk.office.publish(title, &[public]).await?;
    desk.office.publish("For partners", &[federation]).await?;
    let file = desk.path("practices.xlsx");
    workbook(&file, &practices()?[..1])?;
    desk.done(&format!("record import {}", file.display()))
        .await?;

    let exported = async |name: &str, more: &str| -> Result<String> {
        let path = desk.path(name);
        desk.done(&format!("record export {more} -o {}", path.display()))
            .await?;
        Ok(String::from_utf8_lossy(&std::fs::read(&path)?).into_owned())
    };
    let csv = exported("all.csv", "").await?;
    assert!(csv.contains("\"'=HYPERLINK(\"\"http"), "{csv}");
    assert!(
        csv.contains("For partners") && !csv.contains("REF-000"),
        "{csv}"
    );
    let with_drafts = exported("drafts.csv", "--drafts").await?;
    assert!(with_drafts.contains("REF-000"), "{with_drafts}");
    let one = exported("one.json", &open.to_string()).await?;
    let json: serde_json::Value = serde_json::from_str(&one)?;
    assert_eq!(json["practice"][0]["title"], title);
    let (code, said) = desk
        .run(&format!(
            "record export -o {}",
            desk.path("one.json").display()
        ))
        .await;
    assert_eq!(code, 2, "it is there already: {said}");

    // What is given out is taken back as it is.
    let back = desk.path("back.xlsx");
    exported("back.xlsx", "--drafts").await?;
    let said = desk
        .done(&format!("record import {} --dry-run", back.display()))
        .await?;
    assert!(said.contains("0 new, 0 changed, 3 unchanged"), "{said}");

    let access = Access::of(&desk.office.data());
    let integrator = desk.office.integrator().await?;
    let request = |drafts| v1::ExportRecordsRequest {
        format: v1::TableFormat::Json.into(),
        drafts,
        ..Default::default()
    };
    let mut exporting = integrator.export(request(false)).await?;
    let mut bytes = Vec::new();
    while let Some(mut part) = exporting.next().await? {
        bytes.append(&mut part.chunk);
    }
    let seen = String::from_utf8(bytes)?;
    assert!(
        seen.contains("HYPERLINK") && !seen.contains("For partners"),
        "{seen}"
    );
    let token = access.create(&[Role::Reader], "a reader", UnixMillis(0))?;
    let mut reader = Caller::of(&desk.office, Some(token)).await?;
    let answer = reader
        .call("TableService/ExportRecords", &request(true))
        .await?;
    assert_eq!(answer.code, Code::PermissionDenied);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_template_is_empty_and_in_the_language_asked_for() -> Result<()> {
    let desk = Desk::open().await?;
    for language in Language::ALL {
        let path = desk.path(&format!("{language}.xlsx"));
        let shown = path.display();
        desk.done(&format!(
            "record template all --xlsx {shown} --language {language}"
        ))
        .await?;
        let mut rows = 0;
        let mut file = std::fs::File::open(&path)?;
        let read = corridor_tables::read(&mut file, &Options::default(), &mut |item| {
            rows += u32::from(matches!(item, Item::Row(_)));
            true
        })?;
        assert_eq!((read.sheets.len(), rows), (6, 0));
        let said = desk.done(&format!("record import {shown}")).await?;
        assert!(said.contains("Nothing was to be saved."), "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_a_crash_cut_short_says_so_and_can_be_taken_back() -> Result<()> {
    let mut desk = Desk::open().await?;
    let file = desk.path("practices.xlsx");
    workbook(&file, &practices()?)?;
    desk.done(&format!("record import {}", file.display()))
        .await?;
    let import = desk.last_import().await?;
    let count = import.saved_rows;
    // As a crash leaves it: its end was not written, and of its last row only the beginning.
    let id = import.name.trim_start_matches("imports/");
    let notes = desk
        .office
        .data()
        .join("imports")
        .join(format!("{id}.jsonl"));
    let text = std::fs::read_to_string(&notes)?;
    let lines: Vec<&str> = text.lines().collect();
    let whole = lines[..lines.len() - 1].join("\n");
    std::fs::write(&notes, format!("{whole}\n{{\"row\":{{\"rec"))?;
    desk.office.close().await?;
    desk.office.reopen().await?;
    let said = desk.done("record imports").await?;
    assert!(said.contains("ended early"), "{said}");
    let said = desk
        .done(&format!("record undo-import {} --yes", import.name))
        .await?;
    assert!(
        said.contains(&format!("{count} drafts discarded")),
        "{said}"
    );
    assert!(desk.drafts().await?.is_empty());
    assert!(desk.done("record imports").await?.contains("taken back"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_text_goes_with_its_record() -> Result<()> {
    let desk = Desk::open().await?;
    let file = desk.path("practices.xlsx");
    let shown = file.display();
    let mut practices = practices()?;
    practices.truncate(1);
    practices[0].title[0].text = "A needle in the former draft".to_owned();
    workbook(&file, &practices)?;
    desk.done(&format!("record import {shown}")).await?;
    practices[0].title[0].text = "Another title".to_owned();
    workbook(&file, &practices)?;
    desk.done(&format!("record import {shown}")).await?;
    let folder = desk.office.data().join("imports");
    let holds = || -> Result<bool> {
        let mut found = false;
        for entry in std::fs::read_dir(&folder)? {
            let bytes = std::fs::read(entry?.path())?;
            found |= String::from_utf8_lossy(&bytes).contains("A needle in the former draft");
        }
        Ok(found)
    };
    assert!(holds()?, "it could be restored");
    let (name, _) = desk.drafts().await?["REF-000"].clone();
    desk.done(&format!("record discard {name} --yes")).await?;
    assert!(!holds()?, "it was discarded");
    Ok(())
}
