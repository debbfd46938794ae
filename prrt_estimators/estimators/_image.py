"""The study's models on one imaging modality."""

from __future__ import annotations

from typing import Any, ClassVar

from prrt_estimators._modalities import CT, PET
from prrt_estimators.estimators._by_modality import BRANCH_CONSTRAINTS
from prrt_estimators.estimators._constraints import NET_CONSTRAINTS
from prrt_estimators.estimators._deep import DeepPFSClassifier


class _ImagePFSClassifier(DeepPFSClassifier):
    """One modality, which a plain array stands for."""

    _takes_table: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict] = {
        **BRANCH_CONSTRAINTS,
        **NET_CONSTRAINTS,
    }

    def _wanted(self) -> tuple[str, ...]:
        return (str(self._image),)


class PETPFSClassifier(_ImagePFSClassifier):
    """Predict long PFS from the somatostatin-receptor PET with a 3D CNN.

    Parameters
    ----------
    encoder : str, Module class, function or Module, default="compact"
        "compact" (a narrow 3D ResNet for a hundred patients), "resnet10", "resnet18", "resnet34", "resnet50",
        "densenet121"; the class name of a network of MONAI, such as "DenseNet169"; or a class, a function or
        ``functools.partial`` of your own that makes a Module from (n, 1, D, H, W) to (n, features) or a feature map. A Module
        that was made already is copied, and its weights are drawn anew in each fit.
    encoder_params : mapping, default=None
        Keyword arguments for the encoder.
    window : pair of floats or None, default=(0.0, 20.0)
        SUVbw that become 0 and 1; None leaves intensities alone.
    weights : str, path, pretrainer or None, default=None
        Pretrained weights of the encoder: a name that ``prrt weights list`` shows; a state dict (``.safetensors``, or
        ``torch.save`` of tensors), of which every key must fit; or a pretrainer, which is fitted on the training
        patients of each fit.
    finetune : {"frozen", "last", "full"}, default="frozen"
        How much of pretrained weights is trained, see `FusionPFSClassifier`.
    pretrained_lr_factor : float, default=0.1
        Learning rate of pretrained weights that are trained, as a part of `lr`.
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

    Raises
    ------
    CohortError
        If a scan cannot be used; lists all of them.
    MissingModalityError
        If X has no ``"pet"``.

    References
    ----------
    Baur et al., arXiv:2511.05169. The encoder, sizes and training are choices of this library; the paper does not
    state its own.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.random((8, 1, 16, 16, 16)), np.array([0, 1] * 4)
    >>> PETPFSClassifier(max_epochs=1, random_state=0).fit(X, y).predict_proba(X).shape
    (8, 2)
    """

    _image: ClassVar[str] = PET.name

    def __init__(
        self,
        *,
        encoder: Any = "compact",
        encoder_params: Any = None,
        window: Any = PET.window,
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


class CTPFSClassifier(_ImagePFSClassifier):
    """Predict long PFS from the CT with a 3D CNN.

    Parameters
    ----------
    encoder : str, Module class, function or Module, default="compact"
        "compact" (a narrow 3D ResNet for a hundred patients), "resnet10", "resnet18", "resnet34", "resnet50",
        "densenet121"; the class name of a network of MONAI, such as "DenseNet169"; or a class, a function or
        ``functools.partial`` of your own that makes a Module from (n, 1, D, H, W) to (n, features) or a feature map. A Module
        that was made already is copied, and its weights are drawn anew in each fit.
    encoder_params : mapping, default=None
        Keyword arguments for the encoder.
    window : pair of floats or None, default=(-160.0, 240.0)
        HU that become 0 and 1; None leaves intensities alone.
    weights : str, path, pretrainer or None, default=None
        Pretrained weights of the encoder: a name that ``prrt weights list`` shows; a state dict (``.safetensors``, or
        ``torch.save`` of tensors), of which every key must fit; or a pretrainer, which is fitted on the training
        patients of each fit.
    finetune : {"frozen", "last", "full"}, default="frozen"
        How much of pretrained weights is trained, see `FusionPFSClassifier`.
    pretrained_lr_factor : float, default=0.1
        Learning rate of pretrained weights that are trained, as a part of `lr`.
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

    Raises
    ------
    CohortError
        If a scan cannot be used; lists all of them.
    MissingModalityError
        If X has no ``"ct"``.

    References
    ----------
    Baur et al., arXiv:2511.05169. The encoder, sizes and training are choices of this library; the paper does not
    state its own.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.random((8, 1, 16, 16, 16)), np.array([0, 1] * 4)
    >>> CTPFSClassifier(max_epochs=1, random_state=0).fit(X, y).predict_proba(X).shape
    (8, 2)
    """

    _image: ClassVar[str] = CT.name

    def __init__(
        self,
        *,
        encoder: Any = "compact",
        encoder_params: Any = None,
        window: Any = CT.window,
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
