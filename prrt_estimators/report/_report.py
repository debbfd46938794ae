"""One self-contained page with everything a reader asks of a comparison."""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from prrt_estimators._date_forms import without_dates
from prrt_estimators._io import atomic_write
from prrt_estimators._survival import as_survival, has_causes
from prrt_estimators.evaluation import reverse_kaplan_meier
from prrt_estimators.model_selection import ModelComparison, format_cohort_table, format_summary
from prrt_estimators.model_selection._descriptions import size_in_words, skipped_in_words
from prrt_estimators.model_selection._digest import WITHOUT_EFFECT
from prrt_estimators.model_selection._run_store import folder_name
from prrt_estimators.plotting import model_label, save_figure
from prrt_estimators.report._checklists import rows
from prrt_estimators.report._conclusions import answer, causes_in_words, flow, follow_up_in_words, limits, reading
from prrt_estimators.report._flow_picture import flow_picture
from prrt_estimators.report._guidelines import guidelines
from prrt_estimators.report._parts import TABLES, page_tables, shown_models, size_text
from prrt_estimators.report._plain_tables import write_tables
from prrt_estimators.report._report_figures import more_panels

_TITLES = {
    "auroc_auprc": "AUROC and AUPRC by model",
    "scores": "Concordance by model",
    "auc_over_time": "AUC over time by model",
    "roc": "ROC curves of one fold",
    "precision_recall": "Precision-recall curves of one fold",
    "kaplan_meier_cohort": "Progression-free survival of the cohort",
    "cumulative_incidence": "Cumulative incidence of progression and of death without progression",
    "forest": "Scores with their intervals",
    "forest_difference": "Differences with their intervals",
    "mean_roc": "ROC curves over all folds",
    "mean_precision_recall": "Precision-recall curves over all folds",
    "decision": "Decision curves",
}

#: Sections by anchor, in the order of the page.
SECTIONS = {
    "question": "What was asked",
    "answer": "What came out",
    "results": "Scores of all models",
    "patients": "Patients",
    "table1": "Table 1: the cohort by class",
    "columns": "Columns of the table",
    "inputs": "Missing values and scan characteristics by class",
    "size": "Sample size",
    "calibration": "Calibration",
    "decision": "Decisions",
    "curves": "ROC and precision-recall curves",
    "survival": "Survival",
    "differences": "Differences between models",
    "subgroups": "Subgroups and centres",
    "censoring": "Sensitivity to early censoring",
    "failures": "Where predictions failed",
    "figures": "Figures",
    "explanations": "Explanations",
    "methods": "Methods to copy",
    "run": "How it was run",
    "models": "Parameters of the models",
    "limits": "Limits",
    "tripod": "TRIPOD+AI",
    "claim": "CLAIM 2024",
}


#: Numbers with what belongs to them.
_TOGETHER = re.compile(r"(?<=\d) (?:±|to) (?=[-+\d])|\b[np] = (?=\d)|(?<=\d) %|(?<=p) (?=[<\d])")

#: Figures that become taller with each model, whose text would be too small in print if they did not take their room.
_ONE_LINE_PER_MODEL = ("forest", "forest_difference", "auroc_auprc", "scores")

