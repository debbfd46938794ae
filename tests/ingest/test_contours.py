"""Contours of an export as lesions of the cohort: every object and structure has a fate, and none costs a patient."""

from __future__ import annotations

import gzip
import io
import json
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest
from contour_builders import belonging, headers, segmentation, structure_set, voxel_box, write
from ingest_helpers import change, everything_in, files, key_of, make_export, pseudonym
from typer.testing import CliRunner

from prrt_estimators.cli import app
from prrt_estimators.contours import read_mask
from prrt_estimators.datasets import load_cohort
from prrt_estimators.ingest import ingest

SURNAME = "Okonkwo"


def lesion_set(folder, patient, number=1, rois=None, kind="pet", **elements):
    """Return a structure set with lesions of 3 x 2 voxels in two slices, and whatever else is asked for."""
    slices = headers(folder, patient, kind)
    drawn = {"Lesion 1": [voxel_box(one, (2, 4), (3, 4)) for one in slices[2:4]]}
    return belonging(structure_set(rois or drawn), slices[0], number, **elements)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contours") / "export"
    return folder, list(make_export(folder, 3).X.ids)


@pytest.fixture
def export(made, tmp_path):
    folder, patients = made
    shutil.copytree(folder, tmp_path / "export")
    shutil.copy(key_of(folder), key_of(tmp_path / "export"))
    return tmp_path / "export", patients


def run(folder, out, **options):
    options = {"verbose": False} | options
    return ingest(folder / "dicom", folder / "clinical.xlsx", out, key_file=key_of(folder), n_jobs=1, **options)


def record(out, patient):
    return json.loads((out / "patients" / pseudonym(patient) / "record.json").read_text())["contours"]


def notes(result, patient):
    return result.flow.set_index("patient_id").loc[pseudonym(patient), "notes"]


def mask(out, patient):
    return np.asarray(nib.load(out / "patients" / pseudonym(patient) / "lesions.nii.gz").dataobj)


def test_three_states(export, tmp_path):
    folder, (drawn, empty, silent) = export
    write(lesion_set(folder, drawn), folder / "dicom" / drawn / "RS.dcm")
    write(lesion_set(folder, empty, 2, {"Lesion": []}), folder / "dicom" / empty / "RS.dcm")
    result = run(folder, tmp_path / "out")
    cohort = pd.read_csv(tmp_path / "out" / "cohort.csv").set_index("patient_id")
    assert cohort.loc[pseudonym(drawn), "lesion_mask"] == f"patients/{pseudonym(drawn)}/lesions.nii.gz"
    assert isinstance(cohort.loc[pseudonym(empty), "lesion_mask"], str)
    assert pd.isna(cohort.loc[pseudonym(silent), "lesion_mask"])
    assert np.bincount(mask(tmp_path / "out", drawn).ravel())[1:].tolist() == [12]
    assert mask(tmp_path / "out", empty).max() == 0
    assert result.contours.loc[result.contours["what"] == "patients", "count"].tolist() == [1, 1]
    lesions = pd.read_csv(tmp_path / "out" / "lesions.csv")
    assert lesions[["patient_id", "lesion", "drawn_on", "source", "voxels"]].values.tolist() == [
        [pseudonym(drawn), 1, "pet", "RTSTRUCT", 12]
    ]
    pet = nib.load(tmp_path / "out" / "patients" / pseudonym(drawn) / "pet.nii.gz")
    inside = np.asarray(pet.dataobj)[mask(tmp_path / "out", drawn) > 0]
    assert np.isclose(lesions["suv_mean"][0], inside.mean(), atol=1e-4)
    assert np.isclose(lesions["suv_max"][0], inside.max(), atol=1e-4)
    assert np.isclose(lesions["volume_ml"][0], 12 * np.prod(pet.header.get_zooms()) / 1000, rtol=1e-3)
    X = load_cohort(tmp_path / "out" / "cohort.csv", verbose=False, target=None, time=None).X
    assert X.masks["lesion_mask"].present.sum() == 2
    read = read_mask(X.masks["lesion_mask"].paths[X.masks["lesion_mask"].present][0])
    assert not read.unknown


