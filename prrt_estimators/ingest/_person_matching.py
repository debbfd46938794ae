"""Who is who: one person under two spellings of an identifier, two persons under one."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

from prrt_estimators._spellings import fold, skeleton
from prrt_estimators.ingest._export_records import Inventory, People, Person, joined
from prrt_estimators.ingest._privacy import Identity
from prrt_estimators.ingest._pseudonyms import canonical_id
from prrt_estimators.ingest._spilled import Spilled

_NAMES = (
    "patient_name",
    "other_names",
    "birth_name",
    "mother",
    "referrer",
    "performer",
    "reader",
    "operator",
    "names_decoded",
)
_PLACES = ("institution", "institution_address", "department", "ward")
_IDENTIFIERS = (
    "station",
    "serial",
    "study_id",
    "procedure_id",
    "admission_id",
    "patient_id",
    "accession",
    "other_ids",
    "telephone",
    "address",
    "study_uid",
    "series_uid",
    "frame_uid",
)
_DAYS = ("birth_date", "study_date", "series_date", "acquisition_date")


def people_of(found: Inventory) -> tuple[Mapping[str, Person], Person | None]:
    """Return patients by canonical identifier, and the images that have none.

    Identifiers that differ by leading zeros, blanks or case are one: exports of two systems write them differently.
    """
    spellings: Spilled[list[str]] = Spilled(list, list)
    for key in found.patients:
        name = canonical_id(key) if key else ""
        spellings[name] = [*spellings.get(name, []), key]
    nameless = spellings.pop("", [])
    return People(found.patients, spellings), joined(
        "", [found.patients[key] for key in nameless]
    ) if nameless else None


def contradiction(people: set[tuple[str, str, str]]) -> str:
    """Return what says that images under one identifier are of two persons; empty if nothing does.

    A name may change or be spelled otherwise, a date of birth may not.

    Examples
    --------
    >>> contradiction({("Doe^Jane", "19600101", "F"), ("Doe-Poe^Jane", "19600101", "F")})
    ''
    >>> contradiction({("Doe^Jane", "19600101", "F"), ("Doe^Jane", "19610101", "F")})
    'dates of birth differ'
    """
    births = {birth for _, birth, _ in people if birth}
    sexes = {sex.upper() for _, _, sex in people if sex.upper() in ("M", "F")}
    if len(births) > 1:
        return "dates of birth differ"
    if len(sexes) > 1:
        return "sexes differ"
    if births and all(birth for _, birth, _ in people):
        return ""
    names = [frozenset(map(skeleton, re.findall(r"[^\W\d_]+", fold(name)))) for name, _, _ in people]
    shared = all(first <= second or second <= first for first in names for second in names)
    return "" if shared else "names differ, and no date of birth says that they are one"


def identity_of(person: Person) -> Identity:
    """Return what must not be found of a patient."""
    found = Identity()
    found.add_identifiers([person.key])
    for field in _NAMES:
        for text in person.identity.get(field, ()):
            found.add_names([text])
            found.add_identifiers([text])
    for field in _IDENTIFIERS:
        for text in person.identity.get(field, ()):
            found.add_identifiers(text.split("\\"))
    for field in _PLACES:
        found.add_places(person.identity.get(field, ()))
    for field in _DAYS:
        for text in person.identity.get(field, ()):
            digits = re.sub(r"\D", "", text)[:8]
            try:
                found.add_days([datetime.datetime.strptime(digits, "%Y%m%d").date()])
            except ValueError:
                continue
    return found
