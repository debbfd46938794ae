"""Weights of patients and scorers of the user's own, from `compare_models` to the summary."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, make_scorer, roc_auc_score

from prrt_estimators.exceptions import ResultsWarning
from prrt_estimators.model_selection import compare_models


def patients(n=36):
    rng = np.random.default_rng(3)
    y = np.tile([0, 1, 1], n // 3)
    return rng.normal(size=(n, 2)) + y[:, None], y


def test_weight_two_is_the_patient_given_twice():
    X, y = patients()
    weight = np.where((y == 1) & (np.arange(len(y)) % 4 < 2), 2.0, 1.0)
    folds = [np.flatnonzero(np.arange(len(y)) % 3 == k) for k in (2, 0, 1)]
    # Folds of all classes: patients go by threes.
    order = np.random.default_rng(0).permutation(len(y))
    folds = [order[part] for part in folds]
    cv = [(np.setdiff1d(np.arange(len(y)), test), test) for test in folds]
    rows = np.repeat(np.arange(len(y)), weight.astype(int))
    cv_twice = [(np.flatnonzero(~np.isin(rows, test)), np.flatnonzero(np.isin(rows, test))) for test in folds]
    models = {"linear": LogisticRegression(tol=1e-10)}
    one = compare_models(models, X, y, cv=cv, sample_weight=weight, verbose=0)
    two = compare_models(models, X[rows], y[rows], cv=cv_twice, groups=rows, verbose=0)
    plain = compare_models(models, X, y, cv=cv, verbose=0)
    row, twice, without = (found.summary(n_boot=20).loc["linear"] for found in (one, two, plain))
    # The chance level of an area under few points depends on how many points there are, so it is left out.
    told = [name for name in row.index if name.endswith("_mean") or name.startswith("prevalence")]
    assert {"auroc_mean", "auprc_mean", "neg_brier_mean", "prevalence_long", "prevalence_short"} <= set(told)
    np.testing.assert_allclose(row[told].astype(float), twice[told].astype(float), rtol=1e-6)
    for name in ("auroc_mean", "neg_brier_mean", "prevalence_long"):
        assert row[name] != pytest.approx(without[name], rel=1e-6), f"{name} does not depend on weights"
    assert row["auprc_chance"] != pytest.approx(without["auprc_chance"], rel=1e-3)


def test_a_scorer_of_the_user_s_own_is_computed_on_the_test_part_of_each_fold():
    X, y = patients()

    def mine(estimator, X, y):
        return float(len(y)) + roc_auc_score(y, estimator.predict_proba(X)[:, 1])

    found = compare_models(
        {"a": LogisticRegression()}, X, y, cv=3, scoring={"mine": mine, "ours": "roc_auc"}, verbose=0
    )
    np.testing.assert_allclose(found.scores["mine"], 12 + found.scores["ours"], rtol=1e-12)
    alone = compare_models({"a": LogisticRegression()}, X, y, cv=3, scoring=mine, verbose=0)
    np.testing.assert_array_equal(alone.scores["mine"], found.scores["mine"])
    balanced = make_scorer(balanced_accuracy_score)
    named = compare_models({"a": LogisticRegression()}, X, y, cv=3, scoring={"balanced": balanced}, verbose=0)
    again = compare_models({"a": LogisticRegression()}, X, y, cv=3, scoring=["balanced_accuracy"], verbose=0)
    np.testing.assert_array_equal(named.scores["balanced"], again.scores["balanced_accuracy"])


def test_a_scorer_that_takes_no_weights_is_named():
    X, y = patients()

    def mine(estimator, X, y):
        return 0.5

    with pytest.warns(ResultsWarning, match="take no sample_weight .*: mine") as caught:
        compare_models(
            {"a": LogisticRegression()}, X, y, cv=3, scoring={"mine": mine, "roc_auc": "roc_auc"},
            sample_weight=np.ones(len(y)), verbose=0,
        )  # fmt: skip
    assert "roc_auc" not in str(caught[0].message)


def test_given_splits_are_those_that_run_in_their_order():
    X, y = patients()
    cv = [
        (np.arange(12, 36), np.arange(12)),
        (np.r_[:12, 24:36], np.arange(12, 24)),
        (np.arange(24), np.arange(24, 36)),
    ]
    found = compare_models({"a": LogisticRegression()}, X, y, cv=[cv[2], cv[0], cv[1]], verbose=0)
    tested = found.predictions.groupby("fold")["patient_id"].apply(lambda ids: sorted(map(int, ids))).tolist()
    assert tested == [list(range(24, 36)), list(range(12)), list(range(12, 24))]
    expected = [
        roc_auc_score(y[test], LogisticRegression().fit(X[train], y[train]).predict_proba(X[test])[:, 1])
        for train, test in (cv[2], cv[0], cv[1])
    ]
    np.testing.assert_allclose(found.scores["auroc"], expected, rtol=1e-12)
