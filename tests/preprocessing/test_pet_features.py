import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from prrt_estimators import Cohort, Volumes
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.preprocessing import GlobalPETFeatures, LiteratureMarkers


def test_features_agree_with_numpy_on_the_native_grid(tmp_path):
    rng = np.random.default_rng(0)
    suv = rng.gamma(1.0, 2.0, (20, 22, 24)).astype(np.float32)
    nib.save(nib.Nifti1Image(suv, np.diag([-5.0, 5.0, 3.0, 1.0])), tmp_path / "pet.nii.gz")
    row = GlobalPETFeatures(threshold=4.0, size=4).fit_transform(Cohort({"pet": [tmp_path / "pet.nii.gz"]})).iloc[0]
    assert row["suv_max"] == pytest.approx(float(suv.max()))
    assert row["suv_p99"] == pytest.approx(np.percentile(suv, 99), abs=0.03)
    assert row["suv_p95"] == pytest.approx(np.percentile(suv, 95), abs=0.03)
    assert row["suv_mean"] == pytest.approx(suv.mean(), rel=1e-5)
    assert row["volume_above_ml"] == pytest.approx((suv >= 4).sum() * 0.075)
    assert row["total_uptake_ml"] == pytest.approx(suv.sum() * 0.075, rel=1e-4)


def test_arrays_and_absent_scans():
    array = np.random.default_rng(0).random((3, 1, 4, 4, 4))
    array[1] = np.nan
    frame = GlobalPETFeatures(spacing=10.0).fit_transform(array)
    assert frame.isna().all(axis=1).tolist() == [False, True, False]
    with pytest.raises(MissingModalityError, match="needs 'pet'; the data have lab"):
        GlobalPETFeatures().fit_transform(Cohort({"lab": np.ones((2, 1))}))


def test_logarithms_and_the_spacing_that_an_array_holds():
    array = np.zeros((2, 1, 4, 4, 4))
    array[0, 0, :2] = np.e**2 - 1
    array[1] = np.nan
    volumes = Volumes(array, spacing=(10.0, 10.0, 5.0))
    plain = GlobalPETFeatures().fit_transform(volumes)
    assert plain.loc[0, "volume_above_ml"] == pytest.approx(32 * 0.5)
    logs = GlobalPETFeatures(log=True).fit_transform(volumes)
    assert logs.columns.tolist() == [f"log_{name}" for name in plain]
    np.testing.assert_allclose(logs, np.log1p(plain), rtol=1e-12)
    assert logs.loc[0, "log_suv_max"] == pytest.approx(2.0)


def test_markers_use_the_limit_of_the_patient_s_sex_and_the_unit():
    table = pd.DataFrame(
        {
            "Sex": ["m", "w", "?"],
            "Kreatinin [umol/l]": [106.1, 79.58, 92.84],
            "CgA": [100.0, 200.0, 50.0],
            "AST": 30.0,
            "ALT": [15.0, 0.0, 60.0],
        }
    )
    markers = LiteratureMarkers().fit(table)
    assert markers.markers_ == ["cga_uln", "de_ritis", "creatinine_uln"]
    out = markers.transform(table)
    # 88.4 umol/L is 1 mg/dL; limits 1.2 (m), 0.9 (f), their mean 1.05 where the sex is unknown.
    np.testing.assert_allclose(out["creatinine_uln"], [1.0, 1.0, 1.0], rtol=2e-3)
    assert out["cga_uln"].tolist() == [1.0, 2.0, 0.5]
    assert out["de_ritis"].tolist()[::2] == [2.0, 0.5]
    assert np.isnan(out["de_ritis"][1])
