//! What facts add up to: partners, circles, drafts, invitations, and what goes with whom.

use super::*;
use crate::desk::{ToSave, Wish};
use crate::samples::{
    ABOUT, ME, NOW, Node, PEER, Written, identity_with, meet, pair, partner_of, rcp, record,
};

#[test]
fn a_session_is_opened_unless_another_copy_or_other_keys_may_be_at_work() {
    let mut me = Node::new(ME);
    assert!(me.model.may_exchange());
    for (reason, may) in [
        (RESTORED, true),
        ("PEER_HOLDS_A_HEAD_WE_LACK", true),
        (KEYS_PREDATE_A_ROTATION, false),
        (CHARTER_FORKED, false),
        (ANOTHER_COPY_RAN, false),
    ] {
        let mut me = me.clone();
        let reason = reason.to_owned();
        me.apply(&[Fact::SigningStopped {
            reason: reason.clone(),
        }]);
        assert_eq!(me.model.may_exchange(), may, "{reason}");
    }
    me.model.another_copy = true;
    assert!(!me.model.may_exchange());
}

#[test]
fn the_first_reason_for_which_nothing_is_signed_stays() {
    let mut me = partner_of(&[PEER]);
    let stop = |reason: &str| Fact::SigningStopped {
        reason: reason.to_owned(),
    };
    me.apply(&[stop(RESTORED), stop(ANOTHER_COPY_RAN)]);
    assert_eq!(me.model.signing_stopped.as_deref(), Some(RESTORED));
    assert!(me.model.another_copy);
    me.apply(&[stop(RESTORED)]);
    assert!(
        me.model.another_copy,
        "it stays so until a person says otherwise"
    );
    me.apply(&[Fact::OtherCopyGone { at: NOW }]);
    assert!(!me.model.another_copy);
    assert_eq!(me.model.awaited, [rcp(PEER)].into());
    me.apply(&[Fact::SigningResumed { at: NOW }]);
    assert_eq!(me.model.signing_stopped, None);
}

#[test]
fn an_rcp_is_confirmed_from_its_confirmation_on() {
    let mut me = partner_of(&[PEER]);
    for (state, expect) in [
        (PeerState::Invited, false),
        (PeerState::Pending, false),
        (PeerState::Active, true),
        (PeerState::Paused, true),
        (PeerState::Left, true),
    ] {
        me.treat(PEER, state);
        assert_eq!(me.model.is_confirmed(&rcp(PEER)), expect, "{state:?}");
    }
    assert!(!me.model.is_confirmed(&rcp(9)));
}

#[test]
fn a_circle_is_found_among_our_own() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let theirs = peer.open("theirs", true, true, &[&me]);
    crate::samples::exchange(&mut me, &mut peer);
    assert_eq!(me.log(&theirs).name, "theirs");
    assert!(me.model.circle("theirs").is_none(), "it is not ours");
    assert!(me.model.circle("federation").is_some());
    let private = me.model.private_log(&peer.rcp).expect("one");
    assert_eq!(private.owner, me.rcp);
    assert!(me.model.private_log(&rcp(ABOUT)).is_none());
    let own: Vec<LogId> = me.model.own_logs().map(|log| log.id).collect();
    assert!(!own.contains(&theirs) && own.len() == 4);
}

#[test]
fn a_circle_that_came_back_takes_the_name_in_its_list() {
    let mut me = Node::new(ME);
    let list = |circle: &str| {
        let list = ReaderList {
            circle: circle.to_owned(),
            ..ReaderList::default()
        };
        let blob = [vec![3; 32], list.encode().expect("a list")].concat();
        let hash = Hash::new([4; 32]);
        move |log| Fact::List {
            log,
            hash,
            blob: blob.clone(),
        }
    };
    let recovered = |me: &mut Node, seed: u8| {
        let (owner, seed) = (me.rcp, corridor_proto::LogSeed::new([seed; 16]));
        let log = LogId::derive(&owner, &seed);
        let (sort, name) = (Sort::Closed, Log::recovered_name(&log));
        me.apply(&[Fact::Circle {
            owner,
            seed,
            sort,
            name,
        }]);
        log
    };
    for (circle, fits) in [("trade", true), ("Trade", false), ("federation", false)] {
        let mut me = me.clone();
        let log = recovered(&mut me, 7);
        me.apply(&[list(circle)(log)]);
        assert_eq!(me.log(&log).name == circle, fits, "{circle}");
        assert!(me.log(&log).readers.is_some());
    }
    let federation = me.circle("federation");
    me.apply(&[list("other")(federation)]);
    assert_eq!(me.log(&federation).name, "federation", "it has one");
}

