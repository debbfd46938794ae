"""Whether a row of a summary shows that a model is better than chance: asked by report, card and explanations."""

from __future__ import annotations

import math
from typing import Any, Literal

from prrt_estimators.metrics._score import direction, main_score

Verdict = Literal["better", "worse", "unclear", "unknown"]

#: Level of every test.
ALPHA = 0.05


def chance_verdict(row: Any) -> Verdict:
    """Return what the corrected test against chance shows, adjusted by Holm for the number of models.

    Parameters
    ----------
    row : mapping
        Row of a summary, with ``<score>_mean``, ``<score>_chance`` and ``p_chance_holm`` (without it, the interval
        ``<score>_low`` to ``<score>_high`` decides).

    Returns
    -------
    {"better", "worse", "unclear", "unknown"}

    Examples
    --------
    >>> chance_verdict({"auroc_mean": 0.7, "auroc_chance": 0.5, "p_chance_holm": 0.01})
    'better'
    >>> chance_verdict({"auroc_mean": 0.6, "auroc_chance": 0.5, "p_chance_holm": 0.2})
    'unclear'
    """
    metric = main_of_row(row)
    if metric is None:
        return "unknown"
    mean, chance = (float(row.get(f"{metric}_{name}", math.nan)) for name in ("mean", "chance"))
    p = float(row.get("p_chance_holm", math.nan))
    if math.isnan(p):
        low, high = (float(row.get(f"{metric}_{end}", math.nan)) for end in ("low", "high"))
        chance = 0.5 if math.isnan(chance) else chance
        if math.isnan(low) or math.isnan(high):
            return "unknown"
        p = 0.0 if low > chance or high < chance else 1.0
        mean = low
    if p >= ALPHA:
        return "unclear"
    return "better" if direction(metric) * (mean - chance) > 0 else "worse"


def main_of_row(row: Any) -> str | None:
    """Return the first score of a row of a summary, None where there is none.

    Examples
    --------
    >>> main_of_row({"status": "ok", "auprc_low": 0.6, "auroc_low": 0.5})
    'auroc'
    """
    # A Series iterates over its values, not over its names.
    keys = [str(key) for key in row.keys()]  # noqa: SIM118
    named = [key.rpartition("_")[0] for key in keys if key.endswith(("_mean", "_low"))]
    return main_score(named) if named else None
