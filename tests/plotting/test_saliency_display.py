"""What is drawn is what was computed, in the right place, and can be read."""

from __future__ import annotations

import re

import nibabel as nib
import numpy as np
import pytest
from saliency_helpers import fusion_model, pet_model

from prrt_estimators import Cohort
from prrt_estimators._modalities import MODALITIES
from prrt_estimators.exceptions import ExplanationWarning
from prrt_estimators.inspection import SaliencyMaps, saliency
from prrt_estimators.inspection._views import patient_view
from prrt_estimators.plotting import SaliencyDisplay, save_figure

CAUTION = "The AUROC interval of this model (0.40 to 0.62) includes 0.5: it is not shown to be better than chance, and its maps mean nothing."


def made(values, *, scan=None, name="pet", spacing=4.0, method="gradient", caution=""):
    """Return maps of one patient for an array of shape (D, H, W)."""
    values = np.asarray(values, dtype=np.float32)[None, None]
    affine = np.diag([spacing, spacing, spacing, 1.0])
    return SaliencyMaps(
        {name: values},
        volumes={name: np.ones_like(values) if scan is None else np.asarray(scan, dtype=np.float32)[None, None]},
        affines={name: affine[None]},
        ids=["P1"],
        probability=[0.25],
        method=method,
        target="logit",
        caution=caution,
    )


def test_four_rows_for_two_scans_and_every_text_can_be_read(assert_fit_to_print, tmp_path):
    model, X, _ = fusion_model()
    with pytest.warns(ExplanationWarning):
        maps = saliency(model, X[:2], auroc_interval=(0.4, 0.62))
    display = SaliencyDisplay.from_maps(maps, "P01", X=X[:2], voxels=32)
    assert display.axes_.shape == (4, 4)
    texts = re.sub(r"\s+", " ", " ".join(assert_fit_to_print(display.figure_)))
    for words in ("PET", "CT", "Map of PET", "Map of CT", "Patient P01", "coronal MIP", "outline: kidneys", "per SUV"):
        assert words in texts
    assert CAUTION in texts
    [file] = save_figure(display.figure_, tmp_path / "map", formats=["png"])
    assert file.stat().st_size > 20_000


def test_without_a_caution_none_is_printed():
    display = SaliencyDisplay.from_maps(made(np.eye(8)[None].repeat(8, 0)), voxels=8)
    assert not any("AUROC" in text.get_text() for text in display.figure_.texts)
    assert display.axes_.shape == (2, 4)


def test_the_planes_meet_where_the_map_is_greatest():
    values = np.zeros((8, 8, 8))
    values[5, 2, 6] = 3.0
    display = SaliencyDisplay.from_maps(made(values), voxels=8)
    assert display.position_ == pytest.approx((20, 8, 24))
    assert "z = 24 mm" in " ".join(text.get_text() for text in display.figure_.texts)
    moved = SaliencyDisplay.from_maps(made(values), voxels=8).plot(position=(4, 8, 12))
    assert moved.position_ == pytest.approx((4, 8, 12))
    with pytest.raises(ValueError, match="`position`"):
        moved.plot(position=(400, 8, 12))


def test_right_is_on_the_left_and_up_is_up():
    """The pixel of a voxel far to the patient's right, front and head, in every plane."""
    values = np.zeros((10, 10, 10))
    values[8, 7, 9] = 1.0
    display = SaliencyDisplay.from_maps(made(values, spacing=1.0), voxels=10)
    for plane, ax in zip(("axial", "coronal", "sagittal", "projection"), display.axes_[1], strict=True):
        shown = ax.images[1].get_array()[..., 3]
        row, column = np.unravel_index(shown.argmax(), shown.shape)
        x0, x1, y0, y1 = ax.images[1].get_extent()
        across = x0 + (column + 0.5) * (x1 - x0) / shown.shape[1]
        up = y0 + (row + 0.5) * (y1 - y0) / shown.shape[0]
        place = ax.transAxes.inverted().transform(ax.transData.transform((across, up)))
        wanted = {"axial": (0.15, 0.75), "coronal": (0.15, 0.95), "sagittal": (0.25, 0.95), "projection": (0.15, 0.95)}
        assert tuple(place) == pytest.approx(wanted[plane], abs=0.01)


def test_frame_holds_the_numbers_of_the_planes():
    rng = np.random.default_rng(0)
    values, scan = rng.normal(size=(2, 8, 8, 8))
    display = SaliencyDisplay.from_maps(made(values, scan=scan), voxels=8)
    table = display.frame()
    assert table["plane"].value_counts().to_dict() == {"axial": 64, "coronal": 64, "sagittal": 64}
    index = (table[["x_mm", "y_mm", "z_mm"]].to_numpy() / 4).round().astype(int)
    np.testing.assert_allclose(table["pet_map"], values[tuple(index.T)], atol=1e-6)
    np.testing.assert_allclose(table["pet_suv"], scan[tuple(index.T)], atol=1e-6)


