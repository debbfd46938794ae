"""`ingest(deface=True)` from the export to the files: the head is gone, all else stays, and the record says so."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from ingest_helpers import key_of, make_export, pseudonym

from prrt_estimators.ingest import _convert, _deface, ingest


def scans(out, patient):
    found = {}
    for kind in ("pet", "ct"):
        image = nib.load(out / "patients" / pseudonym(patient) / f"{kind}.nii.gz")
        heights = image.affine[2, 3] + image.affine[2, 2] * np.arange(image.shape[2])
        found[kind] = (image.get_fdata(), heights)
    return found


@pytest.fixture
def export(tmp_path):
    folder = tmp_path / "export"
    return folder, list(make_export(folder, 2).X.ids)


def run(folder, out, **options):
    return ingest(folder / "dicom", folder / "clinical.xlsx", out, key_file=key_of(folder), n_jobs=1, **options)


def test_what_lies_above_the_plane_is_outside_and_nothing_else_changes(export, tmp_path, monkeypatch):
    folder, patients = export
    plain = run(folder, tmp_path / "plain")
    heights = scans(tmp_path / "plain", patients[0])["ct"][1]
    plane = float(heights[len(heights) // 2]) + 0.1
    monkeypatch.setattr(_convert, "head_plane", lambda ct: plane)
    result = run(folder, tmp_path / "faceless", deface=True)
    assert result.n_included == plain.n_included == 2
    for patient in patients:
        before, after = scans(tmp_path / "plain", patient), scans(tmp_path / "faceless", patient)
        for kind, outside in (("pet", 0), ("ct", -1024)):
            above = before[kind][1] > plane
            assert 0 < above.sum() < len(above)
            assert (after[kind][0][..., above] == outside).all()
            np.testing.assert_array_equal(after[kind][0][..., ~above], before[kind][0][..., ~above])
    assert result.flow["notes"].str.contains("head removed").all()
    assert not plain.flow["notes"].str.contains("head removed").any()
    record, other = (
        json.loads((tmp_path / name / "provenance.json").read_text("utf-8")) for name in ("faceless", "plain")
    )
    assert "60 mm above" in json.dumps(record)
    assert "60 mm above" not in json.dumps(other)


def test_a_patient_in_whom_no_lungs_are_found_is_left_out_and_not_passed_on_with_a_face(export, tmp_path, monkeypatch):
    folder, patients = export
    monkeypatch.setattr(_deface, "_LUNG_CM2", 1e9)
    result = run(folder, tmp_path / "out", deface=True)
    assert result.n_included == 0
    assert result.flow["reason"].str.contains("no lungs are found").sum() == len(patients)
    assert not list((tmp_path / "out").rglob("*.nii.gz"))


def test_defacing_a_folder_that_was_made_without_it_makes_the_patients_anew(export, tmp_path, monkeypatch):
    folder, patients = export
    run(folder, tmp_path / "out")
    heights = scans(tmp_path / "out", patients[0])["ct"][1]
    monkeypatch.setattr(_convert, "head_plane", lambda ct: float(heights[1]) + 0.1)
    again = run(folder, tmp_path / "out", deface=True)
    assert again.n_kept == 0
    assert (scans(tmp_path / "out", patients[0])["ct"][0][..., 2:] == -1024).all()
