"""Ridge Cox regression with few decisions: strengths are averaged by evidence, the class is read off the hazard."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from prrt_estimators._classes import check_labels, check_same_order
from prrt_estimators._forms import are_records, plain_form
from prrt_estimators._pandas_tables import check_column_order
from prrt_estimators._validation import as_cohort
from prrt_estimators.estimators._base import KnowsLongClass
from prrt_estimators.estimators._directions import match_directions
from prrt_estimators.estimators._learnable import check_learnable, warn_of_copies
from prrt_estimators.estimators._ridge_cox import MIN_EVENTS, RidgeCox
from prrt_estimators.estimators._ridge_evidence import LogisticLikelihood, average_by_evidence
from prrt_estimators.estimators._saved_state import SavesStateMixin
from prrt_estimators.estimators._survival_input import check_survival
from prrt_estimators.estimators._unknown_patients import empty_rows, warn_of_nothing
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.preprocessing import ClippedScaler

#: Precision of the class's logistic model: C = 0.03.
_CLASS_PRECISION = 1 / 0.03


class CoxPFSClassifier(RidgeCox, SavesStateMixin, KnowsLongClass, ClassifierMixin, BaseEstimator):
    r"""Predict long PFS from a table of numbers by ridge Cox regression, averaged over strengths by evidence.

    Where `fit` is given times, the hazard is :math:`h(t \mid x) = h_0(t) \exp(-w^\top z)` with standardised columns
    :math:`z`, and

    .. math:: P(\mathrm{PFS} > h \mid x) = \exp\bigl(-H_0(h) \, e^{-w^\top z}\bigr)

    with Breslow's :math:`H_0`. The coefficients have a Gaussian prior :math:`N(s\,m, I / a)`. Models of several
    precisions :math:`a`, under a log-normal prior round 50 (from 100 columns on, half their number), and of strengths
    :math:`s` of the published directions :math:`m`, 0 or 0.1 at odds of 3 to 1, are averaged, each weighted by Laplace's
    approximation of its evidence: no inner folds, and nothing to tune. Without times, the class is predicted by logistic
    regression with C = 0.03.

    Parameters
    ----------
    prior : "published", DataFrame, mapping or None, default=None
        Which way columns point before the data are seen. "published" uses `published_directions`; a table has the
        columns ``variable`` and ``direction`` (1: high goes with long PFS), a mapping column to direction.
    tracer : str, default=None
        What the PET shows, e.g. ``"68Ga-DOTATATE"`` or ``"FDG"``. Directions that hold for one tracer only are used
        if it is that one; None turns them off.
    strength : "evidence" or float, default="evidence"
        Precision :math:`a` of the coefficients; a number fixes it. Larger shrinks more.
    horizon : float or "auto", default="auto"
        Months beyond which PFS is long; used only with times, and must agree with y. "auto" is 12 if y agrees with it,
        else the least that it agrees with.
    clip : float, default=5.0
        Median absolute deviations from the median beyond which a value counts as lying at the limit.
    pos_label : label, default=None
        Label of long PFS in y. None knows 1, True and words such as "long" or "lang".

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels in ascending order, which is that of the columns of `predict_proba`.
    positive_class_ : label
        The one of long PFS.
    coef_ : ndarray of shape (n_features,)
        Effect of each column on the log of the hazard (with times) or of the odds, per standard deviation of the clipped
        values, in the order of `feature_names_in_`; positive goes with long PFS.
    prior_coef_ : ndarray of shape (n_features,)
        The part of `coef_` that the directions gave.
    coef_without_prior_ : ndarray of shape (n_features,)
        Coefficients of the model that uses no direction.
    directions_ : DataFrame
        ``column``, ``variable``, ``direction``, ``source``, and ``contradicted``: whether the data alone point the other
        way.
    prior_share_ : float
        Posterior probability that the directions help; 0 if none is known.
    strength_ : float
        Mean precision (geometric, by evidence).
    horizon_ : float
        Months; only with times.
    learnt_from_ : {"time", "class"}
        What the coefficients were learnt from.
    n_events_ : float
        Sum of weights of patients who progressed; NaN without times.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the columns have names.

    Raises
    ------
    ValueError
        If y does not hold two classes, contradicts the times, or a value is infinite.

    Warns
    -----
    FewEventsWarning
        If fewer than 10 patients progressed. The coefficients are then the prior's, if it knows any column.

    References
    ----------
    Verweij and van Houwelingen, Penalized likelihood in Cox regression, Statistics in Medicine 1994,
    doi:10.1002/sim.4780132307. Breslow, Covariance analysis of censored survival data, Biometrics 1974,
    doi:10.2307/2529620. Tierney and Kadane, Accurate approximations for posterior moments and marginal densities,
    JASA 1986, doi:10.1080/01621459.1986.10478240.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(90, 2)), columns=["cga", "noise"])
    >>> months = 16 * np.exp(-X["cga"]) * rng.exponential(size=90)
    >>> model = CoxPFSClassifier(prior="published").fit(X, months > 12, time=months)
    >>> model.coef_.round(1), model.directions_["direction"].tolist()
    (array([-0.9, -0. ]), [-1])
    >>> model.predict_proba(X.head(2)).round(2).tolist()
    [[0.48, 0.52], [0.66, 0.34]]
    """

    _parameter_constraints: ClassVar[dict] = {
        "prior": [str, pd.DataFrame, dict, None],
        "tracer": [str, None],
        "strength": [StrOptions({"evidence"}), Interval(Real, 0, None, closed="neither")],
        "horizon": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "clip": [Interval(Real, 0, None, closed="neither")],
        "pos_label": "no_validation",
    }

    def __init__(
        self,
        *,
        prior: Any = None,
        tracer: str | None = None,
        strength: Any = "evidence",
        horizon: Any = "auto",
        clip: float = 5.0,
        pos_label: Any = None,
    ):
        self.prior = prior
        self.tracer = tracer
        self.strength = strength
        self.horizon = horizon
        self.clip = clip
        self.pos_label = pos_label

    def fit(self, X: Any, y: Any, sample_weight: Any = None, time: Any = None, event: Any = None) -> CoxPFSClassifier:
        """Learn scales, coefficients and baseline hazard from the training rows.

        Parameters
        ----------
        X : array, DataFrame, or Cohort or mapping with ``"lab"``, of shape (n, n_features)
            Numbers; NaN where a value is missing.
        y : array of shape (n,)
            1 for long PFS, 0 for short; or words such as "long" and "short", or any two labels with `pos_label`.
        sample_weight : array of shape (n,), default=None
        time : array of shape (n,), default=None
            Months to progression or censoring. None learns from the class alone.
        event : array of shape (n,), default=None
            Whether progression was seen; None says that it was for everybody.

        Returns
        -------
        self
        """
        self._validate_params()
        for name, values in (("y", y), ("sample_weight", sample_weight), ("time", time), ("event", event)):
            check_same_order(X, values, ("X", name))
        check_labels(y)
        table = _table(X)
        check_learnable(table)
        warn_of_copies(table, y)
        X, y = validate_data(self, table, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        self.classes_, encoded = np.unique(y, return_inverse=True)
        if len(self.classes_) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is multiclass; use short (0) and long "
                "(1) PFS."
            )
        weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        rows = weights > 0
        if len(np.unique(encoded[rows])) < 2:
            raise ValueError(
                f"y holds one class only ({self.classes_[encoded[rows][0] if rows.any() else 0]!r}); CoxPFSClassifier "
                "needs patients of both classes."
            )
        encoded = self._encode_classes(encoded)
        survival = check_survival(time, event, encoded, self.horizon)
        X, encoded, weights = X[rows], encoded[rows], weights[rows]
        self.scaler_ = ClippedScaler(clip=self.clip).fit(X, sample_weight=weights)
        Z = np.nan_to_num(self.scaler_.transform(X))
        names = getattr(self, "feature_names_in_", np.array([f"x{k}" for k in range(X.shape[1])], dtype=object))
        known = match_directions(names, self.prior, self.tracer)
        known = known[self.scaler_.varies_[known["position"].to_numpy(dtype=int)]].reset_index(drop=True)
        direction = np.zeros(X.shape[1])
        direction[known["position"].to_numpy(dtype=int)] = known["direction"].to_numpy(dtype=float)
        if survival is None:
            self._fit_class(Z, encoded, weights, direction)
        else:
            months, progressed, self.horizon_ = survival
            self._fit_time(Z, encoded, weights, direction, months[rows], progressed[rows])
        without = self.coef_without_prior_[known["position"].to_numpy(dtype=int)]
        known["contradicted"] = without * known["direction"].to_numpy(dtype=float) < 0
        self.directions_ = known.drop(columns="position")
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : array or DataFrame of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n, 2)
            Columns in the order of `classes_`: the second is long PFS where y was 0 and 1.
        """
        check_is_fitted(self)
        score = self.score_samples(X)
        warn_of_nothing(empty_rows(_table(X)), None, type(self).__name__)
        if self.learnt_from_ == "time":
            long = np.exp(-self.cumulative_hazard_ * np.exp(-score))
        else:
            long = 1 / (1 + np.exp(-(score + self.intercept_)))
        return self._ordered(np.column_stack([1 - long, long]))

    def predict(self, X: Any) -> np.ndarray:
        """Return the more probable class of each patient.

        Parameters
        ----------
        X : array or DataFrame of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n,)
        """
        check_is_fitted(self)
        inside = self._inside_classes()
        return inside[(self._ordered(self.predict_proba(X))[:, 1] >= 0.5).astype(int)]

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the sum of effects of each patient; high goes with long PFS.

        Parameters
        ----------
        X : array or DataFrame of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n,)
            The log hazard (or log odds) is shifted by this, with the sign turned for the hazard. A value that is missing
            adds nothing.
        """
        check_is_fitted(self)
        table = _table(X)
        if isinstance(table, pd.DataFrame) and hasattr(self, "feature_names_in_"):
            check_column_order(table, self.feature_names_in_)
        X = validate_data(self, table, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return np.nan_to_num(self.scaler_.transform(X)) @ self.coef_

    def _fit_class(self, Z: np.ndarray, encoded: np.ndarray, weights: np.ndarray, direction: np.ndarray) -> None:
        self.learnt_from_, self.n_events_ = "class", float("nan")
        likelihood = LogisticLikelihood(encoded, weights)
        fixed = _CLASS_PRECISION if self.strength == "evidence" else float(self.strength)
        self._keep(average_by_evidence(Z, likelihood, **self._grid(np.array([fixed]), direction)), sign=1.0)
        self.intercept_ = likelihood.intercept(Z @ self.coef_)

    def _fit_time(
        self,
        Z: np.ndarray,
        encoded: np.ndarray,
        weights: np.ndarray,
        direction: np.ndarray,
        time: np.ndarray,
        event: np.ndarray,
    ) -> None:
        self.n_events_ = float(weights @ event)
        if self.n_events_ < MIN_EVENTS:
            self._warn_few(bool(direction.any()))
            if not event.any():
                n_events = self.n_events_
                self._fit_class(Z, encoded, weights, direction)
                self.n_events_ = n_events
                return
        self.learnt_from_ = "time"
        likelihood = self._learn_hazard(Z, weights, direction, time, event, sign=-1.0)
        self.cumulative_hazard_ = likelihood.baseline(-(Z @ self.coef_), self.horizon_, time)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags


def _table(X: Any) -> Any:
    """Return the table of X: the laboratory values of a cohort or what becomes one, anything else as it is."""
    X = plain_form(X)
    if not issparse(X) and (isinstance(X, Mapping) or are_records(X)):
        X = as_cohort(X)
        if "lab" not in X:
            raise MissingModalityError.of("CoxPFSClassifier", ["lab"], X.modalities)
        return X["lab"]
    return X
