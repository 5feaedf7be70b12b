//! Floods of HTTP/2 and of connections: each ends or waits, and an honest partner is served all the
//! while.

use anyhow::Result;
use corridor_node::limits::{PEER_CONNECTIONS_MAX, PEER_STREAMS_MAX};
use corridor_tests::nodes::{Office, until};
use corridor_tests::stranger::Stranger;
use corridor_tests::stranger::frames::{
    CONTINUATION, END_HEADERS, GOAWAY, HEADERS, PING, RST_STREAM, Raw, SETTINGS, frame, head,
    literal,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A node, an honest partner that is connected, and whoever floods.
struct Flooded {
    office: Office,
    honest: Office,
    raw: Raw,
}

impl Flooded {
    async fn begin() -> Result<Self> {
        let office = Office::open("Abu Dhabi Dialogue", true).await?;
        let honest = Office::open("Bali Process", true).await?;
        office.befriend(&honest).await?;
        let raw = Raw::dial(&Stranger::new()?, &office).await?;
        Ok(Self {
            office,
            honest,
            raw,
        })
    }

    async fn the_honest_one_is_served(&self) -> Result<()> {
        serves(&self.office, &self.honest).await
    }
}

async fn serves(office: &Office, honest: &Office) -> Result<()> {
    let record = office
        .publish("For all", &[office.circle("public")?])
        .await?;
    until("the honest partner has it", || honest.holds(office, record)).await
}

const CANCEL: [u8; 4] = [0, 0, 0, 8];
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_cancelled_at_once_end_the_connection() -> Result<()> {
    let mut flooded = Flooded::begin().await?;
    let head = head("Hello");
    let mut calls = Vec::new();
    for call in 0..20_000 {
        let stream = 2 * call + 1;
        calls.extend(frame(HEADERS, END_HEADERS, stream, &head));
        calls.extend(frame(RST_STREAM, 0, stream, &CANCEL));
    }
    let (_, ended) = flooded.raw.flood(&calls, 1).await;
    let is_told = flooded.raw.read_until(|kind, _| kind == GOAWAY).await?;
    assert!(ended || is_told || flooded.raw.has_ended(), "it goes on");
    flooded.the_honest_one_is_served().await
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_and_pings_without_end_keep_nobody_from_being_served() -> Result<()> {
    for piece in [
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]),
        frame(PING, 0, 0, &[7; 8]),
    ] {
        let mut flooded = Flooded::begin().await?;
        let pieces = piece.repeat(1_000);
        let (taken, ended) = flooded.raw.flood(&pieces, 5_000).await;
        // Whoever does not read the answers is not read any further.
        assert!(ended || taken < 5_000, "all of it was taken");
        flooded.the_honest_one_is_served().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_ends_the_connection() -> Result<()> {
    let mut flooded = Flooded::begin().await?;
    let first = frame(HEADERS, 0, 1, &head("Hello"));
    flooded.raw.write(&first).await?;
    let header = literal("x-filler", &"f".repeat(100));
    let piece = frame(CONTINUATION, 0, 1, &header.repeat(16_000 / header.len()));
    let (taken, ended) = flooded.raw.flood(&piece, 4_096).await;
    let is_told = flooded.raw.read_until(|kind, _| kind == GOAWAY).await?;
    assert!(ended || is_told || flooded.raw.has_ended(), "{taken} taken");
    flooded.the_honest_one_is_served().await
}

/// One byte stands for a header of four thousand.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_grows_when_it_is_read_opens_no_call() -> Result<()> {
    let mut flooded = Flooded::begin().await?;
    let mut bomb = head("Hello");
    // Kept in the table, with a length of 4,000 (RFC 7541, sections 5.1 and 6.2.1).
    bomb.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    bomb.extend([b'f'; 4_000]);
    bomb.extend([0x80 | 62; 11_000]);
    let call = frame(HEADERS, END_HEADERS, 1, &bomb);
    flooded.raw.write(&call).await?;
    let answers = [HEADERS, RST_STREAM, GOAWAY];
    let answered = flooded.raw.read_until(|kind, _| answers.contains(&kind));
    let answered = answered.await?;
    assert!(answered || flooded.raw.has_ended());
    let is_dropped = |(kind, payload): &(u8, Vec<u8>)| {
        // The answer to a call that was opened has the type of gRPC in its head.
        *kind == HEADERS && payload.windows(4).any(|window| window == b"grpc")
    };
    assert!(!flooded.raw.came.iter().any(is_dropped), "it was opened");
    flooded.the_honest_one_is_served().await
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_at_one_time_than_there_are_streams_are_refused() -> Result<()> {
    let mut flooded = Flooded::begin().await?;
    // The bound counts once it was told and taken note of.
    let is_told = |kind, payload: &[u8]| kind == SETTINGS && !payload.is_empty();
    assert!(flooded.raw.read_until(is_told).await?);
    flooded.raw.write(&frame(SETTINGS, 1, 0, &[])).await?;
    let more = 12;
    for call in 0..PEER_STREAMS_MAX + more {
        let call = frame(HEADERS, END_HEADERS, 2 * call + 1, &head("Hello"));
        flooded.raw.write(&call).await?;
    }
    for _ in 0..more {
        let refused = |kind, payload: &[u8]| kind == RST_STREAM && payload == REFUSED_STREAM;
        assert!(flooded.raw.read_until(refused).await?, "it was ended");
    }
    flooded.the_honest_one_is_served().await
}

/// Connections that say nothing, before TLS and behind it, and one byte at a time: more than there
/// are places. A partner that comes now is let in all the same.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_do_nothing_keep_no_place_from_a_partner() -> Result<()> {
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    let mut silent = Vec::new();
    for number in 0..PEER_CONNECTIONS_MAX + 20 {
        let mut tcp = TcpStream::connect(office.address()).await?;
        if number % 2 == 0 {
            // How a handshake begins: a record of TLS that is never whole.
            let _ = tcp.write_all(&[22, 3, 1, 2, 0]).await;
        }
        silent.push(tcp);
    }
    let honest = Office::open("Bali Process", false).await?;
    office.befriend(&honest).await?;
    serves(&office, &honest).await?;
    let stranger = Stranger::new()?;
    let mut idle = Vec::new();
    for _ in 0..PEER_CONNECTIONS_MAX + 20 {
        idle.push(Raw::dial(&stranger, &office).await?);
    }
    let late = Office::open("Prague Process", false).await?;
    office.befriend(&late).await?;
    serves(&office, &late).await?;
    serves(&office, &honest).await?;
    // Nobody of those who were silent is still there in the end.
    for tcp in &mut silent {
        let mut byte = [0];
        let ended = tokio::time::timeout(corridor_tests::nodes::PATIENCE, tcp.read(&mut byte));
        assert!(!matches!(ended.await?, Ok(1..)), "it was answered");
    }
    Ok(())
}
