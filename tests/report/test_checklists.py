"""The items of the reporting guidelines: all of them, in order, each answered by a section that the page can have."""

from __future__ import annotations

import re

import pytest

from prrt_estimators.report._checklists import (
    AUTHOR,
    CLAIM,
    CLAIM_OF_TIMES,
    TRIPOD_AI,
    TRIPOD_AI_OF_TIMES,
    Item,
    rows,
    with_others,
)
from prrt_estimators.report._report import SECTIONS

#: As in the publications.
NUMBERS = {
    "TRIPOD+AI": [
        "1",
        "2",
        "3a",
        "3b",
        "3c",
        "4",
        "5a",
        "5b",
        "6a",
        "6b",
        "6c",
        "7",
        "8a",
        "8b",
        "8c",
        "9a",
        "9b",
        "9c",
        "10",
        "11",
        "12a",
        "12b",
        "12c",
        "12d",
        "12e",
        "12f",
        "12g",
        "13",
        "14",
        "15",
        "16",
        "17",
        "18a",
        "18b",
        "18c",
        "18d",
        "18e",
        "18f",
        "19",
        "20a",
        "20b",
        "20c",
        "21",
        "22",
        "23a",
        "23b",
        "24",
        "25",
        "26",
        "27a",
        "27b",
        "27c",
    ],
    "CLAIM 2024": [str(number) for number in range(1, 45)],
}
ITEMS = {
    "TRIPOD+AI": TRIPOD_AI,
    "CLAIM 2024": CLAIM,
    "TRIPOD+AI of times": with_others(TRIPOD_AI, TRIPOD_AI_OF_TIMES),
    "CLAIM 2024 of times": with_others(CLAIM, CLAIM_OF_TIMES),
}


@pytest.mark.parametrize("name", ITEMS)
def test_every_item_is_there_once_in_order(name):
    assert [one.number for one in ITEMS[name]] == NUMBERS[name.removesuffix(" of times")]


@pytest.mark.parametrize("name", ITEMS)
def test_fields_hold_what_they_are_named_for(name):
    for one in ITEMS[name]:
        assert re.match(r"[A-Z]\w+", one.what), one
        assert one.anchor in {"", *SECTIONS}, one
        assert one.note not in SECTIONS, one
        assert one.anchor or one.note, f"neither a section nor a reason: {one}"
    texts = [one.what for one in ITEMS[name]]
    assert len(set(texts)) == len(texts)


def test_items_point_to_sections_of_this_run_only():
    items = (Item("1", "Title", note="say so"), Item("2", "Patients", "patients", "who"), Item("3", "Limits", "limits"))
    found = rows(items, {"patients"})
    assert [one["number"] for one in found] == ["1", "2", "3"]
    assert [one["where"] for one in found] == [AUTHOR, "patients", AUTHOR]
    assert [one["anchor"] for one in found] == ["", "patients", ""]
    assert [one["note"] for one in found] == ["say so", "who", "not part of this run"]


@pytest.mark.parametrize(
    ("name", "number", "anchor"),
    [
        ("TRIPOD+AI", "6b", "patients"), ("TRIPOD+AI", "7", "columns"), ("TRIPOD+AI", "8a", "question"),
        ("TRIPOD+AI", "9a", "columns"), ("CLAIM 2024", "28", "results"), ("CLAIM 2024", "36", "table1"),
        ("CLAIM 2024", "39", "failures"), ("CLAIM 2024", "40", "limits"),
    ],
)  # fmt: skip
def test_where_an_item_is_answered(name, number, anchor):
    (row,) = (one for one in rows(ITEMS[name], set(SECTIONS)) if one["number"] == number)
    assert row["where"] == row["anchor"] == anchor


@pytest.mark.parametrize(("plain", "others"), [(TRIPOD_AI, TRIPOD_AI_OF_TIMES), (CLAIM, CLAIM_OF_TIMES)])
def test_items_of_times_ask_for_the_same(plain, others):
    what = {one.number: one.what for one in plain}
    assert all(what[one.number] == one.what for one in others)
    found = with_others(plain, others)
    of_classes = {"size", "decision", "inputs", "table1", "failures", "censoring"}
    assert of_classes.isdisjoint(one.anchor for one in found), "sections that a comparison of times does not have"
    for wrong in ("by class;", "probability of long", "class weights"):
        assert wrong not in " ".join(one.note for one in found), wrong
