"""The benchmarks of the lesion finder: what they count, and that the page holds what they wrote."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """Return a function that imports a benchmark by name."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name: str):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


def test_the_page_is_what_the_benchmark_wrote(benchmark):
    finder = benchmark("lesion_finder")
    page = (finder.DOCS / "lesions.md").read_text("utf-8")
    for name in ("settings", "strata", "definitions", "organs", "sarcomas"):
        table = pd.read_csv(finder.DOCS / f"lesions_{name}.csv", dtype=str, keep_default_na=False)
        assert len(table)
        assert finder.with_table(page, name, table) == page, name


def test_found_missed_and_false_lesions_are_counted(benchmark, monkeypatch):
    finder = benchmark("lesion_finder")

    def perfect(pet, ct, weights):
        truth = phantoms[-1]
        found = truth.lesion.copy()
        found[1] = 0  # no bone on PET
        found[0, 0, 0, 0] = 1.0  # a false lesion
        box = finder.Findings.__dataclass_fields__  # fields are filled below by name
        values = dict.fromkeys(box) | {"box": grid_box(truth), "on_pet": found[:3], "on_ct": found[3:]}
        return finder.Findings(**values)

    phantoms = []
    real = finder.labelled_phantom
    monkeypatch.setattr(finder, "labelled_phantom", lambda *given: phantoms.append(real(*given)) or phantoms[-1])
    monkeypatch.setattr(finder, "find", perfect)
    rows = pd.DataFrame(finder.evaluate("one scanner", 2, None))
    patients, lesions = rows[rows["what"] == "patient"], rows[rows["what"] == "lesion"]
    assert patients[patients["scan"] == "pet"]["false"].tolist() == [1, 1]
    assert patients[patients["scan"] == "ct"]["false"].tolist() == [0, 0]
    np.testing.assert_allclose(patients[patients["scan"] == "ct"]["volume_ratio"], 1.0, rtol=0.1)
    on_pet = lesions[lesions["scan"] == "pet"]
    assert not on_pet[on_pet["site"] == "bone"]["found"].any()
    assert on_pet[on_pet["site"] == "liver"]["found"].all()
    strata = finder.strata(rows, "one scanner").set_index("lesions")
    assert strata.loc["bone", "PET found"] == 0
    assert strata.loc[["liver", "bone", "node"], "PET n"].sum() == len(on_pet)


def grid_box(phantom):
    from prrt_estimators.features._images import Image, working_box

    return working_box(Image(phantom.pet, phantom.grid.affine))


def test_training_resumes_with_the_weights_of_one_run(benchmark, monkeypatch, tmp_path):
    training = benchmark("train_lesion_finder")
    monkeypatch.setattr(training, "STEPS", {"ct": 4})
    monkeypatch.setattr(training, "ct_network", lambda: nn.Linear(2, 1))

    def loss(network, phantoms, step, progress):
        if step == stop:
            raise KeyboardInterrupt
        drawn = torch.from_numpy(np.random.default_rng([0, step]).random((3, 2)).astype(np.float32))
        value = (network(drawn) ** 2).mean()
        return value, [float(value.detach())]

    monkeypatch.setattr(training, "ct_loss", loss)
    monkeypatch.setattr(training, "SAVE_EVERY", 2)
    stop = None
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(nn.Linear, "to", lambda self, **options: self)
    training.train("ct", None, tmp_path / "one")
    stop = 3
    with pytest.raises(KeyboardInterrupt):
        training.train("ct", None, tmp_path / "two")
    stop = None
    training.train("ct", None, tmp_path / "two")
    first, second = ((tmp_path / name / "ct.safetensors").read_bytes() for name in ("one", "two"))
    assert first == second


def test_a_crop_leaves_out_slices_whole(benchmark):
    training = benchmark("train_lesion_finder")
    part = {key: np.ones((*shape[:-3], *training.PATCH), np.float32) for key, (_, shape) in training.KEYS.items()}
    training._cut_field(part, np.random.default_rng(0))
    empty = (part["pet"] == 0).all(axis=(0, 1))
    assert 0 < empty.sum() < training.PATCH[2] // 2
    assert (part["ct"][..., empty] == training.NO_CT).all()
    assert (part["lesion"][..., empty] == 0).all()
    assert (part["lesion"][..., ~empty] == 1).all()
