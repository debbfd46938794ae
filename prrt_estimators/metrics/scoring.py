"""The scores of a comparison as scikit-learn scorers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score, brier_score_loss, make_scorer, roc_auc_score

from prrt_estimators.metrics._check import holds_both_classes


def _greater_label(y_true: ArrayLike, name: str) -> np.ndarray | None:
    """Return 1 where the greater of two labels stands, or None (with a warning) if there is one label only."""
    labels, y = np.unique(np.asarray(y_true), return_inverse=True)
    if len(labels) > 2:
        raise ValueError(
            f"{name} needs two classes, short and long PFS; got {len(labels)}: {labels[:5].tolist()}. "
            "Turn times into classes first, e.g. y = time > 12."
        )
    return y if holds_both_classes(np.asarray(y_true), name, stacklevel=4) else None


def _auroc(y_true: ArrayLike, p_long: np.ndarray, sample_weight: ArrayLike | None = None) -> float:
    y = _greater_label(y_true, "AUROC")
    return np.nan if y is None else float(roc_auc_score(y, p_long, sample_weight=sample_weight))


def _auprc(y_true: ArrayLike, p_long: np.ndarray, sample_weight: ArrayLike | None = None) -> float:
    y = _greater_label(y_true, "AUPRC")
    return np.nan if y is None else float(average_precision_score(y, p_long, sample_weight=sample_weight))


def _auprc_short(y_true: ArrayLike, p_long: np.ndarray, sample_weight: ArrayLike | None = None) -> float:
    y = _greater_label(y_true, "AUPRC of the lesser label")
    if y is None:
        return np.nan
    return float(average_precision_score(1 - y, -np.asarray(p_long), sample_weight=sample_weight))


def _brier(y_true: ArrayLike, p_long: np.ndarray, sample_weight: ArrayLike | None = None) -> float:
    y = _greater_label(y_true, "Brier score")
    return np.nan if y is None else float(brier_score_loss(y, p_long, sample_weight=sample_weight))


def prrt_scorers() -> dict[str, Callable[..., float]]:
    """Scorers for ``cross_validate(..., scoring=prrt_scorers())`` and for a comparison of models.

    They take any binary classifier with ``predict_proba``. The positive class is the greater label: 1 = long PFS.
    Where the test fold holds one class only, the score is NaN with an ``UndefinedMetricWarning``.

    Returns
    -------
    dict of str to scorer
        ``auroc``; ``auprc`` (average precision of the positive class); ``auprc_short`` (average precision of the
        other class); ``brier``. The Brier score is reported as it is, so *lower is better*: it is here to be
        read in a table. To choose hyper-parameters by it, use scikit-learn's ``"neg_brier_score"``.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_validate
    >>> X, y = make_classification(random_state=0)
    >>> scores = cross_validate(LogisticRegression(), X, y, cv=3, scoring=prrt_scorers())
    >>> [key for key in scores if key.startswith("test_")]
    ['test_auroc', 'test_auprc', 'test_auprc_short', 'test_brier']
    """
    functions = {"auroc": _auroc, "auprc": _auprc, "auprc_short": _auprc_short, "brier": _brier}
    return {name: make_scorer(score, response_method="predict_proba") for name, score in functions.items()}
