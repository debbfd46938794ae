"""Files of other versions: they load and predict the same, or say what to do."""

from __future__ import annotations

import json
import lzma
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from saved_model_helpers import forge_config, parts_of
from sklearn.base import clone

from prrt_estimators import Cohort, FusionPFSClassifier, LabPFSClassifier, PETBaselineClassifier, load_model, save_model
from prrt_estimators.exceptions import ResultsWarning, SavedModelError
from prrt_estimators.persistence import _load, _probe_predictions, _versions, read_model_card

GOLDEN = Path(__file__).parents[1] / "data"
STORED = json.loads((GOLDEN / "models_v1.json").read_text("utf-8"))
Y = np.array([0, 1, 1] * 4)


def patients() -> Cohort:
    """Return the twelve patients that the files of format 1 were made with."""
    k = np.arange(12)
    lab = pd.DataFrame(
        {
            "CgA [ug/L]": np.round(40.0 * (1 + k % 7) ** 2, 1),
            "AST": 20.0 + 3 * (k % 5),
            "ALT": 15.0 + 4 * (k % 3),
            "sex": ["m", "f", "f"] * 4,
        }
    )
    lab.loc[3, "AST"] = np.nan
    grid = np.arange(48**3).reshape(48, 48, 48)
    waves = [np.abs(np.sin((0.01 + 0.001 * one) * grid))[None] * 8 for one in range(12)]
    pet = np.stack(waves).astype(np.float32)
    return Cohort({"pet": pet, "ct": (pet * 40 - 160)[:, :, ::-1].copy(), "lab": lab})


@pytest.fixture(scope="module")
def X():
    whole = patients()
    return Cohort({"pet": whole["pet"].array[:, :, ::6, ::6, ::6], "lab": whole["lab"]})


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path / "cache"))


def golden(name: str, folder: Path, version: str = "v1") -> Path:
    """Return an unpacked copy of a file of format 1, or one that the version before wrote."""
    file = folder / f"{name}.prrt"
    file.write_bytes(lzma.decompress((GOLDEN / f"{name}_{version}.prrt.xz").read_bytes()))
    return file


# Format 1 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STORED)
def test_files_of_the_first_format_predict_what_they_did(name, tmp_path):
    rows = slice(0, 3) if name == "fusion" else slice(None)  # three scans tell as well as twelve
    X, expected = patients()[rows], STORED[name][rows]
    file = golden(name, tmp_path)
    made_with = json.loads(file.read_bytes().partition(b"model.json")[2].partition(b"PK")[0])["versions"]["sklearn"]
    same = made_with == sklearn.__version__
    with warnings.catch_warnings():
        warnings.simplefilter("error" if same else "ignore")
        try:
            model, refused = load_model(file), ""
        except SavedModelError as error:
            model, refused = None, str(error)
    if model is None:
        # Another scikit-learn may not read what this one wrote; then the message says which one does.
        assert not same, refused
        assert f'"scikit-learn=={made_with}"' in refused
        return
    # Sums of single precision differ between processors in their last digits.
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected, rtol=0, atol=1e-5 if "fusion" in name else 1e-12)
    again = load_model(save_model(model, tmp_path / "again.prrt", X=X, y=Y[rows]))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert "prrt-model-2" in parts_of(tmp_path / "again.prrt")


