"""A comparison in parts, for clusters that run many commands and know nothing of each other."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prrt_estimators._arguments import parameter
from prrt_estimators._io import atomic_write
from prrt_estimators.model_selection._compare import Run
from prrt_estimators.model_selection._run_store import RunInProgressError, RunStore

#: Seconds that parts which start at once wait for each other while the splits are drawn.
_WAIT = 600.0


def compare_part(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    part: tuple[int, int],
    out: str | os.PathLike[str],
    cv: Any = None,
    scoring: Any = None,
    groups: Any = None,
    sample_weight: Any = None,
    primary: Sequence[str] | None = None,
    n_jobs: int | None = None,
    threads: int | None = None,
    random_state: int = 0,
    horizon: float = 12.0,
    cohort_warnings: Sequence[str] = (),
    verbose: int = 1,
) -> bool:
    """Run one part of the folds of a comparison; the last part to finish writes the results.

    Parts share the folder `out` and may run in any order, at once and on several machines; a part that was interrupted
    is called again. The results are those of :func:`compare_models` with the same arguments, byte for byte on equal
    machines.

    Parameters
    ----------
    models : mapping of str to estimator or Skipped
        As for :func:`compare_models`, as are all further parameters that are not described here.
    X : Cohort, mapping of modalities, DataFrame or array of shape (n, ...)
    y : array-like of shape (n,)
    part : tuple of int
        Number of this part, from 1, and of all parts, e.g. ``(3, 8)``.
    out : path
        Folder of the run, seen by all parts.
    cv : splitter, int or iterable, default=None
    scoring : str, list of str, callable or dict of scorers, default=None
    groups : array-like of shape (n,), default=None
    sample_weight : array-like of shape (n,), default=None
    primary : pair of str, default=None
    n_jobs : int, default=None
    threads : int, default=None
    random_state : int, default=0
    horizon : float, default=12.0
    cohort_warnings : sequence of str, default=()
    verbose : int, default=1

    Returns
    -------
    bool
        Whether all parts have finished and the results are written.

    Raises
    ------
    ValueError
        If `part` is out of range, or the folder was begun with another number of parts.
    RunInProgressError
        If another process runs the same part.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = np.arange(12.0)[:, None], np.tile([0, 1], 6)
    >>> with tempfile.TemporaryDirectory() as out:
    ...     for number in (2, 1):
    ...         done = compare_part({"linear": LogisticRegression()}, X, y, part=(number, 2), out=out, cv=3, verbose=0)
    ...         print(f"part {number} of 2, results written: {done}")
    part 2 of 2, results written: False
    part 1 of 2, results written: True
    """
    number, of = check_part(part)
    run = Run(
        models, X, y, cv=cv, scoring=scoring, groups=groups, sample_weight=sample_weight, primary=primary, n_jobs=n_jobs,
        threads=threads, client=None, random_state=random_state, horizon=horizon, out=out, cohort_warnings=cohort_warnings,
        verbose=verbose,
    )  # fmt: skip
    store = run.store or RunStore(out)
    # Whoever asks which parts are at work holds each lock for a moment.
    with store.locked(wait=5, part=(number, of)):
        with store.locked(wait=_WAIT):
            run.open()
            others = _finished(store.folder)
            if any(n != of for _, n in others):
                raise ValueError(
                    f"{parameter('part')} must be one of {others[0][1]} parts, as {store.folder} was begun; got {number} of {of}. Use the "
                    "same number of parts, or another folder."
                )
            if run.before is None:
                run.keep("running")
        run.work(run.plan(lambda place: place % of == number - 1))
        with atomic_write(_mark(store.folder, number, of)) as temporary:
            temporary.write_text(json.dumps({"part": number, "of": of}) + "\n", encoding="utf-8")
    if len(_finished(store.folder)) < of:
        return False
    try:
        with store.locked():
            if len(_finished(store.folder)) < of:
                return True  # another part has just written the results
            run.open()
            run.finish()
            for path in [*_marks(store.folder), *store.folder.glob(".lock-part-*-of-*")]:
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                (store.folder / "parts").rmdir()
    except RunInProgressError:
        pass  # another part writes the results
    return True


def missing_parts(folder: str | os.PathLike[str]) -> list[int]:
    """Return the parts of a run in parts that have not finished; none if the folder holds no run in parts.

    Parameters
    ----------
    folder : path
        Folder of the run.

    Returns
    -------
    list of int

    Examples
    --------
    >>> missing_parts("no such folder")
    []
    """
    done = _finished(Path(folder))
    return [] if not done else sorted(set(range(1, done[0][1] + 1)) - {number for number, _ in done})


def check_part(part: Any) -> tuple[int, int]:
    """Return the number of a part and of parts.

    Raises
    ------
    ValueError
        If these are not two whole numbers, the first between 1 and the second.
    """
    try:
        number, of = (int(value) for value in part)
    except (TypeError, ValueError):
        number, of = 0, 0
    if not 1 <= number <= of:
        raise ValueError(
            f"{parameter('part')} must be (number, of), with 1 <= number <= of; got {part!r}. Pass e.g. (3, 8)."
        )
    return number, of


def _mark(folder: Path, number: int, of: int) -> Path:
    return folder / "parts" / f"{number}-of-{of}.json"


def _marks(folder: Path) -> list[Path]:
    return sorted((folder / "parts").glob("*-of-*.json"))


def _finished(folder: Path) -> list[tuple[int, int]]:
    pairs = (path.stem.split("-of-") for path in _marks(folder))
    return [(int(number), int(of)) for number, of in pairs if number.isdecimal() and of.isdecimal()]
