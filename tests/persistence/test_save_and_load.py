"""What goes into a file comes out of it: the same estimator, the same predictions, and nothing of a patient."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn.base
from saved_model_helpers import parts_of, unfolded
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from torch import nn

from prrt_estimators import (
    Cohort,
    CTPFSClassifier,
    CTPretrainer,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
    estimators,
    load_model,
    save_model,
)
from prrt_estimators.estimators import BlockFusionPFSClassifier, PublishedScoreClassifier
from prrt_estimators.exceptions import SavedModelError

N = 12
Y = np.array(["long", "short"] * 6)
#: Planted where they must not come out again.
SECRETS = ("Mustermann", "Erika", "geheim")
ODD = 987.654321


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRRT_CACHE_DIR", str(tmp_path_factory.mktemp("geheim-cache")))
        yield


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    lab = pd.DataFrame({"CgA": rng.lognormal(5, 1, N), "sex": ["m", "f"] * 6, "AST": 30.0, "ALT": rng.random(N) * 50})
    lab.loc[0, "CgA"] = np.nan
    lab.loc[5, "CgA"] = ODD
    return Cohort(
        {"pet": rng.random((N, 1, 8, 8, 8)), "ct": rng.normal(0, 100, (N, 1, 8, 8, 8)), "lab": lab},
        ids=[f"Erika-Mustermann-{k}" for k in range(N)],
    )


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(1, 3, 3)

    def forward(self, volumes):
        return self.conv(volumes)


PRETRAINER = CTPretrainer(max_epochs=1, batch_size=12, random_state=0)
ESTIMATORS = {
    "forest": LabPFSClassifier(n_estimators=10, random_state=0),
    "logistic": LabPFSClassifier(model="logistic", class_weight={"long": 1.0, "short": 2.0}),
    "lab baseline": LabBaselineClassifier(),
    "PET baseline": PETBaselineClassifier(),
    "PET": PETPFSClassifier(max_epochs=1, random_state=0),
    "CT": CTPFSClassifier(max_epochs=1, random_state=np.random.RandomState(0), window=[-100, 200]),
    "gated": FusionPFSClassifier(max_epochs=1, random_state=0, fusion="gated", modalities=("ct", "lab")),
    "all": FusionPFSClassifier(max_epochs=1, random_state=0),
    "frozen CT": FusionPFSClassifier(
        max_epochs=1, random_state=0, modalities=("ct", "lab"), weights={"ct": PRETRAINER}
    ),
    "last CT": CTPFSClassifier(max_epochs=1, random_state=0, weights=PRETRAINER, finetune="last"),
    "full CT": CTPFSClassifier(max_epochs=1, random_state=0, weights=PRETRAINER, finetune="full"),
    "pretrainer": PRETRAINER,
    "blocks": BlockFusionPFSClassifier(prior="published", blocks=("labs",)),
    "published score": PublishedScoreClassifier(name="cga_200"),
}


@pytest.fixture(scope="module")
def fitted(X):
    """Every kind of estimator, fitted when it is first asked for."""
    kept: dict = {}

    def of(name):
        if name not in kept:
            kept[name] = sklearn.base.clone(ESTIMATORS[name]).fit(X, Y)
        return kept[name]

    return of


def outputs(estimator, X):
    """Return everything that an estimator says of patients."""
    methods = [name for name in ("predict_proba", "predict", "transform") if hasattr(estimator, name)]
    return {name: np.asarray(getattr(estimator, name)(X)) for name in methods}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(other[name], values)


def test_every_public_estimator_is_tried():
    public = {name for name in estimators.__all__ if isinstance(getattr(estimators, name), type)}
    # survival models: tests/estimators/test_survival_models.py
    of_time = {name for name in public if hasattr(getattr(estimators, name), "predict_survival_function")}
    assert {type(estimator).__name__ for estimator in ESTIMATORS.values()} == public - of_time - {"CoxPFSClassifier"}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_round_trip_predicts_to_the_bit(name, fitted, X, tmp_path):
    model = fitted(name)
    expected = outputs(model, X)
    path = save_model(model, tmp_path / "model.prrt")
    back = load_model(path)
    assert type(back) is type(model)
    assert_same(expected, outputs(back, X))
    again = load_model(save_model(back, tmp_path / "again.prrt"))
    assert_same(expected, outputs(again, X))


@pytest.mark.parametrize("name", ["all", "frozen CT", "gated"])
def test_round_trip_keeps_patients_without_a_modality(name, fitted, X, tmp_path):
    back = load_model(save_model(fitted(name), tmp_path / "model.prrt"))
    assert_same(outputs(fitted(name), X.select("lab")), outputs(back, X.select("lab")))


@pytest.mark.parametrize("name", ["forest", "all", "frozen CT", "pretrainer"])
@pytest.mark.parametrize("through", ["pickle", "joblib"])
def test_pickle_and_joblib_still_work(name, through, fitted, X, tmp_path):
    model = fitted(name)
    if through == "pickle":
        back = pickle.loads(pickle.dumps(model))
    else:
        joblib.dump(model, tmp_path / "model.joblib")
        back = joblib.load(tmp_path / "model.joblib")
    assert_same(outputs(model, X), outputs(back, X))
    # A copy that came through a pickle is as good as the first one for a file of this library.
    assert_same(outputs(model, X), outputs(load_model(save_model(back, tmp_path / "model.prrt")), X))


def test_parameters_come_back_as_they_were(X, tmp_path):
    given = {
        "class_weight": {"long": np.float64(2.0), "short": 1},
        "log": ["CgA", "AST"],
        "max_features": np.int64(2),
        "n_estimators": 5,
        "random_state": np.random.RandomState(0),
    }
    back = load_model(save_model(LabPFSClassifier(**given).fit(X, Y), tmp_path / "m")).get_params()
    assert back["class_weight"] == {"long": 2.0, "short": 1}
    assert (back["log"], back["max_features"], back["n_estimators"]) == (["CgA", "AST"], 2, 5)
    assert back["random_state"] is None
    spans = FusionPFSClassifier(
        max_epochs=1, window={"pet": (0.0, 5.0)}, size=np.array([8, 8, 8]), modalities=("pet", "lab")
    )
    back = load_model(save_model(spans.fit(X, Y), tmp_path / "m")).get_params()
    assert (back["window"], back["size"], back["modalities"]) == ({"pet": (0.0, 5.0)}, [8, 8, 8], ("pet", "lab"))


def test_a_loaded_model_can_be_cloned_and_fitted_anew(fitted, X, tmp_path):
    back = load_model(save_model(fitted("gated"), tmp_path / "model.prrt"))
    np.testing.assert_array_equal(sklearn.base.clone(back).fit(X, Y).predict_proba(X), fitted("gated").predict_proba(X))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_file_is_an_archive_of_data_that_anybody_can_open(name, fitted, tmp_path):
    path = save_model(fitted(name), tmp_path / "model.prrt")
    names = set(parts_of(path))
    assert {"prrt-model-2", "model.json", "card.md", "digests.json"} <= names
    assert {part.rpartition(".")[2] for part in names - {"prrt-model-2"}} <= {"json", "md", "skops", "safetensors"}


# Privacy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ESTIMATORS)
def test_no_patient_and_no_path_reaches_the_file(name, X, tmp_path, monkeypatch):
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path / "geheim"))
    model = sklearn.base.clone(ESTIMATORS[name])
    if "cache_dir" in model.get_params():
        model.set_params(cache_dir=str(tmp_path / "geheim"))
    model.fit(X, Y)
    path = save_model(model, tmp_path / "model.prrt", X=X, y=None if name == "pretrainer" else Y)
    held = unfolded(path) + (tmp_path / "model.prrt.md").read_bytes()
    for secret in (*SECRETS, str(tmp_path)):
        assert secret.encode() not in held
    assert str(ODD).encode() not in held
    assert struct.pack("<d", ODD) not in held
    assert struct.pack("<f", ODD) not in held


@pytest.mark.filterwarnings("ignore::prrt_estimators.exceptions.PretrainingOverlapWarning")
def test_weights_given_by_path_leave_no_path(fitted, X, tmp_path):
    weights = fitted("pretrainer").save(tmp_path / "geheim" / "ct.safetensors")
    model = CTPFSClassifier(max_epochs=1, random_state=0, weights=str(weights)).fit(X, Y)
    path = save_model(model, tmp_path / "model.prrt")
    assert b"geheim" not in unfolded(path)
    weights.unlink()
    assert_same(outputs(model, X), outputs(load_model(path), X))


def test_free_text_is_refused(X, tmp_path):
    table = pd.DataFrame({"CgA": np.arange(42.0), "remark": [f"kind {k % 21}" for k in range(42)]})
    model = LabPFSClassifier(model="logistic").fit(table, [0, 1] * 21)
    with pytest.raises(ValueError, match=r"'remark' has 21 different texts.*Leave the column out"):
        save_model(model, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []
    table["remark"] = [f"kind {k % 20}" for k in range(42)]
    save_model(LabPFSClassifier(model="logistic").fit(table, [0, 1] * 21), tmp_path / "m")


# What cannot be done ----------------------------------------------------------------------------------------------


def test_own_encoder_must_be_given_again(X, tmp_path):
    fitted = PETPFSClassifier(encoder=Own, max_epochs=1, random_state=0).fit(X, Y)
    path = save_model(fitted, tmp_path / "model.prrt")
    with pytest.raises(SavedModelError, match=r"encoders=\{'Own': Own\}"):
        load_model(path)
    np.testing.assert_array_equal(load_model(path, encoders={"Own": Own}).predict_proba(X), fitted.predict_proba(X))
    assert "encoders={'Own': Own}" in (tmp_path / "model.prrt.md").read_text("utf-8")


def test_what_cannot_be_saved_is_explained(X, tmp_path):
    with pytest.raises(TypeError, match="takes a fitted estimator of prrt_estimators; got LogisticRegression"):
        save_model(LogisticRegression().fit([[0], [1]], [0, 1]), tmp_path / "m")
    with pytest.raises(NotFittedError):
        save_model(LabPFSClassifier(), tmp_path / "m")
    with pytest.raises(ValueError, match="X holds 12 patients and y 3"):
        save_model(LabBaselineClassifier().fit(X, Y), tmp_path / "m", X=X, y=Y[:3])
    odd = LabPFSClassifier(n_estimators=2).fit(X, Y)
    odd.set_params(log=object())
    with pytest.raises(TypeError, match="'log' holds a object"):
        save_model(odd, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", ["write_bytes", "write_text"])
def test_a_failed_save_leaves_the_old_files(broken, X, tmp_path, monkeypatch):
    path = save_model(LabBaselineClassifier().fit(X, Y), tmp_path / "model.prrt")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert sorted(before) == ["model.prrt", "model.prrt.md"]
    monkeypatch.setattr(f"pathlib.Path.{broken}", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_model(LabPFSClassifier(n_estimators=5).fit(X, Y), path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_text_is_compressed_and_weights_are_not(fitted, tmp_path):
    path = save_model(fitted("gated"), tmp_path / "model.prrt")
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        stored = {info.filename for info in archive.infolist() if info.compress_type == zipfile.ZIP_STORED}
        assert {name for name in archive.namelist() if name.endswith(".safetensors")} == stored - {"prrt-model-2"}
