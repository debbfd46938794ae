"""Losses of networks that learn times: hazards of intervals, and Cox's partial likelihood."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


class HazardLoss(nn.Module):
    r"""Negative log likelihood of discrete-time hazards, each patient with a weight.

    With the logit of the hazard of each interval, a patient who progressed in interval :math:`k` counts

    .. math:: -\log h_k - \sum_{j < k} \log (1 - h_j)

    and a censored one the sum over the intervals survived whole. It is a mean over patients: a batch of any size, one
    patient too, has the gradient of those patients.
    """

    #: Whether the loss is a mean over patients, so that a batch may go through in parts.
    per_patient = True

    def forward(self, logits: torch.Tensor, target: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the weighted mean loss.

        Parameters
        ----------
        logits : tensor of shape (n, n_intervals)
        target : mapping of str to tensor of shape (n,)
            ``interval`` (whole intervals survived), ``event`` (0 or 1) and ``weight``.
        """
        logits = logits.float().reshape(len(target["event"]), -1)
        places = torch.arange(logits.shape[1], device=logits.device)
        interval, event = target["interval"].unsqueeze(1), target["event"].unsqueeze(1)
        survived = (places < interval).float()
        progressed = (places == interval).float() * event
        loss = survived * nn.functional.softplus(logits) + progressed * nn.functional.softplus(-logits)
        return (loss.sum(dim=1) * target["weight"]).mean()


class CoxLoss(nn.Module):
    """Negative log partial likelihood of Cox's model for a log relative hazard, ties after Breslow.

    The risk set of a progression is what the batch holds: a small batch compares a patient with few others. Its gradient
    still points to the same coefficients on average, but is noisier, and a batch of one has none.
    """

    per_patient = False

    def forward(self, risk: torch.Tensor, target: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the weighted loss per progression.

        Parameters
        ----------
        risk : tensor of shape (n,)
        target : mapping of str to tensor of shape (n,)
            ``time``, ``event`` (0 or 1) and ``weight``.
        """
        risk, time = risk.float(), target["time"]
        events = target["event"] * target["weight"]
        shifted = risk.unsqueeze(0) + target["weight"].clamp_min(1e-12).log().unsqueeze(0)
        at_risk = shifted.masked_fill(time.unsqueeze(0) < time.unsqueeze(1), -torch.inf).logsumexp(dim=1)
        return (events * (at_risk - risk)).sum() / events.sum().clamp_min(1.0)
