"""What column names say, in English and German."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prrt_estimators.datasets._codings import without_coding
from prrt_estimators.datasets._words import file_kind, guess_name, says_censored, says_short, time_unit_in


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


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Progression (0/1)", "event"),
        ("Progression [0/1]", "event"),
        ("Progress (1/0)", "event"),
        ("progressed (yes/no)", "event"),
        ("PD (y/n)", "event"),
        ("Progress (ja/nein)", "event"),
        ("PFS event (1=yes)", "event"),
        ("PFS_event (1 = progression, 0 = censored)", "event"),
        ("Progression 0/1", "event"),
        ("Sex (m/f)", "lab"),
        ("Geschlecht (0=männlich, 1=weiblich)", "lab"),
        ("Diabetes (0/1)", "lab"),
        ("Tod (0/1)", "after_therapy"),
        ("Grade (1=progress)", "after_therapy"),
        ("Long PFS (0/1)", "target"),
    ],
)
def test_a_coding_in_brackets_is_not_part_of_the_name(name, role):
    assert guess_name(name).role == role


@pytest.mark.parametrize("name", ["GGT (0=normal, 1=high)", "CgA (1/2)"])
def test_a_coded_analyte_is_not_the_analyte(name):
    assert guess_name(name) is None


@pytest.mark.parametrize("name", ["CgA [ug/L]", "Hb (g/dl)", "NSE (1)", "PFS (months)", "x (a=b)", "(0/1)"])
def test_what_is_no_coding_stays(name):
    assert without_coding(name) == name


@pytest.mark.parametrize(
    ("name", "inverted"),
    [
        ("Progression (0=yes, 1=no)", True),
        ("event (1 = censored)", True),
        ("Ereignis [1=kein Progress]", True),
        ("event (censored=1)", True),
        ("Progression (1=yes, 0=no)", False),
        ("event (0=censored, 1=progressed)", False),
        ("Progression (0/1)", False),
    ],
)
def test_an_inverted_coding_is_not_certain(name, inverted):
    assert says_censored(name) is inverted


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("short PFS", True),
        ("PFS class (0=short, 1=long)", False),
        ("PFS class (1=short, 0=long)", True),
        ("Short PFS (0=long, 1=short)", True),
        ("Short PFS (1=no, 0=yes)", False),
        ("long PFS (0/1)", False),
        ("PFS class (short/long)", False),
    ],
)
def test_which_class_is_one(name, short):
    assert says_short(name) is short
