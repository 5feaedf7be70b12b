//! The connection to a node: whom it trusts, what it repeats, how it follows, what it believes.

#![allow(clippy::expect_used)]

mod server;

use std::time::Duration;

use corridor_client::cli::{self, Screen};
use corridor_client::{Check, CheckedRecord, Client, ClientError};
use corridor_client::{FaultKind, Profile, RecordName, Unverified};
use corridor_proto::{Hash, RcpId, Reason, RecordId, v1};
use server::world::{Told, practice};
use server::{Answer, Fake, Identity};

fn profile(address: &str, key: Hash) -> Profile {
    Profile::new(address, &key.to_string(), "sesame".into()).expect("profile")
}

async fn connect(fake: &Fake) -> Client {
    let profile = profile(&fake.address, fake.key);
    Client::connect(&profile).await.expect("connected")
}

fn name() -> RecordName {
    RecordName {
        rcp: RcpId::new([1; 32]),
        record: RecordId::new([2; 16]),
    }
}

#[tokio::test]
async fn the_token_is_in_every_call() {
    let fake = Fake::start(Identity::Own).await;
    let client = connect(&fake).await;
    client.drafts().await.expect("read");
    client.delete_draft(&name()).await.expect("written");
    assert_eq!(fake.tokens(), ["Bearer sesame", "Bearer sesame"]);
}

#[tokio::test]
async fn another_key_is_never_spoken_to() {
    let fake = Fake::start(Identity::Own).await;
    let other = profile(&fake.address, Hash::new([7; 32]));
    let error = Client::connect(&other).await.expect_err("other key");
    assert!(matches!(error, ClientError::WrongKey { .. }), "{error:?}");
    assert!(fake.tokens().is_empty());
}

#[tokio::test]
async fn a_copied_certificate_without_its_key_is_refused() {
    let fake = Fake::start(Identity::CopiedCertificate).await;
    let pinned = profile(&fake.address, fake.key);
    let error = Client::connect(&pinned).await.expect_err("cannot sign");
    assert!(matches!(error, ClientError::WrongKey { .. }), "{error:?}");
    assert!(fake.tokens().is_empty());
}

