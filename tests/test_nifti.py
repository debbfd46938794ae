"""Where a NIfTI lies, what it may claim, and what it may be: stated rules, each refusal with patient and file."""

import gzip
import os
import struct
import warnings

import nibabel as nib
import numpy as np
import pytest

from prrt_estimators import Cohort
from prrt_estimators._nifti import read_nifti
from prrt_estimators.exceptions import CohortError, CohortWarning
from prrt_estimators.preprocessing import prepare_volumes
from prrt_estimators.preprocessing._scans import read_scan

RNG = np.random.default_rng(0)
PET = RNG.gamma(2, 1, (8, 9, 10)).astype(np.float32)
CT = RNG.normal(0, 100, (8, 9, 10)).astype(np.float32)
AFFINE = np.diag([4.0, 4, 4, 1])
AFFINE[:3, 3] = [-16, -120, 300]


def write(path, data=PET, affine=AFFINE, *, sform=None, qform=None, kind=nib.Nifti1Image, **fields):
    """Write a volume; sform and qform are (affine, code), fields are put into the header as they are."""
    image = kind(data, affine)
    if sform is not None:
        image.set_sform(*sform)
    if qform is not None:
        image.set_qform(*qform)
    raw = bytearray(image.to_bytes())
    header = type(image.header)(bytes(raw[: image.header.sizeof_hdr]))
    for name, value in fields.items():
        header[name] = value
    raw[: len(header.binaryblock)] = header.binaryblock
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)
    return str(path)


def moved(by, mirror=1.0):
    affine = AFFINE.copy()
    affine[0, 3] += by
    affine[:, 0] *= mirror
    return affine


def refused(path, modality="pet"):
    with pytest.raises(CohortError) as caught:
        prepare_volumes(Cohort({modality: [str(path)]}, ids=["P7"]))
    (problem,) = caught.value.problems
    assert problem.patient == "P7"
    assert problem.file == str(path)
    assert problem.remedy
    return problem.what


