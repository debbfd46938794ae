"""Lesions as DICOM objects of the study that they were drawn on. They hold the identity of the patient."""

from __future__ import annotations

import datetime
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from prrt_estimators._extras import import_pydicom, quiet_pydicom, require
from prrt_estimators._io import atomic_write
from prrt_estimators.contours._objects import text
from prrt_estimators.contours._write import (
    COLOURS,
    checked_labels,
    frame_of,
    lesion_names,
    on_slices,
    outlines,
)
from prrt_estimators.exceptions import ContourError

_MAKER, _PROGRAM = "prrt-estimators", "prrt lesions"
_RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
_STUDY = "1.2.840.10008.3.1.2.3.1"
#: Taken over from the images, so that the object belongs to their patient and study.
_PATIENT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientSize",
    "PatientWeight", "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "StudyDescription",
    "ReferringPhysicianName", "SpecificCharacterSet", "FrameOfReferenceUID", "PositionReferenceIndicator",
)  # fmt: skip
#: Must be there, if empty (type 2 of the modules of patient, study and frame of reference).
_MAY_BE_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
    "ReferringPhysicianName", "PositionReferenceIndicator",
)  # fmt: skip


def write_segmentation(
    path: str | os.PathLike[str], labels: np.ndarray, affine: np.ndarray, images: Sequence[str | os.PathLike[str]]
) -> None:
    """Write lesions as DICOM SEG into the study of the images that they were drawn on, one segment per lesion.

    The object holds the name of the patient, as the images do.

    Parameters
    ----------
    path : path
    labels : ndarray of int, shape (i, j, k)
        0 is not a lesion.
    affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.
    images : sequence of paths
        The files of the series, in any order.

    Raises
    ------
    ContourError
        If there is no lesion, or the lesions do not lie on the voxels of the images.
    MissingDependencyError
        If highdicom is not installed.
    TypeError, ValueError
        If the labels are not whole numbers.

    Examples
    --------
    >>> write_segmentation("SEG.dcm", labels, pet.affine, sorted(Path("PET").iterdir()))  # doctest: +SKIP
    """
    highdicom = require("highdicom", "writing DICOM SEG", "contours")
    from pydicom.sr.codedict import codes

    values = checked_labels(labels)
    names = lesion_names(values)
    if not names:
        raise ContourError("there is no lesion to write", "write a patient who has lesions")
    headers = _headers(images)
    planes = on_slices(values, affine, headers)
    numbers = np.zeros(int(values.max()) + 1, dtype=np.uint16)
    numbers[list(names)] = np.arange(1, len(names) + 1)
    described = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Lesion,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, name in enumerate(names.values(), 1)
    ]
    with warnings.catch_warnings(), quiet_pydicom():
        warnings.simplefilter("ignore")
        made = highdicom.seg.Segmentation(
            source_images=headers,
            pixel_array=numbers[planes],
            segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=described,
            series_instance_uid=highdicom.UID(),
            series_number=_series_number(headers[0]),
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer=_MAKER,
            manufacturer_model_name=_PROGRAM,
            software_versions=_version(),
            device_serial_number="1",
            content_label="LESIONS",
            series_description="Lesions",
            omit_empty_frames=True,
        )
        with atomic_write(path) as temporary:
            made.save_as(temporary)


def write_rtstruct(
    path: str | os.PathLike[str], labels: np.ndarray, affine: np.ndarray, images: Sequence[str | os.PathLike[str]]
) -> None:
    """Write lesions as DICOM RTSTRUCT into the study of the images that they were drawn on, one structure per lesion.

    Outlines run half-way between voxels inside and outside, so that `read_rtstruct` gives the same voxels. The object holds
    the name of the patient, as the images do.

    Parameters
    ----------
    path : path
    labels : ndarray of int, shape (i, j, k)
        0 is not a lesion.
    affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.
    images : sequence of paths
        The files of the series, in any order.

    Raises
    ------
    ContourError
        If the lesions do not lie on the voxels of the images.
    MissingDependencyError
        If pydicom is not installed.
    TypeError, ValueError
        If the labels are not whole numbers.

    Examples
    --------
    >>> write_rtstruct("RS.dcm", labels, pet.affine, sorted(Path("PET").iterdir()))  # doctest: +SKIP
    """
    values = checked_labels(labels)
    headers = _headers(images)
    planes = on_slices(values, affine, headers)
    names = lesion_names(values)
    from pydicom import Dataset

    made = _structure_set(headers)
    made.StructureSetROISequence, made.ROIContourSequence, made.RTROIObservationsSequence = [], [], []
    boxes = ndimage.find_objects(planes.astype(np.int32))
    for number, (value, name) in enumerate(names.items(), 1):
        roi, drawn, about = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, name, ""
        roi.ReferencedFrameOfReferenceUID = made.FrameOfReferenceUID
        drawn.ROIDisplayColor, drawn.ReferencedROINumber = list(COLOURS[(number - 1) % len(COLOURS)]), number
        drawn.ContourSequence = _contours(headers, planes, boxes[value - 1], value)
        about.ObservationNumber, about.ReferencedROINumber = number, number
        about.RTROIInterpretedType, about.ROIInterpreter = "GTV", ""
        made.StructureSetROISequence.append(roi)
        made.ROIContourSequence.append(drawn)
        made.RTROIObservationsSequence.append(about)
    with quiet_pydicom(), atomic_write(path) as temporary:
        made.save_as(temporary, enforce_file_format=True)


