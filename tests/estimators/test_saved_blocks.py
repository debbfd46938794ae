"""Recommended models come back from a file as they were, whatever blocks a cohort has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from saved_model_helpers import parts_of
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from prrt_estimators import Cohort, Volumes, load_model, save_model
from prrt_estimators.estimators import BlockFusionPFSClassifier, _saved_blocks
from prrt_estimators.exceptions import SavedModelError
from prrt_estimators.model_selection import recommended_models
from prrt_estimators.persistence import read_model_card

N = 24
RNG = np.random.default_rng(0)
MONTHS = np.linspace(3.0, 21.0, N)
Y = (MONTHS > 12).astype(int)
LAB = pd.DataFrame(
    {
        "CgA [ug/L]": 3000 / MONTHS + RNG.random(N),
        "CRP [mg/L]": RNG.lognormal(1.0, 1.0, N),
        "albumin [g/L]": RNG.normal(40.0, 4.0, N),
        "Ki-67 [%]": RNG.uniform(1.0, 20.0, N),
        "sex": ["m", "f"] * (N // 2),
        "grade": ["G1", "G2", "G3", None] * (N // 4),
    }
)
LAB.loc[3, "CRP [mg/L]"] = np.nan
MODELS = recommended_models(tracer="FDG", random_state=0)
NEEDS_PET = {"recommended_lesions", "baseline_pet"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path / "default-cache"))


def scans():
    rng = np.random.default_rng(1)
    pet, ct = rng.gamma(2.0, 1.0, (N, 1, 8, 8, 8)), rng.normal(40, 60, (N, 1, 8, 8, 8))
    return {name: Volumes(array, spacing=(11.0, 11.0, 11.0)) for name, array in (("pet", pet), ("ct", ct))}


def tables():
    return Cohort({"lab": LAB})


def volumes():
    return Cohort({**scans(), "lab": LAB})


def fit(model, X, timed=True):
    takes = timed and isinstance(model, BlockFusionPFSClassifier)
    return model.fit(X, Y, **({"time": MONTHS} if takes else {}))


def assert_comes_back(fitted, X, folder):
    back = load_model(save_model(fitted, folder / "model.prrt", X=X, y=Y))
    np.testing.assert_array_equal(back.predict_proba(X), fitted.predict_proba(X))
    again = load_model(save_model(back, folder / "again.prrt"))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    return back


@pytest.mark.parametrize("timed", [True, False], ids=["time", "class"])
@pytest.mark.parametrize("name", [name for name in MODELS if name not in NEEDS_PET])
def test_recommended_models_of_a_table(name, timed, tmp_path):
    X = tables()
    assert_comes_back(fit(MODELS[name], X, timed), X, tmp_path)


@pytest.mark.parametrize("name", ["recommended_lesions_labs", *sorted(NEEDS_PET)])
def test_recommended_models_of_scans(name, tmp_path):
    X = volumes()
    back = assert_comes_back(fit(MODELS[name], X), X, tmp_path)
    if name != "baseline_pet":
        assert list(back.blocks_)[:2] == ["lesions", "global_pet"]
        # Patients who lack what the model was fitted on are predicted as before, too.
        np.testing.assert_array_equal(back.predict_proba(X.select("pet")), MODELS[name].predict_proba(X.select("pet")))
        pd.testing.assert_frame_equal(back.block_scores(X), MODELS[name].block_scores(X), check_exact=True)


@pytest.mark.parametrize("as_cohort", [True, False], ids=["cohort", "table"])
def test_late_fusion_of_the_default_models(as_cohort, tmp_path):
    X = volumes() if as_cohort else LAB
    back = assert_comes_back(
        fit(BlockFusionPFSClassifier(fusion="late", cv=2, prior="published", random_state=0), X), X, tmp_path
    )
    assert back.own_ is back.late_.models


def test_a_plain_table_is_checked_as_before(tmp_path):
    back = assert_comes_back(fit(BlockFusionPFSClassifier(), LAB), LAB, tmp_path)
    with pytest.raises(ValueError, match="infinity"):
        back.predict_proba(LAB.assign(**{"CRP [mg/L]": np.inf}))


@pytest.mark.parametrize("kind", [str, Path])
def test_no_folder_enters_the_file(kind, tmp_path):
    X = volumes()
    fitted = fit(BlockFusionPFSClassifier(cache_dir=kind(tmp_path / "geheim-cache"), tracer="FDG"), X)
    parts = parts_of(save_model(fitted, tmp_path / "model.prrt", X=X, y=Y))
    assert not [name for name, content in parts.items() if b"geheim" in content or str(tmp_path).encode() in content]
    assert not any(name.endswith((".pkl", ".joblib")) for name in parts)
    back = load_model(tmp_path / "model.prrt")
    assert back.cache_dir is None
    assert not [
        one for block in back.blocks_.values() for key, one in block.get_params().items() if "cache" in key and one
    ]


def test_features_are_kept_where_a_loaded_model_is_told(tmp_path):
    X = volumes()
    back = load_model(save_model(fit(BlockFusionPFSClassifier(), X), tmp_path / "model.prrt"))
    back.set_params(cache_dir=tmp_path / "told").predict_proba(X)
    assert back.blocks_["lesions"].cache_dir == tmp_path / "told"
    assert back.blocks_["global_pet"][0].cache_dir == tmp_path / "told"


def test_card_names_what_the_model_reads(tmp_path):
    X = volumes()
    card = read_model_card(save_model(fit(BlockFusionPFSClassifier(), X), tmp_path / "model.prrt", X=X, y=Y))
    assert "6 columns of the table: `CgA [ug/L]`" in card
    assert "| `CRP [mg/L]` |" in card
    assert "PET + CT" in card.splitlines()[0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"blocks": {"all": FunctionTransformer(lambda X: X["lab"][["CRP [mg/L]"]])}}, "transformers of your own"),
        ({"fusion": "late", "blocks": ("labs",), "estimator": LogisticRegression()}, "labs.*LogisticRegression"),
    ],
)
def test_blocks_and_estimators_of_the_callers_own_are_refused(options, told, tmp_path):
    X = Cohort({"lab": LAB[["CRP [mg/L]"]]})
    fitted = BlockFusionPFSClassifier(**options).fit(X, Y)
    with pytest.raises(TypeError, match=told):
        save_model(fitted, tmp_path / "model.prrt")
    assert not list(tmp_path.glob("model*"))


def test_texts_that_may_be_names_are_refused(tmp_path):
    texts = [f"Name {min(k, 22)}" for k in range(N)]  # a column of as many texts as patients is not learnt at all
    X = Cohort({"lab": LAB.assign(referral=texts)})
    with pytest.raises(ValueError, match="23 different texts"):
        save_model(fit(BlockFusionPFSClassifier(), X), tmp_path / "model.prrt")


def test_another_finder_of_lesions_is_said(tmp_path, monkeypatch):
    path = save_model(fit(BlockFusionPFSClassifier(), volumes()), tmp_path / "model.prrt")
    monkeypatch.setattr(_saved_blocks, "_finder", lambda: "0" * 64)
    with pytest.raises(SavedModelError, match="another finder of lesions"):
        load_model(path)
