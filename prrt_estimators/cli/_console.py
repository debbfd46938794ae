"""What commands say, and how they fail."""

from __future__ import annotations

import functools
import inspect
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prrt_estimators._arguments import spelt
from prrt_estimators._text import shown_text
from prrt_estimators.cli._messages import spelling_of

if TYPE_CHECKING:
    import pandas as pd

OK, MODEL_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def say(text: str = "") -> None:
    """Print a line for people on stderr, so that stdout holds results only."""
    print(shown_text(text), file=sys.stderr, flush=True)


def change_signature(
    run: Callable[..., Any], command: Callable[..., Any], more: list[inspect.Parameter], *, without: str = ""
) -> None:
    """Let typer see the parameters of `command` and some more on the function that wraps it."""
    own = inspect.signature(command, eval_str=True)
    parameters = [one for one in own.parameters.values() if one.name != without] + more
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}


def reported(command: Callable[..., int | None]) -> Callable[..., None]:
    """Turn errors of a command into one message on stderr and an exit code, unless ``--debug`` is given.

    The command returns its exit code, None for success.
    """

    @functools.wraps(command)
    def run(*args: Any, debug: bool = False, **options: Any) -> None:
        if debug:
            raise typer.Exit(command(*args, **options) or OK)
        with spelt(spelling_of(command)), warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = _guarded(command, args, options)
        raise typer.Exit(code)

    kind = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
    debug = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
    change_signature(run, command, [debug])
    return run


def _guarded(command: Callable[..., int | None], args: tuple[Any, ...], options: dict[str, Any]) -> int:
    try:
        return command(*args, **options) or OK
    except (typer.Exit, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        say("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the pipe has seen enough
        sys.stdout = io.TextIOWrapper(io.BytesIO())
        return OK
    except (ValueError, TypeError, OSError, ImportError, KeyError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
        say(f"Error: {text or type(error).__name__}")
        return BAD_INPUT
    except Exception as error:
        say(f"Error: unexpected {type(error).__name__}: {error}. The same command with --debug shows where.")
        return MODEL_FAILED


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    # Where in the source a warning was raised tells a user of the command nothing.
    if not issubclass(category, DeprecationWarning):
        say(f"Warning: {message}")


@contextmanager
def noted_warnings() -> Iterator[list[str]]:
    """Give a list that fills with the texts of warnings, which are shown all the same."""
    texts: list[str] = []
    with warnings.catch_warnings():
        show = warnings.showwarning

        def note(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            text = str(message)
            if issubclass(category, UserWarning) and text not in texts:
                texts.append(text)
            show(message, category, *place, **more)

        warnings.showwarning = note
        yield texts


def print_table(table: pd.DataFrame, title: str = "", minor: Sequence[str] = ()) -> None:
    """Print a table of texts: ruled on a terminal, tab-separated in a pipe.

    On a narrow terminal columns whose name begins with one of `minor` are left out.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        print("\t".join(shown_text(str(name)) for name in table.columns))
        for row in table.itertuples(index=False):
            print("\t".join(" ".join(shown_text(str(cell)).split()) for cell in row))
        return
    if console.width < 110 and minor:
        table = table[[name for name in table.columns if not name.startswith(tuple(minor))]]
    ruled = Table(title=title or None, title_justify="left")
    for position, name in enumerate(table.columns):
        numbers = position > 0 and table[name].astype(str).str.match(r"^[\d.<-]").mean() > 0.5
        ruled.add_column(escape(shown_text(str(name))), justify="right" if numbers else "left", overflow="fold")
    for row in table.itertuples(index=False):
        ruled.add_row(*(escape(shown_text(str(cell))) for cell in row))
    console.print(ruled)
