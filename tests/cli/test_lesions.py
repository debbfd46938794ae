"""``prrt lesions`` as a clinician uses it: out, corrected, back; and into the hospital's archive."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pydicom
import pytest
from ingest_helpers import files, key_of, make_export, pseudonym
from typer.testing import CliRunner

from prrt_estimators.cli import app
from prrt_estimators.contours import (
    count_corrected,
    read_mask,
    read_rtstruct,
    read_segmentation,
    write_rtstruct,
    write_seg_nrrd,
)
from prrt_estimators.datasets import load_cohort
from prrt_estimators.dicom import read_pet
from prrt_estimators.estimators import LabPFSClassifier
from prrt_estimators.features import LesionFeatures
from prrt_estimators.ingest import ingest
from prrt_estimators.persistence import save_model


def prrt(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An export in which one patient has two lesions, drawn as RTSTRUCT, and the cohort made of it."""
    folder = tmp_path_factory.mktemp("lesions") / "export"
    patients = list(make_export(folder, 3).X.ids)
    images = files(folder, patients[0], "pet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pet = read_pet(images)
    labels = np.zeros(pet.shape, np.uint16)
    labels[1:3, 1:3, 1:3], labels[5:7, 5:7, 4:6] = 1, 2
    write_rtstruct(folder / "dicom" / patients[0] / "RS.dcm", labels, pet.affine, images)
    ingest_again(folder)
    return folder, patients, labels, pet


def ingest_again(folder):
    out = folder.parent / "cohort"
    return ingest(folder / "dicom", folder / "clinical.xlsx", out, key_file=key_of(folder), n_jobs=1, verbose=False)


def masked(cohort):
    """Return the patients of a cohort."""
    return load_cohort(cohort / "cohort.csv", verbose=False, time=None, event=None, target=None).X


def test_out_corrected_and_back(made):
    pytest.importorskip("nrrd")
    folder, (patient, *_), labels, pet = made
    cohort, out = folder.parent / "cohort", folder.parent / "out"
    name = pseudonym(patient)
    answer = prrt(
        "lesions", cohort / "cohort.csv", "--out", out, "--lesions", "mask", "--cache-dir", folder.parent / "cache"
    )
    assert answer.exit_code == 0, answer.output
    assert (out / "overview.png").is_file()
    assert (read_mask(out / "edit" / f"{name}.seg.nrrd").labels == labels).all()
    assert len(pd.read_csv(out / "edit" / "lesions.csv")) == 2
    features = LesionFeatures(lesions="mask", numbers="field", cache_dir=folder.parent / "cache")
    before = features.fit_transform(masked(cohort)).set_index(np.array(masked(cohort).ids)).loc[name]
    one = np.where(labels == 2, 1, 0).astype(np.uint16)
    # As 3D Slicer saves a segmentation of which one segment was deleted.
    write_seg_nrrd(out / "edit" / f"{name}.seg.nrrd", one, pet.affine)
    answer = prrt("lesions", cohort / "cohort.csv", "--from", out)
    assert answer.exit_code == 0, answer.output
    assert "removed" in answer.stdout
    table = pd.read_csv(cohort / "cohort.csv").set_index("patient_id")
    assert table.loc[name, "lesion_mask"] == f"lesions_corrected/{name}.nii.gz"
    assert pd.read_csv(cohort / "lesions.csv")["source"].tolist() == ["corrected by hand"]
    after = features.fit_transform(masked(cohort)).set_index(np.array(masked(cohort).ids)).loc[name]
    assert (before["n_lesions"], after["n_lesions"]) == (2, 1)
    assert after["lesion_volume_ml"] == pytest.approx(
        before["lesion_volume_ml"] * (labels == 2).sum() / (labels > 0).sum()
    )
    assert count_corrected(masked(cohort)) == (1, 1)
    # The correction outlives another run, and goes with contours that are drawn anew.
    assert ingest_again(folder).findings == ()
    assert (
        pd.read_csv(cohort / "cohort.csv")
        .set_index("patient_id")
        .loc[name, "lesion_mask"]
        .startswith("lesions_corrected")
    )
    assert pd.read_csv(cohort / "lesions.csv")["source"].tolist() == ["corrected by hand"]
    write_rtstruct(folder / "dicom" / patient / "RS.dcm", one, pet.affine, files(folder, patient, "pet"))
    ingest_again(folder)
    assert pd.read_csv(cohort / "lesions.csv")["source"].tolist() == ["RTSTRUCT"]


def test_one_lesion_removed_is_seen_in_the_table_the_features_and_the_model_card(tmp_path):
    """The whole walk, with as many patients as a card needs to count them."""
    pytest.importorskip("nrrd")
    folder, n = tmp_path / "export", 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truth = make_export(folder, n)
        for patient in truth.X.ids:
            pet = read_pet(files(folder, patient, "pet"))
            labels = np.zeros(pet.shape, np.uint16)
            labels[1:3, 1:3, 1:3], labels[5:7, 5:7, 4:6] = 1, 2
            write_rtstruct(folder / "dicom" / patient / "RS.dcm", labels, pet.affine, files(folder, patient, "pet"))
    ingest_again(folder)
    cohort, out, cache = tmp_path / "cohort", tmp_path / "out", tmp_path / "cache"
    before, card_before = numbers_and_card(cohort, cache, tmp_path / "before.prrt")
    words = ("--out", out, "--lesions", "mask", "--cache-dir", cache)
    assert prrt("lesions", cohort / "cohort.csv", *words).exit_code == 0
    for file in (out / "edit").glob("*.seg.nrrd"):
        mask = read_mask(file)
        write_seg_nrrd(file, np.where(mask.labels == 2, 1, 0).astype(np.uint16), mask.affine)
    assert pd.read_csv(cohort / "lesions.csv")["source"].tolist() == ["RTSTRUCT"] * 2 * n
    answer = prrt("lesions", cohort / "cohort.csv", "--from", out)
    assert answer.exit_code == 0, answer.output
    after, card_after = numbers_and_card(cohort, cache, tmp_path / "after.prrt")
    assert pd.read_csv(cohort / "lesions.csv")["source"].tolist() == ["corrected by hand"] * n
    assert (before["n_lesions"].tolist(), after["n_lesions"].tolist()) == ([2] * n, [1] * n)
    assert (after["lesion_volume_ml"] < before["lesion_volume_ml"]).all()
    assert "corrected by hand" not in card_before
    assert f"Lesions corrected by hand: {n} of {n} patients." in card_after


def numbers_and_card(cohort, cache, file):
    """Return the lesion numbers of each patient, and the card of a model that was fitted on them."""
    X = masked(cohort)
    table = LesionFeatures(lesions="mask", numbers="field", cache_dir=cache).fit_transform(X)
    y = np.arange(len(X)) % 2
    lab = LabPFSClassifier(n_estimators=2, random_state=0).fit({"lab": table[["n_lesions", "lesion_volume_ml"]]}, y)
    save_model(lab, file, X=X, y=y)
    return table, file.with_name(f"{file.name}.md").read_text("utf-8")


def test_into_the_studies(made):
    pytest.importorskip("highdicom")
    folder, (patient, *_), _, pet = made
    cohort, out = folder.parent / "cohort", folder.parent / "archive"
    words = ("lesions", cohort / "cohort.csv", "--dicom", folder / "dicom", "--key", key_of(folder), "--rtstruct")
    answer = prrt(*words, "--out", out)
    assert answer.exit_code == 0, answer.output
    assert "Keep them inside the hospital" in answer.stderr
    mask = read_mask(next((cohort / "patients" / pseudonym(patient)).glob("lesions.nii.gz")))
    segments = read_segmentation(out / pseudonym(patient) / "SEG.dcm")
    outlines = read_rtstruct(out / pseudonym(patient) / "RTSTRUCT.dcm")
    for structures in (segments.on(pet.affine, pet.shape), outlines.on(pet.affine, pet.shape)):
        union = np.zeros(pet.shape, bool)
        for region in structures.regions:
            union[region.box] |= region.mask
        assert (union == (mask.labels > 0)).all()
    first = pydicom.dcmread(files(folder, patient, "pet")[0], stop_before_pixels=True)
    written = pydicom.dcmread(out / pseudonym(patient) / "SEG.dcm", stop_before_pixels=True)
    assert (written.PatientID, written.StudyInstanceUID) == (first.PatientID, first.StudyInstanceUID)
    assert written.ReferencedSeriesSequence[0].SeriesInstanceUID == first.SeriesInstanceUID
    refused = prrt(*words, "--out", cohort / "archive")
    assert refused.exit_code == 2
    assert "folder of a cohort" in refused.stderr
    assert not (cohort / "archive").exists()


def test_wrong_use(made, tmp_path):
    cohort = made[0].parent / "cohort" / "cohort.csv"
    assert prrt("lesions", cohort).exit_code == 2
    assert prrt("lesions", cohort, "--out", tmp_path, "--from", tmp_path).exit_code == 2
    assert prrt("lesions", cohort, "--out", tmp_path, "--dicom", tmp_path).exit_code == 2
    assert prrt("lesions", cohort, "--from", tmp_path).exit_code == 2
