"""3D encoders by name, or of the user's own class."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from prrt_estimators._arguments import parameter
from prrt_estimators._registry import Registry
from prrt_estimators.networks._encoders import Encoder, InputForm, Split
from prrt_estimators.networks._foreign_encoders import drawn_anew, encoder_name, monai_network

_NARROW: dict[str, Any] = {
    "block": "basic",
    "layers": [1, 1, 1, 1],
    "block_inplanes": [16, 32, 64, 128],
    "conv1_t_size": 3,
    "conv1_t_stride": 2,
    "spatial_dims": 3,
    "n_input_channels": 1,
    "feed_forward": False,
}


def _compact(**options: Any) -> nn.Module:
    """Return a narrow 3D ResNet: four stages of one basic block, 16 to 128 channels, 0.9 million weights.

    Group instead of batch normalisation, because batches of a small cohort are small and a patient's prediction
    must not depend on the others in the batch.
    """
    from monai.networks import nets  # imported on demand, as it takes seconds

    network = nets.ResNet(**(_NARROW | options))
    _group_normalised(network, groups=8)
    return network


def _narrow_resnet10(**options: Any) -> nn.Module:
    """Return a ResNet-10 of a quarter of the width: four stages of one basic block, 16 to 128 channels, 0.9 million weights.

    Batch normalisation keeps differences in level between volumes. Group normalisation brings each volume to a scale of its
    own, so that one with twice the uptake looks much like the other.
    """
    from monai.networks import nets

    return nets.ResNet(**(_NARROW | options))


def _group_normalised(module: nn.Module, groups: int) -> None:
    """Replace batch by group normalisation, in 3D and 2D; MONAI's ResNet (1.6) hands its `norm` to the first layer only."""
    for name, child in module.named_children():
        if isinstance(child, (nn.BatchNorm2d, nn.BatchNorm3d)):
            setattr(module, name, nn.GroupNorm(groups, child.num_features))
        else:
            _group_normalised(child, groups)


def _medicalnet(name: str) -> Callable[..., nn.Module]:
    def build(**options: Any) -> nn.Module:
        from monai.networks import nets

        # MedicalNet's 18- and 34-layer networks use the parameter-free shortcut; its weights then fit.
        settings: dict[str, Any] = {"spatial_dims": 3, "n_input_channels": 1, "feed_forward": False}
        settings["bias_downsample"] = False
        settings["shortcut_type"] = "A" if name in ("resnet18", "resnet34") else "B"
        return getattr(nets, name)(pretrained=False, **(settings | options))

    return build


def _inflated_resnet152(**options: Any) -> nn.Module:
    """Return a 2D ResNet-152 made 3D by repeating its filters, as Merlin has it; takes (n, 3, S, R, A)."""
    from monai.networks import nets

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


def _projections(**options: Any) -> nn.Module:
    from prrt_estimators.networks._projections import ProjectionEncoder  # which builds its backbone by this module

    return ProjectionEncoder(**options)


def _densenet(**options: Any) -> nn.Module:
    from monai.networks import nets

    settings = {"spatial_dims": 3, "in_channels": 1, "out_channels": 1}
    network = nets.DenseNet121(**(settings | options))
    network.class_layers.out = nn.Identity()
    return network


def _residual(network: Any) -> tuple[Callable[[torch.Tensor], torch.Tensor], nn.Module]:
    """Cut a residual network of MONAI before its fourth stage."""

    def before(volumes: torch.Tensor) -> torch.Tensor:
        values = network.act(network.bn1(network.conv1(volumes)))
        if not network.no_max_pool:
            values = network.maxpool(values)
        return network.layer3(network.layer2(network.layer1(values)))

    return before, network.layer4


