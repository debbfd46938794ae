"""The scores of times to progression as entries of the registry, and as scorers that know the training patients."""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._survival import StepCurve, as_survival, censoring_curve, kaplan_meier
from prrt_estimators.metrics._survival_calibration import d_calibration, mean_calibration_error
from prrt_estimators.metrics._survival_scores import (
    brier_survival,
    cumulative_dynamic_auc,
    harrell_c,
    integrated_brier,
    restricted_mean_survival,
    uno_c,
)

_Scorer: Any = type(make_scorer(accuracy_score))
Curves = Callable[[np.ndarray], np.ndarray]

#: Responses of survival models: a risk, and curves.
RISK, CURVES = "predict", "predict_survival_function"


#: Share of training patients who would still be followed, up to which progressions count in the registered score.
_REACH = 0.2


class SurvivalScorer(_Scorer):
    """scikit-learn's scorer, whose function gets risks or curves, and how the training patients were censored.

    What is known of their censoring is what the estimator keeps, unless `given` says it; the scored patients' own where
    neither does.
    """

    def __init__(self, score_func: Any, sign: int, kwargs: dict[str, Any], response_method: Any):
        # Where several scores are asked for at once, scikit-learn looks for the method on the outermost model, and pipelines
        # and searches pass on `predict` alone; curves are read from the model inside.
        super().__init__(score_func, sign, kwargs, (CURVES, RISK) if response_method == CURVES else response_method)

    def given(self, **options: Any) -> SurvivalScorer:
        """Return the same scorer with a ``horizon``, or ``train``, the training patients."""
        return SurvivalScorer(self._score_func, self._sign, {**self._kwargs, **options}, self._response_method)

    def _score(self, method_caller: Any, estimator: Any, X: Any, y_true: Any, **kwargs: Any) -> Any:
        y = as_survival(y_true)
        options = {**self._kwargs, **kwargs}
        train = options.pop("train", None)
        train = censoring_of(estimator) if train is None else train
        options["train"] = train if isinstance(train, StepCurve) else censoring_curve(y if train is None else train)
        if self._response_method != RISK:
            answer: Any = functools.partial(survival_curves, estimator, X)
        else:
            answer = method_caller(estimator, "predict", X)
        wanted = inspect.signature(self._score_func).parameters
        options = {name: value for name, value in options.items() if name in wanted}
        return self._sign * self._score_func(y, answer, **options)


def inner_model(model: Any) -> Any:
    """Return the fitted model at the end of pipelines and searches."""
    if hasattr(model, "best_estimator_"):
        return inner_model(model.best_estimator_)
    return inner_model(model.steps[-1][1]) if isinstance(getattr(model, "steps", None), list) else model


def censoring_of(model: Any) -> StepCurve | None:
    """Return the censoring of the training patients that a fitted model keeps; None if it keeps none."""
    kept = getattr(inner_model(model), "censoring_", None)
    return None if kept is None else StepCurve(np.asarray(kept["time"]), np.asarray(kept["survival"]))


