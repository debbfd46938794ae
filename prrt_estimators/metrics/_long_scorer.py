"""A scorer that looks up which column of probabilities is that of long PFS."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, make_scorer

from prrt_estimators._classes import long_column

_Scorer: Any = type(make_scorer(accuracy_score))


class LongScorer(_Scorer):
    """scikit-learn's scorer, whose function gets 1 for long PFS and the probability of long PFS.

    scikit-learn passes on the column of the last label, which is ``"short"`` where labels are words.
    """

    def _score(self, method_caller: Any, estimator: Any, X: Any, y_true: Any, **kwargs: Any) -> Any:
        classes = getattr(estimator, "classes_", None)
        if classes is None or len(classes) != 2 or len(np.unique(np.asarray(y_true))) > 2:
            return super()._score(method_caller, estimator, X, y_true, **kwargs)
        label = classes[long_column(estimator)]
        p_long = method_caller(estimator, "predict_proba", X, pos_label=label)
        y = (np.asarray(y_true) == label).astype(np.int64)
        return self._sign * self._score_func(y, p_long, **{**self._kwargs, **kwargs})
