"""What the scans of a cohort show: tracers of PET, phases of CT, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from prrt_estimators._modalities import INGESTED
from prrt_estimators.ingest._cohort_plan import Chosen, taken_series


def what_is_shown(chosen: Chosen, record: Mapping[str, Any]) -> dict[str, str]:
    """Return what the scans of a patient show, by modality: "Ga-68 DOTATATE" for a PET, "portal venous" for a CT."""
    return {kind: taken[0] for kind in INGESTED if (taken := taken_series(chosen, record, kind)) is not None}


def counted(shown: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Return one line per modality, the most frequent first.

    Examples
    --------
    >>> counted([dict(pet="F-18 FDG"), dict(pet="Ga-68 DOTATATE", ct="native"), dict(pet="Ga-68 DOTATATE")])
    ('PET: 2 Ga-68 DOTATATE, 1 F-18 FDG', 'CT: 1 native')
    """
    counts = {kind: Counter[str]() for kind in INGESTED}
    for one in shown:
        for kind in counts:
            counts[kind].update([one[kind]] if kind in one else [])
    lines = []
    for kind, found in counts.items():
        ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        if ordered:
            lines.append(f"{kind.upper()}: {', '.join(f'{count} {what}' for what, count in ordered)}")
    return tuple(lines)
