"""Methods paragraph and reporting guidelines by what is learnt."""

from __future__ import annotations

from typing import Any

from prrt_estimators.report._checklists import CLAIM, CLAIM_OF_TIMES, TRIPOD_AI, TRIPOD_AI_OF_TIMES, Item, with_others
from prrt_estimators.report._methods import methods
from prrt_estimators.report._methods_times import methods_of_times

#: By name of the target, and whether its models give probabilities of a class; other targets have none.
_KNOWN: dict[tuple[str, bool], tuple[Any, tuple[Item, ...], tuple[Item, ...]]] = {
    ("class", True): (methods, TRIPOD_AI, CLAIM),
    ("time", False): (
        methods_of_times,
        with_others(TRIPOD_AI, TRIPOD_AI_OF_TIMES),
        with_others(CLAIM, CLAIM_OF_TIMES),
    ),
}


def guidelines(
    comparison: Any, horizon: float, reference: str, followup: Any, everybody: Any, probabilities: bool
) -> tuple[str, list[str], tuple[Item, ...], tuple[Item, ...]]:
    """Return paragraph, references, and items of TRIPOD+AI and CLAIM; all empty for a target of which nothing is known."""
    known = _KNOWN.get((comparison.kind.name, probabilities))
    if known is None:
        return "", [], (), ()
    paragraph, tripod, claim = known
    return *paragraph(comparison, horizon, reference, followup, everybody), tripod, claim
