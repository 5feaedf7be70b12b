//! A right that ends: nothing of what was on its way comes later than five seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use corridor_node::limits::LINK_TIME;
use corridor_proto::{LogId, UnixMillis, v1};
use corridor_rules::PeerState;
use corridor_rules::desk::Wish;
use corridor_tests::nodes::{Office, until};
use corridor_tests::stranger::Stranger;
use corridor_tests::stranger::wire::Wire;
use tokio::time::Instant;
use v1::carry_frame::Frame as Carried;

use super::order::{FILLED, publish_large};

const TEXT: &[u8] = b"Canary-restricted";
/// More than the node's queue of frames holds.
const MANY: usize = 60;
const CUT: Duration = Duration::from_secs(5);

/// A node and a partner that asked for everything in a circle and takes nothing of it.
struct Stalled {
    office: Office,
    reader: Stranger,
    circle: LogId,
    wire: Wire,
    texts: usize,
}

impl Stalled {
    async fn by(texts: usize) -> Result<Self> {
        let office = Office::open("Abu Dhabi Dialogue", true).await?;
        let reader = Stranger::new()?;
        reader.befriend(&office).await?;
        let circle = office.circle("federation")?;
        let readers = BTreeMap::from([(reader.rcp, UnixMillis(0))]);
        office.desk().add_readers(circle, &readers).await?;
        for _ in 0..texts {
            publish_large(&office, circle, TEXT).await?;
        }
        // As little ahead of the reader as HTTP/2 has by default.
        let line = reader.papers.dial_with_window(&office, 65_535).await?;
        let mut wire = line.open().await?;
        wire.greet(reader.hello()?).await?;
        wire.show_nothing()?;
        wire.follow(&circle, 64 << 20)?;
        let size = wire
            .take_until(|frame| match frame {
                Carried::Package(package) => Some(package.from + package.lines.len() as u64),
                _ => None,
            })
            .await?;
        wire.send(Carried::Want(v1::Want {
            log: circle.as_bytes().to_vec(),
            ranges: vec![v1::IndexRange { from: 0, to: size }],
        }))?;
        let mut stalled = Self {
            office,
            reader,
            circle,
            wire,
            texts,
        };
        stalled.waits().await?;
        Ok(stalled)
    }

    /// The first text is on its way, and all the others wait.
    async fn waits(&mut self) -> Result<()> {
        until("a text begins to come", || {
            self.wire.seen.count(FILLED).0 > 0
        })
        .await
    }

    /// The node ends the connection in time; then the reader takes all that it can get.
    async fn ends_in_time(mut self, from: Instant) -> Result<()> {
        self.wire.seen.ends_within(from, CUT).await?;
        while self.wire.take().await?.is_some() {}
        let (came, last) = self.wire.seen.count(TEXT);
        assert!(came < self.texts, "nothing waited: every text came whole");
        assert!(
            last.is_none_or(|last| last - from <= CUT),
            "a text came too late"
        );
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_reader_that_takes_nothing_is_cut_within_five_seconds() -> Result<()> {
    let stalled = Stalled::by(MANY).await?;
    let rcp = stalled.reader.rcp;
    stalled.office.desk().wish(Wish::Pause { rcp }).await?;
    stalled.ends_in_time(Instant::now()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_reader_that_takes_nothing_is_cut_within_five_seconds() -> Result<()> {
    let stalled = Stalled::by(MANY).await?;
    let (desk, reader) = (stalled.office.desk(), stalled.reader.rcp);
    desk.remove_readers(stalled.circle, &[reader]).await?;
    stalled.ends_in_time(Instant::now()).await
}

/// A text so alone waits in no queue of the node's, but behind the window of HTTP/2.
#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_single_text_is_cut_as_well() -> Result<()> {
    let stalled = Stalled::by(1).await?;
    let (desk, reader) = (stalled.office.desk(), stalled.reader.rcp);
    desk.remove_readers(stalled.circle, &[reader]).await?;
    stalled.ends_in_time(Instant::now()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_a_paused_reader_ends_within_five_seconds() -> Result<()> {
    let office = Office::open("Bali Process", true).await?;
    let reader = Stranger::new()?;
    reader.befriend(&office).await?;
    let mut wire = reader.link(&office).await?;
    assert!(!wire.is_served(&LogId::ZERO).await?, "the link is live");
    let rcp = reader.rcp;
    office.desk().wish(Wish::Pause { rcp }).await?;
    let from = Instant::now();
    assert_eq!(wire.end().await?.as_deref(), Some("STATE_CHANGED"));
    wire.seen.ends_within(from, CUT).await?;
    Ok(())
}

/// Places for connections are few: nobody keeps one by doing nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_becomes_no_link_is_cut() -> Result<()> {
    let office = Office::open("Almaty Process", true).await?;
    let idle = Stranger::new()?.dial(&office).await?;
    let partner = Stranger::new()?;
    partner.befriend(&office).await?;
    let mut half = partner.dial(&office).await?;
    let from = Instant::now();
    // One stream alone is no link.
    let _session = half.client.session(tokio_stream::pending()).await?;
    let bound = LINK_TIME + CUT;
    idle.seen.ends_within(from, bound).await?;
    half.seen.ends_within(from, bound).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_of_two_nodes_ends_within_five_seconds_of_a_pause() -> Result<()> {
    let office = Office::open("Prague Process", true).await?;
    let reader = Office::open("Rabat Process", true).await?;
    office.befriend(&reader).await?;
    office.admit("federation", &[&reader]).await?;
    let circle = office.circle("federation")?;
    let record = office.publish("Before", &[circle]).await?;
    until("the link is live", || reader.holds(&office, record)).await?;
    let since = || {
        reader
            .node()
            .exchange
            .statuses
            .of(&office.rcp)
            .connected_since
    };
    let before = since();
    office.desk().wish(Wish::Pause { rcp: reader.rcp }).await?;
    let from = Instant::now();
    until("that link ends", || since() != before).await?;
    assert!(from.elapsed() <= CUT, "it lasted {:?}", from.elapsed());
    assert_eq!(office.state(&reader), Some(PeerState::Paused));
    Ok(())
}
