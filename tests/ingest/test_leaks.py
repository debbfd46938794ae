"""Places, devices, numbers, other spellings and dates of any form, planted everywhere: in no output byte."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest
from ingest_helpers import DATES, change, clinical, everything_in, files, key_of, make_export, pseudonym
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from prrt_estimators.ingest import ingest

PEOPLE = ["MUELLER^HEINRIKE", "Lukasiewicz^Zdzislawa", "Soerensen^Aksel", "YILDIZ^GULBEN"]
IN_THE_TABLE = ["Müller", "Łukasiewicz", "Sørensen", "Yıldız"]
SECRETS = [
    *("müller", "mueller", "łukasiewicz", "lukasiewicz", "sørensen", "soerensen", "sorensen", "yıldız", "yildiz", "heinrike"),
    *("sonnenhang", "sn48213", "petraum9", "acc55512", "quarzfels", "dr. huber", "versnr998877", "43836", "1578268800"),
    *map(str.lower, DATES), "17.03.2021",
]  # fmt: skip


def plant(ds):
    """Write what identifies a place, a device and a day wherever it may stand."""
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.InstitutionName, ds.StationName, ds.DeviceSerialNumber = "Klinikum Sonnenhang", "PETRAUM9", "SN48213"
    ds.ManufacturerModelName = "Biograph Sonnenhang"
    ds.SoftwareVersions = ["VG60", "SN48213", *DATES]
    ds.ScanOptions = ["PETRAUM9", "ACC55512"]
    ds.PatientComments = "Quarzfels"
    inner = Dataset()
    inner.AccessionNumber = "ACC55512"
    ds.RequestAttributesSequence = Items([inner])
    ds.private_block(0x0009, "MAKER", create=True).add_new(0x10, "LO", "Quarzfels 06-Jan-2020")
    if ds.Modality == "PT":
        ds.ReconstructionMethod = "OSEM Quarzfels 06.01.2020"
        ds.RadiopharmaceuticalInformationSequence[0].Radiopharmaceutical = "Ga-68 DOTATOC SN48213 6. Januar 2020"


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leaky") / "export"
    ids = make_export(folder, 4).X.ids
    for patient, name in zip(ids, PEOPLE, strict=True):
        paths = files(folder, patient, "pet") + files(folder, patient, "ct")
        change(paths, plant)
        change(paths, lambda ds, name=name: setattr(ds, "PatientName", name))
        for path in paths:
            path.rename(path.with_name(f"{name.split('^')[0]} {DATES[0]} {DATES[-5]} {path.name}"))
    table = clinical(folder)
    for number, name in enumerate(IN_THE_TABLE):
        table[f"Zentrum {number}"] = [name, name, "Nord", "Nord"]
    table["Klinik"] = ["Sonnenhang"] * 2 + ["Nord"] * 2
    table["Operateur"] = "Dr. Huber"
    table["Versicherung"] = "VersNr998877"
    table["Tag"] = [43836, 43836, 43837, 43836.25]
    table["Gepackt"] = [20200106, 20200106, 20200107, 20200108]
    table["Sekunden"] = [1578268800, 1578268800, 1578355200, 1578268800]
    for number, text in enumerate(DATES):
        table[f"Verlauf {number}"] = [text, text, "offen", "offen"]
        table[f"Wert am {text}"] = [1.5, 2.5, 3.5, 4.5]
    table["OP 17.03.2021"] = ["ja", "nein", "ja", "ja"]
    table["CRP 17.03.2021 [mg/l]"] = [4.0, 5.0, 6.0, 7.0]
    path = folder / "table.xlsx"
    table.to_excel(path, index=False)
    out = folder.parent / "out"
    (out / "patients" / "P1").mkdir(parents=True)
    for half in (out / ".cohort-abcd1234.csv", out / "patients" / "P1" / ".pet.nii-ab12_x9z.gz"):
        half.write_text("Müller")
    (out / ".lock-of-mine.txt").write_text("not ours")
    return folder, path, out, ingest(folder / "dicom", path, out, key_file=key_of(folder), n_jobs=1)


def test_nothing_planted_leaves(leaky):
    _, _, out, result = leaky
    assert result.n_included == 4, result.flow["reason"].tolist()
    for name, content in everything_in(out).items():
        plain = gzip.decompress(content)[:352] if name.endswith(".gz") else content
        for encoding in ("utf-8", "latin-1", "utf-16-le"):
            text = (name + plain.decode(encoding, "ignore")).lower()
            for secret in SECRETS:
                # Compressed pixels hold short texts by chance.
                if not (name.endswith(".png") and len(secret) < 7):
                    assert secret not in text, (name, secret)
    assert result.findings == ()


def test_values_stay(leaky):
    _, _, _, result = leaky
    cohort = pd.read_csv(result.cohort).set_index("patient_id")
    values = [name for name in cohort if name.startswith("Wert am")]
    # Headers that differ by a date only are still columns of their own.
    assert len(values) == len(DATES)
    assert sorted(cohort[values[-1]]) == [1.5, 2.5, 3.5, 4.5]
    assert "crp_mg_l" in cohort
    assert all((cohort[f"Zentrum {number}"].dropna() == "Nord").all() for number in range(4))
    assert not {"Operateur", "Versicherung", "Tag", "Gepackt", "Sekunden"} & set(cohort)
    notes = " ".join(result.flow["notes"])
    assert "Zentrum 0: the cell names a person, a number or a date; left out" in notes
    why = result.columns.set_index("column")["why"]
    assert why["Tag"] == "numbers like days of a spreadsheet: not passed on; keep it by name if they are values"


def test_half_written_files_of_a_killed_run_are_swept(leaky):
    _, _, out, _ = leaky
    hidden = {path.name for path in out.rglob(".*") if path.is_file()}
    assert hidden - {".lock"} == {".lock-of-mine.txt"}


def test_a_start_of_therapy_that_is_not_understood_decides_nothing(tmp_path):
    folder = tmp_path / "export"
    first, second = make_export(folder, 2).X.ids
    table = clinical(folder)
    table["Therapiebeginn"] = ["03/04/2030", "05/06/2030"]
    result = ingest(
        folder / "dicom", table, tmp_path / "out", key_file=key_of(folder), n_jobs=1, time_point="last",
        therapy_date="Therapiebeginn",
    )  # fmt: skip
    assert result.n_included == 2
    notes = result.flow.set_index("patient_id")["notes"]
    for patient in (first, second):
        assert "therapy date: not a date, or day and month cannot be told apart" in notes[pseudonym(patient)]
