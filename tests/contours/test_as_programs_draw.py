"""Contours as programs write them: nested, doubled, through voxel centres, in any encoding; the answers are worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from contour_builders import LPS, frames_as_bytes, group, on_grid, outline, segmentation, square, structure_set, write
from pydicom import dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from prrt_estimators.contours import read_rtstruct, read_segmentation
from prrt_estimators.contours._any import object_texts

#: 16 x 16 x 4 voxels of 2 x 3 x 4 mm; LPS of voxel (i, j, k) is (2 i, 3 j, 4 k).
AFFINE = np.diag([-2.0, -3.0, 4.0, 1.0])
SHAPE = (16, 16, 4)
SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def box(first, last, z=4.0, kind="CLOSED_PLANAR"):
    """Return an outline around the voxels from first to last, in both directions of the plane."""
    return square(2 * first - 1, 3 * first - 1.5, 2 * last + 1, 3 * last + 1.5, z, kind)


def corners(first, last, z=4.0, turn=0, backwards=False):
    """Return the corners of such an outline, from another one on or the other way round."""
    x0, y0, x1, y1 = 2 * first - 1, 3 * first - 1.5, 2 * last + 1, 3 * last + 1.5
    points = np.roll([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], turn, axis=0)
    return points[::-1] if backwards else points


def plane(tmp_path, drawn, k=1, affine=AFFINE, shape=SHAPE):
    structures = read_rtstruct(write(structure_set({"GTV": drawn}), tmp_path / "RS.dcm")).on(affine, shape)
    whole = np.zeros(shape, dtype=bool)
    region = structures.regions[0]
    whole[region.box] |= region.mask
    assert not np.delete(whole, k, axis=2).any()
    return whole[:, :, k]


def ring(*edges):
    """Return voxels by nesting depth: each box turns over what lies within it."""
    found = np.zeros(SHAPE[:2], dtype=int)
    for first, last in edges:
        found[first : last + 1, first : last + 1] += 1
    return found % 2 == 1


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)])
def test_holes_and_islands_three_deep(tmp_path, order):
    edges = [(1, 14), (3, 12), (5, 10), (7, 8)]
    found = plane(tmp_path, [box(*edges[k]) for k in order])
    assert (found == ring(*edges)).all()
    exclusive = plane(tmp_path, [box(*edges[k], kind="CLOSEDPLANAR_XOR") for k in order])
    assert (exclusive == found).all()


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("backwards", [False, True])
def test_the_same_contour_twice_counts_once(tmp_path, turn, backwards):
    again = corners(1, 14, turn=turn, backwards=backwards)
    drawn = [box(1, 14), outline(again), box(5, 8), outline(corners(5, 8, turn=turn, backwards=not backwards))]
    assert (plane(tmp_path, drawn) == ring((1, 14), (5, 8))).all()
    # One more point on an edge, and digits that were lost, change nothing.
    longer = np.insert(again, 1, (again[0] + again[1]) / 2, axis=0) + 0.004
    assert (plane(tmp_path, [box(1, 14), outline(longer)]) == ring((1, 14))).all()


def test_a_keyhole_with_an_island(tmp_path):
    outer, inner = corners(1, 14), corners(4, 11)
    keyhole = np.concatenate([outer, outer[:1], inner[:1], inner[::-1]])
    assert (plane(tmp_path, [outline(keyhole), box(6, 9)]) == ring((1, 14), (4, 11), (6, 9))).all()


def test_two_keyholes_in_one_contour(tmp_path):
    outer, first, second = corners(0, 15), corners(2, 5), corners(9, 12)
    line = np.concatenate([outer, outer[:1], first[:1], first[::-1], outer[:1], second[:1], second[::-1], outer[:1]])
    assert (plane(tmp_path, [outline(line)]) == ring((0, 15)) & ~ring((2, 5)) & ~ring((9, 12))).all()


def test_a_hole_that_touches_the_edge_and_neighbours_that_share_one(tmp_path):
    hole = [(1, 1.5, 4), (9, 4.5, 4), (9, 10.5, 4), (1, 10.5, 4)]
    assert plane(tmp_path, [box(1, 14), outline(hole)]).sum() < ring((1, 14)).sum()
    left, right = square(1, 1.5, 9, 43.5, 4), square(9, 1.5, 29, 43.5, 4)
    assert (plane(tmp_path, [left, right]) == ring((1, 14))).all()


def test_contours_that_cross_are_joined(tmp_path):
    across = square(15, 13.5, 31, 31.5, 4)
    expected = ring((1, 8))
    expected[8:16, 5:11] = True
    assert (plane(tmp_path, [box(1, 8), across]) == expected).all()


@pytest.mark.parametrize("middle", [5.0, 7.0])
def test_edges_through_voxel_centres_divide_them(tmp_path, middle):
    """Structures that share an edge on which centres lie claim each voxel once, whichever way the array runs."""
    parts = {
        "a": [square(-1, -1.5, 2 * middle, 46.5, 4)], "b": [square(2 * middle, -1.5, 31, 3 * middle, 4)],
        "c": [square(2 * middle, 3 * middle, 31, 46.5, 4)],
    }  # fmt: skip
    rtstruct = read_rtstruct(write(structure_set(parts), tmp_path / "RS.dcm"))
    turned = AFFINE.copy()
    turned[0, 0], turned[0, 3] = 2, -30
    plain = None
    for affine in (AFFINE, turned):
        structures = rtstruct.on(affine, SHAPE)
        claimed = np.zeros(SHAPE, dtype=int)
        for value, region in enumerate(structures.regions, 1):
            claimed[region.box] += value * region.mask + 10 * region.mask
        assert (claimed[:, :, 1] // 10 == 1).all()
        plain = claimed if plain is None else plain
        assert (on_grid(claimed, affine, plain, AFFINE) == plain).all()


def test_feet_first_and_oblique(tmp_path):
    a, b = 0.3, 0.2
    for turn in (
        np.array([[-1, 0, 0], [0, 1, 0], [0, 0, -1.0]]),
        np.array([[np.cos(a), 0, -np.sin(a)], [np.sin(a) * np.sin(b), np.cos(b), np.cos(a) * np.sin(b)], [0, 0, 0]]),
    ):
        axes = turn.T.copy()
        axes[:, 2] = np.cross(axes[:, 0], axes[:, 1])
        lps = np.eye(4)
        lps[:3, :3] = axes * [2.0, 3.0, 4.0]
        drawn = [
            outline((lps[:3, :3] @ (np.array(points) / [2, 3, 4]).T).T)
            for points in (corners(1, 14), corners(3, 12), corners(5, 10))
        ]
        affine = LPS @ lps
        assert (plane(tmp_path, drawn, affine=affine) == ring((1, 14), (3, 12), (5, 10))).all()


def test_nothing_that_holds_a_voxel(tmp_path):
    rois = {
        "Lesion empty": [],
        "Lesion point": [outline([(4, 6, 4)], "POINT")],
        "Lesion open": [outline(corners(1, 5), "OPEN_NONPLANAR")],
        "GTV": [box(2, 3), outline([(4, 6, 4)], "POINT"), group(ContourGeometricType="CLOSED_PLANAR")],
    }
    rtstruct = read_rtstruct(write(structure_set(rois), tmp_path / "RS.dcm"))
    regions = rtstruct.on(AFFINE, SHAPE).regions
    assert [region.voxels for region in regions] == [0, 0, 0, 4]
    assert [sum(region.counts.values()) for region in regions] == [0, 1, 1, 3]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda one: one.name)
def test_outlines_in_any_transfer_syntax(tmp_path, syntax):
    dataset = structure_set({"Läsion S7": [box(1, 14), box(5, 8)]}, SpecificCharacterSet="ISO_IR 100")
    path = saved(dataset, tmp_path / "RS.dcm", syntax)
    found = read_rtstruct(path)
    assert found.structures == [("Läsion S7", "")]
    assert found.on(AFFINE, SHAPE).regions[0].voxels == ring((1, 14), (5, 8)).sum()


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda one: one.name)
@pytest.mark.parametrize("stored", [1, 8])
def test_segments_in_any_transfer_syntax(tmp_path, syntax, stored):
    mask = np.random.default_rng(0).random((9, 5, 3)) < 0.4
    place = np.diag([2.0, 3.0, 4.0, 1.0])
    dataset = segmentation({"Lesion": mask}, place)
    if stored == 8:
        frames_as_bytes(dataset)
    found = read_segmentation(saved(dataset, tmp_path / "SEG.dcm", syntax)).on()
    whole = np.zeros(found.shape, dtype=int)
    whole[found.regions[0].box] = found.regions[0].mask
    assert (on_grid(whole, found.affine, mask, LPS @ place) == mask).all()


@pytest.mark.parametrize(
    ("characters", "name"),
    [
        ("ISO_IR 192", "Оконкво Läsion"),
        ("ISO_IR 144", "Оконкво"),
        ("ISO_IR 100", "Müller"),
        (["", "ISO 2022 IR 87"], "山田"),
    ],
)
def test_names_in_any_characters_are_searched_for(tmp_path, characters, name):
    dataset = structure_set({name: []}, SpecificCharacterSet=characters)
    dataset.RTROIObservationsSequence[0].ROIInterpreter = f"{name}^Ada"
    texts, persons = object_texts(write(dataset, tmp_path / "RS.dcm"))
    assert name in texts
    assert persons == (f"{name}^Ada",)


def saved(dataset, path, syntax):
    dataset.file_meta.TransferSyntaxUID = syntax
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OB"
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    dcmwrite(path, dataset, implicit_vr=implicit, little_endian=little, force_encoding=True)
    return path
