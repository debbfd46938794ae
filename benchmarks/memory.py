"""That the memory of `prrt compare` does not grow with the number of patients.

Run from the root of the repository::

    python benchmarks/memory.py --patients 100 1000 10000 --out docs/performance_memory.csv

Small PETs are written to disk, each with other voxels. One network learns one epoch on two thirds of the patients and predicts
the others, in a process of its own whose peak of resident memory the operating system tells; a fit may hold 100 MB of volumes
(`PRRT_MEMORY_LIMIT`). Above that the volumes are read a batch at a time. Beside it the same with the limit at 100 GB, where all
are held.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from _common import give, print_machine


def main() -> int:
    """Measure; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--size", type=int, default=24, help="voxels of a PET along each axis")
    parser.add_argument("--limits", nargs="+", default=["100MB", "100GB"])
    parser.add_argument("--out", type=Path, help="CSV file for the table")
    parser.add_argument("--one", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(run_one(given.one)))
        return 0
    print_machine(1)
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder), given.patients, given.size, given.limits)
    give(table, given.out)
    return 0


def measure(folder: Path, patients: list[int], size: int, limits: list[str]) -> pd.DataFrame:
    """Return one row per number of patients and limit."""
    rows = []
    for n in patients:
        table = write_cohort(folder / f"cohort {n}", n, size)
        for position, limit in enumerate(["warm", *limits]):  # the first run prepares the scans and is not reported
            out = folder / f"results {n} {position}"
            words = [
                "compare",
                table,
                "--out",
                out,
                "--models",
                "pet",
                "--epochs",
                "1",
                "--folds",
                "3",
                "--repeats",
                "1",
            ]
            words += [
                "--size",
                size,
                "--spacing",
                "8",
                "--jobs",
                "1",
                "--part",
                "1/3",
                "--cache-dir",
                folder / f"cache {n}",
            ]
            found = child([str(word) for word in words], "100MB" if limit == "warm" else limit)
            if limit != "warm":
                volumes = n * size**3 * 4 / 1e6
                rows.append((n, round(volumes), limit, *found))
    columns = ["patients", "volumes_MB", "limit", "peak_MB", "processor_s", "ms_per_patient"]
    return pd.DataFrame(rows, columns=columns)


def write_cohort(folder: Path, n: int, size: int) -> Path:
    """Write noise as scans, and a table with classes; return the table."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(n):
        voxels = rng.uniform(0, 10, (size,) * 3).astype(np.float32)
        nib.save(nib.Nifti1Image(voxels, np.diag([8.0, 8.0, 8.0, 1.0])), folder / f"{k}.nii")
    table = pd.DataFrame({"patient_id": [f"P{k:05d}" for k in range(n)], "pet": [f"{k}.nii" for k in range(n)]})
    table["pfs_class"] = np.where(rng.permutation(n) < 0.4 * n, 0, 1)
    table.to_csv(folder / "cohort.csv", index=False)
    return folder / "cohort.csv"


def child(words: list[str], limit: str) -> tuple[float, float, float]:
    """Return peak MB, processor seconds, and milliseconds per patient of one command in a process of its own."""
    environment = os.environ | {"PRRT_MEMORY_LIMIT": limit, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--one", *words]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(answer.stderr)
    found = json.loads(answer.stdout.splitlines()[-1])
    return found["peak_MB"], found["processor_s"], found["ms_per_patient"]


def run_one(words: list[str]) -> dict[str, float]:
    """Run the command in this process and say what it took."""
    from prrt_estimators.cli import app

    begun = time.process_time()
    app(words, standalone_mode=False)
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    n = len(pd.read_csv(words[1]))
    return {"peak_MB": round(peak), "processor_s": round(seconds, 1), "ms_per_patient": round(1000 * seconds / n, 2)}


if __name__ == "__main__":
    sys.exit(main())