_OF_MODEL = {
    "kaplan_meier_risk_": "Progression-free survival by thirds of the risk that {} predicts",
    "calibration_": "Calibration of {}",
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
    followup: Any = None,
    inputs: pd.DataFrame | None = None,
    subgroups: Mapping[str, Any] | pd.DataFrame | None = None,
    centres: pd.DataFrame | None = None,
) -> Path:
    """Write ``report.html``: what was asked, what came out, who the patients are, how, and its limits.

    The page needs no other file and no network, is light or dark as the reader's screen, can be read on a phone and
    printed. Its tables are written beside it as ``tables.md`` and as ``tables.html``, which word processors open, its
    figures beyond those of the study into ``figures``.

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
        Columns ``column``, ``role`` and ``reason``, as ``load_cohort`` gives them. Dates in names of columns are not shown.
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
    followup : structured array with ``event`` and ``time``, default=None
        Of everybody (``load_cohort(...).followup``): follow-up, and sensitivity to early censoring.
    inputs : DataFrame, default=None
        From :func:`~prrt_estimators.evaluation.inputs_by_class`.
    subgroups : mapping of variable to labels, or DataFrame, default=None
        One label per patient compared, see :func:`~prrt_estimators.evaluation.subgroup_table`.
    centres : DataFrame, default=None
        From :func:`~prrt_estimators.evaluation.centre_table`.

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
    panels = dict(comparison.figures(horizon=horizon, followup=followup) if figures is None else figures)
    shown = shown_models(comparison)
    more = more_panels(comparison, summary, shown)
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
    table.columns = [_with_label(str(name)) for name in table.columns]
    findings: dict[str, list[str]] = {}  # models of which the same can be said stand together
    for name, row in summary.iterrows():
        if row["status"] == "ok":
            findings.setdefault(reading(row), []).append(model_label(str(name)))
    readings = [("; ".join(names), said) for said, names in findings.items()]
    status = comparison.status
    skipped = {str(row.model): str(row.reason) for row in status[status["status"] == "skipped"].itertuples(index=False)}
    lacks = {name: entry["lacks"] for name, entry in run["models"].items() if entry.get("lacks")}
    failed = status[status["status"] == "failed"]
    tables = page_tables(
        comparison,
        summary,
        shown,
        followup=followup,
        horizon=horizon,
        inputs=inputs,
        subgroups=subgroups,
        centres=centres,
    )
    of_classes = comparison.gives_probabilities
    ended = ["progressed or died"] if followup is not None and has_causes(followup) else []
    outcomes = comparison.kind.outcomes(run["data"], followup)
    steps = flow(run["data"]["n_patients"], outcomes, excluded, corrected)
    if followup is None and not of_classes:  # whoever was censored early is among the patients compared
        followup = _followup(comparison)
    reverse = None if followup is None or not len(followup) else reverse_kaplan_meier(followup)
    reference_title = str(summary["reference"].iloc[0]) if len(summary) else ""
    text, references, tripod, claim = guidelines(comparison, horizon, reference_title, reverse, followup, of_classes)
    drawn = {name: _picture(name, panel) for name, panel in (panels | more).items()}
    explained = "explain/explain.html" if (Path(folder) / "explain" / "explain.html").is_file() else ""
    cohort = None if cohort_table is None else cohort_table.pipe(format_cohort_table)
    grouped = {
        "forest": drawn.get("forest"),
        "forest_difference": drawn.get("forest_difference"),
        "decision": drawn.get("decision"),
        "calibration": [one for name, one in drawn.items() if name.startswith("calibration_")],
        "curves": [drawn[name] for name in ("mean_roc", "mean_precision_recall") if name in drawn],
        "survival": [
            one for name, one in drawn.items() if name.startswith("kaplan_meier_") or name == "cumulative_incidence"
        ],
        "study": [
            drawn[name]
            for name in ("auroc_auprc", "scores", "auc_over_time", "roc", "precision_recall")
            if name in drawn
        ],
    }
    there = {
        "table1": cohort is not None, "columns": roles is not None, "explanations": bool(explained), "figures": bool(grouped["study"]),
        "curves": bool(grouped["curves"]), "survival": bool(grouped["survival"]),
        "subgroups": "subgroups" in tables or "centres" in tables,
        # What they say of classes and left out patients is not so for other targets.
        **dict.fromkeys(("methods", "tripod", "claim"), bool(text)), "size": of_classes,
        **{name: name in tables for name in ("inputs", "decision", "differences", "censoring", "failures")},
        "calibration": "calibration" in tables or bool(grouped["calibration"]),
    }  # fmt: skip
    sections = {name for name in SECTIONS if there.get(name, True)}
    page = environment.get_template("report.html").render(
        run=run,
        topic=comparison.kind.topic,
        question=comparison.kind.question(horizon, run["data"]["modalities"]),
        notes=comparison.kind.notes(),
        of_classes=of_classes,
        notice=notice,
        size=size_in_words(run, summary["status"]),
        answer=answer(comparison, summary),
        flow=steps,
        flow_picture=Markup(flow_picture(steps)),
        titles=SECTIONS,
        contents=[name for name in SECTIONS if name in sections and name not in ("question", "answer")],
        links=_links(Path(folder)),
        excluded=_rows(excluded),
        roles=_rows(None if roles is None else _shown_roles(roles)),
        cohort=_rows(cohort),
        n_everybody=0 if followup is None else len(followup),
        followup=" ".join(
            [follow_up_in_words(reverse, *ended), *causes_in_words(comparison, followup, horizon)]
        ).strip(),
        summary=_rows(table),
        readings=readings,
        panels=grouped,
        tables={name: _rows(tables.get(name)) for name in TABLES},
        sizes=size_text(comparison) if of_classes else [],
        failure_model=model_label(shown[0]) if shown else "",
        explanations=explained,
        methods=text,
        references=references,
        tripod=rows(tripod, sections),
        claim=rows(claim, sections),
        skipped=skipped_in_words(skipped, run["data"]["modalities"], lacks),
        failed=[(model_label(str(row.model)), row.reason) for row in failed.itertuples(index=False)],
        cohort_warnings=run["data"].get("warnings", []),
        warnings=_by_text(run["models"]),
        models=[_model(name, entry) for name, entry in run["models"].items()],
        limits=([notice] if notice else []) + limits(comparison),
    )
    named = {"Scores": table, **({} if cohort is None else {SECTIONS["table1"]: cohort})}
    named |= {TABLES[name]: one for name, one in tables.items()}
    write_tables({title: one for title, one in named.items() if len(one)}, Path(folder))
    for name, panel in more.items():
        save_figure(panel.figure, Path(folder) / "figures" / folder_name(name), formats=["pdf", "png"])
    target = Path(folder) / "report.html"
    with atomic_write(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target


def _with_label(column: str) -> str:
    start = "difference from "
    return start + model_label(column.removeprefix(start)) if column.startswith(start) else column


def _by_text(entries: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return models and their warning, those with the same one together."""
    found: dict[str, list[str]] = {}
    for name, entry in entries.items():
        for text in _first_of_each_kind(entry.get("warnings", [])):
            found.setdefault(text, []).append(model_label(name))
    return [("; ".join(names), text) for text, names in found.items()]


