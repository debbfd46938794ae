"""A scanner export comes back as what it was made of; the same run again goes on and changes nothing."""

from __future__ import annotations

import json
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from dicom_builders import enhanced, save
from ingest_helpers import change, clinical, everything_in, files, key_of, make_export, new_series, pseudonym

from prrt_estimators.datasets import load_cohort
from prrt_estimators.exceptions import CohortError, RunMismatchError
from prrt_estimators.ingest import _parallel_conversion, ingest


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An export that tests only read, the cohort it was made of, and what ingest made of it."""
    folder = tmp_path_factory.mktemp("export") / "export"
    cohort = make_export(folder)
    out = folder.parent / "out"
    result = ingest(folder / "dicom", folder / "clinical.xlsx", out, key_file=key_of(folder), n_jobs=1)
    return folder, cohort, out, result


def run(folder, out, table=None, **options):
    table = folder / "clinical.xlsx" if table is None else table
    return ingest(folder / "dicom", table, out, key_file=key_of(folder), n_jobs=1, **options)


def volume(out, patient, kind):
    return nib.load(out / "patients" / pseudonym(patient) / f"{kind}.nii.gz")


def in_field(shape, spacing):
    """Voxels inside the scanner's round field; outside, the export holds padding."""
    x, y = (np.arange(n) - (n - 1) / 2 for n in shape[:2])
    radius = max(shape[0] * spacing[0], shape[1] * spacing[1]) / 2
    return ((x[:, None] * spacing[0]) ** 2 + (y[None, :] * spacing[1]) ** 2 <= radius**2)[:, :, None]


def test_scans_come_back_as_they_were_made(made):
    _, cohort, out, result = made
    assert result.n_included == len(cohort.X)
    assert result.findings == ()
    for row, patient in enumerate(cohort.X.ids):
        pet, ct = volume(out, patient, "pet"), volume(out, patient, "ct")
        affine = cohort.affines[row]
        for image in (pet, ct):
            assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
            assert image.shape == cohort.X["pet"][row].shape[1:]
            # The same voxel is at the same place to a hundredth of a voxel.
            last = np.array([*(np.array(image.shape) - 1), 1])
            spacing = np.diag(affine)[:3]
            assert np.abs((image.affine @ last - affine @ last)[:3] / spacing).max() < 0.01
            assert np.abs((image.affine - affine)[:3, 3] / spacing).max() < 0.01
        suv, truth = pet.get_fdata(), cohort.X["pet"][row][0]
        assert pet.get_data_dtype() == np.float32
        np.testing.assert_allclose(suv, truth, rtol=0.005, atol=0.005 * truth.max() / 100)
        hu, truth = ct.get_fdata(), cohort.X["ct"][row][0]
        assert ct.get_data_dtype() == np.int16
        inside = np.broadcast_to(in_field(ct.shape, np.diag(affine)[:2]), ct.shape)
        assert np.abs(hu - truth)[inside].max() <= 1
        assert (hu[~inside] == -1024).all()


def test_the_table_loads_and_holds_what_was_measured(made):
    _, cohort, _, result = made
    data = load_cohort(result.cohort, verbose=False)
    assert sorted(data.X.ids) == sorted(pseudonym(one) for one in cohort.X.ids)
    row = {name: k for k, name in enumerate(data.X.ids)}
    order = [row[pseudonym(one)] for one in cohort.X.ids]
    np.testing.assert_allclose(data.time[order], cohort.time)
    np.testing.assert_array_equal(data.event[order], cohort.event)
    np.testing.assert_array_equal(data.y[order], cohort.y)
    for name in ("ggt_u_l", "albumin_g_l"):
        np.testing.assert_allclose(data.X["lab"][name].to_numpy()[order], cohort.X["lab"][name].astype(float))
    table = pd.read_csv(result.cohort)
    np.testing.assert_allclose(table["de_ritis_ratio"], table["ast_u_l"] / table["alt_u_l"], rtol=1e-5)
    assert set(result.flow["status"]) == {"included"}


