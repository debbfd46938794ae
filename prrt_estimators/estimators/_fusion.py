"""The study's best model: PET, CT and laboratory values joined."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from prrt_estimators.estimators._by_modality import BRANCH_CONSTRAINTS
from prrt_estimators.estimators._constraints import NET_CONSTRAINTS
from prrt_estimators.estimators._deep import DeepPFSClassifier
from prrt_estimators.networks import FUSIONS


class FusionPFSClassifier(DeepPFSClassifier):
    r"""Predict long PFS from any of PET, CT and laboratory values with one network.

    Each imaging modality has a 3D CNN and the laboratory table a linear layer; the embeddings are joined and pass
    fully connected layers:

    .. math:: P(\text{long PFS} \mid x) = \sigma(f([h_\text{PET}, h_\text{CT}, h_\text{lab}]))

    A patient who lacks a modality is trained on and predicted for: a learned token takes the place of the embedding,
    and `modality_dropout` trains that token even when every training patient is complete.

    Parameters
    ----------
    modalities : "auto" or sequence of str, default="auto"
        Any of "pet", "ct", "lab"; "auto" takes what X has. A plain table is the laboratory table.
    fusion : {"concat", "gated"}, default="concat"
        "concat" as in the study; "gated" weighs the modalities for each patient.
    encoder : str, Module class, function, Module, or mapping by modality, default="compact"
        "compact" (a narrow 3D ResNet for a hundred patients), "resnet10", "resnet18", "resnet34", "resnet50",
        "densenet121"; the class name of a network of MONAI, such as "DenseNet169"; or a class, a function or
        ``functools.partial`` of your own that makes a Module from (n, 1, D, H, W) to (n, features) or a feature map. A Module
        that was made already is copied, and its weights are drawn anew in each fit.
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
    class_weight : "balanced", mapping or None, default="balanced"
        Weights of the classes in the loss. They move the decision of `predict`; probabilities are corrected for them.
    pos_label : label, default=None
        Label of long PFS in y. None knows 1, True and words such as "long" or "lang".
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
    callbacks : list of skorch callbacks, default=None
        Called in training, such as ``skorch.callbacks.TensorBoard(writer)`` or ``EarlyStopping(monitor="train_loss")``; clones get
        clones of them. They are not saved with the model.
    verbose : int, default=0
        1 shows a progress bar on a terminal, 2 prints a line an epoch.
    random_state : int, RandomState or None, default=None
        The same number gives the same bits on the same CPU and number of threads.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels in ascending order, which is that of the columns of `predict_proba`.
    positive_class_ : label
        The one of long PFS.
    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` is the torch module, ``net_.history`` the training.
    modalities_ : tuple of str
    loss_curve_ : list of float
        Training loss of each epoch.
    n_epochs_ : int
        Epochs run.
    pretrainers_ : dict of str to pretrainer
        Fitted on the training patients, by modality; empty unless weights are to be made so.
    preprocessor_ : LabPreprocessor
        Fitted on the training rows; only with laboratory values.
    n_features_in_, feature_names_in_
        Of the laboratory table; only with one.

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
    >>> X = {"pet": rng.random((8, 1, 16, 16, 16)), "lab": rng.random((8, 3))}
    >>> clf = FusionPFSClassifier(max_epochs=1, random_state=0).fit(X, np.array([0, 1] * 4))
    >>> clf.modalities_, clf.transform(X).shape
    (('pet', 'lab'), (8, 64))
    """

    _parameter_constraints: ClassVar[dict] = {
        "modalities": [StrOptions({"auto"}), "array-like"],
        "fusion": [StrOptions(set(FUSIONS))],
        **BRANCH_CONSTRAINTS,
        "log": [StrOptions({"auto"}), "array-like", None],
        "modality_dropout": [Interval(Real, 0, 1, closed="left")],
        **NET_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        modalities: Any = "auto",
        fusion: str = "concat",
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

    def _wanted(self) -> Any:
        return self.modalities

    def _joining(self) -> dict[str, Any]:
        return {"fusion": self.fusion, "modality_dropout": self.modality_dropout}
