"""Neither the order of columns nor that of patients decides what is read, or hides what stands behind something odd."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from prrt_estimators.datasets import check_cohort, load_cohort
from prrt_estimators.datasets._cells import read_labs
from prrt_estimators.datasets._targets import _binary

N = 10


def good(tmp_path):
    """Return a table with one column of each kind that is passed over, between columns that are read."""
    scans = []
    for k in range(N):
        scans.append(str(tmp_path / f"p{k}.nii.gz") if k else "")
        if k:
            (tmp_path / f"p{k}.nii.gz").write_bytes(b"scan")
    return pd.DataFrame(
        {
            "patient_id": [f"P{k}" for k in range(N)],
            "nothing": [""] * N,
            "sex": ["m", "f"] * (N // 2),
            "one value": ["same"] * N,
            "CgA": ["", "<20", *map(str, range(30, 110, 10))],
            "note": [f"text {k}" for k in range(N)],
            "age": [440, *range(51, 50 + N)],
            "pet": scans,
            "Ki-67 (%)": [5, 130, *range(3, N + 1)],
            "pfs_months": [3, 30] * (N // 2),
            "progressed": [1, 0] * (N // 2),
        }
    )


def loaded(frame):
    """Return what a load says of each patient and column, without their order."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = load_cohort(frame, verbose=False)
    rows = np.argsort(data.X.ids)
    lab = data.X["lab"].reset_index(drop=True).iloc[rows].reset_index(drop=True)
    said = sorted(" ".join(sorted(str(one.message).split())) for one in caught)
    roles = data.roles.sort_values("column").reset_index(drop=True)
    carried = data.frame.iloc[rows].reset_index(drop=True)
    return {
        "lab": lab[sorted(lab)], "pet": list(data.X["pet"].paths[rows]), "y": data.y[rows].tolist(), "roles": roles,
        "carried": carried[sorted(carried)], "said": said,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_a_table_in_another_order_is_the_same_cohort(tmp_path, seed):
    frame, rng = good(tmp_path), np.random.default_rng(seed)
    expected = loaded(frame)
    assert len(expected["said"]) >= 2, "both implausible cells are told"
    assert expected["lab"].shape[1] >= 3
    turned = frame.iloc[:, ::-1] if seed == 0 else frame[rng.permutation(frame.columns)]
    found = loaded(turned.iloc[rng.permutation(N)])
    for name in ("lab", "roles", "carried"):
        pd.testing.assert_frame_equal(found.pop(name), expected.pop(name), obj=name)
    assert found == expected


def test_every_problem_is_found_in_any_order(tmp_path):
    frame = good(tmp_path)
    frame.loc[2, "pet"] = str(tmp_path / "gone.nii.gz")
    frame.loc[3, "pet"] = str(tmp_path)
    frame["CgA"] = frame["CgA"].astype(object)
    frame.loc[5, "CgA"] = "high"
    frame.loc[4, "pfs_months"] = -3
    frame["progressed"] = frame["progressed"].astype(object)
    frame.loc[7, "progressed"] = "maybe"

    def problems(table):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {(one.patient, one.column) for one in check_cohort(table)}

    expected = {("P2", "pet"), ("P3", "pet"), ("P5", "CgA"), ("P4", "pfs_months"), ("P7", "progressed")}
    assert problems(frame) == expected
    assert problems(frame.iloc[::-1, ::-1]) == expected


def test_columns_and_cells_that_tell_nothing_hide_none_behind_them():
    frame = pd.DataFrame({"same": ["x"] * 4, "empty": [None] * 4, "CgA": [1.0, 2.0, 3.0, 4.0], "grade": list("abab")})
    read = read_labs(frame, list(frame), set(), np.arange(4), training=True)
    assert list(read.frame) == ["CgA", "grade"]
    assert {name: role for name, (role, _) in read.log.items()} == {"same": "constant", "empty": "empty"}
    found = _binary(pd.Series([None, "Ja", None, "nein", 1]), frozenset({"ja", "1"}), frozenset({"nein"}))
    np.testing.assert_array_equal(found, [np.nan, 1.0, np.nan, 0.0, 1.0])
