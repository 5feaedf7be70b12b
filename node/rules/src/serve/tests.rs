//! What a package brings and where it ends, and which texts are given behind which lines.

use corridor_proto::Hash;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::record::SignedHeader;

use super::*;
use crate::desk::Wish;
use crate::samples::{ME, Node, record};

fn owner() -> (Node, LogId) {
    let mut me = Node::new(ME);
    let circle = me.open("trade", false, false, &[]);
    (me, circle)
}

/// Many texts in one call.
fn publish_many(me: &mut Node, circle: LogId, count: u16) {
    let draft = |number: u16| {
        let mut bytes = [7; 16];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        me.draft(corridor_proto::RecordId::new(bytes), "x", Some(&[circle]))
    };
    let drafts: Vec<_> = (0..count).map(draft).collect();
    for part in drafts.chunks(256) {
        me.wish(Wish::PublishAll(part.to_vec()));
    }
}

fn target(me: &Node, log: &LogId) -> Target {
    let head = me.log(log).head.as_ref().expect("a head");
    let (size, note) = (head.checkpoint.size, head.note.clone());
    Target { size, note }
}

fn packed(me: &Node, log: &LogId, from: u64, target: &Target, first: bool) -> Option<v1::Package> {
    package(&me.model, &me.store, me.log(log), from, target, first)
}

/// The lines of a package, verified behind those before them.
fn verified(me: &Node, log: &LogId, package: &v1::Package, size: u64) -> u64 {
    let tree = &me.log(log).tree;
    let head = corridor_proto::checkpoint::Checkpoint {
        log: *log,
        incarnation: 0,
        size,
        root: tree.root_at(size).expect("a root"),
    };
    let found = corridor_proto::package::Package {
        from: package.from,
        lines: package.lines.clone(),
        proof: wire::proof(&package.proof).expect("a proof"),
    };
    let frontier = tree.frontier_at(package.from).expect("a frontier");
    let found = found.verify(&frontier, &head).expect("verifies");
    found.frontier().size()
}

#[test]
fn packages_lead_from_where_one_is_to_a_head() {
    let (mut me, circle) = owner();
    publish_many(&mut me, circle, 300);
    let target = target(&me, &circle);
    let first = packed(&me, &circle, 0, &target, true).expect("a package");
    assert_eq!(first.lines.len(), PACKAGE_LINES_MAX);
    assert_eq!(first.checkpoint, target.note.as_bytes());
    let reached = verified(&me, &circle, &first, 300);
    assert_eq!(reached, 256);
    let second = packed(&me, &circle, reached, &target, false).expect("a package");
    assert_eq!(verified(&me, &circle, &second, 300), 300);
    assert_eq!(packed(&me, &circle, 300, &target, false), None);
    let short = Target {
        size: 10,
        note: String::new(),
    };
    let part = packed(&me, &circle, 4, &short, false).expect("a package");
    assert_eq!((part.lines.len(), part.checkpoint.len()), (6, 0));
    assert_eq!(verified(&me, &circle, &part, 10), 10);
    assert_eq!(packed(&me, &circle, 10, &short, false), None);
    let beyond = Target {
        size: 301,
        note: String::new(),
    };
    assert_eq!(packed(&me, &circle, 0, &beyond, false), None);
    me.store.chunk = 5;
    let few = packed(&me, &circle, 0, &target, false).expect("a package");
    assert_eq!(few.lines.len(), 5, "as many as are read at once");
    assert_eq!(verified(&me, &circle, &few, 300), 5);
    me.store.lines.clear();
    assert_eq!(
        packed(&me, &circle, 0, &target, false),
        None,
        "nothing is read"
    );
}