def test_a_model_with_a_parameter_for_each_modality_predicts_what_it_did(tmp_path):
    """Saved when ``pet_window`` and ``ct_weights`` were parameters, with weights of its own and its last stage trained."""
    X = patients()[:3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other versions of scikit-learn are another test's matter
        model = load_model(golden("fusion", tmp_path, "v2"))
    expected = json.loads((GOLDEN / "models_v2.json").read_text("utf-8"))["fusion"]
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected, rtol=0, atol=1e-5)
    assert model.window == {"pet": (0.0, 5.0), "ct": (-160.0, 240.0)}
    assert model.finetune == {"pet": "frozen", "ct": "last"}
    assert model.weights == {"pet": None, "ct": None}
    assert model.branches_["ct"].source.parameter == "weights['ct']"
    again = load_model(save_model(model, tmp_path / "again.prrt"))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_the_first_format_is_guarded_too(tmp_path):
    file = golden("baseline_lab", tmp_path)
    raw = file.read_bytes()
    for place in [*range(90), *np.random.default_rng(0).integers(90, len(raw), 60)]:
        file.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        with pytest.raises(SavedModelError):
            load_model(file)
    for changed in (raw[:-1], raw[:50], raw + b"\n"):
        file.write_bytes(changed)
        with pytest.raises(SavedModelError):
            load_model(file)


def test_a_first_format_that_loads_but_cannot_predict_is_refused(tmp_path, monkeypatch):
    """As a logistic regression of scikit-learn 1.9 under 1.6."""
    monkeypatch.delattr("sklearn.linear_model.LogisticRegression.predict_proba")
    with pytest.raises(SavedModelError, match="cannot be read with the versions here"):
        load_model(golden("baseline_lab", tmp_path))


def test_a_file_without_a_card_says_so(tmp_path):
    with pytest.raises(SavedModelError, match="before models had cards; load it and save it again"):
        read_model_card(golden("baseline_lab", tmp_path))


def test_an_older_format_under_another_scikit_learn_is_told(tmp_path, monkeypatch):
    file = golden("lab_forest", tmp_path)
    made_with = json.loads(file.read_bytes().partition(b"model.json")[2].partition(b"PK")[0])["versions"]["sklearn"]
    monkeypatch.setattr(_versions, "versions_here", lambda: {"scikit-learn": "99.1", "torch": "1"})
    with pytest.warns(
        ResultsWarning, match=rf"saved with scikit-learn {re.escape(made_with)}; here is 99\.1.*save it again"
    ):
        load_model(file)


# Other versions -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(X, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    models = {
        "lab": LabPFSClassifier(n_estimators=5, random_state=0),
        "PET": PETBaselineClassifier(),
        "fusion": FusionPFSClassifier(max_epochs=1, random_state=0, modalities=("pet", "lab"), device="cpu"),
    }
    return {name: save_model(model.fit(X, Y), folder / f"{name}.prrt") for name, model in models.items()}


@pytest.mark.parametrize("name", ["lab", "PET", "fusion"])
def test_a_model_that_predicts_something_else_is_told(name, saved, tmp_path):
    probe = json.loads(parts_of(saved[name])["model.json"])["probe"]
    assert len(set(probe["p_long"])) > 1

    def change(config, by):
        config["probe"]["p_long"][0] += by
        config["versions"]["torch"] = "2.0.1"

    load_model(forge_config(tmp_path / "same.prrt", saved[name], lambda config: change(config, 1e-6)))
    forged = forge_config(tmp_path / "other.prrt", saved[name], lambda config: change(config, 0.02))
    with pytest.warns(ResultsWarning, match=r"differ by up to 0\.02\. Install what it was saved with .*torch==2\.0\.1"):
        load_model(forged)


def test_the_probe_sees_each_part(saved, X):
    """Change any part of a model, and what it says of the made-up patients changes."""
    model = load_model(saved["fusion"])
    before = _probe_predictions.predict_probe(model)
    assert before is not None
    for key, value in model.net_.module_.state_dict().items():
        # A gap of the laboratory table is all gaps but one; its statistics cancel in the embedding of the others.
        if not value.is_floating_point():
            continue  # how many batches were seen
        kept = value.clone()
        value += 0.05 * (1 + value.abs())
        assert _probe_predictions.probe_difference(model, before) > 0, key
        value.copy_(kept)
    assert _probe_predictions.probe_difference(model, before) == 0
    scaler = model.preprocessor_.transformer_.named_transformers_["log"]["scale"]
    scaler.mean_ = scaler.mean_ + 0.1
    assert _probe_predictions.probe_difference(model, before) > 1e-5


