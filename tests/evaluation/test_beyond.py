"""Other cohorts, centres, subgroups, refits, sample size and censoring."""

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from scipy.special import expit
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sksurv.nonparametric import CensoringDistributionEstimator

from prrt_estimators import evaluation as ev
from prrt_estimators._survival import as_survival
from prrt_estimators.cohort import Cohort
from prrt_estimators.estimators import CoxPFSSurvival, LabPFSClassifier
from prrt_estimators.metrics import calibration_intercept_slope
from prrt_estimators.model_selection import Skipped, compare_models


def table(n=90, seed=0, shift=1.0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["CgA", "GGT", "age"])
    y = np.tile([0, 1, 1], n // 3)
    X["CgA"] += shift * y
    return X, y


# Other cohorts --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def external():
    X, y = table()
    model = LabPFSClassifier(model="logistic").fit(X, y)
    new, outcome = table(120, seed=1)
    return model, X, new, outcome, ev.evaluate_external(model, new, outcome, training=X, n_boot=100)


def test_scores_of_another_cohort_are_those_of_the_model_as_it_is(external):
    model, _, new, outcome, found = external
    p = model.predict_proba(new)[:, 1]
    assert found.scores.loc["auroc", "value"] == roc_auc_score(outcome, p)
    assert found.scores.loc["brier", "value"] == pytest.approx(np.mean((p - outcome) ** 2))
    assert found.scores.loc["brier", "chance"] == pytest.approx(outcome.mean() * (1 - outcome.mean()))
    assert (found.scores["low"] < found.scores["value"]).all()
    assert (found.scores["value"] < found.scores["high"]).all()
    line = calibration_intercept_slope(outcome, p)
    assert found.calibration.loc["slope", "value"] == line.slope
    assert found.threshold == model.decision_threshold_
    assert (found.predictions["predicted"].to_numpy() == model.predict(new)).all()
    assert "120 patients, 80 with long PFS" in repr(found)


def test_recalibration_is_apart_and_reaches_the_line(external):
    found = external[-1]
    assert found.recalibrated.loc["intercept", "value"] == pytest.approx(0, abs=1e-3)
    assert found.recalibrated.loc["slope", "value"] == pytest.approx(1, abs=1e-3)
    assert found.calibration.loc["slope", "value"] != pytest.approx(1, abs=1e-3)


def test_drift_of_inputs(external):
    _, X, new, _, _ = external
    moved = new.assign(age=new["age"] + 5, CgA=new["CgA"].where(np.arange(120) > 11))
    drift = ev.input_drift(moved, X).set_index("column")
    assert drift.index[0] == "age"
    assert drift.loc["age", "smd"] == pytest.approx(5, abs=1)
    assert drift.loc["CgA", "missing_here"] == pytest.approx(0.1)
    assert drift.loc["CgA", "missing_training"] == 0
    outside = ((moved["age"] < X["age"].min()) | (moved["age"] > X["age"].max())).mean()
    assert drift.loc["age", "outside"] == pytest.approx(outside)
    assert ev.input_drift(np.zeros((3, 2)), X).empty
    # A column of words and one that the training did not have come first and hide none of the rest.
    odd = pd.DataFrame({"words": ["a", "b"] * 60, "new": np.arange(120.0), **moved})
    pd.testing.assert_frame_equal(ev.input_drift(odd, X).set_index("column"), drift)


def test_weights_count_patients(external):
    model, _, new, outcome, _ = external
    weight = np.where(np.arange(120) < 30, 2, 1)
    twice = np.repeat(np.arange(120), weight)
    one = ev.evaluate_external(model, new, outcome, sample_weight=weight, n_boot=60)
    other = ev.evaluate_external(model, new.iloc[twice], outcome[twice], n_boot=60)
    assert one.scores.loc["auroc", "value"] == pytest.approx(other.scores.loc["auroc", "value"])
    assert one.calibration.loc["slope", "value"] == pytest.approx(other.calibration.loc["slope", "value"], rel=1e-4)
    with pytest.raises(ValueError, match="a weight for each of 120"):
        ev.evaluate_external(model, new, outcome, sample_weight=[1.0])


# Centres and subgroups ------------------------------------------------------------------------------------------------


def test_survival_models_are_scored_in_each_centre_by_times():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=90), "b": rng.normal(size=90)})
    months, limit = 14 * np.exp(-X["a"].to_numpy()) * rng.exponential(size=90), rng.uniform(10, 50, 90)
    y = as_survival((months <= limit, np.minimum(months, limit)))
    centre = np.repeat(["Basel", "Bonn", "Ulm"], [40, 46, 4])
    found = ev.leave_one_centre_out({"cox": CoxPFSSurvival()}, X, y, centre, verbose=0)
    rows = ev.centre_table(found, centre, n_boot=100).set_index("centre")
    for name in ("Basel", "Bonn"):
        inside = centre == name
        model = CoxPFSSurvival().fit(X[~inside], y[~inside])
        assert rows.loc[name, "uno_c"] == pytest.approx(model.score(X[inside], y[inside]))
        assert rows.loc[name, "predicted"] == pytest.approx(model.predict_survival_function(X[inside], [12.0]).mean())
        curve = KaplanMeierFitter().fit(y["time"][inside], y["event"][inside])
        assert rows.loc[name, "observed"] == pytest.approx(curve.predict(12.0))
        assert rows.loc[name, "low"] <= rows.loc[name, "uno_c"] <= rows.loc[name, "high"]
        assert rows.loc[name, "n_events"] == y["event"][inside].sum()
    assert np.isnan(rows.loc["Ulm", "uno_c"])
    with pytest.raises(ValueError, match="this comparison is of times"):
        ev.subgroup_table(found, {"centre": centre})


