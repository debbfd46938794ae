"""From the records of finished folds to tables and to run.json."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import ResultsWarning
from prrt_estimators.model_selection._descriptions import counted
from prrt_estimators.model_selection._digest import private_text, public_path, stable_text
from prrt_estimators.model_selection._fold import Split
from prrt_estimators.model_selection._models import Skipped
from prrt_estimators.model_selection._result import ModelComparison, status_table

Record = dict[str, Any]

#: Columns of predictions that a record may hold.
PREDICTED = ("y_score", "kind", "p_beyond", "risk_group")

#: Different texts of warnings that are kept for one model.
_WARNINGS_KEPT = 50


def model_entry(model: Any, records: Sequence[Record], n_splits: int) -> dict[str, Any]:
    """Entry of one model in run.json: how it went, its parameters, the time and seed of each fold."""
    if isinstance(model, Skipped):
        return {"status": "skipped", "reason": model.reason, "n_finished": 0}
    done = sorted((one for one in records if one["status"] == "ok"), key=lambda one: (one["repeat"], one["fold"]))
    stopped = sorted((one for one in records if one["status"] != "ok"), key=lambda one: one["status"])
    entry: dict[str, Any] = {"status": "running", "reason": "", "n_finished": len(done)}
    if stopped:
        first = stopped[0]
        entry |= {"status": first["status"], "reason": first["reason"]}
        if first.get("lacks"):
            entry["lacks"] = first["lacks"]
        if first.get("traceback"):
            entry["traceback"] = first["traceback"]
    elif len(done) == n_splits:
        entry["status"] = "ok"
    params = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    entry["class"] = public_path(type(model))
    entry["parameters"] = {name: private_text(stable_text(params[name])) for name in sorted(params)}
    texts = dict.fromkeys(text for one in (*done, *stopped) for text in one["warnings"])
    entry["warnings"] = list(texts)[:_WARNINGS_KEPT]
    entry["learnt_from"] = next((one.get("learnt_from", "class") for one in done), "")
    entry["seconds"] = round(sum(one["fit_seconds"] + one["score_seconds"] for one in done), 3)
    kept = ("repeat", "fold", "seed", "threads", "fit_seconds", "score_seconds", "inner_score")
    entry["folds"] = [{key: one[key] for key in kept if key in one} for one in done]
    return entry


def warn_of_other_machine(
    records: Mapping[str, Sequence[Record]], before: dict[str, Any] | None, now: dict[str, Any]
) -> None:
    """Say where finished folds were made under other conditions than the rest will be."""
    kept = [one for found in records.values() for one in found]
    if before is None or not kept:
        return
    changes = []
    threads = sorted({one["threads"] for one in kept} - {now["threads_per_fold"]})
    if threads:
        changes.append(f"{', '.join(map(str, threads))} thread(s) per fold, now {now['threads_per_fold']}")
    for name in ("machine", "processor"):
        old, new = before.get("hardware", {}).get(name), now["hardware"][name]
        if old != new:
            changes.append(f"{name} {old}, now {new}")
    for name, new in now["versions"].items():
        old = before.get("versions", {}).get(name)
        if old != new:
            changes.append(f"{name} {old}, now {new}")
    if changes:
        warnings.warn(
            f"{counted(len(kept), 'finished fold')} kept, made under other conditions ({'; '.join(changes)}); "
            "numbers may differ in their last bits from a run made in one go. For such a run name a new folder.",
            ResultsWarning,
            stacklevel=3,
        )


def collect(
    run: dict[str, Any],
    records: Mapping[str, Sequence[Record]],
    splits: Sequence[Split],
    ids: Sequence[str],
    X: Any,
    y: np.ndarray,
    weight: np.ndarray | None,
    kind: Any,
) -> ModelComparison:
    """Make the result object; rows depend on the splits alone, not on the order in which folds ended.

    ``y`` holds 0 and 1: the classes, or the strata of another target.
    """
    score_rows: list[dict[str, Any]] = []
    parts: list[pd.DataFrame] = []
    patients = np.array(ids, dtype=object)
    for name in (name for name, entry in run["models"].items() if entry["status"] == "ok"):
        found = {(one["repeat"], one["fold"]): one for one in records[name]}
        for split in splits:
            one = found[split.repeat, split.fold]
            place = {"model": name, "repeat": split.repeat, "fold": split.fold}
            values = {metric: np.nan if score is None else score for metric, score in one["scores"].items()}
            score_rows.append(place | values)
            parts.append(
                pd.DataFrame(
                    place
                    | {"patient_id": patients[split.test], "y_true": kind.shown(y[split.test])}
                    | {name: one[name] for name in PREDICTED if name in one}
                )
            )
    columns = ["model", "repeat", "fold"]
    scores = pd.DataFrame(score_rows, columns=[*columns, *run["scoring"]])
    nothing = pd.DataFrame(columns=[*columns, "patient_id", "y_true", "y_score", "kind"])
    predictions = pd.concat(parts, ignore_index=True) if parts else nothing
    table = pd.DataFrame({"patient_id": patients} | kind.patients(y))
    if weight is not None:
        table["sample_weight"] = weight
    if isinstance(X, Cohort) and X.survival is not None and "time" not in table:
        table["time"], table["event"] = X.survival["time"], X.survival["event"].astype(int)
    return ModelComparison(scores, predictions, status_table(run), table, run)
