"""Commands that are killed at a random moment and started again: do they end with the same bytes, and leave nothing behind?

Run from the root of the repository::

    python benchmarks/kills.py --kills 50 --work build/kills --out docs/kills.csv

Each of comparing, ingesting, pretraining and saving runs once to its end. Then it is started in a new folder, killed
(SIGKILL) at a random moment of that time, and started again. What counts as result must be byte for byte that of the
undisturbed run (for a saved model, whose parts hold numbers of the process that wrote them: its predictions bit for bit),
and no half-written file may be left in the folder or in the cache. What is done is kept in the folder of `--work`, so that the
same command resumes.

Each command runs in a process of its own, forked from one that has imported everything: what is interrupted is the work, not the
imports. Needs a system that forks.
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
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
from _common import give, print_machine

from prrt_estimators import FusionPFSClassifier, LabPFSClassifier, cli, load_cohort, load_model, save_model
from prrt_estimators._io import atomic_write
from prrt_estimators.datasets import make_cohort_folder
from prrt_estimators.ingest import ingest
from prrt_estimators.model_selection import compare_models
from prrt_estimators.plotting import save_figure


@dataclass(frozen=True)
class Command:
    """One command that is killed.

    Parameters
    ----------
    name : str
    run : callable
        From the folder of the patients and the folder that it writes into to nothing.
    result : callable
        From that folder to a text that must be the same however often the command was killed.
    """

    name: str
    run: Callable[[Path, Path], None]
    result: Callable[[Path], str]


def main() -> int:
    """Kill, start again, compare; print and write the table; return 1 if anything differs or is left over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="of all commands together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "prrt-kills")
    parser.add_argument("--out", type=Path, help="CSV file for the table")
    parser.add_argument("--starter", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.starter:
        start_on_request()
        return 0
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
        make_cohort_folder(folder / "cohort", 12, "nifti", volume_shape=12, random_state=0)
        make_cohort_folder(folder / "export", 2, "dicom", volume_shape=12, ct_shape=16, random_state=0)
        (folder / "export" / "key").write_bytes(bytes(range(32)))
    # Another order of what is hashed in the process that is undisturbed and in those that are killed.
    with Starter(folder, hash_seed=1) as starter:
        alone = {
            command.name: kept(folder / f"{command.name}.json", lambda command=command: undisturbed(starter, command))
            for command in COMMANDS
        }
    rows = []
    with Starter(folder, hash_seed=2) as starter:
        for position, command in enumerate(COMMANDS):
            undisturbed_run = alone[command.name]
            number = kills // len(COMMANDS) + (position < kills % len(COMMANDS))
            found = [
                kept(
                    folder / f"{command.name} {k}.json",
                    lambda k=k, command=command, undisturbed_run=undisturbed_run: killed(
                        starter, command, undisturbed_run, seed, k
                    ),
                )
                for k in range(number)
            ]
            rows.append(
                {"command": command.name, "seconds": round(undisturbed_run["seconds"], 1), "kills": number}
                | {name: sum(one[name] for one in found) for name in ("killed_running", "same", "left_over")}
            )
    return pd.DataFrame(rows)


def kept(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a file holds, made first where there is none."""
    if not file.exists():
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps(make()), encoding="utf-8")
    return json.loads(file.read_text("utf-8"))


def undisturbed(by: Starter, command: Command) -> dict[str, Any]:
    """Run a command to its end."""
    place = by.folder / f"{command.name} alone"
    shutil.rmtree(place, ignore_errors=True)
    # The first run in a process also makes what later ones find made, such as the list of fonts.
    by.start(command, place)
    by.wait()
    shutil.rmtree(place)
    started = time.monotonic()
    by.start(command, place)
    by.wait()
    return {"seconds": time.monotonic() - started, "result": command.result(place)}


def killed(by: Starter, command: Command, alone: dict[str, Any], seed: int, k: int) -> dict[str, Any]:
    """Kill a command at a random moment, run it to its end and compare."""
    place = by.folder / f"{command.name} {k}"
    shutil.rmtree(place, ignore_errors=True)
    process = by.start(command, place)
    time.sleep(random.Random(f"{seed} {command.name} {k}").uniform(0, alone["seconds"]))
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        running = False
    else:
        running = True
    by.wait(may_be_killed=True)
    by.start(command, place)
    by.wait()
    same, left = command.result(place) == alone["result"], len(half_written(place))
    if same and not left:
        shutil.rmtree(place)
    return {"killed_running": running, "same": same, "left_over": left}


class Starter:
    """A process that has imported everything and forks one that runs a command.

    Parameters
    ----------
    folder : path
        Of the patients.
    hash_seed : int
        For the order of sets.
    """

    def __init__(self, folder: Path, hash_seed: int):
        self.folder = folder
        self.errors = open(folder / "errors.txt", "w+b")  # noqa: SIM115 - closed by __exit__
        environment = os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--starter"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, text=True,
        )  # fmt: skip

    def __enter__(self) -> Starter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self.process, self.errors:  # which ends with its input
            assert self.process.stdin is not None
            self.process.stdin.close()

    def start(self, command: Command, place: Path) -> int:
        """Start a command that writes into a folder of its own, and return the number of its process."""
        assert self.process.stdin is not None
        place.mkdir(exist_ok=True)
        self.process.stdin.write(json.dumps([command.name, str(self.folder), str(place)]) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def wait(self, *, may_be_killed: bool = False) -> None:
        """Wait for the command that runs."""
        code = self._answer()
        if code and not (may_be_killed and code == -signal.SIGKILL):
            self.errors.seek(0)
            said = self.errors.read().decode(errors="replace")
            raise RuntimeError(f"a command ended with {code}: {said[-500:]}")

    def _answer(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


def start_on_request() -> None:
    """Fork a process for each line that comes in; answer its number, and its exit code when it ends."""
    commands = {command.name: command for command in COMMANDS}
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        name, folder, place = json.loads(line)
        child = os.fork()
        if not child:
            code = 1
            try:
                warnings.simplefilter("ignore")
                os.environ["PRRT_CACHE_DIR"] = f"{place}/cache"
                commands[name].run(Path(folder), Path(place))
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(child, file=answers, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


def run_compare(folder: Path, out: Path) -> None:
    """Compare three models, and draw one figure."""
    X, y = load_cohort(folder / "cohort" / "cohort.csv", return_X_y=True)
    few = {"max_epochs": 2, "size": 8, "spacing": 24.0, "embedding": 4, "device": "cpu", "random_state": 0}
    models = {
        "forest": LabPFSClassifier(n_estimators=10, random_state=0),
        "logistic": LabPFSClassifier(model="logistic", random_state=0),
        "pet": FusionPFSClassifier(modalities=["pet"], cache_dir=out / "cache", **few),
    }
    result = compare_models(models, X, y, cv=2, out=out / "run", n_jobs=1, verbose=0)
    save_figure(result.plot().figure_, out / "run" / "figures" / "scores")


def run_ingest(folder: Path, out: Path) -> None:
    """Ingest an export."""
    export = folder / "export"
    ingest(export / "dicom", export / "clinical.xlsx", out / "cohort", key_file=export / "key", n_jobs=1, verbose=False)


def run_pretrain(folder: Path, out: Path) -> None:
    """Pretrain networks by the command of the shell."""
    few = ["--epochs", "2", "--size", "12", "--spacing", "24", "--device", "cpu", "--quiet"]
    table = str(folder / "cohort" / "cohort.csv")
    sys.argv = [
        "prrt",
        "pretrain",
        table,
        "--out",
        str(out / "w.safetensors"),
        "--cache-dir",
        str(out / "cache"),
        *few,
    ]
    cli.main()


def run_save(_: Path, out: Path) -> None:
    """Save a model five times."""
    X, y = pd.DataFrame({"cga": np.arange(40.0), "ast": np.arange(40.0) % 7}), np.arange(40) % 2
    model = LabPFSClassifier(n_estimators=10, random_state=0).fit(X, y)
    for _ in range(5):
        save_model(model, out / "model.prrt", X=X, y=y)


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


COMMANDS = (
    Command("compare", run_compare, files("run/*.csv", "run/figures/*")),
    Command("ingest", run_ingest, files("cohort/**/*.nii.gz", "cohort/*.csv")),
    Command("pretrain", run_pretrain, files("w.safetensors")),
    Command("save", run_save, predictions),
)


if __name__ == "__main__":
    sys.exit(main())
