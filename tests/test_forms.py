"""Each form in which other tools hand over patients gives the predictions of the plain Cohort, or a refusal that names forms."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import deque
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from monai.data import MetaTensor

from prrt_estimators import Cohort, FusionPFSClassifier, LabPFSClassifier, PETPFSClassifier, Volumes
from prrt_estimators._forms import image_file
from prrt_estimators._validation import as_cohort

N = 6
SHAPES = [(9, 8, 10), (8, 8, 8), (10, 9, 8), (8, 9, 9), (9, 9, 9), (8, 10, 8)]


def affine(k):
    place = np.diag([4.0, 4.0, 4.0 + 0.5 * k, 1.0])
    place[:3, 3] = [-10, 5, k]
    return place


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Scans of different shapes in files, laboratory values, outcome, and models fitted on the plain Cohort."""
    folder = tmp_path_factory.mktemp("forms")
    rng = np.random.default_rng(0)
    arrays = [rng.gamma(2.0, 2.0, shape).astype(np.float32) for shape in SHAPES]
    paths = []
    for k, array in enumerate(arrays):
        nib.save(nib.Nifti1Image(array, affine(k)), folder / f"{k}.nii.gz")
        paths.append(str(folder / f"{k}.nii.gz"))
    lab = pd.DataFrame({"CgA": rng.lognormal(5, 1, N), "ALT": rng.uniform(10, 60, N)})
    y = np.array([0, 1] * 3)
    tiny = {
        "size": (8, 8, 8),
        "spacing": (5.0, 5.0, 5.0),
        "max_epochs": 1,
        "random_state": 0,
        "cache_dir": folder / "cache",
    }
    pet = PETPFSClassifier(**tiny).fit(Cohort({"pet": paths}), y)
    fusion = FusionPFSClassifier(**tiny).fit(Cohort({"pet": paths, "lab": lab}), y)
    return {"arrays": arrays, "paths": paths, "lab": lab, "y": y, "pet": pet, "fusion": fusion}


def images(arrays):
    return [nib.Nifti1Image(array, affine(k)) for k, array in enumerate(arrays)]


def meta(arrays, grad=False):
    return [
        MetaTensor(torch.tensor(array[None], requires_grad=grad), affine=torch.tensor(affine(k)))
        for k, array in enumerate(arrays)
    ]


class Records:
    """Records as a dataset of torch or MONAI gives them: counted and indexed, nothing more."""

    def __init__(self, records):
        self.records = records

    def __len__(self):
        return len(self.records)

    def __getitem__(self, k):
        return self.records[k]


FORMS = {
    "list of paths": lambda p: p["paths"],
    "tuple of pathlib paths": lambda p: tuple(map(Path, p["paths"])),
    "series of paths": lambda p: pd.Series(p["paths"]),
    "array of paths": lambda p: np.array(p["paths"], dtype=object),
    "images read from files": lambda p: [nib.load(path) for path in p["paths"]],
    "images in memory": lambda p: images(p["arrays"]),
    "tensors with a place": lambda p: meta(p["arrays"]),
    "tensors with a place and a gradient": lambda p: meta(p["arrays"], grad=True),
    "pairs": lambda p: [(array, affine(k)) for k, array in enumerate(p["arrays"])],
    "keys in upper case": lambda p: {"PET": p["paths"]},
    "mapping of images": lambda p: {"Pet": images(p["arrays"])},
    "volumes": lambda p: Volumes(images(p["arrays"])),
    "records": lambda p: [{"pet": path, "label": int(one)} for path, one in zip(p["paths"], p["y"], strict=True)],
    "pairs as lists": lambda p: [[array, affine(k)] for k, array in enumerate(p["arrays"])],
    "queue of paths": lambda p: deque(p["paths"]),
    "values of a mapping": lambda p: dict(enumerate(p["paths"])).values(),
    "paths as bytes": lambda p: [path.encode() for path in p["paths"]],
    "column of polars": lambda p: pytest.importorskip("polars").Series(p["paths"]),
    "column of pyarrow": lambda p: pytest.importorskip("pyarrow").array(p["paths"]),
    "chunks of pyarrow": lambda p: pytest.importorskip("pyarrow").chunked_array([p["paths"][:2], p["paths"][2:]]),
    "dataset of records": lambda p: Records([{"pet": path} for path in p["paths"]]),
    "array of records": lambda p: np.array([{"pet": path} for path in p["paths"]]),
    "column of records": lambda p: pd.Series([{"pet": path} for path in p["paths"]]),
    "records of images": lambda p: [{"PET": one, "pet_meta_dict": {}} for one in meta(p["arrays"])],
}


