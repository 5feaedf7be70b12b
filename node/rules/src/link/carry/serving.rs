//! What a peer is given that follows our logs, and how much of it at once.

use corridor_proto::line::WHOLE_RECORD;

use super::*;
use crate::link::Input;
use crate::peer::PeerState;
use crate::samples::{ABOUT, End, Frame as Sent, ME, Meeting, Node, PEER, hello, pair, rcp, words};
use v1::session_frame::Frame as Said;

/// A node with a circle that the peer reads, with so many texts.
fn owner(texts: u8) -> (Node, LogId) {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let circle = me.open("trade", false, false, &[&peer]);
    for byte in 0..texts {
        me.publish(byte, "text", &[circle]);
    }
    (me, circle)
}

fn pull(log: &LogId, from: u64, target: u64) -> Frame {
    let log = log.as_bytes().to_vec();
    Frame::Pull(v1::Pull { log, from, target })
}

fn want(log: &LogId, ranges: &[(u64, u64)]) -> Frame {
    let ranges = ranges.iter();
    let ranges = ranges.map(|(from, to)| v1::IndexRange {
        from: *from,
        to: *to,
    });
    Frame::Want(v1::Want {
        log: log.as_bytes().to_vec(),
        ranges: ranges.collect(),
    })
}

fn credit(bytes: u64) -> Frame {
    Frame::Credit(v1::Credit { bytes })
}

/// From where, how many lines, and whether a head came with them.
fn packages(frames: &[Sent]) -> Vec<(u64, usize, bool)> {
    let packages = frames.iter().filter_map(|frame| match frame.carried()? {
        Frame::Package(package) => Some(package),
        _ => None,
    });
    let said = |package: &v1::Package| {
        let has_head = !package.checkpoint.is_empty();
        (package.from, package.lines.len(), has_head)
    };
    packages.map(said).collect()
}

/// The indexes of records, and of those that are gone.
fn answers(frames: &[Sent]) -> (Vec<u64>, Vec<u64>) {
    let (mut records, mut missing) = (Vec::new(), Vec::new());
    for frame in frames {
        match frame.carried() {
            Some(Frame::Records(found)) => {
                records.extend(found.records.iter().map(|item| item.index));
            }
            Some(Frame::Gone(found)) => {
                missing.extend(found.ranges.iter().map(|range| range.from));
            }
            _ => {}
        }
    }
    (records, missing)
}

/// A frame of so many bytes; `make` makes one with so many of its own.
fn sized(bytes: usize, make: impl Fn(usize) -> Frame) -> Frame {
    let mut len = bytes - 50;
    loop {
        let frame = Some(make(len));
        let whole = v1::CarryFrame { frame };
        let found = whole.encoded_len();
        if found == bytes {
            return whole.frame.expect("a frame");
        }
        len = len + bytes - found;
    }
}

fn refused(end: &End, reason: Reason) -> bool {
    end.refused.last().map(|refusal| refusal.reason) == Some(reason)
}

#[test]
fn a_reader_is_given_lines_first_and_then_the_texts_that_it_wants() {
    let (me, circle) = owner(3);
    let (mut end, frames) = End::greeted(me, PEER);
    assert_eq!(words(&frames).last(), Some(&"state"));
    let frames = end.carry(pull(&circle, 0, 0));
    assert_eq!(packages(&frames), [(0, 3, true)]);
    let frames = end.carry(want(&circle, &[(1, 3), (0, 1)]));
    assert_eq!(answers(&frames), (vec![2, 1, 0], vec![]));
    end.node.publish(9, "more", &[circle]);
    let frames = end.feed(Input::Changed);
    assert_eq!(packages(&frames), [(3, 1, true)], "as it grows");
    assert_eq!(end.refused, []);
}

#[test]
fn a_reader_is_led_to_the_head_that_it_has_and_then_to_the_newest() {
    let (me, circle) = owner(4);
    let (mut end, _) = End::greeted(me, PEER);
    let frames = end.carry(pull(&circle, 1, 3));
    assert_eq!(packages(&frames), [(1, 2, false), (3, 1, true)]);
    let (me, circle) = owner(4);
    let (mut end, _) = End::greeted(me, PEER);
    let frames = end.carry(pull(&circle, 3, 3));
    assert_eq!(packages(&frames), [(3, 1, true)]);
    let frames = end.carry(pull(&circle, 4, 0));
    assert_eq!(packages(&frames), [], "it has all");
}

