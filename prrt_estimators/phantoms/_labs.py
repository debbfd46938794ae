"""Laboratory values that follow the latent factors, written as a laboratory writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from prrt_estimators.phantoms._factors import CENTRES, Patient


@dataclass(frozen=True)
class Analyte:
    """How one value arises: centre (sex-specific), loadings on factors, own noise, and its limits.

    The loadings act on the natural logarithm where `log` is true, else on the value.
    """

    median_m: float
    median_f: float
    loadings: Mapping[str, float]
    noise: float
    log: bool = True
    decimals: int = 0
    lowest: float | None = None
    highest: float | None = None
    gap: float = 1.0
    bounds: tuple[float, float] = field(default=(0.0, np.inf))


#: Column name (with unit) -> analyte. Liver burden moves CgA, GGT, ALP, AST and ALT together.
PANEL: Mapping[str, Analyte] = {
    "chromogranin_a_ug_l": Analyte(
        210, 210, {"burden": 0.75, "secretion": 1.0}, 0.45, lowest=20, highest=5000, gap=0.6
    ),
    "ggt_u_l": Analyte(56, 42, {"hepatic": 0.55, "liver_share": 0.30, "burden": 0.15}, 0.40, lowest=6),
    "alp_u_l": Analyte(88, 84, {"hepatic": 0.22, "burden": 0.15, "liver_share": 0.08}, 0.25),
    "ast_u_l": Analyte(31, 26, {"hepatic": 0.30, "liver_share": 0.10, "burden": 0.06}, 0.20),
    "alt_u_l": Analyte(29, 22, {"hepatic": 0.12, "liver_share": 0.10}, 0.30),
    "ldh_u_l": Analyte(208, 208, {"burden": 0.10, "inflammation": 0.06}, 0.17),
    "bilirubin_mg_dl": Analyte(0.56, 0.46, {"hepatic": 0.22}, 0.33, decimals=1, lowest=0.2),
    "albumin_g_l": Analyte(
        41.5, 41.0, {"hepatic": -1.6, "inflammation": -1.4}, 2.5, log=False, decimals=1, bounds=(18, 55)
    ),
    "creatinine_mg_dl": Analyte(0.94, 0.75, {"renal": 0.18}, 0.10, decimals=2, gap=0.4),
    "crp_mg_l": Analyte(3.0, 3.0, {"inflammation": 0.95, "burden": 0.15}, 0.65, decimals=1, lowest=0.6),
    "haemoglobin_g_dl": Analyte(
        13.9, 12.8, {"inflammation": -0.55, "renal": -0.35}, 1.1, log=False, decimals=1, bounds=(6, 19)
    ),
    "neutrophils_nl": Analyte(4.1, 4.0, {"inflammation": 0.20}, 0.22, decimals=2),
    "lymphocytes_nl": Analyte(1.5, 1.6, {"inflammation": -0.15}, 0.28, decimals=2),
    "platelets_nl": Analyte(225, 245, {"inflammation": 0.10, "hepatic": -0.08}, 0.25),
    "nse_ug_l": Analyte(12.5, 12.5, {"secretion": 0.28, "burden": 0.20}, 0.25, decimals=1, gap=3.0),
}

#: Columns of the table, in the order of a clinical sheet.
COLUMNS = (
    "chromogranin_a_ug_l",
    "ggt_u_l",
    "alp_u_l",
    "ast_u_l",
    "alt_u_l",
    "ldh_u_l",
    "bilirubin_mg_dl",
    "albumin_g_l",
    "creatinine_mg_dl",
    "egfr_ml_min",
    "crp_mg_l",
    "haemoglobin_g_dl",
    "leukocytes_nl",
    "neutrophils_nl",
    "lymphocytes_nl",
    "platelets_nl",
    "nse_ug_l",
)

#: Computed from other columns, so that they carry no signal of their own.
DERIVED: Mapping[str, tuple[str, ...]] = {
    "egfr_ml_min": ("creatinine_mg_dl",),
    "leukocytes_nl": ("neutrophils_nl", "lymphocytes_nl"),
}


def ckd_epi_2021(creatinine_mg_dl: float, age: float, female: bool) -> float:
    """Return the estimated GFR in mL/min/1.73 m2 (doi 10.1056/NEJMoa2102953).

    Examples
    --------
    >>> round(ckd_epi_2021(1.0, 50, female=False), 1)
    91.7
    """
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = creatinine_mg_dl / kappa
    value = 142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.2 * 0.9938**age
    return value * (1.012 if female else 1.0)


def draw_labs(patients: Sequence[Patient], missing: float) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Draw the table of laboratory values.

    Returns
    -------
    table : DataFrame, shape (n, 2 + analytes)
        ``sex`` (``"F"``, ``"M"``), ``age`` and the values; a value below the limit of detection is half the
        limit, as `parse_number` reads it, one above the highest reading is that reading.
    exact : ndarray, shape (n, len(PANEL))
        Deviation of each value from its sex-specific centre (natural log where the analyte is on that scale),
        before rounding, limits and gaps.
    flags : DataFrame of str, shape (n, analytes)
        ``"<"`` below the limit of detection, ``">"`` above the highest reading, ``"gap"`` not measured, else "".
    """
    rows, exact, flags = [], np.empty((len(patients), len(PANEL))), []
    gaps = {name: missing * (PANEL[name].gap if name in PANEL else 1.0) for name in COLUMNS}
    for k, patient in enumerate(patients):
        row, exact[k], flag = _one(patient)
        for name, draw in zip(COLUMNS, patient.rng("gaps").random(len(COLUMNS)), strict=True):
            if draw < gaps[name]:
                row[name], flag[name] = np.nan, "gap"
        rows.append({"sex": patient.sex, "age": patient.age, **{name: row[name] for name in COLUMNS}})
        flags.append(flag)
    ids = [patient.id for patient in patients]
    return (
        pd.DataFrame(rows, index=ids).rename_axis("patient_id"),
        exact,
        pd.DataFrame(flags, index=ids, columns=list(COLUMNS)).rename_axis("patient_id"),
    )


