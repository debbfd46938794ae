"""Who goes into the cohort with which files: decided before a voxel is read."""

from __future__ import annotations

import datetime
import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prrt_estimators._modalities import INGESTED, PET
from prrt_estimators.ingest._clinical_table import Clinical
from prrt_estimators.ingest._contour_choice import ContourWishes
from prrt_estimators.ingest._contour_plan import contour_task
from prrt_estimators.ingest._convert import Task
from prrt_estimators.ingest._ct_kinds import ct_kind
from prrt_estimators.ingest._export_records import Inventory, Person, Series
from prrt_estimators.ingest._foreseeable_problems import trouble
from prrt_estimators.ingest._identity_search import IdentitySearch
from prrt_estimators.ingest._patient_flow import FlowRow
from prrt_estimators.ingest._person_matching import contradiction
from prrt_estimators.ingest._privacy import Identity
from prrt_estimators.ingest._pseudonyms import keyed_digest
from prrt_estimators.ingest._series_selection import Choice, Wishes, choose, flaws
from prrt_estimators.ingest._spilled import Spilled
from prrt_estimators.ingest._task_records import spilled_tasks
from prrt_estimators.ingest._two_sources import contradictions

#: Raised when a change of the code changes volumes, so that an older run is not taken for finished.
FORMAT = 2
#: The same for lesions made of contours.
LESION_FORMAT = 1


@dataclass(frozen=True)
class Chosen:
    """What is told of the series of a patient.

    Attributes
    ----------
    days_to_therapy : int or None
        From the PET to the start of therapy.
    tried : dict of str to list of (str, str or None)
        By modality, of each series that is tried: what it shows, and when it was acquired.
    """

    days_to_therapy: int | None = None
    tried: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)


@dataclass
class Plan:
    """What was asked for, and what was decided on the way.

    Attributes
    ----------
    names : mapping of canonical identifier to pseudonym
    searched_for : str
        Keyed digest of the identity.
    chosen : mapping of str to Chosen
        By pseudonym.
    notes : dict of str to list of str
        By pseudonym.
    """

    wishes: Wishes
    names: Mapping[str, str]
    override: Mapping[str, dict[str, str]]
    require: tuple[str, ...]
    deface: bool
    out: Path
    key: bytes = field(repr=False)
    identity: IdentitySearch = field(repr=False)
    contours: ContourWishes = field(default_factory=ContourWishes)
    searched_for: str = ""
    chosen: Spilled[Chosen] = field(default_factory=lambda: Spilled(vars, lambda told: Chosen(**told)))
    notes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def plan_tasks(
    plan: Plan, found: Inventory, people: Mapping[str, Person], table: Clinical
) -> tuple[Mapping[str, Task], list[FlowRow]]:
    """Return what is to be converted by pseudonym, and a row for each patient who is left out before."""
    tasks = spilled_tasks()
    rows: list[FlowRow] = []
    for key in sorted({*people, *table.frame.index}, key=lambda one: plan.names[one]):
        patient, person = plan.names[key], people.get(key)
        plan.notes[patient] += table.notes.get(key, [])
        stage, reason = _unfit(plan, key, patient, person, table)
        choice: Choice | None = None
        if person is not None and not reason and _has_scans(person):
            choice, stage, reason = _choose(plan, key, patient, person, table)
        if reason:
            rows.append(FlowRow(patient, stage, plan.identity.clean(reason), plan.notes[patient]))
            continue
        if choice is not None:
            plan.chosen[patient] = _told(choice)
        try:
            tasks[patient] = _task(plan, found, key, person, table, choice or Choice())
        except OSError:
            rows.append(FlowRow(patient, "reading", "files vanished while they were read", plan.notes[patient]))
    return tasks, rows


def _told(choice: Choice) -> Chosen:
    tried: dict[str, list[tuple[str, str | None]]] = {}
    for kind in INGESTED:
        first: Series | None = getattr(choice, kind)
        if first is not None:
            several: list[Series] = [first, *getattr(choice, f"{kind}_others")]
            tried[kind] = [(_label(kind, one), None if one.start is None else one.start.isoformat()) for one in several]
    return Chosen(choice.days_to_therapy, tried)


def _label(kind: str, series: Series) -> str:
    return series.tracer.label if kind == PET.name else ct_kind(series.texts).label


def _has_scans(person: Person) -> bool:
    return any(series.modality in ("PT", "CT") for series in person.series)


