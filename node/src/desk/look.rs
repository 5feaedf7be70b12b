//! Looking: a record as a reader may see it, what a partner would receive, and why.

use std::ops::Bound;

use corridor_proto::record::SignedRecord;
use corridor_proto::v1::RecordState;
use corridor_proto::{LogId, LogSeed, RcpId, UnixMillis};
use corridor_rules::desk::{Link, link_fits};
use corridor_rules::row::{HeldVersion, RecordKey, RecordRow, Stand, Withdrawn};
use corridor_rules::serve::Source;
use corridor_rules::visibility::{Denial, Grant, readable};
use corridor_rules::{Log, PeerState, Reader, Rows, Sort, may_read};
use corridor_store::{StoreError, View};

/// A record as a reader may see it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Which record.
    pub key: RecordKey,
    /// What is known of it; only the stands that the reader may see are in it.
    pub row: RecordRow,
    /// The withdrawal that reaches furthest among those that the reader may see.
    pub withdrawal: Option<Withdrawn>,
    /// Whether it is ours and our secretariat looks.
    pub own: bool,
    /// The version in force for the reader.
    pub current: Option<Stand>,
    /// The version whose bytes are here: that in force, of an internal record of ours the newest.
    pub held: Option<HeldVersion>,
    /// Its signed bytes, where they were read.
    pub signed: Option<SignedRecord>,
    /// Whether its RCP is not yet confirmed here.
    pub unconfirmed: bool,
}

impl Shown {
    /// Reads the signed bytes; what cannot be read is not held.
    pub fn read(&mut self, view: &View<'_>) {
        let held = self.held.as_ref();
        self.signed = held.and_then(|held| view.record(held.place));
        if self.signed.is_none() {
            self.held = None;
        }
    }

    /// What the record is to the reader.
    pub fn state(&self) -> RecordState {
        let is_out = |stand: &Stand| {
            let mut out = self.row.quarantined.iter();
            out.any(|(hash, _)| *hash == stand.version_hash)
        };
        match (&self.current, &self.held) {
            (Some(_), Some(_)) => RecordState::Current,
            (Some(stand), None) if is_out(stand) => RecordState::Quarantined,
            (Some(_), None) => RecordState::Awaited,
            (None, _) if self.withdrawal.is_some() => RecordState::Withdrawn,
            (None, _) if self.own => RecordState::Internal,
            (None, _) => RecordState::Left,
        }
    }
}

/// A record as `reader` may see it now, by the circles that it may read; `None` for whatever it may
/// not see, exactly as for what does not exist.
///
/// `unconfirmed`: whether the secretariat also looks at what came from RCPs not yet confirmed.
pub fn show(
    view: &View<'_>,
    key: &RecordKey,
    reader: &Reader,
    now: UnixMillis,
    unconfirmed: bool,
) -> Option<Shown> {
    let row = comes_across(view, reader, key, now).then(|| view.row(key))??;
    let mut shown = sight(view, (*key, row), reader, now, unconfirmed)?;
    shown.read(view);
    Some(shown)
}

/// The same of a row that is at hand, without the signed bytes.
pub fn sight(
    view: &View<'_>,
    (key, mut row): (RecordKey, RecordRow),
    reader: &Reader,
    now: UnixMillis,
    unconfirmed: bool,
) -> Option<Shown> {
    let pending = view.peer_state(&key.rcp) == Some(PeerState::Pending);
    let apart = unconfirmed && pending && *reader == Reader::Secretariat;
    let own = key.rcp == view.me && *reader == Reader::Secretariat;
    let sees = |id: &LogId| {
        let log = view.logs.get(id);
        own || log.is_some_and(|log| apart || may_read(view, log, reader, now).is_ok())
    };
    row.stands.retain(|stand| sees(&stand.log));
    let withdrawal = row.withdrawal(sees).cloned();
    if row.stands.is_empty() && withdrawal.is_none() && !own {
        return None;
    }
    let current = row.current(|_| true).cloned();
    let told = withdrawal.as_ref().map_or(0, |w| w.withdrawal.up_to);
    let hidden = |stand: &Stand| !stand.left && stand.version > told;
    if current.is_none() && !own && row.stands.iter().any(hidden) {
        // Withdrawn where the reader cannot look: less always wins, and nothing is said of it.
        return None;
    }
    let held = match &current {
        Some(stand) => row.body(&stand.version_hash),
        None if own => row.newest(),
        None => None,
    };
    let held = held.cloned();
    Some(Shown {
        key,
        row,
        withdrawal,
        own,
        current,
        held,
        signed: None,
        unconfirmed: apart,
    })
}