@dataclass(frozen=True)
class EncoderSpec:
    """A network that `encoder` of the estimators may name.

    Parameters
    ----------
    name : str
    build : callable
        From keyword arguments (`encoder_params`) to a Module that maps (n, channels, D, H, W) to (n, features), or to a
        feature map that is averaged over positions.
    last_stage : callable or None, default=None
        From the network to (what comes before its last stage, its last stage): for ``finetune="last"``, which trains the
        stage on maps that are computed once. The mean of the stage's output over positions must be what the network
        returns. None if a network has no such stage; then ``finetune="last"`` trains its last part with weights.
    form : InputForm, default=None
        What it takes; one channel along Right, Anterior, Superior if None.
    standardised : bool, default=False
        Whether its volumes are brought to the mean and standard deviation of the training patients.

    Examples
    --------
    >>> sum(weights.numel() for weights in ENCODERS["compact"].build().parameters())
    897584
    """

    name: str
    build: Callable[..., nn.Module]
    last_stage: Split | None = None
    form: InputForm = None  # type: ignore[assignment]
    standardised: bool = False

    def __post_init__(self) -> None:
        if self.form is None:
            object.__setattr__(self, "form", InputForm())


#: Every encoder by name.
ENCODERS: Registry[EncoderSpec] = Registry(
    "encoder",
    EncoderSpec("narrow_resnet10", _narrow_resnet10, _residual, standardised=True),
    EncoderSpec("compact", _compact, _residual),
    *(EncoderSpec(name, _medicalnet(name), _residual) for name in ("resnet10", "resnet18", "resnet34", "resnet50")),
    EncoderSpec("densenet121", _densenet),
    EncoderSpec("inflated_resnet152", _inflated_resnet152, _residual, form=InputForm(axes=(2, 0, 1), channels=3)),
    EncoderSpec("projections", _projections, standardised=True),
)


def encoder_spec(encoder: Any) -> EncoderSpec:
    """Return the record of an encoder; one that is not registered has no last stage.

    Parameters
    ----------
    encoder : str, Module class, function, functools.partial or Module
        A name in `ENCODERS` or of a network of MONAI, what makes a Module, or a Module whose weights are drawn anew.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is none of these.
    """
    if isinstance(encoder, str):
        if encoder in ENCODERS:
            return ENCODERS[encoder]
        found = monai_network(encoder)
        if found is None:
            raise ValueError(
                f"{parameter('encoder')} must be one of {sorted(ENCODERS)}, the name of a network of MONAI such as 'DenseNet169', or something "
                f"that makes an nn.Module; got {encoder!r}."
            )
        return EncoderSpec(encoder, found)
    if isinstance(encoder, nn.Module):
        return EncoderSpec(type(encoder).__name__, functools.partial(drawn_anew, encoder))
    if isinstance(encoder, type) and not issubclass(encoder, nn.Module):
        raise TypeError(f"{parameter('encoder')} must be an nn.Module class; got the class {encoder.__name__}.")
    if callable(encoder):
        return EncoderSpec(encoder_name(encoder), encoder)
    raise TypeError(
        f"{parameter('encoder')} must be one of {sorted(ENCODERS)}, a network of MONAI by name, an nn.Module class, a function or "
        f"functools.partial that returns an nn.Module, or an nn.Module; got {type(encoder).__name__}."
    )


def build_network(encoder: Any, params: Mapping[str, Any] | None) -> nn.Module:
    """Build the network of an encoder.

    Parameters
    ----------
    encoder : str, Module class, function, functools.partial or Module
        As for `encoder_spec`; what is called gets `params`.
    params : mapping or None
        Keyword arguments for it.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `encoder` is of another kind, or does not take `params`.
    """
    spec = encoder_spec(encoder)
    try:
        network = spec.build(**dict(params or {}))
    except TypeError as error:
        raise TypeError(f"`encoder_params` do not fit {spec.name!r}: {error}") from error
    if not isinstance(network, nn.Module):
        raise TypeError(f"`encoder` {spec.name!r} must return an nn.Module; it returned a {type(network).__name__}.")
    return network


def build_encoder(encoder: Any, params: Mapping[str, Any] | None, shape: tuple[int, ...]) -> Encoder:
    """Build an encoder with random weights.

    Parameters
    ----------
    encoder : str, Module class, function, functools.partial or Module
        As for `encoder_spec`; what is called gets `params`.
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
        If `encoder` is of another kind, or does not take `params`.
    """
    spec = encoder_spec(encoder)
    return Encoder(
        build_network(encoder, params), shape, form=spec.form, split=spec.last_stage, standardised=spec.standardised
    )