#[tokio::test]
async fn only_tls_1_3_is_spoken() {
    let fake = Fake::start(Identity::OldTls).await;
    let pinned = profile(&fake.address, fake.key);
    let error = Client::connect(&pinned).await.expect_err("TLS 1.2");
    assert!(
        matches!(error, ClientError::Unreachable { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let address = free.local_addr().expect("address").to_string();
    drop(free);
    let error = Client::connect(&profile(&address, Hash::new([7; 32]))).await;
    let text = error.expect_err("nobody").to_string();
    assert!(text.contains("nothing answers there"), "{text}");
}

#[tokio::test]
async fn a_read_is_tried_again_and_a_change_is_not() {
    let fake = Fake::start(Identity::Own).await;
    let client = connect(&fake).await;
    fake.script([Answer::Unavailable, Answer::Unavailable, Answer::Good]);
    client.drafts().await.expect("the third answer");
    assert_eq!(fake.tokens().len(), 3);
    fake.script([Answer::Unavailable, Answer::Good]);
    let error = client.delete_draft(&name()).await.expect_err("once");
    assert_eq!(
        error.fault().map(|f| f.kind()),
        Some(FaultKind::Unavailable)
    );
    assert_eq!(fake.tokens().len(), 4);
    fake.script([Answer::Unavailable; 9]);
    client.drafts().await.expect_err("four times");
    assert_eq!(fake.tokens().len(), 8);
}

#[tokio::test]
async fn a_refusal_is_not_tried_again_and_keeps_its_reason() {
    let fake = Fake::start(Identity::Own).await;
    let client = connect(&fake).await;
    fake.script([Answer::NotFound, Answer::Good]);
    let error = client.drafts().await.expect_err("refused");
    assert_eq!(error.reason(), "NOT_FOUND");
    assert_eq!(error.fault().map(|f| f.kind()), Some(FaultKind::NotFound));
    assert_eq!(fake.tokens().len(), 1);
}

#[tokio::test]
async fn a_call_ends_in_time() {
    let fake = Fake::start(Identity::Own).await;
    let client = connect(&fake)
        .await
        .with_call_time(Duration::from_millis(200));
    fake.script([Answer::Silence]);
    let error = client.drafts().await.expect_err("silence");
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn a_watch_goes_on_where_it_broke() {
    let fake = Fake::start(Identity::Own).await;
    fake.tell([practice(1, "One")]);
    let mut watch = connect(&fake).await.watch(None);
    let mut cursors = Vec::new();
    while cursors.len() < 3 {
        cursors.extend(watch.next().await.expect("change").cursor);
    }
    assert_eq!(cursors, ["c1", "c2", "c3"]);
    assert_eq!(watch.cursor(), Some("c3"));
    assert_eq!(
        fake.cursors(),
        ["", "c1", "c2"],
        "each stream ended after one batch"
    );
    fake.script([Answer::NotFound]);
    let error = watch.next().await.expect_err("a refusal ends it");
    assert_eq!(error.reason(), "NOT_FOUND");
}

/// A node that tells the truth of its first record, and lies about each of the others.
fn forged() -> Vec<Told> {
    let mut all: Vec<Told> = (1..=6).map(|byte| practice(byte, "True")).collect();
    all[1].record.title[0].text = "Forged".into();
    all[1].record.version = 99;
    for told in &mut all[2..] {
        told.record.title[0].text = "Forged".into();
    }
    let body = |told: &mut Told| {
        let raw = told.proof.as_mut().and_then(|proof| proof.raw.as_mut());
        raw.expect("bytes").body.clone_from(&b"forged".to_vec());
    };
    body(&mut all[2]);
    all[3].proof = all[0].proof.clone();
    all[4].proof = None;
    all[5].record.state = v1::RecordState::Withdrawn.into();
    all
}

/// In one word, what was made of a record.
fn verdict(found: &CheckedRecord) -> String {
    let title = found.record.title.first().map(|one| one.text.as_str());
    match &found.check {
        Check::Verified(signed) => format!("{} {}", signed.header.version, title.unwrap_or("-")),
        Check::Unverified(Unverified::Refused(refusal)) => {
            format!("{} {}", refusal.reason.code(), title.unwrap_or("-"))
        }
        Check::Unverified(Unverified::NoProof) => format!("no proof {}", title.unwrap_or("-")),
        Check::Unverified(Unverified::NothingInForce(_)) => "nothing".to_owned(),
    }
}

const VERDICTS: [&str; 6] = [
    "7 True",
    "7 True",
    "WRONG_HASH -",
    "WRONG_HASH -",
    "no proof -",
    "nothing",
];

#[tokio::test]
async fn a_list_and_its_changes_are_verified_record_by_record() {
    let fake = Fake::start(Identity::Own).await;
    fake.tell(forged());
    let client = connect(&fake).await;
    let listed = client.records(None, true).await.expect("a list");
    let verdicts: Vec<_> = listed.iter().map(verdict).collect();
    assert_eq!(verdicts, VERDICTS);
    assert_eq!(
        listed[1].record.version, 7,
        "what was signed, not what was said"
    );
    let mut watch = client.watch(None);
    let mut verdicts = Vec::new();
    while let Some(found) = watch.next().await.expect("a change").record {
        verdicts.push(verdict(&found));
    }
    assert_eq!(verdicts, VERDICTS, "in the order in which they came");
    let told = client.unverified_records(None, true).await.expect("a list");
    assert_eq!(
        told[2].title[0].text, "Forged",
        "said by its name to be the node's word"
    );
}

#[tokio::test]
async fn a_proof_by_another_rcp_than_before_does_not_pass_for_its_charter() {
    let fake = Fake::start(Identity::Own).await;
    let client = connect(&fake).await;
    let mut told = practice(1, "True");
    let name: RecordName = told.record.name.parse().expect("name");
    fake.tell([told.clone()]);
    client
        .verified_record(&name)
        .await
        .expect("its charter is known now");
    let identity = told
        .proof
        .as_mut()
        .and_then(|proof| proof.identity.as_mut());
    identity.expect("charter").key_events[0].signing_signature[7] ^= 1;
    fake.tell([told]);
    let error = client.verified_record(&name).await.expect_err("changed");
    assert_eq!(error.reason(), Reason::BadSignature.code());
}

#[tokio::test]
async fn the_command_line_says_of_each_record_whether_it_was_verified() {
    let fake = Fake::start(Identity::Own).await;
    fake.tell(forged());
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("client.toml");
    let text = format!(
        "address = \"{}\"\nserver_key = \"{}\"\ntoken = \"sesame\"\n",
        fake.address, fake.key
    );
    std::fs::write(&path, text).expect("profile");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, mode).expect("mode");
    let path = path.to_str().expect("path");
    for command in ["list", "watch --until-now"] {
        let seen = Seen::default();
        let screen = Screen::new(seen.clone(), std::io::sink(), std::io::empty(), false);
        let args = format!("corridor --profile {path} record {command}");
        assert_eq!(cli::run(args.split(' '), screen).await, 7, "{command}");
        let text = seen.text();
        let ends = |end: &str| text.lines().filter(|line| line.ends_with(end)).count();
        assert_eq!(ends("  verified"), 2, "{text}");
        assert_eq!(text.matches("  not verified: ").count(), 4, "{text}");
        assert_eq!(ends("not verified: it was withdrawn"), 1, "{text}");
        assert!(!text.contains("Forged"), "{text}");
    }
    fake.tell([practice(1, "True")]);
    let screen = Screen::new(std::io::sink(), std::io::sink(), std::io::empty(), false);
    let args = format!("corridor --profile {path} record list");
    assert_eq!(cli::run(args.split(' '), screen).await, 0);
}

/// What was written to a screen.
#[derive(Clone, Default)]
struct Seen(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Seen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("seen").clone()).expect("text")
    }
}

impl std::io::Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("seen").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