def test_each_centre_is_predicted_by_models_of_the_others():
    X, y = table()
    centre = np.repeat(["Bonn", "Ulm", "Basel"], 30)
    found = ev.leave_one_centre_out({"linear": LogisticRegression(), "pet": Skipped("none")}, X, y, centre, verbose=0)
    rows = ev.centre_table(found, centre, n_boot=50).set_index("centre")
    for name in rows.index:
        inside = centre == name
        p = LogisticRegression().fit(X[~inside], y[~inside]).predict_proba(X[inside])[:, 1]
        assert rows.loc[name, "auroc"] == roc_auc_score(y[inside], p)
        assert rows.loc[name, "predicted"] == pytest.approx(p.mean())
        assert rows.loc[name, "low"] <= rows.loc[name, "auroc"] <= rows.loc[name, "high"]
    with pytest.raises(ValueError, match="one centre only"):
        ev.leave_one_centre_out({"a": LogisticRegression()}, X, y, ["Bonn"] * 90)
    with pytest.raises(ValueError, match="without centre"):
        ev.leave_one_centre_out({"a": LogisticRegression()}, X, y, np.where(y == 1, "Bonn", "Ulm"))
    with pytest.raises(TypeError, match="no `cv`"):
        ev.leave_one_centre_out({"a": LogisticRegression()}, X, y, centre, cv=3)
    with pytest.raises(ValueError, match="person '7' is in several centres"):
        ev.leave_one_centre_out(
            {"a": LogisticRegression()}, X, y, centre, groups=np.where(np.arange(90) % 45 == 7, 7, np.arange(90) + 100)
        )


def test_subgroups_count_pairs_of_one_fold():
    X, y = table(60)
    comparison = compare_models({"linear": LogisticRegression()}, X, y, cv=3, verbose=0)
    sex = np.where(np.arange(60) % 2, "f", "m").astype(object)
    sex[0] = None
    rows = ev.subgroup_table(comparison, {"sex": sex, "all": ["x"] * 60}, n_boot=50).set_index("level")
    assert rows.loc["f", "n"] + rows.loc["m", "n"] + rows.loc["unknown", "n"] == 60
    assert np.isnan(rows.loc["unknown", "auroc"])
    hits = pairs = 0
    for _, fold in comparison.predictions.groupby("fold"):
        n_pairs = fold["y_true"].sum() * (1 - fold["y_true"]).sum()
        hits, pairs = hits + n_pairs * roc_auc_score(fold["y_true"], fold["y_score"]), pairs + n_pairs
    assert rows.loc["x", "auroc"] == pytest.approx(hits / pairs)
    assert rows.loc["x", "observed"] == pytest.approx(2 / 3)
    interval = binomtest(40, 60).proportion_ci(method="wilson")
    assert rows.loc["x", ["observed_low", "observed_high"]].tolist() == pytest.approx([interval.low, interval.high])
    with pytest.raises(ValueError, match="for each of 60"):
        ev.subgroup_table(comparison, {"sex": ["f"]})


