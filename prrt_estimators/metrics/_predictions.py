"""Tables of predictions: one score per patient, and what kind of score it is."""

from __future__ import annotations

import pandas as pd

#: Kind of the scores that classifiers give: the probability of long PFS.
PROBABILITY = "p_long"
#: Kind of the scores that survival models give: greater is worse.
RISK = "risk"


def with_score_column(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return predictions with the columns ``y_score`` and ``kind``; a table of old with ``p_long`` is renamed.

    Examples
    --------
    >>> with_score_column(pd.DataFrame({"patient_id": ["a"], "p_long": [0.7]}))
      patient_id  y_score    kind
    0          a      0.7  p_long
    """
    if "y_score" in predictions.columns or "p_long" not in predictions.columns:
        return predictions
    return predictions.rename(columns={"p_long": "y_score"}).assign(kind=PROBABILITY)
