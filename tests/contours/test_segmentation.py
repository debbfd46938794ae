"""DICOM SEG as any program may write it: the voxels are the same."""

import numpy as np
import pytest
from contour_builders import LPS, frames_as_bytes, group, on_grid, segmentation, write
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from prrt_estimators.contours import lesion_labels, read_segmentation
from prrt_estimators.exceptions import ContourError

#: 9 x 5 x 6 voxels of 2 x 3 x 4 mm in LPS millimetres.
AFFINE = np.array([[2.0, 0, 0, -7], [0, 3.0, 0, 5], [0, 0, 4.0, -20], [0, 0, 0, 1]])
SHAPE = (9, 5, 6)


def case():
    rng = np.random.default_rng(3)
    first, second = rng.random((2, *SHAPE)) < 0.3
    first[..., [0, 3]] = False  # sparse: an empty slice in between
    second[..., 4:] = False
    return {"Lesion 1": first, "Lesion 2": second}


def read(dataset, tmp_path, affine=None, shape=None):
    return read_segmentation(write(dataset, tmp_path / "SEG.dcm")).on(affine, shape)


def assert_same(structures, masks):
    for region, (name, mask) in zip(structures.regions, masks.items(), strict=True):
        whole = np.zeros(structures.shape, dtype=int)
        whole[region.box] = region.mask
        assert region.name == name
        assert (on_grid(whole, structures.affine, mask, LPS @ AFFINE) == mask).all()


def shared(dataset):
    return dataset.SharedFunctionalGroupsSequence[0]


def measures(dataset):
    return shared(dataset).PixelMeasuresSequence[0]


def no_spacing(dataset):
    del measures(dataset).SpacingBetweenSlices


def thin_slices(dataset):
    no_spacing(dataset)
    measures(dataset).SliceThickness = 1.0


def negative_spacing(dataset):
    measures(dataset).SpacingBetweenSlices = -4.0


def wrong_spacing(dataset):
    measures(dataset).SpacingBetweenSlices = 2.7


def no_measures_but_spacing(dataset):
    no_spacing(dataset)
    del measures(dataset).SliceThickness


def groups_per_frame(dataset):
    own = shared(dataset)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        frame.PixelMeasuresSequence, frame.PlaneOrientationSequence = (
            own.PixelMeasuresSequence,
            own.PlaneOrientationSequence,
        )
    del dataset.SharedFunctionalGroupsSequence


def empty_shared_groups(dataset):
    groups_per_frame(dataset)
    dataset.SharedFunctionalGroupsSequence = []


def frames_reversed(dataset):
    frames_as_bytes(dataset)
    size = dataset.Rows * dataset.Columns
    pixels = np.frombuffer(dataset.PixelData, np.uint8)[: size * dataset.NumberOfFrames].reshape(-1, size)
    dataset.PixelData = pixels[::-1].tobytes() + b"\0" * (pixels.size % 2)
    dataset.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[::-1]


def bytes_of_255(dataset):
    frames_as_bytes(dataset, 255)


def padded_frames(dataset):
    size = dataset.Rows * dataset.Columns
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    frames = bits[: size * dataset.NumberOfFrames].reshape(-1, size)
    dataset.PixelData = b"".join(np.packbits(frame, bitorder="little").tobytes() for frame in frames) + b"\0"


def no_frame_of_reference(dataset):
    del dataset.FrameOfReferenceUID


def no_type(dataset):
    del dataset.SegmentationType


def other_class(dataset):
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"


def rounded_places(dataset):
    for k, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        frame.PlanePositionSequence[0].ImagePositionPatient = [float(v) + 0.004 * (-1) ** k for v in place]


def slices_downwards(dataset):
    """The normal of the image plane points to the feet, rows run the other way."""
    frames_as_bytes(dataset)
    pixels = np.frombuffer(dataset.PixelData, np.uint8)[: dataset.Rows * dataset.Columns * dataset.NumberOfFrames]
    pixels = pixels.reshape(-1, dataset.Rows, dataset.Columns)[:, ::-1]
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    shared(dataset).PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, -1, 0]
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        place = [float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient]
        frame.PlanePositionSequence[0].ImagePositionPatient = [place[0], place[1] + 3 * (dataset.Rows - 1), place[2]]


