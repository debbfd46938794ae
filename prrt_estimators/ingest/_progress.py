"""Progress of an ingest: bars on a terminal, silence elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Any


class IngestProgress:
    """Tell on stderr how far headers and patients have come.

    Parameters
    ----------
    verbose : bool
    """

    def __init__(self, verbose: bool):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=console, disable=not (verbose and console.is_terminal))
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> IngestProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def headers(self, done: int, total: int) -> None:
        """Count headers that were read."""
        self._show("headers", done, total)

    def patient(self, done: int, total: int) -> None:
        """Count patients that were converted."""
        self._show("patients", done, total)

    def _show(self, name: str, done: int, total: int) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total)
        self._bars.update(self._tasks[name], completed=done, total=total)
