"""Splits of a comparison: drawn once, counted by repeat and fold, kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from prrt_estimators.exceptions import ResultsWarning
from prrt_estimators.model_selection._descriptions import counted
from prrt_estimators.model_selection._digest import stable_text
from prrt_estimators.model_selection._fold import Split
from prrt_estimators.model_selection._run_store import RunStore


def choose_splits(
    cv: Any,
    y: np.ndarray,
    groups: Any,
    store: RunStore | None,
    learnable: Callable[[np.ndarray], bool] | None = None,
    sides: str = "",
) -> tuple[list[Split], str]:
    """Return the splits, those of the store if it holds some of the same splitter, and a text that names them."""
    if not isinstance(cv, (int, np.integer)) and not hasattr(cv, "split"):
        return draw_splits(cv, y, groups, learnable, sides), "given splits"
    name, before = repr(cv), repr(cv)
    if " at 0x" in name:
        name, before = stable_text(cv), stable_text(cv, old=True)
    of_groups = "" if groups is None else f" groups={stable_text(np.asarray(groups))}"
    key = name + of_groups
    splits = None if store is None else store.read_splits(key)
    if splits is None and store is not None:
        splits = store.read_splits(before + of_groups)
    if splits is None:
        splits = draw_splits(cv, y, groups, learnable, sides)
        if store is not None:
            store.write_splits(key, splits, len(y))
    return splits, name


def draw_splits(
    cv: Any, y: np.ndarray, groups: Any, learnable: Callable[[np.ndarray], bool] | None = None, sides: str = ""
) -> list[Split]:
    """Draw every split of a splitter, number of folds or iterable; count repeats.

    A repeat ends where the next test part holds a patient who was tested in it already. `sides` says for messages what the
    two values of y are, and how many patients have them.
    """
    n = len(y)
    counts = np.bincount(y, minlength=2)
    sides = sides or f"with short PFS: {counts[0]}, with long PFS: {counts[1]}"
    try:
        with warnings.catch_warnings():
            # scikit-learn's, where a class has fewer patients than there are folds
            warnings.filterwarnings("error", category=UserWarning, module=r"sklearn\.model_selection")
            drawn = [
                (_row_numbers(train, n), _row_numbers(test, n))
                for train, test in check_cv(cv, y, classifier=True).split(np.zeros((n, 1)), y, groups)
            ]
    except (UserWarning, ValueError) as error:
        raise ValueError(
            f"the patients cannot be split as asked: {str(error).rstrip('.')}. Patients {sides}. Use no more folds than the "
            "smaller class has patients."
        ) from None
    if not drawn:
        raise ValueError("cv gave no split; pass a splitter such as RepeatedStratifiedKFold(n_splits=3).")
    if groups is not None:
        _check_groups(drawn, np.asarray(groups))
    splits: list[Split] = []
    seen: set[int] = set()
    repeat = fold = 0
    one_class = 0
    for number, (train, test) in enumerate(drawn):
        both = np.intersect1d(train, test)
        if len(both):
            raise ValueError(f"split {number} of cv trains and tests on the same {counted(len(both), 'patient')}.")
        if not (len(np.unique(y[train])) == 2 if learnable is None else learnable(train)):
            raise ValueError(
                f"split {number} of cv has one class only in its training part (patients in all {sides}). Use a stratified "
                "splitter with fewer folds."
            )
        one_class += len(np.unique(y[test])) < min(2, len(np.unique(y)))
        rows = set(test.tolist())
        if seen & rows:
            repeat, fold, seen = repeat + 1, 0, set()
        splits.append(Split(number, repeat, fold, train, test))
        seen |= rows
        fold += 1
    if one_class:
        warnings.warn(
            f"{one_class} of {len(splits)} test parts {'holds' if one_class == 1 else 'hold'} one class only, so without AUROC. Use a stratified "
            "splitter, or fewer folds.",
            ResultsWarning,
            stacklevel=3,
        )
    return splits


def _check_groups(drawn: list[tuple[np.ndarray, np.ndarray]], groups: np.ndarray) -> None:
    for number, (train, test) in enumerate(drawn):
        both = set(groups[train].tolist()) & set(groups[test].tolist())
        if both:
            raise ValueError(
                f"split {number} of cv trains and tests on the same {counted(len(both), 'group')}, e.g. "
                f"{min(both, key=str)!r}. Use a splitter that keeps groups together, such as StratifiedGroupKFold or "
                "RepeatedStratifiedGroupKFold; cv=None does."
            )


def _row_numbers(rows: Any, n: int) -> np.ndarray:
    array = np.asarray(rows)
    array = np.flatnonzero(array) if array.dtype == bool else array.astype(np.intp)
    if array.ndim != 1 or not len(array) or array.min() < 0 or array.max() >= n:
        raise ValueError(f"each part of a split needs row numbers from 0 to {n - 1}.")
    return array
