"""Time to progression from one imaging modality."""

from __future__ import annotations

from typing import Any, ClassVar

from prrt_estimators._modalities import CT, PET
from prrt_estimators.estimators._by_modality import BRANCH_CONSTRAINTS
from prrt_estimators.estimators._deep_survival import SURVIVAL_CONSTRAINTS, DeepPFSSurvival
from prrt_estimators.estimators._image import OneImageMixin
from prrt_estimators.estimators._network_texts import with_defaults, with_network_texts


class _ImagePFSSurvival(OneImageMixin, DeepPFSSurvival):
    _parameter_constraints: ClassVar[dict] = {**BRANCH_CONSTRAINTS, **SURVIVAL_CONSTRAINTS}

    def __init__(
        self,
        *,
        head: str = "hazard",
        n_intervals: int = 10,
        encoder: Any = "auto",
        encoder_params: Any = None,
        window: Any = None,
        weights: Any = None,
        finetune: Any = "frozen",
        pretrained_lr_factor: float = 0.1,
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
        self.head = head
        self.n_intervals = n_intervals
        self.encoder = encoder
        self.encoder_params = encoder_params
        self.window = window
        self.weights = weights
        self.finetune = finetune
        self.pretrained_lr_factor = pretrained_lr_factor
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


@with_network_texts
class PETPFSSurvival(_ImagePFSSurvival):
    """Predict the time to progression from the somatostatin-receptor PET with a 3D CNN.

    The network of `PETPFSClassifier` with the heads of `FusionPFSSurvival`.

    Parameters
    ----------
    %(heads)s
    %(encoder)s
    window : pair of floats or None, default=(0.0, 20.0)
        SUVbw that become 0 and 1; None leaves intensities alone.
    %(weights)s
    %(network)s
    %(training)s
    %(callbacks)s
    %(running)s

    Attributes
    ----------
    %(net_attributes)s
    %(time_attributes)s
    %(loss_attributes)s

    Raises
    ------
    CohortError
        If a scan cannot be used; lists all of them.
    MissingModalityError
        If X has no PET.
    TypeError, ValueError
        If y does not hold times, or nobody progressed.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.random((8, 1, 16, 16, 16)), {"event": [1, 0] * 4, "time": np.arange(1.0, 9.0)}
    >>> PETPFSSurvival(max_epochs=1, random_state=0).fit(X, y).predict(X).shape
    (8,)
    """

    _image: ClassVar[str] = PET.name
    __init__ = with_defaults(_ImagePFSSurvival.__init__, window=PET.window)


@with_network_texts
class CTPFSSurvival(_ImagePFSSurvival):
    """Predict the time to progression from the CT with a 3D CNN.

    The network of `CTPFSClassifier` with the heads of `FusionPFSSurvival`.

    Parameters
    ----------
    %(heads)s
    %(encoder)s
    window : pair of floats or None, default=(-160.0, 240.0)
        HU that become 0 and 1; None leaves intensities alone.
    %(weights)s
    %(network)s
    %(training)s
    %(callbacks)s
    %(running)s

    Attributes
    ----------
    %(net_attributes)s
    %(time_attributes)s
    %(loss_attributes)s

    Raises
    ------
    CohortError
        If a scan cannot be used; lists all of them.
    MissingModalityError
        If X has no CT.
    TypeError, ValueError
        If y does not hold times, or nobody progressed.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.random((8, 1, 16, 16, 16)), {"event": [1, 0] * 4, "time": np.arange(1.0, 9.0)}
    >>> CTPFSSurvival(max_epochs=1, random_state=0).fit(X, y).predict(X).shape
    (8,)
    """

    _image: ClassVar[str] = CT.name
    __init__ = with_defaults(_ImagePFSSurvival.__init__, window=CT.window)
