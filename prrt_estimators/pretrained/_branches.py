"""An imaging branch with pretrained weights: what it computes once a patient, and what is left to train."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from prrt_estimators import _device
from prrt_estimators._modalities import MODALITIES
from prrt_estimators.cohort import Cohort
from prrt_estimators.exceptions import CohortError, PretrainedWeightsError, Problem
from prrt_estimators.networks import Encoder, Features, LastStage
from prrt_estimators.networks._named_encoders import encoder_spec
from prrt_estimators.preprocessing._boxes import as_stored_hu
from prrt_estimators.preprocessing._cache import ScanRecord
from prrt_estimators.preprocessing._grids import onto_grid
from prrt_estimators.preprocessing._scans import read_scan
from prrt_estimators.preprocessing._volumes import BoxReader, check_array
from prrt_estimators.pretrained import WeightSource
from prrt_estimators.pretrained._sources import shared_encoder

#: How much of a pretrained encoder is trained.
FINETUNE = ("frozen", "last", "full")


class BranchSettings(NamedTuple):
    """What an estimator's parameters say of one imaging modality."""

    encoder: Any
    params: Any
    window: tuple[float, float] | None
    weights: Any
    finetune: str
    parameter: str


@dataclass(frozen=True)
class PretrainedBranch:
    """One modality whose encoder has pretrained weights.

    Parameters
    ----------
    modality : str
        A scan of `MODALITIES`.
    source : WeightSource
        With size, spacing and window filled in.
    finetune : {"frozen", "last", "full"}
        "frozen" takes the encoder's vector, computed once a patient; "last" trains the last stage on feature maps
        that are computed once; "full" trains all of it on volumes.
    bfloat16 : bool, default=False
        Whether what is computed once is computed in bfloat16.
    """

    modality: str
    source: WeightSource
    finetune: str
    bfloat16: bool = False

    @property
    def in_box(self) -> bool:
        """Whether the volumes are the patient's box."""
        return not self.source.own_grid

    @property
    def keeps(self) -> str:
        """What is computed once a patient: "vectors", "maps", or "volumes"."""
        if self.finetune == "frozen":
            return "vectors"
        in_two = encoder_spec(self.source.encoder).last_stage is not None
        return "maps" if self.finetune == "last" and in_two else "volumes"

    def reader(self, X: Cohort, cache_dir: str | os.PathLike[str] | None = None) -> BranchReader:
        """Return the reader of what this branch takes of a cohort."""
        return BranchReader(self, X, cache_dir)

    def build(
        self, shape: tuple[int, ...], columns: np.ndarray | None, *, blank: bool = False
    ) -> Encoder | LastStage | Features:
        """Return what is left to train, with pretrained weights.

        Parameters
        ----------
        shape : tuple of ints
            Of one patient's input.
        columns : ndarray of shape (n, out_features) or None
            Vectors of the training patients, which "frozen" is standardised by.
        blank : bool, default=False
            Whether trained weights will be filled in, so that pretrained ones need not be read.
        """
        if self.keeps == "vectors":
            return Features(*_mean_and_scale(columns if columns is not None else np.zeros((1, *shape), np.float32)))
        make = self.source.blank if blank else self.source.load
        encoder = make(shape[1:] if self.keeps == "volumes" else self.source.size)  # type: ignore[arg-type]
        if self.keeps == "maps":
            stage = encoder.last_stage()
            assert stage is not None
            return stage
        if self.finetune == "last":
            _only_last_trains(encoder)
        encoder.freeze_statistics()
        return encoder


