from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance as one_column_at_a_time
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators import Cohort, FusionPFSClassifier, LabPFSClassifier, make_prrt_cohort
from prrt_estimators.inspection import correlated_groups, forest_importance, grouped_permutation_importance
from prrt_estimators.model_selection import corrected_t_test

CV = StratifiedKFold(3, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def planted():
    """Two columns and a category tell the class, three columns do not."""
    rng = np.random.default_rng(0)
    y = np.arange(150) % 2
    table = pd.DataFrame(
        {
            "noise_a": rng.normal(size=150),
            "cga": rng.lognormal(5, 0.7, 150) * np.where(y, 1, 5),
            "noise_b": rng.normal(size=150),
            "albumin": rng.normal(40, 3, 150) + 4 * y,
            "noise_c": rng.choice(["m", "f"], 150),
        }
    )
    table.loc[::10, "albumin"] = np.nan
    return table, y


class MeanOfScans(ClassifierMixin, BaseEstimator):
    """Learns nothing; long PFS where the PET is bright and the first laboratory value is high."""

    seen: ClassVar[list[Cohort]] = []

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        self.seen.append(X)
        pet = np.nan_to_num(X["pet"].array.mean(axis=(1, 2, 3, 4)))
        p = 1 / (1 + np.exp(-pet - np.nan_to_num(X["lab"].iloc[:, 0].to_numpy())))
        return np.column_stack([1 - p, p])


@pytest.fixture
def scans():
    """Twelve patients; the PET tells the class, and two lack a PET, two all labs."""
    y = np.arange(12) % 2
    pet = (
        np.random.default_rng(0).normal(0, 0.1, (12, 1, 4, 4, 4)).astype(np.float32) + 4 * y[:, None, None, None, None]
    )
    pet[[3, 8]] = np.nan
    lab = pd.DataFrame({"a": np.linspace(0, 0.1, 12), "b": np.arange(12.0)})
    lab.iloc[[1, 6]] = np.nan
    return Cohort({"pet": pet, "lab": lab}, ids=[f"P{k}" for k in range(12)]), y


# Permutation importance -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["random_forest", "logistic"])
def test_planted_columns_lead_and_others_do_not_matter(planted, model):
    X, y = planted
    clf = LabPFSClassifier(model=model, n_estimators=40, random_state=0)
    table = grouped_permutation_importance(clf, X, y, cv=CV, n_repeats=3, random_state=0).frame().set_index("group")
    assert set(table.index[:2]) == {"cga", "albumin"}
    assert (table["importance"][:2] > 0.05).all()
    assert (table["importance"][2:].abs() < 0.03).all()


def test_labs_of_the_synthetic_cohort_with_signal_lead_those_without():
    bunch = make_prrt_cohort(400, volumes=False, signal=4.0, random_state=0)
    signal = bunch.truth.lab_signal["carries_signal"]
    clf = LabPFSClassifier(model="logistic")
    result = grouped_permutation_importance(clf, bunch.X, bunch.y, cv=2, groups=None, n_repeats=2, random_state=0)
    importance = result.frame().set_index("group")["importance"]
    without = signal.index[~signal]
    assert set(without) == {"sex", "age"}
    assert signal[importance.index[:3]].all()
    assert importance[without].max() < 0.3 * importance.iloc[0]


def test_correlated_twins_keep_their_importance_only_together():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    cause = rng.normal(size=200) + 1.5 * y
    X = pd.DataFrame(
        {f"twin_{k}": cause + rng.normal(0, 0.05, 200) for k in range(3)} | {"other": rng.normal(size=200)}
    )
    clf = RandomForestClassifier(40, max_features=1, random_state=0)
    alone = grouped_permutation_importance(clf, X, y, cv=CV, groups=None, random_state=0, n_repeats=3).frame()
    together = grouped_permutation_importance(clf, X, y, cv=CV, random_state=0, n_repeats=3)
    assert together.groups["twin_0 + twin_1 + twin_2"] == ("twin_0", "twin_1", "twin_2")
    whole = together.frame().set_index("group")["importance"]
    assert whole["twin_0 + twin_1 + twin_2"] > 0.25
    assert alone["importance"].max() < 0.4 * whole["twin_0 + twin_1 + twin_2"]
    assert abs(whole["other"]) < 0.05


def test_one_column_alone_agrees_with_scikit_learn(planted):
    X, y = planted
    X = X[["cga", "noise_a", "noise_b"]]
    train, test = np.arange(100), np.arange(100, 150)
    clf = make_pipeline(StandardScaler(), LogisticRegression())
    ours = grouped_permutation_importance(
        clf, X, y, cv=[(train, test)], groups=None, n_repeats=40, scoring="neg_log_loss", random_state=0
    )
    clf.fit(X.iloc[train], y[train])
    theirs = one_column_at_a_time(clf, X.iloc[test], y[test], n_repeats=40, scoring="neg_log_loss", random_state=1)
    np.testing.assert_allclose(ours.drops[:, 0].mean(axis=1), theirs.importances_mean, rtol=0.2, atol=0.015)
    assert ours.scores[0] == pytest.approx(np.mean(np.log(clf.predict_proba(X.iloc[test])[np.arange(50), y[test]])))


def test_a_column_that_the_model_ignores_loses_exactly_nothing(scans):
    X, y = scans
    table = (
        grouped_permutation_importance(MeanOfScans(), X, y, cv=2, groups=None, random_state=0)
        .frame()
        .set_index("group")
    )
    assert table.loc["b", "importance"] == 0


def test_interval_is_nadeau_and_bengio_s(planted):
    X, y = planted
    result = grouped_permutation_importance(
        LabPFSClassifier(model="logistic"), X, y, cv=CV, groups={"cga": "cga"}, n_repeats=2, random_state=0
    )
    expected = corrected_t_test(result.drops[0].mean(axis=1), n_train=100, n_test=50)
    row = result.frame().iloc[0]
    assert (row["importance"], row["low"], row["high"]) == pytest.approx((expected.mean, expected.low, expected.high))
    assert row["sd"] == pytest.approx(result.drops[0].mean(axis=1).std(ddof=1))


def test_one_split_has_no_interval(planted):
    X, y = planted
    split = [(np.arange(100), np.arange(100, 150))]
    frame = grouped_permutation_importance(LabPFSClassifier(model="logistic"), X, y, cv=split, n_repeats=1).frame()
    assert frame[["sd", "low", "high"]].isna().all(axis=None)


def test_same_seed_same_numbers_whoever_else_is_asked_for(planted):
    X, y = planted
    clf = LabPFSClassifier(model="logistic")
    options = {"cv": CV, "n_repeats": 2, "random_state": 3}
    everything = grouped_permutation_importance(clf, X, y, groups=None, **options)
    alone = grouped_permutation_importance(clf, X, y, groups={"mine": ["cga"]}, **options)
    np.testing.assert_array_equal(alone.drops[0], everything.drops[list(everything.groups).index("cga")])


def test_arrays_have_columns_by_number():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 3))
    X[:, 1] += 3 * y
    clf = make_pipeline(StandardScaler(), LogisticRegression())
    frame = grouped_permutation_importance(clf, X, y, cv=3, random_state=0, n_repeats=2).frame()
    assert frame["group"].iloc[0] == "x1"


