"""Which class is long PFS: one answer for labels, columns of probabilities and rows that belong together."""

from __future__ import annotations

import re
import warnings
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if

from prrt_estimators._analytes import name_tokens
from prrt_estimators._text import plain_text
from prrt_estimators.exceptions import PositiveClassWarning

_LONG = frozenset(
    ["long", "lang", "lange", "langes", "langer", "longer", "longpfs", "pfslong", "langpfs", "pfslang", "langespfs"]
)
_SHORT = frozenset(
    ["short", "kurz", "kurze", "kurzes", "kurzer", "shorter", "shortpfs", "pfsshort", "kurzpfs", "pfskurz", "kurzespfs"]
)
_IDLE = frozenset(["pfs", "class", "klasse", "progression", "free", "survival", "progressionsfreies", "ueberleben"])
_TRUE, _FALSE = frozenset(["1", "1.0", "true"]), frozenset(["0", "0.0", "false"])


def is_long(label: Any) -> bool | None:
    """Tell whether a class label means long PFS, None where it does not say.

    1, True and words such as ``long`` or ``lang`` do, 0, False, ``short`` and ``kurz`` mean short PFS, in any case.

    Examples
    --------
    >>> [is_long(label) for label in (1, False, "Long PFS", "kurz", "not long", "A", 2)]
    [True, False, True, False, None, None, None]
    """
    if isinstance(label, (bool, np.bool_, int, float, np.integer, np.floating)):
        return True if label == 1 else False if label == 0 else None
    if not isinstance(label, str):
        return None
    text = plain_text(label).lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    words = set(name_tokens(text)) - _IDLE
    if re.search(r"[<>≤≥=]", text) or len(words) != 1:
        return None
    return True if words <= _LONG else False if words <= _SHORT else None


def binary_target(y: Any) -> np.ndarray | None:
    """Return y as 1 for long and 0 for short PFS, None where a label does not say which it is.

    Examples
    --------
    >>> binary_target(["long", "Short"]), binary_target([True, False]), binary_target(["A", "B"])
    (array([1, 0]), array([1, 0]), None)
    """
    values = np.asarray(y)
    if values.ndim != 1 or values.dtype.names is not None:
        return None
    meant = {label: is_long(label) for label in set(values.tolist())}
    if None in meant.values():
        return None
    return np.array([meant[label] for label in values.tolist()], dtype=np.int64)


def check_labels(y: Any) -> None:
    """Refuse labels that are missing, or of kinds that cannot be compared, by the row of the first.

    Raises
    ------
    ValueError
        If a label is missing.
    TypeError
        If texts and numbers are mixed.

    Examples
    --------
    >>> check_labels(["long", "short", None])
    Traceback (most recent call last):
    ...
    ValueError: y has no label for 1 of 3 patients, the first in row 2 (Input y contains NaN). Leave these patients out.
    """
    labels = y.to_numpy(dtype=object) if isinstance(y, pd.Series) else y
    if not isinstance(labels, (list, tuple)) and str(getattr(labels, "dtype", "")) != "object":
        return
    labels = list(labels)
    if any(np.ndim(label) for label in labels):
        return
    missing = [k for k, label in enumerate(labels) if pd.isna(label)]
    if missing:
        raise ValueError(
            f"y has no label for {len(missing)} of {len(labels)} patients, the first in row {missing[0]} (Input y contains "
            "NaN). Leave these patients out."
        )
    words = [isinstance(label, str) for label in labels]
    if any(words) and not all(words):
        first, other = words.index(True), words.index(False)
        raise TypeError(
            f"y mixes texts and other labels: row {first} is {labels[first]!r}, row {other} is {labels[other]!r}. Write "
            "each class in one way."
        )


def as_target(y: Any) -> np.ndarray:
    """Return y as 1 for long and 0 for short PFS where its labels say which they are, as it is elsewhere.

    Examples
    --------
    >>> as_target(["kurz", "lang"]), as_target(["A", "B"])
    (array([0, 1]), array(['A', 'B'], dtype='<U1'))
    """
    target = binary_target(y)
    return np.asarray(y) if target is None else target


def long_rows(y: Any) -> np.ndarray:
    """Return which patients have long PFS, as bool; of two numbers that do not say so the greater is long.

    Raises
    ------
    ValueError
        If the labels are texts that do not say which is long PFS.
    """
    target = as_target(y)
    labels = np.unique(target)
    if set(labels.tolist()) <= {0, 1}:
        return target == 1
    return target == (positive_label(labels) if len(labels) == 2 else labels[-1])


def positive_label(classes: Any, pos_label: Any = None, *, strict: bool = True) -> Any:
    """Return the label of long PFS among two classes in ascending order.

    Parameters
    ----------
    classes : array of shape (2,)
    pos_label : label, default=None
        The user's word.
    strict : bool, default=True
        Whether labels that do not say which is long PFS are refused (text) or warned of (numbers).

    Raises
    ------
    ValueError
        If `pos_label` is none of the classes, or nothing tells which of two texts is long PFS.

    Warns
    -----
    PositiveClassWarning
        If the greater of two numbers is taken.

    Examples
    --------
    >>> positive_label(["long", "short"]), positive_label([0, 1]), positive_label(["A", "B"], "A")
    ('long', 1, 'A')
    """
    labels = list(classes)
    if pos_label is not None:
        found = [label for label in labels if label == pos_label]
        if not found:
            raise ValueError(f"`pos_label` must be one of the labels of y, {_listed(labels)}; got {pos_label!r}.")
        return found[0]
    meant = [is_long(label) for label in labels]
    if sorted(map(str, meant)) == ["False", "True"]:
        return labels[meant.index(True)]
    if not strict:
        return labels[-1]
    if meant[0] == meant[-1] is not None:
        kind = "long" if meant[0] else "short"
        raise ValueError(f"y holds {_listed(labels)}, which both mean {kind} PFS. Write each class in one way.")
    if any(isinstance(label, str) for label in labels):
        raise ValueError(
            f"y holds {_listed(labels)}, which do not say which is long PFS. Pass e.g. pos_label={_listed(labels[-1:])} to the "
            "estimator, or y of 1 for long and 0 for short PFS."
        )
    _say_greater(labels)
    return labels[-1]


