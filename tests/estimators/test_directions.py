"""The table of published directions."""

from __future__ import annotations

import pytest

from prrt_estimators._analytes import find_analyte
from prrt_estimators.estimators import published_directions
from prrt_estimators.estimators._directions import match_directions, read_tracer


def used(*columns, tracer=None, prior="published"):
    return dict(match_directions(columns, prior, tracer)[["column", "direction"]].itertuples(index=False))


def test_every_direction_has_its_source_and_one_meaning():
    table = published_directions()
    assert table["direction"].isin([-1, 1]).all()
    assert not table["variable"].duplicated().any()
    assert (table[["effect", "source"]].map(len) > 5).all().all()
    assert table["source"].str.contains(r"(?:19|20)\d\d").all()
    assert set(table["tracer"]) <= {"any", "sstr", "fdg"}
    assert set(table["endpoint"]) <= {"PFS", "OS", "response"}


def test_columns_are_found_by_name_words_analyte_and_block():
    found = used("CgA [ug/L]", "labs__panel_kidney", "Ki-67 (%)", "Albumin", "serum NSE", "age")
    assert found == {"CgA [ug/L]": -1, "labs__panel_kidney": -1, "Ki-67 (%)": -1, "Albumin": 1, "serum NSE": -1}


def test_uptake_is_good_for_somatostatin_receptors_and_off_where_the_tracer_is_unknown():
    columns = ("log_peak_mean", "log_avid_volume", "muscle_hu")
    assert used(*columns, tracer="64Cu-DOTATATE") == {"log_peak_mean": 1, "log_avid_volume": -1, "muscle_hu": 1}
    assert used(*columns) == {"muscle_hu": 1}
    assert used(*columns, tracer="FDG") == {"log_peak_mean": -1, "muscle_hu": 1}


def test_edited_table_is_used_as_it_is():
    table = published_directions()
    table.loc[table["variable"] == "cga", "direction"] = 0
    table.loc[table["variable"] == "nse", "direction"] = 1
    assert used("CgA", "NSE", "GGT", prior=table) == {"NSE": 1, "GGT": -1}


def test_analytes_of_the_table_are_analytes():
    units = published_directions().set_index("variable")["unit"]
    for name in ("cga", "ggt", "ast", "ldh", "albumin", "crp", "creatinine", "nse"):
        assert find_analyte(name).unit == units[name]


def test_tracer_that_is_not_known_is_refused():
    assert read_tracer("[18F]DOPA") == "fdopa"
    with pytest.raises(ValueError, match="tracer"):
        read_tracer("choline")