def test_outputs_hold_nothing_but_what_they_should(made):
    _, cohort, out, _ = made
    assert {path.name for path in out.iterdir()} - {".lock"} == {
        "cohort.csv", "flow.csv", "columns.csv", "reference_limits.csv", "provenance.json", "quality_01.png", "patients"
    }  # fmt: skip
    header = volume(out, cohort.X.ids[0], "pet").header
    assert bytes(header["descrip"]).strip(b"\0") == b""
    assert header.get_xyzt_units()[0] == "mm"
    record = json.loads((out / "provenance.json").read_text())
    one = record["patients"][pseudonym(cohort.X.ids[0])]
    assert one["pet"]["suv"]["kind"] == "BQML"
    assert 40 < one["pet"]["suv"]["uptake_minutes"] < 90
    assert one["ct"]["tags"]["ConvolutionKernel"] == "B30f"
    assert {"PatientID", "StudyDate", "SeriesDescription"} & set(one["pet"]["tags"]) == set()


def test_again_repeats_nothing_and_changes_no_byte(made):
    folder, cohort, out, _ = made
    before = everything_in(out)
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("patients/*/*")}
    again = run(folder, out)
    assert again.n_kept == len(cohort.X)
    assert everything_in(out) == before
    assert {path: path.stat().st_mtime_ns for path in out.glob("patients/*/*")} == stamps


def test_killed_in_the_middle_it_goes_on(made, tmp_path, monkeypatch):
    folder, _, out, _ = made
    real, calls = _parallel_conversion.convert, []

    def killed(task, identity):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(task.patient)
        return real(task, identity)

    monkeypatch.setattr(_parallel_conversion, "convert", killed)
    with pytest.raises(KeyboardInterrupt):
        run(folder, tmp_path / "out")
    monkeypatch.setattr(_parallel_conversion, "convert", real)
    result = run(folder, tmp_path / "out")
    assert result.n_kept == 2
    assert everything_in(tmp_path / "out") == everything_in(out)


def test_changed_input_is_done_again_and_a_removed_patient_goes(made, tmp_path):
    folder, cohort, out, _ = made
    copy = tmp_path / "export"
    shutil.copytree(folder, copy)
    shutil.copy(key_of(folder), key_of(copy))
    shutil.copytree(out, tmp_path / "out")
    first, second, *rest = cohort.X.ids
    change(files(copy, first, "pet"), lambda ds: setattr(ds, "PatientWeight", 2 * float(ds.PatientWeight)))
    shutil.rmtree(copy / "dicom" / second)
    result = run(copy, tmp_path / "out")
    assert result.n_kept == len(rest)
    assert result.n_included == len(rest) + 1
    assert not (tmp_path / "out" / "patients" / pseudonym(second)).exists()
    doubled = volume(tmp_path / "out", first, "pet").get_fdata()
    np.testing.assert_allclose(doubled, 2 * volume(out, first, "pet").get_fdata(), rtol=1e-5)


def test_a_damaged_output_is_made_again(made, tmp_path):
    folder, cohort, out, _ = made
    shutil.copytree(out, tmp_path / "out")
    victim = tmp_path / "out" / "patients" / pseudonym(cohort.X.ids[0]) / "pet.nii.gz"
    victim.write_bytes(victim.read_bytes()[:-20])
    assert run(folder, tmp_path / "out").n_kept == len(cohort.X) - 1
    assert everything_in(tmp_path / "out") == everything_in(out)


def test_processes_give_the_same_bytes(made, tmp_path):
    folder, _, out, _ = made
    ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path / "out", key_file=key_of(folder), n_jobs=2)
    assert everything_in(tmp_path / "out") == everything_in(out)


def test_another_key_is_refused(made, tmp_path):
    folder, _, out, _ = made
    with pytest.raises(RunMismatchError, match="another key"):
        ingest(folder / "dicom", folder / "clinical.xlsx", out, key_file=tmp_path / "new.key", n_jobs=1)


