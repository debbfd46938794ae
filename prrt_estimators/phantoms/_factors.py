"""What drives a synthetic patient: latent factors, and which of them each scan shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from prrt_estimators._modalities import CT, PET

#: Latent factors; each is standard normal and independent of the others (before the case mix of a centre).
FACTORS = (
    "burden",
    "discordance",
    "expression",
    "heterogeneity",
    "liver_share",
    "dedifferentiation",
    "steatosis",
    "muscle",
    "secretion",
    "inflammation",
    "hepatic",
    "renal",
    "body_size",
)

#: Log hazard ratio per standard deviation at ``signal=1``. Solved for the attainable AUROC of 0.66 (labs),
#: 0.70 (PET), 0.64 (CT) and 0.82 (all), which `attainable` computes and a test checks.
LOG_HAZARD_RATIOS: Mapping[str, float] = {
    "burden": 0.10,
    "discordance": 0.56,
    "expression": -0.465,
    "heterogeneity": 0.58,
    "dedifferentiation": 0.30,
    "steatosis": 0.18,
    "muscle": -0.21,
    "secretion": 0.345,
    "inflammation": 0.345,
    "hepatic": 0.43,
    "renal": 0.215,
}

# Burden as each scan sees it: SR-PET shows the avid tumour only, CT the tumour that changes density. Their
# difference, receptor-negative disease, is seen by neither scan alone, as in patients.
_SHARE = 0.45
_COMMON = float(np.sqrt(1.0 - _SHARE**2))

#: Rows of what each scan shows, as combinations of factors.
VISIBLE: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    PET.name: {
        "avid_burden": {"burden": _COMMON, "discordance": -_SHARE},
        "expression": {"expression": 1.0},
        "heterogeneity": {"heterogeneity": 1.0},
        "liver_share": {"liver_share": 1.0},
        "body_size": {"body_size": 1.0},
    },
    CT.name: {
        "ct_burden": {"burden": _COMMON, "discordance": _SHARE},
        "dedifferentiation": {"dedifferentiation": 1.0},
        "steatosis": {"steatosis": 1.0},
        "muscle": {"muscle": 1.0},
        "liver_share": {"liver_share": 1.0},
        "body_size": {"body_size": 1.0},
    },
}


@dataclass(frozen=True)
class Centre:
    """How one treatment centre differs from the others."""

    burden_shift: float = 0.0
    grid_factor: float = 1.0
    psf_mm: float = 6.0
    pet_noise: float = 1.0
    ct_noise: float = 1.0
    cga_factor: float = 1.0
    orientation: str = "RAS"


#: The first is the only one of a single-centre cohort.
CENTRES = (
    Centre(),
    Centre(0.4, 1.08, 7.5, 1.6, 1.5, 1.35, "LPS"),
    Centre(-0.3, 0.96, 4.5, 0.7, 0.8, 0.80, "LAS"),
    Centre(0.2, 1.04, 6.5, 1.2, 1.8, 1.00, "RPS"),
    Centre(-0.2, 1.00, 5.5, 1.0, 1.2, 1.60, "PSR"),
    Centre(0.0, 1.10, 8.0, 1.9, 1.0, 0.90, "LPI"),
)

_STREAMS = (
    "factors",
    "survival",
    "labs",
    "anatomy",
    "lesions",
    "pet_noise",
    "ct_noise",
    "gaps",
    "scan",
    "absent",
    "bowel",
)


@dataclass(frozen=True)
class Patient:
    """One synthetic patient: factor values, demographics, and the seed of everything else about them."""

    number: int
    entropy: int
    factors: Mapping[str, float]
    age: float
    sex: str
    height_cm: float
    weight_kg: float
    centre: int

    @property
    def id(self) -> str:
        """Pseudonymous id."""
        return f"P{self.number + 1:04d}"

    def rng(self, stream: str) -> np.random.Generator:
        """Return this patient's generator for one purpose, the same however many patients there are."""
        return _generator(self.entropy, self.number, stream)

    def seen(self, modality: str) -> dict[str, float]:
        """Return the combinations of factors that a scan of this patient shows."""
        return {
            name: sum(weight * self.factors[factor] for factor, weight in row.items())
            for name, row in VISIBLE[modality].items()
        }

    def with_factors(self, **values: float) -> Patient:
        """Return the same patient, same anatomy and noise, with some factors set to other values."""
        return replace(self, factors={**self.factors, **values})


def _generator(entropy: int, number: int, stream: str) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(number, _STREAMS.index(stream))))


def draw_patient(entropy: int, number: int, n_centres: int) -> Patient:
    """Draw patient `number` of the cohort with this entropy."""
    rng = _generator(entropy, number, "factors")
    values = dict(zip(FACTORS, rng.standard_normal(len(FACTORS)).tolist(), strict=True))
    centre_draw, sex_draw = rng.random(2)
    centre = min(int(centre_draw * n_centres), n_centres - 1)
    if n_centres > 1:
        values["burden"] += CENTRES[centre].burden_shift
    female = sex_draw < 0.45
    age = float(np.clip(np.round(rng.normal(62.0, 11.0)), 25, 88))
    height = float(np.round(rng.normal(165.0, 6.0) if female else rng.normal(177.0, 6.5)))
    weight = float(np.round(25.0 * np.exp(0.14 * np.clip(values["body_size"], -2, 2.5)) * (height / 100) ** 2))
    return Patient(number, entropy, values, age, "F" if female else "M", height, weight, centre)


def factor_matrix(rows: Mapping[str, Mapping[str, float]]) -> np.ndarray:
    """Return combinations of factors as a matrix of shape (rows, factors)."""
    matrix = np.zeros((len(rows), len(FACTORS)))
    for k, row in enumerate(rows.values()):
        for factor, weight in row.items():
            matrix[k, FACTORS.index(factor)] = weight
    return matrix


def hazard_weights(signal: float) -> np.ndarray:
    """Return the log hazard ratio of each factor, shape (factors,)."""
    return signal * factor_matrix({"log_hazard": LOG_HAZARD_RATIOS})[0]
