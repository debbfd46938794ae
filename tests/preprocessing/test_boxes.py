import numpy as np
import pytest
from monai.data import MetaTensor
from monai.transforms import SpatialResample

from prrt_estimators.preprocessing._boxes import Box, centre_of, field_of_view, into_box, overlap


def world_field(shape, affine):
    """Return a volume whose value is a linear function of the position in mm: any linear resampling must keep it."""
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
    mm = grid @ affine[:3, :3].T + affine[:3, 3]
    return (mm @ np.array([0.5, -0.3, 0.2])).astype(np.float32)


AFFINES = {
    "RAS": np.diag([4.0, 3.0, 5.0, 1.0]),
    "LPS": np.array([[-4.0, 0, 0, 90], [0, -3.0, 0, 60], [0, 0, 5.0, -40], [0, 0, 0, 1]]),
    "permuted": np.array([[0, 0, 5.0, -50], [4.0, 0, 0, -30], [0, -3.0, 0, 70], [0, 0, 0, 1]]),
    "oblique": np.array([[3.5, -1.2, 0.3, -20], [1.3, 3.4, -0.5, -30], [-0.1, 0.7, 4.8, -10], [0, 0, 0, 1]]),
}


@pytest.mark.parametrize("name", AFFINES)
def test_positions_in_the_patient_are_kept_in_every_orientation(name):
    affine = AFFINES[name]
    data = world_field((24, 24, 24), affine)
    box = Box(centre_of(data.shape, affine), (8, 8, 8), (3.0, 4.0, 5.0))
    np.testing.assert_allclose(into_box(data, affine, box, "pet"), world_field(box.size, box.affine), atol=1e-3)


def test_a_box_on_the_scan_s_own_grid_gives_the_scan_back():
    affine = AFFINES["RAS"]
    data = np.random.default_rng(0).random((6, 7, 8)).astype(np.float32)
    box = Box(centre_of(data.shape, affine), (6, 7, 8), (4.0, 3.0, 5.0))
    np.testing.assert_allclose(into_box(data, affine, box, "pet"), data, atol=1e-5)


def test_agrees_with_monai_where_nothing_is_shrunk():
    affine = AFFINES["LPS"]
    data = np.random.default_rng(0).random((20, 20, 20)).astype(np.float32)
    box = Box(centre_of(data.shape, affine), (12, 12, 12), (3.0, 2.5, 4.0))
    theirs = SpatialResample(mode="bilinear")(
        MetaTensor(data[None], affine=affine), dst_affine=box.affine, spatial_size=box.size
    )
    np.testing.assert_allclose(into_box(data, affine, box, "pet"), np.asarray(theirs)[0], atol=1e-4)


def test_outside_the_scan_is_nothing_for_pet_and_air_for_ct():
    data = np.full((4, 4, 4), 5.0, dtype=np.float32)
    box = Box((6.0, 6.0, 6.0), (10, 10, 10), (4.0, 4.0, 4.0))
    pet, ct = (into_box(data, np.diag([4.0, 4, 4, 1]), box, name) for name in ("pet", "ct"))
    assert (pet[3:7, 3:7, 3:7] == 5).all()
    assert pet.sum() == 5 * 64
    assert ct.dtype == np.int16
    assert (ct[3:7, 3:7, 3:7] == 5).all()
    assert (np.delete(ct, range(3, 7), axis=0) == -1024).all()


def test_scanner_padding_below_air_does_not_reach_the_patient():
    data = np.full((8, 8, 8), 40.0, dtype=np.float32)
    data[:4] = -3024
    box = Box((3.5, 3.5, 3.5), (8, 8, 8), (1.5, 1.5, 1.5))
    ct = into_box(data, np.eye(4), box, "ct")
    assert ct.min() == -1024


def test_shrinking_averages_what_lies_between():
    rng = np.random.default_rng(0)
    data = (10 + rng.normal(size=(64, 64, 64))).astype(np.float32)
    box = Box(centre_of(data.shape, np.eye(4)), (8, 8, 8), (6.0, 6.0, 6.0))
    shrunk = into_box(data, np.eye(4), box, "pet")
    assert shrunk.mean() == pytest.approx(10, abs=0.05)
    # Plain linear interpolation would keep about 0.35 of the noise (eight neighbours).
    assert shrunk.std() < 0.15


def test_field_of_view_and_overlap_by_hand():
    low, high = field_of_view((10, 10, 10), np.diag([2.0, 2, 2, 1]))
    assert low.tolist() == [-1, -1, -1]
    assert high.tolist() == [19, 19, 19]
    shift = np.array([10, 0, 0])
    moved = (low + shift, high + shift)
    assert overlap((low, high), moved) == pytest.approx(0.5)
    assert overlap((low, high), (low + 100, high + 100)) == 0.0
