"""Published scores that need no fitting: what a few limits of the laboratory already tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._analytes import find_analyte, name_tokens, over_limit, unit_factor
from prrt_estimators._validation import as_cohort
from prrt_estimators._values import parse_column
from prrt_estimators.estimators._base import BasePFSClassifier
from prrt_estimators.estimators._saved_state import SavedState
from prrt_estimators.estimators._unknown_patients import warn_of_nothing
from prrt_estimators.exceptions import MissingModalityError


@dataclass(frozen=True)
class PublishedScore:
    """A score of a few columns; high goes with short PFS.

    Parameters
    ----------
    name, title : str
        For parameters; for print.
    needs : tuple of str
        Analytes by canonical name, or ``"ki67"``.
    points : callable
        From the values, in the analytes' own units, to points; NaN where one is missing.
    worst : float
        Points beyond which the risk is taken as full.
    source : str
        Where it was published, and for whom.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    points: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    worst: float
    source: str


def _above(values: np.ndarray, limit: float) -> np.ndarray:
    return np.where(np.isnan(values), np.nan, values > limit)


def _glasgow(v: Mapping[str, np.ndarray]) -> np.ndarray:
    return _above(v["crp"], 10.0) + _above(-v["albumin"], -35.0)


def _ratio(v: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.divide(v["crp"], v["albumin"], out=np.full(len(v["crp"]), np.nan), where=v["albumin"] > 0)


SCORES: dict[str, PublishedScore] = {
    one.name: one
    for one in (
        PublishedScore(
            "inflammation_index", "Inflammation-based index above 0", ("crp", "albumin"),
            lambda v: _above(_glasgow(v), 0.0), 1.0,
            "Black 2019: CRP > 10 mg/L or albumin < 35 g/L; HR of PFS 14.2, n = 55, PRRT",
        ),
        PublishedScore(
            "glasgow", "Glasgow prognostic score", ("crp", "albumin"), _glasgow, 2.0,
            "Papantoniou 2024: a point each for CRP > 10 mg/L and albumin < 35 g/L; HR of OS 3.60 for 2, n = 557",
        ),
        PublishedScore(
            "crp_albumin", "CRP / albumin", ("crp", "albumin"), _ratio, 1.0,
            "Papantoniou 2024: ratio of mg/L and g/L; HR of OS 1.84, n = 557",
        ),
        PublishedScore(
            "cga_200", "Chromogranin A > 200 ug/L", ("cga",), lambda v: _above(v["cga"], 200.0), 1.0,
            "Theranostics 2025: HR of PFS 1.76, n = 178, PRRT",
        ),
        PublishedScore(
            "ki67_5", "Ki-67 > 5 %", ("ki67",), lambda v: _above(v["ki67"], 5.0), 1.0,
            "Theranostics 2025: HR of PFS 1.89, n = 178, PRRT",
        ),
    )
}  # fmt: skip


class PublishedScoreClassifier(BasePFSClassifier):
    """A published score of the laboratory table, with nothing learnt from the cohort.

    The probability of long PFS falls from 0.75 without points to 0.25 with all; it orders patients and is not
    calibrated. A patient for whom a value is missing gets 0.5. Values in multiples of the upper limit of normal cannot be used,
    because the limits of these scores are published in the units of the analytes.

    Parameters
    ----------
    name : {"inflammation_index", "glasgow", "crp_albumin", "cga_200", "ki67_5"}, default="inflammation_index"
        See `published_scores` for what each is and where it comes from.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
    columns_ : dict of str to str
        The columns used.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Raises
    ------
    MissingModalityError
        If the table lacks a column that the score needs, or holds it only in multiples of the upper limit of normal.

    Examples
    --------
    >>> table = pd.DataFrame({"CRP [mg/l]": [2.0, 30.0, 30.0], "Albumin g/l": [42.0, 40.0, 28.0]})
    >>> PublishedScoreClassifier(name="glasgow").fit(table, [1, 0, 0]).predict_proba(table)[:, 1].tolist()
    [0.75, 0.5, 0.25]
    """

    # The score is known by its name; its formula is not a data.
    _saved_apart: ClassVar[tuple[str, ...]] = ("model_",)
    _parameter_constraints: ClassVar[dict] = {"name": [StrOptions(set(SCORES))]}

    def __init__(self, *, name: str = "inflammation_index"):
        self.name = name

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> PublishedScoreClassifier:
        """Find the columns.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, or DataFrame of shape (n, k)
        y : array of shape (n,)
            1 for long PFS, 0 for short; only its labels are used.
        sample_weight : array of shape (n,), default=None
            Checked, and not used: nothing is learnt.

        Returns
        -------
        self
        """
        self._validate_params()
        table = self._named(X)
        self._check_target(table, y)
        self._with_weight(table, y, sample_weight)
        self.n_features_in_ = table.shape[1]
        self.feature_names_in_ = np.asarray(table.columns, dtype=object)
        known: dict[str, str] = {}
        relative: dict[str, str] = {}
        for name in table.columns:
            (relative if over_limit(name) else known).setdefault(_variable(name), name)
        lacking = [name for name in SCORES[self.name].needs if name not in known]
        if lacking:
            instead = [relative[name] for name in lacking if name in relative]
            raise MissingModalityError(
                f"the score {self.name!r} needs {' and '.join(SCORES[self.name].needs)}; the laboratory table has no "
                f"{' and no '.join(lacking)}."
                + (
                    f" {' and '.join(instead)} cannot stand in: its limits are published in the unit of the analyte, not in multiples "
                    "of an upper limit of normal, which differs between laboratories. Add the values themselves."
                    if instead
                    else ""
                )
            )
        self.columns_ = {name: known[name] for name in SCORES[self.name].needs}
        self.model_ = SCORES[self.name]
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, or DataFrame of shape (n, k)

        Returns
        -------
        ndarray of shape (n, 2)
            The second column falls with the score.
        """
        check_is_fitted(self, "columns_")
        points = self.points(X)
        cohort = self._cohort(X)
        warn_of_nothing(np.isnan(points), None if cohort is None else cohort.ids, f"the score {self.name!r}")
        share = (
            points / (points + SCORES[self.name].worst)
            if self.name == "crp_albumin"
            else points / SCORES[self.name].worst
        )
        long = np.where(np.isnan(share), 0.5, 0.75 - 0.5 * share)
        return self._ordered(np.column_stack([1 - long, long]))

    def points(self, X: Any) -> np.ndarray:
        """Return the score of each patient; NaN where a value is missing.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, or DataFrame of shape (n, k)

        Returns
        -------
        ndarray of shape (n,)
        """
        check_is_fitted(self, "columns_")
        table = self._named(X)
        missing = [name for name in self.columns_.values() if name not in table.columns]
        if missing:
            raise ValueError(f"columns of training are missing: {', '.join(missing)}; pass the same table.")
        values = {
            name: np.asarray(parse_column(table[column])[0], dtype=float) * unit_factor(column)
            for name, column in self.columns_.items()
        }
        return np.asarray(SCORES[self.name].points(values), dtype=float)

    def _restore(self, state: SavedState) -> None:
        super()._restore(state)
        self.model_ = SCORES[self.name]

    def _named(self, X: Any) -> pd.DataFrame:
        table = self._table(X, self._cohort(X))
        table = table if isinstance(table, pd.DataFrame) else as_cohort(np.asarray(table))["lab"]
        return table.set_axis([str(name) for name in table.columns], axis=1)


def published_scores() -> pd.DataFrame:
    """Return the published scores as a table: ``score``, ``title``, ``needs`` and ``source``.

    Examples
    --------
    >>> published_scores()["score"].tolist()
    ['inflammation_index', 'glasgow', 'crp_albumin', 'cga_200', 'ki67_5']
    """
    rows = [(one.name, one.title, ", ".join(one.needs), one.source) for one in SCORES.values()]
    return pd.DataFrame(rows, columns=["score", "title", "needs", "source"])


def _variable(column: str) -> str:
    """Return the canonical name of what a column holds; its own where that is not known."""
    analyte = find_analyte(column)
    if analyte is not None:
        return analyte.name
    words = "".join(word for word in name_tokens(column) if word not in ("percent", "index", "pct"))
    return "ki67" if words == "ki67" else column
