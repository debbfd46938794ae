"""Small DICOM series built from the definitions, for tests: single-slice and enhanced PET and CT."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedPETImageStorage,
    ExplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

#: Half-lives in s.
F18, GA68, CU64, ZR89 = 6586.2, 4062.6, 45721.0, 282240.0
#: A name that no message and no output may hold.
PLANTED_NAME = "Geheimrat^Planted"


def item(**elements: Any) -> Dataset:
    """Return an item of a sequence."""
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def pet_header(**elements: Any) -> Dataset:
    """Return a PET header without pixels: 70 kg, 368.08 MBq 18F, injected at 10:00, scanned at 11:00.

    Keywords of the radiopharmaceutical item go into it; a value of None removes the element.
    """
    injected = {
        "RadionuclideTotalDose": 368.08e6,
        "RadionuclideHalfLife": F18,
        "RadiopharmaceuticalStartDateTime": "20250101100000.000000",
        "RadiopharmaceuticalStartTime": "100000.000000",
    }
    series = {
        "SOPClassUID": PositronEmissionTomographyImageStorage,
        "Modality": "PT",
        "PatientName": PLANTED_NAME,
        "PatientID": "0815",
        "PatientSex": "F",
        "PatientWeight": 70.0,
        "PatientSize": 1.75,
        "SeriesDate": "20250101",
        "SeriesTime": "110000",
        "AcquisitionDate": "20250101",
        "AcquisitionTime": "110000",
        "Units": "BQML",
        "DecayCorrection": "START",
        "CorrectedImage": ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"],
        "FrameReferenceTime": 150000.0,
        "ActualFrameDuration": 300000,
        "InstanceNumber": 1,
    }
    if elements.get("RadiopharmaceuticalStartDateTime") is not None:
        # A time of its own would contradict it.
        elements.setdefault("RadiopharmaceuticalStartTime", None)
    for keyword in injected:
        if keyword in elements:
            injected[keyword] = elements.pop(keyword)
    if elements.get("DecayCorrection") == "NONE":
        series["CorrectedImage"].remove("DECY")
    series.update(elements)
    header = item(**{keyword: value for keyword, value in series.items() if value is not None})
    drug = item(**{keyword: value for keyword, value in injected.items() if value is not None})
    header.RadiopharmaceuticalInformationSequence = Items([drug])
    return header


def add_private(header: Dataset, group: int, creator: str, element: int, vr: str, value: Any) -> Dataset:
    """Add an element of a maker to a header."""
    header.private_block(group, creator, create=True).add_new(element, vr, value)
    return header


def place(header: Dataset, position: Sequence[float], directions: Sequence[float], spacing: Sequence[float]) -> None:
    """Say where a slice lies: the centre of its first pixel, its directions, and distances of rows and columns."""
    header.ImagePositionPatient = [float(value) for value in position]
    header.ImageOrientationPatient = [float(value) for value in directions]
    header.PixelSpacing = [float(value) for value in spacing]


def set_pixels(header: Dataset, pixels: np.ndarray) -> None:
    """Store whole numbers of 16 bits, signed or not as they come."""
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows, header.Columns = pixels.shape[-2:]
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.PixelRepresentation = 15, int(pixels.dtype.kind == "i")
    header.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()


def series(
    kind: str,
    pixels: np.ndarray,
    *,
    heights: Iterable[float] | None = None,
    spacing: Sequence[float] = (2.0, 3.0),
    slope: float = 1.0,
    intercept: float = 0.0,
    **elements: Any,
) -> list[Dataset]:
    """Return axial slices with pixels, the lowest first: stored values (slices, rows, columns), 4 mm apart.

    The first pixel lies at x = -10, y = -20 mm (Left, Posterior); rows are 2 mm and columns 3 mm apart.
    """
    heights = [4.0 * k for k in range(len(pixels))] if heights is None else list(heights)
    uid = {
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": generate_uid(),
    }
    slices = []
    for k, (plane, height) in enumerate(zip(pixels, heights, strict=True)):
        if kind == "PT":
            header = pet_header(**elements)
        else:
            header = item(Modality="CT", SOPClassUID=CTImageStorage, PatientName=PLANTED_NAME, PatientID="0815")
            header.ImageType, header.RescaleType = ["ORIGINAL", "PRIMARY", "AXIAL"], "HU"
            for keyword, value in elements.items():
                setattr(header, keyword, value)
        for keyword, value in uid.items():
            setattr(header, keyword, value)
        header.SOPInstanceUID = generate_uid()
        header.InstanceNumber = k + 1
        place(header, (-10, -20, height), (1, 0, 0, 0, 1, 0), spacing)
        header.RescaleSlope, header.RescaleIntercept = slope, intercept
        set_pixels(header, plane)
        slices.append(header)
    return slices


def save(header: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian, *, preamble: bool = True) -> Path:
    """Write one object; without preamble as old exports are: the elements only."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    if preamble:
        header.file_meta = meta
        header.save_as(path, enforce_file_format=True)
    else:
        header.file_meta = FileMetaDataset()
        header.save_as(path, implicit_vr=True, little_endian=True)
    return path


