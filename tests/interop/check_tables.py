"""Opens the workbooks of a running node with openpyxl, fills one in, and brings it back.

What is checked: lists to choose from, notes, the hidden row of keys, the direction of Arabic sheets; that
no text of a record is a formula; that a filled template becomes drafts once, and again nothing.
"""

import argparse
import csv
import json
import subprocess
from pathlib import Path

import openpyxl

LANGUAGES = ["en", "fr", "es", "ar", "ru"]
SUMMARY = " ".join(["Two States lined up what workers hear at home and after arrival."] * 4)
ROW = {
    "our_ref": "PY-1",
    "title": "One orientation path, filled in with openpyxl",
    "language": "en",
    "summary": SUMMARY,
    "gcm_objectives": "6; 3",
    "states": "United Arab Emirates; PHL",
    "start_year": 2014,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corridor", required=True)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    args = parser.parse_args()

    def corridor(*words, code=0):
        command = [args.corridor, "--profile", args.profile, "--no-input", "--json", *map(str, words)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == code, (words, ran.returncode, ran.stdout, ran.stderr)
        return json.loads(ran.stdout.splitlines()[-1]) if ran.stdout else None

    for language in LANGUAGES:
        check_template(corridor, args.folder / f"{language}.xlsx", language)
    check_import(corridor, args.folder)
    check_exports(corridor, args.folder)
    print("workbooks: ok")


def keys(sheet):
    return {cell.value: cell.column for cell in sheet[2] if cell.value}


def check_template(corridor, path, language):
    corridor("record", "template", "all", "--xlsx", path, "--language", language)
    book = openpyxl.load_workbook(path)
    assert len(book.worksheets) == 9, book.sheetnames
    for sheet in book.worksheets[:6]:
        assert sheet.row_dimensions[2].hidden, sheet.title
        assert sheet.sheet_view.rightToLeft == (language == "ar") or sheet.sheet_view.rightToLeft is None
        if language == "ar":
            assert sheet.sheet_view.rightToLeft, sheet.title
        columns = keys(sheet)
        assert len(columns) > 30 and "our_ref" in columns
        lists = [rule for rule in sheet.data_validations.dataValidation if rule.type == "list"]
        assert len(lists) >= 5, (sheet.title, len(lists))
        for rule in lists:
            assert choices(book, rule.formula1), (sheet.title, rule.sqref)
        for column in columns.values():
            assert sheet.cell(1, column).value, (sheet.title, column)
            assert sheet.cell(1, column).comment is not None, (sheet.title, column)
    texts = [cell.value for row in book.worksheets[7].iter_rows() for cell in row if cell.value]
    assert len(texts) >= 5 * 8, "what there is to know, in five languages"
    assert book.worksheets[8].max_row > 60, "an example of each kind"


def choices(book, formula):
    """What a list offers: its range leads to cells that are filled in."""
    name, area = formula.lstrip("=").rsplit("!", 1)
    sheet = book[name.strip("'").replace("''", "'")]
    return [row[0].value for row in sheet[area.replace("$", "")] if row[0].value is not None]


def check_import(corridor, folder):
    path = folder / "fr.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    columns = keys(sheet)
    for key, value in ROW.items():
        sheet.cell(3, columns[key]).value = value
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    letter = openpyxl.utils.get_column_letter(columns["stage"])
    rule = next(rule for area, rule in rules.items() if area.startswith(f"{letter}3"))
    sheet.cell(3, columns["stage"]).value = choices(book, rule.formula1)[2]
    book.save(path)
    told = corridor("record", "import", path, "--dry-run")
    assert told["import"]["newRows"] == 1, told
    told = corridor("record", "import", path)
    assert told["import"]["savedRows"] == 1, told
    draft = next(one for one in corridor("record", "drafts")["drafts"]
                 if one["body"]["envelope"].get("ourRef") == "PY-1")
    body = draft["body"]
    assert body["envelope"]["countries"] == ["AE", "PH"], body
    assert body["envelope"]["gcmObjectives"] == [6, 3], body
    assert body["stage"] == "PRACTICE_STAGE_RUNNING" and body["startYear"] == 2014, body
    told = corridor("record", "import", path)
    assert told["import"]["unchangedRows"] == 1, told
    sheet.cell(3, columns["gcm_objectives"]).value = 24
    book.save(path)
    told = corridor("record", "import", path, code=7)
    place = f'{openpyxl.utils.get_column_letter(columns["gcm_objectives"])}3'
    assert [one["cell"] for one in told["rows"][0]["problems"]] == [place], told


def check_exports(corridor, folder):
    path = folder / "hostile.json"
    title = '=HYPERLINK("http://example.org","click")'
    hostile = dict(ROW, our_ref="PY-2", title=title, start_year="2015")
    path.write_text(json.dumps({"practice": [hostile]}), encoding="utf-8")
    corridor("record", "import", path)
    for form in ["xlsx", "csv", "json"]:
        kinds = ["--kind", "practice"] if form == "csv" else []
        corridor("record", "export", "--drafts", *kinds, "-o", folder / f"all.{form}")
    book = openpyxl.load_workbook(folder / "all.xlsx")
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"], "no text is a formula"
    assert title in [cell.value for cell in cells], "and none is lost"
    with (folder / "all.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert f"'{title}" in [row["title"] for row in rows]
    assert len(rows) == sum(1 for row in book["Practices"].iter_rows(min_row=3) if row[0].value)
    told = json.loads((folder / "all.json").read_text(encoding="utf-8"))
    assert title in [row["title"] for row in told["practice"]]
    foreign = corridor("record", "import", folder / "all.xlsx", "--dry-run", code=7)
    said = [one["description"] for row in foreign["rows"] for one in row["problems"]]
    assert said and all("another process" in what for what in said), said


if __name__ == "__main__":
    main()
