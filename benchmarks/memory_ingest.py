"""That the memory of `prrt ingest` does not grow with the number of patients.

Run from the root of the repository::

    python benchmarks/memory_ingest.py --patients 100 1000 10000 --out docs/performance_memory_ingest.csv

Exports of small series are written to disk: per patient a PET and a CT of 8 x 8 x 4 voxels, one file per slice, with a name,
identifiers and dates of its own. Each is ingested from the shell's command in a process of its own. `peak_MB` is the peak of resident
memory of that process; with `--jobs` above 1 `all_peak_MB` is the peak of the sum over it and its workers, read every 0.2 s. `again`
is the same command on the finished cohort.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from _common import give, print_machine
from _small_exports import write_small_export

_SECONDS = 0.2


def main() -> int:
    """Measure; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="CSV file for the table")
    parser.add_argument("--one", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(run_one(given.one)))
        return 0
    print_machine(given.jobs)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n in given.patients:
            place = Path(folder) / str(n)
            write_small_export(place, n)
            for run in ("first", "again"):
                rows.append({"patients": n, "run": run, **child(place, given.jobs)})
                print(rows[-1], file=sys.stderr, flush=True)
            shutil.rmtree(place)
    give(pd.DataFrame(rows), given.out)
    return 0


def child(place: Path, jobs: int) -> dict[str, float]:
    """Ingest in a process of its own; return its peaks of memory and its processor time."""
    words = ["ingest", place / "dicom", "--clinical", place / "clinical.csv", "--out", place / "cohort"]
    words += ["--key", place / "key", "--jobs", jobs, "--quiet"]
    command = [sys.executable, __file__, "--one", *map(str, words)]
    with open(place / "answer", "wb") as answer, open(place / "errors", "wb") as errors:
        process = subprocess.Popen(command, stdout=answer, stderr=errors, env=os.environ | {"OMP_NUM_THREADS": "1"})
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(_SECONDS)
    if process.returncode:
        raise SystemExit((place / "errors").read_text("utf-8"))
    found = json.loads((place / "answer").read_text("utf-8").splitlines()[-1])
    together = {} if jobs == 1 else {"all_peak_MB": round(peak / 1e6)}
    return {"peak_MB": found["peak_MB"], **together, "processor_s": found["processor_s"]}


def resident_bytes(process: int) -> int:
    """Return the resident memory of a process and of all that it started."""
    parents, sizes = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = dict(line.split(":", 1) for line in (folder / "status").read_text("utf-8").splitlines())
        except OSError:
            continue
        number = int(folder.name)
        parents[number], sizes[number] = int(told["PPid"]), 1024 * int(told.get("VmRSS", "0").split()[0])
    family, new = {process}, True
    while new:
        new = {number for number, parent in parents.items() if parent in family} - family
        family |= new
    return sum(sizes.get(number, 0) for number in family)


def run_one(words: list[str]) -> dict[str, float]:
    """Run the command in this process and say what it took, its workers' processor time with it."""
    from prrt_estimators.cli import app

    app(words, standalone_mode=False)
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    peak = 1024 * int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    used = os.times()
    seconds = used.user + used.system + used.children_user + used.children_system
    return {"peak_MB": round(peak / 1e6), "processor_s": round(seconds, 1)}


if __name__ == "__main__":
    sys.exit(main())