def test_probes_that_cannot_be_compared_are_not(saved):
    model = load_model(saved["lab"])
    before = _probe_predictions.predict_probe(model)
    assert _probe_predictions.probe_difference(model, None) is None
    assert _probe_predictions.probe_difference(model, {**before, "recipe": 99}) is None
    assert _probe_predictions.probe_difference(model, {**before, "p_long": [0.5]}) is None
    assert _probe_predictions.probe_difference(model, before) == 0


def test_a_large_network_is_not_probed(saved, monkeypatch):
    model = load_model(saved["fusion"])
    monkeypatch.setattr(_probe_predictions, "_MAX_WEIGHTS", 1000)
    assert _probe_predictions.predict_probe(model) is None


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"CgA": np.arange(1.0, 13), "AST": np.arange(12.0) % 5, "sex": ["m", "f"] * 6}),
        pd.DataFrame({"sex": ["m", "f", None] * 4, "site": ["a", "b", "c", "d"] * 3}),
        pd.DataFrame({"empty": [np.nan] * 12, "x": np.arange(12.0)}),
        np.arange(24.0).reshape(12, 2),
        np.array([["m", 1.0], ["f", 2.0]] * 6, dtype=object),
    ],
    ids=["mixed", "text", "an empty column", "array", "array of objects"],
)
def test_made_up_patients_fit_any_table(table, tmp_path):
    model = LabPFSClassifier(model="logistic").fit(table, [0, 1] * 6)
    probe = _probe_predictions.predict_probe(model)
    assert len(probe["p_long"]) == 4
    assert np.isfinite(probe["p_long"]).all()
    load_model(save_model(model, tmp_path / "model.prrt"))


def test_what_another_version_cannot_read_says_what_to_install(saved, monkeypatch):
    def fails(*_):
        raise ValueError("node array from the pickle has an incompatible dtype")

    monkeypatch.setattr(_load, "load_part", fails)
    monkeypatch.setattr(_versions, "versions_here", lambda: {"scikit-learn": "99.1", "python": "3.99"})
    with pytest.raises(SavedModelError) as caught:
        load_model(saved["lab"])
    assert "incompatible dtype" in str(caught.value)
    assert f'"scikit-learn=={sklearn.__version__}"' in str(caught.value)
    assert "fit and save it again" in str(caught.value)


def test_scikit_learns_own_warning_is_left_to_the_probe(X, tmp_path, monkeypatch):
    model = LabPFSClassifier(model="logistic").fit(X, Y)
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "0.99")
        file = save_model(model, tmp_path / "model.prrt")
    back = load_model(file)  # warnings are errors here
    np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))


def test_versions_name_no_build():
    here = _versions.versions_here()
    assert {"prrt-estimators", "python", "scikit-learn", "torch"} <= set(here)
    assert not any("+" in version for version in here.values())
    assert _versions.others(here) == {}
    assert _versions.others({"torch": here["torch"] + "+cpu", "sklearn": here["scikit-learn"]}) == {}
    assert "again" in _versions.remedy(here)


def test_a_network_of_another_width_than_today_s_is_read(tmp_path, monkeypatch):
    lab = patients()["lab"]
    monkeypatch.setattr(FusionPFSClassifier, "_head_width", 4)
    model = FusionPFSClassifier(max_epochs=1, random_state=0, embedding=4, device="cpu").fit(lab, Y)
    monkeypatch.undo()
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path / "cache"))

    def of_before(config):
        config["params"] |= {"hidden": 4, "lr_schedule": None, "validation_fraction": 0.3}

    file = forge_config(tmp_path / "before.prrt", save_model(model, tmp_path / "model.prrt"), of_before)
    for _ in range(2):  # and written again
        back = load_model(file)
        np.testing.assert_array_equal(back.predict_proba(lab), model.predict_proba(lab))
        file = save_model(back, tmp_path / "again.prrt")
    assert clone(back)._head_width == 32
