"""Discrimination and calibration in the large within subgroups of patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

#: Patients of each class below which no AUROC is shown.
MIN_PER_CLASS = 5

_COLUMNS = ["model", "variable", "level", "n", "n_long", "auroc", "low", "high", "observed", "observed_low",
            "observed_high", "predicted"]  # fmt: skip


def subgroup_table(
    comparison: Any,
    groups: Mapping[str, Any] | pd.DataFrame,
    *,
    models: Any = None,
    n_boot: int = 1000,
    confidence_level: float = 0.95,
    random_state: int = 0,
) -> pd.DataFrame:
    """Scores of subgroups from out-of-fold predictions.

    The AUROC counts pairs of a patient with long and one with short PFS *of the same test fold*, whose probabilities come
    from one model, over all repeats. Its interval draws patients; differences between subgroups of such a cohort are
    seldom shown. Weights of the comparison, such as those that make up for patients censored early, count in all of it.

    Parameters
    ----------
    comparison : ModelComparison
    groups : mapping of variable to labels, or DataFrame
        One label per patient of ``comparison.survival``, in its order; empty cells are "unknown".
    models : iterable of str, default=None
        Models to report; all with a result if None.
    n_boot : int, default=1000
        Draws of patients.
    confidence_level : float, default=0.95
        Of the intervals.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    DataFrame
        ``model``, ``variable``, ``level``, ``n``, ``n_long``, ``auroc`` with ``low`` and ``high`` (NaN with fewer than five
        patients of a class), ``observed`` share of long PFS with Wilson's interval, ``predicted`` (mean probability).

    Raises
    ------
    ValueError
        If a variable has another number of labels, or the comparison is of times.
    """
    if "p_beyond" in comparison.predictions:
        raise ValueError(
            "subgroup_table scores classes, and this comparison is of times. Compare classes at a horizon."
        )
    patients = comparison.survival["patient_id"].astype(str).tolist()
    y = comparison.survival["y_true"].to_numpy()
    weight = comparison.survival.get("sample_weight", pd.Series(1.0, comparison.survival.index)).to_numpy(dtype=float)
    predictions = comparison.predictions
    names = list(dict.fromkeys(predictions["model"])) if models is None else list(models)
    rows = []
    for model in names:
        own = predictions[predictions["model"] == model]
        concordant, pairs = pair_counts(own, patients)
        mean = own.assign(patient_id=own["patient_id"].astype(str)).groupby("patient_id")["y_score"].mean()
        p = mean.reindex(patients).to_numpy()
        for variable, given in groups.items():
            labels = _labels(given, len(patients), str(variable))
            for level in sorted(set(labels), key=lambda text: (text == "unknown", text)):
                member = labels == level
                rng = np.random.default_rng(random_state)
                auroc = auroc_of_pairs(concordant, pairs, y, member, n_boot, confidence_level, rng, weight)
                n, n_long = int(member.sum()), int(y[member].sum())
                observed = wilson(y[member], weight[member], confidence_level)
                rows.append(
                    (model, str(variable), level, n, n_long, *auroc, *observed, mean_of_known(p, weight, member))
                )
    return pd.DataFrame(rows, columns=_COLUMNS)


def _labels(given: Any, n: int, variable: str) -> np.ndarray:
    series = pd.Series(np.asarray(given, dtype=object))
    if len(series) != n:
        raise ValueError(f"`groups[{variable!r}]` must hold a label for each of {n} patients; got {len(series)}.")
    text = series.where(series.notna(), "unknown").astype(str).str.strip()
    return text.where(text != "", "unknown").to_numpy()


def wilson(y: np.ndarray, weight: np.ndarray, confidence_level: float) -> tuple[float, float, float]:
    """Return the weighted share of ones with Wilson's interval, at Kish's effective number of patients."""
    if not weight.sum():
        return (float("nan"),) * 3
    n, share = weight.sum() ** 2 / np.sum(weight**2), float(np.average(y, weights=weight))
    z = norm.ppf(0.5 + confidence_level / 2)
    centre, half = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = ((centre + side * half) / (1 + z**2 / n) for side in (-1, 1))
    return share, max(float(low), 0.0), min(float(high), 1.0)


def mean_of_known(p: np.ndarray, weight: np.ndarray, member: np.ndarray) -> float:
    """Return the weighted mean probability of the patients of a group who have one."""
    known = member & np.isfinite(p) & (weight > 0)
    return float(np.average(p[known], weights=weight[known])) if known.any() else float("nan")


def pair_counts(predictions: pd.DataFrame, patients: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return, for pairs in one test fold, how often row i is predicted above row j (ties half), and how often they meet."""
    place = {name: k for k, name in enumerate(patients)}
    concordant, pairs = np.zeros((len(patients),) * 2), np.zeros((len(patients),) * 2)
    for _, fold in predictions.groupby(["repeat", "fold"], sort=False):
        rows = fold["patient_id"].astype(str).map(place).to_numpy(dtype=int)
        p = fold["y_score"].to_numpy(dtype=float)
        above = (p[:, None] > p[None, :]) + 0.5 * (p[:, None] == p[None, :])
        concordant[np.ix_(rows, rows)] += above
        pairs[np.ix_(rows, rows)] += 1.0
    return concordant, pairs


def auroc_of_pairs(
    concordant: np.ndarray,
    pairs: np.ndarray,
    y: np.ndarray,
    member: np.ndarray,
    n_boot: int,
    confidence_level: float,
    rng: np.random.Generator,
    weight: np.ndarray | None = None,
) -> tuple[float, float, float]:
    """Return the AUROC over pairs within folds with the percentile interval over drawn patients of each class."""
    long, short = np.flatnonzero(member & (y == 1)), np.flatnonzero(member & (y == 0))
    if min(len(long), len(short)) < MIN_PER_CLASS:
        return (float("nan"),) * 3
    counts = np.ones((len(long), len(short))) if weight is None else np.outer(weight[long], weight[short])
    hits, meets = concordant[np.ix_(long, short)] * counts, pairs[np.ix_(long, short)] * counts
    if meets.sum() == 0:
        return (float("nan"),) * 3
    weights = [rng.multinomial(len(one), np.full(len(one), 1 / len(one)), size=n_boot) for one in (long, short)]
    above = np.einsum("bi,ij,bj->b", weights[0], hits, weights[1], optimize=True)
    total = np.einsum("bi,ij,bj->b", weights[0], meets, weights[1], optimize=True)
    drawn = above[total > 0] / total[total > 0]
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(hits.sum() / meets.sum()), float(low), float(high)