def run_length(dataset):
    from pydicom.pixels.encoders import RLELosslessEncoder

    frames_as_bytes(dataset)
    size = dataset.Rows * dataset.Columns
    parts = [
        RLELosslessEncoder.encode(
            dataset.PixelData[k * size : (k + 1) * size], rows=dataset.Rows, columns=dataset.Columns, bits_allocated=8,
            bits_stored=8, samples_per_pixel=1, photometric_interpretation="MONOCHROME2", number_of_frames=1,
            pixel_representation=0,
        )
        for k in range(dataset.NumberOfFrames)
    ]  # fmt: skip
    dataset.PixelData = encapsulate(parts)
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = RLELossless


def deflated(dataset):
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


def fractional(dataset):
    frames_as_bytes(dataset, 200)
    dataset.SegmentationType, dataset.SegmentationFractionalType, dataset.MaximumFractionalValue = (
        "FRACTIONAL",
        "PROBABILITY",
        255,
    )


def numbers_with_gaps(dataset):
    for segment in dataset.SegmentSequence:
        segment.SegmentNumber = int(segment.SegmentNumber) * 5 + 2
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        one = frame.SegmentIdentificationSequence[0]
        one.ReferencedSegmentNumber = int(one.ReferencedSegmentNumber) * 5 + 2


DEVIATIONS = [
    no_spacing, thin_slices, negative_spacing, wrong_spacing, no_measures_but_spacing, groups_per_frame,
    empty_shared_groups, frames_reversed, bytes_of_255, padded_frames, no_frame_of_reference, no_type, other_class,
    rounded_places, slices_downwards, run_length, deflated, fractional, numbers_with_gaps,
]  # fmt: skip


def test_voxels_of_each_segment(tmp_path):
    masks = case()
    assert_same(read(segmentation(masks, AFFINE), tmp_path), masks)


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda one: one.__name__)
def test_deviations_give_the_same_voxels(deviation, tmp_path):
    masks = case()
    dataset = segmentation(masks, AFFINE)
    deviation(dataset)
    structures = read(dataset, tmp_path)
    assert_same(structures, masks)
    assert structures.regions[0].counts["used"] == 4


def test_a_label_map(tmp_path):
    masks = {"Lesion 1": np.zeros(SHAPE, bool), "Lesion 2": np.zeros(SHAPE, bool)}
    masks["Lesion 1"][2:4, 1:3, 1:4] = True
    masks["Lesion 2"][5:8, 1:3, 2:3] = True
    labels = masks["Lesion 1"] + 2 * masks["Lesion 2"]
    dataset = segmentation({"any": labels > 0}, AFFINE, SegmentationType="LABELMAP")
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.7"
    dataset.SegmentSequence = [group(SegmentNumber=k, SegmentLabel=name) for k, name in enumerate(masks, 1)]
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        del frame.SegmentIdentificationSequence
    frames_as_bytes(dataset)
    stored = labels[:, :, labels.any(axis=(0, 1))].transpose(2, 1, 0).astype(np.uint8)
    dataset.PixelData = stored.tobytes() + b"\0" * (stored.size % 2)
    assert_same(read(dataset, tmp_path), masks)


def test_one_segment_need_not_be_named_by_its_frames(tmp_path):
    masks = {"Lesion": case()["Lesion 1"]}
    dataset = segmentation(masks, AFFINE)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        del frame.SegmentIdentificationSequence
    assert_same(read(dataset, tmp_path), masks)


def test_two_segments_must_be_named_by_their_frames(tmp_path):
    dataset = segmentation(case(), AFFINE)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        del frame.SegmentIdentificationSequence
    with pytest.raises(ContourError, match="which segment"):
        read(dataset, tmp_path)


def test_at_least_half_is_lesion(tmp_path):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:4, 0, 2] = True
    dataset = segmentation({"Lesion": mask}, AFFINE)
    frames_as_bytes(dataset)
    values = np.zeros((5, 9), np.uint8)
    values[0, :4] = [127, 128, 1, 255]
    dataset.PixelData = values.tobytes() + b"\0"
    dataset.SegmentationType, dataset.MaximumFractionalValue = "FRACTIONAL", 255
    found = read_segmentation(write(dataset, tmp_path / "SEG.dcm"))
    assert found.on().regions[0].voxels == 2
    assert found.cut == 2


