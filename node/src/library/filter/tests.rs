//! Filters beside a naive reading of the same question.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A record as a plain table of values.
type Table = BTreeMap<&'static str, Vec<String>>;

/// A question, in a form that needs no parser.
#[derive(Clone, Debug)]
enum Question {
    All(Vec<Question>),
    Any(Vec<Question>),
    Not(Box<Question>),
    Has(&'static str, &'static str),
    Unlike(&'static str, &'static str),
    Less(&'static str, u64),
    AtLeast(&'static str, u64),
    Word(&'static str),
}

impl Question {
    fn print(&self) -> String {
        let join = |all: &[Self], by: &str| {
            let all: Vec<String> = all.iter().map(|one| format!("({})", one.print())).collect();
            all.join(by)
        };
        match self {
            Self::All(all) => join(all, " AND "),
            Self::Any(all) => join(all, " OR "),
            Self::Not(one) => format!("NOT ({})", one.print()),
            Self::Has(field, value) => format!("{field}:{value:?}"),
            Self::Unlike(field, value) => format!("{field} != {value:?}"),
            Self::Less(field, number) => format!("{field} < {number}"),
            Self::AtLeast(field, number) => format!("{field}>={number}"),
            Self::Word(word) => (*word).to_owned(),
        }
    }

    fn holds(&self, table: &Table) -> bool {
        let has = |field: &str, value: &str| match field {
            "title" | "text" => table[field].iter().any(|one| one.contains(value)),
            _ => table[field].iter().any(|one| one == value),
        };
        let number = |field: &str, fits: &dyn Fn(u64) -> bool| {
            table[field]
                .iter()
                .any(|one| fits(one.parse().expect("a number")))
        };
        match self {
            Self::All(all) => all.iter().all(|one| one.holds(table)),
            Self::Any(all) => all.iter().any(|one| one.holds(table)),
            Self::Not(one) => !one.holds(table),
            Self::Has(field, value) => has(field, value),
            Self::Unlike("title", value) => !table["title"].iter().any(|one| one == value),
            Self::Unlike(field, value) => !has(field, value),
            Self::Less(field, than) => number(field, &|one| one < *than),
            Self::AtLeast(field, than) => number(field, &|one| one >= *than),
            Self::Word(word) => has("text", word),
        }
    }
}

fn questions() -> impl Strategy<Value = Question> {
    let leaf = prop_oneof![
        prop_oneof![
            Just(("countries", "AE")),
            Just(("countries", "PH")),
            Just(("kind", "practice")),
            Just(("kind", "lesson")),
            Just(("title", "work")),
            Just(("marking", "clear")),
            Just(("rcp", "abc")),
        ]
        .prop_flat_map(|(field, value)| prop_oneof![
            Just(Question::Has(field, value)),
            Just(Question::Unlike(field, value)),
        ]),
        (0_u64..24).prop_map(|n| Question::Less("gcm_objectives", n)),
        (2010_u64..2030).prop_map(|n| Question::AtLeast("first_year", n)),
        (0_u64..9).prop_map(|n| Question::Less("version", n)),
        prop_oneof![Just("orientation"), Just("work")].prop_map(Question::Word),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let several = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            several.clone().prop_map(Question::All),
            several.prop_map(Question::Any),
            inner.prop_map(|one| Question::Not(Box::new(one))),
        ]
    })
}

#[derive(Clone, Debug)]
struct Made {
    kind: &'static str,
    version: u64,
    facts: Facts,
    words: Words,
}

fn made() -> impl Strategy<Value = Made> {
    let some =
        |all: &'static [&'static str]| prop::sample::subsequence(all.to_vec(), 0..=all.len());
    let strings = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<_>>();
    (
        some(&["AE", "BD", "PH"]),
        prop::sample::select(vec!["practice", "lesson", "term"]),
        some(&["work", "a way of work", "orientation"]),
        prop::collection::vec(1_u64..24, 0..3),
        prop::option::of(2005_u64..2030),
        0_u64..12,
        prop::sample::select(vec!["clear", "restricted", ""]),
    )
        .prop_map(
            move |(countries, kind, titles, objectives, year, version, marking)| {
                let titles = strings(titles);
                Made {
                    kind,
                    version,
                    words: Words {
                        summary: String::new(),
                        all: titles.join("\n"),
                    },
                    facts: Facts {
                        titles,
                        countries: strings(countries),
                        gcm_objectives: objectives,
                        years: [year, None],
                        marking: marking.to_owned(),
                        ..Facts::default()
                    },
                }
            },
        )
}

impl Made {
    fn subject(&self) -> Subject<'_> {
        Subject {
            name: "rcps/abc/records/def",
            rcp: "abc",
            kind: self.kind,
            state: "current",
            version: self.version,
            time: 1_764_201_600_000,
            circles: &[],
            facts: &self.facts,
            words: &self.words,
        }
    }

    fn table(&self) -> Table {
        let numbers = |all: &[u64]| all.iter().map(u64::to_string).collect::<Vec<_>>();
        let year: Vec<u64> = self.facts.years[0].into_iter().collect();
        [
            ("countries", self.facts.countries.clone()),
            ("kind", vec![self.kind.to_owned()]),
            ("title", self.facts.titles.clone()),
            ("text", self.facts.titles.clone()),
            ("marking", vec![self.facts.marking.clone()]),
            ("rcp", vec!["abc".to_owned()]),
            ("gcm_objectives", numbers(&self.facts.gcm_objectives)),
            ("first_year", numbers(&year)),
            ("version", numbers(&[self.version])),
        ]
        .into()
    }
}

