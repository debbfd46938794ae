"""What column names say, in English and German."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prrt_estimators.datasets._codings import states_coding, without_coding
from prrt_estimators.datasets._column_vocabulary import class_of_one, file_kind, guess_name, says_censored, time_unit_in


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("patient_id", ["Patienten-ID", "Pat.-Nr.", "pseudonym", "ID"]),
        ("identifier", ["Nachname", "Vorname", "Geburtsdatum", "MRN", "accession_number", "Name", "DOB", "StudyUID", "lfd. Nr.", "Laufende Nummer", "row_number"]),
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


@pytest.mark.parametrize("name", ["event (censored)", "Zensierung"])
def test_whether_a_name_speaks_of_censoring(name):
    assert says_censored(name) is name.startswith("Zens")


@pytest.mark.parametrize(
    ("stated", "names"),
    [
        (
            True,
            ["PFS event (1=yes)", "Progress [1=ja, 0=nein]", "Progression (PD=1, SD=0)", "Event (1: PD or death; 0: no event)",
             "Event (0=progress, 1=none)", "Event (progress=0)", "Progress? (event=2)", "PFS class {1: kurz; 0: lang}",
             "Ereignis (1=progressionsfrei)", "PFS class: 1=short, 0=long"],
        ),
        (
            False,
            ["Progression (0/1)", "Progress: 0/1", "progressed", "pfs >= 12 months", "PFS < 12 months (0/1)", "PFS <= 12",
             "PFS class (short/long)", "Sex (m/f)"],
        ),
    ],
)  # fmt: skip
def test_whether_a_name_gives_its_numbers_a_meaning(stated, names):
    assert {name: states_coding(name) for name in names} == dict.fromkeys(names, stated)


@pytest.mark.parametrize(
    ("one", "names"),
    [
        ("short", ["short PFS", "PFS < 12 months (0/1)", "PFS <= 12 months", "kurzes PFS"]),
        ("long", ["long PFS (0/1)", "PFS class (short/long)", "PFS class", "PFS >= 12 months", "pfs_class", "PFS class: 0/1"]),
        (None, ["PFS class (1=short, 0=long)", "long PFS (1=ja, 0=nein)", "PFS class (1=A, 0=B)", "PFS 1 short 0 long"]),
    ],
)  # fmt: skip
def test_which_class_is_one(one, names):
    assert {name: class_of_one(name) for name in names} == dict.fromkeys(names, one)


@given(st.text(alphabet="01=:()[], <>shortlongPDSDyesno/", max_size=30))
def test_any_coding_can_be_asked(name):
    assert class_of_one(name) in ("short", "long", None)
    assert states_coding(name) in (True, False)
