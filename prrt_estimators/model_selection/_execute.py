"""Run folds in worker processes, so that one that dies takes only its own model along."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from pickle import PicklingError
from typing import Any

import numpy as np
from joblib import Parallel, cpu_count, delayed, effective_n_jobs
from joblib.parallel import (
    LokyBackend,
    MultiprocessingBackend,
    SequentialBackend,
    ThreadingBackend,
    get_active_backend,
)

from prrt_estimators._captured_warnings import closing
from prrt_estimators.model_selection._dask import n_workers, run_on_dask
from prrt_estimators.model_selection._fold import Task, run_fold

try:
    from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor
    from joblib.externals.loky.process_executor import TerminatedWorkerError
except ImportError:  # a joblib that no longer carries its own copy
    from loky import BrokenProcessPool, ProcessPoolExecutor
    from loky.process_executor import TerminatedWorkerError

#: Backends whose processes, if any, are children of this one. A subclass, as Ray's, is another backend.
_OURS = (LokyBackend, MultiprocessingBackend, SequentialBackend, ThreadingBackend)

_DIED = (
    "the process that trained this model ended without an answer, most often because memory ran out. Use fewer "
    "jobs, a smaller box or a smaller batch."
)


def jobs_and_threads(n_jobs: int | None, threads: int | None, client: Any = None) -> tuple[int, int]:
    """Return how many folds run at once, and with how many threads each.

    Raises
    ------
    ValueError
        If `threads` is not a whole number of at least 1.
    """
    jobs = effective_n_jobs(n_jobs) if client is None else n_workers(client)
    if threads is not None:
        if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
            raise ValueError(f"`threads` must be a whole number of at least 1; got {threads!r}.")
        return jobs, int(threads)
    if client is not None:
        return jobs, 1
    named = os.environ.get("OMP_NUM_THREADS", "")
    most = int(named) if named.isdecimal() and int(named) else cpu_count()
    return jobs, max(1, min(cpu_count() // jobs, most))


def run_tasks(
    tasks: Iterable[Task], data: tuple[Any, ...], n_jobs: int, client: Any = None
) -> Generator[dict[str, Any], None, None]:
    """Yield the record of each task as it finishes.

    Once a model has failed on one fold, its other folds are not begun (except under a joblib backend that answers only
    when all folds are done).

    Parameters
    ----------
    tasks : iterable of Task
    data : tuple
        The further arguments of `run_fold`.
    n_jobs : int
        Worker processes; 1 works in this one.
    client : distributed.Client, default=None
        Runs the folds on a Dask cluster.
    """
    if client is not None:
        yield from run_on_dask(tasks, data, client)
        return
    backend = get_active_backend()[0]
    if type(backend) not in _OURS or not backend.supports_return_generator:
        yield from _run_elsewhere(tasks, data, n_jobs, backend)
        return
    open_tasks = {(task.model, task.split.number): task for task in tasks}
    given_up: set[str] = set()

    def calls() -> Iterator[Any]:
        for task in list(open_tasks.values()):
            if task.model not in given_up:
                yield delayed(_numbered)(task, data, os.getpid())

    try:
        workers = Parallel(n_jobs=_useful(n_jobs, open_tasks), return_as="generator_unordered")
        # Closed at once where nobody asks any more: a generator that is forgotten later takes all of joblib's workers along.
        with closing(workers(calls())) as answers:
            for number, record in answers:
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


def _useful(n_jobs: int, open_tasks: Mapping[Any, Task]) -> int:
    """Return the workers that have a task: each takes seconds and some hundred MB to start."""
    return max(2, min(n_jobs, len(open_tasks))) if n_jobs > 1 else n_jobs


def _run_elsewhere(tasks: Iterable[Task], data: tuple[Any, ...], n_jobs: int, backend: Any) -> Iterator[dict[str, Any]]:
    """Run folds on the workers of a backend that the caller chose (Dask, Ray, ...), whose processes are not ours to end."""
    calls = (delayed(_run)(task, data) for task in tasks)
    if getattr(backend, "supports_return_generator", False):
        yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(calls)
    else:
        yield from Parallel(n_jobs=n_jobs)(calls)


def _run(task: Task, data: tuple[Any, ...]) -> dict[str, Any]:
    return run_fold(task, *data)


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
    return task.failed(reason)