def test_input_is_left_as_it_was(planted):
    X, y = planted
    before = X.copy()
    grouped_permutation_importance(LabPFSClassifier(model="logistic"), X, y, cv=3, n_repeats=1, random_state=0)
    pd.testing.assert_frame_equal(X, before)


def test_whole_modalities_move_between_patients_who_have_them(scans):
    X, y = scans
    MeanOfScans.seen.clear()
    result = grouped_permutation_importance(
        MeanOfScans(), X, y, cv=[(np.arange(12), np.arange(12))], modalities=True, n_repeats=4, random_state=0
    )
    assert list(result.groups) == ["a + b", "pet", "lab"]
    importance = result.frame().set_index("group")["importance"]
    assert importance["pet"] > 0.3
    assert importance["pet"] > 5 * abs(importance["lab"])
    moved = MeanOfScans.seen[1:]
    for one in moved:
        np.testing.assert_array_equal(one["pet"].present, X["pet"].present)
        np.testing.assert_array_equal(one["lab"].isna(), X["lab"].isna())
        assert one.ids.tolist() == X.ids.tolist()
        for name in ("a", "b"):
            assert sorted(one["lab"][name].dropna()) == sorted(X["lab"][name].dropna())
        # The two columns move together.
        rows = one["lab"].dropna()
        assert set(rows.itertuples(index=False, name=None)) == set(X["lab"].dropna().itertuples(index=False, name=None))
    bright = [one["pet"].array.mean(axis=(1, 2, 3, 4)) for one in moved]
    assert any(not np.array_equal(one, bright[0], equal_nan=True) for one in bright)


