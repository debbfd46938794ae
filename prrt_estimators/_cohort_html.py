"""A cohort as a notebook shows it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from prrt_estimators._modalities import MODALITIES

if TYPE_CHECKING:
    from prrt_estimators.cohort import Cohort


def cohort_html(cohort: Cohort) -> str:
    """Return a table of how many patients have each modality, mask and outcome."""
    n = len(cohort)
    rows = [(MODALITIES[name].title, _present(cohort[name]), _form(cohort[name])) for name in cohort.modalities]
    rows += [(f"mask: {name}", _present(mask), _form(mask)) for name, mask in cohort.masks.items()]
    if cohort.survival is not None:
        followed = f"{np.median(cohort.survival['time']):.1f} months (median follow-up)" if n else ""
        rows.append(("progression seen", int(cohort.survival["event"].sum()), followed))
    body = "".join(
        f"<tr><td>{escape(title)}</td><td>{count} of {n}</td><td>{form}</td></tr>" for title, count, form in rows
    )
    head = "<tr><th></th><th>patients</th><th></th></tr>"
    return f"<table><caption>Cohort of {n} patients</caption>{head}{body}</table>"


def _present(values: Any) -> int:
    return int(values.notna().any(axis=1).sum()) if isinstance(values, pd.DataFrame) else int(values.present.sum())


def _form(values: Any) -> str:
    if isinstance(values, pd.DataFrame):
        return f"{len(values.columns)} columns"
    return "files" if values.paths is not None else f"arrays of {' x '.join(map(str, values.array.shape[2:]))} voxels"
