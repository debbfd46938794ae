"""The benchmark of shapes: its two parts are kept apart, and its folds are those of the training part."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def adrenal():
    """Return the benchmark as a module."""
    spec = importlib.util.spec_from_file_location("adrenal", FOLDER / "adrenal.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data(tmp_path):
    """Write blocks of two sizes, 12 to train on, in the form of MedMNIST; the validation part is not even readable."""
    y = np.tile([0, 1], 6)
    X = np.zeros((12, 8, 8, 8), dtype=np.uint8)
    for volume, label in zip(X, y, strict=True):
        volume[2 : 5 + label, 2:6, 2:6] = 255
    nothing = np.array(["no", "numbers"])
    path = tmp_path / "data.npz"
    np.savez(path, train_images=X, train_labels=y[:, None], val_images=nothing, val_labels=nothing)
    return path


def run(adrenal, monkeypatch, path, docs, *words):
    monkeypatch.setattr(sys, "argv", ["adrenal.py", "--data", str(path), "--docs", str(docs), *words])
    adrenal.main()


def test_folds_never_read_the_validation_part(adrenal, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(adrenal, "CTPFSClassifier", lambda **settings: Thickness(settings))
    run(adrenal, monkeypatch, data, tmp_path, "--folds", "3", "--seeds", "2", "--voxels", "8", "4")
    table = pd.read_csv(tmp_path / "adrenal_folds.csv")
    assert table["voxels"].tolist() == [8, 8, 8, 4, 4, 4]
    assert table["fold"].tolist() == [0, 1, 2, 0, 1, 2]
    assert (table["models"] == 2).all()
    assert (table[["auroc", "auroc_of_mean"]] == 1.0).all(axis=None)
    assert not (tmp_path / "adrenal.csv").exists()
    with pytest.raises(ValueError, match="could not convert"):
        run(adrenal, monkeypatch, data, tmp_path, "--voxels", "8")


def test_every_row_is_predicted_by_models_that_never_saw_it(adrenal, data, monkeypatch):
    seen = []
    monkeypatch.setattr(adrenal, "CTPFSClassifier", lambda **settings: Thickness(settings, seen))
    X, y = adrenal.read_part(data, "train", 8)
    X[:, 0, 0, 0, 0] = np.arange(12)
    adrenal.cross_validate(X, y, 3, 2, {})
    learnt, predicted = seen[::2], seen[1::2]
    assert all(not set(rows) & set(others) for rows, others in zip(learnt, predicted, strict=True))
    assert sorted(row for rows in predicted[::2] for row in rows) == list(range(12))


def test_seeds_differ_and_their_mean_is_of_probabilities(adrenal, data, monkeypatch):
    """Of two models that contradict each other, the mean of probabilities ranks as the more certain one does."""

    class Certain(Thickness):
        def predict_proba(self, X):
            thick = super().predict_proba(X)[:, 1]
            mass = thick if self.seed == 0 else 0.5 + 0.1 * (0.5 - thick)
            return np.column_stack([1 - mass, mass])

    monkeypatch.setattr(adrenal, "CTPFSClassifier", lambda **settings: Certain(settings))
    table = adrenal.cross_validate(*adrenal.read_part(data, "train", 8), 3, 2, {})
    assert (table["auroc"] == 0.5).all()
    assert (table["auroc_of_mean"] == 1.0).all()


def test_volumes_are_averaged_and_not_sampled(adrenal, data):
    whole, _ = adrenal.read_part(data, "train", 8)
    half, _ = adrenal.read_part(data, "train", 4)
    assert half.shape == (12, 1, 4, 4, 4)
    np.testing.assert_allclose(half.mean(axis=(1, 2, 3, 4)), whole.mean(axis=(1, 2, 3, 4)), rtol=1e-6)
    assert set(np.unique(half)) == {0.0, 127.5, 255.0}


def test_the_networks_own_numbers_are_what_the_table_holds(adrenal, data, tmp_path, monkeypatch):
    run(adrenal, monkeypatch, data, tmp_path, "--folds", "2", "--epochs", "1", "--voxels", "8")
    assert not (tmp_path / "adrenal_folds.csv").exists()  # other than the default, so nothing to publish


class Thickness:
    """Takes a thicker block for a mass, and notes the rows that it is shown in the first voxel."""

    def __init__(self, settings, seen=None):
        self.seed, self.seen = settings["random_state"], seen

    def fit(self, X, y):
        self._note(X)
        return self

    def predict_proba(self, X):
        self._note(X)
        mass = (X[:, 0].mean(axis=(1, 2, 3)) > 255 * 56 / 512).astype(float)
        return np.column_stack([1 - mass, mass])

    def _note(self, X):
        if self.seen is not None:
            self.seen.append(X[:, 0, 0, 0, 0].astype(int).tolist())
