"""Run folds in worker processes, so that one that dies takes only its own model along."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Iterable, Iterator
from pickle import PicklingError
from typing import Any

from joblib import Parallel, delayed

from prrt_estimators.model_selection._fold import Task, run_fold

try:
    from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor
    from joblib.externals.loky.process_executor import TerminatedWorkerError
except ImportError:  # a joblib that no longer carries its own copy
    from loky import BrokenProcessPool, ProcessPoolExecutor  # type: ignore[no-redef]
    from loky.process_executor import TerminatedWorkerError  # type: ignore[no-redef]

_DIED = (
    "the process that trained this model ended without an answer, most often because memory ran out. Use fewer "
    "jobs, a smaller box or a smaller batch."
)


def run_tasks(tasks: Iterable[Task], data: tuple[Any, ...], n_jobs: int) -> Iterator[dict[str, Any]]:
    """Yield the record of each task as it finishes.

    Once a model has failed on one fold, its other folds are not begun.

    Parameters
    ----------
    tasks : iterable of Task
    data : tuple
        The further arguments of `run_fold`.
    n_jobs : int
        Worker processes; 1 works in this one.
    """
    open_tasks = {(task.model, task.split.number): task for task in tasks}
    given_up: set[str] = set()

    def calls() -> Iterator[Any]:
        for task in list(open_tasks.values()):
            if task.model not in given_up:
                yield delayed(_numbered)(task, data, os.getpid())

    try:
        for number, record in Parallel(n_jobs=n_jobs, return_as="generator_unordered")(calls()):
            del open_tasks[record["model"], number]
            if record["status"] != "ok":
                given_up.add(record["model"])
            yield record
        return
    except (BrokenProcessPool, PicklingError):
        pass
    # Which fold it was cannot be told from a broken pool: the rest run one at a time, each answering for itself.
    pool = ProcessPoolExecutor(max_workers=1)
    try:
        for task in open_tasks.values():
            if task.model in given_up:
                continue
            record = _run_alone(pool, task, data)
            if record["status"] != "ok":
                given_up.add(task.model)
                pool.shutdown(wait=False, kill_workers=True)
                pool = ProcessPoolExecutor(max_workers=1)
            yield record
    finally:
        pool.shutdown(wait=False, kill_workers=True)


def _numbered(task: Task, data: tuple[Any, ...], parent: int) -> tuple[int, dict[str, Any]]:
    if os.getpid() != parent and os.name == "posix":
        _end_with(parent)
    return task.split.number, run_fold(task, *data)


@functools.cache
def _end_with(parent: int) -> None:
    """Let this worker end with the process that started it, which may be killed without a word to its workers."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run_alone(pool: ProcessPoolExecutor, task: Task, data: tuple[Any, ...]) -> dict[str, Any]:
    try:
        return pool.submit(_numbered, task, data, os.getpid()).result()[1]
    except TerminatedWorkerError:
        reason = _DIED
    except (BrokenProcessPool, PicklingError) as error:
        # The cause is the text of a traceback in quotation marks; its last line says what it was.
        said = str(error.__cause__ or error).strip('\n"').splitlines()
        reason = f"the model cannot be sent to a worker process ({said[-1] if said else error}). Use one job."
    return {
        "key": task.key, "model": task.model, "repeat": task.split.repeat, "fold": task.split.fold,
        "seed": task.seed, "threads": task.threads, "status": "failed", "reason": reason, "warnings": [],
    }  # fmt: skip
