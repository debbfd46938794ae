"""A 2D network on maximum-intensity projections, as an encoder of volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from prrt_estimators.networks._named_encoders import build_network

#: Plane of a projection -> axis of (n, channels, Right, Anterior, Superior) along which the maximum is taken.
PLANES: Mapping[str, int] = {"sagittal": 2, "coronal": 3, "axial": 4}
JOINS = ("concat", "mean")


class ProjectionEncoder(nn.Module):
    """A 2D network that is applied to maximum-intensity projections of each volume.

    With :math:`M_p(x)` the maximum of a volume :math:`x` along the axis that plane :math:`p` looks along, and one network
    :math:`f` for all planes, the features are the :math:`f(M_p(x))` side by side, or their mean over planes.

    As ``encoder="projections"``, with these parameters in `encoder_params`, it works in every estimator with a network. A
    hot lesion stays visible in a projection of PET, and a 2D network needs fewer weights, less memory and less time
    than the same network in 3D, so that larger boxes at finer spacing fit. What lies behind something brighter is lost: kidneys and
    bladder hide lesions in PET, and bones hide everything in CT.

    Parameters
    ----------
    backbone : str, Module class, function, functools.partial or Module, default="narrow_resnet10"
        A name in `ENCODERS` or of a network of MONAI, which is built with ``spatial_dims=2``, or what makes a 2D network, e.g.
        ``torchvision.models.resnet18`` (with ``channels=3``). It maps (n, channels, height, width) to (n, features), or to
        a feature map that is averaged over positions.
    axes : sequence of {"coronal", "sagittal", "axial"}, default=("coronal", "sagittal")
        Planes of the projections. Images are upright: rows run from the head to the feet, or from front to back.
    join : {"concat", "mean"}, default="concat"
        How the features of the planes become one vector.
    channels : int, default=1
        How often a projection is repeated as a channel: 3 for networks of colour images.
    backbone_params : mapping or None, default=None
        Keyword arguments of the network.

    Attributes
    ----------
    backbone : Module
        The 2D network.
    axes : tuple of str
    join : str
    channels : int

    Raises
    ------
    ValueError
        If a parameter has another value, or the name of the backbone is unknown.
    TypeError
        If the backbone is of another kind, or does not take `backbone_params`.

    Examples
    --------
    >>> volumes = torch.rand(2, 1, 24, 24, 32)
    >>> ProjectionEncoder(axes=["coronal"])(volumes).shape, ProjectionEncoder()(volumes).shape
    (torch.Size([2, 128]), torch.Size([2, 256]))
    """

    def __init__(
        self,
        backbone: Any = "narrow_resnet10",
        axes: Sequence[str] = ("coronal", "sagittal"),
        join: str = "concat",
        channels: int = 1,
        backbone_params: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.axes = _checked_planes(axes)
        if join not in JOINS:
            raise ValueError(f"`join` must be one of {', '.join(map(repr, JOINS))}; got {join!r}.")
        if isinstance(channels, bool) or not isinstance(channels, int) or channels < 1:
            raise ValueError(f"`channels` must be a positive whole number; got {channels!r}.")
        self.join, self.channels = join, channels
        flat = {"spatial_dims": 2} if isinstance(backbone, str) else {}
        if backbone == "projections":
            raise ValueError("`backbone` must be a 2D network, not 'projections' itself.")
        self.backbone = build_network(backbone, flat | dict(backbone_params or {}))

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return features of shape (n, features), or (n, planes x features) if they are concatenated.

        Parameters
        ----------
        volumes : Tensor of shape (n, 1, D, H, W)
            Along Right, Anterior, Superior.

        Returns
        -------
        Tensor
        """
        features = [self._features(project(volumes, plane)) for plane in self.axes]
        return torch.cat(features, dim=1) if self.join == "concat" else torch.stack(features).mean(dim=0)

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        features = self.backbone(images.expand(-1, self.channels, -1, -1))
        if not isinstance(features, torch.Tensor) or features.ndim < 2:
            raise ValueError(
                f"a 2D network must return a tensor of shape (n, features) or (n, channels, ...); "
                f"{type(self.backbone).__name__} returned {type(features).__name__}."
            )
        return features.flatten(2).mean(dim=2) if features.ndim > 2 else features


def project(volumes: torch.Tensor, plane: str) -> torch.Tensor:
    """Return maximum-intensity projections, upright, of shape (n, channels, height, width).

    Parameters
    ----------
    volumes : Tensor of shape (n, channels, D, H, W)
        Along Right, Anterior, Superior.
    plane : {"coronal", "sagittal", "axial"}

    Examples
    --------
    >>> volume = torch.zeros(1, 1, 2, 3, 4)
    >>> volume[0, 0, 1, 2, 3] = 5.0
    >>> [tuple(int(k) for k in project(volume, plane)[0, 0].nonzero()[0]) for plane in PLANES]
    [(0, 2), (0, 1), (0, 1)]
    """
    images = volumes.amax(dim=PLANES[plane]).transpose(2, 3)
    return images.flip(2)


def _checked_planes(axes: Any) -> tuple[str, ...]:
    planes = (axes,) if isinstance(axes, str) else tuple(axes)
    unknown = [plane for plane in planes if plane not in PLANES]
    if unknown or not planes or len(set(planes)) < len(planes):
        raise ValueError(
            f"`axes` must be one or more different planes of {', '.join(map(repr, PLANES))}; got {axes!r}."
        )
    return planes
