"""Options that several commands share, spelled once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators._model_specs import MODELS, ModelSpec
from prrt_estimators._sheets import table_fault
from prrt_estimators.cli._console import change_signature
from prrt_estimators.exceptions import CohortError, Problem

#: Words of ``--target`` that ask for times.
TIMES = ("time", "survival")

_DATA, _MODELS, _RUN = "Columns and outcome", "Models", "How to run"

CohortFile = Annotated[
    Path, typer.Argument(metavar="COHORT", help="Table with one row per patient: CSV or Excel.", show_default=False)
]

#: Options of `load_cohort`: name, kind, default, help.
_COLUMNS: tuple[tuple[str, type, object, str], ...] = (
    *(
        (
            name,
            str,
            "auto",
            f"Column with the {MODALITIES[name].title} files; 'none' leaves {MODALITIES[name].title} out.",
        )
        for name in IMAGING
    ),
    (
        "lab",
        str,
        "auto",
        "Columns that are predictors, comma-separated; 'auto' uses those recognised, 'auto,x' adds x.",
    ),
    ("mask", str, "auto", "Column with masks, which are never an input; 'none' for none."),
    ("patient_id", str, "auto", "Column with pseudonymous patient ids."),
    ("time", str, "auto", "Column with the time to progression or censoring."),
    ("event", str, "auto", "Column with 1 = progressed, 0 = censored; 'none' says that nobody was censored."),
    ("event_code", str, "", "Values of --event that mean progression, comma-separated, where they are not 1 or yes."),
    (
        "target",
        str,
        "auto",
        "Column with a ready class, 1 or 'long' = long PFS; or time, to learn from times and events.",
    ),
    ("target_code", str, "", "Value of --target that means long PFS, where it is not 1 or long."),
    ("competing", str, "", "Column with 1 = died without progression, for the cumulative incidence of both."),
    ("competing_code", str, "", "Values of --competing that mean it, where they are not 1 or yes."),
    (
        "competing_as",
        str,
        "event",
        "Deaths without progression for models of time: 'event' ends PFS; 'censored' learns progression alone.",
    ),
    ("time_unit", str, "auto", "Unit of --time: days, weeks, months or years."),
    ("horizon", float, 12.0, "Months beyond which PFS is long."),
    ("censored", str, "drop", "Patients censored before the horizon: 'drop', or 'weight' the others instead."),
    ("allow_after_therapy", str, "", "Columns that may be predictors although they sound known only after therapy."),
    (
        "group",
        str,
        "",
        "Column with the person; rows of one value are never split between training and test.",
    ),
    (
        "blocks",
        str,
        "auto",
        "Columns that form a separate block: 'auto' finds radiomics by name, 'radiomics=a,b' names them, 'none' has none.",
    ),
    ("centre", str, "", "Column with the centre; each is also left out in turn, with a table by centre."),
    ("sheet", str, "0", "Sheet of an Excel file, by number or name."),
    ("root", str, "", "Folder that paths of the table are relative to. (default: the folder of the table)"),
)
_NONE_MEANS_NONE = ("mask", "patient_id", "time", "event", "target")


class _Groups(Mapping[str, list[str]]):
    _MEMBERS: ClassVar[dict[str, Callable[[ModelSpec], bool]]] = {
        "all": lambda spec: spec.target == "class",
        "time": lambda spec: spec.target == "time",
        "paper": lambda spec: spec.study or spec.baseline,
        "recommended": lambda spec: spec.recommended,
    }

    def __getitem__(self, name: str) -> list[str]:
        belongs = self._MEMBERS[name]
        return [spec.name for spec in MODELS.values() if belongs(spec)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._MEMBERS)

    def __len__(self) -> int:
        return len(self._MEMBERS)


def takes_table(command: Callable[..., int | None], *, only: Sequence[str] = ()) -> Callable[..., int | None]:
    """Give a command the options that say what the columns of a table are, gathered in its argument `table`.

    Parameters
    ----------
    command : callable
    only : sequence of str, default=()
        Those that it has; all of them if empty.
    """
    columns = [row for row in _COLUMNS if not only or row[0] in only]

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> int | None:
        table = {name: options.pop(name) for name, *_ in columns}
        _check_given_files(options)
        return command(*args, table=_load_options(table), **options)

    more = []
    for name, kind, default, text in columns:
        annotation: Any = Annotated[kind, typer.Option(help=text, rich_help_panel=_DATA)]
        more.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation))
    change_signature(run, command, more, without="table")
    return run


def _check_given_files(options: Mapping[str, Any]) -> None:
    # Reading tables and models imports what takes seconds; a path that is wrong is told before.
    model = options.get("model")
    if isinstance(model, Path) and not model.is_file():
        raise FileNotFoundError(f"there is no saved model {model}.")
    table = options["cohort"]
    if (fault := table_fault(table)) is not None:
        raise CohortError([Problem(*fault, file=str(table))])


def _load_options(given: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `load_cohort` from the texts of the command line."""
    read: dict[str, Callable[[str], Any]] = dict.fromkeys(_NONE_MEANS_NONE, _column)
    read |= {"lab": _lab_columns, "allow_after_therapy": lambda text: tuple(split_names(text))}
    read |= {"group": lambda text: text or None, "blocks": _blocks}
    read |= {"centre": lambda text: text or None, "competing": lambda text: text or None}
    read |= {"root": lambda text: text or None, "sheet": lambda text: int(text) if text.isdigit() else text}
    given = dict(given)
    for name in ("event", "target", "competing"):
        codes = split_names(given.pop(f"{name}_code", ""))
        if codes:
            read[name] = functools.partial(_coded, codes)
    scans = {name: _column(given[name]) for name in IMAGING if name in given}
    others = {name: value for name, value in given.items() if name not in scans}
    return {"scans": scans} | {name: read[name](value) if name in read else value for name, value in others.items()}