def test_every_structure_has_one_fate(export, tmp_path):
    folder, (patient, other, _) = export
    slices = headers(folder, patient)
    inside = [voxel_box(slices[2], (2, 4), (3, 4))]
    rois = {
        "Lesion 1": inside, "Liver": inside, "PTV": inside, "ROI 7": inside, "Met tiny": [voxel_box(slices[2], (3, 2), (3, 2))],
        "Met none": [], "Met far": [voxel_box(slices[2], (2, 4), (3, 4), up=9000.0)],
    }  # fmt: skip
    place = folder / "dicom" / patient
    write(lesion_set(folder, patient, 1, rois), place / "a.dcm")
    old = lesion_set(folder, patient, 2, {"GTV": inside, "Liver": inside}, StructureSetDate="20200101")
    write(old, place / "b.dcm")
    away = lesion_set(folder, patient, 3, {"GTV": inside, "Liver": inside}, series=False)
    away.FrameOfReferenceUID = "1.2.3.4.5"
    away.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.2.3.4.5"
    for roi in away.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = "1.2.3.4.5"
    write(away, place / "c.dcm")
    write(lesion_set(folder, patient, 4, {"GTV": inside}, kind="ct"), place / "d.dcm")
    somebody = lesion_set(folder, patient, 5, {"GTV": inside})
    somebody.PatientSex = "F" if somebody.PatientSex == "M" else "M"
    write(somebody, place / "e.dcm")
    write(lesion_set(folder, patient, 6, {"Milz": inside}), place / "f.dcm")
    (place / "g.dcm").write_bytes((place / "a.dcm").read_bytes()[:-700])
    write(lesion_set(folder, other), folder / "dicom" / other / "RS.dcm")
    result = run(folder, tmp_path / "out")
    assert result.n_included == 3
    told = record(tmp_path / "out", patient)
    assert told["objects"] == {
        "of another examination": 1, "of another observer": 1, "of another person": 1, "on the CT, beside the PET": 1,
        "taken": 1, "unreadable": 1, "without lesions": 1,
    }  # fmt: skip
    assert told["structures"] == {
        "of another examination": 2, "of another observer": 1, "of another person": 1, "on the CT, beside the PET": 1,
        "organ": 3, "outside the scan": 1, "planning": 1, "taken": 1, "unnamed": 1, "without a voxel": 1,
        "without contours": 1,
    }  # fmt: skip
    readable = list(place.glob("[a-f].dcm"))
    counted = sum(len(pydicom.dcmread(path).StructureSetROISequence) for path in readable)
    assert sum(told["structures"].values()) == counted
    assert sum(told["objects"].values()) == len(readable) + 1
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["patients"][pseudonym(patient)]["contours"] == told
    assert "2 sets of contours; the last by date is taken" in notes(result, patient)


def test_another_kind_of_damage_each(export, tmp_path):
    folder, patients = export
    for patient, undefined in zip(patients[:2], (False, True), strict=True):
        dataset = lesion_set(folder, patient)
        for keyword in ("StructureSetROISequence", "ROIContourSequence"):
            dataset[keyword].is_undefined_length = undefined
        stream = io.BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        whole = stream.getvalue()
        for number, share in enumerate((0.35, 0.5, 0.7, 0.9, 0.98)):
            (files(folder, patient, "pet")[0].parent / f"RS{number}.dcm").write_bytes(whole[: int(share * len(whole))])
    result = run(folder, tmp_path / "out")
    assert result.n_included == 3
    for patient in patients[:2]:
        assert record(tmp_path / "out", patient)["objects"] == {"unreadable": 5}
        assert "a contour object cannot be used" in notes(result, patient)


