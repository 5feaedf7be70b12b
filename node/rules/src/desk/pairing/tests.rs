//! How two become partners, and what each step lets the other read.

use corridor_proto::UnixMillis;

use super::*;
use crate::desk::Wish;
use crate::samples::{ABOUT, ME, NOW, Node, PEER, meet, pair};

const TOKEN: Token = Token::new([7; 32]);

fn strangers() -> (Node, Node) {
    (Node::new(ME), Node::new(PEER))
}

fn identity(node: &Node) -> Box<Identity> {
    Box::new(node.identity())
}

/// What the node of an RCP is refused whose peer is in this state.
fn state_refusal(rcp: RcpId, word: &'static str) -> impl Fn(&Decision) -> bool {
    move |found| {
        matches!(found, Err(DeskRefusal::State { rcp: of, state, .. })
            if *of == rcp && *state == word)
    }
}

#[test]
fn an_invitation_is_good_for_seven_days_and_once() {
    let (mut me, peer) = strangers();
    let token = TOKEN;
    let facts = me.wish(Wish::Invite { token });
    let expires = NOW.plus(7 * 24 * 3_600 * 1_000);
    let invited = Fact::Invitation {
        token: token_hash(&token),
        expires,
    };
    assert_eq!(facts, [invited]);
    let redeem = |me: &mut Node, token| {
        let identity = identity(&peer);
        me.decide(Wish::Redeem { identity, token })
    };
    let unknown = redeem(&mut me, Token::new([8; 32]));
    assert_eq!(unknown, Err(DeskRefusal::Invitation));
    me.now = expires;
    assert_eq!(redeem(&mut me, token), Err(DeskRefusal::Invitation));
    me.now = UnixMillis(expires.0 - 1);
    let facts = redeem(&mut me, token).expect("redeemed");
    me.apply(&facts);
    assert_eq!(me.model.peer_state(&peer.rcp), Some(PeerState::Pending));
    assert_eq!(redeem(&mut me, token), Err(DeskRefusal::Invitation));
}

#[test]
fn so_many_invitations_are_open_at_once() {
    let mut me = Node::new(ME);
    for number in 0..INVITATIONS_MAX {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let token = Token::new(bytes);
        me.wish(Wish::Invite { token });
    }
    let again = |me: &mut Node| me.decide(Wish::Invite { token: TOKEN });
    let what = "open invitations";
    assert!(matches!(again(&mut me), Err(DeskRefusal::TooMany { what: of, .. }) if of == what));
    me.now = NOW.plus(INVITATION_MS - 1);
    assert!(again(&mut me).is_err());
    me.now = NOW.plus(INVITATION_MS);
    assert!(again(&mut me).is_ok(), "those are over");
}

#[test]
fn an_invitation_is_accepted_by_whom_it_may_bring_further() {
    let (mut me, peer) = strangers();
    let accept = |me: &mut Node, of: &Node| {
        let (identity, token) = (identity(of), TOKEN);
        me.decide(Wish::Accept { identity, token })
    };
    let own = me.clone();
    assert_eq!(
        accept(&mut me, &own),
        Err(DeskRefusal::Ourselves("invitation"))
    );
    let facts = accept(&mut me, &peer).expect("accepted");
    assert!(
        matches!(facts[0], Fact::KeyEvent { .. }),
        "who it is comes first"
    );
    assert!(facts.contains(&Fact::Accepted {
        rcp: peer.rcp,
        token: TOKEN
    }));
    me.apply(&facts);
    assert_eq!(me.model.peer_state(&peer.rcp), Some(PeerState::Invited));
    assert_eq!(me.model.accepted.get(&peer.rcp), Some(&TOKEN));
    assert!(accept(&mut me, &peer).is_ok(), "another token may do");
    for (state, word) in [
        (PeerState::Pending, "pending"),
        (PeerState::Active, "active"),
        (PeerState::Paused, "paused"),
    ] {
        set_state(&mut me, &peer, state);
        assert!(
            state_refusal(peer.rcp, word)(&accept(&mut me, &peer)),
            "{word}"
        );
    }
    set_state(&mut me, &peer, PeerState::Left);
    assert!(accept(&mut me, &peer).is_ok());
}

