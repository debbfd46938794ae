"""Progress of a comparison: a bar on a terminal, a line now and then in a log, silence on request."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from prrt_estimators._text import shown_text
from prrt_estimators.model_selection._fold_costs import FoldCost

#: Seconds between two lines in a log that only tell how far it has come.
PAUSE = 5.0


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
        self._seconds: dict[str, list[float]] = {}
        self._costs: Mapping[str, FoldCost] = {}
        self._n_splits = 0
        self._at_once = 1
        self._verbose = verbose
        self._bars: Progress | None = None
        self._rows: dict[str, Any] = {}
        self._told = time.monotonic()
        console = Console(stderr=True)
        if verbose and console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}", markup=False), BarColumn(bar_width=12), MofNCompleteColumn(),
                TimeElapsedColumn(), console=console,
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
            self._now_and_then(f"checking scans: {done} of {total} ({_label(model)})")
            return
        if "" not in self._rows:
            self._rows[""] = self._bars.add_task("scans", total=total)
        text = f"scans ({_label(model)})" if done < total else "scans"
        self._bars.update(self._rows[""], completed=done, total=total, description=text)

    def begin_folds(
        self, folds: Mapping[str, int], n_splits: int, at_once: int = 1, costs: Mapping[str, FoldCost] | None = None
    ) -> None:
        """Set how many folds of each model are still to run, of how many, how many at once, and what each may take."""
        self._left, self._n_splits, self._costs = dict(folds), n_splits, costs or {}
        total = sum(folds.values())
        self._at_once = max(1, min(at_once, total))
        if self._bars is not None:
            self._rows["folds"] = self._bars.add_task(self.where(), total=total)
        elif total:
            self.line(self.where())

    def fold(self, model: str, seconds: float | None = None) -> None:
        """Count one fold of `model` as finished, which took some seconds."""
        if model in self._given_up:
            return
        self._left[model] -= 1
        if seconds is not None:
            self._seconds.setdefault(model, []).append(seconds)
        if self._bars is not None:
            self._bars.update(self._rows["folds"], advance=1, description=self.where())
        elif self._left[model]:  # what came out of a model is said when its last fold is done
            self._now_and_then(self.where())

    def where(self) -> str:
        """Say which fold of which model is at work, and about how long the rest takes."""
        open_models = [name for name, left in self._left.items() if left and name not in self._given_up]
        if not open_models:
            return "folds"
        name = open_models[0]
        number = list(self._left).index(name) + 1
        text = f"model {number} of {len(self._left)} ({_label(name)}), fold {self._n_splits - self._left[name] + 1} of "
        return f"{text}{self._n_splits}{self._rest(open_models)}"

    def _rest(self, open_models: list[str]) -> str:
        """Time left by the folds that were measured, and by what is expected of models that have none yet."""
        means = {name: sum(found) / len(found) for name, found in self._seconds.items()}
        expected = {name: means[name] if name in means else self._expected(name, means) for name in open_models}
        slowest = max([one for one in (*expected.values(), *means.values()) if one is not None], default=None)
        if slowest is None:
            return ""
        # A model of which nothing is known counts as the slowest.
        total = sum(self._left[name] * (slowest if one is None else one) for name, one in expected.items())
        at_once = min(self._at_once, sum(self._left[name] for name in open_models))
        known = None not in expected.values()
        return f", about {_duration(total / at_once)} left" + ("" if known else " if no later model is slower")

    def _expected(self, model: str, means: Mapping[str, float]) -> float | None:
        """Seconds of a fold that nobody has measured: as much slower than expected as the others of its kind were."""
        cost = self._costs.get(model)
        if cost is None:
            return None
        alike = [name for name in means if name in self._costs and self._costs[name].network == cost.network]
        if not alike:
            return cost.seconds
        return cost.seconds * sum(means[name] for name in alike) / sum(self._costs[name].seconds for name in alike)

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
            self._bars.update(self._rows["folds"], advance=rest, description=self.where())
        return True

    def done(self, text: str) -> None:
        """Say what came out of a model, and what is next."""
        following = self.where()
        self.line(text if self._bars is not None or following == "folds" else f"{text}; now {following}")

    def line(self, text: str) -> None:
        """Say something that stays."""
        if not self._verbose:
            return
        self._told = time.monotonic()
        text = shown_text(text)
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def _now_and_then(self, text: str) -> None:
        if time.monotonic() - self._told >= PAUSE:
            self.line(text)


def _label(model: str) -> str:
    from prrt_estimators.plotting import model_label  # brings matplotlib, which is slow to load

    return model_label(model)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(10, 10 * math.ceil(seconds / 10))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
