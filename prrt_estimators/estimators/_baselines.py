"""What a network has to beat: logistic regression on a handful of numbers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._modalities import PET
from prrt_estimators._validation import check_modalities
from prrt_estimators.estimators._base import BasePFSClassifier, encoded_class_weight
from prrt_estimators.estimators._class_prior import logistic_offset
from prrt_estimators.estimators._unknown_patients import empty_rows, warn_of_nothing
from prrt_estimators.exceptions import MarkersMissingWarning
from prrt_estimators.preprocessing import GlobalPETFeatures, LabPreprocessor, LiteratureMarkers, prepare_volumes


class LabBaselineClassifier(BasePFSClassifier):
    """Logistic regression on chromogranin A / ULN, De Ritis ratio and creatinine / ULN.

    Markers that the table does not hold are left out; if it holds none of them, all its columns are used, with a
    `MarkersMissingWarning`.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the L2 penalty.
    class_weight : "balanced", mapping or None, default="balanced"
        Moves the decision of `predict`; probabilities are corrected for it.
    pos_label : label, default=None
        Label of long PFS in y. None knows 1, True and words such as "long" or "lang".

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
    positive_class_ : label
    markers_ : list of str
        Markers used; empty if all columns are.
    preprocessor_ : LabPreprocessor
    model_ : LogisticRegression
    offset_ : float
        Log odds added to those of `model_`, which undo what class weights add.

    References
    ----------
    Chen et al. 2022 (CgA, creatinine over ULN); Ruhwedel et al. 2021 (De Ritis ratio, CgA).

    Examples
    --------
    >>> table = pd.DataFrame({"CgA": [50.0, 900.0, 80.0, 2000.0], "AST": 30.0, "ALT": [30.0, 15.0, 25.0, 10.0]})
    >>> LabBaselineClassifier().fit(table, [1, 0, 1, 0]).markers_
    ['cga_uln', 'de_ritis']
    """

    _parameter_constraints: ClassVar[dict] = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "pos_label": "no_validation",
    }

    def __init__(self, *, C: float = 1.0, class_weight: Any = "balanced", pos_label: Any = None):
        self.C = C
        self.class_weight = class_weight
        self.pos_label = pos_label

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LabBaselineClassifier:
        """Learn medians, scales and coefficients from the training rows.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, or DataFrame of shape (n, k)
        y : array of shape (n,)
            1 for long PFS, 0 for short; or words such as "long" and "short", or any two labels with `pos_label`.
        sample_weight : array of shape (n,), default=None

        Returns
        -------
        self
        """
        self._validate_params()
        X, y, weights = self._with_weight(X, y, sample_weight)
        table = self._training_table(X, self._cohort(X))
        self.markers_ = []
        if isinstance(table, pd.DataFrame) and not isinstance(table.columns, pd.RangeIndex):
            self.finder_ = LiteratureMarkers().fit(table)
            self.markers_ = list(self.finder_.markers_)
            if not self.markers_:
                warnings.warn(
                    "the table holds none of CgA, AST with ALT, or creatinine, so LabBaselineClassifier uses all "
                    f"{table.shape[1]} columns: a weaker yardstick than the published one.",
                    MarkersMissingWarning,
                    stacklevel=2,
                )
        self.preprocessor_ = LabPreprocessor(log=self.markers_ or "auto")
        prepared = self.preprocessor_.fit_transform(self._used(table))
        encoded = self._check_target(prepared, y)
        # Of the columns given, not of the markers made from them.
        self._note_columns(self.finder_ if self.markers_ else self.preprocessor_)
        self.model_ = LogisticRegression(
            C=self.C, class_weight=encoded_class_weight(self.class_weight, self._inside_classes()), max_iter=2000
        )
        self.model_.fit(prepared, encoded, sample_weight=weights)
        self.offset_ = logistic_offset(self.model_, prepared, encoded, weights)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, or DataFrame of shape (n, k)

        Returns
        -------
        ndarray of shape (n, 2)
            Columns in the order of `classes_`: the second is long PFS where y was 0 and 1.
        """
        check_is_fitted(self)
        cohort = self._cohort(X)
        table = self._used(self._table(X, cohort))
        prepared = self.preprocessor_.transform(table)
        warn_of_nothing(empty_rows(table), None if cohort is None else cohort.ids, type(self).__name__)
        return self._ordered(self._calibrated(self.model_.predict_proba(prepared)))

    def _used(self, table: Any) -> Any:
        return self.finder_.transform(table) if self.markers_ else table