fn set_state(me: &mut Node, peer: &Node, state: PeerState) {
    let (rcp, at) = (peer.rcp, me.now);
    me.apply(&[Fact::Peer { rcp, state, at }]);
}

#[test]
fn a_redeemed_invitation_brings_back_whom_we_left_and_changes_no_partner() {
    let (mut me, peer) = strangers();
    me.wish(Wish::Invite { token: TOKEN });
    let redeem = |me: &mut Node, of: &Node| {
        let (identity, token) = (identity(of), TOKEN);
        me.decide(Wish::Redeem { identity, token })
    };
    let own = me.clone();
    assert_eq!(
        redeem(&mut me, &own),
        Err(DeskRefusal::Ourselves("invitation"))
    );
    let becomes = |me: &mut Node, peer: &Node| {
        let facts = redeem(me, peer).expect("redeemed");
        assert!(facts.contains(&Fact::Redeemed {
            token: token_hash(&TOKEN)
        }));
        let mut me = me.clone();
        me.apply(&facts);
        (me.model.peer_state(&peer.rcp), facts)
    };
    let pending = Some(PeerState::Pending);
    let (state, facts) = becomes(&mut me, &peer);
    assert_eq!(state, pending);
    assert!(facts.contains(&Fact::Accepted {
        rcp: peer.rcp,
        token: TOKEN
    }));
    for state in [PeerState::Pending, PeerState::Active, PeerState::Paused] {
        set_state(&mut me, &peer, state);
        assert_eq!(becomes(&mut me, &peer).0, Some(state));
    }
    for state in [PeerState::Left, PeerState::Invited] {
        set_state(&mut me, &peer, state);
        assert_eq!(becomes(&mut me, &peer).0, pending, "{state:?}");
    }
}

#[test]
fn a_partner_has_one_private_circle_from_the_first_day_on() {
    let (mut me, mut peer) = strangers();
    meet(&mut me, &mut peer);
    let private = me.model.private_log(&peer.rcp).expect("a circle").id;
    assert!(peer.model.private_log(&me.rcp).is_some());
    me.wish(Wish::Leave { rcp: peer.rcp });
    peer.wish(Wish::Leave { rcp: me.rcp });
    pair(&mut me, &mut peer);
    let logs = me.model.own_logs();
    let logs = logs.filter(|log| log.sort == Sort::Private(peer.rcp));
    assert_eq!(logs.map(|log| log.id).collect::<Vec<_>>(), [private]);
}

#[test]
fn each_step_leads_from_one_state_alone() {
    let (mut me, peer) = strangers();
    me.take(&crate::ingest::Arrival::Identity(identity(&peer)));
    let rcp = peer.rcp;
    let steps = [
        (
            Wish::Answered { rcp },
            PeerState::Invited,
            PeerState::Pending,
        ),
        (Wish::Confirm { rcp }, PeerState::Pending, PeerState::Active),
        (Wish::Pause { rcp }, PeerState::Active, PeerState::Paused),
        (Wish::Resume { rcp }, PeerState::Paused, PeerState::Active),
    ];
    let mut remedies = std::collections::BTreeSet::new();
    for (wish, from, to) in steps {
        let absent = me.clone().decide(wish.clone());
        assert!(matches!(
            absent,
            Err(DeskRefusal::Unknown {
                what: "partner",
                ..
            })
        ));
        for state in PeerState::ALL {
            let mut me = me.clone();
            set_state(&mut me, &peer, state);
            let found = me.decide(wish.clone());
            if state == from {
                me.apply(&found.expect("a step"));
                assert_eq!(me.model.peer_state(&rcp), Some(to));
                assert_eq!(me.model.peers[&rcp].since, me.now);
            } else {
                assert!(
                    state_refusal(rcp, state.word())(&found),
                    "{wish:?} {state:?}"
                );
                let Err(DeskRefusal::State { remedy, .. }) = found else {
                    panic!("{found:?}");
                };
                remedies.insert(remedy);
            }
        }
    }
    assert_eq!(remedies.len(), 4, "each says what is wrong");
    set_state(&mut me, &peer, PeerState::Left);
    for (wish, word) in [
        (Wish::Confirm { rcp }, "confirmed"),
        (Wish::Resume { rcp }, "resumed"),
        (Wish::Pause { rcp }, "paused"),
    ] {
        let refused = me.decide(wish).expect_err("it was left").to_string();
        assert!(refused.ends_with(word), "{refused}");
    }
}

