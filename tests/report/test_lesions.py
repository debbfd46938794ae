"""The lesions of a cohort as files."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from prrt_estimators import Cohort, Volumes, make_prrt_cohort
from prrt_estimators.cli import app
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.plotting import _lesion_sheet
from prrt_estimators.report import write_lesions

SHAPE = (24, 18, 32)


@pytest.fixture(scope="module")
def bunch():
    return make_prrt_cohort(3, volume_shape=SHAPE, random_state=5304)


@pytest.fixture(scope="module")
def files(bunch, tmp_path_factory):
    """PET stored towards Left and Posterior, CT on a grid of its own; the third patient has no CT."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = []
    for k in range(3):
        row = {"patient_id": f"P {k + 1}"}
        for scan, code in (("pet", "LPS"), ("ct", "RAS")):
            if (k, scan) == (2, "ct"):
                continue
            image = nib.Nifti1Image(bunch.X[scan].array[k, 0], bunch.affines[k])
            turn = nib.orientations.ornt_transform(
                nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(code)
            )
            image = image.as_reoriented(turn)
            if scan == "ct":
                image = image.slicer[2:]
            row[scan] = f"{k}_{scan}.nii.gz"
            nib.save(image, folder / row[scan])
        rows.append(row)
    pd.DataFrame(rows).to_csv(folder / "cohort.csv", index=False)
    return folder / "cohort.csv"


def test_the_command_writes_volumes_tables_and_a_sheet(files, tmp_path):
    out = tmp_path / "lesions"
    words = ["lesions", str(files), "--out", str(out), "--lab", "none", "--cache-dir", str(tmp_path / "c")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    table, patients = pd.read_csv(out / "lesions.csv"), pd.read_csv(out / "patients.csv")
    assert patients["patient_id"].tolist() == ["P 1", "P 2", "P 3"]
    assert set(table["scan"]) == {"pet", "ct"}
    assert table["confidence"].between(0, 1).all()
    assert table.loc[table["patient_id"] == "P 3", "scan"].eq("pet").all()
    assert table.loc[table["patient_id"] == "P 3", "on_other_scan"].isna().all()
    assert (out / "overview.png").read_bytes()[:4] == b"\x89PNG"
    cohort = pd.read_csv(files)
    for k, scan in ((0, "pet"), (0, "ct"), (2, "pet")):
        labels = nib.load(out / "volumes" / f"P_{k + 1}_{scan}_lesions.nii.gz")
        scanned = nib.load(files.parent / cohort.loc[k, scan])
        np.testing.assert_allclose(labels.affine, scanned.affine, atol=1e-5)
        assert labels.shape == scanned.shape
        own = table[(table["patient_id"] == f"P {k + 1}") & (table["scan"] == scan)]
        values = np.asarray(labels.dataobj)
        assert sorted(own["lesion"]) == np.unique(values[values > 0]).tolist()
        ml = abs(np.linalg.det(labels.affine[:3, :3])) / 1000
        np.testing.assert_allclose(own["volume_ml"].sum(), (values > 0).sum() * ml, rtol=1e-3)
        first = own.iloc[0]
        centre = nib.affines.apply_affine(labels.affine, np.argwhere(values == first["lesion"]).mean(0))
        np.testing.assert_allclose(first[["x_mm", "y_mm", "z_mm"]].astype(float), centre, atol=0.1)
        if scan == "pet":
            suv = np.asarray(scanned.dataobj)[values > 0]
            assert own["suv_max"].max() == pytest.approx(suv.max(), abs=1e-3)
    assert patients.loc[0, "n_lesions"] == len(table[(table["patient_id"] == "P 1") & (table["scan"] == "pet")])


def test_masks_are_lesions_too_and_have_no_confidence(bunch, tmp_path):
    file = write_lesions(bunch.X, tmp_path, lesions="mask", cache_dir=tmp_path / "c")
    table = pd.read_csv(file)
    assert table["confidence"].isna().all()
    ml = np.prod(bunch.spacing, axis=1) / 1000
    mask = bunch.X.masks["lesion"].array[:, 0] > 0
    for scan in ("pet", "ct"):
        volume = table[table["scan"] == scan].groupby("patient_id")["volume_ml"].sum()
        np.testing.assert_allclose(volume, mask.reshape(3, -1).sum(1) * ml, rtol=1e-3)
    assert table["on_other_scan"].all()


def test_sheets_of_an_earlier_run_go(bunch, tmp_path, monkeypatch):
    monkeypatch.setattr(_lesion_sheet, "PATIENTS_PER_SHEET", 2)
    options = {"cache_dir": tmp_path / "c"}
    write_lesions(bunch.X, tmp_path / "out", **options)
    assert sorted(file.name for file in (tmp_path / "out").glob("*.png")) == ["overview.png", "overview_2.png"]
    write_lesions(bunch.X[[0]], tmp_path / "out", **options)
    assert [file.name for file in (tmp_path / "out").glob("*.png")] == ["overview.png"]


def test_a_patient_without_scans_has_no_row_of_lesions(bunch, tmp_path):
    nothing = np.full((2, 1, *SHAPE), np.nan, np.float32)
    nothing[0] = bunch.X["ct"].array[0]
    X = Cohort({"ct": Volumes(nothing, spacing=bunch.spacing[:2])}, ids=["a", "b"])
    table = pd.read_csv(write_lesions(X, tmp_path, cache_dir=tmp_path / "c"))
    assert set(table["patient_id"]) <= {"a"}
    assert table["scan"].eq("ct").all()
    assert pd.read_csv(tmp_path / "patients.csv").loc[1].drop("patient_id").isna().all()


def test_what_cannot_be_written_is_said(bunch, tmp_path):
    with pytest.raises(MissingModalityError):
        write_lesions(bunch.X.select("lab"), tmp_path)
    with pytest.raises(ValueError, match="different file names"):
        write_lesions(Cohort({"pet": bunch.X["pet"]}, ids=["a 1", "a_1", "b"]), tmp_path)
    with pytest.raises(ValueError, match="`lesions` must be one of"):
        write_lesions(bunch.X, tmp_path, lesions="suv3")
    assert not list(tmp_path.iterdir())