def test_a_segmentation_and_a_frame_of_reference(export, tmp_path):
    folder, (patient, *_) = export
    slices = headers(folder, patient)
    first = slices[0]
    affine = np.eye(4)
    affine[:3, :3] = np.diag([float(first.PixelSpacing[1]), float(first.PixelSpacing[0]), 1.0])
    affine[:3, 3] = [float(v) for v in first.ImagePositionPatient]
    affine[2, 2] = float(slices[1].ImagePositionPatient[2]) - affine[2, 3]
    lesion = np.zeros((first.Columns, first.Rows, len(slices)), bool)
    lesion[1:3, 2:5, 3] = True
    dataset = belonging(segmentation({"met": lesion, "spleen": lesion}, affine), first, series=False)
    write(dataset, folder / "dicom" / patient / "SEG.dcm")
    run(folder, tmp_path / "out")
    told = record(tmp_path / "out", patient)
    assert (told["state"], told["source"], told["drawn_on"]) == ("lesions", "SEG", "pet")
    assert told["structures"] == {"organ": 1, "taken": 1}
    found, pet = (
        nib.load(tmp_path / "out" / "patients" / pseudonym(patient) / f"{name}.nii.gz") for name in ("lesions", "pet")
    )
    assert found.shape == pet.shape
    assert np.allclose(found.affine, pet.affine)
    assert np.count_nonzero(found.dataobj) == 6


def observers(folder, patient):
    slices = headers(folder, patient)
    for number, (day, columns) in enumerate((("20240101", (1, 2)), ("20240301", (3, 5)), ("20240201", (1, 3))), 1):
        rois = {"GTV": [voxel_box(slices[2], columns, (3, 4))]}
        dataset = lesion_set(folder, patient, number, rois, StructureSetDate=day)
        write(dataset, folder / "dicom" / patient / f"RS{number}.dcm")


@pytest.mark.parametrize(("asked", "lesions"), [("first", [4]), ("last", [6]), ("all", [10])])
def test_observers_are_not_joined_in_silence(export, tmp_path, asked, lesions):
    folder, (patient, *_) = export
    observers(folder, patient)
    result = run(folder, tmp_path / "out", contours=asked)
    assert np.bincount(mask(tmp_path / "out", patient).ravel())[1:].tolist() == lesions
    told = record(tmp_path / "out", patient)
    if asked == "all":
        assert told["agreement_dice"] == [0.8, 0.0, 0.333]
        assert "agreement (Dice) is 0.80, 0.00, 0.33" in notes(result, patient)
    else:
        assert told["objects"] == {"of another observer": 2, "taken": 1}
        assert f"the {asked} by date is taken, 2 left out" in notes(result, patient)


def test_objects_of_one_series_are_one_observer(export, tmp_path):
    folder, (patient, *_) = export
    slices = headers(folder, patient)
    for number, columns in enumerate(((1, 2), (5, 6))):
        rois = {f"Lesion {number}": [voxel_box(slices[2], columns, (3, 4))]}
        dataset = lesion_set(folder, patient, 1, rois)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.77.{number}"
        write(dataset, folder / "dicom" / patient / f"RS{number}.dcm")
    run(folder, tmp_path / "out")
    assert record(tmp_path / "out", patient)["objects"] == {"taken": 2}
    assert mask(tmp_path / "out", patient).max() == 2


