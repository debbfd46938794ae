"""A clinic's sheet with every habit at once is one cohort through load_cohort, `prrt check`, `prrt compare` and `ingest`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ingest_helpers import clinical, key_of, make_export
from typer.testing import CliRunner

from prrt_estimators import model_selection
from prrt_estimators._sex import read_sex
from prrt_estimators._sheet_layout import patients_only, separator_line
from prrt_estimators._sheets import read_sheet_file
from prrt_estimators.cli import app
from prrt_estimators.datasets import load_cohort
from prrt_estimators.ingest import ingest

SEXES = {"f": ["weiblich", "w", "Frau", "female", "W"], "m": ["männlich", "m", "Mann", "male", "M"]}
N = 40


def german(value, digits=1):
    return f"{value:.{digits}f}".replace(".", ",")


def true_values(ids):
    rng = np.random.default_rng(0)
    time = (2 + 0.9 * rng.permutation(N)).round(1)
    return pd.DataFrame(
        {
            "sex": [("f", "m")[k % 2] for k in range(N)],
            "age": [50 + k % 30 for k in range(N)],
            "CgA": rng.uniform(60, 900, N).round(1),
            "albumin": rng.uniform(30, 48, N).round(1),
            "GGT": rng.uniform(12, 200, N).round(1),
            "time": time,
            "event": [int(k % 3 > 0 or time[k] <= 12) for k in range(N)],
        },
        index=pd.Index(ids, name="patient_id"),
    )


def write(path, truth):
    """Write the sheet: separator line, title, units and means in rows, words for nothing, units in cells, UTF-16."""
    lines = ["sep=;", "NET-Register, Stand 2024;;;;;;;", "Patienten-ID;Geschlecht;Alter;CgA;Albumin;GGT;PFS;Progress"]
    lines.append(";;Jahre;µg/l;g/l;U/l;Monate;")
    for k, (patient, row) in enumerate(truth.iterrows()):
        cga = "n.b." if k == 3 else german(row["CgA"])
        albumin = "k.A." if k == 7 else german(row["albumin"]) + (" g/l" if k % 4 == 1 else "")
        ggt = f"<{german(row['GGT'])}" if k == 5 else german(row["GGT"])
        event = "ja" if row["event"] else "nein"
        lines.append(
            ";".join(
                [patient, SEXES[row["sex"]][k % 5], str(row["age"]), cga, albumin, ggt, german(row["time"]), event]
            )
        )
    lines.append("Mittelwert;;64,5;431,0;39,0;105,0;20,0;")
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("utf-16"))


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clinic")
    make_export(folder / "export", 2)
    scanned = clinical(folder / "export")
    truth = true_values([*scanned["patient_id"], *(f"NET-{k:03d}" for k in range(N - len(scanned)))])
    for patient, sex, age in scanned[["patient_id", "sex", "age"]].itertuples(index=False):
        truth.loc[patient, ["sex", "age"]] = sex.lower(), age
    write(folder / "Register.csv", truth)
    return folder, truth


def column(table, word):
    (name,) = [name for name in table if word.lower() in name.lower()]
    return table[name]


def sexes(table):
    """Return the sex of each patient as the estimators read it."""
    (name,) = [name for name in table if name.lower() in ("sex", "geschlecht")]
    return [read_sex(cell) for cell in table[name]]


def agrees(lab, truth):
    assert len(lab) == N
    expected = truth["CgA"].where(np.arange(N) != 3)
    np.testing.assert_allclose(column(lab, "cga").to_numpy(float), expected)
    np.testing.assert_allclose(column(lab, "albumin").to_numpy(float), truth["albumin"].where(np.arange(N) != 7))
    np.testing.assert_allclose(column(lab, "ggt").to_numpy(float)[np.arange(N) != 5], truth["GGT"][np.arange(N) != 5])


def test_load_cohort_reads_it(clinic, capfd):
    folder, truth = clinic
    data = load_cohort(folder / "Register.csv", target="survival", verbose=True)
    agrees(data.X["lab"], truth)
    assert list(data.X.ids) == list(truth.index)
    assert sexes(data.X["lab"]) == [read_sex(sex) for sex in truth["sex"]]
    assert data.time.tolist() == truth["time"].tolist()
    assert data.event.astype(int).tolist() == truth["event"].tolist()
    told = capfd.readouterr().err
    for sentence in ("Row 2 is a title", "Row 4 holds the units", f"Row {N + 5} is not a patient (Mittelwert)"):
        assert sentence in told
    assert "column 'CgA [µg/l]': 1 cells hold 'n.b.' and count as not known." in data.layout
    assert "column 'Albumin [g/l]': 1 cells hold 'k.A.' and count as not known." in data.layout
    assert len(data.layout) == 6
    assert all(sentence[0].upper() + sentence[1:] in told for sentence in data.layout)


def test_the_commands_read_it(clinic, tmp_path, monkeypatch):
    folder, truth = clinic
    given = []

    def take(models, X, y, **_):
        given.append((X, y))
        raise SystemExit(0)

    # What it would compare is looked at; nothing is trained.
    monkeypatch.setattr(model_selection, "compare_models", take)
    table = str(folder / "Register.csv")
    for words in (["check", table], ["compare", table, "--out", str(tmp_path / "results"), "--models", "baseline_lab"]):
        answer = CliRunner().invoke(app, words)
        assert answer.exit_code == 0, answer.output
        assert "Row 2 is a title" in answer.stderr
        assert "Row 4 holds the units" in answer.stderr
    ((X, y),) = given
    agrees(X["lab"], truth)
    assert y.tolist() == (truth["time"] > 12).astype(int).tolist()


def test_ingest_reads_it(clinic, tmp_path):
    folder = clinic[0]
    result = ingest(
        folder / "export" / "dicom", folder / "Register.csv", tmp_path / "out", key_file=key_of(folder / "export"),
        require=(), n_jobs=1, verbose=False,
    )  # fmt: skip
    assert result.n_included == N, result.flow
    found = load_cohort(tmp_path / "out" / "cohort.csv", target="survival", verbose=False)
    plain = load_cohort(folder / "Register.csv", target="survival", verbose=False)
    # Pseudonyms have another order: patients are told apart by their times.
    order, own = np.argsort(found.time), np.argsort(plain.time)
    assert found.time[order].tolist() == plain.time[own].tolist()
    assert found.event[order].tolist() == plain.event[own].tolist()
    for word in ("cga", "albumin", "ggt"):
        ours, theirs = column(found.X["lab"], word).to_numpy(float), column(plain.X["lab"], word).to_numpy(float)
        np.testing.assert_allclose(ours[order], theirs[own])
    assert np.array(sexes(found.X["lab"]))[order].tolist() == np.array(sexes(plain.X["lab"]))[own].tolist()


def test_the_separator_that_is_named_counts(tmp_path):
    assert separator_line('"sep=;"\r\nid;x') == (";", "id;x")
    assert separator_line("sep=,") == (None, "sep=,")
    file = tmp_path / "t.csv"
    file.write_text("sep=|\nid|CgA\na|1,5;2\n", "utf-8")
    found = read_sheet_file(file)
    assert found.rows == [(2, ["id", "CgA"]), (3, ["a", "1,5;2"])]


def test_patients_are_not_taken_for_summaries_titles_or_units():
    # A first name, an analyte that begins with the word, and text that is no unit.
    rows = [(1, ["id", "Grading", "CgA"]), (2, ["Anna", "G1", "80"]), (3, ["Max", "G2", "90"])]
    assert patients_only(rows) == (rows, [])
    rows = [(1, ["analyte", "upper"]), (2, ["ALT", "40"]), (3, ["Total Bilirubin", "1.2"])]
    assert patients_only(rows) == (rows, [])
    rows = [(1, ["id", "Grading", "CgA"]), (2, ["a", "G1", "g/l"]), (3, ["b", "G2", "90"])]
    assert patients_only(rows) == (rows, [])
    # A header of two columns is no title, and a table of patients is never emptied.
    rows = [(1, ["id", "x"]), (2, ["Mittelwert", "5"])]
    assert patients_only(rows) == (rows, [])


def test_a_trial_that_is_called_total_keeps_its_patients():
    rows = [(1, ["id", "x"]), *((k, [f"TOTAL-{k:03d}", str(k)]) for k in range(2, 12))]
    assert patients_only(rows) == (rows, [])


def test_several_summaries_and_titles():
    rows = [
        (1, ["Register", None, None, None, None]), (3, ["Stand", "2024", None, None, None]), (4, ["id", "sex", "CgA", "Hb", "x"]),
        (5, ["Einheit", None, "ng/ml", "g/dl", None]), (6, ["a", "f", "80", "12", "1"]),
        (7, ["Mittelwert (n=1)", None, "80", "12", None]), (8, ["SD", None, "0", "0", None]), (9, ["Max", None, "80", "12", None]),
    ]  # fmt: skip
    found, told = patients_only(rows)
    assert found == [(4, ["id", "sex", "CgA [ng/ml]", "Hb [g/dl]", "x"]), (6, ["a", "f", "80", "12", "1"])]
    assert [int(sentence.split()[1]) for sentence in told] == [1, 3, 5, 7, 8, 9]


def test_units_beside_numbers():
    rows = [(1, ["id", "CgA [ng/ml]", "PFS (Monate)", "Hb", "ALT [U/l]", "Grad"])]
    rows += [
        (2, ["1 a", "80 ug/l", "12 Monate", "13,5 g/dl", "0,5 ukat/l", "2 von 3"]),
        (3, ["2", "<5 ng/ml", "7", "12", "30", "1"]),
    ]
    found, told = patients_only(rows)
    assert found[0][1] == ["id", "CgA [ng/ml]", "PFS (Monate)", "Hb [g/dl]", "ALT [U/l]", "Grad"]
    # Another unit, and words that are no unit of the column, stay for the reader of values to refuse or convert.
    assert found[1][1] == ["1 a", "80", "12", "13,5", "0,5 ukat/l", "2 von 3"]
    assert found[2][1] == ["2", "<5", "7", "12", "30", "1"]
    assert len(told) == 3
