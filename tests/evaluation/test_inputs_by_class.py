"""Missing values and grids of scans by class."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prrt_estimators.cohort import Cohort
from prrt_estimators.evaluation import inputs_by_class


def test_missing_values_are_compared_by_fisher_s_exact_test():
    y = np.tile([0, 1], 20)
    table = pd.DataFrame({"CgA": np.where((y == 0) & (np.arange(40) < 30), np.nan, 1.0), "age": 60.0})
    (row,) = inputs_by_class(table, y).to_dict("records")
    assert (row["input"], row["what"], row["short"], row["long"]) == ("CgA", "missing", "15 of 20", "0 of 20")
    assert row["p_value"] == pytest.approx(stats.fisher_exact([[15, 5], [0, 20]]).pvalue)
    assert inputs_by_class(np.zeros((40, 2)), y).empty


def test_slice_thickness_by_class_is_read_from_the_headers(tmp_path):
    y, paths = np.array([0, 0, 0, 1, 1, 1]), []
    for k, long in enumerate(y):
        image = nib.Nifti1Image(np.zeros((2, 2, 4 + long), np.float32), np.diag([4.0, 4.0, 3.0 if long else 5.0, 1.0]))
        paths.append(str(tmp_path / f"{k}.nii.gz"))
        nib.save(image, paths[-1])
    rows = inputs_by_class(Cohort({"pet": [*paths[:5], None]}), y).set_index("what")
    assert rows.loc["missing", "long"] == "1 of 3"
    assert rows.loc["slice thickness (mm)", ["short", "long"]].tolist() == ["5 [5, 5]", "3 [3, 3]"]
    assert rows.loc["slices", ["short", "long"]].tolist() == ["4 [4, 4]", "5 [5, 5]"]
    assert np.isnan(rows.loc["voxel width (mm)", "p_value"])


@pytest.mark.parametrize("turn", [1, -1])
def test_patients_without_a_readable_scan_hide_nobody(tmp_path, turn):
    paths = [None, str(tmp_path / "damaged.nii.gz")]
    (tmp_path / "damaged.nii.gz").write_bytes(b"not an image")
    for k in range(4):
        paths.append(str(tmp_path / f"{k}.nii.gz"))
        nib.save(nib.Nifti1Image(np.zeros((2, 2, 3 + k), np.float32), np.diag([4.0, 4.0, 5.0 - k, 1.0])), paths[-1])
    y = np.array([0, 1, 0, 0, 1, 1])
    rows = inputs_by_class(Cohort({"pet": paths[::turn]}), y[::turn]).set_index("what")
    assert rows.loc["missing", ["short", "long"]].tolist() == ["1 of 3", "0 of 3"]
    assert rows.loc["slices", ["short", "long"]].tolist() == ["3.5 [3.25, 3.75]", "5.5 [5.25, 5.75]"]
    assert rows.loc["slice thickness (mm)", ["short", "long"]].tolist() == ["4.5 [4.25, 4.75]", "2.5 [2.25, 2.75]"]
