"""Named blocks of columns joined into one prediction: lesions, laboratory values, whatever else a cohort has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._classes import check_same_order
from prrt_estimators._forms import plain_form
from prrt_estimators._modalities import PET
from prrt_estimators._validation import as_cohort
from prrt_estimators.estimators._base import BasePFSClassifier
from prrt_estimators.estimators._blocks import (
    absent,
    wanted_blocks,
)
from prrt_estimators.estimators._cox import CoxPFSClassifier
from prrt_estimators.estimators._joint_blocks import JointBlocksMixin
from prrt_estimators.estimators._late_fusion import LateFusion
from prrt_estimators.estimators._learnable import check_learnable
from prrt_estimators.estimators._saved_blocks import SavesBlocksMixin
from prrt_estimators.estimators._score_link import ScoreLink
from prrt_estimators.estimators._unknown_patients import warn_of_nothing


class BlockFusionPFSClassifier(JointBlocksMixin, SavesBlocksMixin, BasePFSClassifier):
    r"""Predict long PFS from named blocks of columns: lesions on PET and CT, the whole PET, laboratory values.

    With ``fusion="joint"`` a `CoxPFSClassifier` sees the columns of all blocks, and one each those of a single block. The
    score is

    .. math:: s = \sigma \left(z(\mathrm{joint}) + c \, z\left(\sum_b \mathrm{own}_b\right)\right),

    :math:`z` being standardised over the training patients, and :math:`\sigma` set so that the score spreads as the joint
    model's own. A block whose columns predict little has small coefficients in its own model, and adds little. With
    ``fusion="late"`` any scikit-learn estimator may score a block: scores become ranks among cross-fitted scores of the
    training patients, and are averaged with weights that grow with the cross-fitted AUROC above 0.5.

    A patient who lacks a block is predicted from the others; nobody else is affected.

    Parameters
    ----------
    blocks : "auto", sequence of names or mapping of str to transformer or columns, default="auto"
        Name to a transformer from a Cohort to a table of numbers, or to columns of its tables (``{"radiomics": ["morph_volume"]}``).
        "auto" takes what the cohort holds, a sequence some of it: each table of ``X.blocks``, ``lesions``
        (`LesionFeatures`), ``global_pet`` (`GlobalPETFeatures`, as logarithms; left out where the tracer binds
        somatostatin receptors, whose lesions say more) and ``labs`` (`LabPanels`).
    fusion : {"joint", "late"}, default="joint"
    own_share : float, default=0.5
        The :math:`c` of the blocks' own scores where ``fusion="joint"``; 0 leaves the joint model alone.
    estimator : estimator, mapping of block to estimator, or None, default=None
        What scores a block where ``fusion="late"``; `CoxPFSClassifier` if None.
    prior : "published", DataFrame, mapping or None, default=None
        Directions, see `CoxPFSClassifier`.
    tracer : str, default=None
        What the PET shows, see `CoxPFSClassifier`.
    lesions : str, default="phantom"
        What a lesion is, see `LesionFeatures`; for ``blocks="auto"``.
    cv : int, splitter or iterable, default=5
        Inner folds of ``fusion="late"``.
    horizon : float or "auto", default="auto"
        Months, see `CoxPFSClassifier`.
    cache_dir : path, default=None
        Folder in which features of scans are kept; ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    random_state : int, RandomState or None, default=None
        Of the inner folds.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels; the second is long PFS.
    blocks_ : dict of str to transformer
        Fitted, in order.
    left_out_ : dict of str to str
        Blocks that the training patients do not have, and why.
    joint_ : CoxPFSClassifier
        Model of all columns, named ``block__column``; only for ``fusion="joint"``.
    own_ : dict of str to estimator
        Model of each block.
    weights_ : dict of str to float
        Only for ``fusion="late"``: share of each block.
    learnt_from_ : {"time", "class"}
    modalities_ : tuple of str
        What the blocks look at; all that the training patients had where the blocks are your own.
    coef_, feature_names_in_ : ndarray of shape (n_columns,)
        Of the joint model's columns, in one order; only for ``fusion="joint"``.

    Raises
    ------
    MissingModalityError
        If the cohort has none of the blocks.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> lab = pd.DataFrame({"CgA": rng.lognormal(5, 1, 80), "CRP": rng.lognormal(1, 1, 80)})
    >>> months = 2e3 * rng.exponential(size=80) / lab["CgA"].to_numpy()
    >>> model = BlockFusionPFSClassifier(prior="published").fit(lab, months > 12, time=months)
    >>> list(model.blocks_), model.left_out_["lesions"][:8], model.coef_.round(1)
    (['labs'], 'no PET o', array([-1., -0.]))
    """

    _image: ClassVar[str] = PET.name
    _parameter_constraints: ClassVar[dict] = {
        "blocks": [StrOptions({"auto"}), list, tuple, dict],
        "fusion": [StrOptions({"joint", "late"})],
        "own_share": [Interval(Real, 0, None, closed="left")],
        "cv": ["cv_object"],
        "cache_dir": [str, os.PathLike, None],
    }

    def __init__(
        self,
        *,
        blocks: Any = "auto",
        fusion: str = "joint",
        own_share: float = 0.5,
        estimator: Any = None,
        prior: Any = None,
        tracer: str | None = None,
        lesions: str = "phantom",
        cv: Any = 5,
        horizon: Any = "auto",
        cache_dir: Any = None,
        random_state: Any = None,
    ):
        self.blocks = blocks
        self.fusion = fusion
        self.own_share = own_share
        self.estimator = estimator
        self.prior = prior
        self.tracer = tracer
        self.lesions = lesions
        self.cv = cv
        self.horizon = horizon
        self.cache_dir = cache_dir
        self.random_state = random_state

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, time: Any = None, event: Any = None
    ) -> BlockFusionPFSClassifier:
        """Learn the blocks, their models and how they are joined from the training rows.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array
            Patients; a plain table is the modality ``"lab"``, a 5-D array the PET.
        y : array of shape (n,)
            1 for long PFS, 0 for short.
        sample_weight : array of shape (n,), default=None
        time : array of shape (n,), default=None
            Months to progression or censoring; see `CoxPFSClassifier`.
        event : array of shape (n,), default=None
            Whether progression was seen.

        Returns
        -------
        self
        """
        self._validate_params()
        X, y, given = self._given(X, y, sample_weight, time, event)
        cohort, encoded = self._checked(X, y)
        self._trained_on = cohort.modalities
        wanted = wanted_blocks(self, cohort)
        tables = self._usable(wanted, cohort)
        if self.fusion == "late":
            self._fit_late(tables, encoded, given)
        else:
            self._learn_joint(tables, encoded, given)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array

        Returns
        -------
        ndarray of shape (n, 2)
            The second column is the probability of long PFS.
        """
        check_is_fitted(self)
        tables = self._tables(X)
        cohort = self._cohort(X)
        nothing = np.all([absent(table) for table in tables.values()], axis=0)
        warn_of_nothing(nothing, None if cohort is None else cohort.ids, type(self).__name__)
        long = self._long(tables)
        return self._ordered(np.column_stack([1 - long, long]))

    def block_scores(self, X: Any) -> pd.DataFrame:
        """Return what each block adds to the score of each patient.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array

        Returns
        -------
        DataFrame of shape (n, n_blocks)
            High goes with long PFS; NaN where a patient lacks the block. With ``fusion="joint"`` the rows sum to the
            score up to a constant, with ``fusion="late"`` they are weighted ranks.
        """
        check_is_fitted(self)
        tables = self._tables(X)
        if self.fusion == "late":
            return self.late_.parts(tables)
        return self._parts(tables)

    def _given(self, X: Any, y: Any, sample_weight: Any, time: Any, event: Any) -> tuple[Any, Any, dict[str, Any]]:
        """Return the patients of some weight, and what was given beside X and y of these."""
        for name, values in (("time", time), ("event", event)):
            check_same_order(plain_form(X), values, ("X", name))
        X, y, weights = self._with_weight(X, y, sample_weight)
        given = {name: np.asarray(values) for name, values in (("time", time), ("event", event)) if values is not None}
        if weights is not None:
            first = np.asarray(sample_weight)
            if first.size > len(weights):  # patients whose weight is zero were left out
                rows = np.flatnonzero(first)
                given = {name: one[rows] if len(one) == first.size else one for name, one in given.items()}
            given["sample_weight"] = weights
        return X, y, given

    def _checked(self, X: Any, y: Any) -> tuple[Any, np.ndarray]:
        cohort = self._cohort(X)
        check_learnable(X if cohort is None else cohort)
        table = X if cohort is None else cohort
        if cohort is None:
            table = self._plain_table(X, reset=True)
        encoded = self._check_target(table, y)
        return as_cohort(table, image=self._image), encoded

    def _model(self) -> CoxPFSClassifier:
        return CoxPFSClassifier(prior=self.prior, tracer=self.tracer, horizon=self.horizon)

    @staticmethod
    def _linear(model: Any, table: pd.DataFrame) -> np.ndarray:
        return model.score_samples(table)

    def _learn_joint(self, tables: Mapping[str, pd.DataFrame], encoded: np.ndarray, given: dict[str, Any]) -> None:
        weights = given.get("sample_weight", np.ones(len(encoded)))
        self._fit_joint(tables, lambda model, table: model.fit(table, encoded, **given), weights)
        self.link_ = ScoreLink.fit(self._score(tables), encoded, self.horizon, **given)
        self.learnt_from_ = self.joint_.learnt_from_

    def _long(self, tables: Mapping[str, pd.DataFrame]) -> np.ndarray:
        """Return the probability of long PFS from the blocks' tables."""
        return self.late_.probability(tables) if self.fusion == "late" else self.link_.probability(self._score(tables))

    def _fit_late(self, tables: Mapping[str, pd.DataFrame], encoded: np.ndarray, given: dict[str, Any]) -> None:
        self.columns_ = {name: list(table.columns) for name, table in tables.items()}
        chosen = self.estimator if isinstance(self.estimator, Mapping) else dict.fromkeys(tables, self.estimator)
        unknown = [name for name in chosen if name not in tables and name not in self.left_out_]
        if unknown:
            raise ValueError(f"`estimator` names {', '.join(unknown)}, but the blocks are {', '.join(tables)}.")
        models = {name: self._model() if chosen.get(name) is None else clone(chosen[name]) for name in tables}
        self.late_ = LateFusion(models, self.cv, self.random_state).fit(tables, encoded, given)
        self.own_, self.weights_ = self.late_.models, self.late_.weights
        self.learnt_from_ = self.late_.learnt_from

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "learnt_from_")
