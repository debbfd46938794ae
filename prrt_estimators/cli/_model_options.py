"""Options of models, written once: each command names those that it accepts."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators._published_weights import check_weights_exist
from prrt_estimators.cli._console import change_signature

_MODELS, _RUN = "Models", "How to run"
_CACHE = "Folder of prepared scans. (default: $PRRT_CACHE_DIR or the user's cache folder)"

#: For commands that use the folder and no model.
CacheDir = Annotated[Path | None, typer.Option(help=_CACHE, rich_help_panel=_RUN, show_default=False)]


class Finetune(StrEnum):
    """How much of pretrained weights is trained."""

    frozen = "frozen"
    last = "last"
    full = "full"


@dataclass(frozen=True)
class ModelOption:
    """An option of the command line that models receive.

    Parameters
    ----------
    name : str
        ``--name``, with underscores for hyphens.
    parameter : str
        What it becomes: an argument of ``paper_models``, or a parameter of estimators, which receive it where their
        ``get_params`` knows it.
    kind : type
        What typer reads it as.
    help : str
    panel : str, default="Models"
        Heading in the help.
    default : object, default=None
        None leaves it to the models.
    read : callable, default=None
        From the value of the command line to that of the parameter.
    limits : mapping, default={}
        Further arguments of ``typer.Option``.
    """

    name: str
    parameter: str
    kind: Any
    help: str
    panel: str = _MODELS
    default: Any = None
    read: Callable[[Any], Any] | None = None
    limits: Mapping[str, Any] | None = None

    def value(self, given: Any) -> Any:
        """Return what the models receive."""
        return given if given is None or self.read is None else self.read(given)

    def as_parameter(self, default: Any) -> inspect.Parameter:
        """Return the parameter that typer sees."""
        kind = self.kind if default is not None else self.kind | None
        option = typer.Option(
            help=self.help, rich_help_panel=self.panel, show_default=default is not None, **(self.limits or {})
        )
        annotation: Any = Annotated[kind, option]
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def three(text: str | None, kind: type, flag: str) -> Any:
    """Read ``48``, ``48x48x64`` or ``48,48,64``.

    Raises
    ------
    typer.BadParameter
        If it is none of these.
    """
    if text is None:
        return None
    parts = text.replace("x", ",").split(",")
    try:
        values = tuple(kind(part) for part in parts)
    except ValueError:
        values = ()
    if len(values) not in (1, 3) or not all(value > 0 for value in values):
        example = "48 or 48x48x64" if kind is int else "8 or 8x8x5"
        raise typer.BadParameter(
            f"expected one positive number or three, e.g. {example}; got {text!r}.", param_hint=flag
        )
    return values[0] if len(values) == 1 else values


def _ct_weights(text: str) -> dict[str, str]:
    check_weights_exist(text, parameter="--ct-weights")
    return {"ct": text}


#: Every option of models. One more is one entry here, and a parameter of the estimators that know it.
MODEL_OPTIONS: tuple[ModelOption, ...] = (
    ModelOption(
        "epochs",
        "max_epochs",
        int,
        "Passes over the training patients. (default: the models' own)",
        limits={"min": 1},
    ),
    ModelOption(
        "size",
        "size",
        str,
        "Voxels of the box that scans are brought to: 48, or 48x48x64. (default: the models' own)",
        read=lambda text: three(text, int, "--size"),
    ),
    ModelOption(
        "spacing",
        "spacing",
        str,
        "Millimetres between voxels of that box: 8, or 8x8x5. (default: the models' own)",
        read=lambda text: three(text, float, "--spacing"),
    ),
    ModelOption(
        "batch_size",
        "batch_size",
        int,
        "Patients per step of training. (default: the models' own)",
        limits={"min": 1},
    ),
    ModelOption(
        "ct_weights",
        "weights",
        str,
        "Weights of a pretrained CT encoder, by name (see prrt weights list) or file, for pet_ct_lab_pretrained; "
        "without them it is skipped.",
        read=_ct_weights,
    ),
    ModelOption(
        "ct_finetune",
        "finetune",
        Finetune,
        "How much of those weights is trained. (default: frozen)",
        read=lambda chosen: chosen.value,
    ),
    ModelOption(
        "tracer",
        "tracer",
        str,
        "What the PET shows, e.g. 68Ga-DOTATATE or FDG. Published directions of uptake are used only if it is given.",
    ),
    ModelOption("device", "device", str, "cpu, cuda or mps; 'auto' uses the best.", panel=_RUN, default="auto"),
    ModelOption(
        "cache_dir",
        "cache_dir",
        Path,
        _CACHE,
        panel=_RUN,
        read=str,
    ),
)


def takes_models(*names: str, **defaults: Any) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Give a command options of models, gathered in its argument `model_options` by their parameters.

    Parameters
    ----------
    *names : str
        Of the options; all of them if none is named.
    **defaults : object
        Defaults of this command that differ from the option's own.
    """
    chosen = [one for one in MODEL_OPTIONS if not names or one.name in names]

    def decorate(command: Callable[..., int | None]) -> Callable[..., int | None]:
        @functools.wraps(command)
        def run(*args: Any, **options: Any) -> int | None:
            gathered = {one.parameter: one.value(options.pop(one.name)) for one in chosen}
            return command(*args, model_options=gathered, **options)

        more = [one.as_parameter(defaults.get(one.name, one.default)) for one in chosen]
        change_signature(run, command, more, without="model_options")
        return run

    return decorate


def take_options(estimator: Any, options: Mapping[str, Any]) -> None:
    """Set what a fitted estimator knows of the options."""
    known = estimator.get_params()
    estimator.set_params(**{name: value for name, value in options.items() if value is not None and name in known})
