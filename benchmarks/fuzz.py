"""Damaged files by the thousand: what hangs, crashes, fills the memory, fails without a name, or gives a wrong number.

Run from the root of the repository::

    python benchmarks/fuzz.py --inputs 10000 --work build/fuzz --out docs/fuzz.csv

Small made files, and every eighth voxel of a real CT where the shared data lie beside this checkout, are damaged at random and read
as this library reads them. Input k of a seed is always the same; what is done is kept in the folder of `--work`, so that
the same command resumes. Each input is read in a process of its own kind, which is stopped after `--limit` seconds, of the processor or
without using it: a machine that is busy with other work makes no input hang.

========== ===========================================================================================================
outcome    meaning
========== ===========================================================================================================
refused    an error that names what is wrong
as it is   read, and equal to what another reader finds in it, or to the undamaged file
raw        an error of another library came through
silent     read, with a number that is not in the file
memory     took more than 1 GB
hang       did not end
crash      took the process along
========== ===========================================================================================================
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _common import give
from _fuzz_dicom import SCANNER
from _fuzz_harm import Kind
from _fuzz_scans import NIFTI
from _fuzz_stores import STORES
from _fuzz_tables import TABLE

import prrt_estimators
from prrt_estimators import exceptions

KINDS = {kind.name: kind for kind in (NIFTI, TABLE, *SCANNER, *STORES)}
#: Of forty inputs, how many are of which kind; those that take seconds each are few.
SHARES = tuple(
    kind
    for kind, share in {
        "NIfTI": 10,
        "table": 9,
        "DICOM": 9,
        "cache": 3,
        "weights": 3,
        "model": 4,
        "results": 1,
        "export": 1,
    }.items()
    for _ in range(share)
)
OUTCOMES = ("refused", "as it is", "raw", "silent", "memory", "hang", "crash")
BAD = ("raw", "silent", "memory", "hang", "crash")
GIGABYTE = 2**30

_OWN = tuple(one for one in vars(exceptions).values() if isinstance(one, type) and issubclass(one, Exception))
_PACKAGE = str(Path(prrt_estimators.__file__).parent)


def main() -> int:
    """Try the inputs that are open; print and write the table; return 1 if there is a bad one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "prrt-fuzz")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds that an input may take")
    parser.add_argument("--out", type=Path, help="CSV file for the table")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work_through(given.work, given.seed)
        return 0
    given.work.mkdir(parents=True, exist_ok=True)
    outcomes = run(given.work, given.seed, given.inputs, given.limit)
    table = count(outcomes.values())
    give(table, given.out)
    for k, one in sorted(outcomes.items()):
        if one["outcome"] in BAD:
            print(f"input {k} ({one['kind']}): {one['outcome']}: {one['said']}", file=sys.stderr)
    return int(any(one["outcome"] in BAD for one in outcomes.values()))


def run(work: Path, seed: int, inputs: int, limit: float) -> dict[int, dict[str, Any]]:
    """Return the outcome of each input, those of before from the folder."""
    record = work / f"outcomes-{seed}.jsonl"
    done: dict[int, dict[str, Any]] = {}
    if record.exists():
        for line in record.read_text("utf-8").splitlines():
            if line.endswith("}"):  # the last line of a killed run may be cut
                one = json.loads(line)
                done[one["input"]] = one
    still = [k for k in range(inputs) if k not in done]
    worker: Worker | None = None
    with open(record, "a", encoding="utf-8") as lines:
        for position, k in enumerate(still):
            worker = worker or Worker(work, seed)
            one = worker.ask(k, limit)
            if one["outcome"] in ("hang", "crash"):
                worker = None
            done[k] = one
            lines.write(json.dumps(one) + "\n")
            lines.flush()
            if position % 250 == 249:
                print(f"{len(done)} of {inputs}", file=sys.stderr, flush=True)
    if worker is not None:
        worker.close()
    return {k: done[k] for k in range(inputs)}


