from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from prrt_estimators import Cohort, LabBaselineClassifier, LabPFSClassifier, PETBaselineClassifier
from prrt_estimators.exceptions import MarkersMissingWarning, MissingModalityError
from prrt_estimators.preprocessing import GlobalPETFeatures, LabPreprocessor


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = np.array(["long", "short"] * 20)
    lab = pd.DataFrame(
        {"cga": rng.lognormal(5, 1, 40) * np.where(y == "short", 8, 1), "sex": ["m", "f", "f", "m"] * 10}
    )
    return Cohort({"lab": lab, "pet": rng.random((40, 1, 6, 6, 6))}), y


def test_the_forest_is_scikit_learn_s_on_the_prepared_table(data):
    X, y = data
    ours = LabPFSClassifier(n_estimators=20, random_state=3, class_weight={"long": 1.0, "short": 3.0}).fit(X, y)
    prepared = LabPreprocessor().fit_transform(X["lab"])
    theirs = RandomForestClassifier(
        n_estimators=20, random_state=3, min_samples_leaf=3, class_weight={0: 1.0, 1: 3.0}
    ).fit(prepared, y == "short")
    np.testing.assert_array_equal(ours.model_.predict_proba(prepared)[:, ::-1], theirs.predict_proba(prepared))
    np.testing.assert_array_equal(ours.predict(X) == "short", theirs.predict(prepared))
    assert ours.classes_.tolist() == ["long", "short"]
    leading = ours.feature_names_in_[np.argmax(ours.feature_importances_)]
    assert leading == "cga"


def test_the_logistic_option(data):
    X, y = data
    ours = LabPFSClassifier(model="logistic", C=0.5).fit(X, y)
    prepared = LabPreprocessor().fit_transform(X["lab"])
    theirs = LogisticRegression(C=0.5, class_weight="balanced", max_iter=2000).fit(prepared, y == "short")
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(prepared))
    with pytest.raises(AttributeError, match="random_forest"):
        _ = ours.feature_importances_


@pytest.mark.parametrize("estimator", [LabPFSClassifier(), LabBaselineClassifier(), PETBaselineClassifier()])
def test_weights_of_labels_that_do_not_occur_are_named(data, estimator):
    X, y = data
    with pytest.raises(ValueError, match=r"names the labels \['medium'\]"):
        estimator.set_params(class_weight={"medium": 1.0}).fit(X, y)


def test_the_laboratory_baseline_says_when_its_markers_are_absent(data):
    X, y = data
    assert LabBaselineClassifier().fit(X, y).markers_ == ["cga_uln"]
    other = Cohort({"lab": X["lab"].rename(columns={"cga": "age"})})
    with pytest.warns(MarkersMissingWarning, match="uses all 2 columns"):
        assert LabBaselineClassifier().fit(other, y).markers_ == []


def test_the_pet_baseline_is_a_logistic_regression_on_global_features(data):
    X, y = data
    model = PETBaselineClassifier(spacing=5.0).fit(X, y)
    features = GlobalPETFeatures(spacing=5.0).fit_transform(X)
    inside = model.model_.predict_proba(features)  # where 1 is long, which sorts before short
    np.testing.assert_allclose(model.predict_proba(X), inside[:, ::-1])
    array = X["pet"].array.copy()
    array[:2] = np.nan
    assert np.isfinite(model.predict_proba({"pet": array})).all()


def test_a_model_of_labs_needs_labs(data):
    X, y = data
    for model in (LabPFSClassifier(), LabBaselineClassifier()):
        with pytest.raises(MissingModalityError, match="needs 'lab'; the data have pet"):
            model.fit(X.select("pet"), y)
