"""Lesions of a cohort out to a folder for 3D Slicer, ITK-SNAP and the like, and corrected ones back.

The folder holds pseudonyms, masks and PET, and nothing that identifies a patient.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from prrt_estimators._io import atomic_write, file_digest
from prrt_estimators._modalities import PET
from prrt_estimators._nifti import nameless_copy
from prrt_estimators._placement import NiftiFault
from prrt_estimators.cohort import Cohort
from prrt_estimators.contours._cohort_masks import scan_grids
from prrt_estimators.contours._lesion_numbers import lesion_rows
from prrt_estimators.contours._masks import Mask, read_mask
from prrt_estimators.contours._nrrd import import_nrrd
from prrt_estimators.contours._write import write_labels, write_seg_nrrd
from prrt_estimators.exceptions import CohortError, ContourError, MissingDependencyError, Problem, StorageWarning

INDEX = "index.json"
FORMAT = 1
CHANGE_COLUMNS = ["patient_id", "change", "lesion", "volume_before_ml", "volume_after_ml"]
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass
class Correction:
    """The corrected lesions of one patient.

    Attributes
    ----------
    labels : ndarray of uint16
    affine : ndarray of shape (4, 4)
    found : Path
        The mask before, in the exchange folder.
    changes : list of dict
        Lesions added, removed and changed.
    """

    labels: np.ndarray
    affine: np.ndarray
    found: Path
    changes: list[dict[str, Any]] = field(default_factory=list)


def export_lesions(
    X: Cohort, out: str | os.PathLike[str], masks: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None
) -> pd.DataFrame:
    """Write the lesions of a cohort for viewers: one ``.seg.nrrd`` and one NIfTI per patient, with the PET beside them.

    Without pynrrd the NIfTI files are written alone, and a warning names the command that installs it.

    Parameters
    ----------
    X : Cohort
    out : path
        A folder; files of an earlier export with the same names are replaced.
    masks : mapping of patient to (labels, affine), default=None
        Lesions to write; those of the only mask of the cohort by default.

    Returns
    -------
    DataFrame
        One row per lesion: patient_id, lesion, voxels, volume_ml, suv_mean, suv_max. It is written as ``lesions.csv``.

    Raises
    ------
    CohortError
        If a mask cannot be read; all are listed.
    ValueError
        If it is not clear which mask holds the lesions.

    Examples
    --------
    >>> export_lesions(X, "to_correct")  # doctest: +SKIP
    """
    folder = Path(out)
    try:
        import_nrrd()
        slicer = True
    except MissingDependencyError as error:
        slicer = False
        warnings.warn(f"No .seg.nrrd is written for 3D Slicer, NIfTI only: {error}", StorageWarning, stacklevel=2)
    found = given_lesions(X) if masks is None else dict(masks)
    patients: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for row, patient in enumerate(map(str, X.ids)):
        if patient not in found:
            continue
        labels, affine = found[patient]
        stem = patient if _PLAIN.fullmatch(patient) else f"patient_{row + 1:05d}"
        write_labels(folder / "found" / f"{stem}.nii.gz", labels, affine)
        write_labels(folder / f"{stem}.nii.gz", labels, affine)
        files = [f"{stem}.nii.gz"]
        if slicer:
            write_seg_nrrd(folder / f"{stem}.seg.nrrd", labels, affine)
            files.append(f"{stem}.seg.nrrd")
        pet = pet_file(X, row)
        if pet is not None:
            try:
                scan = nameless_copy(pet)
            except NiftiFault as fault:
                raise CohortError(
                    [Problem(fault.what, fault.remedy, patient=patient, column=PET.name, file=pet)]
                ) from None
            with atomic_write(folder / f"{stem}_pet.nii.gz") as temporary:
                temporary.write_bytes(scan)
        patients[patient] = {"stem": stem, "files": {name: file_digest(folder / name) for name in files}}
        image = None if pet is None else nib.load(pet)
        rows += [{"patient_id": patient, **one} for one in lesion_rows(labels, affine, image)]
    with atomic_write(folder / INDEX) as temporary:
        temporary.write_text(json.dumps({"format": FORMAT, "patients": patients}, indent=1) + "\n", "utf-8")
    table = pd.DataFrame(rows, columns=["patient_id", "lesion", "voxels", "volume_ml", "suv_mean", "suv_max"])
    with atomic_write(folder / "lesions.csv") as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    return table


def given_lesions(X: Cohort) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the lesions of a cohort's own mask.

    Parameters
    ----------
    X : Cohort
        With one mask of lesions, in files.

    Returns
    -------
    dict of patient to (labels, affine)
        One label per lesion, on the grid on which they were drawn.

    Raises
    ------
    CohortError
        If a mask cannot be read; all are listed.
    ValueError
        If it is not clear which mask holds the lesions, or the masks are arrays.

    Examples
    --------
    >>> given_lesions(X)["P1"][0].max()  # doctest: +SKIP
    4
    """
    name = lesion_mask_name(X)
    volumes, problems, found = X.masks[name], [], {}
    if volumes.paths is None:
        raise ValueError("the masks are arrays; lesions are exchanged as files. Write the cohort to files first.")
    for row in np.flatnonzero(volumes.present):
        patient, path = str(X.ids[row]), str(volumes.paths[row])
        try:
            mask = read_mask(path, scan_grids(X, int(row)))
        except ContourError as error:
            problems.append(Problem(error.what, error.remedy, patient=patient, column=name, file=path))
        else:
            found[patient] = (mask.lesions(), mask.affine)
    if problems:
        raise CohortError(problems)
    return found


