"""Deciding what each column of a table is: the caller's word first, then the cells, then the name."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from prrt_estimators._analytes import name_tokens
from prrt_estimators._arguments import keyword, parameter
from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators._values import decimal_commas, parse_column
from prrt_estimators.datasets._blocks import choose_blocks
from prrt_estimators.datasets._column_vocabulary import (
    Guess,
    file_kind,
    guess_name,
    nearness_to_time,
    says_censored,
    says_later,
    says_progress,
    says_uncertain_event,
    time_unit_in,
)
from prrt_estimators.datasets._identities import Identities, identities_of, identity_problems
from prrt_estimators.datasets._image_numbers import RADIOMICS
from prrt_estimators.datasets._limit_ratios import repeated_ratios
from prrt_estimators.datasets._options import AUTO, ModelColumns, Options, as_names
from prrt_estimators.datasets._tables import empty_cells
from prrt_estimators.exceptions import Problem

_SCANNED = 500  # cells that are looked at to tell files, dates and names
_FILE = re.compile(r"[/\\]|\.(nii|gz|dcm|dicom|ima|mha|mhd|nrrd|hdr|img|npy|npz|zip|tif|tiff|png|jpg)$", re.I)
_DATE = re.compile(r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))([T ].*)?$")
_PERSON = re.compile(r"^[^\W\d_]{2,}(?:[,\s]+[^\W\d_][\w.'-]*)+$")
_FILE_COLUMN = frozenset(["path", "paths", "file", "files", "filename", "datei", "pfad", "image", "img", "nifti"])
_CLASS_WORDS = frozenset(["short", "long", "kurz", "lang"])

_PERSONS = "persons"
_NEAR = 0.6  # likeness of names from which one is proposed
_SINGLE = ("patient_id", "time", "event", "target")

#: Roles whose columns may go into `Bunch.frame`; identifiers, files and what nobody recognised stay outside.
CARRIED = ("patient_id", "time", "event", "target", "lab", RADIOMICS, "after_therapy", "constant")


@dataclass
class Roles:
    """What each column is, and what is wrong with that."""

    patient_id: str | None = None
    scans: dict[str, str] = field(default_factory=dict)  # column of each modality
    masks: dict[str, str] = field(default_factory=dict)
    time: str | None = None
    event: str | None = None
    target: str | None = None
    lab: list[str] = field(default_factory=list)
    blocks: dict[str, list[str]] = field(default_factory=dict)  # columns of each block of numbers
    time_unit: str | None = None
    sheet: str | None = None
    commas: bool = False  # whether any cell of the table holds a decimal comma
    log: dict[str, tuple[str, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    leaks: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    layout: list[str] = field(default_factory=list)
    identities: Identities = field(default_factory=Identities)

    @property
    def has_outcome(self) -> bool:
        """Whether there is anything to learn from."""
        return self.time is not None or self.target is not None

    def table(self) -> pd.DataFrame:
        """Return the roles as a table with the columns column, role, reason and shown, the name without identities."""
        rows = [
            (name, role, self.hide(reason), self.identities.masked(str(name)))
            for name, (role, reason) in self.log.items()
        ]
        return pd.DataFrame(rows, columns=["column", "role", "reason", "shown"])

    def hide(self, text: str) -> str:
        """Return a text in which names of columns stand without persons, identifiers and dates."""
        for name in self.log:
            if (shown := self.identities.masked(str(name))) != name:
                text = text.replace(str(name), shown)
        return text


def assign_roles(frame: pd.DataFrame, options: Options, whole: pd.DataFrame | None = None) -> Roles:
    """Return the role of each column of `frame`, a part of the `whole` table, of which all persons are known."""
    roles = Roles(commas=decimal_commas(frame[name] for name in frame.columns))
    guesses = {name: _undated_guess(name, frame[name]) for name in frame.columns}
    who = roles.identities = identities_of(
        frame if whole is None else whole, [name for name in frame.columns if guesses[name].topic == _PERSONS]
    )
    guesses = {name: _without_identity(name, guess, who) for name, guess in guesses.items()}
    for name, guess in guesses.items():
        roles.log[name] = (guess.role, guess.reason)
    asked = {"patient_id": options.patient_id} | {name: options.scan(name) for name in IMAGING}
    asked |= {role: getattr(options, role) for role in _SINGLE}
    for role in asked:
        # A column that the caller names for one role is not a candidate for another.
        taken = {name for other, name in asked.items() if other != role}
        column = _choose(role, asked[role], guesses, taken, roles)
        if role not in IMAGING:
            setattr(roles, role, column)
        elif column is not None:
            roles.scans[role] = column
    roles.masks = _choose_masks(options, guesses, roles)
    _settle_outcome(frame, options, guesses, roles)
    _refuse_double_use(roles)
    ratios = repeated_ratios(frame, [name for name, (role, _) in roles.log.items() if role == "lab"])
    roles.log |= {name: ("unused", reason) for name, reason in ratios.items()}
    _choose_labs(options, guesses, roles)
    choose_blocks(options, guesses, roles, _existing)
    if roles.has_outcome and not isinstance(options.lab, ModelColumns):
        learnt = dict.fromkeys([*roles.lab, *(one for block in roles.blocks.values() for one in block)])
        roles.problems += identity_problems(learnt, who)
    return roles


def guess_role(name: str, values: pd.Series) -> str:
    """Return the role that a column looks like by its cells and its name."""
    return _without_identity(name, _undated_guess(name, values), Identities()).role


def _without_identity(name: str, guess: Guess, who: Identities) -> Guess:
    kind = who.kind_in(name) if guess.role in ("lab", RADIOMICS) else ""
    # The names of columns that are learnt stand in models, results and reports.
    return Guess("unrecognised", f"the name holds {kind}; rename it to use it") if kind else guess


def _undated_guess(name: str, values: pd.Series) -> Guess:
    empty = empty_cells(values)
    cells = values[~empty].iloc[:_SCANNED]
    if not len(cells):
        said = guess_name(name)
        # An empty column of a new patient's table still has its place among a model's inputs.
        return said if said is not None else Guess("empty", "no cell is filled in")
    texts = [cell if isinstance(cell, str) else str(cell) for cell in cells]
    if _holds_files(name, cells, texts):
        kind = file_kind(name)
        if says_later(name):
            return Guess("after_therapy", "files of a scan taken during or after therapy")
        if kind is None:
            return Guess("path", f"holds files, but the name does not say {scan_titles()} or mask")
        return Guess(kind, f"holds files and is named like a {kind if kind == 'mask' else MODALITIES[kind].title}", rank=int(
            "".join(name_tokens(name)) != kind))  # fmt: skip
    said = guess_name(name)
    if said is not None and said.role == "identifier":
        return said
    if pd.api.types.is_datetime64_any_dtype(values.dtype) or _share(
        [isinstance(cell, datetime.date) or _DATE.match(text) for cell, text in zip(cells, texts, strict=True)]
    ) > 0.5:  # fmt: skip
        return Guess("date", "holds dates: never a predictor")
    if said is None:
        if file_kind(name) in IMAGING:
            return Guess("unrecognised", f"named like a scan but holds no files; name it in {keyword('lab')} to use it")
        return Guess("unrecognised", f"meaning not recognised; name it in {keyword('lab')} to use it")
    if said.role == "patient_id" and _share([_PERSON.match(text) for text in texts]) > 0.5:
        return Guess("identifier", "holds names of persons: not carried", topic=_PERSONS)
    if said.role == "time" and {text.lower() for text in texts} <= _CLASS_WORDS:
        return Guess("target", "holds short and long", said.rank)
    return said


def _holds_files(name: str, cells: pd.Series, texts: list[str]) -> bool:
    if not all(isinstance(cell, str) or hasattr(cell, "__fspath__") for cell in cells):
        return False
    if _share([_FILE.search(text) and not _DATE.match(text) for text in texts]) > 0.5:
        return file_kind(name) is not None or _share([_is_nifti(text) for text in texts]) > 0.5
    tokens = set(name_tokens(name))
    scans = set(IMAGING)
    # A column called pet or ct_path that holds words is a column of wrong paths, unless it says yes and no.
    return bool(tokens & scans) and tokens <= {*scans, *_FILE_COLUMN} and len(set(texts)) > 2


def _is_nifti(text: str) -> bool:
    return text.lower().endswith((".nii", ".nii.gz"))


def _share(flags: list) -> float:
    return float(np.mean([bool(flag) for flag in flags])) if flags else 0.0


def _choose(
    role: str, asked: str | None, guesses: dict[str, Guess], taken: set[str | None], roles: Roles
) -> str | None:
    """Return the column for a role that one column at most can have."""
    found = [name for name, guess in guesses.items() if guess.role == role and name not in taken]
    found.sort(key=lambda name: guesses[name].rank)
    chosen = None
    if asked == AUTO:
        best = [name for name in found if guesses[name].rank == guesses[found[0]].rank]
        if len(best) > 1:
            what = f"several columns look like {_title(role)}: {', '.join(best)}"
            roles.problems.append(Problem(what, f"name the right one, e.g. {_argument(role, best[0])}"))
        chosen = best[0] if best else None
    elif asked is not None:
        argument = "scans" if role in IMAGING else role
        chosen = _existing(asked, argument, guesses, roles)
        if chosen is not None:
            roles.log[chosen] = (role, f"named by {keyword(argument)}")
    for name in found:
        if name != chosen:
            loser, why = _LOSERS.get(role, ("path", "not used"))
            roles.log[name] = (loser, why if asked != AUTO or chosen is None else f"{why}; {chosen!r} is used")
    return chosen


_LOSERS = {
    "patient_id": ("identifier", "another identifier"),
    "time": ("after_therapy", "another outcome"),
    "event": ("after_therapy", "another outcome"),
    "target": ("after_therapy", "another outcome"),
}


def _argument(role: str, column: str) -> str:
    """Return how a caller of `load_cohort` names a column."""
    return keyword("scans", {role: column}) if role in IMAGING else keyword(role, column)


def scan_titles() -> str:
    """Return the titles of the scans, as a sentence lists them."""
    return ", ".join(MODALITIES[name].title for name in IMAGING)


def _title(role: str) -> str:
    if role in IMAGING:
        return f"{MODALITIES[role].title} files"
    return {
        "patient_id": "the patient id", "time": "the time to progression",
        "event": "the progression event", "target": "the PFS class",
    }.get(role, role)  # fmt: skip


def _existing(name: str, argument: str, guesses: Mapping[str, Guess], roles: Roles) -> str | None:
    """Return `name` if the table has it, and note a problem otherwise."""
    if name in guesses:
        return name
    near = difflib.get_close_matches(name, guesses, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"the table has {', '.join(guesses)}"
    roles.problems.append(
        Problem(
            f"no such column in the table (named by {keyword(argument)})",
            f"correct {keyword(argument)}; {hint}",
            column=name,
        )
    )
    return None


def _choose_masks(options: Options, guesses: dict[str, Guess], roles: Roles) -> dict[str, str]:
    auto = [name for name, guess in guesses.items() if guess.role == "mask"]
    if options.mask == AUTO:
        return {name: name for name in auto}
    asked = options.mask if isinstance(options.mask, Mapping) else {n: n for n in as_names(options.mask)}
    chosen = {key: name for key, name in asked.items() if _existing(name, "mask", guesses, roles)}
    for name in auto:
        roles.log[name] = ("path", "a mask that is not used")
    for name in chosen.values():
        roles.log[name] = ("mask", f"named by {keyword('mask')}")
    return chosen


def _settle_outcome(frame: pd.DataFrame, options: Options, guesses: dict[str, Guess], roles: Roles) -> None:
    """Decide between a time and a ready class, and ask for the event where it is not certain."""
    if roles.time is not None and roles.target is not None and options.target == AUTO:
        roles.log[roles.target] = ("target", f"not used: the class is made from {roles.time!r}")
        roles.target = None
    if roles.time is None and roles.target is None and options.time == AUTO and options.target in (AUTO, None):
        near = _likeliest_time(frame, guesses)
        remedy = (
            f"did you mean {near!r}? Then pass {keyword('time', near)}"
            if near is not None
            else f"name the column, e.g. {keyword('time', 'pfs_months')} or {keyword('target', 'pfs_class')}"
        )
        remedy += (
            f"; for new patients without an outcome pass {keyword('time', None)}. The table has {', '.join(guesses)}"
        )
        roles.problems.append(Problem("no column is recognised as the time to progression", remedy))
    if roles.time is None:
        if roles.event is not None:
            roles.log[roles.event] = ("after_therapy", "an outcome; not used without a time")
            roles.event = None
        return
    roles.time_unit = options.time_unit if options.time_unit != AUTO else time_unit_in(roles.time)
    if roles.time in guesses:
        role, reason = roles.log[roles.time]
        roles.log[roles.time] = (role, f"{reason}, in {roles.time_unit or 'months (no unit named)'}")
    if roles.event is not None and options.event_codes is None and says_uncertain_event(roles.event):
        roles.problems.append(_ask_for_event(roles.event))
    if roles.event is None and options.event == AUTO and roles.target is None:
        unclear = [
            name
            for name in guesses
            if (roles.log[name][0] == "after_therapy" and (says_censored(name) or "status" in name_tokens(name)))
            or (roles.log[name][0] in ("after_therapy", "unrecognised") and _may_be_event(name, frame[name]))
        ]
        unclear.sort(key=says_progress, reverse=True)
        if unclear:
            roles.problems.append(_ask_for_event(unclear[0]))
        else:
            roles.notices.append(
                f"no column is recognised as the progression event: every time in {roles.time!r} counts as a "
                f"progression. Name the event with {keyword('event')}, or pass {keyword('event', None)} if nobody was "
                "censored."
            )


def _likeliest_time(frame: pd.DataFrame, guesses: dict[str, Guess]) -> str | None:
    """Return the column of numbers whose name is nearest to that of a time to progression."""
    near = {}
    for name, guess in guesses.items():
        cells = frame[name][~empty_cells(frame[name])]
        if guess.role in ("after_therapy", "unrecognised") and cells.nunique() > 2 and not parse_column(cells)[1].any():
            near[name] = nearness_to_time(name)
    best = max(near, key=near.__getitem__, default=None)
    return best if best is not None and near[best] >= _NEAR else None


def _may_be_event(name: str, cells: pd.Series) -> bool:
    return says_progress(name) and cells[~empty_cells(cells)].astype(str).nunique() <= 2


def _ask_for_event(name: str) -> Problem:
    what = "might be the progression event, but what its values mean is not certain"
    remedy = (
        f"pass the value that means progression, e.g. {keyword('event', (name, 1))}"
        + (
            ""
            if says_uncertain_event(name)
            else f", or {keyword('event', name)} if it holds 1 for progression and 0 for censored"
        )
        + f", or pass {keyword('event', None)} if nobody was censored"
    )
    return Problem(what, remedy, column=name)


def _refuse_double_use(roles: Roles) -> None:
    used: dict[str, list[str]] = {}
    single = {"patient_id": roles.patient_id} | roles.scans | {role: getattr(roles, role) for role in _SINGLE}
    for role, name in single.items():
        if name is not None:
            used.setdefault(name, []).append(role)
    for name in set(roles.masks.values()):
        used.setdefault(name, []).append("mask")
    for name, several in used.items():
        if len(several) > 1:
            what = f"one column cannot be {' and '.join(several)}"
            roles.problems.append(Problem(what, "name a column of its own for each", column=name))


_REFUSED = {
    "patient_id": ("identifies the patient and is never a predictor", "leave it out of {lab}"),
    "identifier": ("identifies the patient and is never a predictor", "leave it out of {lab}, or rename it"),
    "date": ("holds dates, which are never predictors", "give an interval or an age in its place"),
    "mask": ("holds files, not values", "leave it out of {lab}"),
    "path": ("holds files, not values", "leave it out of {lab}"),
}


def _choose_labs(options: Options, guesses: dict[str, Guess], roles: Roles) -> None:
    allowed = {n for n in options.allowed if _existing(n, "allow_after_therapy", guesses, roles)}
    outcome = {roles.time, roles.event, roles.target}
    names: list[str] = []
    for name in as_names(options.lab):
        if name == AUTO:
            names += [n for n in guesses if roles.log[n][0] == "lab" or (n in allowed and n not in outcome)]
        elif name not in names and _existing(name, "lab", guesses, roles):
            names.append(name)
    if AUTO not in as_names(options.lab):
        for name, (role, reason) in roles.log.items():
            if role == "lab" and name not in names:
                roles.log[name] = ("unused", f"{reason}; not named in {keyword('lab')}")
    for name in names:
        role, reason = roles.log[name]
        if name in outcome or (role in ("after_therapy", "time", "event", "target") and name not in allowed):
            what = "is known only after therapy and would leak the outcome"
            remedy = f"leave it out of {keyword('lab')}"
            if name not in outcome:
                remedy += f"; only if it was known before therapy, pass {keyword('allow_after_therapy', [name])}"
            roles.leaks.append(Problem(what, remedy, column=name))
        elif role in _REFUSED or role in IMAGING:
            what, remedy = _REFUSED["path" if role in IMAGING else role]
            roles.problems.append(Problem(what, remedy.format(lab=keyword("lab")), column=name))
        else:
            if role == "after_therapy":
                reason = f"allowed by {parameter('allow_after_therapy')}, though {reason}"
            elif role != "lab":
                reason = f"named by {keyword('lab')}"
            roles.log[name] = ("lab", reason)
            roles.lab.append(name)
