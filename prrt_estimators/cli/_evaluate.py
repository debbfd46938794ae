"""``prrt evaluate``: a saved model on patients of another cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import print_table, reported, say
from prrt_estimators.cli._model_options import take_options, takes_models
from prrt_estimators.cli._predict import check_columns, lab_columns


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
    slope would reach. The patients must not be those that the model was fitted on.
    """
    from prrt_estimators.datasets import load_cohort
    from prrt_estimators.evaluation import evaluate_external
    from prrt_estimators.persistence import load_model

    estimator = load_model(model)
    take_options(estimator, model_options)
    labs = lab_columns(estimator)
    check_columns(labs, cohort, table["sheet"])
    data = load_cohort(cohort, verbose=not quiet, **(table | {"lab": labs}))
    if data.y is None:
        raise ValueError("the table has no outcome to evaluate by; name its columns with --time and --event.")
    reference = None
    if training is not None:
        check_columns(labs, training, 0)
        reference = load_cohort(
            training, scans=None, lab=labs, mask=None, time=None, event=None, target=None, verbose=False
        ).X
    found = evaluate_external(
        estimator, data.X, data.y, sample_weight=data.sample_weight, training=reference, random_state=seed
    )
    for title, part in _tables(found).items():
        print_table(part, title=title)
    if out is not None:
        _write(found, data, out)
        say(f"Tables and figures are in {out}.")
    return None


def _tables(found: Any) -> dict[str, Any]:
    scores = found.scores.set_index("title").rename_axis("score")
    shown = {
        "Scores (interval over patients)": scores,
        "Calibration of the model as it is": found.calibration,
        f"Decisions at the model's threshold, {found.threshold:.2f}": found.decisions[["value", "low", "high"]],
        "Apart: after a new intercept and slope from these patients (optimistic)": found.recalibrated,
    }
    tables = {title: part.round(3).reset_index().astype(str).replace("nan", "") for title, part in shown.items()}
    if len(found.drift):
        tables["Laboratory values here and in training"] = found.drift.round(2).astype(str).replace("nan", "")
    return tables


def _write(found: Any, data: Any, out: Path) -> None:
    from prrt_estimators._io import atomic_write
    from prrt_estimators._offscreen import offscreen
    from prrt_estimators._pandas_tables import for_spreadsheets
    from prrt_estimators.plotting import CalibrationDisplay, DecisionCurveDisplay, RocDisplay, save_figure

    out.mkdir(parents=True, exist_ok=True)
    tables = {
        "scores": found.scores.reset_index(),
        "calibration": found.calibration.reset_index(),
        "recalibrated": found.recalibrated.reset_index(),
        "decisions": found.decisions.reset_index(),
        "drift": found.drift,
        "predictions": found.predictions,
        "excluded": data.excluded,
    }
    for name, part in tables.items():
        with atomic_write(out / f"{name}.csv") as temporary:
            for_spreadsheets(part).to_csv(temporary, index=False, lineterminator="\n")
    y, p = found.predictions["y_true"].to_numpy(), found.predictions["p_long"].to_numpy()
    with offscreen():
        figures = {
            "roc": RocDisplay.from_predictions(y, p),
            "calibration": CalibrationDisplay.from_predictions(y, p),
            "decision": DecisionCurveDisplay.from_predictions(y, p),
        }
        for name, display in figures.items():
            save_figure(display.figure_, out / "figures" / name, formats=["png", "pdf"])
