"""Which contours of a patient are lesions of the chosen PET or CT, and who drew them.

Every structure of every object has one fate, so that nothing is dropped without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from prrt_estimators._arguments import parameter
from prrt_estimators._modalities import INGESTED
from prrt_estimators.contours import Lesions, Region, RTStructureSet, Structures, lesion_labels
from prrt_estimators.contours._any import ContourObject, read_object
from prrt_estimators.contours._lesion_names import Selection, select
from prrt_estimators.exceptions import ContourError, MissingDependencyError

#: The rules in words, for the provenance record and the documentation.
CONTOUR_RULES = (
    "Contours belong to a scan whose series they name, else to one of the same frame of reference in whose planes they lie; "
    "PET before CT; others are of another examination.",
    "A voxel belongs to a contour when its centre lies inside by crossing parity, in the nearest plane within half a slice.",
    "Planning, body and reference structures are never lesions; lesion words win over organ words; names that say nothing "
    "are lesions where no other name speaks of one.",
    "Of several observers the latest is taken, unless the first or all are asked for.",
)
#: Part of a slice by which contours may lie beside the planes of a scan that they do not name.
_BESIDE_PLANES = 0.1
_SCANS = tuple(INGESTED)


@dataclass(frozen=True)
class ContourWishes:
    """What the user asks for.

    Attributes
    ----------
    observers : {"first", "last", "all"}
    lesions, not_lesions : str or None
        Regular expressions for names of structures.
    """

    observers: Literal["first", "last", "all"] = "last"
    lesions: str | None = None
    not_lesions: str | None = None


@dataclass(frozen=True, eq=False)
class ScanPlace:
    """Grid and identifiers of a scan."""

    affine: np.ndarray
    shape: tuple[int, int, int]
    series_uids: frozenset[str]
    frame_uid: str


@dataclass
class PatientLesions:
    """What the contour objects of a patient come to.

    Attributes
    ----------
    state : {"none", "zero", "lesions"}
        "none": nobody said anything; "zero": told that there is no lesion.
    lesions : Lesions or None
        All zero where the state is "zero", None where it is "none".
    drawn_on : str
        Modality on which they were drawn, or "".
    source : {"RTSTRUCT", "SEG", ""}
    objects, structures, contours : dict of str to int
        How many met which fate.
    agreement : list of float
        Dice of each pair of observers, where all are asked for.
    notes : list of str
        What somebody should know; names nobody and no structure.
    """

    state: Literal["none", "zero", "lesions"] = "none"
    lesions: Lesions | None = None
    drawn_on: str = ""
    source: str = ""
    objects: Counter[str] = field(default_factory=Counter)
    structures: Counter[str] = field(default_factory=Counter)
    contours: Counter[str] = field(default_factory=Counter)
    agreement: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def choose_lesions(
    paths: Sequence[str],
    scans: Mapping[str, ScanPlace],
    wishes: ContourWishes,
    *,
    named: frozenset[str] | None = None,
    foreign: frozenset[str] = frozenset(),
) -> PatientLesions:
    """Read the contour objects of a patient and return the lesions among them.

    Parameters
    ----------
    paths : sequence of str
        RTSTRUCT and SEG files.
    scans : mapping of str to ScanPlace
    wishes : ContourWishes
    named : frozenset of str, default=None
        The files that the user names for this patient; any by default.
    foreign : frozenset of str, default=frozenset()
        Files that say that they are of another person.

    Returns
    -------
    PatientLesions
        Whatever an object holds, never an error.
    """
    found = PatientLesions()
    groups: dict[str, list[ContourObject]] = {kind: [] for kind in _SCANS}
    for path in paths:
        content = _read(path, found)
        if content is None:
            continue
        kind = belongs_to(content, scans)
        why = (
            "of another person" if path in foreign
            else "not named by the user" if named is not None and path not in named
            else "of another examination" if not kind
            else ""
        )  # fmt: skip
        if why:
            found.objects[why] += 1
            found.structures[why] += len(content.structures)
        else:
            groups[kind].append(content)
    _note_left(found)
    chosen = {kind: _selected(group, wishes) for kind, group in groups.items()}
    kind = next((kind for kind in _SCANS if _drawn(groups[kind], chosen[kind])), "") or next(
        (kind for kind in _SCANS if chosen[kind].taken), ""
    )
    for other in _SCANS:
        if other != kind:
            _leave(found, groups[other], chosen[other], f"on the {other.upper()}, beside the {kind.upper()}")
    if kind:
        _take(found, groups[kind], chosen[kind], scans[kind], kind, wishes)
    return found


def _read(path: str, found: PatientLesions) -> ContourObject | None:
    try:
        return read_object(path)
    except (ContourError, MissingDependencyError) as error:
        what = error.what if isinstance(error, ContourError) else str(error)
    except Exception as error:
        # An unforeseen fault of one object must not cost the patient, and its words may quote a name.
        what = f"ended in {type(error).__name__}"
    found.objects["unreadable"] += 1
    found.notes.append(f"a contour object cannot be used: it {what}")
    return None


def _note_left(found: PatientLesions) -> None:
    for why in ("of another person", "of another examination", "not named by the user"):
        count = found.objects[why]
        if count:
            found.notes.append(f"{count} contour object{'s' * (count > 1)} {why}")


def belongs_to(content: ContourObject, scans: Mapping[str, ScanPlace]) -> str:
    """Return the modality on which an object was drawn; empty if it is of another examination."""
    info = content.info
    by_series = [kind for kind, scan in scans.items() if scan.series_uids & set(info.series_uids)]
    if len(by_series) == 1:
        return by_series[0]
    here = by_series or [kind for kind, scan in scans.items() if scan.frame_uid and scan.frame_uid in info.frame_uids]
    fits = {}
    for kind in here:
        scan = scans[kind]
        if isinstance(content, RTStructureSet):
            beside, filled = content.plane_fit(scan.affine, scan.shape)
            if by_series or beside <= _BESIDE_PLANES:
                fits[kind] = (round(beside, 2), -round(filled, 2), _SCANS.index(kind))
        else:
            off = not content.fits(scan.affine, scan.shape)
            if not off or by_series or content.overlaps(scan.affine, scan.shape):
                fits[kind] = (float(off), 0.0, _SCANS.index(kind))
    return min(fits, key=lambda kind: fits[kind]) if fits else ""


def _selected(group: list[ContourObject], wishes: ContourWishes) -> Selection:
    structures = [structure for content in group for structure in content.structures]
    return select(structures, lesions=wishes.lesions, not_lesions=wishes.not_lesions)


def _drawn(group: list[ContourObject], chosen: Selection) -> bool:
    """Return whether some chosen structure holds contours or frames."""
    holds = [holds for content in group for holds in content.filled]
    return any(holds[position] for position in chosen.taken)


def _leave(found: PatientLesions, group: list[ContourObject], chosen: Selection, why: str) -> None:
    for why_left in chosen.left.values():
        found.structures[why_left] += 1
    found.structures[why if chosen.taken else "unnamed"] += len(chosen.taken)
    found.objects[why if chosen.taken else "without lesions"] += len(group)
    if chosen.taken:
        found.notes.append(f"lesions are drawn {why}, too; those are left out")


def _take(
    found: PatientLesions,
    group: list[ContourObject],
    chosen: Selection,
    scan: ScanPlace,
    kind: str,
    wishes: ContourWishes,
) -> None:
    """Choose the observers and make lesions of what they drew."""
    for why in chosen.left.values():
        found.structures[why] += 1
    if chosen.unnamed:
        found.notes.append("no structure is named as a lesion; those whose names say nothing are taken")
    taken: dict[int, list[int]] = {}
    first = 0
    for number, content in enumerate(group):
        own = [position - first for position in chosen.taken if first <= position < first + len(content.structures)]
        first += len(content.structures)
        if own:
            taken[number] = own
        else:
            found.objects["without lesions"] += 1
    observers: dict[str, list[int]] = {}
    for number in sorted(taken, key=lambda one: (group[one].info.moment, group[one].info.series_uid)):
        observers.setdefault(group[number].info.series_uid, []).append(number)
    sets = list(observers.values())
    keep = sets if wishes.observers == "all" else [sets[0 if wishes.observers == "first" else -1]]
    if len(sets) > 1 and wishes.observers != "all":
        others = len(sets) - 1
        found.notes.append(
            f"{len(sets)} sets of contours; the {wishes.observers} by date is taken, {others} left out ({parameter('contours')})"
        )
    for one in sets:
        if one not in keep:
            found.objects["of another observer"] += len(one)
            found.structures["of another observer"] += sum(len(taken[number]) for number in one)
    made = [_structures(found, [(group[number], taken[number]) for number in one], scan) for one in keep]
    drawn = [one for one in made if one is not None]
    found.drawn_on = kind
    found.source = group[keep[-1][0]].info.kind
    _finish(found, drawn)


def _structures(
    found: PatientLesions, objects: list[tuple[ContourObject, list[int]]], scan: ScanPlace
) -> Structures | None:
    """Return the chosen structures of one observer on one grid, and count what became of them."""
    whole: Structures | None = None
    regions: list[Region] = []
    for content, positions in objects:
        if isinstance(content, RTStructureSet):
            own = content.on(scan.affine, scan.shape)
        else:
            own = content.on(scan.affine, scan.shape) if content.fits(scan.affine, scan.shape) else content.on()
            if content.cut:
                found.notes.append(f"{content.cut} voxels of fractions below one half are not lesion")
        if whole is None:
            whole = own
        elif whole.shape != own.shape or not np.allclose(whole.affine, own.affine, atol=1e-3):
            found.objects["on another grid"] += 1
            found.structures["on another grid"] += len(positions)
            continue
        found.objects["taken"] += 1
        for position in positions:
            region = own.regions[position]
            found.structures[_fate(region, content)] += 1
            found.contours.update(region.counts)
            regions.append(region)
    return None if whole is None else Structures(whole.affine, whole.shape, tuple(regions))


def _fate(region: Region, content: ContourObject) -> str:
    if region.voxels:
        return "taken"
    # A segmentation without a voxel is drawn empty; an outline without one is too small.
    nothing = (
        not region.counts if isinstance(content, RTStructureSet) else not (content.cut or "outside" in region.counts)
    )
    if nothing:
        return "without contours"
    return (
        "outside the scan"
        if set(region.counts) <= {"outside", "empty"} and "outside" in region.counts
        else "without a voxel"
    )


def _finish(found: PatientLesions, drawn: list[Structures]) -> None:
    with_voxels = [one for one in drawn if any(region.voxels for region in one.regions)]
    if not with_voxels:
        missed = found.structures["outside the scan"] + found.structures["without a voxel"]
        if missed or not drawn:
            found.notes.append("no contour of a lesion holds a voxel of the scan: nothing is taken")
            return
        found.state = "zero"
        found.lesions = lesion_labels(drawn[-1])
        found.notes.append("the contours say that there is no lesion")
        return
    found.state = "lesions"
    same = [one for one in with_voxels if one.shape == with_voxels[-1].shape]
    if len(same) > 1:
        unions = [_union(one) for one in same]
        found.agreement = [round(_dice(a, b), 3) for number, a in enumerate(unions) for b in unions[number + 1 :]]
        told = ", ".join(f"{value:.2f}" for value in found.agreement)
        found.notes.append(f"{len(same)} sets of contours are joined; their agreement (Dice) is {told}")
        joined = Region("", 1, "", (0, 0, 0), np.logical_or.reduce(unions))
        found.lesions = lesion_labels(Structures(same[-1].affine, same[-1].shape, (joined,)))
    else:
        found.lesions = lesion_labels(with_voxels[-1], split=not _segments_are_lesions(found, with_voxels[-1]))
    for count, words in (
        (found.contours["outside"], "outside the scan"),
        (found.structures["without a voxel"], ""),
    ):
        if count and words:
            found.notes.append(
                f"{count} contour{'s' * (count > 1)} of lesions {'lie' if count > 1 else 'lies'} {words}"
            )
        elif count:
            found.notes.append(f"{count} structures hold no voxel")
    if found.lesions.covered:
        found.notes.append(f"{found.lesions.covered} lesions are drawn twice and count once")


def _segments_are_lesions(found: PatientLesions, structures: Structures) -> bool:
    """Return whether each structure is one lesion: several segments are, as several labels of a mask are."""
    return found.source == "SEG" and sum(region.voxels > 0 for region in structures.regions) > 1


def _union(structures: Structures) -> np.ndarray:
    whole = np.zeros(structures.shape, dtype=bool)
    for region in structures.regions:
        whole[region.box] |= region.mask
    return whole


def _dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second)))
