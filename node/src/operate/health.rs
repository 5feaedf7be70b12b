//! Whether the node serves, as gRPC's health protocol tells it to anybody who asks.
//!
//! A service is serving as long as it answers reading. What a node cannot do while it can still be
//! read has names of its own ([`WRITES`], [`SIGNS`], and the exchange between nodes), so that a
//! full disk takes no reading away. **Invariant:** nothing of records, partners or reasons is in
//! it.

use std::collections::BTreeSet;

use corridor_rules::Model;
use corridor_store::Store;
use prost::Message;
use prost_types::{FileDescriptorSet, ServiceDescriptorProto};
use serde::{Deserialize, Serialize};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// The services of the node, described.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/corridor.bin"));
/// The service that partners' nodes call, which has a listener of its own.
pub const EXCHANGE: &str = "corridor.v1.ExchangeService";
/// Serving while this node can write: not with a full disk, or a damaged journal.
pub const WRITES: &str = "corridor.writes";
/// Serving while this node signs.
pub const SIGNS: &str = "corridor.signs";

/// What a node cannot do now, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Why nothing is written, if so.
    pub no_writing: Option<String>,
    /// Why nothing is signed, if so.
    pub no_signing: Option<String>,
    /// Why nothing is exchanged with partners, if so.
    pub no_exchange: Option<String>,
}

impl Condition {
    /// The condition of a store that is open. `reads_only`: it could not be written to when the
    /// node started, and so no partner is served until it starts again.
    pub fn of(store: &Store, reads_only: bool) -> Self {
        let obstacle = store.obstacle().map(|error| error.to_string());
        store.read(|view| Self::with(view, obstacle, reads_only))
    }

    fn with(model: &Model, no_writing: Option<String>, reads_only: bool) -> Self {
        let waits = "the store could not be written to when the node started; start it again";
        let apart = "no session is opened while another copy may run, or under keys that were \
                     replaced";
        let no_exchange = match (reads_only, model.may_exchange()) {
            (true, _) => Some(waits),
            (false, false) => Some(apart),
            (false, true) => None,
        };
        Self {
            no_writing,
            no_signing: model.signing_stopped.clone(),
            no_exchange: no_exchange.map(str::to_owned),
        }
    }

    /// Whether it can do all that a node does.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }
}

/// All services that the node's files describe.
pub fn services() -> Vec<String> {
    let set = FileDescriptorSet::decode(DESCRIPTORS).unwrap_or_default();
    each_service(&set, |name, _| vec![name])
}

/// All methods of the node's own listener, as `service/method`.
pub fn methods() -> BTreeSet<String> {
    let sets = [
        DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let methods = sets.iter().flat_map(|set| {
        let set = FileDescriptorSet::decode(*set).unwrap_or_default();
        each_service(&set, |name, service| {
            let methods = service.method.iter();
            methods
                .map(|method| format!("{name}/{}", method.name()))
                .collect()
        })
    });
    methods.collect()
}

fn each_service(
    set: &FileDescriptorSet,
    look: impl Fn(String, &ServiceDescriptorProto) -> Vec<String>,
) -> Vec<String> {
    let files = set.file.iter();
    let services = files.flat_map(|file| file.service.iter().map(move |one| (file, one)));
    let looked = services.flat_map(|(file, one)| {
        let name = format!("{}.{}", file.package(), one.name());
        look(name, one)
    });
    looked.collect()
}

/// Tells those who watch of what changed.
#[derive(Debug)]
pub struct Teller {
    reporter: HealthReporter,
    told: Vec<(String, bool)>,
}

impl Teller {
    /// Tells by this reporter. Nothing is serving before the first [`Teller::tell`].
    pub const fn new(reporter: HealthReporter) -> Self {
        Self {
            reporter,
            told: Vec::new(),
        }
    }

    /// Tells what is so; `ends`: the node takes no new call.
    pub async fn tell(&mut self, condition: &Condition, ends: bool) {
        let aspects = [
            (String::new(), true),
            (WRITES.to_owned(), condition.no_writing.is_none()),
            (SIGNS.to_owned(), condition.no_signing.is_none()),
        ];
        let services = services().into_iter().map(|name| {
            let serves = name != EXCHANGE || condition.no_exchange.is_none();
            (name, serves)
        });
        let now = aspects.into_iter().chain(services);
        let now: Vec<_> = now.map(|(name, serves)| (name, serves && !ends)).collect();
        // Whoever watches hears of changes alone.
        for (name, serves) in now.iter().filter(|one| !self.told.contains(one)) {
            let status = if *serves {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            self.reporter.set_service_status(name, status).await;
        }
        self.told = now;
    }
}
