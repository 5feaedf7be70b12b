//! Frames at the wrong time, and more than was granted; an honest partner is served all the while.

use std::time::Duration;

use anyhow::Result;
use corridor_proto::{LogId, LogSeed, Reason, Refusal, v1};
use corridor_rules::desk::{ToPublish, ToSave, Wish};
use corridor_rules::limits::CREDIT_BYTES;
use corridor_tests::nodes::{Office, until};
use corridor_tests::stranger::Stranger;
use prost::Message;
use tokio::time::Instant;
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

use super::refused;

/// A node, a partner that the test leads, and an honest one.
struct Three {
    office: Office,
    stranger: Stranger,
    honest: Office,
}

impl Three {
    async fn meet() -> Result<Self> {
        let office = Office::open("Abu Dhabi Dialogue", true).await?;
        let honest = Office::open("Bali Process", true).await?;
        office.befriend(&honest).await?;
        let stranger = Stranger::new()?;
        stranger.befriend(&office).await?;
        Ok(Self {
            office,
            stranger,
            honest,
        })
    }

    async fn the_honest_one_is_served(&self) -> Result<()> {
        let public = self.office.circle("public")?;
        let record = self.office.publish("For all", &[public]).await?;
        until("the honest partner has it", || {
            self.honest.holds(&self.office, record)
        })
        .await
    }

