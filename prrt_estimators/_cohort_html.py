"""A cohort as a notebook shows it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from prrt_estimators._modalities import MODALITIES

if TYPE_CHECKING:
    from prrt_estimators._cohort_thumbnails import Thumbnails
    from prrt_estimators.cohort import Cohort


class NotebookViews:
    """How a `Cohort` shows itself."""

    def _repr_html_(self) -> str:
        return cohort_html(cast("Cohort", self))

    def thumbnail(self, n_patients: int = 6) -> Thumbnails:
        """Return small pictures of the first patients: coronal maximum-intensity projections of each scan.

        The scans are read now, and only those of the patients who are shown. ``X[[4, 7]].thumbnail()`` shows others.

        Parameters
        ----------
        n_patients : int, default=6
            How many patients are shown at most.

        Returns
        -------
        Thumbnails
            A notebook shows it; ``figure_`` is the figure, e.g. for ``figure_.savefig("patients.png")``.

        Raises
        ------
        ValueError
            If no patient is to be shown, or the cohort has no scans.
        CohortError
            With the patient and the file that cannot be read.

        Examples
        --------
        >>> from prrt_estimators import make_prrt_cohort
        >>> make_prrt_cohort(4, volume_shape=8, random_state=0).X.thumbnail(2)
        Thumbnails(pet of 2 patients, ct of 2 patients)
        """
        from prrt_estimators._cohort_thumbnails import Thumbnails  # which needs matplotlib

        cohort = cast("Cohort", self)
        if isinstance(n_patients, bool) or not isinstance(n_patients, (int, np.integer)) or n_patients < 1:
            raise ValueError(f"`n_patients` must be a positive whole number; got {n_patients!r}.")
        scans = [name for name in cohort.modalities if MODALITIES[name].scan]
        if not scans:
            raise ValueError(f"this cohort has no scans to show; it has {', '.join(cohort.modalities)}.")
        shown = cohort[: int(n_patients)]
        return Thumbnails({name: shown[name] for name in scans}, shown.ids)


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
