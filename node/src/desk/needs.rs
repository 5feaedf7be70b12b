//! What waits for somebody of the secretariat, each in one sentence with what to do.
//!
//! **Invariant:** nothing here is decided; each need says what is so and who may act.

use corridor_proto::evidence::Proved;
use corridor_proto::kinds::{self, Shown};
use corridor_proto::{RcpId, RecordId, UnixMillis, v1};
use corridor_rules::draft::{Step, Taken};
use corridor_rules::evidence::Kept;
use corridor_rules::limits::ERASE_DELAY_MS;
use corridor_rules::row::RecordKey;
use corridor_rules::{Log, PeerState, Sort};
use corridor_store::View;

use super::drafts::{ReadDraft, said};

/// Needs of one sort that are told.
const NEEDS_MAX: usize = 100;
/// An acceptance or a withdrawal that is not confirmed by then is worth a call.
const CALL_MS: u64 = 3 * 24 * 3_600 * 1_000;

/// Who may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Whoever writes drafts.
    Writers,
    /// Whoever clears.
    Clearers,
    /// Whoever keeps partners and the node.
    Keepers,
}

/// What something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A record of ours.
    Record(RecordId),
    /// A partner.
    Peer(RcpId),
    /// The node itself.
    Node,
}

/// Something that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// A stable code.
    pub code: &'static str,
    /// Who may act.
    pub who: For,
    /// What it is about.
    pub about: About,
    /// Since when; zero where that is not known.
    pub since: UnixMillis,
    /// What is so, and what to do.
    pub sentence: String,
}

/// All that waits for those who may act, the gravest first and of one sort the oldest; of each sort
/// at most a hundred, and then how many more.
pub fn needs(view: &View<'_>, now: UnixMillis, may_act: impl Fn(For) -> bool) -> Vec<Need> {
    let mut needs: Vec<Need> = stopped(view).into_iter().collect();
    needs.extend(view.peers.keys().flat_map(|rcp| of_peer(view, rcp, now)));
    needs.extend(unconfirmed(view, now));
    needs.retain(|need| may_act(need.who));
    let mut drafts: Vec<(Step, &Taken, RecordId)> = view
        .drafts
        .keys()
        .filter_map(|record| {
            let last = view.drafts.history(record)?.last()?;
            may_act(turn(last.step)?).then_some((last.step, last, *record))
        })
        .collect();
    drafts.sort_by_key(|(step, taken, record)| (step.code(), taken.at, *record));
    for of_one_step in drafts.chunk_by(|one, other| one.0 == other.0) {
        let told = of_one_step.iter().take(NEEDS_MAX);
        needs.extend(told.filter_map(|(_, taken, record)| of_draft(view, taken, *record)));
        let more = of_one_step.len().saturating_sub(NEEDS_MAX);
        if let (Some((step, ..)), true) = (of_one_step.first(), more > 0) {
            needs.extend(turn(*step).map(|who| and_more(who, more)));
        }
    }
    needs
}

/// Whose turn it is after a step.
const fn turn(step: Step) -> Option<For> {
    match step {
        Step::Asked | Step::Cleared => Some(For::Clearers),
        Step::Returned => Some(For::Writers),
        Step::Written | Step::Released => None,
    }
}

fn and_more(who: For, more: usize) -> Need {
    Need {
        code: "MORE",
        who,
        about: About::Node,
        since: UnixMillis(0),
        sentence: format!("And {more} more drafts like these: corridor record drafts lists all."),
    }
}

fn stopped(view: &View<'_>) -> Option<Need> {
    view.signing_stopped.as_ref()?;
    Some(Need {
        code: "SIGNING_STOPPED",
        who: For::Keepers,
        about: About::Node,
        since: UnixMillis(0),
        sentence: "Nothing is signed any more, and nothing leaves this office. corridor recover \
                   status says why and what to do."
            .to_owned(),
    })
}

/// The name under which a partner is known here.
fn name(view: &View<'_>, rcp: &RcpId) -> String {
    let confirmed = view.peers.get(rcp).map(|peer| peer.name.clone());
    let confirmed = confirmed.filter(|name| !name.is_empty());
    let claimed = || {
        let name = view.known.get(rcp)?.card.as_ref()?.card().name();
        (!name.is_empty()).then(|| name.to_owned())
    };
    confirmed
        .or_else(claimed)
        .unwrap_or_else(|| rcp.to_string())
}

