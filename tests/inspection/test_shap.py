from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators import Cohort, FusionPFSClassifier, LabPFSClassifier
from prrt_estimators._extras import require
from prrt_estimators.exceptions import MissingDependencyError, MissingModalityError
from prrt_estimators.inspection import shap_importance, shap_values

shap = require("shap", "this test", "explain")
# shap compiles itself at first use, which takes long where processors are busy.
pytestmark = pytest.mark.timeout(900)
CV = StratifiedKFold(3, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    table = pd.DataFrame(
        {
            "cga": rng.lognormal(5, 0.7, 60) * np.where(y, 1, 4),
            "age": rng.integers(30, 80, 60),
            "sex": rng.choice(["m", "f"], 60),
            "albumin": rng.normal(40, 3, 60),
        }
    )
    table.loc[::7, "albumin"] = np.nan
    return table, y


@pytest.fixture(scope="module")
def forest(data):
    return LabPFSClassifier(n_estimators=15, class_weight=None, random_state=0).fit(*data)


def by_column(clf, prepared):
    """Sum shap's own values of prepared columns by hand."""
    names = list(clf.preprocessor_.get_feature_names_out())
    parts = {
        "cga": ["cga"],
        "age": ["age"],
        "sex": ["sex_f", "sex_m"],
        "albumin": ["albumin", "missingindicator_albumin"],
    }
    assert sorted(names) == sorted(name for part in parts.values() for name in part)
    return pd.DataFrame(
        {column: prepared[:, [names.index(name) for name in part]].sum(axis=1) for column, part in parts.items()}
    )


# Forests ----------------------------------------------------------------------------------------------------------


def test_the_forest_agrees_with_shap_s_own(data, forest):
    X, _ = data
    found = shap_values(forest, X)
    explainer = shap.TreeExplainer(forest.model_)
    theirs = explainer.shap_values(forest.preprocessor_.transform(X))[:, :, 1]
    np.testing.assert_allclose(found.values, by_column(forest, theirs), atol=1e-12)
    np.testing.assert_allclose(found.base_values, explainer.expected_value[1])
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, forest.predict_proba(X)[:, 1], atol=1e-6)
    assert shap_importance(found)["column"].iloc[0] == "cga"
    pd.testing.assert_frame_equal(pd.DataFrame(found.display_data, columns=X.columns), X, check_dtype=False)
    sexes = X["sex"].map({"f": 0.0, "m": 1.0})  # categories are numbers in alphabetical order, gaps NaN
    np.testing.assert_array_equal(found.data, X.assign(sex=sexes).to_numpy(dtype=float))
    assert found.output_names == "probability of long PFS"


def test_a_background_asks_for_interventional_values(data, forest):
    X, _ = data
    found = shap_values(forest, X[:5], background=X[20:30])
    prepared = forest.preprocessor_.transform(X)
    explainer = shap.TreeExplainer(forest.model_, prepared[20:30], feature_perturbation="interventional")
    theirs = explainer.shap_values(prepared[:5])[:, :, 1]
    np.testing.assert_allclose(found.values, by_column(forest, theirs), atol=1e-12)
    np.testing.assert_allclose(found.base_values, forest.predict_proba(X[20:30])[:, 1].mean(), atol=1e-6)


def test_trees_and_permutations_agree_on_the_same_question(data):
    X, y = data
    X = X[["cga", "age"]]  # columns that are one feature each; several of one column are known together or not at all
    clf = LabPFSClassifier(n_estimators=10, class_weight=None, random_state=0).fit(X, y)
    trees = shap_values(clf, X[:3], background=X[20:30])
    found = shap_values(clf, X[:3], background=X[20:30], method="permutation", random_state=0)
    np.testing.assert_allclose(found.values, trees.values, atol=1e-6)


def test_forests_in_pipelines(data):
    X, y = data
    X = X[["cga", "age"]]
    piped = make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)).fit(X, y)
    found = shap_values(piped, X)
    assert list(found.feature_names) == ["cga", "age"]
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, piped.predict_proba(X)[:, 1], atol=1e-6)
    np.testing.assert_allclose(found.data, StandardScaler().fit_transform(X))


