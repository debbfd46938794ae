"""One row per model: mean of the folds with its corrected interval, tests against chance and a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from prrt_estimators._model_specs import find_model
from prrt_estimators._targets import ClassTarget
from prrt_estimators.metrics import find_score
from prrt_estimators.metrics._score import chance_by_score, factor, main_score, score_title
from prrt_estimators.model_selection._bootstrap import bootstrap_interval
from prrt_estimators.model_selection._corrected_tests import intervals_of_scores
from prrt_estimators.model_selection._statistics import pool_repeats


def summarise(
    scores: pd.DataFrame,
    predictions: pd.DataFrame,
    patients: pd.DataFrame,
    status: pd.DataFrame,
    metrics: Sequence[str],
    *,
    reference: str | None,
    n_boot: int,
    random_state: int,
    shares: Mapping[str, float],
    primary: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Table of results; see :meth:`ModelComparison.summary` for its columns."""
    table = pd.DataFrame(index=pd.Index(status["model"], name="model"))
    table["status"] = status["status"].to_numpy()
    table["n_patients"] = len(patients)
    grouped = scores.groupby("model", sort=False)
    table["n_repeats"] = grouped["repeat"].nunique().reindex(table.index).fillna(0).astype(int)
    table["n_folds"] = grouped.size().reindex(table.index).fillna(0).astype(int)
    table["learnt_from"] = status["learnt_from"].to_numpy() if "learnt_from" in status else ""
    per_repeat = scores.groupby(["model", "repeat"], sort=False)[list(metrics)].mean().groupby("model", sort=False)
    spreads = per_repeat.std(ddof=1).reindex(table.index)
    for name, share in shares.items():
        table[name] = share
    chance, sizes = chance_of_folds(predictions, patients, metrics), sizes_of_folds(predictions, patients)
    main, found = main_score(metrics), {}
    for name in metrics:
        one = found[name] = intervals_of_scores(
            scores, score=name, chance=chance.get(name), reference=reference, primary=primary, **sizes
        ).reindex(table.index)
        table[f"{name}_mean"], table[f"{name}_sd"] = one["mean"], spreads[name]
        table[f"{name}_low"], table[f"{name}_high"] = one["low"], one["high"]
        if name in chance:
            table[f"{name}_chance"] = chance[name]
    table[["p_chance", "p_chance_holm"]] = found[main][["p_chance", "p_chance_holm"]]
    table = table.join(_of_patients(predictions, patients, table.index, main, n_boot, random_state))
    table["reference"] = reference or ""
    for name in metrics:
        apart = ["difference", "difference_low", "difference_high"]
        table[[f"{name}_{column}" for column in apart]] = found[name][apart]
    table[["p_value", "p_holm"]] = found[main][["p_value", "p_holm"]]
    return table


def sizes_of_folds(predictions: pd.DataFrame, patients: pd.DataFrame) -> dict[str, float]:
    """Return the mean number of patients in a test set, and in a training set."""
    tested = predictions.groupby(["model", "repeat", "fold"], sort=False).size()
    n_test = float(tested.mean()) if len(tested) else len(patients) / 3
    return {"n_test": n_test, "n_train": max(len(patients) - n_test, 1.0)}


def chance_of_folds(predictions: pd.DataFrame, patients: pd.DataFrame, metrics: Sequence[str]) -> dict[str, float]:
    """Return what chance reaches on average over the test folds: a small fold has another value than the cohort."""
    weights = patients.set_index("patient_id")["sample_weight"] if "sample_weight" in patients else None
    own = predictions[predictions["model"] == predictions["model"].iloc[0]] if len(predictions) else predictions
    found = []
    for _, fold in own.groupby(["repeat", "fold"], sort=False):
        if fold["y_true"].nunique() == 2:
            weight = None if weights is None else weights.loc[fold["patient_id"]].to_numpy()
            found.append(chance_by_score(metrics, fold["y_true"], weight))
    if not found:
        return chance_by_score(metrics, patients["y_true"], patients.get("sample_weight"))
    return {str(name): float(value) for name, value in pd.DataFrame(found).mean().items()}


