"""What all classifiers share: targets, inputs, tags."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from prrt_estimators._classes import check_all_in_order, check_same_order, positive_label
from prrt_estimators._forms import are_records, are_scans, as_array, plain_form
from prrt_estimators._modalities import IMAGING
from prrt_estimators._targets import ClassTarget, Target
from prrt_estimators._validation import KeepsPaths, as_cohort
from prrt_estimators.cohort import Cohort, Volumes
from prrt_estimators.estimators._class_prior import with_offset
from prrt_estimators.estimators._learnable import check_learnable, warn_of_copies
from prrt_estimators.estimators._saved_state import SavesStateMixin
from prrt_estimators.exceptions import MissingModalityError


class KnowsLongClass:
    """Mixin of classifiers that know which of their two labels is long PFS, however they sort."""

    classes_: np.ndarray
    _class_of_one: int

    @property
    def positive_class_(self) -> Any:
        """Label of long PFS among `classes_`: by its meaning, or `pos_label`."""
        check_is_fitted(self, "classes_")
        return positive_label(self.classes_, getattr(self, "pos_label", None), strict=False)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of patients whose class is right.

        Parameters
        ----------
        X : Cohort, mapping, DataFrame or array
            As for `fit`.
        y : array-like of shape (n,)
            Labels.
        sample_weight : array-like of shape (n,), default=None

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If X and y name the same patients in another order.
        """
        check_all_in_order(X=plain_form(X), y=y, sample_weight=sample_weight)
        return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))  # type: ignore[attr-defined]

    def _encode_classes(self, encoded: np.ndarray) -> np.ndarray:
        """Return labels as 1 for long PFS and 0, from their places in `classes_`; the inside knows no other."""
        positive = positive_label(self.classes_, getattr(self, "pos_label", None))
        self._class_of_one = int(np.flatnonzero(self.classes_ == positive)[0])
        return encoded if self._class_of_one == 1 else 1 - encoded

    def _ordered(self, columns: np.ndarray) -> np.ndarray:
        """Return probabilities of 0 and 1 as computed inside in the order of `classes_`."""
        return columns if getattr(self, "_class_of_one", 1) == 1 else columns[:, ::-1]

    def _inside_classes(self) -> np.ndarray:
        """Return the labels that 0 and 1 stand for inside."""
        return self._ordered(self.classes_[None])[0]


class BasePFSEstimator(KeepsPaths, SavesStateMixin, BaseEstimator):
    """What all estimators share: which modality an array stands for, the table, weights of patients, the target."""

    #: The modality that a plain 5-D array stands for; None if the estimator cannot tell.
    _image: ClassVar[str | None] = None
    _takes_table: ClassVar[bool] = True
    #: Whether importance and SHAP values of its columns are part of an explanation.
    _explains_columns: ClassVar[bool] = False
    _target: ClassVar[Target]
    #: What `fit` sets last, one of these: a fit that was interrupted has classes but no model.
    _set_last: ClassVar[tuple[str, ...]] = ("net_", "model_")

    def _cohort(self, X: Any) -> Cohort | None:
        """Return X as a Cohort; None for a plain table, which the laboratory preprocessing checks itself."""
        X = plain_form(X)
        # scipy's dictionary-of-keys matrix is a mapping too; it goes on to be refused as sparse.
        if not issparse(X) and (
            isinstance(X, (Mapping, Volumes)) or are_records(X) or are_scans(X, self._image is not None)
        ):
            return as_cohort(X, image=self._image)
        if self._takes_table and isinstance(X, (str, os.PathLike)):
            return as_cohort(X)  # which refuses it
        if not self._takes_table and isinstance(X, pd.DataFrame):
            raise ValueError(
                f"{type(self).__name__} takes a Cohort or a list of paths; got a table with the columns "
                f"{', '.join(map(str, X.columns[:5]))}. Pass Cohort.from_frame(table) or load_cohort(table).X."
            )
        if not self._takes_table:
            # Lists and arrays of another shape get scikit-learn's own message for what is not understood.
            raise ValueError(
                f"{type(self).__name__} takes a Cohort, a mapping with {self._image!r}, a list of paths or images, or an array of "
                f"shape (n, 1, D, H, W). Expected 5 dimensions, got {np.ndim(X)}; reshape your data."
            )
        return None

    def _table(self, X: Any, cohort: Cohort | None) -> Any:
        """Return the laboratory table of X."""
        if cohort is None:
            table = as_array(plain_form(X))
            scans = [one for one in getattr(table, "columns", ()) if str(one).strip().lower() in IMAGING]
            if known := [one for one in scans if one not in getattr(self, "feature_names_in_", scans)]:
                raise ValueError(
                    f"column {known[0]!r} of a table is not read as scans. Pass Cohort.from_frame(table) or load_cohort(table).X."
                )
            return table
        if "lab" not in cohort:
            raise MissingModalityError.of(type(self).__name__, ["lab"], cohort.modalities)
        return cohort["lab"]

    def _training_table(self, X: Any, cohort: Cohort | None) -> Any:
        """Return the laboratory table of training patients, whose columns must be predictors.

        Raises
        ------
        CohortError
            If a column holds files, identifiers, dates or an outcome (`LeakageError`).
        """
        table = self._table(X, cohort)
        check_learnable(table)
        return table

    def _check_target(self, X: Any, y: Any) -> np.ndarray:
        """Check y, store what is learnt from it alone (`classes_`), and return what the model learns."""
        checked = self._target.check(y, X=X, estimator=type(self).__name__)
        for name, value in checked.learnt.items():
            setattr(self, name, value)
        return checked.values

    def _note_columns(self, source: Any) -> None:
        """Keep what scikit-learn wants to know of the columns of the table, as `source` has it."""
        self.n_features_in_ = source.n_features_in_
        if hasattr(source, "feature_names_in_"):
            self.feature_names_in_ = source.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _with_weight(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, np.ndarray | None]:
        """Check sample_weight and leave out patients whose weight is zero, who must not shape anything."""
        X = plain_form(X)
        check_same_order(X, y, ("X", "y"))
        check_same_order(X, sample_weight, ("X", "sample_weight"))
        warn_of_copies(X, y)
        if sample_weight is None:
            return X, y, None
        if (isinstance(X, Mapping) and not issparse(X)) or are_records(X):
            X = as_cohort(X, image=self._image)
        weights = _check_sample_weight(as_array(sample_weight), X, ensure_non_negative=True)
        if not np.isfinite(weights).all():  # looked at here too: scikit-learn can be told to assume it
            raise ValueError("sample_weight contains NaN or infinity; every weight must be a number of at least 0.")
        if not weights.any():
            raise ValueError("sample_weight is zero for every patient; at least one must be positive.")
        if weights.all() or y is None:
            return X, y, weights
        rows = np.flatnonzero(weights)
        return _safe_indexing(X, rows), _safe_indexing(y, rows), weights[rows]

    def __sklearn_is_fitted__(self) -> bool:
        return any(hasattr(self, name) for name in self._set_last)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self._takes_table
        tags.input_tags.dict = True
        tags.input_tags.allow_nan = True
        tags.input_tags.string = self._takes_table
        tags.input_tags.categorical = self._takes_table
        return tags


