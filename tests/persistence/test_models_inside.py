"""Models that hold models are saved with them, each as it would be alone."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from prrt_estimators import Cohort, load_model, save_model
from prrt_estimators._survival import as_survival
from prrt_estimators.estimators import (
    BlockFusionPFSSurvival,
    LabBaselineSurvival,
    LabPFSSurvival,
    LateFusionPFSSurvival,
    PETPFSSurvival,
)
from prrt_estimators.exceptions import SavedModelError
from prrt_estimators.persistence import read_model_card
from prrt_estimators.persistence._configuration import made_of, parameters_as_data
from prrt_estimators.persistence._container import pack, unpack

N = 30


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    lab = pd.DataFrame({"CgA": rng.lognormal(5, 1, N), "AST": rng.lognormal(3.4, 0.3, N)})
    lab["ALT"], lab["sex"] = rng.lognormal(3.4, 0.3, N), np.tile(["f", "m"], N // 2)
    months = 15 * rng.exponential(size=N) * (150 / lab["CgA"].to_numpy())
    y = as_survival((months < 40, np.minimum(months, 40.0)))
    return Cohort({"pet": rng.random((N, 1, 8, 8, 8)), "lab": lab}, survival=y), y


@pytest.fixture(scope="module")
def model(data):
    inside = {
        "lab": LabPFSSurvival(),
        "pet": PETPFSSurvival(size=8, max_epochs=1, random_state=0, device="cpu"),
        "all/of it": BlockFusionPFSSurvival(prior="published", blocks=("labs",)),
    }
    return LateFusionPFSSurvival(estimators=inside, cv=2, random_state=0).fit(*data)


def test_it_predicts_the_same_without_anything_of_training(model, data, tmp_path):
    X, _ = data
    file = save_model(model, tmp_path / "late.prrt")
    back = load_model(file)
    np.testing.assert_array_equal(back.predict(X), model.predict(X))
    times = [0.0, 6.0, 12.0, 30.0]
    np.testing.assert_array_equal(back.predict_survival_function(X, times), model.predict_survival_function(X, times))
    np.testing.assert_array_equal(back.predict_median(X), model.predict_median(X))
    assert list(back.models_) == ["lab", "pet", "all/of it"]
    assert {name: type(one) for name, one in back.estimators.items()} == {
        name: type(one) for name, one in model.estimators.items()
    }
    assert back.estimators["pet"].get_params()["size"] == 8
    assert back.weights_ == model.weights_
    lacking = Cohort({"lab": X["lab"]})
    np.testing.assert_array_equal(back.predict(lacking), model.predict(lacking))
    # A file of a file is the same file, apart from the day.
    assert set(unpack(save_model(back, tmp_path / "again.prrt"))) == set(unpack(file))


def test_the_card_says_what_it_reads(model, tmp_path):
    card = read_model_card(save_model(model, tmp_path / "late.prrt"))
    assert "4 columns of the table: `CgA`, `AST`, `ALT`, `sex`" in card
    assert "when progression" in card
    assert "BlockFusionPFSSurvival" in card
    assert model._reads == ("lab", "pet")


def test_one_made_of_a_table_reads_the_table_alone(data, tmp_path):
    X, y = data
    table = X["lab"]
    fitted = LateFusionPFSSurvival(estimators={"lab": LabPFSSurvival(), "markers": LabBaselineSurvival()}, cv=2)
    back = load_model(save_model(fitted.fit(table, y), tmp_path / "late.prrt", X=table, y=y))
    np.testing.assert_array_equal(back.predict(table), fitted.predict(table))
    assert back._reads == ("lab",)
    assert back._table_columns == list(table.columns)


class Constant(BaseEstimator):
    """A model of somebody else."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.zeros(len(X))


def test_a_model_of_others_is_refused_before_a_file_is_there(data, tmp_path):
    fitted = LateFusionPFSSurvival(estimators={"lab": LabPFSSurvival(), "own": Constant()}, cv=2).fit(*data)
    with pytest.raises(TypeError, match=r"Constant.*cannot be saved as data"):
        save_model(fitted, tmp_path / "late.prrt")
    assert not list(tmp_path.iterdir())


def changed(file, change):
    """Write a file anew, its digests right, with what lies in it changed."""
    parts = unpack(file)
    config = json.loads(parts["model.json"])
    change(config)
    file.write_bytes(pack({**parts, "model.json": json.dumps(config).encode()}))
    return file


def test_what_is_inside_is_held_to_the_same_rules(model, tmp_path):
    file = save_model(model, tmp_path / "late.prrt")
    with pytest.raises(SavedModelError, match="holds a SystemExit, which this version does not know"):
        load_model(changed(file, lambda config: config["models"][0].update({"class": "SystemExit"})))
    file = save_model(model, tmp_path / "other.prrt")
    with pytest.raises(SavedModelError, match="no fit learns"):
        load_model(changed(file, lambda config: config["models"][0]["fitted"].update({"fit": 1})))


def test_a_parameter_inside_names_no_path(tmp_path):
    inside = PETPFSSurvival(cache_dir=tmp_path, weights=str(tmp_path / "w.safetensors"))
    params = parameters_as_data(LateFusionPFSSurvival(estimators={"pet": inside}))
    assert str(tmp_path) not in json.dumps(params)
    params["estimators"]["__dict__"][0][1]["__estimator__"]["params"] |= {"cache_dir": "/somewhere", "weights": "/w"}
    made = made_of({"class": "LateFusionPFSSurvival", "params": params}, {}, "a file").estimators["pet"]
    assert (made.cache_dir, made.weights) == (None, None)


def test_more_parts_than_a_file_is_read_with_are_not_written():
    with pytest.raises(ValueError, match="at most 126"):
        pack({f"{k}": b"" for k in range(127)})
    assert pack({f"{k}": b"" for k in range(126)})


def test_the_parts_lie_under_the_number_of_their_model(model, tmp_path):
    names = zipfile.ZipFile(save_model(model, tmp_path / "late.prrt")).namelist()
    assert "model1.weights.safetensors" in names
    assert "model0.preprocessor_.skops" in names
    assert not any("/" in name for name in names)
