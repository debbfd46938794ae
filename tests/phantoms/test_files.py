"""Synthetic cohorts on disk: NIfTI, DICOM, whole folders."""

import hashlib
import sys
import zipfile
from datetime import datetime

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from prrt_estimators.datasets import (
    load_cohort,
    make_cohort_folder,
    make_prrt_cohort,
    write_dicom_cohort,
    write_nifti_cohort,
)
from prrt_estimators.exceptions import MissingDependencyError


@pytest.fixture(scope="module")
def cohort():
    return make_prrt_cohort(
        5, volume_shape=(14, 12, 16), n_centres=6, missing_modalities=0.5, missing_labs=0.2, random_state=11
    )


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_nifti_round_trip(cohort, tmp_path):
    table = pd.read_csv(write_nifti_cohort(cohort, tmp_path / "out"))
    assert table.columns[:6].tolist() == ["patient_id", "pet", "ct", "lesion_mask", "sex", "age"]
    assert table.columns[-3:].tolist() == ["centre", "pfs_months", "progressed"]
    assert table["patient_id"].tolist() == cohort.X.ids.tolist()
    np.testing.assert_array_equal(table["pfs_months"], cohort.time)
    stored = set()
    for name, values in (
        ("pet", cohort.X["pet"]),
        ("ct", cohort.X["ct"]),
        ("lesion_mask", cohort.X.masks["lesion"]),
    ):
        for row, path in enumerate(table[name]):
            if not values.present[row]:
                assert pd.isna(path)
                continue
            image = nib.load(tmp_path / "out" / path)
            stored.add("".join(nib.aff2axcodes(image.affine)))
            image = nib.as_closest_canonical(image)
            np.testing.assert_array_equal(image.get_fdata(dtype=np.float32), values[row][0])
            np.testing.assert_allclose(image.affine, cohort.affines[row], rtol=1e-5, atol=1e-4)
    assert len(stored) > 1  # centres store their voxels in different orientations
    assert not (cohort.X["pet"].present.all() and cohort.X["ct"].present.all())


def test_load_cohort_reads_what_was_written(tmp_path):
    cohort = make_prrt_cohort(12, volume_shape=8, random_state=0)
    loaded = load_cohort(write_nifti_cohort(cohort, tmp_path / "out"))
    np.testing.assert_array_equal(loaded.y, cohort.y)
    assert loaded.X.modalities == cohort.X.modalities
    assert loaded.X.ids.tolist() == cohort.X.ids.tolist()
    assert loaded.X["lab"].columns.tolist() == cohort.X["lab"].columns.tolist()
    numbers = cohort.X["lab"].drop(columns="sex")
    np.testing.assert_allclose(loaded.X["lab"][numbers.columns].astype(float), numbers)
    assert loaded.X["lab"]["sex"].tolist() == cohort.X["lab"]["sex"].tolist()


def read_series(folder):
    pydicom = pytest.importorskip("pydicom")
    slices = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    return sorted(slices, key=lambda ds: float(ds.ImagePositionPatient[2]))


def as_ras(slices, values):
    """Stack slices whose rows run to Posterior and columns to Left as (Right, Anterior, Superior)."""
    assert all(list(ds.ImageOrientationPatient) == [1, 0, 0, 0, 1, 0] for ds in slices)
    return np.stack([v.T[::-1, ::-1] for v in values], axis=-1)


def clock(ds, date, time):
    return datetime.strptime(f"{ds[date].value}{str(ds[time].value)[:6]}", "%Y%m%d%H%M%S")


