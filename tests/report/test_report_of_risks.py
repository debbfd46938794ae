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
        "TRIPOD",
    ):
        assert wrong not in text, wrong
    assert "patients compared 60" in text
    assert "when patients progress" in text


def test_figures_are_those_that_a_risk_allows(comparison):
    assert set(comparison.figures(horizon=12.0)) == {
        "scores",
        "auc_over_time",
        "kaplan_meier_cohort",
        "kaplan_meier_risk_labs",
        "calibration_labs",
    }
