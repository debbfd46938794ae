"""The number that an explanation explains: a probability of PFS beyond the horizon, its logit, or a risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from prrt_estimators._targets import target_of
from prrt_estimators.inspection._explained_models import on_scale


@dataclass(frozen=True)
class ExplainedOutput:
    """Predicts what is explained, of a model and patients.

    Parameters
    ----------
    kind : {"probability", "logit", "risk"}
        The first two of PFS beyond the horizon; the risk that a survival model predicts.
    horizon : float
        Months, for survival models; classifiers have the one that y was made with.
    """

    kind: str
    horizon: float

    def __call__(self, model: Any, X: Any) -> np.ndarray:
        """Return one number per patient.

        Raises
        ------
        ValueError
            If the risk is asked for, and the model predicts none.
        """
        target = target_of(model)
        if self.kind != "risk":
            return on_scale(target.probability_beyond(model, X, self.horizon), self.kind)
        return target.risk(model, X)

    def of_logits(self, network: Any, logits: Any) -> np.ndarray:
        """Return the same from the output of a model's network."""
        found = network._explained(logits.double(), "risk" if self.kind == "risk" else "logit", self.horizon).numpy()
        if self.kind == "risk":
            return found
        # Undoes what class weights add, as in predict_proba.
        return on_scale(1 / (1 + np.exp(-(found + getattr(network, "offset_", 0.0)))), self.kind)

    def title(self, model: Any) -> str:
        """Return what it is, in words."""
        return "risk" if self.kind == "risk" else f"{self.kind} of {target_of(model).beyond(self.horizon)}"