def _unfit(plan: Plan, key: str, patient: str, person: Person | None, table: Clinical) -> tuple[str, str]:
    """Return where and why a patient is left out whatever the scans are; empty texts for one who is not."""
    notes = plan.notes[patient]
    if person is not None:
        kinds = Counter(kind for kind, _ in person.damaged if kind != "contours")
        words = {
            "folder": "folder(s) that cannot be opened",
            "unreadable": "file(s) that cannot be opened",
            "special": "pipe(s) or device(s) in place of a file",
        }
        notes += [f"{count} {words.get(kind, f'{kind} file(s)')}" for kind, count in sorted(kinds.items())]
        if person.listed_only:
            notes.append(f"{person.listed_only} image(s) that a DICOMDIR lists are not there")
        if key not in table.frame.index:
            return "images", "images, but no row in the table"
        differs = contradiction(person.people)
        if differs:
            return "identity", f"two persons under one identifier: {differs}"
        differs, doubt = contradictions(person, key, table.persons)
        if differs:
            return "identity", f"two persons under one identifier: {differs}"
        notes += [doubt] if doubt else []
    if key in table.wrong:
        return "table", table.wrong[key]
    if plan.require and (person is None or not _has_scans(person)):
        missing = person is not None and person.listed_only
        return (
            "images",
            "the DICOMDIR lists images, but none is there" if missing else "a row in the table, but no images",
        )
    return "", ""


def _choose(plan: Plan, key: str, patient: str, person: Person, table: Clinical) -> tuple[Choice, str, str]:
    """Return the series of a patient, and where and why none can be used; empty texts where they can."""
    notes = plan.notes[patient]
    choice = choose(
        person,
        plan.wishes,
        therapy=table.therapy.get(key),
        override=plan.override.get(key),
        therapy_unread=key in table.therapy_unread,
    )
    for kind in INGESTED:
        series, why = getattr(choice, kind), getattr(choice, f"{kind}_reason")
        if series is not None:
            series, why = _without_flaws(person, choice, kind)
            if series is not None and series.copies:
                notes.append(f"{series.copies} copies of {kind.upper()} files left out")
        if why and kind in plan.require:
            return choice, kind.upper(), why
        if why:
            setattr(choice, kind, None)
            notes.append(f"no {kind.upper()}: {why}")
    notes += choice.notes
    return choice, "", ""


def _without_flaws(person: Person, choice: Choice, kind: str) -> tuple[Series | None, str]:
    """Take the first series without flaws, and say what is not taken; return it, or why there is none."""
    tried: list[Series] = [getattr(choice, kind), *getattr(choice, f"{kind}_others")]
    why = [flaws(person, series) for series in tried]
    whole = [series for series, flaw in zip(tried, why, strict=True) if not flaw]
    # One that is whole but cannot be read, as far as its headers tell, is no way out.
    if why[0] and not (whole and not trouble(whole[0])):
        return None, why[0]
    if why[0]:
        choice.notes.append(f"another {kind.upper()} series is taken: {why[0]}")
        setattr(choice, f"{kind}_parts", [])
    setattr(choice, kind, whole[0])
    setattr(choice, f"{kind}_others", whole[1:])
    parts = getattr(choice, f"{kind}_parts")
    setattr(choice, f"{kind}_parts", [series for series in parts if not flaws(person, series)])
    return whole[0], ""


def _task(plan: Plan, found: Inventory, key: str, person: Person | None, table: Clinical, choice: Choice) -> Task:
    patient = plan.names[key]
    files = {kind: one.files for kind in INGESTED if (one := getattr(choice, kind)) is not None}
    others = {kind: [one.files for one in getattr(choice, f"{kind}_others")] for kind in files}
    parts = {kind: [one.files for one in getattr(choice, f"{kind}_parts")] for kind in files}
    contours = contour_task(person, choice, plan.override.get(key, {}).get("contours"), plan.contours)
    # "native" and None are the grid and its spacing, which former versions could change: their finished patients are kept.
    settings = json.dumps([FORMAT, "native", None, plan.deface, table.weight.get(key)])
    if contours.files:
        settings += json.dumps([contours.settings, LESION_FORMAT])
    states = [
        f"{kind} {os.path.normpath(file)} {status.st_size} {status.st_mtime_ns}"
        for kind in files
        for series in (files[kind], *others[kind], *parts[kind])
        for file in series
        if (status := os.stat(os.path.join(found.root, file)))
    ]
    states += [
        f"contours {os.path.normpath(file)} {status.st_size} {status.st_mtime_ns}"
        for file in contours.files
        if (status := os.stat(os.path.join(found.root, file)))
    ]
    return Task(
        patient,
        str(plan.out / "patients" / patient),
        found.root,
        files,
        keyed_digest(plan.key, "stamp", settings, *states),
        plan.searched_for,
        plan.require,
        table.weight.get(key),
        plan.deface,
        others,
        parts,
        contours,
    )


def taken_series(chosen: Chosen, record: Mapping[str, Any], kind: str) -> tuple[str, datetime.datetime | None] | None:
    """Return what the series shows that a patient's volume was made of, and when it was acquired, by the record's attempts."""
    tried = chosen.tried.get(kind, [])
    place = record.get(kind, {}).get("series_tried", 1) - 1
    if kind not in record or not 0 <= place < len(tried):
        return None
    shows, start = tried[place]
    return shows, datetime.datetime.fromisoformat(start) if start else None


def identity_digest(key: bytes, who: Identity) -> str:
    """Return a keyed digest of all that outputs are searched for."""
    return keyed_digest(
        key, "identity", *sorted(who.names), "", *sorted(who.identifiers), "", *sorted(map(str, who.days))
    )
