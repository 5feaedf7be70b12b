//! Signatures, roots, and records behind their lines.

use corridor_proto::record::{BODY_FORMAT, Header, SignedHeader, body_hash};

use super::*;

/// A signature is forged where its fact has one.
fn forged(fact: Fact) -> Fact {
    let flip = |signature: &mut [u8; 64]| signature[63] ^= 1;
    let note = |note: String| {
        let at = note.trim_end().len() - 12;
        let other = if note.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        [&note[..at], other, &note[at + 1..]].concat()
    };
    match fact {
        Fact::KeyEvent { rcp, mut event } => {
            flip(&mut event.signing_signature);
            Fact::KeyEvent { rcp, event }
        }
        Fact::Card { rcp, mut card } => {
            flip(&mut card.signature);
            Fact::Card { rcp, card }
        }
        Fact::Head { log, note: signed } => Fact::Head {
            log,
            note: note(signed),
        },
        Fact::Held { holder, note: held } => Fact::Held {
            holder,
            note: note(held),
        },
        Fact::Record { mut header, blob } => {
            flip(&mut header.signature);
            Fact::Record { header, blob }
        }
        _ => unreachable!("nothing is signed in it"),
    }
}

#[test]
fn every_signature_is_verified_and_counted() {
    let (stopped, peer) = (Stopped::new(), Rcp::new(10));
    // Key event, card, the heads of two circles; the record published and its head.
    assert_eq!(stopped.is_sound().signatures, 6);
    let (record, line) = peer.record(4, b"a text");
    let lines = [line];
    stopped.append(&peer.partner());
    stopped.append(&[peer.lines(0, &lines), peer.head(&lines)]);
    stopped.append(&[record]);
    let root = stopped.model().logs[&stopped.me.public()].tree.root_at(1);
    stopped.append(&[peer.receipt(&stopped.me, 1, root.expect("root"))]);
    stopped.append(&[peer.rotation()]);
    // Key event, card, head, record, receipt, and two in the rotation.
    assert_eq!(stopped.is_sound().signatures, 6 + 7);
}

#[test]
fn every_forged_signature_is_named() {
    let peer = Rcp::new(10);
    let (record, line) = peer.record(4, b"a text");
    let lines = [line];
    let facts = |stopped: &Stopped| {
        let root = stopped.model().logs[&stopped.me.public()].tree.root_at(1);
        vec![
            (Rcp::new(20).key_event(), "key event has a signature"),
            (peer.rotation(), "key event has a signature"),
            (peer.head(&lines), "checkpoint has a signature"),
            (
                peer.receipt(&stopped.me, 1, root.expect("root")),
                "held cosignature has a signature",
            ),
            (record.clone(), "record header has a signature"),
        ]
    };
    for which in 0..5 {
        let stopped = Stopped::new();
        stopped.append(&peer.partner());
        stopped.append(&[peer.lines(0, &lines)]);
        let (fact, words) = facts(&stopped).swap_remove(which);
        stopped.append(&[forged(fact)]);
        stopped.has_one_finding(&[words, "journal/00000000.seg at", "restore a backup"]);
    }
}

#[test]
fn a_forged_card_is_named() {
    let (stopped, peer) = (Stopped::new(), Rcp::new(10));
    stopped.append(&peer.partner());
    let (rcp, card) = (peer.id(), peer.card());
    let place = stopped.append(&[forged(Fact::Card { rcp, card })])[0];
    let findings = stopped.verify().findings;
    let named = findings
        .iter()
        .find(|found| found.what.contains("signature"));
    let named = named.expect("named");
    assert!(named.place.contains(&place.offset.to_string()), "{named:?}");
    assert!(named.what.contains("card of"), "{named:?}");
}

#[test]
fn a_key_event_and_a_head_under_another_name_are_named() {
    let (stopped, peer) = (Stopped::new(), Rcp::new(10));
    let Fact::KeyEvent { event, .. } = Rcp::new(20).key_event() else {
        unreachable!()
    };
    let rcp = RcpId::new([9; 32]);
    stopped.append(&[Fact::KeyEvent { rcp, event }]);
    stopped.has_one_finding(&["a first key event that is not that of"]);

    // A head of the same owner's other log, though both have the same lines.
    let stopped = Stopped::new();
    let (owner, seed) = (peer.id(), LogSeed::new([9; 16]));
    let log = LogId::derive(&owner, &seed);
    let circle = Fact::Circle {
        owner,
        seed,
        sort: Sort::Closed,
        name: String::new(),
    };
    stopped.append(&peer.partner());
    let lines = lines().to_vec();
    let Fact::Head { note, .. } = peer.head(&lines) else {
        unreachable!()
    };
    let from = 0;
    stopped.append(&[circle, Fact::Lines { log, from, lines }]);
    stopped.append(&[Fact::Head { log, note }]);
    stopped.has_one_finding(&["a head that is not that of log", &log.to_string()]);
}

fn lines() -> [Vec<u8>; 3] {
    [1, 2, 3].map(|n| publish(Hash::new([n; 32]), n, 1))
}

/// A node with two lines of a partner's log.
fn with_two_lines() -> (Stopped, Rcp) {
    let (stopped, peer) = (Stopped::new(), Rcp::new(10));
    stopped.append(&peer.partner());
    stopped.append(&[peer.lines(0, &lines()[..2]), peer.head(&lines()[..2])]);
    stopped.is_sound();
    (stopped, peer)
}

