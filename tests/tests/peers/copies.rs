//! Start numbers: what stops a node from signing, and what does not.

use anyhow::Result;
use corridor_node::operate::keys::read_key;
use corridor_proto::start::sign_start;
use corridor_proto::{Reason, Refusal, StartNumber, v1};
use corridor_tests::nodes::{Office, until};
use corridor_tests::stranger::Stranger;
use corridor_tests::stranger::wire::Wire;

use super::refused;

const UNKNOWN: StartNumber = StartNumber::new([0x5a; 16]);

fn stopped(office: &Office) -> Option<String> {
    office
        .desk()
        .store()
        .read(|view| view.signing_stopped.clone())
}

/// A link whose hello gives this number and signature back, and the node's own hello.
async fn give_back(
    office: &Office,
    stranger: &Stranger,
    number: &StartNumber,
    signature: &[u8],
) -> Result<(Wire, v1::SessionHello)> {
    let mut hello = stranger.hello()?;
    hello.last_start_number = number.as_bytes().to_vec();
    hello.last_start_signature = signature.to_vec();
    let mut wire = stranger.dial(office).await?.open().await?;
    let theirs = wire.greet(hello).await?;
    wire.show_nothing()?;
    Ok((wire, theirs))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partners_word_stops_nobody() -> Result<()> {
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    let stranger = Stranger::new()?;
    stranger.befriend(&office).await?;
    let public = office.circle("public")?;
    office.publish("Before", &[public]).await?;
    let by_another = sign_start(&stranger.signing, &office.rcp, &UNKNOWN);
    for signature in [Vec::new(), vec![1; 64], by_another.to_vec()] {
        let (mut wire, _) = give_back(&office, &stranger, &UNKNOWN, &signature).await?;
        assert!(wire.is_served(&public).await?, "the link goes on");
        let expect = Refusal::new("start number", Reason::BadSignature);
        until("it counts as refused", || {
            refused(&office, &stranger) == Some(expect)
        })
        .await?;
        assert_eq!(stopped(&office), None);
    }
    office.publish("After", &[public]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_nodes_own_signature_says_that_another_copy_ran() -> Result<()> {
    let office = Office::open("Bali Process", true).await?;
    let (stranger, partner) = (Stranger::new()?, Stranger::new()?);
    stranger.befriend(&office).await?;
    partner.befriend(&office).await?;
    let public = office.circle("public")?;
    office.publish("Before", &[public]).await?;
    // What the node itself said at this start is nothing new to it.
    let mut wire = stranger.dial(&office).await?.open().await?;
    let theirs = wire.greet(stranger.hello()?).await?;
    let number = StartNumber::from_slice(&theirs.start_number)?;
    let known = give_back(&office, &stranger, &number, &theirs.start_signature).await?;
    assert_eq!(known.1.start_number, theirs.start_number);
    let (mut wire, _) = known;
    assert!(wire.is_served(&public).await?);
    assert_eq!(
        (stopped(&office), refused(&office, &stranger)),
        (None, None)
    );
    // A copy of its folder has its key, and numbers of its own.
    let key = read_key(&office.data().join("keys/signing.key"))?;
    let genuine = sign_start(&key, &office.rcp, &UNKNOWN);
    let (mut wire, _) = give_back(&office, &stranger, &UNKNOWN, &genuine).await?;
    assert_eq!(wire.end().await?.as_deref(), Some("SIGNING_STOPPED"));
    assert_eq!(stopped(&office).as_deref(), Some("ANOTHER_COPY_RAN"));
    assert!(office.publish("After", &[public]).await.is_err());
    // It opens no session to anybody from now on.
    let mut other = partner.dial(&office).await?.open().await?;
    assert_eq!(other.end().await?.as_deref(), Some("SIGNING_STOPPED"));
    Ok(())
}
