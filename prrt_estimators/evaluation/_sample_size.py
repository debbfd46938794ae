"""How many patients a prediction model needs, by Riley's criteria."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats


class SampleSize(NamedTuple):
    """Answer of :func:`riley_sample_size`.

    Attributes
    ----------
    shrinkage, optimism, overall_risk : int
        Patients by criterion.
    n : int
        The greatest of them.
    events_per_parameter : float
        Patients of the rarer class per parameter at `n`.
    """

    shrinkage: int
    optimism: int
    overall_risk: int
    n: int
    events_per_parameter: float


def r2_of_auroc(auroc: float, prevalence: float) -> float:
    r"""Return the Cox-Snell R² of a model with an AUROC, whose linear predictor is normal in either class.

    The linear predictor is :math:`N(0, 1)` in one class and :math:`N(d, 1)` in the other with :math:`d = \sqrt 2\,
    \Phi^{-1}(AUROC)`; the expected log likelihood is integrated.

    Parameters
    ----------
    auroc : float
        Above 0.5 and below 1.
    prevalence : float
        Share of either class.

    Returns
    -------
    float

    References
    ----------
    Riley et al., "A note on estimating the Cox-Snell R² from a reported C statistic", Statistics in Medicine 2021,
    doi:10.1002/sim.8806.

    Examples
    --------
    >>> round(r2_of_auroc(0.7, 0.36), 3)
    0.112
    """
    if not 0.5 < auroc < 1:
        raise ValueError(f"`auroc` must lie between 0.5 and 1; got {auroc}.")
    _check_share(prevalence)
    apart = math.sqrt(2) * stats.norm.ppf(auroc)
    x = np.linspace(-9, 9 + apart, 4001)
    linear = apart * x - apart**2 / 2 + math.log(prevalence / (1 - prevalence))
    log_one, log_none = -np.logaddexp(0, -linear), -np.logaddexp(0, linear)
    one = np.trapezoid(stats.norm.pdf(x, apart) * log_one, x)
    none = np.trapezoid(stats.norm.pdf(x) * log_none, x)
    fitted = prevalence * one + (1 - prevalence) * none
    return float(1 - math.exp(2 * (_null(prevalence) - fitted)))


def riley_sample_size(
    n_parameters: int,
    prevalence: float,
    *,
    r2: float | None = None,
    auroc: float | None = None,
    shrinkage: float = 0.9,
    margin: float = 0.05,
) -> SampleSize:
    r"""Patients that a model of a class needs so that it is not overfitted and its mean risk is precise.

    With :math:`P` parameters, Cox-Snell :math:`R^2` and shrinkage :math:`S`:

    .. math:: n = \frac{P}{(S - 1) \ln(1 - R^2 / S)}

    for the shrinkage wanted, for the shrinkage at which Nagelkerke's :math:`R^2` is too high by 0.05, and
    :math:`(1.96 / margin)^2 \phi (1 - \phi)` for the overall risk.

    Parameters
    ----------
    n_parameters : int
        Candidate parameters: every column that may enter, every category less one, every spline term.
    prevalence : float
        Share of the class.
    r2 : float, default=None
        Cox-Snell R² that is expected; or give `auroc`.
    auroc : float, default=None
        AUROC that is expected, from which R² follows (:func:`r2_of_auroc`).
    shrinkage : float, default=0.9
        Wanted.
    margin : float, default=0.05
        Of the overall risk.

    Returns
    -------
    SampleSize
        ``shrinkage``, ``optimism``, ``overall_risk`` (patients by criterion), ``n`` and ``events_per_parameter`` of the
        rarer class.

    Raises
    ------
    ValueError
        If neither or both of `r2` and `auroc` are given, or a value is out of range.

    References
    ----------
    Riley et al., "Calculating the sample size required for developing a clinical prediction model", BMJ 2020,
    doi:10.1136/bmj.m441.

    Examples
    --------
    >>> riley_sample_size(24, 0.174, r2=0.288)
    SampleSize(shrinkage=623, optimism=662, overall_risk=221, n=662, events_per_parameter=4.79...)
    """
    if n_parameters < 1:
        raise ValueError(f"`n_parameters` must be at least 1; got {n_parameters}.")
    _check_share(prevalence)
    if (r2 is None) == (auroc is None):
        raise ValueError("give one of `r2` and `auroc`.")
    expected = r2_of_auroc(float(auroc), prevalence) if auroc is not None else float(r2)  # type: ignore[arg-type]
    greatest = 1 - math.exp(2 * _null(prevalence))
    if not 0 < expected < greatest:
        raise ValueError(
            f"`r2` must lie between 0 and {greatest:.3f}, the greatest at this prevalence; got {expected:.3f}."
        )
    second = expected / (expected + 0.05 * greatest)
    first, other = (math.ceil(n_parameters / ((one - 1) * math.log(1 - expected / one))) for one in (shrinkage, second))
    overall = math.ceil((1.96 / margin) ** 2 * prevalence * (1 - prevalence))
    n = max(first, other, overall)
    return SampleSize(first, other, overall, n, n * min(prevalence, 1 - prevalence) / n_parameters)


def _null(prevalence: float) -> float:
    """Return the log likelihood per patient of the prevalence alone."""
    return prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)


def _check_share(prevalence: float) -> None:
    if not 0 < prevalence < 1:
        raise ValueError(f"`prevalence` must lie between 0 and 1; got {prevalence}.")
