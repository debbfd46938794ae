"""Does a map depend on what the model learnt? Maps of randomised models, and how alike they are."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn

from prrt_estimators._classes import check_same_order
from prrt_estimators._torch_state import drawing, plain_modes, single_precision
from prrt_estimators.exceptions import ExplanationWarning
from prrt_estimators.inspection._inputs import stages
from prrt_estimators.inspection._saliency import SaliencyMaps, saliency


def map_similarity(first: SaliencyMaps, second: SaliencyMaps) -> pd.DataFrame:
    """Compare two sets of maps of the same patients, sign and scale apart.

    Parameters
    ----------
    first, second : SaliencyMaps
        From :func:`saliency`.

    Returns
    -------
    DataFrame
        ``patient_id``, ``modality``, ``spearman`` (rank correlation of absolute values over voxels) and ``ssim``
        (structural similarity of absolute values, each map divided by its 99.9th percentile); NaN where a map is
        constant. 1 is alike; unrelated maps come near 0 in ``spearman``, but not in ``ssim``, which rewards
        being empty in the same places.

    Raises
    ------
    ValueError
        If the maps are not of the same patients and shapes.

    References
    ----------
    Adebayo et al. 2018, doi 10.48550/arXiv.1810.03292; Wang et al. 2004 (SSIM), doi 10.1109/TIP.2003.819861.

    Examples
    --------
    >>> from prrt_estimators import PETPFSClassifier, make_prrt_cohort
    >>> from prrt_estimators.inspection import saliency
    >>> X, y = make_prrt_cohort(6, volume_shape=16, random_state=2, return_X_y=True)
    >>> maps = saliency(PETPFSClassifier(max_epochs=1, random_state=0).fit(X, y), X)
    >>> map_similarity(maps, maps)[["spearman", "ssim"]].round(3).drop_duplicates().to_numpy().tolist()
    [[1.0, 1.0]]
    """
    shapes = [{name: values.shape for name, values in maps.items()} for maps in (first, second)]
    if shapes[0] != shapes[1] or first.ids.tolist() != second.ids.tolist():
        raise ValueError(f"maps of the same patients and shapes are compared; got {shapes[0]} and {shapes[1]}.")
    rows = []
    for name in first:
        for row in np.flatnonzero(first.present(name) & second.present(name)):
            pair = [np.abs(maps[name][row, 0].astype(np.float64)) for maps in (first, second)]
            rows.append((first.ids[row], name, *_alike(*pair)))
    return pd.DataFrame(rows, columns=["patient_id", "modality", "spearman", "ssim"])


def _alike(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    from monai.metrics import SSIMMetric  # imported on demand, as it takes seconds

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan"), float("nan")
    rank = float(spearmanr(one.ravel(), other.ravel()).statistic)
    scaled = [np.clip(values / (np.quantile(values, 0.999) or values.max()), 0, 1) for values in (one, other)]
    window = min(7, *one.shape)
    metric = SSIMMetric(spatial_dims=3, data_range=1.0, kernel_type="uniform", win_size=window - (window + 1) % 2)
    found: Any = metric(*(torch.from_numpy(values)[None, None].double() for values in scaled))
    return rank, float(found)


def randomise_weights(est: Any, *, random_state: Any = None) -> Any:
    """Return a copy of a fitted estimator whose network is as before any training.

    Parameters
    ----------
    est : fitted estimator
        PETPFSClassifier, CTPFSClassifier or FusionPFSClassifier; left as it is.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    estimator
        Its maps show what architecture and scans alone give: what a map of the trained model must differ from.

    Examples
    --------
    >>> from prrt_estimators import PETPFSClassifier, make_prrt_cohort
    >>> X, y = make_prrt_cohort(6, volume_shape=16, random_state=2, return_X_y=True)
    >>> clf = PETPFSClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> bool(np.allclose(randomise_weights(clf, random_state=1).predict_proba(X), clf.predict_proba(X)))
    False
    """
    other = copy.deepcopy(_checked(est))
    _reset([part for _, parts in stages(other) for part in parts], check_random_state(random_state))
    return other


def weight_randomisation(est: Any, X: Any, *, method: str = "gradient", random_state: Any = None) -> pd.DataFrame:
    """Randomise a trained network layer by layer, from the output down, and see whether its maps follow.

    Parameters
    ----------
    est : fitted estimator
        PETPFSClassifier, CTPFSClassifier or FusionPFSClassifier; left as it is.
    X : Cohort, mapping or array
        A few patients.
    method : {"gradient", "smoothgrad", "integrated_gradients", "gradcam"}, default="gradient"
        As for :func:`saliency`.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    DataFrame
        One row a stage and modality: ``stage`` (1 for the last layers), ``layers`` that were randomised last (those
        of earlier stages stay so), means over patients of ``spearman`` and ``ssim`` with the maps of the trained
        model, see :func:`map_similarity`, and ``n_patients``. A method whose similarity stays near 1 shows the
        scan, not what the model learnt.

    References
    ----------
    Adebayo et al. 2018 (cascading randomisation), doi 10.48550/arXiv.1810.03292.

    Examples
    --------
    >>> from prrt_estimators import PETPFSClassifier, make_prrt_cohort
    >>> X, y = make_prrt_cohort(6, volume_shape=16, random_state=2, return_X_y=True)
    >>> clf = PETPFSClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> weight_randomisation(clf, X, random_state=0)["layers"].tolist()
    ['fully connected layers', 'embeddings', 'layer4', 'layer3', 'layer2', 'layer1', 'bn1', 'conv1']
    """
    rng = check_random_state(random_state)
    seed = int(rng.randint(2**31 - 1))
    trained = saliency(_checked(est), X, method=method, random_state=seed)
    other = copy.deepcopy(est)
    tables = []
    for stage, (layers, parts) in enumerate(stages(other), 1):
        _reset(parts, rng)
        found = map_similarity(trained, _quietly(other, X, method, seed))
        tables.append(_means(found).assign(stage=stage, layers=layers))
    table = pd.concat(tables, ignore_index=True)
    return table[["stage", "layers", "modality", "spearman", "ssim", "n_patients"]]


def label_randomisation(
    est: Any,
    X: Any,
    y: Any,
    X_test: Any,
    *,
    n_runs: int = 1,
    method: str = "gradient",
    random_state: Any = None,
) -> pd.DataFrame:
    """Train the same model on shuffled labels and on the true ones again, and compare the maps.

    A map that means something differs between true and shuffled labels by more than between two trainings on the
    true ones, which differ by their seed only.

    Parameters
    ----------
    est : fitted estimator
        Trained on X and y; clones of it are trained.
    X : Cohort, mapping or array
        Training patients.
    y : array of shape (n,)
        Their classes, or ``event`` and ``time`` for survival models, which are permuted. Classes are shuffled so that each true class gets the same mixture.
    X_test : Cohort, mapping or array
        Patients whose maps are compared.
    n_runs : int, default=1
        Trainings of each kind.
    method : {"gradient", "smoothgrad", "integrated_gradients", "gradcam"}, default="gradient"
        As for :func:`saliency`.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    DataFrame
        One row a training and modality: ``labels`` ("true" or "shuffled"), ``run``, means over patients of
        ``spearman`` and ``ssim`` with the maps of `est`, see :func:`map_similarity`, and ``n_patients``.

    References
    ----------
    Adebayo et al. 2018 (data randomisation), doi 10.48550/arXiv.1810.03292.

    Examples
    --------
    >>> from prrt_estimators import PETPFSClassifier, make_prrt_cohort
    >>> X, y = make_prrt_cohort(6, volume_shape=16, random_state=2, return_X_y=True)
    >>> clf = PETPFSClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> label_randomisation(clf, X, y, X, random_state=0)["labels"].tolist()
    ['true', 'shuffled']
    """
    if not isinstance(n_runs, Integral) or n_runs < 1:
        raise ValueError(f"`n_runs` must be a positive whole number; got {n_runs!r}. Pass e.g. 3.")
    rng = check_random_state(random_state)
    seed = int(rng.randint(2**31 - 1))
    reference = saliency(_checked(est), X_test, method=method, random_state=seed)
    check_same_order(X, y, ("X", "y"))
    y, strata = est._target.for_folds(y)
    tables = []
    for run in range(int(n_runs)):
        for labels, goal in (("true", y), ("shuffled", shuffled_labels(y, rng, strata))):
            other = clone(est).set_params(random_state=int(rng.randint(2**31 - 1))).fit(X, goal)
            found = map_similarity(reference, _quietly(other, X_test, method, seed))
            tables.append(_means(found).assign(labels=labels, run=run))
    table = pd.concat(tables, ignore_index=True)
    return table[["labels", "run", "modality", "spearman", "ssim", "n_patients"]]


def shuffled_labels(y: np.ndarray, rng: np.random.RandomState, strata: np.ndarray | None = None) -> np.ndarray:
    """Return labels that tell nothing of the true ones: the same mixture within each true class.

    A plain permutation of a hundred labels keeps a correlation of about 0.1 by luck, of either sign, and a network
    finds it. Times are permuted, as they cannot be mixed so.
    """
    if strata is not None and strata is not y:
        return rng.permutation(y)
    classes, counts = np.unique(y, return_counts=True)
    result = np.empty_like(y)
    for one in classes:
        rows = rng.permutation(np.flatnonzero(y == one))
        edges = np.rint(np.cumsum(counts) / len(y) * len(rows)).astype(int)
        for label, part in zip(classes, np.split(rows, edges[:-1]), strict=True):
            result[part] = label
    return result


def _checked(est: Any) -> Any:
    if isinstance(est, (list, tuple)):
        raise TypeError("`est` must be one fitted estimator; check the models of several folds one by one.")
    check_is_fitted(est)
    return est


def _quietly(est: Any, X: Any, method: str, seed: int) -> SaliencyMaps:
    """Return maps without the warnings that those of the trained model gave already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExplanationWarning)
        return saliency(est, X, method=method, random_state=seed)


def _means(table: pd.DataFrame) -> pd.DataFrame:
    grouped = table.groupby("modality", sort=False)
    return grouped[["spearman", "ssim"]].mean().assign(n_patients=grouped.size()).reset_index()


def _reset(parts: Iterable[nn.Module], rng: np.random.RandomState) -> None:
    """Draw weights as they are drawn before training."""
    with plain_modes(), torch.no_grad(), single_precision(), drawing(int(rng.randint(2**31 - 1))):
        for part in parts:
            module: Any
            for module in part.modules():
                if hasattr(module, "reset_parameters"):
                    module.reset_parameters()
                    continue
                for weight in module.parameters(recurse=False):
                    # A layer of the user's own: nothing is known of how it began but its spread.
                    weight.normal_(float(weight.mean()), float(weight.std(correction=0)) or 0.02)