def survival_curves(model: Any, X: Any, times: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return P(PFS > t) of each patient, also of a pipeline, a search, and models in scikit-survival's manner.

    Parameters
    ----------
    model : fitted estimator
    X : patients
    times : array-like of shape (m,)
        Months.

    Returns
    -------
    ndarray of shape (n, m)

    Raises
    ------
    TypeError
        If the model predicts no curves.
    """
    moments = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if hasattr(model, "best_estimator_"):
        return survival_curves(model.best_estimator_, X, moments)
    if isinstance(getattr(model, "steps", None), list):
        check_is_fitted(model)
        before = X if len(model.steps) == 1 else model[:-1].transform(X)
        return survival_curves(model.steps[-1][1], before, moments)
    method = getattr(model, CURVES, None)
    if method is None:
        raise TypeError(f"{type(model).__name__} has no {CURVES}; it predicts no curves.")
    if "times" in inspect.signature(method).parameters:
        return np.asarray(method(X, times=moments))
    return np.array([np.asarray(curve(_inside(curve, moments))) for curve in method(X)])


def _inside(curve: Any, moments: np.ndarray) -> np.ndarray:
    """Return times within what a step function of scikit-survival is defined on."""
    domain = getattr(curve, "domain", (-np.inf, np.inf))
    return np.clip(moments, *domain)


def uno_c_in_reach(y_true: Any, y_score: Any, *, train: Any = None) -> float:
    """Return Uno's C of progressions up to the time at which still a fifth of the training patients would be followed.

    Later ones would count up to thousandfold, so that one pair decides the score.
    """
    y = as_survival(y_true)
    curve = train if isinstance(train, StepCurve) else censoring_curve(y if train is None else as_survival(train))
    late = curve.times[curve.values < _REACH]
    return uno_c(y, y_score, train=curve, tau=float(late[0]) if len(late) else None)


def _auc_at(y_true: Any, y_score: Any, *, train: Any = None, horizon: float = 12.0) -> float:
    return cumulative_dynamic_auc(y_true, y_score, [horizon], train=train)[1]


def _brier_at(y_true: Any, y_score: Curves, *, train: Any = None, horizon: float = 12.0) -> float:
    return float(brier_survival(y_true, y_score(np.array([horizon])), [horizon], train=train)[0])


def _integrated(y_true: Any, y_score: Curves, *, train: Any = None) -> float:
    y = as_survival(y_true)
    times = np.unique(y["time"][y["event"]])
    times = times[(times < y["time"].max()) & (censoring_curve(y).at(times) > 0)]
    if train is not None:
        times = times[train.at(times) > 0]
    if len(times) < 2:
        return _nothing(
            "the integrated Brier score", "fewer than two times at which patients progressed and others left"
        )
    curves = _whole(y_score, times)
    return float("nan") if curves is None else integrated_brier(y, curves, times, train=train)


def _distance(y_true: Any, y_score: Curves) -> float:
    y = as_survival(y_true)
    moments, place = np.unique(y["time"], return_inverse=True)
    curves = _whole(y_score, moments)
    if curves is None:
        return float("nan")
    return d_calibration(y, curves[np.arange(len(y)), place]).statistic / len(y)


def _calibration_at(y_true: Any, y_score: Curves, *, horizon: float = 12.0) -> float:
    found = mean_calibration_error(y_true, y_score(np.array([horizon]))[:, 0], horizon)
    return _nothing(f"calibration at {horizon:g} months", "nobody was followed so long") if np.isnan(found) else found


def _restricted_mean(y_true: Any, y_score: Curves, *, horizon: float = 12.0) -> float:
    y = as_survival(y_true)
    if y["time"].max() < horizon and kaplan_meier(y).at(horizon) > 0:
        return _nothing(f"the mean up to {horizon:g} months", "nobody was followed so long")
    edges = np.linspace(0, horizon, 101)
    curves = _whole(y_score, edges)
    if curves is None:
        return float("nan")
    return abs(float(np.trapezoid(curves.mean(axis=0), edges)) - restricted_mean_survival(y, horizon))


def _whole(curves: Curves, times: np.ndarray) -> np.ndarray | None:
    """Return curves at many times; None, with a warning, of a model that predicts for one horizon only."""
    found = curves(times)
    if np.isnan(found).any():
        _nothing("a score of whole curves", "the model predicts for one horizon only")
        return None
    return found


def _nothing(name: str, why: str) -> float:
    warnings.warn(f"{name} is undefined: {why}. The score is NaN.", UndefinedMetricWarning, stacklevel=3)
    return float("nan")


#: What `_score.py` makes entries of: name, title, function, chance, greater is better, response, limits.
ENTRIES: tuple[tuple[Any, ...], ...] = (
    ("uno_c", "Uno's C", uno_c_in_reach, 0.5, True, RISK, (0.0, 1.0)),
    ("harrell_c", "Harrell's C", harrell_c, 0.5, True, RISK, (0.0, 1.0)),
    ("auc_horizon", "AUC at the horizon", _auc_at, 0.5, True, RISK, (0.0, 1.0)),
    ("neg_brier_horizon", "Brier at the horizon", _brier_at, None, False, CURVES, None),
    ("neg_integrated_brier", "Integrated Brier", _integrated, None, False, CURVES, None),
    ("neg_calibration_horizon", "Calibration error at the horizon", _calibration_at, None, False, CURVES, (-1.0, 0.0)),
    ("neg_d_calibration", "D-calibration distance", _distance, None, False, CURVES, None),
    ("neg_restricted_mean", "Error of mean months", _restricted_mean, None, False, CURVES, None),
)


def known_to_sklearn(scorers: dict[str, Any]) -> None:
    """Let ``scoring="uno_c"`` and the like be found by scikit-learn, which has no public way to add a name.

    Searches and `cross_val_score` hold the names that were known when they were imported; theirs are added to.
    """
    from sklearn import inspection, metrics, model_selection
    from sklearn.metrics import _scorer
    from sklearn.utils._param_validation import StrOptions

    with contextlib.suppress(AttributeError):
        for name, scorer in scorers.items():
            _scorer._SCORERS.setdefault(name, scorer)
        for tool in [tool for room in (inspection, metrics, model_selection) for tool in vars(room).values()]:
            constraints = getattr(tool, "_parameter_constraints", getattr(tool, "_skl_parameter_constraints", {}))
            kinds = constraints.get("scoring", ()) if isinstance(constraints, dict) else ()
            for kind in (one for one in kinds if isinstance(one, StrOptions)):
                kind.options.update(scorers)
