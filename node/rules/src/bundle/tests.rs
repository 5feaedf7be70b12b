//! Bundles from one node to the other, whole and in part, in order and out of it.

use super::*;
use crate::desk::Wish;
use crate::ingest::{Arrival, judge};
use crate::link::{Input, Link};
use crate::peer::PeerState;
use crate::samples::{End, ME, Node, PEER, pair, rcp, texts};
use corridor_proto::v1::bundle_part::Part;
use corridor_proto::{LogId, RcpId, Reason, v1};
use v1::carry_frame::Frame as Carried;
use v1::session_frame::Frame as Said;

fn partners() -> (Node, Node) {
    let (mut one, mut other) = (Node::new(ME), Node::new(PEER));
    pair(&mut one, &mut other);
    (one, other)
}

/// What a node writes for a partner, and the writing when it is over.
fn written(node: &Node, to: RcpId, everything: bool) -> (Vec<Part>, Writing) {
    let mut writing = Writing::new(to, everything);
    let mut parts = Vec::new();
    while let Some(more) = node
        .look(|context| writing.next(context))
        .expect("nothing is lost")
    {
        parts.extend(more);
    }
    (parts, writing)
}

/// A look at what a node wrote, at its reader.
fn looked(node: &Node, from: RcpId, parts: &[Part]) -> Look {
    let charter = node.model.charter(&from).expect("known").clone();
    let mut look = Look::new(&node.model, from);
    for part in parts {
        match part {
            Part::Session(frame) => look.session(&node.model, &charter, frame),
            Part::Carry(frame) => {
                let unverified = look.carry(&node.model, &charter, frame.clone());
                if let Some(unverified) = unverified {
                    let log = unverified.log;
                    look.judged(&log, &judge(&charter, unverified));
                }
            }
            Part::Opening(_) | Part::End(_) => {}
        }
    }
    look
}

/// Takes parts in, led or not, and gives the reader back.
fn taken(node: Node, from: RcpId, parts: &[Part], is_led: bool) -> End {
    let leads = looked(&node, from, parts).leads();
    let mut end = End::new(node, from);
    end.link = Link::on_paper(from);
    end.feed(Input::Start);
    for part in parts {
        match part {
            Part::Session(frame) => drop(end.feed(Input::Session(frame.clone()))),
            Part::Carry(frame) => {
                let mut pending = false;
                if let Some(Carried::Package(package)) = &frame.frame
                    && is_led
                {
                    let id = LogId::from_slice(&package.log).expect("an identifier");
                    let log = end.node.model.logs.get(&id);
                    let led = leads.get(&id).and_then(|lead| lead.lead(log, package));
                    if let Some(led) = led {
                        end.carry(Carried::Package(led));
                        let model = &end.node.model;
                        pending = model.logs[&id].pending(model).is_some();
                    }
                }
                if !pending {
                    end.feed(Input::Carry(frame.clone()));
                }
            }
            Part::Opening(_) | Part::End(_) => {}
        }
    }
    end
}

fn carried(one: &Node, other: Node) -> Node {
    let (parts, _) = written(one, other.rcp, false);
    let end = taken(other, one.rcp, &parts, true);
    assert_eq!((end.refused.as_slice(), end.closed), (&[][..], None));
    end.node
}

/// Parts up to, and including, the first package.
fn first_package(parts: &[Part]) -> &[Part] {
    let is_package = |part: &Part| {
        let Part::Carry(frame) = part else {
            return false;
        };
        matches!(&frame.frame, Some(Carried::Package(_)))
    };
    let at = parts.iter().position(is_package).expect("a package");
    &parts[..=at]
}

fn names(parts: &[Part]) -> Vec<&'static str> {
    let name = |part: &Part| match part {
        Part::Session(frame) => match frame.frame {
            Some(Said::Hello(_)) => "hello",
            Some(Said::Identity(_)) => "identity",
            Some(Said::Have(_)) => "have",
            Some(Said::State(_)) => "state",
            Some(Said::Checkpoint(_)) => "checkpoint",
            Some(Said::Held(_)) => "held",
            Some(Said::Evidence(_)) => "evidence",
            _ => "other",
        },
        Part::Carry(frame) => match frame.frame {
            Some(Carried::Package(_)) => "package",
            Some(Carried::Records(_)) => "records",
            _ => "other",
        },
        Part::Opening(_) | Part::End(_) => "other",
    };
    parts.iter().map(name).collect()
}

