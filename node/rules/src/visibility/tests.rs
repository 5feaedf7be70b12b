//! Who may read which circle, by whose it is, what sort it is, and how far its readers have got.

use std::collections::BTreeSet;

use corridor_proto::line::ReaderList;
use corridor_proto::{Hash, LogSeed};

use super::*;
use crate::fact::Place;
use crate::log::Readers;
use crate::samples::{ABOUT, ME, NOW, PEER, model, rcp, state};

const LIST: Hash = Hash::new([3; 32]);

/// A log of an RCP; with a list, these are on it for ever.
fn log(owner: u8, sort: Sort, relay: bool, readers: &[u8]) -> Log {
    let mut log = Log::new(rcp(owner), LogSeed::new([7; 16]), sort, String::new());
    let mut readers: Vec<_> = readers
        .iter()
        .map(|one| (rcp(*one), UnixMillis(0)))
        .collect();
    readers.sort_unstable();
    if matches!(sort, Sort::Open | Sort::Closed) {
        log.readers = Some(Readers {
            list: ReaderList {
                relay,
                readers,
                ..ReaderList::default()
            },
            hash: LIST,
            place: Place::default(),
        });
        log.readers_line = Some((0, LIST));
    }
    log
}

fn peer(byte: u8) -> Reader {
    Reader::Peer(rcp(byte))
}

fn read(model: &Model, log: &Log, reader: Reader) -> Result<Grant, Denial> {
    may_read(model, log, &reader, NOW)
}

#[test]
fn a_secretariat_reads_its_own_and_what_those_shared_whom_it_confirmed() {
    let mut model = model();
    let own = log(ME, Sort::Closed, false, &[]);
    assert_eq!(read(&model, &own, Reader::Secretariat), Ok(Grant::Own));
    let mut theirs = log(ABOUT, Sort::Closed, false, &[]);
    let found = |model: &Model, log: &Log| read(model, log, Reader::Secretariat);
    assert_eq!(found(&model, &theirs), Ok(Grant::Received));
    theirs.uncompared = true;
    assert_eq!(found(&model, &theirs), Err(Denial::NotCompared));
    theirs.uncompared = false;
    for (now, expect) in [
        (PeerState::Left, Ok(Grant::Received)),
        (PeerState::Paused, Ok(Grant::Received)),
        (PeerState::Pending, Err(Denial::UnconfirmedOwner)),
    ] {
        state(&mut model, ABOUT, now);
        assert_eq!(found(&model, &theirs), expect, "{now:?}");
    }
}

#[test]
fn anyone_reads_what_is_public_alone() {
    let mut model = model();
    let found = |model: &Model, log: &Log| read(model, log, Reader::Anyone);
    let public = |owner| log(owner, Sort::Public, false, &[]);
    assert_eq!(found(&model, &public(ME)), Ok(Grant::Public));
    assert_eq!(found(&model, &public(ABOUT)), Ok(Grant::Public));
    for sort in [Sort::Open, Sort::Closed, Sort::Private(rcp(PEER))] {
        let other = log(ME, sort, true, &[PEER, ABOUT]);
        assert_eq!(found(&model, &other), Err(Denial::NotListed), "{sort:?}");
    }
    state(&mut model, ABOUT, PeerState::Pending);
    let unconfirmed = Err(Denial::UnconfirmedOwner);
    assert_eq!(found(&model, &public(ABOUT)), unconfirmed);
}

#[test]
fn a_partner_reads_what_its_state_allows() {
    let mut model = model();
    let private = Sort::Private(rcp(PEER));
    let logs = [Sort::Public, Sort::Open, Sort::Closed, private];
    let logs = logs.map(|sort| log(ME, sort, false, &[PEER]));
    use Denial::{Left, NoPeer, Paused, Unconfirmed};
    let listed = Ok(Grant::Listed);
    for (now, expect) in [
        (
            PeerState::Active,
            [Ok(Grant::Public), listed, listed, Ok(Grant::Private)],
        ),
        (
            PeerState::Pending,
            [
                Ok(Grant::Public),
                Err(Unconfirmed),
                Err(Unconfirmed),
                Err(Unconfirmed),
            ],
        ),
        (
            PeerState::Paused,
            [Err(Paused), Err(Paused), Err(Paused), Ok(Grant::Private)],
        ),
        (
            PeerState::Left,
            [Err(Left), Err(Left), Err(Left), Ok(Grant::Private)],
        ),
        (PeerState::Invited, [Err(NoPeer); 4]),
    ] {
        state(&mut model, PEER, now);
        let found = logs.each_ref().map(|log| read(&model, log, peer(PEER)));
        assert_eq!(found, expect, "{now:?}");
    }
    let found = logs.each_ref().map(|log| read(&model, log, peer(9)));
    assert_eq!(
        found,
        [
            Err(NoPeer),
            Err(NoPeer),
            Err(NoPeer),
            Err(Denial::NotListed)
        ]
    );
}

#[test]
fn a_list_admits_those_on_it_until_their_right_ends_or_a_newer_line_replaces_it() {
    let model = model();
    for sort in [Sort::Open, Sort::Closed] {
        let mut log = log(ME, sort, false, &[PEER]);
        let found = |log: &Log, byte| read(&model, log, peer(byte));
        assert_eq!(found(&log, PEER), Ok(Grant::Listed));
        assert_eq!(found(&log, ABOUT), Err(Denial::NotListed));
        log.readers_line = None;
        assert_eq!(found(&log, PEER), Ok(Grant::Listed), "no line names a list");
        log.readers_line = Some((4, Hash::new([4; 32])));
        assert_eq!(
            found(&log, PEER),
            Err(Denial::NotListed),
            "a newer one counts"
        );
        log.readers_line = Some((0, LIST));
        let readers = log.readers.as_mut().expect("readers");
        readers.list.readers[0].1 = NOW.plus(1);
        assert_eq!(found(&log, PEER), Ok(Grant::Listed));
        let later = may_read(&model, &log, &peer(PEER), NOW.plus(1));
        assert_eq!(later, Err(Denial::NotListed), "its right ended");
        log.readers = None;
        assert_eq!(found(&log, PEER), Err(Denial::NotListed), "no list is here");
    }
    let other = log(ME, Sort::Private(rcp(ABOUT)), false, &[]);
    assert_eq!(read(&model, &other, peer(PEER)), Err(Denial::NotListed));
}