/// Whether `reader` may come across a record at all. Whoever sees only what is public looks up what
/// public circles name and nothing else, so that the work tells nothing of what they may not see.
pub fn comes_across(view: &View<'_>, reader: &Reader, key: &RecordKey, now: UnixMillis) -> bool {
    let public = || view.logs.get(&LogId::derive(&key.rcp, &LogSeed::ZERO));
    *reader != Reader::Anyone
        || public().is_some_and(|log| {
            log.named.contains(&key.record) && may_read(view, log, reader, now).is_ok()
        })
}

/// The records that `reader` may come across, RCP by RCP, in an order that stays, from behind
/// `after` on.
pub fn keys<'a>(
    view: &'a View<'_>,
    reader: &'a Reader,
    after: Option<RecordKey>,
    now: UnixMillis,
) -> Box<dyn Iterator<Item = RecordKey> + 'a> {
    if *reader != Reader::Anyone {
        return Box::new(view.rows(after.as_ref()).map(|(key, _)| key));
    }
    let mut logs: Vec<&Log> = readable(view, reader, now).collect();
    logs.sort_unstable_by_key(|log| log.owner);
    let keys = logs.into_iter().flat_map(move |log| {
        let rcp = log.owner;
        let from = match after {
            Some(after) if after.rcp == rcp => Bound::Excluded(after.record),
            _ => Bound::Unbounded,
        };
        let is_behind = after.is_none_or(|after| after.rcp <= rcp);
        let named = log.named.range((from, Bound::Unbounded));
        named
            .filter(move |_| is_behind)
            .map(move |record| RecordKey {
                rcp,
                record: *record,
            })
    });
    Box::new(keys)
}

/// The rows of those that `reader` may come across, in the same order.
pub fn rows<'a>(
    view: &'a View<'_>,
    reader: &'a Reader,
    after: Option<RecordKey>,
    now: UnixMillis,
) -> Box<dyn Iterator<Item = (RecordKey, RecordRow)> + 'a> {
    if *reader != Reader::Anyone {
        return Box::new(view.rows(after.as_ref()));
    }
    let keys = keys(view, reader, after, now);
    Box::new(keys.filter_map(|key| Some((key, view.row(&key)?))))
}

/// What a partner would receive.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// The records, each as the partner may see it.
    pub records: Vec<Shown>,
    /// Of these, how many only the circle asked about gives.
    pub newly: usize,
}

/// The records of this node that `peer` may read now; with `circle`, as if it read that circle too.
///
/// # Errors
/// [`StoreError`] if the index cannot be read.
pub fn preview(
    view: &View<'_>,
    peer: RcpId,
    circle: Option<LogId>,
    now: UnixMillis,
) -> Result<Preview, StoreError> {
    let reader = Reader::Peer(peer);
    let reads = |id: &LogId| {
        view.logs
            .get(id)
            .is_some_and(|log| log.owner == view.me && may_read(view, log, &reader, now).is_ok())
    };
    let mut preview = Preview::default();
    for (key, mut row) in view.rows(None) {
        if key.rcp != view.me {
            continue;
        }
        let today = row.current(reads).is_some();
        row.stands
            .retain(|stand| reads(&stand.log) || circle == Some(stand.log));
        let Some(current) = row.current(|_| true).cloned() else {
            continue;
        };
        preview.newly += usize::from(!today);
        let held = row.body(&current.version_hash).cloned();
        let signed = held.as_ref().and_then(|held| view.record(held.place));
        let current = Some(current);
        preview.records.push(Shown {
            key,
            row,
            withdrawal: None,
            own: true,
            current,
            held,
            signed,
            unconfirmed: false,
        });
    }
    Ok(preview)
}

