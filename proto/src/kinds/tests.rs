//! The rules of all kinds, as tables of what breaks them.
//!
//! It imports the samples. **Invariant:** each case spoils a good body in one way, so what is found
//! is what was spoiled.

mod of_all;

use data_encoding::HEXLOWER;
use prost::Message;

use super::samples::{english, envelope, lesson, link, practice, profile, recommendation, texts};
use super::{Authored, FieldViolation, Kind, Shown, check, summarise};
use crate::v1::*;

/// Spoils a good body and compares the fields found wrong.
pub(super) fn refuses<B: Message>(
    kind: Kind,
    good: B,
    spoil: impl FnOnce(&mut B),
    expect: &[&str],
) {
    let mut body = good;
    spoil(&mut body);
    let violations = check(kind, &body.encode_to_vec()).err().unwrap_or_default();
    let found: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(found, expect, "{violations:?}");
    for violation in &violations {
        assert!(
            !violation.what.is_empty() && !violation.remedy.is_empty(),
            "{violation:?}"
        );
    }
}

fn in_practice(spoil: fn(&mut Practice), expect: &[&str]) {
    refuses(Kind::Practice, practice(), spoil, expect);
}

fn in_envelope(spoil: fn(&mut Envelope), expect: &[&str]) {
    let spoil = |body: &mut Practice| spoil(body.envelope.get_or_insert_default());
    let expect: Vec<_> = expect
        .iter()
        .map(|field| format!("envelope.{field}"))
        .collect();
    let expect: Vec<_> = expect.iter().map(String::as_str).collect();
    refuses(Kind::Practice, practice(), spoil, &expect);
}

#[test]
fn an_empty_envelope_lacks_what_is_required_of_it() {
    in_practice(
        |p| p.envelope = Some(Envelope::default()),
        &[
            "envelope.author_role",
            "envelope.standing",
            "envelope.source_lang",
            "title",
            "summary",
            "envelope.translations",
            "envelope.gcm_objectives",
            "envelope.marking",
        ],
    );
}

#[test]
fn texts_have_one_form() {
    in_practice(|p| p.title = vec![], &["title"]);
    in_practice(|p| p.title[0].text = "x".repeat(121), &["title[0].text"]);
    in_practice(|p| p.title[0].text = "é".repeat(120), &[]);
    in_practice(|p| p.title[0].text.clear(), &["title[0].text"]);
    in_practice(|p| p.title[0].text.push(' '), &["title[0].text"]);
    in_practice(|p| p.title[0].text.insert(0, '\u{A0}'), &["title[0].text"]);
    in_practice(
        |p| p.title[0].text = "re\u{301}union".into(),
        &["title[0].text"],
    );
    in_practice(
        |p| p.title[0].text = "two\nlines".into(),
        &["title[0].text"],
    );
    in_practice(|p| p.problem = texts(&[("en", "two\nlines")]), &[]);
    in_practice(
        |p| p.problem = texts(&[("en", "a\u{7}b")]),
        &["problem[0].text"],
    );
    for bidi in ['\u{202A}', '\u{202E}', '\u{2066}', '\u{2069}'] {
        let text = format!("a{bidi}b");
        let spoil = |p: &mut Practice| p.problem = texts(&[("en", &text)]);
        refuses(Kind::Practice, practice(), spoil, &["problem[0].text"]);
    }
    in_practice(|p| p.problem = texts(&[("en", "a\u{200F}b")]), &[]);
    in_practice(|p| p.summary = english(39), &["summary[0].text"]);
    in_practice(|p| p.summary = english(121), &["summary[0].text"]);
}

#[test]
fn languages_are_canonical_unique_and_ascending() {
    // That of each other language is said how it was made is another rule.
    let other = "envelope.translations";
    let in_problem = |languages: &[(&str, &str)], expect: &[&str]| {
        let spoil = |p: &mut Practice| p.problem = texts(languages);
        refuses(Kind::Practice, practice(), spoil, expect);
    };
    in_problem(&[("EN", "x")], &[other, "problem[0].tag"]);
    in_problem(&[("english!", "x")], &[other, "problem[0].tag"]);
    in_problem(&[("zh-Hant", "x")], &[other]);
    in_problem(&[("fr", "x"), ("en", "y")], &[other, "problem[1]"]);
    in_problem(&[("en", "x"), ("en", "y")], &["problem[1]"]);
    in_practice(
        |p| {
            let one = |i| LanguageText {
                tag: format!("x-{i:02}"),
                text: "x".into(),
            };
            p.problem = (0..33).map(one).collect();
        },
        &["envelope.translations", "problem"],
    );
    in_envelope(
        |e| e.languages = vec!["fr".into(), "EN".into()],
        &["languages[1]", "languages[1]"],
    );
    in_practice(
        |p| p.envelope.get_or_insert_default().source_lang = "fr".into(),
        &["title", "summary", "envelope.translations"],
    );
}

