"""What each column of a clinical table is, and which may leave it: values, never persons, dates or free text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from prrt_estimators._analytes import Analyte, find_analyte, name_tokens, split_unit
from prrt_estimators._date_forms import like_days
from prrt_estimators._values import parse_number
from prrt_estimators.exceptions import CohortError, Problem
from prrt_estimators.ingest._analyte_units import spelled_out
from prrt_estimators.ingest._dates import looks_like_date
from prrt_estimators.ingest._pseudonyms import canonical_id

DATE_ROLES = ("therapy_date", "progression_date", "last_contact_date", "death_date")

_NOT_THE_START = (
    r"\b(end|ende|last|letzte[rsn]?|stop|prior|previous|vorherige\w*|fruehere\w*|[2-9])\b|ende$|diagnos|^vor"
)
_DATE_NAMES = {
    "progression_date": re.compile(r"progress|progred|\bpd\b|rezidiv|relapse"),
    "death_date": re.compile(r"death|\btod|verstorb|exitus|deceas|sterbe"),
    "last_contact_date": re.compile(
        r"last (contact|follow|seen|visit|control)|letzte[rsnm]? (kontakt|kontrolle|verlauf|nachsorge|vorstellung)"
        r"|letztkontakt|follow ?up|nachsorge|zuletzt|censor|zensier"
    ),
    "therapy_date": re.compile(r"therap|prrt|treat|behandl|lutet|lu ?177|177 ?lu|zykl|cycle"),
}
_PERSON = re.compile(
    r"\b(names?|initials?|initialen|vorname|nachname|familienname|geburtsname|surname|zuname|mrn|dob|geb|gebdat|ssn|plz|zip|"
    r"postcode|adresse|address|street|strasse|ort|wohnort|city|telefon|phone|mobil|e ?mail|mail|fallnummer|hausarzt|"
    r"arzt|aerztin|physician|doctor|referr\w*|zuweiser\w*|uid|accession|surgeons?|chirurg\w*|operateur\w*|operators?|"
    r"oberarzt|behandler\w*|untersucher\w*|nurse|pflegekraft|angehoerige\w*|relatives|next of kin|spouse|ehefrau|ehemann|"
    r"partner|mutter|vater|mother|father|guardian|betreuer\w*|kontaktperson|emergency contact|ward|station|zimmer|bett|room|"
    r"bed|yob|jahrgang|born|kvnr|egk|policy|police|passport|ausweis)\b|^relative$|name$|birth|geburt|insurance|krankenkasse|versicher|medical record|social security"
)
_NAME = re.compile(r"name|initial|arzt|aerztin|physician|doctor|referr|zuweiser")
#: A column of years or days that are numbers; counts have other names.
_YEARS = re.compile(r"jahr|year|datum|date|diagnos|\bed\b|beginn|start|tag\b|day of")
#: Titles of persons in cells.
_TITLE = re.compile(r"\b(dr|prof|herr|frau|hr|fr|mr|mrs|ms|pd|dipl)\b\.?\s+\w", re.I)
_FREE = re.compile(r"comment|kommentar|bemerk|notiz|\bnotes?\b|remark|anmerk|\bfindings?\b|befund|anamnes")
_ID = re.compile(r"\b(patient|pat|id|pid|nr|no|number|nummer|mrn|case|fall\w*|pseudonym|subject)\b|patient")
_OTHER_ID = re.compile(
    r"^(id|nr|no|pid|index|pseudonym|subject)$|\bid$|\b(patient|patienten|pat|case|fall|study|subject|lfd) ?(id|nr|no|number|nummer)\b"
)
_WEIGHT = re.compile(r"^(body ?)?weight( kg)?$|^(koerper ?)?gewicht( kg)?$|^patient weight( kg)?$")
_SEX = re.compile(r"^(patient )?(sex|gender|geschlecht)$")
_FILE = re.compile(r"[/\\].+[/\\]\S|^[/\\]|^[a-z]:\\|\.(nii|gz|dcm|dicom|ima|zip)$", re.I)
_MAX_WORD = 40
_MAX_LEVELS = 12


@dataclass
class Column:
    """What one column is.

    Attributes
    ----------
    role : str
        id, pseudonym, one of `DATE_ROLES`, date, person, path, weight, sex, analyte, number, category, text or empty.
    why : str
        For the report.
    analyte : Analyte or None
    unit : str or None
        As stated; ``"?"`` for one that is stated and not known.
    """

    role: str
    why: str
    analyte: Analyte | None = None
    unit: str | None = None


def find_id_column(frame: pd.DataFrame, known: set[str], named: str | None) -> str:
    """Return the column that holds the identifiers of the images.

    Raises
    ------
    CohortError
        If none does, or `named` is not a column.
    """
    if named is not None:
        if named not in frame:
            raise _no_column("id_column", named, frame)
        return named
    ranks = []
    for name in frame.columns:
        written = [(canonical_id(cell), cell) for cell in frame[name] if cell is not None]
        # A number of eight digits may be a date or an identifier of the images.
        cells = [key for key, cell in written if key in known or not looks_like_date(cell)]
        matched = len(set(cells) & known)
        if matched:
            called = _ID.search(" ".join(name_tokens(name))) is not None and find_analyte(name) is None
            # A number such as an age may equal many short identifiers, but repeats.
            ranks.append(((called, matched * len(set(cells)) / len(cells)), str(name)))
    if not ranks:
        what = "no column holds the patient identifiers of the images"
        remedy = (
            f"name it with id_column=, or say with id_from= where the images have the identifiers of the table; "
            f"the table has {', '.join(map(str, frame.columns))}"
        )
        raise CohortError([Problem(what, remedy)])
    return max(ranks)[1]


def assign_columns(
    frame: pd.DataFrame, id_column: str, named: Mapping[str, str | None], keep: tuple[str, ...] = ()
) -> dict[str, Column]:
    """Say what each column is.

    Parameters
    ----------
    frame : DataFrame
    id_column : str
    named : mapping of role to column
        ``"auto"`` looks for one, None wants none.
    keep : tuple of str, default=()
        Columns that are passed on although they would not be.

    Raises
    ------
    CohortError
        If a named column does not exist, or two are equally good for one date.
    """
    for role, name in named.items():
        if name not in (None, "auto") and name not in frame:
            raise _no_column(role, str(name), frame)
    for name in keep:
        if name not in frame:
            raise _no_column("keep", name, frame)
    taken = {name: role for role, name in named.items() if name not in (None, "auto")}
    columns = {}
    for name in frame.columns:
        if name == id_column:
            columns[name] = Column("id", "identifies the patient; joined with the images, not passed on")
        elif name in taken:
            columns[name] = Column(taken[name], "named by the user")
        else:
            columns[name] = describe(name, frame[name], keep)
    for role in DATE_ROLES:
        _settle(role, columns, named.get(role, "auto"))
    if named.get("weight", "auto") is None:
        for column in columns.values():
            column.role = "number" if column.role == "weight" else column.role
    return columns


def describe(name: str, cells: pd.Series, keep: tuple[str, ...] = ()) -> Column:
    """Say what one column is, by its name and its cells.

    Examples
    --------
    >>> cells = pd.Series(["12", "13", "12"], dtype=object)
    >>> [describe(n, cells).role for n in ("Kreatinin [µmol/l]", "Nachname", "Ki-67", "Gewicht [kg]")]
    ['analyte', 'person', 'number', 'weight']
    """
    filled = [cell for cell in cells if cell is not None]
    text = " ".join(name_tokens(name))
    if not filled:
        return Column("empty", "no cell is filled in")
    if _PERSON.search(text) and name not in keep:
        return Column("person", "named like a person or an address: not passed on")
    if _FREE.search(text) and name not in keep:
        return Column("text", "named like a comment: not passed on")
    if _OTHER_ID.search(text) and name not in keep:
        return Column("person", "another identifier: not passed on")
    if _share(filled, looks_like_date) > 0.5:
        return Column("date", "holds dates: not passed on")
    if name not in keep and _share(filled, _titled) > 0.3:
        return Column("person", "holds titles of persons: not passed on")
    found = _analyte(name)
    if found is not None:
        return found
    days = "" if name in keep else like_days(filled)
    if days:
        return Column("date", f"numbers like {days}: not passed on; keep it by name if they are values")
    if name not in keep and _YEARS.search(text) and _share(filled, _is_year) > 0.5:
        return Column("date", "holds years of events: not passed on")
    if _share(filled, lambda cell: isinstance(cell, str) and _FILE.search(cell) is not None) > 0.5:
        return Column("path", "holds files or folders: not passed on")
    if _WEIGHT.match(text):
        return Column("weight", "body weight, kg")
    if _SEX.match(text):
        return Column("sex", "sex")
    if _share(filled, _is_number) >= 0.8:
        if name not in keep and _like_record_number(filled):
            return Column("person", "whole numbers of many digits, all different, like record numbers: not passed on")
        return Column("number", "numbers, passed on as they are")
    return _words(name, filled, keep)


def _titled(cell: object) -> bool:
    return isinstance(cell, str) and _TITLE.search(cell) is not None


def _is_year(cell: object) -> bool:
    return re.fullmatch(r"(19|20)\d{2}(\.0)?", str(cell)) is not None


def named_like_a_name(name: str) -> bool:
    """Tell a column of names, each word of which says who somebody is, from one of towns or numbers."""
    return _NAME.search(" ".join(name_tokens(name))) is not None


def _analyte(name: str) -> Column | None:
    name = spelled_out(name)
    analyte, unit = find_analyte(name), split_unit(name)[1]
    if analyte is not None:
        return Column("analyte", analyte.title, analyte, unit)
    bracket = re.search(r"[\[(]([^\])]+)[\])]\s*$", name)
    if bracket is None:
        return None
    analyte = find_analyte(name[: bracket.start()])
    if analyte is None or not bracket[1].strip():
        return None
    return Column("analyte", analyte.title, analyte, "?")


def _words(name: str, filled: list[object], keep: tuple[str, ...]) -> Column:
    levels = {str(cell) for cell in filled}
    short = all(len(level) <= _MAX_WORD for level in levels)
    if name in keep:
        return Column("category", "passed on as the user wishes")
    if short and len(levels) <= _MAX_LEVELS and len(levels) * 2 <= max(len(filled), 4):
        return Column("category", f"{len(levels)} different words, passed on as they are")
    return Column("text", "free text or too many different words: not passed on")


def _settle(role: str, columns: dict[str, Column], asked: str | None) -> None:
    if asked != "auto":
        return
    found = [
        name
        for name, column in columns.items()
        if column.role == "date" and _date_role(" ".join(name_tokens(name))) == role
    ]
    if len(found) > 1:
        what = f"several columns may hold the {role.replace('_', ' ')}: {', '.join(found)}"
        raise CohortError([Problem(what, f"name the right one with {role}=, or 'none'")])
    if found:
        columns[found[0]] = Column(role, f"{role.replace('_', ' ')}, used for intervals: not passed on")


def _date_role(text: str) -> str | None:
    for role, pattern in _DATE_NAMES.items():
        if pattern.search(text):
            return None if role == "therapy_date" and re.search(_NOT_THE_START, text) else role
    return None


def _share(cells: list[object], test: object) -> float:
    return sum(bool(test(cell)) for cell in cells) / len(cells)  # type: ignore[operator]


def _is_number(cell: object) -> bool:
    if isinstance(cell, str):
        cell = cell.removesuffix("%").rstrip()
    return parse_number(cell) is not None


def _like_record_number(filled: list[object]) -> bool:
    texts = [canonical_id(cell) for cell in filled]
    return len(set(texts)) == len(texts) > 1 and all(text.isdigit() and len(text) >= 5 for text in texts)


def _no_column(argument: str, name: str, frame: pd.DataFrame) -> CohortError:
    what, remedy = (
        f"the table has no column {name!r}",
        f"correct {argument}=; it has {', '.join(map(str, frame.columns))}",
    )
    return CohortError([Problem(what, remedy)])
