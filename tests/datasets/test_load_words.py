"""What column names say, in English and German."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prrt_estimators.datasets._words import file_kind, guess_name, time_unit_in


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("patient_id", ["Patienten-ID", "Pat.-Nr.", "pseudonym", "ID"]),
        ("identifier", ["Nachname", "Vorname", "Geburtsdatum", "MRN", "accession_number", "Name", "DOB", "StudyUID"]),
        ("time", ["PFS [Monate]", "PFSMonths", "time_days", "progression-free survival (months)", "Zeit"]),
        ("event", ["progressed", "PFS Status", "Ereignis", "progression"]),
        ("target", ["pfs_class", "long_pfs", "short PFS"]),
        ("date", ["Datum der PET", "scan_date", "Todesdatum"]),
        (
            "after_therapy",
            ["PRRT_cycles", "Anzahl Zyklen", "kumulative Aktivität (GBq)", "follow_up", "Nachsorge", "best_response",
             "Ansprechen", "RECIST", "death", "verstorben", "status", "OS_months", "overall survival", "Überleben",
             "lung_metastasis", "LungMets", "recurrence", "Rezidiv", "cga_after_cycle2", "delta_CgA", "CgA month 6",
             "change_from_baseline", "toxicity_grade", "outcome"],
        ),
        (
            "lab",
            ["Alter", "Geschlecht", "BMI [kg/m²]", "Körpergewicht (kg)", "Ki-67 [%]", "Primärtumor", "histology_group",
             "grade", "t_stage", "prior_chemotherapy", "Vortherapien", "previous_prrt_cycles", "Krenning score",
             "SSTR_score", "ECOG", "baseline_liver_metastases", "γ-GT [U/l]", "CgA baseline", "De Ritis ratio"],
        ),
        (None, ["comment", "trt", "hospital", "tumour_size", "prior_institution", "site"]),
    ],
)  # fmt: skip
def test_names_say_roles(role, names):
    said = {name: (guess := guess_name(name)) and guess.role for name in names}
    assert said == dict.fromkeys(names, role)


@given(st.text(max_size=25))
def test_any_name_can_be_asked(name):
    guess = guess_name(name)
    assert guess is None or guess.reason


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pet_path", "pet"), ("SR-PET Datei", "pet"), ("CT file", "ct"), ("liver_mask", "mask"), ("pet_seg", "mask"),
        ("PET/CT", None), ("image", None),
    ],
)  # fmt: skip
def test_names_of_files(name, kind):
    assert file_kind(name) == kind


def test_units_in_names_of_times():
    names = ("PFS [Monate]", "time_days", "Zeit (Wochen)", "pfs_yrs", "pfs")
    assert [time_unit_in(name) for name in names] == ["months", "days", "weeks", "years", None]