#[test]
fn of_lists_cards_drafts_and_notes_the_newest_is_kept() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    let (kind, body) = (1, b"draft".to_vec());
    let facts = me.wish(Wish::SaveDraft(ToSave {
        record: None,
        kind,
        body,
        ..ToSave::default()
    }));
    let Fact::Draft { record, .. } = facts[0] else {
        panic!("a draft");
    };
    let drafted = me.model.drafts.get(&record).expect("open").place;
    assert_eq!(me.apply(&facts), [drafted], "the one before it");
    let drafted = me.model.drafts.get(&record).expect("open").place;
    assert_eq!(me.apply(&[Fact::DraftGone { record }]), [drafted]);
    assert_eq!(me.apply(&[Fact::DraftGone { record }]), []);
    let listed = me.log(&circle).readers.as_ref().expect("a list").place;
    let facts = me.wish(Wish::OpenCircle {
        name: "x".to_owned(),
        open: false,
        relay: false,
    });
    let Some(Fact::List { hash, blob, .. }) = facts.get(1) else {
        panic!("a list");
    };
    let (hash, blob) = (*hash, blob.clone());
    let log = circle;
    assert_eq!(
        me.apply(&[Fact::List {
            log,
            hash,
            blob: blob.clone()
        }]),
        [listed]
    );
    let bad = vec![0; 40];
    assert_eq!(
        me.apply(&[Fact::List {
            log,
            hash,
            blob: bad
        }]),
        [],
        "what is no list"
    );
    let rcp = me.rcp;
    let note = Fact::Note { rcp, hash, blob };
    assert_eq!(me.apply(std::slice::from_ref(&note)), []);
    let noted = me.model.notes[&(rcp, hash)];
    assert_eq!(me.apply(&[note]), [noted]);
}

#[test]
fn a_card_of_nobody_is_not_kept_and_a_rotation_voids_the_last_one() {
    let mut me = partner_of(&[PEER]);
    let card = |byte, serial| {
        let charter = crate::samples::charter(byte);
        let card = identity_with(&charter, byte, serial).card.signed().clone();
        Fact::Card {
            rcp: rcp(byte),
            card,
        }
    };
    assert_eq!(me.apply(&[card(9, 1)]).len(), 1, "it goes at once");
    me.apply(&[card(PEER, 3)]);
    let serial = |me: &Node| {
        let card = me.model.known[&rcp(PEER)].card.as_ref();
        card.map(|card| card.card().serial)
    };
    assert_eq!(serial(&me), Some(3));
    me.apply(&[card(PEER, 2)]);
    assert_eq!(serial(&me), Some(3));
    let event = crate::samples::rotated(PEER, 50).events()[1].clone();
    me.apply(&[Fact::KeyEvent {
        rcp: rcp(PEER),
        event,
    }]);
    assert_eq!(serial(&me), None);
    let wrong = crate::samples::rotated(ABOUT, 50).events()[1].clone();
    me.apply(&[
        card(PEER, 4),
        Fact::KeyEvent {
            rcp: rcp(PEER),
            event: wrong,
        },
    ]);
    assert_eq!(me.model.known[&rcp(PEER)].charter.current_seq(), 1);
}

#[test]
fn a_partner_keeps_what_is_known_of_it_when_its_state_changes() {
    let mut me = partner_of(&[PEER]);
    let (of, number) = (rcp(PEER), StartNumber::new([4; 16]));
    let start = SignedStart {
        number,
        signature: [5; 64],
    };
    let name = "A name".to_owned();
    me.apply(&[
        Fact::PeerStart { rcp: of, start },
        Fact::Met { rcp: of, at: NOW },
        Fact::Named {
            rcp: of,
            name: name.clone(),
        },
    ]);
    me.now = NOW.plus(5);
    me.treat(PEER, PeerState::Paused);
    let found = &me.model.peers[&of];
    assert_eq!((found.start, found.met, &found.name), (start, NOW, &name));
    assert_eq!(
        (found.since, found.revision),
        (NOW.plus(5), me.model.revision)
    );
    let stranger = rcp(9);
    me.apply(&[
        Fact::PeerStart {
            rcp: stranger,
            start,
        },
        Fact::Met {
            rcp: stranger,
            at: NOW,
        },
        Fact::Named {
            rcp: stranger,
            name,
        },
    ]);
    assert_eq!(me.model.peers.len(), 1);
}

