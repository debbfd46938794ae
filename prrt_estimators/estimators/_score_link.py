"""From a score to the probability of long PFS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from prrt_estimators.estimators._ridge_evidence import CoxLikelihood, LogisticLikelihood
from prrt_estimators.estimators._survival_input import check_survival


@dataclass(frozen=True)
class ScoreLink:
    """Baseline that turns a score into a probability, the score's own spread left as it is.

    Parameters
    ----------
    kind : {"time", "class"}
        Proportional hazards, or log odds.
    level : float
        Cumulative hazard at the horizon, or intercept.
    """

    kind: str
    level: float

    @classmethod
    def fit(
        cls,
        score: np.ndarray,
        long: np.ndarray,
        horizon: Any,
        sample_weight: Any = None,
        time: Any = None,
        event: Any = None,
    ) -> ScoreLink:
        """Learn the baseline from the training patients; high scores mean long PFS."""
        weights = np.ones(len(score)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        survival = check_survival(time, event, long, horizon)
        rows = weights > 0
        if survival is None or not survival[1][rows].any():
            return cls("class", LogisticLikelihood(long[rows], weights[rows]).intercept(score[rows]))
        months, seen, moment = survival
        likelihood = CoxLikelihood(months[rows], seen[rows], weights[rows])
        return cls("time", likelihood.baseline(-score[rows], moment, months[rows]))

    def probability(self, score: np.ndarray) -> np.ndarray:
        """Return the probability of long PFS."""
        if self.kind == "time":
            return np.exp(-self.level * np.exp(-score))
        return 1 / (1 + np.exp(-(score + self.level)))
