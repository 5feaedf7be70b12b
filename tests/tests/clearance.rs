//! Who clears what: a text on its way from whoever writes it to the partners.

use anyhow::{Context, Result, ensure};
use corridor_client::{Client, Profile, RecordName, v1};
use corridor_node::operate::access::{Access, Role};
use corridor_proto::UnixMillis;
use corridor_proto::kinds::Kind;
use corridor_tests::command::corridor;
use corridor_tests::nodes::{Office, practice, until};
use corridor_tests::raw::Caller;
use prost::Message;

/// Somebody of an office, at the command line.
struct Person(String);

impl Person {
    fn of(office: &Office, who: &str, roles: &[Role]) -> Result<Self> {
        let path = office.profile_of(who, roles)?;
        Ok(Self(path.to_str().context("a path")?.to_owned()))
    }

    async fn says(&self, command: &str) -> (u8, String) {
        corridor(&format!(
            "corridor --profile \"{}\" --no-input {command}",
            self.0
        ))
        .await
    }

    async fn does(&self, command: &str) -> Result<String> {
        let (code, text) = self.says(command).await;
        ensure!(code == 0, "{command}: {code}: {text}");
        Ok(text)
    }

    async fn client(&self) -> Result<Client> {
        Ok(Client::connect(&Profile::read(self.0.as_ref())?).await?)
    }
}

/// The officer writes a text and asks; the head reads it and gives it back.
async fn given_back_once(officer: &Person, head: &Person) -> Result<v1::Draft> {
    let client = officer.client().await?;
    let body = practice("One orientation path for workers");
    let draft = client.create_draft(Kind::Practice, body.clone()).await?;
    let name: RecordName = draft.name.parse()?;
    let id = name.record.to_string();
    assert_eq!(draft.state(), v1::DraftState::Written);
    officer
        .does(&format!("record ask {id} --note \"the dates are right\""))
        .await?;
    let waits = head.does("record drafts --asked").await?;
    assert!(
        waits.contains("to be cleared, Officer Amal asks"),
        "{waits}"
    );
    let (code, text) = officer.says(&format!("record clear {id} --yes")).await;
    assert_eq!(code, 4, "an editor clears nothing: {text}");
    let (code, text) = head.says(&format!("record return {id}")).await;
    assert!(
        code != 0 && text.contains("what is to be changed"),
        "{text}"
    );
    head.does(&format!("record return {id} --note \"it names a person\""))
        .await?;
    let shown = officer.does(&format!("record show {id}")).await?;
    assert!(
        shown.contains("given back by Head Noura: it names a person"),
        "{shown}"
    );
    Ok(draft)
}

/// An officer writes, the head of the secretariat gives back, then clears and publishes; a partner
/// reads in whose name it was released, and nothing of who did what in the house.
#[tokio::test(flavor = "multi_thread")]
async fn story_2_head_of_secretariat_releases() -> Result<()> {
    let mut office = Office::open("Abu Dhabi Dialogue", true).await?;
    office.want_four_eyes().await?;
    let partner = Office::open("Colombo Process", true).await?;
    office.befriend(&partner).await?;
    office.admit("federation", &[&partner]).await?;
    let officer = Person::of(&office, "Officer Amal", &[Role::Editor])?;
    let head = Person::of(&office, "Head Noura", &[Role::Clearer])?;

    let draft = given_back_once(&officer, &head).await?;
    let name: RecordName = draft.name.parse()?;
    let id = name.record.to_string();
    let client = officer.client().await?;
    let body = practice("An orientation path for workers");
    let draft = client
        .update_draft(&name, Kind::Practice, body, &draft.etag)
        .await;
    let draft = draft.context("nobody else saved it")?;
    officer.does(&format!("record ask {id}")).await?;
    let told = "--role member-state --on-behalf-of \"Ministry of Labour\" --reference NV/114 \
                --date 2026-05-02";
    head.does(&format!(
        "record clear {id} --yes {told} --note \"by telephone\""
    ))
    .await?;
    assert!(
        !partner.holds(&office, name.record),
        "nothing was published"
    );
    assert!(office.has_bytes(b"by telephone")?, "said, not yet erased");
    let (code, _) = officer
        .says(&format!("record publish {id} --circle federation"))
        .await;
    assert_eq!(code, 4, "an editor publishes nothing");
    head.does(&format!("record publish {id} --circle federation"))
        .await?;

    let released = head.client().await?.record(&name).await?.record.released;
    let released = released.context("who cleared it")?;
    assert_eq!(
        (released.who.as_str(), released.note.as_str()),
        ("Head Noura", "")
    );
    let stale = client
        .update_draft(&name, Kind::Practice, practice("Stale"), &draft.etag)
        .await;
    assert!(stale.is_err(), "the draft that was meant is gone");
    until("the partner holds it", || {
        partner.holds(&office, name.record)
    })
    .await?;
    until("what was said to the draft is erased", || {
        let said = ["by telephone", "it names a person"];
        said.iter()
            .all(|said| matches!(office.has_bytes(said.as_bytes()), Ok(false)))
    })
    .await?;
    what_left_the_house(&partner, &name).await
}

