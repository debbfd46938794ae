"""Lesions drawn on one grid, measured on another."""

import numpy as np
import pytest

from prrt_estimators.contours import lesion_shares

FINE = np.diag([1.0, 1.0, 1.0, 1.0])


def ball(radius, shape=(30, 30, 30)):
    index = np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2
    return ((index**2).sum(axis=0) <= radius**2).astype(np.uint16)


def coarse(size, turn=0.0, origin=0.3):
    affine = np.diag([*size, 1.0])
    a = np.eye(4)
    a[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    affine = a @ affine
    affine[:3, 3] += origin
    return affine


@pytest.mark.parametrize("size", [(4.0, 4.0, 3.0), (2.5, 3.5, 5.0), (0.7, 0.9, 1.1)])
@pytest.mark.parametrize("radius", [1.5, 3.0, 8.0])
def test_the_volume_is_kept(size, radius):
    labels = ball(radius)
    shape = tuple(int(40 / one) for one in size)
    (found,) = lesion_shares(labels, FINE, coarse(size), shape)
    assert np.isclose(found.share.sum() * np.prod(size), labels.sum())
    assert found.share.max() <= 1 + 1e-9
    assert found.core.any()


def test_turned_grids_keep_the_volume_about():
    labels = ball(6)
    (found,) = lesion_shares(labels, FINE, coarse((4.0, 4, 3), 0.3, origin=(6.0, -6.0, 0.0)), (12, 12, 14))
    assert np.isclose(found.share.sum() * 48, labels.sum(), rtol=0.02)


def test_mirrored_and_permuted_axes():
    labels = ball(5, (20, 24, 28))
    labels[:, :, 16:] = 0
    affine = coarse((4.0, 4.0, 3.0))
    (plain,) = lesion_shares(labels, FINE, affine, (6, 7, 10))
    flip = np.diag([1.0, -1, 1, 1])
    flip[1, 3] = 23
    (flipped,) = lesion_shares(labels[:, ::-1], FINE @ flip, affine, (6, 7, 10))
    assert flipped.start == plain.start
    assert np.allclose(flipped.share, plain.share)
    (turned,) = lesion_shares(labels.transpose(2, 0, 1), FINE[:, [2, 0, 1, 3]], affine, (6, 7, 10))
    assert turned.start == plain.start
    assert np.allclose(turned.share, plain.share)


def test_a_lesion_smaller_than_a_voxel_is_not_lost():
    labels = np.zeros((20, 20, 20), np.uint16)
    labels[9:11, 9:11, 9:11] = 5
    (found,) = lesion_shares(labels, FINE, coarse((4.0, 4, 4)), (5, 5, 5))
    assert found.label == 5
    assert found.share.max() < 0.5
    assert found.core.sum() == 1
    assert found.share[found.core] == found.share.max()


def test_beyond_the_scan_there_is_nothing():
    assert lesion_shares(ball(3), FINE, coarse((4.0, 4, 4), origin=900.0), (5, 5, 5)) == []
    assert lesion_shares(np.zeros((3, 3, 3), int), FINE, FINE, (3, 3, 3)) == []


def test_the_same_grid_gives_whole_shares():
    labels = ball(4, (12, 12, 12))
    (found,) = lesion_shares(labels, FINE, FINE, labels.shape)
    whole = np.zeros(labels.shape)
    whole[found.box] = found.share
    assert (whole == labels).all()
