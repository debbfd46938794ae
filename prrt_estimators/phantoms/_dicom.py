"""A synthetic cohort as a scanner exports it: DICOM series and a clinical spreadsheet."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from prrt_estimators._extras import require
from prrt_estimators._modalities import CT, PET
from prrt_estimators.phantoms._labs import PANEL
from prrt_estimators.phantoms._studies import Study, clinical_table, studies_of, whole_folder, write_truth

GA68_HALF_LIFE_S = 4062.6
#: Stored value of CT pixels outside the round field of the scanner, in the manner of one maker; with the intercept
#: of -1024 they read as -3024 HU.
CT_PADDING = -2000
CT_INTERCEPT = -1024
_PET_STORAGE = "1.2.840.10008.5.1.4.1.1.128"
_CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


def write_dicom_cohort(bunch: Bunch, folder: str | os.PathLike[str]) -> Path:
    """Write a cohort of `make_prrt_cohort` as DICOM series and a spreadsheet.

    PET is in Bq/mL, decay-corrected to the start of the scan, with one slope a slice and the radiopharmaceutical tags
    from which SUVbw follows; CT has a padding value outside its round field. The spreadsheet holds text where
    laboratories write text: ``<20``, ``> 5000``, decimal commas, empty cells.

    Parameters
    ----------
    bunch : Bunch
        From ``make_prrt_cohort(..., volumes=True)``.
    folder : path
        New or empty folder. It appears when all is written.

    Returns
    -------
    Path
        ``folder/clinical.xlsx`` with the columns of `write_nifti_cohort` but the mask; ``pet`` and ``ct`` name the
        folders of the series. ``folder/truth`` holds what `bunch.truth` knows.

    Raises
    ------
    MissingDependencyError
        If pydicom (extra ``dicom``) or openpyxl (extra ``excel``) is not installed.
    FileExistsError
        If the folder holds anything.
    ValueError
        If the cohort holds no volumes.
    """
    return write_dicom(bunch, studies_of(bunch), folder)


def write_dicom(bunch: Bunch, studies: Iterable[Study], folder: str | os.PathLike[str]) -> Path:
    """Write the series as the studies come, then the spreadsheet and the truth."""
    require("pydicom", "writing a DICOM cohort", "dicom")
    require("openpyxl", "writing a DICOM cohort", "excel")
    people = bunch["patients"].set_index("patient_id")
    with whole_folder(folder) as place:
        paths: dict[str, list[str]] = {PET.name: [], CT.name: []}
        for study in studies:
            person = people.loc[study.patient_id]
            for kind, voxels in ((PET.name, study.pet), (CT.name, study.ct)):
                if voxels is None:
                    paths[kind].append("")
                    continue
                series = Path("dicom") / study.patient_id / kind.upper()
                (place / series).mkdir(parents=True)
                if kind == PET.name:
                    _write_pet(place / series, study.patient_id, person, voxels, study.affine)
                else:
                    _write_ct(place / series, study.patient_id, person, voxels, study.ct_affine)
                paths[kind].append(series.as_posix())
        table = _as_typed(clinical_table(bunch), bunch["truth"].lab_flags)
        for position, (kind, values) in enumerate(paths.items(), 1):
            table.insert(position, kind, values)
        _write_spreadsheet(table, place / "clinical.xlsx")
        write_truth(bunch, place / "truth")
    return Path(folder) / "clinical.xlsx"


def _number(*words: str) -> int:
    """Return a whole number that depends on the words only."""
    return int.from_bytes(hashlib.sha256("/".join(words).encode()).digest()[:6], "big")


def _series(kind: str, patient_id: str, person: pd.Series, start: datetime) -> Any:
    """Return what all slices of a series share."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(_LITTLE_ENDIAN)
    storage = UID(_PET_STORAGE if kind == "PT" else _CT_STORAGE)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = storage
    ds.StudyInstanceUID = _uid(patient_id, person, "study")
    ds.SeriesInstanceUID = _uid(patient_id, person, kind)
    ds.FrameOfReferenceUID = _uid(patient_id, person, "frame")
    ds.Modality = kind
    ds.Manufacturer = "Synthetic"
    ds.PatientID = ds.PatientName = patient_id
    ds.PatientSex = person["sex"]
    ds.PatientAge = f"{int(person['age']):03d}Y"
    ds.PatientSize = f"{person['height_cm'] / 100:.2f}"
    ds.PatientWeight = f"{person['weight_kg']:.1f}"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = start.strftime("%Y%m%d")
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = start.strftime("%H%M%S")
    ds.PatientPosition = "HFS"
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    return ds


def _uid(patient_id: str, person: pd.Series, *words: str) -> Any:
    from pydicom.uid import generate_uid

    own = [patient_id, *(str(person[name]) for name in ("age", "sex", "height_cm", "weight_kg"))]
    return generate_uid(entropy_srcs=["prrt-estimators synthetic", *own, *words])


def _slice(ds: Any, patient_id: str, person: pd.Series, voxels: np.ndarray, affine: np.ndarray, k: int) -> np.ndarray:
    """Set what is particular to slice `k`; return its pixels: rows towards Posterior, columns towards Left."""
    nx, ny, _ = voxels.shape
    spacing = np.diag(affine)[:3]
    right, front, height = affine[:3, 3] + spacing * (nx - 1, ny - 1, k)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = _uid(patient_id, person, ds.Modality, str(k))
    ds.InstanceNumber = k + 1
    # DICOM counts millimetres towards Left and Posterior.
    ds.ImagePositionPatient = [f"{-right:.4f}", f"{-front:.4f}", f"{height:.4f}"]
    ds.PixelSpacing = [f"{spacing[1]:.6f}", f"{spacing[0]:.6f}"]
    ds.SliceThickness = f"{spacing[2]:.6f}"
    pixels = voxels[::-1, ::-1, k].T
    ds.Rows, ds.Columns = pixels.shape
    return pixels