def _say_greater(labels: list[Any]) -> None:
    warnings.warn(
        f"y holds {_listed(labels)}: {_listed(labels[-1:])} is taken as long PFS. Pass pos_label= to say which it is, or y "
        "of 1 for long and 0 for short PFS.",
        PositiveClassWarning,
        stacklevel=5,
    )


def _listed(labels: list[Any]) -> str:
    return " and ".join(repr(label.item() if hasattr(label, "item") else label) for label in labels)


def long_column(model: Any) -> int:
    """Return which column of a classifier's ``predict_proba`` is that of long PFS.

    The class that the model itself keeps (``positive_class_``), else the one whose label says so, else the greater.

    Warns
    -----
    PositiveClassWarning
        If the labels are texts that do not say which is long PFS.
    """
    classes = getattr(model, "classes_", None)
    if classes is None or len(classes) != 2:
        return 1
    kept = _kept_class(model)
    labels = list(classes)
    if kept is not None and kept in labels:
        return labels.index(kept)
    meant = [is_long(label) for label in labels]
    if sorted(map(str, meant)) == ["False", "True"]:
        return meant.index(True)
    if any(isinstance(label, str) for label in labels):
        _say_greater(sorted(labels))
        return labels.index(max(labels))
    return int(np.argmax(np.asarray(labels, dtype=float)))


def _kept_class(model: Any) -> Any:
    """Return the positive class that an estimator of this library keeps, inside pipelines and searches too."""
    for _ in range(8):
        if hasattr(model, "positive_class_"):
            return model.positive_class_
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif hasattr(model, "steps"):
            model = model.steps[-1][1]
        elif hasattr(model, "calibrated_classifiers_"):
            model = model.calibrated_classifiers_[0].estimator
        elif hasattr(model, "estimator_"):
            model = model.estimator_
        else:
            return None
    return None


def probability_of_long(model: Any, X: Any) -> np.ndarray:
    """Return the probability of long PFS, shape (n,), whichever column of ``predict_proba`` it is.

    Raises
    ------
    TypeError
        If the model has no ``predict_proba``.
    ValueError
        If it knows other than two classes.
    """
    if not hasattr(model, "predict_proba"):
        raise TypeError(f"{type(model).__name__} has no predict_proba; pass a fitted classifier of long and short PFS.")
    probability = np.asarray(model.predict_proba(X), dtype=np.float64)
    if probability.ndim != 2 or probability.shape[1] != 2:
        raise ValueError(
            f"{type(model).__name__} gives probabilities of shape {probability.shape}; two classes are expected, short "
            "and long PFS."
        )
    return probability[:, long_column(model)]


def check_same_order(first: Any, second: Any, names: tuple[str, str]) -> None:
    """Refuse two things that carry the same labels of patients in another order, which positions would mix up.

    A labelled thing is a Series or DataFrame with an index of its own, or a Cohort with ids.

    Raises
    ------
    ValueError
        Naming the first place at which they differ.

    Examples
    --------
    >>> import pandas as pd
    >>> check_same_order(pd.Series([1, 0], ["a", "b"]), pd.Series([0, 1], ["b", "a"]), ("X", "y"))
    Traceback (most recent call last):
    ...
    ValueError: X and y name the same patients in another order: row 0 is 'a' in X and 'b' in y. ...
    """
    one, two = _labels(first), _labels(second)
    if one is None or two is None or len(one) != len(two) or one == two:
        return
    place = {label: k for k, label in enumerate(two)}
    if len(place) < len(two) or len(set(one)) < len(one):
        moved = sorted(one) == sorted(two)
    else:
        shared = [k for k, label in enumerate(one) if label in place]
        numbered = [str(k) for k in range(len(one))]
        # Row numbers are not labels of patients, unless both sides carry exactly them.
        moved = len(shared) == len(one) or (numbered not in (one, two) and any(place[one[k]] != k for k in shared))
    if moved:
        row = next(k for k, (a, b) in enumerate(zip(one, two, strict=True)) if a != b)
        raise ValueError(
            f"{names[0]} and {names[1]} name the same patients in another order: row {row} is {one[row]!r} in {names[0]} "
            f"and {two[row]!r} in {names[1]}. Bring them into one order, e.g. {names[1]} = {names[1]}.loc[...], or drop "
            "the labels of one with .to_numpy()."
        )


def check_all_in_order(**things: Any) -> None:
    """Refuse any two of several things that name the same patients in another order, see `check_same_order`."""
    for (one, first), (two, second) in combinations(things.items(), 2):
        check_same_order(first, second, (one, two))


def _labels(thing: Any) -> list[str] | None:
    ids = getattr(thing, "ids", None)
    if ids is not None:
        return [str(one) for one in ids]
    index = getattr(thing, "index", None)
    if index is None or callable(index) or not hasattr(thing, "iloc"):
        return None
    return [plain_text(str(one)) for one in index]


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
