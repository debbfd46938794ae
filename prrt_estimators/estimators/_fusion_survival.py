"""Time to progression from PET, CT and laboratory values, joined in one network."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from prrt_estimators.estimators._by_modality import BRANCH_CONSTRAINTS
from prrt_estimators.estimators._deep_survival import SURVIVAL_CONSTRAINTS, DeepPFSSurvival
from prrt_estimators.networks import FUSIONS


class FusionPFSSurvival(DeepPFSSurvival):
    r"""Predict the time to progression from any of PET, CT and laboratory values with one network.

    The network of `FusionPFSClassifier` with another head. With the logits :math:`f_k` of the hazards of intervals that end
    at :math:`t_k`,

    .. math:: P(\mathrm{PFS} > t_k \mid x) = \prod_{j \le k} \bigl(1 - \sigma(f_j(x))\bigr)

    and within an interval the hazard is constant. Censored patients count in every interval that they were followed
    through.

    Parameters
    ----------
    modalities : "auto" or sequence of str, default="auto"
        Any of "pet", "ct", "lab"; "auto" takes what X has. A plain table is the laboratory table.
    fusion : {"concat", "gated"}, default="concat"
        "concat" as in the study; "gated" weighs the modalities for each patient.
    head : {"hazard", "cox"}, default="hazard"
        "hazard" learns the hazard of each interval of time, from batches of any size; "cox" a log relative hazard, whose
        risk sets are the patients of a batch, so that `batch_size` should be as large as memory allows.
    n_intervals : int, default=10
        Intervals of the hazard, with as many progressions each; fewer where fewer times are known.
    encoder : str, Module class, or mapping by modality, default="compact"
        "compact" (a narrow 3D ResNet for a hundred patients), "resnet10", "resnet18", "resnet34", "resnet50",
        "densenet121", or a class of your own from (n, 1, D, H, W) to (n, features) or a feature map.
    encoder_params : mapping, or mapping by modality of mappings, default=None
        Keyword arguments for the encoders.
    window : "auto", pair of floats, None, or mapping by modality, default="auto"
        Intensities that become 0 and 1: "auto" is (0, 20) SUVbw for PET and (-160, 240) HU for CT, None leaves
        intensities as they are; ``{"pet": (0, 10)}`` leaves CT at "auto".
    weights : str, path, pretrainer, None, or mapping by modality, default=None
        Pretrained weights of the encoders, such as ``{"ct": "astra"}``: a name that ``prrt weights list`` shows; a state
        dict (``.safetensors``, or ``torch.save`` of tensors), of which every key must fit; or a `CTPretrainer`, which is
        fitted on the training patients of each fit. A modality that the mapping does not name has none. Weights that
        were made for one grid and window get their scans so, whatever the other branch uses.
    finetune : {"frozen", "last", "full"} or mapping by modality, default="frozen"
        How much of pretrained weights is trained: "frozen" computes the encoder's vector once per patient and weight
        file, for all folds and models; "last" trains the last stage; "full" trains all.
    pretrained_lr_factor : float, default=0.1
        Learning rate of pretrained weights that are trained, as a part of `lr`.
    log : "auto", list of column names or None, default="auto"
        Laboratory columns that enter as logarithms, see `LabPreprocessor`.
    modality_dropout : float, default=0.1
        Probability that a modality of a patient is withheld in a training step.
    size : int or three ints, default=48
        Voxels of the box along Right, Anterior, Superior. Arrays are taken on their own grid.
    spacing : float or three floats, default=8.0
        Millimetres between the box's voxels; 48 of 8 mm show 38 cm of the trunk.
    augment : {"light", "affine"} or None, default="light"
        Random changes of the training volumes, anew in each epoch: "light" shifts them and changes their intensity a
        little, "affine" also turns and zooms them (twice the time on a CPU).
    embedding : int, default=32
        Width of a modality's embedding.
    dropout : float, default=0.2
        In the fully connected layer.
    max_epochs : int, default=25
        Passes over the training patients.
    lr : float, default=1e-3
        Learning rate at the start.
    batch_size : int, default=8
        Patients in a step.
    optimizer : {"adamw", "adam", "sgd"}, default="adamw"
    weight_decay : float, default=0.01
    early_stopping : bool, default=False
        Whether to keep a fifth of the *training* patients aside, stop when their loss no longer falls, and keep the
        best epoch. False trains for `max_epochs`.
    patience : int, default=10
        Epochs without improvement before stopping.
    device : str, default="auto"
        A GPU where there is one; or a torch device. The fitted network rests on the CPU.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        "auto" trains in bfloat16 on a GPU that has it, and computes frozen features in single precision. "bfloat16"
        computes those in it too, up to three times as fast on processors that have it; training on a CPU never uses it.
    cache_dir : path, default=None
        Where prepared volumes are kept; ``$PRRT_CACHE_DIR`` or the user's cache folder if None.
    verbose : int, default=0
        1 shows a progress bar on a terminal, 2 prints a line an epoch.
    random_state : int, RandomState or None, default=None
        The same number gives the same bits on the same CPU and number of threads.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` is the torch module, ``net_.history`` the training.
    modalities_ : tuple of str
    breaks_ : ndarray of shape (k,)
        Ends of the intervals, months.
    unique_times_ : ndarray of shape (m,)
        Times of progressions in training, months.
    censoring_ : dict
        ``time`` and ``survival``: the Kaplan-Meier curve of not being censored, for scores.
    baseline_times_, baseline_hazard_ : ndarray of shape (m,)
        Cumulative baseline hazard; ``head="cox"`` only.
    loss_curve_ : list of float
        Training loss of each epoch.
    n_epochs_ : int
        Epochs run.
    preprocessor_ : LabPreprocessor
        Fitted on the training rows; only with laboratory values.
    pretrainers_ : dict of str to pretrainer
        Fitted on the training patients, by modality; empty unless weights are to be made so.
    n_features_in_, feature_names_in_
        Of the laboratory table; only with one.

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
    >>> X = {"pet": rng.random((8, 1, 16, 16, 16)), "lab": rng.random((8, 3))}
    >>> y = {"event": [1, 0] * 4, "time": np.arange(1.0, 9.0)}
    >>> model = FusionPFSSurvival(max_epochs=1, random_state=0).fit(X, y)
    >>> model.modalities_, model.predict_survival_function(X, [3.0, 6.0]).shape
    (('pet', 'lab'), (8, 2))
    """

    _parameter_constraints: ClassVar[dict] = {
        "modalities": [StrOptions({"auto"}), "array-like"],
        "fusion": [StrOptions(set(FUSIONS))],
        **BRANCH_CONSTRAINTS,
        "log": [StrOptions({"auto"}), "array-like", None],
        "modality_dropout": [Interval(Real, 0, 1, closed="left")],
        **SURVIVAL_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        modalities: Any = "auto",
        fusion: str = "concat",
        head: str = "hazard",
        n_intervals: int = 10,
        encoder: Any = "compact",
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
        self.verbose = verbose
        self.random_state = random_state

    def _wanted(self) -> Any:
        return self.modalities

    def _joining(self) -> dict[str, Any]:
        return super()._joining() | {"fusion": self.fusion, "modality_dropout": self.modality_dropout}
