"""Scans on the grid of published weights, against nibabel and scipy."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from prrt_estimators.preprocessing._grids import onto_grid


def independent(data, affine, size, spacing, padding):
    """Reorient with nibabel, interpolate with scipy between voxel centres, pad and crop by hand."""
    image = nib.as_closest_canonical(nib.Nifti1Image(np.maximum(data, padding).astype(np.float32), affine))
    voxels, own = image.get_fdata(), image.header.get_zooms()[:3]
    counts = [int(np.round((n - 1) * a / b)) + 1 for n, a, b in zip(voxels.shape, own, spacing, strict=True)]
    places = [np.arange(n) * b / a for n, a, b in zip(counts, own, spacing, strict=True)]
    fine = ndimage.map_coordinates(voxels, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest")
    result = np.full(size, padding)
    here, there = [], []
    for n, wanted in zip(fine.shape, size, strict=True):
        before = max(wanted - n, 0) // 2
        start = max(n // 2 - wanted // 2, 0)
        kept = min(n, wanted)
        there.append(slice(before, before + kept))
        here.append(slice(start, start + kept))
    result[tuple(there)] = fine[tuple(here)]
    return result


def affine_of(axes, flips, spacing, shape):
    """Return an affine whose voxel axis k runs along patient axis `axes[k]`, backwards where flipped."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for k, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        affine[axis, k] = -spacing[k] if flip else spacing[k]
        affine[axis, 3] = spacing[k] * (shape[k] - 1) if flip else -17.5
    return affine


@pytest.mark.parametrize(
    ("axes", "flips"),
    [
        ((0, 1, 2), (False, False, False)),
        ((0, 1, 2), (True, True, False)),  # LPS
        ((1, 2, 0), (False, False, False)),
        ((2, 0, 1), (True, False, True)),
    ],
    ids=["RAS", "LPS", "ASR", "ILP"],
)
@pytest.mark.parametrize("size", [(10, 9, 12), (21, 8, 5), (30, 31, 40)], ids=["near", "both", "padded"])
@pytest.mark.parametrize(("modality", "padding"), [("ct", -1024.0), ("pet", 0.0)])
def test_any_orientation_agrees_with_an_independent_route(axes, flips, size, modality, padding):
    rng = np.random.default_rng(1)
    shape, spacing = (13, 11, 9), (0.9, 1.4, 3.0)
    data = ndimage.gaussian_filter(rng.normal(0, 2000, shape), 1.0) - (300 if modality == "ct" else 0)
    affine = affine_of(axes, flips, spacing, shape)
    found = onto_grid(data, affine, size=size, spacing=(1.5, 1.25, 2.0), modality=modality)
    assert found.dtype == np.float32
    assert found.flags["C_CONTIGUOUS"]
    # MONAI interpolates in single precision: a place a ten-thousandth of a voxel off moves a value by as much.
    np.testing.assert_allclose(found, independent(data, affine, size, (1.5, 1.25, 2.0), padding), atol=0.1, rtol=1e-3)


def test_a_corner_voxel_ends_where_right_anterior_superior_say():
    data = np.full((4, 5, 6), -500.0)
    data[0, 0, 0] = 700.0  # stored at the left, the back, the bottom of an LPS file: right, front, bottom
    affine = affine_of((0, 1, 2), (True, True, False), (2.0, 2.0, 2.0), data.shape)
    found = onto_grid(data, affine, size=(4, 5, 6), spacing=(2.0, 2.0, 2.0), modality="ct")
    assert np.argwhere(found > 0).tolist() == [[3, 4, 0]]
    assert found[3, 4, 0] == pytest.approx(700.0)


def test_what_lies_outside_is_air_and_scanner_padding_is_clipped_before_it_is_interpolated():
    data = np.full((6, 6, 6), 100.0)
    data[:, :, :2] = -3024.0
    found = onto_grid(data, np.diag([2.0, 2.0, 2.0, 1.0]), size=(8, 8, 12), spacing=(2.0, 2.0, 1.0), modality="ct")
    assert found.min() == -1024.0
    assert (found[0] == -1024).all()
    assert (found[:, -1] == -1024).all()
    middle = found[4, 4, :]
    np.testing.assert_allclose(middle, [-1024.0] * 3 + [-462.0] + [100.0] * 7 + [-1024.0], atol=0.1)


def test_the_input_is_left_alone():
    data = np.full((4, 4, 4), -3024.0)
    onto_grid(data, np.eye(4), size=(4, 4, 4), spacing=(1.0, 1.0, 1.0), modality="ct")
    assert (data == -3024).all()