def test_the_user_names_lesions_and_objects(export, tmp_path):
    folder, (patient, *_) = export
    slices = headers(folder, patient)
    rois = {name: [voxel_box(slices[k], (1, k), (3, 4))] for k, name in enumerate(("ROI 1", "GTV 1", "GTV 2"), 1)}
    write(lesion_set(folder, patient, 1, rois), folder / "dicom" / patient / "RS.dcm")
    for number, (options, voxels) in enumerate(
        (
            ({}, 10),
            ({"lesions": "^roi"}, 2),
            ({"not_lesions": "2$"}, 4),
            ({"override": {patient: {"contours": "999"}}}, 0),
        )
    ):
        run(folder, tmp_path / str(number), **options)
        assert sum(row["voxels"] for row in record(tmp_path / str(number), patient).get("lesions", [])) == voxels
    assert record(tmp_path / "3", patient)["objects"] == {"not named by the user": 1}
    with pytest.raises(ValueError, match="regular expression"):
        run(folder, tmp_path / "x", lesions="(")
    with pytest.raises(ValueError, match="`contours` must be one of"):
        run(folder, tmp_path / "x", contours="both")


def test_again_changes_no_byte_and_a_change_redoes_one_patient(export, tmp_path):
    folder, (patient, other, _) = export
    out = tmp_path / "out"
    for number, one in enumerate((patient, other)):
        write(lesion_set(folder, one, number), folder / "dicom" / one / "RS.dcm")
    run(folder, out)
    before = everything_in(out)
    assert run(folder, out).n_kept == 3
    assert everything_in(out) == before
    slices = headers(folder, patient)
    rois = {"Lesion 1": [voxel_box(slices[2], (2, 6), (3, 4))]}
    write(lesion_set(folder, patient, 0, rois), folder / "dicom" / patient / "RS.dcm")
    assert run(folder, out).n_kept == 2
    assert pd.read_csv(out / "lesions.csv").set_index("patient_id").loc[pseudonym(patient), "voxels"] == 10
    (folder / "dicom" / patient / "RS.dcm").unlink()
    assert run(folder, out).n_kept == 2
    assert not (out / "patients" / pseudonym(patient) / "lesions.nii.gz").exists()
    assert pd.read_csv(out / "lesions.csv")["patient_id"].tolist() == [pseudonym(other)]
    (folder / "dicom" / other / "RS.dcm").unlink()
    run(folder, out)
    assert not (out / "lesions.csv").exists()
    assert "lesion_mask" not in pd.read_csv(out / "cohort.csv")


@pytest.mark.parametrize("deep", [True, False])
def test_no_name_in_a_contour_object_leaves(export, tmp_path, deep):
    folder, (patient, *_) = export
    slices = headers(folder, patient)
    inside = [voxel_box(slices[2], (2, 4), (3, 4))]
    dataset = lesion_set(folder, patient, 1, {f"Lesion {SURNAME}": inside} if deep else {"Lesion": inside})
    if not deep:
        dataset.ReviewerName = f"{SURNAME}^Ada"
        dataset.RTROIObservationsSequence[0].ROIInterpreter = f"{SURNAME}^Ada"
    write(dataset, folder / "dicom" / patient / "RS.dcm")
    image = np.zeros((slices[0].Columns, slices[0].Rows, len(slices)), bool)
    image[2:4, 2:4, 2] = True
    seg = belonging(segmentation({f"met of {SURNAME}" if deep else "met": image}, np.eye(4)), slices[0], 2)
    seg.ContentCreatorName = "" if deep else f"{SURNAME}^Ada"
    write(seg, folder / "dicom" / patient / "SEG.dcm")
    out = tmp_path / "out"
    assert run(folder, out).findings == ()
    for name, content in everything_in(out).items():
        assert SURNAME.casefold() not in name.casefold()
        assert SURNAME.casefold().encode() not in content.lower()
    (out / "note.txt").write_text(f"drawn by {SURNAME}")
    assert [(one.file, one.kind) for one in run(folder, out).findings] == [("note.txt", "name")]


PLACES = ("ROIName", "ROIInterpreter", "ReviewerName", "ContentCreatorName", "SegmentLabel")


