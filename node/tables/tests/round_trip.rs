//! Bodies that go out as a table and come back as they were.

#![allow(clippy::expect_used)]

use std::io::Cursor;

use corridor_proto::kinds::{self, Kind};
use corridor_proto::v1;
use corridor_tables::columns::KINDS;
use corridor_tables::record::{Applied, apply, tags};
use corridor_tables::write::{
    CsvWriter, JsonWriter, Record, WorkbookWriter, WriteError, Writer, template, uses,
};
use corridor_tables::{Item, Language, Options, read};
use proptest::prelude::*;
use prost::Message;

/// How a table is written.
#[derive(Clone, Copy, Debug)]
enum How {
    Workbook(Language),
    Csv,
    Json,
}

const HOWS: [How; 4] = [
    How::Workbook(Language::English),
    How::Workbook(Language::Arabic),
    How::Csv,
    How::Json,
];

fn written(how: How, kind: Kind, bodies: &[Vec<u8>]) -> Result<Vec<u8>, WriteError> {
    let mut out = Vec::new();
    let tags = bodies.iter().filter_map(|body| tags(kind, body)).flatten();
    let uses = uses(kind, &tags.collect());
    let write = |writer: &mut dyn Writer| {
        writer.kind(kind, uses.clone())?;
        for body in bodies {
            let (name, version) = ("", Some(7));
            writer.record(Record {
                name,
                version,
                body,
            })?;
        }
        writer.finish()
    };
    match how {
        How::Workbook(language) => write(&mut WorkbookWriter::new(&mut out, language))?,
        How::Csv => write(&mut CsvWriter::new(&mut out)?)?,
        How::Json => write(&mut JsonWriter::new(&mut out)?)?,
    }
    Ok(out)
}

fn taken(bytes: Vec<u8>, kind: Kind) -> Vec<Applied> {
    let mut found = Vec::new();
    let options = Options {
        kind: Some(kind),
        ..Options::default()
    };
    let told = read(&mut Cursor::new(bytes), &options, &mut |item| {
        match item {
            Item::Problem(problem) => panic!("{problem}"),
            Item::Row(row) => {
                assert_eq!(row.kind, kind);
                found.push(apply(kind, &row.uses, &row.values, None));
            }
        }
        true
    });
    told.expect("a table");
    found
}

fn examples(kind: Kind) -> Vec<Vec<u8>> {
    let bytes = include_bytes!("../data/examples.json").to_vec();
    let taken = taken(bytes, kind);
    let each = taken.into_iter().map(|one| {
        assert_eq!(one.problems, [], "{kind}");
        assert_eq!(one.needs, [], "{kind}");
        one.body
    });
    each.collect()
}

#[test]
fn the_examples_can_be_shared_as_they_are_and_come_back() {
    for kind in KINDS {
        let bodies = examples(kind);
        assert_eq!(bodies.len(), 1, "{kind}");
        kinds::check(kind, &bodies[0]).expect("it may be shared");
        for language in Language::ALL {
            let bytes = written(How::Workbook(language), kind, &bodies).expect("a workbook");
            let back: Vec<_> = taken(bytes, kind).into_iter().map(|one| one.body).collect();
            assert_eq!(back, bodies, "{kind} {language}");
        }
        for how in HOWS {
            let bytes = written(how, kind, &bodies).expect("a file");
            let back: Vec<_> = taken(bytes, kind).into_iter().map(|one| one.body).collect();
            assert_eq!(back, bodies, "{kind} {how:?}");
        }
    }
}

#[test]
fn an_empty_template_is_read_and_has_no_rows() {
    for language in Language::ALL {
        let mut bytes = Vec::new();
        template(&KINDS, language, &mut bytes).expect("a template");
        let mut found = Vec::new();
        let mut visit = |item| {
            found.push(format!("{item:?}"));
            true
        };
        let told = read(&mut Cursor::new(bytes), &Options::default(), &mut visit);
        assert_eq!(told.expect("a workbook").sheets.len(), KINDS.len());
        assert_eq!(found, [""; 0], "{language}");
    }
}

/// Texts that stand in the way of tables.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[a-z]{1,8}",
        1 => Just("=1+1".to_owned()),
        1 => Just("---".to_owned()),
        1 => Just("\\---".to_owned()),
        1 => Just("'=x".to_owned()),
        1 => Just("a | b".to_owned()),
        1 => Just("a; b".to_owned()),
        1 => Just("\\| \\\\".to_owned()),
        1 => Just("عمال، نساء".to_owned()),
        1 => Just("\"quoted\", and more".to_owned()),
        1 => Just("_x000D_".to_owned()),
        1 => Just("007".to_owned()),
        1 => Just("true".to_owned()),
        1 => Just("@handle\tx".to_owned()),
    ];
    let joint = prop_oneof![Just(" "), Just("\n"), Just("\n\n")];
    (prop::collection::vec(part, 1..4), joint).prop_map(|(parts, joint)| parts.join(joint))
}

fn line() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.replace('\n', " "))
}

/// A text in English, and perhaps in French and Arabic.
fn texts() -> impl Strategy<Value = Vec<v1::LanguageText>> {
    let tags = prop::sample::subsequence(vec!["en", "fr", "ar"], 0..=3);
    (tags, prop::collection::vec(text(), 3)).prop_map(|(tags, texts)| {
        let one = |(tag, text): (&str, String)| v1::LanguageText {
            tag: tag.to_owned(),
            text,
        };
        tags.into_iter().zip(texts).map(one).collect()
    })
}