def test_weight_of_the_table_stands_in(made, tmp_path):
    folder, cohort, out, _ = made
    copy = tmp_path / "export"
    shutil.copytree(folder, copy)
    shutil.copy(key_of(folder), key_of(copy))
    patient, other = cohort.X.ids[:2]
    weight = float(cohort.patients.set_index("patient_id").loc[patient, "weight_kg"])
    change(files(copy, patient, "pet"), lambda ds: delattr(ds, "PatientWeight"))
    table = clinical(copy)
    table["Gewicht [kg]"] = [
        f"{weight:.1f}".replace(".", ",") if one == patient else None for one in table["patient_id"]
    ]
    result = run(copy, tmp_path / "out", table)
    assert result.n_included == len(cohort.X)
    np.testing.assert_allclose(
        volume(tmp_path / "out", patient, "pet").get_fdata(), volume(out, patient, "pet").get_fdata(), rtol=1e-6
    )
    notes = result.flow.set_index("patient_id")["notes"]
    assert "weight taken from the table" in notes[pseudonym(patient)]
    assert notes[pseudonym(other)] == ""


def test_own_pseudonyms_and_an_export_that_is_pseudonymous(made, tmp_path):
    folder, cohort, _, _ = made
    table = clinical(folder)
    table["study code"] = [f"NET-{k:03d}" for k in range(len(table))]
    result = run(folder, tmp_path / "a", table, pseudonym_column="study code")
    assert sorted(pd.read_csv(result.cohort)["patient_id"]) == sorted(table["study code"])
    result = run(folder, tmp_path / "b", id_column="patient_id", pseudonym_column="patient_id")
    assert sorted(pd.read_csv(result.cohort)["patient_id"]) == sorted(cohort.X.ids)
    assert result.findings == ()
    # Where the identifier column is found by its values, naming it for pseudonyms means the same.
    result = run(folder, tmp_path / "c", pseudonym_column="patient_id")
    assert sorted(pd.read_csv(result.cohort)["patient_id"]) == sorted(cohort.X.ids)
    table["study code"] = "same"
    with pytest.raises(CohortError, match="more than one patient"):
        run(folder, tmp_path / "d", table, pseudonym_column="study code")


def test_override_names_a_series(made, tmp_path):
    folder, cohort, out, _ = made
    copy = tmp_path / "export"
    shutil.copytree(folder, copy)
    shutil.copy(key_of(folder), key_of(copy))
    patient = cohort.X.ids[0]

    def brighter(ds):
        ds.RescaleSlope, ds.SeriesNumber, ds.SeriesDescription = f"{2 * ds.RescaleSlope:.10g}", 77, "late"

    new_series(files(copy, patient, "pet"), copy / "dicom" / patient / "LATE", brighter)
    notes = run(copy, tmp_path / "out").flow.set_index("patient_id")["notes"]
    assert "2 PET series are equal" in notes[pseudonym(patient)]
    plain = volume(out, patient, "pet").get_fdata()
    for way in (
        {"override": {patient: {"pet": "77"}}},
        {"override": {pseudonym(patient): {"pet": f"{patient}/LATE"}}},
        {"prefer_pet": "late"},
    ):
        run(copy, tmp_path / "out", **way)
        np.testing.assert_allclose(volume(tmp_path / "out", patient, "pet").get_fdata(), 2 * plain, rtol=1e-5)
    with pytest.raises(CohortError, match="1 patient"):
        run(copy, tmp_path / "out", override={"nobody": {"pet": "77"}})


def test_last_pet_before_therapy(made, tmp_path):
    folder, cohort, out, _ = made
    copy = tmp_path / "export"
    shutil.copytree(folder, copy)
    shutil.copy(key_of(folder), key_of(copy))
    patient = cohort.X.ids[0]

    def later(ds):
        for name in ("StudyDate", "SeriesDate", "AcquisitionDate"):
            setattr(ds, name, "20300105")
        ds.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = None

    new_series(files(copy, patient, "pet"), copy / "dicom" / patient / "AFTER", later)
    table = clinical(copy)
    flow = run(copy, tmp_path / "out", table).flow.set_index("patient_id")
    assert "PET on 2 days" in flow.loc[pseudonym(patient), "reason"]
    table["PRRT Beginn"] = "01.01.2030"
    result = run(copy, tmp_path / "out", table)
    assert result.n_included == len(cohort.X)
    np.testing.assert_array_equal(
        volume(tmp_path / "out", patient, "pet").get_fdata(), volume(out, patient, "pet").get_fdata()
    )
    days = json.loads((tmp_path / "out" / "provenance.json").read_text())["patients"][pseudonym(patient)]
    assert days["pet_to_therapy_days"] > 2000
    assert "2030" not in (tmp_path / "out" / "provenance.json").read_text()
    table["PRRT Beginn"] = "01.01.2019"
    flow = run(copy, tmp_path / "out", table).flow
    assert flow["reason"].str.startswith("no PET before therapy").all()