#[test]
fn an_older_head_that_is_not_that_of_the_lines_is_named() {
    let (stopped, peer) = with_two_lines();
    stopped.append(&[peer.signed(1, Hash::new([9; 32]))]);
    stopped.append(&[peer.lines(2, &lines()[2..]), peer.head(&lines())]);
    let log = peer.public().to_string();
    stopped.has_one_finding(&[&log, "signed for size 1 is not that of the lines"]);
}

#[test]
fn a_head_whose_lines_come_later_is_compared_when_they_do() {
    for is_right in [true, false] {
        let (stopped, peer) = with_two_lines();
        let mut signed = lines();
        if !is_right {
            signed[2] = publish(Hash::new([9; 32]), 9, 1);
        }
        stopped.append(&[peer.head(&signed)]);
        let roots = stopped.is_sound().roots;
        let note = "its head of size 3 is pending: the lines here end at 2";
        let is_said = |note: &super::super::Finding| note.what.contains("pending");
        let notes = stopped.verify().notes;
        let pending: Vec<_> = notes.iter().filter(|note| is_said(note)).collect();
        assert!(
            pending.len() == 1 && pending[0].what.contains(note),
            "{notes:?}"
        );
        stopped.append(&[peer.lines(2, &lines()[2..])]);
        if is_right {
            let report = stopped.is_sound();
            assert_eq!(report.roots, roots + 1);
            assert!(!report.notes.iter().any(is_said), "{report:?}");
        } else {
            stopped.has_one_finding(&["signed for size 3 is not that of the lines"]);
        }
    }
}

#[test]
fn a_pending_head_of_a_retired_key_binds_nobody() {
    let (stopped, peer) = with_two_lines();
    stopped.append(&[peer.signed(3, Hash::new([9; 32]))]);
    stopped.append(&[peer.rotation()]);
    stopped.is_sound();
    stopped.append(&[peer.lines(2, &lines()[2..])]);
    stopped.is_sound();
}

#[test]
fn a_head_of_ours_beyond_our_lines_is_named() {
    let stopped = Stopped::new();
    stopped.append(&[stopped.me.signed(5, Hash::new([9; 32]))]);
    stopped.has_one_finding(&[
        "we signed size 5, and the lines here end at 1",
        "restore a backup",
    ]);
}

#[test]
fn a_receipt_for_other_lines_than_ours_is_named() {
    for (size, words) in [
        (1, "signed for size 1 is not that of the lines"),
        (
            5,
            "a reader holds our lines up to 5, and those here end at 1",
        ),
    ] {
        let (stopped, peer) = (Stopped::new(), Rcp::new(10));
        stopped.append(&peer.partner());
        stopped.append(&[peer.receipt(&stopped.me, size, Hash::new([9; 32]))]);
        stopped.has_one_finding(&[words, "restore a backup"]);
    }
}

#[test]
fn lines_that_leave_a_gap_are_named() {
    let (stopped, peer) = with_two_lines();
    stopped.append(&[peer.lines(3, &lines()[2..])]);
    stopped.has_one_finding(&["lines from 3 on", "has 2 lines until then"]);
}

#[test]
fn a_record_that_no_line_names_is_named_be_it_ours_or_not() {
    let (stopped, peer) = with_two_lines();
    stopped.append(&[stopped.me.record(4, b"never published").0]);
    let ours = stopped.me.id().to_string();
    stopped.has_one_finding(&[&ours, "version 4", "no line of a log names it"]);

    let (stopped, peer) = (with_two_lines().0, peer);
    // A higher version stands, and another text of the same version.
    let (_, line) = peer.record(5, b"another text");
    stopped.append(&[peer.lines(2, &[line])]);
    stopped.append(&[peer.record(5, b"a text").0]);
    let theirs = peer.id().to_string();
    stopped.has_one_finding(&[&theirs, "version 5", "no line of a log names it"]);
}

#[test]
fn a_line_that_names_another_record_or_version_is_named() {
    for (record, version) in [(4, 5), (5, 4)] {
        let (stopped, peer) = with_two_lines();
        let (fact, _) = peer.record(4, b"a text");
        let Fact::Record { header, .. } = &fact else {
            unreachable!()
        };
        let line = publish(header.version_hash(), record, version);
        stopped.append(&[peer.lines(2, &[line])]);
        stopped.append(&[fact]);
        stopped.has_one_finding(&["version 4", "says another record or version"]);
    }
}

#[test]
fn a_line_counts_for_its_owner_alone() {
    let (stopped, peer) = (Stopped::new(), Rcp::new(10));
    let (record, line) = stopped.me.record(4, b"a text");
    stopped.append(&peer.partner());
    stopped.append(&[peer.lines(0, &[line])]);
    stopped.append(&[record]);
    stopped.has_one_finding(&["no line of a log names it"]);
}

#[test]
fn a_body_of_another_length_than_its_header_says_is_named() {
    let (stopped, peer) = with_two_lines();
    let (salt, body) = (Salt::new([4; 32]), b"a text");
    let header = Header {
        rcp: peer.id(),
        key_seq: 0,
        record: RecordId::new([4; 16]),
        version: 4,
        kind: 1,
        time: NOW,
        body_format: BODY_FORMAT,
        body_len: 5,
        body_hash: body_hash(&salt, body),
    };
    let header = SignedHeader {
        bytes: header.encode(),
        signature: [0; 64],
    };
    let blob = blob(&salt, body);
    stopped.append(&[Fact::Record { header, blob }]);
    // Nobody signs such a header, so that is found too.
    let report = stopped.verify();
    assert_eq!(report.findings.len(), 2, "{report:#?}");
    assert!(report.findings[1].place.contains("version 4"));
    assert_eq!(
        report.findings[1].what,
        "its content is damaged; restore a backup"
    );
}