#[test]
fn a_confirmed_partner_keeps_the_name_under_which_it_was_confirmed() {
    let (mut me, mut peer) = strangers();
    pair(&mut me, &mut peer);
    assert_eq!(me.model.peers[&peer.rcp].name, "An RCP");
    me.wish(Wish::Pause { rcp: peer.rcp });
    let facts = me.wish(Wish::Resume { rcp: peer.rcp });
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::Named { .. })));
    assert_eq!(me.model.peers[&peer.rcp].name, "An RCP");
}

#[test]
fn one_is_refused_before_it_is_confirmed_and_left_after() {
    let (mut me, mut peer) = strangers();
    let rcp = peer.rcp;
    for wish in [Wish::Refuse { rcp }, Wish::Leave { rcp }] {
        let absent = me.decide(wish);
        assert!(matches!(
            absent,
            Err(DeskRefusal::Unknown {
                what: "partner",
                ..
            })
        ));
    }
    meet(&mut me, &mut peer);
    for state in PeerState::ALL {
        let mut me = me.clone();
        set_state(&mut me, &peer, state);
        let refused = me.decide(Wish::Refuse { rcp });
        if matches!(state, PeerState::Invited | PeerState::Pending) {
            me.apply(&refused.expect("refused"));
            assert_eq!(me.model.peer_state(&rcp), None);
            assert!(me.model.charter(&rcp).is_none(), "nothing of it stays");
        } else {
            assert!(state_refusal(rcp, state.word())(&refused), "{state:?}");
        }
        let mut me = me.clone();
        set_state(&mut me, &peer, state);
        let left = me.decide(Wish::Leave { rcp });
        match state {
            PeerState::Left => assert!(matches!(left, Err(DeskRefusal::Nothing(_)))),
            _ => me.apply(&left.expect("left")).clear(),
        }
        assert_eq!(me.model.peer_state(&rcp), Some(PeerState::Left));
    }
}

/// The logs of which these facts call the peer a former reader, with the sizes.
fn formers(facts: &[Fact]) -> Vec<(corridor_proto::LogId, u64)> {
    let formers = facts.iter().filter_map(|fact| match fact {
        Fact::Former { log, size, .. } => Some((*log, *size)),
        _ => None,
    });
    let mut formers: Vec<_> = formers.collect();
    formers.sort();
    formers
}

#[test]
fn whoever_is_paused_or_left_may_hold_what_it_could_read_until_then() {
    let [mut me, mut peer, mut other] = [ME, PEER, ABOUT].map(Node::new);
    pair(&mut me, &mut peer);
    pair(&mut me, &mut other);
    let listed = me.open("listed", false, false, &[&peer]);
    let others = me.open("others", false, false, &[&other]);
    let empty = me.open("empty", false, false, &[&peer]);
    let public = me.circle("public");
    let private = me.model.private_log(&peer.rcp).expect("one").id;
    me.publish(1, "text", &[listed, others, public, private]);
    me.publish(2, "text", &[listed]);
    let mut expect = vec![(listed, 2), (public, 1)];
    expect.sort();
    let rcp = peer.rcp;
    let paused = me.clone().wish(Wish::Pause { rcp });
    assert_eq!(formers(&paused), expect, "{empty} has no line");
    let left = me.clone().wish(Wish::Leave { rcp });
    assert_eq!(formers(&left), expect);
    me.wish(Wish::Pause { rcp });
    let facts = me.wish(Wish::Resume { rcp });
    let again = facts.iter().filter_map(|fact| match fact {
        Fact::Reader { log, .. } => Some(*log),
        _ => None,
    });
    let mut again: Vec<_> = again.collect();
    again.sort();
    assert_eq!(
        again,
        expect.iter().map(|(log, _)| *log).collect::<Vec<_>>()
    );
}