def test_signs_are_shown_where_they_mean_something():
    values = np.zeros((8, 8, 8))
    values[2, 2, 2], values[5, 2, 2] = -1.0, 0.5

    def colours(**options):
        display = SaliencyDisplay.from_maps(made(values, **options), voxels=8)
        image = display.axes_[1, 1].images[1].get_array()
        return np.unique(image[image[..., 3] > 0][:, :3].round(3), axis=0)

    assert len(colours()) == 1
    assert len(colours(method="integrated_gradients")) == 2


def test_files_are_shown_at_their_own_resolution_with_their_masks(tmp_path):
    rng = np.random.default_rng(0)
    affine = np.diag([-2.0, -2.0, 2.0, 1.0])
    affine[:3, 3] = 62, 62, 0
    scan = rng.gamma(2, 0.5, (32, 32, 32)).astype(np.float32)
    scan[10, 11, 12] = 60.0
    ball = np.zeros((32, 32, 32), dtype=np.uint8)
    ball[8:14, 8:14, 8:14] = 1
    for name, values in (("pet", scan), ("gtv", ball)):
        nib.save(nib.Nifti1Image(values, affine), tmp_path / f"{name}.nii.gz")
    X = Cohort({"pet": [str(tmp_path / "pet.nii.gz")]}, ids=["P1"], masks={"gtv": [str(tmp_path / "gtv.nii.gz")]})
    coarse = made(np.ones((8, 8, 8)), spacing=8.0)
    coarse.affines["pet"][0, :3, 3] = 3, 3, 3
    view = patient_view(coarse, "P1", X=X, voxels=32)
    assert view.spacing == pytest.approx(2.0)
    # The scan is mirrored twice, the view is not: the hot voxel of index (10, 11, 12) lies at (42, 40, 24) mm.
    place = np.rint(np.linalg.solve(view.affine, [42, 40, 24, 1])[:3]).astype(int)
    assert np.unravel_index(view.scans["pet"].argmax(), (32, 32, 32)) == tuple(place)
    assert view.scans["pet"].max() == pytest.approx(60, rel=0.01)
    assert view.masks["gtv"].sum() == pytest.approx(6**3, rel=0.01)
    assert view.masks["gtv"][tuple(place)] == 1
    with pytest.raises(ValueError, match="in their order"):
        patient_view(coarse, 0, X=Cohort({"pet": X["pet"]}, ids=["P2"]))


def test_from_estimator_shows_one_patient():
    model, X, _ = pet_model()
    display = SaliencyDisplay.from_estimator(model, X, patient=3, voxels=16)
    expected = saliency(model, X[[3]])
    assert display.view.patient == X.ids[3]
    np.testing.assert_allclose(display.view.maps["pet"], expected["pet"][0, 0], atol=1e-7)


def test_what_cannot_be_shown_is_refused():
    model, X, _ = fusion_model()
    pet = X["pet"].array.copy()
    pet[0] = np.nan
    part = Cohort({"pet": pet, "lab": X["lab"]})[:2]
    maps = saliency(model, part)
    with pytest.raises(ValueError, match="no scan that this model takes"):
        SaliencyDisplay.from_maps(maps, 0)
    with pytest.raises(TypeError, match="saliency"):
        SaliencyDisplay.from_maps({"pet": pet})
    with pytest.raises(ValueError, match="`voxels`"):
        SaliencyDisplay.from_maps(maps, 1, voxels=2)


def test_scans_are_shown_in_the_window_of_their_modality():
    scan = np.full((8, 8, 8), 900.0)
    scan[0] = -1000.0
    display = SaliencyDisplay.from_maps(made(np.eye(8)[None].repeat(8, 0), scan=scan, name="ct"), voxels=8)
    for ax in display.axes_[0][:3]:
        assert ax.images[0].get_clim() == MODALITIES["ct"].shown
    # PET has no window of its own: from 0 to nearly its maximum, and not below 5.
    for greatest, high in ((40.0, 40.0), (2.0, 5.0)):
        display = SaliencyDisplay.from_maps(
            made(np.eye(8)[None].repeat(8, 0), scan=np.full((8, 8, 8), greatest)), voxels=8
        )
        assert [ax.images[0].get_clim() for ax in display.axes_[0][:3]] == [(0.0, high)] * 3
