"""The phantom: what is where, and whether a scan shows the factors it should."""

import numpy as np
import pytest
from scipy.ndimage import center_of_mass
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prrt_estimators.datasets import make_prrt_cohort
from prrt_estimators.phantoms._anatomy import build_anatomy
from prrt_estimators.phantoms._factors import draw_patient
from prrt_estimators.phantoms._lesions import place_lesions
from prrt_estimators.phantoms._phantom import patient_grid, render


@pytest.fixture(scope="module")
def fine():
    return make_prrt_cohort(3, volume_shape=(55, 41, 75), random_state=2)


@pytest.fixture(scope="module")
def many():
    return make_prrt_cohort(160, volume_shape=32, random_state=2)


def voxel(cohort, patient, x, y, z):
    position = np.linalg.inv(cohort.affines[patient]) @ [x, y, z, 1.0]
    return tuple(np.round(position[:3]).astype(int))


def test_scans_are_float32_in_suv_and_hu(fine):
    pet, ct = fine.X["pet"].array, fine.X["ct"].array
    assert pet.dtype == ct.dtype == np.float32
    assert pet.shape == ct.shape == fine.X.masks["lesion"].array.shape == (3, 1, 55, 41, 75)
    assert pet.min() >= 0
    assert 15 < pet.max() < 200
    assert ct.min() >= -1024
    assert 300 < ct.max() < 1500
    np.testing.assert_array_equal(ct, np.round(ct))


@pytest.mark.parametrize(
    ("place", "position", "hu"),
    [
        ("air", (210, 150, 0), (-1060, -900)),
        ("right lung", (80, 0, 190), (-900, -700)),
        ("liver", (95, 10, 10), (40, 160)),
        ("heart", (-26, 34, 132), (80, 200)),
        ("bladder", (0, 28, -228), (-60, 90)),
    ],
)
def test_organs_have_their_density(fine, place, position, hu):
    values = [fine.X["ct"].array[k, 0][voxel(fine, k, *position)] for k in range(3)]
    assert hu[0] < np.median(values) < hu[1], (place, values)


def test_the_liver_is_on_the_right_the_bladder_below_and_the_spine_behind(fine):
    for k in range(3):
        ct, pet, affine = fine.X["ct"].array[k, 0], fine.X["pet"].array[k, 0], fine.affines[k]
        soft = (ct > 70) & (ct < 150)
        assert (affine @ [*center_of_mass(soft), 1])[0] > 8
        low = voxel(fine, k, 0, 0, -180)[2]
        hot = pet[:, :, :low] > 0.6 * pet[:, :, :low].max()
        x, _, z, _ = affine @ [*np.argwhere(hot).mean(axis=0), 1]
        assert abs(x) < 30
        assert z < -190
        dense = ct > 250
        dense[:, :, :low] = False
        middle = np.abs(affine[0, 0] * np.arange(55) + affine[0, 3]) < 20
        assert (affine @ [*center_of_mass(dense & middle[:, None, None]), 1])[1] < -25


def test_kidneys_and_spleen_take_up_more_than_the_liver_and_lungs_less(fine):
    for k in range(3):
        pet = fine.X["pet"].array[k, 0]
        x, y, z = voxel(fine, k, 90, 10, 25)
        liver = np.median(pet[x - 3 : x + 4, y - 4 : y + 5, z - 4 : z + 5])
        for side in (1, -1):
            x, y, z = voxel(fine, k, side * 80, -44, -22)
            assert pet[x - 2 : x + 3, y - 2 : y + 3, z - 3 : z + 4].max() > 1.3 * liver
        assert pet[voxel(fine, k, 80, 0, 200)] < 0.4 * liver


def test_masks_hold_the_lesions_of_the_table(fine):
    for k, name in enumerate(fine.X.ids):
        mask = fine.X.masks["lesion"].array[k, 0]
        assert set(np.unique(mask)) == {0, 1}
        lesions = fine.truth.lesions
        lesions = lesions[(lesions["patient_id"] == name) & (lesions["radius_mm"] > 10)]
        assert len(lesions) >= 3
        for lesion in lesions.query("ct_visible").itertuples():
            assert mask[voxel(fine, k, lesion.x_mm, lesion.y_mm, lesion.z_mm)] == 1
        for lesion in lesions.query("avid and pet_radius_mm > 10").itertuples():
            place = voxel(fine, k, lesion.x_mm, lesion.y_mm, lesion.z_mm + lesion.breath_mm)
            assert fine.truth.pet_signal[k][place]
            assert mask[place] == 1
        # Volume of the mask against that of the ellipsoids; overlaps make it smaller, the two scans larger.
        whole = (4 / 3 * np.pi * lesions["radius_mm"] ** 3).sum()
        assert 0.5 < mask.sum() * fine.spacing[k].prod() / whole < 3
        assert not (fine.truth.pet_signal[k] & (mask == 0)).any()


