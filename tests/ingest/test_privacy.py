"""A planted name is in no output byte, and the search for it finds it where it is."""

from __future__ import annotations

import datetime
import gzip
import shutil
import subprocess
import sys

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from ingest_helpers import change, clinical, everything_in, files, key_of, make_export, pseudonym

from prrt_estimators.ingest import ingest
from prrt_estimators.ingest._privacy import Finding, Identity, check_file, check_folder, own_words
from prrt_estimators.ingest._volume_files import save

NAME, IDENTIFIER, BORN, SCANNED = "Wölkenstein^Ottokar", "WLK-884411", "19481231", "20210317"
SECRETS = (
    "wölkenstein",
    "wolkenstein",
    "woelkenstein",
    "ottokar",
    "884411",
    "19481231",
    "1948-12-31",
    "31.12.1948",
    "20210317",
    "2021-03-17",
    "17.03.2021",
)


def plant(ds):
    """Write the name wherever a scanner, a technician or an archive may write it."""
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = NAME, IDENTIFIER, BORN
    ds.OtherPatientNames, ds.PatientComments = NAME, f"{NAME} is tired"
    ds.ImageComments = ds.StudyDescription = ds.SeriesDescription = f"PET {NAME}"
    ds.ManufacturerModelName = "Biograph of Wölkenstein"
    ds.InstitutionName = ds.StationName = "Wölkenstein"
    ds.ReferringPhysicianName = "Ottokar"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = SCANNED
    ds.private_block(0x0009, "WOLKENSTEIN", create=True).add_new(0x10, "LO", NAME)
    if ds.Modality == "PT":
        drug = ds.RadiopharmaceuticalInformationSequence[0]
        drug.RadiopharmaceuticalStartDateTime = None
        drug.Radiopharmaceutical = "Dose of Ottokar"


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """An export in which two patients have the name everywhere; one of them is damaged, to provoke messages."""
    folder = tmp_path_factory.mktemp("planted") / "export"
    cohort = make_export(folder, 4)
    first, second, *_ = cohort.X.ids
    for patient, identifier in ((first, IDENTIFIER), (second, "WLK-884412")):
        for kind in ("pet", "ct"):
            paths = files(folder, patient, kind)
            change(paths, plant)
            change(paths, lambda ds, identifier=identifier: setattr(ds, "PatientID", identifier))
            for path in paths:
                path.rename(path.with_name(f"Wolkenstein_Ottokar_{path.name}"))
        shutil.move(folder / "dicom" / patient, folder / "dicom" / f"Wolkenstein Ottokar {identifier}")
    victim = sorted((folder / "dicom" / "Wolkenstein Ottokar WLK-884412" / "PET").iterdir())
    change(victim, lambda ds: delattr(ds, "RescaleSlope"))
    (victim[0].parent / "Wolkenstein.txt").write_text(NAME)
    table = clinical(folder).replace({"patient_id": {first: IDENTIFIER, second: "WLK-884412"}})
    table["Name"] = [NAME, NAME, "Other^Person", "Third^Person"]
    table["geb."] = "31.12.1948"
    table["Bemerkung"] = "Herr Wölkenstein war müde"
    table["Wert Wölkenstein"] = [1, 2, 3, 4]
    table["center"] = ["Wölkenstein", "Nord", "Nord", "Nord"]
    table["Beginn PRRT"] = [datetime.datetime(2021, 3, 17)] * 2 + [datetime.datetime(2022, 3, 17)] * 2
    table["Datum Progress"] = "17.03.2023"
    path = folder / "Wolkenstein.xlsx"
    table.to_excel(path, sheet_name="Wolkenstein", index=False)
    return folder, path, cohort


def holds_secret(content: bytes) -> list[str]:
    """Search bytes as they are and as text in the usual encodings, in any case."""
    found = []
    for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
        text = content.decode(encoding, "ignore").casefold()
        found += [secret for secret in SECRETS if secret in text]
    return found


