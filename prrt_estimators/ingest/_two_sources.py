"""One person in two sources: what the table and the images say of sex, age and year of birth."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from prrt_estimators._analytes import name_tokens
from prrt_estimators._sex import read_sex
from prrt_estimators.ingest._dates import read_dates
from prrt_estimators.ingest._export_records import Person

_AGE = re.compile(r"^(patient(en)? ?)?(age|alter)( (in )?(jahren?|years?|yrs?|y|j|a))?$")
_BIRTH = re.compile(r"birth|geburt|\b(dob|yob|geb|gebdat|born|jahrgang)\b")
_SEX = re.compile(r"^(patient )?(sex|gender|geschlecht)$")
_SEXES = {"male": "M", "female": "F"}
#: Ages at two events of one person lie within the first; beyond the second it is another person.
_SAME_AGE, _OTHER_AGE = 2, 10
#: Anonymisers write a year of birth up to here.
_NO_YEAR = 1901


@dataclass
class Told:
    """What a table says of persons, by canonical identifier.

    Attributes
    ----------
    sex : dict of str to {"M", "F"}
    age : dict of str to float
    born : dict of str to int
    """

    sex: dict[str, str] = field(default_factory=dict)
    age: dict[str, float] = field(default_factory=dict)
    born: dict[str, int] = field(default_factory=dict)


def told_of_persons(frame: pd.DataFrame, skip: str) -> Told:
    """Return what a table says of persons in columns that are named so.

    Parameters
    ----------
    frame : DataFrame
        Index: canonical identifier.
    skip : str
        The column of identifiers.
    """
    told = Told()
    for name in frame.columns:
        text = " ".join(name_tokens(str(name)))
        if name == skip:
            continue
        if _SEX.match(text):
            told.sex |= {
                str(key): _SEXES[sex] for key, cell in frame[name].items() if (sex := read_sex(cell) or "") in _SEXES
            }
        elif _AGE.match(text):
            told.age |= {str(key): age for key, cell in frame[name].items() if (age := _number(cell)) and age < 120}
        elif _BIRTH.search(text):
            days = read_dates(frame[name])
            for key, cell, day in zip(frame.index, frame[name], days, strict=True):
                year = day.year if day is not None else _year(cell)
                if year is not None:
                    told.born[str(key)] = year
    return told


def contradictions(person: Person, key: str, told: Told) -> tuple[str, str]:
    """Return why the row and the images cannot be of one person, and what else does not fit; empty where all does.

    Examples
    --------
    >>> person = Person("7", people={("", "19600501", "M")})
    >>> contradictions(person, "7", Told(sex={"7": "F"}))
    ('the table and the images differ in sex (F, M)', '')
    """
    sexes = {sex.upper() for _, _, sex in person.people} & {"M", "F"}
    if key in told.sex and sexes and told.sex[key] not in sexes:
        return f"the table and the images differ in sex ({told.sex[key]}, {sexes.pop()})", ""
    ages = _ages(person)
    years = {int(birth[:4]) for _, birth, _ in person.people if re.match(r"\d{4}", birth)}
    born = {year for year in years if year > _NO_YEAR and _fits(year, person, ages)}
    if key in told.born and told.born[key] > _NO_YEAR and born and told.born[key] not in born:
        return f"the table and the images differ in the year of birth, by {abs(told.born[key] - min(born))} years", ""
    if key in told.age and ages:
        apart = min(abs(told.age[key] - age) for age in ages)
        what = f"the table and the images differ in age, by {apart:.0f} years"
        if apart > _OTHER_AGE:
            return what, ""
        if apart > _SAME_AGE:
            return "", what
    return "", ""


def _ages(person: Person) -> set[float]:
    """Return the ages that images tell, in years; worked out from the date of birth where none is written."""
    written = {series.texts.get("age", "") for series in person.series}
    found = {float(age[:3]) for age in written if re.fullmatch(r"\d{3}Y", age) and age != "000Y"}
    if found:
        return found
    days = {series.start.date() for series in person.series if series.start is not None}
    births = {int(birth[:4]) for _, birth, _ in person.people if re.match(r"\d{4}", birth)}
    return {float(day.year - year) for day in days for year in births if year > _NO_YEAR and 0 < day.year - year < 120}


def _fits(year: int, person: Person, ages: set[float]) -> bool:
    """Tell whether a year of birth goes with the ages; one that was changed to hide a person does not."""
    years = {series.start.year for series in person.series if series.start is not None}
    return not ages or not years or any(abs(one - year - age) <= _SAME_AGE for one in years for age in ages)


def _number(cell: Any) -> float:
    try:
        return float(str(cell).replace(",", "."))
    except ValueError:
        return 0.0


def _year(cell: Any) -> int | None:
    if isinstance(cell, (datetime.date, datetime.datetime)):
        return cell.year
    found = re.search(r"(?<!\d)(?:18|19|20)\d{2}(?!\d)", str(cell))
    return int(found[0]) if found else None
