"""The weights of the lesion finder: read once, only if they are what their digest says."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from prrt_estimators._io import file_digest
from prrt_estimators._modalities import CT, PET
from prrt_estimators.exceptions import PretrainedWeightsError
from prrt_estimators.features._networks import LesionUNet, ct_network, pet_ct_network
from prrt_estimators.networks import load_weights

#: File that describes a folder of weights.
MANIFEST = "finder.json"
#: Where the package's own weights lie, and the SHA-256 of their manifest, which holds those of the weights.
PACKAGED = Path(__file__).parent / "weights"
PACKAGED_DIGEST = "bf5e679aeebda48864b6596156c55aa198ce3eff15f41a709258ef5747befb36"

_NETWORKS: Mapping[str, Callable[[], LesionUNet]] = {
    "pet_ct": pet_ct_network,
    CT.name: ct_network,
    PET.name: pet_ct_network,
}


@dataclass(frozen=True)
class FinderWeights:
    """Trained networks with the constants that were measured on phantoms.

    Parameters
    ----------
    pet_ct, ct, pet : tuple of Module
        Networks whose answers are averaged: of PET and CT, of CT alone, and of PET and CT for a patient without CT.
    reference : mapping of str to pair of floats
        Mean and standard deviation of numbers over phantoms, which z-scores are taken from.
    confidence : mapping of str to triple of floats
        Per scan: intercept and weights of the logit of a lesion's greatest share and of the logarithm of its volume.
    digest : str
        SHA-256 of the manifest.
    """

    pet_ct: tuple[nn.Module, ...]
    ct: tuple[nn.Module, ...]
    pet: tuple[nn.Module, ...]
    reference: Mapping[str, tuple[float, float]]
    confidence: Mapping[str, tuple[float, ...]]
    digest: str


def load_finder(folder: str | os.PathLike[str] | None = None) -> FinderWeights:
    """Return the finder's networks and constants.

    Parameters
    ----------
    folder : path, default=None
        Folder with ``finder.json`` and the files that it names, as ``benchmarks/train_lesion_finder.py`` writes it;
        the package's own if None.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or file.
    PretrainedWeightsError
        If a file is not the one that the manifest names.
    """
    place = PACKAGED if folder is None else Path(folder)
    return _load(place, manifest_digest(folder))


def manifest_digest(folder: str | os.PathLike[str] | None = None) -> str:
    """Return the SHA-256 of a folder's manifest: what the finder says depends on it alone."""
    place = PACKAGED if folder is None else Path(folder)
    file = place / MANIFEST
    if not file.is_file():
        raise FileNotFoundError(
            f"`weights`: the file {file} does not exist. Pass the folder that benchmarks/train_lesion_finder.py wrote, or None "
            "for the weights of the package."
        )
    digest = file_digest(file)
    if folder is None and digest != PACKAGED_DIGEST:
        raise PretrainedWeightsError(
            f"`weights`: {file} is not what this version was released with (SHA-256 {digest[:12]}, expected "
            f"{PACKAGED_DIGEST[:12]}). Install the package again.",
            kind="damaged",
        )
    return digest


@functools.lru_cache(maxsize=4)
def _load(place: Path, digest: str) -> FinderWeights:
    content = (place / MANIFEST).read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise PretrainedWeightsError(
            f"`weights`: {place / MANIFEST} changed while it was read. Try again.", kind="damaged"
        )
    try:
        manifest: dict[str, Any] = json.loads(content)
        files = manifest["files"]
        # One network may do for patients with and without CT.
        files = {**files, PET.name: files.get(PET.name, files["pet_ct"])}
        networks = {name: tuple(_network(name, place, entry) for entry in files[name]) for name in _NETWORKS}
        return FinderWeights(
            networks["pet_ct"],
            networks[CT.name],
            networks[PET.name],
            {name: (float(mean), float(sd)) for name, (mean, sd) in manifest["reference"].items()},
            {scan: tuple(map(float, values)) for scan, values in manifest["confidence"].items()},
            digest,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, PretrainedWeightsError):
            raise
        raise PretrainedWeightsError(
            f"`weights`: {place / MANIFEST} is not a description of a lesion finder ({type(error).__name__}: {error}). "
            "Pass the folder that benchmarks/train_lesion_finder.py wrote."
        ) from error


def _network(name: str, place: Path, entry: Mapping[str, str]) -> nn.Module:
    file = place / entry["name"]
    if not file.is_file():
        raise FileNotFoundError(f"`weights`: {place / MANIFEST} names {entry['name']}, which is not there.")
    if file_digest(file) != entry["sha256"]:
        raise PretrainedWeightsError(
            f"`weights`: {file} is not the file that {MANIFEST} names (its SHA-256 differs). Copy the folder again.",
            kind="damaged",
        )
    network = _NETWORKS[name]()
    load_weights(network, file)
    return network.eval()
