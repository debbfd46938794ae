"""The sexes in English and German."""

import pytest

from prrt_estimators._sex import read_sex, says_sex


@pytest.mark.parametrize(
    ("cell", "sex"),
    [
        ("M", "male"), ("männlich", "male"), ("männl.", "male"), ("Mann", "male"), ("male ", "male"),
        ("F", "female"), ("W", "female"), ("weiblich", "female"), ("weibl.", "female"), ("Frau", "female"),
        ("f\u200b", "female"), ("divers", "other"), ("d", "other"),
        ("1", None), (1, None), ("mw", None), ("metastatic", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_sexes(cell, sex):
    assert read_sex(cell) == sex


def test_names_of_the_column():
    assert all(says_sex(name) for name in ("SEX", "Gender", "Geschlecht (m/w/d)", "sex: 0=m, 1=f", "Patient sex"))
    assert not any(says_sex(name) for name in ("Sextant", "sex hormones", "Essex", "m"))
