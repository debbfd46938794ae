"""Warnings in threads: each hears its own, and nothing of it is left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings

import pandas as pd
import pytest

from prrt_estimators import LabPFSClassifier, load_model, save_model
from prrt_estimators._captured_warnings import captured_warnings, tell_again


def state():
    """Return what of the process `captured_warnings` changes."""
    return [repr(one) for one in warnings.filters], warnings.showwarning


def test_two_threads_that_overlap_hear_their_own_and_leave_nothing():
    before = state()
    first_in, second_in, first_out = (threading.Event() for _ in range(3))
    heard = {}

    def first():
        with captured_warnings() as mine:
            first_in.set()
            assert second_in.wait(20)
            warnings.warn("of the first", UserWarning, stacklevel=1)
        heard["first"] = [str(one.message) for one in mine]
        first_out.set()

    def second():
        assert first_in.wait(20)
        with captured_warnings() as mine:
            second_in.set()
            assert first_out.wait(20)
            warnings.warn("of the second", UserWarning, stacklevel=1)
        heard["second"] = [str(one.message) for one in mine]

    threads = [threading.Thread(target=one) for one in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert heard == {"first": ["of the first"], "second": ["of the second"]}
    assert state() == before


def test_nested_lists_hear_the_inner_warnings_once():
    with captured_warnings() as outer:
        with captured_warnings() as inner:
            warnings.warn("inside", UserWarning, stacklevel=1)
        warnings.warn("outside", UserWarning, stacklevel=1)
    assert [str(one.message) for one in inner] == ["inside"]
    assert [str(one.message) for one in outer] == ["outside"]


def test_it_is_set_back_after_an_error():
    before = state()
    with pytest.raises(RuntimeError), captured_warnings():
        raise RuntimeError
    assert state() == before


def test_warnings_are_told_again_but_for_some():
    with captured_warnings() as heard:
        warnings.warn("kept", UserWarning, stacklevel=1)
        warnings.warn("dropped", FutureWarning, stacklevel=1)
    with pytest.warns(UserWarning, match="kept") as told:
        tell_again(heard, but=(FutureWarning,))
    assert len(told) == 1


@pytest.fixture
def saved(tmp_path):
    table = pd.DataFrame({"a": range(8), "b": [3.0, 1, 4, 1, 5, 9, 2, 6]})
    return save_model(LabPFSClassifier(n_estimators=3, random_state=0).fit(table, [0, 1] * 4), tmp_path / "m.prrt")


def in_threads(count, task):
    threads = [threading.Thread(target=task) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_models_loaded_in_threads_leave_the_filters_as_they_were(saved):
    before = state()
    in_threads(6, lambda: load_model(saved))
    assert state() == before


def test_models_are_tried_one_at_a_time(saved, monkeypatch):
    """Forests empty the filters of the whole process while they predict, and must not meet."""
    both, met = threading.Barrier(2), []

    def meet(*_):
        try:
            both.wait(1)
        except threading.BrokenBarrierError:
            return
        met.append(True)

    monkeypatch.setattr("prrt_estimators.persistence._load.probe_difference", meet)
    in_threads(2, lambda: load_model(saved))
    assert not met


_NOTEBOOK = """
import sys, types, warnings
warnings.simplefilter("always")
{first}
for name in ("ipywidgets", "IPython.html", "IPython.html.widgets"):
    sys.modules[name] = None
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace(config={{"IPKernelApp": 1}}))
sys.modules["ipykernel.zmqshell"] = types.SimpleNamespace()  # what newer versions of tqdm look for
import tqdm.auto
"""


def test_a_notebook_without_widgets_hears_nothing_of_bars():
    said = {}
    for first in ("", "import prrt_estimators"):
        done = subprocess.run(
            [sys.executable, "-c", _NOTEBOOK.format(first=first)], capture_output=True, text=True, check=True
        )
        said[first] = done.stderr
    assert "TqdmWarning" in said[""]
    assert said["import prrt_estimators"] == ""
