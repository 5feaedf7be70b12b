//! What a peer's node may call.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use corridor_proto::wire::Identity;
use corridor_proto::{RcpId, Token, v1};
use corridor_rules::PeerState;
use corridor_rules::desk::Wish;
use corridor_rules::ingest::Arrival;
use corridor_rules::peer::{Call, may_call};
use corridor_store::{Item, StoreError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::Exchange;
use super::cut::Cut;
use super::drive::{Incoming, Streams, drive};
use super::places::Keeper;
use super::rpc::exchange_service_server::ExchangeService;
use super::tls::PeerCert;
use crate::edge;
use crate::limits::{FRAMES_QUEUED, HELLOS_PER_SECOND, LINK_TIME};

/// One accepted connection: whose, and the halves of its link that have come so far.
#[derive(Clone)]
pub struct PeerConnection {
    cert: PeerCert,
    cut: Cut,
    keeper: Keeper,
    halves: Arc<Mutex<Halves>>,
}

#[derive(Default)]
struct Halves {
    session: Option<(Incoming<v1::SessionFrame>, mpsc::Sender<v1::SessionFrame>)>,
    carry: Option<(Incoming<v1::CarryFrame>, mpsc::Sender<v1::CarryFrame>)>,
    used: bool,
}

impl PeerConnection {
    /// A connection of whoever showed this certificate, what cuts it and what keeps its place: it
    /// is cut if it has not become a link in time, and keeps its place only as one.
    pub fn new(cert: PeerCert, cut: Cut, keeper: Keeper) -> Self {
        let halves: Arc<Mutex<Halves>> = Arc::default();
        let (late, watched) = (cut.clone(), Arc::clone(&halves));
        tokio::spawn(async move {
            tokio::time::sleep(LINK_TIME).await;
            if !watched.lock().unwrap_or_else(PoisonError::into_inner).used {
                late.now();
            }
        });
        Self {
            cert,
            cut,
            keeper,
            halves,
        }
    }
}

/// The service on the peers' listener.
pub struct PeerCalls {
    exchange: Arc<Exchange>,
    hellos: HelloRate,
}

impl PeerCalls {
    /// Calls into this exchange.
    pub fn new(exchange: Arc<Exchange>) -> Self {
        Self {
            exchange,
            hellos: HelloRate::default(),
        }
    }

    /// The pinned peer behind a call that needs one.
    fn peer<T>(&self, request: &Request<T>) -> Result<(RcpId, PeerConnection), Status> {
        let connection = connection(request)?;
        let rcp = connection.cert.rcp;
        let (pinned, state) = self.exchange.store.read(|view| {
            let card = view.known.get(&rcp).and_then(|known| known.card.as_ref());
            let pinned = card.is_some_and(|card| card.card().tls_key == connection.cert.key);
            (pinned, view.peer_state(&rcp))
        });
        if !pinned {
            return Err(Status::unauthenticated(
                "this connection's key is not the one on your newest card here; say hello first",
            ));
        }
        if !may_call(state, Call::Exchange) {
            return Err(Status::permission_denied(
                "this node has not accepted you; pair first",
            ));
        }
        let banned_s = self
            .exchange
            .budgets
            .banned_ms(rcp, edge::now())
            .div_ceil(1_000);
        if banned_s > 0 {
            return Err(Status::resource_exhausted(format!(
                "too much of what you sent was refused here; ask the two operators to compare \
                 their logs, and come back in {banned_s} seconds"
            )));
        }
        Ok((rcp, connection))
    }

    /// Starts the link once both halves are there.
    fn join(&self, peer: RcpId, connection: &PeerConnection, halves: &mut Halves) {
        if halves.used || halves.session.is_none() || halves.carry.is_none() {
            return;
        }
        let (Some(session), Some(carry)) = (halves.session.take(), halves.carry.take()) else {
            return;
        };
        halves.used = true;
        connection.keeper.keep();
        let streams = Streams {
            session_in: session.0,
            session_out: session.1,
            carry_in: carry.0,
            carry_out: carry.1,
            key: connection.cert.key,
            cut: connection.cut.clone(),
        };
        let exchange = Arc::clone(&self.exchange);
        tokio::spawn(async move { drive(&exchange, peer, peer, streams).await });
    }
}

fn connection<T>(request: &Request<T>) -> Result<PeerConnection, Status> {
    let found = request.extensions().get::<PeerConnection>();
    found
        .cloned()
        .ok_or_else(|| Status::internal("a connection without a certificate"))
}

type Answers<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ExchangeService for PeerCalls {
    type SessionStream = Answers<v1::SessionResponse>;
    type CarryStream = Answers<v1::CarryResponse>;

    async fn hello(
        &self,
        request: Request<v1::HelloRequest>,
    ) -> Result<Response<v1::HelloResponse>, Status> {
        let cert = connection(&request)?.cert;
        let hello = request.into_inner();
        let token = Token::from_slice(&hello.token).unwrap_or(Token::ZERO);
        let rcp = cert.rcp;
        let (is_known, is_invited) = self.exchange.store.read(|view| {
            let invited = !token.is_zero() && view.invitation(&token, edge::now()).is_some();
            (view.peer_state(&rcp).is_some(), invited)
        });
        // Strangers may knock often; those known here are not to wait for them.
        if !is_known && !self.hellos.allows() {
            return Err(Status::resource_exhausted(
                "too many introductions; try again in a second",
            ));
        }
        if is_known || is_invited {
            let identity = introduction(hello.identity, cert).await?;
            self.introduced(rcp, identity, token)
                .await
                .map_err(|error| refused_introduction(rcp, &error))?;
        }
        let accepted = self
            .exchange
            .store
            .read(|view| may_call(view.peer_state(&rcp), Call::Exchange));
        let identity = self.exchange.identity().map(|identity| identity.message());
        Ok(Response::new(v1::HelloResponse { identity, accepted }))
    }

    async fn session(
        &self,
        request: Request<Streaming<v1::SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (peer, connection) = self.peer(&request)?;
        let frames = request
            .into_inner()
            .map(|message| message.map(|message| message.frame.unwrap_or_default()));
        let (sender, receiver) = mpsc::channel(FRAMES_QUEUED);
        let mut halves = connection
            .halves
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        halves.session = Some((Box::pin(frames), sender));
        self.join(peer, &connection, &mut halves);
        let answers = ReceiverStream::new(receiver)
            .map(|frame| Ok(v1::SessionResponse { frame: Some(frame) }));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn carry(
        &self,
        request: Request<Streaming<v1::CarryRequest>>,
    ) -> Result<Response<Self::CarryStream>, Status> {
        let (peer, connection) = self.peer(&request)?;
        let frames = request
            .into_inner()
            .map(|message| message.map(|message| message.frame.unwrap_or_default()));
        let (sender, receiver) = mpsc::channel(FRAMES_QUEUED);
        let mut halves = connection
            .halves
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        halves.carry = Some((Box::pin(frames), sender));
        self.join(peer, &connection, &mut halves);
        let answers =
            ReceiverStream::new(receiver).map(|frame| Ok(v1::CarryResponse { frame: Some(frame) }));
        Ok(Response::new(Box::pin(answers)))
    }
}

impl PeerCalls {
    /// What follows from an introduction: an invitation redeemed, an acceptance answered, or for a
    /// known RCP a newer charter or card.
    async fn introduced(
        &self,
        rcp: RcpId,
        identity: Identity,
        token: Token,
    ) -> Result<(), StoreError> {
        let (state, known_token, accepted) = self.exchange.store.read(|view| {
            (
                view.peer_state(&rcp),
                !token.is_zero() && view.invitation(&token, edge::now()).is_some(),
                view.accepted.get(&rcp).copied(),
            )
        });
        if known_token {
            let wish = Wish::Redeem {
                identity: Box::new(identity),
                token,
            };
            return self.exchange.append(Item::Wish(wish)).await.map(|_| ());
        }
        if state.is_none() {
            return Ok(());
        }
        self.exchange
            .append(Item::Arrival(Arrival::Identity(Box::new(identity))))
            .await?;
        if state == Some(PeerState::Invited) && accepted == Some(token) {
            self.exchange
                .append(Item::Wish(Wish::Answered { rcp }))
                .await?;
        }
        Ok(())
    }
}

/// The identity behind an introduction: that of the RCP whose key the connection showed. What costs
/// nothing is asked first, for anybody can send a charter that takes long to verify.
async fn introduction(message: Option<v1::Identity>, cert: PeerCert) -> Result<Identity, Status> {
    let message = message.ok_or_else(|| Status::invalid_argument("no identity"))?;
    let another = || {
        Status::invalid_argument("charter, card and the key of this connection are not of one RCP")
    };
    if Identity::claimed(&message) != Some(cert.rcp) {
        return Err(another());
    }
    let verified = tokio::task::spawn_blocking(move || Identity::verify(message));
    let verified = verified
        .await
        .map_err(|_| Status::internal("not verified"))?;
    let identity = verified.map_err(|refusal| Status::invalid_argument(refusal.to_string()))?;
    if identity.card.card().tls_key != cert.key {
        return Err(another());
    }
    Ok(identity)
}

/// What the other side is told of why it was not taken in: its own mistakes, and nothing of ours.
fn refused_introduction(rcp: RcpId, error: &StoreError) -> Status {
    tracing::warn!(%rcp, %error, "introduction refused");
    match error {
        StoreError::Refused(refusal) => Status::invalid_argument(refusal.to_string()),
        StoreError::Desk(_) => Status::permission_denied("this node knows no open invitation"),
        _ => Status::unavailable("this node cannot take introductions now; try again later"),
    }
}

/// How many introductions were answered in this second.
#[derive(Default)]
struct HelloRate {
    second: AtomicU64,
    count: AtomicU32,
}

impl HelloRate {
    fn allows(&self) -> bool {
        let second = edge::now().0 / 1_000;
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.count.store(0, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed) < HELLOS_PER_SECOND
    }
}