#[test]
fn translations_say_how_they_were_made() {
    let machine = |tag: &str| Translation {
        tag: tag.into(),
        origin: TranslationOrigin::Machine.into(),
    };
    let bilingual = || {
        let mut body = practice();
        body.title = texts(&[("en", "One path"), ("fr", "Un parcours")]);
        body.envelope = Some(Envelope {
            translations: vec![machine("fr")],
            ..envelope()
        });
        body
    };
    let refused = |spoil: fn(&mut Vec<Translation>), expect: &[&str]| {
        let spoil = |p: &mut Practice| {
            spoil(&mut p.envelope.get_or_insert_default().translations);
        };
        refuses(Kind::Practice, bilingual(), spoil, expect);
    };
    refused(|_| {}, &[]);
    refused(Vec::clear, &["envelope.translations"]);
    refused(
        |all| all[0].origin = 0,
        &["envelope.translations[0].origin"],
    );
    refused(
        |all| all[0].origin = 9,
        &["envelope.translations[0].origin"],
    );
    refused(
        |all| {
            all.insert(
                0,
                Translation {
                    tag: "en".into(),
                    origin: 1,
                },
            )
        },
        &["envelope.translations[0]"],
    );
}

#[test]
fn envelopes_use_the_vocabularies() {
    in_envelope(|e| e.author_role = 5, &["author_role"]);
    in_envelope(|e| e.standing = -1, &["standing"]);
    in_envelope(|e| e.marking = 0, &["marking"]);
    in_envelope(|e| e.countries = vec!["XX".into()], &["countries[0]"]);
    in_envelope(
        |e| e.countries = vec!["HK".into(), "MO".into(), "XK".into()],
        &[],
    );
    in_envelope(
        |e| e.countries = vec!["PH".into(), "AE".into()],
        &["countries[1]"],
    );
    in_envelope(|e| e.gcm_objectives = vec![], &["gcm_objectives"]);
    in_envelope(
        |e| {
            e.gcm_objectives = vec![];
            e.other_framework = texts(&[("en", "Regional action plan")]);
        },
        &[],
    );
    in_envelope(
        |e| e.gcm_objectives = vec![0, 23, 24, 23],
        &[
            "gcm_objectives[0]",
            "gcm_objectives[2]",
            "gcm_objectives[3]",
        ],
    );
    in_envelope(
        |e| e.gcm_principles = vec!["rights".into()],
        &["gcm_principles[0]"],
    );
    in_envelope(|e| e.embargo_until = "2026-05".into(), &["embargo_until"]);
    in_envelope(|e| e.review_by = "2026-02-30".into(), &["review_by"]);
    in_envelope(|e| e.no_attribution = true, &["no_attribution"]);
    in_envelope(
        |e| {
            e.corridor = Some(Corridor {
                from: vec![],
                to: vec!["ae".into()],
            })
        },
        &["corridor.from", "corridor.to[0]"],
    );
    in_envelope(
        |e| e.clearance = Some(Clearance::default()),
        &["clearance.by_role", "clearance.date"],
    );
    in_envelope(
        |e| {
            let source = |url: &str| Source {
                url: url.into(),
                ..Default::default()
            };
            e.sources = [
                "",
                "javascript:alert(1)",
                "https:///x",
                "https://a b",
                "http://iom.int",
            ]
            .map(source)
            .into();
        },
        &[
            "sources[0].url",
            "sources[1].url",
            "sources[2].url",
            "sources[3].url",
        ],
    );
}

#[test]
fn themes_are_concepts_or_labels() {
    let refused = |themes: Vec<Theme>, expect: &[&str]| {
        let spoil = |p: &mut Practice| p.envelope.get_or_insert_default().themes = themes;
        refuses(Kind::Practice, practice(), spoil, expect);
    };
    let concept = |id: &str| Theme {
        concept: id.into(),
        label: None,
    };
    let label = |tag, text| Theme {
        concept: String::new(),
        label: texts(&[(tag, text)]).pop(),
    };
    refused(
        vec![
            concept("return"),
            label("en", "wages"),
            label("fr", "asile"),
        ],
        &[],
    );
    refused(vec![Theme::default()], &["envelope.themes[0]"]);
    refused(
        vec![concept("Mixed Movements")],
        &["envelope.themes[0].concept"],
    );
    let long = "x".repeat(121);
    refused(vec![label("en", &long)], &["envelope.themes[0].label.text"]);
    refused(
        vec![label("en", "x"), concept("return")],
        &["envelope.themes[1]"],
    );
    let both = Theme {
        concept: "return".into(),
        ..label("en", "return")
    };
    refused(vec![both], &["envelope.themes[0]"]);
}

