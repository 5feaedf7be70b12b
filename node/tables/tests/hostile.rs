//! Files that somebody made to do harm, or that something broke: an error each, and never more.
#![allow(clippy::expect_used)]

use std::io::{Cursor, Write};

use corridor_proto::kinds::Kind;
use corridor_tables::columns::KINDS;
use corridor_tables::record::apply;
use corridor_tables::{Item, Language, Options, ReadError, read};
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What a file gives: its problems, or why it is not read.
fn outcome(bytes: &[u8], options: &Options) -> Result<Vec<String>, ReadError> {
    let mut problems = Vec::new();
    read(&mut Cursor::new(bytes), options, &mut |item| {
        match item {
            Item::Problem(problem) => problems.push(problem.to_string()),
            Item::Row(row) => {
                let applied = apply(row.kind, &row.uses, &row.values, None);
                let told = applied.problems.iter();
                problems.extend(told.map(|one| format!("{}: {}", row.place(one.at), one.what)));
            }
        }
        true
    })?;
    Ok(problems)
}

fn refused(bytes: &[u8]) -> String {
    match outcome(bytes, &Options::default()) {
        Ok(problems) => panic!("it was read: {problems:?}"),
        Err(why) => why.to_string(),
    }
}

fn zipped(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let how = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in parts {
        zip.start_file(*name, how).expect("a part");
        zip.write_all(content).expect("its content");
    }
    zip.finish().expect("a zip file").into_inner()
}

fn ods(table: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content><office:body><office:spreadsheet>{table}</office:spreadsheet>\
         </office:body></office:document-content>"
    );
    zipped(&[
        (
            "mimetype",
            b"application/vnd.oasis.opendocument.spreadsheet",
        ),
        ("META-INF/manifest.xml", b"<manifest:manifest/>"),
        ("content.xml", content.as_bytes()),
    ])
}

/// A row of an ODS with a text in each cell.
fn row(texts: &[&str]) -> String {
    let cell = |text: &&str| {
        format!(
            "<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p>\
             </table:table-cell>"
        )
    };
    let cells: String = texts.iter().map(cell).collect();
    format!("<table:table-row>{cells}</table:table-row>")
}

fn table(rows: &str) -> String {
    format!("<table:table table:name=\"Practices\">{rows}</table:table>")
}

fn xlsx(shared: &str, sheet: &str) -> Vec<u8> {
    let relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let types = "<Types><Default Extension=\"xml\" ContentType=\"application/xml\"/></Types>";
    let main = format!(
        "<Relationships><Relationship Id=\"r1\" Type=\"{relation}/officeDocument\" \
         Target=\"xl/workbook.xml\"/></Relationships>"
    );
    let book = format!(
        "<workbook xmlns:r=\"{relation}\"><sheets><sheet name=\"Practices\" sheetId=\"1\" \
         r:id=\"r1\"/></sheets></workbook>"
    );
    let sheets = format!(
        "<Relationships><Relationship Id=\"r1\" Type=\"{relation}/worksheet\" \
         Target=\"worksheets/sheet1.xml\"/></Relationships>"
    );
    zipped(&[
        ("[Content_Types].xml", types.as_bytes()),
        ("_rels/.rels", main.as_bytes()),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", sheets.as_bytes()),
        ("xl/sharedStrings.xml", shared.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

fn sheet(rows: &str) -> String {
    format!("<worksheet><sheetData>{rows}</sheetData></worksheet>")
}

const NO_STRINGS: &str = "<sst count=\"0\" uniqueCount=\"0\"></sst>";

#[test]
fn what_is_no_table_is_named() {
    let ole = [b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".as_slice(), &[0; 600]].concat();
    let name: Vec<u8> = "EncryptedPackage"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let encrypted = [ole.as_slice(), &name].concat();
    let types: (&str, &[u8]) = ("[Content_Types].xml", b"<Types/>");
    let macros = zipped(&[types, ("xl/vbaProject.bin", b"x")]);
    let script = zipped(&[
        ("mimetype", b"x"),
        ("content.xml", b"x"),
        ("Basic/Standard/M.xml", b"x"),
    ]);
    let binary = zipped(&[types, ("xl/workbook.bin", b"x")]);
    let word = zipped(&[types, ("word/document.xml", b"x")]);
    let cases: [(&[u8], &str); 10] = [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"%PDF-1.7", "a PDF"),
        (&ole, "an old workbook"),
        (&encrypted, "protected by a password"),
        (&macros, "macros in it (xl/vbaProject.bin)"),
        (&script, "macros in it"),
        (&binary, "a binary workbook"),
        (&word, "no workbook"),
        (b"PK\x03\x04 and nothing more", "damaged"),
    ];
    for (bytes, said) in cases {
        let why = refused(bytes);
        assert!(why.contains(said), "{said}: {why}");
    }
}

#[test]
fn an_encrypted_ods_asks_for_its_password() {
    let manifest = b"<manifest:manifest><manifest:file-entry><manifest:encryption-data/>\
                     </manifest:file-entry></manifest:manifest>";
    let bytes = zipped(&[
        (
            "mimetype",
            b"application/vnd.oasis.opendocument.spreadsheet",
        ),
        ("META-INF/manifest.xml", manifest),
        ("content.xml", b"\x00\x01\x02"),
    ]);
    assert!(refused(&bytes).contains("protected by a password"));
}

#[test]
fn what_inflates_too_far_is_not_read_whatever_it_says_of_its_size() {
    let zeros = vec![b' '; 9 * 1024 * 1024];
    let bomb = zipped(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("xl/workbook.xml", &zeros),
    ]);
    assert!(refused(&bomb).contains("bytes in it"));
    // The list at its end and the part itself say that it inflates to ten bytes.
    let size = u32::try_from(zeros.len()).expect("a size").to_le_bytes();
    let mut lying = bomb;
    let places: Vec<usize> = (0..lying.len() - 4)
        .filter(|at| lying[*at..at + 4] == size)
        .collect();
    assert!(places.len() >= 2, "in both lists");
    for at in places {
        lying[at..at + 4].copy_from_slice(&10_u32.to_le_bytes());
    }
    let why = refused(&lying);
    assert!(
        why.contains("bytes in it") || why.contains("damaged"),
        "{why}"
    );
    let names: Vec<String> = (0..1_200).map(|at| format!("xl/{at}.xml")).collect();
    let parts: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), &b"x"[..]))
        .collect();
    assert!(refused(&zipped(&parts)).contains("1024 parts"));
}

