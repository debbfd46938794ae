"""What the networks that predict the time to progression share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from prrt_estimators._time_target import TimeTarget
from prrt_estimators.estimators._constraints import NET_CONSTRAINTS
from prrt_estimators.estimators._deep import DeepPFSEstimator
from prrt_estimators.estimators._survival_base import ProportionalHazards
from prrt_estimators.networks import FusionNet

#: Of the parameters that all of them have.
SURVIVAL_CONSTRAINTS: dict[str, Any] = {
    "head": [StrOptions({"hazard", "cox"})],
    "n_intervals": [Interval(Integral, 1, None, closed="left")],
    **{name: kinds for name, kinds in NET_CONSTRAINTS.items() if name not in ("class_weight", "pos_label")},
}


class DeepPFSSurvival(DeepPFSEstimator, ProportionalHazards):
    """Base of the networks that learn times; not to be used itself."""

    head: str
    n_intervals: int
    batch_size: int
    breaks_: np.ndarray

    @property
    def _target(self) -> Any:  # type: ignore
        return TimeTarget(head=self.head, n_intervals=self.n_intervals, breaks=getattr(self, "breaks_", None))

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train the network.

        Parameters
        ----------
        X : Cohort, mapping or array
            Raw patients: imputing, scaling, resampling and windowing happen inside, learnt from these rows only.
        y : structured array of shape (n,)
            ``event`` and ``time`` (months).
        sample_weight : array of shape (n,), default=None

        Returns
        -------
        self
        """
        if self.head == "cox" and self.batch_size == 1:
            raise ValueError("head='cox' compares the patients of a batch; `batch_size` must be at least 2, got 1.")
        X, y, sample_weight = self._with_weight(X, y, sample_weight)
        super().fit(X, y, sample_weight)
        if self.head == "cox":
            survival = self._target.check(y).values
            self._keep_baseline(survival, self._run(X, "forward"), sample_weight)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the risk of each patient, greater is worse.

        Parameters
        ----------
        X : Cohort, mapping or array
            As for `fit`; a patient may lack any of the modalities.

        Returns
        -------
        ndarray of shape (n,)
            Log relative hazard for ``head="cox"``; else the cumulative hazard summed over the ends of the intervals.
        """
        check_is_fitted(self)
        found = self._target.output(self._run(X, "forward"))
        return found if self.head == "cox" else found.sum(axis=1)

    def _hazards(self, X: Any, times: np.ndarray) -> np.ndarray:
        if self.head == "cox":
            return super()._hazards(X, times)
        found = self._target.output(self._run(X, "forward"))
        # Within an interval the hazard is constant.
        ends = np.column_stack([np.zeros(len(found)), found])
        edges = np.concatenate([[0.0], self.breaks_])
        right = np.clip(np.searchsorted(edges[1:], times, "left"), 0, len(self.breaks_) - 1)
        width = edges[right + 1] - edges[right]
        share = np.where(width > 0, (times - edges[right]) / np.where(width > 0, width, 1.0), 1.0)
        return ends[:, right] + np.clip(share, 0, 1) * (ends[:, right + 1] - ends[:, right])

    def _explained(self, logits: torch.Tensor, output: str, horizon: float) -> torch.Tensor:
        """Return the risk, or the logit of P(PFS > horizon), of a network's output, so that gradients pass.

        Raises
        ------
        ValueError
            If no training patient had progressed by the horizon.
        """
        if self.head == "cox":
            log_risk = logits.reshape(len(logits))
            steps = np.concatenate([[0.0], self.baseline_hazard_])
            baseline = float(steps[np.searchsorted(self.baseline_times_, horizon, "right")])
            risk, hazard, known = log_risk, baseline * log_risk.exp(), baseline > 0
        else:
            each = torch.nn.functional.softplus(logits.reshape(len(logits), -1))
            edges = np.concatenate([[0.0], self.breaks_])
            width = np.diff(edges)
            share = np.where(width > 0, np.clip((horizon - edges[:-1]) / np.where(width > 0, width, 1.0), 0, 1), 1.0)
            known = bool(share.any())
            hazard = (each * torch.as_tensor(share, dtype=each.dtype, device=each.device)).sum(dim=1)
            risk = each.cumsum(dim=1).sum(dim=1)
        if output == "risk":
            return risk
        if not known:
            raise ValueError(
                f"`horizon` must be later than the first progression of the training patients; at {horizon:g} months everybody's "
                "P(PFS > horizon) is 1, which no input changes."
            )
        return -hazard - torch.log(-torch.expm1(-hazard))

    def _joining(self) -> dict[str, Any]:
        return {"outputs": len(self.breaks_) if self.head == "hazard" else 1}

    def _check_target(self, X: Any, y: Any) -> np.ndarray:
        values = super()._check_target(X, y)
        # Training starts from the hazards of all patients together, which a few epochs could not find.
        self._start = replace(self._target, breaks=self.breaks_).start(values) if self.head == "hazard" else None
        return values

    def _build(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        lab_features: int,
        columns: Mapping[str, np.ndarray],
        *,
        blank: bool = False,
    ) -> FusionNet:
        module = super()._build(shapes, lab_features, columns, blank=blank)
        start = None if blank else getattr(self, "_start", None)
        if start is not None:
            last: Any = module.head[-1]
            with torch.no_grad():
                last.bias.copy_(torch.as_tensor(start, dtype=last.bias.dtype))
        return module
