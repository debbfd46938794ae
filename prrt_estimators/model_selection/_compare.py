"""All models on the same splits, resumable at any moment."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators._classes import check_same_order
from prrt_estimators.cohort import Cohort
from prrt_estimators.model_selection._digest import data_digest, private_text
from prrt_estimators.model_selection._environment import hardware, new_run, now
from prrt_estimators.model_selection._execute import jobs_and_threads, run_tasks
from prrt_estimators.model_selection._fold import Split, Task, fold_key, fold_seed
from prrt_estimators.model_selection._models import Skipped
from prrt_estimators.model_selection._old_runs import modern_record
from prrt_estimators.model_selection._preflight import (
    check_binary_target,
    check_models,
    check_scoring,
    check_weight,
    patient_ids,
    prepare_models,
)
from prrt_estimators.model_selection._progress import ComparisonProgress
from prrt_estimators.model_selection._records import collect, model_entry, warn_of_other_machine
from prrt_estimators.model_selection._result import ModelComparison
from prrt_estimators.model_selection._run_store import RunStore
from prrt_estimators.model_selection._splits import choose_splits
from prrt_estimators.model_selection._words import counted, skipped_in_words


def compare_models(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    cv: Any = None,
    scoring: Any = None,
    groups: Any = None,
    sample_weight: Any = None,
    n_jobs: int | None = None,
    threads: int | None = None,
    client: Any = None,
    random_state: int | None = 0,
    out: str | os.PathLike[str] | None = None,
    cohort_warnings: Sequence[str] = (),
    verbose: int = 1,
) -> ModelComparison:
    """Cross-validate every model on the same splits.

    Each fold is written to `out` as soon as it is finished. Called again with the same folder after an
    interruption of any kind, the comparison repeats no finished fold and ends with the same numbers, bit for bit
    on the same machine. A model whose parameters changed is run again, the others are kept.

    Parameters
    ----------
    models : mapping of str to estimator or Skipped
        Binary classifiers with ``predict_proba``; see :func:`paper_models`. They are cloned for every fold.
    X : Cohort, mapping of modalities, DataFrame or array of shape (n, ...)
        Patients.
    y : array-like of shape (n,)
        1 = long PFS, 0 = short PFS.
    cv : splitter, int or iterable, default=None
        ``RepeatedStratifiedKFold(n_splits=3, n_repeats=10, random_state=random_state)`` if None. The splits are
        drawn once and kept in `out`, so that a splitter without a seed resumes on its own splits.
    scoring : str, list of str, callable or dict of scorers, default=None
        :func:`~prrt_estimators.metrics.prrt_scorers` if None: AUROC, AUPRC of either class, Brier score.
    groups : array-like of shape (n,), default=None
        Passed to the splitter.
    sample_weight : array-like of shape (n,), default=None
        Weights in fitting and, for scorers that take them, in scoring.
    n_jobs : int, default=None
        Folds that run at once. Ignored with `client`.
    threads : int, default=None
        Threads of each fold. If None ``max(1, cpu_count // n_jobs)``, not more than the environment variable
        ``OMP_NUM_THREADS``, and 1 with `client`. Another number changes the last bits of networks.
    client : distributed.Client, default=None
        Runs the folds on a Dask cluster (extra ``dask``) after checking that every worker has the same versions, one
        thread, and the same scans under the same paths. Workers may join and leave.
    random_state : int or None, default=0
        Every ``random_state`` that a model leaves None is derived from this, the model's name and the split. None
        draws a seed, which `out` remembers.
    out : path, default=None
        Folder of the run; None keeps the results in memory only.
    cohort_warnings : sequence of str, default=()
        What was warned of while the patients were read; kept in run.json and shown in the report.
    verbose : int, default=1
        0 is silent. Otherwise a progress bar on a terminal; in a log a line a model, and one every few seconds.

    Returns
    -------
    ModelComparison

    Raises
    ------
    CohortError
        Before training, with everything that is wrong with the scans of any model.
    ValueError
        If y, cv, scoring or the names of the models are not usable.
    RunMismatchError
        If `out` holds a comparison on other data.
    RunInProgressError
        If another process is writing to `out`.
    ClusterError
        If a worker of `client` is not fit for the comparison.

    Warns
    -----
    ResultsWarning
        If finished folds were made with another number of threads, processor or version of a library.

    Notes
    -----
    A model that lacks a modality (`MissingModalityError`) is listed as skipped, one that raises anything else as
    failed with its traceback in run.json; neither stops the others.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(60, 3)), np.tile([0, 1, 1], 20)
    >>> X[:, 0] += 2 * y
    >>> models = {"linear": LogisticRegression(), "imaging": Skipped("no scans")}
    >>> comparison = compare_models(models, X, y, cv=3, verbose=0)
    >>> comparison.summary()[["status", "n_folds"]]
              status  n_folds
    model
    linear        ok        3
    imaging  skipped        0
    """
    if isinstance(X, Mapping) and not isinstance(X, Cohort):
        X = Cohort(X)
    models = check_models(models)
    check_same_order(X, y, ("X", "y"))
    check_same_order(X, sample_weight, ("X", "sample_weight"))
    y = check_binary_target(y, len(X))
    ids = patient_ids(X, len(X))
    weight = check_weight(sample_weight, len(y))
    scorers = check_scoring(scoring, weight is not None)
    if random_state is not None and (not isinstance(random_state, (int, np.integer)) or random_state < 0):
        raise ValueError(f"random_state must be None or an integer of at least 0; got {random_state!r}.")
    jobs, threads = jobs_and_threads(n_jobs, threads, client)
    store = None if out is None else RunStore(out)
    with contextlib.nullcontext() if store is None else store.locked():
        data, missing = data_digest(X, y, ids, weight)
        if missing:  # said better by the models than as a change of the data
            prepare_models(_estimators(models), X)
        before = None if store is None else store.read_run(data)
        seed = _seed(random_state, before)
        cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=10, random_state=seed) if cv is None else cv
        splits, cv_name = choose_splits(cv, y, groups, store)
        run = new_run(
            X, y, weight, data=data, seed=seed, cv=cv_name, splits=splits, scorers=scorers, jobs=jobs, threads=threads
        )
        run["data"]["warnings"] = [private_text(str(text), X) for text in cohort_warnings]
        run["warnings"] = [] if before is None else before.get("warnings", [])
        tasks, records = _plan(_estimators(models), splits, run, scorers, store)
        warn_of_other_machine(records, before, run)
        progress = ComparisonProgress(verbose)

        def keep(status: str) -> None:
            run["status"] = status
            run["models"] = {
                name: model_entry(model, records.get(name, []), len(splits)) for name, model in models.items()
            }
            if store is not None and status != "finished":
                store.write_run(run)

        keep("running")
        try:
            with progress:
                _run(models, X, tasks, records, (X, y, weight, scorers), run, progress, client)
        except KeyboardInterrupt:
            keep("interrupted")
            if store is not None:
                kept = sum(entry["n_finished"] for entry in run["models"].values())
                progress.line(
                    f"Interrupted. {counted(kept, 'fold')} kept in {store.folder}; the same call goes on from there."
                )
            raise
        run["finished"] = now()
        keep("finished")
        comparison = collect(run, records, splits, ids, X, y, weight)
        if store is not None:
            comparison.folder = store.folder
            comparison.write()
        return comparison


def _estimators(models: Mapping[str, Any]) -> dict[str, Any]:
    return {name: model for name, model in models.items() if not isinstance(model, Skipped)}


def _seed(random_state: int | None, before: dict[str, Any] | None) -> int:
    if random_state is not None:
        return int(random_state)
    return int(before["random_state"]) if before is not None else secrets.randbits(31)


def _plan(
    models: Mapping[str, Any],
    splits: list[Split],
    run: dict[str, Any],
    scorers: dict[str, Any],
    store: RunStore | None,
) -> tuple[list[Task], dict[str, list[dict[str, Any]]]]:
    """Return what is to be run, and the records of what is finished."""
    tasks: list[Task] = []
    records: dict[str, list[dict[str, Any]]] = {name: [] for name in models}
    for name, model in models.items():
        for split in splits:
            seed = fold_seed(run["random_state"], name, split.number)
            key = fold_key(run["data"]["digest"], model, split, seed, scorers)
            old_key = functools.partial(fold_key, run["data"]["digest"], model, split, seed, scorers, old=True)
            finished = None if store is None else store.finished(name, split, key, old_key)
            if finished is not None:
                records[name].append(modern_record(finished, list(scorers)))
                continue
            target = None if store is None else store.fold_file(name, split)
            tasks.append(Task(name, model, split, seed, key, run["threads_per_fold"], target))
    return tasks, records


def _run(
    models: Mapping[str, Any],
    X: Any,
    tasks: list[Task],
    records: dict[str, list[dict[str, Any]]],
    data: tuple[Any, ...],
    run: dict[str, Any],
    progress: ComparisonProgress,
    client: Any,
) -> None:
    """Check the scans, then run what is open; append to the records of each model."""
    counts = Counter(task.model for task in tasks)
    kept = sum(len(found) for found in records.values())
    if kept:
        progress.line(f"{counted(kept, 'finished fold')} kept.")
    skipped = {name: model.reason for name, model in models.items() if isinstance(model, Skipped)}
    unable, notices = prepare_models({name: models[name] for name in counts}, X, progress.prepared)
    run["warnings"] = [private_text(text, X) for text in notices] if counts else run["warnings"]
    for name, reason in unable.items():
        reason = private_text(reason, X)
        records[name].append({"status": "skipped", "reason": reason, "warnings": []})
        skipped[name] = reason
        del counts[name]
    in_order = {name: skipped[name] for name in models if name in skipped}
    for sentence in skipped_in_words(in_order, run["data"]["modalities"]):
        progress.line(sentence)
    run["hardware"] = hardware()  # by now, models that use torch have loaded it
    progress.begin_folds(counts, run["cv"]["n_splits"], run["n_jobs"])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A worker stopped", category=UserWarning)
        for record in run_tasks((task for task in tasks if task.model in counts), data, run["n_jobs"], client):
            name = record["model"]
            records[name].append(record)
            progress.fold(name, record["fit_seconds"] + record["score_seconds"] if record["status"] == "ok" else None)
            if record["status"] != "ok":
                if progress.give_up(name):
                    progress.line(f"{name}: {record['status']} ({record['reason']})")
            elif progress.left(name) == 0 and all(one["status"] == "ok" for one in records[name]):
                progress.done(_sentence(name, records[name]))


def _sentence(name: str, records: list[dict[str, Any]]) -> str:
    metric = next(iter(records[0]["scores"]))
    values = [one["scores"][metric] for one in records if one["scores"][metric] is not None]
    score = f"{metric} {np.mean(values):.3f}, " if values else ""
    seconds = sum(one["fit_seconds"] + one["score_seconds"] for one in records)
    return f"{name}: {score}{counted(len(records), 'fold')} in {seconds:.1f} s"
