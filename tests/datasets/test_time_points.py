"""A value that was taken at the end of the course is never a predictor, whatever its column is called."""

from __future__ import annotations

import numpy as np
import pytest

from prrt_estimators.datasets import load_cohort
from prrt_estimators.datasets._column_vocabulary import guess_name
from prrt_estimators.exceptions import LeakageError

AT_THE_END = [
    "age at progression", "Age_at_progression", "AgeAtProgression", "ageatprogression", "age at PD", "age when progressed",
    "Alter bei Progress", "Alter bei Progression", "Alter (Progress)", "Alter bei Krankheitsprogress",
    "Alter bei Fortschreiten der Erkrankung", "CgA at progression [ug/L]", "CgA bei Progress", "Ki-67 at progression",
    "grade at progression", "Karnofsky at progression", "age at relapse", "Alter bei Rezidiv",
    "age at death", "age_at_death_years", "age at time of death", "age at exitus", "Alter bei Tod", "Sterbealter",
    "Alter zum Zeitpunkt des Todes", "Alter zum Todeszeitpunkt", "Alter beim Versterben", "alterbeitod",
    "age at end of study", "age at EOS", "Alter am Studienende", "weight at end of treatment", "Gewicht bei Therapieende",
    "ALT EOT", "Albumin am Ende", "age at discharge", "age at event", "age at censoring",
    "age at last visit", "age at final visit", "age at last follow-up", "BMI at last visit", "ECOG at last visit",
    "Alter bei letzter Visite", "Alter bei der letzten Kontrolle", "Alter letzte Nachsorge", "GGT zuletzt",
]  # fmt: skip
BEFORE = [
    "age", "age at diagnosis", "age at baseline", "age at PRRT", "age at start of therapy", "age at first cycle",
    "Age at time of PET", "Alter bei Diagnose", "Alter bei Therapiebeginn", "Alter bei Einschluss", "Alter bei erster PRRT",
    "CgA [ug/L]", "Ki-67", "weight", "previous progression", "history of recurrence", "prior PRRT", "tumour grade",
]  # fmt: skip


@pytest.mark.parametrize("name", AT_THE_END)
def test_it_is_known_only_after_therapy(name):
    said = guess_name(name)
    assert said is None or said.role == "after_therapy", said


@pytest.mark.parametrize("name", BEFORE)
def test_what_is_known_before_stays_a_predictor(name):
    said = guess_name(name)
    assert said is not None
    assert said.role == "lab"


def test_age_and_age_at_progression_would_tell_the_time_and_are_refused():
    rng = np.random.default_rng(0)
    pfs = rng.uniform(2, 30, 30).round(1)
    age = rng.integers(40, 80, 30)
    table = {"age": age, "age at progression": (age + pfs / 12).round(2), "pfs_months": pfs, "progressed": 1}
    table = {name: np.broadcast_to(column, 30).tolist() for name, column in table.items()}
    data = load_cohort(table, verbose=False)
    assert list(data.X["lab"]) == ["age"]
    assert dict(zip(data.roles["column"], data.roles["role"], strict=True))["age at progression"] == "after_therapy"
    with pytest.raises(LeakageError, match="age at progression"):
        load_cohort(table, lab=["age", "age at progression"], verbose=False)
