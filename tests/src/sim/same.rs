//! Whether two models are the same, field by field.

use corridor_proto::Hash;
use corridor_rules::{Log, Model};

/// I9: two models are the same, field by field.
pub fn same_model(live: &Model, again: &Model) {
    assert_eq!(live.peers, again.peers, "I9: peers");
    assert_eq!(live.notes, again.notes, "I9: notes");
    assert_eq!(live.drafts, again.drafts, "I9: drafts");
    assert_eq!(live.held, again.held, "I9: receipts");
    assert_eq!(live.evidence, again.evidence, "I9: evidence");
    assert_eq!(live.contested, again.contested, "I9: contested records");
    assert_eq!(live.passing, again.passing, "I9: receipts passed on");
    assert_eq!(live.invitations, again.invitations, "I9: invitations");
    assert_eq!(live.accepted, again.accepted, "I9: accepted invitations");
    assert_eq!(
        (&live.starts, live.start),
        (&again.starts, again.start),
        "I9: starts"
    );
    assert_eq!(live.brakes, again.brakes, "I9: brakes");
    assert_eq!(live.signing_stopped, again.signing_stopped, "I9: signing");
    assert_eq!(live.revision, again.revision, "I9: revision");
    assert!(live.known.keys().eq(again.known.keys()), "I9: identities");
    for (rcp, known) in &live.known {
        let other = &again.known[rcp];
        assert_eq!(
            known.charter.events(),
            other.charter.events(),
            "I9: charter"
        );
        assert_eq!(
            (&known.card, known.card_place),
            (&other.card, other.card_place),
            "I9: card"
        );
    }
    assert!(live.logs.keys().eq(again.logs.keys()), "I9: logs");
    for (id, log) in &live.logs {
        same_log(log, &again.logs[id]);
    }
}

fn same_log(a: &Log, b: &Log) {
    assert_eq!(root(a), root(b), "I9: root");
    assert_eq!(
        (a.owner, a.seed, a.sort, &a.name),
        (b.owner, b.seed, b.sort, &b.name),
        "I9: log"
    );
    assert_eq!(a.incarnation, b.incarnation, "I9: incarnation");
    assert_eq!(
        (&a.head, &a.held_head),
        (&b.head, &b.held_head),
        "I9: heads"
    );
    assert_eq!(
        (a.readers_line, &a.readers),
        (b.readers_line, &b.readers),
        "I9: readers"
    );
    assert_eq!(a.former, b.former, "I9: former readers");
    assert_eq!(a.suspended, b.suspended, "I9: suspended readers");
    assert_eq!(
        (a.last_withdrawal, a.stop),
        (b.last_withdrawal, b.stop),
        "I9: log state"
    );
    assert_eq!(a.missing, b.missing, "I9: missing bodies");
}

/// Size and root.
pub fn root(log: &Log) -> (u64, Option<Hash>) {
    (log.size(), log.tree.root_at(log.size()))
}
