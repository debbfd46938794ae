"""What ``weights`` of an estimator may be, made one thing: a file, its digest, and what the network in it expects."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from prrt_estimators._io import is_kept_whole
from prrt_estimators._modalities import MODALITIES
from prrt_estimators._published_weights import WEIGHTS, check_weights_exist
from prrt_estimators._torch_state import plain_modes, single_precision
from prrt_estimators.exceptions import PretrainedWeightsError
from prrt_estimators.networks import Encoder, InputForm, build_network
from prrt_estimators.networks._named_encoders import encoder_spec
from prrt_estimators.networks._weight_files import fill, read_note, read_state
from prrt_estimators.pretrained._fetch import digest_of, key_prefix, weight_file


@dataclass(frozen=True)
class WeightSource:
    """Weights found on this machine.

    Attributes
    ----------
    label : str
        Name or file name, for messages.
    file : Path
    digest : str
        SHA-256 of the file.
    encoder : str or Module class
    encoder_params : mapping
    form : InputForm
    size : tuple of 3 ints or None
        Voxels that a scan is brought to; None for the estimator's.
    spacing : tuple of 3 floats or None
    window : pair of floats or None
        None for the estimator's.
    own_grid : bool
        Whether a scan is padded and cropped about its own middle, rather than taken from the patient's box.
    out_features : int or None
        None if a volume must be passed to find out.
    prefix : str
    heads : tuple of str
    parameter : str
        Of the caller, for messages.
    seen : frozenset of str
        Digests of scans that the weights were pretrained on, where the file tells.
    """

    label: str
    file: Path
    digest: str
    encoder: Any
    encoder_params: Mapping[str, Any]
    form: InputForm = field(default_factory=InputForm)
    size: tuple[int, int, int] | None = None
    spacing: tuple[float, float, float] | None = None
    window: tuple[float, float] | None = None
    own_grid: bool = False
    out_features: int | None = None
    prefix: str = ""
    heads: tuple[str, ...] = ()
    parameter: str = "weights"
    seen: frozenset[str] = frozenset()

    def state(self) -> dict[str, torch.Tensor]:
        """Return the encoder's tensors as the file has them.

        Raises
        ------
        PretrainedWeightsError
            If the file was exchanged since it was found: what was computed with it before would not fit.
        """
        if self.file.is_file() and digest_of(self.file) != self.digest:
            raise PretrainedWeightsError(
                f"`{self.parameter}`: {self.file.name} was changed since the estimator was fitted with it. Fit it again, "
                "or put the old file back.",
                kind="damaged",
            )
        return read_state(self.file, prefix=self.prefix, heads=self.heads, parameter=self.parameter)

    def load(self, shape: tuple[int, ...]) -> Encoder:
        """Return a new encoder with these weights, for volumes of this shape."""
        # Without memory first: a large network would be filled with random numbers for nothing.
        with plain_modes(gradients=True), single_precision():
            with torch.device("meta" if isinstance(self.encoder, str) else "cpu"):
                network = build_network(self.encoder, self.encoder_params)
            fill(network, self.state(), name=self.label, parameter=self.parameter)
            return self._encoder(network, shape)

    def _encoder(self, network: Any, shape: tuple[int, ...]) -> Encoder:
        split = encoder_spec(self.encoder).last_stage
        return Encoder(network, shape, form=self.form, out_features=self.out_features, split=split)

    def blank(self, shape: tuple[int, ...]) -> Encoder:
        """Return a new encoder with random weights, to be filled."""
        with plain_modes(gradients=True), single_precision():
            return self._encoder(build_network(self.encoder, self.encoder_params), shape)


def find_weights(
    weights: str | os.PathLike[str],
    *,
    modality: str,
    encoder: Any = "compact",
    encoder_params: Mapping[str, Any] | None = None,
    parameter: str = "weights",
    cache_dir: str | os.PathLike[str] | None = None,
) -> WeightSource:
    """Find the file of weights given by name or path, and what they expect.

    Parameters
    ----------
    weights : str or path
        A key of `WEIGHTS`, or a file.
    modality : str
    encoder : str or Module class, default="compact"
        The network of a file that does not tell its own; a name other than the default must be the one that named
        weights are of.
    encoder_params : mapping, default=None
    parameter : str, default="weights"
        Of the caller, for messages.
    cache_dir : path, default=None

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    PretrainedWeightsError
        If the name is unknown, or the weights are of another modality or encoder, or cannot be had.
    """
    text = os.fspath(weights)
    if text in WEIGHTS:
        return _named(text, modality, encoder, encoder_params, parameter, cache_dir)
    check_weights_exist(text, parameter=parameter)
    file = Path(text).resolve()
    if not is_kept_whole(file):
        raise PretrainedWeightsError(
            f"`{parameter}`: {file} was damaged since it was written. Delete it, and fit or load again what wrote it.",
            kind="damaged",
        )
    note = read_note(file)
    if note is None:
        return WeightSource(
            file.name,
            file,
            digest_of(file),
            encoder,
            dict(encoder_params or {}),
            form=encoder_spec(encoder).form,
            parameter=parameter,
        )
    _check_encoder(file.name, note["encoder"], encoder, parameter)
    if encoder_params and _as_text(encoder_params) != _as_text(note["encoder_params"]):
        raise PretrainedWeightsError(
            f"`{parameter}`: {file.name} was made with encoder_params {note['encoder_params']}; leave encoder_params None."
        )
    if note["modality"] != modality:
        raise PretrainedWeightsError(
            f"`{parameter}`: {file.name} was pretrained on {note['modality'].upper()}, not on {MODALITIES[modality].title}."
        )
    return WeightSource(
        file.name,
        file,
        digest_of(file),
        note["encoder"],
        note["encoder_params"],
        form=encoder_spec(note["encoder"]).form,
        size=tuple(note["size"]),
        spacing=tuple(note["spacing"]),
        window=None if note["window"] is None else tuple(note["window"]),
        parameter=parameter,
        seen=frozenset(note["seen"]),
    )


def _named(
    name: str,
    modality: str,
    encoder: Any,
    encoder_params: Mapping[str, Any] | None,
    parameter: str,
    cache_dir: str | os.PathLike[str] | None,
) -> WeightSource:
    spec = WEIGHTS[name]
    if modality not in spec.modalities:
        raise PretrainedWeightsError(
            f"`{parameter}`: {name!r} is for {' and '.join(MODALITIES[one].title for one in spec.modalities)}, not for {MODALITIES[modality].title}."
        )
    _check_encoder(name, spec.encoder, encoder, parameter)
    if encoder_params:
        raise PretrainedWeightsError(f"`{parameter}`: {name!r} has a network of its own; leave encoder_params None.")
    file = weight_file(name, cache_dir=cache_dir)
    form = encoder_spec(spec.encoder).form
    return WeightSource(
        name,
        file,
        digest_of(file),
        spec.encoder,
        dict(spec.encoder_params),
        form=InputForm(form.axes, form.channels, spec.standardise),
        size=spec.size,
        spacing=spec.spacing,
        window=spec.window,
        own_grid=spec.size is not None,
        out_features=spec.out_features,
        prefix=key_prefix(spec, file),
        heads=spec.heads,
        parameter=parameter,
    )


def _as_text(params: Mapping[str, Any]) -> str:
    return json.dumps(dict(params), sort_keys=True, default=repr)


def _check_encoder(label: str, own: str, encoder: Any, parameter: str) -> None:
    if encoder not in ("compact", own):
        shown = encoder if isinstance(encoder, str) else getattr(encoder, "__name__", encoder)
        raise PretrainedWeightsError(
            f"`{parameter}`: the weights {label} are of the encoder {own!r}, but `encoder` is {shown!r}. Leave `encoder` "
            "at its default, or choose weights made with it."
        )


_last: tuple[tuple[str, str, tuple[int, ...]], Encoder] | None = None


def shared_encoder(source: WeightSource, shape: tuple[int, ...]) -> Encoder:
    """Return an encoder that everyone in this process may run and nobody may train; the last one is kept.

    A large network takes seconds to load; keeping one in every fitted clone of a search would fill the memory.
    """
    global _last
    key = (source.digest, repr((source.encoder, source.encoder_params, source.form)), shape)
    kept = _last  # looked at once: another thread may exchange it
    if kept is None or kept[0] != key:
        kept = _last = (key, source.load(shape).eval().requires_grad_(False))
    return kept[1]