def _headers(images: Sequence[str | os.PathLike[str]]) -> list[Any]:
    pydicom = import_pydicom()
    try:
        with quiet_pydicom():
            headers = [pydicom.dcmread(os.fspath(image), stop_before_pixels=True) for image in images]
    except Exception as error:
        # Whatever a damaged file makes of the parser, it is one damaged file.
        raise ContourError(
            f"an image cannot be read ({type(error).__name__})", "name the files of the series"
        ) from None
    for header in headers:
        for keyword in _MAY_BE_EMPTY:
            if keyword not in header:
                setattr(header, keyword, "")
    if not headers:
        raise ContourError("no image was named", "name the files of the series that was drawn on")
    if len({text(header, "SeriesInstanceUID") for header in headers}) > 1:
        raise ContourError("the images are of several series", "name the files of the series that was drawn on")
    normal = frame_of(headers[0])[:3, 2]
    return sorted(headers, key=lambda header: float(frame_of(header)[:3, 3] @ normal))


def _structure_set(headers: Sequence[Any]) -> Any:
    from pydicom import Dataset
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    first = headers[0]
    meta = FileMetaDataset()
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    for keyword in _PATIENT:
        if keyword in first:
            made[keyword] = first[keyword]
    if "FrameOfReferenceUID" not in made:
        made.FrameOfReferenceUID = generate_uid()
    now = datetime.datetime.now()
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = _RTSTRUCT, generate_uid(), "RTSTRUCT"
    made.SeriesInstanceUID, made.SeriesNumber = generate_uid(), _series_number(first)
    made.SeriesDescription, made.Manufacturer = "Lesions", _MAKER
    made.ManufacturerModelName, made.SoftwareVersions, made.OperatorsName = _PROGRAM, _version(), ""
    made.SeriesDate = made.InstanceCreationDate = made.StructureSetDate = now.strftime("%Y%m%d")
    made.SeriesTime = made.InstanceCreationTime = made.StructureSetTime = now.strftime("%H%M%S")
    made.InstanceNumber, made.StructureSetLabel, made.ApprovalStatus = 1, "Lesions", "UNAPPROVED"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    frame, study, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = first.SeriesInstanceUID
    series.ContourImageSequence = [_reference(header) for header in headers]
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = _STUDY, first.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = made.FrameOfReferenceUID, [study]
    made.ReferencedFrameOfReferenceSequence = [frame]
    return made


def _reference(header: Any) -> Any:
    from pydicom import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    return item


def _contours(headers: Sequence[Any], planes: np.ndarray, box: tuple[slice, ...], value: int) -> list[Any]:
    """Return the outlines of one lesion."""
    slices, rows, columns = box
    low = np.array([columns.start, rows.start])
    inside = planes[box] == value
    return [
        _contour(header, line + low)
        for header, plane in zip(headers[slices], inside, strict=True)
        for line in outlines(plane.T)
    ]


def _contour(header: Any, line: np.ndarray) -> Any:
    from pydicom import Dataset

    frame = np.diag([-1.0, -1, 1, 1]) @ frame_of(header)
    points = line @ frame[:3, :2].T + frame[:3, 3]
    item = Dataset()
    item.ContourImageSequence = [_reference(header)]
    item.ContourGeometricType, item.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
    item.ContourData = [f"{value:.4f}" for value in points.ravel()]
    return item


def _series_number(header: Any) -> int:
    try:
        return int(header.SeriesNumber) % 100_000 + 9000
    except (AttributeError, TypeError, ValueError):
        return 9000


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("prrt-estimators")
    except PackageNotFoundError:
        return "0"