def test_no_output_byte_holds_the_name(planted, tmp_path):
    folder, table, _ = planted
    out = tmp_path / "out"
    command = [
        sys.executable, "-c", "from prrt_estimators.cli import main; main()", "ingest", folder / "dicom",
        "--clinical", table, "--out", out, "--key", key_of(folder), "--jobs", "1",
    ]  # fmt: skip
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert holds_secret(done.stdout) == []
    assert holds_secret(done.stderr.replace(str(table.parent).encode(), b"")) == []
    written = everything_in(out)
    assert len(written) >= 6 + 3 * 4
    for name, content in written.items():
        assert holds_secret(name.encode()) == [], name
        # In voxels the short secrets occur by chance.
        plain = gzip.decompress(content) if name.endswith(".gz") else content
        searched = plain[:352] + content[:512] if name.endswith(".gz") else content
        assert holds_secret(searched) == [], name
        assert not any(secret.encode() in plain for secret in (NAME, "Wolkenstein", IDENTIFIER)), name
    flow = pd.read_csv(out / "flow.csv").set_index("patient_id")
    assert flow.loc[pseudonym("WLK-884412"), "reason"].startswith("PET: RescaleSlope")
    cohort = pd.read_csv(out / "cohort.csv").set_index("patient_id")
    # Values stay; what names somebody goes.
    assert "Wert Wölkenstein" not in cohort
    assert cohort.iloc[:, -1].notna().any()
    assert pd.isna(cohort.loc[pseudonym(IDENTIFIER), "center"])
    assert "center: the cell names a person" in flow.loc[pseudonym(IDENTIFIER), "notes"]
    assert (cohort["center"].dropna() == "Nord").all()


def test_errors_of_the_table_name_nobody(planted, tmp_path, capfd):
    folder, _, _ = planted
    table = pd.DataFrame({"who": ["Wölkenstein"], "age": [70]})
    with pytest.raises(ValueError, match="no column holds the patient identifiers") as caught:
        ingest(folder / "dicom", table, tmp_path / "out", key_file=key_of(folder), n_jobs=1)
    assert holds_secret(str(caught.value).encode()) == []
    captured = capfd.readouterr()
    assert holds_secret((captured.out + captured.err).encode()) == []


def test_the_search_finds_what_others_put_there(planted, tmp_path):
    folder, table, _ = planted
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("call Mr WÖLKENSTEIN on 17.03.2021 about wlk-884411", encoding="utf-8")
    result = ingest(folder / "dicom", table, out, key_file=key_of(folder), n_jobs=1)
    assert {(one.file, one.kind) for one in result.findings} == {
        ("notes.txt", "name"),
        ("notes.txt", "identifier"),
        ("notes.txt", "date"),
    }


@pytest.fixture
def identity():
    who = Identity()
    who.add_names([NAME, "Long^Eva"])
    who.add_identifiers([IDENTIFIER, "1234", "99887766"])
    who.add_days([datetime.date(2021, 3, 17)])
    return who


def test_search_in_images(identity, tmp_path):
    image = nib.Nifti1Image(np.random.default_rng(0).integers(-1024, 3000, (60, 60, 60)).astype(np.int16), np.eye(4))
    path = tmp_path / "ct.nii.gz"
    save(image, path)
    assert check_file(path, "ct.nii.gz", identity) == []
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[150:158] = b"Ottokar "  # the description in the header
    path.write_bytes(gzip.compress(bytes(raw)))
    assert check_file(path, "ct.nii.gz", identity) == [Finding("ct.nii.gz", "name")]
    raw[150:158] = b"\0" * 8
    raw[9000:9012] = b" WLK-884411 "  # within the voxels
    path.write_bytes(gzip.compress(bytes(raw)))
    assert check_file(path, "ct.nii.gz", identity) == [Finding("ct.nii.gz", "identifier")]
    save(image, path)
    plain = gzip.decompress(path.read_bytes())
    with open(tmp_path / "n.gz", "wb") as raw_file, gzip.GzipFile("Ottokar_W.nii", "wb", fileobj=raw_file) as packed:
        packed.write(plain)
    assert check_file(tmp_path / "n.gz", "n.gz", identity) == [Finding("n.gz", "name")]


