//! Which circles may be opened, who may be admitted, and what is noted of those who lose one.

use super::*;
use crate::desk::Wish;
use crate::fact::unblob;
use crate::peer::PeerState;
use crate::samples::{ABOUT, ME, NOW, Node, PEER, acts, meet, pair, record};

fn nodes() -> [Node; 3] {
    let [mut me, mut peer, mut other] = [ME, PEER, ABOUT].map(Node::new);
    pair(&mut me, &mut peer);
    pair(&mut me, &mut other);
    [me, peer, other]
}

fn open(node: &mut Node, name: &str, open: bool, relay: bool) -> Decision {
    let name = name.to_owned();
    node.decide(Wish::OpenCircle { name, open, relay })
}

fn set(node: &mut Node, log: LogId, readers: &[(RcpId, u64)]) -> Decision {
    let readers = readers
        .iter()
        .map(|(rcp, until)| (*rcp, UnixMillis(*until)));
    let readers = readers.collect();
    node.decide(Wish::SetReaders { log, readers })
}

/// The reader lists among facts.
fn lists(facts: &[Fact]) -> Vec<ReaderList> {
    let lists = facts.iter().filter_map(|fact| match fact {
        Fact::List { blob, .. } => Some(unblob(blob).expect("a blob").1),
        _ => None,
    });
    lists
        .map(|bytes| ReaderList::decode(bytes).expect("a list"))
        .collect()
}

/// Readers that facts call former ones, each with its size, and those that read again.
fn formers(facts: &[Fact]) -> (Vec<(RcpId, u64)>, Vec<RcpId>) {
    let (mut lost, mut again) = (Vec::new(), Vec::new());
    for fact in facts {
        match fact {
            Fact::Former { rcp, size, .. } => lost.push((*rcp, *size)),
            Fact::Reader { rcp, .. } => again.push(*rcp),
            _ => {}
        }
    }
    (lost, again)
}

#[test]
fn a_circle_has_a_name_of_its_own_that_fits() {
    let mut me = Node::new(ME);
    for name in ["", "private", "Trade", "a b", &"x".repeat(65)] {
        let refused = Err(DeskRefusal::Name(name.to_owned()));
        assert_eq!(open(&mut me, name, true, true), refused);
    }
    assert!(open(&mut me, &"x".repeat(64), true, true).is_ok());
    assert!(open(&mut me, "trade-2", true, true).is_ok());
    let exists = Err(DeskRefusal::Exists("federation".to_owned()));
    assert_eq!(open(&mut me, "federation", false, false), exists);
}

#[test]
fn an_open_circle_names_its_list_in_a_line_and_a_closed_one_does_not() {
    let mut me = Node::new(ME);
    for (is_open, relay) in [(true, true), (true, false), (false, true)] {
        let facts = open(&mut me, "trade", is_open, relay).expect("opened");
        let Fact::Circle { sort, .. } = &facts[0] else {
            panic!("{facts:?}");
        };
        assert_eq!(*sort, if is_open { Sort::Open } else { Sort::Closed });
        let [list] = &lists(&facts)[..] else {
            panic!("{facts:?}");
        };
        assert_eq!(list.circle, "trade");
        assert_eq!(
            list.relay,
            relay && is_open,
            "readers of a closed one never do"
        );
        let Fact::List { hash: list, .. } = facts[1] else {
            panic!("{facts:?}");
        };
        let lines: Vec<Act> = acts(&facts).into_iter().map(|(_, act)| act).collect();
        let expect: &[Act] = if is_open {
            &[Act::Readers { list }]
        } else {
            &[]
        };
        assert_eq!(lines, expect);
    }
}

#[test]
fn only_active_partners_are_admitted_and_only_to_circles_with_lists() {
    let [mut me, peer, other] = nodes();
    let circle = me.open("trade", true, true, &[]);
    let mut fresh = Node::new(9);
    meet(&mut me, &mut fresh);
    for stranger in [&fresh, &Node::new(10)] {
        let refused = Err(DeskRefusal::NotActive(stranger.rcp));
        assert_eq!(set(&mut me, circle, &[(stranger.rcp, 0)]), refused);
    }
    for id in [
        me.circle("public"),
        me.model.private_log(&peer.rcp).expect("one").id,
    ] {
        let name = me.log(&id).name.clone();
        let refused = Err(DeskRefusal::NoList(name));
        assert_eq!(set(&mut me, id, &[(peer.rcp, 0)]), refused);
    }
    let theirs = other.circle("federation");
    let unknown = set(&mut me, theirs, &[(peer.rcp, 0)]);
    assert!(matches!(
        unknown,
        Err(DeskRefusal::Unknown { what: "circle", .. })
    ));
    me.admit(circle, &[&peer]);
    let same = set(&mut me, circle, &[(peer.rcp, 0)]);
    assert!(matches!(same, Err(DeskRefusal::Nothing(_))));
    me.wish(Wish::Pause { rcp: other.rcp });
    let refused = Err(DeskRefusal::NotActive(other.rcp));
    assert_eq!(
        set(&mut me, circle, &[(peer.rcp, 0), (other.rcp, 0)]),
        refused
    );
}