#[test]
fn attachments_cannot_leave_their_folder() {
    let refused = |spoil: fn(&mut Attachment), expect: &[&str]| {
        let mut one = Attachment {
            id: vec![7; 32],
            name: "guide.pdf".into(),
            mime: "application/pdf".into(),
            bytes: 1,
        };
        spoil(&mut one);
        let expect: Vec<_> = expect
            .iter()
            .map(|field| format!("envelope.attachments[0].{field}"))
            .collect();
        let expect: Vec<_> = expect.iter().map(String::as_str).collect();
        let put = |p: &mut Practice| p.envelope.get_or_insert_default().attachments = vec![one];
        refuses(Kind::Practice, practice(), put, &expect);
    };
    refused(|_| {}, &[]);
    refused(|a| a.id = vec![7; 31], &["id"]);
    refused(|a| a.id = vec![0; 32], &["id"]);
    refused(|a| a.name = "../guide.pdf".into(), &["name"]);
    refused(|a| a.name = "a\\b".into(), &["name"]);
    refused(|a| a.mime = "pdf".into(), &["mime"]);
    refused(|a| a.bytes = 0, &["bytes"]);
    refused(|a| a.bytes = 26_214_401, &["bytes"]);
}

#[test]
fn practices_are_complete() {
    in_practice(
        |p| p.depth = PracticeDepth::Full.into(),
        &["problem", "approach", "steps", "lessons"],
    );
    in_practice(|p| p.depth = 3, &["depth"]);
    in_practice(|p| p.start_year = 1815, &["start_year"]);
    in_practice(|p| p.end_year = 2013, &["end_year"]);
    in_practice(|p| p.end_year = 2014, &[]);
    in_practice(|p| p.level = Some(0), &["level"]);
    in_practice(
        |p| p.beneficiaries = vec![3, 1, 99],
        &["beneficiaries[2]", "beneficiaries[1]"],
    );
    in_practice(
        |p| p.lessons = vec![Passage::default()],
        &["lessons[0].text"],
    );
    in_practice(|p| p.cost = Some(PracticeCost::default()), &["cost.band"]);
    in_practice(
        |p| p.results = vec![PracticeResult::default()],
        &["results[0].indicator", "results[0].value"],
    );
    in_practice(
        |p| p.steps = vec![PracticeStep::default()],
        &["steps[0].title", "steps[0].text"],
    );
    in_practice(
        |p| {
            p.partners = vec![Organisation {
                name: String::new(),
                kind: Some(7),
            }]
        },
        &["partners[0].name", "partners[0].kind"],
    );
}

#[test]
fn other_kinds_keep_their_rules() {
    refuses(
        Kind::Lesson,
        lesson(),
        |l| l.about = vec![link(2), link(1)],
        &["about[1]"],
    );
    refuses(
        Kind::Guideline,
        recommendation(),
        |r| {
            r.items[1].number = 1;
            r.items[1].objective = 24;
            r.period = Some(Period {
                from: "2024-05".into(),
                to: "2023".into(),
            });
            r.adopted_on = "autumn".into();
        },
        &["adopted_on", "items[1].objective", "items[1]", "period.to"],
    );
    refuses(
        Kind::Profile,
        profile(),
        |p| {
            p.chairs = vec![
                Chair::default(),
                Chair {
                    country: "EU".into(),
                    ..Default::default()
                },
            ];
            p.secretariat = Some(Secretariat::default());
            p.successor_of = vec![Predecessor {
                name: String::new(),
                rcp: vec![1; 3],
            }];
            p.sharing_defaults = Some(SharingDefaults {
                embargo_days: 3_651,
                ..Default::default()
            });
        },
        &[
            "secretariat.host",
            "chairs[0]",
            "chairs[1].country",
            "sharing_defaults.embargo_days",
            "successor_of[0].name",
            "successor_of[0].rcp",
        ],
    );
}