def test_the_fusion_network_on_files(nifti_cohort, tiny):
    X, y = nifti_cohort(12)
    result = grouped_permutation_importance(
        FusionPFSClassifier(**tiny),
        X,
        y,
        cv=2,
        groups={"scans": ["pet", "ct"], "sex": ["sex"]},
        n_repeats=1,
        random_state=0,
    )
    assert result.groups == {"scans": ("pet", "ct"), "sex": ("sex",)}
    assert np.isfinite(result.drops).all()


def test_wrong_arguments_are_named(planted, scans):
    X, y = planted
    clf = LabPFSClassifier(model="logistic")
    with pytest.raises(ValueError, match="group 'liver' names 'ast'; X has the columns noise_a"):
        grouped_permutation_importance(clf, X, y, cv=3, groups={"liver": ["ast"]})
    with pytest.raises(TypeError, match="`groups` must be 'correlated', None or a mapping"):
        grouped_permutation_importance(clf, X, y, cv=3, groups=["cga"])
    with pytest.raises(TypeError, match="`modalities`=True needs a Cohort"):
        grouped_permutation_importance(clf, X, y, cv=3, modalities=True)
    with pytest.raises(TypeError, match="`scoring` must be the name of one score"):
        grouped_permutation_importance(clf, X, y, cv=3, scoring=["roc_auc"])
    with pytest.raises(ValueError, match="`n_repeats` must be at least 1; got 0"):
        grouped_permutation_importance(clf, X, y, cv=3, n_repeats=0)
    with pytest.raises(TypeError, match="`n_repeats` must be a whole number"):
        grouped_permutation_importance(clf, X, y, cv=3, n_repeats=2.0)
    with pytest.raises(TypeError, match="X must be a Cohort, a mapping of modalities or a table"):
        grouped_permutation_importance(clf, np.zeros((4, 1, 2, 2, 2)), [0, 1, 0, 1], cv=2)
    with pytest.raises(ValueError, match="X holds no patient"):
        grouped_permutation_importance(clf, X.iloc[:0], y[:0], cv=2)
    with pytest.raises(ValueError, match="there is nothing to shuffle"):
        grouped_permutation_importance(MeanOfScans(), scans[0].select("pet"), scans[1], cv=2)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_test_fold_of_one_class_is_named(planted):
    X, y = planted
    folds = [(np.arange(50, 150), np.flatnonzero(y[:50] == 1))]
    with pytest.raises(
        ValueError, match=r"test fold 0 has no score 'roc_auc'; it holds 25 patients of the classes \[1\]"
    ):
        grouped_permutation_importance(LabPFSClassifier(model="logistic"), X, y, cv=folds, n_repeats=1)


# Forests ----------------------------------------------------------------------------------------------------------


def test_gap_indicators_and_categories_count_for_their_column(planted):
    X, y = planted
    clf = LabPFSClassifier(n_estimators=30, random_state=0).fit(X, y)
    names = clf.preprocessor_.get_feature_names_out()
    prepared = dict(zip(names, clf.model_.feature_importances_, strict=True))
    table = forest_importance(clf).set_index("column")
    assert table.loc["albumin", "importance"] == pytest.approx(
        prepared["albumin"] + prepared["missingindicator_albumin"]
    )
    assert table.loc["noise_c", "importance"] == pytest.approx(prepared["noise_c_f"] + prepared["noise_c_m"])
    assert table["importance"].sum() == pytest.approx(1)
    assert set(table.index[:2]) == {"cga", "albumin"}
    assert table["importance"].is_monotonic_decreasing
    first = [tree.feature_importances_[list(names).index("cga")] for tree in clf.model_.estimators_]
    assert table.loc["cga", "sd"] == pytest.approx(np.std(first, ddof=1))


