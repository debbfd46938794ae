"""Which PET and which CT of a patient: stated rules, and the user's word above them."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from prrt_estimators.dicom._kernels import kernel_kind
from prrt_estimators.dicom._walk import Person, Series

FEWEST_SLICES = 4
#: The rules in words, for the provenance record and the documentation.
RULES = (
    "PET: image storage, attenuation-corrected, neither projection, dynamic, gated nor secondary capture, axial, one "
    f"orientation and one matrix, at least {FEWEST_SLICES} slices.",
    "Time point: the last day with such a PET on or before the start of therapy; without a date of therapy there must "
    "be one day only, unless the first or the last is asked for.",
    "Among those: what is preferred by description, original before derived, within 5 % of the longest extent, most "
    "slices, earliest start, lowest series number.",
    "CT: axial image storage, no localiser, in the frame of reference of the PET and within a day of it.",
    "Among those: what is preferred by description, original before derived, within 5 % of the best coverage of the "
    "PET, soft-tissue before unknown before sharp kernel, most slices, closest in time, lowest series number.",
)
_STORAGE = {
    "PT": ("1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.128.1", "1.2.840.10008.5.1.4.1.1.130"),
    "CT": ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"),
}
_NO_VOLUME = re.compile(r"\b(MIP|PROJECTION IMAGE|REPROJECTION|SCREEN SAVE|FUSION|MPR|REFORMATTED)\b")
_FAR_BEFORE_DAYS = 180


@dataclass
class Choice:
    """What was chosen, or why nothing could be.

    Attributes
    ----------
    pet, ct : Series or None
    pet_reason, ct_reason : str
        Why there is none; empty otherwise.
    notes : list of str
        What somebody should know about the choice.
    days_to_therapy : int or None
        From the PET to the start of therapy.
    """

    pet: Series | None = None
    ct: Series | None = None
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
    """

    time_point: Literal["first", "last"] | None = None
    prefer_pet: str | None = None
    prefer_ct: str | None = None


def choose(
    person: Person,
    wishes: Wishes,
    *,
    therapy: datetime.date | None = None,
    override: dict[str, str] | None = None,
) -> Choice:
    """Choose the PET of a patient and the CT that belongs to it.

    Parameters
    ----------
    person : Person
    wishes : Wishes
    therapy : date, default=None
        Start of therapy.
    override : dict of {"pet", "ct"} to str, default=None
        SeriesInstanceUID, series number or folder that is taken whatever the rules say.

    Returns
    -------
    Choice
    """
    choice, named = Choice(), override or {}
    if "pet" in named:
        choice.pet, choice.pet_reason = _named(person, "PT", named["pet"])
        if choice.pet is not None:
            choice.notes.append("PET chosen by the user")
    else:
        choice.pet, choice.pet_reason = _choose_pet(person, wishes, therapy, choice)
    if "ct" in named:
        choice.ct, choice.ct_reason = _named(person, "CT", named["ct"])
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
    if series.truncated:
        return f"{series.truncated} {what} file(s) end before their last pixel"
    if series.missing:
        return f"{series.missing} {what} image(s) that the DICOMDIR lists are not there"
    folders = series.folders
    beside = [kind for kind, path in person.damaged if kind != "folder" and str(PurePosixPath(path).parent) in folders]
    if beside:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(beside).items()))
        return f"{kinds} file(s) among the {what} images: the series may be incomplete"
    return ""


def unusable(series: Series) -> str:
    """Return why a series of PET or CT is no candidate; empty if it is one."""
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
    if len(series.orientations) > 1:
        return "slices in several orientations"
    if len(series.sizes) > 1:
        return "slices of several sizes"
    if not all(abs(o[0] * o[4] - o[1] * o[3]) > 0.7 for o in series.orientations):
        return "not axial"
    return f"fewer than {FEWEST_SLICES} slices" if series.slices < FEWEST_SLICES else ""


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
    days = sorted({series.start.date() for series in found if series.start is not None})
    if therapy is not None:
        before = [day for day in days if day <= therapy]
        if not days:
            return None, "the PET has no date to compare with the start of therapy"
        if not before:
            return None, f"no PET before therapy (the first is {(days[0] - therapy).days} days after its start)"
        wanted: datetime.date | None = before[-1]
    elif len(days) > 1 and wishes.time_point is None:
        apart = ", ".join(str((day - days[0]).days) for day in days)
        return None, f"PET on {len(days)} days (day {apart}) and no date of therapy to choose by"
    else:
        wanted = (days[-1] if wishes.time_point == "last" else days[0]) if days else None
    if wanted is not None:
        found = [series for series in found if series.start is not None and series.start.date() == wanted]
    if len(days) > 1:
        choice.notes.append(f"PET on {len(days)} days, one chosen by its date")
    longest = max(series.high - series.low for series in found)

    def rank(series: Series) -> tuple[float, ...]:
        short = (series.high - series.low) < 0.95 * longest
        return (not _preferred(series, wishes.prefer_pet), _derived(series), short, -series.slices)

    best = _first(found, rank, choice, "PET", "--prefer-pet")
    return best, ""


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
            not _preferred(series, wishes.prefer_ct),
            _derived(series),
            covered[id(series)] < 0.95 * best_cover,
            kernel_kind(series.texts["kernel"]),
            -series.slices,
            0.0 if pet is None else round(_hours_apart(series, pet) * 60),
        )

    best = _first(found, rank, choice, "CT", "--prefer-ct")
    if covered[id(best)] < 0.9:
        choice.notes.append(f"CT covers {covered[id(best)]:.0%} of the length of the PET")
    return best, ""


def _first(
    found: list[Series], rank: Callable[[Series], tuple[float, ...]], choice: Choice, what: str, flag: str
) -> Series:
    """Return the best by rank, then start and series number; note a draw."""
    best = min(rank(series) for series in found)
    equal = [series for series in found if rank(series) == best]
    if len(equal) > 1:
        choice.notes.append(
            f"{len(equal)} {what} series are equal by the rules; the first by time and number was taken ({flag} decides)"
        )
    return min(equal, key=lambda s: (s.start or datetime.datetime.max, _series_number(s), s.files[0]))


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
    text = series.texts["series_number"]
    return int(text) if text.lstrip("-").isdigit() else 1 << 30
