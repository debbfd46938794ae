"""Run folds on a Dask cluster: workers are checked before the first fold, a dead one costs at most its own folds."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from prrt_estimators._extras import require
from prrt_estimators._io import make_folder
from prrt_estimators.cohort import Cohort
from prrt_estimators.model_selection._environment import versions
from prrt_estimators.model_selection._fold import Task, read_record, run_fold, write_record

#: Bytes of voxels in memory above which a cohort is not sent to workers; files travel as paths.
MAX_SENT = 256 * 2**20

#: Times that a fold is sent anew after the workers that held its patients have gone.
MAX_TRIES = 3

_DIED = (
    "the workers that trained this model ended without an answer, most often because memory ran out. Give each worker "
    "more memory, or use a smaller box or a smaller batch."
)


class ClusterError(RuntimeError):
    """A Dask cluster is not fit for a comparison; nothing was run.

    Parameters
    ----------
    problems : iterable of str
        What is wrong, one entry per worker and kind.
    """

    def __init__(self, problems: Iterable[str]):
        self.problems = tuple(problems)
        super().__init__("the cluster cannot run this comparison: " + " ".join(self.problems))


def connect(scheduler: str) -> Any:
    """Return a client of a scheduler: an address, a scheduler file, or "local" for workers on this machine.

    Raises
    ------
    MissingDependencyError
        If Dask is not installed.
    """
    distributed = require("distributed", "a Dask cluster", "dask")
    if scheduler == "local":
        return distributed.Client(distributed.LocalCluster(threads_per_worker=1, dashboard_address=None))
    if "://" in scheduler:
        return distributed.Client(scheduler)
    if not Path(scheduler).is_file():
        raise FileNotFoundError(
            f"the scheduler file {scheduler} does not exist. Start one with `dask scheduler --scheduler-file {scheduler}`, "
            "or pass an address such as tcp://host:8786, or local."
        )
    return distributed.Client(scheduler_file=scheduler)


def n_workers(client: Any) -> int:
    """Return how many workers a client can use now, at least 1."""
    return max(1, len(client.scheduler_info(n_workers=-1)["workers"]))


def run_on_dask(tasks: Iterable[Task], data: tuple[Any, ...], client: Any) -> Iterator[dict[str, Any]]:
    """Yield the record of each task as it finishes on the cluster.

    A worker writes the fold where it sees the results folder; where no worker does, this process writes. A worker that
    dies costs a repetition of the folds it was at work on, and none that it had written.

    Parameters
    ----------
    tasks : iterable of Task
    data : tuple
        The further arguments of `run_fold`, the patients first.
    client : distributed.Client

    Raises
    ------
    ClusterError
        Before the first fold, if workers differ from this process or from each other.
    """
    tasks = list(tasks)
    if not tasks:
        return
    distributed = require("distributed", "a Dask cluster", "dask")
    _check_size(data[0])
    shared = check_workers(client, data[0], _folder(tasks))
    futures: dict[Any, Task] = {}
    tries: Counter[str] = Counter()
    given_up: set[str] = set()
    waiting = distributed.as_completed()
    # Another comparison on the same cluster must not be handed the results of this one.
    run = secrets.token_hex(4)
    patients = _send(client, data)

    def submit(task: Task) -> None:
        sent = task if shared else replace(task, target=None)
        name = f"prrt-fold-{run}-{task.key}-{tries[task.key]}"
        future = client.submit(_run_once, sent, patients, key=name, pure=False)
        futures[future] = task
        waiting.add(future)

    try:
        for task in tasks:
            submit(task)
        for future in waiting:
            task = futures[future]
            if task.model in given_up:
                continue
            if future.status == "cancelled":  # the workers that held the patients are gone
                tries[task.key] += 1
                if tries[task.key] <= MAX_TRIES:
                    patients = _send(client, data)
                    submit(task)
                    continue
            record = _record(future, task)
            if not shared and task.target is not None and record["status"] == "ok":
                write_record(task.target, record)
            if record["status"] != "ok":
                given_up.add(task.model)
                client.cancel([other for other, its in futures.items() if its.model == task.model])
            yield record
    finally:
        client.cancel(list(futures))


def _send(client: Any, data: tuple[Any, ...]) -> Any:
    """Return the patients on every worker that is there now; workers that join later copy them from those."""
    client.wait_for_workers(1)
    return client.scatter([data], broadcast=True, hash=False)[0]


def _run_once(task: Task, data: tuple[Any, ...]) -> dict[str, Any]:
    """Run a fold, unless a worker that died had already written it."""
    finished = None if task.target is None else read_record(task.target)
    if finished is not None and finished["key"] == task.key:
        return finished
    return run_fold(task, *data)


def _record(future: Any, task: Task) -> dict[str, Any]:
    if future.status == "finished":
        return future.result()
    if future.status == "cancelled":
        return task.failed(_DIED)
    error = future.exception()
    died = type(error).__name__ == "KilledWorker"
    reason = _DIED if died else f"the fold could not be run on a worker ({type(error).__name__}: {error})."
    return task.failed(reason)


def _folder(tasks: list[Task]) -> Path | None:
    return next((task.target.parent.parent for task in tasks if task.target is not None), None)


def _check_size(X: Any) -> None:
    size = _voxel_bytes(X)
    if size > MAX_SENT:
        raise ClusterError(
            [
                f"the scans are {size / 2**20:.0f} MB of arrays, and every worker would be sent a copy (limit "
                f"{MAX_SENT / 2**20:.0f} MB). Write them to files and pass the paths."
            ]
        )


def _voxel_bytes(X: Any) -> int:
    if not isinstance(X, Cohort):
        return int(getattr(X, "nbytes", 0))
    return sum(int(getattr(getattr(X[name], "array", None), "nbytes", 0) or 0) for name in X.modalities)


# Before the first fold --------------------------------------------------------------------------------------------


def check_workers(client: Any, X: Any, folder: Path | None) -> bool:
    """Return whether the workers see the results folder.

    Raises
    ------
    ClusterError
        With everything that is wrong: other versions, several threads in a worker, scans that are missing or differ,
        a folder that only some workers see.
    """
    info = client.scheduler_info(n_workers=-1)["workers"]
    if not info:
        raise ClusterError(["no worker is connected. Start some with `dask worker --nthreads 1`."])
    problems = []
    for address, worker in info.items():
        if worker["nthreads"] != 1:
            problems.append(
                f"{_name(address, worker)} has {worker['nthreads']} threads: folds would share libraries that count on "
                "one. Start workers with --nthreads 1."
            )
    scans = scan_stamps(X)
    with _token(folder) as token:
        found = client.run(look_around, [path for path, _ in scans], token)
    here = versions()
    seen = {}
    for address, answer in found.items():
        worker = _name(address, info.get(address, {}))
        other = [
            f"{name} {answer['versions'].get(name, 'missing')} instead of {version}"
            for name, version in here.items()
            if answer["versions"].get(name) != version
        ]
        if other:
            problems.append(f"{worker} has other versions: {', '.join(other)}. Install the same on every worker.")
        differ = [path for (path, stamp), its in zip(scans, answer["scans"], strict=True) if stamp != its]
        if differ:
            patient = _patient_of(X, differ[0])
            problems.append(
                f"{worker} does not see the scan of {patient} as it is here ({len(differ)} of {len(scans)} scans are "
                "missing or differ there). Put scans where every worker sees them under the same path."
            )
        seen[worker] = answer["token"]
    if folder is not None and any(seen.values()) and not all(seen.values()):
        blind = [worker for worker, sees in seen.items() if not sees]
        problems.append(
            f"the results folder is not seen by {', '.join(blind)}. Share it with all workers, or with none."
        )
    if problems:
        raise ClusterError(problems)
    return folder is not None and all(seen.values())


def scan_stamps(X: Any) -> list[tuple[str, tuple[int, int] | None]]:
    """Return (path, (bytes, time of change in ns)) of every scan in a file."""
    return [(path, _stamp(path)) for path, _ in _scans(X)]


def _stamp(path: str) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_size, found.st_mtime_ns
    return None


def look_around(paths: list[str], token: str | None) -> dict[str, Any]:
    """Return what a worker has and sees; runs on the worker."""
    return {
        "versions": versions(),
        "scans": [_stamp(path) for path in paths],
        "token": token is not None and os.path.exists(token),
    }


@contextlib.contextmanager
def _token(folder: Path | None) -> Iterator[str | None]:
    """Yield the path of a file that only those see who share the results folder."""
    if folder is None:
        yield None
        return
    make_folder(folder)
    token = folder / f".seen-{secrets.token_hex(8)}"
    token.touch()
    try:
        yield str(token.resolve())
    finally:
        token.unlink(missing_ok=True)


def _name(address: str, worker: dict[str, Any]) -> str:
    return f"worker {worker.get('name') or address}"


def _patient_of(X: Cohort, path: str) -> str:
    return next(f"patient {patient}" for one, patient in _scans(X) if one == path)


def _scans(X: Any) -> Iterator[tuple[str, str]]:
    """Yield (path, patient id) of every scan in a file."""
    for name in X.modalities if isinstance(X, Cohort) else ():
        paths = getattr(X[name], "paths", None)
        for path, patient in zip([] if paths is None else paths, X.ids, strict=False):
            if path is not None:
                yield str(path), str(patient)