#[test]
fn one_that_is_active_again_or_left_is_suspended_no_longer() {
    for (state, stays) in [
        (PeerState::Active, false),
        (PeerState::Left, false),
        (PeerState::Paused, true),
        (PeerState::Pending, true),
    ] {
        let mut me = partner_of(&[PEER]);
        let (log, until) = (me.circle("federation"), UnixMillis(0));
        for byte in [PEER, ABOUT] {
            me.apply(&[Fact::Suspended {
                log,
                rcp: rcp(byte),
                until,
            }]);
        }
        me.treat(PEER, state);
        let suspended = &me.log(&log).suspended;
        assert_eq!(suspended.contains_key(&rcp(PEER)), stays, "{state:?}");
        assert!(suspended.contains_key(&rcp(ABOUT)));
    }
}

#[test]
fn an_invitation_is_open_until_it_ends() {
    let mut me = Node::new(ME);
    let token = Token::new([7; 32]);
    me.wish(Wish::Invite { token });
    let expires = NOW.plus(crate::limits::INVITATION_MS);
    let hash = token_hash(&token);
    assert_eq!(
        me.model.invitation(&token, UnixMillis(expires.0 - 1)),
        Some(hash)
    );
    assert_eq!(me.model.invitation(&token, expires), None);
    assert_eq!(me.model.invitation(&Token::new([8; 32]), NOW), None);
    assert_ne!(hash, token_hash(&Token::new([8; 32])));
}

#[test]
fn what_came_from_a_refused_one_goes_and_nothing_else() {
    let [mut me, mut peer, mut other] = [ME, PEER, ABOUT].map(Node::new);
    meet(&mut me, &mut peer);
    pair(&mut me, &mut other);
    let mut follow = |owner: u8| {
        let mut log = Written::new(owner, 7);
        let body = log.list(true, &[rcp(ME)]);
        let text = log.text(1, 5, "text");
        log.withdraw(2, 5);
        let mut package = log.package(0);
        package.readers = Some(log.readers(0, 3, body));
        me.take(&log.arrival(owner, package));
        let (peer, records) = (rcp(owner), vec![(1, text)]);
        me.take(&crate::ingest::Arrival::Records {
            peer,
            log: log.id,
            records,
        });
        let (rcp, hash, blob) = (rcp(owner), Hash::new([owner; 32]), vec![owner; 40]);
        let (at, count) = (NOW, 1);
        me.apply(&[
            Fact::Note { rcp, hash, blob },
            Fact::Withdrawals { rcp, at, count },
        ]);
        log.id
    };
    let (gone, stays) = (follow(PEER), follow(ABOUT));
    let erased = me.wish(Wish::Refuse { rcp: peer.rcp });
    assert!(matches!(erased.last(), Some(Fact::Forget { .. })));
    let model = &me.model;
    assert!(!model.logs.contains_key(&gone) && model.logs.contains_key(&stays));
    assert!(model.charter(&peer.rcp).is_none() && model.charter(&other.rcp).is_some());
    assert_eq!(
        model.brakes.keys().copied().collect::<Vec<_>>(),
        [other.rcp]
    );
    let noted: Vec<RcpId> = model.notes.keys().map(|(of, _)| *of).collect();
    assert_eq!(noted, [other.rcp]);
    assert!(!model.accepted.contains_key(&peer.rcp));
    assert_eq!(me.row_of(&peer.rcp, 1), RecordRow::default());
    assert!(me.row_of(&other.rcp, 1).newest().is_some());
    assert!(!me.store.lines.contains_key(&gone) && me.store.lines.contains_key(&stays));
    let kept = me
        .store
        .blobs
        .values()
        .filter(|(_, blob)| blob.ends_with(b"text"));
    assert_eq!(kept.count(), 1, "the texts of the other");
}

