"""3D encoders by name, or of the user's own class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.networks import nets
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


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


def _inflated_resnet152(**options: Any) -> nn.Module:
    """Return a 2D ResNet-152 made 3D by repeating its filters, as Merlin has it; takes (n, 3, S, R, A)."""
    settings: dict[str, Any] = {
        "block": "bottleneck",
        "layers": [3, 8, 36, 3],
        "block_inplanes": [64, 128, 256, 512],
        "spatial_dims": 3,
        "n_input_channels": 3,
        "conv1_t_size": (3, 7, 7),
        "conv1_t_stride": (1, 2, 2),
        "feed_forward": False,
        "bias_downsample": False,
    }
    return nets.ResNet(**(settings | options))


def _densenet(**options: Any) -> nn.Module:
    settings = {"spatial_dims": 3, "in_channels": 1, "out_channels": 1}
    network = nets.DenseNet121(**(settings | options))
    network.class_layers.out = nn.Identity()
    return network


@dataclass(frozen=True)
class InputForm:
    """What a network with pretrained weights expects beyond voxels in a window.

    Parameters
    ----------
    axes : tuple of 3 ints, default=(0, 1, 2)
        Order of Right, Anterior, Superior as the network takes them.
    channels : int, default=1
        How often the volume is repeated as a channel.
    standardise : bool, default=False
        Whether each volume is brought to mean 0 and standard deviation 1.
    """

    axes: tuple[int, int, int] = (0, 1, 2)
    channels: int = 1
    standardise: bool = False

    def __call__(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return what the network takes, of windowed volumes of shape (n, 1, D, H, W)."""
        if self.standardise:
            mean = volumes.mean(dim=(1, 2, 3, 4), keepdim=True)
            volumes = (volumes - mean) / volumes.std(dim=(1, 2, 3, 4), keepdim=True).clamp_min(1e-6)
        return volumes.permute(0, 1, *(2 + axis for axis in self.axes)).expand(-1, self.channels, -1, -1, -1)


class Encoder(nn.Module):
    """A network from volumes to one vector a patient, whatever shape the wrapped network gives.

    Parameters
    ----------
    network : Module
        Takes (n, channels, D, H, W); gives (n, features), or a feature map that is averaged over positions.
    shape : tuple of 3 ints
        Voxels along each axis of the volumes to come.
    form : InputForm or None, default=None
        How volumes are brought to what the network takes; as they are if None.
    out_features : int, default=None
        Length of the vector; found by passing one blank volume if None.
    """

    def __init__(
        self,
        network: nn.Module,
        shape: tuple[int, ...],
        *,
        form: InputForm | None = None,
        out_features: int | None = None,
    ):
        super().__init__()
        self.network = network
        self.form = InputForm() if form is None else form
        self.frozen_statistics = False
        self.normalises_batch = any(isinstance(m, _BatchNorm) for m in network.modules())
        self.out_features = self._probed(shape) if out_features is None else out_features

    def _probed(self, shape: tuple[int, ...]) -> int:
        training = self.network.training
        self.network.eval()
        with torch.no_grad():
            try:
                features = int(self(torch.zeros(1, 1, *shape)).shape[1])
            except (RuntimeError, ValueError) as error:
                if "memory" in str(error).lower():
                    raise MemoryError(
                        f"{type(self.network).__name__} needs more memory than there is for one volume of shape (1, "
                        f"{', '.join(map(str, shape))}). Choose a smaller `size` or another `encoder`."
                    ) from error
                raise ValueError(
                    f"{type(self.network).__name__} cannot take volumes of shape (1, {', '.join(map(str, shape))}): "
                    f"{error}. Choose a larger `size` or another `encoder`."
                ) from error
        self.network.train(training)
        return features

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return features of shape (n, out_features)."""
        return _pooled(self.network(self.form(volumes)), self.network)

    def train(self, mode: bool = True) -> Encoder:
        """Switch to training or back; statistics that are frozen stay those of the pretraining."""
        super().train(mode)
        if mode and self.frozen_statistics:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def freeze_statistics(self) -> None:
        """Keep the means and variances of batch normalisation: a few patients a batch would blur them."""
        self.frozen_statistics, self.normalises_batch = True, False
        self.train(self.training)

    def last_stage(self) -> LastStage | None:
        """Return the last stage of a residual network on its own; None for a network of another kind."""
        return LastStage(self.network, self.out_features) if isinstance(self.network, nets.ResNet) else None

    def before_last_stage(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return what `last_stage` takes, of windowed volumes."""
        network: Any = self.network
        values = network.act(network.bn1(network.conv1(self.form(volumes))))
        if not network.no_max_pool:
            values = network.maxpool(values)
        return network.layer3(network.layer2(network.layer1(values)))

    def both_stages(self, volumes: torch.Tensor) -> list[torch.Tensor]:
        """Return what `last_stage` takes and what it gives, of windowed volumes."""
        maps = self.before_last_stage(volumes)
        return [maps, _pooled(self.network.layer4(maps), self)]  # type: ignore[operator]