def _mean_and_scale(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = columns.std(axis=0)
    # A feature that no training patient shows stays out, instead of blowing up at the first who does.
    return columns.mean(axis=0), np.where(scale > 1e-6, scale, 1e6).astype(np.float32)


def _only_last_trains(encoder: Encoder) -> None:
    stages = [child for child in encoder.network.children() if any(True for _ in child.parameters())]
    while len(stages) == 1 and list(stages[0].children()):
        stages = [child for child in stages[0].children() if any(True for _ in child.parameters())]
    # A normalisation at the end is not a stage by itself.
    weighty = [k for k, stage in enumerate(stages) if any(weight.ndim > 1 for weight in stage.parameters())]
    if not weighty:
        return
    encoder.requires_grad_(False)
    for stage in stages[weighty[-1] :]:
        stage.requires_grad_(True)


class BranchReader:
    """What a pretrained branch takes of the patients of one cohort, computed once and kept on disk."""

    def __init__(self, branch: PretrainedBranch, X: Cohort, cache_dir: str | os.PathLike[str] | None = None):
        self.branch, self.X = branch, X
        source = branch.source
        assert source.size is not None
        assert source.spacing is not None
        self.size, self.spacing = source.size, source.spacing
        self.boxes = BoxReader(X, size=self.size, spacing=self.spacing, cache_dir=cache_dir)
        self.volumes = X[branch.modality]
        if source.own_grid and self.volumes.array is not None and self.volumes.spacing is None:
            raise PretrainedWeightsError(
                f"the weights {source.label} expect voxels of {' x '.join(f'{s:g}' for s in self.spacing)} mm, but the "
                f"{MODALITIES[branch.modality].title} array does not tell its own. Pass Volumes(array, spacing=(r, a, s)) in mm."
            )

    @functools.cached_property
    def volume_shape(self) -> tuple[int, ...]:
        """Voxels along each axis of the volumes that the encoder takes."""
        return self.size if self.branch.source.own_grid else self.boxes.shape(self.branch.modality)

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of one patient's input."""
        if self.branch.keeps == "volumes":
            return (1, *self.volume_shape)
        rows = np.flatnonzero(self.volumes.present)
        if not len(rows):
            raise ValueError(f"no patient has a {MODALITIES[self.branch.modality].title}; the branch cannot be built.")
        return self.load(int(rows[0])).shape

    def load(self, row: int) -> np.ndarray:
        """Return one present patient's input, computing it if it is new or was cleared."""
        if self.branch.keeps == "volumes" and not self.branch.source.own_grid:
            return self.boxes.load(row, self.branch.modality)
        found = self.boxes.cache.get(self._file(row) or self._compute(row))
        if found is None:
            # Cleared or damaged since it was written: made again.
            self._file(row).unlink(missing_ok=True)  # type: ignore[union-attr]
            found = self.boxes.cache.get(self._compute(row))
        if found is None:
            raise OSError(
                f"the volume cache {self.boxes.cache.folder} does not keep what is written; set another cache_dir."
            )
        return found

    def prepare(self, progress: Callable[[int, int], None] | None = None, device: torch.device | None = None) -> None:
        """Compute what is missing, one patient at a time.

        Raises
        ------
        CohortError
            With every scan that cannot be used.
        """
        if self.branch.keeps == "volumes" and not self.branch.source.own_grid:
            return
        problems: list[Problem] = []
        computed = False
        for row in range(len(self.X)):
            if self.volumes.present[row]:
                try:
                    file = self._file(row)
                    if file is None or not file.exists():
                        self._compute(row, device)
                        computed = True
                except CohortError as error:
                    problems += error.problems
            if progress is not None:
                progress(row + 1, len(self.X))
        if computed and device is not None and device.type != "cpu" and self.branch.keeps != "volumes":
            shared_encoder(self.branch.source, self.volume_shape).to("cpu")
        if problems:
            raise CohortError(problems)

    def digest(self, row: int) -> str | None:
        """Return the SHA-256 of one patient's scan; None for a file not opened yet."""
        return scan_digest(self.boxes, row, self.branch.modality)

    def _file(self, row: int, keeps: str | None = None) -> Path | None:
        keeps = keeps or self.branch.keeps
        source, array = self.branch.source, self.volumes.array is not None
        lies: Any = None
        if source.own_grid and array:
            lies = [*self.volumes.array.shape[2:], *self.volumes.spacing[row].tolist()]
        elif array:
            lies = list(self.volumes.array.shape[2:])
        elif not source.own_grid and not array:
            lies = self.boxes.box(row).centre
        digest = self.digest(row)
        if digest is None:
            return None
        grid = ["own" if source.own_grid else "box", *self.size, *self.spacing, lies]
        form = [*source.form.axes, source.form.channels, source.form.standardise]
        network = [source.digest, str(source.encoder), repr(dict(source.encoder_params)), source.window, form]
        weights = [] if keeps == "volumes" else [*network, "bfloat16" if self.branch.bfloat16 else "float32"]
        return self.boxes.cache.feature_file(keeps, self.branch.modality, digest, grid, weights)

    def volume(self, row: int) -> np.ndarray:
        """Return the voxels that the encoder takes, before windowing."""
        name = self.branch.modality
        if not self.branch.source.own_grid:
            return np.asarray(self.boxes.load(row, name), dtype=np.float32)
        if self.volumes.array is not None:
            data, affine = self.volumes.array[row, 0], np.diag([*self.volumes.spacing[row], 1.0])
            try:
                check_array(data, name)
            except ValueError as error:
                raise CohortError([Problem(str(error), "mend the array", str(self.X.ids[row]), name)]) from None
        else:
            path = self.volumes.paths[row]
            scan = read_scan(path, name, str(self.X.ids[row]))
            data, affine = scan.data, scan.affine
            self.boxes.cache.put_record(path, scan.stat, ScanRecord.of(scan, name))
        return onto_grid(data, affine, size=self.size, spacing=self.spacing, modality=name)

    def _compute(self, row: int, device: torch.device | None = None) -> Path:
        known = self._file(row) is not None
        values = self.volume(row)
        file = self._file(row)
        assert file is not None
        if not known and file.exists():
            return file  # the same scan was there under another path
        if self.branch.keeps == "volumes":
            values = as_stored_hu(values) if MODALITIES[self.branch.modality].whole else values
        else:
            encoder = shared_encoder(self.branch.source, self.volume_shape)
            voxels, half = windowed(values, self.branch.source.window), self.branch.bfloat16
            if self.branch.keeps == "vectors":
                (values,) = _device.run_once(encoder, lambda volume: [encoder(volume)], voxels, device, bfloat16=half)
            else:
                # The vector of "frozen" is a step away: one pass serves both.
                maps, vector = _device.run_once(encoder, encoder.both_stages, voxels, device, bfloat16=half)
                self.boxes.cache.put(self._file(row, "vectors"), vector)  # type: ignore[arg-type]
                # Maps are large, and further layers follow: half precision halves them. Vectors stay as they are.
                values = maps.astype(np.float16)
        self.boxes.cache.put(file, values)
        return file


@dataclass(frozen=True)
class BranchVolumes:
    """The volumes that the encoder of a branch takes, where all of it is to be run."""

    reader: BranchReader

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one patient."""
        return (1, *self.reader.volume_shape)

    def load(self, row: int) -> np.ndarray:
        """Return one present patient's voxels, before windowing."""
        return self.reader.volume(row)


def scan_digest(reader: BoxReader, row: int, modality: str) -> str | None:
    """Return the SHA-256 of one patient's scan, of its file or of its voxels; None for a file not opened yet."""
    volumes = reader.X[modality]
    if volumes.array is not None:
        return hashlib.sha256(volumes.array[row].tobytes()).hexdigest()
    record = reader.cache.record(volumes.paths[row])
    return None if record is None else record.digest


def windowed(voxels: np.ndarray, window: tuple[float, float] | None) -> np.ndarray:
    """Return voxels with a window brought to 0..1."""
    if window is None:
        return voxels
    low, high = window
    return (np.clip(voxels, low, high) - low) / np.float32(high - low)