#[test]
fn what_may_not_be_read_is_as_gone_as_what_does_not_exist() {
    let (mut me, _) = owner(1);
    let hidden = me.open("hidden", true, true, &[]);
    let absent = LogId::new([7; 32]);
    let (mut end, _) = End::greeted(me, PEER);
    for log in [hidden, absent] {
        let frames = end.carry(pull(&log, 0, 0));
        let [frame] = &frames[..] else {
            panic!("{frames:?}");
        };
        let expect = v1::Gone {
            log: log.as_bytes().to_vec(),
            ranges: Vec::new(),
        };
        assert_eq!(frame.carried(), Some(&Frame::Gone(expect)));
    }
    assert!(end.refused.is_empty());
    end.carry(Frame::Pull(v1::Pull::default()));
    assert!(!end.refused.is_empty(), "no identifier");
}

#[test]
fn nobody_asks_for_lines_behind_the_last_one() {
    let (me, circle) = owner(2);
    let (mut end, _) = End::greeted(me, PEER);
    end.carry(pull(&circle, 3, 0));
    assert!(refused(&end, Reason::OutOfOrder));
    end.carry(pull(&circle, 0, 3));
    assert_eq!(end.refused.len(), 2);
    assert_eq!(packages(&end.carry(pull(&circle, 2, 2))), []);
    assert_eq!(end.refused.len(), 2, "at the last one nothing is wrong");
    // Behind a restart a reader may hold more than we: it is told of the restart.
    end.node
        .model
        .logs
        .get_mut(&circle)
        .expect("a log")
        .incarnation = 5;
    end.carry(pull(&circle, 3, 0));
    assert_eq!(end.refused.len(), 2);
}

#[test]
fn while_nothing_is_signed_nothing_of_ours_is_given() {
    let (mut me, circle) = owner(2);
    me.model.signing_stopped = Some("RESTORED_FROM_A_BACKUP".to_owned());
    let (mut end, frames) = End::greeted(me, PEER);
    assert!(!words(&frames).contains(&"checkpoint"));
    assert_eq!(words(&end.carry(pull(&circle, 0, 0))), [""; 0]);
}

#[test]
fn texts_that_were_withdrawn_replaced_or_left_are_gone() {
    let (mut me, circle) = owner(3);
    me.publish(0, "newer", &[circle]);
    me.withdraw(1, None);
    let (record, circles) = (crate::samples::record(2), vec![circle]);
    me.wish(crate::desk::Wish::Narrow { record, circles });
    let (mut end, _) = End::greeted(me, PEER);
    end.carry(pull(&circle, 0, 0));
    let frames = end.carry(want(&circle, &[(0, 6)]));
    assert_eq!(answers(&frames), (vec![3], vec![5, 4, 2, 1, 0]));
}

#[test]
fn a_want_names_lines_that_there_are() {
    let (me, circle) = owner(3);
    let (mut end, _) = End::greeted(me, PEER);
    end.carry(want(&circle, &[(0, 9)]));
    assert!(end.refused.is_empty(), "it does not follow the log: void");
    end.carry(pull(&circle, 0, 0));
    for (from, to) in [(0, 4), (1, 1), (2, 1)] {
        end.carry(want(&circle, &[(0, 1), (from, to)]));
        assert!(refused(&end, Reason::Malformed), "{from}..{to}");
        end.refused.clear();
    }
    assert_eq!(answers(&end.carry(want(&circle, &[(0, 3)]))).0, [2, 1, 0]);
    assert_eq!(end.refused, []);
}

#[test]
fn so_many_ranges_are_wanted_at_once() {
    let (me, circle) = owner(1);
    let (mut end, _) = End::greeted(me, PEER);
    end.carry(pull(&circle, 0, 0));
    end.carry(want(&circle, &vec![(0, 1); WANT_RANGES_MAX + 1]));
    assert!(refused(&end, Reason::TooLong));
    end.refused.clear();
    // Without credit nothing is answered.
    end.link.credit = 0;
    for _ in 0..WANTED_RANGES_MAX / WANT_RANGES_MAX {
        end.carry(want(&circle, &vec![(0, 1); WANT_RANGES_MAX]));
    }
    assert_eq!(end.refused, []);
    assert_eq!(end.link.wanted.len(), WANTED_RANGES_MAX);
    end.carry(want(&circle, &[(0, 1)]));
    assert!(refused(&end, Reason::TooLong));
}

