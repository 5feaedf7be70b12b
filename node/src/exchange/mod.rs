//! Peers: connections, and the links that run over them.
//!
//! A connection is mutual TLS 1.3 with pinned keys ([`tls`]), dialled ([`dial`], on a [`road`]) or
//! accepted ([`listen`]) at one of few places ([`places`]), and can be ended at once ([`cut`]);
//! [`drive`] runs one `corridor_rules::link::Link` over its two streams, within the peer's budget
//! ([`budgets`]), and [`crate::status`] keeps the sentence that is shown for each peer.
//!
//! It imports the store, the rules and the protocol, never `api`. **Invariant:** no decision about
//! what a peer may have is made here; this room only moves bytes.

pub mod budgets;
pub mod cut;
pub mod dial;
pub mod drive;
pub mod listen;
pub mod places;
pub mod road;
pub mod service;

pub mod tls;

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use corridor_proto::{RcpId, wire::Identity};
use corridor_store::{Done, Item, Store, StoreError};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::edge;
use crate::operate::metrics::Meters;
use crate::status::Statuses;
use budgets::Budgets;
use road::Road;
use tls::Tls;

/// The generated service code.
pub mod rpc {
    #![allow(missing_docs, clippy::all)]
    tonic::include_proto!("corridor.v1");
}

/// What all connections of a node share.
pub struct Exchange {
    /// The store.
    pub store: Store,
    /// How each peer's exchange stands.
    pub statuses: Arc<Statuses>,
    /// What each peer may still cost.
    pub budgets: Budgets,
    /// The figures.
    pub meters: Arc<Meters>,
    tls: Tls,
    road: Road,
    changed: watch::Receiver<u64>,
    /// Whether the node ends.
    pub(crate) stopped: watch::Receiver<bool>,
    /// So many verify records at one time, over all links: as many as there are cores.
    judges: Arc<Semaphore>,
    links: Mutex<HashMap<RcpId, Registered>>,
    next_id: AtomicU64,
}

struct Registered {
    id: u64,
    dialled_by: RcpId,
    cancel: watch::Sender<bool>,
}

impl Exchange {
    /// The exchange of a node over its store; `changed` follows the store's revision,
    /// `stopped` ends all links.
    pub fn new(
        store: Store,
        tls: Tls,
        road: Road,
        changed: watch::Receiver<u64>,
        stopped: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Arc::new(Self {
            store,
            statuses: Arc::default(),
            budgets: Budgets::default(),
            meters: Arc::default(),
            tls,
            road,
            changed,
            stopped,
            judges: Arc::new(Semaphore::new(cores)),
            links: Mutex::new(HashMap::new()),
            next_id: AtomicU64::new(1),
        })
    }

    /// Follows changes of the store.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// Whose node this is.
    pub fn me(&self) -> RcpId {
        self.store.read(|view| view.me)
    }

    /// Puts an item before the store's writer.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub async fn append(&self, item: Item) -> Result<Done, StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.store.append(item, edge::now(), move |outcome| {
            // Nobody waits any more: then nobody is told.
            let _ = sender.send(outcome);
        });
        match receiver.await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::Stopped("the writer has ended".to_owned())),
        }
    }

    /// Our charter and card.
    pub fn identity(&self) -> Option<Identity> {
        self.store.read(|view| {
            let known = view.known.get(&view.me)?;
            Some(Identity {
                charter: known.charter.clone(),
                card: known.card.clone()?,
            })
        })
    }

    /// Registers a connection. Of two between the same nodes both sides keep the one dialled by the
    /// smaller RcpId, of two dialled by the same side the newer. `None` if this one is not kept.
    fn register(&self, peer: RcpId, dialled_by: RcpId) -> Option<Lease<'_>> {
        let me = self.me();
        let smaller = me.min(peer);
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = links.get(&peer) {
            let same_side = old.dialled_by == dialled_by;
            if !same_side && old.dialled_by == smaller {
                return None;
            }
            old.cancel.send_replace(true);
        }
        let (cancel, cancelled) = watch::channel(false);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        links.insert(
            peer,
            Registered {
                id,
                dialled_by,
                cancel,
            },
        );
        drop(links);
        self.statuses.connected(peer, edge::now());
        Some(Lease {
            exchange: self,
            peer,
            id,
            cancelled,
        })
    }

    /// The acceptor of the peers' listener.
    pub fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        self.tls.acceptor().clone()
    }

    /// Whether a link to this peer runs.
    pub fn is_connected(&self, peer: &RcpId) -> bool {
        self.links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(peer)
    }
}

/// A registered connection; dropping it takes it off the register.
struct Lease<'a> {
    exchange: &'a Exchange,
    peer: RcpId,
    id: u64,
    cancelled: watch::Receiver<bool>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut links = self
            .exchange
            .links
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if links.get(&self.peer).is_some_and(|link| link.id == self.id) {
            links.remove(&self.peer);
            self.exchange.statuses.disconnected(self.peer, edge::now());
        }
    }
}
