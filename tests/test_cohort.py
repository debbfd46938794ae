import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.utils import _safe_indexing, indexable

from prrt_estimators import Cohort, Volumes, make_prrt_cohort


@pytest.fixture
def cohort():
    survival = np.array([(True, 3.0), (False, 30.0), (True, 9.0), (True, 20.0)], dtype=[("event", "?"), ("time", "f8")])
    return Cohort(
        {
            "lab": pd.DataFrame({"age": [50, 60, 70, 80]}),
            "pet": ["/s/a.nii", None, "/s/c.nii", "/s/d.nii"],
            "ct": np.arange(4 * 8, dtype=np.float32).reshape(4, 1, 2, 2, 2),
        },
        ids=["A", "B", "C", "D"],
        masks={"lesion": ["/s/ma.nii", "/s/mb.nii", None, "/s/md.nii"]},
        survival=survival,
    )


def test_counts_patients_and_lists_modalities_in_one_order(cohort):
    assert len(cohort) == 4
    assert cohort.shape == (4,)
    assert cohort.modalities == tuple(cohort) == ("pet", "ct", "lab")
    assert dict(cohort)["lab"] is cohort["lab"]


@pytest.mark.parametrize(
    "key",
    [[2, 0], np.array([2, 0]), np.array([True, False, True, False]), slice(0, 3, 2), [True, False, True, False]],
)
def test_every_kind_of_index_takes_the_same_rows_of_every_part(cohort, key):
    rows = np.arange(4)[key]
    part = cohort[key]
    assert part.ids.tolist() == [["A", "B", "C", "D"][r] for r in rows]
    assert part["lab"]["age"].tolist() == [[50, 60, 70, 80][r] for r in rows]
    assert part["pet"].paths.tolist() == [["/s/a.nii", None, "/s/c.nii", "/s/d.nii"][r] for r in rows]
    assert part["ct"].array[:, 0, 0, 0, 0].tolist() == [8.0 * r for r in rows]
    assert part.masks["lesion"].paths.tolist() == [["/s/ma.nii", "/s/mb.nii", None, "/s/md.nii"][r] for r in rows]
    assert part.survival["time"].tolist() == [[3.0, 30.0, 9.0, 20.0][r] for r in rows]


def test_one_patient_and_no_patient(cohort):
    assert cohort[-1].ids.tolist() == ["D"]
    assert cohort[np.int64(1)]["pet"].present.tolist() == [False]
    assert len(cohort[[]]) == len(cohort[0:0]) == 0


def test_scikit_learn_indexes_and_splits_it(cohort):
    assert _safe_indexing(cohort, np.array([3, 1])).ids.tolist() == ["D", "B"]
    assert indexable(cohort, [0, 1, 0, 1])[0] is cohort
    train, test = next(StratifiedKFold(2).split(cohort, [0, 0, 1, 1]))
    assert sorted([*train, *test]) == [0, 1, 2, 3]
    left, right = train_test_split(cohort, random_state=0)
    assert sorted([*left.ids, *right.ids]) == ["A", "B", "C", "D"]


def test_select_keeps_what_rides_along(cohort):
    part = cohort.select("lab")
    assert part.modalities == ("lab",)
    assert part.ids.tolist() == cohort.ids.tolist()
    assert part.survival["time"].tolist() == cohort.survival["time"].tolist()
    with pytest.raises(KeyError, match="it has lab"):
        part.select("pet")
    with pytest.raises(KeyError, match="no 'ct'; it has lab"):
        part["ct"]


def test_pickle_of_paths_is_small_and_whole():
    n = 10_000
    X = Cohort(
        {
            "pet": [f"/some/long/folder/of/a/hospital/patient-{i:05d}/PET_suvbw.nii.gz" for i in range(n)],
            "ct": [
                None if i % 7 == 0 else f"/some/long/folder/of/a/hospital/patient-{i:05d}/CT.nii.gz" for i in range(n)
            ],
            "lab": pd.DataFrame(np.random.default_rng(0).normal(size=(n, 17)).astype(np.float64)),
        },
        ids=[f"patient-{i:05d}" for i in range(n)],
    )
    raw = pickle.dumps(X)
    assert len(raw) < 2_000_000
    back = pickle.loads(raw)
    assert back["pet"].paths.tolist() == X["pet"].paths.tolist()
    assert back["ct"].present.tolist() == X["ct"].present.tolist()
    pd.testing.assert_frame_equal(back["lab"], X["lab"])


def test_pickle_of_arrays_and_of_nobody():
    X = Cohort({"pet": np.ones((2, 1, 2, 2, 2))})
    assert pickle.loads(pickle.dumps(X))["pet"].array.tolist() == X["pet"].array.tolist()
    assert len(pickle.loads(pickle.dumps(Cohort({"pet": []})))) == 0


def test_a_patient_whose_voxels_are_all_nan_has_no_scan_but_a_damaged_one_has():
    array = np.ones((3, 1, 2, 2, 2))
    array[0] = np.nan
    array[1, 0, 0, 0, 0] = np.nan
    assert Volumes(array).present.tolist() == [False, True, True]


