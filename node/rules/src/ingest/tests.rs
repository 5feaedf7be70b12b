//! What is noted of things that a link verified, and what charters and cards add.

use corridor_proto::charter::SignedKeyEvent;

use super::*;
use crate::fact::Place;
use crate::log::Sort;
use crate::row::{RecordRow, Stand};
use crate::samples::{
    ABOUT, ME, NOW, PEER, charter, event, identity, identity_with, model, rcp, rotated, state,
};

/// No rows at all, or one record of [`ABOUT`].
struct Rowed(Option<RecordRow>);

impl Rows for Rowed {
    fn row(&self, key: &RecordKey) -> Option<RecordRow> {
        let row = self.0.clone();
        row.filter(|_| key.rcp == rcp(ABOUT))
    }
}

fn decided(model: &Model, arrival: &Arrival) -> Vec<Fact> {
    decide(model, &Rowed(None), arrival, NOW).expect("decided")
}

fn apply(model: &mut Model, facts: &[Fact]) {
    for fact in facts {
        model.apply(None, fact, Place::default());
    }
}

fn start(number: u8) -> SignedStart {
    SignedStart {
        number: StartNumber::new([number; 16]),
        signature: [number; 64],
    }
}

#[test]
fn a_start_number_is_noted_once() {
    let mut model = model();
    let arrival = |number| Arrival::Start {
        rcp: rcp(PEER),
        start: start(number),
    };
    let noted = |number| {
        vec![Fact::PeerStart {
            rcp: rcp(PEER),
            start: start(number),
        }]
    };
    let facts = decided(&model, &arrival(1));
    assert_eq!(facts, noted(1));
    apply(&mut model, &facts);
    assert_eq!(decided(&model, &arrival(1)), []);
    assert_eq!(decided(&model, &arrival(2)), noted(2));
    let of_nobody = Arrival::Start {
        rcp: rcp(9),
        start: start(1),
    };
    assert_eq!(decided(&model, &of_nobody), []);
}

#[test]
fn a_number_of_ours_is_known_again_from_whom_it_is_awaited() {
    let mut model = model();
    let (rcp, number) = (rcp(PEER), StartNumber::new([7; 16]));
    let arrival = Arrival::StartKnown { rcp, number };
    assert_eq!(decided(&model, &arrival), []);
    model.awaited.insert(rcp);
    assert_eq!(
        decided(&model, &arrival),
        [Fact::StartKnown { rcp, number }]
    );
}

#[test]
fn logs_of_the_partner_that_wait_to_be_compared_are() {
    let mut model = model();
    let mut log = |owner: u8, seed: u8, uncompared| {
        let mut log = Log::new(
            rcp(owner),
            LogSeed::new([seed; 16]),
            Sort::Open,
            String::new(),
        );
        log.uncompared = uncompared;
        let id = log.id;
        model.logs.insert(id, log);
        id
    };
    let (waits, done, others) = (log(PEER, 1, true), log(PEER, 2, false), log(ABOUT, 3, true));
    let absent = LogId::new([1; 32]);
    let arrival = Arrival::Compared {
        peer: rcp(PEER),
        logs: vec![waits, done, others, absent],
    };
    assert_eq!(decided(&model, &arrival), [Fact::Compared { log: waits }]);
    let met = Arrival::Met { peer: rcp(PEER) };
    let (rcp, at) = (rcp(PEER), NOW);
    assert_eq!(decided(&model, &met), [Fact::Met { rcp, at }]);
}

#[test]
fn a_newer_restart_of_a_frozen_log_is_noted() {
    let mut model = model();
    let log = Log::new(rcp(ABOUT), LogSeed::new([7; 16]), Sort::Open, String::new());
    let id = log.id;
    model.logs.insert(id, log);
    let arrival = |incarnation| Arrival::Restarted {
        log: id,
        incarnation,
    };
    assert_eq!(decided(&model, &arrival(5)), [], "it is not frozen");
    model.logs.get_mut(&id).expect("a log").stop =
        Some(crate::log::Stop::Frozen { accepted: false });
    let shown = |incarnation| {
        vec![Fact::Shown {
            log: id,
            incarnation,
        }]
    };
    assert_eq!(decided(&model, &arrival(5)), shown(5));
    apply(&mut model, &shown(5));
    assert_eq!(decided(&model, &arrival(5)), []);
    assert_eq!(decided(&model, &arrival(4)), []);
    assert_eq!(decided(&model, &arrival(6)), shown(6));
}

#[test]
fn only_what_a_line_names_is_kept_out_and_once() {
    let (model, named) = (model(), Hash::new([4; 32]));
    let record = RecordId::new([9; 16]);
    let bad = |version_hash| Arrival::Bad {
        rcp: rcp(ABOUT),
        record,
        version_hash,
        reason: Reason::BadSignature,
    };
    let stand = Stand {
        log: LogId::new([1; 32]),
        version: 5,
        version_hash: named,
        index: 0,
        first: 0,
        left: false,
        decided: 0,
        void: false,
        kept_left: false,
    };
    let mut row = RecordRow {
        stands: vec![stand],
        ..RecordRow::default()
    };
    let decided = |row: &RecordRow, hash| {
        decide(&model, &Rowed(Some(row.clone())), &bad(hash), NOW).expect("decided")
    };
    let reason = Reason::BadSignature.code().to_owned();
    let kept_out = Fact::Quarantine {
        rcp: rcp(ABOUT),
        record,
        version_hash: named,
        reason: reason.clone(),
    };
    assert_eq!(decided(&row, named), [kept_out]);
    assert_eq!(
        decided(&row, Hash::new([5; 32])),
        [],
        "a hash that somebody made up"
    );
    assert_eq!(decided(&RecordRow::default(), named), []);
    row.quarantined = vec![(Hash::new([6; 32]), reason.clone())];
    assert_eq!(decided(&row, named).len(), 1, "of another it says nothing");
    row.quarantined.push((named, reason));
    assert_eq!(decided(&row, named), []);
}