#[test]
fn what_a_workbook_claims_makes_no_room() {
    for claim in ["99999999999999", "18446744073709551615", "-1", "x"] {
        let shared = format!("<sst uniqueCount=\"{claim}\"></sst>");
        let why = refused(&xlsx(&shared, &sheet("")));
        assert!(why.contains("more strings than bytes"), "{claim}: {why}");
    }
    let hidden = "<a/><sst uniqueCount=\"99999999999999\"></sst>";
    assert!(refused(&xlsx(hidden, &sheet(""))).contains("more strings"));
    let far = "<row r=\"1048576\"><c r=\"XFD1048576\" t=\"str\"><v>x</v></c></row>";
    assert!(refused(&xlsx(NO_STRINGS, &sheet(far))).contains("256 columns"));
    let back =
        "<row r=\"5\"><c r=\"A5\"><v>1</v></c></row><row r=\"2\"><c r=\"A2\"><v>1</v></c></row>";
    assert!(refused(&xlsx(NO_STRINGS, &sheet(back))).contains("out of order"));
    let string = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>7</v></c></row>";
    // A string that is not there is an error, or no value: never a panic.
    let _ = outcome(&xlsx(NO_STRINGS, &sheet(string)), &Options::default());
    assert!(outcome(&xlsx(NO_STRINGS, "<worksheet>"), &Options::default()).is_err());
}

/// A small file in which many cells have the same long text, or many rows the same cells.
#[test]
fn what_cells_share_is_counted_for_each_of_them() {
    let long = |bytes: usize| format!("<sst><si><t>{}</t></si></sst>", "x".repeat(bytes));
    let cells: String = (0..200)
        .map(|at| {
            let (first, second) = (at / 26, b'A' + at % 26);
            let first = (first > 0).then(|| char::from(b'@' + first));
            let first = first.map(String::from).unwrap_or_default();
            let column = first + &String::from(char::from(second));
            format!("<c r=\"{column}ROW\" t=\"s\"><v>0</v></c>")
        })
        .collect();
    let rows: String = (1..40)
        .map(|row: u32| {
            let row = row.to_string();
            format!("<row r=\"{row}\">{}</row>", cells.replace("ROW", &row))
        })
        .collect();
    let rows = sheet(&rows);
    let told = outcome(&xlsx(&long(4_000_000), &rows), &Options::default());
    assert!(told.is_ok(), "each of them is cut off: {told:?}");
    let why = refused(&xlsx(&long(200_000), &rows));
    assert!(why.contains("bytes in its cells"), "{why}");
    let text = "x".repeat(100_000);
    let repeated = row(&[&text, "en"]).replacen(
        "<table:table-row>",
        "<table:table-row table:number-rows-repeated=\"40000\">",
        1,
    );
    let why = refused(&ods(&table(&(row(&["title", "language"]) + &repeated))));
    assert!(why.contains("bytes in its cells"), "{why}");
}