#[test]
fn a_bundle_says_what_a_session_would_say_and_no_more() {
    let (mut one, other) = partners();
    let circle = one.open("trade", false, false, &[&other]);
    let alone = one.open("alone", false, false, &[]);
    one.publish(1, "first", &[circle]);
    one.publish(2, "both", &[circle, one.circle("public")]);
    one.publish(3, "kept", &[alone]);
    let (parts, writing) = written(&one, other.rcp, false);
    let mut names = names(&parts);
    assert_eq!(names[..3], ["hello", "identity", "have"]);
    names.sort_unstable();
    names.dedup();
    let all = [
        "checkpoint",
        "have",
        "hello",
        "identity",
        "package",
        "records",
        "state",
    ];
    assert_eq!(names, all);
    let texts: u64 = writing.logs().iter().map(|log| log.texts).sum();
    assert_eq!(texts, 2, "each once");
    assert!(writing.logs().iter().all(|log| log.log != alone));
    let look = looked(&other, one.rcp, &parts);
    assert!(look.is_news() && look.shows() && look.receipts() == 0);
    let found = &look.circles()[&circle];
    assert_eq!((found.new_lines, found.new_texts), (2, found.texts));
    assert_eq!(found.problem, None);
}

#[test]
fn what_is_confirmed_is_not_sent_again_unless_everything_is() {
    let (mut one, other) = partners();
    let circle = one.open("trade", false, false, &[&other]);
    one.publish(1, "first", &[circle]);
    let other = carried(&one, other);
    assert_eq!(texts(&other, &circle), ["first"]);
    let one = carried(&other, one);
    assert!(one.model.held.contains_key(&(circle, other.rcp)));
    let lines = |everything| {
        let (_, writing) = written(&one, other.rcp, everything);
        writing.logs().iter().map(|log| log.lines).sum::<u64>()
    };
    assert_eq!(lines(false), 0);
    assert!(lines(true) > 0);
    let (parts, _) = written(&one, other.rcp, true);
    let look = looked(&other, one.rcp, &parts);
    assert!(!look.is_news());
    assert_eq!(look.circles()[&circle].new_texts, 0);
}

#[test]
fn a_withdrawal_erases_by_file_and_an_older_file_brings_nothing_back() {
    let (mut one, other) = partners();
    let circle = one.open("trade", false, false, &[&other]);
    one.publish(1, "first", &[circle]);
    let (older, _) = written(&one, other.rcp, false);
    one.withdraw(1, None);
    let other = carried(&one, other);
    let end = taken(other, one.rcp, &older, true);
    assert_eq!((end.refused.as_slice(), end.closed), (&[][..], None));
    assert!(texts(&end.node, &circle).is_empty());
    assert!(!end.node.store.contains(b"first"));
}

#[test]
fn a_file_is_no_news_of_the_present() {
    let (mut one, other) = partners();
    one.publish(1, "first", &[one.circle("public")]);
    let (parts, _) = written(&one, other.rcp, false);
    let mut end = taken(other, one.rcp, &parts, true);
    end.node.now = end.node.now.plus(crate::limits::NEWS_INTERVAL_MS);
    end.feed(Input::Changed);
    let is_met = |arrival: &Arrival| matches!(arrival, Arrival::Met { .. });
    assert!(!end.arrived.iter().any(is_met));
    assert!(end.link.has_shown());
}

#[test]
fn whoever_was_cut_short_goes_on_with_a_newer_file() {
    let (mut one, mut other) = partners();
    let circle = one.open("trade", false, false, &[&other]);
    for number in 0..300 {
        one.publish(u8::try_from(number % 100).expect("few"), "text", &[circle]);
    }
    let (whole, _) = written(&one, other.rcp, false);
    other = taken(other, one.rcp, first_package(&whole), true).node;
    assert!(other.log(&circle).pending(&other.model).is_some());
    one.publish(200, "newest", &[circle]);
    let (newer, _) = written(&one, other.rcp, false);
    let size = other.log(&circle).size();
    let unled = taken(other, one.rcp, &newer, false);
    let reasons: Vec<Reason> = unled.refused.iter().map(|refusal| refusal.reason).collect();
    assert!(reasons.contains(&Reason::OutOfOrder), "{reasons:?}");
    assert_eq!(unled.node.log(&circle).size(), size);
    let led = taken(unled.node, one.rcp, &newer, true);
    assert_eq!((led.refused.as_slice(), led.closed), (&[][..], None));
    assert_eq!(led.node.log(&circle).size(), one.log(&circle).size());
    assert!(led.node.log(&circle).missing.is_empty());
    assert_eq!(texts(&led.node, &circle).len(), 101);
}

