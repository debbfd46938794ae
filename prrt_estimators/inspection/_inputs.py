"""What maps need of a fitted estimator; the only file here that knows how one is built inside."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from prrt_estimators import _batches, _device
from prrt_estimators._modalities import IMAGING
from prrt_estimators.cohort import Cohort
from prrt_estimators.estimators._base import check_one_is_long
from prrt_estimators.estimators._deep import DeepPFSClassifier, DeepPFSEstimator
from prrt_estimators.exceptions import MissingModalityError, PretrainedWeightsError
from prrt_estimators.networks import Encoder, Features, LastStage
from prrt_estimators.preprocessing._volumes import BoxReader
from prrt_estimators.pretrained._branches import BranchVolumes
from prrt_estimators.pretrained._sources import shared_encoder


@dataclass
class MapInputs:
    """A copy of a trained network with the inputs of some patients.

    Parameters
    ----------
    module : Module
        In evaluation mode, on `device`; takes the tensors of `patient` and returns logits of shape (1,).
    dataset : PatientDataset
    volumes : tuple of str
        Modalities that the network takes as volumes, in which there is a place to point at.
    without_place : mapping of str to str
        Imaging modalities that can have no map, and why.
    at_once : int
        Volumes that may pass the network together.
    ids : ndarray of str, shape (n,)
    present : mapping of str to ndarray of bool, shape (n,)
    affines : mapping of str to ndarray of shape (n, 4, 4)
        Voxels of the network's input to RAS+ millimetres; of an array, to millimetres from its first voxel, or to
        voxels where the spacing is not known.
    windows : mapping of str to (low, high) or None
        Intensities beyond which the network sees no difference.
    probability : ndarray of shape (n,)
        Of PFS beyond the horizon.
    device : torch.device
    logit : callable
        From the network's output to the logit of PFS beyond the horizon.
    """

    module: nn.Module
    dataset: _batches.PatientDataset
    volumes: tuple[str, ...]
    without_place: dict[str, str]
    at_once: int
    ids: np.ndarray
    present: dict[str, np.ndarray]
    affines: dict[str, np.ndarray]
    windows: dict[str, tuple[float, float] | None]
    probability: np.ndarray
    device: torch.device
    logit: Callable[[torch.Tensor], torch.Tensor]

    def __len__(self) -> int:
        return len(self.ids)

    def shape(self, name: str) -> tuple[int, int, int]:
        """Return the voxels along each axis of a modality."""
        return tuple(int(size) for size in self.dataset.shapes[name][-3:])  # type: ignore[return-value]

    def patient(self, row: int) -> dict[str, torch.Tensor]:
        """Return the network's inputs of one patient, a batch of one."""
        inputs, _ = self.dataset.__getitems__([int(row)])
        return {name: value.to(self.device) for name, value in inputs.items()}

    def encoder(self, name: str) -> nn.Module:
        """Return the branch of a modality."""
        encoders: Any = self.module.encoders
        return encoders[name]

    def from_network_axes(self, name: str, values: torch.Tensor) -> torch.Tensor:
        """Turn a map of shape (n, 1, d, h, w) from the order of axes inside the network back to that of the scan."""
        axes = getattr(getattr(self.encoder(name), "form", None), "axes", (0, 1, 2))
        return values.permute(0, 1, *(2 + int(k) for k in np.argsort(axes)))


def open_inputs(estimator: Any, X: Any, horizon: float = 12.0) -> MapInputs:
    """Return a copy of a fitted estimator's network with the inputs of the patients X, all scans checked.

    Raises
    ------
    TypeError
        If the estimator has no network.
    MissingModalityError
        If it looks at no volumes, or X has none of them.
    """
    if not isinstance(estimator, DeepPFSEstimator) or not hasattr(estimator, "_explained"):
        raise TypeError(
            "maps need a fitted PETPFSClassifier, CTPFSClassifier, FusionPFSClassifier or a survival model of theirs; got "
            f"{type(estimator).__name__}. A search or pipeline holds it as best_estimator_ or as its last step."
        )
    check_is_fitted(estimator)
    probability = estimator._target.probability_beyond(estimator, X, horizon)
    if isinstance(estimator, DeepPFSClassifier):
        check_one_is_long(estimator)
    cohort = estimator._cohort(X)
    imaging = [name for name in estimator.modalities_ if name in IMAGING and cohort is not None and name in cohort]
    if cohort is None or not imaging:
        raise MissingModalityError(
            f"maps need PET or CT; this {type(estimator).__name__} was fitted on {', '.join(estimator.modalities_)} and "
            f"the data have {'one table' if cohort is None else ', '.join(cohort.modalities)}.",
            modalities=[name for name in estimator.modalities_ if name in IMAGING],
            estimator=type(estimator).__name__,
        )
    dataset = estimator._dataset(cohort, _table(estimator, cohort))
    device = _device.resolve_device(estimator.device)
    module = copy.deepcopy(estimator.net_.module_).to(device).eval().requires_grad_(False)
    without_place: dict[str, str] = {}
    for name in imaging:
        if isinstance(module.encoders[name], Encoder):
            continue
        try:
            _join(module, dataset, estimator, cohort, name, device)
        except (MemoryError, OSError, PretrainedWeightsError) as error:
            without_place[name] = str(error)
    for part in module.modules():
        if getattr(part, "inplace", False):
            # Grad-CAM keeps what a layer gave; a layer after it must not write into that.
            part.inplace = False
    volumes = tuple(name for name in imaging if name not in without_place)
    whole = any(isinstance(module.encoders[name], JoinedBranch) for name in volumes)
    return MapInputs(
        module=module,
        dataset=dataset,
        volumes=volumes,
        without_place=without_place,
        # A pretrained network keeps so much for its gradients that a CPU, which gains little from more, takes one.
        at_once=1 if whole and device.type == "cpu" else int(estimator.batch_size),
        ids=np.asarray(cohort.ids),
        present={name: np.asarray(cohort[name].present, dtype=bool) for name in volumes},
        affines={name: _affines(estimator, cohort, name) for name in volumes},
        windows={name: module.windows.get(name) for name in volumes},
        probability=probability,
        device=device,
        logit=lambda logits: estimator._explained(logits, "logit", horizon),
    )


