"""Damaged exports: every patient concerned ends in the flow table with the reason, and all others are complete."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest
from ingest_helpers import SHAPE, change, clinical, files, key_of, make_export, new_series, pseudonym
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

from prrt_estimators.ingest import ingest

#: What happens to a patient: the stage it ends in ("" for included) and what the reason or note says.
DAMAGES = {
    "pixels end early": ("PET", "1 PET file(s) end before their last pixel"),
    "header ends early": ("PET", "1 damaged file(s) among the PET images"),
    "no weight": ("reading", "PatientWeight"),
    "zero dose": ("reading", "RadionuclideTotalDose"),
    "injected after the scan": ("reading", "PET: "),
    "no slope": ("reading", "RescaleSlope"),
    "units of counts": ("reading", "PROPCNTS"),
    "two persons": ("identity", "two persons under one identifier: dates of birth differ"),
    "PET without CT": ("CT", "no CT series"),
    "CT without PET": ("PET", "no PET series"),
    "CT of another study": ("CT", "no CT in the frame of reference of the PET"),
    "CT of another day": ("CT", "more than a day from the PET"),
    "unreadable file": ("PET", "1 unreadable file(s) among the PET images"),
    "slice twice": ("reading", "PET: "),
    "slice missing": ("reading", "CT: "),
    "garbage for a slice": ("reading", "CT: "),
    "empty file": ("PET", "1 empty file(s) among the PET images"),
    "not attenuation-corrected": ("PET", "1 not attenuation-corrected"),
    "localiser only": ("CT", "no usable CT series (1 localiser)"),
    "several orientations": ("CT", "1 slices in several orientations"),
    "several sizes": ("PET", "1 slices of several sizes"),
    "coronal": ("CT", "1 not axial"),
    "screen shots": ("CT", "1 secondary capture"),
    "row without images": ("images", "a row in the table, but no images"),
    "images without row": ("images", "images, but no row in the table"),
    "rows that differ": ("table", "2 rows in the table that differ"),
    "DICOMDIR without files": ("images", "the DICOMDIR lists images, but none is there"),
    "DICOMDIR lists more": ("PET", "1 PET image(s) that the DICOMDIR lists are not there"),
    "several days": ("PET", "PET on 2 days (day 0, 300) and no date of therapy"),
    "rows that are equal": ("", "2 equal rows in the table, one used"),
    "unknown unit": ("", "creatinine: a unit that is not known; value left out"),
    "copies": ("", "3 copies of PET files left out"),
    "text among the images": ("", ""),
    "another reconstruction": ("", ""),
    "healthy": ("", ""),
}


def damage(kind: str, folder: Path, patient: str) -> None:
    """Do to a patient what the name says."""
    pet, ct = files(folder, patient, "pet"), files(folder, patient, "ct")
    place = folder / "dicom" / patient

    def set_tags(paths, **tags):
        change(paths, lambda ds: [setattr(ds, name, value) for name, value in tags.items()])

    def set_dose(**tags):
        change(
            pet,
            lambda ds: [setattr(ds.RadiopharmaceuticalInformationSequence[0], name, tags[name]) for name in tags],
        )

    if kind == "pixels end early":
        pet[3].write_bytes(pet[3].read_bytes()[:-30])
    elif kind == "header ends early":
        pet[3].write_bytes(pet[3].read_bytes()[:700])
    elif kind == "no weight":
        change(pet, lambda ds: delattr(ds, "PatientWeight"))
    elif kind == "zero dose":
        set_dose(RadionuclideTotalDose="0")
    elif kind == "injected after the scan":
        set_dose(RadiopharmaceuticalStartDateTime="20990101120000")
    elif kind == "no slope":
        change(pet[2:3], lambda ds: delattr(ds, "RescaleSlope"))
    elif kind == "units of counts":
        set_tags(pet, Units="PROPCNTS")
    elif kind == "two persons":
        set_tags(pet, PatientBirthDate="19500101")
        set_tags(ct, PatientBirthDate="19510101")
    elif kind in ("PET without CT", "CT without PET"):
        for path in ct if kind == "PET without CT" else pet:
            path.unlink()
    elif kind == "CT of another study":
        set_tags(ct, StudyInstanceUID=generate_uid(), FrameOfReferenceUID=generate_uid())
    elif kind == "CT of another day":
        set_tags(ct, StudyDate="20100101", SeriesDate="20100101", AcquisitionDate="20100101")
    elif kind == "unreadable file":
        pet[3].unlink()
        pet[3].symlink_to(place / "gone")
    elif kind == "slice twice":
        twin = pydicom.dcmread(pet[3])
        twin.SOPInstanceUID = twin.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        twin.PixelData = (np.frombuffer(twin.PixelData, "<i2") // 2).tobytes()
        twin.save_as(pet[3].with_name("twin.dcm"))
    elif kind == "slice missing":
        ct[3].unlink()
    elif kind == "garbage for a slice":
        ct[3].write_bytes(bytes(range(256)) * 8)
    elif kind == "empty file":
        pet[3].write_bytes(b"")
    elif kind == "not attenuation-corrected":
        set_tags(pet, CorrectedImage=["NORM", "DECY"])
    elif kind == "localiser only":
        set_tags(ct, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    elif kind == "several orientations":
        set_tags(ct[4:], ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    elif kind == "coronal":
        set_tags(ct, ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    elif kind == "several sizes":
        set_tags(pet[4:], PixelSpacing=[3, 3])
    elif kind == "screen shots":
        set_tags(ct, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    elif kind == "DICOMDIR without files":
        write_directory(folder / "dicom" / "disk", patient, "1.2.3", ["A/1", "A/2"])
        for path in pet + ct:
            path.unlink()
    elif kind == "DICOMDIR lists more":
        uid = pydicom.dcmread(pet[0]).SeriesInstanceUID
        for number, path in enumerate(pet):
            path.rename(path.with_name(f"IM{number}"))
        write_directory(place, patient, uid, [f"PET/IM{number}" for number in range(len(pet) + 1)])
    elif kind == "several days":
        day = pd.Timestamp(pydicom.dcmread(pet[0]).SeriesDate) + pd.Timedelta(days=300)
        later = dict.fromkeys(("StudyDate", "SeriesDate", "AcquisitionDate"), day.strftime("%Y%m%d"))
        new_series(pet, place / "LATER", lambda ds: [setattr(ds, name, value) for name, value in later.items()])
    elif kind == "copies":
        for path in pet[:3]:
            path.with_name(f"copy of {path.name}").write_bytes(path.read_bytes())
    elif kind == "text among the images":
        (place / "PET" / "readme.txt").write_text("Export of the department. Nothing to see.\n")
        (place / "PET" / "index").write_text("<html>index</html>")
    elif kind == "another reconstruction":
        new_series(pet, place / "NAC", lambda ds: setattr(ds, "CorrectedImage", ["NORM"]))
        new_series(ct[:3], place / "SCOUT", lambda ds: setattr(ds, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]))
        new_series(ct, place / "LUNG", lambda ds: setattr(ds, "ConvolutionKernel", "B70f"))


def damage_table(table: pd.DataFrame, kind: str, patient: str) -> pd.DataFrame:
    """Do to a patient's row what the name says."""
    mine = table["patient_id"] == patient
    if kind == "images without row":
        return table[~mine]
    if kind == "rows that differ":
        twin = table[mine].copy()
        twin["age"] = 33
        return pd.concat([table, twin])
    if kind == "rows that are equal":
        return pd.concat([table, table[mine]])
    if kind == "unknown unit":
        table.loc[mine, "creatinine_mg_dl"] = "1,1 firkin"
    return table


