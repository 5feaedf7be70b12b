//! Drafts, what publishing and withdrawing write into which circle, and what is refused.

use corridor_proto::UnixMillis;

use super::*;
use crate::desk::{ToSave, Wish};
use crate::row::{HeldVersion, RecordKey};
use crate::samples::{ME, Node, PEER, acts, pair, record};

fn nodes() -> (Node, Node) {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    (me, peer)
}

fn save(node: &mut Node, record: Option<RecordId>) -> Result<Vec<Fact>, DeskRefusal> {
    let (kind, body) = (3, b"a draft".to_vec());
    node.decide(Wish::SaveDraft(ToSave {
        record,
        kind,
        body,
        ..ToSave::default()
    }))
}

fn publish(node: &mut Node, byte: u8, circles: Option<&[LogId]>) -> Result<Vec<Fact>, DeskRefusal> {
    let draft = node.draft(record(byte), "text", circles);
    node.decide(Wish::Publish(draft))
}

/// The logs that lines of these facts go into, ascending.
fn logs(facts: &[Fact]) -> Vec<LogId> {
    let logs: BTreeSet<LogId> = acts(facts).iter().map(|(log, _)| *log).collect();
    logs.into_iter().collect()
}

fn sorted<const N: usize>(mut logs: [LogId; N]) -> Vec<LogId> {
    logs.sort();
    logs.to_vec()
}

#[test]
fn a_draft_belongs_to_a_new_record_or_to_one_that_is_here() {
    let mut me = Node::new(ME);
    let facts = save(&mut me, None).expect("a new record");
    let [
        Fact::Draft {
            record: new,
            kind: 3,
            at,
            blob,
        },
    ] = &facts[..]
    else {
        panic!("{facts:?}");
    };
    assert_eq!((*at, blob.ends_with(b"a draft")), (me.now, true));
    let other = save(&mut me, None).expect("another one");
    assert_ne!(facts, other);
    assert_eq!(save(&mut me, Some(*new)), Err(unknown_record(*new)));
    me.apply(&facts);
    assert!(save(&mut me, Some(*new)).is_ok(), "it is a draft");
    let circle = me.circle("federation");
    me.publish(1, "text", &[circle]);
    assert!(save(&mut me, Some(record(1))).is_ok(), "it was published");
    me.withdraw(1, None);
    let gone = DeskRefusal::Withdrawn(record(1));
    assert_eq!(save(&mut me, Some(record(1))), Err(gone));
}

#[test]
fn a_draft_is_discarded_once() {
    let mut me = Node::new(ME);
    let facts = save(&mut me, None).expect("a draft");
    let Fact::Draft { record, .. } = facts[0] else {
        panic!("{facts:?}");
    };
    me.apply(&facts);
    let gone = vec![Fact::DraftGone { record }];
    assert_eq!(me.wish(Wish::DiscardDraft { record, over: None }), gone);
    let again = me.decide(Wish::DiscardDraft { record, over: None });
    assert!(matches!(
        again,
        Err(DeskRefusal::Unknown { what: "draft", .. })
    ));
    assert!(
        me.store
            .blobs
            .values()
            .all(|(_, blob)| !blob.ends_with(b"a draft"))
    );
}

#[test]
fn a_text_goes_into_the_circles_named_and_a_revision_where_the_record_stands() {
    let mut me = Node::new(ME);
    let [one, other, left] = ["one", "other", "left"].map(|name| me.open(name, false, false, &[]));
    let first = publish(&mut me, 1, Some(&[one, other, left, one])).expect("published");
    assert!(matches!(first[0], Fact::Record { .. }), "before its lines");
    assert_eq!(logs(&first), sorted([one, other, left]));
    assert_eq!(acts(&first).len(), 3, "once in each");
    me.apply(&first);
    me.wish(Wish::Narrow {
        record: record(1),
        circles: vec![left],
    });
    let revision = publish(&mut me, 1, None).expect("published");
    assert_eq!(logs(&revision), sorted([one, other]));
    assert_eq!(
        publish(&mut me, 2, None),
        Err(DeskRefusal::NoCircle(record(2)))
    );
    let nowhere = publish(&mut me, 2, Some(&[]));
    assert_eq!(nowhere, Err(DeskRefusal::NoCircle(record(2))));
    let absent = publish(&mut me, 2, Some(&[LogId::new([9; 32])]));
    assert!(matches!(
        absent,
        Err(DeskRefusal::Unknown { what: "circle", .. })
    ));
    me.withdraw(1, None);
    assert_eq!(
        publish(&mut me, 1, Some(&[one])),
        Err(DeskRefusal::Withdrawn(record(1)))
    );
}

