//! Messages that would grow when they are read: refused before anything is made of them.

use anyhow::{Context, Result};
use corridor_node::limits::PEER_MESSAGE_BYTES;
use corridor_proto::v1;
use corridor_tests::nodes::{Office, until};
use corridor_tests::stranger::Stranger;
use prost::Message;
use tonic::Code;

/// A message of gRPC: whether it says that it is compressed, how long it says that it is, and it.
fn message(compressed: bool, length: u32, bytes: &[u8]) -> Vec<u8> {
    let mut message = vec![u8::from(compressed)];
    message.extend(length.to_be_bytes());
    message.extend_from_slice(bytes);
    message
}

/// A message of gRPC in order.
fn plain(bytes: &[u8]) -> Vec<u8> {
    message(false, u32::try_from(bytes.len()).unwrap_or(u32::MAX), bytes)
}

/// Says hello in these bytes, and gives the status.
async fn hello(
    stranger: &Stranger,
    office: &Office,
    encoding: Option<&str>,
    body: Vec<u8>,
) -> Result<Code> {
    let papers = &stranger.papers;
    let stream = papers.dial_raw(office.address(), &office.rcp).await?;
    let (send, connection) = h2::client::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let mut send = send.ready().await?;
    let path = "http://peer.corridor.invalid/corridor.v1.ExchangeService/Hello";
    let mut request = http::Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(encoding) = encoding {
        request = request.header("grpc-encoding", encoding);
    }
    let (answer, mut out) = send.send_request(request.body(())?, false)?;
    // Whoever refuses the call by its head takes no body.
    let _ = out.send_data(body.into(), true);
    let answer = answer.await?;
    let mut status = answer.headers().get("grpc-status").cloned();
    let mut body = answer.into_body();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
    }
    if let Some(trailers) = body.trailers().await? {
        status = trailers.get("grpc-status").cloned().or(status);
    }
    connection.abort();
    Ok(Code::from_bytes(status.context("a status")?.as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_grows_when_it_is_read() -> Result<()> {
    let office = Office::open("Abu Dhabi Dialogue", true).await?;
    let honest = Office::open("Bali Process", true).await?;
    office.befriend(&honest).await?;
    let stranger = Stranger::new()?;
    stranger.befriend(&office).await?;
    let in_order = stranger.introduction(corridor_proto::Token::ZERO)?;
    let in_order = in_order.encode_to_vec();
    let most = u32::try_from(PEER_MESSAGE_BYTES)?;
    let full = usize::try_from(most)? - 16;
    // An identity of nothing but empty key events: each is two bytes here and many in memory.
    let mut events = vec![0x0a];
    prost::encoding::encode_varint(u64::try_from(full)?, &mut events);
    events.extend([0x0a, 0].repeat(full / 2));
    let packed = |first| message(true, 4_096, &[first; 4_096]);
    let cut_short = |length| message(false, length, &[0; 64]);
    let endless = v1::HelloRequest {
        identity: None,
        token: vec![7; full - 16],
    };
    let cases = [
        ("in order", None, plain(&in_order), Code::Ok),
        // Four kilobytes that would be four megabytes.
        ("gzip", Some("gzip"), packed(0x1f), Code::Unimplemented),
        ("zstd", Some("zstd"), packed(0x28), Code::Unimplemented),
        ("a flag alone", None, packed(0), Code::Internal),
        ("the longest", None, cut_short(u32::MAX), Code::OutOfRange),
        ("too long", None, cut_short(most + 1), Code::OutOfRange),
        ("groups", None, plain(&vec![0x1b; full]), Code::Internal),
        ("events", None, plain(&events), Code::InvalidArgument),
        (
            "token",
            None,
            plain(&endless.encode_to_vec()),
            Code::InvalidArgument,
        ),
    ];
    for (name, encoding, body, expect) in cases {
        let code = hello(&stranger, &office, encoding, body).await?;
        assert_eq!(code, expect, "{name}");
    }
    let record = office
        .publish("For all", &[office.circle("public")?])
        .await?;
    until("the honest partner has it", || {
        honest.holds(&office, record)
    })
    .await
}
