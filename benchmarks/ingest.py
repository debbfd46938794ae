"""How fast a scanner export becomes a cohort, and that its memory does not grow with the number of patients.

Run from the root of the repository::

    python benchmarks/ingest.py --patients 4 8 16 --out docs/performance_ingest.csv

A synthetic cohort is exported as DICOM, one file per slice. Headers are read by `walk` alone, first in one process, then in
as many as `--jobs`; patients are converted by `ingest` into a new folder in a child process of its own, whose peak of
resident memory the operating system tells. The second run finds everything finished. The first size is run once before,
unmeasured, so that files lie in the system's cache for all alike. Where others use the machine too, processor seconds say
more than seconds.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
from _common import give, print_machine

from prrt_estimators.datasets import make_cohort_folder
from prrt_estimators.ingest import ingest
from prrt_estimators.ingest._export_index import walk


def main() -> int:
    """Measure; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--pet", type=int, default=96, help="voxels of a PET along each axis")
    parser.add_argument("--ct", type=int, default=192, help="voxels of a CT along each axis")
    parser.add_argument("--jobs", type=int, default=2, help="processes for headers; patients are converted one by one")
    parser.add_argument("--out", type=Path, help="CSV file for the table")
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one is not None:
        print(json.dumps(run_one(**given.one)))
        return 0
    print_machine(1)
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder), given.patients, given.pet, given.ct, given.jobs)
    give(table, given.out)
    return 0


def measure(folder: Path, patients: list[int], pet: int, ct: int, jobs: int) -> pd.DataFrame:
    """Return one row a number of patients."""
    rows = []
    for position, n in enumerate(patients):
        export = folder / f"export {n}"
        make_cohort_folder(export, n, "dicom", volume_shape=pet, ct_shape=ct, random_state=0)
        if position == 0:
            in_child(export, folder / "first", 1)
        rows.append({"patients": n, **headers(export, jobs), **patients_of(export, folder / f"cohort {n}", n)})
    return pd.DataFrame(rows)


def headers(export: Path, jobs: int) -> dict[str, Any]:
    """Return headers a second, in one process and in several."""
    found: dict[str, Any] = {}
    walk(export / "dicom", n_jobs=jobs)  # start the processes and fill the system's cache
    for name, count in (("headers_per_s", 1), (f"headers_per_s_{jobs}_processes", jobs)):
        start, busy = time.perf_counter(), time.process_time()
        n_files = walk(export / "dicom", n_jobs=count).n_files
        found |= {"files": n_files, name: round(n_files / (time.perf_counter() - start))}
        if count == 1:
            found["headers_per_processor_s"] = round(n_files / (time.process_time() - busy))
    return found


def patients_of(export: Path, out: Path, n: int) -> dict[str, Any]:
    """Return patients a minute and the peak of memory, first and again."""
    first, again = in_child(export, out, n), in_child(export, out, n)
    return {
        "patients_per_min": round(60 * n / first["seconds"], 1),
        "processor_s_per_patient": round(first["processor_s"] / n, 2),
        "peak_mb": round(first["peak_mb"]),
        "again_s": round(again["seconds"], 1),
        "again_peak_mb": round(again["peak_mb"]),
    }


def in_child(export: Path, out: Path, n: int) -> dict[str, float]:
    """Ingest in a process of its own, so that its memory is its own."""
    told = json.dumps({"export": str(export), "out": str(out), "patients": n})
    done = subprocess.run([sys.executable, __file__, "--one", told], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def run_one(export: str, out: str, patients: int) -> dict[str, float]:
    """Ingest with one process; return seconds and the peak of resident memory."""
    start, busy = time.perf_counter(), time.process_time()
    key = Path(out).with_suffix(".key")
    result = ingest(Path(export) / "dicom", Path(export) / "clinical.xlsx", out, key_file=key, n_jobs=1, verbose=False)
    if result.n_included < patients or result.findings:
        raise RuntimeError(f"{result.n_included} of {patients} patients were included")
    seconds, processor_s = time.perf_counter() - start, time.process_time() - busy
    return {"seconds": seconds, "processor_s": processor_s, "peak_mb": peak_bytes() / 1e6}


def peak_bytes() -> int:
    """Return the peak of resident memory of this program."""
    status = Path("/proc/self/status")
    if status.is_file():
        # The resource module would count what the parent held when it started this process.
        return 1024 * int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    raise SystemExit(main())
