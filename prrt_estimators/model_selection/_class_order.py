"""Classifiers whose classes are not in ascending order, as scikit-learn's scorers expect them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if


class AscendingClasses(ClassifierMixin, BaseEstimator):
    """A fitted classifier of two classes, its columns in ascending order of the labels.

    Parameters
    ----------
    model : fitted classifier
    """

    def __init__(self, model: Any):
        self.model = model

    def fit(self, X: Any, y: Any) -> AscendingClasses:
        """Scorers ask for the method; the model is fitted already."""
        raise NotImplementedError

    @property
    def classes_(self) -> np.ndarray:
        """Labels in ascending order."""
        return np.sort(np.asarray(self.model.classes_))

    def predict(self, X: Any) -> np.ndarray:
        """Return the model's labels."""
        return self.model.predict(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities of shape (n, 2), in the order of `classes_`."""
        return np.asarray(self.model.predict_proba(X))[:, np.argsort(np.asarray(self.model.classes_))]

    @available_if(lambda self: hasattr(self.model, "decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Return scores that are greater for the greater label."""
        return -np.asarray(self.model.decision_function(X))


def in_ascending_order(model: Any) -> Any:
    """Return a fitted classifier as scorers expect it: itself, unless its two classes descend."""
    classes = getattr(model, "classes_", None)
    if classes is None or len(classes) != 2 or not classes[0] > classes[1]:
        return model
    return AscendingClasses(model)
