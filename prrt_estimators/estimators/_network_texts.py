"""Descriptions of the parameters and attributes that the estimators with a network share."""

from __future__ import annotations

import types
from typing import Any, TypeVar

from prrt_estimators._docstrings import shared_texts

Init = TypeVar("Init")

_TEXTS = {
    "encoder": """
encoder : str, Module class, function or Module, default="auto"
    "narrow_resnet10" (a quarter of a ResNet-10's width, for a hundred patients; its volumes are brought to the mean and
    standard deviation of the training patients), "compact" (the same with group normalisation), "resnet10", "resnet18",
    "resnet34", "resnet50", "densenet121"; the class name of a network of MONAI, such as "DenseNet169"; or a class, a function or
    ``functools.partial`` of your own that makes a Module from (n, 1, D, H, W) to (n, features) or a feature map. A Module
    that was made already is copied, and its weights are drawn anew in each fit. "auto" is "narrow_resnet10", or with
    pretrained weights the network that they are of ("compact" for a file that does not tell).
encoder_params : mapping, default=None
    Keyword arguments for the encoder.
""",
    "weights": """
weights : str, path, pretrainer or None, default=None
    Pretrained weights of the encoder: a name that ``prrt weights list`` shows; a state dict (``.safetensors``, or
    ``torch.save`` of tensors), of which every key must fit; or a pretrainer, which is fitted on the training
    patients of each fit.
finetune : {"frozen", "last", "full"}, default="frozen"
    How much of pretrained weights is trained, see `FusionPFSClassifier`.
pretrained_lr_factor : float, default=0.1
    Learning rate of pretrained weights that are trained, as a part of `lr`.
""",
    "branches": """
encoder : str, Module class, function, Module, or mapping by modality, default="auto"
    "narrow_resnet10" (a quarter of a ResNet-10's width, for a hundred patients; its volumes are brought to the mean and
    standard deviation of the training patients), "compact" (the same with group normalisation), "resnet10", "resnet18",
    "resnet34", "resnet50", "densenet121"; the class name of a network of MONAI, such as "DenseNet169"; or a class, a function or
    ``functools.partial`` of your own that makes a Module from (n, 1, D, H, W) to (n, features) or a feature map. A Module
    that was made already is copied, and its weights are drawn anew in each fit. "auto" is "narrow_resnet10", or with
    pretrained weights the network that they are of ("compact" for a file that does not tell).
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
""",
    "network": """
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
""",
    "classes": """
class_weight : "balanced", mapping or None, default="balanced"
    Weights of the classes in the loss. They move the decision of `predict`; probabilities are corrected for them.
pos_label : label, default=None
    Label of long PFS in y. None knows 1, True and words such as "long" or "lang".
""",
    "training": """
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
""",
    "callbacks": """
callbacks : list of skorch callbacks, default=None
    Called in training, such as ``skorch.callbacks.TensorBoard(writer)`` or ``EarlyStopping(monitor="train_loss")``; clones get
    clones of them. They are not saved with the model.
""",
    "running": """
verbose : int, default=0
    1 shows a progress bar on a terminal, 2 prints a line an epoch.
random_state : int, RandomState or None, default=None
    The same number gives the same bits on the same CPU and number of threads.
""",
    "heads": """
head : {"hazard", "cox"}, default="hazard"
    "hazard" learns the hazard of each interval of time, from batches of any size; "cox" a log relative hazard, whose
    risk sets are the patients of a batch, so that `batch_size` should be as large as memory allows.
n_intervals : int, default=10
    Intervals of the hazard, with as many progressions each; fewer where fewer times are known.
""",
    "modalities": """
modalities : "auto" or sequence of str, default="auto"
    Any of "pet", "ct", "lab"; "auto" takes what X has. A plain table is the laboratory table.
fusion : {"concat", "gated"}, default="concat"
    "concat" as in the study; "gated" weighs the modalities for each patient.
""",
    "class_attributes": """
classes_ : ndarray of shape (2,)
    Labels in ascending order, which is that of the columns of `predict_proba`.
positive_class_ : label
    The one of long PFS.
""",
    "net_attributes": """
net_ : skorch.NeuralNet
    The trained net; ``net_.module_`` is the torch module, ``net_.history`` the training.
modalities_ : tuple of str
""",
    "loss_attributes": """
loss_curve_ : list of float
    Training loss of each epoch.
n_epochs_ : int
    Epochs run.
""",
    "time_attributes": """
breaks_ : ndarray of shape (k,)
    Ends of the intervals, months.
unique_times_ : ndarray of shape (m,)
    Times of progressions in training, months.
censoring_ : dict
    ``time`` and ``survival``: the Kaplan-Meier curve of not being censored, for scores.
baseline_times_, baseline_hazard_ : ndarray of shape (m,)
    Cumulative baseline hazard; ``head="cox"`` only.
""",
    "lab_attributes": """
pretrainers_ : dict of str to pretrainer
    Fitted on the training patients, by modality; empty unless weights are to be made so.
preprocessor_ : LabPreprocessor
    Fitted on the training rows; only with laboratory values.
n_features_in_, feature_names_in_
    Of the laboratory table; only with one.
""",
}
with_network_texts = shared_texts(_TEXTS)


def with_defaults(init: Init, **defaults: Any) -> Init:
    """Return a copy of a constructor in which some parameters have other defaults.

    Parameters
    ----------
    init : function
        With keyword-only parameters.
    **defaults : object

    Examples
    --------
    >>> def init(self, *, lr=0.1, seed=None): ...
    >>> with_defaults(init, lr=0.5).__kwdefaults__
    {'lr': 0.5, 'seed': None}
    """
    of: Any = init
    copy: Any = types.FunctionType(of.__code__, of.__globals__, of.__name__, of.__defaults__, of.__closure__)
    copy.__kwdefaults__ = of.__kwdefaults__ | defaults
    copy.__annotations__, copy.__module__, copy.__qualname__ = of.__annotations__, of.__module__, of.__qualname__
    return copy
