"""Attribution of one patient's prediction to the voxels of the scans; captum does the work."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from prrt_estimators._extras import require
from prrt_estimators._modalities import MODALITIES
from prrt_estimators._torch_state import training
from prrt_estimators.exceptions import ExplanationWarning
from prrt_estimators.inspection._inputs import MapInputs

#: Fewer voxels along an axis cannot tell where something is.
MIN_GRID = 4


@dataclass(frozen=True)
class Settings:
    """How maps are made; see `saliency` for the parameters."""

    method: str
    n_samples: int
    noise: float
    n_steps: int
    seed: int
    target: str
    baseline: str | Mapping[str, np.ndarray]
    batch_size: int


def captum_attr() -> Any:
    """Return ``captum.attr``."""
    return require("captum.attr", "drawing maps", "explain", package="captum")


def patient_maps(inputs: MapInputs, row: int, settings: Settings) -> tuple[dict[str, np.ndarray], float]:
    """Return the maps of one patient, modality -> array (D, H, W), and the error of completeness (NaN without one)."""
    names = [name for name in inputs.volumes if inputs.present[name][row]]
    if not names:
        return {}, float("nan")
    given = inputs.patient(row)
    volumes = tuple(given.pop(name).detach().clone().requires_grad_() for name in names)
    case = _Case(_forward(inputs, names, given, settings.target), volumes, names, inputs, row, settings)
    # The same noise for everyone: a patient's map does not depend on who else is looked at.
    with training(settings.seed, inputs.device):
        maps, error = _METHODS[settings.method](case)
    return {name: one.detach()[0, 0].float().cpu().numpy() for name, one in zip(names, maps, strict=True)}, error


@dataclass(frozen=True)
class _Case:
    """The network as a function of one patient's volumes, all else held."""

    call: Callable[..., torch.Tensor]
    volumes: tuple[torch.Tensor, ...]
    names: list[str]
    inputs: MapInputs
    row: int
    settings: Settings

    def named(self) -> list[tuple[str, torch.Tensor]]:
        return list(zip(self.names, self.volumes, strict=True))


def _forward(
    inputs: MapInputs, names: list[str], given: Mapping[str, torch.Tensor], target: str
) -> Callable[..., torch.Tensor]:
    def call(*volumes: torch.Tensor) -> torch.Tensor:
        n = len(volumes[0])
        others = {name: value.expand(n, *value.shape[1:]) for name, value in given.items()}
        logits = inputs.logit(inputs.module(**others, **dict(zip(names, volumes, strict=True))))
        return logits.sigmoid() if target == "probability" else logits

    return call


def _gradient(case: _Case) -> tuple[Any, float]:
    return captum_attr().Saliency(case.call).attribute(case.volumes, abs=False), float("nan")


def _smoothgrad(case: _Case) -> tuple[Any, float]:
    attr, settings = captum_attr(), case.settings
    found = attr.NoiseTunnel(attr.Saliency(case.call)).attribute(
        case.volumes,
        nt_type="smoothgrad",
        nt_samples=settings.n_samples,
        nt_samples_batch_size=min(settings.batch_size, settings.n_samples),
        stdevs=tuple(settings.noise * _width(case.inputs.windows[name], volume) for name, volume in case.named()),
        abs=False,
    )
    return found, float("nan")


def _integrated(case: _Case) -> tuple[Any, float]:
    inputs, settings = case.inputs, case.settings
    # Beyond its window the network sees nothing, so the path stays within: the same end, and no step is wasted.
    ends = tuple(_within(volume.detach(), inputs.windows[name]).requires_grad_() for name, volume in case.named())
    starts = tuple(baseline(end.detach(), name, inputs, settings) for name, end in zip(case.names, ends, strict=True))
    found, error = (
        captum_attr()
        .IntegratedGradients(case.call)
        .attribute(
            ends,
            baselines=starts,
            n_steps=settings.n_steps,
            method="gausslegendre",
            internal_batch_size=settings.batch_size,
            return_convergence_delta=True,
        )
    )
    with torch.no_grad():
        change = float((case.call(*ends) - case.call(*starts)).abs())
    missed = float(error.abs())
    if missed > 0.02 + 0.1 * change:
        warnings.warn(
            f"patient {inputs.ids[case.row]}: the integrated gradients miss the change of the {settings.target} from "
            f"the baseline ({change:.2g}) by {missed:.2g}. Pass more n_steps than {settings.n_steps}.",
            ExplanationWarning,
            stacklevel=2,
        )
    return found, missed


