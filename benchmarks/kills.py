"""Commands that are killed at a random moment and started again: do they end with the same bytes, and leave nothing behind?

Run from the root of the repository::

    python benchmarks/kills.py --kills 50 --work build/kills --out docs/kills.csv

Each of comparing, ingesting, pretraining and saving runs once to its end. Then it is started in a new folder, killed
(SIGKILL) at a random moment of that time, and started again. What counts as result must be byte for byte that of the
undisturbed run (for a saved model, whose parts hold numbers of the process that wrote them: its predictions bit for bit),
and no half-written file may be left in the folder or in the cache. What is done is kept in the folder of `--work`, so that the
same command resumes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from _common import give, print_machine

from prrt_estimators import load_model
from prrt_estimators._io import atomic_write
from prrt_estimators.datasets import make_cohort_folder

_CLI = "from prrt_estimators.cli import main; main()"
_INGEST = """
import sys
from prrt_estimators.ingest import ingest
export, out = sys.argv[1:]
ingest(export + "/dicom", export + "/clinical.xlsx", out, key_file=export + "/key", n_jobs=1, verbose=False)
"""
_SAVE = """
import sys
import numpy as np, pandas as pd
from prrt_estimators import LabPFSClassifier, save_model
X, y = pd.DataFrame({"cga": np.arange(40.0), "ast": np.arange(40.0) % 7}), np.arange(40) % 2
model = LabPFSClassifier(n_estimators=60, random_state=0).fit(X, y)
for _ in range(5):
    save_model(model, sys.argv[1] + "/model.prrt", X=X, y=y)
"""


@dataclass(frozen=True)
class Command:
    """One command that is killed.

    Parameters
    ----------
    name : str
    arguments : callable
        From the folder that it writes into to what follows the interpreter.
    result : callable
        From that folder to a text that must be the same however often the command was killed.
    """

    name: str
    arguments: Callable[[Path], list[str]]
    result: Callable[[Path], str]


def main() -> int:
    """Kill, start again, compare; print and write the table; return 1 if anything differs or is left over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="of all commands together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "prrt-kills")
    parser.add_argument("--out", type=Path, help="CSV file for the table")
    given = parser.parse_args()
    print_machine(1)
    given.work.mkdir(parents=True, exist_ok=True)
    table = measure(given.work.resolve(), given.kills, given.seed)
    give(table, given.out)
    return int((table["same"] < table["kills"]).any() or table["left_over"].any())


def measure(folder: Path, kills: int, seed: int) -> pd.DataFrame:
    """Return one row per command; kills that an earlier run finished are read from the folder."""
    if not (folder / "export" / "key").exists():
        for place in ("cohort", "export"):
            shutil.rmtree(folder / place, ignore_errors=True)
        make_cohort_folder(folder / "cohort", 12, "nifti", volume_shape=16, random_state=0)
        make_cohort_folder(folder / "export", 3, "dicom", volume_shape=24, ct_shape=32, random_state=0)
        (folder / "export" / "key").write_bytes(bytes(range(32)))
    rows = []
    commands = all_commands(folder)
    for position, command in enumerate(commands):
        alone = kept(folder / f"{command.name}.json", lambda command=command: undisturbed(folder, command))
        number = kills // len(commands) + (position < kills % len(commands))
        found = [
            kept(
                folder / f"{command.name} {k}.json",
                lambda k=k, command=command, alone=alone: killed(folder, command, alone, seed, k),
            )
            for k in range(number)
        ]
        rows.append(
            {"command": command.name, "seconds": round(alone["seconds"], 1), "kills": number}
            | {name: sum(one[name] for one in found) for name in ("killed_running", "same", "left_over")}
        )  # fmt: skip
    return pd.DataFrame(rows)