/// Readers are told in whose name it was released, and nothing of who did what in the house.
async fn what_left_the_house(partner: &Office, name: &RecordName) -> Result<()> {
    let read = partner.client().await?.verified_record(name).await?;
    let received = v1::Practice::decode(read.record().signed().body.as_slice())?;
    let clearance = received.envelope.context("an envelope")?.clearance;
    let clearance = clearance.context("readers are told")?;
    assert_eq!(clearance.by_role(), v1::AuthorRole::MemberState);
    assert_eq!(clearance.on_behalf_of, "Ministry of Labour");
    for secret in [
        "Head Noura",
        "Officer Amal",
        "by telephone",
        "it names a person",
    ] {
        assert!(
            !partner.has_bytes(secret.as_bytes())?,
            "{secret} left the house"
        );
    }
    Ok(())
}

/// Where four eyes are wanted, whoever wrote a text releases it by no way, and a text that another
/// one changed is cleared anew; after a restart as before.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_releases_their_own_text() -> Result<()> {
    let mut office = Office::open("Bali Process", true).await?;
    office.want_four_eyes().await?;
    let roles = [Role::Editor, Role::Clearer];
    let (one, other) = (
        Person::of(&office, "One", &roles)?,
        Person::of(&office, "Other", &roles)?,
    );
    let (first, second) = (one.client().await?, other.client().await?);
    let draft = first
        .create_draft(Kind::Practice, practice("A text"))
        .await?;
    let name: RecordName = draft.name.parse()?;
    let own = first
        .clear_draft(&draft, "", None)
        .await
        .expect_err("its own");
    assert_eq!(own.reason(), "FOUR_EYES", "{own}");
    let circles = ["public".to_owned()];
    let own = first.publish(&name, &circles).await.expect_err("its own");
    assert_eq!(own.reason(), "FOUR_EYES", "{own}");
    second.clear_draft(&draft, "", None).await?;
    let changed = first
        .update_draft(&name, Kind::Practice, practice("Another text"), "")
        .await?;
    assert_eq!(
        changed.state(),
        v1::DraftState::Written,
        "the clearance was of the other text"
    );
    office.close().await?;
    office.reopen().await?;
    let (first, second) = (one.client().await?, other.client().await?);
    assert!(
        first.publish(&name, &circles).await.is_err(),
        "still its own"
    );
    let stale = second
        .clear_draft(&draft, "", None)
        .await
        .expect_err("as it was before");
    assert_eq!(stale.reason(), "CHANGED_MEANWHILE", "{stale}");
    second
        .clear_draft(&second.draft(&name).await?, "", None)
        .await?;
    first
        .publish(&name, &circles)
        .await
        .context("another one cleared it")?;
    let released = first.record(&name).await?.record.released;
    assert_eq!(released.map(|step| step.who).as_deref(), Some("Other"));
    let public = office.integrator().await?.record(&name).await?.record;
    assert_eq!(
        public.released, None,
        "who cleared it is told to the secretariat alone"
    );
    Ok(())
}

/// A call that is repeated because its answer was lost makes one draft.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_repeated_makes_one_draft() -> Result<()> {
    let office = Office::open("Puebla Process", true).await?;
    let token = Access::of(&office.data()).create(&[Role::Editor], "an editor", UnixMillis(0))?;
    let mut caller = Caller::of(&office, Some(token)).await?;
    let mut asked = v1::CreateDraftRequest {
        kind: "practice".to_owned(),
        body: practice("Once"),
        request_id: "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0".to_owned(),
    };
    let mut names = Vec::new();
    for _ in 0..3 {
        let answer = caller.call("RecordService/CreateDraft", &asked).await?;
        let made: v1::CreateDraftResponse = answer.read()?;
        names.push(made.draft.context("a draft")?.name);
    }
    asked.request_id = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f1".to_owned();
    let answer = caller.call("RecordService/CreateDraft", &asked).await?;
    let other: v1::CreateDraftResponse = answer.read()?;
    assert_ne!(other.draft.context("a draft")?.name, names[0]);
    names.dedup();
    assert_eq!(names.len(), 1);
    asked.request_id = "not one".to_owned();
    let refused = caller.call("RecordService/CreateDraft", &asked).await?;
    assert_eq!(refused.code, tonic::Code::InvalidArgument);
    let client = office.client().await?;
    assert_eq!(client.drafts().await?.len(), 2);
    Ok(())
}

/// However many drafts there are, each is on one page.
#[tokio::test(flavor = "multi_thread")]
async fn drafts_come_page_by_page() -> Result<()> {
    let office = Office::open("Colombo Process", true).await?;
    let client = office.client().await?;
    let mut made = Vec::new();
    for n in 0..130 {
        let draft = client
            .create_draft(Kind::Practice, practice(&format!("Draft {n}")))
            .await?;
        made.push(draft.name);
    }
    let listed: Vec<_> = client
        .drafts()
        .await?
        .into_iter()
        .map(|draft| draft.name)
        .collect();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert!(sorted(listed) == sorted(made.clone()), "two pages");
    client
        .request_clearance(&client.draft(&made[7].parse()?).await?, "")
        .await?;
    let asked = client.drafts_in(v1::DraftState::Asked).await?;
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].name, made[7]);
    Ok(())
}
