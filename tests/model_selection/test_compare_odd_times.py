"""Comparisons of survival models on cohorts that allow little: an error that names who is there, or scores that are true."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort, compare_models
from prrt_estimators._survival import as_survival
from prrt_estimators.estimators import LabPFSSurvival
from prrt_estimators.report import write_report

N = 18


@pytest.fixture
def lab():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"CgA": rng.lognormal(5, 1, N), "AST": rng.lognormal(3.4, 0.3, N)})


def compared(lab, y, **more):
    return compare_models({"m": LabPFSSurvival()}, Cohort({"lab": lab}, survival=y), y, verbose=0, **{"cv": 3, **more})


def test_one_progression_cannot_be_divided(lab):
    y = as_survival((np.arange(N) == N - 1, 1.0 + np.arange(N)))
    with pytest.raises(ValueError, match=r"Patients who progressed: 1, who were censored: 17\. Use no more folds"):
        compared(lab, y)


def test_few_early_progressions_are_named_by_the_horizon(lab):
    y = as_survival((np.ones(N, bool), np.r_[5.0, np.arange(20.0, 19 + N)]))
    with pytest.raises(ValueError, match=r"Patients who progressed by 12 months: 1, others: 17\."):
        compared(lab, y)


def test_a_training_part_without_a_progression_is_refused(lab):
    y = as_survival((np.arange(N) < 6, 1.0 + np.arange(N)))
    rows = np.arange(N)
    with pytest.raises(ValueError, match="split 0 of cv has one class only in its training part"):
        compared(lab, y, cv=[(rows[6:], rows[:6])])


def test_one_patient_cannot_be_compared_on(lab):
    with pytest.raises(ValueError, match="cannot be split as asked"):
        compared(lab.head(1), as_survival(([True], [5.0])))


@pytest.mark.parametrize("time", [0.0, 7.0, 12.0])
def test_one_time_for_all_gives_what_can_be_known_and_a_report(lab, tmp_path, time):
    y = as_survival((np.arange(N) % 2 == 0, np.full(N, time)))
    comparison = compared(lab, y)
    assert comparison.status["status"].tolist() == ["ok"]
    assert comparison.scores["uno_c"].isna().all()
    told = " ".join(comparison.run["models"]["m"]["warnings"])
    for title, column in (("Uno's C", "uno_c"), ("AUC at 12 months", "auc_horizon"), ("Brier", "neg_brier_horizon")):
        assert comparison.scores[column].isna().any() == (title in told)
    assert np.isfinite(comparison.predictions[["y_score", "p_beyond"]]).all(axis=None)
    assert "progression seen" in write_report(comparison, tmp_path).read_text("utf-8")
