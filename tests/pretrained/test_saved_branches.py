"""Saved and pickled models with pretrained branches predict as before, wherever they are read."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from pretrained_helpers import FINETUNE, array_cohort, ct, fusion, publish, set_hub, state
from safetensors.torch import save_file
from torch import nn

from prrt_estimators import CTPFSClassifier, load_model, save_model
from prrt_estimators.estimators import CTPretrainer
from prrt_estimators.exceptions import PretrainedWeightsError, SavedModelError
from prrt_estimators.pretrained import WEIGHTS
from prrt_estimators.pretrained import _sources as sources

KINDS = ("named", "path", "noted", "pretrainer")


@pytest.fixture
def given(monkeypatch, tmp_path):
    """Return weights of each kind, and a function that takes everything from this machine."""
    made = publish(monkeypatch, tmp_path)
    save_file(state(2), tmp_path / "path.safetensors")
    X, _ = array_cohort()
    pretrainer = CTPretrainer(max_epochs=1, size=12, spacing=6.0, random_state=0, device="cpu")
    noted = pretrainer.fit(X[:2]).save(tmp_path / "noted.safetensors")
    weights = {"named": "small", "path": tmp_path / "path.safetensors", "noted": noted, "pretrainer": pretrainer}

    def take_away():
        shutil.rmtree(os.environ["PRRT_CACHE_DIR"], ignore_errors=True)
        for name in ("path", "noted"):
            weights[name].unlink(missing_ok=True)
        monkeypatch.setattr(sources, "_last", None)

    return weights, take_away, made


def offer(monkeypatch, file):
    """Let the hub have the published file."""
    asked = []

    def download(**what):
        asked.append(what)
        return str(file)

    set_hub(monkeypatch, download)
    return asked


pytestmark = pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.PretrainingOverlapWarning")


@pytest.mark.parametrize("finetune", FINETUNE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_predicts_alike_where_nothing_else_is(given, monkeypatch, tmp_path, kind, finetune):
    weights, take_away, made = given
    X, y = array_cohort()
    fitted = fusion(weights={"ct": weights[kind]}, finetune=finetune).fit(X[:6], y[:6])
    expected, fused = fitted.predict_proba(X), fitted.transform(X)
    path = save_model(fitted, tmp_path / "model.prrt")
    take_away()
    asked = offer(monkeypatch, made)
    back = load_model(path)
    np.testing.assert_array_equal(back.predict_proba(X), expected)
    np.testing.assert_array_equal(back.transform(X), fused)
    assert bool(asked) == (kind == "named" and finetune != "full")
    assert back.get_params()["weights"] == {"ct": "small" if kind == "named" else None}
    assert back.get_params()["finetune"] == finetune
    again = load_model(save_model(back, tmp_path / "again.prrt"))
    np.testing.assert_array_equal(again.predict_proba(X), expected)


@pytest.mark.parametrize("finetune", FINETUNE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_pickled_model_predicts_alike_as_long_as_its_weights_are_there(given, kind, finetune):
    weights, take_away, _ = given
    X, y = array_cohort()
    fitted = fusion(weights={"ct": weights[kind]}, finetune=finetune).fit(X[:6], y[:6])
    expected, raw = fitted.predict_proba(X), pickle.dumps(fitted)
    back = pickle.loads(raw)
    np.testing.assert_array_equal(back.predict_proba(X), expected)
    take_away()
    lost = pickle.loads(raw)
    if finetune == "full":
        np.testing.assert_array_equal(lost.predict_proba(X), expected)
    else:
        with pytest.raises(
            FileNotFoundError, match=r"`weights\['ct'\]`: the file .* does not exist.*(small|path|noted|pretrained)"
        ):
            lost.predict_proba(X)


@pytest.mark.parametrize("kind", ["path", "noted", "pretrainer"])
def test_weights_that_are_gone_can_no_longer_be_saved_unless_they_are_not_needed(given, tmp_path, kind):
    weights, take_away, _ = given
    X, y = array_cohort()
    frozen = ct(weights=weights[kind]).fit(X, y)
    whole = ct(weights=weights[kind], finetune="full").fit(X, y)
    take_away()
    with pytest.raises(FileNotFoundError, match="does not exist"):
        save_model(frozen, tmp_path / "frozen.prrt")
    assert not (tmp_path / "frozen.prrt").exists()
    load_model(save_model(whole, tmp_path / "whole.prrt"))


def test_weights_that_were_exchanged_are_not_saved_with_the_model(given, tmp_path):
    weights, _, _ = given
    X, y = array_cohort()
    fitted = ct(weights=weights["path"]).fit(X, y)
    save_file(state(9), weights["path"])
    with pytest.raises(PretrainedWeightsError, match="was changed since"):
        save_model(fitted, tmp_path / "model.prrt")


def test_published_weights_are_named_not_carried(given, tmp_path):
    X, y = array_cohort()
    sizes = {
        kind: save_model(ct(weights=given[0][kind]).fit(X, y), tmp_path / f"{kind}.prrt").stat().st_size
        for kind in ("named", "path")
    }
    assert sizes["named"] < 200_000 < 3_000_000 < sizes["path"]


def test_a_model_of_published_weights_that_have_changed_is_refused(given, monkeypatch, tmp_path):
    X, y = array_cohort()
    frozen = save_model(ct().fit(X, y), tmp_path / "frozen.prrt")
    whole = save_model(ct(finetune="full").fit(X, y), tmp_path / "whole.prrt")
    publish(monkeypatch, tmp_path, seed=5)
    with pytest.raises(SavedModelError, match=r"frozen\.prrt was made with other weights 'small'.*fit the model again"):
        load_model(frozen)
    assert np.isfinite(load_model(whole).predict_proba(X)).all()


def test_published_weights_that_cannot_be_had_are_told_when_the_model_is_read(given, tmp_path):
    _, take_away, _ = given
    X, y = array_cohort()
    path = save_model(ct().fit(X, y), tmp_path / "model.prrt")
    take_away()
    with pytest.raises(PretrainedWeightsError, match=r"'small' are not on this machine.*prrt weights fetch small"):
        load_model(path)


def test_a_read_model_uses_the_features_that_are_there(given, tmp_path, monkeypatch):
    from pretrained_helpers import Passes

    X, y = array_cohort()
    path = save_model(ct().fit(X, y), tmp_path / "model.prrt")
    passes = Passes(monkeypatch)
    load_model(path).predict_proba(X)
    assert passes.count == 0


class Own(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        self.conv = nn.Conv3d(1, channels, 3)

    def forward(self, volumes):
        return self.conv(volumes)


@pytest.mark.parametrize("finetune", FINETUNE)
def test_an_own_network_must_be_given_again(tmp_path, finetune, given):
    X, y = array_cohort()
    save_file({key: value.detach() for key, value in Own(4).state_dict().items()}, tmp_path / "own.safetensors")
    options = {"encoder": Own, "encoder_params": {"channels": 4}, "weights": tmp_path / "own.safetensors"}
    fitted = ct(finetune=finetune, **options).fit(X, y)
    expected = fitted.predict_proba(X)
    path = save_model(fitted, tmp_path / "model.prrt")
    given[1]()
    (tmp_path / "own.safetensors").unlink()
    with pytest.raises(SavedModelError, match=r"encoders=\{'Own': Own\}"):
        load_model(path)
    np.testing.assert_array_equal(load_model(path, encoders={"Own": Own}).predict_proba(X), expected)


def test_the_saved_file_tells_no_scan_and_no_folder(given, tmp_path):
    import io
    import zipfile

    weights, _, _ = given
    X, y = array_cohort()
    fitted = fusion(weights={"ct": weights["noted"]}).fit(X, y)
    seen = fitted.branches_["ct"].source.seen
    assert len(seen) == 2
    raw = save_model(fitted, tmp_path / "model.prrt").read_bytes()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"noted.safetensors" in content
    for secret in (*seen, str(Path(weights["noted"]).parent)):
        assert secret.encode() not in content


def test_settings_of_the_branch_come_back(given, tmp_path):
    X, y = array_cohort()
    fitted = CTPFSClassifier(
        weights="small", precision="bfloat16", max_epochs=1, device="cpu", random_state=0, finetune="last"
    ).fit(X, y)
    back = load_model(save_model(fitted, tmp_path / "model.prrt"))
    a, b = fitted.branches_["ct"], back.branches_["ct"]
    assert (a.finetune, a.bfloat16, a.modality, a.source.form) == (b.finetune, b.bfloat16, b.modality, b.source.form)
    for name in (
        "label",
        "digest",
        "encoder",
        "size",
        "spacing",
        "window",
        "own_grid",
        "out_features",
        "prefix",
        "heads",
    ):
        assert getattr(a.source, name) == getattr(b.source, name), name
    assert a.source.digest in WEIGHTS["small"].digests
    assert json.dumps(dict(b.source.encoder_params)) == "{}"
    np.testing.assert_array_equal(back.predict_proba(X), fitted.predict_proba(X))