class JoinedBranch(nn.Module):
    """A branch from the scan on: the pretrained part, which is computed once a patient, and the trained part behind it.

    Parameters
    ----------
    pretrained : Encoder
        Shared within the process, never trained.
    trained : Features or LastStage
    """

    def __init__(self, pretrained: Encoder, trained: Features | LastStage):
        super().__init__()
        self.pretrained, self.trained, self.form = pretrained, trained, pretrained.form
        self.out_features, self.normalises_batch = trained.out_features, False

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Return features of shape (n, out_features), of windowed volumes."""
        start = self.pretrained if isinstance(self.trained, Features) else self.pretrained.before_last_stage
        return self.trained(start(volumes))


def _join(
    module: Any, dataset: _batches.PatientDataset, estimator: Any, cohort: Cohort, name: str, device: torch.device
) -> None:
    """Put a whole branch where the network takes what was computed before."""
    branch = estimator.branches_[name]
    reader = branch.reader(cohort, estimator.cache_dir)
    shape = BranchVolumes(reader).shape
    encoder = shared_encoder(branch.source, reader.volume_shape).to(device).requires_grad_(False)
    module.encoders[name] = JoinedBranch(encoder, module.encoders[name])
    module.volumes = (*module.volumes, name)
    module.windows[name] = branch.source.window
    dataset.volumes[name], dataset.shapes[name] = BranchVolumes(reader), shape


def stages(estimator: Any) -> list[tuple[str, list[nn.Module]]]:
    """Return the parts of a fitted estimator's own network from the output to the input, branches side by side."""
    module = estimator.net_.module_
    joined = [module.embeddings] if module.gate is None else [module.gate, module.embeddings]
    parts: list[tuple[str, list[nn.Module]]] = [("fully connected layers", [module.head]), ("embeddings", joined)]
    columns = [_trained_children(encoder) for encoder in module.encoders.values()]
    for depth in range(max(map(len, columns), default=0)):
        found = [column[-1 - depth] for column in columns if depth < len(column)]
        parts.append((" and ".join(dict.fromkeys(name for name, _ in found)), [child for _, child in found]))
    return parts


def _table(estimator: Any, cohort: Cohort) -> np.ndarray | None:
    if "lab" not in estimator.modalities_:
        return None
    if "lab" not in cohort:
        return np.zeros((len(cohort), len(estimator.preprocessor_.get_feature_names_out())))
    return estimator.preprocessor_.transform(cohort["lab"])


def _affines(estimator: Any, cohort: Cohort, name: str) -> np.ndarray:
    branch = getattr(estimator, "branches_", {}).get(name)
    grid: Any = estimator if branch is None else branch.source
    own = bool(getattr(grid, "own_grid", False))
    reader = BoxReader(cohort, size=grid.size, spacing=grid.spacing, cache_dir=estimator.cache_dir)
    affines = np.tile(np.eye(4), (len(cohort), 1, 1))
    array, spacing = cohort[name].array, getattr(cohort[name], "spacing", None)
    if spacing is not None:
        affines[:, [0, 1, 2], [0, 1, 2]] = spacing
    for row in map(int, np.flatnonzero(cohort[name].present)):
        if own:
            record = None if array is not None else reader.record(row, name)
            shape, affine = (array.shape[2:], affines[row]) if record is None else (record.shape, record.matrix)
            affines[row] = own_grid_affine(shape, affine, size=reader.size, spacing=reader.spacing)
        elif array is None:
            affines[row] = reader.box(row).affine
    return affines


def own_grid_affine(shape: tuple[int, ...], affine: np.ndarray, *, size: Any, spacing: Any) -> np.ndarray:
    """Return where the voxels lie that MONAI's transforms make of a scan, without moving a voxel.

    Encoders with pretrained weights may take a scan turned to RAS+, brought to a spacing, padded and cropped about
    its own middle.
    """
    # Imported on demand, as it takes seconds.
    from monai.data import MetaTensor
    from monai.transforms import CenterSpatialCrop, Orientation, Spacing, SpatialPad

    volume: Any = MetaTensor(torch.zeros(1, *shape), affine=torch.as_tensor(affine, dtype=torch.float64))
    for transform in (
        Orientation(axcodes="RAS", labels=(("L", "R"), ("P", "A"), ("I", "S")), lazy=True),
        Spacing(pixdim=spacing, lazy=True),
        SpatialPad(spatial_size=size, lazy=True),
        CenterSpatialCrop(roi_size=size, lazy=True),
    ):
        volume = transform(volume)
    return np.asarray(volume.peek_pending_affine(), dtype=np.float64)


def _trained_children(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the children with weights in the order of definition; a lone child stands for its own children."""
    children = [(name, child) for name, child in module.named_children() if any(True for _ in child.parameters())]
    if len(children) == 1 and any(True for _ in children[0][1].children()):
        return _trained_children(children[0][1])
    return children
