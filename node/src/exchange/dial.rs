//! Dialling out: one task a peer, with full jitter after a failure.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use corridor_proto::wire::Identity;
use corridor_proto::{Hash, RcpId, Token, v1};
use corridor_rules::PeerState;
use corridor_rules::desk::Wish;
use corridor_rules::ingest::Arrival;
use corridor_store::Item;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use super::Exchange;
use super::cut::{Cut, Cuttable};
use super::drive::{Streams, drive};
use super::rpc::exchange_service_client::ExchangeServiceClient;
use super::tls::{PeerCert, Stranger};
use crate::edge;
use crate::limits::{
    CALL_TIME, CONNECTION_WINDOW_BYTES, DIAL_COURTESY, FRAMES_QUEUED, KEEP_ALIVE,
    KEEP_ALIVE_ANSWER, LINK_PROVES, PEER_MESSAGE_BYTES, QUICK_DIALS, REDIAL_FIRST_MS,
    REDIAL_LEAST_MS, REDIAL_MAX_MS, STREAM_WINDOW_BYTES,
};
use crate::operate::config::is_address;
use crate::operate::keys::peer_name;

/// Keeps one dialling task for each peer that is to be dialled, until `stop`.
pub async fn dial_all(exchange: Arc<Exchange>, mut stop: watch::Receiver<bool>) {
    let mut tasks: HashMap<RcpId, JoinHandle<()>> = HashMap::new();
    let mut changed = exchange.changes();
    loop {
        let peers: Vec<RcpId> = exchange.store.read(|view| {
            // Those that were left too: withdrawals still go to them.
            view.peers.keys().copied().collect()
        });
        tasks.retain(|rcp, task| {
            let keep = peers.contains(rcp);
            if !keep {
                task.abort();
            }
            keep
        });
        for peer in peers {
            tasks.entry(peer).or_insert_with(|| {
                let exchange = Arc::clone(&exchange);
                tokio::spawn(async move { keep_dialling(&exchange, peer).await })
            });
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Ok(()) = changed.changed() => {}
        }
    }
    tasks.into_values().for_each(|task| task.abort());
}

/// What is known of a peer before it is dialled.
struct Target {
    addresses: Vec<String>,
    pin: Option<Hash>,
    state: PeerState,
    token: Token,
}

fn target(exchange: &Exchange, peer: &RcpId) -> Option<Target> {
    exchange.store.read(|view| {
        let card = view.known.get(peer)?.card.as_ref();
        Some(Target {
            addresses: card
                .map(|card| card.card().addresses.clone())
                .unwrap_or_default(),
            pin: card.map(|card| card.card().tls_key),
            state: view.peer_state(peer)?,
            token: view.accepted.get(peer).copied().unwrap_or_default(),
        })
    })
}

async fn keep_dialling(exchange: &Arc<Exchange>, peer: RcpId) {
    let me = exchange.me();
    let mut pause = REDIAL_FIRST_MS;
    let mut introduce = false;
    let mut quick = 0;
    let reachable = exchange
        .identity()
        .is_some_and(|identity| !identity.card.card().addresses.is_empty());
    let paired = target(exchange, &peer).is_some_and(|t| t.state != PeerState::Invited);
    if me > peer && reachable && paired {
        // Of two connections the one dialled by the smaller RcpId would be kept anyway.
        tokio::time::sleep(DIAL_COURTESY).await;
    }
    loop {
        if exchange.is_connected(&peer) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            continue;
        }
        let Some(target) = target(exchange, &peer) else {
            return;
        };
        let dialled = dial(exchange, peer, &target, introduce).await;
        introduce = matches!(dialled, Ok(Next::Introduce));
        match dialled {
            Ok(Next::Again | Next::Introduce) if quick < QUICK_DIALS => {
                quick += 1;
                continue;
            }
            Ok(Next::Ended(lasted)) if lasted >= LINK_PROVES => pause = REDIAL_FIRST_MS,
            Ok(_) => {}
            Err(why) => exchange.statuses.trouble(peer, why),
        }
        quick = 0;
        // Another length for each node: those who lost a partner together come back apart.
        tokio::time::sleep(pause_of(pause, edge::jitter(pause))).await;
        pause = next_longest(pause);
    }
}

/// The pause before the next dial, of which this is the longest, by a random number below it: any
/// length is as likely as any other, so that those who lost a node together do not come together.
fn pause_of(longest_ms: u64, random: u64) -> Duration {
    Duration::from_millis((random % longest_ms.max(1)).max(REDIAL_LEAST_MS))
}

/// The longest pause after one more failure.
fn next_longest(longest_ms: u64) -> u64 {
    longest_ms.saturating_mul(2).min(REDIAL_MAX_MS)
}