#[test]
fn every_link_and_attachment_is_named() -> Result<(), Vec<FieldViolation>> {
    let mut body = practice();
    body.contact = Some(link(5));
    let attachment = Attachment {
        id: vec![9; 32],
        name: "a".into(),
        mime: "a/b".into(),
        bytes: 1,
    };
    body.envelope = Some(Envelope {
        supersedes: vec![link(1)],
        replaces: vec![link(2)],
        related: vec![link(3), link(5)],
        based_on: vec![link(4)],
        attachments: vec![attachment],
        ..envelope()
    });
    let named = |bytes: &[u8]| -> Vec<super::Link> {
        bytes
            .iter()
            .map(|b| super::Link {
                rcp: [*b; 32],
                record: [*b; 16],
            })
            .collect()
    };
    let authored = check(Kind::Practice, &body.encode_to_vec())?;
    assert_eq!(
        authored,
        Authored {
            links: named(&[1, 2, 3, 4, 5]),
            attachments: vec![[9; 32]]
        }
    );
    let mut body = lesson();
    body.about = vec![link(6)];
    assert_eq!(
        check(Kind::Lesson, &body.encode_to_vec())?.links,
        named(&[6])
    );
    let mut body = recommendation();
    body.adopted_at = Some(link(7));
    assert_eq!(
        check(Kind::Guideline, &body.encode_to_vec())?.links,
        named(&[7])
    );
    in_practice(
        |p| {
            p.contact = Some(Link {
                rcp: vec![1; 31],
                record: vec![0; 16],
            })
        },
        &["contact.rcp", "contact.record"],
    );
    Ok(())
}

#[test]
fn large_and_foreign_bodies_are_refused() {
    let refused = |body: &[u8], expect: &str| {
        let violations = check(Kind::Practice, body).err().unwrap_or_default();
        assert_eq!(violations.len(), 1);
        assert!(violations[0].to_string().contains(expect), "{violations:?}");
    };
    refused(&vec![0; 256 * 1024 + 1], "262144 are the most");
    refused(&vec![0xff; 256 * 1024], "not a well-formed");
    refused(b"\xff", "not a well-formed");
    // The title's text is no UTF-8.
    refused(&[0x12, 3, 0x12, 1, 0xff], "not a well-formed");
    let unknown = [practice().encode_to_vec(), vec![0xc0, 0x3e, 1]].concat();
    refused(&unknown, "#1000 is not known to this version");
}

/// The encoding of a practice is signed for ever. If this test fails, the change is wrong: a field
/// number or type may not change, and no new rule may alter how an old body is written.
#[test]
fn golden_bytes_of_a_practice() {
    let mut body = practice();
    body.summary = texts(&[("en", "Short.")]);
    body.lessons = vec![Passage {
        text: texts(&[("en", "Ask early.")]),
    }];
    body.contact = Some(link(1));
    let golden = concat!(
        "0a16080110021a02656e32024145320250483a020603580112260a02656e12204f6e65206f7269656e746174",
        "696f6e207061746820666f7220776f726b6572731a0c0a02656e120653686f72742e2001280330de0f820112",
        "0a100a02656e120a41736b206561726c792e9a01140a12416275204468616269204469616c6f677565aa0134",
        "0a20010101010101010101010101010101010101010101010101010101010101010112100101010101010101",
        "0101010101010101",
    );
    assert_eq!(HEXLOWER.encode(&body.encode_to_vec()), golden);
}

#[test]
fn summaries_show_what_is_understood() {
    let mut body = practice();
    body.title[0].text = "a\u{202E}b".into();
    let Shown::Understood(shown) = summarise(1, &body.encode_to_vec()) else {
        panic!("a practice is understood");
    };
    assert_eq!(shown.title, texts(&[("en", "a\u{FFFD}b")]));
    assert_eq!((shown.first_year, shown.last_year), (Some(2014), None));
    assert_eq!(shown.gcm_objectives, [6, 3]);
    let Shown::Understood(shown) = summarise(4, &recommendation().encode_to_vec()) else {
        panic!("a guideline is understood");
    };
    assert_eq!(
        (shown.first_year, shown.last_year),
        (Some(2019), Some(2024))
    );
    let Shown::Understood(shown) = summarise(5, &profile().encode_to_vec()) else {
        panic!("a profile is understood");
    };
    assert_eq!(shown.countries, ["AE", "SA"]);
    assert_eq!(summarise(1, b"\xff"), Shown::Unreadable);
    assert_eq!(summarise(17, b""), Shown::NeedsNewerVersion);
    assert_eq!(summarise(0, b""), Shown::NeedsNewerVersion);
    assert_eq!(summarise(999, b"\xff"), Shown::NeedsNewerVersion);
    // Field 1000 and an unknown enum value come from a newer version; the rest is shown.
    let newer = [practice().encode_to_vec(), vec![0x20, 99, 0xc0, 0x3e, 1]].concat();
    assert!(matches!(summarise(1, &newer), Shown::Understood(_)));
}
