"""``prrt predict``: probabilities for new patients."""

from __future__ import annotations

import difflib
import functools
from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators._modalities import IMAGING, MODALITIES
from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import print_table, reported, say
from prrt_estimators.cli._model_options import take_options, takes_models


@reported
@functools.partial(o.takes_table, only=(*IMAGING, "patient_id", "sheet", "root"))
@takes_models("cache_dir")
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model saved by prrt fit.", show_default=False)],
    cohort: o.CohortFile,
    out: Annotated[Path | None, typer.Option(help="CSV file; printed if not given.", show_default=False)] = None,
    months: Annotated[
        str,
        typer.Option(help="Months at which a survival model gives the probability of PFS beyond, comma-separated."),
    ] = "6,12,24",
    quiet: o.Quiet = False,
    *,
    table: dict[str, Any],
    model_options: dict[str, Any],
) -> int | None:
    """Predict long or short PFS for every patient of a table, with or without known outcome.

    The predictors are the columns that the model was fitted on. A survival model predicts a risk (greater is worse), the
    probability of PFS beyond some months, and the median PFS (empty where the curve stays above a half).
    """
    import pandas as pd

    from prrt_estimators._io import atomic_write
    from prrt_estimators._pandas_tables import for_spreadsheets
    from prrt_estimators._targets import target_of
    from prrt_estimators.datasets import load_cohort
    from prrt_estimators.persistence import compare_with_training, load_model

    moments = _moments(months)
    estimator = load_model(model)
    take_options(estimator, model_options)
    labs = lab_columns(estimator)
    check_columns(labs, cohort, table["sheet"])
    data = load_cohort(
        cohort,
        lab=labs,
        time=None,
        event=None,
        target=None,
        mask=None,
        verbose=not quiet,
        **table,
    )
    for sentence in lacking_inputs(estimator, data.X):
        say(f"Warning: {sentence}")
    target = target_of(estimator)
    answers: dict[str, Any] = target.answers(estimator, data.X, moments)
    found = pd.DataFrame({"patient_id": data.X.ids} | answers)
    for sentence in compare_with_training(model, estimator, data.X):
        say(f"Warning: {sentence}")
    if not quiet:
        say("Research software: these predictions must not guide the treatment of a patient.")
    if out is None:
        numbers = {str(name): [f"{one:.4f}" for one in found[name]] for name in found.select_dtypes("number")}
        print_table(found.assign(**numbers), title=target.answers_title)
        return None
    with atomic_write(out) as temporary:
        for_spreadsheets(found).to_csv(temporary, index=False, lineterminator="\n")
    if not quiet:
        say(f"{len(found)} predictions are in {out}.")
    return None


def _moments(text: str) -> list[float]:
    """Read `--months`."""
    try:
        moments = [float(one) for one in text.split(",")]
    except ValueError:
        moments = []
    if not moments or not all(0 < one < 1200 for one in moments):
        raise typer.BadParameter(f"must be months, comma-separated, e.g. 6,12,24; got {text!r}.", param_hint="--months")
    return moments


def lacking_inputs(estimator: Any, X: Any) -> list[str]:
    """Return a sentence for each scan and column that the model was fitted on and nobody, or not everybody, here has."""
    found = []
    for name in getattr(estimator, "_reads", ()):
        if name not in IMAGING:
            continue
        present = int(X[name].present.sum()) if name in X else 0
        if present < len(X):
            found.append(
                f"the model was fitted on {MODALITIES[name].title}, which {len(X) - present} of {len(X)} patients lack; they are "
                "predicted for without it."
            )
    if "lab" in X:
        empty = [str(name) for name in X["lab"].columns if X["lab"][name].isna().all()]
        if empty:
            found.append(
                f"nobody has a value of {', '.join(empty)}; medians of the training patients take their place."
            )
    return found


def lab_columns(estimator: Any) -> Any:
    """Columns of laboratory values that a model was fitted on; what is recognised where it does not say."""
    from prrt_estimators.datasets._options import ModelColumns

    if "lab" not in estimator._reads:
        return None
    names = estimator._table_columns
    return "auto" if names is None else ModelColumns(names)


def outcome_of(estimator: Any, table: dict[str, Any]) -> dict[str, str]:
    """Return the argument of `load_cohort` by which a table gives times, for a survival model; none for a classifier."""
    from prrt_estimators._targets import target_of

    wanted = target_of(estimator).name
    if wanted not in o.TIMES:
        return {}
    if table["target"] not in ("auto", *o.TIMES):
        raise typer.BadParameter("a survival model needs times: use --time and --event.", param_hint="--target")
    return {"target": wanted}


def check_columns(labs: Any, cohort: Path, sheet: int | str) -> None:
    """Refuse a table that lacks columns which a model was fitted on."""
    from prrt_estimators.datasets._tables import read_table
    from prrt_estimators.exceptions import CohortError, Problem

    if not isinstance(labs, list):
        return
    table = read_table(cohort, sheet)
    lacking = [name for name in labs if name not in table.frame.columns]
    if table.problems or not lacking:
        return
    problems = []
    for name in lacking:
        near = difflib.get_close_matches(name, [str(one) for one in table.frame.columns if one not in labs], n=1)
        remedy = f"rename {near[0]!r} if it is meant, or add the column" if near else "add the column"
        what = f"the model was fitted on {name!r}, which {cohort.name} lacks"
        problems.append(Problem(what, f"{remedy} (cells may be empty)"))
    raise CohortError(problems)
