"""Tables of the page beyond the scores, as texts, each made once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators.evaluation import (
    calibration_table,
    censoring_sensitivity,
    decision_table,
    prediction_stability,
    r2_of_auroc,
    riley_sample_size,
    subgroup_table,
)
from prrt_estimators.exceptions import ResultsWarning
from prrt_estimators.metrics._score import factor, main_score, score_title
from prrt_estimators.plotting import model_label

#: Draws for the intervals of calibration: the page of ten models must not take minutes.
_DRAWS = 100
_CALIBRATION = {"intercept": "intercept", "slope": "slope", "ici": "ICI", "scaled_brier": "scaled Brier"}
_DECISION = {"sensitivity": "sensitivity", "specificity": "specificity", "ppv": "PPV", "npv": "NPV"}

#: Tables of the page by name, with the titles that files of tables give them.
TABLES = {
    "calibration": "Calibration", "decision": "Decisions", "differences": "Differences between models",
    "subgroups": "Subgroups", "centres": "By centre, learnt from the others", "inputs": "Missing values and scan characteristics by class",
    "censoring": "Sensitivity to early censoring", "failures": "Where predictions failed",
}  # fmt: skip


def page_tables(
    comparison: Any,
    summary: pd.DataFrame,
    shown: list[str],
    *,
    followup: Any,
    horizon: float,
    inputs: Any,
    subgroups: Any,
    centres: Any,
) -> dict[str, pd.DataFrame]:
    """Return the tables that these data allow, by name."""
    tables: dict[str, pd.DataFrame | None] = {}
    ran = not comparison.scores.empty
    if ran and set(comparison.predictions["kind"]) == {"p_long"}:
        tables["calibration"], tables["decision"] = calibration_text(comparison), decision_text(comparison)
        tables["failures"] = failure_text(comparison, shown[0]) if shown else None
        if subgroups is not None and len(subgroups) and shown:
            tables["subgroups"] = subgroup_text(comparison, subgroups, shown[:2])
        tables["censoring"] = censoring_text(comparison, followup, horizon)
    if ran and comparison.metrics:
        tables["differences"] = difference_text(summary, comparison.metrics)
    if centres is not None:
        tables["centres"] = centre_text(centres)
    if inputs is not None and len(inputs):
        tables["inputs"] = input_text(inputs)
    return {name: table for name, table in tables.items() if table is not None and len(table)}


def shown_models(comparison: Any) -> list[str]:
    """Return the models that figures and subgroups show: the primary pair, the best, labs, all modalities; at most four."""
    ran = list(dict.fromkeys(comparison.scores["model"]))
    named = [*(comparison.primary or ()), comparison.best_model, "lab", "pet_ct_lab", "baseline_lab"]
    return [str(name) for name in dict.fromkeys(named) if name in ran][:4]


def calibration_text(comparison: Any) -> pd.DataFrame:
    """Intercept, slope, ICI and scaled Brier score of every model."""
    return _wide(calibration_table(comparison, n_boot=_DRAWS), _CALIBRATION)


def decision_text(comparison: Any) -> pd.DataFrame:
    """Sensitivity, specificity and predictive values of every model, and the mean threshold."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResultsWarning)
        found = decision_table(comparison)
    table = _wide(found, _DECISION)
    cuts = found.drop_duplicates("model")["threshold"]
    table.insert(1, "threshold (mean)", [number(one) for one in cuts])
    return table


