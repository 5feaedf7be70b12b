//! Bringing a node up, and down again.

use std::collections::BTreeSet;
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use corridor_proto::{RcpId, StartNumber};
use corridor_rules::desk::Wish;
use corridor_rules::ingest::{Arrival, JOURNAL_LOST_ITS_END};
use corridor_store::{Item, Opening, Signer, Store, StoreError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::Server;
use tonic_health::server::HealthReporter;

use crate::api::{self, Ends, Front, Traffic};
use crate::bundles::Bundles;
use crate::desk::Desk;
use crate::edge;
use crate::exchange::road::{Proxy, Road};
use crate::exchange::rpc::exchange_service_server::ExchangeServiceServer;
use crate::exchange::service::{PeerCalls, PeerConnection};
use crate::exchange::tls::{PeerCert, Tls, api_acceptor};
use crate::exchange::{Exchange, dial, listen};
use crate::limits::{
    API_STREAMS_MAX, CONNECTION_WINDOW_BYTES, DUE, KEEP_ALIVE, KEEP_ALIVE_ANSWER, LAST_WORDS,
    PEER_MESSAGE_BYTES, PEER_STREAMS_MAX, SEARCHES_AT_ONCE, STREAM_WINDOW_BYTES,
};
use crate::operate::access::Access;
use crate::operate::audit::Audit;
use crate::operate::backup::UNDER_WAY;
use crate::operate::config::{Config, NONE};
use crate::operate::files::{self, FileError};
use crate::operate::health::Teller;
use crate::operate::init::{InitError, sign_card};
use crate::operate::keys::{KeyFolder, Keys, TlsKey};
use crate::operate::pulse::{self, Pulse};
use crate::operate::{descriptors, drill, expose, snapshot};
use crate::tables::Tables;

/// Where a node listens; bound by the caller, so that tests may choose port 0.
#[derive(Debug)]
pub struct Listeners {
    /// For peers' nodes.
    pub peers: TcpListener,
    /// For secretariat and integrators.
    pub api: TcpListener,
    /// For the figures, if they are to be read.
    pub metrics: Option<TcpListener>,
}

/// A running node.
pub struct Running {
    /// Its RCP.
    pub me: RcpId,
    /// Its desk.
    pub desk: Desk,
    /// Its exchange.
    pub exchange: Arc<Exchange>,
    /// What opening its store found.
    pub opening: Opening,
    data: PathBuf,
    ending: Ending,
    /// No new call is taken.
    stop: watch::Sender<bool>,
    /// No call goes on.
    cut: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Ends the node: listeners, links, writer, in that order. Calls under way have two seconds.
    ///
    /// # Errors
    /// What the store says; then its index is rebuilt at the next start.
    pub async fn stop(self) -> Result<(), StoreError> {
        self.drain(LAST_WORDS).await
    }

    /// As [`Running::stop`], with another time for the calls under way.
    ///
    /// # Errors
    /// What the store says; then its index is rebuilt at the next start.
    pub async fn drain(mut self, patience: Duration) -> Result<(), StoreError> {
        let Ending { ends, told } = self.ending;
        ends.send_replace(true);
        // Before any stream is cut; but nobody waits long for whoever watches.
        let _ = tokio::time::timeout(LAST_WORDS, told).await;
        self.stop.send_replace(true);
        if !ended(&mut self.tasks, patience).await {
            self.cut.send_replace(true);
            if !ended(&mut self.tasks, LAST_WORDS).await {
                self.tasks.shutdown().await;
            }
        }
        let store = self.desk.store().clone();
        let closed = tokio::task::spawn_blocking(move || store.close()).await;
        if let Err(error) = files::remove(&snapshot::path(&self.data)) {
            tracing::warn!(%error, "the status file of a node that has ended stays");
        }
        closed.unwrap_or_else(|error| Err(StoreError::Stopped(error.to_string())))
    }
}

/// Whether all tasks end in time.
async fn ended(tasks: &mut JoinSet<()>, patience: Duration) -> bool {
    let ended = async { while tasks.join_next().await.is_some() {} };
    tokio::time::timeout(patience, ended).await.is_ok()
}

/// Starts the node in `data` on these listeners, as its configuration file says. `progress` hears
/// of a long opening.
///
/// # Errors
/// [`InitError`] for what is wrong with keys, configuration or store.
pub async fn start(
    data: &Path,
    listeners: Listeners,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Running, InitError> {
    ensure_whole(data)?;
    start_with(data, &Config::read(data)?, listeners, progress).await
}

/// That nobody was in the midst of restoring the node in `data`.
///
/// # Errors
/// [`InitError::HalfRestored`].
pub fn ensure_whole(data: &Path) -> Result<(), InitError> {
    if data.join(UNDER_WAY).exists() {
        return Err(InitError::HalfRestored(data.to_owned()));
    }
    Ok(())
}

/// As [`start`], as another configuration says.
///
/// # Errors
/// [`InitError`] for what is wrong with keys, configuration or store.
pub async fn start_with(
    data: &Path,
    config: &Config,
    listeners: Listeners,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Running, InitError> {
    let Inside {
        store,
        opening,
        peer_tls,
        api_tls,
        cursors,
        key_ends,
        reads_only,
    } = bring_up(data, config, progress)?;
    let (sender, changed) = watch::channel(0);
    store.on_change(move |revision| {
        sender.send_replace(revision);
    });
    let desk = Desk::new(store.clone(), changed.clone());
    let (stop, stopped) = watch::channel(false);
    let exchange = Exchange::new(store, peer_tls, road(config), changed, stopped.clone());
    let meters = Arc::clone(&exchange.meters);
    let synced = Arc::clone(&meters);
    exchange.store.on_sync(move |took| synced.synced(took));
    let mut tasks = JoinSet::new();
    if !reads_only {
        meet(&exchange, listeners.peers, &stopped, &mut tasks);
    }
    if let Some(listener) = listeners.metrics {
        tasks.spawn(expose::serve(
            listener,
            Arc::clone(&meters),
            stopped.clone(),
        ));
    }
    let pulse = Pulse {
        data: data.to_owned(),
        store: exchange.store.clone(),
        statuses: Arc::clone(&exchange.statuses),
        meters: Arc::clone(&meters),
        reads_only,
        started: edge::now(),
        key_ends,
    };
    let (health, ending) = beat(pulse, &mut tasks).await;
    let api = api(data, config, &desk, &exchange, cursors);
    let (cut, now) = watch::channel(false);
    let soon = stopped.clone();
    let front = front(health, Traffic::new(meters, Ends { soon, now }));
    answer(api, front, listeners.api, api_tls, &stopped, &mut tasks);
    Ok(Running {
        me: exchange.me(),
        desk,
        exchange,
        opening,
        data: data.to_owned(),
        ending,
        stop,
        cut,
        tasks,
    })
}

/// What all services of the API share.
fn api(
    data: &Path,
    config: &Config,
    desk: &Desk,
    exchange: &Arc<Exchange>,
    cursors: api::Cursors,
) -> api::Api {
    api::Api {
        desk: desk.clone(),
        statuses: Arc::clone(&exchange.statuses),
        audit: Arc::new(Audit::of(data)),
        access: Arc::new(Access::of(data)),
        four_eyes: config.four_eyes,
        tables: Tables::of(data, desk.clone()),
        bundles: Bundles::of(data, Arc::clone(exchange)),
        cursors: Arc::new(cursors),
        library: Arc::default(),
        searches: Arc::new(Semaphore::new(SEARCHES_AT_ONCE)),
        reading: config.reading(),
    }
}

/// How partners are reached.
fn road(config: &Config) -> Road {
    let named = |text: &String| (text != NONE).then(|| text.clone());
    Road {
        proxy: named(&config.proxy).map(|address| Proxy {
            address,
            credentials: named(&config.proxy_credentials).map(Into::into),
        }),
    }
}

/// Answers secretariats and integrators, and keeps what they search in.
fn answer(
    api: api::Api,
    front: Front,
    listener: TcpListener,
    tls: TlsAcceptor,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) {
    let (library, desk) = (Arc::clone(&api.library), &api.desk);
    tasks.spawn(library.follow(desk.store().clone(), desk.changes(), stopped.clone()));
    tasks.spawn(serve_api(api, front, listener, tls, stopped.clone()));
}

/// Dials partners and lets them dial in.
fn meet(
    exchange: &Arc<Exchange>,
    listener: TcpListener,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) {
    let exchange = || Arc::clone(exchange);
    tasks.spawn(dial::dial_all(exchange(), stopped.clone()));
    tasks.spawn(serve_peers(exchange(), listener, stopped.clone()));
    tasks.spawn(fall_due(exchange(), stopped.clone()));
}

/// A node before it is heard of outside.
struct Inside {
    store: Store,
    opening: Opening,
    peer_tls: Tls,
    api_tls: TlsAcceptor,
    cursors: api::Cursors,
    key_ends: Vec<(String, u64)>,
    /// The store cannot be written to.
    reads_only: bool,
}

/// Reads keys and store, and makes durable what a start does.
fn bring_up(
    data: &Path,
    config: &Config,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Inside, InitError> {
    ensure_whole(data)?;
    if let Err(error) = drill::clean(data) {
        tracing::error!(%error, "what a drill left is still there; remove it as its owner");
    }
    let folder = KeyFolder::of(data);
    let keys = folder.read()?;
    let (peer_tls, api_tls) = (Tls::new(&keys.peer)?, api_acceptor(&keys.api)?);
    let cursors = api::Cursors::of(keys.api.key.as_bytes());
    let cursors = cursors.map_err(|source| FileError::io(data, source))?;
    let key_ends = [&keys.peer, &keys.api].into_iter();
    let key_ends = key_ends.filter_map(TlsKey::ends).collect();
    let (store, opening) = open(data, &folder, keys, progress)?;
    let reads_only = match say_start(data, config, &store, &opening) {
        Ok(()) => false,
        Err(InitError::Store(error)) if error.leaves_reading() => {
            tracing::error!(%error, "nothing can be written: this node only shows what it holds");
            if opening.lost_its_end && opening.damage.is_empty() {
                // That it may sign nothing could not be kept: it must not once there is room.
                store.stop_writing(
                    "the journal lost its end, and that could not be written down; free room and \
                     start the node again",
                );
            }
            true
        }
        Err(error) => {
            // The folder must be free again before the caller hears of it.
            store.close()?;
            return Err(error);
        }
    };
    Ok(Inside {
        store,
        opening,
        peer_tls,
        api_tls,
        cursors,
        key_ends,
        reads_only,
    })
}

/// What is told first when a node ends: everybody who watches it.
struct Ending {
    ends: watch::Sender<bool>,
    told: oneshot::Receiver<()>,
}

/// Looks at the node from now on; gives what its health is told by, and what ends the looking.
async fn beat(pulse: Pulse, tasks: &mut JoinSet<()>) -> (HealthReporter, Ending) {
    let health = HealthReporter::new();
    let mut teller = Teller::new(health.clone());
    teller.tell(&pulse.condition(), false).await;
    let (ends, ending) = watch::channel(false);
    let (tell, told) = oneshot::channel();
    tasks.spawn(pulse::run(pulse, teller, ending, tell));
    (health, Ending { ends, told })
}

/// Opens the store. If a rotation was cut short after its key event, its new key takes over here.
fn open(
    data: &Path,
    folder: &KeyFolder,
    keys: Keys,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Store, Opening), InitError> {
    let present = keys.signing.public_bytes();
    let signer = Arc::new(Signer::new(keys.signing));
    let (store, opening) = corridor_store::open(data, signer, progress)?;
    let current = store.read(|view| {
        let charter = view.charter(&view.me)?;
        Some(
            charter
                .key("charter", charter.current_seq())
                .ok()?
                .to_bytes(),
        )
    });
    if current == Some(present) {
        return Ok((store, opening));
    }
    store.close()?;
    drop(store);
    let next = match folder.next_signing() {
        Err(FileError::Io { source, .. }) if source.kind() == NotFound => None,
        next => Some(next?),
    };
    let Some(next) = next.filter(|next| current == Some(next.public_bytes())) else {
        let path = data.join("keys").join("signing.key");
        let what = "the signing key that this node's charter names";
        return Err(FileError::Content { path, what }.into());
    };
    folder.adopt_signing()?;
    Ok(corridor_store::open(
        data,
        Arc::new(Signer::new(next)),
        progress,
    )?)
}

/// Looks now and then at what falls due by time alone. Not at once: a segment that is looked at
/// keeps the writer from what peers that come back have to bring.
async fn fall_due(exchange: Arc<Exchange>, mut stopped: watch::Receiver<bool>) {
    let mut look = tokio::time::interval_at(tokio::time::Instant::now() + DUE, DUE);
    let mut silent = BTreeSet::new();
    loop {
        tokio::select! {
            _ = look.tick() => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        if let Err(error) = exchange.append(Item::Due).await {
            tracing::error!(%error, "what falls due was not carried out");
        }
        say_silent(&exchange, &mut silent);
    }
}

/// Tells of each partner of whose circles nothing was heard for a day, once each time.
fn say_silent(exchange: &Exchange, told: &mut BTreeSet<RcpId>) {
    let now = edge::now();
    let silent = exchange.store.read(|view| {
        let peers = view.peers.keys().copied();
        let silent = peers.filter(|rcp| view.silent_since(rcp, now).is_some());
        silent.collect::<BTreeSet<_>>()
    });
    for peer in silent.difference(told) {
        tracing::warn!(%peer, "no news for a day");
    }
    *told = silent;
}

/// What a start makes durable before anything is served: its random number, a card if need be, and
/// that nothing more is signed if acknowledged writes are gone.
fn say_start(
    data: &Path,
    config: &Config,
    store: &Store,
    opening: &Opening,
) -> Result<(), InitError> {
    if opening.lost_its_end {
        let reason = JOURNAL_LOST_ITS_END;
        let arrival = Arrival::StopSigning { reason };
        store.append_blocking(Item::Arrival(arrival), edge::now())?;
    }
    let number = edge::random().map_err(|source| FileError::io(data, source))?;
    let wish = Wish::Start {
        number: StartNumber::new(number),
    };
    store.append_blocking(Item::Wish(wish), edge::now())?;
    if store.read(|view| view.signing_stopped.is_some()) {
        return Ok(());
    }
    renew_card(data, config, store)
}

/// A new card if the configuration says something else than the present one.
fn renew_card(data: &Path, config: &Config, store: &Store) -> Result<(), InitError> {
    let Some(known) = store.read(|view| view.known.get(&view.me).cloned()) else {
        return Ok(());
    };
    let old = known.card.as_ref().map(|card| card.card().clone());
    let serial = old.as_ref().map_or(0, |card| card.serial);
    let fresh = sign_card(
        data,
        &known.charter,
        config,
        &store.key(),
        serial,
        edge::now(),
    )?;
    let said = corridor_proto::card::Card::decode(&fresh.bytes)?;
    if old
        .as_ref()
        .is_some_and(|old| old.bundle_key != said.bundle_key)
    {
        // It never changes: bundles that are on their way could not be opened any more.
        let path = data.join("keys").join("bundle.key");
        let what = "the bundle key that this node's card names";
        return Err(FileError::Content { path, what }.into());
    }
    let same = old.is_some_and(|old| {
        corridor_proto::card::Card {
            serial: said.serial,
            ..old
        } == said
    });
    if !same {
        store.append_blocking(Item::Wish(Wish::RenewCard { card: fresh }), edge::now())?;
    }
    Ok(())
}

/// What the listener for secretariat and integrators is served with.
fn front(health: HealthReporter, traffic: Traffic) -> Front {
    let server = Server::builder()
        .max_concurrent_streams(API_STREAMS_MAX)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_ANSWER));
    Front {
        server,
        health,
        traffic,
    }
}

async fn serve_api(
    api: api::Api,
    front: Front,
    listener: TcpListener,
    acceptor: TlsAcceptor,
    stopped: watch::Receiver<bool>,
) {
    let limit = descriptors::places().1;
    let from = |stream: &TlsStream<TcpStream>, _: &_, _| {
        let address = stream.get_ref().0.peer_addr();
        Some(api::Came(address.ok()?.ip()))
    };
    let incoming = listen::incoming(listener, acceptor, limit, stopped.clone(), from);
    if let Err(error) = api::serve(front, api, incoming, stopped).await {
        tracing::error!(%error, "api listener ended");
    }
}

async fn serve_peers(
    exchange: Arc<Exchange>,
    listener: TcpListener,
    mut stopped: watch::Receiver<bool>,
) {
    let acceptor = exchange.acceptor();
    let incoming = listen::incoming(
        listener,
        acceptor,
        descriptors::places().0,
        stopped.clone(),
        |stream, cut, keeper| {
            let certificates = stream.get_ref().1.peer_certificates()?;
            let cert = PeerCert::read(certificates.first()?)?;
            Some(PeerConnection::new(cert, cut.clone(), keeper))
        },
    );
    let service = ExchangeServiceServer::new(PeerCalls::new(exchange))
        .max_decoding_message_size(PEER_MESSAGE_BYTES)
        .max_encoding_message_size(PEER_MESSAGE_BYTES);
    let server = Server::builder()
        .max_concurrent_streams(PEER_STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_ANSWER))
        .http2_max_local_error_reset_streams(Some(1024))
        .add_service(service);
    let until = async move {
        // The sender is gone only when the node is: then it is time as well.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    if let Err(error) = server.serve_with_incoming_shutdown(incoming, until).await {
        tracing::error!(%error, "peer listener ended");
    }
}
