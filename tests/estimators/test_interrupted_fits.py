"""A fit that is interrupted leaves no model, whatever was fitted before; what `fit` sets last tells that it is whole."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import RegressorMixin, clone
from sklearn.exceptions import NotFittedError

from prrt_estimators import estimators
from prrt_estimators._targets import ClassTarget
from prrt_estimators.estimators import (
    BlockFusionPFSClassifier,
    CoxPFSClassifier,
    CoxPFSSurvival,
    LabBaselineClassifier,
    LabBaselineSurvival,
    LabPFSClassifier,
    LabPFSSurvival,
)
from prrt_estimators.estimators._base import BasePFSEstimator
from prrt_estimators.persistence import save_model


class Sums(RegressorMixin, BasePFSEstimator):
    """Sets two attributes; the second is its last."""

    _target = ClassTarget()
    _parameter_constraints: ClassVar[dict] = {"factor": "no_validation", "stop": "no_validation"}
    _set_last = ("sums_",)

    def __init__(self, factor=1.0, stop=False):
        self.factor = factor
        self.stop = stop

    def fit(self, X, y):
        self._validate_params()
        self.means_ = np.mean(X, axis=0)
        if self.stop:
            raise KeyboardInterrupt
        self.sums_ = self.factor * np.sum(X, axis=0)
        return self


def test_what_is_set_last_says_that_a_fit_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(estimators, "Sums", Sums, raising=False)
    X, y = np.arange(6.0).reshape(3, 2), [0, 1, 0]
    model = Sums()
    assert not model.__sklearn_is_fitted__()
    model.set_params(stop=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert hasattr(model, "means_")
    assert not model.__sklearn_is_fitted__()
    with pytest.raises(NotFittedError):
        save_model(model, tmp_path / "half.prrt")
    assert list(tmp_path.iterdir()) == []
    model.set_params(stop=False).fit(X, y)
    assert model.__sklearn_is_fitted__()
    model.set_params(factor=2.0)  # changes nothing that was learnt
    assert model.__sklearn_is_fitted__()
    assert model.sums_.tolist() == [6.0, 9.0]
    assert not clone(model).__sklearn_is_fitted__()
    with pytest.raises(KeyboardInterrupt):
        model.set_params(stop=True).fit(10 * X, y)
    assert not hasattr(model, "sums_")  # of the fit before


CLASSES = [LabPFSClassifier, LabBaselineClassifier, CoxPFSClassifier, BlockFusionPFSClassifier]
TIMES = [LabPFSSurvival, LabBaselineSurvival, CoxPFSSurvival]


@pytest.mark.parametrize("kind", [*CLASSES, *TIMES])
def test_a_second_fit_that_is_interrupted_leaves_no_mixture(kind, monkeypatch):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"CgA": rng.lognormal(5, 1, 40), "AST": rng.lognormal(3, 0.3, 40)})
    y = np.tile([0, 1], 20)
    if kind in TIMES:
        y = pd.DataFrame({"event": True, "time": 4.0 + 12 * y + rng.uniform(0, 3, 40)})
    model = kind()
    if "random_state" in model.get_params():
        model.set_params(random_state=0)
    model.fit(X, y)
    answer = model.predict(X)

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    # What is learnt from the outcome comes after what is learnt from the table.
    with monkeypatch.context() as patch:
        patch.setattr(kind, "_check_target" if hasattr(kind, "_check_target") else "_fit_class", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(100 * X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    np.testing.assert_array_equal(model.fit(X, y).predict(X), answer)
