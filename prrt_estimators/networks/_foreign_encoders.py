"""Encoders of other hands: networks of MONAI by name, functions that make one, modules that were made already."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

#: Arguments of MONAI's networks for one volume in, and features out.
_SETTINGS: dict[str, Any] = {
    "spatial_dims": 3, "in_channels": 1, "n_input_channels": 1, "out_channels": 64, "num_classes": 64,
}  # fmt: skip


def monai_network(name: str) -> Callable[..., nn.Module] | None:
    """Return what makes a network of MONAI with random weights, for volumes of one channel; None if there is none of that name.

    Parameters
    ----------
    name : str
        Of a class in ``monai.networks.nets``.

    Examples
    --------
    >>> monai_network("DenseNet169")(out_channels=8).class_layers.out.out_features
    8
    >>> monai_network("NoNet") is None
    True
    """
    from monai.networks import nets  # imported on demand, as it takes seconds

    found = getattr(nets, name, None)
    # Functions there download weights; a name may come out of a file.
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        return None
    return functools.partial(_build_monai, found)


def _build_monai(network: type[nn.Module], **options: Any) -> nn.Module:
    if options.get("pretrained"):
        raise ValueError("networks of MONAI are built with random weights; pass pretrained ones as `weights`.")
    # Arguments that a class hands on to its base are those of the base.
    bases = network.__mro__[: network.__mro__.index(nn.Module)]
    known = {name for base in bases for name in inspect.signature(base).parameters}
    settings = {key: value for key, value in _SETTINGS.items() if key in known}
    if "pretrained" in known:
        settings["pretrained"] = False
    return network(**(settings | options))


def encoder_name(encoder: Any) -> str:
    """Return what an encoder is called in files and messages.

    Examples
    --------
    >>> encoder_name("compact"), encoder_name(nn.Linear), encoder_name(functools.partial(nn.Linear, 3)), encoder_name(nn.ReLU())
    ('compact', 'Linear', 'Linear', 'ReLU')
    """
    if isinstance(encoder, str):
        return encoder
    if isinstance(encoder, functools.partial):
        return encoder_name(encoder.func)
    return str(getattr(encoder, "__name__", type(encoder).__name__))


def drawn_anew(module: nn.Module, **params: Any) -> nn.Module:
    """Return a copy of a module with new random weights.

    Raises
    ------
    TypeError
        If a part of it has weights that cannot be drawn anew, or arguments are given.

    Examples
    --------
    >>> module = nn.Sequential(nn.Conv3d(1, 2, 3), nn.ReLU())
    >>> other = drawn_anew(module)
    >>> other[0].weight.shape == module[0].weight.shape, bool((other[0].weight == module[0].weight).any())
    (True, False)
    """
    if params:
        raise TypeError("a module that was made already takes no arguments; pass its class or a functools.partial")
    fresh = copy.deepcopy(module)
    for part in fresh.modules():
        held = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()
        elif held:
            raise TypeError(
                f"its part {type(part).__name__} holds weights and has no reset_parameters(), so that each fit would begin with "
                "those of the last; pass the class, or a function that makes the module"
            )
    return fresh