def test_weights_count_in_subgroups_and_centres():
    X, y = table(60)
    weight = np.where((y == 1) & (np.arange(60) < 30), 3.0, 1.0)
    comparison = compare_models({"linear": LogisticRegression()}, X, y, cv=3, sample_weight=weight, verbose=0)
    row = ev.subgroup_table(comparison, {"all": ["x"] * 60}, n_boot=50).iloc[0]
    p = comparison.predictions.set_index("patient_id").loc[comparison.survival["patient_id"], "y_score"].to_numpy()
    assert (row["n"], row["n_long"]) == (60, 40)
    assert row["observed"] == pytest.approx(np.average(y, weights=weight))
    assert row["predicted"] == pytest.approx(np.average(p, weights=weight))
    hits = pairs = 0
    for _, fold in comparison.predictions.groupby("fold"):
        own = weight[fold["patient_id"].astype(int)]
        n_pairs = own[fold["y_true"] == 1].sum() * (1 - fold["y_true"]).sum()
        hits += n_pairs * roc_auc_score(fold["y_true"], fold["y_score"], sample_weight=own)
        pairs += n_pairs
    assert row["auroc"] == pytest.approx(hits / pairs)
    centre = np.arange(60) % 2
    found = ev.leave_one_centre_out({"a": LogisticRegression()}, X, y, centre, sample_weight=weight, verbose=0)
    rows = ev.centre_table(found, centre, n_boot=20)
    assert rows["observed"].tolist() == pytest.approx(
        [np.average(y[centre == k], weights=weight[centre == k]) for k in (0, 1)]
    )


# Refits ---------------------------------------------------------------------------------------------------------------


def test_more_patients_help_a_model_that_can_learn():
    X, y = table(180, shift=1.5)
    curve = ev.learning_curve_table(LogisticRegression(), X, y, shares=(0.05, 1.0))
    assert curve["n_train"].tolist() == pytest.approx([6, 120], abs=1)
    assert curve["mean"].iloc[1] > curve["mean"].iloc[0]
    with pytest.raises(ValueError, match="`shares`"):
        ev.learning_curve_table(LogisticRegression(), X, y, shares=(0,))
    with pytest.raises(ValueError, match="registered score"):
        ev.learning_curve_table(LogisticRegression(), X, y, score="luck")


def test_permutation_refits_everything_that_is_learnt_from_the_outcome():
    X, y = table(60, shift=2.0)
    found = ev.permutation_test(LogisticRegression(), X, y, n_permutations=39)
    assert found.pvalue == 1 / 40
    noise = np.random.default_rng(5).normal(size=(60, 40))
    null = ev.permutation_test(LogisticRegression(C=1e3), noise, y, n_permutations=39)
    assert null.pvalue > 0.05
    assert abs(np.mean(null.permuted) - 0.5) < 0.1


def test_stability_over_refits_and_repeats():
    X, y = table(60)
    steady = ev.refit_stability(LogisticRegression(C=1e-3), X, y, n_refits=8)
    restless = ev.refit_stability(LogisticRegression(C=1e3), X, y, n_refits=8)
    assert (steady["low"] <= steady["high"]).all()
    assert restless["mape"].mean() > 3 * steady["mape"].mean()
    cohort = Cohort({"lab": X}, ids=[f"P{k}" for k in range(60)])
    ours = ev.refit_stability(LabPFSClassifier(model="logistic"), cohort, y, n_refits=3)
    assert np.isfinite(ours.to_numpy()).all()
    with pytest.raises(ValueError, match="at least 2"):
        ev.refit_stability(LogisticRegression(), X, y, n_refits=1)


# Sample size ----------------------------------------------------------------------------------------------------------


def test_the_worked_example_of_the_publication():
    found = ev.riley_sample_size(24, 0.174, r2=0.288)
    assert found[:4] == (623, 662, 221, 662)
    assert found.events_per_parameter == pytest.approx(4.8, abs=0.01)


def test_r2_follows_from_the_auroc_as_in_a_simulation():
    rng, n, share, auroc = np.random.default_rng(0), 400_000, 0.36, 0.7
    y = rng.random(n) < share
    x = rng.normal(size=n) + np.sqrt(2) * 0.5244005127 * y  # the 0.7 quantile of the normal distribution
    p = expit(np.sqrt(2) * 0.5244005127 * x - 0.5244005127**2 + np.log(share / (1 - share)))
    fitted = np.mean(np.where(y, np.log(p), np.log(1 - p)))
    null = share * np.log(share) + (1 - share) * np.log(1 - share)
    assert ev.r2_of_auroc(auroc, share) == pytest.approx(1 - np.exp(2 * (null - fitted)), abs=0.004)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_parameters": 0, "prevalence": 0.3, "r2": 0.1}, "n_parameters"),
        ({"n_parameters": 5, "prevalence": 1.0, "r2": 0.1}, "prevalence"),
        ({"n_parameters": 5, "prevalence": 0.3}, "one of"),
        ({"n_parameters": 5, "prevalence": 0.3, "r2": 0.9}, "greatest"),
        ({"n_parameters": 5, "prevalence": 0.3, "auroc": 0.4}, "auroc"),
    ],
)
def test_sizes_out_of_range(arguments, match):
    with pytest.raises(ValueError, match=match):
        ev.riley_sample_size(**arguments)


