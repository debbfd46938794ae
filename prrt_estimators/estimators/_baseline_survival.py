"""The simple survival model that others have to beat: Cox regression by lifelines on three published markers."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from prrt_estimators.estimators._survival_base import ProportionalHazards
from prrt_estimators.estimators._unknown_patients import empty_rows, warn_of_nothing
from prrt_estimators.exceptions import MarkersMissingWarning
from prrt_estimators.preprocessing import LabPreprocessor, LiteratureMarkers


class LabBaselineSurvival(ProportionalHazards):
    """Ridge Cox regression by lifelines on chromogranin A / ULN, De Ritis ratio and creatinine / ULN.

    Markers that the table does not hold are left out; if it holds none of them, all its columns are used, with a
    `MarkersMissingWarning`.

    Parameters
    ----------
    penalizer : float, default=0.1
        Strength of the ridge penalty, as lifelines counts it.

    Attributes
    ----------
    markers_ : list of str
        Markers used; empty if all columns are.
    coef_ : ndarray of shape (n_prepared,)
        Effect on the log hazard per standard deviation; positive is worse.
    preprocessor_ : LabPreprocessor
    unique_times_ : ndarray of shape (m,)
        Times of progressions in training, months.
    censoring_ : dict
        ``time`` and ``survival``: the Kaplan-Meier curve of not being censored, for scores.

    Raises
    ------
    TypeError, ValueError
        If y does not hold times, or nobody progressed.

    References
    ----------
    Chen et al. 2022 (CgA, creatinine over ULN); Ruhwedel et al. 2021 (De Ritis ratio, CgA).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"CgA": rng.lognormal(5, 1, 60), "AST": 30.0, "ALT": rng.lognormal(3, 0.5, 60)})
    >>> months = 2e3 * rng.exponential(size=60) / table["CgA"]
    >>> LabBaselineSurvival().fit(table, {"event": months < 40, "time": np.minimum(months, 40)}).markers_
    ['cga_uln', 'de_ritis']
    """

    _parameter_constraints: ClassVar[dict] = {"penalizer": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, *, penalizer: float = 0.1):
        self.penalizer = penalizer

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LabBaselineSurvival:
        """Learn medians, scales, coefficients and baseline from the training rows.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, or DataFrame of shape (n, k)
        y : structured array of shape (n,)
            ``event`` and ``time`` (months).
        sample_weight : array of shape (n,), default=None

        Returns
        -------
        self
        """
        self._validate_params()
        X, y, weights = self._with_weight(X, y, sample_weight)
        table = self._training_table(X, self._cohort(X))
        self.markers_: list[str] = []
        if isinstance(table, pd.DataFrame) and not isinstance(table.columns, pd.RangeIndex):
            self.finder_ = LiteratureMarkers().fit(table)
            self.markers_ = list(self.finder_.markers_)
            if not self.markers_:
                warnings.warn(
                    "the table holds none of CgA, AST with ALT, or creatinine, so LabBaselineSurvival uses all "
                    f"{table.shape[1]} columns: a weaker yardstick than the published one.",
                    MarkersMissingWarning,
                    stacklevel=2,
                )
        self.preprocessor_ = LabPreprocessor(log=self.markers_ or "auto", indicators=False)
        prepared = self.preprocessor_.fit_transform(self._used(table))
        survival = self._check_target(prepared, y)
        self._note_columns(self.finder_ if self.markers_ else self.preprocessor_)
        weights = np.ones(len(survival)) if weights is None else weights
        self.coef_ = self._coefficients(prepared, survival, weights)
        self._keep_baseline(survival, prepared @ self.coef_, weights)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the log relative hazard of each patient, greater is worse.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, or DataFrame of shape (n, k)

        Returns
        -------
        ndarray of shape (n,)
        """
        check_is_fitted(self)
        cohort = self._cohort(X)
        table = self._table(X, cohort)
        prepared = self.preprocessor_.transform(self._used(table))
        warn_of_nothing(empty_rows(table), None if cohort is None else cohort.ids, type(self).__name__)
        return self._prepared_risk(prepared)

    def _prepared_risk(self, prepared: np.ndarray) -> np.ndarray:
        return prepared @ self.coef_

    def _used(self, table: Any) -> Any:
        return self.finder_.transform(table) if self.markers_ else table

    def _coefficients(self, prepared: np.ndarray, survival: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return lifelines' coefficients, 0 for columns that do not vary."""
        varies = np.ptp(prepared, axis=0) > 1e-12
        coef = np.zeros(prepared.shape[1])
        if not varies.any():
            return coef
        frame = pd.DataFrame(prepared[:, varies]).add_prefix("x")
        frame = frame.assign(time=survival["time"], event=survival["event"], weight=weights)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of few events and weights, which the scores tell
            try:
                fitted = CoxPHFitter(penalizer=self.penalizer).fit(
                    frame, "time", "event", weights_col="weight", robust=False
                )
            except ConvergenceError as error:
                raise ValueError(
                    "lifelines' Cox regression does not converge on these patients; pass a larger `penalizer`."
                ) from error
        coef[varies] = fitted.params_.to_numpy()
        return coef
