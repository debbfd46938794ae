"""One model on one split: the unit of work of a comparison."""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from prrt_estimators._captured_warnings import captured_warnings
from prrt_estimators._io import atomic_write
from prrt_estimators._model_specs import first_name
from prrt_estimators._targets import target_of
from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.model_selection._compared import comparison_of
from prrt_estimators.model_selection._digest import digest, private_text, scorer_text, stable_text
from prrt_estimators.model_selection._environment import fixed_threads, package_version
from prrt_estimators.model_selection._old_runs import old_name
from prrt_estimators.model_selection._seal import is_whole, sealed

#: Different texts of warnings that are kept for one fold.
_WARNINGS_KEPT = 20


@dataclass(frozen=True)
class Split:
    """Rows of one split, and where it stands among the repeats."""

    number: int
    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Task:
    """Everything a worker needs to know about one fold beside the data."""

    model: str
    estimator: Any
    split: Split
    seed: int
    key: str
    threads: int
    target: Path | None

    def failed(self, reason: str) -> dict[str, Any]:
        """Return the record of this fold where the process that ran it gave no answer."""
        return {
            "key": self.key, "model": self.model, "repeat": self.split.repeat, "fold": self.split.fold,
            "seed": self.seed, "threads": self.threads, "status": "failed", "reason": reason, "warnings": [],
        }  # fmt: skip


def fold_seed(random_state: int, model: str, split: int) -> int:
    """Seed of one fold, independent of every other fold and of the order in which they run."""
    words = [*first_name(model).encode("utf-8", "surrogateescape"), 256, split]
    return int(np.random.SeedSequence([random_state, *words]).generate_state(1)[0] % 2**31)


def seeded(estimator: Any, seed: int) -> Any:
    """Clone of an estimator in which every ``random_state`` that was left None is set."""
    copy = clone(estimator)
    if not hasattr(copy, "get_params"):
        return copy
    names = sorted(
        name
        for name, value in copy.get_params(deep=True).items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    )
    seeds = np.random.SeedSequence(seed).generate_state(len(names)) % 2**31
    return copy.set_params(**{name: int(one) for name, one in zip(names, seeds, strict=True)}) if names else copy


def fold_key(
    data: str,
    estimator: Any,
    split: Split,
    seed: int,
    scorers: dict[str, Any],
    *,
    times: tuple[Any, ...] = (),
    old: bool = False,
) -> str:
    """Digest of everything that the numbers of a fold depend on; with `old` as folders of format 1 hold it.

    `times` are those handed over to a model that learns from them.
    """
    metrics = [f"{old_name(name) if old else name}={scorer_text(scorer, old=old)}" for name, scorer in scorers.items()]
    estimator_text = stable_text(estimator, old=old)
    parts = [data, split.train, split.test, estimator_text, str(seed), "|".join(metrics), package_version()]
    return digest(*parts, *times)


def take_rows(X: Any, rows: np.ndarray) -> Any:
    """Some patients of a Cohort, a DataFrame or an array."""
    if isinstance(X, Cohort):
        return X[rows]
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else np.asarray(X)[rows]


def run_fold(
    task: Task, X: Any, y: np.ndarray, sample_weight: np.ndarray | None, scorers: dict[str, Any], horizon: float = 12.0
) -> dict[str, Any]:
    """Fit, score and predict one fold; write the record if the task names a file; never raise for a model's sake.

    Returns
    -------
    dict
        ``status`` ("ok", "skipped", "failed"), ``scores``, ``y_score`` of the test rows and its ``kind``, ``warnings``, timings in
        seconds; ``reason`` and ``traceback`` where it did not succeed.
    """
    split = task.split
    record: dict[str, Any] = {
        "key": task.key, "model": task.model, "repeat": split.repeat, "fold": split.fold, "seed": task.seed,
        "threads": task.threads, "status": "ok",
    }  # fmt: skip
    with captured_warnings() as caught:
        try:
            with fixed_threads(task.threads):
                _fit_and_score(record, task, X, y, sample_weight, scorers, horizon)
        except MissingModalityError as error:
            record |= {"status": "skipped", "reason": private_text(str(error), X), "lacks": list(error.modalities)}
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            trace = "".join(traceback.format_exception(error))
            record |= {"status": "failed", "reason": private_text(text, X), "traceback": private_text(trace, X)}
    texts = dict.fromkeys(f"{one.category.__name__}: {one.message}" for one in caught)
    record["warnings"] = [private_text(text, X) for text in list(texts)[:_WARNINGS_KEPT]]
    _free_accelerator()
    if task.target is not None and record["status"] == "ok":
        write_record(task.target, record)
    return record


def _fit_and_score(
    record: dict[str, Any],
    task: Task,
    X: Any,
    y: np.ndarray,
    weight: np.ndarray | None,
    scorers: dict[str, Any],
    horizon: float,
) -> None:
    kind = comparison_of(target_of(task.estimator), horizon)
    train, test = task.split.train, task.split.test
    started = time.perf_counter()
    model = seeded(task.estimator, task.seed)
    with_weight = {} if weight is None else {"sample_weight": weight[train]}
    X_train = take_rows(X, train)
    times = kind.inputs(model, X_train, y[train])
    model.fit(X_train, y[train], **with_weight, **times)
    record["learnt_from"] = getattr(model, "learnt_from_", "time" if times else kind.name)
    inner = _inner_score(model)
    fitted = time.perf_counter()
    X_test = take_rows(X, test)
    test_weight = None if weight is None else weight[test]
    found, columns = kind.evaluate(model, (X_train, y[train]), (X_test, y[test]), scorers, test_weight)
    # JSON has no NaN, the score of a test part with one class only
    record["scores"] = {name: float(found[name]) if np.isfinite(found[name]) else None for name in scorers}
    record |= columns
    if inner is not None and np.isfinite(inner):
        record["inner_score"] = inner
    record["fit_seconds"] = round(fitted - started, 4)
    record["score_seconds"] = round(time.perf_counter() - fitted, 4)


def _inner_score(model: Any) -> float | None:
    from prrt_estimators.model_selection._tuned import inner_score  # it clones and seeds as this file does

    return inner_score(model)


def _free_accelerator() -> None:
    # A worker keeps the memory of every model it ever fitted on the device unless told to let go.
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()


def write_record(target: Path, record: dict[str, Any]) -> None:
    """Write a fold whole or not at all; Python's JSON gives every float back bit for bit."""
    with atomic_write(target) as temporary:
        temporary.write_text(json.dumps(sealed(record), allow_nan=False), encoding="utf-8")


def read_record(path: Path) -> dict[str, Any] | None:
    """Record of a finished fold, None where there is none that is as it was written."""
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict) and record.get("status") == "ok" and {"key", "scores"} <= set(record):
            return record if {"y_score", "p_long"} & set(record) and is_whole(record) else None
    return None
