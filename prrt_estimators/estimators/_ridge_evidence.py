r"""Linear models with a Gaussian prior, and how well each strength of the prior explains what was seen.

For coefficients :math:`w` of standardised columns the prior is :math:`N(s\,m, I / a)`: directions :math:`m` of strength
:math:`s`, and precision :math:`a`. The mode minimises

.. math:: -\ell(w) + \frac{a}{2} \lVert w - s\,m \rVert^2,

and the evidence of :math:`(a, s)` is Laplace's approximation

.. math:: \ell(w) - \frac{a}{2} \lVert w - s\,m \rVert^2 + \frac{p}{2} \log a - \frac{1}{2} \log \det(H + a I).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import cho_factor, cho_solve

#: Newton steps end where the objective falls by less than this share of itself.
_TOLERANCE = 1e-12
_MAX_STEPS = 60


class Likelihood(Protocol):
    """Log likelihood of linear predictors, with its derivatives in the coefficients."""

    def value(self, scores: np.ndarray) -> float:
        """Return the log likelihood."""

    def derivatives(self, X: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient and Hessian of the negative log likelihood in the coefficients of X."""


class CoxLikelihood:
    """Partial likelihood of Cox's model for the log hazard, ties after Breslow.

    Parameters
    ----------
    time : ndarray of shape (n,)
    event : ndarray of bool, shape (n,)
    weights : ndarray of shape (n,)
    """

    def __init__(self, time: np.ndarray, event: np.ndarray, weights: np.ndarray):
        self.order = np.argsort(-time, kind="stable")
        ordered = -time[self.order]
        # Patients with equal times share one risk set, so that their order in the table has no say.
        self.first = np.searchsorted(ordered, ordered, "left")
        self.last = np.searchsorted(ordered, ordered, "right") - 1
        self.weights = weights[self.order]
        self.deaths = self.weights * event[self.order]

    def value(self, scores: np.ndarray) -> float:
        """Return the log partial likelihood."""
        shifted, _, at_risk = self._risk(scores)
        return float(self.deaths @ (shifted - np.log(at_risk)))

    def derivatives(self, X: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient and Hessian of the negative log partial likelihood."""
        ordered = X[self.order]
        _, relative, at_risk = self._risk(scores)
        hazard = relative * self._steps(at_risk)
        means = np.cumsum(ordered * relative[:, None], axis=0)[self.last] / at_risk[:, None]
        gradient = ordered.T @ (hazard - self.deaths)
        hessian = (ordered * hazard[:, None]).T @ ordered - (means * self.deaths[:, None]).T @ means
        return gradient, hessian

    def baseline(self, scores: np.ndarray, moment: float, time: np.ndarray) -> float:
        """Return Breslow's cumulative hazard at a moment for a score of 0; `time` is that of the constructor."""
        relative = self.weights * np.exp(scores[self.order])
        at_risk = np.cumsum(relative)[self.last]
        passed = time[self.order] <= moment
        return float((self.deaths[passed] / at_risk[passed]).sum())

    def _risk(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shifted = scores[self.order] - scores.max()
        relative = self.weights * np.exp(shifted)
        return shifted, relative, np.maximum(np.cumsum(relative)[self.last], np.finfo(float).tiny)

    def _steps(self, at_risk: np.ndarray) -> np.ndarray:
        """Sum, for each patient, of deaths over those at risk, at the times up to the patient's own."""
        return np.cumsum((self.deaths / at_risk)[::-1])[::-1][self.first]


class LogisticLikelihood:
    """Bernoulli likelihood of a class; the intercept, which is not shrunk, is maximised out.

    Parameters
    ----------
    target : ndarray of shape (n,)
        0 or 1; a high score makes 1 probable.
    weights : ndarray of shape (n,)
    """

    def __init__(self, target: np.ndarray, weights: np.ndarray):
        self.target = target.astype(float)
        self.weights = weights

    def intercept(self, scores: np.ndarray) -> float:
        """Return the intercept that makes expected and observed numbers agree."""
        share = np.average(self.target, weights=self.weights)
        low, high = np.log(share / (1 - share)) - scores.max(), np.log(share / (1 - share)) - scores.min()
        level = (low + high) / 2
        for _ in range(200):
            probability = _sigmoid(scores + level)
            excess = self.weights @ (probability - self.target)
            low, high = (low, level) if excess > 0 else (level, high)
            slope = self.weights @ (probability * (1 - probability))
            newton = level - excess / slope if slope > 0 else np.inf
            new = newton if low <= newton <= high else (low + high) / 2
            if abs(new - level) <= 1e-14 * (1 + abs(level)):
                break
            level = new
        return float(level)

    def value(self, scores: np.ndarray) -> float:
        """Return the log likelihood at the best intercept."""
        logits = scores + self.intercept(scores)
        return float(self.weights @ (self.target * logits - np.logaddexp(0, logits)))

    def derivatives(self, X: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient and Hessian of the negative log likelihood, the intercept profiled out."""
        probability = _sigmoid(scores + self.intercept(scores))
        spread = self.weights * probability * (1 - probability)
        centre = spread @ X / max(spread.sum(), np.finfo(float).tiny)
        gradient = X.T @ (self.weights * (probability - self.target))
        return gradient, (X * spread[:, None]).T @ X - spread.sum() * np.outer(centre, centre)


@dataclass(frozen=True)
class Posterior:
    """Coefficients averaged over strengths, each weighted by its evidence.

    Parameters
    ----------
    coef : ndarray of shape (p,)
        Coefficients.
    from_prior : ndarray of shape (p,)
        The part of them that the directions gave: strength times direction, averaged.
    coef_without : ndarray of shape (p,)
        Coefficients averaged over the models of strength 0.
    precisions, strengths : ndarray of shape (k,)
        What was tried.
    shares : ndarray of shape (k,)
        Posterior probabilities, with sum 1.
    """

    coef: np.ndarray
    from_prior: np.ndarray
    coef_without: np.ndarray
    precisions: np.ndarray
    strengths: np.ndarray
    shares: np.ndarray


def average_by_evidence(
    X: np.ndarray,
    likelihood: Likelihood,
    *,
    precisions: np.ndarray,
    log_prior: np.ndarray,
    directions: np.ndarray,
    strengths: tuple[float, ...] = (0.0,),
    log_odds: tuple[float, ...] = (0.0,),
) -> Posterior:
    """Fit one model per precision and strength of the directions; average their coefficients by evidence.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Standardised columns; 0 where a value is missing.
    likelihood : Likelihood
    precisions : ndarray of shape (k,)
    log_prior : ndarray of shape (k,)
        Log of the prior probability of each precision, up to a constant.
    directions : ndarray of shape (p,)
        Prior mean of the coefficients for a strength of 1.
    strengths : tuple of float, default=(0.0,)
        Factors of `directions`.
    log_odds : tuple of float, default=(0.0,)
        Log of the prior probability of each, up to a constant.

    Returns
    -------
    Posterior
    """
    basis, reduced = _row_span(X)
    means = directions if basis is None else basis.T @ directions
    tried: list[tuple[float, float, float]] = []
    modes = []
    for strength, odds in zip(strengths, log_odds, strict=True):
        mode = strength * means
        for precision, prior in zip(precisions, log_prior, strict=True):
            mode, evidence = _mode(reduced, likelihood, precision, strength * means, mode)
            modes.append(mode)
            tried.append((precision, strength, evidence + prior + odds))
    grid = np.array(tried)
    shares = np.exp(grid[:, 2] - grid[:, 2].max())
    shares /= shares.sum()
    strength = float(shares @ grid[:, 1])
    plain = np.where(grid[:, 1] == 0, shares, 0.0)
    coef = shares @ np.array(modes)
    without = plain @ np.array(modes) / max(plain.sum(), np.finfo(float).tiny)
    if basis is not None:  # what lies outside the rows' span stays at its prior mean
        coef = basis @ coef + strength * (directions - basis @ means)
        without = basis @ without
    return Posterior(coef, strength * directions, without, grid[:, 0], grid[:, 1], shares)


def _row_span(X: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Return a basis (p, r) of the rows' span and X in it, where columns outnumber rows; else None and X.

    The likelihood sees X w alone, and the prior is the same in every direction: nothing is lost.
    """
    if X.shape[1] <= X.shape[0]:
        return None, X
    left, sizes, right = np.linalg.svd(X, full_matrices=False)
    kept = sizes > sizes[0] * max(X.shape) * np.finfo(float).eps if sizes[0] > 0 else np.zeros(len(sizes), bool)
    return right[kept].T, left[:, kept] * sizes[kept]


def _mode(
    X: np.ndarray, likelihood: Likelihood, precision: float, mean: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the posterior mode by damped Newton steps, and its log evidence."""

    def loss(coef: np.ndarray) -> float:
        return precision / 2 * float((coef - mean) @ (coef - mean)) - likelihood.value(X @ coef)

    coef, now = start, loss(start)
    for _ in range(_MAX_STEPS if len(coef) else 0):  # scipy before 1.14 solves no system without unknowns
        gradient, hessian = likelihood.derivatives(X, X @ coef)
        factor = cho_factor(hessian + precision * np.eye(len(coef)))
        step = cho_solve(factor, gradient + precision * (coef - mean))
        size = 1.0
        while size > 1e-6 and not (new := loss(coef - size * step)) <= now:
            size /= 2
        if size <= 1e-6:
            break
        coef = coef - size * step
        if now - new <= _TOLERANCE * (1 + abs(now)) and np.abs(step).max(initial=0.0) < 1e-9:
            now = new
            break
        now = new
    hessian = likelihood.derivatives(X, X @ coef)[1]
    curvature = np.linalg.slogdet(hessian + precision * np.eye(len(coef)))[1]
    return coef, -now + 0.5 * len(coef) * np.log(precision) - 0.5 * float(curvature)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(logits / 2))
