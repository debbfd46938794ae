"""A fit is the same beside other fits and inside the modes of its caller, and leaves both as they were."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch

from prrt_estimators import Cohort, FusionPFSClassifier, LabPFSClassifier, PETBaselineClassifier, load_model, save_model
from prrt_estimators.estimators import CTPretrainer
from prrt_estimators.model_selection import compare_models

RNG = np.random.default_rng(0)
N = 10
Y = np.arange(N) % 2
X = Cohort(
    {
        "pet": RNG.gamma(2, 1, (N, 1, 8, 8, 8)),
        "ct": RNG.normal(0, 100, (N, 1, 8, 8, 8)),
        "lab": pd.DataFrame({"cga": RNG.lognormal(5, 1, N), "age": RNG.normal(60, 9, N)}),
    }
)


def fusion():
    return FusionPFSClassifier(size=8, max_epochs=2, batch_size=4, random_state=3, device="cpu")


@pytest.fixture(scope="module")
def alone():
    """What a fit gives with nothing else going on."""
    return fusion().fit(X, Y).predict_proba(X)


def state():
    """Return what of the caller a fit could change."""
    return pickle.dumps(
        (
            torch.get_rng_state().numpy().tobytes(),
            np.random.get_state()[1].tobytes(),  # noqa: NPY002
            # Libraries that set filters back spell the same pattern as a text or compiled.
            [re.sub(r"re\.compile\(('[^']*')\)", r"\1", repr(one)) for one in warnings.filters],
            str(torch.get_default_dtype()),
            str(torch.get_default_device()),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.get_num_threads(),
            torch.is_autocast_enabled("cpu"),
            torch.are_deterministic_algorithms_enabled(),
        )
    )


def test_fits_in_threads_are_those_of_one_after_the_other(alone):
    before, found, errors = state(), {}, []
    start = threading.Barrier(3)

    def work(k):
        try:
            start.wait()
            model = (
                fusion() if k < 2 else CTPretrainer(size=8, max_epochs=2, batch_size=4, random_state=0, device="cpu")
            )
            found[k] = model.fit(X, Y).predict_proba(X) if k < 2 else model.fit(X).loss_curve_
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    np.testing.assert_array_equal(found[0], alone)
    np.testing.assert_array_equal(found[1], alone)
    expected = CTPretrainer(size=8, max_epochs=2, batch_size=4, random_state=0, device="cpu").fit(X).loss_curve_
    assert found[2] == expected
    assert state() == before


MODES = {
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "default device": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("mode", MODES)
def test_modes_of_the_caller_change_nothing(mode, alone, tmp_path):
    with MODES[mode]():
        before = state()
        model = fusion().fit(X, Y)
        np.testing.assert_array_equal(model.predict_proba(X), alone)
        np.testing.assert_array_equal(load_model(save_model(model, tmp_path / "m.prrt")).predict_proba(X), alone)
        assert state() == before
    np.testing.assert_array_equal(model.predict_proba(X), alone)


def test_a_default_of_double_precision_changes_nothing(alone, tmp_path):
    torch.set_default_dtype(torch.float64)
    try:
        before = state()
        model = fusion().fit(X, Y)
        np.testing.assert_array_equal(model.predict_proba(X), alone)
        np.testing.assert_array_equal(load_model(save_model(model, tmp_path / "m.prrt")).predict_proba(X), alone)
        pretrainer = CTPretrainer(size=8, max_epochs=1, batch_size=4, random_state=0, device="cpu").fit(X)
        features = pretrainer.transform(X)
        assert state() == before
    finally:
        torch.set_default_dtype(torch.float32)
    again = CTPretrainer(size=8, max_epochs=1, batch_size=4, random_state=0, device="cpu").fit(X)
    np.testing.assert_array_equal(again.transform(X), features)


@pytest.mark.parametrize("setting", [{"enable_metadata_routing": True}, {"transform_output": "pandas"}])
def test_settings_of_scikit_learn_change_no_number(setting, alone):
    weight = np.linspace(1, 2, N)
    models = {"pet": PETBaselineClassifier(), "lab": LabPFSClassifier(n_estimators=5, random_state=0)}
    plain = {name: model.fit(X, Y, sample_weight=weight).predict_proba(X) for name, model in models.items()}
    compared = compare_models(models, X, Y, cv=2, sample_weight=weight, verbose=0)
    with sklearn.config_context(**setting):
        np.testing.assert_array_equal(fusion().fit(X, Y).predict_proba(X), alone)
        for name, model in models.items():
            np.testing.assert_array_equal(model.fit(X, Y, sample_weight=weight).predict_proba(X), plain[name])
        again = compare_models(models, X, Y, cv=2, sample_weight=weight, verbose=0)
    pd.testing.assert_frame_equal(again.scores, compared.scores)
    assert (again.status["status"] == "ok").all()


FORKED = """
import os, sys
import numpy as np, torch
from prrt_estimators import PETPFSClassifier
torch.set_num_threads(2)
X, y = np.random.default_rng(0).random((8, 1, 24, 24, 24), dtype=np.float32) * 5, np.arange(8) % 2
make = lambda: PETPFSClassifier(max_epochs=1, random_state=0, device="cpu")
fitted = make().fit(X, y)
expected = fitted.predict_proba(X)
if os.fork() == 0:
    same = np.allclose(fitted.predict_proba(X), expected, atol=1e-5) and np.isfinite(make().fit(X, y).predict_proba(X)).all()
    os._exit(0 if same else 3)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_child_forked_after_a_fit_answers():
    environment = os.environ | {"OMP_NUM_THREADS": "2", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", FORKED], env=environment, timeout=240, check=False)
    assert done.returncode == 0
