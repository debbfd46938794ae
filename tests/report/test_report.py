"""The page says what the numbers show, needs nothing else, and trusts no text."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from prrt_estimators.cohort import Cohort
from prrt_estimators.model_selection import Skipped, cohort_table, compare_models
from prrt_estimators.report import write_report
from prrt_estimators.report._conclusions import answer, flow, reading
from prrt_estimators.report._report import _first_of_each_kind


class Tags(HTMLParser):
    """Elements that need an end, and every address."""

    VOID = ("meta", "img", "br", "link", "input", "hr")

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


class OnLabs(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X["lab"].to_numpy(), y, sample_weight)

    def predict_proba(self, X):
        return super().predict_proba(X["lab"].to_numpy())


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 1], 12)
    survival = np.array([(True, 20.0 if one else 5.0) for one in y], dtype=[("event", bool), ("time", float)])
    lab = pd.DataFrame({"CgA <b>": rng.normal(size=36) - 2 * y, "age": rng.normal(60, 9, 36)})
    X = Cohort({"lab": lab}, survival=survival)
    models = {"baseline_lab": OnLabs(), "<script>alert(1)</script>": OnLabs(C=0.5), "scans": Skipped("no scans & none")}
    comparison = compare_models(models, X, y, cv=3, verbose=0)
    excluded = pd.DataFrame({"patient_id": ["P8", "P9"], "reason": ["censored before 12 months: class unknown"] * 2})
    folder = tmp_path_factory.mktemp("report")
    roles = pd.DataFrame(
        {
            "column": ["CgA <b>", "CRP am 06-Jan-2020 [mg/l]"],
            "role": ["lab", "unrecognised"],
            "reason": ["", "see 6.1.2020"],
        }
    )
    write_report(comparison, folder, cohort_table=cohort_table(X, y), excluded=excluded, roles=roles)
    return comparison, (folder / "report.html").read_text(encoding="utf-8")


def test_page_is_whole_and_needs_nothing_else(page):
    _, text = page
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert not {"script", "link", "iframe", "object"} & set(tags.seen)
    pictures = [address for address in tags.addresses if address.startswith("data:image/svg+xml;base64,")]
    assert len(pictures) >= 10
    anchors = {address[1:] for address in tags.addresses if address.startswith("#")}
    assert anchors
    assert anchors <= set(re.findall(r' id="([a-z0-9]+)"', text))
    files = {address for address in tags.addresses if not address.startswith(("data:", "#"))}
    assert files == {"tables.md", "tables.html"}
    assert not re.search(r"https?:|//[a-z]+\.|url\(", text)
    assert 'name="viewport"' in text
    assert "@media print" in text


def test_texts_are_escaped(page):
    _, text = page
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "CgA &lt;b&gt;" in text
    assert "no scans &amp; none" in text


def test_dates_in_names_of_columns_are_not_shown(page):
    _, text = page
    assert "<td>CRP am *** [mg/l]</td>" in text.replace('<th scope="row">', "<td>").replace("</th>", "</td>")
    assert "06-Jan-2020" not in text
    assert "6.1.2020" not in text


def test_page_tells_who_was_left_out_and_what_came_out(page):
    comparison, text = page
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
    assert "patients in the table 38" in plain
    assert "left out: censored before 12 months: class unknown 2" in plain
    assert "patients compared 36" in plain
    assert f"{comparison.summary().loc['baseline_lab', 'auroc_mean']:.3f}" in plain
    assert "Skipped (no scans & none): scans." in plain.replace("&amp;", "&")
    assert "36 patients, 2 models (1 skipped), 3 test folds in 1 repeat." in plain
    assert "and Baseline: labs was not shown (corrected" in plain
    assert "1 models" not in plain
    assert "flatters it" in plain
    assert "research software" in plain
    assert comparison.run["versions"]["scikit-learn"] in plain
    assert "Can laboratory values before therapy tell which patients" in plain, "there are no scans"
    assert "PET" not in plain.split("What came out")[0]


def test_a_warning_of_many_folds_is_shown_once():
    texts = ["NothingKnownWarning: patient P1", "UserWarning: b", "NothingKnownWarning: patient P2, P3"]
    assert _first_of_each_kind(texts) == [
        "NothingKnownWarning: patient P1 (1 more of this kind: run.json)", "UserWarning: b"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "p", "difference", "words"),
    [
        (0.4, 0.6, np.nan, np.nan, ["includes 0.5: not shown to be better than chance"]),
        (0.5, 0.7, np.nan, np.nan, ["includes 0.5"]),
        (0.55, 0.7, 0.01, 0.1, ["above 0.5", "Higher than Baseline: labs"]),
        (0.55, 0.7, 0.04, -0.1, ["Lower than Baseline: labs"]),
        (0.3, 0.45, 0.2, -0.1, ["worse than chance", "No difference from Baseline: labs was shown"]),
        (np.nan, np.nan, np.nan, np.nan, ["No interval"]),
    ],
)
def test_reading(low, high, p, difference, words):
    row = pd.Series(
        {
            "status": "ok",
            "auroc_low": low,
            "auroc_high": high,
            "p_holm": p,
            "auroc_difference": difference,
            "reference": "baseline_lab",
        }
    )
    assert all(word in reading(row) for word in words)
    assert reading(row | {"status": "failed"} if isinstance(row, dict) else row.replace("ok", "failed")) == (
        "No result: failed."
    )


def test_answer_when_nothing_ran():
    X, y = np.zeros((30, 2)), np.tile([0, 1], 15)
    comparison = compare_models({"a": Skipped("none")}, X, y, cv=3, verbose=0)
    assert answer(comparison, comparison.summary()) == ["No model has a result."]


def test_report_when_nothing_ran(tmp_path):
    X, y = np.zeros((30, 2)), np.tile([0, 1], 15)
    comparison = compare_models({"a": Skipped("none")}, X, y, cv=3, out=tmp_path / "run", verbose=0)
    assert "No model has a result." in write_report(comparison, tmp_path).read_text()


def test_warnings_of_reading_stand_with_the_patients_and_a_notice_stands_first(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.tile([0, 1], 15)
    told = "no column was taken as event: everyone counts as progressed <1>"
    comparison = compare_models(
        {"a": LogisticRegression()}, X, y, cv=3, out=tmp_path, cohort_warnings=[told], verbose=0
    )
    assert json.loads((tmp_path / "run.json").read_text("utf-8"))["data"]["warnings"] == [told]
    text = write_report(comparison, tmp_path, notice="All of it & them simulated.").read_text("utf-8")
    patients = text[text.index('<h2 id="patients">') : text.index('<h2 id="run">')]
    assert html.escape(told, quote=False) in patients
    notice = "All of it &amp; them simulated."
    assert text.index("<h1>") < text.index(notice) < text.index("<h2")
    assert re.search(rf"<h2 id=\"limits\">Limits</h2>\s*<ul>\s*<li>{notice}</li>", text)
    assert "It is the only model with a result." in text
    assert "30 patients, 1 model, 3 test folds in 1 repeat." in text
    plain = write_report(comparison, tmp_path).read_text("utf-8")
    assert 'class="notice"' not in plain
    assert "simulated" not in plain


def test_skipped_models_are_one_sentence_and_no_rows(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.tile([0, 1], 15)
    models = {"a": LogisticRegression(), **{name: Skipped("no scans") for name in ("pet", "ct", "pet_ct")}}
    text = write_report(compare_models(models, X, y, cv=3, verbose=0), tmp_path).read_text("utf-8")
    assert text.count("no scans") == 1
    assert "<li>Skipped (no scans): PET, CT, PET + CT.</li>" in text
    results = text[text.index('<h2 id="results">') : text.index('<h2 id="patients">')]
    assert results.count("<tr>") == 2


OUTCOMES = [("with short PFS", 4), ("with long PFS", 6)]


def test_flow():
    excluded = pd.DataFrame({"patient_id": ["a", "b", "c"], "reason": ["no time", "censored", "no time"]})
    steps = flow(10, OUTCOMES, excluded)
    assert steps[:3] == [("patients in the table", 13), ("left out: no time", 2), ("left out: censored", 1)]
    assert flow(10, OUTCOMES, None)[0] == ("patients compared", 10)
    assert flow(10, OUTCOMES, None, (2, 7))[-1] == ("lesions corrected by hand", "2 of 7 patients with a mask")
    assert flow(10, OUTCOMES, None, (0, 0)) == flow(10, OUTCOMES, None)


def test_the_page_counts_corrected_lesions(tmp_path):
    y = np.tile([0, 1], 6)
    X = Cohort({"lab": pd.DataFrame({"x": np.random.default_rng(0).normal(size=12)})})
    comparison = compare_models({"baseline_lab": OnLabs()}, X, y, cv=3, verbose=0)
    text = write_report(comparison, tmp_path, corrected=(3, 9)).read_text("utf-8")
    assert '<th scope="row">lesions corrected by hand</th><td>3 of 9 patients with a mask</td>' in text
