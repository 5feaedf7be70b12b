//! What must hold of the checks, the canonical form and the summaries for any bytes.
//!
//! It imports the samples. **Invariant:** no example written by hand; those are in `tests`.

use proptest::prelude::*;
use prost::Message;

use super::samples::{envelope, link, practice};
use super::{Kind, canonical, check, summarise};
use crate::v1::*;

/// Texts as hands and spreadsheets leave them.
fn untidy_texts() -> impl Strategy<Value = Vec<LanguageText>> {
    let tag = prop_oneof!["[a-zA-Z]{2}(-[a-zA-Z]{4})?(-[a-zA-Z]{2})?", ".{0,4}"];
    let text = prop_oneof![".{0,20}", "[ae\u{301}\u{A0}\r\n ]{0,6}"];
    let one = (tag, text).prop_map(|(tag, text)| LanguageText { tag, text });
    prop::collection::vec(one, 0..5)
}

prop_compose! {
    fn untidy_practice()(
        title in untidy_texts(),
        summary in untidy_texts(),
        label in untidy_texts(),
        countries in prop::collection::vec("[ A-Za-z]{2,3}", 0..5),
        objectives in prop::collection::vec(0_u32..30, 0..6),
        links in prop::collection::vec(0_u8..4, 0..6),
        beneficiaries in prop::collection::vec(0_i32..20, 0..5),
        name in ".{0,9}",
    ) -> Practice {
        let theme = |label| Theme { concept: String::new(), label: Some(label) };
        Practice {
            envelope: Some(Envelope {
                countries,
                gcm_objectives: objectives,
                themes: label.into_iter().map(theme).collect(),
                related: links.into_iter().map(link).collect(),
                our_ref: name,
                ..envelope()
            }),
            title,
            summary,
            beneficiaries,
            ..practice()
        }
    }
}

proptest! {
    #[test]
    fn nothing_panics_on_any_bytes(
        code in 0_u16..20,
        body in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let _ = summarise(code, &body);
        if let Some(kind) = Kind::from_code(code) {
            let _ = (check(kind, &body), canonical(kind, &body));
        }
    }

    #[test]
    fn nothing_panics_on_damaged_bodies(
        code in 1_u16..=16,
        practice in untidy_practice(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut body = practice.encode_to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        let _ = summarise(code, &body);
        if let Some(kind) = Kind::from_code(code) {
            let _ = (check(kind, &body), canonical(kind, &body));
        }
    }

    #[test]
    fn canonical_is_stable_and_leaves_nothing_untidy(practice in untidy_practice()) {
        let body = practice.encode_to_vec();
        let once = canonical(Kind::Practice, &body);
        let once = once.map_err(|found| TestCaseError::fail(format!("{found:?}")))?;
        prop_assert_eq!(canonical(Kind::Practice, &once), Ok(once.clone()));
        for violation in check(Kind::Practice, &once).err().unwrap_or_default() {
            for untidy in ["out of order", "white space", "normalisation", "canonical case"] {
                prop_assert!(!violation.what.contains(untidy), "{violation:?}");
            }
        }
    }

    #[test]
    fn a_good_body_is_canonical(
        objectives in prop::sample::subsequence((1..=23).collect::<Vec<u32>>(), 1..6),
    ) {
        let mut good = practice();
        good.envelope = Some(Envelope { gcm_objectives: objectives, ..envelope() });
        let body = good.encode_to_vec();
        prop_assert!(check(Kind::Practice, &body).is_ok());
        prop_assert_eq!(canonical(Kind::Practice, &body), Ok(body));
    }
}
