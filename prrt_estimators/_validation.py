"""Checks that every room upstairs shares."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from prrt_estimators._forms import FORMS, are_records, are_scans, plain_form
from prrt_estimators._io import absolute
from prrt_estimators._modalities import IMAGING, MODALITIES, in_order
from prrt_estimators.cohort import Cohort, Volumes
from prrt_estimators.exceptions import MissingModalityError

#: Parameters that name a folder, and those that name a file of weights unless they are a name of published ones.
_FOLDERS, _FILES = ("cache_dir",), ("weights",)


class KeepsPaths:
    """Estimator whose paths become absolute when they are set.

    A relative path means another file once the working folder has changed, in this process or in a worker of another
    folder.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FOLDERS and isinstance(value, (str, os.PathLike)):
            value = _kept(value)
        elif name in _FILES:
            value = _weights_kept(value)
        super().__setattr__(name, value)


class ScanTransformer(KeepsPaths, TransformerMixin, BaseEstimator):
    """Base of the transformers that read scans and learn nothing."""

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters: there is nothing to learn.

        Parameters
        ----------
        X : Cohort or mapping
        y : ignored

        Returns
        -------
        self
        """
        self._check()
        return self

    def _check(self) -> None:
        """Check the parameters."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.dict = True
        tags.requires_fit = False
        return tags


def _kept(value: Any) -> Any:
    path = absolute(value)
    return value if path == os.fspath(value) else type(value)(path)


def _weights_kept(value: Any) -> Any:
    if isinstance(value, dict) and any(_weights_kept(one) is not one for one in value.values()):
        return {name: _weights_kept(one) for name, one in value.items()}
    if isinstance(value, os.PathLike) or (isinstance(value, str) and (os.sep in value or "." in value)):
        return _kept(value)
    return value


def as_cohort(X: Any, *, image: str | None = None) -> Cohort:
    """Return X as a `Cohort`.

    Parameters
    ----------
    X : Cohort, mapping, list of mappings, Volumes, scans of one modality, or 2-D table
        A mapping may have its keys in any case; a list of mappings is read by `Cohort.from_records`. Scans of one modality are a
        list of paths or images, or an array of shape (n, 1, D, H, W), and count as `image`; a table counts as ``"lab"``.
    image : str, default=None
        Which modality an array or `Volumes` holds.

    Raises
    ------
    TypeError
        If X is none of these.
    """
    if isinstance(X, Cohort):
        return X
    X = plain_form(X)
    if isinstance(X, pd.DataFrame):
        return Cohort({"lab": X})
    if isinstance(X, Mapping):
        return Cohort(X)
    if are_records(X):
        return Cohort.from_records(X)
    if isinstance(X, Volumes) or are_scans(X, image is not None):
        if image is None:
            raise TypeError('which modality is this array or list? Pass a mapping such as {"pet": array}.')
        return Cohort({image: X})
    if isinstance(X, (str, os.PathLike)):
        raise TypeError(
            f"expected {FORMS}; got the path {os.fspath(X)!r}. For a table in a file pass load_cohort(path).X."
        )
    ndim = X.ndim if hasattr(X, "ndim") else np.ndim(X)
    if ndim == 2:
        return Cohort({"lab": X})
    one = " For one patient pass one row: X.reshape(1, -1), table.iloc[[0]] or [{'CgA': 95}]." if ndim == 1 else ""
    raise TypeError(f"expected {FORMS}; got {type(X).__name__} with {ndim} dimension(s).{one}")


def check_modalities(X: Cohort, wanted: str | Sequence[str], *, estimator: str) -> tuple[str, ...]:
    """Return the modalities to use, in the order pet, ct, lab.

    Parameters
    ----------
    X : Cohort
    wanted : "auto" or sequence of str
        "auto" takes what X has.
    estimator : str
        Name for the message.

    Raises
    ------
    ValueError
        If `wanted` names something that is not a modality, or nothing.
    MissingModalityError
        If X lacks one that is wanted.
    """
    if isinstance(wanted, str):
        if wanted == "auto":
            return X.modalities
        wanted = (wanted,)
    names = tuple(wanted)
    unknown = [name for name in names if name not in MODALITIES]
    if unknown or not names or len(set(names)) != len(names):
        raise ValueError(f"`modalities` must be 'auto' or some of {tuple(MODALITIES)}, each once; got {wanted!r}.")
    missing = [name for name in MODALITIES if name in names and name not in X]
    if missing:
        raise MissingModalityError.of(estimator, missing, X.modalities)
    for name in names:
        if name in IMAGING and not X[name].present.any() and len(X):
            raise MissingModalityError(
                f"{estimator} needs {name!r}, but no patient here has one.", modalities=[name], estimator=estimator
            )
    return in_order(names)
