"""Time to progression from PET, CT and laboratory values, joined in one network."""

from __future__ import annotations

from typing import Any, ClassVar

from prrt_estimators.estimators._deep_survival import SURVIVAL_CONSTRAINTS, DeepPFSSurvival
from prrt_estimators.estimators._fusion import FUSION_CONSTRAINTS, FusionMixin
from prrt_estimators.estimators._network_texts import with_network_texts


@with_network_texts
class FusionPFSSurvival(FusionMixin, DeepPFSSurvival):
    r"""Predict the time to progression from any of PET, CT and laboratory values with one network.

    The network of `FusionPFSClassifier` with another head. With the logits :math:`f_k` of the hazards of intervals that end
    at :math:`t_k`,

    .. math:: P(\mathrm{PFS} > t_k \mid x) = \prod_{j \le k} \bigl(1 - \sigma(f_j(x))\bigr)

    and within an interval the hazard is constant. Censored patients count in every interval that they were followed
    through.

    Parameters
    ----------
    %(modalities)s
    %(heads)s
    %(branches)s
    %(network)s
    %(training)s
    %(callbacks)s
    %(running)s

    Attributes
    ----------
    %(net_attributes)s
    %(time_attributes)s
    %(loss_attributes)s
    %(lab_attributes)s

    Raises
    ------
    CohortError
        If a scan cannot be used; lists all of them.
    MissingModalityError
        If X lacks a modality that `modalities` names.
    TypeError, ValueError
        If y does not hold times, or nobody progressed.

    References
    ----------
    Gensheimer and Narasimhan, "A scalable discrete-time survival model for neural networks", PeerJ 2019,
    doi:10.7717/peerj.6257. Katzman et al., "DeepSurv", BMC Medical Research Methodology 2018,
    doi:10.1186/s12874-018-0482-1.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = dict(pet=rng.random((8, 1, 16, 16, 16)), lab=rng.random((8, 3)))
    >>> y = {"event": [1, 0] * 4, "time": np.arange(1.0, 9.0)}
    >>> model = FusionPFSSurvival(max_epochs=1, random_state=0).fit(X, y)
    >>> list(model.modalities_) == list(X), model.predict_survival_function(X, [3.0, 6.0]).shape
    (True, (8, 2))
    """

    _parameter_constraints: ClassVar[dict] = {**FUSION_CONSTRAINTS, **SURVIVAL_CONSTRAINTS}

    def __init__(
        self,
        *,
        modalities: Any = "auto",
        fusion: str = "concat",
        head: str = "hazard",
        n_intervals: int = 10,
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
        self.head = head
        self.n_intervals = n_intervals
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
        self.early_stopping = early_stopping
        self.patience = patience
        self.device = device
        self.precision = precision
        self.cache_dir = cache_dir
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state
