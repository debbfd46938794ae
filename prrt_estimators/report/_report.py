"""One self-contained page with everything a reader asks of a comparison."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from prrt_estimators._io import atomic_write
from prrt_estimators.model_selection import ModelComparison, format_cohort_table, format_summary
from prrt_estimators.model_selection._descriptions import size_in_words, skipped_in_words
from prrt_estimators.plotting import model_label, save_figure
from prrt_estimators.report._conclusions import answer, flow, limits, reading

_TITLES = {
    "auroc_auprc": "AUROC and AUPRC by model",
    "roc": "ROC curves of one fold",
    "precision_recall": "Precision-recall curves of one fold",
    "kaplan_meier_cohort": "Progression-free survival of the cohort",
}


def write_report(
    comparison: ModelComparison,
    folder: str | os.PathLike[str],
    *,
    cohort_table: pd.DataFrame | None = None,
    excluded: pd.DataFrame | None = None,
    roles: pd.DataFrame | None = None,
    horizon: float = 12.0,
    reference: str | None = "baseline_lab",
    figures: Mapping[str, Any] | None = None,
    corrected: tuple[int, int] | None = None,
    notice: str | None = None,
) -> Path:
    """Write ``report.html``: what was asked, who the patients are, what came out, how, and its limits.

    The page needs no other file and no network, and can be read on a phone and printed.

    Parameters
    ----------
    comparison : ModelComparison
        Of :func:`~prrt_estimators.model_selection.compare_models` or ``load_comparison``.
    folder : path
        Where to write.
    cohort_table : DataFrame, default=None
        From :func:`~prrt_estimators.model_selection.cohort_table`.
    excluded : DataFrame, default=None
        Columns ``patient_id`` and ``reason``, as ``load_cohort`` gives them.
    roles : DataFrame, default=None
        Columns ``column``, ``role`` and ``reason``, as ``load_cohort`` gives them.
    horizon : float, default=12.0
        Months that divide short from long PFS.
    reference : str or None, default="baseline_lab"
        Model that the others are tested against.
    figures : mapping of str to Panel, default=None
        From ``comparison.figures()``, if they are drawn already.
    corrected : tuple of 2 ints, default=None
        Patients whose lesions were corrected by hand, and patients with a mask, from
        :func:`~prrt_estimators.contours.count_corrected`.
    notice : str, default=None
        What nobody must overlook, e.g. that the patients are simulated: below the title and first of the limits.

    Returns
    -------
    Path
        The page.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from prrt_estimators.model_selection import compare_models
    >>> X, y = np.random.default_rng(0).normal(size=(30, 2)), np.tile([0, 1], 15)
    >>> comparison = compare_models({"linear": LogisticRegression()}, X, y, cv=3, verbose=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(comparison, folder).name
    'report.html'
    """
    run = comparison.run
    summary = comparison.summary(reference=reference)
    panels = comparison.figures(horizon=horizon) if figures is None else figures
    environment = Environment(
        loader=PackageLoader("prrt_estimators", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    table = format_summary(summary)
    table["model"] = [model_label(name) for name in table["model"]]
    table = table[(summary["status"] != "skipped").to_numpy()]
    readings = [(model_label(str(name)), reading(row)) for name, row in summary.iterrows() if row["status"] == "ok"]
    status = comparison.status
    skipped = {str(row.model): str(row.reason) for row in status[status["status"] == "skipped"].itertuples(index=False)}
    lacks = {name: entry["lacks"] for name, entry in run["models"].items() if entry.get("lacks")}
    failed = status[status["status"] == "failed"]
    page = environment.get_template("report.html").render(
        run=run,
        horizon=f"{horizon:g}",
        notice=notice,
        size=size_in_words(run, summary["status"]),
        answer=answer(comparison, summary),
        flow=flow(run["data"]["n_patients"], run["data"]["n_short"], run["data"]["n_long"], excluded, corrected),
        excluded=_rows(excluded),
        roles=_rows(roles),
        cohort=None if cohort_table is None else _rows(cohort_table.pipe(format_cohort_table)),
        summary=_rows(table),
        readings=readings,
        figures=[
            {"title": _title(name), "caption": panel.caption, "source": data_uri(panel.figure)}
            for name, panel in panels.items()
        ],
        skipped=skipped_in_words(skipped, run["data"]["modalities"], lacks),
        failed=[(model_label(str(row.model)), row.reason) for row in failed.itertuples(index=False)],
        cohort_warnings=run["data"].get("warnings", []),
        warnings=[
            (model_label(name), entry["warnings"]) for name, entry in run["models"].items() if entry.get("warnings")
        ],
        models=[_model(name, entry) for name, entry in run["models"].items()],
        limits=([notice] if notice else []) + limits(comparison),
    )
    target = Path(folder) / "report.html"
    with atomic_write(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target


def _rows(table: pd.DataFrame | None) -> dict[str, Any] | None:
    if table is None or table.empty:
        return None
    return {"columns": [str(name) for name in table.columns], "rows": table.astype(str).to_numpy().tolist()}


def _title(name: str) -> str:
    model = name.removeprefix("kaplan_meier_")
    return _TITLES.get(name, f"Progression-free survival by the class that {model_label(model)} predicts")


def data_uri(figure: Any) -> str:
    """Return a figure as a source of an image on a page."""
    # An image of its own: ids of inline drawings would collide on one page.
    with tempfile.TemporaryDirectory() as folder:
        [path] = save_figure(figure, Path(folder) / "figure", formats=["svg"])
        return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _model(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    parameters = ", ".join(f"{key}={value}" for key, value in entry.get("parameters", {}).items())
    return {
        "name": model_label(name),
        "class": entry.get("class", "").rpartition(".")[2] or "-",
        "seconds": f"{entry['seconds']:.0f}" if "seconds" in entry else "-",
        "parameters": parameters,
    }
