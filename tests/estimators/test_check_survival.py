"""scikit-learn's own checks of the survival models, which get times made of the checks' numbers."""

from __future__ import annotations

import numpy as np
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.validation import column_or_1d

from prrt_estimators.estimators import CoxPFSSurvival, FusionPFSSurvival, LabBaselineSurvival, LabPFSSurvival

WEIGHTS = "check_sample_weight_equivalence_on_dense_data"
DRAWS = (
    "draws bootstrap samples or batches at random, so that a weight of two and a patient given twice meet other draws"
)
UNWEIGHTED = "medians, means and deviations of the preprocessing are those of the patients, not of the weights"
INTERVALS = "ends of intervals are quantiles of the patients' times, not of the weights"

#: Estimator -> check -> why it may fail. Nothing else may.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "CoxPFSSurvival": {},
    "LabPFSSurvival": {WEIGHTS: UNWEIGHTED},
    "LabBaselineSurvival": {WEIGHTS: UNWEIGHTED},
    "FusionPFSSurvival": {WEIGHTS: f"{DRAWS}; {INTERVALS}"},
}


class OfNumbers:
    """Takes a number or label for each patient, as the checks give it, as the time of a progression."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, None if y is None else self._times(y), sample_weight)

    def score(self, X, y):
        return super().score(X, self._times(y))

    def _times(self, y):
        values = column_or_1d(y, warn=True)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError("Input y contains NaN or infinity")
        rank = np.unique(values, return_inverse=True)[1]
        return {"event": np.ones(len(rank), bool), "time": 1.0 + rank}


class CoxPFSSurvivalOfNumbers(OfNumbers, CoxPFSSurvival):
    pass


class LabPFSSurvivalOfNumbers(OfNumbers, LabPFSSurvival):
    pass


class LabBaselineSurvivalOfNumbers(OfNumbers, LabBaselineSurvival):
    pass


class FusionPFSSurvivalOfNumbers(OfNumbers, FusionPFSSurvival):
    def __init__(self, *, max_epochs=2, n_intervals=10, head="hazard", random_state=None):
        super().__init__(max_epochs=max_epochs, n_intervals=n_intervals, head=head, random_state=random_state)


def _exceptions(estimator) -> dict[str, str]:
    return EXCEPTIONS[type(estimator).__name__.removesuffix("OfNumbers")]


@parametrize_with_checks(
    [
        CoxPFSSurvivalOfNumbers(),
        LabPFSSurvivalOfNumbers(),
        LabPFSSurvivalOfNumbers(model="forest", n_estimators=10),
        LabBaselineSurvivalOfNumbers(),
        FusionPFSSurvivalOfNumbers(),
    ],
    expected_failed_checks=_exceptions,
)
def test_tables_pass_every_check(estimator, check):
    before = repr(estimator)
    check(estimator)
    assert repr(estimator) == before, "a check works on a clone"
    assert not [name for name in vars(estimator) if name.endswith("_")], "and fits no other"


def test_names_of_exceptions_are_names_of_checks():
    known = {
        check.func.__name__ if hasattr(check, "func") else check.__name__
        for _, check in estimator_checks_generator(LabPFSSurvivalOfNumbers())
    }
    assert {name for found in EXCEPTIONS.values() for name in found} <= known
