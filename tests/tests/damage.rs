//! Nodes whose folder was damaged: they start, show what they hold, and write nothing.

use anyhow::{Context, Result};
use corridor_rules::desk::Wish;
use corridor_rules::ingest::JOURNAL_LOST_ITS_END;
use corridor_tests::nodes::{Office, PATIENCE, until};

fn place_of(bytes: &[u8], needle: &[u8]) -> Result<usize> {
    let mut windows = bytes.windows(needle.len());
    windows
        .position(|window| window == needle)
        .context("not found")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_damaged_journal_shows_what_it_holds_and_writes_nothing() -> Result<()> {
    let mut office = Office::open("MIDSA", true).await?;
    let public = office.circle("public")?;
    let kept = office.publish("Before the damage", &[public]).await?;
    let hit = office.publish("Hit by the damage", &[public]).await?;
    office.close().await?;
    let segment = office.data().join("journal").join("00000000.seg");
    let mut bytes = std::fs::read(&segment)?;
    let at = place_of(&bytes, hit.as_bytes())?;
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes)?;
    office.reopen().await?;
    assert!(!office.node().opening.damage.is_empty(), "it is named");
    assert!(office.holds(&office, kept), "what lies before it is shown");
    let refused = office.desk().save_draft(
        None,
        corridor_proto::kinds::Kind::Practice,
        corridor_tests::nodes::practice("After the damage"),
    );
    let error = refused.await.err().context("a draft was saved")?;
    assert!(error.to_string().contains("read-only"), "{error}");
    Ok(())
}

/// How many records a follower is told of until it has caught up, and its cursor.
async fn followed(office: &Office, cursor: Option<String>) -> Result<(usize, String)> {
    let mut watch = office.integrator().await?.watch(cursor);
    for told in 0.. {
        let next = tokio::time::timeout(PATIENCE, watch.next()).await;
        if let Some(cursor) = next.context("nothing came")??.cursor {
            return Ok((told, cursor));
        }
    }
    anyhow::bail!("it never catches up")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_journal_lost_its_end_signs_nothing_more() -> Result<()> {
    let mut office = Office::open("PIDC", true).await?;
    let partner = Office::open("Pacific partner", true).await?;
    office.befriend(&partner).await?;
    let public = office.circle("public")?;
    office.publish("First", &[public]).await?;
    office.close().await?;
    let segment = office.data().join("journal").join("00000000.seg");
    let older = std::fs::read(&segment)?;
    office.reopen().await?;
    let mut lost = office.publish("Second", &[public]).await?;
    for title in ["Third", "Fourth", "Fifth", "Sixth"] {
        lost = office.publish(title, &[public]).await?;
    }
    until("the partner has it", || partner.holds(&office, lost)).await?;
    let cursor = followed(&office, None).await?.1;
    office.close().await?;
    std::fs::write(&segment, older)?;
    office.reopen().await?;
    let stopped = office
        .desk()
        .store()
        .read(|view| view.signing_stopped.clone());
    assert_eq!(stopped.as_deref(), Some(JOURNAL_LOST_ITS_END));
    // To whoever was told of more than there is now, all is new again.
    assert_eq!(followed(&office, Some(cursor)).await?.0, 1);
    let refused = office.publish("Third", &[public]).await;
    assert!(refused.is_err(), "two roots for one size");
    // What cuts a partner off signs nothing, and is possible all the same.
    let paused = office.desk().wish(Wish::Pause { rcp: partner.rcp }).await;
    assert!(paused.is_ok(), "{paused:?}");
    office.close().await?;
    office.reopen().await?;
    let again = office.publish("Fourth", &[public]).await;
    let error = again.err().context("published")?.to_string();
    assert!(error.contains(JOURNAL_LOST_ITS_END), "{error}");
    // The journal lost the number of a start as well, which the partner knows.
    let desk = office.desk();
    until("the partner gives it back", || {
        desk.store().read(|view| view.another_copy)
    })
    .await?;
    assert!(desk.wish(Wish::Restart).await.is_err());
    desk.wish(Wish::OtherCopyGone).await?;
    until("what was lost is back", || office.holds(&office, lost)).await?;
    desk.wish(Wish::Restart).await?;
    desk.wish(Wish::Resume { rcp: partner.rcp }).await?;
    let record = office.publish("Seventh", &[public]).await?;
    until("the partner goes on", || partner.holds(&office, record)).await?;
    office.close().await?;
    office.reopen().await?;
    office.publish("It is over for good", &[public]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_rotted_is_not_shown_as_anybodys() -> Result<()> {
    let mut owner = Office::open("Rotten disk", true).await?;
    let record = owner
        .publish("Canary-rotten", &[owner.circle("public")?])
        .await?;
    owner.close().await?;
    let segment = owner.data().join("journal").join("00000000.seg");
    let mut bytes = std::fs::read(&segment)?;
    let at = place_of(&bytes, b"Canary-rotten")?;
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes)?;
    owner.reopen().await?;
    let reader = Office::open("Its reader", true).await?;
    owner.befriend(&reader).await?;
    until("the line is there", || reader.row(&owner, record).is_some()).await?;
    assert!(!reader.holds(&owner, record), "a changed text goes nowhere");
    let shown = owner.desk().store().read(|view| {
        let key = corridor_rules::RecordKey {
            rcp: owner.rcp,
            record,
        };
        let reader = corridor_rules::Reader::Secretariat;
        corridor_node::desk::show(view, &key, &reader, corridor_proto::UnixMillis(0), false)
    });
    assert!(shown.is_some_and(|shown| shown.signed.is_none()));
    Ok(())
}
