//! Into which logs a withdrawal goes, what it names, and what a link may name.

use corridor_proto::line::ReaderList;

use super::*;
use crate::desk::{ToSave, Wish};
use crate::samples::{ABOUT, ME, Node, PEER, acts, meet, pair, record};

fn wish(up_to: Option<u64>, note: Option<Vec<u8>>, replacement: Option<RecordId>) -> Wish {
    Wish::Withdraw {
        record: record(1),
        up_to,
        reason: WithdrawalReason::Error,
        note,
        replacement,
    }
}

fn withdraw(node: &mut Node, up_to: Option<u64>) -> Result<Vec<Fact>, DeskRefusal> {
    node.decide(wish(up_to, None, None))
}

/// The logs into which withdrawing the record would go.
fn into(node: &mut Node) -> BTreeSet<LogId> {
    let facts = withdraw(node, None).expect("withdrawn");
    acts(&facts).iter().map(|(log, _)| *log).collect()
}

fn private(node: &Node, peer: &Node) -> LogId {
    node.model.private_log(&peer.rcp).expect("a circle").id
}

#[test]
fn versions_are_withdrawn_that_are_there_and_were_not_before() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    assert_eq!(withdraw(&mut me, None), Err(unknown_record(record(1))));
    let one = me.publish(1, "one", &[circle]);
    let two = me.publish(1, "two", &[circle]);
    let absent = |up_to| {
        let versions = format!("{one}, {two}");
        Err(DeskRefusal::NoSuchVersion { up_to, versions })
    };
    assert_eq!(withdraw(&mut me, Some(one - 1)), absent(one - 1));
    assert_eq!(withdraw(&mut me, Some(two + 1)), absent(two + 1));
    me.withdraw(1, Some(one));
    let nothing = Err(DeskRefusal::Nothing("these versions were withdrawn before"));
    assert_eq!(withdraw(&mut me, Some(one)), nothing);
    assert_eq!(
        me.row(1).living(&circle).map(|stand| stand.version),
        Some(two)
    );
    assert!(withdraw(&mut me, Some(two)).is_ok());
    me.withdraw(1, None);
    assert_eq!(withdraw(&mut me, None), nothing);
    assert_eq!(withdraw(&mut me, Some(two)), nothing);
    assert!(!me.store.contains(b"two"), "its texts are erased");
}

#[test]
fn between_two_versions_nothing_is_left_to_withdraw() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    let one = me.publish(1, "one", &[circle]);
    me.now = me.now.plus(10);
    let two = me.publish(1, "two", &[circle]);
    me.withdraw(1, Some(one));
    let between = withdraw(&mut me, Some(one + 1));
    assert!(matches!(between, Err(DeskRefusal::NoSuchVersion { .. })));
    assert!(withdraw(&mut me, Some(two)).is_ok());
}

#[test]
fn a_withdrawal_ends_a_draft_only_if_all_of_the_record_goes() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    let one = me.publish(1, "one", &[circle]);
    let (id, kind, body) = (record(1), 1, b"draft".to_vec());
    let record = Some(id);
    me.wish(Wish::SaveDraft(ToSave {
        record,
        kind,
        body,
        ..ToSave::default()
    }));
    let gone = Fact::DraftGone { record: id };
    let some = withdraw(&mut me, Some(one)).expect("withdrawn");
    assert!(!some.contains(&gone));
    let all = withdraw(&mut me, None).expect("withdrawn");
    assert_eq!(all.last(), Some(&gone));
    me.wish(Wish::DiscardDraft {
        record: id,
        over: None,
    });
    let all = withdraw(&mut me, None).expect("withdrawn");
    assert!(!all.contains(&gone), "there is none");
}