/// Concepts and free labels: concept, tag and text.
fn themes() -> impl Strategy<Value = Vec<v1::Theme>> {
    let theme = |(concept, tag, text): (&str, &str, String)| v1::Theme {
        label: concept.is_empty().then(|| v1::LanguageText {
            tag: tag.to_owned(),
            text,
        }),
        concept: concept.to_owned(),
    };
    let one = prop_oneof![
        Just(("migrant", "", String::new())),
        Just(("unknown-one", "", String::new())),
        line().prop_map(|text| ("", "en", text)),
        line().prop_map(|text| ("", "fr", text)),
    ];
    prop::collection::vec(one.prop_map(theme), 0..4)
}

fn sources() -> impl Strategy<Value = Vec<v1::Source>> {
    let source = |(url, title)| v1::Source {
        url,
        title,
        date: String::new(),
    };
    prop::collection::vec((line(), line()).prop_map(source), 0..3)
}

fn envelope() -> impl Strategy<Value = v1::Envelope> {
    let codes = || prop::sample::subsequence(vec!["AE", "CI", "PH", "TR"], 0..4);
    let first = (
        line(),
        codes(),
        codes(),
        prop::collection::vec(1..=23_u32, 0..4),
        themes(),
    );
    let second = (
        texts(),
        sources(),
        any::<bool>(),
        0..=4_i32,
        1..=3_i32,
        texts(),
    );
    (first, second).prop_map(|((our_ref, countries, to, objectives, themes), second)| {
        let (framework, sources, flag, role, origin, terms) = second;
        let owned = |codes: Vec<&str>| codes.into_iter().map(str::to_owned).collect::<Vec<_>>();
        v1::Envelope {
            author_role: role,
            source_lang: "en".to_owned(),
            translations: vec![v1::Translation {
                tag: "fr".to_owned(),
                origin,
            }],
            corridor: (!to.is_empty()).then(|| v1::Corridor {
                from: owned(countries.clone()),
                to: owned(to),
            }),
            countries: owned(countries),
            gcm_objectives: objectives,
            other_framework: framework,
            gcm_principles: vec!["human-rights".to_owned()],
            themes,
            no_attribution: flag,
            our_ref,
            clearance: flag.then(|| v1::Clearance {
                by_role: 1,
                date: "2026-05".to_owned(),
                ..Default::default()
            }),
            terms_of_reuse: terms,
            sources,
            related: vec![v1::Link {
                rcp: vec![7; 32],
                record: vec![9; 16],
            }],
            ..Default::default()
        }
    })
}

fn practice() -> impl Strategy<Value = Vec<u8>> {
    let step = (texts(), texts(), texts(), texts()).prop_map(|(a, b, c, d)| v1::PracticeStep {
        title: a,
        text: b,
        enabling_factors: c,
        lesson: d,
    });
    let result =
        (texts(), line(), 0..2030_u32).prop_map(|(indicator, value, year)| v1::PracticeResult {
            indicator,
            value,
            year,
            source: String::new(),
        });
    let of = (line(), 0..=6_i32).prop_map(|(name, kind)| v1::Organisation {
        name,
        kind: (kind > 0).then_some(kind),
    });
    let passage = texts().prop_map(|text| v1::Passage { text });
    let lists = (
        prop::collection::vec(step, 0..4),
        prop::collection::vec(result, 0..4),
        prop::collection::vec(of, 0..4),
        prop::collection::vec(passage, 0..4),
    );
    let rest = (texts(), texts(), texts(), 0..=2_i32, 0..=5_i32, 0..2030_u32);
    (envelope(), lists, rest).prop_map(|(envelope, lists, rest)| {
        let (steps, results, implementers, lessons) = lists;
        let (title, summary, problem, depth, level, start_year) = rest;
        let practice = v1::Practice {
            envelope: Some(envelope),
            title,
            summary,
            problem,
            depth,
            level: (level > 0).then_some(level),
            start_year,
            beneficiaries: vec![1, 3],
            steps,
            results,
            implementers,
            lessons,
            ..Default::default()
        };
        kinds::canonical(Kind::Practice, &practice.encode_to_vec()).expect("a practice")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_columns_hold_comes_back_as_it_was(bodies in prop::collection::vec(practice(), 1..4)) {
        for how in HOWS {
            let bytes = written(how, Kind::Practice, &bodies).expect("a file");
            let back = taken(bytes, Kind::Practice);
            prop_assert_eq!(back.len(), bodies.len());
            for (back, body) in back.iter().zip(&bodies) {
                let read = v1::Practice::decode(back.body.as_slice()).expect("a practice");
                let sent = v1::Practice::decode(body.as_slice()).expect("a practice");
                prop_assert_eq!(read, sent, "{:?}", how);
            }
        }
    }

    /// A row that says the same as a body changes nothing of it, also of what it has no column for.
    #[test]
    fn what_says_the_same_changes_nothing(body in practice()) {
        let mut sent = v1::Practice::decode(body.as_slice()).expect("a practice");
        sent.envelope.get_or_insert_default().attachments = vec![v1::Attachment {
            id: vec![5; 32],
            name: "a.pdf".to_owned(),
            mime: "application/pdf".to_owned(),
            bytes: 3,
        }];
        let body = sent.encode_to_vec();
        let bytes = written(How::Csv, Kind::Practice, std::slice::from_ref(&body)).expect("a file");
        let options = Options::default();
        read(&mut Cursor::new(bytes), &options, &mut |item| {
            if let Item::Row(row) = item {
                let again = apply(row.kind, &row.uses, &row.values, Some(&body));
                assert_eq!(v1::Practice::decode(again.body.as_slice()).expect("a practice"), sent);
            }
            true
        }).expect("a table");
    }
}
