"""What the user is told about a loaded cohort."""

from __future__ import annotations

import warnings

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sklearn.utils import Bunch

from prrt_estimators._arguments import keyword
from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators._text import shown_text
from prrt_estimators.datasets._cells import LabTable
from prrt_estimators.datasets._roles import Roles
from prrt_estimators.datasets._targets import Outcome
from prrt_estimators.exceptions import CensoredPatientsWarning, CohortWarning

#: Roles of columns that something is made of.
USED = (*MODALITIES, "mask", "time", "event", "competing", "target", "patient_id", "group", "centre")


def show_roles(bunch: Bunch) -> None:
    """Print on stderr how each column was interpreted: a table on a terminal, a line in a log."""
    console = Console(stderr=True)
    if console.is_terminal:
        console.print(_roles_table(bunch))
    else:
        taken = bunch.roles.groupby("role", sort=False)["shown"].agg(", ".join)
        parts = [f"{role if role in USED else f'left out as {role}'}: {columns}" for role, columns in taken.items()]
        console.out(shown_text(f"Interpreted as {'; '.join(parts)}."), highlight=False)
        unused = bunch.roles[bunch.roles["role"] == "unused"]
        for column, reason in zip(unused["shown"], unused["reason"], strict=True):
            console.out(shown_text(f"Left out {column!r}: {reason}."), highlight=False)
    if bunch.sheet is not None:
        console.out(shown_text(f"Read from sheet {bunch.sheet}."), highlight=False)
    for sentence in bunch.layout:
        console.out(shown_text(sentence[0].upper() + sentence[1:]), highlight=False)
    if not (bunch.roles["role"] == "patient_id").any():
        said = (
            f"No column is recognised as the patient id; row numbers are used. Name one with {keyword('patient_id')}."
        )
        console.out(said, highlight=False)
    counts = [f"{name} {int(bunch.X[name].present.sum())}" for name in IMAGING if name in bunch.X]
    if "lab" in bunch.X:
        counts.append(f"{bunch.X['lab'].shape[1]} lab columns")
    if bunch.y is not None and bunch.y.dtype.names:
        counts.append(f"progression seen {int(bunch.y['event'].sum())}, censored {int((~bunch.y['event']).sum())}")
    elif bunch.y is not None:
        counts.append(f"PFS long {int(bunch.y.sum())}, short {int((bunch.y == 0).sum())}")
    console.out(f"{len(bunch.X)} patients: {'; '.join(counts)}. Left out: {len(bunch.excluded)}.", highlight=False)


def _roles_table(bunch: Bunch) -> Table:
    table = Table(title="How each column was interpreted", title_justify="left")
    for heading in ("column", "interpreted as", "reason"):
        table.add_column(heading, overflow="fold")
    for _, role, reason, name in bunch.roles.itertuples(index=False):
        style = "bold" if role in MODALITIES else None if role in USED else "dim"
        table.add_row(escape(shown_text(name)), role, escape(shown_text(reason)), style=style)
    return table


def warn_about(roles: Roles, outcome: Outcome, lab: LabTable, horizon: float) -> None:
    """Warn about patients and columns that were left out; the caller of our caller is named as the place."""

    def tell(message: str, kind: type[Warning] = CohortWarning) -> None:
        warnings.warn(roles.hide(message), kind, stacklevel=4)

    n = len(outcome.reasons)
    for notice in roles.notices:
        tell(notice)
    told = (
        f"{outcome.n_censored} of {n} patients were censored before {horizon:g} months: their class is unknown, so "
        "they are left out"
    )
    if outcome.problems or roles.problems:  # who is left out cannot be told yet
        return
    if outcome.n_censored and outcome.weight is None:
        tell(f"{told}; {keyword('censored', 'weight')} gives weights that make up for them.", CensoredPatientsWarning)
    elif outcome.n_censored:
        tell(f"{told}, and sample_weight makes up for them.", CensoredPatientsWarning)
    unknown = sum(reason is not None for reason in outcome.reasons) - outcome.n_censored
    if unknown:
        tell(f"Left out because the table has no outcome: {unknown} of {n} patients; see `excluded`.")
    for name, (role, reason) in lab.log.items():
        tell(f"column {name!r} is left out ({role}): {reason}.")
