"""Laboratory values brought together by what they tell of: five panels in place of seventeen columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._analytes import ANALYTES, analyte_columns, find_analyte
from prrt_estimators._validation import as_cohort
from prrt_estimators._values import parse_column
from prrt_estimators.preprocessing._clipped import ClippedScaler
from prrt_estimators.preprocessing._labs import LabPreprocessor, PositiveLog

#: Panel -> analyte -> sign with which a high value enters: +1 where high is abnormal, -1 where low is. From textbooks of
#: laboratory medicine, not learnt from any cohort.
_PANELS: Mapping[str, Mapping[str, int]] = {
    "markers": {"cga": 1, "nse": 1},
    "liver": {"ggt": 1, "alp": 1, "ast": 1, "alt": 1, "bilirubin": 1},
    "inflammation": {"crp": 1, "albumin": -1, "haemoglobin": -1, "neutrophils": 1, "lymphocytes": -1, "platelets": 1},
    "kidney": {"creatinine": 1, "egfr": -1},
    "ldh": {"ldh": 1},
}
_SEX_NAMES = ("sex", "gender", "geschlecht")
#: Patients of one sex below which its own median is not trusted.
_MIN_OF_SEX = 5


def default_panels() -> pd.DataFrame:
    """Return the panels of `LabPanels` as a table to edit.

    Returns
    -------
    DataFrame
        ``panel``, ``analyte`` (canonical name) and ``sign``: 1 where a high value is abnormal, -1 where a low one is.

    Examples
    --------
    >>> table = default_panels()
    >>> table[table["panel"] == "kidney"].values.tolist()
    [['kidney', 'creatinine', 1], ['kidney', 'egfr', -1]]
    """
    rows = [(panel, analyte, sign) for panel, members in _PANELS.items() for analyte, sign in members.items()]
    return pd.DataFrame(rows, columns=["panel", "analyte", "sign"])


class LabPanels(TransformerMixin, BaseEstimator):
    """Mean of the standardised analytes of each panel: markers, liver, inflammation, kidney and LDH.

    Analytes are recognised by their column names; multiples of an upper limit of normal (``cga_over_uln``) stand in where the
    table lacks the values themselves. Skewed ones enter as logarithms; the median of the patient's sex is
    subtracted where the table has a column of sex; values are clipped and standardised (`ClippedScaler`), turned so that
    high means abnormal, and averaged over what was measured. Everything is learnt from the training rows.

    Parameters
    ----------
    panels : DataFrame, mapping or None, default=None
        Table with the columns ``panel``, ``analyte`` and ``sign`` (edit that of `default_panels`), or
        ``{panel: {analyte: sign}}``; None for the default.
    analytes : bool, default=False
        Also return each analyte, standardised, beside the panels.
    others : {"keep", "drop"}, default="keep"
        What becomes of columns that are not analytes, such as age, grade or Ki-67. They are prepared as by
        `LabPreprocessor`, without indicators of gaps. Sex, which the panels are adjusted for, is not among them where
        there is a panel, nor are analytes of no panel.

    Attributes
    ----------
    columns_ : dict of str to str
        Analyte to the column that holds it.
    panels_ : dict of str to dict
        Panel to analyte to sign, as far as the table holds them.
    others_ : list
        Other columns that are kept.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Raises
    ------
    ValueError
        If `panels` names an analyte that is not known, or a sign other than 1 and -1.

    Examples
    --------
    >>> table = pd.DataFrame({"CgA": [50.0, 500.0, 5000.0], "AST": [20.0, 40.0, 80.0], "ALT": [20.0, 40.0, None]})
    >>> LabPanels().fit_transform(table).round(2) + 0.0
       panel_markers  panel_liver
    0          -1.22        -1.11
    1           0.00         0.50
    2           1.22         1.22
    """

    def __init__(self, *, panels: Any = None, analytes: bool = False, others: str = "keep"):
        self.panels = panels
        self.analytes = analytes
        self.others = others

    def fit(self, X: Any, y: Any = None) -> LabPanels:
        """Find the analytes and learn medians and scales.

        Parameters
        ----------
        X : DataFrame of shape (n, k), or Cohort with ``"lab"``
        y : ignored

        Returns
        -------
        self
        """
        if self.others not in ("keep", "drop"):
            raise ValueError(f"`others` must be 'keep' or 'drop'; got {self.others!r}.")
        wanted = _checked_panels(self.panels)
        table = self._named(X)
        self.n_features_in_ = table.shape[1]
        self.feature_names_in_ = np.asarray(table.columns, dtype=object)
        members = {analyte for signs in wanted.values() for analyte in signs}
        self.columns_: dict[str, str] = {
            analyte: name for analyte, name in analyte_columns(table.columns).items() if analyte in members
        }
        self.panels_ = {
            panel: {analyte: sign for analyte, sign in signs.items() if analyte in self.columns_}
            for panel, signs in wanted.items()
        }
        self.panels_ = {panel: signs for panel, signs in self.panels_.items() if signs}
        sexes = [name for name in table.columns if name.strip().lower() in _SEX_NAMES]
        self.sex_column_ = sexes[0] if sexes else None
        taken = {name for name in table.columns if find_analyte(name) is not None}
        if self.columns_ and self.sex_column_ is not None:
            taken.add(self.sex_column_)
        self.others_ = [name for name in table.columns if name not in taken] if self.others == "keep" else []
        if self.columns_:
            values = self._values(table)
            self.log_ = PositiveLog().fit(values)
            adjusted = self._logged(values)
            self._learn_sexes(table, adjusted)
            self.scaler_ = ClippedScaler().fit(self._without_sex(table, adjusted))
        if self.others_:
            self.other_ = LabPreprocessor(indicators=False).fit(table[self.others_])
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Return one column per panel, then those asked for beside them.

        Parameters
        ----------
        X : DataFrame of shape (n, k), or Cohort with ``"lab"``

        Returns
        -------
        DataFrame of shape (n, n_features_out)
            NaN where no analyte of a panel was measured, and in all columns where nothing was.
        """
        check_is_fitted(self, "columns_")
        table = self._named(X)
        missing = [name for name in self.feature_names_in_ if name not in table.columns]
        if missing:
            raise ValueError(f"columns of training are missing: {', '.join(missing)}; pass the same table.")
        parts = []
        if self.columns_:
            scaled = pd.DataFrame(
                self.scaler_.transform(self._without_sex(table, self._logged(self._values(table)))),
                columns=list(self.columns_),
                index=table.index,
            )
            means = {
                f"panel_{panel}": pd.concat([sign * scaled[name] for name, sign in signs.items()], axis=1).mean(axis=1)
                for panel, signs in self.panels_.items()
            }
            parts.append(pd.DataFrame(means, index=table.index))
            if self.analytes:
                parts.append(scaled.rename(columns=self.columns_))
        if self.others_:
            names = self.other_.get_feature_names_out()
            parts.append(pd.DataFrame(self.other_.transform(table[self.others_]), columns=names, index=table.index))
        found = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=table.index)
        # Gaps of other columns are filled; a patient of whom nothing was measured has nothing.
        return found.mask(table[list(self.feature_names_in_)].isna().all(axis=1), axis=0)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns that `transform` gives."""
        check_is_fitted(self, "columns_")
        names = [f"panel_{panel}" for panel in self.panels_]
        names += list(self.columns_.values()) if self.analytes else []
        names += list(self.other_.get_feature_names_out()) if self.others_ else []
        return np.array(names, dtype=object)

    @staticmethod
    def _named(X: Any) -> pd.DataFrame:
        table = X if isinstance(X, pd.DataFrame) else as_cohort(X)["lab"]
        return table.set_axis([str(name) for name in table.columns], axis=1)

    def _values(self, table: pd.DataFrame) -> np.ndarray:
        values = np.column_stack([parse_column(table[name])[0] for name in self.columns_.values()])
        if np.isinf(values).any():
            name = list(self.columns_.values())[int(np.argwhere(np.isinf(values))[0, 1])]
            raise ValueError(f"Input X contains infinity in column {name!r}; leave unknown values empty.")
        return values

    def _logged(self, values: np.ndarray) -> np.ndarray:
        skewed = [_BY_NAME[name].log for name in self.columns_]
        return np.where(skewed, self.log_.transform(values), values)

    def _learn_sexes(self, table: pd.DataFrame, values: np.ndarray) -> None:
        """Keep the medians of each sex, and of all patients for those whose sex is not known."""
        self.medians_ = {"": _medians(values)}
        sexes = self._sexes(table)
        for sex in sorted(set(sexes) - {""}):
            if (sexes == sex).sum() >= _MIN_OF_SEX:
                own = _medians(values[sexes == sex])
                self.medians_[sex] = np.where(np.isnan(own), self.medians_[""], own)

    def _without_sex(self, table: pd.DataFrame, values: np.ndarray) -> np.ndarray:
        centres = [self.medians_.get(sex, self.medians_[""]) for sex in self._sexes(table)]
        return values - np.nan_to_num(np.array(centres).reshape(values.shape))

    def _sexes(self, table: pd.DataFrame) -> np.ndarray:
        """Return a short text per patient; which sex it means does not matter here, only who is of the same."""
        if self.sex_column_ is None:
            return np.full(len(table), "", dtype=object)
        cells = table[self.sex_column_].astype(object)
        first = [str(cell).strip().lower()[:1] if pd.notna(cell) else "" for cell in cells]
        return np.array(["f" if one == "w" else one for one in first], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.input_tags.dict = True
        return tags


_BY_NAME = {analyte.name: analyte for analyte in ANALYTES}


def _medians(values: np.ndarray) -> np.ndarray:
    return pd.DataFrame(values).median().to_numpy()


def _checked_panels(panels: Any) -> dict[str, dict[str, int]]:
    """Return panel -> analyte -> sign."""
    if panels is None:
        return {panel: dict(signs) for panel, signs in _PANELS.items()}
    if isinstance(panels, pd.DataFrame):
        lacking = [name for name in ("panel", "analyte", "sign") if name not in panels.columns]
        if lacking:
            raise ValueError(f"`panels` needs the columns panel, analyte and sign; {', '.join(lacking)} is missing.")
        found: dict[str, dict[str, int]] = {}
        for panel, analyte, sign in panels[["panel", "analyte", "sign"]].to_numpy(dtype=object):
            found.setdefault(str(panel), {})[str(analyte)] = sign
    elif isinstance(panels, Mapping):
        found = {str(panel): dict(signs) for panel, signs in panels.items()}
    else:
        raise TypeError(f"`panels` must be a DataFrame, a mapping or None; got {type(panels).__name__}.")
    for panel, signs in found.items():
        for analyte, sign in signs.items():
            if analyte not in _BY_NAME:
                raise ValueError(
                    f"`panels`: {analyte!r} in panel {panel!r} is not an analyte; use one of {', '.join(_BY_NAME)}."
                )
            if sign not in (1, -1):
                raise ValueError(f"`panels`: the sign of {analyte!r} in panel {panel!r} must be 1 or -1; got {sign!r}.")
    return found
