//! How a session begins, what the two say of themselves, and when one is not begun.

use corridor_proto::LogSeed;

use super::*;
use crate::desk::Wish;
use crate::fact::Fact;
use crate::link::Input;
use crate::log::Sort;
use crate::peer::PeerState;
use crate::samples::{
    End, Frame as Sent, ME, Meeting, NOW, Node, PEER, Written, exchange, hello, identity_with, key,
    pair, partner_of, rcp, texts, words,
};

/// Two partners with a circle of each that the other reads, and a text in it; all is exchanged.
fn partners() -> (Node, Node, LogId, LogId) {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let ours = me.open("ours", true, true, &[&peer]);
    let theirs = peer.open("theirs", false, false, &[&me]);
    me.publish(1, "ours", &[ours]);
    peer.publish(2, "theirs", &[theirs]);
    exchange(&mut me, &mut peer);
    (me, peer, ours, theirs)
}

fn start(node: Node) -> (End, Vec<Sent>) {
    let mut end = End::new(node, rcp(PEER));
    let frames = end.feed(Input::Start);
    (end, frames)
}

fn first_hello(frames: &[Sent]) -> v1::SessionHello {
    match frames.first().and_then(Sent::said) {
        Some(Frame::Hello(hello)) => hello.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_is_begun_with_whom_we_may_exchange() {
    let mut me = partner_of(&[PEER]);
    for (state, fits) in [
        (PeerState::Pending, true),
        (PeerState::Active, true),
        (PeerState::Paused, true),
        (PeerState::Left, true),
        (PeerState::Invited, false),
    ] {
        me.treat(PEER, state);
        let (end, frames) = start(me.clone());
        let expect = if fits { "hello" } else { "ended" };
        assert_eq!(words(&frames), [expect], "{state:?}");
        let closed = (!fits).then_some(Closing::NotAllowed);
        assert_eq!(end.closed, closed);
    }
    me.treat(PEER, PeerState::Active);
    me.model.another_copy = true;
    let (end, frames) = start(me);
    assert_eq!(words(&frames), ["ended"]);
    assert_eq!(end.closed, Some(Closing::SigningStopped));
}

#[test]
fn a_hello_says_who_we_are_what_we_saw_and_how_we_serve() {
    let mut me = partner_of(&[PEER]);
    let number = StartNumber::new([4; 16]);
    me.wish(Wish::Start { number });
    let said = first_hello(&start(me.clone()).1);
    assert_eq!(said.versions, [u32::from(PROTOCOL_VERSION)]);
    assert_eq!(said.start_number, number.as_bytes());
    let signature = wire::signature("start", &said.start_signature).expect("one");
    let charter = me.model.charter(&me.rcp).expect("a charter");
    assert_eq!(verify_start(charter, &number, &signature), Ok(()));
    assert_eq!(said.last_start_number, [0; 16]);
    assert_eq!(said.last_start_signature, [0; 0]);
    let state = said.state.expect("a state");
    assert_eq!(
        (state.serving(), state.erase_after_ms),
        (v1::Serving::Active, 0)
    );
    assert!(state.compared);
    let signature = [5; 64];
    let seen = crate::fact::SignedStart { number, signature };
    me.apply(&[Fact::PeerStart {
        rcp: rcp(PEER),
        start: seen,
    }]);
    let said = first_hello(&start(me.clone()).1);
    assert_eq!(said.last_start_number, number.as_bytes());
    assert_eq!(said.last_start_signature, signature);
    let (at, count) = (NOW, 51);
    me.apply(&[Fact::Withdrawals {
        rcp: rcp(PEER),
        at,
        count,
    }]);
    let state = first_hello(&start(me.clone()).1).state.expect("a state");
    let until = me.model.delayed_until(&rcp(PEER)).expect("a delay");
    assert_eq!(state.erase_after_ms, until.0);
    me.model.signing_stopped = Some("RESTORED_FROM_A_BACKUP".to_owned());
    assert!(!first_hello(&start(me).1).state.expect("a state").compared);
}

#[test]
fn how_each_state_serves_is_said() {
    let mut me = partner_of(&[PEER]);
    for (state, serving) in [
        (PeerState::Pending, v1::Serving::Pending),
        (PeerState::Active, v1::Serving::Active),
        (PeerState::Paused, v1::Serving::Paused),
        (PeerState::Left, v1::Serving::Left),
    ] {
        me.treat(PEER, state);
        let said = first_hello(&start(me.clone()).1).state.expect("a state");
        assert_eq!(said.serving(), serving);
    }
}

#[test]
fn two_that_know_the_same_say_hello_and_no_more() {
    let (me, peer, ours, theirs) = partners();
    let mut meeting = Meeting::of(me, peer);
    meeting.assert_fine();
    assert_eq!(meeting.words(0), ["hello"]);
    assert_eq!(meeting.words(1), ["hello"]);
    assert!(meeting.ends.iter().all(End::is_quiet));
    meeting.forget();
    meeting.change(0, |me| {
        me.publish(3, "news", &[ours]);
    });
    assert_eq!(meeting.words(1), ["want", "held"], "and are led on at once");
    assert_eq!(meeting.words(0)[..2], ["checkpoint", "package"]);
    assert_eq!(texts(meeting.node(1), &ours), ["news", "ours"]);
    meeting.change(1, |peer| {
        peer.publish(4, "theirs too", &[theirs]);
    });
    assert_eq!(texts(meeting.node(0), &theirs), ["theirs", "theirs too"]);
    meeting.assert_fine();
}

#[test]
fn two_that_differ_say_who_they_are_and_what_they_hold() {
    let (mut me, peer, ours, _) = partners();
    me.publish(3, "news", &[ours]);
    let meeting = Meeting::of(me, peer);
    meeting.assert_fine();
    assert_eq!(
        meeting.words(1)[..4],
        ["hello", "identity", "have", "state"]
    );
    let held = meeting.said(1, |said| match said {
        Frame::Have(have) => Some((have.logs.len(), have.last)),
        _ => None,
    });
    assert_eq!(held.len(), 1);
    assert!(held[0].1 && held[0].0 >= 1);
    assert_eq!(texts(meeting.node(1), &ours), ["news", "ours"]);
}

#[test]
fn a_long_list_of_what_is_held_goes_in_parts_of_which_the_last_says_so() {
    for (count, expect) in [
        (0, vec![(0, true)]),
        (64, vec![(64, true)]),
        (65, vec![(64, false), (1, true)]),
    ] {
        let mut me = partner_of(&[PEER]);
        for seed in 0..count {
            let mut log = Written::new(PEER, seed + 1);
            log.leave(1);
            me.take(&log.arrival(PEER, log.package(0)));
        }
        // One without a head is not among them.
        let (owner, seed) = (rcp(PEER), LogSeed::new([99; 16]));
        let (sort, name) = (Sort::Closed, String::new());
        me.apply(&[Fact::Circle {
            owner,
            seed,
            sort,
            name,
        }]);
        let (_, frames) = End::greeted(me, PEER);
        let parts = frames.iter().filter_map(|frame| match frame.said()? {
            Frame::Have(have) => Some((have.logs.len(), have.last)),
            _ => None,
        });
        assert_eq!(parts.collect::<Vec<_>>(), expect);
    }
}

fn greet(node: Node, change: impl FnOnce(&mut v1::SessionHello)) -> End {
    let (mut end, _) = start(node);
    let mut said = hello(PEER);
    change(&mut said);
    end.session(Frame::Hello(said));
    end
}

#[test]
fn a_hello_that_does_not_fit_ends_the_session() {
    let me = partner_of(&[PEER]);
    let good = greet(me.clone(), |_| ());
    assert_eq!((good.closed, good.refused.len()), (None, 0));
    let other = greet(me.clone(), |hello| hello.versions = vec![7]);
    assert_eq!(other.closed, Some(Closing::NoCommonVersion));
    let newer = greet(me.clone(), |hello| hello.versions = vec![1, 7]);
    assert_eq!(newer.closed, None);
    let stateless = greet(me.clone(), |hello| hello.state = None);
    assert_eq!(stateless.closed, Some(Closing::NoHello));
    let unspecified = greet(me.clone(), |hello| {
        let state = hello.state.as_mut().expect("a state");
        state.serving = v1::Serving::Unspecified.into();
    });
    assert_eq!(unspecified.closed, Some(Closing::NoHello));
    let short = greet(me.clone(), |hello| hello.start_number.truncate(15));
    assert_eq!(short.closed, Some(Closing::NoHello));
    let mut twice = greet(me, |_| ());
    twice.session(Frame::Hello(hello(PEER)));
    assert_eq!(twice.closed, None);
    assert_eq!(
        twice.refused,
        [Refusal::new("session frame", Reason::OutOfOrder)]
    );
}

/// A hello that gives back this start number of ours, signed by this key.
fn gives_back(number: u8, signer: u8) -> impl FnOnce(&mut v1::SessionHello) {
    move |hello| {
        let number = StartNumber::new([number; 16]);
        let signature = sign_start(&key(signer), &rcp(ME), &number);
        hello.last_start_number = number.as_bytes().to_vec();
        hello.last_start_signature = signature.to_vec();
    }
}

#[test]
fn a_start_of_ours_that_this_folder_does_not_know_stops_our_signing() {
    let mut me = partner_of(&[PEER]);
    let number = StartNumber::new([4; 16]);
    me.wish(Wish::Start { number });
    let known = greet(me.clone(), gives_back(4, ME));
    assert_eq!((known.closed, known.refused.len()), (None, 0));
    let forged = greet(me.clone(), gives_back(5, PEER));
    assert_eq!(forged.closed, None, "a peer's word stops nobody");
    assert_eq!(
        forged.refused,
        [Refusal::new("start number", Reason::BadSignature)]
    );
    assert_eq!(forged.node.model.signing_stopped, None);
    let other = greet(me, gives_back(5, ME));
    assert_eq!(other.closed, Some(Closing::SigningStopped));
    assert_eq!(
        other.node.model.signing_stopped.as_deref(),
        Some(ANOTHER_COPY_RAN)
    );
}

#[test]
fn what_a_copy_that_is_gone_said_is_accepted_once() {
    let mut me = partner_of(&[PEER]);
    me.apply(&[Fact::OtherCopyGone { at: NOW }]);
    let accepted = greet(me.clone(), gives_back(5, ME));
    assert_eq!((accepted.closed, accepted.refused.len()), (None, 0));
    assert!(
        accepted
            .node
            .model
            .starts
            .contains(&StartNumber::new([5; 16]))
    );
    assert!(accepted.node.model.awaited.is_empty());
    let forged = greet(me, gives_back(5, PEER));
    assert_eq!(forged.refused.len(), 1);
    assert_eq!(forged.node.model.awaited.len(), 1);
    let again = greet(accepted.node, gives_back(6, ME));
    assert_eq!(again.closed, Some(Closing::SigningStopped));
}

#[test]
fn a_start_of_the_peer_is_noted_if_it_signed_it() {
    let me = partner_of(&[PEER]);
    let seen = |end: &End| end.node.model.peers[&rcp(PEER)].start.number;
    let good = greet(me.clone(), |_| ());
    assert_eq!(seen(&good), StartNumber::new([PEER; 16]));
    let forged = greet(me, |hello| {
        let number = StartNumber::new([PEER; 16]);
        hello.start_signature = sign_start(&key(9), &rcp(PEER), &number).to_vec();
    });
    assert_eq!(seen(&forged), StartNumber::ZERO);
    assert_eq!((forged.closed, forged.refused.len()), (None, 0));
}

#[test]
fn a_peer_says_how_it_serves_us_and_how_long_it_delays_what_we_withdraw() {
    let me = partner_of(&[PEER]);
    let (mut end, _) = End::greeted(me, PEER);
    assert_eq!(
        end.link.served_as(),
        None,
        "not in a hello that shares nothing"
    );
    let say = |end: &mut End, serving: v1::Serving, erase_after_ms| {
        end.session(Frame::State(v1::StateFrame {
            serving: serving.into(),
            erase_after_ms,
            compared: false,
        }));
        (end.link.served_as(), end.link.delays_ours())
    };
    let found = say(&mut end, v1::Serving::Paused, 5);
    assert_eq!(found, (Some(v1::Serving::Paused), Some(UnixMillis(5))));
    let found = say(&mut end, v1::Serving::Active, 0);
    assert_eq!(found, (Some(v1::Serving::Active), None));
    assert!(!end.link.compared);
    let (serving, compared) = (v1::Serving::Active.into(), true);
    let state = v1::StateFrame {
        serving,
        compared,
        erase_after_ms: 0,
    };
    end.session(Frame::State(state));
    say(&mut end, v1::Serving::Active, 0);
    assert!(end.link.compared, "it stays so");
}

#[test]
fn a_state_is_said_when_it_changes_and_when_a_delay_begins_or_ends() {
    let (me, peer, ..) = partners();
    let mut meeting = Meeting::of(me, peer);
    let rcp = meeting.node(1).rcp;
    meeting.forget();
    let (at, count) = (NOW, 51);
    meeting.change(0, |me| {
        drop(me.apply(&[Fact::Withdrawals { rcp, at, count }]))
    });
    let until = meeting.node(0).model.delayed_until(&rcp).expect("a delay");
    assert_eq!(meeting.words(0), ["state"]);
    assert_eq!(meeting.ends[1].link.delays_ours(), Some(until));
    meeting.change(0, |me| drop(me.apply(&[Fact::EraseNow { rcp }])));
    assert_eq!(meeting.ends[1].link.delays_ours(), None);
    assert_eq!(meeting.words(0), ["state"; 2]);
}

#[test]
fn a_newer_card_or_key_is_shown_at_once() {
    let (me, peer, ..) = partners();
    let mut meeting = Meeting::of(me, peer);
    meeting.forget();
    let charter = meeting
        .node(0)
        .model
        .charter(&rcp(ME))
        .expect("one")
        .clone();
    let card = identity_with(&charter, ME, 2).card.signed().clone();
    meeting.change(0, |me| drop(me.wish(Wish::RenewCard { card })));
    assert_eq!(meeting.words(0), ["identity"]);
    let known = &meeting.node(1).model.known[&rcp(ME)];
    assert_eq!(known.card.as_ref().expect("a card").card().serial, 2);
    meeting.forget();
    meeting.pass(1_000);
    assert_eq!(meeting.words(0), [""; 0], "once");
}

#[test]
fn a_right_that_was_lost_between_the_hellos_is_told() {
    let (me, peer, ours, _) = partners();
    let mut meeting = Meeting::new(me, peer);
    meeting.feed(0, Input::Start);
    meeting.feed(1, Input::Start);
    let wish = Wish::SetReaders {
        log: ours,
        readers: Default::default(),
    };
    meeting.ends[0].node.wish(wish);
    meeting.ends[0].node.publish(3, "hidden", &[ours]);
    meeting.run();
    assert!(meeting.words(0).contains(&"gone"));
    assert!(meeting.ends[0].link.has_stopped_serving());
    assert!(!meeting.node(1).store.contains(b"hidden"));
    let left = meeting.ends[1].link.following.get(&ours);
    assert!(left.is_some_and(|following| !following.pulled));
}

#[test]
fn one_that_left_us_is_not_led_along_and_gets_withdrawals() {
    let (mut me, mut peer, ours, _) = partners();
    peer.wish(Wish::Leave { rcp: me.rcp });
    exchange(&mut me, &mut peer);
    me.publish(3, "news", &[ours]);
    let meeting = Meeting::of(me, peer);
    assert_eq!(texts(meeting.node(1), &ours), ["ours"]);
    assert_eq!(meeting.ends[0].refused, []);
    assert_eq!(meeting.ends[0].link.served_as(), Some(v1::Serving::Left));
}

#[test]
fn lines_beyond_a_head_are_asked_for_anew() {
    let (mut me, mut peer, ours, _) = partners();
    let mut longer = me.clone();
    for byte in 10..14 {
        longer.publish(byte, "news", &[ours]);
    }
    // Half of what leads to the newest head came before the connection ended.
    let head = longer
        .log(&ours)
        .head
        .as_ref()
        .expect("a head")
        .note
        .clone();
    let size = peer.log(&ours).size();
    let log = longer.log(&ours);
    let target = crate::serve::Target {
        size: log.size(),
        note: head,
    };
    let mut part = crate::serve::package(&longer.model, &longer.store, log, size, &target, false)
        .expect("a package");
    part.lines.truncate(2);
    let proof = log.tree.consistency(size + 2, log.size()).expect("a proof");
    part.proof = wire::proof_message(&proof);
    let (owner, seed) = (longer.rcp, log.seed);
    peer.take(&Arrival::Package {
        peer: owner,
        owner,
        seed,
        package: Box::new(part),
    });
    assert_eq!(peer.log(&ours).size(), size + 2);
    me = longer;
    // Both heads held are the same: only the lines show that something is missing.
    let meeting = Meeting::of(me, peer);
    meeting.assert_fine();
    assert_eq!(texts(meeting.node(1), &ours).len(), 5);
}

#[test]
fn a_text_of_ours_that_is_lost_comes_back_from_a_reader() {
    let (mut me, peer, ours, _) = partners();
    let (rcp, record) = (me.rcp, crate::samples::record(1));
    let key = crate::row::RecordKey { rcp, record };
    let row = me.store.rows.get_mut(&key).expect("a row");
    row.versions.clear();
    let row = row.clone();
    me.model.note_missing(key, &row);
    assert_eq!(texts(&me, &ours), [""; 0]);
    assert!(
        !first_hello(&start(me.clone()).1)
            .state
            .expect("one")
            .compared
    );
    let meeting = Meeting::of(me, peer);
    meeting.assert_fine();
    assert_eq!(texts(meeting.node(0), &ours), ["ours"]);
    assert!(meeting.ends[1].link.compared, "then all is said");
    let said = meeting.said(0, |said| match said {
        Frame::State(state) => Some(state.compared),
        _ => None,
    });
    assert_eq!(said.last(), Some(&true));
}

/// Whether all was said to be told, each time that a state was said.
fn all_told(frames: &[Sent]) -> Vec<bool> {
    let told = frames.iter().filter_map(|frame| match frame.said()? {
        Frame::State(state) => Some(state.compared),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_peer_is_told_all_once_it_said_what_it_holds_and_only_by_one_that_signs() {
    let mut me = partner_of(&[PEER]);
    let (_, frames) = End::greeted(me.clone(), PEER);
    assert_eq!(all_told(&frames), [false, true]);
    me.model.signing_stopped = Some("RESTORED_FROM_A_BACKUP".to_owned());
    let (_, frames) = End::greeted(me, PEER);
    assert_eq!(all_told(&frames), [false]);
}

#[test]
fn lines_that_come_back_are_not_passed_to_those_that_had_the_same() {
    let (mut me, peer, ours, _) = partners();
    let mut longer = me.clone();
    longer.publish(3, "news", &[ours]);
    me.model.signing_stopped = Some("RESTORED_FROM_A_BACKUP".to_owned());
    let from = me.log(&ours).size();
    let lines = longer.store.lines[&ours][usize::try_from(from).expect("few")..].to_vec();
    let note = longer
        .log(&ours)
        .head
        .as_ref()
        .expect("a head")
        .note
        .clone();
    let mut meeting = Meeting::of(me, peer);
    assert_eq!(meeting.words(0), ["hello"]);
    let log = ours;
    let facts = [Fact::Lines { log, from, lines }, Fact::Head { log, note }];
    meeting.change(0, |me| drop(me.apply(&facts)));
    assert!(!meeting.words(0).contains(&"package"));
}

#[test]
fn one_that_left_us_is_led_no_further_though_it_knows_the_same() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let ours = me.open("ours", true, true, &[&peer]);
    exchange(&mut me, &mut peer);
    peer.wish(Wish::Leave { rcp: me.rcp });
    exchange(&mut me, &mut peer);
    let mut meeting = Meeting::of(me, peer);
    assert_eq!(meeting.words(0), ["hello"]);
    meeting.change(0, |me| {
        me.publish(3, "news", &[ours]);
    });
    assert!(!meeting.words(0).contains(&"package"));
}