# Any classifier ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_columns", [3, 8])  # all orders, and some of them
def test_a_linear_model_has_a_closed_form(n_columns):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, n_columns)), np.arange(40) % 2
    clf = LogisticRegression().fit(X, y)
    found = shap_values(clf, X[:4], background=X[10:20], output="logit", n_permutations=2, random_state=0)
    expected = clf.coef_ * (X[:4] - X[10:20].mean(axis=0))
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    np.testing.assert_allclose(found.base_values, clf.decision_function(X[10:20]).mean())
    assert list(found.feature_names) == [f"x{k}" for k in range(n_columns)]


def test_each_patient_is_explained_by_a_model_trained_without_them(data):
    X, y = data
    found = shap_values(LabPFSClassifier(n_estimators=10, random_state=0), X, y=y, cv=CV)
    train, test = next(CV.split(X, y))
    clf = LabPFSClassifier(n_estimators=10, random_state=0).fit(X.iloc[train], y[train])
    alone = shap_values(clf, X.iloc[test])
    np.testing.assert_allclose(found.values[test], alone.values)
    np.testing.assert_allclose(found.base_values[test], alone.base_values)
    assert list(found.instance_names) == [str(k) for k in range(60)]


class Watcher(ClassifierMixin, BaseEstimator):
    """Remembers which scans it was shown."""

    modalities_ = ("pet", "lab")
    classes_ = np.array([0, 1])

    def __init__(self):
        self.seen = []

    def predict_proba(self, X):
        pet = X["pet"].array[:, 0, 0, 0, 0]
        self.seen.append(pet.tolist())
        logit = 0.1 * pet * np.nan_to_num(X["lab"]["a"].to_numpy(dtype=float))
        p = 1 / (1 + np.exp(-logit))
        return np.column_stack([1 - p, p])


def test_the_scans_stay_those_of_the_patient():
    lab = pd.DataFrame({"a": [1.0, 2.0, 3.0, np.nan], "b": [0.0, 1.0, 2.0, np.nan]})
    X = Cohort({"pet": np.full((4, 1, 2, 2, 2), np.arange(4.0)[:, None, None, None, None]), "lab": lab})
    clf = Watcher()
    ticks = []
    found = shap_values(
        clf, X, background=X[:2], output="logit", random_state=0, progress=lambda done, n: ticks.append((done, n))
    )
    own = [batch for batch in clf.seen if len(set(batch)) == 1]
    assert {batch[0] for batch in own} == {0.0, 1.0, 2.0}
    assert len(clf.seen) == len(own)
    # The value of a grows with the patient's PET: 0.1 pet (a - mean a of the background).
    np.testing.assert_allclose(found.values[:3, 0], 0.1 * np.arange(3) * (np.array([1.0, 2.0, 3.0]) - 1.5), atol=1e-6)
    np.testing.assert_allclose(found.values[:3, 1], 0, atol=1e-6)
    # The fourth has no labs: the model has a token for that, and columns have no share in it.
    assert np.isnan(found.values[3]).all()
    assert np.isnan(found.base_values[3])
    assert shap_importance(found)["importance"].notna().all()
    assert ticks == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_fusion_network_with_gaps_and_categories(data, tiny):
    table, y = data
    X = Cohort({"pet": np.random.default_rng(0).random((60, 1, 8, 8, 8)), "lab": table})
    clf = FusionPFSClassifier(**tiny).fit(X[:30], y[:30])
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    found = shap_values(clf, X[30:32], background=X[:30], n_background=4, n_permutations=1, random_state=0)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    np.testing.assert_allclose(
        found.values.sum(axis=1) + found.base_values, clf.predict_proba(X[30:32])[:, 1], atol=1e-5
    )
    assert np.abs(found.values).max() > 1e-4
    assert found.display_data[:, list(table).index("sex")].tolist() == table["sex"][30:32].tolist()
    again = shap_values(clf, X[30:32], background=X[:30], n_background=4, n_permutations=1, random_state=0)
    np.testing.assert_array_equal(found.values, again.values)


