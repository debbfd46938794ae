"""Which voxels move a prediction: maps of PET and CT, with what a reader must know of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from prrt_estimators._arguments import parameter
from prrt_estimators._chance_verdict import chance_verdict, main_of_row
from prrt_estimators._modalities import MODALITIES
from prrt_estimators._targets import target_of
from prrt_estimators.exceptions import ExplanationWarning
from prrt_estimators.inspection._gradients import METHODS, Settings, mean_scan, patient_maps
from prrt_estimators.inspection._inputs import MapInputs, open_inputs
from prrt_estimators.inspection._native_grids import onto
from prrt_estimators.metrics import find_score

_BASELINES = ("blurred", "blank")


class SaliencyMaps(dict):
    """Maps by modality, arrays of shape (n, 1, D, H, W), and where they come from.

    Made by :func:`saliency`. A dict like any other, with what is needed to bring the maps back to the patient.

    Parameters
    ----------
    maps : mapping of str to ndarray of shape (n, 1, D, H, W)
        NaN everywhere for a patient without that scan.
    volumes : mapping of str to ndarray of shape (n, 1, D, H, W)
        SUVbw and HU as the network got them.
    affines : mapping of str to ndarray of shape (n, 4, 4)
        Voxels of the maps to RAS+ millimetres; for scans given as an array to millimetres from their first voxel,
        or to voxels where the spacing is not known.
    ids : array of str, shape (n,)
        Pseudonymous patient ids.
    probability : array of shape (n,)
        Predicted probability of long PFS.
    method, target : str
        As given to :func:`saliency`.
    n_models : int, default=1
        Models that the maps were averaged over.
    completeness_error : array of shape (n,), default=None
        Integrated gradients only: by how much the sum of the maps misses the change of the target from the baseline.
    caution : str, default=""
        What speaks against reading anything into the maps.
    without_place : mapping of str to str, default=None
        Imaging modalities of the model that have no map, and why.

    Examples
    --------
    >>> from prrt_estimators import PETPFSClassifier, make_prrt_cohort
    >>> X, y = make_prrt_cohort(6, volume_shape=16, random_state=2, return_X_y=True)
    >>> clf = PETPFSClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> maps = saliency(clf, X)
    >>> [values.shape for values in maps.values()], [maps.unit(name) for name in maps], maps.row(maps.ids[2])
    ([(6, 1, 16, 16, 16)], ['change of the logit per SUV'], 2)
    """

    def __init__(
        self,
        maps: Mapping[str, np.ndarray],
        *,
        volumes: Mapping[str, np.ndarray],
        affines: Mapping[str, np.ndarray],
        ids: Any,
        probability: Any,
        method: str,
        target: str,
        n_models: int = 1,
        completeness_error: Any = None,
        caution: str = "",
        without_place: Mapping[str, str] | None = None,
    ):
        super().__init__(maps)
        self.volumes, self.affines = dict(volumes), dict(affines)
        self.ids = np.asarray(ids, dtype=object)
        self.probability = np.asarray(probability, dtype=np.float64)
        self.method, self.target, self.n_models = method, target, n_models
        self.completeness_error = completeness_error
        self.caution = caution
        self.without_place = dict(without_place or {})

    def __repr__(self) -> str:
        return f"SaliencyMaps({', '.join(self)} of {len(self.ids)} patients, method={self.method!r}, target={self.target!r})"

    def take(self, rows: Sequence[int]) -> SaliencyMaps:
        """Return the maps of some patients, given by row, in that order."""
        chosen = [int(row) for row in rows]
        return SaliencyMaps(
            {name: values[chosen] for name, values in self.items()},
            volumes={name: values[chosen] for name, values in self.volumes.items()},
            affines={name: values[chosen] for name, values in self.affines.items()},
            ids=self.ids[chosen],
            probability=self.probability[chosen],
            method=self.method,
            target=self.target,
            n_models=self.n_models,
            completeness_error=None if self.completeness_error is None else self.completeness_error[chosen],
            caution=self.caution,
            without_place=self.without_place,
        )

    def row(self, patient: int | str) -> int:
        """Return the row of a patient given by row number or by id.

        Raises
        ------
        ValueError
            If there is no such patient.
        """
        if isinstance(patient, Integral):
            if not -len(self.ids) <= patient < len(self.ids):
                raise ValueError(f"`patient` must be a row below {len(self.ids)} or an id; got {patient}.")
            return int(patient) % len(self.ids)
        found = np.flatnonzero(self.ids == patient)
        if len(found) != 1:
            raise ValueError(
                f"`patient` must be a row number or an id that occurs once; {patient!r} occurs {len(found)} times."
            )
        return int(found[0])

    def present(self, name: str) -> np.ndarray:
        """Return which patients have a map of a modality, shape (n,)."""
        return ~np.isnan(self[name]).reshape(len(self[name]), -1).all(axis=1)

    def unit(self, name: str) -> str:
        """Return what the values of a modality's map say."""
        what = "probability" if self.target == "probability" else "logit"
        if self.method in ("gradient", "smoothgrad"):
            return f"change of the {what} per {MODALITIES[name].short_unit}"
        return f"part of the {what}" if self.method == "integrated_gradients" else f"weighted features ({what})"

    def to_native(self, patient: int | str, name: str, shape: Sequence[int], affine: np.ndarray) -> np.ndarray:
        """Return a patient's map on another grid of the same patient, such as that of the scan itself.

        Parameters
        ----------
        patient : int or str
            Row or id.
        name : str
            Whose map.
        shape : sequence of 3 ints
            Voxels of the other grid.
        affine : array of shape (4, 4)
            Its voxels to RAS+ millimetres.

        Returns
        -------
        ndarray of float32
            Interpolated linearly between the voxels of the map, 0 where the network saw nothing. A value stays that
            of the network's voxel; it is not a derivative with respect to the finer voxel.
        """
        row = self.row(patient)
        return onto(self[name][row, 0], self.affines[name][row], tuple(shape), np.asarray(affine, dtype=np.float64))


