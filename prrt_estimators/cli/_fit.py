"""``prrt fit``: one model on all patients, saved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import reported, say


@reported
@o.takes_table
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
    epochs: o.Epochs = None,
    size: o.Size = None,
    spacing: o.Spacing = None,
    batch_size: o.BatchSize = None,
    ct_weights: o.CtWeights = None,
    ct_finetune: o.CtFinetune = None,
    device: o.Device = "auto",
    seed: o.Seed = 0,
    cache_dir: o.CacheDir = None,
    quiet: o.Quiet = False,
    *,
    table: dict[str, Any],
) -> int | None:
    """Fit one model on every patient of a table, and save it with a model card.

    How well it does must come from a comparison (--results): scores on the patients it was fitted on mean nothing.
    """
    from prrt_estimators.datasets import load_cohort
    from prrt_estimators.model_selection import Skipped, load_comparison, paper_models
    from prrt_estimators.persistence import save_model
    from prrt_estimators.persistence._performance import check_compared

    models = paper_models(
        include=[model],
        max_epochs=epochs,
        size=o.three(size, int, "--size"),
        spacing=o.three(spacing, float, "--spacing"),
        batch_size=batch_size,
        weights=None if ct_weights is None else {"ct": ct_weights},
        finetune=None if ct_finetune is None else ct_finetune.value,
        device=device,
        random_state=seed,
        cache_dir=None if cache_dir is None else str(cache_dir),
        verbose=0 if quiet else 1,
    )
    estimator = models[model]
    if isinstance(estimator, Skipped):
        raise ValueError(f"{model} {estimator.reason}.")
    out = out / f"{model}.prrt" if out.is_dir() else out
    comparison = None if results is None else load_comparison(results)
    if comparison is not None:
        # Before the night that fitting may take.
        check_compared(estimator, comparison, model)
    data = load_cohort(cohort, verbose=not quiet, **table)
    if data.y is None:
        raise ValueError("the table has no outcome to learn from; name its columns with --time and --event.")
    estimator.fit(data.X, data.y, sample_weight=data.sample_weight)
    save_model(estimator, out, X=data.X, y=data.y, comparison=comparison, model=model, horizon=data.horizon)
    say(f"{model}, fitted on {len(data.y)} patients, is saved in {out}; its model card is {out}.md.")
    return None
