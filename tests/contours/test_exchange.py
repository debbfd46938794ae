"""Lesions out to viewers and corrected ones back: what changes, what stays, what is refused."""

from __future__ import annotations

import gzip
import json
import sys

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from prrt_estimators.contours import apply_corrections, export_lesions, read_mask
from prrt_estimators.contours._corrected_lesions import corrected_file, count_corrected, read_record
from prrt_estimators.contours._exchange import compare_lesions, lesion_mask_name, read_corrections
from prrt_estimators.contours._write import write_labels, write_seg_nrrd
from prrt_estimators.datasets import load_cohort
from prrt_estimators.exceptions import CohortError, StorageWarning

AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])
SHAPE = (10, 9, 8)


def lesions(*corners):
    labels = np.zeros(SHAPE, np.uint16)
    for value, (a, b, c) in enumerate(corners, 1):
        labels[a : a + 2, b : b + 2, c : c + 2] = value
    return labels


@pytest.fixture
def cohort(tmp_path):
    """Three patients with PET: two lesions, none, no mask."""
    folder = tmp_path / "cohort"
    rng = np.random.default_rng(0)
    for patient in "ABC":
        (folder / patient).mkdir(parents=True)
        nib.save(nib.Nifti1Image(rng.gamma(2, 1, SHAPE).astype(np.float32), AFFINE), folder / patient / "pet.nii.gz")
    write_labels(folder / "A" / "mask.nii.gz", lesions((1, 1, 1), (6, 6, 5)), AFFINE)
    write_labels(folder / "B" / "mask.nii.gz", lesions(), AFFINE)
    pd.DataFrame(
        {
            "patient_id": list("ABC"),
            "pet": [f"{patient}/pet.nii.gz" for patient in "ABC"],
            "lesion_mask": ["A/mask.nii.gz", "B/mask.nii.gz", ""],
            "GGT [U/l]": ["1,5", "2,5", "3,5"],
            "pfs_months": [5, 20, 30],
            "progressed": [1, 1, 1],
        }
    ).to_csv(folder / "cohort.csv", index=False, sep=";")
    return folder


def load(folder):
    return load_cohort(folder / "cohort.csv", verbose=False, time=None, event=None, target=None).X


def test_what_is_written(cohort, tmp_path):
    pytest.importorskip("nrrd")
    table = export_lesions(load(cohort), tmp_path / "out")
    names = sorted(
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()
    )
    assert names == [
        "A.nii.gz", "A.seg.nrrd", "A_pet.nii.gz", "B.nii.gz", "B.seg.nrrd", "B_pet.nii.gz", "found/A.nii.gz",
        "found/B.nii.gz", "index.json", "lesions.csv",
    ]  # fmt: skip
    assert table[["patient_id", "lesion", "voxels"]].values.tolist() == [["A", 1, 8], ["A", 2, 8]]
    for name in ("A.nii.gz", "A.seg.nrrd"):
        assert (read_mask(tmp_path / "out" / name).labels == lesions((1, 1, 1), (6, 6, 5))).all()
    assert (tmp_path / "out" / "A_pet.nii.gz").read_bytes() == (cohort / "A" / "pet.nii.gz").read_bytes()


def test_the_scan_leaves_without_the_texts_of_its_file(cohort, tmp_path):
    path = cohort / "A" / "pet.nii.gz"
    image = nib.load(path)
    voxels = np.asanyarray(image.dataobj).copy()
    named = nib.Nifti1Image(voxels, image.affine)
    named.header["descrip"], named.header["aux_file"] = b"Okonkwo 06.01.2020", b"Okonkwo"
    named.header["intent_name"], named.header["db_name"], named.header["data_type"] = b"KX-774411", b"KX-774411", b"Ada"
    named.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Adaeze Okonkwo, Haus Sonnenhang"))
    with open(path, "wb") as raw, gzip.GzipFile("Okonkwo.nii", "wb", fileobj=raw) as packed:
        packed.write(named.to_bytes() + b"Okonkwo")
    # One that is not compressed comes out under the name of one that is.
    nib.save(nib.Nifti1Image(voxels, image.affine), cohort / "B" / "pet.nii")
    (cohort / "B" / "pet.nii.gz").unlink()
    table = cohort / "cohort.csv"
    table.write_text(table.read_text().replace("B/pet.nii.gz", "B/pet.nii"))
    export_lesions(load(cohort), tmp_path / "out")
    for patient in "AB":
        content = (tmp_path / "out" / f"{patient}_pet.nii.gz").read_bytes()
        for text in (content, gzip.decompress(content)):
            assert not any(word in text for word in (b"Okonkwo", b"KX-774411", b"Ada", b"Sonnenhang", b"2020"))
        copy = nib.load(tmp_path / "out" / f"{patient}_pet.nii.gz")
        assert (np.asanyarray(copy.dataobj) == voxels).all()
        assert (copy.affine == image.affine).all()
    assert len(copy.header.extensions) == 0


