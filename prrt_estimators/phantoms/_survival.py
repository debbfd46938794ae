"""Progression-free survival times from a Weibull proportional-hazards model."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from prrt_estimators.phantoms._factors import CENTRES, FACTORS, hazard_weights

HORIZON = 12.0
#: Share with PFS <= 12 months (Baur 2025) and median PFS in months. DOMAIN's Weibull(1.26, 22) has a median of
#: 16.5 and 37 %; Ruhwedel 2021 reports 15.8, with quartiles 8.2 and 28.5.
SHORT_SHARE = 0.36
MEDIAN_MONTHS = 16.4
LONGEST_MONTHS = 180.0

_SAMPLE = 200_000
_SAMPLE_SEED = 20251105


@lru_cache(maxsize=4)
def reference_population(n_centres: int) -> tuple[np.ndarray, np.ndarray]:
    """Return factors (m, factors), in float32, and log standard-exponential draws (m,) of a large sample."""
    rng = np.random.default_rng(_SAMPLE_SEED)
    factors = rng.standard_normal((_SAMPLE, len(FACTORS)), dtype=np.float32)
    factors[:, FACTORS.index("burden")] += centre_shift(n_centres)
    log_exponential = np.log(rng.standard_exponential(_SAMPLE))
    return factors, log_exponential


def centre_shift(n_centres: int) -> np.ndarray:
    """Return the case-mix shift of burden in the reference population, shape (m,)."""
    shifts = np.array([centre.burden_shift for centre in CENTRES[:n_centres]], dtype=np.float32)
    return shifts[np.arange(_SAMPLE) % n_centres]


@lru_cache(maxsize=32)
def calibrate(signal: float, n_centres: int) -> tuple[float, float]:
    """Return (shape, scale) with which PFS has the published median and share within a year.

    For a patient with log hazard ratio ``eta``, ``T = scale * (E exp(-eta)) ** (1 / shape)`` with ``E`` standard
    exponential. Patients differ in ``eta``, which flattens the hazard of the whole cohort: the conditional shape is
    larger than the shape of about 1.3 to 1.4 that a Weibull fit to the cohort gives.
    """
    factors, log_exponential = reference_population(n_centres)
    spread = log_exponential - factors @ hazard_weights(signal).astype(np.float32)
    at_horizon, at_median = np.quantile(spread, [SHORT_SHARE, 0.5])
    shape = float((at_median - at_horizon) / np.log(MEDIAN_MONTHS / HORIZON))
    scale = float(MEDIAN_MONTHS / np.exp(at_median / shape))
    return shape, scale


@lru_cache(maxsize=32)
def censoring_rate(share: float, signal: float, n_centres: int) -> float:
    """Return the rate (per month) of exponential censoring with which this share of patients is censored."""
    if share == 0:
        return 0.0
    shape, scale = calibrate(signal, n_centres)
    factors, log_exponential = reference_population(n_centres)
    eta = factors @ hazard_weights(signal).astype(np.float32)
    times = progression_time(log_exponential, eta, shape, scale)
    low, high = 1e-6, 10.0
    for _ in range(60):
        rate = np.sqrt(low * high)
        if np.mean(-np.expm1(-rate * times)) < share:
            low = rate
        else:
            high = rate
    return float(rate)


def progression_time(log_exponential: np.ndarray, eta: np.ndarray, shape: float, scale: float) -> np.ndarray:
    """Return PFS in months for log standard-exponential draws and log hazard ratios."""
    return scale * np.exp((log_exponential - eta) / shape)


def survival_at(months: float, eta: np.ndarray, shape: float, scale: float) -> np.ndarray:
    """Return the probability of PFS beyond `months` for given log hazard ratios."""
    return np.exp(-np.exp(shape * np.log(months / scale) + eta))