#[test]
fn with_one_that_is_forgotten_go_its_receipts_and_what_speaks_against_it() {
    let mut me = partner_of(&[PEER, ABOUT]);
    let mut ours = Written::new(ME, 7);
    ours.leave(1);
    let (owner, seed, sort) = (me.rcp, ours.seed, Sort::Closed);
    let name = "ours".to_owned();
    me.apply(&[Fact::Circle {
        owner,
        seed,
        sort,
        name,
    }]);
    for byte in [PEER, ABOUT] {
        let note = String::from_utf8(ours.held(byte, 1, 5)).expect("a note");
        let both = ["one", "two"].map(|text| {
            let found = crate::samples::version(byte, 1, 5, text);
            found.signed().header.clone()
        });
        let both = corridor_proto::evidence::Evidence::TwoVersions(both);
        let evidence = corridor_proto::wire::evidence_message(&rcp(byte), &both);
        let evidence = prost::Message::encode_to_vec(&evidence);
        let (holder, rcp) = (rcp(byte), rcp(byte));
        me.apply(&[
            Fact::Held { holder, note },
            Fact::Evidence { rcp, evidence },
        ]);
    }
    let known = |me: &Node| {
        let held = me.model.held.keys().map(|(_, holder)| *holder);
        let proved = me.model.evidence.iter().map(|kept| kept.rcp);
        let contested = me.model.contested.iter().map(|key| key.rcp);
        let all: Vec<RcpId> = held.chain(proved).chain(contested).collect();
        all
    };
    assert_eq!(known(&me).len(), 6);
    me.apply(&[Fact::Forget { rcp: rcp(PEER) }]);
    assert_eq!(known(&me), [rcp(ABOUT); 3]);
}

#[test]
fn all_places_can_be_moved() {
    let mut me = partner_of(&[PEER]);
    let (kind, body) = (1, Vec::new());
    me.wish(Wish::SaveDraft(ToSave {
        record: None,
        kind,
        body,
        ..ToSave::default()
    }));
    let (rcp, hash, blob) = (me.rcp, Hash::new([4; 32]), vec![1; 40]);
    me.apply(&[Fact::Note { rcp, hash, blob }]);
    // Two cards, the lists of two circles, a draft and a note.
    assert_eq!(me.model.places_mut().count(), 6);
    me.model.places_mut().for_each(|place| place.segment = 77);
    assert!(me.model.places_mut().all(|place| place.segment == 77));
    assert!(
        me.model
            .drafts
            .values()
            .all(|draft| draft.place.segment == 77)
    );
}

#[test]
fn what_was_shown_is_the_highest_and_what_was_compared_is_not_hidden() {
    let mut me = partner_of(&[PEER]);
    let mut log = Written::new(PEER, 7);
    log.leave(1);
    me.take(&log.arrival(PEER, log.package(0)));
    let id = log.id;
    for incarnation in [5, 3] {
        me.apply(&[Fact::Shown {
            log: id,
            incarnation,
        }]);
    }
    assert_eq!(me.log(&id).shown, 5);
    me.apply(&[Fact::Restored { at: NOW }]);
    let own = me.circle("federation");
    assert!(me.log(&id).uncompared && !me.log(&own).uncompared);
    assert_eq!(me.model.signing_stopped.as_deref(), Some(RESTORED));
    me.apply(&[Fact::Compared { log: id }]);
    assert!(!me.log(&id).uncompared);
    me.apply(&[Fact::RestartAccepted { log: id }]);
    assert_eq!(me.log(&id).stop, None, "it is not frozen");
    me.model.logs.get_mut(&id).expect("a log").stop = Some(Stop::Frozen { accepted: false });
    me.apply(&[Fact::RestartAccepted { log: id }]);
    assert_eq!(me.log(&id).stop, Some(Stop::Frozen { accepted: true }));
}

#[test]
fn a_version_is_kept_out_of_its_row() {
    let mut me = partner_of(&[PEER]);
    let mut log = Written::new(PEER, 7);
    let text = log.text(1, 5, "text");
    me.take(&log.arrival(PEER, log.package(0)));
    let (rcp, record, version_hash) = (rcp(PEER), record(1), text.version_hash());
    let reason = "BAD_SIGNATURE".to_owned();
    me.apply(&[Fact::Quarantine {
        rcp,
        record,
        version_hash,
        reason: reason.clone(),
    }]);
    assert_eq!(me.row_of(&rcp, 1).quarantined, [(version_hash, reason)]);
    assert!(me.model.wanting().is_empty(), "it is not asked for");
}
