"""A series that can be read is taken before one with more files that cannot, and what is not taken is said."""

from __future__ import annotations

from datetime import datetime, timedelta

import nibabel as nib
import numpy as np
import pydicom
import pytest
from ingest_helpers import SHAPE, change, files, key_of, make_export, new_series, pseudonym
from pydicom.uid import generate_uid

from prrt_estimators.ingest import ingest

#: What lies beside the good series of a patient: the modality, and what the notes say of it.
WORSE = {
    "two phases under one UID": (
        "ct",
        "a CT series of 8 slices is not taken: 2 images of different times at one place",
    ),
    "CT with a hole": ("ct", "a CT series of 14 slices is not taken: 1 slices missing"),
    "iodine map by unit": ("ct", ""),
    "iodine map by type": ("ct", ""),
    "dynamic PET without SeriesType": ("pet", "3 images of different times at one place"),
    "PET without dose": ("pet", "a PET series of 15 slices is not taken: no dose"),
    "counts per second": ("pet", "a PET series of 15 slices is not taken: values in CPS"),
    "CT with intercepts missing": ("ct", "a CT series of 15 slices is not taken: 7 images without RescaleIntercept"),
    "PET of unequal distances": ("pet", "slices at unequal distances"),
    "half-life of another nuclide": ("pet", "PET series 2 by the rules is taken, the first: RadionuclideHalfLife"),
    "two different slices at one place": ("pet", "PET series 2 by the rules is taken, the first: instance"),
    "PET that ends early": ("pet", "a PET series of 14 slices is not taken: 1 slices missing"),
    "virtual energy": ("ct", "CT of 2 kinds (portal venous, portal venous, virtual): portal venous is taken"),
    "PET in two parts": ("pet", "PET joined of 2 series"),
    "PET in two parts on other grids": ("pet", "not joined: their grids are shifted against each other"),
    "PET in two parts with a gap": ("pet", "not joined: 2 slices between them are missing"),
    "legs hours later": ("pet", ""),
    "PET without attenuation correction": ("pet", ""),
    "gated PET": ("pet", ""),
    "projections": ("pet", ""),
    "derived PET": ("pet", ""),
    "PET of another tracer": ("pet", "PET of 2 tracers (F-18 FDG, Ga-68 DOTATOC): Ga-68 DOTATOC is taken"),
    "PET without slopes": ("pet", "PET series 2 by the rules is taken, the first: RescaleSlope"),
    "PET injected after it": ("pet", "PET series 2 by the rules is taken, the first: "),
    "CT as screen captures": ("ct", ""),
    "CT of another frame of reference": ("ct", ""),
    "CT with a sharp kernel": ("ct", ""),
    "CT of coronal slices": ("ct", ""),
    "CT of two sizes": ("ct", ""),
    "CT of the chest alone": ("ct", ""),
    "CT two days later": ("ct", ""),
}


def finer(paths, target, edit=lambda ds: None):
    """Copy a series with a slice more between any two."""
    made = new_series(paths, target, edit)
    heights = [float(pydicom.dcmread(path).ImagePositionPatient[2]) for path in made]
    for k, path in enumerate(made[:-1]):
        ds = pydicom.dcmread(path)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], f"{(heights[k] + heights[k + 1]) / 2:.4f}"]
        ds.save_as(path.with_name(f"between {path.name}"))
    return sorted(target.glob("*.dcm"))


def times_more(paths, target, times):
    """Copy a series with every slice again at later times."""
    made = new_series(paths, target)
    for path in made:
        for time in times:
            ds = pydicom.dcmread(path)
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            ds.AcquisitionTime = time
            ds.save_as(path.with_name(f"{time} {path.name}"))


def set_dose(ds, **tags):
    for name, value in tags.items():
        setattr(ds.RadiopharmaceuticalInformationSequence[0], name, value)


def shift(ds, z):
    ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], f"{float(ds.ImagePositionPatient[2]) + z:.4f}"]


def another_tracer(ds):
    set_dose(ds, Radiopharmaceutical="FDG", RadionuclideHalfLife="6586.2")
    code = ds.RadiopharmaceuticalInformationSequence[0].RadionuclideCodeSequence[0]
    code.CodeValue, code.CodeMeaning = "C-111A1", "^18^Fluorine"