class PETBaselineClassifier(BasePFSClassifier):
    """Logistic regression on the logarithms of six global numbers of the PET, see `GlobalPETFeatures`.

    Parameters
    ----------
    threshold : float, default=4.0
        SUVbw above which volume counts.
    C : float, default=0.03
        Inverse strength of the L2 penalty; six numbers that rise together leave little to learn from a hundred patients.
    class_weight : "balanced", mapping or None, default="balanced"
        Moves the decision of `predict`; probabilities are corrected for it.
    pos_label : label, default=None
        Label of long PFS in y. None knows 1, True and words such as "long" or "lang".
    size : int or three ints, default=48
        Voxels of the box prepared while a file is open; give what the other models have, so that each file is opened
        once.
    spacing : float or three floats, default=8.0
        Millimetres between that box's voxels.
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
    positive_class_ : label
    model_ : Pipeline
        Imputer (for a patient without PET), inverse hyperbolic sine (a logarithm that takes zeros), scaler and logistic regression.
    offset_ : float
        Log odds added to those of `model_`, which undo what class weights add.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((6, 1, 8, 8, 8)) * np.array([1, 9, 2, 8, 1, 9]).reshape(-1, 1, 1, 1, 1)
    >>> PETBaselineClassifier().fit(X, [1, 0, 1, 0, 1, 0]).predict(X).tolist()
    [1, 0, 1, 0, 1, 0]
    """

    _image: ClassVar[str] = PET.name
    _takes_table: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict] = {
        "threshold": [Interval(Real, 0, None, closed="neither")],
        "C": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "pos_label": "no_validation",
        "size": ["array-like", Integral],
        "spacing": ["array-like", Real],
        "cache_dir": [str, os.PathLike, None],
    }

    def __init__(
        self,
        *,
        threshold: float = 4.0,
        C: float = 0.03,
        class_weight: Any = "balanced",
        pos_label: Any = None,
        size: Any = 48,
        spacing: Any = 8.0,
        cache_dir: Any = None,
    ):
        self.threshold = threshold
        self.C = C
        self.class_weight = class_weight
        self.pos_label = pos_label
        self.size = size
        self.spacing = spacing
        self.cache_dir = cache_dir

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> PETBaselineClassifier:
        """Learn medians, scales and coefficients from the training rows.

        Parameters
        ----------
        X : Cohort or mapping with PET, or array of shape (n, 1, D, H, W)
        y : array of shape (n,)
            1 for long PFS, 0 for short; or words such as "long" and "short", or any two labels with `pos_label`.
        sample_weight : array of shape (n,), default=None

        Returns
        -------
        self
        """
        self._validate_params()
        X, y, weights = self._with_weight(X, y, sample_weight)
        features = self._features(X)
        encoded = self._check_target(features, y)
        self.model_ = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True),
            FunctionTransformer(np.arcsinh),  # log(2 x) for large x, and defined for every number
            StandardScaler(),
            LogisticRegression(
                C=self.C, class_weight=encoded_class_weight(self.class_weight, self._inside_classes()), max_iter=2000
            ),
        )
        # Step by step: with metadata routing, a pipeline hands weights on only where it was told to beforehand.
        values: Any = features
        for _, step in self.model_.steps[:-1]:
            values = step.fit_transform(values)
        self.model_.steps[-1][1].fit(values, encoded, sample_weight=weights)
        self.offset_ = logistic_offset(self.model_.steps[-1][1], values, encoded, weights)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : Cohort or mapping with PET, or array of shape (n, 1, D, H, W)

        Returns
        -------
        ndarray of shape (n, 2)
            Columns in the order of `classes_`: the second is long PFS where y was 0 and 1.
        """
        check_is_fitted(self)
        return self._ordered(self._calibrated(self.model_.predict_proba(self._features(X))))

    def prepare(
        self, X: Any, progress: Callable[[int, int], None] | None = None, n_jobs: int | None = None
    ) -> PETBaselineClassifier:
        """Check all PET scans of X and keep what is needed of them.

        Parameters
        ----------
        X : Cohort, mapping or array
        progress : callable, default=None
            Called with (patients done, patients in all).
        n_jobs : int, default=None
            Threads that read files.

        Returns
        -------
        self

        Raises
        ------
        CohortError
            With everything that is wrong with any scan.
        """
        cohort = self._cohort(X)
        check_modalities(cohort, (self._image,), estimator=type(self).__name__)  # type: ignore[arg-type]
        prepare_volumes(
            cohort,
            modalities=(self._image,),
            size=self.size,
            spacing=self.spacing,
            cache_dir=self.cache_dir,
            progress=progress,
            n_jobs=n_jobs,
        )
        return self

    def _features(self, X: Any) -> pd.DataFrame:
        cohort = self._cohort(X)
        check_modalities(cohort, (self._image,), estimator=type(self).__name__)  # type: ignore[arg-type]
        warn_of_nothing(~cohort[self._image].present, cohort.ids, type(self).__name__)  # type: ignore[index, union-attr]
        reader = GlobalPETFeatures(
            threshold=self.threshold, size=self.size, spacing=self.spacing, cache_dir=self.cache_dir
        )
        return reader.fit_transform(cohort)
