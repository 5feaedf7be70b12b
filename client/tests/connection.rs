//! The connection to a node: whom it trusts, what it repeats, and how it follows.

#![allow(clippy::expect_used)]

mod server;

use std::time::Duration;

use corridor_client::{Client, ClientError, FaultKind, Profile, RecordName};
use corridor_proto::{Hash, RcpId, RecordId};
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