enum Next {
    /// Introduced: now the link.
    Again,
    /// The link ended, after so long.
    Ended(Duration),
    /// It knows too little of us: introduce ourselves first.
    Introduce,
}

async fn dial(
    exchange: &Arc<Exchange>,
    peer: RcpId,
    target: &Target,
    introduce: bool,
) -> Result<Next, String> {
    let mut why = "its card names no address; it has to dial us".to_owned();
    for address in &target.addresses {
        if !is_address(address) {
            why = "its card names something that is no address; ask it for a right one".to_owned();
            continue;
        }
        match connect(exchange, &peer, address).await {
            Ok(line) => {
                let pinned = target.pin == Some(line.cert.key);
                if introduce || !pinned || target.state == PeerState::Invited {
                    // A token is for the node that was invited to, and for no other key.
                    let token = if pinned { target.token } else { Token::ZERO };
                    return hello(exchange, peer, line, token).await;
                }
                return link(exchange, peer, line).await;
            }
            Err(failed) => why = format!("{address} {failed}"),
        }
    }
    Err(why)
}

/// A connection to a node that names itself as the one dialled.
struct Line {
    stream: Cuttable<TlsStream<TcpStream>>,
    cert: PeerCert,
    cut: Cut,
}

async fn connect(exchange: &Exchange, peer: &RcpId, address: &str) -> Result<Line, String> {
    let tcp = exchange.road.open(address).await?;
    let name = ServerName::try_from(peer_name(peer)).map_err(|error| error.to_string())?;
    let stream = tokio::time::timeout(CALL_TIME, exchange.tls.connector().connect(name, tcp))
        .await
        .map_err(|_| "does not finish its handshake".to_owned())?
        .map_err(|error| not_this_partner(&error))?;
    let certificates = stream.get_ref().1.peer_certificates();
    let cert = certificates.and_then(|chain| PeerCert::read(chain.first()?));
    let cert = cert.filter(|cert| cert.rcp == *peer);
    let cut = Cut::default();
    Ok(Line {
        stream: Cuttable::new(stream, cut.clone()),
        cert: cert.ok_or("showed no certificate of this partner")?,
        cut,
    })
}

/// What is said of a handshake that failed.
fn not_this_partner(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let Some(stranger) = inner.and_then(Stranger::of) else {
        return format!("is not the node of this partner ({error})");
    };
    match &stranger.issuer {
        None => "is not the node of this partner but another one; ask the partner for its address"
            .to_owned(),
        Some(issuer) => format!(
            "shows a certificate of {issuer:?} and not the partner's: something between you opens \
             the encrypted line, or another program answers there; nothing was sent; ask your IT \
             to let this address through unopened"
        ),
    }
}

/// A gRPC channel over a connection that is there already, and never over another.
async fn channel(stream: Cuttable<TlsStream<TcpStream>>) -> Result<Channel, String> {
    let mut once = Some(stream);
    let connector = tower::service_fn(move |_: http::Uri| {
        let stream = once.take().map(TokioIo::new);
        async move { stream.ok_or_else(|| std::io::Error::other("the connection ended")) }
    });
    Endpoint::from_static("http://peer.corridor.invalid")
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_ANSWER)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await
        .map_err(|error| error.to_string())
}

fn client(channel: Channel) -> ExchangeServiceClient<Channel> {
    ExchangeServiceClient::new(channel)
        .max_decoding_message_size(PEER_MESSAGE_BYTES)
        .max_encoding_message_size(PEER_MESSAGE_BYTES)
}

async fn hello(
    exchange: &Arc<Exchange>,
    peer: RcpId,
    line: Line,
    token: Token,
) -> Result<Next, String> {
    let ours = exchange
        .identity()
        .ok_or("our own card is missing")?
        .message();
    let request = v1::HelloRequest {
        identity: Some(ours),
        token: token.as_bytes().to_vec(),
    };
    let mut client = client(channel(line.stream).await?);
    let answer = tokio::time::timeout(CALL_TIME, client.hello(request))
        .await
        .map_err(|_| "it does not answer our introduction".to_owned())?
        .map_err(|status| format!("it refused our introduction: {}", status.message()))?
        .into_inner();
    let identity = answer.identity.ok_or("it did not introduce itself")?;
    let identity = Identity::verify(identity).map_err(|refusal| refusal.to_string())?;
    if identity.charter.rcp() != peer {
        return Err("it introduced itself as another RCP".to_owned());
    }
    if identity.card.card().tls_key != line.cert.key {
        return Err(
            "it has not the key that the partner's card names; somebody may stand between \
                    you: call the partner"
                .to_owned(),
        );
    }
    let arrival = Arrival::Identity(Box::new(identity));
    exchange
        .append(Item::Arrival(arrival))
        .await
        .map_err(|error| error.to_string())?;
    if !answer.accepted {
        return Err("its secretariat has not accepted us yet".to_owned());
    }
    let state = exchange.store.read(|view| view.peer_state(&peer));
    if state == Some(PeerState::Invited) {
        let wish = Item::Wish(Wish::Answered { rcp: peer });
        exchange
            .append(wish)
            .await
            .map_err(|error| error.to_string())?;
    }
    Ok(Next::Again)
}

