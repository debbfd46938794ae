"""The lesions of a patient as a file of the cohort, and what is recorded of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import nibabel as nib
import numpy as np

from prrt_estimators._modalities import PET
from prrt_estimators.contours._lesion_numbers import lesion_rows
from prrt_estimators.ingest._contour_choice import PatientLesions, ScanPlace, choose_lesions
from prrt_estimators.ingest._contour_plan import ContourTask
from prrt_estimators.ingest._deface import remove_above

LESIONS = "lesions.nii.gz"


def read_lesions(
    root: str, task: ContourTask, images: Mapping[str, nib.Nifti1Image], record: Mapping[str, Any]
) -> PatientLesions | None:
    """Return the lesions that are drawn on the scans of a patient, None where there is no contour object.

    Parameters
    ----------
    root : str
        The export.
    task : ContourTask
    images : mapping of str to Nifti1Image
        The scans as they were read, on the grid of the scanner.
    record : mapping
        Tells which of the series that were tried each scan was made of.
    """
    if not task.files:
        return None
    places = {}
    for kind, image in images.items():
        tried, place = task.places.get(kind, []), record.get(kind, {}).get("series_tried", 1) - 1
        series, frame = tried[place] if 0 <= place < len(tried) else (frozenset[str](), "")
        a, b, c = (int(size) for size in image.shape[:3])
        places[kind] = ScanPlace(np.asarray(image.affine, dtype=np.float64), (a, b, c), series, frame)

    def whole(files: frozenset[str]) -> frozenset[str]:
        return frozenset(os.path.join(root, file) for file in files)

    return choose_lesions(
        [os.path.join(root, file) for file in task.files],
        places,
        task.wishes,
        named=None if task.named is None else whole(task.named),
        foreign=whole(task.foreign),
    )


def lesion_image(found: PatientLesions | None, height: float = float("inf")) -> nib.Nifti1Image | None:
    """Return the mask to write, without what lies above a height in mm; None where nothing was told of lesions."""
    if found is None or found.lesions is None:
        return None
    image = nib.Nifti1Image(found.lesions.labels, found.lesions.affine)
    cut = remove_above(image, height, PET.name)
    if found.state == "lesions" and not np.asarray(cut.dataobj).any():
        found.state, found.lesions = "none", None
        found.notes.append("the lesions lie in the head that was removed")
        return None
    return cut


def lesion_record(found: PatientLesions, image: nib.Nifti1Image | None, pet: nib.Nifti1Image | None) -> dict[str, Any]:
    """Return what is kept of the contours of a patient: numbers and fates, no name."""
    record: dict[str, Any] = {
        "state": found.state,
        "drawn_on": found.drawn_on,
        "source": found.source,
        "objects": dict(sorted((+found.objects).items())),
        "structures": dict(sorted((+found.structures).items())),
        "contours": dict(sorted((+found.contours).items())),
    }
    if image is None or found.lesions is None:
        return record
    labels = np.asarray(image.dataobj)
    record["lesions"] = lesion_rows(labels, image.affine, pet)
    record["shared_voxels"] = found.lesions.shared
    if found.agreement:
        record["agreement_dice"] = found.agreement
    return record
