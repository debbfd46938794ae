"""Cohorts one below the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort, Volumes

SURVIVAL = np.array([(True, 5.0), (False, 9.0)], dtype=[("event", bool), ("time", float)])


def files(*names):
    return [None if name is None else f"/data/{name}.nii.gz" for name in names]


def test_parts_of_a_cohort_give_it_back():
    lab = pd.DataFrame({"CgA": [1.0, 2.0, 3.0, 4.0], "sex": ["m", "f", "m", "f"]})
    survival = np.concatenate([SURVIVAL, SURVIVAL])
    X = Cohort(
        {"pet": files("a", None, "c", "d"), "lab": lab}, ids=list("ABCD"), masks={"lesion": files("m", None, None, "n")},
        survival=survival,
    )  # fmt: skip
    whole = Cohort.concat([X[:1], X[1:3], X[3:]])
    assert whole.ids.tolist() == list("ABCD")
    assert whole["pet"].paths.tolist() == X["pet"].paths.tolist()
    assert whole.masks["lesion"].paths.tolist() == X.masks["lesion"].paths.tolist()
    pd.testing.assert_frame_equal(whole["lab"], lab)
    assert whole.survival.tolist() == survival.tolist()


def test_blocks_are_joined_too():
    lab = pd.DataFrame({"CgA": [1.0, 2.0]})
    first = Cohort({"lab": lab}, ids=["A", "B"], blocks={"radiomics": pd.DataFrame({"f": [3.0, 4.0]})})
    second = Cohort({"lab": lab}, ids=["C", "D"], blocks={"genes": pd.DataFrame({"g": [5.0, 6.0]})})
    whole = Cohort.concat([first, second])
    assert whole.blocks["radiomics"]["f"].fillna(0).tolist() == [3, 4, 0, 0]
    assert whole.blocks["genes"]["g"].fillna(0).tolist() == [0, 0, 5, 6]


def test_a_table_of_a_cohort_gives_it_back():
    lab = pd.DataFrame({"CgA": [1.0, 2.0], "sex": ["m", "f"]})
    masks = {"lesion": files("m", None), "liver": files(None, "l")}
    X = Cohort({"pet": files("a", None), "lab": lab}, ids=["A", "B"], masks=masks, survival=SURVIVAL)
    table = X.to_frame()
    assert table.columns.tolist() == ["pet", "lesion", "liver_mask", "time", "event", "CgA", "sex"]
    again = Cohort.from_frame(table)
    assert again.ids.tolist() == ["A", "B"]
    assert again["pet"].paths.tolist() == X["pet"].paths.tolist()
    assert again.masks["lesion"].paths.tolist() == X.masks["lesion"].paths.tolist()
    assert again.masks["liver_mask"].present.tolist() == [False, True]
    assert again.survival.tolist() == X.survival.tolist()
    assert again["lab"].to_dict("list") == lab.to_dict("list")
    with pytest.raises(TypeError, match=r"'pet' is an array.*select"):
        Cohort({"pet": np.zeros((1, 1, 2, 2, 2)), "lab": lab[:1]}).to_frame()


def test_what_one_lacks_is_absent():
    first = Cohort({"lab": pd.DataFrame({"CgA": [1.0]})}, ids=["A"])
    second = Cohort({"ct": files("b"), "lab": pd.DataFrame({"ALT": [2.0]})}, ids=["B"], survival=SURVIVAL[:1])
    third = Cohort({"ct": files("c")}, ids=["C"])
    whole = Cohort.concat([first, second, third])
    assert whole["ct"].present.tolist() == [False, True, True]
    assert whole["lab"].notna().to_numpy().tolist() == [[True, False], [False, True], [False, False]]
    assert whole.survival is None


def test_arrays_keep_their_spacing():
    a, b = (Cohort({"pet": Volumes(np.full((2, 1, 2, 3, 4), k), spacing=(k, 2, 3))}) for k in (1.0, 2.0))
    whole = Cohort.concat([a, b])
    assert whole["pet"].array.mean(axis=(1, 2, 3, 4)).tolist() == [1, 1, 2, 2]
    assert whole["pet"].spacing[:, 0].tolist() == [1, 1, 2, 2]
    assert whole.ids.tolist() == ["0", "1", "2", "3"]
    lab = Cohort({"lab": np.ones((1, 1))})
    assert Cohort.concat([lab, a])["pet"].present.tolist() == [False, True, True]


def test_refusals():
    lab = Cohort({"lab": np.ones((2, 1))}, ids=["A", "B"])
    with pytest.raises(ValueError, match="2 ids are in two"):
        Cohort.concat([lab, lab])
    with pytest.raises(TypeError, match="got dict"):
        Cohort.concat([lab, {"lab": np.ones((2, 1))}])
    with pytest.raises(ValueError, match="empty"):
        Cohort.concat([])
    array, path = Cohort({"ct": np.ones((1, 1, 2, 2, 2))}), Cohort({"ct": files("a")})
    with pytest.raises(TypeError, match="files in one cohort"):
        Cohort.concat([array, path])
    with pytest.raises(ValueError, match="several grids"):
        Cohort.concat([array, Cohort({"ct": np.ones((1, 1, 3, 2, 2))})])
