"""3D encoders by name, or of the user's own class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from monai.networks import nets
from torch import nn


def _compact(**options: Any) -> nn.Module:
    """Return a narrow 3D ResNet: four stages of one basic block, 16 to 128 channels, 0.9 million weights.

    Group instead of batch normalisation, because batches of a small cohort are small and a patient's prediction
    must not depend on the others in the batch.
    """
    settings: dict[str, Any] = {
        "block": "basic",
        "layers": [1, 1, 1, 1],
        "block_inplanes": [16, 32, 64, 128],
        "conv1_t_size": 3,
        "conv1_t_stride": 2,
        "spatial_dims": 3,
        "n_input_channels": 1,
        "feed_forward": False,
    }
    network = nets.ResNet(**(settings | options))
    _group_normalised(network, groups=8)
    return network


def _group_normalised(module: nn.Module, groups: int) -> None:
    """Replace batch by group normalisation; MONAI's ResNet (1.6) hands its `norm` to the first layer only."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm3d):
            setattr(module, name, nn.GroupNorm(groups, child.num_features))
        else:
            _group_normalised(child, groups)


def _medicalnet(name: str) -> Callable[..., nn.Module]:
    def build(**options: Any) -> nn.Module:
        # MedicalNet's 18- and 34-layer networks use the parameter-free shortcut; its weights then fit.
        settings: dict[str, Any] = {"spatial_dims": 3, "n_input_channels": 1, "feed_forward": False}
        settings["bias_downsample"] = False
        settings["shortcut_type"] = "A" if name in ("resnet18", "resnet34") else "B"
        return getattr(nets, name)(pretrained=False, **(settings | options))

    return build


def _densenet(**options: Any) -> nn.Module:
    settings = {"spatial_dims": 3, "in_channels": 1, "out_channels": 1}
    network = nets.DenseNet121(**(settings | options))
    network.class_layers.out = nn.Identity()
    return network


ENCODERS: Mapping[str, Callable[..., nn.Module]] = {
    "compact": _compact,
    "resnet10": _medicalnet("resnet10"),
    "resnet18": _medicalnet("resnet18"),
    "resnet34": _medicalnet("resnet34"),
    "resnet50": _medicalnet("resnet50"),
    "densenet121": _densenet,
}


class Encoder(nn.Module):
    """A network from volumes to one vector a patient, whatever shape the wrapped network gives.

    Parameters
    ----------
    network : Module
        Takes (n, 1, D, H, W); gives (n, features), or a feature map that is averaged over positions.
    shape : tuple of 3 ints
        Voxels along each axis of the volumes to come.

    Attributes
    ----------
    out_features : int
        Found by passing one blank volume.
    """

    def __init__(self, network: nn.Module, shape: tuple[int, ...]):
        super().__init__()
        self.network = network
        self.normalises_batch = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())
        training = network.training
        network.eval()
        with torch.no_grad():
            try:
                self.out_features = int(self(torch.zeros(1, 1, *shape)).shape[1])
            except (RuntimeError, ValueError) as error:
                raise ValueError(
                    f"{type(network).__name__} cannot take volumes of shape (1, {', '.join(map(str, shape))}): {error}. "
                    "Choose a larger `size` or another `encoder`."
                ) from error
        network.train(training)

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return features of shape (n, out_features)."""
        features = self.network(volumes)
        if not isinstance(features, torch.Tensor) or features.ndim < 2:
            raise ValueError(
                f"an encoder must return a tensor of shape (n, features) or (n, channels, ...); "
                f"{type(self.network).__name__} returned {type(features).__name__}."
            )
        return features.flatten(2).mean(dim=2) if features.ndim > 2 else features


def build_encoder(encoder: Any, params: Mapping[str, Any] | None, shape: tuple[int, ...]) -> Encoder:
    """Build an encoder.

    Parameters
    ----------
    encoder : str or Module class
        A name in `ENCODERS`, or a class that is called with `params`.
    params : mapping or None
        Keyword arguments for it.
    shape : tuple of 3 ints
        Voxels along each axis.

    Returns
    -------
    Encoder

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `encoder` is neither a name nor a Module class, or does not take `params`.
    """
    params = dict(params or {})
    if isinstance(encoder, str):
        if encoder not in ENCODERS:
            raise ValueError(f"`encoder` must be one of {sorted(ENCODERS)} or an nn.Module class; got {encoder!r}.")
        build: Callable[..., nn.Module] = ENCODERS[encoder]
    elif isinstance(encoder, type) and issubclass(encoder, nn.Module):
        build = encoder
    else:
        raise TypeError(
            f"`encoder` must be one of {sorted(ENCODERS)} or an nn.Module class (not an instance, whose weights "
            f"clones would share); got {type(encoder).__name__}."
        )
    try:
        network = build(**params)
    except TypeError as error:
        raise TypeError(f"`encoder_params` do not fit {encoder!r}: {error}") from error
    return Encoder(network, shape)
