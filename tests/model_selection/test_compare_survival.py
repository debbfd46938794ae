"""Models of the time to progression are compared by the scores of their own target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort, compare_models, load_comparison
from prrt_estimators._survival import as_survival
from prrt_estimators.estimators import LabBaselineSurvival, LabPFSClassifier, LabPFSSurvival
from prrt_estimators.metrics import prrt_scorers
from prrt_estimators.model_selection._digest import scorer_text


@pytest.fixture
def patients():
    """High CgA is bad; some are censored."""
    rng = np.random.default_rng(0)
    lab = pd.DataFrame({"CgA": rng.lognormal(5, 1, 60), "AST": rng.lognormal(3.4, 0.3, 60)})
    lab["ALT"] = rng.lognormal(3.4, 0.3, 60)
    months = 15 * rng.exponential(size=60) * (150 / lab["CgA"].to_numpy()) ** 1.5
    limit = rng.uniform(5, 50, 60)
    return lab, as_survival((months <= limit, np.ceil(np.minimum(months, limit))))


def test_survival_models_are_compared(patients, tmp_path):
    lab, y = patients
    models = {"labs": LabPFSSurvival(), "baseline": LabBaselineSurvival()}
    comparison = compare_models(models, lab, y, cv=3, out=tmp_path, verbose=0)
    assert comparison.status["status"].tolist() == ["ok", "ok"]
    assert comparison.metrics == list(prrt_scorers("time"))
    summary = comparison.summary()
    assert summary.loc["labs", "uno_c_mean"] > 0.6
    assert summary.loc["labs", "uno_c_chance"] == 0.5
    assert comparison.best_model in models
    assert set(comparison.predictions["kind"]) == {"risk"}
    np.testing.assert_array_equal(comparison.survival["time"], y["time"])
    assert set(comparison.predictions["y_true"]) == set(y["time"])
    again = compare_models(models, lab, y, cv=3, out=tmp_path, verbose=0)
    pd.testing.assert_frame_equal(again.predictions, comparison.predictions)
    assert load_comparison(tmp_path).summary().loc["labs", "uno_c_mean"] == summary.loc["labs", "uno_c_mean"]


def test_models_of_classes_and_of_times_are_not_mixed_where_y_holds_classes(patients):
    lab, y = patients
    with pytest.raises(ValueError, match="time: labs; class: forest"):
        compare_models(
            {"labs": LabBaselineSurvival(), "forest": LabPFSClassifier()},
            Cohort({"lab": lab}),
            y["time"] > 12,
            verbose=0,
        )


def test_another_horizon_is_another_score():
    twelve, other = (prrt_scorers("time", horizon=months)["auc_horizon"] for months in (12.0, 24.0))
    assert scorer_text(twelve) == "auc_horizon"
    assert scorer_text(other) != scorer_text(twelve)