def test_receptor_negative_lesions_are_on_ct_only():
    patient = draw_patient(0, 0, 1)
    shape = (44, 33, 60)
    grid = patient_grid(patient, shape, None)
    few, most = (render(patient.with_factors(burden=0.0, discordance=d), grid) for d in (-1.5, 1.5))
    assert most.ct_signal.sum() > few.ct_signal.sum()
    assert most.pet_signal.sum() < few.pet_signal.sum()


@pytest.mark.parametrize(
    ("factor", "modality"),
    [
        ("expression", "pet"),
        ("heterogeneity", "pet"),
        ("dedifferentiation", "ct"),
        ("steatosis", "ct"),
        ("muscle", "ct"),
    ],
)
def test_a_factor_changes_the_scan_that_shows_it_and_no_other(factor, modality):
    patient = draw_patient(0, 1, 1)
    grid = patient_grid(patient, (24, 24, 24), None)
    low, high = (render(patient.with_factors(**{factor: value}), grid) for value in (-1.0, 1.0))
    other = "ct" if modality == "pet" else "pet"
    assert not np.array_equal(getattr(low, modality), getattr(high, modality))
    np.testing.assert_array_equal(getattr(low, other), getattr(high, other))


def scan_numbers(patient):
    """Return what a reader would measure in the scans and count among the lesions of a patient."""
    scans = render(patient, patient_grid(patient, (33, 25, 45), None))
    lesions = place_lesions(patient, build_anatomy(patient, bowel=False))
    suv = np.log([one.suv for one in lesions if one.avid])
    tumour = scans.lesion.astype(bool)
    return {
        "SUV of lesions": scans.pet[scans.pet_signal].mean(),
        "spread of log SUV": suv.std(),
        "PET tumour volume": scans.pet_signal.sum(),
        "CT tumour volume": (scans.ct_signal & tumour).sum(),
        "share in the liver": np.mean([one.organ == "liver" for one in lesions]),
        "HU of tumours": scans.ct[scans.ct_signal & tumour].mean(),
        "HU of all": scans.ct.astype(float).mean(),
        "voxels of muscle": ((scans.ct > 25) & (scans.ct < 75)).sum(),
        "voxels of the body": (scans.ct > -300).sum(),
    }


#: factor -> what rises (+1) or falls (-1) with it, by its meaning in patients.
ON_SCANS = {
    "expression": {"SUV of lesions": 1},
    "heterogeneity": {"spread of log SUV": 1},
    "burden": {"PET tumour volume": 1, "CT tumour volume": 1},
    "discordance": {"PET tumour volume": -1, "CT tumour volume": 1},
    "liver_share": {"share in the liver": 1},
    "dedifferentiation": {"HU of tumours": -1},
    "steatosis": {"HU of all": -1},
    "muscle": {"HU of all": 1, "voxels of muscle": 1},
    "body_size": {"voxels of the body": 1},
}


@pytest.mark.parametrize("factor", ON_SCANS)
def test_a_factor_moves_the_scans_in_the_direction_of_its_meaning(factor):
    for number in (0, 1):
        patient = draw_patient(0, number, 1)
        low, high = (scan_numbers(patient.with_factors(**{factor: value})) for value in (-1.5, 1.5))
        signs = {name: np.sign(high[name] - low[name]) for name in ON_SCANS[factor]}
        assert signs == ON_SCANS[factor]


def test_laboratory_factors_leave_the_scans_alone():
    patient = draw_patient(0, 1, 1)
    grid = patient_grid(patient, (16, 16, 16), None)
    a = render(patient, grid)
    b = render(patient.with_factors(secretion=3.0, inflammation=3.0, hepatic=3.0, renal=-3.0), grid)
    np.testing.assert_array_equal(a.pet, b.pet)
    np.testing.assert_array_equal(a.ct, b.ct)


def correlation(features, target):
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 3, 11)))
    return np.corrcoef(cross_val_predict(model, features, target, cv=5), target)[0, 1]


def pet_features(suv, where):
    logs = np.log(np.maximum(suv[where], 0.1))
    return [np.log(where.sum() + 1), logs.mean(), logs.std(), *np.quantile(logs, [0.1, 0.5, 0.9, 1.0])]