#[test]
fn the_first_package_of_an_open_log_proves_its_newest_list() {
    let mut me = Node::new(ME);
    let open = me.open("open", true, true, &[]);
    let closed = me.open("closed", false, false, &[]);
    let peer = Node::new(2);
    let mut other = me.clone();
    crate::samples::pair(&mut me, &mut peer.clone());
    me.admit(open, &[&peer]);
    me.publish(1, "text", &[open, closed]);
    let lists = |me: &Node, log: &LogId, first| {
        let package = packed(me, log, 0, &target(me, log), first).expect("a package");
        (package.readers, package.bodies)
    };
    let (proof, bodies) = lists(&me, &open, true);
    let proof = proof.expect("its list");
    let (hash, index) = {
        let (index, hash) = me.log(&open).readers_line.expect("a line");
        (hash, index)
    };
    assert_eq!(proof.index, index);
    let list = proof.list.expect("a list");
    let (salt, bytes) = wire::salted(&list).expect("salted");
    assert_eq!(corridor_proto::line::readers_hash(&salt, bytes), hash);
    let root = me.log(&open).tree.root_at(3).expect("a root");
    let leaf = corridor_proto::tree::leaf_hash(&proof.line);
    let path = wire::proof(&proof.proof).expect("a proof");
    let found = corridor_proto::tree::verify_inclusion(&leaf, index, 3, &root, &path);
    assert_eq!(found, Ok(()));
    assert_eq!(bodies, [list], "only the newest is kept");
    let [old, new] = [(0, 1), (1, 2)].map(|(from, size)| {
        let note = String::new();
        let package = packed(&me, &open, from, &Target { size, note }, false);
        package.expect("a package").bodies.len()
    });
    assert_eq!((old, new), (0, 1), "with the line that names it");
    assert_eq!(lists(&me, &open, false).0, None);
    assert_eq!(lists(&me, &closed, true).0, None);
    let log = me.model.logs.get_mut(&open).expect("a log");
    log.readers_line = Some((0, Hash::ZERO));
    assert_eq!(lists(&me, &open, true).0, None, "the newest is not here");
    // A public log has none.
    let public = other.circle("public");
    other.publish(1, "text", &[public]);
    assert_eq!(lists(&other, &public, true).0, None);
}

#[test]
fn the_notes_of_withdrawals_go_with_their_lines_as_long_as_they_are_kept() {
    let (mut me, circle) = owner();
    me.publish(1, "text", &[circle]);
    me.wish(Wish::Withdraw {
        record: record(1),
        up_to: None,
        reason: WithdrawalReason::Error,
        note: Some(b"a note".to_vec()),
        replacement: None,
    });
    let bodies = |me: &Node, from| {
        let package = packed(me, &circle, from, &target(me, &circle), true);
        package.expect("a package").bodies
    };
    let [body] = &bodies(&me, 0)[..] else {
        panic!("one note");
    };
    assert_eq!(body.body, b"a note");
    assert_eq!(bodies(&me, 1).len(), 1);
    let place = *me.model.notes.values().next().expect("a note");
    me.store.erase(place);
    assert_eq!(bodies(&me, 0), []);
}

#[test]
fn a_package_ends_before_it_grows_too_large() {
    let (mut me, circle) = owner();
    let note = |me: &mut Node, byte: u8, len: usize| {
        me.publish(byte, "text", &[circle]);
        me.wish(Wish::Withdraw {
            record: record(byte),
            up_to: None,
            reason: WithdrawalReason::Error,
            note: Some(vec![byte; len]),
            replacement: None,
        });
    };
    for byte in 0..70 {
        note(&mut me, byte, 16_000);
    }
    let target = target(&me, &circle);
    let package = packed(&me, &circle, 0, &target, true).expect("a package");
    let lines: usize = package.lines.iter().map(Vec::len).sum();
    let bodies: usize = package.bodies.iter().map(|body| body.body.len() + 64).sum();
    // Head, proofs and a list find room beside them.
    let bytes = 128 * 1024 + lines + bodies;
    assert!(bytes <= PACKAGE_BYTES_MAX, "{bytes}");
    let next = me.store.lines[&circle][package.lines.len()].len() + 16_000 + 64;
    assert!(bytes + next > PACKAGE_BYTES_MAX, "{bytes}: no more fits");
    assert_eq!(
        verified(&me, &circle, &package, target.size),
        u64::try_from(package.lines.len()).expect("few")
    );
}

#[test]
fn a_package_is_filled_to_the_last_byte_and_holds_one_line_at_least() {
    let (mut me, circle) = owner();
    for byte in 0..2 {
        me.publish(byte, "text", &[circle]);
        me.wish(Wish::Withdraw {
            record: record(byte),
            up_to: None,
            reason: WithdrawalReason::Error,
            note: Some(vec![byte; 10]),
            replacement: None,
        });
    }
    let target = target(&me, &circle);
    // A withdrawal with a note of this size, a publish line, and another withdrawal.
    let lines = |me: &mut Node, len: usize| {
        let places = me.model.notes.values().copied();
        for place in places.collect::<Vec<_>>() {
            me.store.blobs.insert(place, (None, vec![1; 32 + len]));
        }
        let package = packed(me, &circle, 1, &target, false).expect("a package");
        package.lines.len()
    };
    let two: usize = me.store.lines[&circle][1..3].iter().map(Vec::len).sum();
    let most = PACKAGE_BYTES_MAX - 128 * 1024 - two - 64;
    assert_eq!(lines(&mut me, most), 2);
    assert_eq!(lines(&mut me, most + 1), 1);
    assert_eq!(lines(&mut me, 2 * PACKAGE_BYTES_MAX), 1);
}