/// Why a partner may or may not read a record in one circle.
#[derive(Clone, Debug)]
pub struct CircleWhy {
    /// The circle.
    pub log: LogId,
    /// Its name.
    pub name: String,
    /// Whether the record stands there now.
    pub stands: bool,
    /// Whether the partner may read the circle now, and why.
    pub verdict: Result<Grant, Denial>,
    /// Whether the partner confirmed that it knows what stands, or has erased what does not.
    pub held: bool,
}

/// Why a partner may or may not read a record.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The version that it may read; `None` if it may not.
    pub version: Option<u64>,
    /// One sentence.
    pub sentence: String,
    /// Every circle in which the record ever stood.
    pub circles: Vec<CircleWhy>,
    /// What it names and readers of no circle of the partner could find.
    pub hidden_links: Vec<Link>,
}

/// Explains whether `peer` may read a record of ours, circle by circle.
pub fn explain(
    view: &View<'_>,
    key: &RecordKey,
    peer: RcpId,
    now: UnixMillis,
) -> Option<Explanation> {
    let row = view.row(key).filter(|_| key.rcp == view.me)?;
    let reader = Reader::Peer(peer);
    let mut circles = Vec::new();
    for stand in &row.stands {
        let Some(log) = view.logs.get(&stand.log) else {
            continue;
        };
        let held = view.held.get(&(log.id, peer));
        circles.push(CircleWhy {
            log: log.id,
            name: circle_name(view, log),
            stands: row.lives(stand),
            verdict: may_read(view, log, &reader, now),
            held: held.is_some_and(|held| held.checkpoint.size > row.decided(stand)),
        });
    }
    let reads = |id: &LogId| {
        view.logs
            .get(id)
            .is_some_and(|log| may_read(view, log, &reader, now).is_ok())
    };
    let version = row.current(reads).map(|stand| stand.version);
    let mut sentence = sentence(&row, &circles);
    let hidden_links = hidden_links(view, &row, &reader, now);
    if version.is_none() && !hidden_links.is_empty() {
        sentence += " It cannot be shared with the partner while it names records that the partner \
                     cannot find.";
    }
    Some(Explanation {
        version,
        sentence,
        circles,
        hidden_links,
    })
}

/// The records that the newest text names and that fit no circle which the reader may read.
fn hidden_links(view: &View<'_>, row: &RecordRow, reader: &Reader, now: UnixMillis) -> Vec<Link> {
    let newest = row.newest();
    let text = newest.and_then(|held| Some((held.kind, view.record(held.place)?.body)));
    let links = text.and_then(|(kind, body)| super::links(kind, &body).ok());
    let circles: Vec<_> = readable(view, reader, now)
        .filter(|log| log.owner == view.me)
        .collect();
    let is_hidden = |link: &Link| !circles.iter().any(|log| link_fits(view, view, log, link));
    links
        .unwrap_or_default()
        .into_iter()
        .filter(is_hidden)
        .collect()
}

/// A circle's name; of a private one the partner's who reads it.
fn circle_name(view: &View<'_>, log: &Log) -> String {
    match log.sort {
        Sort::Private(peer) => {
            let name = view.peers.get(&peer).map(|peer| peer.name.as_str());
            format!("private/{}", name.unwrap_or_default())
        }
        _ => log.name.clone(),
    }
}

fn sentence(row: &RecordRow, circles: &[CircleWhy]) -> String {
    let burnt = |stand: &Stand| stand.version <= row.burnt();
    if row.stands.iter().all(burnt) && row.burnt() > 0 {
        return "No: the record was withdrawn.".to_owned();
    }
    let standing: Vec<&CircleWhy> = circles.iter().filter(|circle| circle.stands).collect();
    if standing.is_empty() {
        return "No: the record stands in no circle; it is internal.".to_owned();
    }
    let name = |circle: &CircleWhy| format!("circle {}", circle.name);
    let granted = standing
        .iter()
        .find_map(|circle| Some((circle, circle.verdict.ok()?)));
    if let Some((circle, grant)) = granted {
        return format!("Yes: it stands in {}, and {}.", name(circle), grant.says());
    }
    let denied: Vec<String> = standing
        .iter()
        .filter_map(|circle| {
            Some(format!(
                "in {} the partner {}",
                name(circle),
                circle.verdict.err()?.says()
            ))
        })
        .collect();
    format!("No: {}.", denied.join("; "))
}
