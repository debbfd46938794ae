"""The study's best model: PET, CT and laboratory values joined."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from prrt_estimators.estimators._by_modality import BRANCH_CONSTRAINTS
from prrt_estimators.estimators._constraints import NET_CONSTRAINTS
from prrt_estimators.estimators._deep import DeepPFSClassifier
from prrt_estimators.estimators._network_texts import with_network_texts
from prrt_estimators.networks import FUSIONS

FUSION_CONSTRAINTS: dict[str, Any] = {
    "modalities": [StrOptions({"auto"}), "array-like"],
    "fusion": [StrOptions(set(FUSIONS))],
    **BRANCH_CONSTRAINTS,
    "log": [StrOptions({"auto"}), "array-like", None],
    "modality_dropout": [Interval(Real, 0, 1, closed="left")],
}


class FusionMixin:
    """Any of the modalities, joined in one network."""

    modalities: Any
    fusion: str
    modality_dropout: float

    def _wanted(self) -> Any:
        return self.modalities

    def _joining(self) -> dict[str, Any]:
        how = {"fusion": self.fusion, "modality_dropout": self.modality_dropout}
        return super()._joining() | how  # type: ignore[misc]


@with_network_texts
class FusionPFSClassifier(FusionMixin, DeepPFSClassifier):
    r"""Predict long PFS from any of PET, CT and laboratory values with one network.

    Each imaging modality has a 3D CNN and the laboratory table a linear layer; the embeddings are joined and pass
    fully connected layers:

    .. math:: P(\text{long PFS} \mid x) = \sigma(f([h_\text{PET}, h_\text{CT}, h_\text{lab}]))

    A patient who lacks a modality is trained on and predicted for: a learned token takes the place of the embedding,
    and `modality_dropout` trains that token even when every training patient is complete.

    Parameters
    ----------
    %(modalities)s
    %(branches)s
    %(network)s
    %(classes)s
    %(training)s
    %(callbacks)s
    %(running)s

    Attributes
    ----------
    %(class_attributes)s
    %(net_attributes)s
    %(loss_attributes)s
    %(lab_attributes)s

    Raises
    ------
    CohortError
        If a scan cannot be used; lists all of them.
    MissingModalityError
        If X lacks a modality that `modalities` names.
    PretrainedWeightsError
        If pretrained weights cannot be had or do not fit.

    Notes
    -----
    The parameters by group:

    - data: `modalities`, `log`, `size`, `spacing`, `window`, `augment`, `cache_dir`;
    - encoders: `encoder`, `encoder_params`, `weights`, `finetune`, `pretrained_lr_factor`;
    - joining: `fusion`, `embedding`, `dropout`, `modality_dropout`;
    - classes: `class_weight`, `pos_label`;
    - training: `max_epochs`, `lr`, `batch_size`, `optimizer`, `weight_decay`;
    - early stopping: `early_stopping`, `patience`;
    - running: `device`, `precision`, `callbacks`, `verbose`, `random_state`.

    References
    ----------
    Baur et al., "Multimodal Deep Learning for Prediction of Progression-Free Survival in Patients with
    Neuroendocrine Tumors Undergoing 177Lu-based Peptide Receptor Radionuclide Therapy", arXiv:2511.05169. Encoder,
    sizes and training are choices of this library; the paper does not state its own.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = dict(pet=rng.random((8, 1, 16, 16, 16)), lab=rng.random((8, 3)))
    >>> clf = FusionPFSClassifier(max_epochs=1, random_state=0).fit(X, np.array([0, 1] * 4))
    >>> list(clf.modalities_) == list(X), clf.transform(X).shape
    (True, (8, 64))
    """

    _parameter_constraints: ClassVar[dict] = {**FUSION_CONSTRAINTS, **NET_CONSTRAINTS}

    def __init__(
        self,
        *,
        modalities: Any = "auto",
        fusion: str = "concat",
        encoder: Any = "auto",
        encoder_params: Any = None,
        window: Any = "auto",
        weights: Any = None,
        finetune: Any = "frozen",
        pretrained_lr_factor: float = 0.1,
        log: Any = "auto",
        modality_dropout: float = 0.1,
        size: Any = 48,
        spacing: Any = 8.0,
        augment: str | None = "light",
        embedding: int = 32,
        dropout: float = 0.2,
        max_epochs: int = 25,
        lr: float = 1e-3,
        batch_size: int = 8,
        optimizer: str = "adamw",
        weight_decay: float = 0.01,
        class_weight: Any = "balanced",
        pos_label: Any = None,
        early_stopping: bool = False,
        patience: int = 10,
        device: str = "auto",
        precision: str = "auto",
        cache_dir: Any = None,
        callbacks: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.modalities = modalities
        self.fusion = fusion
        self.encoder = encoder
        self.encoder_params = encoder_params
        self.window = window
        self.weights = weights
        self.finetune = finetune
        self.pretrained_lr_factor = pretrained_lr_factor
        self.log = log
        self.modality_dropout = modality_dropout
        self.size = size
        self.spacing = spacing
        self.augment = augment
        self.embedding = embedding
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.class_weight = class_weight
        self.pos_label = pos_label
        self.early_stopping = early_stopping
        self.patience = patience
        self.device = device
        self.precision = precision
        self.cache_dir = cache_dir
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state
