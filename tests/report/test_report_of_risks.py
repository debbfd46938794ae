"""The report of survival models says nothing of classes, and draws no group from a risk read as a probability."""

from __future__ import annotations

import html
import re

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort, compare_models
from prrt_estimators.estimators import LabPFSSurvival
from prrt_estimators.report import write_report
from prrt_estimators.report._methods_times import methods_of_times


@pytest.fixture(scope="module")
def comparison():
    rng = np.random.default_rng(0)
    lab = pd.DataFrame({"cga": rng.normal(size=60), "age": rng.normal(size=60)})
    months, limit = 14 * np.exp(-lab["cga"]) * rng.exponential(size=60), rng.uniform(4, 40, 60)
    survival = np.empty(60, dtype=[("event", bool), ("time", float)])
    survival["event"], survival["time"] = months <= limit, np.minimum(months, limit)
    return compare_models(
        {"labs": LabPFSSurvival()}, Cohort({"lab": lab}, survival=survival), survival, cv=3, verbose=0
    )


def test_no_sentence_is_of_classes(comparison, tmp_path):
    assert not comparison.gives_probabilities
    page = write_report(comparison, tmp_path).read_text("utf-8")
    text = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<body>")[2])))
    for wrong in (
        "with long PFS",
        "with short PFS",
        "were left out",
        "AUROC of chance",
        "probability of long PFS",
        "class weights",
    ):
        assert wrong not in text, wrong
    assert "patients compared 60" in text
    assert "when patients progress" in text


def test_methods_and_guidelines_are_those_of_times(comparison, tmp_path):
    page = write_report(comparison, tmp_path).read_text("utf-8")
    text = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<body>")[2])))
    events = int(comparison.survival["event"].sum())
    assert f"time to progression in months (60 patients, {events} with progression seen)" in text
    assert "3-fold cross-validation stratified by progression up to 12 months with 1 repeat" in text
    assert "Discrimination was measured by Uno's C [2] of progressions up to" in text
    assert "Accuracy was measured by the Brier score at 12 months [5] and the integrated Brier score [5]." in text
    assert "doi:10.1002/sim.4154" in text
    assert "{" not in text.partition("How it was run")[0]
    items = re.findall(
        r'<tr><th scope="row">(\w+)</th><td class="text">[^<]+</td><td>(.*?)</td><td class="text">(.*?)</td>', page
    )
    assert len(items) == 52 + 44
    for number, where, note in items:
        anchor = re.search(r'href="#(\w+)"', where)
        assert (f'id="{anchor[1]}"' in page) if anchor else (where == "for the author" and note), number


def test_only_measures_of_this_run_are_in_the_methods(comparison):
    class One:
        metrics = ("uno_c", "neg_brier_horizon")

        def __getattr__(self, name):
            return getattr(comparison, name)

    text, references = methods_of_times(One(), 12.0, "")
    assert "Harrell" not in text
    assert "Calibration was" not in text
    assert "Every model was compared" not in text
    assert [one.partition(" ")[0] for one in references[:3]] == ["Baur", "Uno", "Graf"]


def test_figures_are_those_that_a_risk_allows(comparison):
    assert set(comparison.figures(horizon=12.0)) == {
        "scores",
        "auc_over_time",
        "kaplan_meier_cohort",
        "kaplan_meier_risk_labs",
        "calibration_labs",
    }
