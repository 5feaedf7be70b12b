//! Many drafts at once: all of them as they were read, or none.

use super::*;
use crate::desk::Wish;
use crate::samples::{ME, Node, record};

fn draft(byte: u8, was: Option<AsRead>) -> DraftToSave {
    DraftToSave {
        record: record(byte),
        kind: 3,
        body: vec![byte; 4],
        was,
        who: String::new(),
    }
}

fn change(
    node: &mut Node,
    save: Vec<DraftToSave>,
    discard: Vec<(RecordId, Place)>,
) -> Result<Vec<Fact>, DeskRefusal> {
    node.decide(Wish::ChangeDrafts { save, discard })
}

fn as_read(node: &Node, byte: u8) -> AsRead {
    let drafts = &node.model.drafts;
    AsRead {
        draft: drafts.get(&record(byte)).map(|draft| draft.place),
        newest: None,
    }
}

#[test]
fn drafts_are_saved_and_discarded_together() {
    let mut me = Node::new(ME);
    let facts = change(&mut me, vec![draft(1, None), draft(2, None)], Vec::new());
    let facts = facts.expect("two new ones");
    assert_eq!(facts.len(), 2);
    me.apply(&facts);
    let (one, two) = (as_read(&me, 1), as_read(&me, 2));
    let place = two.draft.expect("a draft");
    let facts = change(&mut me, vec![draft(1, Some(one))], vec![(record(2), place)]);
    me.apply(&facts.expect("one changed, one gone"));
    assert!(me.model.drafts.contains_key(&record(1)));
    assert!(!me.model.drafts.contains_key(&record(2)));
    let again = change(&mut me, vec![draft(1, Some(one))], Vec::new());
    assert_eq!(again, Err(DeskRefusal::ChangedMeanwhile(record(1))));
    let gone = change(&mut me, Vec::new(), vec![(record(2), place)]);
    assert_eq!(gone, Err(DeskRefusal::ChangedMeanwhile(record(2))));
}

#[test]
fn a_new_one_is_new_and_one_that_is_changed_is_as_it_was_read() {
    let mut me = Node::new(ME);
    let none = AsRead {
        draft: None,
        newest: None,
    };
    let unknown = change(&mut me, vec![draft(1, Some(none))], Vec::new());
    assert_eq!(unknown, Err(unknown_record(record(1))));
    let circle = me.circle("federation");
    me.publish(1, "text", &[circle]);
    let there = change(&mut me, vec![draft(2, None), draft(1, None)], Vec::new());
    assert_eq!(there, Err(DeskRefusal::ChangedMeanwhile(record(1))));
    let newest = me.row(1).newest().map(|held| held.place);
    let read = AsRead {
        draft: None,
        newest,
    };
    assert!(change(&mut me, vec![draft(1, Some(read))], Vec::new()).is_ok());
    me.publish(1, "a later text", &[circle]);
    let later = change(&mut me, vec![draft(1, Some(read))], Vec::new());
    assert_eq!(later, Err(DeskRefusal::ChangedMeanwhile(record(1))));
    me.withdraw(1, None);
    let withdrawn = change(&mut me, vec![draft(1, Some(none))], Vec::new());
    assert_eq!(withdrawn, Err(DeskRefusal::Withdrawn(record(1))));
}

#[test]
fn so_many_and_no_more_each_once() {
    let mut me = Node::new(ME);
    let twice = change(&mut me, vec![draft(1, None), draft(1, None)], Vec::new());
    assert!(matches!(twice, Err(DeskRefusal::Nothing(_))));
    let number = |at: usize| u16::try_from(at).unwrap_or(u16::MAX).to_be_bytes();
    let many = |count: usize, bytes: usize| -> Vec<DraftToSave> {
        let one = |at| DraftToSave {
            record: RecordId::new([&[1; 14][..], &number(at)].concat().try_into().expect("16")),
            body: vec![1; bytes],
            ..draft(1, None)
        };
        (0..count).map(one).collect()
    };
    assert!(change(&mut me, many(DRAFTS_MAX, 1), Vec::new()).is_ok());
    let most = change(&mut me, many(DRAFTS_MAX + 1, 1), Vec::new());
    assert_eq!(most, Err(TOO_MANY_AT_ONCE));
    let bytes = change(&mut me, many(2, DRAFTS_BYTES_MAX / 2 + 1), Vec::new());
    assert_eq!(bytes, Err(TOO_MANY_AT_ONCE));
}