def _coded(codes: list[str], column: str) -> tuple[str, list[str]]:
    return column, codes


def _column(text: str) -> str | None:
    return None if text.lower() == "none" else text


def _blocks(text: str) -> dict[str, list[str]] | str | None:
    if text.lower() in ("auto", "none"):
        return None if text.lower() == "none" else "auto"
    name, _, columns = text.partition("=")
    if not columns:
        raise typer.BadParameter(f"--blocks must be 'auto', 'none' or NAME=COLUMN,COLUMN; got {text!r}.")
    return {name.strip(): split_names(columns)}


def _lab_columns(text: str) -> list[str] | str | None:
    labs = split_names(text)
    return None if labs == ["none"] else "auto" if labs == ["auto"] else labs


#: Words of ``--models`` that stand for several, asked of the registry at the moment.
MODEL_GROUPS = _Groups()

Models = Annotated[
    str,
    typer.Option(
        help=f"Models to compare, comma-separated: {', '.join(MODELS)}; 'paper' selects those of the study and the baselines, "
        "'recommended' those to begin with, 'all' every model of long against short PFS, 'time' those of the time to progression.",
        rich_help_panel=_MODELS,
    ),
]
Repeats = Annotated[int, typer.Option(min=1, help="Repeats of the cross-validation.", rich_help_panel=_RUN)]
Folds = Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.", rich_help_panel=_RUN)]
Jobs = Annotated[
    int | None,
    typer.Option(
        help="Folds that run at once; -1 uses every processor. (default: one per processor, at most 4; 1 on a GPU)",
        rich_help_panel=_RUN,
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Random seed of splits, models and intervals.", rich_help_panel=_RUN)]
NoReport = Annotated[
    bool, typer.Option("--no-report", help="Write tables only: no figures, no report.html.", rich_help_panel=_RUN)
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Do not print progress and the list of columns.", rich_help_panel=_RUN)
]


def split_names(text: str) -> list[str]:
    """Read comma-separated names."""
    return [part.strip() for part in text.split(",") if part.strip()]


def chosen_models(models: str) -> list[str]:
    """Return the names of models; a group stands for its members.

    Raises
    ------
    typer.BadParameter
        If a name is not registered, or none is given.
    """
    found = dict.fromkeys(name for word in split_names(models) for name in MODEL_GROUPS.get(word, [word]))
    unknown = [name for name in found if name not in MODELS]
    if unknown or not found:
        raise typer.BadParameter(
            f"unknown: {', '.join(unknown) or 'none given'}; choose from {', '.join([*MODEL_GROUPS, *MODELS])}.",
            param_hint="--models",
        )
    return list(found)
