"""Tiny RTSTRUCT and SEG objects, made element by element so that tests can bend them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ingest_helpers import files
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def group(**elements: Any) -> Dataset:
    """Return an item with the given elements; lists of datasets become sequences."""
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _dataset(sop_class: str, modality: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, "1.2.3.4"
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, "1.2.3"
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = sop_class, "1.2.3.4", modality
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.9"
    return dataset


def outline(points: Any, kind: str = "CLOSED_PLANAR") -> Dataset:
    """Return a contour of points in LPS millimetres."""
    points = np.asarray(points, dtype=float)
    return group(
        ContourGeometricType=kind,
        NumberOfContourPoints=len(points),
        ContourData=[f"{value:.4f}" for value in points.ravel()],
    )


def square(x0: float, y0: float, x1: float, y1: float, z: float, kind: str = "CLOSED_PLANAR") -> Dataset:
    """Return an axis-parallel rectangle in LPS millimetres."""
    return outline([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], kind)


def structure_set(rois: dict[str, list[Dataset]], **elements: Any) -> FileDataset:
    """Return an RTSTRUCT with structures by name."""
    dataset = _dataset("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT")
    dataset.StructureSetLabel, dataset.StructureSetDate, dataset.StructureSetTime = "set", "20240105", "120000"
    dataset.FrameOfReferenceUID = "1.2.3.7"
    dataset.StructureSetROISequence = [
        group(ROINumber=k, ROIName=name, ReferencedFrameOfReferenceUID="1.2.3.7") for k, name in enumerate(rois, 1)
    ]
    dataset.ROIContourSequence = [
        group(ReferencedROINumber=k, ContourSequence=drawn) for k, drawn in enumerate(rois.values(), 1)
    ]
    dataset.RTROIObservationsSequence = [
        group(ObservationNumber=k, ReferencedROINumber=k, RTROIInterpretedType="", ROIInterpreter="")
        for k in range(1, len(rois) + 1)
    ]
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def segmentation(masks: dict[str, np.ndarray], affine: np.ndarray, **elements: Any) -> FileDataset:
    """Return a binary SEG of masks (columns, rows, slices) on a grid of LPS millimetres, one frame per slice that holds any."""
    dataset = _dataset("1.2.840.10008.5.1.4.1.1.66.4", "SEG")
    dataset.SegmentationType, dataset.ContentLabel, dataset.FrameOfReferenceUID = "BINARY", "SEG", "1.2.3.7"
    dataset.ContentDate, dataset.ContentTime = "20240105", "120000"
    edges = [np.linalg.norm(affine[:3, k]) for k in range(3)]
    directions = [affine[:3, k] / edges[k] for k in range(2)]
    dataset.SegmentSequence, frames, pixels = [], [], []
    for number, (name, mask) in enumerate(masks.items(), 1):
        dataset.SegmentSequence.append(group(SegmentNumber=number, SegmentLabel=name))
        for k in np.flatnonzero(mask.any(axis=(0, 1))):
            corner = affine[:3, 3] + k * affine[:3, 2]
            frames.append(
                group(
                    PlanePositionSequence=[group(ImagePositionPatient=[round(float(v), 6) for v in corner])],
                    SegmentIdentificationSequence=[group(ReferencedSegmentNumber=number)],
                )
            )
            pixels.append(mask[:, :, k].T.astype(np.uint8))
    dataset.SharedFunctionalGroupsSequence = [
        group(
            PixelMeasuresSequence=[
                group(
                    PixelSpacing=[float(edges[1]), float(edges[0])],
                    SpacingBetweenSlices=float(edges[2]),
                    SliceThickness=float(edges[2]),
                )
            ],
            PlaneOrientationSequence=[
                group(ImageOrientationPatient=[round(float(v), 8) for v in np.concatenate(directions)])
            ],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = frames
    shape = next(iter(masks.values())).shape
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = shape[1], shape[0], len(frames)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 1, 1, 0
    dataset.PixelData = np.packbits(np.array(pixels).ravel(), bitorder="little").tobytes() if pixels else b""
    if len(dataset.PixelData) % 2:
        dataset.PixelData += b"\0"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def frames_as_bytes(dataset: FileDataset, scale: int = 1) -> None:
    """Store the packed bits of a SEG as one byte per pixel."""
    size = dataset.Rows * dataset.Columns * dataset.NumberOfFrames
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")[:size]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = (bits * scale).astype(np.uint8).tobytes() + b"\0" * (size % 2)


def write(dataset: FileDataset, path: Path) -> Path:
    """Write an object and return its path."""
    dataset.save_as(path, enforce_file_format=True)
    return path


def on_grid(labels: np.ndarray, affine: np.ndarray, answer: np.ndarray, answer_affine: np.ndarray) -> np.ndarray:
    """Return labels at the voxel centres of an answer, so that arrays of any order compare by place."""
    index = np.indices(answer.shape).reshape(3, -1)
    step = np.linalg.inv(affine) @ answer_affine
    place = step[:3, :3] @ index + step[:3, 3:]
    near = np.rint(place).astype(int)
    assert np.abs(place - near).max() < 0.01
    inside = ((near >= 0) & (near < np.array(labels.shape)[:, None])).all(axis=0)
    found = np.zeros(index.shape[1], dtype=int)
    found[inside] = labels[tuple(near[:, inside])]
    return found.reshape(answer.shape)


def series_of_images(folder: Path, shape: tuple[int, int, int], affine: np.ndarray) -> list[Path]:
    """Write a PET series of zeros on a grid of LPS millimetres; return its files in the order of the slices."""
    folder.mkdir(parents=True, exist_ok=True)
    edges = [np.linalg.norm(affine[:3, k]) for k in range(3)]
    files = []
    for k in range(shape[2]):
        dataset = _dataset("1.2.840.10008.5.1.4.1.1.128", "PT")
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{k + 1}"
        dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.2.3.5", "1.2.3.7"
        dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate, dataset.PatientSex = "P1", "Doe^Jane", "", "F"
        dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20240105", "100000", "1", ""
        dataset.ReferringPhysicianName, dataset.SeriesNumber, dataset.InstanceNumber = "", 4, k + 1
        dataset.ImagePositionPatient = [round(float(v), 6) for v in affine[:3, 3] + k * affine[:3, 2]]
        directions = np.concatenate([affine[:3, 0] / edges[0], affine[:3, 1] / edges[1]])
        dataset.ImageOrientationPatient = [round(float(v), 8) for v in directions]
        dataset.PixelSpacing, dataset.SliceThickness = [float(edges[1]), float(edges[0])], float(edges[2])
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = shape[1], shape[0], 1
        dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelData = bytes(2 * shape[0] * shape[1])
        files.append(write(dataset, folder / f"{k:03d}.dcm"))
    return files


def headers(folder, patient, kind="pet"):
    """Return the headers of a series, the lowest first."""
    found = [dcmread(path, stop_before_pixels=True) for path in files(folder, patient, kind)]
    return sorted(found, key=lambda ds: float(ds.ImagePositionPatient[2]))


def belonging(dataset, header, number=1, series=True, **elements):
    """Make an object one of a patient, drawn on the series of a header."""
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
        setattr(dataset, keyword, header.get(keyword, ""))
    dataset.SeriesInstanceUID, dataset.SOPInstanceUID = f"1.2.99.{number}", f"1.2.99.{number}.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.FrameOfReferenceUID, dataset.SeriesNumber = header.FrameOfReferenceUID, 100 + number
    named = group(SeriesInstanceUID=header.SeriesInstanceUID)
    if dataset.Modality == "SEG":
        dataset.ReferencedSeriesSequence = [named] if series else []
    else:
        study = group(RTReferencedSeriesSequence=[named] if series else [])
        frame = group(FrameOfReferenceUID=header.FrameOfReferenceUID, RTReferencedStudySequence=[study])
        dataset.ReferencedFrameOfReferenceSequence = [frame]
        for roi in dataset.StructureSetROISequence:
            roi.ReferencedFrameOfReferenceUID = header.FrameOfReferenceUID
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def voxel_box(header, columns, rows, kind="CLOSED_PLANAR", **moved):
    """Return an outline around whole voxels of an axial slice: columns and rows from first to last."""
    (x, y, z), (dy, dx) = header.ImagePositionPatient, header.PixelSpacing
    x, y = float(x) - dx / 2, float(y) - dy / 2
    return square(
        x + columns[0] * dx, y + rows[0] * dy, x + (columns[1] + 1) * dx, y + (rows[1] + 1) * dy,
        float(z) + moved.get("up", 0.0), kind,
    )  # fmt: skip
