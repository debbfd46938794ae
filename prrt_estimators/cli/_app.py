"""The commands under one name."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from prrt_estimators.cli import (
    _cache,
    _check,
    _compare,
    _demo,
    _evaluate,
    _explain,
    _fit,
    _ingest,
    _lesions,
    _make_cohort,
    _predict,
    _pretrain,
    _weights,
)

app = typer.Typer(
    name="prrt",
    help="Predict progression-free survival before 177Lu PRRT from laboratory values, PET and CT.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(_demo.demo)
app.command("ingest")(_ingest.ingest)
app.command("compare")(_compare.compare)
app.command("check")(_check.check)
app.command("fit")(_fit.fit)
app.command("predict")(_predict.predict)
app.command("evaluate")(_evaluate.evaluate)
app.command("explain")(_explain.explain)
app.command("lesions")(_lesions.lesions)
app.command("make-cohort")(_make_cohort.make_cohort)
app.command("pretrain")(_pretrain.pretrain)
app.add_typer(_weights.app, name="weights")
app.add_typer(_cache.app, name="cache")


def _print_version(wanted: bool) -> None:
    if wanted:
        # Read from the installed metadata: the package itself need not be imported.
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"prrt-estimators {version('prrt-estimators')}")
        except PackageNotFoundError:
            print("prrt-estimators (not installed)")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[  # noqa: ARG001 - typer calls `_print_version`
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    # Figures are files here: a server without a screen must not be asked for one.
    os.environ.setdefault("MPLBACKEND", "Agg")


def main() -> None:
    """Entry point of the ``prrt`` command."""
    app()
