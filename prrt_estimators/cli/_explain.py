"""``prrt explain``: why a saved model says what it says of the patients of a table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import reported, say
from prrt_estimators.cli._model_options import take_options, takes_models
from prrt_estimators.cli._predict import check_columns, lab_columns, outcome_of


class MapMethod(StrEnum):
    """How maps are made."""

    gradient = "gradient"
    smoothgrad = "smoothgrad"
    integrated_gradients = "integrated_gradients"
    gradcam = "gradcam"


@reported
@o.takes_table
@takes_models("cache_dir")
def explain(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="File of a saved model.", show_default=False)],
    cohort: o.CohortFile,
    out: Annotated[Path, typer.Option(help="Folder for the page, figures, tables and maps.", show_default=False)],
    method: Annotated[MapMethod, typer.Option(help="How maps of PET and CT are made.")] = MapMethod.gradient,
    patients: Annotated[int, typer.Option(min=1, help="Patients with a figure and files of maps.")] = 4,
    seed: o.Seed = 0,
    quiet: o.Quiet = False,
    *,
    table: dict[str, object],
    model_options: dict[str, Any],
) -> int | None:
    """Explain a saved model: coefficients, SHAP values, modalities, and maps on the patients' own scans.

    Of a survival model the probability of PFS beyond the horizon is explained. Use patients that the model was not fitted
    on. If the table has an outcome, the AUROC (Uno's C of a survival model) is measured, and maps of a model that is not shown to
    be better than chance carry a warning.
    """
    from prrt_estimators.datasets import load_cohort
    from prrt_estimators.persistence import load_model
    from prrt_estimators.report import explain_model

    estimator = load_model(model)
    take_options(estimator, model_options)
    columns = lab_columns(estimator)
    check_columns(columns, cohort, table["sheet"])  # type: ignore[arg-type]
    absent = _without_outcome(cohort, table)
    options = table | {"lab": columns} | (absent or outcome_of(estimator, table))
    data = load_cohort(cohort, verbose=not quiet, **options)  # type: ignore[arg-type]
    if data.y is None:
        say("No outcome is in the table: it is not measured how good the model is.")
    page = explain_model(
        estimator,
        data.X,
        out,
        y=data.y,
        n_patients=patients,
        method=method.value,
        horizon=data.horizon,
        random_state=seed,
        progress=None if quiet else say,
    )
    say(f"Open {page}")
    return None


def _without_outcome(cohort: Path, table: dict[str, Any]) -> dict[str, None]:
    """Return arguments of `load_cohort` for patients who have no outcome yet; none where there is one, or one is named."""
    from prrt_estimators.datasets._roles import guess_role
    from prrt_estimators.datasets._tables import read_table

    if any(table[name] != "auto" for name in ("time", "event", "target")):
        return {}
    frame = read_table(cohort, table["sheet"]).frame
    known = {guess_role(name, frame[name]) for name in frame.columns}
    return {} if known & {"time", "target"} else {"time": None, "event": None, "target": None}
