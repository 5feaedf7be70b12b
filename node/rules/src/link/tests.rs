//! When a connection ends, when it is quiet, and what its sides may lose on the way.

use super::*;
use crate::fact::Fact;
use crate::samples::{
    ABOUT, End, ME, Meeting, NOW, Node, PEER, Written, exchange, hello, pair, partner_of, rcp,
    texts, words,
};
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

fn partners() -> (Node, Node, LogId) {
    let (mut one, mut other) = (Node::new(ME), Node::new(PEER));
    pair(&mut one, &mut other);
    let circle = one.open("trade", true, true, &[&other]);
    one.publish(1, "first", &[circle]);
    (one, other, circle)
}

#[test]
fn a_reader_gets_the_texts_of_its_circles() {
    let (mut one, mut other, circle) = partners();
    exchange(&mut one, &mut other);
    assert_eq!(texts(&other, &circle), ["first"]);
}

#[test]
fn every_end_has_a_code_of_its_own() {
    let all = [
        Closing::StateChanged,
        Closing::NotAllowed,
        Closing::NoCommonVersion,
        Closing::CreditExceeded,
        Closing::TooManyRefusals,
        Closing::Ended,
        Closing::SigningStopped,
        Closing::NoHello,
        Closing::Restarted,
    ];
    let codes: BTreeSet<&str> = all.iter().map(|why| why.code()).collect();
    assert_eq!(codes.len(), all.len());
    assert!(
        codes
            .iter()
            .all(|code| code.contains(|c: char| c.is_ascii_uppercase()))
    );
}

#[test]
fn a_side_that_says_no_hello_is_cut_off() {
    let mut end = End::new(partner_of(&[PEER]), rcp(PEER));
    end.feed(Input::Start);
    end.node.now = NOW.plus(HELLO_MS_MAX);
    end.feed(Input::Changed);
    assert_eq!(end.closed, None);
    end.node.now = NOW.plus(HELLO_MS_MAX + 1);
    let frames = end.feed(Input::Changed);
    assert_eq!(words(&frames), ["ended"]);
    assert_eq!(end.closed, Some(Closing::NoHello));
    let (mut greeted, _) = End::greeted(partner_of(&[PEER]), PEER);
    greeted.node.now = NOW.plus(HELLO_MS_MAX + 1);
    greeted.feed(Input::Changed);
    assert_eq!(greeted.closed, None);
    let mut silent = End::new(partner_of(&[PEER]), rcp(PEER));
    silent.node.treat(PEER, PeerState::Invited);
    silent.feed(Input::Start);
    silent.node.treat(PEER, PeerState::Active);
    let frames = silent.session(Said::Hello(hello(PEER)));
    assert_eq!(words(&frames), [""; 0], "nothing follows an end");
}

#[test]
fn a_peer_of_which_too_much_is_refused_is_cut_off() {
    let (mut end, _) = End::greeted(partner_of(&[PEER]), PEER);
    let wrong = || Carried::Pull(v1::Pull::default());
    for count in 1..=REFUSALS_PER_LINK_MAX {
        end.carry(wrong());
        assert_eq!(end.link.refusals(), count);
    }
    assert_eq!(end.closed, None);
    assert_eq!(end.link.last_refusal(), end.refused.last().copied());
    let frames = end.carry(wrong());
    assert_eq!(words(&frames), ["ended"]);
    assert_eq!(end.closed, Some(Closing::TooManyRefusals));
}

#[test]
fn a_session_ends_when_the_peers_rights_narrow() {
    for state in PeerState::ALL {
        let (mut end, _) = End::greeted(partner_of(&[PEER]), PEER);
        assert!(!end.node.look(|context| end.link.has_lost_a_right(context)));
        end.node.treat(PEER, state);
        let lost = end.node.look(|context| end.link.has_lost_a_right(context));
        end.feed(Input::Changed);
        let ends = state != PeerState::Active;
        assert_eq!(lost, ends, "{state:?}");
        assert_eq!(end.closed, ends.then_some(Closing::StateChanged));
    }
}

#[test]
fn a_session_goes_on_when_the_peer_is_confirmed_and_says_so() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    crate::samples::meet(&mut me, &mut peer);
    let mut meeting = Meeting::of(me, peer);
    meeting.forget();
    let rcp = meeting.node(1).rcp;
    let confirm = crate::desk::Wish::Confirm { rcp };
    meeting.change(0, |me| drop(me.wish(confirm)));
    assert_eq!(meeting.words(0)[0], "state");
    assert_eq!(meeting.ends[0].closed, None);
    assert_eq!(meeting.ends[1].link.served_as(), Some(v1::Serving::Active));
    assert!(
        !meeting
            .node(0)
            .look(|context| { meeting.ends[0].link.has_lost_a_right(context) })
    );
}

#[test]
fn a_session_begins_anew_when_signing_stops_or_goes_on() {
    let (mut end, _) = End::greeted(partner_of(&[PEER]), PEER);
    end.node.model.signing_stopped = Some("RESTORED_FROM_A_BACKUP".to_owned());
    end.feed(Input::Changed);
    assert_eq!(end.closed, Some(Closing::Restarted));
    let mut stopped = partner_of(&[PEER]);
    stopped.model.signing_stopped = Some("RESTORED_FROM_A_BACKUP".to_owned());
    let (mut end, _) = End::greeted(stopped, PEER);
    assert_eq!(end.closed, None);
    end.node.model.signing_stopped = None;
    end.feed(Input::Changed);
    assert_eq!(end.closed, Some(Closing::Restarted));
}