def _of_patients(
    predictions: pd.DataFrame, patients: pd.DataFrame, models: pd.Index, metric: str, n_boot: int, random_state: int
) -> pd.DataFrame:
    """Scores of probabilities that are pooled over folds, which are not the estimand: for the table on disk."""
    columns = [f"{metric}_{name}" for name in ("pooled", "ensemble", "ensemble_low", "ensemble_high")]
    table = pd.DataFrame(np.nan, index=models, columns=columns)
    score = find_score(metric)
    # Weights that stand for censored patients would have to be drawn along: nothing rather than a wrong interval.
    if predictions.empty or "sample_weight" in patients or score is None or ClassTarget.name not in score.available:
        return table
    for model, rows in pool_repeats(predictions).groupby("model", sort=False):
        if rows["y_true"].nunique() == 2:
            # The same seed for every model: the same patients are drawn for all.
            found = bootstrap_interval(
                rows["y_true"], rows["y_score"], metric, n_boot=n_boot, random_state=random_state
            )
            own = predictions[predictions["model"] == model]
            repeats = [score.function(one["y_true"], one["y_score"]) for _, one in own.groupby("repeat")]
            table.loc[model] = factor(metric) * float(np.mean(repeats)), found.estimate, found.low, found.high
    return table


def format_summary(summary: pd.DataFrame) -> pd.DataFrame:
    """Turn a summary into text cells for print: ``comparison.summary().pipe(format_summary)``.

    Parameters
    ----------
    summary : DataFrame
        From :meth:`ModelComparison.summary`.

    Returns
    -------
    DataFrame
        Text columns: ``model``; each metric as mean and SD over repeats, AUPRC with the value of chance in its
        title; ``AUROC 95 % CI``, the corrected interval of the mean over folds; the difference from the reference
        with its corrected p value, adjusted by Holm. Models without a result show their status.
    """
    text = pd.DataFrame({"model": summary.index.astype(str)})
    metrics = [name.removesuffix("_mean") for name in summary.columns if name.endswith("_mean")]
    main = main_score(metrics)
    for metric in metrics:
        title, sign = score_title(metric), factor(metric)
        # Chance is told where it is not the half that everybody knows.
        chance = summary.get(f"{metric}_chance", pd.Series([np.nan])).iloc[0] * sign
        if not np.isnan(chance) and chance != 0.5:
            title += f" (chance {chance:.2f})"
        text[title] = [
            _with_spread(sign * mean, sd)
            for mean, sd in zip(summary[f"{metric}_mean"], summary[f"{metric}_sd"], strict=True)
        ]
        if metric == main:
            ends = [sign * summary[f"{metric}_{end}"] for end in ("low", "high")[::sign]]
            pairs = zip(*ends, strict=True)
            text[f"{score_title(metric)} 95 % CI"] = [
                "" if np.isnan(low) else f"{low:.2f} to {high:.2f}" for low, high in pairs
            ]
    if summary["p_value"].notna().any():
        reference = summary["reference"].iloc[0]
        values = zip(factor(main) * summary[f"{main}_difference"], summary["p_holm"], strict=True)
        text[f"difference from {reference}"] = [
            "" if np.isnan(p) else f"{difference:+.2f} (p {_p_text(p)})" for difference, p in values
        ]
    if "inner_less_outer" in summary:
        text["inner less outer score"] = ["" if np.isnan(one) else f"{one:+.2f}" for one in summary["inner_less_outer"]]
    kinds = [_kind(name) for name in summary.index]
    if "recommended" in kinds:
        text["set"] = kinds
    if (summary.get("learnt_from", pd.Series(dtype=object)) == "time").any():
        text["learnt from"] = summary["learnt_from"].to_numpy()
    first = text.columns[1]
    text[first] = text[first].where((summary["status"] == "ok").to_numpy(), summary["status"].to_numpy())
    return text


def _kind(name: object) -> str:
    """Return which set of models a model belongs to: so that nobody takes a recommended one for the study's."""
    spec = find_model(name)
    if spec is None:
        return ""
    return (
        "study" if spec.study else "baseline" if spec.baseline else "recommended" if spec.recommended else spec.target
    )


def _with_spread(mean: float, sd: float) -> str:
    if np.isnan(mean):
        return ""
    return f"{mean:.3f}" if np.isnan(sd) else f"{mean:.3f} ± {sd:.3f}"


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
