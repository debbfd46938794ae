"""Progress of a comparison: a bar on a terminal, a line a model in a log, silence on request."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class ComparisonProgress:
    """Tell on stderr how far a comparison has come.

    Parameters
    ----------
    verbose : int
        0 is silent.
    """

    def __init__(self, verbose: int):
        self._left: dict[str, int] = {}
        self._given_up: set[str] = set()
        self._verbose = verbose
        self._bars: Progress | None = None
        self._rows: dict[str, Any] = {}
        console = Console(stderr=True)
        if verbose and console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console,
            )  # fmt: skip

    def __enter__(self) -> ComparisonProgress:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def prepared(self, model: str, done: int, total: int) -> None:
        """Count scans that were checked and brought to the box of `model`."""
        if self._bars is None:
            return
        if "" not in self._rows:
            self._rows[""] = self._bars.add_task("scans", total=total, note="")
        note = model if done < total else ""
        self._bars.update(self._rows[""], completed=done, total=total, description="scans", note=note)

    def begin_folds(self, folds: Mapping[str, int]) -> None:
        """Set how many folds of each model are still to run."""
        self._left = dict(folds)
        if self._bars is not None:
            self._rows["folds"] = self._bars.add_task("folds", total=sum(folds.values()), note="")

    def fold(self, model: str) -> None:
        """Count one fold of `model` as finished."""
        if model in self._given_up:
            return
        self._left[model] -= 1
        if self._bars is not None:
            self._bars.update(self._rows["folds"], advance=1, note=model)

    def left(self, model: str) -> int:
        """Folds of `model` still to run."""
        return self._left.get(model, 0)

    def give_up(self, model: str) -> bool:
        """Leave out the folds of a model that failed; return whether this is news."""
        if model in self._given_up:
            return False
        self._given_up.add(model)
        rest = self._left.get(model, 0)
        if self._bars is not None and "folds" in self._rows:
            self._bars.update(self._rows["folds"], advance=rest)
        return True

    def line(self, text: str) -> None:
        """Say something that stays."""
        if not self._verbose:
            return
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)