#[test]
fn a_reader_that_was_served_a_circle_and_lost_it_has_lost_a_right() {
    let (mut one, mut other, circle) = partners();
    exchange(&mut one, &mut other);
    let mut meeting = Meeting::of(one, other);
    let lost = |meeting: &Meeting| {
        let [end, _] = &meeting.ends;
        end.node.look(|context| end.link.has_lost_a_right(context))
    };
    assert!(!lost(&meeting) && !meeting.ends[0].link.has_stopped_serving());
    let readers = BTreeMap::new();
    let wish = crate::desk::Wish::SetReaders {
        log: circle,
        readers,
    };
    meeting.ends[0].node.wish(wish);
    assert!(lost(&meeting));
    meeting.feed(0, Input::Changed);
    assert!(!lost(&meeting) && meeting.ends[0].link.has_stopped_serving());
}

#[test]
fn it_is_quiet_once_both_said_what_they_have_and_nothing_is_on_its_way() {
    let mut log = Written::new(PEER, 7);
    let text = log.text(1, 5, "text");
    let mut end = End::new(partner_of(&[PEER]), rcp(PEER));
    end.feed(Input::Start);
    end.session(Said::Hello(hello(PEER)));
    assert!(!end.is_quiet(), "it did not say yet what it holds");
    let (logs, last) = (Vec::new(), true);
    end.session(Said::Have(v1::Have { logs, last }));
    assert!(end.is_quiet());
    end.session(log.announced(1));
    assert!(!end.is_quiet(), "lines are awaited");
    end.carry(Carried::Package(log.package(0)));
    assert!(!end.is_quiet(), "a text is");
    end.carry(log.records(&[(0, &text)]));
    assert!(end.is_quiet());
    let more = log.text(2, 5, "more");
    log.leave(9);
    end.carry(Carried::Package(log.part(1, 2, 3)));
    end.carry(log.records(&[(1, &more)]));
    assert!(!end.is_quiet(), "a line is missing");
    end.carry(Carried::Package(log.package(2)));
    end.carry(log.records(&[(1, &more)]));
    assert!(end.is_quiet());
}

#[test]
fn it_is_not_quiet_while_a_text_cannot_be_had_unless_its_log_is_stopped() {
    let mut log = Written::new(PEER, 7);
    log.text(1, 5, "text");
    let (mut end, _) = End::greeted(partner_of(&[PEER, ABOUT]), PEER);
    end.session(log.announced(1));
    end.carry(Carried::Package(log.package(0)));
    let ranges = vec![v1::IndexRange { from: 0, to: 1 }];
    let id = log.id.as_bytes().to_vec();
    end.carry(Carried::Gone(v1::Gone { log: id, ranges }));
    assert!(!end.is_quiet());
    let found = end.node.model.logs.get_mut(&log.id).expect("a log");
    found.stop = Some(crate::log::Stop::Frozen { accepted: false });
    assert!(end.is_quiet());
    let mut theirs = Written::new(ABOUT, 7);
    theirs.text(1, 5, "text");
    end.node.take(&theirs.arrival(ABOUT, theirs.package(0)));
    assert!(end.is_quiet(), "of another nothing is awaited here");
}

#[test]
fn it_is_not_quiet_while_the_peer_has_not_got_all() {
    let (mut one, _, circle) = partners();
    let (mut end, _) = End::greeted(one.clone(), PEER);
    end.link.credit = 0;
    let pull = || {
        Carried::Pull(v1::Pull {
            log: circle.as_bytes().to_vec(),
            from: 0,
            target: 0,
        })
    };
    let credit = || Carried::Credit(v1::Credit { bytes: 10_000_000 });
    assert!(end.is_quiet());
    end.carry(pull());
    assert!(!end.is_quiet(), "lines are owed");
    end.carry(credit());
    assert!(end.is_quiet());
    end.link.credit = 0;
    let ranges = vec![v1::IndexRange { from: 1, to: 2 }];
    let log = circle.as_bytes().to_vec();
    end.carry(Carried::Want(v1::Want { log, ranges }));
    assert!(!end.is_quiet(), "a text is");
    end.carry(credit());
    assert!(end.is_quiet());
    end.node.publish(2, "more", &[circle]);
    assert!(!end.is_quiet(), "a head was not told");
    one.model.signing_stopped = Some("RESTORED_FROM_A_BACKUP".to_owned());
    let (end, _) = End::greeted(one, PEER);
    assert!(end.is_quiet(), "and is not while nothing is signed");
}

#[test]
fn it_is_not_quiet_while_a_log_of_ours_comes_back() {
    let mut log = Written::new(ME, 7);
    for byte in 0..3 {
        log.leave(byte);
    }
    let mut me = partner_of(&[PEER]);
    let reason = "RESTORED_FROM_A_BACKUP".to_owned();
    me.apply(&[Fact::SigningStopped { reason }]);
    let mut end = End::new(me, rcp(PEER));
    end.feed(Input::Start);
    end.session(Said::Hello(hello(PEER)));
    let held = v1::HeldLog {
        seed: log.seed.as_bytes().to_vec(),
        checkpoint: log.head(3),
    };
    let (logs, last) = (vec![held], true);
    end.session(Said::Have(v1::Have { logs, last }));
    assert!(!end.is_quiet());
    end.carry(Carried::Package(log.package(0)));
    assert!(end.is_quiet());
    assert_eq!(end.node.log(&log.id).size(), 3);
}

#[test]
fn whoever_is_pending_or_was_just_confirmed_has_lost_nothing() {
    let mut me = partner_of(&[PEER]);
    me.treat(PEER, PeerState::Pending);
    let (mut end, _) = End::greeted(me, PEER);
    assert!(!end.node.look(|context| end.link.has_lost_a_right(context)));
    end.node.treat(PEER, PeerState::Active);
    assert!(!end.node.look(|context| end.link.has_lost_a_right(context)));
}