def test_dicom_pet_reads_back_as_suv(tmp_path):
    cohort = make_prrt_cohort(2, volume_shape=(14, 12, 16), random_state=1)
    table = pd.read_excel(write_dicom_cohort(cohort, tmp_path / "out"))
    for row, series in enumerate(table["pet"]):
        slices = read_series(tmp_path / "out" / series)
        assert len(slices) == 16
        first = slices[0]
        tracer = first.RadiopharmaceuticalInformationSequence[0]
        assert (first.Modality, first.Units, first.DecayCorrection) == ("PT", "BQML", "START")
        assert {"ATTN", "DECY"} <= set(first.CorrectedImage)
        # SUVbw by the definition: concentration * weight / activity left at the start of the scan, in decay constants.
        injected = datetime.strptime(str(tracer.RadiopharmaceuticalStartDateTime)[:14], "%Y%m%d%H%M%S")
        uptake_s = (clock(first, "SeriesDate", "SeriesTime") - injected).total_seconds()
        assert 40 * 60 < uptake_s < 90 * 60
        left = float(tracer.RadionuclideTotalDose) * np.exp(-np.log(2) / float(tracer.RadionuclideHalfLife) * uptake_s)
        grams = 1000 * float(first.PatientWeight)
        suv = as_ras(
            slices,
            [ds.pixel_array * float(ds.RescaleSlope) * grams / left for ds in slices],
        )
        expected = cohort.X["pet"].array[row, 0]
        steps = np.array([float(ds.RescaleSlope) for ds in slices]) * grams / left
        assert np.all(np.abs(suv - expected) <= 0.51 * steps + 1e-6)
        assert len(set(steps)) > 1
        assert float(first.PatientWeight) == cohort.patients["weight_kg"][row]


def test_dicom_geometry_is_that_of_the_affine(tmp_path):
    cohort = make_prrt_cohort(1, volume_shape=(10, 9, 8), random_state=1)
    write_dicom_cohort(cohort, tmp_path / "out")
    for kind in ("PET", "CT"):
        slices = read_series(tmp_path / "out/dicom/P0001" / kind)
        row_mm, column_mm = (float(v) for v in slices[0].PixelSpacing)
        np.testing.assert_allclose(
            [column_mm, row_mm, float(slices[1].ImagePositionPatient[2] - slices[0].ImagePositionPatient[2])],
            cohort.spacing[0],
            atol=1e-3,
        )
        # The first pixel of a slice is the voxel furthest to the Right and the front.
        far = cohort.affines[0] @ [9, 8, 0, 1]
        np.testing.assert_allclose(slices[0].ImagePositionPatient, [-far[0], -far[1], far[2]], atol=1e-3)


def test_dicom_ct_is_in_hu_with_padding_outside_the_round_field(tmp_path):
    cohort = make_prrt_cohort(1, volume_shape=(16, 12, 8), random_state=1)
    write_dicom_cohort(cohort, tmp_path / "out")
    slices = read_series(tmp_path / "out/dicom/P0001/CT")
    raw = as_ras(slices, [ds.pixel_array for ds in slices])
    padded = raw == slices[0].PixelPaddingValue
    assert slices[0].PixelPaddingValue == -2000
    assert padded[0, 0].all()
    assert padded[-1, -1].all()
    assert not padded[8, 6].any()
    hu = raw * float(slices[0].RescaleSlope) + float(slices[0].RescaleIntercept)
    expected = cohort.X["ct"].array[0, 0]
    np.testing.assert_array_equal(hu[~padded], expected[~padded])
    assert (expected[padded] < -800).mean() > 0.95


def test_the_spreadsheet_holds_text_where_laboratories_write_text(tmp_path):
    cohort = make_prrt_cohort(60, volume_shape=8, missing_labs=0.1, missing_modalities=0.3, random_state=3)
    table = pd.read_excel(write_dicom_cohort(cohort, tmp_path / "out"), dtype=object)
    crp = table["crp_mg_l"].dropna()
    assert (crp == "<0.6").any()
    assert crp.str.contains(r"^\d+,\d$").any()
    present = cohort.X["pet"].present
    np.testing.assert_array_equal(table["pet"].notna(), present)
    assert sorted(path.name for path in (tmp_path / "out/dicom").iterdir() if (path / "PET").exists()) == list(
        cohort.X.ids[present]
    )