#[test]
fn a_partner_is_given_its_own_logs_back_while_it_is_one() {
    let mut model = model();
    let own = log(PEER, Sort::Closed, false, &[]);
    for (now, expect) in [
        (PeerState::Active, Ok(Grant::ItsOwn)),
        (PeerState::Paused, Ok(Grant::ItsOwn)),
        (PeerState::Pending, Err(Denial::NoPeer)),
        (PeerState::Left, Err(Denial::NoPeer)),
    ] {
        state(&mut model, PEER, now);
        assert_eq!(read(&model, &own, peer(PEER)), expect, "{now:?}");
    }
}

#[test]
fn a_log_is_passed_on_if_its_list_says_so_and_admits_the_other() {
    let mut model = model();
    let relayed = log(ABOUT, Sort::Open, true, &[ME, PEER]);
    let found = |model: &Model, log: &Log| read(model, log, peer(PEER));
    assert_eq!(found(&model, &relayed), Ok(Grant::Relayed));
    let kept = log(ABOUT, Sort::Open, false, &[ME, PEER]);
    assert_eq!(found(&model, &kept), Err(Denial::NotOurs));
    for sort in [Sort::Closed, Sort::Public, Sort::Private(rcp(PEER))] {
        let other = log(ABOUT, sort, true, &[ME, PEER]);
        assert_eq!(found(&model, &other), Err(Denial::NotOurs), "{sort:?}");
    }
    let unlisted = log(ABOUT, Sort::Open, true, &[ME]);
    assert_eq!(found(&model, &unlisted), Err(Denial::NotListed));
    let mut retaken = relayed.clone();
    retaken.retaken = true;
    assert_eq!(
        found(&model, &retaken),
        Err(Denial::NotOurs),
        "its lines are taken again"
    );
    let mut restored = relayed.clone();
    restored.uncompared = true;
    assert_eq!(found(&model, &restored), Err(Denial::NotCompared));
    for (now, expect) in [
        (PeerState::Paused, Ok(Grant::Relayed)),
        (PeerState::Left, Err(Denial::UnconfirmedOwner)),
        (PeerState::Pending, Err(Denial::UnconfirmedOwner)),
    ] {
        state(&mut model, ABOUT, now);
        assert_eq!(found(&model, &relayed), expect, "{now:?}");
    }
}

#[test]
fn heads_are_compared_of_open_logs_that_both_read() {
    let mut model = model();
    let compares = |model: &Model, log: &Log| may_compare(model, log, &rcp(PEER), NOW);
    let open = log(ABOUT, Sort::Open, false, &[ME, PEER]);
    assert!(compares(&model, &open), "passed on or not");
    let closed = log(ABOUT, Sort::Closed, false, &[ME, PEER]);
    assert!(!compares(&model, &closed));
    assert!(!compares(&model, &log(ME, Sort::Open, false, &[PEER])));
    assert!(!compares(&model, &log(ABOUT, Sort::Open, false, &[ME])));
    state(&mut model, ABOUT, PeerState::Pending);
    assert!(!compares(&model, &open));
}

#[test]
fn what_exists_and_may_not_be_read_is_as_what_does_not_exist() {
    let mut model = model();
    let open = log(ME, Sort::Open, false, &[PEER]);
    let id = open.id;
    model.logs.insert(id, open);
    let public = Log::new(rcp(ME), LogSeed::ZERO, Sort::Public, String::new());
    let public_id = public.id;
    model.logs.insert(public_id, public);
    let seen = |byte| {
        let reader = peer(byte);
        let logs = readable(&model, &reader, NOW).map(|log| log.id);
        logs.collect::<BTreeSet<_>>()
    };
    assert_eq!(seen(PEER), BTreeSet::from([id, public_id]));
    assert_eq!(seen(ABOUT), BTreeSet::from([public_id]));
    assert_eq!(seen(9), BTreeSet::new());
    assert!(reads(&model, &id, &peer(PEER), NOW));
    assert!(!reads(&model, &id, &peer(ABOUT), NOW));
    assert!(!reads(&model, &LogId::new([1; 32]), &peer(PEER), NOW));
}

#[test]
fn every_answer_has_a_sentence_of_its_own() {
    let denials = [
        Denial::NoPeer,
        Denial::Unconfirmed,
        Denial::Paused,
        Denial::Left,
        Denial::NotListed,
        Denial::NotOurs,
        Denial::UnconfirmedOwner,
        Denial::NotCompared,
    ];
    let grants = [
        Grant::Own,
        Grant::Received,
        Grant::Public,
        Grant::Listed,
        Grant::Private,
        Grant::ItsOwn,
        Grant::Relayed,
    ];
    let sentences = denials.map(Denial::says).into_iter();
    let sentences: BTreeSet<_> = sentences.chain(grants.map(Grant::says)).collect();
    assert_eq!(sentences.len(), denials.len() + grants.len());
    assert!(sentences.iter().all(|sentence| sentence.contains(' ')));
}
