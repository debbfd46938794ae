"""``prrt lesions``: the lesions of the patients of a table, as volumes, tables and sheets."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import reported, say
from prrt_estimators.cli._model_options import CacheDir


class Definition(StrEnum):
    """What a lesion is."""

    phantom = "phantom"
    mask = "mask"
    suv4 = "suv4"
    liver = "liver"
    part41 = "41%"
    part50 = "50%"


@reported
@o.takes_table
def lesions(
    cohort: o.CohortFile,
    out: Annotated[Path, typer.Option(help="Folder for volumes, tables and sheets.", show_default=False)],
    lesions: Annotated[
        Definition,
        typer.Option(
            help="What a lesion is: 'phantom' what a finder trained on phantoms sees; 'mask' the masks of the table; else "
            "thresholds: SUV 4, 1.5 x liver + 2 SD, 41 or 50 % of a lesion's maximum."
        ),
    ] = Definition.phantom,
    weights: Annotated[
        Path | None,
        typer.Option(help="Folder with the weights of another finder. (default: the package's)", show_default=False),
    ] = None,
    cache_dir: CacheDir = None,
    quiet: o.Quiet = False,
    *,
    table: dict[str, object],
) -> int | None:
    """Find the lesions on PET and CT: label volumes on the patients' own grids, a table, and sheets to look through.

    The finder saw phantoms only. Look at the sheets before you use its numbers.
    """
    from prrt_estimators.datasets import load_cohort
    from prrt_estimators.report import write_lesions

    outcome = {"time": None, "event": None, "target": None}
    data = load_cohort(cohort, verbose=not quiet, **(table | outcome))  # type: ignore[arg-type]
    file = write_lesions(
        data.X,
        out,
        lesions=lesions.value,
        weights=weights,
        cache_dir=cache_dir,
        progress=None if quiet else lambda done, n: say(f"{done} of {n} patients"),
    )
    say(f"Look at {out / 'overview.png'}; one row per lesion: {file}")
    return None
