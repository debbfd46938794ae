"""Ridge Cox regression averaged over strengths by evidence: what its classifier and its survival models share."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from prrt_estimators.estimators._ridge_evidence import CoxLikelihood, Posterior, average_by_evidence
from prrt_estimators.exceptions import FewEventsWarning
from prrt_estimators.preprocessing import ClippedScaler

#: Precisions that are tried, as factors of the usual one, and the width of their log-normal prior.
_FACTORS = np.exp(np.linspace(-2.1, 2.1, 7))
_SPREAD = 1.0
_USUAL = 50.0
#: Columns from which on the usual precision grows with their number, so that the sum of all effects keeps its size.
_MANY_COLUMNS = 100
#: Strength of a published direction in log hazard per standard deviation, and the odds against it.
_DIRECTION_STRENGTH, _ODDS_AGAINST = 0.1, 3.0
#: Events below which a fit says more about chance than about the columns.
MIN_EVENTS = 10


class RidgeCox:
    """Learns coefficients of standardised columns from times; `strength` and `scaler_` are the estimator's own."""

    strength: Any
    scaler_: ClippedScaler
    n_events_: float
    coef_: np.ndarray

    def _learn_hazard(
        self,
        Z: np.ndarray,
        weights: np.ndarray,
        direction: np.ndarray,
        time: np.ndarray,
        event: np.ndarray,
        *,
        sign: float,
    ) -> CoxLikelihood:
        """Keep the coefficients of the log hazard times `sign`; `direction` has 1 where high goes with long PFS."""
        usual = max(_USUAL, self.scaler_.varies_.sum() / _MANY_COLUMNS * _USUAL)
        precisions = usual * _FACTORS if self.strength == "evidence" else np.array([float(self.strength)])
        likelihood = CoxLikelihood(time, event, weights)
        if self.n_events_ < MIN_EVENTS and direction.any():
            coef = -_DIRECTION_STRENGTH * direction
            found = Posterior(
                coef,
                coef,
                np.zeros(len(coef)),
                precisions,
                np.full(len(precisions), 1.0),
                np.full(len(precisions), 1 / len(precisions)),
            )
        else:
            found = average_by_evidence(Z, likelihood, **self._grid(precisions, -direction))
        self._keep(found, sign=sign)
        return likelihood

    def _grid(self, precisions: np.ndarray, direction: np.ndarray) -> dict[str, Any]:
        centre = np.log(precisions).mean()
        grid: dict[str, Any] = {
            "precisions": precisions,
            "log_prior": -0.5 * ((np.log(precisions) - centre) / _SPREAD) ** 2,
            "directions": direction,
        }
        if direction.any():
            grid |= {"strengths": (0.0, _DIRECTION_STRENGTH), "log_odds": (float(np.log(_ODDS_AGAINST)), 0.0)}
        return grid

    def _keep(self, found: Posterior, *, sign: float) -> None:
        varies = self.scaler_.varies_
        self.coef_ = np.where(varies, sign * found.coef, 0.0)
        self.prior_coef_ = np.where(varies, sign * found.from_prior, 0.0)
        self.coef_without_prior_ = np.where(varies, sign * found.coef_without, 0.0)
        self.prior_share_ = float(found.shares[found.strengths > 0].sum())
        self.strength_ = float(np.exp(found.shares @ np.log(found.precisions)))

    def _warn_few(self, has_directions: bool, stacklevel: int = 4) -> None:
        if self.n_events_ == 0:
            used = "the class alone is learnt from"
        elif has_directions:
            used = "the coefficients are the prior's"
        else:
            used = "no direction is known for any column, so that the coefficients rest on these alone"
        warnings.warn(
            f"{self.n_events_:g} patients progressed; a survival model needs {MIN_EVENTS}: {used}.",
            FewEventsWarning,
            stacklevel=stacklevel,
        )