#[test]
fn lines_that_are_another_history_lead_nowhere() {
    let (mut one, mut other) = partners();
    let circle = one.open("trade", false, false, &[&other]);
    for number in 0..300 {
        one.publish(u8::try_from(number % 100).expect("few"), "text", &[circle]);
    }
    let (whole, _) = written(&one, other.rcp, false);
    other = taken(other, one.rcp, first_package(&whole), true).node;
    let mut lead = Lead::of(&other.model, &one.rcp, &circle).expect("pending");
    let log = other.log(&circle);
    let line = |index: u64| v1::Package {
        log: circle.as_bytes().to_vec(),
        from: index,
        lines: vec![vec![9]],
        ..v1::Package::default()
    };
    for index in log.size()..300 {
        assert_eq!(lead.lead(Some(log), &line(log.size())), None);
        lead.note(&line(index));
    }
    assert_eq!(lead.lead(Some(log), &line(log.size())), None);
}

#[test]
fn a_file_behind_a_gap_is_refused_and_everything_mends_it() {
    let (mut one, other) = partners();
    let circle = one.open("trade", false, false, &[&other]);
    one.publish(1, "first", &[circle]);
    let stranger_to_it = other;
    let mut lost = Node::new(PEER);
    lost.model.clone_from(&stranger_to_it.model);
    let other = carried(&one, stranger_to_it);
    let mut one = carried(&other, one);
    one.publish(2, "second", &[circle]);
    let (parts, _) = written(&one, other.rcp, false);
    let look = looked(&lost, one.rcp, &parts);
    let problem = look.circles()[&circle].problem.expect("a gap");
    assert_eq!(problem.reason, Reason::OutOfOrder);
    let (parts, _) = written(&one, other.rcp, true);
    let look = looked(&lost, one.rcp, &parts);
    assert_eq!(look.circles()[&circle].problem, None);
}

#[test]
fn nothing_is_handed_over_to_whoever_loses_a_right_meanwhile() {
    let (mut one, mut other) = partners();
    let circle = one.open("trade", false, false, &[&other]);
    one.publish(1, "first", &[circle]);
    let mut writing = Writing::new(other.rcp, false);
    for _ in 0..5 {
        let parts = one.look(|context| writing.next(context));
        assert!(parts.is_ok_and(|parts| parts.is_some()));
    }
    let log = circle;
    one.wish(Wish::SetReaders {
        log,
        readers: std::collections::BTreeMap::new(),
    });
    let mut outcome = Ok(Some(Vec::new()));
    while let Ok(Some(_)) = outcome {
        outcome = one.look(|context| writing.next(context));
    }
    assert!(matches!(outcome, Err(Lost)));
    let me = one.rcp;
    one.treat(PEER, PeerState::Left);
    other.treat(ME, PeerState::Left);
    let look = looked(&other, me, &[]);
    assert!(!look.is_news());
    let mut writing = Writing::new(rcp(PEER), false);
    let mut parts = Vec::new();
    while let Ok(Some(more)) = one.look(|context| writing.next(context)) {
        parts.extend(more);
    }
    let found = looked(&other, me, &parts);
    let reasons = found.circles().values().map(|circle| circle.problem);
    assert!(reasons.flatten().all(|of| of.reason == Reason::NotEntitled));
}

#[test]
fn two_histories_in_two_files_prove_each_other() {
    let (mut one, other) = partners();
    let circle = one.open("trade", false, false, &[&other]);
    one.publish(1, "first", &[circle]);
    let mut twin = one.clone();
    one.publish(2, "told to one", &[circle]);
    twin.publish(3, "told to another", &[circle]);
    let other = carried(&one, other);
    let (parts, _) = written(&twin, other.rcp, true);
    let end = taken(other, one.rcp, &parts, true);
    let is_evidence = |arrival: &Arrival| matches!(arrival, Arrival::Evidence { .. });
    assert!(end.arrived.iter().any(is_evidence));
    assert!(end.node.log(&circle).is_frozen());
    assert_eq!(texts(&end.node, &circle), ["first", "told to one"]);
    let (parts, writing) = written(&end.node, one.rcp, false);
    assert_eq!(writing.evidence(), 1, "its own RCP is told");
    assert!(names(&parts).contains(&"evidence"));
}
