"""What has been published about which values go with long PFS: directions for a prior, each with its source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._analytes import find_analyte, name_tokens
from prrt_estimators._arguments import parameter

#: How tracers are written -> what they bind.
_TRACERS: Mapping[str, tuple[str, ...]] = {
    "sstr": ("sstr", "somatostatin", "dotatate", "dotatoc", "dotanoc", "satoreotide", "octreotide", "dota"),
    "fdg": ("fdg", "fluorodeoxyglucose", "fludeoxyglucose"),
    "fdopa": ("fdopa", "dopa", "fluorodopa"),
}
ANY = "any"
#: Blocks whose columns are not of lesions, whatever they are called: the greatest SUV of a whole PET is a kidney's.
_NO_LESIONS = ("global_pet",)


@dataclass(frozen=True)
class Direction:
    """What was published about one variable.

    Parameters
    ----------
    variable : str
        Name of the column, or canonical name of the analyte.
    unit : str
        Unit of the variable; empty where it has none.
    direction : int
        1 if a high value goes with long PFS, -1 if with short.
    effect : str
        As published.
    tracer : str
        ``"sstr"`` or ``"fdg"`` where it holds for that tracer only, else ``"any"``.
    endpoint : str
        PFS, or OS (overall survival) where nothing is known of PFS.
    source : str
        First author, year, and where to find it.
    synonyms : tuple of str, default=()
        Other names of the column.
    """

    variable: str
    unit: str
    direction: int
    effect: str
    tracer: str
    endpoint: str
    source: str
    synonyms: tuple[str, ...] = ()


_HOU = "Hou 2021, doi:10.3389/fmed.2021.771912"
_CARLSEN = "Carlsen 2021, PMC8612344"
_ORTEGA = "Ortega 2021, J Nucl Med 62:1406"
_ATKINSON = "Atkinson 2021, PMC8366561"
_CHEN = "Chen 2022 (n = 195, PFS at one year after PRRT)"
_RUHWEDEL = "Ruhwedel 2021 (n = 125, PRRT)"
_BLACK = "Black 2019 (inflammation-based index, n = 55)"
_PAPANTONIOU = "Papantoniou 2024 (n = 557)"
_BAUR = "Baur 2025, doi:10.48550/arXiv.2511.05169 (n = 116)"
_CARCINOMA = "Sci Rep 2017, doi:10.1038/srep40609 (neuroendocrine carcinoma)"
#: Low attenuation is adverse in other cancers; in the 49 patients of this study it was not.
_MUSCLE = "Eur J Clin Nutr 2021, doi:10.1038/s41430-021-00915-4 (n = 49, PRRT)"
_THERANOSTICS = "Theranostics 2025 (n = 178)"

#: In the order of the page: images, panels, analytes, clinical columns.
DIRECTIONS: tuple[Direction, ...] = (
    Direction("log_avid_volume", "log mL", -1, "HR 2.24 (1.73 to 2.89)", "sstr", "PFS", _HOU, ("lesion_volume_ml",)),
    Direction("ct_pet_mismatch", "SD", -1, "disease that the tracer does not show", "sstr", "OS", "Chan 2017, doi:10.7150/thno.18068"),
    Direction("log_peak_mean", "log SUV", 1, "higher uptake in responders", "sstr", "response", _ORTEGA, ("suv_mean", "suv_max", "suv_peak")),
    Direction("log_suv_p10", "log SUV", 1, "HR 0.32 (0.20 to 0.51) of low volume with high minimum", "sstr", "PFS", _CARLSEN, ("suv_mean_lowest",)),
    Direction("log_peak_spread", "log SUV", -1, "entropy and skewness, p 0.01 to 0.05", "sstr", "PFS", _ATKINSON),
    Direction("lesion_suv_spread", "log SUV", -1, "entropy and skewness, p 0.01 to 0.05", "sstr", "PFS", _ATKINSON),
    Direction("uptake_cv", "", -1, "entropy and skewness, p 0.01 to 0.05", "sstr", "PFS", _ATKINSON, ("suv_dispersion",)),
    Direction("suv_max_fdg", "SUV", -1, "HR 8.4 above SUV 3", "fdg", "PFS", "Binderup 2010, doi:10.1158/1078-0432.CCR-09-1759", ("log_peak_mean", "suv_max")),
    Direction("lesion_hu_z", "SD", 1, "HR 2.32 of hypoenhancement (pancreas)", ANY, "OS", "Worhunsky 2014, doi:10.1111/hpb.12139"),
    Direction("muscle_hu", "HU", 1, "adverse if low in other cancers; HR 0.77 (p 0.47) here", ANY, "PFS", _MUSCLE),
    Direction("panel_markers", "SD", -1, "HR 2.05 of CgA", ANY, "PFS", _RUHWEDEL),
    Direction("panel_liver", "SD", -1, "GGT, p 0.002; De Ritis HR 1.7", ANY, "PFS", f"{_BAUR}; {_RUHWEDEL}"),
    Direction("panel_inflammation", "SD", -1, "HR 14.2 of an index above 0", ANY, "PFS", _BLACK),
    Direction("panel_kidney", "SD", -1, "creatinine in a model of AUC 0.81", ANY, "PFS", _CHEN),
    Direction("panel_ldh", "SD", -1, "median OS 9 months from 2 x ULN, 16 of all", ANY, "OS", _CARCINOMA),
    Direction("cga", "ug/L", -1, "HR 2.05; p 0.003", ANY, "PFS", f"{_RUHWEDEL}; {_BAUR}"),
    Direction("ggt", "U/L", -1, "p 0.002", ANY, "PFS", _BAUR),
    Direction("ast", "U/L", -1, "De Ritis ratio HR 1.7", ANY, "PFS", _RUHWEDEL),
    Direction("ldh", "U/L", -1, "median OS 9 months from 2 x ULN, 16 of all", ANY, "OS", _CARCINOMA),
    Direction("albumin", "g/L", 1, "CRP/albumin HR 1.84", ANY, "OS", _PAPANTONIOU),
    Direction("crp", "mg/L", -1, "CRP/albumin HR 1.84", ANY, "OS", _PAPANTONIOU),
    Direction("creatinine", "mg/dL", -1, "in a model of AUC 0.81", ANY, "PFS", _CHEN),
    Direction("nse", "ug/L", -1, "HR 1.98 above 35", ANY, "PFS", _THERANOSTICS),
    Direction("ki67", "%", -1, "HR 1.89 above 5 %", ANY, "PFS", _THERANOSTICS, ("ki 67", "ki67 percent", "ki 67 percent", "ki67 index", "ki 67 index")),
    Direction("prior_chemotherapy", "", -1, "in a model of AUC 0.81", ANY, "PFS", _CHEN, ("chemotherapy_before", "previous_chemotherapy", "chemo_before", "prior_chemo")),
)  # fmt: skip


def published_directions() -> pd.DataFrame:
    """Return the published directions as a table, to read or to edit and pass as ``prior=``.

    Returns
    -------
    DataFrame
        ``variable``, ``unit``, ``direction`` (1: high goes with long PFS, -1: with short), ``effect``, ``tracer``,
        ``endpoint``, ``source``.

    Examples
    --------
    >>> table = published_directions().set_index("variable")
    >>> table.loc[["cga", "albumin"], "direction"].tolist()
    [-1, 1]
    """
    names = [field.name for field in fields(Direction) if field.name != "synonyms"]
    return pd.DataFrame([[getattr(one, name) for name in names] for one in DIRECTIONS], columns=names)


def read_tracer(tracer: str | None) -> str | None:
    """Return what a tracer binds: ``"sstr"``, ``"fdg"``, ``"fdopa"``; None if it is not known.

    Raises
    ------
    ValueError
        If the text names none of them.

    Examples
    --------
    >>> read_tracer("68Ga-DOTATATE"), read_tracer("[18F]FDG"), read_tracer(None)
    ('sstr', 'fdg', None)
    """
    if tracer is None:
        return None
    text = re.sub(r"[^a-z]", "", str(tracer).lower())
    found = [kind for kind, words in _TRACERS.items() if any(word in text for word in words)]
    if len(found) != 1:
        raise ValueError(
            f"{parameter('tracer')} must be one of {', '.join(_TRACERS)}, a name such as '68Ga-DOTATATE', or None; got {tracer!r}."
        )
    return found[0]


def match_directions(columns: Iterable[Any], prior: Any, tracer: str | None) -> pd.DataFrame:
    """Return the direction of each column that the prior knows.

    Parameters
    ----------
    columns : iterable of str
        Names; what stands before ``"__"`` (the block) is ignored.
    prior : "published", DataFrame, mapping or None
        As of `CoxPFSClassifier`.
    tracer : str or None
        As of `read_tracer`; None turns off what holds for one tracer only.

    Returns
    -------
    DataFrame, a row per known column
        ``position``, ``column``, ``variable``, ``direction``, ``tracer``, ``source``.
    """
    known = _known(prior, tracer)
    rows = []
    for position, column in enumerate(columns):
        for key in _keys(column):
            if key in known:
                rows.append((position, column, *known[key]))
                break
    return pd.DataFrame(rows, columns=["position", "column", "variable", "direction", "tracer", "source"])


def _known(prior: Any, tracer: str | None) -> dict[str, tuple[str, int, str, str]]:
    if prior is None:
        return {}
    if isinstance(prior, str):
        if prior != "published":
            raise ValueError(f"`prior` must be 'published', None, a table or a mapping; got {prior!r}.")
        entries = [(name, one) for one in DIRECTIONS for name in (one.variable, *one.synonyms)]
        rows = [(name, one.variable, one.direction, one.tracer, one.source) for name, one in entries]
    elif isinstance(prior, pd.DataFrame):
        lacking = [name for name in ("variable", "direction") if name not in prior.columns]
        if lacking:
            raise ValueError(f"`prior` needs the columns variable and direction; {' and '.join(lacking)} is missing.")
        tracers = prior["tracer"] if "tracer" in prior.columns else pd.Series(ANY, index=prior.index)
        sources = prior["source"] if "source" in prior.columns else pd.Series("", index=prior.index)
        columns = zip(prior["variable"], prior["direction"], tracers.fillna(ANY), sources.fillna(""), strict=True)
        rows = [(str(variable), str(variable), *rest) for variable, *rest in columns]
    elif isinstance(prior, Mapping):
        rows = [(str(name), str(name), sign, ANY, "") for name, sign in prior.items()]
    else:
        raise TypeError(f"`prior` must be 'published', None, a DataFrame or a mapping; got {type(prior).__name__}.")
    binds = read_tracer(tracer)
    found: dict[str, tuple[str, int, str, str]] = {}
    for name, variable, sign, kind, source in rows:
        if not isinstance(sign, (int, float, np.integer, np.floating)) or sign not in (-1, 0, 1):
            raise ValueError(f"`prior`: the direction of {variable!r} must be 1, 0 or -1; got {sign!r}.")
        if sign != 0 and str(kind) in (ANY, binds):
            for key in _keys(name):
                found.setdefault(key, (variable, int(sign), str(kind), source))
    return found


def _keys(name: Any) -> list[str]:
    """Return the spellings under which a column is looked for: itself, its words, its analyte; block names dropped."""
    block, _, text = str(name).rpartition("__")
    if block in _NO_LESIONS:
        return []
    analyte = find_analyte(text)
    return [text, " ".join(name_tokens(text)), *([analyte.name] if analyte is not None else [])]
