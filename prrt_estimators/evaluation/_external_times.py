"""A fitted survival model on patients of another cohort."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning
from sklearn.exceptions import UndefinedMetricWarning

from prrt_estimators._survival import as_survival, censoring_curve, kaplan_meier
from prrt_estimators._time_target import TimeTarget
from prrt_estimators.cohort import Cohort
from prrt_estimators.evaluation._drift import input_drift
from prrt_estimators.metrics import survival_calibration, survival_curves
from prrt_estimators.metrics._score import factor, score_title, scores_of
from prrt_estimators.plotting import KaplanMeierDisplay, SurvivalCalibrationDisplay

#: Points of curves up to the horizon, as the mean months are computed from.
_GRID = 101
#: Distances from zero, which grow when patients are drawn anew: an interval of such draws would lie too high.
_DISTANCES = ("neg_calibration_horizon", "neg_d_calibration", "neg_restricted_mean")


def printed_lines(evaluation: Any) -> list[str]:
    """Return a line for each score and each number of the calibration, with its interval where it has one."""
    rows = [(score_title(str(name)), row, 3) for name, row in evaluation.scores.iterrows()]
    rows += [(str(name), row, 2) for name, row in evaluation.calibration.iterrows()]
    lines = []
    for title, row, digits in rows:
        interval = f" ({row['low']:.{digits}f} to {row['high']:.{digits}f})" if np.isfinite(row["low"]) else ""
        lines.append(f"  {title} {row['value']:.{digits}f}{interval}")
    return lines


@dataclass(frozen=True, repr=False)
class ExternalTimeEvaluation:
    """Answer of :func:`evaluate_external` for a survival model.

    Attributes
    ----------
    scores : DataFrame indexed by score
        ``title``, ``value``, ``low``, ``high``, ``chance``; censoring is weighted as among these patients. Distances,
        such as the calibration error, have no interval.
    calibration : DataFrame indexed by score
        ``value``, ``low``, ``high`` of "observed" (Kaplan-Meier) and "predicted" (mean) probability of being free of
        progression at the horizon, and of "slope": 1 where risks spread as they should, below 1 where they spread too
        far.
    groups : DataFrame
        Calibration at the horizon by groups of prediction, see :func:`~prrt_estimators.metrics.survival_calibration`.
    drift : DataFrame
        Columns of the table here and in training, see :func:`input_drift`; empty without training patients.
    predictions : DataFrame
        ``patient_id``, ``time``, ``event``, ``risk``, ``p_beyond``: P(PFS > horizon).
    horizon : float
        Months.
    """

    scores: pd.DataFrame
    calibration: pd.DataFrame
    groups: pd.DataFrame
    drift: pd.DataFrame
    predictions: pd.DataFrame
    horizon: float

    def __repr__(self) -> str:
        n, progressed = len(self.predictions), int(self.predictions["event"].sum())
        return "\n".join([f"ExternalTimeEvaluation: {n} patients, {progressed} progressed", *printed_lines(self)])

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by title, in the order in which they are read."""
        found = {
            "Scores (interval over patients)": self.scores.set_index("title").rename_axis("score").reset_index(),
            f"Calibration at {self.horizon:g} months": self.calibration.reset_index(),
            f"P(PFS > {self.horizon:g} months) by groups of prediction": self.groups,
        }
        return found | ({"Laboratory values here and in training": self.drift} if len(self.drift) else {})

    def files(self) -> dict[str, pd.DataFrame]:
        """Return the tables by the names of their files."""
        return {
            "scores": self.scores.reset_index(),
            "calibration": self.calibration.reset_index(),
            "calibration_groups": self.groups,
            "drift": self.drift,
            "predictions": self.predictions,
        }

    def figures(self) -> dict[str, Any]:
        """Return displays by name: the patients' curve, and calibration at the horizon."""
        y = as_survival(self.predictions[["event", "time"]])
        return {
            "kaplan_meier": KaplanMeierDisplay.from_survival(y, horizon=self.horizon),
            "calibration": SurvivalCalibrationDisplay(self.groups, self.horizon).plot(),
        }