#[test]
fn versions_grow_and_are_no_lower_than_the_time() {
    let mut me = Node::new(ME);
    let circle = me.circle("public");
    assert_eq!(me.publish(1, "one", &[circle]), me.now.0);
    assert_eq!(me.publish(1, "two", &[circle]), me.now.0 + 1);
    me.now = UnixMillis(5);
    assert_eq!(me.publish(1, "three", &[circle]), crate::samples::NOW.0 + 2);
    me.withdraw(1, Some(crate::samples::NOW.0 + 2));
    let next = me.publish(1, "four", &[circle]);
    assert_eq!(next, crate::samples::NOW.0 + 3, "above what is burnt");
}

#[test]
fn what_was_read_must_still_be_there() {
    let mut me = Node::new(ME);
    let circle = me.circle("public");
    let facts = save(&mut me, None).expect("a draft");
    let Fact::Draft { record, .. } = facts[0] else {
        panic!("{facts:?}");
    };
    let unread = me.draft(record, "text", Some(&[circle]));
    me.apply(&facts);
    let changed = DeskRefusal::ChangedMeanwhile(record);
    assert_eq!(me.decide(Wish::Publish(unread)), Err(changed.clone()));
    let read = me.draft(record, "text", Some(&[circle]));
    let facts = save(&mut me, Some(record)).expect("saved again");
    me.apply(&facts);
    assert_eq!(me.decide(Wish::Publish(read)), Err(changed));
    let read = me.draft(record, "text", Some(&[circle]));
    let facts = me.wish(Wish::Publish(read));
    assert_eq!(facts.last(), Some(&Fact::DraftGone { record }));
}

#[test]
fn several_are_published_together_or_not_at_all() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    let most = u16::try_from(PUBLISH_MAX).expect("few");
    let id = |number: u16| {
        RecordId::new(
            [number.to_be_bytes(), [7; 2]]
                .concat()
                .repeat(4)
                .try_into()
                .expect("16"),
        )
    };
    let all = |me: &Node, count| {
        let drafts = (0..count).map(|number| me.draft(id(number), "text", Some(&[circle])));
        drafts.collect::<Vec<_>>()
    };
    let too_many = all(&me, most + 1);
    assert_eq!(me.decide(Wish::PublishAll(too_many)), Err(TOO_MANY_AT_ONCE));
    let before = me.log(&circle).size();
    let facts = me.wish(Wish::PublishAll(all(&me, most)));
    let heads = facts
        .iter()
        .filter(|fact| matches!(fact, Fact::Head { .. }));
    assert_eq!(heads.count(), 1, "under one head");
    let records = facts.iter().filter_map(|fact| match fact {
        Fact::Record { header, .. } => Some(header.version_hash()),
        _ => None,
    });
    let lines: Vec<Hash> = acts(&facts)
        .iter()
        .map(|(_, act)| match act {
            Act::Publish { version_hash, .. } => *version_hash,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(records.collect::<Vec<_>>(), lines, "in their order");
    assert_eq!(me.log(&circle).size(), before + u64::from(most));
    let mut twice = all(&me, 2);
    twice[1].record = twice[0].record;
    let twice = me.decide(Wish::PublishAll(twice));
    assert!(matches!(twice, Err(DeskRefusal::Nothing(_))));
    let mut one_bad = all(&me, 2);
    one_bad[1].circles = Some(Vec::new());
    let why = Box::new(DeskRefusal::NoCircle(id(1)));
    let record = id(1);
    let refused = Err(DeskRefusal::OneOf { record, why });
    assert_eq!(me.decide(Wish::PublishAll(one_bad)), refused);
}

#[test]
fn so_many_bytes_are_published_at_once() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    let part = PUBLISH_BYTES_MAX / 64;
    let mut all: Vec<ToPublish> = (0..64)
        .map(|byte| {
            let mut draft = me.draft(record(byte), "", Some(&[circle]));
            draft.body = vec![7; part];
            draft
        })
        .collect();
    assert!(me.decide(Wish::PublishAll(all.clone())).is_ok());
    all.push(me.draft(record(99), "x", Some(&[circle])));
    assert_eq!(me.decide(Wish::PublishAll(all)), Err(TOO_MANY_AT_ONCE));
    let mut large = me.draft(record(1), "", Some(&[circle]));
    large.body = vec![7; part + 1];
    let refused = me.decide(Wish::PublishAll(vec![large]));
    let long = Refusal::new("record body", Reason::TooLong);
    let (record, why) = (record(1), Box::new(DeskRefusal::Protocol(long)));
    assert_eq!(refused, Err(DeskRefusal::OneOf { record, why }));
}

