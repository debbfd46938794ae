"""The coefficients of a linear model, as a section of a page of explanations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.base import clone

from prrt_estimators._fit_times import fit_times
from prrt_estimators.inspection import block_contributions
from prrt_estimators.inspection._coefficients import has_coefficients, learnt_from
from prrt_estimators.inspection._explained_models import innermost
from prrt_estimators.plotting import CoefficientDisplay, model_label
from prrt_estimators.report._explained import ExplanationFolder, Section

_CAPTION = (
    "Coefficients per standard deviation of a column; to the right: a high value goes with long PFS. Outlined is the part that "
    "published directions gave; the mark is the coefficient of the model that uses none."
)
_SHARES = (
    "The share of a block is that of the variance of these patients' scores that goes with it; shares sum to 1, and a block that "
    "few columns of little effect make has a small one."
)


def linear_model(models: Mapping[str, Any]) -> str | None:
    """Return the name of the first model with coefficients."""
    return next((name for name, model in models.items() if has_coefficients(model)), None)


def coefficients_of_all(out: ExplanationFolder, model: Any, X: Any, y: Any, name: str) -> None:
    """Add the coefficients of a model that is fitted here on all patients, with their times where there are any."""
    fitted = clone(model).fit(X, y, **fit_times(model, X, y))
    add_coefficients(out, fitted, X, model_label(name), "The model was fitted on all patients. ")


def add_coefficients(out: ExplanationFolder, model: Any, X: Any, title: str, whose: str = "") -> None:
    """Add the coefficients of a fitted model, and what each block adds to the scores of X."""
    display = CoefficientDisplay.from_estimator(model, X)
    inside = innermost(model)
    section = Section(f"Coefficients ({title})")
    learnt = "times to progression" if learnt_from(inside) == "time" else "the class alone"
    used = display.table[display.table["direction"] != 0]
    wrong = int(used["contradicted"].sum())
    known = (
        f"Published directions are known for {len(used)} of {len(display.table)} columns; the data contradict {wrong} of them."
        if len(used)
        else "No published direction was used."
    )
    section.text.append(f"{whose}The coefficients were learnt from {learnt}. {known}")
    section.add("coefficients", display, _CAPTION)
    tables = {"coefficients": display.table}
    if hasattr(inside, "block_scores"):
        tables["blocks"] = block_contributions(inside, X)
        section.tables.append(tables["blocks"])
        section.text.append(_SHARES)
    out.add(section, **tables)