#[test]
fn what_an_ods_repeats_makes_no_room_and_one_that_is_cut_off_ends() {
    let head = row(&["title", "language"]);
    let repeated =
        |attribute: &str, of: &str| of.replacen(" office", &format!(" {attribute} office"), 1);
    let wide = repeated("table:number-columns-repeated=\"4294967295\"", &row(&["x"]));
    assert!(refused(&ods(&table(&(head.clone() + &wide)))).contains("256 columns"));
    let long = row(&["x"]).replacen(
        "<table:table-row>",
        "<table:table-row table:number-rows-repeated=\"4000000000\">",
        1,
    );
    assert!(refused(&ods(&table(&(head.clone() + &long)))).contains("50000 rows"));
    let empty = "<table:table-row table:number-rows-repeated=\"1048576\"><table:table-cell \
                 table:number-columns-repeated=\"16384\"/></table:table-row>";
    let told = outcome(&ods(&table(&(head.clone() + empty))), &Options::default());
    assert_eq!(told.expect("nothing but empty cells"), [""; 0]);
    let spaces = row(&["<text:s text:c=\"4294967295\"/>x", "en"]);
    let told = outcome(&ods(&table(&(head.clone() + &spaces))), &Options::default());
    assert!(told.expect("a table")[0].contains("A2"));
    let cut = format!("<table:table table:name=\"Practices\">{head}");
    for cut in [
        cut.as_str(),
        "<table:table table:name=\"Practices\"><table:table-row>",
    ] {
        let content = format!("<office:document-content>{cut}");
        let bytes = zipped(&[
            (
                "mimetype",
                b"application/vnd.oasis.opendocument.spreadsheet",
            ),
            ("content.xml", content.as_bytes()),
        ]);
        assert!(refused(&bytes).contains("cut off"));
    }
}

