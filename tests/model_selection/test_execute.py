"""Workers: many at once give the same numbers as one, and a dead one is not the end."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed
from joblib.parallel import ThreadingBackend
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from prrt_estimators.exceptions import ResultsWarning
from prrt_estimators.model_selection import compare_models
from prrt_estimators.model_selection._environment import fixed_threads


class Unsendable(LogisticRegression):
    """Cannot travel to a worker."""

    def __reduce__(self):
        raise TypeError("holds a lock")


class Deadly(ClassifierMixin, BaseEstimator):
    """Takes its process along, as running out of memory does."""

    def fit(self, X, y):
        if os.environ.get(SPARED) == str(os.getpid()):
            raise RuntimeError("this test would end the test run")
        os._exit(1)

    def predict_proba(self, X):
        raise NotImplementedError


#: Names the process of the tests in its environment: a worker that imports this file cannot tell otherwise.
SPARED = "PROCESS_OF_THE_TESTS"
# Workers cannot import this file.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 1], 15)
    return rng.normal(size=(45, 3)) + y[:, None], y


def test_two_jobs_give_what_one_gives(data):
    models = {"a": RandomForestClassifier(n_estimators=5), "b": LogisticRegression()}
    one, two = (compare_models(models, *data, cv=3, n_jobs=n_jobs, verbose=0) for n_jobs in (1, 2))
    pd.testing.assert_frame_equal(one.scores, two.scores, check_exact=True)
    pd.testing.assert_frame_equal(one.predictions, two.predictions, check_exact=True)
    assert (one.run["n_jobs"], two.run["n_jobs"]) == (1, 2)


def test_a_worker_that_dies_costs_its_own_model_only(data, tmp_path, monkeypatch):
    monkeypatch.setenv(SPARED, str(os.getpid()))
    models = {"a": LogisticRegression(), "deadly": Deadly(), "b": LogisticRegression(C=0.1)}
    comparison = compare_models(models, *data, cv=2, n_jobs=2, out=tmp_path, verbose=0)
    assert comparison.status["status"].tolist() == ["ok", "failed", "ok"]
    assert "memory" in comparison.status["reason"][1]
    assert comparison.scores["model"].tolist() == ["a"] * 2 + ["b"] * 2


def test_an_interrupted_comparison_leaves_later_work_of_joblib_alone(data, monkeypatch):
    """Whoever keeps the traceback keeps the generator; joblib ends its workers, which all share, when that is forgotten."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("prrt_estimators.model_selection._compare.ComparisonProgress.fold", interrupt)
    kept = []
    try:
        compare_models({"a": LogisticRegression()}, *data, cv=6, n_jobs=2, verbose=0)
    except KeyboardInterrupt as error:
        kept.append(error)
    assert kept

    def forget():
        kept.clear()
        gc.collect()

    timer = threading.Timer(0.5, forget)
    timer.start()
    assert Parallel(n_jobs=2)(delayed(time.sleep)(0.4) for _ in range(6)) == [None] * 6
    timer.join()


def test_a_model_that_cannot_be_sent_costs_its_own_folds_only(data):
    models = {"a": LogisticRegression(), "unsendable": Unsendable(), "b": LogisticRegression(C=0.1)}
    comparison = compare_models(models, *data, cv=3, n_jobs=2, verbose=0)
    assert comparison.status["status"].tolist() == ["ok", "failed", "ok"]
    assert "cannot be sent to a worker process (TypeError: holds a lock)" in comparison.status["reason"][1]


def test_resuming_with_other_jobs_keeps_the_threads_of_the_run(data, tmp_path):
    first = compare_models({"a": LogisticRegression()}, *data, cv=3, n_jobs=1, threads=3, out=tmp_path, verbose=0)
    models = {"a": LogisticRegression(), "b": LogisticRegression(C=0.1)}
    again = compare_models(models, *data, cv=3, n_jobs=64, out=tmp_path, verbose=0)
    assert first.run["threads_per_fold"] == again.run["threads_per_fold"] == 3
    assert {fold["threads"] for one in again.run["models"].values() for fold in one["folds"]} == {3}


class LikeRay(ThreadingBackend):
    """Ray's backend is one of joblib's own by inheritance, and answers only when all calls are done."""

    supports_return_generator = False


@pytest.fixture(params=["like ray", "multiprocessing", "threading"])
def backend(request):
    joblib.register_parallel_backend("like ray", LikeRay)
    return request.param


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # newer Pythons warn of forks beside threads
def test_any_backend_gives_what_one_process_gives(backend, data):
    models = {"a": LogisticRegression(), "b": RandomForestClassifier(5, random_state=0)}
    alone = compare_models(models, *data, cv=3, n_jobs=1, threads=1, verbose=0)
    with joblib.parallel_config(backend, n_jobs=2):
        found = compare_models(models, *data, cv=3, n_jobs=2, threads=1, verbose=0)
    pd.testing.assert_frame_equal(found.predictions, alone.predictions, check_exact=True)


def test_no_worker_is_started_that_has_no_fold(data, monkeypatch):
    asked = []

    def in_this_process(n_jobs, **options):
        asked.append(n_jobs)
        return Parallel(n_jobs=1, **options)

    monkeypatch.setattr("prrt_estimators.model_selection._execute.Parallel", in_this_process)
    for n_jobs in (64, 2, 1):
        compare_models({"a": LogisticRegression()}, *data, cv=3, n_jobs=n_jobs, verbose=0)
    assert asked == [3, 2, 1]


def test_resuming_with_other_threads_warns(data, tmp_path):
    compare_models({"a": LogisticRegression()}, *data, cv=3, threads=1, out=tmp_path, verbose=0)
    with pytest.warns(ResultsWarning, match="thread"):
        again = compare_models({"a": LogisticRegression()}, *data, cv=3, threads=2, out=tmp_path, verbose=0)
    assert again.run["threads_per_fold"] == 2


def test_threads_are_fixed_and_given_back():
    import torch

    before = torch.get_num_threads()
    with fixed_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        assert os.environ["OMP_NUM_THREADS"] == str(before + 1)
    assert torch.get_num_threads() == before