#[test]
fn nothing_is_sent_without_credit() {
    let (me, circle) = owner(2);
    let (mut end, _) = End::greeted(me, PEER);
    end.link.credit = 0;
    assert_eq!(words(&end.carry(pull(&circle, 0, 0))), [""; 0]);
    let frames = end.carry(credit(1));
    assert_eq!(
        words(&frames),
        ["package"],
        "and one piece more than there is"
    );
    assert!(end.link.credit < 0);
    assert_eq!(words(&end.carry(want(&circle, &[(0, 2)]))), [""; 0]);
    let owed = u64::try_from(-end.link.credit).expect("owed");
    assert_eq!(
        words(&end.carry(credit(owed))),
        [""; 0],
        "no debt, and no credit"
    );
    assert_eq!(words(&end.carry(credit(1))), ["records"]);
    assert!(!end.more);
    for _ in 0..2 {
        end.carry(credit(u64::MAX));
    }
    assert_eq!(end.link.credit, i64::MAX, "as much as there can be");
}

#[test]
fn lines_and_records_cost_credit_and_what_is_gone_does_not() {
    let (mut me, circle) = owner(2);
    me.withdraw(0, None);
    let (mut end, _) = End::greeted(me, PEER);
    let spent = |end: &mut End, frame: Frame| {
        let before = end.link.credit;
        let frames = end.carry(frame);
        let paid = frames
            .iter()
            .filter(|frame| !matches!(frame.carried(), Some(Frame::Gone(_))));
        let bytes: usize = paid
            .map(|frame| match frame {
                Sent::Carry(frame) => frame.encoded_len(),
                Sent::Session(_) => 0,
            })
            .sum();
        assert_eq!(before - end.link.credit, i64::try_from(bytes).expect("few"));
        words(&frames)
    };
    assert_eq!(spent(&mut end, pull(&circle, 0, 0)), ["package"]);
    assert_eq!(spent(&mut end, want(&circle, &[(1, 2)])), ["records"]);
    assert_eq!(spent(&mut end, want(&circle, &[(0, 1)])), ["gone"]);
    assert_eq!(
        spent(&mut end, want(&circle, &[(0, 2)])),
        ["records", "gone"]
    );
}

#[test]
fn one_step_sends_so_much_and_says_that_there_is_more() {
    let (mut me, circle) = owner(0);
    let large = "x".repeat(200 * 1024);
    for byte in 0..8 {
        me.publish(byte, &large, &[circle]);
    }
    let (mut end, _) = End::greeted(me, PEER);
    end.carry(pull(&circle, 0, 0));
    assert!(!end.more);
    let mut frames = end.carry(want(&circle, &[(0, 8)]));
    let sent = answers(&frames).0.len();
    assert!((3..6).contains(&sent), "{sent} texts in one step");
    assert!(end.more);
    while std::mem::take(&mut end.more) {
        frames.extend(end.feed(Input::Changed));
    }
    assert_eq!(answers(&frames).0, [7, 6, 5, 4, 3, 2, 1, 0]);
}

#[test]
fn a_step_that_uses_the_credit_up_says_nothing_of_more() {
    let (mut me, circle) = owner(0);
    let large = "x".repeat(200 * 1024);
    for byte in 0..8 {
        me.publish(byte, &large, &[circle]);
    }
    let step = |credit: i64| {
        let (mut end, _) = End::greeted(me.clone(), PEER);
        end.carry(pull(&circle, 0, 0));
        end.link.credit = credit;
        end.carry(want(&circle, &[(0, 8)]));
        (credit - end.link.credit, end.more)
    };
    let (spent, more) = step(i64::from(u32::MAX));
    assert!(more);
    assert_eq!(step(spent), (spent, false));
    assert_eq!(step(spent + 1), (spent, true));
}

#[test]
fn one_step_sends_so_much_of_lines_too() {
    let (mut me, circle) = owner(90);
    for byte in 0..90 {
        me.wish(crate::desk::Wish::Withdraw {
            record: crate::samples::record(byte),
            up_to: None,
            reason: corridor_proto::line::WithdrawalReason::Error,
            note: Some(vec![byte; 16_000]),
            replacement: None,
        });
    }
    let (mut end, _) = End::greeted(me, PEER);
    let frames = end.carry(pull(&circle, 0, 0));
    assert_eq!(words(&frames), ["package"]);
    assert!(std::mem::take(&mut end.more));
    let frames = end.feed(Input::Changed);
    assert_eq!(words(&frames), ["package"]);
}

