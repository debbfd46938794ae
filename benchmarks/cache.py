"""What preparing scans costs the first time and the second: seconds, and how often their files are opened.

Run from the root of the repository::

    python benchmarks/cache.py --patients 50 --out docs/performance_cache.csv

Openings are counted by Python's own audit events, whoever opens the file. The first preparation opens, checks and
resamples every scan; the second, a training's reading of all volumes, and another model's training open none.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _common import give, print_machine

from prrt_estimators import CTPFSClassifier, FusionPFSClassifier, load_cohort
from prrt_estimators.datasets import make_cohort_folder
from prrt_estimators.preprocessing import cache_info


class Openings:
    """Counts how often files of a folder are opened, from now to the end of the process."""

    def __init__(self, folder: Path):
        self.folder = str(folder.resolve())
        self.count = 0
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(self.folder):
            self.count += 1


def main() -> int:
    """Measure; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=50)
    parser.add_argument("--pet", type=int, default=96, help="voxels of a PET along each axis")
    parser.add_argument("--ct", type=int, default=160, help="voxels of a CT along each axis")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="CSV file for the table")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print_machine(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder), given.patients, given.pet, given.ct)
    give(table, given.out)
    return 0 if (table["openings"].iloc[1:] == 0).all() else 1


def measure(folder: Path, patients: int, pet: int, ct: int) -> pd.DataFrame:
    """Return one row per step."""
    cohort = make_cohort_folder(folder / "cohort", patients, volume_shape=pet, ct_shape=ct, random_state=0)
    X, y = load_cohort(cohort, return_X_y=True, verbose=False)
    openings = Openings(folder / "cohort" / "images")
    options = {"encoder": "compact", "cache_dir": folder / "cache", "max_epochs": 1, "random_state": 0, "device": "cpu"}
    fusion = FusionPFSClassifier(**options)
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("first preparation", lambda: fusion.prepare(X)),
        ("second preparation", lambda: fusion.prepare(X)),
        ("fit PET + CT + labs (1 epoch)", lambda: fusion.fit(X, y)),
        ("fit CT (1 epoch)", lambda: CTPFSClassifier(**options).fit(X, y)),
    ]
    scans = sum(int(X[name].present.sum()) for name in ("pet", "ct"))
    rows = []
    for name, step in steps:
        before, start = openings.count, time.perf_counter()
        step()
        seconds = time.perf_counter() - start
        megabytes = int(cache_info(folder / "cache")["bytes"]) / 1e6
        rows.append(
            {
                "step": name,
                "scans": scans,
                "seconds": round(seconds, 2),
                "openings": openings.count - before,
                "cache_mb": round(megabytes, 1),
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    raise SystemExit(main())
