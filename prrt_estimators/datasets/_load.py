"""A cohort table in, a `Cohort` with its target out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from prrt_estimators._arguments import keyword
from prrt_estimators._dataset import Dataset
from prrt_estimators._survival import as_survival, with_cause
from prrt_estimators._values import read_numbers
from prrt_estimators.cohort import Cohort
from prrt_estimators.datasets._cells import LabTable, error_problems, read_block, read_labs
from prrt_estimators.datasets._checks import (
    class_problems,
    file_problems,
    found_paths,
    modality_problems,
    note_rows,
    read_ids,
    resolve_paths,
)
from prrt_estimators.datasets._competing import columns_apart
from prrt_estimators.datasets._load_messages import show_roles, warn_about
from prrt_estimators.datasets._options import AUTO, TIMES, Options, as_names
from prrt_estimators.datasets._outcome_copies import copies_of_outcome
from prrt_estimators.datasets._outcome_remarks import outcome_remarks
from prrt_estimators.datasets._plausible import implausible_labs
from prrt_estimators.datasets._predictors import LOADED
from prrt_estimators.datasets._roles import CARRIED, Roles, assign_roles, scan_titles
from prrt_estimators.datasets._tables import empty_cells, read_table
from prrt_estimators.datasets._targets import Outcome, read_outcome
from prrt_estimators.exceptions import CohortError, LeakageError, Problem


@dataclass
class _Reading:
    """Everything found in a table; complete only where there is no problem."""

    problems: list[Problem]
    roles: Roles = field(default_factory=Roles)
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)
    ids: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=object))
    outcome: Outcome | None = None
    kept: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=int))
    lab: LabTable = field(default_factory=lambda: LabTable(pd.DataFrame()))
    files: dict[str, np.ndarray] = field(default_factory=dict)
    blocks: dict[str, LabTable] = field(default_factory=dict)
    group: pd.Series | None = None  # persons, of every row
    centre: pd.Series | None = None
    torn: bool = False  # lines are missing, so what is told of the patients as a whole may be wrong


def load_cohort(
    source: str | os.PathLike[str] | pd.DataFrame | Mapping[str, Any],
    *,
    scans: str | Mapping[str, str | None] | None = AUTO,
    lab: str | Sequence[str] | None = AUTO,
    mask: str | Sequence[str] | Mapping[str, str] | None = AUTO,
    patient_id: str | None = AUTO,
    time: str | None = AUTO,
    event: str | tuple[str, Any] | None = AUTO,
    target: str | tuple[str, Any] | None = AUTO,
    time_unit: str = AUTO,
    horizon: float = 12,
    censored: str = "drop",
    allow_after_therapy: Sequence[str] = (),
    sheet: int | str = 0,
    root: str | os.PathLike[str] | None = None,
    group: str | None = None,
    centre: str | None = None,
    blocks: str | Mapping[str, Sequence[str]] | None = AUTO,
    competing: str | tuple[str, Any] | None = None,
    competing_as: str = "event",
    return_X_y: bool = False,
    verbose: bool = False,
) -> Any:
    """Load a table with one row per patient as a `Cohort` and a target.

    What each column is gets guessed from its cells and its name, in English or German; each guess is listed in
    ``roles``, and printed with ``verbose=True``. A column whose meaning is not recognised is left out unless it is named in `lab`;
    identifiers, dates and what is known only after therapy are never predictors.

    Parameters
    ----------
    source : path, DataFrame, mapping of str to sequence, or list of mappings
        A CSV file (separator and encoding are found out), an Excel file (needs the extra ``excel``), a DataFrame,
        a dict of columns, or a list of records, one per patient.
    scans : "auto", None or mapping of modality to column, default="auto"
        Columns with the NIfTI files of the PET (SUVbw) and of the CT (HU): ``{"pet": "scan_1", "ct": None}`` takes the PET
        from ``scan_1`` and leaves CT out. A modality that the mapping does not name is found by name; None leaves out all.
    lab : str, sequence of str or None, default="auto"
        Columns that enter as the modality ``"lab"``. A list names all of them; ``["auto", "x"]`` adds ``x`` to
        those recognised.
    mask : str, sequence of str, mapping of name to column, or None, default="auto"
        Columns with tumour or organ masks (NIfTI, ``.seg.nrrd`` or DICOM SEG), which ride along and are never an input.
    patient_id : str or None, default="auto"
        Column with pseudonymous ids; row numbers where there is none.
    time : str or None, default="auto"
        Column with the time to progression or censoring. None loads patients without an outcome (`y` is None) unless
        there is a `target`.
    event : str, pair (str, code) or None, default="auto"
        Column with whether progression was seen (1) or the patient censored then (0). With another coding, pass the
        column and the value or list of values that mean progression, ``("Status", 2)``; every other value is censored.
        None states that nobody was censored.
    target : str, pair (str, code) or None, default="auto"
        Column with a ready class, 0/1 or short/long, where 1 is long PFS; a name such as ``short_pfs`` makes 1 short. With
        another coding, pass the column and the value that means long PFS. A guessed one is used only where there is no
        time. "survival" (or "time") makes `y` of time and event: everybody whose time is known is kept, those censored early
        too.
    time_unit : {"auto", "days", "weeks", "months", "years"}, default="auto"
        Unit of `time`; "auto" reads it from the column's name, months where the name has none.
    horizon : float, default=12
        Months. Progression at exactly the horizon is short PFS.
    censored : {"drop", "weight"}, default="drop"
        A patient censored before the horizon is of unknown class and always left out. With "weight" the others
        get inverse-probability-of-censoring weights, which make up for them.
    allow_after_therapy : sequence of str, default=()
        Columns that may be predictors although their names say that they are known only after therapy.
    sheet : int or str, default=0
        Sheet of an Excel file: its number among the visible ones, from 0, or its name. A hidden one is read by name only.
    root : path, default=None
        Folder in which relative paths start; that of the table by default, the working folder for tables in
        memory.
    group : str, default=None
        Column that says which rows belong together, e.g. the person where one has several courses of therapy; never a
        predictor. Given to `compare_models` as ``groups``.
    centre : str, default=None
        Column with the centre of each patient; never a predictor. For `leave_one_centre_out` and tables by centre.
    blocks : "auto", None or mapping of str to sequence of str, default="auto"
        Columns that are tables of numbers of their own in ``X.blocks``, apart from laboratory values: radiomics, from which
        `BlockFusionPFSClassifier` learns. "auto" finds the names of MIRP, pyradiomics and nuclear medicine (SUVmax, MTV).
    competing : str, pair (str, code) or None, default=None
        Column with whether a patient died without progression, or a column and the value that says so, e.g. of a status with
        three values: ``event=("status", 1), competing=("status", 2)``. Death ends PFS as progression does, whatever `event`
        holds of it; ``followup`` then has ``cause``, and a report shows the cumulative incidence of both.
    competing_as : {"event", "censored"}, default="event"
        What models of time learn of a patient who died without progression: that PFS ended, or, for cause-specific models of
        progression alone, that the patient was censored at death.
    return_X_y : bool, default=False
        Return ``(X, y)`` in place of the Bunch.
    verbose : bool, default=False
        Print on stderr how each column was interpreted, as the commands do.

    Returns
    -------
    Bunch or tuple (X, y)
        ``X`` (`Cohort` with ids, masks and survival), ``y`` (int array of shape (n,), 1 = long PFS; for
        ``target="survival"`` a structured array with ``event`` and ``time``), ``time``
        (months) and ``event`` (None without a time), ``group`` and ``centre`` (None, or
        those of each patient), ``followup`` (event and time of everybody in the table whose time is
        known, those censored early too; for Kaplan-Meier; with `competing` also ``cause``: 0 censored, 1 progression, 2 death
        without it), ``sample_weight`` (None, or the weights), ``roles``
        (DataFrame: column, role, reason, and ``shown``, the name without persons and dates), ``excluded`` (DataFrame: patient_id,
        reason), ``frame`` (the carried
        columns of the patients in `X`; no identifiers, files or unrecognised columns), ``horizon``, ``sheet``
        (which one was read, of an Excel file with several) and ``layout`` (what rows around the patients were taken as).

    Raises
    ------
    LeakageError
        If `lab` names a column that is known only after therapy.
    CohortError
        With everything that is wrong with the table and its files; no file is opened.
    MissingDependencyError
        If an Excel file is given without openpyxl.
    TypeError, ValueError
        If an argument is of the wrong kind or unknown.

    Warns
    -----
    CensoredPatientsWarning
        If patients were censored before the horizon.
    CohortWarning
        If there is no event column, an outcome is missing, a column tells nothing, or a value cannot be, such as
        an age of 440.

    Examples
    --------
    >>> X, y = load_cohort(
    ...     {"patient_id": ["a", "b", "c"], "CgA [ug/L]": ["95", "> 5000", "1.200,5"], "pfs_months": [30, 4, 12],
    ...      "progressed": [0, 1, 1]}, return_X_y=True)
    >>> X["lab"]["CgA [ug/L]"].tolist(), y.tolist()
    ([95.0, 5000.0, 1200.5], [1, 0, 0])
    """  # fmt: skip
    reading = _read(
        source,
        Options(
            scans, lab, mask, patient_id, time, event, target, time_unit, horizon, censored,
            allow_after_therapy, sheet, root, group, centre, blocks=blocks, competing=competing, competing_as=competing_as,
        ),
    )  # fmt: skip
    if reading.roles.leaks:
        raise LeakageError(reading.roles.leaks + reading.problems)
    if reading.problems:
        raise CohortError(reading.problems)
    bunch = _bunch(reading, float(horizon), target in TIMES, competing_as)
    if verbose:
        show_roles(bunch)
    if reading.outcome is not None:
        warn_about(reading.roles, reading.outcome, reading.lab, float(horizon))
    return (bunch.X, bunch.y) if return_X_y else bunch


def check_cohort(
    source: str | os.PathLike[str] | pd.DataFrame | Mapping[str, Any],
    *,
    scans: str | Mapping[str, str | None] | None = AUTO,
    lab: str | Sequence[str] | None = AUTO,
    mask: str | Sequence[str] | Mapping[str, str] | None = AUTO,
    patient_id: str | None = AUTO,
    time: str | None = AUTO,
    event: str | tuple[str, Any] | None = AUTO,
    target: str | tuple[str, Any] | None = AUTO,
    time_unit: str = AUTO,
    horizon: float = 12,
    censored: str = "drop",
    allow_after_therapy: Sequence[str] = (),
    sheet: int | str = 0,
    root: str | os.PathLike[str] | None = None,
    group: str | None = None,
    centre: str | None = None,
    blocks: str | Mapping[str, Sequence[str]] | None = AUTO,
    competing: str | tuple[str, Any] | None = None,
    competing_as: str = "event",
) -> list[Problem]:
    """Return everything that is wrong with a cohort table and the existence of its files, without raising.

    Parameters are those of :func:`load_cohort`. Scans are not opened. The files of all patients are looked for,
    those whom :func:`load_cohort` would leave out (censored early, no outcome) too.

    Returns
    -------
    list of Problem
        Empty if nothing is wrong: :func:`load_cohort` then loads the table. It also loads one whose only problems
        are missing files of patients whom it leaves out.

    Warns
    -----
    CensoredPatientsWarning, CohortWarning
        Of what :func:`load_cohort` would warn.

    Examples
    --------
    >>> for problem in check_cohort({"patient_id": ["a", "b"], "age": [61, 70], "pfs_months": [30, -1],
    ...                              "progressed": [0, 1]}):
    ...     print(problem)
    patient b, pfs_months: time is negative (-1). Remedy: correct the time.
    """  # fmt: skip
    reading = _read(
        source,
        Options(
            scans, lab, mask, patient_id, time, event, target, time_unit, horizon, censored,
            allow_after_therapy, sheet, root, group, centre, blocks=blocks, competing=competing, competing_as=competing_as,
        ),
        everyone=True,
    )  # fmt: skip
    if reading.outcome is not None and not reading.torn:
        warn_about(reading.roles, reading.outcome, reading.lab, float(horizon))
    return reading.roles.leaks + reading.problems


def _read(source: Any, options: Options, everyone: bool = False) -> _Reading:
    """Read a table; look for the files of `everyone`, or only of those who are not left out."""
    table, options = read_table(source, options.sheet), options.resolved()
    reading = _Reading(options.problems() + table.problems, frame=table.frame, torn=bool(table.problems))
    if not len(table.frame):
        return reading
    roles = reading.roles = assign_roles(
        table.frame.drop(columns=columns_apart(options), errors="ignore"), options, table.frame
    )
    roles.notices += map(roles.identities.masked, table.notices)
    roles.sheet, roles.layout = table.sheet, list(map(roles.identities.masked, table.layout))
    notes, note_problems = note_rows(table.frame, roles)
    frame = reading.frame = table.frame[~notes].reset_index(drop=True)
    reading.group = _read_labels(reading, "group", options.group, "rows of one value stay together; never a predictor")
    reading.centre = _read_labels(reading, "centre", options.centre, "each is left out in turn; never a predictor")
    reading.problems += note_problems
    reading.ids, id_problems = read_ids(frame, roles)
    for name in (roles.patient_id, *roles.scans.values(), *roles.masks.values()):
        id_problems += error_problems(frame[name], reading.ids, name) if name is not None else []
    reading.problems += roles.problems + id_problems
    outcome = reading.outcome = read_outcome(frame, roles, options, reading.ids)
    reading.problems += outcome.problems
    kept = reading.kept = np.flatnonzero(np.array([reason is None for reason in outcome.reasons], dtype=bool))
    ids, rows = reading.ids[kept], frame.iloc[kept].reset_index(drop=True)

    named = set(as_names(options.lab)) - {AUTO}
    reading.lab = read_labs(rows, roles.lab, named, ids, roles.has_outcome, roles.commas, roles.identities)
    reading.problems += reading.lab.problems
    for block, columns in roles.blocks.items():
        reading.blocks[block] = read_block(rows, columns, ids, roles.has_outcome, roles.commas)
        reading.problems += reading.blocks[block].problems
        roles.log |= reading.blocks[block].log
    for name, note in reading.lab.notes.items():
        roles.log[name] = ("lab", f"{roles.log[name][1]}; {note}")
    roles.log |= reading.lab.log
    roles.notices += implausible_labs(reading.lab.frame, ids)
    if outcome.y is not None and not outcome.problems:
        for part in (reading.lab, *reading.blocks.values()):
            roles.notices += copies_of_outcome(part.frame, outcome.y[kept].astype(float))
    if outcome.time is not None and not any(problem.column == roles.time for problem in outcome.problems):
        roles.notices += outcome_remarks(frame, outcome, reading.ids, roles)

    columns = [*roles.scans.values(), *roles.masks.values()]
    files = found_paths({name: resolve_paths(frame[name], options.folder or table.folder) for name in columns})
    reading.files = {name: paths[kept] for name, paths in files.items()}
    asked, of = (files, reading.ids) if everyone else (reading.files, ids)
    reading.problems += file_problems(asked, of, options.root is not None, set(roles.masks.values()))
    scans = {name: reading.files[name] for name in roles.scans.values()}
    if not scans and not reading.lab.frame.shape[1] and not reading.lab.problems and not roles.leaks:
        remedy = f"name them with {keyword('scans')} or {keyword('lab')}; the table has {', '.join(frame.columns)}"
        reading.problems.append(Problem(f"no column is taken as {scan_titles()} or predictor", remedy))
    elif not reading.lab.problems:
        reading.problems += modality_problems(scans, reading.lab.frame, ids)
    if outcome.y is not None and not outcome.problems and not reading.torn:
        reading.problems += class_problems(outcome.y[kept], options.horizon, roles.target is not None)
    return reading


def _read_labels(reading: _Reading, argument: str, name: str | None, reason: str) -> pd.Series | None:
    """Return the column of persons or centres; every patient must have one."""
    if name is None:
        return None
    if name not in reading.frame.columns:
        remedy = f"correct {keyword(argument)}; the table has {', '.join(map(str, reading.frame.columns))}"
        reading.problems.append(Problem(f"there is no column {name!r} of {argument}s", remedy))
        return None
    empty = empty_cells(reading.frame[name])
    if empty.any():
        first = int(np.flatnonzero(empty)[0]) + 1
        what = f"{int(empty.sum())} cell(s) of the {argument} are empty, the first in row {first}"
        own = ", with a value of its own for each person" if argument == "group" else ""
        reading.problems.append(Problem(what, f"fill them in{own}", column=name))
    reading.roles.log[name] = (argument, reason)
    return reading.frame[name]


def _bunch(reading: _Reading, horizon: float, as_times: bool, competing_as: str) -> Bunch:
    roles, outcome, kept = reading.roles, reading.outcome, reading.kept
    if outcome is None:
        raise RuntimeError("a table without problems has an outcome record")
    data: dict[str, Any] = {name: reading.files[column] for name, column in roles.scans.items()}
    if reading.lab.frame.shape[1]:
        data["lab"] = reading.lab.frame
        data["lab"].attrs |= LOADED
    time = None if outcome.time is None else outcome.time[kept]
    event = None if outcome.event is None else outcome.event[kept]
    survival = followup = None
    if competing_as == "censored" and outcome.cause is not None:  # PFS itself stays in `followup`
        event = outcome.cause[kept] == 1
    if time is not None and event is not None and np.isfinite(time).all():
        survival = as_survival({"event": event, "time": time})
    if outcome.time is not None and outcome.event is not None:
        timed = np.isfinite(outcome.time)
        followup = as_survival({"event": outcome.event[timed], "time": outcome.time[timed]})
        if outcome.cause is not None:
            followup = with_cause(followup, outcome.cause[timed])
    ids = reading.ids[kept]
    masks = {name: reading.files[column] for name, column in roles.masks.items()}
    blocks = {name: block.frame for name, block in reading.blocks.items() if block.frame.shape[1]}
    out = [k for k, reason in enumerate(outcome.reasons) if reason is not None]
    return Dataset(
        X=Cohort(data, ids=ids, masks=masks, survival=survival, blocks=blocks),
        y=survival if as_times else None if outcome.y is None else outcome.y[kept].astype(np.int64),
        time=time,
        event=event,
        sample_weight=None if outcome.weight is None else outcome.weight[kept],
        roles=roles.table(),
        followup=followup,
        group=None if reading.group is None else reading.group.iloc[kept].astype(str).to_numpy(),
        centre=None if reading.centre is None else reading.centre.iloc[kept].astype(str).to_numpy(),
        excluded=pd.DataFrame({"patient_id": reading.ids[out], "reason": outcome.reasons[out]}),
        frame=_carried(reading, ids),
        horizon=horizon,
        sheet=None if roles.sheet is None else roles.identities.masked(roles.sheet),
        layout=roles.layout,
    )


def _carried(reading: _Reading, ids: np.ndarray) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name, (role, _) in reading.roles.log.items():
        if role not in CARRIED:
            continue
        block = next((one.frame for one in (reading.lab, *reading.blocks.values()) if name in one.frame), None)
        if block is not None:
            columns[name] = block[name]
            continue
        cells = reading.frame[name].iloc[reading.kept].reset_index(drop=True)
        read = read_numbers(cells, reading.roles.commas)
        plain = role != "patient_id" and not (read.text | read.ambiguous).any()
        columns[name] = ids if role == "patient_id" else read.values if plain else cells
    return pd.DataFrame(columns, index=pd.RangeIndex(len(ids)))