    async fn is_refused(&self, what: &'static str, reason: Reason) -> Result<()> {
        let expect = Some(Refusal::new(what, reason));
        until("it is refused", || {
            refused(&self.office, &self.stranger) == expect
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_hello_only_what_may_overtake_it_is_kept() -> Result<()> {
    let three = Three::meet().await?;
    let public = three.office.circle("public")?;
    three.office.publish("Public", &[public]).await?;
    let mut pages = three.stranger.pages(LogSeed::ZERO);
    pages.publish(three.stranger.record("Too early")?)?;
    let log = pages.id.as_bytes().to_vec();
    let early = [
        pages.records(&[0], |_| {})?,
        Carried::Gone(v1::Gone {
            log,
            ranges: Vec::new(),
        }),
        Carried::AttachmentChunk(v1::AttachmentChunk::default()),
    ];
    for frame in early {
        let mut wire = three.stranger.dial(&three.office).await?.open().await?;
        wire.send(frame)?;
        three.is_refused("carry frame", Reason::OutOfOrder).await?;
        // The link goes on; what may overtake the hello is judged behind it.
        wire.follow(&public, 1 << 20)?;
        wire.greet(three.stranger.hello()?).await?;
        wire.show_nothing()?;
        let served = |frame| match frame {
            Carried::Package(package) => Some(package.log == public.as_bytes().as_slice()),
            _ => None,
        };
        assert!(wire.take_until(served).await?);
    }
    assert!(!three.office.has_bytes(b"Too early")?);
    three.the_honest_one_is_served().await
}

/// A package that overtakes the hello waits for it, and is then judged as any other; no more than
/// the credit with which a connection begins.
#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_overtakes_the_hello_waits_for_it() -> Result<()> {
    let three = Three::meet().await?;
    let mut pages = three.stranger.pages(LogSeed::ZERO);
    pages.publish(three.stranger.record("Too early")?)?;
    let mut wire = three.stranger.dial(&three.office).await?.open().await?;
    wire.send(pages.package(0)?)?;
    wire.greet(three.stranger.hello()?).await?;
    three.is_refused("package", Reason::NotEntitled).await?;
    assert!(!three.office.has_bytes(b"Too early")?);
    let large = v1::Package {
        lines: vec![vec![0; 1 << 20]],
        ..v1::Package::default()
    };
    let most = CREDIT_BYTES >> 20;
    let mut wire = three.stranger.dial(&three.office).await?.open().await?;
    for _ in 0..most {
        wire.send(Carried::Package(large.clone()))?;
    }
    three.is_refused("carry frame", Reason::OutOfOrder).await?;
    wire.greet(three.stranger.hello()?).await?;
    wire.show_nothing()?;
    assert!(!wire.is_served(&LogId::ZERO).await?, "the link goes on");
    three.the_honest_one_is_served().await
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_frames_may_overtake_the_hello_as_one_step_sends() -> Result<()> {
    let three = Three::meet().await?;
    let most = corridor_rules::limits::EARLY_FRAMES_MAX;
    let mut wire = three.stranger.dial(&three.office).await?.open().await?;
    for _ in 0..most {
        wire.send(Carried::Credit(v1::Credit { bytes: 1 }))?;
    }
    assert_eq!(refused(&three.office, &three.stranger), None);
    wire.send(Carried::Credit(v1::Credit { bytes: 1 }))?;
    three.is_refused("carry frame", Reason::OutOfOrder).await?;
    wire.greet(three.stranger.hello()?).await?;
    wire.hear_until(|frame| matches!(frame, Said::State(_)).then_some(()))
        .await?;
    wire.show_nothing()?;
    assert!(!wire.is_served(&LogId::ZERO).await?, "the link goes on");
    three.the_honest_one_is_served().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_with_one_hello() -> Result<()> {
    let three = Three::meet().await?;
    let mut wire = three.stranger.dial(&three.office).await?.open().await?;
    wire.show_nothing()?;
    three
        .is_refused("session frame", Reason::OutOfOrder)
        .await?;
    wire.greet(three.stranger.hello()?).await?;
    wire.show_nothing()?;
    let mut other = three.stranger.link(&three.office).await?;
    assert_eq!(
        wire.end().await?,
        None,
        "of two connections the newer is kept"
    );
    other.say(Said::Hello(three.stranger.hello()?))?;
    three
        .is_refused("session frame", Reason::OutOfOrder)
        .await?;
    assert!(!other.is_served(&LogId::ZERO).await?, "the link goes on");
    // A hello that cannot be read, or of no version known here, begins none.
    for (hello, code) in [
        (
            v1::SessionHello {
                start_number: vec![1],
                ..three.stranger.hello()?
            },
            "NO_HELLO",
        ),
        (
            v1::SessionHello {
                versions: vec![9],
                ..three.stranger.hello()?
            },
            "NO_COMMON_VERSION",
        ),
    ] {
        let mut wire = three.stranger.dial(&three.office).await?.open().await?;
        wire.greet(hello).await?;
        assert_eq!(wire.end().await?.as_deref(), Some(code));
    }
    three.the_honest_one_is_served().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_no_hello_for_ten_seconds_is_sent_away() -> Result<()> {
    let three = Three::meet().await?;
    let mut wire = three.stranger.dial(&three.office).await?.open().await?;
    let from = Instant::now();
    three.the_honest_one_is_served().await?;
    assert_eq!(wire.end().await?.as_deref(), Some("NO_HELLO"));
    let lasted = from.elapsed();
    let most = Duration::from_secs(13);
    assert!(
        lasted > Duration::from_secs(9) && lasted < most,
        "{lasted:?}"
    );
    wire.seen.ends_within(from, Duration::from_secs(15)).await?;
    three.the_honest_one_is_served().await
}

/// How a large text begins.
pub const FILLED: &[u8] = &[b'.'; 1_000];

/// Publishes a text that does not fit behind a small window, and ends with this one.
pub async fn publish_large(office: &Office, circle: LogId, text: &[u8]) -> Result<()> {
    let mut body = vec![b'.'; 200_000];
    body.extend_from_slice(text);
    let wish = Wish::SaveDraft(ToSave {
        record: None,
        kind: 999,
        body: body.clone(),
        ..ToSave::default()
    });
    let done = office.desk().wish(wish).await?;
    let (record, place) = office.desk().store().read(|view| {
        let drafted = |fact: &corridor_rules::Fact| match fact {
            corridor_rules::Fact::Draft { record, .. } => Some(*record),
            _ => None,
        };
        let record = done.facts.iter().find_map(drafted).unwrap_or_default();
        (record, view.drafts.get(&record).map(|draft| draft.place))
    });
    let wish = Wish::Publish(ToPublish {
        record,
        kind: 999,
        body,
        links: Vec::new(),
        circles: Some(vec![circle]),
        draft: place,
        hand: None,
    });
    office.desk().wish(wish).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_sent_than_the_reader_granted() -> Result<()> {
    const TEXTS: usize = 24;
    let three = Three::meet().await?;
    let public = three.office.circle("public")?;
    for _ in 0..TEXTS {
        publish_large(&three.office, public, b"Canary-credit").await?;
    }
    let mut wire = three.stranger.link(&three.office).await?;
    wire.follow(&public, 0)?;
    let package = |frame| match frame {
        Carried::Package(package) => Some(package),
        _ => None,
    };
    let package = wire.take_until(package).await?;
    assert_eq!(package.lines.len(), TEXTS);
    let to = u64::try_from(TEXTS)?;
    wire.send(Carried::Want(v1::Want {
        log: public.as_bytes().to_vec(),
        ranges: vec![v1::IndexRange { from: 0, to }],
    }))?;
    let records = |frame| match frame {
        Carried::Records(records) => Some(records),
        _ => None,
    };
    // A connection begins with some credit. The frame that uses up the last of it may exceed it;
    // the next one waits.
    let (mut came, mut bytes) = (0, package.encoded_len());
    while bytes < usize::try_from(CREDIT_BYTES)? {
        let frame = wire.take_until(records).await?;
        came += frame.records.len();
        bytes += frame.encoded_len();
    }
    assert!(came < TEXTS, "{came} texts, {bytes} bytes");
    wire.follow(&LogId::ZERO, 0)?;
    let fence = |frame| match frame {
        Carried::Gone(_) => Some(0),
        frame => records(frame).map(|records| records.records.len()),
    };
    assert_eq!(wire.take_until(fence).await?, 0, "more than was granted");
    wire.follow(&LogId::ZERO, CREDIT_BYTES)?;
    while came < TEXTS {
        came += wire.take_until(records).await?.records.len();
    }
    three.the_honest_one_is_served().await
}
