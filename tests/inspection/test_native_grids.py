"""A place in the map is the same place in the patient, whatever the orientation of the scan."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
from nibabel.processing import resample_from_to
from saliency_helpers import planted

from prrt_estimators import Cohort, FusionPFSClassifier, PETPFSClassifier
from prrt_estimators.inspection import SaliencyMaps, saliency, saliency_to_nifti
from prrt_estimators.inspection._inputs import own_grid_affine
from prrt_estimators.inspection._native_grids import onto, read_header
from prrt_estimators.preprocessing._boxes import Box, centre_of, into_box
from prrt_estimators.preprocessing._grids import onto_grid

RNG = np.random.default_rng(0)
GRIDS = {
    "RAS": np.diag([4.0, 3.0, 5.0, 1.0]),
    "flipped": np.array([[-4.0, 0, 0, 90], [0, -3.0, 0, 60], [0, 0, 5.0, -40], [0, 0, 0, 1]]),
    "permuted": np.array([[0, 0, 5.0, -50], [4.0, 0, 0, -30], [0, -3.0, 0, 70], [0, 0, 0, 1]]),
    "oblique": np.array([[3.5, -1.2, 0.3, -20], [1.3, 3.4, -0.5, -30], [-0.1, 0.7, 4.8, -10], [0, 0, 0, 1]]),
    "anisotropic": np.array([[1.0, 0, 0, 5], [0, 1.2, 0, -9], [0, 0, 10.0, 3], [0, 0, 0, 1]]),
    "sheared and left-handed": np.array([[-2.0, 0.5, 0, 20], [0, 2.5, 0.4, -30], [0, 0, 4.0, 10], [0, 0, 0, 1]]),
}
SHAPE = (26, 24, 22)
#: About the middle of the oblique scan.
FLIPPED = np.array([[-4.0, 0, 0, 25], [0, -3.0, 0, 40], [0, 0, 5.0, -10], [0, 0, 0, 1]])


def centre_of_mass(values):
    index = np.stack(np.meshgrid(*[np.arange(n) for n in values.shape], indexing="ij"), axis=-1)
    return (values[..., None] * index).sum(axis=(0, 1, 2)) / values.sum()


def one_map(values, affine):
    return SaliencyMaps(
        {"pet": values[None, None]},
        volumes={"pet": values[None, None]},
        affines={"pet": affine[None]},
        ids=["P1"],
        probability=[0.5],
        method="gradient",
        target="logit",
    )


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("spacing", [(3.0, 3.0, 3.0), (6.0, 5.0, 7.0)])
def test_a_single_voxel_makes_the_round_trip_within_one_voxel(name, spacing):
    affine = GRIDS[name]
    middle = np.asarray(SHAPE) // 2
    for voxel in (middle, middle + np.array([3, -2, 1]), middle - np.array([2, 4, 3])):
        scan = np.zeros(SHAPE, dtype=np.float32)
        scan[tuple(voxel)] = 100.0
        box = Box(centre_of(SHAPE, affine), (32, 30, 28), spacing)
        seen = into_box(scan, affine, box, "pet")
        values = np.zeros(box.size, dtype=np.float32)
        values[np.unravel_index(seen.argmax(), seen.shape)] = 1.0
        back = one_map(values, box.affine).to_native("P1", "pet", SHAPE, affine)
        apart = affine[:3, :3] @ (centre_of_mass(back) - voxel)
        coarser = np.maximum(spacing, np.linalg.norm(affine[:3, :3], axis=0).max())
        assert (np.abs(apart) <= coarser).all()
        assert back.max() > 0


@pytest.mark.parametrize("name", GRIDS)
def test_a_single_voxel_of_the_box_comes_back_where_it_was_in_millimetres(name):
    affine = GRIDS[name]
    box = Box(centre_of(SHAPE, affine), (20, 20, 20), (9.0, 9.0, 9.0))
    values = np.zeros(box.size, dtype=np.float32)
    values[10, 9, 10] = 1.0
    back = onto(values, box.affine, SHAPE, affine)
    found = affine[:3, :3] @ centre_of_mass(back) + affine[:3, 3]
    wanted = (box.affine @ [10, 9, 10, 1])[:3]
    # Half a voxel of the scan: where there are few voxels across the box's voxel, their centres weigh unevenly.
    assert (np.abs(np.linalg.solve(affine[:3, :3], found - wanted)) <= 0.5).all()


@pytest.mark.parametrize("name", GRIDS)
def test_agrees_with_nibabel_inside(name):
    values = RNG.random((12, 11, 10)).astype(np.float32)
    box = Box(centre_of(SHAPE, GRIDS[name]), values.shape, (6.0, 7.0, 8.0))
    image = nib.Nifti1Image(values, box.affine)
    theirs = resample_from_to(image, (SHAPE, GRIDS[name]), order=1, mode="constant", cval=np.nan).get_fdata()
    ours = onto(values, box.affine, SHAPE, GRIDS[name])
    inside = np.isfinite(theirs)
    assert inside.any()
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-5)


def test_outside_the_box_is_nothing_and_its_outer_voxels_are_whole():
    values = np.ones((4, 4, 4), dtype=np.float32)
    box = Box((0.0, 0.0, 0.0), (4, 4, 4), (4.0, 4.0, 4.0))
    fine = Box((0.0, 0.0, 0.0), (20, 20, 20), (1.0, 1.0, 1.0))
    back = onto(values, box.affine, fine.size, fine.affine)
    assert back.sum() == 16**3
    assert (back[2:18, 2:18, 2:18] == 1).all()
    assert onto(values, box.affine, (3, 3, 3), Box((500.0, 0, 0), (3, 3, 3), (1.0, 1, 1)).affine).sum() == 0


@pytest.mark.parametrize("name", GRIDS)
def test_grids_of_pretrained_encoders_are_placed_like_their_voxels(name):
    def field(shape, affine):
        index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
        return 1000 + (index @ affine[:3, :3].T + affine[:3, 3]) @ np.array([0.5, -0.3, 0.2])

    options = {"size": (6, 5, 7), "spacing": (3.0, 4.0, 5.0)}
    made = onto_grid(field(SHAPE, GRIDS[name]).astype(np.float32), GRIDS[name], modality="pet", **options)
    placed = own_grid_affine(SHAPE, GRIDS[name], **options)
    np.testing.assert_allclose(made, field((6, 5, 7), placed), atol=0.01)


@pytest.fixture
def files(tmp_path):
    """Return a cohort in files, PET flipped and CT oblique, one patient without CT, headers full of identity."""
    X, y = planted(6)
    pet, ct = [], []
    for row in range(len(X)):
        for name, affine, paths in (("pet", FLIPPED, pet), ("ct", GRIDS["oblique"], ct)):
            kind = nib.Nifti2Image if (row, name) == (1, "ct") else nib.Nifti1Image
            image = kind(X[name].array[row, 0].astype(np.float32 if name == "pet" else np.int16), affine)
            image.header["descrip"] = b"DOE^JANE 1950"
            if kind is nib.Nifti1Image:
                image.header["db_name"] = b"DOE^JANE"
            image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"DOE^JANE"))
            if (row, name) == (2, "pet"):
                image.set_sform(None, code=0)
                image.set_qform(affine, code=1)
            paths.append(str(tmp_path / f"{name}{row}.nii.gz"))
            nib.save(image, paths[-1])
    ct[3] = None
    return Cohort({"pet": pet, "ct": ct}, ids=[f"P/{row}" for row in range(6)]), y


def test_files_lie_on_the_scans_and_hold_no_identity(files, tmp_path):
    X, y = files
    model = FusionPFSClassifier(size=16, spacing=6.0, max_epochs=1, device="cpu", random_state=0).fit(X, y)
    maps = saliency(model, X)
    written = saliency_to_nifti(maps, X, tmp_path / "maps")
    assert [path is None for path in written["ct"]] == [False, False, False, True, False, False]
    assert written["pet"][0].name == "P_0_pet_saliency.nii.gz"
    for name in ("pet", "ct"):
        for row, path in enumerate(written[name]):
            if path is None:
                continue
            image, scan = nib.load(path), nib.load(X[name][row])
            np.testing.assert_array_equal(image.affine, scan.affine)
            assert image.shape == scan.shape
            assert image.get_data_dtype() == np.float32
            assert type(image) is type(scan)
            assert b"DOE" not in gzip.decompress(path.read_bytes())
            assert image.header.get_zooms() == scan.header.get_zooms()
            values = image.get_fdata()
            assert values.any()
            np.testing.assert_array_equal(values, maps.to_native(row, name, scan.shape, scan.affine))
    again = saliency_to_nifti(maps, X, tmp_path / "again")
    assert again["pet"][0].read_bytes() == written["pet"][0].read_bytes()


def test_the_map_of_a_lesion_lies_on_it_in_the_file(tmp_path):
    """From file to file: a model that looks at one voxel of the patient points at it in the flipped, oblique scan."""
    affine = GRIDS["oblique"] * np.array([-1, 1, 1, 1])
    rng = np.random.default_rng(0)
    paths = []
    for row in range(4):
        scan = rng.gamma(2, 0.5, SHAPE).astype(np.float32)
        paths.append(str(tmp_path / f"{row}.nii.gz"))
        nib.save(nib.Nifti1Image(scan, affine), paths[-1])
    X = Cohort({"pet": paths})
    model = PETPFSClassifier(size=24, spacing=4.0, max_epochs=1, device="cpu").fit(X, [0, 1, 0, 1])
    maps = saliency(model, X)
    voxel = np.array([15, 10, 12])
    place = affine @ np.append(voxel, 1)
    in_box = np.rint(np.linalg.solve(maps.affines["pet"][1], place)[:3]).astype(int)
    maps["pet"][1] = 0
    maps["pet"][(1, 0, *in_box)] = 1
    values = nib.load(saliency_to_nifti(maps, X, tmp_path / "maps")["pet"][1]).get_fdata()
    assert (np.abs(centre_of_mass(values) - voxel) <= 1).all()


def test_what_cannot_be_written_is_refused(files, tmp_path):
    X, y = files
    model = PETPFSClassifier(size=16, spacing=6.0, max_epochs=1, device="cpu", random_state=0).fit(X, y)
    maps = saliency(model, X)
    with pytest.raises(ValueError, match="in their order"):
        saliency_to_nifti(maps, X[::-1], tmp_path / "maps")
    arrays = Cohort({"pet": np.ones((6, 1, 16, 16, 16))}, ids=X.ids)
    with pytest.raises(ValueError, match="as files"):
        saliency_to_nifti(maps, arrays, tmp_path / "maps")
    maps.ids[:2] = ["a/b", "A_b"]
    with pytest.raises(ValueError, match="different file names"):
        saliency_to_nifti(maps, Cohort({"pet": X["pet"]}, ids=maps.ids), tmp_path / "maps")


def test_a_header_is_read_without_its_voxels(tmp_path):
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        for ending in (".nii", ".nii.gz"):
            path = tmp_path / f"scan{ending}"
            nib.save(kind(np.zeros((3, 4, 5), dtype=np.int16), GRIDS["oblique"]), path)
            header = read_header(str(path))
            assert header.get_data_shape() == (3, 4, 5)
            np.testing.assert_array_equal(header.get_best_affine(), nib.load(path).affine)
