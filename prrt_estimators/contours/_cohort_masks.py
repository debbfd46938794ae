"""The masks of a cohort, opened one after the other and checked against the scans of their patients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from prrt_estimators._modalities import IMAGING
from prrt_estimators.cohort import Cohort
from prrt_estimators.contours._lesion_names import verdict
from prrt_estimators.contours._masks import Grid, read_mask
from prrt_estimators.exceptions import ContourError, MissingDependencyError, Problem


def check_masks(
    X: Cohort, *, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Problem], list[Problem]]:
    """Open every mask of a cohort.

    Parameters
    ----------
    X : Cohort
    progress : callable, default=None
        Called with the masks done and their number.

    Returns
    -------
    problems : list of Problem
        What keeps masks from being used.
    notices : list of Problem
        What was done with masks that can be used: fractions cut at one half, voxels without a value, lesions that reach
        beyond the scan, structures left out. A mask without a lesion is a finding and is not listed.

    Examples
    --------
    >>> check_masks(Cohort({"lab": [[1.0]]}, masks={"lesion": ["absent.nii.gz"]}))[0][0].what
    'does not exist'
    """
    problems: list[Problem] = []
    notices: list[Problem] = []
    given = [
        (name, int(row), str(volumes.paths[row]))
        for name, volumes in X.masks.items()
        if volumes.paths is not None
        for row in np.flatnonzero(volumes.present)
    ]
    for done, (name, row, path) in enumerate(given, 1):
        where = {"patient": str(X.ids[row]), "column": name, "file": path}
        try:
            mask = read_mask(path, scan_grids(X, row), only_lesions=verdict(name) != "organ")
        except ContourError as error:
            problems.append(Problem(error.what, error.remedy, **where))
        except MissingDependencyError as error:
            problems.append(Problem(str(error), "install it, or convert the mask to NIfTI", **where))
        else:
            voxels = int(np.count_nonzero(mask.labels))
            for count, what, remedy in (
                (mask.cut, "{} voxels of fractions below one half are not lesion, {} are", "check the mask"),
                (mask.unknown, "{} voxels hold no value and are outside", "check the mask"),
                (mask.outside, "{} of {} lesion voxels lie beyond the scan", "check the mask and the scan"),
                (len(mask.left), "{} structures that are not lesions were left out", "name lesions as such"),
            ):
                if count:
                    notices.append(Problem(what.format(count, voxels), remedy, **where))
        if progress is not None:
            progress(done, len(given))
    return problems, notices


def scan_grids(X: Cohort, row: int) -> list[Grid]:
    """Return affine and shape of the scans of a patient that lie in files; those that cannot be opened are passed over."""
    found: list[Grid] = []
    for name in IMAGING:
        if name not in X or X[name].paths is None or not X[name].present[row]:
            continue
        path = Path(X[name].paths[row])
        try:
            image = nib.load(path)
        except Exception:  # a damaged scan is reported where scans are checked
            continue
        found.append((np.asarray(image.affine, dtype=np.float64), tuple(image.shape[:3])))  # type: ignore[attr-defined]
    return found