@pytest.mark.parametrize("write", [write_nifti_cohort, write_dicom_cohort])
def test_same_cohort_same_bytes(cohort, tmp_path, write):
    write(cohort, tmp_path / "a")
    write(cohort, tmp_path / "b")
    assert len(digests(tmp_path / "a")) > 10
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    # Two runs within a second would agree by chance: no file carries the time of writing.
    for path in (tmp_path / "a").rglob("*.gz"):
        assert path.read_bytes()[4:8] == bytes(4)
    for path in (tmp_path / "a").rglob("*.xlsx"):
        with zipfile.ZipFile(path) as book:
            assert {item.date_time[0] for item in book.infolist()} == {2020}
            assert book.read("docProps/core.xml").count(b"2020-01-01T00:00:00Z") == 2


def test_a_folder_is_the_cohort_written_without_holding_it(cohort, tmp_path):
    write_nifti_cohort(cohort, tmp_path / "whole")
    options = {"n_centres": 6, "missing_modalities": 0.5, "missing_labs": 0.2, "random_state": 11}
    table = make_cohort_folder(tmp_path / "lazy", 5, "nifti", volume_shape=(14, 12, 16), **options)
    assert table == tmp_path / "lazy" / "cohort.csv"
    assert digests(tmp_path / "whole") == digests(tmp_path / "lazy")
    write_dicom_cohort(cohort, tmp_path / "whole_dicom")
    make_cohort_folder(tmp_path / "lazy_dicom", 5, "dicom", volume_shape=(14, 12, 16), **options)
    assert digests(tmp_path / "whole_dicom") == digests(tmp_path / "lazy_dicom")


def test_ct_may_lie_on_a_grid_of_its_own(tmp_path):
    make_cohort_folder(tmp_path / "out", 1, volume_shape=10, ct_shape=20)
    pet, ct = (nib.load(tmp_path / f"out/images/P0001_{kind}.nii.gz") for kind in ("pet", "ct"))
    assert (pet.shape, ct.shape) == ((10,) * 3, (20,) * 3)
    np.testing.assert_allclose(np.diag(pet.affine)[:3], 2 * np.diag(ct.affine)[:3], rtol=1e-5)
    # The outer corner of the first voxel is one and the same point.
    ends = [(i.affine @ [-0.5, -0.5, -0.5, 1])[:3] for i in (pet, ct)]
    np.testing.assert_allclose(ends[0], ends[1], atol=0.01)


def test_the_truth_lies_beside_the_table_and_not_in_it(cohort, tmp_path):
    table = pd.read_csv(write_nifti_cohort(cohort, tmp_path / "out"))
    assert not set(cohort.truth.factors.columns) & set(table.columns)
    attainable = pd.read_csv(tmp_path / "out/truth/attainable.csv", index_col=0)
    pd.testing.assert_frame_equal(attainable, cohort.truth.attainable)
    factors = pd.read_csv(tmp_path / "out/truth/factors.csv", index_col=0)
    np.testing.assert_allclose(factors["log_hazard"], cohort.truth.log_hazard, atol=1e-5)


def test_a_folder_is_whole_or_absent(cohort, tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="not empty"):
        write_nifti_cohort(cohort, tmp_path / "full")
    (tmp_path / "empty").mkdir()
    write_nifti_cohort(cohort, tmp_path / "empty")

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        write_nifti_cohort(cohort, tmp_path / "broken")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]


def test_a_missing_package_is_named_with_its_extra(cohort, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "prrt-estimators\[dicom\]"'):
        write_dicom_cohort(cohort, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_cohort_without_volumes_is_refused(tmp_path):
    tables_only = make_prrt_cohort(2, volumes=False, random_state=0)
    with pytest.raises(ValueError, match="holds no rendered volumes"):
        write_nifti_cohort(tables_only, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`format` must be"):
        make_cohort_folder(tmp_path / "out", 1, "nrrd")
