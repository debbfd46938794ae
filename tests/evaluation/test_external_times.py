"""Survival models on another cohort."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.utils import concordance_index

from prrt_estimators.estimators import LabPFSSurvival
from prrt_estimators.evaluation import ExternalTimeEvaluation, evaluate_external
from prrt_estimators.metrics import cumulative_dynamic_auc


def patients(n, seed, effect=1.0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["CgA", "GGT", "age"])
    months = 16 * rng.exponential(size=n) * np.exp(-effect * X["CgA"].to_numpy())
    limit = rng.uniform(4, 40, n)
    return X, {"event": months <= limit, "time": np.round(np.minimum(months, limit), 1)}


@pytest.fixture(scope="module")
def found():
    X, y = patients(90, 0)
    model = LabPFSSurvival().fit(X, y)
    new, outcome = patients(120, 1)
    return model, new, outcome, evaluate_external(model, new, outcome, training=X, n_boot=60)


def test_scores_are_those_of_the_model_on_these_patients(found):
    model, new, outcome, answer = found
    assert isinstance(answer, ExternalTimeEvaluation)
    risk = model.predict(new)
    expected = concordance_index(outcome["time"], -risk, outcome["event"])
    assert answer.scores.loc["harrell_c", "value"] == pytest.approx(expected, abs=1e-6)
    at_horizon = cumulative_dynamic_auc(outcome, risk, [12.0], train=outcome)[1]
    assert answer.scores.loc["auc_horizon", "value"] == pytest.approx(at_horizon)
    known = answer.scores.dropna(subset=["low"])
    assert known.index.tolist() == ["uno_c", "harrell_c", "auc_horizon", "brier_horizon", "integrated_brier"]
    assert (known["low"] <= known["value"]).all()
    assert (known["value"] <= known["high"]).all()
    assert answer.scores.loc["uno_c", "chance"] == 0.5
    assert np.isnan(answer.scores.loc["brier_horizon", "chance"])


def test_calibration_is_that_of_lifelines(found):
    model, new, outcome, answer = found
    beyond = model.predict_survival_function(new, [12.0])[:, 0]
    curve = KaplanMeierFitter().fit(outcome["time"], outcome["event"])
    assert answer.calibration.loc["observed", "value"] == pytest.approx(float(curve.predict(12.0)))
    assert answer.calibration.loc["predicted", "value"] == pytest.approx(beyond.mean())
    frame = pd.DataFrame({"risk": model.predict(new), "time": outcome["time"], "event": outcome["event"]})
    # Hazards are proportional, so that log(-log S) is the risk plus a constant.
    slope = CoxPHFitter().fit(frame, "time", "event").params_["risk"]
    assert answer.calibration.loc["slope", "value"] == pytest.approx(slope, abs=1e-4)
    assert answer.groups["n"].sum() == 120


def test_tables_and_predictions_say_what_was_evaluated(found):
    model, new, _, answer = found
    np.testing.assert_array_equal(answer.predictions["risk"], model.predict(new))
    assert answer.predictions.columns.tolist() == ["patient_id", "time", "event", "risk", "p_beyond"]
    first, *lines = repr(answer).splitlines()
    assert "120 patients" in first
    # Distances have no interval, and none is printed.
    assert ["(" in line for line in lines] == [*answer.scores["low"].notna(), *answer.calibration["low"].notna()]
    assert "nan" not in repr(answer)
    assert "Calibration at 12 months" in answer.tables()
    assert "Laboratory values here and in training" in answer.tables()
    assert set(answer.files()) == {"scores", "calibration", "calibration_groups", "drift", "predictions"}


def test_the_order_of_patients_changes_nothing(found):
    model, new, outcome, answer = found
    order = np.random.default_rng(0).permutation(len(new))
    other = evaluate_external(
        model, new.iloc[order].reset_index(drop=True), {k: v[order] for k, v in outcome.items()}, n_boot=5
    )
    np.testing.assert_allclose(other.scores["value"], answer.scores["value"], rtol=1e-9)


def test_what_cannot_be_evaluated_is_refused(found):
    model, new, outcome, _ = found
    with pytest.raises(ValueError, match="sample_weight"):
        evaluate_external(model, new, outcome, sample_weight=np.ones(120))
    with pytest.raises(ValueError, match="progressed"):
        evaluate_external(model, new, {"event": np.zeros(120, bool), "time": outcome["time"]})
    with pytest.raises(TypeError, match="event"):
        evaluate_external(model, new, np.tile([0, 1], 60))
    with pytest.raises(ValueError, match="inconsistent"):
        evaluate_external(model, new, {name: one[:-1] for name, one in outcome.items()})


def test_a_horizon_beyond_follow_up_is_unknown_and_not_wrong(found):
    model, new, outcome, _ = found
    answer = evaluate_external(model, new, outcome, horizon=60.0, n_boot=10)
    assert np.isnan(answer.calibration.loc["observed", "value"])
    assert np.isnan(answer.scores.loc["auc_horizon", "value"])
    assert np.isfinite(answer.scores.loc["uno_c", "value"])
