"""`BodyComposition`."""

import numpy as np
import pytest

from prrt_estimators import Cohort, Volumes, make_prrt_cohort
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.features import BodyComposition
from prrt_estimators.features._body import body_numbers
from prrt_estimators.features._lesion_finder import Findings
from prrt_estimators.preprocessing._boxes import Box


def findings(lowest_kidney=6):
    """A trunk of 20 x 20 voxels of 10 mm: 4 x 4 of muscle, 3 x 20 of fat in every slice, kidneys from one slice up."""
    shape = (24, 24, 20)
    tissue = np.zeros((5, *shape), np.float32)
    ct = np.full(shape, -1000.0)
    ct[2:22, 2:22] = 40.0
    ct[2:5, 2:22] = -100.0
    tissue[4, 10:14, 10:14] = 0.5
    tissue[2, 16:20, 16:20, lowest_kidney : lowest_kidney + 8] = 1.0
    tissue[0, 6:16, 5:9, 8:18] = 1.0
    return Findings(Box((0, 0, 0), shape, (10.0, 10.0, 10.0)), None, ct, None, None, None, tissue, None, None)


def test_areas_of_a_slab_and_volume_of_the_liver_are_those_worked_by_hand():
    numbers = body_numbers(findings())
    assert numbers["muscle_area_cm2"] == pytest.approx(0.5 * 16)
    assert numbers["fat_area_cm2"] == pytest.approx(60)
    assert numbers["muscle_to_fat"] == pytest.approx(8 / 60)
    assert numbers["liver_ml"] == pytest.approx(400)


def test_what_the_field_of_view_does_not_hold_is_nan():
    assert np.isnan(body_numbers(findings(lowest_kidney=0))["muscle_area_cm2"])
    without = findings()
    without.tissue[2] = 0
    assert np.isnan(body_numbers(without)["fat_area_cm2"])
    without.tissue[0, :, :, -1] = 1
    assert np.isnan(body_numbers(without)["liver_ml"])


def test_muscle_follows_the_muscle_of_phantoms(tmp_path):
    cohort = make_prrt_cohort(6, volume_shape=(40, 30, 54), random_state=5302)
    array = cohort.X["ct"].array.copy()
    array[5] = np.nan
    X = Cohort({"pet": cohort.X["pet"], "ct": Volumes(array, spacing=cohort.spacing)})
    table = BodyComposition(cache_dir=tmp_path).fit_transform(X)
    assert table.iloc[5].isna().all()
    muscle = cohort.truth.factors["muscle"].to_numpy()[:5]
    assert np.corrcoef(table["muscle_area_cm2"][:5], muscle)[0, 1] > 0.6
    assert np.corrcoef(table["muscle_hu"][:5], muscle)[0, 1] > 0.8
    assert table["liver_ml"][:5].between(900, 4000).all()
    with pytest.raises(MissingModalityError):
        BodyComposition().transform(cohort.X.select("pet"))
