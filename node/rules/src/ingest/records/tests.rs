//! Which records are taken in, which are kept out, and which are asked for again.

use corridor_proto::UnixMillis;
use corridor_proto::line::WHOLE_RECORD;

use super::*;
use crate::peer::PeerState;
use crate::samples::{
    ABOUT, ME, Node, PEER, Written, charter, partner_of, rcp, record, version, withdrawal,
};

fn named(found: &VerifiedRecord) -> Named {
    Named {
        record: found.header().record,
        version_hash: found.version_hash(),
    }
}

fn judged(records: Vec<(u64, Named, Result<SignedRecord, Refusal>)>) -> Judged {
    let (peer, owner, log) = (rcp(ABOUT), rcp(PEER), LogId::new([1; 32]));
    let unverified = Unverified {
        peer,
        owner,
        log,
        records,
    };
    judge(&charter(PEER), unverified)
}

#[test]
fn good_records_are_taken_together() {
    let [one, two] = [1, 2].map(|byte| version(PEER, byte, 5, "text"));
    let found = judged(vec![
        (3, named(&one), Ok(one.signed().clone())),
        (7, named(&two), Ok(two.signed().clone())),
    ]);
    assert_eq!(found.refusals, []);
    let [Arrival::Records { peer, log, records }] = &found.arrivals[..] else {
        panic!("{found:?}");
    };
    assert_eq!((*peer, *log), (rcp(ABOUT), LogId::new([1; 32])));
    let indexes: Vec<u64> = records.iter().map(|(index, _)| *index).collect();
    assert_eq!(indexes, [3, 7]);
    assert!(judged(Vec::new()).arrivals.is_empty());
}

/// Whoever judges by a charter that is not the owner's keeps nothing out for ever.
#[test]
fn by_anothers_charter_nothing_is_kept_out() {
    let good = version(PEER, 1, 5, "text");
    let unverified = Unverified {
        peer: rcp(ABOUT),
        owner: rcp(PEER),
        log: LogId::new([1; 32]),
        records: vec![(3, named(&good), Ok(good.into_signed()))],
    };
    let found = judge(&charter(ABOUT), unverified);
    assert!(found.arrivals.is_empty(), "{found:?}");
    assert_eq!(found.refusals.len(), 1);
}

#[test]
fn what_its_author_did_wrong_keeps_a_version_out_and_damage_does_not() {
    let good = version(PEER, 1, 5, "text");
    let mut damaged = good.signed().clone();
    damaged.body[0] ^= 1;
    let found = judged(vec![(3, named(&good), Ok(damaged))]);
    assert!(found.arrivals.is_empty());
    assert_eq!(
        found.refusals,
        [Refusal::new("record body", Reason::WrongHash)]
    );
    let other = version(PEER, 1, 6, "other");
    let found = judged(vec![(3, named(&good), Ok(other.into_signed()))]);
    assert!(found.arrivals.is_empty());
    assert_eq!(found.refusals, [Refusal::new("record", Reason::WrongHash)]);
    let broken = Refusal::new("record", Reason::Malformed);
    let found = judged(vec![(3, named(&good), Err(broken))]);
    assert_eq!(found.refusals, [broken]);
    let mut unsigned = good.signed().clone();
    unsigned.header.signature[0] ^= 1;
    let name = Named {
        record: record(1),
        version_hash: unsigned.header.version_hash(),
    };
    let kept_out = judged(vec![
        (3, name, Ok(unsigned)),
        (4, named(&good), Ok(good.signed().clone())),
    ]);
    assert_eq!(kept_out.refusals, []);
    let [
        Arrival::Records { .. },
        Arrival::Bad {
            rcp: of,
            record: which,
            version_hash,
            reason,
        },
    ] = &kept_out.arrivals[..]
    else {
        panic!("{kept_out:?}");
    };
    assert_eq!(
        (*of, *which, *version_hash),
        (rcp(PEER), record(1), name.version_hash)
    );
    assert_eq!(*reason, Reason::BadSignature);
}

fn came(
    me: &Node,
    peer: u8,
    log: &LogId,
    records: &[(u64, &VerifiedRecord)],
) -> Result<usize, Reason> {
    let records = records.iter().map(|(at, found)| (*at, (*found).clone()));
    let arrival = Arrival::Records {
        peer: rcp(peer),
        log: *log,
        records: records.collect(),
    };
    let facts = me.arrive(&arrival).map_err(|refusal| refusal.reason)?;
    assert!(facts.iter().all(|fact| matches!(fact, Fact::Record { .. })));
    Ok(facts.len())
}

