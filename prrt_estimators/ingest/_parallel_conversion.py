"""Converting patients side by side, one after the other finished and told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

from prrt_estimators._captured_warnings import closing
from prrt_estimators.ingest._convert import Converted, Task, convert
from prrt_estimators.ingest._identity_search import IdentitySearch


def run_tasks(
    tasks: Mapping[str, Task], identity: IdentitySearch, n_jobs: int, tell: Callable[[int, int], None]
) -> Generator[Converted, None, None]:
    """Convert every patient, and give one after the other; `tell` hears how many are done.

    Raises
    ------
    MemoryError
        If the system ended a process, as it does when memory runs out; what is finished stays finished.
    """
    total = len(tasks)
    # Closed at once where nobody asks any more: joblib's workers are shared, and end with a generator that is forgotten.
    with closing(_results(tasks, identity, n_jobs)) as results:
        for done, result in enumerate(results, 1):
            tell(done, total)
            yield result


def _results(tasks: Mapping[str, Task], identity: IdentitySearch, n_jobs: int) -> Generator[Converted, None, None]:
    yield from (Converted(task.patient, {"files": {}}) for task in tasks.values() if not any(task.files.values()))
    with_images = (task for task in tasks.values() if any(task.files.values()))
    if n_jobs == 1 or len(tasks) < 2:
        yield from (convert(task, identity) for task in with_images)
        return
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        # Few in flight: each may hold a whole scan.
        # Whatever joblib context is active: names and dates of birth stay on this machine.
        run = Parallel(n_jobs=n_jobs, backend="loky", return_as="generator", pre_dispatch=n_jobs, batch_size=1)
        yield from run(delayed(convert)(task, identity) for task in with_images)
    except TerminatedWorkerError:
        raise MemoryError(
            "the system ended a process, most likely because memory ran out. Run the same again with fewer --jobs: "
            "finished patients are kept."
        ) from None