def _gradcam(case: _Case) -> tuple[Any, float]:
    attr = captum_attr()
    maps = []
    for name, volume in case.named():
        layer = feature_layer(case.inputs, name, lambda: case.call(*case.volumes))
        # Without the usual last ReLU: one logit stands for both classes, evidence for short PFS being negative.
        coarse = attr.LayerGradCam(case.call, layer).attribute(case.volumes, relu_attributions=False)
        coarse = case.inputs.from_network_axes(name, coarse.detach())
        maps.append(nn.functional.interpolate(coarse, volume.shape[2:], mode="trilinear", align_corners=False))
    return maps, float("nan")


_METHODS: Mapping[str, Callable[[_Case], tuple[Any, float]]] = {
    "gradient": _gradient,
    "smoothgrad": _smoothgrad,
    "integrated_gradients": _integrated,
    "gradcam": _gradcam,
}
METHODS = tuple(_METHODS)


def feature_layer(inputs: MapInputs, name: str, run: Callable[[], Any]) -> nn.Module:
    """Return the layer of a modality's branch whose feature map Grad-CAM weighs.

    The last one with at least `MIN_GRID` voxels along each axis, or with the most there is.

    Raises
    ------
    ValueError
        If no layer gives a feature map with three axes in space.
    """
    seen: list[tuple[int, nn.Module]] = []

    def note(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 5:
            seen.append((min(min(output.shape[2:]), MIN_GRID), module))

    hooks = [module.register_forward_hook(note) for module in inputs.encoder(name).modules()]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        raise ValueError(
            f"Grad-CAM needs a layer with a feature map (n, channels, d, h, w); the {MODALITIES[name].title} encoder has none. "
            'Pass method="gradient".'
        )
    most = max(extent for extent, _ in seen)
    return next(module for extent, module in reversed(seen) if extent == most)


def baseline(volume: torch.Tensor, name: str, inputs: MapInputs, settings: Settings) -> torch.Tensor:
    """Return the scan without what is to be explained, where integrated gradients begin; shape (1, 1, D, H, W)."""
    window = inputs.windows[name]
    if settings.baseline == "blank":
        return torch.full_like(
            volume, MODALITIES[name].outside if window is None else max(MODALITIES[name].outside, window[0])
        )
    if settings.baseline == "blurred":
        sigma = [size / 8 for size in volume.shape[2:]]
        blurred = ndimage.gaussian_filter(volume[0, 0].float().cpu().numpy(), sigma, mode="nearest")
        return torch.from_numpy(blurred)[None, None].to(volume)
    return torch.from_numpy(settings.baseline[name])[None, None].to(volume)  # type: ignore[index]


def mean_scan(inputs: MapInputs) -> dict[str, np.ndarray]:
    """Return the mean over patients of what the network sees of each modality."""
    means = {}
    for name in inputs.volumes:
        rows = np.flatnonzero(inputs.present[name])
        total = np.zeros(inputs.shape(name))
        for row in rows:
            total += _within(inputs.patient(int(row))[name], inputs.windows[name])[0, 0].double().cpu().numpy()
        means[name] = (total / max(len(rows), 1)).astype(np.float32)
    return means


def _within(volume: torch.Tensor, window: tuple[float, float] | None) -> torch.Tensor:
    return volume if window is None else volume.clamp(*window)


def _width(window: tuple[float, float] | None, volume: torch.Tensor) -> float:
    return float(volume.max() - volume.min()) if window is None else window[1] - window[0]
