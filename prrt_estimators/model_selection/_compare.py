"""All models on the same splits, resumable at any moment."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import secrets
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import RepeatedStratifiedKFold

from prrt_estimators._captured_warnings import closing
from prrt_estimators._classes import check_same_order
from prrt_estimators._forms import are_records
from prrt_estimators._model_specs import first_name
from prrt_estimators._validation import as_cohort
from prrt_estimators.cohort import Cohort
from prrt_estimators.datasets._predictors import check_predictors
from prrt_estimators.model_selection._compared import comparison_of, with_times
from prrt_estimators.model_selection._descriptions import counted, skipped_in_words
from prrt_estimators.model_selection._digest import data_digest, private_text
from prrt_estimators.model_selection._duplicate_patients import check_twins
from prrt_estimators.model_selection._environment import hardware, new_run, now
from prrt_estimators.model_selection._execute import jobs_and_threads, run_tasks
from prrt_estimators.model_selection._fold import Split, Task, fold_key, fold_seed
from prrt_estimators.model_selection._fold_costs import expected_cost
from prrt_estimators.model_selection._fold_records import collect, model_entry, warn_of_other_machine
from prrt_estimators.model_selection._grouped import RepeatedStratifiedGroupKFold
from prrt_estimators.model_selection._models import Skipped
from prrt_estimators.model_selection._old_runs import modern_record
from prrt_estimators.model_selection._preflight import (
    check_models,
    check_primary,
    check_scoring,
    check_weight,
    common_target,
    patient_ids,
    prepare_models,
)
from prrt_estimators.model_selection._progress import ComparisonProgress
from prrt_estimators.model_selection._result import ModelComparison
from prrt_estimators.model_selection._run_store import RunStore
from prrt_estimators.model_selection._splits import choose_splits
from prrt_estimators.model_selection._tracking import check_tracker, track
from prrt_estimators.model_selection._tuned import with_tuning


def compare_models(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    cv: Any = None,
    scoring: Any = None,
    groups: Any = None,
    sample_weight: Any = None,
    primary: Sequence[str] | None = None,
    tune: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
    threads: int | None = None,
    client: Any = None,
    random_state: int | None = 0,
    horizon: float = 12.0,
    out: str | os.PathLike[str] | None = None,
    cohort_warnings: Sequence[str] = (),
    tracker: Any = None,
    verbose: int = 1,
) -> ModelComparison:
    """Cross-validate every model on the same splits.

    Each fold is written to `out` as soon as it is finished. Called again with the same folder after an
    interruption of any kind, the comparison repeats no finished fold and ends with the same numbers, bit for bit
    on the same machine. A model whose parameters changed is run again, the others are kept.

    Parameters
    ----------
    models : mapping of str to estimator or Skipped
        Binary classifiers with ``predict_proba``; see :func:`paper_models`. They are cloned for every fold. Models of another
        target (`Target`) are compared by the scores of that target; all models must have the same. Where y holds times,
        classifiers learn the class at the horizon (`HorizonClassifierSurvival`) and stand beside survival models.
    X : Cohort, mapping of modalities, DataFrame or array of shape (n, ...)
        Patients. Where a Cohort has times to progression (``X.survival``), those of training patients are handed to
        models whose ``fit`` takes ``time`` and ``event``.
    y : array-like of shape (n,)
        1 = long PFS, 0 = short PFS; or a structured array with ``event`` and ``time`` (months), from which survival models
        learn, patients censored early too; or what the models' own target takes.
    cv : splitter, int or iterable, default=None
        ``RepeatedStratifiedKFold(n_splits=3, n_repeats=10, random_state=random_state)`` if None, with `groups`
        `RepeatedStratifiedGroupKFold`. The splits are
        drawn once and kept in `out`, so that a splitter without a seed resumes on its own splits.
    scoring : str, list of str, callable or dict of scorers, default=None
        :func:`~prrt_estimators.metrics.prrt_scorers` if None: AUROC, AUPRC of either class, Brier score; of times, Uno's C
        and others.
    groups : array-like of shape (n,), default=None
        Persons, centres or whatever must not be split between training and test; passed to the splitter.
    sample_weight : array-like of shape (n,), default=None
        Weights in fitting and, for scorers that take them, in scoring.
    primary : pair of str, default=None
        The one comparison that the study is about, named before it is run: the first model less the second. It is tested
        alone, the others by Holm.
    tune : mapping of model to grid of parameters, default=None
        Parameters chosen anew inside each training set, see `TunedClassifier` and `TunedSurvival`:
        ``{"lab": {"max_depth": [3, None]}}``. Distributions of Optuna are searched by its sampler.
    n_jobs : int, default=None
        Folds that run at once. Ignored with `client`.
    threads : int, default=None
        Threads of each fold. If None that of the run in `out`; for a new run ``max(1, cpu_count // n_jobs)``, not more than
        the environment variable ``OMP_NUM_THREADS``, and 1 with `client`. Another number changes the last bits of networks.
    client : distributed.Client, default=None
        Runs the folds on a Dask cluster (extra ``dask``) after checking that every worker has the same versions, one
        thread, and the same scans under the same paths. Workers may join and leave.
    random_state : int or None, default=0
        Every ``random_state`` that a model leaves None is derived from this, the model's name and the split. None
        draws a seed, which `out` remembers.
    horizon : float, default=12.0
        Months at which scores of one moment are taken, where y holds times.
    out : path, default=None
        Folder of the run; None keeps the results in memory only.
    cohort_warnings : sequence of str, default=()
        What was warned of while the patients were read; kept in run.json and shown in the report.
    tracker : "mlflow" or callable, default=None
        What gets the finished comparison: :func:`log_to_mlflow` (extra ``mlflow``), or a function of yours that takes it.
    verbose : int, default=1
        0 is silent. Otherwise a progress bar on a terminal; in a log a line per model, and one every few seconds.

    Returns
    -------
    ModelComparison

    Raises
    ------
    CohortError
        Before training, with everything that is wrong with the scans of any model, or patients who have the same scan or
        the same values under several ids and are not in one group.
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
    check_tracker(tracker)
    run = Run(
        models, X, y, cv=cv, scoring=scoring, groups=groups, sample_weight=sample_weight, primary=primary, tune=tune, n_jobs=n_jobs,
        threads=threads, client=client, random_state=random_state, horizon=horizon, out=out, cohort_warnings=cohort_warnings,
        verbose=verbose,
    )  # fmt: skip
    with contextlib.nullcontext() if run.store is None else run.store.locked():
        run.open()
        comparison = run.finish()
    track(tracker, comparison)
    return comparison


class Run:
    """A comparison from its checked inputs to its results; the parameters are those of `compare_models`."""

    def __init__(
        self, models: Any, X: Any, y: Any, *, cv: Any, scoring: Any, groups: Any, sample_weight: Any, primary: Any,
        n_jobs: Any, threads: Any, client: Any, random_state: Any, out: Any, cohort_warnings: Any, verbose: int,
        tune: Any = None, horizon: float = 12.0,
    ):  # fmt: skip
        self.X = as_cohort(X) if (isinstance(X, Mapping) and not isinstance(X, Cohort)) or are_records(X) else X
        self.models = with_times(with_tuning(check_models(models), tune), y, horizon)
        check_predictors(self.X)
        check_same_order(self.X, y, ("X", "y"))
        check_same_order(self.X, sample_weight, ("X", "sample_weight"))
        check_same_order(self.X, groups, ("X", "groups"))
        self.kind = comparison_of(common_target(self.models), horizon)
        self.y = self.kind.check(y, len(self.X))
        self.ids = patient_ids(self.X, len(self.X))
        self.weight = check_weight(sample_weight, len(self.y))
        self.scorers = check_scoring(scoring, self.weight is not None, self.kind.scorers)
        self.primary = check_primary(primary, self.models)
        check_twins(self.X, self.ids, groups)
        if random_state is not None and (not isinstance(random_state, (int, np.integer)) or random_state < 0):
            raise ValueError(f"random_state must be None or an integer of at least 0; got {random_state!r}.")
        self.random_state = None if random_state is None else int(random_state)
        self.cv, self.groups, self.client, self.horizon = cv, groups, client, float(horizon)
        self.jobs, self.threads = jobs_and_threads(n_jobs, threads, client)
        self.threads_given = threads is not None
        self.cohort_warnings = cohort_warnings
        self.progress = ComparisonProgress(verbose)
        self.store = None if out is None else RunStore(out)
        self.before: dict[str, Any] | None = None
        self.splits: list[Split] = []
        self.run: dict[str, Any] = {}
        self.records: dict[str, list[dict[str, Any]]] = {}

    def open(self) -> None:
        """Draw the splits or read those of the folder, which must hold a comparison on the same data or none."""
        data, missing = data_digest(self.X, self.y, self.ids, self.weight)
        if missing:  # said better by the models than as a change of the data
            prepare_models(_estimators(self.models), self.X)
        self.before = before = None if self.store is None else self.store.read_run(data)
        seed = _seed(self.random_state, before)
        if before is not None and not self.threads_given:  # the number of before gives the bits of before
            self.threads = int(before.get("threads_per_fold", self.threads))
        cv = self.cv
        if cv is None:
            repeated: Any = RepeatedStratifiedKFold if self.groups is None else RepeatedStratifiedGroupKFold
            cv = repeated(n_splits=3, n_repeats=10, random_state=seed)
        self.splits, cv_name = choose_splits(
            cv,
            self.kind.strata(self.y),
            self.groups,
            self.store,
            lambda rows: self.kind.learnable(self.y[rows]),
            self.kind.sides(self.y),
        )
        self.run = new_run(
            self.X, self.y, self.weight, data=data, seed=seed, cv=cv_name, splits=self.splits, scorers=self.scorers,
            jobs=self.jobs, threads=self.threads, counts=self.kind.counts(self.y), target=self.kind.described(),
        )  # fmt: skip
        self.run["data"]["warnings"] = [private_text(str(text), self.X) for text in self.cohort_warnings]
        self.run["warnings"] = [] if before is None else before.get("warnings", [])
        if self.primary is not None:
            then = [] if before is None else (before.get("primary") or {}).get("models") or []
            known = before is None or [first_name(one) for one in then] == [first_name(one) for one in self.primary]
            self.run["primary"] = {"models": self.primary, "named": "before" if known else "after"}
        self.records = {name: [] for name in self.models}

    def keep(self, status: str) -> None:
        """Note how far the run has come, in the folder too while it is open."""
        self.run["status"] = status
        self.run["models"] = {
            name: model_entry(model, self.records.get(name, []), len(self.splits))
            for name, model in self.models.items()
        }
        if self.store is not None and status != "finished":
            self.store.write_run(self.run)

    def plan(self, mine: Callable[[int], bool] = lambda _: True) -> list[Task]:
        """Return the folds that are not finished, of those whose place in the list of all folds is `mine`."""
        tasks, self.records = _plan(
            _estimators(self.models), self.splits, self.run, self.scorers, self.store, mine,
            lambda model: self.kind.depends_on(model, self.X, self.y),
        )  # fmt: skip
        warn_of_other_machine(self.records, self.before, self.run)
        return tasks

    def work(self, tasks: list[Task]) -> None:
        """Run folds; their records join those that were there."""
        data = (self.X, self.y, self.weight, self.scorers, self.horizon)
        with self.progress:
            _run(self.models, self.X, tasks, self.records, data, self.run, self.progress, self.client)

    def finish(self) -> ModelComparison:
        """Run what is open and write the results."""
        tasks = self.plan()
        self.keep("running")
        try:
            self.work(tasks)
        except KeyboardInterrupt:
            self.keep("interrupted")
            if self.store is not None:
                kept = sum(entry["n_finished"] for entry in self.run["models"].values())
                self.progress.line(
                    f"Interrupted. {counted(kept, 'fold')} kept in {self.store.folder}; repeat the call to resume."
                )
            raise
        self.run["finished"] = now()
        self.keep("finished")
        comparison = collect(self.run, self.records, self.splits, self.ids, self.X, self.y, self.weight, self.kind)
        if self.store is not None:
            comparison.folder = self.store.folder
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
    mine: Callable[[int], bool],
    depends_on: Callable[[Any], tuple[Any, ...]],
) -> tuple[list[Task], dict[str, list[dict[str, Any]]]]:
    """Return what is to be run, and the records of what is finished."""
    tasks: list[Task] = []
    place = itertools.count()
    records: dict[str, list[dict[str, Any]]] = {name: [] for name in models}
    for name, model in models.items():
        times = depends_on(model)
        for split in splits:
            if not mine(next(place)):
                continue
            seed = fold_seed(run["random_state"], name, split.number)
            key = fold_key(run["data"]["digest"], model, split, seed, scorers, times=times)
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
    lacks: dict[str, tuple[str, ...]] = {}
    for name, error in unable.items():
        reason, lacks[name] = private_text(str(error), X), error.modalities
        records[name].append({"status": "skipped", "reason": reason, "lacks": list(error.modalities), "warnings": []})
        skipped[name] = reason
        del counts[name]
    in_order = {name: skipped[name] for name in models if name in skipped}
    for sentence in skipped_in_words(in_order, run["data"]["modalities"], lacks):
        progress.line(sentence)
    run["hardware"] = hardware()  # by now, models that use torch have loaded it
    costs = {name: expected_cost(models[name], len(X), run["data"]["modalities"]) for name in counts}
    progress.begin_folds(counts, run["cv"]["n_splits"], run["n_jobs"], costs)
    still_open = (task for task in tasks if task.model in counts)
    with (
        warnings.catch_warnings(),
        closing(run_tasks(still_open, data, run["n_jobs"], client)) as finished,
    ):
        # joblib's, where a worker ended; the fold is run again or reported as failed.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"joblib\.externals\.loky")
        for record in finished:
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