def test_without_pynrrd_nifti_is_written_and_the_command_is_named(cohort, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nrrd", None)
    with pytest.warns(StorageWarning, match=r'pip install "prrt-estimators\[contours\]"'):
        export_lesions(load(cohort), tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.nrrd"))
    write_labels(tmp_path / "out" / "A.nii.gz", lesions(), AFFINE)
    assert list(read_corrections(load(cohort), tmp_path / "out")) == ["A"]


def test_nothing_edited_changes_nothing(cohort, tmp_path):
    before = {path: path.read_bytes() for path in cohort.rglob("*") if path.is_file()}
    export_lesions(load(cohort), tmp_path / "out")
    assert apply_corrections(load(cohort), cohort / "cohort.csv", tmp_path / "out").empty
    assert {path: path.read_bytes() for path in cohort.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("tool", ["slicer", "nifti"])
def test_a_correction_comes_back(cohort, tmp_path, tool):
    out = tmp_path / "out"
    export_lesions(load(cohort), out)
    edited = lesions((6, 6, 5), (3, 1, 1))
    edited[8, 6, 5] = 1
    if tool == "slicer":
        pytest.importorskip("nrrd")
        # Slicer writes a smaller extent.
        affine = AFFINE.copy()
        affine[:3, 3] = AFFINE[:3, :3] @ [2, 1, 1]
        write_seg_nrrd(out / "A.seg.nrrd", edited[2:, 1:, 1:], affine)
    else:
        write_labels(out / "A.nii.gz", edited, AFFINE)
    found = (cohort / "A" / "mask.nii.gz").read_bytes()
    (cohort / "lesions.csv").write_text("patient_id,lesion,voxels,volume_ml\nA,1,8,0.64\nA,2,8,0.64\nZ,1,2,0.16\n")
    changes = apply_corrections(load(cohort), cohort / "cohort.csv", out)
    assert changes.values.tolist() == [
        ["A", "changed", 1, 0.64, 0.72],
        ["A", "added", 2, 0.0, 0.64],
        ["A", "removed", 1, 0.64, 0.0],
    ]
    text = (cohort / "cohort.csv").read_text()
    assert "A;A/pet.nii.gz;lesions_corrected/A.nii.gz;1,5" in text
    assert "B;B/pet.nii.gz;B/mask.nii.gz;2,5" in text
    X = load(cohort)
    assert (read_mask(X.masks["lesion_mask"].paths[0]).labels == edited).all()
    assert count_corrected(X) == (1, 2)
    assert (cohort / "A" / "mask.nii.gz").read_bytes() == found
    assert (
        read_mask(cohort / "lesions_corrected" / "found" / "A.nii.gz").labels == lesions((1, 1, 1), (6, 6, 5))
    ).all()
    assert pd.read_csv(cohort / "lesions.csv")[["patient_id", "lesion", "voxels"]].values.tolist() == [
        ["A", 1, 9], ["A", 2, 8], ["Z", 1, 2],
    ]  # fmt: skip
    # The same again is not a change, and a second correction keeps what was found first.
    assert apply_corrections(X, cohort / "cohort.csv", out).empty is False
    digest = read_record(cohort)["A"]["found_sha256"]
    export_lesions(X, tmp_path / "again")
    write_labels(tmp_path / "again" / "A.nii.gz", lesions(), AFFINE)
    changes = apply_corrections(X, cohort / "cohort.csv", tmp_path / "again")
    assert changes["change"].tolist() == ["removed", "removed"]
    assert read_record(cohort)["A"]["found_sha256"] == digest
    assert read_mask(load(cohort).masks["lesion_mask"].paths[0]).empty


def test_a_correction_belongs_to_the_mask_that_it_corrects(cohort, tmp_path):
    export_lesions(load(cohort), tmp_path / "out")
    write_labels(tmp_path / "out" / "A.nii.gz", lesions(), AFFINE)
    apply_corrections(load(cohort), cohort / "cohort.csv", tmp_path / "out")
    drawn = cohort / "A" / "mask.nii.gz"
    assert corrected_file(cohort, "A", drawn) == "lesions_corrected/A.nii.gz"
    assert corrected_file(cohort, "B", cohort / "B" / "mask.nii.gz") is None
    write_labels(drawn, lesions((2, 2, 2)), AFFINE)
    assert corrected_file(cohort, "A", drawn) is None


def test_all_that_is_wrong_is_listed_and_nothing_is_changed(cohort, tmp_path):
    pytest.importorskip("nrrd")
    out = tmp_path / "out"
    export_lesions(load(cohort), out)
    away = AFFINE.copy()
    away[:3, 3] = 900
    write_labels(out / "A.nii.gz", lesions((1, 1, 1)), away)
    write_labels(out / "B.nii.gz", lesions((1, 1, 1)), AFFINE)
    write_seg_nrrd(out / "B.seg.nrrd", lesions((1, 2, 1)), AFFINE)
    write_labels(out / "D.nii.gz", lesions((1, 1, 1)), AFFINE)
    before = (cohort / "cohort.csv").read_bytes()
    with pytest.raises(CohortError) as caught:
        apply_corrections(load(cohort), cohort / "cohort.csv", out)
    assert [(one.patient, one.file) for one in caught.value.problems] == [
        ("A", "A.nii.gz"), ("B", None), (None, "D.nii.gz"),
    ]  # fmt: skip
    assert "do not overlap" in caught.value.problems[0].what
    assert (cohort / "cohort.csv").read_bytes() == before
    assert not (cohort / "lesions_corrected").exists()


def test_a_patient_of_another_cohort_and_a_folder_of_another_kind(cohort, tmp_path):
    X = load(cohort)
    with pytest.raises(CohortError, match=r"index\.json"):
        read_corrections(X, tmp_path)
    export_lesions(X, tmp_path / "out")
    write_labels(tmp_path / "out" / "A.nii.gz", lesions(), AFFINE)
    with pytest.raises(CohortError, match="not in the cohort"):
        read_corrections(X[1:], tmp_path / "out")
    with pytest.raises(CohortError, match="CSV"):
        apply_corrections(X, cohort / "cohort.xlsx", tmp_path / "out")


def test_lesions_of_a_finder(cohort, tmp_path):
    table = export_lesions(load(cohort), tmp_path / "out", {"C": (lesions((1, 1, 1)), AFFINE)})
    assert table["patient_id"].tolist() == ["C"]
    write_labels(tmp_path / "out" / "C.nii.gz", lesions((1, 1, 1), (5, 5, 5)), AFFINE)
    changes = apply_corrections(load(cohort), cohort / "cohort.csv", tmp_path / "out")
    assert changes["change"].tolist() == ["added"]
    assert load(cohort).masks["lesion_mask"].present.tolist() == [True, True, True]
    assert read_record(cohort)["C"]["found_sha256"] == ""


def test_names_that_are_no_file_names(cohort, tmp_path):
    X = load(cohort)
    X.ids[0] = "../A 1"
    export_lesions(X, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "index.json").read_text())["patients"]["../A 1"]["stem"] == "patient_00001"


def test_joined_and_split_lesions_are_changes():
    one = lesions((1, 1, 1), (4, 1, 1))
    whole = (one > 0).astype(np.uint16)
    whole[3, 1, 1] = 1
    assert [(c["change"], c["lesion"]) for c in compare_lesions(one, AFFINE, whole, AFFINE)] == [("changed", 1)]
    assert [c["change"] for c in compare_lesions(whole, AFFINE, one, AFFINE)] == ["changed", "changed"]
    assert compare_lesions(one, AFFINE, one, AFFINE) == []
    renumbered = np.where(one > 0, 3 - one.astype(int), 0)
    assert compare_lesions(one, AFFINE, renumbered, AFFINE) == []


def test_a_lesion_drawn_on_another_grid_counts_as_changed():
    one = lesions((1, 1, 1), (4, 4, 1))
    shifted = AFFINE.copy()
    shifted[0, 3] = AFFINE[0, 0]
    same_place = np.zeros_like(one)
    same_place[:-1] = one[1:]
    finer = AFFINE @ np.diag([0.5, 1, 1, 1])
    for labels, affine in ((same_place, shifted), (np.repeat(one, 2, axis=0), finer)):
        found = compare_lesions(one, AFFINE, labels, affine)
        assert [(c["change"], c["lesion"]) for c in found] == [("changed", 1), ("changed", 2)]
        assert all(c["volume_before_ml"] == c["volume_after_ml"] == 0.64 for c in found)
    larger = np.zeros((one.shape[0] + 1, *one.shape[1:]), np.uint16)
    larger[:-1] = one
    assert [c["change"] for c in compare_lesions(one, AFFINE, larger, AFFINE)] == ["changed", "changed"]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [(["lesion_mask"], "lesion_mask"), (["liver", "gtv"], "gtv"), (["mask"], "mask"), (["a", "b"], None), ([], None)],
)
def test_which_mask_holds_lesions(cohort, names, chosen):
    X = load(cohort)
    X.masks = dict.fromkeys(names, X.masks["lesion_mask"])
    if chosen is None:
        with pytest.raises(ValueError, match="masks that may hold lesions"):
            lesion_mask_name(X)
    else:
        assert lesion_mask_name(X) == chosen
