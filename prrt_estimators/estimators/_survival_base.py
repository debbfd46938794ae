"""What all models of the time to progression share: risks, curves, medians, and their score."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._classes import check_same_order
from prrt_estimators._forms import plain_form
from prrt_estimators._survival import StepCurve, as_survival
from prrt_estimators._time_target import TimeTarget
from prrt_estimators.estimators._base import BasePFSEstimator
from prrt_estimators.metrics._survival_entries import uno_c_in_reach


class BasePFSSurvival(BasePFSEstimator):
    """Base of the survival models; a subclass gives `predict` and `_hazards`."""

    _target: ClassVar[Any] = TimeTarget()
    unique_times_: np.ndarray
    censoring_: dict[str, np.ndarray]

    def predict(self, X: Any) -> np.ndarray:
        """Return the risk of each patient, greater is worse.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array
            As for `fit`.

        Returns
        -------
        ndarray of shape (n,)
            Only its order means something across models.
        """
        raise NotImplementedError  # pragma: no cover - every estimator defines it

    def predict_cumulative_hazard_function(self, X: Any, times: Any = None) -> np.ndarray:
        """Return the cumulative hazard of progression of each patient.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array
            As for `fit`.
        times : array-like of shape (m,), default=None
            Months; `unique_times_` if None.

        Returns
        -------
        ndarray of shape (n, m)
            Beyond the last progression of the training patients it stays at its last value.
        """
        check_is_fitted(self)
        return self._hazards(X, self._moments(times))

    def predict_survival_function(self, X: Any, times: Any = None) -> np.ndarray:
        """Return the probability of each patient of being free of progression beyond some times.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array
            As for `fit`.
        times : array-like of shape (m,), default=None
            Months; `unique_times_` if None.

        Returns
        -------
        ndarray of shape (n, m)
            Beyond the last progression of the training patients it stays at its last value.
        """
        return np.exp(-self.predict_cumulative_hazard_function(X, times))

    def predict_median(self, X: Any) -> np.ndarray:
        """Return the first time in months at which the probability of being free of progression is at most a half.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array
            As for `fit`.

        Returns
        -------
        ndarray of shape (n,)
            Infinite where the curve does not fall so low within the time of the training patients.
        """
        check_is_fitted(self)
        times = self._moments(None)
        reached = self.predict_survival_function(X, times) <= 0.5
        return np.where(reached.any(axis=1), times[reached.argmax(axis=1)], np.inf)

    def score(self, X: Any, y: Any) -> float:
        """Return Uno's C of the risks, censoring weighted as among the training patients.

        Progressions count up to the time at which still a fifth of the training patients would be followed, as in
        ``scoring="uno_c"``.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array
            As for `fit`.
        y : structured array of shape (n,)
            ``event`` and ``time`` (months).

        Returns
        -------
        float
        """
        check_same_order(plain_form(X), y, ("X", "y"))
        risk = self.predict(X)
        curve = StepCurve(self.censoring_["time"], self.censoring_["survival"])
        return uno_c_in_reach(as_survival(y, n=len(risk)), risk, train=curve)

    def _with_weight(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """Return what is left of patients with a weight; y of every form can then be divided."""
        if sample_weight is not None and y is not None:
            check_same_order(X, y, ("X", "y"))
            y = as_survival(y)
        return super()._with_weight(X, y, sample_weight)

    def _hazards(self, X: Any, times: np.ndarray) -> np.ndarray:
        raise NotImplementedError  # pragma: no cover - every estimator defines it

    def _moments(self, times: Any) -> np.ndarray:
        if times is None:
            return np.asarray(self.unique_times_)
        moments = np.atleast_1d(np.asarray(times, dtype=np.float64))
        if moments.ndim != 1 or not len(moments) or not (np.isfinite(moments) & (moments >= 0)).all():
            raise ValueError(f"`times` must be months of at least 0, e.g. [12]; got {times!r}.")
        return moments

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class ProportionalHazards(BasePFSSurvival):
    r"""A risk and one baseline for everybody: :math:`H(t \mid x) = H_0(t) \, e^{r(x)}`."""

    _set_last: ClassVar[tuple[str, ...]] = ("net_", "model_", "baseline_hazard_")
    baseline_times_: np.ndarray
    baseline_hazard_: np.ndarray

    def _keep_baseline(self, survival: np.ndarray, risk: np.ndarray, weights: np.ndarray | None = None) -> None:
        """Learn Breslow's cumulative baseline hazard from the risks of the training patients."""
        self.baseline_times_, self.baseline_hazard_ = breslow(survival, risk, weights)

    def _hazards(self, X: Any, times: np.ndarray) -> np.ndarray:
        steps = np.concatenate([[0.0], self.baseline_hazard_])
        baseline = steps[np.searchsorted(self.baseline_times_, times, "right")]
        return np.exp(self.predict(X))[:, None] * baseline


def breslow(survival: np.ndarray, risk: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the times of progressions and Breslow's cumulative hazard of a patient of risk 0.

    Examples
    --------
    >>> y = as_survival(([True, False, True], [1.0, 2.0, 3.0]))
    >>> breslow(y, np.zeros(3))[1].round(3).tolist()
    [0.333, 1.333]
    """
    weights = np.ones(len(risk)) if weights is None else weights
    relative = weights * np.exp(risk)
    moments = np.unique(survival["time"][survival["event"] & (weights > 0)])
    at_risk = np.array([relative[survival["time"] >= moment].sum() for moment in moments])
    events = np.array([weights[survival["event"] & (survival["time"] == moment)].sum() for moment in moments])
    return moments, np.cumsum(events / at_risk)
