"""The study's model on laboratory values."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from prrt_estimators.estimators._base import BasePFSClassifier, encoded_class_weight
from prrt_estimators.estimators._class_prior import fit_forest, logistic_offset
from prrt_estimators.estimators._unknown_patients import empty_rows, warn_of_nothing
from prrt_estimators.preprocessing import LabPreprocessor
from prrt_estimators.preprocessing._labs import prepared_from


class LabPFSClassifier(BasePFSClassifier):
    r"""Predict long PFS from laboratory values and clinical columns.

    A random forest as in the study, or a logistic regression, after imputing, log-transforming, scaling and one-hot
    encoding, all learnt from the training rows. The probability of long PFS is the forest's mean leaf frequency
    :math:`\frac{1}{T}\sum_t p_t(x)`, or :math:`\sigma(w^\top x + b)`.

    Parameters
    ----------
    model : {"random_forest", "logistic"}, default="random_forest"
    n_estimators : int, default=500
        Trees of the forest.
    max_depth : int, default=None
        Depth of a tree; None grows until leaves are pure or hold `min_samples_leaf` patients.
    min_samples_leaf : int, default=3
        Patients in a leaf.
    max_features : {"sqrt", "log2"}, int, float or None, default="sqrt"
        Columns looked at for a split.
    C : float, default=1.0
        Inverse strength of the logistic regression's L2 penalty.
    class_weight : "balanced", mapping or None, default="balanced"
        Weights of the classes in training. They move the decision of `predict`; probabilities are corrected for them.
    log : "auto", list of column names or None, default="auto"
        Columns that enter as logarithms, see `LabPreprocessor`.
    pos_label : label, default=None
        Label of long PFS in y. None knows 1, True and words such as "long" or "lang".
    n_jobs : int, default=None
        Processors for the forest.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels in ascending order, which is that of the columns of `predict_proba`.
    positive_class_ : label
        The one of long PFS.
    preprocessor_ : LabPreprocessor
        Fitted on the training rows.
    model_ : RandomForestClassifier or LogisticRegression
    offset_ : float
        Log odds added to those of `model_`, so that probabilities agree with the share of long PFS although classes are
        weighted: out of bag for a forest.
    decision_threshold_ : float
        Probability from which on `predict` says long PFS.
    feature_importances_ : ndarray of shape (n_features,)
        Of each column of the table, in its order; forest only.
    coef_ : ndarray of shape (1, n_features)
        Change of the log odds of the second class by one standard deviation of each column, in the order of the table;
        logistic regression only, and only without categories and gaps, which have several coefficients a column.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the table has names.

    Raises
    ------
    ValueError
        If y does not hold two classes, or a column mixes numbers and text.
    MissingModalityError
        If X has no ``"lab"``.

    References
    ----------
    Baur et al., "Multimodal Deep Learning for Prediction of Progression-Free Survival in Patients with
    Neuroendocrine Tumors Undergoing 177Lu-based Peptide Receptor Radionuclide Therapy", arXiv:2511.05169.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> X, y = make_classification(random_state=0)
    >>> LabPFSClassifier(n_estimators=50, random_state=0).fit(X, y).predict_proba(X[:2]).shape
    (2, 2)
    """

    _explains_columns: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict] = {
        "model": [StrOptions({"random_forest", "logistic"})],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "max_depth": [Interval(Integral, 1, None, closed="left"), None],
        "min_samples_leaf": [Interval(Integral, 1, None, closed="left")],
        "max_features": [StrOptions({"sqrt", "log2"}), Integral, Real, None],
        "C": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "log": [StrOptions({"auto"}), "array-like", None],
        "pos_label": "no_validation",
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        model: str = "random_forest",
        n_estimators: int = 500,
        max_depth: int | None = None,
        min_samples_leaf: int = 3,
        max_features: Any = "sqrt",
        C: float = 1.0,
        class_weight: Any = "balanced",
        log: Any = "auto",
        pos_label: Any = None,
        n_jobs: int | None = None,
        random_state: Any = None,
    ):
        self.model = model
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.C = C
        self.class_weight = class_weight
        self.log = log
        self.pos_label = pos_label
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LabPFSClassifier:
        """Learn preprocessing and model from the training rows.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, DataFrame or array of shape (n, k)
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
        self.preprocessor_ = LabPreprocessor(log=self.log)
        prepared = self.preprocessor_.fit_transform(table)
        encoded = self._check_target(prepared, y)
        self._note_columns(self.preprocessor_)
        class_weight = encoded_class_weight(self.class_weight, self._inside_classes())
        if self.model == "logistic":
            self.model_: Any = LogisticRegression(C=self.C, class_weight=class_weight, max_iter=2000)
            self.model_.fit(prepared, encoded, sample_weight=weights)
            self.offset_ = logistic_offset(self.model_, prepared, encoded, weights)
        else:
            self.model_ = RandomForestClassifier(
                n_estimators=self.n_estimators,
                max_depth=self.max_depth,
                min_samples_leaf=self.min_samples_leaf,
                max_features=self.max_features,
                class_weight=class_weight,
                n_jobs=self.n_jobs,
                random_state=self.random_state,
            )
            self.offset_ = fit_forest(self.model_, prepared, encoded, weights)
            # Threads would add up the trees in any order, so that the last bit of a probability varied.
            self.model_.n_jobs = None
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : Cohort or mapping with ``"lab"``, DataFrame or array of shape (n, k)

        Returns
        -------
        ndarray of shape (n, 2)
            Columns in the order of `classes_`: the second is long PFS where y was 0 and 1.
        """
        check_is_fitted(self)
        cohort = self._cohort(X)
        table = self._table(X, cohort)
        prepared = self.preprocessor_.transform(table)
        warn_of_nothing(empty_rows(table), None if cohort is None else cohort.ids, type(self).__name__)
        return self._ordered(self._calibrated(self.model_.predict_proba(prepared)))

    @property
    def feature_importances_(self) -> np.ndarray:
        """Mean decrease of impurity of each column, its indicator of gaps and its categories included (forest only)."""
        check_is_fitted(self)
        if not isinstance(self.model_, RandomForestClassifier):
            raise AttributeError("feature_importances_ belongs to model='random_forest'; see model_.coef_.")
        owner = prepared_from(self.preprocessor_)[1]
        return np.bincount(owner, self.model_.feature_importances_, minlength=self.n_features_in_)

    @property
    def coef_(self) -> np.ndarray:
        """Coefficient of each column of the table (logistic regression only)."""
        check_is_fitted(self)
        owner = prepared_from(self.preprocessor_)[1]
        if isinstance(self.model_, RandomForestClassifier) or sorted(owner) != list(range(self.n_features_in_)):
            raise AttributeError(
                "coef_ belongs to model='logistic' on columns of numbers without gaps; see model_.coef_ for those of the "
                "prepared columns."
            )
        sign = 1 if getattr(self, "_class_of_one", 1) == 1 else -1
        return sign * self.model_.coef_[:, np.argsort(owner)]
