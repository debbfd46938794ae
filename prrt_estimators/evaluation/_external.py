"""A fitted model on patients of another cohort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._classes import check_all_in_order, probability_of_long
from prrt_estimators._targets import ClassTarget, target_of
from prrt_estimators._time_target import TimeTarget
from prrt_estimators.cohort import Cohort
from prrt_estimators.evaluation._calibration_table import NAMES, calibration_scores, interval_of_draws, recalibrated
from prrt_estimators.evaluation._drift import input_drift
from prrt_estimators.evaluation._external_times import ExternalTimeEvaluation, evaluate_times, printed_lines
from prrt_estimators.metrics import decision_scores
from prrt_estimators.metrics._score import chance_by_score, factor, scores_of
from prrt_estimators.plotting import CalibrationDisplay, DecisionCurveDisplay, RocDisplay


@dataclass(frozen=True, repr=False)
class ExternalEvaluation:
    """Answer of :func:`evaluate_external`.

    Attributes
    ----------
    scores : DataFrame indexed by score
        ``title``, ``value``, ``low``, ``high``, ``chance`` of discrimination and of the Brier score.
    calibration : DataFrame indexed by score
        ``value``, ``low``, ``high`` of "intercept", "slope", "ici" and "scaled_brier" of the model as it is.
    recalibrated : DataFrame indexed by score
        The same with intercept and slope fitted to *these* patients: what updating the model could reach at best. It is no
        result of the model.
    decisions : DataFrame indexed by score
        Sensitivity, specificity and predictive values at the model's own threshold, with Wilson's intervals.
    drift : DataFrame
        Columns of the table here and in training, see :func:`input_drift`; empty without training patients.
    predictions : DataFrame
        ``patient_id``, ``y_true``, ``p_long``, ``predicted`` (1 = long).
    threshold : float
        Of the decisions.
    """

    scores: pd.DataFrame
    calibration: pd.DataFrame
    recalibrated: pd.DataFrame
    decisions: pd.DataFrame
    drift: pd.DataFrame
    predictions: pd.DataFrame
    threshold: float

    def __repr__(self) -> str:
        y = self.predictions["y_true"]
        return "\n".join([f"ExternalEvaluation: {len(y)} patients, {int(y.sum())} with long PFS", *printed_lines(self)])

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by title, in the order in which they are read."""
        found = {
            "Scores (interval over patients)": self.scores.set_index("title").rename_axis("score").reset_index(),
            "Calibration of the model as it is": self.calibration.reset_index(),
            f"Decisions at the model's threshold, {self.threshold:.2f}": self.decisions[
                ["value", "low", "high"]
            ].reset_index(),
            "Apart: after a new intercept and slope from these patients (optimistic)": self.recalibrated.reset_index(),
        }
        return found | ({"Laboratory values here and in training": self.drift} if len(self.drift) else {})

    def files(self) -> dict[str, pd.DataFrame]:
        """Return the tables by the names of their files."""
        return {
            "scores": self.scores.reset_index(),
            "calibration": self.calibration.reset_index(),
            "recalibrated": self.recalibrated.reset_index(),
            "decisions": self.decisions.reset_index(),
            "drift": self.drift,
            "predictions": self.predictions,
        }

    def figures(self) -> dict[str, Any]:
        """Return displays by name: ROC curve, calibration and decision curve."""
        y, p = self.predictions["y_true"].to_numpy(), self.predictions["p_long"].to_numpy()
        return {
            "roc": RocDisplay.from_predictions(y, p),
            "calibration": CalibrationDisplay.from_predictions(y, p),
            "decision": DecisionCurveDisplay.from_predictions(y, p),
        }


