"""`LesionFeatures`: laws that hold whatever the networks say, and masks whose numbers are known."""

import nibabel as nib
import numpy as np
import pytest

from prrt_estimators import Cohort, Volumes, make_prrt_cohort
from prrt_estimators.exceptions import CohortError, MissingModalityError
from prrt_estimators.features import LesionFeatures, _lesion_features
from prrt_estimators.features._field import FIELD
from prrt_estimators.features._prognostic import PROGNOSTIC

SHAPE = (40, 30, 54)
NEED_CT = ["ct_pet_mismatch", "lesion_hu_z", "liver_hu", "muscle_hu"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRRT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(_lesion_features, "_KNOWN", {})


@pytest.fixture(scope="module")
def cohort():
    return make_prrt_cohort(3, volume_shape=SHAPE, random_state=5301)


@pytest.fixture(scope="module")
def every(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    return LesionFeatures(numbers="all", cache_dir=folder).fit_transform(cohort.X)


def written(tmp_path, array, affine, name):
    path = tmp_path / name
    nib.save(nib.Nifti1Image(array, affine), path)
    return str(path)


def test_the_finder_measures_the_phantoms_that_it_never_saw(cohort, every):
    assert list(every) == [*PROGNOSTIC, *FIELD]
    assert np.isfinite(every.to_numpy()).all()
    truth = cohort.truth.pet_signal.reshape(3, -1).sum(1) * np.prod(cohort.spacing, axis=1) / 1000
    assert np.abs(every["log_avid_volume"] - np.log(truth)).max() < 0.5
    liver = 108 - 15 * cohort.truth.factors["steatosis"].to_numpy()
    assert np.abs(every["liver_hu"] - liver).max() < 8
    lesions = cohort.truth.lesions[lambda table: table["avid"]]
    assert (
        np.abs(every["log_peak_mean"].to_numpy() - np.log(lesions.groupby("patient_id")["suv"].mean()).to_numpy()).max()
        < 1
    )


def test_each_patient_is_measured_alone(cohort, every):
    turned = LesionFeatures().fit_transform(cohort.X[[2, 0]])
    np.testing.assert_allclose(turned.to_numpy(), every[list(PROGNOSTIC)].iloc[[2, 0]].to_numpy())


def test_a_patient_without_ct_or_pet_keeps_what_the_other_scan_shows(cohort, every):
    array = cohort.X["ct"].array[:2].copy()
    array[0] = np.nan
    pet = cohort.X["pet"].array[:2].copy()
    pet[1] = np.nan
    spacing = cohort.spacing[:2]
    X = Cohort({"pet": Volumes(pet, spacing=spacing), "ct": Volumes(array, spacing=spacing)})
    table = LesionFeatures(numbers="all").fit_transform(X)
    assert table.loc[0, NEED_CT].isna().all()
    assert table.loc[0, [name for name in PROGNOSTIC if name not in NEED_CT]].notna().all()
    assert table.loc[1, ["log_avid_volume", "ct_pet_mismatch", "suv_max", "n_lesions", "uptake_cv"]].isna().all()
    np.testing.assert_allclose(table.loc[1, ["liver_hu", "muscle_hu"]], every.loc[1, ["liver_hu", "muscle_hu"]], atol=6)
    alone = LesionFeatures().fit_transform(X.select("pet"))
    np.testing.assert_allclose(alone.loc[0, "log_avid_volume"], table.loc[0, "log_avid_volume"])
    assert alone.loc[1].isna().all()


def test_numbers_come_from_a_cache_that_knows_what_they_depend_on(cohort, every, monkeypatch):
    calls = []
    real = _lesion_features.find
    monkeypatch.setattr(_lesion_features, "find", lambda *scans: calls.append(1) or real(*scans))
    X = cohort.X[[0]]
    first = LesionFeatures().fit_transform(X)
    assert len(calls) == 1
    _lesion_features._KNOWN.clear()  # another process
    again = LesionFeatures(numbers="all").fit_transform(X)
    assert len(calls) == 1
    np.testing.assert_array_equal(first.to_numpy(), again[list(PROGNOSTIC)].to_numpy())
    changed = X["pet"].array.copy()
    changed[0, 0, 5, 5, 5] += 1
    LesionFeatures().fit_transform(Cohort({"pet": Volumes(changed, spacing=X["pet"].spacing), "ct": X["ct"]}))
    LesionFeatures(lesions="suv4").fit_transform(X)
    assert len(calls) == 3


def test_files_of_any_orientation_give_the_numbers_of_the_array(cohort, every, tmp_path):
    affine = cohort.affines[0]
    image = {scan: nib.Nifti1Image(cohort.X[scan].array[0, 0], affine) for scan in ("pet", "ct")}
    turned = {}
    for scan, one in image.items():
        ornt = nib.orientations.ornt_transform(
            nib.io_orientation(affine), nib.orientations.axcodes2ornt("PSL" if scan == "ct" else "LPS")
        )
        path = tmp_path / f"{scan}.nii.gz"
        nib.save(one.as_reoriented(ornt), path)
        turned[scan] = [str(path)]
    table = LesionFeatures(numbers="all").fit_transform(Cohort(turned))
    close = [*PROGNOSTIC[:4], "liver_hu", "muscle_hu"]
    # The grid is another one: voxels of 11.1 mm became 11 mm.
    np.testing.assert_allclose(table.loc[0, close], every.loc[0, close], atol=0.35, rtol=0.1)
    assert table.loc[0, "suv_max"] == pytest.approx(every.loc[0, "suv_max"], rel=1e-6)


def test_given_masks_give_the_numbers_of_the_masks(cohort, tmp_path):
    ml = np.prod(cohort.spacing, axis=1) / 1000
    table = LesionFeatures(lesions="mask", numbers="all").fit_transform(cohort.X)
    mask = cohort.X.masks["lesion"].array[:, 0] > 0
    pet = cohort.X["pet"].array[:, 0]
    np.testing.assert_allclose(table["lesion_volume_ml"], mask.reshape(3, -1).sum(1) * ml, rtol=1e-5)
    np.testing.assert_allclose(table["log_avid_volume"], np.log(mask.reshape(3, -1).sum(1) * ml + 0.5), rtol=1e-5)
    np.testing.assert_allclose(table["suv_max"], [p[m].max() for p, m in zip(pet, mask, strict=True)], rtol=1e-6)
    cv = [p[m].std() / p[m].mean() for p, m in zip(pet, mask, strict=True)]
    np.testing.assert_allclose(table["uptake_cv"], cv, rtol=1e-4)
    # One mask for both scans: no mismatch but that of the phantoms' mean.
    assert table["ct_pet_mismatch"].nunique() == 1


def test_a_mask_for_each_scan_and_labels_of_any_number(cohort):
    signal = cohort.truth.pet_signal[:, None].astype(np.float32)
    masks = {"pet_lesions": 7 * signal, "ct_lesions": cohort.X.masks["lesion"].array}
    X = Cohort({scan: cohort.X[scan] for scan in ("pet", "ct")}, masks=masks)
    apart = LesionFeatures(lesions="mask").fit_transform(X)
    assert apart["ct_pet_mismatch"].nunique() == 3
    ml = np.prod(cohort.spacing, axis=1) / 1000
    expected = np.log(cohort.truth.pet_signal.reshape(3, -1).sum(1) * ml + 0.5)
    np.testing.assert_allclose(apart["log_avid_volume"], expected, rtol=1e-5)
    named = LesionFeatures(lesions="mask", mask={"pet": "pet_lesions"}).fit_transform(X)
    assert named["ct_pet_mismatch"].isna().all()
    np.testing.assert_allclose(named["log_avid_volume"], expected, rtol=1e-5)


def test_a_mask_in_a_file_has_one_lesion_per_label(cohort, tmp_path):
    affine = cohort.affines[0]
    labels = np.zeros(SHAPE, np.uint8)
    labels[10:12, 10:12, 20:22], labels[12:14, 10:12, 20:22] = 3, 5  # they touch
    X = Cohort(
        {"pet": [written(tmp_path, cohort.X["pet"].array[0, 0], affine, "pet.nii.gz")]},
        masks={"lesion": [written(tmp_path, labels, affine, "mask.nii.gz")]},
    )
    table = LesionFeatures(lesions="mask", numbers="field").fit_transform(X)
    assert table.loc[0, "n_lesions"] == 2
    assert table.loc[0, "dmax_mm"] == pytest.approx(2 * affine[0, 0])
    assert table.loc[0, "lesion_volume_ml"] == pytest.approx(16 * np.prod(cohort.spacing[0]) / 1000)
    broken = Cohort({"pet": X["pet"]}, masks={"lesion": [str(tmp_path / "absent.nii.gz")]})
    with pytest.raises(CohortError) as caught:
        LesionFeatures(lesions="mask").transform(broken)
    assert caught.value.problems[0].column == "lesion"


def test_a_mask_without_a_lesion_is_a_patient_without_lesions(cohort):
    nothing = np.zeros_like(cohort.X.masks["lesion"].array)
    nothing[1] = np.nan  # no mask
    X = Cohort({scan: cohort.X[scan] for scan in ("pet", "ct")}, masks={"lesion": nothing})
    table = LesionFeatures(lesions="mask", numbers="all").fit_transform(X)
    assert table.loc[0, ["n_lesions", "lesion_volume_ml", "total_uptake_suv_ml", "dmax_mm"]].eq(0).all()
    assert table.loc[0, ["suv_max", "suv_mean_lowest", "log_peak_mean", "lesion_hu_z", "liver_share"]].isna().all()
    assert table.loc[1, ["n_lesions", "log_avid_volume", "ct_pet_mismatch"]].isna().all()
    assert table.loc[1, ["liver_hu", "muscle_hu"]].notna().all()


@pytest.mark.parametrize("lesions", ["suv4", "liver", "41%", "50%"])
def test_thresholds_leave_out_physiological_uptake(cohort, lesions):
    table = LesionFeatures(lesions=lesions, numbers="all").fit_transform(cohort.X[[0]])
    ml = np.prod(cohort.spacing[0]) / 1000
    hot = (cohort.X["pet"].array[0, 0] >= 4).sum() * ml
    truth = cohort.truth.pet_signal[0].sum() * ml
    assert 0.3 * truth < table.loc[0, "lesion_volume_ml"] < 2.5 * truth < hot
    lowest = {"suv4": 4.0, "liver": 4.0, "41%": 0.41 * 4, "50%": 2.0}[lesions]
    assert table.loc[0, "suv_mean_lowest"] >= lowest


def test_relative_thresholds_are_nested(cohort):
    volume = [
        LesionFeatures(lesions=lesions, numbers="field").fit_transform(cohort.X[[1]]).loc[0, "lesion_volume_ml"]
        for lesions in ("50%", "41%")
    ]
    assert volume[0] < volume[1]


def test_what_cannot_be_measured_is_said(cohort):
    with pytest.raises(ValueError, match="`lesions` must be one of"):
        LesionFeatures(lesions="suv3").fit(cohort.X)
    with pytest.raises(MissingModalityError, match="'pet' or 'ct'"):
        LesionFeatures().transform(cohort.X.select("lab"))
    with pytest.raises(ValueError, match="size of its voxels"):
        LesionFeatures().transform(cohort.X["pet"].array[:1])
    with pytest.raises(ValueError, match="needs masks"):
        LesionFeatures(lesions="mask").transform(Cohort({"pet": cohort.X["pet"]}))
    with pytest.raises(ValueError, match="no mask 'tumour'"):
        LesionFeatures(lesions="mask", mask="tumour").transform(cohort.X)
    damaged = cohort.X["pet"].array[:2].copy()
    damaged[1, 0, 3, 3, 3] = np.inf
    with pytest.raises(CohortError) as caught:
        LesionFeatures(spacing=11.0).transform(damaged)
    assert [problem.patient for problem in caught.value.problems] == ["1"]


def test_a_mask_of_another_grid_keeps_its_volume_and_every_lesion(cohort, tmp_path):
    affine = cohort.affines[0]
    pet = written(tmp_path, cohort.X["pet"].array[0, 0], affine, "pet.nii.gz")
    labels = np.zeros([4 * size for size in SHAPE], np.uint8)
    labels[40:52, 40:50, 80:95], labels[70:72, 40:42, 100:102] = 1, 2  # the second fills an eighth of a voxel
    fine = affine @ np.diag([0.25, 0.25, 0.25, 1.0])
    fine[:3, 3] = affine[:3, :3] @ np.full(3, -0.375) + affine[:3, 3]
    X = Cohort({"pet": [pet]}, masks={"lesion": [written(tmp_path, labels, fine, "mask.nii.gz")]})
    table = LesionFeatures(lesions="mask", numbers="field").fit_transform(X).loc[0]
    share = np.add.reduceat(np.add.reduceat(np.add.reduceat(labels > 0, range(0, 160, 4), 0, dtype=float), range(0, 120, 4), 1), range(0, 216, 4), 2) / 64  # fmt: skip
    suv = cohort.X["pet"].array[0, 0].astype(float)
    ml = abs(np.linalg.det(affine[:3, :3])) / 1000
    assert table["n_lesions"] == 2
    assert table["lesion_volume_ml"] == pytest.approx((12 * 10 * 15 + 8) * ml / 64)
    assert table["largest_lesion_ml"] == pytest.approx(12 * 10 * 15 * ml / 64)
    assert table["suv_mean"] == pytest.approx(np.average(suv, weights=share))
    assert table["total_uptake_suv_ml"] == pytest.approx((suv * share).sum() * ml)
    half = share >= 0.5
    half[17, 10, 25] = True  # the greatest share of the small one
    assert table["suv_max"] == pytest.approx(suv[half].max())
    apart = fine[:3, :3] @ (np.array([70.5, 40.5, 100.5]) - [45.5, 44.5, 87.0])
    assert table["dmax_mm"] == pytest.approx(np.linalg.norm(apart), abs=0.02)


def test_the_voxels_of_the_pet_in_another_order_and_extent_give_the_same_bits(cohort, tmp_path):
    affine = cohort.affines[0]
    pet = written(tmp_path, cohort.X["pet"].array[0, 0], affine, "pet.nii.gz")
    labels = np.zeros(SHAPE, np.uint8)
    labels[10:13, 10:12, 20:24], labels[20:22, 15:18, 30:31] = 1, 2
    turned, start = affine.copy(), affine.copy()
    turned[:3, 0], turned[:3, 3] = -affine[:3, 0], affine[:3, 3] + affine[:3, 0] * (SHAPE[0] - 1)
    start[:3, 3] = affine[:3, 3] + affine[:3, :3] @ [5, 6, 7]
    files = [
        written(tmp_path, labels, affine, "plain.nii.gz"),
        written(tmp_path, labels[::-1], turned, "turned.nii.gz"),
        written(tmp_path, labels[5:, 6:, 7:], start, "part.nii.gz"),
    ]
    plain, *others = (
        LesionFeatures(lesions="mask", numbers="field").fit_transform(Cohort({"pet": [pet]}, masks={"lesion": [file]}))
        for file in files
    )
    for other in others:
        np.testing.assert_array_equal(other.to_numpy(), plain.to_numpy())