#[test]
fn who_may_give_whose_logs() {
    let mut model = model();
    let gives = |model: &Model, peer: u8, owner: u8| may_give(model, &rcp(peer), &rcp(owner));
    assert!(gives(&model, PEER, PEER) && gives(&model, PEER, ABOUT));
    assert!(
        !gives(&model, PEER, ME),
        "nobody gives us ours as another's"
    );
    assert!(!gives(&model, PEER, 9) && !gives(&model, 9, PEER) && !gives(&model, 9, 9));
    // (who changes, to what): what the other gives of it, it of the other, and it of itself.
    for (now, expect) in [
        (PeerState::Pending, [false, false, true]),
        (PeerState::Paused, [true, false, true]),
        (PeerState::Left, [false, false, false]),
        (PeerState::Active, [true, true, true]),
    ] {
        state(&mut model, ABOUT, now);
        let found = [(PEER, ABOUT), (ABOUT, PEER), (ABOUT, ABOUT)]
            .map(|(peer, owner)| gives(&model, peer, owner));
        assert_eq!(found, expect, "{now:?}");
    }
}

#[test]
fn signing_stops_once_and_again_for_another_copy() {
    let mut model = model();
    let stopped = |model: &Model, reason| {
        let facts = decided(model, &Arrival::StopSigning { reason });
        let reasons = facts.iter().map(|fact| match fact {
            Fact::SigningStopped { reason } => reason.clone(),
            other => panic!("{other:?}"),
        });
        let reasons: Vec<String> = reasons.collect();
        (reasons, facts)
    };
    let (reasons, facts) = stopped(&model, HEAD_LACKING);
    assert_eq!(reasons, [HEAD_LACKING]);
    apply(&mut model, &facts);
    assert_eq!(stopped(&model, HEAD_LACKING).0, [""; 0]);
    assert_eq!(stopped(&model, RESTORED).0, [""; 0]);
    let (reasons, facts) = stopped(&model, ANOTHER_COPY_RAN);
    assert_eq!(reasons, [ANOTHER_COPY_RAN], "it is to be looked for first");
    apply(&mut model, &facts);
    assert_eq!(stopped(&model, ANOTHER_COPY_RAN).0, [""; 0]);
}

fn came(model: &Model, found: &Identity) -> Result<Vec<Fact>, Reason> {
    let arrival = Arrival::Identity(Box::new(found.clone()));
    decide(model, &Rowed(None), &arrival, NOW).map_err(|refusal| refusal.reason)
}

/// The key events of a charter from the second on.
fn later(charter: &corridor_proto::charter::Charter) -> Vec<SignedKeyEvent> {
    charter.events()[1..].to_vec()
}

#[test]
fn a_charter_adds_its_newer_events_and_a_card_that_is_newer() {
    let mut model = model();
    let card = |found: &Identity| Fact::Card {
        rcp: found.charter.rcp(),
        card: found.card.signed().clone(),
    };
    let unknown = identity(&charter(9), 9);
    let first = Fact::KeyEvent {
        rcp: rcp(9),
        event: event(9),
    };
    assert_eq!(came(&model, &unknown), Ok(vec![first, card(&unknown)]));
    let known = identity(&charter(ABOUT), ABOUT);
    assert_eq!(
        came(&model, &known),
        Ok(vec![card(&known)]),
        "its card is new"
    );
    apply(&mut model, &[card(&known)]);
    assert_eq!(came(&model, &known), Ok(Vec::new()), "and then known");
    let renewed = identity_with(&charter(ABOUT), ABOUT, 2);
    assert_eq!(came(&model, &renewed), Ok(vec![card(&renewed)]));
    let longer = rotated(ABOUT, 50);
    let longer = identity(&longer, 50);
    let events = later(&longer.charter)
        .into_iter()
        .map(|event| Fact::KeyEvent {
            rcp: rcp(ABOUT),
            event,
        });
    let facts: Vec<Fact> = events.chain([card(&longer)]).collect();
    assert_eq!(came(&model, &longer), Ok(facts.clone()));
    apply(&mut model, &facts);
    assert_eq!(
        came(&model, &known),
        Ok(Vec::new()),
        "older ones add nothing"
    );
    let fork = identity(&rotated(ABOUT, 60), 60);
    let facts = came(&model, &fork).expect("a fork is evidence");
    assert!(matches!(facts[..], [Fact::Evidence { .. }]), "{facts:?}");
    apply(&mut model, &facts);
    assert_eq!(
        came(&model, &fork),
        Err(Reason::BrokenChain),
        "and is never taken over"
    );
}

#[test]
fn of_ourselves_nothing_is_taken_over() {
    let mut model = model();
    let own = identity(&charter(ME), ME);
    assert_eq!(came(&model, &own), Ok(Vec::new()));
    let stops = |reason: &str| {
        Ok(vec![Fact::SigningStopped {
            reason: reason.to_owned(),
        }])
    };
    let newer = identity(&rotated(ME, 50), 50);
    assert_eq!(came(&model, &newer), stops(KEYS_PREDATE_A_ROTATION));
    let ours = later(&rotated(ME, 60))
        .into_iter()
        .map(|event| Fact::KeyEvent {
            rcp: rcp(ME),
            event,
        });
    let ours: Vec<Fact> = ours.collect();
    apply(&mut model, &ours);
    assert_eq!(came(&model, &newer), stops(CHARTER_FORKED));
}
