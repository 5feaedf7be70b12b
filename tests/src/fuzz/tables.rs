//! Tables that offices bring: any file, and the parts of workbooks by themselves, which no fuzzer
//! would find its way to through a checksum.

use std::io::Cursor;

use corridor_tables::record::apply;
use corridor_tables::write::{CsvWriter, Record, Writer, uses};
use corridor_tables::{Item, Options, read};

use super::Input;

/// Reads a file to its end, and each of its rows; what is taken is given out and taken again alike.
pub fn table(bytes: &[u8]) {
    let mut taken = Vec::new();
    let _ = read(&mut Cursor::new(bytes), &Options::default(), &mut |item| {
        if let Item::Row(row) = item {
            let applied = apply(row.kind, &row.uses, &row.values, None);
            if applied.problems.is_empty() {
                taken.push((row.kind, applied.body));
            }
        }
        taken.len() < 4
    });
    for (kind, body) in taken {
        let tags = corridor_tables::record::tags(kind, &body).expect("a body");
        let mut out = Vec::new();
        let mut writer = CsvWriter::new(&mut out).expect("a file");
        writer.kind(kind, uses(kind, &tags)).expect("headers");
        let record = Record {
            name: "",
            version: None,
            body: &body,
        };
        writer.record(record).expect("a row");
        writer.finish().expect("an end");
        drop(writer);
        let options = Options {
            kind: Some(kind),
            ..Options::default()
        };
        read(&mut Cursor::new(out), &options, &mut |item| {
            if let Item::Row(row) = item {
                let again = apply(row.kind, &row.uses, &row.values, None);
                assert_eq!(again.body, body, "what is given out is taken again alike");
            }
            true
        })
        .expect("our own file");
    }
}

/// The strings and the first sheet of a workbook of Excel.
pub fn table_xlsx(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let strings = input.counted();
    table(&xlsx(strings, input.rest()));
}

/// The content of a workbook of LibreOffice.
pub fn table_ods(content: &[u8]) {
    table(&stored(&[
        (
            "mimetype",
            b"application/vnd.oasis.opendocument.spreadsheet",
        ),
        ("content.xml", content),
    ]));
}

fn xlsx(strings: &[u8], sheet: &[u8]) -> Vec<u8> {
    const RELATION: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let book = format!(
        "<workbook xmlns:r=\"{RELATION}\"><sheets><sheet name=\"Practices\" sheetId=\"1\" \
         r:id=\"r1\"/></sheets></workbook>"
    );
    let sheets = format!(
        "<Relationships><Relationship Id=\"r1\" Type=\"{RELATION}/worksheet\" \
         Target=\"worksheets/sheet1.xml\"/></Relationships>"
    );
    stored(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", sheets.as_bytes()),
        ("xl/sharedStrings.xml", strings),
        ("xl/worksheets/sheet1.xml", sheet),
    ])
}

/// A zip file whose parts are stored as they are.
fn stored(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut list) = (Vec::new(), Vec::new());
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    for (name, content) in parts {
        let crc = crc32fast::hash(content).to_le_bytes();
        let size = number(content.len());
        let name_length = &number(name.len())[..2];
        let begin = number(file.len());
        let about = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc,
            &size,
            &size,
            name_length,
            &[0, 0],
        ];
        let about = about.concat();
        file.extend([b"PK\x03\x04".as_slice(), &about, name.as_bytes(), content].concat());
        let rest = [&[0; 10][..], &begin, name.as_bytes()].concat();
        list.extend([b"PK\x01\x02\x14\x00".as_slice(), &about, &rest].concat());
    }
    let count = &number(parts.len())[..2];
    let end = [number(list.len()), number(file.len())].concat();
    let end = [
        b"PK\x05\x06\0\0\0\0".as_slice(),
        count,
        count,
        &end,
        &[0, 0],
    ]
    .concat();
    [file, list, end].concat()
}

/// Where fuzzing begins: a table of each form.
pub fn seeds() -> [(&'static str, Vec<Vec<u8>>); 3] {
    let summary = "word ".repeat(45);
    let csv = format!(
        "our_ref,title,language,summary,gcm_objectives,states,title@fr,translation@fr\n\
         A,One,en,{summary},6; 3,AE; PH,Un,human\n"
    );
    let json = format!(
        "{{\"practice\":[{{\"title\":\"One\",\"language\":\"en\",\"summary\":\"{summary}\",\
         \"gcm_objectives\":[6,3],\"implementers\":[\"A | state\"],\"no_attribution\":true}}]}}"
    );
    let sheet = "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c>\
                 <c r=\"B1\" t=\"inlineStr\"><is><t>language</t></is></c>\
                 <c r=\"C1\" t=\"str\"><v>start_year</v></c></row>\
                 <row r=\"2\"><c r=\"A2\" t=\"s\"><v>1</v></c>\
                 <c r=\"B2\" t=\"str\"><v>en</v></c><c r=\"C2\"><v>2014</v></c></row></sheetData>\
                 <mergeCells count=\"1\"><mergeCell ref=\"A1:A2\"/></mergeCells></worksheet>";
    let strings =
        "<sst count=\"2\" uniqueCount=\"2\"><si><t>title</t></si><si><t>One</t></si></sst>";
    let length = u16::try_from(strings.len())
        .unwrap_or_default()
        .to_be_bytes();
    let parts = [length.as_slice(), strings.as_bytes(), sheet.as_bytes()].concat();
    let cell = |text: &str| {
        format!(
            "<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p>\
             </table:table-cell>"
        )
    };
    let ods = format!(
        "<office:spreadsheet><table:table table:name=\"Practices\"><table:table-row>{}{}\
         <table:table-cell table:number-columns-repeated=\"3\"/></table:table-row>\
         <table:table-row table:number-rows-repeated=\"2\">{}<table:table-cell \
         office:value-type=\"date\" office:date-value=\"2026-05-12\"/></table:table-row>\
         </table:table></office:spreadsheet>",
        cell("title"),
        cell("review_by"),
        cell("One<text:s text:c=\"2\"/>two")
    );
    let whole = xlsx(strings.as_bytes(), sheet.as_bytes());
    [
        ("table", vec![csv.into_bytes(), json.into_bytes(), whole]),
        ("table_ods", vec![ods.into_bytes()]),
        ("table_xlsx", vec![parts]),
    ]
}
