"""``prrt make-cohort``: a synthetic cohort on disk, to try everything without patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prrt_estimators.cli import _options as o
from prrt_estimators.cli._console import reported, say


@reported
def make_cohort(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for cohort.csv and scans.", show_default=False)],
    patients: Annotated[int, typer.Option(min=2, help="Number of patients.")] = 116,
    size: Annotated[int, typer.Option(min=8, help="Voxels of a scan along each axis.")] = 48,
    signal: Annotated[float, typer.Option(help="Strength of the planted signal; 0 plants none.")] = 1.0,
    censoring: Annotated[float, typer.Option(help="Share of patients censored.")] = 0.0,
    missing: Annotated[float, typer.Option(help="Share of patients who lack PET, CT or labs.")] = 0.0,
    seed: o.Seed = 0,
) -> int | None:
    """Make a synthetic cohort (labs, PET, CT, PFS) as cohort.csv and NIfTI files."""
    from prrt_estimators.datasets import make_cohort_folder

    make_cohort_folder(
        out,
        n_patients=patients,
        volume_shape=size,
        signal=signal,
        censoring=censoring,
        missing_modalities=missing,
        random_state=seed,
    )
    say(f"{out / 'cohort.csv'} lists {patients} synthetic patients. Next: prrt compare {out / 'cohort.csv'} --out DIR")
    return None
