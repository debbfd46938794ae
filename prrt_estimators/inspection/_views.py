"""One patient's scans, maps and masks side by side on one fine grid, ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np

from prrt_estimators._modalities import IMAGING, MODALITIES, anatomy_first
from prrt_estimators._validation import as_cohort
from prrt_estimators.cohort import Cohort, Volumes
from prrt_estimators.contours import read_mask
from prrt_estimators.inspection._native_grids import onto
from prrt_estimators.inspection._saliency import SaliencyMaps
from prrt_estimators.preprocessing._boxes import Box, into_box
from prrt_estimators.preprocessing._scans import read_scan


@dataclass(frozen=True)
class PatientView:
    """Arrays of one shape, axes towards Right, Anterior, Superior, cubic voxels.

    Attributes
    ----------
    patient : str
        Pseudonymous id.
    affine : ndarray of shape (4, 4)
        Voxels to RAS+ millimetres.
    spacing : float
        Edge of a voxel in mm; in voxels of the network where its spacing is not known.
    scans : dict of str to ndarray
        SUVbw and HU.
    maps : dict of str to ndarray
    masks : dict of str to ndarray
        Share of each voxel inside, 0 to 1.
    units : dict of str to str
        Of the maps.
    probability : float
        Of long PFS.
    method : str
    caution : str
    """

    patient: str
    affine: np.ndarray
    spacing: float
    scans: dict[str, np.ndarray]
    maps: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    units: dict[str, str]
    probability: float
    method: str
    caution: str = field(default="")

    def scale(self, name: str) -> float:
        """Return the absolute value of a map that 999 voxels of a thousand stay below; 1 for a map of zeros."""
        values = np.abs(self.maps[name])
        return float(np.quantile(values, 0.999)) or float(values.max()) or 1.0

    def peak(self) -> tuple[int, int, int]:
        """Return the voxel of the patient's body where the first map is greatest."""
        values = np.abs(next(iter(self.maps.values())))
        seen = anatomy_first(self.scans)[0]
        body = self.scans[seen] > MODALITIES[seen].body
        values = np.where(body, values, 0.0) if (values * body).any() else values
        return tuple(int(k) for k in np.unravel_index(values.argmax(), values.shape))  # type: ignore[return-value]


def patient_view(maps: SaliencyMaps, patient: int | str = 0, *, X: Any = None, voxels: int = 128) -> PatientView:
    """Bring scans, maps and masks of one patient onto one fine grid over what the network saw.

    Parameters
    ----------
    maps : SaliencyMaps
    patient : int or str, default=0
        Row or id.
    X : Cohort or mapping, default=None
        The patients of the maps. With it scans in files are read at their own resolution, a scan that the model
        does not use is shown, too, and masks are drawn; without it the scans are as the network got them.
    voxels : int, default=128
        Along the longest axis.

    Returns
    -------
    PatientView

    Raises
    ------
    ValueError
        If the patient has no map, or X holds other patients.
    """
    if not isinstance(maps, SaliencyMaps):
        raise TypeError(f"`maps` must come from saliency(); got {type(maps).__name__}.")
    row = maps.row(patient)
    cohort = None if X is None else as_cohort(X)
    if cohort is not None and cohort.ids.tolist() != maps.ids.tolist():
        raise ValueError(
            f"`X` must hold the patients of the maps in their order; got {len(cohort)} patients for {len(maps.ids)} maps."
        )
    names = [name for name in maps if maps.present(name)[row]]
    if not names:
        raise ValueError(f"patient {maps.ids[row]} has no scan that this model takes; choose another.")
    first = names[0]
    grid = _fine_grid(maps[first].shape[2:], maps.affines[first][row], voxels)
    shown = {name: onto(maps[name][row, 0], maps.affines[name][row], grid.size, grid.affine) for name in names}
    scans = {
        name: onto(
            maps.volumes[name][row, 0], maps.affines[name][row], grid.size, grid.affine, MODALITIES[name].outside
        )
        for name in names
    }
    masks: dict[str, np.ndarray] = {}
    if cohort is not None:
        scans |= _from_files(cohort, row, grid)
        scans = {name: scans[name] for name in IMAGING if name in scans}
        for name, volumes in cohort.masks.items():
            found = mask_on(volumes, row, maps[first].shape[2:], maps.affines[first][row], grid.size, grid.affine)
            if found is not None:
                masks[name] = found
    return PatientView(
        patient=str(maps.ids[row]),
        affine=grid.affine,
        spacing=grid.spacing[0],
        scans=scans,
        maps=shown,
        masks=masks,
        units={name: maps.unit(name) for name in names},
        probability=float(maps.probability[row]),
        method=maps.method,
        caution=maps.caution,
    )


def mask_on(
    volumes: Volumes,
    row: int,
    own_shape: tuple[int, ...],
    own_affine: np.ndarray,
    shape: tuple[int, ...],
    affine: np.ndarray,
) -> np.ndarray | None:
    """Return the share of each voxel of a grid that lies in a patient's mask, None without a mask.

    Parameters
    ----------
    volumes : Volumes
        Files on any grid, or an array on the grid of the network's input.
    row : int
    own_shape, own_affine :
        The grid of the network's input.
    shape, affine :
        The grid asked for.
    """
    if not volumes.present[row]:
        return None
    if volumes.array is not None:
        values = volumes.array[row, 0]
        if values.shape != tuple(own_shape):
            raise ValueError(
                f"a mask given as an array must be on the grid of the scans, {tuple(own_shape)}; got {values.shape}. "
                "Pass files, which may lie on any grid."
            )
        return np.clip(onto((values > 0).astype(np.float32), own_affine, shape, affine), 0, 1)
    mask = read_mask(volumes.paths[row], only_lesions=False)  # type: ignore[index]
    values, placed = (mask.labels > 0).astype(np.float32), mask.affine
    if not np.allclose(affine[:3, :3], np.diag(np.diag(affine[:3, :3]))):
        return np.clip(onto(values, placed, shape, affine), 0, 1)
    return np.clip(into_box(values, placed, _as_box(shape, affine)), 0, 1)


def _fine_grid(shape: tuple[int, ...], affine: np.ndarray, voxels: int) -> Box:
    if not isinstance(voxels, Real) or voxels < 8:
        raise ValueError(f"`voxels` must be a whole number of at least 8; got {voxels!r}. Pass e.g. 128.")
    ends = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in shape])).reshape(3, -1)
    corners = affine[:3, :3] @ ends + affine[:3, 3:]
    low, high = corners.min(axis=1), corners.max(axis=1)
    spacing = float((high - low).max() / voxels)
    size = np.maximum(np.rint((high - low) / spacing), 1).astype(int)
    a, b, c = size.tolist()
    x, y, z = ((low + high) / 2).tolist()
    return Box((x, y, z), (a, b, c), (spacing,) * 3)


def _as_box(shape: tuple[int, ...], affine: np.ndarray) -> Box:
    a, b, c = (int(n) for n in shape)
    middle = affine[:3, :3] @ ((np.asarray(shape) - 1) / 2) + affine[:3, 3]
    x, y, z = middle.tolist()
    u, v, w = np.diag(affine[:3, :3]).tolist()
    return Box((x, y, z), (a, b, c), (u, v, w))


def _from_files(cohort: Cohort, row: int, grid: Box) -> dict[str, np.ndarray]:
    found = {}
    for name in IMAGING:
        if name in cohort and cohort[name].paths is not None and cohort[name].present[row]:
            scan = read_scan(cohort[name].paths[row], name, str(cohort.ids[row]))
            found[name] = into_box(scan.data, scan.affine, grid, name).astype(np.float32)
    return found