def kept(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a file holds, made first where there is none."""
    if not file.exists():
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps(make()), encoding="utf-8")
    return json.loads(file.read_text("utf-8"))


def undisturbed(folder: Path, command: Command) -> dict[str, Any]:
    """Run a command to its end."""
    place = folder / f"{command.name} alone"
    shutil.rmtree(place, ignore_errors=True)
    seconds = end(start(command, place))
    return {"seconds": seconds, "result": command.result(place)}


def killed(folder: Path, command: Command, alone: dict[str, Any], seed: int, k: int) -> dict[str, Any]:
    """Kill a command at a random moment, run it to its end and compare."""
    place = folder / f"{command.name} {k}"
    shutil.rmtree(place, ignore_errors=True)
    process = start(command, place)
    time.sleep(random.Random(f"{seed} {command.name} {k}").uniform(0, alone["seconds"]))
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stderr is not None:
        process.stderr.close()
    end(start(command, place))
    same, left = command.result(place) == alone["result"], len(half_written(place))
    if same and not left:
        shutil.rmtree(place)
    return {"killed_running": running, "same": same, "left_over": left}


def all_commands(folder: Path) -> list[Command]:
    """Return the commands, on patients that lie in a folder."""
    table, export = str(folder / "cohort" / "cohort.csv"), str(folder / "export")
    few = ["--epochs", "1", "--size", "12", "--spacing", "24", "--device", "cpu", "--quiet"]
    compare = ["--models", "lab,pet,baseline_lab", "--repeats", "1", "--folds", "2", "--jobs", "1"]

    def compared(out: Path) -> list[str]:
        return [
            "-c",
            _CLI,
            "compare",
            table,
            "--out",
            str(out / "run"),
            "--cache-dir",
            str(out / "cache"),
            *compare,
            *few,
        ]

    def pretrained(out: Path) -> list[str]:
        return [
            "-c",
            _CLI,
            "pretrain",
            table,
            "--out",
            str(out / "w.safetensors"),
            "--cache-dir",
            str(out / "cache"),
            *few,
        ]

    return [
        Command("compare", compared, files("run/*.csv", "run/figures/*.svg")),
        Command(
            "ingest",
            lambda out: ["-c", _INGEST, export, str(out / "cohort")],
            files("cohort/**/*.nii.gz", "cohort/*.csv"),
        ),
        Command("pretrain", pretrained, files("w.safetensors")),
        Command("save", lambda out: ["-c", _SAVE, str(out)], predictions),
    ]


def start(command: Command, place: Path) -> subprocess.Popen[bytes]:
    """Start a command that writes into a folder of its own."""
    place.mkdir(exist_ok=True)
    environment = os.environ | {"PRRT_CACHE_DIR": str(place / "cache"), "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [sys.executable, *command.arguments(place)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def end(process: subprocess.Popen[bytes]) -> float:
    """Wait for a command and return its seconds."""
    started = time.monotonic()
    _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"a command ended with {process.returncode}: {said.decode(errors='replace')[-500:]}")
    return time.monotonic() - started


def files(*patterns: str) -> Callable[[Path], str]:
    """Return a function that gives the digests of files of a folder."""

    def digests(folder: Path) -> str:
        found = sorted({file for pattern in patterns for file in folder.glob(pattern) if not file.name.startswith(".")})
        if not found:
            raise RuntimeError(f"no file of {patterns} in {folder}")
        return "\n".join(
            f"{file.relative_to(folder)} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in found
        )

    return digests


def predictions(folder: Path) -> str:
    """Return the predictions of a saved model, and that its card lies beside it."""
    card = (folder / "model.prrt.md").read_text("utf-8")
    digest = hashlib.sha256((folder / "model.prrt").read_bytes()).hexdigest()
    table = pd.DataFrame({"cga": range(40), "ast": [k % 7 for k in range(40)]}).astype(float)
    return f"{load_model(folder / 'model.prrt').predict_proba(table).tobytes().hex()} {digest in card}"


def half_written(folder: Path) -> list[Path]:
    """Return files that a killed process left."""
    return [file for file in folder.rglob(".*") if file.name != ".lock"]


if __name__ == "__main__":
    sys.exit(main())