/// It does not know our transport key yet, or that we accepted each other.
const fn may_follow_from_a_hello(code: tonic::Code) -> bool {
    matches!(
        code,
        tonic::Code::Unauthenticated | tonic::Code::PermissionDenied
    )
}

async fn link(exchange: &Arc<Exchange>, peer: RcpId, line: Line) -> Result<Next, String> {
    let mut client = client(channel(line.stream).await?);
    let (session_out, session) = mpsc::channel(FRAMES_QUEUED);
    let (carry_out, carry) = mpsc::channel(FRAMES_QUEUED);
    let session =
        ReceiverStream::new(session).map(|frame| v1::SessionRequest { frame: Some(frame) });
    let carry = ReceiverStream::new(carry).map(|frame| v1::CarryRequest { frame: Some(frame) });
    let mut other = client.clone();
    let opened = async { tokio::try_join!(client.session(session), other.carry(carry)) };
    let opened = tokio::time::timeout(CALL_TIME, opened).await;
    let (session, carry) = match opened.map_err(|_| "it does not answer".to_owned())? {
        Ok(streams) => streams,
        Err(status) if may_follow_from_a_hello(status.code()) => {
            return Ok(Next::Introduce);
        }
        Err(status) => return Err(format!("it refused: {}", status.message())),
    };
    let session_in = session
        .into_inner()
        .map(|message| message.map(|message| message.frame.unwrap_or_default()));
    let carry_in = carry
        .into_inner()
        .map(|message| message.map(|message| message.frame.unwrap_or_default()));
    let streams = Streams {
        session_in: Box::pin(session_in),
        session_out,
        carry_in: Box::pin(carry_in),
        carry_out,
        key: line.cert.key,
        cut: line.cut,
    };
    let began = edge::now();
    drive(exchange, peer, exchange.me(), streams).await;
    let lasted = Duration::from_millis(edge::now().since(began));
    Ok(Next::Ended(lasted))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of many nodes dials one that is away for this long, by its pauses.
    fn dials(away_ms: u64, odd: &mut u64) -> u64 {
        let (mut at, mut longest) = (0, REDIAL_FIRST_MS);
        while at < away_ms {
            *odd ^= *odd << 13;
            *odd ^= *odd >> 7;
            *odd ^= *odd << 17;
            at += u64::try_from(pause_of(longest, *odd).as_millis()).expect("short");
            longest = next_longest(longest);
        }
        at - away_ms
    }

    /// A thousand nodes lost one for an hour. How they come back to it, second by second.
    #[test]
    #[allow(clippy::print_stdout, reason = "for whoever runs it with --no-capture")]
    fn after_a_long_absence_nodes_come_back_one_by_one() {
        let mut odd = 0x9e37_79b9_7f4a_7c15;
        let mut seconds = vec![0; 31];
        for _ in 0..1_000 {
            let after_ms = dials(3_600_000, &mut odd);
            seconds[usize::try_from(after_ms / 1_000).expect("few")] += 1;
        }
        println!("{seconds:?}");
        // The rest of a pause that is under way: the first seconds get the most, none gets many.
        let most = seconds.iter().max().copied().unwrap_or(0);
        assert!(most <= 100, "{most} of 1000 in one second");
        assert_eq!(seconds.iter().sum::<usize>(), 1_000);
        let late: usize = seconds[10..].iter().sum();
        assert!(late > 300, "only {late} later than ten seconds");
    }

    #[test]
    fn no_pause_is_shorter_or_longer_than_it_may_be() {
        let mut longest = REDIAL_FIRST_MS;
        for _ in 0..80 {
            for random in [0, 1, longest - 1, longest, u64::MAX] {
                let pause = u64::try_from(pause_of(longest, random).as_millis()).expect("short");
                assert!((REDIAL_LEAST_MS..REDIAL_MAX_MS).contains(&pause), "{pause}");
            }
            longest = next_longest(longest);
        }
        assert_eq!(longest, REDIAL_MAX_MS);
    }
}
