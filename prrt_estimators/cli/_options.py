"""Options that several commands share, spelled once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from prrt_estimators._model_specs import MODELS, ModelSpec
from prrt_estimators.cli._console import change_signature

_DATA, _MODELS, _RUN = "Columns and outcome", "Models", "How to run"

CohortFile = Annotated[
    Path, typer.Argument(metavar="COHORT", help="Table with one row a patient: CSV or Excel.", show_default=False)
]

#: Options of `load_cohort`: name, kind, default, help.
_COLUMNS: tuple[tuple[str, type, object, str], ...] = (
    ("pet", str, "auto", "Column with the PET files; 'none' leaves PET out."),
    ("ct", str, "auto", "Column with the CT files; 'none' leaves CT out."),
    ("lab", str, "auto", "Columns that are predictors, with commas; 'auto' is those recognised and 'auto,x' adds x."),
    ("mask", str, "auto", "Column with masks, which are never an input; 'none' for none."),
    ("patient_id", str, "auto", "Column with pseudonymous patient ids."),
    ("time", str, "auto", "Column with the time to progression or censoring."),
    ("event", str, "auto", "Column with 1 = progressed, 0 = censored; 'none' says that nobody was censored."),
    ("target", str, "auto", "Column with a ready class, 1 or 'long' = long PFS."),
    ("time_unit", str, "auto", "Unit of --time: days, weeks, months or years."),
    ("horizon", float, 12.0, "Months beyond which PFS is long."),
    ("censored", str, "drop", "Patients censored before the horizon: 'drop', or 'weight' the others instead."),
    ("allow_after_therapy", str, "", "Columns that may be predictors although they sound known only after therapy."),
    ("sheet", str, "0", "Sheet of an Excel file, by number or name."),
    ("root", str, "", "Folder in which paths of the table start; its own if not given."),
)
_NONE_MEANS_NONE = ("pet", "ct", "mask", "patient_id", "time", "event", "target")


class _Groups(Mapping[str, list[str]]):
    _MEMBERS: ClassVar[dict[str, Callable[[ModelSpec], bool]]] = {
        "all": lambda spec: bool(spec.name),
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


def takes_table(command: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command the options that say what the columns of a table are, gathered in its argument `table`."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> int | None:
        table = {name: options.pop(name) for name, *_ in _COLUMNS}
        return command(*args, table=_load_options(table), **options)

    more = []
    for name, kind, default, text in _COLUMNS:
        annotation: Any = Annotated[kind, typer.Option(help=text, rich_help_panel=_DATA)]
        more.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation))
    change_signature(run, command, more, without="table")
    return run


def _load_options(given: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `load_cohort` from the texts of the command line."""
    options = dict(given)
    for name in _NONE_MEANS_NONE:
        options[name] = None if given[name].lower() == "none" else given[name]
    labs = split_names(given["lab"])
    options["lab"] = None if labs == ["none"] else "auto" if labs == ["auto"] else labs
    options["allow_after_therapy"] = tuple(split_names(given["allow_after_therapy"]))
    options["root"] = given["root"] or None
    options["sheet"] = int(given["sheet"]) if given["sheet"].isdigit() else given["sheet"]
    return options


#: Words of ``--models`` that stand for several, asked of the registry at the moment.
MODEL_GROUPS = _Groups()

Models = Annotated[
    str,
    typer.Option(
        help=f"Models to compare, comma-separated: {', '.join(MODELS)}; 'paper' is those of the study and the baselines, "
        "'recommended' those to begin with, 'all' every one.",
        rich_help_panel=_MODELS,
    ),
]
Repeats = Annotated[int, typer.Option(min=1, help="Repeats of the cross-validation.", rich_help_panel=_RUN)]
Folds = Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.", rich_help_panel=_RUN)]
Jobs = Annotated[
    int | None,
    typer.Option(
        help="Folds that run at once; -1 takes every processor. (default: one a processor, at most 4; 1 on a GPU)",
        rich_help_panel=_RUN,
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Splits, models and intervals follow from it.", rich_help_panel=_RUN)]
NoReport = Annotated[
    bool, typer.Option("--no-report", help="Write tables only: no figures, no report.html.", rich_help_panel=_RUN)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no list of columns.", rich_help_panel=_RUN)]


def split_names(text: str) -> list[str]:
    """Read names with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