def evaluate_external(
    model: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    training: Any = None,
    horizon: float = 12.0,
    n_boot: int = 1000,
    confidence_level: float = 0.95,
    random_state: int = 0,
) -> ExternalEvaluation | ExternalTimeEvaluation:
    """Evaluate a fitted model on patients of another centre, scanner or time.

    The model is used as it is. Intervals draw patients, with their weights, and hold for this one model.

    Parameters
    ----------
    model : fitted classifier or survival model
        E.g. from :func:`~prrt_estimators.persistence.load_model`.
    X : Cohort, mapping, DataFrame or array of shape (n, ...)
        Patients that the model was not fitted on.
    y : array-like of shape (n,)
        1 = long PFS, 0 = short PFS; for a survival model ``event`` and ``time`` (months).
    sample_weight : array-like of shape (n,), default=None
        Weight of each patient, e.g. for patients censored before the horizon; not for a survival model, which weights for
        censoring itself.
    training : Cohort or DataFrame, default=None
        The patients that the model was fitted on, to compare the inputs with.
    horizon : float, default=12.0
        Months at which a survival model is evaluated, beside its scores of all times.
    n_boot : int, default=1000
        Draws of patients for the intervals; calibration takes a fifth of them.
    confidence_level : float, default=0.95
        Of the intervals.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    ExternalEvaluation or ExternalTimeEvaluation
        The second for a survival model.

    Raises
    ------
    TypeError, ValueError
        If y is not 0 and 1 for every patient, or holds one class; for a survival model, if it holds no times, or nobody
        progressed.

    References
    ----------
    Riley et al., "Evaluation of clinical prediction models (part 2)", BMJ 2024, doi:10.1136/bmj-2023-074820.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(90, 2)), np.tile([0, 1, 1], 30)
    >>> X[:, 0] += 1.5 * y
    >>> found = evaluate_external(LogisticRegression().fit(X[:50], y[:50]), X[50:], y[50:], n_boot=200)
    >>> found.scores["value"].round(2).to_dict()["auroc"] > 0.7
    True
    """
    check_all_in_order(X=X, y=y, sample_weight=sample_weight)
    n = len(X)
    if target_of(model).name == TimeTarget.name:
        if sample_weight is not None:
            raise ValueError(
                "`sample_weight` is for classifiers; a survival model is weighted for censoring by itself."
            )
        return evaluate_times(
            model,
            X,
            y,
            training=training,
            horizon=horizon,
            n_boot=n_boot,
            confidence_level=confidence_level,
            random_state=random_state,
        )
    coded = ClassTarget().check_coded(y, n)
    p = probability_of_long(model, X)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
    if weight is not None and weight.shape != (n,):
        raise ValueError(f"`sample_weight` must hold a weight for each of {n} patients; got shape {weight.shape}.")
    threshold = float(getattr(model, "decision_threshold_", 0.5))
    slope = calibration_scores(coded, p, weight)["slope"]
    slope = slope if np.isfinite(slope) else 1.0
    # The intercept that belongs to the slope, not calibration in the large.
    updated = _updated(coded, p, slope, weight)
    ids = X.ids if isinstance(X, Cohort) else [str(row) for row in range(n)]
    tail, rng = (1 - confidence_level) / 2, np.random.default_rng(random_state)
    draws = [rng.integers(n, size=n) for _ in range(n_boot)]
    draws = [rows for rows in draws if len(np.unique(coded[rows])) == 2]
    few = draws[: max(len(draws) // 5, 50)]
    return ExternalEvaluation(
        scores=_scores(coded, p, weight, draws, tail),
        calibration=_calibration(coded, p, weight, few, tail),
        recalibrated=_calibration(coded, updated, weight, few, tail),
        decisions=decision_scores(coded, p, threshold, confidence_level=confidence_level),
        drift=input_drift(X, training),
        predictions=pd.DataFrame(
            {"patient_id": list(ids), "y_true": coded, "p_long": p, "predicted": (p >= threshold).astype(int)}
        ),
        threshold=threshold,
    )


def _updated(y: np.ndarray, p: np.ndarray, slope: float, weight: np.ndarray | None) -> np.ndarray:
    bent = recalibrated(p, 0.0, slope)
    shift = calibration_scores(y, bent, weight)["intercept"]
    return recalibrated(bent, shift, 1.0)


def _scores(y: np.ndarray, p: np.ndarray, weight: np.ndarray | None, draws: list[np.ndarray], tail: float) -> Any:
    rows = []
    chance = chance_by_score([score.name for score in scores_of("class")], y, weight)
    for score in scores_of("class"):

        def value(taken: Any, function: Any = score.function) -> float:
            return float(function(y[taken], p[taken], None if weight is None else weight[taken]))

        drawn = [value(one) for one in draws]
        low, high = np.quantile(drawn, [tail, 1 - tail])
        name = score.name.removeprefix("neg_")
        rows.append((name, score.title, value(slice(None)), low, high, factor(score.name) * chance[score.name]))
    return pd.DataFrame(rows, columns=["score", "title", "value", "low", "high", "chance"]).set_index("score")


def _calibration(y: np.ndarray, p: np.ndarray, weight: np.ndarray | None, draws: list[np.ndarray], tail: float) -> Any:
    found = calibration_scores(y, p, weight)
    drawn = pd.DataFrame(
        [calibration_scores(y[rows], p[rows], None if weight is None else weight[rows]) for rows in draws],
        columns=list(NAMES),
    )
    rows = []
    for name in NAMES:
        low, high = interval_of_draws(name, found[name], drawn[name], tail, len(draws))
        rows.append((name, found[name], low, high))
    return pd.DataFrame(rows, columns=["score", "value", "low", "high"]).set_index("score")
