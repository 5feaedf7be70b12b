//! Numbers at their ends, wherever a partner may say one.

use anyhow::Result;
use corridor_client::Wanted;
use corridor_node::edge;
use corridor_proto::checkpoint::{Checkpoint, Held};
use corridor_proto::{Hash, LogId, LogSeed, RecordId, v1};
use corridor_tests::nodes::{Office, practice, until};
use corridor_tests::stranger::Stranger;
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

use super::{holds, row};

const ENDS: [u64; 4] = [(1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX];

#[tokio::test(flavor = "multi_thread")]
async fn no_number_that_a_partner_says_ends_more_than_its_own_link() -> Result<()> {
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    let honest = Office::open("Bali Process", true).await?;
    office.befriend(&honest).await?;
    let stranger = Stranger::new()?;
    stranger.befriend(&office).await?;
    let public = office.circle("public")?;
    office.publish("Public", &[public]).await?;
    let log = public.as_bytes().to_vec();
    for end in ENDS {
        let mut wire = stranger.link(&office).await?;
        wire.follow(&public, end)?;
        wire.send(Carried::Credit(v1::Credit { bytes: end }))?;
        for (from, target) in [(end, 0), (0, end), (end, end)] {
            let log = log.clone();
            wire.send(Carried::Pull(v1::Pull { log, from, target }))?;
        }
        let ranges = vec![v1::IndexRange { from: 0, to: end }];
        let want = v1::Want {
            log: log.clone(),
            ranges: ranges.clone(),
        };
        wire.send(Carried::Want(want))?;
        wire.send(Carried::Gone(v1::Gone {
            log: log.clone(),
            ranges,
        }))?;
        wire.say(Said::State(v1::StateFrame {
            erase_after_ms: end,
            ..v1::StateFrame::default()
        }))?;
        let held = Held {
            checkpoint: Checkpoint {
                log: public,
                incarnation: end,
                size: end,
                root: Hash::ZERO,
            },
            holder: stranger.rcp,
            time_s: end,
        };
        wire.say(Said::Held(v1::HeldFrame {
            owner: office.rcp.as_bytes().to_vec(),
            note: held.sign(&stranger.signing).into_bytes(),
        }))?;
        assert!(!wire.is_served(&LogId::ZERO).await?, "the link goes on");
        let record = office.publish("For all", &[public]).await?;
        until("the honest partner has it", || {
            honest.holds(&office, record)
        })
        .await?;
    }
    Ok(())
}

/// The highest version is one like others; a number above it is none, and no later text of the
/// record can be kept from its readers by it.
#[tokio::test(flavor = "multi_thread")]
async fn the_highest_version_is_the_last_one() -> Result<()> {
    let office = Office::open("Bali Process", true).await?;
    let stranger = Stranger::new()?;
    stranger.befriend(&office).await?;
    let mut pages = stranger.pages(LogSeed::ZERO);
    let id = RecordId::new(edge::random()?);
    let body = corridor_tests::nodes::practice("The last one");
    let highest = stranger.version(id, ENDS[0], body.clone())?;
    assert!(
        stranger.version(id, ENDS[1], body).is_err(),
        "it can be signed"
    );
    pages.publish(highest)?;
    let other = pages.publish(stranger.record("Another record")?)?;
    let mut wire = stranger.link(&office).await?;
    wire.say(pages.head()?)?;
    wire.take_until(|frame| pages.pulled(&frame)).await?;
    wire.send(pages.package(0)?)?;
    wire.take_until(|frame| pages.wanted(&frame)).await?;
    wire.send(pages.records(&[1, 0], |_| {})?)?;
    until("both are held", || {
        holds(&office, &stranger, id) && holds(&office, &stranger, other)
    })
    .await?;
    let version = row(&office, &stranger, id).and_then(|row| {
        let stand = row.current(|_| true);
        stand.map(|stand| stand.version)
    });
    assert_eq!(version, Some(ENDS[0]));
    Ok(())
}

/// Titles as long as a body may be: what is found of them comes in pages that a client takes.
#[tokio::test(flavor = "multi_thread")]
async fn the_longest_titles_are_found_page_by_page() -> Result<()> {
    const RECORDS: usize = 24;
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    let stranger = Stranger::new()?;
    stranger.befriend(&office).await?;
    let mut pages = stranger.pages(LogSeed::ZERO);
    let body = practice(&"long ".repeat(44 * 1024));
    for _ in 0..RECORDS {
        let record = RecordId::new(edge::random()?);
        pages.publish(stranger.version(record, 1, body.clone())?)?;
    }
    let mut wire = stranger.link(&office).await?;
    pages.deliver(&mut wire, 1).await?;
    let client = office.client().await?;
    let (mut found, mut asked) = (0, 0);
    until("all of them are here", || {
        (0..RECORDS).all(|at| {
            pages
                .record_id(at)
                .is_some_and(|id| holds(&office, &stranger, id))
        })
    })
    .await?;
    let mut next = None;
    loop {
        let wanted = Wanted::default();
        let page = client
            .search("long", &wanted, "", 40, next.as_deref())
            .await?;
        assert_eq!(usize::try_from(page.total)?, RECORDS);
        found += page.found.len();
        asked += 1;
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(found, RECORDS);
    assert!(asked > 1, "4 MiB are more than a client takes at once");
    Ok(())
}
