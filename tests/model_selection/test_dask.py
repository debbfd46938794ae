"""A cluster of processes of their own: the same numbers as on one machine, and it is alive afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from dask_helpers import Waiting
from sklearn.linear_model import LogisticRegression

from prrt_estimators import Cohort
from prrt_estimators.model_selection import _dask as ours
from prrt_estimators.model_selection import compare_models

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Sending large graph:UserWarning"),
]
#: Workers import the models of the tests from there.
HELPERS = Path(__file__).resolve().parents[1] / "helpers"


class Cluster:
    """A scheduler and workers, each a process started from the command line."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.workers: dict[str, subprocess.Popen] = {}
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.client = None

    def _start(self, *words: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(self.file)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, cwd=self.folder, env=os.environ | {"PYTHONPATH": str(HELPERS)}, **quiet)

    def add(self, name: str, threads: int = 1) -> None:
        options = [
            "--nthreads",
            str(threads),
            "--no-nanny",
            "--no-dashboard",
            "--name",
            name,
            "--local-directory",
            name,
        ]
        self.workers[name] = self._start("worker", *options)

    def connect(self, n: int):
        while not self.file.exists():
            assert self.scheduler.poll() is None
            time.sleep(0.05)
        self.client = distributed.Client(scheduler_file=str(self.file), timeout=120)
        self.client.wait_for_workers(n, timeout=300)
        return self.client

    def close(self) -> None:
        if self.client is not None:
            self.client.close()
        for process in [*self.workers.values(), self.scheduler]:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("cluster"))
    started.add("first")
    started.add("second")
    started.connect(2)
    yield started
    started.close()


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 1], 15)
    return rng.normal(size=(45, 3)) + y[:, None], y


def test_a_worker_dies_another_joins_and_the_numbers_are_those_of_one_machine(cluster, data, tmp_path):
    (tmp_path / "marks").mkdir()
    there = {"waiting": Waiting(str(tmp_path / "marks"))}
    held, finished = {}, threading.Event()

    def watch():
        while not (started := list((tmp_path / "marks").glob("started-*"))):
            if finished.wait(0.05):
                return
        pid = int(started[0].name.partition("-")[2])
        name = next(name for name, process in cluster.workers.items() if process.pid == pid)
        cluster.workers.pop(name).kill()
        held["killed"] = name
        cluster.add("third")
        (tmp_path / "marks" / "go").touch()

    thread = threading.Thread(target=watch)
    thread.start()
    found = compare_models(there, *data, cv=3, client=cluster.client, out=tmp_path / "on_dask", verbose=0)
    finished.set()
    thread.join()
    assert held["killed"]
    local = compare_models({"waiting": Waiting()}, *data, cv=3, threads=1, verbose=0)
    pd.testing.assert_frame_equal(found.predictions, local.predictions, check_exact=True)
    pd.testing.assert_frame_equal(found.scores, local.scores, check_exact=True)
    assert cluster.client.submit(sum, [1, 2]).result(timeout=120) == 3  # the cluster is alive
    written = "".join(path.read_text() for path in (tmp_path / "on_dask").rglob("*.json"))
    assert "tcp://" not in written
    assert not list((tmp_path / "on_dask").glob(".seen-*"))


def test_a_model_that_fails_names_itself_and_the_others_finish(cluster, data):
    models = {"good": LogisticRegression(), "bad": LogisticRegression(C=-1.0)}
    found = compare_models(models, *data, cv=3, client=cluster.client, verbose=0)
    assert found.summary()["status"].to_dict() == {"good": "ok", "bad": "failed"}


def test_a_joblib_context_on_the_cluster_gives_the_same_and_ends_nobody(cluster, data):
    local = compare_models({"lr": LogisticRegression()}, *data, cv=3, threads=1, verbose=0)
    with joblib.parallel_config("dask", client=cluster.client, n_jobs=2):
        found = compare_models({"lr": LogisticRegression()}, *data, cv=3, threads=1, verbose=0)
    pd.testing.assert_frame_equal(found.predictions, local.predictions, check_exact=True)
    assert cluster.client.submit(sum, [1, 2]).result(timeout=120) == 3


def test_what_makes_a_cluster_unfit_is_named_before_the_first_fold(cluster, data, tmp_path, monkeypatch):
    X, y = data
    big = Cohort({"pet": np.zeros((45, 1, 2, 2, 2), dtype=np.float32)})
    monkeypatch.setattr(ours, "MAX_SENT", 100)
    with pytest.raises(ours.ClusterError, match="Write them to files"):
        compare_models({"lr": LogisticRegression()}, big, y, cv=3, client=cluster.client, verbose=0)
    monkeypatch.undo()
    here = ours.versions()
    monkeypatch.setattr(ours, "versions", lambda: here | {"numpy": "0.1"})
    with pytest.raises(ours.ClusterError) as caught:
        compare_models({"lr": LogisticRegression()}, X, y, cv=3, client=cluster.client, verbose=0)
    assert len(caught.value.problems) == len(cluster.client.scheduler_info()["workers"])
    assert "instead of 0.1" in caught.value.problems[0]
    monkeypatch.undo()
    cluster.add("wide", threads=2)
    cluster.client.wait_for_workers(3, timeout=300)
    with pytest.raises(ours.ClusterError, match="worker wide has 2 threads"):
        compare_models({"lr": LogisticRegression()}, X, y, cv=3, client=cluster.client, verbose=0)
    cluster.workers.pop("wide").kill()


def test_scans_that_a_worker_does_not_see_are_named_by_patient(nifti_cohort):
    X, _ = nifti_cohort(3)
    stamps = ours.scan_stamps(X)
    assert len(stamps) == 6
    assert all(stamp is not None for _, stamp in stamps)
    paths = [path for path, _ in stamps]
    os.unlink(paths[1])

    class Client:
        def scheduler_info(self, **_):
            return {"workers": {"tcp://a": {"nthreads": 1, "name": "w"}}}

        def run(self, function, *arguments):
            return {"tcp://a": function(*arguments)}

    assert ours.check_workers(Client(), X[[0, 2]], None) is False
    stale = ours.look_around
    assert stale(paths, None)["scans"][1] is None