#[test]
fn a_record_has_so_many_versions() {
    let mut me = Node::new(ME);
    let circle = me.circle("public");
    me.publish(1, "text", &[circle]);
    let (rcp, record) = (me.rcp, record(1));
    let row = me
        .store
        .rows
        .get_mut(&RecordKey { rcp, record })
        .expect("a row");
    let one = row.versions[0].clone();
    let many = |count| -> Vec<HeldVersion> { std::iter::repeat_n(one.clone(), count).collect() };
    row.versions = many(VERSIONS_PER_RECORD_MAX - 1);
    assert!(publish(&mut me, 1, None).is_ok());
    let row = me
        .store
        .rows
        .get_mut(&RecordKey { rcp, record })
        .expect("a row");
    row.versions = many(VERSIONS_PER_RECORD_MAX);
    assert_eq!(publish(&mut me, 1, None), Err(TOO_MANY_VERSIONS));
}

#[test]
fn a_private_circle_takes_texts_while_its_partner_is_active() {
    let (mut me, peer) = nodes();
    let private = me.model.private_log(&peer.rcp).expect("a circle").id;
    assert!(publish(&mut me, 1, Some(&[private])).is_ok());
    me.wish(Wish::Pause { rcp: peer.rcp });
    let refused = DeskRefusal::OnlyWithdrawals(peer.rcp);
    assert_eq!(publish(&mut me, 1, Some(&[private])), Err(refused));
    let circle = me.circle("federation");
    assert!(publish(&mut me, 1, Some(&[circle])).is_ok());
}

fn share(node: &mut Node, version: u64, circles: &[LogId]) -> Result<Vec<Fact>, DeskRefusal> {
    node.decide(Wish::Share {
        record: record(1),
        version,
        links: Vec::new(),
        circles: circles.to_vec(),
    })
}

#[test]
fn the_newest_text_is_shared_with_circles_that_lack_it() {
    let mut me = Node::new(ME);
    let [one, other] = ["one", "other"].map(|name| me.open(name, false, false, &[]));
    assert_eq!(share(&mut me, 1, &[one]), Err(unknown_record(record(1))));
    let old = me.publish(1, "old", &[one, other]);
    let new = me.publish(1, "new", &[one]);
    let changed = DeskRefusal::ChangedMeanwhile(record(1));
    assert_eq!(share(&mut me, old, &[other]), Err(changed));
    assert!(matches!(
        share(&mut me, new, &[one]),
        Err(DeskRefusal::Nothing(_))
    ));
    let facts = share(&mut me, new, &[one, other, other]).expect("shared");
    assert_eq!(logs(&facts), [other], "where an older one stands");
    assert_eq!(acts(&facts).len(), 1);
    me.apply(&facts);
    assert_eq!(
        me.row(1).living(&other).map(|stand| stand.version),
        Some(new)
    );
    let private = share(&mut me, new, &[LogId::new([9; 32])]);
    assert!(matches!(
        private,
        Err(DeskRefusal::Unknown { what: "circle", .. })
    ));
    me.withdraw(1, None);
    assert_eq!(
        share(&mut me, new, &[one]),
        Err(DeskRefusal::Withdrawn(record(1)))
    );
}

#[test]
fn a_record_leaves_circles_in_which_it_stands() {
    let mut me = Node::new(ME);
    let [one, other] = ["one", "other"].map(|name| me.open(name, false, false, &[]));
    let narrow = |node: &mut Node, circles: &[LogId]| {
        let (record, circles) = (record(1), circles.to_vec());
        node.decide(Wish::Narrow { record, circles })
    };
    assert_eq!(narrow(&mut me, &[one]), Err(unknown_record(record(1))));
    me.publish(1, "text", &[one]);
    assert!(matches!(
        narrow(&mut me, &[other]),
        Err(DeskRefusal::Nothing(_))
    ));
    let facts = narrow(&mut me, &[one, one, other]).expect("left");
    let record = record(1);
    assert_eq!(acts(&facts), [(one, Act::Leave { record })]);
}
