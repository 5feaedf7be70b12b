//! What steps add up to, whatever order and number they come in.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const RECORD: RecordId = RecordId::new([1; 16]);

fn taken(step: Step, who: &str, at: u64) -> Taken {
    Taken {
        step,
        at: UnixMillis(at),
        who: who.to_owned(),
        note: None,
    }
}

fn draft(at: u64) -> Draft {
    Draft {
        kind: 1,
        at: UnixMillis(at),
        place: Place {
            offset: at,
            ..Place::default()
        },
    }
}

#[test]
fn a_clearance_is_of_one_text() {
    let mut drafts = Drafts::new();
    let cleared = taken(Step::Cleared, "clearer", 3);
    assert_eq!(drafts.saved(RECORD, draft(1)), None);
    drafts.step(RECORD, taken(Step::Written, "editor", 1));
    let clearance = |drafts: &Drafts| drafts.history(&RECORD)?.clearance().cloned();
    assert_eq!(clearance(&drafts), None);
    drafts.step(RECORD, cleared.clone());
    assert_eq!(clearance(&drafts), Some(cleared.clone()));
    assert_eq!(drafts.saved(RECORD, draft(4)), Some(draft(1).place));
    assert_eq!(
        clearance(&drafts),
        None,
        "of another text, whoever saved it"
    );
    drafts.step(RECORD, cleared.clone());
    drafts.step(RECORD, taken(Step::Returned, "clearer", 5));
    assert_eq!(clearance(&drafts), None, "and only until it is given back");
    assert_eq!(drafts.gone(&RECORD), [draft(4).place]);
    assert_eq!(drafts.history(&RECORD), None);
    assert_eq!(drafts.released(&RECORD), None, "it was discarded");
}

#[test]
fn a_published_record_keeps_its_clearance_when_the_draft_is_gone() {
    let mut drafts = Drafts::new();
    drafts.saved(RECORD, draft(1));
    drafts.gone(&RECORD);
    let released = taken(Step::Released, "clearer", 2);
    drafts.step(RECORD, released.clone());
    assert_eq!(drafts.released(&RECORD), Some(&released));
    drafts.saved(RECORD, draft(3));
    assert_eq!(drafts.released(&RECORD), Some(&released), "until the next");
    assert_eq!(drafts.history(&RECORD), None);
}

#[test]
fn who_saves_often_writes_once() {
    let mut drafts = Drafts::new();
    for at in 0..40 {
        drafts.step(RECORD, taken(Step::Written, "one", at));
    }
    let last = taken(Step::Written, "one", 39);
    let steps = |drafts: &Drafts| drafts.history(&RECORD).map(|of| of.steps.clone());
    assert_eq!(steps(&drafts), Some(vec![last]));
    for at in 0..40 {
        let who = ["one", "other"][usize::from(at % 2 == 0)];
        drafts.step(RECORD, taken(Step::Written, who, at));
    }
    assert_eq!(steps(&drafts).map(|of| of.len()), Some(STEPS_MAX));
    let history = drafts.history(&RECORD).expect("steps");
    assert_eq!(history.writers.len(), 2, "nobody is forgotten");
}

/// A step to which something was said, and where that lies.
fn said(at: u64) -> (Taken, Place) {
    let mut taken = taken(Step::Returned, "clearer", at);
    let place = Place {
        offset: 100 + at,
        ..Place::default()
    };
    taken.note = Some(place);
    (taken, place)
}

#[test]
fn what_was_said_goes_with_its_draft_or_when_it_is_out_of_sight() {
    let mut drafts = Drafts::new();
    drafts.saved(RECORD, draft(1));
    let mut places = Vec::new();
    for at in 0..20 {
        let (taken, place) = said(at);
        places.push(place);
        let gone = drafts.step(RECORD, taken);
        let out = usize::try_from(at).expect("few").checked_sub(STEPS_MAX);
        assert_eq!(
            gone,
            out.map(|out| places[out]).into_iter().collect::<Vec<_>>()
        );
    }
    let moved = Place {
        segment: 9,
        ..Place::default()
    };
    assert_eq!(drafts.places_mut().count(), 1 + STEPS_MAX);
    drafts.places_mut().for_each(|place| *place = moved);
    assert_eq!(drafts.gone(&RECORD), vec![moved; 1 + STEPS_MAX]);
}

#[derive(Clone, Debug)]
enum Did {
    Saved,
    Gone,
    Took(Step, &'static str),
}

fn did() -> impl Strategy<Value = Did> {
    let who = prop_oneof![Just("one"), Just("other")];
    let step = prop_oneof![
        Just(Step::Written),
        Just(Step::Asked),
        Just(Step::Cleared),
        Just(Step::Returned),
        Just(Step::Released),
    ];
    prop_oneof![
        3 => Just(Did::Saved),
        1 => Just(Did::Gone),
        6 => (step, who).prop_map(|(step, who)| Did::Took(step, who)),
    ]
}

proptest! {
    /// A compacted journal lacks the texts that another one replaced, or that are gone.
    #[test]
    fn earlier_texts_change_nothing(all in vec(did(), 0..40)) {
        let (mut whole, mut compacted) = (Drafts::new(), Drafts::new());
        for (at, one) in all.iter().enumerate() {
            let rest = all[at + 1..].iter();
            let is_newest = rest.clone().all(|later| !matches!(later, Did::Saved | Did::Gone));
            let time = u64::try_from(at).expect("few");
            for (drafts, is_compacted) in [(&mut whole, false), (&mut compacted, true)] {
                match one {
                    Did::Saved if is_compacted && !is_newest => {}
                    Did::Saved => drop(drafts.saved(RECORD, draft(time))),
                    Did::Gone => drop(drafts.gone(&RECORD)),
                    Did::Took(step, who) => drop(drafts.step(RECORD, taken(*step, who, time))),
                }
            }
        }
        // A text that is gone may have been changed last; nobody asks that any more.
        prop_assert_eq!(whole.get(&RECORD), compacted.get(&RECORD));
        prop_assert_eq!(whole.released(&RECORD), compacted.released(&RECORD));
        if whole.contains_key(&RECORD) {
            let (one, other) = (whole.history(&RECORD), compacted.history(&RECORD));
            prop_assert_eq!(one.map(|of| &of.writers), other.map(|of| &of.writers));
            prop_assert_eq!(one.and_then(History::clearance), other.and_then(History::clearance));
        }
    }
}
