//! A workbook with twenty-four faults gives twenty-four messages, each with its sheet and cell.
#![allow(clippy::expect_used)]

use std::io::Cursor;

use corridor_tables::record::apply;
use corridor_tables::{Item, Options, read};
use rust_xlsxwriter::{Format, Workbook};

const HEADERS: [&str; 20] = [
    "our_ref",
    "title",
    "language",
    "summary",
    "gcm_objectives",
    "states",
    "start_year",
    "end_year",
    "stage",
    "level",
    "beneficiaries",
    "guiding_principles",
    "review_by",
    "sources",
    "related",
    "author_role",
    "marking",
    "no_attribution",
    "implementers",
    "depth",
];

/// A row without a fault.
const GOOD: [&str; 20] = [
    "R",
    "One orientation path for workers",
    "en",
    "Two States lined up the orientation that contract workers receive at home and after arrival, \
     so that the two no longer contradict each other. Local bodies hold the first sessions, \
     employers the later ones. In two years 12,000 workers took part, and complaints fell.",
    "6; 3",
    "AE; Philippines",
    "2014",
    "",
    "running",
    "regional",
    "workers",
    "human-rights",
    "2028-01-01",
    "https://example.org | A report",
    "",
    "secretariat",
    "no restriction",
    "",
    "Ministry of Labour | state",
    "snapshot",
];

/// Header, what stands there instead, the cell, and what is said.
const FAULTS: [(&str, &str, &str, &str); 23] = [
    (
        "gcm_objectives",
        "24",
        "E3",
        "is no objective of the Global Compact",
    ),
    ("gcm_objectives", "six", "E4", "\"six\" is no whole number"),
    ("gcm_objectives", "", "E5", "is empty; fill it in"),
    ("states", "AE; Atlantis", "F6", "\"Atlantis\" is no country"),
    (
        "start_year",
        "next year",
        "G7",
        "\"next year\" is no whole number",
    ),
    ("start_year", "1492", "G8", "is no likely year"),
    ("end_year", "2012", "H9", "is before start_year"),
    (
        "stage",
        "going on",
        "I10",
        "\"going on\" is not in the list",
    ),
    ("level", "global", "J11", "\"global\" is not in the list"),
    ("title", "", "B12", "is empty; fill it in"),
    (
        "title",
        "an\u{202E}other",
        "B13",
        "control character U+202E",
    ),
    (
        "summary",
        "Too short.",
        "D14",
        "has 2 words; write 40 to 120 words",
    ),
    ("summary", "", "D15", "is empty; fill it in"),
    (
        "language",
        "the one we speak",
        "C16",
        "\"the one we speak\" is no language tag",
    ),
    ("language", "", "C17", "say in which language"),
    (
        "beneficiaries",
        "workers; everybody",
        "K18",
        "\"everybody\" is not in the list",
    ),
    (
        "guiding_principles",
        "thrift",
        "L19",
        "\"thrift\" is not in the list",
    ),
    ("review_by", "31/12/2027", "M20", "is no date"),
    (
        "sources",
        "see the annual report",
        "N21",
        "is no web address",
    ),
    ("related", "ADD-2014-03", "O22", "is no name of a record"),
    (
        "author_role",
        "director",
        "P23",
        "\"director\" is not in the list",
    ),
    ("no_attribution", "perhaps", "R24", "is neither yes nor no"),
    (
        "implementers",
        "A | state | abroad",
        "S25",
        "has more than 2 parts",
    ),
];

#[test]
fn twenty_four_faults_are_named_by_sheet_and_cell() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("Practices").expect("a sheet");
    for (header, at) in HEADERS.iter().zip(0..) {
        sheet.write_string(0, at, *header).expect("a header");
    }
    for (text, at) in GOOD.iter().zip(0..) {
        sheet.write_string(1, at, *text).expect("a cell");
    }
    for ((header, text, ..), row) in FAULTS.iter().zip(2..) {
        for (good, at) in GOOD.iter().zip(0..) {
            let is_fault = HEADERS[usize::from(at)] == *header;
            let text = if is_fault { *text } else { good };
            let text = if at == 0 {
                format!("R{row}")
            } else {
                text.to_owned()
            };
            if !text.is_empty() {
                sheet.write_string(row, at, text).expect("a cell");
            }
        }
    }
    sheet
        .merge_range(30, 1, 30, 3, "", &Format::new())
        .expect("a merged area");
    let bytes = book.save_to_buffer().expect("a workbook");

    let (mut problems, mut good) = (Vec::new(), 0);
    read(&mut Cursor::new(bytes), &Options::default(), &mut |item| {
        match item {
            Item::Problem(problem) => problems.push(problem.to_string()),
            Item::Row(row) => {
                let applied = apply(row.kind, &row.uses, &row.values, None);
                good += u32::from(applied.problems.is_empty());
                let told = applied.problems.iter();
                problems.extend(told.map(|one| format!("{}: {}", row.place(one.at), one.what)));
            }
        }
        true
    })
    .expect("a workbook");
    assert_eq!(good, 1, "{problems:#?}");
    assert_eq!(problems.len(), FAULTS.len() + 1, "{problems:#?}");
    assert!(
        problems[0].starts_with("Practices B31: is merged"),
        "{}",
        problems[0]
    );
    for ((_, _, cell, what), problem) in FAULTS.iter().zip(&problems[1..]) {
        let begin = format!("Practices {cell}: ");
        assert!(
            problem.starts_with(&begin) && problem.contains(what),
            "{cell}: {problem}"
        );
    }
}
