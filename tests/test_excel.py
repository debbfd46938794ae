"""What Excel shows is what is read, and a damaged file costs a message."""

import contextlib
import random
import re
import zipfile

import openpyxl
import pytest
from openpyxl.chart import BarChart
from openpyxl.styles import Font

from prrt_estimators._excel import MAX_UNPACKED, read_excel
from prrt_estimators._sheets import read_sheet_file, remarks
from prrt_estimators.datasets import check_cohort, load_cohort
from prrt_estimators.datasets._tables import read_table
from prrt_estimators.exceptions import CohortWarning
from prrt_estimators.ingest._clinical_sheet import read_sheet

ROWS = [["patient_id", "CgA [ug/l]", "pfs_months"], ["P1", 95, 30], ["P2", 800, 4], ["P3", 70, 14]]


def write(path, rows=ROWS, **change):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "labor"
    for row in rows:
        sheet.append(row)
    for name, act in change.items():
        act(book, sheet) if name == "act" else None
    book.save(path)
    return path


def rewrite(path, part, change):
    """Change the text of one part of a workbook."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts[part] = change(parts[part].decode()).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in parts.items():
            new.writestr(name, content)
    return path


def test_a_percentage_is_the_number_that_is_shown(tmp_path):
    def percent(_, sheet):
        for k, value in enumerate([0.15, 0.07, 1.0], 2):
            sheet.cell(k, 4, value).number_format = "0.0%"
        sheet.cell(1, 4, "Ki-67 [%]")
        sheet.cell(2, 5, 5).number_format = '0.0" % of dose"'

    path = write(tmp_path / "t.xlsx", act=percent)
    rows = [cells for _, cells in read_excel(path).rows]
    assert [row[3] for row in rows[1:]] == [15.0, 7.0, 100.0]
    assert rows[1][4] == 5
    as_csv = tmp_path / "t.csv"
    as_csv.write_text("patient_id,Ki-67 [%],pfs_months\nP1,15.0%,30\nP2,7.0%,4\nP3,100.0%,14\n")
    of_csv, of_excel = (load_cohort(p, event=None, verbose=False).X["lab"]["Ki-67 [%]"] for p in (as_csv, path))
    assert of_csv.tolist() == of_excel.tolist() == [15.0, 7.0, 100.0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('<c r="B3" t="e"><v>#DIV/0!</v></c>', "holds the error '#DIV/0!'"),
        ('<c r="B3" t="e"><v>#N/A</v></c>', "holds the error '#N/A'"),
        ('<c r="B3"><f>B2*2</f></c>', "holds a formula without a value"),
        ('<c r="B3"><f>B2*2</f><v></v></c>', "holds a formula without a value"),
    ],
)
def test_errors_and_formulas_without_value_are_problems(tmp_path, content, told):
    path = write(tmp_path / "t.xlsx")
    rewrite(path, "xl/worksheets/sheet1.xml", lambda text: re.sub(r'<c r="B3".*?</c>', content, text))
    problems = check_cohort(path, event=None)
    assert [problem.patient for problem in problems] == ["P2"]
    assert told in problems[0].what
    assert read_sheet(path)["CgA [ug/l]"][1].startswith("#")


def test_a_formula_with_a_value_is_the_value_and_one_with_empty_text_is_empty(tmp_path):
    path = write(tmp_path / "t.xlsx")
    change = {"B3": '<c r="B3"><f>B2*2</f><v>190</v></c>', "B4": '<c r="B4" t="str"><f>IF(A4="","","")</f><v></v></c>'}
    for place, content in change.items():
        rewrite(
            path,
            "xl/worksheets/sheet1.xml",
            lambda text, place=place, content=content: re.sub(f'<c r="{place}".*?</c>', content, text),
        )
    assert [row[1] for _, row in read_excel(path).rows] == ["CgA [ug/l]", 95, 190, None]


def test_a_hidden_sheet_is_read_by_name_only(tmp_path):
    def hide(book, sheet):
        old = book.create_sheet("old", 0)
        for row in [ROWS[0], ["P1", 950, 30], ["P2", 8000, 4], ["P3", 700, 14]]:
            old.append(row)
        old.sheet_state = "veryHidden"

    path = write(tmp_path / "t.xlsx", act=hide)
    found = read_table(path)
    assert found.frame["CgA [ug/l]"].tolist() == [95, 800, 70]
    assert found.sheet == "'labor' of t.xlsx"
    assert read_table(path, "old").frame["CgA [ug/l]"].tolist() == [950, 8000, 700]
    assert "no sheet 1" in str(read_table(path, 1).problems[0])
    assert load_cohort(path, event=None, verbose=False).sheet == "'labor' of t.xlsx"
    notes = []
    assert read_sheet(path, 0, notes)["CgA [ug/l]"].tolist() == [95, 800, 70]
    assert notes == ["read from sheet 'labor'"]


def test_a_chart_as_first_sheet_is_passed_over(tmp_path):
    def chart(book, _):
        book.create_chartsheet("figure", 0).add_chart(BarChart())

    path = write(tmp_path / "t.xlsx", act=chart)
    assert len(read_table(path).frame) == len(read_sheet(path)) == 3


def test_hidden_filtered_and_struck_rows_are_reported(tmp_path):
    def mark(_, sheet):
        sheet.row_dimensions[2].hidden = True
        sheet.auto_filter.ref = "A1:C4"
        sheet["B3"].font = Font(strike=True)
        sheet.column_dimensions["C"].hidden = True

    path = write(tmp_path / "t.xlsx", act=mark)
    found = read_sheet_file(path)
    assert (found.hidden, found.struck, found.hidden_columns) == ([2], [3], ["C"])
    with pytest.warns(CohortWarning) as told:
        load_cohort(path, event=None, verbose=False)
    texts = [str(one.message) for one in told]
    assert any("1 row is hidden or filtered away in Excel" in text and "(row 2)" in text for text in texts)
    assert any("struck through" in text and "(row 3)" in text for text in texts)
    assert any("column C is hidden" in text for text in texts)
    assert remarks(read_sheet_file(write(tmp_path / "plain.xlsx"))) == []


def test_cells_merged_over_several_rows_are_reported(tmp_path):
    rows = [[*row, extra] for row, extra in zip(ROWS, ["AST", 20, 30, 25], strict=True)]
    path = write(
        tmp_path / "t.xlsx", rows, act=lambda _, sheet: (sheet.merge_cells("B2:B3"), sheet.merge_cells("E1:F1"))
    )
    [told] = remarks(read_sheet_file(path))
    assert "B2:B3 is merged over several rows, so that only the first row has its value" in told
    with pytest.warns(CohortWarning, match="B2:B3 is merged"):
        load_cohort(path, event=None, verbose=False)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ('0.0" mg/l"', "a number format adds 'mg/l' in column B"),
        ("#,##0\\ \\m\\g", "a number format adds 'mg' in column B"),
        ("#,##0,", "the number format of column B shows thousands"),
        ('0.0,,"M"', "the number format of column B shows thousands"),
        ("#,##0", None),
        ("#,##0.00;[Red]-#,##0.00", None),
        ('0" U/l"', None),  # the header says so, too
        ('_-* #,##0.00_-;-* #,##0.00_-;_-* "-"??_-;_-@_-', None),
    ],
)
def test_formats_that_show_what_is_in_no_cell_are_reported(tmp_path, form, told):
    def mark(_, sheet):
        sheet["B1"] = "AST [U/l]"
        for row in (2, 3):
            sheet.cell(row, 2).value, sheet.cell(row, 2).number_format = 12000, form

    found = remarks(read_sheet_file(write(tmp_path / "t.xlsx", act=mark)))
    assert found == [] if told is None else any(told in text for text in found)


def test_one_far_cell_costs_nothing_and_far_cells_are_refused(tmp_path):
    path = write(tmp_path / "t.xlsx", act=lambda _, sheet: sheet.cell(1048576, 16384, "x"))
    assert [len(cells) for _, cells in read_excel(path).rows] == [4] * 5

    def diagonal(_, sheet):
        for k in range(2100):
            sheet.cell(k + 6, k + 6, 1)

    with pytest.raises(ValueError, match="more than the 4000000 cells of a table"):
        read_excel(write(tmp_path / "d.xlsx", act=diagonal))


def test_what_unpacks_to_too_much_is_refused(tmp_path):
    path = write(tmp_path / "t.xlsx")
    rewrite(path, "xl/worksheets/sheet1.xml", lambda text: text + " " * MAX_UNPACKED)
    assert path.stat().st_size < 200_000
    assert "more than the 48 MB of a table" in str(read_table(path).problems[0])


def test_whole_numbers_beyond_fifteen_digits_are_not_passed_off_as_exact(tmp_path):
    path = write(tmp_path / "t.xlsx", [["patient_id", "age", "pfs_months"], [1234567890123456789, 61, 30], [7, 70, 3]])
    problems = check_cohort(path, event=None)
    assert "more than 15 digits" in problems[0].what


@pytest.mark.parametrize("seed", range(36))
def test_damaged_files_are_named_never_a_raw_exception(tmp_path, seed):
    path = write(tmp_path / "t.xlsx")
    content, rng = bytearray(path.read_bytes()), random.Random(seed)
    if seed % 3 == 0:
        del content[rng.randrange(len(content)) :]
    elif seed % 3 == 1:
        for _ in range(rng.randrange(1, 30)):
            content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(bytes(content))
    if seed % 3 == 2:  # sound as a zip, damaged inside
        with zipfile.ZipFile(path) as old:
            names = sorted(name for name in old.namelist() if name.endswith((".xml", ".rels")))

        def spoil(text):
            cut = rng.randrange(len(text))
            spoilt = rng.choice(["", "<x>", "\x00", "99999999999999999999", '"'])
            return text[:cut] + spoilt + text[cut + rng.randrange(1, 40) :]

        rewrite(path, rng.choice(names), spoil)
    for problem in read_table(path).problems:
        assert "t.xlsx" in str(problem)
    with contextlib.suppress(ValueError):  # any other exception is a raw one
        read_sheet(path)