def write_directory(folder: Path, patient: str, series_uid: str, paths: list[str]) -> None:
    """Write a DICOMDIR that lists images."""
    folder.mkdir(exist_ok=True)
    records = []
    for kind, tags in (
        ("PATIENT", {"PatientID": patient, "PatientName": patient}),
        ("STUDY", {}),
        ("SERIES", {"SeriesInstanceUID": series_uid}),
        *(("IMAGE", {"ReferencedFileID": path.split("/")}) for path in paths),
    ):
        record = Dataset()
        record.DirectoryRecordType = kind
        for name, value in tags.items():
            setattr(record, name, value)
        records.append(record)
    listing = Dataset()
    listing.file_meta = FileMetaDataset()
    listing.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    listing.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    listing.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    listing.DirectoryRecordSequence = records
    listing.save_as(folder / "DICOMDIR", enforce_file_format=True)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """One export in which every patient has a damage of its own, and what ingest made of it."""
    folder = tmp_path_factory.mktemp("damage") / "export"
    cohort = make_export(folder, len(DAMAGES))
    patients = dict(zip(DAMAGES, cohort.X.ids, strict=True))
    table = clinical(folder)
    for kind, patient in patients.items():
        damage(kind, folder, patient)
        table = damage_table(table, kind, patient)
    images = files(folder, patients["row without images"], "pet") + files(folder, patients["row without images"], "ct")
    for path in images:
        path.unlink()
    stray = folder / "dicom" / "stray"
    new_series(files(folder, patients["healthy"], "ct"), stray, lambda ds: setattr(ds, "PatientID", ""))
    # Of no patient that can be told: its folder holds images of everybody's.
    (folder / "dicom" / "loose.dcm").write_bytes((stray / "0001.dcm").read_bytes()[:600])
    out = folder.parent / "out"
    result = ingest(folder / "dicom", table, out, key_file=key_of(folder), n_jobs=1)
    return patients, out, result, cohort


