"""Intensity windows: which part of the scale a model sees."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from prrt_estimators._modalities import IMAGING
from prrt_estimators._validation import as_cohort
from prrt_estimators.cohort import Cohort


def check_window(window: Any, name: str) -> tuple[float, float] | None:
    """Return a window as two floats, None for none."""
    if window is None:
        return None
    try:
        low, high = (float(value) for value in window)
    except (TypeError, ValueError):
        raise TypeError(f"`{name}` must be a pair (low, high) or None; got {window!r}.") from None
    if not np.isfinite([low, high]).all() or low >= high:
        raise ValueError(f"`{name}` must be a pair (low, high) with low < high; got {window!r}.")
    return low, high


class IntensityWindow(TransformerMixin, BaseEstimator):
    """Clip voxels to a window and bring it to 0..1.

    Parameters
    ----------
    pet : pair of floats or None, default=(0.0, 20.0)
        SUVbw window; None leaves PET as it is.
    ct : pair of floats or None, default=(-160.0, 240.0)
        HU window (soft tissue: level 40, width 400); None leaves CT as it is.

    Notes
    -----
    The estimators of this library window on their own device (parameter ``window``); set
    that to None when this transformer goes before them. Works on volumes in memory: use `VolumePreprocessor` first
    for files.

    Examples
    --------
    >>> ct = np.array([-1024.0, 40.0, 1000.0]).reshape(1, 1, 3, 1, 1)
    >>> IntensityWindow().fit_transform({"ct": ct})["ct"].array.ravel().tolist()
    [0.0, 0.5, 1.0]
    """

    def __init__(self, *, pet: Any = (0.0, 20.0), ct: Any = (-160.0, 240.0)):
        self.pet = pet
        self.ct = ct

    def fit(self, X: Any, y: Any = None) -> IntensityWindow:
        """Check the windows; nothing is learnt.

        Parameters
        ----------
        X : Cohort or mapping
        y : ignored

        Returns
        -------
        self
        """
        self.windows_ = {name: check_window(getattr(self, name), name) for name in IMAGING}
        return self

    def transform(self, X: Any) -> Cohort:
        """Return the cohort with windowed volumes.

        Parameters
        ----------
        X : Cohort or mapping
            With volumes in memory.

        Returns
        -------
        Cohort

        Raises
        ------
        TypeError
            If the volumes are files.
        """
        X = as_cohort(X)
        data: dict[str, Any] = dict(X)
        for name in IMAGING:
            window = check_window(getattr(self, name), name)
            if name not in X or window is None:
                continue
            if X[name].array is None:
                raise TypeError(f"{name!r} holds files; put VolumePreprocessor() before IntensityWindow().")
            low, high = window
            data[name] = (np.clip(X[name].array, low, high) - low) / (high - low)
        return Cohort(data, ids=X.ids, masks=X.masks, survival=X.survival)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "windows_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.dict = True
        tags.requires_fit = False
        return tags