def _wide(found: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    rows = []
    for model, own in found.groupby("model", sort=False):
        cells: Any = own.set_index("score")
        row = {"model": model_label(str(model))}
        for name, title in names.items():
            row[title] = with_interval(*(float(cells.loc[name, key]) for key in ("mean", "low", "high")))
        rows.append(row)
    return pd.DataFrame(rows)


def difference_text(summary: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """Differences from the reference for every score, with corrected intervals."""
    main = main_score(metrics)
    known = summary[summary[f"{main}_difference"].notna()]
    rows = []
    for name, row in known.iterrows():
        cells = {"model": model_label(str(name))}
        for metric in metrics:
            sign = factor(metric)
            low, high = sorted(sign * row[f"{metric}_difference_{end}"] for end in ("low", "high"))
            cells[score_title(metric)] = with_interval(sign * row[f"{metric}_difference"], low, high, plus=True)
        cells["p"] = p_text(float(row["p_value"]))
        cells["p (Holm)"] = p_text(float(row["p_holm"]))
        rows.append(cells)
    table = pd.DataFrame(rows)
    # The reference may have no score of some kind, so that nothing can be told from it.
    return table.loc[:, (table != "").any()]


def subgroup_text(comparison: Any, groups: Any, models: list[str]) -> pd.DataFrame:
    """AUROC, observed and predicted share of long PFS in subgroups."""
    found = subgroup_table(comparison, groups, models=models, n_boot=500)
    return pd.DataFrame(
        {
            "model": [model_label(name) for name in found["model"]],
            "subgroup": found["variable"] + ": " + found["level"],
            "n": found["n"],
            "long PFS": found["n_long"],
            "AUROC": [with_interval(*row) for row in found[["auroc", "low", "high"]].to_numpy(dtype=float)],
            "observed": [number(one) for one in found["observed"]],
            "predicted": [number(one) for one in found["predicted"]],
        }
    )


def centre_text(centres: pd.DataFrame) -> pd.DataFrame:
    """Scores by centre that was left out."""
    if "uno_c" in centres:
        return pd.DataFrame(
            {
                "model": [model_label(str(name)) for name in centres["model"]],
                "centre": centres["centre"],
                "n": centres["n"],
                "progressions": centres["n_events"],
                "Uno's C": [with_interval(*row) for row in centres[["uno_c", "low", "high"]].to_numpy(dtype=float)],
                "observed": [number(one) for one in centres["observed"]],
                "predicted": [number(one) for one in centres["predicted"]],
            }
        )
    return pd.DataFrame(
        {
            "model": [model_label(str(name)) for name in centres["model"]],
            "centre": centres["centre"],
            "n": centres["n"],
            "long PFS": centres["n_long"],
            "AUROC": [with_interval(*row) for row in centres[["auroc", "low", "high"]].to_numpy(dtype=float)],
            "calibration intercept": [number(one) for one in centres["intercept"]],
            "observed": [number(one) for one in centres["observed"]],
            "predicted": [number(one) for one in centres["predicted"]],
        }
    )


def input_text(inputs: pd.DataFrame) -> pd.DataFrame:
    """Missing values and grids by class."""
    return inputs.assign(p_value=[p_text(float(one)) for one in inputs["p_value"]]).rename(
        columns={"short": "short PFS", "long": "long PFS", "p_value": "p (descriptive)"}
    )


def failure_text(comparison: Any, model: str, n: int = 12) -> pd.DataFrame:
    """Return the patients whose out-of-fold probabilities are farthest from what happened."""
    own = prediction_stability(comparison.predictions[comparison.predictions["model"] == model])
    patients = comparison.survival.set_index("patient_id")
    own["y_true"] = patients.loc[own["patient_id"], "y_true"].to_numpy()
    own["error"] = (own["y_true"] - own["mean"]).abs()
    worst = own.sort_values("error", ascending=False, kind="stable").head(n)
    table = pd.DataFrame(
        {
            "patient": worst["patient_id"].astype(str),
            "PFS": np.where(worst["y_true"] == 1, "long", "short"),
            "probability of long PFS": [number(one) for one in worst["mean"]],
            "least to greatest over repeats": [
                f"{number(low)} to {number(high)}" for low, high in zip(worst["low"], worst["high"], strict=True)
            ],
        }
    )
    if (own["low"] == own["high"]).all():  # one repeat
        table = table.drop(columns="least to greatest over repeats")
    if {"time", "event"} <= set(patients.columns):
        at = patients.loc[worst["patient_id"]]
        table["months"] = [
            f"{time:.1f}{'' if event else ' +'}" for time, event in zip(at["time"], at["event"], strict=True)
        ]
    return table


def censoring_text(comparison: Any, followup: Any, horizon: float) -> pd.DataFrame | None:
    """Return AUROC with early censored patients dropped and made up for; None where nobody was censored early."""
    if followup is None or "auroc" not in comparison.metrics:
        return None
    found = censoring_sensitivity(comparison, followup, horizon=horizon)
    if found.empty:
        return None
    columns = [f"{{}}{end}" for end in ("", "_low", "_high")]
    cells = {
        kind: [with_interval(*row) for row in found[[one.format(kind) for one in columns]].to_numpy(dtype=float)]
        for kind in ("dropped", "weighted")
    }
    return pd.DataFrame(
        {
            "model": [model_label(str(name)) for name in found["model"]],
            "AUROC, dropped": cells["dropped"],
            "AUROC, weighted": cells["weighted"],
            "shift": [f"{one:+.3f}" for one in found["shift"]],
        }
    )


def size_text(comparison: Any) -> list[str]:
    """Say how many patients a model of these columns would need."""
    data = comparison.run["data"]
    n, rarer = data["n_patients"], min(data["n_short"], data["n_long"])
    columns = len(data["columns"])
    if not columns:
        return [
            f"{n} patients, {rarer} of the rarer class; the number of candidate parameters of networks is not counted."
        ]
    said = [
        f"{n} patients, {rarer} of the rarer class, {columns} columns of the table: {rarer / columns:.1f} events per column "
        "before lesions, images and categories are counted."
    ]
    for auroc in (0.7, 0.8):
        need = riley_sample_size(columns, data["n_long"] / n, r2=r2_of_auroc(auroc, data["n_long"] / n))
        said.append(
            f"By Riley's criteria a regression on these {columns} columns, unpenalised and with an AUROC of {auroc:g}, would need "
            f"{need.n} patients ({need.events_per_parameter:.1f} events per parameter): {need.shrinkage} for a shrinkage of 0.9, "
            f"{need.optimism} for an optimism of 0.05 in R², {need.overall_risk} for a margin of 0.05 of the mean risk."
        )
    return said


def with_interval(value: float, low: float, high: float, *, plus: bool = False) -> str:
    """Return a number with its interval as text, "" for NaN; alone where the interval is not known or has no width.

    Examples
    --------
    >>> with_interval(0.7, 0.6, 0.8), with_interval(0.1, -0.05, 0.25, plus=True), with_interval(float("nan"), 0, 1)
    ('0.70 (0.60 to 0.80)', '+0.10 (-0.05 to +0.25)', '')
    >>> with_interval(0.67, 0.67, 0.67)
    '0.67'
    """
    if np.isnan(value):
        return ""
    kind = "+.2f" if plus else ".2f"
    text = f"{value:{kind}}"
    # An interval without width comes from folds that all have one value, and is no measure of precision.
    known = np.isfinite(low) and np.isfinite(high) and high - low > 1e-9
    return f"{text} ({low:{kind}} to {high:{kind}})" if known else text


def number(value: float) -> str:
    """Return two digits, "" for NaN."""
    return "" if np.isnan(value) else f"{value:.2f}"


def p_text(p: float) -> str:
    """Return a p value as text, "" for NaN."""
    return "" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"