def saliency(
    est: Any,
    X: Any,
    *,
    method: str = "gradient",
    n_samples: int = 25,
    noise: float = 0.1,
    n_steps: int = 64,
    baseline: Any = "blurred",
    target: str = "logit",
    horizon: float = 12.0,
    auroc_interval: Any = None,
    random_state: Any = None,
) -> SaliencyMaps:
    r"""Attribute the prediction for each patient to the voxels of PET and CT.

    With f the logit of long PFS and x the scans in SUVbw and HU,

    .. math:: \text{gradient} = \partial f / \partial x, \qquad
              \text{integrated gradients} = (x - x_0) \int_0^1 \partial f / \partial x\,(x_0 + a (x - x_0))\, da,

    SmoothGrad is the mean gradient at noisy copies of x, and Grad-CAM the channels of the last feature map with at
    least 4 voxels along each axis, weighted by their mean gradient. All have a sign: positive speaks for long PFS.

    Parameters
    ----------
    est : fitted estimator, or sequence of them
        PETPFSClassifier, CTPFSClassifier, FusionPFSClassifier, or a survival model of theirs. The maps of several, such as those of the folds of
        a cross-validation, are averaged; a model that was trained on a patient shows what it learnt by heart, too.
    X : Cohort, mapping or array
        n patients. Those who were not trained on are the ones to look at.
    method : {"gradient", "smoothgrad", "integrated_gradients", "gradcam"}, default="gradient"
    n_samples : int, default=25
        Noisy copies of SmoothGrad.
    noise : float, default=0.1
        Standard deviation of its noise, as a part of the intensity window.
    n_steps : int, default=64
        Steps of integrated gradients.
    baseline : {"blurred", "blank"}, Cohort or mapping, default="blurred"
        Where integrated gradients begin: the scan blurred by an eighth of its extent; nothing taken up and air; or
        the mean scan of other patients, best those of training. Networks with normalisation inside change their
        answer in one jump just above "blank", which no number of steps resolves.
    target : {"logit", "probability"}, default="logit"
        Of long PFS; of a survival model, of PFS beyond the horizon: what speaks for it lowers the risk. The probability has almost
        no gradient where it is near 0 or 1.
    horizon : float, default=12.0
        Months, for survival models.
    auroc_interval : pair of floats, or row of a comparison's summary, default=None
        Confidence interval of the model's AUROC (of a survival model, its concordance), or the row with ``auroc_low`` and
        ``auroc_high`` (``uno_c_low``, ``uno_c_high``). The maps of a model that was not shown to be better than chance carry a caution.
    random_state : int, RandomState or None, default=None
        Seed of SmoothGrad's noise.

    Returns
    -------
    SaliencyMaps
        A dict modality -> float32 array of shape (n, 1, D, H, W) on the network's own grid, NaN for a patient without
        that scan.

    Raises
    ------
    MissingDependencyError
        If captum is not installed (the extra ``explain``).
    MissingModalityError
        If the estimator looks at no volumes.
    TypeError, ValueError
        If a parameter is of the wrong kind or out of range, or estimators differ in what they take.

    Warns
    -----
    ExplanationWarning
        If the interval includes 0.5, integrated gradients are inexact, or a pretrained network whose features
        were computed before cannot be run here (its file is gone, or memory is short): that modality has no map.

    Notes
    -----
    Gradients are with respect to SUV and HU, so those of PET and CT have different units; times the width of the
    window they compare. The network clips to its window: beyond it the gradient is zero, which is not a statement
    that the place does not matter. How well a map fits the model is measured by `weight_randomisation`, how well it
    fits the disease by `attribution_in_regions`.

    References
    ----------
    Simonyan et al. 2013, doi 10.48550/arXiv.1312.6034; Smilkov et al. 2017 (SmoothGrad), doi
    10.48550/arXiv.1706.03825; Sundararajan et al. 2017 (integrated gradients), doi 10.48550/arXiv.1703.01365;
    Selvaraju et al. 2017 (Grad-CAM), doi 10.1109/ICCV.2017.74; Sturmfels et al. 2020 (baselines), doi
    10.23915/distill.00022.

    Examples
    --------
    >>> from prrt_estimators import PETPFSClassifier, make_prrt_cohort
    >>> X, y = make_prrt_cohort(6, volume_shape=16, random_state=2, return_X_y=True)
    >>> clf = PETPFSClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> maps = saliency(clf, X, method="integrated_gradients")
    >>> [values.shape for values in maps.values()], bool(maps.completeness_error.max() < 0.01)
    ([(6, 1, 16, 16, 16)], True)
    """
    models = list(est) if isinstance(est, (list, tuple)) else [est]
    if not models:
        raise ValueError("`est` is an empty sequence; pass at least one fitted estimator.")
    caution = caution_of(auroc_interval, _title(target_of(models[0]).scores[0]))
    _check(method, n_samples, noise, n_steps, target, baseline)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    if caution:
        warnings.warn(caution, ExplanationWarning, stacklevel=2)
    found = []
    for k, model in enumerate(models):
        inputs = open_inputs(model, X, horizon)
        if not k:
            tell_without_place(inputs)
        start = baseline if isinstance(baseline, str) else mean_scan(open_inputs(model, baseline, horizon))
        settings = Settings(method, n_samples, float(noise), n_steps, seed, target, start, inputs.at_once)
        found.append(maps_of(inputs, settings, caution=caution))
    return found[0] if len(found) == 1 else _averaged(found)