def ct_features(hu, lesion):
    inside = hu[lesion]
    liver = hu[(hu > 70) & (hu < 145)]
    counts = np.histogram(hu[hu > -200], bins=[-200, -60, 0, 30, 45, 60, 75, 90, 105, 120, 200, 3000])[0]
    return [
        np.log(lesion.sum() + 1),
        *np.quantile(inside, [0.1, 0.25, 0.5, 0.75, 0.9]),
        liver.mean(),
        *(counts / counts.sum()),
    ]


def test_plain_features_of_the_voxels_recover_the_factors(many):
    pet, ct = many.X["pet"].array[:, 0], many.X["ct"].array[:, 0]
    lesion = many.X.masks["lesion"].array[:, 0] > 0
    on_pet = np.array([pet_features(*pair) for pair in zip(pet, many.truth.pet_signal, strict=True)])
    on_ct = np.array([ct_features(*pair) for pair in zip(ct, lesion & many.truth.ct_signal, strict=True)])
    factors = many.truth.factors
    for name, least in (("expression", 0.85), ("heterogeneity", 0.6)):
        assert correlation(on_pet, factors[name]) > least, name
    for name, least in (("dedifferentiation", 0.55), ("steatosis", 0.75), ("muscle", 0.85)):
        assert correlation(on_ct, factors[name]) > least, name
    both = np.hstack([on_pet[:, :1], on_ct[:, :1]])
    assert correlation(both, factors["discordance"]) > 0.75
    # And the scan that does not show a factor does not give it away.
    assert correlation(on_pet, factors["muscle"]) < 0.3
    assert correlation(on_ct, factors["expression"]) < 0.3


def test_statistics_of_the_whole_pet_tell_only_a_part(many):
    pet = many.X["pet"].array[:, 0]
    whole = np.array([[v.max(), *np.quantile(v, [0.95, 0.99]), v.mean(), (v > 4).sum()] for v in pet])
    risk = many.truth.best_probability["pet"]
    lesions = np.array([pet_features(*pair) for pair in zip(pet, many.truth.pet_signal, strict=True)])
    assert correlation(whole, risk) + 0.15 < correlation(lesions, risk)
    assert correlation(lesions, risk) > 0.75


def test_same_seed_same_bytes_and_patients_do_not_depend_on_their_number():
    few, again, many = (make_prrt_cohort(n, volume_shape=16, random_state=4) for n in (2, 2, 4))
    for name in ("pet", "ct"):
        assert few.X[name].array.tobytes() == again.X[name].array.tobytes()
        assert few.X[name].array.tobytes() == many.X[name].array[:2].tobytes()
    other = make_prrt_cohort(2, volume_shape=16, random_state=5)
    assert few.X["ct"].array.tobytes() != other.X["ct"].array.tobytes()


def test_tables_are_the_same_without_volumes():
    a = make_prrt_cohort(3, volume_shape=8, random_state=4)
    b = make_prrt_cohort(3, volumes=False, random_state=4)
    assert b.X.modalities == ("lab",)
    assert a.X["lab"].equals(b.X["lab"])
    np.testing.assert_array_equal(a.y, b.y)


def test_missing_modalities_are_absent_and_nothing_else_changes():
    full = make_prrt_cohort(40, volume_shape=8, random_state=4)
    some = make_prrt_cohort(40, volume_shape=8, random_state=4, missing_modalities=0.6)
    no_pet, no_ct = ~some.X["pet"].present, ~some.X["ct"].present
    no_lab = some.X["lab"].isna().all(axis=1).to_numpy()
    assert no_pet.any()
    assert no_ct.any()
    assert no_lab.any()
    assert ((no_pet.astype(int) + no_ct + no_lab) <= 1).all()
    assert 0.35 < np.mean(no_pet | no_ct | no_lab) < 0.85
    np.testing.assert_array_equal(some.X["pet"].array[~no_pet], full.X["pet"].array[~no_pet])
    np.testing.assert_array_equal(some.time, full.time)


def test_spacing_sets_the_voxels():
    cohort = make_prrt_cohort(1, volume_shape=(12, 10, 14), spacing=(20, 22, 24), random_state=0)
    np.testing.assert_allclose(cohort.spacing[0], (20, 22, 24))
    np.testing.assert_allclose(np.diag(cohort.affines[0]), (20, 22, 24, 1))


def test_the_body_is_the_same_on_a_finer_grid():
    patient = draw_patient(3, 0, 1)
    coarse_grid = patient_grid(patient, (22, 16, 30), None)
    fine_grid = patient_grid(patient, (44, 33, 60), None)
    volume = []
    for grid in (coarse_grid, fine_grid):
        scans = render(patient, grid)
        volume.append((scans.ct > -500).sum() * np.prod(grid.spacing) / 1e6)
    assert volume[0] == pytest.approx(volume[1], rel=0.05)
    assert 15 < volume[1] < 60  # litres