def _picture(name: str, panel: Any) -> dict[str, Any]:
    width, height = panel.figure.get_size_inches()
    tall = name in _ONE_LINE_PER_MODEL and height > 0.6 * width
    return {"title": _title(name), "caption": panel.caption, "source": data_uri(panel.figure), "tall": tall}


def _first_of_each_kind(texts: list[str]) -> list[str]:
    """Return the first warning of each class, with the number of others: folds repeat one with other patients."""
    kinds: dict[str, list[str]] = {}
    for text in texts:
        kinds.setdefault(text.partition(":")[0], []).append(text)
    return [
        same[0] + (f" ({len(same) - 1} more of this kind: run.json)" if len(same) > 1 else "")
        for same in kinds.values()
    ]


def _links(folder: Path) -> list[tuple[str, str]]:
    """Files beside the page, which it does without."""
    names = (
        "summary.csv",
        "scores.csv",
        "predictions.csv",
        "patients.csv",
        "cohort_table.csv",
        "centres.csv",
        "run.json",
    )
    return [("tables.md", "tables (Markdown)"), ("tables.html", "tables (for a word processor)")] + [
        (name, name) for name in names if (folder / name).is_file()
    ]


def _followup(comparison: ModelComparison) -> Any:
    """Return times and events of the patients compared, None where they are not known."""
    patients = comparison.survival
    return as_survival(patients[["event", "time"]]) if {"event", "time"} <= set(patients.columns) else None


def _shown_roles(roles: pd.DataFrame) -> pd.DataFrame:
    """Return how each column was interpreted, under names without persons, identifiers and dates."""
    if "shown" in roles:
        roles = roles.assign(column=roles["shown"])
    return roles[["column", "role", "reason"]].map(lambda cell: without_dates(str(cell), spoken=False))


def _rows(table: pd.DataFrame | None) -> dict[str, Any] | None:
    if table is None or table.empty:
        return None
    rows = table.astype(str).to_numpy().tolist()
    return {
        "columns": [_unbroken(str(name)) for name in table.columns],
        "rows": [[_unbroken(cell) for cell in row] for row in rows],
    }


def _unbroken(text: str) -> str:
    """Return a text whose numbers do not part from their sign, unit or other end at the end of a line.

    Examples
    --------
    >>> _unbroken("0.66 (0.48 to 0.84)").split(" "), _unbroken("long (n = 65)").split(" ")
    (['0.66', '(0.48\xa0to\xa00.84)'], ['long', '(n\xa0=\xa065)'])
    """
    return _TOGETHER.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)


def _title(name: str) -> str:
    for start, title in _OF_MODEL.items():
        if name.startswith(start):
            return title.format(model_label(name.removeprefix(start)))
    model = name.removeprefix("kaplan_meier_")
    return _TITLES.get(name, f"Progression-free survival by the risk that {model_label(model)} predicts")


def data_uri(figure: Any) -> str:
    """Return a figure as a source of an image on a page."""
    # An image of its own: ids of inline drawings would collide on one page.
    with tempfile.TemporaryDirectory() as folder:
        [path] = save_figure(figure, Path(folder) / "figure", formats=["svg"])
        return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _model(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    told = {key: value for key, value in entry.get("parameters", {}).items() if key not in WITHOUT_EFFECT}
    parameters = ", ".join(f"{key}={value}" for key, value in told.items())
    return {
        "name": model_label(name),
        "class": entry.get("class", "").rpartition(".")[2] or "-",
        "seconds": f"{entry['seconds']:.0f}" if "seconds" in entry else "-",
        "parameters": parameters,
    }
