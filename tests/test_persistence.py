from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.base
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from torch import nn

from prrt_estimators import (
    Cohort,
    CTPFSClassifier,
    FusionPFSClassifier,
    LabBaselineClassifier,
    LabPFSClassifier,
    PETBaselineClassifier,
    PETPFSClassifier,
    load_model,
    save_model,
)
from prrt_estimators.exceptions import SavedModelError

N = 12
Y = np.array(["long", "short"] * 6)


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    lab = pd.DataFrame({"CgA": rng.lognormal(5, 1, N), "sex": ["m", "f"] * 6, "AST": 30.0, "ALT": rng.random(N) * 50})
    lab.loc[0, "CgA"] = np.nan
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


ESTIMATORS = [
    LabPFSClassifier(n_estimators=10, random_state=0),
    LabPFSClassifier(model="logistic", class_weight={"long": 1.0, "short": 2.0}),
    LabBaselineClassifier(),
    PETBaselineClassifier(),
    PETPFSClassifier(max_epochs=1, random_state=0),
    CTPFSClassifier(max_epochs=1, random_state=np.random.RandomState(0)),
    FusionPFSClassifier(max_epochs=1, random_state=0, fusion="gated", modalities=("ct", "lab")),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: f"{type(e).__name__}-{getattr(e, 'model', '')}")
def test_round_trip_predicts_to_the_bit(estimator, X, tmp_path):
    fitted = sklearn.base.clone(estimator).fit(X, Y)
    back = load_model(save_model(fitted, tmp_path / "model.prrt"))
    assert type(back) is type(fitted)
    np.testing.assert_array_equal(back.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(back.predict(X), fitted.predict(X))
    again = load_model(save_model(back, tmp_path / "again.prrt"))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_every_changed_byte_is_refused(X, tmp_path):
    path = save_model(LabBaselineClassifier().fit(X, Y), tmp_path / "model.prrt")
    raw = path.read_bytes()
    for place in [*range(90), *np.random.default_rng(0).integers(90, len(raw), 60)]:
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        with pytest.raises(SavedModelError):
            load_model(path)
    for part in (0, 50, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:part])
        with pytest.raises(SavedModelError):
            load_model(path)


def test_no_patient_reaches_the_file(X, tmp_path):
    import io
    import zipfile

    for estimator in (LabPFSClassifier(n_estimators=5), FusionPFSClassifier(max_epochs=1)):
        raw = save_model(estimator.fit(X, Y), tmp_path / "model.prrt").read_bytes()
        with zipfile.ZipFile(io.BytesIO(raw.partition(b"\n")[2])) as archive:
            for name in archive.namelist():
                content = archive.read(name)
                if name.endswith(".skops"):
                    with zipfile.ZipFile(io.BytesIO(content)) as inner:
                        content += b"".join(inner.read(part) for part in inner.namelist())
                assert b"Mustermann" not in content


def test_own_encoder_must_be_given_again(X, tmp_path):
    fitted = PETPFSClassifier(encoder=Own, max_epochs=1, random_state=0).fit(X, Y)
    path = save_model(fitted, tmp_path / "model.prrt")
    with pytest.raises(SavedModelError, match=r"encoders=\{'Own': Own\}"):
        load_model(path)
    np.testing.assert_array_equal(load_model(path, encoders={"Own": Own}).predict_proba(X), fitted.predict_proba(X))


def test_what_cannot_be_saved_or_read_is_explained(X, tmp_path):
    with pytest.raises(TypeError, match="takes a classifier of prrt_estimators"):
        save_model(LogisticRegression().fit([[0], [1]], [0, 1]), tmp_path / "m")
    with pytest.raises(NotFittedError):
        save_model(LabPFSClassifier(), tmp_path / "m")
    with pytest.raises(FileNotFoundError, match="no saved model"):
        load_model(tmp_path / "none.prrt")
    (tmp_path / "other").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(SavedModelError, match="is no model saved by"):
        load_model(tmp_path / "other")
    (tmp_path / "newer").write_bytes(b"prrt-model 9 abc\n")
    with pytest.raises(SavedModelError, match="newer format"):
        load_model(tmp_path / "newer")


def test_a_failed_save_leaves_the_old_file(X, tmp_path, monkeypatch):
    path = save_model(LabBaselineClassifier().fit(X, Y), tmp_path / "model.prrt")
    before = path.read_bytes()
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save_model(LabPFSClassifier(n_estimators=5).fit(X, Y), path)
    assert path.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["model.prrt"]
