"""Exports of many patients with small scans, written faster than one by one: two series are rendered, the rest are copies of
their bytes with other names, identifiers, dates and voxels.
"""

from __future__ import annotations

import datetime
import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom

from prrt_estimators.datasets import make_cohort_folder

#: Slices of a series, the fewest that `ingest` accepts.
SLICES = 4
_SIDE = 8
_PIXEL_BYTES = 2 * _SIDE * _SIDE
_UID = "1.2.826.0.1.3680043.8.498"
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_NAME, _NUMBER, _STUDY, _BIRTH = "AAAAAAAA^AAAAAAAA", "90000000", "77777777", "19000101"


def write_small_export(folder: Path, n: int) -> None:
    """Write `n` patients with a PET and a CT of 8 x 8 x 4 voxels each as DICOM, and ``clinical.csv``.

    Names, identifiers, accession numbers, dates of birth and of the study, and unique identifiers are new for each patient,
    as they are in an export of a hospital.
    """
    templates = _templates()
    rng = np.random.default_rng(0)
    rows = []
    for k in range(n):
        new = _person(k)
        for name, content in templates.items():
            path = folder / "dicom" / f"patient {k:05d}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            for old, one in new.items():
                content = content.replace(old.encode(), one.encode())
            path.write_bytes(content[:-_PIXEL_BYTES] + rng.integers(0, 900, _SIDE**2, dtype="<i2").tobytes())
        rows.append(_row(new, rng))
    pd.DataFrame(rows).to_csv(folder / "clinical.csv", index=False)


def _person(k: int) -> dict[str, str]:
    """Return what takes the place of the texts of the templates, each as long as they are."""
    letters = "".join(_LETTERS[k // 20**power % 20] for power in range(8))
    birth = datetime.date(1940, 1, 1) + datetime.timedelta(days=k * 7 % 14000)
    study = datetime.date(2019, 1, 1) + datetime.timedelta(days=k % 1500)
    return {
        _NAME: f"{letters}^{letters[::-1]}",
        _NUMBER: f"{40000000 + 7 * k}",
        _STUDY: f"{50000000 + 11 * k}",
        _BIRTH: f"{birth:%Y%m%d}",
        "20000101": f"{study:%Y%m%d}",
    }


def _row(new: dict[str, str], rng: np.random.Generator) -> dict[str, object]:
    months = round(float(rng.uniform(2, 40)), 1)
    return {
        "patient_id": new[_NUMBER],
        "name": new[_NAME].replace("^", ", "),
        "crp_mg_l": round(float(rng.uniform(0.5, 30)), 1),
        "albumin_g_l": round(float(rng.uniform(30, 50)), 1),
        "ldh_u_l": int(rng.integers(120, 400)),
        "chromogranin_a_ug_l": int(rng.integers(20, 900)),
        "pfs_months": months,
        "progressed": int(rng.random() < 0.6),
    }


def _templates() -> dict[str, bytes]:
    """Return the files of a patient by name, with texts that can be replaced by others of the same length."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        make_cohort_folder(Path(folder) / "one", 1, "dicom", volume_shape=_SIDE, random_state=0)
        for place, kind in enumerate(("PET", "CT")):
            for number, path in enumerate(sorted((Path(folder) / "one" / "dicom").glob(f"*/{kind}/*.dcm"))[:SLICES]):
                found[f"{kind}/{number}.dcm"] = _anonymous(pydicom.dcmread(path), f"{place + 1}", f"{number + 1}")
    return found


def _anonymous(dataset: pydicom.Dataset, series: str, number: str) -> bytes:
    dataset.PatientName, dataset.PatientID, dataset.AccessionNumber = _NAME, _NUMBER, _STUDY
    dataset.PatientBirthDate, dataset.InstitutionName = _BIRTH, "Klinikum Sonnenhang"
    del dataset.PatientAge  # of another patient
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate"):
        setattr(dataset, keyword, "20000101")
    for item in dataset.get("RadiopharmaceuticalInformationSequence", []):
        item.RadiopharmaceuticalStartDateTime = "20000101" + item.RadiopharmaceuticalStartDateTime[8:]
    dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = f"{_UID}.{_STUDY}", f"{_UID}.{_STUDY}.9"
    dataset.SeriesInstanceUID = f"{_UID}.{_STUDY}.{series}"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{_UID}.{_STUDY}.{series}.{number}"
    stream = io.BytesIO()
    dataset.save_as(stream)
    content = stream.getvalue()
    if content[-_PIXEL_BYTES:] != dataset.PixelData:
        raise RuntimeError("the pixels do not stand at the end of the file")
    return content
