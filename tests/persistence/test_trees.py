"""Forged forests and forged settings of saved models, and a model that is written without its card."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from saved_model_helpers import forge, forge_config, parts_of
from sklearn.neighbors import KDTree
from sklearn.svm import SVC

from prrt_estimators import FusionPFSClassifier, LabPFSClassifier, load_model, save_model
from prrt_estimators.exceptions import SavedModelError

Y = np.array([0, 1] * 6)
TABLE = pd.DataFrame({"CgA": np.arange(12.0) ** 2 + 3, "AST": 30.0 + Y, "ALT": np.arange(12.0)[::-1] + 9})


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    model = LabPFSClassifier(n_estimators=3, min_samples_leaf=1, random_state=0).fit(TABLE, Y)
    return save_model(model, tmp_path_factory.mktemp("forest") / "model.prrt")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "forged.prrt"


def forged_trees(source, change_arrays=None, change_schema=None):
    """Return the forest's part with one tree changed: its nodes and values, or what its schema says."""
    part = io.BytesIO(parts_of(source)["model_.skops"])
    with zipfile.ZipFile(part) as before:
        content = {name: before.read(name) for name in before.namelist()}
    schema = json.loads(content["schema.json"])
    tree = schema["content"]["content"]["estimators_"]["content"][1]["content"]["content"]["tree_"]
    if change_arrays is not None:
        state = tree["content"]["content"]
        files = [state["nodes"]["file"], state["values"]["file"]]
        nodes, values = (np.load(io.BytesIO(content[file])) for file in files)
        for file, array in zip(files, change_arrays(nodes.copy(), values.copy()), strict=True):
            buffer = io.BytesIO()
            np.save(buffer, array)
            content[file] = buffer.getvalue()
    if change_schema is not None:
        change_schema(tree)
        content["schema.json"] = json.dumps(schema).encode()
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as after:
        for name, value in content.items():
            after.writestr(name, value)
    return {"model_.skops": changed.getvalue()}


def at(field, value):
    def change(nodes, values):
        nodes[field][0] = value
        return nodes, values

    return change


def numbered(text):
    def change(tree):
        tree["content"]["content"]["node_count"]["content"] = text

    return change


def argument(place, text):
    def change(tree):
        tree["__reduce__"]["args"]["content"][place]["content"] = text

    return change


ARRAYS = {
    "a child before the first": at("left_child", -7),
    "a child far behind the last": at("right_child", 10**9),
    "a child that is its own parent": at("left_child", 0),
    "one child only": at("right_child", -1),
    "a column before the first": at("feature", -5),
    "a column behind the last": at("feature", 10**8),
    "no threshold": at("threshold", np.nan),
    "fewer nodes than it says": lambda nodes, values: (nodes[:-1], values),
    "fewer values than nodes": lambda nodes, values: (nodes, values[:-1]),
    "more classes than it says": lambda nodes, values: (nodes, np.repeat(values, 2, axis=2)),
    "values that are none": lambda nodes, values: (nodes, values * np.nan),
    "shares below 0": lambda nodes, values: (nodes, np.stack([values[..., 0] - 1, values[..., 1] + 1], axis=-1)),
    "shares that add up to less": lambda nodes, values: (nodes, values * [1, 0.5]),
    "shares that add up to more": lambda nodes, values: (nodes, values + 1e-3),
    "counts": lambda nodes, values: (nodes, values * 12),
    "no nodes": lambda nodes, values: (nodes[:0], values[:0]),
    "plain numbers for nodes": lambda nodes, values: (np.zeros(len(nodes)), values),
}
SCHEMAS = {
    "more nodes than there are": numbered("100000000"),
    "fewer nodes than none": numbered("-3"),
    "no number of nodes": numbered('"many"'),
    "columns without end": argument(0, "1000000000000"),
    "outputs without end": argument(2, "1000000000"),
    "no output": argument(2, "0"),
    "no arguments": lambda tree: tree.pop("__reduce__"),
}


