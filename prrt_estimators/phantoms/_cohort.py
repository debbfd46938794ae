"""`make_prrt_cohort`: a synthetic PRRT cohort that knows its own answer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from prrt_estimators._dataset import Dataset
from prrt_estimators._modalities import CT, PET
from prrt_estimators.cohort import Cohort, Volumes
from prrt_estimators.exceptions import CensoredPatientsWarning
from prrt_estimators.phantoms._factors import (
    CENTRES,
    FACTORS,
    LOG_HAZARD_RATIOS,
    Patient,
    draw_patient,
    hazard_weights,
)
from prrt_estimators.phantoms._labs import draw_labs
from prrt_estimators.phantoms._phantom import lesion_tables, patient_grid, render
from prrt_estimators.phantoms._survival import (
    HORIZON,
    LONGEST_MONTHS,
    calibrate,
    censoring_rate,
    progression_time,
)
from prrt_estimators.phantoms._truth import attainable, best_probabilities, lab_signal

_MODALITIES = (PET.name, CT.name, "lab")


@overload
def make_prrt_cohort(
    n_patients: int = ..., *, return_X_y: Literal[True], **options: Any
) -> tuple[Cohort, np.ndarray]: ...
@overload
def make_prrt_cohort(n_patients: int = ..., *, return_X_y: Literal[False] = ..., **options: Any) -> Bunch: ...
def make_prrt_cohort(  # type: ignore[misc]
    n_patients: int = 116,
    *,
    volume_shape: int | tuple[int, int, int] = (48, 48, 48),
    spacing: float | tuple[float, float, float] | None = None,
    signal: float = 1.0,
    censoring: float = 0.0,
    n_centres: int = 1,
    missing_labs: float = 0.05,
    missing_modalities: float = 0.0,
    volumes: bool = True,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[Cohort, np.ndarray]:
    """Make a synthetic cohort of patients before PRRT: labs, SR-PET, CT, PFS, and the truth about them.

    Independent standard normal factors ``f`` (tumour burden, receptor-negative disease, receptor expression and its
    heterogeneity, dedifferentiation, liver function, inflammation, muscle, ...) give the laboratory values, a phantom
    of the trunk, and the time to progression

    .. math:: T = b \\, (E \\, e^{-w^\\top f})^{1/k}, \\qquad E \\sim \\mathrm{Exp}(1),

    a Weibull proportional-hazards model. ``b`` and ``k`` are set so that 36 % progress within 12 months, with a median
    of 16.4 months. Each modality shows some of the factors only, so that together they tell more than each alone.

    Parameters
    ----------
    n_patients : int, default=116
        Number of patients. Patient ``i`` is the same however many there are.
    volume_shape : int or tuple of int, default=(48, 48, 48)
        Voxels towards Right, Anterior and Superior; at least 8.
    spacing : float or tuple of float, default=None
        Voxel size in mm. By default the volume covers the whole trunk, 440 x 330 x 600 mm; a smaller field is
        centred near the lower border of the liver.
    signal : float, default=1.0
        Factor on all log hazard ratios. 0 is the null setting: nothing predicts PFS.
    censoring : float, default=0.0
        Share of patients censored before they progress, at random, from 0 to 0.9.
    n_centres : int, default=1
        Treatment centres, 1 to 6, that differ in scanner, voxel size, CgA assay and case mix.
    missing_labs : float, default=0.05
        Share of laboratory cells not measured, from 0 to 0.3; NSE lacks three times as often.
    missing_modalities : float, default=0.0
        Share of patients who lack PET, CT or labs (one of them, chosen at random), from 0 to 1.
    volumes : bool, default=True
        Whether to render the scans. Without, `X` holds only ``"lab"``; labs and PFS are the same.
    random_state : int, RandomState, Generator or None, default=None
        Pass an int for the same bytes each time.
    return_X_y : bool, default=False
        Return only ``(X, y)``, without patients whose class is unknown because of censoring.

    Returns
    -------
    bunch : Bunch
        X : Cohort of n patients
            ``pet`` (SUVbw) and ``ct`` (HU) of shape (n, 1, \\*volume_shape), float32, all NaN for a patient
            without that scan; ``lab``, a DataFrame with sex, age and 17 analytes. ``X.masks["lesion"]`` is 1 where a
            lesion is on PET or CT; ``X.survival`` holds `event` and `time`.
        y : ndarray of int, shape (n,)
            1 = PFS over 12 months, 0 = at most 12 months, -1 = unknown (censored before).
        time, event : ndarray, shape (n,)
            Months to progression or censoring; whether progression was seen.
        spacing : ndarray, shape (n, 3)
            Voxel sizes in mm.
        affines : ndarray, shape (n, 4, 4)
            RAS+ affines.
        patients : DataFrame of n rows
            Id, age, sex, height, weight and centre.
        truth : Bunch
            `attainable` (DataFrame, one row per configuration, the best AUROC and AUPRC that any model could reach),
            `best_probability` (n rows, a column per configuration: the probability of long PFS that such a model would
            state), `factors` (n rows), `log_hazard` (n,), `log_hazard_ratios`, `time` (n, before censoring),
            `lab_signal` (which columns carry signal), `lab_flags` (n rows: ``"<"``, ``">"``, ``"gap"``),
            `shape`, `scale`; and with volumes `lesions` (one row per lesion), `pet_signal` and `ct_signal`, the voxels
            that carry signal, bool, shape (n, \\*volume_shape).

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong kind or out of range.

    Warns
    -----
    CensoredPatientsWarning
        If the class of some patients is unknown.

    Notes
    -----
    `truth.attainable` holds for patients with all modalities and all laboratory values, in the limit of endless
    training data. Scans are taken to show their factors exactly; voxels, noise and small lesions take a little of that.

    References
    ----------
    Endpoint and cohort: Baur et al. 2025, doi 10.48550/arXiv.2511.05169. PFS quartiles: Ruhwedel et al. 2021,
    doi 10.3390/cancers13122922.

    Examples
    --------
    >>> cohort = make_prrt_cohort(6, volume_shape=16, random_state=0)
    >>> cohort.X
    Cohort(6 patients: pet=6 scans, ct=6 scans, lab=19 columns)
    >>> cohort.X.masks["lesion"].array.shape
    (6, 1, 16, 16, 16)
    >>> cohort.truth.attainable.loc["pet_ct_lab", "auroc"].round(2)
    np.float64(0.82)
    """
    shape, voxel = check_options(
        n_patients, volume_shape, spacing, signal, censoring, n_centres, missing_labs, missing_modalities
    )
    entropy = _entropy(random_state)
    patients = [draw_patient(entropy, k, int(n_centres)) for k in range(n_patients)]
    bunch = tables(patients, float(signal), float(censoring), int(n_centres), float(missing_labs))
    lacks = absent(patients, float(missing_modalities))
    data: dict[str, Any] = {"lab": lab_without(bunch.pop("lab"), lacks)}
    masks = {}
    grids = [patient_grid(patient, shape, voxel) for patient in patients]
    bunch.spacing = np.array([grid.spacing for grid in grids])
    bunch.affines = np.array([grid.affine for grid in grids])
    if volumes:
        bunch.truth.lesions = lesion_tables(patients)
        for name in (PET.name, CT.name):
            data[name] = np.empty((n_patients, 1, *shape), dtype=np.float32)
        masks["lesion"] = np.empty((n_patients, 1, *shape), dtype=np.float32)
        bunch.truth.pet_signal = np.empty((n_patients, *shape), dtype=bool)
        bunch.truth.ct_signal = np.empty((n_patients, *shape), dtype=bool)
        for k, (patient, grid) in enumerate(zip(patients, grids, strict=True)):
            scans = render(patient, grid)
            data[PET.name][k, 0] = np.nan if lacks[k] == PET.name else scans.pet
            data[CT.name][k, 0] = np.nan if lacks[k] == CT.name else scans.ct
            masks["lesion"][k, 0] = scans.lesion
            bunch.truth.pet_signal[k], bunch.truth.ct_signal[k] = scans.pet_signal, scans.ct_signal
        data |= {name: Volumes(data[name], spacing=bunch.spacing) for name in (PET.name, CT.name)}
    survival = np.empty(n_patients, dtype=[("event", bool), ("time", np.float64)])
    survival["event"], survival["time"] = bunch.event, bunch.time
    bunch.X = Cohort(data, ids=[patient.id for patient in patients], masks=masks, survival=survival)

    unknown = bunch.y < 0
    if unknown.any():
        warnings.warn(
            f"{int(unknown.sum())} of {n_patients} patients were censored within {HORIZON:g} months, so their class is "
            f"unknown: {'left out' if return_X_y else 'y is -1 for them'}.",
            CensoredPatientsWarning,
            stacklevel=2,
        )
    if return_X_y:
        return bunch.X[~unknown], bunch.y[~unknown]
    return bunch


def tables(patients: Sequence[Patient], signal: float, censoring: float, n_centres: int, missing_labs: float) -> Bunch:
    """Return everything about the patients but their scans; ``lab`` is the table of laboratory values."""
    lab, exact, flags = draw_labs(patients, missing_labs)
    factors = np.array([[patient.factors[name] for name in FACTORS] for patient in patients])
    centre = np.array([patient.centre for patient in patients])
    ids = [patient.id for patient in patients]
    eta = factors @ hazard_weights(signal)
    shape, scale = calibrate(signal, n_centres)
    rate = censoring_rate(censoring, signal, n_centres)
    draws = np.array([patient.rng("survival").standard_exponential(2) for patient in patients])
    progressed_at = progression_time(np.log(draws[:, 0]), eta, shape, scale)
    progressed_at = np.clip(np.round(progressed_at, 2), 0.1, LONGEST_MONTHS)
    followed_to = np.clip(np.round(draws[:, 1] / rate, 2), 0.1, None) if rate else np.full(len(eta), np.inf)
    event = progressed_at <= followed_to
    time = np.minimum(progressed_at, followed_to)
    y = np.where(time > HORIZON, 1, np.where(event, 0, -1))
    best = best_probabilities(signal, n_centres, factors, exact, centre)
    truth = Dataset(
        attainable=attainable(signal, n_centres),
        best_probability=best.set_axis(pd.Index(ids, name="patient_id")),
        factors=pd.DataFrame(factors, index=pd.Index(ids, name="patient_id"), columns=list(FACTORS)),
        log_hazard=eta,
        log_hazard_ratios={name: signal * value for name, value in LOG_HAZARD_RATIOS.items()},
        time=progressed_at,
        lab_signal=lab_signal(signal),
        lab_flags=flags,
        shape=shape,
        scale=scale,
    )
    people = pd.DataFrame(
        {
            "patient_id": ids,
            "age": [patient.age for patient in patients],
            "sex": [patient.sex for patient in patients],
            "height_cm": [patient.height_cm for patient in patients],
            "weight_kg": [patient.weight_kg for patient in patients],
            "centre": centre,
        }
    )
    return Dataset(y=y, time=time, event=event, patients=people, truth=truth, lab=lab.reset_index(drop=True))


def absent(patients: Sequence[Patient], share: float) -> np.ndarray:
    """Return the modality that each patient lacks, "" for none, shape (n,)."""
    draws = [patient.rng("absent").random(2) for patient in patients]
    return np.array([_MODALITIES[int(which * 3)] if draw < share else "" for draw, which in draws], dtype=object)


def lab_without(lab: pd.DataFrame, lacks: np.ndarray) -> pd.DataFrame:
    """Return the table with empty rows for patients who lack the modality."""
    return lab.mask(pd.Series(lacks == "lab", index=lab.index), axis=0)


def _entropy(random_state: Any) -> int:
    if isinstance(random_state, (int, np.integer)):
        if random_state < 0:
            raise ValueError(f"`random_state` must not be negative; got {random_state}. Pass e.g. 0.")
        return int(random_state)
    if random_state is None:
        return int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**63))
    return int(check_random_state(random_state).randint(2**31))


def check_options(
    n_patients: Any,
    volume_shape: Any,
    spacing: Any,
    signal: Any,
    censoring: Any,
    n_centres: Any,
    missing_labs: Any,
    missing_modalities: Any,
) -> tuple[tuple[int, int, int], tuple[float, float, float] | None]:
    """Check the parameters of `make_prrt_cohort`; return the shape and the voxel size as triples."""
    _whole("n_patients", n_patients, 1, None)
    _whole("n_centres", n_centres, 1, len(CENTRES))
    for name, value, high in (
        ("signal", signal, 5.0),
        ("censoring", censoring, 0.9),
        ("missing_labs", missing_labs, 0.3),
        ("missing_modalities", missing_modalities, 1.0),
    ):
        if not isinstance(value, (float, int, np.floating, np.integer)) or isinstance(value, bool):
            raise TypeError(f"`{name}` must be a number; got {type(value).__name__}. Pass e.g. 0.1.")
        if not 0 <= value <= high:
            raise ValueError(f"`{name}` must lie between 0 and {high:g}; got {value}. Pass e.g. 0.1.")
    shape = _triple("volume_shape", volume_shape)
    for value in shape:
        _whole("volume_shape", value, 8, 1024)
    if spacing is None:
        return shape, None
    size = _triple("spacing", spacing)
    for value in size:
        if not isinstance(value, (float, int)):
            raise TypeError(f"`spacing` must be voxel sizes in mm; got {value!r}. Pass e.g. (4.0, 4.0, 4.0).")
        if not 0.5 <= value <= 100:
            raise ValueError(f"`spacing` must lie between 0.5 and 100 mm; got {value}. Pass e.g. 4.0.")
    return shape, tuple(float(value) for value in size)  # type: ignore[return-value]


def _triple(name: str, value: Any) -> tuple[Any, Any, Any]:
    if isinstance(value, (float, int, np.floating, np.integer)):
        return (value, value, value)
    try:
        parts = tuple(np.asarray(value).tolist())
    except (TypeError, AttributeError):
        parts = ()
    if len(parts) != 3:
        raise ValueError(f"`{name}` must be one number or three (Right, Anterior, Superior); got {value!r}.")
    return parts


def _whole(name: str, value: Any, low: int, high: int | None) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a whole number; got {value!r} of type {type(value).__name__}.")
    if value < low or (high is not None and value > high):
        limits = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"`{name}` must be {limits}; got {value}.")