#[test]
fn a_record_is_taken_behind_its_line_while_it_is_wanted() {
    let mut me = partner_of(&[PEER, ABOUT]);
    let mut log = Written::new(PEER, 7);
    let text = log.text(1, 5, "text");
    let other = log.text(2, 5, "other");
    let id = log.id;
    assert_eq!(
        came(&me, PEER, &id, &[(0, &text)]),
        Err(Reason::NotEntitled)
    );
    me.take(&log.arrival(PEER, log.package(0)));
    assert_eq!(came(&me, PEER, &id, &[(0, &text), (1, &other)]), Ok(2));
    assert_eq!(
        came(&me, PEER, &id, &[(1, &text), (0, &other)]),
        Ok(0),
        "of other lines"
    );
    let unnamed = version(PEER, 1, 5, "unnamed");
    assert_eq!(came(&me, PEER, &id, &[(0, &unnamed)]), Ok(0));
    let theirs = version(ABOUT, 1, 5, "text");
    assert_eq!(came(&me, PEER, &id, &[(0, &theirs)]), Err(Reason::WrongRcp));
    let (peer, records) = (rcp(PEER), vec![(0, text.clone())]);
    me.take(&Arrival::Records {
        peer,
        log: id,
        records,
    });
    assert_eq!(
        came(&me, PEER, &id, &[(0, &text), (1, &other)]),
        Ok(1),
        "the other is here"
    );
    log.withdraw(2, WHOLE_RECORD);
    me.take(&log.arrival(PEER, log.package(2)));
    assert_eq!(came(&me, PEER, &id, &[(1, &other)]), Ok(0));
}

#[test]
fn a_line_that_says_another_version_than_its_record_is_followed_by_none() {
    let mut me = partner_of(&[PEER]);
    let mut log = Written::new(PEER, 7);
    let text = version(PEER, 1, 5, "text");
    log.push(corridor_proto::line::Act::Publish {
        version_hash: text.version_hash(),
        record: record(1),
        version: 6,
    });
    me.take(&log.arrival(PEER, log.package(0)));
    assert_eq!(came(&me, PEER, &log.id, &[(0, &text)]), Ok(0));
}

#[test]
fn records_come_from_the_owner_or_from_a_reader_that_may_pass_them_on() {
    for relay in [true, false] {
        let mut me = partner_of(&[PEER, ABOUT]);
        let mut log = Written::new(PEER, 7);
        let body = log.list(relay, &[rcp(ME), rcp(ABOUT)]);
        let text = log.text(1, 5, "text");
        let mut package = log.package(0);
        package.readers = Some(log.readers(0, 2, body));
        me.take(&log.arrival(PEER, package));
        let from = |me: &Node, peer| came(me, peer, &log.id, &[(1, &text)]);
        assert_eq!(from(&me, PEER), Ok(1));
        let expect = if relay {
            Ok(1)
        } else {
            Err(Reason::NotEntitled)
        };
        assert_eq!(from(&me, ABOUT), expect);
        assert_eq!(from(&me, 9), Err(Reason::NotEntitled));
        me.treat(PEER, PeerState::Left);
        assert_eq!(from(&me, PEER), Err(Reason::NotEntitled));
        assert_eq!(from(&me, ABOUT), Err(Reason::NotEntitled));
    }
}

#[test]
fn texts_of_ours_come_back_that_a_void_line_published() {
    let mut me = partner_of(&[PEER]);
    let circle = me.circle("federation");
    let lost = version(ME, 1, 5, "lost");
    let mut branch = Written::new(ME, 7);
    branch.publish(&lost);
    let lines = branch.lines.clone();
    assert_eq!(
        came(&me, PEER, &circle, &[(9, &lost)]),
        Ok(0),
        "no line named it"
    );
    me.apply(&[Fact::VoidLines { log: circle, lines }]);
    let back = |me: &Node| came(me, PEER, &circle, &[(9, &lost)]);
    assert_eq!(back(&me), Ok(1));
    let other = version(ME, 2, 5, "lost");
    assert_eq!(came(&me, PEER, &circle, &[(9, &other)]), Ok(0));
    let (peer, records) = (rcp(PEER), vec![(9, lost.clone())]);
    let mut here = me.clone();
    here.take(&Arrival::Records {
        peer,
        log: circle,
        records,
    });
    assert_eq!(back(&here), Ok(0), "it is here");
    let key = RecordKey {
        rcp: me.rcp,
        record: record(1),
    };
    for (up_to, expect) in [(4, Ok(1)), (5, Ok(0))] {
        let mut me = me.clone();
        let row = me.store.rows.entry(key).or_default();
        row.withdraw(circle, 0, withdrawal(1, up_to), UnixMillis(1));
        assert_eq!(back(&me), expect, "burnt up to {up_to}");
    }
    for state in [PeerState::Left, PeerState::Invited] {
        me.treat(PEER, state);
        assert_eq!(back(&me), Err(Reason::NotEntitled), "{state:?}");
    }
}
