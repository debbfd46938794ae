"""Repeated folds that are stratified by class and keep persons together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from prrt_estimators._classes import check_all_in_order


class RepeatedStratifiedGroupKFold:
    """`StratifiedGroupKFold` several times over, each time drawn anew.

    Parameters
    ----------
    n_splits : int, default=3
        Folds.
    n_repeats : int, default=10
        Repeats.
    random_state : int, default=0
        Seed.

    Examples
    --------
    >>> cv = RepeatedStratifiedGroupKFold(n_splits=2, n_repeats=3)
    >>> cv.get_n_splits(), len(list(cv.split(np.zeros(8), [0, 1] * 4, [0, 0, 1, 1, 2, 2, 3, 3])))
    (6, 6)
    """

    def __init__(self, n_splits: int = 3, n_repeats: int = 10, random_state: int = 0):
        self.n_splits = n_splits
        self.n_repeats = n_repeats
        self.random_state = random_state

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(n_repeats={self.n_repeats}, n_splits={self.n_splits}, "
            f"random_state={self.random_state})"
        )

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits."""
        return self.n_splits * self.n_repeats

    def split(self, X: Any, y: Any, groups: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of training and test parts.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Not looked into.
        y : array-like of shape (n,)
            Classes.
        groups : array-like of shape (n,)
            Persons.

        Yields
        ------
        train, test : ndarray of int
        """
        check_all_in_order(X=X, y=y, groups=groups)
        for repeat in range(self.n_repeats):
            seed = int(np.random.SeedSequence([self.random_state, repeat]).generate_state(1)[0] % 2**31)
            yield from StratifiedGroupKFold(self.n_splits, shuffle=True, random_state=seed).split(X, y, groups)
