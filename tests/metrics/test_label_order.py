"""Series and tables that name the same patients in another order: refused wherever two of them meet, never joined by position."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from prrt_estimators.estimators import CoxPFSClassifier, CoxPFSSurvival, LabPFSClassifier, LabPFSSurvival
from prrt_estimators.evaluation import evaluate_external, learning_curve_table, permutation_test, refit_stability
from prrt_estimators.inspection import class_separation
from prrt_estimators.metrics import (
    calibration_intercept_slope,
    integrated_calibration_index,
    loess_calibration,
    net_benefit,
    scaled_brier_score,
)
from prrt_estimators.model_selection import (
    HorizonClassifierSurvival,
    RepeatedStratifiedGroupKFold,
    SurvivalHorizonClassifier,
    TunedClassifier,
    TunedSurvival,
    fold_scores,
    interval_of_predictions,
)
from prrt_estimators.plotting import DecisionCurveDisplay

N = 36
INDEX = [f"P{k}" for k in range(N)]
RNG = np.random.default_rng(0)
Y = pd.Series(np.arange(N) % 2, INDEX)
P = (0.3 * Y + 0.7 * pd.Series(RNG.random(N), INDEX)).clip(0, 1)
WEIGHT = pd.Series(RNG.random(N) + 0.5, INDEX)
FOLD, REPEAT = pd.Series(np.arange(N) // 4 % 3, INDEX), pd.Series(0, INDEX)
X = pd.DataFrame({"CRP [mg/l]": RNG.random(N) + Y, "LDH [U/l]": 200 + 10 * RNG.random(N)}, INDEX)
TIME = pd.Series(np.where(Y == 1, 24.0, 6.0) + RNG.random(N), INDEX)
EVENT = pd.Series(True, INDEX)
TIMES = pd.DataFrame({"event": EVENT, "time": TIME})


def horizon(**changed):
    given = {"y": Y, "sample_weight": WEIGHT, "time": TIME, "event": EVENT, **changed}
    return SurvivalHorizonClassifier(LabPFSSurvival(), horizon=12).fit(X, **given)


CALLS = {
    "calibration, weights": (lambda w: calibration_intercept_slope(Y, P, sample_weight=w), WEIGHT),
    "calibration index, weights": (lambda w: integrated_calibration_index(Y, P, sample_weight=w), WEIGHT),
    "smooth calibration, weights": (lambda w: loess_calibration(Y, P, sample_weight=w), WEIGHT),
    "net benefit, weights": (lambda w: net_benefit(Y, P, [0.5], sample_weight=w), WEIGHT),
    "scaled Brier, weights": (lambda w: scaled_brier_score(Y, P, sample_weight=w), WEIGHT),
    "decision curve, weights": (lambda w: DecisionCurveDisplay.from_predictions(Y, P, sample_weight=w), WEIGHT),
    "scores by fold, probabilities": (lambda p: fold_scores(Y, p, REPEAT, FOLD), P),
    "scores by fold, folds": (lambda fold: fold_scores(Y, P, REPEAT, fold), FOLD),
    "scores by fold, folds and probabilities": (lambda fold: fold_scores(Y.to_numpy(), P, REPEAT, fold), FOLD),
    "scores by fold, weights": (lambda w: fold_scores(Y, P, REPEAT, FOLD, sample_weight=w), WEIGHT),
    "interval, the other model": (lambda p: interval_of_predictions(Y.to_numpy(), P, REPEAT, FOLD, p_other=p), P),
    "splitter, persons": (lambda g: list(RepeatedStratifiedGroupKFold(3, n_repeats=1).split(X, Y, g)), FOLD + 1),
    "splitter, classes": (lambda y: list(RepeatedStratifiedGroupKFold(3, n_repeats=1).split(X, y, np.arange(N))), Y),
    "separation, classes": (lambda y: class_separation(X, y, n_permutations=1), Y),
    "separation, folds": (lambda fold: class_separation(X, Y, fold=fold, n_neighbors=2, n_permutations=1), FOLD),
    "external, weights": (
        lambda w: evaluate_external(LabPFSClassifier().fit(X, Y), X, Y, sample_weight=w, n_boot=20),
        WEIGHT,
    ),
    "learning curve": (lambda y: learning_curve_table(LogisticRegression(), X, y, shares=[1.0]), Y),
    "permutations": (lambda y: permutation_test(LogisticRegression(), X, y, n_permutations=1), Y),
    "refits": (lambda y: refit_stability(LogisticRegression(), X, y, n_refits=2), Y),
    "accuracy of the forest": (lambda y: LabPFSClassifier().fit(X, Y).score(X, y), Y),
    "accuracy of the Cox regression": (lambda y: CoxPFSClassifier().fit(X, Y).score(X, y), Y),
    "accuracy, weights": (lambda w: CoxPFSClassifier().fit(X, Y).score(X, Y, sample_weight=w), WEIGHT),
    "class at a horizon, times": (lambda y: HorizonClassifierSurvival(LabPFSClassifier()).fit(X, y), TIMES),
    "tuned, classes": (lambda y: TunedClassifier(LogisticRegression(), {"C": [1.0]}).fit(X, y), Y),
    "tuned, weights": (
        lambda w: TunedClassifier(LogisticRegression(), {"C": [1.0]}).fit(X, Y, sample_weight=w),
        WEIGHT,
    ),
    "tuned, times": (lambda y: TunedSurvival(CoxPFSSurvival(), {"strength": [1.0]}).fit(X, y), TIMES),
    "times at a horizon, months": (lambda time: horizon(time=time), TIME),
    "times at a horizon, events": (lambda event: horizon(event=event), EVENT),
    "times at a horizon, weights": (lambda w: horizon(sample_weight=w), WEIGHT),
}


@pytest.mark.parametrize("name", CALLS)
def test_another_order_of_the_same_patients_is_refused(name):
    call, values = CALLS[name]
    moved = values.iloc[[1, 0, *range(2, N)]]
    with pytest.raises(ValueError, match="name the same patients in another order: row 0 is 'P"):
        call(moved)
    call(values)


def test_the_share_that_is_right_is_that_of_scikit_learn():
    model = CoxPFSClassifier().fit(X, Y)
    right = model.predict(X) == Y
    assert 0.5 < model.score(X, Y) == right.mean()
    assert model.score(X, Y, sample_weight=WEIGHT) == pytest.approx(np.average(right, weights=WEIGHT))


@pytest.mark.parametrize("weight", [[np.nan] + [1.0] * (N - 1), [-1.0] + [1.0] * (N - 1), [0.0] * N, [1.0]])
def test_weights_of_the_scaled_brier_score_are_checked(weight):
    with pytest.raises(ValueError, match="`sample_weight` must hold one weight of at least 0"):
        scaled_brier_score(Y, P, sample_weight=weight)