fn indexes(found: &(v1::Records, v1::Gone, usize)) -> (Vec<u64>, Vec<u64>, usize) {
    let (records, gone, answered) = found;
    let ranges = gone.ranges.iter();
    assert!(ranges.clone().all(|range| range.to == range.from + 1));
    (
        records.records.iter().map(|item| item.index).collect(),
        ranges.map(|range| range.from).collect(),
        *answered,
    )
}

#[test]
fn texts_are_given_that_are_in_force_in_this_log_the_newest_first() {
    let (mut me, circle) = owner();
    let other = me.circle("public");
    me.publish(1, "replaced", &[circle]);
    me.publish(1, "newest", &[circle]);
    me.publish(2, "withdrawn", &[circle]);
    me.publish(3, "left", &[circle, other]);
    me.withdraw(2, None);
    let (record, circles) = (record(3), vec![circle]);
    me.wish(Wish::Narrow { record, circles });
    let given = records(&me.store, me.log(&circle), 0..6);
    assert_eq!(indexes(&given), (vec![1], vec![5, 4, 3, 2, 0], 6));
    assert_eq!(given.0.log, circle.as_bytes());
    assert_eq!(given.0.records[0].body, b"newest");
    let given = records(&me.store, me.log(&other), 0..1);
    assert_eq!(indexes(&given), (vec![0], vec![], 1), "there it stands");
    assert_eq!(
        indexes(&records(&me.store, me.log(&circle), 2..2)),
        (vec![], vec![], 0)
    );
    let one = |index| record_at(&me.store, me.log(&circle), index).map(|record| record.body);
    assert_eq!(one(1), Some(b"newest".to_vec()));
    assert_eq!(one(0), None);
    assert_eq!(one(6), None, "there is no such line");
}

#[test]
fn lines_that_lie_elsewhere_are_read_one_by_one() {
    let (mut me, circle) = owner();
    for byte in 0..5 {
        me.publish(byte, "text", &[circle]);
    }
    let given = records(&me.store, me.log(&circle), 1..5);
    assert_eq!(indexes(&given), (vec![4, 3, 2, 1], vec![], 4));
    me.store.chunk = 2;
    let given = records(&me.store, me.log(&circle), 0..5);
    assert_eq!(indexes(&given), (vec![4, 3, 2, 1, 0], vec![], 5));
}

#[test]
fn a_frame_of_records_ends_when_it_is_full() {
    let (mut me, circle) = owner();
    let part = RECORDS_FRAME_BYTES / 4 - 256;
    for byte in 0..6 {
        me.publish(byte, &"x".repeat(part), &[circle]);
    }
    let given = records(&me.store, me.log(&circle), 0..6);
    assert_eq!(indexes(&given), (vec![5, 4, 3, 2], vec![], 4));
    let rest = records(&me.store, me.log(&circle), 0..2);
    assert_eq!(indexes(&rest), (vec![1, 0], vec![], 2));
    me.publish(9, "x", &[circle]);
    let given = records(&me.store, me.log(&circle), 0..7);
    assert_eq!(indexes(&given).2, 5, "the smaller ones count as well");
}

#[test]
fn a_frame_tells_so_many_that_are_gone() {
    let (mut me, circle) = owner();
    publish_many(&mut me, circle, 300);
    me.store.rows.clear();
    let given = records(&me.store, me.log(&circle), 0..300);
    let (found, gone, answered) = indexes(&given);
    assert_eq!((found.len(), gone.len(), answered), (0, GONE_MAX, GONE_MAX));
    assert_eq!((gone.first(), gone.last()), (Some(&299), Some(&44)));
}

#[test]
fn a_text_that_is_not_the_one_that_its_line_names_is_not_given() {
    let (mut me, circle) = owner();
    me.publish(1, "text", &[circle]);
    let other = crate::samples::version(ME, 1, 5, "other");
    for (header, _) in me.store.blobs.values_mut() {
        if let Some(header) = header {
            let SignedHeader { bytes, signature } = other.signed().header.clone();
            (header.bytes, header.signature) = (bytes, signature);
        }
    }
    assert_eq!(record_at(&me.store, me.log(&circle), 0), None);
}

#[test]
fn one_of_two_texts_that_contradict_each_other_is_given_as_proof() {
    let (mut me, circle) = owner();
    let version = me.publish(1, "text", &[circle]);
    let (rcp, record) = (me.rcp, record(1));
    let row = me
        .store
        .rows
        .get_mut(&RecordKey { rcp, record })
        .expect("a row");
    row.contradict(version);
    assert!(record_at(&me.store, me.log(&circle), 0).is_some());
}