class Worker:
    """A process that tries one input after another."""

    def __init__(self, work: Path, seed: int):
        command = [sys.executable, __file__, "--worker", "--work", str(work), "--seed", str(seed)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def ask(self, k: int, limit: float) -> dict[str, Any]:
        """Return the outcome of one input."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        answered = threading.Event()
        stopped: list[bool] = []
        threading.Thread(target=self._stop_late, args=(answered, stopped, limit), daemon=True).start()
        try:
            self.process.stdin.write(f"{k}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError:
            answer = ""
        answered.set()
        if answer:
            return json.loads(answer)
        how = "hang" if stopped else "crash"
        return {"input": k, "kind": kind_of(k), "outcome": how, "said": f"exit code {self.process.wait()}", "bytes": 0}

    def _stop_late(self, answered: threading.Event, stopped: list[bool], limit: float) -> None:
        """Kill the process once it has used its seconds, or waits for something else than the processor for as long."""
        begun, used = time.monotonic(), _processor_seconds(self.process.pid)
        while not answered.wait(limit / 10):
            spent = _processor_seconds(self.process.pid) - used
            waited = time.monotonic() - begun
            if spent >= limit or (waited >= limit and not _wants_processor(self.process.pid)):
                stopped.append(True)
                self.process.kill()
                return

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def _processor_seconds(process: int) -> float:
    """Return the processor time of a process, seconds since its start where the system does not tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return time.monotonic()


def _wants_processor(process: int) -> bool:
    """Tell whether a process is running or waits for the processor or the disk."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in ("R", "D")
    except OSError:
        return False


def work_through(work: Path, seed: int) -> None:
    """Try the inputs whose numbers come in, and answer a line for each."""
    seeds = undamaged(work / "undamaged")
    print("ready", flush=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        for line in sys.stdin:
            print(json.dumps(try_one(int(line), seed, seeds, Path(folder))), flush=True)


def undamaged(folder: Path) -> dict[str, list[Path]]:
    """Make the files of each kind that are to be damaged."""
    made = {}
    for name, kind in KINDS.items():
        place = folder / name
        listing = place / "files.json"
        if not listing.exists():
            place.mkdir(parents=True, exist_ok=True)
            files = [str(file) for file in kind.make(place)]
            listing.write_text(json.dumps(files))
        made[name] = [Path(file) for file in json.loads(listing.read_text())]
    return made


def kind_of(k: int) -> str:
    """Return the kind of an input."""
    return SHARES[k % len(SHARES)]


def try_one(k: int, seed: int, seeds: dict[str, list[Path]], folder: Path) -> dict[str, Any]:
    """Make an input, read it, and return what came of it."""
    kind: Kind = KINDS[kind_of(k)]
    rng = np.random.default_rng([seed, k])
    source = seeds[kind.name][int(rng.integers(0, len(seeds[kind.name])))]
    damaged = folder / f"{k}-{source.name}"
    kind.damage(rng, source, damaged)
    size = damaged.stat().st_size
    before = _memory(reset=True)
    said = ""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            outcome = kind.check(damaged, source)
        outcome = "silent" if outcome == "wrong" else outcome
    except BaseException as error:  # a decoder's panic is not an Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        outcome, said = ("refused" if is_named(error) else "raw"), f"{type(error).__name__}: {error}"[:300]
    finally:
        damaged.unlink(missing_ok=True)
    taken = _memory() - before
    if taken > GIGABYTE:
        outcome, said = "memory", f"{taken / GIGABYTE:.1f} GB for {size} bytes"
    return {"input": k, "kind": kind.name, "outcome": outcome, "said": said, "bytes": size}


def is_named(error: BaseException) -> bool:
    """Return whether an error is one that this library raises on purpose, and not one that came through it."""
    if isinstance(error, _OWN):
        return True
    last = traceback.extract_tb(error.__traceback__)[-1]
    return isinstance(error, (ValueError, TypeError, OSError)) and last.filename.startswith(_PACKAGE)


def _memory(*, reset: bool = False) -> int:
    """Return the greatest size of this process so far; 0 where the system does not tell."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


def count(outcomes: Iterator[dict[str, Any]] | Any) -> pd.DataFrame:
    """Return one row a kind with the number of inputs of each outcome."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in KINDS}
    for one in outcomes:
        counts[one["kind"]][one["outcome"]] += 1
    rows = [
        {"input": name, "n": found.total(), **{one: found[one] for one in OUTCOMES}} for name, found in counts.items()
    ]
    table = pd.DataFrame(rows)
    return pd.concat(
        [table, table.sum(numeric_only=True).to_frame().T.assign(input="all")[table.columns]], ignore_index=True
    )


if __name__ == "__main__":
    sys.exit(main())