#[test]
fn one_on_the_list_stays_on_it_though_it_is_paused() {
    let [mut me, peer, other] = nodes();
    let circle = me.open("trade", false, false, &[&peer]);
    me.wish(Wish::Pause { rcp: peer.rcp });
    let facts = set(&mut me, circle, &[(peer.rcp, 0), (other.rcp, 0)]).expect("set");
    let mut expect = vec![(peer.rcp, UnixMillis(0)), (other.rcp, UnixMillis(0))];
    expect.sort();
    assert_eq!(lists(&facts)[0].readers, expect);
}

#[test]
fn a_list_has_so_many_readers() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    let many = |count: usize| -> Vec<(RcpId, u64)> {
        let id = |number: usize| {
            let mut bytes = [7; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            RcpId::new(bytes)
        };
        (0..count).map(|number| (id(number), 0)).collect()
    };
    let too_many = set(&mut me, circle, &many(READERS_MAX + 1));
    assert!(matches!(
        too_many,
        Err(DeskRefusal::TooMany {
            what: "readers",
            ..
        })
    ));
    let strangers = set(&mut me, circle, &many(READERS_MAX));
    assert!(matches!(strangers, Err(DeskRefusal::NotActive(_))));
}

#[test]
fn who_is_taken_off_a_list_may_hold_what_was_there_until_it_reads_all_again() {
    let [mut me, peer, other] = nodes();
    let circle = me.open("trade", true, true, &[&peer, &other]);
    me.publish(1, "text", &[circle]);
    let size = me.log(&circle).size();
    let facts = set(&mut me, circle, &[(other.rcp, 0)]).expect("set");
    assert_eq!(formers(&facts), (vec![(peer.rcp, size)], vec![]));
    me.apply(&facts);
    me.publish(2, "more", &[circle]);
    assert_eq!(me.log(&circle).former[&peer.rcp], size, "it holds no more");
    let facts = set(&mut me, circle, &[(other.rcp, 0), (peer.rcp, 0)]).expect("set");
    assert_eq!(formers(&facts), (vec![], vec![peer.rcp]));
}

#[test]
fn a_former_reader_stays_one_while_its_right_is_not_given_anew() {
    let [mut me, peer, other] = nodes();
    let circle = me.open("trade", false, false, &[]);
    let end = NOW.0 + 10;
    let facts = set(&mut me, circle, &[(peer.rcp, end)]).expect("set");
    me.apply(&facts);
    me.publish(1, "text", &[circle]);
    me.now = NOW.plus(10);
    let size = me.log(&circle).size();
    // Its right has ended: what comes from now on it does not hold.
    me.publish(2, "more", &[circle]);
    assert_eq!(me.log(&circle).former.get(&peer.rcp), Some(&size));
    let facts = set(&mut me, circle, &[(peer.rcp, end), (other.rcp, 0)]).expect("set");
    assert_eq!(
        formers(&facts),
        (vec![], vec![]),
        "the same right as before"
    );
    let mut dropped = me.clone();
    let facts = set(&mut dropped, circle, &[(other.rcp, 0)]).expect("set");
    assert_eq!(
        formers(&facts),
        (vec![], vec![]),
        "it was a former one before"
    );
    let facts = set(&mut me, circle, &[(peer.rcp, 0)]).expect("set");
    assert_eq!(formers(&facts), (vec![], vec![peer.rcp]));
    let mut paused = me.clone();
    paused.wish(Wish::Pause { rcp: peer.rcp });
    let facts = set(&mut paused, circle, &[(peer.rcp, 0)]).expect("set");
    assert_eq!(formers(&facts).1, vec![], "a paused one reads nothing");
}

#[test]
fn a_lapsed_reader_is_noted_when_a_record_is_shared_too() {
    let [mut me, peer, other] = nodes();
    let [one, circle] = ["one", "two"].map(|name| me.open(name, false, false, &[]));
    let facts = set(&mut me, circle, &[(peer.rcp, NOW.0 + 10), (other.rcp, 0)]).expect("set");
    me.apply(&facts);
    let version = me.publish(1, "text", &[one]);
    let (record, links, circles) = (record(1), Vec::new(), vec![circle]);
    let wish = Wish::Share {
        record,
        version,
        links,
        circles,
    };
    let facts = me.decide(wish.clone()).expect("shared");
    assert_eq!(formers(&facts), (vec![], vec![]));
    me.now = NOW.plus(10);
    let facts = me.decide(wish).expect("shared");
    assert_eq!(formers(&facts), (vec![(peer.rcp, 0)], vec![]));
}

