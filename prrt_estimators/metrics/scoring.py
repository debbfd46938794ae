"""The scores of a comparison as scikit-learn scorers."""

from __future__ import annotations

from collections.abc import Callable

from prrt_estimators.metrics._score import scores_of
from prrt_estimators.metrics._survival_entries import SurvivalScorer


def prrt_scorers(target: str = "class", *, horizon: float = 12.0) -> dict[str, Callable[..., float]]:
    """Scorers for ``cross_validate(..., scoring=prrt_scorers())`` and for a comparison of models.

    They take any binary classifier with ``predict_proba``. The positive class is long PFS: 1, True, a word that says so, or
    the class that an estimator of this library keeps; of other numbers the greater one.
    Where the test fold holds one class only, the score is NaN with an ``UndefinedMetricWarning``. Greater is better
    for each of them, so that ``GridSearchCV(..., scoring=prrt_scorers(), refit=name)`` picks the best.

    Parameters
    ----------
    target : str, default="class"
        Kind of target: the registered scores (`SCORES`) that are available for it; "time" for survival models, whose
        ``y`` holds ``event`` and ``time``. These names are also known to scikit-learn: ``scoring="uno_c"``.
    horizon : float, default=12.0
        Months at which scores of one moment are taken, such as ``auc_horizon``.

    Returns
    -------
    dict of str to scorer
        ``auroc``; ``auprc`` (average precision of the positive class); ``auprc_short`` (average precision of the
        other class); ``neg_brier`` (the Brier score times -1).

    Raises
    ------
    ValueError
        If there is no score for such a target.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_validate
    >>> X, y = make_classification(random_state=0)
    >>> scores = cross_validate(LogisticRegression(), X, y, cv=3, scoring=prrt_scorers())
    >>> [key for key in scores if key.startswith("test_")]
    ['test_auroc', 'test_auprc', 'test_auprc_short', 'test_neg_brier']
    """
    found = {score.name: score.scorer for score in scores_of(target)}
    if horizon != 12.0:
        found = {
            name: one.given(horizon=float(horizon)) if isinstance(one, SurvivalScorer) else one
            for name, one in found.items()
        }
    if not found:
        raise ValueError(f"`target` must be a kind of target that some score is available for; got {target!r}.")
    return found
