"""Lesions corrected by hand on the model card."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from prrt_estimators.cohort import Cohort
from prrt_estimators.persistence._cohort_summary import describe_cohort


@pytest.mark.parametrize(("corrected", "shown"), [(0, None), (6, "6"), (3, "&lt;5"), (57, "not shown")])
def test_lesions_corrected_by_hand_are_counted(tmp_path, corrected, shown):
    X = Cohort({"lab": pd.DataFrame({"x": range(60)})}, ids=[f"P{k}" for k in range(60)])
    names = [f"{patient}.nii.gz" for patient in X.ids]
    folder = tmp_path / "lesions_corrected"
    folder.mkdir()
    record = {str(X.ids[k]): {"file": names[k]} for k in range(corrected)}
    (folder / "corrections.json").write_text(json.dumps(record))
    paths = [folder / name if k < corrected else tmp_path / name for k, name in enumerate(names)]
    X = Cohort({"lab": X["lab"]}, masks={"pet_lesions": list(map(str, paths)), "ct_lesions": list(map(str, paths))})
    lines = [line for line in describe_cohort(X, None) if "corrected" in line]
    expected = [] if shown is None else [f"Lesions corrected by hand: {shown} of 60 patients."]
    assert [line.replace("<", "&lt;") for line in lines] == expected
