"""Self-supervised pretraining of a CT encoder on one's own scans."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.torch import save
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from prrt_estimators import __version__, _batches, _device, _net, _torch_state
from prrt_estimators._io import absolute, atomic_write, default_cache_dir, keep_by_digest
from prrt_estimators._modalities import CT, MODALITIES
from prrt_estimators._validation import KeepsPaths, as_cohort
from prrt_estimators.cohort import Cohort
from prrt_estimators.estimators._saved_state import SavedState, SavesStateMixin
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.networks import build_encoder
from prrt_estimators.networks._contrast import ContrastNet, PairLoss
from prrt_estimators.networks._weight_files import NOTE
from prrt_estimators.preprocessing._volumes import BoxInput, BoxReader, box_parameters
from prrt_estimators.preprocessing._windows import check_window
from prrt_estimators.pretrained._branches import BranchReader, BranchSettings, PretrainedBranch, scan_digest
from prrt_estimators.pretrained._prepare import find_branch, prepare_scans

_WEIGHTS = "pretrained.safetensors"


class CTPretrainer(KeepsPaths, SavesStateMixin, TransformerMixin, BaseEstimator):
    r"""Pretrain a CT encoder on scans without outcomes.

    Two views of each patient (shifted, turned, zoomed, noised, with blocks blanked out) pass the encoder and a small
    projection; a patient's views must be alike and unlike those of the others in the batch:

    .. math:: -\log \frac{\exp(s(z_i, z_i') / \tau)}{\sum_{k \ne i} \exp(s(z_i, z_k) / \tau)}

    with cosine similarity s and temperature :math:`\tau`. No outcome is used, so any CTs of the same region will do.

    The result is ``weights_``, a file for ``weights`` of `CTPFSClassifier` and, for the modality ct, of
    `FusionPFSClassifier`. Given to those *unfitted*, a pretrainer is fitted on the training patients of each fit, so that
    no test patient is ever seen; scans seen in pretraining are remembered by digest, and an estimator that predicts
    one of them says so. In a `Pipeline` it turns CTs into features.

    Parameters
    ----------
    encoder : str, default="compact"
        Network to pretrain, as for `CTPFSClassifier`.
    encoder_params : mapping, default=None
        Keyword arguments for the encoder.
    window : pair of floats or None, default=(-160.0, 240.0)
        HU that become 0 and 1.
    size : int or three ints, default=48
        Voxels of the box along Right, Anterior, Superior. Arrays are taken on their own grid.
    spacing : float or three floats, default=8.0
        Millimetres between the box's voxels.
    projection : int, default=64
        Length of the vectors that are compared.
    temperature : float, default=0.2
        The smaller, the more the nearest other patients count.
    masked : float, default=0.3
        Part of a view's blocks that is blanked out.
    max_epochs : int, default=50
        Passes over the patients.
    lr : float, default=1e-3
        Learning rate at the start.
    batch_size : int, default=32
        Patients in a step; each is compared with all others in it.
    optimizer : {"adamw", "adam", "sgd"}, default="adamw"
    weight_decay : float, default=0.01
    device : str, default="auto"
        A GPU where there is one; or a torch device.
    precision : {"auto", "float32"}, default="auto"
        "auto" uses bfloat16 on a GPU that has it.
    cache_dir : path, default=None
        Where prepared volumes and the weights are kept; ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    verbose : int, default=0
        1 shows a progress bar on a terminal, 2 prints a line an epoch.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    weights_ : str
        Path of the encoder's weights (safetensors, with a note of what they expect).
    n_patients_ : int
        Patients with a CT.
    loss_curve_ : list of float
        Loss of each epoch.

    Raises
    ------
    CohortError
        If a scan cannot be used; lists all of them.
    MissingModalityError
        If X has no CT.
    ValueError
        If fewer than two patients have a CT.

    References
    ----------
    Chen et al. 2020, A simple framework for contrastive learning of visual representations, arXiv:2002.05709.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((6, 1, 16, 16, 16))
    >>> pretrainer = CTPretrainer(max_epochs=1, random_state=0).fit(X)
    >>> pretrainer.transform(X).shape
    (6, 128)
    """

    _modality: ClassVar[str] = CT.name
    _saved_apart: ClassVar[tuple[str, ...]] = ("weights_",)  # a file
    _parameter_constraints: ClassVar[dict] = {
        "encoder": [str],
        "encoder_params": [dict, None],
        "window": ["array-like", None],
        "size": ["array-like", Integral],
        "spacing": ["array-like", Real],
        "projection": [Interval(Integral, 2, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "masked": [Interval(Real, 0, 1, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "optimizer": [StrOptions(set(_net.OPTIMIZERS))],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "device": [str],
        "precision": [StrOptions({"auto", "float32"})],
        "cache_dir": [str, os.PathLike, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        encoder: str = "compact",
        encoder_params: Mapping[str, Any] | None = None,
        window: Any = CT.window,
        size: Any = 48,
        spacing: Any = 8.0,
        projection: int = 64,
        temperature: float = 0.2,
        masked: float = 0.3,
        max_epochs: int = 50,
        lr: float = 1e-3,
        batch_size: int = 32,
        optimizer: str = "adamw",
        weight_decay: float = 0.01,
        device: str = "auto",
        precision: str = "auto",
        cache_dir: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.encoder = encoder
        self.encoder_params = encoder_params
        self.window = window
        self.size = size
        self.spacing = spacing
        self.projection = projection
        self.temperature = temperature
        self.masked = masked
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.device = device
        self.precision = precision
        self.cache_dir = cache_dir
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> CTPretrainer:
        """Pretrain the encoder.

        Parameters
        ----------
        X : Cohort, mapping or array of shape (n, 1, D, H, W)
            Patients without a CT are passed over.
        y : ignored

        Returns
        -------
        self
        """
        self._validate_params()
        self.__dict__.pop("weights_", None)
        try:
            json.dumps(self.encoder_params)
        except TypeError as error:
            raise TypeError(
                f"`encoder_params` are written beside the weights and must be numbers, texts and lists; {error}."
            ) from error
        cohort = self._scans(X)
        cohort = cohort[np.flatnonzero(cohort[self._modality].present)]
        if len(cohort) < 2:
            raise ValueError(
                f"pretraining compares patients; got {len(cohort)} with a {MODALITIES[self._modality].title}."
            )
        self._prepare(cohort)
        device = _device.resolve_device(self.device)
        window = check_window(self.window, "window")
        reader = BoxReader(cohort, size=self.size, spacing=self.spacing, cache_dir=self.cache_dir)
        shape = reader.shape(self._modality)
        dataset = _batches.PatientDataset(
            {self._modality: BoxInput(reader, self._modality)},
            None,
            np.ones((len(cohort), 1), dtype=bool),
            (self._modality,),
            {self._modality: (1, *shape)},
            hold=True,
        )
        rng = check_random_state(self.random_state)
        with _torch_state.training(int(rng.randint(2**31 - 1)), device):
            encoder = build_encoder(self.encoder, self.encoder_params, shape)
            module = ContrastNet(self._modality, encoder, window, projection=self.projection, masked=float(self.masked))
            net = _net.train(
                module,
                dataset,
                criterion=PairLoss,
                criterion_options={"temperature": float(self.temperature)},
                max_epochs=self.max_epochs,
                lr=self.lr,
                batch_size=self.batch_size,
                slower={},
                optimizer=self.optimizer,
                weight_decay=self.weight_decay,
                validation_rows=None,
                patience=1,
                device=device,
                autocast=_device.use_autocast(self.precision, device),
                verbose=int(self.verbose),
            )
        self.n_patients_ = len(cohort)
        self.loss_curve_ = [float(loss) for loss in net.history[:, "train_loss"]]
        self._n_features_out = encoder.out_features
        self.weights_ = self._write(encoder.network.state_dict(), self._note(cohort, shape, window))
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the features of CTs under the pretrained encoder.

        Parameters
        ----------
        X : Cohort, mapping or array

        Returns
        -------
        ndarray of float32, shape (n, n_features)
            NaN for a patient without a CT.
        """
        check_is_fitted(self)
        cohort = self._scans(X)
        branch = self._branch()
        self._prepare(cohort, branch)
        reader = BranchReader(branch, cohort, self.cache_dir)
        features = np.full((len(cohort), self._n_features_out), np.nan, dtype=np.float32)
        for row in np.flatnonzero(cohort[self._modality].present):
            features[row] = reader.load(int(row))
        return features

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Copy the weights to a file of your own, for ``weights`` elsewhere.

        Parameters
        ----------
        path : path
            With the ending ``.safetensors``.

        Returns
        -------
        Path

        Raises
        ------
        ValueError
            If the ending is another.
        """
        check_is_fitted(self)
        target = Path(path)
        if target.suffix != ".safetensors":
            raise ValueError(f"weights are saved as .safetensors; got {target.name!r}.")
        with atomic_write(target) as temporary:
            shutil.copyfile(self.weights_, temporary)
        return target

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features."""
        check_is_fitted(self)
        return np.array([f"{type(self).__name__.lower()}{k}" for k in range(self._n_features_out)], dtype=object)

    def prepare(self, X: Any, progress: Any = None, n_jobs: int | None = None) -> CTPretrainer:
        """Check all CTs of X and bring them into their boxes, without training.

        Parameters
        ----------
        X : Cohort, mapping or array
        progress : callable, default=None
            Called with (patients done, patients in all).
        n_jobs : int, default=None
            Threads that read files.

        Returns
        -------
        self
        """
        self._prepare(self._scans(X), progress=progress, n_jobs=n_jobs)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        # Written last: a fit that was interrupted has losses but no weights.
        return hasattr(self, "weights_")

    @property
    def _reads(self) -> tuple[str, ...]:
        return (self._modality,)

    def _saved_state(self) -> SavedState:
        state = super()._saved_state()
        state.files[_WEIGHTS] = Path(self.weights_).read_bytes()
        return state

    def _restore(self, state: SavedState) -> None:
        super()._restore(state)
        self.weights_ = str(
            keep_by_digest(state.files[_WEIGHTS], default_cache_dir() / "weights", "pretrained", ".safetensors")
        )

    def _scans(self, X: Any) -> Cohort:
        cohort = as_cohort(X, image=self._modality)
        if self._modality not in cohort:
            raise MissingModalityError.of(type(self).__name__, [self._modality], cohort.modalities)
        return cohort.select(self._modality)

    def _prepare(self, cohort: Cohort, branch: PretrainedBranch | None = None, **options: Any) -> None:
        prepare_scans(
            cohort,
            (self._modality,),
            {} if branch is None else {self._modality: branch},
            size=self.size,
            spacing=self.spacing,
            cache_dir=self.cache_dir,
            device=_device.resolve_device(self.device),
            verbose=int(self.verbose),
            tell_padding=False,
            **options,
        )

    def _branch(self) -> PretrainedBranch:
        settings = BranchSettings(
            self.encoder, None, check_window(self.window, "window"), self.weights_, "frozen", "weights_"
        )
        return find_branch(self._modality, settings, self.size, self.spacing, self.cache_dir)

    def _note(self, cohort: Cohort, shape: tuple[int, ...], window: Any) -> dict[str, Any]:
        """Return what a user of the weights must know; of patients only digests of scans, to tell them again."""
        size, spacing = box_parameters(self.size, self.spacing)
        reader = BoxReader(cohort, size=size, spacing=spacing, cache_dir=self.cache_dir)
        seen = [scan_digest(reader, row, self._modality) for row in range(len(cohort))]
        in_files = cohort[self._modality].array is None
        known = cohort[self._modality].spacing
        if known is not None and (known == known[0]).all():
            spacing = tuple(known[0].tolist())
        return {
            "modality": self._modality,
            "encoder": self.encoder,
            "encoder_params": dict(self.encoder_params or {}),
            "size": list(size if in_files else shape),
            "spacing": list(spacing),
            "window": None if window is None else list(window),
            "method": "contrastive",
            "n_patients": len(cohort),
            "epochs": len(self.loss_curve_),
            "version": __version__,
            "seen": sorted(digest for digest in seen if digest is not None),
        }

    def _write(self, state: Mapping[str, torch.Tensor], note: Mapping[str, Any]) -> str:
        content = save({key: value.contiguous() for key, value in state.items()}, {NOTE: json.dumps(note)})
        folder = (Path(absolute(self.cache_dir)) if self.cache_dir is not None else default_cache_dir()) / "weights"
        return str(keep_by_digest(content, folder, "pretrained", ".safetensors"))
