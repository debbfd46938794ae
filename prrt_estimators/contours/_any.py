"""A DICOM object with contours, whichever kind it is of."""

from __future__ import annotations

import os
from pathlib import Path

from prrt_estimators._extras import import_pydicom, quiet_pydicom
from prrt_estimators.contours._objects import open_object, text
from prrt_estimators.contours._rtstruct import RTSTRUCT_STORAGE, RTStructureSet, parse_rtstruct, rtstruct_info
from prrt_estimators.contours._segmentation import Segmentation, parse_segmentation, segmentation_info

ContourObject = RTStructureSet | Segmentation


def read_object(path: str | os.PathLike[str]) -> ContourObject:
    """Read a DICOM RTSTRUCT or SEG.

    Raises
    ------
    ContourError
        If the file is damaged, cut short or neither of the two.
    MissingDependencyError
        If pydicom, or a decoder for compressed pixels, is not installed.
    """
    dataset = open_object(path)
    name = Path(path).name
    if text(dataset, "SOPClassUID") == RTSTRUCT_STORAGE:
        return parse_rtstruct(dataset, name)
    return parse_segmentation(dataset, name)


def object_texts(path: str | os.PathLike[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that an object gives to structures, and the names of persons in it, for a search; pixels unread.

    Of a damaged object, what could be read.
    """
    pydicom = import_pydicom()
    try:
        with quiet_pydicom():
            dataset = pydicom.dcmread(os.fspath(path), stop_before_pixels=True, force=True)
            rtstruct = text(dataset, "Modality") == "RTSTRUCT"
            info = rtstruct_info(dataset) if rtstruct else segmentation_info(dataset)
    except Exception:
        # Whatever a damaged file makes of the parser: nothing of it goes anywhere.
        return (), ()
    return info.texts, info.persons
