"""Draw docs/images/phantom.png: PET, CT, overlay and MIP of a short-PFS and a long-PFS synthetic patient.

Run from the root of the repository::

    python docs/scripts/phantom_figure.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prrt_estimators.datasets import make_prrt_cohort

TARGET = Path(__file__).resolve().parents[1] / "images" / "phantom.png"
SHAPE = (110, 82, 150)  # voxels of 4 mm over the whole trunk
CT_WINDOW = {"cmap": "gray", "vmin": -150, "vmax": 250}


def show(ax: Axes, plane: np.ndarray, spacing: np.ndarray, **style: object) -> None:
    """Draw a coronal plane (Right, Superior) as radiologists look at it: the patient's right on the left."""
    ax.imshow(plane[::-1].T, origin="lower", aspect=spacing[2] / spacing[0], interpolation="bilinear", **style)
    ax.set_axis_off()


def draw_row(axes: np.ndarray, pet: np.ndarray, ct: np.ndarray, plane: int, spacing: np.ndarray) -> None:
    """Draw CT, PET, overlay and MIP of one patient."""
    show(axes[0], ct[:, plane], spacing, **CT_WINDOW)
    show(axes[1], pet[:, plane], spacing, cmap="gray_r", vmin=0, vmax=15)
    show(axes[2], ct[:, plane], spacing, **CT_WINDOW)
    shown = np.ma.masked_less(pet[:, plane], 2.0)
    show(axes[2], shown, spacing, cmap="hot", vmin=0, vmax=20, alpha=0.6)
    show(axes[3], pet.max(axis=1), spacing, cmap="gray_r", vmin=0, vmax=20)


def main() -> None:
    """Write the picture."""
    cohort = make_prrt_cohort(24, volume_shape=SHAPE, random_state=3)
    chance = cohort.truth.best_probability["pet_ct_lab"].to_numpy()
    # The two whose outcome agrees best with what their factors say.
    short = int(np.argmin(chance + 9 * (cohort.y == 1)))
    long = int(np.argmax(chance - 9 * (cohort.y == 0)))
    figure = Figure(figsize=(10.0, 7.6), layout="constrained")
    axes = figure.subplots(2, 4)
    for row, patient in enumerate((short, long)):
        spacing, affine = cohort.spacing[patient], cohort.affines[patient]
        plane = round((-25 - affine[1, 3]) / spacing[1])
        pet, ct = (cohort.X[name].array[patient, 0] for name in ("pet", "ct"))
        draw_row(axes[row], pet, ct, plane, spacing)
        kind = "Short" if cohort.y[patient] == 0 else "Long"
        axes[row, 0].set_title(f"{kind} PFS: {cohort.time[patient]:.1f} months", loc="left", fontsize=10)
    for ax, title in zip(axes[0, 1:], ("PET, SUV 0–15", "Overlay", "MIP, SUV 0–20"), strict=True):
        ax.set_title(title, loc="left", fontsize=10)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(TARGET, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