#[test]
fn one_step_looks_so_many_records_up() {
    let (mut me, circle) = owner(0);
    let drafts: Vec<_> = (0..=255_u8)
        .map(|byte| me.draft(crate::samples::record(byte), "x", Some(&[circle])))
        .collect();
    me.wish(crate::desk::Wish::PublishAll(drafts));
    for byte in 0..=255 {
        me.withdraw(byte, None);
    }
    let (mut end, _) = End::greeted(me, PEER);
    end.carry(pull(&circle, 0, 0));
    while std::mem::take(&mut end.more) {
        end.feed(Input::Changed);
    }
    let size = end.node.log(&circle).size();
    assert_eq!(size, 512);
    let frames = end.carry(want(&circle, &[(0, 512), (0, 1)]));
    assert_eq!(answers(&frames).1.len(), STEP_LOOKS);
    assert!(std::mem::take(&mut end.more));
    let frames = end.feed(Input::Changed);
    assert_eq!(answers(&frames).1, [0]);
    assert!(!end.more);
}

#[test]
fn lines_go_before_records() {
    let (mut me, circle) = owner(0);
    for _ in 0..2 {
        let drafts: Vec<_> = (0..=255_u8)
            .map(|byte| me.draft(crate::samples::record(byte), "x", Some(&[circle])))
            .collect();
        me.wish(crate::desk::Wish::PublishAll(drafts));
    }
    let other = me.circle("public");
    me.publish(1, "public", &[other]);
    let (mut end, _) = End::greeted(me, PEER);
    end.link.credit = 0;
    end.carry(pull(&circle, 0, 0));
    end.carry(pull(&other, 0, 0));
    end.carry(want(&other, &[(0, 1)]));
    let frames = end.carry(credit(CREDIT_BYTES));
    assert_eq!(words(&frames), ["package", "package", "package", "records"]);
}

#[test]
fn lines_wait_until_the_peer_said_what_it_holds() {
    let (me, circle) = owner(2);
    let mut end = End::new(me, rcp(PEER));
    end.feed(Input::Start);
    end.session(Said::Hello(hello(PEER)));
    assert_eq!(words(&end.carry(pull(&circle, 0, 0))), [""; 0]);
    let (logs, last) = (Vec::new(), true);
    let frames = end.session(Said::Have(v1::Have { logs, last }));
    assert_eq!(packages(&frames), [(0, 2, true)]);
}

#[test]
fn what_overtakes_the_hello_waits_for_it() {
    let (me, circle) = owner(2);
    let mut end = End::new(me.clone(), rcp(PEER));
    end.feed(Input::Start);
    for frame in [pull(&circle, 0, 0), want(&circle, &[(0, 1)]), credit(5)] {
        assert_eq!(words(&end.carry(frame)), [""; 0]);
    }
    assert_eq!(end.refused, []);
    end.carry(Frame::Gone(v1::Gone::default()));
    assert!(refused(&end, Reason::OutOfOrder));
    end.refused.clear();
    for _ in 3..EARLY_FRAMES_MAX {
        end.carry(credit(1));
    }
    assert_eq!(end.refused, []);
    end.carry(credit(1));
    assert!(refused(&end, Reason::OutOfOrder), "so many wait");
    end.link.credit = -257;
    let frames = end.session(Said::Hello(hello(PEER)));
    assert_eq!(answers(&frames).0, [0], "257 bytes of credit, and one more");
    let (logs, last) = (Vec::new(), true);
    let frames = end.session(Said::Have(v1::Have { logs, last }));
    assert_eq!(words(&frames)[..2], ["checkpoint", "state"]);
    assert_eq!(packages(&frames), []);
    let frames = end.carry(credit(1_000));
    assert_eq!(packages(&frames), [(0, 2, true)]);
}

#[test]
fn packages_that_overtake_the_hello_are_no_more_than_the_credit() {
    let (me, circle) = owner(0);
    let mut end = End::new(me, rcp(PEER));
    end.feed(Input::Start);
    let package = |bytes| {
        sized(bytes, |len| {
            Frame::Package(v1::Package {
                log: circle.as_bytes().to_vec(),
                checkpoint: vec![7; len],
                ..v1::Package::default()
            })
        })
    };
    let credit = usize::try_from(CREDIT_BYTES).expect("few");
    end.carry(package(credit - 1_000));
    end.carry(package(1_000));
    assert_eq!(end.refused, []);
    end.carry(package(200));
    assert!(refused(&end, Reason::OutOfOrder));
}