def test_a_single_frame_has_the_thickness_of_its_slice(tmp_path):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2, 2, 2] = True
    dataset = segmentation({"Lesion": mask}, AFFINE)
    no_spacing(dataset)
    structures = read(dataset, tmp_path)
    assert np.isclose(abs(np.linalg.det(structures.affine[:3, :3])), 24)


def test_on_the_grid_of_a_scan(tmp_path):
    masks = case()
    path = write(segmentation(masks, AFFINE), tmp_path / "SEG.dcm")
    for flips in [(), (0,), (1, 2), (0, 1, 2)]:
        turn = np.eye(4)
        for axis in flips:
            turn[axis, axis], turn[axis, 3] = -1, SHAPE[axis] - 1
        found = read_segmentation(path)
        assert found.fits(LPS @ AFFINE @ turn, SHAPE)
        assert_same(found.on(LPS @ AFFINE @ turn, SHAPE), masks)


def test_frames_beside_a_scan_are_counted(tmp_path):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2:5, 2:5, :] = True
    found = read_segmentation(write(segmentation({"Lesion": mask}, AFFINE), tmp_path / "SEG.dcm"))
    region = found.on(LPS @ AFFINE, (*SHAPE[:2], 4)).regions[0]
    assert region.counts == {"outside": 2, "used": 4}
    assert region.voxels == 36


def test_another_grid_does_not_fit(tmp_path):
    found = read_segmentation(write(segmentation(case(), AFFINE), tmp_path / "SEG.dcm"))
    coarse = LPS @ AFFINE @ np.diag([2.0, 2, 1, 1])
    assert not found.fits(coarse, SHAPE)
    with pytest.raises(ContourError, match="another grid"):
        found.on(coarse, SHAPE)


def test_oblique_planes(tmp_path):
    a, b = 0.2, 0.15
    turn = np.eye(4)
    turn[:3, 0] = [np.cos(a), 0, -np.sin(a)]
    turn[:3, 1] = [np.sin(a) * np.sin(b), np.cos(b), np.cos(a) * np.sin(b)]
    turn[:3, 2] = np.cross(turn[:3, 0], turn[:3, 1])
    masks = case()
    structures = read(segmentation(masks, turn @ AFFINE), tmp_path)
    for region, mask in zip(structures.regions, masks.values(), strict=True):
        whole = np.zeros(structures.shape, dtype=int)
        whole[region.box] = region.mask
        assert (on_grid(whole, structures.affine, mask, LPS @ turn @ AFFINE) == mask).all()


def test_no_frame_is_no_lesion(tmp_path):
    dataset = segmentation({"Lesion": np.zeros(SHAPE, bool)}, AFFINE)
    assert lesion_labels(read(dataset, tmp_path)).labels.max() == 0


def test_missing_pixels_are_refused(tmp_path):
    dataset = segmentation(case(), AFFINE)
    dataset.PixelData = dataset.PixelData[:-20]
    with pytest.raises(ContourError, match="fewer pixels"):
        read(dataset, tmp_path)


def test_a_cut_file_is_refused(tmp_path):
    path = write(segmentation(case(), AFFINE), tmp_path / "SEG.dcm")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ContourError, match=r"SEG\.dcm"):
        read_segmentation(path)


def test_frames_without_a_place_are_refused(tmp_path):
    dataset = segmentation(case(), AFFINE)
    del dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    with pytest.raises(ContourError, match="place in the patient"):
        read(dataset, tmp_path)


def test_unequal_distances_are_refused(tmp_path):
    dataset = segmentation(case(), AFFINE)
    for k, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.PlanePositionSequence[0].ImagePositionPatient = [0, 0, float([0, 3.1, 4.0, 9.7, 11.3, 17.9, 20, 22][k])]
    with pytest.raises(ContourError, match="unequal"):
        read(dataset, tmp_path)
