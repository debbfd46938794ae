"""What the parameters may be that the signatures of the estimators with a network share."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from prrt_estimators import _net
from prrt_estimators.networks import AUGMENTATIONS

NET_CONSTRAINTS: dict[str, Any] = {
    "size": ["array-like", Integral],
    "spacing": ["array-like", Real],
    "augment": [StrOptions(set(AUGMENTATIONS)), None],
    "embedding": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "lr": [Interval(Real, 0, None, closed="neither")],
    "pretrained_lr_factor": [Interval(Real, 0, None, closed="neither")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "optimizer": [StrOptions(set(_net.OPTIMIZERS))],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "pos_label": "no_validation",
    "early_stopping": ["boolean"],
    "patience": [Interval(Integral, 1, None, closed="left")],
    "device": [str],
    "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    "cache_dir": [str, os.PathLike, None],
    "callbacks": "no_validation",
    "verbose": ["verbose"],
    "random_state": ["random_state"],
}