def evaluate_times(
    model: Any,
    X: Any,
    y: Any,
    *,
    training: Any,
    horizon: float,
    n_boot: int,
    confidence_level: float,
    random_state: int,
) -> ExternalTimeEvaluation:
    """Evaluate a fitted survival model, see :func:`evaluate_external`."""
    n = len(X)
    survival = as_survival(y, n=n)
    if not survival["event"].any():
        raise ValueError(f"none of the {n} patients progressed; there is nothing to evaluate by.")
    risk = np.asarray(model.predict(X), dtype=np.float64)
    moments = np.unique(np.concatenate([survival["time"], np.linspace(0, horizon, _GRID)]))
    curves = survival_curves(model, X, moments)
    place = int(np.searchsorted(moments, horizon))
    tail, rng = (1 - confidence_level) / 2, np.random.default_rng(random_state)
    draws = [rng.integers(n, size=n) for _ in range(n_boot)]
    draws = [rows for rows in draws if survival["event"][rows].any()]
    found = _Predicted(survival, risk, moments, curves, horizon)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)  # what is not defined is NaN in the table
        groups = survival_calibration(survival, curves[:, place], horizon)
        scores = _scores(found, draws, tail)
        calibration = _calibration(found, draws, tail, confidence_level)
    ids = X.ids if isinstance(X, Cohort) else [str(row) for row in range(n)]
    return ExternalTimeEvaluation(
        scores=scores,
        calibration=calibration,
        groups=groups,
        drift=input_drift(X, training),
        predictions=pd.DataFrame(
            {
                "patient_id": list(ids),
                "time": survival["time"],
                "event": survival["event"].astype(int),
                "risk": risk,
                "p_beyond": curves[:, place],
            }
        ),
        horizon=float(horizon),
    )


@dataclass(frozen=True)
class _Predicted:
    """What a model predicts for some patients, and what became of them."""

    survival: np.ndarray
    risk: np.ndarray
    moments: np.ndarray
    curves: np.ndarray
    horizon: float

    def of(self, rows: Any) -> _Predicted:
        return _Predicted(self.survival[rows], self.risk[rows], self.moments, self.curves[rows], self.horizon)

    def at(self, times: Any) -> np.ndarray:
        """Return the curves at times of these patients, or of the grid up to the horizon."""
        return self.curves[:, np.clip(np.searchsorted(self.moments, times), 0, len(self.moments) - 1)]

    def score(self, score: Any) -> float:
        """Return a registered score of times; NaN where these patients do not allow it."""
        options = {"train": censoring_curve(self.survival), "horizon": self.horizon}
        wanted = inspect.signature(score.function).parameters
        answer: Any = self.at if score.response == TimeTarget.marks else self.risk
        return float(
            score.function(self.survival, answer, **{name: one for name, one in options.items() if name in wanted})
        )

    def calibrated(self) -> dict[str, float]:
        """Return the observed and the mean predicted probability at the horizon."""
        observed = float(kaplan_meier(self.survival).at(self.horizon))
        if observed > 0 and self.survival["time"].max() < self.horizon:
            observed = float("nan")
        return {"observed": observed, "predicted": float(self.at(self.horizon).mean())}


def _scores(found: _Predicted, draws: list[np.ndarray], tail: float) -> pd.DataFrame:
    rows = []
    for score in scores_of(TimeTarget.name):
        # Scores of whole curves take longer, and a fifth of the draws is enough for their intervals.
        few = draws if score.response != TimeTarget.marks else draws[: max(len(draws) // 5, 50)]
        drawn = [] if score.name in _DISTANCES else [found.of(taken).score(score) for taken in few]
        low, high = _interval(drawn, tail)
        chance = factor(score.name) * score.chance if isinstance(score.chance, float) else np.nan
        rows.append((score.name.removeprefix("neg_"), score.title, found.score(score), low, high, chance))
    return pd.DataFrame(rows, columns=["score", "title", "value", "low", "high", "chance"]).set_index("score")


def _calibration(found: _Predicted, draws: list[np.ndarray], tail: float, level: float) -> pd.DataFrame:
    drawn = pd.DataFrame([found.of(rows).calibrated() for rows in draws])
    rows = [(name, value, *_interval(drawn[name], tail)) for name, value in found.calibrated().items()]
    rows.append(("slope", *_slope(found, level)))
    return pd.DataFrame(rows, columns=["score", "value", "low", "high"]).set_index("score")


def _interval(values: Any, tail: float) -> tuple[float, float]:
    """Return percentiles; NaN where more than half of the draws have no value."""
    every = np.asarray(values, dtype=np.float64)
    known = every[np.isfinite(every)]
    if not len(known) or len(known) <= len(every) / 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def _slope(found: _Predicted, level: float) -> tuple[float, float, float]:
    """Return the coefficient of log(-log P(PFS > horizon)) in a Cox regression, and its interval."""
    free = np.clip(found.at(found.horizon), 1e-6, 1 - 1e-6)
    spread = np.log(-np.log(free))
    nan = float("nan")
    if np.ptp(spread) < 1e-9:
        return nan, nan, nan
    frame = pd.DataFrame({"risk": spread, "time": found.survival["time"], "event": found.survival["event"]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            fitted = CoxPHFitter(alpha=1 - level).fit(frame, "time", "event")
        except ConvergenceError:  # the risk orders these patients perfectly
            return nan, nan, nan
    low, high = fitted.confidence_intervals_.loc["risk"]
    return float(fitted.params_["risk"]), float(low), float(high)