def _one(patient: Patient) -> tuple[dict[str, float], np.ndarray, dict[str, str]]:
    rng = patient.rng("labs")
    noise = rng.standard_normal(len(PANEL))
    other_cells = rng.lognormal(np.log(0.7), 0.3)
    exact = np.array(
        [
            sum(load * patient.factors[name] for name, load in analyte.loadings.items()) + analyte.noise * z
            for analyte, z in zip(PANEL.values(), noise, strict=True)
        ]
    )
    raw = {}
    for (name, analyte), deviation in zip(PANEL.items(), exact, strict=True):
        median = analyte.median_f if patient.sex == "F" else analyte.median_m
        value = median * np.exp(deviation) if analyte.log else median + deviation
        raw[name] = float(np.clip(value, *analyte.bounds))
    raw["chromogranin_a_ug_l"] *= CENTRES[patient.centre].cga_factor
    flags = dict.fromkeys(COLUMNS, "")
    row = {}
    for name, value in raw.items():
        analyte = PANEL[name]
        value = round(value, analyte.decimals)
        if analyte.lowest is not None and value < analyte.lowest:
            value, flags[name] = analyte.lowest / 2, "<"
        elif analyte.highest is not None and value > analyte.highest:
            value, flags[name] = analyte.highest, ">"
        row[name] = value
    row["leukocytes_nl"] = round(raw["neutrophils_nl"] + raw["lymphocytes_nl"] + other_cells, 2)
    row["egfr_ml_min"] = round(ckd_epi_2021(max(row["creatinine_mg_dl"], 0.2), patient.age, patient.sex == "F"), 0)
    return row, exact, flags