#[test]
fn a_note_is_named_by_every_line_and_is_not_too_long() {
    let mut me = Node::new(ME);
    let circles = ["federation", "observers"].map(|name| me.circle(name));
    me.publish(1, "one", &circles);
    let facts = me
        .decide(wish(None, Some(vec![7; NOTE_BYTES_MAX]), None))
        .expect("withdrawn");
    let Fact::Note { rcp, hash, blob } = &facts[0] else {
        panic!("{facts:?}");
    };
    let (salt, note) = crate::fact::unblob(blob).expect("a note");
    assert_eq!((*rcp, *hash), (me.rcp, note_hash(&salt, note)));
    let named: Vec<Hash> = acts(&facts)
        .iter()
        .map(|(_, act)| match act {
            Act::Withdraw(withdrawal) => withdrawal.note,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(named, [*hash; 2]);
    let long = me.decide(wish(None, Some(vec![7; NOTE_BYTES_MAX + 1]), None));
    let refused = Refusal::new("note", Reason::TooLong);
    assert_eq!(long, Err(DeskRefusal::Protocol(refused)));
}

#[test]
fn a_replacement_is_named_where_its_readers_can_find_it() {
    let mut me = Node::new(ME);
    let [one, other] = ["federation", "observers"].map(|name| me.circle(name));
    me.publish(1, "one", &[one, other]);
    me.publish(2, "instead", &[one]);
    let facts = me
        .decide(wish(None, None, Some(record(2))))
        .expect("withdrawn");
    let named: BTreeMap<LogId, RecordId> = acts(&facts)
        .iter()
        .map(|(log, act)| match act {
            Act::Withdraw(withdrawal) => (*log, withdrawal.replacement),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        named,
        BTreeMap::from([(one, record(2)), (other, RecordId::ZERO)])
    );
}

#[test]
fn a_withdrawal_goes_wherever_the_record_stood_and_to_each_reader_by_itself() {
    let [mut me, mut peer, mut other] = [ME, PEER, ABOUT].map(Node::new);
    pair(&mut me, &mut peer);
    pair(&mut me, &mut other);
    let list = me.open("list", false, false, &[&peer]);
    let alone = me.open("alone", true, false, &[]);
    me.publish(1, "text", &[list, alone]);
    let (to_peer, to_other) = (private(&me, &peer), private(&me, &other));
    assert_eq!(into(&mut me), BTreeSet::from([list, alone, to_peer]));
    me.wish(Wish::Narrow {
        record: record(1),
        circles: vec![alone],
    });
    assert_eq!(
        into(&mut me),
        BTreeSet::from([list, alone, to_peer]),
        "it stood there"
    );
    me.admit(list, &[&other]);
    let all = BTreeSet::from([list, alone, to_peer, to_other]);
    assert_eq!(into(&mut me), all, "who lost it held it");
    let mut me = me.clone();
    me.wish(Wish::SetReaders {
        log: list,
        readers: BTreeMap::new(),
    });
    assert_eq!(into(&mut me), all);
}

#[test]
fn who_lost_a_circle_before_the_record_stood_there_hears_nothing_of_it() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let list = me.open("list", true, false, &[&peer]);
    me.wish(Wish::SetReaders {
        log: list,
        readers: BTreeMap::new(),
    });
    me.publish(1, "text", &[list]);
    assert_eq!(into(&mut me), BTreeSet::from([list]));
    // Under the size at which it lost the circle was the line.
    me.publish(2, "more", &[list]);
    let size = me.row(1).stand(&list).expect("stands").index;
    let (log, rcp) = (list, peer.rcp);
    me.apply(&[Fact::Former { log, rcp, size }]);
    assert_eq!(into(&mut me), BTreeSet::from([list]));
    let size = size + 1;
    me.apply(&[Fact::Former { log, rcp, size }]);
    assert_eq!(into(&mut me), BTreeSet::from([list, private(&me, &peer)]));
}

#[test]
fn of_a_public_record_all_hear_by_themselves_who_read_what_is_public() {
    let [mut me, mut peer, mut other] = [ME, PEER, ABOUT].map(Node::new);
    pair(&mut me, &mut peer);
    meet(&mut me, &mut other);
    let public = me.circle("public");
    me.publish(1, "text", &[public]);
    let (to_peer, to_other) = (private(&me, &peer), private(&me, &other));
    assert_eq!(into(&mut me), BTreeSet::from([public, to_peer, to_other]));
    me.now = me.now.plus(1);
    me.wish(Wish::Pause { rcp: peer.rcp });
    let former = me.log(&public).former.contains_key(&peer.rcp);
    assert!(former, "it lost what is public");
    assert_eq!(into(&mut me), BTreeSet::from([public, to_peer, to_other]));
}

#[test]
fn a_record_in_a_private_circle_is_withdrawn_there_alone() {
    let [mut me, mut peer, mut other] = [ME, PEER, ABOUT].map(Node::new);
    pair(&mut me, &mut peer);
    pair(&mut me, &mut other);
    let to_peer = private(&me, &peer);
    me.publish(1, "text", &[to_peer]);
    assert_eq!(into(&mut me), BTreeSet::from([to_peer]));
}

#[test]
fn a_record_that_only_a_void_line_published_is_withdrawn_where_it_stood() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    let version_hash = Hash::new([8; 32]);
    let log = me.model.logs.get_mut(&circle).expect("a log");
    log.void.published.insert(version_hash, (record(1), 5));
    assert_eq!(into(&mut me), BTreeSet::from([circle]));
    let unknown = me.decide(Wish::Withdraw {
        record: record(2),
        up_to: None,
        reason: WithdrawalReason::Error,
        note: None,
        replacement: None,
    });
    assert_eq!(unknown, Err(unknown_record(record(2))));
}

#[test]
fn a_link_names_what_the_readers_of_the_circle_can_find() {
    let [mut me, mut peer] = [ME, PEER].map(Node::new);
    pair(&mut me, &mut peer);
    let [one, other] = ["federation", "observers"].map(|name| me.circle(name));
    me.publish(1, "narrow", &[one]);
    let fits = |me: &Node, circle: &LogId, link: &Link| {
        link_fits(&me.model, &me.store, me.log(circle), link)
    };
    let link = |byte| Link {
        rcp: me.rcp,
        record: record(byte),
    };
    assert!(fits(&me, &one, &link(1)) && !fits(&me, &other, &link(1)));
    assert!(!fits(&me, &one, &link(9)), "there is none");
    let mut shared = me.clone();
    let public = shared.circle("public");
    shared.publish(1, "narrow", &[one, public]);
    assert!(fits(&shared, &other, &link(1)), "it is public");
    shared.wish(Wish::Narrow {
        record: record(1),
        circles: vec![public],
    });
    assert!(!fits(&shared, &other, &link(1)), "no longer");
    let mut draft = me.draft(record(2), "links", Some(&[other]));
    draft.links = vec![link(1)];
    let circle = "observers".to_owned();
    let refused = Err(DeskRefusal::Link {
        link: link(1),
        circle,
    });
    assert_eq!(me.decide(Wish::Publish(draft)), refused);
}

#[test]
fn a_link_names_another_rcps_record_that_is_public_or_shared_with_whom_it_answers() {
    let [mut me, mut peer] = [ME, PEER].map(Node::new);
    pair(&mut me, &mut peer);
    let theirs = peer.open("theirs", false, false, &[&me]);
    let public = peer.circle("public");
    peer.publish(1, "shared", &[theirs]);
    peer.publish(2, "public", &[public]);
    crate::samples::exchange(&mut peer, &mut me);
    let circle = me.circle("federation");
    let to_peer = private(&me, &peer);
    let fits = |me: &Node, circle: &LogId, byte| {
        let link = Link {
            rcp: peer.rcp,
            record: record(byte),
        };
        link_fits(&me.model, &me.store, me.log(circle), &link)
    };
    assert!(fits(&me, &circle, 2) && fits(&me, &to_peer, 2));
    assert!(!fits(&me, &circle, 1), "its readers may not read it");
    assert!(fits(&me, &to_peer, 1), "it is its own");
    readers_of(&mut me, &circle).answers = Some((theirs, 1));
    assert!(fits(&me, &circle, 1), "the circle answers that one");
    readers_of(&mut me, &circle).answers = Some((public, 1));
    assert!(!fits(&me, &circle, 1));
    readers_of(&mut me, &circle).answers = None;
    let peers = me.model.peers.get_mut(&peer.rcp).expect("a peer");
    peers.state = PeerState::Pending;
    assert!(!fits(&me, &circle, 2), "nobody here confirmed whose it is");
}

fn readers_of<'a>(node: &'a mut Node, circle: &LogId) -> &'a mut ReaderList {
    let log = node.model.logs.get_mut(circle).expect("a log");
    &mut log.readers.as_mut().expect("a list").list
}