#[test]
fn text_files_have_caps_too() {
    let rows = "\"x\"\n".repeat(50_020);
    assert!(refused(format!("\"title\"\n{rows}").as_bytes()).contains("50000 rows"));
    let wide = "x,".repeat(300);
    assert!(refused(format!("{wide}\n").as_bytes()).contains("256 columns"));
    assert!(refused(b"[{\"title\": \"x\"}").contains("damaged at line 1"));
    assert!(refused(b"[1]").contains("damaged"));
    let many: Vec<String> = (0..300).map(|at| format!("\"c{at}\": 1")).collect();
    assert!(refused(format!("[{{{}}}]", many.join(",")).as_bytes()).contains("too many values"));
    let deep = format!(
        "[{{\"title\": {}{}}}]",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let told = outcome(deep.as_bytes(), &Options::default());
    assert!(told.is_err() || told.is_ok_and(|problems| !problems.is_empty()));
    let long = format!(
        "\"title\",\"language\"\n\"{}\",\"en\"\n",
        "x".repeat(40_000)
    );
    let problems = outcome(long.as_bytes(), &Options::default()).expect("a table");
    assert!(
        problems
            .iter()
            .any(|one| one.starts_with("A2: has more than 32767")),
        "{problems:?}"
    );
}

#[test]
fn merged_cells_and_columns_that_are_not_known_are_named() {
    let merged = "<row r=\"1\"><c r=\"A1\" t=\"str\"><v>title</v></c><c r=\"B1\" t=\"str\">\
                  <v>Budget line</v></c></row><row r=\"2\"><c r=\"A2\" t=\"str\"><v>x</v></c>\
                  <c r=\"D2\" t=\"str\"><v>lost</v></c></row>";
    let book = format!(
        "<worksheet><sheetData>{merged}</sheetData><mergeCells count=\"1\">\
         <mergeCell ref=\"A2:B3\"/></mergeCells></worksheet>"
    );
    let problems = outcome(&xlsx(NO_STRINGS, &book), &Options::default()).expect("a table");
    assert!(
        problems[0].starts_with("Practices A2: is merged"),
        "{problems:?}"
    );
    assert!(
        problems[1].starts_with("Practices B1: \"Budget line\" is no column"),
        "{problems:?}"
    );
    assert!(
        problems[2].starts_with("Practices D2: stands in a column"),
        "{problems:?}"
    );
    let options = Options {
        leave_out: vec!["budget LINE".to_owned()],
        ..Options::default()
    };
    let problems = outcome(&xlsx(NO_STRINGS, &book), &options).expect("a table");
    assert!(
        !problems.iter().any(|one| one.contains("Budget")),
        "{problems:?}"
    );
}

#[test]
fn a_csv_is_read_in_the_encodings_that_offices_save() {
    let text = "Titre;Langue;Pays\nÉtape d'accueil;fr;Côte d'Ivoire\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).expect("latin"))
        .collect();
    let arabic: Vec<u8> =
        b"title\tlanguage\n\xE3\xD3\xC7\xD1 \xE6\xC7\xCD\xCF \xE1\xE1\xDA\xE3\xC7\xE1\tar\n"
            .to_vec();
    let cases: [(Vec<u8>, &str, &str); 5] = [
        (text.as_bytes().to_vec(), "UTF-8", "Étape d'accueil"),
        (
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            "UTF-8",
            "Étape d'accueil",
        ),
        (
            [b"\xFF\xFE".to_vec(), utf16].concat(),
            "UTF-16LE",
            "Étape d'accueil",
        ),
        (latin, "windows-1252", "Étape d'accueil"),
        (arabic, "windows-1256", "مسار واحد للعمال"),
    ];
    for (bytes, encoding, title) in cases {
        let mut rows = Vec::new();
        let told = read(&mut Cursor::new(bytes), &Options::default(), &mut |item| {
            if let Item::Row(row) = item {
                rows.push(row);
            }
            true
        });
        assert_eq!(told.expect("a table").encoding, Some(encoding));
        let values = format!("{:?}", rows[0].values[0]);
        assert!(values.contains(title), "{encoding}: {values}");
    }
}

#[test]
fn the_sheet_is_chosen_by_its_name_or_said() {
    let two = table("").replace("Practices", "A") + &table("").replace("Practices", "B");
    let bytes = ods(&two);
    assert!(refused(&bytes).contains("say which of them is meant: A, B"));
    let options = |sheet: &str| Options {
        sheet: Some(sheet.to_owned()),
        kind: Some(Kind::Lesson),
        ..Options::default()
    };
    assert!(outcome(&bytes, &options("b")).is_ok());
    let why = outcome(&bytes, &options("C"))
        .expect_err("no such sheet")
        .to_string();
    assert!(
        why.contains("there is no sheet C; there are: A, B"),
        "{why}"
    );
}

/// A workbook as the node makes it.
fn template() -> Vec<u8> {
    let mut bytes = Vec::new();
    corridor_tables::write::template(&KINDS[..1], Language::English, &mut bytes).expect("one");
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_a_table_or_an_error(
        head in prop_oneof![
            Just(""), Just("PK\u{3}\u{4}"), Just("["), Just("[{\"title\":"),
            Just("{\"practice\":["), Just("title,language\n"), Just("\u{FEFF}our_ref;title\n"),
        ],
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = outcome(&[head.as_bytes(), &rest].concat(), &Options::default());
    }

    #[test]
    fn a_workbook_that_something_broke_is_a_table_or_an_error(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = template();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let _ = outcome(&bytes, &Options::default());
        bytes.truncate(cut.index(bytes.len()));
        let _ = outcome(&bytes, &Options::default());
    }

    #[test]
    fn any_xml_in_a_workbook_is_a_table_or_an_error(
        inner in concat!(
            "(<(row|c|v|is|t|f|mergeCell|dimension)( r=\"[A-Z]{0,3}[0-9]{0,7}\")?",
            "( t=\"(s|str|b|e|n|d|inlineStr)\")?( s=\"[0-9]{0,3}\")?/?>|",
            "</(row|c|v|is|t|f|sheetData)>|[0-9a-z&;.-]{0,4}){0,20}",
        ),
        cell in concat!(
            "(<(table:table-row|table:table-cell|text:p|text:s|office:annotation)",
            "( table:number-(rows|columns)-(repeated|spanned)=\"[0-9]{0,5}\")?",
            "( office:(value|date-value|value-type)=\"[a-z0-9.-]{0,6}\")?/?>|",
            "</(table:table-row|table:table-cell|text:p|table:table)>|[0-9a-z&;]{0,4}){0,20}",
        ),
    ) {
        let _ = outcome(&xlsx(NO_STRINGS, &sheet(&inner)), &Options::default());
        let _ = outcome(&ods(&table(&cell)), &Options::default());
    }
}
