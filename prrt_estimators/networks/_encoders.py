"""An encoder: a network from volumes to one vector per patient, whole or cut before its last stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from prrt_estimators._arguments import parameter
from prrt_estimators._torch_state import out_of_memory

#: From a network to what comes before its last stage, and that stage.
Split = Callable[[nn.Module], tuple[Callable[[torch.Tensor], torch.Tensor], nn.Module]]


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
    """A network from volumes to one vector per patient, whatever shape the wrapped network gives.

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
    split : callable, default=None
        What cuts off the last stage, see `EncoderSpec`; None for a network without one.
    standardised : bool, default=False
        Whether volumes are brought to the mean and standard deviation of the training patients, see `learn_scale`.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self,
        network: nn.Module,
        shape: tuple[int, ...],
        *,
        form: InputForm | None = None,
        out_features: int | None = None,
        split: Split | None = None,
        standardised: bool = False,
    ):
        super().__init__()
        self.network = network
        self.standardised = standardised
        # Not part of what is saved where nothing was learnt, so that earlier models are read as they are.
        self.register_buffer("mean", torch.zeros(()), persistent=standardised)
        self.register_buffer("scale", torch.ones(()), persistent=standardised)
        self.channels_last = standardised and all(weights.ndim != 4 for weights in network.parameters())
        if self.channels_last:
            # Faster on a processor, with batch normalisation; 2D weights have no such order.
            network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, unused-ignore]
        self.split = split
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
                if out_of_memory(error):
                    raise MemoryError(
                        f"{type(self.network).__name__} needs more memory than there is for one volume of shape (1, "
                        f"{', '.join(map(str, shape))}). Choose a smaller {parameter('size')} or another {parameter('encoder')}."
                    ) from error
                raise ValueError(
                    f"{type(self.network).__name__} cannot take volumes of shape (1, {', '.join(map(str, shape))}): "
                    f"{error}. Choose a larger {parameter('size')} or another {parameter('encoder')}."
                ) from error
        self.network.train(training)
        return features

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return features of shape (n, out_features)."""
        return _pooled(self.network(self._formed(volumes)), self.network)

    def learn_scale(self, mean: float, scale: float) -> None:
        """Take over the mean and the standard deviation of the windowed voxels of the training patients."""
        self.mean.fill_(mean)
        self.scale.fill_(scale if scale > 0 else 1.0)

    def _formed(self, volumes: torch.Tensor) -> torch.Tensor:
        if not self.standardised:
            return self.form(volumes)
        formed = self.form((volumes - self.mean) / self.scale)
        return formed.contiguous(memory_format=torch.channels_last_3d) if self.channels_last else formed

    def train(self, mode: bool = True) -> Encoder:
        """Switch to training or back; statistics that are frozen stay those of the pretraining."""
        super().train(mode)
        if mode and self.frozen_statistics:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def freeze_statistics(self) -> None:
        """Keep the means and variances of batch normalisation: a few patients per batch would blur them."""
        self.frozen_statistics, self.normalises_batch = True, False
        self.train(self.training)

    def last_stage(self) -> LastStage | None:
        """Return the last stage on its own; None for a network without one."""
        return None if self.split is None else LastStage(self.split(self.network)[1], self.out_features)

    def before_last_stage(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return what `last_stage` takes, of windowed volumes."""
        return self._parts()[0](self._formed(volumes))

    def both_stages(self, volumes: torch.Tensor) -> list[torch.Tensor]:
        """Return what `last_stage` takes and what it gives, of windowed volumes."""
        maps = self.before_last_stage(volumes)
        return [maps, _pooled(self._parts()[1](maps), self)]

    def _parts(self) -> tuple[Callable[[torch.Tensor], torch.Tensor], nn.Module]:
        if self.split is None:
            raise TypeError(
                f"{type(self.network).__name__} has no defined last stage; pass finetune='full' to train all of it."
            )
        return self.split(self.network)


class LastStage(nn.Module):
    """The last stage of a network: feature maps in, one vector per patient out.

    Parameters
    ----------
    stage : Module
        Taken over and not copied.
    out_features : int
        Length of the vector.
    """

    def __init__(self, stage: nn.Module, out_features: int):
        super().__init__()
        self.layer4 = stage  # the name by which saved models have it
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
