"""A comparison that is killed at any moment ends with the same bytes as one that is left in peace."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from prrt_estimators.cli import app

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")

REPEATS, FOLDS, MODELS = 2, 2, "recommended_labs,baseline_lab"
TABLES = ("scores.csv", "predictions.csv", "summary.csv")


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    pfs = rng.uniform(2, 30, 30)
    frame = pd.DataFrame(
        {"patient_id": [f"P{k}" for k in range(30)], "CgA": 4000 / pfs, "GGT": rng.lognormal(4, 1, 30)}
    )
    frame.assign(pfs_months=pfs, progressed=1).to_csv(tmp_path / "cohort.csv", index=False)
    return tmp_path / "cohort.csv"


def words(table, out):
    return [
        "compare", str(table), "--out", str(out), "--models", MODELS, "--repeats", str(REPEATS), "--folds", str(FOLDS),
        "--jobs", "1", "--no-report", "--quiet",
    ]  # fmt: skip


def start(table, out):
    code = "from prrt_estimators.cli import main; main()"
    with (table.parent / "stderr.txt").open("w") as said:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code, *words(table, out)],
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )


def here(table, out):
    """Run the command to its end in this process, which has the libraries loaded."""
    done = CliRunner().invoke(app, words(table, out))
    assert done.exit_code == 0, done.output


def end(process, table):
    process.wait(timeout=120)
    return (table.parent / "stderr.txt").read_text()


def records(out):
    return {path: path.stat().st_mtime_ns for path in out.glob("folds/*/[0-9]*.json")}


@pytest.mark.filterwarnings("ignore:.*finished fold.* kept")
def test_killed_three_times(table, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as the other processes have it
    here(table, tmp_path / "once")
    out = tmp_path / "killed"
    moments = sorted(random.sample(range(1, REPEATS * FOLDS * 2), 3))
    for moment, blow in zip(moments, (signal.SIGKILL, signal.SIGINT, signal.SIGKILL), strict=True):
        process = start(table, out)
        before = records(out)
        while process.poll() is None and len(records(out)) < moment:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.005)
        process.send_signal(blow)
        said = end(process, table)
        # 0: the last folds ended together, before the blow; -SIGINT: Python itself was still starting
        assert process.returncode in (0, 130, -signal.SIGINT, -signal.SIGKILL), said
        assert "Traceback" not in said or process.returncode == -signal.SIGINT
        assert before.items() <= records(out).items(), f"folds were run again, killed at {moments}"
    here(table, out)
    for name in TABLES:
        assert (out / name).read_bytes() == (tmp_path / "once" / name).read_bytes(), f"{name}, killed at {moments}"
