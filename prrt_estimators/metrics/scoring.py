"""The scores of a comparison as scikit-learn scorers."""

from __future__ import annotations

from collections.abc import Callable

from prrt_estimators.metrics._score import scores_of


def prrt_scorers(target: str = "class") -> dict[str, Callable[..., float]]:
    """Scorers for ``cross_validate(..., scoring=prrt_scorers())`` and for a comparison of models.

    They take any binary classifier with ``predict_proba``. The positive class is long PFS: 1, True, a word that says so, or
    the class that an estimator of this library keeps; of other numbers the greater one.
    Where the test fold holds one class only, the score is NaN with an ``UndefinedMetricWarning``. Greater is better
    for each of them, so that ``GridSearchCV(..., scoring=prrt_scorers(), refit=name)`` picks the best.

    Parameters
    ----------
    target : str, default="class"
        Kind of target: the registered scores (`SCORES`) that are available for it.

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
    if not found:
        raise ValueError(f"`target` must be a kind of target that some score is available for; got {target!r}.")
    return found
