//! Figures of a running node for Prometheus, in the text of OpenMetrics.
//!
//! Some are counted as they happen; the rest is what the last [`Snapshot`] says. Each node has a
//! registry of its own, for several may run in one process: therefore the crate prometheus-client,
//! and not metrics, whose recorder belongs to the process. **Invariant:** no label grows with the
//! number of records or callers, and nothing of a record is in any.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corridor_proto::{RcpId, Reason};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::snapshot::{PeerSnapshot, Snapshot};

/// Seconds that a call or a sync may take, from half a millisecond to ten seconds.
const SECONDS: [f64; 12] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5, 10.0,
];

/// Why a signature is refused.
const OF_SIGNATURES: [Reason; 3] = [Reason::BadSignature, Reason::WeakKey, Reason::UnknownKey];

/// What came of something that a partner sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Came {
    /// It was stored.
    Accepted,
    /// It is kept out by its hash.
    Quarantined,
    /// It was refused.
    Refused,
}

impl Came {
    const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Quarantined => "quarantined",
            Self::Refused => "refused",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    method: String,
    code: &'static str,
}

/// The figures of a node.
pub struct Meters {
    registry: Registry,
    calls: Family<CallLabels, Histogram, fn() -> Histogram>,
    syncs: Histogram,
    counts: Arc<Counts>,
}

impl Default for Meters {
    fn default() -> Self {
        let made: fn() -> Histogram = || Histogram::new(SECONDS);
        let calls = Family::new_with_constructor(made);
        let (syncs, counts) = (made(), Arc::<Counts>::default());
        let mut registry = Registry::with_prefix("corridor");
        registry.register_with_unit(
            "api_call_duration",
            "How long calls of the node's own listener took",
            Unit::Seconds,
            calls.clone(),
        );
        registry.register_with_unit(
            "journal_sync_duration",
            "How long groups of facts took to become durable",
            Unit::Seconds,
            syncs.clone(),
        );
        registry.register_collector(Box::new(Arc::clone(&counts)));
        Self {
            registry,
            calls,
            syncs,
            counts,
        }
    }
}

impl Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

