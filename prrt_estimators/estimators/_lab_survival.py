"""Time to progression from the laboratory table: ridge Cox regression, or a survival forest."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from prrt_estimators.estimators._cox_survival import RidgeCoxSurvival
from prrt_estimators.estimators._survival_base import breslow
from prrt_estimators.estimators._unknown_patients import empty_rows, warn_of_nothing
from prrt_estimators.preprocessing import LabPreprocessor

#: Times at which leaves of the forest keep their hazards: enough for curves, and few enough for a small file.
_GRID = 40


class LabPFSSurvival(RidgeCoxSurvival):
    r"""Predict the time to progression from laboratory values and clinical columns.

    Values are imputed, log-transformed, scaled and one-hot encoded, all learnt from the training rows. ``"cox"`` is the
    ridge Cox regression of `CoxPFSSurvival`. ``"forest"`` is a survival forest: trees split by the martingale residuals of
    the model that knows nothing, which ranks splits as the log-rank test does; the cumulative hazard of a patient is the
    mean over trees of the Nelson-Aalen estimates of the leaves, and the risk its sum over the times.

    Parameters
    ----------
    model : {"cox", "forest"}, default="cox"
        "cox" for about a hundred patients; "forest" where effects are not linear and there are several hundred.
    prior : "published", DataFrame, mapping or None, default=None
        Which way columns point, see `CoxPFSClassifier`; for "cox".
    tracer : str, default=None
        What the PET shows; for directions that hold for one tracer.
    strength : "evidence" or float, default="evidence"
        Precision of the coefficients; for "cox".
    clip : float, default=5.0
        Median absolute deviations beyond which a value counts as lying at the limit; for "cox".
    n_estimators : int, default=300
        Trees of the forest.
    min_samples_leaf : int, default=6
        Patients in a leaf.
    max_features : {"sqrt", "log2"}, int, float or None, default=0.5
        Columns looked at for a split.
    log : "auto", list of column names or None, default="auto"
        Columns that enter as logarithms, see `LabPreprocessor`.
    n_jobs : int, default=None
        Processors for the forest.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    preprocessor_ : LabPreprocessor
        Fitted on the training rows.
    coef_ : ndarray of shape (n_prepared,)
        Effect of each prepared column on the log hazard, positive is worse; "cox" only.
    model_ : RandomForestRegressor
        The trees; "forest" only.
    unique_times_ : ndarray of shape (m,)
        Times of progressions in training, months.
    censoring_ : dict
        ``time`` and ``survival``: the Kaplan-Meier curve of not being censored, for scores.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the table has names.

    Raises
    ------
    TypeError, ValueError
        If y does not hold times, nobody progressed, or a column mixes numbers and text.
    MissingModalityError
        If X has no ``"lab"``.

    References
    ----------
    Hothorn and Lausen, "On the exact distribution of maximally selected rank statistics", Computational Statistics & Data
    Analysis 2003, doi:10.1016/S0167-9473(02)00225-6. Ishwaran et al., "Random survival forests", Annals of Applied
    Statistics 2008, doi:10.1214/08-AOAS169.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"CgA": rng.lognormal(5, 1, 80), "sex": rng.choice(["f", "m"], 80)})
    >>> months = 2e3 * rng.exponential(size=80) / X["CgA"]
    >>> y = {"event": months < 40, "time": np.minimum(months, 40)}
    >>> model = LabPFSSurvival().fit(X, y)
    >>> model.predict(X.head(3)).shape, round(model.score(X, y), 1)
    ((3,), 0.7)
    """

    _explains_columns: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict] = {
        "model": [StrOptions({"cox", "forest"})],
        "prior": [str, pd.DataFrame, dict, None],
        "tracer": [str, None],
        "strength": [StrOptions({"evidence"}), Interval(Real, 0, None, closed="neither")],
        "clip": [Interval(Real, 0, None, closed="neither")],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "min_samples_leaf": [Interval(Integral, 1, None, closed="left")],
        "max_features": [StrOptions({"sqrt", "log2"}), Integral, Real, None],
        "log": [StrOptions({"auto"}), "array-like", None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        model: str = "cox",
        prior: Any = None,
        tracer: str | None = None,
        strength: Any = "evidence",
        clip: float = 5.0,
        n_estimators: int = 300,
        min_samples_leaf: int = 6,
        max_features: Any = 0.5,
        log: Any = "auto",
        n_jobs: int | None = None,
        random_state: Any = None,
    ):
        self.model = model
        self.prior = prior
        self.tracer = tracer
        self.strength = strength
        self.clip = clip
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.log = log
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LabPFSSurvival:
        """Learn preprocessing and model from the training rows.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, DataFrame or array of shape (n, k)
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
        self.preprocessor_ = LabPreprocessor(log=self.log, indicators=False)
        prepared = self.preprocessor_.fit_transform(table)
        survival = self._check_target(prepared, y)
        self._note_columns(self.preprocessor_)
        weights = np.ones(len(survival)) if weights is None else weights
        if self.model == "cox":
            names = self.preprocessor_.get_feature_names_out()
            self._fit_numbers(prepared, names, survival, weights, self.clip)
        else:
            self._fit_forest(prepared, survival, weights)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the risk of each patient, greater is worse.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, DataFrame or array of shape (n, k)

        Returns
        -------
        ndarray of shape (n,)
            Log relative hazard for "cox"; for "forest" the cumulative hazard summed over times.
        """
        return self._prepared_risk(self._prepared(X))

    def _prepared_risk(self, prepared: np.ndarray) -> np.ndarray:
        return self._risk(prepared) if self.model == "cox" else self._leaf_hazards(prepared).sum(axis=1)

    def _hazards(self, X: Any, times: np.ndarray) -> np.ndarray:
        if self.model == "cox":
            return super()._hazards(X, times)
        steps = np.concatenate([[0.0], self.grid_])
        hazards = np.column_stack([np.zeros(len(X)), self._leaf_hazards(self._prepared(X))])
        return hazards[:, np.searchsorted(steps, times, "right") - 1]

    def _prepared(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        cohort = self._cohort(X)
        table = self._table(X, cohort)
        prepared = self.preprocessor_.transform(table)
        warn_of_nothing(empty_rows(table), None if cohort is None else cohort.ids, type(self).__name__)
        return prepared

    def _fit_forest(self, prepared: np.ndarray, survival: np.ndarray, weights: np.ndarray) -> None:
        times, hazard = breslow(survival, np.zeros(len(survival)), weights)
        expected = np.concatenate([[0.0], hazard])[np.searchsorted(times, survival["time"], "right")]
        self.model_ = RandomForestRegressor(
            self.n_estimators,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
        ).fit(prepared, survival["event"] - expected, sample_weight=weights)
        shares = np.linspace(0, 1, min(_GRID, len(times)) + 1)[1:]
        self.grid_ = np.unique(np.quantile(survival["time"][survival["event"]], shares, method="inverted_cdf"))
        leaves = self.model_.apply(prepared)
        # One row per leaf of any tree, found by tree and node.
        starts = np.concatenate([[0], np.cumsum([tree.tree_.node_count for tree in self.model_.estimators_])])
        self.leaf_rows_, place = np.unique(leaves + starts[:-1], return_inverse=True)
        self.leaf_hazards_ = self._nelson_aalen(place.reshape(leaves.shape), survival, weights)

    def _nelson_aalen(self, place: np.ndarray, survival: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the cumulative hazard of each leaf at the times of the grid."""
        n_leaves, hazards, total = int(place.max()) + 1, [], np.zeros(int(place.max()) + 1)

        def summed(values: np.ndarray) -> np.ndarray:
            spread = np.broadcast_to(values[:, None], place.shape)
            return np.bincount(place.ravel(), spread.ravel(), n_leaves)

        moments = np.unique(survival["time"][survival["event"]])
        for moment in moments:
            events = summed(weights * (survival["event"] & (survival["time"] == moment)))
            at_risk = summed(weights * (survival["time"] >= moment))
            total = total + np.divide(events, at_risk, out=np.zeros(n_leaves), where=at_risk > 0)
            hazards.append(total)
        return np.array(hazards)[np.searchsorted(moments, self.grid_)].T

    def _leaf_hazards(self, prepared: np.ndarray) -> np.ndarray:
        starts = np.concatenate([[0], np.cumsum([tree.tree_.node_count for tree in self.model_.estimators_])])
        rows = np.searchsorted(self.leaf_rows_, self.model_.apply(prepared) + starts[:-1])
        return self.leaf_hazards_[rows].mean(axis=1)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "directions_") or hasattr(self, "leaf_hazards_")