fn of_peer(view: &View<'_>, rcp: &RcpId, now: UnixMillis) -> Vec<Need> {
    let Some(peer) = view.peers.get(rcp) else {
        return Vec::new();
    };
    let name = name(view, rcp);
    let need = |code, since, sentence| Need {
        code,
        who: For::Keepers,
        about: About::Peer(*rcp),
        since,
        sentence,
    };
    let mut needs = Vec::new();
    let restarted = |log: &Log| log.owner == *rcp && log.awaits_acceptance();
    if view.logs.values().any(restarted) {
        let sentence = format!(
            "{name} signed two histories of a circle and has begun it anew. Ask by telephone what \
             happened; then corridor peer accept-restart lets it go on."
        );
        needs.push(need("RESTART_TO_ACCEPT", UnixMillis(0), sentence));
    } else if peer.state != PeerState::Left && contradicts(view, rcp) {
        let sentence = format!(
            "{name} signed things that contradict each other. corridor peer evidence says what \
             follows from it."
        );
        needs.push(need("CONTRADICTION", UnixMillis(0), sentence));
    }
    if let Some(until) = view.delayed_until(rcp) {
        let sentence = format!(
            "{name} withdrew more than 50 records within an hour. They are hidden, and erased a \
             day later. Call it, and ask whether it meant that."
        );
        let since = UnixMillis(until.0.saturating_sub(ERASE_DELAY_MS));
        needs.push(need("MANY_WITHDRAWALS", since, sentence));
    }
    match peer.state {
        PeerState::Pending => {
            let sentence = format!(
                "{name} waits to be confirmed. Compare the safety number by telephone: corridor \
                 peer number shows it."
            );
            needs.push(need("TO_CONFIRM", peer.since, sentence));
        }
        PeerState::Invited if now.0 > peer.since.0.saturating_add(CALL_MS) => {
            let sentence = format!(
                "The node of {name} has not answered for three days. Call it, and ask whether it \
                 took your acceptance in."
            );
            needs.push(need("NO_ANSWER", peer.since, sentence));
        }
        PeerState::Active => {
            if let Some(since) = view.silent_since(rcp, now) {
                let sentence = format!(
                    "There is no news of some circles of {name}. Call it, and ask whether its \
                     node runs."
                );
                needs.push(need("SILENT", since, sentence));
            }
        }
        PeerState::Invited | PeerState::Paused | PeerState::Left => {}
    }
    needs
}

/// Partners that have not confirmed a withdrawal and were not heard of lately.
fn unconfirmed<'a>(view: &'a View<'a>, now: UnixMillis) -> impl Iterator<Item = Need> + 'a {
    view.peers.iter().filter_map(move |(rcp, peer)| {
        let met = peer.met;
        if peer.state == PeerState::Left {
            return None;
        }
        if now.0 <= met.0.saturating_add(CALL_MS) {
            return None;
        }
        let lacks = |log: &&Log| reads(log, rcp) && !has_confirmed(view, log, rcp);
        let circles = view.own_logs().filter(lacks).count();
        (circles > 0).then(|| Need {
            code: "WITHDRAWAL_NOT_CONFIRMED",
            who: For::Clearers,
            about: About::Peer(*rcp),
            since: met,
            sentence: format!(
                "{} has not confirmed what you withdrew, and was not heard of for three days. It \
                 erases the texts when it next connects: call it.",
                name(view, rcp)
            ),
        })
    })
}

fn reads(log: &Log, rcp: &RcpId) -> bool {
    log.sort == Sort::Private(*rcp) || log.lists(rcp)
}

/// Whether a reader's newest receipt covers the last withdrawal of a log of ours.
fn has_confirmed(view: &View<'_>, log: &Log, rcp: &RcpId) -> bool {
    let Some(last) = log.last_withdrawal else {
        return true;
    };
    let held = view.held.get(&(log.id, *rcp)).map(|held| &held.checkpoint);
    held.is_some_and(|held| held.incarnation == log.incarnation && held.size > last)
}

/// Whether an RCP is proved to have contradicted itself in something that is not mended since.
fn contradicts(view: &View<'_>, rcp: &RcpId) -> bool {
    let of_it = |kept: &&Kept| kept.rcp == *rcp;
    view.evidence
        .iter()
        .filter(of_it)
        .any(|kept| match &kept.proved {
            Proved::Log { log, .. } => view.logs.get(log).is_some_and(Log::is_frozen),
            Proved::Version { record, .. } => {
                let (rcp, record) = (*rcp, *record);
                view.contested.contains(&RecordKey { rcp, record })
            }
            Proved::Rcp => true,
        })
}

fn of_draft(view: &View<'_>, taken: &Taken, record: RecordId) -> Option<Need> {
    let (who, title) = (&taken.who, title(view, record));
    let (code, sentence) = match taken.step {
        Step::Asked => ("TO_CLEAR", format!("{who} asks that {title} be cleared.")),
        Step::Cleared => (
            "TO_PUBLISH",
            format!("{title} is cleared by {who}, and not yet published."),
        ),
        Step::Returned => (
            "TO_CHANGE",
            format!("{who} gave {title} back: {}", said(view, taken)),
        ),
        Step::Written | Step::Released => return None,
    };
    Some(Need {
        code,
        who: turn(taken.step)?,
        about: About::Record(record),
        since: taken.at,
        sentence,
    })
}

/// The title of a draft, in quotation marks.
fn title(view: &View<'_>, record: RecordId) -> String {
    let read = ReadDraft::of(view, record);
    let shown = read.map(|read| kinds::summarise(read.kind, &read.body));
    let Some(Shown::Understood(summary)) = shown else {
        return "a draft".to_owned();
    };
    let english = |one: &&v1::LanguageText| one.tag == "en";
    let mut titles = summary.title.iter();
    let title = titles.clone().find(english).or_else(|| titles.next());
    title.map_or_else(
        || "a draft".to_owned(),
        |one| format!("\u{201c}{}\u{201d}", one.text),
    )
}