def test_scans_are_encoded_once_a_patient_and_nothing_else_changes(data, tiny, monkeypatch):
    """Asked through the estimator with its scans each time, the values are the same."""
    from prrt_estimators.inspection import _shap

    table, y = data
    rng = np.random.default_rng(0)
    scans = {name: rng.random((60, 1, 8, 8, 8)) for name in ("pet", "ct")}
    X = Cohort({**scans, "lab": table})
    clf = FusionPFSClassifier(**tiny, fusion="gated").fit(X[:30], y[:30])
    options = {"background": X[:30], "n_background": 4, "n_permutations": 1, "random_state": 0, "output": "logit"}
    passes = []
    counted = clf.net_.module_.encoders["pet"].register_forward_hook(lambda _, given, __: passes.append(len(given[0])))
    found = shap_values(clf, X[30:33], **options)
    counted.remove()
    assert sum(passes) == 3
    monkeypatch.setattr(_shap, "with_scans_held", lambda *_: None)
    slow = shap_values(clf, X[30:33], **options)
    np.testing.assert_allclose(found.values, slow.values, atol=1e-5)
    np.testing.assert_allclose(found.base_values, slow.base_values, atol=1e-5)


def test_held_scans_predict_what_the_estimator_does(data, tiny):
    from prrt_estimators.inspection._encoded_scans import with_scans_held
    from prrt_estimators.inspection._explained_output import ExplainedOutput

    table, y = data
    pet = np.random.default_rng(0).random((60, 1, 8, 8, 8))
    X = Cohort({"pet": pet, "lab": table})
    clf = FusionPFSClassifier(**tiny).fit(X[:30], y[:30])
    rows = table[30:36].copy()
    rows.iloc[2] = np.nan  # whoever has no values at all is told apart by the network
    output = ExplainedOutput("probability", 12.0)
    predict = with_scans_held(clf, X[40:41], output)
    same = Cohort({"pet": np.repeat(pet[40:41], 6, axis=0), "lab": rows})
    np.testing.assert_allclose(predict(rows), clf.predict_proba(same)[:, 1], atol=1e-6)
    assert with_scans_held(LabPFSClassifier().fit(X, y), X[:1], output) is None
    assert with_scans_held(FusionPFSClassifier(**tiny, modalities=["lab"]).fit(X[:30], y[:30]), X[:1], output) is None


# What goes wrong --------------------------------------------------------------------------------------------------


def test_without_shap_the_error_names_the_command(data, forest, monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "prrt-estimators\[explain\]"'):
        shap_values(forest, data[0])


def test_wrong_arguments_are_named(data, forest):
    X, y = data
    logistic = LabPFSClassifier(model="logistic").fit(X, y)
    with pytest.raises(ValueError, match="`background` is missing: pass training patients"):
        shap_values(logistic, X)
    with pytest.raises(ValueError, match=r"`background` has the columns cga, age; X has cga, age, sex, albumin"):
        shap_values(logistic, X, background=X[["cga", "age"]])
    with pytest.raises(ValueError, match="`background` and `cv` exclude each other"):
        shap_values(logistic, X, background=X, y=y, cv=3)
    with pytest.raises(ValueError, match="`y` is given without `cv`"):
        shap_values(logistic, X, background=X, y=y)
    with pytest.raises(ValueError, match="`y` is None"):
        shap_values(logistic, X, cv=3)
    with pytest.raises(ValueError, match="must test every patient exactly once"):
        shap_values(logistic, X, y=y, cv=[(np.arange(30), np.arange(30, 60))])
    with pytest.raises(ValueError, match="`method` must be one of 'auto', 'tree', 'permutation'; got 'kernel'"):
        shap_values(forest, X, method="kernel")
    with pytest.raises(ValueError, match="method='tree' gives probabilities"):
        shap_values(forest, X, method="tree", output="logit")
    with pytest.raises(TypeError, match="LabPFSClassifier holds no forest"):
        shap_values(logistic, X, method="tree")
    with pytest.raises(ValueError, match="`n_background` must be at least 1"):
        shap_values(logistic, X, background=X, n_background=0)
    with pytest.raises(MissingModalityError, match="shap_values explains 'lab'; the data have pet"):
        shap_values(forest, {"pet": np.zeros((2, 1, 2, 2, 2))})
    with pytest.raises(TypeError, match="X must be a Cohort, a mapping of modalities or a table"):
        shap_values(forest, 3.0)
