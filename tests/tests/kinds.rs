//! Every kind of record, written by an office, shared, and read by another.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use corridor_client::{Client, RecordName, body, read_proof_file};
use corridor_proto::kinds::Kind;
use corridor_proto::{Hash, LogId, RcpId};
use corridor_tests::command::corridor;
use corridor_tests::nodes::{Office, until};

/// An office at its desk: what it writes names what was published before.
struct Writer<'a> {
    office: &'a Office,
    client: Client,
    circle: LogId,
}

impl<'a> Writer<'a> {
    async fn of(office: &'a Office, circle: LogId) -> Result<Self> {
        let client = office.client().await?;
        Ok(Self {
            office,
            client,
            circle,
        })
    }

    /// Publishes the template of a kind, with names put into it.
    async fn publish(&self, kind: Kind, rcp: &RcpId, about: Option<&Told>) -> Result<Told> {
        let json = body::template(kind).replace("REPLACE: ", "");
        let json = json.replace("rcps/REPLACE-RCP\"", &format!("rcps/{rcp}\""));
        let json = match about {
            Some(about) => json
                .replace("rcps/REPLACE-RCP/records/REPLACE-RECORD", &about.name)
                .replace("REPLACE-HASH", &about.version_hash.to_string()),
            None => json,
        };
        let body = body::from_json(kind, json.as_bytes())?;
        let draft = self.client.create_draft(kind, body).await?;
        let name: RecordName = draft.name.parse()?;
        let circles = Some(vec![self.circle]);
        self.office.desk().publish(name.record, circles).await?;
        let answer = self.client.verified_record(&name).await?;
        Ok(Told {
            kind,
            name: draft.name,
            version_hash: answer.record().version_hash(),
        })
    }
}

/// A record that was published.
struct Told {
    kind: Kind,
    name: String,
    version_hash: Hash,
}

/// What the command line shows of a record to whoever reads it at this office.
async fn shown(office: &Office, name: &str) -> Result<String> {
    let profile = office.profile();
    let profile = profile.to_str().context("a path")?;
    let (code, text) = corridor(&format!(
        "corridor --profile \"{profile}\" record show {name}"
    ))
    .await;
    ensure!(code == 0, "{text}");
    Ok(text)
}

/// Kinds whose records need no other.
const ALONE: [Kind; 9] = [
    Kind::Practice,
    Kind::Lesson,
    Kind::Recommendation,
    Kind::Guideline,
    Kind::Profile,
    Kind::Term,
    Kind::ObserverGrant,
    Kind::Review,
    Kind::Contact,
];

/// Something that the command line shows of a record.
const SHOWN: [(Kind, &str); 9] = [
    (Kind::Term, "in use"),
    (Kind::Mapping, "exact match"),
    (Kind::Meeting, "members and observers"),
    (Kind::Invitation, "2027-04-01"),
    (Kind::ObserverGrant, "speak when given floor"),
    (Kind::Endorsement, "consensus of members"),
    (Kind::Review, "2028"),
    (Kind::Contact, "desk@example.org"),
    (Kind::Act, "The second paragraph"),
];

#[tokio::test(flavor = "multi_thread")]
async fn two_offices_write_share_and_read_every_kind_of_record() -> Result<()> {
    let abu_dhabi = Office::open("Abu Dhabi Dialogue", true).await?;
    let bali = Office::open("Bali Process", true).await?;
    abu_dhabi.befriend(&bali).await?;
    abu_dhabi.admit("federation", &[&bali]).await?;
    let here = Writer::of(&abu_dhabi, abu_dhabi.circle("federation")?).await?;
    // What is said about a partner's record goes to that partner.
    let there = Writer::of(&bali, bali.private(&abu_dhabi)?).await?;
    let guest = bali.rcp;
    let mut told = Vec::new();
    for kind in ALONE {
        told.push(here.publish(kind, &guest, None).await?);
    }
    let meeting = here.publish(Kind::Meeting, &guest, None).await?;
    let invitation = here
        .publish(Kind::Invitation, &guest, Some(&meeting))
        .await?;
    let contribution = here.publish(Kind::Contribution, &guest, None).await?;
    for one in [&invitation, &contribution] {
        let name: RecordName = one.name.parse()?;
        until("it came", || bali.holds(&abu_dhabi, name.record)).await?;
    }
    // What the partner says about them names them, and the exact version.
    let presentation = there
        .publish(Kind::Presentation, &guest, Some(&invitation))
        .await?;
    let endorsement = there
        .publish(Kind::Endorsement, &guest, Some(&contribution))
        .await?;
    let act = there
        .publish(Kind::Act, &guest, Some(&contribution))
        .await?;
    let term = told.iter().find(|one| one.kind == Kind::Term);
    let mapping = there.publish(Kind::Mapping, &guest, term).await?;

    let all = [meeting, invitation, contribution];
    let theirs = [presentation, endorsement, act, mapping];
    let mut seen = BTreeMap::new();
    for one in told.iter().chain(&all) {
        seen.insert(one.kind, read(&there, one).await?);
    }
    for one in &theirs {
        seen.insert(one.kind, read(&here, one).await?);
    }
    assert_eq!(seen.len(), Kind::ALL.len(), "every kind was read");
    for (kind, expect) in SHOWN {
        assert!(seen[&kind].contains(expect), "{kind}: {}", seen[&kind]);
    }
    assert!(seen[&Kind::Endorsement].contains(&all[2].version_hash.to_string()));
    Ok(())
}