def injected_later(ds):
    item = ds.RadiopharmaceuticalInformationSequence[0]
    del item.RadiopharmaceuticalStartDateTime
    item.RadiopharmaceuticalStartTime = f"{int(ds.SeriesTime[:2]) + 1:02d}{ds.SeriesTime[2:]}"


def days_later(ds):
    day = datetime.strptime(ds.AcquisitionDate, "%Y%m%d") + timedelta(days=2)
    ds.AcquisitionDate = ds.SeriesDate = day.strftime("%Y%m%d")


def set_tags(ds, **tags):
    for name, value in tags.items():
        setattr(ds, name, value)


#: How a series with twice the slices is made one that must not be taken: the modality, and the edit of each header.
FINER = {
    "PET without attenuation correction": ("pet", lambda ds: set_tags(ds, CorrectedImage=["NORM", "DTIM", "DECY"])),
    "gated PET": ("pet", lambda ds: set_tags(ds, SeriesType=["GATED", "IMAGE"])),
    "projections": ("pet", lambda ds: set_tags(ds, ImageType=["DERIVED", "SECONDARY", "MIP"])),
    "derived PET": ("pet", lambda ds: set_tags(ds, ImageType=["DERIVED", "PRIMARY", "AXIAL"])),
    "PET of another tracer": ("pet", another_tracer),
    "PET without slopes": ("pet", lambda ds: delattr(ds, "RescaleSlope")),
    "PET injected after it": ("pet", injected_later),
    "CT as screen captures": ("ct", lambda ds: set_tags(ds, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")),
    "CT of another frame of reference": ("ct", lambda ds: set_tags(ds, FrameOfReferenceUID=ds.StudyInstanceUID)),
    "CT with a sharp kernel": ("ct", lambda ds: set_tags(ds, ConvolutionKernel="B70f")),
    "CT of coronal slices": ("ct", lambda ds: set_tags(ds, ImageOrientationPatient=[1, 0, 0, 0, 0, -1])),
    "CT two days later": ("ct", days_later),
}


def add_worse(kind, folder, patient):
    pet, ct, place = files(folder, patient, "pet"), files(folder, patient, "ct"), folder / "dicom" / patient / "WORSE"
    if kind in FINER:
        modality, edit = FINER[kind]
        finer(pet if modality == "pet" else ct, place, edit)
    elif kind == "CT of two sizes":
        path = finer(ct, place)[3]
        half = pydicom.dcmread(path)
        half.Rows //= 2
        half.PixelData = half.PixelData[: len(half.PixelData) // 2]
        half.save_as(path)
    elif kind == "CT of the chest alone":
        for path in finer(ct, place)[:8]:
            path.unlink()
    elif kind == "two phases under one UID":
        times_more(ct, place, ["235900"])
    elif kind == "CT with a hole":
        finer(ct, place)[5].unlink()
    elif kind.startswith("iodine map"):
        tags = {"RescaleType": "MGML"} if "unit" in kind else {"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "IODINE"]}
        finer(ct, place, lambda ds: [setattr(ds, name, value) for name, value in tags.items()])
    elif kind == "dynamic PET without SeriesType":
        times_more(pet, place, ["235800", "235900"])
    elif kind == "PET without dose":
        finer(pet, place, lambda ds: set_dose(ds, RadionuclideTotalDose=None))
    elif kind == "counts per second":
        finer(pet, place, lambda ds: setattr(ds, "Units", "CPS"))
    elif kind == "CT with intercepts missing":
        change(
            [path for path in finer(ct, place) if "between" in path.name], lambda ds: delattr(ds, "RescaleIntercept")
        )
    elif kind == "PET of unequal distances":
        change(finer(pet, place)[3:4], lambda ds: shift(ds, 0.2 * float(ds.SliceThickness)))
    elif kind == "half-life of another nuclide":
        finer(pet, place, lambda ds: set_dose(ds, RadionuclideHalfLife="40080"))
    elif kind == "two different slices at one place":
        twin = pydicom.dcmread(finer(pet, place)[3])
        twin.SOPInstanceUID = twin.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        twin.PixelData = (np.frombuffer(twin.PixelData, "<i2") // 2).tobytes()
        twin.save_as(place / "twin.dcm")
    elif kind == "PET that ends early":
        path = finer(pet, place)[3]
        path.write_bytes(path.read_bytes()[:-30])
    elif kind == "virtual energy":
        finer(ct, place, lambda ds: setattr(ds, "SeriesDescription", "MonoE 40 keV portal venous"))
    elif kind.startswith("PET in two parts"):
        apart = {"PET in two parts on other grids": 0.5, "PET in two parts with a gap": 2.0}.get(kind, 0.0)
        new_series(pet[4:], place, lambda ds: shift(ds, apart * float(ds.SliceThickness)))
        # Without a gap, a slice in the middle is in both parts.
        for path in pet[4 if "gap" in kind else 5 :]:
            path.unlink()
    elif kind == "legs hours later":
        new_series(
            pet[4:],
            place,
            lambda ds: [shift(ds, 3 * float(ds.SliceThickness)), setattr(ds, "AcquisitionTime", "233000")],
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One export in which every patient has a worse series of a kind of its own, and what ingest made of it."""
    folder = tmp_path_factory.mktemp("choice") / "export"
    cohort = make_export(folder, len(WORSE))
    patients = dict(zip(WORSE, cohort.X.ids, strict=True))
    for kind, patient in patients.items():
        add_worse(kind, folder, patient)
    out = folder.parent / "out"
    result = ingest(folder / "dicom", folder / "clinical.xlsx", out, key_file=key_of(folder), n_jobs=1)
    return folder, patients, out, result, cohort


@pytest.mark.parametrize("kind", WORSE)
def test_the_better_series_is_taken(made, kind):
    _, patients, out, result, cohort = made
    modality, words = WORSE[kind]
    name = pseudonym(patients[kind])
    row = result.flow.set_index("patient_id").loc[name]
    assert row["status"] == "included", row["reason"]
    assert words in row["notes"]
    truth = cohort.X[modality][list(cohort.X.ids).index(patients[kind])][0]
    volume = nib.load(out / "patients" / name / f"{modality}.nii.gz").get_fdata()
    kept = slice(None, {"PET in two parts on other grids": 5, "PET in two parts with a gap": 4}.get(kind))
    assert volume.shape == truth[..., kept].shape
    if modality == "pet":
        np.testing.assert_allclose(volume, truth[..., kept], rtol=0.005, atol=1e-4 * truth.max())
    else:
        inside = volume > -1024
        assert np.abs(volume - truth)[inside].max() <= 1


def test_what_the_scans_show_is_counted(made):
    *_, result, _ = made
    count = len(WORSE)
    assert result.shown == (f"PET: {count} Ga-68 DOTATOC", f"CT: {count} portal venous")
    assert set(result.flow["pet"]) == {"Ga-68 DOTATOC"}
    assert set(result.flow["ct"]) == {"portal venous"}


def test_again_the_same_series_are_taken(made):
    folder, _, out, result, _ = made
    again = ingest(folder / "dicom", folder / "clinical.xlsx", out, key_file=key_of(folder), n_jobs=1)
    assert again.n_kept == len(WORSE)
    assert again.flow.equals(result.flow)


def test_what_no_series_can_give_is_still_said(tmp_path):
    folder = tmp_path / "export"
    first, second = make_export(folder, 2).X.ids
    times_more(files(folder, first, "pet"), folder / "dicom" / first / "WORSE", ["235900"])
    for path in files(folder, first, "pet"):
        path.unlink()
    change(files(folder, second, "ct"), lambda ds: delattr(ds, "RescaleIntercept"))
    result = ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path / "out", key_file=key_of(folder), n_jobs=1)
    reasons = result.flow.set_index("patient_id")["reason"]
    assert "up to 2 images taken at different times lie at one place" in reasons[pseudonym(first)]
    assert "RescaleIntercept (0028,1052) of instance 1 is missing" in reasons[pseudonym(second)]
    assert result.n_included == 0
    assert SHAPE[2] == 8
