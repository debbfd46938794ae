"""Draw the pictures of "Lesions: draw, import, correct" from two synthetic patients, by the steps of that page.

Run from the root of the repository::

    python docs/scripts/lesions_figures.py
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from scipy import ndimage

from prrt_estimators.contours import apply_corrections, read_mask, write_rtstruct, write_seg_nrrd
from prrt_estimators.datasets import load_cohort, make_prrt_cohort, write_dicom_cohort
from prrt_estimators.dicom import read_pet
from prrt_estimators.ingest import ingest
from prrt_estimators.report import write_lesions, write_lesions_to_edit

TARGET = Path(__file__).resolve().parents[1] / "images"
SHAPE = (74, 55, 100)  # voxels of 6 mm over the whole trunk
KEY = b"0123456789abcdef0123456789abcdef"
PLAIN = {"time": None, "event": None, "target": None, "verbose": False}


def draw_contours(export: Path) -> None:
    """Write an export of two patients and, beside their PET, the lesions as a physician's program would."""
    cohort = make_prrt_cohort(2, volume_shape=SHAPE, missing_labs=0.0, random_state=21)
    write_dicom_cohort(cohort, export)
    for row, patient in enumerate(cohort.X.ids):
        images = sorted((export / "dicom" / str(patient) / "PET").glob("*.dcm"))
        pet = read_pet(images)
        labels, _ = ndimage.label(cohort.truth.pet_signal[row] > 0, np.ones((3, 3, 3)))
        write_rtstruct(images[0].parent / "RS.dcm", labels.astype(np.uint16), pet.affine, images)


def show(ax: Axes, pet: nib.Nifti1Image, labels: np.ndarray, title: str, gone: int = 0) -> None:
    """Draw a projection of the PET with the outlines of lesions, as radiologists look at it."""
    spacing = pet.header.get_zooms()
    ax.imshow(
        np.asarray(pet.dataobj).max(axis=1)[::-1].T, origin="lower", cmap="gray_r", vmin=0, vmax=15,
        aspect=spacing[2] / spacing[0],
    )  # fmt: skip
    for value in np.unique(labels[labels > 0]):
        colour = "#d55e00" if value == gone else "#009e73"
        outline = (labels == value).any(axis=1)[::-1].T.astype(float)
        ax.contour(outline, [0.5], colors=colour, linewidths=1.2)
    ax.set_title(title, loc="left", fontsize=10)
    ax.set_axis_off()


def main() -> None:
    """Export, ingest, look, correct, give back; keep what is looked at."""
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(place)
        export, cohort, out = folder / "export", folder / "cohort", folder / "lesions"
        draw_contours(export)
        (folder / "key").write_bytes(KEY)
        ingest(export / "dicom", export / "clinical.xlsx", cohort, key_file=folder / "key", verbose=False)
        table = cohort / "cohort.csv"
        X = load_cohort(table, **PLAIN).X
        write_lesions(X, out, lesions="mask", cache_dir=folder / "cache")
        write_lesions_to_edit(X, out, lesions="mask")
        with Image.open(cohort / "quality_01.png") as sheet:
            sheet.save(TARGET / "lesions_quality.png", optimize=True)
        shutil.copy(out / "overview.png", TARGET / "lesions_overview.png")
        patient = str(pd.read_csv(cohort / "lesions.csv")["patient_id"].mode()[0])
        edited = out / "edit" / f"{patient}.seg.nrrd"
        mask = read_mask(edited)
        # The lowest one, as if its segment had been deleted in 3D Slicer.
        gone = min(np.unique(mask.labels)[1:], key=lambda value: np.argwhere(mask.labels == value)[:, 2].mean())
        write_seg_nrrd(edited, np.where(mask.labels == gone, 0, mask.labels), mask.affine)
        print(apply_corrections(X, table, out / "edit").to_string(index=False))
        pet = nib.load(cohort / "patients" / patient / "pet.nii.gz")
        after = read_mask(load_cohort(table, **PLAIN).X.masks["lesion_mask"].paths[list(X.ids).index(patient)])
        figure = Figure(figsize=(6.4, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        show(left, pet, mask.labels, f"Drawn: {len(np.unique(mask.labels)) - 1} lesions", gone)
        show(right, pet, after.labels, f"Corrected: {len(np.unique(after.labels)) - 1}")
        figure.savefig(TARGET / "lesions_corrected.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
