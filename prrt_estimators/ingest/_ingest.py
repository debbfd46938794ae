"""From a folder of scanner files and a spreadsheet to a cohort that can be compared on."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from prrt_estimators._arguments import parameter
from prrt_estimators._captured_warnings import closing
from prrt_estimators._date_forms import has_date, without_dates
from prrt_estimators._extras import import_pydicom
from prrt_estimators._modalities import INGESTED
from prrt_estimators.dicom._tracers import DEFAULT_TRACERS
from prrt_estimators.ingest._clinical_columns import DATE_ROLES
from prrt_estimators.ingest._clinical_table import Clinical, read_clinical
from prrt_estimators.ingest._cohort_plan import Chosen, Plan, identity_digest, plan_tasks
from prrt_estimators.ingest._contour_names import contour_identity
from prrt_estimators.ingest._contour_plan import check_wishes
from prrt_estimators.ingest._convert import Converted
from prrt_estimators.ingest._export_index import walk
from prrt_estimators.ingest._export_records import Inventory, Person
from prrt_estimators.ingest._headers import CONTOURS
from prrt_estimators.ingest._identity_search import IdentitySearch
from prrt_estimators.ingest._lesion_tables import contour_counts
from prrt_estimators.ingest._outputs import Record, check_key, held, remove_stale, write_tables
from prrt_estimators.ingest._parallel_conversion import run_tasks
from prrt_estimators.ingest._patient_flow import FlowRow, flow_counts, flow_table
from prrt_estimators.ingest._person_matching import identity_of, people_of
from prrt_estimators.ingest._privacy import Finding, Identity, check_folder
from prrt_estimators.ingest._progress import IngestProgress
from prrt_estimators.ingest._pseudonyms import canonical_id, given_pseudonyms, hashed_pseudonyms, load_key
from prrt_estimators.ingest._reference_limits import read_limits
from prrt_estimators.ingest._scan_kinds import counted, what_is_shown
from prrt_estimators.ingest._series_override import read_override
from prrt_estimators.ingest._series_selection import Wishes
from prrt_estimators.ingest._spilled import Spilled
from prrt_estimators.ingest._unreadable_export import REMEDY, check_export, what_it_is

_ID_FROM = ("patient_id", "patient_name", "folder")
_REQUIRED = tuple(INGESTED)


@dataclass(frozen=True)
class IngestResult:
    """What `ingest` made.

    Attributes
    ----------
    cohort : Path
        ``cohort.csv``, ready for `load_cohort` and ``prrt compare``.
    flow : DataFrame
        One row per patient: patient_id, status, stage, reason, remedy, notes, pet, ct; the last two say what the scans show.
    counts : DataFrame
        How many patients went how far.
    columns : DataFrame
        What each column of the clinical table was recognised as.
    contours : DataFrame
        What became of contour objects and of the structures in them: what, fate, count.
    findings : tuple
        What the search for identities found in the outputs; empty if all is well.
    n_included : int
        Patients in the cohort.
    n_kept : int
        Those among them that an earlier run had converted.
    shown : tuple of str
        What the scans show, counted: ``"PET: 41 Ga-68 DOTATATE, 2 F-18 FDG"``, ``"CT: 43 portal venous"``.
    """

    cohort: Path
    flow: pd.DataFrame = field(repr=False)
    counts: pd.DataFrame = field(repr=False)
    columns: pd.DataFrame = field(repr=False)
    contours: pd.DataFrame = field(repr=False)
    findings: tuple[Finding, ...]
    n_included: int
    n_kept: int
    shown: tuple[str, ...] = ()


def ingest(
    dicom_dir: str | os.PathLike[str],
    clinical: str | os.PathLike[str] | pd.DataFrame,
    out: str | os.PathLike[str],
    *,
    id_column: str | None = None,
    id_from: Literal["patient_id", "patient_name", "folder"] = "patient_id",
    pseudonym_column: str | None = None,
    key_file: str | os.PathLike[str] | None = None,
    therapy_date: str | None = "auto",
    progression_date: str | None = "auto",
    last_contact_date: str | None = "auto",
    death_date: str | None = "auto",
    weight: str | None = "auto",
    keep: Sequence[str] = (),
    derived: bool = True,
    limits: str | os.PathLike[str] | None = None,
    sheet: int | str = 0,
    require: Sequence[str] = _REQUIRED,
    time_point: Literal["first", "last"] | None = None,
    tracers: Sequence[str] = DEFAULT_TRACERS,
    prefer_pet: str | None = None,
    prefer_ct: str | None = None,
    override: str | os.PathLike[str] | Mapping[str, Mapping[str, str]] | None = None,
    contours: Literal["first", "last", "all"] = "last",
    lesions: str | None = None,
    not_lesions: str | None = None,
    deface: bool = False,
    n_jobs: int | None = None,
    verbose: bool = True,
) -> IngestResult:
    """Make a pseudonymous cohort of a DICOM export and a clinical table.

    A patient whose data cannot be used is left out with a reason and costs no other. Rerun the same call to resume where
    an interrupted one stopped, and repeats nothing that is finished. The last step searches every output for names,
    identifiers and dates.

    Parameters
    ----------
    dicom_dir : path
        Folder of files in any layout.
    clinical : path or DataFrame
        CSV or Excel, one row per patient.
    out : path
        Folder of the cohort.
    id_column : str, default=None
        Column with the identifiers of the images; found by its values where None.
    id_from : {"patient_id", "patient_name", "folder"}, default="patient_id"
        What in the images identifies a patient; "folder" is the first folder below `dicom_dir`.
    pseudonym_column : str, default=None
        Column with your own pseudonyms, which may be `id_column` if the export was pseudonymised before; keyed hashes
        of the identifiers where None.
    key_file : path, default=None
        Key of the hashes, made if it does not exist; never inside `out`. In the user's settings by default.
    therapy_date, progression_date, last_contact_date, death_date : str or None, default="auto"
        Columns with dates, which choose the last PET before therapy and become ``pfs_months`` and ``progressed``;
        "auto" goes by name, None uses none.
    weight : str or None, default="auto"
        Column with the body weight in kg, for images that lack it.
    keep : sequence of str, default=()
        Columns to pass on although they look like free text or identifiers.
    derived : bool, default=True
        Add ratios: De Ritis, neutrophils/lymphocytes, CRP/albumin, value/ULN.
    limits : path, default=None
        Table of reference limits (analyte, unit, uln_male, uln_female, ...) in place of the usual ones.
    sheet : int or str, default=0
        Sheet of an Excel file.
    require : sequence of str, default=("pet", "ct")
        Scans without which a patient is left out.
    time_point : {"first", "last"}, default=None
        Which PET to take of several days, where no date of therapy says so; a patient with several is left out where
        None.
    tracers : sequence of str, default=("SSTR", "Ga-68", "Cu-64")
        Which PET to take of several tracers, the first in the list that a patient has: names (``"DOTATATE"``, ``"FDG"``),
        targets (``"SSTR"``), nuclides for images that name no radiopharmaceutical. A patient with several, of which none
        is in the list, is left out.
    prefer_pet, prefer_ct : str, default=None
        Regular expressions for descriptions of series that go before others.
    override : path or mapping, default=None
        Series named for single patients: a table with the columns patient, pet, ct, contours, or JSON.
    contours : {"first", "last", "all"}, default="last"
        Whose contours are the lesions, where several observers drew them: by date, or all of them joined.
    lesions : str, default=None
        Regular expression: exactly the structures whose names it matches are lesions. Names of lesions, organs and
        planning volumes are told apart by their words where None.
    not_lesions : str, default=None
        Regular expression for names of structures that are not lesions.
    deface : bool, default=False
        Remove what lies more than 6 cm above the lungs from CT and PET.
    n_jobs : int, default=None
        Processes; at most 4 by default. Memory grows with their number, not with the cohort.
    verbose : bool, default=True
        Show progress on a terminal.

    Returns
    -------
    IngestResult

    Raises
    ------
    CohortError
        If the table or the override cannot be used as a whole.
    ValueError, FileNotFoundError
        If an argument cannot be.
    RunMismatchError
        If `out` holds a cohort made under another key.
    """
    # Workers outlive a run and keep the folder that they were started in: relative paths would mean another place there.
    root, place = Path(dicom_dir).absolute(), Path(out).absolute()
    _check(root, place, id_from, require, time_point, tracers)
    import_pydicom()
    wishes = Wishes(time_point, prefer_pet, prefer_ct, tuple(tracers))
    drawn = check_wishes(contours, lesions, not_lesions)
    panel = read_limits(limits)
    jobs = min(4, os.cpu_count() or 1) if n_jobs is None else n_jobs
    dates = dict(zip(DATE_ROLES, (therapy_date, progression_date, last_contact_date, death_date), strict=True))
    named: dict[str, str | None] = {**dates, "weight": weight}
    if pseudonym_column is not None and pseudonym_column != id_column:
        named["pseudonym"] = pseudonym_column
    with held(place), IngestProgress(verbose) as bars:
        key = load_key(key_file, place)
        check_key(place, key)
        found = walk(root, id_from=id_from, n_jobs=jobs, skip=place, progress=bars.headers)
        check_export(found)
        people, nameless = people_of(found)
        table = read_clinical(
            clinical, people, panel=panel, id_column=id_column, named=named, keep=keep, derived=derived, sheet=sheet
        )
        if pseudonym_column == table.id_column:
            table.pseudonyms = dict(table.written_ids)
        names = _pseudonyms(people, table, key, pseudonym_column)
        search, searched_for = _searched_for(root, people, nameless, table, names, key)
        _scrub(table, search)
        plan = Plan(
            wishes,
            names,
            read_override(override, names),
            tuple(require),
            deface,
            place,
            key,
            search,
            drawn,
            searched_for,
        )
        tasks, rows = plan_tasks(plan, found, people, table)
        rows += _loose(found, nameless, table)
        made = _Made()
        with closing(run_tasks(tasks, search, jobs, bars.patient)) as converted:
            rows += [made.add(one, plan) for one in converted]
        flow = _cleaned(flow_table(rows), search)
        del rows
        remove_stale(place, made.records)
        columns = _cleaned(
            table.columns.map(lambda cell: without_dates(cell) if isinstance(cell, str) else cell), search
        )
        cohort = write_tables(plan, made.records, made.contours, table, flow, columns, panel, found)
        findings = made.findings + check_folder(place, search, made.searched_in(place))
        return IngestResult(
            cohort, flow, flow_counts(flow), columns, contour_counts(made.contours), tuple(findings),
            len(made.records), made.n_kept, counted(made.shown()),
        )  # fmt: skip


class _Made:
    """What became of the patients in the cohort: their records, on disk, and what is counted."""

    def __init__(self) -> None:
        self.records: Spilled[Record] = Spilled(dict, dict)
        self.contours: Spilled[Record] = Spilled(dict, dict)
        self.findings: list[Finding] = []
        self.n_kept = 0
        self._shown: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        self._counts: Counter[tuple[tuple[str, str], ...]] = Counter()

    def add(self, one: Converted, plan: Plan) -> FlowRow:
        """Keep what was made of a patient; return what is told of it."""
        self.findings += one.findings
        told: dict[str, str] = {}
        if not one.reason:
            told = what_is_shown(plan.chosen.get(one.patient) or Chosen(), one.record)
            shown = tuple(told.items())
            told = self._shown.setdefault(shown, told)
            self._counts[shown] += 1
            self.n_kept += one.kept
            self.records[one.patient] = one.record
            if "contours" in one.record:
                self.contours[one.patient] = one.record["contours"]
        return FlowRow(one.patient, one.stage, one.reason, plan.notes[one.patient] + one.notes, told)

    def shown(self) -> Iterator[dict[str, str]]:
        """Give what the scans of each patient show."""
        return (dict(shown) for shown in self._counts.elements())

    def searched_in(self, place: Path) -> Callable[[Path], bool]:
        """Return what tells whether a file of a patient was searched when it was written."""
        patients = str(place / "patients")

        @functools.lru_cache(1)
        def searched(patient: str) -> frozenset[str]:
            return frozenset(self.records.get(patient, {}).get("files", ()))

        return lambda path: str(path.parent.parent) == patients and path.name in searched(path.parent.name)


def _check(
    root: Path,
    out: Path,
    id_from: str,
    require: Sequence[str],
    time_point: str | None,
    tracers: Sequence[str],
) -> None:
    if root.is_file() and what_it_is(root):
        raise ValueError(f"{root.name} is {what_it_is(root)}. {REMEDY}")
    if not root.is_dir():
        raise FileNotFoundError(f"the folder of DICOM files {root} does not exist. Correct the path.")
    if root.resolve() == out.resolve() or root.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"{parameter('out')} must be a folder of its own, which does not hold the DICOM files.")
    for name, value, allowed in (
        ("id_from", id_from, _ID_FROM), ("time_point", time_point, ("first", "last", None))
    ):  # fmt: skip
        if value not in allowed:
            raise ValueError(f"{parameter(name)} must be one of {', '.join(map(repr, allowed))}; got {value!r}.")
    if isinstance(tracers, str) or not all(isinstance(one, str) and one.strip() for one in tracers):
        raise ValueError(f"{parameter('tracers')} must be a list of names; got {tracers!r}.")
    if isinstance(require, str) or not set(require) <= set(_REQUIRED):
        raise ValueError(f"{parameter('require')} must be some of {_REQUIRED} or empty; got {require!r}.")


def _pseudonyms(people: Mapping[str, Person], table: Clinical, key: bytes, column: str | None) -> dict[str, str]:
    names = hashed_pseudonyms({*people, *table.frame.index}, key)
    if column is not None:
        names |= given_pseudonyms(table.pseudonyms, column, same=column == table.id_column)
    if len({name.casefold() for name in names.values()}) < len(names):
        raise ValueError("a pseudonym of the table equals the keyed hash of another patient. Use another key file.")
    return names


def _searched_for(
    root: Path,
    people: Mapping[str, Person],
    nameless: Person | None,
    table: Clinical,
    names: Mapping[str, str],
    key: bytes,
) -> tuple[IdentitySearch, str]:
    """Return what searches for all that must not be in an output, and its keyed digest; the texts themselves are released."""
    identity = _identity(people, nameless, table, names)
    identity.update(_contour_identity(root, people, nameless, table).without(names.values()))
    table.identity = Identity()
    return identity.search, identity_digest(key, identity)


def _identity(
    people: Mapping[str, Person], nameless: Person | None, table: Clinical, names: Mapping[str, str]
) -> Identity:
    """Gather what must not be found in any output; pseudonyms that an export already has are none of it."""
    identity = Identity()
    for person in _all_of(people, nameless):
        identity.update(identity_of(person))
    identity.update(table.identity)
    return identity.without(name for key, name in names.items() if canonical_id(name) == key)


def _all_of(people: Mapping[str, Person], nameless: Person | None) -> Iterator[Person]:
    yield from people.values()
    if nameless is not None:
        yield nameless


def _contour_identity(root: Path, people: Mapping[str, Person], nameless: Person | None, table: Clinical) -> Identity:
    """Gather names in contour objects."""
    persons = _all_of(people, nameless)
    drawn = (series for person in persons for series in person.series if series.modality in CONTOURS)
    files = (os.path.join(root, file) for series in drawn for file in series.files)
    return contour_identity(files, table.frame.itertuples(index=False))


def _scrub(table: Clinical, identity: IdentitySearch) -> None:
    """Empty cells that name somebody, and tell of them."""
    for column in table.frame:
        for key, cell in table.frame[column].items():
            if isinstance(cell, str) and (identity.kinds_in(cell) or has_date(cell)):
                table.frame.at[key, column] = None
                table.notes[str(key)].append(f"{column}: the cell names a person, a number or a date; left out")


def _loose(found: Inventory, nameless: Person | None, table: Clinical) -> list[FlowRow]:
    """Return rows for what belongs to no patient."""
    rows = []
    kinds = [kind for kind, _ in found.loose]
    for kind, words in (
        ("damaged", "damaged DICOM file(s)"), ("unreadable", "file(s) that cannot be opened"),
        ("empty", "empty file(s)"), ("folder", "folder(s) that cannot be opened"),
        ("special", "pipe(s) or device(s) in place of a file"), ("contours", "damaged contour object(s)"),
    ):  # fmt: skip
        if kind in kinds:
            rows.append(FlowRow("", "images", f"{kinds.count(kind)} {words}, of no patient that can be told"))
    if found.n_other:
        packed = sum("archive" in what_it_is(os.path.join(found.root, path)) for path in found.others)
        told = f", {packed} archive(s) among them that are not opened" if packed else ""
        rows.append(FlowRow("", "images", f"{found.n_other} file(s) that are not DICOM{told}"))
    if nameless is not None and nameless.series:
        files = sum(len(series.files) for series in nameless.series)
        rows.append(FlowRow("", "identity", f"{files} image(s) without a patient identifier"))
    if table.anonymous_rows:
        rows.append(FlowRow("", "table", f"{table.anonymous_rows} row(s) of the table without an identifier"))
    return rows


def _cleaned(table: pd.DataFrame, identity: IdentitySearch) -> pd.DataFrame:
    """Take out what the user's own table or a reader's message might have brought in."""
    return table.map(lambda cell: identity.clean(cell) if isinstance(cell, str) else cell)
