"""Contours of one plane as voxels: cases worked by hand."""

import numpy as np
import pytest

from prrt_estimators.contours._polygons import combine, combine_xor, fill

SHAPE = (12, 10)


def box(x0, y0, x1, y1):
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=float)


def cells(*boxes):
    """Voxels of half-open boxes of whole numbers."""
    mask = np.zeros(SHAPE, dtype=bool)
    for x0, y0, x1, y1 in boxes:
        mask[x0:x1, y0:y1] = True
    return mask


OUTER, HOLE, ISLAND = box(0.5, 0.5, 9.5, 8.5), box(2.5, 2.5, 7.5, 6.5), box(3.5, 3.5, 5.5, 5.5)


def test_only_voxels_whose_centre_is_inside():
    assert (fill(box(0.6, 0.6, 3.4, 2.4), SHAPE) == cells((1, 1, 4, 3))).all()
    assert not fill(box(0.1, 0.1, 0.9, 0.9), SHAPE).any()


def test_direction_and_first_vertex_do_not_matter():
    points = np.array([(1.2, 1.1), (8.7, 2.3), (7.1, 8.2), (2.4, 7.9)])
    expected = fill(points, SHAPE)
    for turn in range(4):
        assert (fill(np.roll(points, turn, axis=0), SHAPE) == expected).all()
        assert (fill(np.roll(points, turn, axis=0)[::-1], SHAPE) == expected).all()


def test_beyond_the_edges_of_the_plane():
    assert fill(box(-3, -3, 20, 20), SHAPE).all()
    assert (fill(box(-5, 2.5, 3.5, 4.5), SHAPE) == cells((0, 3, 4, 5))).all()


def test_a_mirrored_contour_is_mirrored():
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = rng.uniform(-1, 12, size=(7, 2))
        assert (fill(points * [-1, 1] + [11, 0], SHAPE) == fill(points, SHAPE)[::-1]).all()


def test_nested_contours_alternate():
    ring = fill(OUTER, SHAPE) & ~fill(HOLE, SHAPE)
    assert (combine([OUTER, HOLE], SHAPE) == ring).all()
    assert (combine([ISLAND, HOLE, OUTER], SHAPE) == (ring | fill(ISLAND, SHAPE))).all()


def test_crossing_contours_are_joined():
    one, two = box(0.5, 0.5, 5.5, 5.5), box(3.5, 3.5, 8.5, 8.5)
    assert (combine([one, two], SHAPE) == (fill(one, SHAPE) | fill(two, SHAPE))).all()


def test_a_plus_of_two_bars_is_joined():
    one, two = box(0.5, 3.5, 9.5, 5.5), box(3.5, 0.5, 5.5, 8.5)
    assert (combine([one, two], SHAPE) == (fill(one, SHAPE) | fill(two, SHAPE))).all()


def test_a_hole_in_the_overlap_of_two_joined_contours():
    one, two, hole = box(0.5, 0.5, 7.5, 7.5), box(2.5, 1.5, 10.5, 8.5), box(3.5, 3.5, 5.5, 5.5)
    expected = (fill(one, SHAPE) | fill(two, SHAPE)) & ~fill(hole, SHAPE)
    assert (combine([one, two, hole], SHAPE) == expected).all()


@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_copies_count_once(noise):
    copy = np.roll(OUTER[::-1], 2, axis=0) + noise
    closed = np.vstack([OUTER, OUTER[:1]])
    assert (combine([OUTER, copy, closed], SHAPE) == fill(OUTER, SHAPE)).all()
    assert (combine([OUTER, copy, HOLE, HOLE + noise], SHAPE) == combine([OUTER, HOLE], SHAPE)).all()
    assert (combine_xor([OUTER, copy, HOLE], SHAPE) == combine([OUTER, HOLE], SHAPE)).all()


def test_a_hole_that_touches_the_outline_is_a_hole():
    hole = box(0.5, 2.5, 4.5, 5.5)
    assert (combine([OUTER, hole], SHAPE) == (fill(OUTER, SHAPE) & ~fill(hole, SHAPE))).all()


def test_neighbours_that_share_an_edge_are_both_taken():
    assert (combine([box(0.5, 0.5, 4.5, 4.5), box(4.5, 0.5, 8.5, 4.5)], SHAPE) == cells((1, 1, 9, 5))).all()


def test_a_keyhole_equals_a_hole():
    keyhole = np.vstack([OUTER, OUTER[:1], HOLE[:1], HOLE[::-1]])
    assert (combine([keyhole], SHAPE) == combine([OUTER, HOLE], SHAPE)).all()


def test_an_island_in_a_keyhole_is_no_hole():
    keyhole = np.vstack([OUTER, OUTER[:1], HOLE[:1], HOLE[::-1]])
    assert (combine([keyhole, ISLAND], SHAPE) == combine([OUTER, HOLE, ISLAND], SHAPE)).all()


def test_exclusive_or():
    one, two = box(0.5, 0.5, 5.5, 5.5), box(3.5, 3.5, 8.5, 8.5)
    assert (combine_xor([one, two], SHAPE) == (fill(one, SHAPE) ^ fill(two, SHAPE))).all()
    assert (combine_xor([OUTER, HOLE, ISLAND], SHAPE) == combine([OUTER, HOLE, ISLAND], SHAPE)).all()


def test_no_contour_gives_no_voxel():
    assert not combine([], SHAPE).any()
