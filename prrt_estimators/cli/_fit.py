"""``prrt fit``: one model on all patients, saved."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators._model_specs import MODELS, find_model
from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import reported, say
from prrt_estimators.cli._model_options import takes_models


@reported
@o.takes_table
@takes_models()
def fit(
    cohort: o.CohortFile,
    out: Annotated[
        Path,
        typer.Option(help="File of the saved model; its model card is written beside it.", show_default=False),
    ],
    model: Annotated[str, typer.Option(help="Model to fit, by its name in a comparison.")] = "pet_ct_lab",
    results: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a comparison that held this model with the same settings; its scores go into the model card.",
            show_default=False,
        ),
    ] = None,
    population: Annotated[
        str | None,
        typer.Option(
            help="Whom the model is meant for, in your words, for the model card. (default: patients with metastatic "
            "neuroendocrine tumours before 177Lu peptide receptor radionuclide therapy)",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    seed: o.Seed = 0,
    quiet: o.Quiet = False,
    *,
    table: dict[str, Any],
    model_options: dict[str, Any],
) -> int | None:
    """Fit one model on every patient of a table, and save it with a model card.

    How well it does must come from a comparison (--results): scores on the patients it was fitted on mean nothing.
    """
    spec = find_model(model)
    if spec is None:
        raise typer.BadParameter(f"unknown: {model}; choose from {', '.join(MODELS)}.", param_hint="--model")
    model = spec.name

    from prrt_estimators._fit_times import fit_times
    from prrt_estimators.datasets import load_cohort
    from prrt_estimators.model_selection import Skipped, load_comparison
    from prrt_estimators.model_selection._models import make_models, named_specs
    from prrt_estimators.persistence import save_model
    from prrt_estimators.persistence._performance import check_compared

    if MODELS[model].target in o.TIMES and table["target"] == "auto":
        table = table | {"target": "survival"}
    models = make_models(named_specs([model]), random_state=seed, verbose=0 if quiet else 1, **model_options)
    estimator = models[model]
    if isinstance(estimator, Skipped):
        raise ValueError(f"{model} {estimator.reason}.")
    out = out / f"{model}.prrt" if out.is_dir() else out
    if out.exists() and not force and not _may_replace(out):
        raise ValueError(f"{out} is there already; name another file, or pass --force to replace it.")
    comparison = None if results is None else load_comparison(results)
    if comparison is not None:
        # Before the night that fitting may take.
        check_compared(estimator, comparison, model)
    data = load_cohort(cohort, verbose=not quiet, **table)
    if data.y is None:
        raise ValueError("the table has no outcome to learn from; name its columns with --time and --event.")
    estimator.fit(data.X, data.y, sample_weight=data.sample_weight, **fit_times(estimator, data.X, data.y))
    save_model(
        estimator,
        out,
        X=data.X,
        y=data.y,
        comparison=comparison,
        model=model,
        horizon=data.horizon,
        population=population,
    )
    say(f"{model}, fitted on {len(data.y)} patients, is saved in {out}; its model card is {out}.md.")
    return None


def _may_replace(file: Path) -> bool:
    """Ask whether a file may be replaced, where somebody can answer."""
    return sys.stdin.isatty() and typer.confirm(f"{file} is there already. Replace it?")
