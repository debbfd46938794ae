"""Probabilities of models that were trained with class weights: weights move the decision, not the probability."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

#: Log odds beyond which no probability is told from 0 or 1.
_BOUND = 30.0
_TOLERANCE = 1e-4


def offset_to_prevalence(p_long: np.ndarray, long: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the log odds to add for the mean probability to be the share of long PFS.

    Parameters
    ----------
    p_long : ndarray of shape (n,)
        Probabilities that the class weights have shifted; NaN where there is none.
    long : ndarray of shape (n,)
        1 = long PFS.
    weights : ndarray of shape (n,), default=None
        Of the patients.

    Returns
    -------
    float
        0 where no offset reaches the share, or none is needed.

    Examples
    --------
    >>> round(offset_to_prevalence(np.full(4, 0.5), np.array([1, 1, 1, 0])), 4)
    1.0986
    """
    known = np.isfinite(p_long)
    if not known.any():
        return 0.0
    linear = np.clip(logit(np.clip(p_long[known], 0.0, 1.0)), -_BOUND, _BOUND)
    weight = np.ones(len(linear)) if weights is None else np.asarray(weights, dtype=float)[known]
    share = float(np.average(long[known], weights=weight))

    def beyond(offset: float) -> float:
        return float(np.average(expit(linear + offset), weights=weight)) - share

    # What a solver leaves open is no shift.
    if abs(beyond(0.0)) < _TOLERANCE or not beyond(-_BOUND) < 0 < beyond(_BOUND):
        return 0.0
    return float(brentq(beyond, -_BOUND, _BOUND, xtol=1e-10))


def offset_of_weights(weights: Mapping[int, float] | None) -> float:
    """Return the log odds that undo class weights in a model that minimises a weighted loss.

    Examples
    --------
    >>> round(offset_of_weights({0: 1.0, 1: 0.5}), 4), offset_of_weights(None), offset_of_weights({1: 0.0})
    (0.6931, 0.0, 0.0)
    """
    if weights is None:
        return 0.0
    short, long = (float(weights.get(code, 1.0)) for code in (0, 1))
    return float(np.log(short / long)) if min(short, long) > 0 else 0.0


def with_offset(p_long: np.ndarray, offset: float) -> np.ndarray:
    """Return probabilities with log odds added; 0 and 1 stay, and an offset of 0 changes no bit.

    Examples
    --------
    >>> with_offset(np.array([0.0, 0.5, 1.0]), np.log(3)).round(4).tolist()
    [0.0, 0.75, 1.0]
    """
    if offset == 0:
        return p_long
    odds = np.exp(offset)
    return p_long * odds / (p_long * odds + (1 - p_long))


def fit_forest(forest: Any, X: Any, long: np.ndarray, weights: np.ndarray | None) -> float:
    """Fit a random forest with class weights and return the offset of its out-of-bag probabilities.

    In-bag probabilities of a forest are far from those of new patients, so the offset would be too.
    """
    if forest.class_weight is None or not forest.bootstrap:
        forest.fit(X, long, sample_weight=weights)
        return 0.0
    forest.oob_score = True
    try:
        with warnings.catch_warnings():
            # A patient who is in every bag has no such probability; the others are enough.
            warnings.simplefilter("ignore")
            forest.fit(X, long, sample_weight=weights)
        if len(forest.classes_) < 2:
            return 0.0
        out_of_bag = forest.oob_decision_function_[:, 1].copy()
        # scikit-learn reports 0 for both classes where no tree left the patient out.
        out_of_bag[forest.oob_decision_function_.sum(axis=1) == 0] = np.nan
        return offset_to_prevalence(out_of_bag, long, weights)
    finally:
        forest.oob_score = False
        for name in ("oob_decision_function_", "oob_score_"):
            forest.__dict__.pop(name, None)


def logistic_offset(model: Any, X: Any, long: np.ndarray, weights: np.ndarray | None) -> float:
    """Return the offset of a fitted logistic regression; 0 without class weights, whose mean is the share already."""
    if model.class_weight is None:
        return 0.0
    return offset_to_prevalence(model.predict_proba(X)[:, 1], long, weights)