@pytest.mark.parametrize("form", FORMS)
def test_scans_of_one_modality(patients, form):
    plain = patients["pet"].predict_proba(Cohort({"pet": patients["paths"]}))
    found = patients["pet"].predict_proba(FORMS[form](patients))
    # A file that was written anew has its place in space in single precision.
    np.testing.assert_allclose(found, plain, atol=1e-6)


@pytest.mark.parametrize("form", ["list of paths", "images in memory", "records"])
def test_fit_takes_them_too(patients, form):
    model = PETPFSClassifier(**patients["pet"].get_params()).fit(FORMS[form](patients), patients["y"])
    np.testing.assert_allclose(
        model.predict_proba({"pet": patients["paths"]}),
        patients["pet"].predict_proba({"pet": patients["paths"]}),
        atol=1e-5,
    )


def records(p):
    return [
        {"id": f"P{k}", "pet": path, "CgA": cga, "ALT": alt, "label": int(one)}
        for k, (path, cga, alt, one) in enumerate(
            zip(p["paths"], p["lab"]["CgA"], p["lab"]["ALT"], p["y"], strict=True)
        )
    ]


BOTH = {
    "records": records,
    "records with nested values": lambda p: [
        {"pet": one["pet"], "lab": {"CgA": one["CgA"], "ALT": one["ALT"]}} for one in records(p)
    ],
    "table by its names": lambda p: Cohort.from_frame(pd.DataFrame(records(p))),
    "tensors": lambda p: {"pet": p["paths"], "lab": torch.tensor(p["lab"].to_numpy(), requires_grad=True)},
    "keys in any case": lambda p: {"LAB": p["lab"], "Pet": p["paths"]},
}


@pytest.mark.parametrize("form", BOTH)
def test_scans_and_laboratory_values(patients, form):
    plain = patients["fusion"].predict_proba(Cohort({"pet": patients["paths"], "lab": patients["lab"]}))
    X = BOTH[form](patients)
    if form == "tensors":  # a tensor has no names of columns
        lab = pd.DataFrame(patients["lab"].to_numpy())
        model = FusionPFSClassifier(**patients["fusion"].get_params()).fit(
            {"pet": patients["paths"], "lab": lab}, patients["y"]
        )
        np.testing.assert_array_equal(
            model.predict_proba(X), model.predict_proba({"pet": patients["paths"], "lab": lab})
        )
        return
    np.testing.assert_array_equal(patients["fusion"].predict_proba(X), plain)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries_keep_their_names(patients, library):
    module = pytest.importorskip(library)
    table = (
        module.DataFrame(patients["lab"].to_dict("list"))
        if library == "polars"
        else module.table(patients["lab"].to_dict("list"))
    )
    plain = patients["fusion"].predict_proba({"pet": patients["paths"], "lab": patients["lab"]})
    np.testing.assert_array_equal(patients["fusion"].predict_proba({"pet": patients["paths"], "lab": table}), plain)
    assert Cohort.from_frame(table)["lab"].columns.tolist() == ["CgA", "ALT"]


LABS = {
    "array with named fields": lambda lab: lab.to_records(index=False),
    "rows": lambda lab: [row for _, row in lab.iterrows()],
    "dataset of records": lambda lab: Records(lab.to_dict("records")),
    "cells of pandas that may be missing": lambda lab: lab.convert_dtypes(),
    "mapping of named fields": lambda lab: {"lab": lab.to_records(index=False)},
    "mapping of records": lambda lab: {"LAB": lab.to_dict("records")},
    "mapping of columns": lambda lab: {"lab": lab.to_dict("list")},
    "lazy table of polars": lambda lab: pytest.importorskip("polars").DataFrame(lab.to_dict("list")).lazy(),
    "batch of pyarrow": lambda lab: pytest.importorskip("pyarrow").RecordBatch.from_pydict(lab.to_dict("list")),
}


@pytest.mark.parametrize("form", LABS)
def test_laboratory_values(patients, form):
    lab, y = patients["lab"], patients["y"]
    model = LabPFSClassifier(model="logistic").fit(lab, y)
    plain = model.predict_proba(Cohort({"lab": lab}))
    np.testing.assert_allclose(model.predict_proba(LABS[form](lab)), plain, atol=1e-12)
    again = LabPFSClassifier(model="logistic").fit(LABS[form](lab), y)
    np.testing.assert_allclose(again.predict_proba(lab), plain, atol=1e-12)


def test_outcome_and_weights_as_tensors_that_have_a_gradient(patients):
    lab, y, weight = patients["lab"], patients["y"], np.linspace(1, 2, N)
    plain = LabPFSClassifier(model="logistic").fit(lab, y, sample_weight=weight).predict_proba(lab)
    tensors = [torch.tensor(one, dtype=torch.float64, requires_grad=True) for one in (y, weight)]
    model = LabPFSClassifier(model="logistic").fit(lab, tensors[0], sample_weight=tensors[1])
    np.testing.assert_allclose(model.predict_proba(lab), plain, atol=1e-12)


