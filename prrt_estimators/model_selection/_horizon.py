"""Between classes and times: a classifier as a survival model at one horizon, and a survival model as a classifier."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from prrt_estimators._classes import check_all_in_order, probability_of_long
from prrt_estimators._survival import as_survival, censoring_curve
from prrt_estimators._time_target import TimeTarget
from prrt_estimators.cohort import Cohort
from prrt_estimators.metrics import survival_curves
from prrt_estimators.metrics._survival_entries import censoring_of, uno_c_in_reach


class HorizonClassifierSurvival(MetaEstimatorMixin, BaseEstimator):
    """A classifier of long PFS that stands beside survival models: it predicts for the horizon alone.

    It learns the class at the horizon from the patients whose class is known; those censored earlier are left out, as a
    classifier must. Classifiers whose ``fit`` takes ``time`` and ``event`` receive them. The risk is the probability of
    short PFS.

    Parameters
    ----------
    classifier : estimator
        With ``predict_proba``.
    horizon : float, default=12.0
        Months beyond which PFS is long.

    Attributes
    ----------
    classifier_ : estimator
        Fitted.
    n_left_out_ : int
        Patients censored before the horizon.
    learnt_from_ : {"time", "class"}
        What the classifier learnt from.
    censoring_ : dict
        ``time`` and ``survival``: the Kaplan-Meier curve of not being censored, for scores.

    Raises
    ------
    ValueError
        If the patients whose class is known are of one class.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, months = np.arange(20.0)[:, None], np.arange(2.0, 42.0, 2.0)
    >>> model = HorizonClassifierSurvival(LogisticRegression()).fit(X, {"event": np.ones(20), "time": months})
    >>> model.predict_survival_function(X, [12.0]).shape, model.n_left_out_
    ((20, 1), 0)
    """

    _target = TimeTarget()
    _parameter_constraints: ClassVar[dict] = {
        "classifier": [HasMethods(["fit", "predict_proba"])],
        "horizon": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, classifier: Any, *, horizon: float = 12.0):
        self.classifier = classifier
        self.horizon = horizon

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> HorizonClassifierSurvival:
        """Learn the class at the horizon from the patients of whom it is known.

        Parameters
        ----------
        X : Cohort, DataFrame or array
            Patients.
        y : structured array of shape (n,)
            ``event`` and ``time`` (months).
        sample_weight : array of shape (n,), default=None

        Returns
        -------
        self
        """
        self._validate_params()
        check_all_in_order(X=X, y=y, sample_weight=sample_weight)
        survival = TimeTarget().check(y, X=X, estimator=type(self).__name__).values
        early = survival["event"] & (survival["time"] <= self.horizon)
        known = np.flatnonzero(early | (survival["time"] >= self.horizon))
        long = (~early[known]).astype(np.int64)
        self.n_left_out_ = len(survival) - len(known)
        if len(np.unique(long)) < 2:
            raise ValueError(
                f"of {len(known)} patients whose class at {self.horizon:g} months is known, all have "
                f"{'long' if len(long) and long[0] else 'short'} PFS; a classifier needs both. Change the horizon."
            )
        given: dict[str, Any] = {}
        self.classifier_ = clone(self.classifier)
        if sample_weight is not None:
            given["sample_weight"] = np.asarray(sample_weight)[known]
        if has_fit_parameter(self.classifier_, "time") and has_fit_parameter(self.classifier_, "event"):
            given |= {"time": survival["time"][known], "event": survival["event"][known]}
            if "horizon" in self.classifier_.get_params():
                self.classifier_.set_params(horizon=self.horizon)
        rows = X[known] if isinstance(X, Cohort) else _safe_indexing(X, known)
        self.classifier_.fit(rows, long, **given)
        self.learnt_from_ = getattr(self.classifier_, "learnt_from_", "time" if "time" in given else "class")
        curve = censoring_curve(survival)
        self.censoring_ = {"time": curve.times, "survival": curve.values}
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the probability of short PFS as the risk.

        Parameters
        ----------
        X : Cohort, DataFrame or array

        Returns
        -------
        ndarray of shape (n,)
        """
        check_is_fitted(self, "classifier_")
        return 1 - probability_of_long(self.classifier_, X)

    def predict_survival_function(self, X: Any, times: Any = None) -> np.ndarray:
        """Return P(PFS > horizon).

        Parameters
        ----------
        X : Cohort, DataFrame or array
        times : array-like of shape (m,), default=None
            Months; the horizon if None.

        Returns
        -------
        ndarray of shape (n, m)
            NaN at times other than the horizon, of which a classifier says nothing.
        """
        check_is_fitted(self, "classifier_")
        moments = np.array([self.horizon]) if times is None else np.atleast_1d(np.asarray(times, dtype=np.float64))
        long = probability_of_long(self.classifier_, X)
        return np.where(moments == self.horizon, long[:, None], np.nan)

    def score(self, X: Any, y: Any) -> float:
        """Return Uno's C of the risks.

        Parameters
        ----------
        X : Cohort, DataFrame or array
        y : structured array of shape (n,)
            ``event`` and ``time`` (months).

        Returns
        -------
        float
        """
        return uno_c_in_reach(as_survival(y), self.predict(X), train=censoring_of(self))

    def prepare(self, X: Any, **options: Any) -> HorizonClassifierSurvival:
        """Check the scans of X, as the classifier does, without training.

        Parameters
        ----------
        X : Cohort, DataFrame or array
        **options
            As of the classifier's own.

        Returns
        -------
        self
        """
        if hasattr(self.classifier, "prepare"):
            self.classifier.prepare(X, **options)
        return self


class SurvivalHorizonClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """A survival model that stands beside classifiers: P(PFS > horizon) is the probability of long PFS.

    Parameters
    ----------
    model : estimator
        Survival model with ``predict_survival_function``.
    horizon : float, default=12.0
        Months beyond which PFS is long.

    Attributes
    ----------
    model_ : estimator
        Fitted.
    classes_ : ndarray of shape (2,)
        0 (short) and 1 (long PFS).

    Raises
    ------
    ValueError
        If no times are given.

    Examples
    --------
    >>> from prrt_estimators.estimators import CoxPFSSurvival
    >>> rng = np.random.default_rng(0)
    >>> X, months = rng.normal(size=(40, 2)), rng.exponential(15, 40)
    >>> model = SurvivalHorizonClassifier(CoxPFSSurvival()).fit(X, months > 12, time=months)
    >>> model.predict_proba(X).shape
    (40, 2)
    """

    _parameter_constraints: ClassVar[dict] = {
        "model": [HasMethods(["fit", "predict_survival_function"])],
        "horizon": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, model: Any, *, horizon: float = 12.0):
        self.model = model
        self.horizon = horizon

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, time: Any = None, event: Any = None
    ) -> SurvivalHorizonClassifier:
        """Learn from times; the class is not looked at.

        Parameters
        ----------
        X : Cohort, DataFrame or array
            Patients.
        y : array of shape (n,) or structured array
            Classes, which are not used where `time` is given; or ``event`` and ``time``.
        sample_weight : array of shape (n,), default=None
        time : array of shape (n,), default=None
            Months to progression or censoring.
        event : array of shape (n,), default=None
            Whether progression was seen; None says that it was for everybody.

        Returns
        -------
        self
        """
        self._validate_params()
        check_all_in_order(X=X, y=y, sample_weight=sample_weight, time=time, event=event)
        if time is None:
            if getattr(getattr(y, "dtype", None), "names", None) is None:
                raise ValueError(
                    "SurvivalHorizonClassifier learns from times; pass `time`, or y with `event` and `time`."
                )
            survival = as_survival(y)
        else:
            seen = np.ones(len(time), dtype=bool) if event is None else event
            survival = as_survival({"event": seen, "time": time})
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.model_ = clone(self.model).fit(X, survival, **given)
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : Cohort, DataFrame or array

        Returns
        -------
        ndarray of shape (n, 2)
            The second column is P(PFS > horizon).
        """
        check_is_fitted(self, "model_")
        long = survival_curves(self.model_, X, [self.horizon])[:, 0]
        return np.column_stack([1 - long, long])

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 where long PFS is at least as probable as short PFS.

        Parameters
        ----------
        X : Cohort, DataFrame or array

        Returns
        -------
        ndarray of shape (n,)
        """
        return self.classes_[(self.predict_proba(X)[:, 1] >= 0.5).astype(int)]
