"""Coefficients of linear models of this library: what each column does, the prior's part, what each block adds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._targets import target_of
from prrt_estimators.estimators import (
    BlockFusionPFSClassifier,
    BlockFusionPFSSurvival,
    CoxPFSClassifier,
    CoxPFSSurvival,
    LabBaselineSurvival,
    LabPFSSurvival,
)
from prrt_estimators.inspection._explained_models import innermost


def has_coefficients(estimator: Any) -> bool:
    """Return whether `coefficient_table` can describe a model, fitted or not."""
    model = innermost(estimator)
    if isinstance(model, LabPFSSurvival):
        return model.model == "cox"
    if isinstance(model, BlockFusionPFSClassifier):
        return model.fusion == "joint"
    return isinstance(model, (CoxPFSClassifier, BlockFusionPFSSurvival, CoxPFSSurvival, LabBaselineSurvival))


def coefficient_table(estimator: Any) -> pd.DataFrame:
    """Return the coefficients of a fitted linear model with the part that published directions have in them.

    Parameters
    ----------
    estimator : CoxPFSClassifier, BlockFusionPFSClassifier or survival model, fitted
        `CoxPFSSurvival`, `BlockFusionPFSSurvival`, `LabPFSSurvival` with ``model="cox"`` or `LabBaselineSurvival`; or a search or
        pipeline that ends in one. A classifier of blocks needs ``fusion="joint"``.

    Returns
    -------
    DataFrame, a row per column in the order of ``feature_names_in_``
        ``column``; ``block`` ("" without blocks); ``coef``: effect on the log hazard (on the log odds where the class was
        learnt from) of one standard deviation of the column, positive goes with long PFS (the negative of a survival model's
        own ``coef_``); ``prior``: the part of it that
        directions gave; ``without_prior``: the effect in the model that uses none; ``direction``: 1, -1, or 0 where none is
        known; ``contradicted``: whether the data alone point the other way; ``source`` of the direction.

    Raises
    ------
    TypeError
        If the model has no coefficients.

    Notes
    -----
    The score of a model of blocks is the sum of that of the joint model and of the blocks' own, each at its share; so are
    the coefficients here. Those of the joint model alone are its ``coef_``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(90, 2)), columns=["cga", "noise"])
    >>> months = 16 * np.exp(-X["cga"]) * rng.exponential(size=90)
    >>> model = CoxPFSClassifier(prior="published").fit(X, months > 12, time=months)
    >>> coefficient_table(model)[["column", "coef", "direction", "contradicted"]].round(1).to_dict("list")
    {'column': ['cga', 'noise'], 'coef': [-0.9, -0.0], 'direction': [-1, 0], 'contradicted': [False, False]}
    """
    model = innermost(estimator)
    if not has_coefficients(model):
        late = getattr(model, "fusion", "") == "late"
        raise TypeError(
            f"{type(model).__name__} has no coefficients"
            + (" with fusion='late'; its `weights_` are the shares of the blocks." if late else ".")
            + " Pass a CoxPFSClassifier, a BlockFusionPFSClassifier with fusion='joint', a CoxPFSSurvival, a "
            "BlockFusionPFSSurvival, a LabPFSSurvival with model='cox' or a LabBaselineSurvival."
        )
    check_is_fitted(model)
    if not hasattr(model, "joint_"):
        return _of_one(model, "", 1.0)
    joint = _of_one(model.joint_, "", model.share_[0])
    own = pd.concat([_of_one(one, name, model.share_[1]) for name, one in model.own_.items()], ignore_index=True)
    numbers = ["coef", "prior", "without_prior"]
    joint[numbers] += own[numbers]
    return joint.assign(column=own["column"], block=own["block"])


def block_contributions(estimator: Any, X: Any) -> pd.DataFrame:
    """Return what each block adds to the scores of some patients.

    Parameters
    ----------
    estimator : BlockFusionPFSClassifier or BlockFusionPFSSurvival, fitted
        Or a search or pipeline that ends in one.
    X : Cohort, mapping, DataFrame or array
        Patients.

    Returns
    -------
    DataFrame, a row per block
        ``block``; ``patients`` who have it; ``spread``: standard deviation of its part of the score over those; ``share`` of
        the variance of the whole score that goes with it, summing to 1 (NaN if all scores are equal; below 0 for a block
        that works against the others).

    Raises
    ------
    TypeError
        If the model has no blocks.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> lab = pd.DataFrame({"CgA": rng.lognormal(5, 1, 80), "CRP": rng.lognormal(1, 1, 80)})
    >>> months = 2e3 * rng.exponential(size=80) / lab["CgA"].to_numpy()
    >>> model = BlockFusionPFSClassifier().fit(lab, months > 12, time=months)
    >>> block_contributions(model, lab)[["block", "patients", "share"]].to_dict("list")
    {'block': ['labs'], 'patients': [80], 'share': [1.0]}
    """
    model = innermost(estimator)
    if not isinstance(model, (BlockFusionPFSClassifier, BlockFusionPFSSurvival)):
        raise TypeError(
            f"{type(model).__name__} has no blocks; pass a BlockFusionPFSClassifier or a BlockFusionPFSSurvival."
        )
    scores = model.block_scores(X)
    parts = (scores - scores.mean()).fillna(0.0)  # an absent block adds nothing
    total = parts.sum(axis=1)
    total = total - total.mean()
    variance = float((total**2).mean())
    share = [float((parts[name] * total).mean()) / variance if variance > 0 else np.nan for name in scores]
    return pd.DataFrame(
        {
            "block": list(scores),
            "patients": scores.notna().sum().to_numpy(),
            "spread": scores.std(ddof=0).to_numpy(),
            "share": np.round(share, 12),
        }
    )


def learnt_from(model: Any) -> str:
    """Return "time" or "class", from which coefficients were learnt."""
    return str(getattr(model, "learnt_from_", target_of(model).name))


def _of_one(model: Any, block: str, share: float) -> pd.DataFrame:
    if hasattr(model, "preprocessor_"):  # it learns from prepared columns
        names = model.preprocessor_.get_feature_names_out()
    else:
        names = getattr(model, "feature_names_in_", [f"x{k}" for k in range(model.n_features_in_)])
    # The coefficients of a survival model are effects on the risk.
    share *= 1.0 if isinstance(model, CoxPFSClassifier) else -1.0
    coef = np.asarray(model.coef_, dtype=np.float64)
    table = pd.DataFrame(
        {
            "column": [str(name) for name in names],
            "block": block,
            "coef": share * coef,
            "prior": share * getattr(model, "prior_coef_", np.zeros(len(coef))),
            "without_prior": share * getattr(model, "coef_without_prior_", coef),
        }
    )
    directions = getattr(model, "directions_", pd.DataFrame({"column": []}))
    known = {str(row["column"]): row for row in directions.to_dict("records")}
    rows = [known.get(name, {}) for name in table["column"]]
    return table.assign(
        direction=[int(row.get("direction", 0)) for row in rows],
        contradicted=[bool(row.get("contradicted", False)) for row in rows],
        source=[str(row.get("source", "")) for row in rows],
    )
