"""Reading tables: sources, separators, encodings, Excel."""

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prrt_estimators._sheets import sniff_separator
from prrt_estimators.datasets._tables import empty_cells, read_table
from prrt_estimators.exceptions import MissingDependencyError

HEADER = ["patient_id", "Größe [cm]", "pfs_months"]
ROWS = [["P1", "171,5", "30"], ["P2", "", "4,5"], ["P3", "a, b", "12"]]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_separator_and_encoding_are_found_out(tmp_path, separator, encoding):
    quoted = [separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in [HEADER, *ROWS]]
    path = tmp_path / "t.csv"
    path.write_bytes("\r\n".join(["", *quoted, separator * 2, ""]).encode(encoding))
    table = read_table(path)
    assert table.problems == []
    assert list(table.frame.columns) == HEADER
    assert table.frame["pfs_months"].tolist() == ["30", "4,5", "12"]
    assert table.frame["Größe [cm]"].isna().tolist() == [False, True, False]
    assert table.folder == tmp_path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.sampled_from(",;\t|"),
    st.lists(st.lists(st.text("ab1.,; \"'|", max_size=6), min_size=3, max_size=3), min_size=1, max_size=8),
)
def test_what_a_csv_writer_writes_is_read_back(tmp_path, separator, rows):
    frame = pd.DataFrame(rows, columns=["first", "second", "third"])
    frame["anchor"] = "x"  # a row is never blank
    path = tmp_path / "t.csv"
    frame.to_csv(path, sep=separator, index=False)
    table = read_table(path)
    assert table.problems == []
    stripped = frame.map(str.strip)
    assert table.frame.fillna("").equals(stripped.astype(object))


@pytest.mark.parametrize(
    "title",
    ["NET-Ambulanz, PRRT-Liste\n\n", "NET-Ambulanz PRRT-Liste\n", "NET, Liste\nStand 03/2024, Dr. X\n\n", "a | b\n", "NET-Ambulanz, Liste;;;\n;;;\n", ""],
)  # fmt: skip
def test_a_title_does_not_choose_the_separator(tmp_path, title):
    rows = "id;CgA;Hb;PFS\n1;12,5;13,1;3\n2;100;12;40\n3;50;11;20\n"
    (tmp_path / "t.csv").write_text(title + rows)
    frame = read_table(tmp_path / "t.csv").frame
    assert frame.columns.tolist() == ["id", "CgA", "Hb", "PFS"]
    assert frame["CgA"].tolist() == ["12,5", "100", "50"]


def test_one_column_is_a_table():
    assert sniff_separator("patient_id\nP1\n") == ","


def test_dict_frame_and_index_are_the_same_table():
    columns = {"patient_id": ["a", "b"], "age": [61, 70]}
    from_dict = read_table(columns).frame
    assert from_dict.equals(read_table(pd.DataFrame(columns)).frame)
    assert from_dict.equals(read_table(pd.DataFrame(columns).set_index("patient_id")).frame)


def test_source_is_not_changed():
    frame = pd.DataFrame({" age ": [61, np.nan], "x": [1, np.nan]}, index=[5, 9])
    before = frame.copy()
    table = read_table(frame)
    assert list(table.frame.columns) == ["age", "x"]
    assert len(table.frame) == 1  # blank rows go
    pd.testing.assert_frame_equal(frame, before)


def test_empty_cells_have_many_spellings():
    values = pd.Series(["", " ", "n/a", "-", None, np.nan, pd.NaT, "0", 0, "no"], dtype=object)
    assert empty_cells(values).tolist() == [True] * 7 + [False] * 3
    assert empty_cells(pd.Series([1.0, np.nan])).tolist() == [False, True]
    assert empty_cells(pd.Series(["-", "a"], dtype="category")).tolist() == [True, False]


def test_excel_sheets(tmp_path):
    path = tmp_path / "t.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"id": [7, 8], "age": [61.5, None]}).to_excel(book, sheet_name="one", index=False, startrow=2)
        pd.DataFrame({"id": ["x"]}).to_excel(book, sheet_name="two", index=False)
    assert read_table(path).frame["age"].tolist()[0] == 61.5
    assert read_table(path, "two").frame["id"].tolist() == ["x"]
    (problem,) = read_table(path, "three").problems
    assert "no sheet 'three'; the file has 'one', 'two'" in str(problem)
    (problem,) = read_table(path, 2).problems
    assert "no sheet 2" in str(problem)


def test_excel_without_openpyxl_names_the_extra(tmp_path, monkeypatch):
    path = tmp_path / "t.xlsx"
    pd.DataFrame({"id": [1]}).to_excel(path)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingDependencyError, match=r"t\.xlsx needs openpyxl: pip install 'prrt-estimators\[excel\]'"):
        read_table(path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, "a DataFrame, a dict of columns, or a list of records such as .* got int"),
        ({"age": 61}, "column 'age' must be a sequence"),
        ({"id": "ab"}, "column 'id' must be a sequence"),
        ({"pet": np.zeros((2, 1, 4, 4, 4))}, r"got shape \(2, 1, 4, 4, 4\).*Cohort"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "MultiIndex"),
    ],
)
def test_wrong_kinds_of_source(source, message):
    with pytest.raises(TypeError, match=message):
        read_table(source)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.csv", None, "file does not exist. Remedy: correct the path"),
        ("t.xls", b"x", "cannot read tables of type '.xls'. Remedy: save it as CSV or as .xlsx"),
        ("t.xlsx", b"no zip", "cannot be read as a table"),
        ("t.csv", b"", "the table is empty"),
        ("t.csv", b"id,age\n", "the table holds no patient"),
        ("t.csv", b"id,age,pfs\na,1,2\nb,3\nc,1,2,3\n", "line 3 has 2 cells, the header has 3"),
        ("t.csv", b"id,age,pfs\na,1,2\nb,3\nc,1,2,3\n", "line 4 has 4 cells, the header has 3"),
        ("t.csv", b"id,age,age \na,1,2\n", "age (t.csv): column name occurs 2 times. Remedy: rename or remove"),
    ],
)
def test_broken_tables(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert any(message in str(problem) for problem in read_table(path).problems)


def test_folder_is_no_table(tmp_path):
    assert "is a folder, expected a CSV or Excel file" in str(read_table(tmp_path).problems[0])


def test_columns_of_unlike_length():
    assert "columns differ in length: a 2, b 1" in str(read_table({"a": [1, 2], "b": [1]}).problems[0])