#[test]
fn a_circle_that_came_back_without_its_list_gets_one() {
    let [mut me, peer, _] = nodes();
    let (owner, seed, name) = (me.rcp, LogSeed::new([9; 16]), "found".to_owned());
    let log = LogId::derive(&owner, &seed);
    let sort = Sort::Closed;
    me.apply(&[Fact::Circle {
        owner,
        seed,
        sort,
        name,
    }]);
    let facts = set(&mut me, log, &[(peer.rcp, 0)]).expect("set");
    let [list] = &lists(&facts)[..] else {
        panic!("{facts:?}");
    };
    assert_eq!((list.circle.as_str(), list.relay), ("found", false));
}

#[test]
fn while_nothing_is_signed_a_closed_list_can_be_mended() {
    let [mut me, peer, _] = nodes();
    let [open, closed] = [true, false].map(|open| {
        let name = if open { "open" } else { "closed" };
        me.open(name, open, false, &[])
    });
    let reason = "RESTORED_FROM_A_BACKUP".to_owned();
    me.model.signing_stopped = Some(reason.clone());
    assert!(set(&mut me, closed, &[(peer.rcp, 0)]).is_ok());
    let refused = Err(DeskRefusal::SigningStopped(reason));
    assert_eq!(set(&mut me, open, &[(peer.rcp, 0)]), refused);
}

#[test]
fn whoever_is_left_is_on_no_list_any_more() {
    let [mut me, peer, other] = nodes();
    let both = me.open("both", true, true, &[&peer, &other]);
    let one = me.open("one", false, false, &[&other]);
    let facts = me.wish(Wish::Leave { rcp: peer.rcp });
    assert_eq!(lists(&facts).len(), 1, "the other list stays as it is");
    let readers = |me: &Node, id: &LogId| {
        let readers = me.log(id).readers.as_ref().expect("a list");
        readers.list.readers.clone()
    };
    let expect = [(other.rcp, UnixMillis(0))];
    assert_eq!(readers(&me, &both), expect);
    assert_eq!(readers(&me, &one), expect);
    assert_eq!(me.model.peer_state(&peer.rcp), Some(PeerState::Left));
}

#[test]
fn a_paused_reader_is_off_the_lists_that_readers_pass_on_until_it_is_resumed() {
    let [mut me, peer, other] = nodes();
    let relayed = me.open("relayed", true, true, &[&other]);
    let end = NOW.0 + 1_000;
    let readers = [(other.rcp, 0), (peer.rcp, end)];
    let facts = set(&mut me, relayed, &readers).expect("set");
    me.apply(&facts);
    let direct = me.open("direct", true, false, &[&peer, &other]);
    let size = me.log(&relayed).size();
    me.wish(Wish::Pause { rcp: peer.rcp });
    let lists_it = |me: &Node, id: &LogId| me.log(id).lists(&peer.rcp);
    assert!(!lists_it(&me, &relayed) && lists_it(&me, &direct));
    assert!(me.log(&relayed).lists(&other.rcp));
    assert_eq!(me.log(&relayed).former.get(&peer.rcp), Some(&size));
    assert_eq!(me.log(&relayed).suspended[&peer.rcp], UnixMillis(end));
    let mut late = me.clone();
    let facts = me.wish(Wish::Resume { rcp: peer.rcp });
    assert!(formers(&facts).1.contains(&peer.rcp));
    let list = &me.log(&relayed).readers.as_ref().expect("a list").list;
    assert!(list.readers.contains(&(peer.rcp, UnixMillis(end))));
    assert!(me.log(&relayed).former.is_empty() && me.log(&relayed).suspended.is_empty());
    late.now = UnixMillis(end);
    late.wish(Wish::Resume { rcp: peer.rcp });
    assert!(lists_it(&late, &relayed), "with a right that has ended");
    assert_eq!(late.log(&relayed).former.get(&peer.rcp), Some(&size));
}

#[test]
fn a_reader_whose_right_had_ended_when_it_was_paused_is_a_former_one_already() {
    let [mut me, peer, _] = nodes();
    let relayed = me.open("relayed", true, true, &[]);
    let facts = set(&mut me, relayed, &[(peer.rcp, NOW.0 + 5)]).expect("set");
    me.apply(&facts);
    me.now = NOW.plus(5);
    let before = me.log(&relayed).size();
    me.publish(1, "text", &[relayed]);
    assert_eq!(me.log(&relayed).former.get(&peer.rcp), Some(&before));
    me.wish(Wish::Pause { rcp: peer.rcp });
    assert_eq!(me.log(&relayed).former.get(&peer.rcp), Some(&before));
    assert!(me.log(&relayed).suspended.contains_key(&peer.rcp));
}
