"""Each centre left out in turn: models learn from the others and are tested on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import LeaveOneGroupOut

from prrt_estimators._classes import check_same_order
from prrt_estimators.evaluation._calibration_table import calibration_scores
from prrt_estimators.evaluation._centre_times import centre_times
from prrt_estimators.evaluation._subgroups import auroc_of_pairs, mean_of_known, pair_counts
from prrt_estimators.model_selection import ModelComparison, compare_models


def check_centres(centre: Any, y: Any) -> np.ndarray:
    """Return centres as texts, one per patient.

    Raises
    ------
    ValueError
        If there are fewer than two, or the other centres of one hold one class only.
    """
    check_same_order(y, centre, ("y", "centre"))
    labels, coded = np.asarray(centre).astype(str), np.asarray(y)
    if labels.shape != coded.shape:
        raise ValueError(f"`centre` must name the centre of each of {len(coded)} patients; got shape {labels.shape}.")
    names = np.unique(labels)
    if len(names) < 2:
        raise ValueError(
            f"`centre` names one centre only ({names[0]}); leaving it out would leave nobody to learn from."
        )
    for name in names:
        if len(np.unique(coded[labels != name])) < 2:
            raise ValueError(f"without centre {name} all patients are of one class; a model cannot learn from them.")
    return labels


def leave_one_centre_out(models: Mapping[str, Any], X: Any, y: Any, centre: Any, **options: Any) -> ModelComparison:
    """Compare models on each centre after fitting them on all others.

    Parameters
    ----------
    models : mapping of str to estimator or Skipped
        As for :func:`~prrt_estimators.model_selection.compare_models`.
    X : Cohort, mapping, DataFrame or array of shape (n, ...)
        Patients.
    y : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    centre : array-like of shape (n,)
        Centre of each patient; at least two.
    **options
        As for `compare_models`, without `cv`. `groups` are persons, who must not be in two centres.

    Returns
    -------
    ModelComparison
        One fold per centre, in alphabetical order. See :func:`centre_table`.

    Raises
    ------
    ValueError
        If there is one centre, or the others of one hold one class only.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(60, 2)), np.tile([0, 1, 1], 20)
    >>> found = leave_one_centre_out({"linear": LogisticRegression()}, X, y, np.repeat(["A", "B"], 30), verbose=0)
    >>> centre_table(found, np.repeat(["A", "B"], 30))[["centre", "n", "n_long"]].to_dict("records")
    [{'centre': 'A', 'n': 30, 'n_long': 20}, {'centre': 'B', 'n': 30, 'n_long': 20}]
    """
    if "cv" in options:
        raise TypeError("leave_one_centre_out() takes no `cv`: each centre is one fold.")
    labels = check_centres(centre, y)
    persons = options.pop("groups", None)
    if persons is not None:
        several = pd.Series(labels).groupby(np.asarray(persons).astype(str)).nunique()
        if (several > 1).any():
            raise ValueError(
                f"person {several.index[several > 1][0]!r} is in several centres and would be trained on and tested. Give "
                "each person one centre."
            )
    return compare_models(models, X, y, cv=LeaveOneGroupOut(), groups=labels, **options)


def centre_table(
    comparison: ModelComparison,
    centre: Any,
    *,
    n_boot: int = 1000,
    confidence_level: float = 0.95,
    random_state: int = 0,
) -> pd.DataFrame:
    """Scores of each model in each centre that it had not seen.

    Parameters
    ----------
    comparison : ModelComparison
        From :func:`leave_one_centre_out`.
    centre : array-like of shape (n,)
        Centre of each patient of ``comparison.survival``, in its order.
    n_boot : int, default=1000
        Draws of patients of the centre for the interval; a fifth of them for survival models.
    confidence_level : float, default=0.95
        Of the interval, which holds for the one model that was tested there.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    DataFrame
        ``model``, ``centre``, ``n``, ``n_long``, ``auroc`` with ``low`` and ``high`` (NaN with fewer than five patients of a
        class), ``intercept`` (calibration in the large), ``observed`` and ``predicted`` share of long PFS. Weights of the
        comparison count in all of it but ``n`` and ``n_long``. Of survival models ``n_events`` in place of ``n_long``, ``uno_c``
        in place of ``auroc`` (NaN with fewer than five progressions), censoring weighted as in the other centres, and
        ``observed`` (Kaplan-Meier) and ``predicted`` probability of PFS beyond the horizon; no ``intercept``.
    """
    patients = comparison.survival["patient_id"].astype(str).tolist()
    y = comparison.survival["y_true"].to_numpy()
    labels = check_centres(centre, y)
    if "p_beyond" in comparison.predictions:
        return centre_times(
            comparison,
            labels,
            n_boot=max(n_boot // 5, 1),
            confidence_level=confidence_level,
            random_state=random_state,
        )
    weight = comparison.survival.get("sample_weight", pd.Series(1.0, comparison.survival.index)).to_numpy(dtype=float)
    rows = []
    for model, own in comparison.predictions.groupby("model", sort=False):
        concordant, pairs = pair_counts(own, patients)
        p = own.set_index(own["patient_id"].astype(str))["y_score"].reindex(patients).to_numpy()
        for name in np.unique(labels):
            member = labels == name
            rng = np.random.default_rng(random_state)
            found = auroc_of_pairs(concordant, pairs, y, member, n_boot, confidence_level, rng, weight)
            both = len(np.unique(y[member])) == 2
            intercept = calibration_scores(y[member], p[member], weight[member])["intercept"] if both else np.nan
            n, n_long = int(member.sum()), int(y[member].sum())
            shares = (mean_of_known(values, weight, member) for values in (y, p))
            rows.append((model, str(name), n, n_long, *found, intercept, *shares))
    columns = ["model", "centre", "n", "n_long", "auroc", "low", "high", "intercept", "observed", "predicted"]
    return pd.DataFrame(rows, columns=columns)