@pytest.mark.parametrize("place", PLACES)
def test_a_name_in_any_one_place_is_kept_in_and_searched_for(export, tmp_path, place):
    folder, (patient, *_) = export
    slices = headers(folder, patient)
    name = f"Lesion {SURNAME}" if place in ("ROIName", "SegmentLabel") else f"{SURNAME}^Ada"
    if place in ("ContentCreatorName", "SegmentLabel"):
        image = np.zeros((slices[0].Columns, slices[0].Rows, len(slices)), bool)
        image[2:4, 2:4, 2] = True
        dataset = belonging(segmentation({name if place == "SegmentLabel" else "met": image}, np.eye(4)), slices[0])
        if place == "ContentCreatorName":
            dataset.ContentCreatorName = name
    else:
        inside = [voxel_box(slices[2], (2, 4), (3, 4))]
        dataset = lesion_set(folder, patient, 1, {name if place == "ROIName" else "Lesion": inside})
        if place == "ReviewerName":
            dataset.ReviewerName = name
        elif place == "ROIInterpreter":
            dataset.RTROIObservationsSequence[0].ROIInterpreter = name
    write(dataset, folder / "dicom" / patient / "CO.dcm")
    out = tmp_path / "out"
    words = ["ingest", folder / "dicom", "--clinical", folder / "clinical.xlsx", "--out", out, "--key", key_of(folder)]
    command = [str(word) for word in (*words, "--jobs", 1)]
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 0, answer.output
    for written, content in {**everything_in(out), "shell": answer.output.encode()}.items():
        raw = gzip.decompress(content) if written.endswith(".gz") else content
        assert SURNAME.casefold().encode() not in written.casefold().encode() + content.lower() + raw.lower()
    (out / "note.txt").write_text(f"drawn by {SURNAME}")
    assert CliRunner().invoke(app, command).exit_code == 1


def test_words_of_the_clinic_are_no_names(export, tmp_path):
    folder, (patient, *_) = export
    slices = headers(folder, patient)
    rois = {"Lesion Sigma left upper": [voxel_box(slices[2], (2, 4), (3, 4))], "Zwerchfell": []}
    write(lesion_set(folder, patient, 1, rois), folder / "dicom" / patient / "RS.dcm")
    table = pd.read_excel(folder / "clinical.xlsx", dtype=object).assign(
        site=["Zwerchfell", "zwerchfell", "Zwerchfell"]
    )
    result = ingest(
        folder / "dicom", table, tmp_path / "out", key_file=key_of(folder), n_jobs=1, keep=["site"], verbose=False
    )
    assert result.findings == ()
    assert pd.read_csv(tmp_path / "out" / "cohort.csv")["site"].str.lower().tolist() == ["zwerchfell"] * 3


def test_lesions_above_the_plane_are_cut(tmp_path):
    from prrt_estimators.contours import lesion_labels
    from prrt_estimators.contours._regions import Region, Structures
    from prrt_estimators.ingest._contour_choice import PatientLesions
    from prrt_estimators.ingest._lesion_files import lesion_image, lesion_record

    whole = np.zeros((4, 4, 8), bool)
    whole[1, 1, [0, 7]] = True
    lesions = lesion_labels(Structures(np.eye(4), (4, 4, 8), (Region("", 1, "", (0, 0, 0), whole),)))
    found = PatientLesions("lesions", lesions, "pet", "SEG")
    image = lesion_image(found, 5.0)
    assert np.argwhere(np.asarray(image.dataobj)).tolist() == [[1, 1, 0]]
    assert len(lesion_record(found, image, None)["lesions"]) == 1
    assert lesion_image(found, -1.0) is None
    assert found.state == "none"
    assert lesion_image(None) is None


def test_a_patient_without_scans_keeps_no_contours(export, tmp_path):
    folder, (patient, *_) = export
    write(lesion_set(folder, patient), folder / "dicom" / patient / "RS.dcm")
    change(files(folder, patient, "pet"), lambda ds: delattr(ds, "RescaleSlope"))
    shutil.rmtree(folder / "dicom" / patient / "CT")
    result = run(folder, tmp_path / "out", require=())
    assert result.n_included == 2
