"""A comparison in MLflow: one run for all, below it one per model and fold."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import roc_curve

from prrt_estimators._extras import require
from prrt_estimators.metrics._predictions import PROBABILITY
from prrt_estimators.model_selection._result import ModelComparison

#: What MLflow takes as the text of a parameter.
_LONGEST = 500
#: Steps of the false positive rate at which the ROC curve of a fold is kept: percent.
_STEPS = range(0, 101, 5)
_PARENT = "mlflow.parentRunId"
#: The tags that MLflow's page shows as source and description of a run.
_SOURCE, _NOTE = "mlflow.source.name", "mlflow.note.content"


def import_mlflow() -> Any:
    """Return mlflow."""
    return require("mlflow", "tracking with MLflow", "mlflow")


def check_tracker(tracker: Any) -> None:
    """Check a tracker before anything runs.

    Raises
    ------
    ValueError, TypeError
        If it is neither "mlflow" nor a function.
    MissingDependencyError
        If mlflow is not installed.
    """
    if isinstance(tracker, str):
        if tracker != "mlflow":
            raise ValueError(f"`tracker` must be 'mlflow' or a function that takes the comparison; got {tracker!r}.")
        import_mlflow()
    elif tracker is not None and not callable(tracker):
        raise TypeError(
            f"`tracker` must be 'mlflow' or a function that takes the comparison; got {type(tracker).__name__}."
        )


def log_to_mlflow(
    comparison: ModelComparison,
    *,
    experiment: str = "prrt-estimators",
    tracking_uri: str | None = None,
    artefacts: Iterable[str | os.PathLike[str]] = (),
) -> str:
    """Log a finished comparison to MLflow.

    The run of the comparison holds the summary of each model, what was compared and on how many patients, and the artefacts. Below
    it lies a run per model and fold with the parameters of the model, the scores of the fold, the seconds of fitting and the ROC
    curve (``roc_tpr``, whose step is the false positive rate in percent). Ids of patients are not logged.

    Parameters
    ----------
    comparison : ModelComparison
    experiment : str, default="prrt-estimators"
        Made if it is not there.
    tracking_uri : str, default=None
        Where MLflow keeps its runs; its own setting if None (``MLFLOW_TRACKING_URI``).
    artefacts : iterable of path, default=()
        Files and folders to keep with the run, such as ``report.html`` and ``figures``.

    Returns
    -------
    str
        Id of the run.

    Raises
    ------
    MissingDependencyError
        If mlflow is not installed.

    Examples
    --------
    >>> log_to_mlflow(comparison, tracking_uri="http://localhost:5000")  # doctest: +SKIP
    '2f1c...'
    """
    mlflow = import_mlflow()
    client = mlflow.MlflowClient(tracking_uri)
    known = client.get_experiment_by_name(experiment)
    place = known.experiment_id if known is not None else client.create_experiment(experiment)
    tags = {_SOURCE: "prrt_estimators", _NOTE: _description(comparison)}
    parent = client.create_run(place, run_name="comparison", tags=tags).info.run_id
    status = "FAILED"
    try:
        _log(mlflow, client, parent, _settings(comparison), _summary_metrics(comparison))
        for name, entry in comparison.run["models"].items():
            scores = comparison.scores[comparison.scores["model"] == name]
            seconds = {(one["repeat"], one["fold"]): one["fit_seconds"] for one in entry.get("folds", [])}
            for _, row in scores.iterrows():
                repeat, fold = int(row["repeat"]), int(row["fold"])
                child = client.create_run(
                    place, run_name=f"{name}, repeat {repeat}, fold {fold}", tags={_PARENT: parent, "model": str(name)}
                ).info.run_id
                settings = {"class": entry.get("class", ""), "repeat": repeat, "fold": fold} | entry.get(
                    "parameters", {}
                )
                metrics = [(metric, float(row[metric]), 0) for metric in comparison.metrics]
                metrics.append(("fit_seconds", seconds.get((repeat, fold), math.nan), 0))
                _log(mlflow, client, child, settings, [*metrics, *_curve(comparison, name, repeat, fold)])
                client.set_terminated(child, "FINISHED")
        for path in map(Path, artefacts):
            log = client.log_artifacts if path.is_dir() else client.log_artifact
            log(parent, str(path), *([path.name] if path.is_dir() else []))
        status = "FINISHED"
    finally:
        client.set_terminated(parent, status)
    return str(parent)


def track(tracker: Any, comparison: ModelComparison) -> None:
    """Hand a finished comparison to its tracker."""
    if tracker == "mlflow":
        log_to_mlflow(comparison)
    elif tracker is not None:
        tracker(comparison)


def _log(mlflow: Any, client: Any, run: str, settings: dict[str, Any], metrics: list[tuple[str, float, int]]) -> None:
    made = [mlflow.entities.Param(str(key), str(value)[:_LONGEST]) for key, value in settings.items()]
    now = int(1000 * time.time())
    values = [mlflow.entities.Metric(name, value, now, step) for name, value, step in metrics if not math.isnan(value)]
    # As many as one call takes.
    for start in range(0, len(made), 100):
        client.log_batch(run, params=made[start : start + 100])
    for start in range(0, len(values), 1000):
        client.log_batch(run, metrics=values[start : start + 1000])


def _description(comparison: ModelComparison) -> str:
    """What MLflow's page says about the run, in Markdown."""
    data, splits = comparison.run["data"], comparison.run["cv"]["n_splits"]
    models = ", ".join(map(str, comparison.scores["model"].unique()))
    return (
        f"{models} on {data['n_patients']} patients, {splits} splits. The metrics are the mean over the splits, its standard deviation and the ends of its 95 % interval;"
        " the child runs are the splits of each model. `report.html` is among the artifacts."
    )


def _settings(comparison: ModelComparison) -> dict[str, Any]:
    data, cv = comparison.run["data"], comparison.run["cv"]
    return {
        "models": ", ".join(map(str, comparison.run["models"])),
        "patients": data["n_patients"],
        **{name.removeprefix("with ").lower().replace(" ", "_"): n for name, n in comparison.kind.outcomes(data)},
        "splits": cv["n_splits"],
        "repeats": cv["n_repeats"],
        "random_state": comparison.run.get("random_state"),
        "data_sha256": data["digest"],
    }


def _summary_metrics(comparison: ModelComparison) -> list[tuple[str, float, int]]:
    summary = comparison.summary()
    shown = [f"{metric}_{end}" for metric in comparison.metrics for end in ("mean", "sd", "low", "high")]
    return [
        (f"{name}/{column}", float(row[column]), 0)
        for name, row in summary.iterrows()
        for column in shown
        if column in summary and pd.notna(row[column])
    ]


def _curve(comparison: ModelComparison, model: Any, repeat: int, fold: int) -> list[tuple[str, float, int]]:
    """Return the true positive rate at steps of the false positive rate."""
    all_of = comparison.predictions
    own = all_of[(all_of["model"] == model) & (all_of["repeat"] == repeat) & (all_of["fold"] == fold)]
    if own["y_true"].nunique() < 2 or (own["kind"] != PROBABILITY).any():  # a curve of classes
        return []
    false_rate, true_rate, _ = roc_curve(own["y_true"], own["y_score"])
    return [("roc_tpr", float(true_rate[false_rate <= step / 100 + 1e-12].max()), step) for step in _STEPS]
