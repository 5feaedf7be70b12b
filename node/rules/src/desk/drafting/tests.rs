//! Who may clear what, and with which clearance a record is published.

use super::*;
use crate::Place;
use crate::desk::Wish;
use crate::samples::{ME, Node};

fn hand(who: &str, four_eyes: bool) -> Hand {
    Hand {
        who: who.to_owned(),
        four_eyes,
    }
}

/// Saves a text as somebody, over a place.
fn save(me: &mut Node, record: Option<RecordId>, over: Option<Place>, who: &str) -> Decision {
    me.decide(Wish::SaveDraft(ToSave {
        record,
        kind: 1,
        body: b"a text".to_vec(),
        over,
        is_new: false,
        who: who.to_owned(),
    }))
}

/// A node with a draft that somebody wrote.
fn world(who: &str) -> (Node, RecordId) {
    let mut me = Node::new(ME);
    let facts = save(&mut me, None, None, who).expect("saved");
    let Fact::Draft { record, .. } = facts[0] else {
        panic!("{facts:?}");
    };
    me.apply(&facts);
    (me, record)
}

fn place(me: &Node, record: RecordId) -> Place {
    me.model.drafts.get(&record).expect("a draft").place
}

fn step(me: &mut Node, record: RecordId, step: Step, hand: Hand) -> Decision {
    let draft = place(me, record);
    me.decide(Wish::Step(ToStep {
        record,
        draft,
        step,
        hand,
        note: "a note".to_owned(),
        body: None,
    }))
}

fn publish(me: &mut Node, record: RecordId, hand: Hand) -> Decision {
    let circle = me.circle("federation");
    let mut draft = me.draft(record, "text", Some(&[circle]));
    draft.hand = Some(hand);
    me.decide(Wish::Publish(draft))
}

fn released(me: &Node, record: RecordId) -> Option<&str> {
    let taken = me.model.drafts.released(&record)?;
    Some(taken.who.as_str())
}

#[test]
fn whoever_publishes_clears_unless_somebody_did() {
    let (mut me, record) = world("editor");
    let facts = publish(&mut me, record, hand("clearer", true)).expect("published");
    me.apply(&facts);
    assert_eq!(released(&me, record), Some("clearer"));
    let (mut me, record) = world("editor");
    let facts = step(&mut me, record, Step::Cleared, hand("head", true)).expect("cleared");
    me.apply(&facts);
    let facts = publish(&mut me, record, hand("editor", true)).expect("published");
    me.apply(&facts);
    assert_eq!(released(&me, record), Some("head"), "not the publisher");
    let taken = me.model.drafts.released(&record).expect("released");
    assert_eq!((taken.note, taken.at), (None, me.now));
    assert_eq!(me.model.drafts.history(&record), None);
}

#[test]
fn nobody_clears_their_own_text_where_four_eyes_are_wanted() {
    let (mut me, record) = world("one");
    let facts = save(&mut me, Some(record), None, "other").expect("saved");
    me.apply(&facts);
    for who in ["one", "other"] {
        let refused = DeskRefusal::FourEyes {
            record,
            who: who.to_owned(),
        };
        let cleared = step(&mut me, record, Step::Cleared, hand(who, true));
        assert_eq!(cleared, Err(refused.clone()));
        assert_eq!(publish(&mut me, record, hand(who, true)), Err(refused));
        assert!(step(&mut me, record, Step::Cleared, hand(who, false)).is_ok());
        assert!(publish(&mut me, record, hand(who, false)).is_ok());
        assert!(step(&mut me, record, Step::Asked, hand(who, true)).is_ok());
        assert!(step(&mut me, record, Step::Returned, hand(who, true)).is_ok());
    }
    assert!(publish(&mut me, record, hand("third", true)).is_ok());
}

#[test]
fn what_was_given_back_is_not_published_as_it_is() {
    let (mut me, record) = world("editor");
    let facts = step(&mut me, record, Step::Returned, hand("head", false)).expect("returned");
    me.apply(&facts);
    let refused = publish(&mut me, record, hand("other", false));
    assert_eq!(refused, Err(DeskRefusal::GivenBack(record)));
    let mut cleared = me.clone();
    let facts = step(&mut cleared, record, Step::Cleared, hand("head", false)).expect("cleared");
    cleared.apply(&facts);
    let asked = step(&mut cleared, record, Step::Asked, hand("editor", false));
    assert!(
        matches!(asked, Err(DeskRefusal::Nothing(_))),
        "it would undo it"
    );
    assert!(publish(&mut cleared, record, hand("other", false)).is_ok());
    let facts = save(&mut me, Some(record), None, "editor").expect("saved");
    me.apply(&facts);
    assert!(
        publish(&mut me, record, hand("other", false)).is_ok(),
        "it was changed"
    );
}