# Censoring ------------------------------------------------------------------------------------------------------------


def survival(n=80, seed=0):
    rng = np.random.default_rng(seed)
    time, censored = rng.exponential(18, n), rng.uniform(2, 60, n)
    found = np.empty(n, dtype=[("event", bool), ("time", float)])
    found["event"], found["time"] = time <= censored, np.minimum(time, censored)
    return found


def test_follow_up_is_the_median_of_the_reversed_curve():
    everybody = survival()
    found = ev.reverse_kaplan_meier(everybody)
    assert found.median == KaplanMeierFitter().fit(everybody["time"], ~everybody["event"]).median_survival_time_
    assert found.low <= found.median <= found.high
    assert (found.n, found.n_events) == (80, everybody["event"].sum())


def test_weights_agree_with_scikit_survival():
    everybody, horizon = survival(), 12.0
    known = everybody["event"] | (everybody["time"] > horizon)
    ours = ev.censoring_weights(everybody["time"][known], horizon, everybody)
    curve = CensoringDistributionEstimator().fit(everybody)
    at = np.minimum(everybody["time"][known], horizon)
    theirs = 1 / curve.predict_proba(at - 1e-7)
    np.testing.assert_allclose(ours, theirs / theirs.mean(), rtol=1e-9)


def test_weights_where_progressions_and_censorings_tie_by_hand():
    # At 3 months one of 5 progresses first, and one of the 4 others is censored: 3/4 stay. At 6 one of 3 is: 3/4 * 2/3 = 1/2.
    everybody = np.array([(1, 3), (0, 3), (0, 6), (1, 9), (0, 20)], dtype=[("event", bool), ("time", float)])
    found = ev.censoring_weights([3, 9, 20], 12, everybody)
    # 1, 2 and 2 sum to the 5 patients; their mean is 5/3.
    np.testing.assert_allclose(found, [0.6, 1.2, 1.2])


@pytest.mark.parametrize("seed", range(4))
def test_weights_with_many_ties_agree_with_scikit_survival(seed):
    everybody, horizon = survival(60, seed), 12.0
    everybody["time"] = np.ceil(everybody["time"] / 3)  # 20 patients share a time
    horizon /= 3
    known = everybody["event"] | (everybody["time"] >= horizon)
    at = np.minimum(everybody["time"][known], horizon)
    theirs = 1 / CensoringDistributionEstimator().fit(everybody).predict_proba(at - 1e-7)
    np.testing.assert_allclose(theirs.sum(), 60)
    ours = ev.censoring_weights(everybody["time"][known], horizon, everybody)
    np.testing.assert_allclose(ours, theirs / theirs.mean(), rtol=1e-12)


def test_sensitivity_to_early_censoring():
    everybody, horizon = survival(150), 12.0
    known = everybody["event"] | (everybody["time"] > horizon)
    kept = everybody[known]
    y = (kept["time"] > horizon).astype(int)
    X = pd.DataFrame({"a": np.random.default_rng(1).normal(size=len(y)) + y})

    class OnTable(LogisticRegression):
        def fit(self, X, y):
            return super().fit(X["lab"].to_numpy(), y)

        def predict_proba(self, X):
            return super().predict_proba(X["lab"].to_numpy())

    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=5, random_state=0)
    comparison = compare_models({"linear": OnTable()}, Cohort({"lab": X}, survival=kept), y, cv=cv, verbose=0)
    found, row = (
        ev.censoring_sensitivity(comparison, everybody, horizon=horizon).iloc[0],
        comparison.summary().loc["linear"],
    )
    names = ["dropped", "dropped_low", "dropped_high"]
    assert found[names].tolist() == pytest.approx(row[["auroc_mean", "auroc_low", "auroc_high"]].tolist())
    assert found["shift"] == pytest.approx(found["weighted"] - found["dropped"])
    assert found["shift"] != 0
    assert ev.censoring_sensitivity(comparison, kept, horizon=horizon).empty
