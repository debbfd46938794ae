"""``prrt pretrain``: a CT encoder from one's own scans, without outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import reported, say


@reported
@o.takes_table
def pretrain(
    cohort: o.CohortFile,
    out: Annotated[Path, typer.Option(help="File of the weights, with the ending .safetensors.", show_default=False)],
    encoder: Annotated[str, typer.Option(help="Network to pretrain.")] = "compact",
    epochs: o.Epochs = None,
    size: o.Size = None,
    spacing: o.Spacing = None,
    batch_size: o.BatchSize = None,
    device: o.Device = "auto",
    seed: o.Seed = 0,
    cache_dir: o.CacheDir = None,
    quiet: o.Quiet = False,
    *,
    table: dict[str, Any],
) -> int | None:
    """Pretrain a CT encoder on the CTs of a table, without outcomes; for --ct-weights.

    Pretrain on patients other than those of the comparison: the comparison warns of those that both hold.
    """
    from prrt_estimators.datasets import load_cohort
    from prrt_estimators.estimators import CTPretrainer

    if out.suffix != ".safetensors":
        raise typer.BadParameter(f"weights are saved as .safetensors; got {out.name!r}.", param_hint="--out")
    given = {
        "max_epochs": epochs,
        "size": o.three(size, int, "--size"),
        "spacing": o.three(spacing, float, "--spacing"),
        "batch_size": batch_size,
    }
    pretrainer = CTPretrainer(
        encoder=encoder,
        device=device,
        random_state=seed,
        cache_dir=None if cache_dir is None else str(cache_dir),
        verbose=0 if quiet else 1,
        **{name: value for name, value in given.items() if value is not None},
    )
    outcome = {"time": None, "event": None, "target": None}
    data = load_cohort(cohort, verbose=not quiet, **(table | outcome))
    pretrainer.fit(data.X)
    pretrainer.save(out)
    first, last = pretrainer.loss_curve_[0], pretrainer.loss_curve_[-1]
    say(f"{out}: {encoder} pretrained on {pretrainer.n_patients_} CTs, loss {first:.2f} to {last:.2f}.")
    say(f"Next: prrt compare COHORT --out DIR --ct-weights {out}")
    return None