def test_tensors_of_half_the_digits(patients):
    tensor = MetaTensor(torch.tensor(patients["arrays"][0][None]).bfloat16(), affine=torch.tensor(affine(0)))
    rounded = torch.tensor(patients["arrays"][0]).bfloat16().float().numpy()
    np.testing.assert_array_equal(nib.load(image_file(tensor)).get_fdata(), rounded)


def test_an_absent_mask_of_a_table_is_no_laboratory_value():
    table = pd.DataFrame({"tumour_mask": [None, "m.nii.gz"], "CgA": [1.0, 2.0]}).replace({None: np.nan})
    X = Cohort.from_records(table.to_dict("records"))
    assert list(X["lab"]) == ["CgA"]
    assert X.masks["tumour_mask"].present.tolist() == [False, True]
    nested = Cohort.from_records([{"lab": {"CgA": 1.0}}, {"lab": np.nan}])
    assert nested["lab"]["CgA"].isna().tolist() == [False, True]


def test_a_table_alone_is_patients_without_scans(patients):
    fusion, lab = patients["fusion"], patients["lab"]
    np.testing.assert_array_equal(fusion.predict_proba(lab), fusion.predict_proba({"lab": lab}))
    absent = fusion.predict_proba(Cohort({"pet": [None] * N, "lab": lab}))
    np.testing.assert_allclose(fusion.predict_proba(lab), absent, atol=1e-6)


def test_one_patient_without_the_axis_of_patients(patients):
    whole = {"pet": patients["paths"][:1], "lab": patients["lab"].iloc[:1]}
    plain = patients["fusion"].predict_proba(whole)
    image = nib.load(patients["paths"][0])
    np.testing.assert_array_equal(
        patients["pet"].predict_proba(patients["paths"][0]), patients["pet"].predict_proba(patients["paths"][:1])
    )
    row = patients["fusion"].predict_proba({"pet": patients["paths"][0], "lab": patients["lab"].iloc[0]})
    np.testing.assert_allclose(row, plain, atol=1e-6)
    for scan in (patients["paths"][0], Path(patients["paths"][0]), image, meta(patients["arrays"])[0]):
        found = patients["fusion"].predict_proba({"pet": scan, "lab": dict(patients["lab"].iloc[0])})
        np.testing.assert_allclose(found, plain, atol=1e-6)
    array = patients["arrays"][0]
    alike = Cohort({"pet": array[None, None]})
    np.testing.assert_array_equal(as_cohort(array, image="pet")["pet"].array, alike["pet"].array)
    np.testing.assert_array_equal(
        Cohort({"pet": torch.tensor(array, requires_grad=True)})["pet"].array, alike["pet"].array
    )


def test_a_mapping_of_columns_is_a_table():
    X = Cohort({"lab": {"CgA": [1.0, 2.0, 3.0], "sex": ["m", "f", "m"]}})
    assert X["lab"].shape == (3, 2)
    assert Cohort({"lab": {"CgA": 1.0, "sex": "m"}})["lab"].shape == (1, 2)


def test_arrays_of_one_grid_are_stacked_and_a_batch_is_taken_apart(patients):
    arrays = [np.full((4, 5, 6), k, dtype=np.float32) for k in range(3)]
    for listed in (arrays, [one[None] for one in arrays], list(map(torch.tensor, arrays))):
        X = Cohort({"ct": [*listed, None]})
        assert X["ct"].present.tolist() == [True, True, True, False]
        np.testing.assert_array_equal(X["ct"].array[:3, 0], arrays)
    batch = MetaTensor(
        torch.tensor(np.stack(arrays)[:, None]), affine=torch.tensor(np.stack([affine(k) for k in range(3)]))
    )
    X = Cohort({"ct": batch})
    for k, path in enumerate(X["ct"].paths):
        image = nib.load(path)
        np.testing.assert_allclose(image.affine, affine(k), atol=1e-5)
        np.testing.assert_array_equal(image.get_fdata(), arrays[k])


def test_axes_of_lps_are_turned():
    tensor = MetaTensor(torch.zeros(1, 2, 2, 2), affine=torch.tensor(affine(1)), meta={"space": "LPS"})
    np.testing.assert_allclose(nib.load(image_file(tensor)).affine, np.diag([-1.0, -1, 1, 1]) @ affine(1), atol=1e-5)


