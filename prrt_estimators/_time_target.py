"""Time to progression as what a model learns: censored patients are learnt from as far as they were followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import _num_samples

from prrt_estimators._survival import as_survival, censoring_curve, is_survival
from prrt_estimators._targets import TARGETS, CheckedTarget, Target
from prrt_estimators.metrics._predictions import RISK


@dataclass(frozen=True)
class TimeTarget(Target):
    """Months to progression or censoring.

    Parameters
    ----------
    horizon : float, default=12.0
        Months at which scores of one moment are taken.
    head : {"hazard", "cox"}, default="hazard"
        What a network learns: the hazard of each interval, or a log relative hazard.
    n_intervals : int, default=10
        Intervals of the hazard, with as many progressions each.
    breaks : ndarray of shape (k,), default=None
        Ends of the intervals, once they are learnt.

    Examples
    --------
    >>> y = {"event": [1, 1, 0, 1], "time": [2.0, 5.0, 9.0, 14.0]}
    >>> target = TimeTarget()
    >>> checked = target.check(y)
    >>> checked.learnt["unique_times_"].tolist(), target.strata(checked.values).tolist()
    ([2.0, 5.0, 14.0], [0, 0, 1, 1])
    """

    horizon: float = 12.0
    head: str = "hazard"
    n_intervals: int = 10
    breaks: np.ndarray | None = None

    name = "time"
    title = "time to progression"
    response = "predict"
    of_progression = True
    marks = "predict_survival_function"

    @property
    def criterion(self) -> Any:
        """Loss of the head."""
        from prrt_estimators import networks

        return networks.HazardLoss if self.head == "hazard" else networks.CoxLoss

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores of times."""
        from prrt_estimators.metrics import prrt_scorers

        return tuple(prrt_scorers(self.name))

    def check(self, y: Any, *, X: Any = None, estimator: str = "the estimator") -> CheckedTarget:
        """Check times and events.

        Parameters
        ----------
        y : structured array, DataFrame, mapping or pair of arrays
            With ``event`` and ``time`` (months).
        X : object, default=None
            The patients; must be as many.
        estimator : str, default="the estimator"
            Name for messages.

        Raises
        ------
        TypeError
            If y is of another kind.
        ValueError
            If a value is missing or cannot be, or nobody progressed.
        """
        if y is None:
            raise ValueError(f"{estimator} requires y to be passed, but the target y is None")
        survival = as_survival(y, n=None if X is None else _num_samples(X))
        if not survival["event"].any():
            raise ValueError(
                f"none of the {len(survival)} patients progressed; {estimator} has nothing to learn from. Check the "
                "coding of the events."
            )
        curve = censoring_curve(survival)
        return CheckedTarget(
            survival,
            {
                "unique_times_": np.unique(survival["time"][survival["event"]]),
                "censoring_": {"time": curve.times, "survival": curve.values},
                "breaks_": self._breaks(survival),
            },
        )

    def check_coded(self, y: Any, n_patients: int) -> np.ndarray:
        """Return y as a structured array, one row per patient.

        Raises
        ------
        ValueError
            If it is not.
        """
        return self.check(as_survival(y, n=n_patients), estimator="a comparison").values

    def columns(self, values: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``time``, ``event``, ``interval`` and ``weight`` of mean 1."""
        scaled = weight.astype(np.float32)
        breaks = self._breaks(values) if self.breaks is None else self.breaks
        # A patient counts in every interval that was survived whole, and in that of the progression.
        passed = np.searchsorted(breaks, values["time"], "left")
        survived = np.searchsorted(breaks, values["time"], "right")
        last = len(breaks)
        return {
            "time": values["time"].astype(np.float32),
            "event": (values["event"] & (passed < last)).astype(np.float32),
            "interval": np.where(values["event"], passed, survived).astype(np.int64),
            "weight": scaled / scaled.mean(),
        }

    def strata(self, values: np.ndarray) -> np.ndarray:
        """Return 0 for progression up to the horizon and 1 for the others; where all are alike, the events."""
        short = values["event"] & (values["time"] <= self.horizon)
        chosen = ~short if short.any() and not short.all() else values["event"]
        return chosen.astype(np.int64)

    def output(self, logits: np.ndarray) -> np.ndarray:
        """Return cumulative hazards at the ends of the intervals, or log relative hazards."""
        if self.head == "cox":
            return logits
        return np.cumsum(np.logaddexp(0, logits.reshape(len(logits), -1)), axis=1)

    def predicted(self, model: Any, X: Any) -> tuple[np.ndarray, str]:
        """Return the risks that a fitted model predicts.

        Raises
        ------
        ValueError
            If one is not finite.
        """
        found = np.asarray(model.predict(X), dtype=np.float64)
        if found.ndim != 1 or not np.isfinite(found).all():
            raise ValueError("predict gave no finite risk of each patient.")
        return found, RISK

    scoring = "uno_c"

    def takes(self, y: Any) -> bool:
        """Return whether y holds times by name."""
        return is_survival(y)

    def known_classes(self, y: np.ndarray, horizon: float) -> np.ndarray:
        """Return 1 for long and 0 for short PFS, -1 for patients censored before the horizon."""
        early = y["time"] <= horizon
        return np.where(y["event"] & early, 0, np.where(y["time"] >= horizon, 1, -1))

    def for_folds(self, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return y as a structured array, and its strata."""
        survival = as_survival(y)
        return survival, self.strata(survival)

    def probability_beyond(self, model: Any, X: Any, horizon: float) -> np.ndarray:
        """Return P(PFS > horizon)."""
        from prrt_estimators.metrics import survival_curves

        return np.asarray(survival_curves(model, X, [horizon])[:, 0], dtype=np.float64)

    def risk(self, model: Any, X: Any) -> np.ndarray:
        """Return the risk that a model predicts."""
        return self.predicted(model, X)[0]

    def beyond(self, horizon: float) -> str:
        """Return what that probability is of."""
        return f"PFS beyond {horizon:g} months"

    def answers(self, model: Any, X: Any, months: Sequence[float]) -> dict[str, Any]:
        """Return risk, P(PFS > t) at some months, and median of each patient; no text where there is no median."""
        curves = model.predict_survival_function(X, list(months))
        beyond = {f"p_beyond_{moment:g}": curves[:, k] for k, moment in enumerate(months)}
        median = [f"{one:.1f}" if np.isfinite(one) else "" for one in model.predict_median(X)]
        return {"risk": model.predict(X), **beyond, "median_months": median}

    @property
    def answers_title(self) -> str:
        """Title of that table."""
        return "Risk, and probability of PFS beyond some months"

    def counted(self, y: np.ndarray) -> dict[str, int]:
        """Return how many patients progressed and how many were censored."""
        events = as_survival(y)["event"]
        return {"progression seen": int(events.sum()), "censored": int((~events).sum())}

    def purpose(self, therapy: str, horizon: str) -> str:
        """Return what a model estimates."""
        return f"when progression{therapy} is to be expected"

    def gives(self) -> str:
        """Return what a model gives."""
        return "a risk (greater is worse) and the probability of being free of progression at any time"

    def start(self, values: np.ndarray) -> np.ndarray:
        """Return the logits of the hazards of all patients together, from which a network starts."""
        columns = self.columns(values, np.ones(len(values)))
        breaks = self._breaks(values) if self.breaks is None else self.breaks
        places = np.arange(len(breaks))
        survived = (columns["interval"][:, None] > places).sum(axis=0)
        events = ((columns["interval"][:, None] == places) & (columns["event"][:, None] > 0)).sum(axis=0)
        return np.log((events + 0.5) / (survived + 0.5))

    def _breaks(self, survival: np.ndarray) -> np.ndarray:
        """Return the ends of intervals that hold about as many progressions each, the last the last progression."""
        times = survival["time"][survival["event"]]
        if not len(times):
            return np.empty(0)
        shares = np.linspace(0, 1, min(self.n_intervals, len(times)) + 1)[1:]
        return np.unique(np.quantile(times, shares, method="inverted_cdf"))


TARGETS.register(TimeTarget())
