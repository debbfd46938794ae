"""Meta-estimators of scikit-learn on tables; on scans they say what to use instead."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import permutation_importance

from prrt_estimators import Cohort, LabPFSClassifier, PETPFSClassifier

RNG = np.random.default_rng(0)
Y = np.tile([0, 1], 30)
TABLE = pd.DataFrame({"noise": RNG.normal(size=60), "signal": RNG.normal(size=60) + 3 * Y, "more": RNG.normal(size=60)})


def forest():
    return LabPFSClassifier(n_estimators=10, random_state=0)


@pytest.mark.parametrize("ensemble", [BaggingClassifier, AdaBoostClassifier])
def test_ensembles(ensemble):
    model = ensemble(forest(), n_estimators=3, random_state=0).fit(TABLE.to_numpy(), Y)
    assert model.score(TABLE.to_numpy(), Y) > 0.9


def test_importance_and_selection():
    found = permutation_importance(forest().fit(TABLE, Y), TABLE, Y, n_repeats=3, random_state=0)
    assert found.importances_mean.argmax() == 1
    assert SelectFromModel(forest()).fit(TABLE, Y).get_support().tolist() == [False, True, False]


@pytest.mark.parametrize("ensemble", [BaggingClassifier, AdaBoostClassifier])
def test_scans_are_refused_with_what_to_use_instead(ensemble):
    X = Cohort({"pet": RNG.random((8, 1, 8, 8, 8)).astype(np.float32)})
    model = PETPFSClassifier(size=8, max_epochs=1, random_state=0)
    with pytest.raises(TypeError, match=r"modality_shapley of prrt_estimators\.inspection"):
        ensemble(model, n_estimators=2).fit(X, Y[:8])
    with pytest.raises(TypeError, match=r"modality_shapley of prrt_estimators\.inspection"):
        permutation_importance(model.fit(X, Y[:8]), X, Y[:8], n_repeats=1)