def maps_of(inputs: MapInputs, settings: Settings, *, caution: str = "") -> SaliencyMaps:
    """Return the maps of a network that is open."""
    maps = {name: np.full((len(inputs), 1, *inputs.shape(name)), np.nan, np.float32) for name in inputs.volumes}
    volumes = {name: values.copy() for name, values in maps.items()}
    errors = np.full(len(inputs), np.nan)
    for row in range(len(inputs)):
        one, errors[row] = patient_maps(inputs, row, settings)
        given = inputs.patient(row)
        for name, values in one.items():
            maps[name][row, 0] = values
            volumes[name][row] = given[name][0].cpu().numpy()
    return SaliencyMaps(
        maps,
        volumes=volumes,
        affines=inputs.affines,
        ids=inputs.ids,
        probability=inputs.probability,
        method=settings.method,
        target=settings.target,
        completeness_error=errors if settings.method == "integrated_gradients" else None,
        caution=caution,
        without_place=inputs.without_place,
    )


def _averaged(found: Sequence[SaliencyMaps]) -> SaliencyMaps:
    first = found[0]
    shapes = [{name: values.shape for name, values in maps.items()} for maps in found]
    same_place = all(
        maps.affines.keys() == first.affines.keys()
        and all(np.allclose(maps.affines[name], first.affines[name]) for name in first)
        for maps in found
    )
    if any(one != shapes[0] for one in shapes) or not same_place:
        raise ValueError(
            f"maps are averaged over models that take the same volumes; got {shapes}. Pass models of one configuration."
        )
    errors = None
    if first.completeness_error is not None:
        errors = np.max([maps.completeness_error for maps in found], axis=0)
    return SaliencyMaps(
        {name: np.mean(np.stack([maps[name] for maps in found]), axis=0) for name in first},
        volumes=first.volumes,
        affines=first.affines,
        ids=first.ids,
        probability=np.mean([maps.probability for maps in found], axis=0),
        method=first.method,
        target=first.target,
        n_models=len(found),
        completeness_error=errors,
        caution=first.caution,
        without_place=first.without_place,
    )