def _start_of_day(patient_id: str) -> datetime:
    number = _number("day", patient_id)
    return datetime(2020, 1, 6) + timedelta(days=number % 700, minutes=480 + number % 331)


def _write_pet(folder: Path, patient_id: str, person: pd.Series, suv: np.ndarray, affine: np.ndarray) -> None:
    from pydicom.dataset import Dataset

    number = _number("dose", patient_id)
    dose_bq = 1e6 * (120 + number % 61)
    injected = _start_of_day(patient_id)
    start = injected + timedelta(minutes=45 + number % 41, seconds=number % 60)
    decayed = dose_bq * 2.0 ** (-(start - injected).total_seconds() / GA68_HALF_LIFE_S)
    to_bq_ml = decayed / (float(person["weight_kg"]) * 1000.0)
    ds = _series("PT", patient_id, person, start)
    ds.SeriesDescription = "SR-PET AC"
    ds.Units, ds.DecayCorrection = "BQML", "START"
    ds.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    ds.FrameReferenceTime, ds.ActualFrameDuration = "0", "150000"
    pharmaceutical = Dataset()
    pharmaceutical.Radiopharmaceutical = "68Ga-DOTATOC"
    pharmaceutical.RadiopharmaceuticalStartTime = injected.strftime("%H%M%S")
    pharmaceutical.RadiopharmaceuticalStartDateTime = injected.strftime("%Y%m%d%H%M%S")
    pharmaceutical.RadionuclideTotalDose = f"{dose_bq:.0f}"
    pharmaceutical.RadionuclideHalfLife = f"{GA68_HALF_LIFE_S:.1f}"
    nuclide = Dataset()
    nuclide.CodeValue, nuclide.CodingSchemeDesignator, nuclide.CodeMeaning = "C-131A3", "SRT", "^68^Gallium"
    pharmaceutical.RadionuclideCodeSequence = [nuclide]
    ds.RadiopharmaceuticalInformationSequence = [pharmaceutical]
    ds.RescaleIntercept = "0"
    for k in range(suv.shape[2]):
        activity = _slice(ds, patient_id, person, suv, affine, k) * to_bq_ml
        # Bed positions follow each other from the pelvis up; all are corrected to the start of the series.
        bed = start + timedelta(seconds=150 * (k * 4 // suv.shape[2]))
        ds.AcquisitionTime = bed.strftime("%H%M%S")
        # The slope is text of 16 characters at most, so pixels are scaled by the slope as it will be read.
        ds.RescaleSlope = f"{max(float(activity.max()), 1.0) / 32000:.8g}"
        ds.PixelData = np.round(activity / float(ds.RescaleSlope)).astype("<i2").tobytes()
        ds.save_as(folder / f"{k + 1:04d}.dcm", enforce_file_format=True)


def _write_ct(folder: Path, patient_id: str, person: pd.Series, hu: np.ndarray, affine: np.ndarray) -> None:
    start = _start_of_day(patient_id) + timedelta(minutes=40)
    ds = _series("CT", patient_id, person, start)
    ds.SeriesDescription = "CT portal venous"
    ds.KVP, ds.ConvolutionKernel = "120", "B30f"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = str(CT_INTERCEPT), "1", "HU"
    ds.add_new(0x00280120, "SS", CT_PADDING)
    for k in range(hu.shape[2]):
        pixels = np.round(_slice(ds, patient_id, person, hu, affine, k) - CT_INTERCEPT)
        pixels[~_field(pixels.shape, np.diag(affine)[:2])] = CT_PADDING
        ds.PixelData = pixels.astype("<i2").tobytes()
        ds.save_as(folder / f"{k + 1:04d}.dcm", enforce_file_format=True)


def _field(shape: tuple[int, ...], spacing: np.ndarray) -> np.ndarray:
    """Return which pixels (rows, columns) lie in the round field of the scanner."""
    rows = (np.arange(shape[0]) - (shape[0] - 1) / 2) * spacing[1]
    columns = (np.arange(shape[1]) - (shape[1] - 1) / 2) * spacing[0]
    radius = max(shape[0] * spacing[1], shape[1] * spacing[0]) / 2
    return rows[:, None] ** 2 + columns[None, :] ** 2 <= radius**2


def _as_typed(table: pd.DataFrame, flags: pd.DataFrame) -> pd.DataFrame:
    """Return the table with values beyond a limit, and CRP, as the laboratory's system prints them."""
    table = table.astype(object).where(table.notna(), None)
    for name, analyte in PANEL.items():
        column = [
            None
            if value is None
            else f"<{analyte.lowest:g}"
            if flag == "<"
            else f"> {analyte.highest:g}"
            if flag == ">"
            else f"{value:.1f}".replace(".", ",")
            if name == "crp_mg_l"
            else value
            for value, flag in zip(table[name], flags[name], strict=True)
        ]
        table[name] = pd.Series(column, index=table.index, dtype=object)
    return table


def _write_spreadsheet(table: pd.DataFrame, path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "clinical"
    sheet.append(list(table.columns))
    for row in table.itertuples(index=False):
        sheet.append([value.item() if isinstance(value, np.generic) else value for value in row])
    raw = path.with_suffix(".raw")
    book.save(raw)
    # A workbook carries the time of writing in its properties and in its archive; the same cohort must give the same
    # bytes.
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2020-01-01T00:00:00Z", content)
            target.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    raw.unlink()
