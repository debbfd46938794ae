"""Numbers of a PET on its native grid, small enough to keep beside the prepared voxels."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Width of a histogram bin and the SUV at which the last, open bin begins.
BIN, TOP = 0.05, 100.0


def suv_summary(data: np.ndarray, affine: np.ndarray) -> dict[str, Any]:
    """Return maximum, mean, voxel volume (mL) and a histogram of the SUVs of one scan on its native grid.

    The histogram (bins of 0.05 SUV, open above 100) gives any percentile to within half a bin and any volume above
    a threshold that is a multiple of 0.05 exactly, without keeping the voxels.
    """
    counts = np.zeros(int(TOP / BIN) + 1, dtype=np.int64)
    for part in np.moveaxis(data, -1, 0):  # a slice at a time: bins take more memory than voxels
        bins = np.clip(np.floor(part.ravel() / np.float32(BIN) + np.float32(1e-3)), 0, TOP / BIN).astype(np.int64)
        counts += np.bincount(bins, minlength=len(counts))
    filled = np.flatnonzero(counts)
    return {
        "max": float(data.max()),
        "mean": float(data.mean(dtype=np.float64)),
        "voxel_ml": float(abs(np.linalg.det(affine[:3, :3])) / 1000.0),
        "bins": filled.tolist(),
        "counts": counts[filled].tolist(),
    }


def percentile(summary: dict[str, Any], q: float) -> float:
    """Return the q-th percentile of a summary's SUVs, to within half a bin."""
    bins, counts = np.asarray(summary["bins"]), np.cumsum(summary["counts"])
    place = int(np.searchsorted(counts, q / 100 * counts[-1]))
    return min((bins[min(place, len(bins) - 1)] + 0.5) * BIN, summary["max"])


def volume_above(summary: dict[str, Any], threshold: float) -> float:
    """Return the volume (mL) with an SUV of at least `threshold`."""
    bins, counts = np.asarray(summary["bins"]), np.asarray(summary["counts"])
    return float(counts[bins >= round(threshold / BIN)].sum() * summary["voxel_ml"])
