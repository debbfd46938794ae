"""``prrt pretrain``: a CT encoder from one's own scans, without outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import reported, say
from prrt_estimators.cli._model_options import takes_models


@reported
@o.takes_table
@takes_models("epochs", "size", "spacing", "batch_size", "device", "cache_dir")
def pretrain(
    cohort: o.CohortFile,
    out: Annotated[Path, typer.Option(help="File of the weights, with the ending .safetensors.", show_default=False)],
    encoder: Annotated[str, typer.Option(help="Network to pretrain.")] = "compact",
    seed: o.Seed = 0,
    quiet: o.Quiet = False,
    *,
    table: dict[str, Any],
    model_options: dict[str, Any],
) -> int | None:
    """Pretrain a CT encoder on the CTs of a table, without outcomes; for --ct-weights.

    Pretrain on patients other than those of the comparison: the comparison warns of those that both hold.
    """
    from prrt_estimators.datasets import load_cohort
    from prrt_estimators.estimators import CTPretrainer

    if out.suffix != ".safetensors":
        raise typer.BadParameter(f"weights are saved as .safetensors; got {out.name!r}.", param_hint="--out")
    given = {name: value for name, value in model_options.items() if value is not None}
    pretrainer = CTPretrainer(encoder=encoder, random_state=seed, verbose=0 if quiet else 1, **given)
    outcome = {"time": None, "event": None, "target": None}
    data = load_cohort(cohort, verbose=not quiet, **(table | outcome))
    pretrainer.fit(data.X)
    pretrainer.save(out)
    first, last = pretrainer.loss_curve_[0], pretrainer.loss_curve_[-1]
    say(f"{out}: {encoder} pretrained on {pretrainer.n_patients_} CTs, loss {first:.2f} to {last:.2f}.")
    say(f"Next: prrt compare COHORT --out DIR --ct-weights {out}")
    return None