#[test]
fn a_text_of_which_nobody_knows_who_wrote_it_is_nobodys_to_clear() {
    let (mut me, record) = world("");
    let unknown = Err(DeskRefusal::NoWriter(record));
    assert_eq!(publish(&mut me, record, hand("one", true)), unknown);
    assert_eq!(
        step(&mut me, record, Step::Cleared, hand("one", true)),
        unknown
    );
    assert!(publish(&mut me, record, hand("one", false)).is_ok());
    let facts = save(&mut me, Some(record), None, "other").expect("saved");
    me.apply(&facts);
    assert!(publish(&mut me, record, hand("one", true)).is_ok());
}

#[test]
fn a_text_that_changes_is_cleared_anew() {
    let (mut me, record) = world("editor");
    let facts = step(&mut me, record, Step::Cleared, hand("head", true)).expect("cleared");
    me.apply(&facts);
    let again = step(&mut me, record, Step::Cleared, hand("head", true));
    assert!(matches!(again, Err(DeskRefusal::Nothing(_))));
    let facts = save(&mut me, Some(record), None, "editor").expect("saved");
    me.apply(&facts);
    let refused = publish(&mut me, record, hand("editor", true));
    assert!(matches!(refused, Err(DeskRefusal::FourEyes { .. })));
    let facts = step(&mut me, record, Step::Cleared, hand("head", true)).expect("cleared");
    me.apply(&facts);
    assert!(publish(&mut me, record, hand("editor", true)).is_ok());
}

#[test]
fn a_step_is_of_the_text_that_was_read() {
    let (mut me, record) = world("editor");
    let old = place(&me, record);
    let facts = save(&mut me, Some(record), Some(old), "editor").expect("saved");
    me.apply(&facts);
    let changed = Err(DeskRefusal::ChangedMeanwhile(record));
    assert_eq!(save(&mut me, Some(record), Some(old), "other"), changed);
    let mut asked = ToStep {
        record,
        draft: old,
        step: Step::Cleared,
        hand: hand("head", false),
        note: String::new(),
        body: None,
    };
    assert_eq!(me.decide(Wish::Step(asked.clone())), changed);
    asked.draft = place(&me, record);
    asked.note = "n".repeat(STEP_NOTE_BYTES_MAX + 1);
    assert_eq!(me.decide(Wish::Step(asked.clone())), Err(NOTE_TOO_LONG));
    asked.note.pop();
    assert!(me.decide(Wish::Step(asked.clone())).is_ok());
    asked.record = RecordId::new([9; 16]);
    let unknown = me.decide(Wish::Step(asked));
    assert!(matches!(
        unknown,
        Err(DeskRefusal::Unknown { what: "draft", .. })
    ));
}

#[test]
fn a_clearance_that_readers_see_is_part_of_the_text_that_is_cleared() {
    let (mut me, record) = world("editor");
    let draft = place(&me, record);
    let facts = me.wish(Wish::Step(ToStep {
        record,
        draft,
        step: Step::Cleared,
        hand: hand("head", true),
        note: String::new(),
        body: Some(b"the text with its clearance".to_vec()),
    }));
    assert!(matches!(facts[..], [Fact::Draft { .. }, Fact::Step { .. }]));
    let history = me.model.drafts.history(&record).expect("a history");
    assert_eq!(history.clearance().map(|of| of.who.as_str()), Some("head"));
    assert!(!history.writers.contains("head"), "it wrote nothing");
}

#[test]
fn several_are_published_with_the_clearance_of_each() {
    let (mut me, one) = world("editor");
    let facts = save(&mut me, None, None, "head").expect("saved");
    let Fact::Draft { record: other, .. } = facts[0] else {
        panic!("{facts:?}");
    };
    me.apply(&facts);
    let circle = me.circle("federation");
    let all = |me: &Node, four_eyes| {
        let ready = [one, other].map(|record| {
            let mut draft = me.draft(record, "text", Some(&[circle]));
            draft.hand = Some(hand("head", four_eyes));
            draft
        });
        Wish::PublishAll(ready.to_vec())
    };
    let refused = me.decide(all(&me.clone(), true));
    assert!(matches!(refused, Err(DeskRefusal::OneOf { record, .. }) if record == other));
    me.wish(all(&me.clone(), false));
    assert_eq!(released(&me, one), Some("head"));
    assert_eq!(released(&me, other), Some("head"));
}
