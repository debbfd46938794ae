"""What the numbers of a comparison say, in plain words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators.metrics._score import factor, main_score, score_title
from prrt_estimators.plotting import model_label


def reading(row: pd.Series) -> str:
    """Say what one row of a summary shows, and what it does not."""
    if row["status"] != "ok":
        return f"No result: {row['status']}."
    low, high = row["auroc_low"], row["auroc_high"]
    if np.isnan(low):
        said = "No interval was calculated."
    elif low > 0.5:
        said = "AUROC interval lies above 0.5: better than chance on these patients."
    elif high < 0.5:
        said = (
            "AUROC interval lies below 0.5: worse than chance, as happens when folds are small or data are mislabelled."
        )
    else:
        said = "AUROC interval includes 0.5: not shown to be better than chance."
    p = row["p_holm"]
    if not np.isnan(p):
        difference = next(row[name] for name in row.index if str(name).endswith("_difference"))
        reference = model_label(row["reference"])
        if p < 0.05:
            said += f" {'Higher' if difference > 0 else 'Lower'} than {reference}."
        else:
            said += f" No difference from {reference} was shown."
    return said


def answer(comparison: Any, summary: pd.DataFrame) -> list[str]:
    """Say in a few sentences what came out."""
    best = comparison.best_model
    if best is None:
        return ["No model has a result."]
    row = summary.loc[best]
    metric = main_score(comparison.metrics)
    title, sign = score_title(metric), factor(metric)
    spread = row[f"{metric}_sd"]
    score = f"{sign * row[f'{metric}_mean']:.2f}" + ("" if np.isnan(spread) else f" ± {spread:.2f}")
    ran = int((summary["status"] == "ok").sum())
    said = [
        f"{model_label(best)} has the {'lowest' if sign < 0 else 'highest'} mean {title} ({score}). It was chosen among {ran} models by the very "
        "scores reported here, so this number flatters it."
        if ran > 1
        else f"{model_label(best)} has a mean {title} of {score}. It is the only model with a result."
    ]
    if not np.isnan(row["auroc_low"]):
        said.append(
            f"Its AUROC over patients is {row['auroc_pooled']:.2f} with a 95 % interval of {row['auroc_low']:.2f} to "
            f"{row['auroc_high']:.2f}."
        )
    unclear = [model_label(str(name)) for name, one in summary.iterrows() if one["auroc_low"] <= 0.5]
    if unclear:
        said.append(f"Not shown to be better than chance: {', '.join(unclear)}.")
    tested = summary["p_holm"].dropna()
    if len(tested):
        reference = model_label(summary["reference"].iloc[0])
        found = [model_label(str(name)) for name in tested.index[tested < 0.05]]
        which = f"these differ: {', '.join(found)}" if found else "none was shown to differ"
        said.append(
            f"Of {len(tested)} models tested against {reference} (corrected for overlapping training sets and for the "
            f"number of models), {which}."
            if len(tested) > 1
            else f"A difference between {model_label(str(tested.index[0]))} and {reference} was {'' if found else 'not '}shown "
            "(corrected for overlapping training sets)."
        )
    return said


def flow(n_analysed: int, n_short: int, n_long: int, excluded: pd.DataFrame | None) -> list[tuple[str, int]]:
    """Steps from the table to the patients compared, with counts."""
    steps = []
    if excluded is not None:
        steps.append(("patients in the table", n_analysed + len(excluded)))
        counts = excluded["reason"].value_counts(sort=False)
        steps += [(f"left out: {reason}", int(count)) for reason, count in counts.items()]
    return [*steps, ("patients compared", n_analysed), ("with short PFS", n_short), ("with long PFS", n_long)]


def limits(comparison: Any) -> list[str]:
    """Say what the comparison cannot tell."""
    run = comparison.run
    repeats = run["cv"]["n_repeats"]
    said = [
        f"{len(comparison.survival)} patients are few: intervals are wide, and differences that matter can go unseen.",
        "Every number comes from cross-validation inside one cohort. How a model does on patients of another centre, "
        "scanner or time is not known.",
        "Probabilities of models from different folds are not on one scale, so the AUROC over patients can differ from "
        "the mean over folds; both are given.",
        "Intervals carry the luck of the patients tested, not that of training.",
    ]
    if repeats > 1:
        said.insert(
            1,
            "The standard deviation over repeats tells how much the split matters. It is no confidence interval and "
            "much smaller than one.",
        )
    else:
        said.insert(1, "There is one repeat, so nothing is known about the luck of the split.")
    if run["data"]["weighted"]:
        said.append(
            "Patients are weighted. Scores are weighted too; intervals over patients and curves are not calculated or "
            "count every patient alike."
        )
    said += [text.partition(": ")[2] or text for text in run.get("warnings", [])]
    said.append("This is research software: not for decisions about patients.")
    return said