def test_what_the_helper_packs_is_read(forest, target):
    forged = load_model(forge(target, forest, forged_trees(forest, lambda nodes, values: (nodes, values))))
    np.testing.assert_array_equal(forged.predict_proba(TABLE), load_model(forest).predict_proba(TABLE))


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_tree_that_leads_nowhere_is_refused(kind, forest, target):
    with pytest.raises(SavedModelError, match="a tree that no forest grows"):
        load_model(forge(target, forest, forged_trees(forest, change_arrays=ARRAYS[kind])))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_tree_that_claims_what_it_has_not_is_refused(kind, forest, target):
    with pytest.raises(SavedModelError, match="a tree that no forest grows"):
        load_model(forge(target, forest, forged_trees(forest, change_schema=SCHEMAS[kind])))


def test_a_tree_of_more_columns_than_its_forest(forest, target):
    wide = pd.concat([TABLE, TABLE.add_suffix(" b")], axis=1)
    other = LabPFSClassifier(n_estimators=3, min_samples_leaf=1, random_state=0).fit(wide, Y).model_
    model = load_model(forest).model_
    model.estimators_[1] = other.estimators_[1]
    with pytest.raises(SavedModelError, match="a tree of another forest"):
        load_model(forge(target, forest, {"model_.skops": skops.io.dumps(model)}))


@pytest.mark.parametrize("kind", ["svm", "neighbours"])
def test_compiled_state_that_this_library_does_not_write_is_refused(kind, forest, target):
    other = SVC().fit(TABLE, Y) if kind == "svm" else KDTree(TABLE)
    with pytest.raises(SavedModelError, match="types that save_model does not write"):
        load_model(forge(target, forest, {"model_.skops": skops.io.dumps(other)}))


def test_where_a_model_file_wants_to_write_and_read_is_ignored(target, tmp_path):
    model = FusionPFSClassifier(max_epochs=1, random_state=0, embedding=4, device="cpu").fit(TABLE, Y)
    source = save_model(model, tmp_path / "model.prrt")

    def elsewhere(config):
        config["params"]["cache_dir"] = str(tmp_path / "elsewhere")
        config["params"]["weights"] = {"__dict__": [["ct", str(tmp_path / "spy.safetensors")], ["pet", None]]}

    back = load_model(forge_config(target, source, elsewhere))
    assert back.cache_dir is None
    assert back.weights == {"ct": None, "pet": None}


def test_weights_that_are_no_numbers_are_refused(target, tmp_path):
    from safetensors.torch import load, save

    model = FusionPFSClassifier(max_epochs=1, random_state=0, embedding=4, device="cpu").fit(TABLE, Y)
    source = save_model(model, tmp_path / "model.prrt")
    tensors = load(parts_of(source)["weights.safetensors"])
    next(value for value in tensors.values() if value.ndim == 2)[0, 0] = np.inf
    with pytest.raises(SavedModelError, match="NaN or infinite"):
        load_model(forge(target, source, {"weights.safetensors": save(tensors)}))


@pytest.mark.parametrize("before", [False, True])
def test_a_model_and_its_card_appear_together_or_not_at_all(before, tmp_path):
    other = LabPFSClassifier(n_estimators=2, random_state=1).fit(TABLE, Y)
    model = LabPFSClassifier(n_estimators=3, random_state=0).fit(TABLE, Y)
    if before:
        save_model(other, tmp_path / "model.prrt")
    kept = (tmp_path / "model.prrt").read_bytes() if before else None
    for blocked in ("model.prrt.md", "model.prrt"):
        place = tmp_path / blocked
        moved = place.rename(tmp_path / "aside") if before else None
        place.mkdir()
        with pytest.raises(OSError, match=r"directory|folder"):
            save_model(model, tmp_path / "model.prrt")
        place.rmdir()
        if moved is not None:
            moved.rename(place)
        there = sorted(Path(file).name for file in tmp_path.iterdir())
        assert there == (["model.prrt", "model.prrt.md"] if before else [])
        assert not before or (tmp_path / "model.prrt").read_bytes() == kept
