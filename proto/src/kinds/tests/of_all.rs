//! What holds of every kind, on a good body of each.

use data_encoding::HEXLOWER;

use super::super::samples::{all, english};
use super::super::{FieldViolation, Kind, Link, Shown, canonical, check, summarise};
use crate::domain::{self, Domain};
use crate::v1::LanguageText;

#[test]
fn samples_are_good_and_canonical() {
    for (kind, body) in all() {
        assert!(
            check(kind, &body).is_ok(),
            "{kind}: {:?}",
            check(kind, &body)
        );
        assert_eq!(canonical(kind, &body), Ok(body), "{kind}");
    }
}

/// The good body of one kind.
fn sample(kind: Kind) -> Vec<u8> {
    let (_, body) = &all()[usize::from(kind.code()) - 1];
    body.clone()
}

#[test]
fn empty_bodies_lack_everything_required() {
    let common = ["envelope", "title", "summary"];
    let lacks = |kind, rest: &[&str]| {
        let violations = check(kind, b"").err().unwrap_or_default();
        let found: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(found, rest, "{kind}");
    };
    lacks(
        Kind::Practice,
        &[
            &common[..],
            &["depth", "stage", "start_year", "implementers"],
        ]
        .concat(),
    );
    let rest = ["what_happened", "do_differently", "basis", "attribution"];
    lacks(Kind::Lesson, &[&common[..], &rest].concat());
    lacks(
        Kind::Recommendation,
        &[&common[..], &["instrument"]].concat(),
    );
    lacks(
        Kind::Profile,
        &[
            "envelope", "name", "acronym", "rcp_kind", "status", "founded",
        ],
    );
    let term = ["concept_id", "pref_label", "definition", "status"];
    lacks(Kind::Term, &[&["envelope"][..], &term].concat());
    lacks(Kind::Mapping, &["envelope", "from", "to", "relation"]);
    let meeting = "envelope title level starts_on ends_on host mode openness status";
    lacks(Kind::Meeting, &meeting.split(' ').collect::<Vec<_>>());
    let invitation = "envelope meeting direction to purpose reply_by";
    lacks(Kind::Invitation, &invitation.split(' ').collect::<Vec<_>>());
    let presentation = "envelope title summary given_on host";
    lacks(
        Kind::Presentation,
        &presentation.split(' ').collect::<Vec<_>>(),
    );
    let grant = "envelope grantee decided_by decided_on levels rights onward_sharing valid_from";
    lacks(Kind::ObserverGrant, &grant.split(' ').collect::<Vec<_>>());
    let contribution = "envelope forum edition contribution_kind title paragraphs \
                        internal_deadline endorsement_mode";
    lacks(
        Kind::Contribution,
        &contribution.split_whitespace().collect::<Vec<_>>(),
    );
    let endorsement = "envelope contribution position basis signed_on";
    lacks(
        Kind::Endorsement,
        &endorsement.split(' ').collect::<Vec<_>>(),
    );
    lacks(
        Kind::Review,
        &["envelope", "title", "round", "items", "cleared_by"],
    );
    lacks(
        Kind::Contact,
        &["envelope", "role", "organisation", "email"],
    );
    lacks(Kind::Act, &["envelope", "about", "verb"]);
}

#[test]
fn every_link_is_named() -> Result<(), Vec<FieldViolation>> {
    for (kind, links) in [
        (Kind::Term, &[][..]),
        (Kind::Mapping, &[1]),
        (Kind::Meeting, &[1]),
        (Kind::Invitation, &[1, 2]),
        (Kind::Presentation, &[1, 2, 3]),
        (Kind::ObserverGrant, &[2]),
        (Kind::Contribution, &[1]),
        (Kind::Endorsement, &[1]),
        (Kind::Review, &[1]),
        (Kind::Contact, &[]),
        (Kind::Act, &[1]),
    ] {
        let named: Vec<Link> = links
            .iter()
            .map(|byte| Link {
                rcp: [*byte; 32],
                record: [*byte; 16],
            })
            .collect();
        assert_eq!(check(kind, &sample(kind))?.links, named, "{kind}");
    }
    Ok(())
}

/// The encoding of a body is signed for ever: the hash of one in which most fields are filled in.
#[test]
fn golden_hashes_of_all_kinds() {
    let found: Vec<_> = all()
        .into_iter()
        .map(|(kind, body)| {
            let hash = domain::hash(Domain::Body, &[&body]);
            format!("{kind} {}", HEXLOWER.encode(&hash.as_bytes()[..8]))
        })
        .collect();
    assert_eq!(found, GOLDEN_HASHES);
}

const GOLDEN_HASHES: [&str; 16] = [
    "practice c34ab69996be886a",
    "lesson bfc80ccd2c15b71a",
    "recommendation 8024973960dbb760",
    "guideline 8024973960dbb760",
    "profile c0ab736a156813af",
    "term abcb34a67dc16074",
    "mapping a3acedc93e350842",
    "meeting db1f50ac282c5b2c",
    "invitation c60e077319d6333a",
    "presentation 6e8ee92916835b7a",
    "observer_grant 54bfe2e8acd27890",
    "contribution 6ae3f84a2b18e461",
    "endorsement 899fe01c38a964e1",
    "review 17c701ac8d811f72",
    "contact 8fb9f8297f2202b2",
    "act da8d0ffb3893fcbf",
];

#[test]
fn each_kind_is_told_by_what_it_has() {
    let shown = |kind: Kind| {
        let Shown::Understood(shown) = summarise(kind.code(), &sample(kind)) else {
            panic!("a {kind} is understood");
        };
        let first = |texts: &[LanguageText]| texts.first().map(|one| one.text.clone());
        (
            first(&shown.title),
            first(&shown.summary),
            shown.first_year,
            shown.last_year,
        )
    };
    let some = |text: &str| Some(text.to_owned());
    let words = |count| Some(english(count)[0].text.clone());
    let year = Some(2026);
    let officials = some("Senior Officials' Meeting");
    let centres = some("Resource centres for migrants");
    let fair = some("Fair recruitment along one corridor");
    let progress = some("Progress review 2026");
    assert_eq!(
        shown(Kind::Term),
        (some("mixed movements"), words(12), None, None)
    );
    assert_eq!(shown(Kind::Mapping), (None, None, None, None));
    assert_eq!(shown(Kind::Meeting), (officials, None, year, year));
    assert_eq!(shown(Kind::Invitation), (centres.clone(), None, year, None));
    assert_eq!(shown(Kind::Presentation), (centres, words(3), year, year));
    assert_eq!(shown(Kind::ObserverGrant), (None, None, year, Some(2028)));
    assert_eq!(shown(Kind::Contribution), (fair, None, year, None));
    assert_eq!(shown(Kind::Endorsement), (None, None, year, year));
    assert_eq!(shown(Kind::Review), (progress, None, year, year));
    assert_eq!(
        shown(Kind::Contact),
        (some("Abu Dhabi Dialogue"), None, None, Some(2027))
    );
    assert_eq!(shown(Kind::Act), (None, words(6), None, None));
}
