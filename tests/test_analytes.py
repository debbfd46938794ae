"""The laboratory panel and the names it goes by."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prrt_estimators._analytes import (
    ANALYTES,
    OVER_LIMIT,
    analyte_columns,
    find_analyte,
    limit_factor,
    name_tokens,
    over_limit,
    over_limit_name,
    split_unit,
    unit_factor,
)

SPELLINGS = [(synonym, a.name) for a in ANALYTES for synonym in a.synonyms]


def test_panel_is_that_of_the_field():
    assert [a.name for a in ANALYTES if not a.log] == ["albumin", "egfr", "haemoglobin"]
    assert len(ANALYTES) == 17
    limits = {a.name: (a.uln_male, a.uln_female) for a in ANALYTES}
    assert limits["cga"] == (100, 100)
    assert limits["ggt"] == (60, 40)
    assert limits["creatinine"] == (1.2, 0.9)
    assert limits["egfr"] == (None, None)


def test_no_spelling_means_two_analytes():
    keys = {}
    for synonym, name in SPELLINGS:
        assert keys.setdefault(synonym.replace(" ", ""), name) == name


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("Chromogranin A (CgA) [µg/l]", "cga"),
        ("γ-GT [U/l]", "ggt"),
        ("Gamma-GT (GGT)", "ggt"),
        ("alk.phos", "alp"),
        ("GOT", "ast"),
        ("GPT (ALAT)", "alt"),
        ("Hämoglobin g/dl", "haemoglobin"),
        ("Leukozyten (G/l)", "leukocytes"),
        ("WBC x10^9/L", "leukocytes"),
        ("eGFR (mL/min/1.73 m²)", "egfr"),
        ("serum_creatinine_umol_l", "creatinine"),
        ("baseline_LDH", "ldh"),
    ],
)
def test_names_of_real_tables(column, name):
    assert find_analyte(column).name == name


@pytest.mark.parametrize(
    "column", ["Alter", "cga_2", "log_cga", "direct bilirubin", "neutrophils_%", "urine albumin creatinine", "", "U/L"]
)
def test_what_is_not_the_analyte_is_not_taken_for_it(column):
    assert find_analyte(column) is None


@given(st.sampled_from(SPELLINGS), st.sampled_from("_ -."), st.sampled_from(["", "_ug_l", " [U/l]", " (mg/dL)"]))
def test_case_separator_and_unit_do_not_matter(spelling, separator, unit):
    synonym, name = spelling
    for text in (synonym, synonym.upper(), synonym.title()):
        assert find_analyte(text.replace(" ", separator) + unit).name == name


@given(st.text(max_size=30))
def test_any_text_has_tokens(text):
    assert all(token.isascii() and token.isalnum() for token in name_tokens(text))
    tokens, unit = split_unit(text)
    assert len(tokens) <= len(name_tokens(text))
    assert (unit is None) == (tokens == name_tokens(text))


def test_factors_between_units():
    assert 88.4 * unit_factor("Kreatinin [µmol/l]") == pytest.approx(1.0, rel=1e-3)
    assert 17.1 * unit_factor("bilirubin_umol_l") == pytest.approx(1.0, rel=1e-3)
    assert 10 * unit_factor("Hb_mmol_l") == pytest.approx(16.1, rel=1e-2)
    assert unit_factor("ALT_ukat_l") == 60
    assert unit_factor("platelets") == unit_factor("no analyte at all") == 1
    assert unit_factor("cga_pmol_l") != unit_factor("cga_pmol_l")  # not convertible: NaN


def test_upper_limit_by_sex():
    ggt = find_analyte("ggt")
    assert (ggt.upper_limit("male"), ggt.upper_limit("female"), ggt.upper_limit()) == (60, 40, 50)
    assert find_analyte("egfr").upper_limit("male") is None
    with pytest.raises(ValueError, match="'male', 'female' or None; got 'm'"):
        ggt.upper_limit("m")


def test_analytes_travel_to_workers():
    assert pickle.loads(pickle.dumps(ANALYTES)) == copy.deepcopy(ANALYTES) == ANALYTES


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("cga_over_uln", "cga"),
        ("CgA/ULN", "cga"),
        ("CgA [× ULN]", "cga"),
        ("Chromogranin A (xULN)", "cga"),
        ("GGT (x upper limit of normal)", "ggt"),
        ("ggtOverULN", "ggt"),
        ("GOT [Vielfaches der Norm]", "ast"),
        ("AP x ULN baseline", "alp"),
        ("creatinine_uln_ratio", "creatinine"),
    ],
)
def test_multiples_of_the_upper_limit_are_a_unit(column, name):
    assert (find_analyte(column).name, split_unit(column)[1]) == (name, OVER_LIMIT)
    assert over_limit(column)
    assert limit_factor(column) == limit_factor(column, "female") == 1
    assert unit_factor(column) != unit_factor(column)  # never back to a value: the limit is that of an assay


@pytest.mark.parametrize(
    "column", ["CgA ULN", "ULN CgA", "egfr_over_uln", "delta_cga_over_uln", "over uln", "x ULN", "/ULN"]
)
def test_limits_themselves_and_what_has_none_are_not_multiples(column):
    assert not over_limit(column)
    assert find_analyte(column) is None


@pytest.mark.parametrize(
    "analyte", [one for one in ANALYTES if one.upper_limit() is not None], ids=lambda one: one.name
)
def test_every_name_that_ingest_writes_is_read_again(analyte):
    assert find_analyte(over_limit_name(analyte)) is analyte
    for sex in ("male", "female", None):
        assert limit_factor(analyte.name, sex) * analyte.upper_limit(sex) == pytest.approx(1)


def test_values_come_before_multiples_whatever_the_order():
    names = ["ast_over_uln", "cga_over_uln", "age", "CgA [ug/l]", "cga"]
    assert analyte_columns(names) == {"ast": "ast_over_uln", "cga": "CgA [ug/l]"}
    assert analyte_columns(["CgA", "cga_over_uln"]) == {"cga": "CgA"}
