"""Sentences of the report, each worked by hand from the numbers that it tells."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd

from prrt_estimators.evaluation._censoring import FollowUp
from prrt_estimators.report._conclusions import flow, follow_up_in_words, limits, primary_in_words, reading
from prrt_estimators.report._flow_picture import flow_picture
from prrt_estimators.report._parts import failure_text


def primary(**changes):
    told = {
        "model": "lab", "reference": "pet", "score": "auroc", "difference": 0.054, "low": -0.021, "high": 0.129,
        "pvalue": 0.1234, "power": 0.637,
    }  # fmt: skip
    return SimpleNamespace(**(told | changes))


def test_the_primary_comparison():
    assert primary_in_words(primary()) == (
        "Primary comparison, Labs against PET: difference of AUROC +0.05, 95 % interval -0.02 to +0.13, p = 0.123: no "
        "difference was shown. A true difference of 0.10 would be found here with a probability of 64 %."
    )
    assert ", p < 0.001: a difference was shown." in primary_in_words(primary(pvalue=0.0004))
    assert ", p = 0.050: no difference was shown." in primary_in_words(primary(pvalue=0.05))
    assert "not calculated, as a model has no result" in primary_in_words(primary(pvalue=np.nan))
    # A loss is told as it is known, less is better: sign and ends change places.
    loss = primary_in_words(primary(score="neg_brier", difference=0.02, low=-0.01, high=0.05))
    assert "-0.02, 95 % interval -0.05 to +0.01" in loss


def row(**changes):
    told = {
        "status": "ok", "auroc_mean": 0.7, "auroc_low": 0.6, "auroc_high": 0.8, "auroc_chance": 0.5, "p_chance_holm": 0.001,
        "p_holm": np.nan, "auroc_difference": np.nan, "reference": "lab",
    }  # fmt: skip
    return pd.Series(told | changes)


def test_what_a_row_of_the_summary_shows():
    assert reading(row(status="failed")) == "No result: failed."
    assert reading(row()).startswith("AUROC interval lies above 0.5")
    assert reading(row(auroc_low=0.4)).startswith("AUROC interval includes 0.5")
    assert reading(row(auroc_low=0.2, auroc_high=0.4)).startswith("AUROC interval lies below 0.5")
    assert reading(row(auroc_low=np.nan)) == "No interval was calculated."
    assert reading(row(p_holm=0.01, auroc_difference=0.1)).endswith(" Higher than Labs.")
    assert reading(row(p_holm=0.01, auroc_difference=-0.1)).endswith(" Lower than Labs.")
    assert reading(row(p_holm=0.05, auroc_difference=0.1)).endswith(" No difference from Labs was shown.")


def test_follow_up():
    assert follow_up_in_words(None) == ""
    assert follow_up_in_words(FollowUp(21.04, 18.0, np.inf, 80, 33)) == (
        "Median follow-up by reverse Kaplan-Meier is 21.0 months (95 % interval 18.0 to not reached); 33 of 80 patients progressed."
    )
    assert follow_up_in_words(FollowUp(np.inf, np.nan, np.nan, 80, 80)) == (
        "All 80 patients were followed until they progressed: nobody was censored."
    )
    assert follow_up_in_words(FollowUp(np.inf, 18.0, np.inf, 80, 33)).endswith(
        "is not reached; 33 of 80 patients progressed."
    )


def comparison(repeats=2, weighted=False, warnings=(), n=41):
    run = {
        "cv": {"n_repeats": repeats, "n_splits": 3 * repeats},
        "data": {"weighted": weighted},
        "warnings": list(warnings),
    }
    return SimpleNamespace(run=run, survival=pd.DataFrame({"patient_id": range(n)}), gives_probabilities=True)


def test_limits():
    several = limits(comparison())
    assert several[0].startswith("41 patients are few")
    assert several[1].startswith("The standard deviation over repeats")
    assert several[-1] == "This is research software: not for decisions about patients."
    once = limits(comparison(repeats=1))
    assert once[1] == "There is one repeat, so the variation due to the splits is not known."
    assert [*several[:1], *several[2:]] == [*once[:1], *once[2:]]
    told = limits(comparison(weighted=True, warnings=["PET of P3 is cut."]))
    assert [text for text in told if text not in several] == [
        "Patients are weighted, and so are scores, calibration, subgroups and their intervals. Curves, thresholds and what follows "
        "from them (sensitivity to NPV) count every patient alike.",
        "PET of P3 is cut.",
    ]  # fmt: skip
    assert told[-1] == several[-1]
    assert several[1:] == limits(comparison(n=500)), "five hundred patients are not called few"


def test_the_picture_of_the_flow_holds_every_step_and_every_box_lies_within_it():
    excluded = pd.DataFrame({"reason": ["censored early", "no scan & no <labs>", "censored early"]})
    steps = flow(10, [("with short PFS", 4), ("with long PFS", 6)], excluded)
    picture = flow_picture(steps)
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", picture)
    shown = " ".join(texts)
    assert "patients in the table: 13" in shown
    assert "2 left out: censored early" in shown
    assert "1 left out: no scan &amp; no &lt;labs&gt;" in shown
    assert shown.index("patients in the table") < shown.index("patients compared: 10")
    width, height = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', picture).groups())
    boxes = [
        tuple(map(float, one)) for one in re.findall(r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', picture)
    ]
    assert len(boxes) == 5
    long_name = flow_picture(flow(10, [("with progression seen and more", 4), ("with censored time", 6)], None))
    tall = float(re.search(r'viewBox="0 0 \d+ (\d+)"', long_name)[1])
    every = re.findall(r'<rect x="\d+" y="(\d+)" width="\d+" height="(\d+)"', long_name)
    assert all(float(y) + float(high) <= tall for y, high in every)
    plain = flow_picture([("patients compared", 9), ("with one", 2), ("with two", 3), ("with three", 4)])
    ends = re.findall(r'<line x1="(\d+)" y1="(\d+)" x2="(\d+)" y2="(\d+)"', plain)
    rects = re.findall(r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', plain)
    whole, *groups = [tuple(map(float, one)) for one in rects]
    for (x1, y1, x2, y2), (x, y, wide, _) in zip([tuple(map(float, one)) for one in ends], groups, strict=True):
        assert whole[0] <= x1 <= whole[0] + whole[2]
        assert y1 == whole[1] + whole[3]
        assert (x2, y2) == (x + wide / 2, y)
    for x, y, wide, high in boxes:
        assert 0 <= x < x + wide <= width
        assert 0 <= y < y + high <= height
    for k, (x, y, wide, high) in enumerate(boxes):
        for x2, y2, wide2, high2 in boxes[k + 1 :]:
            assert x + wide <= x2 or x2 + wide2 <= x or y + high <= y2 or y2 + high2 <= y, "two boxes lie on each other"
    lines = re.findall(r'<line x1="(\d+)" y1="(\d+)" x2="(\d+)" y2="(\d+)"/><polygon points="([^"]*)"', picture)
    assert len(lines) == 4
    for x1, y1, x2, y2, points in lines:
        assert points.split()[-1] == f"{x2},{y2}"  # the tip
        other = points.split()[0]
        assert other == (f"{int(x2) - 4},{int(y2) - 7}" if x1 == x2 else f"{int(x2) - 7},{int(y2) - 4}")
        assert (x1 == x2) != (y1 == y2)


def test_failures_begin_with_the_patient_who_was_predicted_worst():
    predictions = pd.DataFrame(
        {
            "model": "lab", "repeat": [0, 0, 0, 1, 1, 1], "patient_id": ["a", "b", "c"] * 2,
            "y_score": [0.1, 0.2, 0.6, 0.3, 0.4, 0.8],
        }
    )  # fmt: skip
    survival = pd.DataFrame(
        {"patient_id": ["a", "b", "c"], "y_true": [1, 0, 1], "time": [30.0, 4.0, 15.04], "event": [False, True, True]}
    )
    found = failure_text(SimpleNamespace(predictions=predictions, survival=survival), "lab", 2)
    assert found["patient"].tolist() == ["a", "b"] or found["patient"].tolist() == ["a", "c"]
    first = found.iloc[0]
    assert (first["PFS"], first["probability of long PFS"], first["months"]) == ("long", "0.20", "30.0 +")
    assert first["least to greatest over repeats"] == "0.10 to 0.30"
    assert (
        len(failure_text(SimpleNamespace(predictions=predictions, survival=survival.iloc[:, :2]), "lab").columns) == 4
    )
    once = failure_text(SimpleNamespace(predictions=predictions[:3], survival=survival), "lab")
    assert list(once) == ["patient", "PFS", "probability of long PFS", "months"], "one repeat has no least and greatest"
