"""What a model learns: how y is checked, its columns in training, the loss, and what a network's output means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import assert_all_finite, check_consistent_length, column_or_1d

from prrt_estimators._classes import as_target, check_labels, long_rows, probability_of_long
from prrt_estimators._forms import as_array
from prrt_estimators._registry import Registry
from prrt_estimators.metrics._predictions import PROBABILITY


@dataclass(frozen=True)
class CheckedTarget:
    """A target that can be learnt from.

    Parameters
    ----------
    values : ndarray of shape (n,)
        0 and 1 for classes; a structured array for times.
    learnt : dict of str to object, default={}
        Attributes that the estimator takes over, such as ``classes_``.
    """

    values: np.ndarray
    learnt: dict[str, Any] = field(default_factory=dict)


class Target(Protocol):
    """What every kind of target answers; estimators and comparisons ask it and never look into y themselves.

    A target derives from it, defines the methods without an answer here, and overrides others where it has more to say.
    """

    name: str
    #: Method of a model that answers for such a target.
    response: str
    #: What is learnt, inside a sentence; `name` if empty.
    title: str = ""
    #: Names of the strata, in their order.
    groups: tuple[str, ...] = ()
    #: Whether it is about progression-free survival.
    of_progression: bool = False

    @property
    def marks(self) -> str:
        """Method by which models of other libraries are recognised that name no target, and that is called for answers."""
        return self.response

    @property
    def criterion(self) -> Any:
        """Module class of the loss of logits and the columns of a batch."""
        ...

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores of such a target."""
        ...

    def check(self, y: Any, *, X: Any = None, estimator: str = "the estimator") -> CheckedTarget:
        """Check y and return what is learnt from."""
        ...

    def check_coded(self, y: Any, n_patients: int) -> np.ndarray:
        """Return y as a comparison keeps it, one value per patient."""
        ...

    def columns(self, values: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
        """Return the named columns of the dataset that the criterion takes."""
        ...

    def strata(self, values: np.ndarray) -> np.ndarray:
        """Return whole numbers whose shares a split keeps, shape (n,)."""
        ...

    def output(self, logits: np.ndarray) -> np.ndarray:
        """Return what the estimator predicts from a network's output."""
        ...

    def predicted(self, model: Any, X: Any) -> tuple[np.ndarray, str]:
        """Return one score per patient of a fitted model, and what kind of score it is."""
        ...

    def answers(self, model: Any, X: Any, months: Sequence[float]) -> dict[str, Any]:
        """Return the columns of a table of predictions; `months` are the moments at which a curve is read."""
        scores, kind = self.predicted(model, X)
        return {kind: scores}

    @property
    def answers_title(self) -> str:
        """Title of that table."""
        return f"Predicted {self.title or self.name}"

    #: Whether patients are of one of two classes, by which figures colour them.
    has_classes: bool = False

    def takes(self, y: Any) -> bool:
        """Return whether the form of y shows that it is of this target."""
        return False

    def known_classes(self, y: np.ndarray, horizon: float) -> np.ndarray:
        """Return 1 for long and 0 for short PFS, -1 where that is not known."""
        return np.full(len(y), -1)

    #: Name of scikit-learn's scorer by which importance is measured; the model's own `score` if None.
    scoring: str | None = None

    def for_folds(self, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return y as an array from which rows can be taken, and the strata that folds keep in balance."""
        values = np.asarray(y)
        return values, values

    def probability_beyond(self, model: Any, X: Any, horizon: float) -> np.ndarray:
        """Return the probability of PFS beyond the horizon, which explanations of a model explain.

        Raises
        ------
        TypeError
            If models of this target have none.
        """
        raise TypeError(
            f"{type(model).__name__} learns the {self.title or self.name}; explanations are of a probability of long PFS, which it "
            "does not have. grouped_permutation_importance accepts it."
        )

    def risk(self, model: Any, X: Any) -> np.ndarray:
        """Return the risk that a survival model predicts.

        Raises
        ------
        ValueError
            If models of this target predict none.
        """
        raise ValueError(
            f"a risk is predicted by survival models; {type(model).__name__} learns the {self.title or self.name}. Pass "
            "output='probability' or output='logit'."
        )

    def beyond(self, horizon: float) -> str:
        """Return what that probability is of."""
        return "long PFS"

    def counted(self, y: np.ndarray) -> dict[str, int] | None:
        """Return how many patients have each outcome, for a model card; None where counts say nothing."""
        return None

    def purpose(self, therapy: str, horizon: str) -> str:
        """Return what a model estimates, for its card: after "it estimates"."""
        return f"the {self.title or self.name}{therapy}"

    def gives(self) -> str:
        """Return what a model gives, for its card: after "It gives"."""
        return f"the predicted {self.title or self.name}"


class ClassTarget(Target):
    """Long (1) against short (0) PFS; the greater of two labels is the positive class.

    Examples
    --------
    >>> target = ClassTarget()
    >>> checked = target.check(["short", "long", "short", "short"])
    >>> checked.values.tolist(), checked.learnt["classes_"].tolist()
    ([1, 0, 1, 1], ['long', 'short'])
    >>> target.columns(checked.values, np.array([1.0, 3.0, 1.0, 1.0]))["weight"].astype(float).round(2).tolist()
    [0.67, 2.0, 0.67, 0.67]
    """

    name = "class"
    title = "class of PFS"
    response = "predict_proba"
    of_progression = True

    @property
    def criterion(self) -> Any:
        """`WeightedBCE`."""
        from prrt_estimators.networks import WeightedBCE

        return WeightedBCE

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores of classes."""
        from prrt_estimators.metrics import prrt_scorers

        return tuple(prrt_scorers())

    def check(self, y: Any, *, X: Any = None, estimator: str = "the estimator") -> CheckedTarget:
        """Check the labels of patients.

        Parameters
        ----------
        y : array of shape (n,)
            Any two labels.
        X : object, default=None
            The patients; must be as many.
        estimator : str, default="the estimator"
            Name for messages.

        Raises
        ------
        TypeError
            If y holds survival times.
        ValueError
            If it holds other than two labels, a missing value, or is of another length than X.
        """
        if y is None:
            raise ValueError(f"{estimator} requires y to be passed, but the target y is None")
        if getattr(getattr(y, "dtype", None), "names", None):
            raise TypeError(
                "y holds survival times; classifiers need a class: 1 for PFS longer than the horizon, else 0. "
                "load_cohort(..., horizon=12) makes it and leaves out patients censored earlier."
            )
        y = as_array(y)
        check_labels(y)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        if X is not None:
            check_consistent_length(X, y)
        kind = type_of_target(y, input_name="y")
        classes, encoded = np.unique(y, return_inverse=True)
        if len(classes) > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}; use short (0) and long "
                "(1) PFS."
            )
        if len(classes) < 2:
            raise ValueError(f"y holds one class only ({classes[0]!r}); {estimator} needs patients of both classes.")
        return CheckedTarget(encoded, {"classes_": classes})

    def check_coded(self, y: Any, n_patients: int) -> np.ndarray:
        """Return y as integers 0 and 1, one per patient, where labels of other kinds would leave open which is long.

        Raises
        ------
        ValueError
            If it is not.
        """
        check_labels(y)
        values = as_target(y)
        if values.dtype.names is not None:
            raise ValueError(
                "y holds times; the models predict classes. Pass 1 for long PFS and 0 for short, e.g. from "
                "load_cohort(..., horizon=12)."
            )
        if values.ndim != 1 or len(values) != n_patients:
            raise ValueError(f"y must have one value per patient, shape ({n_patients},); got shape {values.shape}.")
        if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
            found = np.unique(values.astype(str))[:5].tolist()
            raise ValueError(f"y must be 1 (long PFS) or 0 (short PFS) for every patient; got {found}.")
        values = values.astype(np.int64)
        if len(np.unique(values)) < 2:
            only = "long" if values.size and values[0] == 1 else "short"
            raise ValueError(
                f"all {n_patients} patients have {only} PFS; a comparison needs both classes. Change the horizon, or "
                "check the column of times."
            )
        return values

    def columns(self, values: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``class`` and ``weight`` of mean 1, as float32."""
        scaled = weight.astype(np.float32)
        return {"class": values.astype(np.float32), "weight": scaled / scaled.mean()}

    def strata(self, values: np.ndarray) -> np.ndarray:
        """Return the classes."""
        return values

    def output(self, logits: np.ndarray) -> np.ndarray:
        """Return probabilities of shape (n, 2) from logits of long PFS."""
        # The two are computed alike, so that swapping the labels swaps the columns to the last bit.
        return np.column_stack([1 / (1 + np.exp(logits)), 1 / (1 + np.exp(-logits))])

    def predicted(self, model: Any, X: Any) -> tuple[np.ndarray, str]:
        """Return the probabilities of long PFS.

        Raises
        ------
        ValueError
            If one is not finite.
        """
        found = probability_of_long(model, X)
        if not np.isfinite(found).all():
            raise ValueError("predict_proba gave a value that is not finite.")
        return found, PROBABILITY

    def answers(self, model: Any, X: Any, months: Sequence[float]) -> dict[str, Any]:
        """Return the probability of long PFS and the class of each patient."""
        p_long = probability_of_long(model, X)
        threshold = getattr(model, "decision_threshold_", 0.5)
        return {"p_long": p_long, "predicted": ["long" if one >= threshold else "short" for one in p_long]}

    @property
    def answers_title(self) -> str:
        """Title of that table."""
        return "Probability of long PFS"

    scoring = "roc_auc"
    has_classes = True

    def known_classes(self, y: np.ndarray, horizon: float) -> np.ndarray:
        """Return y, which was made with the horizon."""
        return y

    def probability_beyond(self, model: Any, X: Any, horizon: float) -> np.ndarray:
        """Return the probability of long PFS; the horizon is the one that y was made with."""
        return probability_of_long(model, X)

    def counted(self, y: np.ndarray) -> dict[str, int]:
        """Return how many patients have short and how many long PFS; nothing unless there are two labels."""
        if len(np.unique(y)) != 2:
            return {}
        long = long_rows(y)
        return {"short PFS": int((~long).sum()), "long PFS": int(long.sum())}

    def purpose(self, therapy: str, horizon: str) -> str:
        """Return what a model estimates."""
        return f"whether progression-free survival (PFS){therapy} will be longer than {horizon}"

    def gives(self) -> str:
        """Return what a model gives."""
        return "the probability of long PFS"


#: What can be learnt; the first is the target of every model that names none, such as those of scikit-learn.
TARGETS: Registry[Target] = Registry("target", ClassTarget())


def target_of_outcome(y: Any) -> Target:
    """Return the target that y is of by its form; classes where it shows none.

    Examples
    --------
    >>> target_of_outcome([0, 1]).name
    'class'
    """
    return next((one for one in TARGETS.values() if one.takes(y)), next(iter(TARGETS.values())))


def target_of(estimator: Any) -> Target:
    """Return what an estimator learns; a pipeline or search learns what its last step or model learns.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> target_of(LogisticRegression()).name
    'class'
    """
    steps = getattr(estimator, "steps", None)
    inner = steps[-1][1] if isinstance(steps, list) and steps else getattr(estimator, "estimator", None)
    own = getattr(estimator, "_target", None)
    if own is None and hasattr(inner, "fit"):
        return target_of(inner)
    if own is None:  # of another library: known by a method of its own
        own = next((one for one in TARGETS.values() if hasattr(estimator, one.marks)), None)
    return next(iter(TARGETS.values())) if own is None else own