@pytest.mark.parametrize("kind", DAMAGES)
def test_ends_in_the_flow_table(damaged, kind):
    patients, out, result, _ = damaged
    stage, words = DAMAGES[kind]
    row = result.flow.set_index("patient_id").loc[pseudonym(patients[kind])]
    assert row["status"] == ("left out" if stage else "included")
    assert row["stage"] == stage
    assert words in (row["reason"] if stage else row["notes"])
    assert bool(row["remedy"]) == bool(stage)
    scans = out / "patients" / pseudonym(patients[kind])
    assert scans.exists() != bool(stage)


def test_the_rest_is_complete(damaged):
    patients, out, result, cohort = damaged
    included = [kind for kind, (stage, _) in DAMAGES.items() if not stage]
    table = pd.read_csv(result.cohort).set_index("patient_id")
    assert sorted(table.index) == sorted(pseudonym(patients[kind]) for kind in included)
    assert table[["pet", "ct"]].notna().all(axis=None)
    rows = {patient: k for k, patient in enumerate(cohort.X.ids)}
    for kind in included:
        truth = cohort.X["pet"][rows[patients[kind]]][0]
        suv = nib.load(out / table.loc[pseudonym(patients[kind]), "pet"]).get_fdata()
        np.testing.assert_allclose(suv, truth, rtol=0.005, atol=1e-4 * truth.max())
        assert nib.load(out / table.loc[pseudonym(patients[kind]), "ct"]).shape == SHAPE
    assert pd.isna(table.loc[pseudonym(patients["unknown unit"]), "creatinine_mg_dl"])
    assert table.loc[pseudonym(patients["healthy"]), "creatinine_mg_dl"] > 0
    assert result.findings == ()


def test_files_of_nobody_are_told(damaged):
    _, _, result, _ = damaged
    nobody = result.flow[result.flow["patient_id"] == ""]["reason"].tolist()
    assert sorted(nobody) == [
        "1 damaged DICOM file(s), of no patient that can be told",
        "3 file(s) that are not DICOM",
        f"{SHAPE[2]} image(s) without a patient identifier",
    ]


def test_counts_add_up(damaged):
    _, _, result, _ = damaged
    steps = dict(zip(result.counts["step"], result.counts["patients"], strict=True))
    total, included = steps.pop("in the images or the table"), steps.pop("included")
    assert total == len(DAMAGES)
    assert included == sum(not stage for stage, _ in DAMAGES.values())
    assert sum(steps.values()) == total - included


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_permissions(tmp_path):
    folder = tmp_path / "export"
    cohort = make_export(folder, 3)
    first, second, _ = cohort.X.ids
    locked = [files(folder, first, "pet")[2], folder / "dicom" / second / "PET"]
    try:
        for path in locked:
            path.chmod(0)
        result = ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path / "out", key_file=key_of(folder), n_jobs=1)
    finally:
        for path in locked:
            path.chmod(0o700)
    flow = result.flow.set_index("patient_id")
    assert "1 unreadable file(s) among the PET images" in flow.loc[pseudonym(first), "reason"]
    assert flow.loc[pseudonym(second), "reason"] == "no PET series"
    assert "1 folder(s) that cannot be opened" in flow.loc[pseudonym(second), "notes"]
    assert result.n_included == 1


def test_one_unforeseen_fault_costs_one_patient(tmp_path, monkeypatch):
    from prrt_estimators.ingest import _convert

    folder = tmp_path / "export"
    cohort = make_export(folder, 3)
    real = _convert._convert

    def faulty(task, identity):
        if task.patient == pseudonym(cohort.X.ids[1]):
            raise RuntimeError("Mustermann^Erika is in the way")
        return real(task, identity)

    monkeypatch.setattr(_convert, "_convert", faulty)
    result = ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path / "out", key_file=key_of(folder), n_jobs=1)
    assert result.n_included == 2
    left = result.flow[result.flow["status"] == "left out"]
    assert left["reason"].tolist() == ["unexpected RuntimeError"]