def tell_without_place(inputs: MapInputs) -> None:
    """Warn of modalities that can have no map."""
    for name, reason in inputs.without_place.items():
        warnings.warn(
            f"no map of {MODALITIES[name].title}: it enters this model as features that were computed before, and the network that "
            f"computed them cannot be run backwards here: {reason}",
            ExplanationWarning,
            stacklevel=3,
        )


def _title(score: str) -> str:
    found = find_score(score)
    return score if found is None else found.title


def caution_of(auroc_interval: Any, title: str = "AUROC") -> str:
    """Return what the interval of a score of chance 0.5 says against reading the maps, "" for nothing."""
    if auroc_interval is None:
        return ""
    verdict = chance_verdict(auroc_interval) if "p_chance_holm" in getattr(auroc_interval, "keys", list)() else None
    try:
        if hasattr(auroc_interval, "keys"):
            main = main_of_row(auroc_interval) or "auroc"
            title, auroc_interval = _title(main), (auroc_interval[f"{main}_low"], auroc_interval[f"{main}_high"])
        low, high = (float(value) for value in auroc_interval)
    except (KeyError, TypeError, ValueError):
        raise TypeError(
            "`auroc_interval` must be a pair (low, high) or a row of a summary with auroc_low and auroc_high; got "
            f"{auroc_interval!r}."
        ) from None
    if np.isnan(low) or np.isnan(high):
        return f"The {title} interval of this model is not known: nothing shows that its maps mean anything."
    if not 0 <= low <= high <= 1:
        raise ValueError(f"`auroc_interval` must lie within 0 and 1, the lower limit first; got ({low}, {high}).")
    if verdict == "better" or (verdict is None and low > 0.5):
        return ""
    if low > 0.5:
        return (
            f"The {title} interval of this model ({low:.2f} to {high:.2f}) lies above 0.5, but with as many models as were "
            "compared that is not enough: it is not shown to be better than chance, and its maps mean nothing."
        )
    where = "includes 0.5" if high >= 0.5 else "lies below 0.5"
    return (
        f"The {title} interval of this model ({low:.2f} to {high:.2f}) {where}: it is not shown to be better than chance, "
        "and its maps mean nothing."
    )


def _check(method: Any, n_samples: Any, noise: Any, n_steps: Any, target: Any, baseline: Any) -> None:
    if method not in METHODS:
        raise ValueError(f"{parameter('method')} must be one of {', '.join(METHODS)}; got {method!r}.")
    if target not in ("logit", "probability"):
        raise ValueError(f"`target` must be 'logit' or 'probability'; got {target!r}.")
    for name, value in (("n_samples", n_samples), ("n_steps", n_steps)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{parameter(name)} must be a positive whole number; got {value!r}. Pass e.g. 25.")
    if not isinstance(noise, Real) or not 0 < float(noise) < np.inf:
        raise ValueError(f"`noise` must be a positive part of the window; got {noise!r}. Pass e.g. 0.1.")
    if isinstance(baseline, str) and baseline not in _BASELINES:
        raise ValueError(f"`baseline` must be 'blurred', 'blank' or other patients; got {baseline!r}.")
