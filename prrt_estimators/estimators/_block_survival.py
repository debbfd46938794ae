"""Named blocks of columns joined into one prediction of the time to progression."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._modalities import PET
from prrt_estimators._validation import as_cohort
from prrt_estimators.estimators._blocks import default_blocks
from prrt_estimators.estimators._cox_survival import CoxPFSSurvival
from prrt_estimators.estimators._joint_blocks import JointBlocksMixin
from prrt_estimators.estimators._learnable import check_learnable
from prrt_estimators.estimators._saved_blocks import SavesBlocksMixin, _inner
from prrt_estimators.estimators._saved_state import SavedState, SavesStateMixin, restore_state, state_of
from prrt_estimators.estimators._survival_base import ProportionalHazards


class BlockFusionPFSSurvival(JointBlocksMixin, SavesBlocksMixin, ProportionalHazards):
    r"""Predict the time to progression from named blocks of columns: lesions, the whole PET, laboratory values.

    The recommended classifier without its horizon. A `CoxPFSSurvival` sees the columns of all blocks, and one each those
    of a single block; the risk is

    .. math:: r = \sigma \left(z(\mathrm{joint}) + c \, z\left(\sum_b \mathrm{own}_b\right)\right),

    :math:`z` being standardised over the training patients, and :math:`\sigma` set so that the risk spreads as the joint
    model's own. A patient who lacks a block is predicted from the others.

    Parameters
    ----------
    blocks : "auto", sequence of names or mapping of str to transformer, default="auto"
        As of `BlockFusionPFSClassifier`.
    own_share : float, default=0.5
        The :math:`c` of the blocks' own models; 0 leaves the joint model alone.
    prior : "published", DataFrame, mapping or None, default=None
        Directions, see `CoxPFSClassifier`.
    tracer : str, default=None
        What the PET shows, e.g. ``"68Ga-DOTATATE"`` or ``"FDG"``.
    lesions : str, default="phantom"
        What a lesion is, see `LesionFeatures`; for ``blocks="auto"``.
    cache_dir : path, default=None
        Folder in which features of scans are kept; ``$PRRT_CACHE_DIR`` or the user's cache folder if None.

    Attributes
    ----------
    blocks_ : dict of str to transformer
        Fitted, in order.
    left_out_ : dict of str to str
        Blocks that the training patients do not have, and why.
    joint_ : CoxPFSSurvival
        Model of all columns, named ``block__column``.
    own_ : dict of str to CoxPFSSurvival
        Model of each block.
    coef_, feature_names_in_ : ndarray of shape (n_columns,)
        Of the joint model's columns, in one order; positive is worse.
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

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> lab = pd.DataFrame({"CgA": rng.lognormal(5, 1, 80), "CRP": rng.lognormal(1, 1, 80)})
    >>> months = 2e3 * rng.exponential(size=80) / lab["CgA"].to_numpy()
    >>> y = {"event": months < 40, "time": np.minimum(months, 40)}
    >>> model = BlockFusionPFSSurvival(prior="published").fit(lab, y)
    >>> list(model.blocks_), model.predict_survival_function(lab.head(2), [12.0]).shape
    (['labs'], (2, 1))
    """

    _image: ClassVar[str] = PET.name
    _parameter_constraints: ClassVar[dict] = {
        "blocks": [StrOptions({"auto"}), list, tuple, dict],
        "own_share": [Interval(Real, 0, None, closed="left")],
        "cache_dir": [str, os.PathLike, None],
    }
    _saved_apart: ClassVar[tuple[str, ...]] = ("blocks_", "joint_", "own_")

    def __init__(
        self,
        *,
        blocks: Any = "auto",
        own_share: float = 0.5,
        prior: Any = None,
        tracer: str | None = None,
        lesions: str = "phantom",
        cache_dir: Any = None,
    ):
        self.blocks = blocks
        self.own_share = own_share
        self.prior = prior
        self.tracer = tracer
        self.lesions = lesions
        self.cache_dir = cache_dir

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> BlockFusionPFSSurvival:
        """Learn the blocks, their models and how they are joined from the training rows.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array
            Patients; a plain table is the modality ``"lab"``, a 5-D array the PET.
        y : structured array of shape (n,)
            ``event`` and ``time`` (months).
        sample_weight : array of shape (n,), default=None

        Returns
        -------
        self
        """
        self._validate_params()
        X, y, weights = self._with_weight(X, y, sample_weight)
        cohort = self._cohort(X)
        check_learnable(X if cohort is None else cohort)
        survival = self._check_target(X if cohort is None else cohort, y)
        cohort = as_cohort(self._plain_table(X, reset=True) if cohort is None else cohort, image=self._image)
        weights = np.ones(len(survival)) if weights is None else weights
        self._trained_on = cohort.modalities
        wanted = dict(self.blocks) if isinstance(self.blocks, Mapping) else default_blocks(self)
        tables = self._usable(wanted, cohort)
        self._fit_joint(tables, lambda model, table: model.fit(table, survival, sample_weight=weights), weights)
        self._keep_baseline(survival, self._score(tables), weights)
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
        return self._score(self._tables(X))

    def block_scores(self, X: Any) -> pd.DataFrame:
        """Return what each block adds to the log relative hazard of each patient.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array

        Returns
        -------
        DataFrame of shape (n, n_blocks)
            Positive is worse; NaN where a patient lacks the block. The rows sum to the risk.
        """
        check_is_fitted(self)
        return self._parts(self._tables(X))

    def _model(self) -> Any:
        return CoxPFSSurvival(prior=self.prior, tracer=self.tracer)

    @staticmethod
    def _linear(model: Any, table: pd.DataFrame) -> np.ndarray:
        return model.predict(table)

    def _saved_state(self) -> SavedState:
        """Return everything learnt.

        Raises
        ------
        TypeError
            If the blocks are of the caller's own.
        """
        if isinstance(self.blocks, Mapping):
            raise TypeError(
                "`blocks` holds transformers of your own, which cannot be saved as data. joblib writes such a model for "
                "your own use."
            )
        state = SavesStateMixin._saved_state(self)
        inner = {f"own.{name}": model._saved_state() for name, model in self.own_.items()}
        inner["joint"] = self.joint_._saved_state()
        for name, block in self.blocks_.items():
            inner[f"block.{name}"] = SavedState({"fitted": {}}) if isinstance(block, Pipeline) else state_of(block)
        state.data["blocks"] = list(self.blocks_)
        state.data["inner"] = {name: one.data for name, one in inner.items()}
        for name, one in inner.items():
            state.objects |= {f"{name}.{attribute}": value for attribute, value in one.objects.items()}
        return state

    def _restore(self, state: SavedState) -> None:
        """Make blocks and models anew and fill in what they learnt."""
        own = {name: one for name, one in state.objects.items() if "." not in name}
        SavesStateMixin._restore(self, replace(state, objects=own))
        made = default_blocks(self)
        self.blocks_ = {name: made[name] for name in state.data["blocks"]}
        for name, block in self.blocks_.items():
            restore_state(block, _inner(state, f"block.{name}"))
        self.own_ = {name: self._inner_model(state, f"own.{name}") for name in self.blocks_}
        self.joint_ = self._inner_model(state, "joint")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "share_") and hasattr(self, "baseline_hazard_")
