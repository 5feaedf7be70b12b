//! How a node begins, what it does while it signs nothing, and how it takes a new key.

use corridor_proto::Token;
use corridor_proto::wire::Identity;

use super::*;
use crate::samples::{ME, Node, PEER, identity, pair, record, rotated};

#[test]
fn a_new_node_has_its_identity_and_three_circles() {
    let me = Node::new(ME);
    let names = |open| {
        let logs = me
            .model
            .own_logs()
            .filter(|log| (log.sort == Sort::Open) == open);
        let mut names: Vec<&str> = logs.map(|log| log.name.as_str()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(true), ["federation", "observers"]);
    assert_eq!(names(false), ["public"]);
    assert_eq!(me.log(&me.circle("public")).sort, Sort::Public);
    assert_eq!(me.circle("public"), LogId::public(&me.rcp));
    let known = &me.model.known[&me.rcp];
    assert_eq!(known.charter.events().len(), 1);
    assert!(known.card.is_some());
    for name in ["federation", "observers"] {
        let log = me.log(&me.circle(name));
        assert!(log.is_relayed());
        assert_eq!(log.held_head, log.head, "its head is its own");
    }
}

#[test]
fn what_signs_nothing_goes_on_while_signing_is_stopped() {
    let (mut me, mut peer) = (Node::new(ME), Node::new(PEER));
    pair(&mut me, &mut peer);
    let reason = "RESTORED_FROM_A_BACKUP".to_owned();
    me.apply(&[Fact::SigningStopped {
        reason: reason.clone(),
    }]);
    let stopped = DeskRefusal::SigningStopped(reason);
    let (rcp, token, record) = (peer.rcp, Token::new([7; 32]), record(1));
    let identity = Box::new(peer.identity());
    let circle = me.circle("public");
    let draft = me.draft(record, "text", Some(&[circle]));
    let (name, open, relay) = ("trade".to_owned(), true, true);
    for wish in [
        Wish::Publish(draft.clone()),
        Wish::PublishAll(vec![draft]),
        Wish::OpenCircle { name, open, relay },
        Wish::Invite { token },
        Wish::Redeem { identity, token },
        Wish::Confirm { rcp },
        Wish::Resume { rcp },
        Wish::Leave { rcp },
    ] {
        assert_eq!(me.decide(wish.clone()), Err(stopped.clone()), "{wish:?}");
    }
    let number = StartNumber::new([3; 16]);
    let (kind, body) = (1, Vec::new());
    for wish in [
        Wish::SaveDraft(ToSave {
            record: None,
            kind,
            body,
            ..ToSave::default()
        }),
        Wish::Pause { rcp },
        Wish::Start { number },
        Wish::Restart,
    ] {
        assert!(me.decide(wish.clone()).is_ok(), "{wish:?}");
    }
    for wish in [
        Wish::DiscardDraft { record, over: None },
        Wish::Refuse { rcp },
        Wish::OtherCopyGone,
        Wish::ShowUncompared,
        Wish::AcceptRestart { rcp },
    ] {
        assert_ne!(me.decide(wish.clone()), Err(stopped.clone()), "{wish:?}");
    }
}

#[test]
fn a_start_is_noted_so_often() {
    let mut me = Node::new(ME);
    let number = StartNumber::new([3; 16]);
    assert_eq!(me.wish(Wish::Start { number }), [Fact::Start { number }]);
    assert_eq!(me.model.start, number);
    let many = |count: usize| {
        let id = |number: usize| {
            let mut bytes = [7; 16];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            StartNumber::new(bytes)
        };
        (0..count).map(id).collect()
    };
    me.model.starts = many(STARTS_MAX - 1);
    assert!(me.decide(Wish::Start { number }).is_ok());
    me.model.starts = many(STARTS_MAX);
    let refused = me.decide(Wish::Start { number });
    assert!(matches!(refused, Err(DeskRefusal::TooMany { .. })));
}

#[test]
fn a_new_key_signs_the_heads_of_all_logs_with_lines_again() {
    let mut me = Node::new(ME);
    let circle = me.circle("federation");
    me.publish(1, "text", &[circle]);
    let charter = rotated(ME, 50);
    let Identity { charter, card } = identity(&charter, 50);
    let event = charter.events()[1].clone();
    let card = card.signed().clone();
    let rotate = |me: &mut Node| {
        let (event, card) = (event.clone(), card.clone());
        me.decide(Wish::Rotate { event, card })
    };
    let retired = Refusal::new("signing key", Reason::RetiredKey);
    assert_eq!(rotate(&mut me), Err(DeskRefusal::Protocol(retired)));
    me.signer = 50;
    let facts = rotate(&mut me).expect("rotated");
    assert!(matches!(
        facts[..2],
        [Fact::KeyEvent { .. }, Fact::Card { .. }]
    ));
    let heads = facts
        .iter()
        .filter(|fact| matches!(fact, Fact::Head { .. }));
    assert_eq!(heads.count(), 2, "public has no line");
    assert_eq!(facts.len(), 4);
    let sizes = |me: &Node| me.model.own_logs().map(Log::size).collect::<Vec<_>>();
    let before = sizes(&me);
    me.apply(&facts);
    assert_eq!(sizes(&me), before, "no line is added");
    let held = me.log(&circle).held_head.as_ref().expect("a head");
    assert_eq!((held.key_seq, held.checkpoint.size), (1, 2));
    assert!(me.model.known[&me.rcp].card.is_some());
    let again = rotate(&mut me);
    assert!(matches!(again, Err(DeskRefusal::Protocol(_))), "once");
}

#[test]
fn a_card_under_another_key_is_not_taken() {
    let mut me = Node::new(ME);
    let charter = rotated(ME, 50);
    let event = charter.events()[1].clone();
    let mut card = identity(&charter, 50).card.signed().clone();
    card.signature[0] ^= 1;
    me.signer = 50;
    let refused = me.decide(Wish::Rotate { event, card });
    assert!(matches!(refused, Err(DeskRefusal::Protocol(_))));
}

#[test]
fn a_renewed_card_takes_the_place_of_the_older_one() {
    let mut me = Node::new(ME);
    let charter = me.model.charter(&me.rcp).expect("a charter").clone();
    let renewed = crate::samples::identity_with(&charter, ME, 2);
    let card = renewed.card.signed().clone();
    let rcp = me.rcp;
    let facts = me.wish(Wish::RenewCard { card: card.clone() });
    assert_eq!(facts, [Fact::Card { rcp, card }]);
    let serial = |me: &Node| me.identity().card.card().serial;
    assert_eq!(serial(&me), 2);
    let older = crate::samples::identity_with(&charter, ME, 1);
    let card = older.card.signed().clone();
    let erased = me.apply(&[Fact::Card { rcp, card }]);
    assert_eq!(erased.len(), 1, "one is kept");
    assert_eq!(serial(&me), 2, "an older one says nothing");
}
