"""What is to be done for each patient, kept on disk until it is its turn."""

from __future__ import annotations

from typing import Any

from prrt_estimators.ingest._contour_choice import ContourWishes
from prrt_estimators.ingest._contour_plan import ContourTask
from prrt_estimators.ingest._convert import Task
from prrt_estimators.ingest._spilled import Spilled


def spilled_tasks() -> Spilled[Task]:
    """Return an empty mapping of tasks by pseudonym, which holds none of them in memory.

    Examples
    --------
    >>> tasks = spilled_tasks()
    >>> tasks["P1"] = Task("P1", "out/P1", "export", {"a": ["b", "c"]}, "", "")
    >>> tasks["P1"] == Task("P1", "out/P1", "export", {"a": ["b", "c"]}, "", "")
    True
    """
    return Spilled(_of_task, _task)


def _of_task(task: Task) -> dict[str, Any]:
    drawn = task.contours
    places = {kind: [[sorted(series), frame] for series, frame in tried] for kind, tried in drawn.places.items()}
    named = None if drawn.named is None else sorted(drawn.named)
    told = vars(drawn) | {"places": places, "named": named, "foreign": sorted(drawn.foreign)}
    return vars(task) | {"contours": told | {"wishes": vars(drawn.wishes)}}


def _task(told: dict[str, Any]) -> Task:
    drawn = told["contours"]
    contours = ContourTask(
        files=tuple(drawn["files"]),
        places={
            kind: [(frozenset(series), frame) for series, frame in tried] for kind, tried in drawn["places"].items()
        },
        named=None if drawn["named"] is None else frozenset(drawn["named"]),
        foreign=frozenset(drawn["foreign"]),
        wishes=ContourWishes(**drawn["wishes"]),
    )
    return Task(**told | {"require": tuple(told["require"]), "contours": contours})
