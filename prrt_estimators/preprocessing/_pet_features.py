"""What the whole PET says without a network: a few global numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from prrt_estimators._modalities import PET
from prrt_estimators._validation import ScanTransformer, as_cohort
from prrt_estimators.exceptions import CohortError, MissingModalityError, Problem
from prrt_estimators.preprocessing._summaries import percentile, suv_summary, volume_above
from prrt_estimators.preprocessing._volumes import BoxReader, box_parameters, check_array


class GlobalPETFeatures(ScanTransformer):
    """Six numbers of the whole PET field of view, taken on the scan's own grid.

    Greatest SUVbw, 99th and 95th percentile, mean, volume with an SUV of at least `threshold`, and total uptake
    (mean times volume of the field of view). They need no segmentation and no training, so a network has to beat
    them. Physiological uptake (kidneys, spleen, bladder) is counted too.

    Parameters
    ----------
    threshold : float, default=4.0
        SUVbw, rounded to a multiple of 0.05.
    size : int or three ints, default=48
        Voxels of the box that is prepared while a file is open; does not change these features.
    spacing : float or three floats, default=8.0
        Millimetres between that box's voxels; does not change these features for files. For an array that does not hold its
        own, it tells the volume of a voxel.
    cache_dir : path, default=None
        ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    log : bool, default=False
        Whether to return log(1 + x) of each number, under names that begin with ``log_``: uptake and volumes are spread
        over orders of magnitude, and a linear model reads their logarithms better.

    Examples
    --------
    >>> suv = np.ones((1, 1, 10, 10, 10)); suv[0, 0, :5] = 6.0
    >>> GlobalPETFeatures(spacing=10.0).fit_transform(suv)["volume_above_ml"].round(6).tolist()
    [500.0]
    >>> GlobalPETFeatures(spacing=10.0, log=True).fit_transform(suv)["log_suv_max"].round(3).tolist()
    [1.946]
    """

    def __init__(
        self,
        *,
        threshold: float = 4.0,
        size: Any = 48,
        spacing: Any = 8.0,
        cache_dir: Any = None,
        log: bool = False,
    ):
        self.threshold = threshold
        self.size = size
        self.spacing = spacing
        self.cache_dir = cache_dir
        self.log = log

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the features of each patient.

        Parameters
        ----------
        X : Cohort, mapping or array of shape (n, 1, D, H, W)

        Returns
        -------
        DataFrame of shape (n, 6)
            NaN for a patient without PET.

        Raises
        ------
        MissingModalityError
            If there is no PET at all.
        """
        X = as_cohort(X, image=PET.name)
        if PET.name not in X:
            raise MissingModalityError.of("GlobalPETFeatures", [PET.name], X.modalities)
        reader = BoxReader(X, size=self.size, spacing=self.spacing, cache_dir=self.cache_dir)
        rows = np.full((len(X), len(self.get_feature_names_out())), np.nan)
        grid = np.diag([*box_parameters(self.size, self.spacing)[1], 1.0])
        for row in np.flatnonzero(X[PET.name].present):
            if X[PET.name].array is None:
                summary = reader.record(int(row), PET.name).summary
            else:
                voxels = X[PET.name].array[row, 0]
                try:
                    check_array(voxels, PET.name)
                except ValueError as error:
                    problem = Problem(str(error), "mend the array", patient=str(X.ids[row]), column=PET.name)
                    raise CohortError([problem]) from None
                own = X[PET.name].spacing
                place = grid if own is None else np.diag([*own[row], 1.0])
                summary = suv_summary(voxels, place)
            field = sum(summary["counts"]) * summary["voxel_ml"]
            rows[row] = [
                summary["max"],
                percentile(summary, 99),
                percentile(summary, 95),
                summary["mean"],
                volume_above(summary, self.threshold),
                summary["mean"] * field,
            ]
        if self.log:
            rows = np.log1p(np.maximum(rows, 0))
        return pd.DataFrame(rows, columns=self.get_feature_names_out())

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features."""
        names = ["suv_max", "suv_p99", "suv_p95", "suv_mean", "volume_above_ml", "total_uptake_ml"]
        return np.array([f"log_{name}" if self.log else name for name in names], dtype=object)