impl Meters {
    /// A call ended. `method`: one of few names; `code`: of gRPC, upper snake case.
    pub fn call(&self, method: &str, code: &'static str, took: Duration) {
        let method = method.to_owned();
        let labels = CallLabels { method, code };
        self.calls
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// A call was refused for a reason of the catalogue. `is_for_lack_of_right`: because of who
    /// called.
    pub fn refused_call(&self, reason: &str, is_for_lack_of_right: bool) {
        let counts = &self.counts;
        let counted = if is_for_lack_of_right {
            &counts.denials
        } else {
            &counts.refusals
        };
        *lock(counted).entry(reason.to_owned()).or_default() += 1;
    }

    /// A group of facts became durable.
    pub fn synced(&self, took: Duration) {
        self.syncs.observe(took.as_secs_f64());
    }

    /// Things of a partner came. `reason`: the code of a refusal; empty for what was accepted.
    pub fn came(&self, peer: RcpId, what: Came, reason: Option<Reason>, count: u64) {
        if count > 0 {
            let code = reason.map_or("", Reason::code);
            *lock(&self.counts.came)
                .entry((peer, what, code))
                .or_default() += count;
        }
        if let Some(reason) = reason.filter(|reason| OF_SIGNATURES.contains(reason)) {
            *lock(&self.counts.signatures)
                .entry(reason.code())
                .or_default() += count;
        }
    }

    /// What is so now.
    pub fn now(&self, snapshot: Snapshot) {
        *lock(&self.counts.snapshot) = Some(snapshot);
    }

    /// All figures, as text of OpenMetrics 1.0.
    ///
    /// # Errors
    /// None that a string has room for.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is not kept by a registry.
#[derive(Debug, Default)]
struct Counts {
    snapshot: Mutex<Option<Snapshot>>,
    came: Mutex<BTreeMap<(RcpId, Came, &'static str), u64>>,
    signatures: Mutex<BTreeMap<&'static str, u64>>,
    denials: Mutex<BTreeMap<String, u64>>,
    refusals: Mutex<BTreeMap<String, u64>>,
}

impl Collector for Counts {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        let snapshot = lock(&self.snapshot).clone();
        let Some(now) = snapshot else { return Ok(()) };
        out.node(&now)?;
        out.peers(&now)?;
        let came = lock(&self.came).clone();
        let came = came
            .into_iter()
            .filter_map(|((peer, what, reason), count)| {
                let peer = peer.to_string();
                let peer = now.peers.iter().find(|one| one.rcp == peer)?;
                let labels = [
                    ("peer", peer.label.clone()),
                    ("result", what.word().to_owned()),
                ];
                Some((with(labels, ("reason", reason.to_owned())), count))
            });
        let help = "What partners sent, by what came of it";
        out.counters("sync_records", help, came)?;
        // From nothing on: whoever looks for an increase sees the first of them as well.
        let mut failures: BTreeMap<_, _> =
            OF_SIGNATURES.iter().map(|one| (one.code(), 0)).collect();
        failures.extend(
            lock(&self.signatures)
                .iter()
                .map(|(code, count)| (*code, *count)),
        );
        let failures = failures
            .into_iter()
            .map(|(reason, count)| (vec![("reason", reason.to_owned())], count));
        let help = "Signatures of partners that were refused";
        out.counters("signature_failures", help, failures)?;
        for (name, help, label, counted) in [
            (
                "policy_denials",
                "Calls refused because of who called",
                "rule",
                &self.denials,
            ),
            (
                "api_refusals",
                "Calls refused for another reason",
                "reason",
                &self.refusals,
            ),
        ] {
            let counted = lock(counted).clone().into_iter();
            let counted = counted.map(|(reason, count)| (vec![(label, reason)], count));
            out.counters(name, help, counted)?;
        }
        Ok(())
    }
}

type Labels = Vec<(&'static str, String)>;

fn with(labels: [(&'static str, String); 2], more: (&'static str, String)) -> Labels {
    labels.into_iter().chain([more]).collect()
}

/// Writes families of figures.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn gauges(
        &mut self,
        (name, unit): (&str, Option<Unit>),
        help: &str,
        values: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let kind = MetricType::Gauge;
        let mut family = self.0.encode_descriptor(name, help, unit.as_ref(), kind)?;
        for (labels, value) in values {
            if labels.is_empty() {
                family.encode_gauge(&value)?;
            } else {
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    fn gauge(&mut self, name: (&str, Option<Unit>), help: &str, value: f64) -> fmt::Result {
        self.gauges(name, help, [(Vec::new(), value)])
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let kind = MetricType::Counter;
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            let mut one = family.encode_family(&labels)?;
            one.encode_counter::<NoLabelSet, u64, u64>(&value, None)?;
        }
        Ok(())
    }

    /// Of the node itself.
    fn node(&mut self, now: &Snapshot) -> fmt::Result {
        let version = vec![("version".to_owned(), now.version.clone())];
        let kind = MetricType::Info;
        let help = "Which software runs";
        let mut build = self.0.encode_descriptor("build", help, None, kind)?;
        build.encode_info(&version)?;
        let is = |yes: bool| f64::from(u8::from(yes));
        let seconds = || Some(Unit::Seconds);
        for (name, help, yes) in [
            (
                "writes",
                "Whether this node can write",
                now.condition.no_writing.is_none(),
            ),
            (
                "signs",
                "Whether this node signs",
                now.condition.no_signing.is_none(),
            ),
            (
                "exchanges",
                "Whether this node talks with partners",
                now.condition.no_exchange.is_none(),
            ),
        ] {
            self.gauge((name, None), help, is(yes))?;
        }
        let started = seconds_of(now.started_ms);
        self.gauge(
            ("start_timestamp", seconds()),
            "When this node was started",
            started,
        )?;
        let parts = [("journal", now.journal_bytes), ("index", now.index_bytes)];
        let parts = parts.map(|(part, bytes)| (vec![("part", part.to_owned())], float(bytes)));
        let help = "Room that the node takes on its disk";
        self.gauges(("storage", Some(Unit::Bytes)), help, parts)?;
        if let Some(free) = now.free_bytes {
            let help = "Room that is free on the node's disk";
            self.gauge(("storage_free", Some(Unit::Bytes)), help, float(free))?;
        }
        if let Some(quarantined) = now.quarantined {
            let help = "Record versions of partners that are kept out";
            self.gauge(("quarantined_records", None), help, float(quarantined))?;
        }
        let help = "When each key can no longer be used";
        let ends = now.key_ends.iter();
        let ends = ends.map(|(key, end)| (vec![("key", key.clone())], seconds_of(*end)));
        self.gauges(("key_expiry_timestamp", seconds()), help, ends)?;
        let help = "When the last backup of the store was finished";
        let backup = now.backup_ms.map(|at| (Vec::new(), seconds_of(at)));
        self.gauges(("backup_last_success_timestamp", seconds()), help, backup)
    }

    /// Of partners.
    fn peers(&mut self, now: &Snapshot) -> fmt::Result {
        let mut states =
            BTreeMap::from(corridor_rules::PeerState::ALL.map(|state| (state.word(), 0_u64)));
        for peer in &now.peers {
            if let Some(count) = states.get_mut(peer.state.as_str()) {
                *count += 1;
            }
        }
        let states = states.into_iter();
        let states = states.map(|(state, n)| (vec![("state", state.to_owned())], float(n)));
        self.gauges(("peers", None), "Partners, by their state here", states)?;
        type Look = fn(&PeerSnapshot) -> Option<f64>;
        let all: [(&str, Option<Unit>, &str, Look); 5] = [
            (
                "peer_connected",
                None,
                "Whether a connection is up",
                |peer| Some(f64::from(u8::from(peer.connected))),
            ),
            (
                "sync_last_success_timestamp",
                Some(Unit::Seconds),
                "When a partner and this node last had nothing left to send each other",
                |peer| peer.last_success_ms.map(seconds_of),
            ),
            (
                "sync_lag_records",
                None,
                "Lines and texts of a partner that are still to come",
                |peer| Some(float(peer.behind)),
            ),
            (
                "withdrawals_unacknowledged",
                None,
                "Withdrawn records of ours that a partner has not confirmed to have erased",
                |peer| Some(float(peer.unacknowledged)),
            ),
            (
                "withdrawal_brake_active",
                None,
                "Whether what a partner withdrew waits a day to be erased",
                |peer| Some(f64::from(u8::from(peer.brake_until_ms.is_some()))),
            ),
        ];
        for (name, unit, help, look) in all {
            let values = now.peers.iter().filter_map(|peer| {
                let value = look(peer)?;
                Some((vec![("peer", peer.label.clone())], value))
            });
            self.gauges((name, unit), help, values)?;
        }
        Ok(())
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "the figures of OpenMetrics are floats"
)]
const fn float(number: u64) -> f64 {
    number as f64
}

fn seconds_of(ms: u64) -> f64 {
    float(ms) / 1_000.0
}
