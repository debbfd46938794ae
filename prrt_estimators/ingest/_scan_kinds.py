"""What the scans of a cohort show: tracers of PET, phases of CT, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from prrt_estimators._modalities import CT, INGESTED, PET
from prrt_estimators.ingest._cohort_plan import taken_series
from prrt_estimators.ingest._ct_kinds import ct_kind
from prrt_estimators.ingest._series_selection import Choice


def what_is_shown(choice: Choice, record: Mapping[str, Any]) -> dict[str, str]:
    """Return what the scans of a patient show, by modality: "Ga-68 DOTATATE" for a PET, "portal venous" for a CT."""
    pet, ct = taken_series(choice, record, PET.name), taken_series(choice, record, CT.name)
    found = {PET.name: pet.tracer.label} if pet is not None else {}
    return found if ct is None else {**found, CT.name: ct_kind(ct.texts).label}


def counted(shown: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Return one line per modality, the most frequent first.

    Examples
    --------
    >>> counted([dict(pet="F-18 FDG"), dict(pet="Ga-68 DOTATATE", ct="native"), dict(pet="Ga-68 DOTATATE")])
    ('PET: 2 Ga-68 DOTATATE, 1 F-18 FDG', 'CT: 1 native')
    """
    told = list(shown)
    lines = []
    for kind in INGESTED:
        counts = Counter(one[kind] for one in told if kind in one)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if ordered:
            lines.append(f"{kind.upper()}: {', '.join(f'{count} {what}' for what, count in ordered)}")
    return tuple(lines)