fn parse(text: &str) -> Result<Filter, String> {
    Filter::parse(text, &Reader::Secretariat)
}

proptest! {
    #[test]
    fn a_filter_agrees_with_a_naive_reading(question in questions(), made in made()) {
        let filter = parse(&question.print());
        if let Ok(filter) = filter {
            prop_assert_eq!(filter.lets_through(&made.subject()), question.holds(&made.table()));
        } else {
            // Only for being too long.
            let said = filter.expect_err("an error");
            prop_assert!(said.contains("ask for less"), "{}", said);
        }
    }

    #[test]
    fn what_is_printed_reads_back(question in questions()) {
        let one = aip_160::parse_filter(&question.print()).expect("a filter");
        let again = aip_160::parse_filter(&one.to_string());
        prop_assert_eq!(Ok(one), again);
    }

    #[test]
    fn no_text_does_harm(text in "\\PC{0,60}") {
        let _ = parse(&text);
    }
}

/// A record, and filters that let it through or do not.
#[test]
fn filters_read_as_they_are_written() {
    let made = Made {
        kind: "practice",
        version: 5,
        facts: Facts {
            titles: vec!["orientation before departure".into()],
            languages: vec!["ar".into(), "en-GB".into()],
            source_lang: "ar".into(),
            countries: vec!["AE".into(), "PH".into()],
            gcm_objectives: vec![6, 18],
            themes: vec!["Skills".into(), "mixed-movements".into()],
            marking: "clear".into(),
            our_ref: "ADD-2014-03".into(),
            corridor: [vec!["PH".into()], vec!["AE".into()]],
            years: [Some(2014), None],
            ..Facts::default()
        },
        words: Words {
            summary: "workers learn their rights".into(),
            all: "orientation before departure\nworkers learn their rights".into(),
        },
    };
    let yes = [
        "",
        "kind = practice",
        "kind = practice AND countries:PH",
        "kind = lesson OR kind = practice AND countries = \"ae\"",
        "-kind = lesson",
        "NOT (kind = lesson)",
        "title = \"Orientation before *\"",
        "title = \"*départure\"",
        "title:before",
        "language:en language:ar",
        "language = en-gb",
        "language:en-*",
        "language = a*",
        "source_lang = ar",
        "gcm_objectives:18",
        "gcm_objectives > 17",
        "themes = SKILLS",
        "themes:mixed",
        "marking != restricted",
        "our_ref = \"add-2014-*\"",
        "corridor.from:PH AND corridor.to:AE",
        "first_year >= 2014 AND first_year < 2015",
        "last_year < 2020 OR NOT last_year:*",
        "publish_time >= 2025 AND publish_time < 2026",
        "publish_time = \"2025-11-27\"",
        "publish_time <= \"2025-11-27T00:00:00Z\"",
        "demonstration = false",
        "rights workers",
        "version = 5",
        "rcp = \"rcps/abc\"",
        "circle != federation",
    ];
    for text in yes {
        let filter = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(filter.lets_through(&made.subject()), "{text}");
        let negated = format!("NOT ({text})");
        if !text.is_empty() {
            let filter = parse(&negated).unwrap_or_else(|error| panic!("{negated}: {error}"));
            assert!(!filter.lets_through(&made.subject()), "{negated}");
        }
    }
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_to_do() {
    for (text, said) in [
        ("kind =", "cannot be read"),
        ("country = AE", "did you mean countries?"),
        ("kind = practise", "none of its values: practice, lesson"),
        ("kind > practice", "use =, != or :"),
        ("version = many", "no whole number"),
        ("publish_time > yesterday", "no time; write"),
        ("demonstration = yes", "neither true nor false"),
        (
            "kind = (practice OR lesson)",
            "no value; write kind = practice OR",
        ),
        ("regex(title, \"x\")", "no functions"),
        ("\"kind\" = practice", "no field"),
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.contains(said), "{text}: {error}");
    }
    let deep = format!("{}a{}", "(".repeat(17), ")".repeat(17));
    let wide = vec!["kind=term"; 65].join(" OR ");
    for text in [deep, wide, "x".repeat(2_049)] {
        assert!(parse(&text).is_err_and(|said| said.contains("ask for less")));
    }
}

#[test]
fn circles_are_for_the_secretariat() {
    let error = Filter::parse("circle = federation", &Reader::Anyone).expect_err("hidden");
    let absent = Filter::parse("circus = federation", &Reader::Anyone).expect_err("absent");
    let without_hint = |said: &str| said.split(';').next().map(str::to_owned);
    let error = error.replace("circle", "circus");
    assert_eq!(without_hint(&error), without_hint(&absent));
}