/// What it was given while it could read stays with it, and withdrawals must find it there.
#[test]
fn whoever_is_left_after_its_right_ended_may_hold_what_it_could_read_before() {
    let [mut me, mut peer] = [ME, PEER].map(Node::new);
    pair(&mut me, &mut peer);
    let (rcp, until) = (peer.rcp, me.now.plus(1_000));
    for is_open in [true, false] {
        let mut me = me.clone();
        let log = me.open("listed", is_open, is_open, &[]);
        let readers = [(rcp, until)].into();
        me.wish(Wish::SetReaders { log, readers });
        me.publish(1, "text", &[log]);
        let size = me.log(&log).size();
        me.now = until;
        let facts = me.wish(Wish::Leave { rcp });
        assert_eq!(formers(&facts), [(log, size)]);
        let record = crate::samples::record(1);
        let facts = me.wish(Wish::Withdraw {
            record,
            up_to: None,
            reason: corridor_proto::line::WithdrawalReason::Error,
            note: None,
            replacement: None,
        });
        let private = me.model.private_log(&rcp).expect("one").id;
        let logs: Vec<_> = crate::samples::acts(&facts)
            .iter()
            .map(|act| act.0)
            .collect();
        assert!(logs.contains(&private), "it is told");
    }
}

#[test]
fn one_that_was_left_and_paired_again_reads_what_is_public_and_no_list() {
    let (mut me, mut peer) = strangers();
    pair(&mut me, &mut peer);
    let listed = me.open("listed", false, false, &[&peer]);
    let public = me.circle("public");
    me.publish(1, "text", &[listed, public]);
    me.wish(Wish::Leave { rcp: peer.rcp });
    peer.wish(Wish::Leave { rcp: me.rcp });
    meet(&mut me, &mut peer);
    assert!(me.log(&public).former.contains_key(&peer.rcp));
    me.wish(Wish::Confirm { rcp: peer.rcp });
    assert!(!me.log(&public).former.contains_key(&peer.rcp));
    assert_eq!(me.log(&listed).former.get(&peer.rcp), Some(&1));
}

#[test]
fn a_refused_one_may_hold_what_is_public() {
    let (mut me, mut peer) = strangers();
    let public = me.circle("public");
    me.publish(1, "text", &[public]);
    meet(&mut me, &mut peer);
    let facts = me.wish(Wish::Refuse { rcp: peer.rcp });
    assert_eq!(formers(&facts), [(public, 1)]);
}

#[test]
fn while_nothing_is_signed_a_pause_leaves_the_lists_as_they_are() {
    let (mut me, mut peer) = strangers();
    pair(&mut me, &mut peer);
    let relayed = me.open("relayed", true, true, &[&peer]);
    me.model.signing_stopped = Some("RESTORED_FROM_A_BACKUP".to_owned());
    let facts = me.wish(Wish::Pause { rcp: peer.rcp });
    assert!(
        !facts
            .iter()
            .any(|fact| matches!(fact, Fact::Lines { .. } | Fact::List { .. }))
    );
    assert_eq!(me.model.peer_state(&peer.rcp), Some(PeerState::Paused));
    assert!(me.log(&relayed).lists(&peer.rcp));
    // Once it signs again it takes the paused one off.
    me.model.signing_stopped = None;
    let facts = me.at_desk(|desk| desk.repeat()).expect("said");
    me.apply(&facts);
    assert!(!me.log(&relayed).lists(&peer.rcp));
    let facts = me.at_desk(|desk| desk.repeat()).expect("said");
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::Lines { .. })));
}
