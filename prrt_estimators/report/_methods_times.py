"""The paragraph of methods of a comparison of times to progression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prrt_estimators.plotting import model_label
from prrt_estimators.report._methods import Citations, divisions, follow_up, intervals, of_deaths, primary, software

#: What a score is called in the paragraph, with its references; those of one aspect stand together.
_MEASURES: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "Discrimination": (
        (
            "uno_c",
            "Uno's C {} of progressions up to the time at which a fifth of the training patients would still be followed",
            ("uno",),
        ),
        ("harrell_c", "Harrell's C {}", ("harrell",)),
        ("auc_horizon", "the cumulative/dynamic AUC at {horizon} {}", ("auc_over_time",)),
    ),
    "Accuracy": (
        ("neg_brier_horizon", "the Brier score at {horizon} {}", ("graf",)),
        ("neg_integrated_brier", "the integrated Brier score {}", ("graf",)),
    ),
    "Calibration": (
        (
            "neg_calibration_horizon",
            "the distance of the mean prediction from the Kaplan-Meier estimate at {horizon}",
            (),
        ),
        ("neg_d_calibration", "D-calibration {}", ("haider",)),
        ("neg_restricted_mean", "the error of the mean months free of progression up to {horizon}", ()),
    ),
}


def methods_of_times(
    comparison: Any, horizon: float, reference: str, followup: Any = None, everybody: Any = None
) -> tuple[str, list[str]]:
    """Return the paragraph, its references numbered in the order of mention, and these references.

    Parameters
    ----------
    comparison : ModelComparison
    horizon : float
        Months at which scores of one moment were taken.
    reference : str
        Model that the others were tested against; "" for none.
    followup : FollowUp, default=None
        From `reverse_kaplan_meier`.
    everybody : structured array with ``event`` and ``time``, default=None
        Of whom; with causes, the paragraph states what becomes of deaths without progression.
    """
    run, cite = comparison.run, Citations()
    data = run["data"]
    event = comparison.kind.outcomes(data, everybody)[0][0]
    months = f"{horizon:g} months"
    texts = [
        f"The outcome was the time to progression in months ({data['n_patients']} patients, {data['n_events']} {event}); the others were "
        "censored and count for as long as they were followed. ",
        *of_deaths(comparison, everybody),
        divisions(comparison, f"progression up to {months}", cite),
    ]
    own = comparison.kind.name
    others = [
        model_label(str(name))
        for name, entry in run["models"].items()
        if entry.get("learnt_from", own) not in ("", own)
    ]
    if others:
        texts.append(
            f"{_listed(others)} learnt the class at {months} from the patients whose class is known, the other models times. "
        )
    for aspect, measures in _MEASURES.items():
        said = [
            text.format(cite(*names) if names else "", horizon=months)
            for name, text, names in measures
            if name in comparison.metrics
        ]
        if said:
            texts.append(f"{aspect} was measured by {_listed(said)}. ")
    texts += [
        "Scores are means over test folds; censoring was weighted as among the training patients of each fold. ",
        intervals(comparison, cite),
        primary(comparison, reference),
        "Groups of risk were divided at the thirds of the training patients of each fold. ",
        follow_up(followup, cite),
        software(comparison, cite),
    ]
    return "".join(texts), cite.listed()


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