#[test]
fn whoever_sends_more_than_its_credit_is_cut_off_and_others_get_new_credit() {
    let chunk = |bytes| {
        sized(bytes, |len| {
            Frame::AttachmentChunk(v1::AttachmentChunk {
                chunk: vec![7; len],
                ..v1::AttachmentChunk::default()
            })
        })
    };
    let most = usize::try_from(CREDIT_BYTES).expect("few") + 2 * PACKAGE_BYTES_MAX;
    let end = || End::greeted(owner(0).0, PEER).0;
    let mut fits = end();
    let frames = fits.carry(chunk(most));
    assert_eq!(words(&frames), ["credit"]);
    assert_eq!(fits.closed, None);
    let mut over = end();
    over.carry(chunk(most + 1));
    assert_eq!(over.closed, Some(Closing::CreditExceeded));
    let mut small = end();
    let quarter = usize::try_from(CREDIT_BYTES / 4).expect("few");
    assert_eq!(words(&small.carry(chunk(quarter - 200))), [""; 0]);
    let frames = small.carry(chunk(200));
    let [frame] = &frames[..] else {
        panic!("{frames:?}");
    };
    let bytes = CREDIT_BYTES / 4;
    assert_eq!(frame.carried(), Some(&Frame::Credit(v1::Credit { bytes })));
    for _ in 0..40 {
        small.carry(chunk(quarter));
    }
    assert_eq!(small.closed, None, "what is granted may be used");
}

#[test]
fn a_reader_that_loses_a_circle_is_told_so_and_gets_no_more_of_it() {
    let (me, circle) = owner(2);
    let (mut end, _) = End::greeted(me, PEER);
    end.carry(pull(&circle, 0, 0));
    end.link.credit = 0;
    end.carry(want(&circle, &[(0, 2)]));
    let readers = std::collections::BTreeMap::new();
    let wish = crate::desk::Wish::SetReaders {
        log: circle,
        readers,
    };
    end.node.wish(wish);
    end.node.publish(9, "more", &[circle]);
    end.link.credit = 1_000_000;
    let frames = end.feed(Input::Changed);
    assert_eq!(words(&frames), ["gone"]);
    assert!(end.link.has_stopped_serving());
    assert_eq!(words(&end.feed(Input::Changed)), [""; 0]);
}

#[test]
fn a_relay_gives_what_reaches_a_signed_head_and_ends_there() {
    let (mut me, mut peer, mut other) = (Node::new(ME), Node::new(PEER), Node::new(ABOUT));
    pair(&mut me, &mut peer);
    pair(&mut me, &mut other);
    pair(&mut peer, &mut other);
    let circle = other.open("shared", true, true, &[&me, &peer]);
    other.publish(1, "text", &[circle]);
    crate::samples::exchange(&mut other, &mut me);
    let size = me.log(&circle).size();
    let (mut end, _) = End::greeted(me.clone(), PEER);
    let frames = end.carry(pull(&circle, 0, 0));
    assert_eq!(
        packages(&frames),
        [(0, usize::try_from(size).expect("few"), true)]
    );
    assert_eq!(words(&end.carry(pull(&circle, size, 0))), [""; 0]);
    for (from, target) in [(size + 1, 0), (0, size + 1)] {
        assert_eq!(words(&end.carry(pull(&circle, from, target))), ["gone"]);
    }
    assert_eq!(end.refused, []);
    other.publish(2, "more", &[circle]);
    crate::samples::exchange(&mut other, &mut me);
    end.node = me;
    let frames = end.feed(Input::Changed);
    assert_eq!(packages(&frames), [], "whoever wants more pulls again");
    let frames = end.carry(pull(&circle, size, 0));
    assert_eq!(packages(&frames), [(size, 1, true)]);
}

#[test]
fn a_paused_reader_gets_withdrawals_alone() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let circle = me.open("trade", false, false, &[&peer]);
    me.publish(1, "text", &[circle]);
    let mut meeting = Meeting::of(me, peer);
    assert_eq!(crate::samples::texts(meeting.node(1), &circle), ["text"]);
    let rcp = meeting.node(1).rcp;
    meeting.change(0, |me| {
        me.wish(crate::desk::Wish::Pause { rcp });
    });
    let (mut me, mut peer) = meeting.end();
    me.publish(2, "hidden", &[circle]);
    me.withdraw(1, None);
    crate::samples::exchange(&mut me, &mut peer);
    assert_eq!(crate::samples::texts(&peer, &circle), [""; 0]);
    let row = peer.row_of(&me.rcp, 1);
    assert_eq!(row.burnt(), WHOLE_RECORD);
    assert!(!peer.store.contains(b"text") && !peer.store.contains(b"hidden"));
    assert_eq!(peer.model.peer_state(&me.rcp), Some(PeerState::Active));
}