/// Waits until a record came, and reads it there: verified, and in words.
async fn read(reader: &Writer<'_>, told: &Told) -> Result<String> {
    let name: RecordName = told.name.parse()?;
    let holds = || {
        let key = corridor_rules::RecordKey {
            rcp: name.rcp,
            record: name.record,
        };
        let row = reader
            .office
            .desk()
            .store()
            .read(|view| corridor_rules::Rows::row(view, &key));
        row.is_some_and(|row| row.newest().is_some())
    };
    until("it came", holds).await?;
    let answer = reader.client.verified_record(&name).await?;
    assert_eq!(answer.record().version_hash(), told.version_hash);
    shown(reader.office, &told.name).await
}

/// A template is written by the program itself, filled in as its own text says, and refused with
/// what is still missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_says_what_has_to_be_put_into_it() -> Result<()> {
    let office = Office::open("Prague Process", true).await?;
    let folder = tempfile::tempdir()?;
    let profile = office.profile();
    let at = |path: &Path| path.to_str().map(str::to_owned).context("a path");
    let profile = at(&profile)?;
    for kind in Kind::ALL {
        let (code, json) = corridor(&format!("corridor --json record template {kind}")).await;
        assert_eq!(code, 0, "{json}");
        let file = folder.path().join(format!("{kind}.json"));
        std::fs::write(&file, &json)?;
        let line = format!(
            "corridor --profile \"{profile}\" record draft {kind} \"{}\"",
            at(&file)?
        );
        let (code, text) = corridor(&line).await;
        let has_names = json.contains("REPLACE-");
        assert_eq!(code == 0, !has_names, "{kind}: {text}");
        if has_names {
            assert!(text.contains("is no name of a record") || text.contains("is no identifier"));
        } else {
            assert!(
                text.contains("is still the example's text"),
                "{kind}: {text}"
            );
        }
    }
    Ok(())
}

/// A proof in a file is good on any computer, and for nobody once a bit of it is another.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_proves_a_record_without_a_node() -> Result<()> {
    let mut office = Office::open("Budapest Process", true).await?;
    let public = office.circle("public")?;
    let record = office.publish("Proved", &[public]).await?;
    let name = format!("rcps/{}/records/{record}", office.rcp);
    let folder = tempfile::tempdir()?;
    let at = folder.path().to_str().context("a path")?;
    let profile = office.profile();
    let profile = profile.to_str().context("a path")?;
    let save = format!("corridor --profile \"{profile}\" record verify {name} --save \"{at}\"");
    for _ in 0..2 {
        let (code, said) = corridor(&save).await;
        assert_eq!(code, 0, "{said}");
        assert!(
            said.contains("verified: signature, line, checkpoint, charter"),
            "{said}"
        );
    }
    office.close().await?;
    let files: Vec<_> = std::fs::read_dir(at)?.collect::<Result<_, _>>()?;
    assert_eq!(files.len(), 1, "saved once");
    let path = files[0].path();
    let verify = format!("corridor verify \"{}\"", path.to_str().context("a path")?);
    let (code, said) = corridor(&verify).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(&office.rcp.to_string()) && said.contains("Proved"),
        "{said}"
    );
    let good = std::fs::read(&path)?;
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(read_proof_file(&bad).is_err(), "bit 0 of byte {at}");
    }
    for more in [&good[..], &[0x40, 1]] {
        let twice = [&good[..], more].concat();
        assert!(read_proof_file(&twice).is_err(), "more than one proof");
    }
    std::fs::write(&path, &good[..good.len() - 1])?;
    let (code, said) = corridor(&verify).await;
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("ask for the file anew"), "{said}");
    Ok(())
}