class BasePFSClassifier(KnowsLongClass, ClassifierMixin, BasePFSEstimator):
    """Binary classifier of long against short PFS."""

    _target: ClassVar[Target] = ClassTarget()

    @property
    def decision_threshold_(self) -> float:
        """Probability of long PFS from which on `predict` says long: 0.5, moved by class weights.

        Class weights change the decision and not the probability: with ``class_weight="balanced"`` it is near the share
        of long PFS among the training patients.
        """
        check_is_fitted(self, "classes_")
        odds = float(np.exp(getattr(self, "offset_", 0.0)))  # absent from models that an earlier version saved
        return odds / (odds + 1.0)

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of each patient.

        Parameters
        ----------
        X : Cohort, mapping or array
            As for `fit`.

        Returns
        -------
        ndarray of shape (n,)
            The label of long PFS where its probability is at least `decision_threshold_`.
        """
        check_is_fitted(self)
        long = int(np.flatnonzero(self.classes_ == self.positive_class_)[0])
        return self.classes_[np.where(self.predict_proba(X)[:, long] >= self.decision_threshold_, long, 1 - long)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities of shape (n, 2), columns in the order of `classes_`."""
        raise NotImplementedError  # pragma: no cover - every estimator defines it

    def _calibrated(self, columns: np.ndarray) -> np.ndarray:
        """Return probabilities of 0 and 1 as a model computed them, less what class weights added to them."""
        offset = getattr(self, "offset_", 0.0)
        if offset == 0:
            return columns
        # Each from its own column, so that swapping the labels swaps the columns to the last bit.
        return np.column_stack([with_offset(columns[:, 0], -offset), with_offset(columns[:, 1], offset)])

    def _check_target(self, X: Any, y: Any) -> np.ndarray:
        return self._encode_classes(super()._check_target(X, y))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def check_one_is_long(estimator: Any) -> None:
    """Refuse a model of an earlier version that learnt words with short PFS as 1: its explanations would be inverted.

    Raises
    ------
    ValueError
    """
    inside = getattr(estimator, "_class_of_one", 1)
    if hasattr(estimator, "classes_") and estimator.classes_[inside] != estimator.positive_class_:
        raise ValueError(
            f"this {type(estimator).__name__} was fitted by an earlier version, which took {estimator.classes_[inside]!r} "
            "as the positive class; explanations would be inverted. Fit it again."
        )


def encoded_class_weight(class_weight: Any, classes: np.ndarray) -> Any:
    """Return a mapping label -> weight in terms of 0 and 1; anything else as it is.

    Raises
    ------
    ValueError
        If it names a label that y does not hold.
    """
    if not isinstance(class_weight, Mapping):
        return class_weight
    unknown = [label for label in class_weight if label not in classes]
    if unknown:
        raise ValueError(f"`class_weight` names the labels {unknown}, but y holds {classes.tolist()}.")
    weights = {int(np.flatnonzero(classes == label)[0]): float(weight) for label, weight in class_weight.items()}
    if not all(np.isfinite(weight) and weight >= 0 for weight in weights.values()) or sum(weights.values()) == 0:
        raise ValueError(
            f"`class_weight` must hold finite weights of at least 0, not all 0; got {dict(class_weight)}. Pass 'balanced' "
            "or None."
        )
    return weights


def class_weights(class_weight: Any, encoded: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return one weight per patient for ``"balanced"``, a mapping label -> weight, or None."""
    if class_weight is None:
        return np.ones(len(encoded))
    if isinstance(class_weight, str):
        counts = np.bincount(encoded, minlength=2)
        return (len(encoded) / (2 * counts))[encoded]
    weights = encoded_class_weight(class_weight, classes)
    return np.array([weights.get(k, 1.0) for k in range(2)])[encoded]