def lesion_mask_name(X: Cohort) -> str:
    """Return the name of the mask that holds lesions.

    Raises
    ------
    ValueError
        If there is none, or several could.
    """
    from prrt_estimators.contours._lesion_names import verdict

    names = [name for name in X.masks if verdict(name) != "organ"]
    spoken = [name for name in names if verdict(name) == "lesion"]
    chosen = spoken if len(spoken) == 1 else names
    if len(chosen) != 1:
        raise ValueError(
            f"the cohort has {len(chosen)} masks that may hold lesions ({', '.join(chosen) or 'none'}). Name one with `mask`."
        )
    return chosen[0]


def pet_file(X: Cohort, row: int) -> str | None:
    """Return the file of a patient's PET, None where there is none."""
    if PET.name not in X or X[PET.name].paths is None or not X[PET.name].present[row]:
        return None
    return str(X[PET.name].paths[row])


def read_corrections(X: Cohort, folder: str | os.PathLike[str]) -> dict[str, Correction]:
    """Read what was edited in a folder of `export_lesions`.

    A file that was not edited changes nothing. Of a patient whose ``.seg.nrrd`` and NIfTI were both edited it is not clear
    which one counts.

    Parameters
    ----------
    X : Cohort
        With the scans, on which the masks must lie.
    folder : path

    Returns
    -------
    dict of patient to Correction
        Those whose lesions differ.

    Raises
    ------
    CohortError
        With everything that is wrong with the files: of no patient of the cohort, elsewhere in space, damaged, edited twice.

    Examples
    --------
    >>> read_corrections(X, "to_correct")  # doctest: +SKIP
    """
    place = Path(folder)
    try:
        index = json.loads((place / INDEX).read_text("utf-8"))["patients"]
    except (OSError, ValueError, KeyError, TypeError):
        what = f"{place} is not a folder of lesions: it holds no {INDEX}"
        raise CohortError([Problem(what, "name the folder that `prrt lesions --out` wrote")]) from None
    rows = {str(patient): row for row, patient in enumerate(X.ids)}
    problems: list[Problem] = []
    found: dict[str, Correction] = {}
    for patient, entry in index.items():
        edited = [name for name, digest in entry["files"].items() if _edited(place / name, digest)]
        if not edited:
            continue
        if patient not in rows:
            problems.append(
                Problem("the patient is not in the cohort", "name the cohort of these lesions", patient=patient)
            )
            continue
        if len(edited) > 1:
            what = f"{' and '.join(edited)} were both edited"
            problems.append(Problem(what, "keep one and restore or delete the other", patient=patient))
            continue
        try:
            mask = read_mask(place / edited[0], scan_grids(X, rows[patient]))
            before = read_mask(place / "found" / f"{entry['stem']}.nii.gz")
        except ContourError as error:
            problems.append(Problem(error.what, error.remedy, patient=patient, file=edited[0]))
            continue
        labels, affine = _on_found_grid(mask, before)
        changes = compare_lesions(before.labels, before.affine, labels, affine)
        if changes:
            changes = [{"patient_id": patient, **one} for one in changes]
            found[patient] = Correction(labels, affine, place / "found" / f"{entry['stem']}.nii.gz", changes)
    known = {name for entry in index.values() for name in (*entry["files"], f"{entry['stem']}_pet.nii.gz")}
    for path in sorted(place.iterdir()):
        if path.is_file() and path.name.endswith((".nii.gz", ".nii", ".nrrd")) and path.name not in known:
            what = "the file is of no patient of this folder"
            problems.append(Problem(what, "save the mask under the name that it had", file=path.name))
    if problems:
        raise CohortError(problems)
    return found