def test_scans_may_be_missing_where_they_are_not_required(made, tmp_path):
    folder, cohort, _, _ = made
    copy = tmp_path / "export"
    shutil.copytree(folder, copy)
    shutil.copy(key_of(folder), key_of(copy))
    no_ct, no_images, *_ = cohort.X.ids
    shutil.rmtree(copy / "dicom" / no_ct / "CT")
    shutil.rmtree(copy / "dicom" / no_images)
    assert run(copy, tmp_path / "out").n_included == len(cohort.X) - 2
    result = run(copy, tmp_path / "out", require=())
    assert result.n_included == len(cohort.X)
    table = pd.read_csv(result.cohort).set_index("patient_id")
    assert pd.isna(table.loc[pseudonym(no_ct), "ct"])
    assert table.loc[pseudonym(no_images), ["pet", "ct"]].isna().all()
    assert len(load_cohort(result.cohort, verbose=False).X) == len(cohort.X)


def test_relative_paths_follow_the_folder_of_this_process(made, tmp_path, monkeypatch):
    folder, _, out, result = made
    # The second time, the workers of the first are still there, in the folder where they were started.
    for place in (tmp_path / "one", tmp_path / "two"):
        shutil.copytree(folder, place / "export")
        shutil.copy(key_of(folder), place)
        monkeypatch.chdir(place)
        again = ingest("export/dicom", "export/clinical.xlsx", "out", key_file="export.key", n_jobs=2, verbose=False)
        assert again.n_included == result.n_included
        assert everything_in(place / "out") == everything_in(out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"require": "pet"}, "`require` must be"),
        ({"id_from": "name"}, "`id_from` must be"),
        ({"id_column": "nope"}, "no column 'nope'"),
        ({"therapy_date": "nope"}, "no column 'nope'"),
    ],
)
def test_wrong_arguments_say_what_is_right(made, tmp_path, options, message):
    folder, *_ = made
    with pytest.raises(ValueError, match=message):
        run(folder, tmp_path / "out", **options)


def test_key_inside_the_results_is_refused(made, tmp_path):
    folder, *_ = made
    with pytest.raises(ValueError, match="lies inside the results"):
        ingest(folder / "dicom", folder / "clinical.xlsx", tmp_path, key_file=tmp_path / "key", n_jobs=1)


def test_multi_frame_objects(tmp_path):
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 4000, (6, 8, 10)).astype(np.uint16)
    hu = rng.integers(-1000, 1000, (6, 8, 10)).astype(np.int16)
    pet, ct = enhanced("PT", counts, slopes=[2.0] * 6), enhanced("CT", hu)
    ct.FrameOfReferenceUID, ct.StudyInstanceUID = pet.FrameOfReferenceUID, pet.StudyInstanceUID
    (tmp_path / "in").mkdir()
    save(pet, tmp_path / "in" / "a")
    save(ct, tmp_path / "in" / "b")
    table = pd.DataFrame({"patient": ["0815"], "pfs_months": [7]})
    result = ingest(tmp_path / "in", table, tmp_path / "out", key_file=tmp_path / "key", n_jobs=1)
    assert result.n_included == 1, result.flow["reason"].tolist()
    place = next((tmp_path / "out" / "patients").iterdir())
    # 70 kg, 368.08 MBq decayed for an hour; rows run towards Posterior, columns towards Left.
    factor = 2.0 * 70000 / (368.08e6 * 2 ** (-3600 / 6586.2))
    expected = np.flip(np.moveaxis(counts, (0, 1, 2), (2, 1, 0)), (0, 1)) * factor
    np.testing.assert_allclose(nib.load(place / "pet.nii.gz").get_fdata(), expected, rtol=1e-4)
    np.testing.assert_array_equal(
        nib.load(place / "ct.nii.gz").get_fdata(), np.flip(np.moveaxis(hu, (0, 1, 2), (2, 1, 0)), (0, 1))
    )
