"""Deaths without progression in the report: their cumulative incidence, and what the models learn of them."""

from __future__ import annotations

import html
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from prrt_estimators import compare_models, load_cohort
from prrt_estimators.estimators import CoxPFSSurvival
from prrt_estimators.report import write_report

MODELS = {"labs": CoxPFSSurvival()}


@pytest.fixture(scope="module")
def table():
    # Of 40 patients without censoring before 30 months, 10 progress and 5 die by month 12.
    months = np.concatenate([np.linspace(1, 11, 15), np.linspace(14, 30, 25)]).round(2)
    status = np.array([1, 1, 2] * 5 + [1, 0, 2, 0, 1] * 5)
    cga = 200 - 4 * months + np.random.default_rng(0).normal(0, 10, 40)
    return pd.DataFrame({"patient_id": range(40), "cga": cga.round(1), "pfs_months": months, "status": status})


def text_of(table, folder, models=MODELS, **options):
    options = {"event": ("status", 1), "competing": ("status", 2)} | options
    data = load_cohort(table, verbose=False, **options)
    comparison = compare_models(models, data.X, data.y, cv=3, verbose=0)
    figures = comparison.figures(horizon=12.0, followup=data.followup)
    page = write_report(comparison, folder, figures=figures, followup=data.followup).read_text("utf-8")
    text = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<body>")[2])))
    return text, figures


def test_incidence_and_what_is_learnt_are_stated(table, tmp_path):
    text, figures = text_of(table, tmp_path / "pfs", target="time")
    assert "10 of 40 patients died without progression" in text
    # Nobody is censored by month 12: 10 of 40 and 5 of 40.
    assert re.search(r"progression 25 % \(\d+ to \d+\), death without progression 12 % \(\d+ to \d+\)", text)
    assert "which progression and death both end" in text
    assert "of 40 patients progressed or died" in text
    assert "with progression or death seen" in text
    assert "cause-specific" not in text
    assert "cumulative_incidence" in figures
    assert "in all 40 patients" in text

    text, _ = text_of(table, tmp_path / "cause", target="time", competing_as="censored")
    assert "The models are cause-specific" in text
    assert "both end" not in text
    assert "with progression seen" in text
    assert "10 of 40 patients died without progression" in text


def test_a_comparison_of_classes_shows_it_too(table, tmp_path):
    with pytest.warns(UserWarning, match="censored before 18 months"):
        text, figures = text_of(table, tmp_path, {"constant": DummyClassifier()}, horizon=18.0)
    assert "who died by the horizon has short PFS" in text
    assert "cumulative_incidence" in figures


def test_a_table_without_such_codes_is_said_to_have_none(table, tmp_path):
    text, figures = text_of(table, tmp_path, target="time", event=("status", [1, 2]), competing=None)
    assert "Death without progression is not coded apart" in text
    assert "cumulative_incidence" not in figures
