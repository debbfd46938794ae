"""What the numbers of a comparison say, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._chance_verdict import chance_verdict, main_of_row
from prrt_estimators._survival import CAUSES, aalen_johansen, has_causes
from prrt_estimators.metrics._score import direction, factor, main_score, score_title
from prrt_estimators.plotting import model_label

#: Patients from which on a cohort is not called small; most sample sizes by Riley's criteria are of this order.
_FEW = 500


def reading(row: pd.Series) -> str:
    """Say what one row of a summary shows, and what it does not."""
    if row["status"] != "ok":
        return f"No result: {row['status']}."
    main = main_of_row(row) or "auroc"
    said = _against_chance(row, main)
    p = row["p_holm"]
    if not np.isnan(p):
        difference = direction(main) * row[f"{main}_difference"]
        reference = model_label(row["reference"])
        if p < 0.05:
            said += f" {'Higher' if difference > 0 else 'Lower'} than {reference}."
        else:
            said += f" No difference from {reference} was shown."
    return said


def _against_chance(row: pd.Series, metric: str) -> str:
    title, sign = score_title(metric), factor(metric)
    low, high = sorted(sign * row[f"{metric}_{end}"] for end in ("low", "high"))
    if np.isnan(low):
        return "No interval was calculated."
    chance = sign * row.get(f"{metric}_chance", 0.5)
    where = "lies above" if low > chance else "lies below" if high < chance else "includes"
    said = {
        "better": "better than chance",
        "worse": "worse than chance, as happens when folds are small or data are mislabelled",
        "unclear": "not shown to be better than chance",
        "unknown": "not tested against chance",
    }
    verdict = chance_verdict(row)
    many = ", but among so many models that is not enough" if verdict == "unclear" and where != "includes" else ""
    return f"{title} interval {where} {f'{chance:.2f}'.rstrip('0')}{many}: {said[verdict]}."


def primary_in_words(test: Any) -> str:
    """Say what the comparison that was named before the run shows, and what it could have shown."""
    one, other, title = model_label(test.model), model_label(test.reference), score_title(test.score)
    if np.isnan(test.pvalue):
        return f"Primary comparison, {one} against {other}: not calculated, as a model has no result."
    sign = factor(test.score)
    low, high = sorted((sign * test.low, sign * test.high))
    p = "< 0.001" if test.pvalue < 0.001 else f"= {test.pvalue:.3f}"
    shown = "a difference was shown" if test.pvalue < 0.05 else "no difference was shown"
    return (
        f"Primary comparison, {one} against {other}: difference of {title} {sign * test.difference:+.2f}, 95 % interval "
        f"{low:+.2f} to {high:+.2f}, p {p}: {shown}. A true difference of 0.10 would be found here with a probability of "
        f"{100 * test.power:.0f} %."
    )


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
    low, high = sorted(sign * row[f"{metric}_{end}"] for end in ("low", "high"))
    if not np.isnan(low):
        share = comparison.run["cv"]["n_splits"] // comparison.run["cv"]["n_repeats"]
        said.append(
            f"The 95 % interval of {'' if title.endswith(' C') else 'the '}{title} to be expected of it, trained on {share - 1} of {share} parts of such a cohort, "
            f"is {low:.2f} to {high:.2f}."
            if share > 1
            else f"The 95 % interval of its {title} is {low:.2f} to {high:.2f}."
        )
    verdicts = {
        model_label(str(name)): chance_verdict(one) for name, one in summary.iterrows() if one["status"] == "ok"
    }
    better = [name for name, verdict in verdicts.items() if verdict == "better"]
    unclear = [name for name, verdict in verdicts.items() if verdict in ("unclear", "worse")]
    corrected = " (corrected for the number of models)" if len(verdicts) > 1 else ""
    if better:
        said.append(f"Shown to be better than chance{corrected}: {'; '.join(better)}.")
    if unclear:
        said.append(f"Not shown to be better than chance{corrected}: {'; '.join(unclear)}.")
    if comparison.primary is not None:
        late = comparison.run["primary"]["named"] == "after"
        note = " It was named after folds had been finished." if late else ""
        said.append(primary_in_words(comparison.primary_test()) + note)
    tested = summary["p_holm"].dropna()
    if comparison.primary is not None:  # it was tested alone, above
        one, other = comparison.primary
        tested = tested.drop([one] if other == summary["reference"].iloc[0] else [], errors="ignore")
    others = "other " if comparison.primary is not None else ""
    if len(tested):
        reference = model_label(summary["reference"].iloc[0])
        found = [model_label(str(name)) for name in tested.index[tested < 0.05]]
        which = f"these differ: {'; '.join(found)}" if found else "none was shown to differ"
        said.append(
            f"Of {len(tested)} {others}models tested against {reference} (corrected for overlapping training sets and for the "
            f"number of models), {which}."
            if len(tested) > 1
            else f"A difference between {model_label(str(tested.index[0]))} and {reference} was {'' if found else 'not '}shown "
            "(corrected for overlapping training sets)."
        )
    return said


def follow_up_in_words(found: Any, ended: str = "progressed") -> str:
    """Say how long the patients were followed; "" without times. `ended` is what an event is, "progressed or died" where known."""
    if found is None:
        return ""
    if found.n_events == found.n:
        return f"All {found.n} patients were followed until they {ended}: nobody was censored."
    if not np.isfinite(found.median):
        return (
            f"Median follow-up by reverse Kaplan-Meier is not reached; {found.n_events} of {found.n} patients {ended}."
        )
    ends = " to ".join(f"{one:.1f}" if np.isfinite(one) else "not reached" for one in (found.low, found.high))
    return (
        f"Median follow-up by reverse Kaplan-Meier is {found.median:.1f} months (95 % interval {ends}); {found.n_events} of {found.n} "
        f"patients {ended}."
    )


def causes_in_words(comparison: Any, followup: Any, horizon: float) -> list[str]:
    """Say how often patients died without progression, and what models learn of them."""
    if followup is None or not has_causes(followup):
        return comparison.kind.without_causes()
    shares = []
    for code, name in enumerate(CAUSES[1:], start=1):
        at = aalen_johansen(followup["time"], followup["cause"], code).at(horizon)
        value, low, high = (100 * share for share in at)
        shares.append(f"{name} {value:.0f} % ({low:.0f} to {high:.0f})")
    died = int((followup["cause"] == 2).sum())
    return [
        f"{died} of {len(followup)} patients died without progression. Cumulative incidence at {horizon:g} months by "
        f"Aalen-Johansen, with 95 % interval: {', '.join(shares)}.",
        *comparison.kind.with_causes(comparison.survival, followup),
    ]


def flow(
    n_analysed: int,
    outcomes: Sequence[tuple[str, int]],
    excluded: pd.DataFrame | None,
    corrected: tuple[int, int] | None = None,
) -> list[tuple[str, int | str]]:
    """Steps from the table to the patients compared, with counts, and how many had their lesions corrected by hand."""
    steps: list[tuple[str, int | str]] = []
    if excluded is not None:
        steps.append(("patients in the table", n_analysed + len(excluded)))
        counts = excluded["reason"].value_counts(sort=False)
        steps += [(f"left out: {reason}", int(count)) for reason, count in counts.items()]
    steps += [("patients compared", n_analysed), *outcomes]
    if corrected is not None and corrected[1]:
        steps.append(("lesions corrected by hand", f"{corrected[0]} of {corrected[1]} patients with a mask"))
    return steps


def limits(comparison: Any) -> list[str]:
    """Say what the comparison cannot tell."""
    run = comparison.run
    repeats = run["cv"]["n_repeats"]
    n = len(comparison.survival)
    few = f"{n} patients are few: intervals are wide, and differences that matter can go unseen."
    said = [few] if n < _FEW else []
    if repeats > 1:
        said.append(
            "The standard deviation over repeats tells how much the split matters. It is not a confidence interval and "
            "much smaller than one."
        )
    else:
        said.append("There is one repeat, so the variation due to the splits is not known.")
    said += [
        "Every number comes from cross-validation inside one cohort. How a model does on patients of another centre, "
        "scanner or time is not known.",
        "Intervals are those of the expected score of a model trained on the training share of such a cohort. They are "
        "widened for training sets that overlap, by a factor from a simulation, and are wide for models that change much "
        "from fold to fold.",
    ]
    if comparison.gives_probabilities:
        said.append(
            "Scores of probabilities pooled over folds or averaged over repeats are in summary.csv; models of different folds "
            "are not on one scale, so they are other quantities."
        )
    if run["data"]["weighted"]:
        said.append(
            "Patients are weighted, and so are scores, calibration, subgroups and their intervals. Curves, thresholds and what follows from them (sensitivity to NPV) count every patient alike."
        )
    said += run.get("warnings", [])
    said.append("This is research software: not for decisions about patients.")
    return said
