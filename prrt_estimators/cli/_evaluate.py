"""``prrt evaluate``: a saved model on patients of another cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import print_table, reported, say
from prrt_estimators.cli._model_options import take_options, takes_models
from prrt_estimators.cli._predict import check_columns, lab_columns, outcome_of


@reported
@o.takes_table
@takes_models("cache_dir")
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model saved by prrt fit.", show_default=False)],
    cohort: o.CohortFile,
    out: Annotated[
        Path | None, typer.Option(help="Folder of tables and figures; printed only if not given.", show_default=False)
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option(
            help="Table that the model was fitted on, to compare the laboratory values with; no outcome is read of it.",
            show_default=False,
        ),
    ] = None,
    seed: o.Seed = 0,
    quiet: o.Quiet = False,
    *,
    table: dict[str, Any],
    model_options: dict[str, Any],
) -> int | None:
    """Evaluate a saved model, unchanged, on patients of another cohort.

    Prints scores with intervals, calibration, decisions at the model's own threshold, and, apart, what a new intercept and
    slope would reach. A survival model is evaluated on the times, with calibration at the horizon. The patients must not be
    those that the model was fitted on.
    """
    from prrt_estimators.datasets import load_cohort
    from prrt_estimators.evaluation import evaluate_external
    from prrt_estimators.persistence import load_model

    estimator = load_model(model)
    take_options(estimator, model_options)
    labs = lab_columns(estimator)
    check_columns(labs, cohort, table["sheet"])
    data = load_cohort(cohort, verbose=not quiet, **(table | {"lab": labs} | outcome_of(estimator, table)))
    if data.y is None:
        raise ValueError("the table has no outcome to evaluate by; name its columns with --time and --event.")
    reference = None
    if training is not None:
        check_columns(labs, training, 0)
        reference = load_cohort(
            training, scans=None, lab=labs, mask=None, time=None, event=None, target=None, verbose=False
        ).X
    found = evaluate_external(
        estimator,
        data.X,
        data.y,
        sample_weight=data.sample_weight,
        training=reference,
        horizon=data.horizon,
        random_state=seed,
    )
    for title, part in found.tables().items():
        print_table(part.round(3).astype(str).replace("nan", ""), title=title)
    if out is not None:
        _write(found, data, out)
        say(f"Tables and figures are in {out}.")
    return None


def _write(found: Any, data: Any, out: Path) -> None:
    from prrt_estimators._io import atomic_write, make_folder
    from prrt_estimators._offscreen import offscreen
    from prrt_estimators._pandas_tables import for_spreadsheets
    from prrt_estimators.plotting import save_figure

    make_folder(out)
    for name, part in (found.files() | {"excluded": data.excluded}).items():
        with atomic_write(out / f"{name}.csv") as temporary:
            for_spreadsheets(part).to_csv(temporary, index=False, lineterminator="\n")
    with offscreen():
        for name, display in found.figures().items():
            save_figure(display.figure_, out / "figures" / name, formats=["png", "pdf"])
