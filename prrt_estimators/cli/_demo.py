"""``prrt demo``: the whole way from patients to report, with no data at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators.cli import _options as o
from prrt_estimators.cli._compare import run_comparison
from prrt_estimators.cli._console import noted_warnings, reported, say
from prrt_estimators.cli._model_options import takes_models

#: Small enough for five minutes on two cores; few patients show only a signal stronger than a real one.
_PATIENTS, _VOXELS, _SIGNAL = 108, 32, 2.0

_NOTICE = (
    f"Simulated patients made by prrt demo, with a planted signal {_SIGNAL:g} times as strong as a realistic one: the "
    "numbers say nothing about patients."
)


@reported
@takes_models("epochs", "device", epochs=16)
def demo(
    out: Annotated[Path, typer.Option(help="Folder for cohort and results.")] = Path("prrt-demo"),
    repeats: o.Repeats = 2,
    folds: o.Folds = 3,
    jobs: o.Jobs = None,
    seed: o.Seed = 0,
    no_report: o.NoReport = False,
    quiet: o.Quiet = False,
    *,
    model_options: dict[str, Any],
) -> int | None:
    """Make a synthetic cohort, compare all models on it, and write tables, figures and a report.

    Takes a few minutes; if it is interrupted, rerun the same command to resume. The patients are simulated, with a signal
    stronger than a real one: the numbers show that everything works and say nothing about patients.
    """
    from prrt_estimators.datasets import load_cohort, make_cohort_folder

    folder = out / "cohort"
    if not (folder / "cohort.csv").is_file():
        if not quiet:
            say(f"Making {_PATIENTS} synthetic patients in {folder}.")
        make_cohort_folder(folder, n_patients=_PATIENTS, volume_shape=_VOXELS, signal=_SIGNAL, random_state=seed)
    with noted_warnings() as warned:
        data = load_cohort(folder / "cohort.csv", verbose=not quiet)
    return run_comparison(
        data,
        out,
        models=o.MODEL_GROUPS["all"],
        model_options=model_options
        | {"size": _VOXELS, "spacing": (12.5, 9.5, 17.0), "tracer": "68Ga-DOTATOC", "cache_dir": str(out / "cache")},
        repeats=repeats,
        folds=folds,
        jobs=jobs,
        seed=seed,
        report=not no_report,
        verbose=not quiet,
        cohort_warnings=warned,
        notice=_NOTICE,
    )