class LastStage(nn.Module):
    """The last stage of a residual network: feature maps in, one vector a patient out.

    Parameters
    ----------
    network : Module
        A residual network of MONAI, whose ``layer4`` is taken over and not copied.
    out_features : int
        Length of the vector.
    """

    def __init__(self, network: nn.Module, out_features: int):
        super().__init__()
        self.layer4: Any = network.layer4
        self.out_features = out_features
        self.normalises_batch = False
        # A new module counts as training already, so that nobody may ever call `train`.
        self.train(self.training)

    def train(self, mode: bool = True) -> LastStage:
        """Switch to training or back; means and variances of batch normalisation stay those of the pretraining."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return features of shape (n, out_features)."""
        return _pooled(self.layer4(maps), self)


def _pooled(features: Any, network: nn.Module) -> torch.Tensor:
    if not isinstance(features, torch.Tensor) or features.ndim < 2:
        raise ValueError(
            f"an encoder must return a tensor of shape (n, features) or (n, channels, ...); "
            f"{type(network).__name__} returned {type(features).__name__}."
        )
    return features.flatten(2).mean(dim=2) if features.ndim > 2 else features


class Features(nn.Module):
    """Stands where an encoder would, for features that were computed before; brings each to mean 0 and SD 1.

    Parameters
    ----------
    mean, scale : ndarray of shape (out_features,)
        Of the training patients.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: np.ndarray, scale: np.ndarray):
        super().__init__()
        self.out_features = len(mean)
        self.normalises_batch = False
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return standardised features of shape (n, out_features)."""
        return (features - self.mean) / self.scale


ENCODERS: Mapping[str, Callable[..., nn.Module]] = {
    "compact": _compact,
    "resnet10": _medicalnet("resnet10"),
    "resnet18": _medicalnet("resnet18"),
    "resnet34": _medicalnet("resnet34"),
    "resnet50": _medicalnet("resnet50"),
    "densenet121": _densenet,
    "inflated_resnet152": _inflated_resnet152,
}
#: What an encoder takes other than one channel along Right, Anterior, Superior.
FORMS: Mapping[str, InputForm] = {"inflated_resnet152": InputForm(axes=(2, 0, 1), channels=3)}


def build_network(encoder: Any, params: Mapping[str, Any] | None) -> nn.Module:
    """Build the network of an encoder.

    Parameters
    ----------
    encoder : str or Module class
        A name in `ENCODERS`, or a class that is called with `params`.
    params : mapping or None
        Keyword arguments for it.

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
        return build(**params)
    except TypeError as error:
        raise TypeError(f"`encoder_params` do not fit {encoder!r}: {error}") from error


def build_encoder(encoder: Any, params: Mapping[str, Any] | None, shape: tuple[int, ...]) -> Encoder:
    """Build an encoder with random weights.

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
    return Encoder(build_network(encoder, params), shape, form=input_form(encoder))


def input_form(encoder: Any) -> InputForm:
    """Return what an encoder takes."""
    return FORMS.get(encoder, InputForm()) if isinstance(encoder, str) else InputForm()