def save_all(slices: Iterable[Dataset], folder: Path, names: Sequence[str] | None = None, **options: Any) -> Path:
    """Write slices into a new folder and return it."""
    folder.mkdir(parents=True)
    for k, header in enumerate(slices):
        save(header, folder / (names[k] if names else f"{k + 1:04d}.dcm"), **options)
    return folder


def enhanced(
    kind: str,
    pixels: np.ndarray,
    *,
    slopes: Sequence[float] | None = None,
    intercept: float = 0.0,
    heights: Iterable[float] | None = None,
    unit: str | None = "Bq/ml",
    mapped: bool = True,
    contents: Sequence[dict[str, Any]] | None = None,
    **elements: Any,
) -> Dataset:
    """Return one enhanced object: stored values (frames, rows, columns), frames 4 mm apart and rows and columns 2 and 3.

    Parameters
    ----------
    unit : str or None
        UCUM code of the real-world mapping of PET.
    mapped : bool
        Whether the mapping holds the slopes; else its slope is that of the pixel value transformation.
    contents : sequence of dict
        More elements of the frame content item, one dict a frame.
    """
    count = len(pixels)
    heights = [4.0 * k for k in range(count)] if heights is None else list(heights)
    slopes = [1.0] * count if slopes is None else list(slopes)
    if kind == "PT":
        header = pet_header(**elements)
        for keyword in ("Units", "DecayCorrection", "CorrectedImage", "FrameReferenceTime", "ActualFrameDuration"):
            delattr(header, keyword)
        del header.AcquisitionDate, header.AcquisitionTime
        header.SOPClassUID = EnhancedPETImageStorage
        header.AttenuationCorrected, header.DecayCorrected = "YES", elements.get("DecayCorrected", "YES")
        if header.DecayCorrected == "YES":
            header.DecayCorrectionDateTime = elements.get("DecayCorrectionDateTime", "20250101110000")
    else:
        header = item(Modality="CT", SOPClassUID=EnhancedCTImageStorage, PatientName=PLANTED_NAME, PatientID="0815")
    header.StudyInstanceUID, header.SeriesInstanceUID = generate_uid(), generate_uid()
    header.FrameOfReferenceUID, header.SOPInstanceUID = generate_uid(), generate_uid()
    header.InstanceNumber, header.NumberOfFrames = 1, count
    set_pixels(header, pixels)
    shared = item(
        PixelMeasuresSequence=Items([item(PixelSpacing=[2.0, 3.0], SliceThickness=4.0)]),
        PlaneOrientationSequence=Items([item(ImageOrientationPatient=[1.0, 0, 0, 0, 1.0, 0])]),
    )
    frames = []
    for k, (height, slope) in enumerate(zip(heights, slopes, strict=True)):
        content = {"FrameAcquisitionDateTime": "20250101110000", "FrameAcquisitionDuration": 300000.0}
        content.update(contents[k] if contents else {})
        scale = item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="HU" if kind == "CT" else "US")
        frame = item(
            PlanePositionSequence=Items([item(ImagePositionPatient=[-10.0, -20.0, float(height)])]),
            PixelValueTransformationSequence=Items([scale]),
            FrameContentSequence=Items([item(**content)]),
        )
        if kind == "PT" and unit is not None:
            # A code of more than 16 characters has an element of its own.
            code = item(**{"CodeValue" if len(unit) <= 16 else "LongCodeValue": unit}, CodingSchemeDesignator="UCUM")
            mapping = item(
                RealWorldValueSlope=float(slope), RealWorldValueIntercept=float(intercept),
                RealWorldValueFirstValueMapped=0, RealWorldValueLastValueMapped=32767,
                MeasurementUnitsCodeSequence=Items([code]),
            )  # fmt: skip
            frame.RealWorldValueMappingSequence = Items([mapping])
            if mapped:
                # A transformation for display only: the mapping alone gives the unit.
                scale.RescaleSlope = 1.0
        frames.append(frame)
    header.SharedFunctionalGroupsSequence = Items([shared])
    header.PerFrameFunctionalGroupsSequence = Items(frames)
    return header