def test_forests_in_pipelines_and_searches(planted):
    X, y = planted
    X = X[["cga", "noise_a"]]
    forest = RandomForestClassifier(10, random_state=0)
    alone = forest_importance(forest.fit(X, y))
    piped = make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)).fit(X, y)
    search = GridSearchCV(piped, {"randomforestclassifier__max_depth": [None]}, cv=2).fit(X, y)
    for one in (piped, search):
        pd.testing.assert_frame_equal(forest_importance(one), alone)
    within = make_pipeline("passthrough", LabPFSClassifier(n_estimators=10, random_state=0)).fit(X, y)
    assert forest_importance(within)["column"].tolist() == ["cga", "noise_a"]


def test_what_is_no_forest_is_named(planted):
    X, y = planted
    with pytest.raises(TypeError, match="LabPFSClassifier holds no forest"):
        forest_importance(LabPFSClassifier(model="logistic").fit(X, y))
    with pytest.raises(TypeError, match="LogisticRegression holds no forest"):
        forest_importance(LogisticRegression())


# Groups -----------------------------------------------------------------------------------------------------------


def test_groups_worked_by_hand():
    # rho(a, b) = 0.9; c against a: 0.2, against b: 0.1 in ranks; d is the reverse of c.
    table = pd.DataFrame({"a": [1, 2, 3, 4, 5], "b": [1, 2, 3, 5, 4], "c": [3, 1, 4, 5, 2]})
    table["d"] = -table["c"]
    rho = table.corr(method="spearman").abs()
    assert rho.loc["a", "b"] == pytest.approx(0.9)
    assert correlated_groups(table) == {"a + b": ["a", "b"], "c + d": ["c", "d"]}
    assert correlated_groups(table, threshold=0.95) == {"a": ["a"], "b": ["b"], "c + d": ["c", "d"]}
    mean = rho.loc[["a", "b"], ["c", "d"]].to_numpy().mean()
    assert list(correlated_groups(table, threshold=mean - 1e-6)) == ["a and 3 correlated"]
    assert len(correlated_groups(table, threshold=mean + 1e-6)) == 2


def test_groups_do_not_depend_on_the_order_of_columns():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(3, 60))
    table = pd.DataFrame(
        {
            "a": base[0],
            "kind": np.where(base[1] > 0, "x", "y"),
            "b": base[0] + 0.1 * base[2],
            "d": base[1],
            "c": base[2],
        }
    )
    for order in itertools.permutations(table.columns):
        found = {frozenset(members) for members in correlated_groups(table[list(order)]).values()}
        assert found == {frozenset("ab"), frozenset({"kind", "d"}), frozenset("c")}


def test_groups_with_gaps_categories_constants_and_text_numbers():
    n = 40
    value = np.arange(n, dtype=float)
    table = pd.DataFrame(
        {
            "crp": value,
            "crp_text": [f"{v:.1f}".replace(".", ",") for v in value],
            "level": np.where(value < n / 2, "low", "high"),
            "constant": 1.0,
            "empty": np.nan,
        }
    )
    table.loc[5:20, "crp"] = np.nan
    assert correlated_groups(table) == {
        "crp + crp_text + level": ["crp", "crp_text", "level"],
        "constant": ["constant"],
        "empty": ["empty"],
    }
    assert correlated_groups(table[["crp"]]) == {"crp": ["crp"]}


def test_wrong_groups_are_named():
    with pytest.raises(ValueError, match="`threshold` must lie between 0 and 1; got 60"):
        correlated_groups(pd.DataFrame({"a": [1.0, 2.0]}), threshold=60)
    with pytest.raises(TypeError, match="`threshold` must be a number"):
        correlated_groups(pd.DataFrame({"a": [1.0, 2.0]}), threshold="high")
    with pytest.raises(ValueError, match="X has no 'lab'"):
        correlated_groups({"pet": np.zeros((2, 1, 2, 2, 2))})