def test_search_spans_chunks(identity, tmp_path, monkeypatch):
    from prrt_estimators.ingest import _privacy

    monkeypatch.setattr(_privacy, "_CHUNK", 1000)
    content = b"\0" * 993 + b" Wolkenstein " + b"\0" * 5000
    (tmp_path / "x.png").write_bytes(content)
    assert check_file(tmp_path / "x.png", "x.png", identity) == [Finding("x.png", "name")]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Woelkenstein", {"name"}),
        ("P_wölkenstein_1", {"name"}),
        ("Wolkensteiner", set()),
        ("x-WLK-884411.", {"identifier"}),
        ("99887766", {"identifier"}),
        ("0.99887766", set()),
        ("199887766", set()),
        ("1234", set()),  # too short to be told from a value
        ("20210317", {"date"}),
        ("on 03/17/2021", {"date"}),
        ("long and short", set()),  # words that the program writes itself
        ("eva", {"name"}),
    ],
)
def test_kinds(identity, text, kinds):
    assert identity.kinds_in(text) == kinds
    assert bool(identity.kinds_in(identity.clean(text))) is False
    if not kinds:
        assert identity.clean(text) == text


@pytest.mark.parametrize(
    "phrase",
    [
        "University Hospital", "Universität", "Universitätsklinikum", "Uniklinik", "Klinikum", "Klinik", "Clinic", "Clinical",
        "Krankenhaus", "Centre", "Center", "Zentrum", "Department of Nuclear Medicine", "Abteilung für Radiologie",
        "Institut für Nuklearmedizin", "Institute of Radiology", "Medizin", "Imaging", "PET scanner", "Siemens", "Philips",
        "Canon", "Toshiba", "United Imaging", "General",
    ],
)  # fmt: skip
def test_the_words_of_any_hospital_are_no_place(phrase):
    who = Identity()
    who.add_places([f"{phrase} Sonnenhang"])
    for word in phrase.split():
        text = f"a series of the {word} was read"
        assert who.clean(text) == text
        assert who.kinds_in(text) == set()
    assert "onnenhang" not in who.clean(f"a series of {phrase} Sonnenhang, of Sonnenhang")


@pytest.mark.parametrize(
    "word", ["Anonymous", "anonymized", "Anonymised", "ANON", "unknown", "Unbekannt", "none", "Prof", "med", "von"]
)
def test_what_stands_in_place_of_a_name_is_no_name(word):
    who = Identity()
    who.add_names([f"{word}^Ottokar"])
    assert who.clean(f"{word.lower()} cells") == f"{word.lower()} cells"
    assert "ttokar" not in who.clean("of Ottokar")


def test_names_of_files_are_searched(identity, tmp_path):
    (tmp_path / "Ottokar.csv").write_text("a\n1\n")
    assert check_folder(tmp_path, identity) == [Finding("***", "name")]


def test_own_words_are_those_of_texts_and_not_of_documentation():
    words = own_words()
    assert {"patients", "progressed", "long"} <= words
    # Names in examples of docstrings exempt nobody.
    assert not {"doe", "jane", "okonkwo", "wolkenstein"} & words


@pytest.mark.parametrize(
    "digest",
    [
        "768fadb8e380b1374c179135f4dacc861e4e90122687c071c19611122c0f4f32",
        "19dec85ad35b805c9685aa45e4b57634eb81ea8d6b3741a91f1cde799cd21de9",
        "f61e29406f54911f3c2f3a6775d20711118fc82c6f30c27790f5943f99ab067d",
    ],
)
def test_digits_of_a_digest_are_no_date(tmp_path, digest):
    file = tmp_path / "record.json"
    file.write_text(f'{{"stamp": "{digest}"}}')
    assert check_file(file, "record.json", Identity()) == []
    file.write_text(f'{{"stamp": "{digest}", "note": "19dec85"}}')
    assert [found.kind for found in check_file(file, "record.json", Identity())] == ["date"]
