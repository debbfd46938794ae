"""SUV against the reference objects of the IBSI manual and the headers of real scanners."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_builders import add_private, item
from pydicom.sequence import Sequence as Items

from prrt_estimators.dicom import read_pet, suv_factors
from prrt_estimators.exceptions import SUVWarning

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "suv"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the reference objects (../shared/data/suv) are not here")

#: Units, decay correction and where the start came from, of the five objects.
OBJECTS = {
    "DRO_0_0": ("BQML", "START", "RadiopharmaceuticalStartDateTime"),
    "DRO_1_0": ("BQML", "START", "RadiopharmaceuticalStartDateTime"),
    "DRO_2_1": ("GML/LBM-James128", "START", "RadiopharmaceuticalStartDateTime"),
    "DRO_3_1": ("BQML", "ADMIN", "RadiopharmaceuticalStartDateTime"),
    "DRO_4_1": ("BQML", "START", "RadiopharmaceuticalStartTime"),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_reference_objects_read_a_fifth_one_and_four(name):
    image = read_pet(SHARED / "ibsi_dro" / name / "PT")
    mask = nib.as_closest_canonical(nib.load(SHARED / "ibsi_dro" / name / "mask" / "DRO_mask.nii.gz"))
    assert image.shape == mask.shape
    np.testing.assert_allclose(image.affine, mask.affine, atol=1e-3)
    inside = image.get_fdata()[np.asanyarray(mask.dataobj) > 0]
    assert inside.size > 10000
    np.testing.assert_allclose([inside.min(), np.median(inside), inside.max()], [0.2, 1.0, 4.0], rtol=0.005)
    found = image.extra["suv"]
    assert (found.kind, found.decay_correction, found.injection_rule) == OBJECTS[name]
    assert found.uptake_minutes == 60


def scanner_headers(name):
    """Return the three headers of a real scanner."""
    headers = []
    for record in json.loads((SHARED / "factor_cases" / f"{name}-instances.json").read_text()):
        private = record.pop("PhilipsPETPrivateGroup")
        injected = {key: record.pop(key) for key in list(record) if key.startswith("Radio")}
        header = item(**record, RadiopharmaceuticalInformationSequence=Items([item(**injected)]))
        if private:
            add_private(header, 0x7053, "Philips PET Private Group", 0x00, "DS", private["SUVScaleFactor"])
        headers.append(header)
    return headers


@pytest.mark.parametrize(
    ("name", "uptake"),
    [
        ("SIEMENS", 137.73),
        ("PHILIPS_CNTS_AND_SUV", 75.85),
        ("GE_MEDICAL_AND_BQML", 71.35),
        ("BQML_AC_DT_lessThan_S_DT_SIEMENS", 54.25),
    ],
)
def test_headers_of_real_scanners(name, uptake):
    expected = json.loads((SHARED / "factor_cases" / "expected_suvbw_factor.json").read_text())[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = suv_factors(scanner_headers(name))
    np.testing.assert_allclose(result.factors, expected, rtol=1e-5)
    assert result.uptake_minutes == pytest.approx(uptake, abs=0.005)
    # Only the scan two hours and a quarter after the injection is remarked on.
    assert [warning.category for warning in caught] == [SUVWarning] * (uptake > 120)
