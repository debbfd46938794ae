"""One interval and one test of cross-validated scores: formulas by hand, agreement of the ways to them, their promises."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from comparison_helpers import NoiseClassifier, OnCohort, RandomForestLab, cohort, table
from scipy import stats
from sklearn.metrics import average_precision_score
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators.inspection._saliency import caution_of
from prrt_estimators.metrics import auprc_of_chance
from prrt_estimators.model_selection import (
    compare_models,
    fold_scores,
    interval_of_predictions,
    intervals_of_scores,
    power_of,
    score_interval,
)
from prrt_estimators.model_selection._fold_correction import instability
from prrt_estimators.report._conclusions import answer, reading


def test_interval_and_test_by_hand():
    scores = np.array([0.7, 0.6, 0.65, 0.75, 0.6, 0.7])
    found = score_interval(scores, n_train=80, n_test=40, null=0.5)
    error = np.sqrt((1 / 6 + 1.75 * 0.5) * scores.var(ddof=1))
    assert found.standard_error == pytest.approx(error)
    half = stats.t.ppf(0.975, 5) * error
    mean = scores.mean()
    assert (found.mean, found.low, found.high) == pytest.approx((mean, mean - half, mean + half))
    assert found.pvalue == pytest.approx(2 * stats.t.sf((scores.mean() - 0.5) / error, 5))
    # The interval excludes what the test refuses, and touches it at its own limit.
    at_limit = score_interval(scores, n_train=80, n_test=40, null=found.low)
    assert at_limit.pvalue == pytest.approx(0.05)


def test_more_folds_are_corrected_more():
    scores = np.linspace(0.5, 0.9, 10)
    three, five = (score_interval(scores, n_train=n, n_test=20, correction=None) for n in (40, 80))
    plain = score_interval(scores, n_train=80, n_test=20, correction=1.5)
    assert three.standard_error == pytest.approx(np.sqrt((0.1 + 1.75 / 2) * scores.var(ddof=1)))
    assert five.standard_error == pytest.approx(np.sqrt((0.1 + 2.25 / 4) * scores.var(ddof=1)))
    assert plain.standard_error < five.standard_error


def test_repeats_that_agree_are_corrected_less():
    repeat = np.repeat(np.arange(5), 3)
    steady = np.tile([0.6, 0.8, 0.7], 5)
    found = score_interval(steady, n_train=80, n_test=40, repeat=repeat)
    assert found.standard_error == pytest.approx(np.sqrt((1 / 15 + 0.5) * steady.var(ddof=1)))
    # Means of repeats 0.01 apart: 9 * 0.00025 / 0.01 by hand.
    moved = steady + 0.01 * repeat
    assert instability(moved, repeat) == pytest.approx(0.225)
    found = score_interval(moved, n_train=80, n_test=40, repeat=repeat)
    assert found.standard_error == pytest.approx(np.sqrt((1 / 15 + (1 + 0.6 * 0.225) * 0.5) * moved.var(ddof=1)))
    # The order of folds does not matter, and a fold without a score is left out.
    order = np.random.default_rng(0).permutation(15)
    assert instability(moved[order], repeat[order]) == pytest.approx(0.225)
    assert instability([*moved, np.nan], [*repeat, 9]) == pytest.approx(0.225)


def test_repeats_that_differ_or_are_few_are_corrected_most():
    repeat = np.repeat(np.arange(5), 3)
    scores = np.tile([0.6, 0.8, 0.7], 5)
    most = score_interval(scores + 0.2 * repeat, n_train=80, n_test=40).standard_error
    assert score_interval(scores + 0.2 * repeat, n_train=80, n_test=40, repeat=repeat).standard_error == most
    few = score_interval(scores[:12], n_train=80, n_test=40).standard_error
    assert score_interval(scores[:12], n_train=80, n_test=40, repeat=repeat[:12]).standard_error == few
    # Single divisions say nothing of how folds vary within a repeat; nor do folds that are all equal.
    assert np.isnan(instability(scores, np.arange(15)))
    assert np.isnan(instability(0.5 + 0.25 * repeat, repeat))


def test_limits_cut_the_interval():
    found = score_interval([0.99, 0.9, 1.0], n_train=40, n_test=20, limits=(0.0, 1.0))
    assert found.high == 1.0
    assert score_interval([0.99, 0.9, 1.0], n_train=40, n_test=20).high > 1.0


@pytest.mark.parametrize(("n_positive", "n"), [(1, 4), (2, 5), (3, 6), (4, 6)])
def test_auprc_of_chance_is_the_mean_over_all_rankings(n_positive, n):
    values = []
    for positions in itertools.combinations(range(n), n_positive):
        y = np.isin(np.arange(n), positions).astype(int)
        values.append(average_precision_score(y, -np.arange(n)))
    assert auprc_of_chance(n_positive, n) == pytest.approx(np.mean(values))


def test_auprc_of_chance_at_the_size_of_the_study():
    # A third of 116 patients: 14 of 39 with short PFS.
    rng = np.random.default_rng(0)
    hit = rng.permuted(np.tile(np.arange(39) < 14, (4000, 1)), axis=1)
    drawn = (hit * hit.cumsum(axis=1) / np.arange(1, 40)).sum(axis=1) / 14
    assert drawn[0] == pytest.approx(average_precision_score(hit[0], -np.arange(39)))
    assert auprc_of_chance(14, 39) == pytest.approx(np.mean(drawn), abs=0.006)
    assert auprc_of_chance(14, 39) > 14 / 39 + 0.05


def test_power_is_how_often_a_difference_is_found():
    rng = np.random.default_rng(1)
    error, df = 0.06, 29
    t = (0.1 + error * rng.normal(size=40_000)) / (error * np.sqrt(rng.chisquare(df, 40_000) / df))
    assert power_of(0.1, error, df) == pytest.approx(np.mean(np.abs(t) > stats.t.ppf(0.975, df)), abs=0.01)
    assert power_of(0.0, error, df) == pytest.approx(0.05)


@pytest.fixture(scope="module")
def compared():
    X, y = cohort(90)
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=0)
    models = {"a": OnCohort(), "b": RandomForestLab()}
    return compare_models(models, X, y, cv=cv, primary=("a", "b"), verbose=0)


@pytest.mark.parametrize("score", ["auroc", "auprc_short", "neg_brier"])
def test_summary_and_plain_functions_agree(compared, score):
    row = compared.summary(reference="b", n_boot=20).loc["a"]
    own = dict(list(compared.predictions.groupby("model")))
    arrays = [own["a"][name].to_numpy() for name in ("y_true", "y_score", "repeat", "fold")]
    found = interval_of_predictions(*arrays, score)
    assert (row[f"{score}_mean"], row[f"{score}_low"], row[f"{score}_high"]) == pytest.approx(found[:3])
    assert row[f"{score}_chance"] == pytest.approx(found.null)
    apart = interval_of_predictions(*arrays, score, p_other=own["b"]["y_score"].to_numpy())
    names = [f"{score}_difference{end}" for end in ("", "_low", "_high")]
    assert row[names].tolist() == pytest.approx(apart[:3])
    scores = fold_scores(*arrays, score)[score]
    assert scores.tolist() == pytest.approx(compared.scores.query("model == 'a'")[score].tolist())
    if score == "auroc":
        assert (row["p_chance"], row["p_value"]) == pytest.approx((found.pvalue, apart.pvalue))


def test_the_primary_comparison_is_tested_alone(compared):
    test = compared.primary_test()
    assert (test.model, test.reference, test.score) == ("a", "b", "auroc")
    row = compared.summary(reference="b", n_boot=20).loc["a"]
    assert (test.difference, test.pvalue) == pytest.approx((row["auroc_difference"], row["p_value"]))
    assert 0.05 < test.power < 1
    said = " ".join(answer(compared, compared.summary(n_boot=20)))
    assert "Primary comparison, a against b: difference of AUROC" in said
    with pytest.raises(ValueError, match="`primary` must be two different models"):
        compare_models({"a": OnCohort()}, *cohort(), cv=3, primary=("a", "z"), verbose=0)


def test_holm_leaves_the_primary_comparison_out():
    rng = np.random.default_rng(2)
    base = rng.normal(0.6, 0.02, 9)
    rows = [
        {"model": name, "repeat": k // 3, "fold": k % 3, "auroc": base[k] + shift + rng.normal(0, 0.02)}
        for name, shift in (("lab", 0.0), ("x", 0.05), ("y", 0.06), ("z", 0.04))
        for k in range(9)
    ]
    options = {"n_train": 60, "n_test": 30, "reference": "lab", "chance": 0.5}
    plain = intervals_of_scores(pd.DataFrame(rows), **options)
    named = intervals_of_scores(pd.DataFrame(rows), primary=("x", "lab"), **options)
    assert named.loc["x", "p_holm"] == named.loc["x", "p_value"] < plain.loc["x", "p_holm"]
    assert named.loc["y", "p_holm"] <= plain.loc["y", "p_holm"]
    assert named["p_chance_holm"].tolist() == plain["p_chance_holm"].tolist()


def test_of_ten_models_that_know_nothing_none_is_called_better():
    X, y = table(60)
    models = {f"m{k}": NoiseClassifier(random_state=k) for k in range(10)}
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=3, random_state=1)
    comparison = compare_models(models, X, y, cv=cv, verbose=0)
    summary = comparison.summary(n_boot=20)
    assert not any(sentence.startswith("Shown to be better") for sentence in answer(comparison, summary))
    assert {"not shown to be better than chance" in reading(row) for _, row in summary.iterrows()} == {True}
    assert caution_of(summary.loc[comparison.best_model])


def test_a_model_that_knows_something_is_named(compared):
    summary = compared.summary(n_boot=20)
    assert any("Shown to be better than chance" in sentence for sentence in answer(compared, summary))
    assert "lies above 0.5: better than chance" in reading(summary.loc["a"])
    assert caution_of(summary.loc["a"]) == ""