def _edited(path: Path, digest: str) -> bool:
    return path.is_file() and file_digest(path) != digest


def _on_found_grid(mask: Mask, found: Mask) -> tuple[np.ndarray, np.ndarray]:
    """Return the lesions of a mask on the grid of another, where both have the same voxels; else on its own."""
    step = np.linalg.inv(found.affine) @ mask.affine
    labels = mask.lesions()
    whole = np.rint(step)
    size = np.array(labels.shape)
    if (np.abs(whole[:3, :3]).sum(axis=0) != 1).any() or (np.abs(step - whole)[:3, :3] * size).max() > 0.1:
        return labels, mask.affine
    places = np.argwhere(labels > 0)
    there = np.rint(places @ step[:3, :3].T + step[:3, 3]).astype(int)
    if np.abs(step[:3, 3] - whole[:3, 3]).max() > 0.1 or not ((there >= 0) & (there < found.labels.shape)).all():
        return labels, mask.affine
    moved = np.zeros(found.labels.shape, dtype=np.uint16)
    moved[tuple(there.T)] = labels[tuple(places.T)]
    return moved, found.affine


def compare_lesions(
    before: np.ndarray, before_affine: np.ndarray, after: np.ndarray, after_affine: np.ndarray
) -> list[dict[str, Any]]:
    """Return lesions that were added, removed or changed, with their millilitres; [] if all are the same.

    A lesion is the same one if it shares voxels with one before; by number after the correction, or before it if removed.

    Parameters
    ----------
    before : ndarray of int, shape (i, j, k)
        One label per lesion.
    before_affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.
    after : ndarray of int, shape (i, j, k)
        One label per lesion.
    after_affine : ndarray of shape (4, 4)
        Voxel indices to RAS+ millimetres.

    Returns
    -------
    list of dict
        ``change`` ("added", "removed" or "changed"), ``lesion``, ``volume_before_ml``, ``volume_after_ml``.

    Examples
    --------
    >>> one, two = np.zeros((2, 4, 1, 1), dtype=int)
    >>> one[0], one[3], two[:2] = 1, 2, 1
    >>> for change in compare_lesions(one, np.eye(4), two, np.eye(4)):
    ...     print(change)
    {'change': 'changed', 'lesion': 1, 'volume_before_ml': 0.001, 'volume_after_ml': 0.002}
    {'change': 'removed', 'lesion': 2, 'volume_before_ml': 0.001, 'volume_after_ml': 0.0}
    """
    voxel_before, voxel_after = (
        float(abs(np.linalg.det(affine[:3, :3]))) / 1000 for affine in (before_affine, after_affine)
    )
    places = np.argwhere(after > 0)
    step = np.linalg.inv(before_affine) @ after_affine
    there = np.rint(places @ step[:3, :3].T + step[:3, 3]).astype(int)
    inside = ((there >= 0) & (there < before.shape)).all(axis=1)
    old = np.zeros(len(places), dtype=int)
    old[inside] = before[tuple(there[inside].T)]
    new = after[tuple(places.T)].astype(int)
    pairs: dict[int, dict[int, int]] = {}
    for (now_label, old_label), count in Counter(zip(new.tolist(), old.tolist(), strict=True)).items():
        pairs.setdefault(now_label, {})[old_label] = count
    counts_before, counts_after = np.bincount(before.ravel()), np.bincount(after.ravel())
    changes: list[dict[str, Any]] = []
    met: set[int] = set()

    def told(change: str, lesion: int, was: float, now: float) -> None:
        changes.append(
            {
                "change": change,
                "lesion": lesion,
                "volume_before_ml": round(float(was) * voxel_before, 4),
                "volume_after_ml": round(float(now) * voxel_after, 4),
            }
        )

    same_grid = np.allclose(step, np.eye(4), atol=1e-3) and before.shape == after.shape
    for value in (int(one) for one in np.unique(new)):
        shared = [one for one in pairs[value] if one > 0]
        met.update(shared)
        was = sum(counts_before[one] for one in shared)
        if not shared:
            told("added", value, 0, counts_after[value])
        elif not same_grid or len(shared) > 1 or was != counts_after[value] or pairs[value].get(shared[0]) != was:
            told("changed", value, was, counts_after[value])
    for value in (int(one) for one in np.unique(before[before > 0])):
        if value not in met:
            told("removed", value, counts_before[value], 0)
    return changes


def changes_table(corrections: Sequence[Correction]) -> pd.DataFrame:
    """Return one row per lesion that was added, removed or changed."""
    rows = [change for correction in corrections for change in correction.changes]
    return pd.DataFrame(rows, columns=CHANGE_COLUMNS)
