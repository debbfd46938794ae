"""What the writers have in common: the scans of a cohort one patient at a time, its table, its truth."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from prrt_estimators._io import make_folder, temporary_folder
from prrt_estimators._modalities import CT, PET
from prrt_estimators.phantoms._factors import CENTRES, Patient
from prrt_estimators.phantoms._phantom import patient_grid, render


@dataclass(frozen=True)
class Study:
    """The scans of one patient, in RAS+ order; None for a scan that the patient lacks."""

    patient_id: str
    pet: np.ndarray | None
    ct: np.ndarray | None
    lesion: np.ndarray
    affine: np.ndarray
    ct_affine: np.ndarray
    orientation: str


def studies_of(bunch: Bunch) -> Iterator[Study]:
    """Give the scans that a cohort holds in memory."""
    X = bunch["X"]
    if PET.name not in X or CT.name not in X or X[PET.name].array is None:
        raise ValueError(
            "this cohort holds no rendered volumes; call make_prrt_cohort(..., volumes=True), or make_cohort_folder, "
            "which renders while it writes."
        )
    for row, name in enumerate(X.ids):
        pet, ct = X[PET.name][row], X[CT.name][row]
        yield Study(
            str(name),
            None if pet is None else pet[0],
            None if ct is None else ct[0],
            X.masks["lesion"][row][0],
            bunch["affines"][row],
            bunch["affines"][row],
            CENTRES[int(bunch["patients"]["centre"].iloc[row])].orientation,
        )


def rendered(
    patients: Sequence[Patient],
    lacks: Sequence[str],
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float] | None,
    ct_shape: tuple[int, int, int] | None,
) -> Iterator[Study]:
    """Render the scans of a cohort, holding those of one patient at a time."""
    for patient, lack in zip(patients, lacks, strict=True):
        grid = patient_grid(patient, shape, spacing)
        ct_grid = grid
        if ct_shape is not None:
            size = spacing and tuple(v * a / b for v, a, b in zip(spacing, shape, ct_shape, strict=True))
            ct_grid = patient_grid(patient, ct_shape, size)  # type: ignore[arg-type]
        scans = render(patient, grid, ct_grid)
        yield Study(
            patient.id,
            None if lack == PET.name else scans.pet,
            None if lack == CT.name else scans.ct,
            scans.lesion,
            grid.affine,
            ct_grid.affine,
            CENTRES[patient.centre].orientation,
        )


def clinical_table(bunch: Bunch) -> pd.DataFrame:
    """Return the table of a cohort without its files: id, sex, age, labs, PFS."""
    people, lab = bunch["patients"], bunch["X"]["lab"]
    table = pd.DataFrame({"patient_id": people["patient_id"], "sex": lab["sex"], "age": lab["age"]})
    for name in lab.columns.drop(["sex", "age"]):
        table[name] = lab[name]
    if people["centre"].nunique() > 1:
        table["centre"] = [f"C{k + 1}" for k in people["centre"]]
    table["pfs_months"] = bunch["time"]
    table["progressed"] = bunch["event"].astype(int)
    return table


def write_truth(bunch: Bunch, folder: Path) -> None:
    """Write what is known about the cohort, apart from its table so that no model finds it by mistake."""
    truth = bunch["truth"]
    folder.mkdir()
    truth.attainable.to_csv(folder / "attainable.csv")
    truth.best_probability.to_csv(folder / "best_probability.csv", float_format="%.6f")
    table = truth.factors.assign(log_hazard=truth.log_hazard, pfs_months=truth.time)
    table.to_csv(folder / "factors.csv", float_format="%.6f")
    truth.lab_signal.to_csv(folder / "lab_signal.csv", float_format="%.6f")
    truth.lesions.to_csv(folder / "lesions.csv", index=False, float_format="%.3f")


@contextlib.contextmanager
def whole_folder(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder that becomes `target` on success and vanishes on failure."""
    target = Path(target)
    if target.is_symlink():
        make_folder(target)  # says so of a link to nothing
        target = target.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{target} exists and is not empty; name a new folder, or remove it first.")
    with temporary_folder(target) as temporary:
        yield temporary
        if target.exists():
            target.rmdir()
        temporary.replace(target)
