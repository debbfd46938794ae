"""One row a model: means over repeats, an interval over patients, a test against a reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from prrt_estimators._model_specs import MODELS
from prrt_estimators.metrics._score import chance_by_score, factor, main_score, score_title
from prrt_estimators.model_selection._bootstrap import bootstrap_interval
from prrt_estimators.model_selection._statistics import corrected_t_test, holm, pool_repeats


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
    means, spreads = per_repeat.mean().reindex(table.index), per_repeat.std(ddof=1).reindex(table.index)
    weight = patients.get("sample_weight")
    long = float(np.average(patients["y_true"], weights=weight))
    table["prevalence_long"], table["prevalence_short"] = long, 1 - long
    chance = chance_by_score(metrics, patients["y_true"], weight)
    for name in metrics:
        table[f"{name}_mean"], table[f"{name}_sd"] = means[name], spreads[name]
        if name in chance:
            table[f"{name}_chance"] = chance[name]
    table = table.join(_intervals(predictions, patients, table.index, n_boot, random_state))
    metric = main_score(metrics)
    return table.join(_tests(scores, predictions, patients, table.index, metric, reference))


def _intervals(
    predictions: pd.DataFrame, patients: pd.DataFrame, models: pd.Index, n_boot: int, random_state: int
) -> pd.DataFrame:
    table = pd.DataFrame(np.nan, index=models, columns=["auroc_pooled", "auroc_low", "auroc_high"])
    # Weights that stand for censored patients would have to be drawn along: no interval rather than a wrong one.
    if predictions.empty or "sample_weight" in patients:
        return table
    for model, rows in pool_repeats(predictions).groupby("model", sort=False):
        if rows["y_true"].nunique() == 2:
            # The same seed for every model: the same patients are drawn for all.
            found = bootstrap_interval(rows["y_true"], rows["y_score"], n_boot=n_boot, random_state=random_state)
            table.loc[model] = found.estimate, found.low, found.high
    return table


def _tests(
    scores: pd.DataFrame,
    predictions: pd.DataFrame,
    patients: pd.DataFrame,
    models: pd.Index,
    metric: str,
    reference: str | None,
) -> pd.DataFrame:
    names = [f"{metric}_difference", f"{metric}_difference_low", f"{metric}_difference_high", "p_value", "p_holm"]
    table = pd.DataFrame(np.nan, index=models, columns=names)
    table.insert(0, "reference", reference or "")
    wide = scores.pivot(index=["repeat", "fold"], columns="model", values=metric)
    if reference is None or reference not in wide:
        return table
    n_test = len(predictions[predictions["model"] == reference]) / len(wide)
    for model in wide.columns.drop(reference):
        differences = (wide[model] - wide[reference]).dropna().to_numpy()
        if len(differences) > 1:
            test = corrected_t_test(differences, n_train=len(patients) - n_test, n_test=n_test)
            table.loc[model, names[:4]] = [test.mean, test.low, test.high, test.pvalue]
    table["p_holm"] = holm(table["p_value"].to_numpy(dtype=float))
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
        title; ``AUROC 95 % CI`` of the probabilities averaged over repeats; the difference from the reference with
        its corrected p value, adjusted by Holm. Models without a result show their status.
    """
    text = pd.DataFrame({"model": summary.index.astype(str)})
    for metric in (name.removesuffix("_mean") for name in summary.columns if name.endswith("_mean")):
        title, sign = score_title(metric), factor(metric)
        # Chance is told where it is not the half that everybody knows.
        chance = summary.get(f"{metric}_chance", pd.Series([np.nan])).iloc[0] * sign
        if not np.isnan(chance) and chance != 0.5:
            title += f" (chance {chance:.2f})"
        text[title] = [
            _with_spread(sign * mean, sd)
            for mean, sd in zip(summary[f"{metric}_mean"], summary[f"{metric}_sd"], strict=True)
        ]
        if metric == "auroc":
            pairs = zip(summary["auroc_low"], summary["auroc_high"], strict=True)
            text["AUROC 95 % CI"] = ["" if np.isnan(low) else f"{low:.2f} to {high:.2f}" for low, high in pairs]
    if summary["p_value"].notna().any():
        reference = summary["reference"].iloc[0]
        column = next(name for name in summary.columns if name.endswith("_difference"))
        values = zip(summary[column], summary["p_holm"], strict=True)
        text[f"difference from {reference}"] = [
            "" if np.isnan(p) else f"{difference:+.2f} (p {_p_text(p)})" for difference, p in values
        ]
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
    spec = MODELS.get(str(name))
    if spec is None:
        return ""
    return "study" if spec.study else "baseline" if spec.baseline else "recommended" if spec.recommended else ""


def _with_spread(mean: float, sd: float) -> str:
    if np.isnan(mean):
        return ""
    return f"{mean:.3f}" if np.isnan(sd) else f"{mean:.3f} ± {sd:.3f}"


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
