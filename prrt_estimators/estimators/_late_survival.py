"""Late fusion of survival models: one per block of data, joined by the ranks of their risks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from prrt_estimators._forms import plain_form
from prrt_estimators._modalities import CT, MODALITIES, PET
from prrt_estimators._validation import as_cohort
from prrt_estimators.cohort import Cohort
from prrt_estimators.estimators._image_survival import CTPFSSurvival, PETPFSSurvival
from prrt_estimators.estimators._lab_survival import LabPFSSurvival
from prrt_estimators.estimators._late_fusion import _weighted
from prrt_estimators.estimators._ridge_evidence import CoxLikelihood, average_by_evidence
from prrt_estimators.estimators._saved_state import SavedState
from prrt_estimators.estimators._survival_base import ProportionalHazards
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.metrics import harrell_c

#: Precision with which the slope of the joined, standardised ranks is held back.
_SLOPE_PRECISION = 0.1


class LateFusionPFSSurvival(ProportionalHazards):
    r"""Predict the time to progression by one model per block of data, joined by the ranks of their risks.

    The models are cross-fitted on the training patients. A risk becomes its rank among the cross-fitted ones; ranks are
    averaged with weights that grow with the cross-fitted concordance above 0.5; and the mean enters a Cox regression with
    a slope of at least 0. A patient who lacks a block is predicted from the others.

    Parameters
    ----------
    estimators : "auto" or mapping of str to estimator, default="auto"
        Survival models by block. A block that is called like a modality gets that modality alone, another one all of X.
        "auto" takes `LabPFSSurvival`, `PETPFSSurvival` and `CTPFSSurvival`, as far as the cohort goes.
    cv : int, default=5
        Inner folds.
    random_state : int, RandomState or None, default=None
        Of the inner folds, and of models whose own is None.

    Attributes
    ----------
    models_ : dict of str to estimator
        Fitted on all training patients.
    weights_ : dict of str to float
        Share of each block.
    slope_ : float
        Effect of the joined ranks on the log hazard, per standard deviation.
    unique_times_ : ndarray of shape (m,)
        Times of progressions in training, months.
    censoring_ : dict
        ``time`` and ``survival``: the Kaplan-Meier curve of not being censored, for scores.

    Raises
    ------
    MissingModalityError
        If the cohort has none of the blocks.
    TypeError, ValueError
        If y does not hold times, or nobody progressed.

    Notes
    -----
    `save_model` writes it if all models inside are of this library; joblib does in any case, for your own use.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> lab = rng.normal(size=(60, 3))
    >>> months = 12 * np.exp(-lab[:, 0]) * rng.exponential(size=60)
    >>> y = {"event": months < 40, "time": np.minimum(months, 40)}
    >>> model = LateFusionPFSSurvival(cv=3).fit(lab, y)
    >>> model.weights_, model.slope_ > 0
    ({'lab': 1.0}, True)
    """

    _image: ClassVar[str] = PET.name
    _saved_apart: ClassVar[tuple[str, ...]] = ("models_",)
    _parameter_constraints: ClassVar[dict] = {"cv": [int], "random_state": ["random_state"]}

    def __init__(self, *, estimators: Any = "auto", cv: int = 5, random_state: Any = None):
        self.estimators = estimators
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LateFusionPFSSurvival:
        """Cross-fit the models, weigh them, and fit them on all training patients.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array
        y : structured array of shape (n,)
            ``event`` and ``time`` (months).
        sample_weight : array of shape (n,), default=None

        Returns
        -------
        self
        """
        self._validate_params()
        if self.cv < 2:
            raise ValueError(f"`cv` must be at least 2; got {self.cv}. Pass e.g. 5.")
        X, y, weights = self._with_weight(X, y, sample_weight)
        cohort = self._blocks_of(X)
        survival = self._check_target(cohort, y)
        weights = np.ones(len(survival)) if weights is None else weights
        models = self._models(cohort)
        strata = self._target.strata(survival)
        if len(survival) < 2:
            raise ValueError("one patient cannot be divided into inner folds; use a model of its own.")
        if np.bincount(strata, minlength=2).min() < 2:
            strata = np.zeros(len(strata), dtype=int)
        folds = max(2, min(self.cv, int(np.bincount(strata)[np.unique(strata)].min())))
        seed = 0 if self.random_state is None else self.random_state
        splits = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(strata, strata))
        self.models_, self.reference_, held, gains = {}, {}, {}, {}
        for name, model in models.items():
            held[name] = np.full(len(survival), np.nan)
            for train, test in splits:
                rows = test[self._there(name, cohort)[test]]
                fitted = self._fitted(name, model, cohort, survival, weights, train)
                if fitted is not None and len(rows):
                    held[name][rows] = fitted.predict(self._block(name, cohort[rows]))
            scored = np.isfinite(held[name])
            self.reference_[name] = np.sort(held[name][scored])
            gains[name] = _gain(survival[scored], held[name][scored])
            last = self._fitted(name, model, cohort, survival, weights, np.arange(len(survival)))
            if last is None:
                raise ValueError(f"nobody who has the block {name!r} progressed; leave it out of `estimators`.")
            self.models_[name] = last
        total = sum(gains.values())
        self.weights_ = {name: gain / total if total > 0 else 1 / len(gains) for name, gain in gains.items()}
        joined = self._joined(held)
        self.centre_, self.spread_ = float(joined.mean()), float(joined.std()) or 1.0
        Z = ((joined - self.centre_) / self.spread_)[:, None]
        found = average_by_evidence(
            Z,
            CoxLikelihood(survival["time"], survival["event"], weights),
            precisions=np.array([_SLOPE_PRECISION]),
            log_prior=np.zeros(1),
            directions=np.zeros(1),
        )
        self.slope_ = max(0.0, float(found.coef[0]))
        self._keep_baseline(survival, self.slope_ * Z[:, 0], weights)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the log relative hazard of each patient, greater is worse.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array

        Returns
        -------
        ndarray of shape (n,)
        """
        check_is_fitted(self)
        cohort = self._blocks_of(X)
        risks = {}
        for name, model in self.models_.items():
            there, risks[name] = self._there(name, cohort), np.full(len(cohort), np.nan)
            if there.any():
                risks[name][there] = model.predict(self._block(name, cohort[there]))
        return self.slope_ * (self._joined(risks) - self.centre_) / self.spread_

    def _blocks_of(self, X: Any) -> Cohort:
        cohort = self._cohort(X)
        if cohort is not None:
            return cohort
        table = plain_form(X)
        return as_cohort(table.reset_index(drop=True) if hasattr(table, "reset_index") else table, image=self._image)

    def _models(self, cohort: Cohort) -> dict[str, Any]:
        if isinstance(self.estimators, Mapping):
            models = {name: clone(one) for name, one in self.estimators.items()}
        else:
            every = {PET.name: PETPFSSurvival(), CT.name: CTPFSSurvival(), "lab": LabPFSSurvival()}
            models = {name: one for name, one in every.items() if name in cohort}
        lacking = [name for name in models if name in MODALITIES and name not in cohort]
        if lacking or not models:
            raise MissingModalityError(
                f"LateFusionPFSSurvival needs {', '.join(lacking) or 'a model'}; the data have "
                f"{', '.join(cohort.modalities)}."
            )
        for one in models.values():
            if self.random_state is not None and one.get_params().get("random_state", 0) is None:
                one.set_params(random_state=self.random_state)
        return models

    def _block(self, name: str, cohort: Cohort) -> Cohort:
        return cohort.select(name) if name in MODALITIES else cohort

    def _there(self, name: str, cohort: Cohort) -> np.ndarray:
        """Return which patients have a block."""
        if name not in MODALITIES:
            return np.ones(len(cohort), dtype=bool)
        if name not in cohort:
            return np.zeros(len(cohort), dtype=bool)
        part = cohort[name]
        return part.present if hasattr(part, "present") else ~part.isna().all(axis=1).to_numpy()

    def _fitted(
        self, name: str, model: Any, cohort: Cohort, survival: np.ndarray, weights: np.ndarray, rows: np.ndarray
    ) -> Any:
        """Return a model fitted on some patients; None if nobody of them who has the block progressed."""
        rows = rows[self._there(name, cohort)[rows]]
        if not survival["event"][rows].any():
            return None
        given = {"sample_weight": weights[rows]} if has_fit_parameter(model, "sample_weight") else {}
        return clone(model).fit(self._block(name, cohort[rows]), _safe_indexing(survival, rows), **given)

    def _joined(self, risks: Mapping[str, np.ndarray]) -> np.ndarray:
        ranks = {}
        for name, risk in risks.items():
            known = self.reference_[name]
            places = np.searchsorted(known, risk, "left") + np.searchsorted(known, risk, "right")
            ranks[name] = np.where(np.isfinite(risk), places / max(2 * len(known), 1), np.nan)
        return np.nan_to_num(_weighted(ranks, self.weights_), nan=0.5)

    @property
    def _reads(self) -> tuple[str, ...]:
        """The modalities that the fitted models look at."""
        models = getattr(self, "models_", {})
        read = [(name,) if name in MODALITIES else getattr(one, "_reads", ("lab",)) for name, one in models.items()]
        return tuple(dict.fromkeys(modality for one in read for modality in one)) or super()._reads

    @property
    def _table_columns(self) -> list[str] | None:
        """The columns of the tables that the models were fitted on; None where one does not say."""
        tables = [one for one in self.models_.values() if "lab" in getattr(one, "_reads", ("lab",))]
        columns = [getattr(one, "_table_columns", None) for one in tables]
        if not columns or any(one is None for one in columns):
            return None
        return list(dict.fromkeys(name for one in columns for name in one or ()))

    def _saved_state(self) -> SavedState:
        """Return everything learnt, and the models inside."""
        state = super()._saved_state()
        state.models = dict(self.models_)
        return state

    def _restore(self, state: SavedState) -> None:
        """Take over what was learnt, and the models inside."""
        super()._restore(state)
        self.models_ = dict(state.models)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "baseline_hazard_")


def _gain(survival: np.ndarray, risk: np.ndarray) -> float:
    """Return Harrell's C above 0.5, 0 if it is below or the order of no pair is known."""
    first = survival["time"][survival["event"]].min(initial=np.inf)
    if not (survival["time"] > first).any():
        return 0.0
    return max(0.0, harrell_c(survival, risk) - 0.5)
