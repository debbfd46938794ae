"""``prrt check``: everything that is wrong with a table and its scans, at once."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from prrt_estimators._arguments import parameter
from prrt_estimators._modalities import IMAGING
from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import MODEL_FAILED, OK, print_table, reported, say
from prrt_estimators.cli._model_options import takes_models

_SINGLE = 3  # a problem that more patients share is told once, with this many of them


@reported
@o.takes_table
@takes_models("size", "spacing", "cache_dir")
def check(
    cohort: o.CohortFile,
    folds: o.Folds = 3,
    quiet: o.Quiet = False,
    *,
    table: dict[str, Any],
    model_options: dict[str, Any],
) -> int | None:
    """List everything that is wrong with a cohort table, its scans and its masks, with patient and remedy.

    Scans are opened and brought to the box of --size and --spacing, so that a comparison with the same box finds
    them prepared.

    Exit code: 0 nothing is wrong, 1 problems were found, 2 the table cannot be read.
    """
    from prrt_estimators.datasets import check_cohort, load_cohort
    from prrt_estimators.exceptions import CohortWarning
    from prrt_estimators.model_selection._duplicate_patients import twin_problems

    options = {name: value for name, value in model_options.items() if value is not None}
    _check_table(cohort, table["sheet"])
    problems, unopened = check_cohort(cohort, **table), 0
    if problems:
        X = _scans_only(cohort, table)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CohortWarning)  # `check_cohort` has said it
            data = load_cohort(cohort, verbose=not quiet, **table)
        X, unopened = data.X, len(data.excluded) if set(IMAGING) & set(data.X) else 0
        problems = _class_problems(data, folds) + twin_problems(X, X.ids, data.group)
    masks, notices = _mask_problems(X, quiet)
    problems = list(dict.fromkeys([*problems, *_scan_problems(X, options, quiet), *masks]))
    if not quiet:
        for one in notices:
            say(f"Note: {one}")
    if not problems:
        left = f" The scans of the {unopened} left out were not opened." if unopened else ""
        say(f"Nothing is wrong with the {len(X)} patients of {cohort}.{left}")
        return OK
    print_table(_as_table(problems), title=f"{len(problems)} problem(s) in {cohort.name}")
    return MODEL_FAILED


def _check_table(cohort: Path, sheet: int | str) -> None:
    from prrt_estimators.datasets._tables import read_table
    from prrt_estimators.exceptions import CohortError

    read = read_table(cohort, sheet)
    if read.problems and not len(read.frame):
        raise CohortError(read.problems)


def _class_problems(data: Any, folds: int) -> list[Any]:
    from prrt_estimators.exceptions import Problem

    if data.y is None:
        return []
    found = []
    for name, count in (("short", int((data.y == 0).sum())), ("long", int((data.y == 1).sum()))):
        if count < folds:
            what = f"{count} {'patient has' if count == 1 else 'patients have'} {name} PFS, too few for {folds} folds"
            found.append(
                Problem(what, f"use fewer {parameter('folds')}, another {parameter('horizon')}, or more patients")
            )
    return found


def _scans_only(cohort: Any, table: dict[str, Any]) -> Any:
    """Cohort of the scans that exist, whatever else is wrong with the table; None if there is none."""
    import os

    import numpy as np

    from prrt_estimators.cohort import Cohort
    from prrt_estimators.datasets._checks import read_ids, resolve_paths
    from prrt_estimators.datasets._options import Options
    from prrt_estimators.datasets._roles import assign_roles
    from prrt_estimators.datasets._tables import read_table

    options = Options(**table)
    read = read_table(cohort, options.sheet)
    if not len(read.frame):
        return None
    roles = assign_roles(read.frame, options)
    ids, _ = read_ids(read.frame, roles)

    def existing(column: str) -> list[str | None]:
        paths = resolve_paths(read.frame[column], options.folder or read.folder)
        return [path if path is not None and os.path.isfile(path) else None for path in paths]

    scans = {name: existing(column) for name, column in roles.scans.items()}
    masks = {name: existing(column) for name, column in roles.masks.items()}
    return Cohort(scans, ids=np.asarray(ids, dtype=object), masks=masks) if scans else None


def _scan_problems(X: Any, options: dict[str, Any], quiet: bool) -> list[Any]:
    from rich.console import Console
    from rich.progress import Progress

    from prrt_estimators.exceptions import CohortError
    from prrt_estimators.preprocessing import prepare_volumes

    if X is None or not set(IMAGING) & set(X):
        return []
    console = Console(stderr=True)
    with Progress(console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("scans", total=len(X))
        try:
            prepare_volumes(X, progress=lambda done, _: bar.update(task, completed=done), **options)
        except CohortError as error:
            return list(error.problems)
    return []


def _mask_problems(X: Any, quiet: bool) -> tuple[list[Any], list[Any]]:
    from rich.console import Console
    from rich.progress import Progress

    from prrt_estimators.contours import check_masks

    if X is None or not X.masks:
        return [], []
    console = Console(stderr=True)
    with Progress(console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("masks", total=None)
        return check_masks(X, progress=lambda done, total: bar.update(task, completed=done, total=total))


def _as_table(problems: list[Any]) -> Any:
    """Table of problems; one row for a problem that many patients share."""
    import pandas as pd

    shared: dict[Any, list[Any]] = {}
    for one in problems:
        shared.setdefault((one.what, one.remedy, one.column, one.patient is None), []).append(one)
    groups = [group for key, several in shared.items() for group in _grouped(several, apart=key[3])]
    return pd.DataFrame(
        [
            {
                "patient": _listed([one.patient or "" for one in group], "patients"),
                "column": group[0].column or "",
                "file": _listed([one.file or "" for one in group], "files"),
                "problem": group[0].what,
                "remedy": group[0].remedy,
            }
            for group in groups
        ]
    )


def _grouped(problems: list[Any], apart: bool) -> list[list[Any]]:
    return [[one] for one in problems] if apart or len(problems) <= _SINGLE else [problems]


def _listed(texts: list[str], kind: str) -> str:
    several = list(dict.fromkeys(text for text in texts if text))
    if len(several) <= _SINGLE:
        return ", ".join(several)
    return f"{', '.join(several[:_SINGLE])} and {len(several) - _SINGLE} more {kind}"
