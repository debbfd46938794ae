"""How well a model did in a comparison, for its card."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from prrt_estimators._chance_verdict import chance_verdict, main_of_row
from prrt_estimators._former_parameters import former_parameters
from prrt_estimators.cohort import Cohort
from prrt_estimators.metrics._score import chance_at, factor, score_title
from prrt_estimators.persistence._small_cells import MIN_CELL

#: Parameters that change where or how fast a model is fitted, not what it is.
_WITHOUT_EFFECT = frozenset({"cache_dir", "device", "n_jobs", "verbose", "precision", "random_state"})


def check_compared(estimator: Any, comparison: Any, model: str | None) -> str:
    """Return the name of an estimator's row in a comparison, after checking that it is the same model.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.
    comparison : ModelComparison
    model : str or None

    Raises
    ------
    ValueError
        If the comparison does not hold the model, or had it with other settings.
    """
    names = [str(name) for name in comparison.status["model"]]
    if model is None and len(names) == 1:
        model = names[0]
    if model not in names:
        raise ValueError(
            f"`model` must be one of {', '.join(names)}, the models of the comparison; got {model!r}. Run the comparison "
            "with this model, or leave `comparison` out."
        )
    entry = comparison.run["models"][model]
    if "class" not in entry:  # skipped
        return model
    kind = str(entry["class"]).rpartition(".")[2]
    if kind != type(estimator).__name__:
        raise ValueError(f"{model} of the comparison is a {kind}, but this model is a {type(estimator).__name__}.")
    params = estimator.get_params(deep=False)
    # A run of before has the parameters by the names of then.
    differing = _other_settings(former_parameters(params) | params, entry.get("parameters", {}))
    if differing:
        raise ValueError(
            f"{model} was compared with other settings ({', '.join(differing)}), so its scores are not this model's. "
            "Fit with the same settings, or run the comparison with these."
        )
    return model


def describe_performance(estimator: Any, comparison: Any, model: str | None, X: Any = None) -> list[str] | None:
    """Return lines of Markdown on how a model did; None if no comparison is given.

    Raises
    ------
    ValueError
        As `check_compared`.
    """
    if comparison is None:
        return None
    name = check_compared(estimator, comparison, model)
    row = comparison.summary().loc[name]
    if row["status"] != "ok":
        return [f"Not evaluated: in the comparison this model was {row['status']}."]
    n, cv = int(row["n_patients"]), comparison.run["cv"]
    splits = cv["n_splits"] // cv["n_repeats"]
    repeats = "the one repeat" if cv["n_repeats"] == 1 else f"each of {cv['n_repeats']} repeats"
    lines = [
        f"From a comparison in which {splits} models with these settings were fitted in {repeats} "
        f"of cross-validation on {n} patients, each patient being predicted by models that never saw them. This model "
        f"itself was not tested: it was fitted on everyone. {_same_patients(comparison, X)}",
        "",
        "| score | mean over repeats | SD over repeats | chance |",
        "|---|---|---|---|",
    ]
    hidden = _classes_hidden(comparison)
    for metric in (str(column).removesuffix("_mean") for column in row.index if str(column).endswith("_mean")):
        lines.append(_score(metric, row, hidden))
    return [*lines, "", *(f"- {text}" for text in _intervals(row))]


def _score(metric: str, row: Any, hidden: bool) -> str:
    chance = ""
    if f"{metric}_chance" in row.index:
        # The share of a class and the number of patients give the count of that class.
        secret = hidden and metric not in chance_at([metric], None)
        chance = "not shown" if secret else f"{factor(metric) * row[f'{metric}_chance']:.2f}"
    spread = row[f"{metric}_sd"]
    mean = factor(metric) * row[f"{metric}_mean"]
    texts = [score_title(metric), f"{mean:.3f}", "" if math.isnan(spread) else f"{spread:.3f}"]
    return f"| {' | '.join([*texts, chance])} |"


def _intervals(row: Any) -> list[str]:
    metric = main_of_row(row) or "auroc"
    title, sign = score_title(metric), factor(metric)
    said = {
        "better": "better than chance",
        "worse": "worse than chance",
        "unclear": "not shown to be better than chance",
        "unknown": "not tested against chance",
    }[chance_verdict(row)]
    low, high = sorted(sign * row[f"{metric}_{end}"] for end in ("low", "high"))
    if math.isnan(low):
        lines = [f"No interval was calculated: {said}."]
    else:
        lines = [
            f"{title} to be expected of such a model: {sign * row[f'{metric}_mean']:.2f} with a 95 % interval, corrected for "
            f"overlapping training sets, of {low:.2f} to {high:.2f}: {said} (adjusted for the number of models)."
        ]
    p = row["p_holm"]
    if not math.isnan(p):
        apart = sorted(sign * row[f"{metric}_difference_{end}"] for end in ("low", "high"))
        lines.append(
            f"Mean difference of {title} from {row['reference']}: {sign * row[f'{metric}_difference']:+.3f} with a 95 % interval "
            f"of {apart[0]:.3f} to {apart[1]:.3f} (p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}, adjusted for the number of "
            "models)."
        )
    lines.append("The SD over repeats shows the variation due to the splits; it is not a confidence interval.")
    return lines


def _same_patients(comparison: Any, X: Any) -> str:
    if not isinstance(X, Cohort):
        return "Whether these are the patients that it was fitted on is not known here."
    same = set(comparison.survival["patient_id"].astype(str)) == {str(one) for one in X.ids}
    return "The patients are those that it was fitted on." if same else "It was fitted on other patients than these."


def _classes_hidden(comparison: Any) -> bool:
    counts = comparison.kind.counts_of(comparison.survival)
    return bool(((counts > 0) & (counts < MIN_CELL)).any())


def _other_settings(params: Mapping[str, Any], compared: Mapping[str, str]) -> list[str]:
    """Return settings of plain data that differ from the texts that run.json keeps."""
    differing = []
    for name in sorted(set(params) & set(compared) - _WITHOUT_EFFECT):
        here = _text(params[name])
        if here is not None and here != compared[name]:
            differing.append(f"{name} {compared[name]} there, {here} here")
    return differing


def _text(value: Any) -> str | None:
    """Return plain data as run.json spells it; None for anything else, and for paths, which it keeps otherwise."""
    if isinstance(value, tuple):
        inside = [_text(item) for item in value]
        return None if None in inside else f"({', '.join(str(item) for item in inside)})"
    if isinstance(value, str) and (os.sep in value or "." in value):
        return None
    return repr(value) if value is None or isinstance(value, (bool, int, float, str)) else None
