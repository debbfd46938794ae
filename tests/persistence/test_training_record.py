"""What a saved model remembers of its patients, and what it says of others."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from prrt_estimators.cohort import Cohort
from prrt_estimators.estimators import LabBaselineClassifier, LabPFSClassifier, PETBaselineClassifier
from prrt_estimators.persistence import _training_record, compare_with_training, load_model, save_model
from prrt_estimators.persistence._container import unpack
from prrt_estimators.persistence._training_record import PART, _outwards, training_record


def table(n=30, seed=0):
    rng = np.random.default_rng(seed)
    columns = {name: rng.uniform(41, 83, n).round(2) for name in ("CgA", "ALT", "AST", "GGT", "creatinine")}
    return pd.DataFrame(columns).assign(sex=["f", "m"] * (n // 2))


@pytest.fixture
def saved(tmp_path):
    X = Cohort({"lab": table()}, ids=[f"secret-{k}" for k in range(30)])
    model = LabPFSClassifier(model="logistic").fit(X, [0, 1] * 15)
    return X, save_model(model, tmp_path / "lab.prrt", X=X)


def test_patients_like_those_are_not_remarked_on(saved):
    file = saved[1]
    fresh = Cohort({"lab": table(seed=1)})
    assert compare_with_training(file, load_model(file), fresh) == []


def test_values_outside_and_patients_of_before(saved):
    X, file = saved
    fresh = table(8, seed=1)
    fresh.loc[2, "CgA"] = 900.0
    fresh.loc[5, "CgA"] = 3.0
    fresh.loc[4, "GGT"] = np.nan
    fresh.iloc[7] = X["lab"].iloc[11]
    found = compare_with_training(file, load_model(file), Cohort({"lab": fresh}, ids=list("abcdefgh")))
    assert found == [
        "CgA of patients c, f lies outside of that of the training patients, 40 to 85.",
        "patient h was among the patients that the model was trained on (by laboratory values): such predictions say nothing "
        "of how it does on new patients.",
    ]
    # Columns in another order and as text are the same values.
    turned = Cohort({"lab": fresh[fresh.columns[::-1]].astype(object)}, ids=list("abcdefgh"))
    assert compare_with_training(file, load_model(file), turned) == found


def test_the_record_names_nobody_and_tells_no_value(saved):
    X, file = saved
    content = unpack(file)[PART]
    record = json.loads(content)
    assert set(record) == {"salt", "ranges", "patients"}
    assert b"secret" not in content
    assert len(record["patients"]["lab"]) == 30
    values = {f"{one:g}" for one in X["lab"].drop(columns="sex").to_numpy().ravel()}
    assert not values & {f"{one:g}" for limits in record["ranges"]["lab"].values() for one in limits}
    # The same patients in another model have other digests.
    other = save_model(LabPFSClassifier(model="logistic", C=2.0).fit(X, [0, 1] * 15), file.with_name("b.prrt"), X=X)
    assert not set(json.loads(unpack(other)[PART])["patients"]["lab"]) & set(record["patients"]["lab"])


@pytest.mark.parametrize(
    ("value", "low", "high"), [(41.2, 40, 45), (0.0123, 0.01, 0.015), (-7.3, -7.5, -7), (0, 0, 0), (985, 950, 1000)]
)
def test_ranges_are_rounded_outwards(value, low, high):
    assert (_outwards(value, -1), _outwards(value, 1)) == (pytest.approx(low), pytest.approx(high))


def test_a_scan_that_is_absent_hides_no_laboratory_value(monkeypatch):
    X = table()
    model = LabPFSClassifier(model="logistic").fit(X, [0, 1] * 15)
    monkeypatch.setattr(LabPFSClassifier, "_reads", ("ct", "pet", "lab"))
    volumes = np.random.default_rng(0).gamma(2, 2, (30, 1, 2, 2, 2)).astype(np.float32)
    both = training_record(model, {"pet": volumes, "lab": X}, b"salt")
    assert set(json.loads(both)["ranges"]) == {"pet", "lab"}
    assert set(json.loads(training_record(model, {"lab": X}, b"salt"))["ranges"]["lab"]) >= {"CgA", "GGT"}
    monkeypatch.setattr(_training_record, "unpack", lambda path: {PART: both})
    fresh = table(8, seed=1)
    fresh.loc[2, "CgA"] = 900.0
    (said,) = compare_with_training("any", model, Cohort({"lab": fresh}, ids=list("abcdefgh")))
    assert said == "CgA of patient c lies outside of that of the training patients, 40 to 85."


def test_few_values_tell_nobody(tmp_path):
    X = table().iloc[:, :3]
    file = save_model(LabPFSClassifier(model="logistic").fit(X, [0, 1] * 15), tmp_path / "few.prrt", X=X)
    assert json.loads(unpack(file)[PART])["patients"]["lab"] == []
    small = table(4)
    file = save_model(LabBaselineClassifier().fit(small, [0, 1] * 2), tmp_path / "small.prrt", X=small)
    assert json.loads(unpack(file)[PART])["ranges"]["lab"] == {}


def test_without_patients_or_a_record_nothing_is_said(tmp_path):
    X = table()
    model = LabPFSClassifier(model="logistic").fit(X, [0, 1] * 15)
    file = save_model(model, tmp_path / "plain.prrt")
    assert PART not in unpack(file)
    assert compare_with_training(file, model, X) == []


@pytest.mark.parametrize("as_files", [False, True])
def test_scans(tmp_path, as_files):
    rng = np.random.default_rng(0)
    voxels = rng.gamma(2, 2, (14, 1, 8, 8, 8)).astype(np.float32)
    voxels[:, 0, 4, 4, 4] = rng.uniform(21, 33, 14)

    def cohort(arrays, name):
        if not as_files:
            return Cohort({"pet": arrays})
        paths = [tmp_path / f"{name}{k}.nii.gz" for k in range(len(arrays))]
        for path, array in zip(paths, arrays, strict=True):
            nib.save(nib.Nifti1Image(array[0], np.diag([8.0, 8, 8, 1])), path)
        return Cohort({"pet": [str(path) for path in paths]})

    X = cohort(voxels, "train")
    model = PETBaselineClassifier(size=8, spacing=8.0, cache_dir=tmp_path / "cache").fit(X, [0, 1] * 7)
    file = save_model(model, tmp_path / "pet.prrt", X=X)
    fresh = voxels[:3] * np.float32([1.0, 1.001, 4.0])[:, None, None, None, None]
    found = compare_with_training(file, load_model(file), cohort(fresh, "new"))
    assert len(found) == 2
    assert found[0].startswith("SUVmax on PET of patient 2 lies outside")
    assert found[1].startswith("patient 0 was among the patients that the model was trained on (by PET)")