PLACES = {
    "no code": ({"sform": (AFFINE, 0), "qform": (AFFINE, 0)}, "left and right are not known"),
    "200 mm apart": ({"sform": (AFFINE, 1), "qform": (moved(200), 1)}, "up to 200 mm apart"),
    "6 mm apart": ({"sform": (AFFINE, 1), "qform": (moved(6), 1)}, "up to 6 mm apart"),
    "mirrored": ({"sform": (moved(0, -1), 1), "qform": (AFFINE, 1)}, "mm apart"),
    "turned by 10 degrees": (
        {
            "sform": (AFFINE, 1),
            "qform": (AFFINE @ np.array([[0.985, -0.174, 0, 0], [0.174, 0.985, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), 1),
        },
        "mm apart",
    ),
    "pixdim 0": ({"pixdim": [1, 0, 0, 0, 0, 0, 0, 0]}, "states voxels of 0 x 0 x 0 mm"),
    "one pixdim 0": ({"pixdim": [1, 4, 4, 0, 0, 0, 0, 0]}, "states voxels of 4 x 4 x 0 mm"),
    "pixdim negative": ({"pixdim": [1, 4, -4, 4, 0, 0, 0, 0]}, "states voxels of 4 x -4 x 4 mm"),
    "pixdim NaN": ({"pixdim": [1, 4, np.nan, 4, 0, 0, 0, 0]}, "states voxels of 4 x nan x 4 mm"),
    "pixdim of another spacing": ({"pixdim": [1, 4, 4, 3, 0, 0, 0, 0]}, "4 x 4 x 3 mm, its affine of 4 x 4 x 4 mm"),
    "no side in the qform": (
        {"sform": (AFFINE, 0), "qform": (AFFINE, 1), "pixdim": [0.5, 4, 4, 4, 0, 0, 0, 0]},
        "does not say left from right",
    ),
    "no rotation": ({"sform": (AFFINE, 0), "qform": (AFFINE, 1), "quatern_b": 3.0}, "qform is not a rotation"),
    "NaN in the affine": ({"srow_x": [4, 0, 0, np.nan]}, "NaN or infinite"),
    "metres": ({"xyzt_units": 1}, "lengths in metres"),
    "micrometres": ({"xyzt_units": 3}, "lengths in micrometres"),
}


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_place_that_is_unknown_or_contradicts_itself_is_refused(kind, suffix, tmp_path):
    how, said = PLACES[kind]
    assert said in refused(write(tmp_path / f"scan{suffix}", **how))


@pytest.mark.parametrize(
    "how",
    [
        {"sform": (AFFINE, 1), "qform": (AFFINE, 0)},
        {"sform": (AFFINE, 0), "qform": (AFFINE, 1)},
        {"sform": (AFFINE, 1), "qform": (AFFINE, 1)},
        {"sform": (AFFINE, 1), "qform": (moved(3.9), 1)},  # less than a voxel: rounding of another program
        {"sform": (moved(0, -1), 1), "qform": (moved(0, -1), 1)},
        {"sform": (AFFINE, 0), "qform": (AFFINE, 1), "pixdim": [0, 4, 4, 4, 0, 0, 0, 0]},  # 0 means 1
        {"xyzt_units": 10},
        {"xyzt_units": 0},
        {"kind": nib.Nifti2Image},
    ],
)
def test_a_place_that_is_known_is_that_of_nibabel(how, tmp_path):
    file = write(tmp_path / "scan.nii", **how)
    if "pixdim" not in how:
        np.testing.assert_array_equal(read_nifti(file).affine, nib.load(file).affine)
    np.testing.assert_allclose(np.abs(read_nifti(file).affine), np.abs(how.get("sform", (AFFINE,))[0]), atol=1e-4)


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<u2", "<f4", ">f8", "<i4", "u1"])
@pytest.mark.parametrize("scale", [None, (0.013, -7.5)])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_voxels_are_those_of_nibabel(dtype, scale, kind, tmp_path):
    header = kind.header_class(endianness=">" if dtype.startswith(">") else "<")
    header.set_data_dtype(np.dtype(dtype))
    image = kind((RNG.random((5, 6, 7)) * 200).astype(dtype), AFFINE, header)
    if scale:
        image.header.set_slope_inter(*scale)
    for file in (tmp_path / "scan.nii", tmp_path / "scan.nii.gz"):
        nib.save(image, file)
        expected = np.asanyarray(nib.load(file).dataobj, dtype=np.float32)
        np.testing.assert_array_equal(read_nifti(str(file)).data, expected)


CLAIMS = {
    "vox_offset infinite": ({"vox_offset": np.inf}, "voxels begin at byte inf"),
    "vox_offset NaN": ({"vox_offset": np.nan}, "voxels begin at byte nan"),
    "vox_offset in the header": ({"vox_offset": 16}, "voxels begin at byte 16"),
    "vox_offset behind the end": ({"vox_offset": 1e9}, "ends before its last voxel|claim to unfold"),
    "huge dimensions": ({"dim": [3, 32767, 32767, 32767, 1, 1, 1, 1]}, "ends before its last voxel|claim to unfold"),
    "one slice too many": ({"dim": [3, 8, 9, 11, 1, 1, 1, 1]}, "ends before its last voxel"),
    "negative dimension": ({"dim": [3, 8, -9, 10, 1, 1, 1, 1]}, "dimensions that cannot be"),
    "no dimension": ({"dim": [0, 8, 9, 10, 1, 1, 1, 1]}, "dimensions that cannot be"),
    "nine dimensions": ({"dim": [9, 8, 9, 10, 1, 1, 1, 1]}, "dimensions that cannot be"),
    "bits of another type": ({"bitpix": 8}, "contradicts itself: float32 voxels of 8 bits"),
    "infinite slope": ({"scl_slope": np.inf}, "infinite number"),
    "infinite intercept": ({"scl_slope": 1.0, "scl_inter": np.inf}, "not a readable NIfTI"),
    "unknown type": ({"datatype": 77}, "not a readable NIfTI|NIfTI"),
    "pair": ({"magic": b"ni1"}, "lie in another file"),
    "no magic": ({"magic": b"abc"}, "lie in another file"),
}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", CLAIMS)
def test_claims_of_a_header_are_compared_with_the_file(kind, suffix, tmp_path):
    how, said = CLAIMS[kind]
    what = refused(write(tmp_path / f"scan{suffix}", **how))
    assert any(part in what for part in said.split("|")), what


@pytest.mark.parametrize("length", [1, 3, 100, 347, 348, 351, 352, 400])
def test_a_file_cut_anywhere_is_named(length, tmp_path):
    raw = (tmp_path / "whole.nii").read_bytes() if write(tmp_path / "whole.nii") else b""
    (tmp_path / "cut.nii").write_bytes(raw[:length])
    (tmp_path / "cut.nii.gz").write_bytes(gzip.compress(raw[:length]))
    for name in ("cut.nii", "cut.nii.gz"):
        assert "ends before its last voxel" in refused(tmp_path / name)


def bomb(path, shape, dtype=np.int16, extra=0):
    """Write a small compressed file of very many zeros, without holding them."""
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_sform(AFFINE, 1)
    header["pixdim"][1:4] = 4
    header["magic"], header["vox_offset"] = b"n+1", 352
    left = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize + extra
    with gzip.GzipFile(path, "wb", compresslevel=1) as stream:
        stream.write(header.binaryblock + b"\0" * 4)
        while left > 0:
            stream.write(bytes(min(left, 2**20)))
            left -= 2**20
    return path


def test_a_small_file_that_unfolds_to_gigabytes_is_refused_before_it_does(tmp_path):
    assert "claim to unfold to 512 x 512 x 450 voxels" in refused(bomb(tmp_path / "a.nii.gz", (512, 512, 450)))
    assert "far more than its voxels" in refused(bomb(tmp_path / "b.nii.gz", (4, 4, 4), extra=80 * 2**20))


def test_a_mask_may_be_small_for_what_it_unfolds_to_and_a_scan_may_not(tmp_path):
    # Only the claim counts here: cut right behind the header, so that nothing is unfolded.
    raw = bytearray(write(tmp_path / "m.nii", (PET > 3).astype(np.uint8)) and (tmp_path / "m.nii").read_bytes())
    raw[40:48] = struct.pack("<4h", 3, 512, 512, 500)
    (tmp_path / "m.nii.gz").write_bytes(gzip.compress(bytes(raw)))
    with pytest.raises(ValueError, match="ends before its last voxel"):
        read_nifti(str(tmp_path / "m.nii.gz"), mask=True)
    with pytest.raises(ValueError, match="claim to unfold"):
        read_nifti(str(tmp_path / "m.nii.gz"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "scan.nii.gz")
    assert "a pipe or a device" in refused(tmp_path / "scan.nii.gz")


def test_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(CohortError, match="cannot be read"):
        read_scan("scan\0.nii", "pet", "P1")
    assert "cannot be read" in refused(tmp_path / ("x" * 300 + ".nii"))


def test_one_bad_file_does_not_hide_the_others(tmp_path):
    good = write(tmp_path / "good.nii")
    bad = [write(tmp_path / f"{k}.nii", **how) for k, (how, _) in enumerate(CLAIMS.values())]
    with pytest.raises(CohortError) as caught:
        prepare_volumes(Cohort({"pet": [good, *bad]}), n_jobs=2)
    assert [problem.file for problem in caught.value.problems] == bad


# What the voxels mean -----------------------------------------------------------------------------------------------

LEVELS = RNG.integers(0, 25, PET.shape)
NO_SCANS = {
    "mask": (PET > 3).astype(np.uint8),
    "mask of floats": (PET > 3).astype(np.float32),
    "organ map": LEVELS.astype(np.uint8),
    "organ map of floats": LEVELS.astype(np.float64),
    "organ map of 16 bits": LEVELS.astype(np.int16),
    "mask of 255": (255 * (PET > 3)).astype(np.uint8),
}


@pytest.mark.parametrize("kind", NO_SCANS)
def test_a_pet_that_is_a_mask_or_an_organ_map_is_refused(kind, tmp_path):
    assert "different numbers only, as a mask" in refused(write(tmp_path / "scan.nii", NO_SCANS[kind]))


@pytest.mark.parametrize("modality", ["pet", "ct"])
@pytest.mark.parametrize(
    ("code", "name"),
    [(3, "t test"), (5, "z score"), (1002, "label"), (1007, "vector"), (22, "p value"), (77, "unknown")],
)
def test_a_map_of_statistics_or_labels_is_refused_by_its_intent(code, name, modality, tmp_path):
    data = {"pet": PET, "ct": CT}[modality]
    assert f"intent code {code}, {name}" in refused(write(tmp_path / "scan.nii", data, intent_code=code), modality)


def test_a_pet_that_was_normalised_is_refused(tmp_path):
    assert "the PET was normalised" in refused(write(tmp_path / "scan.nii", PET / PET.max()))
    assert "the PET was normalised" not in refused(write(tmp_path / "mask.nii", (PET > 3).astype(np.float32)))


def test_a_pet_in_stored_integers_is_taken(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    nib.save(nib.Nifti1Image(PET, AFFINE, header), tmp_path / "scaled.nii.gz")
    counts = write(tmp_path / "counts.nii.gz", np.rint(PET * 100).astype(np.int16))
    for file in (tmp_path / "scaled.nii.gz", counts):
        prepare_volumes(Cohort({"pet": [str(file)]}))
    read = [read_scan(str(file), "pet").data.max() for file in (tmp_path / "scaled.nii.gz", counts)]
    assert read == pytest.approx([PET.max(), 100 * PET.max()], rel=0.02)


# Values -----------------------------------------------------------------------------------------------------------


def beyond(value):
    data = CT.copy()
    data[3:6, 3:6, 3:6] = value
    return data


@pytest.mark.parametrize(("value", "kept"), [(40000, 32767), (32768, 32767), (-40000, -1024), (3000, 3000)])
def test_hounsfield_units_never_wrap_around(value, kept, tmp_path):
    from prrt_estimators.preprocessing._volumes import BoxReader

    X = Cohort({"ct": [write(tmp_path / "ct.nii", beyond(value))]}, ids=["P3"])
    voxels = BoxReader(X, size=(8, 9, 10), spacing=4.0).load(0, "ct")
    assert voxels.dtype == np.int16
    assert voxels[4, 4, 4] == kept
    told = abs(value) > 32767
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):  # the second from the cache
            prepare_volumes(X, size=(8, 9, 10), spacing=4.0)
    assert len(caught) == 2 * told
    assert all("patient P3: CT holds" in str(one.message) and one.category is CohortWarning for one in caught)


ARRAYS = {
    "HU beyond int16": ("ct", beyond(40000), "beyond -32768 to 32767 is cut off"),
    "stored values for HU": ("ct", np.abs(CT) + 900, "no voxel below -50 HU"),
    "Bq/mL for SUV": ("pet", PET * 20000, "it looks like Bq/mL"),
    "CT for PET": ("pet", np.where(CT > 0, 40.0, -1000.0).astype(np.float32), "it looks like a CT in HU"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_implausible_values_of_arrays_are_told_with_the_patient(kind):
    modality, data, said = ARRAYS[kind]
    usual = {"pet": PET, "ct": CT}[modality]
    X = Cohort({modality: np.stack([usual, data, usual])}, ids=["A", "B", "C"])
    with pytest.warns(CohortWarning, match=f"patient B: .*{said}"):
        prepare_volumes(X)


@pytest.mark.parametrize(("low", "high"), [(-160, 240), (-200, 300), (-512, 512)])
def test_a_windowed_ct_is_told_with_the_patient(low, high, tmp_path):
    body = np.random.default_rng(0).normal(40, 30, CT.shape).astype(np.float32)
    body[:4] = np.random.default_rng(1).normal(-990, 15, body[:4].shape)
    files = [write(tmp_path / f"{k}.nii", one) for k, one in enumerate((body, body.clip(low, high)))]
    with pytest.warns(CohortWarning, match=f"^patient B: CT holds {low} HU in .*it looks windowed") as caught:
        prepare_volumes(Cohort({"ct": files}, ids=["A", "B"]), cache_dir=tmp_path / "cache")
    assert len(caught) == 1


@pytest.mark.parametrize(("scale", "said"), [(np.log1p, 1), (lambda suv: suv / 20, 1), (lambda suv: suv, 0)])
def test_pets_of_the_body_without_high_uptake_are_told_once(scale, said, tmp_path):
    suv = np.random.default_rng(0).gamma(1.0, 1.0, (8, 8, 40)).astype(np.float32)
    suv[4, 4, 10] = 80.0
    paths = [write(tmp_path / f"{k}.nii", scale(suv).astype(np.float32), np.diag([16.0, 16, 16, 1])) for k in range(5)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        prepare_volumes(Cohort({"pet": paths}), cache_dir=tmp_path / "cache", tell_padding=False)
    assert ["greatest SUV is below 6 in 5 of 5" in str(one.message) for one in caught] == [True] * said


@pytest.mark.parametrize(("by", "said"), [((0, 0, 24.0), True), ((60, 0, 0), True), ((0, 0, 0), False)])
def test_pet_and_ct_that_lie_apart_are_told(by, said, tmp_path):
    # 32 x 36 x 40 mm: 24 mm along the body leave 40 %; the others are so wide that 60 mm leave most.
    wide = np.repeat(PET, 8, axis=0) if by[0] else PET
    hounsfield = np.repeat(CT, 8, axis=0) if by[0] else CT
    affine = AFFINE.copy()
    affine[:3, 3] += by
    files = {"pet": [write(tmp_path / "p.nii", wide)], "ct": [write(tmp_path / "c.nii", hounsfield, affine)]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        prepare_volumes(Cohort(files, ids=["P5"]), tell_padding=False)
    assert [str(one.message).startswith("patient P5: PET and CT share") for one in caught] == [True] * said


def test_masks_that_claim_more_than_their_file_holds_are_refused_before_they_are_read(tmp_path):
    from prrt_estimators.contours import read_mask
    from prrt_estimators.exceptions import ContourError

    raw = bytearray(write(tmp_path / "m.nii", (PET > 3).astype(np.uint8)) and (tmp_path / "m.nii").read_bytes())
    assert read_mask(tmp_path / "m.nii").labels.sum() == (PET > 3).sum()
    raw[40:48] = struct.pack("<4h", 3, 32000, 32000, 900)
    for name, content in (("big.nii", bytes(raw)), ("big.nii.gz", gzip.compress(bytes(raw)))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ContourError, match=r"claim to unfold|ends before its last voxel"):
            read_mask(tmp_path / name)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.nii")
        with pytest.raises(ContourError, match="a pipe or a device"):
            read_mask(tmp_path / "pipe.nii")
