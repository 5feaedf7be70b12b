//! What should be erased, and what should not have been.

use corridor_proto::line::{ReaderList, note_hash, readers_hash};

use super::*;

fn draft(text: &[u8]) -> Fact {
    Fact::Draft {
        record: RecordId::new([8; 16]),
        kind: 1,
        at: NOW,
        blob: blob(&Salt::new([8; 32]), text),
    }
}

fn note(rcp: RcpId) -> Fact {
    let salt = Salt::new([5; 32]);
    Fact::Note {
        rcp,
        hash: note_hash(&salt, b"a note"),
        blob: blob(&salt, b"a note"),
    }
}

fn list(log: LogId, salt: u8) -> Fact {
    let (salt, list) = (Salt::new([salt; 32]), ReaderList::default());
    let list = list.encode().expect("list");
    Fact::List {
        log,
        hash: readers_hash(&salt, &list),
        blob: blob(&salt, &list),
    }
}

/// Groups of facts after which contents are to be erased, and how many.
fn erasures(me: &Rcp, peer: &Rcp) -> Vec<(&'static str, Vec<Vec<Fact>>, u64)> {
    let record = RecordId::new([8; 16]);
    let (text, line) = peer.record(4, b"a text");
    let (theirs, rcp) = (peer.public(), peer.id());
    let came = vec![peer.lines(0, &[line]), text, note(rcp)];
    vec![
        ("draft", vec![vec![draft(b"one")], vec![draft(b"two")]], 1),
        (
            "draft",
            vec![vec![draft(b"one")], vec![Fact::DraftGone { record }]],
            1,
        ),
        ("note", vec![vec![note(me.id())], vec![note(me.id())]], 1),
        (
            "reader list",
            vec![peer.partner(), vec![list(theirs, 1)], vec![list(theirs, 2)]],
            1,
        ),
        (
            "",
            vec![peer.partner(), came, vec![Fact::Forget { rcp }]],
            3,
        ),
        (
            "",
            vec![
                peer.partner(),
                vec![list(theirs, 1)],
                vec![Fact::Forget { rcp }],
            ],
            2,
        ),
    ]
}

fn found(report: &Report) -> u64 {
    u64::try_from(report.findings.len()).expect("few")
}

#[test]
fn whatever_should_be_erased_and_is_not_is_named() {
    let peer = Rcp::new(10);
    for (which, groups, count) in erasures(&Rcp::new(1), &peer) {
        let stopped = Stopped::new();
        for group in groups {
            stopped.append(&group);
        }
        let report = stopped.verify();
        assert_eq!(found(&report), count, "{which}: {report:#?}");
        for finding in &report.findings {
            assert!(finding.place.contains(which), "{finding:?}");
            let remedy = "it should be erased and is not; start the node, which does it";
            assert_eq!(finding.what, remedy);
        }
    }
}

#[test]
fn the_next_start_does_what_a_crash_left_undone() {
    let peer = Rcp::new(10);
    for (which, groups, count) in erasures(&Rcp::new(1), &peer) {
        let stopped = Stopped::new();
        for group in groups {
            stopped.append(&group);
        }
        stopped.run(|_| ());
        let report = stopped.is_sound();
        assert_eq!(report.erasures, count, "{which}: {report:#?}");
    }
}

#[test]
fn what_was_erased_though_nobody_asked_is_named() {
    let stopped = Stopped::new();
    let places = stopped.append(&[draft(b"one")]);
    stopped.is_sound();
    stopped.journal(|journal| journal.erase(&places).expect("erase"));
    stopped.has_one_finding(&["draft", "was erased and should not have been", "restore"]);
}

#[test]
fn a_content_that_compaction_dropped_counts_as_erased_only_if_it_should_be() {
    let stopped = Stopped::new();
    let places = stopped.append(&[draft(b"one")]);
    stopped.journal(|journal| journal.erase(&places).expect("erase"));
    compact(&stopped);
    let missing = &stopped.verify().findings[0];
    assert!(missing.place.starts_with("draft"), "{missing:?}");
    assert_eq!(missing.what, "its content is missing; restore a backup");
    let record = RecordId::new([8; 16]);
    stopped.append(&[Fact::DraftGone { record }]);
    let report = stopped.verify();
    assert_eq!(report.erasures, 1, "{report:#?}");
    assert!(report.findings.iter().all(|found| found.place == "index"));
}

/// Begins a second segment, and compacts the first.
fn compact(stopped: &Stopped) {
    let folder = Folder::open(stopped.folder.path()).expect("folder");
    let options = Options {
        segment_bytes: 1,
        ..Options::new(&codec::blob_intact)
    };
    let opened = Journal::open(&folder.journal, &options, &mut |_| {});
    let (mut journal, _) = opened.expect("open");
    let token = Hash::new([1; 32]);
    let fact = Fact::Redeemed { token };
    let frame = codec::frame(&fact).expect("frame");
    journal.append(&[frame]).expect("append");
    journal.compact(0, &mut |_| true).expect("compact");
}