@pytest.mark.parametrize("empty", [None, np.nan, "", " ", "NA", "none", pd.NA])
def test_empty_cells_are_absent_scans(empty):
    assert Volumes(["a.nii", empty]).present.tolist() == [True, False]


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ({"mri": ["a"]}, ValueError, "at least one of the modalities"),
        ({}, ValueError, "at least one of the modalities"),
        ([1, 2], TypeError, "mapping"),
        (pd.DataFrame({"pet": ["a"]}), TypeError, "load_cohort"),
        ({"pet": ["a"], "lab": np.ones((2, 1))}, ValueError, "'pet': 1, 'lab': 2"),
        ({"pet": np.ones((2, 2))}, ValueError, r"\(n_patients, 1, D, H, W\)"),
        ({"pet": np.full((2, 1, 2, 2, 2), "a")}, TypeError, "hold numbers"),
        ({"pet": [1, 2]}, TypeError, "paths"),
        ({"lab": np.ones(3)}, ValueError, "table of shape"),
    ],
)
def test_wrong_data_are_refused_by_name(data, kind, message):
    with pytest.raises(kind, match=message):
        Cohort(data)


def test_riders_must_fit():
    with pytest.raises(ValueError, match="'ids': 1"):
        Cohort({"lab": np.ones((2, 1))}, ids=["A"])
    with pytest.raises(TypeError, match="'event'"):
        Cohort({"lab": np.ones((2, 1))}, survival=np.ones(2))


def test_spacing_of_an_array_follows_its_patients():
    spacing = np.arange(1.0, 13.0).reshape(4, 3)
    scans = Volumes(np.ones((4, 2, 2, 2)), spacing=spacing)
    X = Cohort({"ct": scans, "lab": np.ones((4, 1))})
    kept = X[[3, 1]]["ct"]
    np.testing.assert_array_equal(kept.spacing, spacing[[3, 1]])
    for same in (
        pickle.loads(pickle.dumps(kept)),
        Volumes(kept),
        X.select("ct")[[3, 1]]["ct"],
        Cohort(X)[[3, 1]]["ct"],
    ):
        np.testing.assert_array_equal(same.spacing, kept.spacing)
    for given in (2.0, (2.0, 2.0, 2.0)):
        assert Volumes(np.ones((4, 2, 2, 2)), spacing=given).spacing.tolist() == [[2.0] * 3] * 4
    spacing[:] = 99.0
    assert scans.spacing.max() == 12.0
    assert Volumes(np.ones((4, 2, 2, 2))).spacing is None


@pytest.mark.parametrize("spacing", [0.0, -1.0, np.nan, np.inf, (1.0, 2.0), np.ones((3, 3)), (1.0, 0.0, 1.0)])
def test_spacing_must_be_millimetres_for_each_patient(spacing):
    with pytest.raises(ValueError, match=r"`spacing` must be positive millimetres.* shape \(4, 3\)"):
        Volumes(np.ones((4, 2, 2, 2)), spacing=spacing)


def test_files_tell_their_own_spacing():
    with pytest.raises(ValueError, match="`spacing` belongs to an array"):
        Volumes(["a.nii.gz"], spacing=1.0)


# In a notebook, and where arrays are asked for ---------------------------------------------------------------------


def test_a_notebook_shows_who_has_what(nifti_cohort):
    X, _ = nifti_cohort(12, missing_pet=(3,))
    html = X._repr_html_()
    assert "Cohort of 12 patients" in html
    assert "<td>11 of 12</td><td>files</td>" in html
    assert "<td>12 of 12</td><td>2 columns</td>" in html


def test_a_cohort_is_no_array_of_its_keys():
    X = Cohort({"lab": pd.DataFrame({"cga": [1.0, 2.0]})})
    with pytest.raises(TypeError, match="not one array"):
        np.asarray(X)
    assert np.asarray(X["lab"]).shape == (2, 1)


def test_voxels_in_memory_count_in_the_size():
    array = np.zeros((4, 1, 8, 8, 8), dtype=np.float32)
    assert sys.getsizeof(Cohort({"pet": array})) >= array.nbytes
    assert sys.getsizeof(Cohort({"pet": ["a.nii.gz"] * 4})) < 2000


def test_a_dataset_shows_itself_in_a_few_lines():
    data = make_prrt_cohort(20, volume_shape=8, random_state=0)
    assert len(repr(data)) < 1000
    assert "y: ndarray of shape (20,)" in repr(data)
    assert "Cohort of 20 patients" in data._repr_html_()


def test_a_cohort_of_a_cohort_keeps_what_is_not_given_anew():
    pet, other = np.ones((2, 1, 2, 2, 2)), np.zeros((2, 1, 2, 2, 2))
    survival = np.array([(True, 1.0), (False, 2.0)], dtype=[("event", bool), ("time", float)])
    first = Cohort(
        {"pet": pet, "lab": np.eye(2)}, ids=["a", "b"], masks={"lesion": pet}, survival=survival,
        blocks={"radiomics": pd.DataFrame({"x": [1.0, 2.0]})},
    )  # fmt: skip
    same = Cohort(first)
    assert same.modalities == first.modalities
    assert same.ids.tolist() == ["a", "b"]
    np.testing.assert_array_equal(same.masks["lesion"].array, pet)
    np.testing.assert_array_equal(same.survival, survival)
    assert same.blocks["radiomics"]["x"].tolist() == [1.0, 2.0]
    changed = Cohort(
        first, ids=["c", "d"], masks={"liver": other}, blocks={"radiomics": pd.DataFrame({"x": [5.0, 6.0]})}
    )
    assert changed.ids.tolist() == ["c", "d"]
    assert list(changed.masks) == ["liver"]
    assert changed.blocks["radiomics"]["x"].tolist() == [5.0, 6.0]
    np.testing.assert_array_equal(changed["pet"].array, pet)
