"""Which PET and which CT of a patient: stated rules, and the user's word above them."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Literal

from prrt_estimators._modalities import CT, PET
from prrt_estimators.dicom._tracers import DEFAULT_TRACERS
from prrt_estimators.ingest._ct_kinds import ct_kind
from prrt_estimators.ingest._export_records import Person, Series
from prrt_estimators.ingest._foreseeable_problems import is_covered, is_whole, places, trouble
from prrt_estimators.ingest._joined_series import other_parts
from prrt_estimators.ingest._kernels import kernel_kind

MIN_SLICES = 4
#: The rules in words, for the provenance record and the documentation.
RULES = (
    "PET: image storage, attenuation-corrected, neither projection, dynamic, gated nor secondary capture, axial, one "
    f"orientation and one matrix, at least {MIN_SLICES} slices.",
    "Tracer: of several, the first in the list of tracers; none is taken where none is in it.",
    "Time point: the last day with such a PET on or before the start of therapy; without a date of therapy there must "
    "be one day only, unless the first or the last is asked for.",
    "Among those: what can be read as far as the headers tell (one time point, slices at equal distances, a unit and a "
    "dose), what is preferred by description, original before derived, within 5 % of the longest extent, most places with "
    "a slice, earliest start, lowest series number.",
    "CT: axial image storage, no localiser, no map of something else, in the frame of reference of the PET and within a "
    "day of it.",
    "Among those: what can be read as far as the headers tell, what is preferred by description, original before derived, "
    "measured before virtual energies, within 5 % of the best coverage of the PET, soft-tissue before unknown before sharp "
    "kernel, most places with a slice, closest in time, lowest series number.",
    "A series that cannot be read gives way to the next by these rules that shows at least 80 % of what it shows, of the "
    "same day and in the same frame of reference. Series that show other parts of the body at the same hour are joined "
    "where their grids allow.",
)
_STORAGE = {
    "PT": ("1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.128.1", "1.2.840.10008.5.1.4.1.1.130"),
    "CT": ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"),
}
_NO_VOLUME = re.compile(r"\b(MIP|PROJECTION IMAGE|REPROJECTION|SCREEN SAVE|FUSION|MPR|REFORMATTED)\b")
_FAR_BEFORE_DAYS = 180
#: What takes the place of a series that cannot be read must show this share of it.
_STAND_IN = 0.8


@dataclass
class Choice:
    """What was chosen, or why nothing could be.

    Attributes
    ----------
    pet, ct : Series or None
    pet_others, ct_others : list of Series
        What is tried, one after the other, if that cannot be read.
    pet_parts, ct_parts : list of Series
        What shows other parts of the body at the same hour.
    pet_reason, ct_reason : str
        Why there is none; empty otherwise.
    notes : list of str
        What somebody should know about the choice.
    days_to_therapy : int or None
        From the PET to the start of therapy.
    """

    pet: Series | None = None
    ct: Series | None = None
    pet_others: list[Series] = field(default_factory=list)
    ct_others: list[Series] = field(default_factory=list)
    pet_parts: list[Series] = field(default_factory=list)
    ct_parts: list[Series] = field(default_factory=list)
    pet_reason: str = ""
    ct_reason: str = ""
    notes: list[str] = field(default_factory=list)
    days_to_therapy: int | None = None


@dataclass(frozen=True)
class Wishes:
    """What the user asks for.

    Attributes
    ----------
    time_point : {"first", "last"} or None
        Which day, where no date of therapy decides.
    prefer_pet, prefer_ct : str or None
        Regular expressions for series descriptions.
    tracers : tuple of str
        Which of several tracers, the first that a patient has.
    """

    time_point: Literal["first", "last"] | None = None
    prefer_pet: str | None = None
    prefer_ct: str | None = None
    tracers: tuple[str, ...] = DEFAULT_TRACERS


def choose(
    person: Person,
    wishes: Wishes,
    *,
    therapy: datetime.date | None = None,
    override: dict[str, str] | None = None,
    therapy_unread: bool = False,
) -> Choice:
    """Choose the PET of a patient and the CT that belongs to it.

    Parameters
    ----------
    person : Person
    wishes : Wishes
    therapy : date, default=None
        Start of therapy.
    override : dict of str to str, default=None
        SeriesInstanceUID, series number or folder that is taken whatever the rules say.
    therapy_unread : bool, default=False
        Whether the start of therapy is written and not understood, so that no wish may stand in for it.

    Returns
    -------
    Choice
    """
    choice, named = Choice(), override or {}
    if PET.name in named:
        choice.pet, choice.pet_reason = _named(person, PET.dicom, named[PET.name])
        if choice.pet is not None:
            choice.notes.append("PET chosen by the user")
    else:
        if therapy_unread:
            wishes = replace(wishes, time_point=None)
        choice.pet, choice.pet_reason = _choose_pet(person, wishes, therapy, choice)
    if CT.name in named:
        choice.ct, choice.ct_reason = _named(person, CT.dicom, named[CT.name])
        if choice.ct is not None:
            choice.notes.append("CT chosen by the user")
    else:
        choice.ct, choice.ct_reason = _choose_ct(person, wishes, choice, therapy)
    if choice.pet is not None and choice.pet.start is not None and therapy is not None:
        choice.days_to_therapy = (therapy - choice.pet.start.date()).days
        if choice.days_to_therapy > _FAR_BEFORE_DAYS:
            choice.notes.append(f"PET was {choice.days_to_therapy} days before therapy")
    return choice


def flaws(person: Person, series: Series) -> str:
    """Return why a series, although the right one, must not be read; empty if nothing speaks against it."""
    what = series.modality.replace("PT", "PET")
    cut = sum(not is_covered(position, series) for position in series.cut) if series.cut else series.truncated
    if cut:
        return f"{cut} {what} file(s) end before their last pixel"
    if series.missing:
        return f"{series.missing} {what} image(s) that the DICOMDIR lists are not there"
    folders = series.folders
    near = [kind for kind, path in person.damaged if str(PurePosixPath(path).parent) in folders]
    beside = [kind for kind in near if kind not in ("folder", "contours")]
    if beside and not is_whole(series):
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(beside).items()))
        return f"{kinds} file(s) among the {what} images: the series may be incomplete"
    return ""


def unusable(series: Series) -> str:
    """Return why a series of PET or CT is not a candidate; empty if it is one."""
    texts = series.texts
    kinds = texts["image_type"].upper()
    if texts["sop_class"] not in _STORAGE[series.modality]:
        return "secondary capture or other object"
    if series.localiser:
        return "localiser"
    if _NO_VOLUME.search(kinds):
        return "projection or reformatted image"
    if series.modality == "PT":
        if re.match(r"DYNAMIC|GATED", texts["series_type"].upper()):
            return "dynamic or gated"
        corrected = texts["corrected"].upper().split("\\")
        if (texts["corrected"] and "ATTN" not in corrected) or texts["attenuation_corrected"].upper() == "NO":
            return "not attenuation-corrected"
    elif ct_kind(texts).is_map:
        return "a map made from a CT"
    if len(series.orientations) > 1:
        return "slices in several orientations"
    if len(series.sizes) > 1:
        return "slices of several sizes"
    if not all(abs(o[0] * o[4] - o[1] * o[3]) > 0.7 for o in series.orientations):
        return "not axial"
    if places(series) >= MIN_SLICES:
        return ""
    return "files that end before their last pixel" if series.cut else f"fewer than {MIN_SLICES} slices"


def _candidates(person: Person, modality: str) -> tuple[list[Series], str]:
    """Return usable series, and a reason where there is none."""
    what = modality.replace("PT", "PET")
    all_series = [series for series in person.series if series.modality == modality]
    if not all_series:
        return [], f"no {what} series"
    why = [(series, unusable(series)) for series in all_series]
    found = [series for series, reason in why if not reason]
    counted = Counter(reason for _, reason in why)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(counted.items()) if reason)
    return found, "" if found else f"no usable {what} series ({reasons})"


def _choose_pet(
    person: Person, wishes: Wishes, therapy: datetime.date | None, choice: Choice
) -> tuple[Series | None, str]:
    found, reason = _candidates(person, "PT")
    if not found:
        return None, reason
    if therapy is not None and any(series.start is not None for series in found):
        first = min(series.start for series in found if series.start is not None).date()
        found = [series for series in found if series.start is not None and series.start.date() <= therapy]
        if not found:
            return None, f"no PET before therapy (the first is {(first - therapy).days} days after its start)"
    elif therapy is not None:
        return None, "the PET has no date to compare with the start of therapy"
    found, reason = _of_one_tracer(found, wishes, choice)
    if not found:
        return None, reason
    days = sorted({series.start.date() for series in found if series.start is not None})
    if therapy is None and len(days) > 1 and wishes.time_point is None:
        apart = ", ".join(str((day - days[0]).days) for day in days)
        return None, f"PET on {len(days)} days (day {apart}) and no date of therapy to choose by"
    if days:
        wanted = days[0] if therapy is None and wishes.time_point != "last" else days[-1]
        found = [series for series in found if series.start is not None and series.start.date() == wanted]
    if len(days) > 1:
        choice.notes.append(f"PET on {len(days)} days, one chosen by its date")
    longest = max(series.high - series.low for series in found)

    def rank(series: Series) -> tuple[float, ...]:
        short = (series.high - series.low) < 0.95 * longest
        return (
            bool(trouble(series)),
            not _preferred(series, wishes.prefer_pet),
            _derived(series),
            short,
            -places(series),
        )

    best = _first(found, rank, choice, "PET", "--prefer-pet")
    length = best.high - best.low
    choice.pet_others = [
        series
        for series in _in_order(found, rank)
        if series is not best and _same_place(series, best) and series.high - series.low >= _STAND_IN * length
    ]
    choice.pet_parts = other_parts(best, [series for series in found if _same_place(series, best)])
    _say_trouble(found, best, choice, "PET")
    return best, ""


def _of_one_tracer(found: list[Series], wishes: Wishes, choice: Choice) -> tuple[list[Series], str]:
    """Return the series of the tracer that is wanted, or why none of several is."""
    labels = sorted({series.tracer.label for series in found})
    ranks = {series.tracer.label: series.tracer.rank(wishes.tracers) for series in found}
    known = {label: place for label, place in ranks.items() if place is not None}
    if len(labels) > 1 and not known:
        return [], f"PET of {len(labels)} tracers ({', '.join(labels)}), none of which is in the list of tracers"
    if known:
        best = min(known.values())
        kept = [series for series in found if known.get(series.tracer.label) == best]
        if len(kept) < len(found):
            taken = ", ".join(sorted({series.tracer.label for series in kept}))
            choice.notes.append(f"PET of {len(labels)} tracers ({', '.join(labels)}): {taken} is taken")
        return kept, ""
    if found[0].tracer.name:
        choice.notes.append(f"the PET shows {labels[0]}, which is not in the list of tracers")
    return found, ""


def _say_trouble(found: list[Series], best: Series, choice: Choice, what: str) -> None:
    """Note what is not taken because it cannot be read."""
    for series in found:
        if series is not best and (why := trouble(series)) and not trouble(best):
            choice.notes.append(f"a {what} series of {places(series)} slices is not taken: {why}")


def _choose_ct(
    person: Person, wishes: Wishes, choice: Choice, therapy: datetime.date | None
) -> tuple[Series | None, str]:
    found, reason = _candidates(person, "CT")
    if not found:
        return None, reason
    pet = choice.pet
    if pet is None:
        # A CT alone has no PET to belong to; it is taken where there is only one study to take it from.
        days = {series.start.date() for series in found if series.start is not None}
        if len({series.texts["study_uid"] for series in found}) > 1 or len(days) > 1:
            return None, "several CT studies and no PET to choose by"
        if therapy is not None and days and max(days) > therapy:
            return None, "no CT before therapy"
    else:
        here = [series for series in found if _same_place(series, pet)]
        if not here:
            return None, "no CT in the frame of reference of the PET (CT of another study or position)"
        found = [series for series in here if _hours_apart(series, pet) <= 24]
        if not found:
            return None, "the CT was taken more than a day from the PET"
    covered = {id(series): _coverage(series, pet) for series in found}
    best_cover = max(covered.values())
    if best_cover == 0:
        return None, "the CT shows no part of what the PET shows"

    def rank(series: Series) -> tuple[float, ...]:
        return (
            bool(trouble(series)),
            not _preferred(series, wishes.prefer_ct),
            _derived(series),
            ct_kind(series.texts).virtual,
            covered[id(series)] < 0.95 * best_cover,
            kernel_kind(series.texts["kernel"]),
            -places(series),
            0.0 if pet is None else round(_hours_apart(series, pet) * 60),
        )

    best = _first(found, rank, choice, "CT", "--prefer-ct")
    choice.ct_others = [
        series
        for series in _in_order(found, rank)
        if series is not best and covered[id(series)] >= _STAND_IN * covered[id(best)]
    ]
    if covered[id(best)] < 0.9:
        choice.ct_parts = other_parts(best, found)
        if not choice.ct_parts:
            choice.notes.append(f"CT covers {covered[id(best)]:.0%} of the length of the PET")
    phases = sorted({ct_kind(series.texts).label for series in found})
    if len(phases) > 1:
        choice.notes.append(f"CT of {len(phases)} kinds ({', '.join(phases)}): {ct_kind(best.texts).label} is taken")
    _say_trouble(found, best, choice, "CT")
    return best, ""


def _first(
    found: list[Series], rank: Callable[[Series], tuple[float, ...]], choice: Choice, what: str, flag: str
) -> Series:
    """Return the best by rank, then start and series number; note a draw."""
    ordered = _in_order(found, rank)
    equal = [series for series in ordered if rank(series) == rank(ordered[0])]
    if len(equal) > 1:
        choice.notes.append(
            f"{len(equal)} {what} series are equal by the rules; the first by time and number was taken ({flag} decides)"
        )
    return ordered[0]


def _in_order(found: list[Series], rank: Callable[[Series], tuple[float, ...]]) -> list[Series]:
    return sorted(found, key=lambda s: (rank(s), s.start or datetime.datetime.max, _series_number(s), s.files[0]))


def _named(person: Person, modality: str, name: str) -> tuple[Series | None, str]:
    what = modality.replace("PT", "PET")
    wanted = name.strip().strip("/")
    found = [
        series
        for series in person.series
        if series.modality == modality
        and not series.localiser
        and (wanted in (series.uid, series.texts["series_number"]) or wanted in series.folders)
    ]
    if len(found) == 1:
        return found[0], ""
    return None, f"the override names {'no' if not found else 'more than one'} {what} series of this patient"


def _same_place(series: Series, pet: Series) -> bool:
    ours, theirs = series.texts["frame_uid"], pet.texts["frame_uid"]
    if ours and theirs:
        return ours == theirs
    return series.texts["study_uid"] == pet.texts["study_uid"]


def _hours_apart(series: Series, pet: Series) -> float:
    if series.start is None or pet.start is None:
        return 0.0
    return abs((series.start - pet.start).total_seconds()) / 3600


def _coverage(series: Series, pet: Series | None) -> float:
    """Return the share of the PET's length that a CT shows; 1 where positions are not in plain tags."""
    if pet is None or series.high < series.low or pet.high <= pet.low:
        return 1.0
    return max(0.0, min(series.high, pet.high) - max(series.low, pet.low)) / (pet.high - pet.low)


def _preferred(series: Series, pattern: str | None) -> bool:
    return pattern is None or re.search(pattern, series.texts["description"], re.I) is not None


def _derived(series: Series) -> bool:
    return series.texts["image_type"].upper().startswith("DERIVED")


def _series_number(series: Series) -> int:
    text = series.texts["series_number"].strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,12}", text) else 1 << 60
