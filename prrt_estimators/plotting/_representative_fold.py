"""Which fold to show when only one can be shown."""

from __future__ import annotations

import pandas as pd


def representative_fold(scores: pd.DataFrame, model: str, *, metric: str = "auroc") -> tuple[int, int]:
    """Return the (repeat, fold) on which a model's score is its median: neither its luckiest nor its unluckiest.

    With an even number of folds it is the lower of the two middle ones; among equal scores the earliest.

    Parameters
    ----------
    scores : DataFrame
        Columns ``model``, ``repeat``, ``fold`` and one a metric, as in ``scores.csv``.
    model : str
        Name of the model whose scores decide.
    metric : str, default="auroc"
        Column that decides.

    Returns
    -------
    tuple of int
        Repeat and fold, counted from 0.

    Raises
    ------
    ValueError
        If a column is missing, or the model has no score.

    Examples
    --------
    >>> scores = pd.DataFrame({"model": "lab", "repeat": 0, "fold": [0, 1, 2], "auroc": [0.7, 0.5, 0.6]})
    >>> representative_fold(scores, "lab")
    (0, 2)
    """
    missing = [name for name in ("model", "repeat", "fold", metric) if name not in scores.columns]
    if missing:
        raise ValueError(f"`scores` lacks the column(s) {', '.join(missing)}. Pass the table of scores.csv.")
    own = scores.loc[(scores["model"] == model) & scores[metric].notna()]
    if own.empty:
        raise ValueError(
            f"model {model!r} has no {metric}; models with scores: "
            f"{', '.join(dict.fromkeys(scores.loc[scores[metric].notna(), 'model'].astype(str))) or 'none'}."
        )
    ordered = own.sort_values([metric, "repeat", "fold"])
    middle = ordered[metric].iloc[(len(ordered) - 1) // 2]
    row = ordered[ordered[metric] == middle].iloc[0]
    return int(row["repeat"]), int(row["fold"])
