//! Records that are not what their lines name.

use anyhow::{Context, Result};
use corridor_client::{Client, Profile, RecordName};
use corridor_proto::{LogSeed, Reason, Refusal, v1};
use corridor_tests::nodes::{Office, until};
use corridor_tests::stranger::Stranger;
use corridor_tests::stranger::log::Pages;
use corridor_tests::stranger::wire::Wire;

use super::{holds, refused, row};

/// Leads the node along all lines of a log, up to its want for what is missing.
async fn lead(wire: &mut Wire, pages: &Pages<'_>) -> Result<Vec<u64>> {
    wire.say(pages.head()?)?;
    let from = wire.take_until(|frame| pages.pulled(&frame)).await?;
    wire.send(pages.package(usize::try_from(from)?)?)?;
    wire.take_until(|frame| pages.wanted(&frame)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_its_author_spoilt_is_kept_out_and_its_log_goes_on() -> Result<()> {
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    let stranger = Stranger::new()?;
    stranger.befriend(&office).await?;
    let mut pages = stranger.pages(LogSeed::ZERO);
    let first = pages.publish(stranger.record("Good")?)?;
    let mut spoilt = stranger.record("Canary-spoilt")?;
    spoilt.header.signature[0] ^= 1;
    let bad = pages.publish(spoilt)?;
    let last = pages.publish(stranger.record("Good as well")?)?;
    let mut wire = stranger.link(&office).await?;
    assert_eq!(lead(&mut wire, &pages).await?, [0, 1, 2]);
    wire.send(pages.records(&[2, 1, 0], |_| {})?)?;
    until("the good ones are held, the bad one kept out", || {
        holds(&office, &stranger, first)
            && holds(&office, &stranger, last)
            && row(&office, &stranger, bad).is_some_and(|row| !row.quarantined.is_empty())
    })
    .await?;
    let kept_out = row(&office, &stranger, bad).context("its row")?;
    let reasons: Vec<_> = kept_out.quarantined.iter().map(|(_, why)| why).collect();
    assert_eq!(reasons, ["BAD_SIGNATURE"]);
    assert!(!office.has_bytes(b"Canary-spoilt")?, "its text is not kept");
    let desk = Client::connect(&Profile::read(&office.profile())?).await?;
    let name: RecordName = format!("rcps/{}/records/{bad}", stranger.rcp).parse()?;
    let shown = desk.record(&name).await?;
    assert_eq!(shown.record.state(), v1::RecordState::Quarantined);
    // Its log goes on, and the bad one is not asked for again.
    let later = pages.publish(stranger.record("Later")?)?;
    wire.say(pages.head()?)?;
    wire.send(pages.package(3)?)?;
    let wanted = wire.take_until(|frame| pages.wanted(&frame)).await?;
    assert_eq!(wanted, [3]);
    wire.send(pages.records(&[3], |_| {})?)?;
    until("the later one is held", || holds(&office, &stranger, later)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_damaged_on_its_way_is_asked_for_again_with_the_next_checkpoint() -> Result<()> {
    let office = Office::open("Bali Process", true).await?;
    let stranger = Stranger::new()?;
    stranger.befriend(&office).await?;
    let mut pages = stranger.pages(LogSeed::ZERO);
    let record = pages.publish(stranger.record("Arrives in the end")?)?;
    let mut wire = stranger.link(&office).await?;
    assert_eq!(lead(&mut wire, &pages).await?, [0]);
    let damage = |item: &mut v1::RecordItem| item.body.reverse();
    wire.send(pages.records(&[0], damage)?)?;
    let expect = Refusal::new("record body", Reason::WrongHash);
    until("it is refused", || {
        refused(&office, &stranger) == Some(expect)
    })
    .await?;
    assert!(!holds(&office, &stranger, record));
    let kept_out = row(&office, &stranger, record).context("its row")?;
    assert!(kept_out.quarantined.is_empty(), "its author did no wrong");
    // News of another log let the node look for what is missing; this one has none.
    let mut other = stranger.pages(LogSeed::new([5; 16]));
    other.publish(stranger.record("In another log")?)?;
    wire.say(other.head()?)?;
    wire.take_until(|frame| {
        assert!(pages.wanted(&frame).is_none(), "asked again without news");
        other.pulled(&frame)
    })
    .await?;
    wire.send(other.package(0)?)?;
    wire.take_until(|frame| {
        assert!(pages.wanted(&frame).is_none(), "asked again without news");
        other.wanted(&frame)
    })
    .await?;
    pages.publish(stranger.record("News")?)?;
    wire.say(pages.head()?)?;
    wire.send(pages.package(1)?)?;
    let mut asked = Vec::new();
    while asked.len() < 2 {
        asked.extend(wire.take_until(|frame| pages.wanted(&frame)).await?);
    }
    wire.send(pages.records(&[0], |_| {})?)?;
    until("it is held", || holds(&office, &stranger, record)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_counts_and_too_many_end_the_connection() -> Result<()> {
    let most = usize::try_from(corridor_rules::limits::REFUSALS_PER_LINK_MAX)?;
    let office = Office::open("Prague Process", true).await?;
    let stranger = Stranger::new()?;
    stranger.befriend(&office).await?;
    let mut pages = stranger.pages(LogSeed::ZERO);
    for _ in 0..=most {
        pages.publish(stranger.record("Damaged")?)?;
    }
    let mut wire = stranger.link(&office).await?;
    assert_eq!(lead(&mut wire, &pages).await?.len(), most + 1);
    let damage = |item: &mut v1::RecordItem| item.body.reverse();
    let indexes: Vec<usize> = (0..most).collect();
    wire.send(pages.records(&indexes, damage)?)?;
    // So many are borne: what is asked for is still answered.
    assert!(!wire.is_served(&corridor_proto::LogId::ZERO).await?);
    wire.send(pages.records(&[most], damage)?)?;
    assert_eq!(wire.end().await?.as_deref(), Some("TOO_MANY_REFUSALS"));
    Ok(())
}