def test_records_and_outcome(patients):
    X, y = Cohort.from_records(records(patients), return_X_y=True)
    assert y.tolist() == patients["y"].tolist()
    assert X.ids.tolist() == [f"P{k}" for k in range(N)]
    assert list(X["lab"]) == ["CgA", "ALT"]
    one = {"PET": "a.nii.gz", "tumour_mask": "m.nii.gz", "Label": "seg.nii.gz", "time": 5.0, "event": 1}
    X = Cohort.from_records([one])
    assert sorted(X.masks) == ["Label", "tumour_mask"]
    assert X.survival.tolist() == [(True, 5.0)]
    frame = pd.DataFrame({"ct": ["a.nii.gz", None], "CgA": [1.0, 2.0]}, index=["A", "B"])
    assert Cohort.from_frame(frame).ids.tolist() == ["A", "B"]


def test_refusals_name_what_is_accepted(patients):
    with pytest.raises(TypeError, match=r"got 2 shapes.*Give the affine"):
        Cohort({"pet": patients["arrays"][:2]})
    with pytest.raises(TypeError, match="nibabel"):
        Cohort({"pet": [3.5]})
    with pytest.raises(TypeError, match="which modality"):
        patients["fusion"].predict_proba(patients["paths"])
    with pytest.raises(TypeError, match=r"list of records.*nibabel"):
        as_cohort(3)
    with pytest.raises(ValueError, match=r"from_records"):
        Cohort({"pet": patients["paths"], "label": patients["y"]})
    with pytest.raises(ValueError, match="different case"):
        Cohort({"pet": ["a.nii.gz"], "PET": ["a.nii.gz"]})
    with pytest.raises(ValueError, match=r"'image' holds files.*load_cohort"):
        Cohort.from_records([{"image": "a.nii.gz"}])
    with pytest.raises(ValueError, match="both give the label"):
        Cohort.from_records([{"label": 1, "y": 0, "CgA": 1}])
    with pytest.raises(ValueError, match="every patient needs an outcome"):
        Cohort.from_records([{"CgA": 1, "label": 1}, {"CgA": 2}], return_X_y=True)
    with pytest.raises(TypeError, match="got none"):
        Cohort.from_records([])
    with pytest.raises(TypeError, match="got one of type list"):
        Cohort.from_records([[1]])
    with pytest.raises(TypeError, match=r"Cohort\.from_frame"):
        Cohort(pd.DataFrame({"pet": ["a.nii.gz"]}))
    with pytest.raises(ValueError, match="one volume per patient"):
        Cohort({"pet": [nib.Nifti1Image(np.zeros((2, 2, 2, 3), np.float32), np.eye(4))]})


def test_refusals_name_the_accepted_form(patients):
    pet, fusion = patients["pet"], patients["fusion"]
    with pytest.raises(TypeError, match=r"generator, which can be read only once\. Pass list\(X\)"):
        pet.predict_proba(path for path in patients["paths"])
    with pytest.raises(TypeError, match=r"map, which can be read only once\. Pass list\(X\)"):
        fusion.predict_proba(map(dict, records(patients)))
    with pytest.raises(ValueError, match=r"columns pet\. Pass Cohort\.from_frame\(table\)"):
        pet.predict_proba(pd.DataFrame({"pet": patients["paths"]}))
    with pytest.raises(ValueError, match=r"column 'pet' .*Cohort\.from_frame\(table\)"):
        fusion.predict_proba(pd.DataFrame(records(patients)))
    with pytest.raises(TypeError, match=r"got the path 'cohort\.csv'.*load_cohort\(path\)"):
        fusion.predict_proba("cohort.csv")
    with pytest.raises(ValueError, match=r"\{'lab': table\}"):
        fusion.predict_proba(patients["lab"].to_dict("list"))
    with pytest.raises(ValueError, match="a list of paths"):
        pet.predict_proba(set(patients["paths"]))


def test_a_table_with_files_and_outcome_is_not_learnt_as_laboratory_values(patients):
    frame = pd.DataFrame(records(patients))
    with pytest.raises(ValueError, match="load_cohort"):
        patients["fusion"].fit(frame, patients["y"])


def test_images_are_written_once_and_go_with_the_process(patients, tmp_path):
    image = images(patients["arrays"])[0]
    assert image_file(image) == image_file(nib.Nifti1Image(patients["arrays"][0], affine(0)))
    assert image_file(image) != image_file(nib.Nifti1Image(patients["arrays"][0], affine(1)))
    own = nib.load(patients["paths"][0])
    assert image_file(own) == patients["paths"][0]
    X = Cohort({"pet": [image]})
    assert pickle.loads(pickle.dumps(X))["pet"].paths.tolist() == [image_file(image)]
    code = (
        "import numpy as np; from prrt_estimators._forms import image_file; "
        "print(image_file((np.zeros((2, 2, 2)), np.eye(4))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not Path(done.stdout.strip()).parent.exists()
